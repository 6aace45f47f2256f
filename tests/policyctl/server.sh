# A real pdpd for a test: sourced with policyctl, the source tree and pdpd as $1, $2, $3. Gives
# $server (its data folder), $base (its first port), start_server, stop_server, and `ctl CODE VERB...`.
. "$2/tests/author/kit.sh"
pdpd=$3
server="$work/pdpd"
pid=
trap 'stop_server; rm -rf "$work"' EXIT

stop_server() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    [ -z "$pid" ] || wait "$pid" 2>/dev/null || true
    pid=
}

# Tries other ports if somebody has these.
start_server() {
    mkdir -p -m 700 "$server"
    for attempt in 1 2 3 4 5; do
        # below the ports of outgoing connections
        : "${base:=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 2400 * 5))}"
        "$pdpd" --data "$server" --port-base "$base" >"$work/pdpd.log" 2>&1 &
        pid=$!
        for i in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            if grep -q "listening on" "$work/pdpd.log"; then return 0; fi
            sleep 0.1
        done
        stop_server
        unset base
    done
    echo "FAIL: pdpd does not start"
    cat "$work/pdpd.log"
    exit 1
}

# ctl CODE VERB [WORD...]: runs policyctl and wants this exit code. A verb of two words is one argument.
ctl() {
    wanted=$1 verb=$2
    shift 2
    echo "$verb" >>"$work/verbs"
    # shellcheck disable=SC2086
    run "$wanted" "$verb $*" "$policyctl" $verb "$@"
}

# json NAME PATH VALUE [PATH VALUE]...: the last run's JSON has these values at these paths.
json() {
    about=$1
    shift
    while [ $# -ge 2 ]; do
        found=$(sqlite3 :memory: "select json_extract(cast(readfile('$work/out') as text), '$1')" 2>&1) || true
        if [ "$found" != "$2" ]; then
            echo "FAIL $about: $1 is \`$found\`, wanted \`$2\`, in"
            sed 's/^/    /' "$work/out"
            failures=$((failures + 1))
        fi
        shift 2
    done
}
