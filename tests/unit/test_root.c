/*
 * Root documents: what is well-formed, what may follow what. The chains are those of the TUF
 * conformance suite (key_rotations): each is a list of documents with the keys that they name and
 * the keys that signed them.
 */
#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RING 8

struct world {
    struct fixture f;
    struct pep_private_key *keys[RING];
};

static int setup(void **state)
{
    static struct world w;
    w.f = fixture_new();
    for (int i = 0; i < RING; i++) {
        char name[16];
        snprintf(name, sizeof(name), "root-%d", i);
        w.keys[i] = fixture_key(name);
    }
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < RING; i++)
        pep_private_key_free(w->keys[i]);
    fixture_free(&w->f);
    return 0;
}

/* ---- chains ---- */

struct step {
    const char *keys; /* digits: the root role's keys */
    unsigned threshold;
    const char *signers; /* digits, in order, also repeated */
};

/* A document with this root role; policy and beacon are the fixture's. */
static struct pep_root_draft draft_of(const struct world *w, const struct step *s, uint32_t version)
{
    struct pep_root_draft d = fixture_root_draft(&w->f);
    struct pep_root_draft all = d;
    d.key_count = 0;
    d.version = version;
    for (const char *c = s->keys; *c != '\0'; c++) {
        d.keys[d.key_count] = all.keys[0];
        d.keys[d.key_count].key = *pep_private_key_public(w->keys[*c - '0']);
        d.key_count++;
    }
    d.keys[d.key_count++] = all.keys[1];
    d.keys[d.key_count++] = all.keys[2];
    d.thresholds[PEP_ROLE_ROOT] = s->threshold;
    return d;
}

static struct pep_buffer sign_by(const struct world *w, const struct pep_root_draft *d,
                                 const char *signers)
{
    const struct pep_private_key *keys[PEP_SIGNATURES_MAX];
    size_t count = 0;
    for (const char *c = signers; *c != '\0'; c++)
        keys[count++] = w->keys[*c - '0'];
    return fixture_sign_root(d, keys, count);
}

#define STEPS 4

/* Follows the steps; the result of the first that fails, or PEP_OK. */
static int follow(const struct world *w, const struct step *steps, size_t *ret_accepted)
{
    struct pep_root *root = NULL;
    int r = PEP_OK;
    *ret_accepted = 0;
    for (uint32_t i = 0; i < STEPS && steps[i].keys != NULL && r == PEP_OK; i++) {
        struct pep_root_draft d = draft_of(w, &steps[i], i + 1);
        struct pep_buffer text = sign_by(w, &d, steps[i].signers);
        struct pep_root *next = NULL;
        struct pep_error err = PEP_ERROR_INIT;
        r = i == 0 ? pep_root_open(pep_buffer_span(&text), NULL, &next, &err)
                   : pep_root_follow(root, pep_buffer_span(&text), &next, &err);
        assert_int_equal(err.code, r);
        assert_true((next != NULL) == (r == PEP_OK));
        if (r == PEP_OK) {
            assert_int_equal(pep_root_version(next), i + 1);
            assert_true(pep_span_equal(pep_root_envelope(next), pep_buffer_span(&text)));
            pep_root_free(root);
            root = next;
            (*ret_accepted)++;
        }
        pep_buffer_free(&text);
    }
    pep_root_free(root);
    return r;
}

static void key_rotations(void **state)
{
    static const struct {
        const char *name;
        struct step steps[STEPS];
        size_t accepted;
        int expect;
    } cases[] = {
        {"1-of-1 rotate", {{"1", 1, "1"}, {"2", 1, "21"}, {"2", 1, "2"}}, 3, PEP_OK},
        {"1-of-1 keep", {{"1", 1, "1"}, {"1", 1, "1"}, {"1", 1, "1"}}, 3, PEP_OK},
        {"1-of-1 unused signatures", {{"1", 1, "1"}, {"1", 1, "14"}, {"2", 1, "0212"}}, 3, PEP_OK},
        {"1-of-1 not signed with old key", {{"1", 1, "1"}, {"2", 1, "23"}}, 1, PEP_ESIGNATURE},
        {"1-of-1 not signed with new key", {{"1", 1, "1"}, {"2", 1, "14"}}, 1, PEP_ESIGNATURE},
        {"3-of-5 sign with different combinations",
         {{"01234", 3, "024"}, {"01234", 3, "134"}, {"01234", 3, "012"}, {"01234", 3, "432"}},
         4,
         PEP_OK},
        {"3-of-5 one key rotated", {{"01234", 3, "024"}, {"01235", 3, "024"}}, 1, PEP_ESIGNATURE},
        {"3-of-5 one key rotated, signed by both",
         {{"01234", 3, "024"}, {"01235", 3, "0245"}, {"01235", 3, "135"}},
         3,
         PEP_OK},
        {"3-of-5 all keys rotated with an intermediate step",
         {{"01234", 3, "024"}, {"56701", 3, "501247"}, {"56701", 3, "567"}},
         3,
         PEP_OK},
        {"3-of-5 all rotated, not signed with 3 new",
         {{"012", 3, "012"}, {"345", 3, "01234"}},
         1,
         PEP_ESIGNATURE},
        {"3-of-5 all rotated, not signed with 3 old",
         {{"012", 3, "012"}, {"345", 3, "34501"}},
         1,
         PEP_ESIGNATURE},
        {"3-of-5 all rotated, signed by all", {{"012", 3, "012"}, {"345", 3, "345012"}}, 2, PEP_OK},
        {"threshold up", {{"01234", 1, "3"}, {"01234", 3, "024"}, {"01234", 3, "134"}}, 3, PEP_OK},
        {"threshold up, new one not reached",
         {{"01234", 2, "34"}, {"01234", 4, "024"}},
         1,
         PEP_ESIGNATURE},
        {"threshold down",
         {{"01234", 4, "0123"}, {"01234", 2, "0124"}, {"01234", 2, "34"}},
         3,
         PEP_OK},
        {"threshold down, old one not reached",
         {{"01234", 4, "0123"}, {"01234", 2, "024"}},
         1,
         PEP_ESIGNATURE},
        {"one key signing twice", {{"01", 2, "01"}, {"01", 2, "00"}}, 1, PEP_ESIGNATURE},
        {"first root below its own threshold", {{"01", 2, "0"}}, 0, PEP_ESIGNATURE},
        {"first root signed by a stranger", {{"0", 1, "1"}}, 0, PEP_ESIGNATURE},
    };
    const struct world *w = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t accepted;
        int r = follow(w, cases[i].steps, &accepted);
        if (r != cases[i].expect || accepted != cases[i].accepted)
            fail_msg("%s: %d after %zu, expected %d after %zu", cases[i].name, r, accepted,
                     cases[i].expect, cases[i].accepted);
    }
}

/* ---- what may follow the fixture's root ---- */

static int follow_draft(const struct world *w, const struct pep_root_draft *d)
{
    const struct pep_private_key *key = w->f.root_key;
    struct pep_buffer text = fixture_sign_root(d, &key, 1);
    struct pep_root *next = NULL;
    int r = pep_root_follow(w->f.root, pep_buffer_span(&text), &next, NULL);
    assert_true((next != NULL) == (r == PEP_OK));
    pep_root_free(next);
    pep_buffer_free(&text);
    return r;
}

static void versions_and_epochs_only_rise(void **state)
{
    const struct world *w = *state;
    struct pep_root_draft d = fixture_root_draft(&w->f);
    for (uint32_t version = 1; version <= 3; version++) {
        d.version = version;
        assert_int_equal(follow_draft(w, &d), version == 2 ? PEP_OK : PEP_EROLLBACK);
    }
    d.version = 2;
    d.epoch = 5;
    assert_int_equal(follow_draft(w, &d), PEP_OK);
    d.installation[0] = 'f';
    assert_int_equal(follow_draft(w, &d), PEP_ESIGNATURE);
}

static void an_epoch_never_falls(void **state)
{
    const struct world *w = *state;
    const struct pep_private_key *key = w->f.root_key;
    struct pep_root_draft d = fixture_root_draft(&w->f);
    d.epoch = 7;
    struct pep_buffer first = fixture_sign_root(&d, &key, 1);
    d.version = 2;
    d.epoch = 6;
    struct pep_buffer second = fixture_sign_root(&d, &key, 1);
    struct pep_root *root = NULL, *next = NULL;
    assert_int_equal(pep_root_open(pep_buffer_span(&first), NULL, &root, NULL), PEP_OK);
    assert_int_equal(pep_root_follow(root, pep_buffer_span(&second), &next, NULL), PEP_EROLLBACK);
    assert_null(next);
    pep_root_free(root);
    pep_buffer_free(&first);
    pep_buffer_free(&second);
}

static void the_highest_version_has_no_successor(void **state)
{
    const struct world *w = *state;
    const struct pep_private_key *key = w->f.root_key;
    struct pep_root_draft d = fixture_root_draft(&w->f);
    d.version = UINT32_MAX;
    struct pep_buffer text = fixture_sign_root(&d, &key, 1);
    struct pep_root *root = NULL, *next = NULL;
    assert_int_equal(pep_root_open(pep_buffer_span(&text), NULL, &root, NULL), PEP_OK);
    assert_int_equal(pep_root_follow(root, pep_buffer_span(&text), &next, NULL), PEP_EROLLBACK);
    pep_root_free(root);
    pep_buffer_free(&text);
}

static void the_pinned_digest_decides(void **state)
{
    const struct world *w = *state;
    const struct pep_private_key *key = w->f.root_key;
    struct pep_root_draft d = fixture_root_draft(&w->f);
    struct pep_root *root = NULL;
    struct pep_span text = pep_root_envelope(w->f.root);
    assert_int_equal(pep_root_open(text, pep_root_digest(w->f.root), &root, NULL), PEP_OK);
    pep_root_free(root);
    root = NULL;
    d.expires--; /* same keys, same signer, another document */
    struct pep_buffer other = fixture_sign_root(&d, &key, 1);
    assert_int_equal(
        pep_root_open(pep_buffer_span(&other), pep_root_digest(w->f.root), &root, NULL),
        PEP_ESIGNATURE);
    assert_null(root);
    pep_buffer_free(&other);
}

static void every_changed_byte_is_refused(void **state)
{
    const struct world *w = *state;
    struct pep_span good = pep_root_envelope(w->f.root);
    uint8_t *copy = malloc(good.size);
    struct pep_root *root = NULL;
    memcpy(copy, good.data, good.size);
    struct pep_span text = pep_span_of(copy, good.size);
    for (size_t i = 0; i < good.size; i++) {
        copy[i] ^= 0x01;
        assert_int_not_equal(pep_root_open(text, pep_root_digest(w->f.root), &root, NULL), PEP_OK);
        copy[i] ^= 0x01;
        assert_int_not_equal(pep_root_open(pep_span_of(copy, i), NULL, &root, NULL), PEP_OK);
    }
    assert_null(root);
    free(copy);
}

static void the_accessors_tell(void **state)
{
    const struct world *w = *state;
    const struct pep_root *root = w->f.root;
    assert_int_equal(pep_root_version(root), 1);
    assert_int_equal(pep_root_epoch(root), 1);
    assert_int_equal(pep_root_expires(root), FIXTURE_EXPIRES);
    assert_false(pep_root_expired(root, FIXTURE_EXPIRES - 1));
    assert_true(pep_root_expired(root, FIXTURE_EXPIRES));
    assert_string_equal(pep_root_installation(root), "00112233445566778899aabbccddeeff");
    assert_int_equal(pep_root_server_count(root), 1);
    assert_string_equal(pep_root_server(root, 0), FIXTURE_SERVER);
    assert_null(pep_root_server(root, 1));
    assert_true(pep_root_has_server(root, FIXTURE_SERVER));
    assert_false(pep_root_has_server(root, "0000000000000000000000000000000000000000"));
    struct pep_signers policy = pep_root_signers(root, PEP_ROLE_POLICY);
    assert_int_equal(policy.count, 1);
    assert_int_equal(policy.threshold, 1);
    assert_string_equal(policy.keys[0].id, pep_private_key_public(w->f.policy_key)->id);
    assert_string_equal(pep_root_key_name(root, policy.keys[0].id), "policy");
    assert_null(pep_root_key_name(root, "nobody"));
}

static void a_root_for_files_needs_no_server_and_no_beacon(void **state)
{
    const struct world *w = *state;
    const struct pep_private_key *key = w->f.root_key;
    struct pep_root_draft d = fixture_root_draft(&w->f);
    d.key_count = 2;
    d.server_count = 0;
    struct pep_buffer text = fixture_sign_root(&d, &key, 1);
    struct pep_root *root = NULL;
    assert_int_equal(pep_root_open(pep_buffer_span(&text), NULL, &root, NULL), PEP_OK);
    struct pep_signers beacon = pep_root_signers(root, PEP_ROLE_BEACON);
    assert_int_equal(beacon.count, 0);
    assert_int_equal(beacon.threshold, 0);
    assert_int_equal(pep_root_server_count(root), 0);
    pep_root_free(root);
    pep_buffer_free(&text);
}

static void an_endless_root_is_not_read(void **state)
{
    const struct world *w = *state;
    struct pep_span good = pep_root_envelope(w->f.root);
    uint8_t *big = malloc(PEP_ROOT_MAX + 1);
    struct pep_root *root = NULL;
    memset(big, ' ', PEP_ROOT_MAX + 1);
    memcpy(big, good.data, good.size);
    assert_int_equal(pep_root_open(pep_span_of(big, PEP_ROOT_MAX + 1), NULL, &root, NULL),
                     PEP_ELIMIT);
    assert_int_equal(pep_root_follow(w->f.root, pep_span_of(big, PEP_ROOT_MAX + 1), &root, NULL),
                     PEP_ELIMIT);
    assert_null(root);
    assert_int_equal(pep_root_open(pep_span_of(big, PEP_ROOT_MAX), NULL, &root, NULL), PEP_OK);
    pep_root_free(root);
    free(big);
}

/* Signed well, but made for another purpose. */
static void a_root_of_another_type_is_refused(void **state)
{
    const struct world *w = *state;
    const struct pep_private_key *key = w->f.root_key;
    struct pep_root_draft d = fixture_root_draft(&w->f);
    struct pep_buffer payload = pep_buffer_of(PEP_ROOT_MAX), text = pep_buffer_of(PEP_ROOT_MAX);
    struct pep_root *root = NULL;
    assert_int_equal(pep_root_write(&d, &payload, NULL), PEP_OK);
    assert_int_equal(pep_envelope_sign(PEP_TYPE_BUNDLE, pep_buffer_span(&payload), &key, 1, &text),
                     PEP_OK);
    assert_int_equal(pep_root_open(pep_buffer_span(&text), NULL, &root, NULL), PEP_EFORMAT);
    assert_null(root);
    pep_buffer_free(&payload);
    pep_buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_rotations),
        cmocka_unit_test(versions_and_epochs_only_rise),
        cmocka_unit_test(an_epoch_never_falls),
        cmocka_unit_test(the_highest_version_has_no_successor),
        cmocka_unit_test(the_pinned_digest_decides),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(the_accessors_tell),
        cmocka_unit_test(an_endless_root_is_not_read),
        cmocka_unit_test(a_root_of_another_type_is_refused),
        cmocka_unit_test(a_root_for_files_needs_no_server_and_no_beacon),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
