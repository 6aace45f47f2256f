/* Operations about operators: operator.add, list, revoke. */
#include "operate.h"

#include "log.h"
#include "net/curve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int operate_operator_add(struct operation *o)
{
    struct server *s = o->server;
    struct pep_error err = PEP_ERROR_INIT;
    const char *name = operate_text(o, "name", PEP_NAME_MAX, NULL);
    const char *role = name == NULL ? NULL : operate_text(o, "role", 16, NULL);
    const char *key = role == NULL ? NULL : operate_text(o, "public_key", STORE_KEY_TEXT, NULL);
    if (key == NULL)
        return PEP_EINVAL;
    snprintf(o->what, sizeof(o->what), "%s as %s", name, role);
    if (!pep_bundle_name_valid(pep_span_string(name)))
        return operate_refuse(o, "usage", "names are [a-z0-9][a-z0-9._-]*, at most 63 characters",
                              "`%s` is not a valid name", name);
    if (role_find(role) < 0)
        return operate_refuse(o, "usage", "viewer, rollout or admin", "there is no role `%s`",
                              role);
    if (!curve_valid(key))
        return operate_refuse(o, "usage", "policyctl operator key makes one",
                              "`public_key` is not a CURVE key in Z85");
    if (registry_operator(s->registry, name) != NULL ||
        registry_operator_by_key(s->registry, key) != NULL)
        return operate_refuse(o, "conflict", "names and keys are not used twice",
                              "an operator with this name or key exists, or existed");
    struct store_operator row = {name, role, key, true, o->now_ms / 1000};
    struct store_audit audit = operate_audit(o, "ok");
    int rc = server_stored(s, store_put_operator(s->store, &row, &audit, &err));
    if (rc == 0)
        rc = registry_add_operator(s->registry, &row);
    if (rc != 0)
        return operate_failed(o, rc, &err);
    log_info("operator: %s added as %s by %s", name, role, o->op->name);
    return 0;
}

int operate_operator_list(struct operation *o)
{
    json_t *list = json_array();
    for (const struct operator* p = registry_operators(o->server->registry); p != NULL;
         p = p->next) {
        json_t *item = json_pack("{s:s, s:s, s:s, s:I, s:s}", "name", p->name, "role",
                                 role_names[p->role], "key", p->key, "added", (json_int_t)p->added,
                                 "state", p->active ? "active" : "revoked");
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
            break;
        }
    }
    return operate_set(o, "operators", list);
}

static size_t active_admins(const struct server *s)
{
    size_t n = 0;
    for (const struct operator* p = registry_operators(s->registry); p != NULL; p = p->next)
        n += p->active && p->role == ROLE_ADMIN;
    return n;
}

int operate_operator_revoke(struct operation *o)
{
    struct server *s = o->server;
    struct pep_error err = PEP_ERROR_INIT;
    const char *name = operate_text(o, "name", PEP_NAME_MAX, NULL);
    if (name == NULL)
        return PEP_EINVAL;
    snprintf(o->what, sizeof(o->what), "%s", name);
    struct operator* p = registry_operator(s->registry, name);
    if (p == NULL)
        return operate_refuse(o, "not_found", "policyctl operator list",
                              "there is no operator `%s`", name);
    if (p->active && p->role == ROLE_ADMIN && active_admins(s) == 1)
        return operate_refuse(o, "refused", "add another admin first",
                              "`%s` is the last admin; nobody could let one in after this", name);
    if (!p->active)
        return 0;
    struct eviction *e = calloc(1, sizeof(*e));
    if (e == NULL || (e->who = calloc(1, sizeof(*e->who))) == NULL) {
        free(e);
        return operate_refuse(o, "failed", "", "no memory");
    }
    struct store_audit audit = operate_audit(o, "ok");
    int rc = server_stored(s, store_revoke_operator(s->store, name, &audit, &err));
    if (rc != 0) {
        free(e->who);
        free(e);
        return operate_failed(o, rc, &err);
    }
    registry_revoke_operator(s->registry, p);
    log_info("operator: %s revoked by %s", name, o->op->name);
    e->operators = true;
    e->count = 1;
    e->who[0].statement = pep_buffer_of(1);
    snprintf(e->who[0].user_id, sizeof(e->who[0].user_id), "%s", name);
    e->next = s->evictions;
    s->evictions = e;
    return 0; /* answered at once: an operator may revoke itself, and then nobody is there later */
}
