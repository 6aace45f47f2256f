/* What the store keeps, row by row: see store.h. Every writer is begin, statements, audit, end. */
#include "store_sqlite.h"

#include <stdio.h>

const char *const client_state_names[CLIENT_STATES] = {"active", "suspended", "revoked"};

int store_put_audit(struct store *store, const struct store_audit *audit, struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    return store_end(store, rc, err);
}

int store_each_audit(struct store *store, int64_t limit,
                     int (*each)(void *context, const struct store_audit *row), void *context,
                     struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         "SELECT time, actor, op, what, result FROM audit ORDER BY id DESC LIMIT ?",
                         "i", limit);
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        struct store_audit row = {sqlite3_column_int64(q, 0), store_text(q, 1), store_text(q, 2),
                                  store_text(q, 3), store_text(q, 4)};
        if ((rc = each(context, &row)) != 0)
            break;
    }
    sqlite3_finalize(q);
    return rc;
}

/* ---- root documents ---- */

int store_put_root(struct store *store, const struct store_root *root,
                   const struct store_audit *audit, struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err, "INSERT INTO root VALUES(?,?)", "ib", (int64_t)root->version,
                       root->envelope);
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    return store_end(store, rc, err);
}

int store_each_root(struct store *store, int (*each)(void *context, const struct store_root *row),
                    void *context, struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err, "SELECT version, envelope FROM root ORDER BY version", "");
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        struct store_root row = {(uint32_t)sqlite3_column_int64(q, 0), store_blob(q, 1)};
        if ((rc = each(context, &row)) != 0)
            break;
    }
    sqlite3_finalize(q);
    return rc;
}

/* ---- versions ---- */

static int put_file(struct store *store, const struct store_version *v, size_t position,
                    const struct store_content *file, struct pep_error *err)
{
    struct pep_span hash = pep_span_of(file->sha256, PEP_SHA256_SIZE);
    int rc = store_run(store, err, "INSERT INTO content VALUES(?,?) ON CONFLICT DO NOTHING", "bb",
                       hash, file->bytes);
    if (rc == 0)
        rc = store_run(store, err, "INSERT INTO version_file VALUES(?,?,?,?)", "tiib", v->bundle,
                       (int64_t)v->version, (int64_t)position, hash);
    return rc;
}

int store_put_version(struct store *store, const struct store_version *v,
                      const struct store_content *files, size_t count,
                      const struct store_audit *audit, struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err,
                       "INSERT INTO version(bundle, version, epoch, digest, created, author,"
                       " message, key, actor, pushed, size, manifest)"
                       " VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                       "tiibittttiib", v->bundle, (int64_t)v->version, (int64_t)v->epoch,
                       pep_span_of(v->digest, PEP_SHA256_SIZE), v->created, v->author, v->message,
                       v->key, v->actor, v->pushed, (int64_t)v->size, v->manifest);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = put_file(store, v, i, &files[i], err);
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    return store_end(store, rc, err);
}

#define VERSION_COLUMNS                                                                          \
    "SELECT bundle, version, epoch, digest, created, author, message, key, actor, pushed, size," \
    " manifest FROM version "

static int walk_versions(struct store *store, sqlite3_stmt *q,
                         int (*each)(void *context, const struct store_version *row), void *context,
                         struct pep_error *err)
{
    int rc = 0;
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        struct store_version row = {.bundle = store_text(q, 0),
                                    .version = (uint64_t)sqlite3_column_int64(q, 1),
                                    .epoch = (uint32_t)sqlite3_column_int64(q, 2),
                                    .created = sqlite3_column_int64(q, 4),
                                    .author = store_text(q, 5),
                                    .message = store_text(q, 6),
                                    .key = store_text(q, 7),
                                    .actor = store_text(q, 8),
                                    .pushed = sqlite3_column_int64(q, 9),
                                    .size = (uint64_t)sqlite3_column_int64(q, 10),
                                    .manifest = store_blob(q, 11)};
        rc = store_hash(q, 3, row.digest, err);
        if (rc == 0)
            rc = each(context, &row);
    }
    sqlite3_finalize(q);
    return rc;
}

int store_each_version(struct store *store, const struct store_filter *f,
                       int (*each)(void *context, const struct store_version *row), void *context,
                       struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc =
        store_query(store, &q, err,
                    VERSION_COLUMNS "WHERE (?1 IS NULL OR bundle = ?1)"
                                    " AND (?2 = 0 OR version = ?2)"
                                    " ORDER BY pushed DESC, version DESC LIMIT ?3",
                    "tii", f->bundle, (int64_t)f->version, f->limit == 0 ? (int64_t)-1 : f->limit);
    return rc == 0 ? walk_versions(store, q, each, context, err) : rc;
}

int store_each_head(struct store *store,
                    int (*each)(void *context, const struct store_version *row), void *context,
                    struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         VERSION_COLUMNS "AS v WHERE version = (SELECT max(version) FROM version"
                                         " WHERE bundle = v.bundle) ORDER BY bundle",
                         "");
    return rc == 0 ? walk_versions(store, q, each, context, err) : rc;
}

int store_each_content(struct store *store, const char *bundle, uint64_t version,
                       int (*each)(void *context, const struct store_content *row), void *context,
                       struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         "SELECT c.sha256, c.bytes FROM version_file AS f JOIN content AS c"
                         " ON c.sha256 = f.sha256 WHERE f.bundle = ? AND f.version = ?"
                         " ORDER BY f.position",
                         "ti", bundle, (int64_t)version);
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        struct store_content row = {.bytes = store_blob(q, 1)};
        rc = store_hash(q, 0, row.sha256, err);
        if (rc == 0)
            rc = each(context, &row);
    }
    sqlite3_finalize(q);
    return rc;
}

int store_reserve(struct store *store, const char *bundle, uint64_t block, uint64_t *ret,
                  struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    uint64_t next = 1;
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_query(store, &q, err, "SELECT next FROM sequence WHERE bundle = ?", "t", bundle);
    if (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        next = (uint64_t)sqlite3_column_int64(q, 0);
        rc = 0;
    }
    sqlite3_finalize(q);
    if (rc == 0)
        rc = store_run(store, err,
                       "INSERT INTO sequence VALUES(?1,?2) ON CONFLICT DO UPDATE SET next = ?2",
                       "ti", bundle, (int64_t)(next + block));
    rc = store_end(store, rc, err);
    if (rc == 0)
        *ret = next;
    return rc;
}

/* ---- tokens and clients ---- */

int store_put_token(struct store *store, const struct store_token *t,
                    const struct store_audit *audit, struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err, "INSERT INTO token VALUES(?,?,?,?,?,?,?,?,?)", "tbtttiiii",
                       t->id, pep_span_of(t->secret_sha256, PEP_SHA256_SIZE), t->service, t->bundle,
                       t->labels, t->expires, (int64_t)t->uses_left, (int64_t)t->ephemeral,
                       (int64_t)t->root);
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    return store_end(store, rc, err);
}

int store_each_token(struct store *store, int (*each)(void *context, const struct store_token *row),
                     void *context, struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         "SELECT id, secret_sha256, service, bundle, labels, expires, uses_left,"
                         " ephemeral, root FROM token ORDER BY expires",
                         "");
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        struct store_token row = {.id = store_text(q, 0),
                                  .service = store_text(q, 2),
                                  .bundle = store_text(q, 3),
                                  .labels = store_text(q, 4),
                                  .expires = sqlite3_column_int64(q, 5),
                                  .uses_left = (uint32_t)sqlite3_column_int64(q, 6),
                                  .ephemeral = sqlite3_column_int64(q, 7) != 0,
                                  .root = (uint32_t)sqlite3_column_int64(q, 8)};
        rc = store_hash(q, 1, row.secret_sha256, err);
        if (rc == 0)
            rc = each(context, &row);
    }
    sqlite3_finalize(q);
    return rc;
}

/* Also changes exactly one row, or says that there was none. */
static int changed(struct store *store, int otherwise, const char *what, struct pep_error *err)
{
    return sqlite3_changes(store->db) == 1 ? 0 : pep_error_set(err, otherwise, "%s", what);
}

static int next_instance(struct store *store, const char *service, uint32_t *ret,
                         struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         "SELECT coalesce(max(instance), 0) + 1 FROM client WHERE service = ?", "t",
                         service);
    if (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        *ret = (uint32_t)sqlite3_column_int64(q, 0);
        rc = 0;
    }
    sqlite3_finalize(q);
    return rc;
}

int store_enrol(struct store *store, const struct store_client *c, const struct store_audit *audit,
                uint32_t *ret_instance, struct pep_error *err)
{
    char id[PEP_NAME_MAX + 16];
    uint32_t instance = 0;
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err,
                       "UPDATE token SET uses_left = uses_left - 1 WHERE id = ? AND uses_left > 0",
                       "t", c->token);
    if (rc == 0)
        rc = changed(store, PEP_ECONFLICT, "the token has no use left", err);
    if (rc == 0)
        rc = next_instance(store, c->service, &instance, err);
    if (rc == 0) {
        snprintf(id, sizeof(id), "%s/%u", c->service, instance);
        rc = store_run(store, err, "INSERT INTO client VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                       "ttitttiiiitt", id, c->service, (int64_t)instance, c->bundle, c->key,
                       c->labels, (int64_t)c->state, (int64_t)c->ephemeral, c->enrolled,
                       (int64_t)c->statement, c->token, c->host);
    }
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    rc = store_end(store, rc, err);
    if (rc == 0)
        *ret_instance = instance;
    return rc;
}

int store_set_client(struct store *store, const char *id, enum client_state state,
                     uint64_t statement, const struct store_audit *audit, struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err, "UPDATE client SET state = ?, statement = ? WHERE id = ?", "iit",
                       (int64_t)state, (int64_t)statement, id);
    if (rc == 0)
        rc = changed(store, PEP_ENOTFOUND, "no such client", err);
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    return store_end(store, rc, err);
}

int store_each_client(struct store *store,
                      int (*each)(void *context, const struct store_client *row), void *context,
                      struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         "SELECT id, service, instance, bundle, key, labels, state, ephemeral,"
                         " enrolled, statement, token, host FROM client"
                         " ORDER BY service, instance",
                         "");
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        int64_t state = sqlite3_column_int64(q, 6);
        struct store_client row = {.id = store_text(q, 0),
                                   .service = store_text(q, 1),
                                   .instance = (uint32_t)sqlite3_column_int64(q, 2),
                                   .bundle = store_text(q, 3),
                                   .key = store_text(q, 4),
                                   .labels = store_text(q, 5),
                                   .state = state >= 0 && state < CLIENT_STATES
                                                ? (enum client_state)state
                                                : CLIENT_REVOKED,
                                   .ephemeral = sqlite3_column_int64(q, 7) != 0,
                                   .enrolled = sqlite3_column_int64(q, 8),
                                   .statement = (uint64_t)sqlite3_column_int64(q, 9),
                                   .token = store_text(q, 10),
                                   .host = store_text(q, 11)};
        rc = each(context, &row);
    }
    sqlite3_finalize(q);
    return rc;
}

/* ---- operators ---- */

int store_put_operator(struct store *store, const struct store_operator *row,
                       const struct store_audit *audit, struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err, "INSERT INTO operator VALUES(?,?,?,?,?)", "tttii", row->name,
                       row->role, row->key, (int64_t)row->active, row->added);
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    return store_end(store, rc, err);
}

int store_revoke_operator(struct store *store, const char *name, const struct store_audit *audit,
                          struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err, "UPDATE operator SET active = 0 WHERE name = ?", "t", name);
    if (rc == 0)
        rc = changed(store, PEP_ENOTFOUND, "no such operator", err);
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    return store_end(store, rc, err);
}

int store_each_operator(struct store *store,
                        int (*each)(void *context, const struct store_operator *row), void *context,
                        struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         "SELECT name, role, key, active, added FROM operator ORDER BY name", "");
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        struct store_operator row = {store_text(q, 0), store_text(q, 1), store_text(q, 2),
                                     sqlite3_column_int64(q, 3) != 0, sqlite3_column_int64(q, 4)};
        rc = each(context, &row);
    }
    sqlite3_finalize(q);
    return rc;
}
