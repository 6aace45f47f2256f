/*
 * Instructions of Lua 5.4, as both walks over them need to read them: chunk.c, for what code may
 * do, and chunk_flow.c, for what an author should hear.
 */
#ifndef PEP_CORE_CHUNK_CODE_H
#define PEP_CORE_CHUNK_CODE_H

#include "chunk_internal.h"

#include <string.h>

/* The instructions that matter here, by their numbers in Lua 5.4. */
enum opcode {
    OP_MOVE = 0,
    OP_LOADI = 1,
    OP_LOADF = 2,
    OP_LOADK = 3,
    OP_LOADFALSE = 5,
    OP_LFALSESKIP = 6,
    OP_LOADTRUE = 7,
    OP_LOADNIL = 8,
    OP_GETUPVAL = 9,
    OP_SETUPVAL = 10,
    OP_GETTABUP = 11,
    OP_GETTABLE = 12,
    OP_GETFIELD = 14,
    OP_SETTABUP = 15,
    OP_SETTABLE = 16,
    OP_SETI = 17,
    OP_SETFIELD = 18,
    OP_NEWTABLE = 19,
    OP_SELF = 20,
    OP_ADDI = 21,
    OP_ADDK = 22,
    OP_SUBK = 23,
    OP_MULK = 24,
    OP_MODK = 25,
    OP_ADD = 34,
    OP_SUB = 35,
    OP_MUL = 36,
    OP_MOD = 37,
    OP_MMBIN = 46,
    OP_MMBINK = 48,
    OP_UNM = 49,
    OP_NOT = 51,
    OP_CONCAT = 53,
    OP_CLOSE = 54,
    OP_TBC = 55,
    OP_JMP = 56,
    OP_EQ = 57,
    OP_LT = 58,
    OP_LE = 59,
    OP_EQK = 60,
    OP_EQI = 61,
    OP_LTI = 62,
    OP_GTI = 64,
    OP_GEI = 65,
    OP_TEST = 66,
    OP_TESTSET = 67,
    OP_CALL = 68,
    OP_TAILCALL = 69,
    OP_RETURN = 70,
    OP_RETURN0 = 71,
    OP_RETURN1 = 72,
    OP_FORLOOP = 73,
    OP_TFORLOOP = 77,
    OP_SETLIST = 78,
    OP_CLOSURE = 79,
    OP_VARARG = 80,
    OP_COUNT = 83,
};

static inline uint32_t pep_code_word(const struct pep_chunk_proto *p, size_t pc)
{
    uint32_t w;
    memcpy(&w, p->code + pc * 4, 4);
    return w;
}
static inline unsigned pep_code_op(uint32_t w)
{
    return w & 0x7f;
}
static inline unsigned pep_code_a(uint32_t w)
{
    return w >> 7 & 0xff;
}
static inline unsigned pep_code_k(uint32_t w)
{
    return w >> 15 & 1;
}
static inline unsigned pep_code_b(uint32_t w)
{
    return w >> 16 & 0xff;
}
static inline unsigned pep_code_c(uint32_t w)
{
    return w >> 24;
}
static inline unsigned pep_code_bx(uint32_t w)
{
    return w >> 15;
}

/* How far OP_JMP goes on from the instruction behind it. */
static inline int64_t pep_code_jump(uint32_t w)
{
    return (int32_t)(w >> 7) - 0xffffff;
}

static inline bool pep_code_sets_register(unsigned op)
{
    if (op <= OP_GETUPVAL || op == OP_TESTSET || op == OP_CALL || op == OP_CLOSURE ||
        op == OP_VARARG)
        return true;
    if (op == OP_SETUPVAL || (op >= OP_SETTABUP && op <= OP_SETFIELD))
        return false;
    if (op < OP_CLOSE)
        return op < OP_MMBIN || op > OP_MMBINK;
    return false;
}

#define PEP_CODE_ABSOLUTE (-0x80) /* a difference that says: see the absolute lines */

/* The line of instruction `pc`, from that of the one before; `absolute` counts from 0. */
static inline int pep_code_line(const struct pep_chunk_proto *p, size_t pc, int before,
                                size_t *absolute)
{
    if (pc >= p->line_count)
        return before;
    int difference = (int8_t)p->lines[pc];
    if (difference != PEP_CODE_ABSOLUTE)
        return before + difference;
    return *absolute < p->absolute_count ? (int)p->absolute[(*absolute)++][1] : before;
}

#endif
