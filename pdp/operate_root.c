/* Operations about the server itself and its root documents: info, root.upload, root.get, audit. */
#include "operate.h"

#include "log.h"

#include <stdio.h>
#include <string.h>

#define AUDIT_LIMIT 100000

static json_t *endpoint_list(const struct server *s, enum port port)
{
    char endpoint[PEP_ENDPOINT_MAX + 1];
    server_endpoint(s, port, endpoint);
    return json_pack("[s]", endpoint);
}

static json_t *base64_text(struct pep_span bytes)
{
    struct pep_buffer b = pep_buffer_of(256);
    pep_put_base64url(&b, bytes);
    json_t *text = b.failed ? NULL : json_stringn((const char *)b.data, b.size);
    pep_buffer_free(&b);
    return text;
}

int operate_info(struct operation *o)
{
    const struct server *s = o->server;
    const struct pep_root *root = roots_newest(s->roots);
    const struct pep_public_key *beacon = pep_private_key_public(s->beacon);
    char version[32];
    snprintf(version, sizeof(version), "%d.%d.%d", PEP_VERSION_MAJOR, PEP_VERSION_MINOR,
             PEP_VERSION_PATCH);
    int rc = operate_set(o, "server_key", json_string(s->curve_public));
    rc |= operate_set(o, "beacon_key", base64_text(pep_span_of(beacon->raw, sizeof(beacon->raw))));
    rc |= operate_set(o, "version", json_string(version));
    rc |= operate_set(o, "installation",
                      root == NULL ? json_null() : json_string(pep_root_installation(root)));
    rc |= operate_set(o, "root_version", json_integer(roots_version(s->roots)));
    rc |= operate_set(o, "endpoints",
                      json_pack("{s:o, s:o, s:o, s:o}", "notices", endpoint_list(s, PORT_NOTICES),
                                "fetch", endpoint_list(s, PORT_FETCH), "enrol",
                                endpoint_list(s, PORT_ENROL), "operators",
                                endpoint_list(s, PORT_OPERATORS)));
    rc |=
        operate_set(o, "operator",
                    json_pack("{s:s, s:s}", "name", o->op->name, "role", role_names[o->op->role]));
    return rc;
}

static int refuse_root(struct operation *o, int rc, const struct pep_error *err)
{
    const struct pep_root *root = roots_newest(o->server->roots);
    if (root == NULL)
        return operate_refuse(o, "refused",
                              "policyctl root init makes a root document for this server", "%s",
                              pep_error_text(err));
    if (rc == PEP_ESIGNATURE || rc == PEP_EROLLBACK)
        return operate_refuse(o, "root_exists",
                              "a new root document must follow the chain: policyctl root show",
                              "this server has root document %u already: %s",
                              pep_root_version(root), pep_error_text(err));
    return operate_refuse(o, "refused", "", "%s", pep_error_text(err));
}

/* A root that drops a key takes back what that key signed: clients will refuse those heads. */
static void warn_of_orphans(const struct server *s, int64_t now)
{
    for (struct topic *t = publisher_first(s->publisher); t != NULL; t = topic_next(t)) {
        struct pep_manifest *m = NULL;
        struct pep_error err = PEP_ERROR_INIT;
        if (pep_manifest_open(topic_manifest(t), roots_newest(s->roots), now, &m, &err) != 0)
            log_warning("root: the head of %s is not valid any more (%s); push a new version",
                        topic_name(t), pep_error_text(&err));
        pep_manifest_free(m);
    }
}

int operate_root_upload(struct operation *o)
{
    struct server *s = o->server;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root *root = NULL;
    struct roots_server self = {s->curve_public, pep_private_key_public(s->beacon)};
    snprintf(o->what, sizeof(o->what), "root document of %zu bytes", o->bytes.size);
    if (o->bytes.size > PEP_ROOT_MAX)
        return operate_refuse(o, "too_large", "", "a root document has at most %d bytes",
                              PEP_ROOT_MAX);
    int rc = roots_check(s->roots, o->bytes, &self, o->now_ms / 1000, &root, &err);
    if (rc == PEP_ESTATE) /* exactly this one is the newest: an answer may have been lost */
        return operate_set(o, "version", json_integer(roots_version(s->roots)));
    if (rc != 0)
        return refuse_root(o, rc, &err);
    uint32_t version = pep_root_version(root);
    snprintf(o->what, sizeof(o->what), "version %u", version);
    struct store_root row = {version, pep_root_envelope(root)};
    struct store_audit audit = operate_audit(o, "ok");
    rc = server_stored(s, store_put_root(s->store, &row, &audit, &err));
    if (rc != 0) {
        pep_root_free(root);
        return operate_failed(o, rc, &err);
    }
    roots_add(s->roots, root);
    revoked_judge(s->revoked);
    publisher_beacon(s->publisher);
    metrics_set(&s->metrics, METRIC_ROOT, version);
    atomic_store(&s->health.root, true);
    log_info("root: version %u uploaded by %s", version, o->op->name);
    warn_of_orphans(s, o->now_ms / 1000);
    if (!revoked_signed(s->revoked))
        log_warning("root: it no longer names the key that signed the list of revoked tokens; "
                    "services keep what they have, new ones cannot take it: "
                    "policyctl token revoke --renew");
    return operate_set(o, "version", json_integer(version));
}

int operate_root_get(struct operation *o)
{
    json_int_t version = 0;
    int rc = operate_integer(o, "version", UINT32_MAX, &version);
    if (rc != 0)
        return rc;
    if (version == 0)
        version = roots_version(o->server->roots);
    struct pep_span bytes = roots_envelope(o->server->roots, (uint32_t)version);
    if (bytes.size == 0 && version == 0)
        return operate_refuse(o, "no_root", "policyctl root init",
                              "this server has no root document yet");
    if (bytes.size == 0)
        return operate_refuse(o, "not_found", "", "there is no root document %lld",
                              (long long)version);
    pep_put_span(&o->out, bytes);
    return operate_set(o, "version", json_integer(version));
}

static int put_entry(void *context, const struct store_audit *row)
{
    json_t *entry =
        json_pack("{s:I, s:s, s:s, s:s, s:s}", "time", (json_int_t)row->time, "operator",
                  row->actor, "op", row->op, "what", row->what, "result", row->result);
    return json_array_append_new(context, entry) == 0 ? 0 : PEP_ENOMEM;
}

int operate_audit_list(struct operation *o)
{
    struct pep_error err = PEP_ERROR_INIT;
    json_int_t limit = 100;
    json_t *entries = json_array();
    int rc = operate_integer(o, "limit", AUDIT_LIMIT, &limit);
    if (rc != 0) {
        json_decref(entries);
        return rc;
    }
    rc = store_each_audit(o->server->store, limit, put_entry, entries, &err);
    if (rc != 0) {
        json_decref(entries);
        return operate_failed(o, rc, &err);
    }
    return operate_set(o, "entries", entries);
}
