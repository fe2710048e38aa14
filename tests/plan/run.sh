#!/bin/sh
# `plan` and `dashboard` against independent counts: tests/plan/run.sh [BUILD]
# Needs the program and the log simulator, built.  What it makes goes below the build folder.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/release}
work=$build/plan-tests
export PYTHONDONTWRITEBYTECODE=1
. tests/support/steps.sh
steps "$work"
"$build/bedrock-logs-sim" --out "$work/logs" --expected "$work/expected.json" \
    >"$work/simulator.log" 2>&1
step plan python3 tests/plan/check_plan.py "$build/bedrock-metrics" "$work"
step dashboard python3 tests/plan/check_dashboard.py "$build/bedrock-metrics" "$work" \
    deploy/dashboard.json
finish
