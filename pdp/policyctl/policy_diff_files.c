/* What stands beside the rules: data, modules, schema, issuers and bundle.json. See policy_diff.h.
 * JSON is told by its members, Lua by its lines: what a changed role hierarchy means for a rule is
 * in the words of the rules already, since their heads are compared through it. */
#include "policy_diff.h"

#include "pep/core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFF_DATA_LINES 20 /* shown for one file */
#define DIFF_VALUE_MAX  80
#define DIFF_TOKENS_MAX (4 * PEP_SOURCE_MAX)

static void value_text(const json_t *v, char out[DIFF_VALUE_MAX])
{
    char *text = v == NULL ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    snprintf(out, DIFF_VALUE_MAX, "%s", text == NULL ? "none" : text);
    free(text);
}

/* A list of issuers by their names; NULL for any other list. */
static json_t *by_issuer(const json_t *list)
{
    size_t i;
    json_t *item, *object = json_object();
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "issuer"));
        if (name == NULL || json_object_set(object, name, item) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static bool list_has(const json_t *list, const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        if (json_equal(item, (json_t *)value))
            return true;
    }
    return false;
}

/* "path: without "x"" for each entry of `list` that `other` lacks. */
static void add_entries(const char *path, const char *word, const json_t *list, const json_t *other,
                        json_t *details)
{
    size_t i;
    json_t *item;
    char text[DIFF_VALUE_MAX];
    json_array_foreach((json_t *)list, i, item)
    {
        if (list_has(other, item) || json_array_size(details) >= DIFF_DATA_LINES)
            continue;
        value_text(item, text);
        json_array_append_new(
            details, json_sprintf("%s%s%s %s", path, path[0] == '\0' ? "" : ": ", word, text));
    }
}

static void compare_values(const char *path, const json_t *a, const json_t *b, json_t *details);

static void compare_lists(const char *path, const json_t *a, const json_t *b, json_t *details)
{
    json_t *x = by_issuer(a), *y = by_issuer(b);
    size_t before = json_array_size(details);
    if (x != NULL && y != NULL) {
        compare_values(path, x, y, details);
    } else {
        add_entries(path, "without", a, b, details);
        add_entries(path, "with", b, a, details);
    }
    if (json_array_size(details) == before)
        json_array_append_new(
            details, json_sprintf("%s%sin another order", path, path[0] == '\0' ? "" : ": "));
    json_decref(x);
    json_decref(y);
}

static void compare_values(const char *path, const json_t *a, const json_t *b, json_t *details)
{
    const char *key;
    json_t *member;
    char old[DIFF_VALUE_MAX], new[DIFF_VALUE_MAX], below[PEP_RESOURCE_MAX];
    if (json_equal((json_t *)a, (json_t *)b) || json_array_size(details) >= DIFF_DATA_LINES)
        return;
    if (json_is_object(a) && json_is_object(b)) {
        json_object_foreach((json_t *)a, key, member)
        {
            snprintf(below, sizeof(below), "%s%s%s", path, path[0] == '\0' ? "" : ".", key);
            compare_values(below, member, json_object_get(b, key), details);
        }
        json_object_foreach((json_t *)b, key, member)
        {
            snprintf(below, sizeof(below), "%s%s%s", path, path[0] == '\0' ? "" : ".", key);
            if (json_object_get(a, key) == NULL)
                compare_values(below, NULL, member, details);
        }
        return;
    }
    if (json_is_array(a) && json_is_array(b)) {
        compare_lists(path, a, b, details);
        return;
    }
    value_text(a, old);
    value_text(b, new);
    json_array_append_new(
        details, json_sprintf("%s%s%s -> %s", path, path[0] == '\0' ? "" : ": ", old, new));
}

static json_t *json_of(struct pep_span text)
{
    json_t *v = NULL;
    return pep_json_parse(text, PEP_DATA_MAX, "", &v, NULL) == PEP_OK ? v : NULL;
}

static json_t *data_details(struct pep_span a, struct pep_span b)
{
    json_t *details = json_array(), *old = json_of(a), *new = json_of(b);
    compare_values("", old, new, details);
    json_decref(old);
    json_decref(new);
    return details;
}

static int compare_spans(const void *a, const void *b)
{
    const struct pep_span *x = a, *y = b;
    size_t n = x->size < y->size ? x->size : y->size;
    int c = n == 0 ? 0 : memcmp(x->data, y->data, n);
    return c != 0 ? c : (x->size > y->size) - (x->size < y->size);
}

/* The lines of a source, without the white space around them; NULL without memory. */
static struct pep_span *lines_of(struct pep_span source, size_t *ret_count)
{
    size_t count = 1, n = 0;
    for (size_t i = 0; i < source.size; i++)
        count += source.data[i] == '\n';
    struct pep_span *lines = malloc(count * sizeof(*lines));
    const uint8_t *at = source.data;
    for (size_t i = 0; lines != NULL && i <= source.size; i++) {
        if (i < source.size && source.data[i] != '\n')
            continue;
        lines[n++] = policy_diff_trim(pep_span_of(at, (size_t)(source.data + i - at)));
        at = source.data + i + 1;
    }
    *ret_count = n;
    return lines;
}

/* Lines of one source that the other does not have, wherever they stand there. */
static void add_lines(struct pep_span source, struct pep_span other, char mark, json_t *details)
{
    size_t count, others, shown = 0;
    struct pep_span *lines = lines_of(source, &count), *there = lines_of(other, &others);
    if (there != NULL && others > 1)
        qsort(there, others, sizeof(*there), compare_spans);
    for (size_t i = 0; lines != NULL && there != NULL && i < count && shown < DIFF_DATA_LINES;
         i++) {
        if (lines[i].size == 0 ||
            bsearch(&lines[i], there, others, sizeof(*there), compare_spans) != NULL)
            continue;
        json_array_append_new(details,
                              json_sprintf("%c line %zu  %.*s", mark, i + 1, (int)lines[i].size,
                                           (const char *)lines[i].data));
        shown++;
    }
    free(lines);
    free(there);
}

static json_t *line_details(struct pep_span a, struct pep_span b)
{
    json_t *details = json_array();
    add_lines(a, b, '-', details);
    add_lines(b, a, '+', details);
    return details;
}

/* `read` is what of the sources counts. */
static bool same_code(struct pep_span a, struct pep_span b,
                      void (*read)(struct pep_span source, struct pep_buffer *out))
{
    struct pep_buffer x = pep_buffer_of(DIFF_TOKENS_MAX), y = pep_buffer_of(DIFF_TOKENS_MAX);
    read(a, &x);
    read(b, &y);
    bool same = !x.failed && !y.failed && pep_span_equal(pep_buffer_span(&x), pep_buffer_span(&y));
    pep_buffer_free(&x);
    pep_buffer_free(&y);
    return same;
}

static const char *kind_of(const char *path)
{
    if (strncmp(path, "data/", 5) == 0)
        return "data";
    if (strncmp(path, "lib/", 4) == 0)
        return "module";
    if (strcmp(path, "schema.lua") == 0)
        return "schema";
    return strcmp(path, "issuers.json") == 0 ? "issuer" : "code";
}

static void compare_file(struct policy_diff_pair *p, const struct pep_file *a,
                         const struct pep_file *b)
{
    const char *what = kind_of(b->path);
    bool json = strcmp(what, "data") == 0 || strcmp(what, "issuer") == 0;
    if (pep_span_equal(a->content, b->content))
        return;
    json_t *details =
        json ? data_details(a->content, b->content) : line_details(a->content, b->content);
    bool code = strcmp(what, "code") == 0; /* its rules are told as rules */
    bool same =
        json ? json_array_size(details) == 0
             : same_code(a->content, b->content, code ? policy_diff_rest : policy_diff_tokens);
    if (same)
        json_decref(details);
    else
        policy_diff_add(p, "changed", what, b->path, NULL, details);
}

/* Files of rules are told by their rules. */
void policy_diff_files(struct policy_diff_pair *p)
{
    for (size_t i = 0; i < pep_files_count(p->to->files); i++) {
        const struct pep_file *b = pep_files_at(p->to->files, i);
        const struct pep_file *a = pep_files_find(p->from->files, b->path);
        if (a != NULL)
            compare_file(p, a, b);
        else if (strcmp(kind_of(b->path), "code") != 0)
            policy_diff_add(p, "added", kind_of(b->path), b->path, NULL, json_array());
    }
    for (size_t i = 0; i < pep_files_count(p->from->files); i++) {
        const struct pep_file *a = pep_files_at(p->from->files, i);
        if (pep_files_find(p->to->files, a->path) == NULL && strcmp(kind_of(a->path), "code") != 0)
            policy_diff_add(p, "removed", kind_of(a->path), a->path, NULL, json_array());
    }
}

/* ---- bundle.json ---- */

static void add_setting(json_t *details, const char *name, uint64_t a, uint64_t b, const char *unit)
{
    if (a != b)
        json_array_append_new(details,
                              json_sprintf("%s: %llu -> %llu %s", name, (unsigned long long)a,
                                           (unsigned long long)b, unit));
}

/* A bundle carries the moment at which it ends, not the days that were asked for. */
static uint64_t expires_days(const struct policy_source *p)
{
    if (p->repository != NULL)
        return p->repository->expires_days;
    const struct pep_manifest *m = pep_bundle_manifest(p->bundle);
    return (uint64_t)((pep_manifest_expires(m) - pep_manifest_created(m) + 43200) / 86400);
}

static uint64_t max_stale(const struct policy_source *p)
{
    return p->repository != NULL ? p->repository->max_stale
                                 : pep_manifest_max_stale(pep_bundle_manifest(p->bundle));
}

void policy_diff_settings(struct policy_diff_pair *p)
{
    json_t *details = json_array();
    bool provisional =
        (p->from->bundle != NULL &&
         pep_manifest_provisional(pep_bundle_manifest(p->from->bundle))) ||
        (p->to->bundle != NULL && pep_manifest_provisional(pep_bundle_manifest(p->to->bundle)));
    if (strcmp(p->from->name, p->to->name) != 0)
        json_array_append_new(details, json_sprintf("name: %s -> %s", p->from->name, p->to->name));
    add_setting(details, "max_stale", max_stale(p->from), max_stale(p->to), "seconds");
    if (!provisional) /* a canary ends within a week, whatever was asked for */
        add_setting(details, "expires_days", expires_days(p->from), expires_days(p->to), "days");
    if (json_array_size(details) > 0)
        policy_diff_add(p, "changed", "settings", "bundle.json", NULL, details);
    else
        json_decref(details);
}
