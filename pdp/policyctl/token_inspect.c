/*
 * token inspect: what a token says, its times in words, and what is unusual about it. The verdict
 * comes first and never flatters: without keys it is "not verified", whatever the token says about
 * itself.
 */
#include "token.h"
#include "disk.h"
#include "policy_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY          86400
#define PATH_LONGEST 4096

struct inspect_settings {
    const char *keys, *policy;
    struct option_number at;
    bool live;
};

static const struct option_row rows[] = {
    {"keys", 'k', "JWKS", OPTION_TEXT, offsetof(struct inspect_settings, keys),
     "also check the signature with these keys"},
    {"policy", 'p', "DIR|BUNDLE", OPTION_TEXT, offsetof(struct inspect_settings, policy),
     "also say whether this policy accepts it, and what its rules would read"},
    {"live", 0, NULL, OPTION_FLAG, offsetof(struct inspect_settings, live),
     "also ask pdpd whether it was revoked"},
    {"at", 0, "TIME", OPTION_TIME, offsetof(struct inspect_settings, at),
     "as of this time (default: now)"},
    OPTION_END,
};
const struct option_set token_inspect_options = {sizeof(struct inspect_settings), rows};

struct report {
    json_t *header, *claims, *warnings;
    const char *revoked; /* "no", or by what; NULL: not asked */
    json_t *reads;       /* what rules would read; NULL without a policy that has rules */
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
    bool certified = json_object_get(cnf, "x5t#S256") != NULL;
    bool proved = json_object_get(cnf, "jkt") != NULL;
    if (cnf != NULL &&
        (json_object_size(cnf) == 0 || json_object_size(cnf) != (size_t)certified + (size_t)proved))
        warn(r, "bound in a way that cannot be checked (cnf): refused");
    if (certified)
        warn(r, "bound to a client certificate (cnf): good only together with it");
    if (proved)
        warn(r, "bound to a key (cnf): good only together with a DPoP proof for each request");
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

/* Neither certificate nor proof is at hand: a bound token is judged as if the right ones came. */
static void judge_by_issuers(struct report *r, const struct pep_issuers *issuers,
                             struct pep_span token)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_jwt *jwt = NULL;
    const struct pep_jwt_expect expect = {.now = r->now, .bindings_later = true};
    int rc = pep_jwt_verify(issuers, token, &expect, &jwt, NULL, &err);
    say(r, rc, &err, "yes",
        "accepted by this policy's issuers.json, for a service of that audience");
    pep_jwt_free(jwt);
}

/* A folder that holds an issuers.json and no rules. */
static int judge_by_file(struct session *s, struct report *r, const char *dir,
                         struct pep_span token)
{
    char path[PATH_LONGEST];
    uint8_t *text = NULL;
    size_t size = 0;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_issuers *issuers = NULL;
    snprintf(path, sizeof(path), "%s/issuers.json", dir);
    int rc = disk_read(path, TOKEN_FILE_MAX, &text, &size, &err);
    if (rc == PEP_OK)
        rc = pep_issuers_read(pep_span_of(text, size), path, &issuers, NULL, &err);
    free(text);
    if (rc != PEP_OK)
        return output_error(&s->out, EXIT_USAGE, "%s\n\npolicyctl check %s", pep_error_text(&err),
                            dir);
    judge_by_issuers(r, issuers, token);
    pep_issuers_free(issuers);
    return EXIT_OK;
}

static int judge_by_policy(struct session *s, struct report *r, const char *path,
                           struct pep_span token)
{
    char file[PATH_LONGEST];
    struct stat st;
    struct policy_source source;
    snprintf(file, sizeof(file), "%s/bundle.json", path);
    bool bundle = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    if (!bundle && stat(file, &st) != 0)
        return judge_by_file(s, r, path, token);
    int rc = policy_source_open(s, path, &source);
    if (rc == EXIT_OK)
        rc = policy_source_compile(s, &source);
    if (rc == EXIT_OK) {
        judge_by_issuers(r, pep_policy_issuers(source.policy), token);
        r->reads = token_reads(source.policy, r->claims, r->warnings);
    }
    policy_source_close(&source);
    return rc;
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

static void show_reads(const struct report *r)
{
    size_t i;
    const json_t *read;
    if (r->reads != NULL)
        output_line("the rules of this policy read%s",
                    json_array_size(r->reads) == 0 ? " nothing of it" : "");
    json_array_foreach(r->reads, i, read)
    {
        const json_t *value = json_object_get(read, "value");
        json_int_t rules = json_integer_value(json_object_get(read, "rules"));
        char *text = json_is_null(value)
                         ? NULL
                         : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
        output_line("  %-16s %s (%lld rule%s)", json_string_value(json_object_get(read, "name")),
                    text == NULL ? "MISSING" : text, (long long)rules, rules == 1 ? "" : "s");
        free(text);
    }
}

static int show_as_json(struct session *s, struct report *r)
{
    json_t *report =
        json_pack("{s:s, s:s, s:O, s:O, s:O}", "verdict", r->verdict, "verified", r->verified,
                  "header", r->header, "claims", r->claims, "warnings", r->warnings);
    if (r->reads != NULL)
        json_object_set(report, "reads", r->reads);
    if (r->revoked != NULL)
        json_object_set_new(report, "revoked", json_string(r->revoked));
    return output_json(&s->out, report);
}

static int show(struct session *s, struct report *r)
{
    static const char *const times[] = {"auth_time", "iat", "nbf", "exp"};
    if (s->out.format == OUTPUT_JSON)
        return show_as_json(s, r);
    output_line("%s", r->verdict);
    if (r->revoked != NULL)
        output_line("revoked: %s%s", strcmp(r->revoked, "no") == 0 ? "" : "by its ", r->revoked);
    show_json("header", r->header);
    show_json("claims", r->claims);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        show_time(r, times[i]);
    show_reads(r);
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
    if (rc == EXIT_OK && o->live)
        rc = token_ask_revoked(s, r.claims, &r.revoked);
    if (rc == EXIT_OK)
        rc = show(s, &r);
    if (rc == EXIT_OK && (r.refused || (r.revoked != NULL && strcmp(r.revoked, "no") != 0)))
        rc = EXIT_NOT_ALLOWED;
    json_decref(r.header);
    json_decref(r.claims);
    json_decref(r.warnings);
    json_decref(r.reads);
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
