/* Ids: shape, order, and no two alike across threads and forked children. */
#include "pep/decision_id.h"
#include "pep/fork.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define EACH    5000

typedef char id[PEP_DECISION_ID];

static int start(void **unused)
{
    (void)unused;
    return pep_forks_watch() != 0 || pep_decision_ids_start() != 0;
}

static void they_have_the_shape_and_sort_by_time(void **unused)
{
    (void)unused;
    id a, b, c;
    pep_decision_id(INT64_C(1700000000000), a);
    pep_decision_id(INT64_C(1700000000000), b);
    pep_decision_id(INT64_C(1700000000001), c);
    assert_int_equal(strlen(a), 28);
    assert_memory_equal(a, "d_", 2);
    assert_int_equal(strspn(a + 2, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
    assert_memory_equal(a, b, 12);
    assert_string_not_equal(a, b);
    assert_true(strcmp(b, c) < 0);
    /* The example of the ULID specification's time part. */
    pep_decision_id(INT64_C(1469918176385), a);
    assert_memory_equal(a + 2, "01ARYZ6S41", 10);
}

static void *make_ids(void *out)
{
    for (int i = 0; i < EACH; i++)
        pep_decision_id(INT64_C(1700000000000), ((id *)out)[i]);
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void no_two_threads_make_the_same(void **unused)
{
    (void)unused;
    id *all = calloc(THREADS * EACH, sizeof(id));
    pthread_t threads[THREADS];
    assert_non_null(all);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, all + i * EACH), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(all, THREADS * EACH, sizeof(id), by_text);
    for (int i = 1; i < THREADS * EACH; i++)
        assert_string_not_equal(all[i - 1], all[i]);
    free(all);
}

/* One id made by a forked child. */
static void from_child(char *out)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        id mine;
        pep_decision_id(INT64_C(1700000000000), mine);
        _exit(write(ends[1], mine, sizeof(mine)) != sizeof(mine));
    }
    assert_true(child > 0);
    assert_int_equal(read(ends[0], out, PEP_DECISION_ID), PEP_DECISION_ID);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[0]);
    close(ends[1]);
}

static void forked_children_go_their_own_way(void **unused)
{
    (void)unused;
    id parent, first, second;
    from_child(first);
    from_child(second);
    pep_decision_id(INT64_C(1700000000000), parent);
    /* All but the last four digits: two odometers that merely stood a few steps apart would agree.
     */
    assert_memory_not_equal(first, second, 24);
    assert_memory_not_equal(first, parent, 24);
    assert_memory_not_equal(second, parent, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_have_the_shape_and_sort_by_time),
        cmocka_unit_test(no_two_threads_make_the_same),
        cmocka_unit_test(forked_children_go_their_own_way),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
