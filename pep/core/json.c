/* Members of parsed JSON, checked: see json.h; json_read.c parses. */
#include "json.h"

#include <string.h>

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
