"""Running the program and counting what held."""
import decimal
import json
import os
import subprocess

OURS = ("METRIC_DIMENSIONS", "METRICS", "METRIC_RESOLUTION", "METRIC_LATENCY", "LEDGER",
        "MAX_SERIES_PER_SET", "PRICES_FILE", "INFERENCE_PROFILES_FILE", "CLOUDWATCH_NAMESPACE",
        "CLOUDWATCH_REGION", "AWS_REGION", "AWS_DEFAULT_REGION", "LOG_LEVEL", "MAX_OBJECT_BYTES")


class Checks:
    def __init__(self, binary, folder):
        self.binary, self.folder = os.path.abspath(binary), folder
        self.passed = self.failed = 0

    def call(self, *arguments, **variables):
        environment = {name: value for name, value in os.environ.items() if name not in OURS}
        environment.update(variables)
        done = subprocess.run([self.binary, *arguments], stdout=subprocess.PIPE, cwd=self.folder,
                              stderr=subprocess.PIPE, env=environment, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self, *arguments, **variables):
        code, out, err = self.call(*arguments, **variables)
        if code != 0:
            raise SystemExit(f"{arguments}: exit status {code}\n{err}")
        return json.loads(out, parse_float=decimal.Decimal)

    def expect(self, what, got, expected):
        if got == expected:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAILED {what}: got {str(got)[:300]!r}, expected {str(expected)[:300]!r}")

    def holds(self, what, condition, detail=""):
        self.expect(f"{what} {detail}".strip(), bool(condition), True)

    def refuses(self, quoted, *arguments, **variables):
        """Exit status 2, nothing on standard output, the value quoted."""
        code, out, err = self.call(*arguments, **variables)
        what = f"refuses {' '.join(arguments[:4])} {variables or ''}"
        self.expect(f"{what}: status and output", (code, out), (2, ""))
        self.holds(f"{what}: quotes {quoted}", quoted in err, err.strip()[:200])

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
