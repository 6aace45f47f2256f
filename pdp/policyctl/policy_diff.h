/*
 * Two versions of a policy compared, in words of rules: what was added, removed, applies to more
 * requests (widened), to fewer (narrowed), or otherwise changed. Said about the rule, not about the
 * access: a deny that is widened lets fewer requests through.
 *
 * Heads are compared as sets, roles through the hierarchy; so "widened" and "narrowed" are certain.
 * Functions are compared as text without comments and spaces, and only ever "changed": what a
 * changed condition means, `policyctl replay` and the tests say. Rejected: a textual diff, which
 * git has.
 */
#ifndef PDP_POLICYCTL_POLICY_DIFF_H
#define PDP_POLICYCTL_POLICY_DIFF_H

#include "policy_source.h"

/* A list of {"change": "added|removed|widened|narrowed|changed", "what": "rule|data|module|schema|
 * issuer|code", "name", "effect" (rules), "details": [text]}, rules first, sorted by name. Both
 * must be compiled. NULL without memory. */
json_t *policy_diff(const struct policy_source *from, const struct policy_source *to);

/* ---- policy_diff_code.c: Lua as text to compare ---- */

/* Appends the tokens of a source, one space between two: no comments, no layout. */
void policy_diff_tokens(struct pep_span source, struct pep_buffer *out);
/* Appends the tokens of what `when` or `unless` is set to in the rule whose table begins at or
 * behind `line`; nothing if there is none. */
void policy_diff_condition(struct pep_span source, int line, struct pep_buffer *out);

#endif
