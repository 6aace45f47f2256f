/*
 * Whether two http or https URIs name the same thing, as a DPoP proof needs it (RFC 9449 section
 * 4.3): without query and fragment, after the normalisation of RFC 3986 section 6.2.2 and 6.2.3.
 * Scheme and host are compared without regard to case, a port that is the scheme's own counts as
 * absent, an empty path as "/", and `%7E` as `~`. Dot segments are not resolved: clients and
 * servers do that before they come here, and two paths that differ in them are better refused than
 * guessed.
 */
#ifndef PEP_CORE_URI_H
#define PEP_CORE_URI_H

#include "bytes.h"

#define PEP_URI_MAX 2048 /* bytes, query and fragment among them */

/* False also if either is longer, is not absolute, names a user, or has bytes that no URI has. */
bool pep_uri_same(struct pep_span a, struct pep_span b);

#endif
