"""Allocations of an invocation fail one at a time: no crash, nothing lost, nothing counted twice.

TORTURE_STEP=1 tries every single one; the default samples them.
"""
import concurrent.futures
import os
import subprocess
import tempfile

from lib import BUILD, Cloud, HERE, check, equal, failures, record, s3_event
from lib import sqs_payload
from test_faults import Function, in_doubt

STEP = int(os.environ.get("TORTURE_STEP", "37"))


def one(library, n, folder):
    """Number of allocations of an invocation in which the n-th fails."""
    report = os.path.join(folder, "report-%d" % n)
    with Cloud() as cloud:
        bodies = [s3_event(cloud.put("o%d" % i, [record(3 * i + j) for j in range(3)]))
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
            left = bodies  # an error, or no answer: all of them come back
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


def test_every_allocation():
    if "san" in BUILD.name:
        return  # the sanitizers have allocators of their own
    with tempfile.TemporaryDirectory() as folder:
        library = os.path.join(folder, "fail_alloc.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library,
                        str(HERE / "fail_alloc.c"), "-ldl"], check=True)
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
