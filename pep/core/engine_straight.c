/*
 * Straight functions without Lua.
 *
 * Most functions of rules read a few fields, compare and calculate. Claiming a Lua state, filling
 * its tables and a protected call cost many times what such a function does, so its steps
 * (chunk_straight.h) are run here. Only what has one obvious meaning is: whatever would raise, be
 * no boolean, take long (long texts), or depend on more than numbers and equality (texts in order,
 * sets, numbers that do not fit) ends the run, and Lua does it all from the beginning. The function
 * reads and nothing else, so nobody can tell; a fault has Lua's own words.
 *
 * It is charged like the same function in Lua: as a whole. Rejected: machine code, which is not
 * portable and has to be trusted; translating functions with calls, whose meaning is elsewhere.
 */
#include "chunk_straight.h"
#include "engine_internal.h"

#include <string.h>

#define EXACT (INT64_C(1) << 53) /* up to here each integer is a double */

struct pep_native {
    const struct pep_straight_step *steps;
    const struct pep_value *constants;
    const uint32_t *names; /* by constant: the field that its text names, or PEP_NONE */
};

/* ---- at load ---- */

static struct pep_value value_of(const struct pep_straight_constant *k)
{
    struct pep_value v = {.kind = PEP_V_NIL};
    switch (k->kind) {
    case PEP_STRAIGHT_BOOLEAN:
        v.kind = PEP_V_BOOL;
        v.u.boolean = k->boolean;
        break;
    case PEP_STRAIGHT_INTEGER:
        v.kind = PEP_V_INT;
        v.u.integer = k->integer;
        break;
    case PEP_STRAIGHT_NUMBER:
        v.kind = PEP_V_NUMBER;
        v.u.number = k->number;
        break;
    case PEP_STRAIGHT_TEXT:
        v = pep_value_text((const char *)k->text.data, k->text.size);
        break;
    case PEP_STRAIGHT_NIL:
        break;
    }
    return v;
}

static bool copy_constants(struct pep_policy *policy, const struct pep_straight *s,
                           struct pep_native *n)
{
    struct pep_value *values = pep_pool_get(&policy->pool, s->constant_count * sizeof(*values));
    uint32_t *names = pep_pool_get(&policy->pool, s->constant_count * sizeof(*names));
    if (values == NULL || names == NULL)
        return false;
    for (size_t i = 0; i < s->constant_count; i++) {
        values[i] = value_of(&s->constants[i]);
        names[i] = PEP_NONE;
        if (values[i].kind != PEP_V_STRING)
            continue;
        values[i].u.string = pep_pool_copy(&policy->pool, values[i].u.string, values[i].size);
        if (values[i].u.string == NULL)
            return false;
        names[i] = pep_names_find(&policy->names, pep_span_of(values[i].u.string, values[i].size));
    }
    n->constants = values;
    n->names = names;
    return true;
}

static bool names_are_known(const struct pep_straight *s, const struct pep_native *n)
{
    for (size_t i = 0; i < s->step_count; i++) {
        const struct pep_straight_step *step = &s->steps[i];
        if (step->op == PEP_STRAIGHT_READ && n->names[step->c - PEP_STRAIGHT_REGISTERS] == PEP_NONE)
            return false;
    }
    return true;
}

bool pep_native_read(struct pep_policy *policy, struct pep_rule *rule,
                     const struct pep_chunk *chunk, uint32_t function)
{
    struct pep_straight s;
    if (!rule->plain || rule->steps == 0 || !pep_chunk_straight(chunk, function, &s))
        return true;
    struct pep_native *n = pep_pool_get(&policy->pool, sizeof(*n));
    struct pep_straight_step *steps = pep_pool_get(&policy->pool, s.step_count * sizeof(*steps));
    if (n == NULL || steps == NULL || !copy_constants(policy, &s, n))
        return false;
    memcpy(steps, s.steps, s.step_count * sizeof(*steps));
    n->steps = steps;
    if (names_are_known(&s, n))
        rule->native = n;
    return true;
}

/* ---- one run ---- */

struct run {
    const struct pep_value *at[PEP_STRAIGHT_REGISTERS]; /* what each register is */
    struct pep_value made[PEP_STRAIGHT_REGISTERS];      /* where it was calculated */
    const struct pep_value *constants;
};

static const struct pep_value nil = {.kind = PEP_V_NIL};
static const struct pep_value booleans[2] = {{.kind = PEP_V_BOOL, .u.boolean = false},
                                             {.kind = PEP_V_BOOL, .u.boolean = true}};

static inline const struct pep_value *operand(const struct run *r, unsigned i)
{
    return i < PEP_STRAIGHT_REGISTERS ? r->at[i] : &r->constants[i - PEP_STRAIGHT_REGISTERS];
}

static inline bool is_true(const struct pep_value *v)
{
    return v->kind != PEP_V_NIL && (v->kind != PEP_V_BOOL || v->u.boolean);
}

/* Each of these: false if it is for Lua to say. */
static inline bool equal(const struct pep_value *a, const struct pep_value *b, bool *ret)
{
    if (a->kind == PEP_V_NIL || b->kind == PEP_V_NIL) {
        *ret = a->kind == b->kind;
        return true;
    }
    if (a->kind > PEP_V_STRING || b->kind > PEP_V_STRING)
        return false;
    *ret = pep_value_equal(a, b);
    return true;
}

/* An integer and another number as two doubles; false if that would not be exact. */
static bool as_doubles(const struct pep_value *a, const struct pep_value *b, double ret[2])
{
    const struct pep_value *v[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        if (v[i]->kind == PEP_V_NUMBER)
            ret[i] = v[i]->u.number;
        else if (v[i]->kind == PEP_V_INT && v[i]->u.integer <= EXACT && v[i]->u.integer >= -EXACT)
            ret[i] = (double)v[i]->u.integer;
        else
            return false;
    }
    return true;
}

static inline bool in_order(const struct pep_value *a, const struct pep_value *b, bool or_equal,
                            bool *ret)
{
    double d[2];
    if (a->kind == PEP_V_INT && b->kind == PEP_V_INT) {
        *ret = or_equal ? a->u.integer <= b->u.integer : a->u.integer < b->u.integer;
        return true;
    }
    if (!as_doubles(a, b, d))
        return false;
    *ret = or_equal ? d[0] <= d[1] : d[0] < d[1];
    return true;
}

/* Integers wrap around, as Lua's do. */
static bool calculate(unsigned op, const struct pep_value *a, const struct pep_value *b,
                      struct pep_value *ret)
{
    double d[2];
    if (a->kind == PEP_V_INT && b->kind == PEP_V_INT) {
        uint64_t x = (uint64_t)a->u.integer, y = (uint64_t)b->u.integer;
        uint64_t z = op == PEP_STRAIGHT_ADD ? x + y : op == PEP_STRAIGHT_SUB ? x - y : x * y;
        *ret = (struct pep_value){.kind = PEP_V_INT};
        memcpy(&ret->u.integer, &z, sizeof(z));
        return true;
    }
    if (!as_doubles(a, b, d))
        return false;
    double z = op == PEP_STRAIGHT_ADD   ? d[0] + d[1]
               : op == PEP_STRAIGHT_SUB ? d[0] - d[1]
                                        : d[0] * d[1];
    *ret = (struct pep_value){.kind = PEP_V_NUMBER, .u.number = z};
    return true;
}

static bool negate(const struct pep_value *v, struct pep_value *ret)
{
    static const struct pep_value zero = {.kind = PEP_V_INT, .u.integer = 0};
    if (v->kind == PEP_V_INT)
        return calculate(PEP_STRAIGHT_SUB, &zero, v, ret);
    if (v->kind != PEP_V_NUMBER)
        return false;
    *ret = (struct pep_value){.kind = PEP_V_NUMBER, .u.number = -v->u.number};
    return true;
}

static const struct pep_value *read_field(const struct pep_eval *e, const struct pep_native *n,
                                          const struct pep_straight_step *s)
{
    static const struct pep_span none;
    uint32_t name = n->names[s->c - PEP_STRAIGHT_REGISTERS];
    const struct pep_value *v = pep_eval_get(e, (enum pep_object)s->b, name, none);
    return v == NULL ? &nil : v;
}

/* The rarer steps: false if it is for Lua to say. */
static bool make(struct run *r, const struct pep_straight_step *s)
{
    struct pep_value z;
    bool fine = s->op == PEP_STRAIGHT_MINUS
                    ? negate(operand(r, s->b), &z)
                    : calculate(s->op, operand(r, s->b), operand(r, s->c), &z);
    if (fine)
        r->made[s->a] = z;
    r->at[s->a] = &r->made[s->a];
    return fine;
}

/* What was calculated is copied: its place may be needed for something else. */
static const struct pep_value *moved(struct run *r, const struct pep_straight_step *s)
{
    const struct pep_value *v = operand(r, s->b);
    if (v < r->made || v >= r->made + PEP_STRAIGHT_REGISTERS)
        return v;
    r->made[s->a] = *v;
    return &r->made[s->a];
}

/* Runs one step. False if it is for Lua to say; *ret_holds is whether to go on at `to`. */
static inline bool run_step(const struct pep_eval *e, const struct pep_native *n, struct run *r,
                            const struct pep_straight_step *s, bool *ret_holds)
{
    const struct pep_value *v;
    bool holds = s->holds, fine = true;
    switch (s->op) {
    case PEP_STRAIGHT_READ:
        v = read_field(e, n, s);
        r->at[s->a] = v;
        fine = v->kind != PEP_V_STRING || v->size < PEP_TEXT_SHORT;
        break;
    case PEP_STRAIGHT_MOVE:
        r->at[s->a] = moved(r, s);
        break;
    case PEP_STRAIGHT_NOT:
        r->at[s->a] = &booleans[!is_true(operand(r, s->b))];
        break;
    case PEP_STRAIGHT_EQUAL:
        fine = equal(operand(r, s->b), operand(r, s->c), &holds);
        break;
    case PEP_STRAIGHT_LESS:
    case PEP_STRAIGHT_NOT_MORE:
        v = operand(r, s->b);
        fine = in_order(v, operand(r, s->c), s->op == PEP_STRAIGHT_NOT_MORE, &holds);
        break;
    case PEP_STRAIGHT_TEST:
    case PEP_STRAIGHT_TEST_SET:
        holds = is_true(operand(r, s->b));
        if (holds == s->holds && s->op == PEP_STRAIGHT_TEST_SET)
            r->at[s->a] = moved(r, s);
        break;
    case PEP_STRAIGHT_JUMP:
        break;
    case PEP_STRAIGHT_UNKNOWN:
        fine = false;
        break;
    default:
        fine = make(r, s);
    }
    *ret_holds = holds;
    return fine;
}

bool pep_native_run(const struct pep_eval *e, const struct pep_native *n, bool *ret)
{
    struct run r;
    const struct pep_straight_step *s = n->steps;
    r.constants = n->constants;
    for (unsigned i = 0; i < PEP_STRAIGHT_REGISTERS; i++)
        r.at[i] = &nil;
    while (s->op != PEP_STRAIGHT_RETURN) {
        bool holds;
        if (!run_step(e, n, &r, s, &holds))
            return false;
        s = n->steps + (holds == s->holds ? s->to : s->otherwise);
    }
    const struct pep_value *v = operand(&r, s->b);
    *ret = is_true(v);
    return v->kind == PEP_V_BOOL;
}
