/*
 * Operations about policy versions: head, push, get, history.
 *
 * A push goes through its review first, on another thread; then it is compared with the head, here
 * and by the store, in one step that nobody can come between. What the operator saw before does not
 * count.
 */
#include "operate.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_LIMIT 100000

static int no_root(struct operation *o)
{
    return operate_refuse(o, "no_root",
                          "policyctl root init    (makes or uploads the root document; then again)",
                          "this server has no root document yet, so it cannot tell whose policies "
                          "to accept");
}

/* A required bundle name that could exist. */
static const char *bundle_name(struct operation *o)
{
    const char *name = operate_text(o, "bundle", PEP_NAME_MAX, NULL);
    if (name != NULL && !pep_bundle_name_valid(pep_span_string(name))) {
        operate_refuse(o, "usage", "names are [a-z0-9][a-z0-9._-]*, at most 63 characters",
                       "`%s` is not a bundle's name", name);
        return NULL;
    }
    return name;
}

static int put_head(struct operation *o, uint32_t epoch, uint64_t version, const uint8_t *digest)
{
    char text[PEP_DIGEST_TEXT] = "";
    if (version != 0)
        pep_digest_text(digest, text);
    int rc = operate_set(o, "epoch", json_integer(epoch));
    rc |= operate_set(o, "version", json_integer((json_int_t)version));
    rc |= operate_set(o, "digest", version == 0 ? json_null() : json_string(text));
    return rc;
}

int operate_head(struct operation *o)
{
    static const struct pep_head none;
    const char *name = bundle_name(o);
    if (name == NULL)
        return PEP_EINVAL;
    const struct topic *t = publisher_topic(o->server->publisher, name);
    const struct pep_head *head = t == NULL ? &none : topic_head(t);
    if (t != NULL)
        pep_put_span(&o->out, topic_manifest(t));
    return put_head(o, head->epoch, head->version, head->digest);
}

/* ---- push ---- */

int operate_push(struct operation *o)
{
    struct server *s = o->server;
    const struct pep_root *root = roots_newest(s->roots);
    snprintf(o->what, sizeof(o->what), "bundle of %zu bytes", o->bytes.size);
    if (root == NULL)
        return no_root(o);
    if (o->bytes.size == 0)
        return operate_refuse(o, "usage", "", "the bundle file is missing from the request");
    if (o->bytes.size > PEP_BUNDLE_FILE_MAX)
        return operate_refuse(o, "too_large", "", "a bundle file has at most %d bytes",
                              PEP_BUNDLE_FILE_MAX);
    struct review_job *job = calloc(1, sizeof(*job));
    struct pep_span envelope = pep_root_envelope(root);
    if (job == NULL || (job->bytes = malloc(o->bytes.size)) == NULL ||
        (job->root = malloc(envelope.size)) == NULL) {
        review_job_free(job);
        return operate_refuse(o, "failed", "", "no memory for a bundle of this size");
    }
    memcpy(job->bytes, o->bytes.data, o->bytes.size);
    job->size = o->bytes.size;
    memcpy(job->root, envelope.data, envelope.size);
    job->root_size = envelope.size;
    job->root_version = pep_root_version(root);
    job->now = o->now_ms / 1000;
    job->ticket = o->ticket;
    if (review_put(s->review, job) != 0) {
        review_job_free(job);
        return operate_refuse(o, "failed", "wait a moment and push again",
                              "too many pushes are being checked");
    }
    return OPERATE_LATER;
}

static json_t *pushed(const struct pep_manifest *m)
{
    char digest[PEP_DIGEST_TEXT];
    pep_digest_text(pep_manifest_digest(m), digest);
    return json_pack("{s:b, s:s, s:I, s:I, s:s, s:s}", "ok", 1, "bundle", pep_manifest_name(m),
                     "epoch", (json_int_t)pep_manifest_epoch(m), "version",
                     (json_int_t)pep_manifest_version(m), "digest", digest, "state", "live");
}

/* A refusal of a push, in words. */
struct refusal {
    const char *code;
    char message[300];
    const char *help;
};

/* What the review found wrong. */
static void from_review(const struct review_job *job, struct refusal *r)
{
    r->code = job->err.code == PEP_ELIMIT ? "too_large" : "refused";
    r->help = job->err.code == PEP_EPOLICY ? "policyctl check"
              : job->err.code == PEP_ESIGNATURE
                  ? "sign with a key that the root lists: policyctl key list"
                  : "policyctl build makes a bundle file";
    snprintf(r->message, sizeof(r->message), "%s", pep_error_text(&job->err));
}

/* The bundle by itself: what has nothing to do with the head. True if it may go on. */
static bool fit_to_publish(const struct server *s, const struct pep_manifest *m, int64_t now,
                           struct refusal *r)
{
    uint32_t epoch = pep_root_epoch(roots_newest(s->roots));
    r->code = "refused";
    if (pep_manifest_expired(m, now)) {
        r->help = "policyctl build makes a new one";
        snprintf(r->message, sizeof(r->message), "the bundle is past its `expires`");
    } else if (pep_manifest_epoch(m) != epoch) {
        r->help = "policyctl build makes one for the current epoch";
        snprintf(r->message, sizeof(r->message), "the bundle is of epoch %u, the root says %u",
                 pep_manifest_epoch(m), epoch);
    } else if (pep_manifest_provisional(m)) {
        r->help = "push it as a final version";
        snprintf(r->message, sizeof(r->message), "this server takes no provisional versions");
    } else {
        return true;
    }
    return false;
}

/* The bundle beside the head: compare and set. 1: it is the head already; 0: it is the next. */
static int compare_with_head(const struct server *s, const struct pep_manifest *m,
                             struct refusal *r)
{
    const char *name = pep_manifest_name(m);
    const struct topic *t = publisher_topic(s->publisher, name);
    const uint8_t *base = pep_manifest_base(m);
    unsigned long long n = pep_manifest_version(m);
    r->code = "conflict";
    r->help = "policyctl diff DIR shows what is live; then push the folder again, or build the "
              "bundle again";
    if (t == NULL && base == NULL)
        return 0;
    if (t == NULL) {
        snprintf(r->message, sizeof(r->message), "%s has no version yet, your push is based on one",
                 name);
        return PEP_ECONFLICT;
    }
    const struct pep_head *head = topic_head(t);
    unsigned long long at = head->version;
    if (memcmp(head->digest, pep_manifest_digest(m), PEP_SHA256_SIZE) == 0)
        return 1;
    if (n == at)
        snprintf(r->message, sizeof(r->message), "%s is at %llu already, with other content", name,
                 at);
    else if (n < at)
        snprintf(r->message, sizeof(r->message), "%s is at %llu, your push is version %llu", name,
                 at, n);
    else if (base == NULL || memcmp(base, head->digest, PEP_SHA256_SIZE) != 0)
        snprintf(r->message, sizeof(r->message),
                 "%s is at %llu, your push is based on another version", name, at);
    else
        return 0;
    return PEP_ECONFLICT;
}

static int publish(struct server *s, const struct review_job *job, struct refusal *r)
{
    const struct pep_manifest *m = pep_bundle_manifest(job->bundle);
    struct pep_error err = PEP_ERROR_INIT;
    char what[128];
    int64_t now = server_now_ms() / 1000;
    snprintf(what, sizeof(what), "%s version %llu", pep_manifest_name(m),
             (unsigned long long)pep_manifest_version(m));
    struct store_audit audit = {now, job->ticket.actor, "push", what, "ok"};
    struct store_version row = {.bundle = pep_manifest_name(m),
                                .created = pep_manifest_created(m),
                                .author = pep_manifest_author(m),
                                .message = pep_manifest_message(m),
                                .key = pep_manifest_signer(m),
                                .actor = job->ticket.actor,
                                .pushed = now,
                                .size = job->size};
    int rc = server_stored(s, publisher_publish(s->publisher, job->bundle, &row, &audit, &err));
    if (rc != 0) {
        r->code = rc == PEP_ELIMIT ? "full" : rc == PEP_ECONFLICT ? "conflict" : "failed";
        r->help = rc == PEP_ELIMIT ? "free disk space on the server; nothing was changed"
                                   : "nothing was changed";
        snprintf(r->message, sizeof(r->message), "%s", pep_error_text(&err));
        return rc;
    }
    server_relay(s, publisher_topic(s->publisher, row.bundle));
    metrics_add(&s->metrics, METRIC_PUSHES, 1);
    log_info("push: %s by %s is live", what, job->ticket.actor);
    return 0;
}

static void note_refused(struct server *s, const struct review_job *job, const struct refusal *r)
{
    char what[200] = "a bundle that is not valid";
    if (job->bundle != NULL) {
        const struct pep_manifest *m = pep_bundle_manifest(job->bundle);
        snprintf(what, sizeof(what), "%s version %llu", pep_manifest_name(m),
                 (unsigned long long)pep_manifest_version(m));
    }
    struct store_audit audit = {server_now_ms() / 1000, job->ticket.actor, "push", what, r->code};
    metrics_add(&s->metrics, METRIC_PUSHES_REFUSED, 1);
    server_stored(s, store_put_audit(s->store, &audit, NULL));
    log_info("push: %s by %s refused: %s", what, job->ticket.actor, r->message);
}

void operate_push_reviewed(struct server *s, struct review_job *job)
{
    struct refusal r = {"refused", "", ""};
    const struct pep_manifest *m = job->bundle == NULL ? NULL : pep_bundle_manifest(job->bundle);
    const struct operator* op = registry_operator(s->registry, job->ticket.actor);
    int rc = PEP_EDENIED;
    if (op == NULL || !op->active) {
        r.code = "not_authorised";
        snprintf(r.message, sizeof(r.message), "%s was revoked while this was checked",
                 job->ticket.actor);
    } else if (m == NULL) {
        from_review(job, &r);
    } else if (job->root_version != roots_version(s->roots)) {
        r.help = "push again";
        snprintf(r.message, sizeof(r.message), "the root document changed while this was checked");
    } else if (fit_to_publish(s, m, job->now, &r)) {
        rc = compare_with_head(s, m, &r);
        if (rc == 0)
            rc = publish(s, job, &r);
    }
    pep_text_mend(r.message);
    if (rc < 0)
        note_refused(s, job, &r);
    operate_answer(s, &job->ticket, rc < 0 ? operate_refusal(r.code, r.message, r.help) : pushed(m),
                   pep_span_of(NULL, 0));
}

/* ---- looking back ---- */

struct getting {
    struct operation *o;
    bool found;
    int rc;
};

static int get_version(void *context, const struct store_version *row)
{
    struct getting *g = context;
    g->found = true;
    pep_put_span(&g->o->out, row->manifest);
    pep_put_u8(&g->o->out, '\n');
    return put_head(g->o, row->epoch, row->version, row->digest);
}

static int get_content(void *context, const struct store_content *row)
{
    struct getting *g = context;
    pep_put_span(&g->o->out, row->bytes);
    return g->o->out.failed ? PEP_ENOMEM : 0;
}

int operate_get(struct operation *o)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct store *store = o->server->store;
    json_int_t version = 0;
    const char *name = bundle_name(o);
    if (name == NULL || operate_integer(o, "version", (json_int_t)PEP_VERSION_MAX, &version) != 0)
        return PEP_EINVAL;
    const struct topic *t = publisher_topic(o->server->publisher, name);
    if (t != NULL && version == 0)
        version = (json_int_t)topic_head(t)->version;
    struct getting g = {o, false, 0};
    struct store_filter filter = {name, (uint64_t)version, 1};
    int rc = version == 0 ? 0 : store_each_version(store, &filter, get_version, &g, &err);
    if (version == 0)
        return operate_refuse(o, "not_found", "policyctl push DIR",
                              "nothing is published as %s yet", name);
    if (rc == 0 && !g.found)
        return operate_refuse(o, "not_found", "policyctl history", "%s has no version %lld", name,
                              (long long)version);
    if (rc == 0)
        rc = store_each_content(store, name, (uint64_t)version, get_content, &g, &err);
    return rc == 0 ? 0 : operate_failed(o, rc, &err);
}

struct listing {
    struct operation *o;
    json_t *versions;
};

static int list_version(void *context, const struct store_version *row)
{
    struct listing *l = context;
    const struct server *s = l->o->server;
    const struct pep_root *root = roots_newest(s->roots);
    const struct topic *t = publisher_topic(s->publisher, row->bundle);
    const char *key_name = root == NULL ? NULL : pep_root_key_name(root, row->key);
    bool live = t != NULL && topic_head(t)->version == row->version;
    char digest[PEP_DIGEST_TEXT];
    pep_digest_text(row->digest, digest);
    json_t *v = json_pack(
        "{s:s, s:I, s:I, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:I}", "bundle", row->bundle,
        "epoch", (json_int_t)row->epoch, "version", (json_int_t)row->version, "digest", digest,
        "created", (json_int_t)row->created, "author", row->author, "message", row->message, "key",
        row->key, "key_name", key_name == NULL ? "" : key_name, "size", (json_int_t)row->size,
        "state", live ? "live" : "old", "operator", row->actor, "pushed", (json_int_t)row->pushed);
    return json_array_append_new(l->versions, v) == 0 ? 0 : PEP_ENOMEM;
}

int operate_history(struct operation *o)
{
    struct pep_error err = PEP_ERROR_INIT;
    json_int_t limit = 100;
    const char *name = operate_text(o, "bundle", PEP_NAME_MAX, "");
    if (name == NULL || operate_integer(o, "limit", HISTORY_LIMIT, &limit) != 0)
        return PEP_EINVAL;
    struct listing l = {o, json_array()};
    struct store_filter filter = {name[0] == '\0' ? NULL : name, 0, limit};
    int rc = store_each_version(o->server->store, &filter, list_version, &l, &err);
    if (rc != 0) {
        json_decref(l.versions);
        return operate_failed(o, rc, &err);
    }
    return operate_set(o, "versions", l.versions);
}
