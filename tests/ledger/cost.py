#!/usr/bin/env python3
"""cost.py [--objects N] [--batch N]...: what the ledger costs for a million objects.

The program counts N objects (a message each) with a DynamoDB ledger, then sweeps and verifies; every
request it makes is counted in the counterparts, and its write and read units by the sizes of the
items, as AWS charges them.  Prices are in PRICES, nowhere else.  Fails when the sums in CloudWatch
are not those of tests/oracle/reader.py, or an object costs more writes than CEILING says.  Prints
the table of docs/deployment.md.  The last line is "N passed, N failed".
"""
import argparse
import base64
import collections
import json
import math
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from world import Table, World                       # noqa: E402
from support.records import s3_event                 # noqa: E402
from support.results import Results, check           # noqa: E402
from fault_proxy import FaultProxy                   # noqa: E402

# US dollars, us-east-1, on demand, free tiers left out.
PRICES = {
    "write unit": 0.625 / 1e6,      # DynamoDB: 1 KB, begun
    "read unit": 0.125 / 1e6,       # DynamoDB: 4 KB, begun; half for eventually consistent
    "GB month": 0.25,               # DynamoDB, storage
    "PutMetricData": 0.01 / 1000,
    "GetMetricData": 0.01 / 1000,   # a metric asked for
    "SQS": 0.40 / 1e6,
    "S3 GET": 0.0004 / 1000,
    "S3 LIST": 0.005 / 1000,
}
KEPT_MONTHS = 35 / 30               # LEDGER_TTL_DAYS
ITEM_OVERHEAD = 100                 # bytes an item that are stored and charged besides its own
CEILING = {100: 1.25, 10: 2.2}      # write units an object
MILLION = 1_000_000


def number_size(text):
    digits = text.lstrip("-").replace(".", "").strip("0")
    return 1 + math.ceil(len(digits) / 2) + (text[0] == "-")


def value_size(value):
    (kind, v), = value.items()
    if kind == "S":
        return len(v.encode())
    if kind == "N":
        return number_size(v)
    if kind == "B":
        return len(base64.b64decode(v))
    if kind == "L":
        return 3 + sum(1 + value_size(e) for e in v)
    if kind == "M":
        return 3 + sum(1 + len(k.encode()) + value_size(e) for k, e in v.items())
    if kind in ("SS", "NS", "BS"):
        return sum(value_size({kind[0]: e}) for e in v)
    return 1


def item_size(item):
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


class CountingProxy(FaultProxy):
    """Counts each request to the table and its units."""

    def __init__(self, upstream):
        super().__init__(upstream)
        self.requests = collections.Counter()
        self.units = collections.Counter()
        self.sizes = {}
        self._counting = threading.Lock()

    def _forward(self, request, entry, stream=False):
        with self._counting:
            response = super()._forward(request, entry)
            self._count(request.headers["x-amz-target"].split(".")[-1], request.json(),
                        response.status, json.loads(response.body or b"{}"))
        return response

    def _stored_size(self, table, key):
        item = Table.server.call_json("dynamodb", "DynamoDB_20120810.GetItem",
                                      {"TableName": table, "Key": key}).get("Item")
        return item_size(item) if item else 0

    def _count(self, op, call, status, answer):
        self.requests[op] += 1
        if op in ("PutItem", "UpdateItem"):
            key = call.get("Key") or {"pk": call["Item"]["pk"]}
            name = key["pk"]["S"]
            before = self.sizes.get(name, 0)
            self.sizes[name] = self._stored_size(call["TableName"], key)
            self.units["write"] += max(math.ceil(max(before, self.sizes[name]) / 1024), 1)
        elif op in ("GetItem", "BatchGetItem"):
            keys = [(call, call["Key"])] if op == "GetItem" else \
                [(t, k) for t in call["RequestItems"].values() for k in t["Keys"]]
            for how, key in keys:
                units = max(math.ceil(self.sizes.get(key["pk"]["S"], 0) / 4096), 1)
                self.units["read"] += units if how.get("ConsistentRead") else units / 2
        elif op == "Scan":
            units = math.ceil(sum(map(item_size, answer["Items"])) / 4096) or 1
            self.units["read"] += units if call.get("ConsistentRead") else units / 2
        else:
            check(status != 200, "a call without a price:", op)

    def take(self):
        out = self.requests, self.units
        self.requests, self.units = collections.Counter(), collections.Counter()
        return out


class Figures:
    """Requests and units of one step: {name: count}."""

    def __init__(self, world):
        requests, units = world.table_proxy.take()
        self.counts = collections.Counter({"write unit": units["write"],
                                           "read unit": units["read"]})
        self.requests = requests
        for entry in world.cloud.proxy.log:
            op = (entry["target"] or "").split(".")[-1]
            if entry["service"] == "sqs":
                self.counts["SQS"] += 1
            elif entry["service"] == "s3":
                self.counts["S3 LIST" if "list-type" in entry["path"] else "S3 GET"] += 1
            elif op == "PutMetricData":
                self.counts[op] += 1
        self.counts["GetMetricData"] = sum(e.get("metrics", 0) for e in world.cloud.cloudwatch.log)
        world.cloud.proxy.clear_log()


def measure(batch, n):
    with World("dynamodb", objects=0, proxy=CountingProxy) as world:
        world.cloud.stub.queues["bedrock-logs"].visibility = 120
        del world.settings["BEDROCK_METRICS_TEST_LEASE_MS"]
        world.settings["BATCH_SIZE"] = batch
        world.put_objects(n)
        world.announce([s3_event(key) for key in world.keys])
        _, done = world.run()
        check(done, world.last[-2000:])
        world.check_sums("of an undisturbed run")
        count = Figures(world)
        count.counts["SQS"] += n       # S3's own messages
        check(count.counts["write unit"] <= CEILING[batch] * n if batch in CEILING else True,
              "an object takes", count.counts["write unit"] / n, "write units")
        stored = sum(size + ITEM_OVERHEAD for size in world.table_proxy.sizes.values())
        sweep = world.cloud.run("ledger", "sweep", "--since", "3h", "--output", "json", **world.settings)
        check(sweep.returncode == 0 and json.loads(sweep.stdout), sweep.stderr[-1000:])
        swept = Figures(world)
        verify = world.cloud.run("ledger", "verify", "--until", "0m", "--output", "json", **world.settings)
        check(verify.returncode == 0, verify.stdout[-1000:], verify.stderr[-1000:])
        return count, swept, Figures(world), stored


def row(cells):
    print("| " + " | ".join(cells) + " |")


def table(batches, measured, n):
    """Prints the Markdown table; per million objects."""
    scale = MILLION / n
    row(["per million objects"] + ["%s, batches of %d" % (what, b) for b in batches
                                   for what in ("number", "USD")])
    row(["---"] + ["---:"] * (2 * len(batches)))
    lines = (("DynamoDB, write units", 0, "write unit"), ("DynamoDB, read units", 0, "read unit"),
             ("PutMetricData", 0, "PutMetricData"), ("SQS", 0, "SQS"), ("S3 GET", 0, "S3 GET"),
             ("`ledger sweep` once, S3 LIST", 1, "S3 LIST"),
             ("`ledger sweep` once, DynamoDB read units", 1, "read unit"),
             ("`ledger verify` once, DynamoDB read units", 2, "read unit"))
    totals = [0.0] * len(batches)
    for title, step, name in lines:  # of the steps of measure()
        cells = [title]
        for i, figures in enumerate(measured):
            number = figures[step].counts[name] * scale
            totals[i] += number * PRICES[name]
            cells += ["{:,.0f}".format(number), "%.2f" % (number * PRICES[name])]
        row(cells)
    cells = ["DynamoDB, MB kept for 35 days"]
    for i, (_, _, _, stored) in enumerate(measured):
        gigabytes = stored * scale / 1e9
        totals[i] += gigabytes * KEPT_MONTHS * PRICES["GB month"]
        cells += ["{:,.0f}".format(gigabytes * 1000),
                  "%.2f" % (gigabytes * KEPT_MONTHS * PRICES["GB month"])]
    row(cells)
    row(["**in sum**"] + [c for total in totals for c in ("", "**%.2f**" % total)])
    asked = measured[0][2].counts["GetMetricData"]
    print("\n`ledger verify` asked GetMetricData for %d metrics (USD %.4f), however many objects there are; "
          "counting asks for\none or two only for a request in doubt." %
          (asked, asked * PRICES["GetMetricData"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--batch", type=int, action="append")
    args = parser.parse_args()
    results = Results()
    batches = args.batch or [100, 10]
    measured = []
    for batch in batches:
        results.test("batches of %d" % batch,
                     lambda: measured.append(measure(batch, args.objects)))
    if not results.failed:
        table(batches, measured, args.objects)
    Table.stop()
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
