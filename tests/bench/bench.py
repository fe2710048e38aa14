#!/usr/bin/env python3
"""Paired timings of bedrock-metrics: against `igzip -dc` of the same files, and one job against two.

Each round runs the two commands one after the other; the ratio is taken round by round and the
median printed, so a machine that changes speed changes both.  A note says how busy it was.
"""

import argparse
import gzip
import itertools
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time


def run(words, cpus):
    """Wall and processor seconds and peak RSS in MiB of a command."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit("failed: " + " ".join(map(str, words[:6])))
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def paired(label, ours, theirs, cpus_ours, cpus_theirs, rounds, wanted):
    run(ours, cpus_ours)
    run(theirs, cpus_theirs)
    walls, processor, peaks = [], [], []
    for _ in range(rounds):
        a, b = run(ours, cpus_ours), run(theirs, cpus_theirs)
        walls.append(a[0] / b[0])
        processor.append(a[1] / b[1])
        peaks.append(a[2])
    print("%-44s wall %.2f  (%.2f .. %.2f)  processor %.2f  peak RSS %.0f MiB   goal %s" % (
        label, statistics.median(walls), min(walls), max(walls), statistics.median(processor),
        max(peaks), wanted))


def shuffle(value, order):
    """The members of all objects in an order of their own."""
    if not isinstance(value, dict):
        return value
    names = list(value)
    order.shuffle(names)
    return {name: shuffle(value[name], order) for name in names}


def rewritten(source, form, records=100000):
    """The first records of a file, inflated: as they are ("plain") or as another tool has them."""
    path = source.parent / ("%s-%s.json" % (source.name.split(".")[0], form))
    if path.exists():
        return path
    order = random.Random(1)
    with gzip.open(source, "rt", encoding="utf-8") as lines, \
            open(str(path) + ".tmp", "w", encoding="utf-8") as out:
        for line in itertools.islice(lines, records):
            if form == "blanks":
                line = json.dumps(json.loads(line)) + "\n"
            elif form == "indented":
                line = json.dumps(json.loads(line), indent=2) + "\n"
            elif form == "shuffled":
                line = json.dumps(shuffle(json.loads(line), order), separators=(",", ":")) + "\n"
            out.write(line)
    os.rename(str(path) + ".tmp", path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--mb", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    one, two = {cpus[0]}, set(cpus[:2])

    def ours(path, jobs):
        return [args.binary, "aggregate", str(path), "--jobs", str(jobs), "--output", "json",
                "--quiet"]

    print("load %.2f, %d processors" % (os.getloadavg()[0], len(cpus)))
    print("\nOne job on one processor : igzip -dc of the same files")
    for profile, goal in (("chat", 1.20), ("agent", 1.12), ("none", 1.80)):
        folder = pathlib.Path(args.dir) / ("%s-%s" % (profile, args.mb))
        files = [str(p) for p in sorted(folder.rglob("*.json.gz")) if "/data/" not in str(p)
                 and "CloudTrail" not in str(p)]
        paired(profile, ours(folder, 1), ["igzip", "-dc", *files], one, one, args.rounds,
               "<= %.2f" % goal)
    print("\nThe same records as other tools write them again : as Bedrock wrote them, both plain")
    source = pathlib.Path(args.dir) / ("single-none-%s.json.gz" % args.mb)
    plain = rewritten(source, "plain")
    for form in ("blanks", "indented", "shuffled"):
        paired(form, ours(rewritten(source, form), 1), ours(plain, 1), one, one, args.rounds,
               "near their sizes, %.1f" % (rewritten(source, form).stat().st_size /
                                           plain.stat().st_size))
    if len(cpus) > 1:
        print("\nTwo jobs on two processors : one job on one")
        for profile in ("chat", "agent", "none"):
            folder = pathlib.Path(args.dir) / ("%s-%s" % (profile, args.mb))
            single = pathlib.Path(args.dir) / ("single-%s-%s.json.gz" % (profile, args.mb))
            paired(profile + ", many files", ours(folder, 2), ours(folder, 1), two, one,
                   args.rounds, "<= 0.58")
            paired(profile + ", one large file", ours(single, 2), ours(single, 1), two, one,
                   args.rounds, "<= 0.70")
    big = pathlib.Path(args.dir) / "one-line.json"
    if not big.exists():
        with open(big, "wb") as out:
            head = (b'{"schemaType":"ModelInvocationLog","timestamp":"2026-11-01T00:00:00Z",'
                    b'"region":"us-east-1","modelId":"amazon.nova-lite-v1:0",'
                    b'"input":{"inputTokenCount":7,"inputBodyJson":{"text":"')
            out.write(head)
            for _ in range(2048):
                out.write(b"line of a very long prompt\\n" * (1 << 20 >> 5))
            out.write(b'"}}}\n')
    _, _, peak = run(ours(big, 2), two)
    print("\nOne line of %.1f GB, two jobs: peak RSS %.0f MiB   goal <= 64" % (
        big.stat().st_size / 1e9, peak))
    many = pathlib.Path(args.dir) / "many-rows.json"
    rows = 300000
    if not many.exists():
        with open(many, "w", encoding="ascii") as out:
            for i in range(rows):
                out.write('{"schemaType":"ModelInvocationLog","timestamp":"2026-11-01T00:00:00Z",'
                          '"region":"us-east-1","modelId":"amazon.nova-lite-v1:0","identity":{"arn":'
                          '"arn:aws:iam::123456789012:role/application-%06d"}}\n' % i)
    _, _, peak = run(ours(many, 2) + ["--by", "Principal"], two)
    print("%d rows, two jobs: peak RSS %.0f MiB, %.2f kB a row" % (
        rows, peak, peak * 1048.576 / rows))


if __name__ == "__main__":
    main()
