/* What policies mean: the example repository, and small policies, each with requests and the
 * verdict that the language promises. */
#include "engine_kit.h"

#include <stdlib.h>

/* ---- the example repository ---- */

static const char *const example_paths[] = {
    "schema.lua",           "policies/doc.lua",    "policies/guard.lua",
    "policies/invoice.lua", "policies/ledger.lua", "lib/hours.lua",
    "lib/sharing.lua",      "data/limits.json",    "data/legal_hold.json"};

static char *read_file(const char *path)
{
    char full[512];
    snprintf(full, sizeof(full), "%s/policies/%s", PEP_SOURCE_DIR, path);
    FILE *f = fopen(full, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1 << 16);
    assert_non_null(text);
    size_t n = fread(text, 1, (1 << 16) - 1, f);
    assert_true(n > 0);
    fclose(f);
    return text;
}

static struct pep_policy *example(void)
{
    enum { N = sizeof(example_paths) / sizeof(example_paths[0]) };
    struct kit_file files[N];
    for (size_t i = 0; i < N; i++)
        files[i] = (struct kit_file){example_paths[i], read_file(example_paths[i])};
    struct pep_policy *p = kit_policy(files, N);
    for (size_t i = 0; i < N; i++)
        free((void *)(uintptr_t)files[i].text);
    return p;
}

struct expectation {
    struct kit_ask ask;
    pep_outcome outcome;
    pep_code code;
    const char *rule;
};

static void expect(const struct pep_policy *p, const struct expectation *x)
{
    struct pep_verdict v = kit_decide(p, &x->ask);
    if (v.outcome != x->outcome || v.code != x->code || (x->rule == NULL) != (v.rule == NULL) ||
        (v.rule != NULL && strcmp(v.rule, x->rule) != 0))
        fail_msg("%s %s as %s: got %s %s by %s (%s)", x->ask.action, x->ask.resource, x->ask.claims,
                 pep_outcome_name(v.outcome), pep_code_name(v.code), v.rule == NULL ? "-" : v.rule,
                 v.fault_count > 0 ? v.faults[0].message : v.detail);
    assert_true(v.effort.visited <= v.effort.candidates);
}

#define ANN "{\"sub\":\"ann\",\"tenant\":\"acme\",\"roles\":[\"viewer\"]}"
#define MAX                                                                                  \
    "{\"sub\":\"max\",\"tenant\":\"acme\",\"roles\":[\"manager\"],\"amr\":[\"mfa\"],\"auth_" \
    "time\":1772452700}"
#define OLD                                                                                  \
    "{\"sub\":\"max\",\"tenant\":\"acme\",\"roles\":[\"manager\"],\"amr\":[\"mfa\"],\"auth_" \
    "time\":1772450000}"
#define NOON 1772452800.0

static void example_repository_decides(void **state)
{
    (void)state;
    static const struct expectation list[] = {
        {{ANN, "read", "invoice:acme/1", NULL, NULL, NOON, false},
         PEP_ALLOW,
         PEP_CODE_ALLOWED,
         "invoice.read"},
        {{ANN, "read", "invoice:globex/1", NULL, NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_DENIED,
         "tenant.isolation"},
        {{ANN, "approve", "invoice:acme/1", "{\"amount\":5,\"owner\":\"bob\"}", NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_NOT_GRANTED,
         NULL},
        {{MAX, "approve", "invoice:acme/1", "{\"amount\":5,\"owner\":\"bob\"}", NULL, NOON, false},
         PEP_ALLOW,
         PEP_CODE_ALLOWED,
         "invoice.approve"},
        {{MAX, "approve", "invoice:acme/1", "{\"amount\":5,\"owner\":\"max\"}", NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_NOT_GRANTED,
         NULL},
        {{MAX, "approve", "invoice:acme/1", "{\"amount\":1e9,\"owner\":\"bob\"}", NULL, NOON,
          false},
         PEP_DENY,
         PEP_CODE_NOT_GRANTED,
         NULL},
        {{OLD, "approve", "invoice:acme/1", "{\"amount\":5,\"owner\":\"bob\"}", NULL, NOON, false},
         PEP_CHALLENGE,
         PEP_CODE_CHALLENGE,
         "invoice.approve.fresh-mfa"},
        {{MAX, "create", "invoice:acme/1", NULL, NULL, NOON, false},
         PEP_ALLOW,
         PEP_CODE_ALLOWED,
         "invoice.create"},
        {{MAX, "create", "invoice:acme/1", NULL, NULL, NOON + 43200, false},
         PEP_DENY,
         PEP_CODE_NOT_GRANTED,
         NULL},
        {{ANN, "read", "doc:acme/handbook", NULL, NULL, NOON, false},
         PEP_ALLOW,
         PEP_CODE_ALLOWED,
         "doc.handbook"},
        {{ANN, "read", "doc:acme/plan", NULL, NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_NOT_GRANTED,
         NULL},
        {{ANN, "read", "doc:acme/plan", "{\"shared_with\":[\"bob\",\"ann\"]}", NULL, NOON, false},
         PEP_ALLOW,
         PEP_CODE_ALLOWED,
         "doc.shared"},
        {{ANN, "read", "doc:acme/plan", "{\"owner\":\"ann\"}", NULL, NOON, false},
         PEP_ALLOW,
         PEP_CODE_ALLOWED,
         "doc.owner"},
        {{ANN, "fly", "doc:acme/plan", NULL, NULL, NOON, false}, PEP_DENY, PEP_CODE_UNKNOWN, NULL},
        {{ANN, "read", "ship:acme/plan", NULL, NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_UNKNOWN,
         NULL},
        {{ANN, "read", "doc:acme", NULL, NULL, NOON, false}, PEP_DENY, PEP_CODE_BAD_REQUEST, NULL},
        {{ANN, "read", "doc:acme/plan", "{\"tenant\":\"globex\"}", NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_BAD_REQUEST,
         NULL},
        {{ANN, "read", "doc:acme/plan", "{\"type\":\"x\"}", NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_BAD_REQUEST,
         NULL},
        {{ANN, "read", "doc:acme/plan", "{\"owner\":5}", NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_BAD_REQUEST,
         NULL},
        {{ANN, "read", "doc:acme/plan", NULL, "{\"now\":5}", NOON, false},
         PEP_DENY,
         PEP_CODE_BAD_REQUEST,
         NULL},
        {{ANN, "read", "doc:acme/plan", NULL, "{\"action\":\"x\"}", NOON, false},
         PEP_DENY,
         PEP_CODE_BAD_REQUEST,
         NULL},
        {{ANN, "read", "doc:acme/pl%2Fan", "{\"owner\":\"ann\"}", NULL, NOON, false},
         PEP_ALLOW,
         PEP_CODE_ALLOWED,
         "doc.owner"},
        {{ANN, "read", "doc:acme/pl%20an", NULL, NULL, NOON, false},
         PEP_DENY,
         PEP_CODE_BAD_REQUEST,
         NULL},
    };
    struct pep_policy *p = example();
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        expect(p, &list[i]);
    struct pep_verdict v = kit_decide(p, &list[6].ask);
    assert_string_equal(
        v.obligations,
        "[{\"acr_values\":[\"urn:acme:mfa\"],\"max_age\":300,\"type\":\"step-up\"}]");
    pep_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_repository_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
