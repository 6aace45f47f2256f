/*
 * What the claims of a token must say once its signature holds (RFC 7519, RFC 8725, RFC 8705).
 *
 * Times may be fractional and are compared as doubles: every value within the accepted range (the
 * years 1970 to 9999) is far below 2^53, so that the comparison is exact and nothing can overflow.
 * Anything outside the range is refused, not clamped.
 */
#include "jwt_parts.h"

#include <string.h>

#define TIME_MAX 253402300799.0 /* the end of the year 9999 */

static const char *const texts[] = {"iss", "sub", "jti", "azp", "client_id"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int check_forms(struct pep_jwt_check *check, const struct pep_issuer *issuer,
                       const json_t *claims)
{
    for (size_t i = 0; i < COUNT(texts); i++) {
        const json_t *v = json_object_get(claims, texts[i]);
        if (v != NULL && !json_is_string(v))
            return pep_jwt_refuse(check, PEP_JWT_CLAIM, "`%s` must be a string", texts[i]);
    }
    for (size_t i = 0; i < issuer->required_claims.count; i++) {
        const json_t *v = json_object_get(claims, issuer->required_claims.items[i]);
        if (v == NULL || json_is_null(v))
            return pep_jwt_refuse(check, PEP_JWT_CLAIM, "`%.64s` is required and missing",
                                  issuer->required_claims.items[i]);
    }
    const json_t *azp = json_object_get(claims, "azp");
    const json_t *client = json_object_get(claims, "client_id");
    if (azp != NULL && client != NULL && !json_equal(azp, client))
        return pep_jwt_refuse(check, PEP_JWT_CLIENT, "azp and client_id differ");
    return PEP_OK;
}

/* ---- audience ---- */

/* One and the same value must be ours and the issuer's: a token for a service that the issuer may
 * not speak to does not become good by naming another one beside it. */
static bool audience_fits(const json_t *value, const struct pep_issuer *issuer,
                          const struct pep_strings *own)
{
    struct pep_span s = pep_span_of(json_string_value(value), json_string_length(value));
    return pep_strings_has(&issuer->audiences, s) && (own == NULL || pep_strings_has(own, s));
}

static int check_audience(struct pep_jwt_check *check, const struct pep_issuer *issuer,
                          const struct pep_strings *own, const json_t *aud)
{
    bool fits = false;
    size_t i;
    const json_t *item;
    if (aud == NULL)
        return pep_jwt_refuse(check, PEP_JWT_AUDIENCE, "`aud` is missing");
    if (!json_is_string(aud) && (!json_is_array(aud) || json_array_size(aud) == 0))
        return pep_jwt_refuse(check, PEP_JWT_AUDIENCE,
                              "`aud` must be a string or a non-empty array of strings");
    if (json_is_string(aud))
        fits = audience_fits(aud, issuer, own);
    json_array_foreach(aud, i, item)
    {
        if (!json_is_string(item))
            return pep_jwt_refuse(check, PEP_JWT_AUDIENCE, "`aud` must hold strings only");
        fits = fits || audience_fits(item, issuer, own);
    }
    if (!fits)
        return pep_jwt_refuse(check, PEP_JWT_AUDIENCE, "`aud` names no audience of this service%s",
                              own == NULL ? " (issuers.json)" : " that the issuer may speak to");
    return PEP_OK;
}

/* ---- times ---- */

/* *ret untouched if the claim is absent. */
static int read_time(struct pep_jwt_check *check, const json_t *claims, const char *name,
                     double *ret)
{
    const json_t *v = json_object_get(claims, name);
    if (v == NULL)
        return PEP_OK;
    if (!json_is_number(v))
        return pep_jwt_refuse(check, PEP_JWT_TIME, "`%s` must be a number", name);
    double t = json_number_value(v);
    if (!(t >= 0 && t <= TIME_MAX))
        return pep_jwt_refuse(check, PEP_JWT_TIME, "`%s` is out of range", name);
    *ret = t;
    return PEP_OK;
}

static int compare_times(struct pep_jwt_check *check, const struct pep_jwt *jwt, double now,
                         double leeway, const double times[3])
{
    double exp = times[0], nbf = times[1], iat = times[2];
    int64_t max = jwt->issuer->max_lifetime;
    if (exp < 0)
        return pep_jwt_refuse(check, PEP_JWT_TIME, "`exp` is missing");
    if (max > 0 && iat < 0)
        return pep_jwt_refuse(check, PEP_JWT_TIME, "`iat` is missing, and max_lifetime needs it");
    if (now >= exp + leeway)
        return pep_jwt_refuse(check, PEP_JWT_EXPIRED, "expired %.0f s ago", now - exp);
    if (nbf > now + leeway)
        return pep_jwt_refuse(check, PEP_JWT_NOT_YET, "valid in %.0f s (nbf)", nbf - now);
    if (iat > now + leeway)
        return pep_jwt_refuse(check, PEP_JWT_NOT_YET, "issued %.0f s in the future (iat)",
                              iat - now);
    if (max > 0 && exp - iat > (double)max)
        return pep_jwt_refuse(check, PEP_JWT_LIFETIME, "valid for %.0f s, at most %lld", exp - iat,
                              (long long)max);
    return PEP_OK;
}

static int check_times(struct pep_jwt_check *check, const struct pep_jwt_expect *expect,
                       struct pep_jwt *jwt)
{
    static const char *const names[3] = {"exp", "nbf", "iat"};
    double times[3] = {-1, -1, -1};
    int64_t leeway = expect->leeway;
    leeway = leeway < 0 ? 0 : leeway > PEP_LEEWAY_MAX ? PEP_LEEWAY_MAX : leeway;
    for (size_t i = 0; i < 3; i++) {
        int r = read_time(check, jwt->claims, names[i], &times[i]);
        if (r != PEP_OK)
            return r;
    }
    int r = compare_times(check, jwt, (double)expect->now, (double)leeway, times);
    if (r == PEP_OK)
        jwt->expires = (int64_t)times[0];
    return r;
}

/* ---- proof of possession ---- */

static int read_hash(struct pep_jwt_check *check, const json_t *cnf, const char *name,
                     uint8_t out[PEP_SHA256_SIZE + 4])
{
    const json_t *v = json_object_get(cnf, name);
    struct pep_span text = pep_span_of(json_string_value(v), json_string_length(v));
    size_t size = 0;
    if (!json_is_string(v) || text.size != 43 || pep_base64url_decode(text, out, &size) != PEP_OK)
        return pep_jwt_refuse(check, PEP_JWT_BINDING, "`%s` is not a SHA-256 hash", name);
    return PEP_OK;
}

/* RFC 8705 and RFC 9449. A token bound to both a certificate and a key needs both; one that is
 * bound in any other way besides is refused, because nobody here can tell whether that holds. */
static int read_binding(struct pep_jwt_check *check, struct pep_jwt *jwt)
{
    const json_t *cnf = json_object_get(jwt->claims, "cnf");
    const json_t *jkt = json_object_get(cnf, "jkt");
    size_t known = (json_object_get(cnf, "x5t#S256") != NULL) + (jkt != NULL);
    uint8_t bytes[PEP_SHA256_SIZE + 4];
    int r = PEP_OK;
    if (cnf == NULL)
        return PEP_OK;
    if (!json_is_object(cnf) || known == 0 || json_object_size(cnf) != known)
        return pep_jwt_refuse(check, PEP_JWT_BINDING,
                              "`cnf` binds the token in a way that cannot be checked here");
    if (jkt != NULL)
        r = read_hash(check, cnf, "jkt", bytes);
    if (r == PEP_OK && jkt != NULL)
        memcpy(jwt->jkt, json_string_value(jkt), sizeof(jwt->jkt));
    if (r != PEP_OK || json_object_get(cnf, "x5t#S256") == NULL)
        return r;
    r = read_hash(check, cnf, "x5t#S256", bytes);
    if (r == PEP_OK) {
        memcpy(jwt->binding, bytes, sizeof(jwt->binding));
        jwt->certified = true;
    }
    return r;
}

int pep_jwt_check_claims(struct pep_jwt_check *check, const struct pep_jwt_expect *expect,
                         struct pep_jwt *jwt)
{
    int r =
        check_audience(check, jwt->issuer, expect->audiences, json_object_get(jwt->claims, "aud"));
    if (r == PEP_OK)
        r = check_times(check, expect, jwt);
    if (r == PEP_OK)
        r = check_forms(check, jwt->issuer, jwt->claims);
    return r == PEP_OK ? read_binding(check, jwt) : r;
}
