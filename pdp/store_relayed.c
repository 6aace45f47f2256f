/* Relayed token keys in the store: the last good document of each issuer, and the last number that
 * any bundle's keys had. See store.h. */
#include "store_sqlite.h"

static int put_row(struct store *store, const struct store_relayed *row, struct pep_error *err)
{
    if (row->jwks.data == NULL)
        return store_run(store, err,
                         "UPDATE relayed SET etag = ?, fetched = ? WHERE bundle = ? AND issuer = ?",
                         "titt", row->etag, row->fetched, row->bundle, row->issuer);
    return store_run(store, err, "INSERT OR REPLACE INTO relayed VALUES(?,?,?,?,?,?)", "ttttbi",
                     row->bundle, row->issuer, row->url, row->etag, row->jwks, row->fetched);
}

int store_put_relayed(struct store *store, const struct store_relayed *rows, size_t count,
                      uint64_t stamp, struct pep_error *err)
{
    int rc = store_begin(store, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = put_row(store, &rows[i], err);
    if (rc == 0)
        rc = store_run(store, err, "UPDATE relay_stamp SET last = max(last, ?)", "i",
                       (int64_t)stamp);
    return store_end(store, rc, err);
}

int store_get_relayed(struct store *store, const char *bundle, const char *issuer,
                      int (*each)(void *context, const struct store_relayed *row), void *context,
                      struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         "SELECT url, etag, jwks, fetched FROM relayed WHERE bundle = ? AND "
                         "issuer = ?",
                         "tt", bundle, issuer);
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        struct store_relayed row = {bundle,           issuer,           store_text(q, 0),
                                    store_text(q, 1), store_blob(q, 2), sqlite3_column_int64(q, 3)};
        if ((rc = each(context, &row)) != 0)
            break;
    }
    sqlite3_finalize(q);
    return rc;
}

int store_forget_relayed(struct store *store, const char *bundle, const char *issuer,
                         struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err, "DELETE FROM relayed WHERE bundle = ? AND issuer = ?", "tt",
                       bundle, issuer);
    return store_end(store, rc, err);
}

int store_relay_stamp(struct store *store, uint64_t *ret, struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err, "SELECT last FROM relay_stamp", "");
    if (rc != 0)
        return rc;
    rc = store_next(store, q, err);
    if (rc == 1)
        *ret = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return rc < 0 ? rc : 0;
}
