/* The audiences of this service: see audience.h. One block, so that one free() is enough. */
#include "pep/audience.h"

#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One block: the set, the pointers, the texts. */
struct pep_strings *pep_audience_new(const char *const *values, const size_t *lengths, size_t count)
{
    size_t size = sizeof(struct pep_strings) + count * sizeof(char *);
    for (size_t i = 0; i < count; i++)
        size += (lengths != NULL ? lengths[i] : strlen(values[i])) + 1;
    struct pep_strings *s = malloc(size);
    if (s == NULL)
        return NULL;
    const char **items = (const char **)(void *)(s + 1);
    char *text = (char *)(items + count);
    for (size_t i = 0; i < count; i++) {
        size_t n = lengths != NULL ? lengths[i] : strlen(values[i]);
        memcpy(text, values[i], n);
        text[n] = '\0';
        items[i] = text;
        text += n + 1;
    }
    qsort(items, count, sizeof(*items), by_bytes);
    s->items = items;
    s->count = count;
    return s;
}
