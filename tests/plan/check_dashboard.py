#!/usr/bin/env python3
"""`dashboard`: the body's structure, and that it asks only for what is published.

Usage: check_dashboard.py BEDROCK_METRICS FOLDER BODY_OF_THE_STACK
"""
import json
import os
import re
import sys

from checks import Checks

DEFAULT = "InferenceProfileType;InferenceProfileType,ModelId"
SEARCH = re.compile(r"""SEARCH\('\{([^}]*)\} MetricName="(\w+)"', '(\w+)', (\d+)\)""")
NAMES = re.compile(r'"([^"]*)"|([A-Za-z0-9]+)')
AWS = {  # name: (dimension, namespace), from the services' metric lists
    "ApproximateNumberOfMessagesVisible": ("QueueName", "AWS/SQS"),
    "ApproximateNumberOfMessagesNotVisible": ("QueueName", "AWS/SQS"),
    "ApproximateAgeOfOldestMessage": ("QueueName", "AWS/SQS"),
    "Invocations": ("FunctionName", "AWS/Lambda"), "Errors": ("FunctionName", "AWS/Lambda"),
    "Throttles": ("FunctionName", "AWS/Lambda"), "Duration": ("FunctionName", "AWS/Lambda"),
    "ConsumedReadCapacityUnits": ("TableName", "AWS/DynamoDB"),
    "ConsumedWriteCapacityUnits": ("TableName", "AWS/DynamoDB"),
    "ReadThrottleEvents": ("TableName", "AWS/DynamoDB"),
    "WriteThrottleEvents": ("TableName", "AWS/DynamoDB"),
}


def searches(body):
    """(namespace, dimensions, metric, statistic, period) of every SEARCH."""
    found = []
    for widget in body["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            expression = metric[-1].get("expression", "") if isinstance(metric[-1], dict) else ""
            for schema, name, statistic, period in SEARCH.findall(expression):
                names = [quoted or plain for quoted, plain in NAMES.findall(schema)]
                found.append((names[0], tuple(names[1:]), name, statistic, int(period)))
    return found


def is_period(period):
    return isinstance(period, int) and period >= 60 and period % 60 == 0


def check_metric(checks, what, metric, ids, namespace):
    checks.holds(f"{what}: a metric is an array", isinstance(metric, list) and metric)
    options = metric[-1] if isinstance(metric[-1], dict) else {}
    checks.holds(f"{what}: options", set(options) <= {
        "expression", "id", "label", "visible", "stat", "region", "yAxis", "period"}, options)
    if "id" in options:
        checks.holds(f"{what}: id", re.fullmatch(r"[a-z]\w*", options["id"])
                     and options["id"] not in ids, options["id"])
        ids.add(options["id"])
    if "expression" in options:
        expression = options["expression"]
        checks.expect(f"{what}: an expression stands alone", len(metric), 1)
        checks.holds(f"{what}: length", len(expression) <= 1024 + len("SUM()"), expression)
        used = set(re.findall(r"\be\d+\b", SEARCH.sub("", expression)))
        checks.holds(f"{what}: refers to what is before it", used <= ids - {options["id"]}, used)
        checks.expect(f"{what}: brackets", expression.count("("), expression.count(")"))
        return
    name = metric[1]
    if metric[0] == namespace:
        checks.expect(f"{what}: without dimensions", metric[1:-1], ["InDoubtPublishes"])
        return
    checks.expect(f"{what}: {name}", (metric[2], metric[0]), AWS.get(name))
    checks.expect(f"{what}: {name} has one dimension", len(metric), 5)


def check_body(checks, what, text, sets, region, namespace):
    """The structure that CloudWatch documents, the grid, and every SEARCH."""
    body = json.loads(text)
    checks.holds(f"{what}: size", len(text.encode()) <= 1_000_000)
    checks.expect(f"{what}: members", set(body), {"start", "periodOverride", "widgets"})
    checks.holds(f"{what}: number of widgets", 0 < len(body["widgets"]) <= 500)
    taken = set()
    for i, widget in enumerate(body["widgets"]):
        name = f"{what}, widget {i}"
        properties = widget["properties"]
        checks.expect(f"{name}: members", set(widget),
                      {"type", "x", "y", "width", "height", "properties"})
        checks.holds(f"{name}: place", 0 <= widget["x"] and 1 <= widget["width"] and
                     widget["x"] + widget["width"] <= 24 and 1 <= widget["height"] <= 1000)
        fields = {(x, y) for x in range(widget["x"], widget["x"] + widget["width"])
                  for y in range(widget["y"], widget["y"] + widget["height"])}
        checks.holds(f"{name}: does not overlap", not fields & taken)
        taken |= fields
        if widget["type"] == "text":
            checks.expect(f"{name}: text", set(properties), {"markdown"})
            continue
        checks.expect(f"{name}: type", widget["type"], "metric")
        checks.expect(f"{name}: properties", set(properties),
                      {"title", "region", "view", "stacked", "period", "stat", "yAxis", "metrics"})
        checks.expect(f"{name}: view", (properties["view"], properties["region"]),
                      ("timeSeries", region))
        checks.holds(f"{name}: period", is_period(properties["period"]))
        checks.holds(f"{name}: has metrics", 0 < len(properties["metrics"]) <= 500)
        ids = set()
        for metric in properties["metrics"]:
            check_metric(checks, name, metric, ids, namespace)
    published = {frozenset(s.split(",")) for s in sets.split(";")}
    for space, dimensions, metric, statistic, period in searches(body):
        checks.expect(f"{what}: namespace of {metric}", space, namespace)
        checks.holds(f"{what}: {dimensions} is published", frozenset(dimensions) in published)
        checks.expect(f"{what}: statistic of {metric}", statistic,
                      "Average" if metric == "InvocationLatency" else "Sum")
        checks.holds(f"{what}: period of {metric}", is_period(period))
    checks.expect(f"{what}: every SEARCH was read", text.count("SEARCH("), len(searches(body)))
    return body


def asked(body):
    return {(frozenset(dimensions), metric) for _, dimensions, metric, _, _ in searches(body)}


def check_sets(checks):
    choices = (DEFAULT, "ModelId", "SourceRegion,InferenceRegion;InferenceProfileType",
               "InferenceProfileType,ModelId,SourceRegion,InferenceRegion",
               "Metadata:team name;Tag:cost-centre,ModelId;Principal",
               ";".join(f"Metadata:k{i},Operation" for i in range(16)))
    for sets in choices:
        code, out, err = checks.call("dashboard", "--region", "eu-west-1", "--dimensions", sets)
        checks.expect(f"{sets}: status", (code, err), (0, ""))
        body = check_body(checks, sets, out, sets, "eu-west-1", "Custom/BedrockMetrics")
        for one in sets.split(";"):
            for metric in ("TotalTokenCount", "Invocations", "EstimatedCost",
                           "InvocationThrottles"):
                checks.holds(f"{sets}: {one} has {metric}",
                             (frozenset(one.split(",")), metric) in asked(body))
        totals = {frozenset(d) for _, d, metric, _, _ in searches(body)
                  if metric == "CacheReadInputTokenCount"}
        fewest = min(len(one.split(",")) for one in sets.split(";"))
        checks.holds(f"{sets}: totals are of one small set",
                     len(totals) == 1 and len(next(iter(totals))) == fewest, totals)
    _, given, _ = checks.call("dashboard", "--region", "x", "--dimensions", "ModelId")
    _, from_variable, _ = checks.call("dashboard", METRIC_DIMENSIONS="ModelId",
                                      CLOUDWATCH_REGION="x", AWS_REGION="y")
    checks.expect("METRIC_DIMENSIONS and CLOUDWATCH_REGION", from_variable, given)


def check_metrics(checks):
    few = "Invocations,TotalTokenCount"
    _, out, _ = checks.call("dashboard", "--region", "eu-west-1", "--metrics", few)
    body = check_body(checks, few, out, DEFAULT, "eu-west-1", "Custom/BedrockMetrics")
    checks.expect("only metrics that are published", {m for _, m in asked(body)},
                  set(few.split(",")))
    _, by_variable, _ = checks.call("dashboard", "--region", "eu-west-1", METRICS=few)
    checks.expect("METRICS", by_variable, out)
    _, out, _ = checks.call("dashboard", "--region", "eu-west-1", METRIC_LATENCY="true",
                            METRIC_RESOLUTION="420", CLOUDWATCH_NAMESPACE="My space")
    body = check_body(checks, "latency", out, DEFAULT, "eu-west-1", "My space")
    checks.holds("latency", "InvocationLatency" in {m for _, m in asked(body)})
    checks.expect("a period is a whole number of buckets",
                  {p for _, _, _, _, p in searches(body)}, {420, 420 * 9})
    _, out, _ = checks.call("dashboard", "--region", "eu-west-1", METRIC_RESOLUTION="1")
    checks.expect("high resolution", {p for _, _, _, _, p in searches(json.loads(out))},
                  {300, 3600})


def check_pipeline(checks):
    url = "https://sqs.us-west-2.amazonaws.com/111122223333/events"
    code, out, _ = checks.call(
        "dashboard", "--region", "eu-west-1", "--queue", f"plain,{url}",
        "--dlq", "arn:aws:sqs:us-west-2:111122223333:dead", "--function",
        "arn:aws:lambda:us-east-1:111122223333:function:count:live", "--ledger",
        "dynamodb://ledger")
    checks.expect("pipeline: status", code, 0)
    body = check_body(checks, "pipeline", out, DEFAULT, "eu-west-1", "Custom/BedrockMetrics")
    found = [m for w in body["widgets"] for m in w["properties"].get("metrics", []) if len(m) == 5]
    places = {(m[3], m[4].get("region")) for m in found}
    checks.expect("pipeline: names and Regions", places,
                  {("plain", None), ("events", "us-west-2"), ("dead", "us-west-2"),
                   ("count", "us-east-1"), ("ledger", None)})
    checks.expect("pipeline: all metrics", {m[1] for m in found}, set(AWS))
    _, out, _ = checks.call("dashboard", "--region", "eu-west-1")
    checks.holds("nothing of a pipeline that is not named",
                 "AWS/" not in out and "InDoubtPublishes" in out)
    _, out, _ = checks.call("dashboard", "--region", "eu-west-1", LEDGER="dynamodb://t")
    checks.holds("LEDGER", '"TableName","t"' in out)
    code, out, _ = checks.call("dashboard", "--region", "eu-west-1", LEDGER="/tmp/ledger.db")
    checks.holds("a ledger that is a file", code == 0 and "DynamoDB" not in out)


def substitute(text, names):
    """CloudFormation's Fn::Sub."""
    return re.sub(r"\$\{(!?)([^}]*)\}",
                  lambda m: "${%s}" % m.group(2) if m.group(1) else names[m.group(2)], text)


def check_stack(checks, path):
    """The body of the stack is what the program prints for the same dimensions and names."""
    with open(path, encoding="utf-8") as source:
        stack = source.read()
    code, out, err = checks.call("dashboard", "--cloudformation")
    checks.expect("--cloudformation: status", (code, err), (0, ""))
    checks.holds("deploy/dashboard.json is what dashboard --cloudformation prints "
                 "(tools/dashboard.py writes it)", out == stack)
    names = {"CloudWatchNamespace": "Custom/BedrockMetrics", "AWS::Region": "eu-west-1",
             "EventQueue.QueueName": "stack-events",
             "DeadLetterQueue.QueueName": "stack-dead-letters",
             "AggregatorLambdaFunction": "stack"}
    _, plain, _ = checks.call("dashboard", "--region", "eu-west-1", "--queue", "stack-events",
                              "--dlq", "stack-dead-letters", "--function", "stack")
    body = substitute(stack, names)
    checks.holds("deployed, it is what dashboard prints for the same names", body == plain)
    body = check_body(checks, "the stack's body", body, DEFAULT, "eu-west-1",
                      "Custom/BedrockMetrics")
    shown = {name for _, name in asked(body)}
    checks.expect("every metric that is published by default is shown", shown, {
        "Invocations", "InputTokenCount", "OutputTokenCount", "CacheReadInputTokenCount",
        "CacheWriteInputTokenCount", "TotalTokenCount", "InvocationClientErrors",
        "InvocationServerErrors", "InvocationThrottles", "EstimatedCost", "UnpricedTokens"})
    for option in ("--namespace", "--region", "--queue", "--dlq", "--function", "--ledger"):
        checks.refuses('"own"', "dashboard", "--cloudformation", option, "own")
    checks.refuses('"Metadata:${x"', "dashboard", "--cloudformation", "--dimensions",
                   "Metadata:${x")


def check_ends(checks):
    region = ("--region", "eu-west-1")
    for quoted, arguments in (
            ("no Region", ()), ('"EU"', ("--region", "EU")), ('"word"', (*region, "word")),
            ('"AWS/Mine"', (*region, "--namespace", "AWS/Mine")),
            ('":x"', (*region, "--namespace", ":x")), ('""', (*region, "--namespace", "")),
            ("a'b", (*region, "--namespace", "a'b")),
            ('"Model"', (*region, "--dimensions", "Model")),
            ('"ModelId"', (*region, "--dimensions", "ModelId;ModelId")),
            ('"Tokens"', (*region, "--metrics", "Tokens")),
            ('"a b"', (*region, "--queue", "a b")), ('""', (*region, "--dlq", "")),
            ('"arn:aws:lambda"', (*region, "--function", "arn:aws:lambda")),
            ('""', (*region, "--ledger", "dynamodb://"))):
        checks.refuses(quoted, "dashboard", *arguments)
    checks.refuses('"250"', "dashboard", *region, METRIC_RESOLUTION="250")
    code, out, err = checks.call("dashboard", *region, "--dimensions", "Metadata:it's;ModelId")
    checks.holds("a set that no SEARCH can name is left out and named",
                 code == 0 and "it's}" not in out and "Metadata:it's" in err, err)
    check_body(checks, "without that set", out, "ModelId", "eu-west-1", "Custom/BedrockMetrics")
    wide = ",".join(f"Metadata:{'k' * 200}{i}" for i in range(10))
    code, out, err = checks.call("dashboard", *region, "--dimensions", wide)
    checks.holds("a set with too long a SEARCH", code == 0 and "SEARCH(" not in out and err, err)
    check_body(checks, "without any set", out, "ModelId", "eu-west-1", "Custom/BedrockMetrics")
    checks.expect("help", checks.call("dashboard", "--help")[0], 0)
    checks.expect("--out", checks.call("dashboard", *region, "--out", "body.json")[:2], (0, ""))
    with open(os.path.join(checks.folder, "body.json"), encoding="utf-8") as source:
        checks.expect("--out: the same", source.read(), checks.call("dashboard", *region)[1])
    checks.expect("a full device", checks.call("dashboard", *region, "--out", "/dev/full")[0], 1)


def main():
    checks = Checks(sys.argv[1], sys.argv[2])
    check_sets(checks)
    check_metrics(checks)
    check_pipeline(checks)
    check_stack(checks, sys.argv[3])
    check_ends(checks)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
