/* See record.h. The packed form never leaves the process: native integers, fixed head, texts. */
#include "pep/record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum text { REQUEST_ID, SUBJECT, ACTION, RESOURCE, RULE, REASON, TEXTS };

/* Begins at a cell of the queue, and so is aligned. */
struct head {
    int64_t wall_ms;
    uint64_t version, age_ms, eval_ns;
    uint32_t epoch, reads; /* bytes of JSON behind the texts */
    uint16_t lengths[TEXTS];
    uint8_t present; /* bit 1 << enum text */
    uint8_t outcome, code;
    bool reads_lost;
    char id[PEP_DECISION_ID];
    char trace_id[PEP_TRACE_ID + 1];
};

static const uint16_t text_max[TEXTS] = {
    [REQUEST_ID] = PEP_REQUEST_ID_MAX,
    [SUBJECT] = PEP_RECORD_TEXT_MAX,
    [ACTION] = PEP_RECORD_TEXT_MAX,
    [RESOURCE] = PEP_RESOURCE_MAX,
    [RULE] = PEP_RULE_MAX,
    [REASON] = PEP_REASON_MAX,
};

/* As much of a text as is kept. */
static struct pep_span measure(enum text which, const char *text)
{
    return pep_span_of(text, text == NULL ? 0 : strnlen(text, text_max[which]));
}

/* Most texts are short: two overlapping pieces then, and no call. */
static inline uint8_t *copy(uint8_t *at, struct pep_span s)
{
    if (s.size >= 8 && s.size <= 16) {
        memcpy(at, s.data, 8);
        memcpy(at + s.size - 8, s.data + s.size - 8, 8);
    } else if (s.size > 16 && s.size <= 32) {
        memcpy(at, s.data, 16);
        memcpy(at + s.size - 16, s.data + s.size - 16, 16);
    } else if (s.size >= 4 && s.size < 8) {
        memcpy(at, s.data, 4);
        memcpy(at + s.size - 4, s.data + s.size - 4, 4);
    } else if (s.size > 0) {
        memcpy(at, s.data, s.size);
    }
    return at + s.size;
}

static void fill_head(struct head *head, const struct pep_record *record)
{
    head->wall_ms = record->wall_ms;
    head->version = record->version;
    head->age_ms = record->age_ms;
    head->eval_ns = record->eval_ns;
    head->epoch = record->epoch;
    head->outcome = record->outcome;
    head->code = record->code;
    memcpy(head->id, record->id, sizeof(head->id));
    head->trace_id[0] = '\0';
    if (record->trace_id[0] != '\0')
        memcpy(head->trace_id, record->trace_id, sizeof(head->trace_id));
}

/* Measures first, because the queue wants to know the size. */
enum pep_put pep_record_put(const struct pep_record *record, const struct pep_span *reads,
                            struct pep_events *events, unsigned stripe)
{
    const struct pep_span parts[TEXTS + 1] = {
        [REQUEST_ID] = measure(REQUEST_ID, record->request_id),
        [SUBJECT] = measure(SUBJECT, record->subject),
        [ACTION] = measure(ACTION, record->action),
        [RESOURCE] = measure(RESOURCE, record->resource),
        [RULE] = measure(RULE, record->rule),
        [REASON] = measure(REASON, record->reason),
        [TEXTS] = reads == NULL ? pep_span_of(NULL, 0) : *reads,
    };
    size_t size = sizeof(struct head);
    for (unsigned i = 0; i <= TEXTS; i++)
        size += parts[i].size;
    struct pep_claim claim;
    uint8_t *at = pep_events_claim(events, stripe, size, &claim);
    if (at == NULL)
        return PEP_PUT_DROPPED;
    struct head *head = (struct head *)(void *)at;
    fill_head(head, record);
    head->reads = (uint32_t)parts[TEXTS].size;
    head->reads_lost = reads == NULL;
    head->present = 0;
    at += sizeof(*head);
    for (unsigned i = 0; i <= TEXTS; i++) {
        if (i < TEXTS) {
            head->lengths[i] = (uint16_t)parts[i].size;
            head->present |= (uint8_t)((parts[i].data != NULL) << i);
        }
        at = copy(at, parts[i]);
    }
    return pep_events_publish(&claim);
}

/* ---- JSON ---- */

static const char hex[] = "0123456789abcdef";

/* The length of the valid UTF-8 sequence that starts here, or 0. */
static size_t sequence(const uint8_t *at, size_t left)
{
    size_t n = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    return n <= left && pep_utf8_valid(pep_span_of(at, n)) ? n : 0;
}

/* One character that is not plain ASCII; returns how many bytes it was. */
static size_t put_special(struct pep_buffer *out, const uint8_t *at, size_t left)
{
    uint8_t c = at[0];
    size_t n = sequence(at, left);
    if (n == 0) {
        pep_put_bytes(out, "\\ufffd", 6);
        return 1;
    }
    if (c < 0x20 || c == 0x7f) {
        const char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        pep_put_bytes(out, escape, sizeof(escape));
        return 1;
    }
    if (c < 0x80)
        pep_put_u8(out, '\\');
    pep_put_bytes(out, at, n);
    return n;
}

static void put_string(struct pep_buffer *out, struct pep_span s)
{
    pep_put_u8(out, '"');
    for (size_t i = 0; i < s.size;) {
        size_t from = i;
        while (i < s.size && s.data[i] >= 0x20 && s.data[i] < 0x7f && s.data[i] != '"' &&
               s.data[i] != '\\')
            i++;
        pep_put_bytes(out, s.data + from, i - from);
        if (i < s.size)
            i += put_special(out, s.data + i, s.size - i);
    }
    pep_put_u8(out, '"');
}

static void put_member(struct pep_buffer *out, const char *name, struct pep_span text, bool present)
{
    pep_put_chars(out, name);
    if (present)
        put_string(out, text);
    else
        pep_put_chars(out, "null");
}

static void put_number(struct pep_buffer *out, const char *name, uint64_t value)
{
    pep_put_chars(out, name);
    pep_put_decimal(out, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

/* `width` digits. */
static char *digits(char *at, int value, int width)
{
    for (int i = width; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + width;
}

/* RFC 3339, UTC, milliseconds. */
static void put_time(struct pep_buffer *out, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char text[] = "\"0000-00-00T00:00:00.000Z\"";
    struct tm t;
    if (gmtime_r(&seconds, &t) == NULL)
        memset(&t, 0, sizeof(t));
    const int parts[] = {t.tm_year + 1900, t.tm_mon + 1,         t.tm_mday, t.tm_hour, t.tm_min,
                         t.tm_sec,         (int)(wall_ms % 1000)};
    const int widths[] = {4, 2, 2, 2, 2, 2, 3};
    char *at = text + 1;
    for (size_t i = 0; i < 7; i++)
        at = digits(at, parts[i], widths[i]) + 1;
    pep_put_bytes(out, text, sizeof(text) - 1);
}

static void put_all(struct pep_buffer *out, const struct head *h, const char *service,
                    const struct pep_span texts[TEXTS], struct pep_span reads)
{
    bool has[TEXTS];
    for (unsigned i = 0; i < TEXTS; i++)
        has[i] = (h->present >> i & 1) != 0;
    put_member(out, "{\"id\":", pep_span_string(h->id), true);
    pep_put_chars(out, ",\"time\":");
    put_time(out, h->wall_ms);
    put_member(out, ",\"service\":", pep_span_string(service), service[0] != '\0');
    put_member(out, ",\"trace_id\":", pep_span_string(h->trace_id), h->trace_id[0] != '\0');
    put_member(out, ",\"request_id\":", texts[REQUEST_ID], has[REQUEST_ID]);
    put_member(out, ",\"subject\":", texts[SUBJECT], has[SUBJECT]);
    put_member(out, ",\"action\":", texts[ACTION], has[ACTION]);
    put_member(out, ",\"resource\":", texts[RESOURCE], has[RESOURCE]);
    put_member(out, ",\"outcome\":", pep_span_string(pep_outcome_name((pep_outcome)h->outcome)),
               true);
    put_member(out, ",\"code\":", pep_span_string(pep_code_name((pep_code)h->code)), true);
    put_member(out, ",\"rule\":", texts[RULE], has[RULE]);
    put_member(out, ",\"reason\":", texts[REASON], has[REASON]);
    put_number(out, ",\"epoch\":", h->epoch);
    put_number(out, ",\"version\":", h->version);
    put_number(out, ",\"age_ms\":", h->age_ms);
    put_number(out, ",\"eval_ns\":", h->eval_ns);
    pep_put_chars(out, ",\"reads\":");
    if (reads.size > 0)
        pep_put_span(out, reads);
    else
        pep_put_chars(out, h->reads_lost ? "null" : "{}");
    pep_put_chars(out, h->reads_lost ? ",\"reads_lost\":true}" : "}");
}

int pep_record_write(struct pep_span packed, const char *service, struct pep_buffer *out)
{
    struct head head;
    struct pep_cursor c = pep_cursor_of(packed);
    struct pep_span texts[TEXTS];
    pep_get_copy(&c, &head, sizeof(head));
    for (unsigned i = 0; i < TEXTS; i++)
        texts[i] = pep_get_bytes(&c, head.lengths[i]);
    struct pep_span reads = pep_get_bytes(&c, head.reads);
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    put_all(out, &head, service, texts, reads);
    return out->failed ? PEP_ENOMEM : PEP_OK;
}
