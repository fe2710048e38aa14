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
    r"(?:come|comes|came|coming) back": "is retried, is returned to the queue",
    r"elsewhere": "outside the allowed Regions, in another place",
    r"time[-_\x20]outs?": "timeout",
    r"time[-_\x20]stamps?": "timestamp",
    r"beside": "next to, in addition to, while",
    r"by way of": "through",
    r"(?:look|looks|looked|looking) after": "operate, handle",
}
WORDS = re.compile(r"(?<![a-z])(?:%s)(?![a-z])" % "|".join(PLAIN).replace(" ", GAP), re.I)

PLACES = (
    "src", "docs", "web", "deploy", "data/README.md", "README.md", "CONTRIBUTING.md", "SECURITY.md",
    "CHANGELOG.md", "template.yaml", "serverless.yml", "cdk",
)  # fmt: skip
WRITTEN_BY_TOOLS = ("package-lock.json",)

# In what the program prints: what is wrong is not what was wanted.  Said of the world ("there is no
# queue") it is plain English.
MESSAGE = re.compile(r'"(?:[^"\\\n]|\\.)*"')
NOT_A = re.compile(r"(?<!there )\b(?:is|are) no (?!longer|more\b)[a-z]+", re.I)
BEHIND = re.compile(r"\b(?:data|digits|keys?|it|go on|goes on) behind\b", re.I)


def found(text):
    """(line number, word) of each word to avoid."""
    # A capital after a small letter begins a word; the inserted mark keeps the lines.
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    for match in WORDS.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group()


def found_in_messages(text):
    """(line number, words) of what no string of a C file says."""
    for string in MESSAGE.finditer(text):
        for pattern in (NOT_A, BEHIND):
            for match in pattern.finditer(string.group()):
                yield text.count("\n", 0, string.start()) + 1, match.group()


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
    for text in ('"\\"%s\\" is no folder"', '"which are no numbers"', '"data behind the member"'):
        results.same(len(list(found_in_messages(text))), 1, "words: found in the message %r" % text)
    for text in ('"there is no queue"', '"is no longer there"', "/* it is no object */", "a = b;"):
        results.same(list(found_in_messages(text)), [], "words: found in the message %r" % text)


def check(_program, results):
    check_finds(results)
    seen = []
    for path in tracked(*PLACES):
        if path.endswith(WRITTEN_BY_TOOLS):
            continue
        text = read(path)
        places = list(found(text))
        if path.startswith("src/") and path.endswith((".c", ".h")):
            places += found_in_messages(text)
        seen += ["%s:%d: %s" % (path, line, word) for line, word in places]
    plain = "; ".join("%s: %s" % pair for pair in PLAIN.items())
    results.check(
        not seen,
        "words to avoid (write instead: %s; is not a; after)\n  %s" % (plain, "\n  ".join(seen)),
    )
