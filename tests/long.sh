#!/bin/sh
# What does not fit into CI's 40 minutes (make check-long): hours on two cores.
#
#     tests/long.sh [STEP...]         all steps, or those named
#
# SIMULATED_WORLDS (1000000) and FUZZ_SECONDS (1800 for each target) say how long it takes.
set -u
cd "$(dirname "$0")/.." || exit 2
worlds=${SIMULATED_WORLDS:-1000000}
python=${PYTHON:-python3}
build=build/release
wanted=" $* "
export PYTHONDONTWRITEBYTECODE=1
. tests/support/steps.sh
steps build/long

long() {
    [ "$wanted" = "  " ] || case $wanted in *" $1 "*) ;; *) return 0 ;; esac
    step "$@"
}

long ledger-worlds sh tests/ledger/worlds.sh $build/ledger-sim "$worlds"
long ledger-mutants $python tests/ledger/mutate_core.py
long ledger-kills sh tests/ledger/run.sh --all
long chunks $python tests/oracle/chunks.py --binary $build/bedrock-metrics
long differential $python tests/oracle/differential.py --binary $build/bedrock-metrics \
    --seeds 100000:300000
long memory $python tests/scenarios/memory.py --binary $build/bedrock-metrics --mib 1024
long serve-kills env KILLS=1000 ONLY='kill -9' sh tests/serve/run.sh $build
long aws-allocations env TORTURE_STEP=1 bash tests/aws/run.sh test_torture.py
long pipeline-allocations env TORTURE_STEP=1 sh tests/pipeline/run.sh $build test_torture
long soak env SOAK_OBJECTS=200000 sh tests/pipeline/run.sh $build test_soak
long fuzz make fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-1800}"
finish
