/*
 * From push to deciding: the time between an operator sending a new version to pdpd and real libpep
 * handles deciding by it, among generated peers. In it is everything that happens on the way: pdpd
 * verifies, compiles and stores the version; the signed notice; each client's fetch, signature
 * checks, compile, swap, and the write to its cache.
 *
 * The denominator is the bare XPUB + CURVE notice to as many subscribers, in the same process, turn
 * by turn: what no design on ZeroMQ can be faster than. All of it shares this machine's cores.
 *
 *     push [--rounds N] [--pdpd PATH] [--services N] [--peers N]
 */
#include "push_stage.h"
#include "measure.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef BENCH_PDPD
#define BENCH_PDPD "pdpd"
#endif
#define SERVICES_MAX 1000

struct service {
    pep *p;
    atomic_uint_fast64_t version, since_ns; /* decides by `version` since then */
};

struct settings {
    const char *pdpd;
    unsigned rounds, services, peers;
};

static void on_status(void *user, const struct pep_status *status)
{
    struct service *s = user;
    if (status->state != PEP_FRESH || atomic_load(&s->version) == status->version)
        return;
    atomic_store(&s->since_ns, measure_now_ns());
    atomic_store(&s->version, status->version);
}

static void open_service(struct stage *stage, struct service *s, size_t i)
{
    char name[32], folder[128];
    pep_options o = PEP_OPTIONS_INIT;
    snprintf(name, sizeof(name), "service%zu", i);
    stage_join(stage, name, folder, sizeof(folder));
    o.identity = folder;
    o.lua_states = 1;
    o.on_status = on_status;
    o.user = s;
    if (pep_open(&o, &s->p) != PEP_OK)
        stage_die("pep_open", pep_open_error());
}

static bool all_at(const struct settings *o, struct service *services, struct peers *peers,
                   uint64_t version)
{
    for (unsigned i = 0; i < o->services; i++) {
        if (atomic_load(&services[i].version) < version)
            return false;
    }
    return peers_at(peers, version) == o->peers;
}

static void wait_for_all(const struct settings *o, struct service *services, struct peers *peers,
                         uint64_t version)
{
    uint64_t end = measure_now_ns() + UINT64_C(1000000) * STAGE_TIMEOUT_MS;
    while (!all_at(o, services, peers, version)) {
        if (measure_now_ns() > end)
            stage_die("push", "not everybody has the new version");
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

struct figures {
    double last[MEASURE_ROUNDS_MAX], middle[MEASURE_ROUNDS_MAX];
    double bare_last[MEASURE_ROUNDS_MAX], bare_middle[MEASURE_ROUNDS_MAX];
};

static void one_round(const struct settings *o, struct stage *stage, struct service *services,
                      struct peers *peers, struct bare *bare, unsigned round, struct figures *f)
{
    double *times = calloc(o->services + o->peers + 1, sizeof(*times));
    uint64_t begin = 0;
    if (times == NULL)
        stage_die("round", "no memory");
    bare_round(bare, times);
    f->bare_last[round] = measure_quantile(times, o->services + o->peers, 1) / 1e6;
    f->bare_middle[round] = measure_quantile(times, o->services + o->peers, 0.5) / 1e6;
    stage_push(stage, &begin);
    wait_for_all(o, services, peers, stage->version);
    for (unsigned i = 0; i < o->services; i++)
        times[i] = (double)(atomic_load(&services[i].since_ns) - begin);
    f->last[round] = measure_quantile(times, o->services, 1) / 1e6;
    f->middle[round] = measure_quantile(times, o->services, 0.5) / 1e6;
    free(times);
}

static unsigned number(const char *text, unsigned least, unsigned most)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || v < least || v > most) {
        fprintf(stderr, "push: %s: a number from %u to %u\n", text, least, most);
        exit(2);
    }
    return (unsigned)v;
}

static struct settings read_settings(int argc, char **argv)
{
    static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                            {"pdpd", required_argument, NULL, 'd'},
                                            {"services", required_argument, NULL, 's'},
                                            {"peers", required_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    struct settings o = {BENCH_PDPD, MEASURE_ROUNDS, 20, 80};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'r')
            o.rounds = number(optarg, 1, MEASURE_ROUNDS_MAX);
        else if (c == 'd')
            o.pdpd = optarg;
        else if (c == 's')
            o.services = number(optarg, 1, SERVICES_MAX);
        else if (c == 'p')
            o.peers = number(optarg, 0, 10000);
        else
            exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    struct settings o = read_settings(argc, argv);
    static struct figures f;
    struct stage stage;
    stage_open(&stage, o.pdpd);
    struct service *services = calloc(o.services, sizeof(*services));
    if (services == NULL)
        stage_die("services", "no memory");
    for (unsigned i = 0; i < o.services; i++)
        open_service(&stage, &services[i], i);
    struct peers *peers = peers_open(&stage, o.peers);
    struct bare *bare = bare_open(o.services + o.peers);
    wait_for_all(&o, services, peers, stage.version);
    for (unsigned i = 0; i < o.rounds; i++)
        one_round(&o, &stage, services, peers, bare, i, &f);
    char all[64], middle[64];
    snprintf(all, sizeof(all), "push to the last of %u services", o.services);
    snprintf(middle, sizeof(middle), "push to the middle of %u services", o.services);
    struct measure_figure last = {"push", all, "bare XPUB + CURVE notice, last subscriber",
                                  "value <= 100"};
    struct measure_figure mid = {"push", middle, "bare XPUB + CURVE notice, middle subscriber",
                                 NULL};
    measure_print(&last, "ms", f.last, f.bare_last, o.rounds);
    measure_print(&mid, "ms", f.middle, f.bare_middle, o.rounds);
    for (unsigned i = 0; i < o.services; i++)
        pep_close(services[i].p);
    bare_close(bare);
    peers_close(peers);
    stage_close(&stage);
    free(services);
    return 0;
}
