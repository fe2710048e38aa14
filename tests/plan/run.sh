#!/usr/bin/env bash
# `plan` and `dashboard` against independent counts: bash tests/plan/run.sh [BUILD_FOLDER]
# Needs the program and the log simulator, built.  What it makes goes below the build folder.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${1:-$root/build/release}
work=$build/plan-tests
export PYTHONDONTWRITEBYTECODE=1

rm -rf "$work"
mkdir -p "$work"
"$build/bedrock-logs-sim" --out "$work/logs" --expected "$work/expected.json" \
    >"$work/simulator.log" 2>&1
status=0
python3 "$here/check_plan.py" "$build/bedrock-metrics" "$work" >"$work/plan.out" || status=1
python3 "$here/check_dashboard.py" "$build/bedrock-metrics" "$work" \
    "$root/deploy/dashboard.json" >"$work/dashboard.out" || status=1
cat "$work/plan.out" "$work/dashboard.out" | grep -v ' passed, ' || true
cat "$work/plan.out" "$work/dashboard.out" |
    awk '/ passed, / { passed += $1; failed += $3; parts++ }
         END { if (parts != 2) failed++; printf "%d passed, %d failed\n", passed, failed }'
exit $status
