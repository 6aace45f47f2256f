/*
 * The active policy: the compiled policy, what its manifest says about it, the tokens verified
 * under it, and when it was last proved to be the assigned version. One pointer in the handle leads
 * to it; replacing a policy replaces all of this at once, so that a decision never mixes two
 * versions.
 *
 * Everything but the proof is constant. The proof is two words that only rise; a reader that sees
 * one old and one new word sees an age that was true a moment ago.
 */
#ifndef PEP_ACTIVE_H
#define PEP_ACTIVE_H

#include "pep/clock.h"
#include "pep/core/bundle.h"
#include "pep/core/engine.h"
#include "pep/token_cache.h"

#include "pep.h"

#include <stdatomic.h>

struct pep_active {
    struct pep_policy *policy;
    struct pep_token_cache *tokens;
    char name[PEP_NAME_MAX + 1];
    uint32_t epoch;
    uint64_t version;
    uint8_t digest[PEP_SHA256_SIZE];
    int64_t expires_ms;     /* Unix time, of the manifest */
    int64_t max_stale_ms;   /* the smaller of bundle and option; 0: has no age (PEP_FILE) */
    int64_t stale_after_ms; /* 0: has no age (PEP_FILE) */
    atomic_llong proof_wall_ms, proof_boot_ms;
    atomic_bool confirmed; /* proved in this process, not read from the cache */
};

/* Errors as pep_handle_activate(). */
int pep_active_new(const struct pep_bundle *bundle, const struct pep_engine_options *options,
                   size_t token_cache, struct pep_active **ret, struct pep_error *err);
void pep_active_free(struct pep_active *a);

void pep_active_prove(struct pep_active *a, const struct pep_moment *when);
/* 0 for one that has no age; INT64_MAX if never proved. */
int64_t pep_active_age_ms(const struct pep_active *a, const struct pep_moment *now);
/* FRESH, SYNCING, STALE or EXPIRED. */
pep_state pep_active_state(const struct pep_active *a, const struct pep_moment *now);
bool pep_active_stale(const struct pep_active *a, int64_t age_ms);

#endif
