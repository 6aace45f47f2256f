# What the author's tests share: a scratch folder, a configuration of their own, and expectations that
# say what went wrong. Sourced with: policyctl and the source tree as $1 and $2.
set -eu
policyctl=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CONFIG_HOME="$work/config" NO_COLOR=1
unset POLICYCTL_CONTEXT
failures=0

# inside DIR COMMAND...: luacheck reads the patterns of its settings relative to where it runs.
inside() {
    (cd "$1" && shift && "$@")
}

# run CODE NAME COMMAND...: runs it, keeps its output in $work/out and $work/err, wants this exit code.
run() {
    wanted=$1 name=$2
    shift 2
    got=0
    "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    if [ "$got" != "$wanted" ]; then
        echo "FAIL $name: exit $got, wanted $wanted: $*"
        sed 's/^/    /' "$work/out" "$work/err"
        failures=$((failures + 1))
    fi
}

# has NAME out|err TEXT: the last run said this.
has() {
    if ! grep -qF -- "$3" "$work/$2"; then
        echo "FAIL $1: no \`$3\` in"
        sed 's/^/    /' "$work/$2"
        failures=$((failures + 1))
    fi
}

# lacks NAME out|err TEXT: the last run did not say this.
lacks() {
    if grep -qF -- "$3" "$work/$2"; then
        echo "FAIL $1: \`$3\` in"
        sed 's/^/    /' "$work/$2"
        failures=$((failures + 1))
    fi
}

finish() {
    [ "$failures" = 0 ] || exit 1
    echo ok
}
