/* What the fuzz target for proofs and its seeds share: the key of RFC 8037 appendix A, one token,
 * one request. */
#ifndef PEP_TESTS_FUZZ_DPOP_SEEDS_H
#define PEP_TESTS_FUZZ_DPOP_SEEDS_H

#define SEED_NOW    1700000000
#define SEED_URI    "https://api.example/a"
#define SEED_TOKEN  "an.access.token"
#define SEED_ATH    "UkM2b42E54u4hWzuKV_B3zyulUA6vtNYjJUv_ru2Qck"
#define SEED_JKT    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" /* RFC 8037 A.3 */
#define SEED_SECRET "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define SEED_HEADER                                                                               \
    "{\"typ\":\"dpop+jwt\",\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":" \
    "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}"
#define SEED_CLAIMS                                      \
    "{\"jti\":\"1\",\"htm\":\"GET\",\"htu\":\"" SEED_URI \
    "\",\"iat\":1700000000,\"ath\":\"" SEED_ATH "\"}"

#endif
