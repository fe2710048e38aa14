"""Every allocation of a series of calls fails once: no crash, no wrong result, nothing applied twice.

TORTURE_STEP=1 tries every single one; the default samples them.
"""
import gzip
import hashlib
import json
import os
import subprocess
import unittest

from harness import OUT, PLAIN_TOOL, answer, environment, serve
from support import TESTS
from support.process import preload_library

OBJECT = os.urandom(300000)
LIST = ("<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
        "<Contents><Key>a+b</Key><Size>5</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        "</Contents></ListBucketResult>")
STEP = int(os.environ.get("TORTURE_STEP", "23"))


class Torture(unittest.TestCase):
    def respond(self, request, _number, _server):
        if request.target == "/latest/api/token":
            return answer(200, "token")
        if request.target.endswith("/security-credentials/"):
            return answer(200, "role")
        if request.target.endswith("/security-credentials/role"):
            return answer(200, {"AccessKeyId": "AK", "SecretAccessKey": "s", "Token": "t",
                                "Expiration": "2099-01-01T00:00:00Z"})
        if request.operation == "ReceiveMessage":
            body = "x" * 50
            return answer(200, {"Messages": [{
                "MessageId": "m", "ReceiptHandle": "r", "Body": body,
                "MD5OfBody": hashlib.md5(body.encode()).hexdigest()}]})
        if request.operation == "PutMetricData":
            json.loads(gzip.decompress(request.body))
            self.applied += 1
            return answer(200, {})
        if "list-type=2" in request.query:
            return answer(200, LIST)
        return answer(200, OBJECT, [("ETag", '"e"')])

    def run_once(self, server, n):
        self.applied = 0
        queue = server.url + "/123456789012/q"
        calls = [{"op": "s3_get", "bucket": "bucket", "key": "k"},
                 {"op": "s3_list", "bucket": "bucket"},
                 {"op": "sqs_receive", "queue": queue},
                 {"op": "cw_put", "json": '{"Namespace":"N","MetricData":[]}'}]
        report = os.path.join(OUT, "allocations")
        env = environment(
            AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_EC2_METADATA_DISABLED=None,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url, AWS_ENDPOINT_URL=server.url,
            LD_PRELOAD=preload_library(TESTS / "torture" / "fail_alloc.c"), FAIL_ALLOC=n,
            FAIL_ALLOC_REPORT=report, AWS_MAX_ATTEMPTS=1)
        done = subprocess.run([PLAIN_TOOL], env=env, timeout=60,
                              input=b"".join(json.dumps(c).encode() + b"\n" for c in calls),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertGreaterEqual(done.returncode, 0,
                                "allocation %d: signal %d" % (n, -done.returncode))
        answers = []
        for line in done.stdout.splitlines():
            try:
                answers.append(json.loads(line))
            except ValueError:
                pass
        for got in answers:  # what claims to be right must be right
            if got.get("status") != "ok":
                continue
            if "sha256" in got and got.get("read") == len(OBJECT):
                self.assertEqual(hashlib.sha256(OBJECT).hexdigest(), got["sha256"], n)
            if "entries" in got and got["entries"]:
                self.assertIn(got["entries"][0].get("key", "<not text>"), ("a b", "<not text>"), n)
        self.assertLessEqual(self.applied, 1, n)
        if len(answers) == 4:
            status = answers[3].get("status")
            self.assertIn((status, self.applied), (("ok", 1), ("in_doubt", 1), ("in_doubt", 0),
                                                   ("no_memory", 0), ("retry", 0), ("denied", 0),
                                                   ("usage", 0), ("bad_item", 0), ("too_big", 0),
                                                   (None, 0), (None, 1)), (n, answers[3]))
        with open(report) as f:
            return int(f.read()), answers

    def test_every_allocation(self):
        with serve(self.respond) as server:
            total, answers = self.run_once(server, 0)
            self.assertEqual(["ok"] * 4, [a["status"] for a in answers], answers)
            for n in range(int(os.environ.get("TORTURE_FROM", "1")), total + 1, STEP):
                with self.subTest(allocation=n):
                    self.run_once(server, n)
            print("%d of %d allocations failed" % (len(range(1, total + 1, STEP)), total))
