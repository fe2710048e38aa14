#!/usr/bin/env python3
"""The `prices` command against the price list file and the independent calculation.

Usage: check_command.py BEDROCK_METRICS
"""
import csv
import decimal
import io
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import process  # noqa: E402
from support.results import Results  # noqa: E402
from check_prices import E12, LIST, OWN, Prices, load  # noqa: E402

PRICES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
HOSTILE = "\x1b[31m<b>\u202e"


class Run(Results):
    def __init__(self, binary):
        super().__init__()
        self.binary = binary

    def call(self, *arguments, **variables):
        done = process.run([self.binary, "prices", *arguments], process.environment(**variables))
        return done.returncode, done.stdout.decode("ascii"), done.stderr.decode("ascii")

    def json(self, *arguments, **variables):
        code, out, _ = self.call(*arguments, "--output", "json", **variables)
        return code, json.loads(out, parse_float=decimal.Decimal)

    def expect(self, what, got, expected):
        self.same(got, expected, what)


def key_of(row):
    return (row["model"], row["scope"], row.get("from", ""), int(row.get("over") or 0))


def prices_of(row):
    return {name: decimal.Decimal(row[name]) for name in PRICES if row.get(name, "") != ""}


def check_list(run, base):
    expected = {key_of(row): prices_of(row) for row in base["prices"]}
    code, listed = run.json("list")
    run.expect("list: exit code", code, 0)
    run.expect("list: date", listed["as_of"], base["as_of"])
    run.expect("list: order", [key_of(row) for row in listed["rows"]], sorted(expected))
    run.expect("list: json", {key_of(row): prices_of(row) for row in listed["rows"]}, expected)
    code, out, _ = run.call("--output", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    run.expect("list: csv", {key_of(row): prices_of(row) for row in rows}, expected)
    code, out, _ = run.call("list", "--model", "opus-4-8", "--scope", "global")
    run.expect("list: filtered table", [line.split()[:2] for line in out.splitlines()[1:2]],
               [["anthropic.claude-opus-4-8", "global"]])
    run.expect("list: filtered count", "\n1 of " in out, True)


def check_explain(run, prices, own, path):
    asked = [
        ("global.anthropic.claude-opus-4-8", "eu-west-1", "2026-11-01", (1, 20, 300, 4000)),
        ("openai.gpt-5.6-sol", "us-gov-west-1", "2026-09-09", (272001, 5, 6, 7)),
        ("openai.gpt-5.6-sol", "us-east-1", "2026-09-08", (100, 90, 20, 7)),
        ("eu.amazon.nova-2-lite-v1:0:300k", "eu-central-1", "2026-11-01", (2 ** 53, 1, 1, 1)),
        ("cohere.embed-v4:0", "us-east-1", "2026-11-01", (5, 0, 0, 3)),
        ("anthropic.claude-opus-4", "us-east-1", "2026-11-01", (5, 0, 0, 3)),
        ("global.zai.glm-4.6", "us-east-1", "2026-11-01", (5, 1, 2, 3)),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abcdefghijkl", "us-east-1",
         "2026-11-01", (5, 1, 2, 3)),
    ]
    for which, arguments in ((prices, ()), (own, ("--prices", path))):
        for model, region, day, counts in asked:
            expected = which.price(model, "", region, day, counts)
            code, x = run.json("explain", model, "--region", region, "--day", day,
                               "--input-tokens", str(counts[0]), "--cache-read-tokens", str(counts[1]),
                               "--cache-write-tokens", str(counts[2]), "--output-tokens", str(counts[3]),
                               *arguments)
            row = x.get("row", {})
            got = (row.get("model", "-"), row.get("scope", "-"), row.get("from", "-"),
                   str(row.get("over", 0)) if row else "-",
                   str(int(decimal.Decimal(x.get("estimated_cost", 0)) * E12)),
                   str(x["unpriced_tokens"]), str(x["approximate_tokens"]))
            run.expect(f"explain {model}", got, expected)
            run.expect(f"explain {model}: exit code", code, 0 if row else 1)
            code, out, _ = run.call("explain", model, "--region", region, "--day", day, *arguments)
            run.expect(f"explain {model}: table", out.startswith("asked       " + model), True)
            code, out, _ = run.call("explain", model, "--output", "csv", *arguments)
            columns = {len(line) for line in csv.reader(io.StringIO(out))}
            run.expect(f"explain {model}: csv", columns, {2})
    code, x = run.json("explain", "anthropic.claude-sonnet-5", PRICES_FILE=path)
    run.expect("PRICES_FILE", x["row"]["list"], "own")
    code, x = run.json("explain", "anthropic.claude-opus-4-8", "--geography", "global")
    run.expect("--geography", x["row"]["scope"], "global")


def check_faults(run, folder):
    broken = os.path.join(folder, "broken.json")
    with open(broken, "w", encoding="ascii") as file:
        json.dump(dict(OWN, prices=[dict(OWN["prices"][0], input=0.0000001)]), file)
    table = [
        (("--foo",), '"--foo"'), (("lst",), '"prices lst"'), (("list", "x"), '"x"'),
        (("explain",), "MODEL"), (("explain", ""), '""'), (("explain", "a", "b"), '"b"'),
        (("explain", "a b"), '"a b"'), (("explain", HOSTILE), '"\\u001b[31m<b>\\u202e"'),
        (("--output", "xml"), '"xml"'), (("--output",), "--output needs a value"),
        (("--model", "a", "--model", "b"), "--model is given twice"),
        (("age", "--model", "a"), "unknown option \"--model\""),
        (("explain", "a", "--day", "yesterday"), '"yesterday"'),
        (("explain", "a", "--day", "2026-02-30"), '"2026-02-30"'),
        (("explain", "a", "--input-tokens", "-1"), '"-1"'),
        (("explain", "a", "--input-tokens", "18446744073709551616"), '"18446744073709551616"'),
        (("explain", "a", "--region", ""), '""'),
        (("--prices", os.path.join(folder, "none")), "No such file"),
        (("--prices", folder), "directory"), (("--prices", broken), "prices[0].input: must be"),
    ]
    for arguments, said in table:
        code, out, err = run.call(*arguments)
        run.expect(f"{arguments}: exit code", code, 2)
        run.expect(f"{arguments}: standard output", out, "")
        run.expect(f"{arguments}: {err!r} says {said}", said in err and err.count("\n") == 2, True)
        run.expect(f"{arguments}: {err!r} has a code", "(BM-U" in err.split("\n")[0], True)
    code, _, err = run.call(PRICES_FILE=broken)
    run.expect("PRICES_FILE: broken", (code, "broken.json" in err), (2, True))


def check_rest(run, base, path):
    code, out, err = run.call("--help")
    run.expect("help", (code, out.startswith("Usage: "), err), (0, True, ""))
    for arguments in (("age",), ("age", "--prices", path)):
        code, x = run.json(*arguments)
        run.expect("age", (code, x["as_of"], x["regions_as_of"]),
                   (0, base["as_of"], base["regions_as_of"]))
        run.expect("age: own", x.get("own_as_of"), "2026-11-01" if path in arguments else None)
        code, out, _ = run.call(*arguments)
        run.expect("age: table", (code, base["as_of"] in out), (0, True))
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([run.binary, "prices"], stdout=full, stderr=subprocess.PIPE,
                              check=False)
    run.expect("full disk", done.returncode, 1)
    with open("/dev/full", "w", encoding="ascii") as full:
        for words in (["prices", "--help"], ["--help"], ["--version"], ["aggregate", "--help"],
                      ["explain"]):
            done = subprocess.run([run.binary, *words], stdout=full, stderr=subprocess.PIPE,
                                  check=False)
            run.expect(f"full disk: {words}", (done.returncode, b"BM-R110" in done.stderr),
                       (1, True))


def check_common_options(run, folder, path):
    """The options every command has: settings of a file, and .env of the working folder."""
    file = os.path.join(folder, "settings")
    with open(file, "w", encoding="ascii") as out:
        out.write("PRICES_FILE=%s\n" % path)
    _, x = run.json("age", "--env-file", file, "--quiet", "--log-format", "json")
    run.expect("--env-file: own prices", x.get("own_as_of"), "2026-11-01")
    _, x = run.json("age", "--env-file", file, PRICES_FILE="")
    run.expect("--env-file: the environment wins", x.get("own_as_of"), None)
    code, _, err = run.call("age", "--log-level", "x")
    run.expect("--log-level", (code, "BM-U299" in err), (2, True))


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    run = Run(sys.argv[1])
    base = load(LIST)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "own.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump(OWN, file)
        check_list(run, base)
        check_explain(run, Prices(base), Prices(base, load(path)), path)
        check_faults(run, folder)
        check_rest(run, base, path)
        check_common_options(run, folder, path)
    return run.end()


if __name__ == "__main__":
    sys.exit(main())
