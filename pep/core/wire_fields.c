/*
 * Walking the tables: see wire_fields.h.
 *
 * A writer makes text harmless where a reader would refuse it (control bytes, broken UTF-8 become
 * '?'): a reason cut in the middle of a character must not make a whole report unreadable.
 */
#include "wire_fields.h"

#include <string.h>

#define ERROR_LOWEST (-127)

/* ---- writing ---- */

void pep_wire_put_head(struct pep_buffer *out, enum pep_message type)
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

void pep_wire_put_field(struct pep_buffer *out, const struct pep_wire_field *f, const void *message)
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

void pep_wire_put(struct pep_buffer *out, const struct pep_wire_layout *l, const void *message)
{
    pep_wire_put_head(out, l->type);
    for (size_t i = 0; i < l->count; i++)
        pep_wire_put_field(out, &l->fields[i], message);
}

/* ---- reading ---- */

void pep_wire_get_head(struct pep_cursor *c, enum pep_message type)
{
    pep_wire_need(c, pep_get_u8(c) == 'P');
    pep_wire_need(c, pep_get_u8(c) == 'D');
    pep_wire_need(c, pep_get_u8(c) == PEP_WIRE_VERSION);
    pep_wire_need(c, pep_get_u8(c) == type);
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

static bool text_fits(const struct pep_wire_field *f, struct pep_span text)
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

static void get_text(struct pep_cursor *c, const struct pep_wire_field *f, char *out)
{
    pep_get_text(c, out, f->size);
    struct pep_span text = pep_span_string(out);
    pep_wire_need(c, !c->failed && pep_utf8_valid(text) && text_fits(f, text));
}

static uint64_t in_range(struct pep_cursor *c, const struct pep_wire_field *f, uint64_t v)
{
    pep_wire_need(c, v >= f->low && v <= f->high);
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
    pep_wire_need(c, is_none || is_version);
}

static void get_error(struct pep_cursor *c, int16_t *out)
{
    *out = (int16_t)pep_get_u16(c);
    pep_wire_need(c, *out <= 0 && *out >= ERROR_LOWEST);
}

void pep_wire_get_field(struct pep_cursor *c, const struct pep_wire_field *f, void *message)
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

void pep_wire_get(struct pep_cursor *c, const struct pep_wire_layout *l, void *message)
{
    memset(message, 0, l->size);
    pep_wire_get_head(c, l->type);
    for (size_t i = 0; i < l->count && !c->failed; i++)
        pep_wire_get_field(c, &l->fields[i], message);
}
