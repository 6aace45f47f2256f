/*
 * A thief with everything that pdpd has, its CURVE key and its beacon key, against a real libpep:
 * row 1 of the table of thefts. It answers in time, with right nonces and right signatures, and
 * lies about the content. Whatever it tries, the client goes on deciding by the version that it
 * runs, and takes the next honest one.
 */
#include "thief.h"

#include "pep/core/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 15000

/* ---- serving ---- */

static void publish(struct thief *t, const struct offer *o)
{
    struct pep_notice n = {
        .root = 1, .seq = ++t->seq, .issued_at = thief_now_ms(), .head = o->head};
    struct pep_buffer body = pep_buffer_of(PEP_NOTICE_MAX), out = pep_buffer_of(PEP_NOTICE_MAX);
    snprintf(n.bundle, sizeof(n.bundle), "acme");
    snprintf(n.channel, sizeof(n.channel), "main");
    pep_notice_write(&n, &body);
    assert_int_equal(
        pep_compact_sign(PEP_TYPE_NOTICE, pep_buffer_span(&body), t->keys.beacon_key, &out), 0);
    struct pep_span frames[2] = {pep_span_of("acme", 5), pep_buffer_span(&out)};
    kit_send(t->xpub, frames, 2);
    pep_buffer_free(&body);
    pep_buffer_free(&out);
}

/* Answers what has come within `ms`, by this lie or (NULL) honestly. */
static void serve(struct thief *t, const struct lie *lie, const struct offer *o, long ms)
{
    struct kit_message m;
    struct pep_fetch f;
    while (kit_receive(t->xpub, 0, &m))
        kit_clear(&m);
    if (!kit_receive(t->router, ms, &m))
        return;
    if (m.count == 2 && pep_fetch_read(pep_buffer_span(&m.frames[1]), &f) == 0) {
        struct pep_span route = pep_buffer_span(&m.frames[0]);
        t->answered++;
        if (lie != NULL)
            lie->tell(t, route, &f, o);
        else if (memcmp(f.have.digest, o->head.digest, sizeof(f.have.digest)) != 0)
            thief_say_version(t, route, &f, o, false);
        else
            thief_say_same(t, route, &f);
    }
    kit_clear(&m);
}

static pep_status status(const struct thief *t)
{
    pep_status s = PEP_STATUS_INIT;
    pep_get_status(t->client, &s);
    return s;
}

/* Honest until the client runs this version and has proof of it. */
static void settle(struct thief *t, const struct offer *o)
{
    int64_t until = thief_now_ms() + PATIENCE_MS, notice = 0;
    unsigned before = t->answered;
    pep_status s = status(t);
    while (t->answered == before || s.state != PEP_FRESH || s.version != o->head.version) {
        if (thief_now_ms() >= until)
            fprintf(stderr, "the client is %s, version %d, and says: %s\n", pep_state_name(s.state),
                    (int)s.version, s.last_error_text);
        assert_true(thief_now_ms() < until);
        if (thief_now_ms() >= notice) {
            publish(t, o);
            notice = thief_now_ms() + 200;
        }
        serve(t, NULL, o, 20);
        s = status(t);
    }
}

static long memory(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- life ---- */

static void *bind_socket(struct thief *t, int type, char endpoint[PEP_ENDPOINT_MAX + 1])
{
    int on = 1, zero = 0;
    size_t size = PEP_ENDPOINT_MAX + 1;
    void *s = zmq_socket(t->context, type);
    assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_SERVER, &on, sizeof(on)), 0);
    assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, t->secret_key, KIT_KEY), 0);
    assert_int_equal(zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof(zero)), 0);
    assert_int_equal(zmq_bind(s, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    return s;
}

static void write_identity(struct thief *t)
{
    struct pep_identity id = {.client = "billing/1", .bundle = "acme", .endpoint_count = 1};
    struct pep_root_draft draft = fixture_root_draft(&t->keys);
    const struct pep_private_key *signer = t->keys.root_key;
    memcpy(draft.servers[0], t->public_key, KIT_KEY);
    struct pep_buffer envelope = fixture_sign_root(&draft, &signer, 1);
    assert_int_equal(pep_root_open(pep_buffer_span(&envelope), NULL, &id.root, NULL), 0);
    snprintf(id.installation, sizeof(id.installation), "%s", pep_root_installation(id.root));
    memcpy(id.server_key, t->public_key, KIT_KEY);
    memcpy(id.notices[0], t->notices, sizeof(t->notices));
    memcpy(id.fetch[0], t->fetch, sizeof(t->fetch));
    assert_int_equal(zmq_curve_keypair(t->client_key.public_key, t->client_key.secret_key), 0);
    assert_int_equal(pep_curve_key_write(t->folder, &t->client_key, NULL), 0);
    assert_int_equal(pep_identity_write(t->folder, &id, NULL), 0);
    pep_root_free(id.root);
    pep_buffer_free(&envelope);
}

static int set_up(void **state)
{
    struct thief *t = calloc(1, sizeof(*t));
    struct pep_manifest_draft draft = fixture_manifest_draft(5);
    pep_options options = PEP_OPTIONS_INIT;
    t->keys = fixture_new();
    t->context = zmq_ctx_new();
    assert_int_equal(zmq_curve_keypair(t->public_key, t->secret_key), 0);
    t->router = bind_socket(t, ZMQ_ROUTER, t->fetch);
    t->xpub = bind_socket(t, ZMQ_XPUB, t->notices);
    snprintf(t->folder, sizeof(t->folder), "/tmp/pep-stolen-XXXXXX");
    assert_non_null(mkdtemp(t->folder));
    write_identity(t);
    t->first = thief_offer(t, &draft, "policy", "first");
    options.identity = t->folder;
    options.lua_states = 1;
    assert_int_equal(pep_open(&options, &t->client), PEP_OK);
    settle(t, &t->first);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct thief *t = *state;
    char command[128];
    pep_close(t->client);
    zmq_close(t->router);
    zmq_close(t->xpub);
    zmq_ctx_term(t->context);
    thief_offer_free(&t->first);
    pep_buffer_free(&t->recorded);
    fixture_free(&t->keys);
    snprintf(command, sizeof(command), "rm -rf '%s'", t->folder);
    assert_int_equal(system(command), 0);
    free(t);
    return 0;
}

/* ---- the tests ---- */

/* Tells the lie once, then looks whether anything came of it; the highest memory meanwhile. */
static long tell(struct thief *t, const struct lie *lie, const struct offer *o)
{
    int64_t until = thief_now_ms() + PATIENCE_MS, notice = 0;
    unsigned before = t->answered;
    long most = memory();
    while (t->answered == before) {
        assert_true(thief_now_ms() < until);
        if (thief_now_ms() >= notice) {
            publish(t, o);
            notice = thief_now_ms() + 200;
        }
        serve(t, lie, o, 20);
    }
    until = thief_now_ms() + PATIENCE_MS;
    int64_t quiet = thief_now_ms() + 150;
    while (thief_now_ms() < quiet || (lie->error != PEP_OK && status(t).last_error != lie->error)) {
        long now = memory();
        most = now > most ? now : most;
        if (thief_now_ms() >= until) {
            fprintf(stderr, "%s: the client says: %s\n", lie->name, status(t).last_error_text);
            fail();
        }
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    return most;
}

static void no_lie_about_content_is_believed(void **state)
{
    struct thief *t = *state;
    char digest[PEP_DIGEST_TEXT];
    struct pep_manifest_draft draft = fixture_manifest_draft(6);
    pep_digest_text(t->first.head.digest, digest);
    for (size_t i = 0; i < thief_lie_count; i++) {
        struct offer o = thief_lies[i].offer(t);
        long before = memory();
        long most = tell(t, &thief_lies[i], &o);
        pep_status s = status(t);
        if (s.version != 5 || strcmp(s.digest, digest) != 0 || s.state != PEP_FRESH)
            fprintf(stderr, "%s: version %d, %s\n", thief_lies[i].name, (int)s.version,
                    pep_state_name(s.state));
        assert_int_equal(s.version, 5);
        assert_string_equal(s.digest, digest);
        assert_int_equal(s.state, PEP_FRESH);
        assert_in_range(most - before, 0, 700 * 1024);
        thief_offer_free(&o);
        if (thief_lies[i].error != PEP_OK)
            settle(t, &t->first);
    }
    /* The honest neighbour of all of them. */
    struct offer good = thief_offer(t, &draft, "policy", "good");
    settle(t, &good);
    pep_digest_text(good.head.digest, digest);
    assert_string_equal(status(t).digest, digest);
    thief_offer_free(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_lie_about_content_is_believed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
