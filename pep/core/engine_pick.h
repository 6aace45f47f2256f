/*
 * Candidates as a decision picks and reads them: see engine_pick.c.
 */
#ifndef PEP_CORE_ENGINE_PICK_H
#define PEP_CORE_ENGINE_PICK_H

#include "engine_internal.h"

/* What a decision reads of a rule to see whether it applies, and to answer if it does. Heads that
 * do not fit in here are read from the rule itself. */
struct pep_brief {
    const char *id, *reason;
    uint32_t role, scope, same; /* the only one that the head names; PEP_NONE: none, or see flags */
    uint8_t effect;
    uint8_t flags; /* enum pep_brief_flag */
};
enum pep_brief_flag {
    PEP_BRIEF_HEAD = 1,  /* more is asked than stands here, beside roles */
    PEP_BRIEF_ROLES = 2, /* several roles are named */
    PEP_BRIEF_FUNCTION = 4,
    PEP_BRIEF_OBLIGES = 8, /* has obligations that somebody has to fulfil */
    PEP_BRIEF_SAYS = 16,   /* has texts for the answer beside its reason */
};

struct pep_role_slot { /* open addressing */
    uint32_t role;     /* PEP_NONE: free */
    uint32_t at;       /* the only rule, or, with PEP_ROLE_LIST, where in role_lists */
};
#define PEP_ROLE_LIST 0x80000000u

#define PEP_PICK_MAX 256
struct pep_picked {
    const uint32_t *rules; /* in evaluation order: `room`, or all candidates */
    uint32_t count;
    bool by_role; /* what each asks of roles holds */
    uint32_t room[PEP_PICK_MAX];
};
/* Once the rules stay where they are. False without memory. */
bool pep_briefs_build(struct pep_policy *policy);
/* Lists the bucket's rules by role; `names`: of roles, in all of them. False without memory. */
bool pep_bucket_list_roles(struct pep_policy *policy, struct pep_bucket *bucket, size_t names);
/* The candidates that this subject's roles leave. */
void pep_bucket_pick(const struct pep_bucket *bucket, const struct pep_subject *subject,
                     struct pep_picked *ret);
bool pep_brief_holds(const struct pep_eval *e, uint32_t rule, bool by_role);
static inline uint32_t pep_hash_key(uint64_t key)
{
    return (uint32_t)((key ^ key >> 29) * 0x9e3779b97f4a7c15u >> 32);
}

#endif
