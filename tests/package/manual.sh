#!/usr/bin/env bash
# manual.sh LIBPEP_3 PEP_H: the manual has no faults that mandoc sees, and names every public
# function and every option.
set -uo pipefail
manual=$1 header=$2
failed=0
faults=$(mandoc -T lint -W warning "$manual")
[ -z "$faults" ] || { echo "$faults"; failed=1; }
text=$(mandoc -T ascii "$manual" | sed 's/.\x08//g') # without overstruck letters
functions=$(sed -n '/^PEP_API/p' "$header" | grep -oE '\bpep_[a-z_]+\(' | tr -d '(')
options=$(sed -n '/^typedef struct pep_options/,/^} pep_options;/p' "$header" | sed 's:/\*.*::' |
    grep -oE '^ {4}[a-z][^;]*;' | sed -E 's/\)\(.*//; s/.*[ *(]([a-z_]+);?$/\1/' | grep -v '^size$')
[ -n "$functions" ] && [ -n "$options" ] || { echo "nothing found in $header"; exit 1; }
for name in $functions $options; do
    grep -qw -- "$name" <<<"$text" || { echo "$manual does not name $name"; failed=1; }
done
exit $failed
