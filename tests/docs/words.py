"""Words that sources, documents and page do not use, and the plain ones to use in their place."""

import re

from common import read, tracked

# One idea has one usual word.  A pattern is matched ignoring case, as whole words, also inside
# identifiers (`duplicates_told`, `toldAbout`) and across the line breaks of a comment or a string.
GAP = r"[\s*/#\"'>_-]+"
PLAIN = {
    r"told|untold": "reported, pending, given",
    r"teller": "reporter",
    r"mend|mends|mended|mending": "fix",
    r"(?:come|comes|came|coming)" + GAP + "back": "is retried, is returned to the queue",
    r"elsewhere": "outside the allowed Regions, in another place",
    r"time[-_ ]outs?": "timeout",
    r"time[-_ ]stamps?": "timestamp",
}
WORDS = re.compile(r"(?<![a-z])(?:%s)(?![a-z])" % "|".join(PLAIN), re.I)

PLACES = (
    "src", "docs", "web", "deploy", "data/README.md", "README.md", "CONTRIBUTING.md", "SECURITY.md",
    "CHANGELOG.md", "template.yaml", "serverless.yml", "cdk",
)  # fmt: skip
WRITTEN_BY_TOOLS = ("package-lock.json",)

# How many each folder still has.  A number may only fall; a place that is not named has none.
CEILINGS = {
    "src/cli": 3,
    "src/config": 1,
}


def found(text):
    """(line number, word) of each word to avoid."""
    # A capital after a small letter begins a word; the inserted mark keeps the lines.
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    for match in WORDS.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group()


def place_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "src" else parts[0]


def check_finds(results):
    """The check sees what it is for, and nothing else."""
    planted = (
        "it was told", "duplicates_told", "struct teller *", "toldAbout", "NOT_UNTOLD", "Mended.",
        "it comes back", "come_back", "/* it came\n * back */", '"comes "\n    "back"', "Elsewhere",
        "elsewhere_tokens", "time-out", "time_out_s", "a time stamp",
    )  # fmt: skip
    for text in planted:
        results.same(len(list(found(text))), 1, "words: found in %r" % text)
    for text in ("a timeout", "a timestamp", "recommend", "amended", "tolddle", "back it comes"):
        results.same(list(found(text)), [], "words: found in %r" % text)


def check(_program, results):
    check_finds(results)
    seen = {}
    for path in tracked(*PLACES):
        if path.endswith(WRITTEN_BY_TOOLS):
            continue
        for line, word in found(read(path)):
            seen.setdefault(place_of(path), []).append("%s:%d: %s" % (path, line, word))
    for place in sorted(set(seen) | set(CEILINGS)):
        lines = seen.get(place, [])
        most = CEILINGS.get(place, 0)
        plain = "; ".join("%s: %s" % (w.split("|")[0], p) for w, p in PLAIN.items())
        results.check(
            len(lines) <= most,
            "%s has %d words to avoid, at most %d are allowed (write instead: %s)\n  %s"
            % (place, len(lines), most, plain, "\n  ".join(lines)),
        )
