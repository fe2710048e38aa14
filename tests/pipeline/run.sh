#!/bin/sh
# The pipeline through the real program against the counterparts of tests/fake_aws.
#
#     tests/pipeline/run.sh [BUILD] [MODULE[.TEST]]...
#
# BUILD (build/release) has bedrock-metrics and bedrock-logs-sim.  SOAK_OBJECTS (4000) makes the
# soak longer.  Only the Python standard library is needed.  The last line says
# "N passed, N failed"; exit 1 when anything failed.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/release}
[ $# -eq 0 ] || shift
if [ ! -x "$build/bedrock-metrics" ]; then
    echo "no $build/bedrock-metrics: make it first" >&2
    exit 2
fi
BUILD=$(cd "$build" && pwd)
export BUILD PYTHONDONTWRITEBYTECODE=1
unset AWS_PROFILE AWS_CA_BUNDLE HTTP_PROXY HTTPS_PROXY http_proxy https_proxy 2>/dev/null || true
cd tests/pipeline
exec "${PYTHON:-python3}" run.py "$@"
