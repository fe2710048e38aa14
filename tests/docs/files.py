"""docs/architecture.md against the sources: the file map, and who includes whom."""

import os
import re

from common import read, source, tracked

# Who may include whose headers, besides base and its own folder.
INCLUDES = {
    "base": set(),
    "events": set(),
    "objects": set(),
    "records": set(),
    "aws": set(),
    "price": {"records"},
    "aggregate": {"records", "price"},
    "publish": {"records", "aggregate"},
    "ledger": set(),
    "store": {"records", "aggregate"},
}
# Single files that see more: the kinds of source and publisher that are AWS's, and a struct.
ALSO = {
    "src/objects/source_s3": "aws",
    "src/publish/publish_cloudwatch": "aws",
    "src/store/store": "run",
}


def map_entries(text):
    """Paths that the file map names."""
    part = text.split("<!-- files: src -->")[1].split("<!-- end of files -->")[0]
    folder = ""
    for line in part.splitlines():
        head = re.match(r"`(src/[a-z]+/)`: ", line)
        entry = re.match(r"\| `([\w.]+|[\w.]+\.\[ch\])` \| [^|]+ \|$", line)
        if head:
            folder = head.group(1)
        elif entry and entry.group(1).endswith(".[ch]"):
            yield folder + entry.group(1)[:-4] + "h"
            yield folder + entry.group(1)[:-4] + "c"
        elif entry:
            yield folder + entry.group(1)


def check(_program, results):
    text = read("docs/architecture.md")
    written = list(map_entries(text))
    there = tracked("src")
    results.same(len(written), len(set(written)), "file map: files named twice")
    for path in sorted(set(written) | set(there)):
        results.check(path in there, "file map: %s does not exist" % path)
        results.check(path in written, "file map: %s is not in it" % path)
    folders = {path.split("/")[0] for path in tracked() if "/" in path and path[0] != "."}
    for folder in sorted(folders - {"src"}):
        results.check("`%s/`" % folder in text, "architecture.md does not name %s/" % folder)
    for path, code in source("src").items():
        stage = os.path.dirname(path)[4:]
        for other in set(re.findall(r'(?m)^\s*#\s*include "(\w+)/', code)) - {stage, "base"}:
            allowed = stage in ("run", "serve", "doctor") and other != "cli" or stage == "cli"
            allowed = allowed or ALSO.get(path[:-2]) == other
            allowed = allowed or other in INCLUDES.get(stage, set())
            results.check(allowed, "%s includes %s/" % (path, other))
