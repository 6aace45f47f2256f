/*
 * Reading and following root documents: see root.h; root_write.c makes them.
 *
 * A document is parsed into a candidate of the same struct, and becomes a root in finish() alone:
 * signed by its own root role, and, if it follows another, by that one's role before any of its
 * content is looked at. Signers are copied into one array per role, so that verifying a bundle
 * needs no lookup by name. After TUF's root role (spec 5.3); rejected: TUF's delegations and its
 * snapshot and timestamp roles, which notices and the signed manifest replace.
 */
#include "root.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

#define TIME_MAX          ((json_int_t)1 << 53)
#define INSTALLATION_SIZE 16 /* bytes behind the 32 hex digits */

/* A role with a single signature goes into compact statements, which carry one. */
static const struct {
    const char *name;
    bool optional, single;
} roles[PEP_ROLE_COUNT] = {
    [PEP_ROLE_ROOT] = {"root", false, false},
    [PEP_ROLE_POLICY] = {"policy", false, false},
    [PEP_ROLE_BEACON] = {"beacon", true, true},
    [PEP_ROLE_REVOCATION] = {"revocation", true, true},
};

const char *pep_role_name(enum pep_role role)
{
    return roles[role].name;
}

struct named_key {
    struct pep_public_key key;
    char name[PEP_KEY_NAME_MAX];
};

struct role {
    struct pep_public_key *keys;
    size_t count;
    unsigned threshold;
};

struct pep_root {
    uint8_t *envelope;
    size_t envelope_size;
    uint8_t digest[PEP_SHA256_SIZE];
    char installation[2 * INSTALLATION_SIZE + 1];
    uint32_t version, epoch;
    int64_t created, expires;
    struct named_key *keys;
    size_t key_count;
    struct role roles[PEP_ROLE_COUNT];
    char servers[PEP_ROOT_SERVERS][PEP_Z85_KEY];
    size_t server_count;
};

void pep_root_free(struct pep_root *root)
{
    if (root == NULL)
        return;
    for (size_t i = 0; i < PEP_ROLE_COUNT; i++)
        free(root->roles[i].keys);
    free(root->keys);
    free(root->envelope);
    free(root);
}

/* ---- parsing ---- */

static int read_u32(const json_t *doc, const char *name, uint32_t *ret, struct pep_error *err)
{
    json_int_t v;
    int r = pep_json_integer(doc, name, 1, UINT32_MAX, "root", &v, err);
    if (r == PEP_OK)
        *ret = (uint32_t)v;
    return r;
}

static int read_times(const json_t *doc, struct pep_root *root, struct pep_error *err)
{
    json_int_t created, expires;
    int r = pep_json_integer(doc, "created", 0, TIME_MAX, "root", &created, err);
    if (r == PEP_OK)
        r = pep_json_integer(doc, "expires", 0, TIME_MAX, "root", &expires, err);
    if (r == PEP_OK && created > expires)
        r = pep_error_set(err, PEP_EFORMAT, "root: `expires` is before `created`");
    if (r != PEP_OK)
        return r;
    root->created = created;
    root->expires = expires;
    return PEP_OK;
}

static int read_installation(const json_t *doc, struct pep_root *root, struct pep_error *err)
{
    uint8_t bytes[INSTALLATION_SIZE];
    const char *text;
    int r = pep_json_string(doc, "installation", 2 * INSTALLATION_SIZE, "root", &text, err);
    if (r != PEP_OK)
        return r;
    if (pep_hex_decode(pep_span_string(text), bytes, sizeof(bytes)) != PEP_OK)
        return pep_error_set(err, PEP_EFORMAT,
                             "root: `installation` must be 32 lower-case hex "
                             "digits");
    memcpy(root->installation, text, sizeof(root->installation));
    return PEP_OK;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    }
    return true;
}

static int read_key(const char *id, const json_t *object, struct named_key *ret,
                    struct pep_error *err)
{
    const char *type, *public, *name;
    uint8_t raw[PEP_ED25519_SIZE + 16];
    size_t size = 0;
    int r = pep_json_string(object, "type", 32, "root key", &type, err);
    if (r == PEP_OK && strcmp(type, "ed25519") != 0)
        r = pep_error_set(err, PEP_EFORMAT, "root key %.16s: type `%s` is not ed25519", id, type);
    if (r == PEP_OK)
        r = pep_json_string(object, "public", 43, "root key", &public, err);
    if (r == PEP_OK && (pep_base64url_decode(pep_span_string(public), raw, &size) != PEP_OK ||
                        size != PEP_ED25519_SIZE))
        r = pep_error_set(err, PEP_EFORMAT,
                          "root key %.16s: `public` must be 43 characters of "
                          "base64url",
                          id);
    if (r == PEP_OK)
        r = pep_json_string(object, "name", PEP_KEY_NAME_MAX - 1, "root key", &name, err);
    if (r == PEP_OK && (*name == '\0' || !is_printable(name)))
        r = pep_error_set(err, PEP_EFORMAT, "root key %.16s: `name` is empty or has control bytes",
                          id);
    if (r == PEP_OK && pep_public_key_from_raw(raw, &ret->key) != PEP_OK)
        r = pep_error_set(err, PEP_ENOMEM, "root: no memory");
    if (r == PEP_OK && strcmp(ret->key.id, id) != 0)
        r = pep_error_set(err, PEP_EFORMAT, "root key %.16s: the id is not the key's SHA-256", id);
    if (r == PEP_OK)
        memcpy(ret->name, name, strlen(name) + 1);
    return r;
}

static int read_keys(const json_t *keys, struct pep_root *root, struct pep_error *err)
{
    const char *id;
    json_t *object;
    if (!json_is_object(keys))
        return pep_error_set(err, PEP_EFORMAT, "root: `keys` must be an object");
    size_t count = json_object_size(keys);
    if (count == 0 || count > PEP_ROOT_KEYS)
        return pep_error_set(err, PEP_ELIMIT, "root: %zu keys, 1 to %d are possible", count,
                             PEP_ROOT_KEYS);
    root->keys = calloc(count, sizeof(*root->keys));
    if (root->keys == NULL)
        return pep_error_set(err, PEP_ENOMEM, "root: no memory");
    json_object_foreach((json_t *)keys, id, object)
    {
        int r = read_key(id, object, &root->keys[root->key_count], err);
        if (r != PEP_OK)
            return r;
        root->key_count++;
    }
    return PEP_OK;
}

static const struct named_key *find_key(const struct pep_root *root, const char *id)
{
    for (size_t i = 0; i < root->key_count; i++) {
        if (strcmp(root->keys[i].key.id, id) == 0)
            return &root->keys[i];
    }
    return NULL;
}

static int add_role_key(const struct pep_root *root, const json_t *id, const char *name,
                        struct role *role, struct pep_error *err)
{
    const struct named_key *key = json_is_string(id) ? find_key(root, json_string_value(id)) : NULL;
    if (key == NULL)
        return pep_error_set(err, PEP_EFORMAT, "root: role `%s` names a key that is not in `keys`",
                             name);
    for (size_t i = 0; i < role->count; i++) {
        if (strcmp(role->keys[i].id, key->key.id) == 0)
            return pep_error_set(err, PEP_EFORMAT, "root: role `%s` names a key twice", name);
    }
    role->keys[role->count++] = key->key;
    return PEP_OK;
}

static int read_role(const json_t *object, enum pep_role which, struct pep_root *root,
                     struct pep_error *err)
{
    struct role *role = &root->roles[which];
    const char *name = roles[which].name;
    const json_t *keys = json_object_get(object, "keys");
    json_int_t threshold;
    size_t count = json_array_size(keys);
    if (!json_is_array(keys) || count == 0 || count > root->key_count)
        return pep_error_set(err, PEP_EFORMAT, "root: role `%s` must list 1 to %zu different keys",
                             name, root->key_count);
    json_int_t max = roles[which].single ? 1 : (json_int_t)count;
    max = max > PEP_SIGNATURES_MAX ? PEP_SIGNATURES_MAX : max;
    int r = pep_json_integer(object, "threshold", 1, max, name, &threshold, err);
    if (r != PEP_OK)
        return r;
    role->keys = calloc(count, sizeof(*role->keys));
    if (role->keys == NULL)
        return pep_error_set(err, PEP_ENOMEM, "root: no memory");
    role->threshold = (unsigned)threshold;
    for (size_t i = 0; i < count && r == PEP_OK; i++)
        r = add_role_key(root, json_array_get(keys, i), name, role, err);
    return r;
}

static int read_roles(const json_t *list, struct pep_root *root, struct pep_error *err)
{
    for (int i = 0; i < PEP_ROLE_COUNT; i++) {
        const json_t *object = json_object_get(list, roles[i].name);
        if (object == NULL && roles[i].optional)
            continue;
        if (!json_is_object(object))
            return pep_error_set(err, PEP_EFORMAT, "root: role `%s` is missing", roles[i].name);
        int r = read_role(object, (enum pep_role)i, root, err);
        if (r != PEP_OK)
            return r;
    }
    return PEP_OK;
}

bool pep_z85_key_valid(struct pep_span text)
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    for (size_t i = 0; i < text.size; i++) {
        if (memchr(alphabet, text.data[i], sizeof(alphabet) - 1) == NULL)
            return false;
    }
    return text.size == PEP_Z85_KEY - 1;
}

static int read_servers(const json_t *servers, struct pep_root *root, struct pep_error *err)
{
    if (servers == NULL)
        return PEP_OK;
    if (!json_is_array(servers) || json_array_size(servers) > PEP_ROOT_SERVERS)
        return pep_error_set(err, PEP_EFORMAT, "root: `servers` must be a list of at most %d",
                             PEP_ROOT_SERVERS);
    for (size_t i = 0; i < json_array_size(servers); i++) {
        const json_t *key = json_array_get(servers, i);
        if (!json_is_string(key) ||
            !pep_z85_key_valid(pep_span_of(json_string_value(key), json_string_length(key))))
            return pep_error_set(err, PEP_EFORMAT, "root: server %zu is not a CURVE key in Z85",
                                 i + 1);
        if (pep_root_has_server(root, json_string_value(key)))
            return pep_error_set(err, PEP_EFORMAT, "root: server %zu is listed twice", i + 1);
        memcpy(root->servers[root->server_count++], json_string_value(key), PEP_Z85_KEY);
    }
    return PEP_OK;
}

static int read_document(const json_t *doc, struct pep_root *root, struct pep_error *err)
{
    if (!json_is_object(doc))
        return pep_error_set(err, PEP_EFORMAT, "root: must be an object");
    int r = read_installation(doc, root, err);
    if (r == PEP_OK)
        r = read_u32(doc, "version", &root->version, err);
    if (r == PEP_OK)
        r = read_u32(doc, "epoch", &root->epoch, err);
    if (r == PEP_OK)
        r = read_times(doc, root, err);
    if (r == PEP_OK)
        r = read_keys(json_object_get(doc, "keys"), root, err);
    if (r == PEP_OK)
        r = read_roles(json_object_get(doc, "roles"), root, err);
    if (r == PEP_OK)
        r = read_servers(json_object_get(doc, "servers"), root, err);
    return r;
}

/* A candidate: well-formed, and nothing more. */
static int parse(struct pep_span payload, struct pep_root **ret, struct pep_error *err)
{
    json_t *doc = NULL;
    int r = pep_json_parse(payload, PEP_ROOT_MAX, "root", &doc, err);
    if (r != PEP_OK)
        return r;
    struct pep_root *root = calloc(1, sizeof(*root));
    if (root == NULL)
        r = pep_error_set(err, PEP_ENOMEM, "root: no memory");
    if (r == PEP_OK)
        r = read_document(doc, root, err);
    if (r == PEP_OK && pep_sha256(payload, root->digest) != PEP_OK)
        r = pep_error_set(err, PEP_ENOMEM, "root: no memory");
    json_decref(doc);
    if (r != PEP_OK) {
        pep_root_free(root);
        return r;
    }
    *ret = root;
    return PEP_OK;
}

int pep_root_check(struct pep_span payload, struct pep_error *err)
{
    struct pep_root *candidate = NULL;
    int r = parse(payload, &candidate, err);
    pep_root_free(candidate);
    return r;
}

/* ---- trusting ---- */

static int read_envelope(struct pep_span text, struct pep_envelope **ret, struct pep_error *err)
{
    if (text.size > PEP_ROOT_MAX)
        return pep_error_set(err, PEP_ELIMIT, "root: %zu bytes, at most %d", text.size,
                             PEP_ROOT_MAX);
    return pep_envelope_read(text, ret, err);
}

/* Signed by its own root role: the last gate for every root. */
static int finish(struct pep_root *candidate, const struct pep_envelope *e, struct pep_span text,
                  struct pep_error *err)
{
    struct pep_signers own = pep_root_signers(candidate, PEP_ROLE_ROOT);
    struct pep_span payload;
    int r = pep_envelope_verify(e, PEP_TYPE_ROOT, &own, &payload, err);
    if (r != PEP_OK)
        return r;
    candidate->envelope = malloc(text.size);
    if (candidate->envelope == NULL)
        return pep_error_set(err, PEP_ENOMEM, "root: no memory");
    memcpy(candidate->envelope, text.data, text.size);
    candidate->envelope_size = text.size;
    return PEP_OK;
}

int pep_root_open(struct pep_span envelope, const uint8_t *digest, struct pep_root **ret,
                  struct pep_error *err)
{
    struct pep_envelope *e = NULL;
    struct pep_root *root = NULL;
    int r = read_envelope(envelope, &e, err);
    if (r == PEP_OK)
        r = parse(pep_envelope_unverified_payload(e), &root, err);
    if (r == PEP_OK && digest != NULL && memcmp(digest, root->digest, PEP_SHA256_SIZE) != 0)
        r = pep_error_set(err, PEP_ESIGNATURE,
                          "root: not the document that was pinned; ask for a new enrolment token");
    if (r == PEP_OK)
        r = finish(root, e, envelope, err);
    pep_envelope_free(e);
    if (r != PEP_OK) {
        pep_root_free(root);
        return r;
    }
    *ret = root;
    return PEP_OK;
}

static int check_successor(const struct pep_root *current, const struct pep_root *next,
                           struct pep_error *err)
{
    if (strcmp(current->installation, next->installation) != 0)
        return pep_error_set(err, PEP_ESIGNATURE, "root: of another installation");
    if (next->version != (uint64_t)current->version + 1)
        return pep_error_set(err, PEP_EROLLBACK, "root: version %u does not follow version %u",
                             next->version, current->version);
    if (next->epoch < current->epoch)
        return pep_error_set(err, PEP_EROLLBACK, "root: epoch %u is below epoch %u", next->epoch,
                             current->epoch);
    return PEP_OK;
}

int pep_root_follow(const struct pep_root *current, struct pep_span envelope, struct pep_root **ret,
                    struct pep_error *err)
{
    struct pep_envelope *e = NULL;
    struct pep_root *root = NULL;
    struct pep_span payload = {NULL, 0};
    struct pep_signers old = pep_root_signers(current, PEP_ROLE_ROOT);
    int r = read_envelope(envelope, &e, err);
    if (r == PEP_OK)
        r = pep_envelope_verify(e, PEP_TYPE_ROOT, &old, &payload, err);
    if (r == PEP_OK)
        r = parse(payload, &root, err);
    if (r == PEP_OK)
        r = check_successor(current, root, err);
    if (r == PEP_OK)
        r = finish(root, e, envelope, err);
    pep_envelope_free(e);
    if (r != PEP_OK) {
        pep_root_free(root);
        return r;
    }
    *ret = root;
    return PEP_OK;
}

/* ---- asking ---- */

bool pep_root_expired(const struct pep_root *root, int64_t now)
{
    return now >= root->expires;
}

uint32_t pep_root_version(const struct pep_root *root)
{
    return root->version;
}

uint32_t pep_root_epoch(const struct pep_root *root)
{
    return root->epoch;
}

int64_t pep_root_expires(const struct pep_root *root)
{
    return root->expires;
}

const char *pep_root_installation(const struct pep_root *root)
{
    return root->installation;
}

const uint8_t *pep_root_digest(const struct pep_root *root)
{
    return root->digest;
}

struct pep_span pep_root_envelope(const struct pep_root *root)
{
    return pep_span_of(root->envelope, root->envelope_size);
}

struct pep_signers pep_root_signers(const struct pep_root *root, enum pep_role role)
{
    const struct role *r = &root->roles[role];
    return (struct pep_signers){r->keys, r->count, r->threshold};
}

struct pep_signers pep_root_revokers(const struct pep_root *root)
{
    const struct role *own = &root->roles[PEP_ROLE_REVOCATION];
    const struct role *r = own->count > 0 ? own : &root->roles[PEP_ROLE_POLICY];
    return (struct pep_signers){r->keys, r->count, 1};
}

const char *pep_root_key_name(const struct pep_root *root, const char *key_id)
{
    const struct named_key *key = find_key(root, key_id);
    return key == NULL ? NULL : key->name;
}

size_t pep_root_server_count(const struct pep_root *root)
{
    return root->server_count;
}

const char *pep_root_server(const struct pep_root *root, size_t i)
{
    return i < root->server_count ? root->servers[i] : NULL;
}

bool pep_root_has_server(const struct pep_root *root, const char *z85)
{
    for (size_t i = 0; i < root->server_count; i++) {
        if (strcmp(root->servers[i], z85) == 0)
            return true;
    }
    return false;
}
