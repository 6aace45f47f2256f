#!/bin/sh
# A fresh repository checks, tests, lints, decides on a token of its own demo key, and is never
# overwritten.
. "$(dirname "$0")/kit.sh"
dir="$work/My Policy"
run 0 "init" "$policyctl" init "$dir"
run 0 "strict check" "$policyctl" check --strict "$dir"
has "strict check" out "0 errors, 0 warnings"
run 0 "tests" "$policyctl" test "$dir" --min-cover 100
has "tests" out ", 0 failed"
run 0 "luacheck" inside "$dir" luacheck -q --no-color --no-cache .
run 0 "name" grep -q '"name": "my-policy"' "$dir/bundle.json"
run 0 "key is private" test "$(stat -c %a "$dir/demo.jwk")" = 600
run 0 "keys" "$policyctl" key list
has "keys" out "policy"

echo '-- mine' >>"$dir/schema.lua"
run 1 "init twice" "$policyctl" init "$dir"
has "init twice" err "is there already"
run 0 "nothing lost" grep -q '^-- mine' "$dir/schema.lua"
mkdir "$work/half"
echo keep >"$work/half/schema.lua"
run 1 "half a folder" "$policyctl" init "$work/half"
run 0 "nothing half done" test "$(ls -A "$work/half")" = schema.lua
run 2 "no folder" "$policyctl" init

# The editor's types follow the schema; check says when they do not; nobody's own file is touched.
types="$dir/types/pdp.lua"
run 0 "fresh types" "$policyctl" check "$dir"
lacks "fresh types" err "N309"
cat >>"$dir/schema.lua" <<'LUA'
resource "mail-box.v2" { actions = { "open", "say \"hi\"" }, attrs = { ["kept-until"] = "integer", labels = "set?" } }
LUA
run 0 "old types" "$policyctl" check "$dir" --strict
has "old types" err "note[N309]"
has "old types" err "= help: policyctl init --types $dir"
cp "$types" "$work/types"
run 0 "refresh" "$policyctl" init --types "$dir"
run 0 "refreshed" "$policyctl" check "$dir"
lacks "refreshed" err "N309"
cp "$types" "$work/out"
has "class" out '---@class pdp.Resource.mail-box.v2'
has "a name that is no word" out '---@field ["kept-until"] integer'
has "an optional list" out '---@field labels? string[]'
has "a quote" out '---| "say \"hi\""'
has "a segment" out '---@field number string'
has "roles" out '---@field roles? pdp.Role[]'
run 0 "still Lua" lua5.4 -e 'assert(loadfile(arg[1]))' "$types"

# The order in which the schema says things does not matter.
mkdir "$work/turned"
cp -r "$dir/." "$work/turned"
awk '/^resource "mail-box/ { print > first; next } { print > rest }' first="$work/first" rest="$work/rest" "$dir/schema.lua"
cat "$work/first" "$work/rest" >"$work/turned/schema.lua"
run 0 "turned" "$policyctl" init --types "$work/turned"
run 0 "same bytes" cmp "$types" "$work/turned/types/pdp.lua"
rm "$work/turned/.luarc.json" "$work/turned/schema.lua"
run 0 "without a schema" "$policyctl" init --types "$work/turned"
run 0 "any claim" grep -q '^---@field \[string\] any every other claim' "$work/turned/types/pdp.lua"
run 0 "settings are back" test -f "$work/turned/.luarc.json"

echo '-- mine' >"$types"
run 1 "not generated" "$policyctl" init --types "$dir"
has "not generated" err "was not generated"
run 0 "nobody's" "$policyctl" check "$dir"
lacks "nobody's" err "N309"
cp "$work/types" "$types"
echo 'resource "x" {' >>"$dir/schema.lua"
run 3 "broken" "$policyctl" init --types "$dir"
has "broken" err "policyctl check"
run 0 "left as it was" cmp "$types" "$work/types"
sed -i '$d' "$dir/schema.lua"
run 2 "no repository" "$policyctl" init --types "$work"

# A token of the demo key decides; changed by one character it does not.
run 0 "sign" "$policyctl" token sign --key "$dir/demo.jwk" \
    --claims '{"iss":"https://idp.example","aud":"billing-api","sub":"ann","roles":["viewer"],"tenant":"acme"}'
cp "$work/out" "$work/token"
run 0 "token" "$policyctl" eval --policy "$dir" --token "$work/token" -e read invoice:acme/1
has "token" out "ALLOW  invoice.read"
run 7 "another tenant" "$policyctl" eval --policy "$dir" --token "$work/token" -e read invoice:globex/1
run 7 "own audience" "$policyctl" eval --policy "$dir" --token "$work/token" --audience doc-api -e -o json read invoice:acme/1
has "own audience" out '"bad_token"'
sed 's/\.\(.\)\(.\)/.\2\1/' "$work/token" >"$work/forged"
run 7 "forged" "$policyctl" eval --policy "$dir" --token "$work/forged" -e -o json read invoice:acme/1
has "forged" out '"bad_token"'
finish
