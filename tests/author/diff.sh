#!/bin/sh
# diff in words of rules: each kind of change, and none where only layout and comments differ.
. "$(dirname "$0")/kit.sh"
cp -r "$source/policies" "$work/a"
cp -r "$source/policies" "$work/b"
run 0 "equal" "$policyctl" diff -e "$work/a" "$work/b"
sed -i 's/^allow/-- a remark\nallow/; s/  same     =/  same =/' "$work/b"/policies/*.lua
run 0 "layout" "$policyctl" diff -e "$work/a" "$work/b"

change() { # CODE NAME FILE SED TEXT...
    name=$1 file=$2 script=$3
    shift 3
    rm -rf "$work/b"
    cp -r "$source/policies" "$work/b"
    sed -i "$script" "$work/b/$file"
    run 5 "$name" "$policyctl" diff -e "$work/a" "$work/b"
    for text in "$@"; do has "$name" out "$text"; done
}
change "role widened" policies/invoice.lua '/invoice.create/,/^}/s/"accountant"/"viewer"/' \
    "invoice.create" "widened" "roles: accountant -> viewer"
change "role narrowed" policies/invoice.lua '/invoice.create/,/^}/s/"accountant"/"manager"/' "narrowed"
change "action added" policies/invoice.lua 's/{ "read", "list" }/{ "read", "list", "delete" }/' "widened"
change "scope added" policies/ledger.lua 's/"ledger:append"/{ "ledger:append", "x" }/' "narrowed"
change "rule removed" policies/doc.lua '/doc.handbook/,/^}/d' "- allow" "doc.handbook" "removed"
change "rule added" policies/doc.lua '$a allow "doc.new" { action = "read", resource = "doc", roles = "manager", same = "tenant" }' \
    "+ allow" "doc.new"
change "condition" policies/invoice.lua 's/<= 300/<= 600/' "invoice.approve.fresh-mfa" "condition: changed (function)" \
    "- policies/invoice.lua:45" "<= 300" "+ policies/invoice.lua:45" "<= 600"
change "same removed" policies/doc.lua '/doc.handbook/,/^}/s/same *= "tenant",//' "doc.handbook" "widened: lets through more"
change "deny narrowed" policies/guard.lua '/tenant.isolation/,/^}/s/resource = "\*"/resource = "doc"/' "tenant.isolation" "narrowed: lets through more"
change "deny removed" policies/guard.lua '/legal.hold/,/^}/d' "- deny" "doc.legal-hold" "removed: lets through more"
change "pattern" policies/doc.lua 's,"doc:\*/handbook","doc:acme/handbook",' "doc.handbook" "narrowed: lets through less"
change "settings" bundle.json 's/"max_stale": *[0-9]*/"max_stale": 600/' "bundle.json" "max_stale: 86400 -> 600 seconds"
change "expires" bundle.json 's/"expires_days": *[0-9]*/"expires_days": 7/' "expires_days: 90 -> 7 days"
change "issuer" issuers.json 's/"billing-api", *//' "issuers.json" "audiences" "without \"billing-api\""
change "condition removed" policies/ledger.lua '/unless/,/end,/d' "widened" "condition: removed"
change "reason" policies/doc.lua 's/owners have full control/owners/' "reason: owners have full control -> owners"
change "narrowed and reworded" policies/invoice.lua 's/{ "read", "list" }/"read"/; s/viewers read/they read/' "narrowed" \
    "action: read, list -> read" "reason: viewers read"
change "data" data/limits.json 's/10000/20000/' "data/limits.json" "acme.approve_max: 10000 -> 20000"
change "module" lib/hours.lua 's/18:00/19:00/' "lib/hours.lua" "18:00" "+ line" "19:00"
change "schema" schema.lua 's/auditor    = { "viewer" }/auditor    = {}/' "schema.lua" "auditor    = {}"
# What the rules of a file share is told also beside a rule that changed.
printf 'local function mine(sub) return sub.id == "u-max" end\nallow "doc.max" { action = "write", resource = "doc", when = mine }\n' \
    >>"$work/a/policies/doc.lua"
rm -rf "$work/b"
cp -r "$work/a" "$work/b"
sed -i 's/"u-max"/"u-eve"/; s/owners have full control/owners/' "$work/b/policies/doc.lua"
run 5 "shared function" "$policyctl" diff -e "$work/a" "$work/b"
has "shared function" out "code       policies/doc.lua"
has "shared function" out '"u-eve" end'
run 0 "without -e" "$policyctl" diff "$work/a" "$work/b"
run 5 "json" "$policyctl" diff -e -o json "$work/a" "$work/b"
has "json" out '"changes"'
run 3 "broken" "$policyctl" diff "$work/a" "$source/tests/cases/check/E001/bad"
finish
