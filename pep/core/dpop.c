/*
 * See dpop.h. The parts of a proof are taken apart by what takes tokens apart, so that everything
 * which is refused in a token (other base64url, `crit`, duplicate members, NUL) is refused here.
 *
 * `nonce` is not asked for: it is for servers that hand nonces out, and libpep answers nobody. A
 * window of a minute and a memory of what was seen within it are what RFC 9449 section 11.1 names
 * for servers without. `exp` and `nbf` are not claims of a proof; where they are, they are obeyed.
 */
#include "dpop.h"

#include "jwt_parts.h"

#include <string.h>

#define ATH_TEXT 44 /* 43 characters and NUL */

/* ---- the key that it brings ---- */

static int check_header(struct pep_jwt_check *check, const struct pep_jwt_parts *parts)
{
    if (strcmp(parts->type, "dpop+jwt") != 0)
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "typ `%s` is not dpop+jwt", parts->type);
    if (!json_is_object(json_object_get(parts->header_json, "jwk")))
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "the header has no public key (jwk)");
    return PEP_OK;
}

static int check_signature(struct pep_jwt_check *check, const struct pep_jwt_parts *parts,
                           const struct pep_jwk *key)
{
    uint8_t bytes[PEP_TOKEN_SIGNATURE_MAX + 4];
    size_t size;
    if (parts->signature.size > (PEP_TOKEN_SIGNATURE_MAX * 4 + 2) / 3 ||
        pep_base64url_decode(parts->signature, bytes, &size) != PEP_OK)
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "the signature is not canonical base64url");
    if (!pep_jwk_verify(key, parts->alg, parts->signed_text, pep_span_of(bytes, size)))
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "not signed by the key that it brings");
    return PEP_OK;
}

static int check_key(struct pep_jwt_check *check, const struct pep_jwt_parts *parts,
                     const char *jkt)
{
    struct pep_error why = PEP_ERROR_INIT;
    struct pep_jwk *key = NULL;
    int r = pep_jwk_read_shown(json_object_get(parts->header_json, "jwk"), parts->alg, &key, &why);
    if (r == PEP_ENOMEM)
        return pep_jwt_refuse(check, PEP_JWT_MEMORY, "no memory");
    if (r != PEP_OK)
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "%s", pep_error_text(&why));
    if (strcmp(pep_jwk_thumbprint(key), jkt) != 0)
        r = pep_jwt_refuse(check, PEP_JWT_PROOF,
                           "made with key %s, and the token is bound to %s (cnf)",
                           pep_jwk_thumbprint(key), jkt);
    if (r == PEP_OK)
        r = check_signature(check, parts, key);
    pep_jwk_free(key);
    return r;
}

/* ---- what it says ---- */

static const char *text_of(struct pep_jwt_check *check, const json_t *claims, const char *name)
{
    const json_t *v = json_object_get(claims, name);
    if (!json_is_string(v)) {
        pep_jwt_refuse(check, PEP_JWT_PROOF, "`%s` must be a string", name);
        return NULL;
    }
    return json_string_value(v);
}

static int check_request(struct pep_jwt_check *check, const json_t *claims,
                         const struct pep_dpop_shown *shown)
{
    const char *htm = text_of(check, claims, "htm");
    const char *htu = htm == NULL ? NULL : text_of(check, claims, "htu");
    if (htu == NULL)
        return PEP_ETOKEN;
    if (shown->method == NULL || shown->uri == NULL)
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "for which method and URI was not said");
    if (strnlen(shown->method, PEP_DPOP_METHOD_MAX + 1) > PEP_DPOP_METHOD_MAX ||
        strcmp(htm, shown->method) != 0)
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "made for method `%.32s`, not `%.32s`", htm,
                              shown->method);
    struct pep_span uri = pep_span_of(shown->uri, strnlen(shown->uri, PEP_URI_MAX + 1));
    if (!pep_uri_same(pep_span_string(htu), uri))
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "made for `%.128s`, not `%.128s`", htu,
                              shown->uri);
    return PEP_OK;
}

static int check_token(struct pep_jwt_check *check, const json_t *claims, struct pep_span token)
{
    uint8_t hash[PEP_SHA256_SIZE], room[ATH_TEXT];
    const char *ath = text_of(check, claims, "ath");
    if (ath == NULL)
        return PEP_ETOKEN;
    struct pep_buffer text = pep_buffer_over(room, sizeof(room));
    if (pep_sha256(token, hash) != PEP_OK)
        return pep_jwt_refuse(check, PEP_JWT_MEMORY, "no memory");
    pep_put_base64url(&text, pep_span_of(hash, sizeof(hash)));
    if (!pep_span_is(pep_buffer_span(&text), ath))
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "made for another token (ath)");
    return PEP_OK;
}

/* Doubles, as in jwt_claims.c: what is not within a few years of `now` is refused anyway, and the
 * rest is exact. */
static int check_times(struct pep_jwt_check *check, const json_t *claims,
                       const struct pep_dpop_expect *expect, int64_t *ret_ends)
{
    const json_t *iat = json_object_get(claims, "iat");
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
    int64_t ahead = expect->leeway < 0 ? 0 : expect->leeway;
    double now = (double)expect->now;
    double leeway = (double)(ahead > PEP_LEEWAY_MAX ? PEP_LEEWAY_MAX : ahead);
    if (!json_is_number(iat) || (exp != NULL && !json_is_number(exp)) ||
        (nbf != NULL && !json_is_number(nbf)))
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "`iat` must be a number (so `exp`, `nbf`)");
    double made = json_number_value(iat);
    if (!(made <= now + leeway) || (nbf != NULL && !(json_number_value(nbf) <= now + leeway)))
        return pep_jwt_refuse(check, PEP_JWT_PROOF_TIME,
                              "made in the future; do the clocks agree?");
    if (!(made >= now - (double)expect->window) || (exp != NULL && !(json_number_value(exp) > now)))
        return pep_jwt_refuse(check, PEP_JWT_PROOF_TIME, "made more than %lld s ago",
                              (long long)expect->window);
    *ret_ends = (int64_t)made + expect->window + 1;
    return PEP_OK;
}

static int identify(struct pep_jwt_check *check, const json_t *claims, const char *jkt,
                    uint8_t out[PEP_SHA256_SIZE])
{
    const json_t *jti = json_object_get(claims, "jti");
    uint8_t room[PEP_THUMBPRINT_TEXT + PEP_DPOP_JTI_MAX + 1];
    size_t size = json_string_length(jti);
    if (!json_is_string(jti) || size == 0 || size > PEP_DPOP_JTI_MAX)
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "`jti` must be a string of 1 to %d bytes",
                              PEP_DPOP_JTI_MAX);
    struct pep_buffer text = pep_buffer_over(room, sizeof(room));
    pep_put_chars(&text, jkt);
    pep_put_bytes(&text, json_string_value(jti), size);
    if (text.failed || pep_sha256(pep_buffer_span(&text), out) != PEP_OK)
        return pep_jwt_refuse(check, PEP_JWT_MEMORY, "no memory");
    return PEP_OK;
}

static int check_claims(struct pep_jwt_check *check, const json_t *claims,
                        const struct pep_dpop_expect *expect, struct pep_dpop_seen *ret)
{
    struct pep_dpop_seen seen;
    int r = check_request(check, claims, expect->shown);
    if (r == PEP_OK)
        r = check_token(check, claims, expect->token);
    if (r == PEP_OK)
        r = check_times(check, claims, expect, &seen.ends);
    if (r == PEP_OK)
        r = identify(check, claims, expect->jkt, seen.id);
    if (r == PEP_OK)
        *ret = seen;
    return r;
}

/* ---- all of it ---- */

static int verify(struct pep_jwt_check *check, const struct pep_dpop_expect *expect,
                  struct pep_jwt_parts *parts, struct pep_dpop_seen *ret)
{
    json_t *claims = NULL;
    int r = pep_jwt_read_header(check, parts);
    if (r == PEP_OK)
        r = check_header(check, parts);
    if (r == PEP_OK)
        r = check_key(check, parts, expect->jkt);
    if (r == PEP_OK)
        r = pep_jwt_read_object(check, parts->payload, PEP_JWT_PAYLOAD, &claims);
    if (r == PEP_OK)
        r = check_claims(check, claims, expect, ret);
    json_decref(claims);
    return r;
}

/* What a token is refused for ("shape") is, of a proof, the reason `proof`. */
static int refuse_proof(struct pep_jwt_check *check, enum pep_jwt_reason reason,
                        const struct pep_error *why)
{
    const char *text = pep_error_text(why);
    const char *colon = strchr(text, ':');
    bool own = reason == PEP_JWT_PROOF || reason == PEP_JWT_PROOF_TIME || reason == PEP_JWT_MEMORY;
    if (own && colon != NULL)
        text = colon + 2;
    return pep_jwt_refuse(check, own ? reason : PEP_JWT_PROOF, "%s", text);
}

static int check_proof(struct pep_jwt_check *check, const struct pep_dpop_expect *expect,
                       struct pep_dpop_seen *ret)
{
    const char *proof = expect->shown == NULL ? NULL : expect->shown->proof;
    struct pep_error why = PEP_ERROR_INIT;
    struct pep_jwt_check inner = {PEP_JWT_OK, &why};
    struct pep_jwt_parts parts = {.header_json = NULL};
    if (proof == NULL && expect->jkt[0] == '\0')
        return PEP_OK;
    if (proof == NULL)
        return pep_jwt_refuse(check, PEP_JWT_PROOF_ABSENT,
                              "bound to a key (DPoP), and no proof came with it");
    if (expect->jkt[0] == '\0')
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "the token is not bound to a key (cnf)");
    size_t size = strnlen(proof, PEP_DPOP_MAX + 1);
    if (size > PEP_DPOP_MAX)
        return pep_jwt_refuse(check, PEP_JWT_PROOF, "longer than %d bytes", PEP_DPOP_MAX);
    int r = pep_jwt_split(&inner, pep_span_of(proof, size), &parts);
    if (r == PEP_OK)
        r = verify(&inner, expect, &parts, ret);
    json_decref(parts.header_json);
    return r == PEP_OK ? PEP_OK : refuse_proof(check, inner.reason, &why);
}

int pep_dpop_verify(const struct pep_dpop_expect *expect, struct pep_dpop_seen *ret,
                    enum pep_jwt_reason *ret_reason, struct pep_error *err)
{
    struct pep_jwt_check check = {PEP_JWT_OK, err};
    int r = check_proof(&check, expect, ret);
    if (r != PEP_OK && ret_reason != NULL)
        *ret_reason = check.reason;
    return r;
}
