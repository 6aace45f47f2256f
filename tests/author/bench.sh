#!/bin/sh
# bench measures something, from tests and from a file, and refuses bad requests by line.
. "$(dirname "$0")/kit.sh"
run 0 "tests" "$policyctl" bench "$source/policies" --seconds 1
has "tests" out "decisions/s"
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
