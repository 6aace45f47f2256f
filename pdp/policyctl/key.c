/* key generate, key list: the keys that sign policies and roots. See keyring.h. */
#include "key.h"
#include "keyring.h"

#include <stdlib.h>
#include <string.h>

static int generate_policy_key(struct session *s, const char *name)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_public_key key;
    char path[CONFIG_PATH];
    int rc = config_path(path, &err, "keys/%s.key", name);
    if (rc == PEP_OK)
        rc = keyring_generate(name, &key, &err);
    if (rc == PEP_ECONFLICT)
        return output_error(&s->out, EXIT_FAILED,
                            "there is a key `%s` already\n%s\nchoose another name; a key is never "
                            "overwritten",
                            name, path);
    if (rc != PEP_OK)
        return session_failed(s, &err, "policyctl key list");
    output_note(&s->out, "wrote %s (private, stays here) and the public half beside it", path);
    if (s->out.format == OUTPUT_JSON)
        return output_json(&s->out, json_pack("{s:s, s:s, s:s, s:s}", "name", name, "use", "policy",
                                              "id", key.id, "file", path));
    output_line("%s", key.id);
    return EXIT_OK;
}

int key_generate_run(struct session *s, const void *settings)
{
    const struct key_generate_settings *o = settings;
    if (o->use != NULL && strcmp(o->use, "token") == 0)
        return key_generate_token(s, s->operands[0], o->alg);
    if (o->use != NULL && strcmp(o->use, "policy") != 0)
        return output_error(&s->out, EXIT_USAGE, "`--use %s`: no such use\n\npolicy or token",
                            o->use);
    if (o->alg != NULL)
        return output_error(&s->out, EXIT_USAGE,
                            "`--alg` is for token keys; policy keys are Ed25519\n\n--use token");
    return generate_policy_key(s, s->operands[0]);
}

static const struct option_row generate_rows[] = {
    {"use", 0, "USE", OPTION_TEXT, offsetof(struct key_generate_settings, use),
     "policy (default): signs bundles; token: signs JWTs"},
    {"alg", 0, "ALG", OPTION_TEXT, offsetof(struct key_generate_settings, alg),
     "of a token key: ES256 (default), RS256, EdDSA, ..."},
    OPTION_END,
};
const struct option_set key_generate_options = {sizeof(struct key_generate_settings),
                                                generate_rows};

/* "root", "policy", "revocation", or "" for a key that the local root does not know. */
static const char *role_in(const struct pep_root *root, const char *id)
{
    static const enum pep_role roles[] = {PEP_ROLE_ROOT, PEP_ROLE_POLICY, PEP_ROLE_REVOCATION};
    for (size_t r = 0; root != NULL && r < sizeof(roles) / sizeof(roles[0]); r++) {
        struct pep_signers signers = pep_root_signers(root, roles[r]);
        for (size_t i = 0; i < signers.count; i++) {
            if (strcmp(signers.keys[i].id, id) == 0)
                return pep_role_name(roles[r]);
        }
    }
    return "";
}

static int list(struct session *s, const struct name_list *all, const struct pep_root *root)
{
    static const struct column columns[] = {
        {"NAME", false, false}, {"USE", false, false}, {"ID", false, false}, {NULL, false, false}};
    json_t *array = json_array();
    struct table *table = table_new(columns);
    for (size_t i = 0; i < all->count; i++) {
        struct pep_public_key key;
        struct pep_error err = PEP_ERROR_INIT;
        if (keyring_public(all->names[i], &key, &err) != PEP_OK) {
            output_warning(&s->out, "%s", pep_error_text(&err));
            continue;
        }
        const char *role = role_in(root, key.id);
        json_array_append_new(
            array, json_pack("{s:s, s:s, s:s}", "name", all->names[i], "use", role, "id", key.id));
        table_cell(table, "%s", all->names[i]);
        table_cell(table, "%s", role);
        if (s->out.format == OUTPUT_WIDE)
            table_cell(table, "%s", key.id);
        else
            table_cell(table, "%.16s", key.id);
    }
    return output_list(&s->out, table, json_pack("{s:o}", "keys", array));
}

int key_list_run(struct session *s, const void *settings)
{
    (void)settings;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root *root = NULL;
    struct name_list *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return output_error(&s->out, EXIT_FAILED, "no memory");
    int rc = keyring_names(all, &err);
    if (rc == PEP_OK && keyring_local_root(&root, &err) == PEP_ENOTFOUND)
        err = (struct pep_error)PEP_ERROR_INIT;
    rc = err.code == PEP_OK ? list(s, all, root) : session_failed(s, &err, "");
    pep_root_free(root);
    free(all);
    return rc;
}
