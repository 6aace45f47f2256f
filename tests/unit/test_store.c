/* The store: what went in comes out, nothing is changed or lost, and a full disk leaves no half. */
#include "pdp/store.h"

#include "pep/core/crypto.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct place {
    char folder[64];
    struct store *store;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    snprintf(p->folder, sizeof(p->folder), "/tmp/store-test-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    assert_int_equal(store_open(p->folder, &p->store, NULL), 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"lock", "pdpd.db", "pdpd.db-wal", "pdpd.db-shm"};
    struct place *p = *state;
    store_close(p->store);
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", p->folder, names[i]);
        unlink(path);
    }
    rmdir(p->folder);
    free(p);
    return 0;
}

static void reopen(struct place *p)
{
    store_close(p->store);
    p->store = NULL;
    assert_int_equal(store_open(p->folder, &p->store, NULL), 0);
}

static const struct store_audit audit = {1000, "alice", "push", "acme", "ok"};

static int put(struct place *p, uint64_t version, size_t content, struct pep_error *err)
{
    struct store_content file;
    uint8_t *bytes = malloc(content);
    memset(bytes, (int)version, content);
    file.bytes = pep_span_of(bytes, content);
    assert_int_equal(pep_sha256(file.bytes, file.sha256), 0);
    struct store_version row = {.bundle = "acme",
                                .epoch = 1,
                                .version = version,
                                .created = 1,
                                .author = "alice",
                                .message = "m",
                                .key = "k",
                                .actor = "admin",
                                .pushed = (int64_t)version,
                                .size = content,
                                .manifest = pep_span_string("manifest")};
    row.digest[0] = (uint8_t)version;
    int rc = store_put_version(p->store, &row, &file, 1, &audit, err);
    free(bytes);
    return rc;
}

static int count_version(void *context, const struct store_version *row)
{
    assert_string_equal(row->author, "alice");
    assert_true(pep_span_is(row->manifest, "manifest"));
    assert_int_equal(row->digest[0], (uint8_t)row->version);
    *(uint64_t *)context = *(uint64_t *)context * 10 + row->version;
    return 0;
}

/* The versions, newest first, as digits. */
static uint64_t versions(struct place *p)
{
    uint64_t digits = 0;
    struct store_filter all = {"acme", 0, 0};
    assert_int_equal(store_each_version(p->store, &all, count_version, &digits, NULL), 0);
    return digits;
}

static int count_content(void *context, const struct store_content *row)
{
    uint8_t hash[PEP_SHA256_SIZE];
    assert_int_equal(pep_sha256(row->bytes, hash), 0);
    assert_memory_equal(hash, row->sha256, sizeof(hash));
    *(size_t *)context += row->bytes.size;
    return 0;
}

static int count_audit(void *context, const struct store_audit *row)
{
    assert_string_equal(row->actor, "alice");
    ++*(int *)context;
    return 0;
}

static void versions_rise_and_stay(void **state)
{
    struct place *p = *state;
    size_t size = 0;
    uint64_t head = 0;
    int lines = 0;
    assert_int_equal(put(p, 1, 10, NULL), 0);
    assert_int_equal(put(p, 3, 20, NULL), 0);
    assert_int_equal(put(p, 3, 20, NULL), PEP_ECONFLICT);
    assert_int_equal(put(p, 2, 20, NULL), PEP_ECONFLICT);
    reopen(p);
    assert_int_equal(versions(p), 31);
    assert_int_equal(store_each_head(p->store, count_version, &head, NULL), 0);
    assert_int_equal(head, 3);
    assert_int_equal(store_each_content(p->store, "acme", 3, count_content, &size, NULL), 0);
    assert_int_equal(size, 20);
    assert_int_equal(store_each_audit(p->store, 10, count_audit, &lines, NULL), 0);
    assert_int_equal(lines, 2);
}

static void history_cannot_be_rewritten(void **state)
{
    struct place *p = *state;
    static const char *const attempts[] = {
        "UPDATE version SET digest = x'00'",
        "DELETE FROM version",
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'bo'",
        "DELETE FROM content",
        "DELETE FROM version_file",
        "UPDATE root SET version = 9",
        "UPDATE content SET bytes = x'00'",
    };
    char path[128];
    sqlite3 *db = NULL;
    assert_int_equal(put(p, 1, 10, NULL), 0);
    struct store_root root = {1, pep_span_string("root")};
    assert_int_equal(store_put_root(p->store, &root, &audit, NULL), 0);
    assert_int_equal(store_put_root(p->store, &root, &audit, NULL), PEP_ECONFLICT);
    snprintf(path, sizeof(path), "%s/pdpd.db", p->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
        assert_int_equal(sqlite3_exec(db, attempts[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db, "UPDATE probe SET count = 0", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void sequence_numbers_never_come_twice(void **state)
{
    struct place *p = *state;
    uint64_t a = 0, b = 0, other = 0;
    assert_int_equal(store_reserve(p->store, "acme", 100, &a, NULL), 0);
    reopen(p);
    assert_int_equal(store_reserve(p->store, "acme", 100, &b, NULL), 0);
    assert_int_equal(store_reserve(p->store, "other", 100, &other, NULL), 0);
    assert_int_equal(b, a + 100);
    assert_int_equal(other, a);
}

static struct store_client client(const char *key)
{
    return (struct store_client){.service = "shop",
                                 .bundle = "acme",
                                 .key = key,
                                 .labels = "{}",
                                 .enrolled = 5,
                                 .token = "t",
                                 .host = "h"};
}

static int last_client(void *context, const struct store_client *row)
{
    *(enum client_state *)context = row->state;
    assert_string_equal(row->service, "shop");
    assert_string_equal(row->labels, "{}");
    return 0;
}

static void a_token_is_used_as_often_as_it_says(void **state)
{
    struct place *p = *state;
    uint32_t instance = 0;
    enum client_state seen = CLIENT_ACTIVE;
    struct store_token token = {.id = "t",
                                .service = "shop",
                                .bundle = "acme",
                                .labels = "{}",
                                .expires = 99,
                                .uses_left = 2,
                                .root = 1};
    struct store_client a = client(KEY_A), b = client(KEY_B);
    assert_int_equal(store_enrol(p->store, &a, &audit, &instance, NULL), PEP_ECONFLICT);
    assert_int_equal(store_put_token(p->store, &token, &audit, NULL), 0);
    assert_int_equal(store_put_token(p->store, &token, &audit, NULL), PEP_ECONFLICT);
    assert_int_equal(store_enrol(p->store, &a, &audit, &instance, NULL), 0);
    assert_int_equal(instance, 1);
    /* A known key takes no second use. */
    assert_int_equal(store_enrol(p->store, &a, &audit, &instance, NULL), PEP_ECONFLICT);
    assert_int_equal(store_enrol(p->store, &b, &audit, &instance, NULL), 0);
    assert_int_equal(instance, 2);
    b.key = "cccccccccccccccccccccccccccccccccccccccc";
    assert_int_equal(store_enrol(p->store, &b, &audit, &instance, NULL), PEP_ECONFLICT);
    assert_int_equal(store_set_client(p->store, "shop/2", CLIENT_REVOKED, 1, &audit, NULL), 0);
    assert_int_equal(store_set_client(p->store, "shop/9", CLIENT_REVOKED, 1, &audit, NULL),
                     PEP_ENOTFOUND);
    reopen(p);
    assert_int_equal(store_each_client(p->store, last_client, &seen, NULL), 0);
    assert_int_equal(seen, CLIENT_REVOKED);
}

static int put_step(struct place *p, uint64_t number, uint64_t keep_above, struct pep_error *err)
{
    char step[32], set[32];
    snprintf(step, sizeof(step), "step %d", (int)number);
    snprintf(set, sizeof(set), "set %d", (int)number);
    struct store_step row = {number, 7, pep_span_string(step)};
    return store_put_step(p->store, &row, pep_span_string(set), keep_above, &audit, err);
}

static int count_step(void *context, const struct store_step *row)
{
    char step[32];
    snprintf(step, sizeof(step), "step %d", (int)row->number);
    assert_true(pep_span_is(row->step, step));
    assert_int_equal(row->root, 7);
    *(uint64_t *)context = *(uint64_t *)context * 10 + row->number;
    return 0;
}

/* The steps, oldest first, as digits. */
static uint64_t steps(struct place *p)
{
    uint64_t digits = 0;
    assert_int_equal(store_each_step(p->store, count_step, &digits, NULL), 0);
    return digits;
}

static int take_set(void *context, struct pep_span set)
{
    snprintf(context, 32, "%.*s", (int)set.size, (const char *)set.data);
    return 0;
}

static void steps_rise_and_one_list_stays(void **state)
{
    struct place *p = *state;
    struct pep_error err = PEP_ERROR_INIT;
    char set[32] = "";
    int lines = 0;
    assert_int_equal(steps(p), 0);
    assert_int_equal(store_get_set(p->store, 1, take_set, set, &err), PEP_ENOTFOUND);
    assert_int_equal(put_step(p, 1, 0, NULL), 0);
    assert_int_equal(put_step(p, 2, 0, NULL), 0);
    assert_int_equal(put_step(p, 5, 1, NULL), 0); /* numbers may leave some out */
    assert_int_equal(put_step(p, 5, 0, &err), PEP_ECONFLICT);
    assert_int_equal(put_step(p, 4, 0, &err), PEP_ECONFLICT);
    reopen(p);
    assert_int_equal(steps(p), 25);
    assert_int_equal(store_get_set(p->store, 5, take_set, set, NULL), 0);
    assert_string_equal(set, "set 5");
    assert_int_equal(store_get_set(p->store, 2, take_set, set, &err), PEP_ENOTFOUND);
    assert_int_equal(store_each_audit(p->store, 10, count_audit, &lines, NULL), 0);
    assert_int_equal(lines, 3); /* those that were refused left nothing */
}

/* A data folder of the version before gets its new tables when it is opened. */
static void an_older_database_is_brought_up_to_date(void **state)
{
    struct place *p = *state;
    char path[128];
    sqlite3 *db = NULL;
    assert_int_equal(put(p, 1, 10, NULL), 0);
    store_close(p->store);
    p->store = NULL;
    snprintf(path, sizeof(path), "%s/pdpd.db", p->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TABLE revoked_step; DROP TABLE revoked_set;"
                                  "DROP TABLE relayed; DROP TABLE relay_stamp;"
                                  "PRAGMA user_version = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(store_open(p->folder, &p->store, NULL), 0);
    assert_int_equal(versions(p), 1);
    assert_int_equal(put_step(p, 1, 0, NULL), 0);
    assert_int_equal(steps(p), 1);
}

static void second_opener_is_refused(void **state)
{
    struct place *p = *state;
    struct store *other = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(store_open(p->folder, &other, &err), PEP_ECONFLICT);
    assert_non_null(strstr(err.text, "in use by another pdpd"));
    assert_null(other);
    reopen(p);
}

static void a_newer_database_is_refused(void **state)
{
    struct place *p = *state;
    char path[128];
    sqlite3 *db = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    store_close(p->store);
    p->store = NULL;
    snprintf(path, sizeof(path), "%s/pdpd.db", p->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(store_open(p->folder, &p->store, &err), PEP_EFORMAT);
    assert_non_null(strstr(err.text, "newer pdpd"));
}

/* A file-size limit is what a test without root can make of a full disk. */
static void a_full_disk_is_said_and_leaves_no_half(void **state)
{
    struct place *p = *state;
    struct rlimit before, small;
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(put(p, 1, 10, NULL), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1024 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = put(p, 2, 4 * 1024 * 1024, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, PEP_ELIMIT);
    assert_non_null(strstr(err.text, "disk is full"));
    assert_int_equal(versions(p), 1);
    assert_int_equal(put(p, 2, 4 * 1024 * 1024, NULL), 0);
    reopen(p);
    assert_int_equal(versions(p), 21);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(versions_rise_and_stay),
        TEST(history_cannot_be_rewritten),
        TEST(sequence_numbers_never_come_twice),
        TEST(a_token_is_used_as_often_as_it_says),
        TEST(steps_rise_and_one_list_stays),
        TEST(an_older_database_is_brought_up_to_date),
        TEST(second_opener_is_refused),
        TEST(a_newer_database_is_refused),
        TEST(a_full_disk_is_said_and_leaves_no_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
