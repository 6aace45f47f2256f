/* Root documents, member by member: which are well-formed. */
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

/* The fixture's payload, with the value at a path ("roles.root.threshold") replaced or removed. */
static int with_value(const struct fixture *f, const char *path, const char *value)
{
    struct pep_root_draft d = fixture_root_draft(f);
    struct pep_buffer payload = pep_buffer_of(PEP_ROOT_MAX);
    json_error_t je;
    char part[128];
    assert_int_equal(pep_root_write(&d, &payload, NULL), PEP_OK);
    json_t *doc = json_loadb((const char *)payload.data, payload.size, 0, &je), *at = doc;
    const char *dot;
    while ((dot = strchr(path, '.')) != NULL) {
        snprintf(part, sizeof(part), "%.*s", (int)(dot - path), path);
        /* KEY stands for the id of the policy key. */
        at = json_object_get(
            at, strcmp(part, "KEY") == 0 ? pep_private_key_public(f->policy_key)->id : part);
        assert_non_null(at);
        path = dot + 1;
    }
    if (value == NULL)
        json_object_del(at, path);
    else
        json_object_set_new(at, path, json_loads(value, JSON_DECODE_ANY, &je));
    char *text = json_dumps(doc, JSON_COMPACT);
    int r = pep_root_check(pep_span_string(text), NULL);
    free(text);
    json_decref(doc);
    pep_buffer_free(&payload);
    return r;
}

#define ZERO_KEY                                       \
    "{\"type\":\"ed25519\",\"name\":\"z\",\"public\":" \
    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"
#define UNKNOWN_ID "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""

static const struct {
    const char *path, *value;
    int expect;
} member_cases[] = {
    {"installation", "\"00112233445566778899aabbccddeef0\"", PEP_OK},
    {"installation", "\"00112233445566778899aabbccddee\"", PEP_EFORMAT},
    {"installation", "\"00112233445566778899AABBCCDDEEFF\"", PEP_EFORMAT},
    {"installation", NULL, PEP_EFORMAT},
    {"version", "4294967295", PEP_OK},
    {"version", "4294967296", PEP_ELIMIT},
    {"version", "0", PEP_ELIMIT},
    {"version", "1.5", PEP_EFORMAT},
    {"version", NULL, PEP_EFORMAT},
    {"epoch", "0", PEP_ELIMIT},
    {"epoch", NULL, PEP_EFORMAT},
    {"created", "4000000000", PEP_OK},
    {"created", "4000000001", PEP_EFORMAT},
    {"created", "-1", PEP_ELIMIT},
    {"expires", "1699999999", PEP_EFORMAT},
    {"expires", "9007199254740993", PEP_ELIMIT},
    {"keys", "{}", PEP_ELIMIT},
    {"keys", "[]", PEP_EFORMAT},
    {"keys.KEY.type", "\"rsa\"", PEP_EFORMAT},
    {"keys.KEY.type", NULL, PEP_EFORMAT},
    {"keys.KEY.name", "\"x\"", PEP_OK},
    {"keys.KEY.name", "\"\"", PEP_EFORMAT},
    {"keys.KEY.name", "\"a\\nb\"", PEP_EFORMAT},
    {"keys.KEY.name", NULL, PEP_EFORMAT},
    {"keys.KEY.public", "\"\"", PEP_EFORMAT},
    {"keys.KEY.public", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", PEP_EFORMAT},
    {"keys.KEY.public", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\"", PEP_EFORMAT},
    {"keys.KEY.added", "1", PEP_OK}, /* signed, so allowed to be new */
    /* a further key, that no role names: under its own id, and under another */
    {"keys.66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925", ZERO_KEY, PEP_OK},
    {"keys.66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2926", ZERO_KEY,
     PEP_EFORMAT},
    {"keys.x", ZERO_KEY, PEP_EFORMAT},
    {"roles.root.threshold", "2", PEP_ELIMIT},
    {"roles.root.threshold", "0", PEP_ELIMIT},
    {"roles.root.threshold", NULL, PEP_EFORMAT},
    {"roles.root.keys", "[]", PEP_EFORMAT},
    {"roles.root.keys", "[1]", PEP_EFORMAT},
    {"roles.root.keys", "[" UNKNOWN_ID "]", PEP_EFORMAT},
    {"roles.root", NULL, PEP_EFORMAT},
    {"roles.policy", NULL, PEP_EFORMAT},
    {"roles.beacon", NULL, PEP_OK},
    {"roles.beacon", "1", PEP_EFORMAT},
    {"roles.later", "{\"threshold\":9}", PEP_OK},
    {"roles", NULL, PEP_EFORMAT},
    {"servers", NULL, PEP_OK},
    {"servers", "[]", PEP_OK},
    {"servers", "{}", PEP_EFORMAT},
    {"servers", "[1]", PEP_EFORMAT},
    {"servers", "[\"short\"]", PEP_EFORMAT},
    {"servers", "[\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"]", PEP_OK},
    {"servers", "[\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf~\"]", PEP_EFORMAT},
    {"servers",
     "[\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\","
     "\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"]",
     PEP_EFORMAT},
    {"later", "{\"any\":[1]}", PEP_OK},
};

static void members(void **state)
{
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(member_cases) / sizeof(member_cases[0]); i++) {
        int r = with_value(f, member_cases[i].path, member_cases[i].value);
        if (r != member_cases[i].expect)
            fail_msg("%s = %s: %d, expected %d", member_cases[i].path,
                     member_cases[i].value == NULL ? "(none)" : member_cases[i].value, r,
                     member_cases[i].expect);
    }
}

static void a_role_lists_each_key_once(void **state)
{
    const struct fixture *f = *state;
    const char *id = pep_private_key_public(f->policy_key)->id;
    const char *other = pep_private_key_public(f->root_key)->id;
    char list[256];
    snprintf(list, sizeof(list), "[\"%s\",\"%s\"]", id, other);
    assert_int_equal(with_value(f, "roles.policy.keys", list), PEP_OK);
    snprintf(list, sizeof(list), "[\"%s\",\"%s\"]", id, id);
    assert_int_equal(with_value(f, "roles.policy.keys", list), PEP_EFORMAT);
}

/* A statement carries one signature, so a higher beacon threshold could never be met. */
static void a_beacon_needs_one_signature(void **state)
{
    const struct fixture *f = *state;
    char value[512];
    for (int threshold = 1; threshold <= 2; threshold++) {
        snprintf(value, sizeof(value), "{\"threshold\":%d,\"keys\":[\"%s\",\"%s\"]}", threshold,
                 pep_private_key_public(f->beacon_key)->id,
                 pep_private_key_public(f->root_key)->id);
        assert_int_equal(with_value(f, "roles.beacon", value),
                         threshold == 1 ? PEP_OK : PEP_ELIMIT);
    }
}

static void a_draft_is_checked_before_it_is_signed(void **state)
{
    const struct fixture *f = *state;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer out = pep_buffer_of(PEP_ROOT_MAX);
    struct pep_root_draft d = fixture_root_draft(f);
    d.thresholds[PEP_ROLE_ROOT] = 2;
    assert_int_equal(pep_root_write(&d, &out, &err), PEP_ELIMIT);
    d = fixture_root_draft(f);
    d.keys[d.key_count++] = d.keys[0];
    assert_int_equal(pep_root_write(&d, &out, NULL), PEP_EINVAL);
    d = fixture_root_draft(f);
    d.expires = d.created - 1;
    assert_int_equal(pep_root_write(&d, &out, NULL), PEP_EFORMAT);
    d = fixture_root_draft(f);
    snprintf(d.servers[0], sizeof(d.servers[0]), "not a key");
    assert_int_equal(pep_root_write(&d, &out, NULL), PEP_EFORMAT);
    d = fixture_root_draft(f);
    d.key_count = PEP_ROOT_KEYS + 1;
    assert_int_equal(pep_root_write(&d, &out, NULL), PEP_ELIMIT);
    assert_int_equal(pep_root_check(pep_span_string("[]"), NULL), PEP_EFORMAT);
    assert_int_equal(out.size, 0);
    /* A new installation gets a random id. */
    struct pep_buffer again = pep_buffer_of(PEP_ROOT_MAX);
    d = fixture_root_draft(f);
    d.installation[0] = '\0';
    assert_int_equal(pep_root_write(&d, &out, NULL), PEP_OK);
    assert_int_equal(pep_root_write(&d, &again, NULL), PEP_OK);
    assert_false(pep_span_equal(pep_buffer_span(&out), pep_buffer_span(&again)));
    pep_buffer_free(&out);
    pep_buffer_free(&again);
}

static void a_full_root_fits(void **state)
{
    const struct fixture *f = *state;
    struct pep_root_draft d = fixture_root_draft(f);
    struct pep_private_key *keys[PEP_ROOT_KEYS];
    const struct pep_private_key *signers[PEP_SIGNATURES_MAX];
    d.key_count = 0;
    d.server_count = PEP_ROOT_SERVERS;
    for (size_t i = 0; i < PEP_ROOT_SERVERS; i++)
        snprintf(d.servers[i], sizeof(d.servers[i]), "%040zu", i);
    for (size_t i = 0; i < PEP_ROOT_KEYS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "full-%zu", i);
        keys[i] = fixture_key(name);
        d.keys[i].key = *pep_private_key_public(keys[i]);
        memset(d.keys[i].name, '"', PEP_KEY_NAME_MAX - 1);
        for (int role = 0; role < PEP_ROLE_COUNT; role++)
            d.keys[i].roles[role] = true;
        d.key_count++;
        if (i < PEP_SIGNATURES_MAX)
            signers[i] = keys[i];
    }
    d.thresholds[PEP_ROLE_ROOT] = PEP_SIGNATURES_MAX;
    d.thresholds[PEP_ROLE_REVOCATION] = 1;
    struct pep_buffer text = fixture_sign_root(&d, signers, PEP_SIGNATURES_MAX);
    struct pep_root *root = NULL;
    assert_int_equal(pep_root_open(pep_buffer_span(&text), NULL, &root, NULL), PEP_OK);
    pep_root_free(root);
    pep_buffer_free(&text);
    for (size_t i = 0; i < PEP_ROOT_KEYS; i++)
        pep_private_key_free(keys[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),
        cmocka_unit_test(a_role_lists_each_key_once),
        cmocka_unit_test(a_beacon_needs_one_signature),
        cmocka_unit_test(a_draft_is_checked_before_it_is_signed),
        cmocka_unit_test(a_full_root_fits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
