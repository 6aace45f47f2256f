/*
 * What loading costs: the dearest that files can do at their top level, and honest policies of the
 * largest size. Each is loaded into one Lua state, and the processor time is printed in
 * milliseconds, one JSON line for each:
 *
 *     {"bench":"loading","figure":"keys_looked_up","value":612.1,"unit":"ms","ended":"E212",
 *      "budget":"<= 1000 ms"}
 *
 * `ended` is the code of the first mistake, or "loaded". Figures count only from the release
 * preset; the exit status is 1 where an honest policy does not load, and where loading took ten
 * seconds or more, which no machine excuses. One round is a short run.
 */
#include "measure.h"

#include "pep/core/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_MS    1000.0
#define FAILS_MS    10000.0
#define TEXT_MAX    ((size_t)4 * 1024 * 1024)
#define REPEATED    100
#define SHORT_STEP  8    /* of the cases, one round tries each eighth ... */
#define SHORT_RULES 5000 /* ... and no honest policy with more rules */

/* Code at the top of a file. */
struct top {
    const char *name;
    const char *module; /* lib/m.lua */
    const char *first;  /* policies/a.lua, or what comes before the loop */
    const char *loop;   /* repeated: the body of an endless loop in policies/b.lua */
};

#define COLLIDING(n, room)                                                   \
    "local t, e = {}, 0\nfor i = 1, " #n " do t[i * " #room "] = true end\n" \
    "local k = 1000000 * " #room "\n"
#define LONG "local s = string.rep('7', 60000)\n"

static const struct top hostile[] = {
    {"nothing", NULL, "local n = 0", "n = n + 1"},
    {"keys_looked_up_500", NULL, COLLIDING(500, 511), "e = t[k]"},
    {"keys_looked_up_250", NULL, COLLIDING(250, 255), "e = t[k]"},
    {"keys_looked_up_60000", NULL, COLLIDING(60000, 65535), "e = t[k]"},
    {"keys_looked_up_1000", NULL, COLLIDING(1000, 1023), "e = t[k]"},
    {"keys_looked_up_2000", NULL, COLLIDING(2000, 2047), "e = t[k]"},
    {"keys_looked_up_4000", NULL, COLLIDING(4000, 4095), "e = t[k]"},
    {"keys_looked_up_8000", NULL, COLLIDING(8000, 8191), "e = t[k]"},
    {"keys_looked_up_16000", NULL, COLLIDING(16000, 16383), "e = t[k]"},
    {"keys_looked_up_30000", NULL, COLLIDING(30000, 32767), "e = t[k]"},
    {"keys_of_module", COLLIDING(16000, 16383) "return { t = t, k = k }",
     "local m = require 'lib.m'\nlocal t, k, e = m.t, m.k", "e = t[k]"},
    {"keys_into_module", "return { t = {} }",
     "local m = require 'lib.m'\nlocal t, e = m.t\n"
     "if #t == 0 then for i = 1, 16000 do t[i * 16383] = true end t[1] = 1 end\n"
     "local k = 1000000 * 16383",
     "e = t[k]"},
    {"keys_moved", NULL, "", "local t = {} for i = 1, 1000 do t[i * 4095 * 8191 * 16383] = 1 end"},
    {"for_digits_600", NULL, "local s = string.rep('7', 600)", "for i = 1, s do break end"},
    {"for_digits_240", NULL, "local s = string.rep('7', 210)", "for i = 1, s do break end"},
    {"for_digits_510", NULL, "local s = string.rep('7', 480)", "for i = 1, s do break end"},
    {"for_digits_6000", NULL, "local s = string.rep('7', 6000)", "for i = 1, s do break end"},
    {"for_digits", NULL, LONG, "for i = 1, s do break end"},
    {"for_point", NULL, "local s = '.' .. string.rep('7', 60000)", "for i = 1, s do break end"},
    {"for_zeros", NULL, "local s = '.' .. string.rep('0', 60000) .. '1'",
     "for i = 1, s do break end"},
    {"for_hex", NULL, "local s = '0x' .. string.rep('7', 60000)", "for i = 1, s do break end"},
    {"for_spaces", NULL, "local s = string.rep(' ', 60000) .. '1'", "for i = 1, s do break end"},
    {"digits_of_module", LONG "return s", "local s = require 'lib.m'", "for i = 1, s do break end"},
    {"compared", NULL, LONG "local r, n = string.rep('7', 59999) .. '8'", "n = s < r"},
    {"equal", NULL, LONG "local r, n = string.rep('7', 59999) .. '7'", "n = s == r"},
    {"concatenated", NULL, LONG "local n", "n = s .. 1"},
    {"concatenated_numbers", NULL, "local a, n = 5e-324",
     "n = a .. a .. a .. a .. a .. a .. a .. a"},
    {"long_keys", NULL, LONG "local t, n = {}", "n = t[s .. 1]"},
    {"modulo_floats", NULL, "local a, b, n = 1e308, 1e-308", "n = a % b"},
    {"modulo_constant", NULL, "local a, n = 1e308", "n = a % 7"},
    {"power", NULL, "local a, b, n = 1.0000001, 1e9", "n = a ^ b"},
    {"varargs", NULL,
     "local function g() end\nlocal function f(n, ...)\n"
     "  while n == 0 do g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) end\n"
     "  return f(n - 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...) end",
     "f(20)"},
    {"varargs_many", NULL,
     "local function g() end\nlocal function f(n, ...)\n"
     "  while n == 0 do g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) end\n"
     "  return f(n - 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...) end",
     "f(2000)"},
    {"sorted", NULL, "local t = {} for i = 1, 60000 do t[i] = i % 1000 end", "table.sort(t)"},
    {"sorted_keys", NULL, COLLIDING(4000, 4095), "for k, v in sorted(t) do break end"},
    {"contains", NULL, LONG "local e", "e = contains(s, 'a77777777777777777a')"},
    {"lower", NULL, LONG "local e, x", "e = lower(s)"},
    {"formatted", NULL, "local e",
     "e = string.format('%.99f%.99f%.99f%.99f%.99f%.99f', 1e308, 1e308, 1e308, 1e308, 1e308, "
     "1e308)"},
    {"formatted_small", NULL, "local e", "e = string.format('%.99e', 5e-324)"},
    {"tostring", NULL, "local e, a = nil, 5e-324", "e = tostring(a)"},
    {"tonumber", NULL, "local e, a = nil, string.rep('9', 199)", "e = tonumber(a)"},
    {"has", NULL, LONG "local t, e = {} for i = 1, 200 do t[i] = s end", "e = has(t, 'x')"},
    {"overlaps", NULL, "local t, u, e = {}, {} for i = 1, 1000 do t[i] = i u[i] = -i end",
     "e = overlaps(t, u)"},
    {"ipairs", NULL, "local t, e = {} for i = 1, 1000 do t[i] = i end",
     "for i, v in ipairs(t) do e = v end"},
    {"split", NULL, "local e, s = nil, string.rep('a,', 30000)", "e = split(s, ',')"},
    {"tables", NULL, "local e", "e = { { {}, {} }, { {}, {} } }"},
    {"length", NULL, "local e, t = 0, {} for i = 1, 60000 do t[i] = i end t[60000] = nil",
     "e = #t"},
    {"clock", NULL, "local e", "e = clock(1e9, '+01:00')"},
    {"cidr", NULL, "local e", "e = cidr('2001:db8::1', '2001:db8::/32')"},
    {"closures", NULL, "local e", "e = function() return e end"},
    {"data", NULL, "local e", "e = data 'd'"},
    {"max", NULL, "local e", "e = math.max(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)"},
    {"unpack", NULL, "local e, t = nil, {} for i = 1, 250 do t[i] = i end",
     "e = math.max(table.unpack(t))"},
};

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void add(struct pep_files *files, const char *path, const char *text)
{
    if (text != NULL && pep_files_add(files, path, pep_span_string(text), NULL) != PEP_OK)
        exit(1);
}

struct run {
    unsigned rounds;
    double worst_ms;
    int failed;
};

static void load(struct run *run, const char *name, struct pep_files *files, bool honest)
{
    struct pep_engine_options options = {.lua_states = 1};
    char ended[8] = "loaded";
    double worst = 0;
    for (unsigned i = 0; i < run->rounds; i++) {
        struct pep_policy *policy = NULL;
        struct pep_diags diags = PEP_DIAGS_INIT;
        double from = cpu_ms();
        int rc = pep_policy_compile_unsigned(files, &options, &policy, &diags, NULL);
        double took = cpu_ms() - from;
        worst = took > worst ? took : worst;
        if (rc != PEP_OK) {
            snprintf(ended, sizeof(ended), "%s", diags.count == 0 ? "?" : diags.items[0].code);
            run->failed |= honest;
        }
        pep_policy_free(policy);
        pep_diags_free(&diags);
    }
    printf("{\"bench\":\"loading\",\"figure\":\"%s\",\"value\":%.1f,\"unit\":\"ms\","
           "\"ended\":\"%s\",\"budget\":\"<= %.0f ms\"}\n",
           name, worst, ended, LIMIT_MS);
    fflush(stdout);
    run->worst_ms = worst > run->worst_ms ? worst : run->worst_ms;
    run->failed |= worst >= FAILS_MS;
    pep_files_free(files);
}

static struct pep_files *new_files(void)
{
    struct pep_files *files = NULL;
    if (pep_files_new(&files) != PEP_OK)
        exit(1);
    return files;
}

static void run_hostile(struct run *run, char *text)
{
    size_t step = run->rounds == 1 ? SHORT_STEP : 1;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i += step) {
        const struct top *h = &hostile[i];
        struct pep_files *files = new_files();
        size_t n = (size_t)snprintf(text, TEXT_MAX, "%s\nwhile true do\n", h->first);
        for (int k = 0; k < REPEATED; k++)
            n += (size_t)snprintf(text + n, TEXT_MAX - n, "  %s\n", h->loop);
        snprintf(text + n, TEXT_MAX - n, "end\n");
        add(files, "lib/m.lua", h->module);
        add(files, "data/d.json", "{\"a\": 1}");
        if (h->module != NULL)
            add(files, "policies/a.lua", h->first);
        add(files, "policies/b.lua", text);
        load(run, h->name, files, false);
    }
}

/* ---- honest policies ---- */

struct honest {
    const char *name, *head, *module;
    int files, rules;
    const char *rule; /* with the number of the rule */
};

#define PLAIN                                                                  \
    "allow 'r%1$d' {\n  action = { 'read', 'list' },\n  resource = 't%1$d',\n" \
    "  roles = { 'a', 'b%1$d' },\n  reason = 'because of %1$d',\n}\n"
#define CALLING                                                                              \
    "allow 'r%1$d' {\n  action = 'read',\n  resource = 't',\n"                               \
    "  when = function(sub, res, ctx)\n    return res.amount ~= nil and res.amount < %1$d\n" \
    "  end,\n}\n"

static const char *const keys_module =
    "local m = {}\nfor i = 1, %d do m['key-' .. i] = true end\nreturn m";

static const struct honest honest[] = {
    {"rules_20000_in_80_files", "", NULL, 80, 20000, PLAIN},
    {"rules_20000_in_334_files", "", NULL, 334, 20000, PLAIN},
    {"functions_10000", "", NULL, 167, 10000, CALLING},
    {"functions_10000_using_module", "local m = require 'lib.m'\n",
     "return { limit = 10, names = { a = 1, b = 2, c = 3 } }", 167, 10000, CALLING},
    {"rules_1000_using_keys_5000", "local m = require 'lib.m'\n", "5000", 20, 1000, PLAIN},
    {"rules_1000_using_keys_2000", "local m = require 'lib.m'\n", "2000", 20, 1000, PLAIN},
    {"rules_5000_using_keys_1000", "local m = require 'lib.m'\n", "1000", 80, 5000, PLAIN},
    {"rules_1000_using_list_10000", "local m = require 'lib.m'\n",
     "local m = {}\nfor i = 1, 10000 do m[i] = 'text-' .. i end\nreturn m", 20, 1000, PLAIN},
    {"rules_1000_using_text_4096", "local m = require 'lib.m'\n",
     "return split(string.rep('abcdefg,', 512), ',')", 20, 1000, PLAIN},
};

/* A file's head and its rules; in loops, because a function has at most 250 constants. */
static void run_honest(struct run *run, char *text)
{
    for (size_t i = 0; i < sizeof(honest) / sizeof(honest[0]); i++) {
        const struct honest *h = &honest[i];
        char path[64], module[256];
        int number = 0, each = (h->rules + h->files - 1) / h->files;
        if (run->rounds == 1 && h->rules > SHORT_RULES)
            continue;
        struct pep_files *files = new_files();
        if (h->module != NULL && atoi(h->module) > 0) {
            snprintf(module, sizeof(module), keys_module, atoi(h->module));
            add(files, "lib/m.lua", module);
        } else {
            add(files, "lib/m.lua", h->module);
        }
        for (int f = 0; f < h->files; f++) {
            size_t n = (size_t)snprintf(text, TEXT_MAX, "%s", h->head);
            for (int r = 0; r < each && number < h->rules; r++) {
                if (r % 40 == 0)
                    n += (size_t)snprintf(text + n, TEXT_MAX - n, "%s",
                                          r == 0 ? "do local _ = (function()\n"
                                                 : "end)() end do local _ = (function()\n");
                n += (size_t)snprintf(text + n, TEXT_MAX - n, h->rule, ++number);
            }
            snprintf(text + n, TEXT_MAX - n, "end)() end\n");
            snprintf(path, sizeof(path), "policies/p%03d.lua", f);
            add(files, path, text);
        }
        load(run, h->name, files, true);
    }
}

int main(int argc, char **argv)
{
    struct run run = {.rounds = measure_rounds(argc, argv)};
    char *text = malloc(TEXT_MAX);
    if (text == NULL)
        return 1;
    run_honest(&run, text);
    run_hostile(&run, text);
    printf("{\"bench\":\"loading\",\"figure\":\"worst of all\",\"value\":%.1f,\"unit\":\"ms\","
           "\"budget\":\"<= %.0f ms\"}\n",
           run.worst_ms, LIMIT_MS);
    free(text);
    return run.failed;
}
