/*
 * Records on their way from the deciding threads to the agent: a bounded queue that never blocks.
 * When it is full the record is dropped and counted, exactly: taken plus dropped equal put.
 *
 * A record is bytes; what they mean is record.h's business. Room is handed out in cells of 512
 * bytes, so `capacity` is the number of usual records; a long one takes several cells. There are up
 * to four rings, so that threads on different cores do not fight over one counter; a thread starts
 * at its own and drops only when all are full. A producer claims cells by moving the head, writes,
 * and publishes by writing the cell's number; the one consumer sees records in claimed order.
 * Memory that is not yet used is not yet touched. Rejected: a pointer per record (an allocation per
 * decision), a mutex (a producer that is preempted inside stops all others).
 */
#ifndef PEP_EVENTS_H
#define PEP_EVENTS_H

#include "pep/core/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEP_EVENT_CELL     512
#define PEP_EVENT_MAX      (16 * 1024) /* one record */
#define PEP_EVENTS_MIN     64
#define PEP_EVENTS_MAX     (1024 * 1024)
#define PEP_EVENTS_DEFAULT 8192

struct pep_events;

/* Errors: ENOMEM. */
int pep_events_new(size_t capacity, struct pep_events **ret);
void pep_events_free(struct pep_events *e);

enum pep_put {
    PEP_PUT_DROPPED, /* no room, or larger than PEP_EVENT_MAX; counted */
    PEP_PUT_QUEUED,
    PEP_PUT_CROWDED, /* queued, and half a ring since the last time: wake the consumer */
};
/* From any thread. `stripe` spreads threads over the rings. In two steps, so that a record is made
 * where it is going to lie: memory for `size` bytes, in one piece and aligned to a cell (NULL:
 * dropped and counted), which the caller fills and publishes, soon, because the consumer waits for
 * it. */
struct pep_ring;
struct pep_claim {
    struct pep_ring *ring;
    uint64_t head, need;
    size_t size;
};
uint8_t *pep_events_claim(struct pep_events *e, unsigned stripe, size_t size,
                          struct pep_claim *ret);
enum pep_put pep_events_publish(const struct pep_claim *claim); /* never DROPPED */
/* Both for a record that exists already. */
enum pep_put pep_events_put(struct pep_events *e, unsigned stripe, struct pep_span record);
/* False if a record would be dropped now: spares making it. Otherwise the memory where it is going
 * to lie is fetched meanwhile. */
bool pep_events_room(struct pep_events *e, unsigned stripe);
/* Counts a record that could not even be made. */
void pep_events_drop(struct pep_events *e, uint64_t count);
/* The agent only: the next record into out[0..PEP_EVENT_MAX-1]; its size, or 0 when there is none.
 */
size_t pep_events_take(struct pep_events *e, uint8_t *out);
uint64_t pep_events_dropped(const struct pep_events *e);

#endif
