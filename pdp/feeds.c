/* What travels beside bundles, in the messages of the fetch port: see feeds.h. */
#include "feeds.h"

#include "log.h"

#include <string.h>

#define WARN_EVERY_MS 60000

void feeds_of(const struct feeds *f, const char *bundle, struct pep_feeds *ret)
{
    const struct pep_revocations *list = revoked_list(f->revoked);
    memset(ret, 0, sizeof(*ret));
    ret->revocations = pep_revocations_number(list);
    memcpy(ret->revocations_digest, pep_revocations_digest(list), PEP_SHA256_SIZE);
    ret->keys = relay_seq(f->relay, bundle);
}

static int put_head(struct feeds *f, const struct pep_feed *question, struct pep_revoked *head,
                    struct message *out)
{
    struct pep_buffer *frame = message_frame(out, PEP_REQUEST_MAX);
    if (frame == NULL)
        return PEP_ENOMEM;
    memcpy(head->nonce, question->nonce, sizeof(head->nonce));
    pep_revoked_write(head, frame);
    metrics_add(f->metrics, (enum metric)(METRIC_FEEDS_SAME + (head->kind - PEP_REVOKED_SAME)), 1);
    return 0;
}

int feeds_answer(struct feeds *f, const struct pep_feed *question, struct message *out)
{
    struct revoked_plan plan;
    revoked_choose(f->revoked, question, &plan);
    bool keys = relay_has(f->relay, question);
    struct pep_revoked head = {.kind = plan.kind, .steps = plan.steps, .keys = keys};
    if (question->look != 0)
        relay_look(f->relay, question->bundle, relay_now());
    int rc = put_head(f, question, &head, out);
    if (rc == 0)
        revoked_put(f->revoked, &plan, out);
    struct pep_buffer *frame = rc == 0 && keys ? message_frame(out, PEP_REPLY_MAX) : NULL;
    if (frame != NULL)
        rc = relay_write(f->relay, question, relay_now(), frame);
    return rc == 0 && message_good(out) ? 0 : PEP_ENOMEM;
}

int feeds_nothing(struct feeds *f, const struct pep_feed *question, struct message *out)
{
    struct pep_revoked head = {.kind = PEP_REVOKED_NONE};
    int rc = put_head(f, question, &head, out);
    return rc == 0 && message_good(out) ? 0 : PEP_ENOMEM;
}

void feeds_watch(struct feeds *f, const struct pep_feed *question, const char *client,
                 int64_t now_ms)
{
    uint64_t number = pep_revocations_number(revoked_list(f->revoked));
    if (question->revocations <= number ||
        (f->warned_ms != 0 && now_ms - f->warned_ms < WARN_EVERY_MS))
        return;
    f->warned_ms = now_ms;
    log_warning("revoked tokens: %s holds step %llu, this server's newest is %llu: was it restored "
                "from a backup? What was revoked in between is to be revoked again",
                client, (unsigned long long)question->revocations, (unsigned long long)number);
}
