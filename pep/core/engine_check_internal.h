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

#define CHECK_HELP_MAX    200
#define CHECK_EXPORTS_MAX 256 /* of a module, for a "did you mean" */

/* Whether `sub.name` or `res.name` is declared for what the rule covers (NULL: for anything), and
 * what to say if not; whether it is there in every request. Names of `ctx` are never declared. */
bool check_name_known(const struct pep_policy *policy, const struct pep_rule *rule,
                      enum pep_object object, const char *name);
void check_name_help(const struct pep_policy *policy, const struct pep_rule *rule,
                     enum pep_object object, const char *name, char help[CHECK_HELP_MAX]);
bool check_name_present(const struct pep_policy *policy, const struct pep_rule *rule,
                        enum pep_object object, const char *name);

void check_attributes(const struct check *c); /* E115 E120 E121 W310 */
void check_shadowed(const struct check *c);   /* W320 */

#endif
