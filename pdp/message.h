/*
 * Outgoing multipart messages, as bytes: what the rooms of pdp/ hand to pdp/net. Failure is sticky,
 * as in struct pep_buffer: write everything, ask once.
 */
#ifndef PDP_MESSAGE_H
#define PDP_MESSAGE_H

#include "pep/core/bytes.h"

struct message {
    struct pep_buffer *frames;
    size_t count, capacity;
    bool failed;
};
struct outbox {
    struct message *items;
    size_t count, capacity;
    bool failed;
};

/* A new last frame to write into, valid until the next one; NULL (and failed) without memory. */
struct pep_buffer *message_frame(struct message *message, size_t max);
/* A new last frame that is a copy of these bytes. */
void message_copy(struct message *message, struct pep_span bytes);
/* True if no frame failed. */
bool message_good(const struct message *message);
void message_clear(struct message *message);

struct message *outbox_message(struct outbox *outbox); /* as message_frame() */
void outbox_clear(struct outbox *outbox);

#endif
