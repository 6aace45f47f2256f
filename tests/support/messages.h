/*
 * One table of all wire messages with a filled example of each, for the unit tests, the fuzz target
 * and its seeds: read a frame into a struct and write it again.
 */
#ifndef PEP_TESTS_MESSAGES_H
#define PEP_TESTS_MESSAGES_H

#include "pep/core/wire_feed.h"

union any_message {
    struct pep_notice notice;
    struct pep_fetch fetch;
    struct pep_answer answer;
    struct pep_want want;
    struct pep_file_frame file;
    struct pep_statement statement;
    struct pep_enrol enrol;
    struct pep_enrolled enrolled;
    struct pep_refused refused;
    struct pep_feed feed;
    struct pep_revoked revoked;
    struct pep_keys keys;
    uint8_t nonce[PEP_NONCE_SIZE];
};

struct message_case {
    const char *name;
    enum pep_message type;
    int (*read)(struct pep_span frame, union any_message *ret);
    void (*write)(const union any_message *m, struct pep_buffer *out);
    void (*example)(union any_message *ret);
};

extern const struct message_case message_cases[];
extern const size_t message_case_count;

#endif
