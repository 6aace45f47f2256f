/*
 * The JSON reader behind pep_json_parse(): RFC 8259 into jansson values, in one pass.
 *
 * Why not jansson's own reader: when memory runs out while a token grows, jansson 2.14 drops the
 * byte and goes on. A claim or a path then loses a character, a lost closing quote reads and writes
 * past the buffer, and some builds assert. Its values do report failure, so we make those
 * ourselves. Also here for free: no NUL bytes, a depth limit inside the walk, duplicate members
 * refused.
 *
 * Decoded text goes onto one scratch stack as large as the input, which is always enough: no escape
 * is shorter than what it stands for. A member's name stays below its value while that is read.
 */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 512 /* characters */

struct reader {
    const uint8_t *start, *at, *end;
    char *scratch;
    size_t used; /* of scratch */
    size_t depth;
    const char *what;
    struct pep_error *err;
    int code; /* of the first failure */
};

/* A piece of the scratch stack. */
struct piece {
    const char *data;
    size_t size;
};

static json_t *read_value(struct reader *r);

/* ---- failing ---- */

/* Sets the error once; always NULL, to be returned. */
static json_t *fail(struct reader *r, int code, const char *message)
{
    size_t line = 1, column = 1;
    if (r->code != PEP_OK)
        return NULL;
    r->code = code;
    for (const uint8_t *p = r->start; p < r->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    pep_error_set(r->err, code, "%s:%zu:%zu: %s", r->what, line, column, message);
    return NULL;
}

static json_t *no_memory(struct reader *r)
{
    return fail(r, PEP_ENOMEM, "no memory");
}

/* ---- characters ---- */

static int peek(const struct reader *r)
{
    return r->at < r->end ? *r->at : -1;
}

static bool take(struct reader *r, int c)
{
    if (peek(r) != c)
        return false;
    r->at++;
    return true;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* ---- strings ---- */

/* Four hex digits, or -1. */
static int32_t read_hex4(struct reader *r)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(r);
        int digit = is_digit(c)              ? c - '0'
                    : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                    : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                             : -1;
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
        r->at++;
    }
    return v;
}

/* The code point behind "\u", of one escape or of a surrogate pair; -1 if there is none. */
static int32_t read_code_point(struct reader *r)
{
    int32_t v = read_hex4(r);
    if (v < 0xd800 || v > 0xdfff)
        return v;
    if (v > 0xdbff || !take(r, '\\') || !take(r, 'u'))
        return -1;
    int32_t low = read_hex4(r);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    return 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
}

static void push(struct reader *r, int32_t byte)
{
    r->scratch[r->used++] = (char)(uint8_t)byte;
}

static void push_utf8(struct reader *r, int32_t v)
{
    if (v < 0x80) {
        push(r, v);
        return;
    }
    if (v < 0x800) {
        push(r, 0xc0 | v >> 6);
    } else if (v < 0x10000) {
        push(r, 0xe0 | v >> 12);
        push(r, 0x80 | (v >> 6 & 0x3f));
    } else {
        push(r, 0xf0 | v >> 18);
        push(r, 0x80 | (v >> 12 & 0x3f));
        push(r, 0x80 | (v >> 6 & 0x3f));
    }
    push(r, 0x80 | (v & 0x3f));
}

static bool read_escape(struct reader *r)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    const char *name = c <= 0 ? NULL : strchr(names, c);
    if (name != NULL) {
        r->at++;
        push(r, values[name - names]);
        return true;
    }
    if (!take(r, 'u')) {
        fail(r, PEP_EFORMAT, "unknown escape");
        return false;
    }
    int32_t v = read_code_point(r);
    if (v == 0)
        fail(r, PEP_EFORMAT, "\\u0000 is not allowed");
    else if (v < 0)
        fail(r, PEP_EFORMAT, "bad \\u escape");
    else
        push_utf8(r, v);
    return v > 0;
}

/* Behind the opening quote; decodes onto the scratch stack. */
static bool read_string(struct reader *r, struct piece *ret)
{
    size_t from = r->used;
    while (peek(r) != '"') {
        int c = peek(r);
        if (c < 0x20) {
            fail(r, PEP_EFORMAT,
                 c < 0 ? "the text ends inside a string" : "control byte in a string");
            return false;
        }
        r->at++;
        if (c != '\\')
            push(r, c);
        else if (!read_escape(r))
            return false;
    }
    if (!pep_utf8_valid(pep_span_of(r->scratch + from, r->used - from))) {
        fail(r, PEP_EFORMAT, "the string ending here is not UTF-8");
        return false;
    }
    r->at++;
    *ret = (struct piece){r->scratch + from, r->used - from};
    return true;
}

static json_t *read_text(struct reader *r)
{
    struct piece text;
    size_t from = r->used;
    if (!read_string(r, &text))
        return NULL;
    json_t *value = json_stringn_nocheck(text.data, text.size);
    r->used = from;
    return value == NULL ? no_memory(r) : value;
}

/* ---- numbers ---- */

static size_t skip_digits(struct reader *r)
{
    const uint8_t *from = r->at;
    while (is_digit(peek(r)))
        r->at++;
    return (size_t)(r->at - from);
}

/* Moves behind the number; false if its form is wrong. */
static bool skip_number(struct reader *r, bool *ret_real)
{
    *ret_real = false;
    take(r, '-');
    if (!take(r, '0') && skip_digits(r) == 0)
        return false;
    if (is_digit(peek(r)))
        return false; /* a leading zero */
    if (take(r, '.')) {
        *ret_real = true;
        if (skip_digits(r) == 0)
            return false;
    }
    if (take(r, 'e') || take(r, 'E')) {
        *ret_real = true;
        if (!take(r, '+'))
            take(r, '-');
        if (skip_digits(r) == 0)
            return false;
    }
    return true;
}

/* strtod() reads the decimal point of the host's locale, which has more than one byte in some. */
static bool to_double(const char *text, double *ret)
{
    char one[16], local[NUMBER_MAX + sizeof(one)], *end;
    const char *dot = strchr(text, '.');
    int n = snprintf(one, sizeof(one), "%#.0f", 1.0);
    if (dot != NULL && n > 1 && (size_t)n < sizeof(one)) {
        snprintf(local, sizeof(local), "%.*s%s%s", (int)(dot - text), text, one + 1, dot + 1);
        text = local;
    }
    errno = 0;
    double v = strtod(text, &end);
    *ret = v;
    return *end == '\0' && isfinite(v);
}

static json_t *read_number(struct reader *r)
{
    const uint8_t *from = r->at;
    char text[NUMBER_MAX + 1];
    bool real;
    if (!skip_number(r, &real))
        return fail(r, PEP_EFORMAT, "not a JSON value");
    size_t size = (size_t)(r->at - from);
    if (size > NUMBER_MAX)
        return fail(r, PEP_ELIMIT, "a number of more than 512 characters");
    memcpy(text, from, size);
    text[size] = '\0';
    json_t *value;
    if (real) {
        double v;
        if (!to_double(text, &v))
            return fail(r, PEP_EFORMAT, "number out of range");
        value = json_real(v);
    } else {
        errno = 0;
        long long v = strtoll(text, NULL, 10);
        if (errno != 0)
            return fail(r, PEP_EFORMAT, "integer out of range");
        value = json_integer(v);
    }
    return value == NULL ? no_memory(r) : value;
}

/* ---- structure ---- */

static json_t *read_word(struct reader *r, const char *word, json_t *value)
{
    size_t size = strlen(word);
    if ((size_t)(r->end - r->at) < size || memcmp(r->at, word, size) != 0)
        return fail(r, PEP_EFORMAT, "not a JSON value");
    r->at += size;
    return value; /* true, false and null are static */
}

/* Behind an item: 1 if another follows, 0 at the end, -1 otherwise. */
static int next_item(struct reader *r, int close)
{
    skip_space(r);
    if (take(r, ','))
        return 1;
    if (take(r, close))
        return 0;
    fail(r, PEP_EFORMAT, close == ']' ? "expected , or ]" : "expected , or }");
    return -1;
}

static json_t *read_array(struct reader *r)
{
    json_t *array = json_array();
    int more = 1;
    if (array == NULL)
        return no_memory(r);
    skip_space(r);
    if (take(r, ']'))
        return array;
    while (more > 0) {
        json_t *value = read_value(r);
        if (value == NULL)
            break;
        if (json_array_append_new(array, value) != 0) {
            no_memory(r);
            break;
        }
        more = next_item(r, ']');
    }
    if (more == 0)
        return array;
    json_decref(array);
    return NULL;
}

static bool read_member(struct reader *r, json_t *object)
{
    struct piece name;
    size_t from = r->used;
    skip_space(r);
    if (!take(r, '"')) {
        fail(r, PEP_EFORMAT, "expected a member's name in quotes");
        return false;
    }
    if (!read_string(r, &name))
        return false;
    if (json_object_getn(object, name.data, name.size) != NULL) {
        fail(r, PEP_EFORMAT, "the same member twice");
        return false;
    }
    skip_space(r);
    if (!take(r, ':')) {
        fail(r, PEP_EFORMAT, "expected :");
        return false;
    }
    json_t *value = read_value(r);
    if (value == NULL)
        return false;
    if (json_object_setn_new_nocheck(object, name.data, name.size, value) != 0) {
        no_memory(r);
        return false;
    }
    r->used = from;
    return true;
}

static json_t *read_object(struct reader *r)
{
    json_t *object = json_object();
    int more = 1;
    if (object == NULL)
        return no_memory(r);
    skip_space(r);
    if (take(r, '}'))
        return object;
    while (more > 0 && read_member(r, object))
        more = next_item(r, '}');
    if (more == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *read_nested(struct reader *r, json_t *(*read)(struct reader *))
{
    if (r->depth == PEP_JSON_DEPTH)
        return fail(r, PEP_ELIMIT, "nested too deeply");
    r->at++;
    r->depth++;
    json_t *value = read(r);
    r->depth--;
    return value;
}

static json_t *read_value(struct reader *r)
{
    skip_space(r);
    switch (peek(r)) {
    case '{':
        return read_nested(r, read_object);
    case '[':
        return read_nested(r, read_array);
    case '"':
        r->at++;
        return read_text(r);
    case 't':
        return read_word(r, "true", json_true());
    case 'f':
        return read_word(r, "false", json_false());
    case 'n':
        return read_word(r, "null", json_null());
    case -1:
        return fail(r, PEP_EFORMAT, "the text ends too early");
    default:
        return read_number(r);
    }
}

static json_t *read_document(struct reader *r)
{
    skip_space(r);
    if (peek(r) != '{' && peek(r) != '[')
        return fail(r, PEP_EFORMAT, "expected { or [");
    json_t *value = read_value(r);
    skip_space(r);
    if (value != NULL && r->at != r->end) {
        json_decref(value);
        return fail(r, PEP_EFORMAT, "text behind the JSON value");
    }
    return value;
}

int pep_json_parse(struct pep_span text, size_t max_size, const char *what, json_t **ret,
                   struct pep_error *err)
{
    if (text.size > max_size)
        return pep_error_set(err, PEP_ELIMIT, "%s: %zu bytes, at most %zu", what, text.size,
                             max_size);
    if (text.size == 0)
        return pep_error_set(err, PEP_EFORMAT, "%s: empty", what);
    if (memchr(text.data, 0, text.size) != NULL)
        return pep_error_set(err, PEP_EFORMAT, "%s: a NUL byte in JSON", what);
    struct reader r = {.start = text.data,
                       .at = text.data,
                       .end = text.data + text.size,
                       .scratch = malloc(text.size),
                       .what = what,
                       .err = err};
    json_t *value = r.scratch == NULL ? no_memory(&r) : read_document(&r);
    free(r.scratch);
    if (value == NULL)
        return r.code;
    *ret = value;
    return PEP_OK;
}
