/*
 * Files to code: which files count, what text may be compiled, and the compiled form of each.
 *
 * Text is compiled once, in the first Lua state, after a scan (engine_scan.c). What that gives is
 * dumped, read by chunk.c for what it can do, and loaded into the other states from the dump, five
 * times faster than from text. Bytecode from a bundle is never loaded: the parser runs in text mode
 * only.
 */
#include "engine_internal.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MISSING_NEAR 64 /* names among which a missing one is looked for */

/* ---- compiling ---- */

struct compile {
    struct pep_span text;
    const char *name; /* "@policies/a.lua" */
    struct pep_buffer *dump;
};

static int write_dump(lua_State *L, const void *data, size_t size, void *ud)
{
    (void)L;
    struct pep_buffer *out = ud;
    pep_put_bytes(out, data, size);
    return out->failed;
}

static int compile_text(lua_State *L)
{
    const struct compile *c = lua_touserdata(L, 1);
    const char *text = c->text.data == NULL ? "" : (const char *)c->text.data;
    if (luaL_loadbufferx(L, text, c->text.size, c->name, "t") != LUA_OK)
        return lua_error(L);
    lua_dump(L, write_dump, c->dump, 0);
    return 0;
}

/* "policies/a.lua:3: what" -> line 3, "what". */
static const char *split_message(const char *message, const char *path, int *ret_line)
{
    size_t n = path == NULL ? 0 : strlen(path); /* NULL: no one file is to blame */
    char *end;
    *ret_line = 0;
    if (path == NULL || strncmp(message, path, n) != 0 || message[n] != ':')
        return message;
    long line = strtol(message + n + 1, &end, 10);
    if (*end != ':' || line < 0 || line > INT32_MAX)
        return message;
    *ret_line = (int)line;
    return end[1] == ' ' ? end + 2 : end + 1;
}

void pep_source_error(struct pep_slot *slot, int status, const char *code, const char *path,
                      struct pep_diags *diags)
{
    char message[400];
    int line;
    bool steps = slot->exhausted != PEP_EXHAUSTED_NOT;
    pep_slot_error(slot, status, message, sizeof(message));
    const char *text = split_message(message, path, &line);
    pep_diag_add(diags, steps ? "E212" : code, path, line, NULL, "%s", text);
}

int pep_source_compile(struct pep_slot *slot, const char *path, struct pep_span text,
                       struct pep_diags *diags, struct pep_buffer *dump)
{
    char name[PEP_PATH_MAX + 2];
    if (!pep_source_allowed(path, text, diags))
        return PEP_EPOLICY;
    snprintf(name, sizeof(name), "@%s", path);
    struct compile c = {text, name, dump};
    int status = pep_slot_call(slot, compile_text, &c);
    if (status != LUA_OK) {
        pep_source_error(slot, status, "E210", path, diags);
        return PEP_EPOLICY;
    }
    return dump->failed ? PEP_ENOMEM : PEP_OK;
}

/* ---- what the code may do ---- */

static void check_use(const char *path, const struct pep_use *u, struct pep_diags *diags)
{
    size_t count;
    const char *const *names = pep_word_names(&count);
    const char *near;
    switch (u->kind) {
    case PEP_USE_GLOBAL:
        if (pep_word_exists(u->name))
            return;
        near = PEP_NEAR(pep_did_you_mean(u->name, names, count));
        pep_diag_add(diags, "E202", path, u->line,
                     near != NULL ? near
                                  : "time comes from ctx.now, values from data; there is no os, io "
                                    "or debug here",
                     "`%s` is not available in policies", u->name);
        return;
    case PEP_USE_GLOBAL_SET:
        pep_diag_add(diags, "E201", path, u->line, "write `local` before its first assignment",
                     "global `%s` assigned", u->name);
        return;
    case PEP_USE_UPVALUE_SET:
        pep_diag_add(diags, "E203", path, u->line,
                     "return the new value instead: a decision leaves nothing behind",
                     "a function assigns the outer variable `%s`", u->name);
        return;
    case PEP_USE_ENV:
        pep_diag_add(diags, "E204", path, u->line, "name the word itself",
                     "the environment is not available as a value");
        return;
    case PEP_USE_REQUIRE:
    case PEP_USE_DATA:
        if (u->name == NULL)
            pep_diag_add(diags, "E205", path, u->line,
                         "write the name as a text, as in require \"lib.hours\" or data \"limits\"",
                         "%s takes a literal name",
                         u->kind == PEP_USE_REQUIRE ? "require" : "data");
        return;
    default:
        return;
    }
}

/* The line where the limit is crossed is where the author has to cut. */
static void refuse_constants(const char *path, const struct pep_chunk_function *f, bool file,
                             struct pep_diags *diags)
{
    char help[200];
    int line = f->full_line > 0 ? f->full_line : f->line;
    if (file && strncmp(path, "policies/", 9) == 0)
        snprintf(help, sizeof(help),
                 "move the rules from line %d on into a second file in policies/; long lists "
                 "belong into data/*.json",
                 line);
    else if (strcmp(path, "schema.lua") == 0)
        snprintf(help, sizeof(help),
                 "put what stands from line %d on into a function and call it: local function "
                 "more() ... end more()",
                 line);
    else
        snprintf(help, sizeof(help), "move values into data/*.json, or parts into %s",
                 file ? "another module" : "functions of their own");
    pep_diag_add(diags, "E208", path, line, help,
                 "%s has %zu different names and values (constants): at most %d fit, and this line "
                 "needs the next one",
                 file ? "the file" : "a function", f->constants, PEP_CHUNK_CONSTANTS);
}

static bool check_chunk(const char *path, const struct pep_chunk *chunk, struct pep_diags *diags)
{
    size_t before = diags->errors, count;
    const struct pep_use *uses = pep_chunk_uses(chunk, &count);
    bool large = false; /* then words are read through a register, which looks like E204 */
    for (size_t i = 0; i < pep_chunk_function_count(chunk); i++)
        large = large || pep_chunk_function(chunk, i)->constants > PEP_CHUNK_CONSTANTS;
    for (size_t i = 0; i < count; i++) {
        if (!large || uses[i].kind != PEP_USE_ENV)
            check_use(path, &uses[i], diags);
    }
    for (size_t i = 0; i < pep_chunk_function_count(chunk); i++) {
        const struct pep_chunk_function *f = pep_chunk_function(chunk, i);
        if (f->nul)
            pep_diag_add(diags, "E209", path, f->line, "leave it out",
                         "a text with a NUL byte: no claim and no attribute can have one");
        if (f->constants > PEP_CHUNK_CONSTANTS)
            refuse_constants(path, f, i == 0, diags);
    }
    return diags->errors == before;
}

static bool add_field_names(struct pep_policy *policy, const struct pep_chunk *chunk)
{
    size_t count;
    const struct pep_use *uses = pep_chunk_uses(chunk, &count);
    for (size_t i = 0; i < count; i++) {
        if (uses[i].kind == PEP_USE_FIELD &&
            pep_names_add(&policy->names, &policy->pool, pep_span_string(uses[i].name)) == PEP_NONE)
            return false;
    }
    return true;
}

static int read_source(struct pep_policy *policy, struct pep_source *source, struct pep_span text,
                       struct pep_diags *diags, struct pep_error *err)
{
    struct pep_buffer dump = pep_buffer_of((size_t)16 * PEP_SOURCE_MAX);
    int rc = pep_source_compile(&policy->slots[0], source->path, text, diags, &dump);
    if (rc == PEP_OK) {
        char *copy = pep_pool_copy(&policy->pool, dump.data, dump.size);
        rc = copy == NULL ? PEP_ENOMEM : PEP_OK;
        source->dump = pep_span_of(copy, copy == NULL ? 0 : dump.size);
    }
    pep_buffer_free(&dump);
    if (rc == PEP_OK)
        rc = pep_chunk_read(source->dump, &source->chunk, err);
    if (rc == PEP_OK && !check_chunk(source->path, source->chunk, diags))
        rc = PEP_EPOLICY;
    if (rc == PEP_OK && !add_field_names(policy, source->chunk))
        rc = PEP_ENOMEM;
    return rc;
}

/* ---- data ---- */

/* "data/a.json:3:7: what" as a diagnosis in line 3. */
static void diag_json(struct pep_diags *diags, const char *path, const char *message)
{
    int line, column, used = 0;
    const char *rest = split_message(message, path, &line);
    if (line > 0 && sscanf(rest, "%9d: %n", &column, &used) == 1 && used > 0)
        pep_diag_add(diags, "E207", path, line, NULL, "column %d: %s", column, rest + used);
    else
        pep_diag_add(diags, "E207", path, line, NULL, "%s", rest);
}

static int read_data(struct pep_policy *policy, const struct pep_file *file, struct pep_data *ret,
                     struct pep_diags *diags)
{
    struct pep_error why = PEP_ERROR_INIT;
    json_t *json;
    size_t n = strlen(file->path) - strlen("data/") - strlen(".json");
    ret->name = pep_pool_copy(&policy->pool, file->path + strlen("data/"), n);
    if (ret->name == NULL)
        return PEP_ENOMEM;
    int rc = pep_json_parse(file->content, PEP_DATA_MAX, file->path, &json, &why);
    if (rc == PEP_OK) {
        rc = pep_value_from_json(&policy->pool, json, &ret->value);
        json_decref(json);
    }
    if (rc == PEP_OK || rc == PEP_ENOMEM)
        return rc;
    diag_json(diags, file->path, pep_error_text(&why));
    return PEP_EPOLICY;
}

const struct pep_value *pep_data_find(const struct pep_policy *policy, struct pep_span name)
{
    for (size_t i = 0; i < policy->data_count; i++) {
        if (pep_span_is(name, policy->data[i].name))
            return &policy->data[i].value;
    }
    return NULL;
}

/* ---- all files ---- */

static bool within(const char *path, const char *folder, const char *ending)
{
    size_t n = strlen(path), f = strlen(folder), e = strlen(ending);
    return n > f + e && strncmp(path, folder, f) == 0 && strcmp(path + n - e, ending) == 0;
}

static bool is_source(const char *path, enum pep_source_kind *ret)
{
    if (strcmp(path, "schema.lua") == 0)
        *ret = PEP_SOURCE_SCHEMA;
    else if (within(path, "policies/", ".lua"))
        *ret = PEP_SOURCE_POLICY;
    else if (within(path, "lib/", ".lua"))
        *ret = PEP_SOURCE_MODULE;
    else
        return false;
    return true;
}

static const char *module_name(struct pep_pool *pool, const char *path)
{
    char *name = pep_pool_copy(pool, path, strlen(path) - strlen(".lua"));
    for (char *c = name; c != NULL && *c != '\0'; c++)
        *c = *c == '/' ? '.' : *c;
    return name;
}

const struct pep_source *pep_source_module(const struct pep_policy *policy, const char *module)
{
    for (size_t i = 0; i < policy->source_count; i++) {
        const struct pep_source *s = &policy->sources[i];
        if (s->kind == PEP_SOURCE_MODULE && strcmp(s->module, module) == 0)
            return s;
    }
    return NULL;
}

/* Says which data and modules are named that are not there: in a function nobody would see it until
 * a decision fails. */
static void check_parts(const struct pep_policy *policy, const struct pep_source *source,
                        struct pep_diags *diags)
{
    size_t count, known = 0;
    const struct pep_use *uses = pep_chunk_uses(source->chunk, &count);
    const char *names[MISSING_NEAR];
    for (size_t i = 0; i < count; i++) {
        const struct pep_use *u = &uses[i];
        bool data = u->kind == PEP_USE_DATA;
        if (u->name == NULL || (!data && u->kind != PEP_USE_REQUIRE) ||
            (data ? pep_data_find(policy, pep_span_string(u->name)) != NULL
                  : pep_source_module(policy, u->name) != NULL))
            continue;
        known = 0;
        for (size_t k = 0; data && k < policy->data_count && known < MISSING_NEAR; k++)
            names[known++] = policy->data[k].name;
        for (size_t k = 0; !data && k < policy->source_count && known < MISSING_NEAR; k++) {
            if (policy->sources[k].kind == PEP_SOURCE_MODULE)
                names[known++] = policy->sources[k].module;
        }
        pep_diag_add(
            diags, "E206", source->path, u->line, PEP_NEAR(pep_did_you_mean(u->name, names, known)),
            data ? "data: there is no data/%s.json" : "require: there is no module `%s`", u->name);
    }
}

int pep_sources_read(struct pep_policy *policy, const struct pep_files *files,
                     struct pep_diags *diags, struct pep_error *err)
{
    size_t n = pep_files_count(files);
    bool refused = false;
    policy->sources = pep_pool_get(&policy->pool, n * sizeof(*policy->sources));
    policy->data = pep_pool_get(&policy->pool, n * sizeof(*policy->data));
    if (policy->sources == NULL || policy->data == NULL)
        return PEP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct pep_file *file = pep_files_at(files, i);
        enum pep_source_kind kind;
        int rc = PEP_OK;
        if (within(file->path, "data/", ".json")) {
            rc = read_data(policy, file, &policy->data[policy->data_count++], diags);
        } else if (is_source(file->path, &kind)) {
            struct pep_source *s = &policy->sources[policy->source_count++];
            s->path = pep_pool_copy(&policy->pool, file->path, strlen(file->path));
            s->module = module_name(&policy->pool, file->path);
            s->kind = kind;
            rc = s->path == NULL || s->module == NULL
                     ? PEP_ENOMEM
                     : read_source(policy, s, file->content, diags, err);
            s->refused = rc != PEP_OK;
        }
        refused = refused || rc == PEP_EPOLICY;
        if (rc != PEP_OK && rc != PEP_EPOLICY)
            return rc;
    }
    for (size_t i = 0, before = diags->errors; !refused && i < policy->source_count; i++) {
        check_parts(policy, &policy->sources[i], diags);
        refused = refused || (i + 1 == policy->source_count && diags->errors > before);
    }
    return refused ? PEP_EPOLICY : PEP_OK;
}

static const char *read_dump(lua_State *L, void *ud, size_t *size)
{
    (void)L;
    struct pep_span *left = ud;
    const char *data = (const char *)left->data;
    *size = left->size;
    left->size = 0;
    return *size == 0 ? NULL : data;
}

void pep_push_chunk(lua_State *L, const struct pep_source *source)
{
    char name[PEP_PATH_MAX + 2];
    struct pep_span left = source->dump;
    snprintf(name, sizeof(name), "@%s", source->path);
    if (lua_load(L, read_dump, &left, name, "b") != LUA_OK) /* our own dump, not the bundle's */
        lua_error(L);
}
