/* From a push to a client's answer: what becomes a version, and what a client then gets. */
#include "pdpd_kit.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct site *s = calloc(1, sizeof(*s));
    s->d = kit_daemon();
    kit_up(&s->d);
    s->operator= kit_operator(&s->d);
    *state = s;
    return 0;
}

static bool refused(struct site *s, struct pep_buffer bundle, const char *code)
{
    json_t *answer = kit_push(&s->d, s->operator, pep_buffer_span(&bundle));
    pep_buffer_free(&bundle);
    return kit_code(answer, code);
}

static bool accepted(struct site *s, struct pep_buffer bundle, uint64_t version,
                     uint8_t digest[PEP_SHA256_SIZE])
{
    json_t *answer = kit_push(&s->d, s->operator, pep_buffer_span(&bundle));
    bool ok = kit_ok(answer) &&
              json_integer_value(json_object_get(answer, "version")) == (json_int_t)version;
    if (!ok)
        fprintf(stderr, "%s\n", json_string_value(json_object_get(answer, "message")));
    if (digest != NULL)
        kit_digest(pep_buffer_span(&bundle), digest);
    json_decref(answer);
    pep_buffer_free(&bundle);
    return ok;
}

static struct pep_head head_of(struct site *s)
{
    struct pep_head h = {0};
    json_t *a =
        kit_operate(&s->d, s->operator, json_pack("{s:s, s:s}", "op", "head", "bundle", "acme"),
                    pep_span_of(NULL, 0), NULL);
    assert_true(kit_ok(a));
    h.version = (uint64_t)json_integer_value(json_object_get(a, "version"));
    h.epoch = (uint32_t)json_integer_value(json_object_get(a, "epoch"));
    const char *digest = json_string_value(json_object_get(a, "digest"));
    if (digest != NULL)
        assert_int_equal(pep_digest_parse(pep_span_string(digest), h.digest), 0);
    json_decref(a);
    return h;
}

static void without_a_root_nothing_is_accepted(void **state)
{
    struct site *s = *state;
    assert_true(refused(s, kit_bundle(&s->d, 1, NULL, "x"), "no_root"));
    assert_true(kit_code(kit_operate(&s->d, s->operator,
                                     json_pack("{s:s, s:i}", "op", "root.get", "version", 0),
                                     pep_span_of(NULL, 0), NULL),
                         "no_root"));
    kit_upload_root(&s->d, s->operator);
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "x"), 1, NULL));
}

static void root_once_and_along_its_chain(void **state)
{
    struct site *s = *state;
    struct pep_span none = pep_span_of(NULL, 0);
    json_t *upload = json_pack("{s:s}", "op", "root.upload");
    /* Of another server: refused. */
    struct pep_span foreign = pep_root_envelope(s->d.keys.root);
    assert_true(
        kit_code(kit_operate(&s->d, s->operator, json_incref(upload), foreign, NULL), "refused"));
    assert_true(
        kit_code(kit_operate(&s->d, s->operator, json_incref(upload), none, NULL), "refused"));
    kit_upload_root(&s->d, s->operator);
    kit_upload_root(&s->d, s->operator); /* the very same again: an answer may have been lost */
    struct pep_private_key *stranger = fixture_key("stranger");
    struct pep_root_draft draft = fixture_root_draft(&s->d.keys);
    draft.version = 2;
    const struct pep_private_key *signer = stranger;
    struct pep_buffer forged = fixture_sign_root(&draft, &signer, 1);
    assert_true(kit_code(
        kit_operate(&s->d, s->operator, json_incref(upload), pep_buffer_span(&forged), NULL),
        "root_exists"));
    struct pep_buffer next = kit_root(&s->d, s->operator, 2);
    json_t *answer =
        kit_operate(&s->d, s->operator, json_incref(upload), pep_buffer_span(&next), NULL);
    assert_true(kit_ok(answer));
    assert_int_equal(json_integer_value(json_object_get(answer, "version")), 2);
    json_decref(answer);
    json_decref(upload);
    pep_buffer_free(&forged);
    pep_buffer_free(&next);
    pep_private_key_free(stranger);
}

static void versions_are_compared_and_set(void **state)
{
    struct site *s = *state;
    uint8_t first[PEP_SHA256_SIZE], second[PEP_SHA256_SIZE], nowhere[PEP_SHA256_SIZE] = {9};
    kit_upload_root(&s->d, s->operator);
    assert_int_equal(head_of(s).version, 0);
    assert_true(refused(s, kit_bundle(&s->d, 1, nowhere, "x"), "conflict"));
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "one"), 1, first));
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "one"), 1, NULL));
    assert_true(refused(s, kit_bundle(&s->d, 1, NULL, "other"), "conflict"));
    assert_true(refused(s, kit_bundle(&s->d, 2, NULL, "two"), "conflict"));
    assert_true(refused(s, kit_bundle(&s->d, 2, nowhere, "two"), "conflict"));
    assert_true(accepted(s, kit_bundle(&s->d, 5, first, "two"), 5, second));
    assert_true(refused(s, kit_bundle(&s->d, 4, second, "three"), "conflict"));
    struct pep_head head = head_of(s);
    assert_int_equal(head.version, 5);
    assert_memory_equal(head.digest, second, sizeof(second));
    assert_int_equal(kit_metric(&s->d, "pdpd_pushes_total"), 2);
    assert_int_equal(kit_metric(&s->d, "pdpd_pushes_refused_total"), 5);
}

static struct pep_buffer changed_bundle(struct site *s, const char *what)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    struct pep_private_key *key = NULL;
    if (strcmp(what, "expired") == 0)
        draft.expires = FIXTURE_CREATED + 60;
    if (strcmp(what, "epoch") == 0)
        draft.epoch = 2;
    if (strcmp(what, "provisional") == 0) {
        draft.provisional = true;
        draft.created = time(NULL);
        draft.expires = draft.created + 3600;
    }
    if (strcmp(what, "stranger") == 0)
        key = fixture_key("stranger");
    struct pep_buffer b = fixture_sign_bundle(key != NULL ? key : s->d.keys.policy_key, &draft,
                                              fixture_small_bundle, fixture_small_bundle_count);
    if (strcmp(what, "truncated") == 0)
        b.size -= 1;
    if (strcmp(what, "trailing") == 0)
        pep_put_u8(&b, 'x');
    if (strcmp(what, "flipped") == 0)
        b.data[b.size - 3] ^= 1;
    pep_private_key_free(key);
    return b;
}

static void bad_bundles_are_refused_and_change_nothing(void **state)
{
    struct site *s = *state;
    static const char *const kinds[] = {"expired",   "epoch",    "provisional", "stranger",
                                        "truncated", "trailing", "flipped"};
    kit_upload_root(&s->d, s->operator);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        assert_true(refused(s, changed_bundle(s, kinds[i]), "refused"));
    struct pep_buffer noise = pep_buffer_of(16);
    pep_put_format(&noise, "not a bundle");
    assert_true(refused(s, noise, "refused"));
    assert_int_equal(head_of(s).version, 0);
    assert_true(accepted(s, changed_bundle(s, "good"), 1, NULL));
}

static void a_policy_that_does_not_compile_is_refused(void **state)
{
    struct site *s = *state;
    struct fixture_file files[2] = {fixture_small_bundle[0],
                                    {"policies/broken.lua", "allow \"x\" { action = \n"}};
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    kit_upload_root(&s->d, s->operator);
    assert_true(refused(s, fixture_sign_bundle(s->d.keys.policy_key, &draft, files, 2), "refused"));
    files[1].content = "while true do end\n"; /* beacons must go on beside this */
    assert_true(refused(s, fixture_sign_bundle(s->d.keys.policy_key, &draft, files, 2), "refused"));
    assert_int_equal(head_of(s).version, 0);
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "x"), 1, NULL));
}

/* A version with three megabytes of data. */
static struct pep_buffer large_bundle(struct site *s, char *text, size_t size)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    struct fixture_file files[] = {fixture_small_bundle[0],
                                   fixture_small_bundle[1],
                                   {"data/a.json", text},
                                   {"data/b.json", text + 1},
                                   {"data/c.json", text + 2}};
    memset(text, ' ', size);
    memcpy(text + size - 3, "{}", 3);
    return fixture_sign_bundle(s->d.keys.policy_key, &draft, files, 5);
}

static int readiness(const struct site *s)
{
    char *body = NULL;
    int status = kit_get(&s->d, "/readyz", &body);
    free(body);
    return status;
}

/* The daemon's file-size limit is what a test without root can make of a full disk. */
static void a_full_disk_refuses_and_changes_nothing(void **state)
{
    struct site *s = *state;
    size_t size = 1000 * 1000;
    char *text = malloc(size);
    struct rlimit before, small;
    kit_upload_root(&s->d, s->operator);
    assert_int_equal(prlimit(s->d.pid, RLIMIT_FSIZE, NULL, &before), 0);
    small = before;
    small.rlim_cur = 1024 * 1024;
    assert_int_equal(prlimit(s->d.pid, RLIMIT_FSIZE, &small, NULL), 0);
    assert_true(refused(s, large_bundle(s, text, size), "full"));
    assert_int_equal(head_of(s).version, 0);
    assert_int_equal(prlimit(s->d.pid, RLIMIT_FSIZE, &before, NULL), 0);
    assert_true(accepted(s, large_bundle(s, text, size), 1, NULL));
    assert_int_equal(readiness(s), 200);
    free(text);
}

static void what_was_pushed_can_be_had_back_byte_for_byte(void **state)
{
    struct site *s = *state;
    uint8_t first[PEP_SHA256_SIZE];
    struct pep_buffer got = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    kit_upload_root(&s->d, s->operator);
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "one"), 1, first));
    assert_true(accepted(s, kit_bundle(&s->d, 2, first, "two"), 2, NULL));
    struct pep_buffer one = kit_bundle(&s->d, 1, NULL, "one");
    json_t *answer = kit_operate(&s->d, s->operator, json_pack("{s:s, s:s, s:i}", "op", "get",
                                                               "bundle", "acme", "version", 1),
                                 pep_span_of(NULL, 0), &got);
    assert_true(kit_ok(answer));
    assert_int_equal(got.size, one.size);
    assert_memory_equal(got.data, one.data, one.size);
    json_decref(answer);
    pep_buffer_free(&got);
    pep_buffer_free(&one);
    answer = kit_operate(&s->d, s->operator, json_pack("{s:s}", "op", "history"),
                         pep_span_of(NULL, 0), NULL);
    json_t *versions = json_object_get(answer, "versions");
    assert_int_equal(json_array_size(versions), 2);
    json_t *newest = json_array_get(versions, 0);
    assert_int_equal(json_integer_value(json_object_get(newest, "version")), 2);
    assert_string_equal(json_string_value(json_object_get(newest, "state")), "live");
    assert_string_equal(json_string_value(json_object_get(newest, "key_name")), "policy");
    json_decref(answer);
    assert_true(kit_code(kit_operate(&s->d, s->operator, json_pack("{s:s, s:s, s:i}", "op", "get",
                                                                   "bundle", "acme", "version", 3),
                                     pep_span_of(NULL, 0), NULL),
                         "not_found"));
}

static void *client_socket(struct site *s, int type, int port)
{
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 1);
    struct peer_keys keys = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_ENROLLED);
    return kit_connect(&s->d, type, port, &keys);
}

static void a_client_gets_its_version(void **state)
{
    struct site *s = *state;
    struct kit_message rest;
    kit_upload_root(&s->d, s->operator);
    void *client = client_socket(s, ZMQ_DEALER, FETCH);
    kit_fetch(client, "acme", NULL);
    assert_int_equal(kit_answer(&s->d, client, NULL).kind, PEP_ANSWER_NONE);
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "one"), 1, NULL));
    kit_fetch(client, "acme", NULL);
    struct pep_answer a = kit_answer(&s->d, client, &rest);
    assert_int_equal(a.kind, PEP_ANSWER_VERSION);
    assert_int_equal(a.head.version, 1);
    assert_int_equal(rest.count, 2 + a.roots + a.files);
    assert_int_equal(a.files, 3);
    kit_clear(&rest);
    kit_fetch(client, "acme", &a.head);
    assert_int_equal(kit_answer(&s->d, client, NULL).kind, PEP_ANSWER_SAME);
    kit_close(client);
}

/* The type of the answer to a WANT for the file `{"note": NOTE}` under this bundle's name. */
static int ask_for_note(void *client, const char *bundle, const char *note)
{
    char text[256];
    struct pep_want want = {.count = 1};
    struct kit_message m;
    snprintf(want.bundle, sizeof(want.bundle), "%s", bundle);
    snprintf(text, sizeof(text), "{\"note\": \"%s\"}\n", note);
    assert_int_equal(pep_sha256(pep_span_string(text), want.hashes[0]), 0);
    struct pep_buffer frame = pep_buffer_of(PEP_REQUEST_MAX);
    pep_want_write(&want, &frame);
    struct pep_span span = pep_buffer_span(&frame);
    kit_send(client, &span, 1);
    pep_buffer_free(&frame);
    assert_true(kit_receive(client, KIT_PATIENCE, &m));
    int type = pep_message_type(pep_buffer_span(&m.frames[0]));
    kit_clear(&m);
    return type;
}

static void a_bundle_out_of_scope_does_not_exist(void **state)
{
    struct site *s = *state;
    kit_upload_root(&s->d, s->operator);
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "ours"), 1, NULL));
    assert_true(accepted(s, kit_bundle_of(&s->d, "theirs", 1, NULL, "secret"), 1, NULL));
    void *client = client_socket(s, ZMQ_DEALER, FETCH);
    const char *const others[] = {"theirs", "nothing"};
    for (size_t i = 0; i < 2; i++) {
        struct kit_message rest;
        kit_fetch(client, others[i], NULL);
        struct pep_answer a = kit_answer(&s->d, client, &rest);
        assert_int_equal(a.kind, PEP_ANSWER_NONE);
        assert_int_equal(a.files, 0);
        assert_int_equal(a.head.version, 0);
        kit_clear(&rest);
        assert_int_equal(ask_for_note(client, others[i], "secret"), PEP_MSG_REFUSED);
    }
    assert_int_equal(ask_for_note(client, "acme", "secret"), PEP_MSG_REFUSED);
    assert_int_equal(ask_for_note(client, "acme", "ours"), PEP_MSG_FILE);
    kit_close(client);
}

static void only_changed_files_travel(void **state)
{
    struct site *s = *state;
    struct kit_message rest;
    uint8_t first[PEP_SHA256_SIZE];
    kit_upload_root(&s->d, s->operator);
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "one"), 1, first));
    struct pep_head one = head_of(s);
    assert_true(accepted(s, kit_bundle(&s->d, 2, first, "two"), 2, NULL));
    void *client = client_socket(s, ZMQ_DEALER, FETCH);
    kit_fetch(client, "acme", &one);
    struct pep_answer a = kit_answer(&s->d, client, &rest);
    assert_int_equal(a.files, 1);
    assert_int_equal(rest.count, 3);
    struct pep_file_frame file;
    assert_int_equal(pep_file_read(pep_buffer_span(&rest.frames[2]), &file), 0);
    assert_true(pep_span_is(file.content, "{\"note\": \"two\"}\n"));
    /* By hash, and a hash that is not there. */
    struct pep_want want = {.bundle = "acme", .count = 1};
    memcpy(want.hashes[0], file.hash, sizeof(file.hash));
    for (int i = 0; i < 2; i++) {
        struct pep_buffer frame = pep_buffer_of(PEP_REQUEST_MAX);
        struct kit_message m;
        pep_want_write(&want, &frame);
        struct pep_span span = pep_buffer_span(&frame);
        kit_send(client, &span, 1);
        pep_buffer_free(&frame);
        assert_true(kit_receive(client, KIT_PATIENCE, &m));
        assert_int_equal(pep_message_type(pep_buffer_span(&m.frames[0])),
                         i == 0 ? PEP_MSG_FILE : PEP_MSG_REFUSED);
        kit_clear(&m);
        want.hashes[0][0] ^= 1;
    }
    kit_clear(&rest);
    kit_close(client);
}

static struct pep_notice next_notice(struct site *s, void *sub)
{
    struct kit_message m;
    struct pep_notice n;
    assert_true(kit_receive(sub, 5000, &m));
    assert_int_equal(m.count, 2);
    assert_true(m.frames[1].size <= PEP_NOTICE_MAX);
    assert_true(pep_span_equal(pep_buffer_span(&m.frames[0]), pep_span_of("acme", 5)));
    struct pep_span body = kit_verified(&s->d, PEP_TYPE_NOTICE, pep_buffer_span(&m.frames[1]));
    assert_int_equal(pep_notice_read(body, &n), 0);
    kit_clear(&m);
    return n;
}

static void notices_rise_also_over_a_kill(void **state)
{
    struct site *s = *state;
    uint8_t first[PEP_SHA256_SIZE];
    kit_upload_root(&s->d, s->operator);
    assert_true(accepted(s, kit_bundle(&s->d, 1, NULL, "one"), 1, first));
    void *sub = client_socket(s, ZMQ_SUB, NOTICES);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "acme", 5);
    struct pep_notice a = next_notice(s, sub), b = next_notice(s, sub);
    assert_true(b.seq > a.seq && b.issued_at > a.issued_at);
    assert_int_equal(b.head.version, 1);
    assert_true(accepted(s, kit_bundle(&s->d, 2, first, "two"), 2, NULL));
    while (b.head.version != 2)
        b = next_notice(s, sub);
    kill(s->d.pid, SIGKILL);
    assert_int_equal(kit_wait_end(&s->d), 128 + SIGKILL);
    kit_up(&s->d);
    struct pep_notice c = next_notice(s, sub);
    assert_true(c.seq > b.seq);
    assert_int_equal(c.head.version, 2);
    kit_close(sub);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, kit_site_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_root_nothing_is_accepted),
        TEST(root_once_and_along_its_chain),
        TEST(versions_are_compared_and_set),
        TEST(bad_bundles_are_refused_and_change_nothing),
        TEST(a_policy_that_does_not_compile_is_refused),
        TEST(a_full_disk_refuses_and_changes_nothing),
        TEST(what_was_pushed_can_be_had_back_byte_for_byte),
        TEST(a_client_gets_its_version),
        TEST(a_bundle_out_of_scope_does_not_exist),
        TEST(only_changed_files_travel),
        TEST(notices_rise_also_over_a_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
