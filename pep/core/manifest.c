/*
 * Reading manifests: see bundle.h; manifest_write.c makes them. The members are closed, unlike a
 * root's: a manifest is read by the versions of the software that it was checked with, and a member
 * that some readers honour and others do not is how two services end up with two policies.
 *
 * The parsed JSON is not kept: a manifest lives as long as its policy does, so it owns plain
 * copies.
 */
#include "bundle.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

#define TIME_MAX ((json_int_t)1 << 53)

struct pep_manifest {
    uint8_t *envelope;
    size_t envelope_size;
    uint8_t digest[PEP_SHA256_SIZE];
    char name[PEP_NAME_MAX + 1];
    uint32_t epoch;
    uint64_t version;
    bool provisional;
    int64_t created, expires;
    uint32_t max_stale;
    char *author, *message;
    char signer[PEP_KEY_ID_TEXT];
    bool has_base;
    uint8_t base[PEP_SHA256_SIZE];
    struct pep_manifest_file *files;
    size_t count, bytes;
};

void pep_manifest_free(struct pep_manifest *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++)
        free((void *)m->files[i].path);
    free(m->files);
    free(m->author);
    free(m->message);
    free(m->envelope);
    free(m);
}

/* ---- parsing ---- */

static int read_name(const json_t *doc, struct pep_manifest *m, struct pep_error *err)
{
    const char *name;
    int r = pep_json_string(doc, "name", PEP_NAME_MAX, "manifest", &name, err);
    if (r != PEP_OK)
        return r;
    if (!pep_bundle_name_valid(pep_span_string(name)))
        return pep_error_set(err, PEP_EFORMAT,
                             "manifest: `%.64s` is not a bundle name: [a-z0-9][a-z0-9._-]{0,62}",
                             name);
    memcpy(m->name, name, strlen(name) + 1);
    return PEP_OK;
}

static int read_numbers(const json_t *doc, struct pep_manifest *m, struct pep_error *err)
{
    json_int_t epoch, version, created, expires, max_stale;
    int r = pep_json_integer(doc, "epoch", 1, UINT32_MAX, "manifest", &epoch, err);
    if (r == PEP_OK)
        r = pep_json_integer(doc, "version", 1, (json_int_t)PEP_VERSION_MAX, "manifest", &version,
                             err);
    if (r == PEP_OK)
        r = pep_json_integer(doc, "created", 0, TIME_MAX, "manifest", &created, err);
    if (r == PEP_OK)
        r = pep_json_integer(doc, "expires", 0, TIME_MAX, "manifest", &expires, err);
    if (r == PEP_OK)
        r = pep_json_integer(doc, "max_stale", 1, UINT32_MAX, "manifest", &max_stale, err);
    if (r != PEP_OK)
        return r;
    m->epoch = (uint32_t)epoch;
    m->version = (uint64_t)version;
    m->created = created;
    m->expires = expires;
    m->max_stale = (uint32_t)max_stale;
    return PEP_OK;
}

static int read_lifetime(const json_t *doc, struct pep_manifest *m, struct pep_error *err)
{
    const json_t *provisional = json_object_get(doc, "provisional");
    if (!json_is_boolean(provisional))
        return pep_error_set(err, PEP_EFORMAT, "manifest: `provisional` must be true or false");
    m->provisional = json_is_true(provisional);
    if (m->created > m->expires)
        return pep_error_set(err, PEP_EFORMAT, "manifest: `expires` is before `created`");
    if (m->provisional && m->expires - m->created > PEP_PROVISIONAL_MAX)
        return pep_error_set(err, PEP_ELIMIT,
                             "manifest: a provisional version lives at most %d "
                             "days",
                             PEP_PROVISIONAL_MAX / 86400);
    return PEP_OK;
}

static int read_copy(const json_t *doc, const char *name, size_t max, char **ret,
                     struct pep_error *err)
{
    const char *text;
    int r = pep_json_string(doc, name, max, "manifest", &text, err);
    if (r != PEP_OK)
        return r;
    char *copy = strdup(text);
    if (copy == NULL)
        return pep_error_set(err, PEP_ENOMEM, "manifest: no memory");
    *ret = copy;
    return PEP_OK;
}

static int read_base(const json_t *doc, struct pep_manifest *m, struct pep_error *err)
{
    const json_t *base = json_object_get(doc, "base");
    if (json_is_null(base))
        return PEP_OK;
    if (!json_is_string(base) ||
        pep_digest_parse(pep_span_string(json_string_value(base)), m->base) != PEP_OK)
        return pep_error_set(err, PEP_EFORMAT, "manifest: `base` must be null or \"sha256:<hex>\"");
    m->has_base = true;
    return PEP_OK;
}

/* The entry's own shape; `last` is the path before it, or NULL. */
static int check_path(const char *path, const char *last, struct pep_error *err)
{
    if (!pep_bundle_path_allowed(pep_span_string(path)))
        return pep_error_set(err, PEP_EFORMAT,
                             "manifest: a bundle does not hold `%.64s` (bundle.json, schema.lua, "
                             "issuers.json, policies/*.lua, lib/*.lua, data/*.json)",
                             path);
    if (last != NULL && strcmp(last, path) >= 0)
        return pep_error_set(err, PEP_EFORMAT, "manifest: `%.64s` is listed twice or out of order",
                             path);
    return PEP_OK;
}

static int read_file(const json_t *object, struct pep_manifest *m, struct pep_error *err)
{
    static const char *const members[] = {"path", "sha256", "size", NULL};
    struct pep_manifest_file *f = &m->files[m->count];
    const char *path, *hash;
    json_int_t size;
    int r = pep_json_only(object, members, "manifest file", err);
    if (r == PEP_OK)
        r = pep_json_string(object, "path", PEP_PATH_MAX, "manifest file", &path, err);
    if (r == PEP_OK)
        r = check_path(path, m->count == 0 ? NULL : m->files[m->count - 1].path, err);
    if (r == PEP_OK)
        r = pep_json_string(object, "sha256", 2 * PEP_SHA256_SIZE, path, &hash, err);
    if (r == PEP_OK && pep_hex_decode(pep_span_string(hash), f->sha256, PEP_SHA256_SIZE) != PEP_OK)
        r = pep_error_set(err, PEP_EFORMAT, "%s: `sha256` must be 64 lower-case hex digits", path);
    if (r == PEP_OK)
        r = pep_json_integer(object, "size", 0,
                             (json_int_t)pep_bundle_path_limit(pep_span_string(path)), path, &size,
                             err);
    if (r == PEP_OK && (size_t)size > PEP_BUNDLE_MAX - m->bytes)
        r = pep_error_set(err, PEP_ELIMIT, "manifest: more than %d bytes of files", PEP_BUNDLE_MAX);
    if (r != PEP_OK)
        return r;
    f->path = strdup(path);
    if (f->path == NULL)
        return pep_error_set(err, PEP_ENOMEM, "manifest: no memory");
    f->size = (size_t)size;
    m->bytes += f->size;
    m->count++;
    return PEP_OK;
}

static int read_files(const json_t *list, struct pep_manifest *m, struct pep_error *err)
{
    if (!json_is_array(list))
        return pep_error_set(err, PEP_EFORMAT, "manifest: `files` must be a list");
    size_t count = json_array_size(list);
    if (count == 0 || count > PEP_BUNDLE_FILES)
        return pep_error_set(err, PEP_ELIMIT, "manifest: %zu files, 1 to %d are possible", count,
                             PEP_BUNDLE_FILES);
    m->files = calloc(count, sizeof(*m->files));
    if (m->files == NULL)
        return pep_error_set(err, PEP_ENOMEM, "manifest: no memory");
    for (size_t i = 0; i < count; i++) {
        int r = read_file(json_array_get(list, i), m, err);
        if (r != PEP_OK)
            return r;
    }
    return PEP_OK;
}

static int read_document(const json_t *doc, struct pep_manifest *m, struct pep_error *err)
{
    static const char *const members[] = {"name",    "epoch",   "version",   "provisional",
                                          "created", "expires", "max_stale", "author",
                                          "message", "base",    "files",     NULL};
    int r = pep_json_only(doc, members, "manifest", err);
    if (r == PEP_OK)
        r = read_name(doc, m, err);
    if (r == PEP_OK)
        r = read_numbers(doc, m, err);
    if (r == PEP_OK)
        r = read_lifetime(doc, m, err);
    if (r == PEP_OK)
        r = read_copy(doc, "author", PEP_AUTHOR_MAX, &m->author, err);
    if (r == PEP_OK)
        r = read_copy(doc, "message", PEP_MESSAGE_MAX, &m->message, err);
    if (r == PEP_OK)
        r = read_base(doc, m, err);
    if (r == PEP_OK)
        r = read_files(json_object_get(doc, "files"), m, err);
    return r;
}

/* A candidate: well-formed, and nothing more. */
static int parse(struct pep_span payload, struct pep_manifest **ret, struct pep_error *err)
{
    json_t *doc = NULL;
    int r = pep_json_parse(payload, PEP_PAYLOAD_MAX, "manifest", &doc, err);
    if (r != PEP_OK)
        return r;
    struct pep_manifest *m = calloc(1, sizeof(*m));
    if (m == NULL)
        r = pep_error_set(err, PEP_ENOMEM, "manifest: no memory");
    if (r == PEP_OK)
        r = read_document(doc, m, err);
    if (r == PEP_OK && pep_sha256(payload, m->digest) != PEP_OK)
        r = pep_error_set(err, PEP_ENOMEM, "manifest: no memory");
    json_decref(doc);
    if (r != PEP_OK) {
        pep_manifest_free(m);
        return r;
    }
    *ret = m;
    return PEP_OK;
}

int pep_manifest_check(struct pep_span payload, struct pep_error *err)
{
    struct pep_manifest *candidate = NULL;
    int r = parse(payload, &candidate, err);
    pep_manifest_free(candidate);
    return r;
}

/* ---- trusting ---- */

static int check_epoch(const struct pep_manifest *m, const struct pep_root *root,
                       struct pep_error *err)
{
    uint32_t epoch = pep_root_epoch(root);
    if (m->epoch < epoch)
        return pep_error_set(err, PEP_EROLLBACK,
                             "manifest: epoch %u is over, the root is at epoch %u", m->epoch,
                             epoch);
    if (m->epoch > epoch)
        return pep_error_set(err, PEP_ESIGNATURE,
                             "manifest: epoch %u, but this root only reaches epoch %u; fetch the "
                             "newer root",
                             m->epoch, epoch);
    return PEP_OK;
}

static int keep_envelope(struct pep_manifest *m, struct pep_span envelope, struct pep_error *err)
{
    m->envelope = malloc(envelope.size);
    if (m->envelope == NULL)
        return pep_error_set(err, PEP_ENOMEM, "manifest: no memory");
    memcpy(m->envelope, envelope.data, envelope.size);
    m->envelope_size = envelope.size;
    return PEP_OK;
}

int pep_manifest_open(struct pep_span envelope, const struct pep_root *root, int64_t now,
                      struct pep_manifest **ret, struct pep_error *err)
{
    struct pep_envelope *e = NULL;
    struct pep_manifest *m = NULL;
    struct pep_verified verified = {{NULL, 0}, NULL};
    struct pep_signers signers = pep_root_signers(root, PEP_ROLE_POLICY);
    if (pep_root_expired(root, now))
        return pep_error_set(err, PEP_EEXPIRED,
                             "root: version %u has expired; its owner must sign a new one",
                             pep_root_version(root));
    int r = pep_envelope_read(envelope, &e, err);
    /* It becomes the first line of a bundle file, byte for byte. */
    if (r == PEP_OK && memchr(envelope.data, '\n', envelope.size) != NULL)
        r = pep_error_set(err, PEP_EFORMAT, "manifest: the envelope must be one line");
    if (r == PEP_OK)
        r = pep_envelope_verify_signer(e, PEP_TYPE_BUNDLE, &signers, &verified, err);
    if (r == PEP_OK)
        r = parse(verified.payload, &m, err);
    if (r == PEP_OK)
        r = check_epoch(m, root, err);
    if (r == PEP_OK)
        r = keep_envelope(m, envelope, err);
    pep_envelope_free(e);
    if (r != PEP_OK) {
        pep_manifest_free(m);
        return r;
    }
    memcpy(m->signer, verified.signer->id, sizeof(m->signer));
    *ret = m;
    return PEP_OK;
}

/* ---- asking ---- */

const char *pep_manifest_name(const struct pep_manifest *m)
{
    return m->name;
}

uint32_t pep_manifest_epoch(const struct pep_manifest *m)
{
    return m->epoch;
}

uint64_t pep_manifest_version(const struct pep_manifest *m)
{
    return m->version;
}

bool pep_manifest_provisional(const struct pep_manifest *m)
{
    return m->provisional;
}

int64_t pep_manifest_created(const struct pep_manifest *m)
{
    return m->created;
}

int64_t pep_manifest_expires(const struct pep_manifest *m)
{
    return m->expires;
}

uint32_t pep_manifest_max_stale(const struct pep_manifest *m)
{
    return m->max_stale;
}

const char *pep_manifest_author(const struct pep_manifest *m)
{
    return m->author;
}

const char *pep_manifest_message(const struct pep_manifest *m)
{
    return m->message;
}

const char *pep_manifest_signer(const struct pep_manifest *m)
{
    return m->signer;
}

const uint8_t *pep_manifest_base(const struct pep_manifest *m)
{
    return m->has_base ? m->base : NULL;
}

const uint8_t *pep_manifest_digest(const struct pep_manifest *m)
{
    return m->digest;
}

struct pep_span pep_manifest_envelope(const struct pep_manifest *m)
{
    return pep_span_of(m->envelope, m->envelope_size);
}

size_t pep_manifest_count(const struct pep_manifest *m)
{
    return m->count;
}

const struct pep_manifest_file *pep_manifest_at(const struct pep_manifest *m, size_t i)
{
    return i < m->count ? &m->files[i] : NULL;
}

bool pep_manifest_expired(const struct pep_manifest *m, int64_t now)
{
    return now >= m->expires;
}

int pep_version_compare(uint32_t epoch_a, uint64_t a, uint32_t epoch_b, uint64_t b)
{
    if (epoch_a != epoch_b)
        return epoch_a < epoch_b ? -1 : 1;
    return a < b ? -1 : a > b;
}
