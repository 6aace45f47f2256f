/*
 * What an issuer may assert: `allow` in issuers.json, kind by kind, through a real token, the
 * policy's own issuer table and the engine's subject. Each refused token has its neighbour that is
 * accepted, and the same claims from the issuer without limits are accepted throughout.
 */
#include "engine_kit.h"
#include "token_kit.h"

#define OWN     "https://own.example"
#define PARTNER "https://partner.example"

static struct signer own, partner;

static int set_up(void **state)
{
    (void)state;
    own = signer_of(PEP_ALG_EDDSA);
    partner = signer_of(PEP_ALG_ES256);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    signer_free(&own);
    signer_free(&partner);
    return 0;
}

static json_t *issuer_of(const char *name, const struct signer *s, const char *alg,
                         const char *allow)
{
    json_t *i = json_pack("{s:s, s:[s], s:[s], s:o}", "issuer", name, "audiences", AUDIENCE,
                          "algorithms", alg, "jwks", pep_jwk_public_set(s->jwk));
    assert_non_null(i);
    if (allow != NULL)
        assert_int_equal(json_object_set_new(i, "allow", kit_json(allow)), 0);
    return i;
}

/* A policy that trusts both; only the partner is limited. */
static struct pep_policy *policy_of(const char *schema, const char *allow)
{
    json_t *table = json_pack("[o, o]", issuer_of(OWN, &own, "EdDSA", NULL),
                              issuer_of(PARTNER, &partner, "ES256", allow));
    char *text = json_dumps(table, JSON_COMPACT);
    const struct kit_file files[] = {
        {"issuers.json", text},
        {"policies/p.lua", "allow 'r' { action = 'read', resource = 'doc', roles = 'viewer' }"},
        {"schema.lua", schema == NULL ? "" : schema},
    };
    struct pep_policy *p = kit_policy(files, schema == NULL ? 2 : 3);
    free(text);
    json_decref(table);
    return p;
}

/* The reason of a token with these claims; PEP_JWT_OK if it makes a subject, who then may or may
 * not read. */
static enum pep_jwt_reason ask(const struct pep_policy *p, const char *issuer,
                               const struct signer *s, const char *claims, bool *ret_allowed)
{
    const struct pep_jwt_expect expect = {.now = NOW};
    enum pep_jwt_reason reason = PEP_JWT_OK;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_jwt *jwt = NULL;
    struct pep_subject *subject = NULL;
    json_t *all = kit_json(claims), *usual = json_pack("{s:s, s:s, s:s, s:i}", "iss", issuer, "aud",
                                                       AUDIENCE, "sub", "ann", "exp", NOW + 600);
    assert_int_equal(json_object_update_missing(all, usual), 0);
    char *payload = json_dumps(all, JSON_COMPACT);
    char *token = token_of(s->key, NULL, payload);
    assert_int_equal(
        pep_jwt_verify(pep_policy_issuers(p), pep_span_string(token), &expect, &jwt, &reason, &err),
        PEP_OK);
    int r = pep_subject_new(p, jwt, &subject, &reason, &err);
    assert_int_equal(r == PEP_OK, subject != NULL);
    assert_int_equal(r == PEP_OK, reason == PEP_JWT_OK);
    *ret_allowed = false;
    if (r == PEP_OK) {
        struct pep_request q = {
            .subject = subject, .action = "read", .resource = "doc:1", .now = NOW};
        struct pep_verdict v;
        pep_policy_decide(p, &q, &v);
        *ret_allowed = v.outcome == PEP_ALLOW;
    } else {
        assert_int_equal(r, PEP_ETOKEN);
        assert_non_null(strstr(pep_error_text(&err), "claim"));
    }
    pep_subject_free(subject);
    pep_jwt_free(jwt);
    free(token);
    free(payload);
    json_decref(all);
    json_decref(usual);
    return reason;
}

struct row {
    const char *allow, *claims;
    bool accepted, reads;
};

#define ROLES   "{\"roles\":[\"viewer\",\"guest\"]}"
#define CLIENTS "{\"clients\":[\"app\"]}"
#define ACR     "{\"acr\":[\"mfa\",\"pwd\"]}"
#define TENANT  "{\"claims\":{\"tenant\":[\"partner\"]}}"

static const struct row rows[] = {
    /* roles */
    {ROLES, "{\"roles\":[\"viewer\"]}", true, true},
    {ROLES, "{\"roles\":\"viewer\"}", true, true},
    {ROLES, "{\"roles\":[\"viewer\",\"guest\"]}", true, true},
    {ROLES, "{}", true, false},
    {ROLES, "{\"roles\":[]}", true, false},
    {ROLES, "{\"roles\":null}", true, false},
    {ROLES, "{\"roles\":[\"manager\"]}", false, false},
    {ROLES, "{\"roles\":\"manager\"}", false, false},
    {ROLES, "{\"roles\":[\"viewer\",\"manager\"]}", false, false},
    {ROLES, "{\"roles\":[\"Viewer\"]}", false, false},
    {ROLES, "{\"roles\":[\"viewer \"]}", false, false},
    {"{\"roles\":[]}", "{}", true, false},
    {"{\"roles\":[]}", "{\"roles\":[\"viewer\"]}", false, false},
    /* nothing said about roles: free */
    {CLIENTS, "{\"roles\":[\"viewer\",\"manager\"]}", true, true},
    {"{}", "{\"roles\":[\"viewer\"],\"azp\":\"x\",\"acr\":\"x\",\"tenant\":\"x\"}", true, true},
    /* clients */
    {CLIENTS, "{\"azp\":\"app\"}", true, false},
    {CLIENTS, "{\"client_id\":\"app\"}", true, false},
    {CLIENTS, "{\"azp\":\"app\",\"client_id\":\"app\"}", true, false},
    {CLIENTS, "{}", true, false},
    {CLIENTS, "{\"azp\":\"other\"}", false, false},
    {CLIENTS, "{\"client_id\":\"other\"}", false, false},
    {CLIENTS, "{\"azp\":\"App\"}", false, false},
    {ROLES, "{\"azp\":\"other\"}", true, false},
    /* acr */
    {ACR, "{\"acr\":\"mfa\"}", true, false},
    {ACR, "{\"acr\":[\"mfa\",\"pwd\"]}", true, false},
    {ACR, "{}", true, false},
    {ACR, "{\"acr\":\"hardware\"}", false, false},
    {ACR, "{\"acr\":[\"mfa\",\"hardware\"]}", false, false},
    {ACR, "{\"acr\":1}", false, false},
    {ACR, "{\"acr\":{\"mfa\":true}}", false, false},
    {ROLES, "{\"acr\":\"hardware\"}", true, false},
    /* other claims */
    {TENANT, "{\"tenant\":\"partner\"}", true, false},
    {TENANT, "{\"tenant\":[\"partner\"]}", true, false},
    {TENANT, "{}", true, false},
    {TENANT, "{\"tenant\":\"acme\"}", false, false},
    {TENANT, "{\"tenant\":[\"partner\",\"acme\"]}", false, false},
    {TENANT, "{\"tenant\":[[\"partner\"]]}", false, false},
    {TENANT, "{\"tenant\":7}", false, false},
    {TENANT, "{\"tenant\":true}", false, false},
    {TENANT, "{\"Tenant\":\"acme\"}", true, false},
    {"{\"claims\":{\"tenant\":[]}}", "{\"tenant\":\"partner\"}", false, false},
    {"{\"claims\":{\"org.tenant\":[\"p\"]}}", "{\"org\":{\"tenant\":\"p\"}}", true, false},
    {"{\"claims\":{\"org.tenant\":[\"p\"]}}", "{\"org\":{\"tenant\":\"acme\"}}", false, false},
    {"{\"claims\":{\"org\":[\"p\"]}}", "{\"org\":{\"tenant\":\"p\"}}", false, false},
};

static void check_row(const char *schema, const struct row *row)
{
    struct pep_policy *p = policy_of(schema, row->allow);
    bool reads;
    enum pep_jwt_reason reason = ask(p, PARTNER, &partner, row->claims, &reads);
    if (reason != (row->accepted ? PEP_JWT_OK : PEP_JWT_ASSERTION) || reads != row->reads)
        fail_msg("allow %s, claims %s: reason %d, reads %d", row->allow, row->claims, reason,
                 reads);
    if (ask(p, OWN, &own, row->claims, &reads) != PEP_JWT_OK)
        fail_msg("the issuer without limits is refused: %s", row->claims);
    pep_policy_free(p);
}

static void a_limited_issuer_asserts_what_is_listed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_row(NULL, &rows[i]);
}

/* Roles from another claim, a tenant from inside an object, and two names for what the token calls
 * `roles` and `azp`. */
static const char schema[] =
    "claims { id = { from = 'sub', type = 'string' }, roles = { from = 'groups', type = 'set' },\n"
    "  tenant = { from = 'org.tenant', type = 'string' }, titles = { from = 'roles', type = 'set' "
    "},\n"
    "  app = { from = 'azp', type = 'string' } }\n"
    "roles { viewer = {}, guest = {}, manager = { 'viewer' } }\n"
    "resource 'doc' { actions = { 'read' } }\n";

static const struct row schema_rows[] = {
    {ROLES, "{\"groups\":[\"viewer\"]}", true, true},
    {ROLES, "{\"groups\":[\"manager\"]}", false, false}, /* though it includes viewer */
    {ROLES, "{\"groups\":[\"unknown\"]}", false, false}, /* though the schema drops it */
    {"{\"roles\":[\"manager\"]}", "{\"groups\":[\"manager\"]}", true, true}, /* by inheritance */
    {"{\"roles\":[\"manager\"]}", "{\"groups\":[\"viewer\"]}", false, false},
    {ROLES, "{\"roles\":[\"guest\"]}", true, false},
    {ROLES, "{\"roles\":[\"manager\"]}", false, false}, /* rules read it as sub.titles */
    {CLIENTS, "{\"azp\":\"app\"}", true, false},
    {CLIENTS, "{\"azp\":\"other\"}", false, false}, /* rules read it as sub.app */
    {CLIENTS, "{\"client_id\":\"other\"}", false, false},
    {TENANT, "{\"org\":{\"tenant\":\"partner\"}}", true, false},
    {TENANT, "{\"org\":{\"tenant\":\"acme\"}}", false, false}, /* rules read it as sub.tenant */
    {TENANT, "{\"tenant\":\"acme\"}", false, false},
};

static void a_schema_opens_no_way_around(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(schema_rows) / sizeof(schema_rows[0]); i++)
        check_row(schema, &schema_rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limited_issuer_asserts_what_is_listed),
        cmocka_unit_test(a_schema_opens_no_way_around),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
