/*
 * A host that has set its own language decides the same, byte for byte: numbers are read, compared
 * and printed with a point, and texts compare by their bytes, whatever setlocale() was told.
 *
 * Every text that the engine and libpep give out is collected twice: in the "C" locale, and in each
 * locale named on the command line, which tests/unit/locale.sh makes. Without one there is nothing
 * to compare.
 */
#include "engine_kit.h"

#include "tests/support/scene.h"

#include <locale.h>
#include <stdlib.h>

#define TEXT_MAX (64 * 1024)

static const char policy_text[] =
    "local limits = data 'limits'\n"
    "allow 'a.compare' { action = 'read', resource = 'doc', when = function(sub, res, ctx)\n"
    "  local t = { 'b', 'Z', 'a', '\xc3\xa4' }\n"
    "  table.sort(t)\n"
    "  return tostring(1.5) == '1.5' and tonumber('2.5') == 2.5 and tonumber('2,5') == nil\n"
    "    and string.format('%.2f', res.amount) == '1.25' and limits.low == 0.25\n"
    "    and 'Z' < 'a' and '\xc3\xa4' > 'z' and not ('a' < 'B') and ctx.load == 0.5\n"
    "    and res.amount < sub.ceiling and upper('\xc3\xa4i') == '\xc3\xa4I'\n"
    "    and table.concat(t) == 'Zab\xc3\xa4' end }\n"
    "allow 'b.error' { action = 'fail', resource = 'doc', when = function(sub, res)\n"
    "  error('amount ' .. res.amount .. ' and ' .. 1e300) end }\n"
    "deny 'c.same' { action = 'pay', resource = 'doc', same = { 'ceiling' } }\n"
    "allow 'd.same' { action = 'pay', resource = 'doc', same = 'amount' }\n"
    "allow 'e.duty' { action = 'fee', resource = 'doc',\n"
    "  oblige = { { type = 'pay', fee = 0.75, text = 'x' .. 1.5 } } }\n"
    "allow 'f.duty' { action = 'sign', resource = 'doc' }\n"
    "challenge 'g.duty' { action = 'sign', resource = 'doc', oblige = {\n"
    "  { type = 'pay', fee = 0.75 }, step_up { acr_values = { 'mfa' }, max_age = 300 } } }\n"
    "challenge 'h.duty' { action = 'sign', resource = 'doc',\n"
    "  oblige = step_up { acr_values = { 'mfa' }, max_age = 60 } }\n";

static const char limits[] = "{\"low\": 0.25, \"high\": 1.5e3}";
static const char claims[] = "{\"sub\":\"ann\",\"ceiling\":1.5,\"amount\":2.5e-3}";
static const char attrs[] = "{\"amount\":1.25,\"ceiling\":1.75,\"list\":[0.1,1e21,-2.5]}";

/* ---- what comes out ---- */

static void take_line(void *context, const struct pep_explanation *line)
{
    struct pep_buffer *out = context;
    pep_put_chars(out, line->rule);
    pep_put_chars(out, line->applied ? " yes " : " no ");
    pep_put_chars(out, line->why);
    pep_put_u8(out, '\n');
}

static void put_verdict(struct pep_buffer *out, const struct pep_verdict *v)
{
    pep_put_chars(out, pep_code_name(v->code));
    pep_put_u8(out, ' ');
    pep_put_chars(out, v->rule == NULL ? "-" : v->rule);
    pep_put_chars(out, v->obligations == NULL ? "-" : v->obligations);
    for (size_t i = 0; i < v->fault_count && i < PEP_FAULTS_MAX; i++)
        pep_put_chars(out, v->faults[i].message);
    pep_put_u8(out, '\n');
}

static void put_engine(struct pep_buffer *out)
{
    static const char *const actions[] = {"read", "fail", "pay", "fee", "sign", "none"};
    const struct kit_file files[] = {{"policies/p.lua", policy_text}, {"data/limits.json", limits}};
    struct pep_policy *p = kit_policy(files, 2);
    json_t *c = kit_json(claims), *a = kit_json(attrs), *x = kit_json("{\"load\":5e-1}");
    struct pep_subject *subject = NULL;
    assert_int_equal(pep_subject_from_claims(p, c, &subject, NULL), PEP_OK);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        struct pep_request q = {.subject = subject,
                                .action = actions[i],
                                .resource = "doc:1",
                                .attrs_json = a,
                                .context_json = x,
                                .now = 1700000000.5,
                                .any_obligation = true};
        struct pep_verdict v;
        pep_policy_decide_reading(p, &q, &v, out);
        put_verdict(out, &v);
        pep_policy_explain(p, &q, &v, take_line, out);
        put_verdict(out, &v);
    }
    pep_subject_free(subject);
    json_decref(c);
    json_decref(a);
    json_decref(x);
    pep_policy_free(p);
}

static void on_record(void *user, const char *json, size_t length)
{
    const char *reads = strstr(json, "\"reads\":");
    assert_non_null(reads); /* what stands before differs in time */
    pep_put_bytes(user, reads, length - (size_t)(reads - json));
}

static struct scene scene;
static char *token; /* made before: what signs it prints numbers by the locale */

static int set_up(void **state)
{
    (void)state;
    scene = scene_new();
    scene_put_version(&scene, 1,
                      "allow 'r' { action = 'read', resource = 'doc',\n"
                      "  when = function(sub, res) return res.amount == 1.25 and res.typed == 0.5\n"
                      "    and sub.ceiling == 1.5 end,\n"
                      "  oblige = { { type = 'pay', fee = 0.75 } } }\n");
    token = scene_token(&scene, claims);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(token);
    scene_free(&scene);
    return 0;
}

static void ask(struct pep_buffer *out, pep *p, const char *json, bool expected)
{
    pep_attr typed = pep_attr_number("typed", 0.5);
    pep_query q = PEP_QUERY_INIT;
    pep_decision d = PEP_DECISION_INIT;
    const char *type, *text;
    size_t it = 0;
    q.attrs = &typed;
    q.attr_count = 1;
    q.attrs_json = json;
    assert_int_equal(pep_check(p, token, "read", "doc:1", &q, &d), expected);
    pep_put_chars(out, d.reason);
    while (pep_next_obligation(&d, &it, &type, &text))
        pep_put_chars(out, text);
    pep_decision_clear(&d);
}

static void put_service(struct pep_buffer *out)
{
    static const char *const can[] = {"pay", NULL};
    struct pep_buffer records = pep_buffer_of(TEXT_MAX); /* written by another thread */
    pep_options o = scene_options(&scene);
    pep *p = NULL;
    o.on_record = on_record;
    o.user = &records;
    o.can_oblige = can;
    assert_int_equal(pep_open(&o, &p), PEP_OK);
    ask(out, p, "{\"amount\": 1.25}", true);
    ask(out, p, "{\"amount\": 1.5}", false);
    ask(out, p, "{\"amount\": 1,25}", false); /* no JSON in any locale */
    pep_close(p);
    pep_put_span(out, pep_buffer_span(&records));
    pep_buffer_free(&records);
}

static char *collect(void)
{
    struct pep_buffer out = pep_buffer_of(TEXT_MAX);
    put_engine(&out);
    put_service(&out);
    pep_put_u8(&out, '\0');
    assert_false(out.failed);
    return (char *)pep_buffer_take(&out, NULL);
}

static int locale_count;
static char **locales;

static void other_languages_change_nothing(void **state)
{
    (void)state;
    char *plain = collect(), two[16];
    if (strstr(plain, "allowed a.compare") == NULL) /* the rule about numbers does hold */
        fail_msg("%s", plain);
    for (int i = 0; i < locale_count; i++) {
        if (setlocale(LC_ALL, locales[i]) == NULL)
            fail_msg("there is no locale %s", locales[i]);
        snprintf(two, sizeof(two), "%.1f", 1.5);
        assert_string_not_equal(two, "1.5");
        char *other = collect();
        snprintf(two, sizeof(two), "%.1f", 1.5); /* and it is the host's still */
        assert_string_not_equal(two, "1.5");
        setlocale(LC_ALL, "C");
        assert_string_equal(plain, other);
        free(other);
    }
    free(plain);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(other_languages_change_nothing)};
    if (argc < 2) {
        fprintf(stderr, "usage: LOCPATH=FOLDER test_locale LOCALE...\n");
        return 2;
    }
    locale_count = argc - 1;
    locales = argv + 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
