/*
 * Answers, files, notices and statements for the state machine: see sync_world.h. Everything is
 * made when a step asks for it, from the version's number and the step's twists, so that a story
 * needs no more than its table.
 */
#include "sync_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT_KEY "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define OTHER_KEY  "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static uint8_t chance;

static int fixed_random(void *out, size_t size)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++)
        bytes[i] = chance++;
    return PEP_OK;
}

void world_open(struct world *w, const struct pep_memory *memory, uint64_t running)
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

void world_close(struct world *w)
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

struct pep_head world_head(const struct pep_manifest *m)
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

void world_drain(struct world *w)
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

void world_step(struct world *w, enum pep_sync_event_kind kind, const struct pep_span *frames,
                size_t count)
{
    struct pep_sync_event e = {.kind = kind, .frames = frames, .count = count};
    pep_sync_step(w->sync, &e, w->now);
}

static void give(struct world *w, enum pep_sync_event_kind kind, struct pep_buffer *frame)
{
    struct pep_span span = pep_buffer_span(frame);
    assert_false(frame->failed);
    world_step(w, kind, &span, 1);
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
        a.head = op == SAME && v == 0 ? pep_sync_fetch(w->sync)->have : world_head(o.manifest);
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
    world_step(w, PEP_EVENT_MESSAGE, frames, count);
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
    world_step(w, PEP_EVENT_NOTICE, frames, 2);
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
            n.head = world_head(pep_bundle_manifest(pep_sync_running(w->sync)));
    } else {
        struct opened o = open_version(w, v, twist);
        n.head = world_head(o.manifest);
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

void world_play_step(struct world *w, const struct step *s)
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
        world_step(w, PEP_EVENT_TICK, NULL, 0);
        return;
    default:
        break;
    }
    static const enum pep_sync_event_kind kinds[] = {
        [TICK] = PEP_EVENT_TICK,       [UP] = PEP_EVENT_LINK_UP,
        [DOWN] = PEP_EVENT_LINK_DOWN,  [REFUSED_LINK] = PEP_EVENT_LINK_REFUSED,
        [REFRESH] = PEP_EVENT_REFRESH, [ACTIVATED] = PEP_EVENT_ACTIVATED,
    };
    world_step(w, kinds[s->op], NULL, 0);
}

void world_play(struct world *w, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        world_play_step(w, &steps[i]);
        world_drain(w);
        enum pep_sync_phase phase = pep_sync_phase(w->sync);
        if (strcmp(w->log, steps[i].actions) != 0 || phase != steps[i].phase)
            fail_msg("step %zu at %lld: \"%s\" in %s, expected \"%s\" in %s", i,
                     (long long)steps[i].at, w->log, pep_sync_phase_name(phase), steps[i].actions,
                     pep_sync_phase_name(steps[i].phase));
    }
}
uint64_t world_runs(const struct world *w)
{
    const struct pep_bundle *b = pep_sync_running(w->sync);
    return b == NULL ? 0 : pep_manifest_version(pep_bundle_manifest(b));
}

int64_t world_age(const struct world *w)
{
    return pep_moment_elapsed(&pep_sync_memory(w->sync)->proof, &w->now);
}
