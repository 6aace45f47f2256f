/* Comparing two policies: see policy_diff.h. */
#include "policy_diff.h"

#include "pep/core/engine_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFF_TEXT_MAX   (4 * PEP_SOURCE_MAX)
#define DIFF_CODE_LINES 12 /* shown of one condition */

/* What a change of one part of a head does to the requests that a rule applies to. */
enum reach { SAME, WIDER, NARROWER, OTHER };

/* What the change means for who gets through: a deny or challenge that applies to more requests
 * lets fewer pass. */
static const char *access_of(const char *change, const char *effect)
{
    bool more = strcmp(change, "widened") == 0 || strcmp(change, "added") == 0;
    bool less = strcmp(change, "narrowed") == 0 || strcmp(change, "removed") == 0;
    if (effect == NULL || (!more && !less))
        return NULL;
    return more == (strcmp(effect, "allow") == 0) ? "more" : "less";
}

void policy_diff_add(struct policy_diff_pair *p, const char *change, const char *what,
                     const char *name, const char *effect, json_t *details)
{
    json_array_append_new(p->changes,
                          json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:o}", "change", change, "what",
                                    what, "name", name, "effect", effect, "access",
                                    access_of(change, effect), "details", details));
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

/* Every name that `item` matches, `pattern` matches: both "type:seg/seg", where * is one segment.
 */
static bool pattern_covers(const char *pattern, const char *item)
{
    for (;;) {
        size_t n = strcspn(pattern, ":/"), m = strcspn(item, ":/");
        bool star = n == 1 && pattern[0] == '*';
        if (!star && (n != m || strncmp(pattern, item, n) != 0))
            return false;
        pattern += n;
        item += m;
        if (*pattern != *item)
            return false;
        if (*pattern == '\0')
            return true;
        pattern++;
        item++;
    }
}

static bool resource_within(const char *item, const struct pep_strings *set)
{
    char type[PEP_RESOURCE_MAX + 1], all[PEP_RESOURCE_MAX + 3];
    snprintf(type, sizeof(type), "%.*s", (int)strcspn(item, ":"), item);
    snprintf(all, sizeof(all), "%s:*", type);
    if (has_text(set, type) || has_text(set, all) || has_text(set, "*"))
        return true;
    for (size_t i = 0; i < set->count; i++) {
        if (strchr(item, ':') != NULL && pattern_covers(set->items[i], item))
            return true;
    }
    return has_text(set, item);
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

static enum reach compare_any(const struct policy_diff_pair *p, enum part part,
                              const struct pep_strings *a, const struct pep_strings *b)
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

static enum reach compare_heads(const struct policy_diff_pair *p, const struct pep_rule_info *a,
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

struct pep_span policy_diff_content(const struct policy_source *p, const char *path)
{
    const struct pep_file *f = pep_files_find(p->files, path);
    return f == NULL ? pep_span_of(NULL, 0) : f->content;
}

struct condition {
    struct pep_buffer tokens;
    int line, last_line;
};

static void read_condition(const struct policy_source *p, const struct pep_rule_info *r,
                           struct condition *ret)
{
    ret->tokens = pep_buffer_of(DIFF_TEXT_MAX);
    ret->line = ret->last_line = r->line;
    policy_diff_condition(policy_diff_content(p, r->file), r->line, &ret->tokens, &ret->line,
                          &ret->last_line);
}

/* "- policies/a.lua:7  when = function(sub) ..." for each line of the condition. */
static void add_lines(const struct policy_source *p, const struct pep_rule_info *r,
                      const struct condition *c, char mark, json_t *details)
{
    int shown = 0;
    for (int line = c->line; line <= c->last_line && shown < DIFF_CODE_LINES; line++, shown++) {
        struct pep_span text = policy_diff_line(policy_diff_content(p, r->file), line);
        json_array_append_new(details,
                              json_sprintf("%c %s:%d  %.*s", mark, r->file, line, (int)text.size,
                                           text.data == NULL ? "" : (const char *)text.data));
    }
    if (c->last_line - c->line >= DIFF_CODE_LINES)
        json_array_append_new(
            details, json_sprintf("%c %s:%d  ...", mark, r->file, c->line + DIFF_CODE_LINES));
}

static enum reach compare_functions(const struct policy_diff_pair *p, const struct pep_rule_info *a,
                                    const struct pep_rule_info *b, json_t *details)
{
    struct condition old, new;
    enum reach reach = SAME;
    read_condition(p->from, a, &old);
    read_condition(p->to, b, &new);
    bool same = !old.tokens.failed && !new.tokens.failed &&
                a->negated == b->negated &&pep_span_equal(pep_buffer_span(&old.tokens),
                                                          pep_buffer_span(&new.tokens));
    if (a->has_function != b->has_function)
        reach = b->has_function ? NARROWER : WIDER;
    else if (a->has_function && !same)
        reach = OTHER;
    if (reach != SAME) {
        json_array_append_new(details,
                              json_string(reach == NARROWER ? "condition: added"
                                          : reach == WIDER  ? "condition: removed"
                                                            : "condition: changed (function)"));
        if (a->has_function)
            add_lines(p->from, a, &old, '-', details);
        if (b->has_function)
            add_lines(p->to, b, &new, '+', details);
    }
    pep_buffer_free(&old.tokens);
    pep_buffer_free(&new.tokens);
    return reach;
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

static void compare_rules(struct policy_diff_pair *p, const struct pep_rule_info *a,
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
        policy_diff_add(p, words[r], "rule", b->id, effect_name(b->effect), details);
}

bool policy_diff_rule(const struct policy_source *p, const char *id, struct pep_rule_info *ret)
{
    for (size_t i = 0; i < pep_policy_rule_count(p->policy); i++) {
        if (pep_policy_rule(p->policy, i, ret) && strcmp(ret->id, id) == 0)
            return true;
    }
    return false;
}

static void compare_all_rules(struct policy_diff_pair *p)
{
    struct pep_rule_info a, b;
    for (size_t i = 0; i < pep_policy_rule_count(p->to->policy); i++) {
        if (!pep_policy_rule(p->to->policy, i, &b))
            continue;
        if (policy_diff_rule(p->from, b.id, &a))
            compare_rules(p, &a, &b);
        else
            policy_diff_add(p, "added", "rule", b.id, effect_name(b.effect), json_array());
    }
    for (size_t i = 0; i < pep_policy_rule_count(p->from->policy); i++) {
        if (pep_policy_rule(p->from->policy, i, &a) && !policy_diff_rule(p->to, a.id, &b))
            policy_diff_add(p, "removed", "rule", a.id, effect_name(a.effect), json_array());
    }
}

json_t *policy_diff(const struct policy_source *from, const struct policy_source *to)
{
    struct policy_diff_pair p = {from, to, json_array()};
    if (p.changes == NULL)
        return NULL;
    compare_all_rules(&p);
    policy_diff_settings(&p);
    policy_diff_files(&p);
    return p.changes;
}
