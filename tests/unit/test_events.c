/* The record queue: what goes in comes out whole and once, or is counted as dropped. */
#include "pep/events.h"

#include "pep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define EACH    20000

static uint8_t taken[PEP_EVENT_MAX];

static struct pep_events *queue(size_t capacity)
{
    struct pep_events *e = NULL;
    assert_int_equal(pep_events_new(capacity, &e), PEP_OK);
    return e;
}

static void records_come_out_as_they_went_in(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {1, 511, 512, 513, 1024, 1025, 5000, PEP_EVENT_MAX};
    struct pep_events *e = queue(1024);
    uint8_t *bytes = malloc(PEP_EVENT_MAX);
    assert_non_null(bytes);
    /* Many laps, so that every size also wraps around the end. */
    for (unsigned n = 0; n < 4000; n++) {
        size_t size = sizes[n % 8];
        memset(bytes, (int)(n & 0xff), size);
        assert_int_not_equal(pep_events_put(e, 0, pep_span_of(bytes, size)), PEP_PUT_DROPPED);
        assert_int_equal(pep_events_take(e, taken), size);
        assert_memory_equal(taken, bytes, size);
    }
    assert_int_equal(pep_events_take(e, taken), 0);
    assert_int_equal(pep_events_dropped(e), 0);
    free(bytes);
    pep_events_free(e);
}

static void a_full_queue_drops_and_counts_exactly(void **unused)
{
    (void)unused;
    struct pep_events *e = queue(256);
    unsigned queued = 0, crowded = 0;
    for (unsigned i = 0; i < 1000; i++) {
        enum pep_put r = pep_events_put(e, 0, pep_span_of(&i, sizeof(i)));
        queued += r != PEP_PUT_DROPPED;
        crowded += r == PEP_PUT_CROWDED;
    }
    /* A single thread may fill all of it, whichever ring it starts at. */
    assert_int_equal(queued, 256);
    assert_true(crowded >= 1);
    assert_int_equal(pep_events_dropped(e), 744);
    assert_false(pep_events_room(e, 0));
    for (unsigned i = 0; i < queued; i++)
        assert_int_equal(pep_events_take(e, taken), sizeof(i));
    assert_int_equal(pep_events_take(e, taken), 0);
    assert_true(pep_events_room(e, 0));
    unsigned again = 1;
    assert_int_equal(pep_events_put(e, 3, pep_span_of(&again, sizeof(again))), PEP_PUT_QUEUED);
    pep_events_free(e);
}

static void what_can_never_fit_is_dropped(void **unused)
{
    (void)unused;
    struct pep_events *e = queue(256);
    static const uint8_t big[PEP_EVENT_MAX + 1];
    assert_int_equal(pep_events_put(e, 0, pep_span_of(big, sizeof(big))), PEP_PUT_DROPPED);
    assert_int_equal(pep_events_put(e, 0, pep_span_of(big, 0)), PEP_PUT_DROPPED);
    assert_int_equal(pep_events_dropped(e), 2);
    assert_int_equal(pep_events_take(e, taken), 0);
    pep_events_free(e);
}

struct note {
    uint32_t thread, number;
    uint8_t filler[600]; /* two cells for odd numbers */
};

struct producer {
    struct pep_events *events;
    uint32_t thread;
    uint32_t queued;
};

static void *produce(void *argument)
{
    struct producer *p = argument;
    struct note n;
    for (uint32_t i = 0; i < EACH; i++) {
        n.thread = p->thread;
        n.number = i;
        memset(n.filler, (int)(i & 0xff), sizeof(n.filler));
        size_t size = i % 2 ? sizeof(n) : offsetof(struct note, filler);
        if (pep_events_put(p->events, p->thread, pep_span_of(&n, size)) != PEP_PUT_DROPPED)
            p->queued++;
    }
    return NULL;
}

static atomic_bool producing;

struct tally {
    struct pep_events *events;
    uint32_t received, broken;
};

static void look_at(struct tally *t, size_t size)
{
    struct note n;
    memcpy(&n, taken, size < sizeof(n) ? size : sizeof(n));
    t->received++;
    if (size != (n.number % 2 ? sizeof(n) : offsetof(struct note, filler)) || n.thread >= THREADS)
        t->broken++;
    for (size_t i = offsetof(struct note, filler); i < size; i++)
        t->broken += taken[i] != (n.number & 0xff);
}

static void *consume(void *argument)
{
    struct tally *t = argument;
    size_t size;
    bool last;
    do {
        last = !atomic_load(&producing);
        while ((size = pep_events_take(t->events, taken)) > 0)
            look_at(t, size);
    } while (!last);
    return NULL;
}

static void received_plus_dropped_is_all_under_threads(void **unused)
{
    (void)unused;
    struct tally t = {queue(512), 0, 0};
    struct producer producers[THREADS];
    pthread_t threads[THREADS], consumer;
    atomic_store(&producing, true);
    assert_int_equal(pthread_create(&consumer, NULL, consume, &t), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        producers[i] = (struct producer){t.events, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    uint32_t queued = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        queued += producers[i].queued;
    }
    atomic_store(&producing, false);
    pthread_join(consumer, NULL);
    assert_int_equal(t.broken, 0);
    assert_int_equal(t.received, queued);
    assert_int_equal(t.received + pep_events_dropped(t.events), THREADS * EACH);
    pep_events_free(t.events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_out_as_they_went_in),
        cmocka_unit_test(a_full_queue_drops_and_counts_exactly),
        cmocka_unit_test(what_can_never_fit_is_dropped),
        cmocka_unit_test(received_plus_dropped_is_all_under_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
