/*
 * The test build's side of pdp/fault.h: faults by environment variable.
 *     PDPD_TEST_KILL_AT=N   SIGKILL at the N-th passed fault point
 *     PDPD_TEST_NO_ZAP=1    the ZAP handler is held back
 */
#include "pdp/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

void fault_point(void)
{
    static atomic_long passed;
    const char *at = getenv("PDPD_TEST_KILL_AT");
    if (at != NULL && atomic_fetch_add(&passed, 1) + 1 == atol(at))
        kill(getpid(), SIGKILL);
}

bool fault_without_zap(void)
{
    return getenv("PDPD_TEST_NO_ZAP") != NULL;
}
