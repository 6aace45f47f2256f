/*
 * See identify.h. The way of a token that is known, not revoked and not bound is one lookup and two
 * comparisons; nothing on it waits, locks or allocates.
 *
 * A bound token is verified and kept without what it is bound to: it is the issuer's, whoever sent
 * it, and who sends it again without its proof must not cost a signature each time.
 */
#include "pep/identify.h"

#include "pep/core/dpop.h"

#include <string.h>

/* How far a clock of an issuer or client may be ahead of ours (`nbf`, `iat`). `exp` is taken as it
 * is. */
#define LEEWAY_S 10

/* A relayed issuer may have a new key: the agent looks for it. */
static void look_for_keys(const struct pep_bearer *b)
{
    if (pep_issuers_relay(pep_policy_issuers(b->active->policy)) && !pep_handle_orphaned(b->p) &&
        !atomic_load_explicit(&b->p->look, memory_order_relaxed)) {
        atomic_store_explicit(&b->p->look, true, memory_order_relaxed);
        pep_handle_wake(b->p);
    }
}

/* Counts why; also what a lookup has been counted for already. */
static enum pep_jwt_reason refuse(const struct pep_bearer *b, enum pep_jwt_reason reason)
{
    if (reason == PEP_JWT_KEY || reason == PEP_JWT_KEYS_ABSENT)
        look_for_keys(b);
    pep_count_refusal(b->p->counters, b->stripe, reason);
    return reason;
}

/* ---- the token itself ---- */

/* The cold path: signature, claims, subject; then into the cache. */
static enum pep_jwt_reason verify(struct pep_bearer *b, struct pep_span token, uint64_t hash)
{
    const struct pep_jwt_expect expect = {.audiences = b->p->audience,
                                          .now = b->now,
                                          .leeway = LEEWAY_S,
                                          .relayed = &b->standing->relayed,
                                          .bindings_later = true};
    enum pep_jwt_reason reason = PEP_JWT_MEMORY;
    struct pep_jwt *jwt = NULL;
    struct pep_subject *subject = NULL;
    if (pep_jwt_verify(pep_policy_issuers(b->active->policy), token, &expect, &jwt, &reason,
                       NULL) != PEP_OK)
        return reason;
    if (b->now >= pep_jwt_expires(jwt)) {
        pep_jwt_free(jwt);
        return PEP_JWT_EXPIRED;
    }
    int r = pep_subject_new(b->active->policy, jwt, &subject, &reason, NULL);
    if (r != PEP_OK) {
        pep_jwt_free(jwt);
        return r == PEP_ETOKEN ? reason : PEP_JWT_MEMORY;
    }
    uint32_t dropped = pep_subject_dropped_roles(subject);
    b->entry = pep_token_entry_new(token, hash, jwt, subject);
    if (b->entry == NULL)
        return PEP_JWT_MEMORY;
    b->own_entry = !pep_token_cache_put(b->active->tokens, b->entry, b->now);
    pep_count_roles_dropped(b->p->counters, b->stripe, dropped);
    if (pep_token_cache_crowded(b->active->tokens) && !pep_handle_orphaned(b->p))
        pep_handle_wake(b->p);
    return PEP_JWT_OK;
}

/* What may have ended a token that once verified: see standing.h. It stays in the cache, so that
 * who goes on using it does not cost a signature each time. */
static enum pep_jwt_reason look_at_standing(const struct pep_bearer *b)
{
    struct pep_token_entry *e = b->entry;
    const struct pep_standing *s = b->standing;
    if (e->relayed != NULL && b->now >= s->relayed.until[e->relayed->index])
        return PEP_JWT_KEYS_ABSENT;
    if (atomic_load_explicit(&e->stood, memory_order_relaxed) == s->turn)
        return PEP_JWT_OK;
    if (pep_token_revoked(s->fed.revocations, &e->marks) != 0)
        return PEP_JWT_REVOKED;
    if (e->relayed != NULL &&
        !pep_jwks_has(pep_issuer_keys(e->relayed, &s->relayed, b->now), e->key, e->alg))
        return PEP_JWT_KEY;
    atomic_store_explicit(&e->stood, s->turn, memory_order_relaxed);
    return PEP_JWT_OK;
}

/* Whose it is, from the cache or verified now; *ret_found: which of the two. */
static enum pep_jwt_reason find(struct pep_bearer *b, enum pep_token_count *ret_found)
{
    size_t size = b->token == NULL ? 0 : strnlen(b->token, PEP_TOKEN_MAX + 1);
    if (size == 0)
        return PEP_JWT_MISSING;
    if (size > PEP_TOKEN_MAX)
        return PEP_JWT_SIZE;
    if (b->standing == NULL)
        return PEP_JWT_MEMORY;
    struct pep_span token = pep_span_of(b->token, size);
    uint64_t hash = pep_token_hash(token);
    b->entry = pep_token_cache_find(b->active->tokens, token, hash, b->now);
    *ret_found = b->entry != NULL ? PEP_TOKEN_HIT : PEP_TOKEN_VERIFIED;
    enum pep_jwt_reason reason = b->entry != NULL ? PEP_JWT_OK : verify(b, token, hash);
    return reason == PEP_JWT_OK ? look_at_standing(b) : reason;
}

/* Once per call; counted as one of known, verified, refused. */
static enum pep_jwt_reason look_up(struct pep_bearer *b)
{
    enum pep_token_count found = PEP_TOKEN_REFUSED;
    enum pep_jwt_reason reason = find(b, &found);
    if (reason == PEP_JWT_REVOKED)
        pep_count_token(b->p->counters, b->stripe, PEP_TOKEN_REVOKED);
    pep_count_token(b->p->counters, b->stripe, reason == PEP_JWT_OK ? found : PEP_TOKEN_REFUSED);
    return reason == PEP_JWT_OK ? reason : refuse(b, reason);
}

/* ---- what it is bound to ---- */

static bool same(const struct pep_dpop_shown *a, const struct pep_dpop_shown *b)
{
    return a->proof != NULL && b->proof != NULL && strcmp(a->proof, b->proof) == 0 &&
           strcmp(a->method, b->method) == 0 && strcmp(a->uri, b->uri) == 0;
}

/* Several items of one call are about one request: its proof counts for all of them. */
static enum pep_jwt_reason check_proof(struct pep_bearer *b, const struct pep_dpop_shown *shown,
                                       const char *jkt)
{
    static const enum pep_jwt_reason answers[] = {[PEP_REPLAY_NEW] = PEP_JWT_OK,
                                                  [PEP_REPLAY_SEEN] = PEP_JWT_PROOF_REPLAY,
                                                  [PEP_REPLAY_FULL] = PEP_JWT_PROOF_ROOM};
    const struct pep_dpop_expect expect = {
        .shown = shown,
        .token = pep_span_of(b->entry->token, b->entry->size),
        .jkt = jkt,
        .now = b->now,
        .window = b->p->settings.proof_window_s,
        .leeway = LEEWAY_S,
    };
    enum pep_jwt_reason reason = PEP_JWT_MEMORY;
    struct pep_dpop_seen seen;
    if (jkt[0] != '\0' && same(&b->proved, shown))
        return PEP_JWT_OK;
    if (pep_dpop_verify(&expect, &seen, &reason, NULL) != PEP_OK)
        return reason;
    if (jkt[0] == '\0')
        return PEP_JWT_OK;
    reason = answers[pep_replay_note(b->p->replay, seen.id, seen.ends, b->now)];
    if (reason == PEP_JWT_OK)
        b->proved = *shown;
    return reason;
}

static enum pep_jwt_reason check_bindings(struct pep_bearer *b, const struct pep_evidence *evidence)
{
    const struct pep_jwt *bound = b->entry->bound;
    if (bound != NULL && !pep_jwt_binding_holds(bound, evidence->peer_cert_sha256))
        return PEP_JWT_BINDING;
    return check_proof(b, &evidence->dpop, bound == NULL ? "" : pep_jwt_jkt(bound));
}

enum pep_jwt_reason pep_identify(struct pep_bearer *b, const struct pep_evidence *evidence)
{
    if (!b->looked_up) {
        b->looked_up = true;
        b->refusal = look_up(b);
    }
    if (b->refusal != PEP_JWT_OK || (b->entry->bound == NULL && evidence->dpop.proof == NULL))
        return b->refusal;
    enum pep_jwt_reason reason = check_bindings(b, evidence);
    return reason == PEP_JWT_OK ? reason : refuse(b, reason);
}
