/*
 * A thief with everything that pdpd has, its CURVE key and its beacon key, against a real libpep:
 * row 1 of the table of thefts. It answers in time, with right nonces and right signatures, and
 * lies about the content. Whatever it tries, the client goes on deciding by the version that it
 * runs, and takes the next honest one.
 */
#include "pdpd_kit.h"

#include "pep/core/sign.h"
#include "pep/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS  15000
#define ENDLESS_PART (4 * 1024 * 1024 - 64)
#define ENDLESS      400 /* parts: 1.6 GB */

/* A version as the thief would offer it. */
struct offer {
    struct pep_buffer bytes;
    struct pep_head head;
    struct fixture_file files[3];
    size_t count;
};

struct thief {
    struct fixture keys;
    void *context, *router, *xpub;
    char public_key[KIT_KEY], secret_key[KIT_KEY];
    char fetch[PEP_ENDPOINT_MAX + 1], notices[PEP_ENDPOINT_MAX + 1];
    char folder[64];
    struct pep_curve_key client_key;
    uint64_t seq;
    struct offer first; /* what runs */
    pep *client;
    unsigned answered;
    struct pep_buffer recorded; /* an answer of long ago */
};

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- offers ---- */

static struct offer make_offer(const struct thief *t, const struct pep_manifest_draft *draft,
                               const char *signer, const char *note)
{
    static unsigned number; /* no two alike: what was dealt with once is no news */
    char text[64];
    struct offer o = {.count = 3};
    struct pep_private_key *key = fixture_key(signer);
    (void)t;
    snprintf(text, sizeof(text), "{\"note\": \"%s %u\"}\n", note, number++);
    o.files[0] = fixture_small_bundle[0];
    o.files[1] = fixture_small_bundle[1];
    o.files[2] = (struct fixture_file){"data/note.json", strdup(text)};
    o.bytes = fixture_sign_bundle(key, draft, o.files, o.count);
    o.head.epoch = draft->epoch;
    o.head.version = draft->version;
    kit_digest(pep_buffer_span(&o.bytes), o.head.digest);
    pep_private_key_free(key);
    return o;
}

static void free_offer(struct offer *o)
{
    free((char *)(uintptr_t)o->files[2].content);
    pep_buffer_free(&o->bytes);
}

static struct pep_span manifest_of(const struct offer *o)
{
    const uint8_t *line = memchr(o->bytes.data, '\n', o->bytes.size);
    return pep_span_of(o->bytes.data, (size_t)(line - o->bytes.data));
}

/* ---- what the thief says ---- */

static void say(const struct thief *t, struct pep_span route, const struct pep_span *frames,
                size_t count)
{
    zmq_send(t->router, route.data, route.size, ZMQ_SNDMORE);
    kit_send(t->router, frames, count);
}

static struct pep_buffer signed_answer(struct thief *t, const struct pep_fetch *f,
                                       const struct offer *o, struct pep_answer a)
{
    struct pep_buffer body = pep_buffer_of(4096), out = pep_buffer_of(4096);
    memcpy(a.nonce, f->nonce, sizeof(a.nonce));
    snprintf(a.bundle, sizeof(a.bundle), "acme");
    snprintf(a.channel, sizeof(a.channel), "main");
    a.seq = t->seq;
    a.issued_at = now_ms();
    a.head = o->head;
    pep_answer_write(&a, &body);
    assert_int_equal(
        pep_compact_sign(PEP_TYPE_ANSWER, pep_buffer_span(&body), t->keys.beacon_key, &out), 0);
    pep_buffer_free(&body);
    return out;
}

static void say_same(struct thief *t, struct pep_span route, const struct pep_fetch *f)
{
    struct pep_answer a = {.kind = PEP_ANSWER_SAME, .root = 1};
    struct pep_buffer answer = signed_answer(t, f, &t->first, a);
    struct pep_span frames[2] = {pep_buffer_span(&answer), pep_span_of("", 0)};
    say(t, route, frames, 2);
    pep_buffer_free(&answer);
}

/* The version with all its files; `spoil` changes the last file's bytes but not its hash. */
static void say_version(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                        const struct offer *o, bool spoil)
{
    struct pep_answer a = {.kind = PEP_ANSWER_VERSION, .root = 1, .files = (uint16_t)o->count};
    struct pep_buffer answer = signed_answer(t, f, o, a), files[3];
    struct pep_span frames[5] = {pep_buffer_span(&answer), manifest_of(o)};
    for (size_t i = 0; i < o->count; i++) {
        struct pep_file_frame m = {.content = pep_span_string(o->files[i].content)};
        memcpy(m.nonce, f->nonce, sizeof(m.nonce));
        assert_int_equal(pep_sha256(m.content, m.hash), 0);
        files[i] = pep_buffer_of(PEP_REPLY_MAX);
        pep_file_write(&m, &files[i]);
        if (spoil && i == 2)
            files[i].data[files[i].size - 4] ^= 1;
        frames[2 + i] = pep_buffer_span(&files[i]);
    }
    say(t, route, frames, 5);
    if (t->recorded.data == NULL)
        t->recorded = answer;
    else
        pep_buffer_free(&answer);
    for (size_t i = 0; i < o->count; i++)
        pep_buffer_free(&files[i]);
}

/* ---- the lies ---- */

struct lie {
    const char *name;
    int error; /* what the client notes down; PEP_OK: nothing */
    struct offer (*offer)(const struct thief *t);
    void (*tell)(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                 const struct offer *o);
};

static struct offer older(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(4);
    return make_offer(t, &d, "policy", "older");
}
static struct offer same_number(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(5);
    return make_offer(t, &d, "policy", "other content");
}
static struct offer foreign(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(9);
    d.name = "globex";
    return make_offer(t, &d, "policy", "foreign");
}
static struct offer by_stranger(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    return make_offer(t, &d, "stranger", "unsigned");
}
static struct offer by_beacon(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    return make_offer(t, &d, "beacon", "by the wrong role");
}
static struct offer past(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    d.expires = FIXTURE_NOW;
    return make_offer(t, &d, "policy", "expired");
}
static struct offer other_epoch(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    d.epoch = 2;
    return make_offer(t, &d, "policy", "another epoch");
}
static struct offer fast_forward(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(PEP_VERSION_MAX);
    return make_offer(t, &d, "stranger", "fast forward");
}
static struct offer next(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    return make_offer(t, &d, "policy", "next");
}

static void plainly(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                    const struct offer *o)
{
    say_version(t, route, f, o, false);
}

static void spoiled(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                    const struct offer *o)
{
    say_version(t, route, f, o, true);
}

/* The manifest is good, but signed for nobody's answer: the answer names another one. */
static void mixed(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                  const struct offer *o)
{
    struct pep_answer a = {.kind = PEP_ANSWER_VERSION, .root = 1};
    struct pep_buffer answer = signed_answer(t, f, o, a);
    struct pep_span frames[2] = {pep_buffer_span(&answer), manifest_of(&t->first)};
    say(t, route, frames, 2);
    pep_buffer_free(&answer);
}

/* Root document 2, signed by keys of the thief's own. */
static void forked(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                   const struct offer *o)
{
    struct pep_private_key *stranger = fixture_key("stranger");
    const struct pep_private_key *signers[2] = {stranger, t->keys.beacon_key};
    struct pep_root_draft draft = fixture_root_draft(&t->keys);
    draft.version = 2;
    draft.keys[0].key = *pep_private_key_public(stranger);
    draft.keys[1].key = *pep_private_key_public(stranger);
    draft.keys[0].roles[PEP_ROLE_POLICY] = true;
    draft.key_count = 3;
    draft.keys[1].roles[PEP_ROLE_POLICY] = false;
    draft.keys[1].key = *pep_private_key_public(t->keys.policy_key);
    draft.keys[1].roles[PEP_ROLE_POLICY] = true;
    struct pep_buffer root = fixture_sign_root(&draft, signers, 2);
    struct pep_answer a = {.kind = PEP_ANSWER_VERSION, .root = 2, .roots = 1};
    struct pep_buffer answer = signed_answer(t, f, o, a);
    struct pep_span frames[3] = {pep_buffer_span(&answer), manifest_of(o), pep_buffer_span(&root)};
    say(t, route, frames, 3);
    pep_buffer_free(&answer);
    pep_buffer_free(&root);
    pep_private_key_free(stranger);
}

/* What was true once, and is not an answer to this question. */
static void replayed(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                     const struct offer *o)
{
    struct pep_span frames[2] = {pep_buffer_span(&t->recorded), manifest_of(o)};
    say(t, route, frames, 2);
    say_same(t, route, f);
}

static void say_statement(struct thief *t, struct pep_span route, const char *key,
                          const struct pep_private_key *signer)
{
    struct pep_statement m = {.kind = PEP_STATEMENT_REVOKED, .seq = 1000, .issued_at = now_ms()};
    struct pep_buffer body = pep_buffer_of(4096), out = pep_buffer_of(4096);
    snprintf(m.client_key, sizeof(m.client_key), "%s", key);
    snprintf(m.client, sizeof(m.client), "billing/1");
    pep_statement_write(&m, &body);
    assert_int_equal(pep_compact_sign(PEP_TYPE_STATEMENT, pep_buffer_span(&body), signer, &out), 0);
    struct pep_span span = pep_buffer_span(&out);
    say(t, route, &span, 1);
    pep_buffer_free(&body);
    pep_buffer_free(&out);
}

/* Statements about somebody else, and about this client by somebody else. */
static void others_statements(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                              const struct offer *o)
{
    (void)o;
    say_statement(t, route, t->public_key, t->keys.beacon_key);
    say_statement(t, route, t->client_key.public_key, t->keys.policy_key);
    say_same(t, route, f);
}

/* One message of more bytes than the host has to spare, each part within the limits. */
static void endless(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                    const struct offer *o)
{
    zmq_msg_t part;
    (void)f;
    (void)o;
    zmq_msg_init_size(&part, ENDLESS_PART);
    memset(zmq_msg_data(&part), 0, ENDLESS_PART);
    zmq_send(t->router, route.data, route.size, ZMQ_SNDMORE);
    for (int i = 0; i < ENDLESS; i++) { /* all of them share their bytes here */
        zmq_msg_t again;
        zmq_msg_init(&again);
        zmq_msg_copy(&again, &part);
        zmq_msg_send(&again, t->router, i + 1 < ENDLESS ? ZMQ_SNDMORE : 0);
    }
    zmq_msg_close(&part);
}

static const struct lie lies[] = {
    {"an older version", PEP_EROLLBACK, older, plainly},
    {"the same number, other content", PEP_EROLLBACK, same_number, plainly},
    {"another bundle", PEP_EFORMAT, foreign, plainly},
    {"signed by nobody that counts", PEP_ESIGNATURE, by_stranger, plainly},
    {"signed by the beacon key", PEP_ESIGNATURE, by_beacon, plainly},
    {"expired", PEP_EEXPIRED, past, plainly},
    {"of another epoch", PEP_ESIGNATURE, other_epoch, plainly},
    {"the highest number", PEP_ESIGNATURE, fast_forward, plainly},
    {"a file that is not what its hash says", PEP_EFORMAT, next, spoiled},
    {"another manifest than the answer's", PEP_EFORMAT, next, mixed},
    {"a fork of the root chain", PEP_ESIGNATURE, next, forked},
    {"an answer to another question", PEP_OK, older, replayed},
    {"statements that are not about it", PEP_OK, older, others_statements},
    {"a message without end", PEP_ELIMIT, next, endless},
};

/* ---- serving ---- */

static void publish(struct thief *t, const struct offer *o)
{
    struct pep_notice n = {.root = 1, .seq = ++t->seq, .issued_at = now_ms(), .head = o->head};
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
            say_version(t, route, &f, o, false);
        else
            say_same(t, route, &f);
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
    int64_t until = now_ms() + PATIENCE_MS, notice = 0;
    unsigned before = t->answered;
    pep_status s = status(t);
    while (t->answered == before || s.state != PEP_FRESH || s.version != o->head.version) {
        if (now_ms() >= until)
            fprintf(stderr, "the client is %s, version %d, and says: %s\n", pep_state_name(s.state),
                    (int)s.version, s.last_error_text);
        assert_true(now_ms() < until);
        if (now_ms() >= notice) {
            publish(t, o);
            notice = now_ms() + 200;
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
    t->first = make_offer(t, &draft, "policy", "first");
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
    free_offer(&t->first);
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
    int64_t until = now_ms() + PATIENCE_MS, notice = 0;
    unsigned before = t->answered;
    long most = memory();
    while (t->answered == before) {
        assert_true(now_ms() < until);
        if (now_ms() >= notice) {
            publish(t, o);
            notice = now_ms() + 200;
        }
        serve(t, lie, o, 20);
    }
    until = now_ms() + PATIENCE_MS;
    int64_t quiet = now_ms() + 150;
    while (now_ms() < quiet || (lie->error != PEP_OK && status(t).last_error != lie->error)) {
        long now = memory();
        most = now > most ? now : most;
        if (now_ms() >= until) {
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
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct offer o = lies[i].offer(t);
        long before = memory();
        long most = tell(t, &lies[i], &o);
        pep_status s = status(t);
        if (s.version != 5 || strcmp(s.digest, digest) != 0 || s.state != PEP_FRESH)
            fprintf(stderr, "%s: version %d, %s\n", lies[i].name, (int)s.version,
                    pep_state_name(s.state));
        assert_int_equal(s.version, 5);
        assert_string_equal(s.digest, digest);
        assert_int_equal(s.state, PEP_FRESH);
        assert_in_range(most - before, 0, 700 * 1024);
        free_offer(&o);
        if (lies[i].error != PEP_OK)
            settle(t, &t->first);
    }
    /* The honest neighbour of all of them. */
    struct offer good = make_offer(t, &draft, "policy", "good");
    settle(t, &good);
    pep_digest_text(good.head.digest, digest);
    assert_string_equal(status(t).digest, digest);
    free_offer(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_lie_about_content_is_believed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
