/*
 * Candidates to verdict.
 *
 * Deny overrides: candidates come sorted by effect (deny, allow, challenge) and id, so one walk
 * decides. The first applying deny ends it; no applying allow ends it; challenges are asked last. A
 * rule that fails never opens a door: a failing deny applies, a failing challenge denies, a failing
 * allow does not apply, and a decision whose budget is gone denies.
 *
 * A Lua state is claimed at the first rule with a function and kept until the decision ends; a
 * policy of heads alone never claims one. Rule counters are striped by thread.
 */
#include "engine_pick.h"

#include <stdio.h>
#include <string.h>

#define ASIDE_STEPS   (20 * PEP_BUDGET_STEPS) /* for all rules that only explaining looks at */
#define REBUILD_STEPS (5 * PEP_BUDGET_STEPS)  /* what making a state anew counts for there */

/* ---- functions ---- */

static struct pep_slot *claim(struct pep_eval *e)
{
    if (e->slot != NULL || e->busy)
        return e->slot;
    struct pep_slot *slot = pep_slot_claim(e->policy);
    if (slot != NULL && slot->broken && pep_slot_rebuild(slot) != PEP_OK) {
        pep_slot_release(slot);
        slot = NULL;
    }
    e->busy = slot == NULL;
    if (slot == NULL)
        return NULL;
    e->slot = slot;
    slot->eval = e;
    /* texts compare byte for byte and numbers print alike, whatever locale the host has set */
    e->locale = uselocale(e->policy->locale);
    pep_slot_begin(slot, PEP_BUDGET_STEPS - (int64_t)e->charged, PEP_BUDGET_MEMORY);
    pep_plain_begin(slot, e->subject);
    return slot;
}

static struct pep_fault *new_fault(struct pep_eval *e, const struct pep_rule *rule,
                                   const char *kind)
{
    struct pep_verdict *v = e->verdict;
    if (v->fault_count++ >= PEP_FAULTS_MAX)
        return NULL;
    struct pep_fault *f = &v->faults[v->fault_count - 1];
    f->rule = rule->id;
    f->kind = kind;
    f->message[0] = '\0';
    return f;
}

static void note_error(struct pep_eval *e, const struct pep_rule *rule, int status)
{
    char text[sizeof(((struct pep_fault *)0)->message)];
    const char *kind = "error";
    if (e->slot->exhausted == PEP_EXHAUSTED_MEMORY || status == LUA_ERRMEM)
        kind = "memory";
    else if (e->slot->exhausted == PEP_EXHAUSTED_STEPS)
        kind = "budget";
    pep_slot_error(e->slot, status, text, sizeof(text));
    struct pep_fault *f = new_fault(e, rule, kind);
    if (f != NULL)
        memcpy(f->message, text, sizeof(text));
    if (status == LUA_ERRMEM) {
        e->slot->broken = true;
        e->slot->exhausted = PEP_EXHAUSTED_MEMORY;
    }
}

static enum pep_applies meaning(const struct pep_rule *rule, bool holds)
{
    return holds != rule->negated ? PEP_APPLIES_YES : PEP_APPLIES_NO;
}

/* Takes the steps of a straight function off the budget, wherever that is; false if it does not
 * reach, which is Lua's to tell. */
static bool charge(struct pep_eval *e, const struct pep_rule *rule)
{
    if (e->busy || (e->slot != NULL &&
                    (e->slot->exhausted != PEP_EXHAUSTED_NOT || e->slot->steps < rule->steps)))
        return false;
    if (e->slot != NULL)
        e->slot->steps -= rule->steps;
    else if (e->charged + rule->steps <= PEP_BUDGET_STEPS)
        e->charged += rule->steps;
    else
        return false;
    return true;
}

/* Gives them back: Lua runs the function after all. */
static void give_back(struct pep_eval *e, const struct pep_rule *rule)
{
    if (e->slot != NULL)
        e->slot->steps += rule->steps;
    else
        e->charged -= rule->steps;
}

enum pep_applies pep_rule_call(struct pep_eval *e, const struct pep_rule *rule)
{
    bool result;
    if (rule->native != NULL && charge(e, rule)) {
        if (pep_native_run(e, rule->native, &result)) {
            e->verdict->effort.calls++;
            return meaning(rule, result);
        }
        give_back(e, rule);
    }
    struct pep_slot *slot = claim(e);
    if (slot == NULL || slot->exhausted != PEP_EXHAUSTED_NOT)
        return PEP_APPLIES_FAULT;
    lua_State *L = slot->L;
    slot->sorting = 0; /* one rule that failed inside a sort takes nothing from the next */
    e->verdict->effort.calls++;
    int status = pep_plain_call(slot, rule);
    if (status != LUA_OK || slot->exhausted != PEP_EXHAUSTED_NOT) {
        note_error(e, rule, status);
        return PEP_APPLIES_FAULT;
    }
    int type = lua_type(L, -1);
    bool holds = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    if (type != LUA_TBOOLEAN) {
        struct pep_fault *f = new_fault(e, rule, "result");
        if (f != NULL)
            snprintf(f->message, sizeof(f->message),
                     "returned %s: a condition returns true or false",
                     type == LUA_TLIGHTUSERDATA ? "table" : lua_typename(L, type));
        return PEP_APPLIES_FAULT;
    }
    return meaning(rule, holds);
}

/* ---- combining ---- */

struct walk {
    struct pep_eval *e;
    const struct pep_brief *deny, *allow, *usable, *challenge;
    const struct pep_brief *exhausted; /* where the budget ended */
    const struct pep_rule *asking;
    bool deny_failed, challenge_failed, free_allow, decided;
    double max_age;
};

static bool can_fulfil(const struct pep_request *q, const struct pep_rule *rule)
{
    for (size_t i = 0; !q->any_obligation && i < rule->oblige_count; i++) {
        bool known = false;
        for (size_t k = 0; q->can_oblige != NULL && q->can_oblige[k] != NULL && !known; k++)
            known = strcmp(q->can_oblige[k], rule->oblige_types[i]) == 0;
        if (!known)
            return false;
    }
    return true;
}

static const struct pep_rule *rule_of(const struct walk *w, const struct pep_brief *brief)
{
    return &w->e->policy->rules[brief - w->e->policy->briefs];
}

static void note_allow(struct walk *w, const struct pep_brief *brief)
{
    if (w->allow == NULL)
        w->allow = brief;
    if ((brief->flags & PEP_BRIEF_OBLIGES) == 0)
        w->free_allow = true;
    else if (w->usable == NULL && can_fulfil(w->e->request, rule_of(w, brief)))
        w->usable = brief;
}

static void note_challenge(struct walk *w, const struct pep_brief *brief)
{
    const struct pep_rule *rule = rule_of(w, brief);
    if (w->challenge == NULL)
        w->challenge = brief;
    /* the answer must hold the step-up that is asked for, whichever rule asks */
    if (rule->oblige_count > 0 && (w->asking == NULL || (rule->steps_up && !w->asking->steps_up)))
        w->asking = rule;
    if (rule->max_age >= 0 && (w->max_age < 0 || rule->max_age < w->max_age))
        w->max_age = rule->max_age;
}

static void conclude(struct walk *w, pep_outcome outcome, pep_code code,
                     const struct pep_brief *brief)
{
    struct pep_verdict *v = w->e->verdict;
    const struct pep_rule *rule =
        brief != NULL && (brief->flags & PEP_BRIEF_SAYS) != 0 ? rule_of(w, brief) : NULL;
    v->outcome = outcome;
    v->code = code;
    v->rule = brief == NULL ? NULL : brief->id;
    v->reason = brief == NULL ? NULL : brief->reason;
    /* a failed challenge must not look like one */
    bool given = rule != NULL && outcome != PEP_ALLOW && code != PEP_CODE_FAULT;
    v->obligations = given ? rule->obligations : NULL;
    v->advice = rule == NULL ? NULL : rule->advice;
}

/* The verdict from what was seen so far. */
static void resolve(struct walk *w)
{
    struct pep_verdict *v = w->e->verdict;
    w->decided = true;
    if (w->e->busy)
        conclude(w, PEP_DENY, PEP_CODE_BUSY, NULL);
    else if (w->exhausted != NULL) {
        conclude(w, PEP_DENY, PEP_CODE_FAULT, w->exhausted);
        if (w->exhausted->effect == PEP_EFFECT_ALLOW)
            v->reason = NULL; /* it says why one may, and nobody may */
    } else if (w->deny != NULL)
        conclude(w, PEP_DENY, w->deny_failed ? PEP_CODE_FAULT : PEP_CODE_DENIED, w->deny);
    else if (w->allow == NULL)
        conclude(w, PEP_DENY, PEP_CODE_NOT_GRANTED, NULL);
    else if (w->challenge_failed)
        conclude(w, PEP_DENY, PEP_CODE_FAULT, w->challenge);
    else if (w->challenge != NULL) {
        conclude(w, PEP_CHALLENGE, PEP_CODE_CHALLENGE, w->challenge);
        if (w->asking != NULL)
            v->obligations = pep_oblige_merged(w->e->policy, w->asking, w->max_age);
        if (w->asking != NULL && v->obligations == NULL) /* a weaker demand is none */
            conclude(w, PEP_DENY, PEP_CODE_FAULT, w->challenge);
    } else if (w->free_allow || w->usable != NULL) {
        conclude(w, PEP_ALLOW, PEP_CODE_ALLOWED, w->free_allow ? w->allow : w->usable);
        v->rule = w->allow->id;
        v->reason = w->allow->reason;
        v->obligations = w->free_allow ? NULL : rule_of(w, w->usable)->obligations;
    } else {
        conclude(w, PEP_DENY, PEP_CODE_OBLIGATION, w->allow);
    }
}

/* What one rule's result means. */
static void note(struct walk *w, const struct pep_brief *rule, enum pep_applies applies)
{
    struct pep_eval *e = w->e;
    if (e->busy || (e->slot != NULL && e->slot->exhausted != PEP_EXHAUSTED_NOT)) {
        w->exhausted = rule;
        resolve(w);
        return;
    }
    if (applies == PEP_APPLIES_NO)
        return;
    if (rule->effect == PEP_EFFECT_DENY) {
        w->deny = rule;
        w->deny_failed = applies == PEP_APPLIES_FAULT;
        resolve(w);
    } else if (rule->effect == PEP_EFFECT_ALLOW) {
        if (applies == PEP_APPLIES_YES)
            note_allow(w, rule);
    } else if (applies == PEP_APPLIES_FAULT) {
        w->challenge = rule;
        w->challenge_failed = true;
        resolve(w);
    } else {
        note_challenge(w, rule);
    }
}

static void count(const struct pep_policy *policy, size_t rule, enum pep_applies applies)
{
    unsigned number = pep_thread_number();
    bool owned = number < PEP_STRIPES_OWNED;
    unsigned shared = PEP_STRIPES_OWNED + number % (PEP_STRIPES - PEP_STRIPES_OWNED);
    const struct pep_counter_stripe *s = &policy->counters[owned ? number : shared];
    _Atomic uint32_t *counter = applies == PEP_APPLIES_YES  ? &s->applied[rule]
                                : applies == PEP_APPLIES_NO ? &s->not_applied[rule]
                                                            : &s->faults[rule];
    if (owned) /* the only writer: needs no locked instruction */
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                              memory_order_relaxed);
    else
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

typedef void (*explain_function)(void *context, const struct pep_explanation *line);

/* A rule that only explaining looks at: with a budget of its own, so that it changes no verdict.
 * All of them share another one, so that explaining ends soon, too. */
static enum pep_applies call_aside(struct pep_eval *e, const struct pep_rule *rule)
{
    if (e->aside < PEP_BUDGET_STEPS || claim(e) == NULL)
        return PEP_APPLIES_FAULT;
    struct pep_slot *slot = e->slot;
    if (slot->broken) { /* its state is gone; what follows cannot be run in it */
        pep_slot_rebuild(slot);
        slot->eval = e;
        if (slot->broken)
            return PEP_APPLIES_FAULT;
        pep_plain_begin(slot, e->subject);
    }
    int64_t steps = slot->steps;
    size_t limit = slot->arena.limit;
    enum pep_exhausted exhausted = slot->exhausted;
    pep_slot_begin(slot, PEP_BUDGET_STEPS, PEP_BUDGET_MEMORY);
    enum pep_applies applies = pep_rule_call(e, rule);
    e->aside -= PEP_BUDGET_STEPS - slot->steps;
    if (slot->broken) {
        e->aside -= REBUILD_STEPS;
        pep_slot_rebuild(slot);
        slot->eval = e;
        if (slot->broken)
            return PEP_APPLIES_FAULT;
        pep_plain_begin(slot, e->subject);
        limit = slot->arena.used + PEP_BUDGET_MEMORY;
        pep_slot_begin(slot, PEP_BUDGET_STEPS, PEP_BUDGET_MEMORY);
    }
    slot->steps = steps;
    slot->arena.limit = limit;
    slot->exhausted = exhausted;
    return applies;
}

static bool skips(const struct walk *w, const struct pep_brief *rule)
{
    if (rule->effect == PEP_EFFECT_ALLOW)
        return w->free_allow; /* nothing that follows changes the answer */
    return rule->effect == PEP_EFFECT_CHALLENGE && w->allow == NULL;
}

/* Asks for what will be read of a rule beside its brief: with many rules none of it is in the
 * cache. */
static inline void fetch(const struct pep_policy *policy, uint32_t at)
{
    const struct pep_brief *brief = &policy->briefs[at];
    const char *rule = (const char *)&policy->rules[at];
    __builtin_prefetch(brief->id); /* for the answer */
    if ((brief->flags & (PEP_BRIEF_HEAD | PEP_BRIEF_FUNCTION)) == 0)
        return;
    __builtin_prefetch(rule);
    __builtin_prefetch(rule + 64);
    __builtin_prefetch(rule + sizeof(struct pep_rule) - 1);
}

static enum pep_applies apply(struct pep_eval *e, const struct pep_picked *picked, uint32_t at)
{
    if (!pep_brief_holds(e, at, picked->by_role))
        return PEP_APPLIES_NO;
    if ((e->policy->briefs[at].flags & PEP_BRIEF_FUNCTION) == 0)
        return PEP_APPLIES_YES;
    return pep_rule_call(e, &e->policy->rules[at]);
}

static void walk_picked(struct walk *w, const struct pep_picked *picked)
{
    struct pep_eval *e = w->e;
    const struct pep_policy *policy = e->policy;
    if (picked->count > 0)
        fetch(policy, picked->rules[0]);
    for (uint32_t i = 0; i < picked->count && !w->decided; i++) {
        uint32_t at = picked->rules[i];
        const struct pep_brief *brief = &policy->briefs[at];
        if (brief->effect == PEP_EFFECT_CHALLENGE && w->allow == NULL)
            break;
        if (skips(w, brief))
            continue;
        if (i + 1 < picked->count)
            fetch(policy, picked->rules[i + 1]);
        enum pep_applies applies = apply(e, picked, at);
        e->verdict->effort.visited++;
        count(policy, at, applies);
        note(w, brief, applies);
    }
    if (!w->decided)
        resolve(w);
}

/* All candidates, also those that a decision does not look at: then `aside`. */
static void walk_explaining(struct walk *w, const struct pep_bucket *bucket, explain_function each,
                            void *context)
{
    struct pep_eval *e = w->e;
    for (uint32_t i = 0; i < bucket->count; i++) {
        const struct pep_brief *brief = &e->policy->briefs[bucket->rules[i]];
        const struct pep_rule *rule = rule_of(w, brief);
        struct pep_explanation line;
        if (!w->decided && brief->effect == PEP_EFFECT_CHALLENGE && w->allow == NULL)
            resolve(w);
        bool aside = w->decided || skips(w, brief);
        enum pep_head_part part = pep_rule_head(e, rule);
        enum pep_applies applies = PEP_APPLIES_NO;
        if (part == PEP_HEAD_HOLDS && rule->function == 0)
            applies = PEP_APPLIES_YES;
        else if (part == PEP_HEAD_HOLDS)
            applies = aside ? call_aside(e, rule) : pep_rule_call(e, rule);
        e->verdict->effort.visited++;
        if (!aside) {
            count(e->policy, bucket->rules[i], applies);
            note(w, brief, applies);
        }
        pep_explain_rule(e, rule, part, applies, &line);
        each(context, &line);
    }
    if (!w->decided)
        resolve(w);
}

struct watcher { /* each may be NULL */
    explain_function each;
    void *context;
    struct pep_buffer *reads;
};

static void begin_verdict(struct pep_verdict *v)
{
    v->outcome = PEP_DENY;
    v->code = PEP_CODE_NOT_GRANTED;
    v->rule = NULL;
    v->reason = NULL;
    v->obligations = NULL;
    v->advice = NULL;
    v->detail[0] = '\0';
    v->effort = (struct pep_effort){0, 0, 0};
    v->fault_count = 0;
}

/* Decides, explains if `each` is given, and notes what could be read if `reads` is. */
static void walk_policy(const struct pep_policy *policy, const struct pep_request *request,
                        struct pep_verdict *verdict, const struct watcher *watcher)
{
    struct pep_eval e;
    struct walk w = {.e = &e, .max_age = -1};
    struct pep_picked picked;
    const struct pep_bucket *bucket = NULL;
    begin_verdict(verdict);
    int code = pep_eval_name(&e, policy, request, verdict);
    if (code == 0) { /* picked now: the briefs come while the attributes are read */
        bucket = pep_index_find(&policy->index, e.type, e.action);
        picked.count = 0;
        if (bucket != NULL && watcher->each == NULL)
            pep_bucket_pick(bucket, e.subject, &picked);
        code = pep_eval_fill(&e);
    }
    if (code != 0) {
        bucket = NULL;
        verdict->code = (pep_code)code;
        verdict->reason = verdict->detail;
    } else {
        e.aside = ASIDE_STEPS;
        verdict->effort.candidates = bucket == NULL ? 0 : bucket->count;
        if (bucket != NULL && watcher->each != NULL)
            walk_explaining(&w, bucket, watcher->each, watcher->context);
        else
            walk_picked(&w, &picked);
    }
    if (watcher->reads != NULL)
        pep_eval_put_reads(&e, bucket, watcher->reads);
    pep_eval_close(&e);
}

void pep_policy_decide(const struct pep_policy *policy, const struct pep_request *request,
                       struct pep_verdict *ret)
{
    walk_policy(policy, request, ret, &(struct watcher){NULL, NULL, NULL});
}

void pep_policy_decide_reading(const struct pep_policy *policy, const struct pep_request *request,
                               struct pep_verdict *ret, struct pep_buffer *reads)
{
    walk_policy(policy, request, ret, &(struct watcher){NULL, NULL, reads});
}

void pep_policy_explain(const struct pep_policy *policy, const struct pep_request *request,
                        struct pep_verdict *ret,
                        void (*each)(void *context, const struct pep_explanation *line),
                        void *context)
{
    walk_policy(policy, request, ret, &(struct watcher){each, context, NULL});
}
