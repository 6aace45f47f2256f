/*
 * explain: what a code of `check` means, from the one table of all codes, with a bad and a good
 * example. Without a code, the list.
 *
 * The examples are a text file, "== CODE bad" and "== CODE good" above each, because they are Lua
 * and JSON and would be hard to read inside C. A test holds each of them against the case of its
 * code.
 */
#include "embedded.h"
#include "verbs.h"

#include "pep/core/bytes.h"
#include "pep/core/diag.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below "== CODE KIND", up to the next such line; empty if there is none. */
static struct pep_span example_of(const char *code, const char *kind)
{
    char head[32];
    const char *all = (const char *)explain_examples[0].data;
    int n = snprintf(head, sizeof(head), "== %s %s\n", code, kind);
    const char *at = n < 0 || (size_t)n >= sizeof(head) ? NULL : strstr(all, head);
    if (at == NULL)
        return pep_span_of("", 0);
    at += n;
    const char *end = strstr(at, "\n== ");
    return pep_span_of(at, end == NULL ? strlen(at) : (size_t)(end + 1 - at));
}

static json_t *as_json(const struct pep_diag_text *text)
{
    struct pep_span bad = example_of(text->code, "bad"), good = example_of(text->code, "good");
    return json_pack("{s:s, s:s, s:s, s:s%, s:s%}", "code", text->code, "title", text->title,
                     "text", text->text, "bad", bad.data, bad.size, "good", good.data, good.size);
}

static void print_example(const char *title, struct pep_span text)
{
    output_line("\n%s", title);
    while (text.size > 0) {
        const char *line = (const char *)text.data, *end = memchr(line, '\n', text.size);
        size_t n = end == NULL ? text.size : (size_t)(end - line);
        output_line("    %.*s", (int)n, line);
        n += end != NULL;
        text = pep_span_of(line + n, text.size - n);
    }
}

static int list_codes(struct session *s)
{
    static const struct column columns[] = {
        {"CODE", false, false}, {"MEANING", false, false}, {NULL, false, false}};
    size_t count;
    const struct pep_diag_text *all = pep_diag_texts(&count);
    if (s->out.format == OUTPUT_JSON) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, as_json(&all[i]));
        return output_json(&s->out, list);
    }
    struct table *t = table_new(columns);
    for (size_t i = 0; i < count; i++) {
        table_cell(t, "%s", all[i].code);
        table_cell(t, "%s", all[i].title);
    }
    return table_print(t, &s->out);
}

static int unknown_code(struct session *s, const char *code)
{
    size_t count;
    const struct pep_diag_text *all = pep_diag_texts(&count);
    const char **names = calloc(count, sizeof(*names));
    for (size_t i = 0; names != NULL && i < count; i++)
        names[i] = all[i].code;
    const char *near = names == NULL ? NULL : pep_did_you_mean(code, names, count);
    free(names);
    if (near != NULL)
        return output_error(&s->out, EXIT_USAGE, "no code `%s`\n\ndid you mean `%s`?", code, near);
    return output_error(&s->out, EXIT_USAGE, "no code `%s`\n\npolicyctl explain", code);
}

int explain_run(struct session *s, const void *settings)
{
    (void)settings;
    const char *word = session_operand(s, 0);
    if (word == NULL)
        return list_codes(s);
    char code[16] = "";
    for (size_t i = 0; i < sizeof(code) - 1 && word[i] != '\0'; i++)
        code[i] = (char)toupper((unsigned char)word[i]);
    const struct pep_diag_text *text = pep_diag_explain(code);
    if (text == NULL)
        return unknown_code(s, word);
    if (s->out.format == OUTPUT_JSON)
        return output_json(&s->out, as_json(text));
    output_line("%s  %s\n", text->code, text->title);
    output_line("%s", text->text);
    print_example("bad", example_of(text->code, "bad"));
    print_example("good", example_of(text->code, "good"));
    return EXIT_OK;
}
