/*
 * Verified tokens, so that the signature of a token that comes again is not checked again.
 *
 * The key is the whole token: XXH3 with a secret that is random per process finds the bucket, and a
 * comparison of every byte decides. The hash carries no trust; the secret only keeps an attacker
 * from aiming many tokens at one bucket. Only tokens whose signature, claims and subject passed get
 * in, so a flood of bad ones evicts nothing; and never past `exp`.
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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEP_TOKEN_CACHE_MIN 16
#define PEP_TOKEN_CACHE_MAX (1024 * 1024)

struct pep_token_cache;
struct pep_readers;

/* One verified token. Immutable while it can be found; owns jwt and subject. */
struct pep_token_entry;

/* Room for about `capacity` tokens. Errors: ENOMEM, EIO (no random bytes). */
int pep_token_cache_new(size_t capacity, struct pep_token_cache **ret);
/* Nobody reads any more. */
void pep_token_cache_free(struct pep_token_cache *c);

#endif
