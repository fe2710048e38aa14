#!/usr/bin/env python3
"""kill.py [--all] [--real-fence] [--list] [--jobs N] [NAME ...]: the program killed, and the sums afterwards.

Each case has a cloud of its own (tests/fake_aws: S3 and SQS, a strict CloudWatch, for the fleet a
DynamoDB by moto): objects are put and announced, partly twice; the program is killed at a point or
a moment, or an answer of CloudWatch is lost; then it is started anew until nothing is returned.
The sums in CloudWatch must be those of tests/oracle/reader.py, to the token: none lost, none
doubled.  Without --all a sample that takes less than two minutes; --real-fence waits out the 20
minutes that the others shorten.  The last line is "N passed, N failed".
"""
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from world import FENCE_MS, LEASE_MS, MODES, Cases, World, parser, run_cases  # noqa: E402
from support.cloud import QUEUE                                             # noqa: E402
from support.results import check, equal                                    # noqa: E402

POINTS = ["claim:1", "read:1", "prepare:1", "marker:1", "sign:1", "journal:1", "send:1",
          "journal:2", "done:1"]
LATER = ["marker:2", "sign:3", "journal:3", "send:2", "journal:4", "send:4"]
REAL_FENCE_MINUTES = 30
RESOLVE = ["read-markers:1", "marker:1", "journal:1", "send-control:1", "read-markers:2", "send:1",
           "report:1"]


# ---- cases ----

def at_point(mode, point, large=False):
    with World(mode, large) as world:
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT=point)
        check(killed, "the program did not come to", point, world.log[-1500:])
        world.finish()


def in_recovery(mode, point, applied):
    """Killed with a request in doubt, and once more while that is resolved."""
    with World(mode) as world:
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT="after-send:1" if applied
                              else "before-send:1")
        check(killed)
        time.sleep(FENCE_MS / 1000 + 1.1)
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT=point)
        check(killed, "the program did not come to", point, world.log[-1500:])
        world.finish()
        if "report" in point:  # whoever reported it, it is reported once
            name = "InDoubtResolved" + ("Applied" if applied else "Absent")
            equal(world.cloud.sums(()).get(name), 1, name)


def at_moment(mode, seconds):
    with World(mode, large=True) as world:
        world.run(kill_after=seconds)
        world.finish()


def many_kills(mode, seed):
    chance = random.Random(seed)
    with World(mode, large=True) as world:
        for _ in range(4):
            if chance.random() < 0.5:
                world.run(kill_after=chance.uniform(0.02, 0.5))
            else:
                point = chance.choice(POINTS + LATER)
                world.run(BEDROCK_METRICS_KILL_POINT="%s-%s" % (
                    chance.choice(["before", "after"]), point))
        world.finish()


def answers(mode, *faults, **env):
    with World(mode, large=True) as world:
        world.cloud.cloudwatch.control({"faults": [dict(f) for f in faults]})
        world.run(**env)
        world.finish()


LOST = {"kind": "lost", "op": "PutMetricData"}
NOT_APPLIED = {"kind": "not_applied", "op": "PutMetricData"}


def waits(mode):
    """In doubt: its messages are retried when that can be settled, not again and again before."""
    with World(mode) as world:
        world.settings["BEDROCK_METRICS_TEST_FENCE_MS"] = 15000
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT="before-send:1")
        check(killed)
        time.sleep(1.1 + LEASE_MS / 1000)
        before = world.cloud.stub.queues[QUEUE].stats()["received"]
        world.run()
        received = world.cloud.stub.queues[QUEUE].stats()["received"] - before
        # Twice where a slow machine lets the fence pass meanwhile; every second would be 9 times.
        check(len(world.bodies) <= received <= 3 * len(world.bodies), "messages were received",
              received, "times")
        world.finish()


def real_fence(mode, applied):
    """Killed with a request in doubt; nothing is shortened but the patience of the queue."""
    with World(mode) as world:
        for name in ("LEASE", "FENCE"):
            del world.settings["BEDROCK_METRICS_TEST_%s_MS" % name]
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT="after-send:1" if applied
                              else "before-send:1")
        check(killed)
        began = time.monotonic()
        done, minutes = False, 0
        while not done and minutes < REAL_FENCE_MINUTES:
            _, done = world.run()
            done = done and world.sums() == world.expected()
            minutes = (time.monotonic() - began) / 60
            if not done:
                world.never_too_much("after %.1f minutes" % minutes)
                check(applied or not world.sums() or minutes > 19.9,
                      "sent again after %.1f minutes" % minutes)
                time.sleep(5)
        world.check_sums("after %.1f minutes" % minutes)
        check(applied or minutes > 19.9, "sent again after %.1f minutes" % minutes)
        print("%s, request %s: exact %.1f minutes after the kill" %
              (mode, "applied" if applied else "never sent", minutes), flush=True)
        world.finish()


def real_fence_cases():
    out = Cases()
    for mode in MODES:
        for applied in (True, False):
            out.add("%s %s" % (mode, "applied" if applied else "absent"), real_fence, mode,
                    applied)
    return out


def cases(everything):
    """Without `everything` a sample: one of each kind first."""
    out = Cases()
    add = out.add
    for mode in MODES:
        points = [w + "-" + p for p in POINTS for w in ("before", "after")]
        points += ["before-answer:1"] if mode == "lambda" else ["before-delete:1",
                                                                 "after-delete:1"]
        for point in points:
            sampled = mode == "sqlite" or point in (
                "after-claim:1", "after-read:1", "after-prepare:1", "after-journal:1",
                "before-send:1", "after-send:1", "before-done:1", "before-answer:1")
            if everything or sampled:
                add("%s %s" % (mode, point), at_point, mode, point)
        for point in [w + "-" + p for p in LATER for w in ("before", "after")]:
            if everything or point in ("after-send:2", "before-journal:4"):
                add("%s large %s" % (mode, point), at_point, mode, point, True)
        for point in [w + "-" + p for p in RESOLVE for w in ("before", "after")]:
            for applied in (True, False):
                if applied and point.split("-", 1)[1] not in (
                        "read-markers:1", "journal:1", "report:1"):
                    continue  # it is found at once: nothing else is done
                if everything or (mode == "sqlite" and not applied):
                    add("%s resolving %s %s" % (mode, "applied" if applied else "absent", point),
                        in_recovery, mode, point, applied)
        moments = range(1, 40) if everything else (3, 9, 15)
        for n in moments:
            add("%s after %d ms" % (mode, n * 20), at_moment, mode, n * 0.02)
        for seed in range(20 if everything else 2):
            add("%s several kills, seed %d" % (mode, seed), many_kills, mode, seed)
        if mode != "lambda":
            add(mode + " messages wait while in doubt", waits, mode)
        add(mode + " answers lost", answers, mode, LOST, dict(LOST, skip=1, how="fin"))
        add(mode + " requests lost", answers, mode, NOT_APPLIED, dict(NOT_APPLIED, skip=1))
        add(mode + " lost and not, in turn", answers, mode, LOST, NOT_APPLIED, LOST, NOT_APPLIED)
        add(mode + " 500 though applied", answers, mode,
            {"kind": "status", "status": 500, "applied": True, "op": "PutMetricData"})
        add(mode + " throttled", answers, mode, {"kind": "throttle", "count": 3})
    return out


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--real-fence", action="store_true",
                           help="nothing shortened: takes 25 minutes")
    args = arguments.parse_args()
    return run_cases(real_fence_cases() if args.real_fence else cases(args.all), args)


if __name__ == "__main__":
    sys.exit(main())
