/*
 * What a client does about the things beside its bundle, revoked tokens and relayed token keys,
 * without touching the network: like sync.h, events and a time go in, questions come out.
 *
 * Notices and answers name how far the server has come (struct pep_feeds). If that is further than
 * what is here, or a token named a key that is not here, one FEED is sent; while no answer brings
 * what was promised, it is repeated with growing pauses. A list of revoked tokens is believed for
 * its signature, by a key that the newest root names for it, and only if it is newer; keys are
 * believed for the beacon's signature over the nonce of the very question that they answer.
 *
 * What came lives in struct pep_fed: the agent builds from it what decisions look at (standing.h),
 * and writes it to the cache folder.
 */
#ifndef PEP_FEEDING_H
#define PEP_FEEDING_H

#include "pep/clock.h"
#include "pep/core/revocation.h"
#include "pep/core/root.h"
#include "pep/core/wire_feed.h"

struct pep_fed {
    struct pep_revocations *revocations; /* never NULL */
    uint8_t *keys_message;               /* the signed message, owned; NULL: none */
    size_t keys_size;
    struct pep_keys keys;         /* borrows from keys_message; seq 0: none */
    struct pep_moment keys_asked; /* when the question was made that it answers */
};

/* Nothing revoked, no keys. Errors: ENOMEM. */
int pep_fed_new(struct pep_fed *ret);
void pep_fed_clear(struct pep_fed *f);
/* What a KEYS message must be an answer to. Borrowed. */
struct pep_keys_origin {
    const struct pep_root *root; /* whose beacon keys sign */
    const char *bundle;
    const uint8_t *nonce; /* NULL: any, for one that was kept on disk */
    struct pep_moment asked;
};
/* Errors: ESIGNATURE, EFORMAT, EROLLBACK (another question's answer), ENOMEM. */
int pep_fed_keys(struct pep_fed *f, struct pep_span message, const struct pep_keys_origin *origin);
/* The keys of the issuer of this name, and the last moment when they are known to have stood at the
 * issuer's address. False: none. */
bool pep_fed_issuer(const struct pep_fed *f, const char *name, struct pep_span *ret_jwks,
                    struct pep_moment *ret_seen);

struct pep_feeding;

struct pep_feeding_options {
    const char *bundle;
    int (*random)(void *out, size_t size);
};

/* Takes what `fed` holds, also on failure. Errors: ENOMEM. */
int pep_feeding_new(const struct pep_feeding_options *options, struct pep_fed *fed,
                    struct pep_feeding **ret);
void pep_feeding_free(struct pep_feeding *f);

/* The server says that it has come so far. */
void pep_feeding_heard(struct pep_feeding *f, const struct pep_feeds *newest);
/* A token named a key that no issuer has here. Asked for at most every 10 s. */
void pep_feeding_look(struct pep_feeding *f);
/* Whether a question may be sent. */
void pep_feeding_link(struct pep_feeding *f, bool up);
/* A REVOKED message: takes of it what is proved. Errors, of the first part that is not: EFORMAT,
 * ESIGNATURE, EROLLBACK, ELIMIT, ENOMEM. */
int pep_feeding_message(struct pep_feeding *f, const struct pep_span *frames, size_t count,
                        const struct pep_root *root, struct pep_error *err);
/* True: this question is to be sent now. Call it after each event, and at the deadline. */
bool pep_feeding_ask(struct pep_feeding *f, struct pep_moment now, struct pep_feed *ret);
int64_t pep_feeding_deadline(const struct pep_feeding *f); /* boot time; INT64_MAX: none */

/* True once after anything new has come. */
bool pep_feeding_changed(struct pep_feeding *f);
const struct pep_fed *pep_feeding_fed(const struct pep_feeding *f);
/* Steps that the server has and this client lacks. */
uint64_t pep_feeding_behind(const struct pep_feeding *f);

#endif
