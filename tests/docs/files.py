"""docs/architecture.md against the sources: the file map, and which room includes which.

    files.py            writes the file map and the order of the rooms anew (make map)

The map is made from the comment that opens a file: its first sentence, without the file's name.  A
header speaks for its .c file too.
"""

import collections
import os
import re

from common import ROOT, read, source, tracked

# The rooms of src/, in the order in which they may include each other: a room sees those before it.
ROOMS = {
    "base": "knows no logs and no AWS",
    "aws": "signed calls, and what AWS's services answer",
    "events": "what arrived, as references to objects",
    "objects": "the bytes of one object",
    "records": "JSON texts to typed records",
    "price": "what a record costs",
    "aggregate": "exact sums",
    "count": "from an object to its sums: the reader threads",
    "report": "results as people and tools read them",
    "publish": "sums to a metric service",
    "config": "settings, and where they come from",
    "ledger": "the exactly-once promise",
    "deliver": "from an event to an accepted request",
    "store": "sums in a file of the machine",
    "serve": "the local page",
    "tools": "plan, dashboard, reconcile: nothing else needs them",
    "tools/doctor": "finds what is wrong with a pipeline",
    "cli": "the commands",
}
ORDER = list(ROOMS)
# These run where there is no AWS at all.
NEVER = {("events", "aws"), ("records", "aws"), ("aggregate", "aws")}

MAP = ("<!-- files: src -->", "<!-- end of files -->")
RULE = ("<!-- rooms -->", "<!-- end of rooms -->")


# ---- includes ----

def included(path, text):
    """The rooms whose headers a file includes, however it spells them."""
    for quoted, name in re.findall(r'(?m)^\s*#\s*include\s*(["<])([^">]+)[">]', text):
        if name.startswith("."):
            name = os.path.normpath(os.path.join(os.path.dirname(path)[4:], name))
        room = os.path.dirname(name)
        if room in ROOMS or quoted == '"':
            yield room or os.path.dirname(path)[4:]


def pairs(files):
    """(path, room, room that it includes, whether the order allows that)."""
    for path, text in files.items():
        room = os.path.dirname(path)[4:]
        for other in sorted(set(included(path, text)) - {room}):
            known = room in ROOMS and other in ROOMS
            back = known and ORDER.index(other) > ORDER.index(room)
            yield path, room, other, known and not back and (room, other) not in NEVER


def against(files):
    return [pair for pair in pairs(files) if not pair[3]]


def check_finds(results):
    """A planted include against the order is seen in every pair of rooms, however it is spelt."""
    missed = []
    for i, room in enumerate(ORDER):
        for j, other in enumerate(ORDER):
            planted = {"src/%s/x.c" % room: '#include "%s/y.h"\n' % other}
            wrong = j > i or (room, other) in NEVER
            if bool(against(planted)) != wrong:
                missed.append("%s includes %s" % (room, other))
    results.same(missed, [], "includes: pairs of rooms not seen")
    for line in (
        "#  include <serve/y.h>", '#if X\n#include "serve/y.h"\n#endif', '#include "../serve/y.h"',
        '#include "nowhere/y.h"', '#include "tools/doctor/y.h"',
    ):  # fmt: skip
        found = against({"src/deliver/x.c": "/* x */\n%s\n" % line})
        results.same(len(found), 1, "includes: %r is seen" % line)


def check_includes(results):
    for path, room, other, allowed in pairs(source("src")):
        results.check(allowed, "%s: %s may not include %s" % (path, room, other))


# ---- the file map ----

def opening(text):
    """The first sentence of the comment that opens a file, "" without one."""
    match = re.match(r"/\*(.*?)\*/|((?://[^\n]*\n)+)", text, re.S)
    if not match:
        return ""
    lines = match.group(0).strip("/*\n").split("\n")
    lines = [re.sub(r"^\s*(\*|//)?\s*", "", line) for line in lines]
    blank = lines.index("", 1) if "" in lines[1:] else len(lines)
    paragraph = " ".join(" ".join(lines[:blank]).split())
    paragraph = re.sub(r"^[\w.\[\]]+\.(?:inc\.)?[ch\]]+: ", "", paragraph)
    return re.split(r"(?<!\.)(?<!e\.g)(?<!i\.e)\.(?:\s|$)", paragraph)[0]


def file_map():
    """The lines between the marks."""
    files = source("src")
    rooms = collections.defaultdict(dict)
    for path in sorted(files):
        room, name = os.path.dirname(path)[4:], os.path.basename(path)
        stem, ending = os.path.splitext(name)
        twin = os.path.splitext(path)[0] + {".c": ".h", ".h": ".c"}[ending]
        if twin in files:
            header, code = (path, twin) if ending == ".h" else (twin, path)
            rooms[room]["%s.[ch]" % stem] = opening(files[header]) or opening(files[code])
        else:
            rooms[room][name] = opening(files[path])
    out = []
    for room in [r for r in ORDER if r in rooms] + sorted(set(rooms) - set(ORDER)):
        out += ["", "`src/%s/`: %s" % (room, ROOMS.get(room, "")), "", "| file | |", "|---|---|"]
        out += ["| `%s` | %s |" % (name, text.replace("|", "\\|"))
                for name, text in sorted(rooms[room].items())]
    return out + [""]


def rule():
    """The order of the rooms as sentences."""
    never = ", ".join("`%s`" % room for room, _ in sorted(NEVER))
    return [
        "A room includes the headers of rooms to its left only, never of one to its right:",
        "",
        "`%s`." % " < ".join(ORDER),
        "",
        "Of these " + never + " never include `aws`, so that they run where there is none.",
    ]


def between(text, marks):
    return text.split(marks[0], 1)[1].split(marks[1], 1)[0].strip("\n").split("\n")


def written(text):
    """The document with both parts as they should be."""
    for marks, lines in ((MAP, file_map()), (RULE, rule())):
        head, rest = text.split(marks[0], 1)
        content = "\n".join(lines).strip("\n")
        text = "%s%s\n\n%s\n\n%s%s" % (head, marks[0], content, *rest.partition(marks[1])[1:])
    return text


def check_map(results):
    text = read("docs/architecture.md")
    for marks, lines in ((MAP, file_map()), (RULE, rule())):
        there = between(text, marks)
        wanted = "\n".join(lines).strip("\n").split("\n")
        for line in wanted:
            results.check(line in there, "architecture.md lacks (make map): %s" % line)
        for line in there:
            results.check(line in wanted, "architecture.md is not what `make map` writes: %s" % line)
        results.check(there == wanted, "architecture.md: `make map` writes lines in another order")
    for path in tracked("src"):
        results.check(path.endswith((".c", ".h")), "src/ holds %s, which is on no map" % path)
    folders = {path.split("/")[0] for path in tracked() if "/" in path and path[0] != "."}
    for folder in sorted(folders - {"src"}):
        results.check("`%s/`" % folder in text, "architecture.md does not name %s/" % folder)


def check(_program, results):
    check_finds(results)
    check_includes(results)
    check_map(results)


def main():
    path = os.path.join(ROOT, "docs/architecture.md")
    text = read("docs/architecture.md")
    new = written(text)
    if new != text:
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(new)
        os.replace(path + ".part", path)
    print("docs/architecture.md: the file map is %s" % ("written" if new != text else "as it was"))


if __name__ == "__main__":
    main()
