#!/usr/bin/env python3
"""under_valgrind.py BINARY: whole runs of the binary under valgrind, over adversarial objects."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import process  # noqa: E402
from support.records import write  # noqa: E402
from support.results import Results  # noqa: E402
import generate  # noqa: E402

VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect,possible", "--track-fds=yes"]
RUNS = (
    ("json", "--output", "json", "--by", "ModelId,Principal", "--interval", "1m", "--jobs", "1"),
    ("two jobs", "--output", "csv", "--by", "InferenceProfile,Metadata:team", "--jobs", "2"),
    ("openmetrics", "--output", "openmetrics", "--interval", "1h", "--top", "3"),
    ("table", "--output", "table", "--since", "2026-11-01", "--until", "2026-11-02"),
    ("wrong usage", "--by", "Nonsense"),
)


def main():
    binary = os.path.abspath(sys.argv[1])
    results = Results()
    with tempfile.TemporaryDirectory(prefix="valgrind-") as folder:
        for seed in range(60):
            key, data = generate.Generator(40000 + seed).object()
            write(os.path.join(folder, str(seed), key), data)
        for name, *arguments in RUNS:
            for kernel in ("auto", "scalar"):
                done = process.run(VALGRIND + [binary, "aggregate", "--quiet", *arguments, folder],
                                   process.environment(BEDROCK_METRICS_SIMD=kernel), 600)
                results.check(done.returncode in (0, 1, 2), "%s, %s: exit status %d\n%s" % (
                    name, kernel, done.returncode, done.stderr.decode("utf-8", "replace")[-3000:]))
    sys.exit(results.end())


if __name__ == "__main__":
    main()
