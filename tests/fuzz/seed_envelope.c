/* Valid inputs for each way into fuzz_envelope.c; the first byte names the way. */
#include "seeds.h"

#include "pep/core/wire.h"
#include "tests/support/fixture.h"

#include <stdlib.h>
#include <string.h>

static void must(int r)
{
    if (r != PEP_OK)
        abort();
}

static void seed_way(char way, const char *name, struct pep_span bytes)
{
    struct pep_buffer b = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    pep_put_u8(&b, (uint8_t)way);
    pep_put_span(&b, bytes);
    seed_write(name, pep_buffer_span(&b));
    pep_buffer_free(&b);
}

static void seed_bundle(const struct fixture *f)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(1);
    struct pep_buffer bytes = fixture_sign_bundle(f->policy_key, &draft, fixture_small_bundle,
                                                  fixture_small_bundle_count);
    seed_way('0', "bundle", pep_buffer_span(&bytes));
    pep_buffer_free(&bytes);
}

static void seed_manifest(uint64_t version, const char *name)
{
    struct pep_buffer b = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    struct pep_manifest_draft draft = fixture_manifest_draft(version);
    uint8_t base[PEP_SHA256_SIZE] = {1, 2, 3};
    draft.base = version > 1 ? base : NULL;
    draft.provisional = version > 1;
    draft.expires = version > 1 ? draft.created + PEP_PROVISIONAL_MAX : draft.expires;
    struct pep_files *files = fixture_files(fixture_small_bundle, fixture_small_bundle_count);
    must(pep_manifest_write(&draft, files, &b, NULL));
    pep_put_u8(&b, '\n');
    for (size_t i = 0; i < pep_files_count(files); i++)
        pep_put_span(&b, pep_files_at(files, i)->content);
    seed_way('2', name, pep_buffer_span(&b));
    pep_files_free(files);
    pep_buffer_free(&b);
}

static void seed_roots(const struct fixture *f)
{
    const struct pep_private_key *keys[] = {f->root_key, f->policy_key};
    struct pep_root_draft draft = fixture_root_draft(f);
    struct pep_buffer payload = pep_buffer_of(PEP_ROOT_MAX);
    seed_way('1', "root-1", pep_root_envelope(f->root));
    draft.version = 2;
    draft.epoch = 2;
    draft.keys[1].roles[PEP_ROLE_ROOT] = true;
    draft.thresholds[PEP_ROLE_ROOT] = 2;
    struct pep_buffer second = fixture_sign_root(&draft, keys, 2);
    seed_way('1', "root-2", pep_buffer_span(&second));
    must(pep_root_write(&draft, &payload, NULL));
    seed_way('3', "root-payload", pep_buffer_span(&payload));
    pep_buffer_free(&second);
    pep_buffer_free(&payload);
}

static void seed_token(void)
{
    struct pep_buffer b = pep_buffer_of(16384);
    struct pep_enrol_token t = {.endpoints = {"tcp://127.0.0.1:7612", "tcp://[::1]:7612"},
                                .endpoint_count = 2,
                                .server_key = FIXTURE_SERVER,
                                .bundle = "acme",
                                .id = "00112233445566778899aabbccddeeff"};
    must(pep_enrol_token_write(&t, &b));
    seed_way('5', "enrol-token", pep_buffer_span(&b));
    pep_buffer_free(&b);
}

void seeds(void)
{
    struct fixture f = fixture_new();
    struct pep_buffer b = pep_buffer_of(1024);
    seed_bundle(&f);
    seed_manifest(1, "manifest");
    seed_manifest(2, "manifest-provisional");
    seed_roots(&f);
    must(pep_compact_sign(PEP_TYPE_NOTICE, pep_span_string("known body"), f.beacon_key, &b));
    seed_way('4', "statement", pep_buffer_span(&b));
    seed_token();
    pep_buffer_free(&b);
    fixture_free(&f);
}
