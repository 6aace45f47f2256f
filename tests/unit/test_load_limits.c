/* Loading ends soon for any policy: each row is a policy made to take long in one way, and its
 * neighbour that is still taken. Time is asserted with much room, because these ways took from many
 * seconds to hours. */
#include "engine_kit.h"

#include <stdlib.h>
#include <time.h>

#define SECONDS_MAX 20 /* of CPU, with sanitizers on a busy machine */
#define HEAD        "action='do', resource='thing'"

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct made {
    struct pep_files *files;
    struct pep_buffer text;
};

static void begin(struct made *m)
{
    assert_int_equal(pep_files_new(&m->files), PEP_OK);
    m->text = pep_buffer_of(1 << 20);
}

/* What was put into the text so far becomes a file. */
static void end_file(struct made *m, const char *folder, int number)
{
    char path[64];
    snprintf(path, sizeof(path), "%s%04d.lua", folder, number);
    if (strcmp(folder, "schema") == 0)
        snprintf(path, sizeof(path), "schema.lua");
    assert_false(m->text.failed);
    assert_int_equal(pep_files_add(m->files, path, pep_buffer_span(&m->text), NULL), PEP_OK);
    m->text.size = 0;
}

static void repeat(struct pep_buffer *out, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        pep_put_bytes(out, text, strlen(text));
}

/* Seven functions inside each other, with so many locals each, and 20,000 names in the last. */
static void deep_names(struct made *m, int locals)
{
    for (int file = 0; file < 5; file++) {
        for (int depth = 0; depth < 7; depth++) {
            pep_put_format(&m->text, "local function f%d()\n", depth);
            for (int i = 0; i < locals; i++)
                pep_put_format(&m->text, "local m%d_%d\n", depth, i);
        }
        repeat(&m->text, "type(1)", 20000);
        repeat(&m->text, " end", 7);
        end_file(m, "policies/p", file);
    }
}

static void constants(struct made *m, int count)
{
    for (int file = 0; file < 2; file++) {
        for (int i = 0; i < count; i++)
            pep_put_format(&m->text, "local c%d <const> = 1\n", i);
        repeat(&m->text, ";", 250000);
        end_file(m, "policies/p", file);
    }
}

static void branches(struct made *m, int files)
{
    for (int i = 0; i < files; i++) {
        repeat(&m->text, "local a if a then ", 1);
        repeat(&m->text, "elseif a then ", 990);
        repeat(&m->text, "end", 1);
        end_file(m, "policies/p", i);
    }
}

/* In brackets, so that each is a part of one long condition. */
static void conditions(struct made *m, int files)
{
    for (int file = 0; file < files; file++) {
        repeat(&m->text, "local a\n", 1);
        for (int i = 0; i < 40; i++) {
            repeat(&m->text, "a = not not (a", 1);
            repeat(&m->text, " and (a or a)", 450);
            repeat(&m->text, ")\n", 1);
        }
        end_file(m, "policies/p", file);
    }
}

static void assignments(struct made *m, int files)
{
    for (int file = 0; file < files; file++) {
        repeat(&m->text, "local a\n", 1);
        for (int i = 0; i < 650; i++) {
            repeat(&m->text, "a", 1);
            repeat(&m->text, ",a", 180);
            repeat(&m->text, "=1\n", 1);
        }
        end_file(m, "policies/p", file);
    }
}

static void functions(struct made *m, int files)
{
    for (int i = 0; i < files; i++) {
        repeat(&m->text, "local t = {", 1);
        repeat(&m->text, "function()end,", 15000);
        repeat(&m->text, "}", 1);
        end_file(m, "policies/p", i);
    }
}

static void head_names(struct made *m, int rules)
{
    pep_put_format(&m->text,
                   "local l = {} for i = 1, 1000 do l[i] = 'n' .. i end\n"
                   "for i = 1, %d do allow('r' .. i) { " HEAD ", clients = l } end\n",
                   rules);
    end_file(m, "policies/p", 0);
}

static void long_names(struct made *m, int rules)
{
    pep_put_format(&m->text,
                   "local l = {} for i = 1, 1000 do l[i] = ('x'):rep(1000) .. i end\n"
                   "for i = 1, %d do allow('r' .. i) { " HEAD ", roles = l } end\n",
                   rules);
    end_file(m, "policies/p", 0);
}

static void candidates(struct made *m, int rules)
{
    pep_put_format(&m->text,
                   "local a, t = {}, {}\n"
                   "for i = 1, 500 do a[i] = 'a' .. i t[i] = 't' .. i end\n"
                   "for i = 1, %d do allow('r' .. i) { action = a, resource = t } end\n",
                   rules);
    end_file(m, "policies/p", 0);
}

/* A rule for everything hands its objects on: it may read whatever any function reads. */
static void names_read(struct made *m, int types)
{
    for (int k = 0; k < 30; k++) {
        repeat(&m->text, "local function r(t) return 1", 1);
        for (int i = 0; i < 100; i++)
            pep_put_format(&m->text, " or t.f%d", k * 100 + i);
        repeat(&m->text, " end", 1);
        end_file(m, "policies/p", k);
    }
    pep_put_format(&m->text,
                   "local a, t = {}, {}\n"
                   "for i = 1, 10 do a[i] = 'a' .. i end for i = 1, %d do t[i] = 't' .. i end\n"
                   "allow 'x' { action = a, resource = t }\n"
                   "allow 'y' { action = '*', resource = '*',\n"
                   "  when = function(sub, res) return tostring(sub) == tostring(res) end }\n",
                   types);
    end_file(m, "policies/w", 0);
}

static void hierarchy(struct made *m, int roles)
{
    pep_put_format(&m->text,
                   "local t = { r0 = {} } for i = 1, %d do t['r' .. i] = { 'r' .. (i - 1) } end\n"
                   "roles(t)",
                   roles);
    end_file(m, "schema", 0);
}

static void claims(struct made *m, int count)
{
    pep_put_format(&m->text, "local t = {} for i = 1, %d do t['c' .. i] = {} end claims(t)", count);
    end_file(m, "schema", 0);
}

static void attributes(struct made *m, int count)
{
    pep_put_format(&m->text,
                   "local t = {} for i = 1, %d do t['c' .. i] = 'any?' end\n"
                   "resource 'thing' { actions = { 'do' }, attrs = t }",
                   count);
    end_file(m, "schema", 0);
}

/* Lists that were large once: each walk goes over the empty slots. */
static void hollow(struct made *m, int rules)
{
    pep_put_format(&m->text,
                   "local t = { 'a' } for i = 1, 4000 do t['k' .. i] = 1 end\n"
                   "for i = 1, 4000 do t['k' .. i] = nil end\n"
                   "for i = 1, %d do allow('r' .. i) { " HEAD ", roles = t, scopes = t } end\n",
                   rules);
    end_file(m, "policies/p", 0);
}

static void wrong_names(struct made *m, int count)
{
    repeat(&m->text, "nothing()\n", count);
    end_file(m, "policies/p", 0);
}

static void wrong_roles(struct made *m, int count)
{
    repeat(&m->text,
           "local t = {} for i = 1, 5000 do t['a_role_with_a_name_of_fifty_bytes_or_so_"
           "as_they_come' .. i] = {} end roles(t)",
           1);
    end_file(m, "schema", 0);
    pep_put_format(&m->text,
                   "for i = 1, %d do allow('r' .. i) { " HEAD ", roles = "
                   "'b_role_with_a_name_of_fifty_bytes_or_so_as_they_come' .. 10000 + i } end",
                   count);
    end_file(m, "policies/p", 0);
}

static void obligations(struct made *m, int rules)
{
    pep_put_format(&m->text,
                   "local l = { type = 'log' } for i = 1, 900 do l['k' .. i] = i end\n"
                   "for i = 1, %d do allow('r' .. i) { " HEAD ", oblige = l, advise = l } end\n",
                   rules);
    end_file(m, "policies/p", 0);
}

static const struct row {
    void (*make)(struct made *m, int size);
    int taken, refused;
    const char *code, *part;
} rows[] = {
    {deep_names, 5, 190, "E213", "too tangled"},
    {constants, 1, 190, "E213", "too tangled"},
    {branches, 4, 80, "E213", "too tangled"},
    {conditions, 1, 6, "E213", "too tangled"},
    {assignments, 1, 5, "E213", "too tangled"},
    {functions, 2, 30, "E213", "too tangled"},
    {head_names, 400, 600, "E211", "more than 500000 names"},
    {long_names, 30, 200, "E212", "4000000 steps"},
    {candidates, 2, 5, "E215", "more than 1000000 candidates"},
    {names_read, 4, 150, "E215", "makes more than 4000000 names"},
    {hierarchy, 600, 3000, "E212", "include one another"},
    {claims, 256, 257, "E211", "more than 256 claims"},
    {attributes, 256, 257, "E211", "more than 256 attributes"},
    {hollow, 20, 8000, "E212", "4000000 steps"},
    {wrong_names, 0, 20000, "E202", "`nothing` is not available"},
    {wrong_roles, 0, 210, "E112", "unknown role"},
    {obligations, 50, 2000, "E212", "4000000 steps"},
};

static int load(struct made *m, struct pep_policy **ret, struct pep_diags *diags)
{
    struct pep_engine_options options = {.lua_states = 1};
    double before = cpu();
    int rc = pep_policy_compile_unsigned(m->files, &options, ret, diags, NULL);
    assert_true(cpu() - before < SECONDS_MAX);
    pep_files_free(m->files);
    pep_buffer_free(&m->text);
    return rc;
}

static const struct pep_diag *find(const struct pep_diags *diags, const struct row *r)
{
    for (size_t i = 0; i < diags->count; i++) {
        if (strcmp(diags->items[i].code, r->code) == 0 &&
            strstr(diags->items[i].message, r->part) != NULL)
            return &diags->items[i];
    }
    return NULL;
}

static void what_takes_long_is_refused(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int refused = 0; refused < 2; refused++) {
            struct made m;
            struct pep_diags diags = PEP_DIAGS_INIT;
            struct pep_policy *p = NULL;
            begin(&m);
            rows[i].make(&m, refused ? rows[i].refused : rows[i].taken);
            int rc = load(&m, &p, &diags);
            bool fine =
                refused ? rc == PEP_EPOLICY && find(&diags, &rows[i]) != NULL : rc == PEP_OK;
            if (!fine)
                print_error("row %zu, %s: %d %s %s\n", i, refused ? "refused" : "taken", rc,
                            diags.count == 0 ? "-" : diags.items[0].code,
                            diags.count == 0 ? "-" : diags.items[0].message);
            failures += !fine || diags.errors > 201;
            pep_diags_free(&diags);
            pep_policy_free(p);
        }
    }
    assert_int_equal(failures, 0);
}

/* As many rules as a policy may have, written out, each with a function. */
static void large_policies_load(void **state)
{
    (void)state;
    struct made m;
    struct pep_policy *p = NULL;
    begin(&m);
    for (int i = 0; i < PEP_RULES_MAX; i++) {
        pep_put_format(
            &m.text,
            "allow 'r.%d' { action = 'read', resource = 'doc:*/x', roles = 'role%d',\n"
            "  same = 'tenant', oblige = { type = 'log' }, reason = 'so it is',\n"
            "  when = function(sub, res) return res.a%d ~= nil and res.a%d <= %d end }\n",
            i, i % 1000, i % 7, i % 7, i);
        if (i % 50 == 49)
            end_file(&m, "policies/p", i / 50);
    }
    assert_int_equal(load(&m, &p, NULL), PEP_OK);
    assert_int_equal(pep_policy_rule_count(p), PEP_RULES_MAX);
    pep_policy_free(p);
}

static const char *read_by(const struct pep_policy *p, const char *id)
{
    struct pep_rule_info info;
    for (size_t i = 0; pep_policy_rule(p, i, &info); i++) {
        if (strcmp(info.id, id) == 0)
            return info.reads.count == 1 ? info.reads.items[0] : "not one";
    }
    return "no such rule";
}

/* A function is read once, however many rules share it; each of several in one line is its own. */
static void shared_functions_are_read_once(void **state)
{
    (void)state;
    struct made m;
    struct pep_policy *p = NULL;
    begin(&m);
    repeat(&m.text, "local function long(sub)\n", 1);
    repeat(&m.text, "if sub.x ~= 1 and sub.x ~= 2 then return true end\n", 4000);
    repeat(
        &m.text,
        "end\n"
        "local function one(sub) return sub.a == 1 end local function two(sub) return sub.b end\n"
        "local function outer(sub)\n"
        "  local function inner(res) return res.d == 1 end\n"
        "  return sub.c == 1 end\n"
        "local function maker(sub)\n"
        "  return function(_, res)\n"
        "    return res.e == sub end end\n"
        "for i = 1, 20 do\n"
        "allow('one' .. i) { " HEAD ", when = one }\n"
        "allow('two' .. i) { " HEAD ", when = two }\n"
        "allow('outer' .. i) { " HEAD ", when = outer }\n"
        "allow('made' .. i) { " HEAD ", when = maker('x') }\n"
        "end\n"
        "for i = 1, 5000 do allow('long' .. i) { " HEAD ", when = long } end\n",
        1);
    end_file(&m, "policies/p", 0);
    assert_int_equal(load(&m, &p, NULL), PEP_OK);
    assert_string_equal(read_by(p, "long1"), "sub.x");
    assert_string_equal(read_by(p, "long5000"), "sub.x");
    assert_string_equal(read_by(p, "one1"), "sub.a");
    assert_string_equal(read_by(p, "one20"), "sub.a");
    assert_string_equal(read_by(p, "two1"), "sub.b");
    assert_string_equal(read_by(p, "two20"), "sub.b");
    assert_string_equal(read_by(p, "outer20"), "sub.c");
    assert_string_equal(read_by(p, "made20"), "res.e");
    pep_policy_free(p);
}

struct lines {
    int all, not_run;
};

static void take_line(void *context, const struct pep_explanation *line)
{
    struct lines *l = context;
    l->all++;
    l->not_run += strstr(line->why, "not run: the rules before") != NULL;
}

/* What only explaining runs has a budget, too, and changes no verdict. */
static void explaining_ends(void **state)
{
    (void)state;
    static const char *const endless[] = {
        "while true do end", /* steps; then memory, which costs the state each time */
        "local t = {} for i = 1, 1000000 do t[i] = ('x'):rep(60000) .. i end",
    };
    for (int i = 0; i < 2; i++) {
        struct made m;
        struct pep_policy *p = NULL;
        struct pep_subject *subject = NULL;
        struct lines lines = {0, 0};
        struct pep_verdict v;
        json_t *json = kit_json("{}");
        begin(&m);
        pep_put_format(&m.text,
                       "deny '0' { " HEAD " }\n"
                       "for i = 1, 500 do allow('r' .. i) { " HEAD
                       ", when = function() %s end } end",
                       endless[i]);
        end_file(&m, "policies/p", 0);
        assert_int_equal(load(&m, &p, NULL), PEP_OK);
        assert_int_equal(pep_subject_from_claims(p, json, &subject, NULL), PEP_OK);
        struct pep_request q = {.subject = subject, .action = "do", .resource = "thing:1"};
        pep_policy_explain(p, &q, &v, take_line, &lines);
        assert_int_equal(v.code, PEP_CODE_DENIED);
        assert_int_equal(lines.all, 501);
        assert_in_range(lines.not_run, 450, 499);
        json_decref(json);
        pep_subject_free(subject);
        pep_policy_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_takes_long_is_refused),
        cmocka_unit_test(large_policies_load),
        cmocka_unit_test(shared_functions_are_read_once),
        cmocka_unit_test(explaining_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
