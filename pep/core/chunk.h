/*
 * What a piece of Lua 5.4 code can do, read from its own bytecode (the output of lua_dump): which
 * globals it names, which outer variables it assigns, which fields it reads from its parameters.
 *
 * The bytecode is what runs, so nothing hides in syntax: `_ENV` tricks, aliases and nested closures
 * end in the same few instructions. Rejected: reading the source text, which needs a whole Lua
 * parser to be right about scopes. No lua.h here: the format is that of Lua 5.4 for one machine
 * word size, its header says so, and anything else is refused.
 */
#ifndef PEP_CORE_CHUNK_H
#define PEP_CORE_CHUNK_H

#include "bytes.h"
#include "error.h"

#define PEP_CHUNK_CONSTANTS 250 /* in one function */
#define PEP_CHUNK_DEPTH     200
#define PEP_CHUNK_FUNCTIONS 100000
#define PEP_CHUNK_PARAMS    3 /* sub, res, ctx */

enum pep_use_kind {
    PEP_USE_GLOBAL,      /* reads the global `name` */
    PEP_USE_GLOBAL_SET,  /* assigns it */
    PEP_USE_UPVALUE_SET, /* assigns the outer variable `name` */
    PEP_USE_ENV,         /* takes the environment itself as a value, or indexes it by a value */
    PEP_USE_FIELD,       /* reads field `name` of parameter `param` of `function` */
    PEP_USE_DYNAMIC,     /* reads a field of it whose name is computed; or assigns the parameter */
    PEP_USE_ESCAPE,      /* hands the parameter on (to a function, a table, another variable) */
    PEP_USE_WRITE,       /* assigns a field of it, which raises when it runs */
    PEP_USE_REQUIRE,     /* require "name"; `name` NULL: not a literal */
    PEP_USE_DATA,        /* data "name"; the same */
};
struct pep_use {
    enum pep_use_kind kind;
    uint32_t function; /* whose parameter it is; else where it happens */
    int line;
    uint8_t param;
    const char *name; /* borrowed from the chunk */
};
struct pep_chunk_function {
    int line, last_line; /* 0 for the main chunk */
    uint32_t parent;     /* PEP_CHUNK_NO_FUNCTION for the first one */
    uint32_t behind;     /* the first function behind it and those inside it */
    unsigned params;
    bool variadic;
    size_t constants, instructions;
    int full_line; /* where its first constant beyond PEP_CHUNK_CONSTANTS is used; 0: there is none
                    */
    bool nul;      /* a text of it has a NUL byte */
    bool loops;    /* jumps back */
    unsigned dear; /* how many more steps its dearest instruction is worth */
    bool straight; /* only moves, reads, arithmetic, comparisons, jumps forward, and calls of words
                    * such as has(): each instruction runs at most once, and no other Lua code runs
                    * inside it */
};

struct pep_chunk;

/* Errors: EFORMAT, ELIMIT, ENOMEM. */
int pep_chunk_read(struct pep_span dump, struct pep_chunk **ret, struct pep_error *err);
void pep_chunk_free(struct pep_chunk *c);
size_t pep_chunk_function_count(const struct pep_chunk *c);
const struct pep_chunk_function *pep_chunk_function(const struct pep_chunk *c, size_t i);
const struct pep_use *pep_chunk_uses(const struct pep_chunk *c, size_t *ret_count);
/* Those of one function and of the functions inside it. */
const struct pep_use *pep_chunk_uses_of(const struct pep_chunk *c, size_t function,
                                        size_t *ret_count);
/* The function that stands in these lines, if there is no other one; else PEP_CHUNK_NO_FUNCTION. */
#define PEP_CHUNK_NO_FUNCTION UINT32_MAX
uint32_t pep_chunk_find(const struct pep_chunk *c, int line, int last_line);

#endif
