/*
 * What revoked tokens cost: the check of one token against 100,000 entries, which a decision makes
 * once after each change of the list; the memory that they take; and one more step, from the signed
 * bytes to the list that decisions look at, beside its unavoidable part, one SHA-256 of the whole
 * list (100,000 entries make 3.3 MB).
 */
#include "measure.h"
#include "tests/support/feeds.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER "https://idp.example"
#define FULL   PEP_REVOCATIONS_MAX
#define TOKENS 4096 /* looked up in turn, so that caches do not know the answer */

static struct {
    struct fixture f;
    struct pep_revocations *list, *half; /* FULL entries; one step before that */
    struct pep_buffer step;              /* from half to list */
    struct pep_buffer set;
    struct pep_token_marks meant[TOKENS], spared[TOKENS];
    unsigned long sum;
} w;

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "bench revocation: %s failed\n", what);
    exit(1);
}

static struct pep_revocation entry(size_t i)
{
    char jti[40];
    snprintf(jti, sizeof(jti), "7c9e6679-7425-40de-944b-%012zu", i);
    return feeds_entry(PEP_REVOKE_JTI, ISSUER, jti, FIXTURE_EXPIRES);
}

static struct pep_buffer step_of(const struct pep_revocations *list, size_t from, size_t count)
{
    static struct pep_revocation entries[PEP_REVOCATION_STEP];
    for (size_t i = 0; i < count; i++)
        entries[i] = entry(from + i);
    return feeds_step(list, FIXTURE_CREATED, entries, count, w.f.policy_key);
}

static void fill_list(void)
{
    must(pep_revocations_none(&w.list) == PEP_OK, "list");
    for (size_t n = 0; n < FULL;) {
        size_t count = FULL - n < PEP_REVOCATION_STEP ? FULL - n : PEP_REVOCATION_STEP;
        pep_revocations_free(w.half);
        pep_buffer_free(&w.step);
        w.step = step_of(w.list, n, count);
        w.half = w.list;
        w.list = feeds_follow(w.half, &w.step, w.f.root);
        n += count;
    }
    must(pep_revocations_count(w.list) == FULL, "all entries");
    w.set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    pep_revocations_put_set(w.list, &w.set);
}

static struct pep_token_marks marks_of(size_t i)
{
    char jti[40];
    struct pep_token_marks m;
    snprintf(jti, sizeof(jti), "7c9e6679-7425-40de-944b-%012zu", i);
    json_t *claims = json_pack("{s:s, s:s, s:s, s:i}", "jti", jti, "sid", "8a6e0804-2bd0", "sub",
                               "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "iat", 1700000000);
    must(claims != NULL && pep_token_marks_read(ISSUER, claims, &m) == PEP_OK, "marks");
    json_decref(claims);
    return m;
}

/* ---- the check ---- */

static void look_up(const struct pep_token_marks *marks, int expected, size_t times)
{
    for (size_t i = 0; i < times; i++)
        must(pep_token_revoked(w.list, &marks[i * 2654435761U % TOKENS]) == expected, "look-up");
}

static void look_up_meant(void *unused, size_t times)
{
    (void)unused;
    look_up(w.meant, PEP_REVOKE_JTI, times);
}

static void look_up_spared(void *unused, size_t times)
{
    (void)unused;
    look_up(w.spared, 0, times);
}

/* The least that a look-up in a table of this size is: one read that no cache has. */
static void touch(void *unused, size_t times)
{
    (void)unused;
    for (size_t i = 0; i < times; i++)
        w.sum += w.set.data[i * 2654435761U % w.set.size];
}

static void measure_check(unsigned rounds)
{
    for (size_t i = 0; i < TOKENS; i++) {
        w.meant[i] = marks_of(i * (FULL / TOKENS));
        w.spared[i] = marks_of(FULL + i);
    }
    struct measure_figure hit = {"revocation", "check, 100,000 entries, revoked",
                                 "one byte of the list", "value <= 0.05"};
    struct measure_figure miss = {"revocation", "check, 100,000 entries, not revoked",
                                  "one byte of the list", "value <= 0.05"};
    struct measure_side bare = {touch, NULL};
    measure_ratio(&hit, &(struct measure_side){look_up_meant, NULL}, &bare, rounds);
    measure_ratio(&miss, &(struct measure_side){look_up_spared, NULL}, &bare, rounds);
}

/* ---- once for each token that is verified ---- */

static void read_marks(void *claims, size_t times)
{
    struct pep_token_marks m;
    for (size_t i = 0; i < times; i++)
        must(pep_token_marks_read(ISSUER, claims, &m) == PEP_OK, "marks");
}

static void digest_three(void *unused, size_t times)
{
    (void)unused;
    uint8_t out[PEP_SHA256_SIZE];
    for (size_t i = 0; i < 3 * times; i++)
        must(pep_sha256(pep_span_of(w.set.data, 60), out) == PEP_OK, "SHA-256");
}

static void measure_marks(unsigned rounds)
{
    json_t *claims = json_pack("{s:s, s:s, s:s, s:i}", "jti",
                               "7c9e6679-7425-40de-944b-e07fc1f90ae7", "sid", "8a6e0804-2bd0",
                               "sub", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "iat", 1700000000);
    struct measure_figure figure = {"revocation", "what a list may know a new token by",
                                    "3 SHA-256 of 60 bytes", NULL};
    must(claims != NULL, "claims");
    measure_ratio(&figure, &(struct measure_side){read_marks, claims},
                  &(struct measure_side){digest_three, NULL}, rounds);
    json_decref(claims);
}

/* ---- the list ---- */

static void follow(void *unused, size_t times)
{
    (void)unused;
    for (size_t i = 0; i < times; i++)
        pep_revocations_free(feeds_follow(w.half, &w.step, w.f.root));
}

static void adopt(void *unused, size_t times)
{
    (void)unused;
    struct pep_signers signers = pep_root_revokers(w.f.root);
    for (size_t i = 0; i < times; i++) {
        struct pep_revocations *list = NULL;
        must(pep_revocations_adopt(pep_buffer_span(&w.step), pep_buffer_span(&w.set), 0, &signers,
                                   &list, NULL) == PEP_OK,
             "adopt");
        pep_revocations_free(list);
    }
}

static void digest(void *unused, size_t times)
{
    (void)unused;
    uint8_t out[PEP_SHA256_SIZE];
    for (size_t i = 0; i < times; i++)
        must(pep_sha256(pep_buffer_span(&w.set), out) == PEP_OK, "SHA-256");
}

static void measure_steps(unsigned rounds)
{
    struct measure_figure step = {"revocation", "follow one step, 100,000 entries",
                                  "SHA-256 of the list", NULL};
    struct measure_figure whole = {"revocation", "take the whole list, 100,000 entries",
                                   "SHA-256 of the list", NULL};
    struct measure_side bare = {digest, NULL};
    measure_ratio(&step, &(struct measure_side){follow, NULL}, &bare, rounds);
    measure_ratio(&whole, &(struct measure_side){adopt, NULL}, &bare, rounds);
}

static double allocated(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd);
}

static void measure_memory(unsigned rounds)
{
    double values[MEASURE_ROUNDS_MAX], bases[MEASURE_ROUNDS_MAX];
    struct measure_figure figure = {"revocation", "memory of 100,000 entries",
                                    "the same as they travel", NULL};
    for (unsigned i = 0; i < rounds; i++) {
        double before = allocated();
        struct pep_revocations *list = feeds_follow(w.half, &w.step, w.f.root);
        values[i] = (allocated() - before) / 1e6;
        bases[i] = (double)w.set.size / 1e6;
        pep_revocations_free(list);
    }
    measure_print(&figure, "MB", values, bases, rounds);
}

int main(int argc, char **argv)
{
    unsigned rounds = measure_rounds(argc, argv);
    w.f = fixture_new();
    fill_list();
    measure_check(rounds);
    measure_marks(rounds);
    measure_memory(rounds);
    measure_steps(rounds);
    pep_revocations_free(w.list);
    pep_revocations_free(w.half);
    pep_buffer_free(&w.step);
    pep_buffer_free(&w.set);
    fixture_free(&w.f);
    return 0;
}
