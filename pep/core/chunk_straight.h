/*
 * A straight function (chunk.h) as steps over values: what it does when it only reads constant
 * fields of its parameters, compares and calculates. The engine runs such steps in C, where calling
 * Lua costs ten times what the function does.
 *
 * The bytecode is what is translated, so that there is one parser and one meaning; whatever is not
 * in the list below is left to Lua. Rejected: a compiler from the source text, which would be a
 * second opinion about what a policy says.
 */
#ifndef PEP_CORE_CHUNK_STRAIGHT_H
#define PEP_CORE_CHUNK_STRAIGHT_H

#include "chunk.h"

#define PEP_STRAIGHT_STEPS     100
#define PEP_STRAIGHT_REGISTERS 24
#define PEP_STRAIGHT_CONSTANTS 64

/* `a` is a register; `b` and `c` are registers, or constants from PEP_STRAIGHT_REGISTERS on. */
enum pep_straight_op {
    PEP_STRAIGHT_UNKNOWN, /* no step: what jumps pass over */
    PEP_STRAIGHT_READ,    /* a = field `c`, the text of a constant, of parameter `b` */
    PEP_STRAIGHT_MOVE,    /* a = b */
    PEP_STRAIGHT_NOT,     /* a = not b */
    PEP_STRAIGHT_MINUS,   /* a = -b */
    PEP_STRAIGHT_ADD,     /* a = b + c, and so on */
    PEP_STRAIGHT_SUB,
    PEP_STRAIGHT_MUL,
    PEP_STRAIGHT_EQUAL, /* the condition b == c: on to `to` if it is `holds`, else to `otherwise` */
    PEP_STRAIGHT_LESS,
    PEP_STRAIGHT_NOT_MORE,
    PEP_STRAIGHT_TEST,     /* b is neither nil nor false */
    PEP_STRAIGHT_TEST_SET, /* the same, and a = b on the way to `to` */
    PEP_STRAIGHT_JUMP,
    PEP_STRAIGHT_RETURN, /* b */
};
struct pep_straight_step {
    uint8_t op, a, b, c;
    uint8_t to, otherwise; /* always further on */
    bool holds;
};
enum pep_straight_kind {
    PEP_STRAIGHT_NIL,
    PEP_STRAIGHT_BOOLEAN,
    PEP_STRAIGHT_INTEGER,
    PEP_STRAIGHT_NUMBER,
    PEP_STRAIGHT_TEXT,
};
struct pep_straight_constant {
    enum pep_straight_kind kind;
    bool boolean;
    int64_t integer;
    double number;
    struct pep_span text; /* borrowed from the chunk */
};
struct pep_straight {
    struct pep_straight_step steps[PEP_STRAIGHT_STEPS];
    size_t step_count;
    struct pep_straight_constant constants[PEP_STRAIGHT_CONSTANTS];
    size_t constant_count;
};

/* One function of the chunk; false if it is left to Lua. */
bool pep_chunk_straight(const struct pep_chunk *c, uint32_t function, struct pep_straight *ret);

#endif
