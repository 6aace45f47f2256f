/*
 * Who is reading: lets one writer replace what any number of threads read, and free the old one
 * when the last reader that can see it has left. Readers never wait, lock or retry: entering and
 * leaving is one add each, on a cache line that threads rarely share.
 *
 * Counters come in stripes (a thread keeps to one) and in two generations. The writer first swaps
 * the pointer, then waits until each counter of each stripe has been seen at zero once; it steers
 * new readers to the other generation meanwhile, so that a stream of them cannot hold it up. A
 * reader that still holds the old pointer had entered before the swap, and so keeps its counter
 * above zero. After Linux SRCU. Rejected: a reference count in the policy, which is one line that
 * all cores fight over; hazard pointers, which need a fence and a re-check on the reader's side.
 */
#ifndef PEP_READERS_H
#define PEP_READERS_H

#include <stdatomic.h>
#include <stdint.h>

#define PEP_STRIPES       64
#define PEP_STRIPES_OWNED 32  /* the first ones: each is one thread's alone, for ever */
#define PEP_STRIPE_ALIGN  128 /* processors fetch lines in pairs */

struct pep_stripe {
    _Alignas(PEP_STRIPE_ALIGN) atomic_uint_fast64_t inside[2];
};

struct pep_readers {
    struct pep_stripe stripes[PEP_STRIPES];
    _Alignas(64) atomic_uint generation;
};

/* The stripe of the calling thread: 0 .. PEP_STRIPES - 1, the same for all handles. The process's
 * first threads own theirs; later ones share the rest. */
unsigned pep_thread_stripe(void);

struct pep_readers *pep_readers_new(void);
void pep_readers_free(struct pep_readers *r);

/* Adds to a counter in a stripe. The owner of one is its only writer and needs no locked
 * instruction, which would wait for all stores before it. */
static inline void pep_stripe_add(atomic_uint_fast64_t *counter, unsigned stripe, uint64_t amount,
                                  memory_order order)
{
    if (stripe < PEP_STRIPES_OWNED)
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
                              order);
    else
        atomic_fetch_add_explicit(counter, amount, order);
}

/* From enter to leave, whatever is loaded from a published pointer stays. May be nested. The token
 * goes back into leave. */
static inline unsigned pep_readers_enter(struct pep_readers *r, unsigned stripe)
{
    unsigned side = atomic_load_explicit(&r->generation, memory_order_relaxed) & 1;
    /* Sequentially consistent: ordered before the load of the pointer that follows. */
    atomic_fetch_add(&r->stripes[stripe].inside[side], 1);
    return stripe << 1 | side;
}

static inline void pep_readers_leave(struct pep_readers *r, unsigned token)
{
    pep_stripe_add(&r->stripes[token >> 1].inside[token & 1], token >> 1, UINT64_MAX,
                   memory_order_release);
}

/* One writer at a time. Returns when every reader that entered before the call has left. */
void pep_readers_wait(struct pep_readers *r);
/* In a forked child: the threads that were inside do not exist here. */
void pep_readers_forget(struct pep_readers *r);

#endif
