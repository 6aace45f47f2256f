#!/usr/bin/env bash
# A client whose disk is full goes on: it takes and decides by a new version, says what is wrong, and
# leaves the last good cache whole. With room again the cache follows.
. "$(dirname "$0")/lib.sh"

# The same as watch(), but no file of this process may grow.
watch_without_room() { # watch_without_room NAME
    local name=$1
    : >"$scratch/$name.log"
    (
        ulimit -f 0
        exec "$PEP_PROBE" --identity "$scratch/$name" --audience billing --watch \
            --token "$scratch/ann.jwt" read invoice:acme/1
    ) > >(cat >"$scratch/$name.log") 2> >(cat >>"$scratch/$name.err") &
    watchers[$name]=$!
}
cached() { sha256sum "$scratch/svc/cache/"*; } # without what a crash may leave

set_up
join svc
watch svc
until_true 10 "svc decides by version 1" in_state svc FRESH 1
unwatch svc
before=$(cached)

say "a new version on a full disk"
watch_without_room svc
until_true 10 "svc decides by version 1 again" in_state svc FRESH 1
write_policy 86400 deny
push "second"
until_true 10 "svc decides by version 2" in_state svc FRESH 2
until_true 5 "svc denies" decides svc deny
until_true 5 "svc says what is wrong" grep -qi "file too large" "$scratch/svc.log" "$scratch/svc.err"
unwatch svc KILL
is_true "the cache is as it was" [ "$before" = "$(cached)" ]
is_true "nothing half written is left" [ -z "$(find "$scratch/svc/cache" -name '*.tmp')" ]

say "a restart, with room and without a server"
stop_pdpd
answer=$(ask svc --timeout 1s || true)
is_true "the last good version decides: $answer" has "$answer" '"outcome":"allow"'

say "the server is back"
start_pdpd
watch svc
until_true 40 "svc decides by version 2" in_state svc FRESH 2
unwatch svc
stop_pdpd
answer=$(ask svc --timeout 1s || true)
is_true "version 2 is cached: $answer" has "$answer" '"outcome":"deny"'
