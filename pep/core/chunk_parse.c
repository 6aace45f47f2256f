/*
 * The first pass over a dump: every function into plain arrays that point into a copy of it. The
 * format is Lua's own (ldump.c) with sizes checked before use: each count is bounded by the bytes
 * that are left, so that a broken dump costs no more memory than a whole one of its size.
 */
#include "chunk_internal.h"

#include <stdlib.h>
#include <string.h>

static void *get(struct pep_chunk *c, size_t count, size_t size)
{
    struct pep_chunk_block *b =
        count > SIZE_MAX / 2 / size ? NULL : calloc(1, sizeof(*b) + count * size + 1);
    if (b == NULL) {
        c->no_memory = true;
        return NULL;
    }
    b->next = c->blocks;
    c->blocks = b;
    return b->bytes;
}

static size_t get_number(struct pep_cursor *in)
{
    size_t v = 0;
    for (int i = 0; i < 10; i++) {
        uint8_t byte = pep_get_u8(in);
        if (v > SIZE_MAX >> 8)
            in->failed = true;
        v = v << 7 | (byte & 0x7f);
        if ((byte & 0x80) != 0)
            return in->failed ? 0 : v;
    }
    in->failed = true;
    return 0;
}

/* A count whose items take at least `item` bytes each of what is left. */
static size_t get_count(struct pep_cursor *in, size_t item)
{
    size_t n = get_number(in);
    if (n > (size_t)(in->end - in->at) / item)
        in->failed = true;
    return in->failed ? 0 : n;
}

/* A text, copied with a NUL; NULL where the dump has none. Texts with NUL bytes come out cut, and
 * are no names that a policy could use. */
static const char *get_text(struct pep_chunk *c, struct pep_cursor *in)
{
    size_t size = get_number(in);
    if (size == 0 || in->failed)
        return NULL;
    struct pep_span s = pep_get_bytes(in, size - 1);
    char *copy = in->failed ? NULL : get(c, s.size + 1, 1);
    if (copy != NULL && s.size > 0)
        memcpy(copy, s.data, s.size);
    return copy;
}

/* A text that the code uses, also as the bytes that it is; notes whether there is a NUL in it. */
static const char *get_constant(struct pep_chunk *c, struct pep_cursor *in, struct pep_span *whole,
                                bool *nul)
{
    struct pep_cursor ahead = *in;
    size_t size = get_number(&ahead);
    *whole = pep_get_bytes(&ahead, size == 0 ? 0 : size - 1);
    const char *text = get_text(c, in);
    if (text != NULL && strlen(text) != size - 1)
        *nul = true;
    return text;
}

static bool get_header(struct pep_cursor *in)
{
    static const uint8_t head[] = {0x1b, 'L',  'u',  'a',  0x54, 0x00, 0x19, 0x93,
                                   0x0d, 0x0a, 0x1a, 0x0a, 4,    8,    8};
    uint8_t got[sizeof(head)];
    int64_t integer;
    double number;
    pep_get_copy(in, got, sizeof(got));
    pep_get_copy(in, &integer, sizeof(integer));
    pep_get_copy(in, &number, sizeof(number));
    pep_get_u8(in); /* upvalues of the main function */
    return !in->failed && memcmp(got, head, sizeof(head)) == 0 && integer == 0x5678 &&
           number == 370.5;
}

static void get_constants(struct pep_chunk *c, struct pep_cursor *in, struct pep_chunk_proto *p)
{
    size_t n = get_count(in, 1);
    p->about.constants = n;
    p->constants = get(c, n + 1, sizeof(*p->constants));
    p->raw = get(c, n + 1, sizeof(*p->raw));
    for (size_t i = 0; i < n && !in->failed && !c->no_memory; i++) {
        struct pep_chunk_constant *raw = &p->raw[i];
        raw->type = pep_get_u8(in);
        switch (raw->type) {
        case PEP_CHUNK_NIL:
        case PEP_CHUNK_FALSE:
        case PEP_CHUNK_TRUE:
            break;
        case PEP_CHUNK_INTEGER:
        case PEP_CHUNK_FLOAT:
            raw->bytes = pep_get_bytes(in, 8);
            break;
        case PEP_CHUNK_SHORT:
        case PEP_CHUNK_LONG:
            p->constants[i] = get_constant(c, in, &raw->bytes, &p->about.nul);
            break;
        default:
            in->failed = true;
        }
    }
}

static void get_upvalues(struct pep_chunk *c, struct pep_cursor *in, struct pep_chunk_proto *p)
{
    p->upvalue_count = get_count(in, 3);
    p->upvalues = get(c, p->upvalue_count + 1, sizeof(*p->upvalues));
    for (size_t i = 0; i < p->upvalue_count && !c->no_memory; i++) {
        p->upvalues[i].in_stack = pep_get_u8(in) != 0;
        p->upvalues[i].index = pep_get_u8(in);
        pep_get_u8(in);
    }
}

static void get_debug(struct pep_chunk *c, struct pep_cursor *in, struct pep_chunk_proto *p)
{
    p->line_count = get_count(in, 1);
    p->lines = pep_get_bytes(in, p->line_count).data;
    p->absolute_count = get_count(in, 2);
    p->absolute = get(c, p->absolute_count + 1, sizeof(*p->absolute));
    for (size_t i = 0; i < p->absolute_count && !c->no_memory; i++) {
        p->absolute[i][0] = (uint32_t)get_number(in);
        p->absolute[i][1] = (uint32_t)get_number(in);
    }
    size_t locals = get_count(in, 3);
    for (size_t i = 0; i < locals && !in->failed; i++) {
        struct pep_span name = pep_get_bytes(in, get_number(in) - 1);
        if (i < p->about.params && i < PEP_CHUNK_NAMED && !in->failed)
            p->param_names[i] = name; /* a function's first locals are its parameters */
        get_number(in);
        get_number(in);
    }
    size_t names = get_count(in, 1);
    for (size_t i = 0; i < names && !in->failed && !c->no_memory; i++) {
        const char *name = get_text(c, in);
        if (i < p->upvalue_count)
            p->upvalues[i].name = name;
    }
}

static bool new_proto(struct pep_chunk *c)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 16 : c->capacity * 2;
        struct pep_chunk_proto *p = realloc(c->protos, capacity * sizeof(*p));
        if (p == NULL) {
            c->no_memory = true;
            return false;
        }
        c->protos = p;
        c->capacity = capacity;
    }
    memset(&c->protos[c->count++], 0, sizeof(*c->protos));
    return true;
}

static void get_function(struct pep_chunk *c, struct pep_cursor *in, uint32_t parent, int depth)
{
    if (depth > PEP_CHUNK_DEPTH || c->count >= PEP_CHUNK_FUNCTIONS || !new_proto(c)) {
        in->failed = true;
        return;
    }
    uint32_t self = (uint32_t)c->count - 1;
    struct pep_chunk_proto p = {.about.parent = parent};
    get_text(c, in); /* source */
    p.about.line = (int)get_number(in);
    p.about.last_line = (int)get_number(in);
    p.about.params = pep_get_u8(in);
    p.about.variadic = pep_get_u8(in) != 0;
    pep_get_u8(in); /* stack size */
    p.about.instructions = get_count(in, 4);
    p.code = pep_get_bytes(in, p.about.instructions * 4).data;
    get_constants(c, in, &p);
    get_upvalues(c, in, &p);
    size_t children = get_count(in, 1);
    for (size_t i = 0; i < children && !in->failed && !c->no_memory; i++)
        get_function(c, in, self, depth + 1);
    get_debug(c, in, &p);
    p.about.behind = (uint32_t)c->count;
    c->protos[self] = p; /* the array may have moved */
}

bool pep_chunk_parse(struct pep_chunk *c, struct pep_span dump)
{
    uint8_t *copy = get(c, dump.size, 1); /* line differences and code are read in place */
    if (copy != NULL && dump.size > 0)
        memcpy(copy, dump.data, dump.size);
    struct pep_cursor in = pep_cursor_of(pep_span_of(copy, copy == NULL ? 0 : dump.size));
    if (!get_header(&in))
        return false;
    get_function(c, &in, PEP_CHUNK_NO_FUNCTION, 0);
    return pep_cursor_done(&in);
}
