/* What the files of the static checks share: see engine_check.h. */
#ifndef PEP_CORE_ENGINE_CHECK_INTERNAL_H
#define PEP_CORE_ENGINE_CHECK_INTERNAL_H

#include "engine_check.h"
#include "engine_internal.h"

struct check {
    const struct pep_policy *policy;
    const struct pep_files *files;
    struct pep_diags *diags;
};

/* The text of an id, or "?". */
const char *check_name(const struct pep_names *names, uint32_t id);
/* True if a rule can be a candidate for this type and action. */
bool check_covers(const struct pep_policy *policy, const struct pep_rule *rule, uint32_t type,
                  uint32_t action);

void check_attributes(const struct check *c); /* E120 E121 W310 */
void check_shadowed(const struct check *c);   /* W320 */

#endif
