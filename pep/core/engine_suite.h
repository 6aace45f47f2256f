/*
 * Policy tests: what an author's tests/NAME_test.lua ask, run against a compiled policy.
 *
 *     pep_suite_load(tests, policy, &suite, diags, err)    run the test files: they only collect
 * cases pep_suite_run(suite, each, context, &totals, err) decide each case, compare, count
 * coverage
 *
 * Test files run in a sandboxed state of their own, with four more words (token, test, matrix,
 * invariant), and never touch the policy's states: a test asks exactly what a service would ask,
 * raw claims in, verdict out. The clock stands still; `auth_age` counts back from it, so a test
 * means the same in ten years. Collecting first and deciding later lets `bench` use the same cases.
 *
 * Linked into policyctl and tests only. Rejected: running tests inside the daemon on push (a push
 * is refused for what it would do to services, not for its author's expectations).
 */
#ifndef PEP_CORE_ENGINE_SUITE_H
#define PEP_CORE_ENGINE_SUITE_H

#include "engine.h"

#define PEP_SUITE_CASES_MAX 100000
#define PEP_SUITE_NOW       1772452800 /* Monday, 2026-03-02 12:00:00 UTC */

/* One decision that a test asks for. Belongs to the suite. */
struct pep_case {
    const char *file, *name;
    int line;
    const json_t *claims; /* auth_age already resolved */
    const char *action, *resource;
    const json_t *attrs, *context; /* objects or NULL */
    double now;
    pep_outcome expect;
    const char *by; /* rule or code that must decide, or NULL */
};

struct pep_suite;

/* Runs every file of `tests`, with the words of `policy`, which must outlive the suite. Mistakes in
 * test files go to `diags` (E5xx). Errors: EPOLICY (there are such), ENOMEM, ELIMIT, ELUA. */
int pep_suite_load(const struct pep_files *tests, const struct pep_policy *policy,
                   struct pep_suite **ret, struct pep_diags *diags, struct pep_error *err);
void pep_suite_free(struct pep_suite *suite);
size_t pep_suite_count(const struct pep_suite *suite);
const struct pep_case *pep_suite_at(const struct pep_suite *suite, size_t i);

/* What one case came to. Valid during the call. */
struct pep_case_result {
    const struct pep_case *test;
    bool passed;
    const char *invariant; /* the one that broke, or NULL */
    const char *message;   /* why, when there is more to say than `expect` and the verdict */
    const struct pep_verdict *verdict;
    const struct pep_explanation *lines; /* candidates, in evaluation order */
    size_t line_count;
};

/* How often a rule was a candidate, applied, and did not apply. */
struct pep_rule_seen {
    unsigned tried, yes, no;
};

struct pep_suite_totals {
    size_t passed, failed;
    struct pep_rule_seen *rules; /* one per rule of the policy, by its index; free() it */
    size_t rule_count;
    size_t both_ways; /* rules seen applying and not applying */
};

/* Decides every case. Each expectation counts as one test, and each invariant as one more. Errors:
 * ENOMEM; *ret untouched then. */
int pep_suite_run(struct pep_suite *suite,
                  void (*each)(void *context, const struct pep_case_result *result), void *context,
                  struct pep_suite_totals *ret, struct pep_error *err);

/* "09:00Z", "2026-03-02T09:00:00Z", "...+01:00" (seconds may be missing): Unix seconds. A time
 * alone means the day of PEP_SUITE_NOW. */
bool pep_suite_time(const char *text, double *ret);

#endif
