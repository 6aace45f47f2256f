/*
 * Tables for people: columns as wide as their widest cell, two blanks apart, nothing behind the
 * last one. Width is counted in UTF-8 characters, not bytes. See output.h.
 */
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX 1000000

struct table {
    const struct column *columns;
    size_t column_count;
    char **cells;
    size_t count, capacity;
    bool failed;
};

struct table *table_new(const struct column *columns)
{
    struct table *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->columns = columns;
    while (t->column_count < TABLE_COLUMNS && columns[t->column_count].title != NULL)
        t->column_count++;
    return t;
}

static bool room(struct table *t)
{
    if (t->count < t->capacity)
        return true;
    size_t capacity = t->capacity == 0 ? 64 : t->capacity * 2;
    char **cells = capacity > CELLS_MAX ? NULL : realloc(t->cells, capacity * sizeof(*cells));
    if (cells == NULL)
        return false;
    t->cells = cells;
    t->capacity = capacity;
    return true;
}

void table_cell(struct table *t, const char *format, ...)
{
    if (t == NULL)
        return;
    char *text = NULL;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0 || !room(t)) {
        if (n >= 0)
            free(text);
        t->failed = true;
        return;
    }
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    t->cells[t->count++] = text;
}

static const char *shown(const char *cell)
{
    return cell[0] == '\0' ? "-" : cell;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* The titles, in bold if wanted, when `cells` is NULL. */
static void print_row(const struct table *t, const size_t *widths, char *const *cells, bool bold)
{
    size_t last = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        if (widths[i] > 0)
            last = i;
    }
    for (size_t i = 0; i <= last; i++) {
        if (widths[i] == 0)
            continue;
        const char *text = cells == NULL ? t->columns[i].title : shown(cells[i]);
        int pad = (int)(widths[i] - characters(text));
        if (t->columns[i].right)
            printf("%*s%s", pad, "", text);
        else
            printf("%s%*s", text, i == last ? 0 : pad, "");
        fputs(i != last ? "  " : bold ? "\033[0m\n" : "\n", stdout);
    }
}

static void table_free(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

int table_print(struct table *t, struct output *out)
{
    if (t == NULL || t->failed || t->count % t->column_count != 0) {
        if (t != NULL)
            table_free(t);
        return output_error(out, EXIT_FAILED, "no memory for the table");
    }
    size_t widths[TABLE_COLUMNS] = {0};
    for (size_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].wide && out->format != OUTPUT_WIDE)
            continue;
        widths[i] = characters(t->columns[i].title);
        for (size_t k = i; k < t->count; k += t->column_count) {
            size_t n = characters(shown(t->cells[k]));
            widths[i] = n > widths[i] ? n : widths[i];
        }
    }
    if (out->colour_out)
        fputs("\033[1m", stdout);
    print_row(t, widths, NULL, out->colour_out);
    for (size_t k = 0; k < t->count; k += t->column_count)
        print_row(t, widths, t->cells + k, false);
    table_free(t);
    return EXIT_OK;
}

int output_list(struct output *out, struct table *table, json_t *json)
{
    if (out->format == OUTPUT_JSON) {
        if (table != NULL)
            table_free(table);
        return output_json(out, json);
    }
    json_decref(json);
    return table_print(table, out);
}
