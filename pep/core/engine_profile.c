/*
 * Where a decision's time goes, rule by rule, for `policyctl bench`. The same candidates in the
 * same order as a decision, each timed on its own; its clock comes from the caller. A walk of its
 * own and not a hook in the decision, which would cost every decision a look at it; that is why the
 * sum is not exactly what a decision takes.
 */
#include "engine_check.h"
#include "engine_pick.h"

/* A decision would not look at it, after what applied so far. */
static bool passed_over(const struct pep_rule *rule, bool allowed, bool free_allow)
{
    if (rule->effect == PEP_EFFECT_ALLOW)
        return free_allow;
    return rule->effect == PEP_EFFECT_CHALLENGE && !allowed;
}

void pep_policy_profile(const struct pep_policy *policy, const struct pep_request *request,
                        uint64_t (*now_ns)(void),
                        void (*each)(void *context, size_t rule, uint64_t ns), void *context)
{
    struct pep_verdict verdict = {.fault_count = 0};
    struct pep_eval e;
    struct pep_picked picked;
    picked.count = 0;
    bool allowed = false, free_allow = false, denied = false;
    if (pep_eval_open(&e, policy, request, &verdict) == 0) {
        const struct pep_bucket *b = pep_index_find(&policy->index, e.type, e.action);
        if (b != NULL)
            pep_bucket_pick(b, e.subject, &picked);
    }
    for (uint32_t i = 0; i < picked.count && !denied; i++) {
        const struct pep_rule *rule = &policy->rules[picked.rules[i]];
        if (passed_over(rule, allowed, free_allow))
            continue;
        uint64_t start = now_ns();
        bool applies = pep_brief_holds(&e, picked.rules[i], picked.by_role);
        if (applies && rule->function != 0)
            applies = pep_rule_call(&e, rule) == PEP_APPLIES_YES;
        each(context, picked.rules[i], now_ns() - start);
        allowed = allowed || (applies && rule->effect == PEP_EFFECT_ALLOW);
        free_allow =
            free_allow || (applies && rule->effect == PEP_EFFECT_ALLOW && rule->oblige == NULL);
        denied = applies && rule->effect == PEP_EFFECT_DENY;
    }
    pep_eval_close(&e);
}
