/*
 * Claims by name, and what an issuer may assert in them (`allow` in issuers.json). Both the claim
 * as the token has it and what rules read under its name are held to the list, because a schema may
 * read a claim under another name or from another place. What is absent asserts nothing.
 *
 * Rejected: judging the subject alone, which a second name for the same claim would get around.
 */
#include "engine_internal.h"

#include <string.h>

/* A claim by its whole name, else along the dots of "realm_access.roles". null is absent. */
const json_t *pep_claim_at(const json_t *claims, const char *path)
{
    const json_t *v = json_object_get(claims, path);
    char part[256];
    const json_t *at = claims;
    for (const char *p = path; v == NULL && at != NULL && strchr(path, '.') != NULL;) {
        size_t n = strcspn(p, ".");
        if (n >= sizeof(part))
            return NULL;
        memcpy(part, p, n);
        part[n] = '\0';
        at = json_object_get(at, part);
        if (p[n] == '\0') {
            v = at;
            break;
        }
        p += n + 1;
    }
    return json_is_null(v) ? NULL : v;
}

/* ---- what the issuer may assert ---- */

static bool all_listed(const json_t *v, const struct pep_strings *listed)
{
    if (json_is_string(v))
        return pep_strings_has(listed, pep_span_of(json_string_value(v), json_string_length(v)));
    if (!json_is_array(v))
        return false;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        if (!json_is_string(item) || !all_listed(item, listed))
            return false;
    }
    return true;
}

static bool values_listed(const struct pep_value *v, const struct pep_strings *listed)
{
    if (v == NULL)
        return true;
    if (v->kind == PEP_V_STRING)
        return pep_strings_has(listed, pep_span_of(v->u.string, v->size));
    for (uint32_t i = 0; v->kind == PEP_V_LIST && i < v->size; i++) {
        if (!values_listed(&v->u.items[i], listed))
            return false;
    }
    return v->kind == PEP_V_LIST;
}

/* The claim as the token has it, whatever the schema makes of it: one that it reads under another
 * name is limited all the same. */
static bool claim_listed(const json_t *claims, const char *name, const struct pep_strings *listed)
{
    const json_t *v = pep_claim_at(claims, name);
    return v == NULL || all_listed(v, listed);
}

/* What rules read under this name, if the schema declares it: from another claim, perhaps. */
static const struct pep_value *declared_value(const struct pep_subject *s, const char *name)
{
    uint32_t id = pep_names_find(&s->policy->names, pep_span_string(name));
    return id == PEP_NONE || !s->policy->schema.has_claims ? NULL : pep_subject_get(s, id);
}

const char *pep_claim_not_granted(const struct pep_subject *s, const json_t *claims,
                                  const struct pep_issuer *issuer)
{
    if (issuer == NULL || !issuer->has_allow)
        return NULL;
    const struct pep_value *roles = pep_subject_get(s, PEP_NAME_TOKEN_ROLES);
    const struct pep_value *client = pep_subject_get(s, PEP_NAME_CLIENT);
    if (issuer->limits_roles &&
        (!values_listed(roles, &issuer->roles) || !claim_listed(claims, "roles", &issuer->roles)))
        return "roles";
    if (issuer->limits_clients && (!values_listed(client, &issuer->clients) ||
                                   !claim_listed(claims, "azp", &issuer->clients) ||
                                   !claim_listed(claims, "client_id", &issuer->clients)))
        return "azp";
    if (issuer->limits_acr && (!claim_listed(claims, "acr", &issuer->acr) ||
                               !values_listed(declared_value(s, "acr"), &issuer->acr)))
        return "acr";
    for (size_t i = 0; i < issuer->claim_count; i++) {
        const struct pep_issuer_claim *c = &issuer->claims[i];
        if (!claim_listed(claims, c->name, &c->values) ||
            !values_listed(declared_value(s, c->name), &c->values))
            return c->name;
    }
    return NULL;
}
