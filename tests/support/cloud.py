"""A pipeline on loopback: bucket and queue, a strict CloudWatch, and the program between them.

    with Cloud(total=0) as cloud:            # the counterparts of tests/fake_aws behind one proxy
        cloud.put(key, records); cloud.send(key, ...)
        run = cloud.run("worker", "--once")  # CompletedProcess with text
        cloud.sums()                         # {metric: sum} of the set InferenceProfileType
"""
import collections
import json
import subprocess

from . import process
from .process import ACCESS, BINARY, SECRET, Process, aws_environment, clean
from .records import BUCKET, PROMPT, log_key, log_object, s3_event, sums_of
from .results import check, equal

from cloudwatch_stub import CloudWatchStub
from fault_proxy import FaultProxy
from runtime_api import RuntimeApi
from sqs_s3_stub import QUEUE, SqsS3Stub

NAMESPACE = "Custom/BedrockMetrics"
PRICED = ("EstimatedCost", "UnpricedTokens")  # follow from the price list


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

    def env(self, **more):
        return aws_environment(self.proxy.url, **dict(
            {"S3_BUCKET_NAME": BUCKET, "SQS_QUEUE_URL": self.queue_url, "FLUSH_INTERVAL": "1"},
            **more))

    def run(self, *words, timeout=120, stdin=None, **env):
        run = process.run([BINARY, *words], self.env(**env), timeout, text=True, cwd="/",
                          stdin=stdin or subprocess.DEVNULL)
        clean(run.stdout + run.stderr, PROMPT)
        return run

    def start(self, *words, **env):
        return Process([BINARY, *words], self.env(**env))

    def invoke(self, *payloads, timeout_ms=10000, wait=60, **env):
        """Each payload as one invocation of one function; (results, stderr)."""
        runtime = RuntimeApi([{"payload": p, "timeout_ms": timeout_ms} for p in payloads]).start()
        with self.start("lambda", AWS_LAMBDA_RUNTIME_API=runtime.address, **env) as function:
            try:
                done = runtime.wait(wait)
                function.stop(seconds=20)
            finally:
                runtime.stop()
        self.stdout = function.out
        clean(function.out + function.err, PROMPT)
        check(done, "the function did not answer:\n", function.err[-3000:])
        equal(function.returncode, 0, "exit status of the function:\n" + function.err[-3000:])
        return runtime, function.err


def failures(result):
    """The identifiers in a batch answer."""
    equal(result["kind"], "response", "kind of " + str(result["body"])[:500])
    return [f["itemIdentifier"] for f in json.loads(result["body"])["batchItemFailures"]]
