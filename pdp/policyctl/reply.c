/*
 * What pdpd answered: refusals become an exit code and a next step. One table, so that each code of
 * docs/protocol.md has both. pdpd's own help wins, as it knows the case.
 */
#include "remote.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code;
    enum exit_code exit;
    const char *help;
} codes[] = {
    {"usage", EXIT_USAGE, "policyctl and pdpd may be of different versions: policyctl doctor"},
    {"conflict", EXIT_FAILED, "policyctl history shows what came first; then do it again"},
    {"not_found", EXIT_FAILED, "policyctl status lists bundles, policyctl service list services"},
    {"no_root", EXIT_FAILED, "policyctl root init"},
    {"root_exists", EXIT_FAILED, "policyctl root show"},
    {"refused", EXIT_FAILED, "policyctl check DIR shows what is wrong"},
    {"not_authorised", EXIT_NOT_AUTHORISED,
     "an admin gives another role: policyctl operator add NAME --role ROLE"},
    {"too_large", EXIT_FAILED, "a bundle holds at most 8 MiB; move data out of it"},
    {"full", EXIT_FAILED, "free space on pdpd's disk, then do it again"},
    {"failed", EXIT_FAILED, "pdpd's log says more"},
};

static const char *member(const struct reply *reply, const char *name)
{
    const char *text = json_string_value(json_object_get(reply->json, name));
    return text == NULL ? "" : text;
}

bool reply_good(const struct reply *reply)
{
    return json_is_true(json_object_get(reply->json, "ok"));
}

bool reply_is(const struct reply *reply, const char *code)
{
    return !reply_good(reply) && strcmp(member(reply, "code"), code) == 0;
}

int reply_refused(struct remote *r, const struct reply *reply)
{
    const char *code = member(reply, "code"), *message = member(reply, "message");
    const char *help = member(reply, "help");
    enum exit_code exit = EXIT_FAILED;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].code, code) != 0)
            continue;
        exit = codes[i].exit;
        help = help[0] == '\0' ? codes[i].help : help;
    }
    return output_error(remote_output(r), exit, "%s\npdpd at %s (context %s)\n%s",
                        message[0] == '\0' ? code : message, remote_endpoint(r),
                        remote_context(r)->name, help);
}

int reply_malformed(struct remote *r, const char *name)
{
    return output_error(remote_output(r), EXIT_FAILED,
                        "pdpd's answer has no valid `%s`\n%s\n"
                        "policyctl and pdpd may be of different versions: policyctl doctor",
                        name, remote_endpoint(r));
}

void reply_free(struct reply *reply)
{
    json_decref(reply->json);
    free(reply->bytes);
    *reply = (struct reply)REPLY_INIT;
}

int remote_call(struct remote *r, json_t *request, struct pep_span bytes, struct reply *ret)
{
    struct reply reply = REPLY_INIT;
    int rc = remote_ask(r, request, bytes, &reply);
    if (rc == EXIT_OK && !reply_good(&reply)) {
        rc = reply_refused(r, &reply);
        reply_free(&reply);
    }
    if (rc == EXIT_OK)
        *ret = reply;
    return rc;
}

int remote_once(struct session *s, json_t *request, struct reply *ret)
{
    struct remote *r = NULL;
    int rc = remote_open(s, &r);
    if (rc != EXIT_OK) {
        json_decref(request);
        return rc;
    }
    rc = remote_call(r, request, NO_BYTES, ret);
    remote_close(r);
    return rc;
}
