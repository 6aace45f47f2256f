#!/usr/bin/env bash
# Going back: an operator's rollback is a new version with old content; a server that itself fell
# back (a restored backup) cannot take services with it.
. "$(dirname "$0")/lib.sh"

set_up
join one
watch one
until_true 10 "decides by version 1" in_state one FRESH 1
stop_pdpd
cp -r "$scratch/pdpd" "$scratch/backup"
start_pdpd

write_policy 86400 deny
push "a mistake"
until_true 45 "decides by version 2" in_state one FRESH 2
until_true 5 "denies" decides one deny

say "the operator rolls back"
"$POLICYCTL" rollback 1 >>"$scratch/policyctl.log" 2>&1 || die "rollback"
until_true 10 "decides by version 3" in_state one FRESH 3
until_true 5 "allows again" decides one allow

say "the server is restored from a backup of version 1"
stop_pdpd
mv "$scratch/pdpd" "$scratch/newer"
cp -r "$scratch/backup" "$scratch/pdpd"
mkdir -p "$scratch/pdpd/used"
start_pdpd
refused() { grep -q 'below' "$scratch/one.err"; }
until_true 45 "the service refuses version 1" refused
is_true "and goes on by version 3" decides one allow
is_true "its newest version is 3" has "$(last_state one)" '"version":3,'
until_true 20 "pdpd hears why" reported one '"version":3' 'below'

say "also after a restart"
unwatch one
watch one
starts_from_3() { grep -q '"state":"SYNCING".*"version":3,' "$scratch/one.log"; }
until_true 5 "starts from version 3" starts_from_3
