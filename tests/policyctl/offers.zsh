#!/usr/bin/env zsh
# What zsh offers at Tab: an interactive zsh behind a pseudo-terminal gets the completion file in its
# fpath, as users install it, types each line and presses Tab. What it adds goes into a file.
#
#     zsh -f offers.zsh FOLDER LINE...     FOLDER holds _policyctl; one line of words for each LINE
zmodload zsh/zpty || exit 2
folder=$1
shift
offered=$(mktemp)
trap 'rm -f $offered' EXIT

said() { # said TEXT: waits, at most ten seconds, until the file holds it
    for i in {1..200}; do
        [[ "$(<$offered)" == *"$1"* ]] && return
        sleep 0.05
    done
    print -u2 "offers.zsh: no answer: $(zpty -r -t tab 2>&1)"
    exit 1
}

zpty tab "OFFERED=${(q)offered} zsh -f -i"
zpty -w tab "fpath=(${(q)folder} \$fpath); PS1=; autoload -Uz compinit; compinit -u -D
compadd() {
    local -a hits
    if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)* ]]; then builtin compadd \"\$@\"; return; fi
    builtin compadd -A hits \"\$@\"
    print -rn -- \" \$hits\" >>\$OFFERED
}
answer() { zle list-choices; print -r -- ' .' >>\$OFFERED; BUFFER=; }
zle -N answer; bindkey '^I' answer; print -r ready >>\$OFFERED"
said ready
for line in "$@"; do
    : >$offered
    zpty -w -n tab "$line"$'\t'
    said ' .'
    print -r -- "${"$(<$offered)"% .}"
done
zpty -d tab
