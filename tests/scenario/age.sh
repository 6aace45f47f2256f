#!/usr/bin/env bash
# Age: without proofs a policy goes from FRESH to STALE (still decides, and says so) to EXPIRED
# (denies), and a proof makes it FRESH again. Real seconds with a small max_stale.
. "$(dirname "$0")/lib.sh"

set_up 6
join one
watch one --poll-interval 500ms --stale-after 2s
until_true 10 "decides by version 1" in_state one FRESH 1
holds_for 3 "proofs keep it fresh" in_state one FRESH 1

say "the server freezes"
kill -STOP "$pdpd_pid"
until_true 10 "stale" in_state one STALE 1
until_true 2 "still allows" decides one allow
is_true "and says so" has "$(last_decision one)" '"stale":true'
until_true 15 "expired" in_state one EXPIRED 1
until_true 2 "denies" decides_code one expired

say "a restart does not make it younger"
unwatch one
answer=$(ask one --timeout 300ms || true)
is_true "denies: $answer" has "$answer" '"code":"expired"'

say "the server goes on"
kill -CONT "$pdpd_pid"
watch one --poll-interval 500ms --stale-after 2s
until_true 45 "fresh" in_state one FRESH 1
until_true 2 "allows" decides one allow
