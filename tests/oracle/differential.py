#!/usr/bin/env python3
"""Compares `bedrock-metrics aggregate` with the independent reader over generated objects.

    differential.py --binary PATH [--seeds A:B] [--scanner NAME] [--chunk N] [--jobs N]
                    [--batch N] [--show] [--keep DIR]

One seed is one object; a batch of objects is one process start.  Where a batch differs, each of
its objects is tried alone and the seeds that differ are printed, with what differs but never with
content (--show prints that too; --keep writes the objects to a folder).  Exit 1 on differences.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import process, records  # noqa: E402
from support.results import Results  # noqa: E402
import generate  # noqa: E402
import reader  # noqa: E402

BY = reader.DIMENSIONS + ["Metadata:team", "Metadata:k\u00e9y"]
KNOWN = set(reader.METRICS)
OPTIONAL = {"EstimatedCost", "UnpricedTokens", "InvocationLatency"}


class Options:
    """What a batch is run with; chosen by the batch's number alone."""

    def __init__(self, batch):
        choice = random.Random("options of %d" % batch)
        self.by = list(BY) if choice.random() < 0.6 else choice.sample(BY, choice.randint(1, 5))
        self.interval = choice.choice(["1m", "1m", "5m", "1h", "1d", "all"])
        self.since = self.until = None
        if choice.random() < 0.3:
            self.since = choice.choice(["2026-11-01", "2026-11-01T10:31:30Z", "2024-03-01"])
        if choice.random() < 0.3:
            self.until = choice.choice(
                ["2026-11-02", "2026-11-01T23:59:59Z", "2026-11-01T12:31:59+02:00"]
            )
        self.profiles = choice.random() < 0.5
        self.chunk = choice.choice([None, None, 1, 2, 5, 16, 64, 333, 4096])

    def arguments(self, profiles_path):
        args = ["--by", ",".join(self.by), "--interval", self.interval]
        if self.since:
            args += ["--since", self.since]
        if self.until:
            args += ["--until", self.until]
        if self.profiles:
            args += ["--profiles", profiles_path]
        return args

    def aggregate(self, profiles):
        return reader.Aggregate(
            self.by,
            self.interval,
            self.since and reader.parse_bound(self.since),
            self.until and reader.parse_bound(self.until),
            profiles if self.profiles else None,
        )


def normal(document):
    """A document with what may be left out, left out."""
    out = json.loads(json.dumps(document))
    for row in out.get("rows", []) + [out.get("totals", {})]:
        for name in OPTIONAL:
            row.pop(name, None)
    for part in ("objects", "records"):
        skipped = out.get(part, {}).get("skipped", {})
        for reason in [reason for reason, n in skipped.items() if n == 0]:
            del skipped[reason]
    return out


def differences(expected, actual, limit=6):
    """Short lines saying what differs."""
    out = []
    for name in ("objects", "schema", "by", "interval", "records", "bytes", "totals"):
        if expected.get(name) != actual.get(name):
            out.append(
                "%s: expected %s, got %s"
                % (name, json.dumps(expected.get(name)), json.dumps(actual.get(name)))
            )
    if expected["objects"] != actual.get("objects"):
        return out                              # the rest follows from it
    rows, got = expected["rows"], actual.get("rows") or []
    if len(rows) != len(got):
        out.append("rows: expected %d, got %d" % (len(rows), len(got)))
    missing = [row for row in rows if row not in got]
    extra = [row for row in got if row not in rows]
    out += ["row only expected: %s" % json.dumps(row)[:600] for row in missing[:limit]]
    out += ["row only got:      %s" % json.dumps(row)[:600] for row in extra[:limit]]
    if not out and rows != got:
        out.append("rows: the same in another order")
    return out


class Runner:
    def __init__(self, args, folder):
        self.args = args
        self.folder = folder
        self.environment = process.environment(BEDROCK_METRICS_SIMD=args.scanner)
        self.profiles_path = os.path.join(folder, "profiles.json")
        with open(self.profiles_path, "w", encoding="utf-8") as file:
            json.dump(generate.profiles_document(), file)
        self.profiles = reader.load_profiles(self.profiles_path)

    def write(self, name, objects):
        root = os.path.join(self.folder, name)
        for key, data in objects:
            records.write(os.path.join(root, key), data)
        return root

    def run(self, root, options):
        """(document or None, exit status, end of stderr)."""
        command = [self.args.binary, "aggregate"] + options.arguments(self.profiles_path)
        command += ["--output", "json", "--quiet"]
        if self.args.jobs:
            command += ["--jobs", str(self.args.jobs)]
        environment = dict(self.environment)
        chunk = self.args.chunk or options.chunk
        if chunk:
            environment["BEDROCK_METRICS_CHUNK"] = str(chunk)
        done = process.run(command + [root], environment, 600)
        try:
            document = normal(json.loads(done.stdout.decode("utf-8")))
        except ValueError:
            document = None
        tail = done.stderr.decode("utf-8", "replace")[-2000:] if self.args.show else ""
        return document, done.returncode, tail

    def compare(self, name, objects, options):
        """Lines saying what differs over some objects, [] where nothing does."""
        root = self.write(name, objects)
        aggregate = options.aggregate(self.profiles)
        for key, data in objects:
            aggregate.add_bytes(os.path.join(root, key), data)
        expected = normal(aggregate.document())
        document, status, tail = self.run(root, options)
        out = []
        if document is None:
            out.append("no JSON on stdout, exit status %d" % status)
        else:
            out += differences(expected, document)
            due = 1 if aggregate.objects["failed"] else 0
            if status != due:
                out.append("exit status %d instead of %d" % (status, due))
        if out and tail:
            out.append("stderr: " + tail)
        subprocess.run(["rm", "-rf", root], check=True)
        return out


def seed_range(text):
    match = re.fullmatch(r"([0-9]+):([0-9]+)", text)
    if not match or int(match.group(1)) >= int(match.group(2)):
        raise argparse.ArgumentTypeError("not A:B with A < B: %r" % text)
    return int(match.group(1)), int(match.group(2))


def main():
    parser = argparse.ArgumentParser(description="Differential test against tests/oracle/reader.py")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--seeds", type=seed_range, default=(0, 4000))
    parser.add_argument("--scanner", help="BEDROCK_METRICS_SIMD: avx2, sse2, neon or scalar")
    parser.add_argument("--chunk", type=int, help="bytes per read buffer; else one a batch")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--show", action="store_true", help="print content and stderr as well")
    parser.add_argument("--keep", help="write the objects that differ into this folder")
    parser.add_argument("--max-report", type=int, default=15)
    args = parser.parse_args()
    args.binary = os.path.abspath(args.binary)
    results = Results()
    first, end = args.seeds
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:
        runner = Runner(args, folder)
        for low in range(first, end, args.batch):
            seeds = range(low, min(low + args.batch, end))
            options = Options(low // 200)
            objects = {seed: generate.Generator(seed).object() for seed in seeds}
            whole = runner.compare("batch", list(objects.values()), options)
            if not whole:
                results.passed += len(seeds)
                continue
            alone = 0
            for seed in seeds:
                lines = runner.compare("one", [objects[seed]], options)
                if not lines:
                    results.passed += 1
                    continue
                alone += 1
                results.failed += 1
                if results.failed > args.max_report:
                    continue
                print(
                    "seed %d (%s, %d bytes; %s):"
                    % (
                        seed,
                        objects[seed][0],
                        len(objects[seed][1]),
                        " ".join(options.arguments("PROFILES"))
                        + (" chunk %s" % (args.chunk or options.chunk)),
                    )
                )
                for line in lines:
                    print("   ", line)
                if args.show:
                    print("    content:", repr(objects[seed][1][:3000]))
                if args.keep:
                    os.makedirs(args.keep, exist_ok=True)
                    with open(os.path.join(args.keep, str(seed)), "wb") as file:
                        file.write(objects[seed][1])
            if not alone:
                results.failed += 1
                results.passed -= 1
                print("seeds %d:%d differ together, not alone:" % (seeds[0], seeds[-1] + 1))
                for line in whole:
                    print("   ", line)
    sys.exit(results.end())


if __name__ == "__main__":
    main()
