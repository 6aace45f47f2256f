/*
 * policyctl: everything that an author or an operator does. This file finds the verb, reads the
 * options and shows the help; what verbs exist is in verbs.c, one file per verb holds what they do.
 */
#include "verbs.h"

#include "pep/core/diag.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_LENGTH 64

/* ---- help ---- */

/* Whether a verb's own rows use this name or letter already. */
static bool taken(const struct option_set *own, const char *name, char letter)
{
    for (const struct option_row *r = own == NULL ? NULL : own->rows; r != NULL && r->name != NULL;
         r++) {
        if ((name != NULL && strcmp(r->name, name) == 0) || (letter != 0 && r->letter == letter))
            return true;
    }
    return false;
}

static void show_option(const struct option_row *r, bool name, bool letter)
{
    char left[64];
    snprintf(left, sizeof(left), "%c%c%s %s%s %s", letter ? '-' : ' ', letter ? r->letter : ' ',
             letter && name ? "," : " ", name ? "--" : "", name ? r->name : "",
             r->argument == NULL ? "" : r->argument);
    printf("  %-26s %s\n", left, r->help);
}

static void show_options(const struct option_set *set, const struct option_set *own, bool data)
{
    if (set == NULL)
        return;
    for (const struct option_row *r = set->rows; r->name != NULL; r++) {
        bool name = !taken(own, r->name, 0);
        bool letter = r->letter != 0 && !taken(own, NULL, r->letter);
        bool format = set == &common_options && r->letter == 'o';
        if ((name || letter) && (data || !format))
            show_option(r, name, letter);
    }
}

static void show_verb(const struct verb *v)
{
    printf("usage: policyctl %s%s%s%s\n\n%s; needs %s\n", v->name,
           v->options == NULL ? "" : " [options]", v->operands[0] == '\0' ? "" : " ", v->operands,
           v->summary, verb_keys_text(v->keys));
    if (v->notes != NULL)
        printf("\n%s\n", v->notes);
    if (v->options != NULL)
        printf("\noptions:\n");
    show_options(v->options, NULL, v->data);
    printf("\ncommon options:\n");
    show_options(&common_options, v->options, v->data);
}

/* All verbs, or those that start with the word `family`. */
static void show_verbs(const char *family)
{
    size_t length = family == NULL ? 0 : strlen(family);
    for (int g = 0; g < GROUP_COUNT; g++) {
        bool titled = false;
        for (size_t i = 0; i < verb_count; i++) {
            const struct verb *v = &verbs[i];
            if ((int)v->group != g || (family != NULL && (strncmp(v->name, family, length) != 0 ||
                                                          v->name[length] != ' ')))
                continue;
            if (!titled)
                printf("\n%s\n", verb_group_name(v->group));
            titled = true;
            printf("  %-18s %s\n", v->name, v->summary);
        }
    }
}

static void show_overview(const char *family)
{
    printf("usage: policyctl %s%s[options]\n", family == NULL ? "VERB " : family,
           family == NULL ? "" : " VERB ");
    show_verbs(family);
    printf("\ncommon options:\n");
    show_options(&common_options, NULL, true);
    printf(
        "\n`policyctl VERB --help` shows a verb's options. Exit status: 0 ok, 1 failed, 2 usage,\n"
        "3 policy errors, 4 tests failed, 5 differences (-e), 6 not converged in time,\n"
        "7 not allowed (-e) or token not valid, 8 not authorised, 130 interrupted.\n");
}

/* ---- finding the verb ---- */

static bool is_family(const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < verb_count; i++) {
        if (strncmp(verbs[i].name, word, n) == 0 && verbs[i].name[n] == ' ')
            return true;
    }
    return false;
}

static int unknown_verb(struct output *out, const char *word)
{
    const char **names = calloc(verb_count, sizeof(*names));
    const char *near = NULL;
    for (size_t i = 0; names != NULL && i < verb_count; i++)
        names[i] = verbs[i].name;
    if (names != NULL)
        near = pep_did_you_mean(word, names, verb_count);
    free(names);
    if (near != NULL)
        return output_error(out, EXIT_USAGE, "no verb `%s`\n\ndid you mean `policyctl %s`?", word,
                            near);
    return output_error(out, EXIT_USAGE, "no verb `%s`\n\npolicyctl --help", word);
}

/* Finds the verb in the first words of argv; *ret_words says how many it took. */
static int find_verb(struct output *out, int argc, char **argv, const struct verb **ret,
                     int *ret_words)
{
    char name[NAME_MAX_LENGTH];
    if (argc > 1 && is_family(argv[0]) && argv[1][0] != '-') {
        snprintf(name, sizeof(name), "%s %s", argv[0], argv[1]);
        *ret = verb_find(name);
        *ret_words = 2;
        return *ret != NULL ? EXIT_OK : unknown_verb(out, name);
    }
    *ret = verb_find(argv[0]);
    *ret_words = 1;
    if (*ret != NULL)
        return EXIT_OK;
    if (!is_family(argv[0]))
        return unknown_verb(out, argv[0]);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            show_overview(argv[0]);
            return EXIT_OK;
        }
    }
    return output_error(out, EXIT_USAGE, "`%s` needs a second word\n\npolicyctl %s --help", argv[0],
                        argv[0]);
}

/* ---- running it ---- */

static int check_operands(struct session *s, const char *called)
{
    const struct verb *v = s->verb;
    if (s->operand_count < v->least)
        return output_error(&s->out, EXIT_USAGE, "something is missing: %s\n%s\n%s --help",
                            v->operands, called, called);
    if (s->operand_count > v->most)
        return output_error(&s->out, EXIT_USAGE, "`%s` is one word too many\n%s\n%s --help",
                            s->operands[v->most], called, called);
    return EXIT_OK;
}

static int take_common(struct session *s, const struct common_settings *common)
{
    if (common->no_colour)
        output_init(&s->out, true);
    if (common->context != NULL)
        s->context = common->context;
    if (common->format != NULL && !output_format_read(common->format, &s->out.format))
        return output_error(&s->out, EXIT_USAGE, "`-o %s`: no such format\n\ntable, wide or json",
                            common->format);
    return EXIT_OK;
}

static int run_verb(struct session *s, struct common_settings *common, int argc, char **argv)
{
    char called[NAME_MAX_LENGTH + 16];
    snprintf(called, sizeof(called), "policyctl %s", s->verb->name);
    void *settings = calloc(1, s->verb->options == NULL ? 1 : s->verb->options->size);
    if (settings == NULL)
        return output_error(&s->out, EXIT_FAILED, "no memory");
    struct parsed parsed;
    int rc = options_parse(&s->out, called, argc, argv, s->verb->options, settings, common, false,
                           &parsed);
    if (rc == EXIT_OK && common->help) {
        show_verb(s->verb);
        goto done;
    }
    s->operands = rc == EXIT_OK ? parsed.operands : NULL;
    s->operand_count = rc == EXIT_OK ? parsed.operand_count : 0;
    if (rc == EXIT_OK)
        rc = take_common(s, common);
    if (rc == EXIT_OK)
        rc = check_operands(s, called);
    if (rc == EXIT_OK)
        rc = s->verb->run(s, settings);
done:
    free(settings);
    return rc;
}

/* Files appear by rename or link and are whole at every moment, so there is nothing to tidy. */
static void interrupted(int signal)
{
    (void)signal;
    _exit(EXIT_INTERRUPTED);
}

static int start(struct session *s, int argc, char **argv)
{
    struct common_settings common = {0};
    struct parsed parsed;
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return version_run(s, NULL);
    int rc = options_parse(&s->out, "policyctl", argc, argv, NULL, NULL, &common, true, &parsed);
    if (rc != EXIT_OK)
        return rc;
    if (parsed.operand_count > 0 && strcmp(parsed.operands[0], "help") == 0) {
        common.help = true; /* help [VERB], as with other tools */
        parsed.operands++;
        parsed.operand_count--;
        if (parsed.operand_count > 0 && is_family(parsed.operands[0]) &&
            parsed.operand_count == 1) {
            show_overview(parsed.operands[0]);
            return EXIT_OK;
        }
    }
    if (parsed.operand_count == 0) {
        if (!common.help)
            return output_error(&s->out, EXIT_USAGE, "no verb\n\npolicyctl --help");
        show_overview(NULL);
        return EXIT_OK;
    }
    int words = 0;
    rc = find_verb(&s->out, parsed.operand_count, parsed.operands, &s->verb, &words);
    if (s->verb == NULL)
        return rc;
    /* getopt reads from argv[1]: the verb's last word takes the place of the program's name. */
    return run_verb(s, &common, parsed.operand_count - words + 1, parsed.operands + words - 1);
}

int main(int argc, char **argv)
{
    struct session s = {.verb = NULL};
    output_init(&s.out, false);
    if (signal(SIGINT, interrupted) == SIG_IGN)
        signal(SIGINT, SIG_IGN); /* a background job of a script */
    signal(SIGPIPE, SIG_IGN);
    const char *context = getenv("POLICYCTL_CONTEXT");
    s.context = context != NULL && context[0] != '\0' ? context : NULL;
    return output_finish(&s.out, start(&s, argc, argv));
}
