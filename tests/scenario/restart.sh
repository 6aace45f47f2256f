#!/usr/bin/env bash
# A service restarts while no server is there: it decides from its cache, verified again, or not at
# all if a single byte of the cache is not what it was.
. "$(dirname "$0")/lib.sh"

set_up
join one
watch one
until_true 10 "decides by version 1" in_state one FRESH 1
unwatch one
stop_pdpd

say "from the cache, without a server"
watch one
until_true 5 "decides by version 1" in_state one SYNCING 1
until_true 5 "allows" decides one allow
unwatch one

say "after a crash too"
watch one
until_true 5 "decides" decides one allow
unwatch one KILL
watch one
until_true 5 "decides" decides one allow
unwatch one

say "a damaged cache is not used"
cp -r "$scratch/one/cache" "$scratch/kept"
for file in "$scratch"/one/cache/*.bundle "$scratch/one/cache/state"; do
    middle=$(($(stat -c %s "$file") / 2))
    printf '\xff' | dd of="$file" bs=1 seek=$middle conv=notrunc status=none
    answer=$(ask one --timeout 300ms || true)
    is_true "denies as unavailable: $answer" has "$answer" '"code":"unavailable"'
    rm -rf "$scratch/one/cache"
    cp -r "$scratch/kept" "$scratch/one/cache"
done
answer=$(ask one || true)
is_true "the undamaged one is used: $answer" has "$answer" '"outcome":"allow"'

say "without cache and server: deny"
rm -rf "$scratch/one/cache"
answer=$(ask one --timeout 300ms || true)
is_true "denies as unavailable: $answer" has "$answer" '"code":"unavailable"'

say "the server is back"
start_pdpd
watch one
until_true 45 "decides by version 1" in_state one FRESH 1
