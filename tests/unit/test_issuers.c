/* issuers.json: every member read, and every way to get it wrong reported under its own code. */
#include "token_kit.h"

#define KEY \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define PRINT       "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
#define NAME        "\"issuer\":\"https://a\""
#define AUD         "\"audiences\":[\"api\"]"
#define ALGS        "\"algorithms\":[\"EdDSA\"]"
#define KEYS        "\"jwks\":{\"keys\":[" KEY "]}"
#define FULL        NAME "," AUD "," ALGS "," KEYS
#define RELAY(more) NAME "," AUD "," ALGS "," more

/* Reads a table; the first diagnosis' code in `code`, "" if there is none. */
static int read_table(const char *text, struct pep_issuers **ret, char code[8], char *message)
{
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_issuers_read(pep_span_string(text), "issuers.json", ret, &diags, &err);
    assert_int_equal(err.code, r);
    assert_true((r == PEP_OK) == (diags.errors == 0));
    snprintf(code, 8, "%s", diags.count == 0 ? "" : diags.items[0].code);
    if (message != NULL)
        snprintf(message, 512, "%s|%s|%d", diags.count == 0 ? "" : diags.items[0].message,
                 diags.count == 0 || diags.items[0].help == NULL ? "" : diags.items[0].help,
                 diags.count == 0 ? 0 : diags.items[0].line);
    for (size_t i = 0; i < diags.count; i++)
        assert_non_null(pep_diag_explain(diags.items[i].code));
    pep_diags_free(&diags);
    return r;
}

static void a_full_entry_is_read_whole(void **state)
{
    (void)state;
    struct pep_issuers *table = NULL;
    char code[8];
    assert_int_equal(
        read_table("[{" NAME
                   ",\"audiences\":[\"z\",\"api\",\"b\"],\"algorithms\":[\"Ed25519\"]," KEYS
                   ",\"key_thumbprints\":[\"" PRINT "\"],\"required_claims\":[\"sub\"],"
                   "\"token_types\":[\"at+jwt\"],\"max_lifetime\":3600,\"allow\":{\"roles\":["
                   "\"viewer\",\"editor\"],\"clients\":[],\"claims\":{\"tenant\":[\"acme\"]}}}]",
                   &table, code, NULL),
        PEP_OK);
    assert_string_equal(code, "");
    assert_int_equal(pep_issuers_count(table), 1);
    const struct pep_issuer *i = pep_issuers_find(table, pep_span_string("https://a"));
    assert_non_null(i);
    assert_ptr_equal(i, pep_issuers_at(table, 0));
    assert_null(pep_issuers_at(table, 1));
    assert_int_equal(i->audiences.count, 3);
    assert_string_equal(i->audiences.items[0], "api");
    assert_true(pep_strings_has(&i->audiences, pep_span_string("z")));
    assert_int_equal(i->algorithms, 1U << PEP_ALG_EDDSA);
    assert_int_equal(pep_jwks_count(i->keys), 1);
    assert_string_equal(i->required_claims.items[0], "sub");
    assert_string_equal(i->token_types.items[0], "at+jwt");
    assert_int_equal(i->max_lifetime, 3600);
    assert_true(i->has_allow && i->limits_roles && i->limits_clients && !i->limits_acr);
    assert_int_equal(i->roles.count, 2);
    assert_int_equal(i->clients.count, 0);
    assert_int_equal(i->claim_count, 1);
    assert_string_equal(i->claims[0].name, "tenant");
    assert_string_equal(i->claims[0].values.items[0], "acme");
    pep_issuers_free(table);
}

static void strings_are_found_exactly(void **state)
{
    (void)state;
    static const char *const items[] = {"a", "ab", "abc", "b", "\xc3\xa9"};
    const struct pep_strings s = {items, 5};
    const struct pep_strings none = {NULL, 0};
    for (size_t i = 0; i < 5; i++)
        assert_true(pep_strings_has(&s, pep_span_string(items[i])));
    static const char *const absent[] = {"", "A", "abcd", "aa", "c", "\xc3"};
    for (size_t i = 0; i < 6; i++)
        assert_false(pep_strings_has(&s, pep_span_string(absent[i])));
    assert_false(pep_strings_has(&s, pep_span_of("ab\0", 3)));
    assert_false(pep_strings_has(&s, pep_span_of(NULL, 0)));
    assert_false(pep_strings_has(&none, pep_span_string("a")));
}

static void every_mistake_has_its_code(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } rows[] = {
        {"[{" FULL "}]", ""},
        {"[]", ""},
        {"{", "E401"},
        {"{}", "E401"},
        {"[{" FULL "," NAME "}]", "E401"}, /* a member twice */
        {"[1]", "E401"},
        {"[{" AUD "," ALGS "," KEYS "}]", "E402"},
        {"[{\"issuer\":\"\"," AUD "," ALGS "," KEYS "}]", "E402"},
        {"[{\"issuer\":7," AUD "," ALGS "," KEYS "}]", "E402"},
        {"[{" FULL ",\"allow\":{}},{" FULL ",\"allow\":{}}]", "E402"},
        {"[{" NAME "," ALGS "," KEYS "}]", "E403"},
        {"[{" NAME ",\"audiences\":[]," ALGS "," KEYS "}]", "E403"},
        {"[{" NAME "," AUD "," KEYS "}]", "E404"},
        {"[{" NAME "," AUD ",\"algorithms\":[\"HS256\"]," KEYS "}]", "E404"},
        {"[{" NAME "," AUD ",\"algorithms\":[\"none\"]," KEYS "}]", "E404"},
        {"[{" NAME "," AUD ",\"algorithms\":[\"eddsa\"]," KEYS "}]", "E404"},
        {"[{" NAME "," AUD "," ALGS "}]", "E405"},
        {"[{" FULL ",\"jwks_uri\":\"https://a/k\"}]", "E405"},
        {"[{" NAME "," AUD "," ALGS ",\"jwks\":[]}]", "E405"},
        {"[{" NAME "," AUD "," ALGS ",\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\"}]}}]",
         "E405"},
        {"[{" FULL ",\"audience\":[]}]", "E406"},
        {"[{" FULL ",\"allow\":{\"rolls\":[]}}]", "E406"},
        {"[{" NAME ",\"audiences\":\"api\"," ALGS "," KEYS "}]", "E407"},
        {"[{" NAME ",\"audiences\":[1]," ALGS "," KEYS "}]", "E407"},
        {"[{" NAME ",\"audiences\":[\"\"]," ALGS "," KEYS "}]", "E407"},
        {"[{" FULL ",\"max_lifetime\":0}]", "E407"},
        {"[{" FULL ",\"max_lifetime\":\"1h\"}]", "E407"},
        {"[{" FULL ",\"max_lifetime\":1.5}]", "E407"},
        {"[{" FULL ",\"allow\":[]}]", "E407"},
        {"[{" FULL ",\"allow\":{\"roles\":\"viewer\"}}]", "E407"},
        {"[{" FULL ",\"allow\":{\"claims\":[]}}]", "E407"},
        {"[{" FULL ",\"allow\":{\"claims\":{\"tenant\":\"acme\"}}}]", "E407"},
        {"[{" NAME "," AUD ",\"algorithms\":[\"RS256\"]," KEYS "}]", "E408"},
        {"[{" NAME "," AUD "," ALGS ",\"jwks\":{\"keys\":[]}}]", "E408"},
        {"[{" RELAY("\"jwks_uri\":\"http://a/k\",\"keys\":\"relayed\",\"keys_max_age\":9,"
                    "\"key_thumbprints\":[\"x\"]") "}]",
         "E409"},
        {"[{" RELAY(
             "\"jwks_uri\":\"https://a/k\",\"keys_max_age\":9,\"key_thumbprints\":[\"x\"]") "}]",
         "E409"},
        {"[{" RELAY(
             "\"jwks_uri\":\"https://a/k\",\"keys\":\"relayed\",\"key_thumbprints\":[\"x\"]") "}]",
         "E409"},
        {"[{" FULL ",\"key_thumbprints\":[\"another\"]}]", "E410"},
        {"[{" FULL "},{\"issuer\":\"https://b\"," AUD "," ALGS "," KEYS ",\"allow\":{}}]", "W401"},
        {"[{" RELAY("\"jwks_uri\":\"https://a/k\",\"keys\":\"relayed\",\"keys_max_age\":9") "}]",
         "W402"},
        {"[{" NAME "," AUD "," ALGS ",\"jwks\":{\"keys\":[" KEY ",{\"kty\":\"oct\"}]}}]", "W403"},
        {"[{" NAME "," AUD ",\"algorithms\":[\"EdDSA\",\"ES256\"]," KEYS "}]", "W404"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pep_issuers *table = NULL;
        char code[8];
        int r = read_table(rows[i].text, &table, code, NULL);
        if (strcmp(code, rows[i].code) != 0)
            fail_msg("expected %s, got %s: %s", rows[i].code, code, rows[i].text);
        assert_int_equal(r == PEP_OK, rows[i].code[0] != 'E');
        assert_int_equal(table != NULL, r == PEP_OK);
        pep_issuers_free(table);
    }
}

static void messages_name_the_place_and_what_to_do(void **state)
{
    (void)state;
    struct pep_issuers *table = NULL;
    char code[8], message[512];
    read_table("[\n{\n " FULL ",\n \"audience\":[\"x\"]}]", &table, code, message);
    assert_string_equal(message,
                        "issuer https://a: unknown member `audience`|did you mean `audiences`?|3");
    read_table("[\n\n{,}]", &table, code, message);
    assert_non_null(strstr(message, "issuers.json:3:2"));
    assert_string_equal(message + strlen(message) - 3, "||3");
}

static void all_mistakes_of_a_file_are_reported(void **state)
{
    (void)state;
    struct pep_issuers *table = NULL;
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(pep_issuers_read(pep_span_string("[{" NAME ",\"max_lifetime\":-1},{\"x\":1}]"),
                                      "issuers.json", &table, &diags, &err),
                     PEP_EFORMAT);
    assert_true(diags.errors >= 8);
    assert_null(table);
    pep_diags_free(&diags);
}

static void relayed_keys_verify_nothing_until_they_arrive(void **state)
{
    (void)state;
    struct pep_issuers *table = NULL;
    char code[8];
    assert_int_equal(
        read_table("[{" RELAY("\"jwks_uri\":\"https://a/k\",\"keys\":\"relayed\","
                              "\"keys_max_age\":86400,\"key_thumbprints\":[\"" PRINT "\"]") "}]",
                   &table, code, NULL),
        PEP_OK);
    assert_string_equal(pep_issuers_at(table, 0)->jwks_uri, "https://a/k");
    assert_int_equal(pep_issuers_at(table, 0)->keys_max_age, 86400);
    struct signer s = signer_of(PEP_ALG_EDDSA);
    char *token =
        token_of(s.key, NULL, "{\"iss\":\"https://a\",\"aud\":\"api\",\"exp\":1700000600}");
    const struct pep_jwt_expect expect = {.now = NOW};
    assert_int_equal(reason_of(table, token, &expect), PEP_JWT_KEYS_ABSENT);
    free(token);
    signer_free(&s);
    pep_issuers_free(table);
}

static void the_table_has_a_maximum(void **state)
{
    (void)state;
    for (size_t n = PEP_ISSUERS_MAX; n <= PEP_ISSUERS_MAX + 1; n++) {
        struct pep_buffer b = pep_buffer_of(1 << 20);
        struct pep_issuers *table = NULL;
        char code[8];
        for (size_t i = 0; i < n; i++)
            pep_put_format(&b, "%c{\"issuer\":\"%zu\"," AUD "," ALGS "," KEYS ",\"allow\":{}}",
                           i == 0 ? '[' : ',', i);
        pep_put_u8(&b, ']');
        assert_int_equal(read_table((const char *)b.data, &table, code, NULL) == PEP_OK,
                         n == PEP_ISSUERS_MAX);
        assert_string_equal(code, n == PEP_ISSUERS_MAX ? "" : "E401");
        pep_issuers_free(table);
        pep_buffer_free(&b);
    }
}

static void a_single_issuer_needs_an_audience(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    struct pep_issuers *table = NULL;
    json_t *jwks = json_loads("{\"keys\":[" KEY "]}", 0, NULL);
    assert_int_equal(pep_issuers_single(ISSUER, none, jwks, &table, NULL), PEP_EFORMAT);
    assert_int_equal(pep_issuers_single(ISSUER, NULL, jwks, &table, NULL), PEP_EFORMAT);
    static const char *const one[] = {"api", NULL};
    assert_int_equal(pep_issuers_single("", one, jwks, &table, NULL), PEP_EFORMAT);
    assert_null(table);
    assert_int_equal(pep_issuers_single(ISSUER, one, jwks, &table, NULL), PEP_OK);
    pep_issuers_free(table);
    json_decref(jwks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_entry_is_read_whole),
        cmocka_unit_test(strings_are_found_exactly),
        cmocka_unit_test(every_mistake_has_its_code),
        cmocka_unit_test(messages_name_the_place_and_what_to_do),
        cmocka_unit_test(all_mistakes_of_a_file_are_reported),
        cmocka_unit_test(relayed_keys_verify_nothing_until_they_arrive),
        cmocka_unit_test(the_table_has_a_maximum),
        cmocka_unit_test(a_single_issuer_needs_an_audience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
