/*
 * What tests about tokens are made with: keys, issuer tables, claims and tokens, good and forged.
 * Header only, because each test program uses another part of it.
 */
#ifndef TESTS_UNIT_TOKEN_KIT_H
#define TESTS_UNIT_TOKEN_KIT_H

#include "pep/core/jwt.h"
#include "pep/core/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW      1700000000
#define ISSUER   "https://idp.example"
#define AUDIENCE "billing-api"

/* A key pair and a table in which its issuer is known. */
struct signer {
    json_t *jwk;
    struct pep_jwk_private *key;
    struct pep_issuers *issuers;
};

static inline struct signer signer_of(enum pep_alg alg)
{
    static const char *const audiences[] = {AUDIENCE, NULL};
    struct signer s = {NULL, NULL, NULL};
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(pep_jwk_generate(alg, "k1", &s.jwk), PEP_OK);
    assert_int_equal(pep_jwk_private_read(s.jwk, &s.key, &err), PEP_OK);
    json_t *set = pep_jwk_public_set(s.jwk);
    assert_int_equal(pep_issuers_single(ISSUER, audiences, set, &s.issuers, &err), PEP_OK);
    json_decref(set);
    return s;
}

static inline void signer_free(struct signer *s)
{
    json_decref(s->jwk);
    pep_jwk_private_free(s->key);
    pep_issuers_free(s->issuers);
}

/* Text signed as payload; the caller frees. */
static inline char *token_of(const struct pep_jwk_private *key, const char *header,
                             const char *payload)
{
    struct pep_buffer out = pep_buffer_of(1 << 20);
    struct pep_error err = PEP_ERROR_INIT;
    json_t *h = header == NULL ? NULL : json_loads(header, 0, NULL);
    assert_true(header == NULL || h != NULL);
    assert_int_equal(pep_jwt_sign(key, h, pep_span_string(payload), &out, &err), PEP_OK);
    json_decref(h);
    char *text = (char *)pep_buffer_take(&out, NULL);
    assert_non_null(text);
    return text;
}

static inline enum pep_jwt_reason reason_of(const struct pep_issuers *issuers, const char *token,
                                            const struct pep_jwt_expect *expect)
{
    struct pep_jwt *jwt = NULL;
    enum pep_jwt_reason reason = PEP_JWT_OK;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_jwt_verify(issuers, pep_span_string(token), expect, &jwt, &reason, &err);
    assert_true((r == PEP_OK) == (jwt != NULL));
    assert_true((r == PEP_OK) == (reason == PEP_JWT_OK));
    if (r != PEP_OK)
        assert_int_equal(err.code, r);
    pep_jwt_free(jwt);
    return reason;
}

#endif
