"""The fault matrix: whatever breaks, nothing is lost, and nothing is counted twice unless a publish
was in doubt, which is then counted as such."""
import concurrent.futures
import time

from support.cloud import Cloud, failures
from support.process import clean, log_lines
from support.records import PROMPT, numbered, s3_event, sqs_payload
from support.results import Failed, check, equal

from runtime_api import RuntimeApi

# fault -> its members, and whether an applied request can be left without an answer
FAULTS = {
    "rst_connect": {}, "rst_before": {}, "fin_before": {}, "rst_during": {"at": 3},
    "rst_after": {}, "fin_after": {}, "cut": {"at": 2}, "cut_head": {}, "chunk_cut": {},
    "status 500": {"status": 500}, "status 503": {"status": 503},
    "status 500 applied": {"status": 500, "applied": True},
    "status 408 empty": {"status": 408, "empty": True}, "status 429": {"status": 429},
    "throttle": {}, "slowdown": {}, "expired_token": {}, "skewed": {},
    "drip": {"bytes": 40, "seconds": 0.01}, "oversize": {"bytes": 20 << 20}, "garbage": {},
    "empty": {}, "corrupt": {}, "delay": {"seconds": 0.3},
}


def rule_of(fault, count, **match):
    return dict(match, fault=fault.split()[0], count=count, **FAULTS[fault])


def in_doubt(log):
    return sum(int(line.get("InDoubtPublishes", 0)) for line in log_lines(log, "round"))


class Function:
    """A function process that is invoked again with the messages it returned, as SQS would."""

    def __init__(self, cloud, **env):
        self.runtime = RuntimeApi().start()
        self.process = cloud.start("lambda", AWS_LAMBDA_RUNTIME_API=self.runtime.address, **env)

    def deliver(self, bodies, rounds=8, timeout_ms=8000):
        left = list(bodies)
        for _ in range(rounds):
            self.runtime.add({"payload": sqs_payload(left), "timeout_ms": timeout_ms})
            check(self.runtime.wait(40), "no answer")
            left = [left[int(name[1:])] for name in failures(self.runtime.results[-1])]
            if not left:
                return
        raise Failed("messages are still returned: %d" % len(left))

    def stop(self):
        self.process.stop(seconds=15)
        self.runtime.stop()
        clean(self.process.out + self.process.err, PROMPT)
        return self.process.err


def one_cell(match, fault, count):
    with Cloud() as cloud:
        bodies = [s3_event(cloud.put("o%d" % i, [numbered(3 * i + j) for j in range(3)]))
                  for i in range(4)]
        function = Function(cloud)
        try:
            cloud.proxy.rules = [rule_of(fault, count, **match)]
            function.deliver(bodies)
        finally:
            log = function.stop()
        doubted = in_doubt(log)
        got, wanted = cloud.sums(), cloud.expected()
        applied = sum(e["applied"] for e in cloud.cloudwatch.log)
        unknown = sum(1 for e in cloud.proxy.log if e["fault"] not in (None, "none", "delay", "drip")
                      and e["forwarded"] and "PutMetricData" in (e["target"] or ""))
        for metric, value in wanted.items():
            check(got.get(metric, 0) >= value, "lost:", metric, got.get(metric, 0), "of", value)
        if got != wanted:
            check(unknown > 0 and doubted >= 1 and got["Invocations"] ==
                  wanted["Invocations"] * applied, "doubled:", got, wanted, doubted, log[-1500:])
        if doubted:
            reported = [d for ns, m, d, _, p in cloud.cloudwatch.data() if m == "InDoubtPublishes"]
            equal(len(reported), 1, "InDoubtPublishes is published afterwards")
        return doubted


def matrix(match, skip=(), counts=(1, 4)):
    cells = [(match, fault, count) for fault in FAULTS if fault not in skip for count in counts]
    broken, doubted = [], {}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        futures = {pool.submit(one_cell, *cell): cell for cell in cells}
        for future in concurrent.futures.as_completed(futures):
            _, fault, count = futures[future]
            try:
                doubted[fault, count] = future.result()
            except Exception as why:
                broken.append("%s x%d: %s" % (fault, count, why))
    check(not broken, "\n  ".join([""] + broken))
    return doubted


def test_s3():
    doubted = matrix({"method": "GET", "path": "AWSLogs"})
    equal(sum(doubted.values()), 0, "in doubt though only S3 failed")


def test_cloudwatch():
    doubted = matrix({"target": "PutMetricData"}, skip=("rst_connect",))
    for fault in ("throttle", "slowdown", "expired_token", "skewed", "delay", "drip", "status 429"):
        equal(doubted[fault, 1], 0, fault + " is definite")
    for fault in ("rst_after", "fin_after", "status 500 applied", "status 408 empty", "status 500",
                  "garbage", "cut_head"):
        equal(doubted[fault, 1], 1, fault + " is in doubt")


def test_kept_alive_connection_that_dies_after_apply():
    """libcurl's own repetition of a POST would store the sum twice and report success."""
    with Cloud() as cloud:
        function = Function(cloud)
        cloud.proxy.rules = [{"target": "PutMetricData", "min_request": 2, "fault": "fin_after",
                              "count": -1}]
        for i in range(3):
            function.deliver([s3_event(cloud.put("o%d" % i, [numbered(i)]))])
        log = function.stop()
        equal(cloud.sums(), cloud.expected())
        equal(in_doubt(log), 0)
        check(all(e["connection_request"] == 1 for e in cloud.proxy.log
                  if "PutMetricData" in (e["target"] or "")), "a connection was used twice")


def test_one_bad_datum_never_loses_the_others():
    with Cloud() as cloud:
        for count in (1, 12):
            cloud.cloudwatch.control({"reset": True, "faults": [{"kind": "refuse",
                                                                 "count": count}]})
            cloud.records = []
            bodies = [s3_event(cloud.put("o%d" % i, [numbered(i)])) for i in range(3)]
            function = Function(cloud)
            function.deliver(bodies)
            function.stop()
            if count == 1:
                equal(cloud.sums(), cloud.expected())
        # Refused for good: all of it is returned, none is lost from the queue.
        cloud.cloudwatch.control({"reset": True, "faults": [{"kind": "refuse", "count": 10000}]})
        runtime, log = cloud.invoke(sqs_payload(bodies))
        equal(failures(runtime.results[0]), ["m0", "m1", "m2"])
        equal(cloud.sums(), {})


def test_a_failed_request_fails_exactly_its_messages():
    with Cloud() as cloud:
        bodies = []
        for i in range(6):
            rows = [numbered(j, model="us.anthropic.x%d-%03d-v1:0" % (i, j)) for j in range(150)]
            bodies.append(s3_event(cloud.put("o%d" % i, rows)))
        cloud.proxy.rules = [{"target": "PutMetricData", "fault": "denied", "skip": 2, "count": 1}]
        runtime, log = cloud.invoke(sqs_payload(bodies), METRIC_DIMENSIONS="ModelId",
                                    MAX_SERIES_PER_SET="10000")
        back = failures(runtime.results[0])
        check(0 < len(back) < 6, back)
        cloud.proxy.rules = []
        again = [bodies[int(name[1:])] for name in back]
        runtime, _ = cloud.invoke(sqs_payload(again), METRIC_DIMENSIONS="ModelId",
                                  MAX_SERIES_PER_SET="10000")
        equal(failures(runtime.results[0]), [])
        equal(cloud.sums(("ModelId",)), cloud.expected())


def worker_cell(target, fault):
    with Cloud() as cloud:
        for i in range(4):
            cloud.send(cloud.put("o%d" % i, [numbered(i)]))
        cloud.proxy.rules = [rule_of(fault, 1, target=target)]
        queue = cloud.stub.queues["bedrock-logs"]
        log = ""
        for _ in range(4):
            log += cloud.run("worker", "--once").stderr
            with queue.change:
                for handle, (message, _) in list(queue.in_flight.items()):
                    del queue.in_flight[handle]
                    queue.waiting.append(message)
            if not queue.waiting:
                break
        check(not queue.waiting, "not drained\n", log)
        equal(cloud.sums(), cloud.expected(), fault)


def test_sqs():
    broken = []
    cells = [(t, f) for t in ("ReceiveMessage", "DeleteMessageBatch", "GetQueueAttributes")
             for f in FAULTS]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        futures = {pool.submit(worker_cell, *cell): cell for cell in cells}
        for future in concurrent.futures.as_completed(futures):
            try:
                future.result()
            except Exception as why:
                broken.append("%s %s: %s" % (*futures[future], why))
    check(not broken, "\n  ".join([""] + broken))


def test_cloudwatch_down_and_up_again():
    with Cloud() as cloud:
        bodies = [s3_event(cloud.put("o%d" % i, [numbered(i)])) for i in range(4)]
        function = Function(cloud)
        cloud.proxy.down()
        function.runtime.add({"payload": sqs_payload(bodies), "timeout_ms": 3000})
        check(function.runtime.wait(20), "no answer")
        equal(len(failures(function.runtime.results[-1])), 4)
        time.sleep(0.1)
        cloud.proxy.up()
        function.deliver(bodies)
        log = function.stop()
        equal(cloud.sums(), cloud.expected())
        equal(in_doubt(log), 0)
