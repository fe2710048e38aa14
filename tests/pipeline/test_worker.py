"""The queue worker: draining, stopping, several queues, what it shows of itself."""
import http.client
import json
import os
import signal
import tempfile
import time

from support import slow_clients
from support.cloud import Cloud
from support.process import log_lines, wait_until
from support.records import BUCKET, log_key, numbered, s3_event
from support.results import check, equal


def get(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body, answer.getheader("Content-Type")


def queue(cloud):
    return cloud.stub.stats()["queues"]["bedrock-logs"]


def test_once_drains_and_exits():
    with Cloud() as cloud:
        for i in range(25):
            cloud.send(cloud.put("o%d" % i, [numbered(7 * i + j) for j in range(3)]))
        run = cloud.run("worker", "--once")
        equal(run.returncode, 0, run.stderr)
        equal(cloud.sums(), cloud.expected())
        stats = queue(cloud)
        equal((stats["deleted"], stats["waiting"], stats["in_flight"]), (25, 0, 0))
        equal(log_lines(run.stderr, "worker ended")[0]["messages"], "25")
        equal(len(cloud.cloudwatch.log), 3, "three rounds of ten")


def test_bad_messages_come_back_later():
    with Cloud() as cloud:
        cloud.send(cloud.put("good", [numbered(1)]))
        cloud.send(cloud.put("corrupt", [], content=b"\x1f\x8b\x08", count=False))
        cloud.send(log_key("x"), bucket="foreign")
        cloud.stub.send("{}")
        cloud.send(log_key("gone"))
        run = cloud.run("worker", "--once")
        equal(run.returncode, 1, run.stderr)
        equal(cloud.sums(), cloud.expected())
        stats = queue(cloud)
        equal((stats["deleted"], stats["in_flight"]), (2, 3))
        check("foreign" in run.stderr and "S3_BUCKET_NAME" in run.stderr, run.stderr)


def four_messages(cloud):
    """A good one; a foreign bucket; good and corrupt; one that is gone: five objects."""
    keys = {"good": cloud.put("good", [numbered(1)]),
            "foreign": log_key("foreign"),
            "beside": cloud.put("beside", [numbered(2)], count=False),
            "corrupt": cloud.put("corrupt", [], content=b"\x1f\x8b\x08\x00garbage", count=False),
            "gone": log_key("gone")}
    cloud.send(keys["good"])
    cloud.send(keys["foreign"], bucket="foreign")
    cloud.send(keys["beside"], keys["corrupt"])
    cloud.send(keys["gone"])
    return keys


def json_lines(text, message):
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line["message"] == message]


def test_the_same_outcomes_with_and_without_a_ledger():
    seen = {}
    for ledger in (False, True):
        with Cloud() as cloud, tempfile.TemporaryDirectory() as folder:
            keys = four_messages(cloud)
            run = cloud.run("worker", "--once", "--log-format", "json",
                            LEDGER=os.path.join(folder, "ledger.sqlite") if ledger else None)
            equal(run.returncode, 1, run.stderr)
            names = {key: name for name, key in keys.items()}
            rounds = json_lines(run.stderr, "round")
            total = {key: sum(line[key] for line in rounds) for key in
                     ("messages", "returned", "objects", "duplicates", "objects_skipped",
                      "objects_failed")}
            equal(total, {"messages": 4, "returned": 2, "objects": 1 + ledger, "duplicates": 0,
                          "objects_skipped": 1, "objects_failed": 3 - ledger}, "ledger %s" % ledger)
            failed = {names[line["object"]]: line for line in
                      json_lines(run.stderr, "object failed")}
            equal(sorted(failed), ["beside", "corrupt", "foreign"][ledger:], run.stderr)
            equal(failed["foreign"]["bucket"], "foreign")
            check("S3_BUCKET_NAME" in failed["foreign"]["reason"], failed["foreign"])
            equal(failed["corrupt"]["status"], "bad_item")
            if not ledger:
                equal(failed["beside"]["reason"], "returned_with_message")
                equal(failed["beside"]["messageId"], failed["corrupt"]["messageId"])
            missing, = json_lines(run.stderr, "object missing")
            equal((missing["object"], missing["bucket"]), (keys["gone"], BUCKET))
            returned = json_lines(run.stderr, "message returned to the queue")
            equal(sorted(line["messageId"] for line in returned),
                  sorted(failed[name]["messageId"] for name in ("corrupt", "foreign")))
            check(missing["messageId"] not in [line["messageId"] for line in returned], missing)
            equal(queue(cloud)["deleted"], 2)
            # The same lines, but for the one object that a ledger counts on its own.
            shapes = {(line["message"], line["level"], tuple(sorted(line)))
                      for line in map(json.loads, run.stderr.splitlines())
                      if line["message"].startswith(("object failed", "object missing",
                                                     "message returned"))
                      and line.get("reason") != "returned_with_message"}
            seen[ledger] = shapes
    equal(seen[True], seen[False])


def test_several_queues():
    with Cloud() as cloud:
        from sqs_s3_stub import Queue
        cloud.stub.queues["second"] = Queue("second")
        second = cloud.queue_url.replace("bedrock-logs", "second")
        for i in range(6):
            key = cloud.put("o%d" % i, [numbered(i)])
            cloud.stub.send(s3_event(key), queue="second" if i % 2 else "bedrock-logs")
        run = cloud.run("worker", "--once", SQS_QUEUE_URL=cloud.queue_url + ", " + second)
        equal(run.returncode, 0, run.stderr)
        equal(cloud.sums(), cloud.expected())
        # A queue that is not there fails the run, and the other one is drained all the same.
        cloud.send(cloud.put("more", [numbered(50)]))
        run = cloud.run("worker", "--once",
                        SQS_QUEUE_URL=cloud.queue_url + "," + second.replace("second", "third"))
        equal(run.returncode, 1, run.stderr)
        equal(cloud.sums(), cloud.expected())
        check("third" in run.stderr, run.stderr)


def test_flush_interval_holds_and_publishes():
    with Cloud() as cloud:
        process = cloud.start("worker", FLUSH_INTERVAL="2", BATCH_SIZE="1000")
        try:
            cloud.send(cloud.put("a", [numbered(1)]))
            time.sleep(0.7)
            equal(len(cloud.cloudwatch.log), 0, "published before the interval was over")
            cloud.send(cloud.put("b", [numbered(2)]))
            check(wait_until(lambda: len(cloud.cloudwatch.log) == 1, 5), "not published")
            equal(cloud.sums(), cloud.expected(), "both in one round")
        finally:
            status = process.stop(seconds=15)
        equal(status, 143, process.err)
        check(wait_until(lambda: queue(cloud)["deleted"] == 2, 1), queue(cloud))


def test_signal_in_a_long_poll():
    with Cloud() as cloud:
        for number in (signal.SIGTERM, signal.SIGINT):
            before = queue(cloud).get("receives", 0)
            process = cloud.start("worker")
            check(wait_until(lambda: queue(cloud).get("receives", 0) > before))
            began = time.monotonic()
            process.send_signal(number)
            equal(process.wait(15), 128 + number, process.err)
            check(time.monotonic() - began < 2, "took", time.monotonic() - began)


def test_signal_while_reading_gives_back_the_rest():
    with Cloud() as cloud:
        for i in range(10):
            cloud.send(cloud.put("o%d" % i, [numbered(i)], count=False))
        cloud.proxy.rules = [{"method": "GET", "fault": "hang", "seconds": 20, "count": -1,
                              "skip": 4}]
        process = cloud.start("worker")
        check(wait_until(lambda: cloud.stub.stats()["s3"].get("GET", 4) >= 4
                       and len([e for e in cloud.proxy.log if e["fault"] == "hang"]) >= 1))
        began = time.monotonic()
        process.stop(seconds=20)
        took = time.monotonic() - began
        equal(process.returncode, 143, process.err)
        check(took < 10, "took", took)
        stats = queue(cloud)
        # What was read is published and deleted, the rest is visible again at once.
        equal(stats["deleted"] + stats["waiting"], 10, stats)
        equal(cloud.sums().get("Invocations", 0), stats["deleted"])


def test_second_signal_ends_at_once():
    with Cloud() as cloud:
        cloud.send(cloud.put("o", [numbered(1)], count=False))
        cloud.proxy.rules = [{"target": "PutMetricData", "fault": "hang", "seconds": 30}]
        process = cloud.start("worker")
        check(wait_until(lambda: any(e["fault"] == "hang" for e in cloud.proxy.log)))
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        check(process.poll() is None, "did not wait for the request")
        equal(process.stop(seconds=3), 143)


def test_heartbeat_keeps_messages_invisible():
    with Cloud(visibility=2) as cloud:
        cloud.send(cloud.put("slow", [numbered(1)]))
        cloud.proxy.rules = [{"method": "GET", "fault": "delay", "seconds": 6}]
        run = cloud.run("worker", "--once")
        equal(run.returncode, 0, run.stderr)
        equal(cloud.sums(), cloud.expected())
        stats = queue(cloud)
        equal((stats["received"], stats["deleted"]), (1, 1))
        check(stats["visibility_changes"] >= 4, stats)


def test_listen():
    with Cloud() as cloud:
        process = cloud.start("worker", "--listen", "127.0.0.1:0", "--allow-host",
                              "worker.svc.example")
        port = int(process.wait_for_line(r"port=(\d+)").group(1))
        try:
            cloud.send(cloud.put("o", [numbered(1), numbered(2)]))
            check(wait_until(lambda: queue(cloud).get("deleted") == 1))
            time.sleep(0.2)
            equal(get(port, "/healthz")[:2], (200, "ok\n"))
            status, text, kind = get(port, "/metrics")
            equal(status, 200)
            check(kind.startswith("application/openmetrics-text"), kind)
            check(text.endswith("# EOF\n"), text[-100:])
            labels = '{queue="bedrock-logs",region="us-east-1"}'
            for name, value in (("messages_total", 1), ("messages_deleted_total", 1),
                                ("objects_counted_total", 1), ("records_counted_total", 2),
                                ("tokens_total", cloud.expected()["TotalTokenCount"]),
                                ("in_doubt_publishes_total", 0)):
                check("bedrock_metrics_%s%s %d\n" % (name, labels, value) in text, name, text)
            equal(get(port, "/nothing")[0], 404)
            equal(get(port, "/metrics", "DELETE")[0], 405)
            equal(get(port, "/metrics", "HEAD")[1], "")
            for host, status in (("evil.example", 403), ("worker", 200), ("10.1.2.3:9090", 200),
                                 ("worker.svc.example:9090", 200)):
                request = f"GET /metrics HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()
                answer, _ = slow_clients.ask(port, request)
                equal(answer[9:12], b"%d" % status, host)
            slow_clients.check_too_much(port)
            slow_clients.check_slow(port, b'/metrics')
        finally:
            process.stop(seconds=15)
        run = cloud.run("worker", "--once", "--listen", "localhost:1x")
        equal(run.returncode, 2)
        check("localhost:1x" in run.stderr, run.stderr)


def test_wrong_configuration():
    with Cloud() as cloud:
        for name, value, named in (("SQS_QUEUE_URL", None, "SQS_QUEUE_URL"),
                                  ("SQS_QUEUE_URL", "ftp://x/1/q", "ftp://x/1/q"),
                                  ("S3_BUCKET_NAME", None, "S3_BUCKET_NAME"),
                                  ("BATCH_SIZE", "0", '"0"'),
                                  ("BATCH_SIZE", "ten", '"ten"'),
                                  ("FLUSH_INTERVAL", "-1", '"-1"'),
                                  ("METRIC_DIMENSIONS", "ModelId;ModelId", "twice"),
                                  ("LOG_LEVEL", "LOUD", "LOUD")):
            run = cloud.run("worker", "--once", **{name: value})
            equal(run.returncode, 2, name)
            check(named in run.stderr, name, run.stderr)
        equal(cloud.proxy.log, [], "something was sent")


def test_denied_in_turn():
    """Each IAM action denied: a clear error that names it, and nothing lost or doubled."""
    with Cloud(visibility=300) as cloud:
        for rule, named, exit_status in (
                ({"target": "ReceiveMessage"}, "ReceiveMessage", 1),
                ({"target": "GetQueueAttributes"}, "GetQueueAttributes", 0),
                ({"method": "GET", "path": "AWSLogs"}, "GetObject", 1),
                ({"target": "PutMetricData"}, "PutMetricData", 1),
                ({"target": "DeleteMessageBatch"}, "DeleteMessageBatch", 1)):
            cloud.cloudwatch.control({"reset": True})
            cloud.stub.queues["bedrock-logs"].__init__("bedrock-logs", visibility=300)
            cloud.records = []
            cloud.send(cloud.put("o", [numbered(1)]))
            cloud.proxy.rules = [dict(rule, fault="denied", count=-1)]
            run = cloud.run("worker", "--once")
            equal(run.returncode, exit_status, named + "\n" + run.stderr)
            check(named in run.stderr and "AccessDenied" in run.stderr, named, run.stderr)
            published = named in ("GetQueueAttributes", "DeleteMessageBatch")
            equal(cloud.sums(), cloud.expected() if published else {}, named)
            equal(queue(cloud).get("deleted", 0), 1 if named == "GetQueueAttributes" else 0, named)


def test_env_file_and_flags():
    with Cloud() as cloud:
        path = "/tmp/pipeline-%d.env" % os.getpid()
        with open(path, "w") as file:
            file.write("# settings\nSQS_QUEUE_URL=%s\nMETRIC_DIMENSIONS='SourceRegion'\n"
                       % cloud.queue_url)
        try:
            cloud.send(cloud.put("o", [numbered(1)]))
            run = cloud.run("worker", "--once", "--env-file", path, "--bucket", BUCKET,
                            "--log-format", "json", SQS_QUEUE_URL=None, S3_BUCKET_NAME=None)
            equal(run.returncode, 0, run.stderr)
            equal(cloud.sums(("SourceRegion",)), cloud.expected())
            check(all(json.loads(line) for line in run.stderr.splitlines()))
        finally:
            os.unlink(path)
