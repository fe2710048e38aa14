#!/bin/sh
# Tests of "doctor": faults planted into a pipeline on loopback, each named first and once; and the
# fixes that it names, run against moto where the AWS CLI is there.
#
# usage: tests/doctor/run.sh [BINARY] [NAME...]
# BINARY: build/release/bedrock-metrics.  NAME: only cases whose name holds it, and no fixes.
set -eu
cd "$(dirname "$0")/../.."
binary=${1:-build/release/bedrock-metrics}
[ $# -eq 0 ] || shift
export PYTHONDONTWRITEBYTECODE=1
. tests/support/steps.sh
steps build/doctor-tests
venv=build/venv-aws

fixes() {
    need aws || return 0
    python3 tests/fake_aws/moto_harness.py --ensure-venv "$venv" || {
        echo "skipped: moto cannot be installed here"
        return 0
    }
    "$venv/bin/python" tests/doctor/test_fixes.py "$binary"
}

step faults python3 tests/doctor/test_doctor.py "$binary" "$@"
[ $# -gt 0 ] || step fixes fixes
finish
