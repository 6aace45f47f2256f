/*
 * The identity folder: who this service is, whom it trusts and where the server is. Written once by
 * enrolment, read at each start.
 *
 *     identity.json   {"client":"billing-api/1","bundle":"acme","installation":"<32 hex>",
 *                      "notices":["tcp://..."],"fetch":["tcp://..."],"server_key":"<Z85>"}
 *     curve.key       {"public":"<Z85>","secret":"<Z85>"}, mode 0600
 *     root.json       the newest root document at enrolment; its successors live in the cache
 *
 * identity.json is written last: where it exists, the identity is complete. curve.key is written
 * first, before it is used: an enrolment whose answer was lost is repeated with the same key, which
 * the server recognises. Rejected: one file for all, which would make the public parts as secret as
 * the key, and the key as often written as they are.
 */
#ifndef PEP_IDENTITY_H
#define PEP_IDENTITY_H

#include "pep/core/wire.h"

struct pep_curve_key {
    char public_key[PEP_Z85_SIZE + 1];
    char secret_key[PEP_Z85_SIZE + 1];
};

struct pep_identity {
    char client[PEP_CLIENT_ID_MAX + 1];
    char bundle[PEP_NAME_MAX + 1];
    char installation[33];
    char server_key[PEP_Z85_SIZE + 1];
    size_t endpoint_count; /* pairs of the same index are the same server */
    char notices[PEP_ENDPOINTS][PEP_ENDPOINT_MAX + 1];
    char fetch[PEP_ENDPOINTS][PEP_ENDPOINT_MAX + 1];
    struct pep_curve_key key;
    struct pep_root *root;
};

/* True if the folder holds a (whole) identity. */
bool pep_identity_exists(const char *folder);
/* Errors: ENOTFOUND (what to do: enrol), EINVAL (permissions), EFORMAT, ESIGNATURE, EIO, ENOMEM. */
int pep_identity_read(const char *folder, struct pep_identity **ret, struct pep_error *err);
/* Frees and wipes. */
void pep_identity_free(struct pep_identity *id);
/* Root first, identity.json last. `key` is on disk already. */
int pep_identity_write(const char *folder, const struct pep_identity *id, struct pep_error *err);

int pep_curve_key_read(const char *folder, struct pep_curve_key *ret, struct pep_error *err);
int pep_curve_key_write(const char *folder, const struct pep_curve_key *key, struct pep_error *err);

#endif
