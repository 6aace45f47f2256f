/* Settings: see config.h. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION     "pdpd"
#define OPTION_BASE 256

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
    {"data", "data", "DIR", NULL, AT(data), false, 0, 0, NULL, false,
     "folder for keys and database (default $XDG_STATE_HOME/pdpd)"},
    {"listen", "listen", "HOST", "127.0.0.1", AT(listen), false, 0, 0, NULL, false,
     "address that services and operators connect to; * for all"},
    {"advertise", "advertise", "HOST", "", AT(advertise), false, 0, 0, NULL, false,
     "host name that services are told to use (default: listen)"},
    {"http_listen", NULL, "HOST", "127.0.0.1", AT(http_listen), false, 0, 0, NULL, false,
     "address of the HTTP port (health, metrics)"},
    {"port_base", "port-base", "N", "7610", AT(port_base), true, 1024, 65530, NULL, false,
     "first of five ports: notices, fetch, enrol, operators, HTTP"},
    {"log_level", "log-level", "L", "info", AT(log_level), true, 0, LOG_LEVELS - 1, log_level_names,
     true, "error, warning, info or debug"},
    {"io_threads", NULL, "N", "2", AT(io_threads), true, 1, 16, NULL, false,
     "network threads; they do the encryption"},
    {"max_clients", NULL, "N", "100000", AT(max_clients), true, 1, 1000000, NULL, true,
     "service instances that may be enrolled"},
    {"enrol_rate", NULL, "N", "300", AT(enrol_rate), true, 1, 1000000, NULL, true,
     "enrolments per minute from one address"},
    {"relay_ca", NULL, "FILE", "", AT(relay_ca), false, 0, 0, NULL, false,
     "certificates that issuers' servers must be signed by (default: the system's)"},
    {"relay_proxy", NULL, "URL", "", AT(relay_proxy), false, 0, 0, NULL, false,
     "HTTP proxy for fetching issuers' token keys (default: none)"},
    {"relay_pause", NULL, "N", "30", AT(relay_pause), true, 1, 3600, NULL, true,
     "seconds between two fetches of one issuer's keys that clients ask for"},
    {"relay_timeout", NULL, "N", "10", AT(relay_timeout), true, 1, 60, NULL, true,
     "seconds that fetching an issuer's keys may take"},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

const struct setting *config_settings(size_t *ret_count)
{
    *ret_count = SETTINGS;
    return settings;
}

/* ---- one value ---- */

static int word_number(const struct setting *s, const char *value, long *ret)
{
    for (long i = s->min; i <= s->max; i++) {
        if (strcmp(s->words[i], value) == 0) {
            *ret = i;
            return 0;
        }
    }
    return PEP_EINVAL;
}

static int set_number(struct config *c, const struct setting *s, const char *value,
                      struct pep_error *err)
{
    long n = 0;
    char *end;
    if (s->words != NULL) {
        if (word_number(s, value, &n) != 0)
            return pep_error_set(err, PEP_EINVAL, "%s = %s: must be %s", s->name, value, s->help);
    } else {
        errno = 0;
        n = strtol(value, &end, 10);
        if (errno != 0 || end == value || *end != '\0' || n < s->min || n > s->max)
            return pep_error_set(err, PEP_EINVAL, "%s = %s: must be a number from %ld to %ld",
                                 s->name, value, s->min, s->max);
    }
    memcpy((char *)c + s->offset, &n, sizeof(n));
    return 0;
}

static int set_value(struct config *c, const struct setting *s, const char *value,
                     struct pep_error *err)
{
    if (s->number)
        return set_number(c, s, value, err);
    if (strlen(value) >= CONFIG_TEXT)
        return pep_error_set(err, PEP_EINVAL, "%s: longer than %d bytes", s->name, CONFIG_TEXT - 1);
    memcpy((char *)c + s->offset, value, strlen(value) + 1);
    return 0;
}

/* ---- defaults and file ---- */

static int default_folder(struct config *c, struct pep_error *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n;
    if (state != NULL && state[0] == '/')
        n = snprintf(c->data, sizeof(c->data), "%s/pdpd", state);
    else if (home != NULL && home[0] == '/')
        n = snprintf(c->data, sizeof(c->data), "%s/.local/state/pdpd", home);
    else
        return pep_error_set(err, PEP_EINVAL, "no place for the data; say where with --data DIR");
    if (n < 0 || (size_t)n >= sizeof(c->data))
        return pep_error_set(err, PEP_EINVAL, "the default data folder's path is too long");
    return 0;
}

struct ini_state {
    struct config *config;
    struct pep_error *err;
};

static int take_line(void *context, const char *section, const char *name, const char *value)
{
    struct ini_state *s = context;
    if (strcmp(section, SECTION) != 0) {
        pep_error_set(s->err, PEP_EINVAL, "section [%s]: only [" SECTION "] is known", section);
        return 0;
    }
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].name, name) == 0)
            return set_value(s->config, &settings[i], value, s->err) == 0;
    }
    pep_error_set(s->err, PEP_EINVAL, "unknown setting `%s`; see pdpd.conf(5)", name);
    return 0;
}

static int read_file(struct config *c, struct pep_error *err)
{
    struct pep_error inner = PEP_ERROR_INIT;
    struct ini_state state = {c, &inner};
    int line = ini_parse(c->file, take_line, &state);
    if (line == 0)
        return 0;
    if (line == -1)
        return pep_error_set(err, PEP_EIO, "%s: %s", c->file, strerror(errno));
    return pep_error_set(err, PEP_EINVAL, "%s:%d: %s", c->file, line,
                         inner.code == 0 ? "not `name = value`" : inner.text);
}

/* ---- command line ---- */

static void print_help(void)
{
    printf(
        "usage: pdpd [options]\n"
        "The policy decision point's daemon: stores signed policy versions and distributes them.\n"
        "\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        char left[40];
        if (settings[i].option == NULL)
            continue;
        snprintf(left, sizeof(left), "--%s %s", settings[i].option, settings[i].argument);
        printf("  %-18s %s", left, settings[i].help);
        if (settings[i].value != NULL && settings[i].value[0] != '\0')
            printf(" (default %s)", settings[i].value);
        printf("\n");
    }
    printf("  %-18s %s\n  %-18s %s\n  %-18s %s\n", "--config FILE", "settings; see pdpd.conf(5)",
           "--help", "this text", "--version", "the version");
}

enum { OPTION_CONFIG = OPTION_BASE + SETTINGS, OPTION_HELP, OPTION_VERSION };

static void option_table(struct option out[SETTINGS + 4])
{
    size_t n = 0;
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].option != NULL)
            out[n++] =
                (struct option){settings[i].option, required_argument, NULL, OPTION_BASE + (int)i};
    }
    out[n++] = (struct option){"config", required_argument, NULL, OPTION_CONFIG};
    out[n++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    out[n++] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
    out[n] = (struct option){NULL, 0, NULL, 0};
}

/* One pass over the command line; `only_file` takes just --config, --help and --version. */
static int take_options(int argc, char **argv, struct config *c, bool only_file,
                        struct pep_error *err)
{
    struct option table[SETTINGS + 4];
    int rc = 0, option;
    option_table(table);
    optind = 0; /* the second pass, and a reload, start over */
    opterr = 0;
    while (rc == 0 && (option = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (option == '?' || option == ':') {
            rc = pep_error_set(err, PEP_EINVAL, "%s: %s; see pdpd --help", argv[optind - 1],
                               option == ':' ? "needs a value" : "no such option");
        } else if (option == OPTION_HELP) {
            print_help();
            rc = 1;
        } else if (option == OPTION_VERSION) {
            printf("pdpd %d.%d.%d\n", PEP_VERSION_MAJOR, PEP_VERSION_MINOR, PEP_VERSION_PATCH);
            rc = 1;
        } else if (option == OPTION_CONFIG) {
            if ((size_t)snprintf(c->file, sizeof(c->file), "%s", optarg) >= sizeof(c->file))
                rc = pep_error_set(err, PEP_EINVAL, "--config: the path is too long");
        } else if (!only_file) {
            rc = set_value(c, &settings[option - OPTION_BASE], optarg, err);
        }
    }
    if (rc == 0 && optind < argc)
        rc = pep_error_set(err, PEP_EINVAL, "%s: unexpected argument; see pdpd --help",
                           argv[optind]);
    return rc;
}

/* Something to listen on, and nothing to connect to. */
static bool is_every_address(const char *host)
{
    static const char *const names[] = {"*", "0.0.0.0", "::", "[::]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(host, names[i]) == 0)
            return true;
    }
    return false;
}

int config_read(int argc, char **argv, struct config *ret, struct pep_error *err)
{
    struct config c;
    memset(&c, 0, sizeof(c));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < SETTINGS; i++) {
        if (settings[i].value != NULL)
            rc = set_value(&c, &settings[i], settings[i].value, err);
    }
    if (rc == 0)
        rc = take_options(argc, argv, &c, true, err);
    if (rc == 0 && c.file[0] != '\0')
        rc = read_file(&c, err);
    if (rc == 0)
        rc = take_options(argc, argv, &c, false, err);
    if (rc == 0 && c.data[0] == '\0')
        rc = default_folder(&c, err);
    if (rc == 0 && c.advertise[0] == '\0')
        memcpy(c.advertise, c.listen, sizeof(c.advertise));
    if (rc == 0 && is_every_address(c.advertise))
        rc = pep_error_set(err, PEP_EINVAL,
                           "listen = %s: say with --advertise which host name services should use",
                           c.advertise);
    if (rc == 0)
        *ret = c;
    return rc;
}

int config_reload(int argc, char **argv, struct config *config, struct pep_error *err)
{
    struct config fresh;
    int rc = config_read(argc, argv, &fresh, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < SETTINGS; i++) {
        size_t at = settings[i].offset;
        if (settings[i].reload && settings[i].number)
            memcpy((char *)config + at, (char *)&fresh + at, sizeof(long));
    }
    return 0;
}
