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
