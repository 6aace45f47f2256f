/*
 * The budget of a decision: steps, and what one instruction is worth.
 *
 * Steps are counted by a count hook that is set anew for each decision (so that the same request
 * ends after the same instruction) and by every library function, per byte. An armed hook makes
 * each instruction dearer, so short functions without calls and loops, which cannot run longer than
 * they are, run without it and are charged as a whole; the hook is set at the first other one.
 *
 * One instruction may read a whole long text as a number, or walk over all keys of a table whose
 * author chose them to collide. So each instruction takes more steps while a long text, or a table
 * with many keys, is in reach: in proportion to the longest text and the widest table since the
 * decision began, and to the dearest kind of instruction in the policy's code. Where that is much,
 * the hook comes more often. A table that has to move its keys is charged for that at once, for the
 * worst case, in which every key collides with every other.
 *
 * What a decision costs must not depend on the decisions before it: long texts that a plain table
 * holds already are noted again, texts made while loading count always, Lua's table of short texts,
 * which grows whenever it likes, never does, and its stack has a fixed size, beyond which a
 * decision fails.
 *
 * Rejected: shorter texts, which callers need; a clock, whose answer nobody can repeat; counting
 * each instruction, which doubles the price of all.
 */
#include "engine_internal.h"

#include <stdlib.h>

#define INTERVAL      1000
#define INTERVAL_FINE 100
#define FINE_FROM     8            /* the weight from which the hook comes more often */
#define TEXT_BYTES    512          /* each makes an instruction one step heavier */
#define KEYS_BYTES    (192 * NODE) /* the same, for the keys of a table */
#define KEYS_MANY     ((size_t)32 * 1024)
#define KEYS_FURTHER  2   /* so much more, beyond that: they no longer fit the nearest cache */
#define NODE          24  /* bytes of a key and its value, in Lua 5.4 on 64 bits */
#define MOVED_BYTES   256 /* one step */
#define COLLISIONS    128 /* two keys compared: one step */
#define TEXT_LOAD     256 /* as TEXT_BYTES: while loading ... */
#define KEYS_LOAD     (80 * NODE) /* ... as KEYS_BYTES ... */
#define DEAR_LOAD     2           /* ... so many steps for each of `dear` ... */
#define STACK_LOAD    512         /* ... and one for so many bytes of the stack, where ... */
#define STACK_FREE    8192        /* ... of which so many come for nothing, and ... */
#define DEAR_COPIES   4           /* ... a function can copy all of it: `dear` of `...` */
#define NAMES_FIRST   (128 * sizeof(void *)) /* the first block of Lua's table of short texts */
#define VALUE         16                     /* bytes on the stack */
#define STACK_FIRST   200                    /* values, while loading: more than a new one has */

/* ---- counting ---- */

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    const struct pep_slot *slot = pep_slot_of(L);
    pep_charge(L, (size_t)slot->interval * slot->weight);
}

static void set_hook(struct pep_slot *slot, uint32_t interval)
{
    slot->counting = true;
    slot->interval = interval;
    lua_sethook(slot->L, on_count, LUA_MASKCOUNT, (int)interval); /* may be called at any time */
}

void pep_charge(lua_State *L, size_t amount)
{
    struct pep_slot *slot = pep_slot_of(L);
    if ((int64_t)amount < 0 || (slot->steps -= (int64_t)amount) < 0) {
        slot->steps = 0;
        if (slot->exhausted == PEP_EXHAUSTED_NOT)
            slot->exhausted = PEP_EXHAUSTED_STEPS;
    }
    if (slot->exhausted == PEP_EXHAUSTED_NOT)
        return;
    if (slot->loader != NULL)
        pep_load_note_place(L);
    luaL_error(L, "budget exhausted");
}

/* The same from where nothing may be raised; false if nothing is left. */
static bool take(struct pep_slot *slot, size_t amount)
{
    slot->steps -= (int64_t)amount;
    if (slot->steps >= 0)
        return true;
    slot->steps = 0;
    if (slot->exhausted == PEP_EXHAUSTED_NOT)
        slot->exhausted = PEP_EXHAUSTED_STEPS;
    return false;
}

void pep_charge_straight(struct pep_slot *slot, unsigned instructions)
{
    (void)take(slot, (size_t)instructions * (slot->weight - 1));
}

bool pep_afford_walk(lua_State *L)
{
    struct pep_slot *slot = pep_slot_of(L);
    slot->steps -= (int64_t)(16 + slot->largest / 2048);
    return slot->steps >= 0;
}

void pep_charge_walk(lua_State *L)
{
    if (!pep_afford_walk(L))
        pep_charge(L, 1);
}

void pep_charge_equal(lua_State *L, const struct pep_value *a, const struct pep_value *b)
{
    if (a->kind == PEP_V_STRING && b->kind == PEP_V_STRING && a->size == b->size && a->size > 64)
        pep_charge(L, a->size / 32);
}

void pep_need_few(lua_State *L, int count, const char *word)
{
    if (count > PEP_ARGUMENTS_MAX)
        luaL_error(L, "%s: more than %d values", word, PEP_ARGUMENTS_MAX);
}

/* ---- weights ---- */

/* Of the functions of one file; the first is its top level. */
static uint32_t dearest(const struct pep_chunk *c, size_t from)
{
    uint32_t most = 0;
    for (size_t f = from; c != NULL && f < pep_chunk_function_count(c); f++) {
        unsigned dear = pep_chunk_function(c, f)->dear;
        most = dear > most ? dear : most;
    }
    return most;
}

static uint32_t weight_of(uint32_t dear, size_t longest, size_t widest)
{
    size_t keys = widest / KEYS_BYTES;
    if (widest > KEYS_MANY)
        keys *= KEYS_FURTHER;
    return (uint32_t)(1 + dear + longest / TEXT_BYTES + keys);
}

void pep_policy_weigh(struct pep_policy *policy, size_t longest)
{
    policy->longest = longest;
    for (size_t i = 0; i < policy->source_count; i++) {
        uint32_t dear = dearest(policy->sources[i].chunk, 1); /* 0 runs only now */
        policy->dear = dear > policy->dear ? dear : policy->dear;
    }
    policy->weight = weight_of(policy->dear, longest, 0);
}

/* ---- while loading: weights of files ---- */

/* A file is as heavy as what its own code has made, and all that shares a module with it: one may
 * have left its table there, or its text, where the other finds it. */
struct pep_reach {
    size_t longest, widest, stack; /* bytes */
    uint32_t dear;
    uint32_t with; /* another file with which it shares; itself: its entry counts for all of them */
};

static uint32_t first_of(struct pep_reach *all, uint32_t i)
{
    while (all[i].with != i)
        i = all[i].with = all[all[i].with].with;
    return i;
}

/* Of the running file; NULL where none is. */
static struct pep_reach *reach_of(const struct pep_slot *slot)
{
    const struct pep_loader *ld = slot->loader;
    if (ld == NULL || ld->reach == NULL || ld->running == NULL)
        return NULL;
    return &ld->reach[first_of(ld->reach, (uint32_t)(ld->running - slot->policy->sources))];
}

struct pep_reach *pep_reach_new(const struct pep_policy *policy)
{
    struct pep_reach *all = calloc(policy->source_count + 1, sizeof(*all));
    for (uint32_t i = 0; all != NULL && i < policy->source_count; i++) {
        all[i].with = i;
        all[i].dear = dearest(policy->sources[i].chunk, 0);
    }
    return all;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static uint32_t weight_of_file(const struct pep_reach *r)
{
    size_t stack = r->dear < DEAR_COPIES || r->stack < STACK_FREE ? 0 : r->stack - STACK_FREE;
    return (uint32_t)(1 + r->dear * DEAR_LOAD + r->longest / TEXT_LOAD + r->widest / KEYS_LOAD +
                      stack / STACK_LOAD);
}

static void weigh(struct pep_slot *slot)
{
    const struct pep_reach *r = reach_of(slot);
    uint32_t before = slot->weight;
    slot->weight =
        r != NULL ? weight_of_file(r) : weight_of(slot->dear, slot->longest, slot->widest);
    if (!slot->counting || slot->interval == INTERVAL_FINE || slot->weight < FINE_FROM ||
        slot->exhausted != PEP_EXHAUSTED_NOT)
        return;
    set_hook(slot, INTERVAL_FINE); /* which forgets what was counted since the last call of it */
    if (!take(slot, (size_t)INTERVAL * before))
        set_hook(slot, 1);
}

void pep_reach_begin(struct pep_slot *slot, const struct pep_source *source)
{
    /* the hook forgets what the last file did since it was called */
    bool left = slot->weight < FINE_FROM || take(slot, (size_t)INTERVAL_FINE * slot->weight);
    slot->loader->running = source;
    slot->weight = weight_of_file(reach_of(slot));
    set_hook(slot, !left ? 1 : slot->weight < FINE_FROM ? INTERVAL : INTERVAL_FINE);
}

void pep_reach_join(struct pep_slot *slot, const struct pep_source *module)
{
    struct pep_reach *all = slot->loader->reach, *r = reach_of(slot);
    uint32_t other = first_of(all, (uint32_t)(module - slot->policy->sources));
    if (r == NULL || r == &all[other])
        return;
    r->longest = larger(r->longest, all[other].longest);
    r->widest = larger(r->widest, all[other].widest);
    r->stack = larger(r->stack, all[other].stack);
    r->dear = (uint32_t)larger(r->dear, all[other].dear);
    all[other].with = (uint32_t)(r - all);
    weigh(slot);
}

/* ---- a decision begins ---- */

void pep_slot_begin(struct pep_slot *slot, int64_t steps, size_t memory)
{
    slot->steps = steps;
    slot->exhausted = PEP_EXHAUSTED_NOT;
    slot->sorting = 0;
    bool loads = slot->loader != NULL;
    slot->longest = loads ? 0 : slot->policy->longest;
    slot->dear = slot->policy->dear;
    slot->largest = slot->widest = 0;
    slot->weight = loads ? 1 : slot->policy->weight; /* each file has its own */
    slot->arena.limit = slot->arena.used + memory;
    slot->arena.refusals = 0;
    if (slot->counting)
        lua_sethook(slot->L, NULL, 0, 0);
    slot->counting = false;
}

void pep_slot_count(struct pep_slot *slot)
{
    if (!slot->counting)
        set_hook(slot, slot->weight < FINE_FROM ? INTERVAL : INTERVAL_FINE);
}

void pep_text_noted(struct pep_slot *slot, size_t size)
{
    struct pep_reach *r = reach_of(slot);
    bool longer = r != NULL ? size > r->longest : size > slot->longest;
    slot->longest = larger(slot->longest, size);
    if (r != NULL)
        r->longest = larger(r->longest, size);
    if (longer)
        weigh(slot);
}

/* ---- blocks ---- */

/* Ends the decision at its next instruction where the budget does not reach. */
static void charge_block(struct pep_slot *slot, size_t amount)
{
    if (slot->exhausted == PEP_EXHAUSTED_NOT && !take(slot, amount))
        set_hook(slot, 1);
}

/* Keys are moved whenever there is a new block for them, and each may be compared with all before.
 * In a block larger than any so far, at most half of the keys are old ones. */
static void keys_made(struct pep_slot *slot, size_t size)
{
    size_t n = size / NODE, old = size > slot->widest ? n / 2 : n;
    charge_block(slot, old * old / COLLISIONS);
    struct pep_reach *r = reach_of(slot);
    bool wider = r != NULL ? size > r->widest : size > slot->widest;
    slot->widest = larger(slot->widest, size);
    if (r != NULL)
        r->widest = larger(r->widest, size);
    if (wider)
        weigh(slot);
}

/* It grows while a policy is loaded: `...` may stand for all that lies on it. */
static void stack_grown(struct pep_slot *slot)
{
    struct pep_reach *r = reach_of(slot);
    slot->stack = slot->made;
    if (r == NULL || slot->made_size <= r->stack)
        return;
    r->stack = slot->made_size;
    weigh(slot);
}

static bool holds_keys(const struct pep_block *b)
{
    size_t n = b->size / NODE;
    return b->old == NULL && b->size % NODE == 0 && (n & (n - 1)) == 0;
}

void pep_block_made(struct pep_slot *slot, const struct pep_block *b)
{
    bool table = b->old != NULL || b->kind == 0;
    if (slot->L == NULL && table && b->old == NULL && b->size == NAMES_FIRST)
        slot->names_of_lua = b->p;
    if (slot->L == NULL)
        return;
    if (slot->fixing != 0 && b->size >= slot->fixing) {
        slot->stack = b->p;
        return;
    }
    if (b->old != NULL && b->old == slot->names_of_lua) {
        slot->names_of_lua = b->p;
        return;
    }
    slot->made = b->p;
    slot->made_size = b->size;
    if (b->old != NULL && b->old == slot->stack)
        pep_stack_moved(slot);
    if (!table && b->kind == LUA_TSTRING && (b->size > PEP_TEXT_SHORT || slot->loader != NULL))
        pep_text_noted(slot, b->size);
    if (!table && b->kind == LUA_TFUNCTION) /* each outer variable is looked for among all */
        charge_block(slot, b->size / 8 * (b->size / 8) / COLLISIONS);
    if (!table || slot->reading)
        return;
    if (b->size > slot->largest)
        slot->largest = b->size;
    charge_block(slot, b->size / MOVED_BYTES);
    if (holds_keys(b))
        keys_made(slot, b->size);
}

/* ---- the stack ---- */

static bool hold_stack(struct pep_slot *slot, int values)
{
    slot->fixing = (size_t)values * VALUE;
    bool room = lua_checkstack(slot->L, values) != 0;
    slot->fixing = 0;
    return room && slot->stack != NULL;
}

bool pep_stack_fix(struct pep_slot *slot)
{
    return hold_stack(slot, PEP_VALUES_MAX);
}

bool pep_stack_watch(struct pep_slot *slot)
{
    return hold_stack(slot, STACK_FIRST);
}

/* It only moves when it has to grow. What asked for that ends at its next instruction. */
void pep_stack_moved(struct pep_slot *slot)
{
    if (slot->loader != NULL) { /* the block before was the new one, if it was not this very one */
        stack_grown(slot);
        return;
    }
    slot->stack = NULL;
    slot->broken = true;
    slot->steps = 0;
    slot->exhausted = PEP_EXHAUSTED_MEMORY;
    set_hook(slot, 1);
}
