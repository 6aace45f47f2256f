/* A real pdpd and raw peers: see pdpd_kit.h. */
#include "pdpd_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX (16 * 1024 * 1024)

static void die(const char *what)
{
    fprintf(stderr, "pdpd_kit: %s: %s\n", what, strerror(errno));
    exit(3);
}

static void sleep_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&ts, NULL);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the daemon ---- */

static bool port_free(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool ok = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return ok;
}

static int free_base(void)
{
    for (int tries = 0; tries < 200; tries++) {
        uint16_t r;
        if (pep_random(&r, sizeof(r)) != 0)
            die("random");
        int base = 20000 + r % 12000, i = 0; /* below the ports of outgoing connections */
        while (i <= HTTP && port_free(base + i))
            i++;
        if (i > HTTP)
            return base;
    }
    die("no free ports");
    return 0;
}

struct daemon kit_daemon(void)
{
    struct daemon d;
    memset(&d, 0, sizeof(d));
    snprintf(d.folder, sizeof(d.folder), "/tmp/pdpd-test-XXXXXX");
    if (mkdtemp(d.folder) == NULL)
        die("mkdtemp");
    d.base = free_base();
    d.context = zmq_ctx_new();
    d.keys = fixture_new();
    return d;
}

void kit_start(struct daemon *d, const char *program, const char *const *environment)
{
    char base[16], log[128];
    snprintf(base, sizeof(base), "%d", d->base);
    snprintf(log, sizeof(log), "%s/log", d->folder);
    d->pid = fork();
    if (d->pid < 0)
        die("fork");
    if (d->pid > 0)
        return;
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is killed leaves nothing behind */
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(127);
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
        putenv((char *)environment[i]);
    execl(program, program, "--data", d->folder, "--port-base", base, "--log-level", "debug",
          d->config == NULL ? (char *)NULL : "--config", d->config, (char *)NULL);
    _exit(127);
}

bool kit_ended(struct daemon *d)
{
    if (d->pid > 0 && waitpid(d->pid, &d->exit_status, WNOHANG) == d->pid)
        d->pid = 0;
    return d->pid == 0;
}

bool kit_wait_up(struct daemon *d)
{
    for (int64_t until = now_ms() + KIT_PATIENCE; now_ms() < until; sleep_ms(10)) {
        char *body = NULL;
        bool up = kit_get(d, "/healthz", &body) == 200;
        free(body);
        if (up)
            return true;
        if (kit_ended(d))
            return false;
    }
    die("pdpd does not come up");
    return false;
}

void kit_up(struct daemon *d)
{
    kit_start(d, PDPD_PROGRAM, NULL);
    if (!kit_wait_up(d)) {
        fprintf(stderr, "%s\n", kit_log(d));
        die("pdpd ended at its start");
    }
    kit_read_operator(d);
}

int kit_wait_end(struct daemon *d)
{
    int64_t until = now_ms() + KIT_PATIENCE;
    while (!kit_ended(d)) {
        if (now_ms() > until)
            return -1;
        sleep_ms(5);
    }
    return WIFSIGNALED(d->exit_status) ? 128 + WTERMSIG(d->exit_status)
                                       : WEXITSTATUS(d->exit_status);
}

int kit_stop(struct daemon *d)
{
    if (!kit_ended(d))
        kill(d->pid, SIGTERM);
    int rc = kit_wait_end(d);
    if (rc != 0) { /* a sanitizer has said something */
        char *log = kit_log(d);
        fprintf(stderr, "%s\n", log);
        free(log);
    }
    return rc;
}

void kit_free(struct daemon *d)
{
    static const char *const names[] = {"lock",          "pdpd.db",   "pdpd.db-wal",
                                        "pdpd.db-shm",   "curve.key", "beacon.key",
                                        "operator.json", "log",       "pdpd.conf"};
    if (!kit_ended(d)) {
        kill(d->pid, SIGKILL);
        kit_wait_end(d);
    }
    kit_close_all();
    zmq_ctx_term(d->context);
    fixture_free(&d->keys);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", d->folder, names[i]);
        unlink(path);
    }
    rmdir(d->folder);
}

static char *read_file(const struct daemon *d, const char *name)
{
    char path[128];
    char *text = calloc(1, FILE_MAX);
    snprintf(path, sizeof(path), "%s/%s", d->folder, name);
    FILE *f = fopen(path, "r");
    if (f == NULL || text == NULL)
        die(path);
    text[fread(text, 1, FILE_MAX - 1, f)] = '\0';
    fclose(f);
    return text;
}

char *kit_log(const struct daemon *d)
{
    return read_file(d, "log");
}

static void copy_key(const json_t *o, const char *name, char out[KIT_KEY])
{
    const char *text = json_string_value(json_object_get(o, name));
    if (text == NULL || strlen(text) != KIT_KEY - 1)
        die(name);
    memcpy(out, text, KIT_KEY);
}

void kit_read_operator(struct daemon *d)
{
    char *text = read_file(d, "operator.json");
    json_t *o = json_loads(text, 0, NULL);
    copy_key(o, "server_key", d->server_key);
    copy_key(o, "public_key", d->public_key);
    copy_key(o, "secret_key", d->secret_key);
    json_decref(o);
    free(text);
}

/* ---- HTTP ---- */

int kit_http(const struct daemon *d, const char *request, char **ret_answer)
{
    char *answer = calloc(1, 128 * 1024);
    size_t size = 0;
    ssize_t n;
    int status = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(d->base + HTTP))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *ret_answer = answer;
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
        write(fd, request, strlen(request)) == (ssize_t)strlen(request)) {
        while (size < 128 * 1024 - 1 && (n = read(fd, answer + size, 128 * 1024 - 1 - size)) > 0)
            size += (size_t)n;
        if (sscanf(answer, "HTTP/1.1 %d", &status) != 1)
            status = 0;
    }
    close(fd);
    return status;
}

int kit_get(const struct daemon *d, const char *path, char **ret_body)
{
    char request[256];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             path);
    return kit_http(d, request, ret_body);
}

long kit_metric(const struct daemon *d, const char *name)
{
    char *body = NULL, line[128];
    long value = -1;
    kit_get(d, "/metrics", &body);
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(body, line);
    if (at != NULL)
        value = atol(at + strlen(line));
    free(body);
    return value;
}

/* ---- a site ---- */

int kit_site_up(void **state)
{
    struct site *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -1;
    s->d = kit_daemon();
    kit_up(&s->d);
    s->operator= kit_operator(&s->d);
    kit_upload_root(&s->d, s->operator);
    *state = s;
    return 0;
}

int kit_site_down(void **state)
{
    struct site *s = *state;
    kit_close(s->operator);
    int ended = kit_stop(&s->d); /* anything but 0 fails the test */
    kit_free(&s->d);
    free(s);
    return ended;
}
