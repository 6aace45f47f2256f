/*
 * Sorting for policies: a heap sort in place, so that a comparator that contradicts itself can do
 * no harm, and the time is bounded whatever the order. Lua's own quicksort was rejected for both.
 */
#ifndef PEP_CORE_ENGINE_SORT_H
#define PEP_CORE_ENGINE_SORT_H

#include "engine_internal.h"

/* Compares the two values on top, and leaves them there. */
typedef bool (*pep_less)(lua_State *L);

bool pep_less_by_comparator(lua_State *L); /* a function at index 2 */
bool pep_less_by_value(lua_State *L);      /* raises for values that have no order */
bool pep_less_by_key(lua_State *L);        /* numbers before texts */

/* Sorts t[1..n]; its steps come from the decision's budget. */
void pep_heap_sort(lua_State *L, int t, size_t n, pep_less less);

#endif
