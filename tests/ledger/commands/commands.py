#!/usr/bin/env python3
"""commands.py: `ledger status`, sweep, resolve, verify, quarantine and redrive of the real program, and
the policies for requests in doubt, against the counterparts of tests/fake_aws.  Last line: N
passed, N failed."""
import fcntl
import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from support.process import BINARY                                      # noqa: E402
from support.records import BUCKET, log_key, numbered, s3_event         # noqa: E402
from support.results import Results, check, equal                       # noqa: E402
from world import World                                                 # noqa: E402
from moto_harness import MotoHarness, ensure_venv                       # noqa: E402
import own_metrics                                                      # noqa: E402
import receipts                                                         # noqa: E402


def test_sweep_finds_what_the_queue_lost():
    with World(visibility=1) as w:
        w.put_some(2)
        w.put_some(4, "lost", sent=False)
        w.do(0, "worker", "--once")
        # The counterpart's objects are all of one day.
        young = w.do(0, "ledger", "sweep", "--grace", "4000d", "--output", "json")
        equal((young["young"], young["missing"]), (6, 0))
        dry = w.do(1, "ledger", "sweep", "--grace", "0m", "--dry-run", "--output", "json")
        equal((dry["listed"], dry["done"], dry["missing"], dry["counted"]), (6, 2, 4, 0))
        equal(len(dry["objects"]), 4)
        swept = w.do(0, "ledger", "sweep", "s3://" + BUCKET, "--since", "3h", "--grace", "0m",
                     "--output", "json")
        equal((swept["missing"], swept["counted"], swept["failed"]), (4, 4, 0))
        equal(w.exact(), w.expected())
        again = w.do(0, "ledger", "sweep", "--grace", "0m", "--output", "json")
        equal((again["done"], again["missing"]), (6, 0))
        equal(w.exact(), w.expected())
        w.do(2, "ledger", "sweep", "--since", "yesterday")
        w.do(2, "ledger", "sweep", LEDGER=None)


def test_sweep_sends_what_is_missing_through_the_queue():
    with World(visibility=1) as w:
        w.put_some(1)
        w.put_some(23, "lost", sent=False)
        w.do(0, "worker", "--once")
        before = w.exact()
        # The ledger is only looked into: its owner may have it open.
        with open(w.settings["LEDGER"] + "-lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            w.do(1, "ledger", "sweep", "--grace", "0m")
            dry = w.do(1, "ledger", "sweep", "--grace", "0m", "--enqueue", "--dry-run", "--output", "json")
            equal((dry["missing"], dry["enqueued"]), (23, 0))
            sent = w.do(0, "ledger", "sweep", "--grace", "0m", "--enqueue", "--output", "json",
                        CLOUDWATCH_NAMESPACE=None)
        equal((sent["missing"], sent["enqueued"], sent["counted"]), (23, 23, 0))
        equal(w.exact(), before)
        w.do(0, "ledger", "sweep", "--grace", "0m", "--enqueue")  # twice does no harm
        w.do(0, "worker", "--once")
        equal(w.exact(), w.expected())
        equal(w.do(0, "ledger", "sweep", "--grace", "0m", "--enqueue", "--output", "json")["missing"], 0)
        w.do(2, "ledger", "sweep", "--queue", w.queue_url)
        w.do(2, "ledger", "sweep", "--enqueue", SQS_QUEUE_URL=None)
        w.do(2, "ledger", "sweep", "--enqueue", SQS_QUEUE_URL=w.queue_url + "," + w.queue_url)
        w.do(2, "ledger", "sweep", "--enqueue", "--receipt", w.folder + "/r")
        w.do(1, "ledger", "sweep", "--grace", "0m", "--enqueue", LEDGER=w.folder + "/none")


def test_worker_sweeps_by_itself():
    with World(visibility=1) as w:
        w.put_some(3, "lost", sent=False)
        log = w.do(0, "worker", "--once", SWEEP_INTERVAL="3600")
        check("SweepRecovered=3" in log, log)
        equal(w.exact(), w.expected())


def test_quarantine_and_release():
    with World(visibility=1) as w:
        bad = w.put("bad", [], content=b"\x1f\x8b\x08\x00garbage", count=False)
        w.put_some(1)
        w.send(bad)
        w.do(1, "worker", "--once")
        listed = w.do(1, "ledger", "quarantine", "list", "--output", "json")["objects"]
        equal([(o["key"], o["reason"]) for o in listed], [(bad, "corrupt")])
        w.do(0, "ledger", "quarantine", "show", listed[0]["id"])
        equal(w.do(0, "ledger", "sweep", "--grace", "0m", "--output", "json")["quarantined"], 1)
        w.put("bad", [numbered(7)])
        w.do(0, "ledger", "quarantine", "release", listed[0]["id"])
        w.do(1, "ledger", "quarantine", "release", listed[0]["id"])
        w.do(2, "ledger", "quarantine", "release", "xyz")
        equal(w.do(0, "ledger", "sweep", "--grace", "0m", "--output", "json")["counted"], 1)
        w.do(0, "ledger", "quarantine", "list")
        equal(w.exact(), w.expected())


def test_status_says_what_the_ledger_holds():
    with World(visibility=1) as w:
        w.put_some(3)
        w.do(0, "worker", "--once")
        # Also while its owner has it open.
        with open(w.settings["LEDGER"] + "-lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            idle = w.do(0, "ledger", "status", "--output", "json")
            text = w.do(0, "ledger", "status")
        equal((idle["ledger"], idle["delivery"], idle["objects"], idle["batches_open"],
               idle["requests_in_doubt"], idle["quarantined"], idle["oldest_open"]),
              (w.settings["LEDGER"], "exactly-once", 3, 0, 0, 0, None))
        equal(idle["namespace"], "Custom/BedrockMetrics")
        check(re.search(r"(?m)^objects counted +3$", text), text)
        w.put_some(1, "doubt")
        w.send(w.put("bad", [], content=b"\x1f\x8b\x08\x00garbage", count=False))
        w.cloudwatch.control({"faults": [{"kind": "not_applied", "op": "PutMetricData"}]})
        w.do(1, "worker", "--once", BEDROCK_METRICS_TEST_FENCE_MS=60000)
        busy = w.do(1, "ledger", "status", "--output", "json")
        equal((busy["batches_open"], busy["requests_in_doubt"], busy["quarantined"]), (1, 1, 1))
        check(busy["tokens_in_doubt"] > 0 and busy["oldest_open"].startswith("20"), busy)
        w.do(2, "ledger", "status", LEDGER=None)
        w.do(2, "ledger", "status", "x")
        w.do(1, "ledger", "status", LEDGER=w.folder + "/none")


def test_resolve_waits_for_the_fence():
    with World(visibility=1) as w:
        w.put_some(3)
        w.cloudwatch.control({"faults": [{"kind": "not_applied", "op": "PutMetricData"}]})
        w.do(1, "worker", "--once", BEDROCK_METRICS_TEST_FENCE_MS=60000)
        first = w.do(1, "ledger", "resolve", "--output", "json", BEDROCK_METRICS_TEST_FENCE_MS=60000)
        equal((first["open"], first["in_doubt"]),
              (1, {"requests": 1, "tokens": w.expected()["TotalTokenCount"]}))
        check(first["retry_after_seconds"] > 0)
        equal(w.exact(), {})
        time.sleep(2.1)
        for _ in range(4):
            run = w.run("ledger", "resolve", "--output", "json", **w.settings)
            if run.returncode == 0:
                break
            time.sleep(1)
        equal(w.exact(), w.expected())
        w.do(0, "ledger", "resolve")


def test_verify():
    with World(visibility=1) as w:
        w.put_some(3)
        w.do(0, "worker", "--once")
        good = w.do(0, "ledger", "verify", "--until", "0m", "--output", "json")
        check(good["points"] > 0 and good["differences"] == [], good)
        w.cloudwatch.control({"faults": [{"kind": "swallow", "op": "PutMetricData"}]})
        lost = w.put_some(2, "swallowed")
        w.do(0, "worker", "--once")
        bad = w.do(1, "ledger", "verify", "--until", "0m", "--output", "json")
        check(bad["missing"] > 0 and bad["over"] == 0, bad)
        series = [d for d in bad["differences"]
                  if d["series"]["MetricName"] == "Invocations"
                  and len(d["series"]["Dimensions"]) == 1]
        equal(sum(d["ledger"] - d["cloudwatch"] for d in series), 6)
        # Without the ledger they are added once more: as they should have been the first time.
        w.send(*lost)
        w.do(0, "worker", "--once", LEDGER=None)
        w.do(0, "ledger", "verify", "--until", "0m")
        w.send(*lost)
        w.do(0, "worker", "--once", LEDGER=None)
        over = w.do(1, "ledger", "verify", "--until", "0m", "--output", "json")
        check(over["over"] > 0 and over["missing"] == 0, over)


def soon():
    """The minute that runs, included."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))


def markers(w, status, **env):
    return w.do(status, "ledger", "verify", "--markers", "--until", soon(), "--output", "json", **env)


def test_verify_markers():
    with World(visibility=1) as w:
        w.put_some(3)
        w.do(0, "worker", "--once")
        good = markers(w, 0)
        equal((good["accepted"], good["found"], good["open"], good["others"]), (1, 1, 0, 0))
        # Accepted, and nothing of it is there.
        w.cloudwatch.control({"faults": [{"kind": "swallow", "op": "PutMetricData"}]})
        w.put_some(2, "swallowed")
        w.do(0, "worker", "--once")
        bad = markers(w, 1)
        equal((bad["accepted"], bad["found"], bad["missing"]), (2, 1, 1))
        equal([(d["fault"], d["applied"], d["part"]) for d in bad["differences"]],
              [("missing", 0, 0)])
        equal(len(bad["differences"][0]["batch"]), 32)
        text = w.do(1, "ledger", "verify", "--markers", "--until", soon())
        check("missing" in text and bad["differences"][0]["batch"] in text, text)
        equal(bad["repeated"] + bad["unknown"], 0)


def test_verify_markers_of_requests_in_doubt():
    for policy, fault in (("resend", "lost"), ("resolve", "not_applied")):
        with World(visibility=1) as w:
            w.put_some(3)
            w.cloudwatch.control({"faults": [{"kind": fault, "op": "PutMetricData"}]})
            env = {"LEDGER_POLICY": policy}
            w.run("worker", "--once",
                  **dict(w.settings, BEDROCK_METRICS_TEST_FENCE_MS=60000, **env))
            if policy == "resolve":
                first = markers(w, 0)
                equal((first["open"], first["accepted"]), (1, 0))
                time.sleep(1.1)
            for _ in range(6):
                run = w.run("ledger", "resolve", **dict(w.settings, **env))
                if run.returncode == 0:
                    break
                time.sleep(1)
            equal(run.returncode, 0, run.stderr)
            # Its request, and the one that tells of the doubt.  There, too: the first attempt where
            # it was resent, and where it was resolved the control that proves it absent.
            last = markers(w, 0)
            equal((last["accepted"], last["found"], last["others"], last["open"]), (2, 2, 1, 0),
                  policy)


def test_verify_markers_of_two_ledgers_in_one_namespace():
    with World(visibility=1) as w:
        w.put_some(1)
        w.do(0, "worker", "--once")
        for i in range(3):
            w.put_some(1, "other%d" % i)
            w.do(0, "worker", "--once", LEDGER=w.folder + "/other")
        seen = markers(w, 1)
        equal((seen["missing"], seen["repeated"] + seen["unknown"]), (0, 3), seen)
        check(seen["unknown"] >= 2, seen)
        check(all(d["batch"] is None for d in seen["differences"] if d["fault"] == "unknown"), seen)


def test_policies_deviate_by_what_they_say():
    for policy, fault, sign in (("resend", "lost", 1), ("drop", "not_applied", -1),
                                ("resend", "not_applied", 0), ("drop", "lost", 0)):
        with World(visibility=1) as w:
            w.put_some(3)
            w.cloudwatch.control({"faults": [{"kind": fault, "op": "PutMetricData"}]})
            for _ in range(6):
                run = w.run("worker", "--once", **dict(w.settings, LEDGER_POLICY=policy))
                if run.returncode == 0:
                    break
                time.sleep(1)
            delivery = {"resend": "at-least-once", "drop": "at-most-once"}[policy]
            check("delivery=" + delivery in run.stderr, run.stderr)
            done = w.do(0, "ledger", "resolve", "--output", "json")
            what = done["resent" if policy == "resend" else "dropped"]
            equal(what, {"requests": 1, "tokens": w.expected()["TotalTokenCount"]}, policy)
            equal(w.exact().get("TotalTokenCount", 0),
                  w.expected()["TotalTokenCount"] * (1 + sign), policy + " " + fault)


def test_hold_keeps_it_for_a_person():
    with World(visibility=1) as w:
        w.put_some(3)
        w.cloudwatch.control({"faults": [{"kind": "not_applied", "op": "PutMetricData"}]})
        for _ in range(4):
            run = w.run("worker", "--once", **dict(w.settings, LEDGER_POLICY="hold"))
            if run.returncode == 0:
                break
            time.sleep(1)
        equal(run.returncode, 0, run.stderr)
        w.do(1, "ledger", "resolve", LEDGER_POLICY="hold")
        for _ in range(6):
            if w.run("ledger", "resolve", "--policy", "resolve", **w.settings).returncode == 0:
                break
            time.sleep(1)
        equal(w.exact(), w.expected())


def test_identity_path_counts_replicas_once():
    with World(visibility=1) as w:
        w.settings.update(LEDGER_IDENTITY="path", S3_BUCKET_NAME=BUCKET + ",replica-bucket")
        key = w.put("a", [numbered(3)])
        w.stub.put(key, w.stub.objects[BUCKET][key][0], bucket="replica-bucket")
        w.stub.send(s3_event(key))
        w.stub.send(s3_event(key, bucket="replica-bucket"))
        w.do(0, "worker", "--once")
        equal(w.exact(), w.expected())


def test_wrong_settings_are_named():
    with World() as w:
        for name, value in (("LEDGER_POLICY", "guess"), ("LEDGER_IDENTITY", "x"),
                            ("LEDGER_TTL_DAYS", "3"), ("PUBLISHER", "emf")):
            text = w.do(2, "worker", "--once", **{name: value})
            check(name in text, text)


def test_another_namespace_is_refused_while_batches_are_open():
    with World(visibility=1) as w:
        w.put_some(1)
        w.cloudwatch.control({"faults": [{"kind": "not_applied", "op": "PutMetricData"}]})
        w.do(1, "worker", "--once", BEDROCK_METRICS_TEST_FENCE_MS=60000)
        text = w.do(2, "worker", "--once", CLOUDWATCH_NAMESPACE="Other")
        check("Custom/BedrockMetrics" in text, text)


def on_terminal(w, *words, **env):
    """What a command writes on standard error when that is a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen([BINARY, *words], env=w.env(**dict(w.settings, **env)),
                               stdout=subprocess.DEVNULL, stderr=slave, cwd="/")
    os.close(slave)
    text = b""
    try:
        while piece := os.read(master, 65536):
            text += piece
    except OSError:  # the other end is closed
        pass
    os.close(master)
    process.wait(timeout=60)
    return text.decode()


def test_progress_on_a_terminal():
    with World(visibility=1) as w:
        w.put_some(12)
        w.do(0, "worker", "--once", BATCH_SIZE=1)
        w.do(0, "worker", "--once")
        w.put_some(3, "lost", sent=False)
        w.cloudwatch.control({"faults": [{"kind": "delay", "op": "GetMetricData", "seconds": 0.4}]})
        text = on_terminal(w, "ledger", "verify", "--until", "0m")
        check(re.search(r"\r\x1b\[K\d+/\d+ series  [0-9.]+/s  [ 0-9]+ %  ETA \d+:\d\d", text),
              repr(text))
        check(text.endswith("\r\x1b[K"), "the line stays", repr(text))
        w.cloudwatch.control({"faults": [{"kind": "delay", "op": "GetMetricData", "seconds": 0.4}]})
        equal(on_terminal(w, "ledger", "verify", "--until", "0m", "--quiet"), "", "quiet")
        w.cloudwatch.control({"faults": [{"kind": "delay", "op": "PutMetricData", "seconds": 0.4}]})
        text = on_terminal(w, "ledger", "sweep", "--grace", "0m", "--log-level", "WARN")
        check(re.search(r"\r\x1b\[K\d+/15 objects  [0-9.]+/s  [ 0-9]+ %  ETA \d+:\d\d", text),
              repr(text))


def dynamodb(aws, name):
    aws.call_json("dynamodb", "DynamoDB_20120810.CreateTable", {
        "TableName": name, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]})
    return {"LEDGER": "dynamodb://" + name, "AWS_ENDPOINT_URL_DYNAMODB": aws.url}


def test_lambda_sweep_and_dynamodb():
    with MotoHarness(verify=False) as aws, World(visibility=1) as w:
        w.settings.update(dynamodb(aws, "swept"))
        w.put_some(2)
        w.put_some(3, "lost", sent=False)
        w.do(0, "worker", "--once")
        runtime, log = w.invoke({"command": "sweep", "since": "3h", "grace": "0m"},
                                {"command": "sweep", "since": "3h"}, {"command": "sweep",
                                                                      "since": "x"}, **w.settings)
        answer = json.loads(runtime.results[0]["body"])
        equal((answer["done"], answer["missing"], answer["counted"]), (2, 3, 3))
        equal([r["kind"] for r in runtime.results], ["response", "response", "error"])
        equal(w.exact(), w.expected())
        w.do(0, "ledger", "verify", "--until", "0m")
        seen = markers(w, 0)
        check(seen["accepted"] > 0 and seen["found"] == seen["accepted"], seen)
        # A second table in the same namespace has markers of its own.
        other = dynamodb(aws, "second")
        w.do(1, "ledger", "sweep", "--grace", "0m", "--dry-run", **other)
        equal(markers(w, 0, **other)["accepted"], 0)
        w.do(0, "ledger", "resolve")
        # A file cannot be shared by instances.
        run = w.run("lambda", LEDGER=w.folder + "/x", AWS_LAMBDA_RUNTIME_API="127.0.0.1:1")
        check(run.returncode in (1, 2) and "dynamodb://" in run.stderr, run.stderr)
        # A table that is not there: nothing is published, messages stay.
        before = w.exact()
        w.put("other", [numbered(1)], count=False)
        w.send(log_key("other"))
        w.do(1, "worker", "--once", LEDGER="dynamodb://nowhere")
        equal(w.exact(), before)


def test_aggregate_by_way_of_the_ledger():
    with World(visibility=1) as w:
        w.put_some(3)
        w.do(0, "worker", "--once")
        late = w.put_some(2, "late", sent=False)
        files = Path(w.folder) / "logs"
        files.mkdir()
        (files / "local.json").write_text("".join(json.dumps(numbered(n)) + "\n" for n in range(4)))
        local = [numbered(n) for n in range(4)]
        words = ("aggregate", "s3://" + BUCKET, str(files), "--output", "json", "--ledger",
                 w.settings["LEDGER"])
        seen = w.do(0, *words)
        equal((seen["objects"]["counted"], seen["objects"]["duplicate"]), (3, 3))
        equal(seen["totals"]["Invocations"], 10)
        once = w.expected()
        run = w.run(*words, "--publish", **w.settings)
        equal(run.returncode, 0, run.stderr)
        equal(json.loads(run.stdout)["totals"]["Invocations"], 10)
        check(" digest=sha256sum:" in run.stderr and "objects=3" in run.stderr, run.stderr)
        w.records += local
        equal(w.exact(), w.expected(), once)
        # Again: nothing is left; the queue's late events are duplicates.
        equal(w.do(0, *words, "--publish")["objects"]["duplicate"], 6)
        w.send(*late)
        w.do(0, "worker", "--once")
        equal(w.exact(), w.expected())
        # LEDGER holds for --publish without the option too.
        w.do(0, "aggregate", "s3://" + BUCKET, "--publish")
        equal(w.exact(), w.expected())
        w.do(2, *words, "--publish", "--since", "1h")


def test_redrive():
    with MotoHarness(verify=False) as aws, World() as w:
        urls = aws.create_pipeline("redrive-bucket", "redrive", visibility=1)
        for i in range(23):
            aws.send(urls["dead_letter_url"], "message %d" % i)
        before = aws.queue_depth(urls["queue_url"])
        env = {"AWS_ENDPOINT_URL": aws.url, "SQS_QUEUE_URL": urls["queue_url"]}
        dry = w.do(1, "ledger", "redrive", "--dry-run", "--output", "json", **env)
        equal(dry["queues"][0]["messages"], 23)
        text = on_terminal(w, "ledger", "redrive", "--output", "json", "--dry-run", **env)
        equal(text, "")  # nothing to wait for
        moved = w.do(0, "ledger", "redrive", "--output", "json", **env)
        equal((moved["queues"][0]["messages"], moved["queues"][0]["outcome"]), (23, "moved"))
        equal(aws.queue_depth(urls["dead_letter_url"]), 0)
        equal(aws.queue_depth(urls["queue_url"]) - before, 23)
        w.do(0, "ledger", "redrive", **env)


def main():
    ensure_venv()
    results = Results()
    tests = {**globals(), **vars(receipts), **vars(own_metrics)}
    results.test_all(dict(sorted(tests.items())), sys.argv[1:])
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
