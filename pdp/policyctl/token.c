/* Reading what the token verbs are given: see token.h. */
#include "token.h"
#include "config.h"
#include "disk.h"

#include "pep/core/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int read_file(const char *file, size_t max, uint8_t **ret, size_t *ret_size,
                     struct pep_error *err)
{
    if (strcmp(file, "-") == 0)
        return disk_read_stdin(max, ret, ret_size, err);
    return disk_read(file, max, ret, ret_size, err);
}

int token_load(struct session *s, const char *file, uint8_t **ret, size_t *ret_size)
{
    struct pep_error err = PEP_ERROR_INIT;
    uint8_t *text = NULL;
    size_t size = 0;
    int rc = read_file(file, TOKEN_FILE_MAX, &text, &size, &err);
    if (rc == PEP_ELIMIT)
        return token_refused(s, &err);
    if (rc != PEP_OK)
        return session_failed(s, &err, "name a file that holds the token, or - for standard input");
    if (size > 0 && text[size - 1] == '\n')
        size--;
    if (size > 0 && text[size - 1] == '\r')
        size--;
    *ret = text;
    *ret_size = size;
    return EXIT_OK;
}

static int parse_object(struct session *s, struct pep_span text, const char *what, json_t **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    json_t *value = NULL;
    int rc = pep_json_parse(text, JSON_FILE_MAX, what, &value, &err);
    if (rc == PEP_OK && !json_is_object(value)) {
        json_decref(value);
        rc = pep_error_set(&err, PEP_EFORMAT, "%s: must be a JSON object", what);
    }
    if (rc != PEP_OK)
        return output_error(&s->out, EXIT_USAGE, "%s", pep_error_text(&err));
    *ret = value;
    return EXIT_OK;
}

int token_load_json(struct session *s, const char *file, json_t **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    uint8_t *text = NULL;
    size_t size = 0;
    if (read_file(file, JSON_FILE_MAX, &text, &size, &err) != PEP_OK)
        return session_failed(s, &err, "");
    int rc = parse_object(s, pep_span_of(text, size), file, ret);
    pep_wipe(text, size); /* it may be a private key */
    free(text);
    return rc;
}

int token_read_json(struct session *s, const char *option, const char *text, json_t **ret)
{
    if (text[0] == '@')
        return token_load_json(s, text + 1, ret);
    return parse_object(s, pep_span_string(text), option, ret);
}

int token_load_keys(struct session *s, const char *file, json_t **ret)
{
    json_t *document = NULL;
    int rc = token_load_json(s, file, &document);
    if (rc != EXIT_OK)
        return rc;
    if (json_object_get(document, "keys") == NULL && json_object_get(document, "kty") != NULL)
        document = json_pack("{s:[o]}", "keys", document);
    if (document == NULL)
        return output_error(&s->out, EXIT_FAILED, "no memory");
    *ret = document;
    return EXIT_OK;
}

int64_t token_now(const struct option_number *at)
{
    return at->given ? at->value : (int64_t)time(NULL);
}

int token_refused(struct session *s, const struct pep_error *err)
{
    return output_error(&s->out, EXIT_NOT_ALLOWED, "the token is not valid: %s",
                        pep_error_text(err));
}
