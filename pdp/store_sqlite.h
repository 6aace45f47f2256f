/*
 * The inside of the SQLite store, shared by store_sqlite.c (open, schema, transactions) and
 * store_rows.c (what is kept). Nobody else includes this.
 */
#ifndef PDP_STORE_SQLITE_H
#define PDP_STORE_SQLITE_H

#include "store.h"

#include <sqlite3.h>

struct store {
    sqlite3 *db;
    int lock; /* DIR/lock, held by flock() as long as the store is open */
};

/* Sets the error for what SQLite just reported; returns its PEP_E code. */
int store_fail(struct store *store, const char *doing, struct pep_error *err);
int store_begin(struct store *store, struct pep_error *err);
/* Ends the transaction: commits if `rc` is 0, else rolls back. Returns what the caller returns. */
int store_end(struct store *store, int rc, struct pep_error *err);
/* Runs one statement. `types` has a letter per parameter: t text (or NULL), i int64_t,
 * b struct pep_span as a blob. */
int store_run(struct store *store, struct pep_error *err, const char *sql, const char *types, ...);
/* The same, prepared for walking its rows; the caller finalizes. */
int store_query(struct store *store, sqlite3_stmt **ret, struct pep_error *err, const char *sql,
                const char *types, ...);
/* 1: a row is there; 0: the end; negative: an error. */
int store_next(struct store *store, sqlite3_stmt *query, struct pep_error *err);
const char *store_text(sqlite3_stmt *query, int column); /* never NULL */
struct pep_span store_blob(sqlite3_stmt *query, int column);
/* A 32-byte hash; EFORMAT if the column holds anything else. */
int store_hash(sqlite3_stmt *query, int column, uint8_t out[PEP_SHA256_SIZE],
               struct pep_error *err);
int store_audit_in(struct store *store, const struct store_audit *audit, struct pep_error *err);

#endif
