/*
 * token inspect: what a token says, its times in words, and what is unusual about it. The verdict
 * comes first and never flatters: without keys it is "not verified", whatever the token says about
 * itself.
 */
#include "token.h"
#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY          86400
#define PATH_LONGEST 4096

struct inspect_settings {
    const char *keys, *policy;
    struct option_number at;
};

static const struct option_row rows[] = {
    {"keys", 'k', "JWKS", OPTION_TEXT, offsetof(struct inspect_settings, keys),
     "also check the signature with these keys"},
    {"policy", 'p', "DIR", OPTION_TEXT, offsetof(struct inspect_settings, policy),
     "also say what the issuers.json in DIR makes of it"},
    {"at", 0, "TIME", OPTION_TIME, offsetof(struct inspect_settings, at),
     "as of this time (default: now)"},
    OPTION_END,
};
const struct option_set token_inspect_options = {sizeof(struct inspect_settings), rows};

struct report {
    json_t *header, *claims, *warnings;
    int64_t now;
    char verdict[PEP_ERROR_TEXT + 64];
    const char *verified; /* "no", "signature" or "yes" */
    bool refused;         /* there were keys to verify with, and it does not hold */
};

/* ---- warnings ---- */

static void warn(struct report *r, const char *text)
{
    json_array_append_new(r->warnings, json_string(text));
}

static void look_at_header(struct report *r)
{
    static const struct {
        const char *member, *text;
    } odd[] = {
        {"jku", "the header brings an address for keys (jku): never used"},
        {"x5u", "the header brings an address for keys (x5u): never used"},
        {"jwk", "the header brings its own key (jwk): never used"},
        {"x5c", "the header brings its own certificates (x5c): never used"},
        {"crit", "the header demands extensions (crit): refused"},
        {"b64", "the payload may not be base64url (b64): refused"},
        {"zip", "the payload is compressed (zip): refused"},
        {"enc", "the header is one of an encrypted token (enc): refused"},
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        if (json_object_get(r->header, odd[i].member) != NULL)
            warn(r, odd[i].text);
    }
    const json_t *alg = json_object_get(r->header, "alg");
    if (pep_alg_find(pep_span_of(json_string_value(alg), json_string_length(alg))) == PEP_ALG_NONE)
        warn(r, "the algorithm (alg) is none that is accepted: refused");
    if (json_object_get(r->header, "kid") == NULL)
        warn(r, "no kid: accepted only where the issuer has exactly one key for the algorithm");
}

static void look_at_times(struct report *r)
{
    const json_t *exp = json_object_get(r->claims, "exp"), *iat = json_object_get(r->claims, "iat");
    const json_t *nbf = json_object_get(r->claims, "nbf");
    double now = (double)r->now;
    if (!json_is_number(exp))
        warn(r, "no time of expiry (exp): refused");
    else if (json_number_value(exp) <= now)
        warn(r, "expired: refused");
    if (json_is_number(nbf) && json_number_value(nbf) > now)
        warn(r, "not valid yet (nbf): refused");
    if (json_is_number(iat) && json_number_value(iat) > now)
        warn(r, "issued in the future (iat): refused");
    if (json_is_number(exp) && json_is_number(iat) &&
        json_number_value(exp) - json_number_value(iat) > DAY)
        warn(r, "valid for more than a day: a stolen one stays good for long");
    if (!json_is_number(iat))
        warn(r, "no time of issue (iat): refused where the issuer has a max_lifetime");
}

static void look_at_claims(struct report *r)
{
    if (!json_is_string(json_object_get(r->claims, "iss")))
        warn(r, "no issuer (iss): refused");
    if (json_object_get(r->claims, "aud") == NULL)
        warn(r, "no audience (aud): refused");
    if (!json_is_string(json_object_get(r->claims, "sub")))
        warn(r, "no subject (sub): rules see no sub.id");
    const json_t *cnf = json_object_get(r->claims, "cnf");
    if (cnf != NULL && json_object_get(cnf, "x5t#S256") == NULL)
        warn(r, "bound to a key in a way that cannot be checked (cnf): refused");
    else if (cnf != NULL)
        warn(r, "bound to a client certificate (cnf): good only together with it");
}

/* ---- the verdict ---- */

static void say(struct report *r, int rc, const struct pep_error *err, const char *verified,
                const char *good)
{
    r->refused = rc != PEP_OK;
    r->verified = r->refused ? "no" : verified;
    snprintf(r->verdict, sizeof(r->verdict), "%s%s", r->refused ? "not valid: " : good,
             r->refused ? pep_error_text(err) : "");
}

static void judge_signature(struct report *r, const json_t *keys, struct pep_span token)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_jwks *set = NULL;
    uint8_t *payload = NULL;
    size_t size;
    int rc = pep_jwks_read(keys, "keys", &set, &err);
    if (rc == PEP_OK)
        rc = pep_jwt_verify_signature(set, token, &payload, &size, NULL, &err);
    say(r, rc, &err, "signature", "the signature holds; the claims were not checked");
    free(payload);
    pep_jwks_free(set);
}

/* A certificate is not at hand here: a bound token is judged as if the right one came with it. */
static const unsigned char *assumed_certificate(const struct report *r, uint8_t out[36])
{
    const json_t *print = json_object_get(json_object_get(r->claims, "cnf"), "x5t#S256");
    size_t size = 0;
    struct pep_span text = pep_span_of(json_string_value(print), json_string_length(print));
    bool good = text.size == 43 && pep_base64url_decode(text, out, &size) == PEP_OK;
    return good ? out : NULL;
}

static int judge_by_policy(struct session *s, struct report *r, const char *dir,
                           struct pep_span token)
{
    char path[PATH_LONGEST];
    uint8_t *text = NULL, certificate[36];
    size_t size = 0;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_issuers *issuers = NULL;
    struct pep_jwt *jwt = NULL;
    struct pep_jwt_expect expect = {.now = r->now,
                                    .peer_cert_sha256 = assumed_certificate(r, certificate)};
    snprintf(path, sizeof(path), "%s/issuers.json", dir);
    int rc = disk_read(path, TOKEN_FILE_MAX, &text, &size, &err);
    if (rc == PEP_OK)
        rc = pep_issuers_read(pep_span_of(text, size), path, &issuers, NULL, &err);
    free(text);
    if (rc != PEP_OK)
        return output_error(&s->out, EXIT_USAGE, "%s\n\npolicyctl check %s", pep_error_text(&err),
                            dir);
    rc = pep_jwt_verify(issuers, token, &expect, &jwt, NULL, &err);
    say(r, rc, &err, "yes",
        "accepted by this policy's issuers.json, for a service of that audience");
    pep_jwt_free(jwt);
    pep_issuers_free(issuers);
    return EXIT_OK;
}

static int judge(struct session *s, struct report *r, const struct inspect_settings *o,
                 struct pep_span token)
{
    snprintf(r->verdict, sizeof(r->verdict),
             "not verified: anybody can write this; --keys JWKS or --policy DIR verifies it");
    if (o->policy != NULL)
        return judge_by_policy(s, r, o->policy, token);
    if (o->keys == NULL)
        return EXIT_OK;
    json_t *keys = NULL;
    int rc = token_load_keys(s, o->keys, &keys);
    if (rc == EXIT_OK)
        judge_signature(r, keys, token);
    json_decref(keys);
    return rc;
}

/* ---- showing it ---- */

/* ASCII only: a token's text must not be able to reorder or rewrite a terminal's. */
static void show_json(const char *title, const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    output_line("%s %s", title, text == NULL ? "?" : text);
    free(text);
}

static void show_time(const struct report *r, const char *name)
{
    char when[TIME_TEXT], age[TIME_TEXT];
    const json_t *v = json_object_get(r->claims, name);
    double t = json_number_value(v);
    if (!json_is_number(v) || !(t >= 1 && t < 253402300800.0))
        return;
    int64_t distance = (int64_t)t - r->now;
    time_text((int64_t)t, when);
    age_text(distance < 0 ? -distance : distance, age);
    output_line("%-9s %s, %s%s%s", name, when, distance < 0 ? "" : "in ", age,
                distance < 0 ? " ago" : "");
}

static int show(struct session *s, struct report *r)
{
    static const char *const times[] = {"auth_time", "iat", "nbf", "exp"};
    if (s->out.format == OUTPUT_JSON)
        return output_json(&s->out, json_pack("{s:s, s:s, s:O, s:O, s:O}", "verdict", r->verdict,
                                              "verified", r->verified, "header", r->header,
                                              "claims", r->claims, "warnings", r->warnings));
    output_line("%s", r->verdict);
    show_json("header", r->header);
    show_json("claims", r->claims);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        show_time(r, times[i]);
    size_t i;
    const json_t *text;
    json_array_foreach(r->warnings, i, text)
    {
        output_line("warning: %s", json_string_value(text));
    }
    return EXIT_OK;
}

static int inspect(struct session *s, const struct inspect_settings *o, struct pep_span token)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct report r = {.warnings = json_array(), .now = token_now(&o->at), .verified = "no"};
    if (pep_jwt_decode_unverified(token, &r.header, &r.claims, &err) != PEP_OK) {
        json_decref(r.warnings);
        return token_refused(s, &err);
    }
    look_at_header(&r);
    look_at_times(&r);
    look_at_claims(&r);
    int rc = judge(s, &r, o, token);
    if (rc == EXIT_OK)
        rc = show(s, &r);
    if (rc == EXIT_OK && r.refused)
        rc = EXIT_NOT_ALLOWED;
    json_decref(r.header);
    json_decref(r.claims);
    json_decref(r.warnings);
    return rc;
}

int token_inspect_run(struct session *s, const void *settings)
{
    uint8_t *text = NULL;
    size_t size = 0;
    int rc = token_load(s, s->operands[0], &text, &size);
    if (rc == EXIT_OK)
        rc = inspect(s, settings, pep_span_of(text, size));
    free(text);
    return rc;
}
