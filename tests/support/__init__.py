"""What the Python tests share: records.py builds logs, process.py runs programs, cloud.py is a pipeline
on loopback, results.py counts what held.

A test puts tests/ on its path and imports from here; importing it puts the folders on the path whose
modules several suites use as they are: the counterparts of AWS, and the independent reader.
"""
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
sys.dont_write_bytecode = True
for _folder in ("oracle", "fake_aws"):
    if str(TESTS / _folder) not in sys.path:
        sys.path.insert(0, str(TESTS / _folder))
