#!/bin/sh
# run.sh [--all]: the ledger in the real program: its commands and policies; killed at named points
# and at system calls; on bad disks; without the table's answers; as a fleet; what it costs.
# Without --all samples, about four minutes.  Build first: make.  The last line is "N passed, N
# failed".
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
status=0
all=
step() {
    echo "$1"
    script=$1
    shift
    said=$("$python" "$here/$script" "$@") || status=1
    echo "$said"
    all="$all
$said"
}
step commands/commands.py
step kill/kill.py --jobs 16 "$@"
step faults/calls.py --jobs 16 "$@"
step faults/disk.py --jobs 16 "$@"
step faults/answers.py --jobs 24 "$@"
step fleet/fleet.py "$@"
step cost.py --objects 400
echo "$all" | awk '
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
    END { printf "%d passed, %d failed\n", passed, failed }'
exit $status
