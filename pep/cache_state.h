/*
 * The cache's `state` file as a value: see cache.h for the folder, cache_state.c for the bytes.
 */
#ifndef PEP_CACHE_STATE_H
#define PEP_CACHE_STATE_H

#include "pep/cache.h"

#define CACHE_STATE_MAX 4096
#define CACHE_SLOTS     2 /* what runs; the final version beside it */
#define CACHE_BOOT_ID   16

struct cache_slot {
    struct pep_head head;
    uint8_t file_sha256[PEP_SHA256_SIZE];
    uint64_t file_size;
};

struct cache_state {
    char bundle[PEP_NAME_MAX + 1];
    char installation[33];
    char client_key[PEP_Z85_SIZE + 1];
    struct pep_memory memory;
    uint8_t boot_id[CACHE_BOOT_ID]; /* of the boot that memory.proof.boot_ms counts in */
    uint32_t roots_size;            /* 0: no file */
    uint8_t roots_sha256[PEP_SHA256_SIZE];
    uint8_t slot_count;
    struct cache_slot slots[CACHE_SLOTS];
};

/* Appends. */
int cache_state_write(const struct cache_state *state, struct pep_buffer *out);
/* 0, or PEP_EFORMAT: anything but exactly what was written. */
int cache_state_read(struct pep_span bytes, struct cache_state *ret, struct pep_error *err);

/* This boot's id; all zero if the system does not tell. */
void cache_boot_id(uint8_t out[CACHE_BOOT_ID]);
/* Moves a proof from the time of the boot in which it was written into this one's. A proof from the
 * future of the wall clock is no proof. */
void cache_state_rebase(struct cache_state *state, const uint8_t boot_id[CACHE_BOOT_ID],
                        struct pep_moment now);

#endif
