#!/usr/bin/env python3
"""count.py EXIT_STATUS LOG: how many tests passed, failed and were skipped, by a step's output.

Understands the line "N passed, N failed[, N skipped]", cmocka and unittest.  Output without any of
these is one test, good or bad by its exit status; "skipped: ..." alone is one skipped test.
"""
import re
import sys


def counts(text):
    last = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", text, re.MULTILINE)
    if last:
        return [int(n or 0) for n in last[-1]]
    good = re.findall(r"^\[  PASSED  \] (\d+) test", text, re.MULTILINE)
    bad = re.findall(r"^\[  FAILED  \] (\d+) test", text, re.MULTILINE)
    if good or bad:
        return [sum(map(int, good)), sum(map(int, bad)), 0]
    ran = re.findall(r"^Ran (\d+) tests? in", text, re.MULTILINE)
    if ran:
        verdict = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", text, re.MULTILINE)
        parts = dict(re.findall(r"(\w+)=(\d+)", verdict[-1] if verdict else ""))
        failed = int(parts.get("failures", 0)) + int(parts.get("errors", 0))
        skipped = int(parts.get("skipped", 0))
        return [max(int(ran[-1]) - failed - skipped, 0), failed, skipped]
    if re.search(r"^skipped:", text, re.MULTILINE | re.IGNORECASE):
        return [0, 0, 1]
    return None


def main():
    status = int(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8", errors="replace") as file:
        result = counts(file.read())
    if result is None:
        result = [1, 0, 0] if status == 0 else [0, 1, 0]
    elif status != 0 and result[1] == 0:
        result[1] = 1
    elif sum(result) == 0:
        result[1] = 1
    print(*result)


if __name__ == "__main__":
    main()
