/* Text files that are built into policyctl (see cmake/Embed.cmake): what `policyctl init` writes
 * and `policyctl explain` shows. Kept as files, so that editors, luacheck and the tests see them as
 * what they are. */
#ifndef PDP_POLICYCTL_EMBEDDED_H
#define PDP_POLICYCTL_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *path;
    const unsigned char *data; /* followed by a NUL that is not counted */
    size_t size;
};

/* Each ended by a row with a NULL path. */
extern const struct embedded_file init_templates[];   /* pdp/policyctl/templates */
extern const struct embedded_file init_editor[];      /* policies/: settings of editor and linter */
extern const struct embedded_file init_words[];       /* editor/words.lua: the words, for LuaLS */
extern const struct embedded_file explain_examples[]; /* explain/: one file */

#endif
