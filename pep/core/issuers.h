/*
 * issuers.json: whose tokens this policy believes, and how far. Part of the signed bundle, so that
 * whoever may change rules, and nobody else, may change this.
 *
 *     [{"issuer":"https://idp.acme", "audiences":["billing-api"], "algorithms":["RS256"],
 *       "jwks":{"keys":[...]}, "required_claims":["sub"], "token_types":["at+jwt"],
 *       "max_lifetime":3600, "allow":{"roles":[..],"clients":[..],"acr":[..],
 *                                     "claims":{"tenant":["acme"]}}}]
 *
 * `issuer`, `audiences` (non-empty), `algorithms` (non-empty) and keys are required. An issuer with
 * "jwks_uri", "keys":"relayed" and "keys_max_age" has no keys of its own: pdpd fetches them and
 * passes them on, and they come as struct pep_relayed. Unless "key_thumbprints" pin them, whoever
 * holds pdpd's beacon key can name them.
 */
#ifndef PEP_CORE_ISSUERS_H
#define PEP_CORE_ISSUERS_H

#include "bundle.h"
#include "diag.h"
#include "keys.h"

#define PEP_ISSUERS_MAX 64
#define PEP_JWKS_MAX    (64 * 1024) /* a fetched key set, bytes of JSON */

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

/* Keys that came beside the policy, for issuers marked `relayed`, by their index in the table. */
struct pep_relayed {
    const struct pep_jwks *keys[PEP_ISSUERS_MAX]; /* NULL: none have come */
    int64_t until[PEP_ISSUERS_MAX];               /* Unix seconds: then they count as absent */
};
/* The issuer's keys at `now`: its own, or those of `relayed` (NULL: none have come). NULL: none. */
const struct pep_jwks *pep_issuer_keys(const struct pep_issuer *issuer,
                                       const struct pep_relayed *relayed, int64_t now);
/* Reads a JWKS that was fetched for this issuer: only keys that may be used, and only pinned ones
 * where the policy has thumbprints. Errors: EFORMAT, ELIMIT, ENOMEM. */
int pep_issuer_read_relayed(const struct pep_issuer *issuer, struct pep_span json,
                            struct pep_jwks **ret, struct pep_error *err);

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
/* Whether any issuer has no keys of its own. */
bool pep_issuers_relay(const struct pep_issuers *issuers);

#endif
