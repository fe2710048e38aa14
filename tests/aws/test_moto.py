"""Every service call against moto, through a proxy that verifies our signatures with botocore's signer."""
import gzip
import hashlib
import hmac
import http.client
import json
import os
import sys
import time
import unittest
import urllib.parse

from harness import Tool, answer, environment, serve
from support.process import ACCESS, SECRET
from moto_harness import MotoServer, venv_ready

try:
    import boto3
    from botocore.auth import SigV4Auth
    from botocore.credentials import Credentials
    from botocore.utils import normalize_url_path
except ImportError:
    boto3 = None

SECRETS = {ACCESS: SECRET}


def refusal(request):
    """Why AWS would refuse this request's signature, or None."""
    h = request.headers
    auth = h.get("authorization", "")
    if not auth.startswith("AWS4-HMAC-SHA256 "):
        return "MissingAuthenticationToken"
    fields = dict(x.strip().split("=", 1) for x in auth[17:].split(","))
    key, date, region, service, _ = fields["Credential"].split("/")
    if key not in SECRETS:
        return "InvalidClientTokenId"
    signed = fields["SignedHeaders"].split(";")
    if signed != sorted(signed) or "host" not in signed:
        return "SignedHeaders"
    if any(k.startswith("x-amz-") and k not in signed for k in h):
        return "UnsignedHeaders"
    stamp = time.strptime(h["x-amz-date"], "%Y%m%dT%H%M%SZ")
    import calendar
    if abs(calendar.timegm(stamp) - time.time()) > 900:
        return "RequestTimeTooSkewed"
    payload = hashlib.sha256(request.body).hexdigest()
    if service == "s3" and h.get("x-amz-content-sha256") != payload:
        return "XAmzContentSHA256Mismatch"
    path = request.path
    if service != "s3":
        path = urllib.parse.quote(normalize_url_path(path), safe="/~")
    pairs = sorted(tuple((x.split("=", 1) + [""])[:2]) for x in request.query.split("&") if x)
    canonical = "\n".join([
        request.method, path, "&".join("%s=%s" % p for p in pairs),
        "".join("%s:%s\n" % (k, " ".join(h[k].split())) for k in signed), ";".join(signed),
        payload])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", h["x-amz-date"],
                         "/".join([date, region, service, "aws4_request"]),
                         hashlib.sha256(canonical.encode()).hexdigest()])

    class Stamp:
        context = {"timestamp": h["x-amz-date"]}
    want = SigV4Auth(Credentials(key, SECRETS[key]), service, region).signature(to_sign, Stamp)
    return None if hmac.compare_digest(want, fields["Signature"]) else "SignatureDoesNotMatch"


def proxy(moto_port):
    def respond(request, _number, _server):
        why = refusal(request)
        if why:
            return answer(403, "<Error><Code>%s</Code></Error>" % why)
        headers = dict(request.headers)
        body = request.body
        # moto's server unzips JSON twice, so it is done here.
        if headers.get("content-encoding") == "gzip" and "/monitoring/" in headers["authorization"]:
            body = gzip.decompress(body)
            del headers["content-encoding"]
        headers["content-length"] = str(len(body))
        upstream = http.client.HTTPConnection("127.0.0.1", moto_port)
        upstream.request(request.method, request.target, body=body, headers=headers)
        reply = upstream.getresponse()
        data = reply.read()
        keep = [(k, v) for k, v in reply.getheaders()
                if k.lower() not in ("connection", "content-length", "transfer-encoding", "server")]
        if request.method == "HEAD":
            keep.append(("Content-Length", reply.getheader("Content-Length") or "0"))
            data = b""
        upstream.close()
        return answer(reply.status, data, keep)
    return serve(respond)


ODD_KEYS = ["plain.gz", "a b.gz", "a+b", "dt=2026-01-02/hr=03/x", "\u00e9/\u00fc", "\u65e5\u672c",
            "a//b", "/lead", "a/./b/../c", "a%2Fb", "~t_-.", "a:b@c,d;e!f*g(h)'i", "q?x=1&y#z",
            "\"<>\\^`{|}[]", "$&", "t\x7f"]


@unittest.skipIf(boto3 is None or not venv_ready(sys.prefix), "moto is not installed")
class Moto(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.moto = MotoServer(sys.prefix).start()
        cls.direct = cls.moto.url
        cls.proxy = proxy(cls.moto.port)
        cls.tool = Tool(environment(AWS_ENDPOINT_URL=cls.proxy.url))

    @classmethod
    def tearDownClass(cls):
        cls.tool.close()
        cls.proxy.close()
        cls.moto.stop()

    def boto(self, name):
        return boto3.client(name, region_name="us-east-1", endpoint_url=self.direct,
                            aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="x")

    def ok(self, **request):
        got = self.tool.call(**request)
        self.assertEqual("ok", got["status"], got)
        return got

    def refused(self, status, **request):
        got = self.tool.call(**request)
        self.assertEqual(status, got["status"], got)
        return got

    def bucket(self, name):
        s3 = self.boto("s3")
        s3.create_bucket(Bucket=name)
        return s3

    def test_s3_get(self):
        s3 = self.bucket("objects")
        for i, key in enumerate(ODD_KEYS):
            body = os.urandom(1000 + i)
            s3.put_object(Bucket="objects", Key=key, Body=body)
            got = self.ok(op="s3_get", bucket="objects", key=key)
            self.assertEqual(hashlib.sha256(body).hexdigest(), got["sha256"], key)
        s3.put_object(Bucket="objects", Key="empty", Body=b"")
        self.assertEqual(0, self.ok(op="s3_get", bucket="objects", key="empty")["size"])
        big = os.urandom(20 * 1024 * 1024 + 17)
        s3.put_object(Bucket="objects", Key="big", Body=big)
        for chunk in (256 * 1024, 5000, 1):
            if chunk == 1:
                big = big[:70000]
                s3.put_object(Bucket="objects", Key="big", Body=big)
            got = self.ok(op="s3_get", bucket="objects", key="big", chunk=chunk)
            self.assertEqual(hashlib.sha256(big).hexdigest(), got["sha256"])
            self.assertEqual(0, got["restarts"])

    def test_s3_refusals(self):
        self.bucket("conditions")
        self.refused("missing", op="s3_get", bucket="conditions", key="none")
        self.refused("missing", op="s3_get", bucket="no-such-bucket", key="k")
        self.refused("bad_item", op="s3_get", bucket="conditions", key="")
        self.refused("bad_item", op="s3_get", bucket="Evil/../bucket", key="k")

    def test_s3_list(self):
        s3 = self.bucket("listing")
        keys = ["p/%02d/k %d+&<>" % (i % 4, i) for i in range(23)] + ["p/" + k for k in ODD_KEYS]
        for key in keys + ["other"]:
            s3.put_object(Bucket="listing", Key=key, Body=key.encode())
        want = sorted(keys, key=lambda k: k.encode())
        for page in (0, 1, 7):
            got = self.ok(op="s3_list", bucket="listing", prefix="p/", page=page)
            self.assertEqual(want, [e["key"] for e in got["entries"]])
            self.assertEqual([len(k.encode()) for k in want], [e["size"] for e in got["entries"]])
        got = self.ok(op="s3_list", bucket="listing", prefix="p/", start_after=want[10])
        self.assertEqual(want[11:], [e["key"] for e in got["entries"]])
        got = self.ok(op="s3_list", bucket="listing", prefix="p/", delimiter="/")
        self.assertIn("p/00/", [e["key"] for e in got["entries"] if e["prefix"]])
        self.assertNotIn("p/00/", [e["key"] for e in got["entries"] if not e["prefix"]])
        self.assertEqual([], self.ok(op="s3_list", bucket="listing", prefix="zz")["entries"])
        self.refused("missing", op="s3_list", bucket="no-such-bucket")

    def test_s3_rest(self):
        self.bucket("rest-bucket")
        self.assertEqual("us-east-1", self.ok(op="s3_head", bucket="rest-bucket")["region"])
        self.refused("missing", op="s3_head", bucket="no-such-bucket")
        self.assertIn("Versioning", self.ok(
            op="s3_setting", bucket="rest-bucket", what="versioning")["xml"])
        self.assertIn("Notification", self.ok(
            op="s3_setting", bucket="rest-bucket", what="notification")["xml"])
        self.refused("missing", op="s3_setting", bucket="no-such-bucket", what="versioning")
        self.ok(op="s3_put", bucket="rest-bucket", key="a b", body="hello", if_none_match=True)
        self.refused("conflict", op="s3_put", bucket="rest-bucket", key="a b", body="x",
                     if_none_match=True)
        self.assertEqual(5, self.ok(op="s3_get", bucket="rest-bucket", key="a b")["size"])

    def test_sqs(self):
        sqs = self.boto("sqs")
        dlq = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])
        url = sqs.create_queue(QueueName="work", Attributes={
            "VisibilityTimeout": "30", "RedrivePolicy": json.dumps(
                {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": "5"})})
        queue = url["QueueUrl"]
        self.assertEqual([], self.ok(op="sqs_receive", queue=queue)["messages"])
        started = time.time()
        self.assertEqual([], self.ok(op="sqs_receive", queue=queue, wait=2)["messages"])
        self.assertGreater(time.time() - started, 1.8)
        bodies = ["body %d \"\u00e9\U0001f600\" \n" % i for i in range(23)]
        sent = self.ok(op="sqs_send", queue=queue, entries=bodies)
        self.assertEqual(["ok"] * 23, sent["each"])
        seen = {}
        while len(seen) < 23:
            got = self.ok(op="sqs_receive", queue=queue, max=10, visibility=20)
            for m in got["messages"]:
                seen[m["id"]] = m
                self.assertEqual(1, m["count"])
        self.assertEqual(sorted(bodies), sorted(m["body"] for m in seen.values()))
        attributes = self.ok(op="sqs_attributes", queue=queue)
        self.assertEqual((23, 30, 5), (attributes["in_flight"], attributes["visibility"],
                                       attributes["max_receive"]))
        self.assertEqual(arn["Attributes"]["QueueArn"], attributes["dlq"])
        receipts = [m["receipt"] for m in seen.values()]
        back = self.tool.call(op="sqs_visibility", queue=queue, seconds=0,
                              entries=receipts[:2] + ["nonsense"])
        self.assertEqual(["ok", "ok", "missing"], back["each"])
        again = self.ok(op="sqs_receive", queue=queue)["messages"]
        self.assertEqual([2, 2], [m["count"] for m in again])
        gone = self.tool.call(op="sqs_delete", queue=queue,
                              entries=receipts[2:] + ["nonsense"] + [m["receipt"] for m in again])
        self.assertEqual(["ok"] * 21 + ["missing"] + ["ok"] * 2, gone["each"])
        self.assertEqual(0, self.ok(op="sqs_attributes", queue=queue)["in_flight"])
        self.refused("missing", op="sqs_receive", queue=queue.replace("work", "nowork"))
        self.assertEqual("usage", self.tool.call(op="sqs_receive", queue="ftp://x/y")["status"])

    def test_sqs_fifo(self):
        sqs = self.boto("sqs")
        queue = sqs.create_queue(QueueName="first.fifo", Attributes={
            "FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
        self.ok(op="sqs_send", queue=queue, entries=["a", "b"], group="g")
        got = self.ok(op="sqs_receive", queue=queue)["messages"]
        self.assertEqual([("a", "g"), ("b", "g")], [(m["body"], m["group"]) for m in got])
        self.assertTrue(self.ok(op="sqs_attributes", queue=queue)["fifo"])

    def test_cloudwatch(self):
        now = int(time.time()) // 60 * 60 - 120
        data = [{"MetricName": "Puts", "Timestamp": now, "Unit": "Count",
                 "Dimensions": [{"Name": "I", "Value": str(i)}],
                 "StatisticValues": {"Sum": i + 1, "SampleCount": 2, "Minimum": 0, "Maximum": i}}
                for i in range(300)]
        body = json.dumps({"Namespace": "Test/Put", "MetricData": data})
        before = self.proxy.connections
        self.ok(op="cw_put", json=body)
        self.assertEqual(before + 1, self.proxy.connections)  # a connection of its own
        got = self.ok(op="cw_put_once", json=json.dumps(
            {"Namespace": "Test/Put", "MetricData": [{"MetricName": "One", "Value": 7}]}))
        self.assertEqual((200, True), (got["http"], got["handed_over"]))
        self.assertNotIn("sent_twice", got)
        self.assertLess(abs(got["date"] - time.time()), 5)
        got = self.ok(op="cw_get", since=now - 600, until=now + 600, metrics=[
            {"Namespace": "Test/Put", "MetricName": "Puts",
             "Dimensions": [{"Name": "I", "Value": str(i)}]} for i in range(3)])
        self.assertEqual([[[now, 1]], [[now, 2]], [[now, 3]]], got["result"])
        listed = self.ok(op="cw_list", namespace="Test/Put")
        self.assertGreaterEqual(len(listed["result"]), 300)

    def test_dynamodb(self):
        self.ok(op="ddb", call="CreateTable", **{"in": {
            "TableName": "ledger", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}})
        put = {"TableName": "ledger", "Item": {"pk": {"S": "a"}, "b": {"S": "first"}},
               "ConditionExpression": "attribute_not_exists(pk)",
               "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        self.ok(op="ddb", call="PutItem", **{"in": put})
        got = self.refused("conflict", op="ddb", call="PutItem", **{"in": put})
        self.assertEqual({"S": "first"}, got["result"]["Item"]["b"])
        got = self.ok(op="ddb", call="GetItem", **{"in": {
            "TableName": "ledger", "Key": {"pk": {"S": "none"}}}})
        self.assertNotIn("Item", got["result"])
        self.refused("missing", op="ddb", call="GetItem", **{"in": {
            "TableName": "nothing", "Key": {"pk": {"S": "x"}}}})
        self.refused("bad_item", op="ddb", call="PutItem", **{"in": {
            "TableName": "ledger", "Item": {"no": {"S": "key"}}}})

    def test_sts(self):
        got = self.ok(op="identity")
        self.assertEqual("123456789012", got["account"])
        got = self.ok(op="role", arn="arn:aws:iam::123456789012:role/reader")
        self.assertEqual("role", got["source"])
        self.assertGreater(got["expires"], time.time() + 3000)
        self.assertTrue(got["token"])
        self.refused("usage", op="role", arn="arn:aws:iam::1:role/x")

    def test_wrong_secret(self):
        with Tool(environment(AWS_ENDPOINT_URL=self.proxy.url,
                              AWS_SECRET_ACCESS_KEY="another-canary")) as tool:
            got = tool.call(op="identity")
            self.assertEqual("denied", got["status"])
            self.assertIn("SignatureDoesNotMatch", got["error"])
            self.assertNotIn("canary", json.dumps(got))
