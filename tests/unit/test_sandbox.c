/* Hostile policies, one file each in tests/cases/hostile, its first line saying what must come of
 * it:
 *
 *     -- fault KIND         the rule fails with this kind; the decision denies
 *     -- allow              harmless after all
 *     -- refused CODE       does not load, for this reason
 *     -- budget or result   ends either way
 *
 * All run on a thread with the smallest stack that we promise, under a locale that prints and
 * compares differently, and after each one a plain rule of the same state must still decide. */
#include "engine_kit.h"

#include <dirent.h>
#include <locale.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STACK ((size_t)256 * 1024)

static const char *const plain = "allow \"plain\" { action = \"plain\", resource = \"thing\",\n"
                                 "  when = function(sub) return sub.id == \"ann\" end }\n";

static char *read_case(const char *name, size_t *ret_size)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", PEP_CASES_DIR, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1 << 18);
    assert_non_null(text);
    *ret_size = fread(text, 1, (1 << 18) - 1, f);
    fclose(f);
    return text;
}

static int compile_case(const char *text, size_t size, struct pep_policy **ret,
                        struct pep_diags *diags)
{
    struct pep_engine_options options = {.lua_states = 1};
    struct pep_files *files = NULL;
    assert_int_equal(pep_files_new(&files), PEP_OK);
    assert_int_equal(pep_files_add(files, "policies/hostile.lua", pep_span_of(text, size), NULL),
                     PEP_OK);
    assert_int_equal(pep_files_add(files, "policies/plain.lua", pep_span_string(plain), NULL),
                     PEP_OK);
    int rc = pep_policy_compile_unsigned(files, &options, ret, diags, NULL);
    pep_files_free(files);
    return rc;
}

static bool has_code(const struct pep_diags *diags, const char *code)
{
    for (size_t i = 0; i < diags->count; i++) {
        if (strcmp(diags->items[i].code, code) == 0)
            return true;
    }
    return false;
}

/* All cases are told, not only the first; cmocka's own failures jump, which another thread must
 * not. */
static atomic_int failures;
#define TELL(...)                 \
    do {                          \
        failures++;               \
        print_error(__VA_ARGS__); \
        print_error("\n");        \
    } while (0)

static void check_plain(const struct pep_policy *p, const char *name)
{
    struct kit_ask ask = {
        "{\"sub\":\"ann\",\"roles\":[\"r\"]}", "plain", "thing:1", NULL, NULL, 0, false};
    struct pep_verdict v = kit_decide(p, &ask);
    if (v.outcome != PEP_ALLOW || v.effort.calls != 1)
        TELL("%s: the plain rule no longer decides: %s", name,
             v.fault_count > 0 ? v.faults[0].message : pep_code_name(v.code));
}

static void check_fault(const char *name, const char *kind, const struct pep_verdict *v)
{
    if (v->fault_count == 0) {
        TELL("%s: expected a fault of kind %s, got %s", name, kind, pep_code_name(v->code));
        return;
    }
    if (v->outcome != PEP_DENY || v->fault_count != 1 || strcmp(v->faults[0].kind, kind) != 0)
        TELL("%s: expected a fault of kind %s, got %s, %s: %s", name, kind, pep_code_name(v->code),
             v->fault_count > 0 ? v->faults[0].kind : "none",
             v->fault_count > 0 ? v->faults[0].message : "");
    for (const char *c = v->faults[0].message; *c != '\0'; c++)
        failures += (unsigned char)*c < 0x20 || *c == 0x7f;
    bool exhausted = strcmp(kind, "budget") == 0 || strcmp(kind, "memory") == 0;
    if (v->code != (exhausted ? PEP_CODE_FAULT : PEP_CODE_NOT_GRANTED))
        TELL("%s: code %s", name, pep_code_name(v->code));
}

static void run_case(const char *name)
{
    size_t size;
    char *text = read_case(name, &size), expected[64] = "", word[64] = "";
    const char *line = strstr(text, "-- ");
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_policy *p = NULL;
    assert_non_null(line);
    assert_true(sscanf(line, "-- %63s %63s", expected, word) >= 1);
    int rc = compile_case(text, size, &p, &diags);
    if (strcmp(expected, "refused") == 0) {
        if (rc == PEP_OK)
            pep_policy_free(p);
        if (rc != PEP_EPOLICY || !has_code(&diags, word))
            TELL("%s: expected %s, got %d and %s %s", name, word, rc,
                 diags.count > 0 ? diags.items[0].code : "-",
                 diags.count > 0 ? diags.items[0].message : "-");
    } else {
        if (rc != PEP_OK) {
            TELL("%s: does not load: %s", name, diags.count > 0 ? diags.items[0].message : "-");
            pep_diags_free(&diags);
            free(text);
            return;
        }
        for (int i = 0; i < 3; i++) {
            struct kit_ask ask = {
                "{\"sub\":\"ann\",\"roles\":[\"r\"]}", "do", "thing:1", NULL, NULL, 0, false};
            struct pep_verdict v = kit_decide(p, &ask);
            if (strcmp(expected, "fault") == 0)
                check_fault(name, word, &v);
            else if (strcmp(expected, "allow") == 0 && v.outcome != PEP_ALLOW)
                TELL("%s: %s", name,
                     v.fault_count > 0 ? v.faults[0].message : pep_code_name(v.code));
            check_plain(p, name);
        }
        pep_policy_free(p);
    }
    pep_diags_free(&diags);
    free(text);
}

static void *run_all(void *counter)
{
    DIR *dir = opendir(PEP_CASES_DIR);
    size_t *count = counter;
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
        if (strstr(d->d_name, ".lua") == NULL)
            continue;
        run_case(d->d_name);
        ++*count;
    }
    if (dir != NULL)
        closedir(dir);
    return NULL;
}

static void hostile_policies_end_as_promised(void **state)
{
    (void)state;
    size_t count = 0;
    run_all(&count);
    assert_int_equal(failures, 0);
    assert_true(count > 100);
}

static void and_on_the_smallest_stack(void **state)
{
    (void)state;
    pthread_attr_t attr;
    pthread_t thread;
    size_t count = 0;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) /* where it is installed, decimals have commas */
        setlocale(LC_ALL, "C.UTF-8");
    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attr, run_all, &count), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
    setlocale(LC_ALL, "C");
    assert_int_equal(failures, 0);
    assert_true(count > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_policies_end_as_promised),
        cmocka_unit_test(and_on_the_smallest_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
