#!/usr/bin/env python3
"""Times aggregate and what people would use instead, on the same files.

    run.py --binary PATH [--rounds N] [--cpu N] [--peers NAME,...] [--json FILE] FILE|FOLDER...

The job: records and four token sums per minute, model, profile type, source Region and inference
Region, on one processor (--jobs 1, taskset).  `igzip -dc` of the same files to /dev/null is the
practical limit and the unit.  The contestants take turns in every round, so that a slow minute
hits all of them; every answer must be the same.  FOLDER stands for the .gz files in it that hold
records.  Peers that are not installed are left out (see install.sh).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
VENV = os.path.join(ROOT, "build", "venv", "bin", "python3")
BY = "ModelId,InferenceProfileType,SourceRegion,InferenceRegion"
ERRORS = ("InvocationClientErrors", "InvocationServerErrors", "InvocationThrottles")


def record_files(sources):
    """The files of the sources; offloaded bodies and permission checks are none."""
    out = []
    for source in sources:
        if not os.path.isdir(source):
            out.append(source)
            continue
        for folder, folders, names in os.walk(source):
            folders[:] = sorted(name for name in folders if name != "data")
            out += [os.path.join(folder, name) for name in sorted(names)
                    if name.endswith(".gz") and not name.startswith("amazon-bedrock-logs-")]
    return out


def lines_of_document(text):
    """aggregate's JSON as the lines the peers print."""
    lines = []
    for row in json.loads(text)["rows"]:
        key = [row["time"][:16]] + [row[name] for name in BY.split(",")]
        sums = [row["Invocations"] + sum(row[name] for name in ERRORS), row["InputTokenCount"],
                row["OutputTokenCount"], row["CacheReadInputTokenCount"],
                row["CacheWriteInputTokenCount"]]
        lines.append("\t".join(key + [str(value) for value in sums]))
    return sorted(lines)


class Contestant:
    def __init__(self, name, command, answer=None):
        self.name = name
        self.command = command
        self.answer = answer        # how stdout becomes lines; None: there is no answer
        self.seconds = []
        self.peak_mib = 0.0
        self.lines = None
        self.error = None

    def run(self, cpu):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            target = out if self.answer else subprocess.DEVNULL
            start = time.perf_counter()
            process = subprocess.Popen(
                ["taskset", "-c", str(cpu)] + self.command, stdout=target, stderr=err,
                stdin=subprocess.DEVNULL, env=dict(os.environ, PYTHONPATH=HERE,
                                                   PYTHONDONTWRITEBYTECODE="1"))
            _, status, usage = os.wait4(process.pid, 0)
            elapsed = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                err.seek(0)
                tail = err.read().decode("utf-8", "replace").strip().splitlines()[-1:]
                self.error = "exit status %d %s" % (process.returncode, " ".join(tail)[:200])
                return
            self.seconds.append(elapsed)
            self.peak_mib = max(self.peak_mib, usage.ru_maxrss / 1024)
            if self.answer:
                out.seek(0)
                self.lines = self.answer(out.read().decode("utf-8"))


def installed(package):
    return os.path.exists(VENV) and subprocess.run(
        [VENV, "-c", "import importlib.util as u, sys; sys.exit(not u.find_spec('%s'))" % package],
        check=False).returncode == 0


def contestants(args, files):
    def split(text):
        return sorted(text.splitlines())

    out = [
        Contestant("igzip -dc", ["igzip", "-dc"] + files),
        Contestant("bedrock-metrics", [
            args.binary, "aggregate", "--jobs", "1", "--quiet", "--output", "json", "--interval",
            "1m", "--by", BY] + files, lines_of_document),
    ]
    peers = {
        "node": (shutil.which("node"), ["node", os.path.join(HERE, "peer_node.mjs")]),
        "python": (True, [sys.executable, os.path.join(HERE, "peer_python.py")]),
        "duckdb": (installed("duckdb"), [VENV, os.path.join(HERE, "peer_duckdb.py")]),
        "chdb": (installed("chdb"), [VENV, os.path.join(HERE, "peer_chdb.py")]),
    }
    for name, (present, command) in peers.items():
        if args.peers and name not in args.peers.split(","):
            continue
        if present:
            out.append(Contestant(name, command + files, split))
        else:
            print("%s is not installed, left out" % name, file=sys.stderr)
    return out


def main():
    parser = argparse.ArgumentParser(description="aggregate and its peers on the same files")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--peers", help="only these: node,python,duckdb,chdb")
    parser.add_argument("--json", help="write the figures to this file as well")
    parser.add_argument("sources", nargs="+")
    args = parser.parse_args()
    args.binary = os.path.abspath(args.binary)
    files = record_files(args.sources)
    if not files:
        parser.error("no files")
    field = contestants(args, files)
    for path in files:                                  # into the page cache
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass
    for _ in range(args.rounds):
        for one in field:
            if not one.error:
                one.run(args.cpu)
    unit = statistics.median(field[0].seconds) if field[0].seconds else float("nan")
    ours = statistics.median(field[1].seconds) if field[1].seconds else float("nan")
    size = sum(os.path.getsize(path) for path in files)
    print("%d files, %.1f MB gzip, %d rounds, one processor" % (
        len(files), size / 1e6, args.rounds))
    print("%-16s %9s %9s %9s %9s %9s  %s" % (
        "", "min s", "median s", "/ igzip", "/ ours", "RSS MiB", "answer"))
    wrong = 0
    figures = {}
    for one in field:
        if one.error:
            print("%-16s failed: %s" % (one.name, one.error))
            wrong += 1
            continue
        verdict = ""
        if one.answer:
            same = one.lines == field[1].lines
            verdict = "same, %d cells" % len(one.lines) if same else "DIFFERENT"
            wrong += not same
        low, middle = min(one.seconds), statistics.median(one.seconds)
        print("%-16s %9.3f %9.3f %9.2f %9.2f %9.1f  %s" % (
            one.name, low, middle, middle / unit, middle / ours, one.peak_mib, verdict))
        figures[one.name] = {"min": low, "median": middle, "per_igzip": middle / unit,
                             "per_ours": middle / ours, "rss_mib": one.peak_mib}
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"bytes": size, "files": len(files), "rounds": args.rounds,
                       "figures": figures}, file, indent=1)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
