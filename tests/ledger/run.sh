#!/bin/sh
# run.sh [--all]: the ledger in the real program: its commands and policies; killed at named points
# and at system calls; on bad disks; without the table's answers; as a fleet; what it costs.
# Without --all samples, about four minutes.  Build first: make.  BUILD names another build.
set -eu
cd "$(dirname "$0")/../.."
here=tests/ledger
python=${PYTHON:-python3}
export PYTHONDONTWRITEBYTECODE=1
. tests/support/steps.sh
# A folder of its own: two runs may go on at once.
mkdir -p build/ledger-tests
folder=$(mktemp -d build/ledger-tests/XXXXXX)
steps "$folder"
# Most of the time is waiting for leases and fences, so two go on next to the others.
start commands "$python" $here/commands/commands.py
start cost "$python" $here/cost.py --objects 400
step kill "$python" $here/kill/kill.py --jobs 16 "$@"
step calls "$python" $here/faults/calls.py --jobs 16 "$@"
step disk "$python" $here/faults/disk.py --jobs 16 "$@"
step machine "$python" $here/faults/machine.py --jobs 16 "$@"
step answers "$python" $here/faults/answers.py --jobs 24 "$@"
step fleet "$python" $here/fleet/fleet.py "$@"
ended commands
ended cost
finish && rm -rf "$folder"
