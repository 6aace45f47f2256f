#!/bin/sh
# Every verb that --help lists works, has a help of its own, and stands in the manual with the keys that
# it needs; and the manual has no other.
. "$2/tests/policyctl/server.sh"
start_server
cd "$work"

ctl 0 version
has "version" out "policyctl "
ctl 0 init acme
ctl 0 check acme
ctl 0 test acme
ctl 0 eval --policy acme --subject '{"sub":"ann","roles":["viewer"],"tenant":"acme"}' read invoice:acme/1
ctl 0 bench acme --seconds 1
ctl 0 explain
ctl 0 "key generate" ops
ctl 0 "key list"
ctl 0 "key generate" demo --use token
ctl 0 "token sign" --key demo.jwk --claims '{"iss":"https://idp.example","aud":"api","sub":"ann"}'
cp out token
ctl 0 "token inspect" token
ctl 0 "token verify" --keys demo.jwks --issuer https://idp.example --audience api token
ctl 0 "context add" local "$server/operator.json"
ctl 0 "context add" again "$server/operator.json"
ctl 0 "context list"
ctl 0 "context use" local
ctl 0 "root init"
ctl 0 "root show"
ctl 0 push acme --key policy
ctl 0 "token inspect" --live token
has "not revoked" out "revoked: no"
ctl 0 "token revoke" --issuer https://idp.example --subject ann --for 1h
ctl 7 "token inspect" --live token
has "revoked" out "revoked: by its subject"
ctl 0 diff acme
ctl 0 build acme --key policy
run 0 "file" test -f acme-2.bundle
ctl 0 push acme-2.bundle
ctl 0 rollback --key policy
ctl 0 history
ctl 0 "service enrol" billing-api --bundle acme
ctl 0 "service join" "$(cat out)" --dir identity
ctl 0 "service list"
ctl 0 status
ctl 0 "service suspend" billing-api
ctl 0 "service resume" billing-api
ctl 0 "service revoke" billing-api
ctl 0 "operator add" vera --role viewer
ctl 0 "operator list"
ctl 0 "operator revoke" vera
ctl 0 doctor
for shell in bash zsh fish; do
    ctl 0 completion "$shell"
    cp out "completion.$shell"
done
run 0 "bash reads it" bash -n completion.bash
ctl 2 completion tcsh

run 0 "--version" "$policyctl" --version
has "--version" out "policyctl "

# help and help VERB are --help and VERB --help.
run 0 "help" "$policyctl" help
has "help" out "usage: policyctl VERB"
run 0 "help push" "$policyctl" help push
has "help push" out "usage: policyctl push"
run 0 "help service" "$policyctl" help service
has "help service" out "service enrol"
run 2 "help nonsense" "$policyctl" help nonsense

# What bash offers after some words.
offers() { # offers "WORDS SO FAR" EXPECTED
    run 0 "completion of $1" bash -c '. ./completion.bash
        COMP_WORDS=(policyctl $1 ""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        [ -z "$3" ] || COMP_WORDS[COMP_CWORD]=$3
        _policyctl; printf "%s\n" "${COMPREPLY[@]}"' - "$1" "" "${3:-}"
    run 0 "$1 offers $2" grep -qxF -- "$2" out.keep
}
run() {
    wanted=$1 name=$2
    shift 2
    code=0
    "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [ ! -s out ] || cp out out.keep
    if [ "$code" != "$wanted" ]; then
        echo "FAIL $name: exit $code, wanted $wanted: $*"
        failures=$((failures + 1))
    fi
}
offers "" push
offers "service" enrol
offers "push" --wait --
offers "service enrol billing-api" --bundle --
offers "-c prod -o json push" --wait --
offers "explain" E121
offers "status -o" wide
offers "completion" zsh
mkdir -p config/policyctl/contexts
: >config/policyctl/contexts/prod-eu.json
XDG_CONFIG_HOME=$PWD/config
export XDG_CONFIG_HOME
offers "status -c" prod-eu
offers "context use" prod-eu

# The same in the other shells, by their own completion. Each line: words so far, what must be among
# the offers.
cat >typed <<'TYPED'
policyctl |push
policyctl pus|push
policyctl service |enrol
policyctl push --wa|--wait
policyctl service enrol billing-api --b|--bundle
policyctl -c prod -o json push --w|--wait
policyctl explain E12|E121
policyctl status -o |wide
policyctl completion |zsh
policyctl status -c |prod-eu
policyctl context use |prod-eu
policyctl help pu|push
TYPED
wants() { # wants SHELL: the lines of ./offered answer those of ./typed
    run 0 "$1 answers each line" test "$(grep -c . typed)" = "$(wc -l <offered)"
    paste -d '|' typed offered >answers
    while IFS='|' read -r line want got; do
        case " $got " in
        *" $want "*) ;;
        *)
            echo "FAIL $1: \`$line\` offers \`$got\`, wanted $want"
            failures=$((failures + 1))
            ;;
        esac
    done <answers
}
if command -v zsh >/dev/null; then
    mkdir -p fpath
    cp completion.zsh fpath/_policyctl
    cut -d '|' -f 1 typed >lines
    run 0 "zsh" sh -c 'while IFS= read -r line; do set -- "$@" "$line"; done <lines
        exec zsh -f "$0" fpath "$@"' "$source/tests/policyctl/offers.zsh"
    cp out offered
    wants zsh
else
    echo "skipped: zsh is not installed, so its completion was not tried"
fi
if command -v fish >/dev/null; then
    cut -d '|' -f 1 typed >lines
    run 0 "fish" env HOME="$work" fish --no-config -c 'source completion.fish
        while read -l line; echo (complete -C $line | string split -f 1 \t); end <lines'
    cp out offered
    wants fish
    run 0 "fish, second words once" env HOME="$work" fish --no-config -c 'source completion.fish
        complete -C "policyctl context use "'
    lacks "fish, second words once" out add
else
    echo "skipped: fish is not installed, so its completion was not tried"
fi

# Nothing is listed that was not run above.
"$policyctl" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' | sort -u >listed
sort -u verbs >ran
run 0 "each listed verb was run: $(comm -23 listed ran | tr '\n' ',')" test -z "$(comm -23 listed ran)"

backspace=$(printf '\010') # mandoc prints bold letters twice
# Each has a help, and the manual says the same about it.
mandoc -T utf8 "$source/pdp/policyctl/policyctl.1" 2>/dev/null | sed "s/.$backspace//g" >manual
while read -r verb; do
    # shellcheck disable=SC2086
    run 0 "$verb --help" "$policyctl" $verb --help
    has "$verb --help" out "usage: policyctl $verb"
    keys=$(sed -n 's/.*; needs \(.*\)$/\1/p' out | head -1)
    run 0 "manual has $verb" grep -q "^   *$verb\( \|\$\)" manual
    entry=$(sed -n "/^   *$verb\( \|\$\)/,/^\$/p" manual | tr -s ' \n' ' ')
    case $entry in
    *"Needs $keys"*) ;;
    *)
        echo "FAIL manual of $verb does not say: Needs $keys"
        failures=$((failures + 1))
        ;;
    esac
done <listed
run 0 "manual has no dead verb" sh -c 'sed -n "s/^\.It Cm \([a-z]*\).*/\1/p" "$1" | sort -u >m
    cut -d" " -f1 listed | sort -u >l; comm -23 m l >dead; test ! -s dead' - "$source/pdp/policyctl/policyctl.1"
run 0 "manual lint" sh -c 'test -z "$(mandoc -T lint -W warning "$1" 2>/dev/null)"' - "$source/pdp/policyctl/policyctl.1"

# Wrong words are met with the right ones.
run 2 "no verb" "$policyctl"
run 2 "near" "$policyctl" pusch
has "near" err 'did you mean `policyctl push`?'
run 2 "near family" "$policyctl" service revok
has "near family" err 'did you mean `policyctl service revoke`?'
run 2 "half" "$policyctl" service
run 0 "family help" "$policyctl" service --help
has "family help" out "service enrol"
lacks "family help" out "push"
run 2 "unknown option" "$policyctl" push --wiat 3s
has "unknown option" err '`--wait`'
run 2 "bad duration" "$policyctl" push --wait soon
run 2 "bad format" "$policyctl" status -o yaml
run 2 "one too many" "$policyctl" version now
run 2 "too few" "$policyctl" context add x
finish
