/*
 * Operations about services: status, service.enrol, list, revoke, suspend, resume.
 *
 * Revoking is: store, registry (from here on no message of it is answered and no connection of it
 * is admitted), the signed statement to its live connections, then the cut; the operator's answer
 * comes after the cut.
 */
#include "operate.h"

#include "fleet.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TTL_MAX   (365 * 86400)
#define TTL       3600
#define USES_MAX  100000
#define LABELS    64
#define LABEL_MAX 128
#define BEHIND_MS 3000 /* that a service is given to take a new list of revoked tokens */

/* ---- status ---- */

static int put_bundle(json_t *bundles, const struct topic *t)
{
    char digest[PEP_DIGEST_TEXT];
    const struct pep_head *head = topic_head(t);
    pep_digest_text(head->digest, digest);
    json_t *b = json_pack("{s:s, s:I, s:I, s:s, s:n}", "name", topic_name(t), "epoch",
                          (json_int_t)head->epoch, "version", (json_int_t)head->version, "digest",
                          digest, "canary");
    return json_array_append_new(bundles, b) == 0 ? 0 : PEP_ENOMEM;
}

static bool wanted(const char *filter, const char *bundle)
{
    return filter[0] == '\0' || strcmp(filter, bundle) == 0;
}

/* The list of revoked tokens, and how many services that were heard since hold an older one. */
static json_t *revocations_json(const struct operation *o)
{
    const struct server *s = o->server;
    const struct pep_revocations *list = revoked_list(s->revoked);
    uint64_t number = pep_revocations_number(list);
    int64_t since = revoked_taken_ms(s->revoked) + BEHIND_MS;
    json_int_t behind = 0;
    for (const struct client *c = registry_clients(s->registry); c != NULL; c = c->next) {
        if (c->state == CLIENT_ACTIVE)
            behind += (json_int_t)fleet_behind(c, number, since, o->now_ms);
    }
    return json_pack("{s:I, s:I, s:I, s:b, s:I}", "number", (json_int_t)number, "entries",
                     (json_int_t)pep_revocations_count(list), "created",
                     (json_int_t)pep_revocations_created(list), "signed",
                     (int)revoked_signed(s->revoked), "behind", behind);
}

int operate_status(struct operation *o)
{
    struct server *s = o->server;
    const char *filter = operate_text(o, "bundle", PEP_NAME_MAX, "");
    if (filter == NULL)
        return PEP_EINVAL;
    json_t *bundles = json_array(), *services = json_array(), *issuers = json_array();
    int rc = bundles == NULL || services == NULL || issuers == NULL ? PEP_ENOMEM : 0;
    for (struct topic *t = publisher_first(s->publisher); rc == 0 && t != NULL; t = topic_next(t)) {
        if (wanted(filter, topic_name(t)))
            rc = put_bundle(bundles, t);
    }
    for (struct client *c = registry_clients(s->registry); rc == 0 && c != NULL; c = c->next) {
        /* A revoked instance is in service.list; here it would never leave the screen. */
        if (wanted(filter, c->bundle) && c->state != CLIENT_REVOKED)
            rc = fleet_put_status(c, o->now_ms, services);
    }
    if (rc == 0)
        rc = relay_put_status(s->relay, filter, relay_now(), issuers);
    if (rc != 0) {
        json_decref(bundles);
        json_decref(services);
        json_decref(issuers);
        return operate_refuse(o, "failed", "", "no memory for the answer");
    }
    rc = operate_set(o, "bundles", bundles);
    rc |= operate_set(o, "issuers", issuers);
    rc |= operate_set(o, "services", services);
    rc |= operate_set(o, "revocations", revocations_json(o));
    return rc;
}

/* ---- service.enrol ---- */

static int check_labels(struct operation *o, const json_t *labels)
{
    const char *name;
    json_t *value;
    if (!json_is_object(labels) || json_object_size(labels) > LABELS)
        return operate_refuse(o, "usage", "", "`labels` must be an object of at most %d texts",
                              LABELS);
    json_object_foreach((json_t *)labels, name, value)
    {
        if (!json_is_string(value) || json_string_length(value) > LABEL_MAX ||
            strlen(name) > PEP_NAME_MAX || !pep_bundle_name_valid(pep_span_string(name)))
            return operate_refuse(o, "usage", "",
                                  "label `%.64s`: a name and a text of at most %d "
                                  "bytes",
                                  name, LABEL_MAX);
    }
    return 0;
}

/* Names of the token that the request asks for. */
static int read_names(struct operation *o, struct store_token *t)
{
    t->service = operate_text(o, "name", PEP_NAME_MAX, NULL);
    if (t->service == NULL)
        return PEP_EINVAL;
    t->bundle = operate_text(o, "bundle", PEP_NAME_MAX, NULL);
    if (t->bundle == NULL)
        return PEP_EINVAL;
    if (!pep_bundle_name_valid(pep_span_string(t->service)) ||
        !pep_bundle_name_valid(pep_span_string(t->bundle)))
        return operate_refuse(o, "usage", "names are [a-z0-9][a-z0-9._-]*, at most 63 characters",
                              "`%s` or `%s` is not a valid name", t->service, t->bundle);
    t->id = operate_text(o, "id", 32, NULL);
    return t->id == NULL ? PEP_EINVAL : 0;
}

static int read_token(struct operation *o, struct store_token *t)
{
    uint8_t id[16];
    json_int_t ttl = TTL, uses = 1;
    const char *hash = NULL;
    int rc = read_names(o, t);
    if (rc == 0 && pep_hex_decode(pep_span_string(t->id), id, sizeof(id)) != 0)
        rc = operate_refuse(o, "usage", "", "`id` must be 32 lower-case hex digits");
    if (rc == 0)
        rc = (hash = operate_text(o, "secret_sha256", 64, NULL)) == NULL ? PEP_EINVAL : 0;
    if (rc == 0 && pep_hex_decode(pep_span_string(hash), t->secret_sha256, PEP_SHA256_SIZE) != 0)
        rc = operate_refuse(o, "usage", "", "`secret_sha256` must be 64 lower-case hex digits");
    if (rc == 0)
        rc = operate_integer(o, "ttl", TTL_MAX, &ttl);
    if (rc == 0)
        rc = operate_integer(o, "uses", USES_MAX, &uses);
    if (rc == 0 && (ttl < 1 || uses < 1))
        rc = operate_refuse(o, "usage", "", "`ttl` and `uses` must be at least 1");
    t->expires = o->now_ms / 1000 + ttl;
    t->uses_left = (uint32_t)uses;
    t->ephemeral = json_is_true(json_object_get(o->request, "ephemeral"));
    t->root = roots_version(o->server->roots);
    return rc;
}

int operate_service_enrol(struct operation *o)
{
    struct server *s = o->server;
    struct pep_error err = PEP_ERROR_INIT;
    struct store_token token;
    const json_t *labels = json_object_get(o->request, "labels");
    memset(&token, 0, sizeof(token));
    if (roots_newest(s->roots) == NULL)
        return operate_refuse(o, "no_root", "policyctl root init",
                              "this server has no root document yet that services could trust");
    int rc = read_token(o, &token);
    if (rc == 0 && labels != NULL && !json_is_null(labels))
        rc = check_labels(o, labels);
    else
        labels = NULL;
    if (rc != 0)
        return rc;
    char *text = labels == NULL ? strdup("{}") : json_dumps(labels, JSON_COMPACT);
    if (text == NULL)
        return operate_refuse(o, "failed", "", "no memory");
    token.labels = text;
    snprintf(o->what, sizeof(o->what), "%s for bundle %s, token %s, %u uses", token.service,
             token.bundle, token.id, token.uses_left);
    struct store_audit audit = operate_audit(o, "ok");
    rc = server_stored(s, store_put_token(s->store, &token, &audit, &err));
    if (rc == 0)
        rc = registry_add_token(s->registry, &token);
    free(text);
    if (rc != 0)
        return operate_failed(o, rc, &err);
    return operate_set(o, "expires", json_integer(token.expires));
}

/* ---- service.list ---- */

static json_t *list_clients(const struct server *s)
{
    json_t *list = json_array();
    for (const struct client *c = registry_clients(s->registry); c != NULL; c = c->next) {
        json_t *item =
            json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:O, s:I, s:b}", "name", c->service,
                      "instance", (int)c->instance, "client", c->id, "bundle", c->bundle, "state",
                      client_state_names[c->state], "key", c->key, "labels", c->labels, "enrolled",
                      (json_int_t)c->enrolled, "ephemeral", (int)c->ephemeral);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *list_tokens(const struct operation *o)
{
    json_t *list = json_array();
    for (const struct token *t = registry_tokens(o->server->registry); t != NULL; t = t->next) {
        if (t->uses_left == 0 || t->expires <= o->now_ms / 1000)
            continue;
        json_t *item = json_pack("{s:s, s:s, s:s, s:I, s:I}", "id", t->id, "name", t->service,
                                 "bundle", t->bundle, "expires", (json_int_t)t->expires,
                                 "uses_left", (json_int_t)t->uses_left);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int operate_service_list(struct operation *o)
{
    int rc = operate_set(o, "services", list_clients(o->server));
    rc |= operate_set(o, "tokens", list_tokens(o));
    return rc;
}

/* ---- service.revoke, suspend, resume ---- */

/* NAME takes every instance, NAME/k that one. */
static bool meant(const struct client *c, const char *service)
{
    return strcmp(c->id, service) == 0 || strcmp(c->service, service) == 0;
}

/* One client into its new state: store, registry, and its statement. */
static int change(struct operation *o, struct client *c, enum client_state to,
                  struct eviction *eviction)
{
    struct server *s = o->server;
    struct pep_error err = PEP_ERROR_INIT;
    snprintf(o->what, sizeof(o->what), "%s", c->id);
    struct store_audit audit = operate_audit(o, "ok");
    int rc =
        server_stored(s, store_set_client(s->store, c->id, to, c->statement + 1, &audit, &err));
    if (rc != 0)
        return operate_failed(o, rc, &err);
    registry_set_client(s->registry, c, to, c->statement + 1);
    log_info("service: %s is %s now, by %s", c->id, client_state_names[to], o->op->name);
    struct evicted *who = &eviction->who[eviction->count++];
    snprintf(who->user_id, sizeof(who->user_id), "%s", c->id);
    who->statement = pep_buffer_of(PEP_ENROL_MAX);
    if (server_statement(s, c, o->now_ms, &who->statement) != 0)
        log_error("service: no statement could be made for %s; it is cut without one", c->id);
    return 0;
}

static size_t count_meant(const struct server *s, const char *service)
{
    size_t n = 0;
    for (const struct client *c = registry_clients(s->registry); c != NULL; c = c->next)
        n += meant(c, service);
    return n;
}

static int change_all(struct operation *o, const char *service, enum client_state to,
                      struct eviction *e)
{
    json_t *ids = json_array();
    int rc = operate_set(o, "clients", ids);
    for (struct client *c = registry_clients(o->server->registry); rc == 0 && c != NULL;
         c = c->next) {
        if (!meant(c, service) || c->state == CLIENT_REVOKED || c->state == to)
            continue;
        rc = change(o, c, to, e);
        if (rc == 0 && json_array_append_new(ids, json_string(c->id)) != 0)
            rc = operate_refuse(o, "failed", "", "no memory for the answer");
    }
    return rc;
}

static void evict(struct operation *o, struct eviction *e, int rc)
{
    struct eviction **end = &o->server->evictions;
    if (rc == 0) {
        e->ticket = o->ticket;
        e->answer = json_incref(o->answer);
    }
    while (*end != NULL)
        end = &(*end)->next;
    *end = e;
}

static int set_state(struct operation *o, enum client_state to)
{
    struct server *s = o->server;
    const char *service = operate_text(o, "service", PEP_CLIENT_ID_MAX, NULL);
    if (service == NULL)
        return PEP_EINVAL;
    snprintf(o->what, sizeof(o->what), "%s", service);
    size_t count = count_meant(s, service);
    if (count == 0)
        return operate_refuse(o, "not_found", "policyctl service list", "there is no service `%s`",
                              service);
    struct eviction *e = calloc(1, sizeof(*e));
    if (e == NULL || (e->who = calloc(count, sizeof(*e->who))) == NULL) {
        free(e);
        return operate_refuse(o, "failed", "", "no memory");
    }
    int rc = change_all(o, service, to, e);
    if (to == CLIENT_ACTIVE || e->count == 0) {
        /* Nobody to cut: a resumed client connects again by itself and gets its statement then. */
        for (size_t i = 0; i < e->count; i++)
            pep_buffer_free(&e->who[i].statement);
        free(e->who);
        free(e);
        return rc == 0 ? operate_set(o, "cut", json_integer(0)) : rc;
    }
    /* Also after a failure in the middle: those that were changed are cut. */
    evict(o, e, rc);
    return rc == 0 ? OPERATE_LATER : rc;
}

int operate_service_revoke(struct operation *o)
{
    return set_state(o, CLIENT_REVOKED);
}

int operate_service_suspend(struct operation *o)
{
    return set_state(o, CLIENT_SUSPENDED);
}

int operate_service_resume(struct operation *o)
{
    return set_state(o, CLIENT_ACTIVE);
}
