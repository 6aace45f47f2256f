/*
 * One bundle's head in memory, shared by publisher.c (the words) and topic.c (the content).
 *
 * A release is one version's manifest and files; a topic holds the newest and the one before it:
 * the older one serves clients in the middle of fetching it, and tells which files a client that
 * runs it lacks.
 */
#ifndef PDP_TOPIC_H
#define PDP_TOPIC_H

#include "publisher.h"

struct release_file {
    uint8_t sha256[PEP_SHA256_SIZE];
    uint8_t *bytes;
    size_t size;
};
struct release {
    struct pep_head head;
    uint8_t *manifest;
    size_t manifest_size;
    struct release_file *files;
    size_t count;
};
struct topic {
    char name[PEP_NAME_MAX + 1];
    struct release *newest, *before; /* `before` may be NULL */
    uint64_t seq, reserved;          /* last used; first that is not ours */
    int64_t issued_at;               /* of the last notice or answer */
    bool due;
    struct topic *next;
};

int release_from_bundle(const struct pep_bundle *bundle, struct release **ret);
int release_from_store(struct store *store, const struct store_version *row, struct release **ret,
                       struct pep_error *err);
void release_free(struct release *release);
const struct release_file *release_find(const struct release *release,
                                        const uint8_t hash[PEP_SHA256_SIZE]);

int topic_new(const char *name, struct release *newest, struct topic **ret); /* takes `newest` */
void topic_free(struct topic *topic);

#endif
