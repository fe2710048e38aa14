"""enqueue: existing objects through the queue, resumed where it stopped."""
import json
import os
import signal
import tempfile
import time

from support.cloud import Cloud
from support.records import BUCKET, log_key, numbered
from support.results import check, equal


def bodies(cloud):
    return [json.loads(m[0]) for m in cloud.stub.queues["bedrock-logs"].waiting]


def keys_of(cloud):
    from urllib.parse import unquote_plus
    return [unquote_plus(r["s3"]["object"]["key"]) for b in bodies(cloud) for r in b["Records"]]


def test_backfill_through_the_queue():
    with Cloud() as cloud:
        for i in range(23):
            cloud.put("o%02d" % i, [numbered(i)])
        cloud.stub.put(log_key("x").replace("x.json.gz", "data/y_input.json.gz"), b"body")
        cloud.stub.put("amazon-bedrock-logs-permission-check", b"")
        run = cloud.run("enqueue", "s3://" + BUCKET)
        equal(run.returncode, 0, run.stderr)
        check("25 found = 23 sent in 23 messages + 2 skipped + 0 too old" in run.stdout,
              run.stdout)
        run = cloud.run("worker", "--once")
        equal(run.returncode, 0, run.stderr)
        equal(cloud.sums(), cloud.expected())


def test_prefix_times_and_odd_keys():
    with Cloud() as cloud:
        odd = log_key("a+b c%20=\u00e9&x")
        cloud.put("", [numbered(1)], key=odd)
        cloud.put("", [numbered(2)], key="other/" + odd, count=False)
        run = cloud.run("enqueue", "s3://%s/AWSLogs/" % BUCKET, "--per-message", "10")
        equal(run.returncode, 0, run.stderr)
        equal(keys_of(cloud), [odd])
        equal(cloud.run("worker", "--once").returncode, 0)
        equal(cloud.sums(), cloud.expected())
        hours_ago = time.time() - 6 * 3600
        cloud.put("", [], key=log_key("early", hours_ago), count=False)
        run = cloud.run("enqueue", "s3://" + BUCKET, "--until", "5h", "--since", "8h")
        equal(keys_of(cloud), [log_key("early", hours_ago)])


def test_state_resumes():
    with Cloud(total=5000, records=1) as cloud, tempfile.TemporaryDirectory() as folder:
        cloud.stub.queues["bedrock-logs"].__init__("bedrock-logs")
        state = os.path.join(folder, "state.json")
        words = ("enqueue", "s3://" + BUCKET, "--state", state)
        cloud.proxy.rules = [{"target": "SendMessageBatch", "fault": "delay", "seconds": 0.02,
                              "count": -1}]
        process = cloud.start(*words)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        equal(process.wait(15), 130, process.err)
        first = len(keys_of(cloud))
        check(0 < first < 5000, first)
        equal(json.load(open(state))["complete"], False)
        cloud.proxy.rules = []
        run = cloud.run(*words)
        equal(run.returncode, 0, run.stderr)
        sent = keys_of(cloud)
        equal(sorted(set(sent)), [cloud.stub.synthetic.key(i) for i in range(5000)])
        check(len(sent) <= 5100, "sent again:", len(sent) - 5000)
        equal(json.load(open(state))["complete"], True)
        run = cloud.run(*words)
        check("0 found" in run.stdout, run.stdout)
        run = cloud.run("enqueue", "s3://another-bucket", "--state", state)
        equal(run.returncode, 2)


def test_a_send_that_fails_stops_before_the_state():
    with Cloud(total=1000, records=1) as cloud, tempfile.TemporaryDirectory() as folder:
        cloud.stub.queues["bedrock-logs"].__init__("bedrock-logs")
        state = os.path.join(folder, "state.json")
        cloud.proxy.rules = [{"target": "SendMessageBatch", "fault": "denied", "skip": 35,
                              "count": -1}]
        run = cloud.run("enqueue", "s3://" + BUCKET, "--state", state)
        equal(run.returncode, 1, run.stderr)
        check("SendMessageBatch" in run.stderr and "AccessDenied" in run.stderr, run.stderr)
        cloud.proxy.rules = []
        equal(cloud.run("enqueue", "s3://" + BUCKET, "--state", state).returncode, 0)
        equal(sorted(set(keys_of(cloud))), [cloud.stub.synthetic.key(i) for i in range(1000)])


def test_usage():
    with Cloud() as cloud:
        for words, named in ((["s3://Bad_Bucket"], "Bad_Bucket"), ([], "s3://"),
                            (["/tmp"], "/tmp"), (["s3://b-c", "--per-message", "0"], '"0"'),
                            (["s3://b-c", "--since", "soon"], "soon"),
                            (["s3://b-c", "--queue", "nowhere"], "nowhere")):
            run = cloud.run("enqueue", *words)
            equal(run.returncode, 2, words)
            check(named in run.stderr, named, run.stderr)
        run = cloud.run("enqueue", "s3://no-such-bucket")
        equal(run.returncode, 1, run.stderr)
        check("no-such-bucket" in run.stderr or "NoSuchBucket" in run.stderr
              or "HeadBucket" in run.stderr, run.stderr)


def test_old_objects_are_named():
    with Cloud() as cloud:
        cloud.put("", [numbered(1)], key=log_key("new"))
        old = time.time() - 15 * 86400
        cloud.put("", [], key=log_key("old", old), count=False)
        run = cloud.run("enqueue", "s3://" + BUCKET)
        equal(run.returncode, 0)
        equal(keys_of(cloud), [log_key("new")])
        check("1 too old" in run.stdout and "aggregate" in run.stderr, run.stdout, run.stderr)
        cloud.run("enqueue", "s3://" + BUCKET, "--all", "--dry-run")
        equal(len(keys_of(cloud)), 1)
        cloud.run("enqueue", "s3://" + BUCKET, "--all")
        equal(len(keys_of(cloud)), 3)
