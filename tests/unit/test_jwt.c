/* A token of every algorithm verifies, and changing any of its characters makes it refused. */
#include "token_kit.h"

#define CLAIMS \
    "{\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "\",\"sub\":\"ann\",\"exp\":1700000600}"

static void every_algorithm_verifies_and_no_byte_may_change(void **state)
{
    (void)state;
    const struct pep_jwt_expect expect = {.now = NOW};
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++) {
        struct signer s = signer_of(alg);
        char *token = token_of(s.key, NULL, CLAIMS);
        assert_int_equal(reason_of(s.issuers, token, &expect), PEP_JWT_OK);
        for (size_t i = 0, size = strlen(token); i < size; i += 7) {
            char was = token[i];
            token[i] = was == 'A' ? 'B' : 'A';
            assert_int_not_equal(reason_of(s.issuers, token, &expect), PEP_JWT_OK);
            token[i] = was;
        }
        free(token);
        signer_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_verifies_and_no_byte_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
