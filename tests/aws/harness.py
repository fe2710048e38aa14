"""What the tests of the AWS layer share: the tool, and scripted servers on loopback that decide of each
byte and moment of a connection (those of tests/fake_aws answer whole requests)."""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import ROOT, process  # noqa: E402

OUT = str(ROOT / "build" / "aws-tests")
# With sanitizers; and without, for allocations that fail.
TOOLS = str(ROOT / "build" / "asan" / "tests" / "aws")
PLAIN_TOOL = str(ROOT / "build" / "valgrind" / "tests" / "aws" / "aws_tool")


def environment(**more):
    """With credentials, a Region, and a home of its own."""
    home = tempfile.mkdtemp(prefix="home-", dir=OUT)
    # No no_proxy: which requests go past a proxy is tested.
    return process.changed(process.aws_environment(None, home, no_proxy=None), more)


class Tool:
    """One aws_tool process.  call() sends one operation and returns its answer."""

    def __init__(self, env, program="aws_tool"):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([os.path.join(TOOLS, program)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, env=env)

    def send(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the tool ended: " + self.stderr())
        return json.loads(line)

    def call(self, **request):
        self.send(**request)
        return self.receive()

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(20)
        self.process.stdout.close()
        text = self.stderr()
        self.errors.close()
        if code != 0:
            raise AssertionError("the tool ended with %d:\n%s" % (code, text))
        return text

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.wait()


class Request:
    """A request as it came over the wire; header names in lower case."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ", 2)
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.body = body
        self.path, _, self.query = self.target.partition("?")

    @property
    def operation(self):
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


def read_request(conn, partly=None):
    """The next request of a connection, None when the peer closed it.

    partly: give up after this many bytes of the body.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        piece = conn.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    request = Request(head, b"")
    length = int(request.headers.get("content-length", "0"))
    if partly is not None:
        length = min(length, partly)
    while len(body) < length:
        piece = conn.recv(65536)
        if not piece:
            return None
        body += piece
    request.body = body
    return request


def answer(status, body=b"", headers=(), close=False, reason="X"):
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    elif isinstance(body, str):
        body = body.encode()
    lines = ["HTTP/1.1 %d %s" % (status, reason)]
    names = {name.lower() for name, _ in headers}
    if "content-length" not in names and "transfer-encoding" not in names:
        lines.append("Content-Length: %d" % len(body))
    lines += ["%s: %s" % pair for pair in headers]
    if close:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def reset(conn):
    """Close with RST instead of FIN."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


class Server:
    """A server on a free loopback port; handle(conn, server) does one connection as it likes."""

    def __init__(self, handle, host="127.0.0.1"):
        self.handle = handle
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.url = "http://%s:%d" % (host, self.port)
        self.requests = []
        self.connections = 0
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.one, args=(conn,), daemon=True).start()

    def one(self, conn):
        try:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.handle(conn, self)
        except OSError:
            pass
        finally:
            try:
                conn.close()
            except OSError:
                pass

    def note(self, request):
        with self.lock:
            self.requests.append(request)
            return len(self.requests)

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()


def serve(respond):
    """A keep-alive server from respond(request, number, server) -> bytes or None (close)."""
    def handle(conn, server):
        while True:
            request = read_request(conn)
            if request is None:
                return
            reply = respond(request, server.note(request), server)
            if reply is None:
                return
            conn.sendall(reply)
    return Server(handle)
