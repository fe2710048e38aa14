"""One corpus, three ways through the program, the same sums to the token."""
import json
import os
import tempfile
import time
from pathlib import Path

from support.cloud import Cloud, failures
from support.process import simulate
from support.records import BUCKET, s3_event, sqs_payload
from support.results import check, equal

METRICS = ("Invocations", "InputTokenCount", "OutputTokenCount", "CacheReadInputTokenCount",
           "CacheWriteInputTokenCount", "TotalTokenCount", "InvocationClientErrors",
           "InvocationServerErrors", "InvocationThrottles")


def corpus(folder):
    """Simulated logs of the last hours, as keys and bytes."""
    start = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() - 6 * 3600))
    simulate(folder, "--start", start, "--hours", "5")
    return {str(p.relative_to(folder)): p.read_bytes()
            for p in Path(folder).rglob("*") if p.is_file()}


def published(cloud, dimensions):
    """{(values..., metric): sum} over all times."""
    out = {}
    for _, metric, names, _, points in cloud.cloudwatch.data():
        if sorted(names) == sorted(dimensions) and metric in METRICS:
            key = tuple(names[d] for d in dimensions) + (metric,)
            out[key] = out.get(key, 0) + sum(s["Sum"] for s in points.values())
    return out


def reported(cloud, source, dimensions):
    run = cloud.run("aggregate", source, "--by", ",".join(dimensions), "--output", "json")
    check(run.returncode in (0, 1), run.stderr)
    return {tuple(row[d] for d in dimensions) + (m,): row[m]
            for row in json.loads(run.stdout)["rows"] for m in METRICS if row[m]}


def test_aggregate_worker_and_lambda_agree():
    sets = (("InferenceProfileType",), ("InferenceProfileType", "ModelId"),
            ("SourceRegion", "InferenceRegion", "AccountId", "Principal"))
    env = {"METRIC_DIMENSIONS": ";".join(",".join(s) for s in sets),
           "MAX_SERIES_PER_SET": "100000", "BATCH_SIZE": "100"}
    with Cloud() as cloud, tempfile.TemporaryDirectory() as folder:
        objects = corpus(os.path.join(folder, "logs"))
        keys = sorted(objects)
        for key in keys:
            cloud.stub.put(key, objects[key])
        wanted = {s: reported(cloud, os.path.join(folder, "logs"), s) for s in sets}
        check(len(wanted[sets[1]]) > 20, "a poor corpus")
        for s in sets:
            equal(reported(cloud, "s3://" + BUCKET, s), wanted[s], "aggregate s3://")
        # Damaged objects are retried for ever: what counts is what is published.
        for key in keys:
            cloud.send(key)
        run = cloud.run("worker", "--once", **env)
        check(run.returncode in (0, 1), run.stderr[-2000:])
        for s in sets:
            equal(published(cloud, s), wanted[s], "worker, by " + ",".join(s))
        cloud.cloudwatch.control({"reset": True})
        payloads = [sqs_payload([s3_event(k) for k in keys[i:i + 50]])
                    for i in range(0, len(keys), 50)]
        runtime, _ = cloud.invoke(*payloads, **env)
        for result in runtime.results:
            failures(result)
        for s in sets:
            equal(published(cloud, s), wanted[s], "lambda, by " + ",".join(s))


def test_aggregate_publishes_beside_its_report():
    with Cloud() as cloud, tempfile.TemporaryDirectory() as folder:
        logs = os.path.join(folder, "logs")
        corpus(logs)
        words = ("aggregate", logs, "--by", "Operation,Metadata:team", "--interval", "1h",
                 "--output", "json")
        plain = cloud.run(*words)
        run = cloud.run(*words, "--publish", METRIC_DIMENSIONS="Metadata:app;SourceRegion")
        equal(run.returncode, plain.returncode, run.stderr)
        equal(json.loads(run.stdout), json.loads(plain.stdout), "the report is the same")
        equal(published(cloud, ("SourceRegion",)), reported(cloud, logs, ("SourceRegion",)))
        equal(published(cloud, ("Metadata:app",)), reported(cloud, logs, ("Metadata:app",)))
        cloud.proxy.rules = [{"target": "PutMetricData", "fault": "denied", "count": -1}]
        run = cloud.run(*words, "--publish")
        equal(run.returncode, 1)
        check("publishing failed" in run.stderr and "AccessDenied" in run.stderr, run.stderr)
        run = cloud.run(*words, "--publish", METRIC_RESOLUTION="3000")
        equal(run.returncode, 2)
        run = cloud.run(*words, "--publish", "--dry-run")
        equal(run.returncode, plain.returncode, "nothing is sent")
