/* One bundle's content in memory: see topic.h. */
#include "topic.h"

#include "pep/core/envelope.h"
#include "pep/core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *copy(struct pep_span s)
{
    uint8_t *p = malloc(s.size == 0 ? 1 : s.size);
    if (p != NULL && s.size > 0)
        memcpy(p, s.data, s.size);
    return p;
}

static int release_new(const struct pep_head *head, struct pep_span manifest, struct release **ret)
{
    struct release *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return PEP_ENOMEM;
    r->head = *head;
    r->manifest = copy(manifest);
    r->manifest_size = manifest.size;
    if (r->manifest == NULL) {
        free(r);
        return PEP_ENOMEM;
    }
    *ret = r;
    return 0;
}

static int add_file(struct release *r, const uint8_t *hash, struct pep_span bytes)
{
    struct release_file *files = realloc(r->files, (r->count + 1) * sizeof(*files));
    if (files == NULL)
        return PEP_ENOMEM;
    r->files = files;
    files[r->count].bytes = copy(bytes);
    files[r->count].size = bytes.size;
    memcpy(files[r->count].sha256, hash, PEP_SHA256_SIZE);
    if (files[r->count].bytes == NULL)
        return PEP_ENOMEM;
    r->count++;
    return 0;
}

void release_free(struct release *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        free(r->files[i].bytes);
    free(r->files);
    free(r->manifest);
    free(r);
}

int release_from_bundle(const struct pep_bundle *bundle, struct release **ret)
{
    const struct pep_manifest *m = pep_bundle_manifest(bundle);
    const struct pep_files *files = pep_bundle_files(bundle);
    struct pep_head head = {pep_manifest_epoch(m), pep_manifest_version(m), {0}};
    struct release *r = NULL;
    memcpy(head.digest, pep_manifest_digest(m), sizeof(head.digest));
    int rc = release_new(&head, pep_manifest_envelope(m), &r);
    for (size_t i = 0; rc == 0 && i < pep_manifest_count(m); i++) {
        const struct pep_manifest_file *entry = pep_manifest_at(m, i);
        const struct pep_file *file = pep_files_find(files, entry->path);
        rc = file == NULL ? PEP_ENOTFOUND : add_file(r, entry->sha256, file->content);
    }
    if (rc != 0) {
        release_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

/* Nobody reads a damaged file as policy, since clients check the hash too; but better to say at
 * start that the disk is bad than to let every client find out. */
static int load_file(void *context, const struct store_content *row)
{
    uint8_t hash[PEP_SHA256_SIZE];
    int rc = pep_sha256(row->bytes, hash);
    if (rc == 0 && memcmp(hash, row->sha256, sizeof(hash)) != 0)
        rc = PEP_EFORMAT;
    return rc == 0 ? add_file(context, row->sha256, row->bytes) : rc;
}

int release_from_store(struct store *store, const struct store_version *row, struct release **ret,
                       struct pep_error *err)
{
    struct pep_head head = {row->epoch, row->version, {0}};
    struct release *r = NULL;
    memcpy(head.digest, row->digest, sizeof(head.digest));
    int rc = release_new(&head, row->manifest, &r);
    if (rc == 0)
        rc = store_each_content(store, row->bundle, row->version, load_file, r, err);
    if (rc != 0) {
        release_free(r);
        return pep_error_set(err, rc, "stored version %llu of %s: %s",
                             (unsigned long long)row->version, row->bundle, pep_strerror(rc));
    }
    *ret = r;
    return 0;
}

const struct release_file *release_find(const struct release *r,
                                        const uint8_t hash[PEP_SHA256_SIZE])
{
    for (size_t i = 0; r != NULL && i < r->count; i++) {
        if (memcmp(r->files[i].sha256, hash, PEP_SHA256_SIZE) == 0)
            return &r->files[i];
    }
    return NULL;
}

int topic_new(const char *name, struct release *newest, struct topic **ret)
{
    struct topic *t = calloc(1, sizeof(*t));
    if (t == NULL || strlen(name) > PEP_NAME_MAX) {
        free(t);
        return t == NULL ? PEP_ENOMEM : PEP_EFORMAT;
    }
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->newest = newest;
    *ret = t;
    return 0;
}

void topic_free(struct topic *t)
{
    if (t == NULL)
        return;
    release_free(t->newest);
    release_free(t->before);
    free(t);
}

struct topic *topic_next(const struct topic *t)
{
    return t->next;
}

const char *topic_name(const struct topic *t)
{
    return t->name;
}

const struct pep_head *topic_head(const struct topic *t)
{
    return &t->newest->head;
}

struct pep_span topic_manifest(const struct topic *t)
{
    return pep_span_of(t->newest->manifest, t->newest->manifest_size);
}

/* The position of `path` in the manifest's list, whose order is that of the release's files; -1: it
 * is not there. The signature was verified when the version was pushed. */
static int position_of(const json_t *manifest, const char *path)
{
    const json_t *files = json_object_get(manifest, "files");
    for (size_t i = 0; i < json_array_size(files); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(files, i), "path"));
        if (name != NULL && strcmp(name, path) == 0)
            return (int)i;
    }
    return -1;
}

int topic_path(const struct topic *t, const char *path, struct pep_span *ret, struct pep_error *err)
{
    struct pep_envelope *envelope = NULL;
    json_t *manifest = NULL;
    int rc = pep_envelope_read(topic_manifest(t), &envelope, err);
    if (rc == 0)
        rc = pep_json_parse(pep_envelope_unverified_payload(envelope), PEP_PAYLOAD_MAX, "manifest",
                            &manifest, err);
    if (rc == 0) {
        int i = position_of(manifest, path);
        bool found = i >= 0 && (size_t)i < t->newest->count;
        *ret = found ? pep_span_of(t->newest->files[i].bytes, t->newest->files[i].size)
                     : pep_span_of(NULL, 0);
    }
    json_decref(manifest);
    pep_envelope_free(envelope);
    return rc;
}

struct pep_span topic_file(const struct topic *t, const uint8_t hash[PEP_SHA256_SIZE])
{
    const struct release_file *f = release_find(t->newest, hash);
    if (f == NULL)
        f = release_find(t->before, hash);
    return f == NULL ? pep_span_of(NULL, 0) : pep_span_of(f->bytes, f->size);
}
