"""moto_server from a virtual environment behind the fault proxy: bucket, queue, notification.

    with MotoHarness() as aws:
        aws.create_pipeline("bedrock-logs", "bedrock-queue")
        subprocess.run([binary, "worker", "--once"], env=dict(os.environ, **aws.env()))
        aws.metric("Custom/BedrockMetrics", "Invocations", {"ModelId": "x"})["Sum"]
        aws.proxy.rules = [...]; aws.proxy.log; aws.reset()

The harness itself needs the standard library only.  moto stores CloudWatch data without checking
them: pass cloudwatch=CloudWatchStub() to send that service to the strict counterpart instead.
CLI: --ensure-venv DIR makes the environment and exits; without it serves until SIGTERM, after
printing the proxy's port and the environment variables as JSON.
"""
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import xml.etree.ElementTree
from pathlib import Path

import httpbase
import sigv4_verify
from fault_proxy import FaultProxy

HERE = Path(__file__).resolve().parent
VENV = HERE.parent.parent / "build" / "venv-aws"
ACCESS, SECRET, REGION, ACCOUNT = "AKIDEXAMPLE", "secretexample", "us-east-1", "123456789012"


def ensure_venv(path=VENV):
    """Create the environment with the pinned packages unless it is there; returns its Path."""
    path = Path(path)
    wanted = (HERE / "requirements.txt").read_text()
    stamp = path / "installed.txt"
    if stamp.is_file() and stamp.read_text() == wanted:
        return path
    if not (path / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(path)], check=True)
    subprocess.run([str(path / "bin" / "python"), "-m", "pip", "-q", "install",
                    "--disable-pip-version-check", "-r", str(HERE / "requirements.txt")],
                   check=True, stdout=sys.stderr)
    stamp.write_text(wanted)
    return path


def venv_ready(path=VENV):
    return (Path(path) / "bin" / "moto_server").exists()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class MotoHarness:
    def __init__(self, venv=VENV, rules=(), verify=True, cloudwatch=None, port=0, output=None):
        self.venv = Path(venv)
        self.cloudwatch = cloudwatch      # a started CloudWatchStub, or None for moto's
        self.output = output              # a file for moto's own log, or None
        self._rules, self._port = list(rules), port
        self._keys = {ACCESS: (SECRET, None)} if verify else None
        self._process = None
        self.proxy = None

    def start(self):
        ensure_venv(self.venv)
        port = free_port()
        output = open(self.output, "ab") if self.output else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [str(self.venv / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
            stdout=output, stderr=subprocess.STDOUT,
            env=dict(os.environ, MOTO_ACCOUNT_ID=ACCOUNT))
        if self.output:
            output.close()
        self._moto = ("127.0.0.1", port)
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise
        routes = {"monitoring": "127.0.0.1:%d" % self.cloudwatch.server.port} \
            if self.cloudwatch else {}
        self.proxy = FaultProxy("127.0.0.1:%d" % port, self._rules, self._port, self._keys,
                                unzip=self.cloudwatch is None, routes=routes).start()
        return self

    def _wait_until_up(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError("moto_server ended with %d" % self._process.returncode)
            try:
                socket.create_connection(self._moto, 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("moto_server does not answer")

    def stop(self):
        if self.proxy is not None:
            self.proxy.stop()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()

    @property
    def url(self):
        return self.proxy.url

    def env(self):
        """What the product needs in its environment to talk to the harness only."""
        return {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": self.url,
                "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "no_proxy": "127.0.0.1"}

    def reset(self):
        """Forget everything stored and every rule and log line."""
        connection = http.client.HTTPConnection(*self._moto, timeout=30)
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()
        connection.close()
        self.proxy.rules = []
        self.proxy.clear_log()
        if self.cloudwatch:
            self.cloudwatch.control({"reset": True})

    # -- signed calls, past the proxy's rules: the harness's own traffic never meets a fault --

    def call(self, service, method, target, body=b"", headers=(), region=REGION):
        """(status, headers, body) of one signed request."""
        direct = self._moto
        if service == "monitoring" and self.cloudwatch:
            direct = ("127.0.0.1", self.cloudwatch.server.port)
        host = "%s:%d" % direct
        signed = sigv4_verify.sign(method, target, dict({"Host": host}, **dict(headers)), body,
                                   ACCESS, SECRET, region, service)
        connection = http.client.HTTPConnection(*direct, timeout=60)
        connection.request(method, target, body, signed)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, dict(response.getheaders()), answer

    def call_json(self, service, target, value, region=REGION):
        status, _, body = self.call(service, "POST", "/", json.dumps(value).encode(),
                                    {"Content-Type": "application/x-amz-json-1.0",
                                     "X-Amz-Target": target}, region)
        if status != 200:
            raise RuntimeError("%s: %d %s" % (target, status, body[:500]))
        return json.loads(body or b"{}")

    def _s3(self, method, target, body=b""):
        status, headers, answer = self.call("s3", method, target, body)
        if status >= 300:
            raise RuntimeError("%s %s: %d %s" % (method, target, status, answer[:500]))
        return headers, answer

    def create_bucket(self, bucket):
        self._s3("PUT", "/" + bucket)

    def put_object(self, bucket, key, body):
        headers, _ = self._s3("PUT", "/%s/%s" % (bucket, urllib.parse.quote(key, safe="/~")), body)
        return headers.get("ETag", "").strip('"')

    def delete_object(self, bucket, key):
        self._s3("DELETE", "/%s/%s" % (bucket, urllib.parse.quote(key, safe="/~")))

    def create_queue(self, queue, attributes=()):
        """The queue's URL, on the proxy."""
        answer = self.call_json("sqs", "AmazonSQS.CreateQueue",
                                {"QueueName": queue, "Attributes": dict(attributes)})
        return self.url + urllib.parse.urlsplit(answer["QueueUrl"]).path

    def queue_attributes(self, queue_url):
        return self.call_json("sqs", "AmazonSQS.GetQueueAttributes",
                              {"QueueUrl": queue_url, "AttributeNames": ["All"]})["Attributes"]

    def queue_depth(self, queue_url):
        """Messages waiting plus in flight."""
        a = self.queue_attributes(queue_url)
        return int(a["ApproximateNumberOfMessages"]) + \
            int(a["ApproximateNumberOfMessagesNotVisible"])

    def send(self, queue_url, body):
        self.call_json("sqs", "AmazonSQS.SendMessage", {"QueueUrl": queue_url,
                                                        "MessageBody": body})

    def create_pipeline(self, bucket, queue, visibility=30, max_receives=5):
        """Bucket -> notification -> queue -> dead-letter queue; {"queue_url", "dead_letter_url"}.

        S3's test event waits in the queue afterwards, as on AWS.
        """
        arn = "arn:aws:sqs:%s:%s:" % (REGION, ACCOUNT)
        dead = self.create_queue(queue + "-dlq")
        url = self.create_queue(queue, {
            "VisibilityTimeout": str(visibility),
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn + queue + "-dlq",
                                         "maxReceiveCount": max_receives})})
        self.create_bucket(bucket)
        self._s3("PUT", "/%s?notification=" % bucket, (
            '<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            "<QueueConfiguration><Id>logs</Id><Queue>%s%s</Queue><Event>s3:ObjectCreated:*</Event>"
            "</QueueConfiguration></NotificationConfiguration>" % (arn, queue)).encode())
        return {"queue_url": url, "dead_letter_url": dead}

    def metric(self, namespace, name, dimensions=None, days=14):
        """{"Sum", "SampleCount", "Minimum", "Maximum"} over the last days, zeros without data."""
        now = time.time()
        form = {"Action": "GetMetricStatistics", "Version": "2010-08-01", "Namespace": namespace,
                "MetricName": name, "Period": str(86400),
                "StartTime": _iso(now - days * 86400), "EndTime": _iso(now + 10800)}
        for i, stat in enumerate(("Sum", "SampleCount", "Minimum", "Maximum"), 1):
            form["Statistics.member.%d" % i] = stat
        for i, (n, v) in enumerate(sorted((dimensions or {}).items()), 1):
            form["Dimensions.member.%d.Name" % i] = n
            form["Dimensions.member.%d.Value" % i] = v
        status, _, body = self.call(
            "monitoring", "POST", "/", urllib.parse.urlencode(form).encode(),
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
        if status != 200:
            raise RuntimeError("GetMetricStatistics: %d %s" % (status, body[:500]))
        out = {"Sum": 0.0, "SampleCount": 0.0, "Minimum": None, "Maximum": None}
        root = xml.etree.ElementTree.fromstring(body)
        for point in root.iter():
            if not point.tag.endswith("}member") or point.find(".//{*}Sum") is None:
                continue
            v = {s: float(point.find("{*}" + s).text) for s in out}
            out["Sum"] += v["Sum"]
            out["SampleCount"] += v["SampleCount"]
            out["Minimum"] = min(v["Minimum"], out["Minimum"] or v["Minimum"])
            out["Maximum"] = max(v["Maximum"], out["Maximum"] or v["Maximum"])
        return out


def _iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def main():
    import argparse
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ensure-venv", metavar="DIR")
    parser.add_argument("--venv", default=str(VENV))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bucket", help="create this bucket ...")
    parser.add_argument("--queue", help="... with notifications to this queue")
    args = parser.parse_args()
    if args.ensure_venv:
        print(ensure_venv(args.ensure_venv))
        return
    stop = httpbase.StopSignal()
    with MotoHarness(args.venv, port=args.port) as aws:
        env = aws.env()
        if args.bucket and args.queue:
            env["S3_BUCKET_NAME"] = args.bucket
            env["SQS_QUEUE_URL"] = aws.create_pipeline(args.bucket, args.queue)["queue_url"]
        print(aws.proxy.server.port, flush=True)
        print(json.dumps(env), flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
