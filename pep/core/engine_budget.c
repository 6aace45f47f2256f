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
#define NAMES_FIRST   (128 * sizeof(void *)) /* the first block of Lua's table of short texts */
#define VALUE         16                     /* bytes on the stack */

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
    if (slot->exhausted != PEP_EXHAUSTED_NOT)
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

/* While a policy is loaded, the top level of its files runs, too, and no state must find it dearer
 * than the first one did. */
static uint32_t dearest(const struct pep_policy *policy, size_t from)
{
    uint32_t most = 0;
    for (size_t i = 0; i < policy->source_count; i++) {
        const struct pep_chunk *c = policy->sources[i].chunk;
        for (size_t f = from; f < pep_chunk_function_count(c); f++) {
            unsigned dear = pep_chunk_function(c, f)->dear;
            most = dear > most ? dear : most;
        }
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

/* Loading has much more time, and honest files make large tables, once. */
static uint32_t weight_to_load(const struct pep_slot *slot)
{
    return (uint32_t)(1 + slot->dear + slot->longest / TEXT_BYTES + slot->widest / KEYS_BYTES);
}

void pep_policy_weigh(struct pep_policy *policy, size_t longest)
{
    policy->longest = longest;
    policy->dear = dearest(policy, 1); /* 0 runs only now */
    policy->weight = weight_of(policy->dear, longest, 0);
}

static void weigh(struct pep_slot *slot)
{
    uint32_t before = slot->weight;
    slot->weight = slot->loader != NULL ? weight_to_load(slot)
                                        : weight_of(slot->dear, slot->longest, slot->widest);
    if (!slot->counting || slot->interval == INTERVAL_FINE || slot->weight < FINE_FROM ||
        slot->exhausted != PEP_EXHAUSTED_NOT)
        return;
    set_hook(slot, INTERVAL_FINE); /* which forgets what was counted since the last call of it */
    if (!take(slot, (size_t)INTERVAL * before))
        set_hook(slot, 1);
}

void pep_slot_begin(struct pep_slot *slot, int64_t steps, size_t memory)
{
    slot->steps = steps;
    slot->exhausted = PEP_EXHAUSTED_NOT;
    slot->sorting = 0;
    bool loads = slot->loader != NULL;
    slot->longest = loads ? 0 : slot->policy->longest;
    slot->dear = loads ? dearest(slot->policy, 0) : slot->policy->dear;
    slot->largest = slot->widest = 0;
    slot->weight = loads ? weight_to_load(slot) : slot->policy->weight;
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
    if (size <= slot->longest)
        return;
    slot->longest = size;
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
    if (size <= slot->widest)
        return;
    slot->widest = size;
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
    if (slot->fixing && b->size >= PEP_VALUES_MAX * VALUE) {
        slot->stack = b->p;
        return;
    }
    if (b->old != NULL && b->old == slot->names_of_lua) {
        slot->names_of_lua = b->p;
        return;
    }
    if (b->old != NULL && b->old == slot->stack)
        pep_stack_moved(slot);
    if (!table && b->kind == LUA_TSTRING && b->size > PEP_TEXT_SHORT)
        pep_text_noted(slot, b->size);
    if (!table && b->kind == LUA_TFUNCTION) /* each outer variable is looked for among all */
        charge_block(slot, b->size / 8 * (b->size / 8) / COLLISIONS);
    if (!table)
        return;
    if (b->size > slot->largest)
        slot->largest = b->size;
    charge_block(slot, b->size / MOVED_BYTES);
    if (holds_keys(b))
        keys_made(slot, b->size);
}

/* ---- the stack ---- */

bool pep_stack_fix(struct pep_slot *slot)
{
    slot->fixing = true;
    bool room = lua_checkstack(slot->L, PEP_VALUES_MAX) != 0;
    slot->fixing = false;
    return room && slot->stack != NULL;
}

/* It only moves when it has to grow. What asked for that ends at its next instruction. */
void pep_stack_moved(struct pep_slot *slot)
{
    slot->stack = NULL;
    slot->broken = true;
    slot->steps = 0;
    slot->exhausted = PEP_EXHAUSTED_MEMORY;
    set_hook(slot, 1);
}
