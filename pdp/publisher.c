/* Heads, notices and answers: see publisher.h. */
#include "topic.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEQ_BLOCK       4096 /* numbers reserved at once: more than an hour of beacons */
#define ROOTS_IN_ANSWER 16   /* the client asks again after following these */
#define SIGNED_MAX      4096

struct publisher {
    struct publisher_parts parts;
    struct topic *first, **end;
};

/* ---- loading ---- */

static void append(struct publisher *p, struct topic *t)
{
    *p->end = t;
    p->end = &t->next;
    metrics_add(p->parts.metrics, METRIC_BUNDLES, 1);
}

struct loading {
    struct publisher *publisher;
    struct pep_error *err;
};

static int load_head(void *context, const struct store_version *row)
{
    struct loading *l = context;
    struct release *release = NULL;
    struct topic *topic = NULL;
    int rc = release_from_store(l->publisher->parts.store, row, &release, l->err);
    if (rc == 0)
        rc = topic_new(row->bundle, release, &topic);
    if (rc != 0) {
        release_free(release);
        return rc;
    }
    topic->due = true;
    append(l->publisher, topic);
    return 0;
}

int publisher_open(const struct publisher_parts *parts, struct publisher **ret,
                   struct pep_error *err)
{
    struct publisher *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    p->parts = *parts;
    p->end = &p->first;
    struct loading loading = {p, err};
    int rc = store_each_head(parts->store, load_head, &loading, err);
    if (rc != 0) {
        publisher_close(p);
        return pep_error_set(err, rc, "stored versions: %s", pep_strerror(rc));
    }
    *ret = p;
    return 0;
}

void publisher_close(struct publisher *p)
{
    if (p == NULL)
        return;
    for (struct topic *t = p->first, *next; t != NULL; t = next) {
        next = t->next;
        topic_free(t);
    }
    free(p);
}

struct topic *publisher_topic(const struct publisher *p, const char *bundle)
{
    struct topic *t = p->first;
    while (t != NULL && strcmp(t->name, bundle) != 0)
        t = t->next;
    return t;
}

struct topic *publisher_first(const struct publisher *p)
{
    return p->first;
}

/* ---- publishing ---- */

static int put_version(struct publisher *p, const struct release *release,
                       struct store_version *row, const struct store_audit *audit,
                       struct pep_error *err)
{
    struct store_content *files = calloc(release->count + 1, sizeof(*files));
    if (files == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    for (size_t i = 0; i < release->count; i++) {
        memcpy(files[i].sha256, release->files[i].sha256, PEP_SHA256_SIZE);
        files[i].bytes = pep_span_of(release->files[i].bytes, release->files[i].size);
    }
    row->epoch = release->head.epoch;
    row->version = release->head.version;
    memcpy(row->digest, release->head.digest, sizeof(row->digest));
    row->manifest = pep_span_of(release->manifest, release->manifest_size);
    int rc = store_put_version(p->parts.store, row, files, release->count, audit, err);
    free(files);
    return rc;
}

int publisher_publish(struct publisher *p, const struct pep_bundle *bundle,
                      struct store_version *row, const struct store_audit *audit,
                      struct pep_error *err)
{
    struct topic *topic = publisher_topic(p, row->bundle), *fresh = NULL;
    struct release *release = NULL;
    int rc = release_from_bundle(bundle, &release);
    if (rc == 0 && topic == NULL)
        rc = topic_new(row->bundle, NULL, &fresh);
    if (rc != 0)
        pep_error_set(err, rc, "%s: %s", row->bundle, pep_strerror(rc));
    if (rc == 0)
        rc = put_version(p, release, row, audit, err);
    if (rc != 0) {
        release_free(release);
        topic_free(fresh);
        return rc;
    }
    if (topic == NULL) {
        topic = fresh;
        append(p, topic);
    }
    release_free(topic->before);
    topic->before = topic->newest;
    topic->newest = release;
    topic->due = true;
    return 0;
}

/* ---- notices ---- */

/* (root, seq, issued_at) rises with each notice, whatever the clock does. */
static int advance(struct publisher *p, struct topic *t, int64_t now_ms)
{
    if (t->seq + 1 >= t->reserved) {
        struct pep_error err = PEP_ERROR_INIT;
        uint64_t start = 0;
        int rc = store_reserve(p->parts.store, t->name, SEQ_BLOCK, &start, &err);
        if (rc != 0) {
            metrics_add(p->parts.metrics, METRIC_STORE_ERRORS, 1);
            log_error("notices of %s: cannot reserve numbers: %s", t->name, pep_error_text(&err));
            return rc;
        }
        t->seq = start - 1;
        t->reserved = start + SEQ_BLOCK;
    }
    t->seq++;
    t->issued_at = now_ms > t->issued_at ? now_ms : t->issued_at + 1;
    return 0;
}

/* Signs what `frame` holds and makes it the message's next frame. */
static int put_signed(struct publisher *p, struct message *out, const char *type,
                      struct pep_buffer *frame)
{
    struct pep_buffer *target = message_frame(out, SIGNED_MAX);
    int rc = target == NULL || frame->failed
                 ? PEP_ENOMEM
                 : pep_compact_sign(type, pep_buffer_span(frame), p->parts.beacon, target);
    pep_buffer_free(frame);
    return rc;
}

void publisher_due(struct publisher *p, const char *bundle)
{
    struct topic *t = publisher_topic(p, bundle);
    if (t != NULL)
        t->due = true;
}

void publisher_beacon(struct publisher *p)
{
    for (struct topic *t = p->first; t != NULL; t = t->next)
        t->due = true;
}

/* The next topic that is due and whose notice can get a number. */
static struct topic *take_due(struct publisher *p, int64_t now_ms)
{
    for (struct topic *t = p->first; t != NULL; t = t->next) {
        bool due = t->due;
        t->due = false;
        if (due && advance(p, t, now_ms) == 0)
            return t;
    }
    return NULL;
}

bool publisher_notice(struct publisher *p, int64_t now_ms, struct message *out)
{
    struct topic *t = take_due(p, now_ms);
    if (t == NULL)
        return false;
    struct pep_notice n;
    memset(&n, 0, sizeof(n));
    memcpy(n.bundle, t->name, sizeof(t->name));
    snprintf(n.channel, sizeof(n.channel), PUBLISHER_CHANNEL);
    n.root = roots_version(p->parts.roots);
    n.seq = t->seq;
    n.issued_at = t->issued_at;
    n.head = t->newest->head;
    feeds_of(p->parts.feeds, t->name, &n.feeds);
    struct pep_buffer frame = pep_buffer_of(PEP_NOTICE_MAX);
    pep_notice_write(&n, &frame);
    message_copy(out, pep_span_of(t->name, strlen(t->name) + 1));
    if (put_signed(p, out, PEP_TYPE_NOTICE, &frame) != 0)
        out->failed = true;
    return true;
}

/* ---- answers ---- */

static bool same_head(const struct pep_head *a, const struct pep_head *b)
{
    return a->version == b->version && memcmp(a->digest, b->digest, PEP_SHA256_SIZE) == 0;
}

/* How many of the head's files go along at once: those that a client with the version before lacks,
 * else from the start, as long as they fit. Marks them in `chosen`. */
static uint16_t choose_files(const struct topic *t, const struct pep_head *have, bool *chosen)
{
    bool knows_before = t->before != NULL && same_head(&t->before->head, have);
    size_t room = PEP_INLINE_MAX;
    uint16_t count = 0;
    for (size_t i = 0; i < t->newest->count; i++) {
        const struct release_file *f = &t->newest->files[i];
        bool has = knows_before && release_find(t->before, f->sha256) != NULL;
        if (has || f->size > room)
            continue;
        room -= f->size;
        chosen[i] = true;
        count++;
    }
    return count;
}

static void put_files(const struct topic *t, const struct pep_fetch *fetch, const bool *chosen,
                      struct message *out)
{
    for (size_t i = 0; i < t->newest->count; i++) {
        const struct release_file *f = &t->newest->files[i];
        struct pep_buffer *frame = chosen[i] ? message_frame(out, PEP_REPLY_MAX) : NULL;
        if (frame == NULL)
            continue;
        struct pep_file_frame m;
        memcpy(m.nonce, fetch->nonce, sizeof(m.nonce));
        memcpy(m.hash, f->sha256, sizeof(m.hash));
        m.content = pep_span_of(f->bytes, f->size);
        pep_file_write(&m, frame);
    }
}

static uint16_t new_roots(const struct publisher *p, uint32_t has)
{
    uint32_t newest = roots_version(p->parts.roots);
    uint32_t lacks = has < newest ? newest - has : 0;
    return (uint16_t)(lacks > ROOTS_IN_ANSWER ? ROOTS_IN_ANSWER : lacks);
}

static int fill_answer(struct publisher *p, struct topic *t, const struct pep_fetch *fetch,
                       int64_t now_ms, struct pep_answer *a)
{
    memset(a, 0, sizeof(*a));
    memcpy(a->nonce, fetch->nonce, sizeof(a->nonce));
    memcpy(a->bundle, fetch->bundle, sizeof(a->bundle));
    snprintf(a->channel, sizeof(a->channel), PUBLISHER_CHANNEL);
    a->root = roots_version(p->parts.roots);
    a->roots = new_roots(p, fetch->root);
    a->issued_at = now_ms;
    a->kind = PEP_ANSWER_NONE;
    if (t == NULL)
        return 0;
    int rc = t->seq == 0 ? advance(p, t, now_ms) : 0;
    a->seq = t->seq;
    a->issued_at = now_ms > t->issued_at ? now_ms : t->issued_at;
    t->issued_at = a->issued_at;
    a->head = t->newest->head;
    feeds_of(p->parts.feeds, t->name, &a->feeds);
    a->kind = same_head(&a->head, &fetch->have) ? PEP_ANSWER_SAME : PEP_ANSWER_VERSION;
    return rc;
}

int publisher_answer(struct publisher *p, struct topic *t, const struct pep_fetch *fetch,
                     int64_t now_ms, struct message *out)
{
    struct pep_answer a;
    int rc = fill_answer(p, t, fetch, now_ms, &a);
    if (rc != 0)
        return rc;
    bool full = a.kind == PEP_ANSWER_VERSION && (fetch->flags & PEP_FETCH_REPORT_ONLY) == 0;
    bool *chosen = calloc(full ? t->newest->count + 1 : 1, sizeof(*chosen));
    if (chosen == NULL)
        return PEP_ENOMEM;
    if (full)
        a.files = choose_files(t, &fetch->have, chosen);
    struct pep_buffer frame = pep_buffer_of(SIGNED_MAX);
    pep_answer_write(&a, &frame);
    rc = put_signed(p, out, PEP_TYPE_ANSWER, &frame);
    message_copy(out, full ? topic_manifest(t) : pep_span_of(NULL, 0));
    for (uint32_t i = 1; i <= a.roots; i++)
        message_copy(out, roots_envelope(p->parts.roots, fetch->root + i));
    if (full)
        put_files(t, fetch, chosen, out);
    free(chosen);
    metrics_add(p->parts.metrics, full ? METRIC_ANSWERS_VERSION : METRIC_ANSWERS_SAME, 1);
    return rc == 0 && message_good(out) ? 0 : PEP_ENOMEM;
}
