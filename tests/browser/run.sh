#!/bin/sh
# The page in a real browser: tests/browser/run.sh BUILD.  Says what is missing on this machine.
set -eu
cd "$(dirname "$0")/../.."
. tests/support/steps.sh
need node || exit 0
need npm || exit 0
need "${CHROMIUM:-chromium}" || exit 0
[ -d tests/browser/node_modules ] || npm ci --prefix tests/browser || {
    echo "skipped: the packages of tests/browser cannot be had here"
    exit 0
}
BUILD=$PWD/${1:-build/release} exec node tests/browser/run.mjs
