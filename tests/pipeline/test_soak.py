"""A short soak: memory and descriptors stay flat, sums exact.  SOAK_OBJECTS makes it longer."""
import os
import time

from support.cloud import Cloud
from support.process import SANITIZED
from support.results import check, equal

OBJECTS = int(os.environ.get("SOAK_OBJECTS", "4000"))


def resident_kib(pid):
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def test_soak():
    with Cloud(total=OBJECTS, records=5) as cloud:
        # Past the proxy, which would be the limit; the stub does not check signatures.
        env = {"AWS_ENDPOINT_URL": cloud.stub.url, "SQS_QUEUE_URL": cloud.stub.queue_url,
               "AWS_ENDPOINT_URL_CLOUDWATCH": cloud.cloudwatch.url, "BATCH_SIZE": "100",
               "LOG_LEVEL": "WARN"}
        began = time.monotonic()
        process = cloud.start("worker", "--once", **env)
        samples = []
        while process.poll() is None:
            try:
                samples.append((resident_kib(process.pid),
                                len(os.listdir("/proc/%d/fd" % process.pid))))
            except OSError:
                break
            time.sleep(0.1)
        process.wait(60)
        took = time.monotonic() - began
        equal(process.returncode, 0, process.err[-2000:])
        got = cloud.sums()
        for metric, value in cloud.stub.expected().items():
            equal(got[metric], value, metric)
        middle, late = samples[len(samples) // 3: len(samples) // 2], samples[-len(samples) // 4:]
        most = max(s[0] for s in samples)
        print("    %d objects in %.1f s (%.0f/s); at most %.1f MiB, grown %.1f MiB in the second "
              "half; at most %d descriptors" % (
                  OBJECTS, took, OBJECTS / took, most / 1024,
                  (max(s[0] for s in late) - max(s[0] for s in middle)) / 1024,
                  max(s[1] for s in samples)))
        check(len(samples) >= 8, "too short to tell")
        check(SANITIZED or most <= 96 * 1024, "memory", most, "KiB")
        check(SANITIZED or max(s[0] for s in late) - max(s[0] for s in middle) <= 2048,
              "memory grows", [s[0] for s in samples])
        check(max(s[1] for s in late) <= max(s[1] for s in middle) + 2, "descriptors grow",
              [s[1] for s in samples])
