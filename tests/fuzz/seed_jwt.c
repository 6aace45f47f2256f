/* Valid inputs for each way into fuzz_jwt.c; the first byte names the way. */
#include "jwt_seeds.h"
#include "seeds.h"

#include "pep/core/jwt.h"
#include "pep/core/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void seed_way(char way, const char *name, const char *text)
{
    struct pep_buffer b = pep_buffer_of(1 << 20);
    pep_put_u8(&b, (uint8_t)way);
    pep_put_bytes(&b, text, strlen(text));
    seed_write(name, pep_buffer_span(&b));
    pep_buffer_free(&b);
}

static void seed_tokens(const char *jwk_text, const char *name)
{
    json_t *jwk = json_loads(jwk_text, 0, NULL);
    struct pep_jwk_private *key = NULL;
    if (pep_jwk_private_read(jwk, &key, NULL) != PEP_OK)
        abort();
    for (size_t i = 0; i < SEED_TOKENS; i++) {
        struct pep_buffer b = pep_buffer_of(1 << 20);
        json_t *header = json_pack("{s:s}", "typ", seed_types[i]);
        char file[64];
        if (pep_jwt_sign(key, header, pep_span_string(seed_claims[i]), &b, NULL) != PEP_OK)
            abort();
        snprintf(file, sizeof(file), "token-%s-%zu", name, i);
        seed_way('0', file, (const char *)b.data);
        json_decref(header);
        pep_buffer_free(&b);
    }
    pep_jwk_private_free(key);
    json_decref(jwk);
}

void seeds(void)
{
    seed_tokens(SEED_EC_PRIVATE, "ec");
    seed_tokens(SEED_ED_PRIVATE, "ed");
    for (size_t i = 0; i < SEED_TOKENS; i++) {
        char file[64], text[1024];
        snprintf(file, sizeof(file), "claims-%zu", i);
        snprintf(text, sizeof(text), "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"typ\":\"%s\"}\n%s",
                 seed_types[i], seed_claims[i]);
        seed_way('1', file, text);
    }
    seed_way('2', "issuers", SEED_ISSUERS);
    seed_way('3', "jwks", SEED_JWKS);
    seed_way(
        '3', "rsa",
        "{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"PS256\",\"use\":\"sig\",\"key_ops\":[\"verify\"],"
        "\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp"
        "-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wG"
        "zjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4u"
        "DZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9"
        "gb54h4FRWyuXpoQ\"}]}");
}
