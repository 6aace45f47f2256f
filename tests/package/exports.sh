#!/usr/bin/env bash
# exports.sh LIBPEP PEP_H SIGN_H: the library shows exactly the functions of the public header, and
# has nothing in it that makes a signature.
set -euo pipefail
library=$1 header=$2 sign=$3
failed=0

# The name in front of the first parenthesis of each declaration that carries the given word.
functions() { # functions HEADER WORD
    sed 's://.*::' "$1" | tr '\n' ' ' | sed 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g' |
        grep -oE "(^|[;{}] *)[^;{}]*\\b$2\\b[^;{}]*\\([^;{}]*" |
        grep -oE '\bpep_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u
}

declared=$(functions "$header" PEP_API)
exported=$(nm -D --defined-only "$library" | awk '$2 ~ /[TWDBRV]/ {print $3}' | sed 's/@.*//' |
    grep -v '^LIBPEP_' | sort -u)
if [ -z "$declared" ] || [ "$declared" != "$exported" ]; then
    echo "exported (>) is not what $header declares (<):"
    diff <(echo "$declared") <(echo "$exported") || true
    failed=1
fi

signing=$(grep -oE '\bpep_[a-z0-9_]+\(' "$sign" | tr -d '(' | sort -u)
[ -n "$signing" ] || { echo "no functions found in $sign"; exit 1; }
present=$(nm "$library" 2>/dev/null | awk '$2 ~ /[Tt]/ {print $3}' | sort -u)
[ -n "$present" ] || { echo "$library has no symbol table to look at"; exit 1; }
found=$(comm -12 <(echo "$signing") <(echo "$present"))
imports=$(nm -D --undefined-only "$library" |
    grep -oE '\b(EVP_DigestSign[A-Za-z]*|EVP_PKEY_sign[a-z_]*|EVP_PKEY_keygen[a-z_]*|EVP_PKEY_generate)\b' || true)
if [ -n "$found$imports" ]; then
    echo "signing code in $library: $found $imports"
    failed=1
fi
exit $failed
