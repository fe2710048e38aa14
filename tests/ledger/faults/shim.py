"""The library of shim.c, what it writes down, and the files that a loss of power could leave.

    shim.environment(folder, journal, at=17, do="kill")   # for the program's environment
    shim.read(journal)                                    # [Entry]
    shim.power_loss(before, shim.read(journal), random)   # {name: bytes}: the folder afterwards
"""
import collections
import os
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from support.process import preload_library  # noqa: E402

HERE = Path(__file__).resolve().parent
CALLS = ("open", "write", "pwrite", "fsync", "ftruncate", "unlink", "send", "connect", "rename")
HEAD = struct.Struct("<IIqqqq")
SECTOR = 512
Entry = collections.namedtuple("Entry", "call ours file offset result data")

def environment(folder, journal=None, at=0, do="kill", counts="all", on=False,
                match=None):
    out = {"LD_PRELOAD": preload_library(HERE / "shim.c"), "SHIM_FOLDER": folder, "SHIM_AT": at, "SHIM_DO": do,
           "SHIM_COUNTS": counts}
    if journal:
        out["SHIM_JOURNAL"] = journal
    if match:
        out["SHIM_MATCH"] = match
    if on:
        out["SHIM_ON"] = 1
    return out


def read(journal):
    """The entries of a journal, in the order of the calls."""
    data, at, out = Path(journal).read_bytes(), 0, []
    while at < len(data):
        call, ours, file, offset, result, n = HEAD.unpack_from(data, at)
        at += HEAD.size
        out.append(Entry(CALLS[call], bool(ours), file, offset, result, data[at:at + n]))
        at += n
    return out


# ---- a disk that loses its power ----

class File:
    """What is surely on the disk, and what was only written since."""

    def __init__(self, content=b""):
        self.durable = bytearray(content)
        self.pending = []

    def sync(self):
        for operation in self.pending:
            apply(self.durable, operation)
        self.pending = []


def apply(content, operation):
    kind, offset, data = operation
    if kind == "ftruncate":
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(data)] = data


def torn(chance, operation):
    """Some of a write's sectors, each whole."""
    kind, offset, data = operation
    if kind == "ftruncate":
        return [operation]
    out, at = [], 0
    while at < len(data):
        n = min(SECTOR - (offset + at) % SECTOR, len(data) - at)
        if chance.random() < 0.5:
            out.append((kind, offset + at, data[at:at + n]))
        at += n
    return out


def left_of(chance, file):
    """A content that a crash could leave: what was synced, and of the rest all, none, a beginning,
    or some in any order, the last of them torn or all."""
    way = chance.choice(("none", "all", "beginning", "some", "torn", "torn"))
    out, pending = bytearray(file.durable), file.pending
    if way == "beginning":
        pending = pending[:chance.randint(0, len(pending))]
        if pending:
            pending = pending[:-1] + torn(chance, pending[-1])
    elif way == "some":
        pending = [o for o in pending if chance.random() < 0.5]
    elif way == "torn":
        pending = [piece for o in pending for piece in torn(chance, o)]
    elif way == "none":
        pending = []
    for operation in pending:
        apply(out, operation)
    return bytes(out)


def power_loss(before, entries, chance, lying=False):
    """{name: content} of the folder after a crash behind the last entry.

    before: the same when the process began, all of it on the disk.  A file's data are sure once it
    was synced; names made or removed once the folder was.  Of the folder's unsynced changes the
    first few hold (file systems keep their order).  What is only in memory-mapped pages (the -shm
    file) is not seen, and may be lost: SQLite makes it anew.  lying: the disk ignores every sync.
    """
    names = {name: File(content) for name, content in before.items()}
    durable, changes = dict(names), []     # changes: (name, File or None) not yet synced
    opened, position = {}, collections.Counter()
    for e in entries:
        if not e.ours or e.result < 0:
            continue
        if e.call == "open":
            name = os.path.basename(e.data.decode()) if b"/state/" in e.data else None
            if name is None:
                opened[e.file] = "folder"
                continue
            if e.offset and name not in names:
                names[name] = File()
                changes.append((name, names[name]))
            opened[e.file] = names.get(name) or names.setdefault(name, File())
        elif e.call == "unlink":
            name = os.path.basename(e.data.decode())
            names.pop(name, None)
            changes.append((name, None))
        elif e.call == "fsync" and opened[e.file] == "folder":
            if not lying:
                durable, changes = dict(names), []
        elif e.call == "fsync":
            if not lying:
                opened[e.file].sync()
        elif e.call == "ftruncate":
            opened[e.file].pending.append((e.call, e.offset, b""))
        elif e.call in ("write", "pwrite"):
            offset = e.offset if e.call == "pwrite" else position[e.file]
            position[e.file] += e.result if e.call == "write" else 0
            opened[e.file].pending.append(("pwrite", offset, e.data))
    for name, file in changes[:chance.randint(0, len(changes))] if not lying else ():
        durable[name] = file
    return {name: left_of(chance, file) if not lying else bytes(file.durable)
            for name, file in durable.items() if file is not None and not name.endswith("-shm")}
