/* The table of verbs: see verbs.h. In the order in which the help lists them. */
#include "verbs.h"

#include <string.h>

const struct verb verbs[] = {
    {"init", GROUP_AUTHOR, KEY_NONE, false, 1, 1, "DIR",
     "start a policy: a folder that checks and tests, and keys where there are none", &init_options,
     init_run,
     "Writes schema.lua, a first rule with its test, issuers.json with a demo token key, and\n"
     "settings for editors. Nothing that exists is overwritten.\n"
     "With --types DIR is a policy already: only types/pdp.lua, from which editors with LuaLS "
     "know\n"
     "what schema.lua declares, is written anew (and .luarc.json and .luacheckrc where missing)."},
    {"check", GROUP_AUTHOR, KEY_NONE, true, 0, 1, "[DIR]",
     "say everything that is wrong with a policy", &check_options, check_run,
     "json: "
     "{\"errors\":[{\"code\",\"file\",\"line\",\"message\",\"help\"}],\"warnings\":[],\"notes\":[]"
     "}"},
    {"test", GROUP_AUTHOR, KEY_NONE, true, 0, 1, "[DIR]", "run the policy's own tests",
     &test_options, test_run, NULL},
    {"eval", GROUP_AUTHOR, KEY_NONE, true, 2, 2, "ACTION RESOURCE",
     "decide one request, and say why", &eval_options, eval_run,
     "  policyctl eval --subject '{\"sub\":\"ann\",\"roles\":[\"manager\"]}' --explain \\\n"
     "      approve invoice:acme/4711"},
    {"bench", GROUP_AUTHOR, KEY_NONE, true, 0, 1, "[DIR]", "measure decisions", &bench_options,
     bench_run, NULL},
    {"explain", GROUP_AUTHOR, KEY_NONE, true, 0, 1, "[CODE]",
     "say what a code of `check` means and what to do", NULL, explain_run, NULL},
    {"build", GROUP_AUTHOR, KEY_POLICY | KEY_OPERATOR, true, 0, 1, "[DIR]",
     "check a repository and sign it as a bundle file", &build_options, build_run,
     "With --version no pdpd is asked and no operator key needed. Prints the file's name."},
    {"diff", GROUP_AUTHOR, KEY_OPERATOR, true, 0, 2, "[DIR|BUNDLE [DIR|BUNDLE]]",
     "say what a push would change, in words of rules", &diff_options, diff_run,
     "One is compared with what is live; two are compared with each other, without a key."},
    {"push", GROUP_SHIP, KEY_POLICY | KEY_OPERATOR, true, 0, 1, "[DIR|BUNDLE]",
     "publish a policy: check, test, sign, upload", &push_options, push_run,
     "A bundle made by `policyctl build` is uploaded as it is and needs no policy key.\n"
     "json: {\"bundle\",\"epoch\",\"version\",\"digest\",\"state\":\"live|refused\"}"},
    {"rollback", GROUP_SHIP, KEY_POLICY | KEY_OPERATOR, true, 0, 1, "[VERSION]",
     "publish the content of an older version as the next one", &rollback_options, rollback_run,
     "Without VERSION: the one before the head."},
    {"history", GROUP_SHIP, KEY_OPERATOR, true, 0, 0, "", "list what was published, newest first",
     &history_options, history_run, NULL},
    {"status", GROUP_RUN, KEY_OPERATOR, true, 0, 0, "",
     "show what is published and what each service runs", &status_options, status_run, NULL},
    {"doctor", GROUP_RUN, KEY_OPERATOR, true, 0, 0, "",
     "check this machine's set-up, pdpd, root, keys and clock", NULL, doctor_run,
     "Changes nothing. Without a context it looks at the local part alone."},
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
    {"token revoke", GROUP_TRUST, KEY_REVOCATION | KEY_OPERATOR, true, 0, TOKEN_REVOKE_FILES,
     "[FILE|-]...", "make every service refuse tokens before their time is over",
     &token_revoke_options, token_revoke_run,
     "  policyctl token revoke stolen.jwt\n"
     "  policyctl token revoke --issuer https://idp.example --sid 08a5019c --for 12h\n"
     "  policyctl token revoke --issuer https://idp.example --subject ann --for 12h\n"
     "FILE holds a token: its issuer, jti and exp are taken. --subject means all tokens of this\n"
     "subject issued before --before, which is now unless given.\n"
     "json: {\"number\",\"entries\",\"added\",\"expires\"}"},
    {"root init", GROUP_TRUST, KEY_ROOT | KEY_OPERATOR, true, 0, 0, "",
     "tell a new pdpd and its services whose signature counts", &root_init_options, root_init_run,
     "Takes every key of this machine: `root` may change the root, `revocation` (if there\n"
     "is one) revokes tokens and nothing else, the others sign policies."},
    {"root show", GROUP_TRUST, KEY_NONE, true, 0, 0, "", "show the root of the context",
     &root_show_options, root_show_run, NULL},
    {"service enrol", GROUP_TRUST, KEY_OPERATOR, true, 1, 1, "NAME",
     "make a one-time token that lets a service in", &service_enrol_options, service_enrol_run,
     "The token alone goes to stdout: policyctl service enrol NAME --bundle B > token"},
    {"service join", GROUP_TRUST, KEY_NONE, false, 1, 1, "TOKEN|-",
     "on the service's host: turn a token into an identity folder", &service_join_options,
     service_join_run, NULL},
    {"service list", GROUP_TRUST, KEY_OPERATOR, true, 0, 0, "",
     "list the services and the tokens that are still open", NULL, service_list_run, NULL},
    {"service revoke", GROUP_TRUST, KEY_OPERATOR, true, 1, 1, "NAME|NAME/K",
     "cut a service off for good, at once", &service_revoke_options, service_revoke_run, NULL},
    {"service suspend", GROUP_TRUST, KEY_OPERATOR, true, 1, 1, "NAME|NAME/K",
     "cut a service off until `service resume`", NULL, service_suspend_run, NULL},
    {"service resume", GROUP_TRUST, KEY_OPERATOR, true, 1, 1, "NAME|NAME/K",
     "let a suspended service in again", NULL, service_resume_run, NULL},
    {"operator add", GROUP_TRUST, KEY_OPERATOR, true, 1, 1, "NAME",
     "let another person command pdpd", &operator_add_options, operator_add_run,
     "Writes a context file for that person; its key is made here and is in that file alone."},
    {"operator list", GROUP_TRUST, KEY_OPERATOR, true, 0, 0, "", "list who may command pdpd", NULL,
     operator_list_run, NULL},
    {"operator revoke", GROUP_TRUST, KEY_OPERATOR, false, 1, 1, "NAME",
     "take an operator's key away", NULL, operator_revoke_run, NULL},
    {"context add", GROUP_SELF, KEY_NONE, false, 2, 2, "NAME FILE",
     "remember a pdpd and the operator key for it", &context_add_options, context_add_run,
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
    if ((keys & KEY_REVOCATION) != 0)
        return "a key that may revoke tokens and an operator key";
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
