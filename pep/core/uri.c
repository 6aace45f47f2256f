/*
 * See uri.h. Both are written in one normal form and compared as bytes. Rejected: libcurl's parser,
 * which accepts what browsers accept (backslashes, missing slashes, five ways to write an address);
 * what decides whether a proof counts must have one reading.
 */
#include "uri.h"

#include <string.h>
#include <strings.h>

#define PORT_MAX 65535

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* 0 to 15, or -1. */
static int hex_value(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static bool is_unreserved(uint8_t c)
{
    return is_alpha(c) || is_digit(c) || (c != '\0' && strchr("-._~", c) != NULL);
}

static void put_lower(struct pep_buffer *out, uint8_t c)
{
    pep_put_u8(out, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
}

/* "https://" in any case; 0: another scheme, or none. */
static unsigned read_scheme(struct pep_cursor *c)
{
    size_t left = (size_t)(c->end - c->at);
    if (left > 8 && strncasecmp((const char *)c->at, "https://", 8) == 0) {
        c->at += 8;
        return 443;
    }
    if (left > 7 && strncasecmp((const char *)c->at, "http://", 7) == 0) {
        c->at += 7;
        return 80;
    }
    return 0;
}

/* A name, or an address; in brackets one with colons. */
static bool put_host(struct pep_cursor *c, struct pep_buffer *out)
{
    const uint8_t *from = c->at;
    if (*c->at == '[') {
        do
            put_lower(out, *c->at++);
        while (c->at < c->end && (hex_value(*c->at) >= 0 || *c->at == ':' || *c->at == '.'));
        if (c->at == c->end || *c->at != ']')
            return false;
        put_lower(out, *c->at++);
        return c->at - from > 2;
    }
    while (c->at < c->end && (is_unreserved(*c->at) && *c->at != '~'))
        put_lower(out, *c->at++);
    return c->at > from;
}

static bool put_port(struct pep_cursor *c, unsigned usual, struct pep_buffer *out)
{
    unsigned port = 0;
    if (c->at == c->end || *c->at != ':')
        return true;
    const uint8_t *from = ++c->at;
    for (; c->at < c->end && is_digit(*c->at); c->at++) {
        port = port * 10 + (unsigned)(*c->at - '0');
        if (port > PORT_MAX)
            return false;
    }
    if (c->at > from && port != usual)
        pep_put_format(out, ":%u", port);
    return true;
}

/* Escapes that need not be are undone, the others written in capitals. */
static bool put_path(struct pep_cursor *c, struct pep_buffer *out)
{
    if (c->at == c->end)
        pep_put_u8(out, '/');
    else if (*c->at != '/')
        return false;
    for (; c->at < c->end; c->at++) {
        if (*c->at != '%') {
            pep_put_u8(out, *c->at);
            continue;
        }
        int high = c->end - c->at > 2 ? hex_value(c->at[1]) : -1;
        int low = high < 0 ? -1 : hex_value(c->at[2]);
        if (low < 0)
            return false;
        uint8_t byte = (uint8_t)(high << 4 | low);
        if (is_unreserved(byte))
            pep_put_u8(out, byte);
        else
            pep_put_format(out, "%%%02X", byte);
        c->at += 2;
    }
    return true;
}

static bool normalise(struct pep_span uri, struct pep_buffer *out)
{
    if (uri.size == 0 || uri.size > PEP_URI_MAX)
        return false;
    size_t size = 0;
    for (size_t i = 0; i < uri.size; i++) {
        if (uri.data[i] <= ' ' || uri.data[i] > '~' || strchr("\"<>\\^`{|}", uri.data[i]) != NULL)
            return false;
    }
    while (size < uri.size && uri.data[size] != '?' && uri.data[size] != '#')
        size++;
    struct pep_cursor c = pep_cursor_of(pep_span_of(uri.data, size));
    unsigned usual = read_scheme(&c);
    if (usual == 0)
        return false;
    pep_put_chars(out, usual == 443 ? "https://" : "http://");
    return put_host(&c, out) && put_port(&c, usual, out) && put_path(&c, out) && !out->failed;
}

bool pep_uri_same(struct pep_span a, struct pep_span b)
{
    uint8_t rooms[2][PEP_URI_MAX + 16];
    struct pep_buffer first = pep_buffer_over(rooms[0], sizeof(rooms[0]));
    struct pep_buffer second = pep_buffer_over(rooms[1], sizeof(rooms[1]));
    return normalise(a, &first) && normalise(b, &second) &&
           pep_span_equal(pep_buffer_span(&first), pep_buffer_span(&second));
}
