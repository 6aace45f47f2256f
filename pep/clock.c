/* Wall and boot time: see clock.h. */
#include "pep/clock.h"

#include <time.h>

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t pep_boot_ns(void)
{
    return nanoseconds(CLOCK_BOOTTIME);
}

struct pep_moment pep_moment_now(void)
{
    return (struct pep_moment){nanoseconds(CLOCK_REALTIME) / 1000000, pep_boot_ns() / 1000000};
}

struct pep_moment pep_moment_quick(int64_t *ret_boot_ns)
{
    int64_t boot = pep_boot_ns();
    *ret_boot_ns = boot;
    return (struct pep_moment){nanoseconds(CLOCK_REALTIME_COARSE) / 1000000, boot / 1000000};
}

int64_t pep_moment_elapsed(const struct pep_moment *since, const struct pep_moment *now)
{
    if (since->wall_ms <= 0)
        return INT64_MAX;
    int64_t wall = now->wall_ms - since->wall_ms;
    int64_t boot = now->boot_ms - since->boot_ms;
    int64_t elapsed = wall > boot ? wall : boot;
    return elapsed > 0 ? elapsed : 0;
}
