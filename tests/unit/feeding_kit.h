/*
 * One client of revoked tokens and relayed keys, with a server that has nine steps of a list, and
 * the same steps signed by a stranger. Header only: see failing.h.
 */
#ifndef TESTS_UNIT_FEEDING_KIT_H
#define TESTS_UNIT_FEEDING_KIT_H

#include "pep/feeding.h"
#include "tests/support/feeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ISSUER "https://idp.example"
#define STEPS  9
#define START  5000000 /* boot time */

static struct {
    struct fixture f;
    struct pep_private_key *stranger;
    struct pep_buffer steps[STEPS + 1], strange[STEPS + 1]; /* [n] leads to list n */
    struct pep_revocations *lists[STEPS + 1];
    struct pep_revocations *other; /* number 3, as a server has it that was given another past */
    /* the run */
    struct pep_feeding *feeding;
    struct pep_feeds word;
    struct pep_moment now;
    struct pep_feed question;
    uint8_t random;
    bool no_random;
} w;

static inline struct pep_revocation entry(const char *name, unsigned n)
{
    char jti[32];
    snprintf(jti, sizeof(jti), "%s-%u", name, n);
    return feeds_entry(PEP_REVOKE_JTI, ISSUER, jti, FIXTURE_NOW + 1000);
}

static inline int set_up(void **state)
{
    (void)state;
    w.f = fixture_new();
    w.stranger = fixture_key("stranger");
    assert_int_equal(pep_revocations_none(&w.lists[0]), PEP_OK);
    assert_int_equal(pep_revocations_none(&w.other), PEP_OK);
    for (unsigned n = 1; n <= STEPS; n++) {
        struct pep_revocation e = entry("t", n);
        w.steps[n] = feeds_step(w.lists[n - 1], FIXTURE_CREATED, &e, 1, w.f.policy_key);
        w.strange[n] = feeds_step(w.lists[n - 1], FIXTURE_CREATED, &e, 1, w.stranger);
        w.lists[n] = feeds_follow(w.lists[n - 1], &w.steps[n], w.f.root);
    }
    for (unsigned n = 1; n <= 3; n++) {
        struct pep_revocation e = entry("other", n);
        feeds_revoke(&w.f, &w.other, &e);
    }
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= STEPS; n++) {
        pep_revocations_free(w.lists[n]);
        pep_buffer_free(&w.steps[n]);
        pep_buffer_free(&w.strange[n]);
    }
    pep_revocations_free(w.other);
    pep_private_key_free(w.stranger);
    fixture_free(&w.f);
    return 0;
}

/* ---- one client ---- */

static inline int draw(void *out, size_t size)
{
    memset(out, ++w.random, size);
    return w.no_random ? PEP_EIO : PEP_OK;
}

static inline void begin(void)
{
    struct pep_feeding_options o = {"acme", draw};
    struct pep_fed fed;
    w.word = (struct pep_feeds){.revocations = 0};
    w.now = (struct pep_moment){FIXTURE_NOW * 1000, START};
    w.no_random = false;
    assert_int_equal(pep_fed_new(&fed), PEP_OK);
    assert_int_equal(pep_feeding_new(&o, &fed, &w.feeding), PEP_OK);
    assert_null(fed.revocations);
    assert_int_equal(pep_feeding_trust(w.feeding, w.f.root), PEP_OK);
}

static inline uint64_t number(void)
{
    return pep_revocations_number(pep_feeding_fed(w.feeding)->revocations);
}

static inline uint64_t keys(void)
{
    const struct pep_fed_keys *k = pep_feeding_fed(w.feeding)->keys;
    return k == NULL ? 0 : k->keys.seq;
}

/* ---- answers ---- */

#define FRAMES 16
struct answer {
    struct pep_buffer owned[3];
    struct pep_span frames[FRAMES];
    size_t count;
};

static inline void put_owned(struct answer *a, size_t slot, struct pep_buffer b)
{
    a->owned[slot] = b;
    a->frames[a->count++] = pep_buffer_span(&a->owned[slot]);
}

static inline void put_head(struct answer *a, struct pep_revoked head, bool wrong_nonce)
{
    struct pep_buffer b = pep_buffer_of(256);
    memcpy(head.nonce, w.question.nonce, sizeof(head.nonce));
    head.nonce[5] ^= wrong_nonce;
    pep_revoked_write(&head, &b);
    put_owned(a, 0, b);
}

static inline void put_keys(struct answer *a, uint64_t seq, const struct pep_private_key *key,
                            bool wrong)
{
    const struct feeds_keys one = {ISSUER, "{\"keys\":[]}", FIXTURE_NOW * 1000 - 7000};
    struct feeds_keys_head head = {.seq = seq, .issued_at = FIXTURE_NOW * 1000};
    memcpy(head.nonce, w.question.nonce, sizeof(head.nonce));
    head.nonce[5] ^= wrong;
    put_owned(a, 2, feeds_keys(&head, &one, 1, key));
}

static inline int give(struct answer *a)
{
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_feeding_message(w.feeding, a->frames, a->count, w.f.root, &err);
    assert_int_equal(err.code, r);
    assert_true((err.text[0] != '\0') == (r != PEP_OK));
    for (size_t i = 0; i < 3; i++)
        pep_buffer_free(&a->owned[i]);
    return r;
}

static inline int give_steps(uint64_t from, uint64_t to, const struct pep_buffer *steps,
                             bool wrong_nonce)
{
    struct answer a = {.count = 0};
    put_head(&a, (struct pep_revoked){.kind = PEP_REVOKED_STEPS, .steps = (uint16_t)(to - from)},
             wrong_nonce);
    for (uint64_t n = from + 1; n <= to; n++)
        a.frames[a.count++] = pep_buffer_span(&steps[n]);
    return give(&a);
}

static inline int give_set(const struct pep_revocations *list, struct pep_span step)
{
    struct answer a = {.count = 0};
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    put_head(&a, (struct pep_revoked){.kind = PEP_REVOKED_SET, .steps = 1}, false);
    a.frames[a.count++] = step;
    pep_revocations_put_set(list, &set);
    put_owned(&a, 1, set);
    return give(&a);
}

static inline int give_keys(uint64_t seq, const struct pep_private_key *key, bool wrong_nonce)
{
    struct answer a = {.count = 0};
    put_head(&a, (struct pep_revoked){.kind = PEP_REVOKED_SAME, .keys = 1}, false);
    put_keys(&a, seq, key, wrong_nonce);
    return give(&a);
}

static inline void tell(void)
{
    pep_feeding_heard(w.feeding, &w.word);
}

static inline void tell_list(const struct pep_revocations *list)
{
    w.word.revocations = pep_revocations_number(list);
    memcpy(w.word.revocations_digest, pep_revocations_digest(list), PEP_SHA256_SIZE);
    tell();
}

#endif
