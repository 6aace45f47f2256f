/*
 * The store in one SQLite file: opening, schema, transactions. What is kept is in store_rows.c.
 *
 * WAL with synchronous=FULL: a commit is on disk when it returns. Versions, content, roots and the
 * audit can only be added to; triggers refuse changes, so that a bug here cannot rewrite history.
 * A lock file beside the database keeps a second daemon out: SQLite alone would let two of them
 * take turns, each with its own idea of the sequence numbers in memory. Rejected: LMDB (a fixed map
 * size and no constraints), plain files (no transaction over token and client).
 */
#include "store_sqlite.h"

#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PATH_ROOM 4096

static const char *const settings[] = {
    "PRAGMA journal_mode=WAL",   "PRAGMA synchronous=FULL",  "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF", "PRAGMA busy_timeout=5000",
};

/* Step n brings a database from user_version n to n + 1. Never edit one that was released. */
static const char *const migrations[] = {
    "CREATE TABLE root(version INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;"
    "CREATE TABLE content(sha256 BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"
    "CREATE TABLE version(bundle TEXT NOT NULL, version INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " digest BLOB NOT NULL, created INTEGER NOT NULL, author TEXT NOT NULL, message TEXT NOT NULL,"
    " key TEXT NOT NULL, actor TEXT NOT NULL, pushed INTEGER NOT NULL, size INTEGER NOT NULL,"
    " manifest BLOB NOT NULL, PRIMARY KEY(bundle, version)) STRICT;"
    "CREATE TABLE version_file(bundle TEXT NOT NULL, version INTEGER NOT NULL,"
    " position INTEGER NOT NULL, sha256 BLOB NOT NULL REFERENCES content(sha256),"
    " PRIMARY KEY(bundle, version, position),"
    " FOREIGN KEY(bundle, version) REFERENCES version(bundle, version)) STRICT;"
    "CREATE TABLE sequence(bundle TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;"
    "CREATE TABLE token(id TEXT PRIMARY KEY, secret_sha256 BLOB NOT NULL, service TEXT NOT NULL,"
    " bundle TEXT NOT NULL, labels TEXT NOT NULL, expires INTEGER NOT NULL,"
    " uses_left INTEGER NOT NULL CHECK(uses_left >= 0), ephemeral INTEGER NOT NULL,"
    " root INTEGER NOT NULL) STRICT;"
    "CREATE TABLE client(id TEXT PRIMARY KEY, service TEXT NOT NULL, instance INTEGER NOT NULL,"
    " bundle TEXT NOT NULL, key TEXT NOT NULL UNIQUE, labels TEXT NOT NULL,"
    " state INTEGER NOT NULL, ephemeral INTEGER NOT NULL, enrolled INTEGER NOT NULL,"
    " statement INTEGER NOT NULL, token TEXT NOT NULL REFERENCES token(id), host TEXT NOT NULL,"
    " UNIQUE(service, instance)) STRICT;"
    "CREATE TABLE operator(name TEXT PRIMARY KEY, role TEXT NOT NULL, key TEXT NOT NULL UNIQUE,"
    " active INTEGER NOT NULL, added INTEGER NOT NULL) STRICT;"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL,"
    " actor TEXT NOT NULL, op TEXT NOT NULL, what TEXT NOT NULL, result TEXT NOT NULL) STRICT;"
    "CREATE TABLE probe(id INTEGER PRIMARY KEY CHECK(id = 1), count INTEGER NOT NULL) STRICT;"
    "INSERT INTO probe VALUES(1, 0);"
    "CREATE TRIGGER root_fixed BEFORE UPDATE ON root BEGIN SELECT RAISE(ABORT,'fixed'); END;"
    "CREATE TRIGGER root_kept BEFORE DELETE ON root BEGIN SELECT RAISE(ABORT,'kept'); END;"
    "CREATE TRIGGER version_fixed BEFORE UPDATE ON version BEGIN SELECT RAISE(ABORT,'fixed'); END;"
    "CREATE TRIGGER version_kept BEFORE DELETE ON version BEGIN SELECT RAISE(ABORT,'kept'); END;"
    "CREATE TRIGGER version_file_fixed BEFORE UPDATE ON version_file"
    " BEGIN SELECT RAISE(ABORT,'fixed'); END;"
    "CREATE TRIGGER version_file_kept BEFORE DELETE ON version_file"
    " BEGIN SELECT RAISE(ABORT,'kept'); END;"
    "CREATE TRIGGER content_fixed BEFORE UPDATE ON content BEGIN SELECT RAISE(ABORT,'fixed'); END;"
    "CREATE TRIGGER content_kept BEFORE DELETE ON content BEGIN SELECT RAISE(ABORT,'kept'); END;"
    "CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT,'fixed'); END;"
    "CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT,'kept'); END;"
    "CREATE TRIGGER client_kept BEFORE DELETE ON client BEGIN SELECT RAISE(ABORT,'kept'); END;"
    "CREATE TRIGGER version_rises BEFORE INSERT ON version WHEN NEW.version <="
    " (SELECT max(version) FROM version WHERE bundle = NEW.bundle)"
    " BEGIN SELECT RAISE(ABORT,'versions rise'); END;",

    "CREATE TABLE revoked_step(number INTEGER PRIMARY KEY, root INTEGER NOT NULL,"
    " step BLOB NOT NULL) STRICT;"
    "CREATE TABLE revoked_set(id INTEGER PRIMARY KEY CHECK(id = 1), number INTEGER NOT NULL,"
    " entries BLOB NOT NULL) STRICT;"
    "CREATE TRIGGER revoked_step_fixed BEFORE UPDATE ON revoked_step"
    " BEGIN SELECT RAISE(ABORT,'fixed'); END;"
    "CREATE TRIGGER revoked_step_rises BEFORE INSERT ON revoked_step WHEN NEW.number <="
    " (SELECT max(number) FROM revoked_step) BEGIN SELECT RAISE(ABORT,'steps rise'); END;",
    "CREATE TABLE relayed(bundle TEXT NOT NULL, issuer TEXT NOT NULL, url TEXT NOT NULL,"
    " etag TEXT NOT NULL, jwks BLOB NOT NULL, fetched INTEGER NOT NULL,"
    " PRIMARY KEY(bundle, issuer)) STRICT;"
    "CREATE TABLE relay_stamp(id INTEGER PRIMARY KEY CHECK(id = 1), last INTEGER NOT NULL) STRICT;"
    "INSERT INTO relay_stamp VALUES(1, 0);",
};
#define SCHEMA ((int)(sizeof(migrations) / sizeof(migrations[0])))

int store_fail(struct store *store, const char *doing, struct pep_error *err)
{
    int code = sqlite3_errcode(store->db) & 0xff;
    int ret = code == SQLITE_FULL         ? PEP_ELIMIT
              : code == SQLITE_CONSTRAINT ? PEP_ECONFLICT
              : code == SQLITE_NOMEM      ? PEP_ENOMEM
              : code == SQLITE_CORRUPT    ? PEP_EFORMAT
              : code == SQLITE_NOTADB     ? PEP_EFORMAT
                                          : PEP_EIO;
    int system = sqlite3_system_errno(store->db);
    if (code == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT || system == EFBIG))
        ret = PEP_ELIMIT;
    if (ret == PEP_ELIMIT)
        return pep_error_set(err, ret, "%s: the disk is full; free some space and try again",
                             doing);
    return pep_error_set(err, ret, "%s: %s", doing, sqlite3_errmsg(store->db));
}

static int plain(struct store *store, const char *sql, const char *doing, struct pep_error *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return store_fail(store, doing, err);
    return 0;
}

int store_begin(struct store *store, struct pep_error *err)
{
    fault_point();
    int rc = plain(store, "BEGIN IMMEDIATE", "begin", err);
    fault_point();
    return rc;
}

int store_end(struct store *store, int rc, struct pep_error *err)
{
    if (rc == 0) {
        fault_point();
        rc = plain(store, "COMMIT", "commit", err);
        fault_point();
    }
    /* SQLite rolls back by itself on some errors; then there is nothing left to roll back. */
    if (rc != 0 && !sqlite3_get_autocommit(store->db))
        plain(store, "ROLLBACK", "rollback", err);
    return rc;
}

static int bind_all(sqlite3_stmt *query, const char *types, va_list ap)
{
    int rc = SQLITE_OK;
    for (int i = 1; types[i - 1] != '\0' && rc == SQLITE_OK; i++) {
        if (types[i - 1] == 't') {
            rc = sqlite3_bind_text(query, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        } else if (types[i - 1] == 'i') {
            rc = sqlite3_bind_int64(query, i, va_arg(ap, int64_t));
        } else {
            struct pep_span s = va_arg(ap, struct pep_span);
            rc = sqlite3_bind_blob64(query, i, s.size == 0 ? (const void *)"" : s.data, s.size,
                                     SQLITE_STATIC);
        }
    }
    return rc;
}

static int prepare(struct store *store, const char *sql, const char *types, va_list ap,
                   sqlite3_stmt **ret)
{
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &query, NULL) != SQLITE_OK ||
        bind_all(query, types, ap) != SQLITE_OK) {
        sqlite3_finalize(query);
        return PEP_EIO;
    }
    *ret = query;
    return 0;
}

int store_run(struct store *store, struct pep_error *err, const char *sql, const char *types, ...)
{
    sqlite3_stmt *query = NULL;
    va_list ap;
    va_start(ap, types);
    int rc = prepare(store, sql, types, ap, &query);
    va_end(ap);
    if (rc == 0 && sqlite3_step(query) != SQLITE_DONE)
        rc = PEP_EIO;
    if (rc != 0)
        rc = store_fail(store, "store", err);
    sqlite3_finalize(query);
    fault_point();
    return rc;
}

int store_query(struct store *store, sqlite3_stmt **ret, struct pep_error *err, const char *sql,
                const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    int rc = prepare(store, sql, types, ap, ret);
    va_end(ap);
    return rc == 0 ? 0 : store_fail(store, "read", err);
}

int store_next(struct store *store, sqlite3_stmt *query, struct pep_error *err)
{
    int rc = sqlite3_step(query);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : store_fail(store, "read", err);
}

const char *store_text(sqlite3_stmt *query, int column)
{
    const char *text = (const char *)sqlite3_column_text(query, column);
    return text == NULL ? "" : text;
}

struct pep_span store_blob(sqlite3_stmt *query, int column)
{
    const void *data = sqlite3_column_blob(query, column);
    return pep_span_of(data, (size_t)sqlite3_column_bytes(query, column));
}

int store_hash(sqlite3_stmt *query, int column, uint8_t out[PEP_SHA256_SIZE], struct pep_error *err)
{
    struct pep_span s = store_blob(query, column);
    if (s.size != PEP_SHA256_SIZE)
        return pep_error_set(err, PEP_EFORMAT, "the database holds a hash of %zu bytes", s.size);
    memcpy(out, s.data, s.size);
    return 0;
}

int store_audit_in(struct store *store, const struct store_audit *a, struct pep_error *err)
{
    if (a == NULL)
        return 0;
    return store_run(store, err,
                     "INSERT INTO audit(time, actor, op, what, result) VALUES(?,?,?,?,?)", "itttt",
                     a->time, a->actor, a->op, a->what, a->result);
}

int store_probe(struct store *store, struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err, "UPDATE probe SET count = count + 1", "");
    return store_end(store, rc, err);
}

/* ---- open ---- */

static int take_lock(const char *folder, int *ret, struct pep_error *err)
{
    char path[PATH_ROOM];
    if ((size_t)snprintf(path, sizeof(path), "%s/lock", folder) >= sizeof(path))
        return pep_error_set(err, PEP_EINVAL, "%s: the path is too long", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int busy = errno == EWOULDBLOCK;
        close(fd);
        if (!busy)
            return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
        return pep_error_set(err, PEP_ECONFLICT,
                             "%s is in use by another pdpd; stop it, or give this one its own "
                             "folder with --data",
                             folder);
    }
    *ret = fd;
    return 0;
}

static int read_number(struct store *store, const char *sql, int64_t *ret, struct pep_error *err)
{
    sqlite3_stmt *query = NULL;
    int rc = store_query(store, &query, err, sql, "");
    if (rc != 0)
        return rc;
    rc = store_next(store, query, err);
    if (rc == 1)
        *ret = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return rc < 0 ? rc : 0;
}

static int migrate(struct store *store, struct pep_error *err)
{
    int64_t version = 0;
    int rc = read_number(store, "PRAGMA user_version", &version, err);
    if (rc == 0 && version > SCHEMA)
        rc = pep_error_set(err, PEP_EFORMAT,
                           "the database has format %lld, this pdpd knows up to %d; install the "
                           "newer pdpd again",
                           (long long)version, SCHEMA);
    for (int i = (int)version; rc == 0 && i < SCHEMA; i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", i + 1);
        rc = store_begin(store, err);
        if (rc == 0)
            rc = plain(store, migrations[i], "migrate", err);
        if (rc == 0)
            rc = plain(store, sql, "migrate", err);
        rc = store_end(store, rc, err);
    }
    return rc;
}

static int quick_check(struct store *store, struct pep_error *err)
{
    sqlite3_stmt *query = NULL;
    int rc = store_query(store, &query, err, "PRAGMA quick_check(1)", "");
    if (rc != 0)
        return rc;
    rc = store_next(store, query, err);
    if (rc == 1 && strcmp(store_text(query, 0), "ok") != 0)
        rc = pep_error_set(err, PEP_EFORMAT,
                           "the database is damaged (%s); restore the data folder from a backup",
                           store_text(query, 0));
    sqlite3_finalize(query);
    return rc < 0 ? rc : 0;
}

static int open_database(struct store *store, const char *folder, struct pep_error *err)
{
    char path[PATH_ROOM];
    if ((size_t)snprintf(path, sizeof(path), "%s/pdpd.db", folder) >= sizeof(path))
        return pep_error_set(err, PEP_EINVAL, "%s: the path is too long", folder);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        return store->db == NULL ? PEP_ENOMEM : store_fail(store, path, err);
    sqlite3_extended_result_codes(store->db, 1);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(settings) / sizeof(settings[0]); i++)
        rc = plain(store, settings[i], path, err);
    if (rc == 0)
        rc = quick_check(store, err);
    return rc == 0 ? migrate(store, err) : rc;
}

int store_open(const char *folder, struct store **ret, struct pep_error *err)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    store->lock = -1;
    int rc = take_lock(folder, &store->lock, err);
    if (rc == 0)
        rc = open_database(store, folder, err);
    if (rc == 0)
        rc = store_probe(store, err);
    if (rc != 0) {
        store_close(store);
        return rc;
    }
    *ret = store;
    return 0;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    sqlite3_close(store->db);
    if (store->lock >= 0)
        close(store->lock);
    free(store);
}
