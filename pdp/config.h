/*
 * The daemon's settings: one table (config.c) gives each one's name, option, kind, range, default
 * and help; the INI reader, the command line, `--help` and the man page test all follow it.
 * The command line wins over the file, the file over the default.
 */
#ifndef PDP_CONFIG_H
#define PDP_CONFIG_H

#include "log.h"

#include "pep/core/error.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_TEXT 256 /* a setting's longest value, with NUL */

struct config {
    char file[CONFIG_TEXT]; /* where it was read from, or empty */
    char data[CONFIG_TEXT];
    char listen[CONFIG_TEXT];
    char advertise[CONFIG_TEXT];
    char http_listen[CONFIG_TEXT];
    long port_base;
    long log_level; /* enum log_level */
    long io_threads;
    long max_clients;
    long enrol_rate;
    char relay_ca[CONFIG_TEXT];
    char relay_proxy[CONFIG_TEXT];
    long relay_pause;   /* seconds */
    long relay_timeout; /* seconds */
};

struct setting {
    const char *name;     /* in the file */
    const char *option;   /* on the command line, or NULL */
    const char *argument; /* for --help */
    const char *value;    /* default as text; NULL: computed */
    size_t offset;        /* of the member of struct config */
    bool number;
    long min, max;
    const char *const *words; /* a number given as one of these words, or NULL */
    bool reload;              /* SIGHUP takes a new value */
    const char *help;
};
const struct setting *config_settings(size_t *ret_count);

/* From the command line (and the file that it names). 0; 1 if it was --help or --version, which was
 * printed; or PEP_EINVAL, PEP_EIO with what is wrong. */
int config_read(int argc, char **argv, struct config *ret, struct pep_error *err);
/* Reads the file again and takes over what may change; the command line still wins. */
int config_reload(int argc, char **argv, struct config *config, struct pep_error *err);

#endif
