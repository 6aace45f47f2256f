#!/bin/sh
# eval: the shape of its answers, time, exit codes, and bad input.
. "$(dirname "$0")/kit.sh"
p=$source/policies
boss='{"sub":"u-max","tenant":"acme","roles":["manager"],"amr":["mfa"],"auth_time":1772452740}'
bill='{"amount":900,"owner":"u-bob"}'

eval_() { "$policyctl" eval --policy "$p" "$@"; }
run 0 "allow" eval_ --subject "$boss" --attrs "$bill" --at 2026-03-02T12:00:00Z -o json approve invoice:acme/1
for member in '"outcome"' '"code"' '"rule"' '"reason"' '"obligations"' '"advice"' '"faults"' '"explain"' '"version"'; do
    has "allow has $member" out "$member"
done
tr -d ' \n' <"$work/out" >"$work/flat" && mv "$work/flat" "$work/out"
has "allow" out '"outcome":"allow","code":"allowed","rule":"invoice.approve"'
has "allow" out '"version":0'

run 0 "challenge" eval_ --subject "$boss" --attrs "$bill" --at 1772456400 --explain -o json approve invoice:acme/1
tr -d ' \n' <"$work/out" >"$work/flat" && mv "$work/flat" "$work/out"
has "challenge" out '"outcome":"challenge","code":"challenge","rule":"invoice.approve.fresh-mfa"'
has "obligation" out '"max_age":300'
has "obligation" out 'urn:acme:mfa'
has "explain" out '{"effect":"deny","rule":"tenant.isolation","applied":false,'

run 0 "deny answers" eval_ --subject "$boss" read invoice:globex/1
has "deny" out "DENY  tenant.isolation  the resource belongs to another tenant"
run 7 "deny with -e" eval_ --subject "$boss" -e read invoice:globex/1
run 7 "challenge with -e" eval_ --subject "$boss" --attrs "$bill" --at 1772456400 -e approve invoice:acme/1
run 0 "allow with -e" eval_ --subject "$boss" -e read invoice:acme/1
run 0 "explain" eval_ --subject "$boss" --explain read invoice:acme/1
has "explain" out "invoice.read"
run 0 "unknown" eval_ --subject "$boss" -o json explode invoice:acme/1
has "unknown" out '"unknown"'
run 0 "bad request" eval_ --subject "$boss" -o json read invoice:acme
has "bad request" out '"bad_request"'
run 0 "reserved attribute" eval_ --subject "$boss" --attrs '{"tenant":"acme"}' -o json read invoice:globex/1
has "reserved attribute" out '"bad_request"'
run 0 "no sub" eval_ --subject '{"tenant":"acme"}' -o json read invoice:acme/1
has "no sub" out '"bad_token"'

# An allow with an obligation is none for everybody.
mkdir -p "$work/duty/policies"
echo '{"name": "duty"}' >"$work/duty/bundle.json"
echo 'allow "a" { action = "read", resource = "x", oblige = { type = "log" } }' >"$work/duty/policies/a.lua"
run 0 "obligation of an allow" "$policyctl" eval --policy "$work/duty" --subject "$boss" -e read x:1
has "obligation of an allow" out 'obligations  [{"type":"log"}]'
has "obligation of an allow" out "a service that does not fulfil them gets a deny"
run 0 "free allow" eval_ --subject "$boss" read invoice:acme/1
lacks "free allow" out "fulfil"

# What no rule can see is said, and the answer is the same.
run 0 "strange attribute" eval_ --subject "$boss" --attrs '{"amuont":900}' read invoice:acme/1
has "strange attribute" err "\`invoice\` has no attribute \`amuont\`"
has "strange attribute" err "did you mean \`amount\`?"
has "strange attribute" out "ALLOW"
run 0 "strange claim" eval_ --subject '{"sub":"x","tennant":"acme","iss":"y"}' --context '{"ipp":"::1"}' -o json read invoice:acme/1
has "strange claim" err "reads no claim \`tennant\`, so no rule sees it; did you mean \`tenant\`?"
has "strange context" err "no rule reads ctx.ipp"
lacks "registered claim" err "iss"
run 0 "nothing strange" eval_ --subject "$boss" --attrs "$bill" read invoice:acme/1
lacks "nothing strange" err "no"
run 2 "nobody asks" eval_ read invoice:acme/1
run 2 "two subjects" eval_ --subject '{}' --token x read invoice:acme/1
run 2 "attrs is a list" eval_ --subject "$boss" --attrs '[1]' read invoice:acme/1
run 2 "attrs twice" eval_ --subject "$boss" --attrs '{"amount":1,"amount":2}' read invoice:acme/1
run 2 "bad time" eval_ --subject "$boss" --at tomorrow read invoice:acme/1
run 2 "no resource" eval_ --subject "$boss" read
run 2 "no repository" "$policyctl" eval --policy "$work" --subject "$boss" read invoice:acme/1
run 2 "keys without audience" eval_ --token x --keys y read invoice:acme/1

# Tokens: the example's identity provider, its partner that may assert one tenant only, and --keys.
sign() { "$policyctl" token sign --key "$source/tests/keys/$1.jwk" --claims "$2" --ttl 5m >"$work/token"; }
sign idp '{"iss":"https://idp.acme.example","aud":"billing-api","sub":"u-vic","tenant":"acme","roles":["viewer"]}'
run 0 "token" eval_ --token "$work/token" --audience billing-api -e read invoice:acme/1
"$policyctl" eval --policy "$p" --token - -e read invoice:acme/1 <"$work/token" >"$work/out" 2>&1 ||
    { echo "FAIL a token on standard input"; failures=$((failures + 1)); }
sign partner '{"iss":"https://sts.globex.example","aud":"doc-api","sub":"u-eve","tenant":"globex"}'
run 0 "partner" eval_ --token "$work/token" -e read doc:globex/handbook
sign partner '{"iss":"https://sts.globex.example","aud":"doc-api","sub":"u-eve","tenant":"acme"}'
run 7 "partner beyond its tenant" eval_ --token "$work/token" -e -o json read doc:acme/handbook
has "partner beyond its tenant" out '"bad_token"'

# --keys: another issuer's key set instead of issuers.json, and the wrong one.
(cd "$work" && "$policyctl" key generate --use token mine) >/dev/null 2>&1
"$policyctl" token sign --key "$work/mine.jwk" \
    --claims '{"iss":"https://else.example","aud":"billing-api","sub":"u-vic","tenant":"acme","roles":["viewer"]}' >"$work/token"
run 0 "keys" eval_ --token "$work/token" --keys "$work/mine.jwks" --audience billing-api -e read invoice:acme/1
run 7 "keys, other audience" eval_ --token "$work/token" --keys "$work/mine.jwks" --audience doc-api -e read invoice:acme/1
run 7 "unknown issuer" eval_ --token "$work/token" -e -o json read invoice:acme/1
has "unknown issuer" out '"bad_token"'
finish
