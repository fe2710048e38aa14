#!/usr/bin/env python3
"""Simulated logs through the real binary: the answer the simulator states, and the same bytes for
any number of jobs, any chunk size, gzip or plain, one object or many.

    simulated.py --binary PATH --simulator PATH [--brief]

--brief is for slow builds: fewer records, the demo and mixed profiles only.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import process  # noqa: E402
from support.results import Results  # noqa: E402

BY = ("InferenceProfileType,InferenceProfile,ModelId,SourceRegion,InferenceRegion,AccountId,"
      "Operation,Principal")
SIMULATED = (
    ("demo", ("--profile", "demo")),
    ("demo-other-seed", ("--profile", "demo", "--seed", "7", "--records", "2000")),
    ("mixed", ("--profile", "mixed", "--records", "4000")),
    ("mixed-plain", ("--profile", "mixed", "--records", "1000", "--plain", "--seed", "3")),
    ("none", ("--profile", "none", "--records", "20000")),
    ("chat", ("--profile", "chat", "--records", "1500")),
    ("agent", ("--profile", "agent", "--records", "150")),
)
BRIEF = (
    ("demo", ("--profile", "demo", "--records", "300")),
    ("mixed", ("--profile", "mixed", "--records", "300")),
)


class Checks(Results):
    def __init__(self, args, folder):
        super().__init__()
        self.args, self.folder = args, folder

    def expect(self, what, wrong):
        self.check(not wrong, "%s: %s" % (what, wrong))

    def aggregate(self, source, *arguments, **variables):
        done = process.run([self.args.binary, "aggregate", "--quiet", *arguments, source],
                           process.environment(**variables))
        return done.returncode, done.stdout

    def answer(self, name, source, expected):
        status, out = self.aggregate(source, "--by", BY, "--interval", "1h", "--output", "json")
        if status != 0:
            return self.expect(name, "exit status %d" % status)
        got = json.loads(out.decode())
        wrong = []
        for part in ("rows", "totals", "objects", "records"):
            if part == "rows":
                want = sorted(map(fixed, expected["rows"]), key=json.dumps)
                have = sorted(map(fixed, got["rows"]), key=json.dumps)
                if want != have:
                    wrong.append("%d rows, expected %d; %d are the same" % (
                        len(have), len(want), sum(1 for a, b in zip(have, want) if a == b)))
            elif part in expected and fixed(expected[part]) != fixed(got[part]):
                wrong.append("%s: %s, expected %s" % (part, got[part], expected[part]))
        return self.expect(name + " answer", "; ".join(wrong))

    def same_bytes(self, name, source):
        for form in ("json", "csv", "openmetrics", "table"):
            options = ("--output", form, "--by", "ModelId,Principal", "--interval", "5m")
            first = self.aggregate(source, *options, "--jobs", "1")
            for jobs in ("2", "3", "4", "16"):
                other = self.aggregate(source, *options, "--jobs", jobs)
                self.expect("%s %s jobs %s" % (name, form, jobs),
                            "" if other == first else "not the bytes of --jobs 1")
        for chunk in ("1", "7", "4096", "1048576"):
            other = self.aggregate(source, *options, "--jobs", "2", BEDROCK_METRICS_CHUNK=chunk)
            self.expect("%s chunk %s" % (name, chunk),
                        "" if other == first else "not the bytes of the usual chunk")


def fixed(value):
    """Without reasons and metrics that are 0 or that only one side may have."""
    if not isinstance(value, dict):
        return value
    return {k: fixed(v) for k, v in sorted(value.items())
            if k not in ("EstimatedCost", "UnpricedTokens", "InvocationLatency")
            and v not in (0, None)}


def main():
    parser = argparse.ArgumentParser(description="Simulated logs through the real binary")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--simulator", required=True)
    parser.add_argument("--brief", action="store_true")
    args = parser.parse_args()
    args.binary = os.path.abspath(args.binary)
    with tempfile.TemporaryDirectory(prefix="simulated-") as folder:
        checks = Checks(args, folder)
        for name, options in BRIEF if args.brief else SIMULATED:
            source = os.path.join(folder, name)
            answer = source + ".json"
            subprocess.run([args.simulator, "--out", source, "--expected", answer, *options],
                           check=True)
            with open(answer, encoding="utf-8") as file:
                expected = json.load(file)
            checks.answer(name, source, expected)
            if name in ("demo", "mixed", "chat"):
                checks.same_bytes(name, source)
            single = os.path.join(folder, name + ".gz")
            subprocess.run([args.simulator, "--single", single, "--expected", answer, *options],
                           check=True)
            with open(answer, encoding="utf-8") as file:
                checks.answer(name + " in one object", single, json.load(file))
        sys.exit(checks.end())


if __name__ == "__main__":
    main()
