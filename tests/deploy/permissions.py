"""Least privilege, proven by denial: the program under the policies that are deployed.

A Guard stands before the counterparts of S3, SQS, CloudWatch, DynamoDB and Bedrock.  It says which
IAM action each request needs on which resource, asks the policy document, and answers AccessDenied
as AWS does where no statement allows it.  The evaluation is IAM's for what the policies use: Allow
statements, literal actions, resources with * and ?, StringEquals.  Actions and resource types are
those of the Service Authorization Reference.

    outcomes = trial(FUNCTION_SCENARIOS, statements)   # what is counted, returned and reported

The program is that of BUILD (tests/support).
"""
import fnmatch
import gzip
import json
import re
import time
import urllib.parse

from support.cloud import QUEUE, Cloud
from support.process import ACCESS, SECRET
from support.records import log_key, numbered, s3_event, sqs_payload
import httpbase
from fault_proxy import FaultProxy

REGION, ACCOUNT = "us-east-1", "123456789012"
QUEUE_ARN = "arn:aws:sqs:%s:%s:%s" % (REGION, ACCOUNT, QUEUE)
TABLE = "ledger"
KEY_ARN = "arn:aws:kms:%s:%s:key/1" % (REGION, ACCOUNT)
PROFILE = "arn:aws:bedrock:%s:%s:application-inference-profile/ab12cd34ef56" % (REGION, ACCOUNT)
LATER_PROFILE = PROFILE[:-12] + "zy98xw76vu54"
ONE_ACTION = {"DeleteMessageBatch": "DeleteMessage", "SendMessageBatch": "SendMessage",
              "ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}

# What Lambda does in the function's name, which no run of the program shows: the managed policy
# AWSLambdaSQSQueueExecutionRole, without logs:CreateLogGroup, since the stack makes the group.
LAMBDA_ITSELF = {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:ReceiveMessage",
                 "sqs:DeleteMessage", "sqs:GetQueueAttributes"}


# Without these a run may only say that it goes another way; without any other it counts less, or
# gives messages back.
ONLY_SAID = {"sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"}


def as_list(value):
    return value if isinstance(value, list) else [value]


def allows(statements, action, resource, context):
    for statement in statements:
        conditions = statement.get("Condition", {})
        assert statement["Effect"] == "Allow" and set(conditions) <= {"StringEquals"}, statement
        if action in as_list(statement["Action"]) and \
                any(fnmatch.fnmatchcase(resource, r) for r in as_list(statement["Resource"])) and \
                all(context.get(key) in as_list(value)
                    for key, value in conditions.get("StringEquals", {}).items()):
            return True
    return False


class Guard(FaultProxy):
    """The proxy of a Cloud, with IAM before it."""

    def protect(self, statements, encrypted=False):
        self.statements, self.encrypted = statements, encrypted
        self.used, self.denied = set(), set()
        return self

    def needs(self, request, service):
        """(action, resource, context) of what a request may not do without."""
        target = request.headers.get("x-amz-target", "").split(".")[-1]
        if service == "sqs":
            name = request.json()["QueueUrl"].rsplit("/", 1)[1]
            return [("sqs:" + ONE_ACTION.get(target, target),
                     "arn:aws:sqs:%s:%s:%s" % (REGION, ACCOUNT, name), {})]
        if service == "monitoring":
            body = request.body
            if request.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            return [("cloudwatch:" + target, "*",
                     {"cloudwatch:namespace": json.loads(body).get("Namespace")})]
        if service == "dynamodb":
            body = request.json()
            return [("dynamodb:" + target, "arn:aws:dynamodb:%s:%s:table/%s" % (
                REGION, ACCOUNT, table), {}) for table in body.get("RequestItems",
                                                                  [body.get("TableName")])]
        if service == "bedrock":
            if request.path == "/inference-profiles":
                return [("bedrock:ListInferenceProfiles", "*", {})]
            if request.path == "/listTagsForResource":
                return [("bedrock:ListTagsForResource", request.json()["resourceARN"], {})]
            return [("bedrock:GetInferenceProfile",
                     urllib.parse.unquote(request.path.split("/", 2)[2]), {})]
        bucket, _, key = request.path[1:].partition("/")
        if not key:
            return [("s3:ListBucket", "arn:aws:s3:::" + bucket, {})]
        wanted = [("s3:GetObject", "arn:aws:s3:::%s/%s" % (bucket, urllib.parse.unquote(key)), {})]
        if self.encrypted:
            wanted.append(("kms:Decrypt", KEY_ARN,
                           {"kms:ViaService": "s3.%s.amazonaws.com" % REGION}))
        return wanted

    def refuse(self, request, action, resource):
        self.denied.add(action)
        return httpbase.aws_error(
            request, 403, "AccessDenied", "User: arn:aws:sts::%s:assumed-role/role/session is not "
            "authorized to perform: %s on resource: %s because no identity-based policy allows the "
            "%s action" % (ACCOUNT, action, resource, action), "AccessDeniedException")

    def _respond(self, request, entry, rule):
        for action, resource, context in self.needs(request, entry["service"]):
            if not allows(self.statements, action, resource, context):
                return self.refuse(request, action, resource)
            self.used.add(action)
        response = super()._respond(request, entry, rule)
        if response is not None and response.status == 404 and entry["service"] == "s3":
            # S3 tells only those who may list that an object is not there.
            bucket = "arn:aws:s3:::" + request.path[1:].partition("/")[0]
            if not allows(self.statements, "s3:ListBucket", bucket, {}):
                return self.refuse(request, "s3:ListBucket", bucket)
            self.used.add("s3:ListBucket")
        return response


def profile(arn, name):
    return {"inferenceProfileArn": arn, "inferenceProfileId": arn.rpartition("/")[2],
            "inferenceProfileName": name, "status": "ACTIVE", "type": "APPLICATION",
            "models": [{"modelArn": "arn:aws:bedrock:%s::foundation-model/anthropic.claude-x-v1:0"
                        % r} for r in ("us-east-1", "us-west-2")]}


def bedrock(request):
    """One profile is in the list, the other was made since."""
    if request.path == "/listTagsForResource":
        return httpbase.json_response({"tags": [{"key": "team", "value": "billing"}]})
    if request.path != "/inference-profiles":
        return httpbase.json_response(profile(LATER_PROFILE, "later-app"))
    return httpbase.json_response({"inferenceProfileSummaries": [profile(PROFILE, "billing-app")]})


class World(Cloud):
    """A cloud whose proxy is a Guard."""

    def __init__(self, statements, dynamodb, encrypted=False, visibility=1):
        super().__init__(visibility=visibility)
        self.statements, self.dynamodb, self.encrypted = statements, dynamodb, encrypted
        self.bedrock = httpbase.Server(bedrock)

    def __enter__(self):
        super().__enter__()
        plain, self.proxy = self.proxy, None
        plain.stop()
        self.bedrock.start()
        routes = {"monitoring": "127.0.0.1:%d" % self.cloudwatch.server.port,
                  "bedrock": "127.0.0.1:%d" % self.bedrock.port}
        if self.dynamodb:
            routes["dynamodb"] = self.dynamodb
        self.proxy = Guard("127.0.0.1:%d" % self.stub.server.port,
                           keys={ACCESS: (SECRET, None)}, routes=routes).protect(
                               self.statements, self.encrypted)
        self.proxy.start()
        return self

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.bedrock.stop()

    def call(self, payloads, **env):
        """One function for all payloads: what each answered, and the log."""
        runtime, log = self.invoke(*payloads, AWS_MAX_ATTEMPTS="1", **env)
        answers = []
        for result in runtime.results:
            body = json.loads(result["body"])
            answers.append(sorted(f["itemIdentifier"] for f in body["batchItemFailures"])
                           if "batchItemFailures" in body else
                           "%s %s" % (result["kind"], "error" if "errorType" in body else "ok"))
        return answers, log

    def outcome(self, answers, log, dimension=("InferenceProfileType",)):
        names = {tuple(d.values()) for _, m, d, _, _ in self.cloudwatch.data()
                 if m == "Invocations" and tuple(d) == dimension}
        sums = {k: v for k, v in self.sums(dimension).items() if v}
        return {"answers": answers, "sums": sums, "values": sorted(names), "log": log,
                "used": self.proxy.used, "denied": self.proxy.denied}


# ---- what the function does: one object counted, one gone, by each kind of stack ----

def two_messages(world):
    present = world.put("present", [numbered(1)])
    return sqs_payload([s3_event(present), s3_event(log_key("gone"))])


def function_counts(statements, dynamodb, encrypted=False):
    with World(statements, None, encrypted) as world:
        return world.outcome(*world.call([two_messages(world)]))


def function_counts_encrypted(statements, dynamodb):
    return function_counts(statements, dynamodb, encrypted=True)


def function_resolves(statements, dynamodb):
    with World(statements, None) as world:
        records = [numbered(1, model=PROFILE), numbered(2, model=LATER_PROFILE)]
        for record in records:
            del record["inferenceRegion"]
        key = world.put("o", records)
        dimensions = ("InferenceProfile", "InferenceProfileType", "Tag:team")  # as they are kept
        return world.outcome(*world.call([sqs_payload([s3_event(key)])],
                                         RESOLVE_INFERENCE_PROFILES="true",
                                         METRIC_DIMENSIONS=",".join(dimensions)),
                             dimension=dimensions)


def function_keeps_a_ledger(statements, dynamodb):
    """Counted, announced again, swept, and a publish whose answer is lost settled."""
    env = {"LEDGER": "dynamodb://" + TABLE, "METRICS": "Invocations,TotalTokenCount",
           "BEDROCK_METRICS_TEST_FENCE_MS": 1000, "BEDROCK_METRICS_TEST_LEASE_MS": 200}
    with World(statements, dynamodb) as world:
        message = two_messages(world)
        answers, log = world.call([message, message], **env)
        world.put("unannounced", [numbered(2)])
        more, swept = world.call([{"command": "sweep", "since": "3000d", "grace": "0m"}], **env)
        doubtful = sqs_payload([s3_event(world.put("doubt", [numbered(3)]))])
        # The request arrives and its answer is lost; the marker proves it after the fence.
        world.proxy.add({"target": "PutMetricData", "fault": "rst_after"})
        _, first = world.call([doubtful], **env)
        time.sleep(2.1)
        settled, second = world.call([doubtful], **env)
        # Tables of several Regions publish to one namespace: whose marker it is stands in it.
        slots = {d["Slot"] for _, m, d, _, _ in world.cloudwatch.data() if m == "PublishMarker"}
        assert not slots or all(re.fullmatch(r"us-east-1/%s/\d+" % TABLE, s) for s in slots), slots
        return world.outcome(answers + more + settled, log + swept + first + second)


FUNCTION_SCENARIOS = {
    "counts": (function_counts, {}),
    "counts encrypted logs": (function_counts_encrypted, {"KmsKeyArn": KEY_ARN}),
    "resolves profiles": (function_resolves, {"ResolveInferenceProfiles": "true"}),
    "keeps a ledger": (function_keeps_a_ledger, {"Ledger": "true"}),
}


# ---- what the worker does ----

def worker_counts(statements, dynamodb):
    """One object counted, one gone, one corrupt, which is returned."""
    # Longer than the run: a message that is not deleted is not counted twice here.
    with World(statements, None, visibility=60) as world:
        world.send(world.put("present", [numbered(1)]))
        world.send(log_key("gone"))
        world.send(world.put("corrupt", [], content=b"\x1f\x8b\x08\x00bad", count=False))
        run = world.run("worker", "--once", AWS_MAX_ATTEMPTS="1")
        left = world.stub.stats()["queues"][QUEUE]
        return world.outcome([run.returncode, left["waiting"] + left["in_flight"]], run.stderr)


# ---- judging ----

def statements_of(policy_statements, names):
    """The statements with the stack's own names put in."""
    text = json.dumps(policy_statements)
    for name, value in names.items():
        text = text.replace(name, value)
    return json.loads(text)


def without(statements, action):
    found = []
    for statement in statements:
        left = [a for a in as_list(statement["Action"]) if a != action]
        if left:
            found.append(dict(statement, Action=left))
    return found


def actions_of(statements):
    return {action for statement in statements for action in as_list(statement["Action"])}


def named(outcome, action):
    """The messages of the log lines that name the action, and what they name: without levels,
    times and details."""
    return sorted({re.split(r" +\w+=", line.partition(" ")[2].strip())[0]
                   for line in outcome["log"].splitlines()
                   if "not authorized to perform: %s " % action in line})


def shown(outcome, action):
    """What makes one outcome another: answers and messages left, sums, dimension values, and what
    the program says that it cannot do, or does in another way."""
    return dict({k: outcome[k] for k in ("answers", "sums", "values")}, named=named(outcome, action))


def judge(name, scenario, statements, dynamodb, beyond=frozenset()):
    """Problems of a policy with a scenario: too little, too much, or a denial nobody would find.
    `beyond`: actions that somebody else needs."""
    problems = []
    whole = scenario(statements, dynamodb())
    if whole["denied"]:
        return ["%s: needs %s, which no statement allows" % (name, sorted(whole["denied"]))]
    for action in sorted(actions_of(statements) - beyond):
        if action not in whole["used"]:
            problems.append("%s: %s is allowed and not needed" % (name, action))
            continue
        less = scenario(without(statements, action), dynamodb())
        if action not in less["denied"]:
            problems.append("%s: without %s nothing was denied" % (name, action))
        elif not named(less, action):
            problems.append("%s: without %s the log does not name it: %s" % (
                name, action, less["log"][-1500:]))
        else:
            before, after = shown(whole, action), shown(less, action)
            print("   %s without %s: %s" % (name, action, "; ".join(
                str(after[key]) for key in reversed(list(after)) if after[key] != before[key])))
            if action not in ONLY_SAID and all(after[key] == before[key] for key in (
                    "answers", "sums", "values")):
                problems.append("%s: without %s all is counted as before" % (name, action))
    return problems
