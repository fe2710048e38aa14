"""Fixes that are run: a pipeline in moto, a fault, what doctor says, and the fault is gone.  And the
canary, through a real worker.

Runs in build/venv-aws (moto_harness.py --ensure-venv makes it) and needs the AWS CLI; run.sh leaves this
out where they are missing.  The remark in brackets after a command is cut off, as a reader would.
"""
import io
import json
import os
import shlex
import shutil
import sys
import tempfile
import time
import zipfile

import boto3

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import ROOT, process  # noqa: E402
from support.process import ACCESS, SECRET, Process, aws_environment  # noqa: E402
from support.records import ACCOUNT, timed_key  # noqa: E402
from support.results import Results  # noqa: E402
import cloudwatch_stub  # noqa: E402
from moto_harness import MotoServer  # noqa: E402

REGION = "us-east-1"
ARN = "arn:aws:sqs:%s:%s:" % (REGION, ACCOUNT)
KEYS = {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET}
ATTRIBUTES = {
    "VisibilityTimeout": "1300", "MessageRetentionPeriod": "1209600",
    "ReceiveMessageWaitTimeSeconds": "20",
    "RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 5}),
    "Policy": json.dumps({"Version": "2012-10-17", "Statement": [{
        "Sid": "S3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": ARN + "events",
        "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::logs-bucket"}}}]})}
NOTIFICATION = {"QueueConfigurations": [{
    "QueueArn": ARN + "events", "Events": ["s3:ObjectCreated:*"],
    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "AWSLogs/"},
                                       {"Name": "suffix", "Value": ".json.gz"}]}}}]}


BUCKET_POLICY = {"Version": "2012-10-17", "Statement": [
    {"Sid": "Keep", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % ACCOUNT},
     "Action": "s3:GetObject", "Resource": "arn:aws:s3:::logs-bucket/*"},
    {"Sid": "Bedrock", "Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"},
     "Action": "s3:PutObject",
     "Resource": "arn:aws:s3:::logs-bucket/AWSLogs/%s/BedrockModelInvocationLogs/*" % ACCOUNT,
     "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}]}
KEY_POLICY = {"Version": "2012-10-17", "Statement": [
    {"Sid": "Keep", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % ACCOUNT},
     "Action": "kms:*", "Resource": "*"},
    dict(BUCKET_POLICY["Statement"][1], Action="kms:GenerateDataKey", Resource="*")]}


class Pipeline:
    def __init__(self, server):
        self.server = server

        def client(name):
            return boto3.client(name, endpoint_url=server.url, region_name=REGION, **KEYS)
        self.s3, self.sqs, self.lam = client("s3"), client("sqs"), client("lambda")
        self.logging, self.metrics = client("bedrock"), client("cloudwatch")
        self.iam, self.tables = client("iam"), client("dynamodb")
        self.kms, self.logs, self.events = client("kms"), client("logs"), client("events")

    def make(self):
        self.server.reset()
        self.s3.create_bucket(Bucket="logs-bucket")
        self.set_bucket_policy()
        self.logs.create_log_group(logGroupName="/aws/lambda/bedrock-metrics-aggregator")
        self.logs.put_retention_policy(logGroupName="/aws/lambda/bedrock-metrics-aggregator",
                                       retentionInDays=7)
        self.alarm("x", "dead", ["arn:aws:sns:us-east-1:123456789012:ops"])
        self.sqs.create_queue(QueueName="dead", Attributes={"MessageRetentionPeriod": "1209600"})
        self.queue = self.sqs.create_queue(QueueName="events", Attributes=ATTRIBUTES)["QueueUrl"]
        self.logging.put_model_invocation_logging_configuration(loggingConfig={
            "s3Config": {"bucketName": "logs-bucket", "keyPrefix": ""}})
        self.s3.put_bucket_notification_configuration(Bucket="logs-bucket",
                                                      NotificationConfiguration=NOTIFICATION)
        role = self.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as z:
            z.writestr("bootstrap", "x")
        self.function = self.lam.create_function(
            FunctionName="bedrock-metrics-aggregator", Runtime="provided.al2023", Role=role,
            Handler="bootstrap", Code={"ZipFile": code.getvalue()}, Timeout=120,
            Environment={"Variables": {"S3_BUCKET_NAME": "logs-bucket", "OTHER": "kept"}})["FunctionArn"]
        self.mapping = self.lam.create_event_source_mapping(
            EventSourceArn=ARN + "events", FunctionName="bedrock-metrics-aggregator", BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": 8})["UUID"]
        self.s3.put_object(Bucket="logs-bucket", Body=b"x", Key=timed_key(time.time()))
        self.sqs.purge_queue(QueueUrl=self.queue)
        self.metrics.put_metric_data(Namespace="Custom/BedrockMetrics", MetricData=[{
            "MetricName": "Invocations", "Value": 3,
            "Dimensions": [{"Name": "InferenceProfileType", "Value": "InRegion"}]}])

    def set_queue(self, **attributes):
        attributes.setdefault("Policy", ATTRIBUTES["Policy"])
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes=attributes)

    def set_bucket_policy(self, **changes):
        new = json.loads(json.dumps(BUCKET_POLICY))
        new["Statement"][1].update(changes)
        self.s3.put_bucket_policy(Bucket="logs-bucket", Policy=json.dumps(new))

    def alarm(self, name, queue, actions, enabled=True):
        self.metrics.put_metric_alarm(
            AlarmName=name, Namespace="AWS/SQS", MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": queue}], Statistic="Maximum", Period=300,
            EvaluationPeriods=1, Threshold=1.0, AlarmActions=actions, ActionsEnabled=enabled,
            ComparisonOperator="GreaterThanOrEqualToThreshold")

    def key(self, policy=None):
        """The bucket encrypts with a key of this policy.  By its id: moto disables none by ARN."""
        self.key_id = self.kms.create_key(Policy=json.dumps(policy or KEY_POLICY))["KeyMetadata"][
            "KeyId"]
        self.s3.put_bucket_encryption(Bucket="logs-bucket", ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key_id}}]})

    def schedule(self, on):
        if on:
            self.events.put_rule(Name="sweep", ScheduleExpression="rate(1 hour)")
            self.events.put_targets(Rule="sweep", Targets=[{"Id": "f", "Arn": self.function}])
        else:
            self.events.remove_targets(Rule="sweep", Ids=["f"])

    def keep_policy(self):
        """moto 5.2.1 forgets the policy when other attributes are set; SQS does not."""
        now = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["Policy"])
        if "Policy" not in now.get("Attributes", {}):
            self.set_queue()

    def notify(self, config):
        self.s3.put_bucket_notification_configuration(Bucket="logs-bucket",
                                                      NotificationConfiguration=config)


def policy(change):
    statement = json.loads(ATTRIBUTES["Policy"])["Statement"][0]
    statement.update(change)
    keep = {"Sid": "Keep", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"},
            "Action": "sqs:ReceiveMessage", "Resource": ARN + "events"}
    return json.dumps({"Version": "2012-10-17", "Statement": [keep, statement]})


def other_entry(p):
    p.sqs.create_queue(QueueName="other", Attributes={"Policy": policy({"Resource": "*"})})
    p.notify({"QueueConfigurations": [{"QueueArn": ARN + "other", "Events": ["s3:ObjectCreated:*"],
                                       "Filter": {"Key": {"FilterRules": [
                                           {"Name": "prefix", "Value": "x/"}]}}}]})


def no_condition(p):
    statement = json.loads(ATTRIBUTES["Policy"])["Statement"][0]
    del statement["Condition"]
    p.set_queue(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


FAULTS = [
    ("BM-D20", lambda p: p.logging.delete_model_invocation_logging_configuration()),
    ("BM-D22", lambda p: (p.s3.create_bucket(Bucket="other"),
                          p.logging.put_model_invocation_logging_configuration(
                              loggingConfig={"s3Config": {"bucketName": "other"}}))),
    ("BM-D40", lambda p: p.notify({})),
    ("BM-D40", other_entry),
    ("BM-D53", lambda p: p.set_queue(Policy="")),
    ("BM-D53", lambda p: p.set_queue(Policy=policy({"Action": "sqs:ReceiveMessage"}))),
    ("BM-D54", lambda p: p.set_queue(Policy=policy({
        "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::x"}}}))),
    ("BM-D55", lambda p: p.set_queue(Policy=policy({
        "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}))),
    ("BM-D56", lambda p: p.set_queue(Policy=policy({"Effect": "Deny", "Condition": {}}))),
    ("BM-D57", no_condition),
    ("BM-D58", lambda p: p.set_queue(ReceiveMessageWaitTimeSeconds="0")),
    ("BM-D59", lambda p: p.set_queue(MessageRetentionPeriod="3600")),
    ("BM-D61", lambda p: p.set_queue(RedrivePolicy=json.dumps(
        {"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 1}))),
    ("BM-D62", lambda p: p.sqs.delete_queue(QueueUrl=p.queue.replace("events", "dead"))),
    ("BM-D64", lambda p: p.sqs.set_queue_attributes(
        QueueUrl=p.queue.replace("events", "dead"),
        Attributes={"MessageRetentionPeriod": "3600"})),
    ("BM-D70", lambda p: p.lam.delete_event_source_mapping(UUID=p.mapping)),
    ("BM-D71", lambda p: p.lam.update_event_source_mapping(UUID=p.mapping, Enabled=False)),
    ("BM-D77", lambda p: p.lam.update_function_configuration(
        FunctionName="bedrock-metrics-aggregator",
        Environment={"Variables": {"S3_BUCKET_NAME": "it's", "OTHER": "kept"}})),
    ("BM-D80", lambda p: p.set_queue(VisibilityTimeout="30")),
    ("BM-D81", lambda p: p.set_queue(VisibilityTimeout="800")),
    ("BM-D34", lambda p: p.s3.delete_bucket_policy(Bucket="logs-bucket")),
    ("BM-D34", lambda p: p.set_bucket_policy(Action="s3:GetObject")),
    ("BM-D35", lambda p: p.set_bucket_policy(Effect="Deny")),
    ("BM-D36", lambda p: p.set_bucket_policy(Condition={})),
    ("BM-D37", lambda p: p.key({"Version": "2012-10-17", "Statement": KEY_POLICY["Statement"][:1]})),
    ("BM-D38", lambda p: (p.key(), p.kms.disable_key(KeyId=p.key_id))),
    ("BM-D38", lambda p: (p.key(), p.kms.schedule_key_deletion(KeyId=p.key_id,
                                                               PendingWindowInDays=7))),
    ("BM-D65", lambda p: p.metrics.delete_alarms(AlarmNames=["x"])),
    ("BM-D66", lambda p: p.alarm("x", "dead", [])),
    ("BM-D67", lambda p: p.lam.put_function_concurrency(
        FunctionName="bedrock-metrics-aggregator", ReservedConcurrentExecutions=5)),
    ("BM-D68", lambda p: p.lam.put_function_concurrency(
        FunctionName="bedrock-metrics-aggregator", ReservedConcurrentExecutions=0)),
    ("BM-D83", lambda p: p.logs.delete_retention_policy(
        logGroupName="/aws/lambda/bedrock-metrics-aggregator")),
    ("BM-D84", lambda p: p.schedule(False)),
    ("BM-D94", lambda p: p.tables.delete_table(TableName="ledger")),
]


def findings(binary, env):
    result = process.run([binary, "doctor", "--quiet", "--output", "json"], env, cwd=env["HOME"])
    return [c for c in json.loads(result.stdout)["checks"] if "code" in c]


def one(p, binary, env, code, plant):
    p.make()
    if code in ("BM-D84", "BM-D94"):
        p.lam.update_function_configuration(
            FunctionName="bedrock-metrics-aggregator", Environment={"Variables": {
                "S3_BUCKET_NAME": "logs-bucket", "LEDGER": "dynamodb://ledger"}})
        p.schedule(True)
        p.tables.create_table(TableName="ledger", BillingMode="PAY_PER_REQUEST",
                              AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                              KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}])
        p.set_queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": ARN + "dead",
                                              "maxReceiveCount": 20}))
        env = dict(env, LEDGER="dynamodb://ledger")
    before = findings(binary, env)
    if before:
        return "not healthy to begin with: %s" % before
    plant(p)
    named = findings(binary, env)
    if [f["code"] for f in named] != [code]:
        return "planted %s, named %s" % (code, named)
    command = named[0]["fix"].split(" (")[0] if "$(" not in named[0]["fix"] else named[0]["fix"]
    run = process.run(["sh", "-c", command], env, cwd=ROOT, text=True)
    if run.returncode != 0:
        return "%s: exit %d: %s" % (command, run.returncode, run.stderr)
    p.keep_policy()
    after = findings(binary, env)
    if after:
        return "after %s: %s" % (command, after)
    if code == "BM-D77":
        kept = p.lam.get_function_configuration(FunctionName="bedrock-metrics-aggregator")
        if kept["Environment"]["Variables"].get("OTHER") != "kept":
            return "the function's other variables are gone"
    if code in ("BM-D34", "BM-D35", "BM-D36") and '"Keep"' not in command:
        # Of no policy at all nothing is kept.
        if "delete_bucket_policy" not in "".join(plant.__code__.co_names):
            return "another statement of the bucket's policy is gone: %s" % command
    if code == "BM-D37" and '"Keep"' not in p.kms.get_key_policy(
            KeyId=p.key_id, PolicyName="default")["Policy"]:
        return "another statement of the key's policy is gone"
    if code in ("BM-D54", "BM-D55", "BM-D56"):
        new = p.sqs.get_queue_attributes(QueueUrl=p.queue, AttributeNames=["Policy"])
        if '"Keep"' not in new["Attributes"]["Policy"]:
            return "another statement of the policy is gone"
    return None


def canary(p, binary, env):
    """The whole way: doctor writes, moto's S3 tells the queue, a real worker counts and publishes.

    CloudWatch is the strict counterpart, because moto does not read gzip'ed requests.
    """
    metrics = cloudwatch_stub.CloudWatchStub().start()
    p.make()
    env = dict(env, AWS_ENDPOINT_URL_CLOUDWATCH=metrics.url, FLUSH_INTERVAL="1")
    try:
        with Process([binary, "worker", "--quiet"], env, cwd=env["HOME"]):
            result = process.run([binary, "doctor", "--quiet", "--consumer", "worker", "--canary",
                                  "--wait", "60", "--output", "json"], env, cwd=env["HOME"])
    finally:
        metrics.stop()
    steps = [c for c in json.loads(result.stdout)["checks"] if c["step"] == "canary"]
    good = result.returncode == 0 and [c["result"] for c in steps] == ["ok"]
    return None if good else "canary: %s" % steps


def main():
    binary = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:]
    results = Results()
    with MotoServer(sys.prefix) as server, tempfile.TemporaryDirectory() as home:
        p = Pipeline(server)
        env = aws_environment(server.url, home, AWS_DEFAULT_REGION=REGION, AWS_PAGER="",
                              S3_BUCKET_NAME="logs-bucket",
                              SQS_QUEUE_URL="%s/%s/events" % (server.url, ACCOUNT))
        # Not every AWS CLI heeds AWS_ENDPOINT_URL, and none may get out of this machine.
        shim = os.path.join(home, "aws")
        with open(shim, "w") as f:
            f.write("#!/bin/sh\nexec %s --endpoint-url %s \"$@\"\n"
                    % (shlex.quote(shutil.which("aws")), server.url))
        os.chmod(shim, 0o755)
        env["PATH"] = home + ":" + env["PATH"]
        for code, plant in FAULTS:
            if wanted and code not in wanted:
                continue
            if code == "BM-D77" and shutil.which("jq") is None:
                results.skip(code, "no jq on this machine")
                continue
            problem = one(p, binary, env, code, plant)
            results.check(not problem, "%s: %s" % (code, problem))
        if not wanted or "canary" in wanted:
            problem = canary(p, binary, env)
            results.check(not problem, problem)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
