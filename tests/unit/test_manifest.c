/* Manifests: well signed and still refused, member by member and path by path. */
#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct fixture f;
    f = fixture_new();
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static int open_bytes(const struct fixture *f, struct pep_span bytes, struct pep_error *err)
{
    struct pep_bundle *b = NULL;
    int r = pep_bundle_open(bytes, f->root, FIXTURE_NOW, &b, err);
    assert_true((b != NULL) == (r == PEP_OK));
    if (err != NULL)
        assert_int_equal(err->code, r);
    pep_bundle_free(b);
    return r;
}

#define HASH        "\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
#define FILE0(path) "{\"path\":\"" path "\"," HASH ",\"size\":0}"
#define GOOD                                                                                    \
    "\"name\":\"acme\",\"epoch\":1,\"version\":1,\"provisional\":false,\"created\":1700000000," \
    "\"expires\":4000000000,\"max_stale\":60,\"author\":\"a\",\"message\":\"m\",\"base\":null"

static int open_manifest(const struct fixture *f, const char *payload)
{
    const struct pep_private_key *key = f->policy_key;
    struct pep_buffer out = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    assert_int_equal(pep_envelope_sign(PEP_TYPE_BUNDLE, pep_span_string(payload), &key, 1, &out),
                     PEP_OK);
    pep_put_u8(&out, '\n');
    struct pep_error err = PEP_ERROR_INIT;
    int r = open_bytes(f, pep_buffer_span(&out), &err);
    pep_buffer_free(&out);
    return r;
}

static void file_lists(void **state)
{
    const struct fixture *f = *state;
    static const struct {
        const char *files;
        int expect;
    } cases[] = {
        {FILE0("bundle.json"), PEP_OK},
        {FILE0("schema.lua"), PEP_OK},
        {FILE0("issuers.json"), PEP_OK},
        {FILE0("policies/a.lua"), PEP_OK},
        {FILE0("policies/sub/folder/a-b_c.1.lua"), PEP_OK},
        {FILE0("lib/a.lua"), PEP_OK},
        {FILE0("data/a.json"), PEP_OK},
        {FILE0("data/a.json") "," FILE0("policies/a.lua"), PEP_OK},
        {FILE0("policies/a.lua") "," FILE0("data/a.json"), PEP_EFORMAT},
        {FILE0("policies/a.lua") "," FILE0("policies/a.lua"), PEP_EFORMAT},
        {"", PEP_ELIMIT},
        {FILE0("tests/a_test.lua"), PEP_EFORMAT},
        {FILE0("other.json"), PEP_EFORMAT},
        {FILE0("policies/a.json"), PEP_EFORMAT},
        {FILE0("policies/.lua"), PEP_EFORMAT},
        {FILE0("data/a.lua"), PEP_EFORMAT},
        {FILE0("lib/"), PEP_EFORMAT},
        {FILE0("/bundle.json"), PEP_EFORMAT},
        {FILE0("../bundle.json"), PEP_EFORMAT},
        {FILE0("policies/../bundle.json"), PEP_EFORMAT},
        {FILE0("policies/./a.lua"), PEP_EFORMAT},
        {FILE0("policies//a.lua"), PEP_EFORMAT},
        {FILE0("policies/.a.lua"), PEP_EFORMAT},
        {FILE0("policies/a b.lua"), PEP_EFORMAT},
        {FILE0("policies/a\\\\b.lua"), PEP_EFORMAT},
        {FILE0("policies/\\u00e9.lua"), PEP_EFORMAT},
        {FILE0("Policies/a.lua"), PEP_EFORMAT},
        {"{\"path\":\"bundle.json\"," HASH ",\"size\":-1}", PEP_ELIMIT},
        {"{\"path\":\"bundle.json\"," HASH ",\"size\":0.0}", PEP_EFORMAT},
        {"{\"path\":\"bundle.json\"," HASH ",\"size\":1048577}", PEP_ELIMIT},
        {"{\"path\":\"schema.lua\"," HASH ",\"size\":262145}", PEP_ELIMIT},
        {"{\"path\":\"schema.lua\"," HASH ",\"size\":262144}", PEP_EFORMAT}, /* and cut off */
        {"{\"path\":\"bundle.json\"," HASH ",\"size\":0,\"mode\":1}", PEP_EFORMAT},
        {"{\"path\":\"bundle.json\",\"sha256\":\"00\",\"size\":0}", PEP_EFORMAT},
        {"{\"path\":\"bundle.json\",\"size\":0}", PEP_EFORMAT},
        {"1", PEP_EFORMAT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char payload[2048];
        snprintf(payload, sizeof(payload), "{" GOOD ",\"files\":[%s]}", cases[i].files);
        int r = open_manifest(f, payload);
        if (r != cases[i].expect)
            fail_msg("%s: %d, expected %d", cases[i].files, r, cases[i].expect);
    }
}

static void too_many_bytes_in_all(void **state)
{
    const struct fixture *f = *state;
    /* Nine files of 1 MiB each: none too large alone. */
    struct pep_buffer b = pep_buffer_of(PEP_PAYLOAD_MAX);
    pep_put_format(&b, "{" GOOD ",\"files\":[");
    for (int i = 0; i < 9; i++)
        pep_put_format(&b, "%s{\"path\":\"data/%d.json\"," HASH ",\"size\":1048576}",
                       i == 0 ? "" : ",", i);
    pep_put_format(&b, "]}");
    assert_int_equal(open_manifest(f, (const char *)b.data), PEP_ELIMIT);
    pep_buffer_free(&b);
}

static void too_many_files(void **state)
{
    (void)state;
    for (int count = PEP_BUNDLE_FILES; count <= PEP_BUNDLE_FILES + 1; count++) {
        struct pep_buffer b = pep_buffer_of(PEP_PAYLOAD_MAX);
        pep_put_format(&b, "{" GOOD ",\"files\":[");
        for (int i = 0; i < count; i++)
            pep_put_format(&b, "%s{\"path\":\"data/%05d.json\"," HASH ",\"size\":0}",
                           i == 0 ? "" : ",", i);
        pep_put_format(&b, "]}");
        assert_int_equal(pep_manifest_check(pep_buffer_span(&b), NULL),
                         count == PEP_BUNDLE_FILES ? PEP_OK : PEP_ELIMIT);
        pep_buffer_free(&b);
    }
}

/* The good manifest with one member replaced, or left out when `value` is NULL. */
static int with_member(const char *name, const char *value)
{
    json_error_t je;
    json_t *doc = json_loads("{" GOOD ",\"files\":[" FILE0("bundle.json") "]}", 0, &je);
    assert_non_null(doc);
    if (value == NULL)
        json_object_del(doc, name);
    else
        json_object_set_new(doc, name, json_loads(value, JSON_DECODE_ANY, &je));
    char *text = json_dumps(doc, JSON_COMPACT);
    int r = pep_manifest_check(pep_span_string(text), NULL);
    free(text);
    json_decref(doc);
    return r;
}

static void members(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        int expect;
    } cases[] = {
        {"name", "\"a\"", PEP_OK},
        {"name", "\"0.a_b-c\"", PEP_OK},
        {"name", "\"\"", PEP_EFORMAT},
        {"name", "\"Acme\"", PEP_EFORMAT},
        {"name", "\".acme\"", PEP_EFORMAT},
        {"name", "\"a/b\"", PEP_EFORMAT},
        {"name", "\"012345678901234567890123456789012345678901234567890123456789012\"", PEP_OK},
        {"name", "\"0123456789012345678901234567890123456789012345678901234567890123\"",
         PEP_ELIMIT},
        {"epoch", "4294967295", PEP_OK},
        {"epoch", "4294967296", PEP_ELIMIT},
        {"epoch", "0", PEP_ELIMIT},
        {"version", "9007199254740992", PEP_OK},
        {"version", "9007199254740993", PEP_ELIMIT},
        {"version", "0", PEP_ELIMIT},
        {"version", "-1", PEP_ELIMIT},
        {"version", "1.0", PEP_EFORMAT},
        {"version", "\"1\"", PEP_EFORMAT},
        {"provisional", "0", PEP_EFORMAT},
        {"provisional", "true", PEP_ELIMIT}, /* for longer than a week */
        {"expires", "1700000000", PEP_OK},
        {"expires", "1699999999", PEP_EFORMAT},
        {"created", "-1", PEP_ELIMIT},
        {"max_stale", "0", PEP_ELIMIT},
        {"max_stale", "1", PEP_OK},
        {"author", "null", PEP_EFORMAT},
        {"message", "\"\"", PEP_OK},
        {"base", "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
         PEP_OK},
        {"base", "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
         PEP_EFORMAT},
        {"base", "0", PEP_EFORMAT},
        {"extra", "1", PEP_EFORMAT},
        {"files", "{}", PEP_EFORMAT},
    };
    static const char *const all[] = {"name",    "epoch",   "version",   "provisional",
                                      "created", "expires", "max_stale", "author",
                                      "message", "base",    "files"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int r = with_member(cases[i].name, cases[i].value);
        if (r != cases[i].expect)
            fail_msg("%s = %s: %d, expected %d", cases[i].name, cases[i].value, r, cases[i].expect);
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        assert_int_equal(with_member(all[i], NULL), PEP_EFORMAT);
}

static void provisional_lives_a_week(void **state)
{
    const struct fixture *f = *state;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_files *files = fixture_files(fixture_small_bundle, fixture_small_bundle_count);
    struct pep_buffer out = pep_buffer_of(PEP_PAYLOAD_MAX);
    struct pep_manifest_draft d = fixture_manifest_draft(7);
    d.provisional = true;
    d.expires = d.created + PEP_PROVISIONAL_MAX + 1;
    assert_int_equal(pep_manifest_write(&d, files, &out, &err), PEP_ELIMIT);
    assert_int_equal(out.size, 0);
    d.expires--;
    assert_int_equal(pep_manifest_write(&d, files, &out, NULL), PEP_OK);
    struct pep_buffer bytes =
        fixture_sign_bundle(f->policy_key, &d, fixture_small_bundle, fixture_small_bundle_count);
    struct pep_bundle *b = NULL;
    assert_int_equal(pep_bundle_open(pep_buffer_span(&bytes), f->root, FIXTURE_NOW, &b, NULL),
                     PEP_OK);
    assert_true(pep_manifest_provisional(pep_bundle_manifest(b)));
    pep_bundle_free(b);
    pep_files_free(files);
    pep_buffer_free(&out);
    pep_buffer_free(&bytes);
}

static void the_wrong_type_is_refused(void **state)
{
    const struct fixture *f = *state;
    const struct pep_private_key *key = f->policy_key;
    static const char payload[] = "{" GOOD ",\"files\":[" FILE0("bundle.json") "]}";
    struct pep_buffer out = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    assert_int_equal(pep_envelope_sign(PEP_TYPE_ROOT, pep_span_string(payload), &key, 1, &out),
                     PEP_OK);
    pep_put_u8(&out, '\n');
    assert_int_equal(open_bytes(f, pep_buffer_span(&out), NULL), PEP_EFORMAT);
    pep_buffer_free(&out);
}

static void the_base_is_the_one_drafted(void **state)
{
    const struct fixture *f = *state;
    uint8_t base[PEP_SHA256_SIZE] = {1, 2, 3};
    struct pep_manifest_draft d = fixture_manifest_draft(8);
    struct pep_bundle *b = NULL;
    d.base = base;
    struct pep_buffer bytes =
        fixture_sign_bundle(f->policy_key, &d, fixture_small_bundle, fixture_small_bundle_count);
    assert_int_equal(pep_bundle_open(pep_buffer_span(&bytes), f->root, FIXTURE_NOW, &b, NULL),
                     PEP_OK);
    assert_memory_equal(pep_manifest_base(pep_bundle_manifest(b)), base, sizeof(base));
    pep_bundle_free(b);
    pep_buffer_free(&bytes);
}

static void the_digest_is_of_the_exact_payload(void **state)
{
    const struct fixture *f = *state;
    struct pep_manifest_draft d = fixture_manifest_draft(8);
    struct pep_files *files = fixture_files(fixture_small_bundle, fixture_small_bundle_count);
    struct pep_buffer payload = pep_buffer_of(PEP_PAYLOAD_MAX);
    uint8_t digest[PEP_SHA256_SIZE];
    assert_int_equal(pep_manifest_write(&d, files, &payload, NULL), PEP_OK);
    assert_int_equal(pep_sha256(pep_buffer_span(&payload), digest), PEP_OK);
    struct pep_bundle *b = fixture_bundle(f, 8, fixture_small_bundle, fixture_small_bundle_count);
    assert_memory_equal(pep_manifest_digest(pep_bundle_manifest(b)), digest, sizeof(digest));
    pep_bundle_free(b);
    pep_files_free(files);
    pep_buffer_free(&payload);
}

static void drafts_are_utf8(void **state)
{
    (void)state;
    struct pep_files *files = fixture_files(fixture_small_bundle, fixture_small_bundle_count);
    struct pep_buffer out = pep_buffer_of(PEP_PAYLOAD_MAX);
    struct pep_manifest_draft d = fixture_manifest_draft(8);
    d.message = "caf\xc3\xa9";
    assert_int_equal(pep_manifest_write(&d, files, &out, NULL), PEP_OK);
    size_t size = out.size;
    d.message = "caf\xc3";
    assert_int_equal(pep_manifest_write(&d, files, &out, NULL), PEP_EFORMAT);
    d = fixture_manifest_draft(8);
    d.author = "\xff";
    assert_int_equal(pep_manifest_write(&d, files, &out, NULL), PEP_EFORMAT);
    assert_int_equal(out.size, size);
    pep_files_free(files);
    pep_buffer_free(&out);
}

static void versions_compare_by_epoch_first(void **state)
{
    (void)state;
    assert_int_equal(pep_version_compare(1, 9, 2, 1), -1);
    assert_int_equal(pep_version_compare(2, 1, 1, 9), 1);
    assert_int_equal(pep_version_compare(1, 1, 1, 2), -1);
    assert_int_equal(pep_version_compare(1, 2, 1, 1), 1);
    assert_int_equal(pep_version_compare(1, 2, 1, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_lists),
        cmocka_unit_test(too_many_bytes_in_all),
        cmocka_unit_test(too_many_files),
        cmocka_unit_test(members),
        cmocka_unit_test(provisional_lives_a_week),
        cmocka_unit_test(the_wrong_type_is_refused),
        cmocka_unit_test(the_base_is_the_one_drafted),
        cmocka_unit_test(the_digest_is_of_the_exact_payload),
        cmocka_unit_test(drafts_are_utf8),
        cmocka_unit_test(versions_compare_by_epoch_first),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
