"""Run the pipeline's tests: run.py [module[.test]]...  Prints "N passed, N failed" last."""
import importlib
import sys
import time
import traceback

sys.dont_write_bytecode = True

MODULES = ("test_lambda", "test_worker", "test_faults", "test_same_sums", "test_enqueue",
           "test_source", "test_guard", "test_dashboard", "test_reconcile", "test_roles",
           "test_torture", "test_soak")


def main():
    wanted = sys.argv[1:] or MODULES
    passed, failed = 0, []
    for name in wanted:
        module_name, _, only = name.partition(".")
        module = importlib.import_module(module_name)
        for test_name, test in list(vars(module).items()):
            if not test_name.startswith("test_") or not callable(test):
                continue
            if only and test_name != only:
                continue
            began = time.monotonic()
            try:
                test()
                passed += 1
                verdict = "ok"
            except Exception:
                failed.append(module_name + "." + test_name)
                verdict = "FAILED\n" + traceback.format_exc()
            print("%s.%s %s (%.1f s)" % (module_name, test_name, verdict,
                                         time.monotonic() - began), flush=True)
    for name in failed:
        print("failed: " + name)
    print("%d passed, %d failed" % (passed, len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
