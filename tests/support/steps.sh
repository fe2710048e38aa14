# shellcheck shell=sh
# steps.sh: running the steps of a suite and adding up what they say; sourced by the runners.
#
#     . tests/support/steps.sh        in the root of the tree
#     steps FOLDER                    where the steps' output goes
#     step NAME COMMAND...            one after another; or
#     start NAME COMMAND...  ended NAME    side by side; or
#     lane NAME FUNCTION  lanes_ended      the steps of several functions side by side
#     finish                          "N passed, N failed[, N skipped]", exit status 1 when any failed
#
# A step says "N passed, N failed[, N skipped]" last, or is cmocka's or unittest's (count.py); one
# that says nothing of the kind is one test, good or bad by its exit status.  What it wrote is shown
# when it failed.  One line a step, with its seconds.

steps() {
    steps_logs=$1
    steps_passed=0 steps_failed=0 steps_skipped=0
    rm -rf "$steps_logs"
    mkdir -p "$steps_logs"
}

start() {
    steps_name=$1
    shift
    (
        set +e
        steps_begin=$(date +%s)
        # A subshell, so that functions with steps of their own are steps too.
        ("$@") >"$steps_logs/$steps_name.log" 2>&1 </dev/null
        echo "$? $(($(date +%s) - steps_begin))" >"$steps_logs/$steps_name.status"
    ) &
    echo $! >"$steps_logs/$steps_name.pid"
}

ended() {
    wait "$(cat "$steps_logs/$1.pid")"
    read -r steps_status steps_seconds <"$steps_logs/$1.status"
    steps_line=$("${PYTHON:-python3}" tests/support/count.py "$steps_status" "$steps_logs/$1.log")
    read -r steps_good steps_bad steps_left <<COUNTS
$steps_line
COUNTS
    rm -f "$steps_logs/$1.pid" "$steps_logs/$1.status"
    steps_passed=$((steps_passed + steps_good))
    steps_failed=$((steps_failed + steps_bad))
    steps_skipped=$((steps_skipped + steps_left))
    if [ "$steps_bad" -gt 0 ]; then
        printf '%-34s FAILED: %s passed, %s failed (%s s); exit %s, end of %s:\n' "$1" \
            "$steps_good" "$steps_bad" "$steps_seconds" "$steps_status" "$steps_logs/$1.log"
        grep -v '^\[ RUN\|^\[       OK' "$steps_logs/$1.log" | tail -n 60 | sed 's/^/    /'
    elif [ "$steps_left" -gt 0 ]; then
        printf '%-34s %s passed, %s skipped (%s s)\n' "$1" "$steps_good" "$steps_left" "$steps_seconds"
        grep -i '^ *skipped:' "$steps_logs/$1.log" | sort -u | sed 's/^ */    /'
    else
        printf '%-34s %s passed (%s s)\n' "$1" "$steps_good" "$steps_seconds"
    fi
}

step() {
    start "$@"
    ended "$1"
}

# A failing step's lines may stand between those of another lane.
lane() {
    echo "0 1 0" >"$steps_logs/$1.lane"
    (
        steps_passed=0 steps_failed=0 steps_skipped=0
        "$2"
        echo "$steps_passed $steps_failed $steps_skipped" >"$steps_logs/$1.lane"
    ) &
}

# Waits for the lanes and adds up their steps; one that ended early has failed.
lanes_ended() {
    wait
    for steps_lane in "$steps_logs"/*.lane; do
        read -r steps_good steps_bad steps_left <"$steps_lane"
        steps_passed=$((steps_passed + steps_good))
        steps_failed=$((steps_failed + steps_bad))
        steps_skipped=$((steps_skipped + steps_left))
        rm -f "$steps_lane"
    done
}

# Whether a program is there; the step says that it is skipped.
need() {
    command -v "$1" >/dev/null || {
        echo "skipped: no $1 on this machine"
        return 1
    }
}

finish() {
    if [ $((steps_passed + steps_failed + steps_skipped)) -eq 0 ]; then
        steps_failed=1
    fi
    if [ "$steps_skipped" -gt 0 ]; then
        echo "$steps_passed passed, $steps_failed failed, $steps_skipped skipped"
    else
        echo "$steps_passed passed, $steps_failed failed"
    fi
    [ "$steps_failed" -eq 0 ]
}
