/*
 * The two clocks that libpep trusts together. Wall time can be set back; boot time (which counts
 * suspend) cannot, but starts again with each boot. Elapsed time is the larger of the two, so that
 * neither a clock that was set back nor a restart makes an old policy look young.
 */
#ifndef PEP_CLOCK_H
#define PEP_CLOCK_H

#include <stdint.h>

struct pep_moment {
    int64_t wall_ms; /* Unix time; 0: never */
    int64_t boot_ms; /* CLOCK_BOOTTIME of this boot */
};

struct pep_moment pep_moment_now(void);
/* For decisions: one reading of the boot clock, also given in nanoseconds, and the wall clock as of
 * the kernel's last tick (some milliseconds), which costs almost nothing. */
struct pep_moment pep_moment_quick(int64_t *ret_boot_ns);
int64_t pep_boot_ns(void);
/* Milliseconds from `since` to `now`, the larger by the two clocks, at least 0. INT64_MAX if
 * `since` is never. */
int64_t pep_moment_elapsed(const struct pep_moment *since, const struct pep_moment *now);

#endif
