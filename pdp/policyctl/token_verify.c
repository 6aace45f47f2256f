/*
 * token verify: is this token valid, by exactly the code that services run? Keys come from a file;
 * nothing is fetched. Prints the claims of a valid token and nothing of any other.
 */
#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verify_settings {
    const char *keys, *issuer, *dpop, *method, *uri;
    struct option_list audiences;
    struct option_number leeway, at;
    bool signature_only;
};

static const struct option_row rows[] = {
    {"keys", 'k', "JWKS", OPTION_TEXT, offsetof(struct verify_settings, keys),
     "file with the issuer's public keys"},
    {"issuer", 'i', "I", OPTION_TEXT, offsetof(struct verify_settings, issuer),
     "what `iss` must be"},
    {"audience", 'a', "A", OPTION_LIST, offsetof(struct verify_settings, audiences),
     "what `aud` must name; several: one of them"},
    {"leeway", 0, "S", OPTION_DURATION, offsetof(struct verify_settings, leeway),
     "seconds that clocks may differ, at most 60 (default 0)"},
    {"at", 0, "TIME", OPTION_TIME, offsetof(struct verify_settings, at),
     "verify as of this time (default: now)"},
    {"dpop", 0, "FILE", OPTION_TEXT, offsetof(struct verify_settings, dpop),
     "the DPoP proof that came with a token which is bound to a key"},
    {"method", 0, "M", OPTION_TEXT, offsetof(struct verify_settings, method),
     "with --dpop: the method of the request"},
    {"uri", 0, "URI", OPTION_TEXT, offsetof(struct verify_settings, uri),
     "with --dpop: its absolute URI"},
    {"signature-only", 0, NULL, OPTION_FLAG, offsetof(struct verify_settings, signature_only),
     "check the signature alone, and print the payload's bytes"},
    OPTION_END,
};
const struct option_set token_verify_options = {sizeof(struct verify_settings), rows};

static int verify_signature(struct session *s, const json_t *keys, struct pep_span token)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_jwks *set = NULL;
    uint8_t *payload = NULL;
    size_t size = 0;
    int rc = pep_jwks_read(keys, "keys", &set, &err);
    if (rc == PEP_OK)
        rc = pep_jwt_verify_signature(set, token, &payload, &size, NULL, &err);
    if (rc == PEP_OK)
        fwrite(payload, 1, size, stdout);
    free(payload);
    pep_jwks_free(set);
    return rc == PEP_OK ? EXIT_OK : token_refused(s, &err);
}

/* A bound token alone proves nothing, and the verb says what else it needs. */
static int refused(struct session *s, enum pep_jwt_reason reason, const struct pep_error *err)
{
    if (reason == PEP_JWT_PROOF_ABSENT)
        return output_error(&s->out, EXIT_NOT_ALLOWED,
                            "the token is not valid by itself: %s\n\n"
                            "--dpop FILE --method POST --uri https://api.example/path: the proof "
                            "and its request",
                            pep_error_text(err));
    return token_refused(s, err);
}

static int verify_all(struct session *s, const struct verify_settings *o, const json_t *keys,
                      struct pep_span token, const struct pep_dpop_shown *dpop)
{
    const char *audiences[OPTION_LIST_MAX + 1] = {NULL};
    for (size_t i = 0; i < o->audiences.count; i++)
        audiences[i] = o->audiences.items[i];
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_issuers *issuers = NULL;
    struct pep_jwt *jwt = NULL;
    enum pep_jwt_reason reason = PEP_JWT_OK;
    struct pep_jwt_expect expect = {
        .now = token_now(&o->at), .leeway = o->leeway.value, .dpop = dpop};
    int rc = pep_issuers_single(o->issuer, audiences, keys, &issuers, &err);
    if (rc == PEP_OK)
        rc = pep_jwt_verify(issuers, token, &expect, &jwt, &reason, &err);
    rc = rc == PEP_OK ? output_json(&s->out, json_deep_copy(pep_jwt_claims(jwt)))
                      : refused(s, reason, &err);
    pep_jwt_free(jwt);
    pep_issuers_free(issuers);
    return rc;
}

static int check_settings(struct session *s, const struct verify_settings *o)
{
    if (o->keys == NULL)
        return output_error(&s->out, EXIT_USAGE,
                            "`--keys` is missing\n\n--keys JWKS: a file with "
                            "the issuer's public keys");
    if (!o->signature_only && (o->issuer == NULL || o->audiences.count == 0))
        return output_error(&s->out, EXIT_USAGE,
                            "`%s` is missing\n\n--issuer I --audience A, or --signature-only",
                            o->issuer == NULL ? "--issuer" : "--audience");
    bool all = o->dpop != NULL && o->method != NULL && o->uri != NULL;
    if (!all && (o->dpop != NULL || o->method != NULL || o->uri != NULL))
        return output_error(&s->out, EXIT_USAGE,
                            "a proof is for one request\n\n"
                            "--dpop FILE --method POST --uri https://api.example/path");
    if (o->leeway.value > PEP_LEEWAY_MAX)
        return output_error(&s->out, EXIT_USAGE, "`--leeway` is at most %d seconds",
                            PEP_LEEWAY_MAX);
    return EXIT_OK;
}

/* The proof as a text; NULL without --dpop. */
static int load_proof(struct session *s, const char *file, char **ret)
{
    uint8_t *text = NULL;
    size_t size = 0;
    if (file == NULL)
        return EXIT_OK;
    int rc = token_load(s, file, &text, &size);
    if (rc == EXIT_OK && (*ret = strndup((const char *)text, size)) == NULL)
        rc = output_error(&s->out, EXIT_FAILED, "no memory");
    free(text);
    return rc;
}

int token_verify_run(struct session *s, const void *settings)
{
    const struct verify_settings *o = settings;
    uint8_t *text = NULL;
    size_t size = 0;
    json_t *keys = NULL;
    char *proof = NULL;
    int rc = check_settings(s, o);
    if (rc == EXIT_OK)
        rc = token_load_keys(s, o->keys, &keys);
    if (rc == EXIT_OK)
        rc = token_load(s, s->operands[0], &text, &size);
    if (rc == EXIT_OK)
        rc = load_proof(s, o->dpop, &proof);
    struct pep_dpop_shown dpop = {proof, o->method, o->uri};
    if (rc == EXIT_OK && o->signature_only)
        rc = verify_signature(s, keys, pep_span_of(text, size));
    else if (rc == EXIT_OK)
        rc = verify_all(s, o, keys, pep_span_of(text, size), &dpop);
    json_decref(keys);
    free(text);
    free(proof);
    return rc;
}
