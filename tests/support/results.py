"""Counting what held, and saying so the way the runners read it: "N passed, N failed[, N skipped]".

    results = Results()
    results.check(ok, "what should be");  results.same(got, wanted, "what")
    results.test("name", function)         # one test: failed by any exception
    sys.exit(results.end())
"""
import os
import sys
import time
import traceback
import unittest


class Failed(AssertionError):
    """A test's condition that did not hold."""


class Skip(Exception):
    """The test cannot be made here; the text says why."""


def check(condition, *what):
    if not condition:
        raise Failed(" ".join(str(w) for w in what) or "check failed")


def equal(got, wanted, what=""):
    if got != wanted:
        raise Failed("%s\n    got    %s\n    wanted %s" % (what, got, wanted))


class Results:
    def __init__(self, verbose=False):
        self.passed = self.failed = self.skipped = 0
        self.verbose = verbose

    def check(self, ok, what):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED: %s" % what, flush=True)
        return bool(ok)

    def same(self, got, wanted, what):
        return self.check(got == wanted, "%s: got %s, expected %s" % (
            what, repr(got)[:1000], repr(wanted)[:1000]))

    def skip(self, name, why):
        self.skipped += 1
        print("skipped: %s: %s" % (name, why), flush=True)

    def test(self, name, function, *arguments, **options):
        """Calls it; whatever it raises, the test failed.  What it returns is a remark."""
        began = time.monotonic()
        try:
            remark = function(*arguments, **options)
        except Skip as why:
            self.skip(name, why)
        except Exception:  # pylint: disable=broad-except
            self.failed += 1
            print("FAIL %s\n%s" % (name, traceback.format_exc()[-6000:]), flush=True)
        else:
            self.passed += 1
            if self.verbose:
                print("ok   %s (%s%.1f s)" % (name, "%s, " % remark if remark else "",
                                              time.monotonic() - began), flush=True)

    def test_all(self, functions, words=()):
        """Those of {name: function} whose name is test_... and holds one of the words."""
        for name, function in functions.items():
            if name.startswith("test_") and callable(function) and \
                    (not words or any(word in name for word in words)):
                self.test(name, function)

    def end(self):
        """The last line of a suite; its exit status."""
        print("%d passed, %d failed%s" % (self.passed, self.failed,
                                          ", %d skipped" % self.skipped if self.skipped else ""))
        return 1 if self.failed or not self.passed else 0


def run_unittest(suite):
    """A suite of unittest with the same last line; a test with several failed parts is one."""
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len({str(test).split(") (")[0].rstrip(")") for test, _ in
                  result.failures + result.errors})
    results = Results()
    results.failed, results.skipped = failed, len(result.skipped)
    results.passed = result.testsRun - failed - results.skipped
    for test, why in result.skipped:
        print("skipped: %s: %s" % (test, why))
    return results.end()


def verbose():
    return bool(os.environ.get("VERBOSE"))
