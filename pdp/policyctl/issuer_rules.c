/* See issuer_rules.h. */
#include "issuer_rules.h"

#include "pep/core/issuers.h"

#include <string.h>

struct looking {
    const char *issuer;
    struct issuer_rules rules;
    bool unbounded;
};

static int look_into(const struct pep_bundle *bundle, struct looking *l)
{
    const struct pep_file *file = pep_files_find(pep_bundle_files(bundle), "issuers.json");
    struct pep_issuers *issuers = NULL;
    if (file == NULL)
        return PEP_OK;
    int rc = pep_issuers_read(file->content, "issuers.json", &issuers, NULL, NULL);
    if (rc != PEP_OK)
        return rc;
    const struct pep_issuer *found = pep_issuers_find(issuers, pep_span_string(l->issuer));
    l->rules.found = l->rules.found || found != NULL;
    if (found != NULL && found->max_lifetime == 0)
        l->unbounded = true;
    if (found != NULL && found->max_lifetime > l->rules.lifetime)
        l->rules.lifetime = found->max_lifetime;
    pep_issuers_free(issuers);
    return PEP_OK;
}

int issuer_rules_find(struct session *s, struct remote *r, const struct pep_root *root,
                      const char *issuer, struct issuer_rules *ret)
{
    struct looking l = {issuer, {false, 0}, false};
    struct reply reply = REPLY_INIT;
    int rc = remote_call(r, json_pack("{s:s}", "op", "status"), NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    const json_t *bundles = json_object_get(reply.json, "bundles");
    if (json_array_size(bundles) > ISSUER_RULES_BUNDLES)
        l.unbounded = true;
    for (size_t i = 0; i < json_array_size(bundles) && i < ISSUER_RULES_BUNDLES; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(bundles, i), "name"));
        struct pep_bundle *bundle = NULL;
        if (name == NULL || trust_bundle(s, r, root, name, 0, &bundle) != EXIT_OK ||
            look_into(bundle, &l) != PEP_OK) {
            output_warning(&s->out, "the live policy `%s` could not be looked at",
                           name == NULL ? "?" : name);
            l.unbounded = true;
        }
        pep_bundle_free(bundle);
    }
    reply_free(&reply);
    *ret = l.rules;
    if (l.unbounded)
        ret->lifetime = 0;
    return EXIT_OK;
}
