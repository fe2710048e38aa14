#!/usr/bin/env python3
"""calls.py [--all] [--seeds N] [--list] [--jobs N] [NAME ...]: killed at the n-th system call.

The calls of an undisturbed run that have an effect outside of the process are counted first
(shim.c: open, write, pwrite, fsync, ftruncate, unlink, rename, send, connect).  Then the program is
killed before the n-th and, where a call can be done by half, in it; or twice, the second time while
it recovers.  It is started anew until nothing is returned, and the sums in CloudWatch must be those
of tests/oracle/reader.py.  Without --all some n of each way to run; with it every n, and --seeds
double kills.  The last line is "N passed, N failed".
"""
import collections
import random
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import shim                                                                # noqa: E402
from world import FENCE_MS, MODES, Cases, World, parser, run_cases          # noqa: E402
from support.process import BINARY                                         # noqa: E402
from support.results import Failed, check, equal                           # noqa: E402

SYSCALLS = {"pwrite64": "pwrite", "fsync": "fsync", "fdatasync": "fsync", "ftruncate": "ftruncate",
            "unlink": "unlink", "unlinkat": "unlink", "sendto": "send", "sendmsg": "send",
            "connect": "connect"}


def disturbed(world, at, do):
    return world.run(**shim.environment(world.folder + "/state", at=at, do=do))[0]


def calls_of_a_run(mode):
    with World(mode) as world:
        journal = world.folder + "/journal"
        world.run(**shim.environment(world.folder + "/state", journal))
        world.check_sums("undisturbed")
        return len(shim.read(journal))


def once(mode, at, do):
    with World(mode) as world:
        disturbed(world, at, do)      # the order of threads may make a run a few calls shorter
        world.never_too_much("after the kill")
        world.finish()


def twice(mode, calls, seed):
    chance = random.Random(seed)
    with World(mode) as world:
        check(disturbed(world, chance.randint(1, calls * 9 // 10), chance.choice(("kill", "half"))),
              "not killed")
        if chance.random() < 0.6:     # so that the recovery resolves what is in doubt
            time.sleep(FENCE_MS / 1000 + 1.1)
        for _ in range(chance.choice((1, 1, 2))):
            disturbed(world, chance.randint(1, calls), chance.choice(("kill", "half")))
            world.never_too_much("after another kill")
        world.finish()


def control():
    """What these tests would say of a program without a ledger."""
    with World("sqlite") as world:
        del world.settings["LEDGER"]
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT="before-delete:1")
        check(killed)
        time.sleep(1.1)
        world.run()
        try:
            world.never_too_much("without a ledger")
        except Failed:
            return
        raise Failed("a double count was not seen")


def strace_agrees():
    """No call passes the library by: strace(1) counts the same."""
    with World("sqlite") as world:
        journal, seen = world.folder + "/journal", world.folder + "/strace"
        preload = shim.environment(world.folder + "/state", journal)
        run = subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=" + ",".join(SYSCALLS), "-e", "signal=none", "-o",
             seen, "-E", "LD_PRELOAD=" + preload.pop("LD_PRELOAD"), BINARY, "worker", "--once"],
            env=world.cloud.env(**world.settings, **preload), capture_output=True, text=True)
        check(run.returncode == 0, run.stderr[-2000:])
        world.check_sums("under strace")
        wanted = collections.Counter(e.call for e in shim.read(journal) if e.call in
                                     SYSCALLS.values())
        begun = re.findall(r"^\d+ +(\w+)\(", Path(seen).read_text(), re.MULTILINE)
        equal(collections.Counter(SYSCALLS[name] for name in begun), wanted, "calls")


def can_trace():
    try:
        return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"],
                              capture_output=True).returncode == 0
    except OSError:
        return False


def cases(everything, seeds):
    out = Cases()
    if can_trace():
        out.add("control: strace counts the same calls", strace_agrees)
    else:
        print("skipped: no strace that may trace")
    out.add("control: without a ledger it is seen to count twice", control)
    for mode in (*MODES, "aggregate"):
        calls = calls_of_a_run(mode)
        sampled = range(1, calls + 1) if everything else range(2, calls + 1, max(calls // 9, 1))
        for at in sampled:
            for do in ("kill", "half") if everything else ("half" if at % 2 else "kill",):
                out.add("%s call %d of %d, %s" % (mode, at, calls, do), once, mode, at, do)
        for seed in range(seeds):
            out.add("%s killed again, seed %d" % (mode, seed), twice, mode, calls, seed)
    return out


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, help="double kills of each way to run (5; 100)")
    args = arguments.parse_args()
    seeds = args.seeds if args.seeds is not None else 100 if args.all else 5
    return run_cases(cases(args.all, seeds), args)


if __name__ == "__main__":
    sys.exit(main())
