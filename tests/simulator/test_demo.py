#!/usr/bin/env python3
"""demo.py BUILD: what `make demo` shows of callers is in the order of their shares, Other last."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support.results import Results  # noqa: E402


def main():
    done = subprocess.run(["sh", "tools/demo.sh", sys.argv[1]], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    part = done.stdout.decode().split("And who made them?")[1]
    lines = part.split("\n\n")[1].splitlines()
    rulers = [i for i, line in enumerate(lines) if line.startswith("─")]
    rows = lines[rulers[0] + 1:rulers[1]]
    shares = [float(re.search(r" ([0-9.]+)% ", row).group(1)) for row in rows[:-1]]
    right = [done.returncode == 0, len(rows) == 9, shares == sorted(shares, reverse=True),
             rows[-1].startswith("Other "), lines[rulers[1] + 1].startswith("Total "),
             lines[1].startswith("Principal "), "--by Principal" in lines[0]]
    results = Results()
    for number, ok in enumerate(right):
        results.check(ok, "condition %d of the demo:\n%s" % (number, part))
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
