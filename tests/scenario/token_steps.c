/* Steps of revoked tokens for tests: see token_steps.h. */
#include "token_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* ---- steps ---- */

/* Entry `i` of its own name. */
struct pep_revocation kit_entry(size_t i)
{
    struct pep_revocation e = {.kind = PEP_REVOKE_JTI, .until = time(NULL) + 3600};
    char name[32];
    int n = snprintf(name, sizeof(name), "token-%zu", i);
    assert_int_equal(pep_revocation_key(PEP_REVOKE_JTI, pep_span_string("https://idp.example"),
                                        pep_span_of(name, (size_t)n), e.key),
                     0);
    return e;
}

struct pep_buffer kit_make_step(const struct pep_revocations *list, const struct kit_plan *p)
{
    struct pep_revocation *entries = calloc(p->count + 1, sizeof(*entries));
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE),
                      out = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    for (size_t i = 0; i < p->count; i++) {
        entries[i] = kit_entry(p->first + i);
        entries[i].until += p->created - time(NULL);
    }
    assert_int_equal(pep_revocation_step_write(list, p->created, entries, p->count, &body, NULL),
                     0);
    assert_int_equal(pep_compact_sign(PEP_TYPE_REVOKED, pep_buffer_span(&body), p->key, &out), 0);
    pep_buffer_free(&body);
    free(entries);
    return out;
}

json_t *kit_send_step(struct site *s, void *operator, const struct pep_revocations * list,
                      struct pep_span step)
{
    char digest[PEP_DIGEST_TEXT] = "";
    if (pep_revocations_number(list) != 0)
        pep_digest_text(pep_revocations_digest(list), digest);
    return kit_operate(&s->d, operator,
                       json_pack("{s:s, s:I, s:s}", "op", "token.revoke", "number",
                                 (json_int_t)pep_revocations_number(list), "digest", digest),
                       step, NULL);
}

struct pep_revocations *kit_no_list(void)
{
    struct pep_revocations *list = NULL;
    assert_int_equal(pep_revocations_none(&list), 0);
    return list;
}

/* The next step by the policy key with `count` new entries: uploaded, and *list is what comes of
 * it.
 */
void kit_add_step(struct site *s, struct pep_revocations **list, size_t count)
{
    struct kit_plan p = {time(NULL), pep_revocations_count(*list), count, s->d.keys.policy_key};
    struct pep_buffer step = kit_make_step(*list, &p);
    struct pep_signers signers = pep_root_revokers(s->d.keys.root);
    struct pep_revocations *next = NULL;
    json_t *answer = kit_send_step(s, s->operator, * list, pep_buffer_span(&step));
    if (!kit_ok(answer))
        fprintf(stderr, "%s\n", json_string_value(json_object_get(answer, "message")));
    assert_true(kit_ok(answer));
    assert_int_equal(pep_revocations_follow(*list, pep_buffer_span(&step), &signers, &next, NULL),
                     0);
    json_t *number = json_object_get(answer, "number");
    assert_int_equal(json_integer_value(number), pep_revocations_number(next));
    json_decref(answer);
    pep_buffer_free(&step);
    pep_revocations_free(*list);
    *list = next;
}

bool kit_step_refused(struct site *s, const struct pep_revocations *list, const struct kit_plan *p,
                      const char *code)
{
    struct pep_buffer step = kit_make_step(list, p);
    json_t *answer = kit_send_step(s, s->operator, list, pep_buffer_span(&step));
    pep_buffer_free(&step);
    return kit_code(answer, code);
}

/* ---- clients ---- */

void *kit_join(struct site *s, const char *service)
{
    struct peer_keys keys = kit_new_keys();
    struct kit_token token = kit_token(&s->d, s->operator, service, 60, 1);
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_ENROLLED);
    return kit_connect(&s->d, ZMQ_DEALER, FETCH, &keys);
}

void kit_ask_feed(void *socket, const char *bundle, uint64_t number, const uint8_t *digest)
{
    struct pep_feed f = {.nonce = {9}, .revocations = number};
    struct pep_buffer frame = pep_buffer_of(PEP_REQUEST_MAX);
    snprintf(f.bundle, sizeof(f.bundle), "%s", bundle);
    if (digest != NULL)
        memcpy(f.revocations_digest, digest, PEP_SHA256_SIZE);
    pep_feed_write(&f, &frame);
    struct pep_span span = pep_buffer_span(&frame);
    kit_send(socket, &span, 1);
    pep_buffer_free(&frame);
}

/* The answer; its frames in `m`, to be cleared. */
struct pep_revoked kit_hear_feed(void *socket, struct kit_message *m)
{
    struct pep_revoked r;
    assert_true(kit_receive(socket, KIT_PATIENCE, m));
    assert_int_equal(pep_revoked_read(pep_buffer_span(&m->frames[0]), &r), 0);
    assert_int_equal(r.nonce[0], 9);
    assert_int_equal(r.keys, 0);
    assert_int_equal(m->count, 1 + r.steps + (r.kind == PEP_REVOKED_SET));
    return r;
}

/* What a client that holds `list` is told, in one word. */
int kit_told(void *socket, const struct pep_revocations *list)
{
    struct kit_message m;
    kit_ask_feed(socket, "acme", pep_revocations_number(list), pep_revocations_digest(list));
    struct pep_revoked r = kit_hear_feed(socket, &m);
    kit_clear(&m);
    return r.kind;
}

/* The whole list, verified, as one who has nothing gets it. */
struct pep_revocations *kit_whole_list(struct site *s, void *socket)
{
    struct kit_message m;
    struct pep_revocations *list = NULL;
    struct pep_signers signers = pep_root_revokers(s->d.keys.root);
    kit_ask_feed(socket, "acme", 0, NULL);
    assert_int_equal(kit_hear_feed(socket, &m).kind, PEP_REVOKED_SET);
    assert_int_equal(pep_revocations_adopt(pep_buffer_span(&m.frames[1]),
                                           pep_buffer_span(&m.frames[2]), 0, &signers, &list, NULL),
                     0);
    kit_clear(&m);
    return list;
}

bool kit_same_list(const struct pep_revocations *a, const struct pep_revocations *b)
{
    return pep_revocations_number(a) == pep_revocations_number(b) &&
           pep_revocations_count(a) == pep_revocations_count(b) &&
           memcmp(pep_revocations_digest(a), pep_revocations_digest(b), PEP_SHA256_SIZE) == 0;
}

void kit_publish(struct site *s, const char *bundle)
{
    struct pep_buffer b = kit_bundle_of(&s->d, bundle, 1, NULL, "x");
    json_t *answer = kit_push(&s->d, s->operator, pep_buffer_span(&b));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_buffer_free(&b);
}
