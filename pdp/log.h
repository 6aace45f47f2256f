/*
 * The daemon's log: one line per event on standard error, with a level. Under systemd each line has
 * the journal's "<n>" prefix instead of a time. Never a secret, a token, or file content; text from
 * outside has its control bytes replaced before it is printed.
 */
#ifndef PDP_LOG_H
#define PDP_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVELS };
extern const char *const log_level_names[LOG_LEVELS];

/* Safe from any thread. */
void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
