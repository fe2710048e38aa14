#!/usr/bin/env python3
"""Every allocation, read and write of `aggregate` made to fail in turn.

    torture.py --binary PATH [--only WORD] [--verbose]

The binary is built with wrap.c under the address sanitizer.  For each way to run and each kind of
fault, N goes up from 1 until nothing failed any more (in growing steps beyond 150).  Whatever
failed: no crash, no leak, exit 0 with the right bytes or 1 with nothing or only right numbers on
stdout, and never part of a result in a file.  2 is allowed where nothing was done yet.
"""
import argparse
import gzip
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import process, records  # noqa: E402
from support.results import Results  # noqa: E402

SANITIZER = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1",
             "LSAN_OPTIONS": "exitcode=99"}
KINDS = ("alloc:%d", "alloc:%d+", "read:%d", "read:%d+", "write:%d", "write:%d+", "thread:%d",
         "thread:%d+", "short:%d", "short:%d+", "signal:%d")
HARMLESS = ("short", "signal")  # the program has to put up with these

# Arguments, and files the run reads besides the logs.
RUNS = (
    ("json", ("--output", "json", "--by", "ModelId", "--jobs", "1")),
    ("json-jobs", ("--output", "json", "--by", "ModelId", "--jobs", "3", "--interval", "1m")),
    ("csv-top", ("--output", "csv", "--by", "ModelId,Principal,Metadata:team", "--top", "2",
                 "--jobs", "1")),
    ("table", ("--output", "table", "--by", "ModelId,InferenceProfile", "--jobs", "1")),
    ("openmetrics", ("--output", "openmetrics", "--by", "ModelId", "--jobs", "1")),
    ("profiles", ("--output", "json", "--by", "ModelId", "--profiles", "profiles.json",
                  "--jobs", "1")),
    ("settings", ("--output", "json", "--by", "ModelId", "--env-file", "settings.env",
                  "--jobs", "1")),
    ("file", ("--output", "json", "--by", "ModelId", "--out", "result.json", "--jobs", "1")),
)


def record(model, **changes):
    """A line of text."""
    value = records.record(
        tokens=(10, 3), modelId=model, requestMetadata={"team": "t-" + model}, inferenceRegion=None,
        identity={"arn": "arn:aws:sts::123456789012:assumed-role/%s/s" % model}, **changes)
    value["input"]["inputBodyJson"] = {"text": "x" * 500}
    return records.lines(value).decode()


def write_logs(folder):
    """Six objects, each with models of its own, so that a row belongs to one object."""
    objects = {
        "a.json.gz": gzip.compress((record("amazon.a") * 3).encode()),
        "b.json": (record("us.amazon.b") + "damaged\n" + record("us.amazon.b")).encode(),
        "c/d.json.gz": gzip.compress(record("global.amazon.c").encode()) +
        gzip.compress(record("global.amazon.c").encode()) + b"\0\0",
        "c/e/f.json.gz": gzip.compress(
            (record("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc") * 40).encode()),
        "g.json": b"[" + record("amazon.g", errorCode="ThrottlingException").encode() + b"]",
        "h.json": ("".join(record("amazon.h-%03d" % i) for i in range(100))).encode(),
    }
    for key, data in objects.items():
        records.write(os.path.join(folder, "logs", key), data)
    arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"
    with open(os.path.join(folder, "profiles.json"), "w", encoding="utf-8") as file:
        json.dump({"inferenceProfileSummaries": [
            {"inferenceProfileArn": arn, "inferenceProfileName": "n", "tags": [{"key": "k"}],
             "models": [{"modelArn": "arn:aws:bedrock:%s::foundation-model/amazon.x" % region}
                        for region in ("us-east-1", "us-west-2")]}]}, file)
    with open(os.path.join(folder, "settings.env"), "w", encoding="utf-8") as file:
        file.write("# settings\nLOG_LEVEL=error\nMETRICS=Invocations,TotalTokenCount\n")


class Torture(Results):
    def __init__(self, args, folder):
        super().__init__()
        self.args, self.folder = args, folder
        self.mark = os.path.join(folder, "mark")
        self.calls = 0

    def run(self, arguments, plan):
        """(exit status, stdout, stderr, whether something was made to fail)"""
        for name in ("mark", "result.json"):
            if os.path.exists(os.path.join(self.folder, name)):
                os.remove(os.path.join(self.folder, name))
        environment = process.environment(TORTURE_MARK=self.mark, TORTURE=plan, **SANITIZER)
        self.calls += 1
        done = process.run([self.args.binary, "aggregate", *arguments, "logs"], environment,
                           cwd=self.folder)
        out = done.stdout
        path = os.path.join(self.folder, "result.json")
        if os.path.exists(path):
            with open(path, "rb") as file:
                out += file.read()
        left = [name for name in os.listdir(self.folder)
                if name not in ("logs", "mark", "profiles.json", "settings.env", "result.json")]
        for name in left:
            os.remove(os.path.join(self.folder, name))
        error = done.stderr.decode("utf-8", "replace")
        if left:
            error = "left behind: %s\n" % left + error
        return done.returncode, out, error, os.path.exists(self.mark)

    def wrong(self, kind, arguments, good, result):
        """What is wrong with a result, or ''."""
        status, out, error, _ = result
        if "left behind" in error:
            return error
        if status not in (0, 1, 2) or "Sanitizer" in error or "runtime error" in error:
            return "exit status %d\n%s" % (status, error[-4000:])
        if status == 0 or kind.startswith(HARMLESS):
            return "" if (status, out) == good[:2] else "exit %d, other bytes:\n%s\n%s" % (
                status, out.decode("utf-8", "replace")[:600], error[-600:])
        if "bedrock-metrics" not in error and "failed" not in error and "ERROR" not in error:
            return "exit %d without a word: %r" % (status, error[-500:])
        if status == 2:
            return "a result with exit status 2" if out else ""
        if not out or (kind.startswith("write") and "--out" not in arguments
                       and good[1].startswith(out)):
            return ""
        if "json" in arguments:
            return self.wrong_numbers(good[1], out)
        # An object that failed took its rows with it; the others are as they were.
        if "csv" in arguments or "openmetrics" in arguments:
            more = [line for line in out.splitlines() if line not in good[1].splitlines()]
            if more and b"Other" not in more[0]:
                return "a line that is not in the whole result: %r" % more[0]
        return ""

    @staticmethod
    def wrong_numbers(good, out):
        try:
            whole, part = json.loads(good), json.loads(out)
        except ValueError as exc:
            return "exit 1 and a broken document: %s" % exc
        objects, records = part["objects"], part["records"]
        if objects["failed"] == 0:
            return "exit 1 but no object failed"
        if objects["found"] != sum(objects[k] for k in ("counted", "duplicate", "failed")) + sum(
                objects["skipped"].values()):
            return "objects do not balance: %s" % objects
        if records["found"] != records["counted"] + sum(records["skipped"].values()):
            return "records do not balance: %s" % records
        for row in part["rows"]:
            if row not in whole["rows"]:
                return "a row that is not in the whole result: %s" % row
        for name, total in part["totals"].items():
            if total != sum(row[name] for row in part["rows"]):
                return "total of %s is %s" % (name, total)
        return ""

    def torture(self, name, arguments, kind):
        good = self.run(arguments, None)
        if good[0] != 0:
            self.failed += 1
            print("FAIL %s: exit status %d without any fault\n%s" % (name, good[0], good[2]))
            return
        number, faults = 1, 0
        while True:
            plan = kind % number
            result = self.run(arguments, plan)
            wrong = self.wrong(kind, arguments, good, result)
            if wrong:
                faults += 1
                if faults <= 5:
                    print("FAIL %s, %s: %s" % (name, plan, wrong))
            if not result[3]:
                break
            # The built-in price list alone is thousands of allocations: all of the first ones,
            # then samples, so that the end is reached.
            number += 1 + max(number - 150, 0) // 25
        if self.args.verbose:
            print("%-12s %-10s %4d faults, %d wrong" % (name, kind, number - 1, faults))
        if faults:
            self.failed += 1
        else:
            self.passed += 1


def main():
    parser = argparse.ArgumentParser(description="Every call made to fail in turn")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", default="", help="runs or kinds with this word")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    args.binary = os.path.abspath(args.binary)
    folder = tempfile.mkdtemp(prefix="torture-")
    try:
        write_logs(folder)
        torture = Torture(args, folder)
        for name, arguments in RUNS:
            for kind in KINDS:
                if args.only in "%s %s" % (name, kind):
                    torture.torture(name, arguments, kind)
    finally:
        shutil.rmtree(folder)
    print("%d runs of the program" % torture.calls)
    sys.exit(torture.end())


if __name__ == "__main__":
    main()
