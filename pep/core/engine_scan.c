/*
 * The scan before the parser: it bounds what Lua's parser cannot bound itself, which is its time
 * (chains of `elseif`, of `and` and `or`, labels and jumps are quadratic; a global name is looked
 * for in every function around it) and its use of the C stack (nesting). Bytecode is refused by its
 * first byte. Rejected: a parser of our own, which would have to agree with Lua's in everything.
 */
#include "engine_internal.h"

#include <string.h>

struct scan {
    const char *at, *end;
    int line, depth, deepest, branches, deepest_line;
    int functions, deepest_function;       /* inside each other */
    int chain, chain_line;                 /* the longest `and` or `or` of one expression */
    int chains[PEP_NESTING_MAX + 2];       /* by depth: how long it is so far */
    bool is_function[PEP_NESTING_MAX + 2]; /* by depth: opened by that word */
};

/* Where the depth's notes are. Deeper than the limit is refused anyway, whatever is noted there. */
static int level(const struct scan *s)
{
    return s->depth < 0 ? 0 : s->depth > PEP_NESTING_MAX ? PEP_NESTING_MAX + 1 : s->depth;
}

static void end_expression(struct scan *s)
{
    s->chains[level(s)] = 0;
}

static void chain_on(struct scan *s)
{
    int n = ++s->chains[level(s)];
    if (n > s->chain) {
        s->chain = n;
        s->chain_line = s->line;
    }
}

/* Skips "[[...]]" or "[=[...]=]" at the cursor; false if there is none. */
static bool skip_long(struct scan *s)
{
    const char *p = s->at + 1;
    while (p < s->end && *p == '=')
        p++;
    if (*s->at != '[' || p >= s->end || *p != '[')
        return false;
    size_t level = (size_t)(p - s->at) - 1;
    for (p++; p < s->end; p++) {
        if (*p == '\n')
            s->line++;
        const char *q = p + 1;
        if (*p != ']')
            continue;
        while (q < s->end && *q == '=')
            q++;
        if ((size_t)(q - p) - 1 == level && q < s->end && *q == ']') {
            s->at = q + 1;
            return true;
        }
    }
    s->at = s->end;
    return true;
}

static void skip_text(struct scan *s)
{
    char quote = *s->at++;
    while (s->at < s->end && *s->at != quote && *s->at != '\n')
        s->at += *s->at == '\\' && s->at + 1 < s->end ? 2 : 1;
    if (s->at < s->end && *s->at == quote)
        s->at++;
}

static void skip_comment(struct scan *s)
{
    s->at += 2;
    if (s->at < s->end && *s->at == '[' && skip_long(s))
        return;
    while (s->at < s->end && *s->at != '\n')
        s->at++;
}

static void deepen(struct scan *s, int by)
{
    if (by < 0 && s->is_function[level(s)])
        s->functions--;
    if (by < 0)
        s->is_function[level(s)] = false;
    s->depth += by;
    if (by > 0)
        s->chains[level(s)] = 0;
    if (s->depth > s->deepest) {
        s->deepest = s->depth;
        s->deepest_line = s->line;
    }
}

static void open_function(struct scan *s)
{
    deepen(s, 1);
    s->is_function[level(s)] = true;
    if (++s->functions > s->deepest_function)
        s->deepest_function = s->functions;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void scan_word(struct scan *s)
{
    const char *from = s->at;
    while (s->at < s->end && is_name(*s->at))
        s->at++;
    struct pep_span w = pep_span_of(from, (size_t)(s->at - from));
    if (pep_span_is(w, "function"))
        open_function(s);
    else if (pep_span_is(w, "do") || pep_span_is(w, "then") || pep_span_is(w, "repeat"))
        deepen(s, 1);
    else if (pep_span_is(w, "end") || pep_span_is(w, "until"))
        deepen(s, -1);
    if (pep_span_is(w, "elseif")) {
        s->branches++;
        deepen(s, -1); /* its `then` opens no further block */
    }
    if (pep_span_is(w, "goto") || pep_span_is(w, "break"))
        s->branches++;
    if (pep_span_is(w, "and") || pep_span_is(w, "or"))
        chain_on(s);
    else if (pep_span_is(w, "local") || pep_span_is(w, "return") || pep_span_is(w, "if"))
        end_expression(s);
}

static struct scan scan_source(struct pep_span text)
{
    struct scan s = {.at = (const char *)text.data,
                     .end = (const char *)text.data + text.size,
                     .line = 1,
                     .deepest_line = 1};
    while (s.at < s.end) {
        char c = *s.at;
        if (is_name(c)) {
            scan_word(&s);
            continue;
        }
        if (c == '"' || c == '\'') {
            skip_text(&s);
            continue;
        }
        bool two = s.at + 1 < s.end && s.at[1] == c;
        if (c == '-' && two) {
            skip_comment(&s);
            continue;
        }
        if (c == '[' && skip_long(&s))
            continue;
        if (c == '(' || c == '{' || c == '[')
            deepen(&s, 1);
        else if (c == ')' || c == '}' || c == ']')
            deepen(&s, -1);
        else if (c == ':' && two)
            s.branches++;
        else if (c == ',' || c == ';')
            end_expression(&s);
        else if (c == '\n')
            s.line++;
        s.at++;
    }
    return s;
}

bool pep_source_allowed(const char *path, struct pep_span text, struct pep_diags *diags)
{
    if (text.size > PEP_SOURCE_MAX) {
        pep_diag_add(diags, "E209", path, 0, "split it into several files",
                     "%zu bytes: a source has at most %d", text.size, PEP_SOURCE_MAX);
        return false;
    }
    if (text.size > 0 && text.data[0] == 0x1b) {
        pep_diag_add(diags, "E209", path, 0, "ship the source text",
                     "compiled Lua is not accepted");
        return false;
    }
    struct scan s = scan_source(text);
    if (s.deepest > PEP_NESTING_MAX) {
        pep_diag_add(diags, "E213", path, s.deepest_line, "move the inner parts into functions",
                     "brackets and blocks inside each other, more than %d deep", PEP_NESTING_MAX);
        return false;
    }
    if (s.deepest_function > PEP_FUNCTIONS_DEEP) {
        pep_diag_add(diags, "E213", path, 0, "name the inner functions, one beside the other",
                     "functions inside each other, %d deep: at most %d", s.deepest_function,
                     PEP_FUNCTIONS_DEEP);
        return false;
    }
    if (s.chain > PEP_CHAIN_LONG) {
        pep_diag_add(diags, "E213", path, s.chain_line, "a set says the same: has(list, value)",
                     "more than %d of `and` and `or` in one expression", PEP_CHAIN_LONG);
        return false;
    }
    if (s.branches > PEP_BRANCHES_MAX) {
        pep_diag_add(diags, "E213", path, 0, "a table says the same in less",
                     "%d of elseif, goto, break and labels: at most %d", s.branches,
                     PEP_BRANCHES_MAX);
        return false;
    }
    return true;
}
