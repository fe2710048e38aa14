"""The one builder of log records, log objects, and the events that announce them.

    lines(record(), record(modelId="amazon.nova-lite-v1:0", tokens=(7, 1)))    # bytes
    gz(lines(numbered(1), numbered(2)))                                        # a log object
    sqs_payload([s3_event(log_key("a"))])                                      # what a function gets
"""
import collections
import gzip
import json
import os
import struct
import time
import urllib.parse
import uuid
import zlib

ACCOUNT = "123456789012"
BUCKET = "bedrock-logs"
PROMPT = "prompt-canary-text"  # what no output of the program may hold
COUNTS = (("input", "inputTokenCount", "InputTokenCount"),
          ("output", "outputTokenCount", "OutputTokenCount"),
          ("input", "cacheReadInputTokenCount", "CacheReadInputTokenCount"),
          ("input", "cacheWriteInputTokenCount", "CacheWriteInputTokenCount"))
TOKENS = tuple(metric for _, _, metric in COUNTS)


# ---- records ----

def record(tokens=None, at=None, **members):
    """One record as Bedrock logs it.  Members replace or add; one given as None is left out.

    tokens: counts in the order of COUNTS, as many as are given.  at: its time in seconds since 1970.
    """
    value = {
        "timestamp": "2026-11-01T10:31:07Z",
        "accountId": ACCOUNT,
        "identity": {"arn": "arn:aws:sts::%s:assumed-role/App/session-1" % ACCOUNT},
        "region": "us-east-1",
        "requestId": "0c4e3a52-0f5e-4c30-9a3f-2f1f5a1b7c01",
        "operation": "Converse",
        "modelId": "us.anthropic.claude-sonnet-4-6",
        "input": {"inputContentType": "application/json", "inputTokenCount": 10},
        "output": {"outputContentType": "application/json", "outputTokenCount": 2},
        "inferenceRegion": "us-west-2",
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    }
    for (side, name, _), count in zip(COUNTS, tokens or ()):
        value[side][name] = count
    if at is not None:
        value["timestamp"] = instant(at)
    value.update(members)
    return {name: member for name, member in value.items() if member is not None}


def numbered(n, at=None, model="us.anthropic.claude-sonnet-4-20250514-v1:0", **members):
    """A record of five minutes ago whose caller and token counts follow from n, with bodies."""
    value = record(tokens=(100 + n, 10 + n % 11, n % 5, n % 3), modelId=model,
                   at=time.time() - 300 if at is None else at,
                   identity={"arn": "arn:aws:sts::%s:assumed-role/app/s%d" % (ACCOUNT, n % 7)},
                   requestId=str(uuid.uuid4()))
    value["input"]["inputBodyJson"] = {"messages": [PROMPT]}
    value["output"]["outputBodyJson"] = {"text": PROMPT}
    value.update(members)
    return value


def instant(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def sums_of(records):
    """{metric: sum} of counts and tokens, without zeros: what CloudWatch has to show."""
    out = collections.Counter()
    for one in records:
        out["Invocations"] += 1
        for side, name, metric in COUNTS:
            out[metric] += one[side].get(name, 0)
    out["TotalTokenCount"] = sum(out[metric] for metric in TOKENS)
    return {metric: value for metric, value in out.items() if value}


# ---- their text ----

def text(value):
    """A record as one line of JSON, without its end."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def raw(**changes):
    """The text of a record in which the changes are JSON text (str or bytes), put in as they are."""
    line = text(record(**{name: "@@%s@@" % name for name in changes})).encode()
    for name, value in changes.items():
        line = line.replace(b'"@@%s@@"' % name.encode(), as_bytes(value))
    return line


def lines(*records):
    """Records, or texts in their place, as JSON lines."""
    return b"".join(as_bytes(text(r) if isinstance(r, dict) else r) + b"\n" for r in records)


def as_bytes(value):
    return value if isinstance(value, bytes) else value.encode()


# ---- objects ----

def gz(content, level=6):
    return gzip.compress(as_bytes(content), level, mtime=0)


def member(content, level=6, crc=None, length=None, header=None):
    """A gzip member; crc and length override the trailer."""
    content = as_bytes(content)
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = packer.compress(content) + packer.flush()
    head = header if header is not None else b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    return head + body + struct.pack(
        "<II", zlib.crc32(content) if crc is None else crc,
        len(content) & 0xFFFFFFFF if length is None else length)


def log_object(records):
    return gz(lines(*records))


def log_key(name, at=None, region="us-east-1", account=ACCOUNT, prefix=""):
    """A key as Bedrock makes them, of five minutes ago."""
    hour = time.strftime("%Y/%m/%d/%H", time.gmtime(time.time() - 300 if at is None else at))
    return "%sAWSLogs/%s/BedrockModelInvocationLogs/%s/%s/%s.json.gz" % (prefix, account, region,
                                                                       hour, name)


def timed_key(at, **where):
    """The same with the name that Bedrock gives: the time, and something of chance."""
    return log_key(time.strftime("%Y%m%dT%H%M%S000Z", time.gmtime(at)) + "_9b86bf4994c4ab1c", at,
                   **where)


def write(path, data):
    """A file, with the folders above it."""
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(as_bytes(data))


def write_whole(path, data):
    """The same for a folder that is watched: the file appears with all of its bytes."""
    write(path + ".part", data)
    os.rename(path + ".part", path)


# ---- events ----

def s3_event(*keys, bucket=BUCKET, name="ObjectCreated:Put"):
    """The text of S3's notification of these objects."""
    return json.dumps({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": "2026-11-01T10:00:00.000Z", "eventName": name,
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "logs",
               "bucket": {"name": bucket, "arn": "arn:aws:s3:::" + bucket},
               "object": {"key": urllib.parse.quote_plus(key, safe="/"), "size": 1,
                          "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                          "sequencer": "0055AED6DCD90281E5"}}} for key in keys]})


def sqs_payload(bodies, arn="arn:aws:sqs:us-east-1:%s:bedrock-logs" % ACCOUNT):
    """What Lambda hands to a function for messages with these bodies: m0, m1, ..."""
    return {"Records": [{
        "messageId": "m%d" % i, "receiptHandle": "r%d" % i, "body": body,
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
        "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": arn,
        "awsRegion": "us-east-1"} for i, body in enumerate(bodies)]}
