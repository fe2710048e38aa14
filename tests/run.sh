#!/bin/sh
# Everything that shows that a build works.
#
#     tests/run.sh BUILD [unit]       BUILD: build/release, ...; unit: the unit tests only
#
# Each step's output is in BUILD/test-logs/ and is shown when the step fails.  The last line says
# "N passed, N failed", with ", N skipped" where something was; exit 1 when anything failed.
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
logs=$build/test-logs
binary=$root/$build/bedrock-metrics
simulator=$root/$build/bedrock-logs-sim
passed=0 failed=0 skipped=0
export PYTHONDONTWRITEBYTECODE=1
unset AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION METRICS METRIC_LATENCY MAX_OBJECT_BYTES \
    BEDROCK_METRICS_SIMD BEDROCK_METRICS_CHUNK PRICES_FILE INFERENCE_PROFILES_FILE LOG_LEVEL
rm -rf "$logs"
mkdir -p "$logs"

# Run a step and add its own sums up.  A step that says nothing of the kind counts as one test.
step() {
    name=$1
    shift
    log=$logs/$name.log
    begin=$(date +%s)
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    # shellcheck disable=SC2046 # three numbers
    set -- $($python tests/support/count.py "$status" "$log")
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    end=$(date +%s)
    if [ "$2" -gt 0 ]; then
        printf '%-34s FAILED: %s passed, %s failed (%s s); exit %s, end of %s:\n' "$name" "$1" "$2" \
            $((end - begin)) "$status" "$log"
        grep -v '^\[ RUN\|^\[       OK' "$log" | tail -n 40 | sed 's/^/    /'
    elif [ "$3" -gt 0 ]; then
        printf '%-34s %s passed, %s skipped (%s s)\n' "$name" "$1" "$3" $((end - begin))
        grep -i '^skipped:' "$log" | sed 's/^/    /'
    else
        printf '%-34s %s passed (%s s)\n' "$name" "$1" $((end - begin))
    fi
}

# A step whose hundreds of thousands of comparisons count as one test.
as_one() {
    "$@" >"$logs/detail" 2>&1 && return
    tail -n 30 "$logs/detail" | sed 's/ passed,/ right,/'
    return 1
}

finish() {
    if [ $((passed + failed)) -eq 0 ]; then
        failed=1
    fi
    if [ "$skipped" -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
    [ "$failed" -eq 0 ]
    exit
}

for source in tests/unit/test_*.c; do
    name=$(basename "$source" .c)
    # shellcheck disable=SC2086 # EMULATOR is a command line
    step "$name" ${EMULATOR:-} "$build/tests/unit/$name"
done
[ "$only" != unit ] || finish

step scenarios $python tests/scenarios/run.py --binary "$binary"

corpus=${BM_JSON_SUITE:-$root/../shared/data/json-test-suite/test_parsing}
step json-corpus $python tests/scenarios/jsonsuite.py --binary "$binary" --corpus "$corpus"

step differential $python tests/oracle/differential.py --binary "$binary" --seeds "0:$seeds"
for kernel in avx2 sse2 neon scalar; do
    # 2 is wrong usage: this machine has no such instructions.
    BEDROCK_METRICS_SIMD=$kernel "$binary" aggregate --quiet /dev/null >"$logs/kernel" 2>&1
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
if "$binary" prices --help >"$logs/prices-help" 2>&1; then
    step prices-command $python tests/prices/check_command.py "$binary"
fi
step fake-aws $python tests/fake_aws/test_fakes.py
finish
