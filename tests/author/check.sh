#!/bin/sh
# What `check` prints: places, source lines, bounds, exit codes, and files that would surprise. That
# every code has its two cases is codes.sh.
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

# Places and source lines, as authors see them.
build W310 bad
run 0 "shape" "$policyctl" check "$work/repo"
has "shape" err "warning[W310]: rule \`b\`: \`sub.tenant == res.owner\` is true when both are absent"
has "shape" err "--> policies/b.lua:3"
has "shape" err "3 |   when = function(sub, res, ctx) return sub.tenant == res.owner end,"
has "shape" err "= help: use same(sub.tenant, res.owner)"
has "shape" err "warning[W310]: rule \`c\`: \`sub.tenant ~= res.owner\` is false when both are absent"
has "shape" err "--> lib/owner.lua:5"
has "shape" out "3 rules, 0 errors, 2 warnings"

# Names inside modules: where the parameters go, and by the parameters' names where that is not seen.
build E121 bad
run 3 "module" "$policyctl" check "$work/repo"
has "module" err "error[E121]: rule \`c\`: the resource has no attribute \`amuont\`"
has "module" err "--> lib/limits.lua:3"
has "module" err "= help: did you mean \`res.amount\`?"
lacks "module" err "W330" # the trial run's word for the same
build E120 bad
run 3 "list" "$policyctl" check "$work/repo"
has "list" err "error[E120]: the subject has no attribute \`tennant\`"
has "list" err "--> lib/who.lua:2"

# A file with too many rules says where to cut it, and cutting there is enough.
build E111 good
i=0
while [ $i -lt 140 ]; do
    echo "allow \"r$i\" { action = \"read\", resource = \"invoice:acme/n$i\", roles = \"viewer\" }"
    i=$((i + 1))
done >"$work/repo/policies/rules.lua"
run 3 "full file" "$policyctl" check "$work/repo"
has "full file" err "error[E208]: the file has"
line=$(sed -n 's/.*move the rules from line \([0-9]*\) on into a second file.*/\1/p' "$work/err")
has "full file" err "--> policies/rules.lua:$line"
sed -n "$line,\$p" "$work/repo/policies/rules.lua" >"$work/repo/policies/more.lua"
sed -i "$line,\$d" "$work/repo/policies/rules.lua"
run 0 "cut file" "$policyctl" check "$work/repo"

# A rule whose table is not its own call's would be no rule at all.
for text in 'deny("x", { action = "read", resource = "invoice", reason = "x" })' 'deny "x"' \
    'local d = deny "x"; deny "y" { action = "read", resource = "invoice", reason = "x" }'; do
    build E111 good
    echo "$text" >"$work/repo/policies/z.lua"
    run 3 "no table: $text" "$policyctl" check "$work/repo"
    has "no table" err "error[E211]: rule \`x\` has no table: write \"x\" { action = ... }"
    has "no table" err "--> policies/z.lua:1"
done
build E111 good
echo 'local d = deny "x"; d { action = "read", resource = "invoice", roles = "manager", reason = "x" }' >"$work/repo/policies/z.lua"
run 0 "its table later" "$policyctl" check "$work/repo"

# What people coming from other languages write.
advises() { # advises TEXT HELP
    build E111 good
    echo "$1" >"$work/repo/policies/z.lua"
    run 3 "$1" "$policyctl" check "$work/repo"
    has "$1" err "$2"
}
advises 'allow "z" { action = "read" resource = "invoice" }' "= help: is there a comma before it?"
advises 'allow "z" { action = "read", resource = "invoice", when = function(s) return s.id != "x" end }' "is ~= in Lua"
advises 'allow "z" { action = "read", resource = "invoice", when = sub.id == "x" }' "when = function(sub, res, ctx)"
advises 'permit "z" { action = "read", resource = "invoice" }' "it is no word of the language"
advises 'local t = os.time()' "time comes from ctx.now"

# Each kind of obligation that comes to nothing.
build W312 bad
run 0 "obligations" "$policyctl" check "$work/repo"
has "obligations" err "warning[W312]: challenge \`b\` does not say what the caller must do"
has "obligations" err "warning[W312]: deny \`c\` has an obligation, which nobody gets"
has "obligations" err "warning[W312]: allow \`d\` asks for a step-up of a caller who is allowed"

build W313 bad
run 0 "no list" "$policyctl" check "$work/repo"
has "no list" err "warning[W313]: has gets a text where a list belongs"
has "no list" err "warning[W313]: overlaps gets a text where a list belongs"
has "no list" err "--> policies/b.lua:7"

# A nil in a head is no condition, so it is refused.
build E115 bad
run 3 "nil" "$policyctl" check "$work/repo"
has "nil" err "the module lib.teams has no \`own\`: did you mean \`owns\`?"
has "nil" err "error[E115]: rule \`b\`: the value of \`roles\` is nil"

# One file that Lua refuses does not hide the mistakes in the others.
build E111 bad
echo 'allow "z" {' >"$work/repo/policies/z.lua"
run 3 "two files" "$policyctl" check "$work/repo" -o json
has "two files" out '"E210"'
has "two files" out '"E111"'

# Many findings of one kind: ten are shown and the rest is counted; --all and -o json show all.
build W302 good
i=0
while [ $i -lt 25 ]; do
    echo "deny \"d$i\" { action = \"read\", resource = \"invoice:*/$i\" }"
    i=$((i + 1))
done >"$work/repo/policies/many.lua"
run 0 "many" "$policyctl" check "$work/repo"
has "many" err "15 more W302"
has "many" out "0 errors, 25 warnings"
[ "$(grep -c 'warning\[W302\]' "$work/err")" = 10 ] || { echo "FAIL many: not ten"; failures=$((failures + 1)); }
run 0 "all" "$policyctl" check --all "$work/repo"
[ "$(grep -c 'warning\[W302\]' "$work/err")" = 25 ] || { echo "FAIL all: not 25"; failures=$((failures + 1)); }

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
