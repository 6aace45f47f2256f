/*
 * token inspect: what the rules of a policy would read from these claims, and what they would miss.
 *
 * Which names rules read is known since the policy was compiled: those in heads and those in
 * functions. A rule whose function hands `sub` on to others may read more than can be told. The
 * values are those of the subject that the engine makes, so that this cannot differ from a
 * decision.
 */
#include "token.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX (64 * 1024)

/* ---- names ---- */

/* Counts one more rule that reads it. `names`: {"tenant": rules} */
static void note(json_t *names, const char *name, size_t size)
{
    char text[256];
    if (size >= sizeof(text))
        return;
    memcpy(text, name, size);
    text[size] = '\0';
    json_int_t n = json_integer_value(json_object_get(names, text));
    json_object_set_new(names, text, json_integer(n + 1));
}

static void note_rule(json_t *names, const struct pep_rule_info *rule)
{
    json_t *own = json_object();
    if (rule->roles.count > 0)
        note(own, "roles", 5);
    if (rule->scopes.count > 0)
        note(own, "scopes", 6);
    if (rule->clients.count > 0)
        note(own, "client", 6);
    if (rule->issuers.count > 0)
        note(own, "issuer", 6);
    for (size_t i = 0; i < rule->same.count; i++)
        note(own, rule->same.items[i], strlen(rule->same.items[i]));
    for (size_t i = 0; i < rule->reads.count; i++) {
        const char *read = rule->reads.items[i];
        if (strncmp(read, "sub.", 4) == 0)
            note(own, read + 4, strcspn(read + 4, "."));
    }
    const char *name;
    json_t *value;
    json_object_foreach(own, name, value)
    {
        note(names, name, strlen(name));
    }
    json_decref(own);
}

/* ---- values ---- */

static json_t *value_of(const struct pep_subject *subject, const char *name)
{
    struct pep_buffer text = pep_buffer_of(VALUE_MAX);
    json_t *value = NULL;
    if (subject != NULL && pep_subject_put(subject, pep_span_string(name), &text) && !text.failed)
        value = json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY, NULL);
    pep_buffer_free(&text);
    return value == NULL ? json_null() : value;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *list_of(json_t *names, const struct pep_subject *subject)
{
    size_t n = 0;
    const char **sorted = calloc(json_object_size(names) + 1, sizeof(*sorted)), *name;
    json_t *list = json_array(), *rules;
    json_object_foreach(names, name, rules)
    {
        if (sorted != NULL)
            sorted[n++] = name;
    }
    if (n > 0)
        qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:O}", "name",
                                              json_sprintf("sub.%s", sorted[i]), "value",
                                              value_of(subject, sorted[i]), "rules",
                                              json_object_get(names, sorted[i])));
    free(sorted);
    return list;
}

json_t *token_reads(const struct pep_policy *policy, const json_t *claims, json_t *warnings)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_subject *subject = NULL;
    struct pep_rule_info rule;
    json_t *names = json_object();
    if (pep_subject_from_claims(policy, claims, &subject, &err) != PEP_OK)
        json_array_append_new(warnings,
                              json_sprintf("no rule would see it: %s", pep_error_text(&err)));
    for (size_t i = 0; pep_policy_rule(policy, i, &rule); i++)
        note_rule(names, &rule);
    json_t *list = list_of(names, subject);
    uint32_t dropped = subject == NULL ? 0 : pep_subject_dropped_roles(subject);
    if (dropped > 0)
        json_array_append_new(
            warnings, json_sprintf("%u of its roles are not declared in schema.lua: no rule "
                                   "sees them",
                                   (unsigned)dropped));
    pep_subject_free(subject);
    json_decref(names);
    return list;
}
