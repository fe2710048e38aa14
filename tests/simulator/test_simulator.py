#!/usr/bin/env python3
"""Tests of bedrock-logs-sim: python3 tests/simulator/test_simulator.py [PATH OF bedrock-logs-sim]

The logs are read here once more with json.loads and classified from the text of the records; that
must give the answer the simulator states from its own knowledge.  Standard library only.
"""
import collections
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timezone

SIM = "build/release/bedrock-logs-sim"
LOG_KEY = re.compile(
    r"^(.*/)?AWSLogs/\d{12}/BedrockModelInvocationLogs/[a-z0-9-]+/"
    r"(?P<hour>\d{4}/\d\d/\d\d/\d\d)/(?P<stamp>\d{8}T\d{9}Z)_[0-9a-f]{16}\.json(\.gz)?$")
DATA_KEY = re.compile(
    r"AWSLogs/\d{12}/BedrockModelInvocationLogs/[a-z0-9-]+/\d{4}/\d\d/\d\d/\d\d/data/"
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_(input|output)(\.json(\.gz)?|_media_00\.pdf)$")
THROTTLES = {"ThrottlingException", "ServiceQuotaExceededException", "ModelNotReadyException"}
SERVER = {"InternalServerException", "ServiceUnavailableException", "ModelErrorException",
          "ModelTimeoutException", "ModelStreamErrorException"}
VENDORS = {"ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax",
           "mistral", "moonshot", "moonshotai", "nvidia", "openai", "qwen", "stability",
           "twelvelabs", "writer", "xai", "zai"}
GEOGRAPHIES = {"us", "us-gov", "eu", "apac", "jp", "au", "ca", "in", "sa", "global"}
DIMENSIONS = ["InferenceProfileType", "InferenceProfile", "ModelId", "SourceRegion",
              "InferenceRegion", "AccountId", "Operation", "Principal"]
METRICS = ["Invocations", "InputTokenCount", "OutputTokenCount", "CacheReadInputTokenCount",
           "CacheWriteInputTokenCount", "TotalTokenCount", "InvocationClientErrors",
           "InvocationServerErrors", "InvocationThrottles"]


def run(*args, check=0):
    done = subprocess.run([SIM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != check:
        raise AssertionError(f"{args}: status {done.returncode}\n{done.stderr}")
    return done


def files_of(folder):
    for root, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(root, name)
            yield os.path.relpath(path, folder), path


def tree_hash(folder):
    digest = hashlib.sha256()
    for key, path in files_of(folder):
        with open(path, "rb") as f:
            digest.update(key.encode() + b"\0" + hashlib.sha256(f.read()).digest())
    return digest.hexdigest()


def texts_of(raw):
    """All top-level JSON texts, arrays descended one level."""
    text = raw.decode("utf-8")
    decoder = json.JSONDecoder()
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        if at == len(text):
            return
        value, at = decoder.raw_decode(text, at)
        yield from value if isinstance(value, list) else [value]


def classify(model_id, region, there):
    """Type, profile, model of a modelId."""
    evidence = "CrossRegion" if there and there != region else "Unknown"
    resource = model_id.split(":", 5)[5] if model_id.startswith("arn:") else model_id
    if resource.startswith("application-inference-profile/"):
        return evidence, resource.split("/")[1], resource
    if resource.startswith(("prompt/", "prompt-router/", "default-prompt-router/")):
        return evidence, "none", resource
    if resource.startswith("foundation-model/"):
        return "InRegion", "none", resource.split("/", 1)[1]
    if resource.startswith("inference-profile/"):
        resource = resource.split("/", 1)[1]
    elif "/" in resource:
        return "InRegion", "none", resource
    labels = resource.split(".")
    if labels[0] in GEOGRAPHIES or (labels[1] in VENDORS and labels[0] not in VENDORS):
        kind = "GlobalCrossRegion" if labels[0] == "global" else "CrossRegion"
        return kind, resource, ".".join(labels[1:])
    return "InRegion", "none", resource


def principal_of(record):
    arn = (record.get("identity") or {}).get("arn")
    if not arn:
        return "unknown"
    resource = arn.split(":", 5)[5]
    parts = resource.split("/")
    if parts[0] == "assumed-role":
        return "role/" + parts[1]
    if parts[0] == "role":
        return "role/" + parts[-1]
    return resource


def measure(record):
    """Key of the row, and the nine sums."""
    text = record["timestamp"].upper().replace("Z", "+00:00")
    time = datetime.fromisoformat(re.sub(r"\.\d+", "", text)).astimezone(timezone.utc)
    hour = time.strftime("%Y-%m-%dT%H:00:00Z")
    region = record["region"]
    there = record.get("inferenceRegion")
    kind, profile, model = classify(record["modelId"], region, there)
    key = (hour, kind, profile, model, region,
           there or (region if kind == "InRegion" else "unknown"), record["accountId"],
           record["operation"], principal_of(record))
    given = record.get("input") or {}
    made = record.get("output") or {}
    tokens = [given.get("inputTokenCount") or 0, made.get("outputTokenCount") or 0,
              given.get("cacheReadInputTokenCount") or 0,
              given.get("cacheWriteInputTokenCount") or 0]
    error = record.get("errorCode")
    return key, [int(not error), *tokens, sum(tokens),
                 int(bool(error) and error not in THROTTLES | SERVER),
                 int(error in SERVER), int(error in THROTTLES)]


class Logs:
    """What an independent reader makes of a folder or file of logs."""

    def __init__(self, paths):
        self.rows = collections.defaultdict(lambda: [0] * len(METRICS))
        self.records = self.read = self.inflated = 0
        self.objects = []
        self.shapes = collections.Counter()
        for path in paths:
            with open(path, "rb") as f:
                packed = f.read()
            raw = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
            self.read += len(packed)
            self.inflated += len(raw)
            count = 0
            for record in texts_of(raw):
                self.add(record)
                count += 1
            self.objects.append((path, raw, count))

    def add(self, record):
        assert record["schemaType"] == "ModelInvocationLog", record["requestId"]
        key, sums = measure(record)
        self.rows[key] = [a + b for a, b in zip(self.rows[key], sums)]
        self.records += 1
        for kind in (key[1], record["operation"], record.get("errorCode") or "success",
                     record["modelId"].split(".")[0] if ":" not in record["modelId"].split(".")[0]
                     else record["modelId"].split(":")[-1].split("/")[0]):
            self.shapes[kind] += 1
        body = json.dumps((record.get("output") or {}).get("outputBodyJson"))
        for mark in ("guardrail_intervened", "[DONE]", "amazon-bedrock-invocationMetrics",
                     '"embedding"', "latencyMs"):
            self.shapes[mark] += mark in body
        given = record.get("input") or {}
        self.shapes["offloaded"] += "inputBodyS3Path" in given
        self.shapes["schema first"] += list(record)[0] == "schemaType"
        self.shapes["time first"] += list(record)[0] == "timestamp"
        self.shapes["metadata"] += "requestMetadata" in record
        self.shapes["inference equal"] += record.get("inferenceRegion") == record["region"]

    def expected_rows(self):
        rows = []
        for key, sums in sorted(self.rows.items(), key=lambda item: [p.encode() for p in item[0]]):
            row = dict(zip(["time", *DIMENSIONS], key))
            row.update(zip(METRICS, sums))
            rows.append(row)
        return rows


class SimulatorTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tmp = folder.name

    def path(self, name):
        return os.path.join(self.tmp, name)

    def generate(self, name, *args):
        run("--out", self.path(name), "--expected", self.path(name + ".json"), *args)
        with open(self.path(name + ".json"), encoding="utf-8") as f:
            return self.path(name), json.load(f)

    def check(self, folder, expected):
        groups = collections.defaultdict(list)
        for key, path in files_of(folder):
            if "/data/" in key:
                self.assertRegex(key, DATA_KEY)
                groups["offloaded_body"].append(path)
            elif os.path.basename(key).startswith("amazon-bedrock-logs-permission-check"):
                self.assertEqual(0, os.path.getsize(path))
                groups["permission_check"].append(path)
            elif "/BedrockModelInvocationLogs/" not in key:
                groups["other_service"].append(path)
            else:
                found = LOG_KEY.match(key)
                self.assertTrue(found, key)
                self.assertEqual(found["hour"].replace("/", ""),
                                 found["stamp"][:8] + found["stamp"][9:11])
                groups["logs"].append(path)
        logs = Logs(groups.pop("logs"))
        self.check_answer(logs, expected)
        skipped = {reason: len(paths) for reason, paths in groups.items()}
        self.assertEqual({"found": len(logs.objects) + sum(skipped.values()),
                          "counted": len(logs.objects), "duplicate": 0, "failed": 0,
                          "skipped": skipped}, expected["objects"])
        return logs

    def check_answer(self, logs, expected):
        self.assertEqual("bedrock-metrics/aggregate/1", expected["schema"])
        self.assertEqual(DIMENSIONS, expected["by"])
        self.assertEqual("1h", expected["interval"])
        self.assertEqual(logs.expected_rows(), expected["rows"])
        self.assertEqual({m: sum(r[m] for r in expected["rows"]) for m in METRICS},
                         expected["totals"])
        self.assertEqual({"found": logs.records, "counted": logs.records, "skipped": {}},
                         expected["records"])
        self.assertEqual({"read": logs.read, "inflated": logs.inflated}, expected["bytes"])

    def test_same_seed_same_bytes(self):
        for profile in ("mixed", "none", "agent"):
            args = ("--profile", profile, "--records", "300", "--hours", "3")
            first, one = self.generate(profile + "1", "--seed", "7", *args)
            second, two = self.generate(profile + "2", "--seed", "7", *args)
            third, _ = self.generate(profile + "3", "--seed", "8", *args)
            self.assertEqual(tree_hash(first), tree_hash(second))
            self.assertEqual(one, two)
            self.assertNotEqual(tree_hash(first), tree_hash(third))

    def test_answer_of_every_profile(self):
        for profile, count in (("demo", 1500), ("mixed", 2500), ("chat", 600), ("agent", 60),
                               ("none", 5000)):
            with self.subTest(profile=profile):
                folder, expected = self.generate(profile, "--profile", profile, "--records",
                                                 str(count), "--accounts", "4")
                self.assertEqual(count, self.check(folder, expected).records)

    def test_every_shape_is_in_the_mix(self):
        folder, expected = self.generate("m", "--profile", "mixed", "--records", "6000", "--seed",
                                         "3")
        logs = self.check(folder, expected)
        wanted = {"us", "eu", "apac", "jp", "au", "ca", "in", "us-gov", "global", "sa", "kr",
                  "foundation-model", "inference-profile", "application-inference-profile",
                  "provisioned-model", "imported-model", "endpoint",
                  "GlobalCrossRegion", "CrossRegion", "InRegion", "Unknown", "success",
                  "InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream",
                  "ValidationException", "AccessDeniedException", "guardrail_intervened", "[DONE]",
                  "amazon-bedrock-invocationMetrics", '"embedding"', "latencyMs", "offloaded",
                  "schema first", "time first", "metadata", "inference equal"}
        self.assertEqual(set(), {w for w in wanted | THROTTLES | SERVER if not logs.shapes[w]})
        self.assertTrue(any(path.split("/")[-2] != raw_hour(raw) for path, raw, n in logs.objects
                            if n), "a batch lies in the hour after its records")
        principals = {row["Principal"] for row in expected["rows"]}
        self.assertLessEqual({"root", "federated-user/carol", "user/ci-review", "unknown",
                              "role/AmazonBedrockExecutionRoleForAgents_K7QX"}, principals)
        self.assertTrue(any(row["AccountId"].startswith("0") for row in expected["rows"]))

    def test_sizes_and_ratios(self):
        for profile, size, ratio, record, batch in (
                ("none", "6M", (9, 13), (540, 600), (100, 2000)),
                ("chat", "12M", (3.6, 4.4), (5000, 7000), (20, 200)),
                ("agent", "20M", (3.0, 3.6), (52000, 70000), (5, 40))):
            with self.subTest(profile=profile):
                folder, expected = self.generate(profile, "--profile", profile, "--size", size)
                logs = self.check(folder, expected)
                wanted = int(size[:-1]) * 1000000
                self.assertGreaterEqual(logs.inflated, wanted)
                self.assertLess(logs.inflated, wanted + 400000)
                found = logs.inflated / logs.read
                self.assertTrue(ratio[0] <= found <= ratio[1], f"ratio {found:.2f}")
                found = logs.inflated / logs.records
                self.assertTrue(record[0] <= found <= record[1], f"{found:.0f} bytes a record")
                counts = sorted(n for _, _, n in logs.objects)
                self.assertLessEqual(counts[-1], batch[1])
                self.assertGreaterEqual(counts[len(counts) // 2], batch[0])

    def test_gzip_agrees(self):
        folder, _ = self.generate("g", "--profile", "mixed", "--records", "400")
        packed = [path for key, path in files_of(folder) if key.endswith(".gz")]
        for i in range(0, len(packed), 200):
            subprocess.run(["gzip", "-t", *packed[i:i + 200]], check=True)
        for path in packed:
            with open(path, "rb") as f:
                self.assertEqual(b"\x1f\x8b\x08\0\0\0\0\0", f.read(8), "no time in the header")

    def test_single_plain_and_prefix(self):
        args = ("--profile", "chat", "--records", "200")
        for name in ("all.json.gz", "all.json"):
            run("--single", self.path(name), "--expected", self.path("e.json"), *args,
                *(["--plain"] if name == "all.json" else []))
            with open(self.path("e.json"), encoding="utf-8") as f:
                self.check_answer(Logs([self.path(name)]), json.load(f))
        folder, expected = self.generate("p", "--profile", "mixed", "--records", "200", "--plain",
                                         "--prefix", "us-east-1/bedrock raw/")
        self.check(folder, expected)
        self.assertEqual(["us-east-1"], os.listdir(folder))
        self.assertFalse([key for key, _ in files_of(folder) if key.endswith(".gz")])

    def test_time_and_places(self):
        folder, expected = self.generate(
            "t", "--records", "500", "--start", "2026-03-01T01:00:00+02:00", "--hours", "2",
            "--accounts", "1", "--regions", "us-gov-east-1,mx-central-1")
        self.check(folder, expected)
        self.assertEqual({"2026-02-28T23:00:00Z", "2026-03-01T00:00:00Z"},
                         {row["time"] for row in expected["rows"]})
        self.assertEqual({"us-gov-east-1", "mx-central-1"},
                         {row["SourceRegion"] for row in expected["rows"]})

    def test_wrong_usage(self):
        for args in (["--frobnicate"], ["--out"], [], ["--out", "a", "--single", "b"],
                     ["--out", "x", "--records", "0"], ["--out", "x", "--records", "5x"],
                     ["--out", "x", "--size", "5T"], ["--out", "x", "--size", ""],
                     ["--out", "x", "--profile", "big"], ["--out", "x", "--start", "2026-02-30"],
                     ["--out", "x", "--regions", "us-east-1,moon-1"], ["--out", "x", "--out", "y"],
                     ["--out", "x", "--records", "1", "--size", "1"],
                     ["--out", "x", "--prefix", "a/../b"], ["--out", "x", "--seed", "-1"],
                     ["--out", self.path("x"), "--expected", self.path("x/e.json")]):
            with self.subTest(args=args):
                done = run(*args, check=2)
                self.assertEqual("", done.stdout)
                self.assertIn("bedrock-logs-sim: ", done.stderr)
        with open(self.path("something"), "w", encoding="utf-8"):
            pass
        run("--out", self.tmp, check=2)
        self.assertIn("--profile", run("--help").stdout)


def raw_hour(raw):
    found = re.search(rb'"timestamp": ?"\d{4}-\d\d-\d\dT(\d\d)', raw)
    return found.group(1).decode()


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        SIM = os.path.abspath(sys.argv.pop(1))
    else:
        SIM = os.path.abspath(SIM)
    unittest.main()
