#!/usr/bin/env python3
"""answers.py [--all] [--list] [--jobs N] [NAME ...]: every single call to the table goes wrong once.

The calls of an undisturbed run to DynamoDB are counted first.  Then, at each n, the n-th call is
applied and its answer lost, or never applied, or applied only later, or throttled, or answered with
500 (applied or not); or all calls from the n-th on are, for a while; or it happens to the n-th call
while a request in doubt is resolved.  The program is started anew until nothing is returned, and
the sums in CloudWatch must be those of tests/oracle/reader.py.  Without --all every n of the
worker with the answer lost, and a sample of the others.  The last line is "N passed, N failed".
"""
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from world import FENCE_MS, Cases, World, parser, run_cases                # noqa: E402
from support.cloud import QUEUE                                            # noqa: E402
from support.process import wait_until                                   # noqa: E402
from support.results import check                                          # noqa: E402

OUTAGE_S = 4
FAULTS = {
    "lost": {"fault": "rst_after"},
    "lost, closed": {"fault": "fin_after"},
    "never applied": {"fault": "rst_before"},
    "applied later": {"fault": "late", "seconds": 0.7},
    "throttled": {"fault": "throttle", "code": "ProvisionedThroughputExceededException"},
    "500": {"fault": "status", "status": 500},
    "500 though applied": {"fault": "status", "status": 500, "applied": True},
}


def rule(kind, at, count=1):
    return dict(FAULTS[kind], service="dynamodb", skip=at - 1, count=count)


def in_doubt(world):
    """A run that is killed with its request sent, applied or not."""
    killed, _ = world.run(BEDROCK_METRICS_KILL_POINT="before-send:1")
    check(killed)
    time.sleep(FENCE_MS / 1000 + 1.1)
    world.table_proxy.clear_log()


def calls_of_a_run(mode, resolving):
    with World(mode) as world:
        if resolving:
            in_doubt(world)
        world.run()
        calls = [e["target"].split(".")[-1] for e in world.table_proxy.log]
        world.finish()
        return calls


def end_outage(proxy, ended):
    """OUTAGE_S after its first victim, or when the run is over."""
    while not ended.wait(0.1) and not any(e["fault"] for e in proxy.log):
        pass
    ended.wait(OUTAGE_S)
    proxy.rules = []


def one(mode, kind, at, resolving=False, count=1):
    with World(mode) as world:
        if resolving:
            in_doubt(world)
        world.table_proxy.rules = [rule(kind, at, count)]
        ended = threading.Event()
        if count < 0:   # a worker waits for its ledger, so this has to end some time
            threading.Thread(target=end_outage, args=(world.table_proxy, ended)).start()
        world.run()
        ended.set()
        used = [e for e in world.table_proxy.log if e["fault"]]
        check(used, "there was no call", at)
        world.table_proxy.rules = []
        world.never_too_much("after the fault")
        world.finish()


def outage():
    """The table is away for longer: its messages must not be received again and again."""
    with World("dynamodb") as world:
        world.table_proxy.rules = [rule("500", 4, -1)]
        end = threading.Timer(40, lambda: setattr(world.table_proxy, "rules", []))
        end.start()
        world.run(AWS_MAX_ATTEMPTS=1)
        end.cancel()
        world.table_proxy.rules = []
        received = world.cloud.stub.queues[QUEUE].stats()["received"]
        check(received <= 3 * len(world.bodies), "messages were received", received, "times")
        world.finish()


def away_at_the_start():
    """The table is away while a worker starts: it waits, as it does for a queue."""
    with World("dynamodb") as world:
        world.table_proxy.rules = [rule("throttled", 1, -1)]
        with world.cloud.start("worker", AWS_MAX_ATTEMPTS=1, **world.settings) as worker:
            worker.wait_for_line("unfinished batches stay", 20)
            time.sleep(2)
            check(worker.poll() is None, "the worker ended:", worker.err[-2000:])
            world.table_proxy.rules = []
            queue = world.cloud.stub.queues[QUEUE]
            check(wait_until(lambda: queue.stats().get("deleted", 0) >= len(world.bodies), 60),
                  worker.err[-3000:])
            worker.stop(seconds=20)
        world.finish()


def cases(everything):
    out = Cases()
    out.add("dynamodb away when a worker starts: it waits", away_at_the_start)
    out.add("dynamodb away: messages are retried less and less often", outage)
    for mode in ("dynamodb", "lambda"):
        for resolving in (False, True):
            calls = calls_of_a_run(mode, resolving)
            # Chance decides how claims interleave: the last calls may be missing once.
            for at in range(1, len(calls)):
                for i, kind in enumerate(FAULTS):
                    if everything or (kind == "lost" and mode == "dynamodb" and not resolving) or \
                            (at + i) % 9 == (3 if resolving else 0):
                        out.add("%s%s call %d (%s) %s" % (mode, " resolving" if resolving else "",
                                                         at, calls[at - 1], kind),
                                one, mode, kind, at, resolving)
            for kind in ("lost", "throttled", "never applied"):
                for at in range(1, len(calls)) if everything else (2, len(calls) // 2):
                    if everything or not resolving and mode == "dynamodb":
                        out.add("%s%s calls from %d on %s" %
                                (mode, " resolving" if resolving else "", at, kind),
                                one, mode, kind, at, resolving, -1)
    return out


def main():
    args = parser(__doc__).parse_args()
    return run_cases(cases(args.all), args)


if __name__ == "__main__":
    sys.exit(main())
