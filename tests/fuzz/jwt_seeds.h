/*
 * What the fuzz target for tokens and its seeds share: one issuer with two keys, both published in
 * RFCs (7515 A.3, 8037 A.1), and the tokens that are known to be valid. Any other token that
 * verifies would be a forgery.
 */
#ifndef PEP_TESTS_FUZZ_JWT_SEEDS_H
#define PEP_TESTS_FUZZ_JWT_SEEDS_H

#define SEED_NOW 1700000000

#define SEED_EC_PUBLIC                                       \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"ec\",\"x\":" \
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":" \
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define SEED_ED_PUBLIC                                          \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\",\"x\":" \
    "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define SEED_EC_PRIVATE "{" SEED_EC_PUBLIC ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"
#define SEED_ED_PRIVATE "{" SEED_ED_PUBLIC ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"
#define SEED_JWKS       "{\"keys\":[{" SEED_EC_PUBLIC "},{" SEED_ED_PUBLIC "}]}"

#define SEED_ISSUERS                                                                           \
    "[{\"issuer\":\"https://a\",\"audiences\":[\"api\"],\"algorithms\":[\"ES256\",\"EdDSA\"]," \
    "\"jwks\":" SEED_JWKS ",\"allow\":{\"roles\":[\"r\"],\"claims\":{\"tenant\":[\"t\"]}}},"   \
    "{\"issuer\":\"https://"                                                                   \
    "b\",\"audiences\":[\"api\"],\"algorithms\":[\"EdDSA\"],\"jwks\":" SEED_JWKS               \
    ",\"token_types\":[\"at+jwt\"],\"required_claims\":[\"jti\"],"                             \
    "\"max_lifetime\":600,\"allow\":{}}]"

static const char *const seed_claims[] = {
    "{\"iss\":\"https://a\",\"aud\":\"api\",\"exp\":1700000600,\"sub\":\"ann\"}",
    "{\"iss\":\"https://a\",\"aud\":[\"x\",\"api\"],\"exp\":1.7000006e9,\"nbf\":1,\"iat\":2,"
    "\"azp\":\"w\",\"client_id\":\"w\",\"roles\":[\"r\"],\"act\":{\"sub\":\"s\"}}",
    "{\"iss\":\"https://b\",\"aud\":\"api\",\"exp\":1700000600,\"iat\":1700000000,\"jti\":\"1\","
    "\"cnf\":{\"x5t#S256\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}}",
};
static const char *const seed_types[] = {"JWT", "application/at+jwt", "at+jwt"};
#define SEED_TOKENS 3

#endif
