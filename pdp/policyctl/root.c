/*
 * root init, root show: the document that says whose signature counts.
 *
 * `root init` makes version 1 from the keys of this machine and the two keys that pdpd tells over
 * the operator connection, whose server key the context already pins; shows it; uploads it; and
 * pins it for the context. pdpd takes a first root exactly once.
 */
#include "trust.h"

#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPIRES_DEFAULT ((int64_t)365 * 86400)
#define EXPIRES_LEAST   ((int64_t)86400)

struct root_init_settings {
    struct option_number expires;
};

static const struct option_row init_rows[] = {
    {"expires", 0, "D", OPTION_DURATION, offsetof(struct root_init_settings, expires),
     "how long the root is valid (default 365d)"},
    OPTION_END,
};
const struct option_set root_init_options = {sizeof(struct root_init_settings), init_rows};

static const char *text_of(const struct reply *reply, const char *name)
{
    return json_string_value(json_object_get(reply->json, name));
}

/* pdpd's part of the document. */
static int add_server(struct remote *r, const struct reply *info, struct pep_root_draft *draft)
{
    const char *server = text_of(info, "server_key"), *beacon = text_of(info, "beacon_key");
    uint8_t raw[64];
    size_t size = 0;
    if (server == NULL || strcmp(server, remote_context(r)->server_key) != 0)
        return reply_malformed(r, "server_key");
    if (beacon == NULL || strlen(beacon) > 64 ||
        pep_base64url_decode(pep_span_string(beacon), raw, &size) != PEP_OK ||
        size != PEP_ED25519_SIZE || draft->key_count == PEP_ROOT_KEYS)
        return reply_malformed(r, "beacon_key");
    size_t i = draft->key_count++;
    if (pep_public_key_from_raw(raw, &draft->keys[i].key) != PEP_OK)
        return reply_malformed(r, "beacon_key");
    snprintf(draft->keys[i].name, sizeof(draft->keys[i].name), "pdpd");
    draft->keys[i].roles[PEP_ROLE_BEACON] = true;
    draft->thresholds[PEP_ROLE_BEACON] = 1;
    snprintf(draft->servers[0], sizeof(draft->servers[0]), "%s", server);
    draft->server_count = 1;
    return EXIT_OK;
}

/* pdpd takes a first root only once; asking before signing gives the clearer message. */
static int ask_info(struct session *s, struct remote *r, struct reply *info)
{
    int rc = remote_call(r, json_pack("{s:s}", "op", "info"), NO_BYTES, info);
    if (rc != EXIT_OK || text_of(info, "installation") == NULL)
        return rc;
    rc =
        output_error(&s->out, EXIT_FAILED,
                     "this pdpd has a root already (version %lld); it takes a first one only once\n"
                     "%s (context %s)\npolicyctl root show",
                     (long long)json_integer_value(json_object_get(info->json, "root_version")),
                     remote_endpoint(r), remote_context(r)->name);
    reply_free(info);
    return rc;
}

static int make(struct session *s, struct remote *r, const struct reply *info, int64_t lifetime,
                struct pep_root **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    bool made = false;
    struct pep_root_draft *draft = calloc(1, sizeof(*draft));
    int rc = draft == NULL ? output_error(&s->out, EXIT_FAILED, "no memory") : EXIT_OK;
    if (rc == EXIT_OK && (keyring_ensure(KEYRING_POLICY, &made, &err) != PEP_OK ||
                          keyring_draft(draft, &err) != PEP_OK))
        rc = session_failed(s, &err, "policyctl key list");
    if (rc == EXIT_OK && made)
        output_note(&s->out, "made a root key and a policy key: policyctl key list");
    if (rc == EXIT_OK)
        rc = add_server(r, info, draft);
    if (rc == EXIT_OK) {
        draft->version = 1;
        draft->epoch = 1;
        draft->created = time(NULL);
        draft->expires = draft->created + lifetime;
        if (keyring_sign_root(draft, ret, &err) != PEP_OK)
            rc = session_failed(s, &err, "policyctl key list");
    }
    free(draft);
    return rc;
}

/* ---- showing one ---- */

static const struct {
    enum pep_role role;
    const char *name, *meaning;
} roles[] = {
    {PEP_ROLE_ROOT, "root", "may change this document"},
    {PEP_ROLE_POLICY, "policy", "may sign policies"},
    {PEP_ROLE_BEACON, "beacon", "says what is current"},
    {PEP_ROLE_REVOCATION, "revocation", "may revoke tokens"},
};

static json_t *root_json(const struct pep_root *root)
{
    char digest[PEP_DIGEST_TEXT];
    pep_digest_text(pep_root_digest(root), digest);
    json_t *keys = json_array(), *servers = json_array();
    for (size_t k = 0; k < sizeof(roles) / sizeof(roles[0]); k++) {
        struct pep_signers signers = pep_root_signers(root, roles[k].role);
        for (size_t i = 0; i < signers.count; i++)
            json_array_append_new(keys, json_pack("{s:s, s:s, s:s}", "role", roles[k].name, "name",
                                                  pep_root_key_name(root, signers.keys[i].id), "id",
                                                  signers.keys[i].id));
    }
    for (size_t i = 0; i < pep_root_server_count(root); i++)
        json_array_append_new(servers, json_string(pep_root_server(root, i)));
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:o, s:o}", "installation",
                     pep_root_installation(root), "version", (json_int_t)pep_root_version(root),
                     "epoch", (json_int_t)pep_root_epoch(root), "expires",
                     (json_int_t)pep_root_expires(root), "digest", digest, "keys", keys, "servers",
                     servers);
}

static void describe(const struct pep_root *root, FILE *to)
{
    char digest[PEP_DIGEST_TEXT], when[TIME_TEXT];
    pep_digest_text(pep_root_digest(root), digest);
    fprintf(to, "root version %lu, epoch %lu, until %s\n", (unsigned long)pep_root_version(root),
            (unsigned long)pep_root_epoch(root), time_text(pep_root_expires(root), when));
    fprintf(to, "  installation %s\n  digest       %s\n", pep_root_installation(root), digest);
    for (size_t k = 0; k < sizeof(roles) / sizeof(roles[0]); k++) {
        struct pep_signers signers = pep_root_signers(root, roles[k].role);
        for (size_t i = 0; i < signers.count; i++)
            fprintf(to, "  %-12s %.16s  %-12s %s, %u of %zu\n", roles[k].name, signers.keys[i].id,
                    pep_root_key_name(root, signers.keys[i].id), roles[k].meaning,
                    signers.threshold, signers.count);
    }
    for (size_t i = 0; i < pep_root_server_count(root); i++)
        fprintf(to, "  server       %s\n", pep_root_server(root, i));
}

/* Pinned before it is sent: an answer that is lost must not leave this machine without it. A clear
 * refusal takes the pin back. */
static int upload(struct session *s, struct remote *r, const struct pep_root *root)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct reply reply = REPLY_INIT;
    const char *context = remote_context(r)->name;
    if (keyring_pin_root(context, root, true, &err) != PEP_OK)
        return session_failed(s, &err, "");
    int rc =
        remote_ask(r, json_pack("{s:s}", "op", "root.upload"), pep_root_envelope(root), &reply);
    if (rc == EXIT_OK && !reply_good(&reply)) {
        rc = reply_refused(r, &reply);
        keyring_unpin_root(context);
    }
    reply_free(&reply);
    return rc;
}

/* A root that is pinned already was sent once, and the answer was lost; or pdpd lost its data. The
 * same document goes again, if it names this pdpd. */
static int pinned_again(struct session *s, struct remote *r, struct pep_root **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root *root = NULL;
    int rc = keyring_context_root(remote_context(r)->name, &root, &err);
    if (rc == PEP_ENOTFOUND)
        return EXIT_OK;
    if (rc != PEP_OK)
        return session_failed(s, &err, "");
    if (!pep_root_has_server(root, remote_context(r)->server_key)) {
        pep_root_free(root);
        return output_error(&s->out, EXIT_USAGE,
                            "a root of another pdpd is pinned for context `%s`\n\n"
                            "policyctl context add OTHER_NAME OPERATOR_JSON; policyctl root init "
                            "-c OTHER_NAME",
                            remote_context(r)->name);
    }
    *ret = root;
    return EXIT_OK;
}

int root_init_run(struct session *s, const void *settings)
{
    const struct root_init_settings *o = settings;
    int64_t lifetime = o->expires.given ? o->expires.value : EXPIRES_DEFAULT;
    struct remote *r = NULL;
    struct pep_root *root = NULL;
    if (lifetime < EXPIRES_LEAST)
        return output_error(&s->out, EXIT_USAGE, "a root must live for a day at least\n--expires");
    struct reply info = REPLY_INIT;
    int rc = remote_open(s, &r);
    if (rc == EXIT_OK)
        rc = ask_info(s, r, &info);
    if (rc == EXIT_OK)
        rc = pinned_again(s, r, &root);
    if (rc == EXIT_OK && root == NULL)
        rc = make(s, r, &info, lifetime, &root);
    if (rc == EXIT_OK)
        rc = upload(s, r, root);
    reply_free(&info);
    if (rc == EXIT_OK && s->out.format != OUTPUT_JSON)
        describe(root, stdout);
    if (rc == EXIT_OK && s->out.format == OUTPUT_JSON)
        rc = output_json(&s->out, root_json(root));
    if (rc == EXIT_OK)
        output_note(&s->out,
                    "pdpd and every service that joins now trust these keys; pinned for context "
                    "%s. Keep keys/root.key offline if you can. Next: policyctl push DIR",
                    remote_context(r)->name);
    pep_root_free(root);
    remote_close(r);
    return rc;
}

struct root_show_settings {
    bool envelope, local;
};

static const struct option_row show_rows[] = {
    {"envelope", 0, NULL, OPTION_FLAG, offsetof(struct root_show_settings, envelope),
     "the signed document itself, as `context add --root` and file mode take it"},
    {"local", 0, NULL, OPTION_FLAG, offsetof(struct root_show_settings, local),
     "this machine's own root, for work without a pdpd"},
    OPTION_END,
};
const struct option_set root_show_options = {sizeof(struct root_show_settings), show_rows};

static int load(struct session *s, bool local, struct pep_root **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct context c;
    if (local) {
        int rc = keyring_local_root(ret, &err);
        return rc == PEP_OK ? EXIT_OK : session_failed(s, &err, "policyctl key generate NAME");
    }
    int rc = session_context(s, &c);
    if (rc != EXIT_OK) {
        fputs("   = help: policyctl root show --local   (this machine's own root)\n", stderr);
        return rc;
    }
    context_wipe(&c);
    rc = keyring_context_root(c.name, ret, &err);
    if (rc == PEP_ENOTFOUND)
        return output_error(&s->out, EXIT_USAGE,
                            "no root is pinned for context `%s`\n\n"
                            "policyctl root init",
                            c.name);
    return rc == PEP_OK ? EXIT_OK : session_failed(s, &err, "policyctl root init");
}

int root_show_run(struct session *s, const void *settings)
{
    const struct root_show_settings *o = settings;
    struct pep_root *root = NULL;
    int rc = load(s, o->local, &root);
    if (rc != EXIT_OK)
        return rc;
    if (o->envelope) {
        struct pep_span text = pep_root_envelope(root);
        output_line("%.*s", (int)text.size, (const char *)text.data);
    } else if (s->out.format == OUTPUT_JSON) {
        rc = output_json(&s->out, root_json(root));
    } else {
        describe(root, stdout);
    }
    pep_root_free(root);
    return rc;
}
