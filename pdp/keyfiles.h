/*
 * The server's own keys and the first operator's context, as files of mode 0600 in the data folder:
 *
 *     curve.key      the CURVE secret key in Z85: who this server is to its clients
 *     beacon.key     Ed25519, PKCS#8 PEM: signs notices, answers and statements, never content
 *     operator.json  written at the first start; `policyctl context add NAME FILE` takes it
 *
 * A key that is there is never replaced: it is listed in the root document, and clients pin it.
 */
#ifndef PDP_KEYFILES_H
#define PDP_KEYFILES_H

#include "server.h"

/* Makes the folder (0700) if it is not there, and refuses one that others may write to. */
int keyfiles_folder(const char *folder, struct pep_error *err);
/* Reads both keys into the server, or makes them. */
int keyfiles_load(struct server *s, struct pep_error *err);
/* Makes an operator when the store has none: operator.json first, then the registry, so that an
 * operator exists whenever the file is the only way in. */
int keyfiles_first_operator(struct server *s, struct pep_error *err);

#endif
