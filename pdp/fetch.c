/* FETCH, WANT and FEED: see fetch.h. */
#include "fetch.h"

#include "fleet.h"

#include <stdio.h>
#include <string.h>

/* What one identity may ask: its processes share it. A whole bundle four times over at once. */
static const struct bucket_limit request_limit = {200, 50};
static const struct bucket_limit byte_limit = {4LL * PEP_BUNDLE_MAX, PEP_BUNDLE_MAX};

static bool in_scope(const struct client *client, const char *bundle)
{
    return strcmp(client->bundle, bundle) == 0;
}

static size_t message_size(const struct message *m)
{
    size_t size = 0;
    for (size_t i = 0; i < m->count; i++)
        size += m->frames[i].size;
    return size;
}

static int handle_fetch(struct server *s, struct client *client, struct pep_span frame,
                        int64_t now_ms, struct outbox *out)
{
    struct pep_fetch fetch;
    int rc = pep_fetch_read(frame, &fetch);
    if (rc != 0)
        return rc;
    metrics_add(&s->metrics, METRIC_FETCHES, 1);
    struct topic *topic = NULL;
    if (in_scope(client, fetch.bundle)) {
        topic = publisher_topic(s->publisher, fetch.bundle);
        rc = fleet_report(client, &fetch, now_ms);
    }
    struct message *m = rc == 0 ? outbox_message(out) : NULL;
    if (m == NULL)
        return PEP_ENOMEM;
    rc = publisher_answer(s->publisher, topic, &fetch, now_ms, m);
    if (rc == 0 && !bucket_take(&client->bytes, &byte_limit, (int64_t)message_size(m), now_ms))
        rc = PEP_ELIMIT;
    return rc;
}

static int put_refused(const struct pep_want *want, struct outbox *out)
{
    struct pep_refused r;
    memset(&r, 0, sizeof(r));
    memcpy(r.nonce, want->nonce, sizeof(r.nonce));
    snprintf(r.reason, sizeof(r.reason), "no such file in this bundle's head");
    struct message *m = outbox_message(out);
    struct pep_buffer *b = m == NULL ? NULL : message_frame(m, PEP_REQUEST_MAX);
    if (b == NULL)
        return PEP_ENOMEM;
    pep_refused_write(&r, b);
    return 0;
}

static int put_file(const struct pep_want *want, size_t i, struct pep_span content,
                    struct outbox *out)
{
    struct pep_file_frame f;
    memcpy(f.nonce, want->nonce, sizeof(f.nonce));
    memcpy(f.hash, want->hashes[i], sizeof(f.hash));
    f.content = content;
    struct message *m = outbox_message(out);
    struct pep_buffer *b = m == NULL ? NULL : message_frame(m, PEP_REPLY_MAX);
    if (b == NULL)
        return PEP_ENOMEM;
    pep_file_write(&f, b);
    return 0;
}

static int handle_want(struct server *s, struct client *client, struct pep_span frame,
                       int64_t now_ms, struct outbox *out)
{
    struct pep_want want;
    int rc = pep_want_read(frame, &want);
    if (rc != 0)
        return rc;
    struct topic *topic =
        in_scope(client, want.bundle) ? publisher_topic(s->publisher, want.bundle) : NULL;
    for (size_t i = 0; rc == 0 && i < want.count; i++) {
        struct pep_span content = pep_span_of(NULL, 0);
        if (topic != NULL)
            content = topic_file(topic, want.hashes[i]);
        if (content.data == NULL)
            return put_refused(&want, out);
        if (!bucket_take(&client->bytes, &byte_limit, (int64_t)content.size, now_ms))
            return PEP_ELIMIT;
        rc = put_file(&want, i, content, out);
        metrics_add(&s->metrics, METRIC_FILES, 1);
    }
    return rc;
}

static int handle_feed(struct server *s, struct client *client, struct pep_span frame,
                       int64_t now_ms, struct outbox *out)
{
    struct pep_feed feed;
    int rc = pep_feed_read(frame, &feed);
    if (rc != 0)
        return rc;
    struct message *m = outbox_message(out);
    if (m == NULL)
        return PEP_ENOMEM;
    if (in_scope(client, feed.bundle)) {
        feeds_watch(&s->feeds, &feed, client->id, now_ms);
        rc = feeds_answer(&s->feeds, &feed, m);
    } else {
        rc = feeds_nothing(&s->feeds, &feed, m);
    }
    if (rc == 0 && !bucket_take(&client->bytes, &byte_limit, (int64_t)message_size(m), now_ms))
        rc = PEP_ELIMIT;
    return rc;
}

int fetch_handle(struct server *s, struct client *client, struct pep_span frame, int64_t now_ms,
                 struct outbox *out)
{
    if (!bucket_take(&client->requests, &request_limit, 1, now_ms))
        return PEP_ELIMIT;
    switch (pep_message_type(frame)) {
    case PEP_MSG_FETCH:
        return handle_fetch(s, client, frame, now_ms, out);
    case PEP_MSG_WANT:
        return handle_want(s, client, frame, now_ms, out);
    case PEP_MSG_FEED:
        return handle_feed(s, client, frame, now_ms, out);
    default:
        return PEP_EFORMAT;
    }
}
