"""What dashboard and plan say of the default is what the worker really publishes: every widget shows
something, and every metric that will be paid for is counted."""
import collections
import json
import os
import re
import tempfile

from support.cloud import NAMESPACE, Cloud
from support.records import log_object, numbered
from support.results import check, equal

SEARCH = re.compile(r"""SEARCH\('\{"([^"]*)",([A-Za-z,]+)\} MetricName="(\w+)"'""")


def asked_by(body):
    """(namespace, dimensions, metric) of every SEARCH, and of every metric of the namespace."""
    found = set()
    for widget in body["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[-1], dict) and "expression" in metric[-1]:
                for space, names, name in SEARCH.findall(metric[-1]["expression"]):
                    found.add((space, tuple(sorted(names.split(","))), name))
            elif metric[0] == NAMESPACE:
                found.add((metric[0], (), metric[1]))
    return found


def test_widgets_show_what_is_published():
    kinds = ("ThrottlingException", "InternalServerException", "ValidationException")
    for sets in (None, "InferenceProfileType,ModelId;SourceRegion,InferenceRegion"):
        env = {"METRIC_DIMENSIONS": sets}
        with Cloud(visibility=1) as cloud:
            records = [numbered(4), numbered(5, model="us.nobody.has-a-price-v1:0")]
            records += [numbered(6, errorCode=kind) for kind in kinds]
            cloud.send(cloud.put("o", records))
            cloud.send(cloud.put("p", [numbered(7)]))
            # A request that was applied and whose answer was lost is in doubt.
            cloud.proxy.add({"target": "PutMetricData", "fault": "rst_after"})
            cloud.run("worker", "--once", BATCH_SIZE="1", **env)
            cloud.run("worker", "--once", **env)
            published = {(space, tuple(sorted(dimensions)), metric)
                         for space, metric, dimensions, _, _ in cloud.cloudwatch.data()}
            run = cloud.run("dashboard", "--region", "us-east-1", **env)
            equal(run.returncode, 0, run.stderr)
            asked = asked_by(json.loads(run.stdout))
            check(len(asked) > 15, asked)
            equal(asked - published, set(), "asked for and not published")
            equal({name for _, _, name in published} - {name for _, _, name in asked}, set(),
                  "published and on no widget")


def test_plan_counts_what_is_published():
    for metrics in (None, "Invocations,EstimatedCost", "TotalTokenCount"):
        env = {"METRICS": metrics, "METRIC_DIMENSIONS": "InferenceProfileType;SourceRegion,ModelId"}
        with Cloud() as cloud, tempfile.TemporaryDirectory() as folder:
            records = [numbered(n) for n in (1, 4, 15)]
            records += [numbered(5, model="us.nobody.has-a-price-v1:0"),
                        numbered(6, errorCode="ThrottlingException", region="eu-west-1"),
                        numbered(7, model="amazon.nova-lite-v1:0", region="eu-west-1")]
            cloud.send(cloud.put("o", records))
            run = cloud.run("worker", "--once", **env)
            equal(run.returncode, 0, run.stderr)
            published = collections.Counter(
                (tuple(sorted(dimensions)), metric)
                for space, metric, dimensions, _, _ in cloud.cloudwatch.data())
            path = os.path.join(folder, "o.json.gz")
            with open(path, "wb") as out:
                out.write(log_object(records))
            run = cloud.run("plan", path, "--output", "json", **env)
            equal(run.returncode, 0, run.stderr)
            planned = {(tuple(sorted(part["dimensions"])), metric): count["series"]
                       for part in json.loads(run.stdout)["sets"]
                       for metric, count in part["metricsByName"].items() if count["series"]}
            equal(planned, dict(published), "METRICS=%s: planned and published" % metrics)
