/*
 * The two files of the cache folder for what comes beside bundles: see cache.h, feeding.h.
 *
 *     revoked   "PDPR", u16 format 1, u32 size of the step, the signed step, the whole list
 *     keys      "PDPK", u16 format 1, i64 wall time of the question, the signed answer
 *
 * Each proves itself by its signature, as if it had just come from the server. A list whose signer
 * the newest root no longer names goes on denying, until the server has a newer one. A file that is
 * damaged is as if it were not there, and is said so: the server has all of it.
 */
#include "pep/cache.h"
#include "pep/disk.h"

#include <string.h>
#include <unistd.h>

#define REVOKED_FILE "revoked"
#define KEYS_FILE    "keys"
#define FORMAT       1
#define REVOKED_MAX  (PEP_REVOCATION_SET_MAX + PEP_REVOCATION_STEP_SIZE + 64)

static const char revoked_magic[4] = {'P', 'D', 'P', 'R'};
static const char keys_magic[4] = {'P', 'D', 'P', 'K'};

static void get_magic(struct pep_cursor *c, const char magic[4])
{
    struct pep_span begin = pep_get_bytes(c, 4);
    uint16_t format = pep_get_u16(c);
    c->failed |= !pep_span_equal(begin, pep_span_of(magic, 4)) || format != FORMAT;
}

/* Takes what the file holds if its number is above the one at hand. */
static int read_revoked(struct pep_span file, const struct pep_root *root,
                        struct pep_revocations **list, struct pep_error *err)
{
    struct pep_signers signers = pep_root_revokers(root);
    struct pep_revocations *next = NULL;
    struct pep_cursor c = pep_cursor_of(file);
    get_magic(&c, revoked_magic);
    struct pep_span step = pep_get_bytes(&c, pep_get_u32(&c));
    if (c.failed)
        return pep_error_set(err, PEP_EFORMAT, "cache: " REVOKED_FILE " is damaged");
    struct pep_span set = pep_get_bytes(&c, (size_t)(c.end - c.at));
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
    struct pep_cursor c = pep_cursor_of(file);
    get_magic(&c, keys_magic);
    o.asked.wall_ms = (int64_t)pep_get_u64(&c);
    if (c.failed || o.asked.wall_ms < 0)
        return pep_error_set(err, PEP_EFORMAT, "cache: " KEYS_FILE " is damaged");
    if (o.asked.wall_ms > now.wall_ms)
        return PEP_OK; /* of the future: their age is not known */
    o.asked.boot_ms = now.boot_ms - (now.wall_ms - o.asked.wall_ms);
    int r = pep_fed_keys(fed, pep_get_bytes(&c, (size_t)(c.end - c.at)), &o);
    return r == PEP_OK ? r : pep_error_set(err, r, "cache: " KEYS_FILE " is not what came here");
}

int pep_cache_load_fed(const char *folder, const struct pep_keys_origin *origin,
                       struct pep_moment now, struct pep_fed *ret, struct pep_error *err)
{
    struct pep_span file;
    struct pep_error why = PEP_ERROR_INIT;
    int r = pep_fed_new(ret);
    if (r != PEP_OK)
        return pep_error_set(err, r, "cache: no memory");
    r = pep_disk_read(folder, REVOKED_FILE, REVOKED_MAX, &file, &why);
    if (r == PEP_OK) {
        r = read_revoked(file, origin->root, &ret->revocations, &why);
        pep_disk_free(file);
    }
    int keys = pep_disk_read(folder, KEYS_FILE, PEP_REPLY_MAX + 64, &file, &why);
    if (keys == PEP_OK) {
        keys = read_keys(file, origin, now, ret, &why);
        pep_disk_free(file);
    }
    r = r == PEP_OK || r == PEP_ENOTFOUND ? keys : r;
    return r == PEP_OK || r == PEP_ENOTFOUND ? PEP_OK : pep_error_set(err, r, "%s", why.text);
}

/* ---- storing ---- */

/* Another process of this identity may be ahead of us: its list stays. */
static bool is_newer(const char *folder, const struct pep_revocations *mine)
{
    struct pep_span file;
    uint64_t number = 0;
    if (pep_disk_read(folder, REVOKED_FILE, REVOKED_MAX, &file, NULL) != PEP_OK)
        return true;
    struct pep_cursor c = pep_cursor_of(file);
    get_magic(&c, revoked_magic);
    struct pep_span step = pep_get_bytes(&c, pep_get_u32(&c));
    if (!c.failed)
        number = pep_revocations_number_in(step);
    pep_disk_free(file);
    return pep_revocations_number(mine) > number;
}

static int store_revoked(const char *folder, const struct pep_revocations *list,
                         struct pep_error *err)
{
    struct pep_span step = pep_revocations_step(list);
    if (pep_revocations_number(list) == 0 || !is_newer(folder, list))
        return PEP_OK;
    struct pep_buffer out = pep_buffer_of(REVOKED_MAX);
    pep_put_bytes(&out, revoked_magic, sizeof(revoked_magic));
    pep_put_u16(&out, FORMAT);
    pep_put_u32(&out, (uint32_t)step.size);
    pep_put_span(&out, step);
    pep_revocations_put_set(list, &out);
    int r = out.failed ? pep_error_set(err, PEP_ENOMEM, "cache: no memory")
                       : pep_disk_write(folder, REVOKED_FILE, pep_buffer_span(&out), 0600, err);
    pep_buffer_free(&out);
    return r;
}

static int store_keys(const char *folder, const struct pep_fed *fed, struct pep_error *err)
{
    if (fed->keys_message == NULL)
        return PEP_OK;
    struct pep_buffer out = pep_buffer_of(PEP_REPLY_MAX + 64);
    pep_put_bytes(&out, keys_magic, sizeof(keys_magic));
    pep_put_u16(&out, FORMAT);
    pep_put_u64(&out, (uint64_t)fed->keys_asked.wall_ms);
    pep_put_bytes(&out, fed->keys_message, fed->keys_size);
    int r = out.failed ? pep_error_set(err, PEP_ENOMEM, "cache: no memory")
                       : pep_disk_write(folder, KEYS_FILE, pep_buffer_span(&out), 0600, err);
    pep_buffer_free(&out);
    return r;
}

int pep_cache_store_fed(const char *folder, const struct pep_fed *fed, struct pep_error *err)
{
    int r = pep_disk_folder(folder, 0700, err);
    if (r != PEP_OK)
        return r;
    int lock = pep_disk_lock(folder, true, err);
    if (lock < 0)
        return PEP_EIO;
    r = store_revoked(folder, fed->revocations, err);
    if (r == PEP_OK)
        r = store_keys(folder, fed, err);
    close(lock);
    return r;
}
