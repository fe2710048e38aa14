#!/usr/bin/env python3
"""test_dynamodb.py CHECK: run the program dynamodb_check against a moto server of its own."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import support  # noqa: E402,F401  (puts tests/fake_aws on the path)
from moto_harness import MotoServer, ensure_venv  # noqa: E402


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    ensure_venv()
    with MotoServer() as server:
        return subprocess.run([sys.argv[1], str(server.port)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
