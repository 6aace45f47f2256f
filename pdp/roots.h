/*
 * The chain of root documents that this server holds, oldest first. The newest one says whose
 * policies are accepted; the older ones let a client that pinned an old one follow.
 */
#ifndef PDP_ROOTS_H
#define PDP_ROOTS_H

#include "store.h"

#include "pep/core/root.h"

struct roots;

/* Loads and verifies the chain. */
int roots_open(struct store *store, struct roots **ret, struct pep_error *err);
void roots_close(struct roots *roots);

/* The newest, or NULL while there is none. Borrowed until the next roots_add(). */
const struct pep_root *roots_newest(const struct roots *roots);
uint32_t roots_version(const struct roots *roots); /* 0: none */
/* NULL if that version is not there. Borrowed as above. */
const struct pep_root *roots_at(const struct roots *roots, uint32_t version);
/* The exact bytes of version `version`; empty if it is not there. */
struct pep_span roots_envelope(const struct roots *roots, uint32_t version);

/* Verifies a document: the first one by itself, a later one along the chain; it must name this
 * server's CURVE key and beacon key. Errors: ECONFLICT (this version is there with other content),
 * ESTATE (exactly this document is the newest already), EDENIED (does not name this server),
 * EEXPIRED, and those of root.h. */
struct roots_server {
    const char *curve; /* Z85 */
    const struct pep_public_key *beacon;
};
int roots_check(struct roots *roots, struct pep_span envelope, const struct roots_server *self,
                int64_t now, struct pep_root **ret, struct pep_error *err);
/* Takes over a checked document once it is in the store. Cannot fail: roots_check() made the room.
 */
void roots_add(struct roots *roots, struct pep_root *root);

#endif
