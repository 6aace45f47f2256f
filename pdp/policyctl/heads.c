/* See heads.h. */
#include "heads.h"

#include "disk.h"

#include "pep/core/json.h"

#include <stdlib.h>
#include <string.h>

#define HEADS_MAX (1024 * 1024)

/* The whole file; an empty object if it is not there. */
static int read_all(const char *path, json_t **ret, struct pep_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (!disk_exists(path)) {
        *ret = json_object();
        return *ret == NULL ? pep_error_set(err, PEP_ENOMEM, "no memory") : PEP_OK;
    }
    int rc = disk_read(path, HEADS_MAX, &bytes, &size, err);
    if (rc == PEP_OK)
        rc = pep_json_parse(pep_span_of(bytes, size), HEADS_MAX, path, ret, err);
    free(bytes);
    return rc;
}

static int read_head(const json_t *object, const char *what, struct head *ret,
                     struct pep_error *err)
{
    json_int_t epoch = 0, version = 0;
    uint8_t digest[PEP_SHA256_SIZE];
    int rc = pep_json_integer(object, "epoch", 1, UINT32_MAX, what, &epoch, err);
    if (rc == PEP_OK)
        rc = pep_json_integer(object, "version", 1, (json_int_t)PEP_VERSION_MAX, what, &version,
                              err);
    if (rc != PEP_OK)
        return rc;
    const char *text = json_string_value(json_object_get(object, "digest"));
    if (text == NULL || pep_digest_parse(pep_span_string(text), digest) != PEP_OK)
        return pep_error_set(err, PEP_EFORMAT, "%s: `digest` is not a digest", what);
    ret->epoch = (uint32_t)epoch;
    ret->version = (uint64_t)version;
    memcpy(ret->digest, digest, sizeof(digest));
    return PEP_OK;
}

int heads_load(const char *context, const char *bundle, struct head *ret, struct pep_error *err)
{
    char path[CONFIG_PATH];
    json_t *all = NULL;
    int rc = config_path(path, err, "contexts/%s.heads.json", context);
    if (rc == PEP_OK)
        rc = read_all(path, &all, err);
    const json_t *object = json_object_get(all, bundle);
    if (rc == PEP_OK && object != NULL)
        rc = read_head(object, path, ret, err);
    json_decref(all);
    return rc;
}

/* Steals `all`. */
static int write_all(const char *path, json_t *all, struct pep_error *err)
{
    char *text = json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    int rc = text == NULL ? pep_error_set(err, PEP_ENOMEM, "no memory")
                          : disk_replace(path, 0600, pep_span_string(text), err);
    free(text);
    return rc;
}

int heads_store(const char *context, const char *bundle, const struct head *head,
                struct pep_error *err)
{
    char path[CONFIG_PATH], digest[PEP_DIGEST_TEXT];
    struct head seen = {0, 0, {0}};
    json_t *all = NULL;
    int rc = config_path(path, err, "contexts/%s.heads.json", context);
    if (rc == PEP_OK)
        rc = heads_load(context, bundle, &seen, err);
    if (rc == PEP_OK &&
        pep_version_compare(head->epoch, head->version, seen.epoch, seen.version) <= 0)
        return PEP_OK;
    if (rc == PEP_OK)
        rc = read_all(path, &all, err);
    if (rc != PEP_OK)
        return rc;
    pep_digest_text(head->digest, digest);
    json_object_set_new(all, bundle,
                        json_pack("{s:I, s:I, s:s}", "epoch", (json_int_t)head->epoch, "version",
                                  (json_int_t)head->version, "digest", digest));
    return write_all(path, all, err);
}
