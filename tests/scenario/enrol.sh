#!/usr/bin/env bash
# Enrolment: a token works once, for one key; a lost answer does not burn it; what is there is never
# overwritten; a service can enrol itself when it starts.
. "$(dirname "$0")/lib.sh"

set_up
try() { "$POLICYCTL" service join "$(cat "$scratch/$1.token")" --dir "$scratch/$2" >"$scratch/join.log" 2>&1; }

join one
is_true "the key is private" [ "$(stat -c %a "$scratch/one/curve.key")" = 600 ]

say "again into the same folder"
is_true "refused" eval '! try one one'
is_true "and says why" grep -q 'identity already' "$scratch/join.log"

say "a used token with another key"
is_true "refused" eval '! try one elsewhere'
is_true "no identity is left" [ ! -e "$scratch/elsewhere/identity.json" ]

say "the answer was lost: the same key gets the same answer"
client=$(grep -o '"client": *"[^"]*"' "$scratch/one/identity.json")
rm "$scratch/one/identity.json"
is_true "joins again" try one one
is_true "as the same client" [ "$client" = "$(grep -o '"client": *"[^"]*"' "$scratch/one/identity.json")" ]

say "a token that was tampered with"
sed 's/^pdpe1\.\(.\)/pdpe1.x/' "$scratch/one.token" >"$scratch/broken.token"
is_true "refused" eval '! try broken third'

say "a service enrols itself when it starts"
"$POLICYCTL" service enrol self --bundle acme >"$scratch/self.token" 2>>"$scratch/policyctl.log"
PEP_ENROL_TOKEN_FILE="$scratch/self.token" watch self
until_true 15 "self decides by version 1" in_state self FRESH 1
until_true 5 "allows" decides self allow
unwatch self
watch self
until_true 10 "and again without the token" in_state self FRESH 1
