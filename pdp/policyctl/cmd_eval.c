/*
 * eval: one decision, now and here, exactly as a service would make it, and with --explain why.
 *
 * The subject comes from a token, which is verified in full, or as bare claims (--subject), which
 * is a question about the rules alone. Every obligation counts as one that the caller can fulfil;
 * the answer lists them. A token that is not valid is an answer (deny, bad_token), not a failure.
 */
#include "config.h"
#include "disk.h"
#include "policy_source.h"

#include "pep/core/engine_check.h"
#include "pep/core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVAL_JSON_MAX  (64 * 1024)
#define EVAL_LINES_MAX 4096

struct eval_settings {
    const char *policy, *token, *keys, *subject, *attrs, *context;
    struct option_list audiences;
    struct option_number at;
    bool explain, exit_code;
};

#define AT(member) offsetof(struct eval_settings, member)
static const struct option_row rows[] = {
    {"policy", 0, "DIR|BUNDLE", OPTION_TEXT, AT(policy),
     "decide by this (default: the folder here)"},
    {"token", 0, "FILE|-", OPTION_TEXT, AT(token), "the caller's JWT; verified as a service would"},
    {"audience", 0, "A", OPTION_LIST, AT(audiences), "with --token: the service that was asked"},
    {"keys", 0, "JWKS", OPTION_TEXT, AT(keys),
     "with --token: verify by this file, not issuers.json"},
    {"subject", 0, "JSON", OPTION_TEXT, AT(subject), "the caller as raw claims, without a token"},
    {"attrs", 0, "JSON", OPTION_TEXT, AT(attrs), "attributes of the resource"},
    {"context", 0, "JSON", OPTION_TEXT, AT(context), "attributes of the request"},
    {"at", 0, "TIME", OPTION_TIME, AT(at), "the time of the request (Unix seconds or RFC 3339)"},
    {"explain", 0, NULL, OPTION_FLAG, AT(explain), "one line for each rule that could matter"},
    {"exit-code", 'e', NULL, OPTION_FLAG, AT(exit_code), "exit 7 unless the outcome is allow"},
    OPTION_END,
};
const struct option_set eval_options = {sizeof(struct eval_settings), rows};

/* One question and its answer. */
struct eval {
    struct session *s;
    const struct eval_settings *set;
    struct policy_source source;
    struct pep_subject *subject;
    json_t *attrs, *context;
    struct pep_verdict verdict;
    json_t *lines; /* of --explain */
};

/* ---- the question ---- */

static int read_object(struct eval *e, const char *option, const char *text, json_t **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    if (text == NULL)
        return EXIT_OK;
    int rc = pep_json_parse(pep_span_string(text), EVAL_JSON_MAX, option, ret, &err);
    if (rc == PEP_OK && json_is_object(*ret))
        return EXIT_OK;
    return output_error(&e->s->out, EXIT_USAGE, "%s\n\n%s '{\"name\": \"value\"}'",
                        rc == PEP_OK ? "not a JSON object" : pep_error_text(&err), option);
}

/* ---- names that no rule sees: said, because a misspelt one changes the question ---- */

static void warn_stranger(void *context, const char *message, const char *near)
{
    struct eval *e = context;
    if (near != NULL)
        output_warning(&e->s->out, "%s\n--attrs\ndid you mean `%s`?", message, near);
    else
        output_warning(&e->s->out, "%s\n--attrs\ndeclare it in schema.lua, under `attrs`", message);
}

static void note_stranger(void *context, const char *message, const char *near)
{
    struct eval *e = context;
    if (near != NULL)
        output_note(&e->s->out, "note: %s; did you mean `%s`?", message, near);
    else
        output_note(&e->s->out, "note: %s", message);
}

static int subject_from_claims(struct eval *e, struct pep_error *err)
{
    json_t *claims = NULL;
    int code = read_object(e, "--subject", e->set->subject, &claims);
    if (code != EXIT_OK) {
        json_decref(claims);
        return code;
    }
    pep_check_request(e->source.policy, PEP_CHECK_CLAIM, NULL, claims, note_stranger, e);
    int rc = pep_subject_from_claims(e->source.policy, claims, &e->subject, err);
    json_decref(claims);
    return rc == PEP_OK || rc == PEP_ETOKEN ? EXIT_OK : session_failed(e->s, err, "");
}

/* The token without the white space around it. */
static int read_token(const char *path, uint8_t **ret, struct pep_span *ret_token,
                      struct pep_error *err)
{
    size_t size;
    int rc = strcmp(path, "-") == 0 ? disk_read_stdin(2 * PEP_TOKEN_MAX, ret, &size, err)
                                    : disk_read(path, 2 * PEP_TOKEN_MAX, ret, &size, err);
    if (rc != PEP_OK)
        return rc;
    const uint8_t *at = *ret;
    while (size > 0 && strchr(" \t\r\n", at[size - 1]) != NULL && at[size - 1] != '\0')
        size--;
    while (size > 0 && strchr(" \t\r\n", at[0]) != NULL && at[0] != '\0') {
        at++;
        size--;
    }
    *ret_token = pep_span_of(at, size);
    return PEP_OK;
}

/* An issuer table of one: the token's own issuer with the keys of --keys. */
static int issuers_of_keys(struct eval *e, struct pep_span token, struct pep_issuers **ret,
                           struct pep_error *err)
{
    json_t *header = NULL, *claims = NULL, *jwks = NULL;
    uint8_t *bytes = NULL;
    size_t size;
    int rc = pep_jwt_decode_unverified(token, &header, &claims, err);
    const char *issuer = json_string_value(json_object_get(claims, "iss"));
    if (rc == PEP_OK && issuer == NULL)
        rc = pep_error_set(err, PEP_ETOKEN, "the token has no issuer (`iss`)");
    if (rc == PEP_EFORMAT || rc == PEP_ELIMIT)
        rc = PEP_ETOKEN;
    if (rc == PEP_OK)
        rc = disk_read(e->set->keys, PEP_DATA_MAX, &bytes, &size, err);
    if (rc == PEP_OK)
        rc = pep_json_parse(pep_span_of(bytes, size), PEP_DATA_MAX, e->set->keys, &jwks, err);
    const char *audiences[OPTION_LIST_MAX + 1] = {NULL};
    for (size_t i = 0; i < e->set->audiences.count; i++)
        audiences[i] = e->set->audiences.items[i];
    if (rc == PEP_OK)
        rc = pep_issuers_single(issuer, audiences, jwks, ret, err);
    json_decref(header);
    json_decref(claims);
    json_decref(jwks);
    free(bytes);
    return rc;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int verify(struct eval *e, struct pep_span token, int64_t now, struct pep_error *err)
{
    struct pep_issuers *own = NULL;
    struct pep_jwt *jwt = NULL;
    enum pep_jwt_reason reason = PEP_JWT_OK;
    const char *audiences[OPTION_LIST_MAX];
    size_t count = e->set->audiences.count;
    memcpy(audiences, e->set->audiences.items, count * sizeof(*audiences));
    qsort(audiences, count, sizeof(*audiences), compare_texts);
    struct pep_strings list = {audiences, count};
    struct pep_jwt_expect expect = {.audiences = count > 0 ? &list : NULL, .now = now};
    int rc = e->set->keys == NULL ? PEP_OK : issuers_of_keys(e, token, &own, err);
    if (rc == PEP_OK)
        rc = pep_jwt_verify(own != NULL ? own : pep_policy_issuers(e->source.policy), token,
                            &expect, &jwt, &reason, err);
    if (rc == PEP_ETOKEN && (reason == PEP_JWT_PROOF_ABSENT || reason == PEP_JWT_BINDING))
        output_note(&e->s->out, "the token is bound, and here is no request that could prove it; "
                                "to try the rules alone, give its claims as --subject");
    if (rc == PEP_OK)
        rc = pep_subject_new(e->source.policy, jwt, &e->subject, &reason, err);
    pep_jwt_free(jwt);
    pep_issuers_free(own);
    return rc;
}

static int subject_from_token(struct eval *e, int64_t now, struct pep_error *err)
{
    uint8_t *bytes = NULL;
    struct pep_span token;
    int rc = read_token(e->set->token, &bytes, &token, err);
    if (rc == PEP_OK) {
        rc = verify(e, token, now, err);
        if (rc == PEP_ETOKEN)
            rc = PEP_OK;
    }
    free(bytes);
    return rc == PEP_OK ? EXIT_OK : session_failed(e->s, err, "");
}

/* ---- the answer ---- */

static json_t *json_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

static json_t *list_of(const char *text)
{
    json_t *list = text == NULL ? NULL : json_loads(text, 0, NULL);
    return json_is_array(list) ? list : json_array();
}

static json_t *faults_of(const struct pep_verdict *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->fault_count && i < PEP_FAULTS_MAX; i++)
        json_array_append_new(list, json_pack("{s:o, s:s, s:s}", "rule",
                                              json_or_null(v->faults[i].rule), "kind",
                                              v->faults[i].kind, "message", v->faults[i].message));
    return list;
}

static const char *reason_of(const struct pep_verdict *v)
{
    return v->reason != NULL ? v->reason : v->detail[0] != '\0' ? v->detail : NULL;
}

static int print_json(struct eval *e)
{
    const struct pep_verdict *v = &e->verdict;
    return output_json(
        &e->s->out, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:O, s:I, s:I}", "outcome",
                              pep_outcome_name(v->outcome), "code", pep_code_name(v->code), "rule",
                              json_or_null(v->rule), "reason", json_or_null(reason_of(v)),
                              "obligations", list_of(v->obligations), "advice", list_of(v->advice),
                              "faults", faults_of(v), "explain", e->lines, "version",
                              (json_int_t)e->source.version, "epoch", (json_int_t)e->source.epoch));
}

static void print_lines(const struct eval *e)
{
    size_t i;
    json_t *line;
    size_t width = 0;
    json_array_foreach(e->lines, i, line)
    {
        size_t n = strlen(json_string_value(json_object_get(line, "rule")));
        width = n > width ? n : width;
    }
    json_array_foreach(e->lines, i, line)
    {
        output_line("      %-9s  %-*s  %-3s  %s",
                    json_string_value(json_object_get(line, "effect")), (int)width,
                    json_string_value(json_object_get(line, "rule")),
                    json_is_true(json_object_get(line, "applied")) ? "yes" : "no",
                    json_string_value(json_object_get(line, "why")));
    }
}

static int print_text(struct eval *e)
{
    static const char *const words[] = {"DENY", "ALLOW", "CHALLENGE"};
    const struct pep_verdict *v = &e->verdict;
    const char *reason = reason_of(v);
    output_line("%s  %s%s%s", words[v->outcome], v->rule != NULL ? v->rule : pep_code_name(v->code),
                reason == NULL ? "" : "  ", reason == NULL ? "" : reason);
    print_lines(e);
    if (v->obligations != NULL)
        output_line("      obligations  %s", v->obligations);
    if (v->obligations != NULL && v->outcome == PEP_ALLOW)
        output_line(
            "                   a service that does not fulfil them gets a deny, and so does "
            "pep_allow()");
    if (v->advice != NULL)
        output_line("      advice  %s", v->advice);
    for (size_t i = 0; i < v->fault_count && i < PEP_FAULTS_MAX; i++)
        output_line("      fault  %s  %s: %s", v->faults[i].rule == NULL ? "-" : v->faults[i].rule,
                    v->faults[i].kind, v->faults[i].message);
    return EXIT_OK;
}

static void take_line(void *context, const struct pep_explanation *line)
{
    struct eval *e = context;
    if (json_array_size(e->lines) < EVAL_LINES_MAX)
        json_array_append_new(e->lines,
                              json_pack("{s:s, s:s, s:b, s:s}", "effect", line->effect, "rule",
                                        line->rule, "applied", line->applied, "why", line->why));
}

static void decide(struct eval *e, int64_t now)
{
    struct pep_request r = {.subject = e->subject,
                            .action = e->s->operands[0],
                            .resource = e->s->operands[1],
                            .attrs_json = e->attrs,
                            .context_json = e->context,
                            .now = (double)now,
                            .any_obligation = true};
    if (e->set->explain)
        pep_policy_explain(e->source.policy, &r, &e->verdict, take_line, e);
    else
        pep_policy_decide(e->source.policy, &r, &e->verdict);
}

static int answer(struct eval *e)
{
    int64_t now = e->set->at.given ? e->set->at.value : (int64_t)time(NULL);
    struct pep_error err = PEP_ERROR_INIT;
    int rc = read_object(e, "--attrs", e->set->attrs, &e->attrs);
    if (rc == EXIT_OK)
        rc = read_object(e, "--context", e->set->context, &e->context);
    if (rc == EXIT_OK)
        rc = policy_source_compile(e->s, &e->source);
    if (rc == EXIT_OK) {
        pep_check_request(e->source.policy, PEP_CHECK_ATTRIBUTE, e->s->operands[1], e->attrs,
                          warn_stranger, e);
        pep_check_request(e->source.policy, PEP_CHECK_CONTEXT, NULL, e->context, note_stranger, e);
    }
    if (rc == EXIT_OK)
        rc =
            e->set->token != NULL ? subject_from_token(e, now, &err) : subject_from_claims(e, &err);
    if (rc != EXIT_OK)
        return rc;
    if (e->subject != NULL) {
        decide(e, now);
    } else {
        e->verdict = (struct pep_verdict){.outcome = PEP_DENY, .code = PEP_CODE_BAD_TOKEN};
        snprintf(e->verdict.detail, sizeof(e->verdict.detail), "%s", pep_error_text(&err));
    }
    rc = e->s->out.format == OUTPUT_JSON ? print_json(e) : print_text(e);
    if (rc == EXIT_OK && e->set->exit_code && e->verdict.outcome != PEP_ALLOW)
        rc = EXIT_NOT_ALLOWED;
    return rc;
}

static int check_options_together(struct session *s, const struct eval_settings *set)
{
    if ((set->token == NULL) == (set->subject == NULL))
        return output_error(
            &s->out, EXIT_USAGE,
            "%s\n\npolicyctl eval --subject '{\"sub\":\"ann\"}' ACTION RESOURCE, or "
            "--token FILE",
            set->token == NULL ? "who asks? neither --token nor --subject is given"
                               : "--token and --subject exclude each other");
    if (set->token == NULL && (set->keys != NULL || set->audiences.count > 0))
        return output_error(&s->out, EXIT_USAGE,
                            "--keys and --audience are about a token\n\nadd --token FILE");
    if (set->keys != NULL && set->audiences.count == 0)
        return output_error(&s->out, EXIT_USAGE,
                            "--keys replaces issuers.json, so the audience must be said\n\n"
                            "add --audience NAME");
    return EXIT_OK;
}

int eval_run(struct session *s, const void *settings)
{
    const struct eval_settings *set = settings;
    struct eval e = {.s = s, .set = set, .source = {.diags = PEP_DIAGS_INIT}};
    int rc = check_options_together(s, set);
    if (rc != EXIT_OK)
        return rc;
    e.lines = json_array();
    rc = policy_source_open(s, set->policy == NULL ? "." : set->policy, &e.source);
    if (rc == EXIT_OK)
        rc = answer(&e);
    json_decref(e.lines);
    json_decref(e.attrs);
    json_decref(e.context);
    pep_subject_free(e.subject);
    policy_source_close(&e.source);
    return rc;
}
