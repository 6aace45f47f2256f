/*
 * The root document: who may sign what. Everything a client trusts hangs from one of these.
 *
 *     {"installation":"<32 hex>", "version":1, "epoch":1, "created":T, "expires":T,
 *      "keys":{"<key id>":{"type":"ed25519","public":"<base64url>","name":"alice"}},
 *      "roles":{"root":{"threshold":1,"keys":["<key id>"]},
 *               "policy":{"threshold":1,"keys":["<key id>"]},
 *               "beacon":{"threshold":1,"keys":["<key id>"]},
 *               "revocation":{"threshold":1,"keys":["<key id>"]}},
 *      "servers":["<CURVE key, Z85>"]}
 *
 * Version n+1 must be signed by the root role of version n and by its own, name the same
 * installation, and may only raise the epoch. Times are Unix seconds. Unknown members are allowed
 * (they are signed) so that old clients can read newer roots.
 *
 * A document for PEP_FILE alone has no servers and no beacon role. Without a revocation role any
 * one policy key may revoke tokens.
 */
#ifndef PEP_CORE_ROOT_H
#define PEP_CORE_ROOT_H

#include "envelope.h"

#define PEP_ROOT_KEYS    64
#define PEP_ROOT_SERVERS 16
#define PEP_ROOT_MAX     (64 * 1024) /* the envelope, bytes */
#define PEP_ROOT_CHAIN   1024        /* documents that a client follows at once */
#define PEP_Z85_KEY      41          /* 40 characters and NUL */

enum pep_role {
    PEP_ROLE_ROOT,
    PEP_ROLE_POLICY,
    PEP_ROLE_BEACON,
    PEP_ROLE_REVOCATION,
    PEP_ROLE_COUNT
};
const char *pep_role_name(enum pep_role role);

struct pep_root; /* exists only if its signatures verified */

/* The first root of a client, pinned by digest: signed by its own root role, and its payload's
 * SHA-256 equals `digest` (NULL: the caller vouches for the bytes, e.g. a local root.json). */
int pep_root_open(struct pep_span envelope, const uint8_t *digest, struct pep_root **ret,
                  struct pep_error *err);
/* The next one: see above. `*ret` is new; `current` is untouched. Errors: ESIGNATURE, EROLLBACK
 * (version, epoch), EFORMAT, ELIMIT, ENOMEM. Expiry is not looked at here: a chain may pass through
 * expired documents; pep_root_expired() judges the last. */
int pep_root_follow(const struct pep_root *current, struct pep_span envelope, struct pep_root **ret,
                    struct pep_error *err);
void pep_root_free(struct pep_root *root);

bool pep_root_expired(const struct pep_root *root, int64_t now);
uint32_t pep_root_version(const struct pep_root *root);
uint32_t pep_root_epoch(const struct pep_root *root);
int64_t pep_root_expires(const struct pep_root *root);
const char *pep_root_installation(const struct pep_root *root);
const uint8_t *pep_root_digest(const struct pep_root *root);    /* 32 bytes, of the payload */
struct pep_span pep_root_envelope(const struct pep_root *root); /* exact bytes, borrowed */
struct pep_signers pep_root_signers(const struct pep_root *root, enum pep_role role);
/* Who may revoke tokens: one key of the revocation role, or of the policy role where there is none.
 * One signature is enough, because all that it can do is deny. */
struct pep_signers pep_root_revokers(const struct pep_root *root);
const char *pep_root_key_name(const struct pep_root *root,
                              const char *key_id); /* NULL: not there */
size_t pep_root_server_count(const struct pep_root *root);
const char *pep_root_server(const struct pep_root *root, size_t i); /* Z85 */
bool pep_root_has_server(const struct pep_root *root, const char *z85);

/* Whether this payload is a well-formed root document. Proves nothing about who wrote it. */
int pep_root_check(struct pep_span payload, struct pep_error *err);

/* 40 characters of the Z85 alphabet (ZeroMQ RFC 32): a CURVE key. */
bool pep_z85_key_valid(struct pep_span text);

/* What a new document is made from (policyctl, tests). */
struct pep_root_draft {
    char installation[33]; /* empty: a new random one */
    uint32_t version, epoch;
    int64_t created, expires;
    struct {
        struct pep_public_key key;
        char name[PEP_KEY_NAME_MAX];
        bool roles[PEP_ROLE_COUNT];
    } keys[PEP_ROOT_KEYS];
    size_t key_count;
    unsigned thresholds[PEP_ROLE_COUNT];
    char servers[PEP_ROOT_SERVERS][PEP_Z85_KEY];
    size_t server_count;
};
/* Appends the payload JSON (to be signed with sign.h, type PEP_TYPE_ROOT). What a reader would
 * refuse is refused here, with the same message. */
int pep_root_write(const struct pep_root_draft *draft, struct pep_buffer *out,
                   struct pep_error *err);

#endif
