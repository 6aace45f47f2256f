/*
 * A hash map from text to a pointer that somebody else owns. Open addressing, linear probing, no
 * removal: nothing in the registry is ever forgotten while the daemon runs (ids and keys are not
 * used again). The hash is XXH3 with a seed drawn at start, so that names chosen by strangers
 * cannot be made to collide.
 */
#ifndef PDP_MAP_H
#define PDP_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
    const char *key; /* borrowed from the value; NULL: free */
    void *value;
};
struct map {
    struct map_slot *slots;
    size_t capacity, count; /* capacity: a power of two, or 0 */
    uint64_t seed;
};

void map_init(struct map *map, uint64_t seed);
void map_clear(struct map *map); /* frees the slots, not the values */
/* `key` must live as long as the map. 0, or PEP_ENOMEM, PEP_ECONFLICT (there already). */
int map_put(struct map *map, const char *key, void *value);
void *map_find(const struct map *map, const char *key); /* NULL: not there */

#endif
