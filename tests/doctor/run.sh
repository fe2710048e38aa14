#!/bin/sh
# Tests of "doctor": faults planted into a pipeline on loopback, each named first and once.
#
# usage: tests/doctor/run.sh [BINARY] [NAME...]
# BINARY: build/release/bedrock-metrics.  NAME: only cases whose name holds it.  Needs python3 alone.
# Prints "N passed, N failed" last.
set -eu
cd "$(dirname "$0")/../.."
binary=${1:-build/release/bedrock-metrics}
[ $# -eq 0 ] || shift
exec env PYTHONDONTWRITEBYTECODE=1 python3 tests/doctor/test_doctor.py "$binary" "$@"
