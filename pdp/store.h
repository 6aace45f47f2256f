/*
 * What pdpd must not forget: root documents, versions with their content, clients, enrolment
 * tokens, operators, reserved sequence numbers, and who did what.
 *
 * Each function that writes is one transaction, and returns 0 only after it is on disk; its audit
 * line is part of it. Reading is done at start, into memory (registry.h, publisher.h), and on
 * demand for old content and history. One thread uses a store; it has no lock of its own.
 *
 * Rows are structs of borrowed pointers: those handed in need to live during the call, those handed
 * to a callback live until it returns. A callback returns 0 to go on; anything else ends the walk
 * and is returned.
 *
 * Errors: PEP_EIO (file or database), PEP_ELIMIT (the disk is full), PEP_ECONFLICT (somebody was
 * first: the version, key, name or token is taken or used up), PEP_ENOTFOUND, PEP_ENOMEM,
 * PEP_EFORMAT (the database is damaged or newer than this program).
 */
#ifndef PDP_STORE_H
#define PDP_STORE_H

#include "pep/core/bundle.h"

struct store;

/* Opens or makes DIR/pdpd.db; refuses when another process has the folder open (PEP_ECONFLICT). */
int store_open(const char *folder, struct store **ret, struct pep_error *err);
void store_close(struct store *store);
/* Proves that the store can still write, by writing. */
int store_probe(struct store *store, struct pep_error *err);

/* ---- who did what ---- */
struct store_audit {
    int64_t time; /* Unix seconds */
    const char *actor, *op, *what, *result;
};
int store_put_audit(struct store *store, const struct store_audit *audit, struct pep_error *err);
/* The newest `limit` lines, newest first. */
int store_each_audit(struct store *store, int64_t limit,
                     int (*each)(void *context, const struct store_audit *row), void *context,
                     struct pep_error *err);

/* ---- root documents ---- */
struct store_root {
    uint32_t version;
    struct pep_span envelope;
};
int store_put_root(struct store *store, const struct store_root *root,
                   const struct store_audit *audit, struct pep_error *err);
/* Oldest first. */
int store_each_root(struct store *store, int (*each)(void *context, const struct store_root *row),
                    void *context, struct pep_error *err);

/* ---- versions ---- */
struct store_content {
    uint8_t sha256[PEP_SHA256_SIZE];
    struct pep_span bytes;
};
struct store_version {
    const char *bundle;
    uint32_t epoch;
    uint64_t version;
    uint8_t digest[PEP_SHA256_SIZE];
    int64_t created; /* by its author */
    const char *author, *message;
    const char *key;          /* id of the signing key */
    const char *actor;        /* the operator that pushed it */
    int64_t pushed;           /* Unix seconds */
    uint64_t size;            /* of the bundle file */
    struct pep_span manifest; /* the envelope's exact bytes */
};
/* Content that is there already (by hash) is not written again. */
int store_put_version(struct store *store, const struct store_version *version,
                      const struct store_content *files, size_t count,
                      const struct store_audit *audit, struct pep_error *err);
/* Newest first; `bundle` NULL for all bundles; `limit` 0 for no limit. */
struct store_filter {
    const char *bundle;
    uint64_t version; /* exactly this one, or 0 */
    int64_t limit;
};
int store_each_version(struct store *store, const struct store_filter *filter,
                       int (*each)(void *context, const struct store_version *row), void *context,
                       struct pep_error *err);
/* The highest version of each bundle, by name. */
int store_each_head(struct store *store,
                    int (*each)(void *context, const struct store_version *row), void *context,
                    struct pep_error *err);
/* The files of one version in the manifest's order. */
int store_each_content(struct store *store, const char *bundle, uint64_t version,
                       int (*each)(void *context, const struct store_content *row), void *context,
                       struct pep_error *err);

/* ---- revoked tokens: the newest signed steps, and the whole list after the last of them ---- */
struct store_step {
    uint64_t number;
    uint32_t root; /* version of the root document that named its signer */
    struct pep_span step;
};
/* Adds a step and replaces the list; of older steps only those above `keep_above` stay. ECONFLICT:
 * a step with this number, or a higher one, is there. */
int store_put_step(struct store *store, const struct store_step *step, struct pep_span set,
                   uint64_t keep_above, const struct store_audit *audit, struct pep_error *err);
/* Oldest first. */
int store_each_step(struct store *store, int (*each)(void *context, const struct store_step *row),
                    void *context, struct pep_error *err);
/* The list after step `number`, in one call. ENOTFOUND: it is another step's. */
int store_get_set(struct store *store, uint64_t number,
                  int (*each)(void *context, struct pep_span set), void *context,
                  struct pep_error *err);

/* ---- sequence numbers: `*ret` and the `block - 1` after it are the caller's, once and for all
 * ---- */
int store_reserve(struct store *store, const char *bundle, uint64_t block, uint64_t *ret,
                  struct pep_error *err);

/* ---- relayed token keys: the last good document of each issuer ---- */
struct store_relayed {
    const char *bundle, *issuer;
    const char *url, *etag;
    struct pep_span jwks; /* data NULL when writing: as it was */
    int64_t fetched;      /* Unix milliseconds, when it was last seen at `url` */
};
/* Rows (perhaps none) and the number of the newest, which never falls. No audit: nobody did this. */
int store_put_relayed(struct store *store, const struct store_relayed *rows, size_t count,
                      uint64_t stamp, struct pep_error *err);
/* One row at most. */
int store_get_relayed(struct store *store, const char *bundle, const char *issuer,
                      int (*each)(void *context, const struct store_relayed *row), void *context,
                      struct pep_error *err);
int store_forget_relayed(struct store *store, const char *bundle, const char *issuer,
                         struct pep_error *err);
int store_relay_stamp(struct store *store, uint64_t *ret, struct pep_error *err);

/* ---- clients and tokens ---- */
#define STORE_KEY_TEXT 41 /* a CURVE public key in Z85, and NUL */

enum client_state { CLIENT_ACTIVE, CLIENT_SUSPENDED, CLIENT_REVOKED, CLIENT_STATES };
extern const char *const client_state_names[CLIENT_STATES];

struct store_client {
    const char *id;                    /* "NAME/k" */
    const char *service;               /* NAME */
    uint32_t instance;                 /* k, never used again */
    const char *bundle, *key, *labels; /* labels: JSON object text */
    enum client_state state;
    bool ephemeral;
    int64_t enrolled;
    uint64_t statement; /* sequence number of the last statement about it */
    const char *token, *host;
};
struct store_token {
    const char *id; /* 32 hex digits */
    uint8_t secret_sha256[PEP_SHA256_SIZE];
    const char *service, *bundle, *labels;
    int64_t expires;
    uint32_t uses_left;
    bool ephemeral;
    uint32_t root; /* version of the root document when it was made: where its holder starts */
};
int store_put_token(struct store *store, const struct store_token *token,
                    const struct store_audit *audit, struct pep_error *err);
int store_each_token(struct store *store, int (*each)(void *context, const struct store_token *row),
                     void *context, struct pep_error *err);
/* Takes one use of `client->token` and adds the client under the next free instance number of its
 * service, which is handed out; id and instance of the row are not read. ECONFLICT: no use is left,
 * or the key is known already. */
int store_enrol(struct store *store, const struct store_client *client,
                const struct store_audit *audit, uint32_t *ret_instance, struct pep_error *err);
int store_set_client(struct store *store, const char *id, enum client_state state,
                     uint64_t statement, const struct store_audit *audit, struct pep_error *err);
int store_each_client(struct store *store,
                      int (*each)(void *context, const struct store_client *row), void *context,
                      struct pep_error *err);

/* ---- operators ---- */
struct store_operator {
    const char *name, *role, *key;
    bool active;
    int64_t added;
};
int store_put_operator(struct store *store, const struct store_operator *row,
                       const struct store_audit *audit, struct pep_error *err);
int store_revoke_operator(struct store *store, const char *name, const struct store_audit *audit,
                          struct pep_error *err);
int store_each_operator(struct store *store,
                        int (*each)(void *context, const struct store_operator *row), void *context,
                        struct pep_error *err);

#endif
