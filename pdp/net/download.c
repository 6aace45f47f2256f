/* See download.h. One thread with one multi handle; each transfer owns its easy handle. */
#include "download.h"

#include "pdp/relay_schedule.h"

#include "pep.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HEAD_MAX   (32 * 1024) /* of an answer */
#define CONNECT_MS 5000
#define WAIT_MS    1000
#define PATH_ROOM  4096
#define TEXT(x)    TEXT_OF(x)
#define TEXT_OF(x) #x
#define AGENT                                                                              \
    "pdpd/" TEXT(PEP_VERSION_MAJOR) "." TEXT(PEP_VERSION_MINOR) "." TEXT(PEP_VERSION_PATCH)

struct transfer {
    struct download_outcome *outcome;
    CURL *easy;
    struct curl_slist *headers;
    char *url, *etag;
    long timeout_ms;
    size_t head;   /* bytes of the answer's head so far */
    bool too_much; /* head or body */
    char text[CURL_ERROR_SIZE];
    struct transfer *next;
};

struct download {
    struct download_settings settings;
    char ca[PATH_ROOM], proxy[PATH_ROOM];
    CURLM *multi;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    struct transfer *waiting, *finished; /* under the lock */
    struct transfer *under_way;          /* the thread's */
    bool stop;                           /* under the lock */
};

/* ---- one transfer ---- */

static void transfer_free(struct transfer *t)
{
    if (t == NULL)
        return;
    if (t->easy != NULL)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    download_free(t->outcome);
    free(t->url);
    free(t->etag);
    free(t);
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct transfer *t = context;
    (void)one;
    pep_put_bytes(&t->outcome->body, data, size);
    t->too_much |= t->outcome->body.failed;
    return t->outcome->body.failed ? 0 : size;
}

/* The value of a header line of this name. */
static bool header_is(struct pep_span line, const char *name, struct pep_span *ret)
{
    size_t size = strlen(name);
    if (line.size <= size || line.data[size] != ':' ||
        strncasecmp((const char *)line.data, name, size) != 0)
        return false;
    struct pep_span v = pep_span_of(line.data + size + 1, line.size - size - 1);
    while (v.size > 0 && (v.data[0] == ' ' || v.data[0] == '\t')) {
        v.data++;
        v.size--;
    }
    while (v.size > 0 && v.data[v.size - 1] <= ' ')
        v.size--;
    *ret = v;
    return true;
}

static bool is_printable(struct pep_span s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < ' ' || s.data[i] > '~')
            return false;
    }
    return true;
}

static size_t on_head(char *data, size_t one, size_t size, void *context)
{
    struct transfer *t = context;
    struct download_outcome *o = t->outcome;
    struct pep_span value, line = pep_span_of(data, size);
    (void)one;
    t->head += size;
    if (t->head > HEAD_MAX) {
        t->too_much = true;
        return 0;
    }
    if (header_is(line, "etag", &value) && value.size < sizeof(o->etag) && is_printable(value)) {
        memcpy(o->etag, value.data, value.size);
        o->etag[value.size] = '\0';
    }
    if (header_is(line, "cache-control", &value)) {
        int64_t seconds = relay_max_age(value);
        if (seconds >= 0 && (o->max_age_s < 0 || seconds < o->max_age_s))
            o->max_age_s = seconds;
    }
    return size;
}

static int add_header(struct transfer *t, const char *text)
{
    struct curl_slist *list = curl_slist_append(t->headers, text);
    if (list == NULL)
        return PEP_ENOMEM;
    t->headers = list;
    return 0;
}

static int make_headers(struct transfer *t)
{
    char condition[sizeof(t->outcome->etag) + 32];
    int rc = add_header(t, "Accept: application/jwk-set+json, application/json");
    snprintf(condition, sizeof(condition), "If-None-Match: %s", t->etag);
    return rc == 0 && t->etag[0] != '\0' ? add_header(t, condition) : rc;
}

static CURLcode set_trust(const struct download *d, CURL *c)
{
    CURLcode r = curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    r = r ? r : curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    r = r ? r : curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (d->ca[0] != '\0') {
        r = r ? r : curl_easy_setopt(c, CURLOPT_CAINFO, d->ca);
        r = r ? r : curl_easy_setopt(c, CURLOPT_CAPATH, NULL); /* else the system's count too */
    }
    r = r ? r : curl_easy_setopt(c, CURLOPT_PROXY, d->proxy); /* "": not the environment's either */
    return r ? r : curl_easy_setopt(c, CURLOPT_NOPROXY, "");
}

static CURLcode set_limits(const struct transfer *t, CURL *c, size_t max)
{
    CURLcode r = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    r = r ? r : curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    r = r ? r : curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    r = r ? r : curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    r = r ? r : curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    r = r ? r : curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    r = r ? r : curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)max);
    r = r ? r : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, t->timeout_ms);
    r = r ? r
          : curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                             t->timeout_ms < CONNECT_MS ? t->timeout_ms : (long)CONNECT_MS);
    r = r ? r : curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    return r ? r : curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
}

static CURLcode set_all(const struct download *d, struct transfer *t)
{
    CURL *c = t->easy;
    CURLcode r = curl_easy_setopt(c, CURLOPT_URL, t->url);
    r = r ? r : curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    r = r ? r : curl_easy_setopt(c, CURLOPT_USERAGENT, AGENT);
    r = r ? r : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    r = r ? r : curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    r = r ? r : curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_head);
    r = r ? r : curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    r = r ? r : curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    r = r ? r : curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->text);
    r = r ? r : set_limits(t, c, d->settings.max);
    return r ? r : set_trust(d, c);
}

/* ---- what became of it ---- */

static const char *advice_on(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return "; is `relay_ca` the issuer's authority, and this machine's clock right?";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "; is the name in `jwks_uri` right, and does this machine's DNS know it?";
    case CURLE_COULDNT_CONNECT:
        return "; may this machine connect there, or does it need `relay_proxy`?";
    case CURLE_OPERATION_TIMEDOUT:
        return "; `relay_timeout` is the limit";
    default:
        return "";
    }
}

static void explain(struct transfer *t, CURLcode code, long status, size_t max)
{
    struct download_outcome *o = t->outcome;
    if (t->too_much && t->head > HEAD_MAX)
        snprintf(o->error, sizeof(o->error), "the answer's head is longer than %d bytes", HEAD_MAX);
    else if (t->too_much || code == CURLE_FILESIZE_EXCEEDED)
        snprintf(o->error, sizeof(o->error),
                 "the answer is longer than %zu bytes; is `jwks_uri` the address of a JWKS?", max);
    else if (code != CURLE_OK)
        snprintf(o->error, sizeof(o->error), "%.170s%s",
                 t->text[0] != '\0' ? t->text : curl_easy_strerror(code), advice_on(code));
    else if (status >= 300 && status < 400)
        snprintf(o->error, sizeof(o->error),
                 "answers %ld; redirects are not followed, put the final address into `jwks_uri`",
                 status);
    else
        snprintf(o->error, sizeof(o->error), "answers with HTTP status %ld", status);
}

static void conclude(struct download *d, struct transfer *t, CURLcode code)
{
    struct download_outcome *o = t->outcome;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    o->good = code == CURLE_OK && !t->too_much && status == 200;
    o->same = code == CURLE_OK && !t->too_much && status == 304;
    if (!o->good && !o->same)
        explain(t, code, status, d->settings.max);
}

/* ---- the thread ---- */

static void append(struct transfer **list, struct transfer *t)
{
    while (*list != NULL)
        list = &(*list)->next;
    t->next = NULL;
    *list = t;
}

static void finish(struct download *d, struct transfer *t)
{
    pthread_mutex_lock(&d->lock);
    append(&d->finished, t);
    pthread_mutex_unlock(&d->lock);
    d->settings.done(d->settings.context);
}

static void begin(struct download *d, struct transfer *t)
{
    t->easy = curl_easy_init();
    CURLcode code = t->easy == NULL || make_headers(t) != 0 ? CURLE_OUT_OF_MEMORY : set_all(d, t);
    if (code == CURLE_OK && curl_multi_add_handle(d->multi, t->easy) != CURLM_OK)
        code = CURLE_FAILED_INIT;
    if (code == CURLE_OK) {
        append(&d->under_way, t);
        return;
    }
    explain(t, code, 0, d->settings.max);
    finish(d, t);
}

static void end(struct download *d, CURL *easy, CURLcode code)
{
    struct transfer **at = &d->under_way;
    while (*at != NULL && (*at)->easy != easy)
        at = &(*at)->next;
    struct transfer *t = *at;
    if (t == NULL)
        return;
    *at = t->next;
    curl_multi_remove_handle(d->multi, easy);
    conclude(d, t, code);
    curl_easy_cleanup(easy);
    t->easy = NULL;
    finish(d, t);
}

static void read_results(struct download *d)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(d->multi, &left)) != NULL) {
        if (m->msg == CURLMSG_DONE)
            end(d, m->easy_handle, m->data.result);
    }
}

/* False: stop. */
static bool begin_waiting(struct download *d)
{
    pthread_mutex_lock(&d->lock);
    struct transfer *t = d->waiting;
    bool stop = d->stop;
    d->waiting = stop ? t : NULL;
    pthread_mutex_unlock(&d->lock);
    while (!stop && t != NULL) {
        struct transfer *next = t->next;
        begin(d, t);
        t = next;
    }
    return !stop;
}

static void *run(void *context)
{
    struct download *d = context;
    int under_way;
    while (begin_waiting(d)) {
        curl_multi_perform(d->multi, &under_way);
        read_results(d);
        curl_multi_poll(d->multi, NULL, 0, WAIT_MS, NULL);
    }
    return NULL;
}

/* ---- from other threads ---- */

static int start_thread(struct download *d, struct pep_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&d->thread, NULL, run, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return pep_error_set(err, PEP_EIO, "cannot start a thread: %s", strerror(rc));
    d->running = true;
    return 0;
}

static int take_settings(struct download *d, const struct download_settings *s,
                         struct pep_error *err)
{
    d->settings = *s;
    snprintf(d->ca, sizeof(d->ca), "%s", s->ca);
    snprintf(d->proxy, sizeof(d->proxy), "%s", s->proxy);
    d->settings.ca = d->ca;
    d->settings.proxy = d->proxy;
    if (d->ca[0] != '\0' && access(d->ca, R_OK) != 0)
        return pep_error_set(err, PEP_EIO, "relay_ca = %s: %s", d->ca, strerror(errno));
    return 0;
}

int download_start(const struct download_settings *settings, struct download **ret,
                   struct pep_error *err)
{
    struct download *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    pthread_mutex_init(&d->lock, NULL);
    int rc = take_settings(d, settings, err);
    if (rc == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        rc = pep_error_set(err, PEP_EIO, "libcurl cannot start");
    else if (rc == 0 && (d->multi = curl_multi_init()) == NULL)
        rc = pep_error_set(err, PEP_ENOMEM, "no memory");
    if (rc == 0)
        rc = start_thread(d, err);
    if (rc != 0) {
        download_stop(d);
        return rc;
    }
    *ret = d;
    return 0;
}

static void free_list(struct download *d, struct transfer *t)
{
    while (t != NULL) {
        struct transfer *next = t->next;
        if (t->easy != NULL)
            curl_multi_remove_handle(d->multi, t->easy);
        transfer_free(t);
        t = next;
    }
}

void download_stop(struct download *d)
{
    if (d == NULL)
        return;
    if (d->running) {
        pthread_mutex_lock(&d->lock);
        d->stop = true;
        pthread_mutex_unlock(&d->lock);
        curl_multi_wakeup(d->multi);
        pthread_join(d->thread, NULL);
    }
    free_list(d, d->under_way);
    free_list(d, d->waiting);
    free_list(d, d->finished);
    if (d->multi != NULL)
        curl_multi_cleanup(d->multi);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static struct transfer *transfer_new(const struct download *d, const struct download_order *order)
{
    struct transfer *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->outcome = calloc(1, sizeof(*t->outcome));
    t->url = strdup(order->url);
    t->etag = strdup(order->etag);
    t->timeout_ms = order->timeout_ms;
    if (t->outcome == NULL || t->url == NULL || t->etag == NULL) {
        transfer_free(t);
        return NULL;
    }
    t->outcome->id = order->id;
    t->outcome->max_age_s = -1;
    t->outcome->body = pep_buffer_of(d->settings.max);
    return t;
}

int download_put(struct download *d, const struct download_order *order)
{
    struct transfer *t = transfer_new(d, order);
    if (t == NULL)
        return PEP_ENOMEM;
    pthread_mutex_lock(&d->lock);
    append(&d->waiting, t);
    pthread_mutex_unlock(&d->lock);
    curl_multi_wakeup(d->multi);
    return 0;
}

struct download_outcome *download_take(struct download *d)
{
    pthread_mutex_lock(&d->lock);
    struct transfer *t = d->finished;
    if (t != NULL)
        d->finished = t->next;
    pthread_mutex_unlock(&d->lock);
    if (t == NULL)
        return NULL;
    struct download_outcome *o = t->outcome;
    t->outcome = NULL;
    transfer_free(t);
    return o;
}

void download_free(struct download_outcome *o)
{
    if (o == NULL)
        return;
    pep_buffer_free(&o->body);
    free(o);
}
