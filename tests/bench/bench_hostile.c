/*
 * What the dearest decisions cost: every policy of tests/cases/hostile that loads, and those below,
 * which need long texts and lists in the request. Each is decided several times, and the worst
 * decision is printed in milliseconds of this thread's processor time, one JSON line for each:
 *
 *     {"bench":"hostile","figure":"for_text","value":12.1,"unit":"ms","ended":"budget",
 *      "budget":"<= 100 ms"}
 *
 * `ended` is the kind of the fault, or "result". Figures count only from the release preset; the
 * exit status is 1 only where a decision took a second or more, which no machine excuses. All run
 * under a UTF-8 locale on a thread with the smallest stack that we promise.
 */
#include "measure.h"

#include "pep/core/engine.h"
#include "pep/core/json.h"

#include <dirent.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STACK     ((size_t)256 * 1024)
#define LIMIT_MS  100.0
#define FAILS_MS  1000.0
#define LONG_TEXT 64000
#define ITEMS     2000
#define TEXT_MAX  ((size_t)256 * 1024)
#define TIMES     3 /* decisions in a round */

struct run {
    unsigned rounds;
    json_t *claims, *attrs;
    double worst_ms;
    int failed;
};

/* Bodies of rule functions; the request has `digits` and `spaces` (long texts), `items` (a list of
 * numbers) and `names` (a list of texts). The token has `digits` and `names`, too. */
static const struct {
    const char *name, *body;
} made[] = {
    {"attribute_for", "local s = res.digits; while true do for i = 1, s do break end end"},
    {"attribute_for_spaces", "local s = res.spaces; while true do for i = 1, s do break end end"},
    {"claim_for", "local s = sub.digits; while true do for i = 1, s do break end end"},
    {"claim_compare",
     "local n = 0; while true do if sub.digits < res.digits then n = n + 1 end end"},
    {"attribute_straight", "return sub.digits == res.digits"},
    {"list_loop", "local n = 0; while true do for _, v in ipairs(res.items) do n = n + v end end"},
    {"list_names", "local n = 0; while true do for _, v in ipairs(res.names) do\n"
                   "  if v == sub.id then n = n + 1 end end end"},
    {"list_table", "while true do local t = {}\n"
                   "  for _, v in ipairs(res.names) do t[v] = true end end"},
    {"list_has", "while true do if has(res.names, 'nobody') then return true end end"},
    {"list_overlaps", "while true do if overlaps(res.names, res.items) then return true end end"},
    {"list_sort", "while true do local t = {}\n"
                  "  for i, v in ipairs(res.names) do t[i] = v end table.sort(t) end"},
};

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct pep_policy *compile(const char *text, size_t size)
{
    struct pep_engine_options options = {.lua_states = 1};
    struct pep_files *files = NULL;
    struct pep_policy *policy = NULL;
    if (pep_files_new(&files) == PEP_OK &&
        pep_files_add(files, "policies/hostile.lua", pep_span_of(text, size), NULL) == PEP_OK)
        (void)pep_policy_compile_unsigned(files, &options, &policy, NULL, NULL);
    pep_files_free(files);
    return policy;
}

static void run_policy(struct run *run, const char *name, const char *text, size_t size)
{
    struct pep_policy *policy = compile(text, size);
    struct pep_subject *subject = NULL;
    if (policy == NULL)
        return; /* refused at load: no decision */
    if (pep_subject_from_claims(policy, run->claims, &subject, NULL) != PEP_OK)
        exit(1);
    struct pep_request q = {
        .subject = subject, .action = "do", .resource = "thing:1", .attrs_json = run->attrs};
    double worst = 0;
    const char *ended = "result";
    for (unsigned i = 0; i < run->rounds * TIMES; i++) {
        struct pep_verdict v;
        double from = cpu_ms();
        pep_policy_decide(policy, &q, &v);
        double took = cpu_ms() - from;
        worst = took > worst ? took : worst;
        ended = v.fault_count == 0 ? "result" : v.faults[0].kind;
    }
    printf("{\"bench\":\"hostile\",\"figure\":\"%s\",\"value\":%.2f,\"unit\":\"ms\","
           "\"ended\":\"%s\",\"budget\":\"<= %.0f ms\"}\n",
           name, worst, ended, LIMIT_MS);
    run->worst_ms = worst > run->worst_ms ? worst : run->worst_ms;
    run->failed |= worst >= FAILS_MS;
    pep_subject_free(subject);
    pep_policy_free(policy);
}

static void run_files(struct run *run)
{
    DIR *dir = opendir(PEP_CASES_DIR);
    char *text = malloc(TEXT_MAX);
    if (dir == NULL || text == NULL)
        exit(1);
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        char path[512], name[256];
        const char *dot = strstr(d->d_name, ".lua");
        if (dot == NULL)
            continue;
        snprintf(path, sizeof(path), "%s/%s", PEP_CASES_DIR, d->d_name);
        snprintf(name, sizeof(name), "%.*s", (int)(dot - d->d_name), d->d_name);
        FILE *f = fopen(path, "rb");
        if (f == NULL)
            exit(1);
        size_t size = fread(text, 1, TEXT_MAX, f);
        fclose(f);
        run_policy(run, name, text, size);
    }
    free(text);
    closedir(dir);
}

/* One rule, or as many as may be candidates where a single one is soon done. */
static void run_made(struct run *run)
{
    char *text = malloc(TEXT_MAX);
    if (text == NULL)
        exit(1);
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        snprintf(text, TEXT_MAX,
                 "for i = 1, %d do allow('h' .. i) { action = 'do', resource = 'thing',\n"
                 "  when = function(sub, res, ctx)\n%s\nend } end\n",
                 strncmp(made[i].body, "return", 6) == 0 ? 5000 : 1, made[i].body);
        run_policy(run, made[i].name, text, strlen(text));
    }
    free(text);
}

static json_t *filled_text(char c)
{
    char *text = malloc(LONG_TEXT);
    if (text == NULL)
        exit(1);
    memset(text, c, LONG_TEXT - 1);
    text[LONG_TEXT - 1] = '1';
    json_t *json = json_stringn(text, LONG_TEXT);
    free(text);
    return json;
}

static json_t *list(const char *format)
{
    json_t *items = json_array();
    for (int i = 0; i < ITEMS; i++)
        json_array_append_new(items, format == NULL ? json_integer(i) : json_sprintf(format, i));
    return items;
}

static void *run_all(void *context)
{
    struct run *run = context;
    run->claims =
        json_pack("{s:s,s:[s],s:o}", "sub", "ann", "roles", "r", "digits", filled_text('7'));
    run->attrs = json_pack("{s:o,s:o,s:o,s:o}", "digits", filled_text('7'), "spaces",
                           filled_text(' '), "items", list(NULL), "names", list("name-%d"));
    if (run->claims == NULL || run->attrs == NULL)
        exit(1);
    run_files(run);
    run_made(run);
    json_decref(run->claims);
    json_decref(run->attrs);
    return NULL;
}

int main(int argc, char **argv)
{
    struct run run = {.rounds = measure_rounds(argc, argv)};
    pthread_attr_t attr;
    pthread_t thread;
    setlocale(LC_ALL, "C.UTF-8");
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    if (pthread_create(&thread, &attr, run_all, &run) != 0 || pthread_join(thread, NULL) != 0)
        return 1;
    pthread_attr_destroy(&attr);
    printf("{\"bench\":\"hostile\",\"figure\":\"worst of all\",\"value\":%.2f,\"unit\":\"ms\","
           "\"budget\":\"<= %.0f ms\"}\n",
           run.worst_ms, LIMIT_MS);
    return run.failed;
}
