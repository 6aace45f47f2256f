/* Bundles: a good one opens; changed, cut, extended, renamed, reordered or oversized ones never do.
 */
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

static struct pep_buffer small(const struct fixture *f)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(42);
    return fixture_sign_bundle(f->policy_key, &draft, fixture_small_bundle,
                               fixture_small_bundle_count);
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

static void opens_and_writes_the_same_bytes(void **state)
{
    const struct fixture *f = *state;
    struct pep_buffer bytes = small(f), again = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    struct pep_bundle *b = NULL;
    assert_int_equal(pep_bundle_open(pep_buffer_span(&bytes), f->root, FIXTURE_NOW, &b, NULL),
                     PEP_OK);
    const struct pep_manifest *m = pep_bundle_manifest(b);
    assert_string_equal(pep_manifest_name(m), "acme");
    assert_int_equal(pep_manifest_epoch(m), 1);
    assert_int_equal(pep_manifest_version(m), 42);
    assert_false(pep_manifest_provisional(m));
    assert_int_equal(pep_manifest_created(m), FIXTURE_CREATED);
    assert_int_equal(pep_manifest_expires(m), FIXTURE_EXPIRES);
    assert_int_equal(pep_manifest_max_stale(m), 86400);
    assert_string_equal(pep_manifest_author(m), "alice");
    assert_string_equal(pep_manifest_message(m), "test");
    assert_string_equal(pep_manifest_signer(m), pep_private_key_public(f->policy_key)->id);
    assert_null(pep_manifest_base(m));
    assert_false(pep_manifest_expired(m, FIXTURE_EXPIRES - 1));
    assert_true(pep_manifest_expired(m, FIXTURE_EXPIRES));
    assert_int_equal(pep_manifest_count(m), fixture_small_bundle_count);
    assert_int_equal(pep_files_count(pep_bundle_files(b)), fixture_small_bundle_count);
    for (size_t i = 0; i < fixture_small_bundle_count; i++) {
        const struct fixture_file *want = &fixture_small_bundle[i];
        const struct pep_file *got = pep_files_find(pep_bundle_files(b), want->path);
        assert_non_null(got);
        assert_true(pep_span_is(got->content, want->content));
    }
    assert_null(pep_files_find(pep_bundle_files(b), "policies/other.lua"));
    assert_int_equal(pep_bundle_write(b, &again), PEP_OK);
    assert_true(pep_span_equal(pep_buffer_span(&bytes), pep_buffer_span(&again)));
    pep_bundle_free(b);
    pep_buffer_free(&bytes);
    pep_buffer_free(&again);
}

static void every_changed_byte_is_refused(void **state)
{
    const struct fixture *f = *state;
    struct pep_buffer bytes = small(f);
    for (size_t i = 0; i < bytes.size; i++) {
        static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xff};
        for (size_t k = 0; k < sizeof(flips); k++) {
            bytes.data[i] ^= flips[k];
            assert_int_not_equal(open_bytes(f, pep_buffer_span(&bytes), NULL), PEP_OK);
            bytes.data[i] ^= flips[k];
        }
    }
    assert_int_equal(open_bytes(f, pep_buffer_span(&bytes), NULL), PEP_OK);
    pep_buffer_free(&bytes);
}

static void every_cut_and_extension_is_refused(void **state)
{
    const struct fixture *f = *state;
    struct pep_buffer bytes = small(f);
    for (size_t size = 0; size < bytes.size; size++) {
        struct pep_error err = PEP_ERROR_INIT;
        assert_int_not_equal(open_bytes(f, pep_span_of(bytes.data, size), &err), PEP_OK);
    }
    pep_put_u8(&bytes, '\n');
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(open_bytes(f, pep_buffer_span(&bytes), &err), PEP_EFORMAT);
    pep_buffer_free(&bytes);
}

static void only_policy_keys_may_sign(void **state)
{
    const struct fixture *f = *state;
    struct pep_private_key *stranger = fixture_key("stranger");
    const struct pep_private_key *wrong[] = {f->root_key, f->beacon_key, stranger};
    struct pep_manifest_draft draft = fixture_manifest_draft(42);
    for (size_t i = 0; i < 3; i++) {
        struct pep_buffer bytes =
            fixture_sign_bundle(wrong[i], &draft, fixture_small_bundle, fixture_small_bundle_count);
        assert_int_equal(open_bytes(f, pep_buffer_span(&bytes), NULL), PEP_ESIGNATURE);
        pep_buffer_free(&bytes);
    }
    pep_private_key_free(stranger);
}

static void epoch_must_be_the_roots(void **state)
{
    const struct fixture *f = *state;
    struct pep_private_key *signer = f->root_key;
    struct pep_root_draft draft = fixture_root_draft(f);
    draft.epoch = 2;
    struct pep_buffer envelope =
        fixture_sign_root(&draft, (const struct pep_private_key *const *)&signer, 1);
    struct pep_root *second = NULL;
    assert_int_equal(pep_root_open(pep_buffer_span(&envelope), NULL, &second, NULL), PEP_OK);
    static const int expect[] = {PEP_EROLLBACK, PEP_OK, PEP_ESIGNATURE};
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        struct pep_bundle *b = NULL;
        struct pep_manifest_draft m = fixture_manifest_draft(1);
        m.epoch = epoch;
        struct pep_buffer bytes = fixture_sign_bundle(f->policy_key, &m, fixture_small_bundle,
                                                      fixture_small_bundle_count);
        assert_int_equal(pep_bundle_open(pep_buffer_span(&bytes), second, FIXTURE_NOW, &b, NULL),
                         expect[epoch - 1]);
        pep_bundle_free(b);
        pep_buffer_free(&bytes);
    }
    pep_root_free(second);
    pep_buffer_free(&envelope);
}

static void an_expired_root_opens_nothing(void **state)
{
    const struct fixture *f = *state;
    struct pep_buffer bytes = small(f);
    struct pep_bundle *b = NULL;
    assert_int_equal(pep_bundle_open(pep_buffer_span(&bytes), f->root, FIXTURE_EXPIRES, &b, NULL),
                     PEP_EEXPIRED);
    assert_null(b);
    pep_buffer_free(&bytes);
}

/* ---- assembling from parts ---- */

struct parts {
    const struct fixture_file *files;
    size_t count;
    const char *missing;
};

static struct pep_span part(void *context, const struct pep_manifest_file *file)
{
    const struct parts *p = context;
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->files[i].path, file->path) == 0 &&
            (p->missing == NULL || strcmp(p->missing, file->path) != 0))
            return pep_span_string(p->files[i].content);
    }
    return (struct pep_span){NULL, 0};
}

static int assemble(const struct fixture *f, struct parts *parts)
{
    struct pep_buffer bytes = small(f);
    struct pep_manifest *m = NULL;
    struct pep_bundle *b = NULL;
    size_t line = (size_t)((uint8_t *)memchr(bytes.data, '\n', bytes.size) - bytes.data);
    assert_int_equal(
        pep_manifest_open(pep_span_of(bytes.data, line), f->root, FIXTURE_NOW, &m, NULL), PEP_OK);
    int r = pep_bundle_assemble(m, part, parts, &b, NULL);
    assert_true((b != NULL) == (r == PEP_OK));
    pep_bundle_free(b);
    pep_buffer_free(&bytes);
    return r;
}

static void assembles_only_the_signed_files(void **state)
{
    const struct fixture *f = *state;
    struct fixture_file changed[2] = {fixture_small_bundle[0], fixture_small_bundle[1]};
    struct parts good = {fixture_small_bundle, 2, NULL};
    struct parts missing = {fixture_small_bundle, 2, "bundle.json"};
    struct parts other = {changed, 2, NULL};
    assert_int_equal(assemble(f, &good), PEP_OK);
    assert_int_equal(assemble(f, &missing), PEP_ENOTFOUND);
    char copy[512];
    snprintf(copy, sizeof(copy), "%s", fixture_small_bundle[1].content);
    changed[1].content = copy;
    assert_int_equal(assemble(f, &other), PEP_OK);
    copy[3] ^= 1;
    assert_int_equal(assemble(f, &other), PEP_ESIGNATURE);
    copy[3] ^= 1;
    copy[strlen(copy) - 1] = '\0';
    assert_int_equal(assemble(f, &other), PEP_ESIGNATURE);
}

/* A line break inside the envelope is JSON white space, but would end line 1 of a bundle file. */
static void the_envelope_is_one_line(void **state)
{
    const struct fixture *f = *state;
    struct pep_buffer bytes = small(f), spaced = pep_buffer_of(PEP_ENVELOPE_MAX);
    struct pep_manifest *m = NULL;
    size_t line = (size_t)((uint8_t *)memchr(bytes.data, '\n', bytes.size) - bytes.data);
    pep_put_bytes(&spaced, bytes.data, line);
    spaced.data[line - 1] = ' ';
    pep_put_u8(&spaced, '}');
    assert_int_equal(pep_manifest_open(pep_buffer_span(&spaced), f->root, FIXTURE_NOW, &m, NULL),
                     PEP_OK);
    pep_manifest_free(m);
    m = NULL;
    spaced.data[line - 1] = '\n';
    assert_int_equal(pep_manifest_open(pep_buffer_span(&spaced), f->root, FIXTURE_NOW, &m, NULL),
                     PEP_EFORMAT);
    assert_null(m);
    pep_buffer_free(&bytes);
    pep_buffer_free(&spaced);
}

/* ---- the set of files ---- */

static void files_are_sorted_and_unique(void **state)
{
    (void)state;
    static const char *const paths[] = {"policies/b.lua", "bundle.json", "policies/a.lua",
                                        "data/z.json", "lib/m.lua"};
    struct pep_files *files = NULL;
    assert_int_equal(pep_files_new(&files), PEP_OK);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(pep_files_add(files, paths[i], pep_span_string(paths[i]), NULL), PEP_OK);
    assert_int_equal(pep_files_add(files, paths[2], pep_span_string("x"), NULL), PEP_ECONFLICT);
    assert_int_equal(pep_files_add(files, "../x", pep_span_string("x"), NULL), PEP_EFORMAT);
    assert_int_equal(pep_files_add(files, "", pep_span_string("x"), NULL), PEP_EFORMAT);
    assert_int_equal(pep_files_count(files), 5);
    for (size_t i = 0; i < 5; i++) {
        const struct pep_file *at = pep_files_at(files, i);
        assert_true(pep_span_is(at->content, at->path));
        assert_int_equal(at->content.data[at->content.size], 0);
        assert_ptr_equal(pep_files_find(files, at->path), at);
        if (i > 0)
            assert_true(strcmp(pep_files_at(files, i - 1)->path, at->path) < 0);
    }
    assert_null(pep_files_at(files, 5));
    pep_files_free(files);
}

static void files_are_bounded(void **state)
{
    (void)state;
    struct pep_files *files = NULL;
    uint8_t *big = calloc(1, PEP_DATA_MAX + 1);
    char path[64];
    assert_int_equal(pep_files_new(&files), PEP_OK);
    struct pep_span full = pep_span_of(big, PEP_DATA_MAX);
    assert_int_equal(pep_files_add(files, "schema.lua", pep_span_of(big, PEP_SOURCE_MAX + 1), NULL),
                     PEP_ELIMIT);
    assert_int_equal(pep_files_add(files, "data/x.json", pep_span_of(big, PEP_DATA_MAX + 1), NULL),
                     PEP_ELIMIT);
    for (int i = 0; i < PEP_BUNDLE_MAX / PEP_DATA_MAX; i++) {
        snprintf(path, sizeof(path), "data/%d.json", i);
        assert_int_equal(pep_files_add(files, path, full, NULL), PEP_OK);
    }
    assert_int_equal(pep_files_add(files, "bundle.json", pep_span_of(big, 1), NULL), PEP_ELIMIT);
    assert_int_equal(pep_files_add(files, "bundle.json", pep_span_of(big, 0), NULL), PEP_OK);
    pep_files_free(files);
    free(big);
}

static void a_set_holds_so_many_files(void **state)
{
    (void)state;
    struct pep_files *files = NULL;
    char path[64];
    assert_int_equal(pep_files_new(&files), PEP_OK);
    for (int i = 0; i <= PEP_BUNDLE_FILES; i++) {
        snprintf(path, sizeof(path), "data/%d.json", i);
        assert_int_equal(pep_files_add(files, path, pep_span_string(""), NULL),
                         i < PEP_BUNDLE_FILES ? PEP_OK : PEP_ELIMIT);
    }
    pep_files_free(files);
}

static void an_endless_bundle_is_not_read(void **state)
{
    const struct fixture *f = *state;
    uint8_t *big = calloc(1, PEP_BUNDLE_FILE_MAX + 1);
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(open_bytes(f, pep_span_of(big, PEP_BUNDLE_FILE_MAX + 1), &err), PEP_ELIMIT);
    assert_int_equal(open_bytes(f, pep_span_of(big, PEP_BUNDLE_FILE_MAX), NULL), PEP_EFORMAT);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_writes_the_same_bytes),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(every_cut_and_extension_is_refused),
        cmocka_unit_test(only_policy_keys_may_sign),
        cmocka_unit_test(epoch_must_be_the_roots),
        cmocka_unit_test(an_expired_root_opens_nothing),
        cmocka_unit_test(assembles_only_the_signed_files),
        cmocka_unit_test(the_envelope_is_one_line),
        cmocka_unit_test(files_are_sorted_and_unique),
        cmocka_unit_test(files_are_bounded),
        cmocka_unit_test(a_set_holds_so_many_files),
        cmocka_unit_test(an_endless_bundle_is_not_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
