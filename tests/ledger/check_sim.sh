#!/bin/sh
# check_sim.sh LEDGER-SIM [SEEDS]: the gate for each commit, about a minute of one core.
#
# Goal of this test: 20,000 worlds with nothing lost and nothing counted twice; for each policy that
# gives something up, deviations equal to the journal; and each broken variant of the protocol found
# out within 100 worlds (ledger-sim ends with 1 when a broken variant gets through).
set -eu
sim=$1
seeds=${2:-20000}
"$sim" --seeds "1:$seeds"
for policy in resend drop hold; do
    "$sim" --seeds 1:1500 --policy "$policy"
done
# Other shapes: many workers on few objects, and one worker alone.
"$sim" --seeds 1:1000 --objects 30 --workers 8
"$sim" --seeds 1:500 --objects 200 --workers 1
"$sim" --seeds 1:50 --objects 1000 --workers 6
for variant in no-tombstone no-fence send-first blind-retry done-first no-control no-nonce \
    marker-reuse short-ttl; do
    "$sim" --seeds 1:100 --variant "$variant" | sed -n -e "s/^seed/$variant: seed/p" |
        sed -n 1p
    "$sim" --seeds 1:100 --variant "$variant" >/dev/null
done
echo "ledger simulator: ok"
