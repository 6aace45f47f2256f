/* Every wire message under one signature: see messages.h. */
#include "messages.h"

#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define ADAPT(name)                                                              \
    static int read_##name(struct pep_span frame, union any_message *ret)        \
    {                                                                            \
        return pep_##name##_read(frame, &ret->name);                             \
    }                                                                            \
    static void write_##name(const union any_message *m, struct pep_buffer *out) \
    {                                                                            \
        pep_##name##_write(&m->name, out);                                       \
    }

ADAPT(notice)
ADAPT(fetch)
ADAPT(answer)
ADAPT(want)
ADAPT(file)
ADAPT(statement)
ADAPT(enrol)
ADAPT(enrolled)
ADAPT(refused)
ADAPT(feed)
ADAPT(revoked)
ADAPT(keys)

static int read_operate(struct pep_span frame, union any_message *ret)
{
    return pep_message_type(frame) == PEP_MSG_OPERATE ? pep_operate_read(frame, ret->nonce)
                                                      : PEP_EFORMAT;
}

static void write_operate(const union any_message *m, struct pep_buffer *out)
{
    pep_operate_write(PEP_MSG_OPERATE, m->nonce, out);
}

static void fill(void *bytes, size_t size, uint8_t first)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(first + i);
}

static void text(char *out, const char *value)
{
    memcpy(out, value, strlen(value) + 1);
}

static struct pep_head head(uint32_t epoch, uint64_t version)
{
    struct pep_head h = {epoch, version, {0}};
    fill(h.digest, sizeof(h.digest), (uint8_t)version);
    return h;
}

static struct pep_feeds feeds(void)
{
    struct pep_feeds f = {.revocations = 12, .keys = 1700000000000};
    fill(f.revocations_digest, sizeof(f.revocations_digest), 3);
    return f;
}

static void example_notice(union any_message *m)
{
    m->notice = (struct pep_notice){.bundle = "acme",
                                    .channel = "main",
                                    .root = 3,
                                    .seq = 77,
                                    .issued_at = 1700000000123,
                                    .head = head(1, 42),
                                    .floor = 40,
                                    .feeds = feeds()};
}

static void example_fetch(union any_message *m)
{
    m->fetch = (struct pep_fetch){.flags = PEP_FETCH_REPORT_ONLY,
                                  .bundle = "acme",
                                  .root = 3,
                                  .have = head(1, 41),
                                  .rejected = head(1, 42),
                                  .state = PEP_STALE,
                                  .age_ms = 61000,
                                  .error = PEP_EPOLICY,
                                  .reason = "policies/a.lua:3: unexpected symbol",
                                  .library = "libpep 0.1.0"};
    fill(m->fetch.nonce, sizeof(m->fetch.nonce), 1);
    fill(m->fetch.reporter, sizeof(m->fetch.reporter), 100);
}

static void example_answer(union any_message *m)
{
    m->answer = (struct pep_answer){.kind = PEP_ANSWER_VERSION,
                                    .bundle = "acme",
                                    .channel = "main",
                                    .root = 3,
                                    .seq = 77,
                                    .issued_at = 1700000000123,
                                    .head = head(1, 42),
                                    .floor = 40,
                                    .feeds = feeds(),
                                    .roots = 1,
                                    .files = 2};
    fill(m->answer.nonce, sizeof(m->answer.nonce), 1);
}

static void example_want(union any_message *m)
{
    m->want = (struct pep_want){.bundle = "acme", .count = 2};
    fill(m->want.nonce, sizeof(m->want.nonce), 1);
    fill(m->want.hashes, 2 * PEP_SHA256_SIZE, 9);
}

static void example_file(union any_message *m)
{
    m->file = (struct pep_file_frame){.content = pep_span_string("allow \"a\" {}\n")};
    fill(m->file.nonce, sizeof(m->file.nonce), 1);
    fill(m->file.hash, sizeof(m->file.hash), 9);
}

static void example_statement(union any_message *m)
{
    m->statement = (struct pep_statement){.kind = PEP_STATEMENT_SUSPENDED,
                                          .client_key = FIXTURE_SERVER,
                                          .client = "billing-api/1",
                                          .seq = 5,
                                          .issued_at = 1700000000123};
}

static void example_enrol(union any_message *m)
{
    m->enrol = (struct pep_enrol){.token_id = "00112233445566778899aabbccddeeff",
                                  .host = "web-1.example.org"};
    fill(m->enrol.nonce, sizeof(m->enrol.nonce), 1);
    fill(m->enrol.secret, sizeof(m->enrol.secret), 50);
}

static void example_enrolled(union any_message *m)
{
    m->enrolled = (struct pep_enrolled){.client = "billing-api/1", .bundle = "acme"};
    m->enrolled.endpoint_count = 2;
    fill(m->enrolled.nonce, sizeof(m->enrolled.nonce), 1);
    text(m->enrolled.notices[0], "tcp://10.0.0.1:7610");
    text(m->enrolled.fetch[0], "tcp://10.0.0.1:7611");
    text(m->enrolled.notices[1], "tcp://[fd00::1]:7610");
    text(m->enrolled.fetch[1], "tcp://[fd00::1]:7611");
}

static void example_refused(union any_message *m)
{
    m->refused =
        (struct pep_refused){.reference = "r-1234", .reason = "not possible; ask an operator"};
    fill(m->refused.nonce, sizeof(m->refused.nonce), 1);
}

static void example_operate(union any_message *m)
{
    fill(m->nonce, sizeof(m->nonce), 1);
}

static void example_feed(union any_message *m)
{
    m->feed =
        (struct pep_feed){.bundle = "acme", .revocations = 12, .keys = 1700000000000, .look = 1};
    fill(m->feed.nonce, sizeof(m->feed.nonce), 1);
    fill(m->feed.revocations_digest, sizeof(m->feed.revocations_digest), 3);
}

static void example_revoked(union any_message *m)
{
    m->revoked = (struct pep_revoked){.kind = PEP_REVOKED_STEPS, .steps = 2, .keys = 1};
    fill(m->revoked.nonce, sizeof(m->revoked.nonce), 1);
}

static void example_keys(union any_message *m)
{
    m->keys = (struct pep_keys){
        .bundle = "acme", .seq = 1700000000000, .issued_at = 1700000000123, .count = 2};
    fill(m->keys.nonce, sizeof(m->keys.nonce), 1);
    for (size_t i = 0; i < m->keys.count; i++) {
        fill(m->keys.issuers[i].issuer, PEP_SHA256_SIZE, (uint8_t)(7 * i));
        m->keys.issuers[i].fetched_at = 1700000000000;
        m->keys.issuers[i].jwks = pep_span_string("{\"keys\":[]}");
    }
}

#define CASE(name, type)                                       \
    {                                                          \
#name, type, read_##name, write_##name, example_##name \
    }

const struct message_case message_cases[] = {
    CASE(notice, PEP_MSG_NOTICE),   CASE(fetch, PEP_MSG_FETCH),
    CASE(answer, PEP_MSG_ANSWER),   CASE(want, PEP_MSG_WANT),
    CASE(file, PEP_MSG_FILE),       CASE(statement, PEP_MSG_STATEMENT),
    CASE(enrol, PEP_MSG_ENROL),     CASE(enrolled, PEP_MSG_ENROLLED),
    CASE(refused, PEP_MSG_REFUSED), CASE(operate, PEP_MSG_OPERATE),
    CASE(feed, PEP_MSG_FEED),       CASE(revoked, PEP_MSG_REVOKED),
    CASE(keys, PEP_MSG_KEYS),
};
const size_t message_case_count = sizeof(message_cases) / sizeof(message_cases[0]);
