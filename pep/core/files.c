/*
 * Names, paths, and the set of files that a bundle holds: see bundle.h. A sorted array: at most a
 * few thousand entries, added in order in practice, searched by halves. Each content is followed by
 * a NUL that is not counted, so that readers of text may stop there.
 */
#include "bundle.h"

#include <stdlib.h>
#include <string.h>

struct pep_files {
    struct pep_file *items;
    size_t count, capacity;
    size_t bytes;
};

/* ---- names and paths ---- */

static bool is_name_start(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool pep_bundle_name_valid(struct pep_span name)
{
    if (name.size == 0 || name.size > PEP_NAME_MAX || !is_name_start(name.data[0]))
        return false;
    for (size_t i = 1; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!is_name_start(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

static bool is_path_char(uint8_t c)
{
    return is_name_start(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

bool pep_bundle_path_valid(struct pep_span path)
{
    bool at_start = true; /* of a segment */
    if (path.size == 0 || path.size > PEP_PATH_MAX)
        return false;
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i];
        if (c == '/' ? at_start : !is_path_char(c) || (at_start && c == '.'))
            return false;
        at_start = c == '/';
    }
    return !at_start;
}

static bool starts_with(struct pep_span s, const char *head)
{
    size_t size = strlen(head);
    return s.size > size && memcmp(s.data, head, size) == 0;
}

static bool ends_with(struct pep_span s, const char *tail)
{
    size_t size = strlen(tail);
    return s.size > size && memcmp(s.data + s.size - size, tail, size) == 0;
}

bool pep_bundle_path_allowed(struct pep_span path)
{
    static const char *const names[] = {"bundle.json", "schema.lua", "issuers.json"};
    static const struct {
        const char *folder, *ending;
    } folders[] = {{"policies/", ".lua"}, {"lib/", ".lua"}, {"data/", ".json"}};
    if (!pep_bundle_path_valid(path))
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (pep_span_is(path, names[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (starts_with(path, folders[i].folder) && ends_with(path, folders[i].ending))
            return true;
    }
    return false;
}

size_t pep_bundle_path_limit(struct pep_span path)
{
    return ends_with(path, ".lua") ? PEP_SOURCE_MAX : PEP_DATA_MAX;
}

/* ---- the set ---- */

int pep_files_new(struct pep_files **ret)
{
    struct pep_files *files = calloc(1, sizeof(*files));
    if (files == NULL)
        return PEP_ENOMEM;
    *ret = files;
    return PEP_OK;
}

void pep_files_free(struct pep_files *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < files->count; i++)
        free((void *)files->items[i].path); /* one block with the content behind it */
    free(files->items);
    free(files);
}

/* Index of the first path that is not below `path`. */
static size_t lower_bound(const struct pep_files *files, const char *path)
{
    size_t low = 0, high = files->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(files->items[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int check_limits(const struct pep_files *files, const char *path, struct pep_span content,
                        struct pep_error *err)
{
    size_t limit = pep_bundle_path_limit(pep_span_string(path));
    if (content.size > limit)
        return pep_error_set(err, PEP_ELIMIT, "%s: %zu bytes, at most %zu", path, content.size,
                             limit);
    if (content.size > PEP_BUNDLE_MAX - files->bytes)
        return pep_error_set(err, PEP_ELIMIT, "%s: the bundle is larger than %d bytes", path,
                             PEP_BUNDLE_MAX);
    if (files->count == PEP_BUNDLE_FILES)
        return pep_error_set(err, PEP_ELIMIT, "%s: more than %d files", path, PEP_BUNDLE_FILES);
    return PEP_OK;
}

static int grow(struct pep_files *files)
{
    if (files->count < files->capacity)
        return PEP_OK;
    size_t capacity = files->capacity == 0 ? 16 : files->capacity * 2;
    struct pep_file *items = realloc(files->items, capacity * sizeof(*items));
    if (items == NULL)
        return PEP_ENOMEM;
    files->items = items;
    files->capacity = capacity;
    return PEP_OK;
}

int pep_files_add(struct pep_files *files, const char *path, struct pep_span content,
                  struct pep_error *err)
{
    if (!pep_bundle_path_valid(pep_span_string(path)))
        return pep_error_set(err, PEP_EFORMAT,
                             "`%.64s`: not a path of a bundle (letters, digits, . _ - in segments "
                             "that don't start with a dot)",
                             path);
    size_t at = lower_bound(files, path);
    if (at < files->count && strcmp(files->items[at].path, path) == 0)
        return pep_error_set(err, PEP_ECONFLICT, "%s: twice in the bundle", path);
    int r = check_limits(files, path, content, err);
    if (r != PEP_OK)
        return r;
    size_t path_size = strlen(path) + 1;
    char *block = grow(files) == PEP_OK ? malloc(path_size + content.size + 1) : NULL;
    if (block == NULL)
        return pep_error_set(err, PEP_ENOMEM, "%s: no memory", path);
    memcpy(block, path, path_size);
    if (content.size > 0)
        memcpy(block + path_size, content.data, content.size);
    block[path_size + content.size] = '\0';
    struct pep_file *slot = files->items + at;
    memmove(slot + 1, slot, (files->count - at) * sizeof(*slot));
    *slot = (struct pep_file){block, pep_span_of(block + path_size, content.size)};
    files->count++;
    files->bytes += content.size;
    return PEP_OK;
}

size_t pep_files_count(const struct pep_files *files)
{
    return files->count;
}

const struct pep_file *pep_files_at(const struct pep_files *files, size_t i)
{
    return i < files->count ? &files->items[i] : NULL;
}

const struct pep_file *pep_files_find(const struct pep_files *files, const char *path)
{
    size_t at = lower_bound(files, path);
    if (at == files->count || strcmp(files->items[at].path, path) != 0)
        return NULL;
    return &files->items[at];
}
