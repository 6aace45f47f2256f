/* Ids of decisions: see decision_id.h. A fork starts again at random, so that no two are alike. */
#include "pep/decision_id.h"

#include "pep/core/crypto.h"
#include "pep/fork.h"

#include "pep.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define TIME_DIGITS  10
#define COUNT_DIGITS 16

/* Crockford's base 32, in ASCII order, so that text sorts like the numbers. */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static struct {
    pthread_once_t once;
    int result;
    uint64_t seed;
    atomic_uint_fast64_t threads;
} source = {.once = PTHREAD_ONCE_INIT, .result = PEP_EIO};

static _Thread_local struct {
    char text[PEP_DECISION_ID];
    uint8_t count[COUNT_DIGITS];
    int64_t wall_ms;
    unsigned forks;
    bool started;
} own;

static void draw_seed(void)
{
    source.result = pep_random(&source.seed, sizeof(source.seed));
}

int pep_decision_ids_start(void)
{
    if (pthread_once(&source.once, draw_seed) != 0)
        return PEP_EIO;
    return source.result;
}

/* Each thread, and each forked copy of one, starts somewhere else in 80 bits. */
static void start(int64_t wall_ms)
{
    struct {
        uint64_t thread, forks, process;
        int64_t wall_ms;
        const void *where;
    } mix;
    memset(&mix, 0, sizeof(mix));
    mix.thread = atomic_fetch_add_explicit(&source.threads, 1, memory_order_relaxed);
    mix.forks = pep_forks();
    mix.process = (uint64_t)getpid(); /* children of one parent differ only here */
    mix.wall_ms = wall_ms;
    mix.where = &own;
    XXH128_hash_t h = XXH3_128bits_withSeed(&mix, sizeof(mix), source.seed);
    uint64_t low = h.low64, high = h.high64;
    for (unsigned i = 0; i < COUNT_DIGITS; i++) {
        uint64_t *half = i < COUNT_DIGITS / 2 ? &high : &low;
        own.count[i] = (uint8_t)(*half & 31);
        *half >>= 5;
        own.text[2 + TIME_DIGITS + i] = digits[own.count[i]];
    }
    memcpy(own.text, "d_", 2);
    own.text[PEP_DECISION_ID - 1] = '\0';
    own.wall_ms = -1;
    own.forks = (unsigned)mix.forks;
    own.started = true;
}

static void write_time(int64_t wall_ms)
{
    uint64_t t = (uint64_t)wall_ms;
    for (unsigned i = TIME_DIGITS; i-- > 0; t >>= 5)
        own.text[2 + i] = digits[t & 31];
    own.wall_ms = wall_ms;
}

static void count_up(void)
{
    for (unsigned i = COUNT_DIGITS; i-- > 0;) {
        own.count[i] = (own.count[i] + 1) & 31;
        own.text[2 + TIME_DIGITS + i] = digits[own.count[i]];
        if (own.count[i] != 0)
            return;
    }
}

void pep_decision_id(int64_t wall_ms, char *out)
{
    if (!own.started || own.forks != pep_forks())
        start(wall_ms);
    if (own.wall_ms != wall_ms)
        write_time(wall_ms);
    count_up();
    memcpy(out, own.text, PEP_DECISION_ID);
}
