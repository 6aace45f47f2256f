#!/bin/sh
# `policyctl test`: failures say why, exit codes, coverage, bad test files, JSON.
. "$(dirname "$0")/kit.sh"
repo=$work/repo
"$policyctl" init "$repo" 2>/dev/null

run 0 "starter" "$policyctl" test "$repo" --cover
has "starter" out "10 passed, 0 failed"
has "cover" out "rules seen both ways: 1 of 1 (100%)"

cat >"$repo/tests/more_test.lua" <<'LUA'
local vic = token { sub = "u-vic", tenant = "acme", roles = { "viewer" } }
test "viewers delete" { as = vic, action = "delete", resource = "invoice:acme/1", expect = "allow" }
test "right outcome, wrong rule" { as = vic, action = "read", resource = "invoice:globex/1",
  expect = "deny", by = "invoice.read" }
LUA
run 4 "failing" "$policyctl" test "$repo"
has "failing" out "FAIL  viewers delete"
has "failing" out "tests/more_test.lua:2"
has "failing" out "u-vic delete invoice:acme/1"
has "failing" out "expected allow, got deny by not_granted"
has "failing" out "expected deny by invoice.read, got deny by not_granted"
has "failing" out "same:"
run 0 "closing line" test "$(tail -n 1 "$work/out")" = "10 passed, 2 failed"
run 4 "json" "$policyctl" test "$repo" -o json
has "json" out '"passed": 10'
has "json" out '"failed": 2'
has "json" out '"explain"'

# An invariant that does not hold, and one that fails.
cat >"$repo/tests/more_test.lua" <<'LUA'
invariant "nobody reads" { when = function(_, _, _, decision) return not decision.allowed end }
invariant "not a boolean" { when = function() return 1 end }
LUA
run 4 "invariants" "$policyctl" test "$repo"
has "invariants" out "nobody reads, broken by: reading invoices"
has "invariants" out "must return true or false"
run 0 "invariants count" test "$(tail -n 1 "$work/out")" = "10 passed, 2 failed"

# A deny for the wrong reason.
cat >"$repo/tests/more_test.lua" <<'LUA'
local ann = token { sub = "ann", tenant = "acme" }
matrix "misspelt" { resource = "invoice:acme/1", { "as", "raed" }, { ann, "deny" } }
test "meant" { as = ann, action = "raed", resource = "invoice:acme/1", expect = "deny", by = "unknown" }
test "too short" { as = ann, action = "read", resource = "invoice:acme", expect = "deny" }
LUA
run 0 "refused" "$policyctl" test "$repo"
has "refused" err "\`misspelt\` passes without asking a rule, by unknown: the policy declares no action \`raed\`"
has "refused" err "\`too short\` passes without asking a rule, by bad_request"
has "refused" err "by = \"bad_request\""
lacks "refused" err "\`meant\`"

# Coverage as a gate.
cat >"$repo/tests/more_test.lua" <<'LUA'
LUA
cat >>"$repo/policies/invoice.lua" <<'LUA'
deny "invoice.never" { action = "delete", resource = "invoice", reason = "never",
  when = function(_, res) return res.number == "0" end }
LUA
run 4 "min cover" "$policyctl" test "$repo" --min-cover 100
has "min cover" out "<- never applied"
has "never applied" out "invoice.never"
run 4 "never applied, json" "$policyctl" test "$repo" --min-cover 100 -o json
tr -d ' \n' <"$work/out" >"$work/flat"
run 0 "never applied, json" grep -q '"never_applied":\["invoice.never"\]' "$work/flat"
run 0 "lower bar" "$policyctl" test "$repo" --min-cover 50

# Test files that are wrong.
bad() {
    printf '%s\n' "$2" >"$repo/tests/more_test.lua"
    run 3 "$1" "$policyctl" test "$repo"
    has "$1" err "$3"
}
bad "no token" 'test "x" { as = "ann", action = "read", resource = "invoice:a/1", expect = "deny" }' "must be a token"
bad "unknown key" 'test "x" { as = token { sub = "a" }, acton = "read" }' "did you mean \`action\`"
bad "unknown outcome" 'test "x" { as = token { sub = "a" }, action = "read", resource = "i:a", expect = "no" }' "not an outcome"
bad "time" 'test "x" { as = token { sub = "a" }, action = "read", resource = "i:a", expect = "deny", at = "9:00" }' "\`at\`"
bad "no body" 'test "x"' "has no { ... }"
bad "matrix width" 'matrix "x" { resource = "i:a", { "as", "read" }, { token { sub = "a" }, "deny", "deny" } }' "row 2 has 3"
bad "endless" 'while true do end' "runs too long"
bad "memory" 'local t = {} for i = 1, 1e9 do t[i] = { i } end' "too"
bad "no files" 'os.remove("x")' "os"
bad "runtime error" 'local t = nil
test "x" { as = t.x }' "--> tests/more_test.lua:2"
run 3 "bad file in json" "$policyctl" test "$repo" -o json
has "bad file in json" out '"E502"'
has "bad file in json" out '"line": 2'
has "bad file in json" out '"failed": 0'
bad "misspelt attribute" 'test "x" { as = token { sub = "a" }, action = "read", resource = "invoice:a/1",
  with = { amuont = 1 }, expect = "deny" }' "did you mean \`amount\`"
bad "function as claim" 'token { sub = ipairs }' ""
# A claim that no rule can see may be why; a test file with another name is not run, and check says so.
cat >"$repo/tests/more_test.lua" <<'LUA'
local t = token { sub = "u", tennant = "acme", roles = { "viewer" } }
test "own" { as = t, action = "read", resource = "invoice:acme/1", expect = "allow" }
LUA
run 4 "strange claim" "$policyctl" test "$repo"
has "strange claim" out "      note       schema.lua reads no claim \`tennant\`, so no rule sees it; did you mean \`tenant\`?"
mv "$repo/tests/more_test.lua" "$repo/tests/more.lua"
run 0 "another name" "$policyctl" test "$repo"
run 3 "another name, strict" "$policyctl" check --strict "$repo"
has "another name" err "warning[W311]: this file is not run"
rm "$repo/tests/more.lua"
finish
