#!/usr/bin/env python3
"""under_valgrind.py BINARY: whole runs of the binary under valgrind, over adversarial objects."""
import os
import subprocess
import sys
import tempfile

import generate

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
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="valgrind-") as folder:
        for seed in range(60):
            key, data = generate.Generator(40000 + seed).object()
            path = os.path.join(folder, str(seed), key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        for name, *arguments in RUNS:
            for kernel in ("auto", "scalar"):
                done = subprocess.run(
                    VALGRIND + [binary, "aggregate", "--quiet", *arguments, folder], check=False,
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    env=dict(os.environ, BEDROCK_METRICS_SIMD=kernel))
                if done.returncode not in (0, 1, 2):
                    failed += 1
                    print("FAIL %s, %s: exit status %d\n%s" % (
                        name, kernel, done.returncode,
                        done.stderr.decode("utf-8", "replace")[-3000:]))
                else:
                    passed += 1
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
