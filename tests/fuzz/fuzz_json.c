/*
 * Our JSON reader against jansson's: both accept the same texts and make equal values, except where
 * ours is stricter on purpose (NUL bytes, depth, length of a number).
 */
#include "pep/core/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MAX_JSON 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_error_t je;
    json_t *ours = NULL, *theirs = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_json_parse(pep_span_of(data, size), SIZE_MAX_JSON, "input", &ours, &err);
    if ((ours != NULL) != (r == PEP_OK) || err.code != r || r == PEP_ENOMEM)
        abort();
    bool stricter = r == PEP_ELIMIT || size == 0 || memchr(data, 0, size) != NULL;
    if (!stricter)
        theirs = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &je);
    if (!stricter &&
        ((theirs != NULL) != (ours != NULL) || (ours != NULL && !json_equal(ours, theirs))))
        abort();
    json_decref(ours);
    json_decref(theirs);
    return 0;
}
