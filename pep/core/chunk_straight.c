/* See chunk_straight.h. Step i stands for instruction i, so that jumps need no second pass; a
 * condition takes the jump behind it along. */
#include "chunk_straight.h"

#include "chunk_code.h"
#include "chunk_internal.h"

#include <string.h>

struct translation {
    const struct pep_chunk_proto *p;
    struct pep_straight *out;
    bool failed;
};

/* ---- operands ---- */

static uint8_t add_constant(struct translation *t, const struct pep_straight_constant *k)
{
    struct pep_straight *s = t->out;
    if (s->constant_count == PEP_STRAIGHT_CONSTANTS) {
        t->failed = true;
        return 0;
    }
    s->constants[s->constant_count] = *k;
    return (uint8_t)(PEP_STRAIGHT_REGISTERS + s->constant_count++);
}

static uint8_t add_integer(struct translation *t, int64_t i)
{
    return add_constant(
        t, &(struct pep_straight_constant){.kind = PEP_STRAIGHT_INTEGER, .integer = i});
}

static uint8_t add_nil(struct translation *t)
{
    return add_constant(t, &(struct pep_straight_constant){.kind = PEP_STRAIGHT_NIL});
}

static uint8_t add_boolean(struct translation *t, bool b)
{
    return add_constant(
        t, &(struct pep_straight_constant){.kind = PEP_STRAIGHT_BOOLEAN, .boolean = b});
}

/* Constant `i` of the function. */
static uint8_t constant(struct translation *t, size_t i)
{
    struct pep_straight_constant k = {.kind = PEP_STRAIGHT_NIL};
    struct pep_chunk_constant raw = {.type = 0};
    if (i >= t->p->about.constants)
        t->failed = true;
    else
        raw = t->p->raw[i];
    switch (raw.type) {
    case PEP_CHUNK_NIL:
        break;
    case PEP_CHUNK_FALSE:
    case PEP_CHUNK_TRUE:
        k.kind = PEP_STRAIGHT_BOOLEAN;
        k.boolean = raw.type == PEP_CHUNK_TRUE;
        break;
    case PEP_CHUNK_INTEGER:
        k.kind = PEP_STRAIGHT_INTEGER;
        memcpy(&k.integer, raw.bytes.data, sizeof(k.integer));
        break;
    case PEP_CHUNK_FLOAT:
        k.kind = PEP_STRAIGHT_NUMBER;
        memcpy(&k.number, raw.bytes.data, sizeof(k.number));
        break;
    default:
        k.kind = PEP_STRAIGHT_TEXT;
        k.text = raw.bytes;
    }
    return add_constant(t, &k);
}

/* A register that is no parameter: what is done with those is only to read their fields. */
static uint8_t reg(struct translation *t, unsigned r)
{
    if (r < t->p->about.params || r >= PEP_STRAIGHT_REGISTERS)
        t->failed = true;
    return (uint8_t)r;
}

/* An integer that stands in the instruction itself. */
static int64_t small(unsigned field)
{
    return (int64_t)field - 127;
}

/* ---- steps ---- */

static void condition(struct translation *t, size_t pc, struct pep_straight_step *s)
{
    const struct pep_chunk_proto *p = t->p;
    uint32_t jump = pc + 1 < p->about.instructions ? pep_code_word(p, pc + 1) : 0;
    int64_t to = (int64_t)pc + 2 + pep_code_jump(jump);
    if (pep_code_op(jump) != OP_JMP || to <= (int64_t)pc || to >= PEP_STRAIGHT_STEPS)
        t->failed = true;
    s->to = (uint8_t)to;
    s->otherwise = (uint8_t)(pc + 2);
    s->holds = pep_code_k(pep_code_word(p, pc)) != 0;
}

/* True if it is one of the comparisons; fills in everything. */
static bool comparison(struct translation *t, size_t pc, struct pep_straight_step *s)
{
    uint32_t w = pep_code_word(t->p, pc);
    unsigned op = pep_code_op(w);
    if (op < OP_EQ || op > OP_TESTSET)
        return false;
    condition(t, pc, s);
    if (op == OP_TESTSET) {
        s->op = PEP_STRAIGHT_TEST_SET;
        s->a = reg(t, pep_code_a(w));
        s->b = reg(t, pep_code_b(w));
        return true;
    }
    s->b = reg(t, pep_code_a(w));
    if (op == OP_TEST) {
        s->op = PEP_STRAIGHT_TEST;
        return true;
    }
    s->op = op == OP_EQ || op == OP_EQK || op == OP_EQI   ? PEP_STRAIGHT_EQUAL
            : op == OP_LT || op == OP_LTI || op == OP_GTI ? PEP_STRAIGHT_LESS
                                                          : PEP_STRAIGHT_NOT_MORE;
    if (op <= OP_LE)
        s->c = reg(t, pep_code_b(w));
    else if (op == OP_EQK)
        s->c = constant(t, pep_code_b(w));
    else
        s->c = add_integer(t, small(pep_code_b(w)));
    if (op == OP_GTI || op == OP_GEI) { /* a > 5 is 5 < a */
        uint8_t c = s->c;
        s->c = s->b;
        s->b = c;
    }
    return true;
}

/* True if it calculates. The instruction behind it, which is for other values than numbers, is
 * passed over. */
static bool arithmetic(struct translation *t, size_t pc, struct pep_straight_step *s)
{
    uint32_t w = pep_code_word(t->p, pc);
    unsigned op = pep_code_op(w);
    static const uint8_t known[OP_MUL + 1] = {
        [OP_ADDI] = PEP_STRAIGHT_ADD, [OP_ADDK] = PEP_STRAIGHT_ADD, [OP_SUBK] = PEP_STRAIGHT_SUB,
        [OP_MULK] = PEP_STRAIGHT_MUL, [OP_ADD] = PEP_STRAIGHT_ADD,  [OP_SUB] = PEP_STRAIGHT_SUB,
        [OP_MUL] = PEP_STRAIGHT_MUL,
    };
    if (op > OP_MUL || known[op] == PEP_STRAIGHT_UNKNOWN)
        return false;
    s->op = known[op];
    s->a = reg(t, pep_code_a(w));
    s->b = reg(t, pep_code_b(w));
    if (op == OP_ADDI)
        s->c = add_integer(t, small(pep_code_c(w)));
    else if (op <= OP_MULK)
        s->c = constant(t, pep_code_c(w));
    else
        s->c = reg(t, pep_code_c(w));
    s->to = (uint8_t)(pc + 2);
    return true;
}

static void read_field(struct translation *t, uint32_t w, struct pep_straight_step *s)
{
    unsigned object = pep_code_b(w);
    s->op = PEP_STRAIGHT_READ;
    s->a = reg(t, pep_code_a(w));
    s->b = (uint8_t)object;
    s->c = constant(t, pep_code_c(w));
    if (object >= t->p->about.params || object >= PEP_CHUNK_PARAMS)
        t->failed = true;
}

static void move(struct translation *t, struct pep_straight_step *s, uint32_t w, uint8_t from)
{
    s->op = PEP_STRAIGHT_MOVE;
    s->a = reg(t, pep_code_a(w));
    s->b = from;
}

static void number_step(struct translation *t, struct pep_straight_step *s, uint32_t w)
{
    int64_t i = (int64_t)pep_code_bx(w) - 65535;
    if (pep_code_op(w) == OP_LOADI)
        move(t, s, w, add_integer(t, i));
    else
        move(t, s, w,
             add_constant(t, &(struct pep_straight_constant){.kind = PEP_STRAIGHT_NUMBER,
                                                             .number = (double)i}));
}

static void other(struct translation *t, size_t pc, struct pep_straight_step *s)
{
    uint32_t w = pep_code_word(t->p, pc);
    unsigned op = pep_code_op(w);
    switch (op) {
    case OP_MOVE:
        move(t, s, w, reg(t, pep_code_b(w)));
        return;
    case OP_LOADI:
    case OP_LOADF:
        number_step(t, s, w);
        return;
    case OP_LOADK:
        move(t, s, w, constant(t, pep_code_bx(w)));
        return;
    case OP_LOADFALSE:
    case OP_LFALSESKIP:
    case OP_LOADTRUE:
        move(t, s, w, add_boolean(t, op == OP_LOADTRUE));
        s->to = (uint8_t)(op == OP_LFALSESKIP ? pc + 2 : pc + 1);
        return;
    case OP_LOADNIL:
        move(t, s, w, add_nil(t));
        t->failed = t->failed || pep_code_b(w) != 0; /* several registers */
        return;
    case OP_GETFIELD:
        read_field(t, w, s);
        return;
    case OP_UNM:
    case OP_NOT:
        s->op = op == OP_NOT ? PEP_STRAIGHT_NOT : PEP_STRAIGHT_MINUS;
        s->a = reg(t, pep_code_a(w));
        s->b = reg(t, pep_code_b(w));
        s->to = (uint8_t)(pc + 1);
        return;
    default:
        t->failed = true;
    }
}

static void step(struct translation *t, size_t pc)
{
    uint32_t w = pep_code_word(t->p, pc);
    unsigned op = pep_code_op(w);
    struct pep_straight_step s = {.op = PEP_STRAIGHT_UNKNOWN, .to = (uint8_t)(pc + 1)};
    if (op == OP_JMP) {
        int64_t to = (int64_t)pc + 1 + pep_code_jump(w);
        t->failed = t->failed || to <= (int64_t)pc || to >= PEP_STRAIGHT_STEPS;
        s.op = PEP_STRAIGHT_JUMP;
        s.to = (uint8_t)to;
    } else if (op == OP_RETURN0 || (op == OP_RETURN && pep_code_b(w) == 1)) {
        s.op = PEP_STRAIGHT_RETURN;
        s.b = add_nil(t);
    } else if (op == OP_RETURN1 || (op == OP_RETURN && pep_code_b(w) == 2)) {
        s.op = PEP_STRAIGHT_RETURN;
        s.b = reg(t, pep_code_a(w));
    } else if (op >= OP_MMBIN && op <= OP_MMBINK) {
        /* Passed over. */
    } else if (!comparison(t, pc, &s) && !arithmetic(t, pc, &s)) {
        other(t, pc, &s);
    }
    t->out->steps[pc] = s;
}

bool pep_chunk_straight(const struct pep_chunk *c, uint32_t function, struct pep_straight *ret)
{
    struct translation t = {.out = ret};
    if (function >= c->count)
        return false;
    t.p = &c->protos[function];
    ret->step_count = t.p->about.instructions;
    ret->constant_count = 0;
    if (!t.p->about.straight || t.p->about.variadic || t.p->about.params > PEP_CHUNK_PARAMS ||
        ret->step_count == 0 || ret->step_count > PEP_STRAIGHT_STEPS)
        return false;
    for (size_t pc = 0; pc < ret->step_count && !t.failed; pc++)
        step(&t, pc);
    for (size_t pc = 0; pc < ret->step_count && !t.failed; pc++) {
        const struct pep_straight_step *s = &ret->steps[pc];
        bool ends = s->op == PEP_STRAIGHT_RETURN || s->op == PEP_STRAIGHT_UNKNOWN;
        t.failed = !ends && (s->to >= ret->step_count || s->otherwise >= ret->step_count);
    }
    return !t.failed;
}
