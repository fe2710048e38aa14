#!/usr/bin/env python3
"""The documents say what the program does, and the other way round.

    check.py [BUILD]    BUILD is the folder of the binary, build/release by default

Prints `N passed, N failed`; exit status 1 when something failed.  Needs the
standard library only; with git the files are those that git knows.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import codes  # noqa: E402
import files  # noqa: E402
import house  # noqa: E402
import links  # noqa: E402
import names  # noqa: E402
import queries  # noqa: E402
import runs  # noqa: E402
import shell  # noqa: E402
import tour  # noqa: E402
import words  # noqa: E402
from common import Program  # noqa: E402
from support.results import Results  # noqa: E402


def main():
    program = Program(sys.argv[1] if len(sys.argv) > 1 else "build/release")
    results = Results()
    for part in (runs, files, house, names, codes, queries, links, shell, tour, words):
        part.check(program, results)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
