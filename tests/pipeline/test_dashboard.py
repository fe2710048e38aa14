"""Every widget of the default dashboard shows something that the worker really publishes."""
import json
import re

from lib import Cloud, NAMESPACE, check, equal, record

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
            records = [record(4), record(5, model="us.nobody.has-a-price-v1:0")]
            records += [record(6, errorCode=kind) for kind in kinds]
            cloud.send(cloud.put("o", records))
            cloud.send(cloud.put("p", [record(7)]))
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
