/* The cache folder, read and written: cache.h describes it. Nothing read here is used before it has
 * been verified as if it had come from the network. */
#include "pep/cache.h"
#include "pep/cache_state.h"
#include "pep/core/crypto.h"
#include "pep/disk.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATE_FILE "state"
#define ROOTS_FILE "roots"
#define ROOTS_MAX  ((size_t)PEP_ROOT_CHAIN * PEP_ROOT_MAX)
#define NAME_SIZE  80 /* 64 digits, ".bundle", NUL */

static void bundle_name(const struct pep_head *head, char out[NAME_SIZE])
{
    pep_hex_encode(head->digest, PEP_SHA256_SIZE, out);
    strcat(out, ".bundle");
}

static int read_state(const char *folder, struct cache_state *ret, struct pep_error *err)
{
    struct pep_span bytes;
    int rc = pep_disk_read(folder, STATE_FILE, CACHE_STATE_MAX, &bytes, err);
    if (rc != PEP_OK)
        return rc;
    rc = cache_state_read(bytes, ret, err);
    pep_disk_free(bytes);
    return rc;
}

/* A file whose bytes are those that `state` names. */
static int read_named(const char *folder, const char *name, size_t max, const uint8_t *sha256,
                      struct pep_span *ret, struct pep_error *err)
{
    uint8_t sum[PEP_SHA256_SIZE];
    struct pep_span bytes;
    int rc = pep_disk_read(folder, name, max, &bytes, err);
    if (rc != PEP_OK)
        return rc;
    if (pep_sha256(bytes, sum) != PEP_OK || memcmp(sum, sha256, sizeof(sum)) != 0) {
        pep_disk_free(bytes);
        return pep_error_set(err, PEP_EFORMAT, "cache: %s is damaged (checksum)", name);
    }
    *ret = bytes;
    return PEP_OK;
}

/* ---- loading ---- */

static int follow_line(const struct pep_root *pinned, struct pep_root **newest,
                       struct pep_span line, struct pep_error *err)
{
    struct pep_root *next;
    int rc = pep_root_follow(*newest == NULL ? pinned : *newest, line, &next, err);
    if (rc != PEP_OK)
        return rc;
    pep_root_free(*newest);
    *newest = next;
    return PEP_OK;
}

static int load_roots(const char *folder, const struct pep_cache_owner *owner,
                      const struct cache_state *state, struct pep_cached *ret,
                      struct pep_error *err)
{
    struct pep_span text;
    struct pep_root *newest = NULL;
    if (state->roots_size == 0)
        return PEP_OK;
    int rc = read_named(folder, ROOTS_FILE, ROOTS_MAX, state->roots_sha256, &text, err);
    if (rc != PEP_OK)
        return rc;
    const uint8_t *at = text.data, *end = text.data + text.size;
    while (rc == PEP_OK && at < end) {
        const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));
        if (lf == NULL)
            rc = pep_error_set(err, PEP_EFORMAT, "cache: " ROOTS_FILE " is cut off");
        else
            rc = follow_line(owner->pinned, &newest, pep_span_of(at, (size_t)(lf - at)), err);
        at = lf == NULL ? end : lf + 1;
    }
    if (rc != PEP_OK) {
        pep_root_free(newest);
        pep_disk_free(text);
        return rc;
    }
    ret->root = newest;
    ret->roots = text;
    return PEP_OK;
}

static int judge_bundle(const struct pep_bundle *b, const struct pep_cache_owner *owner,
                        const struct cache_state *state, const struct cache_slot *slot,
                        const struct pep_root *root)
{
    const struct pep_manifest *m = pep_bundle_manifest(b);
    const struct pep_head *floor = &state->memory.floor;
    int order = pep_version_compare(pep_manifest_epoch(m), pep_manifest_version(m), floor->epoch,
                                    floor->version);
    if (strcmp(pep_manifest_name(m), owner->bundle) != 0 ||
        memcmp(pep_manifest_digest(m), slot->head.digest, PEP_SHA256_SIZE) != 0 ||
        pep_manifest_epoch(m) > pep_root_epoch(root))
        return PEP_EFORMAT;
    if (order < 0)
        return PEP_EROLLBACK;
    if (order == 0 && memcmp(pep_manifest_digest(m), floor->digest, PEP_SHA256_SIZE) != 0)
        return PEP_EROLLBACK;
    return PEP_OK;
}

/* What loading works with. */
struct loading {
    const char *folder;
    const struct pep_cache_owner *owner;
    const struct pep_root *root;
    struct cache_state state;
    int64_t now; /* Unix seconds */
};

static int load_bundle(const struct loading *l, const struct cache_slot *slot,
                       struct pep_bundle **ret, struct pep_error *err)
{
    char name[NAME_SIZE];
    struct pep_span bytes;
    struct pep_bundle *b;
    bundle_name(&slot->head, name);
    int rc = read_named(l->folder, name, PEP_BUNDLE_FILE_MAX, slot->file_sha256, &bytes, err);
    if (rc != PEP_OK)
        return rc;
    rc = pep_bundle_open(bytes, l->root, l->now, &b, err);
    pep_disk_free(bytes);
    if (rc != PEP_OK)
        return rc;
    rc = judge_bundle(b, l->owner, &l->state, slot, l->root);
    if (rc != PEP_OK)
        pep_error_set(err, rc, "cache: %s is not what may run here", name);
    else if (pep_manifest_expired(pep_bundle_manifest(b), l->now))
        rc = pep_error_set(err, PEP_EEXPIRED, "cache: version %llu is expired",
                           (unsigned long long)slot->head.version);
    if (rc != PEP_OK) {
        pep_bundle_free(b);
        return rc;
    }
    *ret = b;
    return PEP_OK;
}

static int load_content(struct loading *l, struct pep_cached *ret, struct pep_error *err)
{
    int rc = load_roots(l->folder, l->owner, &l->state, ret, err);
    if (rc != PEP_OK)
        return rc;
    l->root = ret->root == NULL ? l->owner->pinned : ret->root;
    if (l->state.slot_count > 0)
        rc = load_bundle(l, &l->state.slots[0], &ret->running, err);
    if (l->state.slot_count > 1) {
        int other = load_bundle(l, &l->state.slots[1], &ret->fallback, err);
        rc = rc == PEP_OK ? other : rc;
    }
    if (ret->running == NULL) {
        /* The final version beside a canary is good, but was not proved to be the assigned one. */
        ret->running = ret->fallback;
        ret->fallback = NULL;
        memset(&ret->memory.proof, 0, sizeof(ret->memory.proof));
    }
    return rc;
}

static int load_locked(struct loading *l, struct pep_moment now, struct pep_cached *ret,
                       struct pep_error *err)
{
    uint8_t boot_id[CACHE_BOOT_ID];
    int rc = read_state(l->folder, &l->state, err);
    if (rc != PEP_OK)
        return rc;
    if (strcmp(l->state.bundle, l->owner->bundle) != 0 ||
        strcmp(l->state.installation, pep_root_installation(l->owner->pinned)) != 0)
        return pep_error_set(err, PEP_EFORMAT,
                             "cache: belongs to bundle %s of another identity: give each identity "
                             "its own cache folder",
                             l->state.bundle);
    cache_boot_id(boot_id);
    cache_state_rebase(&l->state, boot_id, now);
    ret->memory = l->state.memory;
    if (strcmp(l->state.client_key, l->owner->client_key) != 0) {
        ret->memory.statement = 0; /* was about a key that is no longer ours */
        ret->memory.statement_seq = 0;
    }
    return load_content(l, ret, err);
}

int pep_cache_load(const char *folder, const struct pep_cache_owner *owner, struct pep_moment now,
                   struct pep_cached *ret, struct pep_error *err)
{
    struct loading l = {.folder = folder, .owner = owner, .now = now.wall_ms / 1000};
    memset(ret, 0, sizeof(*ret));
    if (access(folder, F_OK) != 0)
        return PEP_OK;
    int lock = pep_disk_lock(folder, false, NULL); /* a read-only folder is still read */
    struct pep_error why = PEP_ERROR_INIT;
    int rc = load_locked(&l, now, ret, &why);
    if (lock >= 0)
        close(lock);
    if (rc == PEP_ENOTFOUND && l.state.bundle[0] == '\0')
        return PEP_OK; /* nothing has been written yet */
    if (rc != PEP_OK)
        pep_error_set(err, rc, "%s", pep_error_text(&why));
    return rc;
}

/* ---- storing ---- */

static int store_bundle(const char *folder, const struct pep_bundle *bundle,
                        struct cache_slot *slot, struct pep_error *err)
{
    char name[NAME_SIZE];
    struct pep_buffer out = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    int rc = pep_bundle_write(bundle, &out);
    if (rc == PEP_OK)
        rc = pep_sha256(pep_buffer_span(&out), slot->file_sha256);
    bundle_name(&slot->head, name);
    slot->file_size = out.size;
    if (rc == PEP_OK)
        rc = pep_disk_write(folder, name, pep_buffer_span(&out), 0600, err);
    else
        pep_error_set(err, rc, "cache: cannot write down %s", name);
    pep_buffer_free(&out);
    return rc;
}

static const struct cache_slot *find_slot(const struct cache_state *state,
                                          const struct pep_head *head)
{
    for (size_t i = 0; i < state->slot_count; i++) {
        if (pep_head_equal(&state->slots[i].head, head))
            return &state->slots[i];
    }
    return NULL;
}

static int store_slot(const char *folder, const struct cache_state *old,
                      const struct pep_cache_content *content, const struct pep_bundle *bundle,
                      struct cache_state *state, struct pep_error *err)
{
    if (bundle == NULL)
        return PEP_OK;
    const struct pep_manifest *m = pep_bundle_manifest(bundle);
    struct cache_slot *slot = &state->slots[state->slot_count++];
    slot->head.epoch = pep_manifest_epoch(m);
    slot->head.version = pep_manifest_version(m);
    memcpy(slot->head.digest, pep_manifest_digest(m), PEP_SHA256_SIZE);
    const struct cache_slot *there = find_slot(old, &slot->head);
    if (there != NULL && !content->changed) {
        *slot = *there;
        return PEP_OK;
    }
    return store_bundle(folder, bundle, slot, err);
}

static int store_roots(const char *folder, const struct cache_state *old, struct pep_span roots,
                       struct cache_state *state, struct pep_error *err)
{
    state->roots_size = (uint32_t)roots.size;
    if (roots.size == 0)
        return PEP_OK;
    int rc = pep_sha256(roots, state->roots_sha256);
    if (rc != PEP_OK)
        return rc;
    if (old->roots_size == roots.size &&
        memcmp(old->roots_sha256, state->roots_sha256, PEP_SHA256_SIZE) == 0)
        return PEP_OK;
    return pep_disk_write(folder, ROOTS_FILE, roots, 0600, err);
}

static int store_state(const char *folder, const struct cache_state *state, struct pep_error *err)
{
    struct pep_buffer out = pep_buffer_of(CACHE_STATE_MAX);
    int rc = cache_state_write(state, &out);
    if (rc == PEP_OK)
        rc = pep_disk_write(folder, STATE_FILE, pep_buffer_span(&out), 0600, err);
    else
        pep_error_set(err, rc, "cache: cannot write down the state");
    pep_buffer_free(&out);
    return rc;
}

/* Bundles that no longer belong to the state, and what crashes left behind. */
static void sweep(const char *folder, const struct cache_state *state)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        size_t n = strlen(e->d_name);
        bool ours = n == 64 + 7 && strcmp(e->d_name + 64, ".bundle") == 0;
        bool left = e->d_name[0] == '.' && n > 4 && strcmp(e->d_name + n - 4, ".tmp") == 0;
        for (size_t i = 0; i < state->slot_count && ours; i++) {
            char name[NAME_SIZE];
            bundle_name(&state->slots[i].head, name);
            ours = strcmp(name, e->d_name) != 0;
        }
        if (ours || left)
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    closedir(dir);
}

static void take_statement(struct pep_memory *to, const struct cache_state *from,
                           const struct pep_cache_owner *owner)
{
    if (strcmp(from->client_key, owner->client_key) != 0 ||
        from->memory.statement_seq <= to->statement_seq)
        return;
    to->statement = from->memory.statement;
    to->statement_seq = from->memory.statement_seq;
}

static int store_locked(const char *folder, const struct pep_cache_owner *owner,
                        const struct pep_cache_content *content, struct pep_error *err)
{
    struct cache_state old = {.slot_count = 0}, state = {.slot_count = 0};
    const struct pep_head *mine = &content->memory->floor, *theirs = &old.memory.floor;
    bool known = read_state(folder, &old, NULL) == PEP_OK &&
                 strcmp(old.bundle, owner->bundle) == 0 &&
                 strcmp(old.installation, pep_root_installation(owner->pinned)) == 0;
    if (!known)
        memset(&old, 0, sizeof(old));
    if (pep_version_compare(theirs->epoch, theirs->version, mine->epoch, mine->version) > 0) {
        /* Another process of this identity is ahead of us: its content stays. */
        if (content->memory->statement_seq <= old.memory.statement_seq)
            return PEP_OK;
        old.memory.statement = content->memory->statement;
        old.memory.statement_seq = content->memory->statement_seq;
        snprintf(old.client_key, sizeof(old.client_key), "%s", owner->client_key);
        return store_state(folder, &old, err);
    }
    snprintf(state.bundle, sizeof(state.bundle), "%s", owner->bundle);
    snprintf(state.installation, sizeof(state.installation), "%s",
             pep_root_installation(owner->pinned));
    snprintf(state.client_key, sizeof(state.client_key), "%s", owner->client_key);
    state.memory = *content->memory;
    take_statement(&state.memory, &old, owner);
    cache_boot_id(state.boot_id);
    int rc = store_slot(folder, &old, content, content->running, &state, err);
    if (rc == PEP_OK)
        rc = store_slot(folder, &old, content, content->fallback, &state, err);
    if (rc == PEP_OK)
        rc = store_roots(folder, &old, content->roots, &state, err);
    if (rc == PEP_OK)
        rc = store_state(folder, &state, err);
    if (rc == PEP_OK && content->changed)
        sweep(folder, &state);
    return rc;
}

int pep_cache_store(const char *folder, const struct pep_cache_owner *owner,
                    const struct pep_cache_content *content, struct pep_error *err)
{
    int rc = pep_disk_folder(folder, 0700, err);
    if (rc != PEP_OK)
        return rc;
    int lock = pep_disk_lock(folder, true, err);
    if (lock < 0)
        return PEP_EIO;
    rc = store_locked(folder, owner, content, err);
    close(lock);
    return rc;
}
