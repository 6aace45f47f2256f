/* One table of issuers, many threads: every verification gives what it gives alone. */
#include "token_kit.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS  20

static struct signer signers[PEP_ALG_COUNT];
static char *good[PEP_ALG_COUNT], *bad[PEP_ALG_COUNT];

#define CLAIMS \
    "{\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "\",\"sub\":\"ann\",\"exp\":1700000600}"

static bool verifies(enum pep_alg alg, const char *token)
{
    struct pep_jwt *jwt = NULL;
    const struct pep_jwt_expect expect = {.now = NOW};
    int r = pep_jwt_verify(signers[alg].issuers, pep_span_string(token), &expect, &jwt, NULL, NULL);
    pep_jwt_free(jwt);
    return r == PEP_OK;
}

static void *work(void *wrong)
{
    for (int i = 0; i < ROUNDS; i++) {
        for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++) {
            *(size_t *)wrong += !verifies(alg, good[alg]);
            *(size_t *)wrong += verifies(alg, bad[alg]);
        }
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    size_t wrong[THREADS] = {0};
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++) {
        signers[alg] = signer_of(alg);
        good[alg] = token_of(signers[alg].key, NULL, CLAIMS);
        bad[alg] = strdup(good[alg]);
        char *at = strrchr(bad[alg], '.') + 9;
        *at = *at == 'A' ? 'B' : 'A';
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &wrong[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++) {
        signer_free(&signers[alg]);
        free(good[alg]);
        free(bad[alg]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
