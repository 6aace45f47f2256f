/* PEP_FILE: what is opened, what is read again, and what never displaces a running policy. */
#include "tests/support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char allowing[] = "allow 'doc.read' { action = 'read', resource = 'doc' }\n";
static const char denying[] = "deny 'doc.no' { action = 'read', resource = 'doc' }\n";

static struct scene world;
static char *token;

static int set_up(void **unused)
{
    (void)unused;
    world = scene_new();
    token = scene_token(&world, "{\"sub\": \"ann\"}");
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    free(token);
    scene_free(&world);
    return 0;
}

static void not_opened(pep_err expected, const char *word)
{
    pep_options o = scene_options(&world);
    pep *p = (pep *)&o;
    pep_err r = pep_open(&o, &p);
    if (r != expected || strstr(pep_open_error(), word) == NULL)
        fail_msg("%d: %s", r, pep_open_error());
    assert_ptr_equal(p, (pep *)&o);
}

static void open_names_what_is_wrong(void **unused)
{
    (void)unused;
    not_opened(PEP_ENOTFOUND, "acme.bundle");
    scene_write(world.bundle_file, pep_span_string("{}\n"));
    not_opened(PEP_EFORMAT, "acme.bundle");
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    struct pep_buffer bytes = scene_bundle(&world, &draft, allowing, NULL, 0);
    struct pep_span all = pep_buffer_span(&bytes);
    scene_write(world.bundle_file, pep_span_of(all.data, all.size - 1));
    not_opened(PEP_EFORMAT, "acme.bundle");
    pep_buffer_free(&bytes);
    /* The beacon key may not sign policies. */
    struct fixture_file file = {"policies/a.lua", allowing};
    bytes = fixture_sign_bundle(world.fixture.beacon_key, &draft, &file, 1);
    scene_write(world.bundle_file, pep_buffer_span(&bytes));
    not_opened(PEP_ESIGNATURE, "acme.bundle");
    pep_buffer_free(&bytes);
    scene_put_version(&world, 1, "allow 'x' {");
    not_opened(PEP_EPOLICY, "all.lua");
    pep *p = NULL;
    assert_int_equal(pep_open(NULL, &p), PEP_EINVAL);
    pep_options o = scene_options(&world);
    assert_int_equal(pep_open(&o, NULL), PEP_EINVAL);
}

static void an_expired_bundle_denies(void **unused)
{
    (void)unused;
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    draft.expires = draft.created + 60;
    scene_put(&world, &draft, allowing);
    pep *p = scene_open(&world);
    pep_decision d = PEP_DECISION_INIT;
    pep_status s = PEP_STATUS_INIT;
    assert_false(pep_allow(p, token, "read", "doc:1"));
    assert_false(pep_check(p, token, "read", "doc:1", NULL, &d));
    assert_int_equal(d.code, PEP_CODE_EXPIRED);
    pep_get_status(p, &s);
    assert_int_equal(s.state, PEP_EXPIRED);
    assert_true(s.expires_in_s < 0);
    /* A good version after it is taken. */
    scene_put_version(&world, 2, allowing);
    assert_int_equal(pep_refresh(p, 5000), PEP_OK);
    assert_true(pep_allow(p, token, "read", "doc:1"));
    pep_close(p);
}

static void it_expires_while_it_runs(void **unused)
{
    (void)unused;
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    draft.expires = (int64_t)time(NULL) + 2;
    scene_put(&world, &draft, allowing);
    pep *p = scene_open(&world);
    assert_true(pep_allow(p, token, "read", "doc:1"));
    sleep(3);
    assert_false(pep_allow(p, token, "read", "doc:1"));
    pep_close(p);
}

static bool becomes(pep *p, bool expected)
{
    for (int i = 0; i < 500; i++) {
        if (pep_allow(p, token, "read", "doc:1") == expected)
            return true;
        usleep(10000);
    }
    return false;
}

static void a_rename_is_noticed(void **unused)
{
    (void)unused;
    scene_put_version(&world, 1, allowing);
    pep *p = scene_open(&world);
    assert_true(pep_allow(p, token, "read", "doc:1"));
    scene_put_version(&world, 2, denying);
    assert_true(becomes(p, false));
    scene_put_version(&world, 3, allowing);
    assert_true(becomes(p, true));
    pep_close(p);
}

static void refused_on_refresh(pep *p, pep_err expected)
{
    pep_status s = PEP_STATUS_INIT;
    assert_int_equal(pep_refresh(p, 5000), expected);
    assert_true(pep_allow(p, token, "read", "doc:1"));
    pep_get_status(p, &s);
    assert_int_equal(s.version, 5);
    assert_int_equal(s.last_error, expected);
    assert_true(s.last_error_text[0] != '\0');
}

static void what_fails_leaves_the_running_policy_alone(void **unused)
{
    (void)unused;
    scene_put_version(&world, 5, allowing);
    pep *p = scene_open(&world);
    scene_put_version(&world, 4, denying);
    refused_on_refresh(p, PEP_EROLLBACK);
    scene_put_version(&world, 5, denying);
    refused_on_refresh(p, PEP_EROLLBACK);
    scene_put_version(&world, 6, "allow 'x' {");
    refused_on_refresh(p, PEP_EPOLICY);
    scene_write(world.bundle_file, pep_span_string("x"));
    refused_on_refresh(p, PEP_EFORMAT);
    unlink(world.bundle_file);
    refused_on_refresh(p, PEP_ENOTFOUND);
    struct pep_manifest_draft draft = fixture_manifest_draft(6);
    draft.name = "other";
    scene_put(&world, &draft, denying);
    refused_on_refresh(p, PEP_ECONFLICT);
    draft = fixture_manifest_draft(6);
    draft.expires = draft.created + 60;
    scene_put(&world, &draft, denying);
    refused_on_refresh(p, PEP_EEXPIRED);
    /* And a good one is still taken after all that; the last error stays to be read. */
    scene_put_version(&world, 6, denying);
    assert_int_equal(pep_refresh(p, 5000), PEP_OK);
    assert_false(pep_allow(p, token, "read", "doc:1"));
    pep_status s = PEP_STATUS_INIT;
    pep_get_status(p, &s);
    assert_int_equal(s.version, 6);
    assert_int_equal(s.last_error, PEP_EEXPIRED);
    pep_close(p);
}

static void a_new_root_must_continue_the_old_one(void **unused)
{
    (void)unused;
    scene_put_version(&world, 1, allowing);
    pep *p = scene_open(&world);
    struct pep_root_draft draft = fixture_root_draft(&world.fixture);
    const struct pep_private_key *signer = world.fixture.root_key;
    draft.version = 2;
    memset(draft.installation, 'f', 32);
    struct pep_buffer other = fixture_sign_root(&draft, &signer, 1);
    scene_write(world.root_file, pep_buffer_span(&other));
    assert_int_equal(pep_refresh(p, 5000), PEP_EROLLBACK);
    pep_buffer_free(&other);
    draft = fixture_root_draft(&world.fixture);
    draft.version = 2;
    struct pep_buffer next = fixture_sign_root(&draft, &signer, 1);
    scene_write(world.root_file, pep_buffer_span(&next));
    assert_int_equal(pep_refresh(p, 5000), PEP_OK);
    pep_buffer_free(&next);
    /* Back to version 1: refused. */
    scene_write(world.root_file, pep_root_envelope(world.fixture.root));
    assert_int_equal(pep_refresh(p, 5000), PEP_EROLLBACK);
    assert_true(pep_allow(p, token, "read", "doc:1"));
    pep_close(p);
}

struct told {
    atomic_uint calls, fresh, closed, logs;
    atomic_ullong version;
};

static void on_status(void *user, const pep_status *s)
{
    struct told *t = user;
    atomic_fetch_add(&t->calls, 1);
    if (s->state == PEP_FRESH)
        atomic_fetch_add(&t->fresh, 1);
    if (s->state == PEP_CLOSED)
        atomic_fetch_add(&t->closed, 1);
    atomic_store(&t->version, s->version);
}

static void on_log(void *user, int level, const char *text)
{
    struct told *t = user;
    (void)level;
    (void)text;
    atomic_fetch_add(&t->logs, 1);
}

static void changes_are_told(void **unused)
{
    (void)unused;
    static struct told t;
    scene_put_version(&world, 1, allowing);
    pep_options o = scene_options(&world);
    o.on_status = on_status;
    o.on_log = on_log;
    o.user = &t;
    pep *p;
    assert_int_equal(pep_open(&o, &p), PEP_OK);
    for (int i = 0; i < 300 && atomic_load(&t.fresh) == 0; i++)
        usleep(10000);
    assert_int_equal(atomic_load(&t.fresh), 1);
    scene_put_version(&world, 2, allowing);
    for (int i = 0; i < 300 && atomic_load(&t.version) != 2; i++)
        usleep(10000);
    assert_int_equal(atomic_load(&t.version), 2);
    scene_write(world.bundle_file, pep_span_string("x"));
    assert_int_equal(pep_refresh(p, 5000), PEP_EFORMAT);
    assert_int_equal(pep_refresh(p, 5000), PEP_EFORMAT);
    pep_close(p);
    assert_int_equal(atomic_load(&t.logs), 1); /* the same text once */
    assert_int_equal(atomic_load(&t.closed), 1);
}

static void waiting(void **unused)
{
    (void)unused;
    scene_put_version(&world, 1, allowing);
    pep *p = scene_open(&world);
    assert_int_equal(pep_wait_ready(p, 0), PEP_OK);
    assert_int_equal(pep_wait_ready(NULL, 0), PEP_EINVAL);
    assert_int_equal(pep_refresh(NULL, 0), PEP_EINVAL);
    assert_int_equal(pep_after_fork(p), PEP_ESTATE);
    assert_int_equal(pep_after_fork(NULL), PEP_EINVAL);
    pep_close(p);
    pep_close(NULL);
}

int main(void)
{
#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SCENE(open_names_what_is_wrong),
        WITH_SCENE(an_expired_bundle_denies),
        WITH_SCENE(it_expires_while_it_runs),
        WITH_SCENE(a_rename_is_noticed),
        WITH_SCENE(what_fails_leaves_the_running_policy_alone),
        WITH_SCENE(a_new_root_must_continue_the_old_one),
        WITH_SCENE(changes_are_told),
        WITH_SCENE(waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
