"""Faults planted one by one; see run.sh.

Each case changes a healthy pipeline, and says which codes doctor has to name, in order.  Whatever is
not expected is a failure: another fault or warning, a write, a secret in the output, another exit
status, or a fix that no shell would take.
"""
import gzip
import json
import os
import re
import shlex
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stub as fake  # noqa: E402
from support import process  # noqa: E402  (stub.py has set the path)
from support.process import SECRET, aws_environment  # noqa: E402
from support.results import Results  # noqa: E402
import httpbase  # noqa: E402
from cases import CASES, DENIED, queue, use_ledger  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
STUB = fake.Stub()


# ---- running ----

def environment(home):
    return aws_environment(STUB.url, home, AWS_REGION=fake.REGION, S3_BUCKET_NAME=fake.BUCKET,
                           SQS_QUEUE_URL=fake.QUEUE_URL)


def run(binary, env, args):
    return process.run([binary, "doctor", "--quiet", *args], env, cwd=env["HOME"])


def check_fix(finding, problems):
    if finding["code"] == "BM-D05":
        return
    if not finding["fix"]:
        problems.append("%s has no fix" % finding["code"])
    command = finding["fix"].split(" (")[0]
    if command.startswith(("aws ", "deploy/")) and "$(" not in command:
        words = shlex.split(command)
        for word in words:
            if word.startswith("{"):
                value = json.loads(word)
                if isinstance(value.get("Policy"), str):
                    json.loads(value["Policy"])
                if isinstance(value.get("RedrivePolicy"), str):
                    json.loads(value["RedrivePolicy"])


def fixed_policy(doc, problems):
    """The policy that a fix sets must be one that doctor finds nothing to say about."""
    for finding in doc["checks"]:
        if finding["step"] != "queue-policy" or "fix" not in finding:
            continue
        words = shlex.split(finding["fix"])
        new = json.loads(words[words.index("--attributes") + 1])["Policy"]
        return new
    return None


def check_canary(binary, env, problems):
    """What was written must be a record that counts once, below the logs' folder."""
    key, body = STUB.last_put
    record = json.loads(gzip.decompress(body))
    if not re.fullmatch(r"AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/\d{4}/\d\d/\d\d"
                        r"/\d\d/\d{8}T\d{9}Z_[0-9a-f]{16}\.json\.gz", key):
        problems.append("canary's key is " + key)
    if record["modelId"] != "bedrock-metrics.canary":
        problems.append("canary's model is " + record["modelId"])
    path = os.path.join(env["HOME"], "canary.json.gz")
    with open(path, "wb") as f:
        f.write(body)
    out = process.run([binary, "aggregate", path, "--output", "json", "--quiet", "--by",
                       "InferenceProfileType,InferenceProfile,ModelId,SourceRegion,"
                       "InferenceRegion,AccountId,Operation,Principal"], process.environment())
    row = json.loads(out.stdout)["rows"][0]
    want = {"InferenceProfileType": "InRegion", "InferenceProfile": "none",
            "ModelId": "bedrock-metrics.canary", "SourceRegion": "us-east-1",
            "InferenceRegion": "us-east-1", "AccountId": "123456789012",
            "Operation": "InvokeModel", "Principal": "unknown", "Invocations": 1}
    for name, value in want.items():
        if row[name] != value:
            problems.append("canary counts as %s %r, not %r" % (name, row[name], value))


def one(binary, codes, options, plant):
    problems = []
    with tempfile.TemporaryDirectory() as home:
        STUB.reset()
        env = environment(home)
        plant(STUB.state, env)
        args = options.get("args", [])
        result = run(binary, env, ["--output", "json", *args])
        try:
            doc = json.loads(result.stdout)
        except ValueError:
            return ["no JSON (exit %d): %s" % (result.returncode, result.stderr.decode())]
        named = [c["code"] for c in doc["checks"] if c["result"] in ("fault", "warning")]
        if tuple(named) != codes:
            problems.append("named %s, planted %s: %s" % (named, list(codes), json.dumps(
                [c for c in doc["checks"] if c["result"] in ("fault", "warning")])))
        faults = [c for c in doc["checks"] if c["result"] == "fault"]
        if result.returncode != (1 if faults else 0):
            problems.append("exit %d with %d faults" % (result.returncode, len(faults)))
        for finding in doc["checks"]:
            if "code" in finding:
                check_fix(finding, problems)
        for step, text in options.get("skipped", {}).items():
            reasons = [c["reason"] for c in doc["checks"]
                       if c["step"] == step and c["result"] == "not_checked"]
            if not any(text in reason for reason in reasons):
                problems.append("step %s: %r in none of %s" % (step, text, reasons))
        if len(STUB.writes) != options.get("writes", 0):
            problems.append("wrote: %s" % STUB.writes)
        if STUB.last_put:
            check_canary(binary, env, problems)
        new = fixed_policy(doc, problems)
        if new is not None:
            STUB.state["queues"][fake.QUEUE]["Policy"] = new
            again = json.loads(run(binary, env, ["--output", "json"]).stdout)
            bad = [c for c in again["checks"] if c["step"] == "queue-policy" and
                   c["result"] != "ok"]
            if bad:
                problems.append("the fixed policy: %s" % bad)
        elif "--canary" not in args:
            text = run(binary, env, args)
            for code in set(codes):
                if text.stdout.decode().count(code + "\n") != codes.count(code):
                    problems.append("text names %s not once" % code)
            result.stdout += text.stdout + text.stderr
        for secret in (SECRET.encode(), b"do-not-print-me"):
            if secret in result.stdout + result.stderr:
                problems.append("a secret in the output")
        if b"Sanitizer" in result.stderr or b"runtime error" in result.stderr:
            problems.append(result.stderr.decode())
    return problems


ODD = [b"", b"{", b"[]", b"null", b'"x"', b"<a", b"<a/>", b"{}", b'{"loggingConfig":[1]}',
       b'{"loggingConfig":{"s3Config":"x"}}', b'{"Attributes":7}',
       b'{"Attributes":{"RedrivePolicy":"[]","Policy":"[]","VisibilityTimeout":"-1"}}',
       b'{"Attributes":{"Policy":"{\\"Statement\\":[1,null,{\\"Effect\\":\\"Allow\\",'
       b'\\"Principal\\":[],\\"Condition\\":[{}]}]}"}}',
       b'{"EventSourceMappings":[1,{},{"FunctionArn":".."},{"FunctionArn":7,"State":[]}]}',
       b'{"Metrics":[7,{}],"MetricDataResults":[{"Id":7,"Timestamps":["x"],"Values":[{}]}]}',
       b'{"Table":{"KeySchema":{},"AttributeDefinitions":[7]}}', b"[" * 5000,
       b"<NotificationConfiguration><QueueConfiguration><Event/></QueueConfiguration><Queue"
       b"Configuration><Queue>q</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>"
       b"</NotificationConfiguration>", b"\x00\xff" * 100,
       b'{"State":"Failed\\u001b[31m","StateReason":"\\u202e\\u0007"}']


def check_odd_answers(binary):
    """Whatever a service answers: no crash, no control bytes, an honest exit status."""
    problems = []
    with tempfile.TemporaryDirectory() as home:
        for service in ("s3", "sqs", "bedrock", "lambda", "monitoring", "dynamodb", "sts", "kms",
                        "logs", "events"):
            for body in ODD:
                STUB.reset()
                setattr(STUB, "on_" + service,
                        lambda request, region, b=body: httpbase.Response(200, b))
                env = environment(home)
                env.update(LEDGER="dynamodb://ledger", AWS_MAX_ATTEMPTS="1")
                STUB.state["oldest_age"] = 60
                queue(STUB.state)["ApproximateNumberOfMessages"] = "1"
                result = run(binary, env, ["--canary", "--wait", "0"])
                delattr(STUB, "on_" + service)
                if result.returncode not in (0, 1) or b"Sanitizer" in result.stderr or \
                        re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", result.stdout):
                    problems.append("%s answers %r: exit %d %s" % (
                        service, body[:60], result.returncode, result.stderr.decode()[-600:]))
    return problems


def check_documents(binary):
    """Every code has its row in docs/doctor.md, and a case here."""
    source = open(os.path.join(ROOT, "src/tools/doctor/codes.c")).read()
    docs = open(os.path.join(ROOT, "docs/doctor.md")).read()
    codes = [("BM-D" + number, verdict)
             for number, verdict in re.findall(r"(?:ROW|FIX)\((\d\d), (FAULT|WARNING)", source)]
    rows = re.findall(r"^\| (BM-D\d\d) \| (fault|warning) \|", docs, re.M)
    problems = []
    if [(c, v.lower()) for c, v in codes] != rows:
        problems.append("codes.c and docs/doctor.md differ: %s" % sorted(
            set(rows) ^ {(c, v.lower()) for c, v in codes}))
    planted = {c for _, expected, _, _ in CASES for c in expected}
    if {c for c, _ in codes} != planted:
        problems.append("without a case: %s" % sorted({c for c, _ in codes} - planted))
    return problems


def check_permissions(binary):
    """The permissions of docs/doctor.md are those that a walk through everything uses, each with its
    steps; and each was denied once above."""
    docs = open(os.path.join(ROOT, "docs/doctor.md")).read()
    table = docs.split("## Permissions")[1].split("\n## ")[0]
    written = {}
    for line in re.findall(r"^\| (`.*?) \| (.*?) \|$", table, re.M):
        for action in re.findall(r"`(\w+:\w+)`", line[0]):
            written[action] = set(line[1].split(", "))
    with tempfile.TemporaryDirectory() as home:
        STUB.reset()
        env = environment(home)
        use_ledger(STUB.state, env)
        env["ROLE_ARN"] = fake.ROLE
        STUB.state["encryption"] = {fake.BUCKET: ("aws:kms", fake.KEY)}
        queue(STUB.state)["ApproximateNumberOfMessages"] = "1"
        run(binary, env, ["--canary", "--wait", "20"])
        problems = ["permissions: %s are used, docs/doctor.md has %s" % pair
                    for pair in [(sorted(set(STUB.calls) - set(written)),
                                  sorted(set(written) - set(STUB.calls)))] if any(pair)]
    for action, steps in DENIED:
        if not {steps} <= written.get(action, set()):
            problems.append("docs/doctor.md: %s is needed by %s" % (action, steps))
    if set(written) - {action for action, _ in DENIED} != {"s3:PutObject", "sts:AssumeRole"}:
        problems.append("not denied once: %s" % (set(written) - {a for a, _ in DENIED}))
    return problems


def check_usage(binary):
    problems = []
    with tempfile.TemporaryDirectory() as home:
        env = environment(home)
        for args in (["--output", "xml"], ["--consumer", "me"], ["--skip", "nothing"],
                     ["--wait", "5"], ["--canary", "--wait", "-1"], ["word"], ["--oops"]):
            result = process.run([binary, "doctor", *args], env)
            if result.returncode != 2 or result.stdout:
                problems.append("%s: exit %d" % (args, result.returncode))
        result = process.run([binary, "doctor", "--help"], env)
        if result.returncode != 0 or b"--canary" not in result.stdout:
            problems.append("--help")
        # Help, message and what is noted down when nothing can be checked name the same steps.
        said = re.findall(r"[a-z-]+", result.stdout.decode().split("--skip: ")[1].split(".")[0])
        refused = process.run([binary, "doctor", "--skip", "x"], env)
        known = re.findall(r"[a-z-]+", refused.stderr.decode().split("known are ")[1].split(" (BM-")[0])
        del env["AWS_REGION"]
        noted = [c["step"] for c in json.loads(run(binary, env, ["--output", "json"]).stdout)
                 ["checks"] if c["result"] == "not_checked"]
        if not said == known == noted[1:] + ["canary"]:
            problems.append("steps: %s, %s, %s" % (said, known, noted))
    return problems


def check_options_in_place_of_variables(binary):
    with tempfile.TemporaryDirectory() as home:
        STUB.reset()
        env = environment(home)
        for name in ("AWS_REGION", "S3_BUCKET_NAME", "SQS_QUEUE_URL"):
            del env[name]
        env["CLOUDWATCH_NAMESPACE"] = "x"
        result = run(binary, env, ["--region", fake.REGION, "--bucket", fake.BUCKET, "--queue",
                                   fake.QUEUE_URL, "--namespace", fake.NAMESPACE])
        return [] if result.returncode == 0 and b"FAULT" not in result.stdout and \
            b"WARNING" not in result.stdout else [result.stdout.decode()]


def main():
    binary = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:]
    STUB.start()
    results = Results()
    tests = [(name, lambda c=codes, o=options, f=plant: one(binary, c, o, f))
             for name, codes, options, plant in CASES]
    tests += [("odd answers", lambda: check_odd_answers(binary)),
              ("documents", lambda: check_documents(binary)),
              ("permissions", lambda: check_permissions(binary)),
              ("usage", lambda: check_usage(binary)),
              ("options in place of variables",
               lambda: check_options_in_place_of_variables(binary))]
    for name, test in tests:
        if wanted and not any(w in name for w in wanted):
            continue
        problems = test()
        results.check(not problems, "\n     ".join([name, *problems]))
    STUB.stop()
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
