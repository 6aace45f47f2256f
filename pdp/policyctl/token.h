/* What the token verbs read: tokens, key sets, claims. One file per verb: token_verify.c,
 * token_inspect.c, token_sign.c; key_token.c makes the keys. */
#ifndef POLICYCTL_TOKEN_H
#define POLICYCTL_TOKEN_H

#include "verbs.h"

#include "pep/core/engine.h"
#include "pep/core/jwt.h"

#define TOKEN_FILE_MAX (1024 * 1024)
#define JSON_FILE_MAX  (1024 * 1024)

/* A token's text from a file, or from standard input for "-". One line feed at the end is the
 * file's and not the token's. Freed by the caller. Prints what went wrong; returns an exit code. */
int token_load(struct session *s, const char *file, uint8_t **ret, size_t *ret_size);
/* A JSON object from a file. */
int token_load_json(struct session *s, const char *file, json_t **ret);
/* A JSON object given on the command line, or in a file as @FILE. */
int token_read_json(struct session *s, const char *option, const char *text, json_t **ret);
/* The document of --keys: a JWKS, or one public JWK, which becomes a set of one. */
int token_load_keys(struct session *s, const char *file, json_t **ret);

/* What the policy's rules would read from these claims: [{"name": "sub.tenant", "value" (null: they
 * would miss it), "rules": how many read it}], by name. What is odd goes to `warnings`. */
json_t *token_reads(const struct pep_policy *policy, const json_t *claims, json_t *warnings);

/* Asks the context's pdpd; *ret is "no", or by what the token is revoked: "jti", "sid", "subject".
 * Prints; returns the exit code. */
int token_ask_revoked(struct session *s, const json_t *claims, const char **ret);

/* --at, or the clock. */
int64_t token_now(const struct option_number *at);
/* Exit code 7, with the reason. */
int token_refused(struct session *s, const struct pep_error *err);

#endif
