/* Keys on disk and choosing among them: see keyring.h; roots are in keyring_root.c. */
#include "keyring.h"

#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PEM_MAX 4096

static int key_path(char out[CONFIG_PATH], const char *name, const char *suffix,
                    struct pep_error *err)
{
    if (!name_valid(name))
        return pep_error_set(err, PEP_EINVAL,
                             "`%s` is not a name for a key: small letters, digits, `.`, `-` and "
                             "`_`, at most %d",
                             name, NAME_LONGEST);
    return config_path(out, err, "keys/%s%s", name, suffix);
}

int keyring_load(const char *name, struct pep_private_key **ret, struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = key_path(path, name, ".key", err);
    if (rc != PEP_OK)
        return rc;
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        return pep_error_set(err, PEP_EINVAL, "%s may be read by others: chmod 600 it", path);
    if (!disk_exists(path))
        return pep_error_set(err, PEP_ENOTFOUND, "no key `%s` in the keyring", name);
    uint8_t *pem = NULL;
    size_t size = 0;
    rc = disk_read(path, PEM_MAX, &pem, &size, err);
    if (rc != PEP_OK)
        return rc;
    rc = pep_private_key_from_pem(pep_span_of(pem, size), ret, err);
    pep_wipe(pem, size);
    free(pem);
    return rc;
}

int keyring_public(const char *name, struct pep_public_key *ret, struct pep_error *err)
{
    char path[CONFIG_PATH];
    uint8_t *pem = NULL;
    size_t size = 0;
    int rc = key_path(path, name, ".pub", err);
    if (rc == PEP_OK)
        rc = disk_read(path, PEM_MAX, &pem, &size, err);
    if (rc == PEP_OK)
        rc = pep_public_key_from_pem(pep_span_of(pem, size), ret, err);
    free(pem);
    return rc;
}

int keyring_names(struct name_list *ret, struct pep_error *err)
{
    return config_names("keys", ".pub", ret, err);
}

/* The private half first: a public key without it would look like a key that can sign. */
static int store(const char *name, const struct pep_private_key *key, struct pep_error *err)
{
    char path[CONFIG_PATH];
    struct pep_buffer private = pep_buffer_of(PEM_MAX), public = pep_buffer_of(PEM_MAX);
    int rc = key_path(path, name, ".key", err);
    if (rc == PEP_OK)
        rc = config_make("keys", err);
    if (rc == PEP_OK)
        rc = pep_private_key_to_pem(key, &private);
    if (rc == PEP_OK)
        rc = pep_public_key_to_pem(pep_private_key_public(key), &public);
    if (rc == PEP_OK)
        rc = disk_create(path, 0600, pep_buffer_span(&private), err);
    if (rc == PEP_OK)
        rc = key_path(path, name, ".pub", err);
    if (rc == PEP_OK)
        rc = disk_replace(path, 0644, pep_buffer_span(&public), err);
    if (private.data != NULL)
        pep_wipe(private.data, private.size);
    pep_buffer_free(&private);
    pep_buffer_free(&public);
    return rc != PEP_OK ? pep_error_set(err, rc, "key `%s`: %s", name, pep_strerror(rc)) : PEP_OK;
}

/* A new key of this name, unless there is one. */
static int make(const char *name, struct pep_error *err)
{
    struct pep_private_key *key = NULL;
    int rc = pep_private_key_generate(&key);
    if (rc != PEP_OK)
        return pep_error_set(err, rc, "key `%s`: %s", name, pep_strerror(rc));
    rc = store(name, key, err);
    pep_private_key_free(key);
    return rc;
}

static int make_missing(const char *name, struct pep_error *err)
{
    struct pep_error local = PEP_ERROR_INIT;
    struct pep_private_key *key = NULL;
    int rc = keyring_load(name, &key, &local);
    pep_private_key_free(key);
    if (rc == PEP_ENOTFOUND)
        return make(name, err);
    return rc != PEP_OK ? pep_error_set(err, rc, "%s", pep_error_text(&local)) : PEP_OK;
}

int keyring_ensure(const char *policy, bool *ret_made, struct pep_error *err)
{
    struct pep_root *root = NULL;
    struct pep_error local = PEP_ERROR_INIT;
    int rc = keyring_local_root(&root, &local);
    if (strcmp(policy, KEYRING_REVOCATION) == 0)
        policy = KEYRING_POLICY; /* it signs no policies */
    pep_root_free(root);
    if (rc == PEP_OK) {
        *ret_made = false;
        return PEP_OK;
    }
    if (rc != PEP_ENOTFOUND)
        return pep_error_set(err, rc, "%s", pep_error_text(&local));
    rc = make_missing(KEYRING_ROOT, err);
    if (rc == PEP_OK)
        rc = make_missing(policy, err);
    if (rc == PEP_OK)
        rc = keyring_renew_local(err);
    if (rc == PEP_OK)
        *ret_made = true;
    return rc;
}

int keyring_generate(const char *name, struct pep_public_key *ret, struct pep_error *err)
{
    bool made = false;
    int rc;
    if (strcmp(name, KEYRING_ROOT) == 0)
        return pep_error_set(err, PEP_EINVAL, "`%s` is the name of the root key", KEYRING_ROOT);
    rc = make(name, err);
    if (rc == PEP_OK)
        rc = keyring_ensure(name, &made, err);
    if (rc == PEP_OK && !made)
        rc = keyring_renew_local(err);
    return rc != PEP_OK ? rc : keyring_public(name, ret, err);
}

/* What a key is wanted for. */
struct purpose {
    struct pep_signers signers; /* those that the root names for it */
    const char *preferred;      /* of several in the keyring */
    const char *what;           /* "sign policies" */
};

static bool serves(const struct purpose *p, const struct pep_public_key *key)
{
    for (size_t i = 0; i < p->signers.count; i++) {
        if (strcmp(p->signers.keys[i].id, key->id) == 0)
            return true;
    }
    return false;
}

static int pick_name(const struct purpose *p, char out[NAME_LONGEST + 1], struct pep_error *err)
{
    struct name_list *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    int rc = keyring_names(all, err);
    size_t found = 0;
    for (size_t i = 0; rc == PEP_OK && i < all->count; i++) {
        struct pep_public_key key;
        if (keyring_public(all->names[i], &key, NULL) != PEP_OK || !serves(p, &key))
            continue;
        if (found++ == 0 || strcmp(all->names[i], p->preferred) == 0)
            memcpy(out, all->names[i], sizeof(all->names[i]));
    }
    free(all);
    if (rc == PEP_OK && found == 0)
        return pep_error_set(err, PEP_ENOTFOUND, "no key of this keyring may %s under the root",
                             p->what);
    if (rc == PEP_OK && found > 1 && strcmp(out, p->preferred) != 0)
        return pep_error_set(err, PEP_EINVAL,
                             "%zu keys of this keyring may %s: name one with --key", found,
                             p->what);
    return rc;
}

static int choose(const struct purpose *p, const char *wanted, struct pep_private_key **ret,
                  struct pep_error *err)
{
    char name[NAME_LONGEST + 1];
    if (wanted == NULL) {
        int rc = pick_name(p, name, err);
        if (rc != PEP_OK)
            return rc;
        wanted = name;
    }
    struct pep_private_key *key = NULL;
    int rc = keyring_load(wanted, &key, err);
    if (rc != PEP_OK)
        return rc;
    if (!serves(p, pep_private_key_public(key))) {
        pep_private_key_free(key);
        return pep_error_set(err, PEP_EDENIED, "the root does not let key `%s` %s", wanted,
                             p->what);
    }
    *ret = key;
    return PEP_OK;
}

int keyring_choose(const struct pep_root *root, const char *wanted, struct pep_private_key **ret,
                   struct pep_error *err)
{
    struct purpose p = {pep_root_signers(root, PEP_ROLE_POLICY), KEYRING_POLICY, "sign policies"};
    return choose(&p, wanted, ret, err);
}

int keyring_choose_revoker(const struct pep_root *root, const char *wanted,
                           struct pep_private_key **ret, struct pep_error *err)
{
    bool own = pep_root_signers(root, PEP_ROLE_REVOCATION).count > 0;
    struct purpose p = {pep_root_revokers(root), own ? KEYRING_REVOCATION : KEYRING_POLICY,
                        "revoke tokens"};
    return choose(&p, wanted, ret, err);
}
