/*
 * issuers.json into an immutable table: see issuers.h.
 *
 * The parsed JSON document stays alive beside the table and owns every string; the table only
 * points into it. Copying each string was rejected: it doubles the ways to run out of memory half
 * way and gains nothing, since nobody writes to the document any more.
 */
#include "issuers_read.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (1024 * 1024)

struct pep_issuers {
    json_t *document;
    struct pep_issuer *items;
    size_t count;
};

bool pep_strings_has(const struct pep_strings *s, struct pep_span value)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *item = s->items[middle];
        size_t size = strlen(item);
        int order = memcmp(item, value.data == NULL ? (const uint8_t *)"" : value.data,
                           size < value.size ? size : value.size);
        if (order == 0)
            order = size < value.size ? -1 : size > value.size;
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Takes the document, also on failure. */
static int build_table(struct pep_issuer_reader *r, json_t *document, struct pep_issuers **ret)
{
    size_t n = json_array_size(document);
    struct pep_issuers *table = calloc(1, sizeof(*table));
    if (table != NULL)
        table->document = document;
    else
        json_decref(document);
    if (table == NULL || (table->items = calloc(n + 1, sizeof(*table->items))) == NULL) {
        pep_issuers_free(table);
        pep_issuer_no_memory(r);
        return r->result;
    }
    for (size_t i = 0; i < n && r->result != PEP_ENOMEM; i++) {
        r->index = i;
        table->items[i].index = i;
        pep_issuer_read(r, json_array_get(document, i), table->items, i);
        table->count++;
    }
    pep_issuer_warn_unlimited(r, table->items, table->count);
    if (r->result != PEP_OK)
        pep_issuers_free(table);
    else
        *ret = table;
    return r->result;
}

/* The line in "FILE:LINE:COLUMN: text", or 0. */
static int line_in(const char *text, const char *file)
{
    size_t size = strlen(file);
    bool starts = strncmp(text, file, size) == 0 && text[size] == ':';
    return starts ? (int)strtol(text + size + 1, NULL, 10) : 0;
}

int pep_issuers_read(struct pep_span text, const char *file, struct pep_issuers **ret,
                     struct pep_diags *diags, struct pep_error *err)
{
    struct pep_issuer_reader r = {.file = file, .text = text, .diags = diags, .err = err};
    struct pep_error parse = PEP_ERROR_INIT;
    json_t *document = NULL;
    if (text.size == 0)
        return build_table(&r, NULL, ret);
    int result = pep_json_parse(text, FILE_SIZE_MAX, file, &document, &parse);
    if (result == PEP_OK &&
        (!json_is_array(document) || json_array_size(document) > PEP_ISSUERS_MAX)) {
        json_decref(document);
        result = pep_error_set(&parse, PEP_EFORMAT, "%s: must be an array of at most %d issuers",
                               file, PEP_ISSUERS_MAX);
    }
    if (result == PEP_ENOMEM)
        pep_issuer_no_memory(&r);
    if (result != PEP_OK && result != PEP_ENOMEM) {
        pep_diag_add(diags, "E401", file, line_in(parse.text, file), NULL, "%s", parse.text);
        r.result = pep_error_set(err, result, "%s", parse.text);
    }
    return r.result == PEP_OK ? build_table(&r, document, ret) : r.result;
}

/* NULL without memory, or if a text is not UTF-8. */
static json_t *array_of(const char *const *texts)
{
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && texts != NULL && texts[i] != NULL; i++) {
        if (json_array_append_new(array, json_string(texts[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Every algorithm: the keys decide. */
static json_t *all_algorithms(void)
{
    const char *names[PEP_ALG_COUNT] = {NULL};
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++)
        names[alg - 1] = pep_alg_name(alg);
    return array_of(names);
}

int pep_issuers_single(const char *issuer, const char *const *audiences, const json_t *jwks,
                       struct pep_issuers **ret, struct pep_error *err)
{
    struct pep_issuer_reader r = {.file = "keys", .err = err};
    json_t *values = array_of(audiences), *algorithms = all_algorithms();
    json_t *document = json_pack("[{s:s, s:o, s:o, s:O}]", "issuer", issuer, "audiences", values,
                                 "algorithms", algorithms, "jwks", (json_t *)jwks);
    if (document == NULL)
        return pep_error_set(err, PEP_EINVAL, "issuer and audiences must be valid UTF-8");
    return build_table(&r, document, ret);
}

void pep_issuers_free(struct pep_issuers *issuers)
{
    if (issuers == NULL)
        return;
    for (size_t i = 0; i < issuers->count; i++)
        pep_issuer_clear(&issuers->items[i]);
    free(issuers->items);
    json_decref(issuers->document);
    free(issuers);
}

size_t pep_issuers_count(const struct pep_issuers *issuers)
{
    return issuers == NULL ? 0 : issuers->count;
}

const struct pep_issuer *pep_issuers_at(const struct pep_issuers *issuers, size_t i)
{
    return i < pep_issuers_count(issuers) ? &issuers->items[i] : NULL;
}

const struct pep_issuer *pep_issuers_find(const struct pep_issuers *issuers, struct pep_span name)
{
    for (size_t i = 0; i < pep_issuers_count(issuers); i++) {
        if (pep_span_is(name, issuers->items[i].name))
            return &issuers->items[i];
    }
    return NULL;
}

bool pep_issuers_list(const struct pep_issuers *issuers, enum pep_alg alg)
{
    uint32_t listed = 0;
    for (size_t i = 0; i < pep_issuers_count(issuers); i++)
        listed |= issuers->items[i].algorithms;
    return (listed & 1U << alg) != 0;
}

bool pep_issuers_relay(const struct pep_issuers *issuers)
{
    for (size_t i = 0; i < pep_issuers_count(issuers); i++) {
        if (issuers->items[i].keys == NULL)
            return true;
    }
    return false;
}

const struct pep_jwks *pep_issuer_keys(const struct pep_issuer *issuer,
                                       const struct pep_relayed *relayed, int64_t now)
{
    if (issuer->keys != NULL || relayed == NULL)
        return issuer->keys;
    return now < relayed->until[issuer->index] ? relayed->keys[issuer->index] : NULL;
}

int pep_issuer_read_relayed(const struct pep_issuer *issuer, struct pep_span json,
                            struct pep_jwks **ret, struct pep_error *err)
{
    json_t *document = NULL;
    bool pins = issuer->key_thumbprints.count > 0;
    int r = pep_json_parse(json, PEP_JWKS_MAX, issuer->jwks_uri, &document, err);
    if (r == PEP_OK)
        r = pep_jwks_read_usable(document, issuer->jwks_uri, pins ? &issuer->key_thumbprints : NULL,
                                 ret, err);
    json_decref(document);
    return r;
}
