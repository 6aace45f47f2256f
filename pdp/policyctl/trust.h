/*
 * What this machine believes about a context's pdpd: the pinned root, followed along its chain to
 * the newest, and the head of a bundle, verified against it. pdpd's word alone is never enough to
 * build a version on.
 */
#ifndef POLICYCTL_TRUST_H
#define POLICYCTL_TRUST_H

#include "heads.h"
#include "keyring.h"
#include "remote.h"

/* The context's root: pinned, brought up to date from pdpd, not expired. On failure the message has
 * been printed; returns the exit code. */
int trust_root(struct session *s, struct remote *r, struct pep_root **ret);

/* The head of a bundle: its manifest verified against `root`, and not older than what this machine
 * has seen. Prints, returns the exit code. */
int trust_head(struct session *s, struct remote *r, const struct pep_root *root, const char *bundle,
               struct head *ret);
/* A whole bundle of this context, verified; `version` 0 is the head. Prints. */
int trust_bundle(struct session *s, struct remote *r, const struct pep_root *root,
                 const char *bundle, uint64_t version, struct pep_bundle **ret);

#endif
