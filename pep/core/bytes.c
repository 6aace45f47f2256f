/* Spans, cursors, buffers, base64url and hex: see bytes.h. No table-driven or vectorised base64: a
 * token is decoded once and then cached, and 0.3 us beside a 20 us signature check does not count.
 */
#include "bytes.h"

#include "pep.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pep_span_is(struct pep_span a, const char *string)
{
    return pep_span_equal(a, pep_span_string(string));
}

/* ---- reading ---- */

struct pep_cursor pep_cursor_of(struct pep_span bytes)
{
    static const uint8_t nothing[1];
    const uint8_t *at = bytes.data == NULL ? nothing : bytes.data;
    return (struct pep_cursor){at, at + bytes.size, false};
}

static const uint8_t *advance(struct pep_cursor *c, size_t size)
{
    if (c->failed || (size_t)(c->end - c->at) < size) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->at;
    c->at += size;
    return p;
}

static uint64_t get_int(struct pep_cursor *c, size_t size)
{
    const uint8_t *p = advance(c, size);
    uint64_t v = 0;
    for (size_t i = 0; p != NULL && i < size; i++)
        v = v << 8 | p[i];
    return v;
}

uint8_t pep_get_u8(struct pep_cursor *c)
{
    return (uint8_t)get_int(c, 1);
}

uint16_t pep_get_u16(struct pep_cursor *c)
{
    return (uint16_t)get_int(c, 2);
}

uint32_t pep_get_u32(struct pep_cursor *c)
{
    return (uint32_t)get_int(c, 4);
}

uint64_t pep_get_u64(struct pep_cursor *c)
{
    return get_int(c, 8);
}

struct pep_span pep_get_bytes(struct pep_cursor *c, size_t size)
{
    const uint8_t *p = advance(c, size);
    return (struct pep_span){p, p == NULL ? 0 : size};
}

struct pep_span pep_get_string(struct pep_cursor *c, size_t max)
{
    size_t size = pep_get_u16(c);
    if (size > max)
        c->failed = true;
    return pep_get_bytes(c, size);
}

void pep_get_text(struct pep_cursor *c, char *out, size_t size)
{
    struct pep_span s = pep_get_string(c, size - 1);
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f)
            c->failed = true;
    }
    if (c->failed)
        s.size = 0;
    if (s.size > 0)
        memcpy(out, s.data, s.size);
    out[s.size] = '\0';
}

void pep_get_copy(struct pep_cursor *c, void *out, size_t size)
{
    const uint8_t *p = advance(c, size);
    if (p != NULL && size > 0)
        memcpy(out, p, size);
    else
        memset(out, 0, size);
}

bool pep_cursor_done(const struct pep_cursor *c)
{
    return !c->failed && c->at == c->end;
}

/* ---- writing ---- */

struct pep_buffer pep_buffer_of(size_t max)
{
    return (struct pep_buffer){NULL, 0, 0, max, false};
}

struct pep_buffer pep_buffer_over(void *storage, size_t size)
{
    /* One byte less than the capacity: the NUL behind always fits, so nothing ever grows. */
    return (struct pep_buffer){storage, 0, size, size > 0 ? size - 1 : 0, size == 0};
}

void pep_buffer_free(struct pep_buffer *b)
{
    free(b->data);
    *b = pep_buffer_of(b->max);
}

/* Room for `size` more bytes and a NUL behind them; NULL once failed. */
static uint8_t *reserve(struct pep_buffer *b, size_t size)
{
    if (b->failed || size > b->max - b->size) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->size + size + 1;
    if (need > b->capacity) {
        size_t capacity = b->capacity < 64 ? 64 : b->capacity;
        while (capacity < need)
            capacity += capacity / 2;
        uint8_t *data = realloc(b->data, capacity);
        if (data == NULL) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->capacity = capacity;
    }
    uint8_t *at = b->data + b->size;
    b->size += size;
    b->data[b->size] = '\0';
    return at;
}

static void put_int(struct pep_buffer *b, uint64_t v, size_t size)
{
    uint8_t *p = reserve(b, size);
    for (size_t i = 0; p != NULL && i < size; i++)
        p[i] = (uint8_t)(v >> 8 * (size - 1 - i));
}

void pep_put_u16(struct pep_buffer *b, uint16_t v)
{
    put_int(b, v, 2);
}

void pep_put_u32(struct pep_buffer *b, uint32_t v)
{
    put_int(b, v, 4);
}

void pep_put_u64(struct pep_buffer *b, uint64_t v)
{
    put_int(b, v, 8);
}

void pep_put_more(struct pep_buffer *b, const void *data, size_t size)
{
    uint8_t *p = reserve(b, size);
    if (p != NULL && size > 0)
        memcpy(p, data, size);
}

void pep_put_string(struct pep_buffer *b, struct pep_span s)
{
    if (s.size > UINT16_MAX) {
        b->failed = true;
        return;
    }
    pep_put_u16(b, (uint16_t)s.size);
    pep_put_span(b, s);
}

void pep_put_text(struct pep_buffer *b, const char *text)
{
    pep_put_string(b, pep_span_string(text));
}

void pep_put_chars(struct pep_buffer *b, const char *text)
{
    pep_put_bytes(b, text, strlen(text));
}

void pep_put_decimal(struct pep_buffer *b, int64_t v)
{
    char text[20], *at = text + sizeof(text);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--at = (char)('0' + u % 10);
        u /= 10;
    } while (u > 0);
    if (v < 0)
        *--at = '-';
    pep_put_bytes(b, at, (size_t)(text + sizeof(text) - at));
}

void pep_put_format(struct pep_buffer *b, const char *format, ...)
{
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    uint8_t *p = n < 0 ? NULL : reserve(b, (size_t)n);
    if (p != NULL)
        vsnprintf((char *)p, (size_t)n + 1, format, again);
    else
        b->failed = true;
    va_end(again);
}

struct pep_span pep_buffer_span(const struct pep_buffer *b)
{
    return (struct pep_span){b->data, b->failed ? 0 : b->size};
}

uint8_t *pep_buffer_take(struct pep_buffer *b, size_t *ret_size)
{
    if (reserve(b, 0) == NULL) {
        pep_buffer_free(b);
        return NULL;
    }
    uint8_t *data = b->data;
    if (ret_size != NULL)
        *ret_size = b->size;
    *b = pep_buffer_of(b->max);
    return data;
}

/* ---- text forms ---- */

static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char std_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(struct pep_buffer *b, struct pep_span s, const char *alphabet, bool pad)
{
    size_t tail = s.size % 3;
    size_t chars = s.size / 3 * 4 + (tail == 0 ? 0 : pad ? 4 : tail + 1);
    uint8_t *p = reserve(b, chars);
    if (p == NULL)
        return;
    for (size_t i = 0; i < s.size; i += 3) {
        size_t left = s.size - i;
        uint32_t v = (uint32_t)s.data[i] << 16;
        v |= left > 1 ? (uint32_t)s.data[i + 1] << 8 : 0;
        v |= left > 2 ? s.data[i + 2] : 0;
        *p++ = (uint8_t)alphabet[v >> 18];
        *p++ = (uint8_t)alphabet[v >> 12 & 63];
        if (left > 1 || pad)
            *p++ = left > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
        if (left > 2 || pad)
            *p++ = left > 2 ? (uint8_t)alphabet[v & 63] : '=';
    }
}

void pep_put_base64url(struct pep_buffer *b, struct pep_span s)
{
    put_base64(b, s, url_alphabet, false);
}

void pep_put_base64(struct pep_buffer *b, struct pep_span s)
{
    put_base64(b, s, std_alphabet, true);
}

size_t pep_base64_room(size_t text_size)
{
    return text_size / 4 * 3 + 3;
}

static int sextet(uint8_t c, char c62, char c63)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (uint8_t)c62)
        return 62;
    return c == (uint8_t)c63 ? 63 : -1;
}

static int decode_base64(struct pep_span text, char c62, char c63, uint8_t *out, size_t *ret_size)
{
    size_t n = 0;
    uint32_t acc = 0;
    if (text.size % 4 == 1)
        return PEP_EFORMAT;
    for (size_t i = 0; i < text.size; i++) {
        int v = sextet(text.data[i], c62, c63);
        if (v < 0)
            return PEP_EFORMAT;
        acc = acc << 6 | (uint32_t)v;
        if (i % 4 == 3) {
            out[n++] = (uint8_t)(acc >> 16);
            out[n++] = (uint8_t)(acc >> 8);
            out[n++] = (uint8_t)acc;
            acc = 0;
        }
    }
    size_t tail = text.size % 4;
    if ((tail == 2 && (acc & 15) != 0) || (tail == 3 && (acc & 3) != 0))
        return PEP_EFORMAT;
    if (tail == 2)
        out[n++] = (uint8_t)(acc >> 4);
    if (tail == 3) {
        out[n++] = (uint8_t)(acc >> 10);
        out[n++] = (uint8_t)(acc >> 2);
    }
    *ret_size = n;
    return PEP_OK;
}

int pep_base64url_decode(struct pep_span text, uint8_t *out, size_t *ret_size)
{
    return decode_base64(text, '-', '_', out, ret_size);
}

int pep_base64_decode(struct pep_span text, uint8_t *out, size_t *ret_size)
{
    if (text.size % 4 != 0)
        return PEP_EFORMAT;
    size_t padding = 0;
    while (padding < 2 && text.size > padding && text.data[text.size - 1 - padding] == '=')
        padding++;
    text.size -= padding;
    return decode_base64(text, '+', '/', out, ret_size);
}

int pep_hex_decode(struct pep_span text, uint8_t *out, size_t size)
{
    if (text.size != 2 * size)
        return PEP_EFORMAT;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return PEP_EFORMAT;
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t h = text.data[2 * i], l = text.data[2 * i + 1];
        out[i] = (uint8_t)((h <= '9' ? h - '0' : h - 'a' + 10) << 4 |
                           (l <= '9' ? l - '0' : l - 'a' + 10));
    }
    return PEP_OK;
}

void pep_hex_encode(const uint8_t *data, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = "0123456789abcdef"[data[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
    }
    out[2 * size] = '\0';
}

/* Length of the sequence at p, or 0. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] > 0x9f;
    bool beyond = p[0] == 0xf4 && p[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : n;
}

bool pep_utf8_valid(struct pep_span s)
{
    for (size_t i = 0; i < s.size;) {
        uint64_t eight;
        if (s.size - i >= sizeof(eight)) { /* most texts are ASCII from end to end */
            memcpy(&eight, s.data + i, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        size_t n = utf8_length(s.data + i, s.size - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

bool pep_has_control(struct pep_span s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f)
            return true;
        if (s.data[i] == 0xc2 && i + 1 < s.size && s.data[i + 1] >= 0x80 && s.data[i + 1] < 0xa0)
            return true; /* U+0080 to U+009F: terminals obey these, too */
    }
    return false;
}

void pep_text_mend(char *text)
{
    struct pep_span left = pep_span_string(text);
    while (left.size > 0) {
        size_t n = utf8_length(left.data, left.size);
        size_t taken = n == 0 ? 1 : n;
        if (n == 0 || pep_has_control((struct pep_span){left.data, n}))
            memset(text, '?', taken);
        text += taken;
        left = (struct pep_span){left.data + taken, left.size - taken};
    }
}
