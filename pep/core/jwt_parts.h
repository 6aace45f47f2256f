/*
 * Between the files of jwt: a token taken apart, and the one way to refuse it. Private to jwt*.c.
 *
 *     jwt_parts.c   size, shape, header          (nothing of this proves anything)
 *     jwt.c         issuer, key, signature, and who owns what
 *     jwt_claims.c  everything the claims must say, once the signature holds
 *     jwt_reason.c  the table of reasons
 */
#ifndef PEP_CORE_JWT_PARTS_H
#define PEP_CORE_JWT_PARTS_H

#include "json.h"
#include "jwt.h"
#include "keys_alg.h"

/* Room for any decoded part of a token within PEP_TOKEN_MAX. */
#define PEP_JWT_PART_MAX (PEP_TOKEN_MAX / 4 * 3 + 3)
#define PEP_JWT_TYPE_MAX 64

struct pep_jwt_check {
    enum pep_jwt_reason reason;
    struct pep_error *err;
};

/* Sets reason and text, returns PEP_ETOKEN (PEP_ENOMEM for PEP_JWT_MEMORY). The text may name what
 * a header or claim says, never the token itself. */
int pep_jwt_refuse(struct pep_jwt_check *check, enum pep_jwt_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Spans of the token's text; `header_json` owned. */
struct pep_jwt_parts {
    struct pep_span header, payload, signature, signed_text;
    json_t *header_json;
    enum pep_alg alg;
    bool has_kid;
    struct pep_span kid;         /* borrowed from header_json */
    char type[PEP_JWT_TYPE_MAX]; /* `typ` in lower case without "application/", or "" */
};

int pep_jwt_split(struct pep_jwt_check *check, struct pep_span token, struct pep_jwt_parts *ret);
/* Also decides everything that a header alone can decide. Free header_json in every case. */
int pep_jwt_read_header(struct pep_jwt_check *check, struct pep_jwt_parts *parts);
/* A part's bytes as a JSON object. */
int pep_jwt_read_object(struct pep_jwt_check *check, struct pep_span text,
                        enum pep_jwt_reason reason, json_t **ret);

struct pep_jwt {
    json_t *claims;
    const struct pep_issuer *issuer;
    int64_t expires;
    char thumbprint[PEP_THUMBPRINT_TEXT]; /* of the key that signed it */
    enum pep_alg alg;
    bool certified; /* cnf: only together with the certificate of this hash */
    uint8_t binding[PEP_SHA256_SIZE];
    char jkt[PEP_THUMBPRINT_TEXT]; /* cnf: only together with a proof by this key; "": without */
};

int pep_jwt_check_type(struct pep_jwt_check *check, const struct pep_jwt_parts *parts,
                       const struct pep_issuer *issuer);
/* Fills `expires`, `certified`, `binding` and `jkt`; asks for neither certificate nor proof. */
int pep_jwt_check_claims(struct pep_jwt_check *check, const struct pep_jwt_expect *expect,
                         struct pep_jwt *jwt);

#endif
