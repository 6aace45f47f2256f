/* Comparing two policies: see policy_diff.h. */
#include "policy_diff.h"

#include "pep/core/engine_check.h"
#include "pep/core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFF_TEXT_MAX   (4 * PEP_SOURCE_MAX)
#define DIFF_DATA_LINES 20 /* shown for one data file */
#define DIFF_VALUE_MAX  80

/* What a change of one part of a head does to the requests that a rule applies to. */
enum reach { SAME, WIDER, NARROWER, OTHER };

struct pair {
    const struct policy_source *from, *to;
    json_t *changes;
};

static void add_change(struct pair *p, const char *change, const char *what, const char *name,
                       const char *effect, json_t *details)
{
    json_array_append_new(p->changes,
                          json_pack("{s:s, s:s, s:s, s:s?, s:o}", "change", change, "what", what,
                                    "name", name, "effect", effect, "details", details));
}

/* ---- heads ---- */

static bool has_text(const struct pep_strings *s, const char *text)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->items[i], text) == 0)
            return true;
    }
    return false;
}

static bool resource_within(const char *item, const struct pep_strings *set)
{
    char type[PEP_RESOURCE_MAX + 1];
    snprintf(type, sizeof(type), "%.*s", (int)strcspn(item, ":"), item);
    return has_text(set, item) || has_text(set, type) || has_text(set, "*");
}

enum part { PART_ACTION, PART_RESOURCE, PART_ROLE, PART_NAME, PART_COUNT };

/* Every request that passes by `item` passes by `set`. */
static bool item_within(const struct policy_source *p, enum part part, const char *item,
                        const struct pep_strings *set)
{
    switch (part) {
    case PART_RESOURCE:
        return resource_within(item, set);
    case PART_ROLE:
        for (size_t i = 0; i < set->count; i++) {
            if (pep_check_role_includes(p->policy, item, set->items[i]))
                return true;
        }
        return has_text(set, item);
    case PART_ACTION:
        return has_text(set, item) || has_text(set, "*");
    default:
        return has_text(set, item);
    }
}

/* "any of"; an empty set is no condition. */
static bool any_within(const struct policy_source *p, enum part part, const struct pep_strings *a,
                       const struct pep_strings *b)
{
    if (b->count == 0)
        return true;
    for (size_t i = 0; i < a->count; i++) {
        if (!item_within(p, part, a->items[i], b))
            return false;
    }
    return a->count > 0;
}

static enum reach reach_of(bool old_in_new, bool new_in_old)
{
    if (old_in_new)
        return new_in_old ? SAME : WIDER;
    return new_in_old ? NARROWER : OTHER;
}

static enum reach compare_any(const struct pair *p, enum part part, const struct pep_strings *a,
                              const struct pep_strings *b)
{
    return reach_of(any_within(p->to, part, a, b), any_within(p->from, part, b, a));
}

static bool all_within(const struct pep_strings *a, const struct pep_strings *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (!has_text(a, b->items[i]))
            return false;
    }
    return true;
}

/* "all of": more names, fewer requests. */
static enum reach compare_all(const struct pep_strings *a, const struct pep_strings *b)
{
    return reach_of(all_within(a, b), all_within(b, a));
}

static bool same_texts(const struct pep_strings *a, const struct pep_strings *b)
{
    return a->count == b->count && all_within(a, b);
}

static void put_list(struct pep_buffer *out, const struct pep_strings *s)
{
    for (size_t i = 0; i < s->count; i++)
        pep_put_format(out, "%s%s", i == 0 ? "" : ", ", s->items[i]);
    if (s->count == 0)
        pep_put_format(out, "any");
}

static void add_detail(json_t *details, const char *name, const struct pep_strings *a,
                       const struct pep_strings *b)
{
    struct pep_buffer text = pep_buffer_of(DIFF_TEXT_MAX);
    pep_put_format(&text, "%s: ", name);
    put_list(&text, a);
    pep_put_format(&text, " -> ");
    put_list(&text, b);
    struct pep_span s = pep_buffer_span(&text);
    json_array_append_new(details, json_stringn((const char *)s.data, s.size));
    pep_buffer_free(&text);
}

static enum reach combine(enum reach a, enum reach b)
{
    if (a == SAME || b == SAME)
        return a == SAME ? b : a;
    return a == b ? a : OTHER;
}

static enum reach compare_heads(const struct pair *p, const struct pep_rule_info *a,
                                const struct pep_rule_info *b, json_t *details)
{
    const struct {
        const char *name;
        enum part part; /* PART_COUNT: all of */
        const struct pep_strings *a, *b;
    } parts[] = {{"action", PART_ACTION, &a->actions, &b->actions},
                 {"resource", PART_RESOURCE, &a->resources, &b->resources},
                 {"roles", PART_ROLE, &a->roles, &b->roles},
                 {"clients", PART_NAME, &a->clients, &b->clients},
                 {"issuers", PART_NAME, &a->issuers, &b->issuers},
                 {"scopes", PART_COUNT, &a->scopes, &b->scopes},
                 {"same", PART_COUNT, &a->same, &b->same}};
    enum reach total = SAME;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        enum reach r = parts[i].part == PART_COUNT
                           ? compare_all(parts[i].a, parts[i].b)
                           : compare_any(p, parts[i].part, parts[i].a, parts[i].b);
        if (!same_texts(parts[i].a, parts[i].b))
            add_detail(details, parts[i].name, parts[i].a, parts[i].b);
        total = combine(total, r);
    }
    return total;
}

/* ---- the rest of a rule ---- */

static struct pep_span content_of(const struct policy_source *p, const char *path)
{
    const struct pep_file *f = pep_files_find(p->files, path);
    return f == NULL ? pep_span_of(NULL, 0) : f->content;
}

static bool same_condition(const struct pair *p, const struct pep_rule_info *a,
                           const struct pep_rule_info *b)
{
    struct pep_buffer x = pep_buffer_of(DIFF_TEXT_MAX), y = pep_buffer_of(DIFF_TEXT_MAX);
    policy_diff_condition(content_of(p->from, a->file), a->line, &x);
    policy_diff_condition(content_of(p->to, b->file), b->line, &y);
    bool same = !x.failed && !y.failed && pep_span_equal(pep_buffer_span(&x), pep_buffer_span(&y));
    pep_buffer_free(&x);
    pep_buffer_free(&y);
    return same;
}

static enum reach compare_functions(const struct pair *p, const struct pep_rule_info *a,
                                    const struct pep_rule_info *b, json_t *details)
{
    if (a->has_function != b->has_function) {
        json_array_append_new(
            details, json_string(b->has_function ? "condition: added" : "condition: removed"));
        return b->has_function ? NARROWER : WIDER;
    }
    if (!a->has_function || (a->negated == b->negated && same_condition(p, a, b)))
        return SAME;
    json_array_append_new(details, json_string("condition: changed"));
    return OTHER;
}

static enum reach compare_text(const char *name, const char *a, const char *b, json_t *details)
{
    a = a == NULL ? "" : a;
    b = b == NULL ? "" : b;
    if (strcmp(a, b) == 0)
        return SAME;
    json_array_append_new(details, json_sprintf("%s: %s -> %s", name, a[0] == '\0' ? "none" : a,
                                                b[0] == '\0' ? "none" : b));
    return OTHER;
}

static const char *effect_name(enum pep_effect effect)
{
    return effect == PEP_EFFECT_ALLOW ? "allow" : effect == PEP_EFFECT_DENY ? "deny" : "challenge";
}

static void compare_rules(struct pair *p, const struct pep_rule_info *a,
                          const struct pep_rule_info *b)
{
    static const char *const words[] = {
        [WIDER] = "widened", [NARROWER] = "narrowed", [OTHER] = "changed"};
    json_t *details = json_array();
    enum reach r = compare_text("effect", effect_name(a->effect), effect_name(b->effect), details);
    r = combine(r, compare_heads(p, a, b, details));
    r = combine(r, compare_functions(p, a, b, details));
    r = combine(r, compare_text("oblige", a->obligations, b->obligations, details));
    compare_text("advise", a->advice, b->advice, details); /* told, but no matter of reach */
    compare_text("reason", a->reason, b->reason, details);
    if (r == SAME && json_array_size(details) > 0)
        r = OTHER; /* written otherwise, for the same requests */
    if (r == SAME)
        json_decref(details);
    else
        add_change(p, words[r], "rule", b->id, effect_name(b->effect), details);
}

static bool find_rule(const struct policy_source *p, const char *id, struct pep_rule_info *ret)
{
    for (size_t i = 0; i < pep_policy_rule_count(p->policy); i++) {
        if (pep_policy_rule(p->policy, i, ret) && strcmp(ret->id, id) == 0)
            return true;
    }
    return false;
}

static void compare_all_rules(struct pair *p)
{
    struct pep_rule_info a, b;
    for (size_t i = 0; i < pep_policy_rule_count(p->to->policy); i++) {
        if (!pep_policy_rule(p->to->policy, i, &b))
            continue;
        if (find_rule(p->from, b.id, &a))
            compare_rules(p, &a, &b);
        else
            add_change(p, "added", "rule", b.id, effect_name(b.effect), json_array());
    }
    for (size_t i = 0; i < pep_policy_rule_count(p->from->policy); i++) {
        if (pep_policy_rule(p->from->policy, i, &a) && !find_rule(p->to, a.id, &b))
            add_change(p, "removed", "rule", a.id, effect_name(a.effect), json_array());
    }
}

/* ---- files ---- */

static void value_text(const json_t *v, char out[DIFF_VALUE_MAX])
{
    char *text = v == NULL ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    snprintf(out, DIFF_VALUE_MAX, "%s", text == NULL ? "none" : text);
    free(text);
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

static bool same_code(struct pep_span a, struct pep_span b)
{
    struct pep_buffer x = pep_buffer_of(DIFF_TEXT_MAX), y = pep_buffer_of(DIFF_TEXT_MAX);
    policy_diff_tokens(a, &x);
    policy_diff_tokens(b, &y);
    bool same = !x.failed && !y.failed && pep_span_equal(pep_buffer_span(&x), pep_buffer_span(&y));
    pep_buffer_free(&x);
    pep_buffer_free(&y);
    return same;
}

/* True if a rule of this file is among the changes: then the file's change is told already. */
static bool rules_told(const struct pair *p, const char *path)
{
    size_t i;
    json_t *c;
    struct pep_rule_info info;
    json_array_foreach(p->changes, i, c)
    {
        const char *name = json_string_value(json_object_get(c, "name"));
        if (find_rule(p->to, name, &info) && strcmp(info.file, path) == 0)
            return true;
        if (find_rule(p->from, name, &info) && strcmp(info.file, path) == 0)
            return true;
    }
    return false;
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

static void compare_file(struct pair *p, const struct pep_file *a, const struct pep_file *b)
{
    const char *what = kind_of(b->path);
    bool json = strcmp(what, "data") == 0 || strcmp(what, "issuer") == 0;
    if (pep_span_equal(a->content, b->content))
        return;
    json_t *details = json ? data_details(a->content, b->content) : json_array();
    bool same = json ? json_array_size(details) == 0 : same_code(a->content, b->content);
    if (same || (strcmp(what, "code") == 0 && rules_told(p, b->path)))
        json_decref(details);
    else
        add_change(p, "changed", what, b->path, NULL, details);
}

/* Files of rules are told by their rules. */
static void compare_files(struct pair *p)
{
    for (size_t i = 0; i < pep_files_count(p->to->files); i++) {
        const struct pep_file *b = pep_files_at(p->to->files, i);
        const struct pep_file *a = pep_files_find(p->from->files, b->path);
        if (a != NULL)
            compare_file(p, a, b);
        else if (strcmp(kind_of(b->path), "code") != 0)
            add_change(p, "added", kind_of(b->path), b->path, NULL, json_array());
    }
    for (size_t i = 0; i < pep_files_count(p->from->files); i++) {
        const struct pep_file *a = pep_files_at(p->from->files, i);
        if (pep_files_find(p->to->files, a->path) == NULL && strcmp(kind_of(a->path), "code") != 0)
            add_change(p, "removed", kind_of(a->path), a->path, NULL, json_array());
    }
}

json_t *policy_diff(const struct policy_source *from, const struct policy_source *to)
{
    struct pair p = {from, to, json_array()};
    if (p.changes == NULL)
        return NULL;
    compare_all_rules(&p);
    compare_files(&p);
    return p.changes;
}
