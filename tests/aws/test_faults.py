"""Broken networks and servers: what each call makes of them, and how often a request was applied."""
import gzip
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from harness import OUT, Server, Tool, answer, environment, read_request, reset, serve
from support.process import free_port

OBJECT = os.urandom(3 * 1024 * 1024 + 5)
DIGEST = hashlib.sha256(OBJECT).hexdigest()
PUT = json.dumps({"Namespace": "N", "MetricData": [{"MetricName": "M", "Value": 1}]})


def s3_headers(body, etag='"e1"'):
    return [("ETag", etag), ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("Accept-Ranges", "bytes")]


def part_of(request, body):
    """(status, bytes, headers) of a GET with or without Range."""
    found = re.match(r"bytes=(\d+)-$", request.headers.get("range", ""))
    if not found:
        return 200, body, []
    first = int(found.group(1))
    return 206, body[first:], [("Content-Range", "bytes %d-%d/%d" % (first, len(body) - 1,
                                                                      len(body)))]


class Case(unittest.TestCase):
    def tool(self, server, **more):
        return Tool(environment(AWS_ENDPOINT_URL=server.url, **more))


class S3(Case):
    def get(self, server, **more):
        with self.tool(server) as tool:
            return tool.call(op="s3_get", bucket="bucket", key="k", **more)

    def cutting(self, cuts, how, etag=lambda n: '"e1"', body=lambda n: OBJECT):
        """Cuts the first `cuts` answers after a megabyte."""
        def handle(conn, server):
            while True:
                request = read_request(conn)
                if request is None:
                    return
                n = server.note(request)
                if request.headers.get("if-match") not in (None, etag(n)):
                    conn.sendall(answer(412, "<Error><Code>PreconditionFailed</Code></Error>"))
                    continue
                status, data, more = part_of(request, body(n))
                reply = answer(status, data, s3_headers(data, etag(n)) + more)
                if n > cuts:
                    conn.sendall(reply)
                    continue
                conn.sendall(reply[:1024 * 1024])
                how(conn)
                return
        return Server(handle)

    def test_cut_and_resumed(self):
        for how in (reset, lambda c: c.close()):
            with self.cutting(2, how) as server:
                got = self.get(server)
                self.assertEqual(("ok", DIGEST), (got["status"], got.get("sha256")), got)
                self.assertEqual(2, got["restarts"])
                self.assertNotIn("if-match", server.requests[0].headers)
                for request in server.requests[1:]:
                    self.assertEqual('"e1"', request.headers["if-match"])
                    self.assertIn("if-match", request.headers["authorization"])

    def test_cut_too_often(self):
        with self.cutting(100, reset, body=lambda n: OBJECT * 2) as server:
            # A megabyte each time: with 8 MiB of progress the count would start anew.
            got = self.get(server)
            self.assertEqual("retry", got["status"])
            self.assertIn("cut after", got["error"])
            self.assertEqual(4, len(server.requests))

    def test_replaced_meanwhile(self):
        with self.cutting(1, reset, etag=lambda n: '"e%d"' % n) as server:
            self.assertEqual("conflict", self.get(server)["status"])

    def test_wrong_range(self):
        def respond(request, n, _server):
            if n == 1:
                return answer(200, OBJECT[:1000], s3_headers(OBJECT) +
                              [("Content-Length", str(len(OBJECT)))], close=True)
            # Not what was asked for: the whole, or a range somewhere else.
            if n % 2 == 0:
                return answer(200, OBJECT, s3_headers(OBJECT))
            return answer(206, OBJECT[5:], s3_headers(OBJECT) + [
                ("Content-Range", "bytes 5-%d/%d" % (len(OBJECT) - 1, len(OBJECT)))])

        def handle(conn, server):
            request = read_request(conn)
            if request is not None:
                conn.sendall(respond(request, server.note(request), server))
        with Server(handle) as server:
            got = self.get(server)
            self.assertEqual("retry", got["status"], got)

    def test_no_length(self):
        def handle(conn, server):
            server.note(read_request(conn))
            conn.sendall(b"HTTP/1.1 200 OK\r\nETag: \"e\"\r\n\r\nabc")
        with Server(handle) as server:
            self.assertEqual("retry", self.get(server)["status"])

    def test_chunk_sizes(self):
        with serve(lambda r, n, s: answer(200, OBJECT, s3_headers(OBJECT))) as server:
            with self.tool(server) as tool:
                for chunk in (4096, 16384, 16385, 100000, 4 * 1024 * 1024):
                    got = tool.call(op="s3_get", bucket="bucket", key="k", chunk=chunk)
                    self.assertEqual(DIGEST, got["sha256"])
            self.assertEqual(1, server.connections)  # kept alive over all of them

    def test_two_in_turns(self):
        objects = {"a": OBJECT, "b": OBJECT[::-1][:1000000]}

        def respond(request, _n, _server):
            if request.method == "HEAD":
                return answer(200, b"", [("x-amz-bucket-region", "us-east-1")])
            return answer(200, objects[request.path[-1]], s3_headers(OBJECT))

        def digest(data):
            total = 0
            for byte in data:
                total = (total * 31 + byte) & (2 ** 64 - 1)
            return total >> 1
        with serve(respond) as server, self.tool(server) as tool:
            got = tool.call(op="s3_turns", bucket="bucket", keys=["a", "b"])
            self.assertEqual("ok", got["status"], got)
            self.assertEqual([digest(objects["a"]), digest(objects["b"])], got["sums"])
            self.assertEqual(3, server.connections)

    def test_back_pressure(self):
        sent = []

        def handle(conn, server):
            server.note(read_request(conn))
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            body = b"z" * (64 * 1024 * 1024)
            conn.sendall(answer(200, b"", s3_headers(b"") + [("Content-Length", str(len(body)))]))
            view = memoryview(body)
            while view:
                n = conn.send(view[:65536])
                view = view[n:]
                sent.append(n)
        with Server(handle) as server:
            tool = self.tool(server)
            tool.send(op="s3_get", bucket="bucket", key="k", chunk=65536, pause_us=50000)
            time.sleep(1.5)
            self.assertLess(sum(sent), 24 * 1024 * 1024)  # kernel buffers, not the whole
            tool.process.kill()
            tool.process.wait()

    def test_slow_drip(self):
        def handle(conn, server):
            server.note(read_request(conn))
            conn.sendall(answer(200, b"", s3_headers(b"") + [("Content-Length", "1000")]))
            for _ in range(600):
                conn.sendall(b"x")
                time.sleep(0.1)
        with Server(handle) as server:
            with self.tool(server) as tool:
                # The real limits are 20 s; the HTTP layer is given shorter ones here.
                got = tool.call(op="http", method="GET", url=server.url + "/", total_ms=30000,
                                idle_ms=1000, min_rate=1024)
                self.assertEqual(("retry", True), (got["status"], got["timed_out"]), got)
                self.assertIn("slower", got["error"])

    def test_regions(self):
        def respond(request, n, _server):
            region = request.headers["authorization"].split("/")[2]
            if "/eu-logs/" in request.path and region != "eu-west-1":
                return answer(301, "<Error><Code>PermanentRedirect</Code></Error>",
                              [("x-amz-bucket-region", "eu-west-1"),
                               ("Location", "http://127.0.0.1:1/")])
            if "/malformed" in request.path and region != "ap-south-1":
                return answer(400, "<Error><Code>AuthorizationHeaderMalformed</Code>"
                                   "<Region>ap-south-1</Region></Error>")
            if "/evil" in request.path:
                return answer(301, "<Error><Code>PermanentRedirect</Code></Error>",
                              [("x-amz-bucket-region", "us-east-1.evil.com")])
            if "/circle" in request.path:
                other = "us-west-2" if region == "us-west-1" else "us-west-1"
                return answer(301, b"", [("x-amz-bucket-region", other)])
            return answer(200, OBJECT, s3_headers(OBJECT))
        with serve(respond) as server, self.tool(server) as tool:
            for bucket in ("eu-logs", "malformed"):
                got = tool.call(op="s3_get", bucket=bucket, key="k")
                self.assertEqual(DIGEST, got["sha256"])
            before = len(server.requests)
            tool.call(op="s3_get", bucket="malformed", key="k2")
            self.assertEqual(before + 1, len(server.requests))  # remembered
            self.assertEqual("bad_item", tool.call(op="s3_get", bucket="evil", key="k")["status"])
            before = len(server.requests)
            self.assertEqual("bad_item", tool.call(op="s3_get", bucket="circle", key="k")["status"])
            self.assertEqual(before + 3, len(server.requests))

    def test_errors(self):
        for status, code, want in ((404, "NoSuchKey", "missing"), (403, "AccessDenied", "denied"),
                                   (412, "PreconditionFailed", "conflict"),
                                   (403, "InvalidObjectState", "conflict"),
                                   (503, "SlowDown", "retry"), (500, "InternalError", "retry"),
                                   (400, "InvalidArgument", "bad_item"),
                                   (501, "NotImplemented", "bad_item")):
            body = "<?xml version='1.0'?><Error><Code>%s</Code><Message>m</Message></Error>" % code
            with serve(lambda r, n, s: answer(status, body, [("x-amz-request-id", "RID9")])) as sv:
                with self.tool(sv, AWS_MAX_ATTEMPTS=1) as tool:
                    got = tool.call(op="s3_get", bucket="bucket", key="k")
                self.assertEqual(want, got["status"], got)
                for part in ("GetObject", str(status), code, "RID9"):
                    self.assertIn(part, got["error"])

    def test_list_garbage(self):
        page = ("<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>%s</IsTruncated>"
                "%s<Contents><Key>%s</Key><Size>%s</Size></Contents></ListBucketResult>")
        good = page % ("false", "", "a+b%2Bc", "5")
        cases = [("", 0), ("<a/>", 0), (good[:-5], 0), (page % ("true", "", "k", "5"), 0),
                 (page % ("true", "<NextContinuationToken>t</NextContinuationToken>", "k", "5"), 1),
                 (page % ("false", "", "%zz", "5"), 0), (page % ("false", "", "k", "-5"), 0),
                 (page % ("false", "", "", "5"), 0), ("<!DOCTYPE a>" + good, 0)]
        with serve(lambda r, n, s: answer(200, good)) as server, self.tool(server) as tool:
            got = tool.call(op="s3_list", bucket="bucket")
            self.assertEqual(["a b+c"], [e["key"] for e in got["entries"]])
        for body, entries in cases:
            with serve(lambda r, n, s: answer(200, body)) as server:
                with self.tool(server, AWS_MAX_ATTEMPTS=1) as tool:
                    got = tool.call(op="s3_list", bucket="bucket")
                self.assertEqual(("retry", entries), (got["status"], len(got["entries"])), body)

    def test_oversize(self):
        with serve(lambda r, n, s: answer(200, b"x" * (9 * 1024 * 1024))) as server:
            with self.tool(server) as tool:
                got = tool.call(op="s3_list", bucket="bucket")
                self.assertEqual("too_big", got["status"])
        huge = [("X-%d" % i, "y" * 1000) for i in range(100)]
        with serve(lambda r, n, s: answer(200, b"", huge)) as server:
            with self.tool(server) as tool:
                self.assertEqual("too_big", tool.call(op="s3_get", bucket="b-b", key="k")["status"])


class Calls(Case):
    queue = "/123456789012/q"

    def receive(self, server, tool):
        return tool.call(op="sqs_receive", queue=server.url + self.queue)

    def test_retries(self):
        empty = answer(200, {"Messages": []})
        bad = [answer(500), answer(503, {"__type": "x#ServiceUnavailable"}), answer(429),
               answer(400, {"__type": "com.amazonaws#ThrottlingException"}), answer(408), None]
        for reply in bad:
            with serve(lambda r, n, s: reply if n < 3 else empty) as server:
                with self.tool(server) as tool:
                    self.assertEqual("ok", self.receive(server, tool)["status"], reply)
                self.assertEqual(3, len([r for r in server.requests]), reply)
            with serve(lambda r, n, s: reply) as server:
                with self.tool(server, AWS_MAX_ATTEMPTS=2) as tool:
                    self.assertEqual("retry", self.receive(server, tool)["status"], reply)

    def test_retry_after(self):
        slow = answer(503, b"", [("Retry-After", "2")])
        with serve(lambda r, n, s: slow if n == 1 else answer(200, {})) as server:
            with self.tool(server) as tool:
                started = time.time()
                self.assertEqual("ok", self.receive(server, tool)["status"])
                self.assertGreater(time.time() - started, 1.9)

    def test_new_date_each_time(self):
        with serve(lambda r, n, s: answer(503, b"", [("Retry-After", "1")]) if n < 3
                   else answer(200, {})) as server:
            with self.tool(server) as tool:
                self.receive(server, tool)
            self.assertEqual(3, len({r.headers["authorization"] for r in server.requests}))

    def test_budget(self):
        with serve(lambda r, n, s: answer(500)) as server:
            with self.tool(server, AWS_MAX_ATTEMPTS=2) as tool:
                self.receive(server, tool)
                self.assertEqual(495, tool.call(op="tokens")["tokens"])

    def test_clock_skew(self):
        ahead = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 7200))

        def respond(request, _n, _server):
            stamp = request.headers["x-amz-date"]
            if abs(time.mktime(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - time.timezone -
                   time.time() - 7200) > 900:
                return answer(403, {"__type": "InvalidSignatureException",
                                    "message": "Signature expired canary-in-message"},
                              [("Date", ahead)])
            return answer(200, {"Messages": []}, [("Date", ahead)])
        with serve(respond) as server, self.tool(server) as tool:
            self.assertEqual("ok", self.receive(server, tool)["status"])
            self.assertEqual(2, len(server.requests))
            self.assertEqual("ok", self.receive(server, tool)["status"])
            self.assertEqual(3, len(server.requests))

    def test_signature_errors_are_not_repeated(self):
        message = "The Canonical String should have been token-canary"
        with serve(lambda r, n, s: answer(403, {"__type": "SignatureDoesNotMatch",
                                                "message": message})) as server:
            with self.tool(server) as tool:
                got = self.receive(server, tool)
                self.assertEqual("denied", got["status"])
                self.assertNotIn("canary", got["error"])
            self.assertEqual(1, len(server.requests))

    def test_deadline(self):
        def hang(conn, server):
            server.note(read_request(conn))
            time.sleep(20)
        with Server(hang) as server, self.tool(server) as tool:
            started = time.time()
            got = tool.call(op="sqs_receive", queue=server.url + self.queue, wait=20,
                            deadline_ms=700)
            self.assertIn(got["status"], ("cancelled", "retry"), got)
            self.assertLess(time.time() - started, 2)

    def test_sigterm_ends_a_long_poll(self):
        def hang(conn, server):
            server.note(read_request(conn))
            time.sleep(20)
        with Server(hang) as server, self.tool(server) as tool:
            tool.send(op="sqs_receive", queue=server.url + self.queue, wait=20)
            time.sleep(1)
            started = time.time()
            tool.process.send_signal(signal.SIGTERM)
            self.assertEqual("cancelled", tool.receive()["status"])
            self.assertLess(time.time() - started, 1)

    def test_garbage(self):
        for reply in (b"\x00\xff\x16HELLO\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n",
                      answer(200, "not json"), answer(200, "[]"), answer(200, "{\"Messages\":["),
                      answer(200, {"Messages": [{"Body": "x"}]}),
                      answer(200, {"Messages": [{"MessageId": "m", "ReceiptHandle": "r",
                                                 "Body": "x", "MD5OfBody": "0" * 32}]}),
                      answer(200, {"Messages": [{"MessageId": "m", "ReceiptHandle": "r"}] * 11}),
                      answer(200, b"{", [("Content-Length", "100")], close=True)):
            def handle(conn, server):
                server.note(read_request(conn))
                conn.sendall(reply)
            with Server(handle) as server, self.tool(server, AWS_MAX_ATTEMPTS=1) as tool:
                got = self.receive(server, tool)
                self.assertEqual("retry", got["status"], (reply, got))

    def test_deep_json(self):
        deep = "[" * 100000
        with serve(lambda r, n, s: answer(200, deep)) as server:
            with self.tool(server, AWS_MAX_ATTEMPTS=1) as tool:
                self.assertEqual("retry", self.receive(server, tool)["status"])

    def test_batch_entries(self):
        def respond(request, _n, _server):
            entries = json.loads(request.body)["Entries"]
            ids = [e["Id"] for e in entries]
            failed = [{"Id": ids[0], "SenderFault": False, "Code": "InternalError"}]
            if len(ids) > 1:
                failed.append({"Id": ids[1], "SenderFault": True, "Code": "InvalidMessageContents"})
            return answer(200, {"Successful": [{"Id": i} for i in ids[2:-1]] +
                                [{"Id": "999"}, {"Id": "x"}, {}], "Failed": failed})
        with serve(respond) as server, self.tool(server) as tool:
            got = tool.call(op="sqs_send", queue=server.url + self.queue,
                            entries=[str(i) for i in range(12)])
            self.assertEqual(["retry", "bad_item"] + ["ok"] * 7 + ["retry"] + ["retry", "bad_item"],
                             got["each"])
            self.assertEqual("retry", got["status"])
            # Big bodies are spread so that no request is over the limit.
            before = len(server.requests)
            tool.call(op="sqs_send", queue=server.url + self.queue, entries=["b" * 400000] * 5)
            self.assertEqual([2, 2, 1], [len(json.loads(r.body)["Entries"])
                                         for r in server.requests[before:]])
            got = tool.call(op="sqs_send", queue=server.url + self.queue,
                            entries=["", "c" * (1024 * 1024 + 1)])
            self.assertEqual(["bad_item"] * 2, got["each"])

    def test_nothing_listens(self):
        url = "http://127.0.0.1:%d" % free_port()
        with Tool(environment(AWS_ENDPOINT_URL=url, AWS_MAX_ATTEMPTS=1)) as tool:
            got = tool.call(op="sqs_receive", queue=url + self.queue)
            self.assertEqual("retry", got["status"])
            got = tool.call(op="http", method="GET", url=url)
            self.assertEqual(("retry", False), (got["status"], got["handed_over"]))

    def test_proxy(self):
        with serve(lambda r, n, s: answer(200, {"Messages": []})) as proxy:
            # http_proxy applies to http addresses; loopback ones go through it only when not excepted.
            target = "http://localhost:%d" % free_port()
            with Tool(environment(AWS_ENDPOINT_URL=target, http_proxy=proxy.url)) as tool:
                self.assertEqual("ok", tool.call(op="sqs_receive", queue=target + self.queue)
                                 ["status"])
            self.assertEqual(target + "/", proxy.requests[0].target)
            with Tool(environment(AWS_ENDPOINT_URL=target, http_proxy=proxy.url,
                                  NO_PROXY="localhost", AWS_MAX_ATTEMPTS=1)) as tool:
                self.assertEqual("retry", tool.call(op="sqs_receive", queue=target + self.queue)
                                 ["status"])
            self.assertEqual(1, len(proxy.requests))

    def test_no_secret_anywhere(self):
        with serve(lambda r, n, s: answer(403, {"__type": "AccessDenied", "message": "no"})) as sv:
            tool = self.tool(sv, AWS_SESSION_TOKEN="token-canary", TOOL_DEBUG=1)
            got = self.receive(sv, tool)
            self.assertEqual("denied", got["status"])
            self.assertIn("token-canary", sv.requests[0].headers["x-amz-security-token"])
            text = tool.close()
            self.assertNotIn("canary", text + json.dumps(got))


class Tls(Case):
    @classmethod
    def setUpClass(cls):
        folder = os.path.join(OUT, "tls")
        os.makedirs(folder, exist_ok=True)
        cls.cert = os.path.join(folder, "cert.pem")
        cls.key = os.path.join(folder, "key.pem")
        try:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                            "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost", "-keyout", cls.key, "-out", cls.cert],
                           check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as e:
            raise unittest.SkipTest("no openssl command: %s" % e)

    def serve(self, maximum=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if maximum:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.maximum_version = maximum

        def handle(conn, server):
            tls = context.wrap_socket(conn, server_side=True)
            while True:
                request = read_request(tls)
                if request is None:
                    return
                server.note(request)
                tls.sendall(answer(200, b"{}"))
        return Server(handle)

    def test_authenticated(self):
        with self.serve() as server:
            url = "https://localhost:%d" % server.port
            env = environment(AWS_ENDPOINT_URL=url, AWS_MAX_ATTEMPTS=1)
            with Tool(dict(env, AWS_CA_BUNDLE=self.cert)) as tool:
                got = tool.call(op="cw_put_once", json=PUT)
                self.assertEqual(("ok", 200), (got["status"], got["http"]), got)
                wrong_name = tool.call(op="http", method="GET",
                                       url="https://127.0.0.1:%d/" % server.port)
                self.assertEqual("denied", wrong_name["status"])
            with Tool(env) as tool:  # nobody vouches for this certificate
                got = tool.call(op="cw_put_once", json=PUT)
                self.assertEqual(("denied", False), (got["status"], got["handed_over"]))
            self.assertEqual(1, len(server.requests))

    def test_through_a_proxy(self):
        def pump(source, sink):
            try:
                while True:
                    data = source.recv(65536)
                    if not data:
                        break
                    sink.sendall(data)
            except OSError:
                pass

        def connect(conn, server):
            request = read_request(conn)
            server.note(request)
            host, _, port = request.target.partition(":")
            if port == "1":
                conn.sendall(answer(403))
                return
            upstream = socket.create_connection((host, int(port)))
            conn.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n")
            threading.Thread(target=pump, args=(upstream, conn), daemon=True).start()
            pump(conn, upstream)
            upstream.close()
        with self.serve() as server, Server(connect) as proxy:
            url = "https://localhost:%d" % server.port
            env = environment(AWS_ENDPOINT_URL=url, AWS_CA_BUNDLE=self.cert, AWS_MAX_ATTEMPTS=1,
                              HTTPS_PROXY=proxy.url)
            with Tool(env) as tool:
                got = tool.call(op="cw_put_once", json=PUT)
                self.assertEqual(("ok", 200), (got["status"], got["http"]), got)
                self.assertEqual("CONNECT", proxy.requests[0].method)
                # No header of ours, least of all the token, goes to the proxy.
                self.assertNotIn("authorization", proxy.requests[0].headers)
                self.assertNotIn("x-amz-date", proxy.requests[0].headers)
            with Tool(dict(env, AWS_ENDPOINT_URL="https://localhost:1")) as tool:
                got = tool.call(op="cw_put_once", json=PUT)
                self.assertEqual(("retry", False), (got["status"], got["handed_over"]), got)
            self.assertEqual(1, len(server.requests))

    def test_reset_during_the_body(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)

        def handle(conn, server):
            tls = context.wrap_socket(conn, server_side=True)
            read_request(tls, partly=1000)
            time.sleep(0.3)
            reset(tls)
        with Server(handle) as server:
            env = environment(AWS_CA_BUNDLE=self.cert)
            with Tool(env) as tool:
                got = tool.call(op="http", method="POST", once=True, body="x" * (16 * 1024 * 1024),
                                url="https://localhost:%d/" % server.port)
                self.assertEqual(("retry", False), (got["status"], got["handed_over"]), got)

    def test_old_tls(self):
        with self.serve(ssl.TLSVersion.TLSv1_1) as server:
            env = environment(AWS_ENDPOINT_URL="https://localhost:%d" % server.port,
                              AWS_CA_BUNDLE=self.cert, AWS_MAX_ATTEMPTS=1)
            with Tool(env) as tool:
                got = tool.call(op="cw_put_once", json=PUT)
                self.assertEqual(("retry", False), (got["status"], got["handed_over"]))


class Counting:
    """Applies PutMetricData requests that came whole, and counts them."""

    def __init__(self):
        self.applied = 0
        self.lock = threading.Lock()

    def apply(self, request):
        json.loads(gzip.decompress(request.body))
        with self.lock:
            self.applied += 1


class PutMetricData(Case):
    big = json.dumps({"Namespace": "N", "MetricData": [
        {"MetricName": hashlib.sha512(b"%d" % i).hexdigest(), "Value": 1} for i in range(8000)]})

    def run_one(self, fault, op="cw_put_once", body=PUT, attempts=1):
        count = Counting()
        with Server(lambda conn, server: fault(conn, server, count)) as server:
            with self.tool(server, AWS_MAX_ATTEMPTS=attempts) as tool:
                got = tool.call(op=op, json=body)
        return got, count.applied, server

    def reply_with(self, reply, applied=True):
        def fault(conn, server, count):
            request = read_request(conn)
            server.note(request)
            if applied:
                count.apply(request)
            conn.sendall(reply)
        return fault

    def test_taken(self):
        got, applied, server = self.run_one(self.reply_with(answer(200, {})))
        self.assertEqual(("ok", 1), (got["status"], applied), got)
        headers = server.requests[0].headers
        self.assertEqual("gzip", headers["content-encoding"])
        self.assertEqual("application/x-amz-json-1.0", headers["content-type"])
        self.assertIn("content-encoding;content-type;host;x-amz-date;x-amz-target",
                      headers["authorization"])
        self.assertNotIn("expect", headers)

    def test_refused(self):
        for reply, want in (
                (answer(400, {"__type": "com.amazonaws#InvalidParameterValueException"}),
                 "bad_item"),
                (answer(400, {"__type": "ThrottlingException"}), "retry"),
                (answer(400, {"__type": "Throttling"}), "retry"),
                (answer(400, "<ErrorResponse><Error><Code>Throttling</Code></Error>"
                             "</ErrorResponse>"), "retry"),
                (answer(429), "retry"),
                (answer(503, {"__type": "SlowDown"}), "retry"),
                (answer(403, {"__type": "AccessDeniedException"}), "denied"),
                (answer(403, {"__type": "InvalidClientTokenId"}), "denied"),
                (answer(400, {"__type": "ExpiredToken"}), "retry"),
                (answer(404), "retry"),
                (answer(400, "?"), "retry"),
                (answer(413), "too_big"),
                # Cut behind a 400: refused, though nobody knows why.
                (answer(400, b"{", [("Content-Length", "50")], close=True), "retry")):
            got, _, _ = self.run_one(self.reply_with(reply, applied=False))
            self.assertEqual(want, got["status"], (reply, got))

    def test_in_doubt(self):
        for reply in (answer(400, {"__type": "InternalFailure"}), answer(500), answer(502), answer(503), answer(504), answer(408), b"",
                      b"HTTP/1.1 ", b"garbage\r\n\r\n", answer(302, b"", [("Location", "/x")]),
                      answer(200, b"{", [("Content-Length", "50")], close=True),
                      answer(200, b"x" * 100000), answer(101), answer(304),
                      answer(200, b"", [("X-%d" % i, "y" * 1000) for i in range(100)])):
            for op in ("cw_put_once", "cw_put"):
                got, applied, server = self.run_one(self.reply_with(reply), op=op, attempts=4)
                self.assertEqual(("in_doubt", 1), (got["status"], applied), (reply, op, got))
                self.assertEqual(1, len(server.requests))

    def test_reset_after_the_request(self):
        def fault(conn, server, count):
            request = read_request(conn)
            server.note(request)
            count.apply(request)
            reset(conn)
        got, applied, server = self.run_one(fault, op="cw_put", attempts=5)
        self.assertEqual(("in_doubt", 1, 1), (got["status"], applied, server.connections), got)

    def test_silence(self):
        def fault(conn, server, count):
            request = read_request(conn)
            server.note(request)
            count.apply(request)
            time.sleep(15)
        started = time.time()
        got, applied, _ = self.run_one(fault, op="cw_put", attempts=3)
        self.assertEqual(("in_doubt", 1), (got["status"], applied), got)
        self.assertLess(time.time() - started, 11)

    def test_reset_before(self):
        def fault(conn, server, count):
            reset(conn)
        got, applied, server = self.run_one(fault)
        # Nothing was read, but the kernel may have taken the small request: then it is in doubt.
        self.assertIn(got["status"], ("retry", "in_doubt"))
        self.assertEqual(0, applied)

    def test_reset_during(self):
        """A body larger than all socket buffers, and not read: surely not handed over.

        8 MiB, because loopback buffers take a megabyte; PutMetricData itself would be refused here.
        """
        def fault(conn, server):
            read_request(conn, partly=1000)
            time.sleep(0.3)
            reset(conn)
        with Server(fault) as server, self.tool(server) as tool:
            got = tool.call(op="http", method="POST", once=True, url=server.url,
                            body="x" * (8 * 1024 * 1024))
        self.assertEqual(("retry", False), (got["status"], got["handed_over"]), got)

    def test_refused_before_the_body(self):
        """An answer that does not wait for the whole body is still an answer."""
        def fault(conn, server, count):
            read_request(conn, partly=100)
            conn.sendall(answer(403, {"__type": "AccessDeniedException"}, close=True))
            time.sleep(0.5)
        got, _, _ = self.run_one(fault, body=self.big)
        self.assertEqual("denied", got["status"], got)

    def test_never_on_a_reused_connection(self):
        """The trap: a kept-alive connection that dies after the request was applied."""
        count = Counting()

        def handle(conn, server):
            while True:
                request = read_request(conn)
                if request is None:
                    return
                server.note(request)
                if request.operation == "PutMetricData":
                    count.apply(request)
                    return
                conn.sendall(answer(200, {"Metrics": []}))
        with Server(handle) as server, self.tool(server) as tool:
            for i in range(3):  # warms a connection that could be reused
                self.assertEqual("ok", tool.call(op="cw_list", namespace="N")["status"])
                self.assertEqual(1 + i, server.connections)
                got = tool.call(op="cw_put", json=PUT)
                self.assertEqual("in_doubt", got["status"])
                self.assertEqual(i + 1, count.applied)
                self.assertEqual(2 + i, server.connections)

    def test_repeated_only_after_refusal(self):
        count = Counting()

        def handle(conn, server):
            request = read_request(conn)
            if server.note(request) < 3:
                conn.sendall(answer(400, {"__type": "ThrottlingException"}))
                return
            count.apply(request)
            conn.sendall(answer(200, {}))
        with Server(handle) as server, self.tool(server) as tool:
            self.assertEqual("ok", tool.call(op="cw_put", json=PUT)["status"])
            self.assertEqual((1, 3), (count.applied, server.connections))

    def test_sigterm_does_not_make_doubt(self):
        """A request under way is waited for: its answer is worth more than a second."""
        def fault(conn, server, count):
            request = read_request(conn)
            server.note(request)
            count.apply(request)
            time.sleep(1)
            conn.sendall(answer(200, {}))
        count = Counting()
        with Server(lambda conn, server: fault(conn, server, count)) as server:
            with self.tool(server) as tool:
                tool.send(op="cw_put", json=PUT)
                time.sleep(0.4)
                tool.process.send_signal(signal.SIGTERM)
                self.assertEqual("ok", tool.receive()["status"])
                self.assertEqual("cancelled", tool.call(op="cw_put", json=PUT)["status"])
        self.assertEqual(1, count.applied)

    def test_too_big(self):
        body = json.dumps({"x": os.urandom(1200000).hex()})
        with Tool(environment(AWS_ENDPOINT_URL="http://127.0.0.1:1")) as tool:
            self.assertEqual("too_big", tool.call(op="cw_put", json=body)["status"])

    def test_pages(self):
        """Values of a series come in any order and on any page; each is handed over once, sorted."""
        def respond(request, n, _server):
            body = json.loads(request.body)
            self.assertEqual(["s0", "s1"], [q["Id"] for q in body["MetricDataQueries"]])
            if "NextToken" not in body:
                return answer(200, {"NextToken": "t", "MetricDataResults": [
                    {"Id": "s0", "Timestamps": [60, 0], "Values": [10, 5],
                     "StatusCode": "PartialData"}]},
                    [("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])
            return answer(200, {"MetricDataResults": [
                {"Id": "s1", "Timestamps": [], "Values": [], "StatusCode": "Complete"},
                {"Id": "s0", "Timestamps": [30], "Values": [20], "StatusCode": "Complete"}]},
                [("Date", "Sun, 06 Nov 1994 08:49:38 GMT")])
        with serve(respond) as server, self.tool(server) as tool:
            got = tool.call(op="cw_get", metrics=[{}, {}])
            self.assertEqual([[[0, 5], [30, 20], [60, 10]], []], got["result"])
            self.assertEqual(("ok", 784111778), (got["status"], got["server_date"]))

    def test_incomplete_answers(self):
        """A series that is left out, cut short or strange is no reading of 0."""
        whole = {"Id": "s0", "Timestamps": [60], "Values": [1], "StatusCode": "Complete"}
        for results in ([], [dict(whole, StatusCode="PartialData")], [dict(whole, Id="x0")],
                        [dict(whole, Id="s1")], [dict(whole, Id="s00x")], [whole, dict(whole, Id="s1")],
                        [dict(whole, StatusCode="InternalError")], [7], [whole, 7]):
            with serve(lambda request, n, _server: answer(
                    200, {"MetricDataResults": results})) as server, self.tool(server) as tool:
                got = tool.call(op="cw_get", metrics=[{}])
                self.assertEqual("retry", got["status"], (results, got))

    def test_many_series(self):
        """500 series a call, fewer where they have many values."""
        asked = []

        def respond(request, n, _server):
            queries = json.loads(request.body)["MetricDataQueries"]
            asked.append(len(queries))
            return answer(200, {"MetricDataResults": [
                {"Id": q["Id"], "Timestamps": [60], "Values": [int(q["Id"][1:])],
                 "StatusCode": "Complete"} for q in queries]})
        for until, calls in ((3600, [500, 500, 203]), (14 * 86400, [19] * 63 + [6])):
            asked.clear()
            with serve(respond) as server, self.tool(server) as tool:
                got = tool.call(op="cw_get", metrics=[{}] * 1203, until=until)
                self.assertEqual([[[60, i]] for i in range(1203)], got["result"])
            self.assertEqual(calls, asked)


class Bedrock(Case):
    def test_profiles(self):
        arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"

        def respond(request, n, _server):
            if request.target.startswith("/inference-profiles/arn%3Aaws%3Abedrock"):
                return answer(200, {"type": "APPLICATION", "models": [{"modelArn": "m"}]})
            if request.path == "/inference-profiles":
                if "nextToken=a%2Bb%3D" in request.query:
                    return answer(200, {"inferenceProfileSummaries": [{"n": 2}]})
                return answer(200, {"inferenceProfileSummaries": [{"n": 1}], "nextToken": "a+b="})
            if request.path == "/logging/modelinvocations":
                return answer(200, {"loggingConfig": {"s3Config": {"bucketName": "b"}}})
            return answer(404, {"message": "x"}, [("x-amzn-ErrorType", "ResourceNotFoundException")])
        with serve(respond) as server, self.tool(server) as tool:
            got = tool.call(op="bedrock_get", id=arn)
            self.assertEqual("m", got["result"]["models"][0]["modelArn"])
            self.assertIn("/us-east-1/bedrock/", server.requests[0].headers["authorization"])
            got = tool.call(op="bedrock_list")
            self.assertEqual([1, 2], [p["n"] for p in got["result"]["inferenceProfileSummaries"]])
            got = tool.call(op="bedrock_logging")
            self.assertEqual("b", got["result"]["loggingConfig"]["s3Config"]["bucketName"])
            self.assertEqual("missing", tool.call(op="bedrock_get", id="nope")["status"])
            self.assertEqual("bad_item", tool.call(op="bedrock_get", id="..")["status"])


class DynamoDb(Case):
    def test_condition_without_item(self):
        with serve(lambda r, n, s: answer(400, {
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "Message": "The conditional request failed"})) as server:
            with self.tool(server) as tool:
                got = tool.call(op="ddb", call="PutItem", **{"in": {}})
                self.assertEqual(("conflict", {}), (got["status"], got["result"]))
