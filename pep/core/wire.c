/*
 * The messages as tables of fields: see wire.h. One walk over a table writes a message, another
 * reads it, so that the two can't drift apart, and every check (known enum value, valid name,
 * UTF-8, no half head) stands beside its field. Rejected: a hand-written pair of functions per
 * message, in which one forgotten check is invisible.
 *
 * A writer makes text harmless where a reader would refuse it (control bytes, broken UTF-8 become
 * '?'): a reason cut in the middle of a character must not make a whole report unreadable.
 */
#include "wire.h"

#include <string.h>

enum kind {
    K_U8,  /* low..high */
    K_U16, /* low..high */
    K_U32,
    K_U64,
    K_I64,
    K_ERROR, /* int16_t: 0 or a negative pep_err */
    K_BYTES, /* `size` of them */
    K_TEXT,  /* char[size], may be empty */
    K_WORD,  /* the same, not empty */
    K_NAME,  /* char[size]: a bundle's or channel's name */
    K_HEX,   /* char[size]: exactly size - 1 lower-case hex digits */
    K_Z85,   /* char[size]: exactly size - 1 characters of Z85 */
    K_HEAD,  /* struct pep_head */
};

struct field {
    enum kind kind;
    size_t offset;
    size_t size;
    uint16_t low, high;
};

struct layout {
    enum pep_message type;
    size_t size; /* of the C struct */
    const struct field *fields;
    size_t count;
};

#define FIELD(kind, type, name)                                     \
    {                                                               \
        kind, offsetof(type, name), sizeof(((type *)0)->name), 0, 0 \
    }
#define RANGE(kind, type, name, lo, hi)                               \
    {                                                                 \
        kind, offsetof(type, name), sizeof(((type *)0)->name), lo, hi \
    }
#define LAYOUT(message, type, fields)                                       \
    {                                                                       \
        message, sizeof(type), fields, sizeof(fields) / sizeof((fields)[0]) \
    }

#define ERROR_LOWEST (-127)

/* ---- the tables ---- */

static const struct field notice_fields[] = {
    FIELD(K_NAME, struct pep_notice, bundle),   FIELD(K_NAME, struct pep_notice, channel),
    FIELD(K_U32, struct pep_notice, root),      FIELD(K_U64, struct pep_notice, seq),
    FIELD(K_I64, struct pep_notice, issued_at), FIELD(K_HEAD, struct pep_notice, head),
    FIELD(K_U64, struct pep_notice, floor),
};
static const struct layout notice_layout = LAYOUT(PEP_MSG_NOTICE, struct pep_notice, notice_fields);

static const struct field fetch_fields[] = {
    FIELD(K_BYTES, struct pep_fetch, nonce),
    FIELD(K_BYTES, struct pep_fetch, reporter),
    RANGE(K_U8, struct pep_fetch, flags, 0, PEP_FETCH_REPORT_ONLY),
    FIELD(K_NAME, struct pep_fetch, bundle),
    FIELD(K_U32, struct pep_fetch, root),
    FIELD(K_HEAD, struct pep_fetch, have),
    FIELD(K_HEAD, struct pep_fetch, rejected),
    RANGE(K_U8, struct pep_fetch, state, PEP_EMPTY, PEP_CLOSED),
    FIELD(K_U64, struct pep_fetch, age_ms),
    FIELD(K_ERROR, struct pep_fetch, error),
    FIELD(K_TEXT, struct pep_fetch, reason),
    FIELD(K_TEXT, struct pep_fetch, library),
};
static const struct layout fetch_layout = LAYOUT(PEP_MSG_FETCH, struct pep_fetch, fetch_fields);

static const struct field answer_fields[] = {
    FIELD(K_BYTES, struct pep_answer, nonce),
    RANGE(K_U8, struct pep_answer, kind, PEP_ANSWER_SAME, PEP_ANSWER_NONE),
    FIELD(K_NAME, struct pep_answer, bundle),
    FIELD(K_NAME, struct pep_answer, channel),
    FIELD(K_U32, struct pep_answer, root),
    FIELD(K_U64, struct pep_answer, seq),
    FIELD(K_I64, struct pep_answer, issued_at),
    FIELD(K_HEAD, struct pep_answer, head),
    FIELD(K_U64, struct pep_answer, floor),
    RANGE(K_U16, struct pep_answer, roots, 0, PEP_ROOT_CHAIN),
    RANGE(K_U16, struct pep_answer, files, 0, PEP_BUNDLE_FILES),
};
static const struct layout answer_layout = LAYOUT(PEP_MSG_ANSWER, struct pep_answer, answer_fields);

static const struct field want_fields[] = {
    FIELD(K_BYTES, struct pep_want, nonce),
    FIELD(K_NAME, struct pep_want, bundle),
    RANGE(K_U16, struct pep_want, count, 1, PEP_WANT_MAX),
};
static const struct layout want_layout = LAYOUT(PEP_MSG_WANT, struct pep_want, want_fields);

static const struct field file_fields[] = {
    FIELD(K_BYTES, struct pep_file_frame, nonce),
    FIELD(K_BYTES, struct pep_file_frame, hash),
};
static const struct layout file_layout = LAYOUT(PEP_MSG_FILE, struct pep_file_frame, file_fields);

static const struct field statement_fields[] = {
    RANGE(K_U8, struct pep_statement, kind, PEP_STATEMENT_REVOKED, PEP_STATEMENT_RESUMED),
    FIELD(K_Z85, struct pep_statement, client_key),
    FIELD(K_WORD, struct pep_statement, client),
    FIELD(K_U64, struct pep_statement, seq),
    FIELD(K_I64, struct pep_statement, issued_at),
};
static const struct layout statement_layout =
    LAYOUT(PEP_MSG_STATEMENT, struct pep_statement, statement_fields);

static const struct field enrol_fields[] = {
    FIELD(K_BYTES, struct pep_enrol, nonce),
    FIELD(K_HEX, struct pep_enrol, token_id),
    FIELD(K_BYTES, struct pep_enrol, secret),
    FIELD(K_TEXT, struct pep_enrol, host),
};
static const struct layout enrol_layout = LAYOUT(PEP_MSG_ENROL, struct pep_enrol, enrol_fields);

static const struct field enrolled_fields[] = {
    FIELD(K_BYTES, struct pep_enrolled, nonce),
    FIELD(K_WORD, struct pep_enrolled, client),
    FIELD(K_NAME, struct pep_enrolled, bundle),
    RANGE(K_U8, struct pep_enrolled, endpoint_count, 1, PEP_ENDPOINTS),
};
static const struct layout enrolled_layout =
    LAYOUT(PEP_MSG_ENROLLED, struct pep_enrolled, enrolled_fields);

static const struct field refused_fields[] = {
    FIELD(K_BYTES, struct pep_refused, nonce),
    FIELD(K_TEXT, struct pep_refused, reference),
    FIELD(K_TEXT, struct pep_refused, reason),
};
static const struct layout refused_layout =
    LAYOUT(PEP_MSG_REFUSED, struct pep_refused, refused_fields);

/* ---- writing ---- */

static void put_head(struct pep_buffer *out, enum pep_message type)
{
    pep_put_u8(out, 'P');
    pep_put_u8(out, 'D');
    pep_put_u8(out, PEP_WIRE_VERSION);
    pep_put_u8(out, (uint8_t)type);
}

/* Text of at most size - 1 bytes, with '?' for what a reader would refuse. */
static void put_text(struct pep_buffer *out, const char *text, size_t size)
{
    size_t length = strnlen(text, size - 1);
    bool utf8 = pep_utf8_valid(pep_span_of(text, length));
    pep_put_u16(out, (uint16_t)length);
    for (size_t i = 0; i < length; i++) {
        uint8_t c = (uint8_t)text[i];
        bool bad = c < 0x20 || c == 0x7f || (!utf8 && c >= 0x80);
        pep_put_u8(out, bad ? '?' : c);
    }
}

static void put_version(struct pep_buffer *out, const struct pep_head *head)
{
    pep_put_u32(out, head->epoch);
    pep_put_u64(out, head->version);
    pep_put_bytes(out, head->digest, sizeof(head->digest));
}

static void put_field(struct pep_buffer *out, const struct field *f, const void *message)
{
    const void *at = (const char *)message + f->offset;
    switch (f->kind) {
    case K_U8:
        pep_put_u8(out, *(const uint8_t *)at);
        break;
    case K_U16:
        pep_put_u16(out, *(const uint16_t *)at);
        break;
    case K_U32:
        pep_put_u32(out, *(const uint32_t *)at);
        break;
    case K_U64:
        pep_put_u64(out, *(const uint64_t *)at);
        break;
    case K_I64:
        pep_put_u64(out, (uint64_t) * (const int64_t *)at);
        break;
    case K_ERROR:
        pep_put_u16(out, (uint16_t) * (const int16_t *)at);
        break;
    case K_BYTES:
        pep_put_bytes(out, at, f->size);
        break;
    case K_TEXT:
    case K_WORD:
    case K_NAME:
    case K_HEX:
    case K_Z85:
        put_text(out, at, f->size);
        break;
    case K_HEAD:
        put_version(out, at);
        break;
    }
}

static void put_message(struct pep_buffer *out, const struct layout *l, const void *message)
{
    put_head(out, l->type);
    for (size_t i = 0; i < l->count; i++)
        put_field(out, &l->fields[i], message);
}

/* ---- reading ---- */

static void fail_unless(struct pep_cursor *c, bool ok)
{
    if (!ok)
        c->failed = true;
}

static void get_head(struct pep_cursor *c, enum pep_message type)
{
    fail_unless(c, pep_get_u8(c) == 'P');
    fail_unless(c, pep_get_u8(c) == 'D');
    fail_unless(c, pep_get_u8(c) == PEP_WIRE_VERSION);
    fail_unless(c, pep_get_u8(c) == type);
}

static bool is_hex(struct pep_span s)
{
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool text_fits(const struct field *f, struct pep_span text)
{
    switch (f->kind) {
    case K_WORD:
        return text.size > 0;
    case K_NAME:
        return pep_bundle_name_valid(text);
    case K_HEX:
        return text.size == f->size - 1 && is_hex(text);
    case K_Z85:
        return text.size == f->size - 1 && pep_z85_key_valid(text);
    default:
        return true;
    }
}

static void get_text(struct pep_cursor *c, const struct field *f, char *out)
{
    pep_get_text(c, out, f->size);
    struct pep_span text = pep_span_string(out);
    fail_unless(c, !c->failed && pep_utf8_valid(text) && text_fits(f, text));
}

static uint64_t in_range(struct pep_cursor *c, const struct field *f, uint64_t v)
{
    fail_unless(c, v >= f->low && v <= f->high);
    return v;
}

static void get_version(struct pep_cursor *c, struct pep_head *out)
{
    static const struct pep_head none;
    out->epoch = pep_get_u32(c);
    out->version = pep_get_u64(c);
    pep_get_copy(c, out->digest, sizeof(out->digest));
    bool is_none = out->epoch == 0 && out->version == 0 &&
                   memcmp(out->digest, none.digest, sizeof(none.digest)) == 0;
    bool is_version = out->epoch > 0 && out->version > 0 && out->version <= PEP_VERSION_MAX;
    fail_unless(c, is_none || is_version);
}

static void get_error(struct pep_cursor *c, int16_t *out)
{
    *out = (int16_t)pep_get_u16(c);
    fail_unless(c, *out <= 0 && *out >= ERROR_LOWEST);
}

static void get_field(struct pep_cursor *c, const struct field *f, void *message)
{
    void *at = (char *)message + f->offset;
    switch (f->kind) {
    case K_U8:
        *(uint8_t *)at = (uint8_t)in_range(c, f, pep_get_u8(c));
        break;
    case K_U16:
        *(uint16_t *)at = (uint16_t)in_range(c, f, pep_get_u16(c));
        break;
    case K_U32:
        *(uint32_t *)at = pep_get_u32(c);
        break;
    case K_U64:
        *(uint64_t *)at = pep_get_u64(c);
        break;
    case K_I64:
        *(int64_t *)at = (int64_t)pep_get_u64(c);
        break;
    case K_ERROR:
        get_error(c, at);
        break;
    case K_BYTES:
        pep_get_copy(c, at, f->size);
        break;
    case K_TEXT:
    case K_WORD:
    case K_NAME:
    case K_HEX:
    case K_Z85:
        get_text(c, f, at);
        break;
    case K_HEAD:
        get_version(c, at);
        break;
    }
}

static void get_message(struct pep_cursor *c, const struct layout *l, void *message)
{
    memset(message, 0, l->size);
    get_head(c, l->type);
    for (size_t i = 0; i < l->count && !c->failed; i++)
        get_field(c, &l->fields[i], message);
}

int pep_message_type(struct pep_span frame)
{
    struct pep_cursor c = pep_cursor_of(frame);
    fail_unless(&c, pep_get_u8(&c) == 'P');
    fail_unless(&c, pep_get_u8(&c) == 'D');
    fail_unless(&c, pep_get_u8(&c) == PEP_WIRE_VERSION);
    int type = pep_get_u8(&c);
    fail_unless(&c, type >= PEP_MSG_NOTICE && type <= PEP_MSG_OPERATED);
    return c.failed ? PEP_EFORMAT : type;
}

/* ---- the messages that are nothing but their table ---- */

#define PLAIN_MESSAGE(name)                                                     \
    void pep_##name##_write(const struct pep_##name *m, struct pep_buffer *out) \
    {                                                                           \
        put_message(out, &name##_layout, m);                                    \
    }                                                                           \
    int pep_##name##_read(struct pep_span bytes, struct pep_##name *ret)        \
    {                                                                           \
        struct pep_cursor c = pep_cursor_of(bytes);                             \
        struct pep_##name m;                                                    \
        get_message(&c, &name##_layout, &m);                                    \
        if (!pep_cursor_done(&c))                                               \
            return PEP_EFORMAT;                                                 \
        *ret = m;                                                               \
        return PEP_OK;                                                          \
    }

PLAIN_MESSAGE(notice)
PLAIN_MESSAGE(fetch)
PLAIN_MESSAGE(answer)
PLAIN_MESSAGE(statement)
PLAIN_MESSAGE(enrol)
PLAIN_MESSAGE(refused)

/* ---- those with a list or content behind it ---- */

void pep_want_write(const struct pep_want *m, struct pep_buffer *out)
{
    put_message(out, &want_layout, m);
    if (m->count > PEP_WANT_MAX)
        out->failed = true;
    else
        pep_put_bytes(out, m->hashes, (size_t)m->count * PEP_SHA256_SIZE);
}

int pep_want_read(struct pep_span frame, struct pep_want *ret)
{
    struct pep_cursor c = pep_cursor_of(frame);
    struct pep_want m;
    get_message(&c, &want_layout, &m);
    if (!c.failed)
        pep_get_copy(&c, m.hashes, (size_t)m.count * PEP_SHA256_SIZE);
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    *ret = m;
    return PEP_OK;
}

void pep_file_write(const struct pep_file_frame *m, struct pep_buffer *out)
{
    put_message(out, &file_layout, m);
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
    get_message(&c, &file_layout, &m);
    uint32_t size = pep_get_u32(&c);
    fail_unless(&c, size <= PEP_DATA_MAX);
    m.content = pep_get_bytes(&c, size);
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    *ret = m;
    return PEP_OK;
}

static const struct field endpoint_field = {K_WORD, 0, PEP_ENDPOINT_MAX + 1, 0, 0};

void pep_enrolled_write(const struct pep_enrolled *m, struct pep_buffer *out)
{
    put_message(out, &enrolled_layout, m);
    if (m->endpoint_count > PEP_ENDPOINTS)
        out->failed = true;
    for (size_t i = 0; i < m->endpoint_count && !out->failed; i++) {
        put_field(out, &endpoint_field, m->notices[i]);
        put_field(out, &endpoint_field, m->fetch[i]);
    }
}

int pep_enrolled_read(struct pep_span frame, struct pep_enrolled *ret)
{
    struct pep_cursor c = pep_cursor_of(frame);
    struct pep_enrolled m;
    get_message(&c, &enrolled_layout, &m);
    for (size_t i = 0; i < m.endpoint_count && !c.failed; i++) {
        get_field(&c, &endpoint_field, m.notices[i]);
        get_field(&c, &endpoint_field, m.fetch[i]);
    }
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    *ret = m;
    return PEP_OK;
}

void pep_operate_write(enum pep_message type, const uint8_t nonce[PEP_NONCE_SIZE],
                       struct pep_buffer *out)
{
    put_head(out, type);
    pep_put_bytes(out, nonce, PEP_NONCE_SIZE);
}

int pep_operate_read(struct pep_span frame, uint8_t nonce[PEP_NONCE_SIZE])
{
    uint8_t copy[PEP_NONCE_SIZE];
    int type = pep_message_type(frame);
    if (type != PEP_MSG_OPERATE && type != PEP_MSG_OPERATED)
        return PEP_EFORMAT;
    struct pep_cursor c = pep_cursor_of(frame);
    get_head(&c, (enum pep_message)type);
    pep_get_copy(&c, copy, sizeof(copy));
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    memcpy(nonce, copy, sizeof(copy));
    return PEP_OK;
}
