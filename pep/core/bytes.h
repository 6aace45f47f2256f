/*
 * Bytes in, bytes out: a borrowed span, a read cursor with sticky failure, a growing buffer with a
 * hard maximum, and the strict forms of base64url and hex.
 *
 * A cursor that runs past its end fails once and for all: every later get yields zero, so that a
 * parser reads all its fields and asks once, at the end, with pep_cursor_done(), which also refuses
 * trailing bytes. Integers are big endian. After OpenSSH's sshbuf; rejected: returning an error
 * from each get, which makes the caller's happy path unreadable and one forgotten check a hole.
 */
#ifndef PEP_CORE_BYTES_H
#define PEP_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else owns. */
struct pep_span {
    const uint8_t *data;
    size_t size;
};

static inline struct pep_span pep_span_of(const void *data, size_t size)
{
    return (struct pep_span){data, size};
}
static inline struct pep_span pep_span_string(const char *string) /* without the NUL */
{
    return (struct pep_span){(const uint8_t *)string, string == NULL ? 0 : strlen(string)};
}
static inline bool pep_span_equal(struct pep_span a, struct pep_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
bool pep_span_is(struct pep_span a, const char *string);

/* ---- reading ---- */

struct pep_cursor {
    const uint8_t *at, *end;
    bool failed;
};

struct pep_cursor pep_cursor_of(struct pep_span bytes);
uint8_t pep_get_u8(struct pep_cursor *c);
uint16_t pep_get_u16(struct pep_cursor *c);
uint32_t pep_get_u32(struct pep_cursor *c);
uint64_t pep_get_u64(struct pep_cursor *c);
/* `size` bytes, borrowed from the input; an empty span on failure. */
struct pep_span pep_get_bytes(struct pep_cursor *c, size_t size);
/* A 16-bit length and that many bytes, at most `max`. */
struct pep_span pep_get_string(struct pep_cursor *c, size_t max);
/* The same as a C string in out[0..size-1]; bytes below 0x20 and NUL fail the cursor. */
void pep_get_text(struct pep_cursor *c, char *out, size_t size);
void pep_get_copy(struct pep_cursor *c, void *out, size_t size);
/* True if nothing failed and nothing is left. */
bool pep_cursor_done(const struct pep_cursor *c);

/* ---- writing ---- */

struct pep_buffer {
    uint8_t *data;
    size_t size, capacity, max;
    bool failed; /* no memory, or more than `max`: sticky */
};

struct pep_buffer pep_buffer_of(size_t max);
/* Writes into `size` bytes of the caller's and no further: never allocates, is not to be freed. */
struct pep_buffer pep_buffer_over(void *storage, size_t size);
void pep_buffer_free(struct pep_buffer *b);
/* Room for `size` bytes and a NUL behind them where no memory is needed for it; NULL otherwise,
 * which is no failure: pep_put_more() then does it. What was written is counted by
 * pep_buffer_add(). */
static inline uint8_t *pep_buffer_room(const struct pep_buffer *b, size_t size)
{
    return !b->failed && size <= b->max - b->size && b->size + size < b->capacity
               ? b->data + b->size
               : NULL;
}
static inline void pep_buffer_add(struct pep_buffer *b, size_t size)
{
    b->size += size;
    b->data[b->size] = '\0';
}
void pep_put_more(struct pep_buffer *b, const void *data, size_t size); /* grows, or fails */
static inline void pep_put_bytes(struct pep_buffer *b, const void *data, size_t size)
{
    uint8_t *at = pep_buffer_room(b, size);
    if (at == NULL) {
        pep_put_more(b, data, size);
        return;
    }
    if (size > 0)
        memcpy(at, data, size);
    pep_buffer_add(b, size);
}
static inline void pep_put_u8(struct pep_buffer *b, uint8_t v)
{
    pep_put_bytes(b, &v, 1);
}
void pep_put_u16(struct pep_buffer *b, uint16_t v);
void pep_put_u32(struct pep_buffer *b, uint32_t v);
void pep_put_u64(struct pep_buffer *b, uint64_t v);
static inline void pep_put_span(struct pep_buffer *b, struct pep_span s)
{
    pep_put_bytes(b, s.data, s.size);
}
void pep_put_string(struct pep_buffer *b, struct pep_span s); /* 16-bit length first */
void pep_put_text(struct pep_buffer *b, const char *text);    /* as pep_put_string */
/* A number in decimal digits; and the characters of a text, without its NUL. */
void pep_put_decimal(struct pep_buffer *b, int64_t v);
void pep_put_chars(struct pep_buffer *b, const char *text);
/* Formatted characters without length or NUL. */
void pep_put_format(struct pep_buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct pep_span pep_buffer_span(const struct pep_buffer *b);
/* Takes the bytes, followed by a NUL that is not counted; NULL if the buffer failed. */
uint8_t *pep_buffer_take(struct pep_buffer *b, size_t *ret_size);

/* ---- text forms ---- */

/* Unpadded base64url (RFC 4648 section 5). Appends. */
void pep_put_base64url(struct pep_buffer *b, struct pep_span s);
/* Padded standard base64 (RFC 4648 section 4), as DSSE uses. Appends. */
void pep_put_base64(struct pep_buffer *b, struct pep_span s);

/* Strict decoders: exactly one text for each byte string. Refused: other alphabets, white space,
 * missing or superfluous padding, non-zero tail bits. `out` needs pep_base64_room(text.size) bytes.
 * 0, or PEP_EFORMAT. */
size_t pep_base64_room(size_t text_size);
int pep_base64url_decode(struct pep_span text, uint8_t *out, size_t *ret_size);
int pep_base64_decode(struct pep_span text, uint8_t *out, size_t *ret_size);
/* Lower-case hex of exactly `size` bytes. */
int pep_hex_decode(struct pep_span text, uint8_t *out, size_t size);
/* Writes 2 * size digits and a NUL. */
void pep_hex_encode(const uint8_t *data, size_t size, char *out);

/* True for valid UTF-8 (RFC 3629: shortest form, no surrogates). */
bool pep_utf8_valid(struct pep_span s);
/* True if there is a control character in it: U+0000 to U+001F, U+007F to U+009F. */
bool pep_has_control(struct pep_span s);
/* Makes a text fit for logs, terminals and JSON: the bytes of control characters become '?', and so
 * do bytes that are no valid UTF-8 (perhaps because it was cut inside a character). */
void pep_text_mend(char *text);

#endif
