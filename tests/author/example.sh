#!/bin/sh
# The example repository is the language's acceptance test: strict check, all tests, every rule seen
# applying and not applying, and nothing for luacheck to say.
. "$(dirname "$0")/kit.sh"
cp -r "$source/policies" "$work/policies"

run 0 "strict check" "$policyctl" check --strict "$work/policies"
has "strict check" out "0 errors, 0 warnings"
lacks "the editor's types are fresh" err "N309"
run 0 "tests" "$policyctl" test "$work/policies" --cover --min-cover 100
has "tests" out ", 0 failed"
has "coverage" out "(100%)"
run 0 "luacheck" inside "$work/policies" luacheck -q --no-color --no-cache .

# The same tests notice a broken policy: without the guard rail the invariant must fail.
cat >"$work/policies/policies/guard.lua" <<'LUA'
allow "anybody.reads" { action = "read", resource = "invoice", reason = "too wide" }
LUA
sed -i '/legal.hold/,/}/d; /own tenant only/,/}/d' "$work/policies/tests/guard_test.lua"
sed -i 's/by = "tenant.isolation"/by = "denied"/' "$work"/policies/tests/*_test.lua
run 4 "broken policy" "$policyctl" test "$work/policies"
has "broken policy" out "no cross-tenant allow, broken by:"
finish
