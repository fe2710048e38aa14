"""ALLOW_INFERENCE_REGIONS: what ran in other Regions is a metric, in the same requests as its sums."""
import collections
import os
import tempfile

from support.cloud import Cloud
from support.process import log_lines, wait_until
from support.records import numbered
from support.results import check, equal
from test_worker import get, queue

PLACES = ("us-west-2", "us-east-1", "eu-west-1", None)


def records(first, n):
    out = []
    for i in range(first, first + n):
        r = numbered(i, inferenceRegion=PLACES[i % 4])
        if i % 4 == 3:
            del r["inferenceRegion"]  # it does not say where: proves nothing
        if i % 8 == 6:
            r["errorCode"] = "ThrottlingException"
        out.append(r)
    return out


def disallowed(all_records, allowed):
    out = collections.Counter()
    for r in all_records:
        region = r.get("inferenceRegion")
        if region is None or region in allowed:
            continue
        out["DisallowedRegionTokenCount"] += sum(
            r[side].get(name, 0) for side, name in (
                ("input", "inputTokenCount"), ("output", "outputTokenCount"),
                ("input", "cacheReadInputTokenCount"), ("input", "cacheWriteInputTokenCount")))
        out["DisallowedRegionInvocations"] += 0 if "errorCode" in r else 1
    return dict(out)


def guard_sums(cloud):
    return {k: v for k, v in cloud.sums().items() if k.startswith("Disallowed")}


def test_worker_publishes_what_ran_elsewhere():
    with Cloud() as cloud:
        for i in range(6):
            cloud.send(cloud.put("o%d" % i, records(10 * i, 10)))
        run = cloud.run("worker", "--once", "--allow-inference-regions", "us-east-1, us-east-2")
        equal(run.returncode, 0, run.stderr)
        wanted = disallowed(cloud.records, ("us-east-1",))
        equal(guard_sums(cloud), wanted)
        check(wanted["DisallowedRegionInvocations"] > 0)
        lines = log_lines(run.stderr, "ran in Regions that are not allowed")
        equal(len(lines), 1, "one line a round")
        equal(sorted(lines[0]["regions"].split(",")), ["eu-west-1", "us-west-2"])
        equal(int(lines[0]["tokens"]), wanted["DisallowedRegionTokenCount"])
        equal(int(lines[0]["invocations"]), wanted["DisallowedRegionInvocations"])


def test_nothing_without_the_setting_or_elsewhere():
    for allowed in (None, "us-east-1,us-west-2,eu-west-1"):
        with Cloud() as cloud:
            cloud.send(cloud.put("o", records(0, 12)))
            run = cloud.run("worker", "--once", ALLOW_INFERENCE_REGIONS=allowed)
            equal(run.returncode, 0, run.stderr)
            equal(guard_sums(cloud), {})
            check("not allowed" not in run.stderr, run.stderr)


def test_with_a_ledger_it_counts_once():
    with tempfile.TemporaryDirectory() as folder, Cloud() as cloud:
        path = os.path.join(folder, "ledger.sqlite")
        keys = [cloud.put("o%d" % i, records(7 * i, 7)) for i in range(5)]
        for _ in range(3):
            for key in keys:
                cloud.send(key)
        run = cloud.run("worker", "--once", ALLOW_INFERENCE_REGIONS="us-east-1", LEDGER=path)
        equal(run.returncode, 0, run.stderr)
        wanted = disallowed(cloud.records, ("us-east-1",))
        equal(guard_sums(cloud), wanted)
        lines = log_lines(run.stderr, "ran in Regions that are not allowed")
        equal(sum(int(line["tokens"]) for line in lines), wanted["DisallowedRegionTokenCount"])


def test_the_worker_shows_it():
    with Cloud() as cloud:
        process = cloud.start("worker", "--listen", "127.0.0.1:0",
                              ALLOW_INFERENCE_REGIONS="us-east-1")
        port = int(process.wait_for_line(r"port=(\d+)").group(1))
        try:
            cloud.send(cloud.put("o", records(0, 9)))
            check(wait_until(lambda: queue(cloud).get("deleted") == 1))
            wanted = disallowed(cloud.records, ("us-east-1",))
            labels = '{queue="bedrock-logs",region="us-east-1"}'
            line = "bedrock_metrics_disallowed_region_tokens_total%s %d\n" % (
                labels, wanted["DisallowedRegionTokenCount"])
            check(wait_until(lambda: line in get(port, "/metrics")[1]), get(port, "/metrics")[1])
            check("bedrock_metrics_disallowed_region_invocations_total%s %d\n" % (
                labels, wanted["DisallowedRegionInvocations"]) in get(port, "/metrics")[1])
        finally:
            process.stop()


def test_a_wrong_list_is_refused():
    with Cloud() as cloud:
        for value in ("", ",", "us-east-1,,us-west-2"):
            run = cloud.run("worker", "--once", "--allow-inference-regions", value or " ")
            equal(run.returncode, 2, run.stderr)
            check("ALLOW_INFERENCE_REGIONS" in run.stderr, run.stderr)
