#!/usr/bin/env python3
"""Writes the expected files of failing scenarios anew from what the program answers now.

    update.py --binary PATH [--only WORD]            make update-scenarios

Shows what changed, for a person to judge: a scenario says what is right, and a wrong answer must not
become one.  A document, table or status is taken as it is.  Of the regular expressions those that no
longer match become the nearest line of the output; those that must not match stay, and so does what
differs between the runs of a case: both are named.  Refuses to run in CI.
"""
import argparse
import difflib
import json
import os
import re
import subprocess
import sys

import run as scenarios


def document_text(document):
    """A JSON document in the form that the cases have: a row a line, then a part a line."""
    text, separator = "", ""
    for name, value in scenarios.normal(document).items():
        dumped = json.dumps(value, ensure_ascii=False)
        if name == "rows":
            dumped = "[\n  %s\n ]" % ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in value)
        text += "%s%s: %s" % (separator, json.dumps(name), dumped)
        separator = ",\n" if name == "rows" else ", \n" if separator.endswith("\n") else ", "
    return "{%s}\n" % text


def table_text(data):
    import csv
    import io
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(scenarios.table_of(data))
    return out.getvalue()


def patterns_text(patterns, data):
    """The patterns, those that find nothing replaced; and what a person has to decide."""
    text = data.decode("utf-8", "replace")
    out, left = [], []
    for pattern in patterns.splitlines():
        wrong = scenarios.compare_patterns("", pattern, data)
        if wrong and pattern.startswith("!"):
            left.append("the output holds what it must not: %s" % pattern[1:])
        elif wrong:
            plain = re.sub(r"\\(.)", r"\1", pattern)
            near = difflib.get_close_matches(plain, text.splitlines(), 1, 0.0)
            if near and near[0].strip():
                pattern = re.sub(r"\\([ \-#&~:=\"',/])", r"\1", re.escape(near[0].strip()))
            else:
                left.append("nothing in the output is near to: %s" % pattern)
        out.append(pattern)
    return "".join(p + "\n" for p in out), left


def new_texts(case, run):
    """{file: new text} of what one run of a case shows to be out of date, and what is left."""
    status, stdout, stderr = run
    out, left = {}, []
    if int(scenarios.text_of(case.folder, "expected.exit")) != status:
        out["expected.exit"] = "%d\n" % status
    for name, compare, text_of in (
            ("expected.json", scenarios.compare_json, lambda d: document_text(json.loads(d))),
            ("expected.csv", scenarios.compare_csv, table_text)):
        expected = scenarios.text_of(case.folder, name)
        if expected is not None and compare(expected, stdout):
            try:
                out[name] = text_of(stdout.decode())
            except ValueError as why:
                left.append("%s: %s" % (name, why))
    for name, data in (("expected.stdout", stdout), ("expected.stderr", stderr)):
        patterns = scenarios.text_of(case.folder, name)
        if patterns is not None and scenarios.compare_patterns(name, patterns, data):
            out[name], more = patterns_text(patterns, data)
            left += more
    return out, left


def update(case):
    """What a person has to look at; the files of the case are written."""
    runs = [case.outcome(line) for line in case.lines()]
    texts, left = {}, []
    for run in runs:
        new, more = new_texts(case, run)
        left += more
        for name, text in new.items():
            if texts.setdefault(name, text) != text:
                left.append("%s differs between the runs" % name)
    for name, text in texts.items():
        with open(os.path.join(case.folder, name), "w", encoding="utf-8", newline="") as file:
            file.write(text)
    return left


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    if os.environ.get("CI"):
        sys.exit("update.py: expected files are not written in CI")
    left = {}
    for name in scenarios.names(args.only):
        case = scenarios.Case(name, os.path.abspath(args.binary), {})
        if case.run(False):
            left[name] = update(case) + scenarios.Case(name, case.binary, {}).run(False)
    subprocess.run(["git", "--no-pager", "diff", "--stat", "-p", "--", "cases/*/expected.*"],
                   cwd=scenarios.HERE, check=False)
    for name, why in left.items():
        if why:
            print("%s still fails:\n  %s" % (name, "\n  ".join(why)))
    print("%d scenarios were out of date, %d of them still fail" % (
        len(left), sum(1 for why in left.values() if why)))
    sys.exit(1 if any(left.values()) else 0)


if __name__ == "__main__":
    main()
