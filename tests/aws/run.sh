#!/bin/sh
# Tests of the AWS layer against botocore, moto and scripted servers on loopback.
#
# usage: tests/aws/run.sh [test_*.py ...]
set -eu
case ${1-} in
-*)
    echo "usage: tests/aws/run.sh [test_*.py ...]" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/../.."
venv=build/venv-aws
export PYTHONDONTWRITEBYTECODE=1
# The sanitizers are on: these programs meet every broken answer the tests can think of.  Where
# allocations are made to fail they would be in the way.
make --no-print-directory VARIANT=asan aws-tools
make --no-print-directory VARIANT=valgrind aws-tools
mkdir -p build/aws-tests
python=python3
if python3 tests/fake_aws/moto_harness.py --ensure-venv $venv; then
    python=$venv/bin/python
else
    echo "no packages: tests that need botocore or moto are skipped"
fi
exec $python tests/aws/run_tests.py "$@"
