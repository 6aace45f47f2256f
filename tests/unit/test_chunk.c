/* What code can do, read from its bytecode: each row is a piece of Lua and the uses that must be
 * found. Broken bytecode is refused. */
#include "pep/core/chunk.h"

#include <lauxlib.h>
#include <lua.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int write_dump(lua_State *L, const void *data, size_t size, void *out)
{
    (void)L;
    pep_put_bytes(out, data, size);
    return 0;
}

static struct pep_buffer dump_of(const char *text)
{
    struct pep_buffer out = pep_buffer_of(1 << 20);
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    if (luaL_loadbufferx(L, text, strlen(text), "=test", "t") != LUA_OK)
        fail_msg("%s: %s", text, lua_tostring(L, -1));
    lua_dump(L, write_dump, &out, 0);
    lua_close(L);
    assert_false(out.failed);
    return out;
}

struct row {
    const char *text;
    enum pep_use_kind kind;
    const char *name;
    int param, line;
};

static bool found(const struct pep_chunk *c, const struct row *r)
{
    size_t n;
    const struct pep_use *u = pep_chunk_uses(c, &n);
    for (size_t i = 0; i < n; i++) {
        bool name = r->name == NULL ? u[i].name == NULL || r->kind == PEP_USE_ESCAPE
                                    : u[i].name != NULL && strcmp(u[i].name, r->name) == 0;
        if (u[i].kind == r->kind && name && (r->param < 0 || u[i].param == r->param) &&
            (r->line == 0 || u[i].line == r->line))
            return true;
    }
    return false;
}

static const struct row there[] = {
    {"local t = os.time()", PEP_USE_GLOBAL, "os", -1, 1},
    {"\n\nx = 1", PEP_USE_GLOBAL_SET, "x", -1, 3},
    {"local e = _ENV", PEP_USE_ENV, NULL, -1, 1},
    {"local function f() _ENV = {} end", PEP_USE_ENV, "_ENV", -1, 1},
    {"local n = 0\nlocal function f()\n n = n + 1 end", PEP_USE_UPVALUE_SET, "n", -1, 3},
    {"return function(sub, res) return\n res.amount end", PEP_USE_FIELD, "amount", 1, 2},
    {"return function(sub) return function() return sub.id end end", PEP_USE_FIELD, "id", 0, 1},
    {"return function(sub, k) return sub[k] end", PEP_USE_DYNAMIC, NULL, 0, 1},
    {"return function(sub) f(sub) end", PEP_USE_ESCAPE, NULL, 0, 1},
    {"return function(sub) local t = { x = sub } end", PEP_USE_ESCAPE, NULL, 0, 1},
    {"return function(sub) return function() return sub end end", PEP_USE_ESCAPE, NULL, 0, 1},
    {"return function(sub) sub:go() end", PEP_USE_ESCAPE, NULL, 0, 1},
    {"return function(sub) sub = nil; return sub.id end", PEP_USE_DYNAMIC, NULL, 0, 1},
    {"return function(sub) sub.id = 1 end", PEP_USE_WRITE, NULL, 0, 1},
    {"return function(sub) return function() sub.id = 1 end end", PEP_USE_WRITE, "id", 0, 1},
    {"local m = require 'lib.x'", PEP_USE_REQUIRE, "lib.x", -1, 1},
    {"return require 'lib.x'", PEP_USE_REQUIRE, "lib.x", -1, 1},
    {"local n = 'x'\nlocal m = require(n)", PEP_USE_REQUIRE, NULL, -1, 2},
    {"local r = require", PEP_USE_REQUIRE, NULL, -1, 1},
    {"local d = data 'x'", PEP_USE_DATA, "x", -1, 1},
};

static const struct row absent[] = {
    {"local x = 1", PEP_USE_GLOBAL_SET, "x", -1, 0},
    {"local _ENV = {}\nx = 1", PEP_USE_GLOBAL_SET, "x", -1, 0},
    {"return function(sub) return sub.id end", PEP_USE_ESCAPE, NULL, -1, 0},
    {"return function(sub) return sub.id end", PEP_USE_DYNAMIC, NULL, -1, 0},
    {"return function(sub) return sub.id end", PEP_USE_WRITE, NULL, -1, 0},
    {"local f; f = function() return f end", PEP_USE_UPVALUE_SET, "f", -1, 0},
};

static void uses_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]) + sizeof(absent) / sizeof(absent[0]);
         i++) {
        bool expected = i < sizeof(there) / sizeof(there[0]);
        const struct row *r = expected ? &there[i] : &absent[i - sizeof(there) / sizeof(there[0])];
        struct pep_buffer dump = dump_of(r->text);
        struct pep_chunk *c = NULL;
        assert_int_equal(pep_chunk_read(pep_buffer_span(&dump), &c, NULL), PEP_OK);
        if (found(c, r) != expected)
            fail_msg("%s: use %d of %s", r->text, (int)r->kind, r->name == NULL ? "-" : r->name);
        pep_chunk_free(c);
        pep_buffer_free(&dump);
    }
}

static void functions_are_described(void **state)
{
    (void)state;
    struct pep_buffer dump =
        dump_of("local a = 1\nreturn function(x, ...)\n  for i = 1, x do end\nend, function() end");
    struct pep_chunk *c = NULL;
    assert_int_equal(pep_chunk_read(pep_buffer_span(&dump), &c, NULL), PEP_OK);
    assert_int_equal(pep_chunk_function_count(c), 3);
    const struct pep_chunk_function *f = pep_chunk_function(c, 1);
    assert_int_equal(f->line, 2);
    assert_int_equal(f->last_line, 4);
    assert_int_equal(f->params, 1);
    assert_true(f->variadic && f->loops);
    assert_int_equal(f->parent, 0);
    assert_false(pep_chunk_function(c, 2)->loops);
    pep_chunk_free(c);
    pep_buffer_free(&dump);
}

struct straight_row {
    const char *body;
    bool straight;
};

static const struct straight_row bodies[] = {
    {"return sub.a == res.a and res.n ~= nil and res.n <= 10", true},
    {"local x = sub.n + res.n * 2 if x > 7 then return not sub.ok end return x == -1", true},
    {"return sub.roles[1] == 'a' or sub['x'] == limit", true},
    {"return sub.name < res.name and #sub.name > 3", true},
    {"return has(sub.roles, 'a') and not same(sub.id, res.owner)", true},
    {"return res.n ~= nil and overlaps(sub.a, res.a or limit) == true", true},
    {"local x = has(sub.a, has(sub.b, 1)) return x", true},
    {"return between(res.n, 1, 2) or starts_with(res.id, 'x')", true},
    {"return has(sub.a or limit, sub.b and 1 or 2)", true},
    {"return (sub.a and f or has)(sub.b)", false},
    {"return (sub.a and has or f)(sub.b)", false},
    {"return (f or has)(sub.b, 1)", false},
    {"local x if sub.a then x = f else x = has end return x(sub.b)", false},
    {"local has = f return has(sub)", false},
    {"local h = has return h(sub.a, 1)", false},
    {"return has(f(sub), 1)", false},
    {"return f(has(sub.a, 1))", false},
    {"local x, y = has, 1 x = f return x(y)", false},
    {"return sorted(sub.a) == nil", false},
    {"return split(sub.a, ',') == nil", false},
    {"return sub.has(sub.a, 1)", false},
    {"return f(sub)", false},
    {"local x = f(1) return x", false},
    {"return sub:has('a')", false},
    {"return sub.a .. res.a == 'x'", false},
    {"for i = 1, 3 do local x = i end return true", false},
    {"for k in f do local x = k end return true", false},
    {"local n = 0 while n < 3 do n = n + 1 end return true", false},
    {"local n = 0 repeat n = n + 1 until n > 3 return true", false},
    {"::top:: if sub.a then goto top end return true", false},
    {"local t = {} return t == sub", false},
    {"local t = function() return 1 end return t == nil", false},
    {"sub.a = 1 return true", false},
    {"x = 1 return true", false},
};

static void straight_functions_are_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        char text[256];
        struct pep_chunk *c = NULL;
        snprintf(text, sizeof(text), "return function(sub, res, ctx) %s end", bodies[i].body);
        struct pep_buffer dump = dump_of(text);
        assert_int_equal(pep_chunk_read(pep_buffer_span(&dump), &c, NULL), PEP_OK);
        if (pep_chunk_function(c, 1)->straight != bodies[i].straight)
            fail_msg("%s", bodies[i].body);
        assert_false(pep_chunk_function(c, 0)->straight); /* it makes a function */
        pep_chunk_free(c);
        pep_buffer_free(&dump);
    }
    struct pep_buffer dump = dump_of("return function(...) local a = ... return a end");
    struct pep_chunk *c = NULL;
    assert_int_equal(pep_chunk_read(pep_buffer_span(&dump), &c, NULL), PEP_OK);
    assert_false(pep_chunk_function(c, 1)->straight);
    pep_chunk_free(c);
    pep_buffer_free(&dump);
}

static void broken_bytecode_is_refused(void **state)
{
    (void)state;
    struct pep_buffer dump = dump_of("return function(sub) return sub.id == 'x' and f(sub) end");
    struct pep_chunk *c = NULL;
    for (size_t n = 0; n < dump.size; n++)
        assert_int_equal(pep_chunk_read(pep_span_of(dump.data, n), &c, NULL), PEP_EFORMAT);
    for (size_t i = 0; i < dump.size; i++) { /* changed bytes: any answer, but an orderly one */
        uint8_t was = dump.data[i];
        for (int bit = 0; bit < 8; bit++) {
            dump.data[i] = (uint8_t)(was ^ 1u << bit);
            if (pep_chunk_read(pep_buffer_span(&dump), &c, NULL) == PEP_OK)
                pep_chunk_free(c);
        }
        dump.data[i] = was;
    }
    pep_buffer_free(&dump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_are_found),
        cmocka_unit_test(functions_are_described),
        cmocka_unit_test(straight_functions_are_known),
        cmocka_unit_test(broken_bytecode_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
