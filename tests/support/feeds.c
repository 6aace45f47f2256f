/* What a server tells beside bundles: see feeds.h. */
#include "tests/support/feeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool fine, const char *what, const struct pep_error *err)
{
    if (fine)
        return;
    fprintf(stderr, "feeds: %s: %s\n", what, err == NULL ? "no memory" : pep_error_text(err));
    exit(3);
}

struct pep_revocation feeds_entry(enum pep_revocation_kind kind, const char *issuer,
                                  const char *value, int64_t until)
{
    struct pep_revocation e = {.kind = (uint8_t)kind, .until = until};
    must(pep_revocation_key(kind, pep_span_string(issuer), pep_span_string(value), e.key) == PEP_OK,
         value, NULL);
    return e;
}

struct pep_buffer feeds_step(const struct pep_revocations *current, int64_t created,
                             const struct pep_revocation *entries, size_t count,
                             const struct pep_private_key *key)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    struct pep_buffer out = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    must(pep_revocation_step_write(current, created, entries, count, &body, &err) == PEP_OK, "step",
         &err);
    must(pep_compact_sign(PEP_TYPE_REVOKED, pep_buffer_span(&body), key, &out) == PEP_OK, "signing",
         NULL);
    pep_buffer_free(&body);
    return out;
}

struct pep_revocations *feeds_follow(const struct pep_revocations *current,
                                     const struct pep_buffer *step, const struct pep_root *root)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_signers signers = pep_root_revokers(root);
    struct pep_revocations *next = NULL;
    must(pep_revocations_follow(current, pep_buffer_span(step), &signers, &next, &err) == PEP_OK,
         "list", &err);
    return next;
}

void feeds_revoke(const struct fixture *f, struct pep_revocations **list,
                  const struct pep_revocation *entry)
{
    struct pep_buffer step =
        feeds_step(*list, FIXTURE_CREATED, entry, entry == NULL ? 0 : 1, f->policy_key);
    struct pep_revocations *next = feeds_follow(*list, &step, f->root);
    pep_buffer_free(&step);
    pep_revocations_free(*list);
    *list = next;
}

struct pep_buffer feeds_keys(const struct feeds_keys_head *head, const struct feeds_keys *keys,
                             size_t count, const struct pep_private_key *key)
{
    struct pep_keys m = {
        .bundle = "acme", .seq = head->seq, .issued_at = head->issued_at, .count = (uint8_t)count};
    struct pep_buffer body = pep_buffer_of(PEP_REPLY_MAX), out = pep_buffer_of(PEP_REPLY_MAX);
    memcpy(m.nonce, head->nonce, sizeof(m.nonce));
    for (size_t i = 0; i < count; i++) {
        must(pep_sha256(pep_span_string(keys[i].issuer), m.issuers[i].issuer) == PEP_OK, "issuer",
             NULL);
        m.issuers[i].fetched_at = keys[i].fetched_at;
        m.issuers[i].jwks = pep_span_string(keys[i].jwks);
    }
    pep_keys_write(&m, &body);
    must(!body.failed &&
             pep_compact_sign(PEP_TYPE_KEYS, pep_buffer_span(&body), key, &out) == PEP_OK,
         "keys", NULL);
    pep_buffer_free(&body);
    return out;
}
