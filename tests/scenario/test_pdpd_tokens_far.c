/*
 * Revoked tokens over longer ways: under a new root, by policyctl, and a full list to a real
 * client.
 */
#include "token_steps.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

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
    void *client = kit_join(s, "shop");
    struct pep_private_key *revoker = fixture_key("revoker");
    struct pep_revocations *list = kit_no_list();
    kit_add_step(s, &list, 1);
    struct pep_revocations *first = pep_revocations_share(list);
    kit_add_step(s, &list, 1);
    upload_root_with(s, revoker);
    assert_false(is_signed(s));
    char *log = kit_log(&s->d);
    assert_non_null(strstr(log, "token revoke --renew"));
    free(log);
    assert_int_equal(kit_told(client, first), PEP_REVOKED_SET); /* step 2 would be refused */
    struct kit_plan mine = {time(NULL), 2, 1, s->d.keys.policy_key},
                    renewal = {time(NULL), 0, 0, revoker};
    assert_true(kit_step_refused(s, list, &mine, "refused"));
    assert_int_equal(kit_stop(&s->d), 0); /* the list outlives its signer's role */
    kit_up(&s->d);
    assert_false(is_signed(s));
    struct pep_buffer step = kit_make_step(list, &renewal);
    json_t *answer = kit_send_step(s, s->operator, list, pep_buffer_span(&step));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_buffer_free(&step);
    assert_true(is_signed(s));
    assert_int_equal(kit_told(client, list), PEP_REVOKED_STEPS);
    assert_int_equal(kit_told(client, first), PEP_REVOKED_SET);
    struct pep_revocations *got = kit_whole_list(s, client);
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
    struct pep_revocations *list = kit_no_list();
    assert_non_null(mkdtemp(folder));
    kit_add_step(s, &list, 2);
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
    struct pep_revocations *list = kit_no_list();
    assert_non_null(mkdtemp(folder));
    snprintf(identity, sizeof(identity), "%s/id", folder);
    snprintf(cache, sizeof(cache), "%s/cache", folder);
    kit_publish(s, "acme");
    enrol(s, identity);
    double start = seconds();
    while (pep_revocations_count(list) < PEP_REVOCATIONS_MAX) {
        size_t left = PEP_REVOCATIONS_MAX - pep_revocations_count(list);
        kit_add_step(s, &list, left < PEP_REVOCATION_STEP ? left : PEP_REVOCATION_STEP);
    }
    print_message("%d entries revoked in %.2f s\n", PEP_REVOCATIONS_MAX, seconds() - start);
    struct kit_plan more = {time(NULL), PEP_REVOCATIONS_MAX, 1, s->d.keys.policy_key};
    struct pep_revocation surplus = kit_entry(PEP_REVOCATIONS_MAX);
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
    struct kit_plan renewal = {time(NULL), 0, 0, s->d.keys.policy_key};
    struct pep_buffer step = kit_make_step(list, &renewal);
    json_t *answer = kit_send_step(s, s->operator, list, pep_buffer_span(&step));
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
        TEST(a_new_root_says_who_revokes),
        TEST(an_operator_signs_the_list_anew),
        TEST(a_full_list_reaches_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
