/* What the engine does the short way must come out as on the long one: names found by two words,
 * texts written without looking at each byte, a subject's values kept as JSON, and short functions
 * that run uncounted. */
#include "engine_kit.h"

#include "pep/core/engine_internal.h"

#include <stdlib.h>

#define HEAD "action = 'read', resource = 'doc'"
#define DOC  "doc:1"

/* ---- names ---- */

static void names_of_every_length_are_told_apart(void **state)
{
    (void)state;
    struct pep_names names = {0};
    struct pep_pool pool = {NULL, 0, false};
    char text[41];
    memset(text, 'a', sizeof(text));
    for (size_t size = 1; size <= 40; size++) {
        for (size_t at = 0; at < size; at++) { /* each differs from the others in one byte */
            text[at] = 'b';
            assert_int_equal(pep_names_find(&names, pep_span_of(text, size)), PEP_NONE);
            uint32_t id = pep_names_add(&names, &pool, pep_span_of(text, size));
            assert_int_equal(id, names.count - 1);
            text[at] = 'a';
        }
        assert_int_equal(pep_names_find(&names, pep_span_of(text, size)), PEP_NONE);
    }
    for (uint32_t i = 0; i < names.count; i++)
        assert_int_equal(pep_names_find(&names, pep_span_of(names.texts[i], names.sizes[i])), i);
    assert_int_equal(pep_names_find(&names, pep_span_of(text, 0)), PEP_NONE);
    pep_names_free(&names);
    pep_pool_free(&pool);
}

/* ---- JSON ---- */

static void expect_text(const char *text, size_t size)
{
    struct pep_buffer out = pep_buffer_of(4096);
    struct pep_error err = PEP_ERROR_INIT;
    json_t *parsed = NULL;
    pep_put_u8(&out, '[');
    pep_put_json_text(&out, text, size);
    pep_put_u8(&out, ']');
    assert_int_equal(pep_json_parse(pep_buffer_span(&out), 4096, "text", &parsed, &err), PEP_OK);
    const json_t *item = json_array_get(parsed, 0);
    assert_int_equal(json_string_length(item), size);
    assert_memory_equal(json_string_value(item), text, size);
    json_decref(parsed);
    pep_buffer_free(&out);
}

static void every_byte_is_escaped_everywhere(void **state)
{
    (void)state;
    char text[32];
    for (size_t size = 0; size <= 20; size++) {
        memset(text, 'x', sizeof(text));
        expect_text(text, size);
        for (size_t at = 0; at < size; at++) {
            for (int c = 1; c < 0x80; c++) {
                text[at] = (char)c;
                expect_text(text, size);
            }
            text[at] = 'x';
        }
    }
}

static void expect_reads(const struct pep_policy *p, const char *team)
{
    json_t *claims = json_pack("{s:s, s:s}", "team", team, "tenant", "t");
    struct pep_subject *s = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    json_t *parsed = NULL;
    assert_int_equal(pep_subject_from_claims(p, claims, &s, NULL), PEP_OK);
    struct pep_request q = {.subject = s, .action = "read", .resource = DOC};
    struct pep_verdict v;
    struct pep_buffer out = pep_buffer_of(8192);
    for (int again = 0; again < 2; again++) {
        out.size = 0;
        pep_policy_decide_reading(p, &q, &v, &out);
        assert_int_equal(pep_json_parse(pep_buffer_span(&out), 8192, "reads", &parsed, &err),
                         PEP_OK);
        assert_int_equal(json_object_size(parsed), 3);
        assert_string_equal(json_string_value(json_object_get(parsed, "sub.team")), team);
        assert_string_equal(json_string_value(json_object_get(parsed, "sub.tenant")), "t");
        assert_true(json_is_null(json_object_get(parsed, "res.tenant")));
        json_decref(parsed);
    }
    pep_buffer_free(&out);
    pep_subject_free(s);
    json_decref(claims);
}

static void kept_values_are_the_values(void **state)
{
    (void)state;
    struct kit_file file = {"policies/p.lua",
                            "allow 'a' { " HEAD ", same = 'tenant',\n"
                            "  when = function(sub) return sub.team == 'x' end }\n"};
    struct pep_policy *p = kit_policy(&file, 1);
    char text[700];
    expect_reads(p, "");
    expect_reads(p, "x");
    expect_reads(p, "a\"b\\c\n");
    for (size_t size = 500; size < 520; size++) { /* around what is kept */
        memset(text, 'y', size);
        text[size] = '\0';
        expect_reads(p, text);
        text[0] = '"';
        expect_reads(p, text);
    }
    pep_policy_free(p);
}

/* ---- steps ---- */

#define FILES    20
#define PER_FILE 200

/* As C runs it, or, with the length of a text in it, as Lua does. */
static void put_long_rule(struct pep_buffer *out, unsigned i, bool lua)
{
    pep_put_format(out, "deny 'd.%u' { " HEAD ", when = function(sub, res, ctx) return %s", i,
                   lua ? "#sub.id == 3 and " : "");
    for (int k = 0; k < 25; k++)
        pep_put_format(out, "sub.a == %d and ", k);
    pep_put_chars(out, "sub.b == 1 end }\n");
}

/* `count` rules that deny if a long condition holds, which it does not; then one that allows. */
static struct pep_policy *long_policy(unsigned count, const char *last, bool lua)
{
    struct pep_buffer texts[FILES];
    struct kit_file files[FILES];
    char paths[FILES][32];
    size_t n = 0;
    for (unsigned i = 0; i < count || n == 0; n++) {
        texts[n] = pep_buffer_of(256 * 1024);
        snprintf(paths[n], sizeof(paths[n]), "policies/p%zu.lua", n);
        for (unsigned end = i + PER_FILE; i < count && i < end; i++)
            put_long_rule(&texts[n], i, lua);
        if (i == count)
            pep_put_format(&texts[n], "allow 'a' { " HEAD ", when = %s }\n", last);
        files[n] = (struct kit_file){paths[n], (const char *)texts[n].data};
    }
    struct pep_policy *p = kit_policy(files, n);
    for (size_t i = 0; i < n; i++)
        pep_buffer_free(&texts[i]);
    return p;
}

static void expect_code(const struct pep_policy *p, pep_code code, const char *rule)
{
    struct kit_ask ask = {"{\"sub\":\"ann\"}", "read", DOC, NULL, NULL, 0, false};
    for (int again = 0; again < 3; again++) {
        struct pep_verdict v = kit_decide(p, &ask);
        assert_int_equal(v.code, code);
        assert_string_equal(v.rule, rule);
    }
}

/* 26 terms are about 80 instructions: 2,000 such functions fit into the budget, 3,000 do not. */
static void expect_charges(bool lua)
{
    struct pep_policy *p = long_policy(2000, "function() return true end", lua);
    expect_code(p, PEP_CODE_ALLOWED, "a");
    pep_policy_free(p);
    p = long_policy(3000, "function() return true end", lua);
    json_t *claims = kit_json("{\"sub\":\"ann\"}");
    struct pep_subject *s = NULL;
    struct pep_verdict first, second;
    assert_int_equal(pep_subject_from_claims(p, claims, &s, NULL), PEP_OK);
    struct pep_request q = {.subject = s, .action = "read", .resource = DOC};
    pep_policy_decide(p, &q, &first);
    pep_policy_decide(p, &q, &second);
    assert_int_equal(first.outcome, PEP_DENY);
    assert_int_equal(first.code, PEP_CODE_FAULT);
    assert_string_equal(first.faults[0].kind, "budget");
    assert_string_equal(first.rule, second.rule); /* at the same place each time */
    pep_subject_free(s);
    json_decref(claims);
    pep_policy_free(p);
}

static void uncounted_functions_are_charged(void **state)
{
    (void)state;
    expect_charges(false);
    expect_charges(true);
}

/* A word in such a function charges its own work: 400 texts against 4,000 are 400,000 steps. */
static void uncounted_words_are_charged(void **state)
{
    (void)state;
    static const char *few[400], *many[4000];
    struct pep_verdict v;
    struct pep_subject *s = NULL;
    for (size_t i = 0; i < 4000; i++)
        many[i] = "w";
    for (size_t i = 0; i < 400; i++)
        few[i] = "x";
    const struct kit_file files[] = {{"policies/a.lua",
                                      "for i = 1, 9 do\n"
                                      "  deny(\"d.\" .. i) { " HEAD ", when = function(sub, res)\n"
                                      "    return overlaps(res.a, res.b) end }\n"
                                      "end\n"
                                      "allow 'a' { " HEAD " }\n"}};
    struct pep_policy *p = kit_policy(files, 1);
    json_t *claims = json_object();
    assert_int_equal(pep_subject_from_claims(p, claims, &s, NULL), PEP_OK);
    pep_attr attrs[2] = {pep_attr_set("a", few, 400), pep_attr_set("b", many, 40)};
    struct pep_request q = {
        .subject = s, .action = "read", .resource = DOC, .attrs = attrs, .attr_count = 2};
    pep_policy_decide(p, &q, &v);
    assert_int_equal(v.outcome, PEP_ALLOW);
    attrs[1] = pep_attr_set("b", many, 4000);
    pep_policy_decide(p, &q, &v);
    assert_int_equal(v.code, PEP_CODE_FAULT);
    assert_string_equal(v.faults[0].kind, "budget");
    pep_subject_free(s);
    json_decref(claims);
    pep_policy_free(p);
}

/* What comes after uncounted functions has what they left, and is counted. */
static void expect_counting(bool lua)
{
    static const char loop[] =
        "function() local n = 0 for i = 1, %d do n = n + i end return n > 0 end";
    char text[128];
    snprintf(text, sizeof(text), loop, 60000);
    struct pep_policy *p = long_policy(10, text, lua);
    expect_code(p, PEP_CODE_ALLOWED, "a");
    pep_policy_free(p);
    p = long_policy(1500, text, lua);
    expect_code(p, PEP_CODE_FAULT, "a");
    pep_policy_free(p);
    snprintf(text, sizeof(text), loop, 200000);
    p = long_policy(10, text, lua);
    expect_code(p, PEP_CODE_FAULT, "a");
    pep_policy_free(p);
}

static void counting_starts_where_it_is_needed(void **state)
{
    (void)state;
    expect_counting(false);
    expect_counting(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_every_length_are_told_apart),
        cmocka_unit_test(every_byte_is_escaped_everywhere),
        cmocka_unit_test(kept_values_are_the_values),
        cmocka_unit_test(uncounted_functions_are_charged),
        cmocka_unit_test(uncounted_words_are_charged),
        cmocka_unit_test(counting_starts_where_it_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
