#!/bin/bash
# Tests of the AWS layer against botocore, moto and scripted servers on loopback.
#
# usage: tests/aws/run.sh [--no-install] [test_*.py ...]
# Everything generated goes below build/.  Prints "N passed, N failed, N skipped" last.
set -eu
cd "$(dirname "$0")/../.."
CC=${CC:-cc}
OUT=build/aws-tests
VENV=build/venv-aws
INSTALL=yes
if [ "${1:-}" = --no-install ]; then
    INSTALL=no
    shift
fi
mkdir -p "$OUT"

# The sanitizers are on: these programs meet every broken answer the tests can think of.
# shellcheck disable=SC2089 # the quotes are part of the macro
FLAGS="-std=c17 -D_GNU_SOURCE -Isrc -Wall -Wextra -g -O1 -fsanitize=address,undefined
       -fno-sanitize-recover=all -DBM_VERSION=\"test\""
LIBS="-lcurl -lcrypto -ljansson -lz -lpthread"
for f in src/aws/*.c src/base/*.c tests/aws/sign_tool.c tests/aws/aws_tool.c; do
    o="$OUT/$(basename "$f" .c).o"
    newest=$(ls -t "$o" "$f" src/aws/*.h src/base/*.h 2>/dev/null | head -n 1)
    if [ "$newest" != "$o" ]; then
        # shellcheck disable=SC2086,SC2090
        $CC $FLAGS -c -o "$o" "$f"
    fi
done
objects=$(for f in src/aws/*.c src/base/*.c; do echo "$OUT/$(basename "$f" .c).o"; done)
for tool in sign_tool aws_tool; do
    # shellcheck disable=SC2086,SC2090
    $CC $FLAGS -o "$OUT/$tool" "$OUT/$tool.o" $objects $LIBS
done

# Without sanitizers, whose own allocator would be in the way of failing allocations.
# shellcheck disable=SC2086,SC2090
$CC -std=c17 -D_GNU_SOURCE -Isrc -g -O1 -DBM_VERSION='"test"' -o "$OUT/aws_tool_plain" \
    tests/aws/aws_tool.c src/aws/*.c src/base/*.c $LIBS
$CC -std=c17 -D_GNU_SOURCE -O1 -shared -fPIC -o "$OUT/fail_alloc.so" tests/torture/fail_alloc.c -ldl

if [ "$INSTALL" = yes ]; then
    python3 tests/fake_aws/moto_harness.py --ensure-venv "$VENV" ||
        echo "no packages: tests that need botocore or moto are skipped"
fi
PYTHON=python3
if [ -x "$VENV/bin/python" ]; then
    PYTHON=$VENV/bin/python
fi
exec env PYTHONDONTWRITEBYTECODE=1 AWS_TESTS_OUT="$PWD/$OUT" "$PYTHON" tests/aws/run_tests.py "$@"
