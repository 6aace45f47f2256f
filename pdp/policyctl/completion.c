/*
 * completion: scripts for bash, zsh and fish, written from the table of verbs and its option rows,
 * so that they cannot fall behind. Words only: file names complete by the shell's own default. The
 * names of contexts are looked up when the key is pressed, codes of `explain` are in the script.
 */
#include "verbs.h"

#include "pep/core/diag.h"

#include <stdio.h>
#include <string.h>

/* Calls `each` for a verb's own options, then for the common ones it takes. */
typedef void (*option_writer)(const struct verb *v, const struct option_row *row, bool common);

static void options_of(const struct verb *v, option_writer each)
{
    if (v->options != NULL) {
        for (const struct option_row *r = v->options->rows; r->name != NULL; r++)
            each(v, r, false);
    }
    for (const struct option_row *r = common_options.rows; r->name != NULL; r++) {
        if (r->letter != 'o' || v->data)
            each(v, r, true);
    }
}

/* The first word of each verb once, in the order of the table. */
static bool first_of_family(size_t i)
{
    size_t n = strcspn(verbs[i].name, " ");
    for (size_t k = 0; k < i; k++) {
        if (strcspn(verbs[k].name, " ") == n && strncmp(verbs[k].name, verbs[i].name, n) == 0)
            return false;
    }
    return true;
}

static void write_first_words(void)
{
    for (size_t i = 0; i < verb_count; i++) {
        if (first_of_family(i))
            printf(" %.*s", (int)strcspn(verbs[i].name, " "), verbs[i].name);
    }
}

static void write_second_words(const char *family, size_t length)
{
    for (size_t i = 0; i < verb_count; i++) {
        if (strncmp(verbs[i].name, family, length) == 0 && verbs[i].name[length] == ' ')
            printf(" %s", verbs[i].name + length + 1);
    }
}

/* ---- bash and zsh ---- */

static void write_long(const struct verb *v, const struct option_row *row, bool common)
{
    (void)v;
    (void)common;
    printf(" --%s", row->name);
}

/* A shell `case` from the words so far to the words that may follow. */
static void write_cases(const char *indent)
{
    printf("%s\"\") offer=\"", indent);
    write_first_words();
    printf("\" ;;\n");
    for (size_t i = 0; i < verb_count; i++) {
        const char *space = strchr(verbs[i].name, ' ');
        if (space == NULL || !first_of_family(i))
            continue;
        int length = (int)(space - verbs[i].name);
        printf("%s\"%.*s\") offer=\"", indent, length, verbs[i].name);
        write_second_words(verbs[i].name, (size_t)length);
        printf("\" ;;\n");
    }
    for (size_t i = 0; i < verb_count; i++) {
        printf("%s\"%s\"*) offer=\"", indent, verbs[i].name);
        options_of(&verbs[i], write_long);
        printf("\" ;;\n");
    }
}

static void write_codes(void)
{
    size_t count;
    const struct pep_diag_text *all = pep_diag_texts(&count);
    for (size_t i = 0; i < count; i++)
        printf(" %s", all[i].code);
}

/* The same in both shells, but for what a pattern without a match is. */
static void write_contexts(const char *options)
{
    printf("_policyctl_contexts()\n{\n"
           "    %slocal file\n"
           "    for file in \"${XDG_CONFIG_HOME:-$HOME/.config}\"/policyctl/contexts/*.json; do\n"
           "        file=${file##*/}\n"
           "        [[ $file == '*.json' ]] || printf '%%s ' \"${file%%.json}\"\n"
           "    done\n"
           "}\n",
           options);
}

/* A shell `case` for what may follow that is no option. */
static void write_operands(const char *indent)
{
    printf("%s\"explain\") offer=\"", indent);
    write_codes();
    printf("\" ;;\n"
           "%s\"context use\") offer=$(_policyctl_contexts) ;;\n"
           "%s\"completion\") offer=\"bash zsh fish\" ;;\n"
           "%s\"help\") offer=\"",
           indent, indent, indent);
    write_first_words();
    printf("\" ;;\n");
}

static void write_bash(void)
{
    printf("# bash completion for policyctl; made by `policyctl completion bash`\n");
    write_contexts("");
    printf("_policyctl()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} said=\"\" offer=\"\" i\n"
           "    case \"${COMP_WORDS[COMP_CWORD - 1]}\" in\n"
           "        -c | --context) offer=$(_policyctl_contexts) ;;\n"
           "        -o | --output) offer=\"table wide json\" ;;\n"
           "    esac\n"
           "    if [[ -n $offer ]]; then\n"
           "        COMPREPLY=($(compgen -W \"$offer\" -- \"$cur\"))\n"
           "        return\n"
           "    fi\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case \"${COMP_WORDS[i]}\" in\n"
           "            -c | --context | -o | --output) ((i++)) ;;\n"
           "            -*) ;;\n"
           "            *) said+=\"${said:+ }${COMP_WORDS[i]}\" ;;\n"
           "        esac\n"
           "    done\n"
           "    if [[ $cur != -* ]]; then\n"
           "        case \"$said\" in\n");
    write_operands("            ");
    printf("        esac\n"
           "    fi\n"
           "    [[ -n $offer ]] || case \"$said\" in\n");
    write_cases("        ");
    printf("    esac\n"
           "    [[ $cur == -* || $offer != *--* ]] || return\n"
           "    COMPREPLY=($(compgen -W \"$offer\" -- \"$cur\"))\n"
           "}\n"
           "complete -o default -F _policyctl policyctl\n");
}

static void write_zsh(void)
{
    printf("#compdef policyctl\n"
           "# zsh completion for policyctl; made by `policyctl completion zsh`\n");
    write_contexts("setopt localoptions nullglob; ");
    printf("_policyctl()\n{\n"
           "    local said=\"\" before=\"\" word offer=\"\"\n"
           "    for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
           "        case \"$before\" in\n"
           "            -c | --context | -o | --output) ;;\n"
           "            *) [[ $word == -* ]] || said+=\"${said:+ }$word\" ;;\n"
           "        esac\n"
           "        before=$word\n"
           "    done\n"
           "    case \"$before\" in\n"
           "        -c | --context) compadd -- ${(s: :)\"$(_policyctl_contexts)\"}; return ;;\n"
           "        -o | --output) compadd -- table wide json; return ;;\n"
           "    esac\n"
           "    if [[ $PREFIX != -* ]]; then\n"
           "        case \"$said\" in\n");
    write_operands("            ");
    printf("        esac\n"
           "    fi\n"
           "    [[ -n $offer ]] || case \"$said\" in\n");
    write_cases("        ");
    printf(
        "    esac\n"
        "    if [[ $PREFIX == -* || $offer != *--* ]]; then\n"
        "        compadd -- ${(s: :)offer}\n"
        "    else\n"
        "        _files\n"
        "    fi\n"
        "}\n"
        "# Found in fpath, this file is the function's first call; read by `source`, it is not.\n"
        "if [[ $funcstack[1] == _policyctl ]]; then\n"
        "    _policyctl \"$@\"\n"
        "else\n"
        "    compdef _policyctl policyctl\n"
        "fi\n");
}

/* ---- fish ---- */

/* Inside single quotes, fish needs these two escaped. */
static void write_quoted(const char *text)
{
    putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static void write_fish_condition(const struct verb *v)
{
    const char *space = strchr(v->name, ' ');
    int length = space == NULL ? (int)strlen(v->name) : (int)(space - v->name);
    printf("complete -c policyctl -n '__fish_seen_subcommand_from %.*s%s%s' ", length, v->name,
           space == NULL ? "" : "; and __fish_seen_subcommand_from", space == NULL ? "" : space);
}

static void write_fish_option(const struct verb *v, const struct option_row *row, bool common)
{
    if (common)
        return;
    write_fish_condition(v);
    printf("-l %s ", row->name);
    if (row->letter != 0)
        printf("-s %c ", row->letter);
    printf("%s-d ", row->argument == NULL ? "" : "-r ");
    write_quoted(row->help);
    putchar('\n');
}

static void write_fish_word(size_t i)
{
    const char *name = verbs[i].name, *space = strchr(name, ' ');
    int length = (int)strcspn(name, " ");
    if (first_of_family(i)) {
        printf("complete -c policyctl -n __fish_use_subcommand -f -a %.*s -d ", length, name);
        write_quoted(space == NULL ? verbs[i].summary : verb_group_name(verbs[i].group));
        putchar('\n');
    }
    if (space == NULL)
        return;
    printf("complete -c policyctl -n '__fish_seen_subcommand_from %.*s; and not "
           "__fish_seen_subcommand_from",
           length, name);
    write_second_words(name, (size_t)length);
    printf("' -f -a %s -d ", space + 1);
    write_quoted(verbs[i].summary);
    putchar('\n');
}

/* What the value of a common option may be, where that is known. */
static const char *fish_values(const struct option_row *row)
{
    if (row->letter == 'c')
        return "-x -a '(__policyctl_contexts)' ";
    if (row->letter == 'o')
        return "-x -a 'table wide json' ";
    return row->argument == NULL ? "" : "-r ";
}

static void write_fish_common(void)
{
    for (const struct option_row *r = common_options.rows; r->name != NULL; r++) {
        printf("complete -c policyctl -l %s ", r->name);
        if (r->letter != 0)
            printf("-s %c ", r->letter);
        printf("%s-d ", fish_values(r));
        write_quoted(r->help);
        putchar('\n');
    }
}

static void write_fish_operands(void)
{
    printf("complete -c policyctl -n '__fish_seen_subcommand_from explain' -f -a '");
    write_codes();
    printf("'\ncomplete -c policyctl -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh "
           "fish'\n"
           "complete -c policyctl -n '__fish_seen_subcommand_from context; and "
           "__fish_seen_subcommand_from use' -f -a '(__policyctl_contexts)'\n"
           "complete -c policyctl -n '__fish_seen_subcommand_from help' -f -a '");
    write_first_words();
    printf("'\n");
}

static void write_fish(void)
{
    printf("# fish completion for policyctl; made by `policyctl completion fish`\n"
           "function __policyctl_contexts\n"
           "    set -l folder $HOME/.config\n"
           "    set -q XDG_CONFIG_HOME; and set folder $XDG_CONFIG_HOME\n"
           "    for file in $folder/policyctl/contexts/*.json\n"
           "        string replace -r '.*/(.*)\\.json$' '$1' -- $file\n"
           "    end\n"
           "end\n");
    write_fish_common();
    write_fish_operands();
    for (size_t i = 0; i < verb_count; i++) {
        write_fish_word(i);
        options_of(&verbs[i], write_fish_option);
    }
}

int completion_run(struct session *s, const void *settings)
{
    (void)settings;
    static const struct {
        const char *shell;
        void (*write)(void);
    } shells[] = {{"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].shell, s->operands[0]) == 0) {
            shells[i].write();
            return EXIT_OK;
        }
    }
    return output_error(&s->out, EXIT_USAGE, "no completion for `%s`\n\nbash, zsh or fish",
                        s->operands[0]);
}
