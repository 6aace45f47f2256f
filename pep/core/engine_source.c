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

/* All files of one bundle. */
struct reader {
    struct pep_policy *policy;
    struct pep_diags *diags;
    struct pep_error *err;
    int64_t work;      /* of Lua's parser, that is left: engine_scan.c */
    unsigned mistakes; /* each looks for a name that was meant: reading ends at so many */
};

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

/* What people coming from other languages write, by what Lua's parser says of it. */
static const char *syntax_help(const char *text)
{
    static const struct {
        const char *said, *help;
    } known[] = {{"near '!'", "\"not equal\" is ~= in Lua, and \"not\" is not"},
                 {"near '&'", "Lua writes `and`"},
                 {"near '|'", "Lua writes `or`"},
                 {"'}' expected near '='", "is there a comma before this key?"},
                 {"'}' expected near", "is there a comma before it?"},
                 {"'then' expected near '='", "a comparison is =="}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strstr(text, known[i].said) != NULL)
            return known[i].help;
    }
    return NULL;
}

#define WEIGHT_TOLD 4 /* from here on it is worth a word */

static void diag_steps(const struct pep_slot *slot, const char *path, struct pep_diags *diags)
{
    const struct pep_loader *ld = slot->loader;
    char heavy[160] = "";
    bool known = ld != NULL && ld->spent_line > 0;
    if (slot->weight >= WEIGHT_TOLD)
        snprintf(heavy, sizeof(heavy),
                 "; one instruction takes %u of them here, because this file or a module of its "
                 "makes long texts, large tables or long `...`, or calculates with `%%`",
                 (unsigned)slot->weight);
    pep_diag_add(diags, "E212", known ? ld->spent_file : path, known ? ld->spent_line : 0,
                 "write rules out instead of computing them; long texts and lists belong into "
                 "data/*.json",
                 "the files take more than %d steps to load, up to this %s%s", PEP_LOAD_STEPS,
                 known ? "line" : "one", heavy);
}

void pep_source_error(struct pep_slot *slot, int status, const char *code, const char *path,
                      struct pep_diags *diags)
{
    char message[400];
    int line;
    enum pep_exhausted exhausted = slot->exhausted;
    pep_slot_error(slot, status, message, sizeof(message));
    const char *text = split_message(message, path, &line);
    if (exhausted == PEP_EXHAUSTED_NOT)
        pep_diag_add(diags, code, path, line, strcmp(code, "E210") == 0 ? syntax_help(text) : NULL,
                     "%s", text);
    else if (exhausted == PEP_EXHAUSTED_MEMORY)
        pep_diag_add(diags, "E212", path, 0, "long lists of values belong into data/*.json",
                     "the files need more than %d MiB of memory to load", PEP_LOAD_MEMORY >> 20);
    else
        diag_steps(slot, path, diags);
}

static int compile_source(struct reader *r, const char *path, struct pep_span text,
                          struct pep_buffer *dump)
{
    char name[PEP_PATH_MAX + 2];
    struct pep_slot *slot = &r->policy->slots[0];
    if (!pep_source_allowed(path, text, &r->work, r->diags))
        return PEP_EPOLICY;
    snprintf(name, sizeof(name), "@%s", path);
    struct compile c = {text, name, dump};
    int status = pep_slot_call(slot, compile_text, &c);
    if (status != LUA_OK) {
        pep_source_error(slot, status, "E210", path, r->diags);
        return PEP_EPOLICY;
    }
    return dump->failed ? PEP_ENOMEM : PEP_OK;
}

/* ---- what the code may do ---- */

static const char *help_for(const char *name)
{
    static const char *const parameters[] = {"sub", "res", "ctx"};
    static const char *const hosts[] = {"os", "io", "debug", "print", "random", "time", "date"};
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (strcmp(name, parameters[i]) == 0)
            return "it is what a rule's function gets: when = function(sub, res, ctx) return ... "
                   "end";
    }
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (strcmp(name, hosts[i]) == 0)
            return "time comes from ctx.now, values from data; there is no os, io or debug here";
    }
    return "no local of this file has this name, and it is no word of the language";
}

static bool check_use(const char *path, const struct pep_use *u, struct pep_diags *diags)
{
    size_t count;
    const char *const *names = pep_word_names(&count);
    const char *near;
    switch (u->kind) {
    case PEP_USE_GLOBAL:
        if (pep_word_exists(u->name))
            return true;
        near = PEP_NEAR(pep_did_you_mean(u->name, names, count));
        pep_diag_add(diags, "E202", path, u->line, near != NULL ? near : help_for(u->name),
                     "`%s` is not available in policies", u->name);
        return false;
    case PEP_USE_GLOBAL_SET:
        pep_diag_add(diags, "E201", path, u->line, "write `local` before its first assignment",
                     "global `%s` assigned", u->name);
        return false;
    case PEP_USE_UPVALUE_SET:
        pep_diag_add(diags, "E203", path, u->line,
                     "return the new value instead: a decision leaves nothing behind",
                     "a function assigns the outer variable `%s`", u->name);
        return false;
    case PEP_USE_ENV:
        pep_diag_add(diags, "E204", path, u->line, "name the word itself",
                     "the environment is not available as a value");
        return false;
    case PEP_USE_REQUIRE:
    case PEP_USE_DATA:
        if (u->name == NULL)
            pep_diag_add(diags, "E205", path, u->line,
                         "write the name as a text, as in require \"lib.hours\" or data \"limits\"",
                         "%s takes a literal name",
                         u->kind == PEP_USE_REQUIRE ? "require" : "data");
        return u->name != NULL;
    default:
        return true;
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

static bool check_chunk(struct reader *r, const char *path, const struct pep_chunk *chunk)
{
    struct pep_diags *diags = r->diags;
    size_t before = diags->errors, count;
    const struct pep_use *uses = pep_chunk_uses(chunk, &count);
    bool large = false; /* then words are read through a register, which looks like E204 */
    for (size_t i = 0; i < pep_chunk_function_count(chunk); i++)
        large = large || pep_chunk_function(chunk, i)->constants > PEP_CHUNK_CONSTANTS;
    for (size_t i = 0; i < count && r->mistakes < PEP_MISTAKES_MAX; i++) {
        if (!large || uses[i].kind != PEP_USE_ENV)
            r->mistakes += !check_use(path, &uses[i], diags);
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

static int read_source(struct reader *r, struct pep_source *source, struct pep_span text)
{
    struct pep_policy *policy = r->policy;
    struct pep_buffer dump = pep_buffer_of((size_t)16 * PEP_SOURCE_MAX);
    int rc = compile_source(r, source->path, text, &dump);
    if (rc == PEP_OK) {
        char *copy = pep_pool_copy(&policy->pool, dump.data, dump.size);
        rc = copy == NULL ? PEP_ENOMEM : PEP_OK;
        source->dump = pep_span_of(copy, copy == NULL ? 0 : dump.size);
    }
    pep_buffer_free(&dump);
    if (rc == PEP_OK)
        rc = pep_chunk_read(source->dump, &source->chunk, r->err);
    size_t functions = rc == PEP_OK ? pep_chunk_function_count(source->chunk) : 0;
    source->read_by = pep_pool_get(&policy->pool, functions * sizeof(*source->read_by));
    if (rc == PEP_OK && source->read_by == NULL)
        rc = PEP_ENOMEM;
    if (rc == PEP_OK && !check_chunk(r, source->path, source->chunk))
        rc = PEP_EPOLICY;
    if (rc == PEP_OK && !add_field_names(policy, source->chunk))
        rc = PEP_ENOMEM;
    if (rc == PEP_OK && policy->names.count > PEP_FIELDS_MAX) {
        pep_diag_add(r->diags, "E213", source->path, 0,
                     "keep values in lists or data, not in names",
                     "up to this file functions read more than %d different names", PEP_FIELDS_MAX);
        r->work = -1; /* nothing that follows could make it better */
        rc = PEP_EPOLICY;
    }
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

static int read_data(struct reader *r, const struct pep_file *file)
{
    struct pep_policy *policy = r->policy;
    struct pep_data *ret = &policy->data[policy->data_count++];
    struct pep_error why = PEP_ERROR_INIT;
    json_t *json;
    size_t n = strlen(file->path) - strlen("data/") - strlen(".json");
    struct pep_span name = pep_span_of(file->path + strlen("data/"), n);
    uint32_t id =
        pep_names_add(&policy->data_names, &policy->pool, name); /* paths differ: so do names */
    if (id == PEP_NONE)
        return PEP_ENOMEM;
    ret->name = policy->data_names.texts[id];
    int rc = pep_json_parse(file->content, PEP_DATA_MAX, file->path, &json, &why);
    if (rc == PEP_OK) {
        rc = pep_value_from_json(&policy->pool, json, &ret->value);
        json_decref(json);
    }
    if (rc == PEP_OK || rc == PEP_ENOMEM)
        return rc;
    diag_json(r->diags, file->path, pep_error_text(&why));
    return PEP_EPOLICY;
}

const struct pep_value *pep_data_find(const struct pep_policy *policy, struct pep_span name)
{
    uint32_t id = pep_names_find(&policy->data_names, name);
    return id == PEP_NONE ? NULL : &policy->data[id].value;
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

/* "lib/a/b.lua" is lib.a.b. Where two files have one name, it is the first one's. */
static bool name_module(struct pep_policy *policy, struct pep_source *source)
{
    size_t n = strlen(source->path) - strlen(".lua");
    char *name = pep_pool_copy(&policy->pool, source->path, n);
    for (char *c = name; c != NULL && *c != '\0'; c++)
        *c = *c == '/' ? '.' : *c;
    source->module = name;
    if (name == NULL || source->kind != PEP_SOURCE_MODULE)
        return name != NULL;
    uint32_t known = policy->modules.count;
    uint32_t id = pep_names_add(&policy->modules, &policy->pool, pep_span_of(name, n));
    if (id == known)
        policy->module_sources[id] = source;
    return id != PEP_NONE;
}

const struct pep_source *pep_source_module(const struct pep_policy *policy, const char *module)
{
    uint32_t id = pep_names_find(&policy->modules, pep_span_string(module));
    return id == PEP_NONE ? NULL : policy->module_sources[id];
}

const struct pep_source *pep_source_at(const struct pep_policy *policy, struct pep_span path)
{
    size_t low = 0, high = policy->source_count; /* in the order of their paths */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *here = policy->sources[middle].path;
        int c = strncmp((const char *)path.data, here, path.size);
        if (c == 0 && here[path.size] == '\0')
            return &policy->sources[middle];
        if (c <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Says which data and modules are named that are not there: in a function nobody would see it until
 * a decision fails. */
static void check_parts(struct reader *r, const struct pep_source *source)
{
    const struct pep_policy *policy = r->policy;
    size_t count, known = 0;
    const struct pep_use *uses = pep_chunk_uses(source->chunk, &count);
    const char *names[MISSING_NEAR];
    for (size_t i = 0; i < count && r->mistakes < PEP_MISTAKES_MAX; i++) {
        const struct pep_use *u = &uses[i];
        bool data = u->kind == PEP_USE_DATA;
        if (u->name == NULL || (!data && u->kind != PEP_USE_REQUIRE) ||
            (data ? pep_data_find(policy, pep_span_string(u->name)) != NULL
                  : pep_source_module(policy, u->name) != NULL))
            continue;
        known = 0;
        for (size_t k = 0; data && k < policy->data_count && known < MISSING_NEAR; k++)
            names[known++] = policy->data[k].name;
        for (size_t k = 0; !data && k < policy->modules.count && known < MISSING_NEAR; k++)
            names[known++] = policy->modules.texts[k];
        r->mistakes++;
        pep_diag_add(r->diags, "E206", source->path, u->line,
                     PEP_NEAR(pep_did_you_mean(u->name, names, known)),
                     data ? "data: there is no data/%s.json" : "require: there is no module `%s`",
                     u->name);
    }
}

static int read_file(struct reader *r, const struct pep_file *file)
{
    struct pep_policy *policy = r->policy;
    enum pep_source_kind kind;
    if (within(file->path, "data/", ".json"))
        return read_data(r, file);
    if (!is_source(file->path, &kind))
        return PEP_OK;
    struct pep_source *s = &policy->sources[policy->source_count++];
    s->kind = kind;
    s->path = pep_pool_copy(&policy->pool, file->path, strlen(file->path));
    int rc =
        s->path == NULL || !name_module(policy, s) ? PEP_ENOMEM : read_source(r, s, file->content);
    s->refused = rc != PEP_OK;
    return rc;
}

int pep_sources_read(struct pep_policy *policy, const struct pep_files *files,
                     struct pep_diags *diags, struct pep_error *err)
{
    struct reader r = {.policy = policy, .diags = diags, .err = err, .work = PEP_PARSE_WORK};
    size_t n = pep_files_count(files);
    bool refused = false;
    policy->sources = pep_pool_get(&policy->pool, n * sizeof(*policy->sources));
    policy->module_sources = pep_pool_get(&policy->pool, n * sizeof(*policy->module_sources));
    policy->data = pep_pool_get(&policy->pool, n * sizeof(*policy->data));
    if (policy->sources == NULL || policy->module_sources == NULL || policy->data == NULL)
        return PEP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int rc = read_file(&r, pep_files_at(files, i));
        refused = refused || rc == PEP_EPOLICY;
        if (rc != PEP_OK && rc != PEP_EPOLICY)
            return rc;
        if (r.work < 0 || r.mistakes >= PEP_MISTAKES_MAX) {
            policy->cut = true;
            return PEP_EPOLICY;
        }
    }
    for (size_t i = 0; !refused && i < policy->source_count; i++)
        check_parts(&r, &policy->sources[i]);
    return refused || r.mistakes > 0 ? PEP_EPOLICY : PEP_OK;
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
    struct pep_slot *slot = pep_slot_of(L);
    snprintf(name, sizeof(name), "@%s", source->path);
    slot->reading = true;                                  /* no policy can walk over code */
    int status = lua_load(L, read_dump, &left, name, "b"); /* our own dump, not the bundle's */
    slot->reading = false;
    if (status != LUA_OK)
        lua_error(L);
}
