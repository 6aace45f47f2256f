/*
 * Examines one repository after another in one process, as `policyctl check` does, and says which
 * codes each has. A process of its own for each of some 160 folders would take most of the test's
 * time to start and to look for leaks; what the verb adds (shape, exit code, --strict) depends on
 * the level alone, and check.sh asks the verb itself about one code of each.
 *
 *     check_cases DIR...        one line each: DIR, ERRORS/WARNINGS, and the codes, each once
 */
#include "pdp/policyctl/policy_source.h"

#include <stdio.h>
#include <string.h>

static bool said_before(const struct pep_diags *d, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(d->items[k].code, d->items[i].code) == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct policy_source p;
        struct pep_error err = PEP_ERROR_INIT;
        int rc = policy_source_examine(argv[i], &p, &err);
        printf("%s %zu/%zu", argv[i], p.diags.errors, p.diags.warnings);
        if (rc != PEP_OK)
            printf(" failed: %s", pep_error_text(&err));
        for (size_t k = 0; k < p.diags.count; k++) {
            if (!said_before(&p.diags, k))
                printf(" %s", p.diags.items[k].code);
        }
        putchar('\n');
        policy_source_close(&p);
    }
    return 0;
}
