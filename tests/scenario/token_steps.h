/*
 * Steps of revoked tokens, made, sent and asked for by raw peers: see pdpd_kit.h.
 */
#ifndef PEP_TESTS_TOKEN_STEPS_H
#define PEP_TESTS_TOKEN_STEPS_H

#include "pdpd_kit.h"

#include "pep/core/revocation.h"
#include "pep/core/wire_feed.h"

/* Entry `i` of its own name, for an hour. */
struct pep_revocation kit_entry(size_t i);
struct kit_plan {
    int64_t created;
    size_t first, count; /* entries */
    const struct pep_private_key *key;
};
/* A signed step on this list. */
struct pep_buffer kit_make_step(const struct pep_revocations *list, const struct kit_plan *p);
struct pep_revocations *kit_no_list(void);
/* token.revoke: the answer, a new reference. */
json_t *kit_send_step(struct site *s, void *operator, const struct pep_revocations * list,
                      struct pep_span step);
/* The next step by the policy key with `count` new entries: accepted, and *list is what comes of
 * it. */
void kit_add_step(struct site *s, struct pep_revocations **list, size_t count);
/* Whether the step of this plan is refused with this code. */
bool kit_step_refused(struct site *s, const struct pep_revocations *list, const struct kit_plan *p,
                      const char *code);

/* ---- clients ---- */
void *kit_join(struct site *s, const char *service);
void kit_ask_feed(void *socket, const char *bundle, uint64_t number, const uint8_t *digest);
/* The answer; its frames in `m`, to be cleared. */
struct pep_revoked kit_hear_feed(void *socket, struct kit_message *m);
/* What kind of answer a client gets that holds `list`. */
int kit_told(void *socket, const struct pep_revocations *list);
/* The whole list, verified, as one who has nothing gets it. */
struct pep_revocations *kit_whole_list(struct site *s, void *socket);
bool kit_same_list(const struct pep_revocations *a, const struct pep_revocations *b);
/* Version 1 of a bundle. */
void kit_publish(struct site *s, const char *bundle);

#endif
