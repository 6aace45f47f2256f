/*
 * Revoked tokens: one numbered list for the whole installation, signed by operators' keys.
 *
 * An entry names tokens by `jti`, by `sid`, or all of one subject that were issued before a time.
 * The list changes in steps: a step is signed, names the digest of the step before it, the entries
 * that it adds, and the digest of the whole list after it. Numbers rise, by one as a rule; a step
 * may leave some out after a server lost steps that clients have seen. Who has the step before
 * needs only the step; who has
 * none, or has missed many, takes the newest step and the whole list, and compares digests. So the
 * server that passes them on can hold a step back (which notices show, for they name the newest
 * number) but can neither invent an entry nor leave one out.
 *
 * An entry is 33 bytes whatever it names: kind, the first 16 bytes of
 * SHA-256(kind, issuer's length, issuer, value), `before`, `until`. Whoever reads the list learns
 * no name from it. `until` is when no token that it means can be valid any more: the first step
 * made after that drops it, on all machines alike, because a step carries its own time.
 *
 * Lists are immutable; a step makes a new one. Rejected: a Bloom filter (its false positives are
 * refused customers); status lists (RFC drafts), which need an index inside each token; a list per
 * bundle, which lets a token live on where nobody thought of it; the whole list at each change,
 * which is 3.3 MB for each of ten thousand services.
 */
#ifndef PEP_CORE_REVOCATION_H
#define PEP_CORE_REVOCATION_H

#include "envelope.h"

#include <jansson.h>

#define PEP_REVOCATIONS_MAX      100000
#define PEP_REVOCATION_STEP      4096 /* entries added at once */
#define PEP_REVOCATION_KEY       16
#define PEP_REVOCATION_ENTRY     33 /* bytes as it travels */
#define PEP_REVOCATION_SET_MAX   (PEP_REVOCATIONS_MAX * PEP_REVOCATION_ENTRY)
#define PEP_REVOCATION_STEP_SIZE (PEP_REVOCATION_STEP * PEP_REVOCATION_ENTRY + 256) /* signed */

enum pep_revocation_kind { PEP_REVOKE_JTI = 1, PEP_REVOKE_SID = 2, PEP_REVOKE_SUBJECT = 3 };
#define PEP_REVOCATION_KINDS 3

struct pep_revocation {
    uint8_t key[PEP_REVOCATION_KEY];
    uint8_t kind;
    int64_t before; /* SUBJECT: tokens with an earlier `iat`, or none; Unix seconds. Others: 0 */
    int64_t until;  /* Unix seconds */
};

/* 0, or PEP_ENOMEM. */
int pep_revocation_key(enum pep_revocation_kind kind, struct pep_span issuer, struct pep_span value,
                       uint8_t out[PEP_REVOCATION_KEY]);

/* ---- the list ---- */

struct pep_revocations; /* immutable; any thread may look things up */

/* Number 0: nothing was ever revoked. Errors: ENOMEM. */
int pep_revocations_none(struct pep_revocations **ret);
/* The list after the next step. `current` is untouched. Errors: ESIGNATURE, EROLLBACK (not the step
 * after this one), EFORMAT (the list that results is not the one that was signed), ELIMIT, ENOMEM.
 */
int pep_revocations_follow(const struct pep_revocations *current, struct pep_span step,
                           const struct pep_signers *signers, struct pep_revocations **ret,
                           struct pep_error *err);
/* The list that a step names, whole; `above`: numbers up to this one are refused (EROLLBACK). */
int pep_revocations_adopt(struct pep_span step, struct pep_span set, uint64_t above,
                          const struct pep_signers *signers, struct pep_revocations **ret,
                          struct pep_error *err);
/* The same without a signature and as number 0: entries from the own disk whose signer the newest
 * root no longer names. They go on denying until a signed list comes. */
int pep_revocations_keep(struct pep_span set, struct pep_revocations **ret, struct pep_error *err);
/* One more owner; each calls pep_revocations_free(). Any thread. */
struct pep_revocations *pep_revocations_share(struct pep_revocations *r);
void pep_revocations_free(struct pep_revocations *r);

uint64_t pep_revocations_number(const struct pep_revocations *r);
const uint8_t *pep_revocations_digest(const struct pep_revocations *r); /* of its step's body */
int64_t pep_revocations_created(const struct pep_revocations *r);
size_t pep_revocations_added(const struct pep_revocations *r); /* entries that its step brought */
size_t pep_revocations_count(const struct pep_revocations *r);
const struct pep_revocation *pep_revocations_at(const struct pep_revocations *r, size_t i);
struct pep_span pep_revocations_step(const struct pep_revocations *r); /* signed bytes; borrowed */
void pep_revocations_put_set(const struct pep_revocations *r, struct pep_buffer *out);
/* NULL: not in it. */
const struct pep_revocation *pep_revocations_find(const struct pep_revocations *r,
                                                  const uint8_t key[PEP_REVOCATION_KEY]);

/* The next step that is written after this list gets a number above this one too: for a server that
 * lost steps which clients have seen. Not for a list that other threads look at. */
void pep_revocations_skip(struct pep_revocations *r, uint64_t above);
/* Appends the body of the step that adds these entries (any order, repetitions allowed), to be
 * signed by pep_compact_sign() as PEP_TYPE_REVOKED. No entries: the same list under a new
 * signature. Errors: EINVAL (`until` is not after `created`, unknown kind), ELIMIT, ENOMEM. */
int pep_revocation_step_write(const struct pep_revocations *current, int64_t created,
                              const struct pep_revocation *entries, size_t count,
                              struct pep_buffer *out, struct pep_error *err);

/* ---- a token against the list ---- */

/* What the list could know a token by. Made once, when the token is verified. */
struct pep_token_marks {
    uint8_t keys[PEP_REVOCATION_KINDS][PEP_REVOCATION_KEY]; /* by kind - 1 */
    uint8_t has;                                            /* bit kind - 1 */
    bool dated;
    int64_t issued_at; /* iat, floor */
};

/* `claims`: verified. 0, or PEP_ENOMEM. */
int pep_token_marks_read(const char *issuer, const json_t *claims, struct pep_token_marks *ret);
/* The kind of the first entry that means this token; 0: none. */
int pep_token_revoked(const struct pep_revocations *r, const struct pep_token_marks *m);

#endif
