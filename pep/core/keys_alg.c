/* Names and parameters of the token algorithms (RFC 7518 section 3, RFC 8037, RFC 9864): one table,
 * because a name that is known in one place and not in another is how confusion starts. */
#include "keys_alg.h"

#include <openssl/rsa.h>
#include <string.h>

static const struct pep_alg_row rows[PEP_ALG_COUNT] = {
    [PEP_ALG_RS256] = {"RS256", "RSA", NULL, NULL, "SHA256", false, 0},
    [PEP_ALG_RS384] = {"RS384", "RSA", NULL, NULL, "SHA384", false, 0},
    [PEP_ALG_RS512] = {"RS512", "RSA", NULL, NULL, "SHA512", false, 0},
    [PEP_ALG_PS256] = {"PS256", "RSA", NULL, NULL, "SHA256", true, 0},
    [PEP_ALG_PS384] = {"PS384", "RSA", NULL, NULL, "SHA384", true, 0},
    [PEP_ALG_PS512] = {"PS512", "RSA", NULL, NULL, "SHA512", true, 0},
    [PEP_ALG_ES256] = {"ES256", "EC", "P-256", "prime256v1", "SHA256", false, 32},
    [PEP_ALG_ES384] = {"ES384", "EC", "P-384", "secp384r1", "SHA384", false, 48},
    [PEP_ALG_ES512] = {"ES512", "EC", "P-521", "secp521r1", "SHA512", false, 66},
    [PEP_ALG_EDDSA] = {"EdDSA", "OKP", "Ed25519", NULL, NULL, false, 0},
};

const struct pep_alg_row *pep_alg_row(enum pep_alg alg)
{
    return alg > PEP_ALG_NONE && alg < PEP_ALG_COUNT ? &rows[alg] : NULL;
}

enum pep_alg pep_alg_find(struct pep_span name)
{
    for (int i = PEP_ALG_NONE + 1; i < PEP_ALG_COUNT; i++) {
        if (pep_span_is(name, rows[i].name))
            return (enum pep_alg)i;
    }
    return pep_span_is(name, "Ed25519") ? PEP_ALG_EDDSA : PEP_ALG_NONE;
}

const char *pep_alg_name(enum pep_alg alg)
{
    const struct pep_alg_row *row = pep_alg_row(alg);
    return row == NULL ? "none" : row->name;
}

int pep_alg_set_padding(const struct pep_alg_row *row, EVP_PKEY_CTX *ctx)
{
    if (!row->pss)
        return PEP_OK;
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) <= 0)
        return PEP_ENOMEM;
    return PEP_OK;
}
