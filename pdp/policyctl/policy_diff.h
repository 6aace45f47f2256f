/*
 * Two versions of a policy compared, in words of rules: what was added, removed, applies to more
 * requests (widened), to fewer (narrowed), or otherwise changed. Said about the rule, not about the
 * access: a deny that is widened lets fewer requests through, which "access" says.
 *
 * Heads are compared as sets, roles through the hierarchy; so "widened" and "narrowed" are certain.
 * Functions are compared as text without comments and spaces, and only ever "changed": what a
 * changed condition means, `policyctl replay` and the tests say. Rejected: a textual diff, which
 * git has.
 */
#ifndef PDP_POLICYCTL_POLICY_DIFF_H
#define PDP_POLICYCTL_POLICY_DIFF_H

#include "policy_source.h"

/* A list of {"change": "added|removed|widened|narrowed|changed", "what":
 * "rule|settings|data|module| schema|issuer|code", "name", "effect" (rules), "access": "more|less"
 * (who gets through, where that is certain) or null, "details": [text]}, rules first. Both must be
 * compiled. NULL without memory. */
json_t *policy_diff(const struct policy_source *from, const struct policy_source *to);

/* ---- between the files of this comparison ---- */

struct policy_diff_pair {
    const struct policy_source *from, *to;
    json_t *changes;
};
/* Steals `details`. `effect` is NULL for what is no rule. */
void policy_diff_add(struct policy_diff_pair *p, const char *change, const char *what,
                     const char *name, const char *effect, json_t *details);
bool policy_diff_rule(const struct policy_source *p, const char *id, struct pep_rule_info *ret);
/* Empty if there is no such file. */
struct pep_span policy_diff_content(const struct policy_source *p, const char *path);
/* policy_diff_files.c */
void policy_diff_settings(struct policy_diff_pair *p);
void policy_diff_files(struct policy_diff_pair *p);

/* ---- policy_diff_code.c: Lua as text to compare ---- */

/* Appends the tokens of a source, one space between two: no comments, no layout. */
void policy_diff_tokens(struct pep_span source, struct pep_buffer *out);
/* The same without the rules at the top level of the file: what the rules share. */
void policy_diff_rest(struct pep_span source, struct pep_buffer *out);
/* Appends the tokens of what `when` or `unless` is set to in the rule whose table begins at or
 * behind `line`, and says from which line to which that stands; nothing if there is none. */
void policy_diff_condition(struct pep_span source, int line, struct pep_buffer *out, int *ret_line,
                           int *ret_last);
/* Line `number` (from 1), without its end. */
struct pep_span policy_diff_line(struct pep_span source, int number);
/* Without the white space around it. */
struct pep_span policy_diff_trim(struct pep_span line);

#endif
