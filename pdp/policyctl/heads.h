/*
 * The newest version of each bundle that this machine has verified, per context, in
 * contexts/NAME.heads.json: {"acme": {"epoch": 1, "version": 43, "digest": "sha256:..."}}. It is what
 * a pdpd that was restored or taken over is measured by. The newest step of revoked tokens stands
 * there too, see revocations.c.
 */
#ifndef POLICYCTL_HEADS_H
#define POLICYCTL_HEADS_H

#include "config.h"

#include "pep/core/bundle.h"

struct head {
    uint32_t epoch;
    uint64_t version; /* 0: nothing published yet */
    uint8_t digest[PEP_SHA256_SIZE];
};

/* *ret is untouched if nothing was seen yet. Errors: EIO, EFORMAT, ELIMIT, ENOMEM. */
int heads_load(const char *context, const char *bundle, struct head *ret, struct pep_error *err);
/* Keeps the newer of this one and the stored one. */
int heads_store(const char *context, const char *bundle, const struct head *head,
                struct pep_error *err);

#endif
