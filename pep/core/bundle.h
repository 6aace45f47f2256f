/*
 * A bundle: one signed, numbered version of a policy. Line 1 of the file is the DSSE envelope of the
 * manifest, ended by LF; then each file's bytes in the manifest's order; nothing after.
 *
 * Manifest (payload type PEP_TYPE_BUNDLE):
 *     {"name":"acme","epoch":1,"version":42,"provisional":false,"created":T,"expires":T,
 *      "max_stale":86400,"author":"alice","message":"...","base":"sha256:..."|null,
 *      "files":[{"path":"policies/a.lua","sha256":"<hex>","size":123}, ...]}
 * paths sorted bytewise, relative, without "." or ".." or empty segments, no duplicates.
 * The bundle's digest is "sha256:" + hex SHA-256 of the manifest's bytes.
 *
 * struct pep_manifest exists only if its signature verified; struct pep_bundle only if moreover each
 * file has its size and hash.
 */
#ifndef PEP_CORE_BUNDLE_H
#define PEP_CORE_BUNDLE_H

#include "root.h"

#define PEP_BUNDLE_MAX      (8 * 1024 * 1024) /* all files together */
#define PEP_BUNDLE_FILE_MAX (PEP_BUNDLE_MAX + PEP_ENVELOPE_MAX)
#define PEP_BUNDLE_FILES    4096
#define PEP_SOURCE_MAX      (256 * 1024)  /* one .lua file */
#define PEP_DATA_MAX        (1024 * 1024) /* one .json file */
#define PEP_PATH_MAX        255
#define PEP_NAME_MAX        63
#define PEP_AUTHOR_MAX      255
#define PEP_MESSAGE_MAX     4095
#define PEP_PROVISIONAL_MAX (7 * 86400) /* seconds that a provisional manifest may live */
#define PEP_VERSION_MAX     ((uint64_t)1 << 53) /* exact as a JSON number everywhere */

bool pep_bundle_name_valid(struct pep_span name); /* [a-z0-9][a-z0-9._-]{0,62} */
/* Relative, segments of [A-Za-z0-9._-] not starting with '.', at most PEP_PATH_MAX bytes. */
bool pep_bundle_path_valid(struct pep_span path);

/* Whether a bundle may hold this path: bundle.json, schema.lua, issuers.json, policies/ and lib/ with
 * .lua, data/ with .json; never tests/. */
bool pep_bundle_path_allowed(struct pep_span path);
/* The most bytes of a file of this name: PEP_SOURCE_MAX for .lua, else PEP_DATA_MAX. */
size_t pep_bundle_path_limit(struct pep_span path);

/* ---- a set of files, as the engine compiles it ---- */

struct pep_file {
    const char *path;
    struct pep_span content;
};
struct pep_files; /* sorted by path, immutable once built, owns all bytes */

int pep_files_new(struct pep_files **ret);
/* Copies. Errors: EFORMAT (path), ELIMIT, ECONFLICT (twice), ENOMEM. */
int pep_files_add(struct pep_files *files, const char *path, struct pep_span content,
                  struct pep_error *err);
void pep_files_free(struct pep_files *files);
size_t pep_files_count(const struct pep_files *files);
const struct pep_file *pep_files_at(const struct pep_files *files, size_t i);
const struct pep_file *pep_files_find(const struct pep_files *files, const char *path);

/* ---- the manifest ---- */

struct pep_manifest_file {
    const char *path;
    uint8_t sha256[PEP_SHA256_SIZE];
    size_t size;
};

struct pep_manifest; /* exists only if its signature verified */

/* `now` is judged against `expires` only by pep_manifest_expired(): an archive may be read later.
 * Errors: ESIGNATURE, EFORMAT, ELIMIT, ENOMEM; EEXPIRED if the root itself is expired at `now`. */
int pep_manifest_open(struct pep_span envelope, const struct pep_root *root, int64_t now,
                      struct pep_manifest **ret, struct pep_error *err);
void pep_manifest_free(struct pep_manifest *m);
const char *pep_manifest_name(const struct pep_manifest *m);
uint32_t pep_manifest_epoch(const struct pep_manifest *m);
uint64_t pep_manifest_version(const struct pep_manifest *m);
bool pep_manifest_provisional(const struct pep_manifest *m);
int64_t pep_manifest_created(const struct pep_manifest *m);
int64_t pep_manifest_expires(const struct pep_manifest *m);
uint32_t pep_manifest_max_stale(const struct pep_manifest *m); /* seconds */
const char *pep_manifest_author(const struct pep_manifest *m);
const char *pep_manifest_message(const struct pep_manifest *m);
const char *pep_manifest_signer(const struct pep_manifest *m); /* key id of the first valid one */
const uint8_t *pep_manifest_base(const struct pep_manifest *m); /* 32 bytes or NULL */
const uint8_t *pep_manifest_digest(const struct pep_manifest *m);
struct pep_span pep_manifest_envelope(const struct pep_manifest *m); /* exact bytes, borrowed */
size_t pep_manifest_count(const struct pep_manifest *m);
const struct pep_manifest_file *pep_manifest_at(const struct pep_manifest *m, size_t i);
bool pep_manifest_expired(const struct pep_manifest *m, int64_t now);
/* -1, 0, 1 as (epoch, version) a is below, equal to, above b. */
int pep_version_compare(uint32_t epoch_a, uint64_t a, uint32_t epoch_b, uint64_t b);

/* ---- the bundle ---- */

struct pep_bundle; /* a manifest and every file that it names, verified */

/* From the bytes of a bundle file. Trailing bytes are an error. */
int pep_bundle_open(struct pep_span bytes, const struct pep_root *root, int64_t now,
                    struct pep_bundle **ret, struct pep_error *err);
/* From a manifest (consumed, also on failure) and a function that hands out each file's bytes by
 * its entry, borrowed until the next call; an empty span with data NULL means "not there". */
typedef struct pep_span (*pep_file_source)(void *context, const struct pep_manifest_file *file);
int pep_bundle_assemble(struct pep_manifest *manifest, pep_file_source source, void *context,
                        struct pep_bundle **ret, struct pep_error *err);
void pep_bundle_free(struct pep_bundle *b);
const struct pep_manifest *pep_bundle_manifest(const struct pep_bundle *b);
const struct pep_files *pep_bundle_files(const struct pep_bundle *b);
/* Appends the bundle file. */
int pep_bundle_write(const struct pep_bundle *b, struct pep_buffer *out);

/* ---- making one (policyctl, tests): the payload to be signed ---- */

struct pep_manifest_draft {
    const char *name;
    uint32_t epoch;
    uint64_t version;
    bool provisional;
    int64_t created, expires;
    uint32_t max_stale;
    const char *author, *message;
    const uint8_t *base; /* 32 bytes or NULL */
};
/* What a reader would refuse is refused here, with the same message. */
int pep_manifest_write(const struct pep_manifest_draft *draft, const struct pep_files *files,
                       struct pep_buffer *out, struct pep_error *err);
/* Whether this payload is a well-formed manifest. Proves nothing about who wrote it. */
int pep_manifest_check(struct pep_span payload, struct pep_error *err);

#endif
