/*
 * Between the two passes over a dump: chunk_parse.c fills these arrays, chunk.c walks them. All of
 * it lies in blocks that end with the chunk, so that no array has an owner of its own.
 */
#ifndef PEP_CORE_CHUNK_INTERNAL_H
#define PEP_CORE_CHUNK_INTERNAL_H

#include "chunk.h"

#define PEP_CHUNK_NAMED 4 /* parameters whose names are kept */

struct pep_chunk_upvalue {
    bool in_stack;
    uint8_t index;
    const char *name; /* or NULL */
};
enum pep_chunk_type { /* of constants, as a dump has them */
                      PEP_CHUNK_NIL = 0,
                      PEP_CHUNK_FALSE = 1,
                      PEP_CHUNK_TRUE = 17,
                      PEP_CHUNK_INTEGER = 3,
                      PEP_CHUNK_FLOAT = 19,
                      PEP_CHUNK_SHORT = 4,
                      PEP_CHUNK_LONG = 20,
};
struct pep_chunk_constant {
    uint8_t type;
    struct pep_span bytes; /* of a number, or of a text with all its NULs */
};
struct pep_chunk_proto {
    struct pep_chunk_function about;
    size_t first_use; /* of it and, behind its own, of those inside it */
    const uint8_t *code;
    const char **constants;         /* texts, NULL for anything else */
    struct pep_chunk_constant *raw; /* the same, and the others too */
    struct pep_chunk_upvalue *upvalues;
    size_t upvalue_count;
    const uint8_t *lines; /* signed differences */
    size_t line_count;
    uint32_t (*absolute)[2]; /* instruction, line */
    size_t absolute_count;
    struct pep_span param_names[PEP_CHUNK_NAMED];
};
struct pep_chunk_block {
    struct pep_chunk_block *next;
    _Alignas(16) unsigned char bytes[];
};
struct pep_chunk {
    struct pep_chunk_proto *protos;
    size_t count, capacity;
    struct pep_use *uses;
    size_t use_count, use_capacity;
    struct pep_chunk_block *blocks;
    bool no_memory;
};

/* Parses a copy of the dump; false if it is not bytecode of this Lua, or without memory, which
 * `no_memory` tells apart. */
bool pep_chunk_parse(struct pep_chunk *c, struct pep_span dump);

#endif
