/*
 * A policy's life: verified files in, an immutable policy out.
 *
 * Order: sources are compiled and checked, the first Lua state runs schema and rules, the rules are
 * sorted and indexed, the other states load the same code, and every function is called once on an
 * empty request. Nothing of a policy that fails on the way is left. Compiling takes milliseconds
 * and happens beside the running policy; see pep_policy_decide() for what happens per request.
 */
#include "engine_internal.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_STATES   4
#define SELF_CHECK_STEPS 4000000 /* of all functions together, on the empty request */
#define REBUILD_STEPS    1000000 /* what it counts for there that a state must be made anew */

/* The first names of every policy, in the order of enum pep_known. */
static const char *const known_names[PEP_NAME_KNOWN] = {"id",     "roles", "token_roles", "scopes",
                                                        "client", "actor", "chain",       "issuer",
                                                        "type",   "now",   "action"};

static unsigned default_states(void)
{
    cpu_set_t cpus; /* those that this process may use: a container's share counts */
    int cores = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : DEFAULT_STATES;
    return cores < 1 ? 1 : cores > DEFAULT_STATES ? DEFAULT_STATES : (unsigned)cores;
}

static int new_policy(const struct pep_engine_options *options, struct pep_policy **ret,
                      struct pep_error *err)
{
    unsigned states =
        options == NULL || options->lua_states == 0 ? default_states() : options->lua_states;
    if (states > PEP_LUA_STATES_MAX)
        return pep_error_set(err, PEP_EINVAL, "lua_states: %u, at most %d", states,
                             PEP_LUA_STATES_MAX);
    struct pep_policy *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory for a policy");
    p->author = options != NULL && options->author;
    p->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    p->slots = aligned_alloc(PEP_CACHE_LINE, states * sizeof(*p->slots));
    bool ok = p->locale != (locale_t)0 && p->slots != NULL;
    if (p->slots != NULL) {
        memset(p->slots, 0, states * sizeof(*p->slots));
        p->slot_count = states;
    }
    for (int i = 0; ok && i < PEP_NAME_KNOWN; i++)
        ok = pep_names_add(&p->names, &p->pool, pep_span_string(known_names[i])) != PEP_NONE;
    if (!ok) {
        pep_policy_free(p);
        return pep_error_set(err, PEP_ENOMEM, "no memory for a policy");
    }
    *ret = p;
    return PEP_OK;
}

void pep_policy_free(struct pep_policy *policy)
{
    if (policy == NULL)
        return;
    for (unsigned i = 0; i < policy->slot_count; i++)
        pep_slot_close(&policy->slots[i]);
    free(policy->slots);
    for (size_t i = 0; i < policy->source_count; i++)
        pep_chunk_free(policy->sources[i].chunk);
    for (size_t i = 0; i < policy->rule_count; i++)
        json_decref(policy->rules[i].oblige);
    for (int i = 0; i < PEP_STRIPES; i++)
        free(policy->counters[i].applied);
    pep_merged_free(policy);
    pep_issuers_free(policy->issuers);
    struct pep_names *names[] = {&policy->names,     &policy->types,        &policy->actions,
                                 &policy->roles,     &policy->scopes,       &policy->clients,
                                 &policy->reads,     &policy->issuer_names, &policy->modules,
                                 &policy->data_names};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        pep_names_free(names[i]);
    if (policy->locale != (locale_t)0)
        freelocale(policy->locale);
    pep_pool_free(&policy->pool);
    free(policy);
}

/* ---- rules in evaluation order ---- */

static int compare_rules(const void *a, const void *b)
{
    const struct pep_rule *x = a, *y = b;
    if (x->effect != y->effect)
        return x->effect < y->effect ? -1 : 1;
    int c = strcmp(x->id, y->id);
    return c != 0 ? c : (x->function > y->function) - (x->function < y->function);
}

static int compare_ids(const void *a, const void *b)
{
    const struct pep_rule *x = *(const struct pep_rule *const *)a;
    const struct pep_rule *y = *(const struct pep_rule *const *)b;
    int c = strcmp(x->id, y->id);
    return c != 0 ? c : (x > y) - (x < y);
}

static int check_unique(const struct pep_policy *policy, struct pep_diags *diags)
{
    size_t n = policy->rule_count, errors = diags->errors;
    const struct pep_rule **rules = malloc((n + 1) * sizeof(*rules));
    if (rules == NULL)
        return PEP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        rules[i] = &policy->rules[i];
    if (n > 1)
        qsort(rules, n, sizeof(*rules), compare_ids);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(rules[i]->id, rules[i - 1]->id) == 0)
            pep_diag_add(diags, "E104", rules[i]->file, rules[i]->line,
                         "an id is used once in the whole policy",
                         "rule `%s` stands twice, also in %s:%d", rules[i]->id, rules[i - 1]->file,
                         rules[i - 1]->line);
    }
    free(rules);
    return diags->errors == errors ? PEP_OK : PEP_EPOLICY;
}

static int take_rules(struct pep_policy *policy, struct pep_loader *ld)
{
    size_t n = ld->rule_count;
    struct pep_rule *rules = pep_pool_get(&policy->pool, n * sizeof(*rules));
    if (rules == NULL)
        return PEP_ENOMEM;
    if (n > 0)
        memcpy(rules, ld->rules, n * sizeof(*rules));
    if (n > 1)
        qsort(rules, n, sizeof(*rules), compare_rules);
    policy->rules = rules;
    policy->rule_count = n;
    policy->function_count = ld->functions;
    ld->rule_count = 0;
    for (int i = 0; i < PEP_STRIPES; i++) {
        struct pep_counter_stripe *s = &policy->counters[i];
        s->applied = calloc(3 * n + 64, sizeof(*s->applied)); /* a line of its own behind it */
        if (s->applied == NULL)
            return PEP_ENOMEM;
        s->not_applied = s->applied + n;
        s->faults = s->not_applied + n;
    }
    return PEP_OK;
}

/* ---- the steps ---- */

static int load_first(struct pep_policy *policy, struct pep_diags *diags, struct pep_error *err)
{
    struct pep_loader ld = {.policy = policy, .diags = diags, .first = true};
    int rc = pep_slot_load(&policy->slots[0], &ld, err);
    size_t errors = diags->errors;
    if (rc == PEP_OK || ld.rule_count > 0) {
        int taken = take_rules(policy, &ld);
        rc = taken != PEP_OK ? taken : rc;
    }
    for (size_t i = 0; i < ld.rule_count; i++) /* not taken */
        json_decref(ld.rules[i].oblige);
    free(ld.rules);
    if (rc == PEP_OK)
        rc = check_unique(policy, diags);
    return rc == PEP_OK && errors > 0 ? PEP_EPOLICY : rc;
}

static int load_others(struct pep_policy *policy, struct pep_error *err)
{
    for (unsigned i = 1; i < policy->slot_count; i++) {
        struct pep_loader ld = {.first = false};
        int rc = pep_slot_open(&policy->slots[i], policy, err);
        if (rc == PEP_OK)
            rc = pep_slot_load(&policy->slots[i], &ld, err);
        if (rc == PEP_OK && ld.functions != policy->function_count)
            rc = pep_error_set(err, PEP_EPOLICY, "the rules differ from one load to the next");
        if (rc != PEP_OK)
            return rc;
    }
    return PEP_OK;
}

/* The source whose place, "path:line: ", the text begins with; the line, and what follows. */
static const struct pep_source *place_of(const struct pep_policy *policy, const char **text,
                                         int *ret_line)
{
    const char *colon = strchr(*text, ':');
    const struct pep_source *s =
        colon == NULL ? NULL : pep_source_at(policy, pep_span_of(*text, (size_t)(colon - *text)));
    char *end;
    if (s == NULL)
        return NULL;
    long line = strtol(colon + 1, &end, 10);
    if (line <= 0 || line > INT32_MAX || end[0] != ':' || end[1] != ' ')
        return NULL;
    *ret_line = (int)line;
    *text = end + 2;
    return s;
}

static void report_fault(const struct pep_policy *policy, const struct pep_rule *rule,
                         const struct pep_fault *fault, struct pep_diags *diags)
{
    int line = rule->line;
    const char *message = fault->message, *help = "guard against absent values: x ~= nil and ...";
    const struct pep_source *s = place_of(policy, &message, &line);
    if (strcmp(fault->kind, "budget") == 0)
        help = "do less: a decision takes at most 200,000 steps";
    else if (strcmp(fault->kind, "result") == 0)
        help = "return a comparison, as in: return x ~= nil";
    pep_diag_add(diags, "W330", s == NULL ? rule->file : s->path, line, help,
                 "rule `%s` fails on a request without attributes: %s", rule->id, message);
}

/* Every function once, on an empty request; what fails there is worth a look and no error. */
static void self_check(struct pep_policy *policy, const struct pep_subject *nobody,
                       struct pep_diags *diags)
{
    struct pep_verdict verdict = {.fault_count = 0};
    struct pep_request request = {.subject = nobody, .action = "", .resource = ""};
    int64_t left = SELF_CHECK_STEPS;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct pep_rule *rule = &policy->rules[i];
        struct pep_eval e = {.policy = policy,
                             .request = &request,
                             .subject = nobody,
                             .verdict = &verdict,
                             .type = PEP_NONE,
                             .action = PEP_NONE};
        if (rule->function == 0)
            continue;
        if (left <= 0) {
            pep_diag_add(diags, "W330", rule->file, rule->line,
                         "correct the functions named before, then check again",
                         "rule `%s` and those after it were not tried: the ones before took %d "
                         "steps on a request without attributes",
                         rule->id, SELF_CHECK_STEPS);
            return;
        }
        verdict.fault_count = 0;
        if (pep_rule_call(&e, rule) == PEP_APPLIES_FAULT && verdict.fault_count > 0)
            report_fault(policy, rule, &verdict.faults[0], diags);
        left -= PEP_BUDGET_STEPS;
        if (e.slot != NULL && !e.slot->broken)
            left += e.slot->steps; /* not used */
        else
            left -= REBUILD_STEPS;
        pep_eval_close(&e);
    }
}

static int check_functions(struct pep_policy *policy, struct pep_diags *diags)
{
    struct pep_subject *nobody = NULL;
    json_t *claims = json_object();
    struct pep_schema schema = policy->schema;
    policy->schema.claim_count = 0; /* required claims are not asked of nobody */
    int rc = claims == NULL ? PEP_ENOMEM : pep_subject_from_claims(policy, claims, &nobody, NULL);
    policy->schema = schema;
    json_decref(claims);
    if (rc != PEP_OK)
        return rc;
    self_check(policy, nobody, diags);
    pep_subject_free(nobody);
    return PEP_OK;
}

static int read_issuers(struct pep_policy *policy, const struct pep_files *files,
                        struct pep_diags *diags, struct pep_error *err)
{
    const struct pep_file *file = pep_files_find(files, "issuers.json");
    struct pep_span text = file == NULL ? pep_span_string("[]") : file->content;
    return pep_issuers_read(text, "issuers.json", &policy->issuers, diags, err);
}

/* Only files of rules were refused: what the others need is there. */
static bool rules_can_load(const struct pep_policy *policy)
{
    for (size_t i = 0; i < policy->source_count; i++) {
        if (policy->sources[i].refused && policy->sources[i].kind != PEP_SOURCE_POLICY)
            return false;
    }
    return true;
}

static int compile(struct pep_policy *policy, const struct pep_files *files,
                   struct pep_diags *diags, struct pep_error *err)
{
    int issuers = read_issuers(policy, files, diags, err);
    int rc = pep_slot_open(&policy->slots[0], policy, err);
    if (rc == PEP_OK)
        rc = pep_sources_read(policy, files, diags, err);
    if (rc == PEP_OK)
        rc = load_first(policy, diags, err);
    else if (rc == PEP_EPOLICY && policy->author && !policy->cut && rules_can_load(policy))
        (void)load_first(policy, diags, NULL); /* for its author: what is wrong in the others */
    if (rc == PEP_OK)
        rc = issuers;
    if (rc == PEP_OK && diags->errors > 0)
        rc = PEP_EPOLICY;
    if (rc == PEP_OK)
        rc = pep_index_build(policy, diags, err);
    if (rc == PEP_OK)
        rc = pep_reads_build(policy, diags);
    if (rc == PEP_OK)
        rc = load_others(policy, err);
    return rc == PEP_OK ? check_functions(policy, diags) : rc;
}

static void first_diagnosis(const struct pep_diags *diags, int rc, struct pep_error *err)
{
    struct pep_error first = PEP_ERROR_INIT;
    for (size_t i = 0; rc != PEP_ENOMEM && i < diags->count; i++) {
        const struct pep_diag *d = &diags->items[i];
        if (d->level != PEP_DIAG_ERROR)
            continue;
        pep_error_set(&first, rc, "%s:%d: %s: %s", d->file == NULL ? "policy" : d->file, d->line,
                      d->code, d->message);
        break;
    }
    if (first.code == PEP_OK)
        pep_error_set(err, rc, "%s", pep_strerror(rc));
    else if (err != NULL)
        *err = first;
}

/* What is refused for want of memory says nothing about the policy: whoever asked may try again. */
static bool starved(const struct pep_policy *policy, const struct pep_diags *diags)
{
    bool any = policy->pool.starved || diags->starved > 0;
    for (unsigned i = 0; i < policy->slot_count; i++)
        any = any || policy->slots[i].starved;
    return any;
}

int pep_policy_compile_unsigned(const struct pep_files *files,
                                const struct pep_engine_options *options, struct pep_policy **ret,
                                struct pep_diags *diags, struct pep_error *err)
{
    struct pep_diags own = PEP_DIAGS_INIT;
    struct pep_diags *all = diags == NULL ? &own : diags;
    struct pep_policy *policy = NULL;
    int rc = pep_engine_self_test(err);
    if (rc == PEP_OK)
        rc = new_policy(options, &policy, err);
    if (rc != PEP_OK)
        return rc;
    locale_t before = uselocale(policy->locale);
    rc = compile(policy, files, all, err);
    uselocale(before);
    if (rc != PEP_OK && starved(policy, all)) {
        rc = PEP_ENOMEM;
        if (err != NULL)
            *err = (struct pep_error)PEP_ERROR_INIT;
    }
    if (rc == PEP_OK) {
        *ret = policy;
    } else {
        first_diagnosis(all, rc, err);
        pep_policy_free(policy);
    }
    pep_diags_free(&own);
    return rc;
}

int pep_policy_compile(const struct pep_bundle *bundle, const struct pep_engine_options *options,
                       struct pep_policy **ret, struct pep_diags *diags, struct pep_error *err)
{
    return pep_policy_compile_unsigned(pep_bundle_files(bundle), options, ret, diags, err);
}

/* ---- looking in ---- */

const struct pep_issuers *pep_policy_issuers(const struct pep_policy *policy)
{
    return policy->issuers;
}

size_t pep_policy_rule_count(const struct pep_policy *policy)
{
    return policy->rule_count;
}

bool pep_policy_rule(const struct pep_policy *policy, size_t i, struct pep_rule_info *ret)
{
    if (i >= policy->rule_count)
        return false;
    const struct pep_rule *r = &policy->rules[i];
    *ret = (struct pep_rule_info){
        .effect = (enum pep_effect)r->effect,
        .id = r->id,
        .file = r->file,
        .line = r->line,
        .actions = r->action_texts,
        .resources = r->resource_texts,
        .roles = r->role_texts,
        .scopes = r->scope_texts,
        .clients = r->client_texts,
        .issuers = r->issuer_texts,
        .same = r->same_texts,
        .has_function = r->function != 0,
        .negated = r->negated,
        .reason = r->reason,
        .obligations = r->obligations,
        .advice = r->advice,
        .reads = r->reads,
    };
    return true;
}

void pep_policy_rule_counts(const struct pep_policy *policy, size_t i, struct pep_rule_count *ret)
{
    struct pep_rule_count sum = {0, 0, 0};
    for (int k = 0; k < PEP_STRIPES && i < policy->rule_count; k++) {
        const struct pep_counter_stripe *s = &policy->counters[k];
        sum.applied += atomic_load_explicit(&s->applied[i], memory_order_relaxed);
        sum.not_applied += atomic_load_explicit(&s->not_applied[i], memory_order_relaxed);
        sum.faults += atomic_load_explicit(&s->faults[i], memory_order_relaxed);
    }
    *ret = sum;
}
