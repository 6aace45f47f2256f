#!/bin/sh
# Every code has a case: bad/ over base/ must show it, good/ over base/ must pass. A code without a case
# fails the test, so that the table and the cases cannot drift apart.
. "$(dirname "$0")/kit.sh"
cases=$source/tests/cases/check

# build CASE bad|good: $work/repo from base/ and the case's files.
build() {
    rm -rf "$work/repo"
    cp -r "$cases/base" "$work/repo"
    if [ -d "$cases/$1/$2" ]; then
        cp -r "$cases/$1/$2/." "$work/repo/"
        if [ -f "$work/repo/.remove" ]; then
            (cd "$work/repo" && xargs rm -f <.remove)
        fi
    fi
}

"$policyctl" explain | sed -n 's/^\([EWN][0-9][0-9]*\) .*/\1/p' >"$work/codes"
[ -s "$work/codes" ] || { echo "FAIL explain lists no codes"; exit 1; }
while read -r code; do
    if [ ! -d "$cases/$code/bad" ]; then
        echo "FAIL $code: no case in tests/cases/check/$code/bad"
        failures=$((failures + 1))
        continue
    fi
    build "$code" bad
    wanted=0
    case $code in E*) wanted=3 ;; esac
    run "$wanted" "$code" "$policyctl" check "$work/repo" -o json
    has "$code" out "\"$code\""
    case $code in
    W*)
        run 3 "$code strict" "$policyctl" check --strict "$work/repo" -o json
        has "$code strict" out "\"$code\""
        ;;
    N*) run 0 "$code strict" "$policyctl" check --strict "$work/repo" ;;
    esac
    build "$code" good
    run 0 "$code good" "$policyctl" check "$work/repo" -o json
    lacks "$code good" out "\"$code\""
    run 0 "$code explained" "$policyctl" explain "$code"
done <"$work/codes"

# Places and source lines, as authors see them.
build W310 bad
run 0 "shape" "$policyctl" check "$work/repo"
has "shape" err "warning[W310]: rule \`b\`: \`sub.tenant == res.owner\` is true when both are absent"
has "shape" err "--> policies/b.lua:3"
has "shape" err "3 |   when = function(sub, res, ctx) return sub.tenant == res.owner end,"
has "shape" err "= help: use same(sub.tenant, res.owner)"
has "shape" out "2 rules, 0 errors, 1 warning"

# Not a repository, and files that would surprise.
mkdir "$work/empty"
run 2 "no repository" "$policyctl" check "$work/empty"
has "no repository" err "policyctl init"
build W310 good
echo '{}' >"$work/outside.json"
mkdir "$work/repo/data"
ln -s "$work/outside.json" "$work/repo/data/host.json"
run 3 "symbolic link" "$policyctl" check "$work/repo"
has "symbolic link" err "data/host.json: a symbolic link"
build W310 good
mkdir "$work/repo/policies/more"
run 3 "folder" "$policyctl" check "$work/repo"
has "folder" err "policies/more"
build W310 good
head -c 262145 /dev/zero | tr '\0' ' ' >"$work/repo/policies/huge.lua"
run 3 "too large" "$policyctl" check "$work/repo"
has "too large" err "policies/huge.lua"
head -c 262144 /dev/zero | tr '\0' ' ' >"$work/repo/policies/huge.lua"
run 0 "just fits" "$policyctl" check "$work/repo"
finish
