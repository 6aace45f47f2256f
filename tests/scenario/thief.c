/*
 * Offers, answers and lies of a thief: see thief.h. Everything is signed with the keys that pdpd
 * really has; only what the root or the policy key would sign is forged.
 */
#include "thief.h"

#include "pep/core/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ENDLESS_PART (4 * 1024 * 1024 - 64)
#define ENDLESS      400 /* parts: 1.6 GB */

int64_t thief_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- offers ---- */

struct offer thief_offer(const struct thief *t, const struct pep_manifest_draft *draft,
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

void thief_offer_free(struct offer *o)
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
    a.issued_at = thief_now_ms();
    a.head = o->head;
    pep_answer_write(&a, &body);
    assert_int_equal(
        pep_compact_sign(PEP_TYPE_ANSWER, pep_buffer_span(&body), t->keys.beacon_key, &out), 0);
    pep_buffer_free(&body);
    return out;
}

void thief_say_same(struct thief *t, struct pep_span route, const struct pep_fetch *f)
{
    struct pep_answer a = {.kind = PEP_ANSWER_SAME, .root = 1};
    struct pep_buffer answer = signed_answer(t, f, &t->first, a);
    struct pep_span frames[2] = {pep_buffer_span(&answer), pep_span_of("", 0)};
    say(t, route, frames, 2);
    pep_buffer_free(&answer);
}

/* The version with all its files; `spoil` changes the last file's bytes but not its hash. */
void thief_say_version(struct thief *t, struct pep_span route, const struct pep_fetch *f,
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

static struct offer older(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(4);
    return thief_offer(t, &d, "policy", "older");
}
static struct offer same_number(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(5);
    return thief_offer(t, &d, "policy", "other content");
}
static struct offer foreign(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(9);
    d.name = "globex";
    return thief_offer(t, &d, "policy", "foreign");
}
static struct offer by_stranger(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    return thief_offer(t, &d, "stranger", "unsigned");
}
static struct offer by_beacon(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    return thief_offer(t, &d, "beacon", "by the wrong role");
}
static struct offer past(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    d.expires = FIXTURE_NOW;
    return thief_offer(t, &d, "policy", "expired");
}
static struct offer other_epoch(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    d.epoch = 2;
    return thief_offer(t, &d, "policy", "another epoch");
}
static struct offer fast_forward(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(PEP_VERSION_MAX);
    return thief_offer(t, &d, "stranger", "fast forward");
}
static struct offer next(const struct thief *t)
{
    struct pep_manifest_draft d = fixture_manifest_draft(6);
    return thief_offer(t, &d, "policy", "next");
}

static void plainly(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                    const struct offer *o)
{
    thief_say_version(t, route, f, o, false);
}

static void spoiled(struct thief *t, struct pep_span route, const struct pep_fetch *f,
                    const struct offer *o)
{
    thief_say_version(t, route, f, o, true);
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
    thief_say_same(t, route, f);
}

static void say_statement(struct thief *t, struct pep_span route, const char *key,
                          const struct pep_private_key *signer)
{
    struct pep_statement m = {
        .kind = PEP_STATEMENT_REVOKED, .seq = 1000, .issued_at = thief_now_ms()};
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
    thief_say_same(t, route, f);
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

const struct lie thief_lies[] = {
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

const size_t thief_lie_count = sizeof(thief_lies) / sizeof(thief_lies[0]);
