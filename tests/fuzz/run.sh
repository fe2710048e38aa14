#!/bin/sh
# Each fuzz target for some time: tests/fuzz/run.sh BUILD SECONDS [TARGET...]
#
# The corpus grows in BUILD/corpus/TARGET, findings are kept in BUILD/findings/.  Says
# "N passed, N failed" last; exit 1 when a target found something.
set -u

build=$1
seconds=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 2
passed=0 failed=0
PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-python3}" tests/fuzz/seeds.py "$build/corpus" || exit 2
mkdir -p "$build/findings"
if [ $# -eq 0 ]; then
    set -- tests/fuzz/fuzz_*.c
fi
for target in "$@"; do
    name=$(basename "$target" .c)
    log=$build/findings/$name.log
    mkdir -p "$build/corpus/$name"
    if ASAN_OPTIONS=detect_leaks=1 "$build/tests/fuzz/$name" -max_total_time="$seconds" \
        -max_len=20000 -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$name-" "$build/corpus/$name" >"$log" 2>&1; then
        passed=$((passed + 1))
        sed -n 's/^stat::number_of_executed_units: */    executions: /p' "$log" | sed "s/^/$name/"
    else
        failed=$((failed + 1))
        echo "FAIL $name, end of $log:"
        tail -n 25 "$log" | sed 's/^/    /'
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
