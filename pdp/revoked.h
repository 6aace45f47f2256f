/*
 * The list of revoked tokens (pep/core/revocation.h) as this server holds it: in memory, with the
 * newest steps behind it, and in the store. The server can neither make a step nor change one; it
 * takes those that operators signed, in their order, and passes them on.
 *
 * Each step is kept with the version of the root that named its signer, so that a list survives a
 * root that no longer does. Clients judge by the newest root alone: steps whose signer it does not
 * name are not offered to them, and a client that lacks one gets the whole list.
 */
#ifndef PDP_REVOKED_H
#define PDP_REVOKED_H

#include "message.h"
#include "metrics.h"
#include "roots.h"

#include "pep/core/revocation.h"
#include "pep/core/wire_feed.h"

struct revoked;

/* Loads what the store has. Errors: the store's; EFORMAT, ESIGNATURE (it was changed). */
int revoked_open(struct store *store, const struct roots *roots, struct revoked **ret,
                 struct pep_error *err);
void revoked_close(struct revoked *r);

/* Borrowed until the next revoked_take(). */
const struct pep_revocations *revoked_list(const struct revoked *r);
/* Unix milliseconds of when the newest step came, or was made if that was before this start. */
int64_t revoked_taken_ms(const struct revoked *r);
/* Whether the newest root names the newest step's signer. True while nothing is revoked. */
bool revoked_signed(const struct revoked *r);

/* Verifies a step and makes the list after it; the caller hands it to revoked_take(), or frees it.
 * Errors: as pep_revocations_follow(); ESTATE (no root document yet). */
int revoked_check(const struct revoked *r, struct pep_span step, struct pep_revocations **ret,
                  struct pep_error *err);
/* Stores it with its audit line and makes it the list. Takes `next`, also on failure, after which
 * nothing has changed. */
int revoked_take(struct revoked *r, struct pep_revocations *next, int64_t now_ms,
                 const struct store_audit *audit, struct pep_error *err);
/* After a new root document: looks at each step's signer again. */
void revoked_judge(struct revoked *r);
void revoked_measure(const struct revoked *r, struct metrics *metrics);

/* What a client gets that says what it holds. */
struct revoked_plan {
    uint8_t kind;   /* enum pep_revoked_kind */
    uint16_t steps; /* frames of steps; after them, with SET, the list */
    size_t first;   /* of them */
};
void revoked_choose(const struct revoked *r, const struct pep_feed *question,
                    struct revoked_plan *ret);
/* Appends the plan's frames. */
void revoked_put(const struct revoked *r, const struct revoked_plan *plan, struct message *out);

#endif
