#!/bin/sh
# The commands serve and report against aggregate, the simulator's own sums, and kill -9.
#   tests/serve/run.sh [BUILD]      BUILD: folder of the built programs, default build/release
# KILLS=N: how many times the ingest is killed (default 200).  PROMTOOL=FILE: Prometheus' promtool.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build/release}
BUILD=$build exec "${PYTHON:-python3}" "$root/tests/serve/run_tests.py"
