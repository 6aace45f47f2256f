/* Wire messages: each is read back as written, byte for byte; anything else is refused whole. */
#include "tests/support/fixture.h"
#include "tests/support/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static union any_message message, other;

static struct pep_buffer example(const struct message_case *c)
{
    struct pep_buffer out = pep_buffer_of(PEP_REPLY_MAX);
    memset(&message, 0, sizeof(message));
    c->example(&message);
    c->write(&message, &out);
    assert_false(out.failed);
    return out;
}

/* Reads into a struct full of a pattern, and says whether that stayed untouched. */
static int read_frame(const struct message_case *c, struct pep_span frame)
{
    static union any_message pattern;
    memset(&pattern, 0x5a, sizeof(pattern));
    memset(&other, 0x5a, sizeof(other));
    int r = c->read(frame, &other);
    if (r != PEP_OK) {
        assert_int_equal(r, PEP_EFORMAT);
        assert_memory_equal(&other, &pattern, sizeof(other));
    }
    return r;
}

static void each_is_read_as_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_case_count; i++) {
        const struct message_case *c = &message_cases[i];
        struct pep_buffer first = example(c), second = pep_buffer_of(PEP_REPLY_MAX);
        assert_int_equal(pep_message_type(pep_buffer_span(&first)), c->type);
        assert_int_equal(read_frame(c, pep_buffer_span(&first)), PEP_OK);
        c->write(&other, &second);
        assert_true(pep_span_equal(pep_buffer_span(&first), pep_buffer_span(&second)));
        pep_buffer_free(&first);
        pep_buffer_free(&second);
    }
}

static void values_arrive(void **state)
{
    (void)state;
    struct pep_fetch in = {.flags = PEP_FETCH_REPORT_ONLY,
                           .bundle = "a",
                           .root = UINT32_MAX,
                           .have = {7, PEP_VERSION_MAX, {1}},
                           .state = PEP_CLOSED,
                           .age_ms = UINT64_MAX,
                           .error = -127,
                           .reason = "r\xc3\xa9",
                           .library = "l"};
    struct pep_fetch out;
    struct pep_buffer b = pep_buffer_of(PEP_REQUEST_MAX);
    pep_fetch_write(&in, &b);
    assert_int_equal(pep_fetch_read(pep_buffer_span(&b), &out), PEP_OK);
    assert_int_equal(out.flags, in.flags);
    assert_string_equal(out.bundle, "a");
    assert_int_equal(out.root, UINT32_MAX);
    assert_int_equal(out.have.epoch, 7);
    assert_int_equal(out.have.version, PEP_VERSION_MAX);
    assert_int_equal(out.have.digest[0], 1);
    assert_int_equal(out.rejected.version, 0);
    assert_int_equal(out.state, PEP_CLOSED);
    assert_true(out.age_ms == UINT64_MAX);
    assert_int_equal(out.error, -127);
    assert_string_equal(out.reason, "r\xc3\xa9");
    pep_buffer_free(&b);
}

static void cuts_and_trailing_bytes_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_case_count; i++) {
        const struct message_case *c = &message_cases[i];
        struct pep_buffer b = example(c);
        for (size_t size = 0; size < b.size; size++)
            assert_int_equal(read_frame(c, pep_span_of(b.data, size)), PEP_EFORMAT);
        assert_int_equal(read_frame(c, (struct pep_span){NULL, 0}), PEP_EFORMAT);
        pep_put_u8(&b, 0);
        assert_int_equal(read_frame(c, pep_buffer_span(&b)), PEP_EFORMAT);
        pep_buffer_free(&b);
    }
}

static void another_type_or_version_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_case_count; i++) {
        const struct message_case *c = &message_cases[i];
        struct pep_buffer b = example(c);
        for (size_t k = 0; k < message_case_count; k++) {
            if (k != i)
                assert_int_equal(read_frame(&message_cases[k], pep_buffer_span(&b)), PEP_EFORMAT);
        }
        for (size_t at = 0; at < 4; at++) {
            b.data[at] ^= 0x40;
            assert_int_equal(read_frame(c, pep_buffer_span(&b)), PEP_EFORMAT);
            b.data[at] ^= 0x40;
        }
        b.data[2] = PEP_WIRE_VERSION + 1;
        assert_int_equal(pep_message_type(pep_buffer_span(&b)), PEP_EFORMAT);
        pep_buffer_free(&b);
    }
}

static void types_are_a_closed_list(void **state)
{
    (void)state;
    for (int type = 0; type < 256; type++) {
        uint8_t frame[4] = {'P', 'D', PEP_WIRE_VERSION, (uint8_t)type};
        bool known = type >= PEP_MSG_NOTICE && type <= PEP_MSG_LAST;
        assert_int_equal(pep_message_type(pep_span_of(frame, 4)), known ? type : PEP_EFORMAT);
        assert_int_equal(pep_message_type(pep_span_of(frame, 3)), PEP_EFORMAT);
    }
}

/* Writes the struct as it is and says whether a reader takes it. */
#define TAKES(name, m)                                                                 \
    static bool takes_##name(const struct pep_##name *m)                               \
    {                                                                                  \
        struct pep_##name ret;                                                         \
        struct pep_buffer b = pep_buffer_of(PEP_REPLY_MAX);                            \
        pep_##name##_write(m, &b);                                                     \
        bool ok = !b.failed && pep_##name##_read(pep_buffer_span(&b), &ret) == PEP_OK; \
        pep_buffer_free(&b);                                                           \
        return ok;                                                                     \
    }

TAKES(notice, m)
TAKES(fetch, m)
TAKES(answer, m)
TAKES(want, m)
TAKES(statement, m)
TAKES(enrol, m)
TAKES(enrolled, m)

static void load(enum pep_message type)
{
    for (size_t i = 0; i < message_case_count; i++) {
        if (message_cases[i].type == type) {
            memset(&message, 0, sizeof(message));
            message_cases[i].example(&message);
        }
    }
}

static void names_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "Acme", ".acme", "a/b", "a b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        load(PEP_MSG_NOTICE);
        assert_true(takes_notice(&message.notice));
        strcpy(message.notice.bundle, bad[i]);
        assert_false(takes_notice(&message.notice));
        load(PEP_MSG_NOTICE);
        strcpy(message.notice.channel, bad[i]);
        assert_false(takes_notice(&message.notice));
        load(PEP_MSG_FETCH);
        strcpy(message.fetch.bundle, bad[i]);
        assert_false(takes_fetch(&message.fetch));
    }
}

static void enums_are_closed(void **state)
{
    (void)state;
    for (int v = 0; v < 256; v++) {
        load(PEP_MSG_FETCH);
        message.fetch.flags = (uint8_t)v;
        assert_int_equal(takes_fetch(&message.fetch), v <= 1);
        load(PEP_MSG_FETCH);
        message.fetch.state = (uint8_t)v;
        assert_int_equal(takes_fetch(&message.fetch), v <= PEP_CLOSED);
        load(PEP_MSG_ANSWER);
        message.answer.kind = (uint8_t)v;
        assert_int_equal(takes_answer(&message.answer), v >= 1 && v <= 3);
        load(PEP_MSG_STATEMENT);
        message.statement.kind = (uint8_t)v;
        assert_int_equal(takes_statement(&message.statement), v >= 1 && v <= 3);
    }
    load(PEP_MSG_FETCH);
    message.fetch.error = 1;
    assert_false(takes_fetch(&message.fetch));
    message.fetch.error = -128;
    assert_false(takes_fetch(&message.fetch));
}

static void a_version_is_whole_or_none(void **state)
{
    (void)state;
    static const struct {
        struct pep_head head;
        bool ok;
    } cases[] = {
        {{0, 0, {0}}, true},
        {{1, 1, {0}}, true},
        {{1, 1, {1}}, true},
        {{1, PEP_VERSION_MAX, {1}}, true},
        {{1, PEP_VERSION_MAX + 1, {1}}, false},
        {{0, 1, {1}}, false},
        {{1, 0, {1}}, false},
        {{1, 0, {0}}, false},
        {{0, 0, {1}}, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load(PEP_MSG_FETCH);
        message.fetch.have = cases[i].head;
        assert_int_equal(takes_fetch(&message.fetch), cases[i].ok);
    }
}

static void counts_are_bounded(void **state)
{
    (void)state;
    load(PEP_MSG_WANT);
    message.want.count = 0;
    assert_false(takes_want(&message.want));
    message.want.count = PEP_WANT_MAX;
    assert_true(takes_want(&message.want));
    message.want.count = PEP_WANT_MAX + 1;
    assert_false(takes_want(&message.want));
    load(PEP_MSG_ANSWER);
    message.answer.roots = PEP_ROOT_CHAIN;
    message.answer.files = PEP_BUNDLE_FILES;
    assert_true(takes_answer(&message.answer));
    message.answer.roots = PEP_ROOT_CHAIN + 1;
    assert_false(takes_answer(&message.answer));
    load(PEP_MSG_ENROLLED);
    message.enrolled.endpoint_count = 0;
    assert_false(takes_enrolled(&message.enrolled));
    message.enrolled.endpoint_count = 3; /* the third pair is empty */
    assert_false(takes_enrolled(&message.enrolled));
    message.enrolled.endpoint_count = PEP_ENDPOINTS + 1;
    assert_false(takes_enrolled(&message.enrolled));
}

/* A frame that announces more than there is, whatever the struct behind it can hold. */
static void announced_counts_are_bounded(void **state)
{
    (void)state;
    struct pep_want want;
    struct pep_buffer b = pep_buffer_of(PEP_REQUEST_MAX);
    load(PEP_MSG_WANT);
    message.want.count = PEP_WANT_MAX;
    pep_want_write(&message.want, &b);
    size_t at = 4 + PEP_NONCE_SIZE + 2 + strlen("acme");
    assert_int_equal(b.data[at] << 8 | b.data[at + 1], PEP_WANT_MAX);
    b.data[at + 1]++;
    uint8_t hash[PEP_SHA256_SIZE] = {0};
    pep_put_bytes(&b, hash, sizeof(hash));
    assert_int_equal(pep_want_read(pep_buffer_span(&b), &want), PEP_EFORMAT);
    pep_buffer_free(&b);
}

static void files_are_bounded(void **state)
{
    (void)state;
    struct pep_file_frame in, out;
    struct pep_buffer b = pep_buffer_of(PEP_REPLY_MAX);
    uint8_t *big = calloc(1, PEP_DATA_MAX + 1);
    memset(&in, 0, sizeof(in));
    in.content = pep_span_of(big, PEP_DATA_MAX);
    pep_file_write(&in, &b);
    assert_int_equal(pep_file_read(pep_buffer_span(&b), &out), PEP_OK);
    assert_int_equal(out.content.size, PEP_DATA_MAX);
    pep_buffer_free(&b);
    in.content.size = 0;
    pep_file_write(&in, &b);
    assert_int_equal(pep_file_read(pep_buffer_span(&b), &out), PEP_OK);
    assert_int_equal(out.content.size, 0);
    assert_non_null(out.content.data); /* an empty file is not a missing one */
    pep_buffer_free(&b);
    in.content.size = PEP_DATA_MAX + 1;
    pep_file_write(&in, &b);
    assert_true(b.failed);
    pep_buffer_free(&b);
    free(big);
}

static void ids_and_keys_are_checked(void **state)
{
    (void)state;
    load(PEP_MSG_ENROL);
    assert_true(takes_enrol(&message.enrol));
    message.enrol.token_id[0] = 'G';
    assert_false(takes_enrol(&message.enrol));
    message.enrol.token_id[0] = '\0';
    assert_false(takes_enrol(&message.enrol));
    load(PEP_MSG_STATEMENT);
    message.statement.client_key[39] = '~';
    assert_false(takes_statement(&message.statement));
    load(PEP_MSG_STATEMENT);
    message.statement.client_key[39] = '\0';
    assert_false(takes_statement(&message.statement));
    load(PEP_MSG_STATEMENT);
    message.statement.client[0] = '\0';
    assert_false(takes_statement(&message.statement));
}

/* Control bytes and broken UTF-8 are refused by readers and never written by writers. */
static void text_is_clean(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},       {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
        {"a\nb\x1b[m", "a?b?[m"}, {"cut \xc3", "cut ?"},
        {"\xed\xa0\x80", "???"},  {"\x7f", "?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pep_refused in = {.reference = "r"}, out;
        struct pep_buffer b = pep_buffer_of(1024);
        strcpy(in.reason, cases[i].in);
        pep_refused_write(&in, &b);
        assert_int_equal(pep_refused_read(pep_buffer_span(&b), &out), PEP_OK);
        assert_string_equal(out.reason, cases[i].out);
        if (strcmp(cases[i].in, cases[i].out) != 0) {
            memcpy(b.data + b.size - strlen(cases[i].in), cases[i].in, strlen(cases[i].in));
            assert_int_equal(pep_refused_read(pep_buffer_span(&b), &out), PEP_EFORMAT);
        }
        pep_buffer_free(&b);
    }
}

static void a_notice_fits_its_maximum(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct pep_buffer body = pep_buffer_of(1024), out = pep_buffer_of(1024);
    load(PEP_MSG_NOTICE);
    memset(message.notice.bundle, 'b', PEP_NAME_MAX);
    memset(message.notice.channel, 'c', PEP_CHANNEL_MAX);
    pep_notice_write(&message.notice, &body);
    assert_int_equal(pep_compact_sign(PEP_TYPE_NOTICE, pep_buffer_span(&body), f.beacon_key, &out),
                     PEP_OK);
    assert_true(out.size + PEP_NAME_MAX + 1 <= PEP_NOTICE_MAX);
    struct pep_signers beacon = pep_root_signers(f.root, PEP_ROLE_BEACON);
    struct pep_span verified;
    struct pep_notice notice;
    assert_int_equal(pep_compact_verify(pep_buffer_span(&out), PEP_TYPE_NOTICE, &beacon, &verified),
                     PEP_OK);
    assert_int_equal(pep_notice_read(verified, &notice), PEP_OK);
    pep_buffer_free(&body);
    pep_buffer_free(&out);
    fixture_free(&f);
}

static void operate_carries_a_nonce(void **state)
{
    (void)state;
    uint8_t in[PEP_NONCE_SIZE] = {1, 2, 3}, out[PEP_NONCE_SIZE];
    static const enum pep_message types[] = {PEP_MSG_OPERATE, PEP_MSG_OPERATED, PEP_MSG_FETCH};
    for (size_t i = 0; i < 3; i++) {
        struct pep_buffer b = pep_buffer_of(64);
        pep_operate_write(types[i], in, &b);
        assert_int_equal(pep_operate_read(pep_buffer_span(&b), out), i < 2 ? PEP_OK : PEP_EFORMAT);
        assert_memory_equal(in, out, sizeof(in));
        pep_buffer_free(&b);
    }
}

/* ---- the enrolment token ---- */

static struct pep_enrol_token token_example(void)
{
    struct pep_enrol_token t = {.endpoints = {"tcp://10.0.0.1:7612", "tcp://[fd00::1]:7612"},
                                .endpoint_count = 2,
                                .server_key = FIXTURE_SERVER,
                                .root_sha256 = {1, 2, 3},
                                .bundle = "acme",
                                .id = "00112233445566778899aabbccddeeff",
                                .secret = {9, 8, 7}};
    return t;
}

static void a_token_is_read_as_written(void **state)
{
    (void)state;
    struct pep_enrol_token in = token_example(), out;
    struct pep_buffer b = pep_buffer_of(16384);
    assert_int_equal(pep_enrol_token_write(&in, &b), PEP_OK);
    assert_memory_equal(b.data, "pdpe1.", 6);
    assert_int_equal(pep_enrol_token_read(pep_buffer_span(&b), &out, NULL), PEP_OK);
    assert_memory_equal(&in, &out, sizeof(in));
    pep_put_u8(&b, '\n'); /* as `echo` writes it into a file */
    assert_int_equal(pep_enrol_token_read(pep_buffer_span(&b), &out, NULL), PEP_OK);
    pep_put_u8(&b, 'x');
    assert_int_equal(pep_enrol_token_read(pep_buffer_span(&b), &out, NULL), PEP_EFORMAT);
    for (size_t size = 0; size + 2 < b.size; size++)
        assert_int_not_equal(pep_enrol_token_read(pep_span_of(b.data, size), &out, NULL), PEP_OK);
    pep_buffer_free(&b);
}

static int read_token_json(const char *json)
{
    struct pep_enrol_token out;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer b = pep_buffer_of(65536);
    pep_put_format(&b, "pdpe1.");
    pep_put_base64url(&b, pep_span_string(json));
    int r = pep_enrol_token_read(pep_buffer_span(&b), &out, &err);
    assert_int_equal(err.code, r);
    pep_buffer_free(&b);
    return r;
}

#define SECRET "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define DIGEST "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ID     "00112233445566778899aabbccddeeff"
#define TOKEN(endpoints, key, digest, bundle, id, secret, more)                           \
    "{\"endpoints\":[" endpoints "],\"server_key\":\"" key "\",\"root_sha256\":\"" digest \
    "\",\"bundle\":\"" bundle "\",\"id\":\"" id "\",\"secret\":\"" secret "\"" more "}"

static void tokens_are_strict(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int expect;
    } cases[] = {
        {TOKEN("\"tcp://h:1\"", FIXTURE_SERVER, DIGEST, "acme", ID, SECRET, ""), PEP_OK},
        {TOKEN("", FIXTURE_SERVER, DIGEST, "acme", ID, SECRET, ""), PEP_EFORMAT},
        {TOKEN("\"\"", FIXTURE_SERVER, DIGEST, "acme", ID, SECRET, ""), PEP_EFORMAT},
        {TOKEN("1", FIXTURE_SERVER, DIGEST, "acme", ID, SECRET, ""), PEP_EFORMAT},
        {TOKEN("\"tcp://h:1\\n\"", FIXTURE_SERVER, DIGEST, "acme", ID, SECRET, ""), PEP_EFORMAT},
        {TOKEN("\"tcp://h\\u00e9:1\"", FIXTURE_SERVER, DIGEST, "acme", ID, SECRET, ""),
         PEP_EFORMAT},
        {TOKEN("\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"", FIXTURE_SERVER, DIGEST,
               "acme", ID, SECRET, ""),
         PEP_EFORMAT},
        {TOKEN("\"tcp://h:1\"", "short", DIGEST, "acme", ID, SECRET, ""), PEP_EFORMAT},
        {TOKEN("\"tcp://h:1\"", FIXTURE_SERVER, "00", "acme", ID, SECRET, ""), PEP_EFORMAT},
        {TOKEN("\"tcp://h:1\"", FIXTURE_SERVER, DIGEST, "Acme", ID, SECRET, ""), PEP_EFORMAT},
        {TOKEN("\"tcp://h:1\"", FIXTURE_SERVER, DIGEST, "acme", "00", SECRET, ""), PEP_EFORMAT},
        {TOKEN("\"tcp://h:1\"", FIXTURE_SERVER, DIGEST, "acme", ID, "AAAA", ""), PEP_EFORMAT},
        {TOKEN("\"tcp://h:1\"", FIXTURE_SERVER, DIGEST, "acme", ID, SECRET, ",\"more\":1"),
         PEP_EFORMAT},
        {TOKEN("\"tcp://h:1\"", FIXTURE_SERVER, DIGEST, "acme", ID, SECRET, ",\"id\":\"x\""),
         PEP_EFORMAT},
        {"{}", PEP_EFORMAT},
        {"[]", PEP_EFORMAT},
        {"", PEP_EFORMAT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int r = read_token_json(cases[i].json);
        if (r != cases[i].expect)
            fail_msg("%s: %d, expected %d", cases[i].json, r, cases[i].expect);
    }
    struct pep_enrol_token out;
    assert_int_equal(pep_enrol_token_read(pep_span_string("pdpe2.e30"), &out, NULL), PEP_EFORMAT);
    char *huge = malloc(9000);
    memset(huge, 'A', 9000);
    memcpy(huge, "pdpe1.", 6);
    assert_int_equal(pep_enrol_token_read(pep_span_of(huge, 9000), &out, NULL), PEP_ELIMIT);
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_read_as_written),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(cuts_and_trailing_bytes_are_refused),
        cmocka_unit_test(another_type_or_version_is_refused),
        cmocka_unit_test(types_are_a_closed_list),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(enums_are_closed),
        cmocka_unit_test(a_version_is_whole_or_none),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(announced_counts_are_bounded),
        cmocka_unit_test(files_are_bounded),
        cmocka_unit_test(ids_and_keys_are_checked),
        cmocka_unit_test(text_is_clean),
        cmocka_unit_test(a_notice_fits_its_maximum),
        cmocka_unit_test(operate_carries_a_nonce),
        cmocka_unit_test(a_token_is_read_as_written),
        cmocka_unit_test(tokens_are_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
