/*
 * A handle seen from outside: the status struct and Prometheus text. Both read what decisions read,
 * in the same way, and so never wait for the agent.
 */
#include "pep/handle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill_active(const struct pep_active *a, const struct pep_moment *now, pep_status *s)
{
    if (a == NULL)
        return;
    s->epoch = a->epoch;
    s->version = a->version;
    /* Rounded down, so that 0 and less mean past. */
    int64_t left = a->expires_ms - now->wall_ms;
    s->expires_in_s = left >= 0 ? left / 1000 : -((999 - left) / 1000);
    memcpy(s->bundle, a->name, sizeof(a->name));
    pep_digest_text(a->digest, s->digest);
    const struct pep_standing *standing = atomic_load(&a->standing);
    s->revocations = standing == NULL ? 0 : pep_revocations_number(standing->fed.revocations);
}

static void fill_notes(const struct pep_notes *n, const struct pep_active *a,
                       const struct pep_moment *now, pep_status *s)
{
    int64_t since = a == NULL ? 0 : pep_active_state_since_ms(a, s->state);
    if (n->state == s->state)
        s->state_since_ms = n->state_since_ms;
    else /* changed since the agent last looked */
        s->state_since_ms = (uint64_t)(since > 0 && since < now->wall_ms ? since : now->wall_ms);
    s->last_error = n->last_error;
    memcpy(s->last_error_text, n->last_error_text, sizeof(s->last_error_text));
    memcpy(s->service, n->service, sizeof(s->service));
}

static void fill(pep *p, pep_status *s)
{
    struct pep_moment now = pep_moment_now();
    struct pep_counts counts;
    int64_t age;
    unsigned token = pep_readers_enter(p->readers, pep_thread_stripe());
    const struct pep_active *a = atomic_load(&p->active);
    s->state = pep_handle_state(p, a, &now, &age);
    s->age_ms = (uint64_t)age;
    fill_active(a, &now, s);
    fill_notes(atomic_load(&p->notes), a, &now, s);
    pep_readers_leave(p->readers, token);
    pep_counters_sum(p->counters, &counts);
    s->decisions = counts.all;
    s->events_dropped = p->events == NULL ? 0 : pep_events_dropped(p->events);
}

void pep_get_status(pep *p, pep_status *status)
{
    if (status == NULL || status->size < sizeof(*status))
        return;
    pep_status s = PEP_STATUS_INIT;
    s.state = PEP_CLOSED;
    if (p != NULL)
        fill(p, &s);
    s.size = status->size;
    *status = s;
}

/* ---- Prometheus text ---- */

struct text {
    char *at;
    size_t room, needed;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
    size_t left = t->needed < t->room ? t->room - t->needed : 0;
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(left > 0 ? t->at + t->needed : NULL, left, format, ap);
    va_end(ap);
    if (n > 0)
        t->needed += (size_t)n;
}

static void put_head(struct text *t, const char *name, const char *type, const char *help)
{
    put(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_one(struct text *t, const char *name, const char *type, const char *help,
                    unsigned long long value)
{
    put_head(t, name, type, help);
    put(t, "%s %llu\n", name, value);
}

static void put_decisions(struct text *t, const struct pep_counts *c)
{
    static const char *const results[] = {"hit", "verified", "refused", "revoked"};
    put_head(t, "pep_decisions_total", "counter", "Decisions made, by code.");
    for (unsigned i = 0; i < PEP_CODES; i++)
        put(t, "pep_decisions_total{code=\"%s\"} %llu\n", pep_code_name((pep_code)i),
            (unsigned long long)c->decisions[i]);
    put_head(t, "pep_tokens_total", "counter",
             "Tokens looked up: known, verified now, refused; revoked: those of the refused.");
    for (unsigned i = 0; i < PEP_TOKEN_COUNTS; i++)
        put(t, "pep_tokens_total{result=\"%s\"} %llu\n", results[i],
            (unsigned long long)c->tokens[i]);
    put_head(t, "pep_token_refusals_total", "counter",
             "Tokens refused, by reason; also known ones without what they are bound to.");
    for (unsigned i = PEP_JWT_OK + 1; i < PEP_JWT_REASONS; i++)
        put(t, "pep_token_refusals_total{reason=\"%s\"} %llu\n",
            pep_jwt_reason_name((enum pep_jwt_reason)i), (unsigned long long)c->refusals[i]);
    put_one(t, "pep_roles_dropped_total", "counter",
            "Roles of verified tokens that the policy's schema does not declare.",
            c->roles_dropped);
}

static void put_policy(struct text *t, const pep_status *s)
{
    put_head(t, "pep_state", "gauge", "1 for the state that the handle is in.");
    for (int i = PEP_EMPTY; i <= PEP_CLOSED; i++)
        put(t, "pep_state{state=\"%s\"} %d\n", pep_state_name((pep_state)i), (int)s->state == i);
    put_head(t, "pep_policy_info", "gauge", "The policy that decisions run by.");
    put(t, "pep_policy_info{bundle=\"%s\",version=\"%llu\",epoch=\"%llu\",digest=\"%s\"} 1\n",
        s->bundle, (unsigned long long)s->version, (unsigned long long)s->epoch, s->digest);
    put_one(t, "pep_policy_version", "gauge", "Its version; 0 without one.", s->version);
    put_head(t, "pep_policy_age_seconds", "gauge", "Since it was last proved current.");
    put(t, "pep_policy_age_seconds %.3f\n", (double)s->age_ms / 1000.0);
    put_head(t, "pep_policy_expires_seconds", "gauge", "Until it expires; negative when past.");
    put(t, "pep_policy_expires_seconds %lld\n", (long long)s->expires_in_s);
}

/* What is known about tokens, of one moment. */
struct tokens {
    size_t cached, revoked;
    uint64_t step;
};

static struct tokens look_at_tokens(pep *p)
{
    struct tokens t = {0, 0, 0};
    unsigned token = pep_readers_enter(p->readers, pep_thread_stripe());
    const struct pep_active *a = atomic_load(&p->active);
    const struct pep_standing *s = a == NULL ? NULL : atomic_load(&a->standing);
    if (a != NULL)
        t.cached = pep_token_cache_count(a->tokens);
    if (s != NULL) {
        t.revoked = pep_revocations_count(s->fed.revocations);
        t.step = pep_revocations_number(s->fed.revocations);
    }
    pep_readers_leave(p->readers, token);
    return t;
}

static void put_tokens(struct text *t, pep *p)
{
    struct tokens n = look_at_tokens(p);
    put_one(t, "pep_tokens_cached", "gauge", "Verified tokens kept.", n.cached);
    put_one(t, "pep_revocations", "gauge", "Entries of the list of revoked tokens.", n.revoked);
    put_one(t, "pep_revocations_step", "gauge", "Number of the list's newest step; 0: none.",
            n.step);
    put_one(t, "pep_revocations_behind", "gauge",
            "Steps that the server has announced and not delivered.",
            atomic_load_explicit(&p->behind, memory_order_relaxed));
}

size_t pep_metrics(pep *p, char *buffer, size_t size)
{
    struct text t = {buffer, buffer == NULL ? 0 : size, 0};
    struct pep_counts counts;
    if (t.room > 0)
        buffer[0] = '\0';
    if (p == NULL)
        return 0;
    pep_status s = PEP_STATUS_INIT;
    pep_get_status(p, &s);
    pep_counters_sum(p->counters, &counts);
    put_decisions(&t, &counts);
    put_policy(&t, &s);
    put_tokens(&t, p);
    put_one(&t, "pep_activations_total", "counter", "Policies put into force.",
            atomic_load_explicit(&p->activations, memory_order_relaxed));
    put_one(&t, "pep_rejections_total", "counter", "Policies that did not compile.",
            atomic_load_explicit(&p->rejections, memory_order_relaxed));
    put_one(&t, "pep_records_delivered_total", "counter", "Decision records handed over.",
            atomic_load_explicit(&p->records_delivered, memory_order_relaxed));
    put_one(&t, "pep_records_dropped_total", "counter", "Decision records lost to a full queue.",
            s.events_dropped);
    put_head(&t, "pep_build_info", "gauge", "The library.");
    put(&t, "pep_build_info{version=\"%s\"} 1\n", pep_version());
    return t.needed;
}
