/*
 * A new policy of 1,000 rules comes into force while decisions run: what do the decisions notice?
 * And how long does a process take from pep_open() to its first decision?
 */
#include "measure.h"
#include "tests/support/scene.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES   1000
#define SAMPLES 200000

static struct scene scene;
static char *token;
static double samples[SAMPLES];

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "bench activation: %s failed: %s\n", what, pep_open_error());
    exit(1);
}

static void put_rule(struct pep_buffer *out, unsigned i)
{
    pep_put_format(
        out,
        "allow 'r.%u' { action = 'a%u', resource = 'doc', roles = 'manager',\n"
        "  when = function(sub, res) return res.amount ~= nil and res.amount <= %u end }\n",
        i, i, 1000 + i);
}

static void put_version(uint64_t version)
{
    scene_put_rules(&scene, version, "-- the rules are in p*.lua\n", RULES, put_rule);
}

/* p99 of decisions, in us, timed one by one until `stop` or the room is full. */
static double decide(pep *p, const atomic_bool *stop, size_t most)
{
    pep_attr amount = pep_attr_int("amount", 900);
    pep_query q = PEP_QUERY_INIT;
    size_t n = 0;
    q.attrs = &amount;
    q.attr_count = 1;
    while (n < most && (stop == NULL || !atomic_load_explicit(stop, memory_order_relaxed))) {
        uint64_t t = measure_now_ns();
        must(pep_check(p, token, "a7", "doc:1", &q, NULL), "check");
        samples[n++] = (double)(measure_now_ns() - t) / 1000.0;
    }
    return measure_quantile(samples, n, 0.99);
}

struct swapper {
    pep *p;
    uint64_t version;
    atomic_bool done;
};

/* Three activations, one after the other: verify, compile, swap. */
static void *swap(void *argument)
{
    struct swapper *s = argument;
    for (int i = 0; i < 3; i++) {
        put_version(++s->version);
        must(pep_refresh(s->p, 60000) == PEP_OK, "activation");
    }
    atomic_store(&s->done, true);
    return NULL;
}

static void measure_activation(unsigned rounds)
{
    double during[MEASURE_ROUNDS_MAX], rest[MEASURE_ROUNDS_MAX];
    pep *p = scene_open(&scene);
    struct swapper s = {.p = p, .version = 1};
    for (unsigned r = 0; r < rounds; r++) {
        pthread_t t;
        rest[r] = decide(p, NULL, SAMPLES / 4);
        atomic_store(&s.done, false);
        must(pthread_create(&t, NULL, swap, &s) == 0, "thread");
        during[r] = decide(p, &s.done, SAMPLES);
        pthread_join(t, NULL);
    }
    pep_close(p);
    struct measure_figure figure = {"activation",
                                    "p99 of decisions during activations of 1000 rules",
                                    "p99 at rest", "ratio <= 2"};
    measure_print(&figure, "us", during, rest, rounds);
}

static void measure_cold_start(unsigned rounds)
{
    double cold[MEASURE_ROUNDS_MAX], warm[MEASURE_ROUNDS_MAX];
    for (unsigned r = 0; r < rounds; r++) {
        pep_attr amount = pep_attr_int("amount", 900);
        pep_query q = PEP_QUERY_INIT;
        q.attrs = &amount;
        q.attr_count = 1;
        uint64_t t = measure_now_ns();
        pep *p = scene_open(&scene);
        must(pep_check(p, token, "a7", "doc:1", &q, NULL), "check");
        cold[r] = (double)(measure_now_ns() - t) / 1e6;
        t = measure_now_ns();
        must(pep_check(p, token, "a7", "doc:1", &q, NULL), "check");
        warm[r] = (double)(measure_now_ns() - t) / 1e6;
        pep_close(p);
    }
    struct measure_figure figure = {"activation",
                                    "from pep_open() to the first decision, 1000 rules",
                                    "the second decision", "value <= 20"};
    measure_print(&figure, "ms", cold, warm, rounds);
}

int main(int argc, char **argv)
{
    unsigned rounds = measure_rounds(argc, argv);
    scene = scene_new();
    token = scene_token(&scene, "{\"sub\":\"ann\",\"roles\":[\"manager\"]}");
    put_version(1);
    measure_cold_start(rounds);
    measure_activation(rounds);
    free(token);
    scene_free(&scene);
    return 0;
}
