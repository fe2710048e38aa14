"""moto_server from a virtual environment behind the fault proxy: bucket, queue, notification.

    with MotoHarness() as aws:
        aws.create_pipeline("bedrock-logs", "bedrock-queue")
        subprocess.run([binary, "worker", "--once"], env=dict(os.environ, **aws.env()))
        aws.metric("Custom/BedrockMetrics", "Invocations", {"ModelId": "x"})["Sum"]
        aws.proxy.rules = [...]; aws.proxy.log; aws.reset()

MotoServer is the server alone.  Both need the standard library only.  moto stores CloudWatch data without checking
them: pass cloudwatch=CloudWatchStub() to send that service to the strict counterpart instead.
CLI: --ensure-venv DIR makes the environment and exits; without it serves until SIGTERM, after
printing the proxy's port and the environment variables as JSON.
"""
import fcntl
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.parse
import xml.etree.ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.process import free_port, wait_for_port  # noqa: E402
import httpbase  # noqa: E402
import sigv4_verify  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402

VENV = HERE.parent.parent / "build" / "venv-aws"
ACCESS, SECRET, REGION, ACCOUNT = "AKIDEXAMPLE", "secretexample", "us-east-1", "123456789012"


def ensure_venv(path=VENV):
    """Create the environment with the pinned packages unless it is there; returns its Path.

    Of suites that ask at once, the first makes it and the others wait.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(path.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_venv(path)
    return path


def make_venv(path):
    wanted = (HERE / "requirements.txt").read_text()
    stamp = path / "installed.txt"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    if not (path / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(path)], check=True)
    subprocess.run([str(path / "bin" / "python"), "-m", "pip", "-q", "install",
                    "--disable-pip-version-check", "-r", str(HERE / "requirements.txt")],
                   check=True, stdout=sys.stderr)
    stamp.write_text(wanted)


def venv_ready(path=VENV):
    return (Path(path) / "bin" / "moto_server").exists()


class MotoServer:
    """moto_server alone, on a free port.  script: a program that is started in its place."""

    def __init__(self, venv=VENV, script=None, output=None, env=None):
        bin_ = Path(venv) / "bin"
        self._words = [str(bin_ / "python"), str(script)] if script else [str(bin_ / "moto_server")]
        self._env = dict(os.environ if env is None else env, MOTO_ACCOUNT_ID=ACCOUNT)
        self._output = output             # a file for moto's own log, or None
        self.process = None

    def start(self):
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        output = open(self._output, "ab") if self._output else subprocess.DEVNULL
        self.process = subprocess.Popen(
            [*self._words, "-H", "127.0.0.1", "-p", str(self.port)], stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, env=self._env)
        if self._output:
            output.close()
        try:
            wait_for_port(self.port, self.process)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def reset(self):
        """Forget everything stored."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()
        connection.close()

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()


class MotoHarness:
    def __init__(self, venv=VENV, rules=(), verify=True, cloudwatch=None, port=0, output=None):
        self.cloudwatch = cloudwatch      # a started CloudWatchStub, or None for moto's
        self._rules, self._port = list(rules), port
        self._keys = {ACCESS: (SECRET, None)} if verify else None
        self.server = MotoServer(venv, output=output)
        self._venv = venv
        self.proxy = None

    def start(self):
        ensure_venv(self._venv)
        self.server.start()
        self._moto = ("127.0.0.1", self.server.port)
        routes = {"monitoring": "127.0.0.1:%d" % self.cloudwatch.server.port} \
            if self.cloudwatch else {}
        self.proxy = FaultProxy("127.0.0.1:%d" % self.server.port, self._rules, self._port,
                                self._keys, unzip=self.cloudwatch is None, routes=routes).start()
        return self

    def stop(self):
        if self.proxy is not None:
            self.proxy.stop()
        self.server.stop()

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
        self.server.reset()
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
