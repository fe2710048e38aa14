#!/usr/bin/env python3
"""disk.py [--all] [--seeds N] [--list] [--jobs N] [NAME ...]: the SQLite ledger on a bad disk.

Failing: the n-th open, write, sync or truncation of the ledger's files fails (EIO, ENOSPC, a short
write), once or from then on.  Nothing may be counted twice, the program must name the file when it
could not work, and the sums must be exact once the disk works again.  A write that finds no room
must not even end the run: it goes on when there is room, in the same process.

Power lost: the program is killed at its n-th system call; of what was not synced then, writes are
dropped, done out of order or torn by sectors (shim.py builds such a state from what was written
down); CloudWatch keeps what it had got.  Then it is started anew, half of the time to lose power
again while it recovers, until the sums are those of tests/oracle/reader.py.  A control shows that a
disk that lies about syncing is seen.  Without --all a sample; with it every n, and --seeds losses of
power.  The last line is "N passed, N failed".
"""
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import shim                                                                # noqa: E402
from world import FENCE_MS, Cases, World, parser, run_cases                # noqa: E402
from support.results import Failed, check                                  # noqa: E402

FILE_CALLS = "open,pwrite,write,fsync,ftruncate,unlink"
FAULTS = ("eio", "enospc", "short")


def state(world):
    return world.folder + "/state"


def files(world):
    return {name: (Path(state(world)) / name).read_bytes() for name in os.listdir(state(world))
            if not name.endswith("-shm")}


def undisturbed(mode):
    """The calls of a run: all of them, and those on the ledger's files."""
    with World(mode) as world:
        journal = world.folder + "/journal"
        world.run(**shim.environment(state(world), journal))
        world.check_sums("undisturbed")
        entries = shim.read(journal)
    return entries, [e for e in entries if e.ours and e.call in FILE_CALLS]


def failing(mode, at, do, on, counts=FILE_CALLS):
    with World(mode) as world:
        journal = world.folder + "/journal"
        world.run(**shim.environment(state(world), journal, at=at, do=do, counts=counts, on=on))
        world.never_too_much("on a failing disk")
        counted = sum(1 for e in shim.read(journal) if e.ours)
        check(counted >= at, "the run has only", counted, "calls")
        if not world.sums() or world.code != 0:
            check(world.ledger_file in world.last, "the message does not name the file:\n",
                  world.last[-2000:])
        world.finish()


def full(mode, at, on):
    """The at-th write to the ledger's files finds no room, once or from then on."""
    with World(mode) as world:
        _, done = world.run(**shim.environment(state(world), at=at, do="enospc", counts="pwrite",
                                               on=on))
        world.never_too_much("on a full disk")
        check("BM-L100" not in world.last, "it closed the ledger:\n", world.last[-2000:])
        if on and world.sums() != world.expected():
            check(world.ledger_file in world.last, "the message does not name the file:\n",
                  world.last[-2000:])
        elif not on and "BM-L206" not in world.last:    # that is: not while it is opened
            check(done, "it did not go on:\n", world.last[-2000:])
            world.check_sums("after a full disk, in the same run")
        world.finish()


def lose_power(world, at, do, chance, lying=False):
    """Kill it and put the folder into a state that this could leave.  False: it came to its end."""
    journal = world.folder + "/journal%d" % chance.getrandbits(60)
    before = files(world)
    killed, _ = world.run(**shim.environment(state(world), journal, at=at, do=do))
    if not killed:
        return False
    after = shim.power_loss(before, shim.read(journal), chance, lying)
    for name in os.listdir(state(world)):
        os.unlink(os.path.join(state(world), name))
    for name, content in after.items():
        path = os.path.join(state(world), name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)
    return True


def power(mode, calls, seed, at=None):
    chance = random.Random(seed)
    with World(mode) as world:
        check(lose_power(world, at or chance.randint(1, calls * 9 // 10),
                         chance.choice(("kill", "half")), chance), "not killed")
        world.never_too_much("after the loss of power")
        if chance.random() < 0.5:
            time.sleep(chance.choice((0, FENCE_MS / 1000 + 1.1)))
            lose_power(world, chance.randint(1, calls), chance.choice(("kill", "half")), chance)
        world.finish()


def control(at):
    """A disk that forgets what it was asked to sync: the count must be seen to be wrong."""
    with World("sqlite") as world:
        check(lose_power(world, at, "kill", random.Random(0), lying=True), "not killed")
        check(world.sums(), "nothing was sent yet")
        try:
            world.recover()
        except Failed:
            return
        raise Failed("a double count was not seen")


def cases(everything, seeds):
    out = Cases()
    for mode in ("sqlite", "aggregate"):    # a worker, and the command line
        entries, on_files = undisturbed(mode)
        calls = len(entries)
        sends = [i for i, e in enumerate(entries, 1) if e.call == "send"]
        if mode == "sqlite":
            last = max(i for i, e in enumerate(entries, 1) if e.call == "pwrite" and i < sends[-1])
            out.add("control: a disk that lies is seen", control, last + 1)
        # One of each call first, then spread over the run.
        sampled = {on_files.index(e) + 1 for e in {e.call: e for e in on_files}.values()}
        sampled |= set(range(1, len(on_files) + 1, max(len(on_files) // 12, 1)))
        for at in range(1, len(on_files) + 1) if everything else sorted(sampled):
            for i, do in enumerate(FAULTS):
                for on in (False, True):
                    if everything or (i == at % 3 and on == (at % 2 == 0)):
                        out.add("%s failing %d of %d, %s%s" %
                                (mode, at, len(on_files), do, " from then on" if on else ""),
                                failing, mode, at, do, on)
        writes = sum(e.call == "pwrite" for e in on_files)
        for at in range(1, writes + 1, 1 if everything else writes // 9):
            for on in (False, True):
                if everything or on == (at % 2 == 0):
                    out.add("%s no room at write %d of %d%s" %
                            (mode, at, writes, " and from then on" if on else ""), full, mode, at,
                            on)
        for at in range(1, calls + 1) if everything else ():
            out.add("%s power lost at call %d of %d" % (mode, at, calls), power, mode, calls, at,
                    at)
        for seed in range(seeds):
            out.add("%s power lost, seed %d" % (mode, seed), power, mode, calls, 1000 + seed)
    return out


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, help="losses of power at random, each way (16; 400)")
    args = arguments.parse_args()
    seeds = args.seeds if args.seeds is not None else 400 if args.all else 16
    return run_cases(cases(args.all, seeds), args)


if __name__ == "__main__":
    sys.exit(main())
