# Every test that the tables of docs/tokens.md name is a test that runs, in the file that its letter
# stands for.
set -eu
source=$1
missing=0
count=0
letters=$(sed -n '/^## Known attacks/,$p' "$source/docs/tokens.md" | grep -oE '[A-Z] `test_[a-z_]+\.c`' | tr -d '`')
tables=$(sed -n '/^| class of attack/,/^$/p; /^| what a token/,/^$/p' "$source/docs/tokens.md")
named=$(echo "$tables" | grep -oE '\b[A-Z] `[a-z0-9_]+`' | tr -d '`' | sort -u)
while read -r letter name; do
    file=$(echo "$letters" | awk -v l="$letter" '$1 == l {print $2}')
    count=$((count + 1))
    if [ -z "$file" ] || ! grep -qE "cmocka_unit_test\\($name\\)" "$source/tests/unit/$file"; then
        echo "docs/tokens.md names $letter $name, which is no test in ${file:-any file}"
        missing=1
    fi
done <<END
$named
END
[ "$count" -ge 40 ] || { echo "only $count tests found in the tables of docs/tokens.md"; missing=1; }
# And no row is without one.
bare=$(echo "$tables" | grep '^|' | grep -vE '^\|[ -]*-|^\| (class of attack|what a token)' | grep -vE '[A-Z] `[a-z0-9_]+`' || true)
[ -z "$bare" ] || { echo "docs/tokens.md: without a test: $bare"; missing=1; }
exit $missing
