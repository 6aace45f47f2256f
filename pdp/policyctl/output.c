/*
 * See output.h. Each message is formatted once into a bounded buffer, its lines are split at the
 * line feeds of the *format*, and only then are the texts cleaned: a line feed inside a value
 * cannot forge a further line.
 */
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Stands for a line feed of the format while values are filled in. Never part of UTF-8, which is
 * all that comes from a server. */
#define SEPARATOR '\xff'

#define RED    "\033[1;31m"
#define YELLOW "\033[1;33m"
#define BLUE   "\033[1;34m"
#define BOLD   "\033[1m"
#define PLAIN  "\033[0m"

void output_init(struct output *out, bool no_colour)
{
    const char *env = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool never =
        no_colour || (env != NULL && env[0] != '\0') || (term != NULL && strcmp(term, "dumb") == 0);
    out->colour_out = !never && isatty(STDOUT_FILENO);
    out->colour_err = !never && isatty(STDERR_FILENO);
    out->live = isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
    out->drawn = false;
}

bool output_format_read(const char *text, enum output_format *ret)
{
    static const char *const names[] = {"table", "wide", "json"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum output_format)i;
            return true;
        }
    }
    return false;
}

static void clean(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

/* Fills `text` and cuts it into lines; returns how many. */
static size_t fill(char *text, size_t size, char **lines, size_t max, const char *format,
                   va_list ap)
{
    char shape[OUTPUT_LINE];
    size_t n = 0;
    for (; format[n] != '\0' && n + 1 < sizeof(shape); n++)
        shape[n] = format[n] == '\n' ? SEPARATOR : format[n];
    shape[n] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (vsnprintf(text, size, shape, ap) < 0)
        text[0] = '\0';
#pragma GCC diagnostic pop
    size_t count = 0;
    for (char *at = text; at != NULL && count < max; count++) {
        char *end = strchr(at, SEPARATOR);
        lines[count] = at;
        if (end != NULL)
            *end++ = '\0';
        clean(lines[count]);
        at = end;
    }
    return count;
}

static const char *paint(const struct output *out, const char *colour)
{
    return out->colour_err ? colour : "";
}

static void layout(struct output *out, const char *level, const char *colour, const char *format,
                   va_list ap)
{
    char text[3 * OUTPUT_LINE];
    char *lines[8];
    size_t count = fill(text, sizeof(text), lines, 8, format, ap);
    output_progress_end(out);
    fflush(stdout);
    fprintf(stderr, "%s%s%s: %s%s%s\n", paint(out, colour), level, paint(out, PLAIN),
            paint(out, BOLD), lines[0], paint(out, PLAIN));
    if (count > 1 && lines[1][0] != '\0')
        fprintf(stderr, "  %s-->%s %s\n", paint(out, BLUE), paint(out, PLAIN), lines[1]);
    for (size_t i = 2; i < count; i++) {
        if (lines[i][0] != '\0')
            fprintf(stderr, "   %s=%s help: %s\n", paint(out, BLUE), paint(out, PLAIN), lines[i]);
    }
}

int output_error(struct output *out, enum exit_code code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    layout(out, "error", RED, format, ap);
    va_end(ap);
    return (int)code;
}

void output_warning(struct output *out, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    layout(out, "warning", YELLOW, format, ap);
    va_end(ap);
}

void output_note(struct output *out, const char *format, ...)
{
    char text[OUTPUT_LINE];
    char *line;
    va_list ap;
    va_start(ap, format);
    fill(text, sizeof(text), &line, 1, format, ap);
    va_end(ap);
    output_progress_end(out);
    fflush(stdout);
    fprintf(stderr, "%s\n", line);
}

/* The source line below the place, with its number in the margin. */
static void print_source(const struct output *out, const struct output_finding *f)
{
    char source[OUTPUT_LINE], number[16];
    snprintf(source, sizeof(source), "%s", f->source);
    clean(source);
    int width = snprintf(number, sizeof(number), "%d", f->line);
    fprintf(stderr, " %s%*s |%s\n", paint(out, BLUE), width, "", paint(out, PLAIN));
    fprintf(stderr, " %s%s |%s %s\n", paint(out, BLUE), number, paint(out, PLAIN), source);
}

void output_finding(struct output *out, const struct output_finding *f)
{
    const char *colour = strcmp(f->level, "error") == 0     ? RED
                         : strcmp(f->level, "warning") == 0 ? YELLOW
                                                            : BLUE;
    char place[OUTPUT_LINE] = "";
    if (f->file != NULL && f->line > 0)
        snprintf(place, sizeof(place), "%s:%d", f->file, f->line);
    else if (f->file != NULL)
        snprintf(place, sizeof(place), "%s", f->file);
    char message[OUTPUT_LINE], help[OUTPUT_LINE];
    snprintf(message, sizeof(message), "%s", f->message);
    snprintf(help, sizeof(help), "%s", f->help == NULL ? "" : f->help);
    clean(place);
    clean(message);
    clean(help);
    output_progress_end(out);
    fflush(stdout);
    fprintf(stderr, "%s%s[%s]%s: %s%s%s\n", paint(out, colour), f->level, f->code,
            paint(out, PLAIN), paint(out, BOLD), message, paint(out, PLAIN));
    if (place[0] != '\0')
        fprintf(stderr, "  %s-->%s %s\n", paint(out, BLUE), paint(out, PLAIN), place);
    if (f->source != NULL && f->line > 0)
        print_source(out, f);
    if (help[0] != '\0')
        fprintf(stderr, "   %s=%s help: %s\n", paint(out, BLUE), paint(out, PLAIN), help);
}

void output_progress(struct output *out, const char *format, ...)
{
    char text[OUTPUT_LINE];
    char *line;
    va_list ap;
    va_start(ap, format);
    fill(text, sizeof(text), &line, 1, format, ap);
    va_end(ap);
    if (out->live) {
        fprintf(stderr, "\r\033[K%s", line);
        out->drawn = true;
    } else if (strncmp(out->last, line, sizeof(out->last) - 1) != 0) {
        snprintf(out->last, sizeof(out->last), "%s", line);
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
}

void output_progress_end(struct output *out)
{
    if (out->drawn)
        fputc('\n', stderr);
    out->drawn = false;
}

void output_line(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
}

int output_json(struct output *out, json_t *value)
{
    if (value == NULL)
        return output_error(out, EXIT_FAILED, "no memory for the answer");
    size_t flags = JSON_ENCODE_ANY | (isatty(STDOUT_FILENO) ? JSON_INDENT(2) : 0);
    int rc = json_dumpf(value, stdout, flags);
    json_decref(value);
    if (rc != 0)
        return output_error(out, EXIT_FAILED, "the answer could not be written\nstdout");
    putchar('\n');
    return EXIT_OK;
}

int output_finish(struct output *out, int code)
{
    output_progress_end(out);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    return code != EXIT_OK ? code
                           : output_error(out, EXIT_FAILED,
                                          "the data could not be written whole\n"
                                          "stdout\nfree the disk or the pipe");
}
