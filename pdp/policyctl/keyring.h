/*
 * Signing keys, and the roots that say which of them count. The only place of the whole product
 * that reads a key which can sign a policy.
 *
 *     keys/NAME.key        PKCS#8 PEM, 0600, never overwritten
 *     keys/NAME.pub        the public half
 *     keys/root.key        signs root documents
 *     keys/revocation.key  signs lists of revoked tokens, and nothing else; without it policy keys
 * do every other key here signs policies root.json            the local root: 1 of 1, made with the
 * first key, for work without a pdpd contexts/NAME.root.json    what a context's services trust,
 * pinned by `root init`
 *
 * A key file that others may read is refused, as ssh does. Keys in hardware or behind a password
 * would go into keyring_load() alone.
 */
#ifndef POLICYCTL_KEYRING_H
#define POLICYCTL_KEYRING_H

#include "config.h"

#include "pep/core/bundle.h"
#include "pep/core/sign.h"

#define KEYRING_ROOT       "root"       /* the name of the root key */
#define KEYRING_POLICY     "policy"     /* what `init` calls the first policy key */
#define KEYRING_REVOCATION "revocation" /* the name of the key that only revokes tokens */

/* Where there is no local root: makes the root key and a key called `policy` (each unless it is
 * there), and root.json. *ret_made says whether anything was made. */
int keyring_ensure(const char *policy, bool *ret_made, struct pep_error *err);
/* Writes root.json anew, its next version, from the keys of the keyring. */
int keyring_renew_local(struct pep_error *err);
/* A new policy key, its id in `ret`; the local root takes it in (a new version of it). ECONFLICT if
 * the name is taken. */
int keyring_generate(const char *name, struct pep_public_key *ret, struct pep_error *err);

/* The private key; ENOTFOUND if there is none of this name. */
int keyring_load(const char *name, struct pep_private_key **ret, struct pep_error *err);
int keyring_public(const char *name, struct pep_public_key *ret, struct pep_error *err);
/* All names, sorted, the root key's too. */
int keyring_names(struct name_list *ret, struct pep_error *err);

/* The local root. ENOTFOUND before the first key. */
int keyring_local_root(struct pep_root **ret, struct pep_error *err);
/* The root pinned for a context. ENOTFOUND before `root init`. */
int keyring_context_root(const char *context, struct pep_root **ret, struct pep_error *err);
/* Pins `root` for a context. `replace`: it follows the one that is pinned. */
int keyring_pin_root(const char *context, const struct pep_root *root, bool replace,
                     struct pep_error *err);
/* Takes a pin back that pdpd refused. */
void keyring_unpin_root(const char *context);

/* The key to sign policies with under `root`: the one called `wanted`, or, if that is NULL, the
 * only one of the keyring that the root names for policies; if there are several, the one called
 * "policy", else EINVAL. */
int keyring_choose(const struct pep_root *root, const char *wanted, struct pep_private_key **ret,
                   struct pep_error *err);

/* The same for lists of revoked tokens: a key that the root names for them (pep_root_revokers());
 * of several, the one called "revocation" or "policy". */
int keyring_choose_revoker(const struct pep_root *root, const char *wanted,
                           struct pep_private_key **ret, struct pep_error *err);

/* A draft's keys and thresholds (1 of 1) from the keyring. Errors: ENOTFOUND without a root key or
 * a policy key. */
int keyring_draft(struct pep_root_draft *draft, struct pep_error *err);
/* Writes, signs with the root key, and reads back. */
int keyring_sign_root(const struct pep_root_draft *draft, struct pep_root **ret,
                      struct pep_error *err);
/* Appends a whole bundle file. */
int keyring_sign_bundle(const struct pep_private_key *key, const struct pep_manifest_draft *draft,
                        const struct pep_files *files, struct pep_buffer *out,
                        struct pep_error *err);

#endif
