#!/usr/bin/env python3
"""fleet.py [--all] [--list] [--jobs N] [NAME ...]: four workers on one queue with one table.

Every object is announced two or three times.  One worker is stopped (SIGSTOP) before it sends a
certain request, or killed, and continued when its lease has lapsed, the fence is past and the
others have taken over what it had; another one is killed.  At no moment may a sum be too high, and
at the end all must be those of tests/oracle/reader.py.  The counterpart takes signatures for 3
seconds and the fence is 6, as AWS takes them for 15 minutes and the fence is 20.  A control shows
that without that age limit the late request is seen to count twice.  The last line is "N passed,
N failed".
"""
import random
import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent),
                str(Path(__file__).resolve().parent.parent / "faults")]

import shim                                                          # noqa: E402
from world import Cases, World, parser, run_cases                    # noqa: E402
from support.process import clean                                    # noqa: E402
from support.records import PROMPT, s3_event                         # noqa: E402
from support.results import Failed, check                            # noqa: E402

WORKERS, OBJECTS = 4, 30
SIGNATURE_S, FENCE_S, LEASE_S = 3, 6, 0.4
PATIENCE_S = 90


class Fleet(World):
    def __init__(self, seed):
        super().__init__("dynamodb", objects=OBJECTS)
        self.chance = random.Random(seed)
        self.workers = []

    def __enter__(self):
        super().__enter__()
        self.settings.update(BEDROCK_METRICS_TEST_FENCE_MS=FENCE_S * 1000,
                             BEDROCK_METRICS_TEST_LEASE_MS=int(LEASE_S * 1000), BATCH_SIZE=5)
        self.cloud.cloudwatch.control({"settings": {"max_skew": SIGNATURE_S}})
        again = self.keys + self.chance.sample(self.keys, OBJECTS // 2)
        self.chance.shuffle(again)
        self.announce([s3_event(key) for key in again])
        return self

    def __exit__(self, *exc):
        for process in self.workers:
            process.kill()
        super().__exit__(*exc)

    def add(self, **env):
        self.workers.append(self.cloud.start("worker", **dict(self.settings, **env)))
        return self.workers[-1]

    def wait(self, condition, what):
        end = time.monotonic() + PATIENCE_S
        while not condition():
            check(time.monotonic() < end, what)
            time.sleep(0.2)
            self.never_too_much("while several work")

    def end_all(self):
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.workers:
            status = process.wait(30)
            self.log += process.err
            clean(process.out + process.err, PROMPT)
            check(status in (0, -signal.SIGKILL, 128 + signal.SIGTERM), "exit status", status,
                  process.err[-2000:])


def is_stopped(process):
    try:
        with open("/proc/%d/stat" % process.pid) as file:
            return file.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def stopped(match, at, seed):
    """One is stopped before its at-th request of this kind and continued past the fence."""
    with Fleet(seed) as fleet:
        victim = fleet.add(**shim.environment(fleet.folder, at=at, do="stop", match=match))
        # Alone until then: others could leave it too little to come so far.
        fleet.wait(lambda: is_stopped(victim), "the worker did not come to " + match)
        fleet.add(**shim.environment(fleet.folder, at=fleet.chance.randint(20, 60), do="kill"))
        while len(fleet.workers) < WORKERS:
            fleet.add()
        # What the victim holds is recovered by the others: all is exact before it goes on.
        time.sleep(FENCE_S + 1)
        fleet.wait(lambda: fleet.sums() == fleet.expected(), "the others did not take over")
        victim.send_signal(signal.SIGCONT)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            time.sleep(0.2)
            fleet.never_too_much("after it went on")
        fleet.end_all()
        fleet.check_sums("after it went on")
        fleet.finish()


def control(seed):
    """Signatures hold for longer than the fence: the late request must be seen to count twice."""
    with Fleet(seed) as fleet:
        fleet.cloud.cloudwatch.control({"settings": {"max_skew": 900}})
        try:
            victim = fleet.add(**shim.environment(fleet.folder, at=1, do="stop",
                                                  match="PutMetricData"))
            fleet.wait(lambda: is_stopped(victim), "the worker did not come to its request")
            fleet.add()
            time.sleep(FENCE_S + 1)
            fleet.wait(lambda: fleet.sums() == fleet.expected(), "the other did not take over")
            victim.send_signal(signal.SIGCONT)
            time.sleep(3)
            fleet.never_too_much("after it went on")
        except Failed as fault:
            check("counted twice" in str(fault), fault)
            return
        raise Failed("a double count was not seen")


def killed(seed):
    """Two are killed at calls of chance, the other two do all the work."""
    with Fleet(seed) as fleet:
        for _ in range(2):
            fleet.add(**shim.environment(fleet.folder, at=fleet.chance.randint(10, 90),
                                         do=fleet.chance.choice(("kill", "half"))))
        for _ in range(2):
            fleet.add()
        fleet.wait(lambda: fleet.sums() == fleet.expected(), "what the dead had is not taken over")
        fleet.end_all()
        fleet.finish()


def cases(everything):
    out = Cases()
    out.add("control: a sink that takes old signatures is seen to count twice", control, 0)
    for match, most in (("PutMetricData", 3), ("PutItem", 9), ("UpdateItem", 6),
                        ("DeleteMessage", 2), ("GET /bedrock-logs", 4)):
        for at in range(1, most + 1) if everything else (1, most):
            out.add("stopped before %s %d" % (match, at), stopped, match, at, at)
    for seed in range(60 if everything else 4):
        out.add("two of four killed, seed %d" % seed, killed, seed)
    return out


def main():
    args = parser(__doc__, jobs=6).parse_args()
    return run_cases(cases(args.all), args)


if __name__ == "__main__":
    sys.exit(main())
