"""Places in the code that the documents name as `file:name` are there."""

import os
import re

from common import ROOT, read
from links import documents

PLACE = r"`((?:src|tests|tools)/[\w./-]+):(\w+)`"
FILE = r"`((?:\w[\w.-]*/)*[\w-]+\.(?:[ch]|md))(?::\w+)?`"


def is_defined(name, text):
    """A function's or table's definition, or a macro's; not a call, a declaration or a comment."""
    macro = r"^#define %s\b" % name
    function = r"^[A-Za-z][^;={}()\n]*[ *]%s\([^;{]*\)\s*\{" % name
    table = r"^(?:[A-Za-z][^;()\n]*[ *]|\} (?:const )?)%s(?:\[[^\]\n]*\])* = " % name
    return any(re.search(p, text, re.M) for p in (macro, function, table))


def check_places(results):
    found = 0
    for path in documents():
        for file, name in re.findall(PLACE, read(path)):
            found += 1
            there = os.path.exists(os.path.join(ROOT, file)) and is_defined(name, read(file))
            results.check(there, "%s: %s does not define %s" % (path, file, name))
    results.check(found > 20, "the documents name places in the code")


def check_answers(results):
    """Each answer of the tour's table is two files at most."""
    _before, _heading, part = read("docs/code-tour.md").partition("\n## Where do I\n")
    rows = re.findall(r"(?m)^\| (.+?) \| (.+) \|$", part.partition("\n## ")[0])[1:]
    results.check(len(rows) > 9, "the tour's table of answers is found")
    for question, answer in rows:
        files = set(re.findall(FILE, answer))
        few = 1 <= len(files) <= 2
        results.check(few, "code-tour.md: %r takes %d files" % (question, len(files)))


def check_finds(results):
    text = "#define LIST(X) \\\nint a_b(int x);\n    other(1);\n"
    text += "static int *f(int a,\n    int b)\n{\n"
    text += "static const struct s {\n} rows[] = {\n"
    for name in ("LIST", "f", "rows"):
        results.check(is_defined(name, text), "tour.py: %s is found" % name)
    for name in ("a_b", "other", "s", "x"):
        results.check(not is_defined(name, text), "tour.py: %s is no definition" % name)


def check(_program, results):
    check_finds(results)
    check_places(results)
    check_answers(results)
