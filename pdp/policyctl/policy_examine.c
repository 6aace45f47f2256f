/*
 * What `check` looks at, without a word on the terminal: see policy_source.h. Apart from the verb,
 * so that a test can examine many folders in one process.
 */
#include "policy_source.h"

#include "editor.h"

#include "pep/core/engine_check.h"
#include "pep/core/engine_suite.h"

/* Test files are read, not run against the policy: that is `policyctl test`. */
static int check_tests(struct policy_source *p, struct pep_error *err)
{
    struct pep_suite *suite = NULL;
    if (p->repository->left_out[0] != '\0')
        pep_diag_add(&p->diags, "W311", p->repository->left_out, 0,
                     "rename it: tests/NAME_test.lua", "this file is not run");
    int rc = pep_suite_load(p->repository->tests, p->policy, &suite, &p->diags, err);
    pep_suite_free(suite);
    return rc;
}

static int examine(struct policy_source *p, struct pep_error *err)
{
    struct pep_engine_options options = {.lua_states = 1, .author = true};
    int rc = pep_policy_compile_unsigned(p->files, &options, &p->policy, &p->diags, err);
    if (rc == PEP_OK)
        rc = pep_check_policy(p->policy, p->files, &p->diags, err);
    if (rc == PEP_EPOLICY && p->diags.errors == 0)
        pep_diag_add(&p->diags, "E001", NULL, 0, NULL, "%s", pep_error_text(err));
    if (rc == PEP_OK)
        rc = check_tests(p, err);
    if (rc == PEP_OK)
        rc = editor_check(p->repository->dir, p->policy, &p->diags, err);
    return rc == PEP_EPOLICY ? PEP_OK : rc;
}

int policy_source_examine(const char *dir, struct policy_source *ret, struct pep_error *err)
{
    *ret = (struct policy_source){.diags = PEP_DIAGS_INIT};
    int rc = repository_read(dir, &ret->repository, err);
    if (rc == PEP_EFORMAT || rc == PEP_ELIMIT) {
        pep_diag_add(&ret->diags, "E001", NULL, 0, NULL, "%s", pep_error_text(err));
        return PEP_OK;
    }
    if (rc != PEP_OK)
        return rc;
    ret->files = ret->repository->files;
    ret->name = ret->repository->name;
    return examine(ret, err);
}

void policy_source_close(struct policy_source *p)
{
    pep_policy_free(p->policy);
    pep_bundle_free(p->bundle);
    repository_free(p->repository);
    pep_diags_free(&p->diags);
    *p = (struct policy_source){.diags = PEP_DIAGS_INIT};
}
