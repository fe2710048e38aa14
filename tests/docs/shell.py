"""The shell blocks of the documents.

A block marked ```sh run is run, with bash, in a copy of the repository that has the binary built;
blocks of one document run one after another in the same copy.  A block marked ```text output behind
one is what it must print.
"""

import os
import shutil
import subprocess
import tempfile

from common import ROOT, blocks, read, tracked

TIME_LIMIT_S = 300


def scratch_copy(folder, build):
    """The repository's files and what was built, with their times: nothing is built anew."""
    for path in tracked():
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(os.path.join(ROOT, path), target)
    for path in (build, "build/packages-checked"):
        there = os.path.join(ROOT, path)
        if os.path.isdir(there):
            shutil.copytree(there, os.path.join(folder, path))
        elif os.path.exists(there):
            shutil.copy2(there, os.path.join(folder, path))


def run_block(folder, build, script):
    binaries = os.path.join(folder, build)
    environment = {
        "PATH": binaries + ":" + os.environ["PATH"],
        "HOME": folder,
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }
    return subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIME_LIMIT_S,
        check=False,
    )


def check_document(path, results, build):
    found = blocks(read(path))
    if not any(language == "sh run" for language, _text in found):
        return
    with tempfile.TemporaryDirectory() as folder:
        scratch_copy(folder, build)
        last = None
        for language, text in found:
            if language == "sh run":
                last = run_block(folder, build, text)
                what = "%s: exit status %d of\n%s%s" % (
                    path,
                    last.returncode,
                    text,
                    last.stdout.decode()[-2000:],
                )
                results.check(last.returncode == 0, what)
            elif language == "text output":
                printed = last.stdout.decode() if last else ""
                results.check(
                    "\n".join(line.rstrip() for line in printed.splitlines()).strip()
                    == "\n".join(line.rstrip() for line in text.splitlines()).strip(),
                    "%s: the block prints\n%s\nand not\n%s" % (path, printed, text),
                )


def check(program, results):
    build = os.path.relpath(os.path.dirname(program.path), ROOT)
    for path in tracked():
        if path.endswith(".md") and (path.startswith("docs/") or "/" not in path):
            check_document(path, results, build)
