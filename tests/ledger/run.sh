#!/bin/sh
# run.sh [--all]: the ledger in the real program: its commands and policies, and the kill matrix
# (without --all a sample of less than two minutes).  Build first: make.  The last line is
# "N passed, N failed".
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
status=0
commands=$("$python" "$here/commands/commands.py") || status=1
echo "$commands"
kills=$("$python" "$here/kill/kill.py" "$@") || status=1
echo "$kills"
printf '%s\n%s\n' "$commands" "$kills" | awk '
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
    END { printf "%d passed, %d failed\n", passed, failed }'
exit $status
