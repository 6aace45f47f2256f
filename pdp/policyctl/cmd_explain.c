/* explain: what a code of `check` means, from the one table of all codes. Without a code, the list.
 */
#include "verbs.h"

#include "pep/core/diag.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int list_codes(struct session *s)
{
    static const struct column columns[] = {
        {"CODE", false, false}, {"MEANING", false, false}, {NULL, false, false}};
    size_t count;
    const struct pep_diag_text *all = pep_diag_texts(&count);
    if (s->out.format == OUTPUT_JSON) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "code", all[i].code, "title",
                                                  all[i].title, "text", all[i].text));
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
        return output_json(&s->out, json_pack("{s:s, s:s, s:s}", "code", text->code, "title",
                                              text->title, "text", text->text));
    output_line("%s  %s\n", text->code, text->title);
    output_line("%s", text->text);
    return EXIT_OK;
}
