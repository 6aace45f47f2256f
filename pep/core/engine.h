/*
 * The policy engine: verified files in, decisions out. The only files that know Lua are engine*.c.
 *
 *     bundle --pep_policy_compile()--> policy --pep_policy_decide()--> verdict
 *
 * A policy is immutable once compiled and may be used by any number of threads. Rule heads live in
 * a C index (resource type, action) -> candidates; roles, scopes, clients, issuers and `same` are
 * decided in C; only rules with a function enter one of a small pool of Lua states.
 */
#ifndef PEP_CORE_ENGINE_H
#define PEP_CORE_ENGINE_H

#include "bundle.h"
#include "diag.h"
#include "issuers.h"
#include "jwt.h"

#include "pep.h"

#define PEP_LUA_STATES_MAX 64
#define PEP_BUDGET_STEPS   200000            /* per decision */
#define PEP_BUDGET_MEMORY  (8 * 1024 * 1024) /* bytes per decision */
#define PEP_RULES_MAX      20000
#define PEP_ATTRIBUTES_MAX 256 /* one request */
#define PEP_RESOURCE_MAX   1024

struct pep_engine_options {
    unsigned lua_states; /* 0: the cores, at most 4 */
    bool author;         /* stricter: writes and unknown names raise (policyctl check and test) */
};

struct pep_policy;

/* What libpep and pdpd call: a verified bundle only. Load, index, environment walk, every rule once
 * on an empty request (whose faults are counted and reported, not fatal). `diags` may be NULL.
 * Errors: EPOLICY (text: the first diagnosis), ENOMEM, ELIMIT, ELUA. */
int pep_policy_compile(const struct pep_bundle *bundle, const struct pep_engine_options *options,
                       struct pep_policy **ret, struct pep_diags *diags, struct pep_error *err);
/* The same for unsigned files: authors' tools and tests only; a test greps that neither libpep nor
 * pdpd calls it. */
int pep_policy_compile_unsigned(const struct pep_files *files,
                                const struct pep_engine_options *options, struct pep_policy **ret,
                                struct pep_diags *diags, struct pep_error *err);
void pep_policy_free(struct pep_policy *policy);

const struct pep_issuers *pep_policy_issuers(const struct pep_policy *policy);
size_t pep_policy_rule_count(const struct pep_policy *policy);

/* ---- the subject: verified claims, projected once and cached with the token ---- */

struct pep_subject; /* immutable, belongs to one policy and must be freed before it */

/* From a verified token. Errors: ETOKEN with *ret_reason (allow, azp/client_id, required claims of
 * the schema), ENOMEM. `jwt` is not needed afterwards. */
int pep_subject_new(const struct pep_policy *policy, const struct pep_jwt *jwt,
                    struct pep_subject **ret, enum pep_jwt_reason *ret_reason,
                    struct pep_error *err);
/* From bare claims without a token (`eval --subject`, tests): no issuer limits apply. */
int pep_subject_from_claims(const struct pep_policy *policy, const json_t *claims,
                            struct pep_subject **ret, struct pep_error *err);
void pep_subject_free(struct pep_subject *subject);
const char *pep_subject_id(const struct pep_subject *subject); /* `sub.id` or "" */
/* How many roles of the token the schema does not declare; they are dropped. */
uint32_t pep_subject_dropped_roles(const struct pep_subject *subject);
/* Appends what rules read as `sub.NAME`, as JSON. False, and nothing appended: they read nil. */
bool pep_subject_put(const struct pep_subject *subject, struct pep_span name,
                     struct pep_buffer *out);

/* ---- one decision ---- */

struct pep_request {
    const struct pep_subject *subject;
    const char *action, *resource;
    const pep_attr *attrs;
    size_t attr_count;
    const pep_attr *context;
    size_t context_count;
    const json_t *attrs_json, *context_json; /* objects or NULL; borrowed */
    double now;                              /* Unix seconds: ctx.now */
    const char *const *can_oblige;           /* NULL-terminated or NULL; `any_obligation` wins */
    bool any_obligation; /* eval and test: treat every obligation type as one the caller can do */
};

/* Counters that tests hold the engine to. */
struct pep_effort {
    unsigned candidates; /* rules in the index for this (type, action) */
    unsigned visited;    /* rules looked at: never more than candidates */
    unsigned calls;      /* lua_pcall: 0 for head-only rules */
};

struct pep_fault {
    const char *rule;
    const char *kind; /* "budget" "memory" "error" "result" */
    char message[200];
};
#define PEP_FAULTS_MAX 8

struct pep_verdict {
    pep_outcome outcome;
    pep_code code;
    const char *rule;                 /* borrowed from the policy, or NULL */
    const char *reason;               /* borrowed from the policy or static; NULL if none */
    const char *obligations, *advice; /* JSON array text borrowed from the policy, or NULL */
    char detail[PEP_REASON_MAX];      /* the reason's text when it is made up here (bad_request) */
    struct pep_effort effort;
    struct pep_fault faults[PEP_FAULTS_MAX];
    size_t fault_count; /* may exceed PEP_FAULTS_MAX: only so many are kept */
};

/* No lock, and on a warm path no allocation outside the claimed Lua state's own arena. Fills *ret
 * in every case. The caller must keep policy and subject alive. */
void pep_policy_decide(const struct pep_policy *policy, const struct pep_request *request,
                       struct pep_verdict *ret);

/* One line per candidate rule, all of them, also those behind the first deny. */
struct pep_explanation {
    const char *effect; /* "allow" "deny" "challenge" */
    const char *rule;
    bool applied;
    char why[160]; /* "roles: needs manager, has viewer" */
};
/* As pep_policy_decide(), and calls `each` per candidate in evaluation order. */
void pep_policy_explain(const struct pep_policy *policy, const struct pep_request *request,
                        struct pep_verdict *ret,
                        void (*each)(void *context, const struct pep_explanation *line),
                        void *context);

/* Names that any rule for this (type, action) can read, e.g. "sub.tenant", "res.amount": for
 * decision records. Sorted; borrowed; *ret_count 0 for an unknown pair. */
const char *const *pep_policy_reads(const struct pep_policy *policy, const char *type,
                                    const char *action, size_t *ret_count);
/* As pep_policy_decide(), and appends what the rules could read, as pep_policy_put_reads() does:
 * the request is opened once for both. */
void pep_policy_decide_reading(const struct pep_policy *policy, const struct pep_request *request,
                               struct pep_verdict *ret, struct pep_buffer *reads);
/* Writes the values of those names for this request as a JSON object (absent: null). Appends. */
void pep_policy_put_reads(const struct pep_policy *policy, const struct pep_request *request,
                          struct pep_buffer *out);

/* ---- looking into a policy: check, diff, bench, metrics ---- */

enum pep_effect { PEP_EFFECT_DENY, PEP_EFFECT_ALLOW, PEP_EFFECT_CHALLENGE }; /* evaluation order */

struct pep_rule_info { /* all borrowed from the policy */
    enum pep_effect effect;
    const char *id, *file;
    int line;
    struct pep_strings actions;   /* as written; "*" for all */
    struct pep_strings resources; /* "type", "type:pattern" or "*" */
    struct pep_strings roles, scopes, clients, issuers, same;
    bool has_function, negated; /* `unless` */
    const char *reason, *obligations, *advice;
    struct pep_strings reads; /* "sub.x", "res.y", "ctx.z" that its function can read */
};
bool pep_policy_rule(const struct pep_policy *policy, size_t i, struct pep_rule_info *ret);
/* Wait-free counters since compile, one per rule: applied, not applied, faults. */
struct pep_rule_count {
    uint64_t applied, not_applied, faults;
};
void pep_policy_rule_counts(const struct pep_policy *policy, size_t i, struct pep_rule_count *ret);

/* PEP_OK if the Lua that this process resolves is the one that was compiled against; else ELUA. */
int pep_engine_self_test(struct pep_error *err);

#endif
