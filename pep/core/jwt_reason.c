/* Why tokens are refused, in words for operators. Callers of a service see "bad_token" and no more.
 */
#include "jwt_parts.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name, *text;
} reasons[PEP_JWT_REASONS] = {
    [PEP_JWT_OK] = {"ok", "the token is valid"},
    [PEP_JWT_MISSING] = {"missing", "no token"},
    [PEP_JWT_SIZE] = {"size", "empty, or larger than 16 KiB"},
    [PEP_JWT_SHAPE] = {"shape", "not three parts of canonical, unpadded base64url"},
    [PEP_JWT_HEADER] = {"header", "the header is not a JSON object of the right form"},
    [PEP_JWT_CRIT] = {"crit", "uses crit, b64 or zip, which are not supported"},
    [PEP_JWT_ALGORITHM] = {"algorithm", "signed with an algorithm that is not accepted"},
    [PEP_JWT_TYPE] = {"type", "another kind of token (typ)"},
    [PEP_JWT_PAYLOAD] = {"payload", "the payload is not a JSON object of the right form"},
    [PEP_JWT_ISSUER] = {"issuer", "issued by somebody whom this policy does not know"},
    [PEP_JWT_KEY] = {"key", "the issuer has no such key for this algorithm"},
    [PEP_JWT_KEYS_ABSENT] = {"keys_absent", "the issuer's keys have not arrived or are too old"},
    [PEP_JWT_SIGNATURE] = {"signature", "the signature does not hold"},
    [PEP_JWT_AUDIENCE] = {"audience", "meant for another service (aud)"},
    [PEP_JWT_TIME] = {"time", "exp, nbf or iat missing, not a number, or out of range"},
    [PEP_JWT_EXPIRED] = {"expired", "expired"},
    [PEP_JWT_NOT_YET] = {"not_yet", "not valid yet"},
    [PEP_JWT_LIFETIME] = {"lifetime", "valid for longer than the issuer may grant"},
    [PEP_JWT_CLAIM] = {"claim", "a claim is missing or of the wrong type"},
    [PEP_JWT_CLIENT] = {"client", "azp and client_id name different clients"},
    [PEP_JWT_BINDING] = {"binding", "bound to a key (cnf) that the caller did not prove"},
    [PEP_JWT_PROOF_ABSENT] = {"proof_absent", "bound to a key, and no DPoP proof came with it"},
    [PEP_JWT_PROOF] = {"proof", "the DPoP proof does not hold"},
    [PEP_JWT_PROOF_TIME] = {"proof_time", "the DPoP proof is too old, or made in the future"},
    [PEP_JWT_PROOF_REPLAY] = {"proof_replay", "the DPoP proof was used before"},
    [PEP_JWT_PROOF_ROOM] = {"proof_room", "no room to remember one more DPoP proof"},
    [PEP_JWT_ASSERTION] = {"assertion", "says something that its issuer may not assert"},
    [PEP_JWT_REVOKED] = {"revoked", "revoked"},
    [PEP_JWT_MEMORY] = {"memory", "no memory to check it"},
};

const char *pep_jwt_reason_name(enum pep_jwt_reason reason)
{
    return (unsigned)reason < PEP_JWT_REASONS ? reasons[reason].name : "unknown";
}

const char *pep_jwt_reason_text(enum pep_jwt_reason reason)
{
    return (unsigned)reason < PEP_JWT_REASONS ? reasons[reason].text : "unknown";
}

int pep_jwt_refuse(struct pep_jwt_check *check, enum pep_jwt_reason reason, const char *format, ...)
{
    int code = reason == PEP_JWT_MEMORY ? PEP_ENOMEM : PEP_ETOKEN;
    check->reason = reason;
    if (check->err == NULL || check->err->code != PEP_OK)
        return code;
    char text[PEP_ERROR_TEXT];
    va_list ap;
    va_start(ap, format);
    if (vsnprintf(text, sizeof(text), format, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    return pep_error_set(check->err, code, "%s: %s", pep_jwt_reason_name(reason), text);
}
