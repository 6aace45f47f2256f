/*
 * Verified tokens, so that the signature of a token that comes again is not checked again.
 *
 * The key is the whole token: XXH3 with a secret that is random per process finds the bucket, and a
 * comparison of every byte decides. The hash carries no trust; the secret only keeps an attacker
 * from aiming many tokens at one bucket. It reads the end of the token alone, which is the
 * signature: two tokens that both verify differ there, and what does not verify never gets in.
 * Rejected: hashing all of it, which finds the same tokens and took a fifth of a decision. Only
 * tokens whose signature, claims and subject passed get in, so a flood of bad ones evicts nothing;
 * and none is found at or past its `exp`.
 *
 * A fixed table of buckets, each one cache line of hashes and one of pointers to immutable entries;
 * a token can be in one of two neighbouring buckets, so a lookup looks at sixteen hashes at most.
 * Lookups take no lock and write at most one word of the entry (when it was last used). An insert
 * exchanges one pointer; the entry that it pushes out waits on a list until every reader that may
 * see it has left. Rejected: a map that grows (unbounded under a flood), a lock per shard (a reader
 * would write it), SHA-256 as key (seven times the time of the compare).
 */
#ifndef PEP_TOKEN_CACHE_H
#define PEP_TOKEN_CACHE_H

#include "pep/core/engine.h"
#include "pep/core/jwt.h"
#include "pep/core/revocation.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEP_TOKEN_CACHE_MIN     16
#define PEP_TOKEN_CACHE_MAX     (1024 * 1024)
#define PEP_TOKEN_CACHE_DEFAULT 4096
#define PEP_TOKEN_RETIRED_MAX   1024 /* pushed out and not yet freed; then nothing is pushed out */

/* One verified token. Constant once it is in the cache, but for `used` and `stood`. */
struct pep_token_entry {
    /* What each decision reads comes first, together. */
    uint64_t hash;
    size_t size;
    int64_t expires; /* Unix seconds */
    atomic_uint_fast32_t used;
    atomic_uint_fast64_t stood; /* pep_standing.turn when it was last looked at; 0: never */
    struct pep_subject *subject;
    struct pep_jwt *bound;            /* kept only for a token with a binding (cnf); else NULL */
    const struct pep_issuer *relayed; /* its issuer, if keys of that come beside the policy */
    struct pep_token_marks marks;
    char key[PEP_THUMBPRINT_TEXT]; /* that signed it, as `alg` */
    enum pep_alg alg;
    struct pep_token_entry *next_retired;
    uint8_t token[];
};

struct pep_token_cache;

/* Draws the process's hash secret, once. Before any other call here. Errors: EIO. */
int pep_token_hash_start(void);
uint64_t pep_token_hash(struct pep_span token);

/* Takes jwt and subject, also on failure (NULL: no memory). */
struct pep_token_entry *pep_token_entry_new(struct pep_span token, uint64_t hash,
                                            struct pep_jwt *jwt, struct pep_subject *subject);
void pep_token_entry_free(struct pep_token_entry *e);

/* Room for `capacity` tokens, rounded up to a power of two; NULL: no memory. */
struct pep_token_cache *pep_token_cache_new(size_t capacity);
/* Nobody reads any more. */
void pep_token_cache_free(struct pep_token_cache *c);

/* Both inside pep_readers_enter()/leave(): what they see stays until then. */
struct pep_token_entry *pep_token_cache_find(struct pep_token_cache *c, struct pep_span token,
                                             uint64_t hash, int64_t now);
/* True if the cache has taken the entry. False: it stays the caller's (the same token is there
 * already, or nothing can be pushed out at the moment). */
bool pep_token_cache_put(struct pep_token_cache *c, struct pep_token_entry *e, int64_t now);

/* The agent: the entries pushed out so far, to be freed by pep_token_retired_free() once all
 * readers of this moment have left; NULL if there are none. */
struct pep_token_entry *pep_token_cache_take_retired(struct pep_token_cache *c);
void pep_token_retired_free(struct pep_token_cache *c, struct pep_token_entry *list);
/* True while so many wait that the agent should hurry. */
bool pep_token_cache_crowded(const struct pep_token_cache *c);
/* Entries now in the table, by counting. */
size_t pep_token_cache_count(const struct pep_token_cache *c);

#endif
