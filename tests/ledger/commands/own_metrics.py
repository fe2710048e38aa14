"""own_metrics.py: what the program says of itself in CloudWatch through a ledger: requests in doubt,
duplicates, what a sweep found, rejected records, objects that changed.  Each is counted once."""
import collections
import time

from support.cloud import NAMESPACE
from support.records import BUCKET, log_object, numbered
from support.results import check, equal
from world import World

OWN = ("InDoubt", "Duplicates", "Sweep", "Objects", "Records", "Oldest")


def reported(w):
    """{metric or metric/value: sum} of the program's own metrics."""
    out = collections.Counter()
    for namespace, metric, dimensions, _, points in w.cloudwatch.data():
        if namespace == NAMESPACE and metric.startswith(OWN):
            out["/".join([metric, *dimensions.values()])] += sum(p["Sum"] for p in points.values())
    return {k: v for k, v in out.items() if v and k not in ("InDoubtOpen", "OldestOpenBatchAge")}


def until_done(w, *words, rounds=8, **env):
    for _ in range(rounds):
        run = w.run(*words, **dict(w.settings, **env))
        if run.returncode == 0:
            return run
        time.sleep(1)
    equal(run.returncode, 0, " ".join(words) + run.stderr)
    return run


def test_resolved_doubts_are_reported_once():
    for fault, name in (("lost", "InDoubtResolvedApplied"),
                        ("not_applied", "InDoubtResolvedAbsent")):
        with World(visibility=1) as w:
            w.put_some(3)
            w.cloudwatch.control({"faults": [{"kind": fault, "op": "PutMetricData"}]})
            w.do(1, "worker", "--once")
            time.sleep(2.1)
            until_done(w, "ledger", "resolve")
            equal(reported(w), {name: 1}, fault)
            w.do(0, "ledger", "resolve")
            w.do(0, "worker", "--once")  # its messages are retried
            equal({k: v for k, v in reported(w).items() if k.startswith("InDoubt")}, {name: 1}, fault)
            equal(w.exact(), w.expected())
            w.do(0, "ledger", "verify", "--until", "0m")


def test_policies_tell_what_may_be_wrong():
    for policy, fault in (("resend", "lost"), ("drop", "not_applied")):
        with World(visibility=1) as w:
            w.put_some(3)
            w.cloudwatch.control({"faults": [{"kind": fault, "op": "PutMetricData"}]})
            until_done(w, "worker", "--once", LEDGER_POLICY=policy)
            name = {"resend": "InDoubtResent", "drop": "InDoubtDropped"}[policy]
            equal(reported(w), {name: 1, name + "Tokens": w.expected()["TotalTokenCount"]}, policy)
            shown = w.exact().get("TotalTokenCount", 0)
            off = shown - w.expected()["TotalTokenCount"]
            equal(abs(off), reported(w)[name + "Tokens"], "the deviation is what is reported")


def test_open_batches_are_told_while_they_are_open():
    with World(visibility=1) as w:
        w.put_some(3)
        w.cloudwatch.control({"faults": [{"kind": "not_applied", "op": "PutMetricData"}]})
        slow = {"BEDROCK_METRICS_TEST_FENCE_MS": 60000}
        w.do(1, "worker", "--once", **slow)
        time.sleep(1.1)
        w.do(1, "ledger", "resolve", **slow)
        series = {metric: max(p["Maximum"] for p in points.values()) for _, metric, dimensions, _,
                  points in w.cloudwatch.data() if not dimensions}
        equal(series["InDoubtOpen"], 1)
        check(series["OldestOpenBatchAge"] >= 1, series)


def test_duplicates_sweeps_and_rejected_records_are_reported():
    with World(visibility=1) as w:
        keys = w.put_some(2)
        w.do(0, "worker", "--once")
        equal(reported(w), {})
        text = log_object([numbered(1)]) + log_object([{"schemaType": "X"}, numbered(2, region="")])
        w.put("mixed", [numbered(1)], content=text)
        found = w.put("found", [numbered(5)])
        w.send(*keys)
        w.do(0, "ledger", "sweep", "--grace", "0m")
        want = {"SweepRecovered": 2, "RecordsRejected/not_invocation_log": 1,
                "RecordsRejected/invalid": 1}
        equal(reported(w), want)
        # Duplicates travel with what is counted next: here in one run with it.
        w.send(w.put("next", [numbered(6)]))
        w.send(found)
        w.do(0, "worker", "--once", BATCH_SIZE=10)
        want["DuplicatesSuppressed"] = 3
        equal(reported(w), want)
        # Nothing but rejected records: reported as well.
        w.send(w.put("bad", [], content=b"{}\n{}\n", count=False))
        w.do(0, "worker", "--once")
        want["RecordsRejected/not_invocation_log"] = 3
        equal(reported(w), want)
        equal(w.exact(), w.expected())
        w.do(0, "ledger", "verify", "--until", "0m")


def test_objects_that_changed_are_named_and_not_counted_again():
    with World(visibility=1) as w:
        first, second = w.put_some(2)
        w.do(0, "worker", "--once")
        w.send(first)
        quiet = w.do(0, "worker", "--once")
        check("object changed" not in quiet, quiet)
        w.put("o0", [], content=log_object([numbered(77)]), count=False)
        w.send(first)
        log = w.do(0, "worker", "--once")
        check("object changed after it was counted, not counted again object=" + first in log, log)
        check(second not in log, log)
        equal(reported(w)["ObjectsChanged"], 1)
        # The sweep meets it again, names it, and does not count it a second time.
        for words in (("--dry-run",), ()):
            swept = w.do(0, "ledger", "sweep", "--grace", "0m", "--output", "json", *words)
            equal((swept["changed"], swept["missing"], swept["done"]), (1, 0, 2))
        equal(reported(w)["ObjectsChanged"], 1)
        # Another content is another change.
        w.put("o1", [], content=log_object([numbered(78)]), count=False)
        equal(w.do(0, "ledger", "sweep", "--grace", "0m", "--output", "json")["changed"], 2)
        equal(reported(w)["ObjectsChanged"], 2)
        equal(w.exact(), w.expected())
        # Replicas have ETags of their own: not compared.
        env = {"LEDGER_IDENTITY": "path", "LEDGER": w.folder + "/other"}
        w.do(0, "ledger", "sweep", "s3://" + BUCKET, "--grace", "0m", "--dry-run", "--output", "text")
        equal(w.run("ledger", "sweep", "--grace", "0m", "--dry-run",
                    **dict(w.settings, **env)).returncode, 1)
