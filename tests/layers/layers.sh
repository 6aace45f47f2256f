#!/usr/bin/env bash
# layers.sh SOURCE_DIR: who may include whom. Arrows point down only; each outside library has its
# few doors. A rule is: the header, and the files that may include it.
set -uo pipefail
cd "$1"
failed=0

sources() { find "$@" -type f -name '*.[ch]' 2>/dev/null | sort; }

# rule NAME INCLUDE_PATTERN ALLOWED_PATTERN FILES...
rule() {
    local name=$1 include=$2 allowed=$3
    shift 3
    local bad
    bad=$(sources "$@" | grep -vE "$allowed" |
        xargs -r grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($include)" || true)
    if [ -n "$bad" ]; then
        printf '%s:\n%s\n' "$name" "$bad"
        failed=1
    fi
}

# call NAME WORD FILES...: nobody there calls it (comments may speak of it)
call() {
    local name=$1 word=$2
    shift 2
    local bad
    bad=$(sources "$@" | xargs -r grep -nE "\\b$word\\b *\\(" |
        grep -vE '^[^:]*:[0-9]+: *(/\*|\*|//)' || true)
    if [ -n "$bad" ]; then
        printf '%s:\n%s\n' "$name" "$bad"
        failed=1
    fi
}

[ -n "$(sources pep pdp)" ] || { echo "no sources found in $1"; exit 1; }

rule "lua.h outside the engine" '(lua|lauxlib|lualib|luaconf)\.h' \
    '^pep/core/engine[^/]*$' pep pdp
rule "zmq.h outside the network files" 'zmq\.h' \
    '^(pep/client[^/]*|pdp/net/.*|pdp/policyctl/remote[^/]*)$' pep pdp
rule "OpenSSL outside its files" 'openssl/' \
    '^pep/core/(crypto|keys|jwt|envelope|sign)[^/]*$' pep pdp
rule "the core includes what is above it" '(pep/[a-z_]+\.h|pdp/)' '^$' pep/core
rule "the core does I/O, time or threads" \
    '(sys/socket|sys/stat|fcntl|unistd|time|sys/time|pthread|threads|syslog|signal|poll|netdb)\.h' \
    '^pep/core/engine_state\.c$' pep/core # nanosleep: the bounded wait for a Lua state
call "the core uses files, clock or log" \
    '(fopen|open|fprintf|printf|perror|syslog|clock_gettime|gettimeofday|time|socket)' pep/core
rule "includes that climb out of their folder" '\.\./' '^$' pep pdp include # would pass the rules
rule "libpep includes pdp" 'pdp/' '^$' pep include
rule "pdp includes the insides of libpep" 'pep/[a-z_]+\.h' '^$' pdp
rule "signing in libpep" '(pep/core/)?sign(_[a-z_]*)?\.h' '^pep/core/sign[^/]*$' pep
rule "the private files of pdpd or libpep in examples" '(pep/|pdp/)' '^$' examples
call "unsigned policies in libpep" pep_policy_compile_unsigned pep/*.c pep/*.h
call "unsigned policies in pdpd" pep_policy_compile_unsigned pdp/*.c pdp/net
call "the library ends the process" '(abort|exit|_exit|assert)' \
    $(find pep/*.c pep/core -name '*.c' ! -name pep_probe.c ! -name probe.c)
exit $failed
