"""What the ledger's end-to-end tests share: a cloud, a ledger, the program, and what its sums must be.

    with World("sqlite") as world:                  # or "dynamodb", "lambda", "aggregate"
        world.run(BEDROCK_METRICS_KILL_POINT=...)   # (killed, all done)
        world.finish()                              # again and again; the sums must be exact

Each world has counterparts of its own (tests/fake_aws: S3 and SQS, a strict CloudWatch, and for
"dynamodb" and "lambda" a table of a shared moto behind a fault proxy of its own).  Objects are put
and announced: singly, several in one message, some twice.  What the sums must be comes from
tests/oracle/reader.py, which shares nothing with the program, and is compared per metric, series
and minute.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.cloud import NAMESPACE, Cloud                                  # noqa: E402
from support.process import clean, wait_until                               # noqa: E402
from support.records import (BUCKET, PROMPT, TOKENS, log_object, numbered, s3_event,  # noqa: E402
                             sqs_payload)
from support.results import Failed, Results, check, equal, verbose          # noqa: E402
import reader                                                               # noqa: E402
from fault_proxy import FaultProxy                                          # noqa: E402
from moto_harness import MotoHarness, ensure_venv                           # noqa: E402
from runtime_api import RuntimeApi                                          # noqa: E402

FENCE_MS, LEASE_MS = 1500, 400
MODES = ("sqlite", "dynamodb", "lambda")
METRICS = ("Invocations", *TOKENS, "TotalTokenCount")
SETS = (("InferenceProfileType",), ("InferenceProfileType", "ModelId"))
ROUNDS = 25
MODELS = ("us.anthropic.claude-sonnet-4-20250514-v1:0", "amazon.nova-lite-v1:0",
          "global.anthropic.claude-sonnet-4-5-20250929-v1:0")


class Table:
    """A DynamoDB for all cases; a table for each."""
    lock = threading.Lock()
    server = None
    count = 0

    @classmethod
    def new(cls):
        with cls.lock:
            if cls.server is None:
                ensure_venv()
                cls.server = MotoHarness(verify=False).start()
            cls.count += 1
            name = "ledger%d" % cls.count
            cls.server.call_json("dynamodb", "DynamoDB_20120810.CreateTable", {
                "TableName": name, "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]})
        return name

    @classmethod
    def address(cls):
        return "%s:%d" % cls.server.proxy.upstream

    @classmethod
    def stop(cls):
        with cls.lock:
            if cls.server is not None:
                cls.server.stop()
            cls.server = None


class World:
    """See above.  large: so many data that a batch takes several requests.  disk_kib: the ledger
    has a disk of its own of that size."""

    def __init__(self, mode, large=False, objects=6, proxy=FaultProxy, disk_kib=0):
        self.mode = mode
        self.large = large
        self.n_objects = objects
        self.disk_kib = disk_kib
        self.cloud = Cloud(visibility=1)
        self.keys, self.bodies = [], []
        self.log = ""
        self._proxy_class = proxy
        self.table_proxy = None

    def __enter__(self):
        self.cloud.__enter__()
        # The ledger has a folder of its own: its files are what a power loss is about.
        self.folder = tempfile.mkdtemp(prefix="bedrock-ledger-test-")
        os.mkdir(self.folder + "/state", 0o700)
        if self.disk_kib:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700,size=%dk" % self.disk_kib,
                            "none", self.folder + "/state"], check=True)
        self.ledger_file = self.folder + "/state/ledger"
        self.settings = {"BEDROCK_METRICS_TEST_FENCE_MS": FENCE_MS,
                         "BEDROCK_METRICS_TEST_LEASE_MS": LEASE_MS,
                         "METRICS": ",".join(METRICS)}
        if self.mode in ("sqlite", "aggregate"):
            self.settings["LEDGER"] = self.ledger_file
        else:
            self.table = Table.new()
            self.table_proxy = self._proxy_class(Table.address()).start()
            self.settings.update(LEDGER="dynamodb://" + self.table,
                                 AWS_ENDPOINT_URL_DYNAMODB=self.table_proxy.url)
        self.oracle = {by: reader.Aggregate(by, "1m") for by in SETS}
        self.put_objects(self.n_objects)
        half = len(self.keys) // 2
        if self.keys:
            self.announce([s3_event(k) for k in self.keys[:half]] +
                          [s3_event(*self.keys[half:]), s3_event(self.keys[0])])
        return self

    def __exit__(self, *exc):
        if self.table_proxy is not None:
            self.table_proxy.stop()
        self.cloud.__exit__(*exc)
        if self.disk_kib:
            subprocess.run(["umount", self.folder + "/state"], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def put_objects(self, n, name="o"):
        now = time.time()
        for i in range(n):
            records = [numbered(10 * i + j, at=now - 300 - (600 + 60 * j if self.large else 7 * j),
                              model=MODELS[0] if self.large else MODELS[(i + j) % len(MODELS)])
                       for j in range(450 if self.large else 4)]
            content = log_object(records)
            key = self.cloud.put("%s%d" % (name, i), records, content=content)
            self.keys.append(key)
            for aggregate in self.oracle.values():
                aggregate.add_bytes(key, content)

    def announce(self, bodies):
        """Messages for the queue; a function gets all of them with every invocation."""
        self.bodies += bodies
        if self.mode in ("sqlite", "dynamodb"):
            for body in bodies:
                self.cloud.stub.send(body)

    # -- the disk --

    def fill_disk(self, leave=0):
        """Until no more than that many bytes are free."""
        with open(self.folder + "/state/ballast", "wb") as file:
            info = os.statvfs(file.fileno())
            file.write(bytes(max(info.f_bavail * info.f_frsize - leave, 0)))

    def empty_disk(self):
        os.unlink(self.folder + "/state/ballast")

    # -- the program --

    def start(self, **env):
        """The process, and what answers it (lambda)."""
        env = dict(self.settings, **env)
        if self.mode == "aggregate":
            return self.cloud.start("aggregate", "--publish", "s3://" + BUCKET, **env), None
        if self.mode != "lambda":
            return self.cloud.start("worker", "--once", **env), None
        runtime = RuntimeApi([{"payload": sqs_payload(self.bodies), "timeout_ms": 20000}]).start()
        return self.cloud.start("lambda", AWS_LAMBDA_RUNTIME_API=runtime.address, **env), runtime

    def run(self, kill_after=None, **env):
        """(killed, all done): once, to its end or until it is killed."""
        process, runtime = self.start(**env)
        done = False
        with process:
            if kill_after is not None:
                wait_until(lambda: process.poll() is not None, kill_after, pause=0.002)
                process.kill()
            elif runtime is not None:
                wait_until(lambda: process.poll() is not None or runtime.wait(0.1), 60, pause=0)
                result = runtime.results[0] if runtime.results else {}
                done = (result.get("kind") == "response" and
                        not json.loads(result["body"])["batchItemFailures"])
                process.stop(seconds=90)
            process.wait(90)
        if runtime is not None:
            runtime.stop()
        self.last = process.out + process.err
        self.log += self.last
        clean(self.last, PROMPT)
        self.code = code = process.returncode
        check(code in (0, 1, 2, -signal.SIGKILL), "exit status", code, process.err[-2000:])
        return code == -signal.SIGKILL, done if self.mode == "lambda" else code == 0

    # -- the sums --

    def expected(self):
        """{(set, values, minute, metric): sum} as the oracle has it."""
        out = {}
        for by, aggregate in self.oracle.items():
            equal(aggregate.objects["failed"], 0, "objects the oracle cannot read")
            for (minute, values), cell in aggregate.cells.items():
                for metric in METRICS:
                    if cell[metric]:
                        out[by, values, minute, metric] = cell[metric]
        return out

    def sums(self):
        """The same as CloudWatch has it."""
        out = {}
        for namespace, metric, dimensions, _, points in self.cloud.cloudwatch.data():
            if namespace != NAMESPACE or metric not in METRICS:
                continue
            by = tuple(dimensions)
            for minute, statistics in points.items():
                at = by, tuple(dimensions.values()), minute, metric
                out[at] = out.get(at, 0) + statistics["Sum"]
        return {at: value for at, value in out.items() if value}

    def check_sums(self, what):
        got, wanted = self.sums(), self.expected()
        if got == wanted:
            return
        off = ["%s: %s, not %s" % (at, got.get(at, 0), wanted.get(at, 0))
               for at in sorted(set(got) | set(wanted), key=str)
               if got.get(at, 0) != wanted.get(at, 0)]
        raise Failed("%s: %d sums are wrong: %s ...\n%s" %
                     (what, len(off), "; ".join(off[:4]), self.log[-4000:]))

    def never_too_much(self, what):
        """No sum is above what it must be: to be asked at any moment."""
        wanted = self.expected()
        for at, value in self.sums().items():
            check(value <= wanted.get(at, 0), what, "counted twice:", at, value, wanted.get(at),
                  "\n" + self.log[-4000:])

    def recover(self, **env):
        """Start it again and again until nothing is returned and the sums are right."""
        expected = self.expected()
        for _ in range(ROUNDS):
            _, done = self.run(**env)
            if done and self.sums() == expected:
                break
            self.never_too_much("in recovery")
            time.sleep(0.3)
        self.check_sums("after recovery")

    def finish(self):
        """The same; then all is announced once more, and nothing may be added."""
        self.recover()
        if self.mode in ("sqlite", "dynamodb"):
            for body in self.bodies:
                self.cloud.stub.send(body)
        self.run()
        self.check_sums("after all was announced again")
        check("applied more than once" not in self.log, "a double application was seen")


# ---- running cases ----

def run_case(name, case):
    function, args, options = case
    began = time.monotonic()
    try:
        function(*args, **options)
        return name, None, time.monotonic() - began
    except Exception:  # noqa: BLE001 - whatever it is, the case failed
        return name, traceback.format_exc(), time.monotonic() - began


class Cases:
    """Named cases: cases.add(name, function, *args, **options)."""

    def __init__(self):
        self.cases = {}

    def add(self, name, function, *args, **options):
        assert name not in self.cases, name
        self.cases[name] = function, args, options


def parser(description, **options):
    out = argparse.ArgumentParser(description=description,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--all", action="store_true", help="every case, not a sample")
    out.add_argument("--jobs", type=int, default=options.get("jobs", 10))
    out.add_argument("--list", action="store_true")
    out.add_argument("names", nargs="*", metavar="NAME", help="cases whose name contains it")
    return out


def run_cases(cases, args):
    """Runs those chosen; prints what failed and "N passed, N failed"; the exit status."""
    chosen = {n: c for n, c in cases.cases.items()
              if not args.names or any(part in n for part in args.names)}
    if args.list:
        print("\n".join(chosen))
        Table.stop()
        return 0
    results = Results()
    with ThreadPoolExecutor(args.jobs) as pool:
        for name, fault, seconds in pool.map(lambda i: run_case(*i), chosen.items()):
            if results.check(fault is None, "%s\n%s" % (name, fault)) and verbose():
                print("ok   %-60s %5.1f s" % (name, seconds), flush=True)
    Table.stop()
    return results.end()
