/*
 * Revoked tokens on the server: what becomes a step, what a client gets that says what it holds,
 * and what is left after a restart and after a new root. Raw peers send what policyctl never would;
 * the large list goes to a real client.
 */
#include "pdpd_kit.h"

#include "pep/core/revocation.h"
#include "pep/core/wire_feed.h"

#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

/* ---- steps ---- */

/* Entry `i` of its own name. */
static struct pep_revocation entry(size_t i)
{
    struct pep_revocation e = {.kind = PEP_REVOKE_JTI, .until = time(NULL) + 3600};
    char name[32];
    int n = snprintf(name, sizeof(name), "token-%zu", i);
    assert_int_equal(pep_revocation_key(PEP_REVOKE_JTI, pep_span_string("https://idp.example"),
                                        pep_span_of(name, (size_t)n), e.key),
                     0);
    return e;
}

struct plan {
    int64_t created;
    size_t first, count; /* entries */
    const struct pep_private_key *key;
};

static struct pep_buffer make_step(const struct pep_revocations *list, const struct plan *p)
{
    struct pep_revocation *entries = calloc(p->count + 1, sizeof(*entries));
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE),
                      out = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    for (size_t i = 0; i < p->count; i++) {
        entries[i] = entry(p->first + i);
        entries[i].until += p->created - time(NULL);
    }
    assert_int_equal(pep_revocation_step_write(list, p->created, entries, p->count, &body, NULL),
                     0);
    assert_int_equal(pep_compact_sign(PEP_TYPE_REVOKED, pep_buffer_span(&body), p->key, &out), 0);
    pep_buffer_free(&body);
    free(entries);
    return out;
}

static json_t *upload(struct site *s, void *operator, const struct pep_revocations * list,
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

static struct pep_revocations *none(void)
{
    struct pep_revocations *list = NULL;
    assert_int_equal(pep_revocations_none(&list), 0);
    return list;
}

/* The next step by the policy key with `count` new entries: uploaded, and *list is what comes of
 * it.
 */
static void add_step(struct site *s, struct pep_revocations **list, size_t count)
{
    struct plan p = {time(NULL), pep_revocations_count(*list), count, s->d.keys.policy_key};
    struct pep_buffer step = make_step(*list, &p);
    struct pep_signers signers = pep_root_revokers(s->d.keys.root);
    struct pep_revocations *next = NULL;
    json_t *answer = upload(s, s->operator, * list, pep_buffer_span(&step));
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

static bool refused(struct site *s, const struct pep_revocations *list, const struct plan *p,
                    const char *code)
{
    struct pep_buffer step = make_step(list, p);
    json_t *answer = upload(s, s->operator, list, pep_buffer_span(&step));
    pep_buffer_free(&step);
    return kit_code(answer, code);
}

/* ---- clients ---- */

static void *join(struct site *s, const char *service)
{
    struct peer_keys keys = kit_new_keys();
    struct kit_token token = kit_token(&s->d, s->operator, service, 60, 1);
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_ENROLLED);
    return kit_connect(&s->d, ZMQ_DEALER, FETCH, &keys);
}

static void ask(void *socket, const char *bundle, uint64_t number, const uint8_t *digest)
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
static struct pep_revoked hear(void *socket, struct kit_message *m)
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
static int told(void *socket, const struct pep_revocations *list)
{
    struct kit_message m;
    ask(socket, "acme", pep_revocations_number(list), pep_revocations_digest(list));
    struct pep_revoked r = hear(socket, &m);
    kit_clear(&m);
    return r.kind;
}

/* The whole list, verified, as one who has nothing gets it. */
static struct pep_revocations *whole(struct site *s, void *socket)
{
    struct kit_message m;
    struct pep_revocations *list = NULL;
    struct pep_signers signers = pep_root_revokers(s->d.keys.root);
    ask(socket, "acme", 0, NULL);
    assert_int_equal(hear(socket, &m).kind, PEP_REVOKED_SET);
    assert_int_equal(pep_revocations_adopt(pep_buffer_span(&m.frames[1]),
                                           pep_buffer_span(&m.frames[2]), 0, &signers, &list, NULL),
                     0);
    kit_clear(&m);
    return list;
}

static bool same(const struct pep_revocations *a, const struct pep_revocations *b)
{
    return pep_revocations_number(a) == pep_revocations_number(b) &&
           pep_revocations_count(a) == pep_revocations_count(b) &&
           memcmp(pep_revocations_digest(a), pep_revocations_digest(b), PEP_SHA256_SIZE) == 0;
}

/* ---- what becomes a step ---- */

static void steps_follow_each_other(void **state)
{
    struct site *s = *state;
    struct pep_revocations *list = none(), *start = none();
    struct plan p = {time(NULL), 0, 1, s->d.keys.policy_key};
    struct pep_buffer first = make_step(list, &p);
    add_step(s, &list, 2);
    assert_true(kit_code(upload(s, s->operator, start, pep_buffer_span(&first)), "conflict"));
    assert_true(kit_code(upload(s, s->operator, list, pep_buffer_span(&first)), "conflict"));
    /* Exactly the newest again: its answer may have been lost. */
    json_t *again = upload(s, s->operator, start, pep_revocations_step(list));
    assert_true(kit_ok(again));
    json_decref(again);
    struct pep_buffer replayed = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    pep_put_span(&replayed, pep_revocations_step(list));
    add_step(s, &list, 1);
    assert_true(kit_code(upload(s, s->operator, list, pep_buffer_span(&replayed)), "conflict"));
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_number"), 2);
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_entries"), 3);
    pep_buffer_free(&first);
    pep_buffer_free(&replayed);
    pep_revocations_free(start);
    pep_revocations_free(list);
}

static void only_named_keys_and_the_present_count(void **state)
{
    struct site *s = *state;
    struct pep_revocations *list = none();
    struct pep_private_key *stranger = fixture_key("stranger");
    struct plan wrong_key = {time(NULL), 0, 1, stranger},
                beacon = {time(NULL), 0, 1, s->d.keys.beacon_key},
                past = {time(NULL) - 660, 0, 1, s->d.keys.policy_key},
                future = {time(NULL) + 660, 0, 1, s->d.keys.policy_key};
    assert_true(refused(s, list, &wrong_key, "refused"));
    assert_true(refused(s, list, &beacon, "refused"));
    assert_true(refused(s, list, &past, "refused"));
    assert_true(refused(s, list, &future, "refused"));
    struct pep_span nothing = pep_span_of(NULL, 0), junk = pep_span_string("junk");
    assert_true(kit_code(upload(s, s->operator, list, nothing), "usage"));
    assert_true(kit_code(upload(s, s->operator, list, junk), "refused"));
    json_t *request =
        json_pack("{s:s, s:i, s:s}", "op", "token.revoke", "number", 3, "digest", "x");
    assert_true(kit_code(kit_operate(&s->d, s->operator, request, junk, NULL), "usage"));
    uint8_t *large = calloc(1, PEP_REVOCATION_STEP_SIZE + 1);
    assert_true(
        kit_code(upload(s, s->operator, list, pep_span_of(large, PEP_REVOCATION_STEP_SIZE + 1)),
                 "too_large"));
    struct pep_revocations *far = none();
    struct plan now = {time(NULL), 0, 1, s->d.keys.policy_key};
    pep_revocations_skip(far, 1000000);
    assert_true(refused(s, far, &now, "refused"));
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_number"), 0);
    pep_revocations_free(far);
    past.created = time(NULL) - 540; /* within the ten minutes */
    struct pep_buffer step = make_step(list, &past);
    json_t *answer = upload(s, s->operator, list, pep_buffer_span(&step));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_buffer_free(&step);
    free(large);
    pep_private_key_free(stranger);
    pep_revocations_free(list);
}

static void *operator_of(struct site *s, const char *name, const char *role)
{
    struct peer_keys keys = kit_new_keys();
    json_t *added = kit_operate(&s->d, s->operator,
                                json_pack("{s:s, s:s, s:s, s:s}", "op", "operator.add", "name",
                                          name, "role", role, "public_key", keys.public_key),
                                pep_span_of(NULL, 0), NULL);
    assert_true(kit_ok(added));
    json_decref(added);
    return kit_connect(&s->d, ZMQ_DEALER, OPERATORS, &keys);
}

static void roles_and_audit(void **state)
{
    struct site *s = *state;
    struct pep_revocations *list = none();
    struct plan p = {time(NULL), 0, 3, s->d.keys.policy_key};
    struct pep_buffer step = make_step(list, &p), bytes = pep_buffer_of(0);
    void *viewer = operator_of(s, "vera", "viewer"), *rollout = operator_of(s, "rolf", "rollout");
    assert_true(kit_code(upload(s, viewer, list, pep_buffer_span(&step)), "not_authorised"));
    json_t *done = upload(s, rollout, list, pep_buffer_span(&step));
    assert_true(kit_ok(done));
    json_decref(done);
    json_t *seen = kit_operate(&s->d, viewer, json_pack("{s:s}", "op", "token.list"),
                               pep_span_of(NULL, 0), &bytes);
    assert_int_equal(json_integer_value(json_object_get(seen, "number")), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(seen, "kinds"), "jti")), 3);
    assert_int_equal(json_integer_value(json_object_get(seen, "step")), step.size);
    assert_int_equal(bytes.size, step.size + 3 * (size_t)PEP_REVOCATION_ENTRY);
    assert_memory_equal(bytes.data, step.data, step.size);
    json_t *audit =
        kit_operate(&s->d, viewer, json_pack("{s:s}", "op", "audit"), pep_span_of(NULL, 0), NULL);
    const json_t *line = json_array_get(json_object_get(audit, "entries"), 0);
    assert_string_equal(json_string_value(json_object_get(line, "operator")), "rolf");
    assert_string_equal(json_string_value(json_object_get(line, "what")),
                        "step 1, 3 entries, 3 in all");
    line = json_array_get(json_object_get(audit, "entries"), 1);
    assert_string_equal(json_string_value(json_object_get(line, "result")), "not_authorised");
    json_decref(seen);
    json_decref(audit);
    pep_buffer_free(&bytes);
    pep_buffer_free(&step);
    pep_revocations_free(list);
    kit_close(viewer);
    kit_close(rollout);
}

/* ---- what clients get ---- */

static void steps_or_the_whole(void **state)
{
    struct site *s = *state;
    void *client = join(s, "shop");
    struct pep_revocations *list = none(), *old = none();
    struct kit_message m;
    uint8_t other[PEP_SHA256_SIZE] = {1};
    assert_int_equal(told(client, list), PEP_REVOKED_NONE);
    add_step(s, &list, 1);
    struct pep_revocations *first = pep_revocations_share(list);
    for (int i = 0; i < 3; i++)
        add_step(s, &list, 1);
    assert_int_equal(told(client, list), PEP_REVOKED_SAME);
    assert_int_equal(told(client, old), PEP_REVOKED_SET); /* who has nothing */
    ask(client, "acme", 1, pep_revocations_digest(first));
    assert_int_equal(hear(client, &m).kind, PEP_REVOKED_STEPS);
    assert_int_equal(m.count, 4);
    assert_true(pep_span_equal(pep_buffer_span(&m.frames[3]), pep_revocations_step(list)));
    kit_clear(&m);
    ask(client, "acme", 2, other); /* another past */
    assert_int_equal(hear(client, &m).kind, PEP_REVOKED_SET);
    kit_clear(&m);
    ask(client, "other", 0, NULL); /* out of scope */
    assert_int_equal(hear(client, &m).kind, PEP_REVOKED_NONE);
    kit_clear(&m);
    struct pep_revocations *got = whole(s, client);
    assert_true(same(got, list));
    assert_int_equal(kit_metric(&s->d, "pdpd_feeds_total{answer=\"set\"}"), 3);
    pep_revocations_free(got);
    pep_revocations_free(first);
    pep_revocations_free(old);
    pep_revocations_free(list);
    kit_close(client);
}

/* Only as many steps are kept as one message may bring: who is further behind gets the whole. */
static void the_oldest_steps_give_way(void **state)
{
    struct site *s = *state;
    void *client = join(s, "shop");
    struct pep_revocations *list = none(), *kept[2] = {NULL, NULL};
    for (int i = 1; i <= PEP_FEED_STEPS + 3; i++) {
        add_step(s, &list, 1);
        if (i == 2 || i == 3)
            kept[i - 2] = pep_revocations_share(list);
    }
    assert_int_equal(told(client, kept[0]), PEP_REVOKED_SET);
    ask(client, "acme", 3, pep_revocations_digest(kept[1]));
    zmq_pollitem_t item = {client, 0, ZMQ_POLLIN, 0};
    assert_int_equal(zmq_poll(&item, 1, KIT_PATIENCE), 1);
    int frames = 0, more = 1;
    while (more) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        assert_true(zmq_msg_recv(&part, client, 0) >= 0);
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
        frames++;
    }
    assert_int_equal(frames, 1 + PEP_FEED_STEPS);
    assert_int_equal(kit_stop(&s->d), 0);
    kit_up(&s->d);
    assert_int_equal(told(client, list), PEP_REVOKED_SAME);
    assert_int_equal(told(client, kept[0]), PEP_REVOKED_SET);
    pep_revocations_free(kept[0]);
    pep_revocations_free(kept[1]);
    pep_revocations_free(list);
    kit_close(client);
}

static struct pep_notice next_notice(struct site *s, void *sub)
{
    struct pep_notice n;
    struct kit_message m;
    assert_true(kit_receive(sub, KIT_PATIENCE, &m));
    assert_int_equal(m.count, 2);
    struct pep_span body = kit_verified(&s->d, PEP_TYPE_NOTICE, pep_buffer_span(&m.frames[1]));
    assert_int_equal(pep_notice_read(body, &n), 0);
    kit_clear(&m);
    return n;
}

static void publish(struct site *s, const char *bundle)
{
    struct pep_buffer b = kit_bundle_of(&s->d, bundle, 1, NULL, "x");
    json_t *answer = kit_push(&s->d, s->operator, pep_buffer_span(&b));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_buffer_free(&b);
}

static void every_bundle_hears_and_nothing_is_lost(void **state)
{
    struct site *s = *state;
    struct pep_revocations *list = none();
    struct peer_keys keys = kit_new_keys();
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 1);
    bool heard[2] = {false, false};
    publish(s, "acme");
    publish(s, "other");
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_ENROLLED);
    void *sub = kit_connect(&s->d, ZMQ_SUB, NOTICES, &keys);
    void *client = kit_connect(&s->d, ZMQ_DEALER, FETCH, &keys);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0);
    assert_int_equal(next_notice(s, sub).feeds.revocations, 0);
    add_step(s, &list, 1);
    while (!heard[0] || !heard[1]) {
        struct pep_notice n = next_notice(s, sub);
        if (n.feeds.revocations == 0)
            continue; /* from before */
        assert_memory_equal(n.feeds.revocations_digest, pep_revocations_digest(list),
                            PEP_SHA256_SIZE);
        heard[strcmp(n.bundle, "other") == 0] = true;
    }
    kill(s->d.pid, SIGKILL);
    assert_int_equal(kit_wait_end(&s->d), 128 + SIGKILL);
    kit_up(&s->d);
    kit_fetch(client, "acme", NULL);
    struct pep_answer a = kit_answer(&s->d, client, NULL);
    assert_int_equal(a.feeds.revocations, 1);
    assert_memory_equal(a.feeds.revocations_digest, pep_revocations_digest(list), PEP_SHA256_SIZE);
    struct pep_revocations *got = whole(s, client);
    assert_true(same(got, list));
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_entries"), 1);
    add_step(s, &list, 1); /* the next step follows what was stored */
    pep_revocations_free(got);
    pep_revocations_free(list);
    kit_close(sub);
    kit_close(client);
}

static void a_client_ahead_is_reported_once(void **state)
{
    struct site *s = *state;
    void *client = join(s, "shop");
    uint8_t digest[PEP_SHA256_SIZE] = {1};
    struct kit_message m;
    for (int i = 0; i < 3; i++) {
        ask(client, "acme", 40, digest);
        assert_int_equal(hear(client, &m).kind, PEP_REVOKED_NONE);
        kit_clear(&m);
    }
    char *log = kit_log(&s->d), *first = strstr(log, "holds step 40");
    assert_non_null(first);
    assert_null(strstr(first + 1, "holds step 40"));
    free(log);
    kit_close(client);
}

/* ---- a new root ---- */

/* Version 2 of the root, with a key that only revokes. */
static void upload_root_with(struct site *s, const struct pep_private_key *revoker)
{
    struct pep_root_draft draft = fixture_root_draft(&s->d.keys);
    const struct pep_private_key *signer = s->d.keys.root_key;
    struct pep_signers beacon = pep_root_signers(s->d.keys.root, PEP_ROLE_BEACON);
    size_t i = draft.key_count++;
    draft.keys[2].key = beacon.keys[0];
    draft.keys[i].key = *pep_private_key_public(revoker);
    snprintf(draft.keys[i].name, sizeof(draft.keys[i].name), "revoker");
    draft.keys[i].roles[PEP_ROLE_REVOCATION] = true;
    draft.thresholds[PEP_ROLE_REVOCATION] = 1;
    memcpy(draft.servers[0], s->d.server_key, KIT_KEY);
    snprintf(draft.installation, sizeof(draft.installation), "%s",
             pep_root_installation(s->d.keys.root));
    draft.version = 2;
    struct pep_buffer envelope = fixture_sign_root(&draft, &signer, 1);
    json_t *answer = kit_operate(&s->d, s->operator, json_pack("{s:s}", "op", "root.upload"),
                                 pep_buffer_span(&envelope), NULL);
    if (!kit_ok(answer))
        fprintf(stderr, "%s\n", json_string_value(json_object_get(answer, "message")));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_root_free(s->d.keys.root);
    assert_int_equal(pep_root_open(pep_buffer_span(&envelope), NULL, &s->d.keys.root, NULL), 0);
    pep_buffer_free(&envelope);
}

static bool is_signed(struct site *s)
{
    json_t *seen = kit_operate(&s->d, s->operator, json_pack("{s:s}", "op", "token.list"),
                               pep_span_of(NULL, 0), NULL);
    bool yes = json_is_true(json_object_get(seen, "signed"));
    json_decref(seen);
    return yes;
}

static void a_new_root_says_who_revokes(void **state)
{
    struct site *s = *state;
    void *client = join(s, "shop");
    struct pep_private_key *revoker = fixture_key("revoker");
    struct pep_revocations *list = none();
    add_step(s, &list, 1);
    struct pep_revocations *first = pep_revocations_share(list);
    add_step(s, &list, 1);
    upload_root_with(s, revoker);
    assert_false(is_signed(s));
    char *log = kit_log(&s->d);
    assert_non_null(strstr(log, "token revoke --renew"));
    free(log);
    assert_int_equal(told(client, first), PEP_REVOKED_SET); /* step 2 would be refused */
    struct plan mine = {time(NULL), 2, 1, s->d.keys.policy_key},
                renewal = {time(NULL), 0, 0, revoker};
    assert_true(refused(s, list, &mine, "refused"));
    assert_int_equal(kit_stop(&s->d), 0); /* the list outlives its signer's role */
    kit_up(&s->d);
    assert_false(is_signed(s));
    struct pep_buffer step = make_step(list, &renewal);
    json_t *answer = upload(s, s->operator, list, pep_buffer_span(&step));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_buffer_free(&step);
    assert_true(is_signed(s));
    assert_int_equal(told(client, list), PEP_REVOKED_STEPS);
    assert_int_equal(told(client, first), PEP_REVOKED_SET);
    struct pep_revocations *got = whole(s, client);
    assert_int_equal(pep_revocations_number(got), 3);
    assert_int_equal(pep_revocations_count(got), 2);
    pep_revocations_free(got);
    pep_revocations_free(first);
    pep_revocations_free(list);
    pep_private_key_free(revoker);
    kit_close(client);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void write_file(const char *folder, const char *name, struct pep_span bytes)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, f), bytes.size);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

/* policyctl's folder of an operator who holds the key that only revokes. */
static void make_desk(struct site *s, const char *folder, const struct pep_private_key *revoker)
{
    char path[128];
    struct pep_buffer private = pep_buffer_of(4096), public = pep_buffer_of(4096);
    snprintf(path, sizeof(path), "%s/policyctl", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/policyctl/keys", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(pep_private_key_to_pem(revoker, &private), 0);
    assert_int_equal(pep_public_key_to_pem(pep_private_key_public(revoker), &public), 0);
    write_file(path, "revocation.key", pep_buffer_span(&private));
    write_file(path, "revocation.pub", pep_buffer_span(&public));
    write_file(folder, "root.json", pep_root_envelope(s->d.keys.root));
    pep_buffer_free(&private);
    pep_buffer_free(&public);
}

/* The exit code of `policyctl WORDS`, in that folder. */
static int policyctl(const char *folder, const char *words)
{
    char command[1024];
    snprintf(command, sizeof(command),
             "cd %s && XDG_CONFIG_HOME=%s " POLICYCTL_PROGRAM " %s >>out 2>&1", folder, folder,
             words);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void an_operator_signs_the_list_anew(void **state)
{
    struct site *s = *state;
    char folder[] = "/tmp/pdpd-tokens-XXXXXX", words[256];
    struct pep_private_key *revoker = fixture_key("revoker");
    struct pep_revocations *list = none();
    assert_non_null(mkdtemp(folder));
    add_step(s, &list, 2);
    upload_root_with(s, revoker);
    make_desk(s, folder, revoker);
    snprintf(words, sizeof(words), "context add k %s/operator.json --root root.json", s->d.folder);
    assert_int_equal(policyctl(folder, words), 0);
    assert_int_equal(policyctl(folder, "token revoke --list"), 1);
    assert_int_equal(policyctl(folder, "token revoke --issuer i --jti j --for 1h"), 1);
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_number"), 1);
    assert_int_equal(policyctl(folder, "doctor"), 1); /* says so */
    assert_int_equal(policyctl(folder, "token revoke --renew"), 0);
    assert_true(is_signed(s));
    assert_int_equal(policyctl(folder, "token revoke --list"), 0);
    assert_int_equal(policyctl(folder, "token revoke --issuer i --jti j --for 1h"), 0);
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_number"), 3);
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_entries"), 3);
    assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    pep_revocations_free(list);
    pep_private_key_free(revoker);
}

/* ---- as many as there may be, to a real client ---- */

/* An identity folder made by libpep itself. */
static void enrol(struct site *s, const char *folder)
{
    struct kit_token secret = kit_token(&s->d, s->operator, "shop", 60, 1);
    struct pep_enrol_token t;
    struct pep_buffer text = pep_buffer_of(4096);
    memset(&t, 0, sizeof(t));
    snprintf(t.endpoints[0], sizeof(t.endpoints[0]), "tcp://127.0.0.1:%d", s->d.base + ENROL);
    t.endpoint_count = 1;
    memcpy(t.server_key, s->d.server_key, sizeof(t.server_key));
    memcpy(t.root_sha256, pep_root_digest(s->d.keys.root), sizeof(t.root_sha256));
    snprintf(t.bundle, sizeof(t.bundle), "acme");
    memcpy(t.id, secret.id, sizeof(t.id));
    memcpy(t.secret, secret.secret, sizeof(t.secret));
    assert_int_equal(pep_enrol_token_write(&t, &text), 0);
    pep_put_u8(&text, 0);
    assert_int_equal(pep_enrol((const char *)text.data, folder, KIT_PATIENCE), PEP_OK);
    pep_buffer_free(&text);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double until_it_holds(pep *p, uint64_t number)
{
    double start = seconds();
    pep_status status = PEP_STATUS_INIT;
    while (pep_get_status(p, &status), status.revocations < number && seconds() < start + 60) {
        struct timespec wait = {0, 5000000};
        nanosleep(&wait, NULL);
    }
    assert_int_equal(status.revocations, number);
    return seconds() - start;
}

static pep *open_client(const char *identity, const char *cache)
{
    pep *p = NULL;
    pep_options o = PEP_OPTIONS_INIT;
    o.identity = identity;
    o.cache = cache;
    if (pep_open(&o, &p) != PEP_OK)
        fprintf(stderr, "%s\n", pep_open_error());
    assert_non_null(p);
    return p;
}

static void a_full_list_reaches_a_client(void **state)
{
    struct site *s = *state;
    char folder[] = "/tmp/pdpd-tokens-XXXXXX", identity[64], cache[64];
    struct pep_revocations *list = none();
    assert_non_null(mkdtemp(folder));
    snprintf(identity, sizeof(identity), "%s/id", folder);
    snprintf(cache, sizeof(cache), "%s/cache", folder);
    publish(s, "acme");
    enrol(s, identity);
    double start = seconds();
    while (pep_revocations_count(list) < PEP_REVOCATIONS_MAX) {
        size_t left = PEP_REVOCATIONS_MAX - pep_revocations_count(list);
        add_step(s, &list, left < PEP_REVOCATION_STEP ? left : PEP_REVOCATION_STEP);
    }
    print_message("%d entries revoked in %.2f s\n", PEP_REVOCATIONS_MAX, seconds() - start);
    struct plan more = {time(NULL), PEP_REVOCATIONS_MAX, 1, s->d.keys.policy_key};
    struct pep_revocation surplus = entry(PEP_REVOCATIONS_MAX);
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    assert_int_equal(pep_revocation_step_write(list, more.created, &surplus, 1, &body, NULL),
                     PEP_ELIMIT);
    pep_buffer_free(&body);
    start = seconds();
    pep *p = open_client(identity, cache);
    pep_status first = PEP_STATUS_INIT;
    assert_int_equal(pep_wait_ready(p, KIT_PATIENCE), PEP_OK);
    pep_get_status(p, &first); /* no decision before it is there */
    assert_int_equal(first.revocations, pep_revocations_number(list));
    print_message("the whole list on a client after %.2f s\n", seconds() - start);
    struct plan renewal = {time(NULL), 0, 0, s->d.keys.policy_key};
    struct pep_buffer step = make_step(list, &renewal);
    json_t *answer = upload(s, s->operator, list, pep_buffer_span(&step));
    assert_true(kit_ok(answer));
    print_message("one more step after %.2f s\n",
                  until_it_holds(p, pep_revocations_number(list) + 1));
    pep_close(p);
    assert_int_equal(kit_stop(&s->d), 0);
    start = seconds();
    p = open_client(identity, cache); /* from its cache, without a server */
    until_it_holds(p, pep_revocations_number(list) + 1);
    print_message("and from its cache after %.2f s\n", seconds() - start);
    pep_close(p);
    kit_up(&s->d);
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_entries"), PEP_REVOCATIONS_MAX);
    json_decref(answer);
    pep_buffer_free(&step);
    pep_revocations_free(list);
    assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_site_up, kit_site_down)
    const struct CMUnitTest tests[] = {
        TEST(steps_follow_each_other),
        TEST(only_named_keys_and_the_present_count),
        TEST(roles_and_audit),
        TEST(steps_or_the_whole),
        TEST(the_oldest_steps_give_way),
        TEST(every_bundle_hears_and_nothing_is_lost),
        TEST(a_client_ahead_is_reported_once),
        TEST(a_new_root_says_who_revokes),
        TEST(an_operator_signs_the_list_anew),
        TEST(a_full_list_reaches_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
