/*
 * DSSE envelopes and compact statements: see envelope.h.
 *
 * Three members and no others: the envelope itself is not signed, so nothing unknown may hide in
 * it. A signature's keyid only says which key to try; what counts is the key whose signature
 * verified, once. Signatures that name none of the signers are skipped unverified, so that a
 * stranger's envelope costs at most one verification per listed signature. Rejected: trying every
 * key when keyid is missing (64 keys times 32 signatures is a denial of service).
 */
#include "envelope.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

#define KEY_ID_TEXT_MAX    256 /* foreign key ids may look otherwise */
#define SIGNATURE_TEXT_MAX 1024
#define TYPE_MAX           128

struct signature {
    char key_id[PEP_KEY_ID_TEXT]; /* empty: not one of ours */
    uint8_t bytes[PEP_SIGNATURE_SIZE];
};

struct pep_envelope {
    uint8_t *payload;
    size_t payload_size;
    char type[TYPE_MAX + 1];
    size_t count;
    struct signature signatures[PEP_SIGNATURES_MAX];
};

void pep_put_pae(struct pep_buffer *out, const char *type, struct pep_span payload)
{
    pep_put_format(out, "DSSEv1 %zu %s %zu ", strlen(type), type, payload.size);
    pep_put_span(out, payload);
}

/* Keeps the signature if it can be one of ours; others are only checked for their shape. */
static int read_signature(const json_t *object, struct pep_envelope *e, struct pep_error *err)
{
    static const char *const members[] = {"keyid", "sig", NULL};
    uint8_t bytes[SIGNATURE_TEXT_MAX];
    size_t size;
    int r = pep_json_only(object, members, "envelope signature", err);
    if (r != PEP_OK)
        return r;
    const char *id, *sig;
    r = pep_json_string(object, "keyid", KEY_ID_TEXT_MAX, "envelope signature", &id, err);
    if (r == PEP_OK)
        r = pep_json_string(object, "sig", SIGNATURE_TEXT_MAX, "envelope signature", &sig, err);
    if (r != PEP_OK)
        return r;
    if (pep_base64_decode(pep_span_string(sig), bytes, &size) != PEP_OK)
        return pep_error_set(err, PEP_EFORMAT, "envelope signature: `sig` must be base64");
    if (size != PEP_SIGNATURE_SIZE || strlen(id) != PEP_KEY_ID_TEXT - 1)
        return PEP_OK;
    struct signature *s = &e->signatures[e->count++];
    memcpy(s->key_id, id, PEP_KEY_ID_TEXT);
    memcpy(s->bytes, bytes, PEP_SIGNATURE_SIZE);
    return PEP_OK;
}

static int read_signatures(const json_t *list, struct pep_envelope *e, struct pep_error *err)
{
    if (!json_is_array(list))
        return pep_error_set(err, PEP_EFORMAT, "envelope: `signatures` must be a list");
    if (json_array_size(list) > PEP_SIGNATURES_MAX)
        return pep_error_set(err, PEP_ELIMIT, "envelope: %zu signatures, at most %d",
                             json_array_size(list), PEP_SIGNATURES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        int r = read_signature(json_array_get(list, i), e, err);
        if (r != PEP_OK)
            return r;
    }
    return PEP_OK;
}

static int read_payload(const json_t *document, struct pep_envelope *e, struct pep_error *err)
{
    const json_t *text = json_object_get(document, "payload");
    if (!json_is_string(text))
        return pep_error_set(err, PEP_EFORMAT, "envelope: `payload` must be a string");
    struct pep_span s = pep_span_of(json_string_value(text), json_string_length(text));
    e->payload = malloc(pep_base64_room(s.size));
    if (e->payload == NULL)
        return pep_error_set(err, PEP_ENOMEM, "envelope: no memory");
    if (pep_base64_decode(s, e->payload, &e->payload_size) != PEP_OK)
        return pep_error_set(err, PEP_EFORMAT, "envelope: `payload` must be padded base64");
    if (e->payload_size > PEP_PAYLOAD_MAX)
        return pep_error_set(err, PEP_ELIMIT, "envelope: a payload of %zu bytes, at most %d",
                             e->payload_size, PEP_PAYLOAD_MAX);
    return PEP_OK;
}

static int read_type(const json_t *document, struct pep_envelope *e, struct pep_error *err)
{
    const char *type;
    int r = pep_json_string(document, "payloadType", TYPE_MAX, "envelope", &type, err);
    if (r == PEP_OK)
        memcpy(e->type, type, strlen(type) + 1);
    return r;
}

int pep_envelope_read(struct pep_span text, struct pep_envelope **ret, struct pep_error *err)
{
    static const char *const members[] = {"payload", "payloadType", "signatures", NULL};
    json_t *document = NULL;
    int r = pep_json_parse(text, PEP_ENVELOPE_MAX, "envelope", &document, err);
    if (r != PEP_OK)
        return r;
    struct pep_envelope *e = calloc(1, sizeof(*e));
    if (e == NULL)
        r = pep_error_set(err, PEP_ENOMEM, "envelope: no memory");
    if (r == PEP_OK)
        r = pep_json_only(document, members, "envelope", err);
    if (r == PEP_OK)
        r = read_type(document, e, err);
    if (r == PEP_OK)
        r = read_payload(document, e, err);
    if (r == PEP_OK)
        r = read_signatures(json_object_get(document, "signatures"), e, err);
    json_decref(document);
    if (r != PEP_OK) {
        pep_envelope_free(e);
        return r;
    }
    *ret = e;
    return PEP_OK;
}

void pep_envelope_free(struct pep_envelope *e)
{
    if (e == NULL)
        return;
    free(e->payload);
    free(e);
}

struct pep_span pep_envelope_unverified_payload(const struct pep_envelope *e)
{
    return pep_span_of(e->payload, e->payload_size);
}

/* ---- verifying ---- */

static const struct pep_public_key *find_key(const struct pep_signers *signers, const char *id)
{
    for (size_t i = 0; i < signers->count; i++) {
        if (strcmp(signers->keys[i].id, id) == 0)
            return &signers->keys[i];
    }
    return NULL;
}

struct tally {
    const struct pep_public_key *counted[PEP_SIGNATURES_MAX];
    size_t count;
};

static bool already_counted(const struct tally *t, const struct pep_public_key *key)
{
    for (size_t i = 0; i < t->count; i++) {
        if (memcmp(t->counted[i]->raw, key->raw, PEP_ED25519_SIZE) == 0)
            return true;
    }
    return false;
}

/* Counts different signers with a valid signature, until there are enough. */
static int count_signers(const struct pep_envelope *e, struct pep_span signed_bytes,
                         const struct pep_signers *signers, struct tally *t)
{
    for (size_t i = 0; i < e->count && t->count < signers->threshold; i++) {
        const struct pep_public_key *key = find_key(signers, e->signatures[i].key_id);
        if (key == NULL || already_counted(t, key))
            continue;
        int r = pep_public_key_verify(key, signed_bytes, e->signatures[i].bytes);
        if (r == PEP_OK)
            t->counted[t->count++] = key;
        else if (r != PEP_ESIGNATURE)
            return r;
    }
    return PEP_OK;
}

int pep_envelope_verify_signer(const struct pep_envelope *e, const char *type,
                               const struct pep_signers *signers, struct pep_verified *ret,
                               struct pep_error *err)
{
    struct tally tally = {{NULL}, 0};
    if (strcmp(e->type, type) != 0)
        return pep_error_set(err, PEP_EFORMAT, "envelope: holds %.64s, not %s", e->type, type);
    if (signers->threshold == 0 || signers->threshold > PEP_SIGNATURES_MAX)
        return pep_error_set(err, PEP_ESIGNATURE, "envelope: no key may sign this");
    struct pep_span payload = pep_span_of(e->payload, e->payload_size);
    struct pep_buffer pae = pep_buffer_of(PEP_ENVELOPE_MAX);
    pep_put_pae(&pae, type, payload);
    int r = pae.failed ? PEP_ENOMEM : count_signers(e, pep_buffer_span(&pae), signers, &tally);
    pep_buffer_free(&pae);
    if (r != PEP_OK)
        return pep_error_set(err, r, "envelope: no memory");
    if (tally.count < signers->threshold)
        return pep_error_set(err, PEP_ESIGNATURE,
                             "envelope: valid signatures by %zu of the keys that may sign this, "
                             "%u needed",
                             tally.count, signers->threshold);
    *ret = (struct pep_verified){payload, tally.counted[0]};
    return PEP_OK;
}

int pep_envelope_verify(const struct pep_envelope *e, const char *type,
                        const struct pep_signers *signers, struct pep_span *ret_payload,
                        struct pep_error *err)
{
    struct pep_verified verified;
    int r = pep_envelope_verify_signer(e, type, signers, &verified, err);
    if (r == PEP_OK)
        *ret_payload = verified.payload;
    return r;
}

int pep_compact_verify(struct pep_span message, const char *type, const struct pep_signers *signers,
                       struct pep_span *ret_body)
{
    if (message.size < PEP_SIGNATURE_SIZE || message.size > PEP_PAYLOAD_MAX)
        return PEP_EFORMAT;
    if (signers->threshold != 1)
        return PEP_ESIGNATURE;
    struct pep_span body = pep_span_of(message.data, message.size - PEP_SIGNATURE_SIZE);
    struct pep_buffer pae = pep_buffer_of(PEP_ENVELOPE_MAX);
    pep_put_pae(&pae, type, body);
    int r = pae.failed ? PEP_ENOMEM : PEP_ESIGNATURE;
    for (size_t i = 0; i < signers->count && r == PEP_ESIGNATURE; i++)
        r = pep_public_key_verify(&signers->keys[i], pep_buffer_span(&pae),
                                  message.data + body.size);
    pep_buffer_free(&pae);
    if (r == PEP_OK)
        *ret_body = body;
    return r;
}
