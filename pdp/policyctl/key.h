/* What `key generate` was asked for. Policy keys are made in key.c, token keys in a file of their
 * own: they are another kind of key, in another format, in the current folder. */
#ifndef POLICYCTL_KEY_H
#define POLICYCTL_KEY_H

#include "verbs.h"

struct key_generate_settings {
    const char *use; /* NULL: "policy" */
};

#endif
