#!/usr/bin/env bash
# foreign.sh POLICYCTL LIBPEP HOSTS_DIR SOURCE_DIR [inside]: programs with a Lua of their own open
# libpep. With `inside` this libpep has its Lua compiled in, so that all of them work.
set -uo pipefail
policyctl=$1 libpep=$2 hosts=$3 source_dir=$4 inside=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CONFIG_HOME=$work/config NO_COLOR=1
# What leaks in a host's Lua is not ours, and a preloaded library may come before the sanitizer.
export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0
failed=0
ran=0

fail() {
    echo "FAIL $1"
    sed 's/^/    /' "$work/out"
    failed=1
}

# ---- a policy whose rule has a function, signed, and a token for it ----
{
    "$policyctl" init "$work/policy" && cat >"$work/policy/policies/approve.lua" <<'LUA' &&
allow "invoice.approve" {
  action = "approve", resource = "invoice", roles = "manager", same = "tenant",
  when   = function(_, res) return res.amount ~= nil and res.amount // 1 <= 10000 end,
}
LUA
        "$policyctl" build "$work/policy" -o "$work/bundle" --version 1 &&
        "$policyctl" root show --local --envelope >"$work/root.json" &&
        "$policyctl" token sign --key "$work/policy/demo.jwk" --claims '{"iss": "https://idp.example",
            "aud": "billing-api", "sub": "ann", "roles": ["manager"], "tenant": "acme"}' >"$work/token"
} >"$work/out" 2>&1 || { fail "the signed policy could not be made"; exit 1; }

# host refused|works NAME [LIBRARY[:global]]...
host() {
    local expected=$1 name=$2 status=0
    shift 2
    [ -x "$hosts/$name" ] || { fail "$hosts/$name was not built"; return; }
    ran=$((ran + 1))
    [ -z "$inside" ] || expected=works
    "$hosts/$name" "$expected" "$work/bundle" "$work/root.json" "$(cat "$work/token")" "$@" \
        >"$work/out" 2>&1 || status=$?
    if [ $status -ne 0 ]; then
        fail "$name $*: wanted $expected, exit $status"
    else
        echo "$name $*: $expected; $(cat "$work/out")"
    fi
}

skip() { echo "SKIPPED: $1"; }

# ---- LuaJIT: no version names, most of the functions, none of the layouts ----
if [ -x "$hosts/luajit" ]; then
    jit=$(ldd "$hosts/luajit" | awk '$1 ~ /luajit/ {print $3}')
    host refused luajit
    host refused plugin "$jit:global" "$libpep"
    host refused plugin "$jit:global" "$libpep:global"
    host refused plugin "$libpep" "$jit:global" # liblua5.4 would find it at its first calls
    host works plugin "$libpep:global" "$jit:global"
    host works plugin "$jit" "$libpep"
else
    skip "hosts with LuaJIT; install libluajit-5.1-dev"
fi

# ---- Lua 5.1: as a library its functions have version names, inside a program they have not ----
if [ -x "$hosts/lua51" ]; then
    host works lua51
    host refused lua51_inside
else
    skip "hosts with Lua 5.1; install liblua5.1-0-dev"
fi

# ---- the neighbour: Lua 5.4, which is the one that libpep wants ----
if [ -x "$hosts/lua54" ]; then
    host works lua54
    host works lua54_inside
    host works lua54_fixed
else
    skip "hosts with Lua 5.4; install liblua5.4-dev"
fi
host works plugin "$libpep"

# ---- our own programs export no Lua; one that is forced upon them is seen ----
"$policyctl" check "$work/policy" >"$work/out" 2>&1 || fail "policyctl check"
if [ -n "${jit:-}" ]; then
    LD_PRELOAD=$jit "$policyctl" check "$work/policy" >"$work/out" 2>&1
    status=$?
    if [ -n "$inside" ]; then
        [ $status -eq 0 ] || fail "policyctl check beside LuaJIT: exit $status"
    elif [ $status -ne 1 ] || ! grep -q 'another Lua' "$work/out"; then
        fail "policyctl check by LuaJIT: exit $status"
    fi
fi

# ---- the self-test looks at every function of Lua that libpep calls ----
if [ -z "$inside" ]; then
    nm -D --undefined-only "$libpep" | grep -oE '\bluaL?_[a-z_]+' | sort >"$work/used"
    grep -oE 'DOOR\(lua[^)]*' "$source_dir/pep/core/engine_selftest.c" | sed 's/DOOR(//' | sort >"$work/seen"
    [ -s "$work/used" ] || { echo "FAIL: libpep uses no Lua?"; failed=1; }
    diff "$work/used" "$work/seen" >"$work/out" ||
        fail "pep/core/engine_selftest.c lists (>) other functions than libpep calls (<)"
else
    nm -D --defined-only "$libpep" | grep -E '\bluaL?_' >"$work/out" && fail "libpep shows functions of Lua"
    readelf -d "$libpep" | grep 'NEEDED.*lua' >"$work/out" && fail "libpep needs a library of Lua"
fi
[ $ran -gt 1 ] || exit 77 # only the plugin: nothing to speak of
exit $failed
