/*
 * A Lua state with its memory and its budget: what engine_state.c keeps, and engine_object.c and
 * engine_plain.c fill. Each begins on a cache line of its own, because another thread holds the
 * next one.
 */
#ifndef PEP_CORE_ENGINE_SLOT_H
#define PEP_CORE_ENGINE_SLOT_H

#include <lua.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEP_CACHE_LINE 128

struct pep_arena_block;
struct pep_arena_large;
#define PEP_ARENA_CLASSES 70
struct pep_arena {
    void *free[PEP_ARENA_CLASSES];
    struct pep_arena_block *blocks;
    struct pep_arena_large *large;
    char *at, *end;
    size_t used, limit, allocated; /* bytes now, allowed, and ever */
    unsigned refusals;
};

enum pep_exhausted { PEP_EXHAUSTED_NOT, PEP_EXHAUSTED_STEPS, PEP_EXHAUSTED_MEMORY };
/* In each state's registry, by number; luaL_ref counts from below. */
enum {
    PEP_KEY_FUNCTIONS = 100000, /* of rules, by number */
    PEP_KEY_NAMES,              /* attribute names, by id + 1 */
    PEP_KEY_MODULES,            /* while loading */
    PEP_KEY_TABLES,             /* three of them: engine_plain.c */
};
enum pep_object { PEP_OBJECT_SUB, PEP_OBJECT_RES, PEP_OBJECT_CTX, PEP_OBJECTS };

struct pep_eval;
struct pep_loader;
struct pep_names;
struct pep_policy;
struct pep_filled { /* one field of a plain table */
    uint32_t turn;  /* it was put there, or seen to be there already */
    uint32_t size;
    uint64_t first, last; /* of the text or integer that it is; kind says which */
    uint8_t kind;         /* PEP_V_NIL: something else */
};
struct pep_pointer_name {
    const char *key;
    uint32_t id;
};
#define PEP_BLOCK_SMALL 256
#define PEP_TEXT_SHORT  512
struct pep_block { /* as Lua asked for it */
    const void *old;
    size_t kind; /* of the object; where there is an old one, its size */
    const void *p;
    size_t size;
};
struct pep_slot {
    _Alignas(PEP_CACHE_LINE) atomic_uint busy;
    bool broken; /* the state must be built anew before it is used */
    lua_State *L;
    const struct pep_policy *policy;
    const struct pep_names *names; /* attribute names; the policy's */
    struct pep_eval *eval;         /* the running decision */
    struct pep_loader *loader;     /* while loading */
    int64_t steps;                 /* left */
    bool counting;                 /* the hook is set */
    bool kept_long;                /* a plain table has held a text that is not short */
    bool reading;                  /* blocks hold code, not tables */
    size_t fixing;                 /* the next block of so many bytes is the stack; 0: none is */
    uint32_t dear;                 /* steps that the dearest kind of instruction adds */
    uint32_t weight;               /* steps that one instruction takes now */
    uint32_t interval;             /* instructions between two calls of the hook */
    size_t longest;                /* text since the budget was set, in bytes */
    size_t widest;                 /* the keys of a table since then, in bytes */
    size_t largest;                /* any block of a table since then */
    const void *stack;             /* of Lua; once loaded, it may not grow any more */
    const void *made;              /* the last block, and its size */
    size_t made_size;
    const void *names_of_lua;     /* its table of short texts */
    enum pep_exhausted exhausted; /* sticky until the decision ends */
    bool starved;                 /* the machine had no memory, whatever the budget says */
    int base;                     /* stack entries that stay */
    unsigned sorting;             /* comparators inside each other */
    char objects[PEP_OBJECTS];    /* their addresses are sub, res and ctx */
    struct pep_pointer_name *by_pointer;
    uint32_t pointer_mask;
    size_t collected;           /* arena.allocated at the last step of the collector */
    uint64_t subject;           /* whose fields the plain table of `sub` holds */
    uint32_t turn[PEP_OBJECTS]; /* counts the decisions; fields of an older one are stale */
    struct pep_filled *filled[PEP_OBJECTS]; /* by name: what its field holds */
    jmp_buf panic;
    struct pep_arena arena;
};

#endif
