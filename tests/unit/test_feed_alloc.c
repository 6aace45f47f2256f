/*
 * The scenarios of failing.h for what comes beside bundles: lists, keys, what decisions look at,
 * the cache files. Without memory a list is not taken, or it is taken whole; and where decisions
 * cannot be given a new one, they do not go on by the old one.
 */
#include "failing.h"

#include "fed_scene.h"

#include "pep/cache.h"
#include "pep/feeding.h"

#include <dirent.h>
#include <unistd.h>

#define STEPS 3

static struct pep_buffer steps[STEPS + 1]; /* [n] leads to list n */
static struct pep_revocations *lists[STEPS + 1];
static struct pep_root *other_root; /* names neither the policy key nor the beacon key */
static char *token, *spared, *relayed;
static char folder[64];

static struct pep_root *make_other_root(void)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root_draft d = fixture_root_draft(&w.scene.fixture);
    struct pep_private_key *stranger = fixture_key("stranger");
    const struct pep_private_key *signer = w.scene.fixture.root_key;
    struct pep_root *next = NULL;
    d.version = 2;
    for (size_t i = 0; i < d.key_count; i++) {
        if (!d.keys[i].roles[PEP_ROLE_ROOT] && i + 1 < d.key_count)
            d.keys[i].key = *pep_private_key_public(stranger);
    }
    struct pep_private_key *third = fixture_key("third");
    d.keys[d.key_count - 1].key = *pep_private_key_public(third);
    struct pep_buffer envelope = fixture_sign_root(&d, &signer, 1);
    int r = pep_root_follow(w.scene.fixture.root, pep_buffer_span(&envelope), &next, &err);
    if (r != PEP_OK)
        fail_msg("%s", err.text);
    pep_buffer_free(&envelope);
    pep_private_key_free(stranger);
    pep_private_key_free(third);
    return next;
}

static int setup(void **state)
{
    fed_set_up(state);
    assert_int_equal(pep_revocations_none(&lists[0]), PEP_OK);
    for (unsigned n = 1; n <= STEPS; n++) {
        char jti[8];
        snprintf(jti, sizeof(jti), "j%u", n);
        struct pep_revocation e = feeds_entry(PEP_REVOKE_JTI, SCENE_ISSUER, jti, FIXTURE_EXPIRES);
        steps[n] = feeds_step(lists[n - 1], FIXTURE_CREATED, &e, 1, w.scene.fixture.policy_key);
        lists[n] = feeds_follow(lists[n - 1], &steps[n], w.scene.fixture.root);
    }
    other_root = make_other_root();
    token = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"j1\"}");
    spared = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"spared\"}");
    relayed = relayed_token(w.key[0], "a");
    take_keys(1, 0);
    hand_over();
    expect_token_reason(token, PEP_JWT_OK);
    expect_token_reason(spared, PEP_JWT_OK);
    expect_token_reason(relayed, PEP_JWT_OK);
    snprintf(folder, sizeof(folder), "/tmp/pep-test-fed-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int teardown(void **state)
{
    char path[512];
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir)) {
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
    for (unsigned n = 0; n <= STEPS; n++) {
        pep_revocations_free(lists[n]);
        pep_buffer_free(&steps[n]);
    }
    pep_root_free(other_root);
    free(token);
    free(spared);
    free(relayed);
    return fed_tear_down(state);
}

/* ---- the machine ---- */

static int draw(void *out, size_t size)
{
    memset(out, 7, size);
    return PEP_OK;
}

static int new_feeding(struct pep_feeding **ret)
{
    const struct pep_feeding_options o = {"acme", draw};
    struct pep_fed fed;
    int r = pep_fed_new(&fed);
    if (r == PEP_OK)
        r = pep_feeding_new(&o, &fed, ret);
    return r;
}

static void ask(struct pep_feeding *f)
{
    struct pep_feeds word = {.revocations = STEPS, .keys = 1};
    struct pep_feed question;
    pep_feeding_link(f, true);
    pep_feeding_heard(f, &word);
    assert_true(pep_feeding_ask(f, pep_moment_now(), &question));
}

/* Made with memory enough. */
static struct pep_buffer head_frame(struct pep_revoked head)
{
    struct pep_buffer b = pep_buffer_of(256);
    memset(head.nonce, 7, sizeof(head.nonce));
    pep_revoked_write(&head, &b);
    return b;
}

static int answer(struct pep_feeding *f, const struct pep_span *frames, size_t count)
{
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_feeding_message(f, frames, count, w.scene.fixture.root, &err);
    assert_int_equal(err.code, r);
    return r;
}

/* As many steps as there was memory for, each whole. */
static int follow_steps(void)
{
    struct pep_feeding *f = NULL;
    long countdown = failing_pause();
    struct pep_buffer head =
        head_frame((struct pep_revoked){.kind = PEP_REVOKED_STEPS, .steps = STEPS});
    failing_resume(countdown);
    int r = new_feeding(&f);
    if (r == PEP_OK) {
        struct pep_span frames[STEPS + 1] = {pep_buffer_span(&head)};
        for (unsigned n = 1; n <= STEPS; n++)
            frames[n] = pep_buffer_span(&steps[n]);
        ask(f);
        r = answer(f, frames, STEPS + 1);
        const struct pep_revocations *list = pep_feeding_fed(f)->revocations;
        uint64_t n = pep_revocations_number(list);
        assert_true(n <= STEPS && (n == STEPS) == (r == PEP_OK));
        assert_int_equal(pep_revocations_count(list), n);
        assert_memory_equal(pep_revocations_digest(list), pep_revocations_digest(lists[n]),
                            PEP_SHA256_SIZE);
    }
    pep_feeding_free(f);
    pep_buffer_free(&head);
    return r;
}

static int take_set_and_keys(void)
{
    struct pep_feeding *f = NULL;
    long countdown = failing_pause();
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    struct pep_buffer head =
        head_frame((struct pep_revoked){.kind = PEP_REVOKED_SET, .steps = 1, .keys = 1});
    const struct feeds_keys one = {RELAYED, "{\"keys\":[]}", 1};
    struct feeds_keys_head keys_head = {.seq = 1, .issued_at = 1};
    memset(keys_head.nonce, 7, sizeof(keys_head.nonce));
    struct pep_buffer keys = feeds_keys(&keys_head, &one, 1, w.scene.fixture.beacon_key);
    pep_revocations_put_set(lists[STEPS], &set);
    failing_resume(countdown);
    int r = new_feeding(&f);
    if (r == PEP_OK) {
        const struct pep_span frames[] = {pep_buffer_span(&head), pep_buffer_span(&steps[STEPS]),
                                          pep_buffer_span(&set), pep_buffer_span(&keys)};
        ask(f);
        r = answer(f, frames, 4);
        const struct pep_fed *fed = pep_feeding_fed(f);
        uint64_t n = pep_revocations_number(fed->revocations);
        assert_true(n == 0 || n == STEPS);
        assert_int_equal(r == PEP_OK, n == STEPS && fed->keys != NULL);
    }
    pep_feeding_free(f);
    pep_buffer_free(&set);
    pep_buffer_free(&head);
    pep_buffer_free(&keys);
    return r;
}

/* A new root drops both signers: done at once, or at the next call. */
static int distrust(void)
{
    const struct pep_feeding_options o = {"acme", draw};
    struct pep_feeding *f = NULL;
    long countdown = failing_pause();
    struct pep_fed fed = pep_fed_share(&w.fed);
    pep_revocations_free(fed.revocations);
    fed.revocations = pep_revocations_share(lists[STEPS]);
    failing_resume(countdown);
    int r = pep_feeding_new(&o, &fed, &f);
    if (r != PEP_OK)
        return r;
    r = pep_feeding_trust(f, other_root);
    countdown = failing_pause();
    assert_int_equal(pep_feeding_trust(f, other_root), PEP_OK);
    assert_int_equal(pep_revocations_number(pep_feeding_fed(f)->revocations), 0);
    assert_int_equal(pep_revocations_count(pep_feeding_fed(f)->revocations), STEPS);
    assert_null(pep_feeding_fed(f)->keys);
    pep_feeding_free(f);
    failing_resume(countdown);
    return r;
}

/* ---- decisions ---- */

/* Nobody is allowed by the old list, whether or not there was memory for the new one. */
static int hand_over_list(void)
{
    struct pep_fed with = {lists[1], w.fed.keys}, without = {lists[0], w.fed.keys};
    int r = pep_handle_feed(w.p, &with);
    long countdown = failing_pause();
    pep_decision d = PEP_DECISION_INIT;
    assert_false(pep_check(w.p, token, "read", "doc:1", NULL, &d));
    assert_int_equal(d.code, r == PEP_OK ? PEP_CODE_BAD_TOKEN : PEP_CODE_FAULT);
    assert_int_equal(pep_check(w.p, spared, "read", "doc:1", NULL, &d), r == PEP_OK);
    assert_int_equal(d.code, r == PEP_OK ? PEP_CODE_ALLOWED : PEP_CODE_FAULT);
    if (!pep_check(w.p, relayed, "read", "doc:1", NULL, &d) && r == PEP_OK)
        assert_string_equal(d.reason, pep_jwt_reason_text(PEP_JWT_KEYS_ABSENT));
    pep_decision_clear(&d);
    assert_int_equal(pep_handle_feed(w.p, &without), PEP_OK);
    assert_true(pep_allow(w.p, token, "read", "doc:1"));
    assert_true(pep_allow(w.p, relayed, "read", "doc:1"));
    failing_resume(countdown);
    return r;
}

/* A token seen for the first time under a list that names it. */
static int first_sight(void)
{
    static unsigned n;
    char claims[64];
    struct pep_fed with = {lists[1], w.fed.keys}, without = {lists[0], w.fed.keys};
    long countdown = failing_pause();
    snprintf(claims, sizeof(claims), "{\"sub\":\"a\",\"jti\":\"j1\",\"n\":%u}", n++);
    char *fresh = scene_token(&w.scene, claims);
    assert_int_equal(pep_handle_feed(w.p, &with), PEP_OK);
    pep_decision d = PEP_DECISION_INIT;
    failing_resume(countdown);
    assert_false(pep_check(w.p, fresh, "read", "doc:1", NULL, &d));
    countdown = failing_pause();
    int r =
        d.code == PEP_CODE_BAD_TOKEN && strcmp(d.reason, pep_jwt_reason_text(PEP_JWT_REVOKED)) == 0
            ? PEP_OK
            : PEP_ENOMEM;
    pep_decision_clear(&d);
    activate_version(2 + n); /* a new cache: what was kept of the token is freed */
    assert_int_equal(pep_handle_feed(w.p, &without), PEP_OK);
    free(fresh);
    /* As before the run: these are known again. */
    assert_true(pep_allow(w.p, token, "read", "doc:1"));
    assert_true(pep_allow(w.p, spared, "read", "doc:1"));
    assert_true(pep_allow(w.p, relayed, "read", "doc:1"));
    failing_resume(countdown);
    return r;
}

/* ---- floods ---- */

/* Tokens that anybody can make up leave nothing behind, and push out nothing that is good. */
static void test_refused_tokens_keep_nothing(void **state)
{
    (void)state;
    char *forged = strdup(spared), *unknown = relayed_token(w.key[1], "a");
    char *oversized = calloc(1, PEP_TOKEN_MAX + 2);
    assert_true(forged != NULL && unknown != NULL && oversized != NULL);
    forged[strlen(forged) - 9] ^= 1;
    memset(oversized, 'A', PEP_TOKEN_MAX + 1);
    const char *const bad[] = {"", "a.b.c", "e30.e30.AAAA", forged, unknown, oversized};
    struct pep_active *a = atomic_load(&w.p->active);
    size_t cached = pep_token_cache_count(a->tokens);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(pep_allow(w.p, bad[i], "read", "doc:1"));
        long live = alloc.live;
        for (unsigned n = 0; n < 200; n++)
            assert_false(pep_allow(w.p, bad[i], "read", "doc:1"));
        assert_int_equal(alloc.live, live);
        assert_int_equal(pep_token_cache_count(a->tokens), cached);
    }
    struct pep_counts before, after;
    pep_counters_sum(w.p->counters, &before);
    assert_true(pep_allow(w.p, token, "read", "doc:1"));
    assert_true(pep_allow(w.p, spared, "read", "doc:1"));
    assert_true(pep_allow(w.p, relayed, "read", "doc:1"));
    pep_counters_sum(w.p->counters, &after);
    assert_int_equal(after.tokens[PEP_TOKEN_HIT] - before.tokens[PEP_TOKEN_HIT], 3);
    free(forged);
    free(unknown);
    free(oversized);
}

/* ---- the cache ---- */

static int store_and_load(void)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_keys_origin origin = {w.scene.fixture.root, "acme", NULL, {0, 0}};
    struct pep_fed both = {lists[2], w.fed.keys}, read = {NULL, NULL};
    int r = pep_cache_store_fed(folder, &origin, &both, PEP_FED_LIST | PEP_FED_KEYS, &err);
    if (r != PEP_OK)
        return r;
    r = pep_cache_load_fed(folder, &origin, pep_moment_now(), &read, &err);
    /* Where OpenSSL cannot check a signature the list is kept as one of an unknown signer. */
    size_t n = read.revocations == NULL ? 0 : pep_revocations_count(read.revocations);
    assert_true(n == 0 || n == 2);
    assert_int_equal(r == PEP_OK, n == 2 && read.keys != NULL);
    pep_fed_clear(&read);
    return r;
}

SCENARIO(follow_steps)
SCENARIO(take_set_and_keys)
SCENARIO(distrust)
SCENARIO(hand_over_list)
SCENARIO(first_sight)
SCENARIO(store_and_load)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_tokens_keep_nothing),
        cmocka_unit_test(test_follow_steps),
        cmocka_unit_test(test_take_set_and_keys),
        cmocka_unit_test(test_distrust),
        cmocka_unit_test(test_hand_over_list),
        cmocka_unit_test(test_store_and_load),
        cmocka_unit_test(test_first_sight),
    };
    if (!failing_install())
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
