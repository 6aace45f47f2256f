/* The store's revoked tokens: see store.h. The list is one blob that each step replaces: at most
 * 3.3 MB, read once at start; as rows it would be 100,000 changes for one. */
#include "store_sqlite.h"

int store_put_step(struct store *store, const struct store_step *step, struct pep_span set,
                   uint64_t keep_above, const struct store_audit *audit, struct pep_error *err)
{
    int rc = store_begin(store, err);
    if (rc == 0)
        rc = store_run(store, err, "INSERT INTO revoked_step VALUES(?,?,?)", "iib",
                       (int64_t)step->number, (int64_t)step->root, step->step);
    if (rc == 0)
        rc = store_run(store, err, "DELETE FROM revoked_step WHERE number <= ?", "i",
                       (int64_t)keep_above);
    if (rc == 0)
        rc = store_run(store, err,
                       "INSERT INTO revoked_set VALUES(1,?1,?2)"
                       " ON CONFLICT DO UPDATE SET number = ?1, entries = ?2",
                       "ib", (int64_t)step->number, set);
    if (rc == 0)
        rc = store_audit_in(store, audit, err);
    return store_end(store, rc, err);
}

int store_each_step(struct store *store, int (*each)(void *context, const struct store_step *row),
                    void *context, struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err,
                         "SELECT number, root, step FROM revoked_step ORDER BY number", "");
    while (rc == 0 && (rc = store_next(store, q, err)) == 1) {
        struct store_step row = {(uint64_t)sqlite3_column_int64(q, 0),
                                 (uint32_t)sqlite3_column_int64(q, 1), store_blob(q, 2)};
        rc = each(context, &row);
    }
    sqlite3_finalize(q);
    return rc;
}

int store_get_set(struct store *store, uint64_t number,
                  int (*each)(void *context, struct pep_span set), void *context,
                  struct pep_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = store_query(store, &q, err, "SELECT entries FROM revoked_set WHERE number = ?", "i",
                         (int64_t)number);
    if (rc == 0) {
        rc = store_next(store, q, err);
        if (rc == 1)
            rc = each(context, store_blob(q, 0));
        else if (rc == 0)
            rc = pep_error_set(err, PEP_ENOTFOUND, "the database lacks the list of step %llu",
                               (unsigned long long)number);
    }
    sqlite3_finalize(q);
    return rc;
}
