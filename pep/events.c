/* See events.h. Positions are 64-bit and only rise, so that a number is never mistaken for that of
 * an earlier lap. */
#include "pep/events.h"

#include "pep.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RINGS_MAX  4
#define CACHE_LINE 64
#define USUAL      384 /* bytes of a record, as most are */

_Static_assert(PEP_EVENT_MAX <= 0xffff, "a size has 16 bits beside the cell's number");

/* Cells are numbered from 0 for ever; cell i lies at i modulo `cells`. A record lies in one piece:
 * behind the last cell there is room for what begins in it, and the first cells, which it has then
 * claimed too, stay as they are. */
struct pep_ring {
    _Alignas(64) atomic_uint_fast64_t head; /* next to claim */
    /* The tail as some producer saw it last. It only rises, so an old one errs on the safe side; it
     * spares producers the consumer's cache line until the ring looks full. */
    atomic_uint_fast64_t tail_seen;
    _Alignas(64) atomic_uint_fast64_t tail; /* next to take; written by the consumer ... */
    uint64_t taken;                         /* ... now and then, from this */
    /* For the record that starts in cell i, once it is whole: (i + 1) << 16 | its size. */
    _Alignas(64) atomic_uint_fast64_t *ready;
    uint8_t *bytes;
    uint64_t cells; /* power of two */
};

struct pep_events {
    struct pep_ring rings[RINGS_MAX];
    unsigned ring_count; /* power of two */
    void *memory;
    size_t memory_size;
    /* Written for each record that is taken, so not beside what producers read. */
    _Alignas(64) unsigned turn; /* consumer: where to look next */
    _Alignas(64) atomic_uint_fast64_t dropped;
};

static unsigned choose_rings(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores <= 1 ? 1 : cores < RINGS_MAX ? 2 : RINGS_MAX;
}

int pep_events_new(size_t capacity, struct pep_events **ret)
{
    struct pep_events *e = aligned_alloc(_Alignof(struct pep_events), sizeof(*e));
    if (e == NULL)
        return PEP_ENOMEM;
    memset(e, 0, sizeof(*e));
    e->ring_count = choose_rings();
    uint64_t cells = PEP_EVENTS_MIN / RINGS_MAX;
    while (cells * e->ring_count < capacity)
        cells *= 2;
    size_t bytes = (size_t)cells * PEP_EVENT_CELL + PEP_EVENT_MAX;
    size_t ring_size = bytes + (size_t)cells * sizeof(atomic_uint_fast64_t);
    e->memory_size = ring_size * e->ring_count;
    /* From the kernel, zeroed and not resident until written; malloc may hand out used pages. */
    e->memory =
        mmap(NULL, e->memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (e->memory == MAP_FAILED) {
        free(e);
        return PEP_ENOMEM;
    }
    uint8_t *at = e->memory;
    for (unsigned i = 0; i < e->ring_count; i++, at += ring_size) {
        struct pep_ring *r = &e->rings[i];
        r->cells = cells;
        r->bytes = at;
        r->ready = (atomic_uint_fast64_t *)(void *)(at + bytes);
    }
    *ret = e;
    return PEP_OK;
}

void pep_events_free(struct pep_events *e)
{
    if (e == NULL)
        return;
    munmap(e->memory, e->memory_size);
    free(e);
}

static uint64_t cells_for(size_t size)
{
    return (size + PEP_EVENT_CELL - 1) / PEP_EVENT_CELL;
}

/* True if `need` cells from `head` on are free. A stale head may lie behind the tail: that is no
 * reason to say no, the exchange on the head will fail. */
static bool has_room(struct pep_ring *r, uint64_t head, uint64_t need)
{
    uint64_t tail = atomic_load_explicit(&r->tail_seen, memory_order_acquire);
    if (head < tail || head + need - tail <= r->cells)
        return true;
    tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    atomic_store_explicit(&r->tail_seen, tail, memory_order_release);
    return head < tail || head + need - tail <= r->cells;
}

static bool ring_claim(struct pep_ring *r, size_t size, struct pep_claim *ret)
{
    uint64_t need = cells_for(size);
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    do {
        if (!has_room(r, head, need))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&r->head, &head, head + need,
                                                    memory_order_relaxed, memory_order_relaxed));
    *ret = (struct pep_claim){r, head, need, size};
    return true;
}

uint8_t *pep_events_claim(struct pep_events *e, unsigned stripe, size_t size, struct pep_claim *ret)
{
    bool possible = size > 0 && size <= PEP_EVENT_MAX;
    for (unsigned i = 0; possible && i < e->ring_count; i++) {
        struct pep_ring *r = &e->rings[(stripe + i) & (e->ring_count - 1)];
        if (ring_claim(r, size, ret))
            return r->bytes + (ret->head & (r->cells - 1)) * PEP_EVENT_CELL;
    }
    pep_events_drop(e, 1);
    return NULL;
}

enum pep_put pep_events_publish(const struct pep_claim *c)
{
    struct pep_ring *r = c->ring;
    atomic_store_explicit(&r->ready[c->head & (r->cells - 1)], (c->head + 1) << 16 | c->size,
                          memory_order_release);
    uint64_t half = r->cells / 2;
    /* `half` is a power of two that the compiler does not know to be one: no division. */
    return ((c->head ^ (c->head + c->need)) & ~(half - 1)) != 0 ? PEP_PUT_CROWDED : PEP_PUT_QUEUED;
}

enum pep_put pep_events_put(struct pep_events *e, unsigned stripe, struct pep_span record)
{
    struct pep_claim claim;
    uint8_t *at = pep_events_claim(e, stripe, record.size, &claim);
    if (at == NULL)
        return PEP_PUT_DROPPED;
    memcpy(at, record.data, record.size);
    return pep_events_publish(&claim);
}

/* By hand for x86, where the builtin asks for a line that may only be read unless the whole build
 * is for processors that know more; one that does not know this instruction does nothing. */
static inline void fetch_to_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

/* Asks for the lines that a usual record will be written to. They were last read by the consumer,
 * on another core perhaps, and would be waited for if they were fetched only when written. */
static inline void fetch_cell(const struct pep_ring *r, uint64_t head)
{
    uint64_t at = head & (r->cells - 1);
    fetch_to_write(&r->ready[at]);
    for (size_t i = 0; i < USUAL; i += CACHE_LINE)
        fetch_to_write(r->bytes + at * PEP_EVENT_CELL + i);
}

bool pep_events_room(struct pep_events *e, unsigned stripe)
{
    for (unsigned i = 0; i < e->ring_count; i++) {
        struct pep_ring *r = &e->rings[(stripe + i) & (e->ring_count - 1)];
        uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
        if (has_room(r, head, 1)) {
            fetch_cell(r, head);
            return true;
        }
    }
    return false;
}

void pep_events_drop(struct pep_events *e, uint64_t count)
{
    atomic_fetch_add_explicit(&e->dropped, count, memory_order_relaxed);
}

static size_t ring_take(struct pep_ring *r, uint8_t *out)
{
    uint64_t at = r->taken;
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t ready = atomic_load_explicit(&r->ready[at & (r->cells - 1)], memory_order_acquire);
    size_t size = ready >> 16 == at + 1 ? (size_t)(ready & 0xffff) : 0;
    if (size > 0) {
        memcpy(out, r->bytes + (at & (r->cells - 1)) * PEP_EVENT_CELL, size);
        r->taken = at + cells_for(size);
    }
    /* Each time that the tail is written costs the producers a miss. */
    if (r->taken != tail && (size == 0 || r->taken - tail >= r->cells / 8))
        atomic_store_explicit(&r->tail, r->taken, memory_order_release);
    return size;
}

size_t pep_events_take(struct pep_events *e, uint8_t *out)
{
    for (unsigned i = 0; i < e->ring_count; i++) {
        size_t size = ring_take(&e->rings[(e->turn + i) & (e->ring_count - 1)], out);
        if (size > 0) {
            e->turn += i + 1;
            return size;
        }
    }
    return 0;
}

uint64_t pep_events_dropped(const struct pep_events *e)
{
    return atomic_load_explicit(&e->dropped, memory_order_relaxed);
}
