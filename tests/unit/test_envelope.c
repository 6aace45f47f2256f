/* DSSE: the exact signed bytes, who counts as a signer, and what an envelope may look like. */
#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 4

struct ring {
    struct pep_private_key *private[KEYS];
    struct pep_public_key public[KEYS];
};

static int setup(void **state)
{
    static struct ring ring;
    static const char *const names[KEYS] = {"one", "two", "three", "four"};
    for (size_t i = 0; i < KEYS; i++) {
        ring.private[i] = fixture_key(names[i]);
        ring.public[i] = *pep_private_key_public(ring.private[i]);
    }
    *state = &ring;
    return 0;
}

static int teardown(void **state)
{
    struct ring *ring = *state;
    for (size_t i = 0; i < KEYS; i++)
        pep_private_key_free(ring->private[i]);
    return 0;
}

/* The first example of the DSSE protocol document. */
static void pae_is_exact(void **state)
{
    (void)state;
    struct pep_buffer b = pep_buffer_of(256);
    pep_put_pae(&b, "http://example.com/HelloWorld", pep_span_string("hello world"));
    assert_true(
        pep_span_is(pep_buffer_span(&b), "DSSEv1 29 http://example.com/HelloWorld 11 hello world"));
    pep_buffer_free(&b);
    pep_put_pae(&b, "", pep_span_string(""));
    assert_true(pep_span_is(pep_buffer_span(&b), "DSSEv1 0  0 "));
    pep_buffer_free(&b);
}

static int try_text(struct pep_span text, const char *type, const struct pep_signers *signers)
{
    struct pep_envelope *e = NULL;
    struct pep_span payload = {NULL, 0};
    int r = pep_envelope_read(text, &e, NULL);
    if (r == PEP_OK)
        r = pep_envelope_verify(e, type, signers, &payload, NULL);
    if (r != PEP_OK)
        assert_null(payload.data);
    else
        assert_true(pep_span_is(payload, "{\"a\":1}"));
    pep_envelope_free(e);
    return r;
}

static struct pep_buffer make(const struct ring *ring, const size_t *who, size_t count)
{
    const struct pep_private_key *keys[PEP_SIGNATURES_MAX];
    struct pep_buffer out = pep_buffer_of(PEP_ENVELOPE_MAX);
    for (size_t i = 0; i < count; i++)
        keys[i] = ring->private[who[i]];
    assert_int_equal(
        pep_envelope_sign(PEP_TYPE_BUNDLE, pep_span_string("{\"a\":1}"), keys, count, &out),
        PEP_OK);
    return out;
}

struct threshold_case {
    size_t signed_by[4], signatures;
    size_t keys; /* the first ones of the ring may sign */
    unsigned threshold;
    int expect;
};

static void threshold_counts_different_keys(void **state)
{
    const struct ring *ring = *state;
    static const struct threshold_case cases[] = {
        {{0}, 1, 1, 1, PEP_OK},
        {{1}, 1, 1, 1, PEP_ESIGNATURE},
        {{1}, 1, 2, 1, PEP_OK},
        {{0, 1}, 2, 3, 2, PEP_OK},
        {{2, 0}, 2, 3, 2, PEP_OK},
        {{0, 0}, 2, 3, 2, PEP_ESIGNATURE},
        {{0, 3}, 2, 3, 2, PEP_ESIGNATURE},
        {{3, 0, 1}, 3, 3, 2, PEP_OK},
        {{0, 0, 1}, 3, 3, 2, PEP_OK},
        {{0, 1, 2}, 3, 3, 3, PEP_OK},
        {{0, 1}, 2, 3, 3, PEP_ESIGNATURE},
        {{0, 1, 2}, 3, 3, 4, PEP_ESIGNATURE},
        {{0}, 1, 1, 0, PEP_ESIGNATURE},
        {{0}, 1, 0, 1, PEP_ESIGNATURE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct threshold_case *c = &cases[i];
        struct pep_buffer text = make(ring, c->signed_by, c->signatures);
        struct pep_signers signers = {ring->public, c->keys, c->threshold};
        assert_int_equal(try_text(pep_buffer_span(&text), PEP_TYPE_BUNDLE, &signers), c->expect);
        pep_buffer_free(&text);
    }
}

/* One key listed under two places among the signers must not count twice. */
static void repeated_signer_counts_once(void **state)
{
    const struct ring *ring = *state;
    struct pep_public_key keys[2] = {ring->public[0], ring -> public[0]};
    struct pep_signers signers = {keys, 2, 2};
    struct pep_buffer text = make(ring, (size_t[]){0, 0}, 2);
    assert_int_equal(try_text(pep_buffer_span(&text), PEP_TYPE_BUNDLE, &signers), PEP_ESIGNATURE);
    /* Not even under another id. */
    keys[1].id[0] = keys[1].id[0] == 'a' ? 'b' : 'a';
    assert_int_equal(try_text(pep_buffer_span(&text), PEP_TYPE_BUNDLE, &signers), PEP_ESIGNATURE);
    pep_buffer_free(&text);
}

static void type_is_part_of_the_signature(void **state)
{
    const struct ring *ring = *state;
    struct pep_signers signers = {ring->public, 1, 1};
    struct pep_buffer text = make(ring, (size_t[]){0}, 1);
    assert_int_equal(try_text(pep_buffer_span(&text), PEP_TYPE_BUNDLE, &signers), PEP_OK);
    assert_int_equal(try_text(pep_buffer_span(&text), PEP_TYPE_ROOT, &signers), PEP_EFORMAT);
    /* The same envelope relabelled: the type matches now, the signature no longer does. */
    static const char from[] = "vnd.pdp.bundle+json", to[] = "vnd.pdp.bumble+json";
    char *at = memmem(text.data, text.size, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    assert_int_equal(try_text(pep_buffer_span(&text), "application/vnd.pdp.bumble+json", &signers),
                     PEP_ESIGNATURE);
    pep_buffer_free(&text);
}

static void first_signer_is_named(void **state)
{
    const struct ring *ring = *state;
    struct pep_signers signers = {ring->public, 3, 1};
    struct pep_buffer text = make(ring, (size_t[]){3, 2, 0}, 3);
    struct pep_envelope *e = NULL;
    struct pep_verified verified;
    assert_int_equal(pep_envelope_read(pep_buffer_span(&text), &e, NULL), PEP_OK);
    assert_int_equal(pep_envelope_verify_signer(e, PEP_TYPE_BUNDLE, &signers, &verified, NULL),
                     PEP_OK);
    assert_ptr_equal(verified.signer, &ring->public[2]);
    pep_envelope_free(e);
    pep_buffer_free(&text);
}

/* "[A,B]" inside "signatures", A and B as given, {"a":1} as payload. */
static struct pep_buffer with_signatures(const char *signatures)
{
    struct pep_buffer b = pep_buffer_of(PEP_ENVELOPE_MAX);
    pep_put_format(&b, "{\"payload\":\"eyJhIjoxfQ==\",\"payloadType\":\"%s\",\"signatures\":[%s]}",
                   PEP_TYPE_BUNDLE, signatures);
    return b;
}

static void good_signature(const struct ring *ring, size_t who, char out[256])
{
    struct pep_buffer text = make(ring, &who, 1);
    const char *from = memchr(text.data, '[', text.size);
    assert_non_null(from);
    size_t size = (size_t)((const char *)text.data + text.size - 2 - (from + 1));
    memcpy(out, from + 1, size);
    out[size] = '\0';
    pep_buffer_free(&text);
}

static void foreign_signatures_are_ignored(void **state)
{
    const struct ring *ring = *state;
    struct pep_signers signers = {ring->public, 1, 1};
    char good[256];
    good_signature(ring, 0, good);
    static const char *const foreign[] = {
        "{\"keyid\":\"\",\"sig\":\"\"}",
        "{\"keyid\":\"somebody\",\"sig\":\"AAAA\"}",
        "{\"keyid\":\"0000000000000000000000000000000000000000000000000000000000000000\","
        "\"sig\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAA==\"}",
    };
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        char both[768];
        snprintf(both, sizeof(both), "%s,%s", foreign[i], good);
        struct pep_buffer text = with_signatures(both);
        struct pep_buffer alone = with_signatures(foreign[i]);
        assert_int_equal(try_text(pep_buffer_span(&text), PEP_TYPE_BUNDLE, &signers), PEP_OK);
        assert_int_equal(try_text(pep_buffer_span(&alone), PEP_TYPE_BUNDLE, &signers),
                         PEP_ESIGNATURE);
        pep_buffer_free(&text);
        pep_buffer_free(&alone);
    }
    /* A wrong signature under the right id, then the right one. */
    char both[768], wrong[256];
    memcpy(wrong, good, sizeof(wrong));
    char *sig = strstr(wrong, "\"sig\":\"") + 7;
    sig[5] = sig[5] == 'A' ? 'B' : 'A';
    snprintf(both, sizeof(both), "%s,%s", wrong, good);
    struct pep_buffer text = with_signatures(both);
    assert_int_equal(try_text(pep_buffer_span(&text), PEP_TYPE_BUNDLE, &signers), PEP_OK);
    pep_buffer_free(&text);
}

static void signature_count_is_bounded(void **state)
{
    const struct ring *ring = *state;
    struct pep_signers signers = {ring->public, 1, 1};
    char good[256];
    good_signature(ring, 0, good);
    for (size_t extra = PEP_SIGNATURES_MAX - 1; extra <= PEP_SIGNATURES_MAX; extra++) {
        struct pep_buffer list = pep_buffer_of(PEP_ENVELOPE_MAX);
        for (size_t i = 0; i < extra; i++)
            pep_put_format(&list, "{\"keyid\":\"x\",\"sig\":\"AAAA\"},");
        pep_put_format(&list, "%s", good);
        struct pep_buffer text = with_signatures((const char *)list.data);
        assert_int_equal(try_text(pep_buffer_span(&text), PEP_TYPE_BUNDLE, &signers),
                         extra < PEP_SIGNATURES_MAX ? PEP_OK : PEP_ELIMIT);
        pep_buffer_free(&list);
        pep_buffer_free(&text);
    }
}

#define SIG   "\"signatures\":[{\"keyid\":\"k\",\"sig\":\"AAAA\"}]"
#define TYPE  "\"payloadType\":\"t\""
#define SIGS0 "\"signatures\":[]"

static void shape_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int expect;
    } cases[] = {
        {"{\"payload\":\"eyJhIjoxfQ==\"," TYPE "," SIG "}", PEP_OK},
        {"{\"payload\":\"\"," TYPE "," SIGS0 "}", PEP_OK},
        {"", PEP_EFORMAT},
        {"[]", PEP_EFORMAT},
        {"{}", PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE "}", PEP_EFORMAT},
        {"{" TYPE "," SIG "}", PEP_EFORMAT},
        {"{\"payload\":\"\"," SIG "}", PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE "," SIGS0 ",\"more\":1}", PEP_EFORMAT},
        {"{\"payload\":\"\",\"payload\":\"\"," TYPE "," SIGS0 "}", PEP_EFORMAT},
        {"{\"payload\":1," TYPE "," SIGS0 "}", PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE "," SIGS0 "}{}", PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE ",\"signatures\":{}}", PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE ",\"signatures\":[1]}", PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE ",\"signatures\":[{\"sig\":\"AAAA\"}]}", PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE ",\"signatures\":[{\"keyid\":\"k\"}]}", PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE
         ",\"signatures\":[{\"keyid\":\"k\",\"sig\":\"AAAA\",\"cert\":\"\"}]}",
         PEP_EFORMAT},
        {"{\"payload\":\"\"," TYPE ",\"signatures\":[{\"keyid\":\"k\",\"sig\":\"AAA\"}]}",
         PEP_EFORMAT},
        /* one text for each payload: padding, alphabet, tail bits, white space */
        {"{\"payload\":\"eyJhIjoxfQ\"," TYPE "," SIGS0 "}", PEP_EFORMAT},
        {"{\"payload\":\"eyJhIjoxfQ=\"," TYPE "," SIGS0 "}", PEP_EFORMAT},
        {"{\"payload\":\"eyJhIjoxfR==\"," TYPE "," SIGS0 "}", PEP_EFORMAT},
        {"{\"payload\":\"eyJhIjoxf Q==\"," TYPE "," SIGS0 "}", PEP_EFORMAT},
        {"{\"payload\":\"____\"," TYPE "," SIGS0 "}", PEP_EFORMAT},
        {"{\"payload\":\"====\"," TYPE "," SIGS0 "}", PEP_EFORMAT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pep_envelope *e = NULL;
        struct pep_error err = PEP_ERROR_INIT;
        assert_int_equal(pep_envelope_read(pep_span_string(cases[i].text), &e, &err),
                         cases[i].expect);
        assert_int_equal(err.code, cases[i].expect);
        assert_true((e != NULL) == (cases[i].expect == PEP_OK));
        pep_envelope_free(e);
    }
}

static void size_is_bounded(void **state)
{
    const struct ring *ring = *state;
    const struct pep_private_key *key = ring->private[0];
    uint8_t *big = calloc(1, PEP_PAYLOAD_MAX + 1);
    struct pep_buffer out = pep_buffer_of(PEP_ENVELOPE_MAX);
    assert_int_equal(
        pep_envelope_sign(PEP_TYPE_BUNDLE, pep_span_of(big, PEP_PAYLOAD_MAX), &key, 1, &out),
        PEP_OK);
    struct pep_envelope *e = NULL;
    assert_int_equal(pep_envelope_read(pep_buffer_span(&out), &e, NULL), PEP_OK);
    pep_envelope_free(e);
    pep_buffer_free(&out);
    assert_int_equal(
        pep_envelope_sign(PEP_TYPE_BUNDLE, pep_span_of(big, PEP_PAYLOAD_MAX + 1), &key, 1, &out),
        PEP_ELIMIT);
    assert_int_equal(out.size, 0);
    assert_int_equal(pep_envelope_sign(PEP_TYPE_BUNDLE, pep_span_string("{}"), &key, 0, &out),
                     PEP_EINVAL);
    /* Larger than any payload that we would sign, but within the envelope's maximum. */
    pep_put_format(&out, "{\"payload\":\"");
    pep_put_base64(&out, pep_span_of(big, PEP_PAYLOAD_MAX + 1));
    pep_put_format(&out, "\",\"payloadType\":\"t\",\"signatures\":[]}");
    assert_int_equal(pep_envelope_read(pep_buffer_span(&out), &e, NULL), PEP_ELIMIT);
    pep_buffer_free(&out);
    struct pep_span spaces = pep_span_of(big, PEP_PAYLOAD_MAX);
    memset(big, ' ', PEP_PAYLOAD_MAX);
    e = NULL;
    assert_int_equal(pep_envelope_read(spaces, &e, NULL), PEP_EFORMAT);
    assert_null(e);
    free(big);
    char *huge = malloc(PEP_ENVELOPE_MAX + 1);
    memset(huge, ' ', PEP_ENVELOPE_MAX + 1);
    assert_int_equal(pep_envelope_read(pep_span_of(huge, PEP_ENVELOPE_MAX + 1), &e, NULL),
                     PEP_ELIMIT);
    free(huge);
}

static void compact_form(void **state)
{
    const struct ring *ring = *state;
    struct pep_signers signers = {ring->public, 2, 1};
    struct pep_buffer out = pep_buffer_of(1024);
    struct pep_span body = {NULL, 0};
    assert_int_equal(
        pep_compact_sign(PEP_TYPE_NOTICE, pep_span_string("body"), ring->private[1], &out), PEP_OK);
    assert_int_equal(out.size, 4 + PEP_SIGNATURE_SIZE);
    struct pep_span message = pep_buffer_span(&out);
    assert_int_equal(pep_compact_verify(message, PEP_TYPE_NOTICE, &signers, &body), PEP_OK);
    assert_true(pep_span_is(body, "body"));

    body = (struct pep_span){NULL, 0};
    assert_int_equal(pep_compact_verify(message, PEP_TYPE_ANSWER, &signers, &body), PEP_ESIGNATURE);
    struct pep_signers one = {ring->public, 1, 1}, two = {ring->public, 2, 2}, none = {NULL, 0, 0};
    assert_int_equal(pep_compact_verify(message, PEP_TYPE_NOTICE, &one, &body), PEP_ESIGNATURE);
    assert_int_equal(pep_compact_verify(message, PEP_TYPE_NOTICE, &two, &body), PEP_ESIGNATURE);
    assert_int_equal(pep_compact_verify(message, PEP_TYPE_NOTICE, &none, &body), PEP_ESIGNATURE);
    for (size_t i = 0; i < out.size; i++) {
        out.data[i] ^= 0x40;
        assert_int_equal(pep_compact_verify(message, PEP_TYPE_NOTICE, &signers, &body),
                         PEP_ESIGNATURE);
        out.data[i] ^= 0x40;
        int cut = pep_compact_verify(pep_span_of(out.data, i), PEP_TYPE_NOTICE, &signers, &body);
        assert_int_equal(cut, i < PEP_SIGNATURE_SIZE ? PEP_EFORMAT : PEP_ESIGNATURE);
    }
    assert_null(body.data);
    pep_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pae_is_exact),
        cmocka_unit_test(threshold_counts_different_keys),
        cmocka_unit_test(repeated_signer_counts_once),
        cmocka_unit_test(type_is_part_of_the_signature),
        cmocka_unit_test(first_signer_is_named),
        cmocka_unit_test(foreign_signatures_are_ignored),
        cmocka_unit_test(signature_count_is_bounded),
        cmocka_unit_test(shape_is_strict),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(compact_form),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
