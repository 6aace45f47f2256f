/*
 * The network part of joining: one question on the enrol port, to each of the token's endpoints in
 * turn until one answers or time is up. The context lives for this call only. Its threads are made
 * with all signals blocked, because we run on a thread of the host here.
 */
#include "pep/client_inside.h"
#include "pep/core/crypto.h"

#include <zmq.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRY_MIN_MS 2000 /* one endpoint, one try */
#define LOOK_MS    100  /* how often `stop` is looked at */

struct asking {
    const struct pep_enrol_token *token;
    const struct pep_curve_key *key;
    const atomic_bool *stop;
    uint8_t nonce[PEP_NONCE_SIZE];
    struct pep_buffer question;
    struct pep_frames *frames;
    bool refused_handshake;
};

static bool stopped(const struct asking *a)
{
    return a->stop != NULL && atomic_load(a->stop);
}

static int refusal(const struct asking *a, struct pep_error *err)
{
    struct pep_refused r;
    if (pep_refused_read(a->frames->spans[0], &r) != PEP_OK ||
        memcmp(r.nonce, a->nonce, sizeof(a->nonce)) != 0)
        return PEP_ENOTFOUND;
    return pep_error_set(err, PEP_EDENIED,
                         "the server refused the token (used, expired or unknown; its log says "
                         "which under reference %s): ask for a new one",
                         r.reference);
}

/* PEP_ENOTFOUND: not for us, go on listening. */
static int judge(const struct asking *a, struct pep_enrolled *ret, struct pep_error *err)
{
    struct pep_enrolled answer;
    if (a->frames->count == 0)
        return PEP_ENOTFOUND;
    int type = pep_message_type(a->frames->spans[0]);
    if (type == PEP_MSG_REFUSED)
        return refusal(a, err);
    if (type != PEP_MSG_ENROLLED || pep_enrolled_read(a->frames->spans[0], &answer) != PEP_OK ||
        memcmp(answer.nonce, a->nonce, sizeof(a->nonce)) != 0)
        return PEP_ENOTFOUND;
    *ret = answer;
    return PEP_OK;
}

static int converse(struct asking *a, struct pep_link *link, int64_t until,
                    struct pep_enrolled *ret, struct pep_error *err)
{
    bool sent = false;
    while (!stopped(a)) {
        int64_t left = until - pep_moment_now().boot_ms;
        if (left <= 0)
            return PEP_ETIMEDOUT;
        zmq_pollitem_t items[2] = {
            {link->socket, 0, (short)(sent ? ZMQ_POLLIN : ZMQ_POLLIN | ZMQ_POLLOUT), 0},
            {link->monitor, 0, ZMQ_POLLIN, 0},
        };
        zmq_poll(items, 2, left < LOOK_MS ? (long)left : LOOK_MS);
        enum pep_link_news news = pep_link_news(link);
        if (news == PEP_LINK_REFUSED) {
            a->refused_handshake = true;
            return PEP_ETIMEDOUT; /* the socket is dead; perhaps another endpoint lives */
        }
        if (news == PEP_LINK_DOWN)
            sent = false; /* the same question again: it is idempotent */
        if (!sent && (items[0].revents & ZMQ_POLLOUT) != 0)
            sent = pep_link_send(link, pep_buffer_span(&a->question)) == PEP_OK;
        if (pep_link_overfull(link))
            return pep_error_set(err, PEP_ELIMIT, "the server sends a message without end");
        while (pep_link_receive(link, a->frames) == PEP_OK) {
            int rc = judge(a, ret, err);
            if (rc != PEP_ENOTFOUND)
                return rc;
        }
    }
    return PEP_ESTATE;
}

static int try_endpoint(struct asking *a, void *context, size_t i, int64_t until,
                        struct pep_enrolled *ret, struct pep_error *err)
{
    struct pep_link link;
    struct pep_link_options o = {
        .type = ZMQ_DEALER,
        .endpoint = a->token->endpoints[i],
        .server_key = a->token->server_key,
        .key = a->key,
        .max_frame = PEP_REPLY_MAX,
    };
    int rc = pep_link_open(context, &o, &link, err);
    if (rc != PEP_OK)
        return rc;
    rc = converse(a, &link, until, ret, err);
    pep_link_close(&link);
    return rc;
}

static int try_all(struct asking *a, void *context, uint32_t timeout_ms, struct pep_enrolled *ret,
                   struct pep_error *err)
{
    int64_t end = pep_moment_now().boot_ms + timeout_ms;
    int64_t share = timeout_ms / (int64_t)a->token->endpoint_count;
    size_t i = 0;
    if (share < TRY_MIN_MS)
        share = TRY_MIN_MS;
    int rc = PEP_ETIMEDOUT;
    while (rc == PEP_ETIMEDOUT && pep_moment_now().boot_ms < end) {
        int64_t until = pep_moment_now().boot_ms + share;
        rc = try_endpoint(a, context, i, until < end ? until : end, ret, err);
        i = (i + 1) % a->token->endpoint_count;
        if (a->refused_handshake && rc == PEP_ETIMEDOUT && a->token->endpoint_count == 1)
            break;
    }
    if (rc == PEP_ETIMEDOUT)
        pep_error_set(err, rc,
                      a->refused_handshake
                          ? "%s: the server refused the connection"
                          : "%s: no server answers there (is pdpd running, is the token's server "
                            "key still right?)",
                      a->token->endpoints[0]);
    return rc;
}

static int write_question(struct asking *a, struct pep_error *err)
{
    struct pep_enrol e = {.host = ""};
    if (pep_random(a->nonce, sizeof(a->nonce)) != PEP_OK)
        return pep_error_set(err, PEP_EIO, "no random bytes");
    memcpy(e.nonce, a->nonce, sizeof(e.nonce));
    snprintf(e.token_id, sizeof(e.token_id), "%s", a->token->id);
    memcpy(e.secret, a->token->secret, sizeof(e.secret));
    if (gethostname(e.host, sizeof(e.host)) != 0)
        e.host[0] = '\0';
    e.host[sizeof(e.host) - 1] = '\0';
    a->question = pep_buffer_of(PEP_ENROL_MAX);
    pep_enrol_write(&e, &a->question);
    pep_wipe(&e, sizeof(e));
    if (a->question.failed)
        return pep_error_set(err, PEP_ENOMEM, "no memory for the question");
    return PEP_OK;
}

int pep_enrol_ask(const struct pep_enrol_token *token, const struct pep_curve_key *key,
                  uint32_t timeout_ms, const atomic_bool *stop, struct pep_enrolled *ret,
                  struct pep_frames *frames, struct pep_error *err)
{
    struct asking a = {.token = token, .key = key, .stop = stop, .frames = frames};
    sigset_t all, before;
    if (token->endpoint_count == 0)
        return pep_error_set(err, PEP_EFORMAT, "the token names no endpoint");
    int rc = write_question(&a, err);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    void *context = rc == PEP_OK ? zmq_ctx_new() : NULL;
    if (context != NULL) {
        rc = try_all(&a, context, timeout_ms, ret, err);
        zmq_ctx_term(context);
    } else if (rc == PEP_OK) {
        rc = pep_error_set(err, PEP_ENOMEM, "no ZeroMQ context");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (a.question.data != NULL)
        pep_wipe(a.question.data, a.question.size);
    pep_buffer_free(&a.question);
    return rc;
}
