/* See fed.h. */
#include "pep/fed.h"

#include <stdlib.h>
#include <string.h>

int pep_fed_new(struct pep_fed *ret)
{
    *ret = (struct pep_fed){NULL, NULL};
    return pep_revocations_none(&ret->revocations);
}

static void release_keys(struct pep_fed_keys *k)
{
    if (k != NULL && atomic_fetch_sub(&k->owners, 1) == 1)
        free(k);
}

static struct pep_fed_keys *share_keys(struct pep_fed_keys *k)
{
    if (k != NULL)
        atomic_fetch_add(&k->owners, 1);
    return k;
}

void pep_fed_clear(struct pep_fed *f)
{
    pep_revocations_free(f->revocations);
    pep_fed_drop_keys(f);
    f->revocations = NULL;
}

void pep_fed_drop_keys(struct pep_fed *f)
{
    release_keys(f->keys);
    f->keys = NULL;
}

struct pep_fed pep_fed_share(const struct pep_fed *f)
{
    return (struct pep_fed){pep_revocations_share(f->revocations), share_keys(f->keys)};
}

/* Lists without a number are those whose signer is gone: the longer one denies more. */
static bool is_newer_list(const struct pep_revocations *a, const struct pep_revocations *b)
{
    uint64_t m = pep_revocations_number(a), n = pep_revocations_number(b);
    return m > n || (m == 0 && n == 0 && pep_revocations_count(a) > pep_revocations_count(b));
}

void pep_fed_raise(struct pep_fed *f, const struct pep_fed *other)
{
    if (is_newer_list(other->revocations, f->revocations)) {
        pep_revocations_free(f->revocations);
        f->revocations = pep_revocations_share(other->revocations);
    }
    if (other->keys != NULL &&
        (f->keys == NULL || other->keys->asked.boot_ms > f->keys->asked.boot_ms)) {
        release_keys(f->keys);
        f->keys = share_keys(other->keys);
    }
}

static bool is_answer(const struct pep_keys *k, const struct pep_keys_origin *origin)
{
    return strcmp(k->bundle, origin->bundle) == 0 &&
           (origin->nonce == NULL || memcmp(k->nonce, origin->nonce, sizeof(k->nonce)) == 0);
}

/* Reads the copy that `k` holds. */
static int open_keys(struct pep_fed_keys *k, const struct pep_keys_origin *origin)
{
    struct pep_signers beacon = pep_root_signers(origin->root, PEP_ROLE_BEACON);
    struct pep_span body;
    int r = pep_compact_verify(pep_span_of(k->message, k->size), PEP_TYPE_KEYS, &beacon, &body);
    if (r == PEP_OK)
        r = pep_keys_read(body, &k->keys);
    return r == PEP_OK && !is_answer(&k->keys, origin) ? PEP_EROLLBACK : r;
}

int pep_fed_take_keys(struct pep_fed *f, struct pep_span message,
                      const struct pep_keys_origin *origin)
{
    struct pep_fed_keys *k = malloc(sizeof(*k) + message.size);
    if (k == NULL)
        return PEP_ENOMEM;
    atomic_init(&k->owners, 1);
    k->asked = origin->asked;
    k->size = message.size;
    if (message.size > 0)
        memcpy(k->message, message.data, message.size);
    int r = open_keys(k, origin);
    if (r != PEP_OK) {
        free(k);
        return r;
    }
    release_keys(f->keys);
    f->keys = k;
    return PEP_OK;
}

int pep_fed_trusts_keys(const struct pep_fed *f, const struct pep_root *root)
{
    struct pep_signers beacon = pep_root_signers(root, PEP_ROLE_BEACON);
    struct pep_span body;
    return pep_compact_verify(pep_span_of(f->keys->message, f->keys->size), PEP_TYPE_KEYS, &beacon,
                              &body);
}

int pep_fed_issuer(const struct pep_fed *f, const char *name, struct pep_span *ret_jwks,
                   struct pep_moment *ret_seen)
{
    uint8_t hash[PEP_SHA256_SIZE];
    const struct pep_fed_keys *k = f->keys;
    if (k == NULL)
        return PEP_ENOTFOUND;
    if (pep_sha256(pep_span_string(name), hash) != PEP_OK)
        return PEP_ENOMEM;
    for (size_t i = 0; i < k->keys.count; i++) {
        const struct pep_relayed_keys *one = &k->keys.issuers[i];
        if (memcmp(one->issuer, hash, sizeof(hash)) != 0)
            continue;
        /* By the server's clock alone, so that ours may differ from it. */
        int64_t age = k->keys.issued_at > one->fetched_at ? k->keys.issued_at - one->fetched_at : 0;
        *ret_jwks = one->jwks;
        *ret_seen = (struct pep_moment){k->asked.wall_ms - age, k->asked.boot_ms - age};
        return PEP_OK;
    }
    return PEP_ENOTFOUND;
}
