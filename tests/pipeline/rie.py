#!/usr/bin/env python3
"""The function under AWS's own Lambda Runtime Interface Emulator.

    rie.py BUILD        needs Go 1.25 or newer to build the emulator; says so and skips otherwise

The emulator starts the program as `bootstrap`; an event of one message is posted to it, and the
answer, the sums in the strict CloudWatch counterpart and a second invocation are checked.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import lib  # noqa: E402
from lib import Cloud, record, s3_event, sqs_payload  # noqa: E402

MODULE = "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest"


def emulator(folder):
    """The path of the emulator, built if need be; None: it cannot be had here."""
    path = folder / "aws-lambda-rie"
    if path.exists():
        return path
    if shutil.which("go") is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["go", "install", MODULE], env=dict(os.environ, GOBIN=str(folder)),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path if done.returncode == 0 and path.exists() else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def post(url, payload):
    request = urllib.request.Request(url, data=json.dumps(payload).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def check(build, rie):
    with tempfile.TemporaryDirectory() as folder, Cloud() as cloud:
        bootstrap = pathlib.Path(folder) / "bootstrap"
        shutil.copy(build / "bedrock-metrics", bootstrap)
        port, api = free_port(), free_port()
        environment = dict(cloud.env(), AWS_LAMBDA_FUNCTION_TIMEOUT="60")
        process = subprocess.Popen(
            [str(rie), "--runtime-interface-emulator-address", "127.0.0.1:%d" % port,
             "--runtime-api-address", "127.0.0.1:%d" % api, str(bootstrap), "handler"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        url = "http://127.0.0.1:%d/2015-03-31/functions/function/invocations" % port
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            for i in range(2):
                key = cloud.put("rie-%d" % i, [record(i + 1)])
                answer = post(url, sqs_payload([s3_event(key)]))
                if answer != {"batchItemFailures": []}:
                    return "answer %d was %r" % (i, answer)
            if cloud.sums() != cloud.expected():
                return "sums %r, expected %r" % (cloud.sums(), cloud.expected())
            return None
        finally:
            process.terminate()
            process.wait(timeout=20)


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/release").resolve()
    rie = emulator(pathlib.Path("build/rie").resolve())
    if rie is None:
        print("skipped: the emulator needs Go 1.25 and its module proxy")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    fault = check(build, rie)
    if fault:
        print("FAIL rie: " + fault)
    print("%d passed, %d failed" % (fault is None, fault is not None))
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
