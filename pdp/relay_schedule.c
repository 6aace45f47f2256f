/* See relay_schedule.h. The header is read as RFC 9111 writes it: directives between commas, which
 * quoted texts may hold too. */
#include "relay_schedule.h"

#include <string.h>
#include <strings.h>

#define SECONDS_MAX INT64_C(1000000000)
#define RETRY_FIRST 1000
#define DOUBLINGS   16

/* ---- Cache-Control ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct pep_span trimmed(struct pep_span s)
{
    while (s.size > 0 && is_blank(s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

/* The next directive; the rest stays in `left`. */
static struct pep_span take_directive(struct pep_span *left)
{
    bool quoted = false;
    size_t n = 0;
    while (n < left->size && (quoted || left->data[n] != ',')) {
        if (quoted && left->data[n] == '\\' && n + 1 < left->size)
            n++;
        else if (left->data[n] == '"')
            quoted = !quoted;
        n++;
    }
    struct pep_span directive = trimmed(pep_span_of(left->data, n));
    size_t skip = n < left->size ? n + 1 : n;
    *left = pep_span_of(left->data + skip, left->size - skip);
    return directive;
}

static int64_t seconds_of(struct pep_span digits)
{
    int64_t n = 0;
    if (digits.size >= 2 && digits.data[0] == '"' && digits.data[digits.size - 1] == '"')
        digits = pep_span_of(digits.data + 1, digits.size - 2);
    if (digits.size == 0)
        return -1;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return -1;
        n = n * 10 + (digits.data[i] - '0');
        n = n > SECONDS_MAX ? SECONDS_MAX : n;
    }
    return n;
}

int64_t relay_max_age(struct pep_span value)
{
    static const char name[] = "max-age=";
    const size_t size = sizeof(name) - 1;
    while (value.size > 0) {
        struct pep_span d = take_directive(&value);
        if (d.size > size && strncasecmp((const char *)d.data, name, size) == 0)
            return seconds_of(pep_span_of(d.data + size, d.size - size));
    }
    return -1;
}

/* ---- when ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t relay_interval(int64_t keys_max_age_s, int64_t max_age_s, int64_t pause)
{
    int64_t quarter = most(least(keys_max_age_s, SECONDS_MAX) * 1000 / 4, RELAY_INTERVAL_MIN);
    int64_t wish = least(quarter, RELAY_INTERVAL_MAX);
    if (max_age_s < 0)
        return wish;
    return least(wish, most(least(max_age_s, SECONDS_MAX) * 1000, pause));
}

int64_t relay_retry(unsigned failures, int64_t interval, uint32_t random)
{
    unsigned doublings = failures == 0 ? 0 : failures - 1;
    int64_t pause = (int64_t)RETRY_FIRST << (doublings > DOUBLINGS ? DOUBLINGS : doublings);
    pause = least(pause, most(interval, RETRY_FIRST));
    return pause - (int64_t)((uint64_t)pause / 2 * random >> 32);
}
