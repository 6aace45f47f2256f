/* Multipart messages as bytes: see message.h. */
#include "message.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more element; false without memory. */
static bool more(void **items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    size_t larger = *capacity == 0 ? 4 : 2 * *capacity;
    void *p = realloc(*items, larger * size);
    if (p == NULL)
        return false;
    *items = p;
    *capacity = larger;
    return true;
}

struct pep_buffer *message_frame(struct message *m, size_t max)
{
    void *items = m->frames;
    bool ok = more(&items, &m->capacity, m->count, sizeof(*m->frames));
    m->frames = items;
    if (!ok) {
        m->failed = true;
        return NULL;
    }
    m->frames[m->count] = pep_buffer_of(max);
    return &m->frames[m->count++];
}

void message_copy(struct message *m, struct pep_span bytes)
{
    struct pep_buffer *b = message_frame(m, bytes.size);
    if (b != NULL)
        pep_put_span(b, bytes);
}

bool message_good(const struct message *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->frames[i].failed)
            return false;
    }
    return !m->failed && m->count > 0;
}

void message_clear(struct message *m)
{
    for (size_t i = 0; i < m->count; i++)
        pep_buffer_free(&m->frames[i]);
    free(m->frames);
    memset(m, 0, sizeof(*m));
}

struct message *outbox_message(struct outbox *o)
{
    void *items = o->items;
    bool ok = more(&items, &o->capacity, o->count, sizeof(*o->items));
    o->items = items;
    if (!ok) {
        o->failed = true;
        return NULL;
    }
    memset(&o->items[o->count], 0, sizeof(*o->items));
    return &o->items[o->count++];
}

void outbox_clear(struct outbox *o)
{
    for (size_t i = 0; i < o->count; i++)
        message_clear(&o->items[i]);
    free(o->items);
    memset(o, 0, sizeof(*o));
}
