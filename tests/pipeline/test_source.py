"""aggregate s3://...: the same answer as from a folder, with little listed."""
import gzip
import json
import tempfile
import time
from pathlib import Path

from support.cloud import Cloud
from support.records import BUCKET, log_key, log_object, numbered, sums_of
from support.results import check, equal

HOUR = 3600
FOLDER = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/"


def listings(cloud):
    return sum(1 for e in cloud.proxy.log if e["path"] and "list-type=2" in e["path"])


def document(run):
    equal(run.returncode, 0, run.stderr)
    return json.loads(run.stdout)


def test_same_as_from_a_folder():
    with Cloud() as cloud, tempfile.TemporaryDirectory() as folder:
        for i in range(30):
            at = time.time() - i * HOUR
            key = log_key("o%d" % i, at)
            records = [numbered(10 * i + j, at=at - 60) for j in range(4)]
            cloud.put("", records, key=key)
            path = Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(log_object(records))
        for words in ((), ("--interval", "1h", "--by", "SourceRegion,Operation"),
                      ("--since", "20h", "--until", "3h")):
            local = document(cloud.run("aggregate", folder, "--output", "json", *words))
            remote = document(cloud.run("aggregate", "s3://" + BUCKET, "--output", "json", *words))
            equal(remote["rows"], local["rows"], words)
            equal(remote["totals"], local["totals"])
        equal(remote["objects"]["failed"], 0)
        total = document(cloud.run("aggregate", "s3://" + BUCKET, "--output", "json"))["totals"]
        for metric, value in cloud.expected().items():
            equal(total[metric], value, metric)


def test_covered_twice_counts_once():
    with Cloud() as cloud:
        for i in range(5):
            cloud.put("o%d" % i, [numbered(i)])
        got = document(cloud.run("aggregate", "s3://" + BUCKET, "s3://%s/AWSLogs/" % BUCKET,
                                 "--output", "json"))
        equal(got["totals"]["Invocations"], 5)
        equal(got["objects"]["duplicate"], 5)


def test_times_list_little():
    with Cloud() as cloud:
        now = int(time.time())
        now -= now % HOUR
        wanted = []
        for account in ("111111111111", "222222222222"):
            for region in ("us-east-1", "eu-west-1"):
                for hour in range(120):
                    at = now - hour * HOUR
                    folder = time.strftime("logs/AWSLogs/%s/BedrockModelInvocationLogs/%s/"
                                           "%%Y/%%m/%%d/%%H/" % (account, region),
                                           time.gmtime(at))
                    for i in range(20):
                        late = at - 60 if i % 2 else at + 60  # written an hour after, or at once
                        r = numbered(i, at=late)
                        cloud.put("", [], key=folder + "%d.json.gz" % i, content=log_object([r]),
                                  count=False)
                        if now - 50 * HOUR <= late < now - 48 * HOUR:
                            wanted.append(r)
            for i in range(3000):
                cloud.stub.put("logs/AWSLogs/%s/CloudTrail/us-east-1/2026/11/01/%d" % (account, i),
                               b"{}")
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 50 * HOUR))
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 48 * HOUR))
        got = document(cloud.run("aggregate", "s3://" + BUCKET, "--since", since, "--until", until,
                                 "--output", "json"))
        for metric, value in sums_of(wanted).items():
            equal(got["totals"][metric], value, metric)
        # 15,600 keys are 16 pages; of 480 hour folders only a few are read.
        check(listings(cloud) <= 14, "listings", listings(cloud))
        check(gets(cloud) <= 4 * 20 * 6, "objects read", gets(cloud))


def gets(cloud):
    return sum(1 for e in cloud.proxy.log if e["path"] and ".json.gz" in e["path"])


def test_publishing_by_a_ledger_reads_once():
    with Cloud() as cloud, tempfile.TemporaryDirectory() as folder:
        now = int(time.time())
        for i in range(5):
            cloud.put("o%d" % i, [numbered(10 * i + j, at=now - 60) for j in range(3)])
        words = ("aggregate", "s3://" + BUCKET, "--publish", "--ledger", folder + "/l.sqlite",
                 "--output", "json", "--receipt", folder + "/receipt.json", "--jobs", "2")
        got = document(cloud.run(*words))
        equal(gets(cloud), 5, "GETs of 5 objects")
        equal(cloud.sums(), cloud.expected())
        for metric, value in cloud.expected().items():
            equal(got["totals"][metric], value, metric)
        equal({k: got["objects"][k] for k in ("found", "counted", "duplicate", "failed")},
              {"found": 5, "counted": 5, "duplicate": 0, "failed": 0})
        equal((got["records"]["found"], got["records"]["counted"]), (15, 15))
        receipt = json.loads(Path(folder, "receipt.json").read_text())
        equal(receipt["digest"]["objects"], 5)
        equal(receipt["sums"]["Invocations"], 15)
        # Again: all is counted, so nothing is read, reported or published.
        got = document(cloud.run(*words))
        equal(gets(cloud), 5, "GETs of objects that are counted")
        equal((got["objects"]["duplicate"], got["totals"]["Invocations"]), (5, 0))
        equal(cloud.sums(), cloud.expected())


def test_standard_input_is_reported_and_not_published_by_a_ledger():
    with Cloud() as cloud, tempfile.TemporaryDirectory() as folder:
        now = int(time.time())
        cloud.put("o", [numbered(1, at=now - 60)])
        path = Path(folder, "in.json.gz")
        path.write_bytes(log_object([numbered(2, at=now - 60)]))
        with path.open("rb") as stdin:
            run = cloud.run("aggregate", "-", "s3://" + BUCKET, "--publish", "--ledger",
                            folder + "/l.sqlite", "--output", "json", stdin=stdin)
        got = document(run)
        equal((got["objects"]["counted"], got["totals"]["Invocations"]), (2, 2))
        equal(cloud.sums(), cloud.expected())


def test_cut_connections_are_resumed():
    with Cloud() as cloud:
        records = [numbered(i) for i in range(3000)]
        body = gzip.compress("".join(json.dumps(r) + "\n" for r in records).encode(), 1)
        cloud.put("big", records, content=body)
        cloud.proxy.rules = [{"method": "GET", "path": "big", "fault": "cut", "at": 30000,
                              "how": "rst", "count": 3}]
        got = document(cloud.run("aggregate", "s3://" + BUCKET, "--output", "json"))
        equal(got["totals"]["InputTokenCount"], cloud.expected()["InputTokenCount"])
        equal(sum(1 for e in cloud.proxy.log if e["fault"] == "cut"), 3)


def test_faults_are_named():
    with Cloud() as cloud:
        good = cloud.put("good", [numbered(1)])
        run = cloud.run("aggregate", "s3://no-such-bucket", "s3://" + BUCKET, "--output", "json")
        equal(run.returncode, 1)
        check("s3://no-such-bucket" in run.stderr, run.stderr)
        equal(json.loads(run.stdout)["totals"]["Invocations"], 1)
        cloud.proxy.rules = [{"path": "list-type", "fault": "denied", "count": -1}]
        run = cloud.run("aggregate", "s3://" + BUCKET)
        equal(run.returncode, 1)
        check("AccessDenied" in run.stderr and BUCKET in run.stderr, run.stderr)
        cloud.proxy.rules = [{"path": "good", "fault": "denied", "count": -1}]
        run = cloud.run("aggregate", "s3://" + BUCKET)
        equal(run.returncode, 1)
        check("AccessDenied" in run.stderr and good in run.stderr, run.stderr)
        run = cloud.run("aggregate", "s3://Not_A_Bucket/x")
        equal(run.returncode, 2)
        check("s3://Not_A_Bucket/x" in run.stderr, run.stderr)


def test_a_stuck_s3_is_named_while_it_is_waited_for():
    with Cloud() as cloud:
        cloud.put("a", [numbered(1)])
        cloud.proxy.rules = [{"fault": "hang", "seconds": 60, "service": "s3", "count": 1}]
        with cloud.start("aggregate", "s3://%s/" % BUCKET, "--output", "json") as run:
            run.wait_for_line("no answer from AWS, the request is repeated", 40)
            equal(run.wait(40), 0, run.err)
        equal(json.loads(run.out)["totals"]["Invocations"], 1)
