#!/bin/sh
# `push --wait` against real services: done when both run it, 6 and a name when one does not, and a
# service that is away is named but not waited for. The fourth argument is pep-probe.
. "$2/tests/policyctl/server.sh"
probe=$4
probes=
trap 'for p in $probes; do kill -CONT "$p"; kill "$p"; done 2>/dev/null; stop_server; rm -rf "$work"' EXIT
start_server
dir="$work/acme"
mkdir -p "$dir/policies"
echo '{"name": "acme"}' >"$dir/bundle.json"
echo 'allow "invoice.read" { action = "read", resource = "invoice", roles = "viewer", reason = "r" }' \
    >"$dir/policies/invoice.lua"
ctl 0 "context add" local "$server/operator.json"
ctl 0 "root init"
ctl 0 push "$dir"

watch_one() { # watch_one NAME MODE: joins and keeps running; its process id in $last
    ctl 0 "service enrol" "$1" --bundle acme
    ctl 0 "service join" "$(cat "$work/out")" --dir "$work/$1"
    "$probe" --identity "$work/$1" --mode "$2" --watch >"$work/$1.log" 2>&1 &
    last=$!
    probes="$probes $last"
    for i in $(seq 100); do
        grep -q '"state":"FRESH"' "$work/$1.log" && return 0
        sleep 0.1
    done
    echo "FAIL $1 is not FRESH"
    cat "$work/$1.log"
    failures=$((failures + 1))
}
watch_one billing-api subscribe
watch_one doc-api subscribe

ctl 0 push "$dir" --wait 20s
has "all" err "2 of 2 on version 2"
ctl 0 status -o json
json "status" '$.services[0].version' 2 '$.services[1].version' 2 '$.services[0].state' FRESH

# One is stopped: it cannot fetch. The version is live all the same.
kill -STOP "$last"
ctl 6 push "$dir" --wait 2s -o json
json "live" '$.state' live '$.version' 3
has "laggard" err "doc-api/1"
has "count" err "1 of 2 services on version 3"
lacks "laggard" err "billing-api"
kill -CONT "$last"
ctl 0 rollback --wait 20s
has "again" err "2 of 2 on version 4"

# Revoked services are not waited for.
ctl 0 "service revoke" doc-api
ctl 0 push "$dir" --wait 20s
has "one left" err "1 of 1 on version 5"
ctl 0 status -o json
run 0 "state" grep -q '"state":"REVOKED"' "$work/doc-api.log"
finish
