#!/bin/sh
# demo.sh BUILD: a day of simulated Bedrock logs, and what the program says about it.
set -eu
build=$1
program=$build/bedrock-metrics
logs=build/demo/logs

if [ ! -f build/demo/expected.json ]; then
    rm -rf build/demo
    mkdir -p build/demo
    "$build/bedrock-logs-sim" --out "$logs" --profile demo --expected build/demo/expected.json
fi

bold=
plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m')
    plain=$(printf '\033[0m')
fi

step() {
    printf '\n%s$ bedrock-metrics %s%s\n' "$bold" "$*" "$plain"
    "$program" "$@"
}

echo
echo "Who used which model through which kind of inference profile?"
step aggregate "$logs" --top 12
echo
echo "Where did the calls of cross-Region profiles run?"
step aggregate "$logs" --by InferenceProfileType,SourceRegion,InferenceRegion --top 12 --quiet
echo
echo "And who made them?"
step aggregate "$logs" --by Principal --top 8 --quiet
if "$program" --help | grep -q '^  report '; then
    echo
    echo "The same as a page:"
    step report "$logs" --output html --out build/demo/report.html
    echo "Report: $(pwd)/build/demo/report.html (open it in a browser; it needs no network)"
    echo "Live:   $program serve $logs"
fi
