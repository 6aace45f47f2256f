/*
 * service enrol, service join: how a service gets its identity.
 *
 * The token is composed here, not by pdpd: server key and root digest come from this machine's
 * context, so a pdpd that was taken over cannot make services trust something else. pdpd learns the
 * secret's SHA-256 only. The token alone goes to stdout; everything else to stderr.
 */
#include "trust.h"

#include "pep/core/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TTL_DEFAULT 3600
#define LABELS_MAX  32
#define LABEL_MAX   63

struct service_enrol_settings {
    const char *bundle;
    struct option_list labels;
    struct option_number ttl, uses;
    bool ephemeral;
};

static const struct option_row enrol_rows[] = {
    {"bundle", 'b', "B", OPTION_TEXT, offsetof(struct service_enrol_settings, bundle),
     "the bundle that the service decides by"},
    {"label", 'l', "K=V", OPTION_LIST, offsetof(struct service_enrol_settings, labels),
     "a label for choosing services later; may be repeated"},
    {"ttl", 0, "D", OPTION_DURATION, offsetof(struct service_enrol_settings, ttl),
     "how long the token may be used (default 1h)"},
    {"uses", 0, "N", OPTION_NUMBER, offsetof(struct service_enrol_settings, uses),
     "how many instances may use it (default 1)"},
    {"ephemeral", 0, NULL, OPTION_FLAG, offsetof(struct service_enrol_settings, ephemeral),
     "its instances come and go, as pods do"},
    OPTION_END,
};
const struct option_set service_enrol_options = {sizeof(struct service_enrol_settings), enrol_rows};

/* [A-Za-z0-9._-], 1 to 63 characters. */
static bool label_part(const char *text, size_t n)
{
    return n >= 1 && n <= LABEL_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") >= n;
}

static int read_labels(struct session *s, const struct option_list *list, json_t **ret)
{
    json_t *labels = json_object();
    for (size_t i = 0; i < list->count; i++) {
        const char *text = list->items[i], *equals = strchr(text, '=');
        if (equals == NULL || !label_part(text, (size_t)(equals - text)) ||
            !label_part(equals + 1, strlen(equals + 1)) || list->count > LABELS_MAX) {
            json_decref(labels);
            return output_error(&s->out, EXIT_USAGE,
                                "`%s` is not a label\n--label\nKEY=VALUE of letters, digits, `.`, "
                                "`_` and `-`, at most %d labels",
                                text, LABELS_MAX);
        }
        char key[LABEL_MAX + 1];
        snprintf(key, sizeof(key), "%.*s", (int)(equals - text), text);
        json_object_set_new(labels, key, json_string(equals + 1));
    }
    *ret = labels;
    return EXIT_OK;
}

/* The enrol addresses that pdpd tells. A false one costs a failed join: the server key is pinned.
 */
static int add_endpoints(struct remote *r, struct pep_enrol_token *token)
{
    struct reply info = REPLY_INIT;
    int rc = remote_call(r, json_pack("{s:s}", "op", "info"), NO_BYTES, &info);
    if (rc != EXIT_OK)
        return rc;
    const json_t *list = json_object_get(json_object_get(info.json, "endpoints"), "enrol");
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        const char *text = json_string_value(item);
        if (text == NULL || strlen(text) > PEP_ENDPOINT_MAX ||
            token->endpoint_count == PEP_ENDPOINTS)
            break;
        snprintf(token->endpoints[token->endpoint_count++], PEP_ENDPOINT_MAX + 1, "%s", text);
    }
    reply_free(&info);
    return token->endpoint_count == 0 ? reply_malformed(r, "endpoints") : EXIT_OK;
}

static int compose(struct session *s, struct remote *r, const char *bundle,
                   struct pep_enrol_token *token)
{
    struct pep_root *root = NULL;
    uint8_t id[16];
    int rc = trust_root(s, r, &root);
    if (rc != EXIT_OK)
        return rc;
    memcpy(token->root_sha256, pep_root_digest(root), PEP_SHA256_SIZE);
    pep_root_free(root);
    if (pep_random(id, sizeof(id)) != PEP_OK ||
        pep_random(token->secret, sizeof(token->secret)) != PEP_OK)
        return output_error(&s->out, EXIT_FAILED, "no random bytes from the system");
    pep_hex_encode(id, sizeof(id), token->id);
    snprintf(token->server_key, sizeof(token->server_key), "%s", remote_context(r)->server_key);
    snprintf(token->bundle, sizeof(token->bundle), "%s", bundle);
    return add_endpoints(r, token);
}

/* Tells pdpd about the token. Steals `labels`. */
static int announce(struct session *s, struct remote *r, const struct service_enrol_settings *o,
                    json_t *labels, const struct pep_enrol_token *token, json_int_t *ret_expires)
{
    uint8_t digest[PEP_SHA256_SIZE];
    char hex[2 * PEP_SHA256_SIZE + 1];
    struct reply reply = REPLY_INIT;
    if (pep_sha256(pep_span_of(token->secret, sizeof(token->secret)), digest) != PEP_OK) {
        json_decref(labels);
        return output_error(&s->out, EXIT_FAILED, "no memory");
    }
    pep_hex_encode(digest, sizeof(digest), hex);
    json_t *request =
        json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:b, s:s, s:s}", "op", "service.enrol", "name",
                  s->operands[0], "bundle", o->bundle, "labels", labels, "ttl",
                  (json_int_t)(o->ttl.given ? o->ttl.value : TTL_DEFAULT), "uses",
                  (json_int_t)(o->uses.given ? o->uses.value : 1), "ephemeral", o->ephemeral, "id",
                  token->id, "secret_sha256", hex);
    int rc = remote_call(r, request, NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    *ret_expires = json_integer_value(json_object_get(reply.json, "expires"));
    reply_free(&reply);
    return EXIT_OK;
}

/* A misspelt bundle would leave the service without a policy for ever, so it is worth a word. */
static int warn_if_unpublished(struct session *s, struct remote *r, const char *bundle)
{
    struct reply reply = REPLY_INIT;
    int rc =
        remote_call(r, json_pack("{s:s, s:s}", "op", "head", "bundle", bundle), NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    if (json_integer_value(json_object_get(reply.json, "version")) == 0)
        output_note(&s->out,
                    "nothing is published as %s yet: until it is, the service denies everything "
                    "(policyctl status lists bundles)",
                    bundle);
    reply_free(&reply);
    return EXIT_OK;
}

static int print_token(struct session *s, const struct service_enrol_settings *o,
                       const struct pep_enrol_token *token, json_int_t expires)
{
    struct pep_buffer text = pep_buffer_of(PEP_ENROL_MAX);
    char when[TIME_TEXT];
    int rc = pep_enrol_token_write(token, &text);
    struct pep_span span = pep_buffer_span(&text);
    if (rc != PEP_OK || text.failed) {
        rc = output_error(&s->out, EXIT_FAILED, "the token could not be written: %s",
                          pep_strerror(rc));
    } else if (s->out.format == OUTPUT_JSON) {
        rc = output_json(&s->out, json_pack("{s:s%, s:s, s:s, s:I}", "token", span.data, span.size,
                                            "service", s->operands[0], "bundle", o->bundle,
                                            "expires", expires));
    } else {
        rc = EXIT_OK;
        output_line("%.*s", (int)span.size, (const char *)span.data);
        output_note(&s->out,
                    "good until %s; on the service's host: policyctl service join TOKEN --dir DIR",
                    time_text(expires, when));
    }
    if (text.data != NULL)
        pep_wipe(text.data, text.size);
    pep_buffer_free(&text);
    return rc;
}

int service_enrol_run(struct session *s, const void *settings)
{
    const struct service_enrol_settings *o = settings;
    struct pep_enrol_token token = {.endpoint_count = 0};
    struct remote *r = NULL;
    json_t *labels = NULL;
    json_int_t expires = 0;
    if (!name_valid(s->operands[0]))
        return output_error(&s->out, EXIT_USAGE,
                            "`%s` is not the name of a service\n\n"
                            "small letters, digits, `.`, `-` and `_`, at most %d",
                            s->operands[0], NAME_LONGEST);
    if (o->bundle == NULL || !pep_bundle_name_valid(pep_span_string(o->bundle)))
        return output_error(&s->out, EXIT_USAGE,
                            "which bundle should %s decide by?\n\n"
                            "policyctl service enrol %s --bundle B; policyctl status lists bundles",
                            s->operands[0], s->operands[0]);
    int rc = read_labels(s, &o->labels, &labels);
    if (rc != EXIT_OK)
        return rc;
    rc = remote_open(s, &r);
    if (rc == EXIT_OK)
        rc = compose(s, r, o->bundle, &token);
    if (rc == EXIT_OK) {
        rc = announce(s, r, o, labels, &token, &expires);
        labels = NULL;
    }
    if (rc == EXIT_OK)
        rc = print_token(s, o, &token, expires);
    if (rc == EXIT_OK)
        rc = warn_if_unpublished(s, r, o->bundle);
    pep_wipe(&token, sizeof(token));
    json_decref(labels);
    remote_close(r);
    return rc;
}
