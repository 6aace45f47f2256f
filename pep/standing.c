/* See standing.h. Keys that the policy pins by thumbprint do not age: nobody can name others. */
#include "pep/standing.h"

#include <stdatomic.h>
#include <stdlib.h>

static uint64_t next_turn(void)
{
    static atomic_uint_fast64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* Unix seconds until when keys seen at `seen` count; 0: they are over. */
static int64_t end_of(const struct pep_issuer *issuer, const struct pep_moment *seen,
                      const struct pep_moment *now)
{
    if (issuer->key_thumbprints.count > 0)
        return INT64_MAX;
    int64_t left = issuer->keys_max_age * 1000 - pep_moment_elapsed(seen, now);
    int64_t end = left > 0 ? (now->wall_ms + left) / 1000 : 0;
    return end > now->wall_ms / 1000 ? end : 0;
}

static int stand_issuer(struct pep_standing *s, const struct pep_issuer *issuer,
                        const struct pep_fed *fed, const struct pep_moment *now,
                        struct pep_error *err)
{
    struct pep_span jwks;
    struct pep_moment seen;
    int r = issuer->keys != NULL ? PEP_ENOTFOUND : pep_fed_issuer(fed, issuer->name, &jwks, &seen);
    int64_t end = r != PEP_OK ? 0 : end_of(issuer, &seen, now);
    if (end == 0)
        return r;
    r = pep_issuer_read_relayed(issuer, jwks, &s->owned[issuer->index], err);
    if (r != PEP_OK)
        return r;
    s->relayed.keys[issuer->index] = s->owned[issuer->index];
    s->relayed.until[issuer->index] = end;
    if (end < s->ends)
        s->ends = end;
    return PEP_OK;
}

struct pep_standing *pep_standing_new(const struct pep_issuers *issuers, const struct pep_fed *fed,
                                      const struct pep_moment *now, struct pep_error *err)
{
    struct pep_standing *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        pep_error_set(err, PEP_ENOMEM, "token keys: no memory");
        return NULL;
    }
    s->turn = next_turn();
    s->ends = INT64_MAX;
    s->fed = pep_fed_share(fed);
    for (size_t i = 0; i < pep_issuers_count(issuers); i++) {
        if (stand_issuer(s, pep_issuers_at(issuers, i), fed, now, err) == PEP_ENOMEM) {
            pep_standing_free(s);
            return NULL;
        }
    }
    return s;
}

void pep_standing_free(struct pep_standing *s)
{
    if (s == NULL)
        return;
    pep_fed_clear(&s->fed);
    for (size_t i = 0; i < PEP_ISSUERS_MAX; i++)
        pep_jwks_free(s->owned[i]);
    free(s);
}
