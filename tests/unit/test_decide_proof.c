/* Decisions about tokens that are bound to a key (DPoP) or to a key and a certificate: each request
 * needs its own proof, and why one was refused is counted. */
#include "tests/support/scene.h"

#include "proof_kit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static const char policy[] =
    "allow 'doc.read' { action = 'read', resource = 'doc', roles = 'reader' }\n";

#define PLAIN "{\"sub\":\"ann\",\"roles\":[\"reader\"]}"

static struct scene world;
static struct prover prover;
static pep *handle;
static char *plain, *bound;

static char *bound_token(const char *more)
{
    char claims[512];
    snprintf(claims, sizeof(claims),
             "{\"sub\":\"ann\",\"roles\":[\"reader\"],\"cnf\":{\"jkt\":\"%s\"%s}}", prover.jkt,
             more);
    return scene_token(&world, claims);
}

static int set_up(void **unused)
{
    (void)unused;
    world = scene_new();
    scene_put_version(&world, 1, policy);
    prover = prover_of(PEP_ALG_ES256);
    plain = scene_token(&world, PLAIN);
    bound = bound_token("");
    handle = scene_open(&world);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    pep_close(handle);
    free(plain);
    free(bound);
    prover_free(&prover);
    scene_free(&world);
    return 0;
}

/* `error`: NULL for an allow. */
static void check(const char *token, const pep_query *q, const char *error)
{
    pep_decision d = PEP_DECISION_INIT;
    bool allowed = pep_check(handle, token, "read", "doc:1", q, &d);
    if (allowed != (error == NULL) || (error != NULL && d.token_error == NULL) ||
        (error != NULL && strcmp(d.token_error, error) != 0))
        fail_msg("%s (%s, %s), not %s", pep_code_name(d.code), d.reason,
                 d.token_error == NULL ? "no error" : d.token_error, error == NULL ? "ok" : error);
    assert_int_equal(d.code, allowed ? PEP_CODE_ALLOWED : PEP_CODE_BAD_TOKEN);
    assert_true(allowed == (d.token_error == NULL));
    pep_decision_clear(&d);
}

static pep_query asking(const char *proof)
{
    pep_query q = PEP_QUERY_INIT;
    q.dpop = proof;
    q.http_method = PROOF_METHOD;
    q.http_uri = PROOF_URI;
    return q;
}

static char *fresh(const char *token, const char *jti)
{
    char patch[64];
    snprintf(patch, sizeof(patch), "{\"jti\":\"%s\"}", jti);
    return proof_for(&prover, token, (int64_t)time(NULL), NULL, patch);
}

static unsigned long refusals(const char *reason)
{
    static char text[64 * 1024];
    char line[96];
    assert_true(pep_metrics(handle, text, sizeof(text)) < sizeof(text));
    snprintf(line, sizeof(line), "\npep_token_refusals_total{reason=\"%s\"} ", reason);
    const char *at = strstr(text, line);
    assert_non_null(at);
    return strtoul(at + strlen(line), NULL, 10);
}

static void a_bound_token_needs_a_proof_each_time(void **unused)
{
    (void)unused;
    unsigned long absent = refusals("proof_absent"), replayed = refusals("proof_replay");
    char *first = fresh(bound, "a1"), *second = fresh(bound, "a2");
    pep_query q = asking(first);
    check(bound, NULL, "proof_absent");
    check(bound, &q, NULL);
    check(bound, &q, "proof_replay");
    check(bound, NULL, "proof_absent");
    q = asking(second);
    check(bound, &q, NULL);
    assert_false(pep_allow(handle, bound, "read", "doc:1"));
    assert_int_equal(refusals("proof_absent"), absent + 3);
    assert_int_equal(refusals("proof_replay"), replayed + 1);
    free(first);
    free(second);
}

static void a_proof_that_was_refused_is_not_used_up(void **unused)
{
    (void)unused;
    char *proof = fresh(bound, "b1");
    pep_query q = asking(proof);
    q.http_method = "GET";
    check(bound, &q, "proof");
    q = asking(proof);
    check(bound, &q, NULL);
    free(proof);
}

static void another_token_or_key_does_not_prove(void **unused)
{
    (void)unused;
    struct prover thief = prover_of(PEP_ALG_ES256);
    char *of_other = fresh(plain, "c1");
    char *stolen = proof_for(&thief, bound, (int64_t)time(NULL), NULL, NULL);
    char *old = proof_for(&prover, bound, (int64_t)time(NULL) - 62, NULL, NULL);
    pep_query q = asking(of_other);
    check(bound, &q, "proof");
    q = asking(stolen);
    check(bound, &q, "proof");
    q = asking(old);
    check(bound, &q, "proof_time");
    free(of_other);
    free(stolen);
    free(old);
    prover_free(&thief);
}

static void a_proof_for_an_unbound_token_is_refused(void **unused)
{
    (void)unused;
    char *proof = fresh(plain, "d1");
    pep_query q = asking(proof);
    check(plain, &q, "proof");
    check(plain, NULL, NULL);
    q = asking(NULL);
    check(plain, &q, NULL);
    free(proof);
}

static void both_bindings_must_hold(void **unused)
{
    (void)unused;
    /* base64url of 32 bytes of 'A' (0x41). */
    char *both = bound_token(",\"x5t#S256\":\"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE\"");
    char *odd = bound_token(",\"kid\":\"k\"");
    char *proof = fresh(both, "e1"), *of_odd = fresh(odd, "e2");
    unsigned char right[32], wrong[32];
    memset(right, 'A', sizeof(right));
    memset(wrong, 'B', sizeof(wrong));
    pep_query q = asking(proof);
    check(both, &q, "binding");
    q.peer_cert_sha256 = wrong;
    check(both, &q, "binding");
    q = asking(NULL);
    q.peer_cert_sha256 = right;
    check(both, &q, "proof_absent");
    q.dpop = proof;
    check(both, &q, NULL);
    q = asking(of_odd);
    check(odd, &q, "binding");
    free(both);
    free(odd);
    free(proof);
    free(of_odd);
}

static void one_proof_is_good_for_one_call_of_several_items(void **unused)
{
    (void)unused;
    char *proof = fresh(bound, "f1");
    pep_query q = asking(proof), same = asking(proof), bare = PEP_QUERY_INIT, other = asking(proof);
    other.http_uri = "https://api.acme/else";
    const pep_item items[] = {{"read", "doc:1", &q},
                              {"read", "doc:2", &same},
                              {"read", "doc:3", &bare},
                              {"read", "doc:4", &other},
                              {"read", "doc:5", &q}};
    pep_decision d[5] = {PEP_DECISION_INIT, PEP_DECISION_INIT, PEP_DECISION_INIT, PEP_DECISION_INIT,
                         PEP_DECISION_INIT};
    assert_int_equal(pep_check_many(handle, bound, items, 5, d), 3);
    assert_true(d[0].allowed && d[1].allowed && d[4].allowed);
    assert_string_equal(d[2].token_error, "proof_absent");
    assert_string_equal(d[3].token_error, "proof");
    for (size_t i = 0; i < 5; i++) {
        assert_true(d[i].dpop);
        pep_decision_clear(&d[i]);
    }
    check(bound, &q, "proof_replay");
    free(proof);
}

static void a_proof_needs_to_know_its_request(void **unused)
{
    (void)unused;
    char *proof = fresh(bound, "g1");
    pep_decision d = PEP_DECISION_INIT;
    pep_query q = asking(proof);
    q.http_uri = NULL;
    assert_false(pep_check(handle, bound, "read", "doc:1", &q, &d));
    assert_int_equal(d.code, PEP_CODE_BAD_REQUEST);
    assert_non_null(strstr(d.reason, "http_uri"));
    pep_decision_clear(&d);
    free(proof);
}

/* As a service that was compiled before these members were there. */
static void older_callers_are_served(void **unused)
{
    (void)unused;
    char *proof = fresh(bound, "h1");
    pep_query q = asking(proof);
    q.size = offsetof(pep_query, dpop);
    struct {
        char bytes[2 * offsetof(pep_decision, token_error)];
        unsigned char behind[sizeof(pep_decision)];
    } old;
    memset(&old, 0, sizeof(old));
    memset(old.behind, 0x5a, sizeof(old.behind));
    pep_decision *d = (pep_decision *)(void *)old.bytes;
    pep_decision *e = (pep_decision *)(void *)(old.bytes + offsetof(pep_decision, token_error));
    d->size = e->size = offsetof(pep_decision, token_error);
    const pep_item items[] = {{"read", "doc:1", &q}, {"read", "doc:1", NULL}};
    assert_int_equal(pep_check_many(handle, bound, items, 2, d), 0); /* the proof is not seen */
    assert_int_equal(pep_check_many(handle, plain, items, 2, d), 2);
    assert_true(d->allowed && e->allowed);
    for (size_t i = 0; i < sizeof(old.behind); i++)
        assert_int_equal(old.behind[i], 0x5a);
    free(proof);
}

static void missing_tokens_are_told_from_bad_ones(void **unused)
{
    (void)unused;
    unsigned long missing = refusals("missing"), shape = refusals("shape");
    check(NULL, NULL, "missing");
    check("", NULL, "missing");
    check("a.b", NULL, "shape");
    assert_int_equal(refusals("missing"), missing + 2);
    assert_int_equal(refusals("shape"), shape + 1);
}

/* ---- what is written down ---- */

static atomic_uint records, leaks;
static const char *secrets[6];

/* Signatures: what makes a token or proof usable. */
static void look(const char *text)
{
    for (size_t i = 0; secrets[i] != NULL; i++)
        atomic_fetch_add(&leaks, strstr(text, strrchr(secrets[i], '.') + 1) != NULL);
}

static void on_record(void *user, const char *json, size_t length)
{
    (void)user;
    char text[16 * 1024];
    assert_true(length < sizeof(text));
    memcpy(text, json, length);
    text[length] = '\0';
    look(text);
    atomic_fetch_add(&records, 1);
}

static void on_log(void *user, int level, const char *text)
{
    (void)user;
    (void)level;
    look(text);
}

static void tokens_stay_out_of_records_and_logs(void **unused)
{
    (void)unused;
    char *proof = fresh(bound, "s1"), *forged = strdup(plain), *metrics = malloc(64 * 1024);
    char *late = scene_token(&world, "{\"sub\":\"ann\",\"exp\":1700000000}");
    forged[strlen(forged) - 9] ^= 1;
    const char *all[] = {plain, bound, proof, forged, late};
    memcpy(secrets, all, sizeof(all));
    pep_options o = scene_options(&world);
    o.on_record = on_record;
    o.on_log = on_log;
    pep *p;
    assert_int_equal(pep_open(&o, &p), PEP_OK);
    pep_query q = asking(proof);
    for (size_t i = 0; i < 5; i++) {
        pep_decision d = PEP_DECISION_INIT;
        char header[1024];
        bool allowed = pep_check(p, all[i], "read", "doc:1", i == 1 ? &q : NULL, &d);
        assert_int_equal(allowed, i < 2);
        look(d.reason);
        pep_www_authenticate(&d, NULL, header, sizeof(header), NULL);
        look(header);
        pep_decision_clear(&d);
    }
    assert_true(pep_metrics(p, metrics, 64 * 1024) < 64 * 1024);
    look(metrics);
    pep_close(p); /* delivers the records */
    assert_int_equal(atomic_load(&records), 5);
    assert_int_equal(atomic_load(&leaks), 0);
    look(plain);
    assert_int_equal(atomic_load(&leaks), 1); /* it would be seen */
    free(proof);
    free(forged);
    free(late);
    free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_token_needs_a_proof_each_time),
        cmocka_unit_test(a_proof_that_was_refused_is_not_used_up),
        cmocka_unit_test(another_token_or_key_does_not_prove),
        cmocka_unit_test(a_proof_for_an_unbound_token_is_refused),
        cmocka_unit_test(both_bindings_must_hold),
        cmocka_unit_test(one_proof_is_good_for_one_call_of_several_items),
        cmocka_unit_test(a_proof_needs_to_know_its_request),
        cmocka_unit_test(older_callers_are_served),
        cmocka_unit_test(missing_tokens_are_told_from_bad_ones),
        cmocka_unit_test(tokens_stay_out_of_records_and_logs),
    };
    return cmocka_run_group_tests_name("decide_proof", tests, set_up, tear_down);
}
