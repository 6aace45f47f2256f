/*
 * A compact JWS taken apart. Cheapest checks first, because everything here runs on bytes that
 * anybody may send: size before shape, shape before base64, base64 before JSON. No allocation
 * before the header's JSON.
 *
 * The header may only agree with what the policy has decided. It never brings a key (jwk, x5c) or
 * an address (jku, x5u): those are read by nobody.
 */
#include "jwt_parts.h"

#include <string.h>
#include <strings.h>

/* Members that change what a signature covers, or that make this something else than a JWS. */
static const char *const extensions[] = {"crit", "b64", "zip"};
static const char *const encryption[] = {"enc", "epk", "apu", "apv", "p2s", "p2c", "iv", "tag"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int pep_jwt_split(struct pep_jwt_check *check, struct pep_span token, struct pep_jwt_parts *ret)
{
    if (token.size == 0 || token.size > PEP_TOKEN_MAX)
        return pep_jwt_refuse(check, PEP_JWT_SIZE, "%zu bytes, 1 to %d are accepted", token.size,
                              PEP_TOKEN_MAX);
    const uint8_t *end = token.data + token.size;
    const uint8_t *first = memchr(token.data, '.', token.size);
    const uint8_t *second =
        first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
        return pep_jwt_refuse(check, PEP_JWT_SHAPE, "needs exactly three parts");
    ret->header = pep_span_of(token.data, (size_t)(first - token.data));
    ret->payload = pep_span_of(first + 1, (size_t)(second - first - 1));
    ret->signature = pep_span_of(second + 1, (size_t)(end - second - 1));
    ret->signed_text = pep_span_of(token.data, (size_t)(second - token.data));
    if (ret->header.size == 0 || ret->payload.size == 0)
        return pep_jwt_refuse(check, PEP_JWT_SHAPE, "an empty part");
    return PEP_OK;
}

int pep_jwt_read_object(struct pep_jwt_check *check, struct pep_span text,
                        enum pep_jwt_reason reason, json_t **ret)
{
    uint8_t bytes[PEP_JWT_PART_MAX];
    size_t size;
    json_t *value = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    if (pep_base64url_decode(text, bytes, &size) != PEP_OK)
        return pep_jwt_refuse(check, PEP_JWT_SHAPE, "%s: not canonical base64url",
                              pep_jwt_reason_name(reason));
    int r = pep_json_parse(pep_span_of(bytes, size), sizeof(bytes), pep_jwt_reason_name(reason),
                           &value, &err);
    if (r == PEP_ENOMEM)
        return pep_jwt_refuse(check, PEP_JWT_MEMORY, "no memory");
    if (r != PEP_OK)
        return pep_jwt_refuse(check, reason, "%s", pep_error_text(&err));
    if (!json_is_object(value)) {
        json_decref(value);
        return pep_jwt_refuse(check, reason, "not a JSON object");
    }
    *ret = value;
    return PEP_OK;
}

/* ---- the header ---- */

/* "application/at+JWT" -> "at+jwt"; false if it is too long to be the name of a type. */
static bool normal_type(const char *typ, char out[PEP_JWT_TYPE_MAX])
{
    if (strncasecmp(typ, "application/", 12) == 0)
        typ += 12;
    size_t size = strlen(typ);
    if (size >= PEP_JWT_TYPE_MAX)
        return false;
    for (size_t i = 0; i <= size; i++)
        out[i] = (char)(typ[i] >= 'A' && typ[i] <= 'Z' ? typ[i] + 32 : typ[i]);
    return true;
}

static int check_members(struct pep_jwt_check *check, const json_t *header)
{
    for (size_t i = 0; i < COUNT(extensions); i++) {
        if (json_object_get(header, extensions[i]) != NULL)
            return pep_jwt_refuse(check, PEP_JWT_CRIT, "the header has `%s`", extensions[i]);
    }
    for (size_t i = 0; i < COUNT(encryption); i++) {
        if (json_object_get(header, encryption[i]) != NULL)
            return pep_jwt_refuse(check, PEP_JWT_HEADER, "`%s` belongs to an encrypted token",
                                  encryption[i]);
    }
    static const char *const strings[] = {"alg", "kid", "typ", "cty"};
    for (size_t i = 0; i < COUNT(strings); i++) {
        const json_t *v = json_object_get(header, strings[i]);
        if (v != NULL && !json_is_string(v))
            return pep_jwt_refuse(check, PEP_JWT_HEADER, "`%s` must be a string", strings[i]);
    }
    return PEP_OK;
}

static int read_types(struct pep_jwt_check *check, const json_t *header,
                      struct pep_jwt_parts *parts)
{
    const char *typ = json_string_value(json_object_get(header, "typ"));
    const char *cty = json_string_value(json_object_get(header, "cty"));
    char content[PEP_JWT_TYPE_MAX];
    parts->type[0] = '\0';
    if (typ != NULL && (!normal_type(typ, parts->type) || parts->type[0] == '\0'))
        return pep_jwt_refuse(check, PEP_JWT_TYPE, "`typ` is not the name of a type");
    if (cty != NULL && (!normal_type(cty, content) || strcmp(content, "jwt") == 0))
        return pep_jwt_refuse(check, PEP_JWT_TYPE, "a token inside a token (cty)");
    return PEP_OK;
}

int pep_jwt_read_header(struct pep_jwt_check *check, struct pep_jwt_parts *parts)
{
    json_t *header = NULL;
    int r = pep_jwt_read_object(check, parts->header, PEP_JWT_HEADER, &header);
    if (r != PEP_OK)
        return r;
    parts->header_json = header;
    r = check_members(check, header);
    if (r == PEP_OK)
        r = read_types(check, header, parts);
    if (r != PEP_OK)
        return r;
    const json_t *alg = json_object_get(header, "alg"), *kid = json_object_get(header, "kid");
    if (alg == NULL)
        return pep_jwt_refuse(check, PEP_JWT_HEADER, "`alg` is missing");
    parts->alg = pep_alg_find(pep_span_of(json_string_value(alg), json_string_length(alg)));
    if (parts->alg == PEP_ALG_NONE)
        return pep_jwt_refuse(check, PEP_JWT_ALGORITHM, "`%.32s` is not an accepted algorithm",
                              json_string_value(alg));
    if (parts->signature.size == 0)
        return pep_jwt_refuse(check, PEP_JWT_SIGNATURE, "no signature");
    parts->has_kid = kid != NULL;
    if (kid == NULL)
        return PEP_OK;
    parts->kid = pep_span_of(json_string_value(kid), json_string_length(kid));
    if (parts->kid.size == 0 || parts->kid.size > PEP_KID_MAX)
        return pep_jwt_refuse(check, PEP_JWT_KEY, "`kid` must have 1 to %d bytes", PEP_KID_MAX);
    return PEP_OK;
}

/* ---- the type ---- */

static bool type_listed(const struct pep_issuer *issuer, const char *type)
{
    char listed[PEP_JWT_TYPE_MAX];
    for (size_t i = 0; i < issuer->token_types.count; i++) {
        if (normal_type(issuer->token_types.items[i], listed) && strcmp(listed, type) == 0)
            return true;
    }
    return false;
}

/* A list is closed: an absent typ is then refused too, because it could be any kind of token. */
int pep_jwt_check_type(struct pep_jwt_check *check, const struct pep_jwt_parts *parts,
                       const struct pep_issuer *issuer)
{
    const char *type = parts->type;
    bool good = issuer->token_types.count > 0
                    ? type_listed(issuer, type)
                    : type[0] == '\0' || strcmp(type, "jwt") == 0 || strcmp(type, "at+jwt") == 0;
    if (good)
        return PEP_OK;
    return pep_jwt_refuse(check, PEP_JWT_TYPE,
                          "typ `%s` is not one that this issuer is accepted for", type);
}
