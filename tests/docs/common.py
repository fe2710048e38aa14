"""What all checks of the documents share: the texts, and the program."""

import fnmatch
import functools
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from support import process  # noqa: E402


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def walked():
    """All files but those that are generated, for a copy that is no git repository."""
    for folder, folders, files in os.walk(ROOT):
        generated = (".git", "build", "node_modules", "__pycache__")
        folders[:] = [f for f in folders if f not in generated]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), ROOT)


@functools.lru_cache(maxsize=1)
def all_files():
    """Paths that git knows, or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        out = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        paths = {name.decode("utf-8", "surrogateescape") for name in out.split(b"\0") if name}
    except (OSError, subprocess.CalledProcessError):
        paths = set(walked())
    return sorted(path for path in paths if os.path.isfile(os.path.join(ROOT, path)))


def tracked(*below):
    """The files below these folders, or with these names; `*` stands for anything."""
    if not below:
        return all_files()
    return [
        path
        for path in all_files()
        if any(path.startswith(b + "/") or fnmatch.fnmatch(path, b) for b in below)
    ]


def source(*folders):
    """The text of all C files below the folders."""
    return {p: read(p) for p in tracked(*folders) if p.endswith((".c", ".h"))}


class Program:
    """The binary under test, run without the caller's settings."""

    def __init__(self, build):
        self.path = os.path.join(ROOT, build, "bedrock-metrics")
        self.helps = {}

    def run(self, *words, data=b"", env=None, cwd=None):
        return process.run(
            [self.path, *words],
            process.environment(**(env or {})),
            input=data,
            cwd=cwd or os.path.dirname(self.path),
        )

    def commands(self):
        """Name -> text of its help; "" is the program itself, "ledger" a family of commands."""
        if not self.helps:
            self.helps[""] = self.run("--help").stdout.decode()
            for name in re.findall(r"^  ([a-z][a-z-]*(?: [a-z]+)?)  ", self.helps[""], re.M):
                for words in (name.split()[:1], name.split()):
                    text = self.run("help", *words).stdout.decode()
                    self.helps.setdefault(" ".join(words), text)
        return self.helps

    def options(self, command):
        text = self.commands()[command]
        if "Options:\n" in text:
            text = text.split("Options:\n", 1)[1].split("\n\n", 1)[0]
        return set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text))


def sections(text):
    """(heading level, heading) of a markdown text, those in code blocks left out."""
    return [(len(m.group(1)), m.group(2)) for m in re.finditer(r"(?m)^(#+) (.*)$", prose(text))]


def prose(text):
    """A markdown text without fenced code."""
    return re.sub(r"(?ms)^```.*?^```$", "", text)


def blocks(text):
    """(language line, content) of the fenced blocks."""
    return re.findall(r"(?ms)^```([^\n]*)\n(.*?)^```$", text)


def table_behind(text, mark):
    """The cells of the table that follows a mark, without head and ruler."""
    at = text.index(mark) + len(mark)
    rows = []
    for line in text[at:].lstrip("\n").split("\n"):
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows[2:]


def code_text(cell):
    """A cell's text without its backticks."""
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == "`" else cell
