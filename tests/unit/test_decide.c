/* Decisions end to end in PEP_FILE mode: signed bundle and root on disk, signed tokens. Whatever is
 * not a clean allow denies, and says why. */
#include "tests/support/scene.h"

#include "pep/core/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char policy[] =
    "allow 'doc.read' { action = 'read', resource = 'doc', roles = 'reader',\n"
    "  reason = 'readers read' }\n"
    "allow 'doc.pay' { action = 'pay', resource = 'doc', roles = 'reader',\n"
    "  when = function(sub, res, ctx) return res.amount ~= nil and res.amount <= 100 end }\n"
    "allow 'doc.mask' { action = 'mask', resource = 'doc', roles = 'reader',\n"
    "  oblige = { type = 'mask', fields = { 'iban' } } }\n"
    "challenge 'doc.sign.mfa' { action = 'sign', resource = 'doc',\n"
    "  unless = function(sub) return has(sub.amr, 'mfa') end,\n"
    "  oblige = step_up { acr_values = { 'urn:mfa' }, max_age = 300 } }\n"
    "allow 'doc.sign' { action = 'sign', resource = 'doc', roles = 'reader' }\n"
    "deny 'doc.frozen' { action = '*', resource = 'doc:frozen', reason = 'frozen' }\n";

static const char reader[] = "{\"sub\": \"ann\", \"roles\": [\"reader\"]}";

static struct scene world;
static pep *handle;
static char *token;

static int set_up(void **unused)
{
    (void)unused;
    world = scene_new();
    scene_put_version(&world, 1, policy);
    token = scene_token(&world, reader);
    handle = scene_open(&world);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    pep_close(handle);
    free(token);
    scene_free(&world);
    return 0;
}

static bool check(const char *tok, const char *action, const char *resource, const pep_query *q,
                  pep_code code)
{
    pep_decision d = PEP_DECISION_INIT;
    bool allowed = pep_check(handle, tok, action, resource, q, &d);
    if (d.code != code)
        fail_msg("%s %s: %s (%s), not %s", action, resource, pep_code_name(d.code), d.reason,
                 pep_code_name(code));
    assert_int_equal(d.allowed, allowed);
    assert_int_equal(allowed, code == PEP_CODE_ALLOWED);
    pep_decision_clear(&d);
    return allowed;
}

static void rules_decide(void **unused)
{
    (void)unused;
    char *nobody = scene_token(&world, "{\"sub\": \"bob\"}");
    assert_true(pep_allow(handle, token, "read", "doc:1"));
    assert_false(pep_allow(handle, token, "delete", "doc:1"));
    assert_false(pep_allow(handle, nobody, "read", "doc:1"));
    check(token, "read", "doc:1", NULL, PEP_CODE_ALLOWED);
    check(nobody, "read", "doc:1", NULL, PEP_CODE_NOT_GRANTED);
    check(token, "read", "doc:frozen", NULL, PEP_CODE_DENIED);
    free(nobody);
}

static void a_decision_says_everything(void **unused)
{
    (void)unused;
    pep_decision d = PEP_DECISION_INIT, e = PEP_DECISION_INIT;
    assert_true(pep_check(handle, token, "read", "doc:1", NULL, &d));
    assert_int_equal(d.outcome, PEP_ALLOW);
    assert_int_equal(d.state, PEP_FRESH);
    assert_false(d.stale);
    assert_int_equal(d.epoch, 1);
    assert_int_equal(d.version, 1);
    assert_int_equal(d.age_ms, 0);
    assert_true(d.eval_ns > 0 && d.eval_ns < 10000000000u);
    assert_string_equal(d.rule, "doc.read");
    assert_string_equal(d.reason, "readers read");
    assert_null(d.obligations);
    assert_int_equal(strlen(d.id), 28);
    assert_true(pep_check(handle, token, "read", "doc:1", NULL, &e));
    assert_string_not_equal(d.id, e.id);
}

static void no_handle_and_no_arguments_deny(void **unused)
{
    (void)unused;
    pep_decision d = PEP_DECISION_INIT;
    d.allowed = true;
    assert_false(pep_allow(NULL, token, "read", "doc:1"));
    assert_false(pep_check(NULL, token, "read", "doc:1", NULL, &d));
    assert_false(d.allowed);
    assert_int_equal(d.state, PEP_CLOSED);
    assert_int_equal(d.code, PEP_CODE_UNAVAILABLE);
    assert_false(pep_allow(handle, NULL, "read", "doc:1"));
    assert_false(pep_allow(handle, token, NULL, "doc:1"));
    assert_false(pep_allow(handle, token, "read", NULL));
    assert_false(pep_allow(handle, "", "read", "doc:1"));
    check(NULL, "read", "doc:1", NULL, PEP_CODE_BAD_TOKEN);
    check(token, NULL, "doc:1", NULL, PEP_CODE_BAD_REQUEST);
    check(token, "read", NULL, NULL, PEP_CODE_BAD_REQUEST);
    check(token, "read", "not a resource", NULL, PEP_CODE_BAD_REQUEST);
    memset(&d, 0, sizeof(d));
    assert_false(pep_check(handle, token, "read", "doc:1", NULL, &d));
}

static void bad_tokens_deny(void **unused)
{
    (void)unused;
    static const char *const claims[] = {
        "{\"sub\": \"ann\", \"roles\": [\"reader\"], \"aud\": \"other\"}",
        "{\"sub\": \"ann\", \"roles\": [\"reader\"], \"iss\": \"https://evil\"}",
        "{\"sub\": \"ann\", \"roles\": [\"reader\"], \"exp\": 1700000000}",
        "{\"sub\": \"ann\", \"roles\": [\"reader\"], \"nbf\": 3900000000, \"exp\": 3900000100}",
    };
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        char *bad = scene_token(&world, claims[i]);
        assert_false(pep_allow(handle, bad, "read", "doc:1"));
        check(bad, "read", "doc:1", NULL, PEP_CODE_BAD_TOKEN);
        free(bad);
    }
    char *forged = strdup(token);
    assert_non_null(forged);
    size_t last = strlen(forged) - 10;
    forged[last] = forged[last] == 'A' ? 'B' : 'A';
    check(forged, "read", "doc:1", NULL, PEP_CODE_BAD_TOKEN);
    check(token, "read", "doc:1", NULL, PEP_CODE_ALLOWED);
    check(forged, "read", "doc:1", NULL, PEP_CODE_BAD_TOKEN);
    free(forged);
    static char big[PEP_TOKEN_MAX + 2];
    memset(big, 'a', sizeof(big) - 1);
    check(big, "read", "doc:1", NULL, PEP_CODE_BAD_TOKEN);
}

static void a_token_ends_at_its_exp_also_when_cached(void **unused)
{
    (void)unused;
    char claims[128];
    snprintf(claims, sizeof(claims), "{\"sub\":\"ann\",\"roles\":[\"reader\"],\"exp\":%lld}",
             (long long)time(NULL) + 2);
    char *brief = scene_token(&world, claims);
    check(brief, "read", "doc:1", NULL, PEP_CODE_ALLOWED);
    struct timespec wait = {2, 100 * 1000 * 1000};
    nanosleep(&wait, NULL);
    check(brief, "read", "doc:1", NULL, PEP_CODE_BAD_TOKEN);
    free(brief);
}

static void bound_tokens_need_their_certificate_each_time(void **unused)
{
    (void)unused;
    /* base64url of 32 bytes of 'A' (0x41). */
    char *bound =
        scene_token(&world, "{\"sub\":\"ann\",\"roles\":[\"reader\"],\"cnf\":{\"x5t#S256\":"
                            "\"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE\"}}");
    unsigned char right[32], wrong[32];
    memset(right, 'A', sizeof(right));
    memset(wrong, 'B', sizeof(wrong));
    pep_query q = PEP_QUERY_INIT;
    check(bound, "read", "doc:1", NULL, PEP_CODE_BAD_TOKEN);
    q.peer_cert_sha256 = right;
    check(bound, "read", "doc:1", &q, PEP_CODE_ALLOWED);
    /* Known by now; the binding is still asked for. */
    check(bound, "read", "doc:1", NULL, PEP_CODE_BAD_TOKEN);
    q.peer_cert_sha256 = wrong;
    check(bound, "read", "doc:1", &q, PEP_CODE_BAD_TOKEN);
    q.peer_cert_sha256 = right;
    check(bound, "read", "doc:1", &q, PEP_CODE_ALLOWED);
    free(bound);
}

static void attributes_reach_the_rules(void **unused)
{
    (void)unused;
    pep_attr attrs[] = {pep_attr_int("amount", 100), pep_attr_int("amount", 1)};
    pep_query q = PEP_QUERY_INIT;
    check(token, "pay", "doc:1", NULL, PEP_CODE_NOT_GRANTED);
    q.attrs = attrs;
    q.attr_count = 1;
    check(token, "pay", "doc:1", &q, PEP_CODE_ALLOWED);
    attrs[0].value.integer = 101;
    check(token, "pay", "doc:1", &q, PEP_CODE_NOT_GRANTED);
    attrs[0] = pep_attr_number("amount", 99.5);
    check(token, "pay", "doc:1", &q, PEP_CODE_ALLOWED);
    q.attr_count = 2;
    check(token, "pay", "doc:1", &q, PEP_CODE_BAD_REQUEST);
    q = (pep_query)PEP_QUERY_INIT;
    q.attrs_json = "{\"amount\": 100}";
    check(token, "pay", "doc:1", &q, PEP_CODE_ALLOWED);
    q.attrs_json = "{\"amount\": 100, \"amount\": 1}";
    check(token, "pay", "doc:1", &q, PEP_CODE_BAD_REQUEST);
    q.attrs_json = "{\"amount\": 100";
    check(token, "pay", "doc:1", &q, PEP_CODE_BAD_REQUEST);
}

static void obligations_must_be_fulfillable(void **unused)
{
    (void)unused;
    pep_decision d = PEP_DECISION_INIT;
    assert_false(pep_allow(handle, token, "mask", "doc:1"));
    check(token, "mask", "doc:1", NULL, PEP_CODE_OBLIGATION);
    const char *types[] = {"mask", NULL};
    pep_options o = scene_options(&world);
    pep *able;
    o.can_oblige = types;
    assert_int_equal(pep_open(&o, &able), PEP_OK);
    assert_true(pep_check(able, token, "mask", "doc:1", NULL, &d));
    assert_int_equal(d.code, PEP_CODE_ALLOWED);
    size_t it = 0;
    const char *type, *json;
    assert_true(pep_next_obligation(&d, &it, &type, &json));
    assert_string_equal(type, "mask");
    assert_non_null(strstr(json, "iban"));
    assert_false(pep_next_obligation(&d, &it, &type, &json));
    /* Nobody is told of the obligation here, so nobody can fulfil it. */
    assert_false(pep_allow(able, token, "mask", "doc:1"));
    assert_false(pep_check(able, token, "mask", "doc:1", NULL, NULL));
    pep_item items[] = {{"mask", "doc:1", NULL}, {"read", "doc:1", NULL}};
    pep_decision many[] = {PEP_DECISION_INIT, PEP_DECISION_INIT};
    assert_int_equal(pep_check_many(able, token, items, 2, NULL), 1);
    assert_int_equal(pep_check_many(able, token, items, 2, many), 2);
    assert_non_null(many[0].obligations);
    assert_null(many[1].obligations);
    /* Another type is not fulfilled, whatever else is. */
    const char *others[] = {"log", NULL};
    pep *unable;
    o.can_oblige = others;
    assert_int_equal(pep_open(&o, &unable), PEP_OK);
    assert_false(pep_check(unable, token, "mask", "doc:1", NULL, &d));
    assert_int_equal(d.code, PEP_CODE_OBLIGATION);
    pep_close(unable);
    pep_decision_clear(&many[0]);
    pep_decision_clear(&d);
    pep_close(able);
}

/* Where nothing is promised in can_oblige, the two always agree. */
static void allow_and_check_agree(void **unused)
{
    (void)unused;
    static const char *const actions[] = {"read", "pay", "mask", "sign", "none", "", NULL};
    static const char *const names[] = {"doc:1", "doc:frozen", "doc:", "book:1"};
    unsigned allowed = 0;
    for (size_t i = 0; actions[i] != NULL; i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            pep_decision d = PEP_DECISION_INIT;
            bool plain = pep_allow(handle, token, actions[i], names[k]);
            assert_int_equal(pep_check(handle, token, actions[i], names[k], NULL, &d), plain);
            assert_int_equal(pep_check(handle, token, actions[i], names[k], NULL, NULL), plain);
            assert_int_equal(d.allowed, plain);
            assert_true(!plain || d.obligations == NULL);
            pep_decision_clear(&d);
            allowed += plain;
        }
    }
    assert_int_equal(allowed, 1); /* one reads one doc; none of the others */
}

static void a_challenge_is_not_an_allow(void **unused)
{
    (void)unused;
    pep_decision d = PEP_DECISION_INIT;
    assert_false(pep_allow(handle, token, "sign", "doc:1"));
    assert_false(pep_check(handle, token, "sign", "doc:1", NULL, &d));
    assert_int_equal(d.outcome, PEP_CHALLENGE);
    assert_int_equal(d.code, PEP_CODE_CHALLENGE);
    size_t it = 0;
    const char *type, *json;
    assert_true(pep_next_obligation(&d, &it, &type, &json));
    assert_string_equal(type, "step-up");
    pep_decision_clear(&d);
    char *mfa = scene_token(&world, "{\"sub\":\"ann\",\"roles\":[\"reader\"],\"amr\":[\"mfa\"]}");
    check(mfa, "sign", "doc:1", NULL, PEP_CODE_ALLOWED);
    free(mfa);
}

static void many_questions_one_token(void **unused)
{
    (void)unused;
    pep_item items[] = {{"read", "doc:1", NULL},
                        {"read", "doc:frozen", NULL},
                        {NULL, "doc:1", NULL},
                        {"read", "doc:2", NULL}};
    pep_decision d[4];
    for (int i = 0; i < 4; i++)
        d[i] = (pep_decision)PEP_DECISION_INIT;
    assert_int_equal(pep_check_many(handle, token, items, 4, d), 2);
    assert_true(d[0].allowed && d[3].allowed);
    assert_int_equal(d[1].code, PEP_CODE_DENIED);
    assert_int_equal(d[2].code, PEP_CODE_BAD_REQUEST);
    assert_int_equal(pep_check_many(handle, token, items, 4, NULL), 2);
    assert_int_equal(pep_check_many(handle, "x", items, 4, d), 0);
    assert_int_equal(d[3].code, PEP_CODE_BAD_TOKEN);
    assert_int_equal(pep_check_many(NULL, token, items, 4, d), 0);
    assert_int_equal(d[0].code, PEP_CODE_UNAVAILABLE);
    assert_int_equal(pep_check_many(handle, token, NULL, 4, d), 0);
    assert_int_equal(pep_check_many(handle, token, items, 0, NULL), 0);
}

static void status_and_metrics_add_up(void **unused)
{
    (void)unused;
    pep_status before = PEP_STATUS_INIT, after = PEP_STATUS_INIT;
    pep_get_status(handle, &before);
    for (int i = 0; i < 10; i++)
        check(token, "read", "doc:1", NULL, PEP_CODE_ALLOWED);
    pep_get_status(handle, &after);
    assert_int_equal(after.decisions - before.decisions, 10);
    assert_int_equal(after.state, PEP_FRESH);
    assert_int_equal(after.version, 1);
    assert_string_equal(after.bundle, "acme");
    assert_int_equal(strlen(after.digest), 71);
    assert_true(after.expires_in_s > 0);
    char text[8192];
    size_t n = pep_metrics(handle, text, sizeof(text));
    assert_true(n > 0 && n < sizeof(text) && n == strlen(text));
    assert_non_null(strstr(text, "pep_decisions_total{code=\"allowed\"} "));
    assert_non_null(strstr(text, "pep_state{state=\"FRESH\"} 1\n"));
    assert_non_null(strstr(text, "pep_tokens_cached "));
    assert_int_equal(pep_metrics(handle, NULL, 0), pep_metrics(handle, text, 100));
    assert_int_equal(strlen(text), 99);
    assert_int_equal(pep_metrics(NULL, text, sizeof(text)), 0);
    pep_get_status(NULL, &after);
    assert_int_equal(after.state, PEP_CLOSED);
}

/* Roles that the schema does not declare: rules do not see them, and somebody can. */
static void unknown_roles_are_counted(void **unused)
{
    (void)unused;
    static const struct fixture_file schema = {
        "schema.lua", "roles { reader = {} }\nresource 'doc' { actions = { 'read' } }\n"};
    struct scene s = scene_new();
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    struct pep_buffer bytes = scene_bundle(
        &s, &draft, "allow 'r' { action = 'read', resource = 'doc', roles = 'reader' }\n", &schema,
        1);
    scene_write(s.bundle_file, pep_buffer_span(&bytes));
    pep_buffer_free(&bytes);
    pep *p = scene_open(&s);
    char *known = scene_token(&s, reader), text[8192];
    char *unknown = scene_token(&s, "{\"sub\": \"ann\", \"roles\": [\"a\", \"reader\", \"b\"]}");
    assert_true(pep_allow(p, known, "read", "doc:1"));
    pep_metrics(p, text, sizeof(text));
    assert_non_null(strstr(text, "\npep_roles_dropped_total 0\n"));
    assert_true(pep_allow(p, unknown, "read", "doc:1"));
    assert_true(pep_allow(p, unknown, "read", "doc:2")); /* once for each token */
    pep_metrics(p, text, sizeof(text));
    assert_non_null(strstr(text, "\npep_roles_dropped_total 2\n"));
    free(known);
    free(unknown);
    pep_close(p);
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_decide),
        cmocka_unit_test(a_decision_says_everything),
        cmocka_unit_test(no_handle_and_no_arguments_deny),
        cmocka_unit_test(bad_tokens_deny),
        cmocka_unit_test(a_token_ends_at_its_exp_also_when_cached),
        cmocka_unit_test(bound_tokens_need_their_certificate_each_time),
        cmocka_unit_test(attributes_reach_the_rules),
        cmocka_unit_test(obligations_must_be_fulfillable),
        cmocka_unit_test(allow_and_check_agree),
        cmocka_unit_test(a_challenge_is_not_an_allow),
        cmocka_unit_test(many_questions_one_token),
        cmocka_unit_test(status_and_metrics_add_up),
        cmocka_unit_test(unknown_roles_are_counted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
