/*
 * SIGKILL at every store call, one after the other: a run of operations with the daemon killed at
 * the n-th fault point, for n = 1, 2, ... until a run gets through. After each kill the daemon
 * starts again on what is on disk, and everything that was acknowledged must be there, and nothing
 * half.
 */
#include "pdpd_kit.h"

#include "pep/core/revocation.h"

#include <signal.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define POINTS_MAX 2000

/* What the daemon said yes to. */
struct acknowledged {
    bool root, token, revoked, operator;
    uint64_t version;
    uint8_t digest[PEP_SHA256_SIZE];
    uint64_t steps; /* of revoked tokens */
    char client[PEP_CLIENT_ID_MAX + 1];
};

static bool said_yes(json_t *answer)
{
    bool ok = answer != NULL && kit_ok(answer);
    json_decref(answer);
    return ok;
}

static bool push(struct daemon *d, void *operator, uint64_t version, struct acknowledged *a)
{
    char note[32];
    snprintf(note, sizeof(note), "note %d", (int)version);
    struct pep_buffer b = kit_bundle(d, version, version == 1 ? NULL : a->digest, note);
    bool ok = said_yes(kit_push(d, operator, pep_buffer_span(&b)));
    if (ok) {
        a->version = version;
        kit_digest(pep_buffer_span(&b), a->digest);
    }
    pep_buffer_free(&b);
    return ok;
}

static bool upload(struct daemon *d, void *operator)
{
    struct pep_buffer root = kit_root(d, operator, 1);
    bool ok = said_yes(kit_operate(d, operator, json_pack("{s:s}", "op", "root.upload"),
                                   pep_buffer_span(&root), NULL));
    pep_buffer_free(&root);
    return ok;
}

static bool add_operator(struct daemon *d, void *operator)
{
    struct peer_keys keys = kit_new_keys();
    return said_yes(kit_operate(d, operator,
                                json_pack("{s:s, s:s, s:s, s:s}", "op", "operator.add", "name",
                                          "bo", "role", "viewer", "public_key", keys.public_key),
                                pep_span_of(NULL, 0), NULL));
}

/* The first step of revoked tokens: one entry. */
static bool revoke_token(struct daemon *d, void *operator)
{
    struct pep_revocation e = {.key = {1}, .kind = PEP_REVOKE_SID, .until = time(NULL) + 3600};
    struct pep_revocations *none = NULL;
    struct pep_buffer body = pep_buffer_of(1024), step = pep_buffer_of(1024);
    assert_int_equal(pep_revocations_none(&none), 0);
    assert_int_equal(pep_revocation_step_write(none, time(NULL), &e, 1, &body, NULL), 0);
    assert_int_equal(
        pep_compact_sign(PEP_TYPE_REVOKED, pep_buffer_span(&body), d->keys.policy_key, &step), 0);
    bool ok = said_yes(kit_operate(
        d, operator, json_pack("{s:s, s:i, s:s}", "op", "token.revoke", "number", 0, "digest", ""),
        pep_buffer_span(&step), NULL));
    pep_buffer_free(&body);
    pep_buffer_free(&step);
    pep_revocations_free(none);
    return ok;
}

/* Runs the operations until one is not acknowledged. */
static void operate_until_killed(struct daemon *d, struct acknowledged *a)
{
    struct peer_keys keys = kit_new_keys();
    void *operator= kit_operator(d);
    a->root = upload(d, operator);
    if (!a->root || !push(d, operator, 1, a) || !push(d, operator, 2, a))
        goto done;
    a->steps = revoke_token(d, operator) ? 1 : 0;
    if (a->steps == 0)
        goto done;
    struct kit_token token = kit_token(d, operator, "shop", 60, 1);
    a->token = !kit_ended(d);
    if (!a->token || kit_enrol(d, &keys, &token, a->client) != PEP_MSG_ENROLLED)
        goto done;
    a->revoked = said_yes(
        kit_operate(d, operator, json_pack("{s:s, s:s}", "op", "service.revoke", "service", "shop"),
                    pep_span_of(NULL, 0), NULL));
    if (a->revoked)
        a->operator= add_operator(d, operator);
done:
    kit_close(operator);
}

static json_t *ask(struct daemon *d, void *operator, const char * op)
{
    json_t *answer =
        kit_operate(d, operator, json_pack("{s:s}", "op", op), pep_span_of(NULL, 0), NULL);
    assert_true(kit_ok(answer));
    return answer;
}

/* The head is whole: it verifies, file for file. */
static void check_versions(struct daemon *d, void *operator, const struct acknowledged * a)
{
    json_t *head = kit_operate(d, operator, json_pack("{s:s, s:s}", "op", "head", "bundle", "acme"),
                               pep_span_of(NULL, 0), NULL);
    uint64_t version = (uint64_t)json_integer_value(json_object_get(head, "version"));
    json_decref(head);
    assert_true(version >= a->version);
    for (uint64_t v = 1; v <= version; v++) {
        struct pep_buffer bytes = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
        struct pep_bundle *bundle = NULL;
        json_t *answer =
            kit_operate(d, operator, json_pack("{s:s, s:s, s:I}", "op", "get", "bundle", "acme",
                                               "version", (json_int_t)v),
                        pep_span_of(NULL, 0), &bytes);
        assert_true(kit_ok(answer));
        json_decref(answer);
        assert_int_equal(
            pep_bundle_open(pep_buffer_span(&bytes), d->keys.root, FIXTURE_NOW, &bundle, NULL), 0);
        if (v == a->version)
            assert_memory_equal(pep_manifest_digest(pep_bundle_manifest(bundle)), a->digest,
                                PEP_SHA256_SIZE);
        pep_bundle_free(bundle);
        pep_buffer_free(&bytes);
    }
}

/* The step and the list that it names, both or neither. */
static void check_revocations(struct daemon *d, void *operator, const struct acknowledged * a)
{
    struct pep_buffer bytes = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    json_t *answer = kit_operate(d, operator, json_pack("{s:s}", "op", "token.list"),
                                 pep_span_of(NULL, 0), &bytes);
    uint64_t number = (uint64_t)json_integer_value(json_object_get(answer, "number"));
    size_t size = (size_t)json_integer_value(json_object_get(answer, "step"));
    assert_true(kit_ok(answer) && number >= a->steps && number <= 1);
    if (number == 1) {
        struct pep_signers signers = pep_root_revokers(d->keys.root);
        struct pep_revocations *list = NULL;
        assert_int_equal(pep_revocations_adopt(pep_span_of(bytes.data, size),
                                               pep_span_of(bytes.data + size, bytes.size - size), 0,
                                               &signers, &list, NULL),
                         0);
        assert_int_equal(pep_revocations_count(list), 1);
        pep_revocations_free(list);
    }
    json_decref(answer);
    pep_buffer_free(&bytes);
}

static void check_people(struct daemon *d, void *operator, const struct acknowledged * a)
{
    json_t *list = ask(d, operator, "service.list"), *operators = ask(d, operator, "operator.list");
    json_t *services = json_object_get(list, "services"), *tokens = json_object_get(list, "tokens");
    bool enrolled = json_array_size(services) == 1;
    assert_true(json_array_size(services) <= 1);
    if (a->client[0] != '\0')
        assert_true(enrolled);
    /* Either the token or the identity, never both, never neither. */
    if (a->token)
        assert_int_equal(json_array_size(tokens), enrolled ? 0 : 1);
    if (a->revoked)
        assert_string_equal(
            json_string_value(json_object_get(json_array_get(services, 0), "state")), "revoked");
    assert_true(json_array_size(json_object_get(operators, "operators")) >= (a->operator? 2u : 1u));
    json_decref(list);
    json_decref(operators);
}

static void check_after(struct daemon *d, const struct acknowledged *a)
{
    kit_start(d, PDPD_PROGRAM, NULL);
    if (!kit_wait_up(d))
        fprintf(stderr, "%s\n", kit_log(d));
    assert_false(kit_ended(d));
    kit_read_operator(d);
    void *operator= kit_operator(d);
    json_t *info = ask(d, operator, "info");
    bool root = json_integer_value(json_object_get(info, "root_version")) == 1;
    json_decref(info);
    assert_true(root || !a->root);
    check_versions(d, operator, a);
    check_revocations(d, operator, a);
    check_people(d, operator, a);
    /* And it goes on from there. */
    if (!root)
        assert_true(upload(d, operator));
    kit_close(operator);
    assert_int_equal(kit_stop(d), 0);
}

/* One run; true if the daemon was killed in it. */
static bool run(int point)
{
    char setting[64];
    const char *const environment[] = {setting, NULL};
    struct acknowledged a;
    struct daemon d = kit_daemon();
    memset(&a, 0, sizeof(a));
    snprintf(setting, sizeof(setting), "PDPD_TEST_KILL_AT=%d", point);
    kit_start(&d, PDPD_FAULTS_PROGRAM, environment);
    if (kit_wait_up(&d)) {
        kit_read_operator(&d);
        operate_until_killed(&d, &a);
    }
    bool killed = kit_ended(&d);
    if (killed)
        assert_int_equal(kit_wait_end(&d), 128 + SIGKILL);
    else
        assert_int_equal(kit_stop(&d), 0);
    if (!killed)
        assert_true(a.operator);
    check_after(&d, &a);
    kit_free(&d);
    return killed;
}

static void killed_at_every_store_call(void **state)
{
    (void)state;
    int point = 1;
    while (point < POINTS_MAX && run(point))
        point++;
    printf("store calls killed at: %d\n", point - 1);
    assert_true(point > 50 && point < POINTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_every_store_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
