/*
 * Messages as tables of fields: the machinery under wire.c and wire_feed.c. One walk over a table
 * writes a message, another reads it, so that the two can't drift apart, and every check (known
 * enum value, valid name, UTF-8, no half head) stands beside its field. Rejected: a hand-written
 * pair of functions per message, in which one forgotten check is invisible.
 */
#ifndef PEP_CORE_WIRE_FIELDS_H
#define PEP_CORE_WIRE_FIELDS_H

#include "wire.h"

enum pep_wire_kind {
    K_U8,  /* low..high */
    K_U16, /* low..high */
    K_U32,
    K_U64,
    K_I64,
    K_ERROR, /* int16_t: 0 or a negative pep_err */
    K_BYTES, /* `size` of them */
    K_TEXT,  /* char[size], may be empty */
    K_WORD,  /* the same, not empty */
    K_NAME,  /* char[size]: a bundle's or channel's name */
    K_HEX,   /* char[size]: exactly size - 1 lower-case hex digits */
    K_Z85,   /* char[size]: exactly size - 1 characters of Z85 */
    K_HEAD,  /* struct pep_head */
};

struct pep_wire_field {
    enum pep_wire_kind kind;
    size_t offset;
    size_t size;
    uint16_t low, high;
};

struct pep_wire_layout {
    enum pep_message type;
    size_t size; /* of the C struct */
    const struct pep_wire_field *fields;
    size_t count;
};

#define FIELD(kind, type, name)                                     \
    {                                                               \
        kind, offsetof(type, name), sizeof(((type *)0)->name), 0, 0 \
    }
#define RANGE(kind, type, name, lo, hi)                               \
    {                                                                 \
        kind, offsetof(type, name), sizeof(((type *)0)->name), lo, hi \
    }
#define LAYOUT(message, type, fields)                                       \
    {                                                                       \
        message, sizeof(type), fields, sizeof(fields) / sizeof((fields)[0]) \
    }

/* Frame head: magic, version, type. */
void pep_wire_put_head(struct pep_buffer *out, enum pep_message type);
void pep_wire_get_head(struct pep_cursor *c, enum pep_message type);
/* One field of a struct at `message`. */
void pep_wire_put_field(struct pep_buffer *out, const struct pep_wire_field *f,
                        const void *message);
void pep_wire_get_field(struct pep_cursor *c, const struct pep_wire_field *f, void *message);
/* Head and all fields of a table; a reader clears the struct first. */
void pep_wire_put(struct pep_buffer *out, const struct pep_wire_layout *l, const void *message);
void pep_wire_get(struct pep_cursor *c, const struct pep_wire_layout *l, void *message);
/* Fails the cursor unless `ok`. */
static inline void pep_wire_need(struct pep_cursor *c, bool ok)
{
    if (!ok)
        c->failed = true;
}

/* The messages that are nothing but their table. */
#define PEP_WIRE_PLAIN(name)                                                    \
    void pep_##name##_write(const struct pep_##name *m, struct pep_buffer *out) \
    {                                                                           \
        pep_wire_put(out, &name##_layout, m);                                   \
    }                                                                           \
    int pep_##name##_read(struct pep_span bytes, struct pep_##name *ret)        \
    {                                                                           \
        struct pep_cursor c = pep_cursor_of(bytes);                             \
        struct pep_##name m;                                                    \
        pep_wire_get(&c, &name##_layout, &m);                                   \
        if (!pep_cursor_done(&c))                                               \
            return PEP_EFORMAT;                                                 \
        *ret = m;                                                               \
        return PEP_OK;                                                          \
    }

#endif
