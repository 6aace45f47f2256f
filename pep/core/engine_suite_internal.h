/* What the files of the suite share: the collected cases and the state that holds the invariants'
 * functions. See engine_suite.h. */
#ifndef PEP_CORE_ENGINE_SUITE_INTERNAL_H
#define PEP_CORE_ENGINE_SUITE_INTERNAL_H

#include "engine_internal.h"
#include "engine_suite.h"

#define PEP_SUITE_TOKENS_MAX     10000
#define PEP_SUITE_INVARIANTS_MAX 256
#define PEP_SUITE_DEPTH          32 /* tables inside each other in claims and attributes */

struct suite_token {
    json_t *claims; /* as written, without auth_age */
    bool has_age;
    double auth_age;
};

struct suite_case {
    struct pep_case public; /* texts below are owned through it */
    json_t *claims, *attrs, *context;
    char *name, *action, *resource, *by;
};

struct suite_invariant {
    char *name;
    const char *file;
    int line, function; /* reference in the registry */
};

struct pep_suite {
    struct pep_slot slot; /* a state of its own */
    const struct pep_policy *policy;
    int environment;             /* reference in the registry: the globals of test files */
    const struct pep_file *file; /* being loaded */
    struct suite_token *tokens;
    size_t token_count, token_capacity;
    struct suite_case *cases;
    size_t case_count, case_capacity;
    struct suite_invariant invariants[PEP_SUITE_INVARIANTS_MAX];
    size_t invariant_count;
    char pending[64]; /* `test "x"` whose table has not come yet */
    int pending_line;
    bool starved; /* the machine had no memory: that is no mistake of the file */
    bool parsed;  /* the file is Lua; what fails from then on is its content */
};

/* The words of test files, as globals of the table on top of the stack. */
void suite_words_open(struct pep_suite *s, lua_State *L);

/* A Lua value as JSON: strings, booleans, finite numbers, lists and tables with string keys. A
 * table without entries is an empty list where `list` holds, else an empty object. Raises nothing:
 * NULL and a static text. `PEP_SUITE_DEPTH` deep at most. */
json_t *suite_value(lua_State *L, int index, bool list, const char **ret_why);
extern const char suite_no_memory[];

#endif
