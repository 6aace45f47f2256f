/* A policy from texts and a decision from JSON, for the tests of the engine. */
#ifndef PEP_TESTS_ENGINE_KIT_H
#define PEP_TESTS_ENGINE_KIT_H

#include "pep/core/engine.h"
#include "pep/core/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct kit_file {
    const char *path, *text;
};

static inline struct pep_files *kit_files(const struct kit_file *files, size_t count)
{
    struct pep_files *set = NULL;
    assert_int_equal(pep_files_new(&set), PEP_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pep_files_add(set, files[i].path, pep_span_string(files[i].text), NULL),
                         PEP_OK);
    return set;
}

static inline int kit_try(const struct kit_file *files, size_t count, unsigned states,
                          struct pep_policy **ret, struct pep_diags *diags)
{
    struct pep_engine_options options = {.lua_states = states, .author = false};
    struct pep_files *set = kit_files(files, count);
    struct pep_error err = PEP_ERROR_INIT;
    int rc = pep_policy_compile_unsigned(set, &options, ret, diags, &err);
    assert_int_equal(err.code, rc);
    pep_files_free(set);
    return rc;
}

static inline struct pep_policy *kit_policy(const struct kit_file *files, size_t count)
{
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_policy *p = NULL;
    int rc = kit_try(files, count, 2, &p, &diags);
    for (size_t i = 0; i < diags.count; i++) {
        if (diags.items[i].level == PEP_DIAG_ERROR)
            print_error("%s:%d %s %s\n", diags.items[i].file == NULL ? "-" : diags.items[i].file,
                        diags.items[i].line, diags.items[i].code, diags.items[i].message);
    }
    assert_int_equal(rc, PEP_OK);
    pep_diags_free(&diags);
    return p;
}

static inline json_t *kit_json(const char *text)
{
    json_t *json = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    if (text == NULL)
        return NULL;
    if (pep_json_parse(pep_span_string(text), 1 << 20, "test", &json, &err) != PEP_OK)
        fail_msg("%s: %s", text, pep_error_text(&err));
    return json;
}

struct kit_ask {
    const char *claims, *action, *resource, *attrs, *context;
    double now;
    bool any_obligation;
};

static inline struct pep_verdict kit_decide(const struct pep_policy *p, const struct kit_ask *ask)
{
    struct pep_verdict v;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_subject *subject = NULL;
    json_t *claims = kit_json(ask->claims), *attrs = kit_json(ask->attrs);
    json_t *context = kit_json(ask->context);
    if (pep_subject_from_claims(p, claims, &subject, &err) != PEP_OK)
        fail_msg("%s", pep_error_text(&err));
    struct pep_request q = {.subject = subject,
                            .action = ask->action,
                            .resource = ask->resource,
                            .attrs_json = attrs,
                            .context_json = context,
                            .now = ask->now,
                            .any_obligation = ask->any_obligation};
    memset(&v, 0x5a, sizeof(v)); /* whatever was there must not matter */
    pep_policy_decide(p, &q, &v);
    json_decref(claims);
    json_decref(attrs);
    json_decref(context);
    pep_subject_free(subject);
    return v;
}

#endif
