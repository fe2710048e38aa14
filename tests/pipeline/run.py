"""Run the pipeline's tests: run.py [module[.test]]...  Prints "N passed, N failed" last."""
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.results import Results  # noqa: E402

MODULES = ("test_lambda", "test_worker", "test_hold", "test_faults", "test_same_sums", "test_enqueue",
           "test_source", "test_guard", "test_dashboard", "test_reconcile", "test_roles",
           "test_torture", "test_memory", "test_soak")


def main():
    results = Results(verbose=True)
    for name in sys.argv[1:] or MODULES:
        module_name, _, only = name.partition(".")
        tests = vars(importlib.import_module(module_name))
        for test_name, test in list(tests.items()):
            if test_name.startswith("test_") and callable(test) and only in ("", test_name):
                results.test(module_name + "." + test_name, test)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
