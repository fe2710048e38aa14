#!/usr/bin/env python3
"""The function under AWS's own Lambda Runtime Interface Emulator.

    rie.py BUILD        needs Go 1.25 or newer to build the emulator; says so and skips otherwise

The emulator starts the program as `bootstrap`; an event of one message is posted to it, and the
answer, the sums in the strict CloudWatch counterpart and a second invocation are checked.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["BUILD"] = str(Path(sys.argv[1] if len(sys.argv) > 1 else "build/release").resolve())

from support import ROOT  # noqa: E402
from support.cloud import Cloud  # noqa: E402
from support.process import BINARY, Process, free_port, wait_for_port  # noqa: E402
from support.records import numbered, s3_event, sqs_payload  # noqa: E402
from support.results import Results, Skip, equal  # noqa: E402

MODULE = "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest"


def emulator(folder):
    """The path of the emulator, built if need be."""
    path = folder / "aws-lambda-rie"
    if not path.exists() and shutil.which("go"):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "install", MODULE], env=dict(os.environ, GOBIN=str(folder)),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if not path.exists():
        raise Skip("the emulator needs Go 1.25 and its module proxy")
    return path


def post(url, payload):
    request = urllib.request.Request(url, data=json.dumps(payload).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def two_invocations():
    rie = emulator(ROOT / "build" / "rie")
    with tempfile.TemporaryDirectory() as folder, Cloud() as cloud:
        bootstrap = Path(folder) / "bootstrap"
        shutil.copy(BINARY, bootstrap)
        port, api = free_port(), free_port()
        words = [rie, "--runtime-interface-emulator-address", "127.0.0.1:%d" % port,
                 "--runtime-api-address", "127.0.0.1:%d" % api, bootstrap, "handler"]
        with Process(words, cloud.env(AWS_LAMBDA_FUNCTION_TIMEOUT=60)) as process:
            wait_for_port(port, process)
            for i in range(2):
                key = cloud.put("rie-%d" % i, [numbered(i + 1)])
                got = post("http://127.0.0.1:%d/2015-03-31/functions/function/invocations" % port,
                           sqs_payload([s3_event(key)]))
                equal(got, {"batchItemFailures": []}, "answer")
            equal(cloud.sums(), cloud.expected())
            process.stop(seconds=20)


def main():
    results = Results()
    results.test("two invocations", two_invocations)
    return results.end() and (1 if results.failed else 0)


if __name__ == "__main__":
    sys.exit(main())
