#!/bin/sh
# worlds.sh LEDGER-SIM [WORLDS]: simulated worlds through the protocol, about a minute of one core.
#
# Goal of this test: 20,000 worlds with nothing lost and nothing counted twice; for each policy that
# gives something up, deviations equal to the journal; and each broken variant of the protocol found
# out within 100 worlds.  The mutants of mutate_core.py still have the lines that they break.
set -eu
cd "$(dirname "$0")/../.."
sim=$1
worlds=${2:-20000}
. tests/support/steps.sh
steps build/ledger-worlds

# One test: the simulator ends with 1 when a broken variant gets through.
broken() {
    "$sim" --seeds 1:100 --variant "$1" >"build/ledger-worlds/$1.txt" && return
    sed -e 's/ passed/ right/' "build/ledger-worlds/$1.txt"
    return 1
}

step worlds "$sim" --seeds "1:$worlds"
for policy in resend drop hold; do
    step "policy-$policy" "$sim" --seeds 1:1500 --policy "$policy"
done
# Other shapes: many workers on few objects, and one worker alone.
step crowded "$sim" --seeds 1:1000 --objects 30 --workers 8
step alone "$sim" --seeds 1:500 --objects 200 --workers 1
step many-objects "$sim" --seeds 1:50 --objects 1000 --workers 6
for variant in no-tombstone no-fence send-first blind-retry done-first no-control no-nonce \
    marker-reuse short-ttl; do
    step "broken-$variant" broken "$variant"
done
step mutants "${PYTHON:-python3}" tests/ledger/mutate_core.py places
finish
