"""Outages: the worker holds what it has until S3 and CloudWatch work again, instead of using up the
queue's maxReceiveCount, reading everything again, or sending data that may be counted twice."""
import collections
import concurrent.futures
import os
import signal
import tempfile
import time

from support.cloud import Cloud
from support.process import log_lines, wait_until
from support.records import numbered
from support.results import check, equal
from test_worker import queue

ALWAYS = {"count": -1}
REFUSED = ({"fault": "throttle"}, {"fault": "denied"})
DOUBTFUL = ({"fault": "status", "status": 500}, {"fault": "status", "status": 500, "applied": True},
            {"fault": "rst_after"}, {"fault": "rst_before"})


def fill(cloud, n):
    for i in range(n):
        cloud.send(cloud.put("o%d" % i, [numbered(3 * i + j) for j in range(3)]))


def gets(cloud):
    return collections.Counter(e["path"].split("?")[0] for e in cloud.proxy.log
                               if e["method"] == "GET" and ".json" in e["path"])


def counted(cloud):
    return lambda: cloud.sums() == cloud.expected()


def through_an_outage(rule, seconds, n=30, **env):
    """A worker over an outage; the cloud afterwards is given to `judge`."""
    with Cloud(visibility=4) as cloud:
        fill(cloud, n)
        cloud.proxy.rules = [dict(rule, **ALWAYS)]
        with cloud.start("worker", **env) as worker:
            time.sleep(seconds)
            during = dict(queue(cloud))
            cloud.proxy.rules = []
            reached = wait_until(lambda: queue(cloud).get("deleted", 0) >= n, 40)
            after = dict(queue(cloud))
            worker.stop(seconds=15)
        yield cloud, worker, during, after, reached


def side_by_side(check_one, rules):
    """Outages are waited for, so those of several rules are at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(rules)) as pool:
        list(pool.map(check_one, rules))


def test_a_refused_publish_is_held():
    def one(rule):
        for cloud, worker, during, after, reached in through_an_outage(
                dict(rule, service="monitoring"), 9):
            name = rule["fault"]
            check(reached, name, "not counted:", after, worker.err[-3000:])
            equal(cloud.sums(), cloud.expected(), name)
            equal(during.get("deleted", 0), 0, name)
            equal(after["received"], 30, name + ": each message is received once")
            equal(set(gets(cloud).values()), {1}, name + ": each object is read once")
            check(during["received"] <= 10, name, "received during the outage:", during)
            check(len(log_lines(worker.err, "message returned to the queue")) == 0, worker.err[-2000:])
            equal(len(log_lines(worker.err, "messages are held until they can be counted")), 1,
                  worker.err[-3000:])
    side_by_side(one, REFUSED)


def test_after_a_doubtful_publish_no_data_are_sent():
    def one(rule):
        for cloud, worker, during, after, reached in through_an_outage(
                dict(rule, service="monitoring"), 9):
            check(reached, rule, "not counted:", after, worker.err[-3000:])
            doubted = log_lines(worker.err, "publish in doubt: it may be counted twice when its "
                                            "messages are delivered again")
            equal(len(doubted), 1, "one request is in doubt: %s" % rule)
            check(after["received"] <= 30 + int(doubted[0]["messages"]), rule, after)
            got, wanted = cloud.sums()["Invocations"], cloud.expected()["Invocations"]
            most = wanted + 3 * int(doubted[0]["messages"])
            check(wanted <= got <= most, rule, "counted", got, "of", wanted, "at most", most)
    side_by_side(one, DOUBTFUL)


def test_an_outage_of_s3_is_held():
    for cloud, worker, during, after, reached in through_an_outage(
            {"fault": "unavailable", "service": "s3"}, 9, AWS_MAX_ATTEMPTS="1"):
        check(reached, "not counted:", after, worker.err[-3000:])
        equal(cloud.sums(), cloud.expected())
        equal(after["received"], 30, "each message is received once")
        check(during["received"] <= 10, "received during the outage:", during)
        served = collections.Counter(e["path"].split("?")[0] for e in cloud.proxy.log
                                     if e["method"] == "GET" and ".json" in e["path"]
                                     and e["fault"] is None)
        equal(set(served.values()), {1}, "each object is served once")


def test_what_was_read_of_a_message_is_kept():
    with Cloud(visibility=4) as cloud:
        keys = [cloud.put("m%d" % i, [numbered(5 * i)]) for i in range(3)]
        cloud.send(*keys)
        cloud.proxy.rules = [dict(fault="unavailable", service="s3", path="m1[.]", **ALWAYS)]
        with cloud.start("worker", AWS_MAX_ATTEMPTS="1") as worker:
            time.sleep(5)
            equal(cloud.sums(), {})
            cloud.proxy.rules = []
            check(wait_until(counted(cloud), 30), worker.err[-3000:])
            worker.stop(seconds=15)
        first = [n for path, n in gets(cloud).items() if "m0." in path]
        equal(first, [1], "the object before the one that failed is read once")


def test_one_object_in_trouble_does_not_stop_the_others():
    with Cloud(visibility=4) as cloud:
        cloud.send(cloud.put("poison", [numbered(1000)], count=False))
        fill(cloud, 30)
        cloud.proxy.rules = [dict(fault="unavailable", service="s3", path="poison", **ALWAYS)]
        with cloud.start("worker", AWS_MAX_ATTEMPTS="1") as worker:
            check(wait_until(counted(cloud), 30), worker.err[-3000:])
            equal(queue(cloud)["deleted"], 30)
            equal(queue(cloud)["in_flight"], 1, "the poisoned one is held")
            worker.stop(seconds=15)


def test_nothing_is_held_longer_than_max_hold():
    for cloud, worker, during, after, reached in through_an_outage(
            {"fault": "throttle", "service": "monitoring"}, 12, n=5, MAX_HOLD="3"):
        check(reached, after, worker.err[-3000:])
        equal(cloud.sums(), cloud.expected())
        check(len(log_lines(worker.err, "message returned to the queue")) >= 5, worker.err[-3000:])
        check("held for too long" in worker.err, worker.err[-3000:])


def test_a_signal_ends_a_hold():
    with Cloud(visibility=60) as cloud:
        fill(cloud, 5)
        cloud.proxy.rules = [dict(fault="throttle", service="monitoring", **ALWAYS)]
        with cloud.start("worker") as worker:
            check(wait_until(lambda: log_lines(worker.err, "messages are held until they "
                                               "can be counted"), 20), "nothing is held")
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            worker.stop(seconds=15)
        check(time.monotonic() - began < 12, "took", time.monotonic() - began)
        equal(worker.returncode, 143)
        stats = queue(cloud)
        equal((stats["in_flight"], stats["waiting"]), (0, 5), "all are visible at once")


def test_with_a_ledger():
    def one(rule):
        with tempfile.TemporaryDirectory() as folder:
            for cloud, worker, during, after, reached in through_an_outage(
                    dict(rule, service="monitoring", target="PutMetricData"), 8, n=20,
                    LEDGER=os.path.join(folder, "ledger.sqlite"),
                    BEDROCK_METRICS_TEST_LEASE_MS="3000", BEDROCK_METRICS_TEST_FENCE_MS="4000"):
                check(reached, rule, after, worker.err[-4000:])
                equal(cloud.sums(), cloud.expected(), rule)
                check(during["received"] <= 10, rule, "received during the outage:", during)
                check(after["received"] <= 40, rule, "at most two receives a message:", after)
                equal(set(gets(cloud).values()), {1}, "each object is read once")
    side_by_side(one, REFUSED[:1] + DOUBTFUL[:1])
