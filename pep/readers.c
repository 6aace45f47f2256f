/* See readers.h. The waiting side: off the request path, so it may yield and sleep. */
#include "pep/readers.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

static atomic_uint_fast64_t next_stripe;  /* never comes round: no stripe gets a second owner */
static _Thread_local unsigned own_stripe; /* 0: not yet drawn; else stripe + 1 */

unsigned pep_thread_stripe(void)
{
    unsigned s = own_stripe;
    if (s == 0) {
        uint64_t n = atomic_fetch_add_explicit(&next_stripe, 1, memory_order_relaxed);
        if (n >= PEP_STRIPES_OWNED)
            n = PEP_STRIPES_OWNED + n % (PEP_STRIPES - PEP_STRIPES_OWNED);
        s = (unsigned)n + 1;
        own_stripe = s;
    }
    return s - 1;
}

struct pep_readers *pep_readers_new(void)
{
    struct pep_readers *r = aligned_alloc(_Alignof(struct pep_readers), sizeof(*r));
    if (r == NULL)
        return NULL;
    pep_readers_forget(r);
    atomic_init(&r->generation, 0);
    return r;
}

void pep_readers_free(struct pep_readers *r)
{
    free(r);
}

void pep_readers_forget(struct pep_readers *r)
{
    for (unsigned i = 0; i < PEP_STRIPES; i++) {
        atomic_init(&r->stripes[i].inside[0], 0);
        atomic_init(&r->stripes[i].inside[1], 0);
    }
}

/* A decision takes about a microsecond, one that was preempted some milliseconds. */
static void pause_longer(unsigned turn)
{
    if (turn < 16) {
        sched_yield();
    } else {
        struct timespec t = {0, turn < 100 ? 50 * 1000 : 1000 * 1000};
        nanosleep(&t, NULL);
    }
}

static void wait_side(struct pep_readers *r, unsigned side)
{
    for (unsigned i = 0; i < PEP_STRIPES; i++) {
        for (unsigned turn = 0; atomic_load(&r->stripes[i].inside[side]) != 0; turn++)
            pause_longer(turn);
    }
}

void pep_readers_wait(struct pep_readers *r)
{
    /* Twice, because a reader may have read the generation long ago and count on either side. */
    for (unsigned i = 0; i < 2; i++) {
        unsigned side = atomic_fetch_add(&r->generation, 1) & 1;
        wait_side(r, side);
    }
}
