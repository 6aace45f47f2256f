/*
 * The names of states, codes and outcomes: one table each, so that a value without a name cannot
 * exist. In the core because pdpd and policyctl print the same words as libpep.
 */
#include "pep.h"

#include <stddef.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const states[] = {
    [PEP_EMPTY] = "EMPTY",   [PEP_SYNCING] = "SYNCING", [PEP_FRESH] = "FRESH",
    [PEP_STALE] = "STALE",   [PEP_EXPIRED] = "EXPIRED", [PEP_REVOKED] = "REVOKED",
    [PEP_CLOSED] = "CLOSED",
};

static const char *const outcomes[] = {
    [PEP_DENY] = "deny",
    [PEP_ALLOW] = "allow",
    [PEP_CHALLENGE] = "challenge",
};

static const char *const codes[] = {
    [PEP_CODE_UNAVAILABLE] = "unavailable",
    [PEP_CODE_ALLOWED] = "allowed",
    [PEP_CODE_NOT_GRANTED] = "not_granted",
    [PEP_CODE_DENIED] = "denied",
    [PEP_CODE_CHALLENGE] = "challenge",
    [PEP_CODE_OBLIGATION] = "obligation",
    [PEP_CODE_BAD_TOKEN] = "bad_token",
    [PEP_CODE_BAD_REQUEST] = "bad_request",
    [PEP_CODE_UNKNOWN] = "unknown",
    [PEP_CODE_EXPIRED] = "expired",
    [PEP_CODE_REVOKED] = "revoked",
    [PEP_CODE_BUSY] = "busy",
    [PEP_CODE_FAULT] = "fault",
};

const char *pep_state_name(pep_state state)
{
    return (size_t)state < COUNT(states) ? states[state] : "INVALID";
}

const char *pep_outcome_name(pep_outcome outcome)
{
    return (size_t)outcome < COUNT(outcomes) ? outcomes[outcome] : "invalid";
}

const char *pep_code_name(pep_code code)
{
    return (size_t)code < COUNT(codes) ? codes[code] : "invalid";
}

#define TEXT_OF(x)   #x
#define NUMBER_OF(x) TEXT_OF(x)

const char *pep_version(void)
{
    return NUMBER_OF(PEP_VERSION_MAJOR) "." NUMBER_OF(PEP_VERSION_MINOR) "." NUMBER_OF(
        PEP_VERSION_PATCH);
}
