/*
 * Reads what tests/peers/generate.lua writes: see workload.h. The scripts of tests/peers run inside
 * this process, so that the benchmark needs no program beside itself.
 */
#include "workload.h"

#include <ftw.h>
#include <getopt.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define RULES_PER_FILE 40 /* what 250 constants in a function leave room for */

static void must(bool fine, const char *what, const char *why)
{
    if (fine)
        return;
    fprintf(stderr, "bench workload: %s: %s\n", what, why);
    exit(1);
}

static void *get(size_t size)
{
    void *p = calloc(1, size);
    must(p != NULL, "memory", "none left");
    return p;
}

/* ---- Lua ---- */

lua_State *workload_lua(void)
{
    lua_State *L = luaL_newstate();
    must(L != NULL, "lua", "no memory");
    luaL_openlibs(L);
    return L;
}

void workload_script(lua_State *L, const char *name)
{
    char path[WORKLOAD_PATH];
    snprintf(path, sizeof(path), "%s/%s", PEP_PEERS_DIR, name);
    must(luaL_dofile(L, path) == LUA_OK, name, lua_tostring(L, -1));
}

/* ---- options, and generating ---- */

static void usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [--data OUTDIR | --graphs N --requests N --seed N] [--sizes 5,50]\n"
            "          [--app NAME] [--rounds N] [--decisions FILE]\n",
            program);
    exit(2);
}

struct workload_options workload_options(int argc, char **argv)
{
    static const struct option names[] = {{"data", required_argument, NULL, 'd'},
                                          {"graphs", required_argument, NULL, 'g'},
                                          {"requests", required_argument, NULL, 'q'},
                                          {"app", required_argument, NULL, 'a'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"sizes", required_argument, NULL, 'n'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {"decisions", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    struct workload_options o = {.sizes = "5,50", .rounds = 20};
    int c;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 'd')
            o.data = optarg;
        else if (c == 'a')
            o.app = optarg;
        else if (c == 'g')
            o.graphs = optarg;
        else if (c == 'q')
            o.requests = optarg;
        else if (c == 's')
            o.seed = optarg;
        else if (c == 'o')
            o.decisions = optarg;
        else if (c == 'n' && strlen(optarg) < sizeof(o.sizes))
            snprintf(o.sizes, sizeof(o.sizes), "%s", optarg);
        else if (c == 'r' && atoi(optarg) >= 1 && atoi(optarg) <= 1000)
            o.rounds = (unsigned)atoi(optarg);
        else
            usage(argv[0]);
    }
    if (optind != argc || (o.data != NULL && (o.graphs || o.requests || o.seed)))
        usage(argv[0]);
    return o;
}

static void put_argument(lua_State *L, const char *name, const char *value)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    if (value == NULL)
        return;
    if (name != NULL) {
        lua_pushstring(L, name);
        lua_rawseti(L, -2, ++n);
    }
    lua_pushstring(L, value);
    lua_rawseti(L, -2, n + 1);
}

void workload_generate(const struct workload_options *options, char folder[WORKLOAD_PATH])
{
    snprintf(folder, WORKLOAD_PATH, "/tmp/pep-workload-XXXXXX");
    must(mkdtemp(folder) != NULL, folder, "cannot be made");
    lua_State *L = workload_lua();
    lua_newtable(L);
    put_argument(L, NULL, folder);
    put_argument(L, "--sizes", options->sizes);
    put_argument(L, "--graphs", options->graphs);
    put_argument(L, "--requests", options->requests);
    put_argument(L, "--seed", options->seed);
    lua_setglobal(L, "arg");
    workload_script(L, "generate.lua");
    lua_close(L);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void workload_remove(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- files ---- */

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    must(f != NULL, path, "cannot be opened");
    must(fseek(f, 0, SEEK_END) == 0, path, "cannot be read");
    long size = ftell(f);
    must(size >= 0, path, "cannot be read");
    rewind(f);
    char *text = get((size_t)size + 1);
    must(fread(text, 1, (size_t)size, f) == (size_t)size, path, "cannot be read");
    fclose(f);
    return text;
}

static char *copy_of(const char *text)
{
    char *copy = strdup(text);
    must(copy != NULL, "memory", "none left");
    return copy;
}

/* Takes the content. */
static void add_file(struct workload *w, const char *path, char *content)
{
    w->files = realloc(w->files, (w->file_count + 1) * sizeof(*w->files));
    must(w->files != NULL && content != NULL, path, "no memory");
    w->files[w->file_count].path = copy_of(path);
    w->files[w->file_count++].content = content;
}

static struct workload_request *add_request(struct workload *w)
{
    if ((w->count & (w->count - 1)) == 0)
        w->requests =
            realloc(w->requests, (w->count == 0 ? 1 : w->count * 2) * sizeof(*w->requests));
    must(w->requests != NULL, "requests", "no memory");
    struct workload_request *r = &w->requests[w->count++];
    memset(r, 0, sizeof(*r));
    return r;
}

static void set_resource(struct workload_request *r, const char *type, const char *id)
{
    size_t size = strlen(type) + strlen(id) + 2;
    r->resource = get(size);
    snprintf(r->resource, size, "%s:%s", type, id);
    for (char *c = r->resource; *c != ':'; c++) /* types are written small in the language */
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    r->id = copy_of(id);
}

static void add_attribute(struct workload_request *r, const char *name, const json_t *value)
{
    must(r->attr_count < WORKLOAD_ATTRS_MAX, r->resource, "too many attributes");
    r->attrs[r->attr_count++] = json_is_boolean(value)
                                    ? pep_attr_bool(name, json_is_true(value))
                                    : pep_attr_string(name, json_string_value(value));
}

/* What an identity provider's token usually holds, around the claims that matter. */
static json_t *claims_of(const char *sub, const char *tenant, json_t *roles)
{
    json_t *claims = json_pack(
        "{s:s, s:s*, s:O*, s:s, s:[s,s], s:s, s:s, s:s, s:s, s:i}", "sub", sub, "tenant", tenant,
        "roles", roles, "scope", "openid profile invoice:read invoice:write", "amr", "pwd", "mfa",
        "acr", "urn:acme:mfa", "jti", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "client_id",
        "web-shop", "email", "ann@acme.example", "auth_time", 1699999900);
    must(claims != NULL, "claims", "no memory");
    return claims;
}

/* ---- one graph ---- */

static unsigned user_of(struct workload *w, const char *id)
{
    for (size_t i = 0; i < json_array_size(w->claims); i++) {
        const json_t *sub = json_object_get(json_array_get(w->claims, i), "sub");
        if (strcmp(json_string_value(sub), id) == 0)
            return (unsigned)i;
    }
    json_array_append_new(w->claims, claims_of(id, NULL, NULL));
    return (unsigned)json_array_size(w->claims) - 1;
}

static void read_request(struct workload *w, char *line)
{
    char *rest = NULL;
    char *user = strtok_r(line, "\t\n", &rest), *action = strtok_r(NULL, "\t\n", &rest);
    char *resource = strtok_r(NULL, "\t\n", &rest);
    char *user_id = user == NULL ? NULL : strstr(user, "::");
    char *id = resource == NULL ? NULL : strstr(resource, "::");
    must(user_id != NULL && id != NULL, w->base, "a line of requests is not three words");
    *id = '\0';
    struct workload_request *r = add_request(w);
    r->user = user_of(w, user_id + 2);
    r->action = copy_of(action);
    set_resource(r, resource, id + 2);
    const char *name;
    json_t *value, *attrs = json_object_get(json_object_get(w->keep, "attrs"), r->id);
    json_object_foreach(attrs, name, value) add_attribute(r, name, value);
}

static void read_policy(struct workload *w, const char *app)
{
    const char *folder = strncmp(app, "gdrive", 6) == 0 ? "gdrive" : app; /* one policy for both */
    char path[2 * WORKLOAD_PATH];
    snprintf(path, sizeof(path), "%s/policy/%s/policies/all.lua", PEP_PEERS_DIR, folder);
    w->policy = read_file(path);
    snprintf(path, sizeof(path), "%s/policy/%s/schema.lua", PEP_PEERS_DIR, folder);
    add_file(w, "schema.lua", read_file(path));
    snprintf(path, sizeof(path), "%s/policy/lib/tables.lua", PEP_PEERS_DIR);
    add_file(w, "lib/tables.lua", read_file(path));
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(w->keep, "data"), name, value)
    {
        snprintf(path, sizeof(path), "data/%s.json", name);
        add_file(w, path, json_dumps(value, JSON_COMPACT));
    }
}

/* oracle.decide(out, app, n, k) -> the expected decisions. `oracle` is on top of the stack. */
static void read_expected(lua_State *L, struct workload *w, const char *out, const char *app,
                          const unsigned at[2])
{
    char n[16];
    snprintf(n, sizeof(n), "%u", at[0]);
    workload_script(L, "oracle.lua");
    lua_getfield(L, -1, "decide");
    lua_pushstring(L, out);
    lua_pushstring(L, app);
    lua_pushstring(L, n);
    lua_pushinteger(L, at[1]);
    must(lua_pcall(L, 4, 1, 0) == LUA_OK, w->base, lua_tostring(L, -1));
    must(lua_rawlen(L, -1) == w->count, w->base, "the oracle decides another number of requests");
    for (size_t i = 0; i < w->count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        w->requests[i].expected = lua_toboolean(L, -1) != 0;
        lua_pop(L, 1);
    }
    lua_settop(L, 0);
}

static struct workload *workload_new(void)
{
    struct workload *w = get(sizeof(*w));
    w->claims = json_array();
    must(w->claims != NULL, "claims", "no memory");
    return w;
}

struct workload *workload_graph(lua_State *L, const char *out, const char *app, unsigned n,
                                unsigned k)
{
    char path[WORKLOAD_PATH + 32], line[LINE_MAX_BYTES];
    json_error_t je;
    struct workload *w = workload_new();
    snprintf(w->base, sizeof(w->base), "%s/%s/%u/%u", out, app, n, k);
    snprintf(path, sizeof(path), "%s.requests", w->base);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        workload_free(w);
        return NULL;
    }
    snprintf(path, sizeof(path), "%s.policy.json", w->base);
    w->keep = json_load_file(path, 0, &je);
    must(w->keep != NULL, path, je.text);
    while (fgets(line, sizeof(line), f) != NULL)
        read_request(w, line);
    fclose(f);
    read_policy(w, app);
    read_expected(L, w, out, app, (const unsigned[]){n, k});
    return w;
}

/* ---- rules ---- */

static json_t *read_lines(const char *path)
{
    char line[LINE_MAX_BYTES];
    json_error_t je;
    json_t *all = json_array();
    FILE *f = fopen(path, "r");
    must(f != NULL && all != NULL, path, "cannot be opened");
    while (fgets(line, sizeof(line), f) != NULL) {
        json_t *one = json_loads(line, 0, &je);
        must(one != NULL && json_array_append_new(all, one) == 0, path, je.text);
    }
    fclose(f);
    return all;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    must(text != NULL, name, "is no text");
    return text;
}

static void put_rule_files(struct workload *w, const json_t *rules)
{
    for (size_t at = 0; at < json_array_size(rules);) {
        struct pep_buffer text = pep_buffer_of(PEP_SOURCE_MAX);
        char path[64];
        size_t size;
        snprintf(path, sizeof(path), "policies/p%zu.lua", at / RULES_PER_FILE);
        do {
            const json_t *r = json_array_get(rules, at);
            pep_put_format(&text,
                           "allow 'r%zu' { action = '%s', resource = '%s', roles = '%s', "
                           "same = 'tenant' }\n",
                           at, text_of(r, "action"), text_of(r, "type"), text_of(r, "role"));
        } while (++at < json_array_size(rules) && at % RULES_PER_FILE != 0);
        pep_put_u8(&text, '\0');
        add_file(w, path, (char *)pep_buffer_take(&text, &size));
    }
}

static void rule_request(struct workload *w, const json_t *line)
{
    const json_t *sub = json_object_get(line, "sub"), *resource = json_object_get(line, "resource");
    struct workload_request *r = add_request(w);
    r->user = (unsigned)json_array_size(w->claims);
    json_array_append_new(w->claims,
                          claims_of("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", text_of(sub, "tenant"),
                                    json_object_get(sub, "roles")));
    r->action = copy_of(text_of(line, "action"));
    set_resource(r, text_of(resource, "type"), text_of(resource, "id"));
    add_attribute(r, "tenant", json_object_get(resource, "tenant"));
    r->expected = json_is_true(json_object_get(line, "allow"));
}

struct workload *workload_rules(const char *out, unsigned count)
{
    char path[WORKLOAD_PATH + 32];
    struct workload *w = workload_new();
    snprintf(w->base, sizeof(w->base), "%s/rules/%u", out, count);
    snprintf(path, sizeof(path), "%s/rules.jsonl", w->base);
    json_t *rules = read_lines(path);
    w->policy = copy_of("");
    put_rule_files(w, rules);
    w->rule_count = json_array_size(rules);
    json_decref(rules);
    snprintf(path, sizeof(path), "%s/requests.jsonl", w->base);
    w->keep = read_lines(path);
    for (size_t i = 0; i < json_array_size(w->keep); i++)
        rule_request(w, json_array_get(w->keep, i));
    return w;
}

void workload_free(struct workload *w)
{
    for (size_t i = 0; i < w->file_count; i++) {
        free((void *)(uintptr_t)w->files[i].path);
        free((void *)(uintptr_t)w->files[i].content);
    }
    for (size_t i = 0; i < w->count; i++) {
        free(w->requests[i].action);
        free(w->requests[i].resource);
        free(w->requests[i].id);
    }
    free((void *)(uintptr_t)w->policy);
    free(w->files);
    free(w->requests);
    json_decref(w->claims);
    json_decref(w->keep);
    free(w);
}
