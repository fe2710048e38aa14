"""The Lambda Runtime API, 2018-06-01, with AWS's state machine.

    api = RuntimeApi([{"payload": {...}, "timeout_ms": 3000}, ...]).start()
    AWS_LAMBDA_RUNTIME_API = api.address;  run the bootstrap
    api.wait(timeout)   # until every scripted invocation has been answered and next is asked again
    api.results         # one dict an invocation: id, kind "response"|"error"|None, body, headers,
                        # payload, ms (from next to the answer)
    api.log             # every request: (seconds, method, path, status)
    api.first_next      # seconds on time.monotonic() when the first next arrived, or None
    api.init_error      # {"body", "headers"} of an init error, or None

Invocation: payload (JSON value, str or bytes), id, timeout_ms (deadline from now), trace_id, arn,
headers (extra).  next blocks while there is none; add() appends one at any time.
202 answers, 400 InvalidRequestID, 403 InvalidStateTransition, 413 above 6 MiB + 100 bytes.
CLI: runtime_api.py [--payload FILE]... serves files in turn and prints each result as a JSON line.
"""
import collections
import json
import sys
import threading
import time
import uuid

import httpbase
from httpbase import Response, json_response

BASE = "/2018-06-01/runtime/"
MAX_RESPONSE = 6 * 1024 * 1024 + 100
ARN = "arn:aws:lambda:us-east-1:123456789012:function:bedrock-metrics"


def _error(status, kind, message):
    return json_response({"errorType": kind, "errorMessage": message}, status)


class RuntimeApi:
    def __init__(self, invocations=(), port=0, on_result=None):
        self.server = httpbase.Server(self._handle, port)
        self.results = []
        self.log = []
        self.first_next = None
        self.init_error = None
        self.faults = []              # statuses to answer the next results with, e.g. [500]
        self._on_result = on_result
        self._waiting = collections.deque()
        self._current = None
        self._state = "init"          # init, waiting, running, sent, init_error
        self._stopped = False
        self._change = threading.Condition()
        self._started = time.monotonic()
        for invocation in invocations:
            self.add(invocation)

    def start(self):
        self._started = time.monotonic()
        self.server.start()
        return self

    def stop(self):
        with self._change:
            self._stopped = True
            self._change.notify_all()
        self.server.stop()

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.server.port

    @property
    def state(self):
        return self._state

    def add(self, invocation):
        """Queue an invocation; returns its request id."""
        invocation = dict({"id": str(uuid.uuid4()), "timeout_ms": 3000, "arn": ARN, "headers": (),
                           "trace_id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;"
                                       "Parent=9a9197af755a6419;Sampled=1"}, **invocation)
        payload = invocation["payload"]
        if isinstance(payload, str):
            payload = payload.encode()
        elif not isinstance(payload, (bytes, bytearray)):
            payload = json.dumps(payload).encode()
        invocation["payload"] = payload
        with self._change:
            self._waiting.append(invocation)
            self._change.notify_all()
        return invocation["id"]

    def wait(self, timeout=10.0):
        """True when nothing is left to do: all answered and the runtime asks for more."""
        with self._change:
            return self._change.wait_for(
                lambda: self._state == "init_error" or
                (not self._waiting and self._state == "waiting"), timeout)

    # -- requests --

    def _handle(self, request):
        response = self._route(request)
        self.log.append((time.monotonic() - self._started, request.method, request.path,
                         response.status if response else None))
        return response

    def _route(self, request):
        if not request.path.startswith(BASE):
            return _error(404, "NotFound", "unknown path")
        parts = request.path[len(BASE):].split("/")
        if parts == ["invocation", "next"]:
            if request.method != "GET":
                return _error(405, "MethodNotAllowed", "GET only")
            return self._next(request)
        if request.method != "POST":
            return _error(405, "MethodNotAllowed", "POST only")
        if parts == ["init", "error"]:
            return self._init_error(request)
        if len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            return self._result(request, parts[1], parts[2])
        return _error(404, "NotFound", "unknown path")

    def _next(self, request):
        with self._change:
            if self.first_next is None:
                self.first_next = time.monotonic()
            if self._state == "init_error":
                return _error(403, "InvalidStateTransition", "init has failed")
            if self._state == "running":
                # Asking on without an answer: AWS hands the same invocation out again.
                invocation = self._current
            else:
                self._state = "waiting"
                self._change.notify_all()
                while not self._waiting and not self._stopped:
                    self._change.wait(0.2)
                    if request.conn.peer_is_gone():
                        return None
                if self._stopped:
                    return None
                invocation = self._current = self._waiting.popleft()
                self._state = "running"
                invocation["began"] = time.monotonic()
                invocation["deadline"] = int(time.time() * 1000) + invocation["timeout_ms"]
                self.results.append({"id": invocation["id"], "kind": None, "body": None,
                                     "headers": None, "payload": invocation["payload"],
                                     "ms": None})
        headers = [("Content-Type", "application/json"),
                   ("Lambda-Runtime-Aws-Request-Id", invocation["id"]),
                   ("Lambda-Runtime-Deadline-Ms", str(invocation["deadline"])),
                   ("Lambda-Runtime-Invoked-Function-Arn", invocation["arn"]),
                   ("Lambda-Runtime-Trace-Id", invocation["trace_id"]), *invocation["headers"]]
        return Response(200, bytes(invocation["payload"]), headers)

    def _result(self, request, rid, kind):
        with self._change:
            if self._current is None or rid != self._current["id"]:
                return _error(400, "InvalidRequestID", "Invalid request ID")
            if self._state != "running":
                return _error(403, "InvalidStateTransition",
                              "Transition from %s to %s is not allowed" % (self._state, kind))
            if self.faults:
                return _error(self.faults.pop(0), "ServiceError", "on request")
            result = self.results[-1]
            result["kind"] = kind
            result["headers"] = dict(request.headers)
            result["body"] = request.body
            result["ms"] = (time.monotonic() - self._current["began"]) * 1000
            result["late"] = time.time() * 1000 > self._current["deadline"]
            self._state = "sent"
            too_big = kind == "response" and len(request.body) > MAX_RESPONSE
            if too_big:
                result.update(kind="error", body=b'{"errorType":"Function.ResponseSizeTooLarge"}')
            self._change.notify_all()
        if self._on_result:
            self._on_result(result)
        if too_big:
            return _error(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size")
        return json_response({"status": "OK"}, 202)

    def _init_error(self, request):
        with self._change:
            if self._state != "init":
                return _error(403, "InvalidStateTransition", "init is over")
            self._state = "init_error"
            self.init_error = {"body": request.body, "headers": dict(request.headers)}
            self._change.notify_all()
        return json_response({"status": "OK"}, 202)


def main():
    parser = httpbase.command_line(__doc__.splitlines()[0])
    parser.add_argument("--payload", action="append", default=[], metavar="FILE")
    parser.add_argument("--timeout-ms", type=int, default=3000)
    args = parser.parse_args()

    def show(result):
        print(json.dumps({"id": result["id"], "kind": result["kind"], "ms": result["ms"],
                          "body": result["body"].decode("utf-8", "replace")}), flush=True)
    api = RuntimeApi(port=args.port, on_result=show)
    for name in args.payload:
        with (sys.stdin.buffer if name == "-" else open(name, "rb")) as file:
            api.add({"payload": file.read(), "timeout_ms": args.timeout_ms})
    httpbase.run_until_stopped(api.server)


if __name__ == "__main__":
    main()
