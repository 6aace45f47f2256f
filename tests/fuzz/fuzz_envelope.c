/*
 * Everything that is signed: envelopes, roots, manifests, bundles, compact statements, enrolment
 * tokens. The first byte picks the way in. The raw ways must never open anything but the seeds: a
 * bundle with another digest would be a forgery. Behind a signature nothing could be reached by
 * mutation, so other ways sign the input with the fixture's keys first.
 */
#include "pep/core/wire.h"
#include "tests/support/fixture.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture fixture;
static struct pep_bundle *known; /* what seed_envelope.c wrote */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fixture = fixture_new();
    known = fixture_bundle(&fixture, 1, fixture_small_bundle, fixture_small_bundle_count);
    return 0;
}

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool same_digest(const struct pep_bundle *a, const struct pep_bundle *b)
{
    return memcmp(pep_manifest_digest(pep_bundle_manifest(a)),
                  pep_manifest_digest(pep_bundle_manifest(b)), PEP_SHA256_SIZE) == 0;
}

/* An opened bundle writes itself, and that opens to the same. */
static void check_bundle(const struct pep_bundle *b)
{
    struct pep_buffer out = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    struct pep_bundle *again = NULL;
    check(pep_bundle_write(b, &out) == PEP_OK);
    check(pep_bundle_open(pep_buffer_span(&out), fixture.root, FIXTURE_NOW, &again, NULL) ==
          PEP_OK);
    check(same_digest(b, again));
    check(pep_files_count(pep_bundle_files(b)) == pep_manifest_count(pep_bundle_manifest(b)));
    pep_bundle_free(again);
    pep_buffer_free(&out);
}

/* The outcome, the output and the error always agree. */
static void check_result(int r, const void *output, const struct pep_error *err)
{
    check((output != NULL) == (r == PEP_OK));
    check(err->code == r);
    check(r == PEP_OK || err->text[0] != '\0');
}

static void raw_bundle(struct pep_span in)
{
    struct pep_bundle *b = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_bundle_open(in, fixture.root, FIXTURE_NOW, &b, &err);
    check_result(r, b, &err);
    if (b == NULL)
        return;
    check(same_digest(b, known));
    check_bundle(b);
    pep_bundle_free(b);
}

static void raw_root(struct pep_span in)
{
    struct pep_root *root = NULL, *next = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_root_open(in, pep_root_digest(fixture.root), &root, &err);
    check_result(r, root, &err);
    err = (struct pep_error)PEP_ERROR_INIT;
    r = pep_root_follow(fixture.root, in, &next, &err);
    check_result(r, next, &err);
    if (next != NULL)
        check(pep_root_version(next) == 2);
    pep_root_free(root);
    pep_root_free(next);
}

/* Line 1 is a manifest, to be signed here; the rest are the files. */
static void signed_bundle(struct pep_span in)
{
    const struct pep_private_key *key = fixture.policy_key;
    const uint8_t *lf = in.size == 0 ? NULL : memchr(in.data, '\n', in.size);
    size_t line = lf == NULL ? in.size : (size_t)(lf - in.data);
    struct pep_buffer text = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    struct pep_bundle *b = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    check(pep_envelope_sign(PEP_TYPE_BUNDLE, pep_span_of(in.data, line), &key, 1, &text) == PEP_OK);
    pep_put_bytes(&text, in.data + line, in.size - line);
    int r = pep_bundle_open(pep_buffer_span(&text), fixture.root, FIXTURE_NOW, &b, &err);
    check_result(r, b, &err);
    if (b != NULL)
        check_bundle(b);
    pep_bundle_free(b);
    pep_buffer_free(&text);
}

static void signed_root(struct pep_span in)
{
    const struct pep_private_key *keys[] = {fixture.root_key, fixture.policy_key};
    struct pep_buffer text = pep_buffer_of(PEP_ENVELOPE_MAX);
    struct pep_root *root = NULL, *next = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    if (pep_envelope_sign(PEP_TYPE_ROOT, in, keys, 2, &text) == PEP_OK) {
        int r = pep_root_open(pep_buffer_span(&text), NULL, &root, &err);
        check_result(r, root, &err);
        err = (struct pep_error)PEP_ERROR_INIT;
        r = pep_root_follow(fixture.root, pep_buffer_span(&text), &next, &err);
        check_result(r, next, &err);
        check(root == NULL || pep_root_check(in, NULL) == PEP_OK);
        check(next == NULL || (root != NULL && pep_root_version(next) == 2));
    }
    pep_root_free(root);
    pep_root_free(next);
    pep_buffer_free(&text);
}

static void statement(struct pep_span in)
{
    struct pep_signers signers = pep_root_signers(fixture.root, PEP_ROLE_BEACON);
    struct pep_span body = {NULL, 0};
    int r = pep_compact_verify(in, PEP_TYPE_NOTICE, &signers, &body);
    check(r != PEP_OK || pep_span_is(body, "known body"));
}

static void enrol_token(struct pep_span in)
{
    struct pep_enrol_token token, again;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer text = pep_buffer_of(16384);
    int r = pep_enrol_token_read(in, &token, &err);
    check(err.code == r);
    if (r == PEP_OK) {
        check(pep_enrol_token_write(&token, &text) == PEP_OK);
        check(pep_enrol_token_read(pep_buffer_span(&text), &again, NULL) == PEP_OK);
        check(memcmp(&token, &again, sizeof(token)) == 0);
    }
    pep_buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(struct pep_span) = {
        raw_bundle, raw_root, signed_bundle, signed_root, statement, enrol_token,
    };
    if (size > 0 && data[0] - '0' >= 0 && (size_t)(data[0] - '0') < sizeof(ways) / sizeof(ways[0]))
        ways[data[0] - '0'](pep_span_of(data + 1, size - 1));
    return 0;
}
