# What scenarios are told with: real pdpd, policyctl and pep-probe processes on loopback, in a folder
# and on ports of their own. Sourced by each scenario; CMake sets PDPD, POLICYCTL and PEP_PROBE.
#
# Nothing sleeps to synchronise: `until_true` looks again and again until a deadline. Each process is
# ended by its own id. When something fails, the logs are printed.
set -euo pipefail

: "${PDPD:?}" "${POLICYCTL:?}" "${PEP_PROBE:?}"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/pep-scenario.XXXXXX")
export XDG_CONFIG_HOME="$scratch/config" XDG_STATE_HOME="$scratch/state" NO_COLOR=1
unset POLICYCTL_CONTEXT PEP_ENROL_TOKEN_FILE || true
declare -A watchers=() # NAME -> pid
pdpd_pid=
base=
checks=0

say() { printf -- '-- %s\n' "$*"; }

die() {
    printf 'FAILED: %s\n' "$*" >&2
    for log in "$scratch"/*.log "$scratch"/*.err; do
        [ -f "$log" ] || continue
        printf '==== %s\n' "${log##*/}" >&2
        tail -n 40 "$log" >&2
    done
    exit 1
}

end_process() { # end_process PID [SIGNAL]
    kill "-${2:-TERM}" "$1" 2>/dev/null || return 0
    kill -CONT "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

finish() {
    local status=$? name
    for name in "${!watchers[@]}"; do end_process "${watchers[$name]}"; done
    [ -z "$pdpd_pid" ] || end_process "$pdpd_pid" KILL
    [ $status -eq 0 ] && rm -rf "$scratch"
    [ $status -eq 0 ] && printf '%s: %d checks passed\n' "${0##*/}" "$checks"
    exit $status
}
trap finish EXIT

# until_true SECONDS WHAT COMMAND...: the command succeeds within so many seconds.
until_true() {
    local seconds=$1 what=$2 deadline
    shift 2
    deadline=$(($(date +%s%3N) + seconds * 1000))
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%3N)" -lt "$deadline" ] || die "$what: not within $seconds s"
        read -rt 0.02 <> <(:) || true
    done
    checks=$((checks + 1))
}

# Shows that it stays so: the command succeeds again and again for so many seconds.
holds_for() { # holds_for SECONDS WHAT COMMAND...
    local seconds=$1 what=$2 end
    shift 2
    end=$(($(date +%s%3N) + seconds * 1000))
    while [ "$(date +%s%3N)" -lt "$end" ]; do
        "$@" >/dev/null 2>&1 || die "$what: no longer true"
        read -rt 0.1 <> <(:) || true
    done
    checks=$((checks + 1))
}

is_true() { # is_true WHAT COMMAND...
    local what=$1
    shift
    "$@" || die "$what"
    checks=$((checks + 1))
}

has() { [[ $1 == *"$2"* ]]; } # has TEXT PART

# ---- the server ----

start_pdpd() {
    local try
    for try in 1 2 3 4 5 6 7 8; do
        [ -n "$base" ] || base=$((20000 + RANDOM % 12000)) # below the ports of outgoing connections
        "$PDPD" --data "$scratch/pdpd" --port-base "$base" >>"$scratch/pdpd.log" 2>&1 &
        pdpd_pid=$!
        local deadline=$((SECONDS + 20))
        while kill -0 "$pdpd_pid" 2>/dev/null && [ $SECONDS -lt $deadline ]; do
            if healthy; then return 0; fi
            read -rt 0.02 <> <(:) || true
        done
        end_process "$pdpd_pid" KILL
        [ -d "$scratch/pdpd/used" ] && continue # clients know these ports: the same again
        base=
    done
    die "pdpd does not start"
}
healthy() { curl -fsS -m 2 "http://127.0.0.1:$((base + 4))/healthz" >/dev/null 2>&1; }
stop_pdpd() { end_process "$pdpd_pid" "${1:-TERM}"; pdpd_pid=; }

# ---- a policy ----

repository=$scratch/acme
write_policy() { # write_policy MAX_STALE EFFECT: clerks may (or may not) read invoices
    mkdir -p "$repository/policies"
    printf '{"name": "acme", "max_stale": %d, "expires_days": 90}\n' "$1" >"$repository/bundle.json"
    cat >"$repository/issuers.json" <<JSON
[{"issuer": "https://idp.example", "audiences": ["billing"], "algorithms": ["ES256"],
  "jwks": $(cat "$scratch/idp.jwks")}]
JSON
    cat >"$repository/policies/invoice.lua" <<LUA
$2 "invoice.read" {
  action = "read", resource = "invoice", roles = "clerk", reason = "${3:-by role}"
}
LUA
}

push() { # push WHAT: prints nothing, remembers $pushed
    pushed=$("$POLICYCTL" push "$repository" -m "$1" -o json 2>>"$scratch/policyctl.log") ||
        die "push: $1"
    pushed=$(sed -n 's/.*"version": \{0,1\}\([0-9]*\).*/\1/p' <<<"$pushed" | tail -1)
}

# Server, keys, root, a first version that allows, and a token of a clerk.
set_up() { # set_up [MAX_STALE]
    start_pdpd
    "$POLICYCTL" key generate demo >>"$scratch/policyctl.log" 2>&1 || die "key generate"
    (cd "$scratch" && "$POLICYCTL" key generate idp --use token) >>"$scratch/policyctl.log" 2>&1 ||
        die "key generate --use token"
    "$POLICYCTL" context add demo "$scratch/pdpd/operator.json" >>"$scratch/policyctl.log" 2>&1 ||
        die "context add"
    "$POLICYCTL" root init >>"$scratch/policyctl.log" 2>&1 || die "root init"
    "$POLICYCTL" token sign --key "$scratch/idp.jwk" --ttl 1h --claims \
        '{"iss": "https://idp.example", "aud": "billing", "sub": "ann", "roles": ["clerk"]}' \
        >"$scratch/ann.jwt" 2>>"$scratch/policyctl.log" || die "token sign"
    write_policy "${1:-86400}" allow
    push "first"
}

# ---- services ----

join() { # join NAME: an identity folder $scratch/NAME
    "$POLICYCTL" service enrol "$1" --bundle acme >"$scratch/$1.token" 2>>"$scratch/policyctl.log" ||
        die "service enrol $1"
    "$POLICYCTL" service join "$(cat "$scratch/$1.token")" --dir "$scratch/$1" \
        >>"$scratch/policyctl.log" 2>&1 || die "service join $1"
    mkdir -p "$scratch/pdpd/used"
}

# A long-running service that asks the same question after each change: $scratch/NAME.log
watch() { # watch NAME [pep-probe options]
    local name=$1
    shift
    : >"$scratch/$name.log"
    "$PEP_PROBE" --identity "$scratch/$name" --audience billing --watch "$@" \
        --token "$scratch/ann.jwt" read invoice:acme/1 >"$scratch/$name.log" 2>>"$scratch/$name.err" &
    watchers[$name]=$!
}
unwatch() { # unwatch NAME [SIGNAL]
    end_process "${watchers[$1]}" "${2:-TERM}"
    unset "watchers[$1]"
}

last_state() { grep '"event":"state"' "$scratch/$1.log" | tail -n 1; }
last_decision() { grep '"event":"decision"' "$scratch/$1.log" | tail -n 1; }
# in_state NAME STATE [VERSION]: its newest state line says so
in_state() {
    local line
    line=$(last_state "$1") || return 1
    [[ $line == *"\"state\":\"$2\""* ]] && [[ -z ${3:-} || $line == *"\"version\":$3,"* ]]
}
decides() { [[ $(last_decision "$1") == *"\"outcome\":\"$2\""* ]]; }    # decides NAME OUTCOME
decides_code() { [[ $(last_decision "$1") == *"\"code\":\"$2\""* ]]; } # decides_code NAME CODE

# One question by a process of its own: prints the decision line.
ask() { # ask NAME [pep-probe options]
    local name=$1
    shift
    "$PEP_PROBE" --identity "$scratch/$name" --audience billing "$@" \
        --token "$scratch/ann.jwt" read invoice:acme/1 2>>"$scratch/$name.err" |
        grep '"event":"decision"' | tail -n 1
}

# reported NAME TEXT...: `policyctl status` shows this service with all of these texts
reported() {
    local name=$1 text line
    shift
    line=$("$POLICYCTL" status -o json 2>/dev/null | tr -d ' \n' |
        grep -o "{\"name\":\"$name\"[^}]*" | head -n 1) || return 1
    for text in "$@"; do [[ $line == *"$text"* ]] || return 1; done
}
