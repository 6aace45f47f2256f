/* Text to pointer: see map.h. */
#include "map.h"

#include "pep.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_CAPACITY 64

void map_init(struct map *map, uint64_t seed)
{
    *map = (struct map){NULL, 0, 0, seed};
}

void map_clear(struct map *map)
{
    free(map->slots);
    map_init(map, map->seed);
}

/* The slot that holds `key`, or the free one where it belongs. The map is never full. */
static struct map_slot *locate(const struct map *map, const char *key)
{
    size_t mask = map->capacity - 1;
    size_t i = (size_t)XXH3_64bits_withSeed(key, strlen(key), map->seed) & mask;
    while (map->slots[i].key != NULL && strcmp(map->slots[i].key, key) != 0)
        i = (i + 1) & mask;
    return &map->slots[i];
}

static int grow(struct map *map)
{
    struct map larger = *map;
    larger.capacity = map->capacity == 0 ? FIRST_CAPACITY : 2 * map->capacity;
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (larger.slots == NULL)
        return PEP_ENOMEM;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].key != NULL)
            *locate(&larger, map->slots[i].key) = map->slots[i];
    }
    free(map->slots);
    *map = larger;
    return 0;
}

int map_put(struct map *map, const char *key, void *value)
{
    if (4 * (map->count + 1) > 3 * map->capacity) {
        int rc = grow(map);
        if (rc != 0)
            return rc;
    }
    struct map_slot *slot = locate(map, key);
    if (slot->key != NULL)
        return PEP_ECONFLICT;
    *slot = (struct map_slot){key, value};
    map->count++;
    return 0;
}

void *map_find(const struct map *map, const char *key)
{
    return map->count == 0 ? NULL : locate(map, key)->value;
}
