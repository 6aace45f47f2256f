/*
 * Any bytes as a policy file: compiling ends with a policy or an error, never otherwise; and a
 * policy that compiles decides, within its budget, the same twice.
 */
#include "pep/core/engine.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MAX_POLICY 4096

static void decide(const struct pep_policy *policy, const struct pep_subject *subject,
                   struct pep_verdict *ret)
{
    pep_attr owner = pep_attr_string("owner", "ann");
    struct pep_request q = {.subject = subject,
                            .action = "read",
                            .resource = "doc:acme/1",
                            .attrs = &owner,
                            .attr_count = 1,
                            .now = 1772452800};
    pep_policy_decide(policy, &q, ret);
}

static void use(const struct pep_policy *policy)
{
    struct pep_subject *subject = NULL;
    struct pep_verdict a, b;
    json_t *claims =
        json_pack("{s:s,s:[s],s:s}", "sub", "ann", "roles", "viewer", "tenant", "acme");
    if (claims == NULL || pep_subject_from_claims(policy, claims, &subject, NULL) != PEP_OK)
        abort();
    decide(policy, subject, &a);
    decide(policy, subject, &b);
    if (a.outcome != b.outcome || a.code != b.code || a.rule != b.rule ||
        a.effort.visited > a.effort.candidates || (a.outcome == PEP_ALLOW && a.rule == NULL))
        abort();
    pep_subject_free(subject);
    json_decref(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pep_engine_options options = {.lua_states = 1};
    struct pep_files *files = NULL;
    struct pep_policy *policy = NULL;
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    if (size > SIZE_MAX_POLICY)
        return 0;
    if (pep_files_new(&files) != PEP_OK ||
        pep_files_add(files, "policies/p.lua", pep_span_of(data, size), NULL) != PEP_OK)
        abort();
    int rc = pep_policy_compile_unsigned(files, &options, &policy, &diags, &err);
    if ((policy != NULL) != (rc == PEP_OK) || (rc != PEP_OK && err.code != rc) ||
        (rc != PEP_OK && rc != PEP_EPOLICY && rc != PEP_ELIMIT))
        abort();
    if (policy != NULL)
        use(policy);
    pep_policy_free(policy);
    pep_diags_free(&diags);
    pep_files_free(files);
    return 0;
}
