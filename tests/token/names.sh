# Every test that the table of attacks in docs/tokens.md names is a test that runs.
set -eu
source=$1
missing=0
names=$(sed -n '/^| class of attack/,/^$/p' "$source/docs/tokens.md" | grep -o '[AFKJM] `[a-z0-9_]*`' | cut -d'`' -f2 | sort -u)
[ "$(echo "$names" | wc -l)" -ge 20 ]
for name in $names; do
    if ! grep -qE "(cmocka_unit_test\\($name\\)|SCENARIO\\($name\\))" "$source"/tests/unit/test_j*.c; then
        echo "docs/tokens.md names $name, which is no test"
        missing=1
    fi
done
exit $missing
