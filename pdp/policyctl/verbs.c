/* The table of verbs: see verbs.h. In the order in which the help lists them. */
#include "verbs.h"

#include <string.h>

const struct verb verbs[] = {
    {"init", GROUP_AUTHOR, KEY_NONE, false, 1, 1, "DIR",
     "start a policy: a folder that checks and tests, and keys where there are none", NULL,
     init_run,
     "Writes schema.lua, a first rule with its test, issuers.json with a demo token key, and\n"
     "settings for editors. Nothing that exists is overwritten."},
    {"explain", GROUP_AUTHOR, KEY_NONE, true, 0, 1, "[CODE]",
     "say what a code of `check` means and what to do", NULL, explain_run, NULL},
    {"key generate", GROUP_TRUST, KEY_NONE, true, 1, 1, "NAME", "make a signing key",
     &key_generate_options, key_generate_run,
     "Prints the key's id. The private half is keys/NAME.key in policyctl's folder, mode 0600; it\n"
     "is never overwritten and never sent anywhere. The first key also makes a local root.\n"
     "--use token writes NAME.jwk (private, 0600) and NAME.jwks (public) into the current folder."},
    {"key list", GROUP_TRUST, KEY_NONE, true, 0, 0, "", "list the signing keys of this machine",
     NULL, key_list_run, NULL},
    {"token verify", GROUP_TRUST, KEY_NONE, true, 1, 1, "FILE|-",
     "verify a JWT as a service would, without the network", &token_verify_options,
     token_verify_run, "Exit status 0 and the claims on stdout, or 7 and the reason on stderr."},
    {"token inspect", GROUP_TRUST, KEY_NONE, true, 1, 1, "FILE|-",
     "show what a JWT says, and what is unusual about it", &token_inspect_options,
     token_inspect_run,
     "Without --keys or --policy nothing is verified: anybody can write such a token."},
    {"token sign", GROUP_TRUST, KEY_NONE, false, 0, 0, "", "sign a JWT for tests and demos",
     &token_sign_options, token_sign_run,
     "  policyctl token sign --key idp.jwk --claims '{\"iss\": \"https://idp.example\",\n"
     "      \"aud\": \"billing-api\", \"sub\": \"ann\"}' --ttl 1h\n"
     "`iat` and `exp` are filled in where absent; null leaves them out."},
    {"context add", GROUP_SELF, KEY_NONE, false, 2, 2, "NAME FILE",
     "remember a pdpd and the operator key for it", NULL, context_add_run,
     "FILE is the operator.json that pdpd writes at its first start, or `operator add` later.\n"
     "The first context becomes the current one."},
    {"context list", GROUP_SELF, KEY_NONE, true, 0, 0, "", "list the contexts", NULL,
     context_list_run, NULL},
    {"context use", GROUP_SELF, KEY_NONE, false, 1, 1, "NAME", "make a context the current one",
     NULL, context_use_run, NULL},
    {"completion", GROUP_SELF, KEY_NONE, false, 1, 1, "bash|zsh|fish",
     "print a completion script for a shell", NULL, completion_run,
     "bash:  source <(policyctl completion bash)\n"
     "zsh:   policyctl completion zsh > \"${fpath[1]}/_policyctl\"\n"
     "fish:  policyctl completion fish > ~/.config/fish/completions/policyctl.fish"},
    {"version", GROUP_SELF, KEY_NONE, true, 0, 0, "", "print the version", NULL, version_run, NULL},
};

const size_t verb_count = sizeof(verbs) / sizeof(verbs[0]);

const char *verb_group_name(enum verb_group group)
{
    static const char *const names[GROUP_COUNT] = {
        [GROUP_AUTHOR] = "Author", [GROUP_SHIP] = "Ship", [GROUP_RUN] = "Run",
        [GROUP_TRUST] = "Trust",   [GROUP_SELF] = "Self",
    };
    return names[group];
}

const char *verb_keys_text(unsigned keys)
{
    static const char *const texts[8] = {
        "no key",
        "an operator key",
        "a policy key",
        "a policy key and an operator key",
        "root keys",
        "root keys and an operator key",
        "root keys and a policy key",
        "root keys, a policy key and an operator key",
    };
    return texts[keys & 7];
}

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

const char *session_operand(const struct session *s, int i)
{
    return i < s->operand_count ? s->operands[i] : NULL;
}
