/* One line per event: see log.h. The level is the program's only global: every thread logs. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

const char *const log_level_names[LOG_LEVELS] = {"error", "warning", "info", "debug"};
static const int syslog_numbers[LOG_LEVELS] = {3, 4, 6, 7};

static atomic_int threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, level);
}

void log_write(enum log_level level, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    size_t at;
    if ((int)level > atomic_load(&threshold))
        return;
    if (getenv("JOURNAL_STREAM") != NULL) {
        at = (size_t)snprintf(line, sizeof(line), "<%d>", syslog_numbers[level]);
    } else {
        time_t now = time(NULL);
        struct tm tm;
        gmtime_r(&now, &tm);
        at = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ ", &tm);
        at += (size_t)snprintf(line + at, sizeof(line) - at, "%-7s ", log_level_names[level]);
    }
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line + at, sizeof(line) - at - 1, format, ap);
    va_end(ap);
    size_t end = n < 0 ? at : at + (size_t)n;
    if (end > sizeof(line) - 2)
        end = sizeof(line) - 2;
    for (size_t i = at; i < end; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    line[end] = '\n';
    /* One write, so that lines of several threads do not mix. Nobody to tell if it fails. */
    if (write(STDERR_FILENO, line, end + 1) < 0)
        return;
}
