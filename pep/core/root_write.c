/*
 * The JSON of a new root document: see root.h. What is written goes through the reader before it is
 * handed out, so the rules exist once, and a document that clients would refuse is never signed.
 */
#include "root.h"

#include <string.h>

/* In these helpers a NULL value makes jansson's _new functions fail, so that no memory shows once,
 * at the end. */
static int put_key(json_t *keys, const struct pep_public_key *key, const char *name)
{
    struct pep_buffer public = pep_buffer_of(64);
    pep_put_base64url(&public, pep_span_of(key->raw, sizeof(key->raw)));
    json_t *object = public.failed ? NULL
                                   : json_pack("{s:s, s:s, s:s}", "type", "ed25519", "public",
                                               (const char *)public.data, "name", name);
    pep_buffer_free(&public);
    return json_object_set_new(keys, key->id, object);
}

static int put_role(json_t *roles, const struct pep_root_draft *d, int role)
{
    json_t *ids = json_array();
    int bad = ids == NULL;
    for (size_t i = 0; i < d->key_count; i++) {
        if (d->keys[i].roles[role])
            bad |= json_array_append_new(ids, json_string(d->keys[i].key.id));
    }
    if (!bad && json_array_size(ids) == 0 && role >= PEP_ROLE_BEACON) {
        json_decref(ids);
        return 0;
    }
    json_t *object =
        json_pack("{s:I, s:o}", "threshold", (json_int_t)d->thresholds[role], "keys", ids);
    return json_object_set_new(roles, pep_role_name((enum pep_role)role), object) | bad;
}

static json_t *make_document(const struct pep_root_draft *d, const char *installation)
{
    json_t *keys = json_object(), *roles = json_object(), *servers = json_array();
    int bad = 0;
    for (size_t i = 0; i < d->key_count; i++)
        bad |= put_key(keys, &d->keys[i].key, d->keys[i].name);
    for (int role = 0; role < PEP_ROLE_COUNT; role++)
        bad |= put_role(roles, d, role);
    for (size_t i = 0; i < d->server_count; i++)
        bad |= json_array_append_new(servers, json_string(d->servers[i]));
    json_t *doc = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "installation", installation, "version",
        (json_int_t)d->version, "epoch", (json_int_t)d->epoch, "created", (json_int_t)d->created,
        "expires", (json_int_t)d->expires, "keys", keys, "roles", roles, "servers", servers);
    if (bad) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

static int append(const char *buffer, size_t size, void *out)
{
    pep_put_bytes(out, buffer, size);
    return ((struct pep_buffer *)out)->failed ? -1 : 0;
}

static int choose_installation(const struct pep_root_draft *d, char ret[33])
{
    uint8_t random[16];
    if (d->installation[0] != '\0') {
        memcpy(ret, d->installation, 33);
        return PEP_OK;
    }
    int r = pep_random(random, sizeof(random));
    if (r == PEP_OK)
        pep_hex_encode(random, sizeof(random), ret);
    return r;
}

int pep_root_write(const struct pep_root_draft *draft, struct pep_buffer *out,
                   struct pep_error *err)
{
    char installation[33];
    if (draft->key_count > PEP_ROOT_KEYS || draft->server_count > PEP_ROOT_SERVERS)
        return pep_error_set(err, PEP_ELIMIT, "root: at most %d keys and %d servers", PEP_ROOT_KEYS,
                             PEP_ROOT_SERVERS);
    for (size_t i = 0; i < draft->key_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(draft->keys[i].key.id, draft->keys[j].key.id) == 0)
                return pep_error_set(err, PEP_EINVAL, "root: key `%s` is listed twice",
                                     draft->keys[i].name);
        }
    }
    int r = choose_installation(draft, installation);
    if (r != PEP_OK)
        return pep_error_set(err, r, "root: no random bytes");
    struct pep_buffer text = pep_buffer_of(PEP_ROOT_MAX);
    json_t *doc = make_document(draft, installation);
    if (doc == NULL || json_dump_callback(doc, append, &text, JSON_COMPACT) != 0)
        r = pep_error_set(err, PEP_ENOMEM, "root: no memory, or text that is not UTF-8");
    json_decref(doc);
    if (r == PEP_OK)
        r = pep_root_check(pep_buffer_span(&text), err);
    if (r == PEP_OK) {
        pep_put_span(out, pep_buffer_span(&text));
        r = out->failed ? pep_error_set(err, PEP_ENOMEM, "root: no memory") : PEP_OK;
    }
    pep_buffer_free(&text);
    return r;
}
