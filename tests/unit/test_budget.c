/* What a decision costs is a matter of the policy and the request, never of what this Lua state has
 * decided before. */
#include "engine_kit.h"

#include "pep/core/engine_internal.h"

#include <stdlib.h>

#define LONG   20000
#define KINDS  9
#define ORDERS 4

/* Rules whose cost could depend on what is there already: long texts of a subject that stay in the
 * plain tables, short texts that are made once, Lua's stack and its table of short texts. */
static const char *const rules =
    "allow 'a' { action = 'text', resource = 't',\n"
    "  when = function(sub) return sub.long == 'x' end }\n"
    "allow 'b' { action = 'short', resource = 't',\n"
    "  when = function(sub) return has(sub.id, 'x') end }\n"
    "allow 'c' { action = 'loop', resource = 't', when = function(sub)\n"
    "  local n = 0; for i = 1, 300 do if sub.long == i then n = n + 1 end end return n == 0 end }\n"
    "allow 'd' { action = 'short_loop', resource = 't', when = function(sub)\n"
    "  local n = 0; for i = 1, 5000 do if sub.id == i then n = n + 1 end end return n == 0 end }\n"
    "allow 'e' { action = 'deep', resource = 't', when = function()\n"
    "  local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end\n"
    "  return f(150) == 150 end }\n"
    "allow 'f' { action = 'keys', resource = 't', when = function(_, res)\n"
    "  local t = {}; for i = 1, 700 do t['k' .. i] = i end return t.k700 == 700 end }\n"
    "allow 'g' { action = 'attribute', resource = 't', when = function(_, res)\n"
    "  local n = 0; for i = 1, 300 do if res.long == i then n = n + 1 end end return n == 0 end }\n"
    "allow 'h' { action = 'endless', resource = 't', when = function() while true do end end }\n"
    "allow 'i' { action = 'too_deep', resource = 't', when = function()\n"
    "  local function f(n) return 1 + f(n + 1) end return f(1) end }\n";
static const char *const actions[KINDS] = {"text", "short",     "loop",    "short_loop", "deep",
                                           "keys", "attribute", "endless", "too_deep"};

struct outcome {
    int64_t steps;
    pep_code code;
};

static json_t *with_long(const char *id)
{
    char *text = calloc(1, LONG + 1);
    assert_non_null(text);
    memset(text, 'y', LONG);
    json_t *json = json_pack("{s:s,s:s}", id, "ann", "long", text);
    assert_non_null(json);
    free(text);
    return json;
}

static void one_after_another(const int *order, int count, struct outcome out[KINDS])
{
    struct kit_file file = {"policies/a.lua", rules};
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_policy *p = NULL;
    struct pep_subject *subject = NULL;
    assert_int_equal(kit_try(&file, 1, 1, &p, &diags), PEP_OK);
    pep_diags_free(&diags);
    json_t *claims = with_long("sub"), *attrs = with_long("owner");
    assert_int_equal(pep_subject_from_claims(p, claims, &subject, NULL), PEP_OK);
    for (int i = 0; i < count; i++) {
        struct pep_verdict v;
        struct pep_request q = {.subject = subject,
                                .action = actions[order[i]],
                                .resource = "t:1",
                                .attrs_json = attrs};
        p->slots[0].steps = -1;
        pep_policy_decide(p, &q, &v);
        assert_int_not_equal(p->slots[0].steps, -1); /* it ran in Lua */
        out[order[i]] = (struct outcome){p->slots[0].steps, v.code};
    }
    pep_subject_free(subject);
    json_decref(claims);
    json_decref(attrs);
    pep_policy_free(p);
}

static void a_decision_costs_the_same_in_every_order(void **state)
{
    (void)state;
    static const int orders[ORDERS][KINDS] = {{0, 1, 2, 3, 4, 5, 6, 7, 8},
                                              {8, 7, 6, 5, 4, 3, 2, 1, 0},
                                              {4, 6, 5, 0, 2, 1, 3, 8, 7},
                                              {2, 0, 3, 1, 8, 4, 7, 6, 5}};
    struct outcome alone[KINDS], mixed[KINDS];
    for (int i = 0; i < KINDS; i++)
        one_after_another(&i, 1, alone);
    for (int o = 0; o < ORDERS; o++) {
        one_after_another(orders[o], KINDS, mixed);
        for (int i = 0; i < KINDS; i++) {
            if (mixed[i].steps != alone[i].steps || mixed[i].code != alone[i].code)
                fail_msg("%s in order %d: %lld steps left, %lld alone; %s, %s alone", actions[i], o,
                         (long long)mixed[i].steps, (long long)alone[i].steps,
                         pep_code_name(mixed[i].code), pep_code_name(alone[i].code));
        }
    }
    assert_int_equal(alone[7].code, PEP_CODE_FAULT);
    assert_int_equal(alone[8].code, PEP_CODE_FAULT);
    assert_true(alone[1].steps > alone[0].steps); /* the long text has its price */
    assert_true(alone[4].steps > 0 && alone[4].code == PEP_CODE_ALLOWED);
}

/* A policy's own long texts count from the first instruction on, in each of its states. */
static void texts_of_the_policy_have_their_price(void **state)
{
    (void)state;
    static const char *const head = "local s = string.rep('x', %d)\n"
                                    "allow 'a' { action = 'do', resource = 't', when = function()\n"
                                    "  return #s > 0 end }\n";
    int64_t left[2];
    for (int i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof(text), head, i == 0 ? 400 : 40000);
        struct kit_file file = {"policies/a.lua", text};
        struct pep_policy *p = kit_policy(&file, 1); /* two states */
        struct kit_ask ask = {"{\"sub\":\"a\"}", "do", "t:1", NULL, NULL, 0, false};
        assert_int_equal(kit_decide(p, &ask).code, PEP_CODE_ALLOWED);
        assert_int_equal(p->slots[0].longest, p->longest);
        left[i] = p->slots[0].steps < p->slots[1].steps ? p->slots[0].steps : p->slots[1].steps;
        pep_policy_free(p);
    }
    assert_true(left[0] > left[1]);
}

static int load_keys(const char *keys, struct pep_diags *diags)
{
    char text[512];
    struct pep_policy *p = NULL;
    snprintf(text, sizeof(text),
             "local t = {}\n%s\n\nallow 'a' { action = 'do', resource = 't',\n"
             "  when = function() return t[1] == nil end }\n",
             keys);
    struct kit_file files[] = {{"policies/a.lua", text},
                               {"policies/b.lua", "allow 'b' { action = 'do', resource = 't' }"}};
    int rc = kit_try(files, 2, 1, &p, diags);
    if (rc == PEP_OK)
        pep_policy_free(p);
    return rc;
}

static void kept_keys_that_can_collide_are_few(void **state)
{
    (void)state;
    struct pep_diags diags = PEP_DIAGS_INIT;
    assert_int_equal(load_keys("for i = 1, 256 do t[i + 0.5] = i end", &diags), PEP_OK);
    assert_int_equal(load_keys("for i = 1, 3000 do t[i] = i; t['k' .. i] = i end", &diags), PEP_OK);
    assert_int_equal(load_keys("for i = 1, 257 do t[i + 0.5] = i end", &diags), PEP_EPOLICY);
    const struct pep_diag *d = &diags.items[diags.count - 1];
    assert_string_equal(d->file, "policies/a.lua");
    assert_int_equal(d->line, 5);
    assert_non_null(strstr(d->message, "more than 256 keys"));
    pep_diags_free(&diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_costs_the_same_in_every_order),
        cmocka_unit_test(texts_of_the_policy_have_their_price),
        cmocka_unit_test(kept_keys_that_can_collide_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
