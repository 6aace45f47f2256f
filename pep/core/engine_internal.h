/*
 * What the engine*.c files share; values and names are in engine_value.h, Lua states in
 * engine_slot.h, subjects and requests in engine_eval.h, candidates in engine_pick.h. The data's
 * way, one file per step:
 *
 *   engine_source.c    files -> checked Lua code (bytecode dumps made here) and data trees
 *   engine_schema.c    schema.lua -> claims, roles, types            } run once, in the first
 *   engine_head.c      allow/deny/challenge tables -> struct pep_rule } Lua state, while loading
 *   engine_index.c     rules -> (type, action) -> candidates
 *   engine_pick.c      candidates -> those that this subject's roles leave
 *   engine_subject.c   claims -> struct pep_subject
 *   engine_request.c   names and attributes of one request -> struct pep_eval
 *   engine_decide.c    candidates -> verdict; engine_explain.c says why
 *   engine_straight.c  functions that need no Lua
 *
 * and below them: engine_value.c (values, pools, interned names), engine_state.c (Lua states, their
 * memory and budgets), engine_object.c (C values as Lua sees them), engine_words.c and
 * engine_text.c (the library of policies), engine_freeze.c (read-only after load).
 *
 * Everything of a policy lives in one pool and is immutable after load, except the slots (Lua
 * states, claimed by one thread at a time), the rule counters and the merged obligations.
 */
#ifndef PEP_CORE_ENGINE_INTERNAL_H
#define PEP_CORE_ENGINE_INTERNAL_H

#include "chunk.h"
#include "engine.h"
#include "engine_eval.h"
#include "engine_slot.h"
#include "engine_value.h"

#include <jansson.h>
#include <lauxlib.h>
#include <locale.h>
#include <lua.h>
#include <stdatomic.h>

#define PEP_STRIPES        16          /* of the rule counters */
#define PEP_STRIPES_OWNED  8           /* the first of these: each is one thread's alone */
#define PEP_STRING_MAX     (64 * 1024) /* one string inside a policy */
#define PEP_CHAIN_MAX      16          /* actors inside each other */
#define PEP_ROLES_MAX      20000       /* interned names of each kind */
#define PEP_ENTRIES_MAX    1000000     /* candidates in the whole index */
#define PEP_READ_NAMES_MAX 4000000     /* of all buckets, counted once for each candidate */
#define PEP_LOAD_STEPS     4000000     /* all files of one state, while loading */
#define PEP_LOAD_MEMORY    (128u * 1024 * 1024)
#define PEP_PARSE_WORK     200000000 /* see engine_scan.c */
#define PEP_HEAD_NAMES_MAX 500000    /* in the lists of all heads together */
#define PEP_INCLUDED_MAX   1000000   /* roles that roles include, in all */
#define PEP_FIELDS_MAX     100000    /* different names of attributes that functions read */
#define PEP_CLAIMS_MAX     256       /* that a schema declares */
#define PEP_MISTAKES_MAX   200       /* of heads and schema: then loading ends */
#define PEP_BRANCHES_MAX   1000      /* `elseif`, `goto` and labels in one source */
#define PEP_CHAIN_LONG     1000      /* `and` and `or` in one expression */
#define PEP_FUNCTIONS_DEEP 8         /* functions inside each other */
#define PEP_MODULES_DEEP   32        /* modules that require each other in a row */
#define PEP_NESTING_MAX    80        /* brackets and blocks inside each other */
#define PEP_FREEZE_DEPTH   64
#define PEP_KEYS_ODD       256  /* of a kept table: neither texts nor 1 to n */
#define PEP_VALUES_MAX     2000 /* on Lua's stack, in a decision */
#define PEP_ARGUMENTS_MAX  256  /* of select, table.pack, table.unpack, math.max, math.min */

/* ---- the schema ---- */

enum pep_shape { /* declared types of claims and attributes */
                 PEP_SHAPE_STRING,
                 PEP_SHAPE_NUMBER,
                 PEP_SHAPE_INTEGER,
                 PEP_SHAPE_BOOLEAN,
                 PEP_SHAPE_SET,
                 PEP_SHAPE_SCOPES,
                 PEP_SHAPE_ANY,
                 PEP_SHAPE_COUNT
};
const char *pep_shape_name(enum pep_shape shape);

struct pep_claim {
    uint32_t name; /* in policy->names */
    const char *from;
    enum pep_shape shape;
    bool required;
    int line;
};
struct pep_attribute {
    uint32_t name;
    enum pep_shape shape;
    bool optional;
    int line;
};
struct pep_resource_type {
    bool declared;
    int line;
    uint32_t *segments; /* ids in policy->names; NULL without a template */
    size_t segment_count;
    uint32_t *actions; /* ids in policy->actions */
    size_t action_count;
    struct pep_attribute *attributes;
    size_t attribute_count;
};
struct pep_schema_role {
    bool declared;
    int line;
    uint32_t *inherits; /* as written */
    size_t inherit_count;
    uint32_t *closure; /* itself and everything below it */
    size_t closure_count;
};
struct pep_schema {
    bool present, has_claims, has_roles, has_types;
    struct pep_claim *claims;
    size_t claim_count;
    struct pep_resource_type *types; /* by type id; policy->types.count of them after load */
    uint32_t type_count;
    struct pep_schema_role *roles; /* by role id */
    uint32_t role_count;
};

/* ---- rules ---- */

struct pep_pattern { /* one entry of `resource` */
    uint32_t type;   /* PEP_NONE: every type */
    bool every;      /* no pattern, or "type:*" */
    uint32_t segment_count;
    const struct pep_span *segments; /* decoded; data NULL: any segment */
};
struct pep_ids {
    const uint32_t *ids;
    uint32_t count;
};
struct pep_read {
    uint8_t object; /* enum pep_object */
    uint32_t name;
};
struct pep_rule {
    /* what a decision reads, if the brief does not tell it enough */
    struct pep_ids roles, scopes, clients, issuers, same;
    const struct pep_pattern *patterns;
    uint32_t pattern_count;
    uint8_t effect;
    bool every_id; /* no pattern needs a look */
    bool every_type, every_action;
    bool negated;      /* `unless` */
    uint32_t function; /* 1-based in each state's table; 0: none */
    struct pep_ids actions;
    const char *id, *reason, *obligations, *advice;
    const char *const *oblige_types;
    size_t oblige_count;
    /* what tools read */
    const char *file;
    int line;
    const char *function_file; /* where the text of its function stands */
    int function_line, function_last_line;
    size_t function_size; /* instructions: tells functions of one line apart */
    json_t *oblige;       /* array, or NULL */
    double max_age;       /* of the step-up; negative: none */
    bool steps_up;        /* one of the obligations is a step-up */
    struct pep_strings action_texts, resource_texts, role_texts, scope_texts, client_texts,
        issuer_texts, same_texts, reads;
    const struct pep_read *fills; /* what to put into the plain tables before a call */
    uint32_t fill_count;
    bool plain;        /* reads its parameters by constant names and does nothing else with them */
    uint8_t reads_any; /* bits by object: handed on, or read by computed names */
    uint8_t steps;     /* of a function that runs through once; 0: they have to be counted */
    const struct pep_native *native; /* what it does, for engine_straight.c; NULL: Lua runs it */
};

struct pep_bucket { /* candidates of one (type, action), sorted by effect, then id */
    uint32_t type, action;
    uint32_t *rules;
    uint32_t count;
    const struct pep_role_slot *role_slots; /* NULL: not listed by role */
    uint32_t role_mask;
    const uint32_t *role_lists; /* each: how many, then the rules */
    const uint32_t *without_role;
    uint32_t without_role_count;
    const char *const *reads;
    const uint32_t *read_ids; /* the same, as ids in policy->reads */
    size_t read_count;
};
struct pep_index {
    struct pep_bucket *buckets;
    uint32_t bucket_count;
    uint32_t *slots;
    uint32_t mask;
};

/* A name that decision records carry, ready to be written: by its id in policy->reads. */
struct pep_read_name {
    uint8_t object; /* enum pep_object */
    uint32_t name;  /* in policy->names, or PEP_NONE */
    struct pep_span text, json;
};

/* ---- code ---- */

enum pep_source_kind { PEP_SOURCE_SCHEMA, PEP_SOURCE_POLICY, PEP_SOURCE_MODULE };
struct pep_source {
    const char *path, *module; /* "lib.hours" */
    enum pep_source_kind kind;
    struct pep_span dump; /* bytecode made here from checked text */
    bool refused;         /* its text is: it is never run */
    struct pep_chunk *chunk;
    uint32_t *read_by; /* while loading: by function, the rule + 1 for which it was read */
};
struct pep_data {
    const char *name;
    struct pep_value value;
};

struct pep_counter_stripe {
    _Atomic uint32_t *applied, *not_applied, *faults;
};
struct pep_merged; /* obligations of several challenges, made on first use */

struct pep_policy {
    struct pep_pool pool;
    struct pep_names names, types, actions, roles, scopes, clients, issuer_names;
    struct pep_names modules, data_names;   /* of sources, and of data by place */
    struct pep_names reads;                 /* "sub.tenant" */
    const struct pep_read_name *read_names; /* by id */
    const uint64_t *recorded;               /* bits by name: records may carry sub.NAME */
    struct pep_issuers *issuers;
    struct pep_schema schema;
    struct pep_source *sources; /* in the order of their paths */
    size_t source_count;
    const struct pep_source **module_sources; /* by id in `modules` */
    bool cut;                                 /* not all files were read */
    struct pep_data *data;
    size_t data_count;
    struct pep_rule *rules;         /* sorted by effect, then id */
    const struct pep_brief *briefs; /* the same */
    size_t rule_count;
    size_t function_count;
    struct pep_index index;
    struct pep_slot *slots;
    unsigned slot_count;
    bool author;
    size_t longest;  /* text that loading it made */
    uint32_t dear;   /* more steps for each instruction: some of its code takes longer */
    uint32_t weight; /* at the beginning of a decision */
    locale_t locale;
    struct pep_counter_stripe counters[PEP_STRIPES];
    _Atomic(struct pep_merged *) merged;
};

/* What exists only while a policy is loaded. */
struct pep_loader {
    struct pep_policy *policy;
    struct pep_diags *diags;
    bool first; /* reads heads and schema; other states only take the functions */
    bool out_of_memory;
    enum pep_source_kind phase;
    const char *file;
    int line;                   /* of the function whose tables become read-only */
    char pending[PEP_RULE_MAX]; /* the id of a rule whose table has not come yet ... */
    int pending_line;           /* ... and where; 0: none */
    struct pep_rule *rules;     /* in the order of declaration */
    size_t rule_count, rule_capacity;
    size_t head_names; /* in the lists of all heads */
    size_t functions;
    unsigned char *module_state; /* per source: 0, 1 loading, 2 loaded */
    const void **walked;         /* tables: a hash of their addresses */
    size_t walked_count, walked_capacity;
    unsigned modules_deep;            /* that load each other right now: each takes C stack */
    struct pep_reach *reach;          /* per source: how heavy its instructions are */
    const struct pep_source *running; /* the policy file, whatever modules it is in */
    const char *spent_file;           /* where the budget ended ... */
    int spent_line;                   /* ... 0: it did not */
};

/* engine_state.c */
int pep_slot_open(struct pep_slot *slot, const struct pep_policy *policy, struct pep_error *err);
void pep_slot_close(struct pep_slot *slot);
/* Runs `function` protected, with `argument` as light userdata at index 1. A Lua status; LUA_ERRMEM
 * also for a panic. The error's text, if there is one, is on the stack then; see pep_slot_error().
 */
int pep_slot_call(struct pep_slot *slot, lua_CFunction function, void *argument);
int pep_slot_pcall(struct pep_slot *slot, int arguments, int results);
/* Copies the error on top of the stack as one printable line and pops it. */
void pep_slot_error(struct pep_slot *slot, int status, char *out, size_t size);
struct pep_slot *pep_slot_of(lua_State *L);
void pep_slot_end(struct pep_slot *slot); /* the collector's bounded step */
/* NULL: none became free within the bound. */
struct pep_slot *pep_slot_claim(const struct pep_policy *policy);
void pep_slot_release(struct pep_slot *slot);
unsigned pep_thread_number(void); /* small, distinct while there are few threads */

/* engine_budget.c */
void pep_slot_begin(struct pep_slot *slot, int64_t steps, size_t memory);
/* Before anything runs whose steps are not known: counts them from here on, until the next begin.
 */
void pep_slot_count(struct pep_slot *slot);
/* Takes `amount` off the budget; raises when nothing is left. */
void pep_charge(lua_State *L, size_t amount);
/* The same for walking a table: Lua also walks over slots that are empty again, of which there are
 * at most as many as the largest block can hold. */
void pep_charge_walk(lua_State *L);
bool pep_afford_walk(lua_State *L); /* false where that would raise */
/* The same for comparing two texts, once they are known to be of equal size. */
void pep_charge_equal(lua_State *L, const struct pep_value *a, const struct pep_value *b);
/* Once loaded: notes what each of its decisions has to reckon with, whichever state makes it. */
void pep_policy_weigh(struct pep_policy *policy, size_t longest);
/* A text of so many bytes is, or may be, in reach of the running function. */
void pep_text_noted(struct pep_slot *slot, size_t size);
/* From the arena, for blocks above PEP_BLOCK_SMALL, and where Lua's stack was given back. */
void pep_block_made(struct pep_slot *slot, const struct pep_block *b);
void pep_stack_moved(struct pep_slot *slot);
/* Before loading, so that its growth has a price there; false without memory. */
bool pep_stack_watch(struct pep_slot *slot);
bool pep_stack_fix(
    struct pep_slot *slot); /* once loaded: to PEP_VALUES_MAX; false without memory */
/* What a straight function costs beyond its instructions, after it ran. */
void pep_charge_straight(struct pep_slot *slot, unsigned instructions);
/* While loading: how heavy each file is; NULL without memory, else free() it. */
struct pep_reach *pep_reach_new(const struct pep_policy *policy);
/* A file begins. */
void pep_reach_begin(struct pep_slot *slot, const struct pep_source *source);
/* It requires this module, and from now on both reach what the other does. */
void pep_reach_join(struct pep_slot *slot, const struct pep_source *module);
/* Raises where a call has more values than any honest one. */
void pep_need_few(lua_State *L, int count, const char *word);
/* An integer argument; raises for a text that reads as one, which takes time that nobody counts. */
lua_Integer pep_need_integer(lua_State *L, int index, const char *word);
lua_Integer pep_integer_or(lua_State *L, int index, const char *word, lua_Integer otherwise);

/* engine_object.c: C values in Lua */
void pep_object_open(lua_State *L); /* the metatable of light userdata */
void pep_push_value(lua_State *L, const struct pep_value *v);
/* The C value behind the Lua value at `index`: scalars by copy, C lists and maps by reference.
 * False for the language's own tables and functions. */
bool pep_get_value(lua_State *L, int index, struct pep_value *ret);
bool pep_slot_intern(struct pep_slot *slot); /* inside a protected call: names to pointers */

/* engine_plain.c: plain tables for functions that only read constant names */
bool pep_plain_open(struct pep_slot *slot); /* inside a protected call, after pep_slot_intern() */
void pep_plain_begin(struct pep_slot *slot, const struct pep_subject *subject);
void pep_plain_push(struct pep_slot *slot); /* what stays on the stack for the life of the state */
/* Calls the rule's function with its three arguments, protected. A Lua status; the result, or the
 * error, is on top of the stack. */
int pep_plain_call(struct pep_slot *slot, const struct pep_rule *rule);

/* engine_straight.c: short functions without Lua */
struct pep_native;
/* Sets rule->native where the function is simple enough. False without memory. */
bool pep_native_read(struct pep_policy *policy, struct pep_rule *rule,
                     const struct pep_chunk *chunk, uint32_t function);
/* False if Lua has to run it; else what the function returns. */
bool pep_native_run(const struct pep_eval *e, const struct pep_native *n, bool *ret);

/* engine_words.c, engine_text.c, engine_numbers.c: what policies may call. The environment table is
 * pushed by the first; the others add to the one on top of the stack. */
void pep_words_open(lua_State *L);
void pep_text_open(lua_State *L);
void pep_numbers_open(lua_State *L);
bool pep_word_exists(const char *name);
const char *const *pep_word_names(size_t *ret_count);
/* The table behind a read-only one, or the index itself as absolute; false if it is no table. */
bool pep_push_table(lua_State *L, int index, bool *ret_read_only);

/* engine_freeze.c: everything that the functions in the table at `index` can reach becomes
 * read-only. Inside a protected call. */
void pep_freeze_functions(lua_State *L, int index);
void pep_push_read_only(lua_State *L); /* replaces the table on top by its read-only face */

/* engine_source.c */
int pep_sources_read(struct pep_policy *policy, const struct pep_files *files,
                     struct pep_diags *diags, struct pep_error *err);
/* engine_scan.c: false, with a diagnosis, for a text that Lua's parser must not see. Takes the work
 * that it makes the parser do off *left, of PEP_PARSE_WORK for all texts together. */
bool pep_source_allowed(const char *path, struct pep_span text, int64_t *left,
                        struct pep_diags *diags);
/* A diagnosis from the error on top of the stack; pops it. */
void pep_source_error(struct pep_slot *slot, int status, const char *code, const char *path,
                      struct pep_diags *diags);
const struct pep_source *pep_source_module(const struct pep_policy *policy, const char *module);
const struct pep_source *pep_source_at(const struct pep_policy *policy, struct pep_span path);
const struct pep_value *pep_data_find(const struct pep_policy *policy, struct pep_span name);
/* Loads a dump as a function whose environment is the state's; raises. */
void pep_push_chunk(lua_State *L, const struct pep_source *source);

/* engine_load.c */
int pep_slot_load(struct pep_slot *slot, struct pep_loader *loader, struct pep_error *err);
int pep_slot_rebuild(struct pep_slot *slot);
void pep_push_functions(lua_State *L); /* the table of rule functions */

/* engine_schema.c, engine_hierarchy.c */
void pep_schema_open(lua_State *L); /* words of schema.lua into the environment */
int pep_schema_close(struct pep_policy *policy, struct pep_diags *diags);
/* The declared (or, without a schema, any) type; NULL if unknown. */
const struct pep_resource_type *pep_schema_type(const struct pep_policy *policy, uint32_t type);
bool pep_schema_has_action(const struct pep_resource_type *type, uint32_t action);
bool pep_type_declares(const struct pep_resource_type *type,
                       uint32_t name); /* segment, attribute, type, id */

/* engine_head.c, engine_oblige.c */
/* True if the table at that place holds its items 1 to n and nothing else. */
bool pep_table_is_list(lua_State *L, int table, size_t n);
void pep_head_open(lua_State *L); /* allow, deny, challenge, step_up */
bool pep_oblige_read(lua_State *L, int index, struct pep_loader *ld, struct pep_rule *rule,
                     bool oblige);
/* The obligations of `rule` with this step-up age, as JSON text that lives with the policy. NULL
 * without memory, or if there are too many such texts. */
const char *pep_oblige_merged(const struct pep_policy *policy, const struct pep_rule *rule,
                              double max_age);
void pep_merged_free(struct pep_policy *policy);
int pep_word_step_up(lua_State *L);

/* engine_factors.c */
int pep_word_multi_factor(lua_State *L);

/* engine_resource.c */
/* NULL, or what is wrong (static text). */
const char *pep_resource_parse(const char *text, struct pep_resource_name *ret);
bool pep_type_name_valid(struct pep_span name);
bool pep_pattern_matches(const struct pep_pattern *p, const struct pep_resource_name *name);
/* NULL, or what is wrong. `text` is "type", "type:pattern" or "*". */
const char *pep_pattern_parse(struct pep_pool *pool, const char *text, struct pep_pattern *ret,
                              struct pep_span *ret_type);

/* engine_index.c */
int pep_index_build(struct pep_policy *policy, struct pep_diags *diags, struct pep_error *err);
const struct pep_bucket *pep_index_find(const struct pep_index *index, uint32_t type,
                                        uint32_t action);

/* engine_pick.c has a header of its own */

/* engine_reads.c */
/* Where the function on top of the stack is written, and the names that it reads. */
int pep_rule_read_function(struct pep_loader *ld, struct pep_rule *rule, lua_State *L,
                           struct pep_error *err);
int pep_reads_build(struct pep_policy *policy,
                    struct pep_diags *diags); /* per bucket, once the index stands */

/* engine_request.c; the structures are in engine_eval.h */
/* What is asked, and of what type: enough to find the candidates. Then what is known about it. Each
 * is 0, or the code of the denial; the verdict's detail says why. */
int pep_eval_name(struct pep_eval *e, const struct pep_policy *policy,
                  const struct pep_request *request, struct pep_verdict *verdict);
int pep_eval_fill(struct pep_eval *e);
/* Both. */
int pep_eval_open(struct pep_eval *e, const struct pep_policy *policy,
                  const struct pep_request *request, struct pep_verdict *verdict);
void pep_eval_close(struct pep_eval *e);
/* True if a rule may name it: the schema declares it, or declares nothing of the kind. */
bool pep_eval_declared(const struct pep_eval *e, enum pep_object object, uint32_t name);

/* engine_decide.c */
enum pep_applies { PEP_APPLIES_NO, PEP_APPLIES_YES, PEP_APPLIES_FAULT };
/* The first part of a head that does not hold, as a number; 0 if all hold. */
enum pep_head_part {
    PEP_HEAD_HOLDS,
    PEP_HEAD_RESOURCE,
    PEP_HEAD_ROLES,
    PEP_HEAD_SCOPES,
    PEP_HEAD_CLIENTS,
    PEP_HEAD_ISSUERS,
    PEP_HEAD_SAME,
};
enum pep_head_part pep_rule_head(const struct pep_eval *e, const struct pep_rule *rule);
enum pep_applies pep_rule_call(struct pep_eval *e, const struct pep_rule *rule);
/* engine_records.c: what the rules of this bucket (NULL: none) can read, as a JSON object. */
void pep_eval_put_reads(struct pep_eval *e, const struct pep_bucket *b, struct pep_buffer *out);
/* engine_explain.c */
void pep_explain_rule(const struct pep_eval *e, const struct pep_rule *rule,
                      enum pep_head_part part, enum pep_applies applies,
                      struct pep_explanation *ret);

/* engine_load.c: before walking over a table of a policy that is being loaded. */
void pep_load_charge_walk(lua_State *L, int table);
bool pep_load_afford_walk(lua_State *L, int table); /* false where that would raise */

/* Raises a diagnosis at the policy's line that is running. */
void pep_load_diag(lua_State *L, const char *code, const char *help, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int pep_load_line(lua_State *L);
/* Notes where the budget ended. */
void pep_load_note_place(lua_State *L);
/* Raises if a rule has an id and no table: `deny("x", { })` would be no rule at all. */
void pep_load_complete(lua_State *L);
/* "did you mean `near`?" in `room`, or NULL if `near` is. */
#define PEP_NEAR(near) pep_near_text((char[160]){0}, near)
const char *pep_near_text(char room[160], const char *near);

#endif
