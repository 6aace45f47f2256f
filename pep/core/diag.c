/*
 * Diagnoses for authors: see diag.h. The table of all codes is here and nowhere else, sorted, so
 * that `policyctl explain CODE` and the documentation cannot miss one; a test walks it.
 */
#include "diag.h"
#include "bytes.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 1024
#define NAMES_MAX   1000 /* names among which one is looked for */
#define WORD_MAX    64   /* longest name that a suggestion is made for */

/* E0xx: the repository; E1xx: heads and names; E2xx: what Lua code may do; E3xx: schema; E4xx,
 * W4xx: issuers.json; E5xx: tests; W3xx: likely mistakes; N3xx: facts to know. */
static const struct pep_diag_text texts[] = {
    {"E001", "the repository cannot be read",
     "bundle.json, a file's name, size or place is not as a policy repository needs it. The "
     "message names the file. `policyctl init DIR` writes a folder that is right, to compare "
     "with."},
    {"E101", "an unknown key in a rule",
     "A rule has the keys action, resource, roles, scopes, clients, issuers, same, when, unless, "
     "reason, oblige and advise. Any other key would be a condition that is never looked at, so it "
     "is refused."},
    {"E102", "a value of the wrong form in a rule",
     "Names are texts, or lists of texts, with at least one entry and nothing beside the entries. "
     "`reason` is one sentence of at most 255 bytes, on one line. No control characters."},
    {"E103", "a rule without action or resource",
     "Every rule says which actions on which resources it is about. \"*\" stands for all."},
    {"E104", "two rules with one id",
     "Decisions, logs and tests name a rule by its id, so it is used once in the whole policy."},
    {"E106", "both `when` and `unless`",
     "A rule has one function. Join the two conditions: when = function(sub, res) return a and not "
     "b end."},
    {"E107", "a resource that cannot be read",
     "`resource` is a type ([a-z][a-z0-9_.-]*), \"type:pattern\", a list of these, or \"*\". In a "
     "pattern `*` is exactly one whole segment, and the number of segments is that of the type's "
     "id template. Inside a segment %2F %3A %2A %25 stand for / : * %."},
    {"E108", "a condition that is no function",
     "`when` and `unless` take a function written in this policy. A word of the language cannot "
     "stand there itself: wrap it."},
    {"E109", "an obligation that cannot be read",
     "`oblige` and `advise` take a table, or a list of at most 16 tables, of texts, numbers, "
     "booleans and lists; an obligation has a `type`. step_up { max_age = 300 } makes one of type "
     "\"step-up\": a rule has one of these at most, its `max_age` is whole seconds up to "
     "2147483647, "
     "and `acr_values` and `amr_values` are lists of texts."},
    {"E110", "an unknown resource type",
     "schema.lua declares no resource of this type. A rule for it would never apply, which for a "
     "deny is a hole."},
    {"E111", "an unknown action",
     "schema.lua declares no such action for the types that this rule names."},
    {"E112", "an unknown role",
     "schema.lua declares the roles, and roles of a token that are not declared are dropped. A "
     "rule that names another one never applies to anybody."},
    {"E113", "`same` names what the subject does not have",
     "The name must be one of `claims` in schema.lua. As it stands, the rule never applies."},
    {"E114", "`same` names what the resource does not have",
     "The name must be a segment of the type's id template, or one of its attributes. As it "
     "stands, the rule never applies."},
    {"E115", "a condition that is nil",
     "The rule's table names a key (roles, scopes, clients, issuers, same, when, unless, oblige), "
     "and its value is nil: a misspelt member of a module, a data file or a table. Lua leaves such "
     "a key out, so the rule would apply without that condition. Correct the name, or leave the "
     "key out.\n\n"
     "Not seen: rules that a loop or a function makes; two rules that begin on one line; a key "
     "that "
     "is computed, [\"ro\" .. \"les\"]; a nil at the end of a list, scopes = { \"a\", names.b }. "
     "`key "
     "= nil` in so many words counts as meant. A test in which the rule must not apply finds all "
     "of "
     "these; `policyctl test --cover` names the rules that have none."},
    {"E120", "the subject has no such attribute",
     "With `claims` in schema.lua, `sub` has exactly the names that are declared there, and "
     "`token_roles`. Any other name reads as nil for ever, so the condition does not do what it "
     "says. Correct the name, or declare the claim:\n\n    claims { tenant = { from = \"tenant\", "
     "type = \"string\" } }"},
    {"E121", "the resource has no such attribute",
     "`res` has `type`, `id`, the segments that the type's id template names, and the attributes "
     "under `attrs`. No type that this rule covers declares the name. Correct it, or declare "
     "it:\n\n    resource \"invoice\" { ..., attrs = { owner = \"string?\" } }"},
    {"E201", "a global is assigned",
     "Policies have no globals of their own: they would carry something from one decision to the "
     "next. Write `local` before the first assignment."},
    {"E202", "a name that policies do not have",
     "Only the words of the language are there. No files, network, clock, random numbers, "
     "metatables, coroutines, pcall, load or text patterns: a decision must be the same everywhere "
     "and end in bounded time."},
    {"E203", "a function assigns an outer variable",
     "What a function leaves behind, another decision would see. Return the new value, or keep it "
     "in a local of the function."},
    {"E204", "the environment as a value", "`_ENV` is not available as a value."},
    {"E205", "require or data without a literal name",
     "The name must be a text in place, so that a policy's parts are known without running it: "
     "require \"lib.hours\", data \"limits\"."},
    {"E206", "a data file or module that is not there",
     "data \"limits\" reads data/limits.json and require \"lib.hours\" runs lib/hours.lua, both of "
     "this policy. Without the file, whatever names it fails."},
    {"E207", "a data file that cannot be read",
     "data/*.json must be JSON, at most 1 MiB and 64 levels deep, without duplicate members or NUL "
     "bytes."},
    {"E208", "too many constants in one function",
     "A function may have 250 constants (different names and literal values), so that it means the "
     "same with every build of Lua 5.4: some miscompile larger ones. The top level of a file "
     "counts "
     "as a function, so a file holds some 60 to 100 rules. Move the rules from the named line on "
     "into a second file in policies/: which file a rule stands in does not matter. Long lists of "
     "values belong into data/*.json."},
    {"E209", "a source that is too large, or no text",
     "A source file has at most 256 KiB and is text: compiled Lua is never accepted."},
    {"E210", "a syntax error",
     "Lua's parser refused the file at this line. The mistake is often just before it: a missing "
     "comma between two keys of a rule, an `end` or a `}` that is not there, `=` for `==`, or a "
     "word such as `and`, `end` or `not` used as a name. `near` in the message says what the "
     "parser had reached."},
    {"E211", "an error while the file was loaded",
     "The top level of the file, or of a module that it needs, raised an error. So do the limits "
     "of a "
     "policy: 20,000 rules, 500,000 names in the heads of all rules together, 256 claims, 256 "
     "attributes of a type, and 20,000 roles, types or actions."},
    {"E212", "too much work while loading",
     "Loading must end soon, whatever the policy says: it may be in front of a service's next "
     "decision. The top level of all files may take 4 million steps and 128 MiB of memory in all, "
     "and the roles may include one another in a million ways, through others too. 20,000 rules "
     "that "
     "are written out take a quarter of the steps. Steps weigh more while long texts or large "
     "tables are about: a table of 10,000 "
     "names that a loop fills takes most of them. Do not compute at the top level what can be "
     "written out, and put long lists into data/*.json."},
    {"E213", "too deep or too many branches",
     "Brackets and blocks nest at most 80 deep and functions 8, an expression has at most 1000 of "
     "`and` and `or`, and a file at most 1000 of elseif, goto, break and labels. A table says the "
     "same in less.\n\nWhat takes Lua more time than its length is counted over all files as well: "
     "each branch after many others of the same file, each `and` and `or` after many others, and "
     "each name inside a function that has, or stands in functions that have, many locals. "
     "People's "
     "policies of 8 MiB take a twentieth of what is allowed. All functions together may read "
     "100,000 "
     "different names."},
    {"E215", "too many candidates",
     "Wildcard rules are merged into every (type, action) when a policy is loaded. There may be a "
     "million candidates in all, and all candidates together may read 4 million names. Name types "
     "and actions, and let rules for many of them read few names."},
    {"E301", "a mistake in schema.lua",
     "See the message. claims { name = { from, type, required } }, roles { name = { included } }, "
     "resource \"type\" { id, actions, attrs }."},
    {"E302", "an unknown type of value",
     "Types are string, number, integer, boolean, set, scopes and any; attributes may end in ?, "
     "which means that they may be absent."},
    {"E303", "an id template that cannot be read",
     "A template names each segment in braces: \"{tenant}/{number}\". `type` and `id` are taken."},
    {"E401", "issuers.json cannot be read",
     "issuers.json must be a JSON array of objects, one for each issuer, at most 64. Duplicate "
     "members, NUL bytes and text behind the array are refused, because two programs could read "
     "such a file in two ways."},
    {"E402", "an issuer without a usable name",
     "`issuer` is compared byte for byte with the `iss` claim of a token. It must be a non-empty "
     "string, and no two entries may have the same one: put all keys of an issuer into one entry."},
    {"E403", "an issuer without audiences",
     "`audiences` lists the values of `aud` that tokens of this issuer may be accepted under. "
     "Without it a token that was issued for any other service would be good here.\n\n"
     "    \"audiences\": [\"billing-api\"]"},
    {"E404", "algorithms missing or not supported",
     "`algorithms` lists what tokens of this issuer may be signed with: RS256 RS384 RS512 PS256 "
     "PS384 PS512 ES256 ES384 ES512 EdDSA. HS256 and its family are not supported: whoever can "
     "check "
     "such a token can also make one. `none` is not an algorithm."},
    {"E405", "the keys of an issuer cannot be used",
     "Give either `jwks`, the issuer's public keys as in its JWKS document, or `jwks_uri` with "
     "\"keys\": \"relayed\". A key of a supported kind that is broken (RSA below 2048 bits, a "
     "point "
     "that is not on its curve, a private key, the same kid twice) is an error; keys of other "
     "kinds "
     "are left out."},
    {"E406", "an unknown member in issuers.json",
     "A misspelt member would silently switch a check off, so unknown ones are refused."},
    {"E407", "a member of the wrong form in issuers.json",
     "Lists are arrays of non-empty strings; `max_lifetime` and `keys_max_age` are positive whole "
     "seconds; `allow` is {\"roles\": [], \"clients\": [], \"acr\": [], \"claims\": {\"name\": "
     "[]}}."},
    {"E408", "no key for any listed algorithm",
     "No key of this issuer belongs to an algorithm in `algorithms`, so that no token could ever "
     "be "
     "accepted. An RSA key without `alg` counts as RS256; give the key an `alg` to use it for "
     "another."},
    {"E409", "incomplete settings for relayed keys",
     "Keys that pdpd fetches and passes on need an https `jwks_uri`, \"keys\": \"relayed\" and "
     "`keys_max_age`, the seconds after which keys that were not renewed are no longer believed."},
    {"E410", "a key that key_thumbprints does not list",
     "`key_thumbprints` pins the keys of this issuer by their RFC 7638 SHA-256 thumbprints. Every "
     "inline key must be in the list; the message names the one that is not."},
    {"E501", "a test file is not Lua",
     "The file does not parse. The message is the Lua compiler's."},
    {"E502", "a test is not written right",
     "token, test, matrix and invariant take a table with fixed names:\n\n    test \"own tenant "
     "only\" { as = ann, action = \"read\", resource = \"invoice:acme/1\",\n      with = { amount "
     "= 5 }, at = \"09:00Z\", expect = \"deny\", by = \"tenant.isolation\" }"},
    {"E503", "`by` names nothing",
     "`by` is the id of the rule that must decide, or a code: allowed not_granted denied challenge "
     "obligation bad_token bad_request unknown fault. A name that is neither could never match, so "
     "the test would always fail."},
    {"E504", "an attribute that the schema does not declare",
     "`with` names an attribute that schema.lua does not declare for this type of resource. No "
     "rule "
     "sees it, so the test would not ask what it says. Correct the name, or declare it under "
     "`attrs`."},
    {"W301", "no schema",
     "Without schema.lua any name is accepted, and a misspelt one reads as nil: `sub.tennant` "
     "would never match. Declare claims, roles, resource types and actions; `policyctl init` "
     "writes an example. --strict refuses a policy without a schema."},
    {"W302", "a deny or challenge without a reason",
     "The reason is what the caller, the log and the next author see. Write one sentence that may "
     "be shown to the caller."},
    {"W303", "a deny or challenge names a role that others include",
     "Role heads are closed over the hierarchy: whoever has a role that includes this one is "
     "meant, too. A deny for `viewer` also hits every `manager`. If only the role in the token "
     "counts, ask for `sub.token_roles` in a function."},
    {"W304", "an allow for every request",
     "An allow with action \"*\" and resource \"*\" also allows what is added later. Name the "
     "types and actions that it is for."},
    {"W306", "a data file that nobody reads",
     "No rule or module has data \"name\" for this file. It is shipped with every bundle all the "
     "same. Delete it, or read it."},
    {"W307", "a module that nobody requires",
     "No rule or module has require \"lib.name\" for this file. Delete it, or use it."},
    {"W308", "a rule for an issuer that nobody trusts",
     "`issuers` in a rule is compared byte for byte with the `iss` claim of a token, and only "
     "tokens "
     "of the issuers in issuers.json are accepted. A rule for another one never applies."},
    {"W310", "two absent values are equal",
     "In Lua `nil == nil` is true: `sub.tenant == res.tenant` holds for a caller without a tenant "
     "and a resource without one. Write same(sub.tenant, res.tenant), which is false when either "
     "is absent."},
    {"W311", "a test file that is not run",
     "Files of tests end in _test.lua. What is in other Lua files in tests/ is never looked at, so "
     "nothing there can fail."},
    {"W312", "an obligation in the wrong place",
     "A challenge says what the caller must do first, so it needs `oblige`; with a deny nobody "
     "gets "
     "an obligation; and a step-up on an allow is asked of somebody who is allowed already, which "
     "few services fulfil, so that the answer is a deny (`obligation`). What the caller must do "
     "first is a challenge; what it must do along with an allow is an obligation of the allow."},
    {"W313", "a text where a list belongs",
     "has(list, x) takes the list first, and overlaps(a, b) takes two lists. With a text in the "
     "place of a list the answer is false, whatever the caller has: an allow never applies, and "
     "neither does a deny."},
    {"W320", "an allow that changes nothing",
     "Wherever this rule's head holds, another allow without a function already allows. One of the "
     "two is too wide or superfluous."},
    {"W330", "a rule fails on a request without attributes",
     "Every rule is run once on an empty request when a policy is compiled. A condition that fails "
     "there counts as a fault at run time too: a deny then denies, an allow does not allow. Guard "
     "against absent values."},
    {"W401", "several issuers, and one of them may assert everything",
     "With two or more issuers each should say in `allow` which roles, clients, acr values and "
     "claim "
     "values it may assert. Otherwise a partner's token service can name a manager of another "
     "tenant."},
    {"W402", "relayed keys without thumbprints",
     "With \"keys\": \"relayed\" pdpd names the keys that tokens are verified with. Whoever takes "
     "over "
     "pdpd can then make tokens of this issuer. `key_thumbprints` pins the keys in the signed "
     "policy."},
    {"W403", "keys that were left out",
     "The JWKS has keys that cannot verify tokens here: encryption keys, symmetric keys, unknown "
     "curves or algorithms. They are ignored."},
    {"W404", "an algorithm without a key",
     "`algorithms` lists an algorithm that none of the issuer's keys belongs to. An RSA key "
     "without "
     "`alg` counts as RS256 alone."},
    {"N304", "a deny or challenge for every request",
     "A rule with action \"*\" and resource \"*\" is a candidate of every request and costs a "
     "little each time. For a guard rail that is right; this note only lists them."},
    {"N305", "an action that no rule can allow",
     "The schema declares the action, and no allow rule covers it, so that every request for it is "
     "denied. That can be meant. If not, a rule is missing, or names the action or type wrongly."},
    {"N309", "the editor's types are old",
     "types/pdp.lua was generated from another schema than schema.lua is now, or by another "
     "version "
     "of policyctl. Decisions do not depend on it; an editor completes and underlines by it. "
     "`policyctl init --types DIR` writes it anew. Delete the file if nobody uses it."},
    {"N405", "nobody's tokens count",
     "issuers.json is not there, or its list is empty: no service that decides by this policy "
     "accepts any token. Tests and `eval --subject` do without tokens, so they pass all the same."},
};

/* ---- collecting ---- */

/* Warnings come before some errors and must not crowd them out. */
static bool is_full(const struct pep_diags *d, enum pep_diag_level level)
{
    return d->count >= (size_t)(level == PEP_DIAG_ERROR ? 2 : 1) * PEP_DIAGS_MAX;
}

static bool grow(struct pep_diags *d)
{
    if (d->count < d->capacity)
        return true;
    size_t capacity = d->capacity == 0 ? 8 : d->capacity * 2;
    struct pep_diag *items = realloc(d->items, capacity * sizeof(*items));
    if (items == NULL)
        return false;
    d->items = items;
    d->capacity = capacity;
    return true;
}

/* Input may be part of a message: it must not write into a terminal. Line feeds are our own. */
static void make_printable(char *text)
{
    for (char *end; text != NULL; text = end) {
        end = strchr(text, '\n');
        if (end != NULL)
            *end = '\0';
        pep_text_mend(text);
        if (end != NULL)
            *end++ = '\n';
    }
}

static bool copy_text(char **out, const char *text)
{
    if (text == NULL)
        return true;
    *out = strdup(text);
    if (*out != NULL)
        make_printable(*out);
    return *out != NULL;
}

static void clear_item(struct pep_diag *item)
{
    free(item->file);
    free(item->message);
    free(item->help);
}

/* Said already, just before: code that is reached in two ways, or a line that says it twice. */
static bool is_echo(const struct pep_diags *d, const char *code, const char *file, int line,
                    const char *message)
{
    const struct pep_diag *last = d->count == 0 ? NULL : &d->items[d->count - 1];
    return last != NULL && line > 0 && last->line == line && strcmp(last->code, code) == 0 &&
           last->file != NULL && file != NULL && strcmp(last->file, file) == 0 &&
           strcmp(last->message, message) == 0;
}

static enum pep_diag_level level_of(const char *code)
{
    if (code[0] == 'W')
        return PEP_DIAG_WARNING;
    return code[0] == 'N' ? PEP_DIAG_NOTE : PEP_DIAG_ERROR;
}

void pep_diag_add(struct pep_diags *d, const char *code, const char *file, int line,
                  const char *help, const char *format, ...)
{
    if (d == NULL)
        return;
    struct pep_diag item = {.level = level_of(code), .line = line};
    char message[MESSAGE_MAX];
    va_list ap;
    va_start(ap, format);
    if (vsnprintf(message, sizeof(message), format, ap) < 0)
        message[0] = '\0';
    va_end(ap);
    make_printable(message);
    if (is_echo(d, code, file, line, message))
        return;
    snprintf(item.code, sizeof(item.code), "%s", code);
    bool full = is_full(d, item.level), kept = !full && grow(d) && copy_text(&item.file, file) &&
                                               copy_text(&item.message, message) &&
                                               copy_text(&item.help, help);
    /* without memory nobody can say what it was: that is an error, whatever it was */
    d->errors += item.level == PEP_DIAG_ERROR || (!kept && !full);
    d->warnings += item.level == PEP_DIAG_WARNING && (kept || full);
    if (kept) {
        d->items[d->count++] = item;
    } else {
        clear_item(&item);
        d->lost++;
        d->starved += !full;
    }
}

void pep_diags_drop(struct pep_diags *d, size_t i)
{
    d->errors -= d->items[i].level == PEP_DIAG_ERROR;
    d->warnings -= d->items[i].level == PEP_DIAG_WARNING;
    clear_item(&d->items[i]);
    d->count--;
    memmove(&d->items[i], &d->items[i + 1], (d->count - i) * sizeof(*d->items));
}

void pep_diags_free(struct pep_diags *d)
{
    for (size_t i = 0; i < d->count; i++)
        clear_item(&d->items[i]);
    free(d->items);
    *d = (struct pep_diags)PEP_DIAGS_INIT;
}

/* ---- explaining ---- */

const struct pep_diag_text *pep_diag_explain(const char *code)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcasecmp(texts[i].code, code) == 0)
            return &texts[i];
    }
    return NULL;
}

const struct pep_diag_text *pep_diag_texts(size_t *ret_count)
{
    *ret_count = sizeof(texts) / sizeof(texts[0]);
    return texts;
}

/* ---- did you mean ---- */

/* Edits between two words: insert, delete, replace, swap neighbours; letter case counts nothing.
 * More than `limit` comes out as any number above it: a cell that is further than that off the
 * diagonal is never on the way. Words longer than WORD_MAX are never near. */
static size_t distance(const char *a, const char *b, size_t limit)
{
    size_t n = strlen(a), m = strlen(b);
    size_t rows[3][WORD_MAX + 2];
    if (n > WORD_MAX || m > WORD_MAX || n > m + limit || m > n + limit)
        return WORD_MAX;
    for (size_t j = 0; j <= m + 1; j++)
        rows[0][j] = rows[1][j] = rows[2][j] = j > limit ? WORD_MAX : j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        size_t from = i > limit ? i - limit : 1, to = i + limit < m ? i + limit : m;
        now[from - 1] = from == 1 ? i : WORD_MAX;
        for (size_t j = from; j <= to; j++) {
            bool equal = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = last[j - 1] + (equal ? 0 : 1);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        now[to + 1] = WORD_MAX;
    }
    return rows[n % 3][m];
}

const char *pep_did_you_mean(const char *word, const char *const *names, size_t count)
{
    size_t size = strlen(word);
    size_t limit = size <= 4 ? 1 : size <= 7 ? 2 : 3;
    const char *best = NULL;
    if (count > NAMES_MAX)
        count = NAMES_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, names[i], limit);
        if (d <= limit && d < size) {
            limit = d == 0 ? 0 : d - 1;
            best = names[i];
            if (d == 0)
                break;
        }
    }
    return best;
}
