/* pdpd, its operator and its services: see push_stage.h. The operator is a few lines here and not
 * policyctl, so that a push is measured and not the start of a process. */
#include "push_stage.h"
#include "measure.h"
#include "pep/core/json.h"
#include "pep/disk.h"

#include <zmq.h>

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT_OPERATORS  3
#define PORT_ENROL      2
#define FOLDER_TEMPLATE "/tmp/pep-bench-push.XXXXXX"

void stage_die(const char *what, const char *why)
{
    fprintf(stderr, "bench push: %s: %s\n", what, why);
    exit(1);
}

static void must(int rc, const char *what, const struct pep_error *err)
{
    if (rc != PEP_OK)
        stage_die(what, err == NULL || err->text[0] == '\0' ? pep_strerror(rc) : err->text);
}

/* ---- the operator ---- */

static json_t *receive_answer(struct stage *s, const uint8_t *nonce)
{
    struct pep_frames frames = {0};
    json_t *answer = NULL;
    uint8_t got[PEP_NONCE_SIZE];
    zmq_pollitem_t item = {s->operator_link.socket, 0, ZMQ_POLLIN, 0};
    struct pep_error err = PEP_ERROR_INIT;
    while (answer == NULL) {
        if (zmq_poll(&item, 1, STAGE_TIMEOUT_MS) <= 0)
            stage_die("operator", "pdpd does not answer");
        if (pep_link_receive(&s->operator_link, &frames) != PEP_OK || frames.count < 2 ||
            pep_operate_read(frames.spans[0], got) != PEP_OK ||
            memcmp(got, nonce, sizeof(got)) != 0)
            continue;
        must(pep_json_parse(frames.spans[1], 1 << 24, "answer", &answer, &err), "answer", &err);
    }
    pep_frames_free(&frames);
    if (!json_is_true(json_object_get(answer, "ok")))
        stage_die("pdpd refused", json_string_value(json_object_get(answer, "message")));
    return answer;
}

/* Steals the request. */
static json_t *operate(struct stage *s, json_t *request, struct pep_span bytes)
{
    uint8_t nonce[PEP_NONCE_SIZE];
    struct pep_buffer head = pep_buffer_of(64);
    char *text = json_dumps(request, JSON_COMPACT);
    must(pep_random(nonce, sizeof(nonce)), "nonce", NULL);
    pep_operate_write(PEP_MSG_OPERATE, nonce, &head);
    void *socket = s->operator_link.socket;
    if (zmq_send(socket, head.data, head.size, ZMQ_SNDMORE) < 0 ||
        zmq_send(socket, text, strlen(text), bytes.size > 0 ? ZMQ_SNDMORE : 0) < 0 ||
        (bytes.size > 0 && zmq_send(socket, bytes.data, bytes.size, 0) < 0))
        stage_die("operator", "cannot send");
    pep_buffer_free(&head);
    free(text);
    json_decref(request);
    return receive_answer(s, nonce);
}

static void connect_operator(struct stage *s)
{
    struct pep_span text;
    json_t *doc = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_curve_key key;
    char endpoint[64];
    must(pep_disk_read(s->folder, "pdpd/operator.json", 1 << 16, &text, &err), "operator.json",
         &err);
    must(pep_json_parse(text, 1 << 16, "operator.json", &doc, &err), "operator.json", &err);
    pep_disk_free(text);
    snprintf(key.public_key, sizeof(key.public_key), "%s",
             json_string_value(json_object_get(doc, "public_key")));
    snprintf(key.secret_key, sizeof(key.secret_key), "%s",
             json_string_value(json_object_get(doc, "secret_key")));
    snprintf(s->server_key, sizeof(s->server_key), "%s",
             json_string_value(json_object_get(doc, "server_key")));
    json_decref(doc);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", s->port + PORT_OPERATORS);
    struct pep_link_options o = {.type = ZMQ_DEALER,
                                 .endpoint = endpoint,
                                 .server_key = s->server_key,
                                 .key = &key,
                                 .max_frame = 1 << 24};
    must(pep_link_open(s->context, &o, &s->operator_link, &err), "operator", &err);
}

/* ---- pdpd ---- */

static bool operator_file_is_there(const struct stage *s)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/pdpd/operator.json", s->folder);
    return access(path, R_OK) == 0;
}

/* False if it ended, as it does when somebody else has these ports. */
static bool try_pdpd(struct stage *s, const char *pdpd)
{
    char data[96], port[16];
    uint16_t r = 0;
    must(pep_random(&r, sizeof(r)), "port", NULL);
    s->port = 20000 + r % 12000; /* below the ports of outgoing connections */
    snprintf(data, sizeof(data), "%s/pdpd", s->folder);
    snprintf(port, sizeof(port), "%d", s->port);
    s->pdpd = fork();
    if (s->pdpd == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* no benchmark leaves a server behind */
        execl(pdpd, "pdpd", "--data", data, "--port-base", port, "--log-level", "error",
              (char *)NULL);
        _exit(127);
    }
    for (int i = 0; !operator_file_is_there(s); i++) {
        if (i > 2000)
            stage_die(pdpd, "does not start");
        if (waitpid(s->pdpd, NULL, WNOHANG) == s->pdpd)
            return false;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return true;
}

static void start_pdpd(struct stage *s, const char *pdpd)
{
    for (int i = 0; i < 5; i++) {
        if (try_pdpd(s, pdpd))
            return;
    }
    stage_die(pdpd, "does not start");
}

/* ---- root and bundle ---- */

static void upload_root(struct stage *s)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root *root = NULL;
    struct pep_root_draft d = {.version = 1, .epoch = 1, .key_count = 3, .server_count = 1};
    uint8_t beacon[PEP_ED25519_SIZE + 3];
    size_t size = 0;
    json_t *info = operate(s, json_pack("{s:s}", "op", "info"), pep_span_of(NULL, 0));
    const char *text = json_string_value(json_object_get(info, "beacon_key"));
    must(pep_base64url_decode(pep_span_string(text), beacon, &size), "beacon key", NULL);
    must(pep_public_key_from_raw(beacon, &d.keys[2].key), "beacon key", NULL);
    d.created = time(NULL);
    d.expires = d.created + 86400;
    d.keys[0].key = *pep_private_key_public(s->root_key);
    d.keys[1].key = *pep_private_key_public(s->policy_key);
    for (int i = 0; i < PEP_ROLE_COUNT; i++) {
        snprintf(d.keys[i].name, sizeof(d.keys[i].name), "key%d", i);
        d.keys[i].roles[i] = true; /* root, policy, beacon, in this order */
        d.thresholds[i] = 1;
    }
    snprintf(d.servers[0], sizeof(d.servers[0]), "%s", s->server_key);
    struct pep_buffer payload = pep_buffer_of(PEP_ROOT_MAX), envelope = pep_buffer_of(PEP_ROOT_MAX);
    const struct pep_private_key *signer = s->root_key;
    must(pep_root_write(&d, &payload, &err), "root", &err);
    must(pep_envelope_sign(PEP_TYPE_ROOT, pep_buffer_span(&payload), &signer, 1, &envelope), "root",
         NULL);
    must(pep_root_open(pep_buffer_span(&envelope), NULL, &root, &err), "root", &err);
    memcpy(s->root_sha256, pep_root_digest(root), PEP_SHA256_SIZE);
    json_decref(operate(s, json_pack("{s:s}", "op", "root.upload"), pep_buffer_span(&envelope)));
    pep_root_free(root);
    pep_buffer_free(&payload);
    pep_buffer_free(&envelope);
    json_decref(info);
}

static struct pep_files *write_files(uint64_t version)
{
    struct pep_files *files = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    must(pep_files_new(&files), "files", NULL);
    must(pep_files_add(files, "bundle.json",
                       pep_span_string("{\"name\": \"acme\", \"max_stale\": 86400, "
                                       "\"expires_days\": 90}\n"),
                       &err),
         "bundle.json", &err);
    for (int f = 0; f < 10; f++) {
        char path[64];
        struct pep_buffer text = pep_buffer_of(1 << 16);
        for (int i = 0; i < STAGE_RULES / 10; i++)
            pep_put_format(&text,
                           "allow \"r%d.%d\" { action = \"read\", resource = \"t%d\", when = "
                           "function(sub, res, ctx) return sub.level == %d end }\n",
                           f, i, i, i);
        if (f == 0)
            pep_put_format(&text, "-- version %llu\n", (unsigned long long)version);
        snprintf(path, sizeof(path), "policies/p%d.lua", f);
        must(pep_files_add(files, path, pep_buffer_span(&text), &err), path, &err);
        pep_buffer_free(&text);
    }
    return files;
}

void stage_push(struct stage *s, uint64_t *ret_begin_ns)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_manifest_draft d = {.name = STAGE_BUNDLE,
                                   .epoch = 1,
                                   .version = s->version + 1,
                                   .created = time(NULL),
                                   .max_stale = 86400,
                                   .author = "bench",
                                   .message = "a small change",
                                   .base = s->version == 0 ? NULL : s->digest};
    struct pep_files *files = write_files(d.version);
    struct pep_buffer payload = pep_buffer_of(PEP_PAYLOAD_MAX);
    struct pep_buffer bundle = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    const struct pep_private_key *signer = s->policy_key;
    d.expires = d.created + 86400;
    must(pep_manifest_write(&d, files, &payload, &err), "manifest", &err);
    must(pep_sha256(pep_buffer_span(&payload), s->digest), "digest", NULL);
    must(pep_envelope_sign(PEP_TYPE_BUNDLE, pep_buffer_span(&payload), &signer, 1, &bundle),
         "bundle", NULL);
    pep_put_u8(&bundle, '\n');
    for (size_t i = 0; i < pep_files_count(files); i++)
        pep_put_span(&bundle, pep_files_at(files, i)->content);
    *ret_begin_ns = measure_now_ns();
    json_decref(operate(s, json_pack("{s:s}", "op", "push"), pep_buffer_span(&bundle)));
    s->version = d.version;
    pep_files_free(files);
    pep_buffer_free(&payload);
    pep_buffer_free(&bundle);
}

/* ---- services ---- */

void stage_join(struct stage *s, const char *name, char *ret_folder, size_t size)
{
    struct pep_enrol_token t = {.endpoint_count = 1};
    struct pep_buffer text = pep_buffer_of(8192);
    uint8_t sum[PEP_SHA256_SIZE], id[16];
    char hex[2 * PEP_SHA256_SIZE + 1];
    must(pep_random(t.secret, sizeof(t.secret)), "secret", NULL);
    must(pep_random(id, sizeof(id)), "id", NULL);
    pep_hex_encode(id, sizeof(id), t.id);
    must(pep_sha256(pep_span_of(t.secret, sizeof(t.secret)), sum), "secret", NULL);
    pep_hex_encode(sum, sizeof(sum), hex);
    json_decref(
        operate(s,
                json_pack("{s:s, s:s, s:s, s:{}, s:i, s:i, s:b, s:s, s:s}", "op", "service.enrol",
                          "name", name, "bundle", STAGE_BUNDLE, "labels", "ttl", 3600, "uses", 1,
                          "ephemeral", 0, "id", t.id, "secret_sha256", hex),
                pep_span_of(NULL, 0)));
    snprintf(t.endpoints[0], sizeof(t.endpoints[0]), "tcp://127.0.0.1:%d", s->port + PORT_ENROL);
    snprintf(t.server_key, sizeof(t.server_key), "%s", s->server_key);
    memcpy(t.root_sha256, s->root_sha256, sizeof(t.root_sha256));
    snprintf(t.bundle, sizeof(t.bundle), "%s", STAGE_BUNDLE);
    must(pep_enrol_token_write(&t, &text), "token", NULL);
    pep_put_u8(&text, '\0');
    snprintf(ret_folder, size, "%s/%s", s->folder, name);
    if (pep_enrol((const char *)text.data, ret_folder, STAGE_TIMEOUT_MS) != PEP_OK)
        stage_die("enrol", pep_open_error());
    pep_buffer_free(&text);
}

/* ---- life ---- */

void stage_open(struct stage *s, const char *pdpd)
{
    uint64_t ignored;
    memset(s, 0, sizeof(*s));
    memcpy(s->folder, FOLDER_TEMPLATE, sizeof(FOLDER_TEMPLATE));
    if (mkdtemp(s->folder) == NULL)
        stage_die(s->folder, "cannot be made");
    must(pep_private_key_generate(&s->root_key), "root key", NULL);
    must(pep_private_key_generate(&s->policy_key), "policy key", NULL);
    start_pdpd(s, pdpd);
    s->context = zmq_ctx_new();
    connect_operator(s);
    upload_root(s);
    stage_push(s, &ignored);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void stage_close(struct stage *s)
{
    pep_link_close(&s->operator_link);
    zmq_ctx_term(s->context);
    kill(s->pdpd, SIGTERM);
    waitpid(s->pdpd, NULL, 0);
    pep_private_key_free(s->root_key);
    pep_private_key_free(s->policy_key);
    nftw(s->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
