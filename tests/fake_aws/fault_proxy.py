"""A proxy in front of any counterpart that breaks chosen requests in chosen ways.

    proxy = FaultProxy("127.0.0.1:5055", [{"target": "Put", "fault": "rst_after"}]).start()
    proxy.rules = [...]; proxy.add({...}); proxy.log; proxy.stop()
    proxy.down(); proxy.up()            # connections refused by the kernel, on the same port

A rule is used by the first requests that match all of
  target (part of X-Amz-Target), service (of the credential scope), method, path (regular
  expression on the target as sent), body (regular expression on the body as sent),
  min_request (at least the n-th request of its connection; 2: only on a kept-alive one)
after `skip` (0) such requests, `count` (1; -1: always) times.  Of several rules the first wins.
fault, with its own members:
  none         use the rule up, change nothing
  rst_connect  the connection is reset before anything is read (only `skip` and `count` apply)
  rst_before   reset after the head, nothing forwarded            fin_before  the same with FIN
  rst_during   reset after `at` (0) bytes of the request body, nothing forwarded
  rst_after    forwarded and applied, then reset without an answer
  fin_after    the same with FIN; with min_request 2 a kept-alive connection that dies after apply
  late         reset without an answer, and forwarded only `seconds` (1) later
  cut          the answer ends after `at` bytes of its body ("how": "fin"|"rst")
  cut_head     the answer ends after `at` (12) bytes of its head
  chunk_cut    the answer is chunked and ends within a chunk
  status       "status" (500), "code", "message"; "applied": true forwards the request before;
               "retry_after": header; "empty": true sends no body
  throttle     400 Throttling, Rate exceeded (JSON/query; "code" for another), 503 SlowDown (S3)
  denied       403 AccessDenied (S3, query), AccessDeniedException (JSON)
  slowdown     503 SlowDown             unavailable  503 ServiceUnavailable
  expired_token, skewed                 403 ExpiredToken..., 403 RequestTimeTooSkewed
  redirect     "status" (301), "location", "region": S3's answer from the wrong Region
  drip         the answer in pieces of `bytes` (1) every `seconds` (0.05)
  oversize     200 with a body of `bytes` (64 MiB), never ending when 0; nothing forwarded
  garbage      bytes that are no HTTP; nothing forwarded
  hang         no answer for `seconds` (60), then FIN; "applied": true forwards the request before
  delay        `seconds` (1) before forwarding
  empty        forwarded; 200 without a body
  corrupt      the byte `at` of the answer's body is inverted
POST /control takes {"rules": [...]} (replaces), {"add": [...]}, {"clear_log": true},
{"clock_offset": s} (Date header and signature window), {"down_seconds": s}; GET answers all.

--unzip inflates gzip'ed monitoring requests and drops Content-Encoding: moto answers 500 to them.
--verify refuses requests that are not signed as AWS wants it.
--route SERVICE=HOST:PORT sends one service of the credential scope to another place.
"""
import gzip
import hashlib
import json
import re
import socket
import threading
import time
import zlib

import httpbase
import sigv4_verify
from httpbase import Abort, Connection, Response

FAULTS = {"none", "rst_connect", "rst_before", "fin_before", "rst_during", "rst_after",
          "fin_after", "cut", "cut_head", "chunk_cut", "status", "throttle", "slowdown",
          "unavailable", "denied", "expired_token", "skewed", "redirect", "drip", "oversize",
          "garbage", "hang", "delay", "late", "empty", "corrupt"}
HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect",
       "proxy-connection", "content-length"}


def address(text):
    host, _, port = text.rpartition(":")
    return host.split("//")[-1] or "127.0.0.1", int(port)


def check_rule(rule):
    if rule.get("fault") not in FAULTS:
        raise ValueError("unknown fault %r" % rule.get("fault"))
    return dict({"skip": 0, "count": 1}, **rule)


class FaultProxy(httpbase.Counterpart):
    def __init__(self, upstream, rules=(), port=0, keys=None, unzip=False, routes=None):
        self.upstream = address(upstream)
        self.routes = {k: address(v) for k, v in (routes or {}).items()}
        self.keys = keys
        self.unzip = unzip
        self.server = httpbase.Server(self._handle, port, self._on_head, self._on_connect)
        self._rules = [check_rule(r) for r in rules]
        self._log = []
        self._lock = threading.Lock()

    @property
    def log(self):
        with self._lock:
            return [dict(e) for e in self._log]

    @property
    def rules(self):
        return self._rules

    @rules.setter
    def rules(self, rules):
        checked = [check_rule(r) for r in rules]
        with self._lock:
            self._rules = checked

    def add(self, rule):
        checked = check_rule(rule)
        with self._lock:
            self._rules.append(checked)

    def clear_log(self):
        with self._lock:
            self._log = []

    def down(self):
        self.server.stop_listening()
        self.server.close_connections()

    def up(self):
        self.server.start()

    # -- choosing --

    def _choose(self, request, body_known):
        for rule in self._rules:
            if rule["fault"] == "rst_connect" or rule["count"] == 0:
                continue
            if ("body" in rule) != body_known or not self._matches(rule, request):
                continue
            if rule["skip"] > 0:
                rule["skip"] -= 1
                continue
            rule["count"] -= 1 if rule["count"] > 0 else 0
            return rule
        return None

    def _matches(self, rule, request):
        headers = request.headers
        scope = sigv4_verify.scope_of(headers)
        return (rule.get("target", "") in headers.get("x-amz-target", "")
                and rule.get("method", request.method) == request.method
                and rule.get("service") in (None, scope and scope[3])
                and request.number >= rule.get("min_request", 1)
                and re.search(rule.get("path", ""), request.target) is not None
                and re.search(rule.get("body", "").encode(), request.body) is not None)

    def _on_connect(self, conn):
        with self._lock:
            for rule in self._rules:
                if rule["fault"] != "rst_connect" or rule["count"] == 0:
                    continue
                if rule["skip"] > 0:
                    rule["skip"] -= 1
                    continue
                rule["count"] -= 1 if rule["count"] > 0 else 0
                self._log.append({"n": len(self._log) + 1, "fault": "rst_connect",
                                  "forwarded": False, "method": None, "path": None,
                                  "target": None, "status": None})
                raise Abort("rst")

    def _on_head(self, request):
        if request.path == "/control":
            return
        scope = sigv4_verify.scope_of(request.headers)
        with self._lock:
            entry = {"n": len(self._log) + 1, "time": time.time(), "method": request.method,
                     "path": request.target, "target": request.headers.get("x-amz-target"),
                     "service": scope and scope[3], "access_key": scope and scope[0],
                     "connection_request": request.number, "fault": None, "forwarded": False,
                     "status": None, "bytes": 0}
            self._log.append(entry)
            rule = self._choose(request, False)
        request.conn.state = {"entry": entry, "rule": rule}
        if rule is None:
            return
        entry["fault"] = fault = rule["fault"]
        if fault in ("rst_before", "fin_before"):
            if fault == "fin_before":
                request.conn.read_body(request.headers)  # unread bytes would turn FIN into a reset
            raise Abort(fault[:3])
        if fault == "rst_during":
            if request.headers.get("expect"):
                request.conn.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            if rule.get("at", 0):
                request.conn.read_exactly(rule["at"])
            raise Abort("rst")

    # -- serving --

    def _handle(self, request):
        if request.path == "/control":
            return self._control(request)
        entry, rule = request.conn.state["entry"], request.conn.state["rule"]
        entry["bytes"] = len(request.body)
        entry["sha256"] = hashlib.sha256(request.body).hexdigest()
        if rule is None:
            with self._lock:
                rule = self._choose(request, True)
            if rule is not None:
                entry["fault"] = rule["fault"]
                if rule["fault"] in ("rst_before", "fin_before", "rst_during"):
                    raise Abort(rule["fault"][:3])
        if self.keys is not None:
            fault = sigv4_verify.verify(request.method, request.target, request.headers,
                                        request.body, self.keys,
                                        time.time() + self.server.clock_offset)
            if fault:
                entry["status"], entry["signature_fault"] = fault.status, fault.code
                return httpbase.aws_error(request, fault.status, fault.code, fault.message)
        response = self._respond(request, entry, rule or {"fault": "none"})
        if response is not None:
            entry["status"] = response.status
        return response

    def _respond(self, request, entry, rule):
        fault = rule["fault"]
        refusal = self._refusal(request, rule)
        if refusal is not None:
            if rule.get("applied"):
                self._forward(request, entry)
            return refusal
        if fault == "hang":
            if rule.get("applied"):
                self._forward(request, entry)
            self._wait(request, float(rule.get("seconds", 60)))
            raise Abort("fin")
        if fault == "garbage":
            request.conn.sock.sendall(b"\x00\xff\x16HELLO\r\n\r\n")
            raise Abort("fin")
        if fault == "oversize":
            n = int(rule.get("bytes", 64 << 20))
            return Response(200, self._endless(request, n), [("Content-Type", "text/plain")],
                            n or None)
        if fault == "delay":
            time.sleep(float(rule.get("seconds", 1)))
        if fault == "late":
            timer = threading.Timer(float(rule.get("seconds", 1)), self._forward, (request, entry))
            timer.daemon = True
            timer.start()
            raise Abort("rst")
        response = self._forward(request, entry, stream=fault in ("none", "delay"))
        if fault in ("rst_after", "fin_after"):
            raise Abort(fault[:3])
        if fault == "empty":
            return Response(200, b"")
        if fault == "corrupt":
            body = bytearray(response.body)
            if body:
                body[rule.get("at", len(body) // 2) % len(body)] ^= 0xff
            response.body = bytes(body)
        if fault in ("cut", "cut_head", "chunk_cut", "drip"):
            self._broken_answer(request, response, rule)
        return response

    def _refusal(self, request, rule):
        fault = rule["fault"]
        rest = httpbase.protocol_of(request) == "rest"
        if fault == "throttle" and not rest:
            return httpbase.aws_error(request, 400, rule.get("code", "Throttling"), "Rate exceeded")
        if fault == "denied":
            return httpbase.aws_error(request, 403, "AccessDenied", "User is not authorized to "
                                      "perform this action", "AccessDeniedException",
                                      "com.amazon.coral.service")
        if fault in ("throttle", "slowdown"):
            return httpbase.aws_error(request, 503, "SlowDown", "Please reduce your request rate.")
        if fault == "unavailable":
            return httpbase.aws_error(request, 503, "ServiceUnavailable", "Service is unable to "
                                      "handle request.")
        if fault == "expired_token":
            return httpbase.aws_error(request, 400 if rest else 403,
                                      "ExpiredToken" if rest else "ExpiredTokenException",
                                      "The provided token has expired.")
        if fault == "skewed":
            return httpbase.aws_error(request, 403, "RequestTimeTooSkewed", "The difference "
                                      "between the request time and the current time is too large.")
        if fault == "redirect":
            region = rule.get("region", "eu-west-1")
            response = httpbase.aws_error(request, rule.get("status", 301), "PermanentRedirect",
                                          "The bucket you are attempting to access must be "
                                          "addressed using the specified endpoint.")
            response.headers.append(("x-amz-bucket-region", region))
            if rule.get("location"):
                response.headers.append(("Location", rule["location"]))
            return response
        if fault != "status":
            return None
        status = int(rule.get("status", 500))
        code = rule.get("code") or {500: "InternalError", 503: "ServiceUnavailable",
                                    403: "AccessDenied", 404: "NoSuchKey"}.get(status, "Failure")
        response = httpbase.aws_error(request, status, code, rule.get("message", "on request"))
        if rule.get("empty") or status == 408:
            response.body = b""
        if rule.get("retry_after") is not None:
            response.headers.append(("Retry-After", str(rule["retry_after"])))
        return response

    def _wait(self, request, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not request.conn.peer_is_gone():
            time.sleep(0.02)

    def _endless(self, request, n):
        piece, sent = b"x" * 65536, 0
        while n == 0 or sent < n:
            part = piece if n == 0 else piece[:n - sent]
            yield part
            sent += len(part)

    def _broken_answer(self, request, response, rule):
        conn, body, fault = request.conn, response.body, rule["fault"]
        headers = [h for h in response.headers if h[0].lower() != "content-length"]
        if fault == "chunk_cut":
            head = httpbase.head_bytes(response.status, headers + [("Transfer-Encoding",
                                                                    "chunked")])
            conn.sock.sendall(head + b"%x\r\n%s" % (len(body) + 16, body))
            raise Abort("fin")
        head = httpbase.head_bytes(response.status, headers + [("Content-Length",
                                                                str(len(body)))])
        if fault == "cut_head":
            conn.sock.sendall(head[:rule.get("at", 12)])
            raise Abort(rule.get("how", "fin"))
        if fault == "cut":
            at = rule.get("at", len(body) // 2)
            conn.sock.sendall(head + body[:at])
            if rule.get("how") == "rst":
                time.sleep(0.05)  # a reset throws away what the peer has not read yet
            raise Abort(rule.get("how", "fin"))
        conn.sock.sendall(head)
        step = int(rule.get("bytes", 1))
        for at in range(0, len(body), step):
            conn.sock.sendall(body[at:at + step])
            time.sleep(float(rule.get("seconds", 0.05)))
        raise Abort("fin")

    # -- forwarding --

    def _forward(self, request, entry, stream=False):
        """One request on its own connection, never repeated."""
        headers, body = dict(request.headers), request.body
        service = entry["service"]
        if self.unzip and service == "monitoring" and headers.get("content-encoding") == "gzip":
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError, zlib.error):
                return httpbase.aws_error(request, 400, "SerializationException", "not gzip")
            del headers["content-encoding"]
        lines = ["%s %s HTTP/1.1" % (request.method, request.target)]
        lines += ["%s: %s" % h for h in headers.items() if h[0] not in HOP]
        lines += ["Content-Length: %d" % len(body), "Connection: close", "", ""]
        try:
            sock = socket.create_connection(self.routes.get(service, self.upstream), 30)
            sock.settimeout(120)
            sock.sendall("\r\n".join(lines).encode("latin-1") + body)
            entry["forwarded"] = True
            return self._read_answer(Connection(sock), request, stream)
        except (OSError, Abort) as fault:
            entry["upstream_fault"] = repr(fault)
            return Response(502, b"proxy: upstream failed\n", close=True)

    def _read_answer(self, up, request, stream):
        head = up.read_head()
        if head is None:
            raise Abort("fin")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers, framing = [], {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name, value = name.strip(), value.strip()
            framing[name.lower()] = value
            if name.lower() in HOP or (name.lower() == "date" and self.server.clock_offset):
                continue
            headers.append((name, value))
        if request.method == "HEAD":
            if "content-length" in framing:
                headers.append(("Content-Length", framing["content-length"]))
            up.sock.close()
            return Response(status, b"", headers)
        if status in (204, 304):
            up.sock.close()
            return Response(status, b"", headers)
        if stream and framing.get("content-length", "0").isdigit() and \
                "transfer-encoding" not in framing and int(framing.get("content-length", 0)):
            n = int(framing["content-length"])
            return Response(status, self._pieces(up, n), headers, n)
        if "transfer-encoding" in framing or "content-length" in framing:
            framing.pop("expect", None)
            body = up.read_body(framing)
        else:
            body = up.ahead
            while True:
                data = up.sock.recv(65536)
                if not data:
                    break
                body += data
        up.sock.close()
        return Response(status, body, headers)

    @staticmethod
    def _pieces(up, n):
        while n:
            part = up.read_exactly(min(n, 65536))
            n -= len(part)
            yield part
        up.sock.close()

    def _control(self, request):
        try:
            order = request.json() if request.method == "POST" else {}
            if "rules" in order:
                self.rules = order["rules"]
            for rule in order.get("add", ()):
                self.add(rule)
            if order.get("clear_log"):
                self.clear_log()
            if "clock_offset" in order:
                self.server.clock_offset = float(order["clock_offset"])
            if "down_seconds" in order:
                threading.Thread(target=self._down_for, daemon=True,
                                 args=(float(order["down_seconds"]),)).start()
        except (ValueError, TypeError) as fault:
            return httpbase.json_response({"error": str(fault)}, 400)
        return httpbase.json_response({"rules": self._rules, "log": self.log})

    def _down_for(self, seconds):
        time.sleep(0.05)  # let this order's answer out
        self.down()
        time.sleep(seconds)
        self.up()


def main():
    parser = httpbase.command_line(__doc__.splitlines()[0])
    parser.add_argument("upstream", metavar="HOST:PORT")
    parser.add_argument("--rules", metavar="JSON", default="[]")
    parser.add_argument("--unzip", action="store_true")
    parser.add_argument("--verify", metavar="ACCESS:SECRET[:TOKEN]")
    parser.add_argument("--route", action="append", default=[], metavar="SERVICE=HOST:PORT")
    args = parser.parse_args()
    proxy = FaultProxy(args.upstream, json.loads(args.rules), args.port,
                       args.verify and sigv4_verify.parse_keys(args.verify), args.unzip,
                       dict(r.split("=", 1) for r in args.route))
    httpbase.run_until_stopped(proxy.server)


if __name__ == "__main__":
    main()
