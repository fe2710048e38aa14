"""Running programs: what they see of this machine, their output, free ports, and their end.

    with Process([BINARY, "worker"], env=environment(home)) as worker:
        port = worker.wait_for_line(r"port=(\\d+)").group(1)
        ...
        status = worker.stop()              # SIGTERM; worker.out and worker.err are what it said
"""
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from . import ROOT

BUILD = Path(os.environ.get("BUILD", ROOT / "build" / "release")).resolve()
BINARY = str(BUILD / "bedrock-metrics")
SIMULATOR = str(BUILD / "bedrock-logs-sim")
SANITIZED = "san" in BUILD.name  # asan, tsan: with allocators of their own

# Of the caller's environment a program gets these only.
KEPT = ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
ACCESS, SECRET = "AKIDEXAMPLE", "secret-canary-value"
# What a sanitizer, and a secret that got out, look like in an output.
BAD_OUTPUT = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error", SECRET)


def environment(home="/nonexistent", **more):
    """Without anything of this machine but PATH; a variable given as None is left out."""
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env.setdefault("PATH", "/usr/bin:/bin")
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    env.update(HOME=str(home), LC_ALL="C.UTF-8", NO_COLOR="1")
    return changed(env, more)


def aws_environment(url, home="/nonexistent", **more):
    """The same with credentials, a Region, and an endpoint on loopback in place of AWS."""
    env = environment(home, AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET,
                      AWS_REGION="us-east-1", AWS_ENDPOINT_URL=url, no_proxy="127.0.0.1",
                      AWS_EC2_METADATA_DISABLED="true")
    return changed(env, more)


def changed(env, changes):
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = str(value)
    return env


def run(words, env=None, timeout=120, **options):
    """subprocess.run with captured output; bytes unless text=True."""
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    if options["stdin"] is None:
        del options["stdin"]
    return subprocess.run([str(word) for word in words], env=env, timeout=timeout, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def simulate(folder, *words):
    """Simulated logs below a folder."""
    done = run([SIMULATOR, "--out", folder, *words])
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (SIMULATOR, done.stderr.decode()))


_libraries = {}
_compiling = threading.Lock()


def preload_library(source):
    """A C file as a library for LD_PRELOAD, compiled once."""
    with _compiling:
        if source not in _libraries:
            folder = tempfile.TemporaryDirectory(prefix="bedrock-preload-")
            path = os.path.join(folder.name, "preload.so")
            compiler = os.environ.get("CC", "cc").split()
            subprocess.run([*compiler, "-std=c17", "-D_GNU_SOURCE", "-O1", "-fPIC", "-shared",
                            "-Wall", "-Wextra", "-Werror", "-o", path, str(source), "-ldl",
                            "-lpthread"], check=True)
            _libraries[source] = folder, path
        return _libraries[source][1]


class Process:
    """A program that runs meanwhile.  Its output is read all the time, so that it never waits."""

    def __init__(self, words, env=None, cwd="/"):
        self.popen = subprocess.Popen([str(word) for word in words], env=env, cwd=cwd, text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, errors="replace")
        self.pid = self.popen.pid
        self._lines = {"out": [], "err": []}
        self._more = threading.Condition()
        self._readers = [threading.Thread(target=self._read, args=(name, stream), daemon=True)
                         for name, stream in (("out", self.popen.stdout),
                                              ("err", self.popen.stderr))]
        for reader in self._readers:
            reader.start()

    def _read(self, name, stream):
        for line in stream:
            with self._more:
                self._lines[name].append(line)
                self._more.notify_all()
        stream.close()
        with self._more:
            self._more.notify_all()

    def lines(self, stream="err"):
        with self._more:
            return list(self._lines[stream])

    @property
    def out(self):
        return "".join(self.lines("out"))

    @property
    def err(self):
        return "".join(self.lines("err"))

    @property
    def returncode(self):
        return self.popen.returncode

    def poll(self):
        return self.popen.poll()

    def send_signal(self, number):
        self.popen.send_signal(number)

    def wait_for_line(self, pattern, seconds=30, stream="err"):
        """The match of the first line, past or coming, in which the pattern is found."""
        end = time.monotonic() + seconds
        seen = 0
        with self._more:
            while True:
                for line in self._lines[stream][seen:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                seen = len(self._lines[stream])
                left = end - time.monotonic()
                ended = not any(reader.is_alive() for reader in self._readers)
                if ended or left <= 0:
                    raise AssertionError("%s before a line with %s:\n%s" % (
                        "it ended" if ended else "%d s passed" % seconds, pattern,
                        "".join(self._lines["err"])[-3000:]))
                self._more.wait(min(left, 0.5))

    def wait(self, seconds=30):
        """Its exit status once it has ended; both streams are then complete."""
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("it did not end within %d s:\n%s" % (seconds,
                                                                      self.err[-3000:])) from None
        for reader in self._readers:
            reader.join(seconds)
        return status

    def stop(self, number=signal.SIGTERM, seconds=30):
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.wait(seconds)

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for reader in self._readers:
            reader.join()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.kill()


def ended(words, seconds=60, **options):
    """(exit status, standard output, standard error) of a program that is killed when it hangs."""
    with Process(words, **options) as process:
        return process.wait(seconds), process.out, process.err


# ---- waiting ----

def wait_until(condition, seconds=15, pause=0.05):
    """Whether the condition held at some moment of this time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_for_port(port, process=None, seconds=60):
    """Until something listens; an error when the process ends or the time is over."""
    def listening():
        if process is not None and process.poll() is not None:
            raise RuntimeError("the server ended with %s" % process.poll())
        return answers(port)
    if not wait_until(listening, seconds):
        raise RuntimeError("nothing listens on port %d" % port)


# ---- the log ----

def log_lines(text, message):
    """{key: value} of each line of the text log with this message."""
    out = []
    for line in text.splitlines():
        body = re.sub(r"^BM-[A-Z][0-9]+ ", "", line.partition(" ")[2].lstrip())
        if body.startswith(message + " ") or body == message:
            out.append(dict(word.split("=", 1) for word in body[len(message):].split()
                            if "=" in word))
    return out


def json_lines(text, message=None):
    """The lines of --log-format json, all of them or those with this message."""
    found = [json.loads(line) for line in text.splitlines()]
    return [line for line in found if message in (None, line.get("message"))]


def clean(text, *secrets):
    """An error when a sanitizer spoke, a secret got out, or a log line has a key twice."""
    for word in (*BAD_OUTPUT, *secrets):
        if word in text:
            raise AssertionError("%s in the output:\n%s" % (word, text[-3000:]))
    for line in text.splitlines():
        keys = [key for key, _ in json.loads(line, object_pairs_hook=list)] \
            if line.startswith('{"timestamp":') else []
        if len(keys) != len(set(keys)):
            raise AssertionError("a key twice in " + line)
