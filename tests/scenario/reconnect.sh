#!/usr/bin/env bash
# The server dies and comes back: services go on deciding and then go on being told.
. "$(dirname "$0")/lib.sh"

set_up
join one
join poller
watch one
watch poller --mode poll --poll-interval 500ms
until_true 10 "one decides by version 1" in_state one FRESH 1
until_true 10 "poller decides by version 1" in_state poller FRESH 1

for signal in KILL TERM; do
    say "pdpd ends by SIG$signal"
    stop_pdpd $signal
    is_true "one still decides" decides one allow
    answer=$(ask poller || true)
    is_true "a new process decides from the cache: $answer" has "$answer" '"outcome":"allow"'

    say "pdpd comes back"
    start_pdpd
    write_policy 86400 allow "after SIG$signal"
    push "after SIG$signal"
    until_true 45 "one decides by version $pushed" in_state one FRESH "$pushed"
    until_true 45 "poller decides by version $pushed" in_state poller FRESH "$pushed"
done
