/*
 * The start-up test of the doors, by real clients over TCP in a context of their own: an unknown
 * key must be refused by the ZAP handler on every port that has a list, and a known one must be let
 * in and be named. Both are needed: without a handler everybody is refused too, and that is not the
 * same.
 */
#ifndef PDP_NET_SELFTEST_H
#define PDP_NET_SELFTEST_H

#include "loop.h"

/* After the ports are bound, before the loop runs. 0, or PEP_EDENIED with what is wrong. */
int selftest_run(struct loop *loop, struct pep_error *err);

#endif
