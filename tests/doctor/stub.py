"""A pipeline's worth of AWS on loopback: what doctor asks, answered from one dictionary.

    stub = Stub().start();  stub.state["queue"]["VisibilityTimeout"] = "30"

Services and Regions are distinguished by the credential scope of the signature, which is not checked.
stub.writes lists every call that would have changed something.
"""
import copy
import json
import os
import re
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import records  # noqa: E402
import httpbase  # noqa: E402
from httpbase import Response, json_response, xml_text  # noqa: E402

ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = "bedrock-logs"
QUEUE = "events"
DEAD = "dead-letters"
FUNCTION = "bedrock-metrics-aggregator"
NAMESPACE = "Custom/BedrockMetrics"
QUEUE_ARN = "arn:aws:sqs:%s:%s:%s" % (REGION, ACCOUNT, QUEUE)
DEAD_ARN = "arn:aws:sqs:%s:%s:%s" % (REGION, ACCOUNT, DEAD)
FUNCTION_ARN = "arn:aws:lambda:%s:%s:function:%s" % (REGION, ACCOUNT, FUNCTION)
QUEUE_URL = "https://sqs.%s.amazonaws.com/%s/%s" % (REGION, ACCOUNT, QUEUE)


def log_key(age_s, region=REGION, prefix="", account=ACCOUNT):
    return records.timed_key(time.time() - age_s, region=region, account=account, prefix=prefix)


def statement(**changes):
    s = {"Sid": "BucketSendsEvents", "Effect": "Allow",
         "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage",
         "Resource": QUEUE_ARN,
         "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT},
                       "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::" + BUCKET}}}
    s.update(changes)
    return {name: value for name, value in s.items() if value is not None}


DENY_PLAIN_HTTP = {"Sid": "DenyPlainHttp", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
                   "Resource": QUEUE_ARN,
                   "Condition": {"Bool": {"aws:SecureTransport": "false"}}}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def bedrock_statement(**changes):
    s = {"Sid": "BedrockWritesLogs", "Effect": "Allow",
         "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "s3:PutObject",
         "Resource": "arn:aws:s3:::%s/AWSLogs/%s/BedrockModelInvocationLogs/*" % (BUCKET, ACCOUNT),
         "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT},
                       "ArnLike": {"aws:SourceArn": "arn:aws:bedrock:%s:%s:*" % (REGION,
                                                                                 ACCOUNT)}}}
    s.update(changes)
    return {name: value for name, value in s.items() if value is not None}


KEY_STATEMENTS = (
    {"Sid": "Root", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % ACCOUNT},
     "Action": "kms:*", "Resource": "*"},
    bedrock_statement(Sid="BedrockEncryptsLogs", Action="kms:GenerateDataKey", Resource="*"))
KEY = "arn:aws:kms:%s:%s:key/11111111-2222-3333-4444-555555555555" % (REGION, ACCOUNT)
ROLE = "arn:aws:iam::210987654321:role/bedrock-logs-reader"


def alarm(**changes):
    a = {"AlarmName": "dead-letters", "ActionsEnabled": True, "Namespace": "AWS/SQS",
         "AlarmActions": ["arn:aws:sns:%s:%s:ops" % (REGION, ACCOUNT)],
         "MetricName": "ApproximateNumberOfMessagesVisible",
         "Dimensions": [{"Name": "QueueName", "Value": DEAD}]}
    a.update(changes)
    return {name: value for name, value in a.items() if value is not None}


def queue_entry(events=("s3:ObjectCreated:*",), prefix="AWSLogs/", suffix=".json.gz",
                target=QUEUE_ARN, kind="Queue"):
    rules = "".join("<FilterRule><Name>%s</Name><Value>%s</Value></FilterRule>" % rule
                    for rule in (("Prefix", prefix), ("Suffix", suffix)) if rule[1] is not None)
    return "<%sConfiguration><Id>x</Id><%s>%s</%s>%s<Filter><S3Key>%s</S3Key></Filter>" \
           "</%sConfiguration>" % (kind, kind, target, kind,
                                   "".join("<Event>%s</Event>" % e for e in events), rules, kind)


def healthy():
    """State of a pipeline as template.yaml makes it, with logs of ten minutes ago counted."""
    return {
        "identity": "arn:aws:iam::%s:user/tester" % ACCOUNT,
        "logging": {REGION: {"s3Config": {"bucketName": BUCKET, "keyPrefix": ""},
                             "textDataDeliveryEnabled": False}},
        "buckets": {BUCKET: {"region": REGION, "objects": {log_key(600): 600,
                                                           log_key(4000): 4000}}},
        "notification": {BUCKET: queue_entry()},
        "policies": {BUCKET: policy(bedrock_statement(), dict(
            DENY_PLAIN_HTTP, Action="s3:*", Resource="arn:aws:s3:::%s/*" % BUCKET))},
        "encryption": {},         # bucket -> (algorithm, key)
        "keys": {KEY: {"KeyState": "Enabled", "KeyManager": "CUSTOMER", "Arn": KEY,
                       "policy": policy(*KEY_STATEMENTS)}},
        "alarms": [alarm(AlarmName="errors", Namespace="AWS/Lambda", MetricName="Errors",
                         Dimensions=[]), alarm()],
        "concurrency": {},        # function -> reserved
        "log_groups": {"/aws/lambda/" + FUNCTION: 30},
        "rules": ["sweep-hourly", "sweep-daily"],
        "roles": {ROLE},          # that can be taken
        "queues": {
            QUEUE: {"QueueArn": QUEUE_ARN, "ApproximateNumberOfMessages": "0",
                    "ApproximateNumberOfMessagesNotVisible": "0",
                    "ApproximateNumberOfMessagesDelayed": "0", "VisibilityTimeout": "1300",
                    "MessageRetentionPeriod": "1209600", "ReceiveMessageWaitTimeSeconds": "20",
                    "SqsManagedSseEnabled": "true",
                    "RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD_ARN,
                                                 "maxReceiveCount": 5}),
                    "Policy": policy(statement(), DENY_PLAIN_HTTP)},
            DEAD: {"QueueArn": DEAD_ARN, "ApproximateNumberOfMessages": "0",
                   "MessageRetentionPeriod": "1209600", "VisibilityTimeout": "30"},
        },
        "oldest_age": None,
        "mappings": [{"UUID": "11111111-2222-3333-4444-555555555555", "BatchSize": 10,
                      "EventSourceArn": QUEUE_ARN, "FunctionArn": FUNCTION_ARN,
                      "State": "Enabled", "FunctionResponseTypes": ["ReportBatchItemFailures"],
                      "MaximumBatchingWindowInSeconds": 20,
                      "ScalingConfig": {"MaximumConcurrency": 8}}],
        "functions": {FUNCTION: {
            "FunctionName": FUNCTION, "State": "Active", "LastUpdateStatus": "Successful",
            "Timeout": 120,
            "Environment": {"Variables": {"S3_BUCKET_NAME": BUCKET, "SQS_QUEUE_URL": QUEUE_URL,
                                          "CLOUDWATCH_NAMESPACE": NAMESPACE,
                                          "CLOUDWATCH_REGION": REGION,
                                          "OTHER_SECRET": "do-not-print-me"}}}},
        "series": {(NAMESPACE, REGION): 2},
        "datum_age": 620,
        "tables": {"ledger": {"TableStatus": "ACTIVE",
                              "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                              "AttributeDefinitions": [{"AttributeName": "pk",
                                                        "AttributeType": "S"}]}},
        "denied": set(),          # IAM actions
        "refused": None,          # error code of GetCallerIdentity
        "counts_canary": True,
        "canaries": 0,
    }


class Stub:
    def __init__(self):
        self.state = healthy()
        self.writes = []
        self.calls = []
        self.last_put = None
        self.server = httpbase.Server(self.handle)

    def start(self):
        self.server.start()
        return self

    def stop(self):
        self.server.stop()

    @property
    def url(self):
        return self.server.url

    def reset(self):
        self.state = copy.deepcopy(healthy())
        self.writes, self.calls, self.last_put = [], [], None

    # ---- dispatch ----

    def handle(self, request):
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/",
                          request.headers.get("authorization", ""))
        if not scope:
            return httpbase.aws_error(request, 403, "AccessDenied", "unsigned")
        region, service = scope.groups()
        answer = getattr(self, "on_" + service)(request, region)
        return answer

    def allowed(self, request, action):
        self.calls.append(action)
        if action in self.state["denied"]:
            return httpbase.aws_error(request, 403, "AccessDenied", "not authorized: " + action,
                                      shape="AccessDeniedException")
        return None

    def on_sts(self, request, region):
        if self.state["refused"]:
            return httpbase.aws_error(request, 403, self.state["refused"], "refused")
        form = urllib.parse.parse_qs(request.body.decode())
        if form["Action"] == ["AssumeRole"]:
            role = form["RoleArn"][0]
            denied = self.allowed(request, "sts:AssumeRole")
            if denied or role not in self.state["roles"]:
                return denied or httpbase.aws_error(
                    request, 403, "AccessDenied", "User: %s is not authorized to perform: "
                    "sts:AssumeRole on resource: %s" % (self.state["identity"], role))
            expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            return Response(200, (
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE"
                "</AccessKeyId><SecretAccessKey>very-secret-key</SecretAccessKey><SessionToken>t"
                "</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult>"
                "</AssumeRoleResponse>" % expires).encode())
        return Response(200, ("<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn>"
                              "<UserId>AIDA</UserId><Account>%s</Account>"
                              "</GetCallerIdentityResult></GetCallerIdentityResponse>"
                              % (self.state["identity"], ACCOUNT)).encode())

    def on_bedrock(self, request, region):
        denied = self.allowed(request, "bedrock:GetModelInvocationLoggingConfiguration")
        if denied:
            return denied
        config = self.state["logging"].get(region)
        return json_response({"loggingConfig": config} if config else {})

    # ---- S3 ----

    def on_s3(self, request, region):
        name, _, key = request.path[1:].partition("/")
        key = urllib.parse.unquote(key)
        bucket = self.state["buckets"].get(name)
        query = request.params()
        action = {"notification": "s3:GetBucketNotification", "policy": "s3:GetBucketPolicy",
                  "encryption": "s3:GetEncryptionConfiguration"}.get(
                      next(iter(query), ""), "s3:ListBucket")
        if request.method == "PUT":
            action = "s3:PutObject"
        denied = self.allowed(request, action)
        if denied:
            return denied
        if bucket is None:
            return httpbase.aws_error(request, 404, "NoSuchBucket", "no such bucket")
        headers = [("x-amz-bucket-region", bucket["region"])]
        if request.method == "HEAD":
            return Response(200, b"", headers)
        if request.method == "PUT":
            self.writes.append("PutObject " + key)
            self.last_put = (key, request.body)
            if self.state["counts_canary"]:
                self.state["canaries"] += 1
            return Response(200, b"", headers)
        if "notification" in query:
            text = "<NotificationConfiguration>%s</NotificationConfiguration>" \
                % self.state["notification"].get(name, "")
            return Response(200, text.encode(), headers)
        if "policy" in query:
            found = self.state["policies"].get(name)
            if found is None:
                return httpbase.aws_error(request, 404, "NoSuchBucketPolicy", "no policy")
            return Response(200, found.encode(), headers)
        if "encryption" in query:
            how, key = self.state["encryption"].get(name, ("AES256", None))
            return Response(200, (
                "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
                "<SSEAlgorithm>%s</SSEAlgorithm>%s</ApplyServerSideEncryptionByDefault></Rule>"
                "</ServerSideEncryptionConfiguration>" % (
                    how, "<KMSMasterKeyID>%s</KMSMasterKeyID>" % key if key else "")).encode(),
                headers)
        return self.listing(bucket, query)

    def listing(self, bucket, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        folders, out = [], []
        for key in sorted(bucket["objects"]):
            if not key.startswith(prefix):
                continue
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            if at >= 0:
                if key[:at + 1] not in folders:
                    folders.append(key[:at + 1])
                continue
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z",
                                  time.gmtime(time.time() - bucket["objects"][key]))
            out.append("<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>&quot;e&quot;"
                       "</ETag><Size>100</Size></Contents>" % (xml_text(key), stamp))
        out += ["<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>" % xml_text(f)
                for f in folders]
        return Response(200, ("<ListBucketResult><IsTruncated>false</IsTruncated>%s"
                              "</ListBucketResult>" % "".join(out)).encode())

    # ---- JSON services ----

    def on_sqs(self, request, region):
        operation = request.headers["x-amz-target"].split(".")[1]
        if operation != "GetQueueAttributes":
            self.writes.append(operation)
            return httpbase.aws_error(request, 400, "InvalidAction", operation)
        denied = self.allowed(request, "sqs:GetQueueAttributes")
        if denied:
            return denied
        name = request.json()["QueueUrl"].rsplit("/", 1)[1]
        queue = self.state["queues"].get(name)
        if queue is None:
            return httpbase.aws_error(request, 400, "QueueDoesNotExist", "no such queue")
        return json_response({"Attributes": queue})

    def on_monitoring(self, request, region):
        operation = request.headers["x-amz-target"].split(".")[1]
        body = request.json()
        denied = self.allowed(request, "cloudwatch:" + operation)
        if denied:
            return denied
        if operation == "DescribeAlarms":
            return json_response({"MetricAlarms": self.state["alarms"]})
        if operation == "ListMetrics":
            n = self.state["series"].get((body["Namespace"], region), 0)
            return json_response({"Metrics": [
                {"Namespace": body["Namespace"], "MetricName": body["MetricName"],
                 "Dimensions": [{"Name": "InferenceProfileType", "Value": "T%d" % i}]}
                for i in range(n)]})
        if operation != "GetMetricData":
            self.writes.append(operation)
            return httpbase.aws_error(request, 400, "InvalidAction", operation)
        return json_response({"MetricDataResults": [self.result(q, region)
                                                    for q in body["MetricDataQueries"]]})

    def result(self, query, region):
        metric = query["MetricStat"]["Metric"]
        values, ages = [], []
        if metric["Namespace"] == "AWS/SQS":
            if self.state["oldest_age"] is not None:
                values, ages = [self.state["oldest_age"]], [60]
        elif {"Name": "ModelId", "Value": "bedrock-metrics.canary"} in metric["Dimensions"]:
            if self.state["canaries"]:
                values, ages = [self.state["canaries"]], [0]
        elif self.state["datum_age"] is not None and \
                self.state["series"].get((metric["Namespace"], region)):
            values, ages = [5.0], [self.state["datum_age"]]
        now = int(time.time())
        return {"Id": query["Id"], "Label": "x", "StatusCode": "Complete", "Values": values,
                "Timestamps": [now - age for age in ages]}

    def on_dynamodb(self, request, region):
        operation = request.headers["x-amz-target"].split(".")[1]
        denied = self.allowed(request, "dynamodb:" + operation)
        if denied:
            return denied
        if operation != "DescribeTable":
            self.writes.append(operation)
        table = self.state["tables"].get(request.json()["TableName"])
        if table is None:
            return httpbase.aws_error(request, 400, "ResourceNotFoundException", "no such table")
        return json_response({"Table": table})

    # ---- JSON 1.1 ----

    def asked(self, request, service):
        assert request.headers["content-type"] == "application/x-amz-json-1.1"
        operation = request.headers["x-amz-target"].split(".")[1]
        if not operation.startswith(("Describe", "Get", "List")):
            self.writes.append(operation)
        return operation, self.allowed(request, "%s:%s" % (service, operation))

    def on_kms(self, request, region):
        operation, denied = self.asked(request, "kms")
        key = self.state["keys"].get(request.json()["KeyId"])
        if denied or key is None:
            return denied or httpbase.aws_error(request, 400, "NotFoundException", "no such key")
        if operation == "GetKeyPolicy":
            return json_response({"Policy": key["policy"]})
        return json_response({"KeyMetadata": {k: v for k, v in key.items() if k != "policy"}})

    def on_logs(self, request, region):
        _, denied = self.asked(request, "logs")
        prefix = request.json()["logGroupNamePrefix"]
        return denied or json_response({"logGroups": [
            dict({"logGroupName": name}, **({"retentionInDays": days} if days else {}))
            for name, days in self.state["log_groups"].items() if name.startswith(prefix)]})

    def on_events(self, request, region):
        _, denied = self.asked(request, "events")
        return denied or json_response({"RuleNames": self.state["rules"]})

    def on_lambda(self, request, region):
        if request.method != "GET":
            self.writes.append(request.method + " " + request.path)
        path = urllib.parse.unquote(request.path)
        if path == "/2015-03-31/event-source-mappings/":
            denied = self.allowed(request, "lambda:ListEventSourceMappings")
            arn = request.params().get("EventSourceArn")
            return denied or json_response({"EventSourceMappings": [
                m for m in self.state["mappings"] if m["EventSourceArn"] == arn]})
        if path.endswith("/concurrency"):
            denied = self.allowed(request, "lambda:GetFunctionConcurrency")
            reserved = self.state["concurrency"].get(path.split("/")[3])
            return denied or json_response({} if reserved is None else {
                "ReservedConcurrentExecutions": reserved})
        denied = self.allowed(request, "lambda:GetFunctionConfiguration")
        if denied:
            return denied
        name = path.split("/")[3].split(":")[-1]
        function = self.state["functions"].get(name)
        if function is None:
            return httpbase.aws_error(request, 404, "ResourceNotFoundException", "no function")
        return json_response(function)
