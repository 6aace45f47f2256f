/*
 * A decision in HTTP: status and `WWW-Authenticate` (RFC 6750, RFC 9449 section 7.1, RFC 9470).
 *
 * What a client is told is the least that it needs. A token that is not valid is `invalid_token`,
 * whatever is wrong with it; whoever is not granted something learns nothing of which rule said so.
 * Texts out of a policy are the only ones here that are not ours, and a header is no place for
 * escapes that some reader gets wrong: a reason loses what RFC 6750 does not allow in a
 * description, and an acr value that cannot stand in a list between spaces and quotes is left out.
 *
 * Rejected: one function for the response (it would have to know the host's HTTP server); `scope`
 * with insufficient_scope, because which scopes would do is known only to rules that did not apply.
 */
#include "pep/answer.h"

#include "pep/core/json.h"
#include "pep/core/keys.h"

#include <stdio.h>
#include <string.h>

#define OBLIGATIONS_MAX (256 * 1024)

/* As snprintf: counts what would be needed, writes what fits. */
struct header {
    char *at;
    size_t room, needed;
    const char *between;
};

static void put_char(struct header *h, char c)
{
    if (h->needed < h->room)
        h->at[h->needed] = c;
    h->needed++;
}

static void put_text(struct header *h, const char *text)
{
    while (*text != '\0')
        put_char(h, *text++);
}

static void put_name(struct header *h, const char *name)
{
    put_text(h, h->between);
    h->between = ", ";
    put_text(h, name);
    put_text(h, "=\"");
}

static void put_param(struct header *h, const char *name, const char *value)
{
    put_name(h, name);
    put_text(h, value);
    put_char(h, '"');
}

/* ---- texts that are not ours ---- */

/* RFC 6750 section 3: %x20-21 / %x23-5B / %x5D-7E. */
static bool plain(unsigned char c)
{
    return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';
}

/* One '?' for each character that may not stand there, however many bytes it has. */
static void put_description(struct header *h, const char *reason)
{
    if (reason[0] == '\0')
        return;
    put_name(h, "error_description");
    for (const unsigned char *c = (const unsigned char *)reason; *c != '\0'; c++) {
        if (plain(*c))
            put_char(h, (char)*c);
        else if ((*c & 0xc0) != 0x80)
            put_char(h, '?');
    }
    put_char(h, '"');
}

/* The host's own text; quoted pairs where RFC 9110 needs them. Left out if it holds anything that
 * is not printable ASCII. */
static void put_realm(struct header *h, const char *realm)
{
    size_t n = realm == NULL ? 0 : strlen(realm);
    for (size_t i = 0; i < n; i++) {
        if (realm[i] < 0x20 || realm[i] > 0x7e)
            return;
    }
    if (n == 0)
        return;
    put_name(h, "realm");
    for (size_t i = 0; i < n; i++) {
        if (!plain((unsigned char)realm[i]))
            put_char(h, '\\');
        put_char(h, realm[i]);
    }
    put_char(h, '"');
}

static bool stands_in_list(const char *value)
{
    const unsigned char *c = (const unsigned char *)value;
    while (plain(*c) && *c != ' ')
        c++;
    return *c == '\0' && c != (const unsigned char *)value;
}

static void put_acr_values(struct header *h, const json_t *values)
{
    size_t i, count = 0;
    const json_t *value;
    json_array_foreach(values, i, value)
    {
        if (!json_is_string(value) || !stands_in_list(json_string_value(value)))
            continue;
        if (count++ == 0)
            put_name(h, "acr_values");
        else
            put_char(h, ' ');
        put_text(h, json_string_value(value));
    }
    if (count > 0)
        put_char(h, '"');
}

/* ---- the header ---- */

static void begin(struct header *h, const pep_decision *d, const char *realm)
{
    put_text(h, d->size >= sizeof(*d) && d->dpop ? "DPoP" : "Bearer");
    put_realm(h, realm);
}

/* A client that is to prove possession needs to know by which algorithms it may. */
static void end(struct header *h, const pep_decision *d)
{
    if (d->size < sizeof(*d) || !d->dpop)
        return;
    put_name(h, "algs");
    for (enum pep_alg a = PEP_ALG_NONE + 1; a < PEP_ALG_COUNT; a++) {
        if (a > PEP_ALG_NONE + 1)
            put_char(h, ' ');
        put_text(h, pep_alg_name(a));
    }
    put_char(h, '"');
}

static int refuse(struct header *h, const pep_decision *d, const char *realm, const char *error)
{
    begin(h, d, realm);
    put_param(h, "error", error);
    end(h, d);
    return 401;
}

static int refuse_token(struct header *h, const pep_decision *d, const char *realm)
{
    const char *why = d->size >= sizeof(*d) && d->token_error != NULL ? d->token_error : "";
    if (strcmp(why, "proof_room") == 0)
        return 503; /* the client did nothing wrong, and another proof would not help */
    if (strncmp(why, "proof", 5) == 0 && strcmp(why, "proof_absent") != 0)
        return refuse(h, d, realm, "invalid_dpop_proof");
    if (strcmp(why, "missing") != 0)
        return refuse(h, d, realm, "invalid_token");
    begin(h, d, realm);
    end(h, d);
    return 401;
}

static int not_granted(struct header *h, const pep_decision *d, const char *realm)
{
    begin(h, d, realm);
    put_param(h, "error", "insufficient_scope");
    put_description(h, d->reason);
    end(h, d);
    return 403;
}

static int bad_request(struct header *h, const pep_decision *d, const char *realm)
{
    begin(h, d, realm);
    put_param(h, "error", "invalid_request");
    end(h, d);
    return 400;
}

static const json_t *find_step_up(const json_t *obligations)
{
    size_t i;
    const json_t *o;
    json_array_foreach(obligations, i, o)
    {
        const char *type = json_string_value(json_object_get(o, "type"));
        if (type != NULL && strcmp(type, "step-up") == 0)
            return o;
    }
    return NULL;
}

/* What is asked for besides a sign-in has no form in HTTP: the caller has it in `obligations`. */
static int challenge(struct header *h, const pep_decision *d, const char *realm)
{
    json_t *obligations = NULL;
    if (d->obligations == NULL)
        return 403;
    if (pep_json_parse(pep_span_string(d->obligations), OBLIGATIONS_MAX, "obligations",
                       &obligations, NULL) != PEP_OK)
        return 503;
    const json_t *o = find_step_up(obligations), *age = json_object_get(o, "max_age");
    if (o != NULL) {
        begin(h, d, realm);
        put_param(h, "error", "insufficient_user_authentication");
        put_description(h, d->reason);
        put_acr_values(h, json_object_get(o, "acr_values"));
    }
    if (json_is_integer(age) && json_integer_value(age) >= 0) {
        char seconds[24];
        snprintf(seconds, sizeof(seconds), "%lld", (long long)json_integer_value(age));
        put_param(h, "max_age", seconds);
    }
    if (o != NULL)
        end(h, d);
    json_decref(obligations);
    return o != NULL ? 401 : 403;
}

static int format(struct header *h, const pep_decision *d, const char *realm)
{
    if (d == NULL || !pep_decision_usable(d))
        return 503;
    if (d->allowed)
        return 200;
    switch (d->code) {
    case PEP_CODE_BAD_TOKEN:
        return refuse_token(h, d, realm);
    case PEP_CODE_CHALLENGE:
        return challenge(h, d, realm);
    case PEP_CODE_NOT_GRANTED:
    case PEP_CODE_DENIED:
    case PEP_CODE_OBLIGATION:
    case PEP_CODE_UNKNOWN:
        return not_granted(h, d, realm);
    case PEP_CODE_BAD_REQUEST:
        return bad_request(h, d, realm);
    case PEP_CODE_ALLOWED: /* and yet not allowed: nothing that a check has filled in */
    case PEP_CODE_UNAVAILABLE:
    case PEP_CODE_EXPIRED:
    case PEP_CODE_REVOKED:
    case PEP_CODE_BUSY:
    case PEP_CODE_FAULT:
        break;
    }
    return 503;
}

size_t pep_www_authenticate(const pep_decision *decision, const char *realm, char *buffer,
                            size_t size, int *status)
{
    struct header h = {buffer, buffer == NULL ? 0 : size, 0, " "};
    int code = format(&h, decision, realm);
    if (h.room > 0)
        buffer[h.needed < h.room ? h.needed : 0] = '\0';
    if (status != NULL)
        *status = code;
    return h.needed;
}
