"""receipts.py: `--receipt`: the same objects have the same digest whoever counts them, and receipts
of disjoint runs add up.  The digest is computed here from its description in docs/reliability."""
import hashlib
import json
import os
import time

from support import process
from support.process import BINARY
from support.records import BUCKET, log_object, numbered
from support.results import check, equal
from world import World


def digest_of(*identities):
    """Sum modulo 2^256 of one SHA-256 an object, over its identity with a label before it."""
    total = 0
    for identity in identities:
        inner = hashlib.sha256(identity).digest()
        outer = hashlib.sha256(b"bedrock-metrics/receipt/1\0" + inner).digest()
        total += int.from_bytes(outer, "big")
    return "sha256sum:%064x" % (total % 2**256)


def by_key(*keys, bucket=BUCKET):
    return digest_of(*((bucket + "\0" + key).encode() for key in keys))


def by_path(*keys):
    return digest_of(*(b"\0" + key[key.index("AWSLogs/"):].encode() for key in keys))


def added(a, b):
    total = sum(int(d["sum"].split(":")[1], 16) for d in (a, b)) % 2**256
    return {"objects": a["objects"] + b["objects"], "sum": "sha256sum:%064x" % total}


def receipt(w, status, *words, **env):
    path = w.folder + "/receipt.json"
    w.do(status, *words, "--receipt", path, **env)
    with open(path, encoding="utf-8") as f:
        value = json.load(f)
    os.remove(path)
    objects, records = value["objects"], value["records"]
    equal(objects["found"], objects["counted"] + objects["duplicate"] + objects["failed"] +
          value["held"] + sum(objects["skipped"].values()), "balance of objects")
    equal(records["found"], records["counted"] + sum(records["skipped"].values()),
          "balance of records")
    equal(os.listdir(w.folder).count("receipt.json"), 0)
    check(not [n for n in os.listdir(w.folder) if n.startswith("receipt.json.")], "left behind")
    return value


def counts(w):
    return {k: v for k, v in w.expected().items() if v}


def test_receipts_of_disjoint_runs_add_up():
    with World(visibility=1) as w:
        sent = w.put_some(3, "queue")
        swept = w.put_some(4, "sweep", sent=False)
        first = receipt(w, 0, "worker", "--once")
        equal(first["digest"], {"objects": 3, "sum": by_key(*sent)})
        equal((first["delivery"], first["identity"]), ("exactly-once", "key"))
        second = receipt(w, 0, "ledger", "sweep", "--grace", "0m")
        equal(second["digest"], {"objects": 4, "sum": by_key(*swept)})
        equal((second["objects"]["found"], second["objects"]["duplicate"]), (4, 0))
        # Another machine, without a ledger, in one go, with any number of jobs.
        for jobs in ("1", "4"):
            whole = receipt(w, 0, "aggregate", "s3://" + BUCKET, "--dry-run", "--jobs", jobs,
                            LEDGER=None)
            equal(whole["digest"], added(first["digest"], second["digest"]))
            equal(whole["digest"], {"objects": 7, "sum": by_key(*sent, *swept)})
            for name, total in whole["sums"].items():
                equal(total, first["sums"][name] + second["sums"][name], name)
            equal({k: v for k, v in whole["sums"].items() if k in counts(w)}, counts(w))
        # What is counted already is a duplicate, and in no further receipt.
        w.send(*sent)
        again = receipt(w, 0, "worker", "--once")
        equal((again["objects"]["duplicate"], again["digest"]["objects"]), (3, 0))
        equal(again["digest"]["sum"], by_key())
        equal(set(again["sums"].values()), {0})


def test_receipt_of_a_copy_of_the_bucket():
    with World() as w:
        keys = w.put_some(5, sent=False)
        for key in keys:
            path = "%s/copy/%s" % (w.folder, key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(w.stub.objects[BUCKET][key][0])
        env = {"LEDGER": None, "LEDGER_IDENTITY": "path"}
        local = receipt(w, 0, "aggregate", w.folder + "/copy", "--dry-run", **env)
        remote = receipt(w, 0, "aggregate", "s3://" + BUCKET, "--dry-run", **env)
        for name in ("digest", "sums", "records"):
            equal(local[name], remote[name], name)
        equal(local["digest"], {"objects": 5, "sum": by_path(*keys)})
        equal(local["identity"], "path")
        by_name = receipt(w, 0, "aggregate", w.folder + "/copy", "--dry-run", LEDGER=None)
        check(by_name["digest"]["sum"] != local["digest"]["sum"])


def test_receipt_names_what_was_rejected():
    with World(visibility=1) as w:
        good = [numbered(1), numbered(2)]
        bad = [{"schemaType": "Other"}, numbered(3, region="")]
        text = "".join(json.dumps(r) + "\n" for r in good + bad).encode() + b'{"schemaType":}\n'
        key = w.put("mixed", [], content=text, count=False)
        w.send(key, "AWSLogs/1/BedrockModelInvocationLogs/gone.json.gz")
        got = receipt(w, 0, "worker", "--once")
        equal(got["records"], {"found": 5, "counted": 2, "skipped": {
            "malformed": 1, "not_invocation_log": 1, "invalid": 1}})
        equal((got["objects"]["counted"], got["objects"]["skipped"]["missing"]), (1, 1))
        # The log has the same.
        w.send(w.put("again", [], content=text, count=False))
        log = w.do(0, "worker", "--once")
        for line in ("round", "worker ended"):
            named = [one for one in log.splitlines() if "  %s " % line in one]
            check(any("malformed=1 not_invocation_log=1 invalid=1 out_of_range=0" in one
                      for one in named), line, log)
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
        late = receipt(w, 0, "aggregate", "s3://" + BUCKET, "--dry-run", "--since", since,
                       LEDGER=None)
        equal(late["records"]["skipped"]["out_of_range"], 4)


def test_receipt_of_who_finishes_a_batch():
    with World(visibility=1) as w:
        keys = w.put_some(3)
        w.cloudwatch.control({"faults": [{"kind": "lost", "op": "PutMetricData"}]})
        first = receipt(w, 1, "worker", "--once", BEDROCK_METRICS_TEST_FENCE_MS=60000)
        equal((first["digest"]["objects"], first["objects"]["counted"]), (0, 0))
        for _ in range(5):
            time.sleep(1)
            run = w.run("ledger", "resolve", "--receipt", w.folder + "/r", **w.settings)
            if run.returncode == 0:
                break
        equal(run.returncode, 0, run.stderr)
        with open(w.folder + "/r", encoding="utf-8") as f:
            second = json.load(f)
        equal(second["recovered"], {"batches": 1, "objects": 3})
        equal(second["digest"], {"objects": 3, "sum": by_key(*keys)})


def test_receipt_of_what_is_held():
    with World(visibility=1) as w:
        keys = w.put_some(3)
        w.cloudwatch.control({"faults": [{"kind": "not_applied", "op": "PutMetricData"}]})
        first = None
        for _ in range(4):
            run = w.run("worker", "--once", "--receipt", w.folder + "/r",
                        **dict(w.settings, LEDGER_POLICY="hold"))
            with open(w.folder + "/r", encoding="utf-8") as f:
                first = json.load(f)
            if run.returncode == 0:
                break
            time.sleep(1)
        equal((run.returncode, first["digest"]["objects"]), (0, 0), run.stderr)
        equal(first["held"] + first["objects"]["duplicate"], 3)
        for _ in range(6):
            run = w.run("ledger", "resolve", "--policy", "resolve", "--receipt", w.folder + "/r",
                        **w.settings)
            with open(w.folder + "/r", encoding="utf-8") as f:
                last = json.load(f)
            if run.returncode == 0:
                break
            time.sleep(1)
        equal(last["digest"], {"objects": 3, "sum": by_key(*keys)})
        equal(last["recovered"], {"batches": 1, "objects": 3})


def test_receipt_of_aggregate_by_way_of_the_ledger():
    with World(visibility=1) as w:
        before = w.put_some(2)
        w.do(0, "worker", "--once")
        late = w.put_some(3, "late", sent=False)
        got = receipt(w, 0, "aggregate", "s3://" + BUCKET, "--publish", "--output", "csv")
        equal(got["digest"], {"objects": 3, "sum": by_key(*late)})
        equal((got["objects"]["found"], got["objects"]["counted"], got["objects"]["duplicate"]),
              (5, 3, 2))
        equal(got["delivery"], "exactly-once")
        none = receipt(w, 0, "aggregate", "s3://" + BUCKET, "--ledger", w.settings["LEDGER"],
                       "--output", "csv")
        equal((none["digest"]["objects"], none["objects"]["duplicate"], none["delivery"]),
              (0, 5, None))
        check(before)


def test_receipt_on_standard_output_and_input():
    with World() as w:
        path = w.folder + "/one.json"
        with open(path, "wb") as f:
            f.write(log_object([numbered(1)]))
        run = w.run("aggregate", path, "--dry-run", "--receipt", "-", LEDGER=None)
        equal(run.returncode, 0, run.stderr)
        equal(json.loads(run.stdout)["digest"]["sum"], digest_of(b"\0" + path.encode()))
        run = process.run([BINARY, "aggregate", "-", path, "--dry-run", "--receipt", "-"],
                          env=w.env(), input=log_object([numbered(2)]))
        equal(run.returncode, 0, run.stderr)
        both = json.loads(run.stdout)
        equal((both["objects"]["counted"], both["unnamed"], both["digest"]["objects"],
               both["sums"]["Invocations"]), (2, 1, 1, 2))
        w.do(2, "aggregate", path, "--receipt", "-", LEDGER=None)
        w.do(2, "aggregate", path, "--dry-run", "--receipt", w.folder + "/no/such/place",
             LEDGER=None)
        w.do(2, "worker", "--once", "--receipt", "-", LEDGER=None)
        w.do(2, "ledger", "sweep", "--receipt", "-")
        check(not os.path.exists(w.folder + "/ledger"), "work was begun")
