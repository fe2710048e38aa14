#!/bin/sh
# worlds.sh LEDGER-SIM WORLDS: simulated worlds through the protocol, and whether the mutants of
# mutate_core.py still have their lines.
set -eu
cd "$(dirname "$0")/../.."
. tests/support/steps.sh
steps build/ledger-worlds
step worlds sh tests/ledger/check_sim.sh "$1" "$2"
step mutants "${PYTHON:-python3}" tests/ledger/mutate_core.py places
finish
