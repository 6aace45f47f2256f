/*
 * What policyctl can do: one table, in verbs.c. Help, completion, dispatch and the tests that run
 * every verb read it. A verb is in the table only if it works.
 *
 * To add one: write NAME.c with its option rows and `int NAME_run(struct session *s, const void
 * *settings)`, declare both below, add the row. The handler gets parsed options and counted
 * operands; it writes data through output.h and returns an exit code.
 */
#ifndef POLICYCTL_VERBS_H
#define POLICYCTL_VERBS_H

#include "options.h"
#include "output.h"

enum verb_group { GROUP_AUTHOR, GROUP_SHIP, GROUP_RUN, GROUP_TRUST, GROUP_SELF, GROUP_COUNT };

/* Which keys a verb needs; the help and the man page show it. */
enum verb_key {
    KEY_NONE = 0,
    KEY_OPERATOR = 1 << 0,   /* a context, whose CURVE key talks to pdpd */
    KEY_POLICY = 1 << 1,     /* signs a bundle */
    KEY_ROOT = 1 << 2,       /* signs a root document */
    KEY_REVOCATION = 1 << 3, /* signs lists of revoked tokens; with KEY_OPERATOR */
};

/* One run of the program. */
struct session {
    const struct verb *verb;
    struct output out;
    const char *context; /* -c or $POLICYCTL_CONTEXT, or NULL: the current one */
    char **operands;
    int operand_count;
};

struct verb {
    const char *name; /* one word, or two ("service enrol") */
    enum verb_group group;
    unsigned keys;        /* of enum verb_key */
    bool data;            /* prints data: takes -o */
    int least, most;      /* operands */
    const char *operands; /* as the help shows them */
    const char *summary;
    const struct option_set *options; /* NULL: none of its own */
    int (*run)(struct session *s, const void *settings);
    const char *notes; /* more for --help: examples, the JSON; or NULL */
};

extern const struct verb verbs[];
extern const size_t verb_count;

const char *verb_group_name(enum verb_group group);
/* "no key", "an operator key", "a policy key and an operator key", ... */
const char *verb_keys_text(unsigned keys);
const struct verb *verb_find(const char *name);
/* Operand `i`, or NULL if it was not given. */
const char *session_operand(const struct session *s, int i);

/* ---- Author ---- */
extern const struct option_set init_options, check_options, test_options, eval_options,
    bench_options;
extern const struct option_set diff_options;
int init_run(struct session *s, const void *settings);
int check_run(struct session *s, const void *settings);
int test_run(struct session *s, const void *settings);
int eval_run(struct session *s, const void *settings);
int bench_run(struct session *s, const void *settings);
int explain_run(struct session *s, const void *settings);
int diff_run(struct session *s, const void *settings);

/* ---- Ship ---- */
extern const struct option_set build_options, push_options, rollback_options, history_options;
int build_run(struct session *s, const void *settings);
int push_run(struct session *s, const void *settings);
int rollback_run(struct session *s, const void *settings);
int history_run(struct session *s, const void *settings);

/* ---- Run ---- */
extern const struct option_set status_options;
int status_run(struct session *s, const void *settings);
int doctor_run(struct session *s, const void *settings);

/* ---- Trust ---- */
extern const struct option_set root_init_options, root_show_options;
int root_init_run(struct session *s, const void *settings);
int root_show_run(struct session *s, const void *settings);
extern const struct option_set service_enrol_options, service_join_options, service_revoke_options;
int service_enrol_run(struct session *s, const void *settings);
int service_join_run(struct session *s, const void *settings);
int service_list_run(struct session *s, const void *settings);
int service_revoke_run(struct session *s, const void *settings);
int service_suspend_run(struct session *s, const void *settings);
int service_resume_run(struct session *s, const void *settings);
extern const struct option_set operator_add_options;
int operator_add_run(struct session *s, const void *settings);
int operator_list_run(struct session *s, const void *settings);
int operator_revoke_run(struct session *s, const void *settings);
extern const struct option_set key_generate_options;
int key_generate_run(struct session *s, const void *settings);
int key_list_run(struct session *s, const void *settings);
extern const struct option_set token_verify_options;
int token_verify_run(struct session *s, const void *settings);
extern const struct option_set token_inspect_options;
int token_inspect_run(struct session *s, const void *settings);
extern const struct option_set token_sign_options;
int token_sign_run(struct session *s, const void *settings);
#define TOKEN_REVOKE_FILES 64
extern const struct option_set token_revoke_options;
int token_revoke_run(struct session *s, const void *settings);

/* ---- Self ---- */
int version_run(struct session *s, const void *settings);
int completion_run(struct session *s, const void *settings);
extern const struct option_set context_add_options;
int context_add_run(struct session *s, const void *settings);
int context_list_run(struct session *s, const void *settings);
int context_use_run(struct session *s, const void *settings);

#endif
