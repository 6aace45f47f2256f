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

/* True if whoever has `role` has `included` as well, by this policy's hierarchy. */
bool pep_check_role_includes(const struct pep_policy *policy, const char *role,
                             const char *included);

#endif
