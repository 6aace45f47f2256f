/* Reading and writing the identity folder; identity.h describes it. Everything read is checked here
 * once, so that the network side works with values that are known to be well formed. */
#include "pep/identity.h"
#include "pep/core/json.h"
#include "pep/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDENTITY_FILE "identity.json"
#define KEY_FILE      "curve.key"
#define ROOT_FILE     "root.json"
#define FILE_MAX      (16 * 1024)

static bool z85_valid(const char *text)
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   ".-:+=^!/*?&<>()[]{}@%$#";
    return strlen(text) == PEP_Z85_SIZE && strspn(text, alphabet) == PEP_Z85_SIZE;
}

static int take_text(const json_t *object, const char *name, char *out, size_t size,
                     struct pep_error *err)
{
    const char *text = pep_json_text(object, name, size - 1, IDENTITY_FILE, err);
    if (text == NULL)
        return PEP_EFORMAT;
    if (text[0] == '\0')
        return pep_error_set(err, PEP_EFORMAT, IDENTITY_FILE ": %s is empty", name);
    snprintf(out, size, "%s", text);
    return PEP_OK;
}

static int take_z85(const json_t *object, const char *name, const char *file, char *out,
                    struct pep_error *err)
{
    const char *text = pep_json_text(object, name, PEP_Z85_SIZE, file, err);
    if (text == NULL)
        return PEP_EFORMAT;
    if (!z85_valid(text))
        return pep_error_set(err, PEP_EFORMAT, "%s: %s is not a CURVE key (40 characters of Z85)",
                             file, name);
    memcpy(out, text, PEP_Z85_SIZE + 1);
    return PEP_OK;
}

static int take_endpoints(const json_t *object, const char *name, char (*out)[PEP_ENDPOINT_MAX + 1],
                          size_t *ret_count, struct pep_error *err)
{
    const json_t *list = json_object_get(object, name);
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0 || n > PEP_ENDPOINTS)
        return pep_error_set(err, PEP_EFORMAT, IDENTITY_FILE ": %s must list 1 to %d endpoints",
                             name, PEP_ENDPOINTS);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL || strncmp(text, "tcp://", 6) != 0 || strlen(text) > PEP_ENDPOINT_MAX)
            return pep_error_set(err, PEP_EFORMAT,
                                 IDENTITY_FILE ": %s holds an endpoint that is not tcp://HOST:PORT",
                                 name);
        snprintf(out[i], PEP_ENDPOINT_MAX + 1, "%s", text);
    }
    *ret_count = n;
    return PEP_OK;
}

static int parse(const json_t *doc, struct pep_identity *id, struct pep_error *err)
{
    size_t notices = 0;
    int rc = take_text(doc, "client", id->client, sizeof(id->client), err);
    if (rc == PEP_OK)
        rc = take_text(doc, "bundle", id->bundle, sizeof(id->bundle), err);
    if (rc == PEP_OK && !pep_bundle_name_valid(pep_span_string(id->bundle)))
        rc = pep_error_set(err, PEP_EFORMAT, IDENTITY_FILE ": bundle is not a valid name");
    if (rc == PEP_OK)
        rc = take_text(doc, "installation", id->installation, sizeof(id->installation), err);
    if (rc == PEP_OK)
        rc = take_z85(doc, "server_key", IDENTITY_FILE, id->server_key, err);
    if (rc == PEP_OK)
        rc = take_endpoints(doc, "notices", id->notices, &notices, err);
    if (rc == PEP_OK)
        rc = take_endpoints(doc, "fetch", id->fetch, &id->endpoint_count, err);
    if (rc == PEP_OK && notices != id->endpoint_count)
        rc = pep_error_set(err, PEP_EFORMAT,
                           IDENTITY_FILE ": notices and fetch must have equally many endpoints");
    return rc;
}

static int read_json(const char *folder, const char *name, json_t **ret, struct pep_error *err)
{
    struct pep_span text;
    json_t *doc;
    int rc = pep_disk_read(folder, name, FILE_MAX, &text, err);
    if (rc != PEP_OK)
        return rc;
    rc = pep_json_parse(text, FILE_MAX, name, &doc, err);
    pep_wipe((void *)(uintptr_t)text.data, text.size);
    pep_disk_free(text);
    if (rc != PEP_OK)
        return rc;
    if (!json_is_object(doc)) {
        json_decref(doc);
        return pep_error_set(err, PEP_EFORMAT, "%s: not a JSON object", name);
    }
    *ret = doc;
    return PEP_OK;
}

int pep_curve_key_read(const char *folder, struct pep_curve_key *ret, struct pep_error *err)
{
    json_t *doc;
    struct pep_curve_key key;
    int rc = pep_disk_private(folder, KEY_FILE, err);
    if (rc == PEP_OK)
        rc = read_json(folder, KEY_FILE, &doc, err);
    if (rc != PEP_OK)
        return rc;
    rc = take_z85(doc, "public", KEY_FILE, key.public_key, err);
    if (rc == PEP_OK)
        rc = take_z85(doc, "secret", KEY_FILE, key.secret_key, err);
    json_decref(doc);
    if (rc == PEP_OK)
        *ret = key;
    pep_wipe(&key, sizeof(key));
    return rc;
}

int pep_curve_key_write(const char *folder, const struct pep_curve_key *key, struct pep_error *err)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "{\"public\":\"%s\",\"secret\":\"%s\"}\n", key->public_key,
                     key->secret_key);
    int rc = pep_disk_write(folder, KEY_FILE, pep_span_of(text, (size_t)n), 0600, err);
    pep_wipe(text, sizeof(text));
    return rc;
}

static int read_root(const char *folder, struct pep_identity *id, struct pep_error *err)
{
    struct pep_span text;
    int rc = pep_disk_read(folder, ROOT_FILE, PEP_ROOT_MAX + 1, &text, err);
    if (rc != PEP_OK)
        return rc;
    struct pep_span envelope = text;
    if (envelope.size > 0 && envelope.data[envelope.size - 1] == '\n')
        envelope.size--;
    rc = pep_root_open(envelope, NULL, &id->root, err);
    pep_disk_free(text);
    if (rc == PEP_OK && strcmp(pep_root_installation(id->root), id->installation) != 0)
        rc = pep_error_set(err, PEP_EFORMAT,
                           ROOT_FILE " belongs to another installation than " IDENTITY_FILE);
    return rc;
}

bool pep_identity_exists(const char *folder)
{
    char path[PEP_DISK_PATH];
    return pep_disk_path(folder, IDENTITY_FILE, path, NULL) == PEP_OK && access(path, F_OK) == 0;
}

int pep_identity_read(const char *folder, struct pep_identity **ret, struct pep_error *err)
{
    json_t *doc = NULL;
    if (!pep_identity_exists(folder))
        return pep_error_set(err, PEP_ENOTFOUND,
                             "%s holds no identity: policyctl service join TOKEN --dir %s", folder,
                             folder);
    struct pep_identity *id = calloc(1, sizeof(*id));
    if (id == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory for an identity");
    int rc = read_json(folder, IDENTITY_FILE, &doc, err);
    if (rc == PEP_OK)
        rc = parse(doc, id, err);
    if (rc == PEP_OK)
        rc = pep_curve_key_read(folder, &id->key, err);
    if (rc == PEP_OK)
        rc = read_root(folder, id, err);
    json_decref(doc);
    if (rc != PEP_OK) {
        pep_identity_free(id);
        return rc;
    }
    *ret = id;
    return PEP_OK;
}

void pep_identity_free(struct pep_identity *id)
{
    if (id == NULL)
        return;
    pep_root_free(id->root);
    pep_wipe(id, sizeof(*id));
    free(id);
}

static json_t *endpoint_list(const char (*endpoints)[PEP_ENDPOINT_MAX + 1], size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(endpoints[i]));
    return list;
}

int pep_identity_write(const char *folder, const struct pep_identity *id, struct pep_error *err)
{
    int rc = pep_disk_write(folder, ROOT_FILE, pep_root_envelope(id->root), 0644, err);
    if (rc != PEP_OK)
        return rc;
    json_t *doc = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s}", "client", id->client, "bundle", id->bundle,
        "installation", id->installation, "notices", endpoint_list(id->notices, id->endpoint_count),
        "fetch", endpoint_list(id->fetch, id->endpoint_count), "server_key", id->server_key);
    char *text = doc == NULL ? NULL : json_dumps(doc, JSON_INDENT(2));
    json_decref(doc);
    if (text == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory for " IDENTITY_FILE);
    rc = pep_disk_write(folder, IDENTITY_FILE, pep_span_string(text), 0644, err);
    free(text);
    return rc;
}
