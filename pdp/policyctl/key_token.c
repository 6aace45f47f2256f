/*
 * key generate --use token: a key for signing JWTs, as NAME.jwk (private, 0600) and NAME.jwks
 * (public, for issuers.json) in the current folder. ES256 unless told otherwise: every JWT library
 * has it, and its keys and tokens are small. The kid is the RFC 7638 thumbprint, so that no two
 * keys share one.
 */
#include "config.h"
#include "disk.h"
#include "key.h"

#include "pep/core/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME (NAME_LONGEST + 8)
#define FILE_MAX  65536

static int write_json(const char *file, mode_t mode, const json_t *value, struct pep_error *err)
{
    char *text = json_dumps(value, JSON_INDENT(2));
    if (text == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    struct pep_buffer line = pep_buffer_of(FILE_MAX);
    pep_put_format(&line, "%s\n", text);
    int rc = line.failed ? pep_error_set(err, PEP_ENOMEM, "no memory")
                         : disk_create(file, mode, pep_buffer_span(&line), err);
    if (line.data != NULL)
        pep_wipe(line.data, line.size);
    pep_buffer_free(&line);
    pep_wipe(text, strlen(text));
    free(text);
    return rc;
}

/* Both files or none. */
static int write_pair(const char *private_file, const char *public_file, const json_t *jwk,
                      struct pep_error *err)
{
    json_t *set = pep_jwk_public_set(jwk);
    if (set == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    int rc = write_json(public_file, 0644, set, err);
    json_decref(set);
    if (rc != PEP_OK)
        return rc;
    rc = write_json(private_file, 0600, jwk, err);
    if (rc != PEP_OK)
        remove(public_file);
    return rc;
}

static int write_key(struct session *s, const char *name, enum pep_alg alg, const json_t *jwk)
{
    struct pep_error err = PEP_ERROR_INIT;
    char private_file[FILE_NAME], public_file[FILE_NAME];
    snprintf(private_file, sizeof(private_file), "%s.jwk", name);
    snprintf(public_file, sizeof(public_file), "%s.jwks", name);
    int rc = write_pair(private_file, public_file, jwk, &err);
    if (rc == PEP_ECONFLICT)
        return output_error(&s->out, EXIT_FAILED,
                            "%s\n\nchoose another name; a key is never overwritten",
                            pep_error_text(&err));
    if (rc != PEP_OK)
        return session_failed(s, &err, "");
    const char *kid = json_string_value(json_object_get(jwk, "kid"));
    output_note(&s->out,
                "wrote %s (private, keep it where tokens are made) and %s (for issuers.json)",
                private_file, public_file);
    if (s->out.format == OUTPUT_JSON)
        return output_json(&s->out, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "use",
                                              "token", "alg", pep_alg_name(alg), "kid", kid, "file",
                                              private_file, "public", public_file));
    output_line("%s", kid);
    return EXIT_OK;
}

int key_generate_token(struct session *s, const char *name, const char *algorithm)
{
    json_t *jwk = NULL;
    enum pep_alg alg = algorithm == NULL ? PEP_ALG_ES256 : pep_alg_find(pep_span_string(algorithm));
    if (!name_valid(name))
        return output_error(&s->out, EXIT_USAGE,
                            "`%s` cannot be the name of a key\n\nsmall letters, digits, . _ -; at "
                            "most %d",
                            name, NAME_LONGEST);
    if (alg == PEP_ALG_NONE)
        return output_error(&s->out, EXIT_USAGE,
                            "`--alg %s`: no such algorithm\n\nRS256 RS384 RS512 PS256 PS384 PS512 "
                            "ES256 ES384 ES512 EdDSA",
                            algorithm);
    if (pep_jwk_generate(alg, NULL, &jwk) != PEP_OK)
        return output_error(&s->out, EXIT_FAILED, "the key could not be made");
    int rc = write_key(s, name, alg, jwk);
    json_decref(jwk);
    return rc;
}
