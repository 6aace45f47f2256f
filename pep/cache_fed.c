/*
 * The two files of the cache folder for what comes beside bundles: see cache.h, fed.h.
 *
 *     revoked   "PDPR", u16 format 1, u32 size of the step, the signed step, the whole list
 *     keys      "PDPK", u16 format 1, i64 wall time of the question, the signed answer
 *
 * and at the end of each the SHA-256 of all before it. Each proves itself by its signature, as if
 * it had just come from the server; the SHA-256 is for what no signature covers. A list whose
 * signer the newest root no longer names goes on denying, until the server has a newer one. A file
 * that is damaged is as if it were not there, and is said so: the server has all of it.
 *
 * Processes of one identity share the folder. What one of them stores stays if it is newer than
 * what another has, and can be read: neither damage nor a number that nobody signed keeps a list
 * out.
 */
#include "pep/cache.h"
#include "pep/disk.h"

#include <string.h>
#include <unistd.h>

#define REVOKED_FILE "revoked"
#define KEYS_FILE    "keys"
#define FORMAT       1
#define REVOKED_MAX  (PEP_REVOCATION_SET_MAX + PEP_REVOCATION_STEP_SIZE + 64)
#define KEYS_MAX     (PEP_REPLY_MAX + 64)

static const char revoked_magic[4] = {'P', 'D', 'P', 'R'};
static const char keys_magic[4] = {'P', 'D', 'P', 'K'};

/* ---- files ---- */

/* What is between the head and the SHA-256; a failed cursor if the file is damaged. */
static struct pep_cursor open_file(struct pep_span file, const char magic[4])
{
    uint8_t digest[PEP_SHA256_SIZE];
    size_t size = file.size < sizeof(digest) ? 0 : file.size - sizeof(digest);
    struct pep_cursor c = pep_cursor_of(pep_span_of(file.data, size));
    bool whole = size > 0 && pep_sha256(pep_span_of(file.data, size), digest) == PEP_OK &&
                 memcmp(file.data + size, digest, sizeof(digest)) == 0;
    struct pep_span begin = pep_get_bytes(&c, 4);
    uint16_t format = pep_get_u16(&c);
    c.failed |= !whole || !pep_span_equal(begin, pep_span_of(magic, 4)) || format != FORMAT;
    return c;
}

static struct pep_span rest_of(struct pep_cursor *c)
{
    return pep_get_bytes(c, (size_t)(c->end - c->at));
}

static struct pep_buffer new_file(size_t max, const char magic[4])
{
    struct pep_buffer out = pep_buffer_of(max);
    pep_put_bytes(&out, magic, 4);
    pep_put_u16(&out, FORMAT);
    return out;
}

/* Takes the buffer. */
static int write_file(const char *folder, const char *name, struct pep_buffer *out,
                      struct pep_error *err)
{
    uint8_t digest[PEP_SHA256_SIZE];
    if (!out->failed && pep_sha256(pep_buffer_span(out), digest) == PEP_OK)
        pep_put_bytes(out, digest, sizeof(digest));
    else
        out->failed = true;
    int r = out->failed ? pep_error_set(err, PEP_ENOMEM, "cache: no memory")
                        : pep_disk_write(folder, name, pep_buffer_span(out), 0600, err);
    pep_buffer_free(out);
    return r;
}

/* ---- reading ---- */

/* Takes what the file holds if its number is above the one at hand. */
static int read_revoked(struct pep_span file, const struct pep_root *root,
                        struct pep_revocations **list, struct pep_error *err)
{
    struct pep_signers signers = pep_root_revokers(root);
    struct pep_revocations *next = NULL;
    struct pep_cursor c = open_file(file, revoked_magic);
    struct pep_span step = pep_get_bytes(&c, pep_get_u32(&c));
    struct pep_span set = rest_of(&c);
    if (c.failed)
        return pep_error_set(err, PEP_EFORMAT, "cache: " REVOKED_FILE " is damaged");
    int r = pep_revocations_adopt(step, set, pep_revocations_number(*list), &signers, &next, err);
    if (r == PEP_ESIGNATURE)
        r = pep_revocations_keep(set, &next, err);
    if (r != PEP_OK)
        return r;
    pep_revocations_free(*list);
    *list = next;
    return PEP_OK;
}

static int read_keys(struct pep_span file, const struct pep_keys_origin *origin,
                     struct pep_moment now, struct pep_fed *fed, struct pep_error *err)
{
    struct pep_keys_origin o = *origin;
    struct pep_cursor c = open_file(file, keys_magic);
    o.asked.wall_ms = (int64_t)pep_get_u64(&c);
    if (c.failed || o.asked.wall_ms < 0)
        return pep_error_set(err, PEP_EFORMAT, "cache: " KEYS_FILE " is damaged");
    if (o.asked.wall_ms > now.wall_ms)
        return PEP_OK; /* of the future: their age is not known */
    o.asked.boot_ms = now.boot_ms - (now.wall_ms - o.asked.wall_ms);
    o.nonce = NULL;
    int r = pep_fed_take_keys(fed, rest_of(&c), &o);
    return r == PEP_OK ? r : pep_error_set(err, r, "cache: " KEYS_FILE " is not what came here");
}

static int load_revoked(const char *folder, const struct pep_root *root,
                        struct pep_revocations **list, struct pep_error *err)
{
    struct pep_span file;
    int r = pep_disk_read(folder, REVOKED_FILE, REVOKED_MAX, &file, err);
    if (r != PEP_OK)
        return r;
    r = read_revoked(file, root, list, err);
    pep_disk_free(file);
    return r;
}

static int load_keys(const char *folder, const struct pep_keys_origin *origin,
                     struct pep_moment now, struct pep_fed *fed, struct pep_error *err)
{
    struct pep_span file;
    int r = pep_disk_read(folder, KEYS_FILE, KEYS_MAX, &file, err);
    if (r != PEP_OK)
        return r;
    r = read_keys(file, origin, now, fed, err);
    pep_disk_free(file);
    return r;
}

int pep_cache_load_fed(const char *folder, const struct pep_keys_origin *origin,
                       struct pep_moment now, struct pep_fed *ret, struct pep_error *err)
{
    struct pep_error list_why = PEP_ERROR_INIT, keys_why = PEP_ERROR_INIT;
    int r = pep_fed_new(ret);
    if (r != PEP_OK)
        return pep_error_set(err, r, "cache: no memory");
    int list = load_revoked(folder, origin->root, &ret->revocations, &list_why);
    int keys = load_keys(folder, origin, now, ret, &keys_why);
    if (list != PEP_OK && list != PEP_ENOTFOUND)
        return pep_error_set(err, list, "%s", list_why.text);
    if (keys != PEP_OK && keys != PEP_ENOTFOUND)
        return pep_error_set(err, keys, "%s", keys_why.text);
    return PEP_OK;
}

/* ---- storing ---- */

/* Another process of this identity may be ahead of us. */
static bool list_stays(const char *folder, const struct pep_root *root,
                       const struct pep_revocations *mine)
{
    struct pep_revocations *theirs = NULL;
    if (pep_revocations_none(&theirs) != PEP_OK)
        return false;
    bool stays = load_revoked(folder, root, &theirs, NULL) == PEP_OK &&
                 pep_revocations_number(theirs) >= pep_revocations_number(mine);
    pep_revocations_free(theirs);
    return stays;
}

static bool keys_stay(const char *folder, const struct pep_keys_origin *origin,
                      const struct pep_fed_keys *mine)
{
    struct pep_fed theirs = {NULL, NULL};
    bool stays = load_keys(folder, origin, pep_moment_now(), &theirs, NULL) == PEP_OK &&
                 theirs.keys != NULL && theirs.keys->asked.wall_ms > mine->asked.wall_ms;
    pep_fed_clear(&theirs);
    return stays;
}

static int store_revoked(const char *folder, const struct pep_root *root,
                         const struct pep_revocations *list, struct pep_error *err)
{
    struct pep_span step = pep_revocations_step(list);
    if (pep_revocations_number(list) == 0 || list_stays(folder, root, list))
        return PEP_OK;
    struct pep_buffer out = new_file(REVOKED_MAX, revoked_magic);
    pep_put_u32(&out, (uint32_t)step.size);
    pep_put_span(&out, step);
    pep_revocations_put_set(list, &out);
    return write_file(folder, REVOKED_FILE, &out, err);
}

static int store_keys(const char *folder, const struct pep_keys_origin *origin,
                      const struct pep_fed_keys *keys, struct pep_error *err)
{
    if (keys == NULL || keys_stay(folder, origin, keys))
        return PEP_OK;
    struct pep_buffer out = new_file(KEYS_MAX, keys_magic);
    pep_put_u64(&out, (uint64_t)keys->asked.wall_ms);
    pep_put_bytes(&out, keys->message, keys->size);
    return write_file(folder, KEYS_FILE, &out, err);
}

int pep_cache_store_fed(const char *folder, const struct pep_keys_origin *origin,
                        const struct pep_fed *fed, unsigned changed, struct pep_error *err)
{
    int r = pep_disk_folder(folder, 0700, err);
    if (r != PEP_OK)
        return r;
    int lock = pep_disk_lock(folder, true, err);
    if (lock < 0)
        return PEP_EIO;
    if ((changed & PEP_FED_LIST) != 0)
        r = store_revoked(folder, origin->root, fed->revocations, err);
    if (r == PEP_OK && (changed & PEP_FED_KEYS) != 0)
        r = store_keys(folder, origin, fed->keys, err);
    close(lock);
    return r;
}
