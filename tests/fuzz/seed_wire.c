/* An example of each message. */
#include "seeds.h"

#include "tests/support/messages.h"

void seeds(void)
{
    static union any_message m;
    for (size_t i = 0; i < message_case_count; i++) {
        struct pep_buffer out = pep_buffer_of(PEP_REPLY_MAX);
        message_cases[i].example(&m);
        message_cases[i].write(&m, &out);
        seed_write(message_cases[i].name, pep_buffer_span(&out));
        pep_buffer_free(&out);
    }
}
