/* context add, list, use: which pdpd, and with which operator key. See config.h for the files. */
#include "disk.h"
#include "keyring.h"

#include "pep/core/crypto.h"
#include "pep/core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATOR_FILE_MAX (64 * 1024)

struct context_add_settings {
    const char *root;
};

static const struct option_row add_rows[] = {
    {"root", 0, "FILE", OPTION_TEXT, offsetof(struct context_add_settings, root),
     "the root document that its services trust (policyctl root show --envelope)"},
    OPTION_END,
};
const struct option_set context_add_options = {sizeof(struct context_add_settings), add_rows};

static int store(const struct context *c, struct pep_span bytes, struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = config_make("contexts", err);
    if (rc == PEP_OK)
        rc = config_path(path, err, "contexts/%s.json", c->name);
    return rc != PEP_OK ? rc : disk_create(path, 0600, bytes, err);
}

/* The root beside the context: from --root, or from inside the file, as `operator add` writes it.
 * *ret stays NULL if there is none. */
static int find_root(const char *file, struct pep_span context, struct pep_root **ret,
                     struct pep_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    json_t *object = NULL;
    int rc = PEP_OK;
    if (file != NULL) {
        rc = disk_read(file, PEP_ROOT_MAX, &bytes, &size, err);
        while (rc == PEP_OK && size > 0 && bytes[size - 1] == '\n')
            size--;
        if (rc == PEP_OK)
            rc = pep_root_open(pep_span_of(bytes, size), NULL, ret, err);
        free(bytes);
        return rc;
    }
    rc = pep_json_parse(context, OPERATOR_FILE_MAX, "operator file", &object, err);
    const json_t *root = json_object_get(object, "root");
    if (rc == PEP_OK && json_is_string(root))
        rc = pep_root_open(pep_span_of(json_string_value(root), json_string_length(root)), NULL,
                           ret, err);
    json_decref(object);
    return rc;
}

static int store_all(const struct context *c, struct pep_span bytes, const struct pep_root *root,
                     struct pep_error *err)
{
    if (root != NULL && !pep_root_has_server(root, c->server_key))
        return pep_error_set(err, PEP_EINVAL, "the root does not name this pdpd's server key");
    int rc = store(c, bytes, err);
    if (rc == PEP_OK && root != NULL)
        rc = keyring_pin_root(c->name, root, true, err);
    return rc;
}

static int add(struct session *s, const char *name, const char *file, const char *root_file,
               struct pep_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct context c;
    struct pep_root *root = NULL;
    int rc = disk_read(file, OPERATOR_FILE_MAX, &bytes, &size, err);
    if (rc != PEP_OK)
        return rc;
    rc = context_read(pep_span_of(bytes, size), name, file, &c, err);
    if (rc == PEP_OK)
        rc = find_root(root_file, pep_span_of(bytes, size), &root, err);
    if (rc == PEP_OK)
        rc = store_all(&c, pep_span_of(bytes, size), root, err);
    pep_root_free(root);
    pep_wipe(bytes, size);
    free(bytes);
    if (rc != PEP_OK)
        return rc;
    context_wipe(&c);
    char current[NAME_LONGEST + 1];
    bool first = context_current(current, NULL) != PEP_OK;
    if (first)
        rc = context_make_current(name, err);
    if (rc == PEP_OK)
        output_note(&s->out, "context %s added: operator %s (%s) at %s%s", name, c.operator_name,
                    c.role, c.endpoints[0], first ? "; it is the current one" : "");
    return rc;
}

int context_add_run(struct session *s, const void *settings)
{
    const struct context_add_settings *o = settings;
    const char *name = s->operands[0];
    struct pep_error err = PEP_ERROR_INIT;
    if (!name_valid(name))
        return output_error(&s->out, EXIT_USAGE,
                            "`%s` is not a name for a context\n\n"
                            "small letters, digits, `.`, `-` and `_`, at most %d",
                            name, NAME_LONGEST);
    int rc = add(s, name, s->operands[1], o->root, &err);
    if (rc == PEP_ECONFLICT)
        return output_error(&s->out, EXIT_FAILED,
                            "there is a context `%s` already\n%s\nchoose another name", name,
                            pep_error_text(&err));
    if (rc != PEP_OK)
        return session_failed(s, &err,
                              "policyctl context add NAME DIR/operator.json, where DIR is pdpd's "
                              "data folder");
    return EXIT_OK;
}

static json_t *context_json(const struct context *c, bool current)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", c->name, "endpoint", c->endpoints[0],
                     "operator", c->operator_name, "role", c->role, "current", current);
}

static int list(struct session *s, const struct name_list *all)
{
    static const struct column columns[] = {{"CURRENT", false, false},  {"NAME", false, false},
                                            {"OPERATOR", false, false}, {"ROLE", false, false},
                                            {"ENDPOINT", false, false}, {NULL, false, false}};
    char current[NAME_LONGEST + 1] = "";
    if (context_current(current, NULL) != PEP_OK)
        current[0] = '\0';
    json_t *array = json_array();
    struct table *table = table_new(columns);
    for (size_t i = 0; i < all->count; i++) {
        struct context c;
        struct pep_error err = PEP_ERROR_INIT;
        if (context_load(all->names[i], &c, &err) != PEP_OK) {
            output_warning(&s->out, "%s", pep_error_text(&err));
            continue;
        }
        bool is_current = strcmp(current, c.name) == 0;
        json_array_append_new(array, context_json(&c, is_current));
        table_cell(table, "%s", is_current ? "*" : " ");
        table_cell(table, "%s", c.name);
        table_cell(table, "%s", c.operator_name);
        table_cell(table, "%s", c.role);
        table_cell(table, "%s", c.endpoints[0]);
        context_wipe(&c);
    }
    return output_list(&s->out, table, json_pack("{s:o}", "contexts", array));
}

int context_list_run(struct session *s, const void *settings)
{
    (void)settings;
    struct pep_error err = PEP_ERROR_INIT;
    struct name_list *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return output_error(&s->out, EXIT_FAILED, "no memory");
    int rc = config_names("contexts", ".json", all, &err);
    rc = rc == PEP_OK ? list(s, all) : session_failed(s, &err, "");
    free(all);
    return rc;
}

int context_use_run(struct session *s, const void *settings)
{
    (void)settings;
    struct context c;
    s->context = s->operands[0];
    int rc = session_context(s, &c);
    if (rc != EXIT_OK)
        return rc;
    struct pep_error err = PEP_ERROR_INIT;
    if (context_make_current(c.name, &err) != PEP_OK)
        rc = session_failed(s, &err, "");
    else
        output_note(&s->out, "%s is the current context", c.name);
    context_wipe(&c);
    return rc;
}
