/*
 * A host process that has a Lua of its own, as nginx, haproxy and redis do, and embeds libpep.
 *
 *     host refused|works BUNDLE ROOT TOKEN [LIBRARY[:global]]...
 *
 * Which Lua it exports is a matter of how it was linked (tests/package/foreign/CMakeLists.txt) and
 * of the libraries that it loads, in this order, before it opens libpep; a libpep among them is the
 * one that it uses, as a plugin would. `refused`: pep_open() says ELUA and what to do, and leaves
 * nothing behind. `works`: it decides rightly. Either way the host's Lua goes on as before.
 *
 * Every function is looked up at run time, so that one source serves all of them; no header of Lua
 * is used, because there is none that fits all.
 */
#include <pep.h>

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *pep_library = RTLD_DEFAULT;
static int failures;

static void expect(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "host: not so: %s\n", what);
        failures++;
    }
}

/* `ret` is a pointer to a function: ISO C has no cast between it and what dlsym() returns. */
static void find(void *library, const char *name, const char *other, void *ret)
{
    void *p = dlsym(library, name);
    if (p == NULL && other != NULL)
        p = dlsym(library, other);
    memcpy(ret, &p, sizeof(p));
}

static void find_pep(const char *name, void *ret)
{
    find(pep_library, name, NULL, ret);
    void *p;
    memcpy(&p, ret, sizeof(p));
    if (p == NULL) {
        fprintf(stderr, "host: libpep has no %s\n", name);
        exit(2);
    }
}

/* ---- the host's own Lua ---- */

/* The library or program that the first Lua in sight is in: a name that it lacks must not come from
 * another one. */
static void *own_lua(void *(*newstate)(void))
{
    Dl_info info;
    void *address;
    memcpy(&address, &newstate, sizeof(address));
    if (dladdr(address, &info) == 0)
        return NULL;
    void *library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    return library == NULL ? dlopen(NULL, RTLD_LAZY) : library; /* the program itself */
}

/* lua_pcall() and lua_tonumber() got further arguments in 5.2; they may be given to the old ones.
 */
static void use_own_lua(void)
{
    void *(*newstate)(void);
    int (*loadstring)(void *, const char *);
    int (*pcall)(void *, int, int, int, long, void *);
    double (*tonumber)(void *, int, int *);
    void (*close)(void *);
    find(RTLD_DEFAULT, "luaL_newstate", NULL, &newstate);
    void *lua = newstate == NULL ? NULL : own_lua(newstate);
    if (lua == NULL) /* there is none that everybody sees */
        return;
    find(lua, "luaL_loadstring", NULL, &loadstring);
    find(lua, "lua_pcall", "lua_pcallk", &pcall);
    find(lua, "lua_tonumber", "lua_tonumberx", &tonumber);
    find(lua, "lua_close", NULL, &close);
    void *L = newstate();
    expect(L != NULL && loadstring(L, "local t = { 20, 22 } return t[1] + t[2]") == 0 &&
               pcall(L, 0, 1, 0, 0, NULL) == 0 && tonumber(L, -1, NULL) == 42,
           "the host's own Lua works");
    if (L != NULL)
        close(L);
}

/* ---- libpep ---- */

static int entries(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

static void is_refused(const pep_options *options)
{
    pep_err (*open)(const pep_options *, pep **);
    const char *(*text)(void);
    find_pep("pep_open", &open);
    find_pep("pep_open_error", &text);
    int marker, files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    pep *untouched = (pep *)(void *)&marker, *p = untouched;
    for (int i = 0; i < 2; i++) {
        expect(open(options, &p) == PEP_ELUA, "pep_open() answers ELUA");
        expect(strstr(text(), "-DPEP_LUA_SOURCE=DIR") != NULL, "the error names the way out");
        expect(p == untouched, "the handle is untouched");
    }
    expect(entries("/proc/self/fd") == files, "no file is left open");
    expect(entries("/proc/self/task") == threads, "no thread is left running");
    printf("%s\n", text());
}

static void decides(const pep_options *options, const char *token)
{
    pep_err (*open)(const pep_options *, pep **);
    const char *(*text)(void);
    bool (*check)(pep *, const char *, const char *, const char *, const pep_query *,
                  pep_decision *);
    void (*close)(pep *);
    find_pep("pep_open", &open);
    find_pep("pep_open_error", &text);
    find_pep("pep_check", &check);
    find_pep("pep_close", &close);
    pep *p = NULL;
    if (open(options, &p) != PEP_OK) {
        fprintf(stderr, "host: %s\n", text());
        expect(false, "pep_open() works");
        return;
    }
    pep_query q = PEP_QUERY_INIT;
    q.attrs_json = "{\"amount\": 10}";
    expect(check(p, token, "approve", "invoice:acme/1", &q, NULL), "10 is allowed");
    q.attrs_json = "{\"amount\": 1e9}";
    expect(!check(p, token, "approve", "invoice:acme/1", &q, NULL), "1e9 is denied");
    use_own_lua();
    close(p);
}

static void load(char *name)
{
    char *mode = strrchr(name, ':');
    bool global = mode != NULL && strcmp(mode, ":global") == 0;
    if (global)
        *mode = '\0';
    void *library = dlopen(name, RTLD_LAZY | (global ? RTLD_GLOBAL : RTLD_LOCAL));
    if (library == NULL) {
        fprintf(stderr, "host: %s\n", dlerror());
        exit(2);
    }
    if (strstr(name, "libpep") != NULL)
        pep_library = library;
}

int main(int argc, char **argv)
{
    const char *audience[] = {"billing-api", NULL};
    pep_options o = PEP_OPTIONS_INIT;
    if (argc < 5) {
        fprintf(stderr, "usage: host refused|works BUNDLE ROOT TOKEN [LIBRARY[:global]]...\n");
        return 2;
    }
    for (int i = 5; i < argc; i++)
        load(argv[i]);
    o.mode = PEP_FILE;
    o.bundle_file = argv[2];
    o.root_file = argv[3];
    o.audience = audience;
    use_own_lua();
    if (strcmp(argv[1], "refused") == 0)
        is_refused(&o);
    else
        decides(&o, argv[4]);
    use_own_lua();
    return failures == 0 ? 0 : 1;
}
