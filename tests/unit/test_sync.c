/*
 * The client's state machine, told as stories: each is a table of events at times, and of what the
 * machine must ask for and be in afterwards. No socket, no clock, no sleeping; all signatures are
 * real. A `world` is the server's side: it makes answers, files, notices and statements.
 */
#include "pep/sync.h"
#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT_KEY "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define OTHER_KEY  "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define START_MS   (FIXTURE_NOW * 1000)
#define BOOT_MS    5000000
#define POLL_MS    15000

/* ---- the world ---- */

enum op {
    TICK,
    UP,
    DOWN,
    REFUSED_LINK,
    REFRESH,
    SAME,     /* answer: you run it */
    VERSION,  /* answer: run version v; its new file comes by WANT, or inside with INLINE */
    NONE,     /* answer: nothing for you */
    DENIED,   /* REFUSED */
    FILES,    /* all files of the last WANT */
    BAD_FILE, /* one of them with other bytes */
    ACTIVATED,
    REJECTED,
    NOTICE,     /* "v is the head" */
    REPLAY,     /* the very bytes of the last notice again */
    OLD_NOTICE, /* well signed, with a lower sequence */
    STATE_REVOKED,
    STATE_SUSPENDED,
    STATE_RESUMED,
    CLOCK, /* the wall clock is set forward by v milliseconds */
};

enum twist {
    PLAIN = 0,
    INLINE = 1,
    WRONG_NONCE = 2,
    WRONG_KEY = 4,     /* signed by a key that is no beacon (or no policy) key */
    OTHER_CONTENT = 8, /* the same version with other files */
    PROVISIONAL = 16,
    PAST = 32,       /* an expired manifest */
    OTHER_NAME = 64, /* a manifest of another bundle */
    OTHER_EPOCH = 128,
    SERVER_FLOOR = 256, /* the answer's floor is above its version */
    OLD_SEQ = 512,      /* statements: a sequence that was used before */
    ABOUT_OTHER = 1024, /* statements: another client's key */
    FORGED_MANIFEST = 2048,
    NEXT_ROOT = 4096,   /* a new root document comes along */
    LATE_NOTICE = 8192, /* made `v2` ms before it arrives */
    CANARY = 16384,     /* another channel */
};

struct step {
    int64_t at; /* ms after the start */
    enum op op;
    uint64_t v;
    unsigned twist;
    const char *actions;
    enum pep_sync_phase phase;
};

struct world {
    struct fixture f;
    struct pep_private_key *other;
    struct pep_sync *sync;
    struct pep_moment now;
    int64_t wall_shift;
    uint64_t seq, statement_seq;
    struct pep_buffer last_notice;
    struct pep_buffer root2;
    bool rooted;
    unsigned last_twist;
    uint64_t last_version;
    char log[512];
};

static uint8_t chance;

static int fixed_random(void *out, size_t size)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++)
        bytes[i] = chance++;
    return PEP_OK;
}

static void world_open(struct world *w, const struct pep_memory *memory, uint64_t running)
{
    static const struct pep_memory fresh;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root *root = NULL;
    struct pep_bundle *bundle = NULL;
    memset(w, 0, sizeof(*w));
    chance = 0;
    w->f = fixture_new();
    w->other = fixture_key("somebody else");
    w->now = (struct pep_moment){START_MS, BOOT_MS};
    w->seq = 100;
    assert_int_equal(pep_root_open(pep_root_envelope(w->f.root), NULL, &root, &err), PEP_OK);
    struct pep_sync_options o = {
        .bundle = "acme",
        .client_key = CLIENT_KEY,
        .library = "libpep test",
        .subscribe = true,
        .poll_ms = POLL_MS,
        .save_proof_ms = 30000,
        .random = fixed_random,
    };
    if (running > 0)
        bundle = fixture_bundle(&w->f, running, fixture_small_bundle, fixture_small_bundle_count);
    assert_int_equal(
        pep_sync_new(&o, root, bundle, NULL, memory == NULL ? &fresh : memory, &w->sync), PEP_OK);
}

static void world_close(struct world *w)
{
    pep_sync_free(w->sync);
    fixture_free(&w->f);
    pep_private_key_free(w->other);
    pep_buffer_free(&w->last_notice);
    pep_buffer_free(&w->root2);
}

/* The bytes of version v as a bundle file. Each version has one file of its own. */
static struct pep_buffer bundle_bytes(struct world *w, uint64_t v, unsigned twist)
{
    char text[64];
    struct pep_manifest_draft d = fixture_manifest_draft(v);
    snprintf(text, sizeof(text), "-- version %llu%s\n", (unsigned long long)v,
             (twist & OTHER_CONTENT) != 0 ? " again" : "");
    struct fixture_file files[] = {
        fixture_small_bundle[0], fixture_small_bundle[1], {"policies/version.lua", text}};
    d.provisional = (twist & PROVISIONAL) != 0;
    if (d.provisional)
        d.expires = d.created + 7 * 86400;
    if ((twist & PAST) != 0)
        d.expires = FIXTURE_NOW - 1;
    if ((twist & OTHER_NAME) != 0)
        d.name = "evil";
    if ((twist & OTHER_EPOCH) != 0)
        d.epoch = 2;
    return fixture_sign_bundle((twist & FORGED_MANIFEST) != 0 ? w->other : w->f.policy_key, &d,
                               files, 3);
}

struct opened {
    struct pep_buffer bytes;
    struct pep_span envelope;
    struct pep_manifest *manifest;
};

/* Opens it under the key that signed it, so that broken ones can be made too. */
static struct opened open_version(struct world *w, uint64_t v, unsigned twist)
{
    struct opened o = {bundle_bytes(w, v, twist), {NULL, 0}, NULL};
    struct pep_error err = PEP_ERROR_INIT;
    const uint8_t *lf = memchr(o.bytes.data, '\n', o.bytes.size);
    o.envelope = pep_span_of(o.bytes.data, (size_t)(lf - o.bytes.data));
    struct fixture f = w->f;
    struct pep_root *root = NULL;
    if ((twist & FORGED_MANIFEST) != 0)
        f.policy_key = w->other;
    struct pep_root_draft d = fixture_root_draft(&f);
    d.epoch = (twist & OTHER_EPOCH) != 0 ? 2 : 1;
    const struct pep_private_key *signer = f.root_key;
    struct pep_buffer envelope = fixture_sign_root(&d, &signer, 1);
    assert_int_equal(pep_root_open(pep_buffer_span(&envelope), NULL, &root, &err), PEP_OK);
    if (pep_manifest_open(o.envelope, root, FIXTURE_NOW, &o.manifest, &err) != PEP_OK)
        fail_msg("twist %u: %s", twist, err.text);
    pep_root_free(root);
    pep_buffer_free(&envelope);
    return o;
}

static void close_version(struct opened *o)
{
    pep_manifest_free(o->manifest);
    pep_buffer_free(&o->bytes);
}

static struct pep_head head_of(const struct pep_manifest *m)
{
    struct pep_head h = {pep_manifest_epoch(m), pep_manifest_version(m), {0}};
    memcpy(h.digest, pep_manifest_digest(m), sizeof(h.digest));
    return h;
}

static struct pep_span content_of(const struct opened *o, size_t i)
{
    const uint8_t *at = o->envelope.data + o->envelope.size + 1;
    for (size_t k = 0; k < i; k++)
        at += pep_manifest_at(o->manifest, k)->size;
    return pep_span_of(at, pep_manifest_at(o->manifest, i)->size);
}

/* ---- what the machine asks for, as words ---- */

static void drain(struct world *w)
{
    static const char *const names[] = {
        [PEP_ACTION_FETCH] = "FETCH",       [PEP_ACTION_WANT] = "WANT",
        [PEP_ACTION_ACTIVATE] = "ACTIVATE", [PEP_ACTION_STORE] = "STORE",
        [PEP_ACTION_SAVE] = "SAVE",         [PEP_ACTION_PROOF] = "PROOF",
        [PEP_ACTION_STATE] = "STATE",       [PEP_ACTION_ROTATE] = "ROTATE",
        [PEP_ACTION_HANGUP] = "HANGUP",     [PEP_ACTION_RESUBSCRIBE] = "RESUBSCRIBE",
        [PEP_ACTION_DONE] = "DONE",
    };
    struct pep_sync_action a;
    w->log[0] = '\0';
    while (pep_sync_next(w->sync, &a)) {
        size_t n = strlen(w->log);
        if (a.kind == PEP_ACTION_LOG)
            continue;
        snprintf(w->log + n, sizeof(w->log) - n, "%s%s", n == 0 ? "" : " ", names[a.kind]);
        if (a.kind == PEP_ACTION_DONE && a.code != PEP_OK) {
            n = strlen(w->log);
            snprintf(w->log + n, sizeof(w->log) - n, "%d", a.code);
            assert_true(a.text[0] != '\0'); /* each failure says why */
        }
    }
}

static void step_with(struct world *w, enum pep_sync_event_kind kind, const struct pep_span *frames,
                      size_t count)
{
    struct pep_sync_event e = {.kind = kind, .frames = frames, .count = count};
    pep_sync_step(w->sync, &e, w->now);
}

static void give(struct world *w, enum pep_sync_event_kind kind, struct pep_buffer *frame)
{
    struct pep_span span = pep_buffer_span(frame);
    assert_false(frame->failed);
    step_with(w, kind, &span, 1);
    pep_buffer_free(frame);
}

static struct pep_buffer sign(const char *type, struct pep_buffer *body,
                              const struct pep_private_key *key)
{
    struct pep_buffer out = pep_buffer_of(PEP_REQUEST_MAX);
    assert_int_equal(pep_compact_sign(type, pep_buffer_span(body), key, &out), PEP_OK);
    pep_buffer_free(body);
    return out;
}

static int64_t server_ms(const struct world *w)
{
    return w->now.boot_ms + 1000000000; /* its clock is far from ours */
}

static void make_root2(struct world *w)
{
    struct pep_root_draft d = fixture_root_draft(&w->f);
    const struct pep_private_key *signer = w->f.root_key;
    d.version = 2;
    d.keys[2].key = *pep_private_key_public(w->other); /* another beacon key */
    w->root2 = fixture_sign_root(&d, &signer, 1);
    w->rooted = true;
}

static void answer(struct world *w, enum op op, uint64_t v, unsigned twist)
{
    struct opened o = open_version(w, v == 0 ? 1 : v, twist);
    struct pep_answer a = {.kind = op == SAME   ? PEP_ANSWER_SAME
                                   : op == NONE ? PEP_ANSWER_NONE
                                                : PEP_ANSWER_VERSION};
    struct pep_span frames[8] = {{NULL, 0}};
    struct pep_buffer body = pep_buffer_of(4096), files[3];
    size_t count = 2;
    memcpy(a.nonce, pep_sync_fetch(w->sync)->nonce, sizeof(a.nonce));
    if ((twist & WRONG_NONCE) != 0)
        a.nonce[0] ^= 1;
    snprintf(a.bundle, sizeof(a.bundle), "acme");
    snprintf(a.channel, sizeof(a.channel), "main");
    a.seq = ++w->seq;
    a.issued_at = server_ms(w);
    if (op != NONE)
        a.head = op == SAME && v == 0 ? pep_sync_fetch(w->sync)->have : head_of(o.manifest);
    a.floor = (twist & SERVER_FLOOR) != 0 ? v + 1 : 0;
    if ((twist & NEXT_ROOT) != 0) {
        make_root2(w);
        frames[count++] = pep_buffer_span(&w->root2);
        a.roots = 1;
    }
    a.root = w->rooted ? 2 : 1;
    if (op == VERSION)
        frames[1] = o.envelope;
    for (size_t i = 0; (twist & INLINE) != 0 && i < 3; i++) {
        struct pep_file_frame f = {.content = content_of(&o, i)};
        memcpy(f.nonce, a.nonce, sizeof(f.nonce));
        memcpy(f.hash, pep_manifest_at(o.manifest, i)->sha256, sizeof(f.hash));
        files[i] = pep_buffer_of(PEP_REQUEST_MAX);
        pep_file_write(&f, &files[i]);
        frames[count++] = pep_buffer_span(&files[i]);
        a.files++;
    }
    pep_answer_write(&a, &body);
    const struct pep_private_key *key = w->rooted ? w->other : w->f.beacon_key;
    struct pep_buffer signed_answer =
        sign(PEP_TYPE_ANSWER, &body, (twist & WRONG_KEY) != 0 ? w->f.policy_key : key);
    frames[0] = pep_buffer_span(&signed_answer);
    step_with(w, PEP_EVENT_MESSAGE, frames, count);
    for (size_t i = 0; i < a.files; i++)
        pep_buffer_free(&files[i]);
    pep_buffer_free(&signed_answer);
    close_version(&o);
    w->last_twist = twist;
    w->last_version = v;
}

static void send_files(struct world *w, bool broken)
{
    const struct pep_want want = *pep_sync_want(w->sync);
    struct opened o = open_version(w, w->last_version, w->last_twist);
    uint8_t other[64] = "this is not the file";
    assert_true(want.count > 0);
    for (size_t k = 0; k < want.count; k++) {
        for (size_t i = 0; i < pep_manifest_count(o.manifest); i++) {
            const struct pep_manifest_file *m = pep_manifest_at(o.manifest, i);
            if (memcmp(m->sha256, want.hashes[k], PEP_SHA256_SIZE) != 0)
                continue;
            struct pep_file_frame f = {.content = content_of(&o, i)};
            memcpy(f.nonce, want.nonce, sizeof(f.nonce));
            memcpy(f.hash, m->sha256, sizeof(f.hash));
            if (broken)
                f.content = pep_span_of(other, m->size < sizeof(other) ? m->size : sizeof(other));
            struct pep_buffer frame = pep_buffer_of(PEP_REQUEST_MAX);
            pep_file_write(&f, &frame);
            give(w, PEP_EVENT_MESSAGE, &frame);
        }
    }
    close_version(&o);
}

static void give_notice(struct world *w, struct pep_span notice)
{
    struct pep_span frames[2] = {pep_span_of("acme", 5), notice};
    step_with(w, PEP_EVENT_NOTICE, frames, 2);
}

static void notice(struct world *w, enum op op, uint64_t v, unsigned twist)
{
    if (op == REPLAY) {
        give_notice(w, pep_buffer_span(&w->last_notice));
        return;
    }
    struct pep_notice n = {.root = w->rooted ? 2 : 1, .issued_at = server_ms(w)};
    struct pep_buffer body = pep_buffer_of(PEP_NOTICE_MAX);
    snprintf(n.bundle, sizeof(n.bundle), "acme");
    snprintf(n.channel, sizeof(n.channel), (twist & CANARY) != 0 ? "canary" : "main");
    n.seq = op == OLD_NOTICE ? 5 : ++w->seq;
    if ((twist & LATE_NOTICE) != 0)
        n.issued_at -= 3000;
    if (v == 0) {
        n.head = pep_sync_fetch(w->sync)->have;
        if (pep_sync_running(w->sync) != NULL)
            n.head = head_of(pep_bundle_manifest(pep_sync_running(w->sync)));
    } else {
        struct opened o = open_version(w, v, twist);
        n.head = head_of(o.manifest);
        close_version(&o);
    }
    pep_notice_write(&n, &body);
    const struct pep_private_key *key = w->rooted ? w->other : w->f.beacon_key;
    pep_buffer_free(&w->last_notice);
    w->last_notice = sign(PEP_TYPE_NOTICE, &body, (twist & WRONG_KEY) != 0 ? w->f.policy_key : key);
    give_notice(w, pep_buffer_span(&w->last_notice));
}

static void statement(struct world *w, enum op op, unsigned twist)
{
    struct pep_statement st = {.kind = (uint8_t)(op - STATE_REVOKED + PEP_STATEMENT_REVOKED)};
    struct pep_buffer body = pep_buffer_of(1024);
    snprintf(st.client_key, sizeof(st.client_key), "%s",
             (twist & ABOUT_OTHER) != 0 ? OTHER_KEY : CLIENT_KEY);
    snprintf(st.client, sizeof(st.client), "billing-api/1");
    st.seq = (twist & OLD_SEQ) != 0 ? w->statement_seq : ++w->statement_seq;
    st.issued_at = server_ms(w);
    pep_statement_write(&st, &body);
    struct pep_buffer out = sign(PEP_TYPE_STATEMENT, &body,
                                 (twist & WRONG_KEY) != 0 ? w->f.policy_key : w->f.beacon_key);
    give(w, PEP_EVENT_MESSAGE, &out);
}

static void refuse(struct world *w)
{
    struct pep_refused r = {.reference = "0123", .reason = "too many questions"};
    struct pep_buffer frame = pep_buffer_of(1024);
    memcpy(r.nonce, pep_sync_fetch(w->sync)->nonce, sizeof(r.nonce));
    pep_refused_write(&r, &frame);
    give(w, PEP_EVENT_MESSAGE, &frame);
}

static void reject(struct world *w)
{
    struct pep_error err = PEP_ERROR_INIT;
    pep_error_set(&err, PEP_EPOLICY, "policies/a.lua:3: no such thing");
    struct pep_sync_event e = {.kind = PEP_EVENT_REJECTED, .error = &err};
    pep_sync_step(w->sync, &e, w->now);
}

static void play_step(struct world *w, const struct step *s)
{
    w->now.boot_ms = BOOT_MS + s->at;
    w->now.wall_ms = START_MS + s->at + w->wall_shift;
    switch (s->op) {
    case SAME:
    case VERSION:
    case NONE:
        answer(w, s->op, s->v, s->twist);
        return;
    case NOTICE:
    case REPLAY:
    case OLD_NOTICE:
        notice(w, s->op, s->v, s->twist);
        return;
    case STATE_REVOKED:
    case STATE_SUSPENDED:
    case STATE_RESUMED:
        statement(w, s->op, s->twist);
        return;
    case FILES:
    case BAD_FILE:
        send_files(w, s->op == BAD_FILE);
        return;
    case DENIED:
        refuse(w);
        return;
    case REJECTED:
        reject(w);
        return;
    case CLOCK:
        w->wall_shift += (int64_t)s->v;
        w->now.wall_ms += (int64_t)s->v;
        step_with(w, PEP_EVENT_TICK, NULL, 0);
        return;
    default:
        break;
    }
    static const enum pep_sync_event_kind kinds[] = {
        [TICK] = PEP_EVENT_TICK,       [UP] = PEP_EVENT_LINK_UP,
        [DOWN] = PEP_EVENT_LINK_DOWN,  [REFUSED_LINK] = PEP_EVENT_LINK_REFUSED,
        [REFRESH] = PEP_EVENT_REFRESH, [ACTIVATED] = PEP_EVENT_ACTIVATED,
    };
    step_with(w, kinds[s->op], NULL, 0);
}

static void play(struct world *w, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        play_step(w, &steps[i]);
        drain(w);
        enum pep_sync_phase phase = pep_sync_phase(w->sync);
        if (strcmp(w->log, steps[i].actions) != 0 || phase != steps[i].phase)
            fail_msg("step %zu at %lld: \"%s\" in %s, expected \"%s\" in %s", i,
                     (long long)steps[i].at, w->log, pep_sync_phase_name(phase), steps[i].actions,
                     pep_sync_phase_name(steps[i].phase));
    }
}
#define PLAY(w, steps) play(w, steps, sizeof(steps) / sizeof((steps)[0]))

static uint64_t runs(const struct world *w)
{
    const struct pep_bundle *b = pep_sync_running(w->sync);
    return b == NULL ? 0 : pep_manifest_version(pep_bundle_manifest(b));
}

/* How long ago, in our time, the running version was last proved. */
static int64_t age(const struct world *w)
{
    return pep_moment_elapsed(&pep_sync_memory(w->sync)->proof, &w->now);
}

#define IDLE       PEP_SYNC_IDLE
#define ASKING     PEP_SYNC_ASKING
#define FILLING    PEP_SYNC_FILLING
#define ACTIVATING PEP_SYNC_ACTIVATING
#define WAITING    PEP_SYNC_WAITING

/* From nothing to version 5, at 40 ms; the report follows. */
#define JOIN                                                                                 \
    {0, TICK, 0, 0, "FETCH", ASKING}, {10, VERSION, 5, INLINE, "ACTIVATE", ACTIVATING},      \
        {40, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE}, {300, TICK, 0, 0, "FETCH", ASKING}, \
    {                                                                                        \
        310, SAME, 0, 0, "PROOF DONE", IDLE                                                  \
    }

/* ---- the stories ---- */

static void join(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},         {5, TICK, 0, 0, "", ASKING},
        {10, VERSION, 5, PLAIN, "WANT", FILLING}, {20, FILES, 0, 0, "ACTIVATE", ACTIVATING},
        {21, TICK, 0, 0, "", ACTIVATING},         {40, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
        {300, TICK, 0, 0, "FETCH", ASKING}, /* the report */
        {310, SAME, 0, 0, "PROOF DONE", IDLE},    {1000, NOTICE, 0, 0, "PROOF", IDLE},
        {2000, NOTICE, 0, 0, "PROOF", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(runs(&w), 5);
    assert_int_equal(age(&w), 10); /* the answer's way counts against us */
    assert_int_equal(pep_sync_memory(w.sync)->floor.version, 5);
    assert_int_equal(pep_sync_fetch(w.sync)->have.version, 5);
    world_close(&w);
}

static void a_small_change_fetches_only_what_changed(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 6, 0, "FETCH", ASKING},
        {1005, VERSION, 6, PLAIN, "WANT", FILLING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_sync_want(w.sync)->count, 1);
    static const struct step rest[] = {
        {1010, FILES, 0, 0, "ACTIVATE", ACTIVATING},
        {1020, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
    };
    PLAY(&w, rest);
    assert_int_equal(runs(&w), 6);
    world_close(&w);
}

static void a_lost_notice_is_repaired_by_the_next_beacon_or_by_silence(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 0, 0, "PROOF", IDLE},
        /* the notice of version 6 is lost; the beacon a second later names it */
        {3000, NOTICE, 6, 0, "FETCH", ASKING},
        {3005, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
        {3010, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
        {3500, TICK, 0, 0, "FETCH", ASKING},
        {3505, SAME, 0, 0, "PROOF DONE", IDLE},
        /* and then no beacon any more: ask after five seconds */
        {8000, TICK, 0, 0, "", IDLE},
        {8505, TICK, 0, 0, "FETCH", ASKING},
        {8510, SAME, 0, 0, "PROOF DONE", IDLE},
        {13510, TICK, 0, 0, "FETCH", ASKING},
        {13515, SAME, 0, 0, "PROOF DONE", IDLE},
        {18515, TICK, 0, 0, "FETCH", ASKING},
        {18520, SAME, 0, 0, "PROOF DONE RESUBSCRIBE", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void replayed_forged_and_foreign_notices_prove_nothing(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 0, 0, "PROOF", IDLE},
        {2000, REPLAY, 0, 0, "", IDLE},
        {2100, OLD_NOTICE, 0, 0, "", IDLE},
        {2200, NOTICE, 0, WRONG_KEY, "", IDLE},
        {2300, NOTICE, 7, WRONG_KEY, "", IDLE},
        {2400, NOTICE, 7, CANARY, "", IDLE}, /* another channel's head is not mine */
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(age(&w), 1410);
    world_close(&w);
}

static void a_notice_that_was_held_back_counts_for_when_it_was_made(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {4000, NOTICE, 0, LATE_NOTICE, "PROOF", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(age(&w), 3010);
    world_close(&w);
}

static void an_older_version_is_refused_and_reported(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 4, 0, "FETCH", ASKING},
        {1005, VERSION, 4, INLINE, "DONE-8", IDLE},
        {1300, TICK, 0, 0, "FETCH", ASKING}, /* the report */
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(runs(&w), 5);
    assert_int_equal(pep_sync_fetch(w.sync)->rejected.version, 4);
    assert_int_equal(pep_sync_fetch(w.sync)->error, PEP_EROLLBACK);
    assert_true(pep_sync_fetch(w.sync)->reason[0] != '\0');
    world_close(&w);
}

/* Each kind of bad version: kept out, the last good one stays, with this error. */
static void bad_versions_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        unsigned twist;
        const char *done;
    } bad[] = {
        {5, OTHER_CONTENT, "DONE-8"},   {6, PAST, "DONE-7"},
        {6, OTHER_NAME, "DONE-5"},      {6, OTHER_EPOCH, "DONE-6"},
        {6, FORGED_MANIFEST, "DONE-6"}, {6, SERVER_FLOOR, "DONE-8"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct world w;
        static const struct step before[] = {JOIN, {1000, REFRESH, 0, 0, "FETCH", ASKING}};
        const struct step now[] = {
            {1010, VERSION, bad[i].v, bad[i].twist | INLINE, bad[i].done, IDLE}};
        world_open(&w, NULL, 0);
        PLAY(&w, before);
        PLAY(&w, now);
        assert_int_equal(runs(&w), 5);
        world_close(&w);
    }
}

static void the_neighbour_of_the_bad_ones_is_taken(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void a_canary_raises_no_floor_and_can_be_called_off(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, VERSION, 6, PROVISIONAL | INLINE, "ACTIVATE", ACTIVATING},
        {1020, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
        {1500, TICK, 0, 0, "FETCH", ASKING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(runs(&w), 6);
    assert_int_equal(pep_sync_memory(w.sync)->floor.version, 5);
    assert_non_null(pep_sync_fallback(w.sync));
    static const struct step called_off[] = {
        /* back to 5, of which no file has to travel again */
        {1510, VERSION, 5, PLAIN, "ACTIVATE", ACTIVATING},
        {1520, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
    };
    PLAY(&w, called_off);
    assert_int_equal(runs(&w), 5);
    assert_null(pep_sync_fallback(w.sync));
    world_close(&w);
}

static void a_rejected_version_is_not_fetched_again_but_the_next_is(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 6, 0, "FETCH", ASKING},
        {1010, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
        {1020, REJECTED, 0, 0, "DONE-12", IDLE},
        {1030, NOTICE, 6, 0, "", IDLE}, /* nor a proof */
        {1300, TICK, 0, 0, "FETCH", ASKING},
        {1310, VERSION, 6, INLINE, "DONE-12", IDLE},
        {2000, NOTICE, 6, 0, "", IDLE},
        {3000, NOTICE, 6, 0, "", IDLE},
        {4000, NOTICE, 7, 0, "FETCH", ASKING},
        {4010, VERSION, 7, INLINE, "ACTIVATE", ACTIVATING},
        {4020, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
        {4500, TICK, 0, 0, "FETCH", ASKING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(runs(&w), 7);
    assert_int_equal(pep_sync_fetch(w.sync)->rejected.version, 0);
    assert_int_equal(pep_sync_fetch(w.sync)->error, PEP_OK);
    world_close(&w);
}

static void who_rejected_its_version_ages(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 6, 0, "FETCH", ASKING},
        {1010, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
        {1020, REJECTED, 0, 0, "DONE-12", IDLE},
        {1300, TICK, 0, 0, "FETCH", ASKING},
        {1310, VERSION, 6, INLINE, "DONE-12", IDLE},
        {9000, NOTICE, 6, 0, "", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(age(&w), 9000 - 300);
    world_close(&w);
}

static void a_rejected_version_is_tried_again_after_a_long_while(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 6, 0, "FETCH", ASKING},
        {1010, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
        {1020, REJECTED, 0, 0, "DONE-12", IDLE},
        {301100, REFRESH, 0, 0, "FETCH", ASKING},
        {301110, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void revoke_suspend_resume(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, STATE_SUSPENDED, 0, WRONG_KEY, "", IDLE},
        {1000, STATE_SUSPENDED, 0, ABOUT_OTHER, "", IDLE},
        {1000, STATE_SUSPENDED, 0, PLAIN, "STATE SAVE HANGUP DONE-11", WAITING},
        {7000, TICK, 0, 0, "ROTATE FETCH", ASKING},
        {7001, STATE_RESUMED, 0, OLD_SEQ, "", ASKING},
        {7002, STATE_RESUMED, 0, PLAIN, "STATE SAVE", ASKING},
        {7003, SAME, 0, 0, "PROOF DONE", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_sync_memory(w.sync)->statement, PEP_STATEMENT_RESUMED);
    static const struct step revoked[] = {
        {8000, STATE_REVOKED, 0, PLAIN, "STATE SAVE HANGUP DONE-11", WAITING},
        {9000, STATE_RESUMED, 0, PLAIN, "STATE SAVE HANGUP", WAITING},
    };
    PLAY(&w, revoked);
    assert_int_equal(pep_sync_memory(w.sync)->statement, PEP_STATEMENT_REVOKED);
    world_close(&w);
}

static void an_answer_after_a_suspension_lifts_it(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, STATE_SUSPENDED, 0, PLAIN, "STATE SAVE HANGUP DONE-11", WAITING},
        {7000, TICK, 0, 0, "ROTATE FETCH", ASKING},
        {7003, SAME, 0, 0, "STATE PROOF DONE", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_sync_memory(w.sync)->statement, PEP_STATEMENT_RESUMED);
    world_close(&w);
}

static void a_refused_handshake_is_no_revocation(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFUSED_LINK, 0, 0, "DONE-11", WAITING},
        {1000, REFUSED_LINK, 0, 0, "", WAITING}, /* the other socket */
        {1600, TICK, 0, 0, "ROTATE FETCH", ASKING},
        {1610, SAME, 0, 0, "PROOF DONE", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_sync_memory(w.sync)->statement, 0);
    world_close(&w);
}

static void no_answer_backs_off_and_tries_another_endpoint(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},
        {4999, TICK, 0, 0, "", ASKING},
        {5000, TICK, 0, 0, "DONE-4", WAITING},
        {5001, TICK, 0, 0, "", WAITING},
        {5500, TICK, 0, 0, "FETCH", ASKING},
        {10500, TICK, 0, 0, "DONE-4", WAITING},
        {11500, TICK, 0, 0, "ROTATE FETCH", ASKING},
        {16500, TICK, 0, 0, "DONE-4", WAITING},
        {16510, UP, 0, 0, "FETCH", ASKING}, /* it is there again: don't wait */
        {16520, VERSION, 5, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void back_off_is_bounded(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 0);
    int64_t at = 0, longest = 0;
    for (int i = 0; i < 20; i++) {
        struct step ask[] = {{at, TICK, 0, 0, "", ASKING}};
        play_step(&w, &ask[0]);
        drain(&w);
        assert_int_equal(pep_sync_phase(w.sync), ASKING);
        at += 5000;
        struct step over[] = {{at, TICK, 0, 0, "", WAITING}};
        play_step(&w, &over[0]);
        drain(&w);
        assert_int_equal(pep_sync_phase(w.sync), WAITING);
        int64_t pause = pep_sync_deadline(w.sync) - w.now.boot_ms;
        assert_in_range(pause, 250, 30000);
        longest = pause > longest ? pause : longest;
        at += pause;
    }
    assert_true(longest >= 15000);
    world_close(&w);
}

static void a_lost_connection_ends_the_question(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, DOWN, 0, 0, "", IDLE},
        {2500, UP, 0, 0, "FETCH", ASKING},
        {2505, UP, 0, 0, "FETCH", ASKING}, /* it waited for this: a new one, with a new time */
        {2510, DOWN, 0, 0, "DONE-3", WAITING},
        {2520, UP, 0, 0, "FETCH", ASKING},
        {2530, VERSION, 6, PLAIN, "WANT", FILLING},
        {2540, DOWN, 0, 0, "DONE-3", WAITING},
        {2550, UP, 0, 0, "FETCH", ASKING},
        {2560, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void files_that_never_come_or_are_wrong_end_the_question(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},           {10, VERSION, 5, PLAIN, "WANT", FILLING},
        {10009, TICK, 0, 0, "", FILLING},           {10010, TICK, 0, 0, "DONE-4", WAITING},
        {11000, TICK, 0, 0, "FETCH", ASKING},       {11010, VERSION, 5, PLAIN, "WANT", FILLING},
        {11020, BAD_FILE, 0, 0, "DONE-5", WAITING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(runs(&w), 0);
    world_close(&w);
}

static void answers_count_only_with_the_nonce_and_a_beacon_key(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},
        {10, VERSION, 5, INLINE | WRONG_NONCE, "", ASKING},
        {20, VERSION, 5, INLINE | WRONG_KEY, "DONE-6", WAITING},
        {600, TICK, 0, 0, "FETCH", ASKING},
        {610, VERSION, 5, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void same_must_be_what_runs(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, SAME, 6, 0, "DONE-5", WAITING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(age(&w), 1010 - 300);
    world_close(&w);
}

static void nothing_published_keeps_what_runs(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, NONE, 0, 0, "STATE DONE-10", IDLE},
        {2000, NOTICE, 6, 0, "FETCH", ASKING},
        {2010, NONE, 0, 0, "DONE-10", IDLE},
        {3000, NOTICE, 6, 0, "", IDLE}, /* not for me: don't ask each second */
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(runs(&w), 5);
    assert_true(pep_sync_none(w.sync));
    world_close(&w);
}

static void the_servers_refusal_backs_off(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},
        {10, DENIED, 0, 0, "DONE-11", WAITING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void a_new_root_is_followed_first(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, SAME, 0, NEXT_ROOT, "SAVE PROOF DONE", IDLE}, /* signed by the new beacon key */
        {2000, NOTICE, 0, 0, "PROOF", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_root_version(pep_sync_root(w.sync)), 2);
    assert_int_equal(pep_sync_root_count(w.sync), 1);
    world_close(&w);
}

static void a_wall_clock_that_was_set_costs_one_question(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 0, 0, "PROOF", IDLE},
        {1500, CLOCK, 86400000, 0, "FETCH", ASKING},
        {1600, NOTICE, 0, 0, "", ASKING}, /* no proof until the clocks are tied again */
        {1700, SAME, 0, 0, "PROOF SAVE DONE", IDLE},
        {2000, NOTICE, 0, 0, "PROOF", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(age(&w), 200); /* the answer's way */
    world_close(&w);
}

static void a_restart_goes_on_from_memory(void **state)
{
    (void)state;
    struct world w;
    struct pep_memory memory = {
        .proof = {START_MS - 50000, BOOT_MS - 50000}, .root = 1, .seq = 90, .issued_at = 1};
    memory.floor.epoch = 1;
    memory.floor.version = 5;
    struct fixture f = fixture_new();
    struct pep_bundle *b = fixture_bundle(&f, 5, fixture_small_bundle, fixture_small_bundle_count);
    memory.floor = head_of(pep_bundle_manifest(b));
    pep_bundle_free(b);
    fixture_free(&f);
    world_open(&w, &memory, 5);
    assert_int_equal(age(&w), 50000);
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},
        {5, NOTICE, 0, 0, "", ASKING}, /* not tied to our clock yet */
        {10, SAME, 0, 0, "PROOF SAVE DONE", IDLE},
    };
    PLAY(&w, story);
    assert_int_equal(age(&w), 10);
    static const struct step old[] = {
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, VERSION, 4, INLINE, "DONE-8", IDLE},
    };
    PLAY(&w, old);
    world_close(&w);
}

static void a_server_that_lost_its_past_is_followed_by_its_answer(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {JOIN, {1000, NOTICE, 0, 0, "PROOF", IDLE}};
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    w.seq = 0;
    static const struct step after[] = {
        {2000, NOTICE, 0, 0, "", IDLE},
        {6100, TICK, 0, 0, "FETCH", ASKING}, /* five seconds without a beacon that counts */
        {6110, SAME, 0, 0, "PROOF DONE", IDLE},
        {7000, NOTICE, 0, 0, "PROOF", IDLE},
    };
    PLAY(&w, after);
    world_close(&w);
}

static void polls_are_spread_by_a_quarter(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {JOIN};
    int64_t low = INT64_MAX, high = 0;
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    int64_t at = 400;
    for (int i = 0; i < 50; i++) {
        struct step ask = {at, REFRESH, 0, 0, "", ASKING}, same = {at + 5, SAME, 0, 0, "", IDLE};
        play_step(&w, &ask);
        drain(&w);
        play_step(&w, &same);
        drain(&w);
        struct step beacon = {at + 10, NOTICE, 0, 0, "", IDLE};
        int64_t due = INT64_MAX;
        for (int64_t t = at + 10; due == INT64_MAX; t += 1000) { /* beacons keep silence away */
            beacon.at = t;
            play_step(&w, &beacon);
            drain(&w);
            if (pep_sync_phase(w.sync) == ASKING)
                due = t - at;
        }
        low = due < low ? due : low;
        high = due > high ? due : high;
        struct step answer_it = {at + due + 1, SAME, 0, 0, "", IDLE};
        play_step(&w, &answer_it);
        drain(&w);
        at += due + 2;
    }
    assert_in_range(low, POLL_MS - POLL_MS / 4, POLL_MS);
    assert_in_range(high, POLL_MS, POLL_MS + POLL_MS / 4 + 1010);
    world_close(&w);
}

static void garbage_is_nobodys(void **state)
{
    (void)state;
    struct world w;
    static const uint8_t junk[][8] = {"", "PD\1\3", "PD\1\5abc", "PD\1\6abc", "xxxxxxx", "PD\1\11"};
    world_open(&w, NULL, 0);
    static const struct step story[] = {{0, TICK, 0, 0, "FETCH", ASKING}};
    PLAY(&w, story);
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        for (size_t n = 0; n <= 8; n++) {
            struct pep_span frames[2] = {pep_span_of(junk[i], n), pep_span_of(junk[i], n)};
            step_with(&w, PEP_EVENT_MESSAGE, frames, 1);
            step_with(&w, PEP_EVENT_MESSAGE, frames, 2);
            step_with(&w, PEP_EVENT_MESSAGE, frames, 0);
            step_with(&w, PEP_EVENT_NOTICE, frames, 2);
            drain(&w);
        }
    }
    assert_int_equal(runs(&w), 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join),
        cmocka_unit_test(a_small_change_fetches_only_what_changed),
        cmocka_unit_test(a_lost_notice_is_repaired_by_the_next_beacon_or_by_silence),
        cmocka_unit_test(replayed_forged_and_foreign_notices_prove_nothing),
        cmocka_unit_test(a_notice_that_was_held_back_counts_for_when_it_was_made),
        cmocka_unit_test(an_older_version_is_refused_and_reported),
        cmocka_unit_test(bad_versions_are_refused),
        cmocka_unit_test(the_neighbour_of_the_bad_ones_is_taken),
        cmocka_unit_test(a_canary_raises_no_floor_and_can_be_called_off),
        cmocka_unit_test(a_rejected_version_is_not_fetched_again_but_the_next_is),
        cmocka_unit_test(who_rejected_its_version_ages),
        cmocka_unit_test(a_rejected_version_is_tried_again_after_a_long_while),
        cmocka_unit_test(revoke_suspend_resume),
        cmocka_unit_test(an_answer_after_a_suspension_lifts_it),
        cmocka_unit_test(a_refused_handshake_is_no_revocation),
        cmocka_unit_test(no_answer_backs_off_and_tries_another_endpoint),
        cmocka_unit_test(back_off_is_bounded),
        cmocka_unit_test(a_lost_connection_ends_the_question),
        cmocka_unit_test(files_that_never_come_or_are_wrong_end_the_question),
        cmocka_unit_test(answers_count_only_with_the_nonce_and_a_beacon_key),
        cmocka_unit_test(same_must_be_what_runs),
        cmocka_unit_test(nothing_published_keeps_what_runs),
        cmocka_unit_test(the_servers_refusal_backs_off),
        cmocka_unit_test(a_new_root_is_followed_first),
        cmocka_unit_test(a_wall_clock_that_was_set_costs_one_question),
        cmocka_unit_test(a_restart_goes_on_from_memory),
        cmocka_unit_test(a_server_that_lost_its_past_is_followed_by_its_answer),
        cmocka_unit_test(polls_are_spread_by_a_quarter),
        cmocka_unit_test(garbage_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
