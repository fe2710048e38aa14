"""No content of any object makes worker or function large: what has too many values counts as Other,
the totals are the same, and the messages beside it are counted as ever."""
import functools
import os
import tempfile
import time

from support.cloud import Cloud, failures
from support.process import SANITIZED, log_lines, wait_until
from support.records import gz, instant, numbered, s3_event, sqs_payload, sums_of
from support.results import check, equal

from test_worker import queue

from runtime_api import RuntimeApi

LIMIT_KIB = 128 * 1024
SETS = "InferenceProfileType;InferenceProfileType,ModelId;ModelId,Metadata:key;Principal"
WARNING = "more series than are held at a time, the rest counts as Other"
LINE = ('{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"%s","accountId":'
        '"111122223333","region":"%s","operation":"Converse","modelId":"%s","identity":{"arn":'
        '"arn:aws:iam::111122223333:role/%s"},"requestMetadata":{"key":"%s"},"input":'
        '{"inputTokenCount":3},"output":{"outputTokenCount":2}}\n')
MODEL = "us.anthropic.claude-sonnet-4-6"


@functools.cache
def hostile():
    """name: (object, records of it that are recent enough to be published)"""
    now = time.time() - 300
    at = instant(now)
    kinds = {
        "values": ((LINE % (at, "us-east-1", MODEL, "r", "v%d" % i) for i in range(150000)), 150000),
        "long": ((LINE % (at, "us-east-1", "us.anthropic.%d%s" % (i, "m" * 3900), "r", "v")
                  for i in range(25000)), 25000),
        "callers": ((LINE % (at, "us-east-1", MODEL, "r%d" % i, "v%d" % (i % 9))
                     for i in range(100000)), 100000),
        "regions": ((LINE % (at, "xx-east-%d" % i, MODEL, "r", "v") for i in range(70000)), 70000),
        "minutes": ((LINE % (instant(now - 60 * (i % 300)), "us-east-1", MODEL, "r", "v%d" % i)
                     for i in range(70000)), 70000),
        "ages": ((LINE % (instant(now - 20 * 86400 - 60 * i), "us-east-1", MODEL, "r", "v%d" % i)
                  for i in range(70000)), 0),
    }
    return {name: (gz("".join(lines).encode(), 1), recent) for name, (lines, recent) in kinds.items()}


def high_water_kib(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def put_all(cloud):
    """Good objects, a hostile one of each kind between them: bodies of their messages, and the sums
    that are to be published."""
    expected, bodies = {}, []
    good = 0
    for name, (content, recent) in hostile().items():
        for _ in range(3):
            bodies.append(s3_event(cloud.put("good%d" % good, [numbered(good)])))
            good += 1
        bodies.append(s3_event(cloud.put(name, [], content=content)))
        expected[name] = recent
    total = sums_of(cloud.records)
    recent = sum(expected.values())
    for metric, each in (("Invocations", 1), ("InputTokenCount", 3), ("OutputTokenCount", 2),
                         ("TotalTokenCount", 5)):
        total[metric] += each * recent
    return bodies, total


def judge(cloud, name, log, peak, expected):
    got = cloud.sums()
    print("    %s: at most %.1f MiB" % (name, peak / 1024))
    for metric in ("Invocations", "InputTokenCount", "OutputTokenCount", "TotalTokenCount"):
        equal(got[metric], expected[metric], name + ": " + metric)
        equal(cloud.sums(("InferenceProfileType", "ModelId"))[metric], expected[metric], name)
        equal(cloud.sums(("Metadata:key", "ModelId"))[metric], expected[metric], name)
        equal(cloud.sums(("Principal",))[metric], expected[metric], name)
    named = " ".join(line.get("object", "") for line in log_lines(log, WARNING))
    for kind in ("values", "long", "callers"):
        check(kind in named, name, "does not name", kind, "but", named[:2000])
    check("good" not in named, named)
    check(SANITIZED or peak <= LIMIT_KIB, name, "takes", peak, "KiB")


def through_a_worker(name, **env):
    with Cloud(visibility=60) as cloud:
        bodies, expected = put_all(cloud)
        for body in bodies:
            cloud.stub.send(body)
        with cloud.start("worker", METRIC_DIMENSIONS=SETS, **env) as worker:
            done = wait_until(lambda: queue(cloud).get("deleted", 0) >= len(bodies), 120)
            peak = high_water_kib(worker.pid)
            worker.stop(seconds=20)
        check(done, name, "did not count all", worker.err[-3000:])
        judge(cloud, name, worker.err, peak, expected)


def test_worker():
    through_a_worker("worker")


def test_worker_with_a_ledger():
    with tempfile.TemporaryDirectory() as folder:
        through_a_worker("ledger", LEDGER=os.path.join(folder, "ledger.db"))


def test_function():
    with Cloud() as cloud:
        bodies, expected = put_all(cloud)
        payload = sqs_payload(bodies)
        runtime = RuntimeApi([{"payload": payload, "timeout_ms": 120000}]).start()
        with cloud.start("lambda", AWS_LAMBDA_RUNTIME_API=runtime.address,
                         METRIC_DIMENSIONS=SETS) as function:
            try:
                check(runtime.wait(120), function.err[-3000:])
                peak = high_water_kib(function.pid)
                function.stop(seconds=20)
            finally:
                runtime.stop()
        equal(failures(runtime.results[0]), [])
        judge(cloud, "function", function.err, peak, expected)


def test_an_object_with_more_times_than_can_be_held():
    """Of seconds there are too many for one row each: the object is named and comes back."""
    now = time.time() - 86400
    with Cloud() as cloud:
        good = cloud.put("good", [numbered(1)])
        lines = (LINE % (instant(now - i), "us-east-1", MODEL, "r", "v%d" % i) for i in range(300000))
        bad = cloud.put("seconds", [], content=gz("".join(lines).encode(), 1))
        runtime, log = cloud.invoke(sqs_payload([s3_event(bad), s3_event(good)]), wait=120,
                                    timeout_ms=120000, METRIC_RESOLUTION="1",
                                    METRIC_DIMENSIONS=SETS)
        equal(failures(runtime.results[0]), ["m0"])
        equal(cloud.sums(), cloud.expected())
        check("BM-O111" in log, log[-2000:])
