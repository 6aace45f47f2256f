/* A set of token keys: see keys.h. Looked up by comparing, not by hashing: a set has a handful of
 * keys, and a kid is bytes to compare and nothing else, never a path, a query or a URL. */
#include "issuers.h"
#include "keys_jwk.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

struct pep_jwks {
    struct pep_jwk *keys;
    size_t count, ignored;
};

static bool same_name(const struct pep_jwk *a, const struct pep_jwk *b)
{
    return a->alg == b->alg && a->kid_size == b->kid_size && a->kid_size > 0 &&
           memcmp(a->kid, b->kid, a->kid_size) == 0;
}

static int append_key(struct pep_jwks *set, const struct pep_jwk_source *src, struct pep_jwk *key)
{
    if (key->alg == PEP_ALG_NONE) {
        set->ignored++;
        return PEP_OK;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (same_name(&set->keys[i], key)) {
            int r = pep_jwk_refuse(src, PEP_EFORMAT, "a second key with the kid ", key->kid);
            pep_jwk_clear(key);
            return r;
        }
    }
    set->keys[set->count++] = *key;
    return PEP_OK;
}

/* How to take a set: as a whole or not at all, or what is usable of it. */
struct taking {
    bool usable;
    const struct pep_strings *pinned;
};

static bool is_pinned(const struct taking *taking, const struct pep_jwk *key)
{
    return taking->pinned == NULL || key->alg == PEP_ALG_NONE ||
           pep_strings_has(taking->pinned, pep_span_string(key->thumbprint));
}

static int read_one(const struct pep_jwk_source *src, const json_t *jwk,
                    const struct taking *taking, struct pep_jwks *set)
{
    struct pep_jwk key = {.alg = PEP_ALG_NONE};
    int r = pep_jwk_read(src, jwk, &key);
    if (r == PEP_OK && !is_pinned(taking, &key)) {
        pep_jwk_clear(&key);
        key.alg = PEP_ALG_NONE;
    }
    if (r == PEP_OK)
        r = append_key(set, src, &key);
    if (r == PEP_OK || r == PEP_ENOMEM || !taking->usable)
        return r;
    set->ignored++;
    return PEP_OK;
}

static int read_set(const json_t *array, const char *what, const struct taking *taking,
                    struct pep_jwks *set, struct pep_error *err)
{
    size_t n = json_array_size(array);
    set->keys = calloc(n + 1, sizeof(*set->keys));
    if (set->keys == NULL)
        return pep_error_set(err, PEP_ENOMEM, "%s: no memory", what);
    int r = PEP_OK;
    struct pep_error why = PEP_ERROR_INIT; /* of the first key that is no good */
    for (size_t i = 0; r == PEP_OK && i < n; i++) {
        struct pep_jwk_source src = {what, i, &why, PEP_ALG_NONE};
        r = read_one(&src, json_array_get(array, i), taking, set);
    }
    if (r == PEP_OK && taking->usable && set->count == 0)
        return pep_error_set(err, PEP_EFORMAT, "%s: none of the %zu keys may be used%s%s", what,
                             set->ignored, why.code == PEP_OK ? "" : "; ", why.text);
    return r == PEP_OK ? r : pep_error_set(err, r, "%s", pep_error_text(&why));
}

static int take(const json_t *document, const char *what, const struct taking *taking,
                struct pep_jwks **ret, struct pep_error *err)
{
    const json_t *array = json_object_get(document, "keys");
    if (!json_is_array(array))
        return pep_error_set(err, PEP_EFORMAT, "%s: a JWKS is {\"keys\": [...]}", what);
    if (json_array_size(array) > PEP_JWKS_KEYS)
        return pep_error_set(err, PEP_ELIMIT, "%s: more than %d keys", what, PEP_JWKS_KEYS);
    struct pep_jwks *set = calloc(1, sizeof(*set));
    if (set == NULL)
        return pep_error_set(err, PEP_ENOMEM, "%s: no memory", what);
    ERR_set_mark();
    int r = read_set(array, what, taking, set, err);
    ERR_pop_to_mark();
    if (r != PEP_OK)
        pep_jwks_free(set);
    else
        *ret = set;
    return r;
}

int pep_jwks_read(const json_t *document, const char *what, struct pep_jwks **ret,
                  struct pep_error *err)
{
    return take(document, what, &(struct taking){false, NULL}, ret, err);
}

int pep_jwks_read_usable(const json_t *document, const char *what, const struct pep_strings *pinned,
                         struct pep_jwks **ret, struct pep_error *err)
{
    return take(document, what, &(struct taking){true, pinned}, ret, err);
}

void pep_jwks_free(struct pep_jwks *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++)
        pep_jwk_clear(&keys->keys[i]);
    free(keys->keys);
    free(keys);
}

size_t pep_jwks_count(const struct pep_jwks *keys)
{
    return keys == NULL ? 0 : keys->count;
}

size_t pep_jwks_ignored(const struct pep_jwks *keys)
{
    return keys == NULL ? 0 : keys->ignored;
}

const struct pep_jwk *pep_jwks_at(const struct pep_jwks *keys, size_t i)
{
    return i < pep_jwks_count(keys) ? &keys->keys[i] : NULL;
}

const struct pep_jwk *pep_jwks_find(const struct pep_jwks *keys, const struct pep_span *kid,
                                    enum pep_alg alg)
{
    const struct pep_jwk *found = NULL;
    if (kid != NULL && kid->size == 0)
        return NULL;
    for (size_t i = 0; i < pep_jwks_count(keys); i++) {
        const struct pep_jwk *key = &keys->keys[i];
        if (key->alg != alg)
            continue;
        if (kid != NULL && !pep_span_equal(*kid, pep_span_of(key->kid, key->kid_size)))
            continue;
        if (found != NULL)
            return NULL;
        found = key;
    }
    return found;
}

bool pep_jwks_has(const struct pep_jwks *keys, const char *thumbprint, enum pep_alg alg)
{
    for (size_t i = 0; i < pep_jwks_count(keys); i++) {
        if (keys->keys[i].alg == alg && strcmp(keys->keys[i].thumbprint, thumbprint) == 0)
            return true;
    }
    return false;
}

const char *pep_jwk_thumbprint(const struct pep_jwk *key)
{
    return key->thumbprint;
}

const char *pep_jwk_id(const struct pep_jwk *key)
{
    return key->kid;
}

enum pep_alg pep_jwk_algorithm(const struct pep_jwk *key)
{
    return key->alg;
}

/* ---- one key that somebody shows ---- */

int pep_jwk_read_shown(const json_t *jwk, enum pep_alg alg, struct pep_jwk **ret,
                       struct pep_error *err)
{
    static const char *const private[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    struct pep_jwk_source src = {"jwk", 0, err, alg};
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
        if (json_object_get(jwk, private[i]) != NULL)
            return pep_jwk_refuse(&src, PEP_EFORMAT, "has a private member: ", private[i]);
    }
    struct pep_jwk *key = calloc(1, sizeof(*key));
    if (key == NULL)
        return pep_jwk_refuse(&src, PEP_ENOMEM, "no memory", "");
    int r = pep_jwk_read(&src, jwk, key);
    if (r == PEP_OK && key->alg != alg)
        r = pep_jwk_refuse(&src, PEP_EFORMAT, "is not one for ", pep_alg_name(alg));
    if (r == PEP_OK)
        *ret = key;
    else
        pep_jwk_free(key);
    return r;
}

void pep_jwk_free(struct pep_jwk *key)
{
    if (key == NULL)
        return;
    pep_jwk_clear(key);
    free(key);
}
