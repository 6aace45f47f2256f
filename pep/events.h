/*
 * Decision records on their way from the deciding threads to the agent: a bounded queue that never
 * blocks. When it is full the record is dropped and counted, exactly: records delivered plus
 * records dropped equal the decisions made.
 */
#ifndef PEP_EVENTS_H
#define PEP_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pep_events;

/* Errors: ENOMEM. */
int pep_events_new(size_t capacity, struct pep_events **ret);
void pep_events_free(struct pep_events *e);

#endif
