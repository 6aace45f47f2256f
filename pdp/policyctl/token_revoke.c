/*
 * token revoke: from what somebody holds of a token, or knows about it, to entries of the list that
 * every service looks at.
 *
 * A token in a file is not verified here: revoking one that was forged harms nobody. An entry must
 * outlast the tokens that it means, or they come back: so its end is the token's `exp` and the
 * largest leeway; where there is no token at hand, --for, or the longest life that the live
 * policies allow to the issuer's tokens.
 */
#include "issuer_rules.h"
#include "revocations.h"
#include "token.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FOR_MAX  ((int64_t)366 * 86400)
#define TIME_MAX 9007199254740992.0 /* 2^53 */

struct revoke_settings {
    const char *issuer, *before, *key;
    struct option_list jtis, sids, subjects;
    struct option_number duration;
    bool list, renew;
};

static const struct option_row rows[] = {
    {"issuer", 'i', "I", OPTION_TEXT, offsetof(struct revoke_settings, issuer),
     "whose tokens: their `iss`"},
    {"jti", 0, "J", OPTION_LIST, offsetof(struct revoke_settings, jtis),
     "the token with this `jti`; may be given several times"},
    {"sid", 0, "S", OPTION_LIST, offsetof(struct revoke_settings, sids),
     "all tokens of this session (`sid`)"},
    {"subject", 0, "S", OPTION_LIST, offsetof(struct revoke_settings, subjects),
     "all tokens of this subject (`sub`) issued before --before"},
    {"before", 0, "TIME", OPTION_TEXT, offsetof(struct revoke_settings, before),
     "for --subject: a time, or `now` (default)"},
    {"for", 0, "D", OPTION_DURATION, offsetof(struct revoke_settings, duration),
     "how long, where no token says it: as long as one can live"},
    {"key", 'k', "NAME", OPTION_TEXT, offsetof(struct revoke_settings, key), "sign with this key"},
    {"renew", 0, NULL, OPTION_FLAG, offsetof(struct revoke_settings, renew),
     "sign the list as pdpd has it: after a new root, or a restored backup"},
    {"list", 0, NULL, OPTION_FLAG, offsetof(struct revoke_settings, list),
     "show how many are revoked; change nothing"},
    OPTION_END,
};
const struct option_set token_revoke_options = {sizeof(struct revoke_settings), rows};

/* One run of the verb. */
struct revoking {
    struct session *s;
    const struct revoke_settings *o;
    struct remote *r;
    struct pep_root *root;
    int64_t now, before;
    char *asked; /* the issuer that `rules` is about */
    struct issuer_rules rules;
    struct pep_revocation entries[TOKEN_REVOKE_FILES + 3 * OPTION_LIST_MAX];
    size_t count;
    int64_t until; /* the latest */
};

/* ---- the command line ---- */

static int read_before(struct revoking *v)
{
    const char *text = v->o->before;
    v->before = v->now + 1; /* `iat` has whole seconds: those of this one too */
    if (text == NULL || strcmp(text, "now") == 0)
        return EXIT_OK;
    if (!time_read(text, &v->before))
        return output_error(
            &v->s->out, EXIT_USAGE,
            "`--before %s`: not a time\n\nnow, 2026-03-02T09:00:00Z, or Unix seconds", text);
    if (v->before > v->now + 1)
        return output_error(
            &v->s->out, EXIT_USAGE,
            "`--before %s` is in the future: tokens that are issued until then would "
            "be dead on arrival\n\n--before now",
            text);
    return EXIT_OK;
}

static int check_names(struct revoking *v)
{
    const struct revoke_settings *o = v->o;
    const struct option_list *lists[] = {&o->jtis, &o->sids, &o->subjects};
    size_t names = 0;
    for (size_t k = 0; k < 3; k++) {
        names += lists[k]->count;
        for (size_t i = 0; i < lists[k]->count; i++) {
            if (lists[k]->items[i][0] == '\0')
                return output_error(&v->s->out, EXIT_USAGE, "an empty name means no token");
        }
    }
    if (names > 0 && (o->issuer == NULL || o->issuer[0] == '\0'))
        return output_error(&v->s->out, EXIT_USAGE,
                            "`--issuer` is missing: a jti, sid or subject means something only "
                            "together with its issuer\n\n--issuer https://idp.example");
    if (names == 0 && o->issuer != NULL)
        return output_error(&v->s->out, EXIT_USAGE,
                            "`--issuer` alone would mean every token of it\n\n"
                            "--jti J, --sid S or --subject S");
    if (o->subjects.count == 0 && o->before != NULL)
        return output_error(&v->s->out, EXIT_USAGE, "`--before` is for `--subject`");
    if (names + (size_t)v->s->operand_count + o->renew + o->list == 0)
        return output_error(&v->s->out, EXIT_USAGE,
                            "what is to be revoked?\n\n"
                            "policyctl token revoke FILE, or --issuer I with --jti J, --sid S or "
                            "--subject S");
    if (o->list && (o->renew || names + (size_t)v->s->operand_count > 0))
        return output_error(&v->s->out, EXIT_USAGE, "`--list` changes nothing: give it alone");
    return EXIT_OK;
}

static int check_settings(struct revoking *v)
{
    const struct option_number *d = &v->o->duration;
    if (d->given && (d->value < 1 || d->value > FOR_MAX))
        return output_error(&v->s->out, EXIT_USAGE, "`--for` is at least 1s and at most 366d");
    int rc = check_names(v);
    return rc == EXIT_OK ? read_before(v) : rc;
}

/* ---- entries ---- */

/* What the live policies say about an issuer; asked once for the same one. */
static int ask_rules(struct revoking *v, const char *issuer)
{
    if (v->asked != NULL && strcmp(v->asked, issuer) == 0)
        return EXIT_OK;
    int rc = issuer_rules_find(v->s, v->r, v->root, issuer, &v->rules);
    if (rc != EXIT_OK)
        return rc;
    free(v->asked);
    v->asked = strdup(issuer);
    if (!v->rules.found)
        output_warning(&v->s->out,
                       "no live policy names the issuer `%s`: no service takes its tokens\n\n"
                       "is it written as in the tokens' `iss`?",
                       issuer);
    return EXIT_OK;
}

static int until_by_rules(struct revoking *v, const char *issuer, int64_t *ret)
{
    if (v->o->duration.given) {
        *ret = v->now + v->o->duration.value;
        return EXIT_OK;
    }
    if (v->rules.lifetime == 0)
        return output_error(&v->s->out, EXIT_USAGE,
                            "how long can a token of `%s` live? The live policies set no "
                            "max_lifetime for it\n\n"
                            "--for D: at least as long as the longest-lived of these tokens, such "
                            "as --for 12h",
                            issuer);
    *ret = v->now + v->rules.lifetime + PEP_LEEWAY_MAX + 1;
    return EXIT_OK;
}

static int add(struct revoking *v, enum pep_revocation_kind kind, const char *issuer,
               const char *name, int64_t until)
{
    struct pep_revocation *e = &v->entries[v->count];
    *e = (struct pep_revocation){.kind = (uint8_t)kind,
                                 .before = kind == PEP_REVOKE_SUBJECT ? v->before : 0,
                                 .until = until};
    if (pep_revocation_key(kind, pep_span_string(issuer), pep_span_string(name), e->key) != PEP_OK)
        return output_error(&v->s->out, EXIT_FAILED, "no memory");
    v->until = until > v->until ? until : v->until;
    v->count++;
    return EXIT_OK;
}

static int add_names(struct revoking *v)
{
    const struct revoke_settings *o = v->o;
    const struct option_list *lists[] = {&o->jtis, &o->sids, &o->subjects};
    int64_t until = 0;
    if (o->issuer == NULL)
        return EXIT_OK;
    int rc = ask_rules(v, o->issuer);
    if (rc == EXIT_OK)
        rc = until_by_rules(v, o->issuer, &until);
    for (int k = 0; k < 3; k++) {
        for (size_t i = 0; rc == EXIT_OK && i < lists[k]->count; i++)
            rc = add(v, (enum pep_revocation_kind)(k + 1), o->issuer, lists[k]->items[i], until);
    }
    return rc;
}

/* A token's claim as text; NULL if it is not there, or not one that a list could know it by. */
static const char *claim(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    const char *text = json_string_value(value);
    return text == NULL || text[0] == '\0' || strlen(text) != json_string_length(value) ? NULL
                                                                                        : text;
}

static int add_claims(struct revoking *v, const char *file, const json_t *claims)
{
    const char *issuer = claim(claims, "iss"), *jti = claim(claims, "jti");
    const json_t *exp = json_object_get(claims, "exp");
    int64_t until = 0;
    if (issuer == NULL)
        return output_error(&v->s->out, EXIT_USAGE, "%s: the token names no issuer (iss)", file);
    if (jti == NULL)
        return output_error(&v->s->out, EXIT_USAGE,
                            "%s: the token has no `jti` by which it could be told from others\n\n"
                            "--issuer %s with --sid S or --subject S",
                            file, issuer);
    if (json_is_number(exp) && !(fabs(json_number_value(exp)) < TIME_MAX / 2))
        return output_error(&v->s->out, EXIT_USAGE, "%s: the token's `exp` is no time", file);
    int rc = ask_rules(v, issuer);
    if (rc == EXIT_OK && json_is_number(exp))
        until = (int64_t)floor(json_number_value(exp)) + PEP_LEEWAY_MAX + 1;
    else if (rc == EXIT_OK)
        rc = until_by_rules(v, issuer, &until);
    if (rc == EXIT_OK && until <= v->now) {
        output_note(&v->s->out, "%s: expired already, nothing to revoke", file);
        return EXIT_OK;
    }
    return rc == EXIT_OK ? add(v, PEP_REVOKE_JTI, issuer, jti, until) : rc;
}

static int add_file(struct revoking *v, const char *file)
{
    struct pep_error err = PEP_ERROR_INIT;
    json_t *header = NULL, *claims = NULL;
    uint8_t *text = NULL;
    size_t size = 0;
    int rc = token_load(v->s, file, &text, &size);
    if (rc != EXIT_OK)
        return rc;
    if (pep_jwt_decode_unverified(pep_span_of(text, size), &header, &claims, &err) != PEP_OK)
        rc =
            output_error(&v->s->out, EXIT_USAGE, "%s: not a token: %s", file, pep_error_text(&err));
    else
        rc = add_claims(v, file, claims);
    json_decref(header);
    json_decref(claims);
    free(text);
    return rc;
}

/* ---- doing it ---- */

static int show(struct revoking *v, const struct pep_revocations *list, size_t added)
{
    char when[TIME_TEXT];
    unsigned long long number = pep_revocations_number(list);
    size_t count = pep_revocations_count(list);
    if (v->s->out.format == OUTPUT_JSON)
        return output_json(&v->s->out,
                           json_pack("{s:I, s:I, s:I, s:o}", "number", (json_int_t)number,
                                     "entries", (json_int_t)count, "added", (json_int_t)added,
                                     "expires", added == 0 ? json_null() : json_integer(v->until)));
    if (added == 0)
        output_line("step %llu: %zu entries in all", number, count);
    else
        output_line("step %llu: %zu added, %zu entries in all; until %s", number, added, count,
                    time_text(v->until, when));
    return EXIT_OK;
}

static int revoke(struct revoking *v)
{
    struct pep_revocations *list = NULL;
    int rc = EXIT_OK;
    for (int i = 0; rc == EXIT_OK && i < v->s->operand_count; i++)
        rc = add_file(v, v->s->operands[i]);
    if (rc == EXIT_OK)
        rc = add_names(v);
    if (rc != EXIT_OK)
        return rc;
    size_t added = 0;
    if (v->count == 0 && !v->o->renew) {
        rc = revocations_load(v->s, v->r, v->root, false, &list);
    } else {
        struct revocations_request request = {v->entries, v->count, v->o->key, v->o->renew};
        rc = revocations_add(v->s, v->r, v->root, &request, &list);
        added = rc == EXIT_OK ? pep_revocations_added(list) : 0;
    }
    if (rc == EXIT_OK)
        rc = show(v, list, added);
    pep_revocations_free(list);
    return rc;
}

static int list_all(struct revoking *v)
{
    static const struct column columns[] = {{"KIND", false, false},
                                            {"ENTRIES", false, true},
                                            {"OVER", false, true},
                                            {"UNTIL", false, false},
                                            {NULL, false, false}};
    static const char *const names[] = {"jti", "sid", "subject"};
    struct pep_revocations *list = NULL;
    int rc = revocations_load(v->s, v->r, v->root, v->o->renew, &list);
    if (rc != EXIT_OK)
        return rc;
    json_int_t count[PEP_REVOCATION_KINDS] = {0}, over[PEP_REVOCATION_KINDS] = {0};
    int64_t until[PEP_REVOCATION_KINDS] = {0}, last = 0;
    const struct pep_revocation *e;
    for (size_t i = 0; (e = pep_revocations_at(list, i)) != NULL; i++) {
        int k = e->kind - 1;
        count[k]++;
        over[k] += e->until <= v->now;
        until[k] = e->until > until[k] ? e->until : until[k];
        last = e->until > last ? e->until : last;
    }
    struct table *table = table_new(columns);
    json_t *kinds = json_object();
    for (int k = 0; k < PEP_REVOCATION_KINDS; k++) {
        char when[TIME_TEXT];
        table_cell(table, "%s", names[k]);
        table_cell(table, "%lld", (long long)count[k]);
        table_cell(table, "%lld", (long long)over[k]);
        table_cell(table, "%s", time_text(until[k], when));
        json_object_set_new(kinds, names[k],
                            json_pack("{s:I, s:I}", "entries", count[k], "over", over[k]));
    }
    output_note(&v->s->out, "step %llu, %zu entries; one that is over goes with the next step",
                (unsigned long long)pep_revocations_number(list), pep_revocations_count(list));
    rc = output_list(&v->s->out, table,
                     json_pack("{s:I, s:I, s:I, s:I, s:o}", "number",
                               (json_int_t)pep_revocations_number(list), "entries",
                               (json_int_t)pep_revocations_count(list), "created",
                               (json_int_t)pep_revocations_created(list), "expires",
                               (json_int_t)last, "kinds", kinds));
    pep_revocations_free(list);
    return rc;
}

int token_revoke_run(struct session *s, const void *settings)
{
    struct revoking *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return output_error(&s->out, EXIT_FAILED, "no memory");
    v->s = s;
    v->o = settings;
    v->now = time(NULL);
    int rc = check_settings(v);
    if (rc == EXIT_OK)
        rc = remote_open(s, &v->r);
    if (rc == EXIT_OK)
        rc = trust_root(s, v->r, &v->root);
    if (rc == EXIT_OK)
        rc = v->o->list ? list_all(v) : revoke(v);
    pep_root_free(v->root);
    remote_close(v->r);
    free(v->asked);
    free(v);
    return rc;
}
