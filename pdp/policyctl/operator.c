/*
 * operator add, list, revoke: who may command pdpd. The key pair is made here; pdpd gets the public
 * half, and a context file for the new operator is written, with the root that services trust
 * inside, so that one file and `context add` are all that the other person needs.
 */
#include "keyring.h"
#include "remote.h"

#include "disk.h"

#include "pep/core/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct operator_add_settings {
    const char *role, *file;
};

static const struct option_row add_rows[] = {
    {"role", 'r', "ROLE", OPTION_TEXT, offsetof(struct operator_add_settings, role),
     "viewer, rollout or admin"},
    {"file", 'f', "FILE", OPTION_TEXT, offsetof(struct operator_add_settings, file),
     "where to write the context file (default NAME.operator.json)"},
    OPTION_END,
};
const struct option_set operator_add_options = {sizeof(struct operator_add_settings), add_rows};

static int check_role(struct session *s, const char *role)
{
    static const char *const roles[] = {"viewer", "rollout", "admin"};
    for (size_t i = 0; role != NULL && i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(roles[i], role) == 0)
            return EXIT_OK;
    }
    return output_error(&s->out, EXIT_USAGE,
                        "%s%s%s\n--role\nviewer (reads), rollout (pushes) or admin (everything)",
                        role == NULL ? "which role?" : "no role `", role == NULL ? "" : role,
                        role == NULL ? "" : "`");
}

static json_t *context_file(const struct remote *r, const char *name, const char *role,
                            const char *public_key, const char *secret_key)
{
    const struct context *c = remote_context(r);
    struct pep_root *root = NULL;
    json_t *endpoints = json_array();
    for (size_t i = 0; i < c->endpoint_count; i++)
        json_array_append_new(endpoints, json_string(c->endpoints[i]));
    json_t *o = json_pack("{s:o, s:s, s:s, s:s, s:s, s:s}", "endpoints", endpoints, "server_key",
                          c->server_key, "name", name, "role", role, "public_key", public_key,
                          "secret_key", secret_key);
    if (o != NULL && keyring_context_root(c->name, &root, NULL) == PEP_OK) {
        struct pep_span text = pep_root_envelope(root);
        json_object_set_new(o, "root", json_stringn((const char *)text.data, text.size));
    }
    pep_root_free(root);
    return o;
}

/* The file first: an operator whose key is lost would have to be revoked. Steals `content`. */
static int write_file(struct session *s, const char *path, json_t *content)
{
    struct pep_error err = PEP_ERROR_INIT;
    char *text = content == NULL ? NULL : json_dumps(content, JSON_INDENT(2));
    json_decref(content);
    if (text == NULL)
        return output_error(&s->out, EXIT_FAILED, "no memory");
    int rc = disk_create(path, 0600, pep_span_string(text), &err);
    pep_wipe(text, strlen(text));
    free(text);
    return rc == PEP_OK ? EXIT_OK : session_failed(s, &err, "policyctl operator add --file FILE");
}

static int add(struct session *s, struct remote *r, const char *role, const char *path)
{
    char public_key[PEP_Z85_SIZE + 1], secret_key[PEP_Z85_SIZE + 1];
    const char *name = s->operands[0];
    struct reply reply = REPLY_INIT;
    if (remote_new_keys(public_key, secret_key) != PEP_OK)
        return output_error(&s->out, EXIT_FAILED, "no new key pair: libzmq lacks CURVE");
    int rc = write_file(s, path, context_file(r, name, role, public_key, secret_key));
    pep_wipe(secret_key, sizeof(secret_key));
    if (rc != EXIT_OK)
        return rc;
    rc = remote_call(r,
                     json_pack("{s:s, s:s, s:s, s:s}", "op", "operator.add", "name", name, "role",
                               role, "public_key", public_key),
                     NO_BYTES, &reply);
    reply_free(&reply);
    if (rc != EXIT_OK) {
        remove(path);
        return rc;
    }
    if (s->out.format == OUTPUT_JSON)
        return output_json(&s->out, json_pack("{s:s, s:s, s:s, s:s}", "name", name, "role", role,
                                              "key", public_key, "file", path));
    output_line("%s", path);
    output_note(&s->out,
                "%s may now act as %s. Hand the file over in secret; there: policyctl context add "
                "NAME FILE",
                name, role);
    return EXIT_OK;
}

int operator_add_run(struct session *s, const void *settings)
{
    const struct operator_add_settings *o = settings;
    char path[NAME_LONGEST + 32];
    struct remote *r = NULL;
    if (!name_valid(s->operands[0]))
        return output_error(&s->out, EXIT_USAGE,
                            "`%s` is not a name for an operator\n\n"
                            "small letters, digits, `.`, `-` and `_`, at most %d",
                            s->operands[0], NAME_LONGEST);
    int rc = check_role(s, o->role);
    if (rc == EXIT_OK)
        rc = remote_open(s, &r);
    snprintf(path, sizeof(path), "%s.operator.json", s->operands[0]);
    if (rc == EXIT_OK)
        rc = add(s, r, o->role, o->file == NULL ? path : o->file);
    remote_close(r);
    return rc;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

int operator_list_run(struct session *s, const void *settings)
{
    (void)settings;
    static const struct column columns[] = {
        {"NAME", false, false},  {"ROLE", false, false}, {"STATE", false, false},
        {"ADDED", false, false}, {"KEY", true, false},   {NULL, false, false},
    };
    struct reply reply = REPLY_INIT;
    int rc = remote_once(s, json_pack("{s:s}", "op", "operator.list"), &reply);
    if (rc != EXIT_OK)
        return rc;
    json_t *operators = json_object_get(reply.json, "operators");
    struct table *t = table_new(columns);
    size_t i;
    json_t *v;
    char when[TIME_TEXT];
    json_array_foreach(operators, i, v)
    {
        table_cell(t, "%s", text_of(v, "name"));
        table_cell(t, "%s", text_of(v, "role"));
        table_cell(t, "%s", text_of(v, "state"));
        table_cell(t, "%s", time_text(json_integer_value(json_object_get(v, "added")), when));
        table_cell(t, "%s", text_of(v, "key"));
    }
    rc = output_list(&s->out, t, json_pack("{s:O}", "operators", operators));
    reply_free(&reply);
    return rc;
}

int operator_revoke_run(struct session *s, const void *settings)
{
    (void)settings;
    struct reply reply = REPLY_INIT;
    int rc = remote_once(
        s, json_pack("{s:s, s:s}", "op", "operator.revoke", "name", s->operands[0]), &reply);
    if (rc == EXIT_OK)
        output_note(&s->out, "operator %s is revoked: its key opens nothing any more",
                    s->operands[0]);
    reply_free(&reply);
    return rc;
}
