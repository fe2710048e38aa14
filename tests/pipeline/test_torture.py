"""Allocations of an invocation fail one at a time: no crash, nothing lost, nothing counted twice.

TORTURE_STEP=1 tries every single one; the default samples them.
"""
import concurrent.futures
import os
import subprocess
import tempfile

from support import TESTS
from support.cloud import Cloud, failures
from support.process import BINARY, SANITIZED, preload_library
from support.records import numbered, s3_event, sqs_payload
from support.results import check, equal
from test_faults import Function, in_doubt

STEP = int(os.environ.get("TORTURE_STEP", "37"))


def one(library, n, folder):
    """Number of allocations of an invocation in which the n-th fails."""
    report = os.path.join(folder, "report-%d" % n)
    with Cloud() as cloud:
        bodies = [s3_event(cloud.put("o%d" % i, [numbered(3 * i + j) for j in range(3)]))
                  for i in range(3)]
        # Only the first invocation is tortured; the next ones are as usual.
        function = Function(cloud, LD_PRELOAD=library, FAIL_ALLOC=n, FAIL_ALLOC_REPORT=report,
                            AWS_MAX_ATTEMPTS=1)
        try:
            function.runtime.add({"payload": sqs_payload(bodies), "timeout_ms": 8000})
            answered = function.runtime.wait(20)
            result = function.runtime.results[-1]
        finally:
            log = function.stop()
        check(function.process.returncode >= 0, "signal", -function.process.returncode)
        if answered and result["kind"] == "response":
            left = [bodies[int(name[1:])] for name in failures(result)]
        else:
            left = bodies  # an error, or no answer: all of them are returned
        if left:
            clean = Function(cloud)
            try:
                clean.deliver(left)
            finally:
                clean.stop()
        got, wanted = cloud.sums(), cloud.expected()
        if got != wanted:
            # Sent, and memory ran out before the answer was understood.
            check(in_doubt(log) > 0 or not answered, "sums\n", got, "\n", wanted, "\n", log[-800:])
            for metric, value in wanted.items():
                check(got.get(metric, 0) >= value, "lost", metric)
    with open(report) as file:
        return int(file.read())


LIBRARY = TESTS / "torture" / "fail_alloc.c"


def test_start_without_memory():
    """Whichever allocation fails before the work begins, a command that fails says why."""
    if SANITIZED:
        return
    with tempfile.TemporaryDirectory() as folder:
        library, report = preload_library(LIBRARY), os.path.join(folder, "count")
        logs = os.path.join(folder, "logs")
        os.mkdir(logs)
        env = {"PATH": os.environ["PATH"], "HOME": folder, "LD_PRELOAD": library,
               "FAIL_ALLOC_ARMED": "1", "FAIL_ALLOC_REPORT": report, "AWS_REGION": "us-east-1",
               "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
               "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
        queue = "http://127.0.0.1:9/111122223333/queue"
        commands = (["enqueue", "s3://some-bucket/logs/", "--queue", queue],
                    ["worker", "--once", "--queue", queue, "--bucket", "some-bucket"],
                    ["serve", logs, "--once", "--store", os.path.join(folder, "store")],
                    ["report", logs, "--output", "json"],
                    ["plan", logs], ["dashboard"], ["aggregate", logs], ["prices"])
        silent, runs = [], 0
        for words in commands:
            for n in [0] + list(range(1, 400)):
                done = subprocess.run([BINARY, *words], check=False,
                                      env=dict(env, FAIL_ALLOC=str(n)), cwd=folder,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, timeout=60)
                with open(report) as file:
                    total = int(file.read())
                runs += 1
                if done.returncode < 0 or (done.returncode != 0 and not done.stderr):
                    silent.append("%s, allocation %d: %d" % (words[0], n, done.returncode))
                if n > total:
                    break
        equal(silent[:10], [], "%d commands end silently" % len(silent))
        check(runs > 200, "runs", runs)


def test_every_allocation():
    if SANITIZED:
        return  # the sanitizers have allocators of their own
    with tempfile.TemporaryDirectory() as folder:
        library = preload_library(LIBRARY)
        total = one(library, 0, folder)
        check(total > 100, "allocations", total)
        broken = []
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            futures = {pool.submit(one, library, n, folder): n
                       for n in range(1, total + 1, STEP)}
            for future in concurrent.futures.as_completed(futures):
                try:
                    future.result()
                except Exception as why:
                    broken.append("allocation %d: %s" % (futures[future], why))
        print("    %d of %d allocations failed" % (len(futures), total))
        equal(broken, [], "\n".join(broken))
