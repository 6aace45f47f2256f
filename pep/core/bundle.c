/*
 * Bundles: a verified manifest and the files that it names: see bundle.h. Both ways in, from one
 * file and file by file, end in pep_bundle_assemble(), the only place where a struct pep_bundle is
 * made: each file has its size and hash by then. Rejected: a signature over the whole file, which
 * would have to be fetched and hashed whole for a small change.
 */
#include "bundle.h"

#include <stdlib.h>
#include <string.h>

struct pep_bundle {
    struct pep_manifest *manifest;
    struct pep_files *files;
};

void pep_bundle_free(struct pep_bundle *b)
{
    if (b == NULL)
        return;
    pep_manifest_free(b->manifest);
    pep_files_free(b->files);
    free(b);
}

static int add_file(struct pep_bundle *b, const struct pep_manifest_file *file,
                    struct pep_span content, struct pep_error *err)
{
    uint8_t digest[PEP_SHA256_SIZE];
    if (content.data == NULL)
        return pep_error_set(err, PEP_ENOTFOUND, "%s: missing from the bundle", file->path);
    if (content.size != file->size)
        return pep_error_set(err, PEP_ESIGNATURE, "%s: %zu bytes, the signed manifest says %zu",
                             file->path, content.size, file->size);
    if (pep_sha256(content, digest) != PEP_OK)
        return pep_error_set(err, PEP_ENOMEM, "%s: no memory", file->path);
    if (memcmp(digest, file->sha256, sizeof(digest)) != 0)
        return pep_error_set(err, PEP_ESIGNATURE, "%s: not the content that was signed",
                             file->path);
    return pep_files_add(b->files, file->path, content, err);
}

int pep_bundle_assemble(struct pep_manifest *manifest, pep_file_source source, void *context,
                        struct pep_bundle **ret, struct pep_error *err)
{
    struct pep_bundle *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        pep_manifest_free(manifest);
        return pep_error_set(err, PEP_ENOMEM, "bundle: no memory");
    }
    b->manifest = manifest;
    int r = pep_files_new(&b->files);
    if (r != PEP_OK)
        pep_error_set(err, r, "bundle: no memory");
    for (size_t i = 0; r == PEP_OK && i < pep_manifest_count(manifest); i++) {
        const struct pep_manifest_file *file = pep_manifest_at(manifest, i);
        r = add_file(b, file, source(context, file), err);
    }
    if (r != PEP_OK) {
        pep_bundle_free(b);
        return r;
    }
    *ret = b;
    return PEP_OK;
}

static struct pep_span next_file(void *context, const struct pep_manifest_file *file)
{
    return pep_get_bytes(context, file->size);
}

/* The files take exactly the bytes behind the envelope. */
static int check_rest(const struct pep_manifest *m, size_t rest, struct pep_error *err)
{
    size_t need = 0;
    for (size_t i = 0; i < pep_manifest_count(m); i++)
        need += pep_manifest_at(m, i)->size;
    if (need == rest)
        return PEP_OK;
    return pep_error_set(err, PEP_EFORMAT, "bundle: %zu bytes of files, the manifest says %zu%s",
                         rest, need, rest < need ? " (cut off?)" : "");
}

int pep_bundle_open(struct pep_span bytes, const struct pep_root *root, int64_t now,
                    struct pep_bundle **ret, struct pep_error *err)
{
    if (bytes.size > PEP_BUNDLE_FILE_MAX)
        return pep_error_set(err, PEP_ELIMIT, "bundle: %zu bytes, at most %d", bytes.size,
                             PEP_BUNDLE_FILE_MAX);
    const uint8_t *lf = bytes.size == 0 ? NULL : memchr(bytes.data, '\n', bytes.size);
    if (lf == NULL)
        return pep_error_set(err, PEP_EFORMAT, "bundle: no envelope in the first line");
    struct pep_span envelope = pep_span_of(bytes.data, (size_t)(lf - bytes.data));
    struct pep_span rest = pep_span_of(lf + 1, bytes.size - envelope.size - 1);
    struct pep_manifest *manifest = NULL;
    int r = pep_manifest_open(envelope, root, now, &manifest, err);
    if (r == PEP_OK)
        r = check_rest(manifest, rest.size, err);
    if (r != PEP_OK) {
        pep_manifest_free(manifest);
        return r;
    }
    struct pep_cursor cursor = pep_cursor_of(rest);
    return pep_bundle_assemble(manifest, next_file, &cursor, ret, err);
}

const struct pep_manifest *pep_bundle_manifest(const struct pep_bundle *b)
{
    return b->manifest;
}

const struct pep_files *pep_bundle_files(const struct pep_bundle *b)
{
    return b->files;
}

int pep_bundle_write(const struct pep_bundle *b, struct pep_buffer *out)
{
    pep_put_span(out, pep_manifest_envelope(b->manifest));
    pep_put_u8(out, '\n');
    for (size_t i = 0; i < pep_files_count(b->files); i++)
        pep_put_span(out, pep_files_at(b->files, i)->content);
    return out->failed ? PEP_ENOMEM : PEP_OK;
}
