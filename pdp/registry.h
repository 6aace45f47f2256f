/*
 * Who may talk to this server: clients, operators and enrolment tokens, in memory.
 *
 * Loaded from the store at start and changed only after the store has committed. The server's
 * thread owns it and is the only one that writes; the ZAP thread asks registry_admits() from
 * beside, so that writes and that one question share a lock. Nothing is removed: ids, keys and
 * names are never used again, so a revoked key can never come back as somebody else.
 */
#ifndef PDP_REGISTRY_H
#define PDP_REGISTRY_H

#include "bucket.h"
#include "store.h"

#include "pep/core/wire.h"

#define REGISTRY_USER_ID (PEP_CLIENT_ID_MAX + 1)

/* The ports, which are also the ZAP domains. SELFTEST knows one key, for the start-up test. */
enum port { PORT_NOTICES, PORT_FETCH, PORT_ENROL, PORT_OPERATORS, PORT_SELFTEST, PORTS };
extern const char *const port_names[PORTS];

struct fleet_reports; /* fleet.h */

struct client {
    char id[PEP_CLIENT_ID_MAX + 1];
    char service[PEP_NAME_MAX + 1];
    char bundle[PEP_NAME_MAX + 1];
    char key[STORE_KEY_TEXT];
    uint32_t instance;
    json_t *labels;
    enum client_state state;
    bool ephemeral;
    int64_t enrolled;
    uint64_t statement;
    char token[33];
    struct fleet_reports *reports; /* owned by fleet.c */
    struct bucket requests, bytes; /* what the fetch port still grants it */
    struct client *next;           /* in the order of enrolment */
};

struct token {
    char id[33];
    uint8_t secret_sha256[PEP_SHA256_SIZE];
    char service[PEP_NAME_MAX + 1], bundle[PEP_NAME_MAX + 1];
    json_t *labels;
    int64_t expires;
    uint32_t uses_left;
    bool ephemeral;
    uint32_t root; /* version of the root document that it was made under */
    struct token *next;
};

enum role { ROLE_VIEWER, ROLE_ROLLOUT, ROLE_ADMIN, ROLES };
extern const char *const role_names[ROLES];
/* -1 if there is no such role. */
int role_find(const char *name);

struct operator
{
    char name[PEP_NAME_MAX + 1];
    char key[STORE_KEY_TEXT];
    enum role role;
    bool active;
    int64_t added;
    struct operator* next;
};

struct registry;

int registry_new(struct registry **ret);
void registry_free(struct registry *registry);
int registry_load(struct registry *registry, struct store *store, struct pep_error *err);

/* May a connection with this CURVE key use this port? The answer's user id is what every message of
 * the connection is judged by: client id, operator name, or on the enrol port the key itself.
 * Safe from any thread. */
bool registry_admits(struct registry *registry, enum port port, const char *key,
                     char user_id[REGISTRY_USER_ID]);
void registry_set_selftest(struct registry *registry, const char *key); /* NULL: none */

/* The rest: the server's thread only. */
int registry_add_client(struct registry *registry, const struct store_client *row,
                        struct client **ret);
int registry_add_token(struct registry *registry, const struct store_token *row);
int registry_add_operator(struct registry *registry, const struct store_operator *row);
struct client *registry_client(const struct registry *registry, const char *id);
struct client *registry_client_by_key(const struct registry *registry, const char *key);
struct token *registry_token(const struct registry *registry, const char *id);
struct operator* registry_operator(const struct registry *registry, const char *name);
struct operator* registry_operator_by_key(const struct registry *registry, const char *key);
void registry_set_client(struct registry *registry, struct client *client, enum client_state state,
                         uint64_t statement);
void registry_revoke_operator(struct registry *registry, struct operator* op);
struct client *registry_clients(const struct registry *registry);
struct token *registry_tokens(const struct registry *registry);
struct operator* registry_operators(const struct registry *registry);
size_t registry_client_count(const struct registry *registry);

#endif
