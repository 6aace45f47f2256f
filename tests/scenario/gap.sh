#!/usr/bin/env bash
# A gap: a service that was frozen while versions were published catches up with the newest.
. "$(dirname "$0")/lib.sh"

set_up
join frozen
join other
watch frozen
watch other
until_true 10 "frozen decides by version 1" in_state frozen FRESH 1
until_true 10 "other decides by version 1" in_state other FRESH 1

say "frozen stops; two versions are published"
kill -STOP "${watchers[frozen]}"
write_policy 86400 deny "one"
push "second"
write_policy 86400 deny "two"
push "third"
until_true 5 "other decides by version 3" in_state other FRESH 3
is_true "frozen has not moved" in_state frozen FRESH 1

say "frozen goes on"
kill -CONT "${watchers[frozen]}"
until_true 10 "frozen decides by version 3" in_state frozen FRESH 3
until_true 5 "frozen denies" decides frozen deny
