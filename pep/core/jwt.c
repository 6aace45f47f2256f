/*
 * The order in which a token is verified, and who owns what: see jwt.h.
 *
 *     split -> header -> could anybody have signed this? -> payload -> issuer -> type -> key
 *           -> signature -> claims -> what it is bound to
 *
 * The payload is parsed once, strictly, before the signature, because `iss` picks the key; that one
 * parsed object is what the claims are read from later, so that no second reading can disagree. On
 * every failure it is gone before anybody sees it.
 *
 * Rejected: an outside JWT library. What is needed here is small, and the known attacks on such
 * libraries come from generality (symmetric keys, key types by header, JSON forms, encryption).
 */
#include "dpop.h"
#include "jwt_parts.h"

#include <stdlib.h>
#include <string.h>

static int check_signature(struct pep_jwt_check *check, const struct pep_jwk *key,
                           const struct pep_jwt_parts *parts)
{
    uint8_t bytes[PEP_TOKEN_SIGNATURE_MAX + 4];
    size_t size;
    if (parts->signature.size > (PEP_TOKEN_SIGNATURE_MAX * 4 + 2) / 3)
        return pep_jwt_refuse(check, PEP_JWT_SIGNATURE, "longer than any signature");
    if (pep_base64url_decode(parts->signature, bytes, &size) != PEP_OK)
        return pep_jwt_refuse(check, PEP_JWT_SHAPE, "signature: not canonical base64url");
    if (!pep_jwk_verify(key, parts->alg, parts->signed_text, pep_span_of(bytes, size)))
        return pep_jwt_refuse(check, PEP_JWT_SIGNATURE, "not made by key %s of the issuer",
                              pep_jwk_thumbprint(key));
    return PEP_OK;
}

static int refuse_key(struct pep_jwt_check *check, const struct pep_jwt_parts *parts)
{
    if (!parts->has_kid)
        return pep_jwt_refuse(check, PEP_JWT_KEY,
                              "without `kid` there must be exactly one key for %s",
                              pep_alg_name(parts->alg));
    return pep_jwt_refuse(check, PEP_JWT_KEY, "no key with kid `%.*s` for %s",
                          (int)(parts->kid.size > 64 ? 64 : parts->kid.size),
                          (const char *)parts->kid.data, pep_alg_name(parts->alg));
}

static int find_issuer(struct pep_jwt_check *check, const struct pep_issuers *issuers,
                       struct pep_jwt *jwt)
{
    const json_t *iss = json_object_get(jwt->claims, "iss");
    if (!json_is_string(iss))
        return pep_jwt_refuse(check, PEP_JWT_ISSUER, "`iss` must be a string");
    jwt->issuer =
        pep_issuers_find(issuers, pep_span_of(json_string_value(iss), json_string_length(iss)));
    if (jwt->issuer == NULL)
        return pep_jwt_refuse(check, PEP_JWT_ISSUER, "`%.128s` is not in issuers.json",
                              json_string_value(iss));
    return PEP_OK;
}

/* Everything that the issuer's entry decides before the claims may be believed. */
static int check_origin(struct pep_jwt_check *check, const struct pep_jwt_parts *parts,
                        const struct pep_jwt_expect *expect, struct pep_jwt *jwt)
{
    const struct pep_issuer *issuer = jwt->issuer;
    if ((issuer->algorithms & 1U << parts->alg) == 0)
        return pep_jwt_refuse(check, PEP_JWT_ALGORITHM, "%s is not in the issuer's `algorithms`",
                              pep_alg_name(parts->alg));
    int r = pep_jwt_check_type(check, parts, issuer);
    if (r != PEP_OK)
        return r;
    const struct pep_jwks *keys = pep_issuer_keys(issuer, expect->relayed, expect->now);
    if (keys == NULL)
        return pep_jwt_refuse(check, PEP_JWT_KEYS_ABSENT,
                              "the issuer's keys have not arrived, or are too old");
    const struct pep_jwk *key =
        pep_jwks_find(keys, parts->has_kid ? &parts->kid : NULL, parts->alg);
    if (key == NULL)
        return refuse_key(check, parts);
    memcpy(jwt->thumbprint, pep_jwk_thumbprint(key), sizeof(jwt->thumbprint));
    jwt->alg = parts->alg;
    return check_signature(check, key, parts);
}

/* False if no issuer could have signed under this kid and algorithm: refuses made-up tokens before
 * their payload costs anything. An issuer whose keys are absent lets them pass, for its reason. */
static bool key_exists(const struct pep_issuers *issuers, const struct pep_jwt_parts *parts,
                       const struct pep_jwt_expect *expect)
{
    const struct pep_span *kid = parts->has_kid ? &parts->kid : NULL;
    for (size_t i = 0; i < pep_issuers_count(issuers); i++) {
        const struct pep_issuer *issuer = pep_issuers_at(issuers, i);
        const struct pep_jwks *keys = pep_issuer_keys(issuer, expect->relayed, expect->now);
        bool listed = (issuer->algorithms & 1U << parts->alg) != 0;
        if (listed && (keys == NULL || pep_jwks_find(keys, kid, parts->alg) != NULL))
            return true;
    }
    return false;
}

/* Both members of `cnf`, if it has both. */
static int check_bindings(struct pep_jwt_check *check, const struct pep_jwt_parts *parts,
                          const struct pep_jwt_expect *expect, const struct pep_jwt *jwt)
{
    const uint8_t *from = parts->header.data;
    const uint8_t *to = parts->signature.data + parts->signature.size;
    if (!pep_jwt_binding_holds(jwt, expect->peer_cert_sha256))
        return pep_jwt_refuse(check, PEP_JWT_BINDING, "bound to %s client certificate",
                              expect->peer_cert_sha256 == NULL ? "a" : "another");
    const struct pep_dpop_expect proof = {
        .shown = expect->dpop,
        .token = pep_span_of(from, (size_t)(to - from)),
        .jkt = jwt->jkt,
        .now = expect->now,
        .window = expect->dpop_window != 0 ? expect->dpop_window : PEP_DPOP_WINDOW_DEFAULT,
        .leeway = expect->leeway,
    };
    struct pep_dpop_seen seen;
    return pep_dpop_verify(&proof, &seen, &check->reason, check->err);
}

static int verify_parts(struct pep_jwt_check *check, const struct pep_issuers *issuers,
                        struct pep_jwt_parts *parts, const struct pep_jwt_expect *expect,
                        struct pep_jwt **ret)
{
    int r = pep_jwt_read_header(check, parts);
    if (r != PEP_OK)
        return r;
    if (!pep_issuers_list(issuers, parts->alg))
        return pep_jwt_refuse(check, PEP_JWT_ALGORITHM, "no issuer lists %s",
                              pep_alg_name(parts->alg));
    if (!key_exists(issuers, parts, expect))
        return refuse_key(check, parts);
    struct pep_jwt *jwt = calloc(1, sizeof(*jwt));
    if (jwt == NULL)
        return pep_jwt_refuse(check, PEP_JWT_MEMORY, "no memory");
    r = pep_jwt_read_object(check, parts->payload, PEP_JWT_PAYLOAD, &jwt->claims);
    if (r == PEP_OK)
        r = find_issuer(check, issuers, jwt);
    if (r == PEP_OK)
        r = check_origin(check, parts, expect, jwt);
    if (r == PEP_OK)
        r = pep_jwt_check_claims(check, expect, jwt);
    if (r == PEP_OK && !expect->bindings_later)
        r = check_bindings(check, parts, expect, jwt);
    if (r == PEP_OK)
        *ret = jwt;
    else
        pep_jwt_free(jwt);
    return r;
}

int pep_jwt_verify(const struct pep_issuers *issuers, struct pep_span token,
                   const struct pep_jwt_expect *expect, struct pep_jwt **ret,
                   enum pep_jwt_reason *ret_reason, struct pep_error *err)
{
    struct pep_jwt_check check = {PEP_JWT_OK, err};
    struct pep_jwt_parts parts = {.header_json = NULL};
    int r = pep_jwt_split(&check, token, &parts);
    if (r == PEP_OK)
        r = verify_parts(&check, issuers, &parts, expect, ret);
    json_decref(parts.header_json);
    if (r != PEP_OK && ret_reason != NULL)
        *ret_reason = check.reason;
    return r;
}

void pep_jwt_free(struct pep_jwt *jwt)
{
    if (jwt == NULL)
        return;
    json_decref(jwt->claims);
    free(jwt);
}

const json_t *pep_jwt_claims(const struct pep_jwt *jwt)
{
    return jwt->claims;
}

const struct pep_issuer *pep_jwt_issuer(const struct pep_jwt *jwt)
{
    return jwt->issuer;
}

int64_t pep_jwt_expires(const struct pep_jwt *jwt)
{
    return jwt->expires;
}

const char *pep_jwt_key(const struct pep_jwt *jwt)
{
    return jwt->thumbprint;
}

enum pep_alg pep_jwt_algorithm(const struct pep_jwt *jwt)
{
    return jwt->alg;
}

bool pep_jwt_bound(const struct pep_jwt *jwt)
{
    return jwt->certified || jwt->jkt[0] != '\0';
}

const char *pep_jwt_jkt(const struct pep_jwt *jwt)
{
    return jwt->jkt;
}

bool pep_jwt_binding_holds(const struct pep_jwt *jwt, const unsigned char *peer_cert_sha256)
{
    return !jwt->certified || (peer_cert_sha256 != NULL &&
                               memcmp(jwt->binding, peer_cert_sha256, sizeof(jwt->binding)) == 0);
}

/* ---- for tools ---- */

static int verify_alone(struct pep_jwt_check *check, const struct pep_jwks *keys,
                        struct pep_jwt_parts *parts)
{
    int r = pep_jwt_read_header(check, parts);
    if (r != PEP_OK)
        return r;
    const struct pep_jwk *key =
        pep_jwks_find(keys, parts->has_kid ? &parts->kid : NULL, parts->alg);
    return key == NULL ? refuse_key(check, parts) : check_signature(check, key, parts);
}

int pep_jwt_verify_signature(const struct pep_jwks *keys, struct pep_span token, uint8_t **ret,
                             size_t *ret_size, enum pep_jwt_reason *ret_reason,
                             struct pep_error *err)
{
    struct pep_jwt_check check = {PEP_JWT_OK, err};
    struct pep_jwt_parts parts = {.header_json = NULL};
    int r = pep_jwt_split(&check, token, &parts);
    if (r == PEP_OK)
        r = verify_alone(&check, keys, &parts);
    uint8_t *payload = NULL;
    size_t size = 0;
    if (r == PEP_OK && (payload = malloc(pep_base64_room(parts.payload.size) + 1)) == NULL)
        r = pep_jwt_refuse(&check, PEP_JWT_MEMORY, "no memory");
    if (r == PEP_OK && pep_base64url_decode(parts.payload, payload, &size) != PEP_OK)
        r = pep_jwt_refuse(&check, PEP_JWT_SHAPE, "payload: not canonical base64url");
    json_decref(parts.header_json);
    if (r == PEP_OK) {
        payload[size] = '\0';
        *ret = payload;
        *ret_size = size;
        return r;
    }
    free(payload);
    if (ret_reason != NULL)
        *ret_reason = check.reason;
    return r;
}

int pep_jwt_decode_unverified(struct pep_span token, json_t **ret_header, json_t **ret_claims,
                              struct pep_error *err)
{
    struct pep_jwt_check check = {PEP_JWT_OK, err};
    struct pep_jwt_parts parts = {.header_json = NULL};
    json_t *header = NULL, *claims = NULL;
    int r = pep_jwt_split(&check, token, &parts);
    if (r == PEP_OK)
        r = pep_jwt_read_object(&check, parts.header, PEP_JWT_HEADER, &header);
    if (r == PEP_OK)
        r = pep_jwt_read_object(&check, parts.payload, PEP_JWT_PAYLOAD, &claims);
    if (r != PEP_OK) {
        json_decref(header);
        return r;
    }
    *ret_header = header;
    *ret_claims = claims;
    return PEP_OK;
}
