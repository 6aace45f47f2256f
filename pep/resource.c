/*
 * Builds resource names so that a segment that a user chose cannot become two segments, a type, or
 * a pattern. A result that does not fit leaves an empty string, never a shorter name: a truncated
 * name is the name of something else.
 */
#include "pep/core/bytes.h"
#include "pep/core/engine.h"

#include "pep.h"

#include <string.h>

#define TYPE_MAX 63

struct target {
    char *at;
    size_t room, needed;
};

static void put(struct target *t, char c)
{
    if (t->needed + 1 < t->room)
        t->at[t->needed] = c;
    t->needed++;
}

/* [a-z][a-z0-9_.-]{0,62} */
static bool put_type(struct target *t, const char *type)
{
    size_t n = strnlen(type, TYPE_MAX + 1);
    if (n == 0 || n > TYPE_MAX || type[0] < 'a' || type[0] > 'z')
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = type[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-')
            return false;
        put(t, c);
    }
    return true;
}

static bool put_segment(struct target *t, const char *segment)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = segment == NULL ? 0 : strnlen(segment, PEP_RESOURCE_MAX + 1);
    if (n == 0 || n > PEP_RESOURCE_MAX || !pep_utf8_valid(pep_span_of(segment, n)))
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)segment[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if (c == '/' || c == ':' || c == '*' || c == '%') {
            put(t, '%');
            put(t, digits[c >> 4]);
            put(t, digits[c & 15]);
        } else {
            put(t, (char)c);
        }
    }
    return true;
}

size_t pep_resource(char *buffer, size_t size, const char *type, const char *const *segments,
                    size_t count)
{
    struct target t = {buffer, buffer == NULL ? 0 : size, 0};
    bool good = type != NULL && segments != NULL && count > 0 && put_type(&t, type);
    for (size_t i = 0; good && i < count; i++) {
        put(&t, i == 0 ? ':' : '/');
        good = put_segment(&t, segments[i]) && t.needed <= PEP_RESOURCE_MAX;
    }
    if (t.room > 0)
        buffer[good && t.needed < t.room ? t.needed : 0] = '\0';
    return good ? t.needed : 0;
}
