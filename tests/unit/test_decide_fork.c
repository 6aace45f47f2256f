/* A forked child decides by what it inherited, knows that it has no agent, and gets its own by
 * pep_after_fork(). The parent notices nothing. */
#include "tests/support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char allowing[] = "allow 'doc.read' { action = 'read', resource = 'doc' }\n";
static const char denying[] = "deny 'doc.no' { action = 'read', resource = 'doc' }\n";

static struct scene world;
static char *token;
static atomic_uint records;

static void on_record(void *user, const char *json, size_t length)
{
    (void)user;
    (void)json;
    (void)length;
    atomic_fetch_add(&records, 1);
}

static pep *open_recording(void)
{
    pep_options o = scene_options(&world);
    pep *p = NULL;
    o.on_record = on_record;
    assert_int_equal(pep_open(&o, &p), PEP_OK);
    return p;
}

static int set_up(void **unused)
{
    (void)unused;
    world = scene_new();
    token = scene_token(&world, "{\"sub\": \"ann\"}");
    scene_put_version(&world, 1, allowing);
    atomic_store(&records, 0);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    free(token);
    scene_free(&world);
    return 0;
}

/* Forks once the agent has nothing to do. libpep does not need that; the address sanitizer does: its
 * allocator, unlike the C library's, may be locked for ever in a child that was forked beside it. */
static pid_t fork_at_rest(void)
{
    usleep(400000);
    return fork();
}

/* The child ends with the number of the first line that does not hold; assertions of the test
 * framework belong to the parent. */
#define HOLDS(condition)                                                   \
    do {                                                                   \
        if (!(condition)) {                                                \
            fprintf(stderr, "child, line %d: %s\n", __LINE__, #condition); \
            _exit(1);                                                      \
        }                                                                  \
    } while (0)

static void ended_well(pid_t child)
{
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_child_decides_without_an_agent(void **unused)
{
    (void)unused;
    pep *p = open_recording();
    assert_true(pep_allow(p, token, "read", "doc:1"));
    pid_t child = fork_at_rest();
    if (child == 0) {
        pep_status s = PEP_STATUS_INIT;
        HOLDS(pep_allow(p, token, "read", "doc:1"));
        HOLDS(!pep_allow(p, token, "write", "doc:1"));
        HOLDS(pep_wait_ready(p, 100) == PEP_OK);
        HOLDS(pep_refresh(p, 100) == PEP_ESTATE);
        pep_get_status(p, &s);
        HOLDS(s.state == PEP_FRESH && s.version == 1);
        HOLDS(s.events_dropped == 2); /* its own two: nobody delivers them here */
        pep_close(p);
        _exit(0);
    }
    ended_well(child);
    assert_true(pep_allow(p, token, "read", "doc:1"));
    pep_close(p);
    assert_int_equal(atomic_load(&records), 2);
}

static void after_fork_gives_it_one(void **unused)
{
    (void)unused;
    pep *p = open_recording();
    assert_true(pep_allow(p, token, "read", "doc:1"));
    pid_t child = fork_at_rest();
    if (child == 0) {
        atomic_store(&records, 0);
        HOLDS(pep_after_fork(p) == PEP_OK);
        HOLDS(pep_after_fork(p) == PEP_ESTATE);
        HOLDS(pep_allow(p, token, "read", "doc:1"));
        scene_put_version(&world, 2, denying);
        HOLDS(pep_refresh(p, 10000) == PEP_OK);
        HOLDS(!pep_allow(p, token, "read", "doc:1"));
        pep_close(p);
        HOLDS(atomic_load(&records) == 2); /* not the parent's */
        _exit(0);
    }
    ended_well(child);
    assert_int_equal(pep_refresh(p, 10000), PEP_OK);
    assert_false(pep_allow(p, token, "read", "doc:1"));
    pep_close(p);
    assert_int_equal(atomic_load(&records), 2);
}

static void a_grandchild_too(void **unused)
{
    (void)unused;
    pep *p = scene_open(&world);
    pid_t child = fork_at_rest();
    if (child == 0) {
        HOLDS(pep_after_fork(p) == PEP_OK);
        pid_t grandchild = fork_at_rest();
        if (grandchild == 0) {
            HOLDS(pep_refresh(p, 100) == PEP_ESTATE);
            HOLDS(pep_after_fork(p) == PEP_OK);
            HOLDS(pep_refresh(p, 10000) == PEP_OK);
            HOLDS(pep_allow(p, token, "read", "doc:1"));
            pep_close(p);
            _exit(0);
        }
        int status = -1;
        HOLDS(waitpid(grandchild, &status, 0) == grandchild && status == 0);
        pep_close(p);
        _exit(0);
    }
    ended_well(child);
    pep_close(p);
}

int main(void)
{
#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SCENE(a_child_decides_without_an_agent),
        WITH_SCENE(after_fork_gives_it_one),
        WITH_SCENE(a_grandchild_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
