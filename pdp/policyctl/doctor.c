/*
 * doctor: what is set up here, what is not, and what to type next. One line for each thing that has
 * to be right before a push reaches a service; nothing is changed.
 */
#include "trust.h"

#include "disk.h"

#include "pep/core/revocation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum health { HEALTH_OK, HEALTH_WARNING, HEALTH_FAILED };

struct visit {
    struct session *s;
    struct table *table;
    json_t *checks;
    enum health worst;
};

static void note(struct visit *v, enum health health, const char *what, const char *help,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

static void note(struct visit *v, enum health health, const char *what, const char *help,
                 const char *format, ...)
{
    static const char *const names[] = {"ok", "warning", "failed"};
    char text[OUTPUT_LINE];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    v->worst = health > v->worst ? health : v->worst;
    table_cell(v->table, "%s", names[health]);
    table_cell(v->table, "%s", what);
    table_cell(v->table, "%s", text);
    table_cell(v->table, "%s", help);
    json_array_append_new(v->checks, json_pack("{s:s, s:s, s:s, s:s}", "check", what, "state",
                                               names[health], "detail", text, "help", help));
}

static void visit_folder(struct visit *v)
{
    char path[CONFIG_PATH];
    struct pep_error err = PEP_ERROR_INIT;
    struct stat st;
    if (config_path(path, &err, "%s", "") != PEP_OK) {
        note(v, HEALTH_FAILED, "folder", "set HOME or XDG_CONFIG_HOME", "%s", pep_error_text(&err));
        return;
    }
    path[strlen(path) - 1] = '\0';
    if (stat(path, &st) != 0)
        note(v, HEALTH_WARNING, "folder", "policyctl init DIR", "%s is not there yet", path);
    else if ((st.st_mode & 077) != 0)
        note(v, HEALTH_WARNING, "folder", "chmod 700 it", "%s may be read by others", path);
    else
        note(v, HEALTH_OK, "folder", "", "%s", path);
}

static void visit_keys(struct visit *v)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct name_list *all = calloc(1, sizeof(*all));
    size_t good = 0;
    if (all == NULL || keyring_names(all, &err) != PEP_OK) {
        note(v, HEALTH_FAILED, "keys", "", "%s", pep_error_text(&err));
        free(all);
        return;
    }
    for (size_t i = 0; i < all->count; i++) {
        struct pep_private_key *key = NULL;
        struct pep_error why = PEP_ERROR_INIT;
        if (keyring_load(all->names[i], &key, &why) == PEP_OK)
            good++;
        else
            note(v, HEALTH_FAILED, "keys", "policyctl key list", "%s", pep_error_text(&why));
        pep_private_key_free(key);
    }
    if (all->count == 0)
        note(v, HEALTH_WARNING, "keys", "policyctl key generate NAME", "no signing keys");
    else if (good == all->count)
        note(v, HEALTH_OK, "keys", "", "%zu signing keys", good);
    free(all);
}

static void visit_root(struct visit *v, const char *what, const struct pep_root *root)
{
    char when[TIME_TEXT];
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_private_key *key = NULL;
    int64_t now = time(NULL), left = pep_root_expires(root) - now;
    if (left <= 0)
        note(v, HEALTH_FAILED, what, "a new root, or this clock is wrong", "expired at %s",
             time_text(pep_root_expires(root), when));
    else if (left < 30 * (int64_t)86400)
        note(v, HEALTH_WARNING, what, "make a new root in time", "expires at %s",
             time_text(pep_root_expires(root), when));
    else
        note(v, HEALTH_OK, what, "", "version %lu, until %s", (unsigned long)pep_root_version(root),
             time_text(pep_root_expires(root), when));
    if (keyring_choose(root, NULL, &key, &err) == PEP_OK)
        note(v, HEALTH_OK, "signing", "", "a key of this machine signs policies under it");
    else
        note(v, HEALTH_WARNING, "signing", "policyctl key list; policyctl root show", "%s",
             pep_error_text(&err));
    pep_private_key_free(key);
}

/* A clock that is far off makes everything look expired, or valid too long. The newest thing that
 * was signed is a lower bound for the true time. */
static void visit_clock(struct visit *v, struct remote *r)
{
    struct reply reply = REPLY_INIT;
    char when[TIME_TEXT];
    json_int_t newest = 0;
    if (remote_call(r, json_pack("{s:s, s:i}", "op", "history", "limit", 1), NO_BYTES, &reply) !=
        EXIT_OK)
        return;
    const json_t *first = json_array_get(json_object_get(reply.json, "versions"), 0);
    newest = json_integer_value(json_object_get(first, "pushed"));
    reply_free(&reply);
    if (newest > time(NULL) + 60)
        note(v, HEALTH_FAILED, "clock", "set this machine's clock (NTP)",
             "the newest version was pushed at %s, which is in the future here",
             time_text(newest, when));
    else
        note(v, HEALTH_OK, "clock", "", "%s", time_text(time(NULL), when));
}

/* The list of revoked tokens: is it signed, do services have it, can this machine add to it? */
static void visit_revocations(struct visit *v, struct remote *r, const struct pep_root *root)
{
    static const char what[] = "revoked tokens";
    struct reply reply = REPLY_INIT;
    struct pep_private_key *key = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    if (remote_call(r, json_pack("{s:s}", "op", "status"), NO_BYTES, &reply) != EXIT_OK)
        return;
    const json_t *o = json_object_get(reply.json, "revocations");
    long long number = json_integer_value(json_object_get(o, "number"));
    long long entries = json_integer_value(json_object_get(o, "entries"));
    long long behind = json_integer_value(json_object_get(o, "behind"));
    if (o == NULL)
        note(v, HEALTH_WARNING, what, "update pdpd", "this pdpd cannot revoke tokens");
    else if (json_is_false(json_object_get(o, "signed")))
        note(
            v, HEALTH_FAILED, what, "policyctl token revoke --renew",
            "step %lld is signed by a key that the root no longer names: services that join cannot "
            "take the list",
            number);
    else if (behind != 0)
        note(v, HEALTH_WARNING, what, "policyctl status -o wide",
             "step %lld, %lld entries; %lld processes hold an older list", number, entries, behind);
    else if (entries > PEP_REVOCATIONS_MAX / 10 * 9)
        note(v, HEALTH_WARNING, what, "revoke by subject or session where you can",
             "step %lld, %lld entries of at most %d", number, entries, PEP_REVOCATIONS_MAX);
    else
        note(v, HEALTH_OK, what, "", "step %lld, %lld entries", number, entries);
    reply_free(&reply);
    if (keyring_choose_revoker(root, NULL, &key, &err) == PEP_OK)
        note(v, HEALTH_OK, "revoking", "", "a key of this machine may revoke tokens");
    else
        note(v, HEALTH_WARNING, "revoking", "policyctl key list; policyctl root show", "%s",
             pep_error_text(&err));
    pep_private_key_free(key);
}

/* Issuers whose token keys pdpd fetches: each that is not well, or one line for all. */
static void visit_issuers(struct visit *v, struct remote *r)
{
    static const char what[] = "token keys";
    struct reply reply = REPLY_INIT;
    size_t i, well = 0;
    json_t *issuer;
    if (remote_call(r, json_pack("{s:s}", "op", "status"), NO_BYTES, &reply) != EXIT_OK)
        return;
    const json_t *issuers = json_object_get(reply.json, "issuers");
    json_array_foreach((json_t *)issuers, i, issuer)
    {
        const char *state = json_string_value(json_object_get(issuer, "state"));
        const char *name = json_string_value(json_object_get(issuer, "issuer"));
        const char *error = json_string_value(json_object_get(issuer, "error"));
        bool waiting = state != NULL && strcmp(state, "waiting") == 0;
        if (state == NULL || name == NULL || error == NULL)
            continue;
        if (waiting || strcmp(state, "good") == 0) {
            well++;
            continue;
        }
        bool failing = strcmp(state, "failing") == 0;
        note(v, failing ? HEALTH_WARNING : HEALTH_FAILED, what,
             "look at its jwks_uri, and at relay_ca and relay_proxy of pdpd", "%s: %s%s: %s", name,
             state, failing ? ", the last good ones are in use" : "", error);
    }
    if (well > 0)
        note(v, HEALTH_OK, what, "", "of %zu relayed issuers are up to date", well);
    reply_free(&reply);
}

static void visit_server(struct visit *v)
{
    struct remote *r = NULL;
    struct reply info = REPLY_INIT;
    struct pep_root *root = NULL;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (remote_open(v->s, &r) != EXIT_OK) {
        note(v, HEALTH_FAILED, "pdpd", "see the error above", "not reachable with this context");
        return;
    }
    if (remote_call(r, json_pack("{s:s}", "op", "info"), NO_BYTES, &info) != EXIT_OK) {
        note(v, HEALTH_FAILED, "pdpd", "see the error above", "does not answer");
        remote_close(r);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    const json_t *op = json_object_get(info.json, "operator");
    const char *version = json_string_value(json_object_get(info.json, "version"));
    const char *name = json_string_value(json_object_get(op, "name"));
    const char *role = json_string_value(json_object_get(op, "role"));
    note(v, HEALTH_OK, "pdpd", "", "%s, version %s, answers in %lld ms", remote_endpoint(r),
         version == NULL ? "?" : version,
         (long long)((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000));
    note(v, HEALTH_OK, "operator", "", "%s, role %s", name == NULL ? "?" : name,
         role == NULL ? "?" : role);
    reply_free(&info);
    if (trust_root(v->s, r, &root) == EXIT_OK) {
        visit_root(v, "root", root);
        visit_revocations(v, r, root);
        visit_issuers(v, r);
        visit_clock(v, r);
    } else {
        note(v, HEALTH_FAILED, "root", "see the error above", "no root to go by");
    }
    pep_root_free(root);
    remote_close(r);
}

static void visit_context(struct visit *v)
{
    struct context c;
    struct pep_root *local = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    if (!session_has_context(v->s)) {
        note(v, HEALTH_WARNING, "context", "policyctl context add NAME OPERATOR_JSON",
             "none: work without a pdpd only");
        if (keyring_local_root(&local, &err) == PEP_OK)
            visit_root(v, "local root", local);
        else
            note(v, HEALTH_WARNING, "local root", "policyctl key generate NAME", "%s",
                 pep_error_text(&err));
        pep_root_free(local);
        return;
    }
    if (session_context(v->s, &c) != EXIT_OK) {
        note(v, HEALTH_FAILED, "context", "see the error above", "cannot be used");
        return;
    }
    note(v, HEALTH_OK, "context", "", "%s, operator %s", c.name, c.operator_name);
    context_wipe(&c);
    visit_server(v);
}

int doctor_run(struct session *s, const void *settings)
{
    (void)settings;
    static const struct column columns[] = {{"STATE", false, false},
                                            {"CHECK", false, false},
                                            {"DETAIL", false, false},
                                            {"NEXT", false, false},
                                            {NULL, false, false}};
    struct visit v = {s, table_new(columns), json_array(), HEALTH_OK};
    visit_folder(&v);
    visit_keys(&v);
    visit_context(&v);
    int rc =
        output_list(&s->out, v.table,
                    json_pack("{s:b, s:o}", "ok", v.worst != HEALTH_FAILED, "checks", v.checks));
    return rc != EXIT_OK ? rc : v.worst == HEALTH_FAILED ? EXIT_FAILED : EXIT_OK;
}
