#!/usr/bin/env python3
"""Memory stays constant whatever an object holds.

    memory.py --binary PATH [--mib N] [--limit MIB] [--jobs N] [--only WORD]

Every case is one object of about N MiB in which one thing is as long as the whole object.  They
are made of one gzip member repeated, so they cost no time to write.  Checked are the counts and
the peak of the resident set.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support.records import raw, record, text  # noqa: E402
from support.results import Results  # noqa: E402

MIB = 1 << 20


def around(before, unit, after):
    """Members of an object: a start, a unit that is repeated to fill it, an end."""
    encode = [part if isinstance(part, bytes) else part.encode() for part in (before, unit, after)]
    return encode


def record_around(member, unit, opener='"', closer='"'):
    before, after = raw(**{member: "@FILL@"}).split(b"@FILL@")
    return around(before + opener.encode(), unit, closer.encode() + after + b"\n")


def cases():
    """name, (before, unit, after), texts found, counted, skipped."""
    yield "body string", record_around(
        "input", "lorem ipsum \\\" } ", '{"inputBodyJson":"', '","inputTokenCount":10}'), 1, 1, {}
    yield "body array", record_around(
        "output", '{"a":[1,2]},', '{"outputBodyJson":[', '0],"outputTokenCount":2}'), 1, 1, {}
    yield "nesting", around('{"x":', "[", "\n" + text(record())), 2, 1, {"malformed": 1}
    yield "scalar skipped", record_around("x", "1", "", ""), 1, 1, {}
    yield "white space", around(text(record()), " \n\t\r", text(record())), 2, 2, {}
    yield "white space in a record", record_around("x", " \n", "", "1"), 1, 1, {}
    yield "member name", record_around("x", "n", '1,"', '":2'), 1, 1, {}
    yield "members", record_around("x", '"name":{"inputTokenCount":5},', "1,", '"y":1'), 1, 1, {}
    yield "metadata members", record_around(
        "requestMetadata", '"name":"value",', "{", '"y":"1"}'), 1, 1, {}
    yield "operation", record_around("operation", "o"), 1, 1, {}
    yield "operation of escapes", record_around("operation", "\\u00e9\\ud83d\\ude00"), 1, 1, {}
    yield "model id", record_around("modelId", "m.n"), 1, 1, {}
    yield "count of zeros", record_around(
        "output", "0", '{"outputTokenCount":0.', "}"), 1, 1, {}
    yield "count of digits", record_around(
        "output", "1", '{"outputTokenCount":1', "}"), 1, 0, {"invalid": 1}
    yield "count exponent", record_around(
        "output", "1", '{"outputTokenCount":1e', "}"), 1, 0, {"invalid": 1}
    yield "text string", around('"', "s", '"\n' + text(record())), 2, 1, {"not_invocation_log": 1}
    yield "text number", around("1", "2", "\n" + text(record())), 2, 1, {"not_invocation_log": 1}
    yield "damaged line", around("{oops", "x{}[]\\\"", "\n" + text(record())), 2, 1, {"malformed": 1}
    yield "elements", around("[", "{},", text(record()) + "]"), None, 1, None
    yield "errors", around("", "}\n", text(record())), None, 1, None


def check(args, folder, name, parts, found, counted, skipped):
    """Lines saying what is wrong with one case."""
    before, unit, after = parts
    block = unit * (MIB // len(unit))
    path = os.path.join(folder, "object.gz")
    with open(path, "wb") as file:
        file.write(gzip.compress(before, 1))
        packed = gzip.compress(block, 1)
        for _ in range(args.mib):
            file.write(packed)
        file.write(gzip.compress(after, 1))
    if found is None:
        units = len(block) // len(unit) * args.mib
        found = units + 1
        skipped = {"malformed" if name == "errors" else "not_invocation_log": units}
    with open(os.path.join(folder, "out"), "w+b") as out:
        process = subprocess.Popen(
            [args.binary, "aggregate", "--output", "json", "--quiet", "--jobs", str(args.jobs),
             "--by", "ModelId,Operation,Metadata:y", path], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        answer = out.read()
    wrong = []
    peak = usage.ru_maxrss / 1024
    if peak > args.limit:
        wrong.append("peak of %.1f MiB" % peak)
    if process.returncode != 0:
        return wrong + ["exit status %d" % process.returncode]
    records = json.loads(answer.decode("utf-8"))["records"]
    records["skipped"] = {k: v for k, v in records["skipped"].items() if v}
    due = {"found": found, "counted": counted, "skipped": skipped}
    if records != due:
        wrong.append("expected %s, got %s" % (json.dumps(due), json.dumps(records)))
    if args.verbose:
        print("%-26s %6.1f MiB  %5.2f s" % (name, peak, usage.ru_utime + usage.ru_stime))
    return wrong


def main():
    parser = argparse.ArgumentParser(description="Peak memory of aggregate over odd objects")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--limit", type=float, default=64)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    args.binary = os.path.abspath(args.binary)
    results = Results()
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        for case in cases():
            if args.only in case[0]:
                wrong = check(args, folder, *case)
                results.check(not wrong, "%s: %s" % (case[0], "; ".join(wrong)))
    sys.exit(results.end())


if __name__ == "__main__":
    main()
