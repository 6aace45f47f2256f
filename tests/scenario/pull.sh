#!/usr/bin/env bash
# Pull: a service without a subscription learns of changes by asking.
. "$(dirname "$0")/lib.sh"

set_up
join puller
watch puller --mode poll --poll-interval 300ms
until_true 10 "decides by version 1" in_state puller FRESH 1
until_true 5 "allows" decides puller allow

say "a change is picked up"
write_policy 86400 deny
push "freeze"
until_true 5 "decides by version 2" in_state puller FRESH 2
until_true 5 "denies" decides puller deny
until_true 20 "pdpd knows" reported puller '"version":2'

say "it stays fresh without any notice"
holds_for 2 "FRESH" in_state puller FRESH 2
