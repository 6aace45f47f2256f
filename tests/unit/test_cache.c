/*
 * The disk cache against everything that can happen to files: each byte of each file changed, each
 * file cut at every length, missing, swapped with another's; and against two processes of one
 * identity of which one lags behind. What is left must either be exactly what was stored, or
 * nothing.
 */
#include "pep/cache.h"
#include "pep/cache_state.h"
#include "pep/disk.h"
#include "tests/support/fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY   "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define OTHER "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

struct place {
    char folder[64];
    struct fixture f;
    struct pep_cache_owner owner;
    struct pep_moment now;
    struct pep_memory memory;
};

static void empty_folder(const char *folder)
{
    char path[512];
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir)) {
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
}

static int place_open(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    snprintf(p->folder, sizeof(p->folder), "/tmp/pep-test-cache-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    p->f = fixture_new();
    p->owner = (struct pep_cache_owner){"acme", KEY, p->f.root};
    p->now = (struct pep_moment){FIXTURE_NOW * 1000, 7000000};
    p->memory.proof = p->now;
    p->memory.root = 1;
    p->memory.seq = 12;
    p->memory.issued_at = 34;
    *state = p;
    return 0;
}

static int place_close(void **state)
{
    struct place *p = *state;
    empty_folder(p->folder);
    rmdir(p->folder);
    fixture_free(&p->f);
    free(p);
    return 0;
}

static struct pep_head head_of(const struct pep_bundle *b)
{
    const struct pep_manifest *m = pep_bundle_manifest(b);
    struct pep_head h = {pep_manifest_epoch(m), pep_manifest_version(m), {0}};
    memcpy(h.digest, pep_manifest_digest(m), sizeof(h.digest));
    return h;
}

static struct pep_bundle *bundle(const struct place *p, uint64_t version)
{
    return fixture_bundle(&p->f, version, fixture_small_bundle, fixture_small_bundle_count);
}

static struct pep_bundle *provisional(const struct place *p, uint64_t version)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_bundle *b = NULL;
    struct pep_manifest_draft d = fixture_manifest_draft(version);
    d.provisional = true;
    d.expires = d.created + 7 * 86400;
    struct pep_buffer bytes =
        fixture_sign_bundle(p->f.policy_key, &d, fixture_small_bundle, fixture_small_bundle_count);
    assert_int_equal(pep_bundle_open(pep_buffer_span(&bytes), p->f.root, FIXTURE_NOW, &b, &err),
                     PEP_OK);
    pep_buffer_free(&bytes);
    return b;
}

/* Stores this version as the one that runs, and as the floor. */
static void store(struct place *p, uint64_t version, bool changed)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_bundle *b = bundle(p, version);
    struct pep_cache_content content = {.memory = &p->memory, .running = b, .changed = changed};
    p->memory.floor = head_of(b);
    assert_int_equal(pep_cache_store(p->folder, &p->owner, &content, &err), PEP_OK);
    pep_bundle_free(b);
}

static int load(struct place *p, struct pep_cached *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    int rc = pep_cache_load(p->folder, &p->owner, p->now, ret, &err);
    if (rc != PEP_OK)
        assert_true(err.text[0] != '\0'); /* says what is wrong */
    return rc;
}

static void drop(struct pep_cached *c)
{
    pep_bundle_free(c->running);
    pep_bundle_free(c->fallback);
    pep_root_free(c->root);
    pep_disk_free(c->roots);
    memset(c, 0, sizeof(*c));
}

static void loads_version(struct place *p, uint64_t version)
{
    struct pep_cached c;
    assert_int_equal(load(p, &c), PEP_OK);
    assert_non_null(c.running);
    assert_int_equal(head_of(c.running).version, version);
    drop(&c);
}

static void loads_nothing(struct place *p)
{
    struct pep_cached c;
    assert_int_not_equal(load(p, &c), PEP_OK);
    assert_null(c.running);
    drop(&c);
}

/* ---- the tests ---- */

static void what_is_stored_is_loaded(void **state)
{
    struct place *p = *state;
    struct pep_cached c;
    p->memory.statement = PEP_STATEMENT_SUSPENDED;
    p->memory.statement_seq = 9;
    store(p, 5, true);
    p->now.boot_ms += 1000;
    p->now.wall_ms += 1000;
    assert_int_equal(load(p, &c), PEP_OK);
    assert_int_equal(head_of(c.running).version, 5);
    assert_null(c.fallback);
    assert_int_equal(c.memory.floor.version, 5);
    assert_int_equal(c.memory.seq, 12);
    assert_int_equal(c.memory.issued_at, 34);
    assert_int_equal(c.memory.statement, PEP_STATEMENT_SUSPENDED);
    assert_int_equal(pep_moment_elapsed(&c.memory.proof, &p->now), 1000);
    drop(&c);
}

static void an_empty_or_missing_folder_is_no_error(void **state)
{
    struct place *p = *state;
    struct pep_cached c;
    assert_int_equal(load(p, &c), PEP_OK);
    assert_null(c.running);
    drop(&c);
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(pep_cache_load("/tmp/pep-test-no-such-folder", &p->owner, p->now, &c, &err),
                     PEP_OK);
    assert_null(c.running);
}

/* Calls `each` with the name and bytes of every file of the cache. */
static void for_each_file(struct place *p,
                          void (*each)(struct place *p, const char *name, struct pep_span bytes))
{
    char names[8][256];
    size_t count = 0;
    DIR *dir = opendir(p->folder);
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (e->d_name[0] != '.' && strcmp(e->d_name, "lock") != 0)
            snprintf(names[count++], sizeof(names[0]), "%s", e->d_name);
    }
    closedir(dir);
    assert_int_equal(count, 3); /* state, roots, one bundle */
    for (size_t i = 0; i < count; i++) {
        struct pep_span bytes;
        assert_int_equal(pep_disk_read(p->folder, names[i], 1 << 24, &bytes, NULL), PEP_OK);
        each(p, names[i], bytes);
        pep_disk_free(bytes);
    }
}

static void overwrite(struct place *p, const char *name, struct pep_span bytes)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, f), bytes.size);
    assert_int_equal(fclose(f), 0);
}

static void store_with_root_chain(struct place *p)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root_draft d = fixture_root_draft(&p->f);
    const struct pep_private_key *signer = p->f.root_key;
    d.version = 2;
    struct pep_buffer roots = fixture_sign_root(&d, &signer, 1);
    struct pep_bundle *b = bundle(p, 5);
    pep_put_u8(&roots, '\n');
    p->memory.floor = head_of(b);
    struct pep_cache_content content = {
        .memory = &p->memory, .roots = pep_buffer_span(&roots), .running = b, .changed = true};
    assert_int_equal(pep_cache_store(p->folder, &p->owner, &content, &err), PEP_OK);
    pep_bundle_free(b);
    pep_buffer_free(&roots);
    loads_version(p, 5);
}

static void flip(struct place *p, const char *name, struct pep_span bytes)
{
    uint8_t *copy = malloc(bytes.size);
    assert_non_null(copy);
    for (size_t i = 0; i < bytes.size; i++) {
        memcpy(copy, bytes.data, bytes.size);
        copy[i] ^= (uint8_t)(1u << (i % 8));
        overwrite(p, name, pep_span_of(copy, bytes.size));
        loads_nothing(p);
    }
    overwrite(p, name, bytes);
    loads_version(p, 5);
    free(copy);
}

static void a_byte_that_changed_is_never_active(void **state)
{
    store_with_root_chain(*state);
    for_each_file(*state, flip);
}

static void cut(struct place *p, const char *name, struct pep_span bytes)
{
    for (size_t n = 0; n < bytes.size; n++) {
        overwrite(p, name, pep_span_of(bytes.data, n));
        loads_nothing(p);
    }
    uint8_t *longer = malloc(bytes.size + 1);
    assert_non_null(longer);
    memcpy(longer, bytes.data, bytes.size);
    longer[bytes.size] = '\n';
    overwrite(p, name, pep_span_of(longer, bytes.size + 1));
    loads_nothing(p);
    free(longer);
    overwrite(p, name, bytes);
    loads_version(p, 5);
}

static void a_file_that_is_cut_or_longer_is_never_active(void **state)
{
    store_with_root_chain(*state);
    for_each_file(*state, cut);
}

static void lose(struct place *p, const char *name, struct pep_span bytes)
{
    char path[512];
    struct pep_cached c;
    snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    assert_int_equal(unlink(path), 0);
    (void)load(p, &c); /* a missing state file is a new cache, not an error */
    assert_null(c.running);
    drop(&c);
    overwrite(p, name, bytes);
}

static void a_missing_file_is_never_active(void **state)
{
    store_with_root_chain(*state);
    for_each_file(*state, lose);
    loads_version(*state, 5);
}

static void a_damaged_bundle_leaves_the_floor(void **state)
{
    struct place *p = *state;
    struct pep_cached c;
    char name[128];
    store(p, 5, true);
    pep_hex_encode(p->memory.floor.digest, PEP_SHA256_SIZE, name);
    strcat(name, ".bundle");
    overwrite(p, name, pep_span_string("rubbish"));
    assert_int_equal(load(p, &c), PEP_EFORMAT);
    assert_null(c.running);
    assert_int_equal(c.memory.floor.version, 5);
    drop(&c);
    store(p, 5, true); /* fetched again: the file is written again, though it seems to be there */
    loads_version(p, 5);
}

static void old_bundles_and_leavings_of_crashes_are_swept(void **state)
{
    struct place *p = *state;
    store(p, 5, true);
    overwrite(p, ".state.123.tmp", pep_span_string("half a st"));
    store(p, 6, true);
    loads_version(p, 6);
    int files = 0;
    DIR *dir = opendir(p->folder);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        files += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    assert_int_equal(files, 3); /* state, lock, one bundle */
}

static void who_lags_behind_does_not_write_over_who_is_ahead(void **state)
{
    struct place *p = *state;
    struct pep_cached c;
    store(p, 6, true);
    p->memory.statement = PEP_STATEMENT_REVOKED; /* but its news about the key counts */
    p->memory.statement_seq = 3;
    store(p, 5, true);
    assert_int_equal(load(p, &c), PEP_OK);
    assert_int_equal(head_of(c.running).version, 6);
    assert_int_equal(c.memory.floor.version, 6);
    assert_int_equal(c.memory.statement, PEP_STATEMENT_REVOKED);
    drop(&c);
    store(p, 7, true);
    loads_version(p, 7);
}

static void a_canary_keeps_the_final_version_beside_it(void **state)
{
    struct place *p = *state;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_cached c;
    struct pep_bundle *final = bundle(p, 5), *canary = provisional(p, 6);
    p->memory.floor = head_of(final);
    struct pep_cache_content content = {
        .memory = &p->memory, .running = canary, .fallback = final, .changed = true};
    assert_int_equal(pep_cache_store(p->folder, &p->owner, &content, &err), PEP_OK);
    assert_int_equal(load(p, &c), PEP_OK);
    assert_int_equal(head_of(c.running).version, 6);
    assert_int_equal(head_of(c.fallback).version, 5);
    drop(&c);
    p->now.wall_ms += INT64_C(8) * 86400000; /* the canary is over */
    assert_int_equal(load(p, &c), PEP_EEXPIRED);
    assert_int_equal(head_of(c.running).version, 5);
    assert_int_equal(c.memory.proof.wall_ms, 0); /* it was not proved to be the assigned one */
    drop(&c);
    pep_bundle_free(final);
    pep_bundle_free(canary);
}

static void an_expired_bundle_is_not_active(void **state)
{
    struct place *p = *state;
    store(p, 5, true);
    p->now.wall_ms = (FIXTURE_EXPIRES - 1) * 1000;
    struct pep_cached c;
    (void)load(p, &c); /* the root expires at the same time */
    drop(&c);
    p->now.wall_ms = (FIXTURE_EXPIRES + 1) * 1000;
    loads_nothing(p);
}

static void a_key_that_a_new_root_drops_is_dropped_from_disk(void **state)
{
    struct place *p = *state;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_private_key *other = fixture_key("new policy key");
    struct pep_root_draft d = fixture_root_draft(&p->f);
    const struct pep_private_key *signer = p->f.root_key;
    d.version = 2;
    d.keys[1].key = *pep_private_key_public(other);
    struct pep_buffer roots = fixture_sign_root(&d, &signer, 1);
    pep_put_u8(&roots, '\n');
    struct pep_bundle *b = bundle(p, 5);
    p->memory.floor = head_of(b);
    struct pep_cache_content content = {
        .memory = &p->memory, .roots = pep_buffer_span(&roots), .running = b, .changed = true};
    assert_int_equal(pep_cache_store(p->folder, &p->owner, &content, &err), PEP_OK);
    loads_nothing(p);
    pep_bundle_free(b);
    pep_buffer_free(&roots);
    pep_private_key_free(other);
}

static void another_identitys_cache_is_refused(void **state)
{
    struct place *p = *state;
    store(p, 5, true);
    p->owner.bundle = "other";
    loads_nothing(p);
    p->owner.bundle = "acme";
    loads_version(p, 5);
}

static void a_statement_about_an_old_key_is_forgotten(void **state)
{
    struct place *p = *state;
    struct pep_cached c;
    p->memory.statement = PEP_STATEMENT_REVOKED;
    p->memory.statement_seq = 3;
    store(p, 5, true);
    p->owner.client_key = OTHER; /* enrolled anew */
    assert_int_equal(load(p, &c), PEP_OK);
    assert_int_equal(c.memory.statement, 0);
    assert_int_equal(c.memory.floor.version, 5);
    assert_non_null(c.running);
    drop(&c);
}

static void a_full_or_forbidden_folder_is_an_error_that_says_so(void **state)
{
    struct place *p = *state;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_cache_content content = {.memory = &p->memory};
    char path[128];
    snprintf(path, sizeof(path), "%s/file", p->folder);
    overwrite(p, "file", pep_span_string("not a folder"));
    assert_int_equal(pep_cache_store(path, &p->owner, &content, &err), PEP_EIO);
    assert_non_null(strstr(err.text, "file"));
}

/* ---- the proof over reboots ---- */

static void a_proof_survives_restarts_and_reboots(void **state)
{
    (void)state;
    static const uint8_t boot_a[16] = {1}, boot_b[16] = {2};
    const struct pep_moment now = {1000000, 500000};
    static const struct {
        const uint8_t *written_in;
        struct pep_moment proof;
        int64_t age; /* INT64_MAX: no proof */
    } cases[] = {
        {boot_a, {990000, 490000}, 10000},
        {boot_a, {999000, 490000}, 10000},  /* the wall clock was set back */
        {boot_a, {900000, 490000}, 100000}, /* set forward, or paused */
        {boot_b, {990000, 77}, 10000},      /* another boot: wall time alone */
        {boot_b, {990000, 999999999}, 10000},
        {boot_b, {1000500, 77}, 0},         /* a little slip of the clock */
        {boot_b, {2000000, 77}, INT64_MAX}, /* from the future: worth nothing */
        {boot_a, {990000, 600000}, 10000},  /* boot time cannot be ahead of itself */
        {boot_a, {0, 0}, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cache_state s = {.slot_count = 0};
        s.memory.proof = cases[i].proof;
        memcpy(s.boot_id, cases[i].written_in, sizeof(s.boot_id));
        cache_state_rebase(&s, boot_a, now);
        assert_int_equal(pep_moment_elapsed(&s.memory.proof, &now), cases[i].age);
    }
}

int main(void)
{
#define IN_A_PLACE(f) cmocka_unit_test_setup_teardown(f, place_open, place_close)
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(what_is_stored_is_loaded),
        IN_A_PLACE(an_empty_or_missing_folder_is_no_error),
        IN_A_PLACE(a_byte_that_changed_is_never_active),
        IN_A_PLACE(a_file_that_is_cut_or_longer_is_never_active),
        IN_A_PLACE(a_missing_file_is_never_active),
        IN_A_PLACE(a_damaged_bundle_leaves_the_floor),
        IN_A_PLACE(old_bundles_and_leavings_of_crashes_are_swept),
        IN_A_PLACE(who_lags_behind_does_not_write_over_who_is_ahead),
        IN_A_PLACE(a_canary_keeps_the_final_version_beside_it),
        IN_A_PLACE(an_expired_bundle_is_not_active),
        IN_A_PLACE(a_key_that_a_new_root_drops_is_dropped_from_disk),
        IN_A_PLACE(another_identitys_cache_is_refused),
        IN_A_PLACE(a_statement_about_an_old_key_is_forgotten),
        IN_A_PLACE(a_full_or_forbidden_folder_is_an_error_that_says_so),
        cmocka_unit_test(a_proof_survives_restarts_and_reboots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
