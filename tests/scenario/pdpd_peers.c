/* Raw peers of a pdpd under test: see pdpd_kit.h. */
#include "pdpd_kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
    fprintf(stderr, "pdpd_kit: %s\n", what);
    exit(3);
}

#define SOCKETS 256

static void *sockets[SOCKETS]; /* open; NULL: free place */

static void remember(void *socket)
{
    size_t i = 0;
    while (i < SOCKETS && sockets[i] != NULL)
        i++;
    if (i == SOCKETS)
        die("too many sockets");
    sockets[i] = socket;
}

void kit_close(void *socket)
{
    for (size_t i = 0; i < SOCKETS; i++) {
        if (sockets[i] == socket)
            sockets[i] = NULL;
    }
    zmq_close(socket);
}

void kit_close_all(void)
{
    for (size_t i = 0; i < SOCKETS; i++) {
        if (sockets[i] != NULL)
            kit_close(sockets[i]);
    }
}

struct peer_keys kit_new_keys(void)
{
    struct peer_keys k;
    if (zmq_curve_keypair(k.public_key, k.secret_key) != 0)
        die("zmq_curve_keypair");
    return k;
}

void *kit_connect(const struct daemon *d, int type, int port, const struct peer_keys *keys)
{
    char endpoint[64];
    int zero = 0;
    void *socket = zmq_socket(d->context, type);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", d->base + port);
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof(zero)) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, d->server_key, KIT_KEY) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, KIT_KEY) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, KIT_KEY) != 0 ||
        zmq_connect(socket, endpoint) != 0)
        die("connect");
    remember(socket);
    return socket;
}

void kit_send(void *socket, const struct pep_span *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (zmq_send(socket, frames[i].data, frames[i].size, i + 1 < count ? ZMQ_SNDMORE : 0) < 0)
            die("send");
    }
}

bool kit_receive(void *socket, long ms, struct kit_message *ret)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    int more = 1;
    ret->count = 0;
    if (zmq_poll(&item, 1, ms) <= 0)
        return false;
    while (more) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, socket, 0) < 0 || ret->count == 16)
            die("receive");
        more = zmq_msg_more(&part);
        struct pep_buffer *b = &ret->frames[ret->count++];
        *b = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
        pep_put_bytes(b, zmq_msg_data(&part), zmq_msg_size(&part));
        zmq_msg_close(&part);
    }
    return true;
}

void kit_clear(struct kit_message *m)
{
    for (size_t i = 0; i < m->count; i++)
        pep_buffer_free(&m->frames[i]);
    m->count = 0;
}

/* ---- operators ---- */

void *kit_operator(const struct daemon *d)
{
    struct peer_keys keys;
    memcpy(keys.public_key, d->public_key, KIT_KEY);
    memcpy(keys.secret_key, d->secret_key, KIT_KEY);
    return kit_connect(d, ZMQ_DEALER, OPERATORS, &keys);
}

static void send_request(void *socket, json_t *request, struct pep_span bytes)
{
    uint8_t nonce[PEP_NONCE_SIZE] = {1};
    struct pep_buffer head = pep_buffer_of(64);
    char *text = json_dumps(request, 0);
    pep_operate_write(PEP_MSG_OPERATE, nonce, &head);
    struct pep_span frames[3] = {pep_buffer_span(&head), pep_span_string(text), bytes};
    kit_send(socket, frames, bytes.size > 0 ? 3 : 2);
    pep_buffer_free(&head);
    json_decref(request);
    free(text);
}

json_t *kit_operate(struct daemon *d, void *socket, json_t *request, struct pep_span bytes,
                    struct pep_buffer *ret_bytes)
{
    struct kit_message m;
    json_t *answer = NULL;
    int waited = 0;
    send_request(socket, request, bytes);
    while (!kit_receive(socket, 20, &m)) {
        if (kit_ended(d))
            return NULL;
        if ((waited += 20) > KIT_PATIENCE)
            die("an operation got no answer");
    }
    if (m.count < 2 || m.count > 3 ||
        pep_message_type(pep_buffer_span(&m.frames[0])) != PEP_MSG_OPERATED)
        die("not an answer to an operation");
    answer = json_loadb((const char *)m.frames[1].data, m.frames[1].size, 0, NULL);
    if (ret_bytes != NULL && m.count == 3) {
        *ret_bytes = m.frames[2];
        m.count = 2;
    }
    kit_clear(&m);
    return answer;
}

bool kit_ok(json_t *answer)
{
    return json_is_true(json_object_get(answer, "ok"));
}

bool kit_code(json_t *answer, const char *code)
{
    const char *got = json_string_value(json_object_get(answer, "code"));
    const char *message = json_string_value(json_object_get(answer, "message"));
    bool same = got != NULL && strcmp(got, code) == 0 && message != NULL && message[0] != '\0';
    if (!same)
        fprintf(stderr, "expected `%s`, got `%s`: %s\n", code, got == NULL ? "ok" : got,
                message == NULL ? "" : message);
    json_decref(answer);
    return same;
}

struct pep_buffer kit_root(struct daemon *d, void *socket, uint32_t version)
{
    json_t *info =
        kit_operate(d, socket, json_pack("{s:s}", "op", "info"), pep_span_of(NULL, 0), NULL);
    const char *text = json_string_value(json_object_get(info, "beacon_key"));
    uint8_t raw[64];
    size_t size = 0;
    struct pep_root_draft draft = fixture_root_draft(&d->keys);
    if (text == NULL || pep_base64url_decode(pep_span_string(text), raw, &size) != 0 ||
        size != 32 || pep_public_key_from_raw(raw, &draft.keys[2].key) != 0)
        die("info: beacon_key");
    memcpy(draft.servers[0], d->server_key, KIT_KEY);
    draft.version = version;
    json_decref(info);
    const struct pep_private_key *signer = d->keys.root_key;
    struct pep_buffer envelope = fixture_sign_root(&draft, &signer, 1);
    pep_root_free(d->keys.root);
    if (pep_root_open(pep_buffer_span(&envelope), NULL, &d->keys.root, NULL) != 0)
        die("root");
    return envelope;
}

void kit_upload_root(struct daemon *d, void *socket)
{
    struct pep_buffer envelope = kit_root(d, socket, 1);
    json_t *answer = kit_operate(d, socket, json_pack("{s:s}", "op", "root.upload"),
                                 pep_buffer_span(&envelope), NULL);
    if (!kit_ok(answer))
        die("root.upload");
    json_decref(answer);
    pep_buffer_free(&envelope);
}

void kit_digest(struct pep_span bundle, uint8_t out[PEP_SHA256_SIZE])
{
    struct pep_envelope *e = NULL;
    const uint8_t *line = memchr(bundle.data, '\n', bundle.size);
    if (line == NULL ||
        pep_envelope_read(pep_span_of(bundle.data, (size_t)(line - bundle.data)), &e, NULL) != 0 ||
        pep_sha256(pep_envelope_unverified_payload(e), out) != 0)
        die("digest");
    pep_envelope_free(e);
}

struct pep_buffer kit_bundle(const struct daemon *d, uint64_t version, const uint8_t *base,
                             const char *note)
{
    return kit_bundle_of(d, "acme", version, base, note);
}

struct pep_buffer kit_bundle_of(const struct daemon *d, const char *name, uint64_t version,
                                const uint8_t *base, const char *note)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(version);
    draft.name = name;
    struct fixture_file files[4];
    char data[256];
    draft.base = base;
    for (size_t i = 0; i < fixture_small_bundle_count; i++)
        files[i] = fixture_small_bundle[i];
    snprintf(data, sizeof(data), "{\"note\": \"%.200s\"}\n", note);
    files[fixture_small_bundle_count] = (struct fixture_file){"data/note.json", data};
    return fixture_sign_bundle(d->keys.policy_key, &draft, files, fixture_small_bundle_count + 1);
}

json_t *kit_push(struct daemon *d, void *socket, struct pep_span bundle)
{
    return kit_operate(d, socket, json_pack("{s:s}", "op", "push"), bundle, NULL);
}

/* ---- enrolment and clients ---- */

struct kit_token kit_token(struct daemon *d, void *socket, const char *service, int ttl, int uses)
{
    struct kit_token t;
    uint8_t id[16], hash[PEP_SHA256_SIZE];
    char hex[65];
    if (pep_random(id, sizeof(id)) != 0 || pep_random(t.secret, sizeof(t.secret)) != 0 ||
        pep_sha256(pep_span_of(t.secret, sizeof(t.secret)), hash) != 0)
        die("random");
    pep_hex_encode(id, sizeof(id), t.id);
    pep_hex_encode(hash, sizeof(hash), hex);
    json_t *answer =
        kit_operate(d, socket,
                    json_pack("{s:s, s:s, s:s, s:{s:s}, s:i, s:i, s:s, s:s}", "op", "service.enrol",
                              "name", service, "bundle", "acme", "labels", "zone", "a", "ttl", ttl,
                              "uses", uses, "id", t.id, "secret_sha256", hex),
                    pep_span_of(NULL, 0), NULL);
    if (answer != NULL && !kit_ok(answer))
        die("service.enrol");
    json_decref(answer);
    return t;
}

int kit_enrol(const struct daemon *d, const struct peer_keys *keys, const struct kit_token *token,
              char ret_client[PEP_CLIENT_ID_MAX + 1])
{
    struct pep_enrol m;
    struct kit_message answer;
    struct pep_enrolled enrolled;
    struct pep_buffer frame = pep_buffer_of(PEP_ENROL_MAX);
    memset(&m, 0, sizeof(m));
    memcpy(m.token_id, token->id, sizeof(m.token_id));
    memcpy(m.secret, token->secret, sizeof(m.secret));
    snprintf(m.host, sizeof(m.host), "test");
    pep_enrol_write(&m, &frame);
    void *socket = kit_connect(d, ZMQ_DEALER, ENROL, keys);
    struct pep_span span = pep_buffer_span(&frame);
    int type = 0;
    kit_send(socket, &span, 1);
    if (kit_receive(socket, 2000, &answer)) {
        type = pep_message_type(pep_buffer_span(&answer.frames[0]));
        if (type == PEP_MSG_ENROLLED &&
            (answer.count < 2 ||
             pep_enrolled_read(pep_buffer_span(&answer.frames[0]), &enrolled) != 0))
            die("enrolled");
        if (type == PEP_MSG_ENROLLED && ret_client != NULL)
            memcpy(ret_client, enrolled.client, sizeof(enrolled.client));
        kit_clear(&answer);
    }
    pep_buffer_free(&frame);
    kit_close(socket);
    return type;
}

void kit_fetch(void *socket, const char *bundle, const struct pep_head *have)
{
    struct pep_fetch f;
    struct pep_buffer frame = pep_buffer_of(PEP_REQUEST_MAX);
    memset(&f, 0, sizeof(f));
    f.nonce[0] = 7;
    f.root = 1;
    f.state = PEP_FRESH;
    snprintf(f.bundle, sizeof(f.bundle), "%s", bundle);
    snprintf(f.library, sizeof(f.library), "kit");
    if (have != NULL)
        f.have = *have;
    pep_fetch_write(&f, &frame);
    struct pep_span span = pep_buffer_span(&frame);
    kit_send(socket, &span, 1);
    pep_buffer_free(&frame);
}

struct pep_span kit_verified(const struct daemon *d, const char *type, struct pep_span frame)
{
    struct pep_signers beacon = pep_root_signers(d->keys.root, PEP_ROLE_BEACON);
    struct pep_span body;
    if (pep_compact_verify(frame, type, &beacon, &body) != 0)
        die("not signed by the beacon key");
    return body;
}

struct pep_answer kit_answer(const struct daemon *d, void *socket, struct kit_message *ret_rest)
{
    struct kit_message m;
    struct pep_answer a;
    if (!kit_receive(socket, KIT_PATIENCE, &m))
        die("no answer to a fetch");
    struct pep_span body = kit_verified(d, PEP_TYPE_ANSWER, pep_buffer_span(&m.frames[0]));
    if (pep_answer_read(body, &a) != 0 || a.nonce[0] != 7)
        die("answer");
    if (ret_rest != NULL)
        *ret_rest = m;
    else
        kit_clear(&m);
    return a;
}
