/*
 * What a client does about the things beside its bundle, revoked tokens and relayed token keys,
 * without touching the network: like sync.h, events and a time go in, questions come out.
 *
 * Notices and answers name how far the server has come (struct pep_feeds). If that is further than
 * what is here, or a token named a key that is not here, one FEED is sent; while no answer brings
 * what was promised, it is repeated with growing pauses. A list of revoked tokens is believed for
 * its signature, by a key that the newest root names for it, and only if it is newer; keys are
 * believed for the beacon's signature over the nonce of the very question that they answer.
 */
#ifndef PEP_FEEDING_H
#define PEP_FEEDING_H

#include "pep/fed.h"

struct pep_feeding;

struct pep_feeding_options {
    const char *bundle;
    int (*random)(void *out, size_t size);
};

/* Takes what `fed` holds, also on failure. Errors: ENOMEM. */
int pep_feeding_new(const struct pep_feeding_options *options, struct pep_fed *fed,
                    struct pep_feeding **ret);
void pep_feeding_free(struct pep_feeding *f);

/* The newest root, before each use and after each answer: what keys have signed that it does not
 * name ends. Relayed keys are gone; a list goes on denying as one without a number, so that any
 * signed one may follow it. Errors: ENOMEM; then nothing is done yet, call again. */
int pep_feeding_trust(struct pep_feeding *f, const struct pep_root *root);
/* The server's newest word on how far it has come; the same word again is no news. */
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

/* What has changed since the last call (PEP_FED_*), once. */
unsigned pep_feeding_changed(struct pep_feeding *f);
const struct pep_fed *pep_feeding_fed(const struct pep_feeding *f);
/* Steps that the server has and this client lacks. */
uint64_t pep_feeding_behind(const struct pep_feeding *f);

#endif
