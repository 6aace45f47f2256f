#!/usr/bin/env bash
# lua_source.sh WORK_DIR [LUA_DIR]: builds with -DPEP_LUA_SOURCE from a real source tree of Lua and
# tests the result: no function of Lua shows, none is taken from elsewhere, the engine's own tests
# pass, and a host with another Lua may embed it.
#
# The tree is LUA_DIR or $PEP_TEST_LUA_SOURCE; else it is fetched with what the machine has: apt-get
# source (from the machine's own package sources, by way of private lists), or cargo. Where neither
# can, the test says so and is skipped (exit 77).
set -uo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
work=${1:?usage: lua_source.sh WORK_DIR [LUA_DIR]}
tree=${2:-${PEP_TEST_LUA_SOURCE:-}}
mkdir -p "$work"
work=$(cd "$work" && pwd)
log=$work/log
failed=0

fail() {
    echo "FAIL $1"
    tail -"${2:-20}" "$log" | sed 's/^/    /'
    failed=1
}

# ---- a tree ----

fetch_by_apt() {
    command -v apt-get >/dev/null && command -v dpkg-source >/dev/null || return 1
    local apt=$work/apt
    rm -rf "$apt" && mkdir -p "$apt"/{parts,lists/partial,cache/archives/partial,fetched} || return 1
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/parts/${file##*/}"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -e "$file" ] && sed -n 's/^deb /deb-src /p' "$file" >"$apt/parts/own-${file##*/}"
    done
    local options=(-o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$apt/parts"
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache"
        -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 -o Acquire::Retries=0)
    timeout 100 apt-get "${options[@]}" update # some source may have none: then the next line tells
    (cd "$apt/fetched" && timeout 60 apt-get "${options[@]}" source lua5.4) || return 1
    mv "$apt"/fetched/lua5.4-*/ "$work/lua" && rm -rf "$apt"
}

fetch_by_cargo() {
    command -v cargo >/dev/null || return 1
    local crate=$work/cargo
    rm -rf "$crate" && mkdir -p "$crate/src" && : >"$crate/src/lib.rs" || return 1
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nlua-src = "548"\n' \
        >"$crate/Cargo.toml"
    (cd "$crate" && timeout 100 cargo vendor) || return 1
    mv "$crate"/vendor/lua-src/lua-5.4*/ "$work/lua" && rm -rf "$crate"
}

if [ -z "$tree" ]; then
    tree=$work/lua
    : >"$log"
    if [ ! -d "$tree" ]; then
        fetch_by_apt >>"$log" 2>&1 || fetch_by_cargo >>"$log" 2>&1 || {
            tail -5 "$log" | sed 's/^/    /'
            echo "SKIPPED: no source tree of Lua 5.4: neither apt-get source nor cargo could fetch one; " \
                "set PEP_TEST_LUA_SOURCE to a folder that holds one"
            exit 77
        }
    fi
fi
sources=$tree
[ -e "$sources/lapi.c" ] || sources=$tree/src
echo "Lua $(sed -n 's/^#define LUA_VERSION_RELEASE[ \t]*"\([0-9]*\)".*/5.4.\1/p' "$sources/lua.h") from $tree"

# ---- what is no tree of Lua 5.4 is refused, with the reason ----

# refuses NAME FOLDER TEXT
refuses() {
    rm -rf "$work/refused"
    if cmake -G Ninja -S "$source_dir" -B "$work/refused" -DPEP_TESTS=OFF "-DPEP_LUA_SOURCE=$2" >"$log" 2>&1; then
        fail "$1: accepted"
    elif ! tr -s ' \n' ' ' <"$log" | grep -qF -- "$3"; then
        fail "$1: no word of \"$3\""
    fi
}
rm -rf "$work/other" && mkdir -p "$work/other/empty" "$work/other/old" "$work/other/new"
cp "$sources"/*.[ch] "$work/other/old"
cp "$sources"/*.[ch] "$work/other/new"
sed -i -E 's/^(#define LUA_VERSION_NUM[ \t]+)504.*/\1503/' "$work/other/old/lua.h"
sed -i -E 's/^(#define LUA_VERSION_NUM[ \t]+)504.*/\1(LUA_VERSION_MAJOR_N * 100 + LUA_VERSION_MINOR_N)/' \
    "$work/other/new/lua.h" # as 5.5 writes it
cp -r "$work/other/old" "$work/other/early"
sed -i -E 's/^(#define LUA_VERSION_NUM[ \t]+).*/\1504/; s/^(#define LUA_VERSION_RELEASE[ \t]+)"[0-9]+"/\1"1"/' \
    "$work/other/early/lua.h"
refuses "Lua 5.4.1" "$work/other/early" "take 5.4.2 or later"
refuses "an empty folder" "$work/other/empty" "PEP_LUA_SOURCE: neither"
refuses "Lua 5.3" "$work/other/old" 'is not Lua 5.4: its LUA_VERSION_NUM is "503"'
refuses "Lua 5.5" "$work/other/new" 'is not Lua 5.4: its LUA_VERSION_NUM is "(LUA_VERSION_MAJOR_N'
rm -rf "$work/other" "$work/refused"

# ---- the build ----

tests='^(unit\.(sandbox|engine.*|chunk)|reference|fuzz\.policy|package\.(foreign|exports))$'
configure() { # configure FOLDER
    cmake -G Ninja -S "$source_dir" -B "$work/build" -DCMAKE_C_FLAGS=-O1 -DPEP_WERROR=ON \
        "-DPEP_LUA_SOURCE=$1" >"$log" 2>&1
}
if [ "$sources" != "$tree" ]; then # both ways of naming it
    configure "$sources" || fail "configuring with $sources"
fi
configure "$tree" || { fail "configuring with $tree"; exit 1; }
mapfile -t programs < <(ninja -C "$work/build" -t targets all |
    sed -nE 's,^(tests/unit/test_(sandbox|engine[a-z_]*|chunk)):.*,\1,p')
cmake --build "$work/build" -j "$(nproc)" --target pep policyctl pep-probe foreign_hosts compare_reference \
    fuzz_policy_replay "${programs[@]##*/}" >"$log" 2>&1 || { fail "the build" 30; exit 1; }

# ---- what was built ----

library=$work/build/pep/libpep.so
nm "$library" 2>/dev/null | grep ' [tT] lua_newstate$' >"$log" || fail "libpep has no Lua in it"
nm -D "$library" | grep -E '\bluaL?_' >"$log" && fail "libpep shows or wants functions of Lua"
readelf -d "$library" | grep 'NEEDED.*lua' >"$log" && fail "libpep needs a library of Lua"
readelf -d "$work/build/pdp/policyctl/policyctl" | grep 'NEEDED.*lua' >"$log" && fail "policyctl needs one"

ctest --test-dir "$work/build" -j "$(nproc)" --output-on-failure --no-tests=error -R "$tests" >"$log" 2>&1 ||
    fail "its tests" 60
grep -E 'Passed|Skipped|Failed|tests passed' "$log"
[ "$(grep -c ' Passed ' "$log")" -ge 9 ] || fail "fewer tests ran than there are"
exit $failed
