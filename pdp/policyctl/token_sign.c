/*
 * token sign: a signed JWT for tests and demos. The claims are taken as they are, wrong ones too:
 * tests need tokens that must be refused. Only `iat` and `exp` are filled in where they are absent;
 * null for either leaves it out.
 */
#include "token.h"

#include "pep/core/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIFETIME_DEFAULT 600 /* seconds */

struct sign_settings {
    const char *key, *claims, *header;
    struct option_number ttl;
};

static const struct option_row rows[] = {
    {"key", 'k', "JWK", OPTION_TEXT, offsetof(struct sign_settings, key),
     "file with the private key (see key generate --use token)"},
    {"claims", 0, "JSON", OPTION_TEXT, offsetof(struct sign_settings, claims),
     "the claims, or @FILE"},
    {"header", 0, "JSON", OPTION_TEXT, offsetof(struct sign_settings, header),
     "header members, or @FILE; alg and kid come from the key"},
    {"ttl", 0, "D", OPTION_DURATION, offsetof(struct sign_settings, ttl),
     "valid for this long from `iat` (default: 10m unless the claims have `exp`)"},
    OPTION_END,
};
const struct option_set token_sign_options = {sizeof(struct sign_settings), rows};

/* Null stands for "not even by default". */
static bool fill(json_t *claims, const char *name, json_int_t value)
{
    const json_t *v = json_object_get(claims, name);
    if (json_is_null(v))
        return json_object_del(claims, name) == 0;
    return v != NULL || json_object_set_new(claims, name, json_integer(value)) == 0;
}

static bool fill_times(json_t *claims, const struct option_number *ttl)
{
    const json_t *given = json_object_get(claims, "iat");
    json_int_t iat = json_is_integer(given) ? json_integer_value(given) : (json_int_t)time(NULL);
    if (ttl->given)
        json_object_del(claims, "exp");
    return fill(claims, "iat", iat) &&
           fill(claims, "exp", iat + (ttl->given ? ttl->value : LIFETIME_DEFAULT));
}

static int sign(struct session *s, const json_t *jwk, const json_t *claims, const json_t *header)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_jwk_private *key = NULL;
    struct pep_buffer token = pep_buffer_of(4 * TOKEN_FILE_MAX);
    char *text = json_dumps(claims, JSON_COMPACT);
    int rc = text == NULL ? pep_error_set(&err, PEP_ENOMEM, "no memory")
                          : pep_jwk_private_read(jwk, &key, &err);
    if (rc == PEP_OK)
        rc = pep_jwt_sign(key, header, pep_span_string(text), &token, &err);
    if (rc == PEP_OK)
        output_line("%s", (const char *)token.data);
    pep_buffer_free(&token);
    pep_jwk_private_free(key);
    free(text);
    if (rc == PEP_OK)
        return EXIT_OK;
    return output_error(&s->out, EXIT_FAILED, "%s\n\npolicyctl key generate NAME --use token",
                        pep_error_text(&err));
}

int token_sign_run(struct session *s, const void *settings)
{
    const struct sign_settings *o = settings;
    json_t *jwk = NULL, *claims = NULL, *header = NULL;
    if (o->key == NULL || o->claims == NULL)
        return output_error(&s->out, EXIT_USAGE,
                            "`%s` is missing\n\n--key FILE.jwk --claims '{\"sub\": \"ann\"}'",
                            o->key == NULL ? "--key" : "--claims");
    int rc = token_load_json(s, o->key, &jwk);
    if (rc == EXIT_OK)
        rc = token_read_json(s, "--claims", o->claims, &claims);
    if (rc == EXIT_OK && o->header != NULL)
        rc = token_read_json(s, "--header", o->header, &header);
    if (rc == EXIT_OK && !fill_times(claims, &o->ttl))
        rc = output_error(&s->out, EXIT_FAILED, "no memory");
    if (rc == EXIT_OK)
        rc = sign(s, jwk, claims, header);
    json_decref(jwk);
    json_decref(claims);
    json_decref(header);
    return rc;
}
