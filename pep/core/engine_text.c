/*
 * Text for policies: string.*, tostring, split and their like.
 *
 * Each takes steps from the budget per byte and makes no text above PEP_STRING_MAX. Nothing reads
 * the locale (a decision runs in the "C" one) or shows an address in memory. Patterns are left out:
 * their time is exponential in the worst case and no hook runs inside them. No text has a NUL byte:
 * Lua compares texts piece by piece between these, and sixty thousand empty pieces take a
 * millisecond in one instruction.
 */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>

#define BYTES_PER_STEP 16
#define NUMBER_STEPS   4 /* a number as text */
#define FLOAT_STEPS    8 /* one that is formatted, beyond what each item takes */
#define FORMAT_ITEM                                                              \
    512 /* one number, formatted: %.99f of the largest double has 410 characters \
         */

static void charge_bytes(lua_State *L, size_t n)
{
    pep_charge(L, 1 + n / BYTES_PER_STEP);
}

/* A text argument; false where it is absent. Raises for anything else. */
static bool text_at(lua_State *L, int index, const char *word, struct pep_span *ret)
{
    size_t size;
    if (lua_isnoneornil(L, index))
        return false;
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_error(L, "%s: needs a text", word);
    const char *text = lua_tolstring(L, index, &size);
    *ret = pep_span_of(text, size);
    charge_bytes(L, size);
    return true;
}

static struct pep_span need_text(lua_State *L, int index, const char *word)
{
    struct pep_span s = {NULL, 0};
    if (!text_at(L, index, word, &s))
        luaL_error(L, "%s: needs a text, got nil", word);
    return s;
}

/* Room for a text of `size` bytes, dropped by Lua's collector. */
static char *new_room(lua_State *L, size_t size)
{
    if (size > PEP_STRING_MAX)
        luaL_error(L, "a text of more than %d bytes", PEP_STRING_MAX);
    charge_bytes(L, size);
    return lua_newuserdatauv(L, size + 1, 0);
}

/* ---- plain text ---- */

static int word_starts_with(lua_State *L)
{
    struct pep_span s, p = need_text(L, 2, "starts_with");
    bool yes =
        text_at(L, 1, "starts_with", &s) && s.size >= p.size && memcmp(s.data, p.data, p.size) == 0;
    lua_pushboolean(L, yes);
    return 1;
}

static int word_ends_with(lua_State *L)
{
    struct pep_span s, p = need_text(L, 2, "ends_with");
    bool yes = text_at(L, 1, "ends_with", &s) && s.size >= p.size &&
               memcmp(s.data + s.size - p.size, p.data, p.size) == 0;
    lua_pushboolean(L, yes);
    return 1;
}

static int word_contains(lua_State *L)
{
    struct pep_span s, p = need_text(L, 2, "contains");
    bool yes = text_at(L, 1, "contains", &s) &&
               (p.size == 0 || (s.size > 0 && memmem(s.data, s.size, p.data, p.size) != NULL));
    lua_pushboolean(L, yes);
    return 1;
}

static int word_split(lua_State *L)
{
    struct pep_span s, sep = need_text(L, 2, "split");
    lua_settop(L, 2);
    lua_newtable(L);
    if (sep.size == 0)
        return luaL_error(L, "split: the separator is empty");
    if (!text_at(L, 1, "split", &s))
        return 1;
    const char *at = (const char *)s.data, *end = at + s.size;
    for (lua_Integer n = 1;; n++) {
        const char *stop = memmem(at, (size_t)(end - at), sep.data, sep.size);
        pep_charge(L, 1);
        lua_pushlstring(L, at, (size_t)((stop == NULL ? end : stop) - at));
        lua_rawseti(L, 3, n);
        if (stop == NULL)
            return 1;
        at = stop + sep.size;
    }
}

static int change_case(lua_State *L, const char *word, char from, char to)
{
    struct pep_span s;
    if (!text_at(L, 1, word, &s))
        return 0;
    char *out = new_room(L, s.size);
    for (size_t i = 0; i < s.size; i++) {
        char c = (char)s.data[i];
        out[i] = c >= from && c <= from + 25 ? (char)(c - from + to) : c;
    }
    lua_pushlstring(L, out, s.size);
    return 1;
}

static int word_lower(lua_State *L)
{
    return change_case(L, "lower", 'A', 'a');
}

static int word_upper(lua_State *L)
{
    return change_case(L, "upper", 'a', 'A');
}

/* ---- tostring, tonumber ---- */

static int word_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    switch (lua_type(L, 1)) {
    case LUA_TSTRING:
        lua_settop(L, 1);
        break;
    case LUA_TNUMBER:
        pep_charge(L, NUMBER_STEPS);
        lua_pushvalue(L, 1);
        lua_tostring(L, -1);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false");
        break;
    case LUA_TLIGHTUSERDATA:
        lua_pushliteral(L, "table"); /* never an address */
        break;
    default:
        lua_pushstring(L, luaL_typename(L, 1));
    }
    return 1;
}

static int word_tonumber(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_gettop(L) > 1 && !lua_isnil(L, 2))
        return luaL_error(L, "tonumber: no other base than 10");
    if (lua_type(L, 1) == LUA_TNUMBER) {
        lua_settop(L, 1);
        return 1;
    }
    size_t size = 0;
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &size) : NULL;
    charge_bytes(L, size);
    if (text == NULL || size > 200 || lua_stringtonumber(L, text) != size + 1)
        lua_pushnil(L);
    return 1;
}

/* ---- string.* ---- */

static int string_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)need_text(L, 1, "string.len").size);
    return 1;
}

/* Lua's positions: from 1, negative ones from the end. Clipped to [1, size + 1] and [0, size]. */
static size_t start_of(lua_Integer i, size_t size)
{
    if (i > 0)
        return i > (lua_Integer)size ? size + 1 : (size_t)i;
    return i == 0 || i < -(lua_Integer)size ? 1 : size - (size_t)-i + 1;
}

static size_t stop_of(lua_Integer i, size_t size)
{
    if (i >= 0)
        return i > (lua_Integer)size ? size : (size_t)i;
    return i < -(lua_Integer)size ? 0 : size - (size_t)-i + 1;
}

static int string_sub(lua_State *L)
{
    struct pep_span s = need_text(L, 1, "string.sub");
    size_t from = start_of(pep_need_integer(L, 2, "string.sub"), s.size);
    size_t to = stop_of(pep_integer_or(L, 3, "string.sub", -1), s.size);
    lua_pushlstring(L, (const char *)s.data + (from <= to ? from - 1 : 0),
                    from <= to ? to - from + 1 : 0);
    return 1;
}

static int string_byte(lua_State *L)
{
    struct pep_span s = need_text(L, 1, "string.byte");
    lua_Integer i = pep_integer_or(L, 2, "string.byte", 1);
    size_t from = start_of(i, s.size), to = stop_of(pep_integer_or(L, 3, "string.byte", i), s.size);
    if (from > to)
        return 0;
    if (to - from >= 200)
        return luaL_error(L, "string.byte: more than 200 bytes");
    luaL_checkstack(L, (int)(to - from) + 1, "string.byte");
    for (size_t k = from; k <= to; k++)
        lua_pushinteger(L, s.data[k - 1]);
    return (int)(to - from) + 1;
}

static int string_char(lua_State *L)
{
    int n = lua_gettop(L);
    char *out = new_room(L, (size_t)n);
    for (int i = 1; i <= n; i++) {
        lua_Integer c = pep_need_integer(L, i, "string.char");
        if (c < 1 || c > 255)
            return luaL_error(L, "string.char: a value is not a byte, or is zero");
        out[i - 1] = (char)c;
    }
    lua_pushlstring(L, out, (size_t)n);
    return 1;
}

static int string_reverse(lua_State *L)
{
    struct pep_span s = need_text(L, 1, "string.reverse");
    char *out = new_room(L, s.size);
    for (size_t i = 0; i < s.size; i++)
        out[i] = (char)s.data[s.size - 1 - i];
    lua_pushlstring(L, out, s.size);
    return 1;
}

static int string_rep(lua_State *L)
{
    struct pep_span s = need_text(L, 1, "string.rep");
    lua_Integer n = pep_need_integer(L, 2, "string.rep");
    struct pep_span sep = {NULL, 0};
    text_at(L, 3, "string.rep", &sep);
    if (n <= 0 || s.size + sep.size == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    size_t each = s.size + sep.size;
    if ((lua_Unsigned)n > PEP_STRING_MAX || each * (size_t)n - sep.size > PEP_STRING_MAX)
        return luaL_error(L, "string.rep: more than %d bytes", PEP_STRING_MAX);
    size_t size = each * (size_t)n - sep.size;
    char *out = new_room(L, size), *at = out;
    pep_charge(L, (size_t)n);
    for (lua_Integer i = 0; i < n; i++) {
        if (s.size > 0)
            memcpy(at, s.data, s.size);
        at += s.size;
        if (i + 1 < n && sep.size > 0)
            at = (char *)memcpy(at, sep.data, sep.size) + sep.size;
    }
    lua_pushlstring(L, out, size);
    return 1;
}

/* ---- string.format ---- */

/* One conversion "%-10.3f" with its argument; the result's length in `out`, or a text on the stack
 * for %s. */
struct item {
    char spec[16];
    char conversion;
};

static const char *read_item(lua_State *L, const char *at, const char *end, struct item *ret)
{
    const char *from = at;
    while (at < end && strchr("-+ #0", *at) != NULL && *at != '\0')
        at++;
    for (int i = 0; i < 2 && at < end && *at >= '0' && *at <= '9'; i++)
        at++;
    if (at < end && *at == '.') {
        at++;
        for (int i = 0; i < 2 && at < end && *at >= '0' && *at <= '9'; i++)
            at++;
    }
    size_t n = (size_t)(at - from);
    if (at == end || n > 10 || strchr("diouxXcsfFeEgG", *at) == NULL || *at == '\0')
        luaL_error(L, "string.format: only %%d %%i %%o %%u %%x %%X %%c %%s %%f %%e %%g and %%%%");
    ret->conversion = *at;
    snprintf(ret->spec, sizeof(ret->spec), "%%%.*s", (int)n, from);
    return at + 1;
}

static size_t format_number(lua_State *L, const struct item *it, int argument, char *out)
{
    char spec[24];
    int n;
    if (strchr("fFeEgG", it->conversion) != NULL) {
        snprintf(spec, sizeof(spec), "%s%c", it->spec, it->conversion);
        if (lua_type(L, argument) != LUA_TNUMBER)
            luaL_error(L, "string.format: argument %d is not a number", argument);
        n = snprintf(out, FORMAT_ITEM, spec, lua_tonumber(L, argument));
        pep_charge(L, FLOAT_STEPS + (n < 0 ? 0 : (size_t)n / 8));
    } else {
        bool is_char = it->conversion == 'c';
        snprintf(spec, sizeof(spec), "%s%s%c", it->spec, is_char ? "" : "ll", it->conversion);
        lua_Integer i = pep_need_integer(L, argument, "string.format");
        if (is_char && (i & 0xff) == 0)
            luaL_error(L, "string.format: %%c of zero");
        n = is_char ? snprintf(out, FORMAT_ITEM, spec, (int)i)
                    : snprintf(out, FORMAT_ITEM, spec, (long long)i);
    }
    return n < 0 || n >= FORMAT_ITEM ? 0 : (size_t)n;
}

static void format_text(lua_State *L, const struct item *it, int argument, luaL_Buffer *b)
{
    size_t size;
    lua_pushcfunction(L, word_tostring);
    lua_pushvalue(L, argument);
    lua_call(L, 1, 1);
    const char *text = lua_tolstring(L, -1, &size);
    charge_bytes(L, size);
    if (it->spec[1] == '\0') {
        luaL_addvalue(b);
        return;
    }
    char spec[24], out[FORMAT_ITEM];
    if (size >= 100 || memchr(text, 0, size) != NULL)
        luaL_error(L, "string.format: a width only for short texts");
    snprintf(spec, sizeof(spec), "%ss", it->spec);
    int n = snprintf(out, sizeof(out), spec, text);
    lua_pop(L, 1);
    luaL_addlstring(b, out, n < 0 ? 0 : (size_t)n);
}

static int string_format(lua_State *L)
{
    struct pep_span f = need_text(L, 1, "string.format");
    const char *at = (const char *)f.data, *end = at + f.size;
    char number[FORMAT_ITEM];
    int argument = 1, count = lua_gettop(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while (at < end) {
        struct item it;
        if (luaL_bufflen(&b) > PEP_STRING_MAX)
            return luaL_error(L, "string.format: more than %d bytes", PEP_STRING_MAX);
        if (*at != '%') {
            luaL_addchar(&b, *at++);
            continue;
        }
        if (++at < end && *at == '%') {
            luaL_addchar(&b, *at++);
            continue;
        }
        at = read_item(L, at, end, &it);
        if (++argument > count)
            return luaL_error(L, "string.format: argument %d is missing", argument);
        pep_charge(L, 8);
        if (it.conversion == 's')
            format_text(L, &it, argument, &b);
        else
            luaL_addlstring(&b, number, format_number(L, &it, argument, number));
    }
    if (luaL_bufflen(&b) > PEP_STRING_MAX)
        return luaL_error(L, "string.format: more than %d bytes", PEP_STRING_MAX);
    luaL_pushresult(&b);
    return 1;
}

/* ---- table.concat ---- */

static int table_concat(lua_State *L)
{
    bool read_only;
    struct pep_span sep = {NULL, 0};
    lua_settop(L, 2);
    text_at(L, 2, "table.concat", &sep);
    if (!pep_push_table(L, 1, &read_only))
        return luaL_error(L, "table.concat: needs a table");
    lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (lua_Integer i = 1; i <= n; i++) {
        int type = lua_rawgeti(L, 3, i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            return luaL_error(L, "table.concat: item %d is neither a text nor a number", (int)i);
        charge_bytes(L, lua_rawlen(L, -1) + sep.size);
        if (type == LUA_TNUMBER)
            pep_charge(L, NUMBER_STEPS);
        luaL_addvalue(&b);
        if (i < n && sep.size > 0)
            luaL_addlstring(&b, (const char *)sep.data, sep.size);
        if (luaL_bufflen(&b) > PEP_STRING_MAX)
            return luaL_error(L, "table.concat: more than %d bytes", PEP_STRING_MAX);
    }
    luaL_pushresult(&b);
    return 1;
}

/* ---- the environment ---- */

static const luaL_Reg text_words[] = {{"starts_with", word_starts_with},
                                      {"ends_with", word_ends_with},
                                      {"contains", word_contains},
                                      {"split", word_split},
                                      {"lower", word_lower},
                                      {"upper", word_upper},
                                      {"tostring", word_tostring},
                                      {"tonumber", word_tonumber},
                                      {NULL, NULL}};

static const luaL_Reg string_words[] = {{"len", string_len},       {"sub", string_sub},
                                        {"byte", string_byte},     {"char", string_char},
                                        {"rep", string_rep},       {"reverse", string_reverse},
                                        {"format", string_format}, {"lower", word_lower},
                                        {"upper", word_upper},     {NULL, NULL}};

/* The methods of texts, ("x"):upper(): the same functions, from a table that nobody can name. */
static void open_methods(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_createtable(L, 0, 2);
    luaL_newlib(L, string_words);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

void pep_text_open(lua_State *L)
{
    luaL_setfuncs(L, text_words, 0);
    luaL_newlib(L, string_words);
    pep_push_read_only(L);
    lua_setfield(L, -2, "string");
    lua_getfield(L, -1, "table");
    lua_pushcfunction(L, table_concat);
    lua_setfield(L, -2, "concat");
    pep_push_read_only(L);
    lua_setfield(L, -2, "table");
    open_methods(L);
}
