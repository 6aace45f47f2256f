#!/usr/bin/env bash
# Revocation is live: the revoked service denies at once, stays so after a restart without a server,
# and its neighbours miss nothing. A suspension can be lifted.
. "$(dirname "$0")/lib.sh"

set_up
join bad
join good
watch bad
watch good
until_true 10 "bad decides by version 1" in_state bad FRESH 1
until_true 10 "good decides by version 1" in_state good FRESH 1

say "suspend and resume"
"$POLICYCTL" service suspend bad >>"$scratch/policyctl.log" 2>&1 || die "service suspend"
until_true 5 "bad is cut off" in_state bad REVOKED
until_true 5 "bad denies" decides_code bad revoked
"$POLICYCTL" service resume bad >>"$scratch/policyctl.log" 2>&1 || die "service resume"
until_true 45 "bad is back" in_state bad FRESH 1
until_true 5 "bad allows" decides bad allow

say "revoke"
"$POLICYCTL" service revoke bad >>"$scratch/policyctl.log" 2>&1 || die "service revoke"
until_true 5 "bad is cut off" in_state bad REVOKED
until_true 5 "bad denies" decides_code bad revoked
write_policy 86400 deny
push "after the revocation"
until_true 5 "good decides by version 2" in_state good FRESH 2
is_true "bad has no version 2" [ -z "$(grep '"version":2,' "$scratch/bad.log")" ]

say "a restart does not help"
unwatch bad
answer=$(ask bad --timeout 1s || true)
is_true "denies: $answer" has "$answer" '"code":"revoked"'
stop_pdpd
answer=$(ask bad --timeout 1s || true)
is_true "denies without a server too: $answer" has "$answer" '"code":"revoked"'
is_true "good still decides" decides good deny
