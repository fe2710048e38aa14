"""Links between the documents, what they must not name, and their form."""

import os
import re

from common import ROOT, prose, read, sections, tracked

# Words of places in which this was made, in pieces so that this file does not hold them.
FORBIDDEN = ["/wo" + "rk/", "../sha" + "red", "DESIGN" + ".md", "STYLE" + ".md"]


def documents():
    return [path for path in tracked() if path.endswith(".md")]


def slug(heading):
    """GitHub's anchor of a heading."""
    plain = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def anchors(path):
    return {slug(heading) for _level, heading in sections(read(path))}


def check_links(path, results):
    text = re.sub(r"`[^`\n]*`", "", prose(read(path)))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            results.check(target.startswith("https://"), "%s: link %s" % (path, target))
            continue
        file, _, anchor = target.partition("#")
        other = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        exists = os.path.exists(os.path.join(ROOT, other))
        if results.check(exists, "%s: no file behind the link %s" % (path, target)) and anchor:
            results.check(anchor in anchors(other), "%s: no heading behind %s" % (path, target))


def check_paths(path, results):
    """Paths of the repository that are named in code style exist."""
    tops = {name.split("/")[0] for name in tracked() if "/" in name}
    for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)+)/?`", read(path)):
        if name.split("/")[0] in tops and "AWSLogs" not in name:
            exists = os.path.exists(os.path.join(ROOT, name))
            results.check(exists, "%s names %s, which is not there" % (path, name))


def check(_program, results):
    for path in documents():
        text = read(path)
        check_links(path, results)
        check_paths(path, results)
        for word in FORBIDDEN:
            results.check(word not in text, "%s holds %s" % (path, word))
        levels = [level for level, _heading in sections(text)]
        results.check(levels[:1] == [1] and levels.count(1) == 1, "%s: one title" % path)
        if "/" not in path or path.startswith("docs/"):
            plain = text.replace("\u2500", "")  # the ruler of a table
            results.check(plain.isascii(), "%s: ASCII only" % path)
        results.check(text.count("\n```") % 2 == 0, "%s: a code block is not closed" % path)
