"""The size and shape that src/ keeps: each rule has its goal, and the number it may not pass today.

    house.py            prints where the tree stands; check.py fails what has passed its limit

A limit is only ever moved towards its goal.  Where the tree has come closer, lower the limit to the
number printed, so that nobody loses the ground again.
"""

import collections
import os
import re
import sys

from common import read, source, tracked

# rule: (goal, limit).  Of "comments" both are the least, of all others the most.
RULES = {
    # 43,000 is what the first version needed; 54,000 is what everything planned may take.
    "lines of code in src/": (54000, 54000),
    "comments, percent of the lines that are not blank": (12.0, 12.0),
    "folders with more than 30 .c files": (0, 0),
    "headers under 40 lines that one file includes": (0, 6),
    "prototypes without a comment above them or their group": (0, 0),
    "files that do not open with a comment": (0, 0),
}
LEAST = "comments, percent of the lines that are not blank"


def count_lines(text):
    """(lines of code, lines of comment): a line with both is code, a blank one is neither."""
    code = comment = 0
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if not line:
            continue
        if inside or line.startswith(("/*", "//")):
            comment += 1
            inside = not line.startswith("//") and "*/" not in line
            continue
        code += 1
        inside = "/*" in line and "*/" not in line[line.index("/*"):]
    return code, comment


TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)|(?P<line>\n)|(?P<mark>[;{}()])|(?P<other>[^\n])""",
    re.S | re.M | re.X,
)


def statements(text):
    """(kind, source, first line, last line) of a header's outermost comments and declarations."""
    braces = parentheses = 0
    words, first, line = "", 0, 1
    for match in TOKEN.finditer(text):
        kind, token = match.lastgroup, match.group()
        begin = line
        line += token.count("\n")
        if kind == "directive":
            yield "directive", token, begin, line
            continue
        if kind == "comment" and not words.strip():
            yield "comment", token, begin, line
            continue
        if kind == "comment":
            continue
        if not words.strip():
            first = begin
        if kind == "line" and re.fullmatch(r"[A-Z][A-Z0-9_]*\([^;{]*\)", words.strip()):
            yield "directive", words, first, begin  # a list that a macro makes something of
            words = ""
            continue
        words += token
        braces += (token == "{") - (token == "}")
        parentheses += (token == "(") - (token == ")")
        # 'extern "C" {' is not used here; the brace of a body or a struct closes its statement.
        ended = token == ";" or (token == "}" and re.search(r"\)\s*\{", words))
        if ended and braces == 0 and parentheses == 0:
            yield "statement", words.strip(), first, line
            words = ""


def is_prototype(words):
    """Whether a declaration is one of a function: no type, no variable, and no body."""
    return (
        re.search(r"\w\s*\((?!\s*\*)", words) is not None
        and not words.startswith(("typedef", "_Static_assert", "static_assert"))
        and "{" not in words
        and "=" not in words
    )


def undocumented(text):
    """(line, name) of the prototypes that no comment is about."""
    commented_to = grouped_to = ended = None  # last line of a comment, a group with one, anything
    lines = text.splitlines()
    for kind, words, first, last in statements(text):
        if kind == "comment":
            commented_to = last if first != ended else commented_to  # not what follows on its line
            continue
        ended = last
        if kind == "directive":
            # A function under a condition, and the macro that a comment explains with it.
            if commented_to in (first, first - 1) or grouped_to in (first, first - 1):
                grouped_to = last
            continue
        beside = re.search(r"/\*|//", lines[last - 1]) is not None
        if commented_to in (first, first - 1) or grouped_to == first - 1:
            grouped_to = last
        elif is_prototype(words) and not beside:
            yield first, re.search(r"(\w+)\s*\((?!\s*\*)", words).group(1)


def includers(files):
    """Header -> the files that include it, tests too."""
    out = collections.defaultdict(set)
    for path, text in files.items():
        for name in re.findall(r'(?m)^\s*#\s*include\s+"([^"]+)"', text):
            out["src/" + name].add(path)
    return out


def examine(files, tests):
    """{rule: (number, where)}; files and tests: path -> text of the C files."""
    code = comment = 0
    for text in files.values():
        lines = count_lines(text)
        code, comment = code + lines[0], comment + lines[1]
    folders = collections.Counter(os.path.dirname(p) for p in files if p.endswith(".c"))
    headers = {p: t for p, t in files.items() if p.endswith(".h")}
    used = includers({**files, **tests})
    large = ["%s/ has %d" % (f, n) for f, n in sorted(folders.items()) if n > 30]
    tiny = [
        "%s: %d lines, for %s" % (path, text.count("\n"), " and ".join(sorted(used[path])))
        for path, text in sorted(headers.items())
        if text.count("\n") < 40 and len(used[path] - {path[:-1] + "c"}) == 1
    ]
    bare = [
        "%s:%d: %s" % (path, *where)
        for path, text in sorted(headers.items())
        for where in undocumented(text)
    ]
    silent = [
        path
        for path, text in sorted(files.items())
        if not text.startswith(("/*", "//"))
    ]
    share = round(100 * comment / max(code + comment, 1), 1)
    numbers = [(code, []), (share, [])] + [(len(w), w) for w in (large, tiny, bare, silent)]
    return dict(zip(RULES, numbers))


def keeps(rule, number, bound):
    return number >= bound if rule == LEAST else number <= bound


def check_finds(results):
    """Each rule sees what it is for: a small tree that breaks all of them."""
    results.same(count_lines("/* a\n b */\n\nint c; /* d\n e */\n// f\n"), (1, 4), "house: lines")
    files = {"src/base/f%d.c" % i: "/* f */\n" for i in range(31)}
    files["src/base/silent.c"] = '#include "base/tiny.h"\n'
    files["src/base/tiny.h"] = "/* tiny.h */\n#ifndef X\n\nint bare(void);\n#endif\n"
    found = examine(files, {})
    results.same([n for n, _ in found.values()], [4, 88.9, 1, 1, 1, 1], "house: a planted tree")
    header = (
        "/* x.h: about the file. */\n#ifndef X\n#define X\n\nint bare(void);\n\n"
        "/* Of the group. */\nint one(int a);\nNODISCARD enum status two(struct x *x,\n"
        "                          int (*call)(void *));\n\nvoid three(void); /* beside */\n"
        "struct s {\n    int (*member)(void);\n};\ntypedef int (*call)(void);\n"
        "static inline int four(void)\n{\n    return (1);\n}\nextern int (*five)(void);\n"
        "int six(int (*f)(void));\nLIST(NAME)\n#endif\n"
    )
    results.same(list(undocumented(header)), [(5, "bare"), (22, "six")], "house: a header")


def tree():
    tests = {p: read(p) for p in tracked("tests") if p.endswith((".c", ".h"))}
    return examine(source("src"), tests)


def check(_program, results):
    check_finds(results)
    for rule, (number, where) in tree().items():
        goal, limit = RULES[rule]
        what = "%s: %s, the limit is %s, the goal %s" % (rule, number, limit, goal)
        results.check(keeps(rule, number, limit), "\n  ".join([what] + where))


def main():
    words = sys.argv[1:]
    for rule, (number, where) in tree().items():
        goal, limit = RULES[rule]
        state = "met" if keeps(rule, number, goal) else "goal %s" % goal
        if not keeps(rule, number, limit):
            state += ", ABOVE THE LIMIT %s" % limit
        elif number != limit:
            state += ", limit %s" % limit
        print("%8s  %s (%s)" % (number, rule, state))
        if any(word in rule for word in words):
            print("".join("          %s\n" % line for line in where), end="")


if __name__ == "__main__":
    main()
