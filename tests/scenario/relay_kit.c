/* See relay_kit.h. */
#include "relay_kit.h"

#include "relay_certificates.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 15000

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "relay_kit: %s: %s\n", what, strerror(errno));
    exit(3);
}

static void rest(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

int64_t relay_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void dump_log(const struct relay_scene *s)
{
    char *log = kit_log(&s->site.d);
    size_t size = log == NULL ? 0 : strlen(log);
    fprintf(stderr, "%s\n", size == 0 ? "" : log + (size > 6000 ? size - 6000 : 0));
    free(log);
}

int64_t relay_until(struct relay_scene *s, bool (*is)(struct relay_scene *s, const void *with),
                    const void *with, const char *what)
{
    int64_t begin = relay_clock();
    while (!is(s, with)) {
        if (relay_clock() - begin > PATIENCE_MS) {
            dump_log(s);
            fprintf(stderr, "relay_kit: not within %d ms: %s\n", PATIENCE_MS, what);
            exit(3);
        }
        rest(5);
    }
    return relay_clock() - begin;
}

/* ---- the servers ---- */

void relay_set(struct relay_scene *s, const char *name, const char *text)
{
    char path[192], beside[200];
    snprintf(path, sizeof(path), "%s/%s", s->folder, name);
    snprintf(beside, sizeof(beside), "%s.new", path);
    FILE *f = fopen(beside, "w");
    must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0 && rename(beside, path) == 0, path);
}

static char *read_setting(const struct relay_scene *s, const char *name)
{
    char path[192];
    static char text[65536];
    snprintf(path, sizeof(path), "%s/%s", s->folder, name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return NULL;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

unsigned relay_requests(const struct relay_scene *s, const char *text)
{
    unsigned n = 0;
    char *all = read_setting(s, "requests"), *rest_of = all;
    for (char *line; all != NULL && (line = strsep(&rest_of, "\n")) != NULL;)
        n += line[0] != '\0' && strstr(line, text) != NULL;
    return n;
}

static bool has_ports(struct relay_scene *s, const void *with)
{
    char *text = read_setting(s, "ports");
    (void)with;
    return text != NULL && sscanf(text, "%d %d %d %d", &s->ports[0], &s->ports[1], &s->ports[2],
                                  &s->ports[3]) == SERVERS;
}

void relay_start_server(struct relay_scene *s)
{
    char ports[192];
    snprintf(ports, sizeof(ports), "%s/ports", s->folder);
    unlink(ports);
    s->server = fork();
    must(s->server >= 0, "fork");
    if (s->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("python3", "python3", JWKS_SERVER, s->folder, "good", "expired", "stranger",
               "othername", (char *)NULL);
        _exit(127);
    }
    relay_until(s, has_ports, NULL, "the issuers' servers (python3) listen");
}

void relay_stop_server(struct relay_scene *s)
{
    kill(s->server, SIGKILL);
    waitpid(s->server, NULL, 0);
    s->server = 0;
}

/* ---- life ---- */

static void write_config(struct relay_scene *s)
{
    snprintf(s->config, sizeof(s->config), "%s/pdpd.conf", s->folder);
    FILE *f = fopen(s->config, "w");
    must(f != NULL, s->config);
    fprintf(f, "[pdpd]\nrelay_ca = %s/ca.pem\nrelay_pause = 1\nrelay_timeout = 1\n", s->folder);
    must(fclose(f) == 0, s->config);
    s->site.d.config = s->config;
}

int relay_up(void **state)
{
    struct relay_scene *s = calloc(1, sizeof(*s));
    must(s != NULL, "memory");
    s->site.d = kit_daemon();
    snprintf(s->folder, sizeof(s->folder), "%s/idp", s->site.d.folder);
    must(mkdir(s->folder, 0700) == 0, s->folder);
    relay_certificates(s->folder);
    write_config(s);
    relay_set(s, "phase", "good");
    relay_set(s, "max-age", "");
    relay_set(s, "jwks.json", "{\"keys\": []}");
    relay_start_server(s);
    setenv("https_proxy", "http://127.0.0.1:1", 1); /* must not be used */
    kit_up(&s->site.d);
    s->site.operator= kit_operator(&s->site.d);
    kit_upload_root(&s->site.d, s->site.operator);
    *state = s;
    return 0;
}

int relay_down(void **state)
{
    struct relay_scene *s = *state;
    pep_close(s->client);
    kit_close(s->site.operator);
    int64_t begin = relay_clock();
    int ended = kit_stop(&s->site.d);
    if (relay_clock() - begin > 5000) { /* nothing under way may hold it */
        fprintf(stderr, "relay_kit: pdpd took too long to stop\n");
        ended = -1;
    }
    if (s->server > 0)
        relay_stop_server(s);
    kit_free(&s->site.d);
    free(s);
    return ended;
}

/* ---- keys and tokens ---- */

struct relay_key relay_key_new(const char *kid)
{
    struct relay_key k = {NULL, NULL};
    must(pep_jwk_generate(PEP_ALG_ES256, kid, &k.jwk) == PEP_OK, "jwk");
    must(pep_jwk_private_read(k.jwk, &k.key, NULL) == PEP_OK, "jwk");
    return k;
}

void relay_key_free(struct relay_key *k)
{
    pep_jwk_private_free(k->key);
    json_decref(k->jwk);
}

void relay_publish(struct relay_scene *s, const struct relay_key *const *keys, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *set = pep_jwk_public_set(keys[i]->jwk);
        json_array_extend(all, json_object_get(set, "keys"));
        json_decref(set);
    }
    json_t *document = json_pack("{s:o}", "keys", all);
    char *text = json_dumps(document, 0);
    must(text != NULL, "jwks");
    relay_set(s, "jwks.json", text);
    free(text);
    json_decref(document);
}

char *relay_token(const struct relay_key *k, const char *issuer)
{
    json_int_t now = (json_int_t)time(NULL);
    size_t size;
    json_t *claims = json_pack("{s:s, s:s, s:s, s:[s], s:I, s:I}", "iss", issuer, "aud", "billing",
                               "sub", "ann", "roles", "clerk", "iat", now, "exp", now + 600);
    char *payload = json_dumps(claims, JSON_COMPACT);
    struct pep_buffer out = pep_buffer_of(8192);
    must(payload != NULL &&
             pep_jwt_sign(k->key, NULL, pep_span_string(payload), &out, NULL) == PEP_OK,
         "token");
    free(payload);
    json_decref(claims);
    return (char *)pep_buffer_take(&out, &size);
}

bool relay_allows(pep *p, const char *token)
{
    return pep_allow(p, token, "read", "invoice:acme/1");
}

const char *relay_reason(pep *p, const char *token, char out[PEP_REASON_MAX])
{
    pep_decision d = PEP_DECISION_INIT;
    bool allowed = pep_check(p, token, "read", "invoice:acme/1", NULL, &d);
    snprintf(out, PEP_REASON_MAX, "%s", allowed ? "allowed" : d.reason);
    pep_decision_clear(&d);
    return out;
}

/* ---- policy, client, status ---- */

json_t *relay_entry(const struct relay_scene *s, const struct relay_issuer *issuer)
{
    char url[128];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/%s", s->ports[issuer->server], issuer->path);
    json_t *o =
        json_pack("{s:s, s:[s], s:[s], s:s, s:s, s:i}", "issuer", issuer->name, "audiences",
                  "billing", "algorithms", "ES256", "jwks_uri", url, "keys", "relayed",
                  "keys_max_age", issuer->max_age);
    if (issuer->pin != NULL)
        json_object_set_new(o, "key_thumbprints", json_pack("[s]", issuer->pin));
    must(o != NULL, "issuer");
    return o;
}

void relay_push(struct relay_scene *s, json_t *issuers)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(++s->version);
    struct fixture_file files[3];
    char *text = json_dumps(issuers, 0);
    must(text != NULL, "issuers.json");
    draft.base = s->version == 1 ? NULL : s->base;
    files[0] = fixture_small_bundle[0];
    files[1] = (struct fixture_file){"issuers.json", text};
    files[2] = fixture_small_bundle[1];
    struct pep_buffer b = fixture_sign_bundle(s->site.d.keys.policy_key, &draft, files, 3);
    json_t *answer = kit_push(&s->site.d, s->site.operator, pep_buffer_span(&b));
    if (!kit_ok(answer))
        json_dumpf(answer, stderr, 0);
    must(kit_ok(answer), "push");
    kit_digest(pep_buffer_span(&b), s->base);
    json_decref(answer);
    json_decref(issuers);
    pep_buffer_free(&b);
    free(text);
}

pep *relay_client(struct relay_scene *s, const char *name)
{
    struct kit_token token = kit_token(&s->site.d, s->site.operator, "billing", 600, 1);
    struct pep_enrol_token t = {.endpoint_count = 1, .bundle = "acme"};
    struct pep_buffer text = pep_buffer_of(8192);
    pep_options options = PEP_OPTIONS_INIT;
    pep *p = NULL;
    struct pep_buffer root = kit_root(&s->site.d, s->site.operator, 1);
    struct pep_root *document = NULL;
    must(pep_root_open(pep_buffer_span(&root), NULL, &document, NULL) == 0, "root");
    memcpy(t.root_sha256, pep_root_digest(document), PEP_SHA256_SIZE);
    pep_root_free(document);
    pep_buffer_free(&root);
    snprintf(t.endpoints[0], sizeof(t.endpoints[0]), "tcp://127.0.0.1:%d", s->site.d.base + ENROL);
    memcpy(t.server_key, s->site.d.server_key, KIT_KEY);
    memcpy(t.id, token.id, sizeof(t.id));
    memcpy(t.secret, token.secret, sizeof(t.secret));
    must(pep_enrol_token_write(&t, &text) == 0, "enrolment token");
    pep_put_u8(&text, '\0');
    snprintf(s->identity, sizeof(s->identity), "%s/%s", s->folder, name);
    if (pep_enrol((const char *)text.data, s->identity, PATIENCE_MS) != PEP_OK) {
        fprintf(stderr, "relay_kit: enrol: %s\n", pep_open_error());
        exit(3);
    }
    pep_buffer_free(&text);
    options.identity = s->identity;
    options.lua_states = 1;
    if (pep_open(&options, &p) != PEP_OK) {
        fprintf(stderr, "relay_kit: open: %s\n", pep_open_error());
        exit(3);
    }
    must(pep_wait_ready(p, PATIENCE_MS) == PEP_OK, "the client is not ready");
    return p;
}

json_t *relay_status(struct relay_scene *s, const char *issuer)
{
    json_t *answer = kit_operate(&s->site.d, s->site.operator, json_pack("{s:s}", "op", "status"),
                                 pep_span_of(NULL, 0), NULL);
    json_t *found = NULL, *o;
    size_t i;
    json_array_foreach(json_object_get(answer, "issuers"), i, o)
    {
        const char *name = json_string_value(json_object_get(o, "issuer"));
        if (name != NULL && strcmp(name, issuer) == 0)
            found = json_incref(o);
    }
    json_decref(answer);
    must(found != NULL, issuer);
    return found;
}
