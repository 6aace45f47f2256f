/* See chunk_flow.h. Functions are walked in the order of the dump, in which a function stands
 * before those inside it: what an inner function finds in an outer variable is then known. */
#include "chunk_flow.h"

#include "chunk_code.h"
#include "chunk_internal.h"

#include <stdlib.h>
#include <string.h>

#define REGISTERS   256
#define TESTED_MAX  32 /* fields that one function tests */
#define PENDING_MAX 64 /* values of tables that are not handed on yet */

struct pending { /* `name` of a table is set to `value` */
    uint32_t table;
    const char *name;
    int line;
    struct pep_flow_value value;
};
struct flow_walk {
    const struct pep_chunk *c;
    struct pep_flows *out;
    const struct pep_chunk_proto *p;
    uint32_t function, child, children, tables;
    size_t pc;
    int line;
    struct pep_flow_value registers[REGISTERS];
    struct pep_flow_value **outer; /* by function: what its outer variables hold */
    struct pep_flow_value tested[TESTED_MAX];
    size_t tested_count;
    struct pending pending[PENDING_MAX];
    size_t pending_count;
};

static const struct pep_flow_value unknown;

static struct pep_flow *add(struct flow_walk *w, enum pep_flow_kind kind)
{
    struct pep_flows *f = w->out;
    if (f->count == f->capacity) {
        size_t capacity = f->capacity == 0 ? 64 : f->capacity * 2;
        struct pep_flow *items = realloc(f->items, capacity * sizeof(*items));
        if (items == NULL) {
            f->no_memory = true;
            return NULL;
        }
        f->items = items;
        f->capacity = capacity;
    }
    struct pep_flow *n = &f->items[f->count++];
    *n = (struct pep_flow){.kind = kind, .function = w->function, .line = w->line};
    return n;
}

static void add_export(struct flow_walk *w, const char *name, uint32_t function)
{
    struct pep_flows *f = w->out;
    if (f->export_count == f->export_capacity) {
        size_t capacity = f->export_capacity == 0 ? 16 : f->export_capacity * 2;
        void *items = realloc(f->exports, capacity * sizeof(*f->exports));
        if (items == NULL) {
            f->no_memory = true;
            return;
        }
        f->exports = items;
        f->export_capacity = capacity;
    }
    f->exports[f->export_count++] = (struct pep_flow_export){name, function};
}

/* ---- values ---- */

static const char *text_of(const struct flow_walk *w, unsigned i)
{
    return i < w->p->about.constants ? w->p->constants[i] : NULL;
}

static struct pep_flow_value outer_value(const struct flow_walk *w, unsigned index)
{
    if (w->function == 0)
        return index == 0 ? (struct pep_flow_value){.what = PEP_FLOW_ENV} : unknown;
    return w->outer[w->function] != NULL && index < w->p->upvalue_count
               ? w->outer[w->function][index]
               : unknown;
}

static struct pep_flow_value field_of(struct flow_walk *w, struct pep_flow_value table,
                                      const char *name)
{
    struct pep_flow_value v = {.name = name, .index = table.index, .function = table.function};
    struct pep_flow *read;
    if (name == NULL)
        return unknown;
    switch (table.what) {
    case PEP_FLOW_PARAM:
        v.what = PEP_FLOW_FIELD;
        read = add(w, PEP_FLOW_READS);
        if (read != NULL)
            read->values[0] = v;
        return v;
    case PEP_FLOW_MODULE:
    case PEP_FLOW_TABLE:
        v.what = PEP_FLOW_MEMBER;
        v.module = table.module;
        return v;
    case PEP_FLOW_ENV:
        v.what = PEP_FLOW_GLOBAL;
        return v;
    default:
        return unknown;
    }
}

static bool same_value(const struct pep_flow_value *a, const struct pep_flow_value *b)
{
    return a->what == b->what && a->index == b->index && a->function == b->function &&
           a->name != NULL && b->name != NULL && strcmp(a->name, b->name) == 0;
}

static bool was_tested(const struct flow_walk *w, const struct pep_flow_value *v)
{
    for (size_t i = 0; i < w->tested_count; i++) {
        if (same_value(&w->tested[i], v))
            return true;
    }
    return false;
}

static void note_test(struct flow_walk *w, unsigned reg)
{
    if (w->registers[reg].what == PEP_FLOW_FIELD && w->tested_count < TESTED_MAX)
        w->tested[w->tested_count++] = w->registers[reg];
}

/* ---- instructions ---- */

static void note_closure(struct flow_walk *w, unsigned a, unsigned number)
{
    uint32_t child = w->child + 1;
    while (child < w->c->count && w->c->protos[child].about.parent != w->function)
        child++;
    w->registers[a] = unknown;
    if (number != w->children || child >= w->c->count)
        return;
    w->children++;
    w->child = child;
    const struct pep_chunk_proto *p = &w->c->protos[child];
    struct pep_flow_value self = {.what = PEP_FLOW_FUNCTION, .function = child};
    struct pep_flow_value *outer = calloc(p->upvalue_count + 1, sizeof(*outer));
    w->out->no_memory = w->out->no_memory || outer == NULL;
    for (size_t i = 0; outer != NULL && i < p->upvalue_count; i++) {
        const struct pep_chunk_upvalue *u = &p->upvalues[i];
        outer[i] = !u->in_stack    ? outer_value(w, u->index)
                   : u->index == a ? self /* a local function that calls itself */
                                   : w->registers[u->index];
    }
    free(w->outer[child]);
    w->outer[child] = outer;
    w->registers[a] = self;
}

static void hand_over(struct flow_walk *w, uint32_t table)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->pending_count; i++) {
        struct pending p = w->pending[i];
        if (p.table != table) {
            w->pending[kept++] = p;
            continue;
        }
        struct pep_flow *head = add(w, PEP_FLOW_HEAD);
        if (head == NULL)
            return;
        head->name = p.name;
        head->own_line = p.line;
        head->callee = p.value;
    }
    w->pending_count = kept;
}

/* has("mfa", sub.amr): the wrong way round it is false for ever, and nothing else says so. */
static void note_text(struct flow_walk *w, const struct pep_flow_value *callee,
                      const struct pep_flow_value *args, unsigned count)
{
    bool both = callee->what == PEP_FLOW_GLOBAL && strcmp(callee->name, "overlaps") == 0;
    if (callee->what != PEP_FLOW_GLOBAL || (!both && strcmp(callee->name, "has") != 0))
        return;
    if (count < 2 || (args[0].what != PEP_FLOW_TEXT && !(both && args[1].what == PEP_FLOW_TEXT)))
        return;
    struct pep_flow *flow = add(w, PEP_FLOW_NO_LIST);
    if (flow != NULL)
        flow->name = callee->name;
}

static void note_call(struct flow_walk *w, unsigned a, unsigned b)
{
    struct pep_flow_value callee = w->registers[a], result = unknown;
    struct pep_flow_value *args = &w->registers[a + 1 < REGISTERS ? a + 1 : a];
    unsigned room = REGISTERS - 1 - a, count = b == 0 ? PEP_FLOW_PARAMS : b - 1;
    count = count > room ? room : count > PEP_FLOW_PARAMS ? PEP_FLOW_PARAMS : count;
    if (callee.what == PEP_FLOW_GLOBAL && strcmp(callee.name, "require") == 0 && count == 1 &&
        args[0].what == PEP_FLOW_TEXT)
        result = (struct pep_flow_value){.what = PEP_FLOW_MODULE, .module = args[0].name};
    if (w->function == 0 && count == 1 && args[0].what == PEP_FLOW_TABLE)
        hand_over(w, args[0].function);
    note_text(w, &callee, args, count);
    if (callee.what == PEP_FLOW_FUNCTION || callee.what == PEP_FLOW_MEMBER) {
        struct pep_flow *call = add(w, PEP_FLOW_CALLS);
        if (call != NULL) {
            call->callee = callee;
            memcpy(call->values, args, count * sizeof(*args));
        }
    }
    for (unsigned i = a; i < REGISTERS; i++)
        w->registers[i] = unknown;
    w->registers[a] = result;
}

static void note_set(struct flow_walk *w, uint32_t word)
{
    const char *name = text_of(w, pep_code_b(word));
    struct pep_flow_value table = w->registers[pep_code_a(word)], value;
    if (w->function != 0 || name == NULL || pep_code_k(word) != 0)
        return;
    value = w->registers[pep_code_c(word)];
    if (value.what == PEP_FLOW_FUNCTION)
        add_export(w, name, value.function);
    if (table.what == PEP_FLOW_TABLE && w->pending_count < PENDING_MAX)
        w->pending[w->pending_count++] = (struct pending){table.function, name, w->line, value};
}

static void note_equal(struct flow_walk *w, uint32_t word)
{
    const struct pep_flow_value *a = &w->registers[pep_code_a(word)],
                                *b = &w->registers[pep_code_b(word)];
    if (a->what != PEP_FLOW_FIELD || b->what != PEP_FLOW_FIELD || was_tested(w, a) ||
        was_tested(w, b))
        return;
    struct pep_flow *equal = add(w, PEP_FLOW_EQUAL);
    if (equal != NULL) {
        equal->values[0] = *a;
        equal->values[1] = *b;
    }
}

/* What the instruction leaves in its register A, for those that set one. */
static struct pep_flow_value value_of(struct flow_walk *w, uint32_t word)
{
    unsigned b = pep_code_b(word), c = pep_code_c(word);
    switch (pep_code_op(word)) {
    case OP_MOVE:
        return w->registers[b];
    case OP_LOADK:
        return (struct pep_flow_value){.what = PEP_FLOW_TEXT,
                                       .name = text_of(w, pep_code_bx(word))};
    case OP_GETUPVAL:
        return outer_value(w, b);
    case OP_GETTABUP:
        return field_of(w, outer_value(w, b), text_of(w, c));
    case OP_GETFIELD:
        return field_of(w, w->registers[b], text_of(w, c));
    case OP_NEWTABLE:
        return (struct pep_flow_value){.what = PEP_FLOW_TABLE, .function = ++w->tables};
    default:
        return unknown;
    }
}

static void note_instruction(struct flow_walk *w, uint32_t word)
{
    unsigned op = pep_code_op(word), a = pep_code_a(word);
    switch (op) {
    case OP_CLOSURE:
        note_closure(w, a, pep_code_bx(word));
        return;
    case OP_CALL:
    case OP_TAILCALL:
        note_call(w, a, pep_code_b(word));
        return;
    case OP_SETFIELD:
        note_set(w, word);
        return;
    case OP_EQ:
        note_equal(w, word);
        return;
    case OP_EQK: /* with a text it is no test of being there */
        if (text_of(w, pep_code_b(word)) == NULL)
            note_test(w, a);
        return;
    case OP_TEST:
        note_test(w, a);
        return;
    case OP_TESTSET:
        note_test(w, pep_code_b(word));
        return;
    default:
        break;
    }
    if (op == OP_SELF && a + 1 < REGISTERS)
        w->registers[a + 1] = unknown;
    if (op == OP_LOADNIL) {
        for (unsigned i = 0; i <= pep_code_b(word) && a + i < REGISTERS; i++)
            w->registers[a + i] = unknown;
    } else if ((op >= OP_FORLOOP && op <= OP_TFORLOOP) || op == OP_VARARG) {
        for (unsigned i = a; i < REGISTERS; i++)
            w->registers[i] = unknown;
    } else if (pep_code_sets_register(op)) {
        w->registers[a] = value_of(w, word);
    }
}

static void walk_function(struct flow_walk *w, uint32_t function)
{
    size_t absolute = 0;
    w->p = &w->c->protos[function];
    w->function = w->child = function;
    w->children = 0;
    w->line = w->p->about.line;
    w->tested_count = w->pending_count = 0;
    memset(w->registers, 0, sizeof(w->registers));
    for (unsigned i = 0; i < w->p->about.params && i < PEP_FLOW_PARAMS; i++)
        w->registers[i] = (struct pep_flow_value){
            .what = PEP_FLOW_PARAM, .index = (uint8_t)i, .function = function};
    for (w->pc = 0; w->pc < w->p->about.instructions && !w->out->no_memory; w->pc++) {
        w->line = pep_code_line(w->p, w->pc, w->line, &absolute);
        note_instruction(w, pep_code_word(w->p, w->pc));
    }
}

int pep_flows_read(const struct pep_chunk *c, struct pep_flows *ret)
{
    struct pep_flows out = {.no_memory = false};
    struct flow_walk *w = calloc(1, sizeof(*w));
    struct pep_flow_value **outer = calloc(c->count + 1, sizeof(*outer));
    out.no_memory = w == NULL || outer == NULL;
    for (uint32_t i = 0; i < c->count && !out.no_memory; i++) {
        w->c = c;
        w->out = &out;
        w->outer = outer;
        walk_function(w, i);
    }
    for (uint32_t i = 0; outer != NULL && i < c->count; i++)
        free(outer[i]);
    free(outer);
    free(w);
    if (out.no_memory) {
        pep_flows_free(&out);
        return PEP_ENOMEM;
    }
    *ret = out;
    return PEP_OK;
}

void pep_flows_free(struct pep_flows *f)
{
    free(f->items);
    free(f->exports);
    *f = (struct pep_flows){.no_memory = false};
}

uint32_t pep_flows_export(const struct pep_flows *f, const char *name)
{
    for (size_t i = f->export_count; i > 0; i--) { /* the last one counts */
        if (strcmp(f->exports[i - 1].name, name) == 0)
            return f->exports[i - 1].function;
    }
    return PEP_FLOW_NONE;
}

struct pep_span pep_flow_param_name(const struct pep_chunk *c, uint32_t function, unsigned index)
{
    return function < c->count && index < PEP_CHUNK_NAMED ? c->protos[function].param_names[index]
                                                          : pep_span_of(NULL, 0);
}
