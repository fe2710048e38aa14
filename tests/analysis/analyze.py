"""Static analysers over src/: analyze.py [TOOL...], all without one.  Says "N passed, N failed" last.

Each file and analyser is a test.  Every report is looked at once: a true one is fixed, a false one
goes into accepted.txt with its reason.  A report is known by analyser, file and message, without
its line; one that an analyser does not make any more (versions differ) is named, and no failure.
model.h says what an analyser that sees one file at a time cannot know.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = "libisal jansson zlib sqlite3 libcurl libcrypto libmicrohttpd".split()
COMMON = ["-std=c17", "-D_GNU_SOURCE", "-Isrc", '-DBM_VERSION="x"', "-mavx2", "-mbmi", "-mbmi2",
          "-mpopcnt", "-mpclmul"]
MODEL = ["-include", "tests/analysis/model.h"]
MODELLED = "src/base/status.c"  # what the model stands for
COMMANDS = {
    "clang": ["clang", "--analyze", "-Xclang", "-analyzer-output=text", *COMMON],
    # gcc 12 loses what is kept in a structure or returned as its first member: clang, cppcheck and
    # the leak sanitizer look for leaks.
    "gcc": ["gcc", "-fanalyzer", "-Wno-analyzer-malloc-leak", "-O1", "-c", *COMMON],
    "cppcheck": ["cppcheck", "--quiet", "--std=c11", "--enable=warning,portability", "-Isrc",
                 "--suppress=missingIncludeSystem", "--suppress=preprocessorErrorDirective",
                 "--template={file}:{line}:{column}: warning: {message} [{id}]"],
}
REPORT = re.compile(r"^(src/[^:]+):\d+:(?:\d+:)? warning: (.*)$", re.M)

TEMPORARY = re.compile(r"\b\w*_\d+(\(D\))?")  # gcc's names change with the code around


def accepted():
    """{(analyser, file, message): reason}"""
    known = {}
    for line in (HERE / "accepted.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            tool, path, message, reason = (part.strip() for part in line.split(" | "))
            assert reason and tool in COMMANDS, line
            known[tool, path, message] = reason
    return known


def reports(tool, path, flags):
    words = COMMANDS[tool] + [path]
    if tool != "cppcheck":
        words += flags + (MODEL if path != MODELLED else []) + ["-o", "/dev/null"]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True,
                         env={**os.environ, "LC_ALL": "C"})
    found = {(tool, place, TEMPORARY.sub("_", message))
             for place, message in REPORT.findall(run.stdout + run.stderr)}
    if run.returncode != 0 and not found:
        found = {(tool, path, "exit status %d: %s" % (run.returncode, run.stderr[-300:]))}
    return found


def main():
    wanted = sys.argv[1:] or list(COMMANDS)
    tools = [tool for tool in wanted if shutil.which(tool)]
    for tool in set(wanted) - set(tools):
        print("skipped: no %s on this machine" % tool)
    flags = subprocess.run(["pkg-config", "--cflags", *PACKAGES], check=True, capture_output=True,
                           text=True).stdout.split()
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.c")
                   if "neon" not in path.name)
    known, failed, seen = accepted(), 0, set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {(tool, path): pool.submit(reports, tool, path, flags)
                for tool in tools for path in files}
        for (tool, path), job in jobs.items():
            found = job.result()
            seen |= found
            fresh = sorted(found - set(known))
            failed += bool(fresh)
            for _, place, message in fresh:
                print("FAIL %s %s: %s" % (tool, place, message))
    for tool, path, message in sorted(set(known) - seen):
        if tool in tools:
            print("not reported any more: %s %s: %s" % (tool, path, message))
    print("%d passed, %d failed%s" % (len(jobs) - failed, failed,
                                      "" if len(tools) == len(wanted) else
                                      ", %d skipped" % (len(wanted) - len(tools))))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
