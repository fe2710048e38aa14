#!/bin/sh
# Tests of "doctor": faults planted into a pipeline on loopback, each named first and once; and the mends
# that it names, run against moto where build/venv-aws has it (tests/aws/run.sh makes that) and the
# AWS CLI is there.
#
# usage: tests/doctor/run.sh [BINARY] [NAME...]
# BINARY: build/release/bedrock-metrics.  NAME: only cases whose name holds it, and no mends.
# Prints "N passed, N failed" last.
set -eu
cd "$(dirname "$0")/../.."
binary=${1:-build/release/bedrock-metrics}
[ $# -eq 0 ] || shift
export PYTHONDONTWRITEBYTECODE=1
passed=0
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# The last line of a test program is "... N passed, N failed ..."; without one it has failed.
count() {
    grep -v ' passed, ' "$out" || true
    line=$(sed -n 's/.*\<\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\1 \2/p' "$out" | tail -n 1)
    [ -n "$line" ] || line="0 1"
    passed=$((passed + ${line% *}))
    failed=$((failed + ${line#* }))
}

python3 tests/doctor/test_doctor.py "$binary" "$@" >"$out" 2>&1 || true
count
if [ $# -eq 0 ]; then
    if [ -x build/venv-aws/bin/moto_server ] && command -v aws >/dev/null; then
        build/venv-aws/bin/python tests/doctor/test_mends.py "$binary" >"$out" 2>&1 || true
        count
    else
        echo "no moto in build/venv-aws, or no AWS CLI: the mends are not run"
    fi
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
