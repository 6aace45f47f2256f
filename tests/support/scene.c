/* A service in PEP_FILE mode with everything around it: see scene.h. */
#include "tests/support/scene.h"

#include "pep/core/jwt.h"
#include "pep/handle.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void must(bool fine, const char *what, const char *why)
{
    if (fine)
        return;
    fprintf(stderr, "scene: %s: %s\n", what, why);
    exit(3);
}

void scene_write(const char *path, struct pep_span bytes)
{
    char beside[2 * SCENE_PATH];
    snprintf(beside, sizeof(beside), "%s.new", path);
    FILE *f = fopen(beside, "w");
    must(f != NULL, beside, "cannot be opened");
    must(fwrite(bytes.data, 1, bytes.size, f) == bytes.size, beside, "cannot be written");
    must(fclose(f) == 0 && rename(beside, path) == 0, path, "cannot be replaced");
}

static char *make_issuers(const json_t *jwk)
{
    json_t *keys = pep_jwk_public_set(jwk);
    must(keys != NULL, "jwks", "no memory");
    json_t *table = json_pack("[{s:s, s:[s], s:[s], s:o}]", "issuer", SCENE_ISSUER, "audiences",
                              SCENE_AUDIENCE, "algorithms", "ES256", "jwks", keys);
    char *text = table == NULL ? NULL : json_dumps(table, JSON_COMPACT);
    must(text != NULL, "issuers.json", "no memory");
    json_decref(table);
    return text;
}

struct scene scene_new(void)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct scene s = {.fixture = fixture_new()};
    snprintf(s.folder, sizeof(s.folder), "/tmp/pep-scene-XXXXXX");
    must(mkdtemp(s.folder) != NULL, s.folder, "cannot be made");
    snprintf(s.bundle_file, sizeof(s.bundle_file), "%s/acme.bundle", s.folder);
    snprintf(s.root_file, sizeof(s.root_file), "%s/root.json", s.folder);
    must(pep_jwk_generate(PEP_ALG_ES256, "test", &s.jwk) == PEP_OK, "jwk", "not made");
    must(pep_jwk_private_read(s.jwk, &s.key, &err) == PEP_OK, "jwk", err.text);
    s.issuers = make_issuers(s.jwk);
    scene_write(s.root_file, pep_root_envelope(s.fixture.root));
    return s;
}

void scene_free(struct scene *s)
{
    DIR *folder = opendir(s->folder);
    for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        if (e->d_name[0] != '.')
            unlinkat(dirfd(folder), e->d_name, 0);
    }
    if (folder != NULL)
        closedir(folder);
    rmdir(s->folder);
    free(s->issuers);
    pep_jwk_private_free(s->key);
    json_decref(s->jwk);
    fixture_free(&s->fixture);
}

struct pep_buffer scene_bundle(const struct scene *s, const struct pep_manifest_draft *draft,
                               const char *policy, const struct fixture_file *more, size_t count)
{
    struct fixture_file *files = calloc(3 + count, sizeof(*files));
    must(files != NULL, "bundle", "no memory");
    const struct fixture_file first[3] = {
        {"bundle.json", "{\"name\": \"acme\", \"max_stale\": 86400, \"expires_days\": 90}"},
        {"issuers.json", s->issuers},
        {"policies/all.lua", policy},
    };
    memcpy(files, first, sizeof(first));
    if (count > 0)
        memcpy(files + 3, more, count * sizeof(*more));
    struct pep_buffer bytes = fixture_sign_bundle(s->fixture.policy_key, draft, files, 3 + count);
    free(files);
    return bytes;
}

void scene_put(const struct scene *s, const struct pep_manifest_draft *draft, const char *policy)
{
    struct pep_buffer bytes = scene_bundle(s, draft, policy, NULL, 0);
    scene_write(s->bundle_file, pep_buffer_span(&bytes));
    pep_buffer_free(&bytes);
}

void scene_put_version(const struct scene *s, uint64_t version, const char *policy)
{
    struct pep_manifest_draft draft = fixture_manifest_draft(version);
    scene_put(s, &draft, policy);
}

#define RULES_PER_FILE 40

void scene_put_rules(const struct scene *s, uint64_t version, const char *policy, unsigned count,
                     void (*rule)(struct pep_buffer *out, unsigned i))
{
    size_t file_count = (count + RULES_PER_FILE - 1) / RULES_PER_FILE;
    struct fixture_file *files = calloc(file_count + 1, sizeof(*files));
    must(files != NULL, "rules", "no memory");
    for (size_t f = 0; f < file_count; f++) {
        struct pep_buffer path = pep_buffer_of(64), text = pep_buffer_of(PEP_SOURCE_MAX);
        size_t size, end = (f + 1) * RULES_PER_FILE;
        for (size_t i = f * RULES_PER_FILE; i < (end < count ? end : count); i++)
            rule(&text, (unsigned)i);
        pep_put_format(&path, "policies/p%zu.lua", f);
        files[f].path = (char *)pep_buffer_take(&path, &size);
        files[f].content = (char *)pep_buffer_take(&text, &size);
        must(files[f].path != NULL && files[f].content != NULL, "rules", "no memory");
    }
    struct pep_manifest_draft draft = fixture_manifest_draft(version);
    struct pep_buffer bytes = scene_bundle(s, &draft, policy, files, file_count);
    scene_write(s->bundle_file, pep_buffer_span(&bytes));
    pep_buffer_free(&bytes);
    for (size_t f = 0; f < file_count; f++) {
        free((void *)(uintptr_t)files[f].path);
        free((void *)(uintptr_t)files[f].content);
    }
    free(files);
}

pep_options scene_options(const struct scene *s)
{
    static const char *const audience[] = {SCENE_AUDIENCE, NULL};
    pep_options o = PEP_OPTIONS_INIT;
    o.mode = PEP_FILE;
    o.bundle_file = s->bundle_file;
    o.root_file = s->root_file;
    o.audience = audience;
    return o;
}

pep *scene_open(const struct scene *s)
{
    pep_options o = scene_options(s);
    pep *p = NULL;
    must(pep_open(&o, &p) == PEP_OK, "pep_open", pep_open_error());
    return p;
}

static void ignore_record(void *user, const char *json, size_t length)
{
    (void)user;
    (void)json;
    (void)length;
}

pep *scene_open_recording(const struct scene *s)
{
    pep_options o = scene_options(s);
    pep *p = NULL;
    o.on_record = ignore_record;
    must(pep_open(&o, &p) == PEP_OK, "pep_open", pep_open_error());
    return p;
}

void scene_wait_for_records(const pep *p)
{
    struct pep_counts counts;
    struct timespec nap = {0, 1000 * 1000};
    pep_counters_sum(p->counters, &counts);
    while (p->events != NULL && atomic_load(&p->records_delivered) < counts.all) {
        must(pep_events_dropped(p->events) == 0, "records", "the queue was full");
        nanosleep(&nap, NULL);
    }
}

char *scene_token(const struct scene *s, const char *claims)
{
    struct pep_error err = PEP_ERROR_INIT;
    json_error_t je;
    json_int_t now = (json_int_t)time(NULL);
    json_t *all = json_pack("{s:s, s:s, s:I, s:I}", "iss", SCENE_ISSUER, "aud", SCENE_AUDIENCE,
                            "iat", now, "exp", now + 600);
    json_t *own = json_loads(claims, 0, &je);
    must(all != NULL && own != NULL && json_object_update(all, own) == 0, "claims", claims);
    char *payload = json_dumps(all, JSON_COMPACT);
    struct pep_buffer out = pep_buffer_of(PEP_TOKEN_MAX);
    must(payload != NULL &&
             pep_jwt_sign(s->key, NULL, pep_span_string(payload), &out, &err) == PEP_OK,
         "token", err.text);
    free(payload);
    json_decref(all);
    json_decref(own);
    size_t size;
    char *token = (char *)pep_buffer_take(&out, &size);
    must(token != NULL, "token", "no memory");
    return token;
}
