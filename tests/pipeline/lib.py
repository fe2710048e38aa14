"""What the pipeline tests share: the counterparts, the program, a corpus and its sums.

    with Cloud(total=0) as cloud:            # S3+SQS stub and strict CloudWatch behind one proxy
        cloud.put(key, records); cloud.send([key, ...])
        run = cloud.run("worker", "--once")  # CompletedProcess with text
        cloud.sums()                         # {metric: sum} of the set InferenceProfileType
"""
import collections
import gzip
import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "fake_aws"))
sys.dont_write_bytecode = True

from cloudwatch_stub import CloudWatchStub            # noqa: E402
from fault_proxy import FaultProxy                    # noqa: E402
from runtime_api import RuntimeApi                    # noqa: E402
from sqs_s3_stub import QUEUE, SqsS3Stub              # noqa: E402

BUILD = Path(os.environ.get("BUILD", ROOT / "build" / "release")).resolve()
BINARY = str(BUILD / "bedrock-metrics")
NAMESPACE = "Custom/BedrockMetrics"
BUCKET = "bedrock-logs"
ACCESS, SECRET = "AKIDEXAMPLE", "secret-canary-value"
PROMPT = "prompt-canary-text"
TOKENS = ("InputTokenCount", "OutputTokenCount", "CacheReadInputTokenCount",
          "CacheWriteInputTokenCount")


PRICED = ("EstimatedCost", "UnpricedTokens")  # follow from the price list


class Failed(AssertionError):
    pass


def check(condition, *what):
    if not condition:
        raise Failed(" ".join(str(w) for w in what) or "check failed")


def equal(got, wanted, what=""):
    if got != wanted:
        raise Failed("%s\n    got    %s\n    wanted %s" % (what, got, wanted))


def record(n, at=None, model="us.anthropic.claude-sonnet-4-20250514-v1:0", **members):
    """A log record whose token counts follow from n."""
    at = time.time() - 300 if at is None else at
    value = {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
        "accountId": "123456789012", "region": "us-east-1", "operation": "Converse",
        "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/app/s%d" % (n % 7)},
        "requestId": str(uuid.uuid4()), "modelId": model, "inferenceRegion": "us-west-2",
        "input": {"inputContentType": "application/json", "inputTokenCount": 100 + n,
                  "cacheReadInputTokenCount": n % 5, "cacheWriteInputTokenCount": n % 3,
                  "inputBodyJson": {"messages": [PROMPT]}},
        "output": {"outputContentType": "application/json", "outputTokenCount": 10 + n % 11,
                   "outputBodyJson": {"text": PROMPT}}}
    value.update(members)
    return value


def sums_of(records):
    out = collections.Counter()
    for r in records:
        out["Invocations"] += 1
        for side in ("input", "output"):
            for name, metric in (("inputTokenCount", TOKENS[0]), ("outputTokenCount", TOKENS[1]),
                                 ("cacheReadInputTokenCount", TOKENS[2]),
                                 ("cacheWriteInputTokenCount", TOKENS[3])):
                out[metric] += r[side].get(name, 0)
    out["TotalTokenCount"] = sum(out[t] for t in TOKENS)
    return {k: v for k, v in out.items() if v}


def log_object(records):
    return gzip.compress("".join(json.dumps(r) + "\n" for r in records).encode(), 6, mtime=0)


def log_key(name, at=None):
    at = time.time() - 300 if at is None else at
    return time.strftime("AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/%Y/%m/%d/%H/",
                         time.gmtime(at)) + "%s.json.gz" % name


def s3_event(*keys, bucket=BUCKET, name="ObjectCreated:Put"):
    from urllib.parse import quote_plus
    return json.dumps({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": "2026-11-01T10:00:00.000Z", "eventName": name,
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "logs",
               "bucket": {"name": bucket, "arn": "arn:aws:s3:::" + bucket},
               "object": {"key": quote_plus(key, safe="/"), "size": 1,
                          "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                          "sequencer": "0055AED6DCD90281E5"}}} for key in keys]})


def sqs_payload(bodies, arn="arn:aws:sqs:us-east-1:123456789012:bedrock-logs"):
    return {"Records": [{
        "messageId": "m%d" % i, "receiptHandle": "r%d" % i, "body": body,
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
        "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": arn,
        "awsRegion": "us-east-1"} for i, body in enumerate(bodies)]}


class Cloud:
    def __init__(self, total=0, records=5, visibility=30, keys=None, body_bytes=200):
        self.stub = SqsS3Stub(total=total, records=records, visibility=visibility,
                              body_bytes=body_bytes, bucket=BUCKET)
        self.cloudwatch = CloudWatchStub()
        self.runtime = None
        self.records = []

    def __enter__(self):
        self.stub.start()
        self.cloudwatch.start()
        self.proxy = FaultProxy("127.0.0.1:%d" % self.stub.server.port,
                                keys={ACCESS: (SECRET, None)},
                                routes={"monitoring":
                                        "127.0.0.1:%d" % self.cloudwatch.server.port}).start()
        return self

    def __exit__(self, *exc):
        if self.runtime is not None:
            self.runtime.stop()
        self.proxy.stop()
        self.cloudwatch.stop()
        self.stub.stop()

    # -- data --

    def put(self, name, records, key=None, content=None, count=True):
        key = key or log_key(name)
        self.stub.put(key, log_object(records) if content is None else content)
        if count:
            self.records += records
        return key

    def send(self, *keys, **options):
        self.stub.send(s3_event(*keys, **options))

    def sums(self, dimension=("InferenceProfileType",)):
        """Exact sums over all values and times of the series with just these dimensions."""
        out = collections.Counter()
        for namespace, metric, dimensions, _, points in self.cloudwatch.data():
            if namespace == NAMESPACE and tuple(dimensions) == tuple(dimension) and \
                    metric not in PRICED:
                for statistics in points.values():
                    out[metric] += statistics["Sum"]
        return dict(out)

    def expected(self):
        return sums_of(self.records)

    # -- the program --

    @property
    def queue_url(self):
        return "%s/123456789012/%s" % (self.proxy.url, QUEUE)

    def env(self, **extra):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent",
               "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
               "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.proxy.url,
               "AWS_EC2_METADATA_DISABLED": "true",
               "no_proxy": "127.0.0.1",
               "S3_BUCKET_NAME": BUCKET, "SQS_QUEUE_URL": self.queue_url, "FLUSH_INTERVAL": "1",
               "ASAN_OPTIONS": "detect_leaks=1"}
        for key, value in extra.items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = str(value)
        return env

    def run(self, *words, timeout=120, **env):
        run = subprocess.run([BINARY, *words], env=self.env(**env), timeout=timeout,
                             capture_output=True, text=True, cwd="/")
        self.clean(run.stdout + run.stderr)
        return run

    def start(self, *words, **env):
        return subprocess.Popen([BINARY, *words], env=self.env(**env), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd="/")

    @staticmethod
    def clean(text):
        for canary in (SECRET, PROMPT, "AddressSanitizer", "runtime error", "LeakSanitizer"):
            check(canary not in text, canary, "in the output:\n", text[-3000:])

    def invoke(self, *payloads, timeout_ms=10000, wait=60, **env):
        """Each payload as one invocation of one function; (results, stderr)."""
        runtime = RuntimeApi([{"payload": p, "timeout_ms": timeout_ms} for p in payloads]).start()
        process = self.start("lambda", AWS_LAMBDA_RUNTIME_API=runtime.address, **env)
        output = []
        reader = threading.Thread(target=lambda: output.extend(process.communicate()))
        reader.start()
        try:
            done = runtime.wait(wait)
        finally:
            process.terminate()
            reader.join(20)
            if reader.is_alive():
                process.kill()
                reader.join()
            runtime.stop()
        self.stdout = output[0]
        self.clean(output[0] + output[1])
        check(done, "the function did not answer:\n", output[1][-3000:])
        equal(process.returncode, 0, "exit status of the function:\n" + output[1][-3000:])
        return runtime, output[1]


def failures(result):
    """The identifiers in a batch answer."""
    equal(result["kind"], "response", "kind of " + str(result["body"])[:500])
    return [f["itemIdentifier"] for f in json.loads(result["body"])["batchItemFailures"]]


def log_lines(text, message):
    """key=value pairs of each log line with this message."""
    out = []
    for line in text.splitlines():
        body = re.sub(r"^BM-[A-Z][0-9]+ ", "", line.partition(" ")[2].lstrip())
        if body.startswith(message + " ") or body == message:
            out.append(dict(word.split("=", 1) for word in body[len(message):].split()
                            if "=" in word))
    return out
