#!/bin/sh
# `token revoke` as an operator meets it: keys that may, how long an entry stands, names that no
# policy has, what to do after a restored backup.
. "$2/tests/policyctl/server.sh"
start_server
cd "$work"
iss=https://idp.example
keys="$XDG_CONFIG_HOME/policyctl/keys"

# A key that only revokes: root init takes it in, and then policy keys do not revoke.
ctl 0 "key generate" revocation
ctl 0 "context add" local "$server/operator.json"
ctl 0 "root init"
has "root init" out "may revoke tokens"
ctl 0 "root show" -o json
json "root" '$.keys[0].role' root '$.keys[1].role' policy '$.keys[3].role' revocation
ctl 0 "key list" -o json
json "key list" '$.keys[0].use' policy '$.keys[1].use' revocation
ctl 0 "token revoke" --issuer $iss --jti one --for 1h -o json
json "first" '$.number' 1 '$.entries' 1 '$.added' 1
has "a name that no policy has" err "no live policy names the issuer \`$iss\`"
mv "$keys/revocation.pub" "$keys/revocation.key" .
ctl 8 "token revoke" --issuer $iss --jti two --for 1h
has "without the key" err "not authorised: no key of this keyring may revoke tokens"
ctl 8 "token revoke" --issuer $iss --jti two --for 1h --key policy
has "with another" err "the root does not let key \`policy\` revoke tokens"
mv revocation.pub revocation.key "$keys"

# The live policy says how long its issuer's tokens can live.
ctl 0 "key generate" idp --use token
ctl 0 init acme
cat >acme/issuers.json <<JSON
[{"issuer": "$iss", "audiences": ["api"], "algorithms": ["ES256"], "max_lifetime": 600,
  "jwks": $(cat idp.jwks)}]
JSON
ctl 0 push acme
now=$(date +%s)
ctl 0 "token revoke" --issuer $iss --sid s --subject ann -o json
json "by the policy" '$.number' 2 '$.added' 2
until=$(sed -n 's/.*"expires": *\([0-9]*\).*/\1/p' out)
run 0 "expires" test "$until" -ge $((now + 661)) -a "$until" -le $((now + 691))
lacks "a name that a policy has" err "no live policy"
ctl 2 "token revoke" --issuer https://other.example --sid s
has "unknown issuer" err "set no max_lifetime"
ctl 0 "token revoke" --list
has "list" out "subject"
ctl 0 "token revoke" --list -o json
json "list" '$.number' 2 '$.entries' 3 '$.kinds.jti.entries' 1 '$.kinds.sid.entries' 1 \
    '$.kinds.subject.entries' 1 '$.kinds.subject.over' 0
ctl 0 status -o json
json "status" '$.revocations.number' 2 '$.revocations.entries' 3 '$.revocations.behind' 0
ctl 0 status
has "status" out "revoked tokens: step 2, 3 entries"

# A restored backup: pdpd knows less than this machine has seen, and somebody has to say why.
stop_server
cp "$server/pdpd.db" backup.db
start_server
ctl 0 "token revoke" --issuer $iss --jti lost --for 1h
stop_server
rm -f "$server"/pdpd.db-*
cp backup.db "$server/pdpd.db"
start_server
ctl 1 "token revoke" --issuer $iss --jti next --for 1h
has "restored" err "pdpd is at step 2 of the revoked tokens, but this machine has seen 3"
has "restored" err "token revoke --renew"
ctl 1 "token revoke" --list
ctl 0 "token revoke" --renew -o json
json "renewed" '$.number' 4 '$.entries' 3 '$.added' 0
ctl 0 "token revoke" --issuer $iss --jti lost --for 1h -o json
json "again" '$.number' 5 '$.entries' 4
ctl 0 doctor
has "doctor" out "step 5, 4 entries"
has "doctor" out "a key of this machine may revoke tokens"

ctl 2 "token revoke"
ctl 2 "token revoke" --list --renew
ctl 2 "token revoke" --issuer $iss --jti x --before now --for 1h
has "before" err "is for \`--subject\`"
ctl 2 "token revoke" --issuer $iss --jti "" --for 1h
has "empty" err "an empty name"
ctl 2 "token revoke" --issuer $iss --subject x --before yesterday --for 1h
has "before" err "not a time"
printf 'nonsense' >nonsense.jwt
ctl 2 "token revoke" nonsense.jwt
has "file" err "not a token"
finish
