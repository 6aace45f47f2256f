/*
 * Root documents of the keyring: the local one and those pinned for contexts. See keyring.h.
 *
 * The local root lasts ten years: it says only what this user's own keys may sign for this user's
 * own tools and file-mode services, and its root key lies beside it. What a fleet trusts is the
 * context's root, whose time `root init` sets.
 */
#include "keyring.h"

#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOCAL_SECONDS ((int64_t)3653 * 86400)

static int load_root(const char *path, struct pep_root **ret, struct pep_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (!disk_exists(path))
        return pep_error_set(err, PEP_ENOTFOUND, "%s: not there", path);
    int rc = disk_read(path, PEP_ROOT_MAX, &bytes, &size, err);
    if (rc != PEP_OK)
        return rc;
    if (size > 0 && bytes[size - 1] == '\n')
        size--;
    struct pep_error why = PEP_ERROR_INIT;
    rc = pep_root_open(pep_span_of(bytes, size), NULL, ret, &why);
    free(bytes);
    return rc != PEP_OK ? pep_error_set(err, rc, "%s: %s", path, pep_error_text(&why)) : PEP_OK;
}

/* The envelope and a line feed, so that the file is a text file. */
static int store_root(const char *path, const struct pep_root *root, bool replace,
                      struct pep_error *err)
{
    struct pep_buffer text = pep_buffer_of(PEP_ROOT_MAX + 1);
    pep_put_span(&text, pep_root_envelope(root));
    pep_put_u8(&text, '\n');
    int rc = text.failed ? pep_error_set(err, PEP_ENOMEM, "no memory")
             : replace   ? disk_replace(path, 0600, pep_buffer_span(&text), err)
                         : disk_create(path, 0600, pep_buffer_span(&text), err);
    pep_buffer_free(&text);
    return rc;
}

int keyring_local_root(struct pep_root **ret, struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = config_path(path, err, "root.json");
    return rc != PEP_OK ? rc : load_root(path, ret, err);
}

int keyring_context_root(const char *context, struct pep_root **ret, struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = config_path(path, err, "contexts/%s.root.json", context);
    return rc != PEP_OK ? rc : load_root(path, ret, err);
}

int keyring_pin_root(const char *context, const struct pep_root *root, bool replace,
                     struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = config_make("contexts", err);
    if (rc == PEP_OK)
        rc = config_path(path, err, "contexts/%s.root.json", context);
    return rc != PEP_OK ? rc : store_root(path, root, replace, err);
}

void keyring_unpin_root(const char *context)
{
    char path[CONFIG_PATH];
    if (config_path(path, NULL, "contexts/%s.root.json", context) == PEP_OK)
        unlink(path);
}

static int add_key(struct pep_root_draft *draft, const char *name, struct pep_error *err)
{
    bool is_root = strcmp(name, KEYRING_ROOT) == 0;
    bool is_revocation = strcmp(name, KEYRING_REVOCATION) == 0;
    if (draft->key_count == PEP_ROOT_KEYS)
        return pep_error_set(err, PEP_ELIMIT, "more than %d keys in the keyring", PEP_ROOT_KEYS);
    struct pep_public_key key;
    int rc = keyring_public(name, &key, err);
    if (rc != PEP_OK)
        return rc;
    size_t i = draft->key_count++;
    draft->keys[i].key = key;
    snprintf(draft->keys[i].name, sizeof(draft->keys[i].name), "%s", name);
    draft->keys[i].roles[PEP_ROLE_ROOT] = is_root;
    draft->keys[i].roles[PEP_ROLE_REVOCATION] = is_revocation;
    draft->keys[i].roles[PEP_ROLE_POLICY] = !is_root && !is_revocation;
    return PEP_OK;
}

int keyring_draft(struct pep_root_draft *draft, struct pep_error *err)
{
    struct name_list *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    bool has_root = false, has_policy = false;
    int rc = keyring_names(all, err);
    for (size_t i = 0; rc == PEP_OK && i < all->count; i++) {
        rc = add_key(draft, all->names[i], err);
        if (rc == PEP_OK) {
            has_root = has_root || draft->keys[draft->key_count - 1].roles[PEP_ROLE_ROOT];
            has_policy = has_policy || draft->keys[draft->key_count - 1].roles[PEP_ROLE_POLICY];
        }
    }
    free(all);
    if (rc == PEP_OK && (!has_root || !has_policy))
        rc = pep_error_set(err, PEP_ENOTFOUND, "no %s key in the keyring",
                           has_root ? "policy" : "root");
    draft->thresholds[PEP_ROLE_ROOT] = 1;
    draft->thresholds[PEP_ROLE_POLICY] = 1;
    draft->thresholds[PEP_ROLE_REVOCATION] = 1;
    return rc;
}

int keyring_sign_root(const struct pep_root_draft *draft, struct pep_root **ret,
                      struct pep_error *err)
{
    struct pep_private_key *key = NULL;
    struct pep_buffer payload = pep_buffer_of(PEP_ROOT_MAX), envelope = pep_buffer_of(PEP_ROOT_MAX);
    int rc = keyring_load(KEYRING_ROOT, &key, err);
    if (rc == PEP_OK)
        rc = pep_root_write(draft, &payload, err);
    if (rc == PEP_OK)
        rc = pep_envelope_sign(PEP_TYPE_ROOT, pep_buffer_span(&payload),
                               (const struct pep_private_key *const *)&key, 1, &envelope);
    if (rc == PEP_OK)
        rc = pep_root_open(pep_buffer_span(&envelope), NULL, ret, err);
    pep_private_key_free(key);
    pep_buffer_free(&payload);
    pep_buffer_free(&envelope);
    return rc != PEP_OK ? pep_error_set(err, rc, "root: %s", pep_strerror(rc)) : PEP_OK;
}

int keyring_renew_local(struct pep_error *err)
{
    struct pep_root *old = NULL, *next = NULL;
    struct pep_root_draft *draft = calloc(1, sizeof(*draft));
    char path[CONFIG_PATH];
    int rc = draft == NULL ? pep_error_set(err, PEP_ENOMEM, "no memory")
                           : config_path(path, err, "root.json");
    if (rc == PEP_OK && disk_exists(path))
        rc = load_root(path, &old, err);
    if (rc == PEP_OK)
        rc = keyring_draft(draft, err);
    if (rc != PEP_OK)
        goto done;
    draft->version = old == NULL ? 1 : pep_root_version(old) + 1;
    draft->epoch = old == NULL ? 1 : pep_root_epoch(old);
    if (old != NULL)
        snprintf(draft->installation, sizeof(draft->installation), "%s",
                 pep_root_installation(old));
    draft->created = time(NULL);
    draft->expires = draft->created + LOCAL_SECONDS;
    rc = keyring_sign_root(draft, &next, err);
    if (rc == PEP_OK)
        rc = store_root(path, next, old != NULL, err);
done:
    pep_root_free(old);
    pep_root_free(next);
    free(draft);
    return rc;
}

int keyring_sign_bundle(const struct pep_private_key *key, const struct pep_manifest_draft *draft,
                        const struct pep_files *files, struct pep_buffer *out,
                        struct pep_error *err)
{
    struct pep_buffer payload = pep_buffer_of(PEP_PAYLOAD_MAX);
    int rc = pep_manifest_write(draft, files, &payload, err);
    if (rc == PEP_OK)
        rc = pep_envelope_sign(PEP_TYPE_BUNDLE, pep_buffer_span(&payload), &key, 1, out);
    pep_put_u8(out, '\n');
    for (size_t i = 0; rc == PEP_OK && i < pep_files_count(files); i++)
        pep_put_span(out, pep_files_at(files, i)->content);
    pep_buffer_free(&payload);
    if (rc == PEP_OK && out->failed)
        rc = PEP_ELIMIT;
    return rc != PEP_OK ? pep_error_set(err, rc, "bundle: %s", pep_strerror(rc)) : PEP_OK;
}
