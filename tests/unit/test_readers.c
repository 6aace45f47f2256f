/* What was replaced is freed only after its last reader: readers check that what they hold is
 * alive. */
#include "pep/readers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS  4
#define REPLACES 100

#define ALIVE 0x600dU
#define DEAD  0xdeadU

struct thing {
    unsigned state;
    unsigned number;
};

static struct {
    struct pep_readers *readers;
    _Atomic(struct thing *) current;
    atomic_bool stop;
    atomic_uint wrong;
    atomic_ulong reads;
} world;

static void *read_on(void *unused)
{
    (void)unused;
    unsigned last = 0;
    while (!atomic_load_explicit(&world.stop, memory_order_relaxed)) {
        unsigned token = pep_readers_enter(world.readers, pep_thread_stripe());
        const struct thing *t = atomic_load(&world.current);
        for (int i = 0; i < 50; i++) {
            if (*(volatile const unsigned *)&t->state != ALIVE || t->number < last)
                atomic_fetch_add(&world.wrong, 1);
        }
        last = t->number;
        pep_readers_leave(world.readers, token);
        atomic_fetch_add_explicit(&world.reads, 1, memory_order_relaxed);
    }
    return NULL;
}

static struct thing *thing_new(unsigned number)
{
    struct thing *t = malloc(sizeof(*t));
    assert_non_null(t);
    *t = (struct thing){ALIVE, number};
    return t;
}

static void readers_see_only_living_things(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    world.readers = pep_readers_new();
    assert_non_null(world.readers);
    atomic_store(&world.current, thing_new(1));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, NULL), 0);
    for (unsigned n = 2; n < REPLACES; n++) {
        struct thing *old = atomic_exchange(&world.current, thing_new(n));
        pep_readers_wait(world.readers);
        old->state = DEAD;
        free(old);
    }
    while (atomic_load(&world.reads) < 1000)
        usleep(100);
    atomic_store(&world.stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&world.wrong), 0);
    free(atomic_load(&world.current));
    pep_readers_free(world.readers);
}

static void *wait_for_all(void *done)
{
    pep_readers_wait(world.readers);
    atomic_store((atomic_bool *)done, true);
    return NULL;
}

static void the_writer_waits_for_a_reader_on_either_side(void **unused)
{
    (void)unused;
    world.readers = pep_readers_new();
    assert_non_null(world.readers);
    for (int side = 0; side < 2; side++) {
        atomic_bool done = false;
        pthread_t writer;
        unsigned token = pep_readers_enter(world.readers, 7);
        assert_int_equal(pthread_create(&writer, NULL, wait_for_all, &done), 0);
        usleep(20000);
        assert_false(atomic_load(&done));
        /* One that enters now is not waited for. */
        unsigned late = pep_readers_enter(world.readers, 7);
        pep_readers_leave(world.readers, late);
        pep_readers_leave(world.readers, token);
        pthread_join(writer, NULL);
        assert_true(atomic_load(&done));
        atomic_fetch_add(&world.readers->generation, 1);
    }
    pep_readers_free(world.readers);
}

static void a_child_forgets_the_parents_readers(void **unused)
{
    (void)unused;
    struct pep_readers *r = pep_readers_new();
    assert_non_null(r);
    (void)pep_readers_enter(r, 3);
    (void)pep_readers_enter(r, 63);
    pep_readers_forget(r);
    pep_readers_wait(r);
    pep_readers_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_only_living_things),
        cmocka_unit_test(the_writer_waits_for_a_reader_on_either_side),
        cmocka_unit_test(a_child_forgets_the_parents_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
