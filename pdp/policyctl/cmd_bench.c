/*
 * bench: what a decision costs with this policy, on this machine, asked with the policy's own tests
 * or with a file of requests. Times whole decisions with the subject already projected, as a
 * service has it after the first request of a token; signature checks are not part of it.
 *
 * Requests are asked in turn, each timed on its own; what reading the clock costs is part of each
 * figure and is printed beside them. Then the rules are timed one by one, in a pass of its own, so
 * that it costs the first figures nothing; there the clock is taken off, because a rule's head
 * takes less than reading it. The policy is compiled as services compile it.
 */
#include "config.h"
#include "disk.h"
#include "policy_source.h"

#include "pep/core/engine_check.h"
#include "pep/core/engine_suite.h"
#include "pep/core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_REQUESTS_MAX 100000
#define BENCH_FILE_MAX     (64 * 1024 * 1024)
#define BENCH_LINE_MAX     (64 * 1024)
#define BENCH_SAMPLES      (1 << 20)
#define BENCH_SECONDS      2
#define BENCH_SECONDS_MAX  600
#define BENCH_SLOWEST      5
#define BENCH_WIDE         50 /* with -o wide and json */
#define BENCH_RULES_SHARE  4  /* rules are timed for a quarter of the time of decisions */

struct bench_settings {
    const char *requests;
    struct option_number seconds;
};

static const struct option_row rows[] = {
    {"requests", 0, "FILE", OPTION_TEXT, offsetof(struct bench_settings, requests),
     "JSON lines: {\"subject\",\"action\",\"resource\",\"attrs\",\"context\"}"},
    {"seconds", 0, "N", OPTION_NUMBER, offsetof(struct bench_settings, seconds),
     "how long to measure (default 2)"},
    OPTION_END,
};
const struct option_set bench_options = {sizeof(struct bench_settings), rows};

struct question {
    struct pep_subject *subject;
    char *action, *resource; /* owned; the rest is owned by `line` or by the suite */
    json_t *line;
    struct pep_request request;
    uint64_t total_ns, asked;
    struct pep_verdict verdict; /* of the last time */
};

struct timed { /* one rule */
    size_t rule;
    uint64_t ns, tried;
};

struct bench {
    struct session *s;
    const struct bench_settings *set;
    struct policy_source source;
    struct pep_suite *suite;
    struct question *questions;
    size_t count;
    uint32_t *samples;
    size_t sampled;
    uint64_t decisions, candidates, visited, calls, elapsed_ns;
    unsigned most_candidates;
    struct timed *rules;
    size_t rule_count;
    uint64_t rules_ns, clock_ns;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- where the requests come from ---- */

static int add_question(struct bench *b, const json_t *claims, const struct pep_request *request,
                        struct pep_error *err)
{
    struct question *q = &b->questions[b->count];
    memset(q, 0, sizeof(*q));
    int rc = pep_subject_from_claims(b->source.policy, claims, &q->subject, err);
    if (rc != PEP_OK)
        return rc;
    q->action = strdup(request->action);
    q->resource = strdup(request->resource);
    q->request = *request;
    q->request.subject = q->subject;
    q->request.action = q->action;
    q->request.resource = q->resource;
    q->request.any_obligation = true;
    b->count++;
    return q->action == NULL || q->resource == NULL ? PEP_ENOMEM : PEP_OK;
}

static int from_tests(struct bench *b, struct pep_error *err)
{
    struct pep_diags diags = PEP_DIAGS_INIT;
    if (b->source.repository == NULL)
        return pep_error_set(err, PEP_EINVAL,
                             "a bundle carries no tests to ask with; add --requests FILE");
    int rc = pep_suite_load(b->source.repository->tests, b->source.policy, &b->suite, &diags, err);
    if (rc == PEP_EPOLICY)
        policy_source_show(b->s, &b->source, &diags);
    pep_diags_free(&diags);
    for (size_t i = 0; rc == PEP_OK && i < pep_suite_count(b->suite) && i < BENCH_REQUESTS_MAX;
         i++) {
        const struct pep_case *c = pep_suite_at(b->suite, i);
        struct pep_request r = {.action = c->action,
                                .resource = c->resource,
                                .attrs_json = c->attrs,
                                .context_json = c->context,
                                .now = c->now};
        rc = add_question(b, c->claims, &r, err);
        if (rc == PEP_ETOKEN) { /* a test may ask with claims that are refused */
            *err = (struct pep_error)PEP_ERROR_INIT;
            rc = PEP_OK;
        }
    }
    return rc;
}

static int add_line(struct bench *b, struct pep_span text, size_t number, struct pep_error *err)
{
    static const char *const members[] = {"subject", "action", "resource", "attrs",
                                          "context", "now",    NULL};
    char what[CONFIG_PATH];
    json_t *o = NULL;
    snprintf(what, sizeof(what), "%s:%zu", b->set->requests, number);
    int rc = pep_json_parse(text, BENCH_LINE_MAX, what, &o, err);
    if (rc == PEP_OK)
        rc = pep_json_only(o, members, what, err);
    const char *action = NULL, *resource = NULL;
    if (rc == PEP_OK &&
        ((action = pep_json_text(o, "action", PEP_NAME_MAX, what, err)) == NULL ||
         (resource = pep_json_text(o, "resource", PEP_RESOURCE_MAX, what, err)) == NULL))
        rc = PEP_EFORMAT;
    const json_t *now = json_object_get(o, "now");
    struct pep_request r = {.action = action,
                            .resource = resource,
                            .attrs_json = json_object_get(o, "attrs"),
                            .context_json = json_object_get(o, "context"),
                            .now = now == NULL ? PEP_SUITE_NOW : json_number_value(now)};
    if (rc == PEP_OK && !json_is_object(json_object_get(o, "subject")))
        rc = pep_error_set(err, PEP_EFORMAT, "%s: `subject` must be an object of claims", what);
    size_t before = b->count;
    if (rc == PEP_OK)
        rc = add_question(b, json_object_get(o, "subject"), &r, err);
    if (b->count > before)
        b->questions[before].line = o;
    else
        json_decref(o);
    return rc;
}

static int from_file(struct bench *b, struct pep_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0, number = 0;
    int rc = disk_read(b->set->requests, BENCH_FILE_MAX, &bytes, &size, err);
    const uint8_t *at = bytes, *end = bytes == NULL ? NULL : bytes + size;
    while (rc == PEP_OK && at < end) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        number++;
        if (b->count == BENCH_REQUESTS_MAX)
            rc = pep_error_set(err, PEP_ELIMIT, "%s: more than %d requests", b->set->requests,
                               BENCH_REQUESTS_MAX);
        else if (stop > at)
            rc = add_line(b, pep_span_of(at, (size_t)(stop - at)), number, err);
        at = stop + 1;
    }
    free(bytes);
    return rc;
}

/* ---- measuring ---- */

static void ask(struct bench *b, struct question *q)
{
    uint64_t start = now_ns();
    pep_policy_decide(b->source.policy, &q->request, &q->verdict);
    uint64_t took = now_ns() - start;
    q->total_ns += took;
    q->asked++;
    b->samples[b->sampled++ % BENCH_SAMPLES] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    b->decisions++;
    b->candidates += q->verdict.effort.candidates;
    b->visited += q->verdict.effort.visited;
    b->calls += q->verdict.effort.calls;
    if (q->verdict.effort.candidates > b->most_candidates)
        b->most_candidates = q->verdict.effort.candidates;
}

static void measure(struct bench *b)
{
    uint64_t seconds = b->set->seconds.given ? (uint64_t)b->set->seconds.value : BENCH_SECONDS;
    uint64_t start = now_ns(), stop = start + seconds * 1000000000u;
    do {
        for (size_t i = 0; i < b->count; i++)
            ask(b, &b->questions[i]);
    } while (now_ns() < stop);
    b->elapsed_ns = now_ns() - start;
}

/* The smallest cost of reading the clock twice, which every sample contains. */
static uint64_t clock_cost(void)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t start = now_ns(), took = now_ns() - start;
        best = took < best ? took : best;
    }
    return best;
}

static void take_rule(void *context, size_t rule, uint64_t ns)
{
    struct bench *b = context;
    ns = ns > b->clock_ns ? ns - b->clock_ns : 0;
    b->rules[rule].ns += ns;
    b->rules[rule].tried++;
    b->rules_ns += ns;
}

static void measure_rules(struct bench *b)
{
    uint64_t stop = now_ns() + b->elapsed_ns / BENCH_RULES_SHARE;
    for (size_t i = 0; i < b->rule_count; i++)
        b->rules[i].rule = i;
    do {
        for (size_t i = 0; i < b->count; i++)
            pep_policy_profile(b->source.policy, &b->questions[i].request, now_ns, take_rule, b);
    } while (now_ns() < stop);
}

/* ---- the answer ---- */

static int compare_samples(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int compare_questions(const void *a, const void *b)
{
    const struct question *x = a, *y = b;
    uint64_t mx = x->total_ns / (x->asked + (x->asked == 0));
    uint64_t my = y->total_ns / (y->asked + (y->asked == 0));
    return (mx < my) - (mx > my);
}

static int compare_rules(const void *a, const void *b)
{
    const struct timed *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? 1 : -1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

static double share_of(const struct bench *b, const struct timed *t)
{
    return b->rules_ns == 0 ? 0 : (double)t->ns / (double)b->rules_ns;
}

static uint64_t mean_of(uint64_t total, uint64_t n)
{
    return n == 0 ? 0 : total / n;
}

static uint32_t quantile(const struct bench *b, double q)
{
    size_t n = b->sampled < BENCH_SAMPLES ? b->sampled : BENCH_SAMPLES;
    return n == 0 ? 0 : b->samples[(size_t)((double)(n - 1) * q)];
}

static const char *rule_of(const struct question *q)
{
    return q->verdict.rule != NULL ? q->verdict.rule : pep_code_name(q->verdict.code);
}

static json_t *rules_json(const struct bench *b)
{
    json_t *list = json_array();
    for (size_t i = 0; i < b->rule_count && i < BENCH_WIDE && b->rules[i].tried > 0; i++) {
        const struct timed *t = &b->rules[i];
        struct pep_rule_info info;
        if (pep_policy_rule(b->source.policy, t->rule, &info))
            json_array_append_new(list, json_pack("{s:s, s:f, s:I, s:I}", "rule", info.id, "share",
                                                  share_of(b, t), "mean_ns",
                                                  (json_int_t)mean_of(t->ns, t->tried), "tried",
                                                  (json_int_t)t->tried));
    }
    return list;
}

static json_t *requests_json(const struct bench *b)
{
    json_t *list = json_array();
    for (size_t i = 0; i < b->count && i < BENCH_SLOWEST; i++) {
        const struct question *q = &b->questions[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:I}", "decided_by", rule_of(q), "action",
                                        q->action, "resource", q->resource, "mean_ns",
                                        (json_int_t)mean_of(q->total_ns, q->asked)));
    }
    return list;
}

static int print_json(struct bench *b)
{
    double n = (double)b->decisions;
    json_t *o =
        json_pack("{s:I, s:I, s:f, s:I, s:I, s:I}", "requests", (json_int_t)b->count, "decisions",
                  (json_int_t)b->decisions, "per_second", n * 1e9 / (double)b->elapsed_ns, "p50_ns",
                  (json_int_t)quantile(b, 0.5), "p99_ns", (json_int_t)quantile(b, 0.99), "clock_ns",
                  (json_int_t)b->clock_ns);
    json_t *more =
        json_pack("{s:f, s:I, s:f, s:f, s:o, s:o}", "candidates_mean", (double)b->candidates / n,
                  "candidates_max", (json_int_t)b->most_candidates, "visited_mean",
                  (double)b->visited / n, "calls_mean", (double)b->calls / n, "slowest",
                  rules_json(b), "slowest_requests", requests_json(b));
    if (o != NULL && more != NULL)
        json_object_update(o, more);
    json_decref(more);
    return output_json(&b->s->out, o);
}

static int print_rules(struct bench *b)
{
    static const struct column columns[] = {{"SLOWEST RULE", false, false}, {"TIME", false, true},
                                            {"MEAN NS", false, true},       {"TRIED", false, true},
                                            {"PLACE", true, false},         {NULL, false, false}};
    struct table *t = table_new(columns);
    size_t most = b->s->out.format == OUTPUT_WIDE ? BENCH_WIDE : BENCH_SLOWEST;
    for (size_t i = 0; i < b->rule_count && i < most && b->rules[i].tried > 0; i++) {
        const struct timed *r = &b->rules[i];
        struct pep_rule_info info;
        if (!pep_policy_rule(b->source.policy, r->rule, &info))
            continue;
        table_cell(t, "%s", info.id);
        table_cell(t, "%.0f%%", 100 * share_of(b, r));
        table_cell(t, "%llu", (unsigned long long)mean_of(r->ns, r->tried));
        table_cell(t, "%llu", (unsigned long long)r->tried);
        table_cell(t, "%s:%d", info.file, info.line);
    }
    return table_print(t, &b->s->out);
}

static int print_requests(struct bench *b)
{
    static const struct column columns[] = {{"SLOWEST REQUEST", false, false},
                                            {"RESOURCE", false, false},
                                            {"MEAN NS", false, true},
                                            {"DECIDED BY", false, false},
                                            {NULL, false, false}};
    struct table *t = table_new(columns);
    for (size_t i = 0; i < b->count && i < BENCH_SLOWEST; i++) {
        const struct question *q = &b->questions[i];
        table_cell(t, "%s", q->action);
        table_cell(t, "%s", q->resource);
        table_cell(t, "%llu", (unsigned long long)mean_of(q->total_ns, q->asked));
        table_cell(t, "%s", rule_of(q));
    }
    return table_print(t, &b->s->out);
}

static int print_text(struct bench *b)
{
    double n = (double)b->decisions;
    output_line(
        "%.0f decisions/s on one core   p50 %u ns   p99 %u ns   (reading the clock: %llu ns)",
        n * 1e9 / (double)b->elapsed_ns, quantile(b, 0.5), quantile(b, 0.99),
        (unsigned long long)b->clock_ns);
    output_line("%zu requests; candidates per request: mean %.1f, most %u; looked at: mean %.1f; "
                "functions called: mean %.1f\n",
                b->count, (double)b->candidates / n, b->most_candidates, (double)b->visited / n,
                (double)b->calls / n);
    int rc = print_rules(b);
    output_line("%s", "");
    return rc == EXIT_OK ? print_requests(b) : rc;
}

static int run(struct bench *b)
{
    struct pep_error err = PEP_ERROR_INIT;
    b->questions = calloc(BENCH_REQUESTS_MAX, sizeof(*b->questions));
    b->samples = malloc(BENCH_SAMPLES * sizeof(*b->samples));
    if (b->questions == NULL || b->samples == NULL)
        return output_error(&b->s->out, EXIT_FAILED, "no memory");
    int rc = b->set->requests != NULL ? from_file(b, &err) : from_tests(b, &err);
    if (rc != PEP_OK)
        return session_failed(b->s, &err, "");
    if (b->count == 0)
        return output_error(&b->s->out, EXIT_USAGE,
                            "nothing to ask: no tests and no requests\n\n"
                            "policyctl bench --requests FILE");
    b->rule_count = pep_policy_rule_count(b->source.policy);
    b->rules = calloc(b->rule_count + 1, sizeof(*b->rules));
    if (b->rules == NULL)
        return output_error(&b->s->out, EXIT_FAILED, "no memory");
    b->clock_ns = clock_cost();
    measure(b);
    measure_rules(b);
    qsort(b->rules, b->rule_count, sizeof(*b->rules), compare_rules);
    qsort(b->samples, b->sampled < BENCH_SAMPLES ? b->sampled : BENCH_SAMPLES, sizeof(*b->samples),
          compare_samples);
    qsort(b->questions, b->count, sizeof(*b->questions), compare_questions);
    return b->s->out.format == OUTPUT_JSON ? print_json(b) : print_text(b);
}

static void finish(struct bench *b)
{
    for (size_t i = 0; b->questions != NULL && i < b->count; i++) {
        pep_subject_free(b->questions[i].subject);
        free(b->questions[i].action);
        free(b->questions[i].resource);
        json_decref(b->questions[i].line);
    }
    free(b->questions);
    free(b->rules);
    free(b->samples);
    pep_suite_free(b->suite);
    policy_source_close(&b->source);
}

int bench_run(struct session *s, const void *settings)
{
    const struct bench_settings *set = settings;
    const char *dir = session_operand(s, 0);
    struct bench b = {.s = s, .set = set, .source = {.diags = PEP_DIAGS_INIT}};
    if (set->seconds.given && (set->seconds.value < 1 || set->seconds.value > BENCH_SECONDS_MAX))
        return output_error(&s->out, EXIT_USAGE, "--seconds %d is out of range\n\n1 to %d",
                            (int)set->seconds.value, BENCH_SECONDS_MAX);
    int rc = policy_source_open(s, dir == NULL ? "." : dir, &b.source);
    b.source.as_service = true;
    if (rc == EXIT_OK)
        rc = policy_source_compile(s, &b.source);
    if (rc == EXIT_OK)
        rc = run(&b);
    finish(&b);
    return rc;
}
