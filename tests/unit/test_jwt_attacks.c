/*
 * What a token may say in its header and claims: one row for each attack that we know of, with what
 * must be refused and why, and beside it the nearest correct token, which must pass. docs/tokens.md
 * maps the classes of attack to the names here; test_jwt_forgery.c has signatures and shapes.
 */
#include "token_world.h"

static void algorithm_none_and_unknown(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"right", "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", NULL, PEP_JWT_OK},
        {"its other name", "{\"alg\":\"Ed25519\",\"kid\":\"ed\"}", NULL, PEP_JWT_OK},
        {"none", "{\"alg\":\"none\",\"kid\":\"ed\"}", NULL, PEP_JWT_ALGORITHM},
        {"None", "{\"alg\":\"None\",\"kid\":\"ed\"}", NULL, PEP_JWT_ALGORITHM},
        {"NONE", "{\"alg\":\"NONE\"}", NULL, PEP_JWT_ALGORITHM},
        {"nOnE", "{\"alg\":\"nOnE\"}", NULL, PEP_JWT_ALGORITHM},
        {"empty", "{\"alg\":\"\"}", NULL, PEP_JWT_ALGORITHM},
        {"absent", "{\"kid\":\"ed\"}", NULL, PEP_JWT_HEADER},
        {"null", "{\"alg\":null}", NULL, PEP_JWT_HEADER},
        {"a list", "{\"alg\":[\"EdDSA\"],\"kid\":\"ed\"}", NULL, PEP_JWT_HEADER},
        {"letter case", "{\"alg\":\"eddsa\",\"kid\":\"ed\"}", NULL, PEP_JWT_ALGORITHM},
        {"a space", "{\"alg\":\"EdDSA \",\"kid\":\"ed\"}", NULL, PEP_JWT_ALGORITHM},
        {"Ed448", "{\"alg\":\"Ed448\",\"kid\":\"ed\"}", NULL, PEP_JWT_ALGORITHM},
        {"encryption", "{\"alg\":\"RSA-OAEP\",\"kid\":\"ed\"}", NULL, PEP_JWT_ALGORITHM},
        {"passwords", "{\"alg\":\"PBES2-HS256+A128KW\",\"p2c\":1000000000}", NULL, PEP_JWT_HEADER},
        {"not listed by any issuer", "{\"alg\":\"ES512\",\"kid\":\"ed\"}", NULL, PEP_JWT_ALGORITHM},
        {"of another key", "{\"alg\":\"ES256\",\"kid\":\"ed\"}", NULL, PEP_JWT_KEY},
        {"of another key, RSA", "{\"alg\":\"RS256\",\"kid\":\"ed\"}", NULL, PEP_JWT_KEY},
        {"RSA key, wrong padding", "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", NULL, PEP_JWT_KEY},
    };
    RUN(rows);
}

static void key_names(void **state)
{
    (void)state;
    char longest[PEP_KID_MAX + 64];
    static const struct row rows[] = {
        {"right", NULL, NULL, PEP_JWT_OK},
        {"absent, one key for EdDSA", "{\"alg\":\"EdDSA\"}", NULL, PEP_JWT_OK},
        {"unknown", "{\"alg\":\"EdDSA\",\"kid\":\"eD\"}", NULL, PEP_JWT_KEY},
        {"empty", "{\"alg\":\"EdDSA\",\"kid\":\"\"}", NULL, PEP_JWT_KEY},
        {"number", "{\"alg\":\"EdDSA\",\"kid\":0}", NULL, PEP_JWT_HEADER},
        {"null", "{\"alg\":\"EdDSA\",\"kid\":null}", NULL, PEP_JWT_HEADER},
        {"path", "{\"alg\":\"EdDSA\",\"kid\":\"../../../dev/null\"}", NULL, PEP_JWT_KEY},
        {"path to the key", "{\"alg\":\"EdDSA\",\"kid\":\"./ed\"}", NULL, PEP_JWT_KEY},
        {"SQL", "{\"alg\":\"EdDSA\",\"kid\":\"x' UNION SELECT 'ed\"}", NULL, PEP_JWT_KEY},
        {"command", "{\"alg\":\"EdDSA\",\"kid\":\"ed|/bin/id\"}", NULL, PEP_JWT_KEY},
        {"URL", "{\"alg\":\"EdDSA\",\"kid\":\"http://127.0.0.1/ed\"}", NULL, PEP_JWT_KEY},
        {"NUL behind", "{\"alg\":\"EdDSA\",\"kid\":\"ed\\u0000\"}", NULL, PEP_JWT_HEADER},
        {"of another issuer", "{\"alg\":\"EdDSA\",\"kid\":\"other\"}", NULL, PEP_JWT_KEY},
    };
    RUN(rows);
    int n = snprintf(longest, sizeof(longest), "{\"alg\":\"EdDSA\",\"kid\":\"%0*d\"}",
                     PEP_KID_MAX + 1, 0);
    assert_true(n > 0 && (size_t)n < sizeof(longest));
    expect_token("too long", ed_token(longest, GOOD_CLAIMS), PEP_JWT_KEY);
}

static void header_extensions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"unknown member", HEADER("\"x\":1"), NULL, PEP_JWT_OK},
        {"crit", HEADER("\"crit\":[\"exp\"]"), NULL, PEP_JWT_CRIT},
        {"crit of b64", HEADER("\"crit\":[\"b64\"],\"b64\":true"), NULL, PEP_JWT_CRIT},
        {"crit unknown", HEADER("\"crit\":[\"bork\"],\"bork\":true"), NULL, PEP_JWT_CRIT},
        {"crit empty", HEADER("\"crit\":[]"), NULL, PEP_JWT_CRIT},
        {"crit null", HEADER("\"crit\":null"), NULL, PEP_JWT_CRIT},
        {"b64 false", HEADER("\"b64\":false"), NULL, PEP_JWT_CRIT},
        {"b64 true", HEADER("\"b64\":true"), NULL, PEP_JWT_CRIT},
        {"zip", HEADER("\"zip\":\"DEF\""), NULL, PEP_JWT_CRIT},
        {"encrypted", HEADER("\"enc\":\"A128GCM\""), NULL, PEP_JWT_HEADER},
        {"content json", HEADER("\"cty\":\"json\""), NULL, PEP_JWT_OK},
        {"nested", HEADER("\"cty\":\"JWT\""), NULL, PEP_JWT_TYPE},
        {"nested, long form", HEADER("\"cty\":\"application/jwt\""), NULL, PEP_JWT_TYPE},
        {"content number", HEADER("\"cty\":1"), NULL, PEP_JWT_HEADER},
    };
    RUN(rows);
}

static void token_types(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"absent", NULL, NULL, PEP_JWT_OK},
        {"JWT", HEADER("\"typ\":\"JWT\""), NULL, PEP_JWT_OK},
        {"jwt", HEADER("\"typ\":\"jwt\""), NULL, PEP_JWT_OK},
        {"access token", HEADER("\"typ\":\"at+jwt\""), NULL, PEP_JWT_OK},
        {"long form", HEADER("\"typ\":\"Application/AT+JWT\""), NULL, PEP_JWT_OK},
        {"DPoP proof", HEADER("\"typ\":\"dpop+jwt\""), NULL, PEP_JWT_TYPE},
        {"transaction token", HEADER("\"typ\":\"txntoken+jwt\""), NULL, PEP_JWT_TYPE},
        {"security event", HEADER("\"typ\":\"application/secevent+jwt\""), NULL, PEP_JWT_TYPE},
        {"logout token", HEADER("\"typ\":\"logout+jwt\""), NULL, PEP_JWT_TYPE},
        {"JOSE", HEADER("\"typ\":\"JOSE\""), NULL, PEP_JWT_TYPE},
        {"empty", HEADER("\"typ\":\"\""), NULL, PEP_JWT_TYPE},
        {"space", HEADER("\"typ\":\"JWT \""), NULL, PEP_JWT_TYPE},
        {"number", HEADER("\"typ\":1"), NULL, PEP_JWT_HEADER},
    };
    RUN(rows);
    static const struct row strict[] = {
        {"listed", "\"typ\":\"at+JWT\"", NULL, PEP_JWT_OK},
        {"listed, long form", "\"typ\":\"application/at+jwt\"", NULL, PEP_JWT_OK},
        {"absent where one is demanded", "\"x\":1", NULL, PEP_JWT_TYPE},
        {"JWT where another is demanded", "\"typ\":\"JWT\"", NULL, PEP_JWT_TYPE},
    };
    for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++) {
        char header[128];
        snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"strict\",%s}",
                 strict[i].header);
        expect_token(strict[i].name,
                     signed_by(world.other, pep_span_string(header),
                               pep_span_string("{\"iss\":\"" STRICT "\"," AUD "," EXP
                                               ",\"iat\":1700000000,\"jti\":\"1\"}")),
                     strict[i].reason);
    }
}

static void header_forms(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"white space", " { \"alg\" : \"EdDSA\" , \"kid\":\"ed\" } ", NULL, PEP_JWT_OK},
        {"alg twice", "{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\"kid\":\"ed\"}", NULL, PEP_JWT_HEADER},
        {"alg twice, escaped", "{\"alg\":\"EdDSA\",\"\\u0061lg\":\"none\",\"kid\":\"ed\"}", NULL,
         PEP_JWT_HEADER},
        {"kid twice", "{\"alg\":\"EdDSA\",\"kid\":\"x\",\"kid\":\"ed\"}", NULL, PEP_JWT_HEADER},
        {"array", "[\"EdDSA\"]", NULL, PEP_JWT_HEADER},
        {"text", "\"EdDSA\"", NULL, PEP_JWT_HEADER},
        {"two objects", GOOD_HEADER GOOD_HEADER, NULL, PEP_JWT_HEADER},
        {"comment", "{\"alg\":\"EdDSA\"/**/}", NULL, PEP_JWT_HEADER},
        {"BOM", "\xef\xbb\xbf" GOOD_HEADER, NULL, PEP_JWT_HEADER},
        {"not UTF-8", "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"x\":\"\xff\"}", NULL, PEP_JWT_HEADER},
    };
    RUN(rows);
}

static void payload_forms(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"right", NULL, NULL, PEP_JWT_OK},
        {"sub twice", NULL, CLAIMS("\"sub\":\"bob\""), PEP_JWT_PAYLOAD},
        {"twice, deep", NULL, CLAIMS("\"act\":{\"sub\":\"a\",\"sub\":\"b\"}"), PEP_JWT_PAYLOAD},
        {"array", NULL, "[" GOOD_CLAIMS "]", PEP_JWT_PAYLOAD},
        {"two objects", NULL, GOOD_CLAIMS "{}", PEP_JWT_PAYLOAD},
        {"not JSON", NULL, "ann", PEP_JWT_PAYLOAD},
        {"BOM", NULL, "\xef\xbb\xbf" GOOD_CLAIMS, PEP_JWT_PAYLOAD},
        {"not UTF-8", NULL, CLAIMS("\"n\":\"\xc0\x80\""), PEP_JWT_PAYLOAD},
        {"half a surrogate", NULL, CLAIMS("\"n\":\"\\ud800\""), PEP_JWT_PAYLOAD},
        {"whole surrogate", NULL, CLAIMS("\"n\":\"\\ud83d\\ude00\""), PEP_JWT_OK},
        {"NUL in a text", NULL, CLAIMS("\"n\":\"alice\\u0000.evil\""), PEP_JWT_PAYLOAD},
        {"largest integer", NULL, CLAIMS("\"n\":9223372036854775807"), PEP_JWT_OK},
        {"larger integer", NULL, CLAIMS("\"n\":9223372036854775808"), PEP_JWT_PAYLOAD},
        {"infinite", NULL, CLAIMS("\"n\":1e400"), PEP_JWT_PAYLOAD},
        {"NaN", NULL, CLAIMS("\"n\":NaN"), PEP_JWT_PAYLOAD},
    };
    RUN(rows);
    static const char raw_nul[] = "{" BASE "," AUD "," EXP ",\"n\":1\0,\"m\":2}";
    expect_token("NUL behind a number",
                 signed_by(world.ed, pep_span_string(GOOD_HEADER),
                           pep_span_of(raw_nul, sizeof(raw_nul) - 1)),
                 PEP_JWT_PAYLOAD);
}

static void payload_depth(void **state)
{
    (void)state;
    for (size_t depth = PEP_JSON_DEPTH - 1; depth <= PEP_JSON_DEPTH; depth++) {
        struct pep_buffer b = pep_buffer_of(4096);
        pep_put_format(&b, "{" BASE "," AUD "," EXP ",\"n\":");
        for (size_t i = 0; i < depth; i++)
            pep_put_u8(&b, '[');
        for (size_t i = 0; i < depth; i++)
            pep_put_u8(&b, ']');
        pep_put_u8(&b, '}');
        expect_token("depth",
                     signed_by(world.ed, pep_span_string(GOOD_HEADER), pep_buffer_span(&b)),
                     depth < PEP_JSON_DEPTH ? PEP_JWT_OK : PEP_JWT_PAYLOAD);
        pep_buffer_free(&b);
    }
}

#define TIMES(text) "{" BASE "," AUD "," text "}"

static void times_of_expiry(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"right", NULL, TIMES("\"exp\":1700000001"), PEP_JWT_OK},
        {"now", NULL, TIMES("\"exp\":1700000000"), PEP_JWT_EXPIRED},
        {"fraction", NULL, TIMES("\"exp\":1700000000.5"), PEP_JWT_OK},
        {"past fraction", NULL, TIMES("\"exp\":1699999999.5"), PEP_JWT_EXPIRED},
        {"exponent", NULL, TIMES("\"exp\":17000006e2"), PEP_JWT_OK},
        {"absent", NULL, "{" BASE "," AUD "}", PEP_JWT_TIME},
        {"null", NULL, TIMES("\"exp\":null"), PEP_JWT_TIME},
        {"text", NULL, TIMES("\"exp\":\"1700000600\""), PEP_JWT_TIME},
        {"true", NULL, TIMES("\"exp\":true"), PEP_JWT_TIME},
        {"array", NULL, TIMES("\"exp\":[1700000600]"), PEP_JWT_TIME},
        {"negative", NULL, TIMES("\"exp\":-1"), PEP_JWT_TIME},
        {"zero", NULL, TIMES("\"exp\":0"), PEP_JWT_EXPIRED},
        {"year 9999", NULL, TIMES("\"exp\":253402300799"), PEP_JWT_OK},
        {"beyond it", NULL, TIMES("\"exp\":253402300800"), PEP_JWT_TIME},
        {"milliseconds", NULL, TIMES("\"exp\":1700000600000"), PEP_JWT_TIME},
        {"largest integer", NULL, TIMES("\"exp\":9223372036854775807"), PEP_JWT_TIME},
        {"smallest integer", NULL, TIMES("\"exp\":-9223372036854775808"), PEP_JWT_TIME},
        {"1e308", NULL, TIMES("\"exp\":1e308"), PEP_JWT_TIME},
        {"-1e308", NULL, TIMES("\"exp\":-1e308"), PEP_JWT_TIME},
    };
    RUN(rows);
}

static void times_of_beginning(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"nbf now", NULL, CLAIMS("\"nbf\":1700000000"), PEP_JWT_OK},
        {"nbf later", NULL, CLAIMS("\"nbf\":1700000001"), PEP_JWT_NOT_YET},
        {"nbf later, fraction", NULL, CLAIMS("\"nbf\":1700000000.1"), PEP_JWT_NOT_YET},
        {"nbf text", NULL, CLAIMS("\"nbf\":\"0\""), PEP_JWT_TIME},
        {"nbf null", NULL, CLAIMS("\"nbf\":null"), PEP_JWT_TIME},
        {"nbf 1e308", NULL, CLAIMS("\"nbf\":1e308"), PEP_JWT_TIME},
        {"iat now", NULL, CLAIMS("\"iat\":1700000000"), PEP_JWT_OK},
        {"iat later", NULL, CLAIMS("\"iat\":1700000001"), PEP_JWT_NOT_YET},
        {"iat false", NULL, CLAIMS("\"iat\":false"), PEP_JWT_TIME},
        {"iat smallest", NULL, CLAIMS("\"iat\":-9223372036854775808"), PEP_JWT_TIME},
    };
    RUN(rows);
}

static void leeway_is_bounded(void **state)
{
    (void)state;
    char *token = ed_token(GOOD_HEADER, TIMES("\"exp\":1699999970"));
    expect_at("leeway 31", token, 31, PEP_JWT_OK);
    expect_at("leeway 30", token, 30, PEP_JWT_EXPIRED);
    expect_at("no leeway", token, 0, PEP_JWT_EXPIRED);
    expect_at("negative leeway", token, -9, PEP_JWT_EXPIRED);
    free(token);
    token = ed_token(GOOD_HEADER, TIMES("\"exp\":1699999939"));
    expect_at("leeway beyond 60", token, 62, PEP_JWT_EXPIRED);
    expect_at("leeway without bounds", token, INT64_MAX, PEP_JWT_EXPIRED);
    free(token);
    token = ed_token(GOOD_HEADER, CLAIMS("\"nbf\":1700000060,\"iat\":1700000060"));
    expect_at("nbf within", token, 60, PEP_JWT_OK);
    expect_at("nbf outside", token, 59, PEP_JWT_NOT_YET);
    free(token);
}

static char *strict_token(const char *claims)
{
    return signed_by(world.other,
                     pep_span_string("{\"alg\":\"EdDSA\",\"kid\":\"strict\",\"typ\":\"at+jwt\"}"),
                     pep_span_string(claims));
}

#define STRICT_CLAIMS(more) "{\"iss\":\"" STRICT "\"," AUD "," more "}"

static void lifetime_and_required_claims(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"right", NULL, STRICT_CLAIMS(EXP ",\"iat\":1700000000,\"jti\":\"1\""), PEP_JWT_OK},
        {"too long", NULL, STRICT_CLAIMS(EXP ",\"iat\":1699999999,\"jti\":\"1\""),
         PEP_JWT_LIFETIME},
        {"no iat", NULL, STRICT_CLAIMS(EXP ",\"jti\":\"1\""), PEP_JWT_TIME},
        {"no jti", NULL, STRICT_CLAIMS(EXP ",\"iat\":1700000000"), PEP_JWT_CLAIM},
        {"jti null", NULL, STRICT_CLAIMS(EXP ",\"iat\":1700000000,\"jti\":null"), PEP_JWT_CLAIM},
        {"jti number", NULL, STRICT_CLAIMS(EXP ",\"iat\":1700000000,\"jti\":1"), PEP_JWT_CLAIM},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_token(rows[i].name, strict_token(rows[i].payload), rows[i].reason);
}

#define ISS(text) "{\"iss\":" text "," AUD "," EXP "}"
#define WHO(text) "{" BASE ",\"aud\":" text "," EXP "}"

static void issuers_are_exact(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"right", NULL, ISS("\"https://idp.example\""), PEP_JWT_OK},
        {"absent", NULL, "{" AUD "," EXP "}", PEP_JWT_ISSUER},
        {"slash", NULL, ISS("\"https://idp.example/\""), PEP_JWT_ISSUER},
        {"substring", NULL, ISS("\"https://idp.exampl\""), PEP_JWT_ISSUER},
        {"longer", NULL, ISS("\"https://idp.example.evil\""), PEP_JWT_ISSUER},
        {"letter case", NULL, ISS("\"https://IDP.example\""), PEP_JWT_ISSUER},
        {"empty", NULL, ISS("\"\""), PEP_JWT_ISSUER},
        {"array", NULL, ISS("[\"https://idp.example\"]"), PEP_JWT_ISSUER},
        {"number", NULL, ISS("1"), PEP_JWT_ISSUER},
        {"null", NULL, ISS("null"), PEP_JWT_ISSUER},
        {"another's name under our key", NULL, ISS("\"" OTHER "\""), PEP_JWT_KEY},
    };
    RUN(rows);
}

static void audiences_are_exact(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"text", NULL, WHO("\"billing-api\""), PEP_JWT_OK},
        {"array", NULL, WHO("[\"x\",\"billing-api\"]"), PEP_JWT_OK},
        {"absent", NULL, "{" BASE "," EXP "}", PEP_JWT_AUDIENCE},
        {"null", NULL, WHO("null"), PEP_JWT_AUDIENCE},
        {"empty array", NULL, WHO("[]"), PEP_JWT_AUDIENCE},
        {"empty text", NULL, WHO("\"\""), PEP_JWT_AUDIENCE},
        {"another", NULL, WHO("\"shop-api\""), PEP_JWT_AUDIENCE},
        {"prefix", NULL, WHO("\"billing\""), PEP_JWT_AUDIENCE},
        {"longer", NULL, WHO("\"billing-api2\""), PEP_JWT_AUDIENCE},
        {"list in a text", NULL, WHO("\"billing-api shop-api\""), PEP_JWT_AUDIENCE},
        {"object", NULL, WHO("{\"billing-api\":true}"), PEP_JWT_AUDIENCE},
        {"number beside it", NULL, WHO("[\"billing-api\",1]"), PEP_JWT_AUDIENCE},
        {"nested", NULL, WHO("[[\"billing-api\"]]"), PEP_JWT_AUDIENCE},
    };
    RUN(rows);
}

static void own_audience_and_the_issuers_must_be_the_same_value(void **state)
{
    (void)state;
    static const char *const mine[] = {"billing-api", "unknown-to-issuer"};
    const struct pep_strings own = {mine, 2};
    const struct pep_jwt_expect expect = {.audiences = &own, .now = NOW};
    const struct {
        const char *aud;
        enum pep_jwt_reason reason;
    } rows[] = {
        {WHO("\"billing-api\""), PEP_JWT_OK},
        {WHO("\"reports\""), PEP_JWT_AUDIENCE},
        {WHO("\"unknown-to-issuer\""), PEP_JWT_AUDIENCE},
        {WHO("[\"reports\",\"unknown-to-issuer\"]"), PEP_JWT_AUDIENCE},
        {WHO("[\"reports\",\"billing-api\"]"), PEP_JWT_OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *token = ed_token(GOOD_HEADER, rows[i].aud);
        assert_int_equal(reason_of(world.issuers, token, &expect), rows[i].reason);
        free(token);
    }
    const struct pep_strings nobody = {mine, 0};
    const struct pep_jwt_expect none = {.audiences = &nobody, .now = NOW};
    char *token = ed_token(GOOD_HEADER, GOOD_CLAIMS);
    assert_int_equal(reason_of(world.issuers, token, &none), PEP_JWT_AUDIENCE);
    free(token);
}

static void registered_claims(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"no sub", NULL, "{\"iss\":\"" ISSUER "\"," AUD "," EXP "}", PEP_JWT_OK},
        {"sub number", NULL, "{\"iss\":\"" ISSUER "\"," AUD "," EXP ",\"sub\":1}", PEP_JWT_CLAIM},
        {"sub null", NULL, "{\"iss\":\"" ISSUER "\"," AUD "," EXP ",\"sub\":null}", PEP_JWT_CLAIM},
        {"azp alone", NULL, CLAIMS("\"azp\":\"web\""), PEP_JWT_OK},
        {"same client", NULL, CLAIMS("\"azp\":\"web\",\"client_id\":\"web\""), PEP_JWT_OK},
        {"two clients", NULL, CLAIMS("\"azp\":\"web\",\"client_id\":\"app\""), PEP_JWT_CLIENT},
        {"azp array", NULL, CLAIMS("\"azp\":[\"web\"]"), PEP_JWT_CLAIM},
        {"client_id object", NULL, CLAIMS("\"client_id\":{}"), PEP_JWT_CLAIM},
    };
    RUN(rows);
}

#define PRINT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static void bindings(void **state)
{
    (void)state;
    uint8_t certificate[32], another[32] = {1};
    for (uint8_t i = 0; i < 32; i++)
        certificate[i] = i;
    static const struct row rows[] = {
        {"right", NULL, CLAIMS("\"cnf\":{\"x5t#S256\":\"" PRINT "\"}"), PEP_JWT_OK},
        {"a key", NULL, CLAIMS("\"cnf\":{\"jwk\":{}}"), PEP_JWT_BINDING},
        {"and a bad key", NULL, CLAIMS("\"cnf\":{\"x5t#S256\":\"" PRINT "\",\"jkt\":\"x\"}"),
         PEP_JWT_BINDING},
        {"and something else", NULL, CLAIMS("\"cnf\":{\"x5t#S256\":\"" PRINT "\",\"kid\":\"x\"}"),
         PEP_JWT_BINDING},
        {"empty", NULL, CLAIMS("\"cnf\":{}"), PEP_JWT_BINDING},
        {"null", NULL, CLAIMS("\"cnf\":null"), PEP_JWT_BINDING},
        {"text", NULL, CLAIMS("\"cnf\":\"" PRINT "\""), PEP_JWT_BINDING},
        {"short", NULL, CLAIMS("\"cnf\":{\"x5t#S256\":\"AAEC\"}"), PEP_JWT_BINDING},
        {"tail bits", NULL,
         CLAIMS("\"cnf\":{\"x5t#S256\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9\"}"),
         PEP_JWT_BINDING},
        {"padded", NULL, CLAIMS("\"cnf\":{\"x5t#S256\":\"" PRINT "=\"}"), PEP_JWT_BINDING},
    };
    const struct pep_jwt_expect right = {.now = NOW, .peer_cert_sha256 = certificate};
    const struct pep_jwt_expect wrong = {.now = NOW, .peer_cert_sha256 = another};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *token = ed_token(GOOD_HEADER, rows[i].payload);
        assert_int_equal(reason_of(world.issuers, token, &right), rows[i].reason);
        assert_int_equal(reason_of(world.issuers, token, &wrong), PEP_JWT_BINDING);
        expect_token("without a certificate", token, PEP_JWT_BINDING);
    }
    char *token = ed_token(GOOD_HEADER, rows[0].payload);
    struct pep_jwt *jwt = NULL;
    assert_int_equal(
        pep_jwt_verify(world.issuers, pep_span_string(token), &right, &jwt, NULL, NULL), PEP_OK);
    assert_true(pep_jwt_binding_holds(jwt, certificate));
    assert_false(pep_jwt_binding_holds(jwt, another));
    assert_false(pep_jwt_binding_holds(jwt, NULL));
    pep_jwt_free(jwt);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algorithm_none_and_unknown),
        cmocka_unit_test(key_names),
        cmocka_unit_test(header_extensions),
        cmocka_unit_test(token_types),
        cmocka_unit_test(header_forms),
        cmocka_unit_test(payload_forms),
        cmocka_unit_test(payload_depth),
        cmocka_unit_test(times_of_expiry),
        cmocka_unit_test(times_of_beginning),
        cmocka_unit_test(leeway_is_bounded),
        cmocka_unit_test(lifetime_and_required_claims),
        cmocka_unit_test(issuers_are_exact),
        cmocka_unit_test(audiences_are_exact),
        cmocka_unit_test(own_audience_and_the_issuers_must_be_the_same_value),
        cmocka_unit_test(registered_claims),
        cmocka_unit_test(bindings),
    };
    return cmocka_run_group_tests(tests, make_world, end_world);
}
