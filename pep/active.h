/*
 * The active policy: the compiled policy, what its manifest says about it, the tokens verified
 * under it, and when it was last proved to be the assigned version. One pointer in the handle leads
 * to it; replacing a policy replaces all of this at once, so that a decision never mixes two
 * versions.
 *
 * Everything but the proof and the standing is constant. The proof is two words that only rise; a
 * reader that sees one old and one new word sees an age that was true a moment ago.
 */
#ifndef PEP_ACTIVE_H
#define PEP_ACTIVE_H

#include "pep/clock.h"
#include "pep/core/bundle.h"
#include "pep/core/engine.h"
#include "pep/standing.h"
#include "pep/token_cache.h"

#include "pep.h"

#include <stdatomic.h>

struct pep_active {
    struct pep_policy *policy;
    struct pep_token_cache *tokens;
    /* The agent replaces it. NULL: there was no memory for it, so no token stands. */
    _Atomic(struct pep_standing *) standing;
    char name[PEP_NAME_MAX + 1];
    uint32_t epoch;
    uint64_t version;
    uint8_t digest[PEP_SHA256_SIZE];
    int64_t expires_ms; /* Unix time, of the manifest */
    bool ageless;       /* PEP_FILE: nobody assigns versions, so only `expires` counts */
    int64_t max_stale_ms;
    int64_t stale_after_ms;
    atomic_llong proof_wall_ms, proof_boot_ms;
    atomic_bool confirmed; /* proved in this process, not read from the cache */
};

struct pep_active_limits {
    struct pep_engine_options engine;
    size_t token_cache;
    bool ageless;
    uint32_t max_stale_s; /* 0: the bundle's; else the smaller of the two */
    uint32_t stale_after_ms;
};

/* Compiles. Errors: EPOLICY, ENOMEM, ELIMIT, ELUA. */
int pep_active_new(const struct pep_bundle *bundle, const struct pep_active_limits *limits,
                   struct pep_active **ret, struct pep_error *err);
void pep_active_free(struct pep_active *a);

/* Never moves a proof back. One thread. */
void pep_active_prove(struct pep_active *a, const struct pep_moment *when, bool confirmed);
/* 0 for one that has no age; INT64_MAX if never proved. */
int64_t pep_active_age_ms(const struct pep_active *a, const struct pep_moment *now);
/* FRESH, SYNCING, STALE or EXPIRED, for an age from pep_active_age_ms(). */
pep_state pep_active_state(const struct pep_active *a, int64_t age_ms,
                           const struct pep_moment *now);
/* Unix milliseconds since when it is in this state, as far as the proof tells; 0: unknown. */
int64_t pep_active_state_since_ms(const struct pep_active *a, pep_state state);

#endif
