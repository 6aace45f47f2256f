/* The identity folder: what enrolment writes is read; what is malformed, foreign or readable by
 * others is refused with a text that says what to do. */
#include "pep/disk.h"
#include "pep/identity.h"
#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

struct place {
    char folder[64];
    struct fixture f;
};

static int place_open(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    snprintf(p->folder, sizeof(p->folder), "/tmp/pep-test-identity-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    p->f = fixture_new();
    *state = p;
    return 0;
}

static int place_close(void **state)
{
    static const char *const names[] = {"identity.json", "curve.key", "root.json", "lock"};
    struct place *p = *state;
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", p->folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(p->folder), 0); /* nothing else was left there */
    fixture_free(&p->f);
    free(p);
    return 0;
}

static void write_identity(struct place *p)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_identity id = {.client = "billing-api/1",
                              .bundle = "acme",
                              .server_key = FIXTURE_SERVER,
                              .endpoint_count = 2,
                              .notices = {"tcp://127.0.0.1:7610", "tcp://[::1]:7610"},
                              .fetch = {"tcp://127.0.0.1:7611", "tcp://[::1]:7611"},
                              .key = {PUBLIC, SECRET},
                              .root = p->f.root};
    snprintf(id.installation, sizeof(id.installation), "%s", pep_root_installation(p->f.root));
    assert_int_equal(pep_curve_key_write(p->folder, &id.key, &err), PEP_OK);
    assert_int_equal(pep_identity_write(p->folder, &id, &err), PEP_OK);
}

static int read_it(struct place *p, char text[PEP_ERROR_TEXT])
{
    struct pep_identity *id = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int rc = pep_identity_read(p->folder, &id, &err);
    snprintf(text, PEP_ERROR_TEXT, "%s", err.text);
    pep_identity_free(id);
    assert_true((rc == PEP_OK) == (id != NULL));
    assert_true(rc == PEP_OK || text[0] != '\0');
    return rc;
}

static void overwrite(struct place *p, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void what_is_written_is_read(void **state)
{
    struct place *p = *state;
    struct pep_identity *id = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    assert_false(pep_identity_exists(p->folder));
    write_identity(p);
    assert_true(pep_identity_exists(p->folder));
    assert_int_equal(pep_identity_read(p->folder, &id, &err), PEP_OK);
    assert_string_equal(id->client, "billing-api/1");
    assert_string_equal(id->bundle, "acme");
    assert_string_equal(id->server_key, FIXTURE_SERVER);
    assert_int_equal(id->endpoint_count, 2);
    assert_string_equal(id->notices[1], "tcp://[::1]:7610");
    assert_string_equal(id->fetch[0], "tcp://127.0.0.1:7611");
    assert_string_equal(id->key.secret_key, SECRET);
    assert_int_equal(pep_root_version(id->root), 1);
    pep_identity_free(id);
}

static void the_key_is_for_its_owner_alone(void **state)
{
    static const mode_t refused[] = {0640, 0604, 0660, 0644, 0777, 0601};
    static const mode_t allowed[] = {0600, 0400};
    struct place *p = *state;
    char path[128], text[PEP_ERROR_TEXT];
    struct stat st;
    write_identity(p);
    snprintf(path, sizeof(path), "%s/curve.key", p->folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(chmod(path, refused[i]), 0);
        assert_int_equal(read_it(p, text), PEP_EINVAL);
        assert_non_null(strstr(text, "chmod 600"));
    }
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        assert_int_equal(chmod(path, allowed[i]), 0);
        assert_int_equal(read_it(p, text), PEP_OK);
    }
    if (geteuid() == 0) { /* only root can give files away */
        assert_int_equal(chown(path, 12345, 0), 0);
        assert_int_equal(read_it(p, text), PEP_EINVAL);
        assert_non_null(strstr(text, "chown"));
    }
}

static void no_identity_says_how_to_get_one(void **state)
{
    char text[PEP_ERROR_TEXT];
    assert_int_equal(read_it(*state, text), PEP_ENOTFOUND);
    assert_non_null(strstr(text, "policyctl service join"));
}

#define GOOD                                                                         \
    "\"client\":\"a/"                                                                \
    "1\",\"bundle\":\"acme\",\"installation\":\"00112233445566778899aabbccddeeff\"," \
    "\"server_key\":\"" FIXTURE_SERVER "\","

static void malformed_identities_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{" GOOD "\"notices\":[],\"fetch\":[]}",
        "{" GOOD "\"notices\":[\"tcp://a:1\"],\"fetch\":[\"tcp://a:1\",\"tcp://a:2\"]}",
        "{" GOOD "\"notices\":[\"ipc:///tmp/x\"],\"fetch\":[\"tcp://a:1\"]}",
        "{" GOOD "\"notices\":[1],\"fetch\":[\"tcp://a:1\"]}",
        "{" GOOD "\"client\":\"b/1\",\"notices\":[\"tcp://a:1\"],\"fetch\":[\"tcp://a:1\"]}",
        "{\"client\":\"\",\"bundle\":\"acme\"}",
        "{\"client\":\"a/1\",\"bundle\":\"../x\",\"installation\":\"1\"}",
        "{\"client\":\"a/1\",\"bundle\":\"acme\",\"installation\":\"1\",\"server_key\":\"short\"}",
    };
    struct place *p = *state;
    char text[PEP_ERROR_TEXT];
    write_identity(p);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        overwrite(p, "identity.json", bad[i]);
        assert_int_equal(read_it(p, text), PEP_EFORMAT);
    }
    overwrite(p, "identity.json",
              "{" GOOD "\"notices\":[\"tcp://a:1\"],\"fetch\":[\"tcp://a:2\"]}");
    assert_int_equal(read_it(p, text), PEP_OK);
}

static void another_installations_root_is_refused(void **state)
{
    struct place *p = *state;
    struct pep_root_draft d = fixture_root_draft(&p->f);
    const struct pep_private_key *signer = p->f.root_key;
    char text[PEP_ERROR_TEXT], path[128];
    write_identity(p);
    snprintf(d.installation, sizeof(d.installation), "ffeeddccbbaa99887766554433221100");
    struct pep_buffer other = fixture_sign_root(&d, &signer, 1);
    assert_int_equal(pep_disk_write(p->folder, "root.json", pep_buffer_span(&other), 0644, NULL),
                     PEP_OK);
    assert_int_equal(read_it(p, text), PEP_EFORMAT);
    other.data[other.size / 2] ^= 1;
    assert_int_equal(pep_disk_write(p->folder, "root.json", pep_buffer_span(&other), 0644, NULL),
                     PEP_OK);
    assert_int_not_equal(read_it(p, text), PEP_OK);
    pep_buffer_free(&other);
    snprintf(path, sizeof(path), "%s/root.json", p->folder);
    unlink(path);
    assert_int_equal(read_it(p, text), PEP_ENOTFOUND);
}

static void malformed_keys_are_refused(void **state)
{
    static const char *const bad[] = {"", "x", "{\"public\":\"" PUBLIC "\"}",
                                      "{\"public\":\"" PUBLIC "\",\"secret\":\"" PUBLIC "x\"}",
                                      "{\"public\":\"" PUBLIC "\",\"secret\":\"~~~~\"}"};
    struct place *p = *state;
    char text[PEP_ERROR_TEXT];
    write_identity(p);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        overwrite(p, "curve.key", bad[i]);
        assert_int_equal(read_it(p, text), PEP_EFORMAT);
        assert_null(strstr(text, SECRET));
    }
}

int main(void)
{
#define IN_A_PLACE(f) cmocka_unit_test_setup_teardown(f, place_open, place_close)
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(what_is_written_is_read),
        IN_A_PLACE(the_key_is_for_its_owner_alone),
        IN_A_PLACE(no_identity_says_how_to_get_one),
        IN_A_PLACE(malformed_identities_are_refused),
        IN_A_PLACE(another_installations_root_is_refused),
        IN_A_PLACE(malformed_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
