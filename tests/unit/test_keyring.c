/* The keyring on a real folder: modes, nothing overwritten, who may sign, roots that follow. */
#include "pdp/policyctl/disk.h"
#include "pdp/policyctl/keyring.h"

#include "tests/support/fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/keyring-XXXXXX";

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    return mkdtemp(folder) == NULL || setenv("XDG_CONFIG_HOME", folder, 1) != 0;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static mode_t mode_of(const char *name)
{
    char path[CONFIG_PATH];
    struct stat st;
    assert_int_equal(config_path(path, NULL, "%s", name), PEP_OK);
    return stat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

static void first_use_makes_a_root_and_a_key(void **state)
{
    (void)state;
    bool made = false;
    struct pep_root *root = NULL;
    struct pep_private_key *key = NULL;
    assert_int_equal(keyring_local_root(&root, NULL), PEP_ENOTFOUND);
    umask(0);
    assert_int_equal(keyring_ensure(KEYRING_POLICY, &made, NULL), PEP_OK);
    assert_true(made);
    assert_int_equal(mode_of("."), 0700);
    assert_int_equal(mode_of("keys"), 0700);
    assert_int_equal(mode_of("keys/root.key"), 0600);
    assert_int_equal(mode_of("keys/policy.key"), 0600);
    assert_int_equal(mode_of("keys/policy.pub"), 0644);
    assert_int_equal(keyring_local_root(&root, NULL), PEP_OK);
    assert_int_equal(pep_root_version(root), 1);
    assert_false(pep_root_expired(root, time(NULL)));
    assert_int_equal(keyring_choose(root, NULL, &key, NULL), PEP_OK);
    pep_private_key_free(key);
    pep_root_free(root);
    assert_int_equal(keyring_ensure(KEYRING_POLICY, &made, NULL), PEP_OK);
    assert_false(made);
}

static void a_key_is_never_overwritten(void **state)
{
    (void)state;
    struct pep_public_key first, again;
    assert_int_equal(keyring_generate("ops", &first, NULL), PEP_OK);
    assert_int_equal(keyring_generate("ops", &again, NULL), PEP_ECONFLICT);
    assert_int_equal(keyring_public("ops", &again, NULL), PEP_OK);
    assert_string_equal(first.id, again.id);
    assert_int_equal(keyring_generate(KEYRING_ROOT, &again, NULL), PEP_EINVAL);
    assert_int_equal(keyring_generate("../evil", &again, NULL), PEP_EINVAL);
    assert_int_equal(keyring_generate("", &again, NULL), PEP_EINVAL);
}

static void each_key_joins_the_local_root(void **state)
{
    (void)state;
    struct pep_public_key key;
    struct pep_root *before = NULL, *after = NULL, *followed = NULL;
    assert_int_equal(keyring_generate("one", &key, NULL), PEP_OK);
    assert_int_equal(keyring_local_root(&before, NULL), PEP_OK);
    assert_int_equal(pep_root_signers(before, PEP_ROLE_POLICY).count, 1);
    assert_int_equal(keyring_generate("two", &key, NULL), PEP_OK);
    assert_int_equal(keyring_local_root(&after, NULL), PEP_OK);
    assert_int_equal(pep_root_version(after), 2);
    assert_int_equal(pep_root_signers(after, PEP_ROLE_POLICY).count, 2);
    assert_string_equal(pep_root_key_name(after, key.id), "two");
    /* Whoever holds the first takes the second. */
    assert_int_equal(pep_root_follow(before, pep_root_envelope(after), &followed, NULL), PEP_OK);
    pep_root_free(followed);
    pep_root_free(before);
    pep_root_free(after);
}

static void the_key_must_be_clear(void **state)
{
    (void)state;
    struct pep_public_key one;
    struct pep_root *root = NULL;
    struct pep_private_key *key = NULL;
    assert_int_equal(keyring_generate("one", &one, NULL), PEP_OK);
    assert_int_equal(keyring_generate("two", &one, NULL), PEP_OK);
    assert_int_equal(keyring_local_root(&root, NULL), PEP_OK);
    assert_int_equal(keyring_choose(root, NULL, &key, NULL), PEP_EINVAL);
    assert_int_equal(keyring_choose(root, "two", &key, NULL), PEP_OK);
    assert_string_equal(pep_private_key_public(key)->id, one.id);
    pep_private_key_free(key);
    key = NULL;
    assert_int_equal(keyring_choose(root, "three", &key, NULL), PEP_ENOTFOUND);
    assert_int_equal(keyring_choose(root, KEYRING_ROOT, &key, NULL), PEP_EDENIED);
    pep_root_free(root);
    /* Under a root of other keys, none of these may sign. */
    struct fixture f = fixture_new();
    assert_int_equal(keyring_choose(f.root, NULL, &key, NULL), PEP_ENOTFOUND);
    assert_int_equal(keyring_choose(f.root, "one", &key, NULL), PEP_EDENIED);
    assert_null(key);
    fixture_free(&f);
    /* "policy" wins among several. */
    assert_int_equal(keyring_generate(KEYRING_POLICY, &one, NULL), PEP_OK);
    assert_int_equal(keyring_local_root(&root, NULL), PEP_OK);
    assert_int_equal(keyring_choose(root, NULL, &key, NULL), PEP_OK);
    assert_string_equal(pep_private_key_public(key)->id, one.id);
    pep_private_key_free(key);
    pep_root_free(root);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
    (void)state;
    char path[CONFIG_PATH];
    struct pep_public_key one;
    struct pep_private_key *key = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(keyring_generate("one", &one, NULL), PEP_OK);
    assert_int_equal(config_path(path, NULL, "keys/one.key"), PEP_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(keyring_load("one", &key, &err), PEP_EINVAL);
    assert_non_null(strstr(pep_error_text(&err), "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(keyring_load("one", &key, NULL), PEP_OK);
    pep_private_key_free(key);
}

static void a_changed_root_is_refused(void **state)
{
    (void)state;
    char path[CONFIG_PATH];
    bool made;
    struct pep_root *root = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(keyring_ensure(KEYRING_POLICY, &made, NULL), PEP_OK);
    assert_int_equal(config_path(path, NULL, "root.json"), PEP_OK);
    assert_int_equal(disk_read(path, 65536, &bytes, &size, NULL), PEP_OK);
    bytes[40] = bytes[40] == 'A' ? 'B' : 'A';
    assert_int_equal(disk_replace(path, 0600, pep_span_of(bytes, size), NULL), PEP_OK);
    free(bytes);
    assert_int_not_equal(keyring_local_root(&root, NULL), PEP_OK);
    assert_null(root);
    /* And is not papered over by making a new one. */
    assert_int_not_equal(keyring_ensure(KEYRING_POLICY, &made, NULL), PEP_OK);
}

static void bundles_verify_under_the_root(void **state)
{
    (void)state;
    bool made;
    struct pep_root *root = NULL;
    struct pep_private_key *key = NULL;
    struct pep_bundle *bundle = NULL;
    struct pep_manifest_draft draft = fixture_manifest_draft(7);
    struct pep_files *files = fixture_files(fixture_small_bundle, fixture_small_bundle_count);
    struct pep_buffer out = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    draft.created = time(NULL);
    draft.expires = draft.created + 60;
    assert_int_equal(keyring_ensure(KEYRING_POLICY, &made, NULL), PEP_OK);
    assert_int_equal(keyring_local_root(&root, NULL), PEP_OK);
    assert_int_equal(keyring_choose(root, NULL, &key, NULL), PEP_OK);
    assert_int_equal(keyring_sign_bundle(key, &draft, files, &out, NULL), PEP_OK);
    assert_int_equal(pep_bundle_open(pep_buffer_span(&out), root, time(NULL), &bundle, NULL),
                     PEP_OK);
    assert_int_equal(pep_manifest_version(pep_bundle_manifest(bundle)), 7);
    pep_bundle_free(bundle);
    bundle = NULL;
    /* The same content signed by the root key, which may not sign policies. */
    struct pep_private_key *wrong = NULL;
    struct pep_buffer other = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    assert_int_equal(keyring_load(KEYRING_ROOT, &wrong, NULL), PEP_OK);
    assert_int_equal(keyring_sign_bundle(wrong, &draft, files, &other, NULL), PEP_OK);
    assert_int_equal(pep_bundle_open(pep_buffer_span(&other), root, time(NULL), &bundle, NULL),
                     PEP_ESIGNATURE);
    pep_private_key_free(key);
    pep_private_key_free(wrong);
    pep_root_free(root);
    pep_files_free(files);
    pep_buffer_free(&out);
    pep_buffer_free(&other);
}

static void names_are_checked(void **state)
{
    (void)state;
    assert_true(name_valid("ops-2026") && name_valid("a") && name_valid("a.b_c"));
    assert_false(name_valid("") || name_valid(".a") || name_valid("-a") || name_valid("A"));
    assert_false(name_valid("a/b") || name_valid("a b") || name_valid("x.root") ||
                 name_valid("x.heads"));
    char longest[NAME_LONGEST + 2];
    memset(longest, 'a', sizeof(longest));
    longest[NAME_LONGEST] = '\0';
    assert_true(name_valid(longest));
    longest[NAME_LONGEST] = 'a';
    longest[NAME_LONGEST + 1] = '\0';
    assert_false(name_valid(longest));
}

static void files_are_whole_or_not_there(void **state)
{
    (void)state;
    char path[CONFIG_PATH];
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(config_make(NULL, NULL), PEP_OK);
    assert_int_equal(config_path(path, NULL, "file"), PEP_OK);
    assert_int_equal(disk_create(path, 0600, pep_span_string("one"), NULL), PEP_OK);
    assert_int_equal(disk_create(path, 0600, pep_span_string("two"), NULL), PEP_ECONFLICT);
    assert_int_equal(disk_read(path, 3, &bytes, &size, NULL), PEP_OK);
    assert_string_equal((char *)bytes, "one");
    free(bytes);
    bytes = NULL;
    assert_int_equal(disk_read(path, 2, &bytes, &size, NULL), PEP_ELIMIT);
    assert_int_equal(disk_replace(path, 0600, pep_span_string("three"), NULL), PEP_OK);
    assert_int_equal(disk_read(path, 100, &bytes, &size, NULL), PEP_OK);
    assert_string_equal((char *)bytes, "three");
    free(bytes);
    bytes = NULL;
    assert_int_equal(disk_read(folder, 100, &bytes, &size, NULL), PEP_EIO);
    assert_int_equal(config_path(path, NULL, "missing/file"), PEP_OK);
    assert_int_equal(disk_create(path, 0600, pep_span_string("x"), NULL), PEP_EIO);
    assert_null(bytes);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(first_use_makes_a_root_and_a_key),
        ON_DISK(a_key_is_never_overwritten),
        ON_DISK(each_key_joins_the_local_root),
        ON_DISK(the_key_must_be_clear),
        ON_DISK(a_key_that_others_may_read_is_refused),
        ON_DISK(a_changed_root_is_refused),
        ON_DISK(bundles_verify_under_the_root),
        ON_DISK(files_are_whole_or_not_there),
        cmocka_unit_test(names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
