/*
 * Every reader of the wire: whatever it accepts is written again as exactly the same bytes, so
 * there is one text for each message and nothing in a frame goes unread. Each input goes to all
 * readers; at most the one of its type may accept it.
 */
#include "tests/support/messages.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static union any_message m;
    struct pep_span frame = pep_span_of(data, size);
    int type = pep_message_type(frame);
    for (size_t i = 0; i < message_case_count; i++) {
        const struct message_case *c = &message_cases[i];
        if (c->read(frame, &m) != PEP_OK)
            continue;
        struct pep_buffer out = pep_buffer_of(PEP_REPLY_MAX);
        c->write(&m, &out);
        if (type != (int)c->type || !pep_span_equal(pep_buffer_span(&out), frame))
            abort();
        pep_buffer_free(&out);
    }
    return 0;
}
