"""The Lambda function against the Runtime API's counterpart."""
import json
import time

from support.cloud import NAMESPACE, Cloud, failures
from support.process import log_lines
from support.records import TOKENS, log_key, numbered, s3_event, sqs_payload, sums_of
from support.results import check, equal

from runtime_api import RuntimeApi


def test_ten_messages_one_request():
    with Cloud() as cloud:
        keys = [cloud.put("o%d" % i, [numbered(10 * i + j) for j in range(5)]) for i in range(10)]
        runtime, log = cloud.invoke(sqs_payload([s3_event(k) for k in keys]))
        equal(failures(runtime.results[0]), [])
        equal(cloud.sums(), cloud.expected(), "sums")
        equal(cloud.sums(("InferenceProfileType", "ModelId")), cloud.expected(), "second set")
        equal(len(cloud.cloudwatch.log), 1, "PutMetricData requests")
        line = log_lines(log, "round")[0]
        equal((line["objects"], line["records"], line["requests"], line["delivery"]),
              ("10", "50", "1", "at-least-once"))
        equal(int(line["tokens"]), cloud.expected()["TotalTokenCount"])
        check("ms_read" in line and "ms_publish" in line, line)


def test_every_outcome_of_a_message():
    with Cloud() as cloud:
        good = cloud.put("good", [numbered(1)])
        corrupt = cloud.put("corrupt", [numbered(2)], content=b"\x1f\x8b\x08\x00garbage",
                            count=False)
        beside = cloud.put("beside", [numbered(3)], count=False)
        bodies = [s3_event(good),
                  s3_event(corrupt),
                  s3_event(log_key("gone")),                        # missing: done
                  s3_event(good, bucket="another-bucket"),          # foreign
                  "not json " + "x" * 50,
                  json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}),
                  s3_event(good, name="ObjectRemoved:Delete"),      # done, nothing to do
                  s3_event("AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/"
                           "10/data/x_input.json.gz"),              # skipped by rule
                  s3_event(beside, corrupt)]                        # one bad object: all return
        runtime, log = cloud.invoke(sqs_payload(bodies))
        equal(failures(runtime.results[0]), ["m1", "m3", "m4", "m8"])
        equal(cloud.sums(), cloud.expected())
        check("another-bucket" in log and "S3_BUCKET_NAME" in log, log)
        check("object missing" in log, log)


def test_fifo_nothing_counts_behind_a_failure():
    with Cloud() as cloud:
        first = cloud.put("a", [numbered(1)])
        corrupt = cloud.put("b", [], content=b"\x1f\x8b\x08", count=False)
        last = cloud.put("c", [numbered(2)], count=False)
        runtime, _ = cloud.invoke(sqs_payload([s3_event(first), s3_event(corrupt), s3_event(last)],
                                              "arn:aws:sqs:us-east-1:123456789012:q.fifo"))
        equal(failures(runtime.results[0]), ["m1", "m2"])
        equal(cloud.sums(), cloud.expected())


def test_without_a_queue():
    with Cloud() as cloud:
        key = cloud.put("direct", [numbered(4), numbered(5)])
        bad = cloud.put("bad", [], content=b"\x1f\x8b\x08", count=False)
        runtime, _ = cloud.invoke(json.loads(s3_event(key)), json.loads(s3_event(bad)),
                                  {"command": "sweep"}, {"what": "else"}, "{broken",
                                  sqs_payload([s3_event(key)]))
        kinds = [r["kind"] for r in runtime.results]
        equal(kinds, ["response", "error", "error", "error", "error", "response"])
        equal(json.loads(runtime.results[0]["body"])["records"], 2)
        check(runtime.results[1]["headers"]["lambda-runtime-function-error-type"]
              == "Function.RoundFailed", runtime.results[1])
        cloud.records *= 2  # the last invocation named it again
        equal(cloud.sums(), cloud.expected())


def test_deadline_returns_messages():
    with Cloud() as cloud:
        keys = [cloud.put("o%d" % i, [numbered(i)], count=False) for i in range(6)]
        cloud.proxy.rules = [{"method": "GET", "fault": "delay", "seconds": 4, "count": -1}]
        runtime, log = cloud.invoke(sqs_payload([s3_event(k) for k in keys]), timeout_ms=3000)
        equal(failures(runtime.results[0]), ["m%d" % i for i in range(6)])
        check(not runtime.results[0]["late"], "answered after the deadline")
        equal(cloud.sums(), {})


def test_init_error():
    with Cloud() as cloud:
        for name, value, named in (("METRIC_DIMENSIONS", "ModelIdd", "ModelIdd"),
                                  ("METRIC_RESOLUTION", "7", '"7"'),
                                  ("METRICS", "Tokens", "Tokens"),
                                  ("CLOUDWATCH_NAMESPACE", "AWS/Bedrock", "AWS/Bedrock"),
                                  ("CLOUDWATCH_REGION", "Frankfurt", "Frankfurt"),
                                  ("PUBLISHER", "statsd", "statsd"),
                                  ("MAX_SERIES_PER_SET", "0", '"0"'),
                                  ("S3_BUCKET_NAME", "Not_A_Bucket", "Not_A_Bucket"),
                                  ("S3_BUCKET_NAME", None, "S3_BUCKET_NAME"),
                                  ("PRICES_FILE", "/nonexistent/p.json", "/nonexistent/p.json"),
                                  ("LOG_LEVEL", "LOUD", "LOUD"),
                                  ("AWS_LAMBDA_LOG_LEVEL", "LOUD", "LOUD"),
                                  ("AWS_LAMBDA_LOG_FORMAT", "XML", "XML"),
                                  ("AWS_ENDPOINT_URL", "http://example.com", "example.com")):
            runtime = RuntimeApi().start()
            run = cloud.run("lambda", AWS_LAMBDA_RUNTIME_API=runtime.address, **{name: value})
            runtime.stop()
            equal(run.returncode, 2, name)
            check(runtime.init_error is not None, name, run.stderr)
            text = json.loads(runtime.init_error["body"])["errorMessage"]
            check(named in text, name, text)


def test_json_logs():
    with Cloud() as cloud:
        key = cloud.put("o", [numbered(1)])
        runtime, log = cloud.invoke(sqs_payload([s3_event(key)]), AWS_LAMBDA_LOG_FORMAT="JSON",
                                    AWS_LAMBDA_LOG_LEVEL="INFO")
        lines = [json.loads(line) for line in log.splitlines()]
        summary = [line for line in lines if line["message"] == "round"]
        equal(len(summary), 1)
        equal(summary[0]["requestId"], runtime.results[0]["id"])
        check("timestamp" in summary[0] and summary[0]["level"] == "INFO")
        _, log = cloud.invoke(sqs_payload([s3_event(key)]), AWS_LAMBDA_LOG_FORMAT="JSON",
                              AWS_LAMBDA_LOG_LEVEL="ERROR")
        equal(log, "")


def test_emf():
    with Cloud() as cloud:
        keys = [cloud.put("o%d" % i, [numbered(i), numbered(i + 40)]) for i in range(3)]
        runtime, _ = cloud.invoke(sqs_payload([s3_event(k) for k in keys]), PUBLISHER="emf",
                                  METRIC_DIMENSIONS="InferenceProfileType",
                                  METRICS=",".join((*TOKENS, "TotalTokenCount", "Invocations")))
        equal(failures(runtime.results[0]), [])
        sums = {}
        for line in cloud.stdout.splitlines():
            value = json.loads(line)
            directive = value["_aws"]["CloudWatchMetrics"][0]
            equal(directive["Namespace"], NAMESPACE)
            equal(directive["Dimensions"], [["InferenceProfileType"]])
            equal(value["InferenceProfileType"], "CrossRegion")
            for metric in directive["Metrics"]:
                sums[metric["Name"]] = sums.get(metric["Name"], 0) + value[metric["Name"]]
        equal(sums, cloud.expected())
        equal(len(cloud.cloudwatch.log), 0)


def test_names_in_other_scripts_are_series_of_their_own():
    """Two names of the same length, one in full-width letters, an emoji, a backslash."""
    spelled = {"\u958b\u767a": r"\u958B\u767A", "\u55b6\u696d": r"\u55B6\u696D",
               "\uff41\uff42": r"\uFF41\uFF42", "\U0001f680": r"\uD83D\uDE80",
               r"\u958B\u767A": r"\\u958B\\u767A", "??": "??"}
    env = {"METRIC_DIMENSIONS": "Metadata:team", "METRICS": "Invocations"}
    with Cloud() as cloud:
        key = cloud.put("o", [numbered(i, requestMetadata={"team": name})
                              for i, name in enumerate(list(spelled) * 2)])
        runtime, _ = cloud.invoke(sqs_payload([s3_event(key)]), **env)
        equal(failures(runtime.results[0]), [])
        equal({d["Metadata:team"]: [p["Sum"] for p in points.values()]
               for _, _, d, _, points in cloud.cloudwatch.data()},
              {name: [2] for name in spelled.values()})
        runtime, _ = cloud.invoke(sqs_payload([s3_event(key)]), PUBLISHER="emf", **env)
        equal(failures(runtime.results[0]), [])
        lines = [json.loads(line) for line in cloud.stdout.splitlines()]
        equal({(v["Metadata:team"], v["Invocations"]) for v in lines},
              {(name, 2) for name in spelled.values()})


def test_old_and_future_records():
    with Cloud() as cloud:
        now = time.time()
        cloud.put("new", [numbered(1)])
        key = cloud.put("mixed", [numbered(2, at=now - 15 * 86400), numbered(3, at=now + 3 * 3600)],
                        count=False)
        new = log_key("new")
        runtime, log = cloud.invoke(sqs_payload([s3_event(new, key)]))
        equal(failures(runtime.results[0]), [])
        equal(cloud.sums(), cloud.expected())
        check("two weeks" in log and "two hours ahead" in log, log)
        lost = sums_of([numbered(2)])["TotalTokenCount"]
        check("tokens=%d" % lost in log, log)


def test_series_cap():
    with Cloud() as cloud:
        models = ["us.anthropic.model-%02d-v1:0" % i for i in range(9)]
        keys = [cloud.put("m%d" % i, [numbered(i * 100, model=m)]) for i, m in enumerate(models)]
        runtime, log = cloud.invoke(sqs_payload([s3_event(k) for k in keys]),
                                    METRIC_DIMENSIONS="ModelId", MAX_SERIES_PER_SET="4")
        equal(failures(runtime.results[0]), [])
        equal(cloud.sums(("ModelId",)), cloud.expected(), "totals are conserved")
        names = {d["ModelId"] for _, m, d, _, _ in cloud.cloudwatch.data() if m == "Invocations"}
        equal(names, {"anthropic.model-0%d-v1:0" % i for i in range(5, 9)} | {"Other"})
        check("folded into Other" in log, log)


def test_many_cells_take_several_requests():
    with Cloud() as cloud:
        keys = []
        for i in range(40):
            rows = [numbered(j, model="us.anthropic.m%d-v1:0" % (i * 10 + j)) for j in range(10)]
            keys.append(cloud.put("o%d" % i, rows))
        runtime, _ = cloud.invoke(sqs_payload([s3_event(k) for k in keys]),
                                  METRIC_DIMENSIONS="ModelId", MAX_SERIES_PER_SET="300")
        equal(failures(runtime.results[0]), [])
        equal(cloud.sums(("ModelId",)), cloud.expected())
        check(len(cloud.cloudwatch.log) > 1, "one request only")
        names = {d["ModelId"] for _, m, d, _, _ in cloud.cloudwatch.data() if m == "Invocations"}
        equal(len(names), 301, "the cap is the round's")


def test_high_resolution_and_chosen_metrics():
    with Cloud() as cloud:
        at = time.time() - 200
        at -= at % 60
        key = cloud.put("o", [numbered(i, at=at + i) for i in range(30)])
        runtime, _ = cloud.invoke(sqs_payload([s3_event(key)]), METRIC_RESOLUTION="10",
                                  METRICS="Invocations,TotalTokenCount",
                                  METRIC_DIMENSIONS="InferenceProfileType")
        equal(failures(runtime.results[0]), [])
        data = cloud.cloudwatch.data()
        equal({m for _, m, _, _, _ in data}, {"Invocations", "TotalTokenCount"})
        for _, metric, _, _, points in data:
            equal(sorted(int(t - at) for t in points), [0, 10, 20], metric)


def test_statistics_are_those_of_the_records():
    with Cloud() as cloud:
        records = [numbered(i, at=time.time() - 300 - i % 2) for i in range(40)]
        records.append(numbered(7, input={}, output={}))
        key = cloud.put("o", records)
        runtime, _ = cloud.invoke(sqs_payload([s3_event(key)]), METRIC_RESOLUTION="3600",
                                  METRIC_DIMENSIONS="AccountId")
        equal(failures(runtime.results[0]), [])
        for metric, read in (
                ("InputTokenCount", lambda r: r["input"].get("inputTokenCount", 0)),
                ("CacheReadInputTokenCount",
                 lambda r: r["input"].get("cacheReadInputTokenCount", 0)),
                ("TotalTokenCount", lambda r: sums_of([r]).get("TotalTokenCount", 0))):
            values = [v for v in map(read, records) if v > 0]
            dimensions = {"AccountId": "123456789012"}
            for statistic, value in (("Sum", sum(values)), ("SampleCount", len(values)),
                                     ("Minimum", min(values)), ("Maximum", max(values))):
                equal(cloud.cloudwatch.sum(NAMESPACE, metric, dimensions, statistic), value,
                      metric + " " + statistic)
