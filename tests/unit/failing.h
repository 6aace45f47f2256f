/*
 * No memory at every single point: each scenario runs with the 1st, 2nd, 3rd... allocation failing,
 * until a run gets through without meeting the failure. In between nothing may crash, leak, or come
 * out half done: a run that reports success is checked like any other.
 *
 * Our own calls are caught by the linker (--wrap), jansson's and OpenSSL's by their hooks. Three
 * kinds of failure: that one allocation alone (memory came back), it and all later ones, and the
 * same in OpenSSL. OpenSSL keeps what it cached on the way, so its blocks are not counted.
 *
 * Header only: the test program that includes it is linked by pep_alloc_test().
 */
#ifndef TESTS_UNIT_FAILING_H
#define TESTS_UNIT_FAILING_H

#include "pep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include <cmocka.h>

#define RUNS_MAX 100000 /* a scenario that needs more has a loop */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);
char *__wrap_strdup(const char *text);

/* ---- the failing allocator ---- */

enum mode { ONE, FROM_THERE_ON, IN_OPENSSL };

static struct {
    long countdown; /* of allocations until the failure; 0: it has happened; below: off */
    enum mode mode;
    long live; /* blocks of ours and jansson's */
} alloc = {-1, ONE, 0};

static bool refuse(bool openssl)
{
    if (alloc.countdown < 0 || openssl != (alloc.mode == IN_OPENSSL))
        return false;
    if (alloc.countdown == 0)
        return alloc.mode == FROM_THERE_ON;
    return --alloc.countdown == 0;
}

void *__wrap_malloc(size_t size)
{
    void *block = refuse(false) ? NULL : __real_malloc(size);
    alloc.live += block != NULL;
    return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *block = refuse(false) ? NULL : __real_calloc(count, size);
    alloc.live += block != NULL;
    return block;
}

void *__wrap_realloc(void *old, size_t size)
{
    void *block = refuse(false) ? NULL : __real_realloc(old, size);
    alloc.live += block != NULL && old == NULL;
    return block;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    void *block = refuse(false) ? NULL : __real_aligned_alloc(alignment, size);
    alloc.live += block != NULL;
    return block;
}

void __wrap_free(void *block)
{
    alloc.live -= block != NULL;
    __real_free(block);
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return refuse(true) ? NULL : __real_malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return refuse(true) ? NULL : __real_realloc(old, size);
}

static void openssl_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    __real_free(block);
}

/* What a scenario does between these two has memory enough. */
static inline long failing_pause(void)
{
    long countdown = alloc.countdown;
    alloc.countdown = -1;
    return countdown;
}

static inline void failing_resume(long countdown)
{
    alloc.countdown = countdown;
}

/* ---- the loop ---- */

static void exhaust(int (*scenario)(void), enum mode mode)
{
    long runs = 0, failed = 0;
    bool met = true;
    while (met && ++runs < RUNS_MAX) {
        long live = alloc.live;
        alloc.mode = mode;
        alloc.countdown = runs;
        int r = scenario();
        met = alloc.countdown == 0;
        alloc.countdown = -1;
        if (alloc.live != live)
            fail_msg("allocation %ld failed: %ld blocks leaked", runs, alloc.live - live);
        if (!met)
            assert_int_equal(r, PEP_OK);
        failed += r != PEP_OK;
    }
    assert_true(runs < RUNS_MAX);
    /* Almost every failure must show; the rest are optional work inside OpenSSL and jansson. */
    assert_true(failed > 0 || runs == 1);
}

static void exhaust_all(int (*scenario)(void))
{
    assert_int_equal(scenario(), PEP_OK); /* OpenSSL fetches its algorithms once */
    exhaust(scenario, ONE);
    exhaust(scenario, FROM_THERE_ON);
    exhaust(scenario, IN_OPENSSL);
}

/* Defines the test test_NAME of the scenario int NAME(void). */
#define SCENARIO(name)                    \
    static void test_##name(void **state) \
    {                                     \
        (void)state;                      \
        exhaust_all(name);                \
    }

/* First thing in main(): before OpenSSL or jansson allocates anything. */
static bool failing_install(void)
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}

#endif
