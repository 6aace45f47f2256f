#!/bin/sh
# bench measures something, from tests and from a file, and refuses bad requests by line.
. "$(dirname "$0")/kit.sh"
run 0 "tests" "$policyctl" bench "$source/policies" --seconds 1
has "tests" out "decisions/s"
has "tests" out "SLOWEST RULE"
has "tests" out "SLOWEST REQUEST"
run 0 "wide" "$policyctl" bench "$source/policies" --seconds 1 -o wide
has "wide" out "policies/invoice.lua:"

# The rule that works most is the one that is named first. It works nearly all of the time and does
# nearly all that its budget allows: on a busy machine the others may be interrupted, too.
cp -r "$source/policies" "$work/slow"
cat >"$work/slow/policies/slow.lua" <<'LUA'
deny "slow" { action = "*", resource = "*", reason = "counts first",
  when = function() local n = 0 for i = 1, 45000 do n = n + i end return n == 0 end }
LUA
run 0 "slow" "$policyctl" bench "$work/slow" --seconds 1 -o json
tr -d ' \n' <"$work/out" >"$work/flat" && mv "$work/flat" "$work/out"
has "slow" out '"slowest":[{"rule":"slow",'
cat >"$work/requests" <<'JSON'
{"subject":{"sub":"u-vic","tenant":"acme","roles":["viewer"]},"action":"read","resource":"invoice:acme/1"}
{"subject":{"sub":"u-bob","tenant":"acme"},"action":"read","resource":"doc:acme/plan","attrs":{"owner":"u-bob"}}
JSON
run 0 "file" "$policyctl" bench "$source/policies" --requests "$work/requests" --seconds 1 -o json
has "file" out '"p99_ns"'
has "file" out '"requests": 2'
echo '{"subject":{"sub":"x"},"action":"read"}' >>"$work/requests"
run 1 "bad line" "$policyctl" bench "$source/policies" --requests "$work/requests"
has "bad line" err "requests:3"
run 2 "bad seconds" "$policyctl" bench "$source/policies" --seconds 0
finish
