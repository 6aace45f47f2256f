/*
 * Talking to pdpd: one request, one answer, on the operator port. The only part of policyctl that
 * knows ZeroMQ. docs/protocol.md lists the operations.
 *
 *     struct remote *r;
 *     struct reply reply = REPLY_INIT;
 *     int rc = remote_open(s, &r);
 *     if (rc == EXIT_OK)
 *         rc = remote_call(r, json_pack("{s:s}", "op", "status"), NO_BYTES, &reply);
 *     ...
 *     reply_free(&reply);
 *     remote_close(r);
 *
 * The connection is up, with CURVE done both ways, when remote_open() returns; so "pdpd is not
 * there", "this key is not accepted" and "no answer" are told apart. Endpoints are tried in order.
 */
#ifndef POLICYCTL_REMOTE_H
#define POLICYCTL_REMOTE_H

#include "config.h"

#define REMOTE_CONNECT_MS 5000
#define REMOTE_REFUSED_MS 1500 /* how long "connection refused" is given to change its mind */
#define REMOTE_ANSWER_MS  30000
#define REMOTE_JSON_MAX   (16 * 1024 * 1024)

struct remote;

struct reply {
    json_t *json;   /* the whole answer object */
    uint8_t *bytes; /* the third frame, or NULL */
    size_t size;
};
#define REPLY_INIT    \
    {                 \
        NULL, NULL, 0 \
    }
#define NO_BYTES ((struct pep_span){NULL, 0})

/* Takes the session's context. On failure the message has been printed; returns the exit code. */
int remote_open(struct session *s, struct remote **ret);
void remote_close(struct remote *r);
const struct context *remote_context(const struct remote *r);
const char *remote_endpoint(const struct remote *r);
struct output *remote_output(const struct remote *r);

/* Steals `request`. EXIT_OK if an answer came, good or bad; else the message has been printed. */
int remote_ask(struct remote *r, json_t *request, struct pep_span bytes, struct reply *ret);
/* True if the answer says "ok". */
bool reply_good(const struct reply *reply);
/* True if it is a refusal with this code ("conflict"). */
bool reply_is(const struct reply *reply, const char *code);
/* Prints a refusal: what pdpd said, where, and what to type next. Returns the exit code for it. */
int reply_refused(struct remote *r, const struct reply *reply);
/* remote_ask(), and reply_refused() unless the answer is good. */
int remote_call(struct remote *r, json_t *request, struct pep_span bytes, struct reply *ret);
/* An answer that lacks something: pdpd is of another version. */
int reply_malformed(struct remote *r, const char *member);
void reply_free(struct reply *reply);

/* A new CURVE key pair in Z85, for `operator add`. */
int remote_new_keys(char public_key[PEP_Z85_SIZE + 1], char secret_key[PEP_Z85_SIZE + 1]);

/* remote_open(), one remote_call(), remote_close(). */
int remote_once(struct session *s, json_t *request, struct reply *ret);

#endif
