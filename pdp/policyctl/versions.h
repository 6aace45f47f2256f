/* The list of what was published, as pdpd keeps it. */
#ifndef POLICYCTL_VERSIONS_H
#define POLICYCTL_VERSIONS_H

#include "remote.h"

#include "pep/core/bundle.h"

/* Which bundle a verb means when it was not told: the only one there is. Prints. */
int versions_bundle(struct session *s, struct remote *r, const char *wanted,
                    char ret[PEP_NAME_MAX + 1]);
/* The version before the head, for a rollback without a number. Prints. */
int versions_before_head(struct session *s, struct remote *r, const char *bundle, uint64_t head,
                         uint64_t *ret);

#endif
