/*
 * Scenarios of relayed token keys: a real pdpd that fetches them from real HTTPS servers on loopback
 * (jwks_server.py, with certificates of an authority of the test's own), and a real libpep client.
 *
 * A failure in here ends the test program with a message.
 */
#ifndef PEP_TESTS_RELAY_KIT_H
#define PEP_TESTS_RELAY_KIT_H

#include "pdpd_kit.h"

#include "pep.h"

/* The servers, by the certificate that they show in the bad phase. */
enum { SERVER_GOOD, SERVER_EXPIRED, SERVER_STRANGER, SERVER_OTHER_NAME, SERVERS };

struct relay_key {
    json_t *jwk; /* private */
    struct pep_jwk_private *key;
};

struct relay_scene {
    struct site site;
    char folder[96], config[128], identity[128];
    pid_t server;
    int ports[SERVERS];
    uint64_t version;
    uint8_t base[PEP_SHA256_SIZE];
    pep *client;
};

/* cmocka's set-up and teardown: everything but a policy and the client is there. */
int relay_up(void **state);
int relay_down(void **state);

int64_t relay_clock(void); /* ms */
/* Waits until `is` is true, at most `ms`; the time that it took. Says `what` when it fails. */
int64_t relay_until(struct relay_scene *s, bool (*is)(struct relay_scene *s, const void *with),
                    const void *with, const char *what);

struct relay_key relay_key_new(const char *kid);
void relay_key_free(struct relay_key *k);
/* The servers' document from now on. */
void relay_publish(struct relay_scene *s, const struct relay_key *const *keys, size_t count);
void relay_set(struct relay_scene *s, const char *name, const char *text); /* a server's setting */
/* Requests that the servers have had; those with this text in their line. */
unsigned relay_requests(const struct relay_scene *s, const char *text);
void relay_start_server(struct relay_scene *s);
void relay_stop_server(struct relay_scene *s);

/* One entry of issuers.json: keys at /`path` of a server. `pin` may be NULL. New reference. */
struct relay_issuer {
    const char *name, *path, *pin;
    int server, max_age;
};
json_t *relay_entry(const struct relay_scene *s, const struct relay_issuer *issuer);
/* Pushes the next version of "acme" with this table (taken). */
void relay_push(struct relay_scene *s, json_t *issuers);
/* A client of service "billing" with a folder of its own, `name`. */
pep *relay_client(struct relay_scene *s, const char *name);

/* A clerk's token. Freed by the caller. */
char *relay_token(const struct relay_key *k, const char *issuer);
bool relay_allows(pep *p, const char *token);
/* The decision's reason. */
const char *relay_reason(pep *p, const char *token, char out[PEP_REASON_MAX]);
/* The object of `policyctl status` about this issuer. New reference. */
json_t *relay_status(struct relay_scene *s, const char *issuer);

#endif
