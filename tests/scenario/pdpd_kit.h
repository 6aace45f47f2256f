/*
 * A real pdpd over loopback, and raw ZeroMQ peers against it: operators, clients, strangers. Raw,
 * because half of what is tested is what libpep and policyctl would never send.
 *
 * A failure in here ends the test program with a message.
 */
#ifndef PEP_TESTS_PDPD_KIT_H
#define PEP_TESTS_PDPD_KIT_H

#include "tests/support/fixture.h"

#include "pep/core/json.h"
#include "pep/core/wire.h"

#include <sys/types.h>
#include <zmq.h>

enum { NOTICES, FETCH, ENROL, OPERATORS, HTTP }; /* ports, from the base */

#define KIT_KEY      41
#define KIT_PATIENCE 10000 /* ms until something that must come is missing */
#define KIT_QUIET    700   /* ms in which nothing may come */

struct daemon {
    char folder[64];
    const char *config; /* its --config file, or NULL */
    int base;           /* of its ports */
    pid_t pid;
    int exit_status; /* of waitpid(), once it ended */
    void *context;   /* of the peers */
    struct fixture keys;
    char server_key[KIT_KEY];
    char public_key[KIT_KEY], secret_key[KIT_KEY]; /* the first operator's */
};

/* A folder of its own, free ports, nothing started. */
struct daemon kit_daemon(void);
/* Starts `program` with these extra environment settings (NULL at the end, or NULL for none). */
void kit_start(struct daemon *d, const char *program, const char *const *environment);
/* True once /healthz answers; false if the program ended instead. */
bool kit_wait_up(struct daemon *d);
/* Starts PDPD_PROGRAM and waits until it serves; reads operator.json. */
void kit_up(struct daemon *d);
/* Waits for the end; -1 after KIT_PATIENCE. Else the exit code, or 128 + signal. */
int kit_wait_end(struct daemon *d);
bool kit_ended(struct daemon *d);
/* SIGTERM and wait. */
int kit_stop(struct daemon *d);
void kit_free(struct daemon *d);
void kit_read_operator(struct daemon *d);
/* The whole log so far; freed by the caller. */
char *kit_log(const struct daemon *d);
/* The status that these bytes are answered with; 0: none. The answer is freed by the caller. */
int kit_http(const struct daemon *d, const char *request, char **ret_answer);
/* Status and body of GET `path`; the body is freed by the caller. 0: no answer. */
int kit_get(const struct daemon *d, const char *path, char **ret_body);
/* The value of a line of /metrics. */
long kit_metric(const struct daemon *d, const char *name);

/* ---- peers ---- */

struct peer_keys {
    char public_key[KIT_KEY], secret_key[KIT_KEY];
};
struct peer_keys kit_new_keys(void);
/* A socket on its way to a port. kit_free() closes those that a failed test left open. */
void *kit_connect(const struct daemon *d, int type, int port, const struct peer_keys *keys);
void kit_close(void *socket);
void kit_close_all(void);
/* A message of `count` frames; empty spans are empty frames. */
void kit_send(void *socket, const struct pep_span *frames, size_t count);

struct kit_message {
    struct pep_buffer frames[16];
    size_t count;
};
/* Within `ms`; false if none came. Clear it in the first case. */
bool kit_receive(void *socket, long ms, struct kit_message *ret);
void kit_clear(struct kit_message *m);

/* ---- operators ---- */
void *kit_operator(const struct daemon *d); /* the first operator */
/* Sends {"op":..., ...} (taken) and returns the answer, a new reference; NULL if the daemon ended.
 * `ret_bytes` may be NULL. */
json_t *kit_operate(struct daemon *d, void *socket, json_t *request, struct pep_span bytes,
                    struct pep_buffer *ret_bytes);
/* The same, and true if the answer is ok; else false and, if `code` is not NULL, asserts the code.
 */
bool kit_ok(json_t *answer);
bool kit_code(json_t *answer, const char *code); /* takes the answer */
/* The fixture's root with this server's keys: bytes of the envelope. Freed by the caller. */
struct pep_buffer kit_root(struct daemon *d, void *socket, uint32_t version);
void kit_upload_root(struct daemon *d, void *socket);
/* The digest of a bundle file's manifest, for the next one's base. */
void kit_digest(struct pep_span bundle, uint8_t out[PEP_SHA256_SIZE]);
/* The bytes of acme version n on `base` (NULL for the first), with one file that says `note`. */
struct pep_buffer kit_bundle(const struct daemon *d, uint64_t version, const uint8_t *base,
                             const char *note);
/* The same for any bundle name. */
struct pep_buffer kit_bundle_of(const struct daemon *d, const char *name, uint64_t version,
                                const uint8_t *base, const char *note);
json_t *kit_push(struct daemon *d, void *socket, struct pep_span bundle);

/* ---- enrolment and clients ---- */
struct kit_token {
    char id[33];
    uint8_t secret[PEP_SECRET_SIZE];
};
/* {"op":"service.enrol"} for a service of bundle acme; asserts that it is accepted. */
struct kit_token kit_token(struct daemon *d, void *socket, const char *service, int ttl, int uses);
/* The answer's message type (ENROLLED or REFUSED), or 0 for none; `ret_client` may be NULL. */
int kit_enrol(const struct daemon *d, const struct peer_keys *keys, const struct kit_token *token,
              char ret_client[PEP_CLIENT_ID_MAX + 1]);
/* Sends a FETCH with this have. */
void kit_fetch(void *socket, const char *bundle, const struct pep_head *have);
/* Waits for an ANSWER and verifies it; frames behind it in *ret_rest (may be NULL). */
struct pep_answer kit_answer(const struct daemon *d, void *socket, struct kit_message *ret_rest);
/* The signed body of a frame by this server's beacon key; asserts that it verifies. */
struct pep_span kit_verified(const struct daemon *d, const char *type, struct pep_span frame);

/* A running pdpd, its operator's connection, and a root document: cmocka's set-up and teardown. */
struct site {
    struct daemon d;
    void *operator;
};
int kit_site_up(void **state);
int kit_site_down(void **state);

#endif
