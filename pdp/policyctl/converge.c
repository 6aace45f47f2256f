/*
 * Waiting for the fleet: every live service of the bundle runs the version, or a newer one. Live is
 * who reported within the last two minutes (services report with each fetch, every 15 seconds) and
 * may take part; a service that has been away longer is named, not waited for.
 */
#include "release.h"

#include <string.h>
#include <time.h>

#define LIVE_SECONDS 120
#define POLL_MS      250
#define NAMED_MOST   10

struct count {
    size_t there, behind, away;
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static bool takes_part(const json_t *service, const struct release *release)
{
    const char *state = text_of(service, "state");
    return strcmp(text_of(service, "bundle"), release->name) == 0 &&
           strcmp(state, "REVOKED") != 0 && strcmp(state, "SUSPENDED") != 0;
}

static bool is_live(const json_t *service, int64_t now)
{
    return now - json_integer_value(json_object_get(service, "last_seen")) <= LIVE_SECONDS;
}

static bool runs_it(const json_t *service, const struct release *release)
{
    const json_t *version = json_object_get(service, "version");
    return strcmp(text_of(service, "digest"), release->digest) == 0 ||
           (json_is_integer(version) && json_integer_value(version) > (json_int_t)release->version);
}

static struct count count_services(const json_t *services, const struct release *release)
{
    struct count c = {0, 0, 0};
    int64_t now = time(NULL);
    size_t i;
    json_t *service;
    json_array_foreach((json_t *)services, i, service)
    {
        if (!takes_part(service, release))
            continue;
        if (runs_it(service, release))
            c.there++;
        else if (is_live(service, now))
            c.behind++;
        else
            c.away++;
    }
    return c;
}

static void name_laggards(struct session *s, const json_t *services, const struct release *release)
{
    size_t i, named = 0;
    json_t *service;
    int64_t now = time(NULL);
    json_array_foreach((json_t *)services, i, service)
    {
        if (!takes_part(service, release) || runs_it(service, release))
            continue;
        if (++named > NAMED_MOST) {
            output_note(&s->out, "  and more: policyctl status");
            return;
        }
        output_note(&s->out, "  %s/%lld %s at version %lld%s%s%s", text_of(service, "name"),
                    (long long)json_integer_value(json_object_get(service, "instance")),
                    text_of(service, "state"),
                    (long long)json_integer_value(json_object_get(service, "version")),
                    is_live(service, now) ? "" : ", away",
                    text_of(service, "reason")[0] == '\0' ? "" : ": ", text_of(service, "reason"));
    }
}

static void progress(struct session *s, const struct count *c, const struct release *release)
{
    output_progress(&s->out, "%zu of %zu on version %llu%s", c->there, c->there + c->behind,
                    (unsigned long long)release->version, c->away > 0 ? " (others are away)" : "");
}

int release_wait(struct session *s, struct remote *r, const struct release *release,
                 int64_t seconds)
{
    int64_t end = time(NULL) + seconds;
    for (;;) {
        struct reply reply = REPLY_INIT;
        int rc = remote_call(r, json_pack("{s:s, s:s}", "op", "status", "bundle", release->name),
                             NO_BYTES, &reply);
        if (rc != EXIT_OK)
            return rc;
        const json_t *services = json_object_get(reply.json, "services");
        struct count c = count_services(services, release);
        progress(s, &c, release);
        bool over = c.behind == 0 || time(NULL) >= end;
        if (over)
            output_progress_end(&s->out);
        if (over && c.behind > 0)
            rc = output_error(&s->out, EXIT_NOT_CONVERGED,
                              "not converged after %lld s: %zu of %zu services on version %llu\n\n"
                              "policyctl status shows why; they go on trying by themselves",
                              (long long)seconds, c.there, c.there + c.behind,
                              (unsigned long long)release->version);
        if (over && c.behind + c.away > 0)
            name_laggards(s, services, release);
        reply_free(&reply);
        if (over)
            return rc;
        struct timespec pause = {0, POLL_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
}
