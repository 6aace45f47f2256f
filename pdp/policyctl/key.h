/* What `key generate` was asked for. Policy keys are made in key.c, token keys in a file of their
 * own: they are another kind of key, in another format, in the current folder. */
#ifndef POLICYCTL_KEY_H
#define POLICYCTL_KEY_H

#include "verbs.h"

struct key_generate_settings {
    const char *use; /* NULL: "policy" */
    const char *alg; /* of a token key; NULL: "ES256" */
};

/* key_token.c: NAME.jwk and NAME.jwks in the current folder. `algorithm` may be NULL. */
int key_generate_token(struct session *s, const char *name, const char *algorithm);

#endif
