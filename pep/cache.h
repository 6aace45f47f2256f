/*
 * The cache folder: what lets a service decide after a restart while no server can be reached.
 *
 *     state            one small binary file: what runs, the floor, when it was proved, the newest
 *                      notice seen, the statement about this client's key, the SHA-256 of the
 *                      other files, and a SHA-256 of itself
 *     roots            the root documents after the one in the identity folder, one per line
 *     HEX.bundle       a bundle file, named by its digest: the running one, and the final one that
 *                      is kept beside a running canary
 *     revoked, keys    what came beside bundles: cache_fed.c
 *     lock             processes that share an identity take turns
 *
 * Content first, then `state` by rename: a crash leaves either the old story or the new one. At
 * start everything is verified again, signatures and all; a byte that is not what it was means that
 * nothing of that file is used. The hashes in `state` are not for security (who can write one file
 * can write all) but so that even bytes that no signature covers are known to be intact.
 *
 * A process that lags behind never writes over one that is ahead: the higher floor stays. Rejected:
 * a database, for five values and a file; keeping policy and state in one file, because the proof
 * moves every few seconds and the policy is up to 8 MiB.
 */
#ifndef PEP_CACHE_H
#define PEP_CACHE_H

#include "pep/fed.h"
#include "pep/sync.h"

/* Whose cache this is. Borrowed. */
struct pep_cache_owner {
    const char *bundle;
    const char *client_key;        /* Z85 */
    const struct pep_root *pinned; /* from the identity folder */
};

/* What a start finds; all NULL and zero where there is nothing good. */
struct pep_cached {
    struct pep_memory memory; /* proof translated into this boot's time */
    struct pep_root *root;    /* newest; owned by the caller from here on; NULL: only the pinned */
    struct pep_span roots;    /* the text of the file `roots`, owned (pep_disk_free) */
    struct pep_bundle *running, *fallback; /* owned by the caller from here on */
};

/* Fills *ret in every case with what is good. PEP_OK: nothing was there, or all of it is good. Else
 * the first thing wrong: EFORMAT, ESIGNATURE, EEXPIRED, EROLLBACK, EIO, ENOMEM, ELIMIT. */
int pep_cache_load(const char *folder, const struct pep_cache_owner *owner, struct pep_moment now,
                   struct pep_cached *ret, struct pep_error *err);

struct pep_cache_content {
    const struct pep_memory *memory;
    struct pep_span roots;
    const struct pep_bundle *running, *fallback; /* may be NULL */
    bool changed; /* the bundles are new: write them even if they seem to be there */
};
/* Writes what has changed. Errors: EIO, ENOMEM, ELIMIT. */
int pep_cache_store(const char *folder, const struct pep_cache_owner *owner,
                    const struct pep_cache_content *content, struct pep_error *err);

/* What came beside bundles. *ret is good to use whenever memory was enough (else its members are
 * NULL), and holds what could be proved; `asked` and `nonce` of the origin do not matter. Errors:
 * as above, the first thing wrong. */
int pep_cache_load_fed(const char *folder, const struct pep_keys_origin *origin,
                       struct pep_moment now, struct pep_fed *ret, struct pep_error *err);
/* Those of the two files that `changed` (PEP_FED_*) names, unless they hold something newer. */
int pep_cache_store_fed(const char *folder, const struct pep_keys_origin *origin,
                        const struct pep_fed *fed, unsigned changed, struct pep_error *err);

#endif
