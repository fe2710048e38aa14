"""A small HTTP/1.1 server for the test counterparts: threads, keep-alive, raw access to the socket.

Not http.server: its header parsing costs most of the time of a small answer, it decodes targets
before anyone sees them as sent, and a fault needs the socket (reset, half an answer, silence).

    server = Server(handler).start()     # handler(Request) -> Response
    server.port; server.stop()

Binds 127.0.0.1 only.  A handler may raise Abort to end the connection without an answer.
"""
import argparse
import email.utils
import http
import json
import signal
import socket
import struct
import sys
import threading
import time
import urllib.parse

MAX_HEAD = 256 * 1024
MAX_BODY = 256 * 1024 * 1024
REASONS = {s.value: s.phrase for s in http.HTTPStatus}


class Abort(Exception):
    """End the connection now: how is "rst" or "fin"."""

    def __init__(self, how="fin"):
        super().__init__(how)
        self.how = how


class Request:
    """One request as sent: target is raw; header names are lower case, repeated ones joined."""

    __slots__ = ("method", "target", "path", "query", "headers", "body", "conn", "number", "server")

    def __init__(self, method, target, headers, conn, number, server):
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = b""
        self.conn = conn          # Connection
        self.number = number      # 1 for the first request of its connection
        self.server = server

    def params(self):
        """The query's last value of each name, decoded."""
        return dict(urllib.parse.parse_qsl(self.query, keep_blank_values=True))

    def json(self):
        return json.loads(self.body or b"{}")


class Response:
    """body: bytes, or an iterator of bytes with its length in `length` (None: chunked)."""

    __slots__ = ("status", "headers", "body", "length", "close")

    def __init__(self, status=200, body=b"", headers=(), length=None, close=False):
        self.status = status
        self.headers = list(headers)
        self.body = body
        self.length = length
        self.close = close


def json_response(value, status=200, kind="application/json", headers=()):
    return Response(status, json.dumps(value).encode(), [("Content-Type", kind), *headers])


class Connection:
    """The socket of one client with what was read ahead."""

    def __init__(self, sock):
        self.sock = sock
        self.ahead = b""
        self.state = {}  # for handlers

    def read_head(self):
        """The bytes up to the blank line, or None at the end of the connection."""
        while True:
            at = self.ahead.find(b"\r\n\r\n")
            if at >= 0:
                head, self.ahead = self.ahead[:at], self.ahead[at + 4:]
                return head
            if len(self.ahead) > MAX_HEAD:
                raise Abort("rst")
            data = self.sock.recv(65536)
            if not data:
                return None
            self.ahead += data

    def read_exactly(self, n):
        if len(self.ahead) >= n:
            data, self.ahead = self.ahead[:n], self.ahead[n:]
            return data
        parts, have = [self.ahead], len(self.ahead)
        self.ahead = b""
        while have < n:
            data = self.sock.recv(min(n - have, 1 << 20))
            if not data:
                raise Abort("fin")
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def read_line(self):
        while b"\r\n" not in self.ahead:
            data = self.sock.recv(65536)
            if not data or len(self.ahead) > MAX_HEAD:
                raise Abort("fin")
            self.ahead += data
        line, self.ahead = self.ahead.split(b"\r\n", 1)
        return line

    def read_body(self, headers):
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            parts = []
            while True:
                n = int(self.read_line().split(b";")[0], 16)
                if n == 0:
                    while self.read_line():
                        pass
                    return b"".join(parts)
                parts.append(self.read_exactly(n))
                self.read_line()
                if sum(map(len, parts)) > MAX_BODY:
                    raise Abort("rst")
        n = int(headers.get("content-length") or 0)
        if n > MAX_BODY:
            raise Abort("rst")
        return self.read_exactly(n) if n else b""

    def reset(self):
        """Close so that the peer gets a reset."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
        except OSError:
            pass

    def peer_is_gone(self):
        """True when the client has closed; for handlers that hold an answer back."""
        try:
            return self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


_date = (0, "")


def date_header(offset=0):
    global _date
    now = int(time.time() + offset)
    if _date[0] != now:
        _date = (now, email.utils.formatdate(now, usegmt=True))
    return _date[1]


def head_bytes(status, headers):
    lines = ["HTTP/1.1 %d %s" % (status, REASONS.get(status, "Status"))]
    lines += ["%s: %s" % h for h in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Server:
    """Accepts on 127.0.0.1:port (0: any free one) and answers with handler(Request) -> Response."""

    def __init__(self, handler, port=0, on_head=None, on_connect=None):
        self.handler = handler
        self.on_head = on_head        # on_head(Request) before the body is read
        self.on_connect = on_connect  # on_connect(Connection) before anything is read
        self.port = port
        self.clock_offset = 0         # seconds the Date header is ahead of this machine's clock
        self.connections_total = 0
        self._listener = None
        self._open = set()
        self._lock = threading.Lock()
        self._stopping = False

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def connections_open(self):
        return len(self._open)

    def start(self):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._stopping = False
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return self

    def stop_listening(self):
        """New connections are refused from now on; open ones live on.  start() undoes it."""
        listener, self._listener = self._listener, None
        if listener is not None:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()

    def close_connections(self):
        with self._lock:
            for conn in self._open:
                try:
                    conn.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def stop(self):
        self._stopping = True
        self.stop_listening()
        self.close_connections()

    def __enter__(self):
        return self.start() if self._listener is None else self

    def __exit__(self, *exc):
        self.stop()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections_total += 1
            threading.Thread(target=self._serve, args=(Connection(sock),), daemon=True).start()

    def _serve(self, conn):
        with self._lock:
            self._open.add(conn)
        try:
            if self.on_connect:
                self.on_connect(conn)
            number = 0
            while not self._stopping:
                number += 1
                if not self._one(conn, number):
                    break
        except Abort as abort:
            if abort.how == "rst":
                conn.reset()
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(conn)
            try:
                conn.sock.close()
            except OSError:
                pass

    def _one(self, conn, number):
        head = conn.read_head()
        if head is None:
            return False
        lines = head.decode("latin-1").split("\r\n")
        try:
            method, target, version = lines[0].split(" ")
        except ValueError:
            self.send(conn, None, Response(400, b"bad request line", close=True))
            return False
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                self.send(conn, None, Response(400, b"bad header line", close=True))
                return False
            name = name.lower()
            value = value.strip()
            headers[name] = headers[name] + "," + value if name in headers else value
        request = Request(method, target, headers, conn, number, self)
        if self.on_head:
            self.on_head(request)
        request.body = conn.read_body(headers)
        try:
            response = self.handler(request)
        except (Abort, OSError):
            raise
        except Exception as fault:  # a mistake in the counterpart: say so instead of hanging
            import traceback
            traceback.print_exc()
            response = Response(500, ("counterpart failed: %r" % fault).encode(), close=True)
        if response is None:
            return False  # the handler has dealt with the socket itself
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        keep = keep and not response.close
        self.send(conn, request, response, keep)
        return keep

    def send(self, conn, request, response, keep=False):
        body = response.body
        headers = response.headers
        names = {n.lower() for n, _ in headers}
        if "date" not in names:
            headers.append(("Date", date_header(self.clock_offset)))
        if not keep:
            headers.append(("Connection", "close"))
        whole = isinstance(body, (bytes, bytearray))
        if "content-length" not in names and response.status not in (204, 304):
            if whole:
                headers.append(("Content-Length", str(len(body))))
            elif response.length is not None:
                headers.append(("Content-Length", str(response.length)))
            else:
                headers.append(("Transfer-Encoding", "chunked"))
        head = head_bytes(response.status, headers)
        if request is not None and request.method == "HEAD":
            conn.sock.sendall(head)
        elif whole:
            conn.sock.sendall(head + body)
        else:
            conn.sock.sendall(head)
            chunked = response.length is None
            for part in body:
                if not part:
                    continue
                if chunked:
                    part = b"%x\r\n%s\r\n" % (len(part), part)
                conn.sock.sendall(part)
            if chunked:
                conn.sock.sendall(b"0\r\n\r\n")


class Counterpart:
    """What has a server in self.server: started and stopped with it, or by `with`."""

    def start(self):
        self.server.start()
        return self

    def stop(self):
        self.server.stop()

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()

    @property
    def url(self):
        return self.server.url


# ---- errors in the spelling of each AWS protocol ----

_request_number = 0


def request_id():
    global _request_number
    _request_number += 1
    return "00000000-0000-4000-8000-%012d" % _request_number


def protocol_of(request):
    """"json" (X-Amz-Target), "query" (form) or "rest" (S3)."""
    if "x-amz-target" in request.headers:
        return "json"
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return "query"
    return "rest"


def xml_text(text):
    out = []
    for c in str(text):
        if c in "<>&\"" or (c < " " and c not in "\t\n"):
            out.append("&#%d;" % ord(c))
        else:
            out.append(c)
    return "".join(out)


def aws_error(request, status, code, message, shape=None, namespace="com.amazonaws.fake"):
    """An error answer; `shape` is the JSON protocols' name where it differs from the code."""
    rid = request_id()
    kind = protocol_of(request)
    sender = "Sender" if status < 500 else "Receiver"
    if kind == "json":
        body = json.dumps({"__type": "%s#%s" % (namespace, shape or code), "message": message})
        return Response(status, body.encode(), [("Content-Type", "application/x-amz-json-1.0"),
                                                ("x-amzn-RequestId", rid),
                                                ("x-amzn-query-error", code + ";" + sender)])
    if kind == "query":
        body = ("<ErrorResponse><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error>"
                "<RequestId>%s</RequestId></ErrorResponse>"
                % (sender, xml_text(code), xml_text(message), rid))
        return Response(status, body.encode(), [("Content-Type", "text/xml"),
                                                ("x-amzn-RequestId", rid)])
    body = ('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code><Message>%s</Message>'
            "<RequestId>%s</RequestId><HostId>fake</HostId></Error>"
            % (xml_text(code), xml_text(message), rid))
    return Response(status, body.encode() if request.method != "HEAD" else b"",
                    [("Content-Type", "application/xml"), ("x-amz-request-id", rid)])


# ---- command lines ----

def command_line(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="127.0.0.1 port (default: a free one)")
    return parser


class StopSignal:
    """SIGTERM and SIGINT as something to wait for; made in the main thread.

    A socket that the C-level handler writes to: an Event set by a handler can find its own lock
    taken, and a signal that arrives just before time.sleep() is noticed when the sleep is over.
    """

    def __init__(self):
        self._read, write = socket.socketpair()
        write.setblocking(False)
        self._write = write
        signal.set_wakeup_fd(write.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def wait(self):
        self._read.recv(1)


def run_until_stopped(server):
    """Print the port alone on a line, then serve until SIGTERM or SIGINT."""
    stop = StopSignal()
    server.start()
    print(server.port, flush=True)
    stop.wait()
    server.stop()
    sys.exit(0)
