/* The scenarios of failing.h for everything signed: JSON, bundles, roots, keys, messages, tokens.
 */
#include "failing.h"

#include "pep/core/json.h"
#include "tests/support/fixture.h"
#include "tests/support/messages.h"

/* ---- what the scenarios work on ---- */

static struct fixture fixture;
static struct pep_buffer bundle_bytes, root_2, token_text;
static struct pep_root_draft root_draft;

static int setup(void **state)
{
    (void)state;
    fixture = fixture_new();
    struct pep_manifest_draft draft = fixture_manifest_draft(3);
    bundle_bytes = fixture_sign_bundle(fixture.policy_key, &draft, fixture_small_bundle,
                                       fixture_small_bundle_count);
    const struct pep_private_key *key = fixture.root_key;
    root_draft = fixture_root_draft(&fixture);
    root_draft.version = 2;
    root_2 = fixture_sign_root(&root_draft, &key, 1);
    struct pep_enrol_token token = {.endpoints = {"tcp://127.0.0.1:7612"},
                                    .endpoint_count = 1,
                                    .server_key = FIXTURE_SERVER,
                                    .bundle = "acme",
                                    .id = "00112233445566778899aabbccddeeff"};
    token_text = pep_buffer_of(16384);
    assert_int_equal(pep_enrol_token_write(&token, &token_text), PEP_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pep_buffer_free(&bundle_bytes);
    pep_buffer_free(&root_2);
    pep_buffer_free(&token_text);
    fixture_free(&fixture);
    return 0;
}

/* ---- the scenarios: each checks its own result and frees it ---- */

/* Strings and numbers on both sides of the sizes at which a parser's buffer grows. */
static int parse_json(void)
{
    static const char text[] =
        "{\"a\":1,\"0123456789abc\":\"0123456789abc\",\"0123456789abcd\":\"0123456789abcd\","
        "\"0123456789abcdefghijklmnopqrs\":1234567890123456,"
        "\"0123456789abcdefghijklmnopqrst\":[1.2345678901234567890123456789012345,true,null],"
        "\"k\":\"0123456789abcdef\\u00e90123456789abcdef0123456789abcdef012345678\\\"9abcdef\"}";
    json_t *value = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_json_parse(pep_span_string(text), 4096, "text", &value, &err);
    assert_true((value != NULL) == (r == PEP_OK));
    assert_int_equal(err.code, r);
    if (r == PEP_OK) {
        assert_int_equal(json_object_size(value), 6);
        assert_string_equal(json_string_value(json_object_get(value, "0123456789abcd")),
                            "0123456789abcd");
        assert_true(json_integer_value(json_object_get(value, "0123456789abcdefghijklmnopqrs")) ==
                    1234567890123456);
        assert_string_equal(json_string_value(json_object_get(value, "k")),
                            "0123456789abcdef\xc3\xa9"
                            "0123456789abcdef0123456789abcdef012345678\"9abcdef");
    }
    json_decref(value);
    return r;
}

static int open_bundle(void)
{
    struct pep_bundle *b = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer out = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    int r = pep_bundle_open(pep_buffer_span(&bundle_bytes), fixture.root, FIXTURE_NOW, &b, &err);
    assert_true((b != NULL) == (r == PEP_OK));
    assert_int_equal(err.code, r);
    if (r == PEP_OK) {
        assert_int_equal(pep_manifest_version(pep_bundle_manifest(b)), 3);
        assert_string_equal(pep_manifest_name(pep_bundle_manifest(b)), "acme");
        assert_int_equal(pep_files_count(pep_bundle_files(b)), fixture_small_bundle_count);
        r = pep_bundle_write(b, &out);
        if (r == PEP_OK)
            assert_true(pep_span_equal(pep_buffer_span(&out), pep_buffer_span(&bundle_bytes)));
    }
    pep_bundle_free(b);
    pep_buffer_free(&out);
    return r;
}

static int follow_root(void)
{
    struct pep_root *first = NULL, *second = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r =
        pep_root_open(pep_root_envelope(fixture.root), pep_root_digest(fixture.root), &first, &err);
    assert_true((first != NULL) == (r == PEP_OK));
    if (r == PEP_OK) {
        r = pep_root_follow(first, pep_buffer_span(&root_2), &second, &err);
        assert_true((second != NULL) == (r == PEP_OK));
    }
    if (r == PEP_OK) {
        assert_int_equal(pep_root_version(second), 2);
        assert_string_equal(pep_root_server(second, 0), FIXTURE_SERVER);
    }
    assert_int_equal(err.code, r);
    pep_root_free(first);
    pep_root_free(second);
    return r;
}

static int write_root(void)
{
    struct pep_buffer out = pep_buffer_of(PEP_ROOT_MAX);
    const struct pep_private_key *key = fixture.root_key;
    struct pep_buffer envelope = pep_buffer_of(PEP_ROOT_MAX);
    int r = pep_root_write(&root_draft, &out, NULL);
    if (r == PEP_OK)
        r = pep_envelope_sign(PEP_TYPE_ROOT, pep_buffer_span(&out), &key, 1, &envelope);
    if (r == PEP_OK)
        assert_true(pep_span_equal(pep_buffer_span(&envelope), pep_buffer_span(&root_2)));
    pep_buffer_free(&out);
    pep_buffer_free(&envelope);
    return r;
}

static int write_bundle(void)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(3);
    struct pep_files *files = NULL;
    const struct pep_private_key *key = fixture.policy_key;
    struct pep_buffer payload = pep_buffer_of(PEP_PAYLOAD_MAX),
                      out = pep_buffer_of(PEP_PAYLOAD_MAX);
    int r = pep_files_new(&files);
    for (size_t i = 0; r == PEP_OK && i < fixture_small_bundle_count; i++)
        r = pep_files_add(files, fixture_small_bundle[i].path,
                          pep_span_string(fixture_small_bundle[i].content), NULL);
    if (r == PEP_OK)
        r = pep_manifest_write(&draft, files, &payload, NULL);
    if (r == PEP_OK)
        r = pep_envelope_sign(PEP_TYPE_BUNDLE, pep_buffer_span(&payload), &key, 1, &out);
    if (r == PEP_OK)
        assert_memory_equal(out.data, bundle_bytes.data, out.size);
    pep_files_free(files);
    pep_buffer_free(&payload);
    pep_buffer_free(&out);
    return r;
}

static int keys_and_statements(void)
{
    struct pep_private_key *key = NULL, *again = NULL;
    struct pep_buffer pem = pep_buffer_of(1024), message = pep_buffer_of(1024);
    struct pep_span body;
    int r = pep_private_key_generate(&key);
    if (r == PEP_OK)
        r = pep_private_key_to_pem(key, &pem);
    if (r == PEP_OK)
        r = pep_private_key_from_pem(pep_buffer_span(&pem), &again, NULL);
    if (r == PEP_OK)
        r = pep_compact_sign(PEP_TYPE_NOTICE, pep_span_string("body"), again, &message);
    if (r == PEP_OK) {
        struct pep_signers signers = {pep_private_key_public(key), 1, 1};
        r = pep_compact_verify(pep_buffer_span(&message), PEP_TYPE_NOTICE, &signers, &body);
    }
    if (r == PEP_OK)
        assert_true(pep_span_is(body, "body"));
    pep_private_key_free(key);
    pep_private_key_free(again);
    pep_buffer_free(&pem);
    pep_buffer_free(&message);
    return r;
}

static int wire_messages(void)
{
    static union any_message m;
    int r = PEP_OK;
    for (size_t i = 0; i < message_case_count; i++) {
        struct pep_buffer out = pep_buffer_of(PEP_REPLY_MAX);
        message_cases[i].example(&m);
        message_cases[i].write(&m, &out);
        if (out.failed)
            r = PEP_ENOMEM;
        else
            assert_int_equal(message_cases[i].read(pep_buffer_span(&out), &m), PEP_OK);
        assert_true(out.failed || pep_buffer_span(&out).size > 0);
        pep_buffer_free(&out);
    }
    return r;
}

static int enrol_token(void)
{
    struct pep_enrol_token token;
    struct pep_buffer out = pep_buffer_of(16384);
    int r = pep_enrol_token_read(pep_buffer_span(&token_text), &token, NULL);
    if (r == PEP_OK) {
        assert_string_equal(token.server_key, FIXTURE_SERVER);
        r = pep_enrol_token_write(&token, &out);
    }
    if (r == PEP_OK)
        assert_true(pep_span_equal(pep_buffer_span(&out), pep_buffer_span(&token_text)));
    pep_buffer_free(&out);
    return r;
}

SCENARIO(parse_json)
SCENARIO(open_bundle)
SCENARIO(follow_root)
SCENARIO(write_root)
SCENARIO(write_bundle)
SCENARIO(keys_and_statements)
SCENARIO(wire_messages)
SCENARIO(enrol_token)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_json),    cmocka_unit_test(test_open_bundle),
        cmocka_unit_test(test_follow_root),   cmocka_unit_test(test_write_root),
        cmocka_unit_test(test_write_bundle),  cmocka_unit_test(test_keys_and_statements),
        cmocka_unit_test(test_wire_messages), cmocka_unit_test(test_enrol_token),
    };
    if (!failing_install())
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
