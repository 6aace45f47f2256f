/* Strict JSON over jansson: see json.h. */
#include "json.h"

#include <string.h>

/* Depth by scanning brackets outside strings, before the recursive parser sees the text. Counting
 * on malformed text is harmless: the parser refuses it afterwards. */
static bool too_deep(struct pep_span text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > PEP_JSON_DEPTH)
                return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

int pep_json_parse(struct pep_span text, size_t max_size, const char *what, json_t **ret,
                   struct pep_error *err)
{
    if (text.size > max_size)
        return pep_error_set(err, PEP_ELIMIT, "%s: %zu bytes, at most %zu", what, text.size,
                             max_size);
    if (text.size == 0)
        return pep_error_set(err, PEP_EFORMAT, "%s: empty", what);
    if (memchr(text.data, 0, text.size) != NULL)
        return pep_error_set(err, PEP_EFORMAT, "%s: a NUL byte in JSON", what);
    if (too_deep(text))
        return pep_error_set(err, PEP_ELIMIT, "%s: nested deeper than %d", what, PEP_JSON_DEPTH);
    json_error_t je;
    json_t *value = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &je);
    if (value == NULL && json_error_code(&je) == json_error_out_of_memory)
        return pep_error_set(err, PEP_ENOMEM, "%s: no memory", what);
    if (value == NULL)
        return pep_error_set(err, PEP_EFORMAT, "%s:%d:%d: %s", what, je.line, je.column, je.text);
    *ret = value;
    return PEP_OK;
}

int pep_json_string(const json_t *object, const char *name, size_t max, const char *what,
                    const char **ret, struct pep_error *err)
{
    const json_t *v = json_object_get(object, name);
    if (!json_is_string(v))
        return pep_error_set(err, PEP_EFORMAT, "%s: `%s` must be a string", what, name);
    if (json_string_length(v) > max)
        return pep_error_set(err, PEP_ELIMIT, "%s: `%s` is longer than %zu bytes", what, name, max);
    *ret = json_string_value(v);
    return PEP_OK;
}

const char *pep_json_text(const json_t *object, const char *name, size_t max, const char *what,
                          struct pep_error *err)
{
    const char *text = NULL;
    return pep_json_string(object, name, max, what, &text, err) == PEP_OK ? text : NULL;
}

int pep_json_integer(const json_t *object, const char *name, json_int_t min, json_int_t max,
                     const char *what, json_int_t *ret, struct pep_error *err)
{
    const json_t *v = json_object_get(object, name);
    if (!json_is_integer(v))
        return pep_error_set(err, PEP_EFORMAT, "%s: `%s` must be an integer", what, name);
    json_int_t i = json_integer_value(v);
    if (i < min || i > max)
        return pep_error_set(err, PEP_ELIMIT,
                             "%s: `%s` must be within %" JSON_INTEGER_FORMAT
                             " and %" JSON_INTEGER_FORMAT,
                             what, name, min, max);
    *ret = i;
    return PEP_OK;
}

int pep_json_only(const json_t *object, const char *const *names, const char *what,
                  struct pep_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return pep_error_set(err, PEP_EFORMAT, "%s: must be an object", what);
    json_object_foreach((json_t *)object, key, value)
    {
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], key) != 0)
            i++;
        if (names[i] == NULL)
            return pep_error_set(err, PEP_EFORMAT, "%s: unknown member `%.64s`", what, key);
    }
    return PEP_OK;
}
