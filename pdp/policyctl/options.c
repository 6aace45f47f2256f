/*
 * Parsing by table, over getopt_long: see options.h. A letter of the verb's own hides the common
 * one
 * (`build -o FILE` against `-o FORMAT`).
 */
#include "options.h"

#include "pep/core/diag.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct option_row common_rows[] = {
    {"context", 'c', "NAME", OPTION_TEXT, offsetof(struct common_settings, context),
     "the context to use (default: $POLICYCTL_CONTEXT, or the current one)"},
    {"output", 'o', "FORMAT", OPTION_TEXT, offsetof(struct common_settings, format),
     "table, wide or json"},
    {"no-color", 0, NULL, OPTION_FLAG, offsetof(struct common_settings, no_colour),
     "no colours, also when $NO_COLOR is not set"},
    {"help", 'h', NULL, OPTION_FLAG, offsetof(struct common_settings, help), "show this help"},
    OPTION_END,
};
const struct option_set common_options = {sizeof(struct common_settings), common_rows};

#define ROWS_MAX  (2 * OPTION_ROWS)
#define ROW_VALUE 1000 /* what getopt_long returns for row 0 */

struct rows {
    const struct option_row *row[ROWS_MAX];
    void *settings[ROWS_MAX];
    size_t count;
    struct option longs[ROWS_MAX + 1];
    size_t long_count;
    char letters[2 * ROWS_MAX + 4];
};

static bool hidden(const struct rows *all, const struct option_row *row)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->row[i]->name, row->name) == 0)
            return true;
    }
    return false;
}

/* A name or a letter that is taken is left out; the other one of the row still works. */
static void add_row(struct rows *all, const struct option_row *r, void *settings)
{
    size_t n = strlen(all->letters);
    if (!hidden(all, r))
        all->longs[all->long_count++] =
            (struct option){r->name, r->argument == NULL ? no_argument : required_argument, NULL,
                            ROW_VALUE + (int)all->count};
    if (r->letter != 0 && strchr(all->letters, r->letter) == NULL)
        snprintf(all->letters + n, sizeof(all->letters) - n, "%c%s", r->letter,
                 r->argument == NULL ? "" : ":");
    all->row[all->count] = r;
    all->settings[all->count++] = settings;
}

static void add_rows(struct rows *all, const struct option_set *set, void *settings)
{
    if (set == NULL)
        return;
    for (const struct option_row *r = set->rows; r->name != NULL && all->count < ROWS_MAX; r++)
        add_row(all, r, settings);
}

static size_t row_of(const struct rows *all, int value)
{
    if (value >= ROW_VALUE)
        return (size_t)(value - ROW_VALUE);
    for (size_t i = 0; i < all->count; i++) {
        if (all->row[i]->letter == value)
            return i;
    }
    return all->count;
}

static const char *expected(enum option_type type)
{
    switch (type) {
    case OPTION_NUMBER:
        return "a whole number, for example 42";
    case OPTION_DURATION:
        return "a duration such as 90s, 5m, 1h or 7d";
    case OPTION_TIME:
        return "Unix seconds, or a time such as 2026-03-02T09:00:00Z";
    default:
        return "something else";
    }
}

/* Stores one value; false if the text is not of the row's type, or one too many. */
static bool store(const struct option_row *row, void *settings, const char *text)
{
    void *at = (char *)settings + row->offset;
    struct option_number *number = at;
    struct option_list *list = at;
    switch (row->type) {
    case OPTION_FLAG:
        *(bool *)at = true;
        return true;
    case OPTION_TEXT:
        *(const char **)at = text;
        return true;
    case OPTION_LIST:
        if (list->count == OPTION_LIST_MAX)
            return false;
        list->items[list->count++] = text;
        return true;
    case OPTION_NUMBER:
        number->given = true;
        return number_read(text, &number->value);
    case OPTION_DURATION:
        number->given = true;
        return duration_read(text, &number->value);
    case OPTION_TIME:
        number->given = true;
        return time_read(text, &number->value);
    }
    return false;
}

static int wrong_value(struct output *out, const char *verb, const struct option_row *row,
                       const char *text)
{
    if (row->type == OPTION_LIST)
        return output_error(out, EXIT_USAGE, "`--%s` given more than %d times\n%s", row->name,
                            OPTION_LIST_MAX, verb);
    return output_error(out, EXIT_USAGE, "`--%s %s`: expected %s\n%s\n%s --help", row->name, text,
                        expected(row->type), verb, verb);
}

/* What getopt_long refused: an unknown option, or one without its value. */
static int refused(struct output *out, const char *verb, const struct rows *all, int kind,
                   const char *word)
{
    size_t i = optopt == 0 ? all->count : row_of(all, optopt);
    if (i < all->count && all->row[i]->argument != NULL && kind == ':')
        return output_error(out, EXIT_USAGE, "`--%s` needs a value: %s\n%s\n%s --help",
                            all->row[i]->name, all->row[i]->argument, verb, verb);
    if (i < all->count)
        return output_error(out, EXIT_USAGE, "`--%s` takes no value\n%s\n%s --help",
                            all->row[i]->name, verb, verb);
    if (optopt != 0)
        return output_error(out, EXIT_USAGE, "unknown option `-%c`\n%s\n%s --help", optopt, verb,
                            verb);
    const char *names[ROWS_MAX];
    for (size_t k = 0; k < all->count; k++)
        names[k] = all->row[k]->name;
    char bare[64];
    snprintf(bare, sizeof(bare), "%s", word + strspn(word, "-"));
    bare[strcspn(bare, "=")] = '\0';
    const char *near = pep_did_you_mean(bare, names, all->count);
    if (near != NULL)
        return output_error(out, EXIT_USAGE, "unknown option `%s`\n%s\ndid you mean `--%s`?", word,
                            verb, near);
    return output_error(out, EXIT_USAGE, "unknown option `%s`\n%s\n%s --help", word, verb, verb);
}

int options_parse(struct output *out, const char *verb, int argc, char **argv,
                  const struct option_set *own, void *own_settings, struct common_settings *common,
                  bool stop, struct parsed *ret)
{
    struct rows all = {.count = 0};
    snprintf(all.letters, sizeof(all.letters), "%s", stop ? "+:" : ":");
    add_rows(&all, own, own_settings);
    add_rows(&all, &common_options, common);
    optind = 0; /* GNU: start anew */
    opterr = 0;
    for (;;) {
        int at = optind == 0 ? 1 : optind;
        optopt = 0;
        int value = getopt_long(argc, argv, all.letters, all.longs, NULL);
        if (value == -1)
            break;
        if (value == '?' || value == ':')
            return refused(out, verb, &all, value, argv[optind > at ? optind - 1 : at]);
        size_t i = row_of(&all, value);
        if (!store(all.row[i], all.settings[i], optarg))
            return wrong_value(out, verb, all.row[i], optarg);
    }
    ret->operands = argv + optind;
    ret->operand_count = argc - optind;
    ret->next = optind;
    return EXIT_OK;
}
