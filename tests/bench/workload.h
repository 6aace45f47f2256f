/*
 * The workloads of the peer comparison as the benchmark asks them: read from the folder that
 * tests/peers/generate.lua writes (its head describes the files), or generated into a scratch
 * folder. A failure in here ends the program with a message.
 */
#ifndef TESTS_BENCH_WORKLOAD_H
#define TESTS_BENCH_WORKLOAD_H

#include "tests/support/fixture.h"

#include "pep.h"

#include <jansson.h>
#include <lua.h>

#define WORKLOAD_ATTRS_MAX 4
#define WORKLOAD_PATH      512
#define WORKLOAD_SIZES_MAX 16

struct workload_options {
    const char *data; /* the folder; NULL: generate one, and remove it in the end */
    const char *decisions;
    const char *app;                      /* only this one; NULL: all of them, and the rules */
    const char *graphs, *requests, *seed; /* as generate.lua takes them; NULL: its defaults */
    char sizes[64];
    unsigned rounds;
};
/* Exits with a usage message on anything that it does not know. */
struct workload_options workload_options(int argc, char **argv);

/* Generates what the options say into a new folder under /tmp, whose path goes into `folder`. */
void workload_generate(const struct workload_options *options, char folder[WORKLOAD_PATH]);
void workload_remove(const char *folder);

struct workload_request {
    unsigned user;                /* in `claims` */
    char *action, *resource, *id; /* "read", "document:doc_3", "doc_3" */
    pep_attr attrs[WORKLOAD_ATTRS_MAX];
    size_t attr_count;
    bool expected;
};

/* One graph, or one number of rules. */
struct workload {
    const char *policy; /* source of policies/all.lua */
    struct fixture_file *files;
    size_t file_count, rule_count; /* of rules that grow; 0 for a graph */
    json_t *claims;                /* of each user */
    struct workload_request *requests;
    size_t count;
    json_t *keep;             /* what attributes point into */
    char base[WORKLOAD_PATH]; /* OUT/APP/N/K */
};

/* NULL if there is no graph K. The expected decisions are those of tests/peers/oracle.lua. */
struct workload *workload_graph(lua_State *L, const char *out, const char *app, unsigned n,
                                unsigned k);
/* `count` rules, with the decisions that the generator expects. */
struct workload *workload_rules(const char *out, unsigned count);
void workload_free(struct workload *w);

/* A state with the whole library, where scripts of tests/peers run; and what one of them returns.
 */
lua_State *workload_lua(void);
void workload_script(lua_State *L, const char *name);

#endif
