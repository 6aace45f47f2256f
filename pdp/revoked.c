/*
 * The list of revoked tokens on this server: see revoked.h.
 *
 * The newest 65 steps stay in memory: a client at the oldest of them gets the 64 after it. Steps
 * are sent as long as they are not much more than the list itself. Rejected: keeping all steps,
 * which grow for ever while their entries end; who did what stays in the audit.
 */
#include "revoked.h"

#include "pep/core/crypto.h"

#include <stdlib.h>
#include <string.h>

#define STEPS      (PEP_FEED_STEPS + 1)
#define STEPS_ROOM (64 * 1024) /* bytes of steps that are sent however short the list is */

struct step {
    uint64_t number;
    uint32_t root;
    bool signed_now; /* by a key that the newest root names */
    uint8_t digest[PEP_SHA256_SIZE];
    uint8_t *bytes;
    size_t size;
};

struct revoked {
    struct store *store;
    const struct roots *roots;
    struct pep_revocations *list;
    int64_t taken_ms;
    struct step steps[STEPS]; /* oldest first */
    size_t count;
};

static struct pep_span bytes_of(const struct step *s)
{
    return pep_span_of(s->bytes, s->size);
}

static bool signed_under(struct pep_span step, const struct pep_root *root,
                         struct pep_span *ret_body)
{
    if (root == NULL)
        return false;
    struct pep_signers signers = pep_root_revokers(root);
    return pep_compact_verify(step, PEP_TYPE_REVOKED, &signers, ret_body) == 0;
}

/* The oldest gives way. Takes the step's bytes. */
static void append(struct revoked *r, const struct step *s)
{
    if (r->count == STEPS) {
        free(r->steps[0].bytes);
        memmove(r->steps, r->steps + 1, (STEPS - 1) * sizeof(r->steps[0]));
        r->count--;
    }
    r->steps[r->count++] = *s;
}

/* ---- loading ---- */

static int load_step(void *context, const struct store_step *row)
{
    struct revoked *r = context;
    struct pep_span body, ignored;
    struct step s = {.number = row->number, .root = row->root, .size = row->step.size};
    if (!signed_under(row->step, roots_at(r->roots, row->root), &body))
        return PEP_ESIGNATURE;
    s.signed_now = signed_under(row->step, roots_newest(r->roots), &ignored);
    s.bytes = malloc(row->step.size);
    if (s.bytes == NULL || pep_sha256(body, s.digest) != 0) {
        free(s.bytes);
        return PEP_ENOMEM;
    }
    memcpy(s.bytes, row->step.data, s.size);
    append(r, &s);
    return 0;
}

static int load_set(void *context, struct pep_span set)
{
    struct revoked *r = context;
    struct pep_revocations *list = NULL;
    const struct step *newest = &r->steps[r->count - 1];
    struct pep_signers signers = pep_root_revokers(roots_at(r->roots, newest->root));
    int rc = pep_revocations_adopt(bytes_of(newest), set, 0, &signers, &list, NULL);
    if (rc != 0)
        return rc;
    pep_revocations_free(r->list);
    r->list = list;
    return 0;
}

static int load(struct revoked *r, struct pep_error *err)
{
    struct pep_error why = PEP_ERROR_INIT;
    int rc = pep_revocations_none(&r->list);
    if (rc == 0)
        rc = store_each_step(r->store, load_step, r, &why);
    if (rc == 0 && r->count > 0)
        rc = store_get_set(r->store, r->steps[r->count - 1].number, load_set, r, &why);
    if (rc == 0)
        return 0;
    return pep_error_set(err, rc,
                         "stored revoked tokens: %s; restore the data folder from a backup",
                         why.code == 0 ? pep_strerror(rc) : pep_error_text(&why));
}

int revoked_open(struct store *store, const struct roots *roots, struct revoked **ret,
                 struct pep_error *err)
{
    struct revoked *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    r->store = store;
    r->roots = roots;
    int rc = load(r, err);
    if (rc != 0) {
        revoked_close(r);
        return rc;
    }
    r->taken_ms = pep_revocations_created(r->list) * 1000;
    *ret = r;
    return 0;
}

void revoked_close(struct revoked *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        free(r->steps[i].bytes);
    pep_revocations_free(r->list);
    free(r);
}

/* ---- looking ---- */

const struct pep_revocations *revoked_list(const struct revoked *r)
{
    return r->list;
}

int64_t revoked_taken_ms(const struct revoked *r)
{
    return r->taken_ms;
}

bool revoked_signed(const struct revoked *r)
{
    return r->count == 0 || r->steps[r->count - 1].signed_now;
}

void revoked_measure(const struct revoked *r, struct metrics *metrics)
{
    metrics_set(metrics, METRIC_REVOCATIONS_NUMBER, pep_revocations_number(r->list));
    metrics_set(metrics, METRIC_REVOCATIONS_ENTRIES, pep_revocations_count(r->list));
}

/* ---- the next step ---- */

int revoked_check(const struct revoked *r, struct pep_span step, struct pep_revocations **ret,
                  struct pep_error *err)
{
    const struct pep_root *root = roots_newest(r->roots);
    if (root == NULL)
        return pep_error_set(err, PEP_ESTATE, "this server has no root document yet");
    struct pep_signers signers = pep_root_revokers(root);
    return pep_revocations_follow(r->list, step, &signers, ret, err);
}

static int store_it(struct revoked *r, const struct pep_revocations *next,
                    const struct store_audit *audit, struct pep_error *err)
{
    struct store_step row = {pep_revocations_number(next), roots_version(r->roots),
                             pep_revocations_step(next)};
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    uint64_t keep_above = r->count < STEPS ? 0 : r->steps[0].number;
    pep_revocations_put_set(next, &set);
    int rc = set.failed
                 ? pep_error_set(err, PEP_ENOMEM, "no memory")
                 : store_put_step(r->store, &row, pep_buffer_span(&set), keep_above, audit, err);
    pep_buffer_free(&set);
    return rc;
}

int revoked_take(struct revoked *r, struct pep_revocations *next, int64_t now_ms,
                 const struct store_audit *audit, struct pep_error *err)
{
    struct pep_span step = pep_revocations_step(next);
    struct step s = {.number = pep_revocations_number(next),
                     .root = roots_version(r->roots),
                     .signed_now = true,
                     .bytes = malloc(step.size),
                     .size = step.size};
    int rc = s.bytes == NULL ? pep_error_set(err, PEP_ENOMEM, "no memory")
                             : store_it(r, next, audit, err);
    if (rc != 0) {
        free(s.bytes);
        pep_revocations_free(next);
        return rc;
    }
    memcpy(s.bytes, step.data, step.size);
    memcpy(s.digest, pep_revocations_digest(next), sizeof(s.digest));
    append(r, &s);
    pep_revocations_free(r->list);
    r->list = next;
    r->taken_ms = now_ms;
    return 0;
}

void revoked_judge(struct revoked *r)
{
    struct pep_span ignored;
    for (size_t i = 0; i < r->count; i++)
        r->steps[i].signed_now =
            signed_under(bytes_of(&r->steps[i]), roots_newest(r->roots), &ignored);
}

/* ---- what a client gets ---- */

/* The step that the client holds; `count` if it is not here, or is another one of this number. */
static size_t find_held(const struct revoked *r, const struct pep_feed *q)
{
    size_t i = 0;
    while (i < r->count && r->steps[i].number != q->revocations)
        i++;
    bool same =
        i < r->count && memcmp(r->steps[i].digest, q->revocations_digest, PEP_SHA256_SIZE) == 0;
    return same ? i : r->count;
}

void revoked_choose(const struct revoked *r, const struct pep_feed *q, struct revoked_plan *ret)
{
    size_t held = find_held(r, q);
    size_t bytes = 0, most = pep_revocations_count(r->list) * PEP_REVOCATION_ENTRY + STEPS_ROOM;
    *ret = (struct revoked_plan){.kind = PEP_REVOKED_NONE};
    if (r->count == 0)
        return;
    if (held + 1 == r->count) {
        ret->kind = PEP_REVOKED_SAME;
        return;
    }
    bool fit = held < r->count;
    for (size_t i = held + 1; fit && i < r->count; i++) {
        bytes += r->steps[i].size;
        fit = r->steps[i].signed_now && bytes <= most;
    }
    ret->kind = fit ? PEP_REVOKED_STEPS : PEP_REVOKED_SET;
    ret->first = fit ? held + 1 : r->count - 1;
    ret->steps = (uint16_t)(r->count - ret->first);
}

void revoked_put(const struct revoked *r, const struct revoked_plan *plan, struct message *out)
{
    for (size_t i = 0; i < plan->steps; i++)
        message_copy(out, bytes_of(&r->steps[plan->first + i]));
    struct pep_buffer *set =
        plan->kind == PEP_REVOKED_SET ? message_frame(out, PEP_REVOCATION_SET_MAX) : NULL;
    if (set != NULL)
        pep_revocations_put_set(r->list, set);
}
