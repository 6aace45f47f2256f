#!/bin/sh
# Every code has a case: bad/ over base/ must show it, good/ over base/ must pass. A code without a case
# fails the test, so that the table and the cases cannot drift apart. The same cases hold the examples
# that `policyctl explain CODE` prints.
. "$(dirname "$0")/kit.sh"
cases=$source/tests/cases/check
examine=$3
mkdir "$work/trees"

# build CODE bad|good: base/ and the case's files.
build() {
    tree=$work/trees/$1.$2
    cp -r "$cases/base" "$tree"
    if [ -d "$cases/$1/$2" ]; then
        cp -r "$cases/$1/$2/." "$tree/"
        [ ! -f "$tree/.remove" ] || (cd "$tree" && xargs rm -f <.remove)
    fi
}

# level CODE: what $work/found says about its two trees.
level() {
    bad=$(sed -n "s/^$1\.bad //p" "$work/found")
    good=$(sed -n "s/^$1\.good //p" "$work/found")
    case "$1 $bad" in
    E*" 0/"*) fail "$1" "is no error: $bad" ;;
    W*" 0/0"*) fail "$1" "is no warning: $bad" ;;
    N*" 0/0 "* | W*" 0/"* | E*) ;;
    *) fail "$1" "is an error: $bad" ;;
    esac
    case "$bad" in *failed:* | '') fail "$1" "bad: $bad" ;; esac
    case "$bad " in *" $1 "*) ;; *) fail "$1" "is not found: $bad" ;; esac
    case "$good " in *failed:* | *" $1 "*) fail "$1" "good: $good" ;; 0/*) ;; *) fail "$1" "good: $good" ;; esac
}

fail() {
    echo "FAIL $1: $2"
    failures=$((failures + 1))
}

"$policyctl" explain | sed -n 's/^\([EWN][0-9][0-9]*\) .*/\1/p' >"$work/codes"
[ -s "$work/codes" ] || { echo "FAIL explain lists no codes"; exit 1; }
grep -rhoE '"[EWN][0-9]{3}"' "$source/pep" "$source/pdp" --include='*.c' | tr -d '"' | sort -u >"$work/used"
sort -u "$work/codes" >"$work/explained"
cmp -s "$work/used" "$work/explained" ||
    fail "table" "codes without an explanation, or explained in vain: $(comm -3 "$work/used" "$work/explained" | tr '\n' ' ')"
while read -r code; do
    [ -d "$cases/$code/bad" ] || fail "$code" "no case in tests/cases/check/$code/bad"
    build "$code" bad
    build "$code" good
done <"$work/codes"
# E215 takes a million candidates to come about, so it has a process of its own.
cd "$work/trees"
"$examine" E215.bad >"$work/large" &
# shellcheck disable=SC2046
"$examine" $(ls | grep -vx E215.bad) >"$work/found" || fail "check_cases" "ended with $?"
wait $! || fail "check_cases" "E215 ended with $?"
cat "$work/large" >>"$work/found"
while read -r code; do
    level "$code"
done <"$work/codes"

# What explain shows besides the text: an example of each kind, that the cases hold.
run 0 "examples" lua5.4 "$source/tests/author/examples.lua" "$source/pdp/policyctl/explain/examples.txt" \
    "$work/trees" "$work/codes"
cat "$work/out"
run 0 "explain" "$policyctl" explain -o json
for member in text bad good; do
    count=$(grep -oE "\"$member\": ?\"[^\"]" "$work/out" | grep -c . || :)
    [ "$count" = "$(grep -c . "$work/codes")" ] || fail "explain" "$count times \"$member\""
done
run 0 "explain E101" "$policyctl" explain e101
has "explain E101" out "bad"
has "explain E101" out '      action = "read", resource = "invoice", role = "viewer",'
has "explain E101" out '      action = "read", resource = "invoice", roles = "viewer",'
lacks "explain E101" out "E102"

# The verb itself, for one code of each level.
for code in E111 W310 N304; do
    wanted=0 strict=0
    case $code in E*) wanted=3 strict=3 ;; W*) strict=3 ;; esac
    run "$wanted" "$code" "$policyctl" check "$work/trees/$code.bad" -o json
    has "$code" out "\"$code\""
    run "$strict" "$code strict" "$policyctl" check --strict "$work/trees/$code.bad" -o json
    has "$code strict" out "\"$code\""
    case $code in W*) has "$code strict" out "\"warnings\": []" ;; esac
    run 0 "$code good" "$policyctl" check "$work/trees/$code.good" -o json
    lacks "$code good" out "\"$code\""
done
finish
