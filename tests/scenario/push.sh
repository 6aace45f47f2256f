#!/usr/bin/env bash
# Push: what an operator publishes is what running services decide by, without being asked.
. "$(dirname "$0")/lib.sh"

set_up
join one
join two
watch one
watch two
for s in one two; do
    until_true 10 "$s decides by version 1" in_state $s FRESH 1
    until_true 5 "$s allows" decides $s allow
done

say "a change reaches both"
write_policy 86400 deny "frozen"
push "freeze"
is_true "the version rises" [ "$pushed" = 2 ]
for s in one two; do
    until_true 5 "$s decides by version 2" in_state $s FRESH 2
    until_true 5 "$s denies" decides $s deny
    until_true 20 "pdpd knows that $s does" reported $s '"version":2' '"state":"FRESH"'
done

say "ten changes in a row: the last one counts"
for i in 3 4 5 6 7 8 9 10 11 12; do
    write_policy 86400 "$([ $((i % 2)) = 0 ] && echo allow || echo deny)" "change $i"
    push "change $i"
done
for s in one two; do
    until_true 5 "$s decides by version 12" in_state $s FRESH 12
    until_true 5 "$s allows" decides $s allow
done

say "a service that joins late gets the newest"
join three
watch three
until_true 10 "three decides by version 12" in_state three FRESH 12
