#!/bin/sh
# What `make test` runs: everything that shows that a build works, in a few minutes.
#
#     tests/run.sh BUILD [unit]       BUILD: build/release, ...; unit: the unit tests only
#
# EMULATOR (a command line) runs the programs of another architecture, or under valgrind.
# BM_JSON_SUITE is the folder of a JSON parsing corpus; without one that step is skipped.
# DIFFERENTIAL_SEEDS (3000) is how many generated objects the independent reader is asked about.
set -u

build=$1
only=${2:-all}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 2
python=${PYTHON:-python3}
seeds=${DIFFERENTIAL_SEEDS:-3000}
binary=$root/$build/bedrock-metrics
simulator=$root/$build/bedrock-logs-sim
export PYTHONDONTWRITEBYTECODE=1
. tests/support/steps.sh
steps "$build/test-logs"

# A step whose hundreds of thousands of comparisons count as one test.
as_one() {
    "$@" >"$build/test-logs/detail" 2>&1 && return
    tail -n 30 "$build/test-logs/detail" | sed 's/ passed,/ right,/'
    return 1
}

for source in tests/unit/test_*.c; do
    name=$(basename "$source" .c)
    # shellcheck disable=SC2086 # EMULATOR is a command line
    step "$name" ${EMULATOR:-} "$build/tests/unit/$name"
done
if [ "$only" = unit ]; then
    finish
    exit
fi

step scenarios $python tests/scenarios/run.py --binary "$binary"

step outsiders $python tests/scenarios/outsiders.py "$binary"

corpus=${BM_JSON_SUITE:-$root/../shared/data/json-test-suite/test_parsing}
step json-corpus $python tests/scenarios/jsonsuite.py --binary "$binary" --corpus "$corpus"

step differential $python tests/oracle/differential.py --binary "$binary" --seeds "0:$seeds"
for kernel in avx2 sse2 neon scalar; do
    # 2 is wrong usage: this machine has no such instructions.
    BEDROCK_METRICS_SIMD=$kernel "$binary" aggregate --quiet /dev/null >/dev/null 2>&1
    [ $? -ne 2 ] || continue
    for chunk in 1 64; do
        step "differential-$kernel-$chunk" $python tests/oracle/differential.py \
            --binary "$binary" --scanner "$kernel" --chunk "$chunk" \
            --seeds "$((10000 * chunk)):$((10000 * chunk + seeds / 3))"
    done
done
step differential-jobs $python tests/oracle/differential.py --binary "$binary" --jobs 3 \
    --seeds "5000:$((5000 + seeds / 3))"

step simulator $python tests/simulator/test_simulator.py "$simulator"
step simulated-logs $python tests/oracle/simulated.py --binary "$binary" --simulator "$simulator"
step demo $python tests/simulator/test_demo.py "$build"
step memory $python tests/scenarios/memory.py --binary "$binary" --mib 64

step prices as_one $python tests/prices/check_prices.py "$build/tests/prices/price_tool"
step prices-command $python tests/prices/check_command.py "$binary"
step fake-aws $python tests/fake_aws/test_fakes.py
finish
