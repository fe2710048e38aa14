"""A light, fast S3 and SQS for soak tests: messages and objects are made up when asked for.

    stub = SqsS3Stub(total=100_000, records=5).start()
    AWS_ENDPOINT_URL = stub.url, S3_BUCKET_NAME = stub.bucket, SQS_QUEUE_URL = stub.queue_url
    stub.expected()   # sums the product must report once everything was counted
    stub.stats()      # received, deleted, in flight, GETs, bytes, ...

The queue `bedrock-logs` begins with `total` S3 event messages, one object each; message i and
object i exist only while somebody asks, so memory depends on what is in flight, not on total.
Nothing here checks signatures (put fault_proxy.py --verify in front) and there are no FIFO queues.

S3, path style: GET (Range, If-Match), HEAD, PUT, DELETE of objects; ListObjectsV2 (prefix,
delimiter, max-keys, start-after, continuation-token, encoding-type=url).
SQS, JSON 1.0: ReceiveMessage (long poll), DeleteMessage[Batch], ChangeMessageVisibility[Batch],
SendMessage[Batch], GetQueueAttributes, GetQueueUrl, CreateQueue, ListQueues, PurgeQueue;
dead-letter queue by RedrivePolicy.
GET /control answers stats and expected; POST {"duplicate": n} puts the first n messages in again.
"""
import argparse
import base64
import bisect
import collections
import gzip
import hashlib
import heapq
import itertools
import json
import os
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support.records import lines, record, sums_of  # noqa: E402
import httpbase  # noqa: E402
from httpbase import Response, json_response  # noqa: E402

ACCOUNT = "123456789012"
QUEUE = "bedrock-logs"
MODELS = ("us.anthropic.claude-sonnet-4-20250514-v1:0", "eu.amazon.nova-pro-v1:0",
          "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-lite-v1:0")
REGIONS = ("us-west-2", "eu-central-1", "ap-northeast-1", "us-east-1")


class SyntheticBucket:
    """`total` log objects whose keys sort by number; contents repeat every TEMPLATES objects."""

    TEMPLATES = 16

    def __init__(self, total, records, body_bytes=200, start=None):
        self.total = total
        self.records = records
        start = time.time() - 3600 if start is None else start
        self.start = int(start) - int(start) % 60
        hour = time.strftime("%Y/%m/%d/%H", time.gmtime(self.start))
        stamp = time.strftime("%Y%m%dT%H%M%S000Z", time.gmtime(self.start))
        self.prefix = "AWSLogs/%s/BedrockModelInvocationLogs/us-east-1/%s/%s_" % (ACCOUNT, hour,
                                                                                 stamp)
        self.templates, self.sums = [], []
        for t in range(self.TEMPLATES):
            content, sums = self._records(t, records, body_bytes)
            body = gzip.compress(content, 6, mtime=0)
            self.templates.append((body, hashlib.md5(body).hexdigest()))
            self.sums.append(sums)

    def _records(self, t, records, body_bytes):
        out = []
        for r in range(records):
            which = (t + r) % len(MODELS)
            # The counts before and after a body in which the same names stand.
            one = record(
                at=self.start + (t * 37 + r) % 600, modelId=MODELS[which],
                requestId="00000000-0000-4000-8000-%06d%06d" % (t, r),
                input={"inputContentType": "application/json",
                       "inputBodyJson": {"messages": [{"role": "user", "content": [
                           {"text": "x" * body_bytes + ' "inputTokenCount": 999'}]}]},
                       "inputTokenCount": 100 + 7 * t + r, "cacheReadInputTokenCount": t,
                       "cacheWriteInputTokenCount": r},
                output={"outputContentType": "application/json",
                        "outputBodyJson": {"usage": {"outputTokens": 1}},
                        "outputTokenCount": 10 + t * 3 + r},
                inferenceRegion=REGIONS[which] if which < 3 else None)
            out.append(one)
        return lines(*out), sums_of(out)

    def expected(self):
        totals = collections.Counter()
        for t, sums in enumerate(self.sums):
            n = self.total // self.TEMPLATES + (t < self.total % self.TEMPLATES)
            for name, value in sums.items():
                totals[name] += n * value
        return dict(totals)

    def key(self, i):
        return "%s%016x.json.gz" % (self.prefix, i)

    def number(self, key):
        """i of a key, or None."""
        if not (key.startswith(self.prefix) and key.endswith(".json.gz")):
            return None
        try:
            i = int(key[len(self.prefix):-8], 16)
        except ValueError:
            return None
        return i if 0 <= i < self.total and self.key(i) == key else None

    def content(self, i):
        return self.templates[i % self.TEMPLATES]

    # A sorted sequence of keys, for bisect.
    def __len__(self):
        return self.total

    def __getitem__(self, i):
        return self.key(i)


class Queue:
    """Messages waiting, in flight and due again.  A message is [source, receive count]; source is
    the number of a synthetic message or a body."""

    def __init__(self, name, synthetic=0, visibility=30):
        self.name = name
        self.synthetic = synthetic
        self.cursor = 0
        self.visibility = visibility
        self.max_receives = 0
        self.dead_letters = None
        self.waiting = collections.deque()
        self.in_flight = {}           # handle -> [message, due]
        self.due = []                 # heap of (due, handle); stale entries are skipped
        self.change = threading.Condition()
        self.counts = collections.Counter()
        self.handles = itertools.count(1)

    def send(self, body):
        with self.change:
            self.waiting.append([body, 0])
            self.counts["sent"] += 1
            self.change.notify()

    def _release_due(self, now):
        while self.due and self.due[0][0] <= now:
            due, handle = heapq.heappop(self.due)
            entry = self.in_flight.get(handle)
            if entry is not None and entry[1] == due:
                del self.in_flight[handle]
                self.waiting.append(entry[0])

    def _next(self):
        while self.waiting:
            message = self.waiting.popleft()
            if self.max_receives and self.dead_letters is not None and \
                    message[1] >= self.max_receives:
                self.counts["dead"] += 1
                self.dead_letters.append(message[0])
                continue
            return message
        if self.cursor < self.synthetic:
            self.cursor += 1
            return [self.cursor - 1, 0]
        return None

    def receive(self, most, wait, visibility, gone):
        """[(handle, source, receive count)]"""
        end = time.monotonic() + wait
        out = []
        with self.change:
            self.counts["receives"] += 1
            while True:
                now = time.monotonic()
                self._release_due(now)
                while len(out) < most:
                    message = self._next()
                    if message is None:
                        break
                    message[1] += 1
                    handle = "h%d" % next(self.handles)
                    due = now + visibility
                    self.in_flight[handle] = [message, due]
                    heapq.heappush(self.due, (due, handle))
                    out.append((handle, message[0], message[1]))
                self.counts["received"] += len(out)
                if out or now >= end or gone():
                    return out
                pause = min(end - now, 0.2)
                if self.due:
                    pause = min(pause, max(self.due[0][0] - now, 0.001))
                self.change.wait(pause)

    def delete(self, handle):
        """False for a malformed handle; an old one succeeds without effect, as on AWS."""
        with self.change:
            if not (handle.startswith("h") and handle[1:].isdigit()):
                return False
            if self.in_flight.pop(handle, None) is not None:
                self.counts["deleted"] += 1
            else:
                self.counts["deleted_stale"] += 1
            if len(self.due) > 1000 and len(self.due) > 4 * len(self.in_flight):
                self.due = [(e[1], h) for h, e in self.in_flight.items()]
                heapq.heapify(self.due)
            return True

    def change_visibility(self, handle, seconds):
        with self.change:
            entry = self.in_flight.get(handle)
            if entry is None:
                return False
            self.counts["visibility_changes"] += 1
            entry[1] = time.monotonic() + seconds
            heapq.heappush(self.due, (entry[1], handle))
            self.change.notify()
            return True

    def stats(self):
        with self.change:
            self._release_due(time.monotonic())
            return dict(self.counts, in_flight=len(self.in_flight),
                        waiting=len(self.waiting) + self.synthetic - self.cursor)


class SqsError(Exception):
    def __init__(self, code, message, shape=None):
        super().__init__(message)
        self.code, self.message, self.shape = code, message, shape


class SqsS3Stub(httpbase.Counterpart):
    def __init__(self, total=0, records=5, body_bytes=200, bucket="bedrock-logs", port=0,
                 visibility=30, start=None):
        self.bucket = bucket
        self.synthetic = SyntheticBucket(total, records, body_bytes, start)
        self.server = httpbase.Server(self._handle, port)
        self.queues = {QUEUE: Queue(QUEUE, total, visibility)}
        self.objects = {bucket: {}}   # bucket -> {key: (body, etag)}
        self.counts = collections.Counter()
        self._sorted = {}             # bucket -> sorted keys, made when listing
        self._lock = threading.Lock()

    @property
    def queue_url(self):
        return self._queue_url(QUEUE)

    def _queue_url(self, name):
        return "%s/%s/%s" % (self.url, ACCOUNT, name)

    def expected(self):
        return self.synthetic.expected()

    def stats(self):
        return {"queues": {n: q.stats() for n, q in list(self.queues.items())},
                "s3": dict(self.counts), "connections": self.server.connections_total,
                "connections_open": self.server.connections_open}

    def put(self, key, body, bucket=None):
        etag = hashlib.md5(body).hexdigest()
        with self._lock:
            self.objects.setdefault(bucket or self.bucket, {})[key] = (bytes(body), etag)
            self._sorted.pop(bucket or self.bucket, None)
        return etag

    def send(self, body, queue=QUEUE):
        self.queues[queue].send(body)

    # -- requests --

    def _handle(self, request):
        target = request.headers.get("x-amz-target")
        if target:
            return self._sqs(request, target)
        if request.path == "/control":
            return self._control(request)
        return self._s3(request)

    def _control(self, request):
        order = request.json() if request.method == "POST" else {}
        for i in range(int(order.get("duplicate", 0))):
            self.send(i)
        return json_response(dict(self.stats(), expected=self.expected(), bucket=self.bucket,
                                  queue_url=self.queue_url, prefix=self.synthetic.prefix))

    # -- SQS --

    def _sqs(self, request, target):
        service, _, op = target.partition(".")
        method = getattr(self, "_sqs_" + op, None) if service == "AmazonSQS" else None
        try:
            if method is None:
                raise SqsError("InvalidAction", "unknown action " + target)
            try:
                tree = json.loads(request.body)
            except ValueError:
                raise SqsError("InvalidParameterValue", "not JSON")
            return json_response(method(tree, request), kind="application/x-amz-json-1.0",
                                 headers=[("x-amzn-RequestId", httpbase.request_id())])
        except SqsError as fault:
            return httpbase.aws_error(request, 400, fault.code, fault.message, fault.shape,
                                      "com.amazonaws.sqs")

    def _queue(self, tree):
        name = str(tree.get("QueueUrl", "")).rstrip("/").rsplit("/", 1)[-1]
        if name not in self.queues:
            raise SqsError("AWS.SimpleQueueService.NonExistentQueue",
                           "The specified queue does not exist.", "QueueDoesNotExist")
        return self.queues[name]

    def body_of(self, source):
        """A message's body; synthetic ones are S3 events."""
        if not isinstance(source, int):
            return source
        body, etag = self.synthetic.content(source)
        return ('{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1",'
                '"eventTime":"2026-01-01T00:00:00.000Z","eventName":"ObjectCreated:Put",'
                '"userIdentity":{"principalId":"AWS:FAKE"},"s3":{"s3SchemaVersion":"1.0",'
                '"configurationId":"soak","bucket":{"name":"%s","arn":"arn:aws:s3:::%s"},'
                '"object":{"key":"%s","size":%d,"eTag":"%s","sequencer":"%016X"}}}]}'
                % (self.bucket, self.bucket, self.synthetic.key(source), len(body), etag, source))

    def _sqs_ReceiveMessage(self, tree, request):
        queue = self._queue(tree)
        most = tree.get("MaxNumberOfMessages", 1)
        wait = tree.get("WaitTimeSeconds", 0)
        if not 1 <= most <= 10:
            raise SqsError("InvalidParameterValue", "MaxNumberOfMessages must be 1 to 10")
        if not 0 <= wait <= 20:
            raise SqsError("InvalidParameterValue", "WaitTimeSeconds must be 0 to 20")
        names = set(tree.get("MessageSystemAttributeNames") or tree.get("AttributeNames") or ())
        got = queue.receive(most, wait, tree.get("VisibilityTimeout", queue.visibility),
                            request.conn.peer_is_gone)
        messages = []
        for handle, source, count in got:
            body = self.body_of(source)
            message = {"MessageId": "m-%s" % (source if isinstance(source, int) else handle),
                       "ReceiptHandle": handle, "Body": body,
                       "MD5OfBody": hashlib.md5(body.encode()).hexdigest()}
            if names:
                attributes = {"ApproximateReceiveCount": str(count),
                              "SentTimestamp": str(self.synthetic.start * 1000),
                              "SenderId": "FAKE"}
                message["Attributes"] = {k: v for k, v in attributes.items()
                                         if k in names or "All" in names}
            messages.append(message)
        return {"Messages": messages} if messages else {}

    def _sqs_DeleteMessage(self, tree, request):
        if not self._queue(tree).delete(str(tree.get("ReceiptHandle", ""))):
            raise SqsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        return {}

    def _batch(self, tree, act):
        entries = tree.get("Entries") or []
        if not entries:
            raise SqsError("AWS.SimpleQueueService.EmptyBatchRequest", "no entries",
                           "EmptyBatchRequest")
        if len(entries) > 10:
            raise SqsError("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "more than 10",
                           "TooManyEntriesInBatchRequest")
        if len({e.get("Id") for e in entries}) != len(entries):
            raise SqsError("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "ids repeat",
                           "BatchEntryIdsNotDistinct")
        good, failed = [], []
        for entry in entries:
            result = act(entry)
            if result is None:
                failed.append({"Id": entry["Id"], "SenderFault": True,
                               "Code": "ReceiptHandleIsInvalid",
                               "Message": "The input receipt handle is invalid."})
            else:
                good.append(dict(result, Id=entry["Id"]))
        return {"Successful": good, "Failed": failed}

    def _sqs_DeleteMessageBatch(self, tree, request):
        queue = self._queue(tree)
        return self._batch(tree, lambda e: {} if queue.delete(e.get("ReceiptHandle", "")) else None)

    def _sqs_ChangeMessageVisibility(self, tree, request):
        if not self._queue(tree).change_visibility(tree.get("ReceiptHandle"),
                                                   tree.get("VisibilityTimeout", 0)):
            raise SqsError("InvalidParameterValue", "Message does not exist or is not in flight",
                           "MessageNotInflight")
        return {}

    def _sqs_ChangeMessageVisibilityBatch(self, tree, request):
        queue = self._queue(tree)
        return self._batch(tree, lambda e: {} if queue.change_visibility(
            e.get("ReceiptHandle"), e.get("VisibilityTimeout", 0)) else None)

    def _send(self, queue, entry):
        body = entry.get("MessageBody")
        if not isinstance(body, str) or not 1 <= len(body.encode()) <= 1 << 20:
            raise SqsError("InvalidParameterValue", "MessageBody must have 1 byte to 1 MiB")
        queue.send(body)
        return {"MessageId": "m-sent-%d" % queue.counts["sent"],
                "MD5OfMessageBody": hashlib.md5(body.encode()).hexdigest()}

    def _sqs_SendMessage(self, tree, request):
        return self._send(self._queue(tree), tree)

    def _sqs_SendMessageBatch(self, tree, request):
        queue = self._queue(tree)
        if sum(len(e.get("MessageBody", "").encode()) for e in tree.get("Entries", ())) > 1 << 20:
            raise SqsError("AWS.SimpleQueueService.BatchRequestTooLong", "more than 1 MiB",
                           "BatchRequestTooLong")
        return self._batch(tree, lambda e: self._send(queue, e))

    def _sqs_CreateQueue(self, tree, request):
        name = tree.get("QueueName", "")
        queue = self.queues.setdefault(name, Queue(name))
        self._set_attributes(queue, tree.get("Attributes") or {})
        return {"QueueUrl": self._queue_url(name)}

    def _sqs_SetQueueAttributes(self, tree, request):
        self._set_attributes(self._queue(tree), tree.get("Attributes") or {})
        return {}

    def _set_attributes(self, queue, attributes):
        if "VisibilityTimeout" in attributes:
            queue.visibility = int(attributes["VisibilityTimeout"])
        if "RedrivePolicy" in attributes:
            policy = json.loads(attributes["RedrivePolicy"])
            dead = policy["deadLetterTargetArn"].rsplit(":", 1)[-1]
            queue.max_receives = int(policy["maxReceiveCount"])
            queue.dead_letters = _DeadLetters(self.queues.setdefault(dead, Queue(dead)))

    def _sqs_GetQueueUrl(self, tree, request):
        return {"QueueUrl": self._queue_url(self._queue({"QueueUrl": tree.get("QueueName")}).name)}

    def _sqs_ListQueues(self, tree, request):
        return {"QueueUrls": [self._queue_url(n) for n in sorted(self.queues)
                              if n.startswith(tree.get("QueueNamePrefix") or "")]}

    def _sqs_PurgeQueue(self, tree, request):
        queue = self._queue(tree)
        with queue.change:
            queue.waiting.clear()
            queue.cursor = queue.synthetic
        return {}

    def _sqs_GetQueueAttributes(self, tree, request):
        queue = self._queue(tree)
        stats = queue.stats()
        attributes = {"ApproximateNumberOfMessages": str(stats["waiting"]),
                      "ApproximateNumberOfMessagesNotVisible": str(stats["in_flight"]),
                      "ApproximateNumberOfMessagesDelayed": "0",
                      "VisibilityTimeout": str(queue.visibility),
                      "QueueArn": "arn:aws:sqs:us-east-1:%s:%s" % (ACCOUNT, queue.name)}
        if queue.max_receives:
            attributes["RedrivePolicy"] = json.dumps({
                "deadLetterTargetArn": "arn:aws:sqs:us-east-1:%s:%s" % (
                    ACCOUNT, queue.dead_letters.queue.name),
                "maxReceiveCount": queue.max_receives})
        names = tree.get("AttributeNames") or []
        return {"Attributes": {k: v for k, v in attributes.items()
                               if k in names or "All" in names}}

    # -- S3 --

    def _s3(self, request):
        bucket, _, raw = request.path[1:].partition("/")
        key = urllib.parse.unquote(raw, errors="surrogateescape")
        if bucket not in self.objects:
            if request.method == "PUT" and not key:
                self.objects[bucket] = {}
                return Response(200)
            return httpbase.aws_error(request, 404, "NoSuchBucket",
                                      "The specified bucket does not exist")
        if not key:
            if request.method == "PUT":
                return Response(200)
            if request.method == "HEAD":
                return Response(200, b"", [("x-amz-bucket-region", "us-east-1")])
            if request.method == "GET" and request.params().get("list-type") == "2":
                return self._list(request, bucket)
            return httpbase.aws_error(request, 501, "NotImplemented", "not in this counterpart")
        if request.method in ("GET", "HEAD"):
            return self._get(request, bucket, key)
        if request.method == "PUT":
            etag = self.put(key, request.body, bucket)
            return Response(200, b"", [("ETag", '"%s"' % etag)])
        if request.method == "DELETE":
            with self._lock:
                self.objects[bucket].pop(key, None)
                self._sorted.pop(bucket, None)
            return Response(204)
        return httpbase.aws_error(request, 405, "MethodNotAllowed", "not allowed")

    def _find(self, bucket, key):
        found = self.objects[bucket].get(key)
        if found is None and bucket == self.bucket:
            i = self.synthetic.number(key)
            if i is not None:
                return self.synthetic.content(i)
        return found

    def _get(self, request, bucket, key):
        found = self._find(bucket, key)
        if found is None:
            return httpbase.aws_error(request, 404, "NoSuchKey",
                                      "The specified key does not exist.")
        body, etag = found
        wanted = request.headers.get("if-match")
        if wanted is not None and wanted.strip('"') not in (etag, "*"):
            return httpbase.aws_error(request, 412, "PreconditionFailed", "At least one of the "
                                      "pre-conditions you specified did not hold")
        headers = [("ETag", '"%s"' % etag), ("Accept-Ranges", "bytes"),
                   ("Last-Modified", httpbase.date_header()),
                   ("Content-Type", "application/octet-stream"),
                   ("x-amz-request-id", httpbase.request_id())]
        status = 200
        window = byte_range(request.headers.get("range"), len(body))
        if window == "unsatisfiable":
            return httpbase.aws_error(request, 416, "InvalidRange",
                                      "The requested range is not satisfiable")
        if window is not None:
            status = 206
            headers.append(("Content-Range", "bytes %d-%d/%d" % (window[0], window[1] - 1,
                                                                 len(body))))
            body = body[window[0]:window[1]]
        self.counts[request.method] += 1
        if request.method == "HEAD":
            headers.append(("Content-Length", str(len(body))))
            return Response(status, b"", headers)
        self.counts["bytes"] += len(body)
        return Response(status, body, headers)

    def _keys_from(self, bucket, after):
        """Keys greater than `after`, in order."""
        with self._lock:
            if bucket not in self._sorted:
                self._sorted[bucket] = sorted(self.objects[bucket])
            real = self._sorted[bucket]
        sources = [itertools.islice(real, bisect.bisect_right(real, after), None)]
        if bucket == self.bucket:
            synthetic = self.synthetic
            sources.append(map(synthetic.key, range(bisect.bisect_right(synthetic, after),
                                                    synthetic.total)))
        return heapq.merge(*sources)

    def _list(self, request, bucket):
        p = request.params()
        prefix, delimiter = p.get("prefix", ""), p.get("delimiter", "")
        after = p.get("start-after", "")
        if "continuation-token" in p:
            try:
                after = base64.urlsafe_b64decode(p["continuation-token"].encode()).decode()
            except ValueError:
                return httpbase.aws_error(request, 400, "InvalidArgument",
                                          "The continuation token provided is incorrect")
        most = min(int(p.get("max-keys", 1000)), 1000)
        url = p.get("encoding-type") == "url"
        show = (lambda s: urllib.parse.quote(s, safe="/")) if url else httpbase.xml_text
        contents, folders, last, truncated = [], [], after, False
        # Begin just before the first key that can have the prefix.
        cursor = max(after, prefix[:-1] + chr(ord(prefix[-1]) - 1) + "\U0010ffff") \
            if prefix and prefix[-1] > "\x00" else after
        keys = self._keys_from(bucket, cursor)
        while True:
            key = next(keys, None)
            if key is None or (not key.startswith(prefix) and key > prefix):
                break
            if not key.startswith(prefix):
                continue
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            folder = key[:at + len(delimiter)] if at >= 0 else None
            if folder is not None and after.startswith(folder):
                keys = self._keys_from(bucket, folder + "\U0010ffff")
                continue
            if len(contents) + len(folders) >= most:
                truncated = most > 0
                break
            if folder is not None:
                folders.append(folder)
                last = folder + "\U0010ffff"
                keys = self._keys_from(bucket, last)
            else:
                body, etag = self._find(bucket, key)
                contents.append("<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z"
                                "</LastModified><ETag>&quot;%s&quot;</ETag><Size>%d</Size>"
                                "<StorageClass>STANDARD</StorageClass></Contents>"
                                % (show(key), etag, len(body)))
                last = key
        self.counts["LIST"] += 1
        token = base64.urlsafe_b64encode(last.encode()).decode()
        out = ['<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult '
               'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
               "<Name>%s</Name><Prefix>%s</Prefix><KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys>"
               % (bucket, show(prefix), len(contents) + len(folders), most),
               "<EncodingType>url</EncodingType>" if url else "",
               "<IsTruncated>%s</IsTruncated>" % ("true" if truncated else "false")]
        if truncated:
            out.append("<NextContinuationToken>%s</NextContinuationToken>" % token)
        out += contents
        out += ["<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>" % show(f) for f in folders]
        out.append("</ListBucketResult>")
        return Response(200, "".join(out).encode("utf-8", "surrogateescape"),
                        [("Content-Type", "application/xml"),
                         ("x-amz-request-id", httpbase.request_id())])


class _DeadLetters:
    """What Queue needs of its dead-letter queue."""

    def __init__(self, queue):
        self.queue = queue

    def append(self, source):
        self.queue.send(source)


def byte_range(text, size):
    """[first, end) of a Range header; None: whole body (as S3 does for odd ones)."""
    if not text or not text.startswith("bytes=") or "," in text:
        return None
    first, dash, last = text[6:].partition("-")
    if not dash or not (first or last) or not (first + last).isdigit():
        return None
    if not first:
        begin, end = max(size - int(last), 0), size
    else:
        begin, end = int(first), min(int(last) + 1, size) if last else size
    if begin >= size or begin >= end:
        return "unsatisfiable"
    return begin, end


def main():
    parser = httpbase.command_line(__doc__.splitlines()[0])
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--total", type=int, default=0, help="synthetic messages")
    parser.add_argument("--records", type=int, default=5, help="records an object")
    parser.add_argument("--body-bytes", type=int, default=200, help="prompt bytes a record")
    parser.add_argument("--bucket", default="bedrock-logs")
    parser.add_argument("--visibility", type=int, default=30, help="seconds")
    args = parser.parse_args()
    httpbase.run_until_stopped(SqsS3Stub(args.total, args.records, args.body_bytes, args.bucket,
                                         args.port, args.visibility).server)


if __name__ == "__main__":
    main()
