#!/bin/sh
# An operator's day against a real pdpd: context, root, push, conflict, rollback, services, operators,
# and what each refusal says.
. "$2/tests/policyctl/server.sh"
start_server
umask 022
dir="$work/acme"
mkdir -p "$dir/policies" "$dir/tests"
echo '{"name": "acme", "max_stale": 86400, "expires_days": 90}' >"$dir/bundle.json"
cat >"$dir/policies/invoice.lua" <<'EOF'
allow "invoice.read" { action = "read", resource = "invoice", roles = "viewer", reason = "viewers read" }
EOF
cat >"$dir/tests/invoice_test.lua" <<'EOF'
test "viewers read" { as = token { sub = "vic", roles = { "viewer" } }, action = "read",
  resource = "invoice:acme/1", expect = "allow" }
EOF

# Before anything is set up.
ctl 2 status
has "no context" err "policyctl context add"
ctl 2 build "$dir"
has "no number" err "--version"
ctl 2 "service join" pdpe1.e30 --dir "$work/id"

ctl 0 "context add" local "$server/operator.json"
ctl 1 "context add" local "$server/operator.json"
has "twice" err "already"
ctl 2 "context add" "Bad Name" "$server/operator.json"
ctl 1 "context add" other "$source/README.md"
ctl 2 "context add" other "$work/none.json"
run 0 "context mode" test "$(stat -c %a "$work/config/policyctl/contexts/local.json")" = 600
run 0 "folder mode" test "$(stat -c %a "$work/config/policyctl")" = 700
ctl 0 "context list" -o json
json "contexts" '$.contexts[0].name' local '$.contexts[0].current' 1
ctl 2 "context use" locl
has "did you mean" err "local"

# No root yet: nothing can be published, and the message says what to type.
ctl 1 push "$dir"
has "no root" err "policyctl root init"
ctl 1 doctor
has "doctor" err "policyctl root init"
ctl 2 "root init" --expires 1h
ctl 0 "root init"
has "root" out "may sign policies"
ctl 1 "root init"
has "second root" err "already"
ctl 0 "root show" -o json
json "root" '$.version' 1 '$.keys[0].role' root '$.keys[1].role' policy '$.keys[2].role' beacon '$.keys[3]' ""

# Publishing.
ctl 1 diff "$dir"
has "diff before the first push" err "nothing is published as acme yet"
ctl 0 push "$dir" -m "first rules" -o json
json "push" '$.bundle' acme '$.version' 1 '$.epoch' 1 '$.state' live
cp "$work/out" "$work/pushed"
run 0 "digest" grep -q '"digest": "sha256:[0-9a-f]\{64\}"' "$work/pushed"
ctl 0 build "$dir" -o "$work/two.bundle" -o json
json "build" '$.version' 2 '$.file' "$work/two.bundle"
sleep 1 # another second, so another manifest
ctl 0 push "$dir" -m "second"
ctl 1 push "$work/two.bundle" -o json
json "conflict" '$.state' refused '$.version' 2
has "conflict" err "= help:"
ctl 0 history -o json
json "history" '$.versions[0].version' 2 '$.versions[1].version' 1 '$.versions[1].message' "first rules" \
    '$.versions[2]' ""
ctl 0 history -n 1 -o json
json "limit" '$.versions[0].version' 2 '$.versions[1]' ""
ctl 2 history -n 0

# What does not compile, or fails its tests, goes nowhere.
cp "$dir/policies/invoice.lua" "$work/good.lua"
echo 'allow "broken" {' >>"$dir/policies/invoice.lua"
ctl 3 push "$dir"
ctl 3 build "$dir" --version 9
# Nor what compiles and `check` refuses: a claim that the schema does not declare.
cp -r "$source/policies" "$work/typo"
cat >"$work/typo/policies/typo.lua" <<'RULE'
deny "typo" { action = "read", resource = "invoice", reason = "r",
  when = function(sub) return sub.suspnded == true end }
RULE
ctl 3 push "$work/typo"
has "unknown claim" err "error[E120]"
ctl 3 build "$work/typo" --version 9
sed 's/viewer/nobody/' "$work/good.lua" >"$dir/policies/invoice.lua"
ctl 4 push "$dir" -o json
has "failing test" err "1 failed"
run 0 "nothing on stdout" test ! -s "$work/out"
ctl 0 status -o json
json "nothing published" '$.bundles[0].version' 2
cp "$work/good.lua" "$dir/policies/invoice.lua"

# The same file again is the same version: an answer that was lost does no harm.
ctl 0 build "$dir" -o "$work/three.bundle"
ctl 0 push "$work/three.bundle" -o json
json "upload" '$.version' 3
ctl 0 push "$work/three.bundle" -o json
json "again" '$.version' 3 '$.state' live
ctl 2 push "$work/three.bundle" -m text
has "signed already" err "signed already"
printf x >>"$work/three.bundle"
ctl 1 push "$work/three.bundle"
ctl 1 push "$source/README.md"
ctl 2 push "$work/nothing"
ctl 2 push "$dir" --key nobody

# Large, and too large.
cp -r "$dir" "$work/large"
mkdir "$work/large/data"
for i in 1 2 3 4 5 6 7; do
    { printf '["'; head -c 1048570 /dev/zero | tr '\0' x; printf '"]'; } >"$work/large/data/d$i.json"
done
sed 's/"acme"/"large"/' "$dir/bundle.json" >"$work/large/bundle.json"
ctl 0 push "$work/large" -o json
json "large" '$.bundle' large '$.state' live
cp "$work/large/data/d1.json" "$work/large/data/d8.json"
cp "$work/large/data/d1.json" "$work/large/data/d9.json"
ctl 3 push "$work/large"
head -c 20000000 /dev/zero >"$work/huge.bundle"
ctl 1 push "$work/huge.bundle"
ctl 2 rollback
has "which bundle" err "--bundle"

# Back, and never down.
ctl 0 rollback 1 --bundle acme -o json
json "rollback" '$.version' 4
ctl 0 rollback -b acme
has "rollback" err "has the content of 3"
ctl 2 rollback 5 -b acme
ctl 2 rollback 99 -b acme
ctl 2 rollback x -b acme
ctl 0 history -b acme -o json
json "messages" '$.versions[1].message' "rollback to 1"

# Keys: one that the root does not know, and one that others may read.
ctl 0 "key generate" stranger
ctl 1 push "$dir" --key stranger
has "stranger" err "does not let"
chmod 644 "$work/config/policyctl/keys/policy.key"
ctl 2 push "$dir" --key policy
has "mode" err "chmod 600"
chmod 600 "$work/config/policyctl/keys/policy.key"

# Services.
ctl 2 "service enrol" billing-api
has "which bundle" err "--bundle"
ctl 2 "service enrol" billing-api --bundle acme --label "a b"
ctl 0 "service enrol" billing-api --bundle acme --label ring=1
cp "$work/out" "$work/token"
run 0 "token alone" test "$(wc -l <"$work/token")" = 1
run 0 "token form" grep -q '^pdpe1\.[A-Za-z0-9_-]*$' "$work/token"
ctl 0 "service list" -o json
json "open token" '$.tokens[0].name' billing-api '$.tokens[1]' "" '$.services' "[]"
ctl 0 "service enrol" lost --bundle acmee --ttl 1s
has "unpublished bundle" err "nothing is published as acmee yet"
ctl 0 "service join" "$(cat "$work/token")" --dir "$work/id"
run 0 "key mode" test "$(stat -c %a "$work/id/curve.key")" = 600
ctl 8 "service join" "$(cat "$work/token")" --dir "$work/id2"
ctl 1 "service join" "$(cat "$work/token")" --dir "$work/id"
has "kept" err "identity"
ctl 2 "service join" nonsense --dir "$work/id3"
ctl 2 "service join" "$(cat "$work/token")"
ctl 0 status -o json
json "status" '$.services[0].name' billing-api '$.services[0].instance' 1 '$.services[1]' "" \
    '$.services[0].labels.ring' 1 '$.bundles[0].name' acme '$.bundles[0].version' 5
ctl 0 push "$dir" --wait 1s
ctl 0 "service suspend" billing-api
ctl 0 "service list" -o json
json "suspended" '$.services[0].state' suspended
ctl 0 "service resume" billing-api
ctl 0 "service revoke" billing-api/1 --wait 5s -o json
json "revoked" '$.clients' '["billing-api/1"]'
ctl 1 "service resume" billing-api
ctl 1 "service revoke" nobody

# Operators: a viewer reads and no more; a revoked one gets nothing.
ctl 2 "operator add" vera
ctl 2 "operator add" vera --role king
ctl 0 "operator add" vera --role viewer --file "$work/vera.json"
run 0 "file mode" test "$(stat -c %a "$work/vera.json")" = 600
ctl 0 "context add" vera "$work/vera.json"
ctl 0 status -c vera
POLICYCTL_CONTEXT=vera
export POLICYCTL_CONTEXT
ctl 0 "context list"
ctl 8 push "$dir"
ctl 0 "operator list" -c local
unset POLICYCTL_CONTEXT
ctl 0 "root show" -c vera
ctl 8 push "$dir" -c vera
ctl 8 "service enrol" x --bundle acme -c vera
ctl 0 "operator revoke" vera
ctl 8 status -c vera
has "revoked" err "does not accept"
ctl 0 "operator list" -o json
json "operators" '$.operators[0].name' admin '$.operators[0].state' active \
    '$.operators[1].name' vera '$.operators[1].state' revoked

# Another machine with the same operator key, but without the root, does not trust what it is told.
export XDG_CONFIG_HOME="$work/elsewhere"
ctl 0 "context add" local "$server/operator.json"
ctl 2 push "$dir"
has "root unknown" err "root show --envelope"
XDG_CONFIG_HOME="$work/config" ctl 0 "root show" --envelope
cp "$work/out" "$work/root.json"
ctl 0 "context add" told "$server/operator.json" --root "$work/root.json"
ctl 0 doctor -c told
ctl 2 push "$dir" -c told
has "no key here" err "may sign policies"
export XDG_CONFIG_HOME="$work/config"

# Interrupted while it waits: 130.
sed "s/tcp:[^\"]*/tcp:\/\/127.0.0.1:$((base + 4))/" "$server/operator.json" >"$work/silent.json"
ctl 0 "context add" silent "$work/silent.json"
run 130 "interrupt" timeout --preserve-status -s INT 1 "$policyctl" -c silent status

# A pdpd that goes back in time: its data folder as it was two versions ago. Nothing is built on it.
stop_server
cp -r "$server" "$work/backup"
start_server
ctl 0 push "$dir" --key policy -o json
number=$(sqlite3 :memory: "select json_extract(cast(readfile('$work/out') as text), '$.version')")
stop_server
rm -rf "$server"
cp -r "$work/backup" "$server"
start_server
ctl 1 push "$dir" --key policy
has "back in time" err "this machine has seen $number"
ctl 1 rollback --key policy -b acme
digest=$(ctl 0 history -b acme -o json; sqlite3 :memory: "select json_extract(cast(readfile('$work/out') as text), '$.versions[0].digest')")
ctl 0 build "$dir" --key policy --version $((number + 1)) --base "$digest" -o "$work/after.bundle"
ctl 0 push "$work/after.bundle"
ctl 0 push "$dir" --key policy -o json
json "on again" '$.version' $((number + 2))

# pdpd away; a key of another pdpd; both are told apart.
stop_server
ctl 1 status
has "away" err "nothing listens there"
ctl 1 doctor -o json
json "doctor" '$.ok' 0 '$.checks[3].check' pdpd '$.checks[3].state' failed
mv "$server" "$work/old"
start_server
sed "s/tcp:[^\"]*/tcp:\/\/127.0.0.1:$((base + 3))/" "$work/old/operator.json" >"$work/stale.json"
ctl 0 "context add" stale "$work/stale.json"
ctl 1 status -c stale
has "another server" err "not the pdpd of context"
finish
