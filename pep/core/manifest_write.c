/*
 * The JSON of a new manifest: see bundle.h. What is written goes through the reader before it is
 * handed out, so the rules exist once, and a bundle that clients would refuse is never signed.
 */
#include "bundle.h"

#include <jansson.h>

static json_t *file_entry(const struct pep_file *file)
{
    uint8_t digest[PEP_SHA256_SIZE];
    char hex[2 * PEP_SHA256_SIZE + 1];
    if (pep_sha256(file->content, digest) != PEP_OK)
        return NULL;
    pep_hex_encode(digest, sizeof(digest), hex);
    return json_pack("{s:s, s:s, s:I}", "path", file->path, "sha256", hex, "size",
                     (json_int_t)file->content.size);
}

static json_t *file_list(const struct pep_files *files)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pep_files_count(files); i++) {
        if (json_array_append_new(list, file_entry(pep_files_at(files, i))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *make_document(const struct pep_manifest_draft *d, const struct pep_files *files)
{
    char base[PEP_DIGEST_TEXT];
    if (d->base != NULL)
        pep_digest_text(d->base, base);
    return json_pack("{s:s, s:I, s:I, s:b, s:I, s:I, s:I, s:s, s:s, s:s?, s:o}", "name", d->name,
                     "epoch", (json_int_t)d->epoch, "version", (json_int_t)d->version,
                     "provisional", d->provisional, "created", (json_int_t)d->created, "expires",
                     (json_int_t)d->expires, "max_stale", (json_int_t)d->max_stale, "author",
                     d->author, "message", d->message, "base", d->base == NULL ? NULL : base,
                     "files", file_list(files));
}

static int append(const char *buffer, size_t size, void *out)
{
    pep_put_bytes(out, buffer, size);
    return ((struct pep_buffer *)out)->failed ? -1 : 0;
}

int pep_manifest_write(const struct pep_manifest_draft *draft, const struct pep_files *files,
                       struct pep_buffer *out, struct pep_error *err)
{
    struct pep_buffer text = pep_buffer_of(PEP_PAYLOAD_MAX);
    if (!pep_utf8_valid(pep_span_string(draft->author)) ||
        !pep_utf8_valid(pep_span_string(draft->message)))
        return pep_error_set(err, PEP_EFORMAT, "manifest: author or message is not UTF-8");
    json_t *doc = make_document(draft, files);
    int r = doc == NULL || json_dump_callback(doc, append, &text, JSON_COMPACT) != 0
                ? pep_error_set(err, PEP_ENOMEM, "manifest: no memory, or too many files")
                : pep_manifest_check(pep_buffer_span(&text), err);
    json_decref(doc);
    if (r == PEP_OK) {
        pep_put_span(out, pep_buffer_span(&text));
        r = out->failed ? pep_error_set(err, PEP_ENOMEM, "manifest: no memory") : PEP_OK;
    }
    pep_buffer_free(&text);
    return r;
}
