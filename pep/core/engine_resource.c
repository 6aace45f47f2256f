/*
 * Resource names, "type:segment/segment", and the patterns of rule heads.
 *
 * The first ':' splits, then every '/', and only then are %2F %3A %2A %25 decoded, so that a
 * segment that came from a user can never become two. Any other '%' is refused: two spellings of
 * one name would pass a rule about the other. `res.id` is rebuilt from the decoded segments with
 * only '/' and
 * '%' encoded, for the same reason. Rejected: globs inside segments, which make "doc:*" and
 * "doc:a*" two languages.
 */
#include "engine_internal.h"

#include <string.h>

#define SEEN_HIGH    0x80u
#define SEEN_CONTROL 1u
#define SEEN_PERCENT 2u

bool pep_type_name_valid(struct pep_span name)
{
    if (name.size == 0 || name.size > 63 || name.data[0] < 'a' || name.data[0] > 'z')
        return false;
    for (size_t i = 1; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
            return false;
    }
    return true;
}

/* Decodes one segment into `out`; false for a '%' that is none of the four. */
static bool decode(struct pep_span s, char *out, size_t *ret_size)
{
    static const char codes[4][3] = {"2F", "3A", "2A", "25"};
    static const char bytes[4] = {'/', ':', '*', '%'};
    size_t n = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] != '%') {
            out[n++] = (char)s.data[i];
            continue;
        }
        int k = 0;
        while (k < 4 && (i + 2 >= s.size || memcmp(s.data + i + 1, codes[k], 2) != 0))
            k++;
        if (k == 4)
            return false;
        out[n++] = bytes[k];
        i += 2;
    }
    *ret_size = n;
    return true;
}

static char *encode(char *out, struct pep_span s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == '/' || s.data[i] == '%') {
            memcpy(out, s.data[i] == '/' ? "%2F" : "%25", 3);
            out += 3;
        } else {
            *out++ = (char)s.data[i];
        }
    }
    return out;
}

/* Decodes every segment and rebuilds the id, both in `room`. */
static bool decode_all(struct pep_resource_name *r)
{
    char *at = r->room;
    for (uint32_t i = 0; i < r->segment_count; i++) {
        size_t n;
        if (!decode(r->segments[i], at, &n))
            return false;
        r->segments[i] = pep_span_of(at, n);
        at += n;
    }
    char *id = at;
    for (uint32_t i = 0; i < r->segment_count; i++) {
        if (i > 0)
            *at++ = '/';
        at = encode(at, r->segments[i]);
    }
    r->id = pep_span_of(id, (size_t)(at - id));
    return true;
}

/* The segments of the id; what they contain in *ret_seen. One pass: this runs for each decision. */
static const char *split_id(const char *at, const char *end, struct pep_resource_name *r,
                            unsigned *ret_seen)
{
    unsigned high = 0, control = 0, percent = 0;
    const char *from = at;
    r->segment_count = 0;
    for (;; at++) {
        unsigned char c = at == end ? '/' : (unsigned char)*at;
        high |= c;
        control |= c < 0x20 || c == 0x7f;
        percent |= c == '%';
        if (c != '/')
            continue;
        if (at == from)
            return "the resource has an empty segment";
        if (r->segment_count == PEP_SEGMENTS_MAX)
            return "the resource has more than 32 segments";
        r->segments[r->segment_count++] =
            (struct pep_span){(const uint8_t *)from, (size_t)(at - from)};
        from = at + 1;
        if (at == end)
            break;
    }
    *ret_seen =
        (high & SEEN_HIGH) | (control != 0 ? SEEN_CONTROL : 0) | (percent != 0 ? SEEN_PERCENT : 0);
    return NULL;
}

const char *pep_resource_parse(const char *text, struct pep_resource_name *ret)
{
    size_t size = text == NULL ? 0 : strnlen(text, PEP_RESOURCE_MAX + 1);
    unsigned seen;
    if (size == 0)
        return "the resource is empty";
    if (size > PEP_RESOURCE_MAX)
        return "the resource is longer than 1024 bytes";
    const char *colon = memchr(text, ':', size), *end = text + size;
    struct pep_span type = {(const uint8_t *)text, colon == NULL ? 0 : (size_t)(colon - text)};
    if (!pep_type_name_valid(type))
        return "the resource must look like type:id, with a type of [a-z][a-z0-9_.-]*";
    const char *wrong = split_id(colon + 1, end, ret, &seen);
    if (wrong != NULL)
        return wrong;
    struct pep_span id = {(const uint8_t *)colon + 1, (size_t)(end - colon) - 1};
    if ((seen & SEEN_CONTROL) != 0 ||
        ((seen & SEEN_HIGH) != 0 && (pep_has_control(id) || !pep_utf8_valid(id))))
        return "the resource is not UTF-8 without control characters";
    ret->type = type;
    ret->id = id;
    if ((seen & SEEN_PERCENT) != 0 && !decode_all(ret))
        return "the resource has a % that is not %2F, %3A, %2A or %25";
    return NULL;
}

bool pep_pattern_matches(const struct pep_pattern *p, const struct pep_resource_name *name)
{
    if (p->every)
        return true;
    if (p->segment_count != name->segment_count)
        return false;
    for (uint32_t i = 0; i < p->segment_count; i++) {
        if (p->segments[i].data != NULL && !pep_span_equal(p->segments[i], name->segments[i]))
            return false;
    }
    return true;
}

static const char *parse_segments(struct pep_pool *pool, const char *at, struct pep_pattern *ret)
{
    struct pep_span *segments = pep_pool_get(pool, PEP_SEGMENTS_MAX * sizeof(*segments));
    char *room = pep_pool_get(pool, strlen(at) + 1);
    if (segments == NULL || room == NULL)
        return "no memory";
    for (uint32_t n = 0;; at++) {
        size_t size = strcspn(at, "/"), decoded;
        if (size == 0)
            return "has an empty segment";
        if (n == PEP_SEGMENTS_MAX)
            return "has more than 32 segments";
        if (size > 1 && memchr(at, '*', size) != NULL)
            return "has a * inside a segment: * is one whole segment, %2A the character";
        if (size == 1 && *at == '*') {
            segments[n++] = (struct pep_span){NULL, 0};
        } else {
            if (!decode(pep_span_of(at, size), room, &decoded))
                return "has a % that is not %2F, %3A, %2A or %25";
            segments[n++] = pep_span_of(room, decoded);
            room += decoded;
        }
        at += size;
        ret->segments = segments;
        ret->segment_count = n;
        if (*at == '\0')
            return NULL;
    }
}

const char *pep_pattern_parse(struct pep_pool *pool, const char *text, struct pep_pattern *ret,
                              struct pep_span *ret_type)
{
    struct pep_pattern p = {.type = PEP_NONE, .every = true};
    const char *colon = strchr(text, ':');
    struct pep_span whole = pep_span_string(text);
    struct pep_span type = pep_span_of(text, colon == NULL ? whole.size : (size_t)(colon - text));
    *ret_type = pep_span_of(NULL, 0);
    if (strcmp(text, "*") != 0) {
        if (!pep_type_name_valid(type))
            return "must be a type, \"type:pattern\" or \"*\"";
        if (whole.size > PEP_RESOURCE_MAX || pep_has_control(whole) || !pep_utf8_valid(whole))
            return "must be UTF-8 without control characters, at most 1024 bytes";
        *ret_type = type;
        p.every = colon == NULL || strcmp(colon, ":*") == 0;
        const char *wrong = p.every ? NULL : parse_segments(pool, colon + 1, &p);
        if (wrong != NULL)
            return wrong;
    }
    *ret = p;
    return NULL;
}
