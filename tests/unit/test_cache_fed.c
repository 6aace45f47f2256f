/*
 * The files `revoked` and `keys` of the cache folder against everything that can happen to files:
 * each byte changed, cut at every length, of another process, of another root, of another time.
 */
#include "pep/cache.h"
#include "pep/disk.h"
#include "tests/support/feeds.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ISSUER "https://idp.example"
#define BOTH   (PEP_FED_LIST | PEP_FED_KEYS)

static struct {
    char folder[64];
    struct fixture f;
    struct pep_private_key *stranger;
    struct pep_fed fed;
    struct pep_moment now;
} w;

static struct pep_keys_origin origin_of(const struct pep_root *root)
{
    return (struct pep_keys_origin){root, "acme", NULL, {0, 0}};
}

static int set_up(void **state)
{
    (void)state;
    snprintf(w.folder, sizeof(w.folder), "/tmp/pep-test-fed-XXXXXX");
    assert_non_null(mkdtemp(w.folder));
    w.f = fixture_new();
    w.stranger = fixture_key("stranger");
    w.now = (struct pep_moment){FIXTURE_NOW * 1000, 7000000};
    assert_int_equal(pep_fed_new(&w.fed), PEP_OK);
    return 0;
}

static int tear_down(void **state)
{
    char path[512];
    DIR *dir = opendir(w.folder);
    (void)state;
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir)) {
        snprintf(path, sizeof(path), "%s/%s", w.folder, e->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(w.folder);
    pep_fed_clear(&w.fed);
    pep_private_key_free(w.stranger);
    fixture_free(&w.f);
    return 0;
}

static struct pep_revocation entry(const char *jti)
{
    return feeds_entry(PEP_REVOKE_JTI, ISSUER, jti, FIXTURE_NOW + 1000);
}

static void revoke_jti(const char *jti)
{
    struct pep_revocation e = entry(jti);
    feeds_revoke(&w.f, &w.fed.revocations, &e);
}

/* Keys with this number came as answer to a question made `ago` ms before now. */
static void come(uint64_t seq, int64_t ago)
{
    const struct feeds_keys one = {ISSUER, "{\"keys\":[]}", 1000};
    struct feeds_keys_head head = {.seq = seq, .issued_at = 1000};
    struct pep_keys_origin origin = origin_of(w.f.root);
    struct pep_buffer message = feeds_keys(&head, &one, 1, w.f.beacon_key);
    origin.asked = (struct pep_moment){w.now.wall_ms - ago, w.now.boot_ms - ago};
    assert_int_equal(pep_fed_take_keys(&w.fed, pep_buffer_span(&message), &origin), PEP_OK);
    pep_buffer_free(&message);
}

static void store(unsigned changed)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_keys_origin origin = origin_of(w.f.root);
    if (pep_cache_store_fed(w.folder, &origin, &w.fed, changed, &err) != PEP_OK)
        fail_msg("%s", pep_error_text(&err));
}

static int load_by(const struct pep_root *root, struct pep_fed *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_keys_origin origin = origin_of(root);
    int r = pep_cache_load_fed(w.folder, &origin, w.now, ret, &err);
    assert_non_null(ret->revocations);
    assert_int_equal(err.code, r);
    return r;
}

static int load(struct pep_fed *ret)
{
    return load_by(w.f.root, ret);
}

static uint64_t keys_of(const struct pep_fed *fed)
{
    return fed->keys == NULL ? 0 : fed->keys->keys.seq;
}

static void loads(uint64_t list, uint64_t keys)
{
    struct pep_fed fed;
    assert_int_equal(load(&fed), PEP_OK);
    assert_int_equal(pep_revocations_number(fed.revocations), list);
    assert_int_equal(keys_of(&fed), keys);
    pep_fed_clear(&fed);
}

/* ---- good files ---- */

static void nothing_is_there(void **state)
{
    (void)state;
    loads(0, 0);
    store(BOTH); /* nothing to store */
    loads(0, 0);
}

static void what_is_stored_is_loaded(void **state)
{
    (void)state;
    struct pep_fed fed;
    revoke_jti("a");
    revoke_jti("b");
    come(7, 5000);
    store(BOTH);
    assert_int_equal(load(&fed), PEP_OK);
    assert_int_equal(pep_revocations_number(fed.revocations), 2);
    assert_memory_equal(pep_revocations_digest(fed.revocations),
                        pep_revocations_digest(w.fed.revocations), PEP_SHA256_SIZE);
    struct pep_revocation a = entry("a");
    assert_non_null(pep_revocations_find(fed.revocations, a.key));
    assert_int_equal(keys_of(&fed), 7);
    assert_true(fed.keys->asked.wall_ms == w.now.wall_ms - 5000);
    assert_true(fed.keys->asked.boot_ms == w.now.boot_ms - 5000);
    revoke_jti("c"); /* it can be followed from where it was */
    pep_fed_clear(&fed);
}

static void only_what_changed_is_stored(void **state)
{
    (void)state;
    revoke_jti("a");
    come(7, 0);
    store(PEP_FED_KEYS);
    loads(0, 7);
    store(PEP_FED_LIST);
    loads(1, 7);
}

/* Another boot, another machine's clock: the wall time since the question is what counts. */
static void keys_age_while_nobody_runs(void **state)
{
    (void)state;
    struct pep_fed fed;
    come(7, 0);
    store(BOTH);
    w.now = (struct pep_moment){w.now.wall_ms + 90000, 12};
    assert_int_equal(load(&fed), PEP_OK);
    assert_int_equal(pep_moment_elapsed(&fed.keys->asked, &w.now), 90000);
    pep_fed_clear(&fed);
}

static void keys_of_the_future_are_not_taken(void **state)
{
    (void)state;
    revoke_jti("a");
    come(7, -1);
    store(BOTH);
    loads(1, 0);
    w.now.wall_ms += 1;
    loads(1, 7);
}

/* ---- damage ---- */

static struct pep_span read_file(const char *name)
{
    struct pep_span file;
    assert_int_equal(pep_disk_read(w.folder, name, 1 << 20, &file, NULL), PEP_OK);
    return file;
}

/* Not by pep_disk_write(), which waits for the disk: there are thousands of these. */
static void write_file(const char *name, struct pep_span bytes)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", w.folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, f), bytes.size);
    assert_int_equal(fclose(f), 0);
}

/* With this in place of the file nothing of it is loaded, and all of the other. */
static void is_refused(const char *name, struct pep_span bytes, uint64_t list, uint64_t keys)
{
    struct pep_fed fed;
    write_file(name, bytes);
    assert_int_not_equal(load(&fed), PEP_OK);
    assert_int_equal(pep_revocations_number(fed.revocations), list);
    assert_int_equal(pep_revocations_count(fed.revocations), list == 0 ? 0 : 1);
    assert_int_equal(keys_of(&fed), keys);
    pep_fed_clear(&fed);
}

static void damage(const char *name, uint64_t list, uint64_t keys)
{
    struct pep_span file = read_file(name);
    uint8_t *copy = malloc(file.size + 1);
    assert_non_null(copy);
    for (size_t i = 0; i < file.size; i++) {
        memcpy(copy, file.data, file.size);
        copy[i] ^= (uint8_t)(1 + i % 255);
        is_refused(name, pep_span_of(copy, file.size), list, keys);
    }
    memcpy(copy, file.data, file.size);
    copy[file.size] = 0;
    is_refused(name, pep_span_of(copy, file.size + 1), list, keys);
    for (size_t size = 0; size < file.size; size++)
        is_refused(name, pep_span_of(copy, size), list, keys);
    write_file(name, file); /* whole again */
    free(copy);
    pep_disk_free(file);
}

static void each_byte_damaged_and_each_length(void **state)
{
    (void)state;
    revoke_jti("a");
    come(7, 0);
    store(BOTH);
    damage("revoked", 0, 7);
    loads(1, 7);
    damage("keys", 1, 0);
    loads(1, 7);
}

static void damage_does_not_keep_anything_out(void **state)
{
    (void)state;
    revoke_jti("a");
    come(7, 0);
    write_file("revoked", pep_span_string("PDPR"));
    write_file("keys", pep_span_string("PDPK"));
    store(BOTH);
    loads(1, 7);
}

/* ---- two processes of one identity ---- */

static void older_never_replaces_newer(void **state)
{
    (void)state;
    struct pep_fed behind;
    revoke_jti("a");
    come(3, 8000);
    behind = pep_fed_share(&w.fed);
    revoke_jti("b");
    come(4, 2000);
    store(BOTH);
    struct pep_fed ahead = w.fed;
    w.fed = behind;
    store(BOTH);
    loads(2, 4);
    pep_fed_clear(&w.fed);
    w.fed = ahead;
    revoke_jti("c");
    come(2, 1000); /* a server that lost its past: the later question counts, not the number */
    store(BOTH);
    loads(3, 2);
}

/* A clock that was wrong when keys were stored must not keep them there for ever. */
static void keys_of_the_future_give_way(void **state)
{
    (void)state;
    int64_t far = pep_moment_now().wall_ms + INT64_C(100000000) - w.now.wall_ms;
    come(9, -far);
    store(BOTH);
    come(3, 0);
    store(BOTH);
    loads(0, 3);
}

/* ---- another root ---- */

static struct pep_root *next_root(enum pep_role dropped)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root_draft d = fixture_root_draft(&w.f);
    struct pep_root *next = NULL;
    const struct pep_private_key *signer = w.f.root_key;
    d.version = 2;
    for (size_t i = 0; i < d.key_count; i++) {
        if (d.keys[i].roles[dropped])
            d.keys[i].key = *pep_private_key_public(w.stranger);
    }
    struct pep_buffer envelope = fixture_sign_root(&d, &signer, 1);
    assert_int_equal(pep_root_follow(w.f.root, pep_buffer_span(&envelope), &next, &err), PEP_OK);
    pep_buffer_free(&envelope);
    return next;
}

static void a_list_of_a_dropped_key_goes_on_denying(void **state)
{
    (void)state;
    struct pep_fed fed;
    struct pep_revocation a = entry("a");
    revoke_jti("a");
    come(7, 0);
    store(BOTH);
    struct pep_root *next = next_root(PEP_ROLE_POLICY);
    assert_int_equal(load_by(next, &fed), PEP_OK);
    assert_int_equal(pep_revocations_number(fed.revocations), 0); /* anything signed may follow */
    assert_non_null(pep_revocations_find(fed.revocations, a.key));
    assert_int_equal(keys_of(&fed), 7);
    pep_fed_clear(&fed);
    pep_root_free(next);
}

/* However high the number that the dropped key signed. */
static void a_list_of_a_dropped_key_is_overwritten(void **state)
{
    (void)state;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_fed anew, fed;
    revoke_jti("a");
    revoke_jti("b");
    store(BOTH);
    struct pep_root *next = next_root(PEP_ROLE_POLICY);
    struct pep_keys_origin origin = origin_of(next);
    struct pep_revocation c = entry("c");
    assert_int_equal(pep_fed_new(&anew), PEP_OK);
    struct pep_buffer step = feeds_step(anew.revocations, FIXTURE_CREATED, &c, 1, w.stranger);
    struct pep_revocations *list = feeds_follow(anew.revocations, &step, next);
    pep_revocations_free(anew.revocations);
    anew.revocations = list;
    assert_int_equal(pep_cache_store_fed(w.folder, &origin, &anew, BOTH, &err), PEP_OK);
    assert_int_equal(load_by(next, &fed), PEP_OK);
    assert_int_equal(pep_revocations_number(fed.revocations), 1);
    assert_non_null(pep_revocations_find(fed.revocations, c.key));
    pep_fed_clear(&fed);
    pep_fed_clear(&anew);
    pep_buffer_free(&step);
    pep_root_free(next);
}

static void keys_of_a_dropped_beacon_key_are_not_taken(void **state)
{
    (void)state;
    struct pep_fed fed;
    revoke_jti("a");
    come(7, 0);
    store(BOTH);
    struct pep_root *next = next_root(PEP_ROLE_BEACON);
    assert_int_equal(load_by(next, &fed), PEP_ESIGNATURE);
    assert_null(fed.keys);
    assert_int_equal(pep_revocations_number(fed.revocations), 1);
    pep_fed_clear(&fed);
    pep_root_free(next);
}

static void keys_of_another_bundle_are_not_taken(void **state)
{
    (void)state;
    struct pep_fed fed;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_keys_origin other = {w.f.root, "globex", NULL, {0, 0}};
    come(7, 0);
    store(BOTH);
    assert_int_equal(pep_cache_load_fed(w.folder, &other, w.now, &fed, &err), PEP_EROLLBACK);
    assert_null(fed.keys);
    pep_fed_clear(&fed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_stored_is_loaded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_changed_is_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_age_while_nobody_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_of_the_future_are_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_byte_damaged_and_each_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_does_not_keep_anything_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(older_never_replaces_newer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_of_the_future_give_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_of_a_dropped_key_goes_on_denying, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_of_a_dropped_key_is_overwritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_of_a_dropped_beacon_key_are_not_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keys_of_another_bundle_are_not_taken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
