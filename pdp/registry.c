/* Clients, operators and tokens in memory: see registry.h. */
#include "registry.h"

#include "fleet.h"
#include "map.h"

#include "pep/core/json.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 4096

const char *const port_names[PORTS] = {"notices", "fetch", "enrol", "operators", "selftest"};
const char *const role_names[ROLES] = {"viewer", "rollout", "admin"};

struct registry {
    pthread_rwlock_t lock; /* taken by writers, and by the ZAP thread to read */
    struct map clients, client_keys, tokens, operators, operator_keys;
    struct client *first_client, **end_client;
    struct token *first_token, **end_token;
    struct operator* first_operator, **end_operator;
    char selftest[STORE_KEY_TEXT];
};

int role_find(const char *name)
{
    for (int i = 0; i < ROLES; i++) {
        if (strcmp(role_names[i], name) == 0)
            return i;
    }
    return -1;
}

int registry_new(struct registry **ret)
{
    uint64_t seed;
    struct registry *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return PEP_ENOMEM;
    if (pep_random(&seed, sizeof(seed)) != 0 || pthread_rwlock_init(&r->lock, NULL) != 0) {
        free(r);
        return PEP_EIO;
    }
    map_init(&r->clients, seed);
    map_init(&r->client_keys, seed);
    map_init(&r->tokens, seed);
    map_init(&r->operators, seed);
    map_init(&r->operator_keys, seed);
    r->end_client = &r->first_client;
    r->end_token = &r->first_token;
    r->end_operator = &r->first_operator;
    *ret = r;
    return 0;
}

static void free_clients(struct client *c)
{
    while (c != NULL) {
        struct client *next = c->next;
        json_decref(c->labels);
        fleet_forget(c);
        free(c);
        c = next;
    }
}

void registry_free(struct registry *r)
{
    if (r == NULL)
        return;
    free_clients(r->first_client);
    for (struct token *t = r->first_token, *next; t != NULL; t = next) {
        next = t->next;
        json_decref(t->labels);
        free(t);
    }
    for (struct operator* o = r->first_operator, *next; o != NULL; o = next) {
        next = o->next;
        free(o);
    }
    map_clear(&r->clients);
    map_clear(&r->client_keys);
    map_clear(&r->tokens);
    map_clear(&r->operators);
    map_clear(&r->operator_keys);
    pthread_rwlock_destroy(&r->lock);
    free(r);
}

/* ---- adding ---- */

/* Copies a text that the store bounded when it was written; false if it does not fit after all. */
static bool fits(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n >= size)
        return false;
    memcpy(out, text, n + 1);
    return true;
}
#define FITS(field, text) fits(field, sizeof(field), text)

static json_t *read_labels(const char *text)
{
    json_t *labels = NULL;
    if (pep_json_parse(pep_span_string(text), LABELS_MAX, "labels", &labels, NULL) != 0)
        return NULL;
    if (!json_is_object(labels)) {
        json_decref(labels);
        return NULL;
    }
    return labels;
}

int registry_add_client(struct registry *r, const struct store_client *row, struct client **ret)
{
    struct client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return PEP_ENOMEM;
    c->labels = read_labels(row->labels);
    if (c->labels == NULL || !FITS(c->id, row->id) || !FITS(c->service, row->service) ||
        !FITS(c->bundle, row->bundle) || !FITS(c->key, row->key) || !FITS(c->token, row->token)) {
        json_decref(c->labels);
        free(c);
        return PEP_EFORMAT;
    }
    c->instance = row->instance;
    c->state = row->state;
    c->ephemeral = row->ephemeral;
    c->enrolled = row->enrolled;
    c->statement = row->statement;
    pthread_rwlock_wrlock(&r->lock);
    int rc = map_put(&r->clients, c->id, c);
    if (rc == 0) {
        /* Listed first: a client that lacks its key entry after a failure cannot connect. */
        *r->end_client = c;
        r->end_client = &c->next;
        rc = map_put(&r->client_keys, c->key, c);
    } else {
        json_decref(c->labels);
        free(c);
    }
    pthread_rwlock_unlock(&r->lock);
    if (rc == 0 && ret != NULL)
        *ret = c;
    return rc;
}

int registry_add_token(struct registry *r, const struct store_token *row)
{
    struct token *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return PEP_ENOMEM;
    t->labels = read_labels(row->labels);
    int rc = t->labels != NULL && FITS(t->id, row->id) && FITS(t->service, row->service) &&
                     FITS(t->bundle, row->bundle)
                 ? map_put(&r->tokens, t->id, t)
                 : PEP_EFORMAT;
    if (rc != 0) {
        json_decref(t->labels);
        free(t);
        return rc;
    }
    memcpy(t->secret_sha256, row->secret_sha256, sizeof(t->secret_sha256));
    t->expires = row->expires;
    t->uses_left = row->uses_left;
    t->ephemeral = row->ephemeral;
    t->root = row->root;
    *r->end_token = t;
    r->end_token = &t->next;
    return 0;
}

int registry_add_operator(struct registry *r, const struct store_operator *row)
{
    struct operator* o = calloc(1, sizeof(*o));
    if (o == NULL)
        return PEP_ENOMEM;
    int role = role_find(row->role);
    if (role < 0 || !FITS(o->name, row->name) || !FITS(o->key, row->key)) {
        free(o);
        return PEP_EFORMAT;
    }
    o->role = (enum role)role;
    o->active = row->active;
    o->added = row->added;
    pthread_rwlock_wrlock(&r->lock);
    int rc = map_put(&r->operators, o->name, o);
    if (rc == 0) {
        *r->end_operator = o;
        r->end_operator = &o->next;
        rc = map_put(&r->operator_keys, o->key, o);
    } else {
        free(o);
    }
    pthread_rwlock_unlock(&r->lock);
    return rc;
}

/* ---- loading ---- */

static int load_client(void *context, const struct store_client *row)
{
    return registry_add_client(context, row, NULL);
}

static int load_token(void *context, const struct store_token *row)
{
    return registry_add_token(context, row);
}

static int load_operator(void *context, const struct store_operator *row)
{
    return registry_add_operator(context, row);
}

int registry_load(struct registry *r, struct store *store, struct pep_error *err)
{
    int rc = store_each_client(store, load_client, r, err);
    if (rc == 0)
        rc = store_each_token(store, load_token, r, err);
    if (rc == 0)
        rc = store_each_operator(store, load_operator, r, err);
    return rc == 0 ? 0 : pep_error_set(err, rc, "registry: %s", pep_strerror(rc));
}

/* ---- asking ---- */

static bool admits_locked(const struct registry *r, enum port port, const char *key,
                          char user_id[REGISTRY_USER_ID])
{
    const struct client *c;
    const struct operator* o;
    switch (port) {
    case PORT_NOTICES:
    case PORT_FETCH:
        c = map_find(&r->client_keys, key);
        return c != NULL && c->state == CLIENT_ACTIVE && fits(user_id, REGISTRY_USER_ID, c->id);
    case PORT_OPERATORS:
        o = map_find(&r->operator_keys, key);
        return o != NULL && o->active && fits(user_id, REGISTRY_USER_ID, o->name);
    case PORT_ENROL:
        return fits(user_id, REGISTRY_USER_ID, key);
    case PORT_SELFTEST:
        return r->selftest[0] != '\0' && strcmp(r->selftest, key) == 0 &&
               fits(user_id, REGISTRY_USER_ID, "selftest");
    case PORTS:
        break;
    }
    return false;
}

bool registry_admits(struct registry *r, enum port port, const char *key,
                     char user_id[REGISTRY_USER_ID])
{
    pthread_rwlock_rdlock(&r->lock);
    bool ok = admits_locked(r, port, key, user_id);
    pthread_rwlock_unlock(&r->lock);
    return ok;
}

void registry_set_selftest(struct registry *r, const char *key)
{
    pthread_rwlock_wrlock(&r->lock);
    if (key == NULL || !FITS(r->selftest, key))
        r->selftest[0] = '\0';
    pthread_rwlock_unlock(&r->lock);
}

struct client *registry_client(const struct registry *r, const char *id)
{
    return map_find(&r->clients, id);
}

struct client *registry_client_by_key(const struct registry *r, const char *key)
{
    return map_find(&r->client_keys, key);
}

struct token *registry_token(const struct registry *r, const char *id)
{
    return map_find(&r->tokens, id);
}

struct operator* registry_operator(const struct registry *r, const char *name)
{
    return map_find(&r->operators, name);
}

struct operator* registry_operator_by_key(const struct registry *r, const char *key)
{
    return map_find(&r->operator_keys, key);
}

void registry_set_client(struct registry *r, struct client *client, enum client_state state,
                         uint64_t statement)
{
    pthread_rwlock_wrlock(&r->lock);
    client->state = state;
    client->statement = statement;
    pthread_rwlock_unlock(&r->lock);
}

void registry_revoke_operator(struct registry *r, struct operator* op)
{
    pthread_rwlock_wrlock(&r->lock);
    op->active = false;
    pthread_rwlock_unlock(&r->lock);
}

struct client *registry_clients(const struct registry *r)
{
    return r->first_client;
}

struct token *registry_tokens(const struct registry *r)
{
    return r->first_token;
}

struct operator* registry_operators(const struct registry *r)
{
    return r->first_operator;
}

size_t registry_client_count(const struct registry *r)
{
    return r->clients.count;
}
