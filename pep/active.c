/* The active policy and its age: see active.h. Time comes from the caller, once per decision. */
#include "pep/active.h"

#include <stdlib.h>
#include <string.h>

static void describe(struct pep_active *a, const struct pep_manifest *m,
                     const struct pep_active_limits *limits)
{
    size_t n = strnlen(pep_manifest_name(m), PEP_NAME_MAX);
    memcpy(a->name, pep_manifest_name(m), n);
    a->epoch = pep_manifest_epoch(m);
    a->version = pep_manifest_version(m);
    memcpy(a->digest, pep_manifest_digest(m), sizeof(a->digest));
    int64_t expires = pep_manifest_expires(m);
    a->expires_ms = expires > INT64_MAX / 1000 ? INT64_MAX : expires * 1000;
    uint32_t max_stale = pep_manifest_max_stale(m);
    if (limits->max_stale_s != 0 && limits->max_stale_s < max_stale)
        max_stale = limits->max_stale_s;
    a->max_stale_ms = (int64_t)max_stale * 1000;
    a->stale_after_ms = limits->stale_after_ms;
    a->ageless = limits->ageless;
}

int pep_active_new(const struct pep_bundle *bundle, const struct pep_active_limits *limits,
                   struct pep_active **ret, struct pep_error *err)
{
    struct pep_active *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return pep_error_set(err, PEP_ENOMEM, "policy: no memory");
    describe(a, pep_bundle_manifest(bundle), limits);
    int r = pep_policy_compile(bundle, &limits->engine, &a->policy, NULL, err);
    if (r == PEP_OK && (a->tokens = pep_token_cache_new(limits->token_cache)) == NULL)
        r = pep_error_set(err, PEP_ENOMEM, "token cache: no memory");
    if (r != PEP_OK) {
        pep_active_free(a);
        return r;
    }
    *ret = a;
    return PEP_OK;
}

void pep_active_free(struct pep_active *a)
{
    if (a == NULL)
        return;
    pep_token_cache_free(a->tokens); /* its subjects belong to the policy */
    pep_policy_free(a->policy);
    pep_standing_free(atomic_load(&a->standing));
    free(a);
}

static void raise_to(atomic_llong *word, int64_t value)
{
    if (atomic_load_explicit(word, memory_order_relaxed) < value)
        atomic_store_explicit(word, value, memory_order_relaxed);
}

void pep_active_prove(struct pep_active *a, const struct pep_moment *when, bool confirmed)
{
    raise_to(&a->proof_boot_ms, when->boot_ms);
    raise_to(&a->proof_wall_ms, when->wall_ms);
    if (confirmed)
        atomic_store_explicit(&a->confirmed, true, memory_order_relaxed);
}

int64_t pep_active_age_ms(const struct pep_active *a, const struct pep_moment *now)
{
    if (a->ageless)
        return 0;
    struct pep_moment proof = {atomic_load_explicit(&a->proof_wall_ms, memory_order_relaxed),
                               atomic_load_explicit(&a->proof_boot_ms, memory_order_relaxed)};
    return pep_moment_elapsed(&proof, now);
}

pep_state pep_active_state(const struct pep_active *a, int64_t age_ms, const struct pep_moment *now)
{
    if (now->wall_ms >= a->expires_ms)
        return PEP_EXPIRED;
    if (a->ageless)
        return PEP_FRESH;
    if (age_ms > a->max_stale_ms)
        return PEP_EXPIRED;
    if (age_ms > a->stale_after_ms)
        return PEP_STALE;
    return atomic_load_explicit(&a->confirmed, memory_order_relaxed) ? PEP_FRESH : PEP_SYNCING;
}

int64_t pep_active_state_since_ms(const struct pep_active *a, pep_state state)
{
    int64_t proof = atomic_load_explicit(&a->proof_wall_ms, memory_order_relaxed);
    if (state == PEP_STALE && proof > 0)
        return proof + a->stale_after_ms;
    if (state == PEP_EXPIRED && !a->ageless && proof > 0)
        return proof + a->max_stale_ms < a->expires_ms ? proof + a->max_stale_ms : a->expires_ms;
    return state == PEP_EXPIRED ? a->expires_ms : 0;
}
