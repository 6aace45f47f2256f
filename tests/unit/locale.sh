#!/bin/sh
# locale.sh TEST_LOCALE WORK_DIR: makes two locales whose decimal point is none (a comma; and one of two
# bytes) and runs the test in them. Skipped (77) where the definitions of locales are not installed.
set -eu
program=$1 work=$2
mkdir -p "$work"
for name in de_DE ps_AF; do
    [ -d "$work/$name.UTF-8" ] && continue
    localedef --no-archive -i "$name" -f UTF-8 "$work/$name.new" >"$work/log" 2>&1 || :
    [ -e "$work/$name.new/LC_NUMERIC" ] || {
        tail -3 "$work/log" | sed 's/^/    /'
        echo "SKIPPED: localedef cannot make $name.UTF-8; install the package locales"
        exit 77
    }
    mv "$work/$name.new" "$work/$name.UTF-8"
done
LOCPATH=$work exec "$program" de_DE.UTF-8 ps_AF.UTF-8
