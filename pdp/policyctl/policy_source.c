/* Policies to work on, from a folder or a bundle: see policy_source.h. */
#include "policy_source.h"

#include "config.h"
#include "disk.h"
#include "keyring.h"

#include "pep/core/engine_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* What services would verify against: the context's pinned root, else the local one. */
static int root_to_trust(struct session *s, struct pep_root **ret, struct pep_error *err)
{
    char current[NAME_LONGEST + 1];
    const char *context = s->context;
    if (context == NULL && context_current(current, NULL) == PEP_OK)
        context = current;
    if (context != NULL && keyring_context_root(context, ret, NULL) == PEP_OK)
        return PEP_OK;
    return keyring_local_root(ret, err);
}

static int open_bundle(struct session *s, const char *what, struct pep_span bytes,
                       struct policy_source *ret, struct pep_error *err)
{
    struct pep_root *root = NULL;
    struct pep_error why = PEP_ERROR_INIT;
    int rc = root_to_trust(s, &root, err);
    if (rc != PEP_OK)
        return rc;
    rc = pep_bundle_open(bytes, root, (int64_t)time(NULL), &ret->bundle, &why);
    pep_root_free(root);
    if (rc != PEP_OK)
        return pep_error_set(err, rc, "%s: %s", what, pep_error_text(&why));
    const struct pep_manifest *m = pep_bundle_manifest(ret->bundle);
    ret->files = pep_bundle_files(ret->bundle);
    ret->name = pep_manifest_name(m);
    ret->epoch = pep_manifest_epoch(m);
    ret->version = pep_manifest_version(m);
    return PEP_OK;
}

static int open_bundle_file(struct session *s, const char *path, struct policy_source *ret,
                            struct pep_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int rc = disk_read(path, PEP_BUNDLE_FILE_MAX, &bytes, &size, err);
    if (rc == PEP_OK)
        rc = open_bundle(s, path, pep_span_of(bytes, size), ret, err);
    free(bytes);
    return rc;
}

int policy_source_open_bytes(struct session *s, const char *what, struct pep_span bytes,
                             struct policy_source *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    *ret = (struct policy_source){.diags = PEP_DIAGS_INIT};
    int rc = open_bundle(s, what, bytes, ret, &err);
    return rc == PEP_OK ? EXIT_OK : session_failed(s, &err, "");
}

int policy_source_open(struct session *s, const char *path, struct policy_source *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct stat st;
    *ret = (struct policy_source){.diags = PEP_DIAGS_INIT};
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        int rc = open_bundle_file(s, path, ret, &err);
        return rc == PEP_OK ? EXIT_OK : session_failed(s, &err, "");
    }
    int rc = repository_read(path, &ret->repository, &err);
    if (rc == PEP_EFORMAT || rc == PEP_ELIMIT)
        return output_error(&s->out, EXIT_CHECK, "%s", pep_error_text(&err));
    if (rc != PEP_OK)
        return session_failed(s, &err, "");
    ret->files = ret->repository->files;
    ret->name = ret->repository->name;
    return EXIT_OK;
}

/* Prints the findings and how many errors are among them. */
static int refuse(struct session *s, const struct policy_source *p)
{
    size_t errors = p->diags.errors;
    policy_source_show(s, p, &p->diags);
    return output_error(&s->out, EXIT_CHECK, "%s: %zu error%s\n\npolicyctl check %s", p->name,
                        errors, errors == 1 ? "" : "s",
                        p->repository == NULL ? "DIR" : p->repository->dir);
}

int policy_source_compile(struct session *s, struct policy_source *p)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_engine_options options = {.lua_states = 1, .author = !p->as_service};
    int rc = pep_policy_compile_unsigned(p->files, &options, &p->policy, &p->diags, &err);
    if (rc == PEP_OK)
        return EXIT_OK;
    if (rc != PEP_EPOLICY)
        return session_failed(s, &err, "");
    if (p->diags.errors == 0)
        pep_diag_add(&p->diags, "E001", NULL, 0, NULL, "%s", pep_error_text(&err));
    return refuse(s, p);
}

int policy_source_check(struct session *s, struct policy_source *p)
{
    struct pep_error err = PEP_ERROR_INIT;
    int rc = pep_check_policy(p->policy, p->files, &p->diags, &err);
    if (rc != PEP_OK && rc != PEP_EPOLICY)
        return session_failed(s, &err, "");
    if (p->diags.errors > 0)
        return refuse(s, p);
    size_t warnings = p->diags.warnings;
    if (warnings > 0)
        output_note(&s->out, "%zu warning%s: policyctl check %s", warnings,
                    warnings == 1 ? "" : "s", p->repository == NULL ? "DIR" : p->repository->dir);
    return EXIT_OK;
}

static void show(struct session *s, const struct policy_source *p, const struct pep_diag *d)
{
    struct pep_span line = p->repository == NULL ? pep_span_of(NULL, 0)
                                                 : repository_line(p->repository, d->file, d->line);
    char source[256];
    snprintf(source, sizeof(source), "%.*s", (int)(line.size < 200 ? line.size : 200),
             line.data == NULL ? "" : (const char *)line.data);
    struct output_finding finding = {.level = d->level == PEP_DIAG_ERROR     ? "error"
                                              : d->level == PEP_DIAG_WARNING ? "warning"
                                                                             : "note",
                                     .code = d->code,
                                     .file = d->file,
                                     .line = d->line,
                                     .source = line.size == 0 ? NULL : source,
                                     .message = d->message,
                                     .help = d->help};
    output_finding(&s->out, &finding);
}

void policy_source_show(struct session *s, const struct policy_source *p,
                        const struct pep_diags *diags)
{
    for (size_t i = 0; i < diags->count; i++)
        show(s, p, &diags->items[i]);
}

/* How many of the first `end` findings have the code of finding `i`. */
static size_t count_before(const struct pep_diags *diags, size_t i, size_t end)
{
    size_t n = 0;
    for (size_t k = 0; k < end; k++)
        n += strcmp(diags->items[k].code, diags->items[i].code) == 0;
    return n;
}

void policy_source_show_some(struct session *s, const struct policy_source *p,
                             const struct pep_diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        size_t before = count_before(diags, i, i);
        if (before < SOURCE_SHOWN)
            show(s, p, &diags->items[i]);
        else if (before == SOURCE_SHOWN)
            output_note(&s->out, "and %zu more %s: policyctl check --all shows them",
                        count_before(diags, i, diags->count) - SOURCE_SHOWN, diags->items[i].code);
    }
}

json_t *policy_source_finding(const struct pep_diag *d)
{
    return json_pack("{s:s, s:s?, s:i, s:s, s:s?}", "code", d->code, "file", d->file, "line",
                     d->line, "message", d->message, "help", d->help);
}
