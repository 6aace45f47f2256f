/*
 * By what a list of revoked tokens may know a token: see revocation.h. Made once per token, so that
 * a decision compares bytes and hashes nothing.
 */
#include "revocation.h"

#include <math.h>
#include <string.h>

#define TIME_MAX ((double)((int64_t)1 << 53))

int pep_revocation_key(enum pep_revocation_kind kind, struct pep_span issuer, struct pep_span value,
                       uint8_t out[PEP_REVOCATION_KEY])
{
    uint8_t digest[PEP_SHA256_SIZE];
    struct pep_buffer b = pep_buffer_of(1 + 4 + issuer.size + value.size);
    pep_put_u8(&b, (uint8_t)kind);
    pep_put_u32(&b, (uint32_t)issuer.size);
    pep_put_span(&b, issuer);
    pep_put_span(&b, value);
    int r = b.failed ? PEP_ENOMEM : pep_sha256(pep_buffer_span(&b), digest);
    pep_buffer_free(&b);
    if (r == PEP_OK)
        memcpy(out, digest, PEP_REVOCATION_KEY);
    return r;
}

int pep_token_marks_read(const char *issuer, const json_t *claims, struct pep_token_marks *ret)
{
    static const char *const names[PEP_REVOCATION_KINDS] = {"jti", "sid", "sub"};
    struct pep_token_marks m = {.has = 0};
    for (int i = 0; i < PEP_REVOCATION_KINDS; i++) {
        const json_t *value = json_object_get(claims, names[i]);
        if (!json_is_string(value))
            continue;
        struct pep_span text = pep_span_of(json_string_value(value), json_string_length(value));
        if (pep_revocation_key((enum pep_revocation_kind)(i + 1), pep_span_string(issuer), text,
                               m.keys[i]) != PEP_OK)
            return PEP_ENOMEM;
        m.has |= (uint8_t)(1 << i);
    }
    const json_t *iat = json_object_get(claims, "iat");
    double seconds = json_is_number(iat) ? floor(json_number_value(iat)) : -1;
    m.dated = seconds >= 0 && seconds <= TIME_MAX;
    m.issued_at = m.dated ? (int64_t)seconds : 0;
    *ret = m;
    return PEP_OK;
}

int pep_token_revoked(const struct pep_revocations *r, const struct pep_token_marks *m)
{
    if (pep_revocations_count(r) == 0)
        return 0;
    for (int i = 0; i < PEP_REVOCATION_KINDS; i++) {
        if ((m->has & 1 << i) == 0)
            continue;
        const struct pep_revocation *e = pep_revocations_find(r, m->keys[i]);
        if (e != NULL && (i + 1 != PEP_REVOKE_SUBJECT || !m->dated || m->issued_at < e->before))
            return i + 1;
    }
    return 0;
}
