/*
 * Keys that prove, and the proofs (RFC 9449) that they make: good ones, and such as differ from a
 * good one in one thing. Header only, as token_kit.h.
 */
#ifndef TESTS_UNIT_PROOF_KIT_H
#define TESTS_UNIT_PROOF_KIT_H

#include "pep/core/crypto.h"
#include "pep/core/keys.h"
#include "pep/core/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROOF_METHOD "POST"
#define PROOF_URI    "https://api.acme/invoices/4711"

struct prover {
    json_t *private_jwk, *jwk; /* `jwk` is what the proof shows */
    struct pep_jwk_private *key;
    char jkt[PEP_THUMBPRINT_TEXT];
};

static inline struct prover prover_of(enum pep_alg alg)
{
    struct prover p;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_jwk *shown = NULL;
    assert_int_equal(pep_jwk_generate(alg, "p", &p.private_jwk), PEP_OK);
    assert_int_equal(pep_jwk_private_read(p.private_jwk, &p.key, &err), PEP_OK);
    json_t *set = pep_jwk_public_set(p.private_jwk);
    p.jwk = json_deep_copy(json_array_get(json_object_get(set, "keys"), 0));
    json_decref(set);
    json_object_del(p.jwk, "kid");
    json_object_del(p.jwk, "alg");
    if (pep_jwk_read_shown(p.jwk, alg, &shown, &err) != PEP_OK)
        fail_msg("%s", err.text);
    memcpy(p.jkt, pep_jwk_thumbprint(shown), sizeof(p.jkt));
    pep_jwk_free(shown);
    return p;
}

static inline void prover_free(struct prover *p)
{
    json_decref(p->private_jwk);
    json_decref(p->jwk);
    pep_jwk_private_free(p->key);
}

/* Members of `patch` (JSON) replace those of `to`; null takes one away. */
static inline void proof_patch(json_t *to, const char *patch)
{
    json_t *p = patch == NULL ? json_object() : json_loads(patch, 0, NULL);
    const char *name;
    json_t *value;
    assert_non_null(p);
    json_object_foreach(p, name, value)
    {
        if (json_is_null(value))
            json_object_del(to, name);
        else
            json_object_set(to, name, value);
    }
    json_decref(p);
}

static inline json_t *proof_hash(const char *token)
{
    uint8_t hash[PEP_SHA256_SIZE];
    struct pep_buffer b = pep_buffer_of(64);
    assert_int_equal(pep_sha256(pep_span_string(token), hash), PEP_OK);
    pep_put_base64url(&b, pep_span_of(hash, sizeof(hash)));
    json_t *text = json_stringn((const char *)b.data, b.size);
    pep_buffer_free(&b);
    return text;
}

/* For PROOF_METHOD and PROOF_URI, unless the patches say otherwise. Freed by the caller. */
static inline char *proof_for(const struct prover *p, const char *token, int64_t iat,
                              const char *header_patch, const char *claims_patch)
{
    struct pep_buffer out = pep_buffer_of(1 << 20);
    struct pep_error err = PEP_ERROR_INIT;
    json_t *header = json_pack("{s:s, s:O}", "typ", "dpop+jwt", "jwk", p->jwk);
    json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:o}", "jti", "j1", "htm", PROOF_METHOD, "htu",
                               PROOF_URI, "iat", (json_int_t)iat, "ath", proof_hash(token));
    proof_patch(header, header_patch);
    proof_patch(claims, claims_patch);
    char *payload = json_dumps(claims, JSON_COMPACT);
    if (pep_jwt_sign(p->key, header, pep_span_string(payload), &out, &err) != PEP_OK)
        fail_msg("%s", err.text);
    free(payload);
    json_decref(header);
    json_decref(claims);
    return (char *)pep_buffer_take(&out, NULL);
}

#endif
