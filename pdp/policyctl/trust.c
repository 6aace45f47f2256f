/* See trust.h. */
#include "trust.h"

#include "heads.h"

#include <string.h>
#include <time.h>

/* No root is pinned: either pdpd has none yet, or this machine was never told. */
static int not_pinned(struct session *s, struct remote *r)
{
    struct reply reply = REPLY_INIT;
    int rc = remote_call(r, json_pack("{s:s}", "op", "info"), NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    bool has_root = json_is_string(json_object_get(reply.json, "installation"));
    reply_free(&reply);
    if (!has_root)
        return output_error(&s->out, EXIT_FAILED,
                            "this pdpd has no root yet: nobody has said whose signature counts\n"
                            "%s (context %s)\npolicyctl root init",
                            remote_endpoint(r), remote_context(r)->name);
    return output_error(&s->out, EXIT_USAGE,
                        "the root of this pdpd is not known on this machine\n%s (context %s)\n"
                        "where it is known: policyctl root show --envelope > root.json\n"
                        "here: policyctl context add NAME OPERATOR_JSON --root root.json",
                        remote_endpoint(r), remote_context(r)->name);
}

static int fetch_root(struct remote *r, uint32_t version, struct reply *ret)
{
    int rc =
        remote_call(r, json_pack("{s:s, s:I}", "op", "root.get", "version", (json_int_t)version),
                    NO_BYTES, ret);
    if (rc == EXIT_OK && ret->bytes == NULL) {
        reply_free(ret);
        return reply_malformed(r, "root");
    }
    return rc;
}

static int not_ours(struct session *s, struct remote *r, const char *why)
{
    return output_error(&s->out, EXIT_FAILED,
                        "pdpd's root does not follow from the one that is pinned: %s\n"
                        "%s (context %s)\n"
                        "another installation, or somebody replaced it: do not go on before you "
                        "know why (policyctl root show)",
                        why, remote_endpoint(r), remote_context(r)->name);
}

/* One step along the chain: *root becomes its successor and is pinned. */
static int step(struct session *s, struct remote *r, struct pep_root **root)
{
    struct reply reply = REPLY_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root *next = NULL;
    int rc = fetch_root(r, pep_root_version(*root) + 1, &reply);
    if (rc != EXIT_OK)
        return rc;
    if (pep_root_follow(*root, pep_span_of(reply.bytes, reply.size), &next, &err) != PEP_OK)
        rc = not_ours(s, r, pep_error_text(&err));
    else if (keyring_pin_root(remote_context(r)->name, next, true, &err) != PEP_OK)
        rc = session_failed(s, &err, "");
    reply_free(&reply);
    if (rc != EXIT_OK) {
        pep_root_free(next);
        return rc;
    }
    pep_root_free(*root);
    *root = next;
    return EXIT_OK;
}

static int newest_version(struct remote *r, json_int_t *ret)
{
    struct reply reply = REPLY_INIT;
    int rc = remote_call(r, json_pack("{s:s}", "op", "info"), NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    const json_t *version = json_object_get(reply.json, "root_version");
    *ret = json_is_integer(version) ? json_integer_value(version) : 0;
    reply_free(&reply);
    return EXIT_OK;
}

static int follow(struct session *s, struct remote *r, struct pep_root **root)
{
    json_int_t newest = 0;
    int rc = newest_version(r, &newest);
    if (rc != EXIT_OK)
        return rc;
    if (newest < pep_root_version(*root))
        return not_ours(s, r, newest == 0 ? "it has none" : "it is older");
    if (newest - pep_root_version(*root) > PEP_ROOT_CHAIN)
        return not_ours(s, r, "it is too many versions ahead");
    while (rc == EXIT_OK && pep_root_version(*root) < newest)
        rc = step(s, r, root);
    return rc;
}

int trust_root(struct session *s, struct remote *r, struct pep_root **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root *root = NULL;
    int rc = keyring_context_root(remote_context(r)->name, &root, &err);
    if (rc == PEP_ENOTFOUND)
        return not_pinned(s, r);
    if (rc != PEP_OK)
        return session_failed(s, &err, "policyctl context add NAME OPERATOR_JSON --root ROOT");
    rc = follow(s, r, &root);
    char when[TIME_TEXT];
    if (rc == EXIT_OK && pep_root_expired(root, time(NULL)))
        rc = output_error(&s->out, EXIT_FAILED,
                          "the root expired at %s: no service takes anything signed under it\n"
                          "context %s\nis this machine's clock right? policyctl doctor",
                          time_text(pep_root_expires(root), when), remote_context(r)->name);
    if (rc != EXIT_OK) {
        pep_root_free(root);
        return rc;
    }
    *ret = root;
    return EXIT_OK;
}

static int wrong_answer(struct session *s, struct remote *r, const char *what)
{
    return output_error(&s->out, EXIT_FAILED,
                        "pdpd's answer does not verify: %s\n%s (context %s)\n"
                        "nothing was done; if it stays, somebody has changed pdpd's data",
                        what, remote_endpoint(r), remote_context(r)->name);
}

/* The manifest that came along must say what the answer says. */
static int read_head(struct session *s, struct remote *r, const struct pep_root *root,
                     const struct reply *reply, const char *bundle, struct head *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_manifest *m = NULL;
    int rc = EXIT_OK;
    json_int_t version = json_integer_value(json_object_get(reply->json, "version"));
    if (pep_manifest_open(pep_span_of(reply->bytes, reply->size), root, time(NULL), &m, &err) !=
        PEP_OK)
        return wrong_answer(s, r, pep_error_text(&err));
    if (strcmp(pep_manifest_name(m), bundle) != 0)
        rc = wrong_answer(s, r, "another bundle's manifest");
    else if ((json_int_t)pep_manifest_version(m) != version)
        rc = wrong_answer(s, r, "another version's manifest");
    ret->epoch = pep_manifest_epoch(m);
    ret->version = pep_manifest_version(m);
    memcpy(ret->digest, pep_manifest_digest(m), PEP_SHA256_SIZE);
    pep_manifest_free(m);
    return rc;
}

/* pdpd may not know less than it once showed this machine: a version built on an old head would
 * have the number of another one, and services that know that one would refuse it. */
static int compare_seen(struct session *s, struct remote *r, const char *bundle,
                        const struct head *head)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct head seen = {0, 0, {0}};
    const char *context = remote_context(r)->name;
    if (heads_load(context, bundle, &seen, &err) != PEP_OK)
        return session_failed(s, &err, "");
    int order = pep_version_compare(head->epoch, head->version, seen.epoch, seen.version);
    bool other = order == 0 && memcmp(head->digest, seen.digest, sizeof(seen.digest)) != 0;
    if (heads_store(context, bundle, head, &err) != PEP_OK)
        return session_failed(s, &err, "");
    if (order >= 0 && !other)
        return EXIT_OK;
    char base[PEP_DIGEST_TEXT + 8] = "";
    if (head->version != 0) {
        memcpy(base, " --base ", 8);
        pep_digest_text(head->digest, base + 8);
    }
    return output_error(&s->out, EXIT_FAILED,
                        "pdpd is at version %llu of %s, but this machine has seen %llu%s\n"
                        "%s (context %s)\n"
                        "pdpd was restored from a backup, or hides a version\n"
                        "if you know why: policyctl build --version %llu%s -o FILE, then push it",
                        (unsigned long long)head->version, bundle, (unsigned long long)seen.version,
                        other ? " with other content" : "", remote_endpoint(r), context,
                        (unsigned long long)seen.version + 1, base);
}

int trust_head(struct session *s, struct remote *r, const struct pep_root *root, const char *bundle,
               struct head *ret)
{
    struct reply reply = REPLY_INIT;
    struct head head = {0, 0, {0}};
    int rc =
        remote_ask(r, json_pack("{s:s, s:s}", "op", "head", "bundle", bundle), NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    const json_t *version = json_object_get(reply.json, "version");
    bool none = reply_is(&reply, "not_found") || (reply_good(&reply) && json_is_integer(version) &&
                                                  json_integer_value(version) == 0);
    if (!none && !reply_good(&reply))
        rc = reply_refused(r, &reply);
    else if (!none && (reply.bytes == NULL || !json_is_integer(version)))
        rc = reply_malformed(r, "version");
    else if (!none)
        rc = read_head(s, r, root, &reply, bundle, &head);
    reply_free(&reply);
    if (rc == EXIT_OK)
        rc = compare_seen(s, r, bundle, &head);
    if (rc == EXIT_OK)
        *ret = head;
    return rc;
}

int trust_bundle(struct session *s, struct remote *r, const struct pep_root *root,
                 const char *bundle, uint64_t version, struct pep_bundle **ret)
{
    struct reply reply = REPLY_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_bundle *b = NULL;
    int rc = remote_call(
        r,
        json_pack("{s:s, s:s, s:I}", "op", "get", "bundle", bundle, "version", (json_int_t)version),
        NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    if (reply.bytes == NULL)
        rc = reply_malformed(r, "bundle");
    else if (pep_bundle_open(pep_span_of(reply.bytes, reply.size), root, time(NULL), &b, &err) !=
             PEP_OK)
        rc = wrong_answer(s, r, pep_error_text(&err));
    else if (strcmp(pep_manifest_name(pep_bundle_manifest(b)), bundle) != 0 ||
             (version != 0 && pep_manifest_version(pep_bundle_manifest(b)) != version))
        rc = wrong_answer(s, r, "another bundle or version than was asked for");
    reply_free(&reply);
    if (rc != EXIT_OK) {
        pep_bundle_free(b);
        return rc;
    }
    *ret = b;
    return EXIT_OK;
}
