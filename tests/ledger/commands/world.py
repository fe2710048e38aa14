"""world.py: a ledger, a bucket, a queue and a CloudWatch for one test of a command."""
import json
import shutil
import tempfile

from support.cloud import Cloud
from support.records import numbered
from support.results import equal

METRICS = ("Invocations,InputTokenCount,OutputTokenCount,CacheReadInputTokenCount,"
           "CacheWriteInputTokenCount,TotalTokenCount")


class World(Cloud):
    def __enter__(self):
        super().__enter__()
        self.folder = tempfile.mkdtemp(prefix="bedrock-ledger-")
        self.settings = {"LEDGER": self.folder + "/ledger", "METRICS": METRICS,
                         "BEDROCK_METRICS_TEST_FENCE_MS": 1000,
                         "BEDROCK_METRICS_TEST_LEASE_MS": 200}
        return self

    def __exit__(self, *exc):
        super().__exit__(*exc)
        shutil.rmtree(self.folder, ignore_errors=True)

    def do(self, status, *words, **env):
        run = self.run(*words, **dict(self.settings, **env))
        equal(run.returncode, status, "exit status of " + " ".join(words) + "\n" +
              run.stdout[-1500:] + run.stderr[-1500:])
        if "json" in words and status != 2:
            return json.loads(run.stdout)
        return run.stdout + run.stderr

    def exact(self):
        return {k: v for k, v in self.sums().items() if v}

    def put_some(self, n, name="o", sent=True):
        keys = [self.put("%s%d" % (name, i), [numbered(10 * i + j) for j in range(3)])
                for i in range(n)]
        if sent:
            self.send(*keys)
        return keys
