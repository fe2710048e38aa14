"""Running the program and counting what held."""
import decimal
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import process  # noqa: E402
from support.results import Results  # noqa: E402


class Checks(Results):
    def __init__(self, binary, folder):
        super().__init__()
        self.binary, self.folder = os.path.abspath(binary), folder

    def call(self, *arguments, **variables):
        done = process.run([self.binary, *arguments], process.environment(**variables),
                           cwd=self.folder)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self, *arguments, **variables):
        code, out, err = self.call(*arguments, **variables)
        if code != 0:
            raise SystemExit(f"{arguments}: exit status {code}\n{err}")
        return json.loads(out, parse_float=decimal.Decimal)

    def expect(self, what, got, expected):
        self.same(got, expected, what)

    def holds(self, what, condition, detail=""):
        self.check(condition, f"{what} {detail}".strip())

    def refuses(self, quoted, *arguments, **variables):
        """Exit status 2, nothing on standard output, the value quoted."""
        code, out, err = self.call(*arguments, **variables)
        what = f"refuses {' '.join(arguments[:4])} {variables or ''}"
        self.expect(f"{what}: status and output", (code, out), (2, ""))
        self.holds(f"{what}: quotes {quoted}", quoted in err, err.strip()[:200])
