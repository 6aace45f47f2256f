/*
 * "d_" and 26 characters after ULID: ten of the time in milliseconds, sixteen that start at random
 * per thread and count up. Unique without locks, sortable by time, and cheap: the sixteen are an
 * odometer kept as text, so that a new id costs one increment and a copy.
 */
#ifndef PEP_DECISION_ID_H
#define PEP_DECISION_ID_H

#include <stdint.h>

#define PEP_DECISION_ID 29 /* "d_", 26 characters, NUL */

/* Draws the random start of this process's ids, once. Errors: EIO. */
int pep_decision_ids_start(void);
/* Writes PEP_DECISION_ID bytes. */
void pep_decision_id(int64_t wall_ms, char *out);

#endif
