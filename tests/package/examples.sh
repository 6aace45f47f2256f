#!/usr/bin/env bash
# examples.sh SOURCE_DIR BINARY_DIR: installs into a scratch prefix, which then moves; builds the
# examples by pkg-config and by find_package against that alone, and runs them without a policy.
set -euo pipefail
source_dir=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$2" --prefix "$scratch/first" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
mv "$scratch/first" "$scratch/usr"
cp -r "$source_dir/examples" "$scratch/examples" # nothing beside it to include by mistake
cd "$scratch"
pc=$(dirname "$(find usr -name pep.pc)")
export PKG_CONFIG_PATH=$scratch/$pc LD_LIBRARY_PATH=$scratch/$(dirname "$pc")

[ "$(pkg-config --modversion pep)" = "$(sed -n 's/^#define PEP_VERSION_[A-Z]* //p' usr/include/pep.h | paste -sd.)" ]
# shellcheck disable=SC2046
cc -Wall -Wextra -Werror examples/hello.c $(pkg-config --cflags --libs pep) -o hello
cmake -S examples/billing -B billing -DCMAKE_PREFIX_PATH="$scratch/usr" >log || { cat log; exit 1; }
cmake --build billing >log || { cat log; exit 1; }
# As C++ too: the header is for both.
printf '#include <pep.h>\nint main() { pep_options o = PEP_OPTIONS_INIT; (void)o; return pep_allow(0, "", "", ""); }\n' >x.cpp
c++ -Wall -Wextra -Werror x.cpp $(pkg-config --cflags --libs pep) -o x && ./x

mkdir empty
status=0
PEP_IDENTITY=$scratch/empty ./hello token read doc:1 >out 2>err || status=$?
if [ $status -eq 0 ] || [ ! -s err ]; then
    echo "hello without an identity ended with $status and said: $(cat out err)"
    exit 1
fi
status=0
./billing/billing no-such-bundle no-such-root billing </dev/null 2>err || status=$?
[ $status -eq 2 ] && grep -q 'no-such-root' err || { echo "billing ended with $status: $(cat err)"; exit 1; }
