/*
 * service join: on the service's host, a token becomes an identity folder. libpep does the work;
 * this gives it a command line. `-` reads the token from standard input, where `ps` does not show
 * it.
 */
#include "config.h"
#include "disk.h"

#include "pep.h"
#include "pep/core/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX       8192
#define TIMEOUT_DEFAULT 15

struct service_join_settings {
    const char *dir;
    struct option_number timeout;
};

static const struct option_row rows[] = {
    {"dir", 'd', "DIR", OPTION_TEXT, offsetof(struct service_join_settings, dir),
     "the identity folder to write"},
    {"timeout", 0, "D", OPTION_DURATION, offsetof(struct service_join_settings, timeout),
     "how long to try (default 15s)"},
    OPTION_END,
};
const struct option_set service_join_options = {sizeof(struct service_join_settings), rows};

static const struct {
    pep_err err;
    enum exit_code exit;
    const char *help;
} outcomes[] = {
    {PEP_EFORMAT, EXIT_USAGE, "a token starts with pdpe1. and is one line: copy it whole"},
    {PEP_EINVAL, EXIT_USAGE, "policyctl service join TOKEN --dir DIR"},
    {PEP_EDENIED, EXIT_NOT_AUTHORISED,
     "tokens work once and for a short time: an operator makes a new one with `policyctl service "
     "enrol`; pdpd's log knows the reference"},
    {PEP_ETIMEDOUT, EXIT_FAILED, "is pdpd running, and reachable from this host?"},
    {PEP_ESIGNATURE, EXIT_FAILED,
     "the server's root is not the one in the token: do not go on before you know why"},
    {PEP_ECONFLICT, EXIT_FAILED, "the folder holds an identity already: choose another --dir"},
    {PEP_EIO, EXIT_FAILED, "--dir must be a folder that can be made and written"},
};

static int failed(struct session *s, pep_err err, const char *dir)
{
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        if (outcomes[i].err == err)
            return output_error(&s->out, outcomes[i].exit, "%s\n%s\n%s", pep_open_error(), dir,
                                outcomes[i].help);
    }
    return output_error(&s->out, EXIT_FAILED, "%s\n%s", pep_open_error(), dir);
}

/* The token without white space around it; free() it. */
static int read_token(struct session *s, char **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    uint8_t *text = NULL;
    size_t size = 0;
    if (strcmp(s->operands[0], "-") != 0) {
        *ret = strdup(s->operands[0]);
        return *ret == NULL ? output_error(&s->out, EXIT_FAILED, "no memory") : EXIT_OK;
    }
    if (disk_read_stdin(TOKEN_MAX, &text, &size, &err) != PEP_OK)
        return session_failed(s, &err, "policyctl service join - --dir DIR < token");
    size_t start = strspn((char *)text, " \t\r\n");
    size_t length = strcspn((char *)text + start, " \t\r\n");
    memmove(text, text + start, length);
    text[length] = 0;
    *ret = (char *)text;
    return EXIT_OK;
}

int service_join_run(struct session *s, const void *settings)
{
    const struct service_join_settings *o = settings;
    char *token = NULL;
    if (o->dir == NULL)
        return output_error(
            &s->out, EXIT_USAGE,
            "where should the identity go?\n\npolicyctl service join TOKEN --dir DIR");
    int64_t seconds = o->timeout.given && o->timeout.value > 0 ? o->timeout.value : TIMEOUT_DEFAULT;
    int rc = read_token(s, &token);
    if (rc != EXIT_OK)
        return rc;
    pep_err err = pep_enrol(token, o->dir, (uint32_t)(seconds > 3600 ? 3600 : seconds) * 1000);
    pep_wipe(token, strlen(token));
    free(token);
    if (err != PEP_OK)
        return failed(s, err, o->dir);
    output_note(&s->out, "joined; give the service this folder: %s", o->dir);
    return EXIT_OK;
}
