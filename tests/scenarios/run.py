#!/usr/bin/env python3
"""Runs the scenarios below cases/ through the real binary.

    run.py --binary PATH [--only WORD] [--show] [--env NAME=VALUE ...]
    update.py --binary PATH [--only WORD]      writes the expected files from what comes out now

A case is a folder, copied to a temporary one in which the binary runs:
    in/               the objects, as they are                                       (optional)
    build.py          makes further ones (with tests/support/records.py); run in the copy of in/        (optional)
    cmd               arguments, as a shell would split them; several lines are several runs
    env               NAME=VALUE lines                                               (optional)
    stdin             what the binary reads there                                    (optional)
    expected.exit     exit status of every run
    expected.json     the JSON document on stdout, compared by value; metrics that need a price
                      list or bodies may stand in it or not
    expected.csv      the CSV on stdout, compared cell by cell, same exception for columns
    expected.stdout   regular expressions, one a line, that stdout must contain; a line that
    expected.stderr   starts with `!` must not be found
    expected.same     (empty) stdout of all runs is the same to the byte
    expected.out      name of a file that holds what stdout would have had
"""

import argparse
import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from support import process  # noqa: E402
from support.results import Results  # noqa: E402

OPTIONAL = {"EstimatedCost", "UnpricedTokens", "InvocationLatency"}
OURS = re.compile("BEDROCK_METRICS_|METRIC|AWS_|S3_|SQS_|CLOUDWATCH_|LOG_|MAX_|INFERENCE_|PRICES_")


def text_of(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def normal(document):
    for row in document.get("rows", []) + [document.get("totals", {})]:
        for name in OPTIONAL:
            row.pop(name, None)
    for part in ("objects", "records"):
        skipped = document.get(part, {}).get("skipped", {})
        for reason in [reason for reason, n in skipped.items() if n == 0]:
            del skipped[reason]
    return document


def compare_json(expected, stdout):
    expected = normal(json.loads(expected))
    try:
        actual = normal(json.loads(stdout.decode("utf-8")))
    except (ValueError, AttributeError) as exc:
        return ["stdout is no JSON document: %s" % exc]
    out = []
    for name in expected:
        if name != "rows" and expected[name] != actual.get(name):
            out.append("%s: expected %s, got %s" % (
                name, json.dumps(expected[name]), json.dumps(actual.get(name))))
    got = actual.get("rows", [])
    out += ["row only expected: " + json.dumps(r) for r in expected["rows"] if r not in got][:8]
    out += ["row only got:      " + json.dumps(r) for r in got if r not in expected["rows"]][:8]
    if not out and got != expected["rows"]:
        out.append("rows: the same in another order, or repeated")
    unknown = set(actual) - set(expected)
    if unknown:
        out.append("members not in the contract: %s" % ", ".join(sorted(unknown)))
    return out


def table_of(text):
    rows = list(csv.reader(io.StringIO(text, newline="")))
    drop = {i for i, name in enumerate(rows[0] if rows else []) if name in OPTIONAL}
    return [[cell for i, cell in enumerate(row) if i not in drop] for row in rows]


def compare_csv(expected, stdout):
    try:
        want, got = table_of(expected), table_of(stdout.decode("utf-8"))
    except (ValueError, csv.Error) as exc:
        return ["stdout is no CSV: %s" % exc]
    if want == got:
        return []
    out = ["header: expected %s, got %s" % (want[0], got[:1])] if want[:1] != got[:1] else []
    out += ["line only expected: %s" % r for r in want[1:] if r not in got][:8]
    out += ["line only got:      %s" % r for r in got[1:] if r not in want][:8]
    return out or ["lines: the same in another order, or repeated"]


def compare_patterns(name, patterns, data):
    text = data.decode("utf-8", "replace")
    out = []
    for pattern in patterns.splitlines():
        if not pattern or pattern.startswith("#"):
            continue
        if pattern.startswith("!"):
            if re.search(pattern[1:], text, re.MULTILINE):
                out.append("%s holds what it must not: %s" % (name, pattern[1:]))
        elif not re.search(pattern, text, re.MULTILINE):
            out.append("%s lacks: %s" % (name, pattern))
    return out


class Case:
    def __init__(self, name, binary, extra_env):
        self.folder = os.path.join(HERE, "cases", name)
        self.binary = binary
        self.env = {k: v for k, v in os.environ.items() if not OURS.match(k)}
        self.env.update(LC_ALL="C.UTF-8", PYTHONPATH=os.path.dirname(HERE), PYTHONDONTWRITEBYTECODE="1")
        self.env.update(extra_env)

    def prepare(self, work):
        source = os.path.join(self.folder, "in")
        if os.path.isdir(source):
            shutil.copytree(source, work, symlinks=True, dirs_exist_ok=True)
        build = os.path.join(self.folder, "build.py")
        if os.path.exists(build):
            subprocess.run([sys.executable, build], cwd=work, env=self.env, check=True)
        for line in (text_of(self.folder, "env") or "").splitlines():
            name, _, value = line.partition("=")
            self.env[name] = value

    def stdout_of(self, done, work):
        """What standard output would have had, also where the case writes to a file."""
        target = text_of(self.folder, "expected.out")
        if not target:
            return done.stdout, []
        try:
            with open(os.path.join(work, target.strip()), "rb") as file:
                return file.read(), ["stdout is not empty beside --out"] if done.stdout else []
        except OSError as exc:
            return b"", ["%s: %s" % (target.strip(), exc.strerror)]

    def lines(self):
        """The command lines of the case."""
        return [line for line in text_of(self.folder, "cmd").splitlines()
                if line and not line.startswith("#")]

    def call(self, line, work):
        self.prepare(work)
        stdin = text_of(self.folder, "stdin")
        return process.run([self.binary] + shlex.split(line), self.env, 60, cwd=work,
                           input=(stdin or "").encode())

    def outcome(self, line):
        """(exit status, what stands for standard output, standard error) of one command line."""
        with tempfile.TemporaryDirectory(prefix="scenario-") as work:
            done = self.call(line, work)
            return done.returncode, self.stdout_of(done, work)[0], done.stderr

    def check(self, done, work):
        out = []
        due = int(text_of(self.folder, "expected.exit"))
        if done.returncode != due:
            out.append("exit status %d instead of %d" % (done.returncode, due))
        stdout, wrong = self.stdout_of(done, work)
        out += wrong
        for name, compare in (("json", compare_json), ("csv", compare_csv)):
            expected = text_of(self.folder, "expected." + name)
            if expected is not None:
                out += compare(expected, stdout)
        for name, data in (("stdout", stdout), ("stderr", done.stderr)):
            patterns = text_of(self.folder, "expected." + name)
            if patterns is not None:
                out += compare_patterns(name, patterns, data)
        return out

    def run(self, show):
        """Lines saying what is wrong."""
        out = []
        outputs = set()
        for line in self.lines():
            with tempfile.TemporaryDirectory(prefix="scenario-") as work:
                try:
                    done = self.call(line, work)
                    wrong = self.check(done, work)
                    outputs.add(done.stdout)
                except subprocess.TimeoutExpired:
                    wrong, done = ["still running after 60 s"], None
            if wrong:
                out.append("$ bedrock-metrics " + line)
                out += ["    " + text for text in wrong]
                if show and done:
                    out.append("    stdout: " + done.stdout.decode("utf-8", "replace")[:3000])
                    out.append("    stderr: " + done.stderr.decode("utf-8", "replace")[:3000])
        if len(outputs) > 1 and text_of(self.folder, "expected.same") is not None:
            out.append("stdout is not the same in every run")
        return out


def names(word=""):
    return sorted(n for n in os.listdir(os.path.join(HERE, "cases")) if word in n)


def main():
    parser = argparse.ArgumentParser(description="Scenarios through the real binary")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", default="", help="cases with this word in their name")
    parser.add_argument("--show", action="store_true", help="print stdout and stderr of failures")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    extra = dict(item.split("=", 1) for item in args.env)
    results = Results()
    for name in names(args.only):
        wrong = Case(name, os.path.abspath(args.binary), extra).run(args.show)
        results.check(not wrong, name + "\n" + "\n".join("  " + line for line in wrong))
    sys.exit(results.end())


if __name__ == "__main__":
    main()
