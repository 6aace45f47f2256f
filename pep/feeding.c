/* See feeding.h. One question at a time; its nonce is what its answer must carry. */
#include "pep/feeding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times in milliseconds. */
#define ANSWER_TIMEOUT 3000
#define PAUSE_FIRST    500
#define PAUSE_MAX      30000
#define LOOK_EVERY     10000

struct pep_feeding {
    struct pep_feeding_options options;
    char bundle[PEP_NAME_MAX + 1];
    struct pep_fed fed;
    uint32_t root;           /* version of the one that all of it was held against; 0: none */
    struct pep_feeds word;   /* the server's last */
    struct pep_feeds newest; /* the same, and what came since */
    bool other;              /* its list is not ours, nor newer: ask once, so that it is seen */
    bool linked;
    unsigned changed;
    bool look;
    int64_t look_at; /* not earlier */
    bool asking;
    uint8_t nonce[PEP_NONCE_SIZE];
    struct pep_moment asked;
    int64_t not_before; /* no question until then, but to look */
    int64_t pause;
};

int pep_feeding_new(const struct pep_feeding_options *options, struct pep_fed *fed,
                    struct pep_feeding **ret)
{
    struct pep_feeding *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        pep_fed_clear(fed);
        return PEP_ENOMEM;
    }
    f->options = *options;
    snprintf(f->bundle, sizeof(f->bundle), "%s", options->bundle);
    f->options.bundle = f->bundle;
    f->fed = *fed;
    memset(fed, 0, sizeof(*fed));
    f->pause = PAUSE_FIRST;
    *ret = f;
    return PEP_OK;
}

void pep_feeding_free(struct pep_feeding *f)
{
    if (f == NULL)
        return;
    pep_fed_clear(&f->fed);
    free(f);
}

/* ---- what is here ---- */

static uint64_t list_number(const struct pep_feeding *f)
{
    return pep_revocations_number(f->fed.revocations);
}

static uint64_t keys_number(const struct pep_feeding *f)
{
    return f->fed.keys == NULL ? 0 : f->fed.keys->keys.seq;
}

static void take_revocations(struct pep_feeding *f, struct pep_revocations *next)
{
    pep_revocations_free(f->fed.revocations);
    f->fed.revocations = next;
    f->changed |= PEP_FED_LIST;
}

/* A list whose signer the root does not name any more. */
static int disown_list(struct pep_feeding *f)
{
    struct pep_revocations *kept;
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    pep_revocations_put_set(f->fed.revocations, &set);
    int r = set.failed ? PEP_ENOMEM : pep_revocations_keep(pep_buffer_span(&set), &kept, NULL);
    pep_buffer_free(&set);
    if (r == PEP_OK)
        take_revocations(f, kept);
    return r;
}

static int trust_list(struct pep_feeding *f, const struct pep_root *root)
{
    struct pep_signers signers = pep_root_revokers(root);
    struct pep_span body;
    if (list_number(f) == 0)
        return PEP_OK;
    int r = pep_compact_verify(pep_revocations_step(f->fed.revocations), PEP_TYPE_REVOKED, &signers,
                               &body);
    return r == PEP_ESIGNATURE ? disown_list(f) : r;
}

static int trust_keys(struct pep_feeding *f, const struct pep_root *root)
{
    int r = f->fed.keys == NULL ? PEP_OK : pep_fed_trusts_keys(&f->fed, root);
    if (r != PEP_ESIGNATURE)
        return r;
    pep_fed_drop_keys(&f->fed);
    f->changed |= PEP_FED_KEYS;
    return PEP_OK;
}

int pep_feeding_trust(struct pep_feeding *f, const struct pep_root *root)
{
    if (pep_root_version(root) == f->root)
        return PEP_OK;
    int list = trust_list(f, root), keys = trust_keys(f, root);
    if (list != PEP_OK || keys != PEP_OK)
        return list != PEP_OK ? list : keys;
    f->root = pep_root_version(root);
    return PEP_OK;
}

/* ---- questions ---- */

static bool same_word(const struct pep_feeds *a, const struct pep_feeds *b)
{
    return a->revocations == b->revocations && a->keys == b->keys &&
           memcmp(a->revocations_digest, b->revocations_digest, sizeof(a->revocations_digest)) == 0;
}

/* A server that lost its past, or was given another: its list will not be taken, and asking makes
 * it tell why it should. */
static bool has_other_list(const struct pep_feeding *f)
{
    uint64_t theirs = f->newest.revocations, mine = list_number(f);
    return theirs != 0 &&
           (theirs < mine || (theirs == mine && memcmp(f->newest.revocations_digest,
                                                       pep_revocations_digest(f->fed.revocations),
                                                       PEP_SHA256_SIZE) != 0));
}

void pep_feeding_heard(struct pep_feeding *f, const struct pep_feeds *newest)
{
    if (same_word(&f->word, newest))
        return;
    f->word = *newest;
    f->newest = *newest;
    f->other = has_other_list(f);
    f->pause = PAUSE_FIRST; /* news: at once, whatever became of older questions */
    f->not_before = 0;
}

void pep_feeding_look(struct pep_feeding *f)
{
    f->look = true;
}

void pep_feeding_link(struct pep_feeding *f, bool up)
{
    f->linked = up;
    f->asking = f->asking && up;
}

/* Keys are proved by the nonce, so a lower number is as good as a higher one: the server that says
 * so has lost its past. */
static bool lacks_keys(const struct pep_feeding *f)
{
    return f->newest.keys != 0 && f->newest.keys != keys_number(f);
}

static bool is_behind(const struct pep_feeding *f)
{
    return f->other || f->newest.revocations > list_number(f) || lacks_keys(f);
}

static void fill(const struct pep_feeding *f, bool look, struct pep_feed *ret)
{
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->nonce, f->nonce, sizeof(ret->nonce));
    memcpy(ret->bundle, f->bundle, sizeof(ret->bundle));
    ret->revocations = list_number(f);
    memcpy(ret->revocations_digest, pep_revocations_digest(f->fed.revocations), PEP_SHA256_SIZE);
    /* Keys are sent if they are newer than these. */
    ret->keys = lacks_keys(f) && f->newest.keys < keys_number(f) ? 0 : keys_number(f);
    ret->look = look;
}

bool pep_feeding_ask(struct pep_feeding *f, struct pep_moment now, struct pep_feed *ret)
{
    if (f->asking && now.boot_ms - f->asked.boot_ms >= ANSWER_TIMEOUT)
        f->asking = false;
    bool look = f->look && now.boot_ms >= f->look_at;
    if (!f->linked || f->asking || (!look && (!is_behind(f) || now.boot_ms < f->not_before)))
        return false;
    /* Until an answer brings news, and also if this question is never sent. */
    f->not_before = now.boot_ms + f->pause;
    f->pause = f->pause * 2 > PAUSE_MAX ? PAUSE_MAX : f->pause * 2;
    f->other = false;
    if (look) {
        f->look = false;
        f->look_at = now.boot_ms + LOOK_EVERY;
    }
    if (f->options.random(f->nonce, sizeof(f->nonce)) != PEP_OK)
        return false;
    fill(f, look, ret);
    f->asking = true;
    f->asked = now;
    return true;
}

int64_t pep_feeding_deadline(const struct pep_feeding *f)
{
    if (!f->linked)
        return INT64_MAX;
    if (f->asking)
        return f->asked.boot_ms + ANSWER_TIMEOUT;
    int64_t look = f->look ? f->look_at : INT64_MAX;
    int64_t behind = is_behind(f) ? f->not_before : INT64_MAX;
    return look < behind ? look : behind;
}

/* ---- answers ---- */

/* Frames are steps, oldest first: as many as follow count, also if a later one does not. */
static int follow_steps(struct pep_feeding *f, const struct pep_span *frames, size_t count,
                        const struct pep_signers *signers, struct pep_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct pep_revocations *next;
        int r = pep_revocations_follow(f->fed.revocations, frames[i], signers, &next, err);
        if (r != PEP_OK)
            return r;
        take_revocations(f, next);
    }
    return PEP_OK;
}

static int take_list(struct pep_feeding *f, const struct pep_revoked *m,
                     const struct pep_span *frames, const struct pep_root *root,
                     struct pep_error *err)
{
    struct pep_signers signers = pep_root_revokers(root);
    struct pep_revocations *next;
    if (m->kind == PEP_REVOKED_STEPS)
        return follow_steps(f, frames, m->steps, &signers, err);
    if (m->kind != PEP_REVOKED_SET)
        return PEP_OK;
    int r = pep_revocations_adopt(frames[0], frames[1], list_number(f), &signers, &next, err);
    if (r == PEP_OK)
        take_revocations(f, next);
    return r;
}

static int take_keys(struct pep_feeding *f, struct pep_span message, const struct pep_root *root,
                     struct pep_error *err)
{
    struct pep_keys_origin origin = {root, f->bundle, f->nonce, f->asked};
    if (pep_root_expired(root, f->asked.wall_ms / 1000))
        return pep_error_set(err, PEP_EEXPIRED, "token keys: root document %u is expired",
                             pep_root_version(root));
    int r = pep_fed_take_keys(&f->fed, message, &origin);
    if (r == PEP_ENOMEM)
        return pep_error_set(err, r, "token keys: no memory");
    if (r != PEP_OK)
        return pep_error_set(err, r, "token keys: not signed by a beacon key for this question");
    f->newest.keys = keys_number(f); /* also where it is not what the last word said */
    f->changed |= PEP_FED_KEYS;
    return PEP_OK;
}

static bool is_whole(const struct pep_revoked *m, size_t count)
{
    bool set = m->kind == PEP_REVOKED_SET, steps = m->kind == PEP_REVOKED_STEPS;
    return (steps ? m->steps > 0 : m->steps == set) &&
           count == (size_t)1 + m->steps + set + m->keys;
}

int pep_feeding_message(struct pep_feeding *f, const struct pep_span *frames, size_t count,
                        const struct pep_root *root, struct pep_error *err)
{
    struct pep_revoked m;
    if (count == 0 || pep_revoked_read(frames[0], &m) != PEP_OK || !is_whole(&m, count))
        return pep_error_set(err, PEP_EFORMAT, "revoked tokens: a malformed answer");
    if (!f->asking || memcmp(m.nonce, f->nonce, sizeof(m.nonce)) != 0)
        return PEP_OK; /* of an older question */
    f->asking = false;
    uint64_t number = list_number(f);
    int list = take_list(f, &m, frames + 1, root, err);
    if (list_number(f) > number) {
        f->pause = PAUSE_FIRST;
        f->not_before = 0; /* there may be more to come, and only operators can sign it */
    }
    if (m.keys == 0)
        return list;
    int keys = take_keys(f, frames[count - 1], root, list == PEP_OK ? err : NULL);
    return list == PEP_OK ? keys : list;
}

unsigned pep_feeding_changed(struct pep_feeding *f)
{
    unsigned changed = f->changed;
    f->changed = 0;
    return changed;
}

const struct pep_fed *pep_feeding_fed(const struct pep_feeding *f)
{
    return &f->fed;
}

uint64_t pep_feeding_behind(const struct pep_feeding *f)
{
    uint64_t mine = list_number(f);
    return f->newest.revocations > mine ? f->newest.revocations - mine : 0;
}
