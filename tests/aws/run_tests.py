"""Run tests/aws/test_*.py and print "N passed, N failed, N skipped"."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


def main():
    names = [os.path.basename(n) for n in sys.argv[1:]] or sorted(
        n for n in os.listdir(HERE) if n.startswith("test_") and n.endswith(".py"))
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromName(n[:-3]) for n in names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    # A test with several failed parts (subTest) is one failed test.
    failed = len({str(t).split(") (")[0].rstrip(")") for t, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    passed = result.testsRun - failed - skipped
    for test, why in result.skipped:
        print("SKIPPED %s: %s" % (test, why))
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
