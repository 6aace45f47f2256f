/*
 * Editor support in a repository: types/pdp.lua (annotations for LuaLS: the words of the language,
 * and what schema.lua declares), .luarc.json and .luacheckrc. The first is generated and follows
 * the schema; the other two are the author's own once they are written.
 */
#ifndef PDP_POLICYCTL_EDITOR_H
#define PDP_POLICYCTL_EDITOR_H

#include "pep/core/engine.h"

#define EDITOR_TYPES "types/pdp.lua"

/* Writes DIR/types/pdp.lua anew, and the settings where they are not there. Errors: ECONFLICT (a
 * types/pdp.lua of the author's own), EIO, ELIMIT, ENOMEM. */
int editor_write(const char *dir, const struct pep_policy *policy, struct pep_error *err);

/* Adds a note to `diags` if DIR has a generated types/pdp.lua that is not what it would be now.
 * Errors: ELIMIT, ENOMEM. */
int editor_check(const char *dir, const struct pep_policy *policy, struct pep_diags *diags,
                 struct pep_error *err);

#endif
