"""The whole pipeline on this machine, against an emulator of AWS (moto, from PyPI, in build/venv).

usage: demo-aws.py BUILD          BUILD: the folder with bedrock-metrics and bedrock-logs-sim

Simulated logs of the last hours are uploaded to a bucket that notifies a queue, `bedrock-metrics
worker --once` counts them and publishes to CloudWatch, and boto3 reads the sums back and prints them
next to those the simulator expects.  Exit status 0: they are equal.
"""
import collections
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fake_aws"))
sys.dont_write_bytecode = True
from moto_harness import MotoHarness, ensure_venv      # noqa: E402

BUCKET, QUEUE, NAMESPACE = "bedrock-logs-demo", "bedrock-log-events", "Custom/BedrockMetrics"
METRICS = ("Invocations", "InputTokenCount", "OutputTokenCount", "TotalTokenCount")

READ_BACK = """
import boto3, collections, datetime, json, os, sys
cloudwatch = boto3.client("cloudwatch", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
now = datetime.datetime.now(datetime.timezone.utc)
out, seen = collections.Counter(), set()
for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=sys.argv[1]):
    for metric in page["Metrics"]:
        names = [d["Name"] for d in metric["Dimensions"]]
        if names != ["InferenceProfileType"] or metric["MetricName"] not in sys.argv[2:]:
            continue
        key = metric["Dimensions"][0]["Value"] + " " + metric["MetricName"]
        if key in seen:  # the emulator lists a metric more than once
            continue
        seen.add(key)
        answer = cloudwatch.get_metric_statistics(
            Namespace=sys.argv[1], MetricName=metric["MetricName"],
            Dimensions=metric["Dimensions"], Period=3600, Statistics=["Sum"],
            StartTime=now - datetime.timedelta(days=1), EndTime=now + datetime.timedelta(hours=3))
        for point in answer["Datapoints"]:
            out[key] += int(point["Sum"])
print(json.dumps(out))
"""


def say(text):
    print(text, flush=True)


def simulate(build, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() - 4 * 3600))
    subprocess.run([str(build / "bedrock-logs-sim"), "--out", str(folder / "logs"), "--expected",
                    str(folder / "expected.json"), "--start", start, "--hours", "3", "--records",
                    "1500"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    expected = collections.Counter()
    for row in json.loads((folder / "expected.json").read_text())["rows"]:
        for metric in METRICS:
            expected[row["InferenceProfileType"] + " " + metric] += row[metric]
    return {k: v for k, v in expected.items() if v}


def upload(aws, logs):
    files = [p for p in sorted(logs.rglob("*")) if p.is_file()]
    for path in files:
        aws.put_object(BUCKET, path.relative_to(logs).as_posix(), path.read_bytes())
    return len(files)


def show(got, expected):
    say("")
    say("%-18s %-16s %16s %16s" % ("profile type", "metric", "CloudWatch", "expected"))
    same = True
    for key in sorted(set(got) | set(expected)):
        kind, metric = key.split(" ")
        mark = "" if got.get(key, 0) == expected.get(key, 0) else "   DIFFERS"
        same = same and not mark
        say("%-18s %-16s %16d %16d%s" % (kind, metric, got.get(key, 0), expected.get(key, 0),
                                         mark))
    return same


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release").resolve()
    folder = ROOT / "build" / "demo-aws"
    say("emulator: moto in build/venv (installed from PyPI if needed)")
    venv = ensure_venv(ROOT / "build" / "venv")
    expected = simulate(build, folder)
    with MotoHarness(venv) as aws:
        urls = aws.create_pipeline(BUCKET, QUEUE)
        say("bucket s3://%s notifies queue %s" % (BUCKET, QUEUE))
        began = time.monotonic()
        say("uploaded %d simulated objects in %.1f s" % (upload(aws, folder / "logs"),
                                                        time.monotonic() - began))
        env = dict(os.environ, **aws.env())
        env.update({"S3_BUCKET_NAME": BUCKET, "SQS_QUEUE_URL": urls["queue_url"],
                    # The emulator adds series that have more dimensions than asked for, so no two
                    # sets share one here.
                    "METRIC_DIMENSIONS": "InferenceProfileType;ModelId,SourceRegion",
                    "CLOUDWATCH_NAMESPACE": NAMESPACE, "BATCH_SIZE": "100", "FLUSH_INTERVAL": "2",
                    "NO_COLOR": "1"})
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            env[name] = str(folder / "no-such-file")
        command = [str(build / "bedrock-metrics"), "worker", "--once"]
        say("$ bedrock-metrics worker --once")
        began = time.monotonic()
        run = subprocess.run(command, env=env, cwd=str(folder), stderr=subprocess.PIPE, text=True)
        for line in run.stderr.splitlines():
            if "text skipped" not in line:
                say("  " + line[:200])
        say("worker: exit status %d after %.1f s" % (run.returncode, time.monotonic() - began))
        read = subprocess.run([str(venv / "bin" / "python"), "-c", READ_BACK, NAMESPACE, *METRICS],
                              env=env, check=True, capture_output=True, text=True)
        same = show(json.loads(read.stdout), expected)
    say("")
    say("the sums in CloudWatch match the expected ones" if same else "the sums differ")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
