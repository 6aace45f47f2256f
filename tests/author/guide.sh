#!/bin/sh
# Every example of docs/language.md runs: blocks that name a file are put together, in order, into one
# repository, which must pass a strict check and all its tests, with every rule covered.
. "$(dirname "$0")/kit.sh"
mkdir -p "$work/guide/policies" "$work/guide/tests" "$work/guide/lib" "$work/guide/data"
awk -v dir="$work/guide/" '
    /^```(lua|json) / {
        file = dir $2; blocks++
        if (last != "**my-policy/" $2 "**") { print "FAIL " $2 " is not named above line " NR; bad = 1 }
        next
    }
    NF                { last = $0 }
    /^```(lua|json)$/ { print "FAIL a block without a file name in line " NR; bad = 1 }
    /^```/            { file = ""; next }
    file != ""        { print >> file }
    END               { if (blocks < 10) { print "FAIL only " blocks + 0 " blocks"; bad = 1 }; exit bad }
' "$source/docs/language.md"
run 0 "strict check" "$policyctl" check --strict "$work/guide"
run 0 "tests" "$policyctl" test "$work/guide" --cover --min-cover 100
cp "$source/policies/.luacheckrc" "$work/guide/"
run 0 "luacheck" inside "$work/guide" luacheck -q --no-color --no-cache --config .luacheckrc .

# The first page alone: four files, three passed, and the eval that it shows.
rm -rf "$work/first"
mkdir -p "$work/first/policies" "$work/first/tests"
awk -v dir="$work/first/" '
    /^## The head of a rule/ { exit }
    /^```(lua|json) / { file = dir $2; next }
    /^```/      { file = ""; next }
    file != ""  { print >> file }
' "$source/docs/language.md"
run 0 "first tests" "$policyctl" test "$work/first"
has "first tests" out "3 passed, 0 failed"
run 0 "first eval" "$policyctl" eval --policy "$work/first" \
    --subject '{"sub":"u-vic","tenant":"acme","roles":["viewer"]}' --explain read invoice:acme/4711
has "first eval" out "ALLOW"
finish
