/*
 * The workloads that other engines are measured with too (tests/peers): the three applications of
 * the Cedar paper, and a policy of 10 to 10,000 rules whose roles come as a list in the token.
 *
 * Three sides decide each request, turn by turn, in one process on one thread:
 *
 *   pep_check          what a service pays: the public call with a known token, attributes with C
 *                      types, and its record queued
 *   pep_policy_decide  the engine alone, without token and record: what other engines' figures are
 *   bare               lua_pcall of the same condition over plain tables that are all prepared
 *                      (tests/peers/bare.lua); for the rules: pep_check with 10 rules
 *
 * Each call is timed alone, some 25 ns of clock included. The first pass over a graph is dropped;
 * in it every side's decision must be the expected one (tests/peers/oracle.lua). Then three passes
 * are kept. Quantiles are over all graphs; a ratio is the median of the graphs' ratios of p50. As
 * in bench_decision, the agent gets time to deliver records after each burst, and what runs right
 * after such a wait is not counted. One JSON line per application and size.
 */
#include "measure.h"
#include "workload.h"

#include "tests/support/scene.h"

#include "pep/core/engine.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSES 3
#define BURST  1000 /* decisions; far less than the queue holds */
#define WARMUP 200
#define NOW    1772452800

enum side { CHECK, DECIDE, BARE, SIDES };
static const char *const side_names[SIDES] = {"pep_check", "pep_policy_decide", "bare"};

static const char *const applications[] = {"gdrive", "gdrive-fixed", "github", "tinytodo"};
static const unsigned rule_counts[] = {10, 100, 1000, 10000};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void must(bool fine, const char *what, const char *why)
{
    if (fine)
        return;
    fprintf(stderr, "bench workload: %s: %s\n", what, why);
    exit(1);
}

/* ---- one workload, opened on every side ---- */

struct opened {
    const struct workload *w;
    pep *p;
    char **tokens;
    struct pep_policy *policy;
    struct pep_subject **subjects;
    lua_State *bare; /* functions, subjects, resources by request; NULL: there is no bare side */
};

enum { AT_FUNCTION = 1, AT_SUBJECT, AT_RESOURCE };

static void open_check(struct opened *o, const struct scene *scene)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    const struct workload *w = o->w;
    struct pep_buffer bytes = scene_bundle(scene, &draft, w->policy, w->files, w->file_count);
    scene_write(scene->bundle_file, pep_buffer_span(&bytes));
    pep_buffer_free(&bytes);
    o->p = scene_open_recording(scene);
    o->tokens = calloc(json_array_size(w->claims), sizeof(*o->tokens));
    must(o->tokens != NULL, "tokens", "no memory");
    for (size_t i = 0; i < json_array_size(w->claims); i++) {
        char *claims = json_dumps(json_array_get(w->claims, i), JSON_COMPACT);
        o->tokens[i] = scene_token(scene, claims);
        free(claims);
    }
}

static void open_engine(struct opened *o)
{
    struct pep_engine_options options = {.lua_states = 1};
    struct pep_error err = PEP_ERROR_INIT;
    const struct workload *w = o->w;
    struct pep_files *files = fixture_files(w->files, w->file_count);
    must(pep_files_add(files, "policies/all.lua", pep_span_string(w->policy), &err) == PEP_OK,
         w->base, pep_error_text(&err));
    must(pep_policy_compile_unsigned(files, &options, &o->policy, NULL, &err) == PEP_OK, w->base,
         pep_error_text(&err));
    pep_files_free(files);
    o->subjects = calloc(json_array_size(w->claims), sizeof(struct pep_subject *));
    must(o->subjects != NULL, "subjects", "no memory");
    for (size_t i = 0; i < json_array_size(w->claims); i++)
        must(pep_subject_from_claims(o->policy, json_array_get(w->claims, i), &o->subjects[i],
                                     &err) == PEP_OK,
             w->base, pep_error_text(&err));
}

/* From the table at `from`, the value called `name`, to item `i` of the list at `to`. */
static void take(lua_State *L, int from, const char *name, int to, size_t i)
{
    must(lua_getfield(L, from, name) != LUA_TNIL, "bare.lua does not know", name);
    lua_rawseti(L, to, (lua_Integer)i);
}

static void open_bare(struct opened *o, const char *app)
{
    char path[WORKLOAD_PATH + 32];
    const struct workload *w = o->w;
    lua_State *L = o->bare = workload_lua();
    for (int i = AT_FUNCTION; i <= AT_RESOURCE; i++)
        lua_createtable(L, (int)w->count, 0);
    workload_script(L, "bare.lua");
    lua_getfield(L, -1, "of");
    lua_pushstring(L, app);
    snprintf(path, sizeof(path), "%s.policy.json", w->base);
    lua_pushstring(L, path);
    must(lua_pcall(L, 2, 3, 0) == LUA_OK, w->base, lua_tostring(L, -1));
    for (size_t i = 0; i < w->count; i++) {
        const struct workload_request *r = &w->requests[i];
        const json_t *claims = json_array_get(w->claims, r->user);
        take(L, -3, json_string_value(json_object_get(claims, "sub")), AT_SUBJECT, i + 1);
        take(L, -2, r->id, AT_RESOURCE, i + 1);
        take(L, -1, r->action, AT_FUNCTION, i + 1);
    }
    lua_settop(L, AT_RESOURCE);
    lua_gc(L, LUA_GCCOLLECT);
}

static struct opened open_sides(const struct workload *w, const struct scene *scene,
                                const char *app)
{
    struct opened o = {.w = w};
    open_check(&o, scene);
    open_engine(&o);
    if (app != NULL)
        open_bare(&o, app);
    return o;
}

static void close_sides(struct opened *o)
{
    pep_close(o->p);
    for (size_t i = 0; i < json_array_size(o->w->claims); i++) {
        free(o->tokens[i]);
        pep_subject_free(o->subjects[i]);
    }
    free(o->tokens);
    free(o->subjects);
    pep_policy_free(o->policy);
    if (o->bare != NULL)
        lua_close(o->bare);
}

/* ---- one decision on each side: nanoseconds ---- */

static double time_check(struct opened *o, size_t i, bool *ret)
{
    static pep_decision d = PEP_DECISION_INIT;
    const struct workload_request *r = &o->w->requests[i];
    pep_query q = PEP_QUERY_INIT;
    q.attrs = r->attrs;
    q.attr_count = r->attr_count;
    uint64_t t = measure_now_ns();
    *ret = pep_check(o->p, o->tokens[r->user], r->action, r->resource, &q, &d);
    double ns = (double)(measure_now_ns() - t);
    must(d.code == PEP_CODE_ALLOWED || d.code == PEP_CODE_NOT_GRANTED, r->resource, d.reason);
    return ns;
}

static double time_decide(struct opened *o, size_t i, bool *ret)
{
    const struct workload_request *r = &o->w->requests[i];
    struct pep_verdict v;
    struct pep_request request = {.subject = o->subjects[r->user],
                                  .action = r->action,
                                  .resource = r->resource,
                                  .attrs = r->attrs,
                                  .attr_count = r->attr_count,
                                  .now = NOW};
    uint64_t t = measure_now_ns();
    pep_policy_decide(o->policy, &request, &v);
    double ns = (double)(measure_now_ns() - t);
    *ret = v.outcome == PEP_ALLOW;
    must(v.fault_count == 0, r->resource, "a rule failed");
    return ns;
}

static double time_bare(struct opened *o, size_t i, bool *ret)
{
    lua_State *L = o->bare;
    uint64_t t = measure_now_ns();
    for (int at = AT_FUNCTION; at <= AT_RESOURCE; at++)
        lua_rawgeti(L, at, (lua_Integer)i + 1);
    int status = lua_pcall(L, 2, 1, 0);
    *ret = lua_toboolean(L, -1) != 0;
    double ns = (double)(measure_now_ns() - t);
    must(status == LUA_OK, "bare", lua_tostring(L, -1));
    lua_pop(L, 1);
    return ns;
}

static double (*const time_one[SIDES])(struct opened *, size_t, bool *) = {
    [CHECK] = time_check, [DECIDE] = time_decide, [BARE] = time_bare};

/* One pass over all requests, into `out`. Decisions that are not the expected ones end the run. */
static void pass(struct opened *o, enum side side, double *out)
{
    const struct workload *w = o->w;
    bool allowed;
    for (size_t i = 0; i < w->count; i++) {
        if (i % BURST == 0 && side == CHECK)
            scene_wait_for_records(o->p);
        for (size_t k = 0; i % BURST == 0 && k < WARMUP && k < w->count; k++)
            (void)time_one[side](o, k, &allowed);
        out[i] = time_one[side](o, i, &allowed);
        if (allowed == w->requests[i].expected)
            continue;
        fprintf(stderr, "bench workload: %s, request %zu (user %u, %s, %s): %s %s it\n", w->base,
                i + 1, w->requests[i].user, w->requests[i].action, w->requests[i].resource,
                side_names[side], allowed ? "allows" : "does not allow");
        exit(1);
    }
}

/* ---- a row of figures ---- */

struct row {
    const char *app;
    unsigned n;
    double *ns[SIDES], ratios[SIDES][MEASURE_ROUNDS_MAX];
    size_t count[SIDES], requests, allowed;
    unsigned rounds;
};

static double *room(struct row *row, enum side side, size_t more)
{
    size_t count = row->count[side];
    row->ns[side] = realloc(row->ns[side], (count + more) * sizeof(double));
    must(row->ns[side] != NULL, "samples", "no memory");
    row->count[side] += more;
    return row->ns[side] + count;
}

static double median_of_last(const struct row *row, enum side side, size_t last)
{
    double *copy = malloc(last * sizeof(double));
    must(copy != NULL && last > 0, "samples", "none");
    memcpy(copy, row->ns[side] + row->count[side] - last, last * sizeof(double));
    double p50 = measure_quantile(copy, last, 0.5);
    free(copy);
    return p50;
}

static void close_round(struct row *row, const size_t added[SIDES])
{
    double base = median_of_last(row, BARE, added[BARE]);
    must(row->rounds < MEASURE_ROUNDS_MAX, "rounds", "too many");
    for (int side = CHECK; side < BARE; side++)
        row->ratios[side][row->rounds] = median_of_last(row, (enum side)side, added[side]) / base;
    row->rounds++;
}

static json_t *side_figures(struct row *row, enum side side)
{
    double p50 = measure_quantile(row->ns[side], row->count[side], 0.5) / 1000.0;
    double p99 = measure_quantile(row->ns[side], row->count[side], 0.99) / 1000.0;
    json_t *out = json_pack("{s:f, s:f}", "p50", p50, "p99", p99);
    if (side != BARE) {
        json_t *rounds = json_array();
        for (unsigned i = 0; i < row->rounds; i++)
            json_array_append_new(rounds, json_real(row->ratios[side][i]));
        json_object_set_new(out, "ratio",
                            json_real(measure_quantile(row->ratios[side], row->rounds, 0.5)));
        json_object_set_new(out, "rounds", rounds);
    }
    return out;
}

static void print_row(struct row *row, const char *against, const char *budget)
{
    json_t *line = json_pack(
        "{s:s, s:s, s:i, s:i, s:f, s:s, s:o, s:o, s:o, s:s, s:s}", "bench", "workload", "app",
        row->app, "n", (int)row->n, "requests", (int)row->requests, "allow_percent",
        100.0 * (double)row->allowed / (double)row->requests, "unit", "us", side_names[CHECK],
        side_figures(row, CHECK), side_names[DECIDE], side_figures(row, DECIDE), side_names[BARE],
        side_figures(row, BARE), "against", against, "budget", budget);
    if (line == NULL || json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(4)) != 0)
        abort();
    putchar('\n');
    fflush(stdout);
    json_decref(line);
    for (int side = 0; side < SIDES; side++)
        free(row->ns[side]);
}

static void count_requests(struct row *row, const struct workload *w, FILE *decisions)
{
    row->requests += w->count;
    for (size_t i = 0; i < w->count; i++) { /* the passes have held every side to these */
        row->allowed += w->requests[i].expected;
        if (decisions != NULL)
            fputs(w->requests[i].expected ? "1\n" : "0\n", decisions);
    }
}

/* ---- applications ---- */

static void measure_graph(struct row *row, const struct workload *w, const struct scene *scene,
                          unsigned passes)
{
    struct opened o = open_sides(w, scene, row->app);
    size_t added[SIDES] = {0};
    double *dropped = malloc(w->count * sizeof(double));
    must(dropped != NULL, "samples", "no memory");
    for (int side = 0; side < SIDES; side++)
        pass(&o, (enum side)side, dropped);
    for (unsigned k = 0; k < passes; k++) {
        for (int side = 0; side < SIDES; side++) {
            pass(&o, (enum side)side, room(row, (enum side)side, w->count));
            added[side] += w->count;
        }
    }
    close_round(row, added);
    free(dropped);
    close_sides(&o);
}

static void measure_application(const struct workload_options *options, const char *app, unsigned n,
                                const struct scene *scene, FILE *decisions)
{
    struct row row = {.app = app, .n = n};
    struct workload *w;
    lua_State *L = workload_lua();
    for (unsigned k = 1; (w = workload_graph(L, options->data, app, n, k)) != NULL; k++) {
        measure_graph(&row, w, scene, options->rounds < PASSES ? options->rounds : PASSES);
        count_requests(&row, w, decisions);
        workload_free(w);
    }
    lua_close(L);
    must(row.rounds > 0, options->data, "holds no graph of that size");
    print_row(&row, "lua_pcall of the same condition, everything prepared",
              "pep_check: p50 <= 0.5, p99 <= 1.5");
}

/* ---- rules ---- */

/* Beside `few`, which has ten rules. */
static void measure_rules(struct opened *few, struct opened *many, unsigned rounds)
{
    size_t count = many->w->count;
    struct row row = {.app = "rules", .n = (unsigned)many->w->rule_count};
    double *dropped = malloc((few->w->count + count) * sizeof(double));
    must(dropped != NULL, "samples", "no memory");
    for (unsigned r = 0; r <= rounds; r++) { /* the first one warms up */
        double *to[SIDES] = {dropped, dropped, dropped};
        for (int side = 0; r > 0 && side < SIDES; side++)
            to[side] = room(&row, (enum side)side, side == BARE ? few->w->count : count);
        pass(many, CHECK, to[CHECK]);
        pass(few, CHECK, to[BARE]);
        pass(many, DECIDE, to[DECIDE]);
        if (r > 0)
            close_round(&row, (const size_t[]){count, count, few->w->count});
    }
    count_requests(&row, many->w, NULL);
    free(dropped);
    print_row(&row, "pep_check with 10 rules", row.n == 10000 ? "pep_check: ratio <= 1.25" : "");
}

static void measure_all_rules(const struct workload_options *options, const struct scene *scene)
{
    struct workload *few = workload_rules(options->data, rule_counts[0]);
    struct opened o_few = open_sides(few, scene, NULL);
    measure_rules(&o_few, &o_few, options->rounds);
    for (size_t i = 1; i < COUNT(rule_counts); i++) {
        struct workload *many = workload_rules(options->data, rule_counts[i]);
        struct opened o_many = open_sides(many, scene, NULL);
        measure_rules(&o_few, &o_many, options->rounds);
        close_sides(&o_many);
        workload_free(many);
    }
    close_sides(&o_few);
    workload_free(few);
}

int main(int argc, char **argv)
{
    struct workload_options options = workload_options(argc, argv);
    char scratch[WORKLOAD_PATH], sizes[sizeof(options.sizes)], *rest = NULL;
    struct scene scene = scene_new();
    FILE *decisions = options.decisions == NULL ? NULL : fopen(options.decisions, "w");
    must(options.decisions == NULL || decisions != NULL, options.decisions, "cannot be opened");
    bool generated = options.data == NULL;
    if (generated) {
        workload_generate(&options, scratch);
        options.data = scratch;
    }
    for (size_t a = 0; a < COUNT(applications); a++) {
        if (options.app != NULL && strcmp(options.app, applications[a]) != 0)
            continue;
        snprintf(sizes, sizeof(sizes), "%s", options.sizes);
        for (char *n = strtok_r(sizes, ",", &rest); n != NULL; n = strtok_r(NULL, ",", &rest))
            measure_application(&options, applications[a], (unsigned)atoi(n), &scene, decisions);
    }
    if (options.app == NULL || strcmp(options.app, "rules") == 0)
        measure_all_rules(&options, &scene);
    must(decisions == NULL || fclose(decisions) == 0, "decisions", "cannot be written");
    if (generated)
        workload_remove(scratch);
    scene_free(&scene);
    return 0;
}
