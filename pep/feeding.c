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
    struct pep_feeds newest;
    bool linked, changed;
    bool look, looked_once;
    int64_t looked; /* when the last question with `look` was sent */
    bool asking;
    uint8_t nonce[PEP_NONCE_SIZE];
    struct pep_moment asked;
    int64_t not_before; /* no question until then */
    int64_t pause;
};

/* ---- what has come ---- */

int pep_fed_new(struct pep_fed *ret)
{
    memset(ret, 0, sizeof(*ret));
    return pep_revocations_none(&ret->revocations);
}

void pep_fed_clear(struct pep_fed *f)
{
    pep_revocations_free(f->revocations);
    free(f->keys_message);
    memset(f, 0, sizeof(*f));
}

static bool is_answer(const struct pep_keys *k, const struct pep_keys_origin *origin)
{
    return strcmp(k->bundle, origin->bundle) == 0 &&
           (origin->nonce == NULL || memcmp(k->nonce, origin->nonce, sizeof(k->nonce)) == 0);
}

int pep_fed_keys(struct pep_fed *f, struct pep_span message, const struct pep_keys_origin *origin)
{
    struct pep_signers beacon = pep_root_signers(origin->root, PEP_ROLE_BEACON);
    struct pep_span body;
    struct pep_keys keys;
    uint8_t *copy = malloc(message.size + 1);
    if (copy == NULL)
        return PEP_ENOMEM;
    if (message.size > 0)
        memcpy(copy, message.data, message.size);
    int r = pep_compact_verify(pep_span_of(copy, message.size), PEP_TYPE_KEYS, &beacon, &body);
    if (r == PEP_OK)
        r = pep_keys_read(body, &keys);
    if (r == PEP_OK && !is_answer(&keys, origin))
        r = PEP_EROLLBACK;
    if (r != PEP_OK) {
        free(copy);
        return r;
    }
    free(f->keys_message);
    f->keys_message = copy;
    f->keys_size = message.size;
    f->keys = keys;
    f->keys_asked = origin->asked;
    return PEP_OK;
}

bool pep_fed_issuer(const struct pep_fed *f, const char *name, struct pep_span *ret_jwks,
                    struct pep_moment *ret_seen)
{
    uint8_t hash[PEP_SHA256_SIZE];
    if (f->keys.count == 0 || pep_sha256(pep_span_string(name), hash) != PEP_OK)
        return false;
    for (size_t i = 0; i < f->keys.count; i++) {
        const struct pep_relayed_keys *k = &f->keys.issuers[i];
        if (memcmp(k->issuer, hash, sizeof(hash)) != 0)
            continue;
        int64_t age = f->keys.issued_at - k->fetched_at;
        if (age < 0)
            age = 0;
        *ret_jwks = k->jwks;
        *ret_seen = (struct pep_moment){f->keys_asked.wall_ms - age, f->keys_asked.boot_ms - age};
        return true;
    }
    return false;
}

/* ---- the machine ---- */

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

void pep_feeding_heard(struct pep_feeding *f, const struct pep_feeds *newest)
{
    if (newest->revocations > f->newest.revocations || newest->keys > f->newest.keys) {
        f->pause = PAUSE_FIRST; /* news: at once, whatever became of older questions */
        f->not_before = 0;
    }
    f->newest = *newest;
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

static bool is_behind(const struct pep_feeding *f)
{
    return f->newest.revocations > pep_revocations_number(f->fed.revocations) ||
           f->newest.keys > f->fed.keys.seq;
}

static bool may_look(const struct pep_feeding *f, int64_t now)
{
    return f->look && (!f->looked_once || now - f->looked >= LOOK_EVERY);
}

/* An answer that did not bring what was promised: wait before the next question. */
static void back_off(struct pep_feeding *f, int64_t now)
{
    f->asking = false;
    f->not_before = now + f->pause;
    f->pause = f->pause * 2 > PAUSE_MAX ? PAUSE_MAX : f->pause * 2;
}

bool pep_feeding_ask(struct pep_feeding *f, struct pep_moment now, struct pep_feed *ret)
{
    if (f->asking && now.boot_ms - f->asked.boot_ms >= ANSWER_TIMEOUT)
        back_off(f, now.boot_ms);
    bool look = may_look(f, now.boot_ms);
    if (!f->linked || f->asking || (!look && (!is_behind(f) || now.boot_ms < f->not_before)))
        return false;
    if (f->options.random(f->nonce, sizeof(f->nonce)) != PEP_OK) {
        back_off(f, now.boot_ms);
        return false;
    }
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->nonce, f->nonce, sizeof(ret->nonce));
    memcpy(ret->bundle, f->bundle, sizeof(ret->bundle));
    ret->revocations = pep_revocations_number(f->fed.revocations);
    memcpy(ret->revocations_digest, pep_revocations_digest(f->fed.revocations), PEP_SHA256_SIZE);
    ret->keys = f->fed.keys.seq;
    ret->look = look;
    if (look) {
        f->look = false;
        f->looked_once = true;
        f->looked = now.boot_ms;
    }
    f->asking = true;
    f->asked = now;
    f->not_before = now.boot_ms + f->pause; /* until an answer brings news */
    return true;
}

int64_t pep_feeding_deadline(const struct pep_feeding *f)
{
    if (!f->linked)
        return INT64_MAX;
    if (f->asking)
        return f->asked.boot_ms + ANSWER_TIMEOUT;
    if (f->look)
        return f->looked_once ? f->looked + LOOK_EVERY : 0;
    return is_behind(f) ? f->not_before : INT64_MAX;
}

/* ---- answers ---- */

static void take_revocations(struct pep_feeding *f, struct pep_revocations *next)
{
    pep_revocations_free(f->fed.revocations);
    f->fed.revocations = next;
    f->changed = true;
}

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
    int r = pep_revocations_adopt(frames[0], frames[1], pep_revocations_number(f->fed.revocations),
                                  &signers, &next, err);
    if (r == PEP_OK)
        take_revocations(f, next);
    return r;
}

static int take_keys(struct pep_feeding *f, struct pep_span message, const struct pep_root *root,
                     struct pep_error *err)
{
    struct pep_keys_origin origin = {root, f->options.bundle, f->nonce, f->asked};
    int r = pep_fed_keys(&f->fed, message, &origin);
    if (r != PEP_OK)
        return pep_error_set(err, r, "token keys: not signed by a beacon key for this question");
    f->newest.keys = f->fed.keys.seq; /* also where it fell: a server that lost its past */
    f->changed = true;
    return PEP_OK;
}

int pep_feeding_message(struct pep_feeding *f, const struct pep_span *frames, size_t count,
                        const struct pep_root *root, struct pep_error *err)
{
    struct pep_revoked m;
    if (count == 0 || pep_revoked_read(frames[0], &m) != PEP_OK ||
        (m.kind == PEP_REVOKED_SET && m.steps != 1) ||
        count != (size_t)1 + m.steps + (m.kind == PEP_REVOKED_SET) + m.keys)
        return pep_error_set(err, PEP_EFORMAT, "revoked tokens: a malformed answer");
    if (!f->asking || memcmp(m.nonce, f->nonce, sizeof(m.nonce)) != 0)
        return PEP_OK; /* of an older question */
    f->asking = false;
    uint64_t number = pep_revocations_number(f->fed.revocations);
    int r = take_list(f, &m, frames + 1, root, err);
    int keys =
        m.keys == 0 ? PEP_OK : take_keys(f, frames[count - 1], root, r == PEP_OK ? err : NULL);
    if (pep_revocations_number(f->fed.revocations) > number || (m.keys != 0 && keys == PEP_OK)) {
        f->pause = PAUSE_FIRST;
        f->not_before = 0; /* there may be more to come */
    }
    return r == PEP_OK ? keys : r;
}

bool pep_feeding_changed(struct pep_feeding *f)
{
    bool changed = f->changed;
    f->changed = false;
    return changed;
}

const struct pep_fed *pep_feeding_fed(const struct pep_feeding *f)
{
    return &f->fed;
}

uint64_t pep_feeding_behind(const struct pep_feeding *f)
{
    uint64_t mine = pep_revocations_number(f->fed.revocations);
    return f->newest.revocations > mine ? f->newest.revocations - mine : 0;
}
