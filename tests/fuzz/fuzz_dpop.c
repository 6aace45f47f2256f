/*
 * DPoP proofs and the URIs in them. The first byte picks the way in. A raw proof may only hold if
 * it is the seed; behind a signature nothing could be reached by mutation, so another way signs
 * header and claims with the right key and holds what is accepted to what each proof must say.
 */
#include "dpop_seeds.h"

#include "pep/core/dpop.h"
#include "pep/core/json.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *key;
static char *good;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool holds(const char *proof)
{
    const struct pep_dpop_shown shown = {proof, "GET", SEED_URI};
    const struct pep_dpop_expect expect = {
        &shown, pep_span_string(SEED_TOKEN), SEED_JKT, SEED_NOW, 60, 10};
    struct pep_dpop_seen seen = {{0}, 0};
    enum pep_jwt_reason reason = PEP_JWT_OK;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_dpop_verify(&expect, &seen, &reason, &err);
    check((reason == PEP_JWT_OK) == (r == PEP_OK) && err.code == r);
    check(r != PEP_OK || (seen.ends > SEED_NOW && seen.ends <= SEED_NOW + 10 + 61));
    return r == PEP_OK;
}

static char *text_of(struct pep_span in)
{
    char *text = malloc(in.size + 1);
    check(text != NULL);
    if (in.size > 0)
        memcpy(text, in.data, in.size);
    text[in.size] = '\0';
    return text;
}

static void raw(struct pep_span in)
{
    char *proof = text_of(in);
    if (holds(proof))
        check(strcmp(proof, good) == 0);
    free(proof);
}

static char *sign(struct pep_span header, struct pep_span claims)
{
    struct pep_buffer b = pep_buffer_of(1 << 20);
    uint8_t signature[64];
    size_t size = sizeof(signature);
    pep_put_base64url(&b, header);
    pep_put_u8(&b, '.');
    pep_put_base64url(&b, claims);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    check(EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1);
    check(EVP_DigestSign(md, signature, &size, b.data, b.size) == 1);
    EVP_MD_CTX_free(md);
    pep_put_u8(&b, '.');
    pep_put_base64url(&b, pep_span_of(signature, size));
    return (char *)pep_buffer_take(&b, NULL);
}

static bool says(const json_t *claims, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(claims, name));
    return text != NULL && strcmp(text, value) == 0;
}

/* Line 1 is the header, the rest the claims. */
static void signed_here(struct pep_span in)
{
    const uint8_t *lf = in.size == 0 ? NULL : memchr(in.data, '\n', in.size);
    if (lf == NULL)
        return;
    struct pep_span claims = pep_span_of(lf + 1, (size_t)(in.data + in.size - lf - 1));
    char *proof = sign(pep_span_of(in.data, (size_t)(lf - in.data)), claims);
    check(proof != NULL);
    if (holds(proof)) {
        json_t *said = NULL;
        check(pep_json_parse(claims, 1 << 20, "claims", &said, NULL) == PEP_OK);
        check(says(said, "htm", "GET") && says(said, "ath", SEED_ATH));
        check(json_string_length(json_object_get(said, "jti")) > 0);
        double iat = json_number_value(json_object_get(said, "iat"));
        check(iat >= SEED_NOW - 60 && iat <= SEED_NOW + 10);
        json_decref(said);
    }
    free(proof);
}

/* Two lines: the same in both directions, and what is the same as another is the same as itself. */
static void uris(struct pep_span in)
{
    const uint8_t *lf = in.size == 0 ? NULL : memchr(in.data, '\n', in.size);
    if (lf == NULL)
        return;
    struct pep_span a = pep_span_of(in.data, (size_t)(lf - in.data));
    struct pep_span b = pep_span_of(lf + 1, (size_t)(in.data + in.size - lf - 1));
    bool same = pep_uri_same(a, b);
    check(same == pep_uri_same(b, a));
    check(!same || (pep_uri_same(a, a) && pep_uri_same(b, b)));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    uint8_t seed[36];
    size_t size = 0;
    check(pep_base64url_decode(pep_span_string(SEED_SECRET), seed, &size) == PEP_OK);
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, size);
    check(key != NULL);
    good = sign(pep_span_string(SEED_HEADER), pep_span_string(SEED_CLAIMS));
    check(good != NULL && holds(good)); /* else the seeds would lead nowhere */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(struct pep_span) = {raw, signed_here, uris};
    if (size > 0 && data[0] >= '0' && (size_t)(data[0] - '0') < sizeof(ways) / sizeof(ways[0]))
        ways[data[0] - '0'](pep_span_of(data + 1, size - 1));
    return 0;
}
