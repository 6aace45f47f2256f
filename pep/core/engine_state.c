/*
 * Lua states: their memory, their budget, and who holds which.
 *
 * Each state allocates from an arena of its own: size classes with free lists over blocks that it
 * keeps, so that a warm decision never calls malloc, and discarding a state is freeing its blocks
 * (no finalizer exists that would have to run). The arena's limit is the memory budget. The
 * collector stands still during a decision and makes one bounded step after it, so a decision's
 * allocations are bounded by its budget, whatever it frees.
 *
 * Once an allocation was refused, all that grow are refused until the decision ends, then the state
 * is discarded: Lua 5.4.4 has known defects when memory runs out in the middle of an error. A small
 * reserve opens after the refusals for the error's own way out, and a panic lands in our setjmp and
 * never in abort().
 *
 * Steps are counted in engine_budget.c, which the arena tells of every block that is not small.
 *
 * Rejected: lua_close() of a broken state, which walks a heap that may be broken; one allocator for
 * all states, which would share cache lines; a thread per state, which the core may not have.
 */
#include "engine_internal.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SMALL_MAX     1024
#define SMALL_CLASSES (SMALL_MAX / 16)
#define LARGE_FROM    ((size_t)64 * 1024)
#define BLOCK_SIZE    ((size_t)64 * 1024)
#define RESERVE       ((size_t)64 * 1024)
#define COLLECT_AFTER ((size_t)16 * 1024)
#define SPINS         100
#define YIELDS        50
#define NAPS          500
#define NAP_NS        100000

/* ---- the arena ---- */

struct pep_arena_block {
    struct pep_arena_block *next;
    _Alignas(16) char bytes[];
};
struct pep_arena_large {
    struct pep_arena_large *next, *previous;
    _Alignas(16) char bytes[];
};

/* Class of a size up to LARGE_FROM: steps of 16 bytes, then powers of two. */
static unsigned class_of(size_t size)
{
    if (size <= SMALL_MAX)
        return (unsigned)((size + 15) / 16) - 1;
    unsigned c = SMALL_CLASSES;
    for (size_t room = (size_t)SMALL_MAX * 2; room < size; room *= 2)
        c++;
    return c;
}

static size_t class_size(unsigned c)
{
    return c < SMALL_CLASSES ? ((size_t)c + 1) * 16 : (size_t)SMALL_MAX * 2 << (c - SMALL_CLASSES);
}

static void *large_get(struct pep_arena *a, size_t size)
{
    struct pep_arena_large *l = malloc(sizeof(*l) + size);
    if (l == NULL)
        return NULL;
    l->previous = NULL;
    l->next = a->large;
    if (a->large != NULL)
        a->large->previous = l;
    a->large = l;
    return l->bytes;
}

static void large_put(struct pep_arena *a, void *p)
{
    struct pep_arena_large *l =
        (struct pep_arena_large *)(void *)((char *)p - offsetof(struct pep_arena_large, bytes));
    if (l->previous != NULL)
        l->previous->next = l->next;
    else
        a->large = l->next;
    if (l->next != NULL)
        l->next->previous = l->previous;
    free(l);
}

static void *small_get(struct pep_arena *a, size_t size)
{
    unsigned c = class_of(size);
    void *p = a->free[c];
    if (p != NULL) {
        memcpy(&a->free[c], p, sizeof(void *));
        return p;
    }
    size = class_size(c);
    if ((size_t)(a->end - a->at) < size) {
        size_t room = size > BLOCK_SIZE / 8 ? size : BLOCK_SIZE;
        struct pep_arena_block *b = malloc(sizeof(*b) + room);
        if (b == NULL)
            return NULL;
        b->next = a->blocks;
        a->blocks = b;
        if (room == size)
            return b->bytes;
        a->at = b->bytes;
        a->end = b->bytes + room;
    }
    p = a->at;
    a->at += size;
    return p;
}

static void small_put(struct pep_arena *a, void *p, size_t size)
{
    unsigned c = class_of(size);
    memcpy(p, &a->free[c], sizeof(void *));
    a->free[c] = p;
}

static void *get(struct pep_arena *a, size_t size)
{
    return size > LARGE_FROM ? large_get(a, size) : small_get(a, size);
}

static void put(struct pep_arena *a, void *p, size_t size)
{
    if (size > LARGE_FROM)
        large_put(a, p);
    else
        small_put(a, p, size);
}

/* True if `more` bytes may be had. */
static bool within(struct pep_slot *slot, size_t more, size_t size)
{
    struct pep_arena *a = &slot->arena;
    if (slot->exhausted != PEP_EXHAUSTED_MEMORY && a->used + more <= a->limit)
        return true;
    if (slot->exhausted != PEP_EXHAUSTED_MEMORY) {
        slot->exhausted = PEP_EXHAUSTED_MEMORY;
        slot->broken = true;
        slot->steps = 0;
        a->refusals = 0;
    }
    a->refusals++; /* the first one and Lua's second try fail; the way out of the error may not */
    return a->refusals > 2 && size <= SMALL_MAX && a->used + more <= a->limit + RESERVE;
}

static bool too_long(const struct pep_slot *slot, const void *old, size_t kind, size_t size)
{
    return old == NULL && kind == LUA_TSTRING && size > PEP_STRING_MAX + 64 && slot->L != NULL;
}

static void *arena_alloc(void *ud, void *old, size_t old_size, size_t size)
{
    struct pep_slot *slot = ud;
    struct pep_arena *a = &slot->arena;
    size_t had = old == NULL ? 0 : old_size;
    if (size == 0) {
        if (had > 0 && old == slot->stack)
            pep_stack_moved(slot);
        if (had > 0)
            put(a, old, had);
        a->used -= had;
        return NULL;
    }
    if (too_long(slot, old, old_size, size))
        a->limit = 0;
    if (size > had && !within(slot, size - had, size))
        return NULL;
    bool in_place =
        had > 0 && had <= LARGE_FROM && size <= LARGE_FROM && class_of(had) == class_of(size);
    void *p = in_place ? old : get(a, size);
    if (p == NULL && size > had) {
        slot->starved = true;
        slot->exhausted = PEP_EXHAUSTED_MEMORY;
        slot->broken = true;
        return NULL;
    }
    if (p == NULL)
        return old; /* Lua counts on it that shrinking works */
    if (had > 0 && !in_place) {
        memcpy(p, old, had < size ? had : size);
        put(a, old, had);
    }
    a->used += size - had;
    a->allocated += size > had ? size - had : 0;
    if (size > PEP_BLOCK_SMALL)
        pep_block_made(slot, &(struct pep_block){old, old_size, p, size});
    return p;
}

static void arena_free(struct pep_arena *a)
{
    for (struct pep_arena_block *b = a->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    for (struct pep_arena_large *l = a->large, *next; l != NULL; l = next) {
        next = l->next;
        free(l);
    }
    memset(a, 0, sizeof(*a));
}

/* ---- protected calls ---- */

struct pep_slot *pep_slot_of(lua_State *L)
{
    struct pep_slot *slot;
    memcpy(&slot, lua_getextraspace(L), sizeof(void *));
    return slot;
}

static int on_panic(lua_State *L)
{
    struct pep_slot *slot = pep_slot_of(L);
    slot->broken = true;
    longjmp(slot->panic, 1);
}

int pep_slot_pcall(struct pep_slot *slot, int arguments, int results)
{
    if (_setjmp(slot->panic) != 0)
        return LUA_ERRMEM;
    return lua_pcall(slot->L, arguments, results, 0);
}

int pep_slot_call(struct pep_slot *slot, lua_CFunction function, void *argument)
{
    if (_setjmp(slot->panic) != 0)
        return LUA_ERRMEM;
    lua_pushcfunction(slot->L, function);
    lua_pushlightuserdata(slot->L, argument);
    return lua_pcall(slot->L, 1, 0, 0);
}

void pep_slot_error(struct pep_slot *slot, int status, char *out, size_t size)
{
    const char *text = "the rule failed with an error that is not a text";
    if (status == LUA_ERRMEM || slot->exhausted == PEP_EXHAUSTED_MEMORY)
        text = "more memory needed than a decision may use";
    else if (slot->exhausted == PEP_EXHAUSTED_STEPS)
        text = "more steps needed than a decision may take";
    else if (lua_type(slot->L, -1) == LUA_TSTRING)
        text = lua_tostring(slot->L, -1);
    size_t n = strnlen(text, size - 1);
    memcpy(out, text, n);
    out[n] = '\0';
    pep_text_mend(out);
    if (!slot->broken)
        lua_pop(slot->L, 1);
}

/* ---- after a decision ---- */

void pep_slot_end(struct pep_slot *slot)
{
    lua_settop(slot->L, slot->base);
    if (slot->arena.allocated - slot->collected < COLLECT_AFTER)
        return;
    slot->collected = slot->arena.allocated;
    slot->arena.limit = SIZE_MAX / 2;
    if (_setjmp(slot->panic) == 0)
        lua_gc(slot->L, LUA_GCSTEP, 0);
}

/* ---- life of a state ---- */

int pep_slot_open(struct pep_slot *slot, const struct pep_policy *policy, struct pep_error *err)
{
    slot->policy = policy;
    slot->names = &policy->names;
    slot->broken = false;
    slot->starved = false;
    slot->exhausted = PEP_EXHAUSTED_NOT;
    slot->counting = false;
    slot->steps = INT64_MAX / 2; /* until a budget is set */
    slot->stack = slot->names_of_lua = NULL;
    slot->arena.limit = PEP_LOAD_MEMORY;
    slot->L = NULL;
    lua_State *L = lua_newstate(arena_alloc, slot);
    if (L == NULL) {
        arena_free(&slot->arena);
        return pep_error_set(err, PEP_ENOMEM, "no memory for a Lua state");
    }
    slot->L = L;
    memcpy(lua_getextraspace(L), &slot, sizeof(void *));
    lua_atpanic(L, on_panic);
    lua_gc(L, LUA_GCINC, 200, 100, 11);
    lua_gc(L, LUA_GCSTOP);
    return PEP_OK;
}

void pep_slot_close(struct pep_slot *slot)
{
    arena_free(&slot->arena);
    free(slot->by_pointer);
    slot->by_pointer = NULL;
    for (int i = 0; i < PEP_OBJECTS; i++) {
        free(slot->filled[i]);
        slot->filled[i] = NULL;
    }
    slot->base = 0;
    slot->L = NULL;
    slot->collected = 0;
}

/* ---- claiming ---- */

unsigned pep_thread_number(void)
{
    static atomic_uint_fast64_t next; /* never comes round: the first numbers are never reused */
    static _Thread_local unsigned mine;
    if (mine == 0) {
        uint64_t n = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
        mine = 1 + (unsigned)(n < INT32_MAX ? n : INT32_MAX);
    }
    return mine - 1;
}

static struct pep_slot *claim_any(const struct pep_policy *policy, unsigned from)
{
    for (unsigned i = 0; i < policy->slot_count; i++) {
        struct pep_slot *slot = &policy->slots[(from + i) % policy->slot_count];
        if (atomic_load_explicit(&slot->busy, memory_order_relaxed) == 0 &&
            atomic_exchange_explicit(&slot->busy, 1, memory_order_acquire) == 0)
            return slot;
    }
    return NULL;
}

struct pep_slot *pep_slot_claim(const struct pep_policy *policy)
{
    unsigned from = pep_thread_number();
    struct pep_slot *slot = claim_any(policy, from);
    for (int i = 0; slot == NULL && i < SPINS + YIELDS + NAPS; i++) {
        if (i >= SPINS + YIELDS)
            nanosleep(&(struct timespec){0, NAP_NS}, NULL);
        else if (i >= SPINS)
            sched_yield();
        slot = claim_any(policy, from);
    }
    return slot;
}

void pep_slot_release(struct pep_slot *slot)
{
    atomic_store_explicit(&slot->busy, 0, memory_order_release);
}
