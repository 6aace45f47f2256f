/*
 * A thief with everything that pdpd has, for test_pep_stolen.c: what it offers and how it lies. A
 * lie is an offer, a way to tell it, and what the client must note down about it.
 */
#ifndef PEP_TEST_THIEF_H
#define PEP_TEST_THIEF_H

#include "pdpd_kit.h"

#include "pep/identity.h"

/* A version as the thief would offer it. */
struct offer {
    struct pep_buffer bytes;
    struct pep_head head;
    struct fixture_file files[3];
    size_t count;
};

struct thief {
    struct fixture keys;
    void *context, *router, *xpub;
    char public_key[KIT_KEY], secret_key[KIT_KEY];
    char fetch[PEP_ENDPOINT_MAX + 1], notices[PEP_ENDPOINT_MAX + 1];
    char folder[64];
    struct pep_curve_key client_key;
    uint64_t seq;
    struct offer first; /* what runs */
    pep *client;
    unsigned answered;
    struct pep_buffer recorded; /* an answer of long ago */
};

struct lie {
    const char *name;
    int error; /* what the client notes down; PEP_OK: nothing */
    struct offer (*offer)(const struct thief *t);
    void (*tell)(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                 const struct offer *o);
};

extern const struct lie thief_lies[];
extern const size_t thief_lie_count;

int64_t thief_now_ms(void);

/* A version by this draft, signed by the key of this name. */
struct offer thief_offer(const struct thief *t, const struct pep_manifest_draft *draft,
                         const char *signer, const char *note);
void thief_offer_free(struct offer *o);

/* The two honest answers: "you run it", and the version with all its files; `spoil` changes the
 * last file's bytes but not its hash. */
void thief_say_same(struct thief *t, struct pep_span route, const struct pep_fetch *f);
void thief_say_version(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                       const struct offer *o, bool spoil);

#endif
