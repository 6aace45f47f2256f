/* Fixed keys, a root and bundles for tests: see fixture.h. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct fixture_file fixture_small_bundle[] = {
    {"bundle.json", "{\"name\": \"acme\", \"max_stale\": 86400, \"expires_days\": 90}\n"},
    {"policies/invoices.lua", "allow \"invoice.read\" {\n"
                              "  action = \"read\", resource = \"invoice\", roles = \"clerk\"\n"
                              "}\n"},
};
const size_t fixture_small_bundle_count = 2;

static void must(int r, const char *what, const struct pep_error *err)
{
    if (r == PEP_OK)
        return;
    fprintf(stderr, "fixture: %s: %s\n", what,
            err == NULL || err->code == PEP_OK ? pep_strerror(r) : pep_error_text(err));
    exit(3);
}

struct pep_private_key *fixture_key(const char *name)
{
    /* PKCS#8 around the seed: the library has no other way in for a private key, by intent. */
    static const uint8_t prefix[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                     0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    uint8_t der[sizeof(prefix) + PEP_SHA256_SIZE];
    struct pep_private_key *key = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer text = pep_buffer_of(256), pem = pep_buffer_of(512);
    pep_put_format(&text, "test key %s", name);
    memcpy(der, prefix, sizeof(prefix));
    must(pep_sha256(pep_buffer_span(&text), der + sizeof(prefix)), name, NULL);
    pep_put_format(&pem, "-----BEGIN PRIVATE KEY-----\n");
    pep_put_base64(&pem, pep_span_of(der, sizeof(der)));
    pep_put_format(&pem, "\n-----END PRIVATE KEY-----\n");
    must(pep_private_key_from_pem(pep_buffer_span(&pem), &key, &err), name, &err);
    pep_buffer_free(&text);
    pep_buffer_free(&pem);
    return key;
}

static void add_key(struct pep_root_draft *d, const struct pep_private_key *key, const char *name,
                    enum pep_role role)
{
    d->keys[d->key_count].key = *pep_private_key_public(key);
    snprintf(d->keys[d->key_count].name, PEP_KEY_NAME_MAX, "%s", name);
    d->keys[d->key_count].roles[role] = true;
    d->key_count++;
    d->thresholds[role] = 1;
}

struct pep_root_draft fixture_root_draft(const struct fixture *f)
{
    struct pep_root_draft d = {.installation = "00112233445566778899aabbccddeeff",
                               .version = 1,
                               .epoch = 1,
                               .created = FIXTURE_CREATED,
                               .expires = FIXTURE_EXPIRES,
                               .servers = {FIXTURE_SERVER},
                               .server_count = 1};
    add_key(&d, f->root_key, "root", PEP_ROLE_ROOT);
    add_key(&d, f->policy_key, "policy", PEP_ROLE_POLICY);
    add_key(&d, f->beacon_key, "beacon", PEP_ROLE_BEACON);
    return d;
}

struct pep_buffer fixture_sign_root(const struct pep_root_draft *draft,
                                    const struct pep_private_key *const *keys, size_t count)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer payload = pep_buffer_of(PEP_ROOT_MAX), envelope = pep_buffer_of(PEP_ROOT_MAX);
    must(pep_root_write(draft, &payload, &err), "root", &err);
    must(pep_envelope_sign(PEP_TYPE_ROOT, pep_buffer_span(&payload), keys, count, &envelope),
         "root envelope", NULL);
    pep_buffer_free(&payload);
    return envelope;
}

struct fixture fixture_new(void)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct fixture f = {fixture_key("root"), fixture_key("policy"), fixture_key("beacon"), NULL};
    struct pep_root_draft draft = fixture_root_draft(&f);
    const struct pep_private_key *signer = f.root_key;
    struct pep_buffer envelope = fixture_sign_root(&draft, &signer, 1);
    must(pep_root_open(pep_buffer_span(&envelope), NULL, &f.root, &err), "root", &err);
    pep_buffer_free(&envelope);
    return f;
}

void fixture_free(struct fixture *f)
{
    pep_root_free(f->root);
    pep_private_key_free(f->root_key);
    pep_private_key_free(f->policy_key);
    pep_private_key_free(f->beacon_key);
    *f = (struct fixture){NULL, NULL, NULL, NULL};
}

struct pep_manifest_draft fixture_manifest_draft(uint64_t version)
{
    return (struct pep_manifest_draft){.name = "acme",
                                       .epoch = 1,
                                       .version = version,
                                       .created = FIXTURE_CREATED,
                                       .expires = FIXTURE_EXPIRES,
                                       .max_stale = 86400,
                                       .author = "alice",
                                       .message = "test"};
}

struct pep_files *fixture_files(const struct fixture_file *files, size_t count)
{
    struct pep_files *set = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    must(pep_files_new(&set), "files", NULL);
    for (size_t i = 0; i < count; i++)
        must(pep_files_add(set, files[i].path, pep_span_string(files[i].content), &err),
             files[i].path, &err);
    return set;
}

struct pep_buffer fixture_sign_bundle(const struct pep_private_key *key,
                                      const struct pep_manifest_draft *draft,
                                      const struct fixture_file *files, size_t count)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer payload = pep_buffer_of(PEP_PAYLOAD_MAX);
    struct pep_buffer out = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    struct pep_files *set = fixture_files(files, count);
    must(pep_manifest_write(draft, set, &payload, &err), "manifest", &err);
    must(pep_envelope_sign(PEP_TYPE_BUNDLE, pep_buffer_span(&payload), &key, 1, &out), "envelope",
         NULL);
    pep_put_u8(&out, '\n');
    for (size_t i = 0; i < pep_files_count(set); i++)
        pep_put_span(&out, pep_files_at(set, i)->content);
    must(out.failed ? PEP_ENOMEM : PEP_OK, "bundle", NULL);
    pep_files_free(set);
    pep_buffer_free(&payload);
    return out;
}

struct pep_bundle *fixture_bundle(const struct fixture *f, uint64_t version,
                                  const struct fixture_file *files, size_t count)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_bundle *bundle = NULL;
    struct pep_manifest_draft draft = fixture_manifest_draft(version);
    struct pep_buffer bytes = fixture_sign_bundle(f->policy_key, &draft, files, count);
    must(pep_bundle_open(pep_buffer_span(&bytes), f->root, FIXTURE_NOW, &bundle, &err), "bundle",
         &err);
    pep_buffer_free(&bytes);
    return bundle;
}
