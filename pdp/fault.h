/*
 * Where tests may break the daemon. pdpd itself is linked with fault_off.c, in which nothing
 * happens; the test build `pdpd-faults` is linked with tests/scenario/fault_env.c, which reads
 * environment variables. The seam is the linker, so the installed program holds no switch that
 * weakens it. Rejected: #ifdef in the product's sources, because then the tested code is not the
 * shipped code.
 */
#ifndef PDP_FAULT_H
#define PDP_FAULT_H

#include <stdbool.h>

/* Passed before and after every step of a store transaction; a test kills the process at the n-th.
 */
void fault_point(void);
/* True: the ZAP handler is held back, to prove that the daemon then does not start. */
bool fault_without_zap(void);

#endif
