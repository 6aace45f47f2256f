/* See revocations.h. */
#include "revocations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES 8 /* when other operators revoke at the same time */
/* The newest number seen is remembered beside the heads of bundles, under a name that no bundle can
 * have. */
#define SEEN "revoked tokens"

/* ---- what this machine has seen ---- */

static int remember(struct session *s, const struct remote *r, const struct pep_revocations *list)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct head head = {1, pep_revocations_number(list), {0}};
    if (head.version == 0)
        return EXIT_OK;
    memcpy(head.digest, pep_revocations_digest(list), sizeof(head.digest));
    return heads_store(remote_context(r)->name, SEEN, &head, &err) == PEP_OK
               ? EXIT_OK
               : session_failed(s, &err, "");
}

/* pdpd may not know less than it once showed this machine; with `renew` the next step is numbered
 * above both. */
static int compare_seen(struct session *s, struct remote *r, bool renew,
                        struct pep_revocations *list)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct head seen = {0, 0, {0}};
    uint64_t number = pep_revocations_number(list);
    if (heads_load(remote_context(r)->name, SEEN, &seen, &err) != PEP_OK)
        return session_failed(s, &err, "");
    bool other = number == seen.version && number != 0 &&
                 memcmp(seen.digest, pep_revocations_digest(list), sizeof(seen.digest)) != 0;
    if (number >= seen.version && !other)
        return remember(s, r, list);
    if (renew) {
        pep_revocations_skip(list, seen.version);
        return EXIT_OK;
    }
    return output_error(&s->out, EXIT_FAILED,
                        "pdpd is at step %llu of the revoked tokens, but this machine has seen "
                        "%llu%s\n%s (context %s)\n"
                        "pdpd was restored from a backup, or hides a step\n"
                        "if you know why: policyctl token revoke --renew, then revoke again what "
                        "was lost",
                        (unsigned long long)number, (unsigned long long)seen.version,
                        other ? " with other content" : "", remote_endpoint(r),
                        remote_context(r)->name);
}

/* ---- the list that pdpd has ---- */

static int not_signed(struct session *s, struct remote *r, const char *why)
{
    return output_error(&s->out, EXIT_FAILED,
                        "pdpd's list does not verify: %s\n%s (context %s)\n"
                        "if the root was changed since: policyctl token revoke --renew signs it "
                        "anew, as it is\n"
                        "if not, somebody has changed pdpd's data",
                        why, remote_endpoint(r), remote_context(r)->name);
}

/* The root before `root`: one that `root` follows, whatever pdpd says. */
static int root_before(struct session *s, struct remote *r, const struct pep_root *root,
                       struct pep_root **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct reply reply = REPLY_INIT;
    struct pep_root *old = NULL, *again = NULL;
    json_int_t version = (json_int_t)pep_root_version(root) - 1;
    int rc = remote_call(r, json_pack("{s:s, s:I}", "op", "root.get", "version", version), NO_BYTES,
                         &reply);
    if (rc != EXIT_OK)
        return rc;
    if (pep_root_open(pep_span_of(reply.bytes, reply.size), NULL, &old, &err) != PEP_OK ||
        pep_root_follow(old, pep_root_envelope(root), &again, &err) != PEP_OK)
        rc = not_signed(s, r, pep_error_text(&err));
    pep_root_free(again);
    reply_free(&reply);
    if (rc != EXIT_OK) {
        pep_root_free(old);
        return rc;
    }
    *ret = old;
    return EXIT_OK;
}

/* A list whose signer the root no longer names, taken over as it is: an older root named it. Takes
 * `root`. */
static int adopt_older(struct session *s, struct remote *r, struct pep_root *root,
                       const struct pep_span parts[2], struct pep_revocations **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    int rc = EXIT_OK, found = PEP_ESIGNATURE;
    while (rc == EXIT_OK && found == PEP_ESIGNATURE && pep_root_version(root) > 1) {
        struct pep_root *old = NULL;
        rc = root_before(s, r, root, &old);
        if (rc != EXIT_OK)
            break;
        pep_root_free(root);
        root = old;
        struct pep_signers signers = pep_root_revokers(root);
        found = pep_revocations_adopt(parts[0], parts[1], 0, &signers, ret, &err);
    }
    pep_root_free(root);
    if (rc != EXIT_OK || found == PEP_OK)
        return rc;
    return not_signed(s, r, err.code == PEP_OK ? "no root names its signer" : pep_error_text(&err));
}

static int read_list(struct session *s, struct remote *r, const struct pep_root *root, bool renew,
                     const struct reply *reply, struct pep_revocations **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_signers signers = pep_root_revokers(root);
    const json_t *number = json_object_get(reply->json, "number");
    json_int_t step = json_integer_value(json_object_get(reply->json, "step"));
    if (!json_is_integer(number) || step < 0 || (uint64_t)step > reply->size)
        return reply_malformed(r, "step");
    if (json_integer_value(number) == 0)
        return pep_revocations_none(ret) == PEP_OK
                   ? EXIT_OK
                   : output_error(&s->out, EXIT_FAILED, "no memory");
    struct pep_span parts[2] = {pep_span_of(reply->bytes, (size_t)step),
                                pep_span_of(reply->bytes + step, reply->size - (size_t)step)};
    int rc = pep_revocations_adopt(parts[0], parts[1], 0, &signers, ret, &err);
    if (rc == PEP_ESIGNATURE && renew) {
        struct pep_root *newest = NULL;
        if (pep_root_open(pep_root_envelope(root), NULL, &newest, &err) != PEP_OK)
            return session_failed(s, &err, "");
        return adopt_older(s, r, newest, parts, ret);
    }
    return rc == PEP_OK ? EXIT_OK : not_signed(s, r, pep_error_text(&err));
}

int revocations_load(struct session *s, struct remote *r, const struct pep_root *root, bool renew,
                     struct pep_revocations **ret)
{
    struct reply reply = REPLY_INIT;
    struct pep_revocations *list = NULL;
    int rc = remote_call(r, json_pack("{s:s}", "op", "token.list"), NO_BYTES, &reply);
    if (rc == EXIT_OK)
        rc = read_list(s, r, root, renew, &reply, &list);
    reply_free(&reply);
    if (rc == EXIT_OK)
        rc = compare_seen(s, r, renew, list);
    if (rc != EXIT_OK) {
        pep_revocations_free(list);
        return rc;
    }
    *ret = list;
    return EXIT_OK;
}

/* ---- the next step ---- */

static int sign(struct session *s, const struct revocations_request *request,
                const struct pep_private_key *key, const struct pep_revocations *list,
                struct pep_buffer *out)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    int rc =
        pep_revocation_step_write(list, time(NULL), request->entries, request->count, &body, &err);
    if (rc == PEP_OK && pep_compact_sign(PEP_TYPE_REVOKED, pep_buffer_span(&body), key, out) != 0)
        rc = pep_error_set(&err, PEP_ENOMEM, "no memory");
    pep_buffer_free(&body);
    return rc == PEP_OK ? EXIT_OK : session_failed(s, &err, "policyctl token revoke --list");
}

/* The list as every service will have it: what they would refuse is not sent. */
static int follow(struct session *s, const struct pep_root *root,
                  const struct pep_revocations *list, struct pep_span step,
                  struct pep_revocations **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_signers signers = pep_root_revokers(root);
    return pep_revocations_follow(list, step, &signers, ret, &err) == PEP_OK
               ? EXIT_OK
               : session_failed(s, &err, "policyctl doctor");
}

static int upload(struct remote *r, const struct pep_revocations *list, struct pep_span step,
                  struct reply *ret)
{
    char digest[PEP_DIGEST_TEXT] = "";
    if (pep_revocations_number(list) != 0)
        pep_digest_text(pep_revocations_digest(list), digest);
    return remote_ask(r,
                      json_pack("{s:s, s:I, s:s}", "op", "token.revoke", "number",
                                (json_int_t)pep_revocations_number(list), "digest", digest),
                      step, ret);
}

struct adding {
    struct session *s;
    struct remote *r;
    const struct pep_root *root;
    const struct revocations_request *request;
    struct pep_private_key *key;
    bool again; /* in: whether one more try is left; out: somebody else was first */
};

static int try_once(struct adding *a, struct pep_revocations **ret)
{
    struct pep_revocations *list = NULL, *next = NULL;
    struct pep_buffer step = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    struct reply reply = REPLY_INIT;
    int rc = revocations_load(a->s, a->r, a->root, a->request->renew, &list);
    if (rc == EXIT_OK)
        rc = sign(a->s, a->request, a->key, list, &step);
    if (rc == EXIT_OK)
        rc = follow(a->s, a->root, list, pep_buffer_span(&step), &next);
    if (rc == EXIT_OK)
        rc = upload(a->r, list, pep_buffer_span(&step), &reply);
    a->again = rc == EXIT_OK && a->again && reply_is(&reply, "conflict");
    if (rc == EXIT_OK && !a->again)
        rc = reply_good(&reply) ? remember(a->s, a->r, next) : reply_refused(a->r, &reply);
    if (rc == EXIT_OK && !a->again) {
        *ret = next;
        next = NULL;
    }
    reply_free(&reply);
    pep_buffer_free(&step);
    pep_revocations_free(list);
    pep_revocations_free(next);
    return rc;
}

static int not_authorised(struct session *s, const struct pep_error *err)
{
    if (err->code != PEP_ENOTFOUND && err->code != PEP_EDENIED)
        return session_failed(s, err, "policyctl key list");
    return output_error(
        &s->out, EXIT_NOT_AUTHORISED,
        "not authorised: %s\n\n"
        "policyctl root show says whose keys may; policyctl key list, which are here",
        pep_error_text(err));
}

int revocations_add(struct session *s, struct remote *r, const struct pep_root *root,
                    const struct revocations_request *request, struct pep_revocations **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct adding a = {s, r, root, request, NULL, true};
    if (keyring_choose_revoker(root, request->key, &a.key, &err) != PEP_OK)
        return not_authorised(s, &err);
    int rc = EXIT_OK;
    for (int left = TRIES; a.again && rc == EXIT_OK; left--) {
        a.again = left > 1;
        rc = try_once(&a, ret);
    }
    pep_private_key_free(a.key);
    return rc;
}
