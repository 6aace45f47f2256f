/* Lua sources as a stream of tokens: enough of Lua's lexer to skip comments and keep strings whole,
 * so that two sources are the same here exactly if only layout and comments differ. See
 * policy_diff.h. */
#include "policy_diff.h"

#include <ctype.h>
#include <string.h>

struct lexer {
    const char *at, *end;
    int line;
};

/* The number of '=' in a long bracket "[==[" at `at`, or -1. */
static int long_level(const struct lexer *x, const char *at)
{
    int level = 0;
    if (at >= x->end || *at != '[')
        return -1;
    for (at++; at < x->end && *at == '='; at++)
        level++;
    return at < x->end && *at == '[' ? level : -1;
}

static void step(struct lexer *x, size_t n)
{
    for (; n > 0 && x->at < x->end; n--) {
        x->line += *x->at == '\n';
        x->at++;
    }
}

/* Behind the closing bracket of a long string or comment that begins here. */
static void skip_long(struct lexer *x, int level)
{
    step(x, (size_t)level + 2);
    while (x->at < x->end) {
        const char *at = x->at;
        int n = 0;
        if (*at == ']') {
            for (at++; at < x->end && *at == '='; at++)
                n++;
            if (n == level && at < x->end && *at == ']') {
                step(x, (size_t)level + 2);
                return;
            }
        }
        step(x, 1);
    }
}

static void skip_string(struct lexer *x)
{
    char quote = *x->at;
    for (step(x, 1); x->at < x->end && *x->at != quote && *x->at != '\n';)
        step(x, *x->at == '\\' ? 2 : 1);
    step(x, 1);
}

static void skip_space(struct lexer *x)
{
    while (x->at < x->end) {
        if (isspace((unsigned char)*x->at)) {
            step(x, 1);
        } else if (x->end - x->at >= 2 && x->at[0] == '-' && x->at[1] == '-') {
            int level = long_level(x, x->at + 2);
            if (level >= 0) {
                step(x, 2);
                skip_long(x, level);
            } else {
                while (x->at < x->end && *x->at != '\n')
                    step(x, 1);
            }
        } else {
            return;
        }
    }
}

/* The next token; an empty span at the end. */
static struct pep_span next_token(struct lexer *x, int *ret_line)
{
    skip_space(x);
    const char *start = x->at;
    *ret_line = x->line;
    if (x->at >= x->end)
        return pep_span_of(start, 0);
    int level = long_level(x, x->at);
    if (level >= 0)
        skip_long(x, level);
    else if (*x->at == '"' || *x->at == '\'')
        skip_string(x);
    else if (isalnum((unsigned char)*x->at) || *x->at == '_')
        while (x->at < x->end && (isalnum((unsigned char)*x->at) || *x->at == '_'))
            step(x, 1);
    else
        step(x, 1);
    return pep_span_of(start, (size_t)(x->at - start));
}

static struct lexer lexer_of(struct pep_span source)
{
    const char *text = source.data == NULL ? "" : (const char *)source.data;
    return (struct lexer){text, text + source.size, 1};
}

static void put_token(struct pep_buffer *out, struct pep_span token)
{
    if (out->size > 0)
        pep_put_bytes(out, " ", 1);
    pep_put_span(out, token);
}

void policy_diff_tokens(struct pep_span source, struct pep_buffer *out)
{
    struct lexer x = lexer_of(source);
    int line;
    for (struct pep_span t = next_token(&x, &line); t.size > 0; t = next_token(&x, &line))
        put_token(out, t);
}

/* How a token changes the depth of brackets and blocks. `for` and `while` open with their `do`. */
static int depth_change(struct pep_span t)
{
    static const char *const openers[] = {"{", "(", "[", "function", "if", "do", "repeat"};
    static const char *const closers[] = {"}", ")", "]", "end", "until"};
    for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
        if (pep_span_is(t, openers[i]))
            return 1;
    }
    for (size_t i = 0; i < sizeof(closers) / sizeof(closers[0]); i++) {
        if (pep_span_is(t, closers[i]))
            return -1;
    }
    return 0;
}

static bool is_effect(struct pep_span t)
{
    return pep_span_is(t, "allow") || pep_span_is(t, "deny") || pep_span_is(t, "challenge");
}

/* Behind the table of the rule whose effect was the last token; false, and nothing moved, if what
 * follows is not an id and a table. */
static bool skip_rule(struct lexer *x)
{
    struct lexer ahead = *x;
    int line, depth = 0;
    struct pep_span id = next_token(&ahead, &line);
    bool text = id.size > 0 && (id.data[0] == '"' || id.data[0] == '\'');
    if (!text || !pep_span_is(next_token(&ahead, &line), "{"))
        return false;
    for (depth = 1; depth > 0;) {
        struct pep_span t = next_token(&ahead, &line);
        if (t.size == 0)
            return false;
        depth += depth_change(t);
    }
    *x = ahead;
    return true;
}

void policy_diff_rest(struct pep_span source, struct pep_buffer *out)
{
    struct lexer x = lexer_of(source);
    int line, depth = 0;
    for (struct pep_span t = next_token(&x, &line); t.size > 0; t = next_token(&x, &line)) {
        if (depth == 0 && is_effect(t) && skip_rule(&x))
            continue;
        depth += depth_change(t);
        put_token(out, t);
    }
}

struct pep_span policy_diff_line(struct pep_span source, int number)
{
    const char *at = source.data == NULL ? "" : (const char *)source.data;
    const char *end = at + source.size;
    for (int i = 1; i < number && at < end; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        at = stop == NULL ? end : stop + 1;
    }
    const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    return pep_span_of(at, (size_t)((stop == NULL ? end : stop) - at));
}

struct pep_span policy_diff_trim(struct pep_span line)
{
    while (line.size > 0 && isspace(line.data[line.size - 1]))
        line.size--;
    while (line.size > 0 && isspace(line.data[0])) {
        line.data++;
        line.size--;
    }
    return line;
}

void policy_diff_condition(struct pep_span source, int line, struct pep_buffer *out, int *ret_line,
                           int *ret_last)
{
    struct lexer x = lexer_of(source);
    int at, depth = 0;
    bool inside = false, found = false;
    struct pep_span last = pep_span_of("", 0);
    for (struct pep_span t = next_token(&x, &at); t.size > 0; t = next_token(&x, &at)) {
        if (at < line)
            continue;
        if (!inside && pep_span_is(t, "{"))
            inside = true;
        if (found && depth == 1 &&
            (pep_span_is(t, ",") || pep_span_is(t, ";") || pep_span_is(t, "}")))
            return;
        if (found) {
            put_token(out, t);
            *ret_last = x.line;
        }
        if (inside && depth == 1 && pep_span_is(t, "=") &&
            (pep_span_is(last, "when") || pep_span_is(last, "unless"))) {
            found = true;
            *ret_line = *ret_last = at;
        }
        depth += inside ? depth_change(t) : 0;
        if (inside && depth == 0)
            return;
        last = t;
    }
}
