#!/bin/sh
# Installs the peers that need a package into build/venv.  Big (about 1 GB) and optional: run.py
# leaves out what is not there.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
python3 -m venv "$root/build/venv"
"$root/build/venv/bin/pip" install --quiet --disable-pip-version-check \
    -r "$root/tests/bench/peers/requirements.txt"
echo "installed into build/venv"
