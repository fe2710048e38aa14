"""Tests of the test counterparts themselves.  Standard library; boto3 and moto where build/venv-aws
exists (moto_harness.py --ensure-venv build/venv-aws).  Ends with "N passed, N failed, N skipped".
"""
import gzip
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse
import xml.etree.ElementTree
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import httpbase  # noqa: E402
import imds_stub  # noqa: E402
import moto_harness  # noqa: E402  (puts tests/ on the path)
import runtime_api  # noqa: E402
import sigv4_verify  # noqa: E402
import sqs_s3_stub  # noqa: E402
from cloudwatch_stub import CloudWatchStub  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402
from support.results import run_unittest  # noqa: E402

KEYS = {"AKIDEXAMPLE": ("secret", None)}
JSON10 = "application/x-amz-json-1.0"
VENV_PYTHON = moto_harness.VENV / "bin" / "python"
needs_venv = unittest.skipUnless(moto_harness.venv_ready(),
                                "build/venv-aws is not there; the gate aws runs these")


class Client:
    """One kept-alive connection of signed requests."""

    def __init__(self, url, service="monitoring", now=None, secret="secret"):
        self.host = urllib.parse.urlsplit(url).netloc
        self.service, self.now, self.secret = service, now, secret
        self.connection = http.client.HTTPConnection(self.host, timeout=20)

    def request(self, method, target, body=b"", headers=(), sign=True):
        headers = dict({"Host": self.host}, **dict(headers))
        if sign:
            headers = sigv4_verify.sign(method, target, headers, body, "AKIDEXAMPLE", self.secret,
                                        "us-east-1", self.service, now=self.now)
        self.connection.request(method, target, body, headers)
        response = self.connection.getresponse()
        self.headers = dict(response.getheaders())
        return response.status, response.read()

    def json(self, target, value, gz=False):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        headers = {"Content-Type": JSON10, "X-Amz-Target": target}
        if gz:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        status, answer = self.request("POST", "/", body, headers)
        return status, json.loads(answer or b"{}")

    def put(self, *data, namespace="Custom/Test", gz=False):
        return self.json("GraniteServiceVersion20100801.PutMetricData",
                         {"Namespace": namespace, "MetricData": list(data)}, gz)

    def form(self, body):
        return self.request("POST", "/", body.encode(), {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})

    def close(self):
        self.connection.close()


def venv_script(script, **env):
    done = subprocess.run([str(VENV_PYTHON), "-c", script], capture_output=True, text=True,
                          env=dict(os.environ, AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
                                   AWS_SECRET_ACCESS_KEY="secret", AWS_DEFAULT_REGION="us-east-1",
                                   AWS_EC2_METADATA_DISABLED="true", **env), timeout=120)
    if done.returncode:
        raise AssertionError(done.stderr[-3000:])
    return json.loads(done.stdout)


class SigV4(unittest.TestCase):
    def test_published_vector(self):
        """get-vanilla of AWS's Signature Version 4 test suite."""
        headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
        canonical = sigv4_verify.canonical_request(
            "GET", "/", headers, ["host", "x-amz-date"],
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "service")
        self.assertEqual(
            sigv4_verify.signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", canonical,
                                   "20150830T123600Z", "20150830/us-east-1/service/aws4_request"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")

    def sign(self, target="/b/a%20b?list-type=2&prefix=a%2Fb", service="s3", token=None, now=None):
        return target, sigv4_verify.sign("GET", target, {"Host": "h:1"}, b"body", "AKIDEXAMPLE",
                                         "secret", "us-east-1", service, token, now)

    def verify(self, target, headers, body=b"body", keys=KEYS):
        fault = sigv4_verify.verify("GET", target, headers, body, keys)
        return fault and fault.code

    def test_faults(self):
        target, headers = self.sign()
        self.assertIsNone(self.verify(target, headers))
        self.assertEqual(self.verify(target + "x", headers), "SignatureDoesNotMatch")
        self.assertEqual(self.verify(target, headers, b"other"), "XAmzContentSHA256Mismatch")
        self.assertEqual(self.verify(target, dict(headers, host="evil")), "SignatureDoesNotMatch")
        self.assertEqual(self.verify(target, dict(headers, **{"x-amz-acl": "p"})), "AccessDenied")
        self.assertEqual(self.verify(target, headers, keys={"A": ("s", None)}),
                         "InvalidAccessKeyId")
        self.assertEqual(self.verify(target, headers, keys={"AKIDEXAMPLE": ("no", None)}),
                         "SignatureDoesNotMatch")
        self.assertEqual(self.verify(target, headers, keys={"AKIDEXAMPLE": ("secret", "t")}),
                         "InvalidToken")
        self.assertEqual(self.verify(target, {}), "MissingAuthenticationToken")
        for seconds in (-901, 901):
            self.assertEqual(self.verify(*self.sign(now=time.time() + seconds)),
                             "RequestTimeTooSkewed")
            self.assertEqual(self.verify(*self.sign("/", "sqs", now=time.time() + seconds)),
                             "SignatureDoesNotMatch")
        for seconds in (-890, 890):
            self.assertIsNone(self.verify(*self.sign(now=time.time() + seconds)))
        target, headers = self.sign(token="tok")
        self.assertIsNone(self.verify(target, headers, keys={"AKIDEXAMPLE": ("secret", "tok")}))
        for target in ("/b/a b", "/b/a%2fb", "/b/a+b", "/b?prefix=a/b", "/b?prefix=%7E"):
            self.assertEqual(self.verify(*self.sign(target)), "InvalidURI", target)

    @needs_venv
    def test_botocore_agrees(self):
        requests = venv_script("""
import json, random
from botocore.auth import SigV4Auth, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib.parse import quote
random.seed(7); out = []
for i in range(200):
    s3 = i % 2
    text = lambda n: ''.join(random.choice('ab/ +=%&~.-_\\u00e9\\u20ac:@!*()\\'') for _ in range(n))
    path = '/' + quote(text(12), safe='/-_.~') if s3 else '/'
    query = '&'.join('%s=%s' % (quote(text(3), safe='-_.~'), quote(text(5), safe='-_.~'))
                     for _ in range(random.randrange(4)))
    body = text(20).encode()
    r = AWSRequest('PUT', 'http://h.example' + path + ('?' + query if query else ''), data=body)
    if i % 3 == 0: r.headers['X-Amz-Target'] = 'A.B'
    token = 'tok/en+=' if i % 5 == 0 else None
    (S3SigV4Auth if s3 else SigV4Auth)(Credentials('AKIDEXAMPLE', 'secret', token),
                                       's3' if s3 else 'sqs', 'us-east-1').add_auth(r)
    h = {k.lower(): v for k, v in r.headers.items()}
    h['host'] = 'h.example'
    out.append([r.method, path + ('?' + query if query else ''), h, body.decode(), token])
print(json.dumps(out))
""")
        for method, target, headers, body, token in requests:
            fault = sigv4_verify.verify(method, target, headers, body.encode(),
                                        {"AKIDEXAMPLE": ("secret", token)})
            self.assertIsNone(fault, target)


def datum(**members):
    return dict({"MetricName": "m", "Value": 1}, **members)


def dims(n, name="d%d", value="v"):
    return [{"Name": name % i if "%" in name else name, "Value": value} for i in range(n)]


def stats(n, total, low, high):
    return {"SampleCount": n, "Sum": total, "Minimum": low, "Maximum": high}


def without_value(**members):
    return dict({"MetricName": "m"}, **members)


class CloudWatch(unittest.TestCase):
    def setUp(self):
        self.stub = CloudWatchStub(keys=KEYS).start()
        self.client = Client(self.stub.url)

    def tearDown(self):
        self.client.close()
        self.stub.stop()

    def test_limits(self):
        now = time.time()
        good = [
            datum(), datum(Value=-1.5), datum(Value=2 ** 360), datum(Dimensions=dims(30)),
            datum(Dimensions=dims(1, "n" * 255, "v" * 1024)), datum(Unit="Bytes/Second"),
            datum(StorageResolution=1), datum(Timestamp=now - 14 * 86400 + 60),
            datum(Timestamp=now + 7100), datum(Timestamp=int(now)),
            without_value(Values=list(range(150))), without_value(Values=[1, 2], Counts=[3, 4]),
            without_value(StatisticValues=stats(3, 6, 1, 3)),
            without_value(StatisticValues=stats(3, 0.3, 0.1, 0.1)),
        ]
        for value in good:
            self.assertEqual(self.client.put(value), (200, {}), value)
        invalid = "InvalidParameterValueException"
        clash, absent = "InvalidParameterCombinationException", "MissingRequiredParameterException"
        odd = "SerializationException"
        bad = [
            (datum(Dimensions=dims(31)), invalid), (datum(Dimensions=dims(2, "same")), invalid),
            (datum(Dimensions=dims(1, "n", "")), invalid),
            (datum(Dimensions=dims(1, "n", " ")), invalid),
            (datum(Dimensions=dims(1, "n", "\u00e9")), invalid),
            (datum(Dimensions=dims(1, "n", "a\tb")), invalid),
            (datum(Dimensions=dims(1, "n", "v" * 1025)), invalid),
            (datum(Dimensions=dims(1, "n" * 256)), invalid),
            (datum(Dimensions=dims(1, ":n")), invalid),
            (datum(Dimensions=[{"Name": "n"}]), absent),
            (datum(MetricName=""), invalid), (datum(MetricName="x" * 256), invalid),
            (datum(MetricName=7), odd), ({"Value": 1}, absent), ({"MetricName": "m"}, absent),
            (datum(Values=[1]), clash), (datum(StatisticValues=stats(1, 1, 1, 1)), clash),
            (datum(Counts=[1]), clash), (without_value(Values=[]), invalid),
            (without_value(Values=list(range(151))), invalid),
            (without_value(Values=[1], Counts=[1, 2]), invalid),
            (without_value(Values=[1], Counts=[0]), invalid),
            (without_value(Values=[1, 1.0]), invalid),
            (datum(Value=2 ** 360 + 1), invalid), (datum(Value=-2 ** 361), invalid),
            (datum(Value="1"), odd), (datum(Value=True), odd), (datum(Unit="Tokens"), invalid),
            (datum(StorageResolution=5), invalid),
            (datum(Timestamp=now - 14 * 86400 - 60), invalid),
            (datum(Timestamp=now + 7300), invalid), (datum(Timestamp="soon"), odd),
            (datum(Timestamp="2026-01-01T00:00:00Z"), odd), (datum(Timestamp=now * 1000), invalid),
            (without_value(StatisticValues=stats(0, 0, 0, 0)), invalid),
            (without_value(StatisticValues=stats(2, 1, 3, 1)), invalid),
            (without_value(StatisticValues=stats(2, 7, 1, 3)), invalid),
            (without_value(StatisticValues=stats(2, 1, 1, 3)), invalid),
            (without_value(StatisticValues={"Sum": 1}), absent),
            (datum(Extra=1), odd),
        ]
        before = self.stub.sum("Custom/Test", "m")
        for value, shape in bad:
            status, answer = self.client.put(datum(), value)  # the good one is refused with it
            self.assertEqual((status, answer["__type"].split("#")[1]), (400, shape), value)
        self.assertEqual(self.stub.sum("Custom/Test", "m"), before)
        for namespace in ("AWS/Bedrock", "", ":x", "a" * 256, "\u00e9", "a\nb", "a*b"):
            self.assertEqual(self.client.put(datum(), namespace=namespace)[0], 400, namespace)
        self.assertEqual(self.client.put(*[datum()] * 1000)[0], 200)
        self.assertEqual(self.client.put(*[datum()] * 1001)[0], 400)
        self.assertEqual(self.client.put()[0], 400)

    def test_wire(self):
        target = "GraniteServiceVersion20100801.PutMetricData"
        for text in (b'{"Namespace":"N","MetricData":[{"MetricName":"m","Value":NaN}]}',
                     b'{"Namespace":"N","MetricData":[{"MetricName":"m","Value":1e999}]}',
                     b"[]", b"{", b"\x1f\x8b junk"):
            self.assertEqual(self.client.json(target, text)[0], 400, text)
        big = datum(Dimensions=dims(1, "n", "v" * 1000))
        self.assertEqual(self.client.put(*[big] * 970)[0], 413)
        self.assertEqual(self.client.put(*[big] * 970, gz=True)[0], 200)
        self.assertTrue(self.stub.log[-1]["gzip"])
        status, body = self.client.form(
            "Action=PutMetricData&Version=2010-08-01&Namespace=Q&MetricData.member.1.MetricName=q"
            "&MetricData.member.1.StatisticValues.Sum=6&MetricData.member.1.StatisticValues."
            "SampleCount=3&MetricData.member.1.StatisticValues.Minimum=1&MetricData.member.1."
            "StatisticValues.Maximum=3&MetricData.member.1.Dimensions.member.1.Name=Value"
            "&MetricData.member.1.Dimensions.member.1.Value=7&MetricData.member.1.Timestamp="
            + moto_harness._iso(time.time()))
        self.assertEqual(status, 200, body)
        self.assertIn(b"<PutMetricDataResponse", body)
        self.assertEqual(self.stub.sum("Q", "q", {"Value": "7"}), 6)
        status, body = self.client.form("Action=PutMetricData&Version=2010-08-01&Namespace=AWS/x"
                                        "&MetricData.member.1.MetricName=q"
                                        "&MetricData.member.1.Value=1")
        self.assertEqual(status, 400)
        self.assertIn(b"<Code>InvalidParameterValue</Code>", body)

    def test_signatures(self):
        self.assertEqual(self.client.request("POST", "/", b"{}", sign=False)[0], 403)
        for client in (Client(self.stub.url, secret="wrong"), Client(self.stub.url, "sqs"),
                       Client(self.stub.url, now=time.time() - 1000)):
            self.assertEqual(client.put(datum())[0], 403)
            client.close()
        self.stub.control({"settings": {"clock_offset": 10}})
        self.assertEqual(self.client.put(datum(MetricName="old"))[0], 200)
        self.stub.control({"settings": {"max_skew": 5}})
        self.assertEqual(self.client.put(datum())[0], 403)
        self.stub.control({"settings": {"clock_offset": 1000, "max_skew": 900}})
        self.assertEqual(self.client.put(datum())[0], 403)
        self.assertEqual(self.stub.sum("Custom/Test", "m"), 0)

    def test_exact_sums_and_reading(self):
        now = int(time.time())
        minute = now - now % 60
        for v in (2 ** 53 + 1, 1, 0.5):
            self.client.put(datum(Value=v, Timestamp=minute))
        self.client.put(datum(Value=9, Timestamp=minute - 120))
        self.assertEqual(self.stub.sum("Custom/Test", "m"), 2 ** 53 + 11 + Fraction(1, 2))
        query = {"Id": "a", "MetricStat": {"Metric": {"Namespace": "Custom/Test",
                                                      "MetricName": "m"},
                                           "Period": 60, "Stat": "SampleCount"}}
        order = {"MetricDataQueries": [query], "StartTime": minute - 600, "EndTime": now + 60,
                 "ScanBy": "TimestampAscending", "MaxDatapoints": 1}
        target = "GraniteServiceVersion20100801.GetMetricData"
        _, first = self.client.json(target, order)
        self.assertEqual(first["MetricDataResults"][0]["Values"], [1.0])
        self.assertEqual(first["MetricDataResults"][0]["StatusCode"], "PartialData")
        _, second = self.client.json(target, dict(order, NextToken=first["NextToken"]))
        self.assertEqual(second["MetricDataResults"][0]["Values"], [3.0])
        self.assertEqual(second["MetricDataResults"][0]["Timestamps"], [minute])
        self.assertNotIn("NextToken", second)
        status, body = self.client.form(
            "Action=GetMetricStatistics&Version=2010-08-01&Namespace=Custom/Test&MetricName=m"
            "&StartTime=%s&EndTime=%s&Period=3600&Statistics.member.1=Maximum"
            "&Statistics.member.2=Minimum" % (moto_harness._iso(minute - 7200),
                                              moto_harness._iso(now + 3600)))
        self.assertEqual(status, 200, body)
        tops = [float(e.text) for e in xml.etree.ElementTree.fromstring(body).iter()
                if e.tag.endswith("}Maximum")]
        self.assertEqual(max(tops), float(2 ** 53 + 1))

    def test_faults(self):
        def fault(**members):
            self.stub.control({"faults": [members]})
        fault(kind="throttle", count=2, skip=1)
        self.assertEqual([self.client.put(datum())[0] for _ in range(4)], [200, 400, 400, 200])
        self.assertEqual(self.stub.log[1]["code"], "Throttling")
        fault(kind="status", status=500)
        self.assertEqual(self.client.put(datum(Value=10))[0], 500)
        fault(kind="status", status=503, applied=True)
        self.assertEqual(self.client.put(datum(Value=100))[0], 503)
        fault(kind="status", status=408)
        self.assertEqual(self.client.put(datum(Value=1000)), (408, {}))
        fault(kind="expired_token")
        self.assertEqual(self.client.put(datum(Value=1000))[0], 403)
        fault(kind="refuse")
        self.assertEqual(self.client.put(datum(Value=1000))[0], 400)
        fault(kind="swallow")
        self.assertEqual(self.client.put(datum(Value=1000))[0], 200)
        self.assertEqual(self.stub.sum("Custom/Test", "m"), 102)
        for how, applied in (("lost", 1), ("not_applied", 0)):
            self.stub.control({"reset": True, "faults": [{"kind": how}]})
            with self.assertRaises((ConnectionError, http.client.HTTPException)):
                self.client.put(datum())
            self.client.close()
            self.assertEqual(self.stub.sum("Custom/Test", "m"), applied)
            self.assertEqual(self.client.put(datum())[0], 200)
            self.assertEqual(self.stub.control({})["duplicates"], applied)
        fault(kind="delay", seconds=0.3)
        began = time.monotonic()
        self.client.put(datum())
        self.assertGreater(time.monotonic() - began, 0.29)

    def test_control_endpoint_and_read_delay(self):
        status, body = self.client.request("POST", "/control", json.dumps(
            {"settings": {"read_delay": 0.3}}).encode(), sign=False)
        self.assertEqual(status, 200)
        self.client.put(datum())
        now = time.time()

        def read():
            return self.client.json("GraniteServiceVersion20100801.GetMetricStatistics", {
                "Namespace": "Custom/Test", "MetricName": "m", "StartTime": now - 600,
                "EndTime": now + 600, "Period": 60, "Statistics": ["Sum"]})[1]["Datapoints"]
        self.assertEqual(read(), [])
        time.sleep(0.35)
        self.assertEqual([p["Sum"] for p in read()], [1.0])
        status, body = self.client.request("GET", "/control", sign=False)
        self.assertEqual(json.loads(body)["series"][0]["Sum"], 1)
        status, body = self.client.request("GET", "/control?data=1", sign=False)
        self.assertEqual([s["Sum"] for s in json.loads(body)["series"][0]["data"].values()], [1])
        self.stub.control({"settings": {"read_delay": 0, "read_delay_by_age": [[3600, 60]]}})
        self.client.put(datum(Value=5), datum(Value=7, Timestamp=time.time() - 4000))
        now -= 3600 * 2
        self.assertEqual(sum(p["Sum"] for p in self.client.json(
            "GraniteServiceVersion20100801.GetMetricStatistics", {
                "Namespace": "Custom/Test", "MetricName": "m", "StartTime": now,
                "EndTime": now + 10000, "Period": 60, "Statistics": ["Sum"]})[1]["Datapoints"]), 6)
        self.assertEqual(self.stub.sum("Custom/Test", "m"), 13)
        self.assertEqual(self.client.request("POST", "/control", b'{"faults":[{"kind":"x"}]}',
                                             sign=False)[0], 400)

    @needs_venv
    def test_boto3(self):
        out = venv_script("""
import boto3, json, datetime
cw = boto3.client('cloudwatch')
now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
data = [{'MetricName': 'b', 'Dimensions': [{'Name': 'i', 'Value': str(i)}], 'Timestamp': now,
         'StatisticValues': {'SampleCount': 2, 'Sum': 2.0 * i, 'Minimum': i, 'Maximum': i}}
        for i in range(1000)]
cw.put_metric_data(Namespace='Boto', MetricData=data)
try:
    cw.put_metric_data(Namespace='Boto', MetricData=data + data[:1]); code = None
except cw.exceptions.ClientError as e:
    code = e.response['Error']['Code']
r = cw.get_metric_data(MetricDataQueries=[{'Id': 'x', 'MetricStat': {'Metric': {'Namespace': 'Boto',
    'MetricName': 'b', 'Dimensions': [{'Name': 'i', 'Value': '7'}]}, 'Period': 60, 'Stat': 'Sum'}}],
    StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(minutes=5))
s = cw.get_metric_statistics(Namespace='Boto', MetricName='b', Period=60, Statistics=['Maximum'],
    Dimensions=[{'Name': 'i', 'Value': '9'}], StartTime=now - datetime.timedelta(hours=1),
    EndTime=now + datetime.timedelta(minutes=5))
print(json.dumps([code, r['MetricDataResults'][0]['Values'], s['Datapoints'][0]['Maximum'],
                  len(cw.list_metrics(Namespace='Boto')['Metrics'])]))
""", AWS_ENDPOINT_URL=self.stub.url)
        self.assertIn(out[0], ("InvalidParameterValue", "InvalidParameterValueException"))
        self.assertEqual(out[1:], [[14.0], 9.0, 1000])
        self.assertEqual(self.stub.sum("Boto", "b", {"i": "999"}), 1998)


class SqsS3(unittest.TestCase):
    def setUp(self):
        self.stub = sqs_s3_stub.SqsS3Stub(total=2500, records=3).start()
        self.sqs = Client(self.stub.url, "sqs")
        self.s3 = Client(self.stub.url, "s3")

    def tearDown(self):
        self.sqs.close()
        self.s3.close()
        self.stub.stop()

    def call(self, op, **members):
        return self.sqs.json("AmazonSQS." + op, dict({"QueueUrl": self.stub.queue_url}, **members))

    def test_drain(self):
        """Every message once, and the objects' sums are what expected() says."""
        keys, sums, began = set(), {}, time.monotonic()
        while True:
            messages = self.call("ReceiveMessage", MaxNumberOfMessages=10)[1].get("Messages")
            if not messages:
                break
            for m in messages:
                s3 = json.loads(m["Body"])["Records"][0]["s3"]
                keys.add(s3["object"]["key"])
                status, body = self.s3.request(
                    "GET", "/bedrock-logs/" + s3["object"]["key"], sign=False,
                    headers={"If-Match": '"%s"' % s3["object"]["eTag"]})
                self.assertEqual((status, len(body)), (200, s3["object"]["size"]))
                for line in gzip.decompress(body).splitlines():
                    record = json.loads(line)
                    for part, name, metric in (
                            ("input", "inputTokenCount", "InputTokenCount"),
                            ("input", "cacheReadInputTokenCount", "CacheReadInputTokenCount"),
                            ("input", "cacheWriteInputTokenCount", "CacheWriteInputTokenCount"),
                            ("output", "outputTokenCount", "OutputTokenCount")):
                        for metric in (metric, "TotalTokenCount"):
                            sums[metric] = sums.get(metric, 0) + record[part][name]
                    sums["Invocations"] = sums.get("Invocations", 0) + 1
            answer = self.call("DeleteMessageBatch", Entries=[
                {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]}
                for i, m in enumerate(messages)])[1]
            self.assertEqual(answer["Failed"], [])
        self.assertEqual(len(keys), 2500)
        self.assertEqual(sums, self.stub.expected())
        stats = self.stub.stats()["queues"]["bedrock-logs"]
        self.assertEqual((stats["waiting"], stats["in_flight"], stats["deleted"]), (0, 0, 2500))
        self.assertLess(time.monotonic() - began, 30)

    def test_many_receivers(self):
        """No message is handed out twice while it is invisible."""
        got, lock = [], threading.Lock()

        def drain():
            client = Client(self.stub.url, "sqs")
            while True:
                messages = client.json("AmazonSQS.ReceiveMessage", {
                    "QueueUrl": self.stub.queue_url, "MaxNumberOfMessages": 10})[1].get("Messages")
                if not messages:
                    return client.close()
                with lock:
                    got.extend(m["MessageId"] for m in messages)
        threads = [threading.Thread(target=drain) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(got), len(set(got))), (2500, 2500))

    def test_visibility(self):
        m = self.call("ReceiveMessage", AttributeNames=["All"])[1]["Messages"][0]
        self.assertEqual(m["Attributes"]["ApproximateReceiveCount"], "1")
        handle = m["ReceiptHandle"]
        answer = self.call("ChangeMessageVisibilityBatch", Entries=[
            {"Id": "a", "ReceiptHandle": handle, "VisibilityTimeout": 0},
            {"Id": "b", "ReceiptHandle": "h999999", "VisibilityTimeout": 0}])[1]
        self.assertEqual([e["Id"] for e in answer["Successful"]], ["a"])
        self.assertEqual(answer["Failed"][0]["Id"], "b")
        again = self.call("ReceiveMessage", AttributeNames=["All"])[1]["Messages"][0]
        self.assertEqual(again["MessageId"], m["MessageId"])
        self.assertEqual(again["Attributes"]["ApproximateReceiveCount"], "2")
        self.assertNotEqual(again["ReceiptHandle"], handle)
        # An old receipt succeeds without deleting.
        self.assertEqual(self.call("DeleteMessage", ReceiptHandle=handle)[0], 200)
        self.assertEqual(self.stub.stats()["queues"]["bedrock-logs"]["in_flight"], 1)
        self.assertEqual(self.call("DeleteMessage", ReceiptHandle="junk")[0], 400)

    def test_long_poll(self):
        url = self.call("CreateQueue", QueueName="empty")[1]["QueueUrl"]
        began = time.monotonic()
        self.assertEqual(self.call("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=1), (200, {}))
        self.assertGreater(time.monotonic() - began, 0.95)
        threading.Timer(0.2, self.stub.send, ("late", "empty")).start()
        began = time.monotonic()
        got = self.call("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=10)[1]["Messages"]
        self.assertEqual(got[0]["Body"], "late")
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(self.call("ReceiveMessage", QueueUrl="http://x/y/none")[0], 400)
        self.assertEqual(self.call("ReceiveMessage", MaxNumberOfMessages=11)[0], 400)

    def test_dead_letters_and_batches(self):
        url = self.call("CreateQueue", QueueName="q", Attributes={
            "VisibilityTimeout": "0", "RedrivePolicy": json.dumps({
                "deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dlq",
                "maxReceiveCount": 2})})[1]["QueueUrl"]
        answer = self.call("SendMessageBatch", QueueUrl=url, Entries=[
            {"Id": "1", "MessageBody": "x"}])[1]
        self.assertEqual(len(answer["Successful"]), 1)
        received = [len(self.call("ReceiveMessage", QueueUrl=url)[1].get("Messages", ()))
                    for _ in range(3)]
        self.assertEqual(received, [1, 1, 0])
        dead = self.call("GetQueueAttributes", QueueUrl=url.replace("/q", "/dlq"),
                         AttributeNames=["All"])[1]["Attributes"]
        self.assertEqual(dead["ApproximateNumberOfMessages"], "1")
        many = [{"Id": str(i), "MessageBody": "x"} for i in range(11)]
        self.assertEqual(self.call("SendMessageBatch", QueueUrl=url, Entries=many)[0], 400)

    def test_objects(self):
        key = "a/b=c \u00e9+.gz"
        target = "/bedrock-logs/" + urllib.parse.quote(key, safe="/-_.~")
        self.assertEqual(self.s3.request("PUT", target, b"0123456789")[0], 200)
        etag = self.s3.headers["ETag"]
        for header, status, wanted in (
                ("bytes=2-4", 206, b"234"), ("bytes=7-", 206, b"789"), ("bytes=-3", 206, b"789"),
                ("bytes=0-99", 206, b"0123456789"), ("bytes=x", 200, b"0123456789"),
                (None, 200, b"0123456789")):
            got = self.s3.request("GET", target, headers={"Range": header} if header else {})
            self.assertEqual(got, (status, wanted), header)
        self.assertEqual(self.s3.request("GET", target, headers={"Range": "bytes=10-"})[0], 416)
        self.assertEqual(self.s3.request("GET", target, headers={"If-Match": etag})[0], 200)
        self.assertEqual(self.s3.request("GET", target, headers={"If-Match": '"x"'})[0], 412)
        self.assertEqual(self.s3.request("HEAD", target), (200, b""))
        self.assertEqual(self.s3.headers["Content-Length"], "10")
        self.assertEqual(self.s3.request("DELETE", target)[0], 204)
        status, body = self.s3.request("GET", target)
        self.assertEqual(status, 404)
        self.assertIn(b"<Code>NoSuchKey</Code>", body)
        self.assertIn(b"NoSuchBucket", self.s3.request("GET", "/none/x")[1])

    def listing(self, **params):
        keys, folders, pages, token = [], [], 0, None
        while True:
            query = dict({"list-type": "2"}, **params)
            if token:
                query["continuation-token"] = token
            status, body = self.s3.request("GET", "/bedrock-logs?" + "&".join(
                "%s=%s" % (k, urllib.parse.quote(v, safe="-_.~"))
                for k, v in sorted(query.items())))
            self.assertEqual(status, 200, body)
            root = xml.etree.ElementTree.fromstring(body)
            pages += 1
            for e in root.iter():
                if e.tag.endswith("}Key"):
                    keys.append(urllib.parse.unquote(e.text) if "encoding-type" in params
                                else e.text)
                if e.tag.endswith("}CommonPrefixes"):
                    folders.append(e[0].text)
            token = root.findtext("{*}NextContinuationToken")
            if not token:
                return keys, folders, pages

    def test_listing(self):
        for key in ("0first", "AWSLogs/x y\u00e9/1", "z/1", "z/2", "zz"):
            self.stub.put(key, b"x")
        keys, _, pages = self.listing(**{"encoding-type": "url"})
        self.assertEqual((len(keys), pages), (2505, 3))
        self.assertEqual(keys, sorted(keys))
        prefix = self.stub.synthetic.prefix
        keys, _, pages = self.listing(prefix=prefix)
        self.assertEqual((len(keys), pages), (2500, 3))
        keys, folders, pages = self.listing(delimiter="/", **{"max-keys": "1"})
        self.assertEqual((keys, folders, pages), (["0first", "zz"], ["AWSLogs/", "z/"], 4))
        keys, folders, _ = self.listing(delimiter="/", prefix="AWSLogs/")
        self.assertEqual((keys, folders), ([], ["AWSLogs/123456789012/", "AWSLogs/x y\u00e9/"]))
        self.assertEqual(self.listing(**{"start-after": "z/1"})[0], ["z/2", "zz"])
        self.assertEqual(self.listing(prefix="none")[0], [])
        self.assertEqual(self.listing(prefix="z", **{"start-after": "z/2"})[0], ["zz"])

    @needs_venv
    def test_boto3(self):
        out = venv_script("""
import boto3, json, os
from botocore.config import Config
s3 = boto3.client('s3', config=Config(s3={'addressing_style': 'path'}))
sqs = boto3.client('sqs')
n = sum(len(p.get('Contents', ())) for p in
        s3.get_paginator('list_objects_v2').paginate(Bucket='bedrock-logs'))
q = os.environ['QUEUE']
m = sqs.receive_message(QueueUrl=q, MaxNumberOfMessages=10)['Messages']
r = sqs.delete_message_batch(QueueUrl=q, Entries=[{'Id': str(i), 'ReceiptHandle':
    x['ReceiptHandle']} for i, x in enumerate(m)])
k = json.loads(m[0]['Body'])['Records'][0]['s3']['object']['key']
b = s3.get_object(Bucket='bedrock-logs', Key=k, Range='bytes=0-1')['Body'].read()
print(json.dumps([n, len(m), len(r['Successful']), b.hex()]))
""", AWS_ENDPOINT_URL=self.stub.url, QUEUE=self.stub.queue_url)
        self.assertEqual(out, [2500, 10, 10, "1f8b"])


class RuntimeApi(unittest.TestCase):
    def setUp(self):
        self.api = runtime_api.RuntimeApi().start()
        self.connection = http.client.HTTPConnection(self.api.address, timeout=5)

    def tearDown(self):
        self.connection.close()
        self.api.stop()

    def call(self, method, path, body=b"", headers=(), chunked=False):
        self.connection.request(method, runtime_api.BASE + path, iter([body]) if chunked else body,
                                dict(headers), encode_chunked=chunked)
        response = self.connection.getresponse()
        self.headers = response.headers
        return response.status, response.read()

    def test_cycle(self):
        rid = self.api.add({"payload": {"a": 1}, "timeout_ms": 5000,
                            "headers": [("Lambda-Runtime-Client-Context", "{}")]})
        self.assertEqual(self.call("GET", "invocation/next"), (200, b'{"a": 1}'))
        self.assertEqual(self.headers["Lambda-Runtime-Aws-Request-Id"], rid)
        left = int(self.headers["Lambda-Runtime-Deadline-Ms"]) - time.time() * 1000
        self.assertTrue(4000 < left <= 5000)
        self.assertTrue(self.headers["Lambda-Runtime-Trace-Id"].startswith("Root="))
        self.assertEqual(self.headers["Lambda-Runtime-Client-Context"], "{}")
        self.assertEqual(self.call("POST", "invocation/other/response")[0], 400)
        path = "invocation/%s/" % rid
        self.assertEqual(self.call("POST", path + "response", b"{}", chunked=True)[0], 202)
        self.assertEqual(self.call("POST", path + "response", b"{}")[0], 403)
        self.assertEqual(self.call("POST", path + "error", b"{}")[0], 403)
        self.assertEqual(self.api.results[0]["body"], b"{}")
        self.assertFalse(self.api.results[0]["late"])

    def test_error_and_sizes(self):
        for payload, kind, body, status in (
                ("x", "error", b'{"errorType":"Function.X"}', 202),
                ("x", "response", b"x" * runtime_api.MAX_RESPONSE, 202),
                ("x", "response", b"x" * (runtime_api.MAX_RESPONSE + 1), 413)):
            rid = self.api.add({"payload": payload})
            self.call("GET", "invocation/next")
            self.assertEqual(self.call("POST", "invocation/%s/%s" % (rid, kind), body)[0], status)
        self.assertEqual([r["kind"] for r in self.api.results], ["error", "response", "error"])

    def test_next_blocks_and_repeats(self):
        threading.Timer(0.3, self.api.add, ({"payload": "late"},)).start()
        began = time.monotonic()
        self.assertEqual(self.call("GET", "invocation/next"), (200, b"late"))
        self.assertGreater(time.monotonic() - began, 0.25)
        rid = self.headers["Lambda-Runtime-Aws-Request-Id"]
        self.call("GET", "invocation/next")
        self.assertEqual(self.headers["Lambda-Runtime-Aws-Request-Id"], rid)

    def test_init_error(self):
        self.assertEqual(self.call("POST", "init/error", b"{}")[0], 202)
        self.assertEqual(self.call("POST", "init/error", b"{}")[0], 403)
        self.assertEqual(self.call("GET", "invocation/next")[0], 403)
        self.assertTrue(self.api.wait(0))
        self.assertEqual(self.api.init_error["body"], b"{}")


class Credentials(unittest.TestCase):
    def setUp(self):
        self.stub = imds_stub.CredentialStub().start()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.stub.server.port, timeout=5)

    def tearDown(self):
        self.connection.close()
        self.stub.stop()

    def call(self, method, path, **headers):
        self.connection.request(method, path,
                                headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = self.connection.getresponse()
        return response.status, response.read().decode()

    def test_imds(self):
        roles = imds_stub.ROLES
        self.assertEqual(self.call("GET", roles)[0], 401)
        self.assertEqual(self.call("PUT", "/latest/api/token")[0], 400)
        ttl = {"X_aws_ec2_metadata_token_ttl_seconds": "1"}
        self.assertEqual(self.call("GET", "/latest/api/token", **ttl)[0], 405)
        token = {"X_aws_ec2_metadata_token": self.call("PUT", "/latest/api/token", **ttl)[1]}
        self.assertEqual(self.call("GET", roles, **token), (200, "bedrock-metrics"))
        got = json.loads(self.call("GET", roles + "bedrock-metrics", **token)[1])
        self.assertEqual((got["Code"], got["AccessKeyId"]), ("Success", "ASIAFAKE1"))
        self.stub.configure({"role": "other", "lifetime": 30})
        self.assertEqual(self.call("GET", roles + "bedrock-metrics", **token)[0], 404)
        got = json.loads(self.call("GET", roles + "other", **token)[1])
        self.assertEqual(got["AccessKeyId"], "ASIAFAKE2")
        self.stub.configure({"fail": 500})
        self.assertEqual(self.call("GET", roles + "other", **token)[0], 500)
        time.sleep(1.1)
        self.assertEqual(self.call("GET", roles, **token)[0], 401)

    def test_container(self):
        self.assertEqual(self.call("GET", "/container")[0], 401)
        status, body = self.call("GET", "/container", Authorization="container-token")
        self.assertEqual((status, json.loads(body)["SecretAccessKey"]), (200, "secret1"))

    @needs_venv
    def test_botocore_uses_both(self):
        script = """
import json, os, botocore.session
for n in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'): del os.environ[n]
os.environ.pop('AWS_EC2_METADATA_DISABLED')
c = botocore.session.get_session().get_credentials()
f = c.get_frozen_credentials()
print(json.dumps([c.method, f.access_key, f.token]))
"""
        quiet = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        out = venv_script(script, AWS_EC2_METADATA_SERVICE_ENDPOINT=self.stub.url, **quiet)
        self.assertEqual(out, ["iam-role", "ASIAFAKE1", "session1"])
        out = venv_script(script, AWS_CONTAINER_CREDENTIALS_FULL_URI=self.stub.url + "/container",
                          AWS_CONTAINER_AUTHORIZATION_TOKEN="container-token", **quiet)
        self.assertEqual(out, ["container-role", "ASIAFAKE2", "session2"])


GONE = (ConnectionError, http.client.HTTPException, OSError)


class Proxy(unittest.TestCase):
    def setUp(self):
        self.stub = CloudWatchStub().start()
        self.proxy = FaultProxy("127.0.0.1:%d" % self.stub.server.port, keys=KEYS).start()
        self.client = Client(self.proxy.url)

    def tearDown(self):
        self.client.close()
        self.proxy.stop()
        self.stub.stop()

    def applied(self):
        return self.stub.sum("Custom/Test", "m")

    def test_lost_answers(self):
        """For each fault: is the request applied, and is the answer lost?"""
        table = [("rst_connect", 0), ("rst_before", 0), ("fin_before", 0), ("rst_during", 0),
                 ("rst_after", 1), ("fin_after", 1), ("cut_head", 1), ("garbage", 0)]
        for fault, applied in table:
            with self.subTest(fault):
                self.stub.control({"reset": True})
                self.client.close()
                self.proxy.rules = [{"fault": fault, "at": 10}]
                with self.assertRaises(GONE):
                    self.client.put(datum())
                self.client.close()
                self.assertEqual(self.applied(), applied)
                self.assertEqual(self.proxy.log[-1]["fault"], fault)
                self.assertEqual(self.proxy.log[-1]["forwarded"], bool(applied))
                self.assertEqual(self.client.put(datum())[0], 200)

    def test_late(self):
        """The answer is lost at once, and the request applied later."""
        self.proxy.rules = [{"fault": "late", "seconds": 0.3}]
        with self.assertRaises(GONE):
            self.client.put(datum())
        self.assertEqual(self.applied(), 0)
        end = time.monotonic() + 20
        while self.applied() == 0 and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.applied(), 1)

    def test_refusals(self):
        table = [({"fault": "throttle"}, 400, 0), ({"fault": "slowdown"}, 503, 0),
                 ({"fault": "unavailable"}, 503, 0), ({"fault": "denied"}, 403, 0),
                 ({"fault": "expired_token"}, 403, 0),
                 ({"fault": "skewed"}, 403, 0), ({"fault": "status", "status": 408}, 408, 0),
                 ({"fault": "status", "status": 500, "applied": True}, 500, 1),
                 ({"fault": "redirect"}, 301, 0), ({"fault": "none"}, 200, 1),
                 ({"fault": "delay", "seconds": 0.01}, 200, 1)]
        for rule, status, applied in table:
            with self.subTest(rule):
                self.stub.control({"reset": True})
                self.proxy.rules = [rule]
                self.assertEqual(self.client.put(datum())[0], status)
                self.assertEqual(self.applied(), applied)

    def test_matching(self):
        self.proxy.rules = [
            {"target": "GetMetric", "fault": "slowdown"},
            {"service": "s3", "fault": "slowdown"},
            {"body": "needle", "fault": "throttle"},
            {"target": "PutMetricData", "skip": 1, "count": 2, "fault": "unavailable"},
            {"min_request": 6, "fault": "fin_after"}]
        self.assertEqual([self.client.put(datum())[0] for _ in range(4)], [200, 503, 503, 200])
        self.assertEqual(self.client.put(datum(MetricName="needle"))[0], 400)
        with self.assertRaises(GONE):
            self.client.put(datum())
        self.client.close()
        self.assertEqual(self.applied(), 3)
        self.assertEqual([e["connection_request"] for e in self.proxy.log], [1, 2, 3, 4, 5, 6])
        with self.assertRaises(ValueError):
            self.proxy.add({"fault": "unknown"})

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_libcurl_sends_twice(self):
        """What the product must not do: libcurl re-sends a POST on a connection that died."""
        upstream = httpbase.Server(lambda request: httpbase.Response(200)).start()
        proxy = FaultProxy("127.0.0.1:%d" % upstream.port,
                           [{"min_request": 2, "fault": "fin_after"}]).start()
        done = subprocess.run(["curl", "-sS", "-d", "a", proxy.url + "/", "--next", "-sS", "-d",
                               "b", proxy.url + "/"], capture_output=True, timeout=20)
        sent = [e["sha256"] for e in proxy.log if e["forwarded"]]
        proxy.stop()
        upstream.stop()
        self.assertEqual((done.returncode, len(sent), len(set(sent))), (0, 3, 2))

    def test_hang(self):
        self.proxy.rules = [{"fault": "hang", "seconds": 0.3, "applied": True}]
        began = time.monotonic()
        with self.assertRaises(GONE):
            self.client.put(datum())
        self.assertGreater(time.monotonic() - began, 0.29)
        self.assertEqual(self.applied(), 1)

    def test_down(self):
        self.client.put(datum())
        self.client.close()
        self.proxy.down()
        with self.assertRaises(ConnectionRefusedError):
            self.client.put(datum())
        self.client.close()
        self.proxy.up()
        self.assertEqual(self.client.put(datum())[0], 200)

    def test_answers(self):
        stub = sqs_s3_stub.SqsS3Stub().start()
        body = os.urandom(300000)
        stub.put("k", body)
        proxy = FaultProxy("127.0.0.1:%d" % stub.server.port).start()
        client = Client(proxy.url, "s3")
        try:
            get = ("GET", "/bedrock-logs/k")
            self.assertEqual(client.request(*get), (200, body))
            proxy.rules = [{"fault": "corrupt", "at": 5}]
            self.assertEqual(client.request(*get)[1],
                             body[:5] + bytes([body[5] ^ 255]) + body[6:])
            for rule, n in (({"fault": "cut", "at": 777}, 777),
                            ({"fault": "chunk_cut"}, None),
                            ({"fault": "cut", "at": 0}, 0)):
                proxy.rules = [rule]
                with self.assertRaises(http.client.IncompleteRead) as caught:
                    client.request(*get)
                if n is not None:
                    self.assertEqual(caught.exception.partial, body[:n])
                client.close()
            proxy.rules = [{"fault": "cut", "how": "rst", "at": 777}]
            with self.assertRaises(GONE):
                client.request(*get)
            client.close()
            proxy.rules = [{"fault": "oversize", "bytes": 1 << 20}]
            self.assertEqual(len(client.request(*get)[1]), 1 << 20)
            proxy.rules = [{"fault": "empty"}]
            self.assertEqual(client.request(*get), (200, b""))
            proxy.rules = [{"fault": "drip", "bytes": 100000, "seconds": 0.02}]
            self.assertEqual(client.request(*get), (200, body))
            client.close()
            proxy.rules = [{"fault": "throttle"}]
            status, answer = client.request(*get)
            self.assertEqual(status, 503)
            self.assertIn(b"<Code>SlowDown</Code>", answer)
            self.assertEqual(client.request("HEAD", "/bedrock-logs/k"), (200, b""))
            self.assertEqual(client.headers["Content-Length"], "300000")
        finally:
            client.close()
            proxy.stop()
            stub.stop()

    def test_verify_and_clock(self):
        for client in (Client(self.proxy.url, secret="wrong"),
                       Client(self.proxy.url, now=time.time() - 1000)):
            self.assertEqual(client.put(datum())[0], 403)
            client.close()
        self.assertEqual(self.applied(), 0)
        status, _ = self.client.request("POST", "/control", json.dumps(
            {"clock_offset": 1200, "rules": [{"fault": "none"}]}).encode(), sign=False)
        self.assertEqual(status, 200)
        self.assertEqual(self.client.put(datum())[0], 403)
        there = httpbase.email.utils.parsedate_to_datetime(self.client.headers["Date"])
        self.assertAlmostEqual(there.timestamp(), time.time() + 1200, delta=5)

    def test_unzip(self):
        seen = []

        def record(request):
            seen.append((request.headers.get("content-encoding"), request.body))
            return httpbase.Response(200, b"{}")
        upstream = httpbase.Server(record).start()
        proxy = FaultProxy("127.0.0.1:%d" % upstream.port, unzip=True).start()
        client = Client(proxy.url)
        client.put(datum(), gz=True)
        client.close()
        proxy.stop()
        upstream.stop()
        self.assertIsNone(seen[0][0])
        self.assertEqual(json.loads(seen[0][1])["Namespace"], "Custom/Test")


@needs_venv
class Moto(unittest.TestCase):
    def test_pipeline(self):
        with moto_harness.MotoHarness() as aws:
            urls = aws.create_pipeline("bedrock-logs", "logs")
            aws.put_object("bedrock-logs", "AWSLogs/a=b c\u00e9+.gz", b"x")
            self.assertEqual(aws.queue_depth(urls["queue_url"]), 2)
            out = self.through_proxy(aws, urls["queue_url"])
            self.assertEqual(sorted("Records" in b for b in out), [False, True])
            self.assertEqual(aws.metric("N", "m", {"i": "7"})["Sum"], 2.0)
            self.assertTrue(any(e["service"] == "monitoring" for e in aws.proxy.log))
            aws.reset()
            self.assertEqual(aws.proxy.log, [])
            self.assertEqual(aws.metric("N", "m", {"i": "7"})["Sum"], 0.0)
        self.assertIsNotNone(aws.server.process.returncode)

    def through_proxy(self, aws, queue_url):
        """What arrives in the queue, and 300 data gzip'ed by botocore, through the proxy."""
        script = """
import boto3, json, os, datetime
os.environ.update(json.loads(os.environ['ENV']))
sqs = boto3.client('sqs'); cw = boto3.client('cloudwatch')
got = sqs.receive_message(QueueUrl=os.environ['QUEUE'], MaxNumberOfMessages=10)['Messages']
now = datetime.datetime.now(datetime.timezone.utc)
cw.put_metric_data(Namespace='N', MetricData=[{'MetricName': 'm', 'Value': 2.0, 'Timestamp': now,
    'Dimensions': [{'Name': 'i', 'Value': str(i)}]} for i in range(300)])
print(json.dumps([json.loads(m['Body']) for m in got]))
"""
        return venv_script(script, ENV=json.dumps(aws.env()), QUEUE=queue_url)


class CommandLines(unittest.TestCase):
    def test_port_and_stop(self):
        upstream = httpbase.Server(lambda r: httpbase.Response(200)).start()
        for command in (["cloudwatch_stub.py"], ["sqs_s3_stub.py", "--total", "3"],
                        ["runtime_api.py"], ["imds_stub.py", "--set", 'role="r"'],
                        ["fault_proxy.py", "127.0.0.1:%d" % upstream.port],
                        ["sigv4_verify.py", "--listen", "A:B"]):
            with self.subTest(command[0]):
                process = subprocess.Popen([sys.executable, str(HERE / command[0]), *command[1:]],
                                           stdout=subprocess.PIPE, text=True)
                port = int(process.stdout.readline())
                socket.create_connection(("127.0.0.1", port), 2).close()
                process.terminate()
                self.assertEqual(process.wait(5), 0)
                process.stdout.close()
        upstream.stop()


def main():
    module = sys.modules[__name__]
    loader = unittest.defaultTestLoader
    sys.exit(run_unittest(loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else
                          loader.loadTestsFromModule(module)))


if __name__ == "__main__":
    main()
