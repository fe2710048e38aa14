#!/usr/bin/env python3
"""kill.py [--all] [--list] [--jobs N] [NAME ...]: the program killed, and the sums afterwards.

Each case has a cloud of its own (tests/fake_aws: S3 and SQS, a strict CloudWatch, for the fleet a
DynamoDB by moto): objects are put and announced, partly twice; the program is killed at a point or
a moment, or an answer of CloudWatch is lost; then it is started anew until nothing comes back.
The sums in CloudWatch must be those of the records, to the token: none lost, none doubled.
Without --all a sample that takes less than two minutes.  The last line is "N passed, N failed".
"""
import argparse
import json
import os
import random
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "pipeline"))
sys.dont_write_bytecode = True

from lib import Cloud, Failed, check, equal, record, s3_event, sqs_payload # noqa: E402
from moto_harness import MotoHarness, ensure_venv                          # noqa: E402
from runtime_api import RuntimeApi                                         # noqa: E402

FENCE_MS, LEASE_MS = 1500, 400
POINTS = ["claim:1", "read:1", "prepare:1", "marker:1", "sign:1", "journal:1", "send:1",
          "journal:2", "done:1"]
LATER = ["marker:2", "sign:3", "journal:3", "send:2", "journal:4", "send:4"]
RESOLVE = ["read-markers:1", "marker:1", "journal:1", "send-control:1", "read-markers:2", "send:1",
           "tell:1"]
ROUNDS = 25


class Table:
    """A DynamoDB for all cases; a table for each."""
    lock = threading.Lock()
    server = None
    count = 0

    @classmethod
    def new(cls):
        with cls.lock:
            if cls.server is None:
                cls.server = MotoHarness(verify=False).start()
            cls.count += 1
            name = "ledger%d" % cls.count
            cls.server.call_json("dynamodb", "DynamoDB_20120810.CreateTable", {
                "TableName": name, "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]})
        return {"LEDGER": "dynamodb://" + name, "AWS_ENDPOINT_URL_DYNAMODB": cls.server.url}

    @classmethod
    def stop(cls):
        if cls.server is not None:
            cls.server.stop()


class World:
    """A cloud, a ledger and the way the program is run: sqlite, dynamodb or lambda."""

    def __init__(self, mode, large=False):
        self.mode = mode
        self.cloud = Cloud(visibility=1)
        self.folder = tempfile.mkdtemp(prefix="bedrock-kill-")
        self.keys = []
        self.large = large
        self.log = ""

    def __enter__(self):
        self.cloud.__enter__()
        self.settings = {"BEDROCK_METRICS_TEST_FENCE_MS": FENCE_MS,
                         "BEDROCK_METRICS_TEST_LEASE_MS": LEASE_MS,
                         "METRICS": "Invocations,InputTokenCount,OutputTokenCount,"
                                    "CacheReadInputTokenCount,CacheWriteInputTokenCount,"
                                    "TotalTokenCount"}
        if self.mode == "sqlite":
            self.settings["LEDGER"] = self.folder + "/ledger"
        else:
            self.settings.update(Table.new())
        now = time.time()
        for i in range(6):
            records = [record(10 * i + j, at=now - 300 - (600 + 60 * j if self.large else 0))
                       for j in range(450 if self.large else 4)]
            self.keys.append(self.cloud.put("o%d" % i, records))
        # Announced singly, several in one message, and some twice.
        self.bodies = [s3_event(k) for k in self.keys[:3]] + [s3_event(*self.keys[3:]),
                                                               s3_event(self.keys[0])]
        if self.mode != "lambda":
            for body in self.bodies:
                self.cloud.stub.send(body)
        return self

    def __exit__(self, *exc):
        self.cloud.__exit__(*exc)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, **env):
        """The process, and what answers it (Lambda)."""
        env = dict(self.settings, **env)
        if self.mode != "lambda":
            return self.cloud.start("worker", "--once", **env), None
        runtime = RuntimeApi([{"payload": sqs_payload(self.bodies), "timeout_ms": 20000}]).start()
        return self.cloud.start("lambda", AWS_LAMBDA_RUNTIME_API=runtime.address, **env), runtime

    def run(self, kill_after=None, **env):
        """(killed, all done): once, to its end or until it is killed."""
        process, runtime = self.start(**env)
        output = []
        reader = threading.Thread(target=lambda: output.extend(process.communicate()))
        reader.start()
        done = False
        if kill_after is not None:
            reader.join(kill_after)
            process.send_signal(signal.SIGKILL)
        elif runtime is not None:
            end = time.monotonic() + 40
            while reader.is_alive() and time.monotonic() < end and not runtime.wait(0.1):
                pass
            result = runtime.results[0] if runtime.results else {}
            done = (result.get("kind") == "response" and
                    not json.loads(result["body"])["batchItemFailures"])
            if reader.is_alive():
                process.terminate()
        reader.join(60)
        if reader.is_alive():
            process.kill()
            reader.join()
            raise Failed("the program did not end")
        if runtime is not None:
            runtime.stop()
        self.log += "\n".join(output)
        Cloud.clean(output[0] + output[1])
        code = process.returncode
        check(code in (0, 1, -signal.SIGKILL), "exit status", code, output[1][-2000:])
        return code == -signal.SIGKILL, done if self.mode == "lambda" else code == 0

    def sums(self):
        return {k: v for k, v in self.cloud.sums().items() if v}

    def finish(self):
        """Start it again and again until nothing comes back; then the sums must be right."""
        expected = self.cloud.expected()
        for _ in range(ROUNDS):
            _, done = self.run()
            if done and self.sums() == expected:
                break
            time.sleep(0.3)
        equal(self.sums(), expected, "sums after recovery\n" + self.log[-3000:])
        equal({k: v for k, v in self.cloud.sums(("InferenceProfileType", "ModelId")).items() if v},
              expected, "sums of the second set")
        # Once more, all announced anew: nothing is added.
        for body in self.bodies:
            if self.mode != "lambda":
                self.cloud.stub.send(body)
        self.run()
        equal(self.sums(), expected, "sums after all was announced again")
        check("applied more than once" not in self.log, "a double application was seen")


# ---- cases ----

def at_point(mode, point, large=False):
    with World(mode, large) as world:
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT=point)
        check(killed, "the program did not come to", point, world.log[-1500:])
        world.finish()


def in_recovery(mode, point, applied):
    """Killed with a request in doubt, and once more while that is resolved."""
    with World(mode) as world:
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT="after-send:1" if applied
                              else "before-send:1")
        check(killed)
        time.sleep(FENCE_MS / 1000 + 1.1)
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT=point)
        check(killed, "the program did not come to", point, world.log[-1500:])
        world.finish()
        if "tell" in point:  # whoever told it, it is told once
            name = "InDoubtResolved" + ("Applied" if applied else "Absent")
            equal(world.cloud.sums(()).get(name), 1, name)


def at_moment(mode, seconds):
    with World(mode, large=True) as world:
        world.run(kill_after=seconds)
        world.finish()


def many_kills(mode, seed):
    chance = random.Random(seed)
    with World(mode, large=True) as world:
        for _ in range(4):
            if chance.random() < 0.5:
                world.run(kill_after=chance.uniform(0.02, 0.5))
            else:
                point = chance.choice(POINTS + LATER)
                world.run(BEDROCK_METRICS_KILL_POINT="%s-%s" % (
                    chance.choice(["before", "after"]), point))
        world.finish()


def answers(mode, *faults, **env):
    with World(mode, large=True) as world:
        world.cloud.cloudwatch.control({"faults": [dict(f) for f in faults]})
        world.run(**env)
        world.finish()


LOST = {"kind": "lost", "op": "PutMetricData"}
NOT_APPLIED = {"kind": "not_applied", "op": "PutMetricData"}


def cases(everything):
    """name -> function; the sample first takes one of each kind."""
    out = {}

    def add(name, function, *args, **env):
        out[name] = (function, args, env)

    for mode in ("sqlite", "dynamodb", "lambda"):
        points = [w + "-" + p for p in POINTS for w in ("before", "after")]
        points += ["before-answer:1"] if mode == "lambda" else ["before-delete:1",
                                                                 "after-delete:1"]
        for point in points:
            sampled = mode == "sqlite" or point in (
                "after-claim:1", "after-read:1", "after-prepare:1", "after-journal:1",
                "before-send:1", "after-send:1", "before-done:1", "before-answer:1")
            if everything or sampled:
                add("%s %s" % (mode, point), at_point, mode, point)
        for point in [w + "-" + p for p in LATER for w in ("before", "after")]:
            if everything or point in ("after-send:2", "before-journal:4"):
                add("%s large %s" % (mode, point), at_point, mode, point, True)
        for point in [w + "-" + p for p in RESOLVE for w in ("before", "after")]:
            for applied in (True, False):
                if applied and point.split("-", 1)[1] not in (
                        "read-markers:1", "journal:1", "tell:1"):
                    continue  # it is found at once: nothing else is done
                if everything or (mode == "sqlite" and not applied):
                    add("%s resolving %s %s" % (mode, "applied" if applied else "absent", point),
                        in_recovery, mode, point, applied)
        moments = range(1, 40) if everything else (3, 9, 15)
        for n in moments:
            add("%s after %d ms" % (mode, n * 20), at_moment, mode, n * 0.02)
        for seed in range(20 if everything else 2):
            add("%s several kills, seed %d" % (mode, seed), many_kills, mode, seed)
        add(mode + " answers lost", answers, mode, LOST, dict(LOST, skip=1, how="fin"))
        add(mode + " requests lost", answers, mode, NOT_APPLIED, dict(NOT_APPLIED, skip=1))
        add(mode + " lost and not, in turn", answers, mode, LOST, NOT_APPLIED, LOST, NOT_APPLIED)
        add(mode + " 500 though applied", answers, mode,
            {"kind": "status", "status": 500, "applied": True, "op": "PutMetricData"})
        add(mode + " throttled", answers, mode, {"kind": "throttle", "count": 3})
    return out


def run_case(name, case):
    function, args, env = case
    began = time.monotonic()
    try:
        function(*args, **env)
        return name, None, time.monotonic() - began
    except Exception:  # noqa: BLE001 - whatever it is, the case failed
        return name, traceback.format_exc(), time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases whose name contains it")
    args = parser.parse_args()
    chosen = {n: c for n, c in cases(args.all).items()
              if not args.names or any(part in n for part in args.names)}
    if args.list:
        print("\n".join(chosen))
        return 0
    ensure_venv()
    failed = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for name, fault, seconds in pool.map(lambda i: run_case(*i), chosen.items()):
            failed += fault is not None
            if fault is not None:
                print("FAIL %s\n%s" % (name, fault), flush=True)
            elif os.environ.get("VERBOSE"):
                print("ok   %-50s %5.1f s" % (name, seconds), flush=True)
    Table.stop()
    print("%d passed, %d failed" % (len(chosen) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
