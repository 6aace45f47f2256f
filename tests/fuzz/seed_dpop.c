/* Valid inputs for each way into fuzz_dpop.c but the first, whose one is signed there. */
#include "dpop_seeds.h"
#include "seeds.h"

#include <stdlib.h>
#include <string.h>

static void seed_text(const char *name, const char *text)
{
    seed_write(name, pep_span_of(text, strlen(text)));
}

void seeds(void)
{
    seed_text("claims", "1" SEED_HEADER "\n" SEED_CLAIMS);
    seed_text("fraction", "1" SEED_HEADER "\n{\"jti\":\"2\",\"htm\":\"GET\",\"htu\":\"" SEED_URI
                          "?a\",\"iat\":1.7e9,\"exp\":1700000001,\"ath\":\"" SEED_ATH "\"}");
    seed_text("uris", "2HTTPS://[2001:DB8::1]:443/%7Ea?b\nhttps://[2001:db8::1]/~a#c");
    seed_text("raw", "0e30.e30.AA");
}
