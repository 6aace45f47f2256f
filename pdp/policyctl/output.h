/*
 * Everything that policyctl says. Data goes to stdout, as a table or as one JSON value; messages go
 * to stderr. An error says what is wrong, where, and what to type next:
 *
 *     return output_error(&s->out, EXIT_FAILED,
 *                         "no context `%s`\n"          what
 *                         "%s\n"                       where; an empty line leaves it out
 *                         "policyctl context list",    next
 *                         name, folder);
 *
 *     error: no context `prd`
 *       --> /home/ann/.config/policyctl/contexts
 *        = help: policyctl context list
 *
 * Colour only decorates and is used on a terminal alone, without NO_COLOR. Control bytes in texts
 * from outside become '?', so that a server or a file cannot write into the terminal.
 *
 * Rejected: a global output state; each verb gets the session's.
 */
#ifndef POLICYCTL_OUTPUT_H
#define POLICYCTL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,         /* remote or unexpected */
    EXIT_USAGE = 2,          /* the command line is wrong, or something is not set up */
    EXIT_CHECK = 3,          /* the policy has errors */
    EXIT_TESTS = 4,          /* a policy test failed */
    EXIT_DIFFERENT = 5,      /* differences found, only with -e */
    EXIT_NOT_CONVERGED = 6,  /* not all services run it in time */
    EXIT_NOT_ALLOWED = 7,    /* decision not allow (only with -e), or token not valid */
    EXIT_NOT_AUTHORISED = 8, /* no key, or a key that may not */
    EXIT_INTERRUPTED = 130,
};

enum output_format { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON };

struct output {
    enum output_format format;
    bool colour_out, colour_err; /* stdout and stderr may be decorated */
    bool live;                   /* stderr is a terminal: progress may redraw its line */
    bool drawn;                  /* a progress line stands unfinished */
    char last[128];              /* start of the last progress text that was printed */
};

#define OUTPUT_LINE 1024 /* longest message line, with its NUL; longer ones are cut */

/* Looks at the terminal and at NO_COLOR. */
void output_init(struct output *out, bool no_colour);
/* "table", "wide" or "json"; false for anything else. */
bool output_format_read(const char *text, enum output_format *ret);

/* Three lines in one format: what, where, next. Lines two and three may be empty or missing;
 * further lines become further helps. Returns `code`, so that a verb can end with it. */
int output_error(struct output *out, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same layout, without an exit code. */
void output_warning(struct output *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line for the person at the terminal, on stderr. */
void output_note(struct output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What `check` and the compiler found: "error[E101]: message", place, source line, help. `file`,
 * `source` and `help` may be NULL. */
struct output_finding {
    const char *level; /* "error", "warning" or "note" */
    const char *code, *file;
    int line;
    const char *source;
    const char *message, *help;
};
void output_finding(struct output *out, const struct output_finding *finding);

/* Progress of something that takes time: redraws one line on a terminal, else prints a line
 * whenever the text changes (the caller passes the same text for the same state). */
void output_progress(struct output *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void output_progress_end(struct output *out);

/* One line of data on stdout. */
void output_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A JSON value on stdout, indented on a terminal, else on one line. Steals the reference. NULL (no
 * memory while it was built) is reported. Returns the exit code. */
int output_json(struct output *out, json_t *steals);
/* Flushes stdout: the exit code, or EXIT_FAILED if the data could not be written. */
int output_finish(struct output *out, int code);

/* ---- tables ---- */

#define TABLE_COLUMNS 12

struct column {
    const char *title;
    bool wide;  /* only with -o wide */
    bool right; /* numbers */
};
struct table; /* cells of text, filled from left to right, top to bottom */

/* `columns` ends with a NULL title and must outlive the table. NULL without memory. */
struct table *table_new(const struct column *columns);
/* Copies; control bytes become '?'. An empty text prints as "-". */
void table_cell(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints on stdout and frees. Returns the exit code (EXIT_FAILED if memory ran out). */
int table_print(struct table *t, struct output *out);
/* What a listing ends with: prints one of the two as the format says and frees both. */
int output_list(struct output *out, struct table *table, json_t *steals);

#endif
