/*
 * A warm decision allocates nothing: every allocation of our own objects goes through the linker's
 * --wrap, jansson's through its hooks. And each allocation of a cold decision may fail: the answer
 * is then a deny, never an allow, and the next one is right again.
 */
#include "tests/support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local unsigned long allocations;
static _Thread_local long fail_at = -1; /* counts down; 0: this one fails */
static _Thread_local bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static bool refuse(void)
{
    allocations++;
    if (fail_at < 0 || fail_at-- > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return refuse() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refuse() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return refuse() ? NULL : __real_strdup(text);
}

static const char policy[] =
    "allow 'doc.read' { action = 'read', resource = 'doc', roles = 'reader' }\n"
    "allow 'doc.pay' { action = 'pay', resource = 'doc', roles = 'reader', same = 'tenant',\n"
    "  when = function(sub, res, ctx) return res.amount <= 100 and ctx.now > 0 end }\n"
    "challenge 'doc.sign' { action = 'sign', resource = 'doc',\n"
    "  oblige = step_up { acr_values = { 'urn:mfa' }, max_age = 300 } }\n"
    "allow 'doc.signed' { action = 'sign', resource = 'doc', roles = 'reader' }\n";

static struct scene world;
static char *token;

static void ignore_record(void *user, const char *json, size_t length)
{
    (void)user;
    (void)json;
    (void)length;
}

static int set_up(void **unused)
{
    (void)unused;
    json_set_alloc_funcs(__wrap_malloc, free);
    world = scene_new();
    scene_put_version(&world, 1, policy);
    token = scene_token(&world, "{\"sub\":\"ann\",\"roles\":[\"reader\"],\"tenant\":\"acme\"}");
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    free(token);
    scene_free(&world);
    return 0;
}

static pep *open_recording(void)
{
    pep_options o = scene_options(&world);
    pep *p = NULL;
    o.on_record = ignore_record;
    assert_int_equal(pep_open(&o, &p), PEP_OK);
    return p;
}

static void a_warm_decision_allocates_nothing(void **unused)
{
    (void)unused;
    static pep_decision d = PEP_DECISION_INIT;
    const char *roles[] = {"a", "b"};
    pep_attr attrs[] = {pep_attr_int("amount", 99), pep_attr_string("tenant", "acme"),
                        pep_attr_set("labels", roles, 2)};
    pep_query q = PEP_QUERY_INIT;
    q.attrs = attrs;
    q.attr_count = 3;
    q.request_id = "r";
    pep *p = open_recording();
    for (int i = 0; i < 50; i++) {
        assert_true(pep_allow(p, token, "read", "doc:1"));
        assert_true(pep_check(p, token, "pay", "doc:1", &q, &d));
        assert_false(pep_allow(p, token, "sign", "doc:1"));
    }
    allocations = 0;
    for (int i = 0; i < 200; i++) {
        if (!pep_allow(p, token, "read", "doc:1") || pep_allow(p, token, "none", "doc:1") ||
            pep_allow(p, token, "sign", "doc:1") || !pep_check(p, token, "pay", "doc:1", &q, &d))
            fail();
    }
    assert_int_equal(allocations, 0);
    /* The counter does count: the obligations of a challenge are copied. */
    assert_false(pep_check(p, token, "sign", "doc:1", &q, &d));
    assert_int_equal(allocations, 1);
    pep_decision_clear(&d);
    pep_close(p);
}

/* One cold decision whose n-th allocation fails. True once no allocation failed any more. */
static bool survives(pep *p, long n, unsigned *denied)
{
    char claims[64];
    pep_query q = PEP_QUERY_INIT;
    pep_decision d = PEP_DECISION_INIT;
    snprintf(claims, sizeof(claims), "{\"sub\":\"u%ld\",\"roles\":[\"reader\"]}", n);
    char *cold = scene_token(&world, claims);
    q.attrs_json = "{\"amount\": 5, \"owner\": \"ann\"}";
    failed = false;
    fail_at = n;
    bool allowed = pep_check(p, cold, "read", "doc:1", &q, &d);
    fail_at = -1;
    assert_int_equal(allowed, d.allowed);
    if (failed && !allowed)
        ++*denied;
    if (!failed)
        assert_true(allowed);
    assert_true(pep_check(p, cold, "read", "doc:1", &q, &d));
    free(cold);
    pep_decision_clear(&d);
    return !failed;
}

static void without_memory_it_denies_and_recovers(void **unused)
{
    (void)unused;
    pep *p = open_recording();
    unsigned denied = 0;
    long n = 0;
    while (n < 2000 && !survives(p, n, &denied))
        n++;
    assert_in_range(n, 3, 1999);
    assert_true(denied > 0);
    /* Obligations that cannot be handed over make the decision a fault. */
    pep_decision d = PEP_DECISION_INIT;
    assert_false(pep_check(p, token, "sign", "doc:1", NULL, NULL));
    fail_at = 0;
    assert_false(pep_check(p, token, "sign", "doc:1", NULL, &d));
    fail_at = -1;
    assert_int_equal(d.code, PEP_CODE_FAULT);
    assert_int_equal(d.outcome, PEP_DENY);
    assert_null(d.obligations);
    pep_close(p);
}

static void open_fails_clean_at_every_allocation(void **unused)
{
    (void)unused;
    long n = 0;
    bool opened = false;
    for (; n < 5000 && !opened; n++) {
        pep_options o = scene_options(&world);
        pep *p = NULL;
        o.on_record = ignore_record;
        fail_at = n;
        pep_err r = pep_open(&o, &p);
        fail_at = -1;
        opened = r == PEP_OK;
        if (opened)
            pep_close(p);
        else
            assert_null(p);
    }
    assert_true(opened);
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warm_decision_allocates_nothing),
        cmocka_unit_test(without_memory_it_denies_and_recovers),
        cmocka_unit_test(open_fails_clean_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
