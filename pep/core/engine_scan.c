/*
 * The scan before the parser: it bounds what Lua's parser cannot bound itself, which is its time
 * and its use of the C stack (nesting). Bytecode is refused by its first byte. Rejected: a parser
 * of our own, which would have to agree with Lua's in everything; a clock between pieces of the
 * text, which would refuse on one machine what another takes.
 *
 * The parser takes more than one pass over the text where it walks lists: for each `elseif`, jump
 * and label those before it, for each `and` and `or` (and `not` before them) the expression so far,
 * for each name the locals of every function around it, for each variable of an assignment those
 * before it, for each token the locals that are constants. The scan adds all that up, a little too
 * high, in steps of about a nanosecond; all files of a bundle share one budget of them.
 */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>

#define LOCALS_MAX    200 /* of a function: Lua's own limit */
#define OUTER_MAX     255 /* outer variables of a function: the same */
#define FUNCTION_WORK 500 /* of parsing one, writing it out and reading that, whatever it says */
#define COMMAS_MAX    200 /* variables of one assignment: the same */

/* ---- limits of one file ---- */

enum limit { LIMIT_NESTING, LIMIT_FUNCTIONS, LIMIT_CHAIN, LIMIT_BRANCHES, LIMITS };
static const struct {
    int most;
    const char *what, *help;
} limits[LIMITS] = {
    [LIMIT_NESTING] = {PEP_NESTING_MAX, "brackets and blocks inside each other",
                       "move the inner parts into functions"},
    [LIMIT_FUNCTIONS] = {PEP_FUNCTIONS_DEEP, "functions inside each other",
                         "name the inner functions, one beside the other"},
    [LIMIT_CHAIN] = {PEP_CHAIN_LONG, "`and` and `or` in one expression",
                     "a set says the same: has(list, value)"},
    [LIMIT_BRANCHES] = {PEP_BRANCHES_MAX, "elseif, goto, break and labels in one file",
                        "a table says the same in less"},
};

/* Names that are being declared: behind `local` or `for`, or as parameters. */
enum declaring {
    DECLARING_NOT,
    DECLARING_HEAD, /* behind `function`: up to its bracket */
    DECLARING_NAME, /* a name comes */
    DECLARING_NEXT, /* a comma, a mark or the end comes */
    DECLARING_MARK, /* <const> */
};
struct function { /* one of those around the cursor */
    int locals, constants;
};
struct scan {
    const char *at, *end;
    int line, depth, functions;
    int over[LIMITS];                 /* the line where the limit is passed; 0: it is not */
    int branches, commas;             /* so far: of the file, of the assignment */
    int chains[PEP_NESTING_MAX + 2];  /* by depth: `and` and `or` of the expression so far */
    char opener[PEP_NESTING_MAX + 2]; /* by depth: a bracket, 'f' for a function, or 'b' */
    struct function around[PEP_FUNCTIONS_DEEP + 2]; /* the file itself is the first */
    int name_work;                                  /* of looking a name up in them */
    enum declaring declaring;
    bool operand; /* the token before the cursor ends one: a name begins a statement */
    int nots;     /* just before the cursor */
    int nots_before[PEP_NESTING_MAX + 2]; /* by depth: before its bracket */
    int64_t work;
};

static void reach(struct scan *s, enum limit limit, int count)
{
    if (count > limits[limit].most && s->over[limit] == 0)
        s->over[limit] = s->line;
}

/* Where the depth's notes are. Deeper than the limit is refused anyway, whatever is noted there. */
static int level(const struct scan *s)
{
    return s->depth < 0 ? 0 : s->depth > PEP_NESTING_MAX ? PEP_NESTING_MAX + 1 : s->depth;
}

static struct function *innermost(struct scan *s)
{
    return &s->around[s->functions > PEP_FUNCTIONS_DEEP ? PEP_FUNCTIONS_DEEP + 1 : s->functions];
}

/* A name that is no local is looked for in every function, among its locals and outer variables. */
static void weigh_names(struct scan *s)
{
    int locals = 1, work = 0; /* the environment is an outer variable */
    for (const struct function *f = s->around; f <= innermost(s); f++) {
        work += f->locals + (locals < OUTER_MAX ? locals : OUTER_MAX);
        locals += f->locals;
    }
    s->name_work = work;
}

static void add_locals(struct scan *s, int count)
{
    struct function *f = innermost(s);
    f->locals = f->locals + count < LOCALS_MAX ? f->locals + count : LOCALS_MAX;
    weigh_names(s);
}

static void end_expression(struct scan *s)
{
    s->chains[level(s)] = 0;
}

static void chain_on(struct scan *s)
{
    int n = ++s->chains[level(s)];
    s->work += 6 * n;
    reach(s, LIMIT_CHAIN, n);
}

static void branch(struct scan *s)
{
    s->branches++;
    s->work += 6 * s->branches;
    reach(s, LIMIT_BRANCHES, s->branches);
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

static void deepen(struct scan *s, char opener)
{
    s->depth++;
    s->chains[level(s)] = 0;
    s->opener[level(s)] = opener;
    s->nots_before[level(s)] = opener == '(' ? s->nots : 0;
    reach(s, LIMIT_NESTING, s->depth);
}

static void rise(struct scan *s)
{
    char *opener = &s->opener[level(s)];
    int chain = *opener == '(' ? s->chains[level(s)] : 0; /* goes on behind the bracket */
    s->work += (int64_t)4 * chain * s->nots_before[level(s)];
    if (*opener == 'f') {
        *innermost(s) = (struct function){0, 0};
        s->functions--;
        weigh_names(s);
    }
    *opener = 'b';
    s->depth--;
    s->chains[level(s)] += chain;
    reach(s, LIMIT_CHAIN, s->chains[level(s)]);
}

static void open_function(struct scan *s)
{
    if (s->declaring != DECLARING_NOT) /* local function f */
        add_locals(s, 1);
    deepen(s, 'f');
    s->functions++;
    s->work += FUNCTION_WORK;
    *innermost(s) = (struct function){1, 0}; /* `self` */
    weigh_names(s);
    s->declaring = DECLARING_HEAD;
    reach(s, LIMIT_FUNCTIONS, s->functions);
}

/* ---- words ---- */

enum word {
    WORD_NAME,
    WORD_OTHER,   /* says nothing here */
    WORD_CHAIN,   /* and or */
    WORD_NOT,     /* not */
    WORD_BRANCH,  /* goto break */
    WORD_ELSEIF,  /* its `then` opens no further block */
    WORD_OPENS,   /* do then repeat */
    WORD_CLOSES,  /* end until */
    WORD_BEGINS,  /* an expression: if while return */
    WORD_VALUE,   /* nil true false */
    WORD_LOCAL,   /* local */
    WORD_FOR,     /* for */
    WORD_FUNCTION /* function */
};
static const struct {
    const char *text;
    enum word word;
} words[] = {
    {"and", WORD_CHAIN},     {"or", WORD_CHAIN},          {"not", WORD_NOT},
    {"goto", WORD_BRANCH},   {"break", WORD_BRANCH},      {"elseif", WORD_ELSEIF},
    {"do", WORD_OPENS},      {"then", WORD_OPENS},        {"repeat", WORD_OPENS},
    {"end", WORD_CLOSES},    {"until", WORD_CLOSES},      {"if", WORD_BEGINS},
    {"return", WORD_BEGINS}, {"local", WORD_LOCAL},       {"for", WORD_FOR},
    {"while", WORD_BEGINS},  {"function", WORD_FUNCTION}, {"else", WORD_OTHER},
    {"in", WORD_OTHER},      {"nil", WORD_VALUE},         {"true", WORD_VALUE},
    {"false", WORD_VALUE},
};

static enum word word_of(struct pep_span text)
{
    for (size_t i = 0; text.size <= strlen("function") && i < sizeof(words) / sizeof(words[0]);
         i++) {
        if (words[i].text[0] == (char)text.data[0] && pep_span_is(text, words[i].text))
            return words[i].word;
    }
    return WORD_NAME;
}

static void take_name(struct scan *s)
{
    s->work += s->name_work + s->depth;
    s->nots = 0;
    if (s->operand)
        end_expression(s);
    s->operand = true;
    if (s->declaring == DECLARING_NAME) {
        add_locals(s, 1);
        s->declaring = DECLARING_NEXT;
    } else if (s->declaring == DECLARING_MARK) {
        struct function *f = innermost(s);
        f->constants += f->constants < LOCALS_MAX;
    } else if (s->declaring == DECLARING_NEXT) {
        s->declaring = DECLARING_NOT;
    }
}

static void take_word(struct scan *s, enum word word)
{
    bool function = word == WORD_CLOSES && s->opener[level(s)] == 'f';
    s->nots = word == WORD_NOT ? s->nots : 0;
    s->operand = word == WORD_VALUE || function;
    if (word != WORD_FUNCTION)
        s->declaring = DECLARING_NOT;
    s->commas = 0;
    switch (word) {
    case WORD_CHAIN:
        chain_on(s);
        break;
    case WORD_NOT:
        s->nots++;
        break;
    case WORD_ELSEIF:
        rise(s);
        end_expression(s);
        branch(s);
        break;
    case WORD_BRANCH:
        branch(s);
        break;
    case WORD_OPENS:
        deepen(s, 'b');
        break;
    case WORD_CLOSES:
        rise(s);
        if (!function)
            end_expression(s);
        break;
    case WORD_FUNCTION:
        open_function(s);
        break;
    case WORD_FOR: /* has locals of its own */
        add_locals(s, 4);
        end_expression(s);
        s->declaring = DECLARING_NAME;
        break;
    case WORD_LOCAL:
        s->declaring = DECLARING_NAME;
        end_expression(s);
        break;
    case WORD_BEGINS:
        end_expression(s);
        break;
    default:
        break;
    }
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
    enum word word = word_of(pep_span_of(from, (size_t)(s->at - from)));
    if (word == WORD_NAME)
        take_name(s);
    else
        take_word(s, word);
}

/* ---- signs ---- */

static void take_comma(struct scan *s)
{
    char opener = s->opener[level(s)];
    end_expression(s);
    s->operand = false;
    s->nots = 0;
    if (s->declaring == DECLARING_NEXT)
        s->declaring = DECLARING_NAME;
    if (opener == '(' || opener == '{' || opener == '[')
        return;
    s->commas += s->commas < COMMAS_MAX;
    s->work += 6 * s->commas;
}

/* What a sign other than a comma says about names that are being declared. */
static enum declaring declares_on(const struct scan *s, char c)
{
    if (s->declaring == DECLARING_HEAD)
        return c == '(' ? DECLARING_NAME : DECLARING_HEAD;
    if (s->declaring == DECLARING_NEXT && c == '<')
        return DECLARING_MARK;
    return s->declaring == DECLARING_MARK && c == '>' ? DECLARING_NEXT : DECLARING_NOT;
}

static void take_sign(struct scan *s, char c)
{
    if (c == ',') {
        take_comma(s);
        return;
    }
    s->declaring = declares_on(s, c);
    s->operand = c == ')' || c == ']' || c == '}';
    if (c != '(')
        s->nots = 0;
    if (c == '(' || c == '{' || c == '[')
        deepen(s, c);
    else if (c == ')' || c == '}' || c == ']')
        rise(s);
    else if (c == ';' || c == '=')
        end_expression(s);
    if (c == '=')
        s->commas = 0;
}

/* Skips what says nothing; false at a sign or a word. */
static bool skip(struct scan *s)
{
    char c = *s->at;
    bool two = s->at + 1 < s->end && s->at[1] == c;
    if (c == '"' || c == '\'') {
        s->declaring = DECLARING_NOT;
        s->operand = true;
        skip_text(s);
    } else if (c == '-' && two) {
        skip_comment(s);
    } else if (c == '[' && skip_long(s)) {
        s->operand = true;
        s->declaring = DECLARING_NOT;
    } else if (c == '\n' || c == ' ' || (c >= '\t' && c <= '\r')) {
        s->line += c == '\n';
        s->at++;
    } else {
        return false;
    }
    return true;
}

static bool is_pair(const struct scan *s, const char *pair)
{
    return s->at + 1 < s->end && s->at[0] == pair[0] && s->at[1] == pair[1];
}

static void scan_sign(struct scan *s)
{
    static const char *const compares[] = {"==", "~=", "<=", ">="};
    if (is_pair(s, "::")) {
        branch(s);
        end_expression(s);
    }
    for (size_t i = 0; i < sizeof(compares) / sizeof(compares[0]); i++) {
        if (is_pair(s, compares[i])) { /* assigns nothing */
            s->at += 2;
            take_sign(s, '~');
            return;
        }
    }
    take_sign(s, *s->at++);
}

static struct scan scan_source(struct pep_span text)
{
    struct scan s = {
        .at = (const char *)text.data, .end = (const char *)text.data + text.size, .line = 1};
    weigh_names(&s);
    while (s.at < s.end) {
        s.work += innermost(&s)->constants * 4;
        if (is_name(*s.at))
            scan_word(&s);
        else if (!skip(&s))
            scan_sign(&s);
    }
    return s;
}

static bool refuse(struct pep_diags *diags, const char *path, const char *help, const char *what)
{
    pep_diag_add(diags, "E209", path, 0, help, "%s", what);
    return false;
}

bool pep_source_allowed(const char *path, struct pep_span text, int64_t *left,
                        struct pep_diags *diags)
{
    char what[80];
    snprintf(what, sizeof(what), "%zu bytes: a source has at most %d", text.size, PEP_SOURCE_MAX);
    if (text.size > PEP_SOURCE_MAX)
        return refuse(diags, path, "split it into several files", what);
    if (text.size > 0 && text.data[0] == 0x1b)
        return refuse(diags, path, "ship the source text", "compiled Lua is not accepted");
    struct scan s = scan_source(text);
    for (int i = 0; i < LIMITS; i++) {
        if (s.over[i] == 0)
            continue;
        pep_diag_add(diags, "E213", path, s.over[i], limits[i].help, "more than %d %s",
                     limits[i].most, limits[i].what);
        return false;
    }
    *left -= s.work;
    if (*left >= 0)
        return true;
    pep_diag_add(diags, "E213", path, 0,
                 "use shorter functions with fewer locals, and tables for long conditions",
                 "up to this file the policy is too tangled to compile in time: branches, long "
                 "conditions, and names inside functions with many locals");
    return false;
}
