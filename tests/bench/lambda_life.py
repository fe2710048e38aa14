#!/usr/bin/env python3
"""What the function needs: memory over batches of large objects, and the time of a cold start.

    python3 tests/bench/lambda_life.py [BINARY]        (the package's, else build/release's)

S3, CloudWatch and the Lambda Runtime API are counterparts on loopback, without delays, so the times
are those of this machine and say nothing of AWS's network.  The memory is the process's largest
resident set (VmHWM; what wait4 tells begins with this script's own), which is what Lambda calls "Max
Memory Used", less the runtime's own few MB.  Lambda gives a function MB/1769 of a processor, so the
last column is the processor time divided by 256/1769: what the batch takes at least with 256 MB.  Each case is one invocation of BATCH messages, one object each.
"""
import base64
import gzip
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "bench" / "lambda"
sys.path.insert(0, str(ROOT / "tests"))

from support.cloud import Cloud, failures                               # noqa: E402
from support.records import log_key, numbered, s3_event, sqs_payload    # noqa: E402
from runtime_api import RuntimeApi                                      # noqa: E402

MB = 1 << 20


def binary():
    """The program as it is deployed."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    package = ROOT / "build" / "lambda-x86_64.zip"
    if not package.exists() or os.uname().machine != "x86_64":
        return str(ROOT / "build" / "release" / "bedrock-metrics")
    WORK.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package) as archive:
        archive.extract("bootstrap", WORK)
    (WORK / "bootstrap").chmod(0o755)
    print("package: %.2f MB, program: %.2f MB" % (package.stat().st_size / 1e6,
                                                 (WORK / "bootstrap").stat().st_size / 1e6))
    return str(WORK / "bootstrap")


def log_object(records, body_bytes, models=1):
    """A gzip'ed log object; its bodies hardly compress, so that both sides are large."""
    lines = []
    text = base64.b64encode(os.urandom(body_bytes * 3 // 4)).decode()
    for n in range(records):
        one = numbered(n, model="us.vendor.model-%d-v1:0" % (n % models))
        one["input"]["inputBodyJson"] = {"text": text[n % 64:]}
        lines.append(json.dumps(one))
    text = "\n".join(lines).encode()
    return gzip.compress(text, 1), len(text)


class Function(Cloud):
    def life(self, program, payload):
        """(MB, seconds to the first /next, of the invocation, of processor time) of one process."""
        runtime = RuntimeApi([{"payload": payload, "timeout_ms": 120000}]).start()
        began = time.monotonic()
        with open(os.devnull, "w", encoding="ascii") as null:
            process = subprocess.Popen([program, "lambda"], stderr=null, stdout=null, cwd="/",
                                       env=self.env(AWS_LAMBDA_RUNTIME_API=runtime.address))
        done = runtime.wait(120)
        ended = time.monotonic()
        spent = Path("/proc/%d/stat" % process.pid).read_text(encoding="ascii").rpartition(")")[2]
        cpu = sum(map(int, spent.split()[11:13])) / os.sysconf("SC_CLK_TCK")
        status = Path("/proc/%d/status" % process.pid).read_text(encoding="ascii")
        process.terminate()
        process.wait(30)
        runtime.stop()
        if not done or failures(runtime.results[0]):
            sys.exit("the invocation failed")
        largest = int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M).group(1))
        return largest / 1024, runtime.first_next - began, ended - runtime.first_next, cpu


def main():
    program = binary()
    print("%-44s %10s %8s %8s %7s %12s" % ("batch", "inflated", "memory", "time", "cpu",
                                           "with 256 MB"))
    cases = (("nothing but a test event", 0, 0, 0, 1),
             ("10 objects of 5 records", 10, 5, 2000, 1),
             ("10 objects of 1,000 records", 10, 1000, 2000, 20),
             ("100 objects of 1,000 records", 100, 1000, 2000, 20),
             ("10 objects of 100 MB", 10, 1000, 100000, 20),
             ("10 objects of 50,000 records, 2,000 models", 10, 50000, 20, 2000),
             ("1 record of 200 MB", 1, 1, 200 * MB, 1))
    cold = []
    for name, objects, records, body_bytes, models in cases:
        with Function() as cloud:
            bodies, inflated = ['{"Event":"s3:TestEvent"}'], 0
            if objects:
                content, size = log_object(records, body_bytes, models)
                inflated = size * objects
                bodies = []
                for n in range(objects):
                    key = log_key("o%d" % n)
                    cloud.stub.put(key, content)
                    bodies.append(s3_event(key))
            memory, start, took, cpu = cloud.life(program, sqs_payload(bodies))
            cold.append(start)
        print("%-44s %7.0f MB %5.0f MB %6.2f s %5.2f s %10.1f s" % (
            name, inflated / MB, memory, took, cpu, cpu * 1769 / 256), flush=True)
    cold.sort()
    print("from start to the first request for an event: %.0f ms (median of %d), %.0f ms at most"
          % (1000 * cold[len(cold) // 2], len(cold), 1000 * cold[-1]))


if __name__ == "__main__":
    main()
