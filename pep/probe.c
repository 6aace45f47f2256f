/*
 * pep-probe: what does a service with this identity see? A diagnostic built on nothing but pep.h,
 * so that what it shows is what any service gets. Data goes to stdout as JSON lines, one per change
 * or decision; words for people go to stderr.
 *
 * Exit: 0 ok (with a question: allowed), 1 failed, 2 usage, 6 no policy in time, 7 not allowed,
 * 130 interrupted. A decision is always printed, also the deny of a handle without a policy.
 */
#include "pep.h"

#include <jansson.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AUDIENCES_MAX 16
#define TOKEN_MAX     (64 * 1024)
#define TIMEOUT_MS    5000
#define REFRESH_MS    1500 /* a server that is there answers sooner */
#define TIME_MAX_MS   (UINT64_C(366) * 86400000)

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_READY = 6,
    EXIT_NOT_ALLOWED = 7,
    EXIT_INTERRUPTED = 130,
};

struct settings {
    const char *identity, *cache, *bundle, *root, *token_file;
    const char *audience[AUDIENCES_MAX + 1];
    size_t audience_count;
    pep_mode mode;
    bool watch, mode_given;
    uint32_t timeout_ms, poll_ms, stale_after_ms, max_stale_s;
    const char *action, *resource, *attrs, *context;
};

/* ---- options ---- */

enum option_id {
    OPT_IDENTITY = 256,
    OPT_MODE,
    OPT_CACHE,
    OPT_FILE,
    OPT_ROOT,
    OPT_WATCH,
    OPT_TOKEN,
    OPT_AUDIENCE,
    OPT_TIMEOUT,
    OPT_ATTRS,
    OPT_CONTEXT,
    OPT_POLL,
    OPT_STALE_AFTER,
    OPT_MAX_STALE,
    OPT_HELP,
    OPT_VERSION,
};

struct option_text {
    const char *name, *argument;
    enum option_id id;
    const char *text;
};
static const struct option_text option_table[] = {
    {"identity", "DIR", OPT_IDENTITY, "identity folder, written by `policyctl service join`"},
    {"mode", "subscribe|poll", OPT_MODE, "how new policies arrive (default subscribe)"},
    {"cache", "DIR", OPT_CACHE, "cache folder (default IDENTITY/cache)"},
    {"file", "BUNDLE", OPT_FILE, "a bundle file instead of a server; needs --root"},
    {"root", "ROOT", OPT_ROOT, "the root document that the bundle is verified against"},
    {"watch", NULL, OPT_WATCH, "keep running; print each change of state and each decision"},
    {"token", "FILE", OPT_TOKEN, "ask for ACTION on RESOURCE with this token ('-': stdin)"},
    {"audience", "NAME", OPT_AUDIENCE,
     "accept this audience (default: the enrolled name); repeatable"},
    {"attrs", "JSON", OPT_ATTRS, "attributes of the resource"},
    {"context", "JSON", OPT_CONTEXT, "attributes of the request"},
    {"timeout", "TIME", OPT_TIMEOUT, "wait at most so long for a policy (default 5s)"},
    {"poll-interval", "TIME", OPT_POLL, "time between two polls (default 15s)"},
    {"stale-after", "TIME", OPT_STALE_AFTER, "state STALE after so long without a proof"},
    {"max-stale", "TIME", OPT_MAX_STALE, "state EXPIRED after so long; only tightens the bundle's"},
    {"help", NULL, OPT_HELP, "this text"},
    {"version", NULL, OPT_VERSION, "version of the library"},
};
#define OPTIONS (sizeof(option_table) / sizeof(option_table[0]))

static void print_help(FILE *out)
{
    fprintf(out,
            "usage: pep-probe --identity DIR [--mode subscribe|poll] [--cache DIR] [--watch]\n"
            "                 [--token FILE ACTION RESOURCE]\n"
            "       pep-probe --file BUNDLE --root ROOT [--watch] [--token FILE ACTION RESOURCE]\n"
            "\nShows what a service sees: JSON lines on stdout.\n\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        char name[64];
        const struct option_text *o = &option_table[i];
        snprintf(name, sizeof(name), "--%s%s%s", o->name, o->argument == NULL ? "" : " ",
                 o->argument == NULL ? "" : o->argument);
        fprintf(out, "  %-25s %s\n", name, o->text);
    }
    fprintf(out,
            "\nExit: 0 ok or allowed, 1 failed, 2 usage, 6 no policy in time, 7 not allowed.\n");
}

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "pep-probe: %s%s%s\nTry: pep-probe --help\n", what, value == NULL ? "" : ": ",
            value == NULL ? "" : value);
    return EXIT_USAGE;
}

/* A number with a unit ("2s", "500ms", "1m", "1h"), or without one: of `plain_ms` milliseconds. */
static int take_time(const char *text, uint64_t plain_ms, uint64_t *ret_ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    uint64_t unit = *end == '\0' ? plain_ms : 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) == 0)
            unit = units[i].ms;
    }
    if (errno != 0 || text[0] < '0' || text[0] > '9' || unit == 0 || v > TIME_MAX_MS / unit)
        return usage("not a time (like 500ms, 2s or 1m) in range", text);
    *ret_ms = v * unit;
    return EXIT_OK;
}

static int take_ms(const char *text, uint32_t *ret)
{
    uint64_t ms = 0;
    int rc = take_time(text, 1, &ms);
    if (rc == EXIT_OK && ms > UINT32_MAX)
        rc = usage("too long", text);
    if (rc == EXIT_OK)
        *ret = (uint32_t)ms;
    return rc;
}

static int take_seconds(const char *text, uint32_t *ret)
{
    uint64_t ms = 0;
    int rc = take_time(text, 1000, &ms);
    if (rc == EXIT_OK && ms % 1000 != 0)
        rc = usage("whole seconds, please", text);
    if (rc == EXIT_OK)
        *ret = (uint32_t)(ms / 1000);
    return rc;
}

static int take_mode(struct settings *s, const char *text)
{
    s->mode_given = true;
    if (strcmp(text, "subscribe") == 0)
        s->mode = PEP_SUBSCRIBE;
    else if (strcmp(text, "poll") == 0)
        s->mode = PEP_POLL;
    else
        return usage("--mode is subscribe or poll, not", text);
    return EXIT_OK;
}

static int take_audience(struct settings *s, const char *text)
{
    if (s->audience_count == AUDIENCES_MAX)
        return usage("too many audiences", text);
    s->audience[s->audience_count++] = text;
    return EXIT_OK;
}

/* EXIT_OK, EXIT_USAGE, or -1: done (help, version). */
static int take_option(struct settings *s, int id, const char *value)
{
    const char **const texts[] = {
        [OPT_IDENTITY - 256] = &s->identity, [OPT_CACHE - 256] = &s->cache,
        [OPT_FILE - 256] = &s->bundle,       [OPT_ROOT - 256] = &s->root,
        [OPT_TOKEN - 256] = &s->token_file,  [OPT_ATTRS - 256] = &s->attrs,
        [OPT_CONTEXT - 256] = &s->context,
    };
    switch (id) {
    case OPT_MODE:
        return take_mode(s, value);
    case OPT_WATCH:
        s->watch = true;
        return EXIT_OK;
    case OPT_AUDIENCE:
        return take_audience(s, value);
    case OPT_TIMEOUT:
        return take_ms(value, &s->timeout_ms);
    case OPT_POLL:
        return take_ms(value, &s->poll_ms);
    case OPT_STALE_AFTER:
        return take_ms(value, &s->stale_after_ms);
    case OPT_MAX_STALE:
        return take_seconds(value, &s->max_stale_s);
    case OPT_HELP:
        print_help(stdout);
        return -1;
    case OPT_VERSION:
        printf("pep-probe %s\n", pep_version());
        return -1;
    default:
        break;
    }
    if (id < 256)
        return usage("unknown option or missing argument", NULL);
    *texts[id - 256] = value;
    return EXIT_OK;
}

static int judge_settings(struct settings *s, int argc, char **argv)
{
    int left = argc - optind;
    if ((s->identity != NULL) == (s->bundle != NULL))
        return usage("give either --identity DIR, or --file BUNDLE and --root ROOT", NULL);
    if ((s->bundle != NULL) != (s->root != NULL))
        return usage("--file and --root belong together", NULL);
    if (s->bundle != NULL && (s->mode_given || s->cache != NULL))
        return usage("--mode and --cache belong to --identity", NULL);
    if (s->token_file == NULL)
        return left == 0 ? EXIT_OK : usage("ACTION and RESOURCE need --token FILE", NULL);
    if (left != 2)
        return usage("--token FILE is followed by ACTION and RESOURCE", NULL);
    s->action = argv[optind];
    s->resource = argv[optind + 1];
    if (s->bundle != NULL)
        s->mode = PEP_FILE;
    return EXIT_OK;
}

static int read_settings(int argc, char **argv, struct settings *s)
{
    struct option options[OPTIONS + 1];
    memset(options, 0, sizeof(options));
    for (size_t i = 0; i < OPTIONS; i++) {
        options[i].name = option_table[i].name;
        options[i].has_arg = option_table[i].argument == NULL ? no_argument : required_argument;
        options[i].val = option_table[i].id;
    }
    int id;
    while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int rc = take_option(s, id, optarg);
        if (rc != EXIT_OK)
            return rc;
    }
    int rc = judge_settings(s, argc, argv);
    if (s->bundle != NULL)
        s->mode = PEP_FILE;
    return rc;
}

/* ---- output: one line at a time, from two threads ---- */

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void print_line(json_t *line)
{
    char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (text == NULL)
        return;
    pthread_mutex_lock(&output);
    puts(text);
    fflush(stdout);
    pthread_mutex_unlock(&output);
    free(text);
}

static json_t *time_now(void)
{
    struct timespec t = {0, 0};
    clock_gettime(CLOCK_REALTIME, &t);
    return json_integer((json_int_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string(text);
}

/* One line per change, whoever sees it first: the library's thread, or ours before it asks. */
static bool is_news(const pep_status *status)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static pep_status printed;
    pthread_mutex_lock(&lock);
    bool news = printed.size == 0 || printed.state != status->state ||
                printed.epoch != status->epoch || printed.version != status->version ||
                printed.revocations != status->revocations ||
                strcmp(printed.last_error_text, status->last_error_text) != 0;
    printed = *status;
    pthread_mutex_unlock(&lock);
    return news;
}

static void print_state(void *user, const struct pep_status *status)
{
    (void)user;
    if (status->state == PEP_CLOSED || !is_news(status))
        return;
    json_t *line = json_object();
    json_object_set_new(line, "event", json_string("state"));
    json_object_set_new(line, "state", json_string(pep_state_name(status->state)));
    json_object_set_new(line, "bundle", text_or_null(status->bundle));
    json_object_set_new(line, "epoch", json_integer((json_int_t)status->epoch));
    json_object_set_new(line, "version", json_integer((json_int_t)status->version));
    json_object_set_new(line, "digest", text_or_null(status->digest));
    bool aged = status->version != 0 && status->age_ms <= INT64_MAX;
    json_object_set_new(line, "age_ms",
                        aged ? json_integer((json_int_t)status->age_ms) : json_null());
    json_object_set_new(line, "revocations", json_integer((json_int_t)status->revocations));
    json_object_set_new(line, "reason", text_or_null(status->last_error_text));
    json_object_set_new(line, "service", text_or_null(status->service));
    json_object_set_new(line, "time_ms", time_now());
    print_line(line);
}

static void print_log(void *user, int level, const char *text)
{
    (void)user;
    fprintf(stderr, "pep-probe: <%d> %s\n", level, text);
}

static json_t *json_of(const char *text)
{
    json_t *v = text == NULL ? NULL : json_loads(text, 0, NULL);
    return v == NULL ? json_array() : v;
}

static void print_decision(const pep_decision *d)
{
    json_t *line = json_object();
    json_object_set_new(line, "event", json_string("decision"));
    json_object_set_new(line, "outcome", json_string(pep_outcome_name(d->outcome)));
    json_object_set_new(line, "code", json_string(pep_code_name(d->code)));
    json_object_set_new(line, "rule", text_or_null(d->rule));
    json_object_set_new(line, "reason", text_or_null(d->reason));
    json_object_set_new(line, "allowed", json_boolean(d->allowed));
    json_object_set_new(line, "obligations", json_of(d->obligations));
    json_object_set_new(line, "advice", json_of(d->advice));
    json_object_set_new(line, "state", json_string(pep_state_name(d->state)));
    json_object_set_new(line, "stale", json_boolean(d->stale));
    json_object_set_new(line, "version", json_integer((json_int_t)d->version));
    json_object_set_new(line, "eval_ns", json_integer((json_int_t)d->eval_ns));
    json_object_set_new(line, "id", json_string(d->id));
    json_object_set_new(line, "time_ms", time_now());
    print_line(line);
}

/* ---- asking ---- */

static int read_token(const char *file, char out[TOKEN_MAX])
{
    int fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && n < TOKEN_MAX - 1) {
        got = read(fd, out + n, TOKEN_MAX - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0 || n == TOKEN_MAX - 1) {
        fprintf(stderr, "pep-probe: %s: %s\n", file, got < 0 ? strerror(errno) : "too large");
        if (fd > STDIN_FILENO)
            close(fd);
        return EXIT_FAILED;
    }
    if (fd != STDIN_FILENO)
        close(fd);
    out[n] = '\0';
    out[strcspn(out, " \t\r\n")] = '\0';
    return EXIT_OK;
}

static bool ask(pep *p, const struct settings *s, const char *token)
{
    pep_query q = PEP_QUERY_INIT;
    pep_decision d = PEP_DECISION_INIT;
    q.attrs_json = s->attrs;
    q.context_json = s->context;
    bool allowed = pep_check(p, token, s->action, s->resource, &q, &d);
    print_decision(&d);
    pep_decision_clear(&d);
    return allowed;
}

/* ---- running ---- */

static pep *open_probe(const struct settings *s)
{
    pep *p = NULL;
    pep_options o = PEP_OPTIONS_INIT;
    o.mode = s->mode;
    o.identity = s->identity;
    o.cache = s->cache;
    o.bundle_file = s->bundle;
    o.root_file = s->root;
    o.audience = s->audience_count > 0 ? s->audience : NULL;
    o.poll_interval_ms = s->poll_ms;
    o.stale_after_ms = s->stale_after_ms;
    o.max_stale_s = s->max_stale_s;
    o.on_status = print_state;
    o.on_log = print_log;
    if (pep_open(&o, &p) != PEP_OK) {
        fprintf(stderr, "pep-probe: %s\n", pep_open_error());
        return NULL;
    }
    return p;
}

static void print_current_state(pep *p)
{
    pep_status status = PEP_STATUS_INIT;
    pep_get_status(p, &status);
    print_state(NULL, &status);
}

static bool decides_alike(const pep_status *a, const pep_status *b)
{
    return a->state == b->state && a->epoch == b->epoch && a->version == b->version &&
           a->revocations == b->revocations;
}

/* Until a signal: each change of what decides is followed by the decision under it. */
static int watch(pep *p, const struct settings *s, const char *token, const sigset_t *signals)
{
    static const struct timespec pause = {0, 20000000};
    pep_status last = PEP_STATUS_INIT, now = PEP_STATUS_INIT;
    pep_get_status(p, &last);
    int signal_number;
    while ((signal_number = sigtimedwait(signals, NULL, &pause)) < 0) {
        if (token == NULL)
            continue;
        pep_get_status(p, &now);
        if (!decides_alike(&now, &last))
            ask(p, s, token);
        last = now;
    }
    return signal_number == SIGINT ? EXIT_INTERRUPTED : EXIT_OK;
}

/* The first look: with a server, the state after its first answer rather than the cache's. */
static int first_look(pep *p, const struct settings *s, const char *token)
{
    bool ready = pep_wait_ready(p, s->timeout_ms) == PEP_OK;
    if (s->mode != PEP_FILE && !s->watch && ready)
        pep_refresh(p, s->timeout_ms < REFRESH_MS ? s->timeout_ms : REFRESH_MS);
    print_current_state(p);
    if (token != NULL)
        return ask(p, s, token) ? EXIT_OK : EXIT_NOT_ALLOWED;
    if (!ready)
        fprintf(stderr, "pep-probe: no policy within %u ms: everything is denied\n",
                (unsigned)s->timeout_ms);
    return ready ? EXIT_OK : EXIT_NOT_READY;
}

int main(int argc, char **argv)
{
    static char token[TOKEN_MAX];
    struct settings s = {.timeout_ms = TIMEOUT_MS};
    sigset_t signals;
    int rc = read_settings(argc, argv, &s);
    if (rc != EXIT_OK)
        return rc < 0 ? EXIT_OK : rc;
    if (s.token_file != NULL && read_token(s.token_file, token) != EXIT_OK)
        return EXIT_FAILED;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (s.watch)
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
    pep *p = open_probe(&s);
    if (p == NULL)
        return EXIT_FAILED;
    const char *asked = s.token_file == NULL ? NULL : token;
    rc = first_look(p, &s, asked);
    if (s.watch)
        rc = watch(p, &s, asked, &signals);
    pep_close(p);
    return rc;
}
