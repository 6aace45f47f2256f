/*
 * The command line of a verb, as a table: each option is a row that names its type and the member
 * of the verb's settings struct that it fills. The parser, the help text, the completion scripts
 * and the "did you mean" all read the same rows.
 *
 *     struct push_settings { const char *key; int64_t wait; bool force; };
 *     static const struct option_row rows[] = {
 *         {"key", 0, "NAME", OPTION_TEXT, offsetof(struct push_settings, key), "sign with this
 * key"},
 *         {"wait", 0, "D", OPTION_DURATION, offsetof(struct push_settings, wait), "wait until
 * ..."}, OPTION_END,
 *     };
 *     const struct option_set push_options = {sizeof(struct push_settings), rows};
 *
 * Settings start as zero bytes; zero means "not given". Texts are borrowed from argv.
 */
#ifndef POLICYCTL_OPTIONS_H
#define POLICYCTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output.h"

#define OPTION_ROWS     32
#define OPTION_LIST_MAX 64

struct option_list {
    const char *items[OPTION_LIST_MAX];
    size_t count;
};

struct option_number {
    bool given;
    int64_t value;
};

enum option_type {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_LIST,     /* struct option_list: may be given several times */
    OPTION_NUMBER,   /* struct option_number, 0 to 2^53 */
    OPTION_DURATION, /* struct option_number, seconds: 90s 5m 1h 7d, or 0 */
    OPTION_TIME,     /* struct option_number, Unix seconds: a number, or RFC 3339 */
};

struct option_row {
    const char *name;
    char letter;          /* or 0 */
    const char *argument; /* as the help shows it, or NULL for a flag */
    enum option_type type;
    size_t offset;
    const char *help;
};
#define OPTION_END                          \
    {                                       \
        NULL, 0, NULL, OPTION_FLAG, 0, NULL \
    }

struct option_set {
    size_t size; /* of the settings struct */
    const struct option_row *rows;
};

/* "90", "90s", "5m", "1h", "7d": seconds, at most 100 years. False for anything else, so also for
 * "", "-1s", "1.5h" and "5 m". */
bool duration_read(const char *text, int64_t *ret_seconds);
/* Unix seconds ("1767225600") or RFC 3339 with Z or an offset ("2026-03-02T09:00:00+01:00"). */
bool time_read(const char *text, int64_t *ret_unix);
/* A whole decimal number within 0 and 2^53. */
bool number_read(const char *text, int64_t *ret);

/* "2026-03-02 09:14:05" in local time; at most 20 bytes with the NUL. "-" for 0. */
#define TIME_TEXT 24
const char *time_text(int64_t unix_seconds, char out[TIME_TEXT]);
/* "12s", "5m", "3h", "7d": the largest unit that fits. */
const char *age_text(int64_t seconds, char out[TIME_TEXT]);

/* What is global: accepted with every verb. */
struct common_settings {
    const char *context; /* -c */
    const char *format;  /* -o */
    bool no_colour, help;
};
extern const struct option_set common_options;

struct parsed {
    char **operands; /* the rest of argv */
    int operand_count;
    int next; /* index of the first word that was not read */
};

/* Reads argv[1..] by two sets; rows of `own` win over common ones with the same name or letter.
 * With `stop` it ends at the first operand. Returns EXIT_OK, or an exit code after an error
 * message; `verb` is how the command is called in messages. */
int options_parse(struct output *out, const char *verb, int argc, char **argv,
                  const struct option_set *own, void *own_settings, struct common_settings *common,
                  bool stop, struct parsed *ret);

#endif
