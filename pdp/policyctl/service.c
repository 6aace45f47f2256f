/* service list, revoke, suspend, resume: who takes part. */
#include "remote.h"

#include <string.h>
#include <time.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static json_int_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* ---- list ---- */

static int services_table(struct session *s, const json_t *services)
{
    static const struct column columns[] = {
        {"SERVICE", false, false},  {"BUNDLE", false, false},   {"STATE", false, false},
        {"ENROLLED", false, false}, {"EPHEMERAL", true, false}, {"KEY", true, false},
        {NULL, false, false},
    };
    struct table *t = table_new(columns);
    size_t i;
    json_t *v;
    char when[TIME_TEXT];
    json_array_foreach((json_t *)services, i, v)
    {
        table_cell(t, "%s/%lld", text_of(v, "name"), (long long)number_of(v, "instance"));
        table_cell(t, "%s", text_of(v, "bundle"));
        table_cell(t, "%s", text_of(v, "state"));
        table_cell(t, "%s", time_text(number_of(v, "enrolled"), when));
        table_cell(t, "%s", json_is_true(json_object_get(v, "ephemeral")) ? "yes" : "no");
        table_cell(t, "%s", text_of(v, "key"));
    }
    return table_print(t, &s->out);
}

static int tokens_table(struct session *s, const json_t *tokens)
{
    static const struct column columns[] = {
        {"OPEN TOKEN", false, false}, {"SERVICE", false, false}, {"BUNDLE", false, false},
        {"UNTIL", false, false},      {"USES", false, true},     {NULL, false, false},
    };
    struct table *t = table_new(columns);
    size_t i;
    json_t *v;
    char when[TIME_TEXT];
    json_array_foreach((json_t *)tokens, i, v)
    {
        table_cell(t, s->out.format == OUTPUT_WIDE ? "%s" : "%.8s", text_of(v, "id"));
        table_cell(t, "%s", text_of(v, "name"));
        table_cell(t, "%s", text_of(v, "bundle"));
        table_cell(t, "%s", time_text(number_of(v, "expires"), when));
        table_cell(t, "%lld", (long long)number_of(v, "uses_left"));
    }
    return table_print(t, &s->out);
}

int service_list_run(struct session *s, const void *settings)
{
    (void)settings;
    struct reply reply = REPLY_INIT;
    int rc = remote_once(s, json_pack("{s:s}", "op", "service.list"), &reply);
    if (rc != EXIT_OK)
        return rc;
    json_t *services = json_object_get(reply.json, "services");
    json_t *tokens = json_object_get(reply.json, "tokens");
    if (s->out.format == OUTPUT_JSON) {
        rc = output_json(&s->out, json_pack("{s:O, s:O}", "services", services, "tokens", tokens));
    } else {
        rc = services_table(s, services);
        if (rc == EXIT_OK && json_array_size(tokens) > 0) {
            output_line("%s", "");
            rc = tokens_table(s, tokens);
        }
    }
    reply_free(&reply);
    return rc;
}

/* ---- revoke, suspend, resume ---- */

static int show_change(struct session *s, const struct reply *reply, const char *done)
{
    json_t *clients = json_object_get(reply->json, "clients");
    json_t *cut = json_object_get(reply->json, "cut");
    if (s->out.format == OUTPUT_JSON)
        return output_json(
            &s->out, json_pack("{s:O, s:I}", "clients", clients, "cut", json_integer_value(cut)));
    size_t i;
    json_t *client;
    json_array_foreach(clients, i, client)
        output_line("%s %s", json_is_string(client) ? json_string_value(client) : "?", done);
    output_note(&s->out, "%zu %s, %lld connections closed", json_array_size(clients), done,
                (long long)json_integer_value(cut));
    return EXIT_OK;
}

static int change(struct session *s, struct remote *r, const char *op, const char *done)
{
    struct reply reply = REPLY_INIT;
    int rc = remote_call(r, json_pack("{s:s, s:s}", "op", op, "service", s->operands[0]), NO_BYTES,
                         &reply);
    if (rc != EXIT_OK)
        return rc;
    /* A second revocation is fine; but who is revoked can be neither suspended nor resumed. */
    if (json_array_size(json_object_get(reply.json, "clients")) == 0 &&
        strcmp(op, "service.revoke") != 0)
        rc = output_error(&s->out, EXIT_FAILED,
                          "no instance of `%s` was %s: revocation is for good\n%s (context %s)\n"
                          "policyctl service list; policyctl service enrol lets a new one in",
                          s->operands[0], done, remote_endpoint(r), remote_context(r)->name);
    else
        rc = show_change(s, &reply, done);
    reply_free(&reply);
    return rc;
}

static int change_once(struct session *s, const char *op, const char *done)
{
    struct remote *r = NULL;
    int rc = remote_open(s, &r);
    if (rc == EXIT_OK)
        rc = change(s, r, op, done);
    remote_close(r);
    return rc;
}

int service_suspend_run(struct session *s, const void *settings)
{
    (void)settings;
    return change_once(s, "service.suspend", "suspended");
}

int service_resume_run(struct session *s, const void *settings)
{
    (void)settings;
    return change_once(s, "service.resume", "resumed");
}

struct service_revoke_settings {
    struct option_number wait;
};

static const struct option_row revoke_rows[] = {
    {"wait", 0, "D", OPTION_DURATION, offsetof(struct service_revoke_settings, wait),
     "wait until no connection of it is left, at most so long"},
    OPTION_END,
};
const struct option_set service_revoke_options = {sizeof(struct service_revoke_settings),
                                                  revoke_rows};

/* pdpd answers after the connections are cut, so a second, idempotent revocation that finds none to
 * cut is the proof that none came back. */
static int wait_until_cut(struct session *s, struct remote *r, int64_t seconds)
{
    int64_t end = time(NULL) + seconds;
    for (;;) {
        struct reply reply = REPLY_INIT;
        int rc = remote_call(
            r, json_pack("{s:s, s:s}", "op", "service.revoke", "service", s->operands[0]), NO_BYTES,
            &reply);
        if (rc != EXIT_OK)
            return rc;
        json_int_t cut = json_integer_value(json_object_get(reply.json, "cut"));
        reply_free(&reply);
        if (cut == 0)
            return EXIT_OK;
        if (time(NULL) >= end)
            return output_error(&s->out, EXIT_NOT_CONVERGED,
                                "%lld connections of %s were still open after %lld s\n\n"
                                "it is revoked and gets nothing; policyctl service list",
                                (long long)cut, s->operands[0], (long long)seconds);
        struct timespec pause = {0, 200 * 1000000L};
        nanosleep(&pause, NULL);
    }
}

int service_revoke_run(struct session *s, const void *settings)
{
    const struct service_revoke_settings *o = settings;
    struct remote *r = NULL;
    int rc = remote_open(s, &r);
    if (rc == EXIT_OK)
        rc = change(s, r, "service.revoke", "revoked");
    if (rc == EXIT_OK && o->wait.given)
        rc = wait_until_cut(s, r, o->wait.value);
    remote_close(r);
    return rc;
}
