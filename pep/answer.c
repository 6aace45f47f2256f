/* See answer.h. A decision owns one block: the two texts, and the parsed obligations once somebody
 * steps through them. */
#include "pep/answer.h"

#include "pep/core/json.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define OBLIGATIONS_TEXT_MAX (256 * 1024)

struct obligation {
    char *json;
    const char *type; /* borrowed from `parsed` */
};

struct owned {
    json_t *parsed; /* of the obligations; NULL until asked for */
    struct obligation *list;
    size_t count;
    char text[];
};

static void owned_free(struct owned *o)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < o->count; i++)
        free(o->list[i].json);
    free(o->list);
    if (o->parsed != NULL)
        json_decref(o->parsed);
    free(o);
}

void pep_decision_clear(pep_decision *decision)
{
    if (decision == NULL || !pep_decision_usable(decision))
        return;
    owned_free(decision->owned);
    decision->owned = NULL;
    decision->obligations = NULL;
    decision->advice = NULL;
}

static bool keep_texts(pep_decision *d, const char *obligations, const char *advice)
{
    if (obligations == NULL && advice == NULL)
        return true;
    size_t first = obligations == NULL ? 0 : strlen(obligations) + 1;
    size_t second = advice == NULL ? 0 : strlen(advice) + 1;
    struct owned *o = malloc(sizeof(*o) + first + second);
    if (o == NULL)
        return false;
    memset(o, 0, sizeof(*o));
    if (obligations != NULL)
        d->obligations = memcpy(o->text, obligations, first);
    if (advice != NULL)
        d->advice = memcpy(o->text + first, advice, second);
    d->owned = o;
    return true;
}

/* Cut at `size`, always ended. */
static void copy_text(char *out, size_t size, const char *text)
{
    if (text == NULL)
        out[0] = '\0';
    else if (memccpy(out, text, '\0', size) == NULL)
        out[size - 1] = '\0';
}

bool pep_decision_fill(pep_decision *d, const struct pep_verdict *verdict)
{
    if (d->owned != NULL)
        pep_decision_clear(d);
    d->obligations = NULL;
    d->advice = NULL;
    d->outcome = verdict->outcome;
    d->code = verdict->code;
    copy_text(d->rule, sizeof(d->rule), verdict->rule);
    copy_text(d->reason, sizeof(d->reason), verdict->reason);
    if (keep_texts(d, verdict->obligations, verdict->advice))
        return true;
    d->outcome = PEP_DENY;
    d->code = PEP_CODE_FAULT;
    copy_text(d->reason, sizeof(d->reason), "no memory");
    return false;
}

/* ---- stepping through ---- */

/* Without memory jansson may leave a byte out and say nothing: what does not read back is no text.
 */
static char *dump(const json_t *item)
{
    json_t *again = NULL;
    char *text = json_dumps(item, JSON_COMPACT);
    if (text != NULL && (pep_json_parse(pep_span_string(text), OBLIGATIONS_TEXT_MAX, "obligation",
                                        &again, NULL) != PEP_OK ||
                         !json_equal(again, item))) {
        free(text);
        text = NULL;
    }
    json_decref(again);
    return text;
}

static bool parse(struct owned *o, const char *text)
{
    json_t *parsed = NULL;
    if (pep_json_parse(pep_span_string(text), OBLIGATIONS_TEXT_MAX, "obligations", &parsed, NULL) !=
        PEP_OK)
        return false;
    size_t n = json_is_array(parsed) ? json_array_size(parsed) : 0;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* numbers have a point */
    locale_t before = uselocale(plain);
    o->list = n == 0 ? NULL : calloc(n, sizeof(*o->list));
    for (size_t i = 0; o->list != NULL && i < n; i++) {
        const json_t *item = json_array_get(parsed, i);
        const char *type = json_string_value(json_object_get(item, "type"));
        o->list[i].type = type != NULL ? type : "";
        o->list[i].json = dump(item);
        o->count = i + 1;
        if (o->list[i].json == NULL)
            break;
    }
    uselocale(before);
    if (plain != (locale_t)0)
        freelocale(plain);
    o->parsed = parsed;
    return o->count == n && (n == 0 || o->list[n - 1].json != NULL);
}

bool pep_next_obligation(pep_decision *decision, size_t *it, const char **type, const char **json)
{
    if (decision == NULL || it == NULL || !pep_decision_usable(decision) ||
        decision->obligations == NULL)
        return false;
    struct owned *o = decision->owned;
    if (o->parsed == NULL && !parse(o, decision->obligations))
        return false;
    if (*it >= o->count || o->list[*it].json == NULL)
        return false;
    if (type != NULL)
        *type = o->list[*it].type;
    if (json != NULL)
        *json = o->list[*it].json;
    ++*it;
    return true;
}
