/*
 * The messages of wire.h as tables: see wire_fields.h. Those about revoked tokens and relayed keys
 * are in wire_feed.c.
 */
#include "wire_fields.h"

#include <string.h>

/* ---- the tables ---- */

#define FEEDS(type)                                                                        \
    FIELD(K_U64, type, feeds.revocations), FIELD(K_BYTES, type, feeds.revocations_digest), \
        FIELD(K_U64, type, feeds.keys)

static const struct pep_wire_field notice_fields[] = {
    FIELD(K_NAME, struct pep_notice, bundle),   FIELD(K_NAME, struct pep_notice, channel),
    FIELD(K_U32, struct pep_notice, root),      FIELD(K_U64, struct pep_notice, seq),
    FIELD(K_I64, struct pep_notice, issued_at), FIELD(K_HEAD, struct pep_notice, head),
    FIELD(K_U64, struct pep_notice, floor),     FEEDS(struct pep_notice),
};
static const struct pep_wire_layout notice_layout =
    LAYOUT(PEP_MSG_NOTICE, struct pep_notice, notice_fields);

static const struct pep_wire_field fetch_fields[] = {
    FIELD(K_BYTES, struct pep_fetch, nonce),
    FIELD(K_BYTES, struct pep_fetch, reporter),
    RANGE(K_U8, struct pep_fetch, flags, 0, PEP_FETCH_REPORT_ONLY),
    FIELD(K_NAME, struct pep_fetch, bundle),
    FIELD(K_U32, struct pep_fetch, root),
    FIELD(K_HEAD, struct pep_fetch, have),
    FIELD(K_HEAD, struct pep_fetch, rejected),
    RANGE(K_U8, struct pep_fetch, state, PEP_EMPTY, PEP_CLOSED),
    FIELD(K_U64, struct pep_fetch, age_ms),
    FIELD(K_U64, struct pep_fetch, revocations),
    FIELD(K_ERROR, struct pep_fetch, error),
    FIELD(K_TEXT, struct pep_fetch, reason),
    FIELD(K_TEXT, struct pep_fetch, library),
};
static const struct pep_wire_layout fetch_layout =
    LAYOUT(PEP_MSG_FETCH, struct pep_fetch, fetch_fields);

static const struct pep_wire_field answer_fields[] = {
    FIELD(K_BYTES, struct pep_answer, nonce),
    RANGE(K_U8, struct pep_answer, kind, PEP_ANSWER_SAME, PEP_ANSWER_NONE),
    FIELD(K_NAME, struct pep_answer, bundle),
    FIELD(K_NAME, struct pep_answer, channel),
    FIELD(K_U32, struct pep_answer, root),
    FIELD(K_U64, struct pep_answer, seq),
    FIELD(K_I64, struct pep_answer, issued_at),
    FIELD(K_HEAD, struct pep_answer, head),
    FIELD(K_U64, struct pep_answer, floor),
    FEEDS(struct pep_answer),
    RANGE(K_U16, struct pep_answer, roots, 0, PEP_ROOT_CHAIN),
    RANGE(K_U16, struct pep_answer, files, 0, PEP_BUNDLE_FILES),
};
static const struct pep_wire_layout answer_layout =
    LAYOUT(PEP_MSG_ANSWER, struct pep_answer, answer_fields);

static const struct pep_wire_field want_fields[] = {
    FIELD(K_BYTES, struct pep_want, nonce),
    FIELD(K_NAME, struct pep_want, bundle),
    RANGE(K_U16, struct pep_want, count, 1, PEP_WANT_MAX),
};
static const struct pep_wire_layout want_layout =
    LAYOUT(PEP_MSG_WANT, struct pep_want, want_fields);

static const struct pep_wire_field file_fields[] = {
    FIELD(K_BYTES, struct pep_file_frame, nonce),
    FIELD(K_BYTES, struct pep_file_frame, hash),
};
static const struct pep_wire_layout file_layout =
    LAYOUT(PEP_MSG_FILE, struct pep_file_frame, file_fields);

static const struct pep_wire_field statement_fields[] = {
    RANGE(K_U8, struct pep_statement, kind, PEP_STATEMENT_REVOKED, PEP_STATEMENT_RESUMED),
    FIELD(K_Z85, struct pep_statement, client_key),
    FIELD(K_WORD, struct pep_statement, client),
    FIELD(K_U64, struct pep_statement, seq),
    FIELD(K_I64, struct pep_statement, issued_at),
};
static const struct pep_wire_layout statement_layout =
    LAYOUT(PEP_MSG_STATEMENT, struct pep_statement, statement_fields);

static const struct pep_wire_field enrol_fields[] = {
    FIELD(K_BYTES, struct pep_enrol, nonce),
    FIELD(K_HEX, struct pep_enrol, token_id),
    FIELD(K_BYTES, struct pep_enrol, secret),
    FIELD(K_TEXT, struct pep_enrol, host),
};
static const struct pep_wire_layout enrol_layout =
    LAYOUT(PEP_MSG_ENROL, struct pep_enrol, enrol_fields);

static const struct pep_wire_field enrolled_fields[] = {
    FIELD(K_BYTES, struct pep_enrolled, nonce),
    FIELD(K_WORD, struct pep_enrolled, client),
    FIELD(K_NAME, struct pep_enrolled, bundle),
    RANGE(K_U8, struct pep_enrolled, endpoint_count, 1, PEP_ENDPOINTS),
};
static const struct pep_wire_layout enrolled_layout =
    LAYOUT(PEP_MSG_ENROLLED, struct pep_enrolled, enrolled_fields);

static const struct pep_wire_field refused_fields[] = {
    FIELD(K_BYTES, struct pep_refused, nonce),
    FIELD(K_TEXT, struct pep_refused, reference),
    FIELD(K_TEXT, struct pep_refused, reason),
};
static const struct pep_wire_layout refused_layout =
    LAYOUT(PEP_MSG_REFUSED, struct pep_refused, refused_fields);

int pep_message_type(struct pep_span frame)
{
    struct pep_cursor c = pep_cursor_of(frame);
    pep_wire_need(&c, pep_get_u8(&c) == 'P');
    pep_wire_need(&c, pep_get_u8(&c) == 'D');
    pep_wire_need(&c, pep_get_u8(&c) == PEP_WIRE_VERSION);
    int type = pep_get_u8(&c);
    pep_wire_need(&c, type >= PEP_MSG_NOTICE && type <= PEP_MSG_LAST);
    return c.failed ? PEP_EFORMAT : type;
}

/* ---- the messages ---- */

PEP_WIRE_PLAIN(notice)
PEP_WIRE_PLAIN(fetch)
PEP_WIRE_PLAIN(answer)
PEP_WIRE_PLAIN(statement)
PEP_WIRE_PLAIN(enrol)
PEP_WIRE_PLAIN(refused)

/* ---- those with a list or content behind it ---- */

void pep_want_write(const struct pep_want *m, struct pep_buffer *out)
{
    pep_wire_put(out, &want_layout, m);
    if (m->count > PEP_WANT_MAX)
        out->failed = true;
    else
        pep_put_bytes(out, m->hashes, (size_t)m->count * PEP_SHA256_SIZE);
}

int pep_want_read(struct pep_span frame, struct pep_want *ret)
{
    struct pep_cursor c = pep_cursor_of(frame);
    struct pep_want m;
    pep_wire_get(&c, &want_layout, &m);
    if (!c.failed)
        pep_get_copy(&c, m.hashes, (size_t)m.count * PEP_SHA256_SIZE);
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    *ret = m;
    return PEP_OK;
}

void pep_file_write(const struct pep_file_frame *m, struct pep_buffer *out)
{
    pep_wire_put(out, &file_layout, m);
    pep_put_u32(out, (uint32_t)m->content.size);
    if (m->content.size > PEP_DATA_MAX)
        out->failed = true;
    else
        pep_put_span(out, m->content);
}

int pep_file_read(struct pep_span frame, struct pep_file_frame *ret)
{
    struct pep_cursor c = pep_cursor_of(frame);
    struct pep_file_frame m;
    pep_wire_get(&c, &file_layout, &m);
    uint32_t size = pep_get_u32(&c);
    pep_wire_need(&c, size <= PEP_DATA_MAX);
    m.content = pep_get_bytes(&c, size);
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    *ret = m;
    return PEP_OK;
}

static const struct pep_wire_field endpoint_field = {K_WORD, 0, PEP_ENDPOINT_MAX + 1, 0, 0};

void pep_enrolled_write(const struct pep_enrolled *m, struct pep_buffer *out)
{
    pep_wire_put(out, &enrolled_layout, m);
    if (m->endpoint_count > PEP_ENDPOINTS)
        out->failed = true;
    for (size_t i = 0; i < m->endpoint_count && !out->failed; i++) {
        pep_wire_put_field(out, &endpoint_field, m->notices[i]);
        pep_wire_put_field(out, &endpoint_field, m->fetch[i]);
    }
}

int pep_enrolled_read(struct pep_span frame, struct pep_enrolled *ret)
{
    struct pep_cursor c = pep_cursor_of(frame);
    struct pep_enrolled m;
    pep_wire_get(&c, &enrolled_layout, &m);
    for (size_t i = 0; i < m.endpoint_count && !c.failed; i++) {
        pep_wire_get_field(&c, &endpoint_field, m.notices[i]);
        pep_wire_get_field(&c, &endpoint_field, m.fetch[i]);
    }
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    *ret = m;
    return PEP_OK;
}

void pep_operate_write(enum pep_message type, const uint8_t nonce[PEP_NONCE_SIZE],
                       struct pep_buffer *out)
{
    pep_wire_put_head(out, type);
    pep_put_bytes(out, nonce, PEP_NONCE_SIZE);
}

int pep_operate_read(struct pep_span frame, uint8_t nonce[PEP_NONCE_SIZE])
{
    uint8_t copy[PEP_NONCE_SIZE];
    int type = pep_message_type(frame);
    if (type != PEP_MSG_OPERATE && type != PEP_MSG_OPERATED)
        return PEP_EFORMAT;
    struct pep_cursor c = pep_cursor_of(frame);
    pep_wire_get_head(&c, (enum pep_message)type);
    pep_get_copy(&c, copy, sizeof(copy));
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    memcpy(nonce, copy, sizeof(copy));
    return PEP_OK;
}
