/*
 * What `policyctl check` says about a policy that the engine accepts: names that no schema
 * declares, comparisons that two absent values pass, rules that can never matter, things that
 * nobody uses. All of it is found without a request, from heads, schema and bytecode. Linked into
 * policyctl and tests only: a daemon judges by what a policy does, not by what its author may have
 * meant.
 *
 * Errors (E12x) are certain: the name reads as nil for ever. Warnings (W3xx) are mistakes more
 * often than not; --strict refuses them. Notes (N3xx) are facts to know: a guard rail for "*" is
 * right, and an action that nobody may take can be meant.
 */
#ifndef PEP_CORE_ENGINE_CHECK_H
#define PEP_CORE_ENGINE_CHECK_H

#include "engine.h"

/* Adds findings to `diags`. `files` are those that the policy was compiled from. Errors: EPOLICY if
 * there are E-codes among them, ENOMEM. */
int pep_check_policy(const struct pep_policy *policy, const struct pep_files *files,
                     struct pep_diags *diags, struct pep_error *err);

/* What of a request no rule can see: an attribute that the schema does not declare for the type of
 * `resource`, a claim that it does not read, a context name that no function reads. Calls `each`
 * with a sentence and the nearest name (or NULL). `object` may be NULL. */
enum pep_check_part { PEP_CHECK_ATTRIBUTE, PEP_CHECK_CLAIM, PEP_CHECK_CONTEXT };
typedef void (*pep_check_stranger)(void *context, const char *message, const char *near);
void pep_check_request(const struct pep_policy *policy, enum pep_check_part part,
                       const char *resource, const json_t *object, pep_check_stranger each,
                       void *context);

/* Walks the rules that a decision of this request looks at, and calls `each` with what each of them
 * took by the caller's clock. */
void pep_policy_profile(const struct pep_policy *policy, const struct pep_request *request,
                        uint64_t (*now_ns)(void),
                        void (*each)(void *context, size_t rule, uint64_t ns), void *context);

/* True if whoever has `role` has `included` as well, by this policy's hierarchy. */
bool pep_check_role_includes(const struct pep_policy *policy, const char *role,
                             const char *included);

/* The schema as LuaLS annotations: classes pdp.Subject and pdp.Resource.TYPE, aliases pdp.Action,
 * pdp.Role, pdp.ResourceType and pdp.Resource. Appends; the same schema gives the same bytes.
 * Errors: ENOMEM. */
int pep_check_types(const struct pep_policy *policy, struct pep_buffer *out);

#endif
