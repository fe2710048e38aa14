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

# Rows are sorted by name; here by share, the largest first, with Other last.
by_size() {
    read -r empty
    read -r command
    printf '%s\n%s\n' "$empty" "$command"
    table=$(cat)
    printf '%s\n' "$table" | sed -n 1,2p
    printf '%s\n' "$table" | sed -n '3,/^─/p' | grep -v '^─' |
        sed 's/^\(.*[^0-9.]\([0-9.]*\)%.*\)$/\2 \1/; s/^[0-9.]* Other /-1 Other /' |
        sort -rn | cut -d ' ' -f 2-
    printf '%s\n' "$table" | sed '1,2d' | sed -n '/^─/,$p'
}

echo
echo "Who used which model through which kind of inference profile?"
step aggregate "$logs" --top 12
echo
echo "Where did the calls of cross-Region profiles run?"
step aggregate "$logs" --by InferenceProfileType,SourceRegion,InferenceRegion --top 12 --quiet
echo
echo "And who made them?"
step aggregate "$logs" --by Principal --top 8 --quiet | by_size
if "$program" --help | grep -q '^  report '; then
    echo
    echo "The same as a page:"
    step report "$logs" --output html --out build/demo/report.html
    echo "Report: $(pwd)/build/demo/report.html (open it in a browser; it needs no network)"
    echo "Live:   $program serve $logs"
fi
