/*
 * Reads a Lua 5.4 dump and lists what each function uses: see chunk.h.
 *
 * Two passes: chunk_parse.c parses every function into plain arrays, the second pass, here, walks
 * the instructions. An outer variable is resolved through its closures' descriptors to the
 * environment, to a parameter of an enclosing function, or to something else.
 */
#include "chunk_code.h"
#include "chunk_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *constant(const struct pep_chunk_proto *p, size_t i)
{
    return i < p->about.constants ? p->constants[i] : NULL;
}

/* Runs no other Lua code, makes no object, and writes nothing but registers. By list, so that what
 * is not known is not taken for harmless. */
static bool runs_alone(unsigned op)
{
    return op <= OP_GETUPVAL || (op >= OP_GETTABUP && op <= OP_GETFIELD) ||
           (op > OP_SELF && op < OP_CONCAT) || (op >= OP_JMP && op <= OP_TESTSET) ||
           (op >= OP_RETURN && op <= OP_RETURN1);
}

#define CALM_MAX 1024 /* instructions of a function that are looked at for calls of words */

/* Words of the language that call nothing back and charge their own work, so that a function that
 * calls them runs through once all the same. */
static const char *const calm_words[] = {"same",     "has",         "overlaps",
                                         "between",  "starts_with", "ends_with",
                                         "contains", "cidr",        "multi_factor"};

static bool is_calm(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(calm_words) / sizeof(calm_words[0]); i++) {
        if (strcmp(name, calm_words[i]) == 0)
            return true;
    }
    return false;
}

/* What an outer variable is. */
enum outer { OUTER_OTHER, OUTER_ENV, OUTER_PARAM };
static enum outer resolve(const struct pep_chunk *c, uint32_t function, unsigned index,
                          uint32_t *ret_function, uint8_t *ret_param)
{
    for (uint32_t f = function; f < c->count;) {
        const struct pep_chunk_proto *p = &c->protos[f];
        if (index >= p->upvalue_count)
            return OUTER_OTHER;
        const struct pep_chunk_upvalue *u = &p->upvalues[index];
        if (p->about.parent == PEP_CHUNK_NO_FUNCTION)
            return u->name != NULL && strcmp(u->name, "_ENV") == 0 ? OUTER_ENV : OUTER_OTHER;
        f = p->about.parent;
        index = u->index;
        if (!u->in_stack)
            continue;
        if (index >= c->protos[f].about.params || index >= PEP_CHUNK_PARAMS)
            return OUTER_OTHER;
        *ret_function = f;
        *ret_param = (uint8_t)index;
        return OUTER_PARAM;
    }
    return OUTER_OTHER;
}

struct walk {
    struct pep_chunk *c;
    const struct pep_chunk_proto *p;
    uint32_t function;
    size_t pc;
    int line;
    unsigned params; /* that count: at most PEP_CHUNK_PARAMS */
    /* For each register, where the word that it holds was read, counted from 1; 0: it holds none.
     * For each place, the first jump to it, counted from 1. */
    uint16_t calm[256], jump[CALM_MAX];
};

static struct pep_use *use(struct walk *w, enum pep_use_kind kind, const char *name)
{
    struct pep_chunk *c = w->c;
    if (c->use_count == c->use_capacity) {
        size_t capacity = c->use_capacity == 0 ? 32 : c->use_capacity * 2;
        struct pep_use *uses = realloc(c->uses, capacity * sizeof(*uses));
        if (uses == NULL) {
            c->no_memory = true;
            return NULL;
        }
        c->uses = uses;
        c->use_capacity = capacity;
    }
    struct pep_use *u = &c->uses[c->use_count++];
    *u = (struct pep_use){.kind = kind, .function = w->function, .line = w->line, .name = name};
    return u;
}

static void use_param(struct walk *w, enum pep_use_kind kind, unsigned reg, const char *name)
{
    struct pep_use *u = reg < w->params ? use(w, kind, name) : NULL;
    if (u != NULL)
        u->param = (uint8_t)reg;
}

/* `require "x"` and `data "x"` are exactly these three instructions; anything else is no literal.
 */
static void note_global(struct walk *w, unsigned a, const char *name)
{
    bool is_require = name != NULL && strcmp(name, "require") == 0;
    bool is_data = name != NULL && strcmp(name, "data") == 0;
    use(w, PEP_USE_GLOBAL, name == NULL ? "?" : name);
    w->calm[a] = w->pc < CALM_MAX && is_calm(name) ? (uint16_t)(w->pc + 1) : 0;
    if (!is_require && !is_data)
        return;
    const char *literal = NULL;
    if (w->pc + 2 < w->p->about.instructions) {
        uint32_t load = pep_code_word(w->p, w->pc + 1), call = pep_code_word(w->p, w->pc + 2);
        unsigned op = pep_code_op(call);
        if (pep_code_op(load) == OP_LOADK && pep_code_a(load) == a + 1 &&
            (op == OP_CALL || op == OP_TAILCALL) && pep_code_a(call) == a && pep_code_b(call) == 2)
            literal = constant(w->p, pep_code_bx(load));
    }
    use(w, is_require ? PEP_USE_REQUIRE : PEP_USE_DATA, literal);
}

static void note_outer(struct walk *w, uint32_t word, unsigned op)
{
    uint32_t function = w->function;
    uint8_t param = 0;
    unsigned index = op == OP_SETTABUP ? pep_code_a(word) : pep_code_b(word);
    enum outer what = resolve(w->c, w->function, index, &function, &param);
    const char *name = index < w->p->upvalue_count ? w->p->upvalues[index].name : NULL;
    struct pep_use *u = NULL;
    if (op == OP_SETUPVAL) {
        use(w, what == OUTER_ENV ? PEP_USE_ENV : PEP_USE_UPVALUE_SET, name == NULL ? "?" : name);
    } else if (op == OP_SETTABUP) {
        const char *key = constant(w->p, pep_code_b(word));
        if (what == OUTER_ENV)
            use(w, PEP_USE_GLOBAL_SET, key == NULL ? "?" : key);
        else if (what == OUTER_PARAM)
            u = use(w, PEP_USE_WRITE, key);
    } else if (op == OP_GETTABUP) {
        const char *key = constant(w->p, pep_code_c(word));
        if (what == OUTER_ENV)
            note_global(w, pep_code_a(word), key);
        else if (what == OUTER_PARAM)
            u = use(w, key == NULL ? PEP_USE_DYNAMIC : PEP_USE_FIELD, key);
    } else if (what == OUTER_ENV) {
        use(w, PEP_USE_ENV, NULL);
    } else if (what == OUTER_PARAM) {
        u = use(w, PEP_USE_ESCAPE, NULL);
    }
    if (u != NULL) {
        u->function = function;
        u->param = param;
    }
}

static void note_instruction(struct walk *w, uint32_t word)
{
    unsigned op = pep_code_op(word);
    switch (op) {
    case OP_GETUPVAL:
    case OP_SETUPVAL:
    case OP_GETTABUP:
    case OP_SETTABUP:
        note_outer(w, word, op);
        if (op == OP_SETTABUP && pep_code_k(word) == 0)
            use_param(w, PEP_USE_ESCAPE, pep_code_c(word), NULL);
        return;
    case OP_MOVE:
        use_param(w, PEP_USE_ESCAPE, pep_code_b(word), NULL);
        return;
    case OP_GETTABLE:
        use_param(w, PEP_USE_DYNAMIC, pep_code_b(word), NULL);
        return;
    case OP_GETFIELD:
        use_param(w, PEP_USE_FIELD, pep_code_b(word), constant(w->p, pep_code_c(word)));
        return;
    case OP_TESTSET: /* `sub or nil`: a copy, as with OP_MOVE */
        use_param(w, PEP_USE_ESCAPE, pep_code_b(word), NULL);
        return;
    case OP_SELF:
        use_param(w, pep_code_k(word) != 0 ? PEP_USE_FIELD : PEP_USE_DYNAMIC, pep_code_b(word),
                  pep_code_k(word) != 0 ? constant(w->p, pep_code_c(word)) : NULL);
        use_param(w, PEP_USE_ESCAPE, pep_code_b(word), NULL);
        return;
    case OP_SETTABLE:
    case OP_SETI:
    case OP_SETFIELD:
        use_param(w, PEP_USE_WRITE, pep_code_a(word), NULL);
        if (pep_code_k(word) == 0)
            use_param(w, PEP_USE_ESCAPE, pep_code_c(word), NULL);
        return;
    default:
        return;
    }
}

/* A parameter that is assigned may be anything from then on. */
static void note_assigned(struct walk *w, uint32_t word)
{
    unsigned op = pep_code_op(word), a = pep_code_a(word);
    if (pep_code_sets_register(op) && op != OP_CALL && a < w->params)
        use_param(w, PEP_USE_DYNAMIC, a, NULL);
}

/* Constants are numbered in the order in which the source first names them. */
static bool is_beyond(uint32_t word)
{
    bool c = pep_code_c(word) >= PEP_CHUNK_CONSTANTS, k = pep_code_k(word) != 0;
    switch (pep_code_op(word)) {
    case OP_LOADK:
        return pep_code_bx(word) >= PEP_CHUNK_CONSTANTS;
    case OP_GETTABUP:
    case OP_GETFIELD:
        return c;
    case OP_SETTABUP:
    case OP_SETFIELD:
        return pep_code_b(word) >= PEP_CHUNK_CONSTANTS || (k && c);
    case OP_SETTABLE:
    case OP_SETI:
        return k && c;
    case OP_EQK:
        return pep_code_b(word) >= PEP_CHUNK_CONSTANTS;
    default:
        return false;
    }
}

/* Where a jump lands, what was read after that jump may be something else: `(x and f or has)(y)`.
 * From CALM_MAX on no word is noted any more. */
static void land(struct walk *w)
{
    uint16_t from = w->pc < CALM_MAX ? w->jump[w->pc] : w->pc == CALM_MAX;
    for (unsigned r = 0; from != 0 && r < 256; r++)
        w->calm[r] = w->calm[r] > from ? 0 : w->calm[r];
}

/* What an instruction overwrites is no word any more. */
static void forget_words(struct walk *w, uint32_t word)
{
    unsigned op = pep_code_op(word), a = pep_code_a(word);
    if (op == OP_CALL || op == OP_TAILCALL || op == OP_LOADNIL)
        memset(w->calm + a, 0, (256 - a) * sizeof(w->calm[0]));
    else if (pep_code_sets_register(op))
        w->calm[a] = 0;
}

/* Does this instruction call a word that runs no other Lua code? Notes jumps, too. */
static bool calls_word(struct walk *w, uint32_t word)
{
    unsigned op = pep_code_op(word);
    int64_t to = (int64_t)w->pc + 1 + ((int32_t)(word >> 7) - 0xffffff);
    if (op == OP_JMP && to > (int64_t)w->pc && to < CALM_MAX && w->jump[to] == 0)
        w->jump[to] = (uint16_t)(w->pc + 1);
    return (op == OP_CALL || op == OP_TAILCALL) && w->calm[pep_code_a(word)] != 0;
}

/* A remainder of floats takes up to two thousand subtractions, a number as text a microsecond, and
 * `...` copies what it stands for. */
static unsigned dear(unsigned op)
{
    switch (op) {
    case OP_MOD:
    case OP_MODK:
        return 5;
    case OP_VARARG:
        return 4;
    case OP_CONCAT:
        return 1;
    default:
        return 0;
    }
}

static void walk_function(struct pep_chunk *c, uint32_t function)
{
    struct pep_chunk_proto *p = &c->protos[function];
    struct walk w = {.c = c, .p = p, .function = function, .line = p->about.line};
    size_t absolute = 0;
    p->about.straight = true;
    p->first_use = c->use_count;
    w.params = p->about.params < PEP_CHUNK_PARAMS ? p->about.params : PEP_CHUNK_PARAMS;
    for (w.pc = 0; w.pc < p->about.instructions && !c->no_memory; w.pc++) {
        uint32_t word = pep_code_word(p, w.pc);
        unsigned op = pep_code_op(word);
        w.line = pep_code_line(p, w.pc, w.line, &absolute);
        land(&w);
        bool alone = calls_word(&w, word) || runs_alone(op);
        forget_words(&w, word);
        note_instruction(&w, word);
        note_assigned(&w, word);
        if (p->about.full_line == 0 && is_beyond(word))
            p->about.full_line = w.line;
        p->about.dear = dear(op) > p->about.dear ? dear(op) : p->about.dear;
        bool back = op == OP_JMP && (int32_t)(word >> 7) - 0xffffff < 0;
        p->about.loops = p->about.loops || back || op == OP_FORLOOP || op == OP_TFORLOOP;
        p->about.straight = p->about.straight && !back && alone;
    }
}

int pep_chunk_read(struct pep_span dump, struct pep_chunk **ret, struct pep_error *err)
{
    struct pep_chunk *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory to read bytecode");
    bool ok = pep_chunk_parse(c, dump);
    for (uint32_t i = 0; ok && i < c->count && !c->no_memory; i++)
        walk_function(c, i);
    if (!ok || c->no_memory) {
        int rc = c->no_memory ? PEP_ENOMEM : PEP_EFORMAT;
        pep_chunk_free(c);
        return pep_error_set(err, rc,
                             rc == PEP_ENOMEM ? "no memory to read bytecode"
                                              : "this is not bytecode of this Lua 5.4");
    }
    *ret = c;
    return PEP_OK;
}

void pep_chunk_free(struct pep_chunk *c)
{
    if (c == NULL)
        return;
    for (struct pep_chunk_block *b = c->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    free(c->protos);
    free(c->uses);
    free(c);
}

size_t pep_chunk_function_count(const struct pep_chunk *c)
{
    return c == NULL ? 0 : c->count;
}

const struct pep_chunk_function *pep_chunk_function(const struct pep_chunk *c, size_t i)
{
    return &c->protos[i].about;
}

const struct pep_use *pep_chunk_uses(const struct pep_chunk *c, size_t *ret_count)
{
    *ret_count = c == NULL ? 0 : c->use_count;
    return c == NULL ? NULL : c->uses;
}

const struct pep_use *pep_chunk_uses_of(const struct pep_chunk *c, size_t function,
                                        size_t *ret_count)
{
    size_t behind = c->protos[function].about.behind, from = c->protos[function].first_use;
    *ret_count = (behind < c->count ? c->protos[behind].first_use : c->use_count) - from;
    return *ret_count == 0 ? NULL : c->uses + from;
}

/* Functions stand in the order in which they begin. */
uint32_t pep_chunk_find(const struct pep_chunk *c, int line, int last_line)
{
    uint32_t low = 1, high = (uint32_t)c->count, found = PEP_CHUNK_NO_FUNCTION;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c->protos[middle].about.line < line)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < c->count && c->protos[low].about.line == line; low++) {
        if (c->protos[low].about.last_line != last_line)
            continue;
        if (found != PEP_CHUNK_NO_FUNCTION)
            return PEP_CHUNK_NO_FUNCTION;
        found = low;
    }
    return found;
}
