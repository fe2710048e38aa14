"""reconcile: sums of a folder of logs against metrics of AWS/Bedrock in an emulator (moto), which
are put there by an independent reading of the same records, Region by Region."""
import collections
import json
import os
import shutil
import tempfile
import time

from support import process
from support.process import BINARY, clean, environment
from support.records import PROMPT, log_object, numbered
from support.results import check, equal

from moto_harness import ACCOUNT, SECRET, MotoHarness

HOUR = 3600
NOW = int(time.time()) // HOUR * HOUR
PROFILE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
APPLICATION = "arn:aws:bedrock:us-east-1:%s:application-inference-profile/abcdef012345" % ACCOUNT
PROVISIONED = "arn:aws:bedrock:us-east-1:%s:provisioned-model/p1q2r3s4" % ACCOUNT
NATIVE = (("input", "inputTokenCount", "InputTokenCount"),
          ("output", "outputTokenCount", "OutputTokenCount"),
          ("input", "cacheReadInputTokenCount", "CacheReadInputTokens"),
          ("input", "cacheWriteInputTokenCount", "CacheWriteInputTokens"))


def corpus():
    """Thirty hours, three Regions, four models, errors; the last hours are after --until."""
    out = []
    models = (PROFILE, APPLICATION, PROVISIONED, "amazon.nova-lite-v1:0")
    for n in range(600):
        members = {"region": ("us-east-1", "us-west-2", "eu-central-1")[n % 3]}
        if n % 17 == 0:
            members["errorCode"] = ("ValidationException", "InternalServerException",
                                    "ThrottlingException")[n % 3]
        out.append(numbered(n, NOW - 30 * HOUR + n * 180 + n % 60, models[n % 4], **members))
    return out


def native_id(model):
    return model.rpartition("/")[2] if ":application-inference-profile/" in model else model


def native(records, accepted=False):
    """{(region, metric, ModelId, hour): sum} as Bedrock would publish."""
    out = collections.Counter()
    for r in records:
        at = int(time.mktime(time.strptime(r["timestamp"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone)
        place = (native_id(r["modelId"]), at // HOUR * HOUR)
        error = r.get("errorCode")
        name = {None: "Invocations", "ThrottlingException": "InvocationThrottles",
                "ValidationException": "InvocationClientErrors",
                "InternalServerException": "InvocationServerErrors"}[error]
        out[(r["region"], name) + place] += 1
        if accepted and error in ("ValidationException", "InternalServerException"):
            out[(r["region"], "Invocations") + place] += 1
        for side, field, metric in NATIVE:
            out[(r["region"], metric) + place] += r[side][field]
    return {k: v for k, v in out.items() if v}


class World:
    def __init__(self, records, sums):
        self.records, self.sums = records, sums

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="bedrock-reconcile-")
        with open(os.path.join(self.folder, "a.json.gz"), "wb") as f:
            f.write(log_object(self.records))
        self.aws = MotoHarness().start()
        for region in sorted({k[0] for k in self.sums}):
            data = [{"MetricName": metric, "Timestamp": hour + 60, "Value": value,
                     "Dimensions": [{"Name": "ModelId", "Value": model}]}
                    for (where, metric, model, hour), value in self.sums.items() if where == region]
            # What must not be added up: another dimension beside, none at all, another metric.
            data += [{"MetricName": "InputTokenCount", "Timestamp": NOW - 5 * HOUR, "Value": 1e6},
                     {"MetricName": "OutputImageCount", "Timestamp": NOW - 5 * HOUR, "Value": 5,
                      "Dimensions": [{"Name": "ModelId", "Value": PROFILE}]},
                     {"MetricName": "InputTokenCount", "Timestamp": NOW - 5 * HOUR, "Value": 1e6,
                      "Dimensions": [{"Name": "ModelId", "Value": PROFILE},
                                     {"Name": "ServiceTier", "Value": "flex"}]}]
            for i in range(0, len(data), 500):
                self.aws.call_json("monitoring", "GraniteServiceVersion20100801.PutMetricData",
                                   {"Namespace": "AWS/Bedrock", "MetricData": data[i:i + 500]},
                                   region)
        return self

    def __exit__(self, *exc):
        self.aws.stop()
        shutil.rmtree(self.folder)

    def do(self, status, *words, **env):
        run = process.run([BINARY, "reconcile", self.folder, *words], text=True, cwd="/",
                          env=environment(**dict(self.aws.env(), AWS_MAX_ATTEMPTS=1, **env)))
        equal(run.returncode, status, "exit status\n" + run.stdout[-2000:] + run.stderr[-2000:])
        clean(run.stdout + run.stderr, PROMPT, SECRET)
        return json.loads(run.stdout) if "json" in words and status < 2 else run.stdout + run.stderr


RANGE = ("--since", "48h", "--until", time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(NOW)))


def inside(sums):
    return {k: v for k, v in sums.items() if k[3] < NOW}


def test_both_sides_agree():
    records = corpus()
    sums = native(records)
    with World(records, sums) as w:
        got = w.do(0, *RANGE, "--output", "json", "--tolerance", "0")
        wanted = collections.Counter()
        for (region, metric, _, _), value in inside(sums).items():
            wanted[(region, metric)] += value
        # CloudWatch's name of a metric is not always ours.
        ours = {"CacheReadInputTokenCount": "CacheReadInputTokens",
                "CacheWriteInputTokenCount": "CacheWriteInputTokens"}
        equal({(t["SourceRegion"], ours.get(t["metric"], t["metric"])): t["cloudwatch"]
               for t in got["totals"]}, dict(wanted))
        equal([t for t in got["totals"] if t["logs"] != t["cloudwatch"] or t["apart"]], [])
        equal((got["account"], got["differences"], got["records_of_other_accounts"]),
              (ACCOUNT, [], 0))
        by_model = w.do(0, *RANGE, "--output", "json", "--tolerance", "0", "--by-model")
        equal(by_model["differences"], [])
        text = w.do(0, *RANGE)
        check("eu-central-1" in text and "OutputTokenCount" in text, text)
        w.do(2, "--since", "500d")
        w.do(2, "--since", "3h", "--until", "4h")
        w.do(2, "--tolerance", "x")
        w.do(2, "--account", "12")
        w.do(2, "--regions", "us-east-1,,eu-west-1")


def test_accepted_invocations_agree():
    records = corpus()
    with World(records, native(records, accepted=True)) as w:
        w.do(0, *RANGE, "--tolerance", "0", "--by-model")


def test_what_is_missing_in_the_logs_is_named():
    records = corpus()
    kept = [r for r in records if not (r["region"] == "us-west-2" and r["modelId"] == PROFILE)]
    lost = native([r for r in records if r not in kept])
    with World(kept, native(records)) as w:
        got = w.do(1, *RANGE, "--output", "json", "--by-model", "--tolerance", "0")
        named = {(d["SourceRegion"], d["metric"], d["time"]): (d["logs"], d["cloudwatch"])
                 for d in got["differences"]}
        equal({d["ModelId"] for d in got["differences"]}, {PROFILE})
        equal(sum(v[1] for k, v in named.items() if k[1] == "InputTokenCount"),
              sum(v for k, v in inside(lost).items() if k[1] == "InputTokenCount"))
        equal({v[0] for v in named.values()}, {0})
        text = w.do(1, *RANGE, "--by-model")
        check("us-west-2  " + PROFILE in text, text)
        loose = w.do(1, *RANGE, "--output", "json", "--tolerance", "50")
        equal({(d["metric"], d["logs"]) for d in loose["differences"]},
              {("InvocationServerErrors", 0)})


def test_a_region_without_logs_is_asked_too():
    records = corpus()
    kept = [r for r in records if r["region"] != "eu-central-1"]
    with World(kept, native(records)) as w:
        w.do(0, *RANGE)
        got = w.do(1, *RANGE, "--regions", "eu-central-1,us-east-1", "--output", "json")
        equal({d["SourceRegion"] for d in got["differences"]}, {"eu-central-1"})


def test_counted_twice_is_named():
    records = corpus()
    with World(records + records[:60], native(records)) as w:
        got = w.do(1, *RANGE, "--output", "json")
        check(all(d["logs"] > d["cloudwatch"] for d in got["differences"]), got["differences"])


def test_other_accounts_are_left_out():
    records = corpus()
    for r in records[::5]:
        r["accountId"] = "999988887777"
    mine = [r for r in records if r["accountId"] == ACCOUNT]
    with World(records, native(mine)) as w:
        got = w.do(0, *RANGE, "--tolerance", "0", "--output", "json")
        equal(got["records_of_other_accounts"],
              sum(1 for r in records[::5] if r["timestamp"] < RANGE[3]))
        w.do(1, *RANGE, "--account", "999988887777")


def test_a_region_that_is_none_is_never_asked():
    records = corpus()
    bad = [numbered(n, NOW - 5 * HOUR, region=r)
           for n, r in enumerate(("evil.example/#", "us-east-1@evil", "\x1b[31m", "x y"))]
    with World(records + bad, native(records)) as w:
        text = w.do(0, *RANGE, "--tolerance", "0")
        check("records of impossible Regions left out records=4" in text, text)
        check("\x1b" not in text and "evil" not in text, text)


def test_a_refused_call_is_named():
    records = corpus()
    with World(records, native(records)) as w:
        w.aws.proxy.rules = [{"target": "ListMetrics", "fault": "denied",
                              "count": 100}]
        text = w.do(1, *RANGE)
        check("ListMetrics" in text and "us-east-1" in text or "eu-central-1" in text, text)
