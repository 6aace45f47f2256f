/*
 * A billing service, reduced to its door. Each line on standard input is a request:
 *
 *     TOKEN ACTION TENANT NUMBER [AMOUNT OWNER]
 *
 * and gets one line as answer, as an HTTP service would give it: 200, 400, 401, 403 or 503.
 *
 *     billing /etc/pep                    subscribe, with the identity of `policyctl service join`
 *     billing BUNDLE ROOT AUDIENCE        a signed bundle from disk, without a server
 *
 * What to take from it: one handle for the whole process; the resource name built by
 * pep_resource(), never by printf(); attributes with C types; the reason goes to the user, the rule
 * to the log; a challenge is not a "no" but a "sign in again, like this".
 */
#include <pep.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 20000 /* a token has at most 16 KiB */

static void log_text(void *user, int level, const char *text)
{
    (void)user;
    fprintf(stderr, "billing: libpep(%d): %s\n", level, text);
}

static void log_status(void *user, const pep_status *s)
{
    (void)user;
    fprintf(stderr, "billing: policy is %s, %s version %llu\n", pep_state_name(s->state),
            s->bundle[0] != '\0' ? s->bundle : "no bundle", (unsigned long long)s->version);
}

static pep *open_pep(int argc, char **argv)
{
    pep_options o = PEP_OPTIONS_INIT;
    const char *audience[] = {argc == 4 ? argv[3] : NULL, NULL};
    pep *p = NULL;
    if (argc == 4) {
        o.mode = PEP_FILE;
        o.bundle_file = argv[1];
        o.root_file = argv[2];
        o.audience = audience;
    } else {
        o.identity = argv[1];
    }
    o.on_log = log_text;
    o.on_status = log_status;
    if (pep_open(&o, &p) != PEP_OK)
        fprintf(stderr, "billing: %s\n", pep_open_error());
    return p;
}

/* The HTTP answer for a decision. */
static void respond(pep_decision *d)
{
    const char *type, *json;
    size_t it = 0;
    if (d->allowed) {
        printf("200 OK\n");
    } else if (d->outcome == PEP_CHALLENGE) {
        printf("401 Unauthorized: insufficient_user_authentication");
        while (pep_next_obligation(d, &it, &type, &json))
            printf(" %s", json);
        printf("\n");
    } else if (d->code == PEP_CODE_BAD_TOKEN) {
        printf("401 Unauthorized: invalid_token\n");
    } else if (d->code == PEP_CODE_UNAVAILABLE || d->code == PEP_CODE_EXPIRED ||
               d->code == PEP_CODE_BUSY) {
        printf("503 Service Unavailable: %s\n", pep_code_name(d->code));
    } else {
        printf("403 Forbidden: %s\n", d->reason);
    }
    fprintf(stderr, "billing: %s %s by %s, policy %llu, %llu ns\n", pep_outcome_name(d->outcome),
            pep_code_name(d->code), d->rule[0] != '\0' ? d->rule : "no rule",
            (unsigned long long)d->version, (unsigned long long)d->eval_ns);
}

/* One request. The names of tenant and invoice come from outside: pep_resource() encodes them. */
static void serve(pep *p, char *line)
{
    char resource[1100];
    const char *token = strtok(line, " \n"), *action = strtok(NULL, " \n");
    const char *tenant = strtok(NULL, " \n"), *number = strtok(NULL, " \n");
    const char *amount = strtok(NULL, " \n"), *owner = strtok(NULL, " \n");
    const char *segments[] = {tenant, number};
    size_t n = pep_resource(resource, sizeof(resource), "invoice", segments, 2);
    if (n == 0 || n >= sizeof(resource)) {
        printf("400 Bad Request: TOKEN ACTION TENANT NUMBER [AMOUNT OWNER]\n");
        return;
    }
    pep_attr attrs[2];
    pep_query query = PEP_QUERY_INIT;
    pep_decision decision = PEP_DECISION_INIT;
    query.attrs = attrs;
    if (amount != NULL)
        attrs[query.attr_count++] = pep_attr_number("amount", strtod(amount, NULL));
    if (owner != NULL)
        attrs[query.attr_count++] = pep_attr_string("owner", owner);
    if (pep_check(p, token, action, resource, &query, &decision)) {
        /* Here, and only here, the service would do what it was asked for. */
    }
    respond(&decision);
    pep_decision_clear(&decision);
}

int main(int argc, char **argv)
{
    static char line[LINE];
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: billing IDENTITY_FOLDER | billing BUNDLE ROOT AUDIENCE\n");
        return 2;
    }
    pep *p = open_pep(argc, argv);
    if (p == NULL)
        return 2;
    if (pep_wait_ready(p, 5000) != PEP_OK)
        fprintf(stderr, "billing: no policy yet, so everything is denied\n");
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL)
        serve(p, line);
    pep_close(p);
    return 0;
}
