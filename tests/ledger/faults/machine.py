#!/usr/bin/env python3
"""machine.py [--all] [--flips N] [--list] [--jobs N] [NAME ...]: what a machine does to a ledger's files.

Small and full disks (a tmpfs of 3 MB, for root): a worker goes on where its log alone would fill
the disk; on a full one it finishes what is prepared, begins nothing new, and goes on by itself when
there is room.

Between a kill and the restart: a bit of the ledger, its log or FILE-lock is flipped; files are
removed; the disk is full.  Then the sums must be exact, or the program refuses by name (a code and
the file) with its messages still in the queue, and with the damage undone the sums must be exact.
A new ledger in place of a lost one must be said.  Without --all a sample; with it every point, and
--flips bits.  The last line is "N passed, N failed".
"""
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from world import FENCE_MS, Cases, World, parser, run_cases                # noqa: E402
from support.cloud import QUEUE                                            # noqa: E402
from support.process import clean, log_lines, wait_until                   # noqa: E402
from support.records import PROMPT, s3_event                               # noqa: E402
from support.results import check, equal                                   # noqa: E402

DISK_KIB = 3072
POINTS = ("after-claim:1", "after-read:1", "before-prepare:1", "after-prepare:1", "after-marker:1",
          "after-journal:1", "after-send:1", "after-journal:2", "before-done:1", "after-done:1",
          "before-delete:1", "after-delete:1")
SUFFIXES = ("", "-wal", "-lock")
NO_ROOM = "no room for the ledger: nothing new is counted until there is"


# ---- small and full disks ----

def many_batches(n):
    """More batches, of a message each, than the log of all of them has room on the disk."""
    with World("sqlite", objects=0, disk_kib=DISK_KIB) as world:
        world.put_objects(n)
        world.announce([s3_event(key) for key in world.keys])
        world.settings["BATCH_SIZE"] = 1
        _, done = world.run()
        check(done, "it did not come to its end:\n", world.last[-3000:])
        world.check_sums("on a small disk")
        check("little room for the ledger" in world.last, "it is not said how little room there is")
        del world.settings["BATCH_SIZE"]
        world.finish()


def room_again(leave):
    """The disk fills up while a worker runs, and is emptied."""
    with World("sqlite", objects=0, disk_kib=DISK_KIB) as world:
        world.settings.update(BATCH_SIZE=1)
        world.put_objects(3, "before")
        world.announce([s3_event(key) for key in world.keys])
        with world.cloud.start("worker", **world.settings) as worker:
            check(wait_until(lambda: world.sums() == world.expected(), 30), worker.err[-2000:])
            world.fill_disk(leave)
            first = len(world.keys)
            world.put_objects(20 + (leave >> 10), "after")
            world.announce([s3_event(key) for key in world.keys[first:]])
            worker.wait_for_line(NO_ROOM, 60)
            world.never_too_much("on a full disk")
            time.sleep(2)
            gets = world.cloud.stub.stats()["s3"].get("GetObject", 0)
            received = world.cloud.stub.queues[QUEUE].stats()["received"]
            time.sleep(3)
            check(world.cloud.stub.queues[QUEUE].stats()["received"] - received <= 1 and
                  world.cloud.stub.stats()["s3"].get("GetObject", 0) == gets,
                  "it went on reading without room")
            world.empty_disk()
            check(wait_until(lambda: world.sums() == world.expected(), 60),
                  "it did not go on:\n", worker.err[-3000:])
            worker.stop()
            world.last = world.log = worker.out + worker.err
        clean(world.log, PROMPT)
        equal(worker.returncode, 128 + signal.SIGTERM, "exit status")
        equal([line["file"] for line in log_lines(world.log, NO_ROOM)][:1], [world.ledger_file])
        check("the ledger has room again" in world.log, world.log[-2000:])
        world.finish()


def full_at(point, leave):
    """Killed, and then the disk is full: what is prepared is finished all the same."""
    with World("sqlite", disk_kib=DISK_KIB) as world:
        killed, _ = world.run(BEDROCK_METRICS_KILL_POINT=point)
        check(killed, "the program did not come to", point)
        world.fill_disk(leave)
        prepared = re.search("(prepare|marker|journal|send|done|delete):", point) and \
            point != "before-prepare:1"
        if prepared:
            time.sleep(FENCE_MS / 1000 + 1.1)
        for _ in range(4 if prepared else 2):
            world.run()
            world.never_too_much("on a full disk")
            check(world.ledger_file in world.last, "the message does not name the file:\n",
                  world.last[-2000:])
            if world.sums() == world.expected():
                break
            time.sleep(0.5)
        if prepared:
            world.check_sums("what was prepared is not finished")
        world.empty_disk()
        world.finish()


# ---- between kill and restart ----

def left_in_queue(world):
    stats = world.cloud.stub.queues[QUEUE].stats()
    equal(stats["waiting"] + stats["in_flight"], stats["sent"] - stats.get("deleted", 0),
          "messages in the queue")
    return stats.get("deleted", 0)


def damaged(world, undo, what):
    """Started on damaged files.  True: to the end, exactly; False: refused, and all is undone."""
    deleted = left_in_queue(world)
    expected = world.expected()
    for _ in range(12):
        _, done = world.run()
        world.never_too_much(what)
        if done and world.sums() == expected:
            return True
        if re.search(r"BM-L20[346]|BM-L100", world.last):
            break
        time.sleep(0.4)
    else:
        world.check_sums("neither exact nor refused, " + what)
    check(world.ledger_file in world.last, "refused without its name:\n", world.last[-2000:])
    equal(left_in_queue(world), deleted, "messages deleted although it was refused")
    undo()
    return False


def kill_at(world, chance, point=None):
    if chance.random() < 0.3:   # with a ledger that has something in it
        world.run()
        first = len(world.keys)
        world.put_objects(3, "more")
        world.announce([s3_event(key) for key in world.keys[first:]])
    killed, _ = world.run(BEDROCK_METRICS_KILL_POINT=point or chance.choice(POINTS))
    check(killed, "the program was not killed", world.last[-1000:])
    if chance.random() < 0.5:
        time.sleep(FENCE_MS / 1000 + 1.1)


def flipped(seed):
    chance = random.Random(seed)
    with World("sqlite") as world:
        kill_at(world, chance)
        suffix = chance.choices(SUFFIXES, (10, 10, 1))[0]
        path = Path(world.ledger_file + suffix)
        if not path.exists() or path.stat().st_size == 0:
            path = Path(world.ledger_file)
        # Of the 256 KiB that FILE-lock reserves only the first bytes say something.
        at = chance.randrange(min(path.stat().st_size, 64 if suffix == "-lock" else 1 << 30) * 8)
        good = {s: Path(world.ledger_file + s).read_bytes() for s in SUFFIXES
                if Path(world.ledger_file + s).exists()}
        data = bytearray(path.read_bytes())
        data[at // 8] ^= 1 << at % 8
        path.write_bytes(data)

        def undo():
            for name in os.listdir(world.folder + "/state"):
                os.unlink(world.folder + "/state/" + name)
            for s, content in good.items():
                with open(os.open(world.ledger_file + s, os.O_WRONLY | os.O_CREAT, 0o600),
                          "wb") as file:
                    file.write(content)
        damaged(world, undo, "bit %d of %s flipped" % (at, path.name))
        world.finish()


def vanished(seed, point, suffixes, must_exist):
    chance = random.Random(seed)
    with World("sqlite") as world:
        kill_at(world, chance, point)
        if must_exist:
            world.settings["LEDGER_MUST_EXIST"] = "true"
        with tempfile.TemporaryDirectory() as aside:
            gone = [s for s in suffixes if os.path.exists(world.ledger_file + s)]
            for s in gone:
                subprocess.run(["mv", world.ledger_file + s, aside], check=True)

            def undo():
                for s in SUFFIXES + ("-shm",):
                    if s in gone or s == "-shm":
                        Path(world.ledger_file + s).unlink(missing_ok=True)
                for s in gone:
                    subprocess.run(["mv", aside + "/ledger" + s, world.ledger_file + s], check=True)
            what = "without " + ", ".join("ledger" + s for s in gone)
            if "" not in gone:
                damaged(world, undo, what)
            elif must_exist:
                check(not damaged(world, undo, what), "a missing ledger was not refused")
                check("BM-L203" in world.last, "refused for something else:\n", world.last[-2000:])
            else:
                world.run()
                check("BM-L111" in world.last, "a new ledger without a word:\n", world.last[-2000:])
                return
        world.finish()


def can_mount():
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder],
                              capture_output=True).returncode == 0
        if done:
            subprocess.run(["umount", folder], check=True)
        return done


def cases(everything, flips):
    out = Cases()
    if can_mount():
        out.add("small disk, many batches", many_batches, 300 if everything else 100)
        for leave in range(0, 400, 20) if everything else (0, 40, 160):
            out.add("full disk, %d KiB left, emptied" % leave, room_again, leave << 10)
        for point in POINTS:
            for leave in (0, 8, 32, 100) if everything else (0,):
                out.add("full disk, %d KiB left, after %s" % (leave, point), full_at, point,
                        leave << 10)
    else:
        print("skipped: no disk can be mounted")
    for seed in range(flips):
        out.add("bit flipped, seed %d" % seed, flipped, seed)
    everywhere = ("", "-wal", "-shm", "-lock")
    for i, point in enumerate(POINTS):
        for suffixes in (everywhere, ("",), ("-wal", "-shm"), ("-lock",)):
            for must_exist in (False, True) if "" in suffixes else (False,):
                if everything or i % 4 == len(suffixes) % 4:
                    out.add("vanished %s%s, %s" % (
                        " ".join("ledger" + s for s in suffixes),
                        " that must exist" if must_exist else "", point), vanished, i, point,
                        suffixes, must_exist)
    return out


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--flips", type=int, help="flipped bits (24; 1000)")
    args = arguments.parse_args()
    flips = args.flips if args.flips is not None else 1000 if args.all else 24
    return run_cases(cases(args.all, flips), args)


if __name__ == "__main__":
    sys.exit(main())
