#!/bin/sh
# bench.sh BUILD: speed against inflating alone, one job against two, memory, and other tools.
#
# All comparisons are paired in one run on the same files.  BENCH_MB (default 300) is the size of
# each corpus inflated, BENCH_ROUNDS (7) how often each pair is run; BENCH_PEERS=0 leaves the other
# tools out.
set -eu
build=$1
dir=build/bench
mb=${BENCH_MB:-300}
mkdir -p "$dir"
sh tools/packages.sh install isal python3
for profile in chat agent none; do
    if [ ! -d "$dir/$profile-$mb" ]; then
        rm -rf "$dir/$profile-$mb.tmp"
        "$build/bedrock-logs-sim" --out "$dir/$profile-$mb.tmp" --profile "$profile" --size "${mb}M"
        mv "$dir/$profile-$mb.tmp" "$dir/$profile-$mb"
    fi
    if [ ! -f "$dir/single-$profile-$mb.json.gz" ]; then
        "$build/bedrock-logs-sim" --single "$dir/single.tmp" --profile "$profile" --size "${mb}M"
        mv "$dir/single.tmp" "$dir/single-$profile-$mb.json.gz"
    fi
done
python3 tests/bench/bench.py --binary "$build/bedrock-metrics" --dir "$dir" --mb "$mb" \
    --rounds "${BENCH_ROUNDS:-7}"
if [ "${BENCH_PEERS:-1}" != 0 ]; then
    for profile in chat none; do
        echo
        echo "Other tools, $profile bodies, one processor, same answer:"
        python3 tests/bench/peers/run.py --binary "$build/bedrock-metrics" --rounds 3 "$dir/$profile-$mb" ||
            echo "(a peer failed or disagreed)"
    done
fi
