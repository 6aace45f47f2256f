/*
 * From a manifest to a bundle: which files are at hand, which have to be asked for.
 *
 * Files are known by their hash alone, so what the running version (or the final one kept beside a
 * canary) shares with the new one never travels again, whatever it is called there. Only hashes
 * that the verified manifest names have a place here: the memory that a server can make a client
 * use is bounded by what the author signed.
 */
#include "pep/sync_state.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t empty_file[1]; /* an empty file is there: its data is not NULL */

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct pep_part *)a)->hash, ((const struct pep_part *)b)->hash,
                  PEP_SHA256_SIZE);
}

static struct pep_part *find(const struct pep_fill *f, const uint8_t *hash)
{
    struct pep_part key = {.size = 0};
    memcpy(key.hash, hash, sizeof(key.hash));
    return f->count == 0 ? NULL : bsearch(&key, f->parts, f->count, sizeof(f->parts[0]), by_hash);
}

static void list_parts(struct pep_fill *f)
{
    size_t n = 0;
    const struct pep_manifest_file *m;
    while ((m = pep_manifest_at(f->manifest, n)) != NULL) {
        memcpy(f->parts[n].hash, m->sha256, PEP_SHA256_SIZE);
        f->parts[n++].size = m->size;
    }
    qsort(f->parts, n, sizeof(f->parts[0]), by_hash);
    for (size_t i = 0; i < n; i++) {
        if (f->count == 0 || by_hash(&f->parts[f->count - 1], &f->parts[i]) != 0)
            f->parts[f->count++] = f->parts[i];
    }
    f->missing = f->count;
}

static void take_from(struct pep_fill *f, const struct pep_bundle *bundle)
{
    if (bundle == NULL)
        return;
    const struct pep_manifest *m = pep_bundle_manifest(bundle);
    for (size_t i = 0; i < pep_manifest_count(m); i++) {
        const struct pep_manifest_file *entry = pep_manifest_at(m, i);
        struct pep_part *part = find(f, entry->sha256);
        if (part == NULL || part->data != NULL || part->size != entry->size)
            continue;
        const struct pep_file *file = pep_files_find(pep_bundle_files(bundle), entry->path);
        if (file == NULL)
            continue;
        part->data = file->content.size == 0 ? empty_file : file->content.data;
        f->missing--;
    }
}

int pep_fill_begin(struct pep_fill *f, struct pep_manifest *manifest, const struct pep_bundle *a,
                   const struct pep_bundle *b)
{
    pep_fill_clear(f);
    f->manifest = manifest;
    f->parts = calloc(pep_manifest_count(manifest) + 1, sizeof(f->parts[0]));
    if (f->parts == NULL) {
        pep_fill_clear(f);
        return PEP_ENOMEM;
    }
    list_parts(f);
    take_from(f, a);
    take_from(f, b);
    return PEP_OK;
}

void pep_fill_clear(struct pep_fill *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->parts[i].owned)
            free((void *)(uintptr_t)f->parts[i].data);
    }
    free(f->parts);
    pep_manifest_free(f->manifest);
    memset(f, 0, sizeof(*f));
}

int pep_fill_add(struct pep_fill *f, const struct pep_file_frame *file, bool *ret_new)
{
    uint8_t hash[PEP_SHA256_SIZE];
    struct pep_part *part = find(f, file->hash);
    if (part == NULL || part->data != NULL)
        return PEP_OK;
    if (file->content.size != part->size)
        return PEP_EFORMAT;
    int rc = pep_sha256(file->content, hash);
    if (rc != PEP_OK)
        return rc;
    if (memcmp(hash, part->hash, sizeof(hash)) != 0)
        return PEP_EFORMAT;
    if (part->size == 0) {
        part->data = empty_file;
    } else {
        uint8_t *copy = malloc(part->size);
        if (copy == NULL)
            return PEP_ENOMEM;
        memcpy(copy, file->content.data, part->size);
        part->data = copy;
        part->owned = true;
    }
    f->missing--;
    if (f->outstanding > 0)
        f->outstanding--;
    *ret_new = true;
    return PEP_OK;
}

void pep_fill_want(struct pep_fill *f, struct pep_want *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < f->count && ret->count < PEP_WANT_MAX; i++) {
        if (f->parts[i].data == NULL)
            memcpy(ret->hashes[ret->count++], f->parts[i].hash, PEP_SHA256_SIZE);
    }
    f->outstanding = ret->count;
}

static struct pep_span source(void *context, const struct pep_manifest_file *file)
{
    const struct pep_part *part = find(context, file->sha256);
    if (part == NULL)
        return pep_span_of(NULL, 0);
    return pep_span_of(part->data, file->size);
}

int pep_fill_end(struct pep_fill *f, struct pep_bundle **ret, struct pep_error *err)
{
    struct pep_manifest *manifest = f->manifest;
    f->manifest = NULL;
    return pep_bundle_assemble(manifest, source, f, ret, err);
}
