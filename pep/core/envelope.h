/*
 * DSSE envelopes (github.com/secure-systems-lab/dsse, protocol 1.0.2): a payload of exact bytes with
 * a type, and signatures over PAE("DSSEv1", type, payload). The type is inside what is signed, so a
 * signature made for one purpose is never valid for another.
 *
 *     {"payload":"<base64>","payloadType":"application/vnd.pdp.bundle+json",
 *      "signatures":[{"keyid":"<hex>","sig":"<base64>"}]}
 *
 * Reading an envelope proves nothing. The payload is handed out only by pep_envelope_verify().
 */
#ifndef PEP_CORE_ENVELOPE_H
#define PEP_CORE_ENVELOPE_H

#include "keys.h"

#define PEP_ENVELOPE_MAX     (2 * 1024 * 1024)
#define PEP_SIGNATURES_MAX   32
#define PEP_PAYLOAD_MAX      (PEP_ENVELOPE_MAX / 4 * 3 - 8 * 1024) /* leaves room for signatures */

#define PEP_TYPE_BUNDLE    "application/vnd.pdp.bundle+json"
#define PEP_TYPE_ROOT      "application/vnd.pdp.root+json"
#define PEP_TYPE_NOTICE    "application/vnd.pdp.notice"    /* compact form, see wire.h */
#define PEP_TYPE_ANSWER    "application/vnd.pdp.answer"    /* compact form */
#define PEP_TYPE_STATEMENT "application/vnd.pdp.statement" /* compact form */
#define PEP_TYPE_KEYS      "application/vnd.pdp.keys"      /* compact form, see wire_feed.h */
#define PEP_TYPE_REVOKED   "application/vnd.pdp.revoked"   /* compact form, see revocation.h */

/* Keys of which `threshold` different ones must have signed. Borrowed pointers. */
struct pep_signers {
    const struct pep_public_key *keys;
    size_t count;
    unsigned threshold;
};

struct pep_envelope;

/* Parses, checks shape and limits. Errors: EFORMAT, ELIMIT, ENOMEM. */
int pep_envelope_read(struct pep_span text, struct pep_envelope **ret, struct pep_error *err);
void pep_envelope_free(struct pep_envelope *e);
/* The payload if its type is exactly `type` and at least `threshold` different keys of `signers`
 * have signed it (same key twice counts once; unknown and invalid extra signatures are ignored).
 * Borrowed from the envelope. Errors: ESIGNATURE, EFORMAT (type), ENOMEM. */
int pep_envelope_verify(const struct pep_envelope *e, const char *type,
                        const struct pep_signers *signers, struct pep_span *ret_payload,
                        struct pep_error *err);
/* The same, and which of `signers` made the first valid signature. Both borrowed. */
struct pep_verified {
    struct pep_span payload;
    const struct pep_public_key *signer;
};
int pep_envelope_verify_signer(const struct pep_envelope *e, const char *type,
                               const struct pep_signers *signers, struct pep_verified *ret,
                               struct pep_error *err);
/* What it claims, unverified: for messages and for finding the right root. */
struct pep_span pep_envelope_unverified_payload(const struct pep_envelope *e);
/* The bytes that a signature covers. Appends to `out`. */
void pep_put_pae(struct pep_buffer *out, const char *type, struct pep_span payload);

/* The compact form for small binary statements on the wire: body || 64-byte signature over
 * PAE(type, body), one key. On success *ret_body borrows from `message`. */
int pep_compact_verify(struct pep_span message, const char *type, const struct pep_signers *signers,
                       struct pep_span *ret_body);

#endif
