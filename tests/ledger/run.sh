#!/bin/sh
# run.sh [--all]: the ledger in the real program: its commands and policies; killed at named points
# and at system calls; on bad disks; without the table's answers; as a fleet; what it costs.
# Without --all samples, about four minutes.  Build first: make.  The last line is "N passed, N
# failed".
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
status=0
step() {
    script=$1
    shift
    echo "$script" >"$said/$(basename "$script")"
    "$python" "$here/$script" "$@" >>"$said/$(basename "$script")" 2>&1
}
# Most of the time is waiting for leases and fences, so two go on beside the others.
step commands/commands.py & commands=$!
step cost.py --objects 400 & cost=$!
step kill/kill.py --jobs 16 "$@" || status=1
step faults/calls.py --jobs 16 "$@" || status=1
step faults/disk.py --jobs 16 "$@" || status=1
step faults/answers.py --jobs 24 "$@" || status=1
step fleet/fleet.py "$@" || status=1
wait $commands || status=1
wait $cost || status=1
cat "$said"/*
cat "$said"/* | awk '
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
    END { printf "%d passed, %d failed\n", passed, failed }'
exit $status
