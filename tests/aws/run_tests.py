"""Run tests/aws/test_*.py, or those named."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from support.results import run_unittest  # noqa: E402


def main():
    names = [os.path.basename(n) for n in sys.argv[1:]] or sorted(
        n for n in os.listdir(HERE) if n.startswith("test_") and n.endswith(".py"))
    return run_unittest(unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromName(n[:-3]) for n in names))


if __name__ == "__main__":
    sys.exit(main())
