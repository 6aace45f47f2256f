/*
 * One decision about a token that is known already, through the public API, with its record queued;
 * against the same condition as a bare lua_pcall() with everything prepared: the least that a rule
 * in Lua can cost. Then: what more rules cost, what a second thread brings, and what looking up a
 * token costs against hashing and comparing it.
 *
 * Each decision is timed alone (that is what p99 means), so the figures include one reading of the
 * clock, some 25 ns; the bare side is timed in the same way. Resource and amount change from one to
 * the next. A record that finds no room costs less than one that is queued, so the agent gets time
 * to empty the queue after each burst, and a single dropped record ends the run.
 */
#include "measure.h"
#include "tests/support/scene.h"

#include "pep/handle.h"
#include "pep/readers.h"
#include "pep/token_cache.h"

#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#define SAMPLES   20000
#define BURST     2000 /* decisions; far less than the queue holds */
#define WARMUP    200  /* after each wait, which lets caches go cold; not counted */
#define RESOURCES 64

static double samples[SAMPLES];
static double bases[SAMPLES];

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "bench decision: %s failed\n", what);
    exit(1);
}

/* ---- the policy ---- */

#define FUNCTION                                                                     \
    "function(sub, res, ctx) return sub.tenant == res.tenant and res.amount ~= nil " \
    "and res.amount <= 10000 end"

static const char rules_asked[] =
    "allow 'doc.read' { action = 'read', resource = 'doc', roles = 'manager', same = 'tenant' }\n"
    "allow 'doc.pay' { action = 'pay', resource = 'doc', roles = 'manager', when = " FUNCTION " }\n"
    "deny 'doc.move.1' { action = 'move', resource = 'doc', unless = " FUNCTION " }\n"
    "deny 'doc.move.2' { action = 'move', resource = 'doc', unless = " FUNCTION " }\n"
    "allow 'doc.move.3' { action = 'move', resource = 'doc', roles = 'manager', when = " FUNCTION
    " }\n";

/* Other types and actions than those asked for; every other rule has a function. */
static void put_other_rule(struct pep_buffer *out, unsigned i)
{
    pep_put_format(out,
                   "allow 'other.%u' { action = 'a%u', resource = 't%u', roles = 'r%u'%s%s }\n", i,
                   i % 7, i / 7, i % 50, i % 2 ? ", when = " : "", i % 2 ? FUNCTION : "");
}

/* ---- our side ---- */

static struct {
    struct scene scene;
    char *token;
    pep_query typed, json;
    pep_attr attrs[2];
    char resources[RESOURCES][16];
} world;

static pep *open_with_rules(unsigned more)
{
    scene_put_rules(&world.scene, 1, rules_asked, more, put_other_rule);
    return scene_open_recording(&world.scene);
}

static void make_world(void)
{
    world.scene = scene_new();
    world.token = scene_token(
        &world.scene, "{\"sub\":\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\",\"tenant\":\"acme\","
                      "\"roles\":[\"manager\",\"viewer\"],\"scope\":\"openid profile "
                      "invoice:read invoice:write\",\"amr\":[\"pwd\",\"mfa\"],\"acr\":"
                      "\"urn:acme:mfa\",\"jti\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\","
                      "\"client_id\":\"web-shop\",\"email\":\"ann@acme.example\",\"name\":"
                      "\"Ann Example\",\"auth_time\":1699999900}");
    for (int i = 0; i < RESOURCES; i++)
        snprintf(world.resources[i], sizeof(world.resources[i]), "doc:%d", 4711 + i * 37);
    world.attrs[0] = pep_attr_int("amount", 900);
    world.attrs[1] = pep_attr_string("tenant", "acme");
    world.typed = (pep_query)PEP_QUERY_INIT;
    world.typed.attrs = world.attrs;
    world.typed.attr_count = 2;
    world.json = (pep_query)PEP_QUERY_INIT;
    world.json.attrs_json = "{\"amount\": 900, \"tenant\": \"acme\"}";
}

static double time_check(pep *p, const char *action, const pep_query *q, size_t turn,
                         pep_decision *d)
{
    const char *resource = world.resources[turn % RESOURCES];
    world.attrs[0].value.integer = (int64_t)(900 + turn % RESOURCES);
    uint64_t t = measure_now_ns();
    bool allowed = pep_check(p, world.token, action, resource, q, d);
    double us = (double)(measure_now_ns() - t) / 1000.0;
    if (!allowed) {
        fprintf(stderr, "bench decision: %s: %s (%s)\n", action, pep_code_name(d->code), d->reason);
        exit(1);
    }
    return us;
}

static void sample_checks(pep *p, const char *action, const pep_query *q, double *out)
{
    pep_decision d = PEP_DECISION_INIT;
    for (size_t i = 0; i < SAMPLES; i++) {
        if (i % BURST == 0) {
            scene_wait_for_records(p);
            for (size_t k = 0; k < WARMUP; k++)
                (void)time_check(p, action, q, k, &d);
        }
        out[i] = time_check(p, action, q, i, &d);
    }
    pep_decision_clear(&d);
}

/* ---- the bare side ---- */

static struct lua_State *bare_state(unsigned functions)
{
    lua_State *L = luaL_newstate();
    must(L != NULL, "lua");
    luaL_openlibs(L);
    must(luaL_dostring(
             L, "sub = {tenant = 'acme'}; res = {tenant = 'acme', amount = 900}; ctx = {}") ==
             LUA_OK,
         "lua");
    for (unsigned i = 0; i < functions; i++)
        must(luaL_dostring(L, "return " FUNCTION) == LUA_OK, "lua");
    lua_getglobal(L, "sub");
    lua_getglobal(L, "res");
    lua_getglobal(L, "ctx");
    return L;
}

static void sample_bare(lua_State *L, int functions, bool json, double *out)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t t = measure_now_ns();
        json_t *parsed = json ? json_loads(world.json.attrs_json, 0, NULL) : NULL;
        for (int f = 1; f <= functions; f++) {
            lua_pushvalue(L, f);
            lua_pushvalue(L, functions + 1);
            lua_pushvalue(L, functions + 2);
            lua_pushvalue(L, functions + 3);
            must(lua_pcall(L, 3, 1, 0) == LUA_OK && lua_toboolean(L, -1), "bare rule");
            lua_pop(L, 1);
        }
        out[i] = (double)(measure_now_ns() - t) / 1000.0;
        json_decref(parsed);
    }
}

/* ---- the figures ---- */

struct kind {
    const char *name, *action;
    int functions; /* of the bare side */
    bool json;
    const char *p50_budget, *p99_budget;
};

static void measure_kind(pep *p, const struct kind *k, unsigned rounds)
{
    double p50[MEASURE_ROUNDS_MAX], p99[MEASURE_ROUNDS_MAX], bare50[MEASURE_ROUNDS_MAX],
        bare99[MEASURE_ROUNDS_MAX];
    char name[96], against[96];
    lua_State *L = bare_state((unsigned)k->functions);
    for (unsigned r = 0; r < rounds; r++) {
        sample_checks(p, k->action, k->json ? &world.json : &world.typed, samples);
        sample_bare(L, k->functions, k->json, bases);
        p50[r] = measure_quantile(samples, SAMPLES, 0.5);
        p99[r] = measure_quantile(samples, SAMPLES, 0.99);
        bare50[r] = measure_quantile(bases, SAMPLES, 0.5);
        bare99[r] = measure_quantile(bases, SAMPLES, 0.99);
    }
    snprintf(against, sizeof(against), "%d lua_pcall%s", k->functions,
             k->json ? " and json_loads" : "");
    snprintf(name, sizeof(name), "known token, %s, p50", k->name);
    struct measure_figure figure = {"decision", name, against, k->p50_budget};
    measure_print(&figure, "us", p50, bare50, rounds);
    snprintf(name, sizeof(name), "known token, %s, p99", k->name);
    figure.budget = k->p99_budget;
    measure_print(&figure, "us", p99, bare99, rounds);
    lua_close(L);
}

static void measure_kinds(unsigned rounds)
{
    static const struct kind kinds[] = {
        {"head-only, typed attributes", "read", 1, false, "value <= 0.5", "value <= 1.5"},
        {"one function, typed attributes", "pay", 1, false, "value <= 0.5", "value <= 1.5"},
        {"three functions, typed attributes", "move", 3, false, "value <= 0.9", NULL},
        {"one function, JSON attributes", "pay", 1, true, "value <= 0.9 + the JSON parse", NULL},
    };
    pep *p = open_with_rules(0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        measure_kind(p, &kinds[i], rounds);
    pep_close(p);
}

static void measure_growth(unsigned rounds)
{
    static const unsigned sizes[] = {100, 1000, 10000};
    pep *few = open_with_rules(5);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        double many50[MEASURE_ROUNDS_MAX], few50[MEASURE_ROUNDS_MAX];
        char name[64];
        pep *many = open_with_rules(sizes[i] - 5);
        for (unsigned r = 0; r < rounds; r++) {
            sample_checks(many, "pay", &world.typed, samples);
            sample_checks(few, "pay", &world.typed, bases);
            many50[r] = measure_quantile(samples, SAMPLES, 0.5);
            few50[r] = measure_quantile(bases, SAMPLES, 0.5);
        }
        pep_close(many);
        snprintf(name, sizeof(name), "%u rules, p50", sizes[i]);
        struct measure_figure figure = {"decision", name, "itself with 10 rules",
                                        sizes[i] == 10000 ? "ratio <= 1.25" : NULL};
        measure_print(&figure, "us", many50, few50, rounds);
    }
    pep_close(few);
}

/* ---- threads ---- */

#define THREAD_CHECKS 100000

static void *check_many_times(void *p)
{
    pep_decision d = PEP_DECISION_INIT;
    for (size_t i = 0; i < THREAD_CHECKS; i++)
        must(pep_check(p, world.token, "pay", "doc:4711", &world.typed, &d), "check");
    pep_decision_clear(&d);
    return NULL;
}

/* Decisions per microsecond. */
static double throughput(pep *p, unsigned threads)
{
    pthread_t t[8];
    uint64_t start = measure_now_ns();
    for (unsigned i = 0; i < threads; i++)
        must(pthread_create(&t[i], NULL, check_many_times, p) == 0, "thread");
    for (unsigned i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    return (double)threads * THREAD_CHECKS * 1000.0 / (double)(measure_now_ns() - start);
}

static void measure_threads(unsigned rounds)
{
    double two[MEASURE_ROUNDS_MAX], one[MEASURE_ROUNDS_MAX];
    pep_options o = scene_options(&world.scene);
    pep *p = NULL;
    scene_put_version(&world.scene, 1, rules_asked);
    must(pep_open(&o, &p) == PEP_OK,
         "open"); /* records would be the agent's work: a third thread */
    for (unsigned r = 0; r < rounds; r++) {
        one[r] = throughput(p, 1);
        two[r] = throughput(p, 2);
    }
    pep_close(p);
    struct measure_figure figure = {"decision", "two threads, decisions per us", "one thread",
                                    "ratio >= 1.9 on 2 idle cores"};
    measure_print(&figure, "1/us", two, one, rounds);
}

/* ---- the token cache ---- */

static struct {
    struct pep_token_cache *cache;
    uint8_t token[900], copy[900];
    uint64_t sum;
} tokens;

static void find_token(void *unused, size_t times)
{
    (void)unused;
    struct pep_span key = pep_span_of(tokens.token, sizeof(tokens.token));
    for (size_t i = 0; i < times; i++)
        must(pep_token_cache_find(tokens.cache, key, pep_token_hash(key), 1) != NULL, "find");
}

static void hash_and_compare(void *unused, size_t times)
{
    (void)unused;
    for (size_t i = 0; i < times; i++) {
        tokens.sum += XXH3_64bits_withSeed(tokens.token, sizeof(tokens.token), 42);
        __asm__ volatile("" : : "r"(tokens.token), "r"(tokens.copy) : "memory");
        must(memcmp(tokens.token, tokens.copy, sizeof(tokens.token)) == 0, "compare");
    }
}

static void measure_token_cache(unsigned rounds)
{
    struct pep_span key = pep_span_of(tokens.token, sizeof(tokens.token));
    for (size_t i = 0; i < sizeof(tokens.token); i++)
        tokens.token[i] = tokens.copy[i] = (uint8_t)('A' + i * 7 % 50);
    must(pep_token_hash_start() == PEP_OK, "random");
    tokens.cache = pep_token_cache_new(4096);
    struct pep_token_entry *e = calloc(1, sizeof(*e) + key.size);
    must(tokens.cache != NULL && e != NULL, "memory");
    e->hash = pep_token_hash(key);
    e->expires = INT64_MAX;
    e->size = key.size;
    memcpy(e->token, key.data, key.size);
    must(pep_token_cache_put(tokens.cache, e, 1), "put");
    struct measure_figure figure = {"decision", "token cache, 900 bytes, found",
                                    "XXH3 and memcmp of 900 bytes", "value <= 0.15"};
    struct measure_side ours = {find_token, NULL}, bare = {hash_and_compare, NULL};
    measure_ratio(&figure, &ours, &bare, rounds);
    pep_token_cache_free(tokens.cache);
}

int main(int argc, char **argv)
{
    unsigned rounds = measure_rounds(argc, argv);
    make_world();
    measure_token_cache(rounds);
    measure_kinds(rounds);
    measure_growth(rounds);
    measure_threads(rounds);
    free(world.token);
    scene_free(&world.scene);
    return 0;
}
