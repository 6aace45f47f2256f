/*
 * The enrolment token: see wire.h. One line of text that is pasted once, so it carries everything
 * that first trust needs: where, the server's key, the root's digest, and a one-time secret. JSON
 * inside, with closed members; "pdpe1" is its version.
 */
#include "wire.h"

#include "json.h"

#include <string.h>

#define PREFIX    "pdpe1."
#define TOKEN_MAX 8192 /* characters */

static int append(const char *buffer, size_t size, void *out)
{
    pep_put_bytes(out, buffer, size);
    return ((struct pep_buffer *)out)->failed ? -1 : 0;
}

static json_t *make_document(const struct pep_enrol_token *t)
{
    char root[2 * PEP_SHA256_SIZE + 1];
    struct pep_buffer secret = pep_buffer_of(64);
    json_t *endpoints = json_array();
    int bad = 0;
    pep_hex_encode(t->root_sha256, PEP_SHA256_SIZE, root);
    pep_put_base64url(&secret, pep_span_of(t->secret, sizeof(t->secret)));
    for (size_t i = 0; i < t->endpoint_count && i < PEP_ENDPOINTS; i++)
        bad |= json_array_append_new(endpoints, json_string(t->endpoints[i]));
    json_t *doc = json_pack("{s:o, s:s, s:s, s:s, s:s, s:s}", "endpoints", endpoints, "server_key",
                            t->server_key, "root_sha256", root, "bundle", t->bundle, "id", t->id,
                            "secret", secret.failed ? NULL : (const char *)secret.data);
    if (secret.data != NULL)
        pep_wipe(secret.data, secret.size);
    pep_buffer_free(&secret);
    if (bad) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

int pep_enrol_token_write(const struct pep_enrol_token *t, struct pep_buffer *out)
{
    struct pep_buffer text = pep_buffer_of(TOKEN_MAX);
    json_t *doc = make_document(t);
    int r = doc == NULL || json_dump_callback(doc, append, &text, JSON_COMPACT) != 0 ? PEP_ENOMEM
                                                                                     : PEP_OK;
    json_decref(doc);
    if (r == PEP_OK) {
        pep_put_format(out, PREFIX);
        pep_put_base64url(out, pep_buffer_span(&text));
        r = out->failed ? PEP_ENOMEM : PEP_OK;
    }
    if (text.data != NULL)
        pep_wipe(text.data, text.size);
    pep_buffer_free(&text);
    return r;
}

/* Visible ASCII: endpoints are shown to people and given to ZeroMQ. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    }
    return true;
}

static int read_endpoints(const json_t *list, struct pep_enrol_token *t, struct pep_error *err)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > PEP_ENDPOINTS)
        return pep_error_set(err, PEP_EFORMAT, "enrolment token: needs 1 to %d endpoints",
                             PEP_ENDPOINTS);
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_array_get(list, i);
        size_t size = json_string_length(v);
        if (!json_is_string(v) || size == 0 || size > PEP_ENDPOINT_MAX ||
            !is_plain(json_string_value(v)))
            return pep_error_set(err, PEP_EFORMAT, "enrolment token: bad endpoint %zu", i + 1);
        memcpy(t->endpoints[i], json_string_value(v), size + 1);
    }
    t->endpoint_count = count;
    return PEP_OK;
}

/* A member whose text goes into char[size]. */
static int read_text(const json_t *doc, const char *name, char *out, size_t size,
                     struct pep_error *err)
{
    const char *text;
    int r = pep_json_string(doc, name, size - 1, "enrolment token", &text, err);
    if (r == PEP_OK)
        memcpy(out, text, strlen(text) + 1);
    return r;
}

static int read_secret(const json_t *doc, struct pep_enrol_token *t, struct pep_error *err)
{
    uint8_t bytes[PEP_SECRET_SIZE + 16];
    const char *text;
    size_t size = 0;
    int r = pep_json_string(doc, "secret", 43, "enrolment token", &text, err);
    if (r != PEP_OK)
        return r;
    if (pep_base64url_decode(pep_span_string(text), bytes, &size) != PEP_OK ||
        size != PEP_SECRET_SIZE)
        return pep_error_set(err, PEP_EFORMAT, "enrolment token: bad secret");
    memcpy(t->secret, bytes, PEP_SECRET_SIZE);
    pep_wipe(bytes, sizeof(bytes));
    return PEP_OK;
}

static int check_texts(const struct pep_enrol_token *t, const char *root, struct pep_error *err)
{
    uint8_t id[16];
    if (!pep_z85_key_valid(pep_span_string(t->server_key)))
        return pep_error_set(err, PEP_EFORMAT, "enrolment token: bad server key");
    if (!pep_bundle_name_valid(pep_span_string(t->bundle)))
        return pep_error_set(err, PEP_EFORMAT, "enrolment token: bad bundle name");
    if (pep_hex_decode(pep_span_string(t->id), id, sizeof(id)) != PEP_OK)
        return pep_error_set(err, PEP_EFORMAT, "enrolment token: bad id");
    if (strlen(root) != 2 * PEP_SHA256_SIZE)
        return pep_error_set(err, PEP_EFORMAT, "enrolment token: bad root digest");
    return PEP_OK;
}

static int read_document(const json_t *doc, struct pep_enrol_token *t, struct pep_error *err)
{
    static const char *const members[] = {"endpoints", "server_key", "root_sha256", "bundle",
                                          "id",        "secret",     NULL};
    char root[2 * PEP_SHA256_SIZE + 1];
    int r = pep_json_only(doc, members, "enrolment token", err);
    if (r == PEP_OK)
        r = read_endpoints(json_object_get(doc, "endpoints"), t, err);
    if (r == PEP_OK)
        r = read_text(doc, "server_key", t->server_key, sizeof(t->server_key), err);
    if (r == PEP_OK)
        r = read_text(doc, "root_sha256", root, sizeof(root), err);
    if (r == PEP_OK)
        r = read_text(doc, "bundle", t->bundle, sizeof(t->bundle), err);
    if (r == PEP_OK)
        r = read_text(doc, "id", t->id, sizeof(t->id), err);
    if (r == PEP_OK)
        r = read_secret(doc, t, err);
    if (r == PEP_OK)
        r = check_texts(t, root, err);
    if (r == PEP_OK &&
        pep_hex_decode(pep_span_string(root), t->root_sha256, PEP_SHA256_SIZE) != PEP_OK)
        r = pep_error_set(err, PEP_EFORMAT, "enrolment token: bad root digest");
    return r;
}

int pep_enrol_token_read(struct pep_span text, struct pep_enrol_token *ret, struct pep_error *err)
{
    uint8_t bytes[TOKEN_MAX + 8]; /* more than pep_base64_room(TOKEN_MAX) */
    struct pep_enrol_token t;
    size_t prefix = strlen(PREFIX), size = 0;
    json_t *doc = NULL;
    memset(&t, 0, sizeof(t));
    while (text.size > 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    if (text.size < prefix || memcmp(text.data, PREFIX, prefix) != 0)
        return pep_error_set(err, PEP_EFORMAT,
                             "enrolment token: must begin with " PREFIX
                             " (print one with `policyctl service enrol`)");
    if (text.size > TOKEN_MAX)
        return pep_error_set(err, PEP_ELIMIT, "enrolment token: longer than %d characters",
                             TOKEN_MAX);
    if (pep_base64url_decode(pep_span_of(text.data + prefix, text.size - prefix), bytes, &size) !=
        PEP_OK)
        return pep_error_set(err, PEP_EFORMAT, "enrolment token: not base64url (cut off?)");
    int r = pep_json_parse(pep_span_of(bytes, size), TOKEN_MAX, "enrolment token", &doc, err);
    if (r == PEP_OK)
        r = read_document(doc, &t, err);
    json_decref(doc);
    pep_wipe(bytes, sizeof(bytes));
    if (r == PEP_OK)
        *ret = t;
    pep_wipe(&t, sizeof(t));
    return r;
}
