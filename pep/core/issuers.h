/*
 * issuers.json: whose tokens this policy believes, and how far. Part of the signed bundle, so that
 * whoever may change rules, and nobody else, may change this.
 *
 *     [{"issuer":"https://idp.acme", "audiences":["billing-api"], "algorithms":["RS256"],
 *       "jwks":{"keys":[...]}, "required_claims":["sub"], "token_types":["at+jwt"],
 *       "max_lifetime":3600, "allow":{"roles":[..],"clients":[..],"acr":[..],
 *                                     "claims":{"tenant":["acme"]}}}]
 *
 * `issuer`, `audiences` (non-empty), `algorithms` (non-empty) and keys are required. "jwks_uri" with
 * "keys":"relayed" and "keys_max_age" is read and kept, and verifies nothing until keys arrive.
 */
#ifndef PEP_CORE_ISSUERS_H
#define PEP_CORE_ISSUERS_H

#include "bundle.h"
#include "diag.h"
#include "keys.h"

#define PEP_ISSUERS_MAX 64

struct pep_strings { /* borrowed, sorted bytewise */
    const char *const *items;
    size_t count;
};
bool pep_strings_has(const struct pep_strings *s, struct pep_span value);

struct pep_issuer_claim {
    const char *name;
    struct pep_strings values;
};

struct pep_issuer {
    const char *name; /* compared byte for byte with `iss` */
    struct pep_strings audiences;
    uint32_t algorithms; /* bit 1 << enum pep_alg */
    const struct pep_jwks *keys;
    struct pep_strings required_claims;
    struct pep_strings token_types; /* empty: `typ` absent, "JWT" or "at+jwt", and nothing else */
    int64_t max_lifetime;           /* seconds from iat to exp; 0: no limit */
    /* "allow": what this issuer may assert. Without "allow" everything is allowed. */
    bool has_allow;
    bool limits_roles, limits_clients, limits_acr;
    struct pep_strings roles, clients, acr;
    const struct pep_issuer_claim *claims;
    size_t claim_count;
    /* relayed keys */
    const char *jwks_uri; /* or NULL */
    int64_t keys_max_age; /* seconds */
    struct pep_strings key_thumbprints;
    size_t index; /* in the table */
};

struct pep_issuers; /* immutable */

/* An empty table (no file) verifies nothing. Problems go to `diags` (E-codes make it fail). */
int pep_issuers_read(struct pep_span text, const char *file, struct pep_issuers **ret,
                     struct pep_diags *diags, struct pep_error *err);
/* The same table with one JWKS for one issuer, for `token verify --keys` and tests. */
int pep_issuers_single(const char *issuer, const char *const *audiences, const json_t *jwks,
                       struct pep_issuers **ret, struct pep_error *err);
void pep_issuers_free(struct pep_issuers *issuers);
size_t pep_issuers_count(const struct pep_issuers *issuers);
const struct pep_issuer *pep_issuers_at(const struct pep_issuers *issuers, size_t i);
const struct pep_issuer *pep_issuers_find(const struct pep_issuers *issuers, struct pep_span name);
/* True if any issuer lists the algorithm. */
bool pep_issuers_list(const struct pep_issuers *issuers, enum pep_alg alg);
/* False if no issuer could have signed under this kid and algorithm: refuses made-up tokens before
 * their payload costs anything. */
bool pep_issuers_may_hold(const struct pep_issuers *issuers, const struct pep_span *kid,
                          enum pep_alg alg);

#endif
