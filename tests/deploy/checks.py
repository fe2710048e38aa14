"""Offline checks of the deployment.  Called by run.sh, which sets up the tools.

Each check_* function is one check; it returns when all is well, raises Skip with the reason, or
fails by assertion or exception.  The order is that of the file: later checks read what earlier
ones have made.
"""
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import zipfile

import sam
import templates

ROOT = pathlib.Path(sys.argv[1])
WORK = pathlib.Path(sys.argv[2])
os.environ["BUILD"] = str(ROOT / "build/release")
sys.path.insert(0, str(ROOT / "tests"))

from support.records import lines, record, timed_key  # noqa: E402
from support.results import Results, Skip  # noqa: E402
from moto_harness import MotoServer  # noqa: E402

TREE = WORK / "tree"
WITHOUT = os.environ.get("WITHOUT", "").split()

METRICS = set("""Invocations InputTokenCount OutputTokenCount CacheReadInputTokenCount
    CacheWriteInputTokenCount TotalTokenCount InvocationClientErrors InvocationServerErrors
    InvocationThrottles InvocationLatency EstimatedCost UnpricedTokens""".split())

ENVIRONMENT = dict(
    os.environ, AWS_DEFAULT_REGION="us-east-1", AWS_REGION="us-east-1", AWS_ACCESS_KEY_ID="AKTEST",
    AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="",
    AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    SAM_CLI_TELEMETRY="0", SLS_TELEMETRY_DISABLED="1", SLS_NOTIFICATIONS_MODE="off",
    CDK_DISABLE_CLI_TELEMETRY="true", NO_COLOR="1", HOME=str(WORK))
for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    ENVIRONMENT.pop(variable, None)


def run(*command, cwd=TREE, ok=0, **environment):
    """Output of a command; its exit status has to be `ok`."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, text=True, timeout=300,
                          env=dict(ENVIRONMENT, **environment), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == ok, "%s: exit %d\n%s" % (
        " ".join(str(part) for part in command[:4]), done.returncode, done.stdout[-2000:])
    return done.stdout


def need(tool):
    if tool in WITHOUT:
        raise Skip("npm or its packages for %s cannot be had here" % tool)


def source():
    return templates.load(ROOT / "template.yaml")


# --- packages and the four templates --------------------------------------------------------------

def check_package_is_there():
    """The real package where `make lambda` made one, else a stand-in in the copied tree."""
    for architecture in ("x86_64", "arm64"):
        name = "lambda-%s.zip" % architecture
        if (ROOT / "build" / name).exists():
            shutil.copy(ROOT / "build" / name, TREE / "build" / name)
            with zipfile.ZipFile(TREE / "build" / name) as package:
                assert package.namelist() == ["bootstrap"], package.namelist()
                mode = package.getinfo("bootstrap").external_attr >> 16
                assert mode & 0o111, "bootstrap is not executable"
            size = (TREE / "build" / name).stat().st_size
            assert size <= 6 * 1024 * 1024, "%s has %d bytes" % (name, size)
        else:
            print("   %s is not built: a stand-in is used" % name)
            with zipfile.ZipFile(TREE / "build" / name, "w") as package:
                entry = zipfile.ZipInfo("bootstrap", (2020, 1, 1, 0, 0, 0))
                entry.external_attr = 0o755 << 16
                package.writestr(entry, "#!/bin/sh\nexit 1\n")


def check_plain_template_is_made():
    run("bash", "deploy/cloudformation.sh", "template", WORK / "plain.yaml")
    text = (WORK / "plain.yaml").read_text()
    assert "Serverless" not in text and "#cfn" not in text
    size = len(text.encode())
    assert size < 1000000, "CloudFormation takes 1 MB at most"


def check_sam_transform():
    document = sam.transform((ROOT / "template.yaml").read_text(),
                             {"Bucket": "code", "Key": "lambda.zip"})
    (WORK / "sam.json").write_text(json.dumps(document, indent=1))


def check_sam_validate():
    assert "is a valid SAM Template" in run("sam", "validate", "--lint")


def check_sam_build():
    """`sam build` as a user calls it; the package's content has to arrive unchanged."""
    run("sam", "build", LAMBDA_ZIP="build/lambda-x86_64.zip")
    built = TREE / "build/sam/AggregatorLambdaFunction"
    assert os.listdir(built) == ["bootstrap"], os.listdir(built)
    assert os.access(built / "bootstrap", os.X_OK)
    with zipfile.ZipFile(TREE / "build/lambda-x86_64.zip") as package:
        assert package.read("bootstrap") == (built / "bootstrap").read_bytes()
    assert templates.load(TREE / "build/sam/template.yaml")["Transform"]


def check_serverless_package():
    need("serverless")
    sls = WORK / "serverless/node_modules/.bin/osls"
    for architecture in ("arm64", "x86_64"):
        run(sls, "package", "--stage", "prod", "--package", WORK / "serverless-out",
            "--param=LogBucketName=my-bedrock-logs", "--param=Architecture=" + architecture)
        state = json.loads((WORK / "serverless-out/serverless-state.json").read_text())
        given = {entry["ParameterKey"]: entry["ParameterValue"]
                 for entry in state["service"]["provider"]["stackParameters"]}
        assert given["LogBucketName"] == "my-bedrock-logs"
        assert given["Architecture"] == architecture
        assert state["package"]["artifact"].endswith("lambda-%s.zip" % architecture)
    for name, definition in source()["Parameters"].items():
        assert name in given, "serverless.yml does not pass on %s" % name
        # CloudFormation's API takes text only.
        assert isinstance(given[name], str), "%s is passed as %r" % (name, given[name])
        if name != "LogBucketName":
            assert given[name] == definition["Default"], (name, given[name])


def check_cdk_synth():
    need("cdk")
    cdk = TREE / "cdk"
    run("npx", "cdk", "synth", "-q", "--no-notices", cwd=cdk)
    out = TREE / "build/cdk.out"
    template = out / "BedrockMetricsAggregatorStack.template.json"
    shutil.copy(template, WORK / "cdk.json")
    files = json.loads((out / "BedrockMetricsAggregatorStack.assets.json").read_text())["files"]
    sources = [entry["source"] for entry in files.values()]
    sources = [entry for entry in sources if entry["path"].endswith(".zip")]
    assert len(sources) == 1 and sources[0]["packaging"] == "file", sources
    packed = (out / sources[0]["path"]).read_bytes()
    assert packed == (TREE / "build/lambda-x86_64.zip").read_bytes()


def check_cdk_tests():
    """Snapshot and assertions."""
    need("cdk")
    output = run("npm", "test", "--silent", cwd=TREE / "cdk")
    assert re.search(r"^# fail 0$", output, re.M) and not re.search(r"^# pass 0$", output, re.M)


def check_cfn_lint():
    files = [ROOT / "template.yaml", WORK / "plain.yaml", WORK / "sam.json"]
    if "serverless" not in WITHOUT:
        files.append(WORK / "serverless-out/cloudformation-template-update-stack.json")
    if "cdk" not in WITHOUT:
        files.append(WORK / "cdk.json")
    # W3005: Serverless and CDK write dependencies that a reference makes anyway.
    run("cfn-lint", "--ignore-checks", "W3005", "--", *files)


# --- the four are one -----------------------------------------------------------------------------

def alike():
    plain = templates.from_plain(templates.load(WORK / "plain.yaml"))
    found = {"plain": plain, "sam": templates.from_sam(templates.load(WORK / "sam.json"))}
    if "serverless" not in WITHOUT:
        found["serverless"] = templates.from_serverless(templates.load(
            WORK / "serverless-out/cloudformation-template-update-stack.json"), plain)
    if "cdk" not in WITHOUT:
        found["cdk"] = templates.from_cdk(templates.load(WORK / "cdk.json"), plain)
    return found


def check_templates_do_not_drift():
    """Same parameters, conditions, resources, properties, permissions, outputs."""
    found = alike()
    lines = ["%s%s" % (way, line) for way in found
             for line in templates.differences(found["plain"], found[way])]
    assert not lines, "\n".join(lines[:20])
    print("   %d resources alike in %s" % (len(found["plain"]["Resources"]), ", ".join(found)))
    if len(found) < 4:
        raise Skip("only %s were compared" % ", ".join(found))


def check_drift_would_be_seen():
    """The comparison itself: each of these changes has to be noticed."""
    plain = alike()["plain"]
    resources = "Resources"
    changes = [
        (resources, "EventQueue", "Properties", "VisibilityTimeout"),
        (resources, "EventQueue", "Properties", "RedrivePolicy", "maxReceiveCount"),
        (resources, "QueueMapping", "Properties", "FunctionResponseTypes"),
        (resources, "AggregatorLambdaFunction", "Properties", "Timeout"),
        (resources, "AggregatorLambdaFunction", "Properties", "Environment", "Variables", "LEDGER"),
        (resources, "FunctionRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 2,
         "Action"),
        (resources, "EventQueuePolicy", "Properties", "PolicyDocument", "Statement", 0,
         "Condition"),
        (resources, "LogBucket", "DeletionPolicy"),
        (resources, "SweepDaily", "Condition"),
        (resources, "Dashboard"),
        ("Conditions", "WatchUsage"),
        ("Parameters", "BatchSize", "MaxValue"),
        ("Outputs", "QueueUrl"),
    ]
    for change in changes:
        for how in ("changed", "missing"):
            other = json.loads(json.dumps(plain))
            place = other
            for key in change[:-1]:
                place = place[key]
            if how == "changed":
                place[change[-1]] = "something else"
            else:
                del place[change[-1]]
            assert templates.differences(plain, other), "%s %s is not noticed" % (change, how)


def check_drift_of_each_way_would_be_seen():
    """What somebody might change in one way alone: more permissions, more or other resources."""
    found = alike()

    def role(template):
        return template["Resources"]["FunctionRole"]["Properties"]

    def statement(template):
        return role(template)["Policies"][0]["PolicyDocument"]["Statement"]
    plants = {
        "a wider action": lambda t: statement(t)[0].update(Action="logs:*"),
        "one action more": lambda t: statement(t)[1]["Action"].append("sqs:SendMessage"),
        "one statement more": lambda t: statement(t).append(
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}),
        "a managed policy": lambda t: role(t).update(ManagedPolicyArns=["arn:aws:iam::aws:policy/X"]),
        "anybody may take the role": lambda t: role(t)["AssumeRolePolicyDocument"]["Statement"][0]
                                     .update(Principal="*"),
        "a resource more": lambda t: t["Resources"].update(Another={"Type": "AWS::SNS::Topic"}),
        "no condition on the queue": lambda t: t["Resources"]["EventQueuePolicy"]["Properties"][
            "PolicyDocument"]["Statement"][0].pop("Condition"),
        "another bucket policy": lambda t: t["Resources"]["LogBucketPolicy"]["Properties"][
            "PolicyDocument"]["Statement"].pop(),
        "another widget": lambda t: t["Resources"]["Dashboard"]["Properties"]["DashboardBody"][
            "Fn::Sub"]["widgets"].pop(),
        "no retention": lambda t: t["Resources"]["LogGroup"]["Properties"].pop("RetentionInDays"),
    }
    for way, template in found.items():
        assert not templates.differences(found["plain"], template), way
        for name, plant in plants.items():
            other = json.loads(json.dumps(template))
            plant(other)
            assert templates.differences(found["plain"], other), "%s in %s is not noticed" % (name,
                                                                                             way)


# --- permissions ----------------------------------------------------------------------------------

def statements(**parameters):
    resources, _ = templates.resolve(templates.load(WORK / "plain.yaml"), **parameters)
    policies = resources["FunctionRole"]["Properties"]["Policies"]
    assert "ManagedPolicyArns" not in resources["FunctionRole"]["Properties"]
    found = [entry for policy in policies for entry in policy["PolicyDocument"]["Statement"]]
    return {entry["Sid"]: entry for entry in found}


def actions(statement):
    listed = statement["Action"]
    return [listed] if isinstance(listed, str) else listed


def check_permissions_are_the_least():
    """No wildcard action; every resource where AWS has not exactly these exceptions."""
    every = statements(Ledger="true", KmsKeyArn="arn:aws:kms:us-east-1:123456789012:key/1",
                       ResolveInferenceProfiles="true", KeyPrefix="team/bedrock")
    for sid, statement in every.items():
        assert statement["Effect"] == "Allow"
        for action in actions(statement):
            assert "*" not in action, (sid, action)
            assert not re.search(r"Delete(?!Message)|Scan|Create(?!LogStream)|Pass|PutObject",
                                 action), action
        if statement["Resource"] == "*":
            assert actions(statement) in (["cloudwatch:PutMetricData"],
                                          ["cloudwatch:GetMetricData"],
                                          ["bedrock:ListInferenceProfiles"])
    publish = every["PublishMetrics"]["Condition"]
    assert publish == {"StringEquals": {"cloudwatch:namespace": "Custom/BedrockMetrics"}}
    assert every["ReadLogs"]["Resource"] == (
        "arn:aws:s3:::bedrock-logs-123456789012-us-east-1/team/bedrock/AWSLogs/*"
        "/BedrockModelInvocationLogs/*")
    assert every["DecryptLogs"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}


def check_permissions_follow_the_parameters():
    always = {"WriteOwnLog", "ReceiveAndDeleteMessages", "ReadLogs", "ListBucketToSeeMissingKeys"}
    ledger = {"KeepLedger", "ReadMarkers"}
    for parameters, wanted in (
            ({}, always | {"PublishMetrics"}),
            ({"Publisher": "emf"}, always),
            ({"Ledger": "true"}, always | ledger | {"PublishMetrics"}),
            ({"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"},
             always | {"PublishMetrics", "DecryptLogs"}),
            ({"ResolveInferenceProfiles": "true"},
             always | {"PublishMetrics", "ResolveApplicationProfiles",
                       "ReadApplicationProfiles"})):
        assert set(statements(**parameters)) == wanted, parameters


# Every action that is allowed is taken away once, and what fails then is looked at: see
# permissions.py.  The names in the policies are those of a stack; these are the counterparts'.
NAMES_OF_THE_STACK = {
    "<EventQueue.Arn>": "arn:aws:sqs:us-east-1:123456789012:bedrock-logs",
    "<LedgerTable.Arn>": "arn:aws:dynamodb:us-east-1:123456789012:table/ledger",
}
NAMES_OF_THE_WORKER = {
    "bedrock-metrics-aggregator-events": "bedrock-logs", "bedrock-logs-ACCOUNT-*": "bedrock-logs",
    "ACCOUNT": "123456789012",
}


def permissions_module():
    program = ROOT / "build/release/bedrock-metrics"
    if not program.exists():
        raise Skip("no build/release/bedrock-metrics to run")
    import permissions
    return permissions


def fresh_table():
    """Host and port of a DynamoDB with an empty ledger."""
    Moto.start()
    table = source()["Resources"]["LedgerTable"]["Properties"]
    Moto.client("dynamodb").create_table(
        TableName="ledger", **{key: table[key] for key in (
            "AttributeDefinitions", "KeySchema", "BillingMode")})
    return Moto.url.split("//")[1]


def check_permissions_are_each_needed_by_the_function():
    permissions = permissions_module()
    every, problems = set(), []
    for name, (scenario, parameters) in permissions.FUNCTION_SCENARIOS.items():
        granted = permissions.statements_of(
            list(statements(LogBucketName="bedrock-logs", **parameters).values()),
            NAMES_OF_THE_STACK)
        table = fresh_table if "Ledger" in parameters else lambda: None
        every |= permissions.actions_of(granted)
        # What the plain scenario has shown is not shown again with each option.
        shown = set() if name == "counts" else permissions.actions_of(
            statements(LogBucketName="bedrock-logs").values())
        problems += permissions.judge("the function that " + name, scenario, granted, table,
                                      permissions.LAMBDA_ITSELF | shown)
    assert not problems, "\n".join(problems)
    assert permissions.LAMBDA_ITSELF <= every, permissions.LAMBDA_ITSELF - every


def check_permissions_are_each_needed_by_the_worker():
    permissions = permissions_module()
    policy = json.loads((ROOT / "deploy/worker-policy.json").read_text())["Statement"]
    problems = permissions.judge("the worker", permissions.worker_counts, permissions.statements_of(
        policy, NAMES_OF_THE_WORKER), lambda: None)
    assert not problems, "\n".join(problems)


def check_permissions_too_many_or_too_few_are_seen():
    """The judgement itself: an action nobody needs, one that is missing, a wrong resource."""
    permissions = permissions_module()
    good = permissions.statements_of(json.loads(
        (ROOT / "deploy/worker-policy.json").read_text())["Statement"], NAMES_OF_THE_WORKER)
    for change, said in (
            (lambda p: p + [dict(p[1], Action="s3:GetObjectTagging")], "s3:GetObjectTagging"),
            (lambda p: p + [dict(p[0], Action="sqs:SendMessage")], "sqs:SendMessage"),
            (lambda p: permissions.without(p, "s3:GetObject"), "needs ['s3:GetObject']"),
            (lambda p: [dict(s, Resource="arn:aws:s3:::other/*")
                        if s["Action"] == "s3:GetObject" else s for s in p], "s3:GetObject"),
            (lambda p: json.loads(json.dumps(p).replace("Custom/BedrockMetrics", "Other")),
             "cloudwatch:PutMetricData")):
        problems = permissions.judge("the worker", permissions.worker_counts, change(good),
                                     lambda: None, permissions.actions_of(good))
        assert any(said in problem for problem in problems), (said, problems)


def check_permissions_are_alike_in_every_template():
    """What was proven for one template holds for all that give the role the same statements."""
    for parameters in ({}, {"Ledger": "true", "ResolveInferenceProfiles": "true", "KmsKeyArn":
                            "arn:aws:kms:us-east-1:123456789012:key/1", "Publisher": "emf"}):
        wanted = list(statements(**parameters).values())
        for way, name in (("sam", "sam.json"), ("cdk", "cdk.json"), (
                "serverless", "serverless-out/cloudformation-template-update-stack.json")):
            if way in WITHOUT:
                continue
            template = templates.load(WORK / name)
            given = {key: value for key, value in parameters.items()
                     if key in template["Parameters"]}
            resources, _ = templates.resolve(template, **given)
            role = resources["FunctionRole"]["Properties"]
            found = [entry for policy in role["Policies"]
                     for entry in policy["PolicyDocument"]["Statement"]]
            plain = [dict(entry, Action=actions(entry)) for entry in wanted]
            found = [dict(entry, Action=actions(entry)) for entry in found]
            assert found == plain and "ManagedPolicyArns" not in role, (way, parameters)


def check_actions_exist():
    """A misspelt action would be refused only on AWS: compare with the services' own models."""
    import botocore.session
    session = botocore.session.get_session()
    only_in_iam = {"s3:ListBucket": "ListObjectsV2"}
    worker = json.loads((ROOT / "deploy/worker-policy.json").read_text())["Statement"]
    every = list(statements(Ledger="true", KmsKeyArn="arn:aws:kms:us-east-1:123456789012:key/1",
                            ResolveInferenceProfiles="true").values())
    for statement in every + worker:
        for action in actions(statement):
            service, name = action.split(":")
            operations = session.get_service_model(service).operation_names
            assert only_in_iam.get(action, name) in operations, "%s does not exist" % action


def check_queue_policy():
    for parameters, bucket in (({}, "bedrock-logs-123456789012-us-east-1"),
                               ({"LogBucketName": "mine", "CreateBucket": "false"}, "mine")):
        resources, _ = templates.resolve(templates.load(WORK / "plain.yaml"), **parameters)
        allow, deny = resources["EventQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
        assert allow["Action"] == "sqs:SendMessage"
        assert allow["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::" + bucket}}
        assert deny["Effect"] == "Deny" and deny["Condition"] == {
            "Bool": {"aws:SecureTransport": "false"}}
        assert "EventTopicSubscription" not in resources
    topic = "arn:aws:sns:us-east-1:123456789012:objects"
    resources, _ = templates.resolve(templates.load(WORK / "plain.yaml"), EventTopicArn=topic)
    _, allow, _ = resources["EventQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert allow["Principal"] == {"Service": "sns.amazonaws.com"}
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": topic}}
    assert resources["EventTopicSubscription"]["Properties"]["TopicArn"] == topic


def check_bucket():
    plain = templates.load(WORK / "plain.yaml")
    resources, _ = templates.resolve(plain, KeyPrefix="a/b", LogExpirationDays=90)
    bucket = resources["LogBucket"]["Properties"]
    write = resources["LogBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert write["Principal"] == {"Service": "bedrock.amazonaws.com"}
    assert write["Action"] == "s3:PutObject"
    assert write["Resource"] == ("arn:aws:s3:::<LogBucket>/a/b/AWSLogs/123456789012"
                                 "/BedrockModelInvocationLogs/*")
    assert write["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:bedrock:us-east-1:123456789012:*"}}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    notice, = bucket["NotificationConfiguration"]["QueueConfigurations"]
    rules = {rule["Name"]: rule["Value"] for rule in notice["Filter"]["S3Key"]["Rules"]}
    assert rules == {"prefix": "a/b/AWSLogs/", "suffix": ".json.gz"}
    assert [rule["Id"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == [
        "abort-incomplete-uploads", "expire-logs"]
    encryption, = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    resources, _ = templates.resolve(plain, KmsKeyArn=key)
    encryption, = resources["LogBucket"]["Properties"]["BucketEncryption"][
        "ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    resources, _ = templates.resolve(plain, CreateBucket="false", LogBucketName="mine")
    assert "LogBucket" not in resources and "LogBucketPolicy" not in resources


def check_settings_that_belong_together():
    for ledger, receives in (("false", 5), ("true", 20)):
        resources, _ = templates.resolve(templates.load(WORK / "plain.yaml"), Ledger=ledger)
        properties = {name: item["Properties"] for name, item in resources.items()}
        function, queue = properties["AggregatorLambdaFunction"], properties["EventQueue"]
        mapping, dead = properties["QueueMapping"], properties["DeadLetterQueue"]
        assert function["Runtime"] == "provided.al2023" and function["Timeout"] <= 120
        assert int(function["MemorySize"]) <= 512
        assert queue["VisibilityTimeout"] >= max(6 * function["Timeout"], 1300)
        assert queue["MessageRetentionPeriod"] == dead["MessageRetentionPeriod"] == 14 * 86400
        assert queue["ReceiveMessageWaitTimeSeconds"] == 20
        assert queue["SqsManagedSseEnabled"] and dead["SqsManagedSseEnabled"]
        assert queue["RedrivePolicy"]["maxReceiveCount"] == receives
        # All receives have to fit into the time the queue keeps a message.
        assert receives * queue["VisibilityTimeout"] < queue["MessageRetentionPeriod"]
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        concurrency = int(function["ReservedConcurrentExecutions"])
        assert int(mapping["ScalingConfig"]["MaximumConcurrency"]) < concurrency
        # AWS asks for a window where batches are larger than 10.
        assert int(mapping["MaximumBatchingWindowInSeconds"]) >= 1
        swept = {json.loads(properties[name]["Targets"][0]["Input"])["since"]
                 for name in properties if name in ("SweepHourly", "SweepDaily")}
        assert swept == ({"3h", "14d"} if ledger == "true" else set())
        assert ("LedgerTable" in properties) == (ledger == "true")
        assert mapping["Enabled"] is True
    resources, _ = templates.resolve(templates.load(WORK / "plain.yaml"), Consumer="worker")
    assert resources["QueueMapping"]["Properties"]["Enabled"] is False
    table = properties["LedgerTable"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def variables_of(command):
    """The environment that the help of a command lists; LOG_LEVEL is everybody's."""
    text = run(str(ROOT / "build/release/bedrock-metrics"), "help", command)
    return set(re.findall(r"(?m)^  ([A-Z][A-Z0-9_]+)(?: \(default .*)?$", text)) | {"LOG_LEVEL"}


def check_environment_of_the_function():
    """Only variables the function reads, none of them empty; likewise the worker's."""
    for parameters in ({}, {"Ledger": "true", "LedgerIdentity": "path", "Metrics": "Invocations",
                            "CloudWatchRegion": "eu-west-1", "LogBucketName": "mine"}):
        resources, _ = templates.resolve(templates.load(WORK / "plain.yaml"), **parameters)
        variables = resources["AggregatorLambdaFunction"]["Properties"]["Environment"]["Variables"]
        unread = set(variables) - variables_of("lambda")
        assert not unread, unread
        assert all(variables.values()), variables
    assert variables["LEDGER"] == "dynamodb://<LedgerTable>"
    assert variables["LEDGER_POLICY"] == "resolve" and variables["LEDGER_IDENTITY"] == "path"
    assert variables["CLOUDWATCH_REGION"] == "eu-west-1" and variables["S3_BUCKET_NAME"] == "mine"
    text = (ROOT / "deploy/worker.env.example").read_text()
    known = variables_of("worker") | {"AWS_REGION"}
    assert set(re.findall(r"^#?([A-Z0-9_]+)=", text, re.M)) <= known


def check_alarms():
    plain = templates.load(WORK / "plain.yaml")
    watching = {"ErrorsAlarm", "ThrottlesAlarm", "LatencyAlarm", "OldestMessageAlarm",
                "DeadLettersAlarm"}
    usage = {"NoDataAlarm", "TokenAnomalyAlarm"}

    def alarms(**parameters):
        resources, _ = templates.resolve(plain, **parameters)
        return {name: item["Properties"] for name, item in resources.items()
                if item["Type"] == "AWS::CloudWatch::Alarm"}
    assert set(alarms()) == watching | usage
    # A Region that publishes to another Region has no metrics to watch.
    assert set(alarms(CloudWatchRegion="eu-west-1")) == watching
    assert set(alarms(CloudWatchRegion="us-east-1")) == watching | usage
    assert set(alarms(UsageAlarms="false")) == watching
    topic = "arn:aws:sns:us-east-1:123456789012:ops"
    for name, alarm in alarms(AlarmTopicArn=topic).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic], name
        assert len(alarm["AlarmDescription"]) > 20
        for entry in alarm.get("Metrics", []):
            if "MetricStat" in entry:
                metric = entry["MetricStat"]["Metric"]
                assert metric["MetricName"] in METRICS
                assert metric["Dimensions"][0]["Name"] == "InferenceProfileType"
    for name, alarm in alarms().items():
        assert "AlarmActions" not in alarm, name


# --- dashboard ------------------------------------------------------------------------------------

def check_dashboard():
    body = (ROOT / "deploy/dashboard.json").read_text()
    text = source()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert text == body, "template.yaml and deploy/dashboard.json differ"
    resources, _ = templates.resolve(templates.load(WORK / "plain.yaml"))
    shown = json.loads(resources["Dashboard"]["Properties"]["DashboardBody"])
    taken = set()
    sets = source()["Parameters"]["MetricDimensions"]["Default"].split(";")
    for widget in shown["widgets"]:
        for x in range(widget["x"], widget["x"] + widget["width"]):
            for y in range(widget["y"], widget["y"] + widget["height"]):
                assert x < 24 and (x, y) not in taken, "widgets overlap at %d, %d" % (x, y)
                taken.add((x, y))
        for search in re.findall(r"SEARCH\('(.*?)'", json.dumps(widget)):
            found = re.match(r'\{"Custom/BedrockMetrics",([A-Za-z,]+)\} MetricName="(\w+)"$',
                             search.replace("\\", ""))
            assert found, search
            assert found.group(1) in sets and found.group(2) in METRICS, search
    # What is left of ${...} is CloudWatch's own.
    left = set(re.findall(r"\$\{[^}]*\}", json.dumps(shown)))
    assert left == {"${PROP('Dim.InferenceProfileType')}", "${PROP('Dim.ModelId')}"}, left
    # And it is what the program prints, where that is built.
    program = ROOT / "build/release/bedrock-metrics"
    if not program.exists():
        raise Skip("no build/release/bedrock-metrics to compare with")
    printed = run(program, "dashboard", "--region", "us-east-1", "--queue", "EventQueue.QueueName",
                  "--dlq", "DeadLetterQueue.QueueName", "--function", "AggregatorLambdaFunction")
    names = json.dumps(shown).replace("<", "").replace(">", "")
    assert json.loads(printed) == json.loads(names), "tools/dashboard.py puts it right"


# --- scripts, unit, container ---------------------------------------------------------------------

def check_shell_scripts():
    scripts = sorted((ROOT / "deploy").glob("*.sh")) + [ROOT / "tests/deploy/run.sh"]
    for script in scripts:
        assert os.access(script, os.X_OK), script
        run("bash", "-n", script)
    run("shellcheck", *scripts)


def check_wrong_usage_of_scripts():
    """Exit 2, and the wrong word is quoted, before anything is called."""
    for script, arguments, said in (
            ("cloudformation.sh", [], "usage"),
            ("cloudformation.sh", ["deploy"], "--code-bucket is missing"),
            ("cloudformation.sh", ["deploy", "--code-bucket"], "needs a value"),
            ("cloudformation.sh", ["deploy", "--code-bucket", "b", "--bogus"], "'--bogus'"),
            ("cloudformation.sh", ["deploy", "--code-bucket", "b", "Architecture=mips"], "'mips'"),
            ("cloudformation.sh", ["deploy", "--code-bucket", "b", "CodeKey=k"], "CodeKey is set"),
            ("regions.sh", [], "at least one Region"),
            ("regions.sh", ["us-east-1"], "--central is missing"),
            ("regions.sh", ["--central", "us-east-1", "us-east-1"], "--code-prefix is missing"),
            ("regions.sh", ["--central", "us-east-1", "--code-prefix", "c", "moon"], "'moon'"),
            ("regions.sh", ["--central", "us-east-1", "--code-prefix", "c", "us-east-1",
                            "us-west-2", "LogBucketName=one"], "{region}"),
            ("regions.sh", ["us-east-1", "CloudWatchRegion=x"], "set by --central"),
            ("attach-bucket.sh", [], "--bucket is missing"),
            ("attach-bucket.sh", ["--bucket", "b"], "--queue-arn is missing"),
            ("attach-bucket.sh", ["--bucket", "b", "--queue-arn", "x"], "'x'")):
        output = run("bash", "deploy/" + script, *arguments, ok=2, PATH="/usr/bin:/bin")
        assert said in output, (script, arguments, output)


def check_regions_dry_run():
    output = run("bash", "deploy/regions.sh", "--dry-run", "--central", "us-east-1",
                 "--code-prefix", "acme", "us-east-1", "eu-west-1", "LogBucketName=logs-{region}",
                 "Ledger=true")
    deploys = [line for line in output.splitlines() if "cloudformation deploy" in line]
    assert len(deploys) == 2, output
    for line, region in zip(deploys, ("us-east-1", "eu-west-1")):
        for part in ("--region %s " % region, "CloudWatchRegion=us-east-1", "Ledger=true",
                     "LogBucketName=logs-%s " % region, "CodeBucket=acme-%s " % region):
            assert part in line + " ", (part, line)
    output = run("bash", "deploy/regions.sh", "--dry-run", "--delete", "eu-west-1")
    assert "delete-stack" in output and "s3" not in output.split()


def check_working_folders():
    """A .env is read there: no folder that others may write to."""
    final = (ROOT / "deploy/Dockerfile").read_text().split("FROM ${BASE}\n")[1]
    assert re.findall(r"^WORKDIR (.*)$", final, re.M) == ["/"]
    unit = dict(line.split("=", 1) for line in (ROOT / "deploy/bedrock-metrics-worker.service")
                .read_text().splitlines() if "=" in line and not line.startswith("#"))
    assert unit["WorkingDirectory"] == "/var/lib/" + unit["StateDirectory"]
    assert unit["StateDirectoryMode"] == "0700" and unit["DynamicUser"] == "yes"


def check_worker_unit():
    tool = shutil.which("systemd-analyze")
    if not tool:
        raise Skip("systemd-analyze is not here")
    unit = WORK / "bedrock-metrics-worker.service"
    text = (ROOT / "deploy/bedrock-metrics-worker.service").read_text()
    unit.write_text(text.replace("/usr/local/bin/bedrock-metrics", "/bin/true"))
    output = run(tool, "verify", unit)
    assert not output.strip(), output
    output = run(tool, "security", "--offline=true", "--no-pager", unit)
    exposure = float(re.search(r"Overall exposure level.*?: ([0-9.]+)", output).group(1))
    assert exposure <= 1.5, output[-300:]


def check_dockerfile():
    """No container engine here: its packages are compared with what the build asks for, and what
    it copies has to be enough for make."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    build, final = text.split("FROM ${BASE}\n")
    files = [ROOT / "tools/packages.mk", ROOT / "Makefile"]
    rules = "\n".join(file.read_text() for file in files if file.exists()).replace("\\\n", " ")
    # COMMAND:PACKAGE is a package too.
    wanted = [word.split(":")[-1] for word in
              " ".join(re.findall(r"^APT_BUILD\s*:=\s*(.*)$", rules, re.M)).split()]
    missing = set(wanted) - set(build.split())
    assert not missing, "not in the build stage: %s" % sorted(missing)
    runtime = {"libisal": "libisal2", "jansson": "libjansson4", "zlib": "zlib1g",
               "libcurl": "libcurl4", "sqlite3": "libsqlite3-0", "libssl": "libssl3",
               "libcrypto": "libssl3", "libmicrohttpd": "libmicrohttpd12"}
    for package in " ".join(re.findall(r"^PACKAGES\s*:=\s*(.*)$", rules, re.M)).split():
        assert package in runtime, "Dockerfile: which Debian package has %s?" % package
        assert runtime[package] in final.split(), "%s is not in the image" % package
    assert re.search(r"^USER [1-9]", final, re.M) and "ca-certificates" in final
    assert 'CMD ["worker"]' in final
    if not shutil.which("git") or not (ROOT / ".git").exists():
        raise Skip("no git here to list what is copied")
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text().split()
    context = WORK / "context"
    shutil.rmtree(context, ignore_errors=True)
    for name in run("git", "ls-files", cwd=ROOT).splitlines():
        if name.split("/")[0] not in ignored and (ROOT / name).is_file():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, context / name)
    run("make", "-n", "install", "DESTDIR=/out", "prefix=/usr/local", cwd=context)


# --- moto: a server that behaves like AWS, as far as it goes --------------------------------------

class Moto:
    """One server for all checks that need one; stopped at the end."""
    server = None
    url = None

    @classmethod
    def start(cls):
        if cls.server is None:
            cls.server = MotoServer(pathlib.Path(sys.prefix), env=ENVIRONMENT,
                                    script=ROOT / "tests/deploy/moto_server.py").start()
            cls.url = cls.server.url
        else:
            cls.server.reset()

    @classmethod
    def client(cls, service, region="us-east-1"):
        import boto3
        return boto3.client(service, region_name=region, endpoint_url=cls.url,
                            aws_access_key_id="AKTEST", aws_secret_access_key="test")

    @classmethod
    def stop(cls):
        if cls.server is not None:
            cls.server.stop()


def outputs_of(stack, region="us-east-1"):
    found, = Moto.client("cloudformation", region).describe_stacks(StackName=stack)["Stacks"]
    return found["StackStatus"], {entry["OutputKey"]: entry["OutputValue"]
                                  for entry in found["Outputs"]}


def deploy(*parameters, ok=0, region="us-east-1"):
    return run("bash", "deploy/cloudformation.sh", "deploy", "--code-bucket", "code-" + region,
               "--region", region, *parameters, ok=ok, AWS_ENDPOINT_URL=Moto.url)


def program_arrived():
    """Whether a package in some bucket holds the program unchanged and executable."""
    with zipfile.ZipFile(TREE / "build/lambda-x86_64.zip") as package:
        program = package.read("bootstrap")
    s3 = Moto.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for entry in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            body = s3.get_object(Bucket=bucket["Name"], Key=entry["Key"])["Body"].read()
            if body[:2] == b"PK":
                with zipfile.ZipFile(io.BytesIO(body)) as package:
                    info, = package.infolist()
                    if info.filename == "bootstrap" and package.read(info) == program \
                            and (info.external_attr >> 16) & 0o111:
                        return True
    return False


def look_at_stack(stack):
    """What moto keeps of a stack is what the template says."""
    status, outputs = outputs_of(stack)
    # Serverless makes its own bucket first, so its stack ends with an update.
    assert status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), status
    assert program_arrived(), "no package with the program was uploaded"
    sqs = Moto.client("sqs")
    queue = sqs.get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["All"])
    queue = queue["Attributes"]
    assert queue["VisibilityTimeout"] == "1300"
    assert queue["ReceiveMessageWaitTimeSeconds"] == "20"
    redrive = json.loads(queue["RedrivePolicy"])
    assert int(redrive["maxReceiveCount"]) == 5
    assert redrive["deadLetterTargetArn"].endswith(":%s-dead-letters" % stack)
    # moto's CloudFormation leaves out policies of queues and buckets, bucket notifications, public
    # access blocks and alarms; those are looked at in the template (check_queue_policy ff.).
    bucket = outputs["LogBucketInUse"]
    encryption = Moto.client("s3").get_bucket_encryption(Bucket=bucket)
    rule, = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert bucket == "my-bedrock-logs", bucket
    function = Moto.client("lambda").get_function(FunctionName=outputs["FunctionName"])
    variables = function["Configuration"]["Environment"]["Variables"]
    assert function["Configuration"]["FunctionName"] == stack
    assert function["Configuration"]["Runtime"] == "provided.al2023"
    assert outputs["QueueUrl"].endswith("/" + outputs["QueueArn"].split(":")[-1])
    assert variables["CLOUDWATCH_REGION"] == "us-east-1" and "LEDGER" not in variables
    mapping, = Moto.client("lambda").list_event_source_mappings(
        FunctionName=outputs["FunctionName"])["EventSourceMappings"]
    assert mapping["EventSourceArn"] == outputs["QueueArn"] and mapping["BatchSize"] == 10
    dashboard = Moto.client("cloudwatch").get_dashboard(
        DashboardName=stack + "-us-east-1")
    assert len(json.loads(dashboard["DashboardBody"])["widgets"]) > 8


# What docs/deployment.md says to type is what is run: these stand in for what cannot be done here.
STAND_INS = {
    # The package is built once, by its own rule; here only that the rule is there.
    "make": """[ "$*" = lambda ] || exec {make} "$@"
        [ -f build/lambda-x86_64.zip ] && exec {make} -C {root} -n lambda""",
    # The pinned versions that were installed, and no question about permissions.
    "npx": """case $1 in
        osls@*) [ "$1" = osls@{osls} ] || exit 1; shift; exec {serverless}/osls "$@" ;;
        cdk) shift; verb=$1; shift
            case $verb in
            deploy) set -- --require-approval never --no-notices "$@" ;;
            destroy) set -- --force --no-notices "$@" ;;
            esac
            exec {npx} cdk "$verb" "$@" ;;
        *) exec {npx} "$@" ;;
        esac""",
    # Version 1 of the AWS CLI, which can be installed from a registry, has no `logs tail`, and does
    # not heed AWS_ENDPOINT_URL everywhere.
    "aws": """[ "$1 $2" != "logs tail" ] || set -- logs filter-log-events --log-group-name "$3"
        exec {aws} --endpoint-url "$AWS_ENDPOINT_URL" "$@\"""",
    "npm": """[ "$*" = "--prefix cdk ci" ] && [ -d cdk/node_modules ]""",
}


def stand_ins():
    folder = WORK / "stand-ins"
    folder.mkdir(exist_ok=True)
    package = json.loads((ROOT / "tests/deploy/package.json").read_text())
    osls, = {**package.get("dependencies", {}), **package.get("devDependencies", {})}.values()
    for name, script in STAND_INS.items():
        (folder / name).write_text("#!/bin/bash\n" + script.format_map({
            "make": shutil.which("make"), "aws": shutil.which("aws"), "npx": shutil.which("npx"), "root": ROOT, "osls": osls,
            "serverless": WORK / "serverless/node_modules/.bin"}))
        (folder / name).chmod(0o755)
    return "%s:%s:%s" % (folder, ROOT / "build/release", ENVIRONMENT["PATH"])


def documented(title, number=0):
    """The shell block (of that number) below a heading of docs/deployment.md."""
    text = (ROOT / "docs/deployment.md").read_text()
    section = re.search(r"^#{2,3} %s\n(.*?)(?=^#{2,3} |\Z)" % re.escape(title), text, re.M | re.S)
    assert section, "docs/deployment.md has no heading %r" % title
    return re.findall(r"^```sh\n(.*?)^```", section.group(1), re.M | re.S)[number]


def type_in(script, answers="", ok=0):
    """Run what a reader types, in the copy of the project, with moto for AWS."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=TREE, text=True, input=answers,
        timeout=300, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(ENVIRONMENT, AWS_ENDPOINT_URL=Moto.url, PATH=stand_ins(),
                 LAMBDA_ZIP="build/lambda-x86_64.zip"))
    assert done.returncode == ok, "exit %d of\n%s%s" % (done.returncode, script,
                                                       done.stdout[-2500:])
    return done.stdout


def removal(word):
    """The line of the removal that names this tool."""
    line, = [line for line in documented("Removal").splitlines() if word in line]
    return line


def nothing_is_left():
    stacks = Moto.client("cloudformation").list_stacks(
        StackStatusFilter=["CREATE_COMPLETE", "UPDATE_COMPLETE"])["StackSummaries"]
    left = [entry["StackName"] for entry in stacks if "CDKToolkit" not in entry["StackName"] and
            "sam-cli-managed" not in entry["StackName"]]
    assert not left, left
    assert not Moto.client("lambda").list_functions()["Functions"]
    # Logs are not ours to delete.
    names = [bucket["Name"] for bucket in Moto.client("s3").list_buckets()["Buckets"]]
    assert "my-bedrock-logs" in names, names


def check_moto_plain_deploy():
    Moto.start()
    type_in(documented("With plain CloudFormation"))
    look_at_stack("bedrock-metrics-aggregator")
    type_in(removal("aws cloudformation"))
    nothing_is_left()


def check_moto_sam_deploy():
    """From `sam build` to the stack; the transform is SAM's."""
    Moto.start()
    # Stack, Region, the first parameter, the others, no second question, and what is left.
    others = "\n" * (len(source()["Parameters"]) - 1)
    type_in(documented("With AWS SAM"), "\n\nmy-bedrock-logs\n" + others + "n\n" + "\n" * 10)
    look_at_stack("bedrock-metrics-aggregator")
    type_in(removal("sam delete"), "y\n" * 10)
    nothing_is_left()


def check_moto_serverless_deploy():
    need("serverless")
    Moto.start()
    type_in(documented("With the Serverless Framework"))
    look_at_stack("bedrock-metrics-aggregator-prod")
    type_in(removal("osls"))
    nothing_is_left()


def check_moto_cdk_deploy():
    need("cdk")
    Moto.start()
    run("npx", "cdk", "bootstrap", "--no-notices", "aws://123456789012/us-east-1",
        cwd=TREE / "cdk", AWS_ENDPOINT_URL=Moto.url)
    type_in(documented("With the CDK"))
    look_at_stack("bedrock-metrics-aggregator")
    type_in(removal("cdk"))
    nothing_is_left()


# Headings of docs/deployment.md with shell blocks, and what runs them; the rest needs more than a
# server that behaves like AWS.
RUN_BY = {
    "With AWS SAM": "check_moto_sam_deploy",
    "With the Serverless Framework": "check_moto_serverless_deploy",
    "With the CDK": "check_moto_cdk_deploy",
    "With plain CloudFormation": "check_moto_plain_deploy",
    "Removal": "check_moto_*_deploy, check_moto_documented_*",
    "Turn on invocation logging": "check_moto_documented_operation",
    "Verify the deployment": "check_moto_documented_operation",
    "What happens if a message fails": "check_moto_documented_operation",
    "Backfill": "check_moto_documented_operation",
    "An existing bucket": "check_moto_documented_bucket",
    "Multiple Regions": "check_moto_documented_regions",
}
NOT_RUN = {"The worker: container or service": "a container engine, and systemd as root",
           "Sizing the function": "a minute of measuring; tests/bench/lambda_life.py"}


def check_documented_blocks_are_run():
    text = (ROOT / "docs/deployment.md").read_text()
    with_blocks = {match.group(1) for match in re.finditer(
        r"^#{2,3} ([^\n]+)\n((?:(?!^#{2,3} ).*\n)*)", text, re.M) if "```sh\n" in match.group(2)}
    assert with_blocks == set(RUN_BY) | set(NOT_RUN), with_blocks ^ (set(RUN_BY) | set(NOT_RUN))


def check_moto_documented_operation():
    """After a deployment: logs on, see that it works, dead letters, backfill."""
    if not (ROOT / "build/release/bedrock-metrics").exists():
        raise Skip("no build/release/bedrock-metrics to run")
    Moto.start()
    type_in(documented("With plain CloudFormation"))
    type_in(documented("Turn on invocation logging"))
    logging = Moto.client("bedrock").get_model_invocation_logging_configuration()
    assert logging["loggingConfig"]["s3Config"]["bucketName"] == "my-bedrock-logs"
    metrics, tail, *doctor = documented("Verify the deployment").splitlines()
    type_in("%s; %s" % (metrics, tail))
    # moto leaves out policies and notifications of a template, and doctor finds that.
    _, outputs = outputs_of("bedrock-metrics-aggregator")
    said = type_in("\n".join(doctor), ok=1)
    assert "BM-D34" in said and "BM-D40" in said and "BM-D53" in said, said
    for good in ("logging", "mapping", "function", "visibility", "dead-letters"):
        assert re.search("^ok +%s " % good, said, re.M), said
    # moto has no such task: the AWS CLI itself looks at the words.
    type_in(documented("What happens if a message fails").rstrip() +
            " --generate-cli-skeleton output")
    key = timed_key(time.time())
    body = lines(record(at=time.time(), modelId="amazon.nova-lite-v1:0", inferenceRegion=None))
    Moto.client("s3").put_object(Bucket="my-bedrock-logs", Key=key, Body=body)
    said = type_in(documented("Backfill"))
    assert "amazon.nova-lite-v1:0" in said, said
    sent = Moto.client("sqs").receive_message(QueueUrl=outputs["QueueUrl"],
                                              WaitTimeSeconds=0)["Messages"]
    assert key in sent[0]["Body"], sent


def check_moto_documented_bucket():
    Moto.start()
    Moto.client("s3").create_bucket(Bucket="my-bedrock-logs")
    type_in(documented("An existing bucket"))

    def entries():
        found = Moto.client("s3").get_bucket_notification_configuration(Bucket="my-bedrock-logs")
        return [entry["QueueArn"] for entry in found.get("QueueConfigurations", [])]
    assert entries() == ["arn:aws:sqs:us-east-1:123456789012:bedrock-metrics-aggregator-events"]
    text = (ROOT / "docs/deployment.md").read_text()
    type_in(re.search(r"`(deploy/attach-bucket\.sh .*--detach)`", text).group(1))
    assert entries() == []


def check_moto_documented_regions():
    Moto.start()
    type_in(documented("Multiple Regions"))
    for region in ("us-east-1", "us-west-2", "eu-central-1"):
        assert outputs_of("bedrock-metrics-aggregator", region)[0] == "CREATE_COMPLETE"
    type_in(removal("regions.sh"))
    for region in ("us-east-1", "us-west-2", "eu-central-1"):
        assert not Moto.client("lambda", region).list_functions()["Functions"]


def check_moto_alarms():
    """The alarms as CloudWatch's interface takes them: names and types of every setting."""
    Moto.start()
    resources, _ = templates.resolve(templates.load(WORK / "plain.yaml"))
    client = Moto.client("cloudwatch")
    numbers = {"EvaluationPeriods": int, "DatapointsToAlarm": int, "Threshold": float}
    made = 0
    for resource in resources.values():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            settings = dict(resource["Properties"])
            for name, kind in numbers.items():
                if name in settings:
                    settings[name] = kind(settings[name])
            client.put_metric_alarm(**settings)
            made += 1
    assert len(client.describe_alarms()["MetricAlarms"]) == made == 7


def check_moto_ledger():
    Moto.start()
    parameters = ("Ledger=true", "BatchSize=100", "CloudWatchRegion=us-east-1")
    deploy(*parameters)
    status, outputs = outputs_of("bedrock-metrics-aggregator")
    assert status == "CREATE_COMPLETE", status
    table = Moto.client("dynamodb").describe_table(TableName=outputs["LedgerTableName"])["Table"]
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    rules = Moto.client("events").list_rules()["Rules"]
    assert len(rules) == 2, rules
    targets = [Moto.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"][0]
               for rule in rules]
    assert {json.loads(target["Input"])["command"] for target in targets} == {"sweep"}
    mapping, = Moto.client("lambda").list_event_source_mappings(
        FunctionName=outputs["FunctionName"])["EventSourceMappings"]
    assert mapping["BatchSize"] == 100
    deploy(*parameters, "LogLevel=DEBUG")  # an upgrade
    assert outputs_of("bedrock-metrics-aggregator")[0] == "UPDATE_COMPLETE"


def check_moto_existing_bucket():
    """A bucket that already tells others: they stay, the queue is added, and an event arrives."""
    Moto.start()
    s3, sqs = Moto.client("s3"), Moto.client("sqs")
    other = sqs.create_queue(QueueName="somebody-elses")["QueueUrl"]
    other_arn = sqs.get_queue_attributes(QueueUrl=other, AttributeNames=["QueueArn"])[
        "Attributes"]["QueueArn"]
    topic = Moto.client("sns").create_topic(Name="somebody-elses")["TopicArn"]
    s3.create_bucket(Bucket="mine")
    before = {
        "QueueConfigurations": [{
            "Id": "reports", "QueueArn": other_arn, "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "reports/"}]}}}],
        "TopicConfigurations": [{
            "Id": "removed", "TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}],
    }
    s3.put_bucket_notification_configuration(Bucket="mine", NotificationConfiguration=before)

    def configuration():
        found = s3.get_bucket_notification_configuration(Bucket="mine")
        found.pop("ResponseMetadata")
        return found
    before = configuration()
    deploy("CreateBucket=false", "LogBucketName=mine", "KeyPrefix=team")
    _, outputs = outputs_of("bedrock-metrics-aggregator")

    def attach(*arguments, ok=0):
        return run("bash", "deploy/attach-bucket.sh", "--bucket", "mine", *arguments, ok=ok,
                   AWS_ENDPOINT_URL=Moto.url)
    wanted = ("--queue-arn", outputs["QueueArn"], "--key-prefix", "team")
    plan = json.loads(attach(*wanted, "--dry-run"))
    assert len(plan["QueueConfigurations"]) == 2 and configuration() == before
    assert "attached" in attach(*wanted)
    after = configuration()
    assert after["TopicConfigurations"] == before["TopicConfigurations"]
    by_id = {entry["Id"]: entry for entry in after["QueueConfigurations"]}
    assert by_id["reports"] == before["QueueConfigurations"][0]
    assert by_id["bedrock-metrics"]["QueueArn"] == outputs["QueueArn"]
    assert "up to date" in attach(*wanted) and configuration() == after

    def received():
        found = sqs.receive_message(QueueUrl=outputs["QueueUrl"], MaxNumberOfMessages=10,
                                    WaitTimeSeconds=0).get("Messages", [])
        bodies = [json.loads(message["Body"]) for message in found]
        return [record["s3"]["object"]["key"] for body in bodies
                for record in body.get("Records", [])]
    received()  # the test event
    folder = "team/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/25/19/"
    for key in (folder + "20261125T190000000Z_0a.json.gz", folder + "note.txt",
                "reports/AWSLogs/x.json.gz", "team/other.json.gz"):
        s3.put_object(Bucket="mine", Key=key, Body=b"")
    keys = received()
    assert len(keys) == 1 and keys[0].endswith("_0a.json.gz"), keys

    # A bucket that outlived its stack has an entry of another name for the same queue.
    own = dict(by_id["bedrock-metrics"], Id="made-by-cloudformation")
    s3.put_bucket_notification_configuration(Bucket="mine", NotificationConfiguration=dict(
        before, QueueConfigurations=before["QueueConfigurations"] + [own]))
    assert "up to date" in attach(*wanted)
    attach("--queue-arn", outputs["QueueArn"])  # another prefix: replaced, not added
    assert len(configuration()["QueueConfigurations"]) == 2
    assert "detached" in attach("--detach") and configuration() == before
    assert "up to date" in attach("--detach")
    # Somebody else has the same objects: named, refused, nothing changed.
    taken = dict(before, TopicConfigurations=[{
        "Id": "everything", "TopicArn": topic, "Events": ["s3:ObjectCreated:Put"]}])
    s3.put_bucket_notification_configuration(Bucket="mine", NotificationConfiguration=taken)
    taken = configuration()
    said = attach(*wanted, ok=1)
    assert "'everything'" in said and topic in said and configuration() == taken, said


def check_moto_regions():
    """Two Regions, one centre; running it again with a third adds it and updates the others."""
    Moto.start()
    # The parameter changes too: moto answers an update without a change with an error of its own.
    for level, regions in (("INFO", ("us-east-1", "us-west-2")),
                           ("WARN", ("us-east-1", "us-west-2", "eu-west-1"))):
        run("bash", "deploy/regions.sh", "--central", "us-east-1", "--code-prefix", "code",
            *regions, "LogLevel=" + level, AWS_ENDPOINT_URL=Moto.url)
        for region in regions:
            status, outputs = outputs_of("bedrock-metrics-aggregator", region)
            assert status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), (region, status)
            function = Moto.client("lambda", region).get_function(
                FunctionName=outputs["FunctionName"])
            variables = function["Configuration"]["Environment"]["Variables"]
            assert variables["CLOUDWATCH_REGION"] == "us-east-1"
            assert variables["S3_BUCKET_NAME"].endswith(region), variables
            dashboards = Moto.client("cloudwatch", region).list_dashboards()["DashboardEntries"]
            assert len(dashboards) == (region == "us-east-1"), (region, dashboards)


def check_moto_removal():
    Moto.start()
    deploy()
    _, outputs = outputs_of("bedrock-metrics-aggregator")
    run("bash", "deploy/regions.sh", "--delete", "us-east-1", AWS_ENDPOINT_URL=Moto.url)
    stacks = Moto.client("cloudformation").list_stacks(
        StackStatusFilter=["CREATE_COMPLETE", "UPDATE_COMPLETE"])["StackSummaries"]
    assert not stacks, stacks
    functions = Moto.client("lambda").list_functions()["Functions"]
    assert not functions, "%s is left" % outputs["FunctionName"]


# --- documentation --------------------------------------------------------------------------------

def check_documentation():
    """Every parameter and output is explained and exists; every file named exists; at most three
    commands for each way."""
    path = ROOT / "docs/deployment.md"
    text = path.read_text()
    document = source()
    table = re.findall(r"^\| `(\w+)` \|", text, re.M)
    for name, definition in document["Parameters"].items():
        row = re.search(r"^\| `%s` \| (.*?) \|" % name, text, re.M)
        assert row, "parameter %s is not explained" % name
        shown = row.group(1).strip("` ")
        assert shown == (definition["Default"] or "empty"), "%s: default %s" % (name, shown)
    for name in document["Outputs"]:
        assert "`%s`" % name in text, "output %s is not explained" % name
    known = set(document["Parameters"]) | set(document["Outputs"]) | set(document["Resources"])
    for name in table:
        assert name in known or name in variables_of("variables"), "%s is explained and does not exist" % name
    for name in re.findall(r"`((?:deploy|cdk|tests|docs)/[\w./-]+|template\.yaml|serverless\.yml)`",
                           text):
        assert (ROOT / name).exists(), name
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        if target not in ("../README.md", "architecture.md", "monitoring.md", "troubleshooting.md"):
            assert (path.parent / target).exists(), target
    sections = re.findall(r"^### (With .*?)\n(.*?)(?=^#{2,3} )", text, re.M | re.S)
    assert len(sections) == 4, [title for title, _ in sections]
    for title, section in sections:
        block = re.search(r"```sh\n(.*?)```", section, re.S).group(1).replace("\\\n", " ")
        commands = [line for line in block.splitlines() if line.strip() and line[0] != "#"]
        assert len(commands) <= 3, "%s: %d commands" % (title, len(commands))
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    for parameter in re.findall(r"\b([A-Z]\w+)=\S", blocks):
        assert parameter in document["Parameters"] or parameter.isupper(), parameter


def check_cost_table():
    """The arithmetic of the example is right, row by row and in its sums."""
    text = (ROOT / "docs/deployment.md").read_text().split("## What it costs")[1]
    total = sums = 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or not re.fullmatch(r"\**[0-9.]+\**", cells[2]):
            continue
        name, formula, amount = cells[0], cells[1], float(cells[2].strip("*"))
        if not formula:
            assert abs(total - amount) < 0.0051, "%s: the sum is %.2f" % (name, total)
            sums += 1
            continue
        if " x " in formula:
            plain = re.sub(r"\bx\b", "*", re.sub(r"(?<=\d),(?=\d)", "", formula))
            plain = re.sub(r"[A-Za-z]+", "", plain)
            assert re.fullmatch(r"[-+*/(). 0-9]+", plain), plain
            value = eval(plain)  # pylint: disable=eval-used
            assert abs(value - amount) < 0.0051, "%s: %s is %.4f" % (name, formula, value)
        total += amount
    assert sums == 2


def check_tree_is_clean():
    """Nothing was written beside build/."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        raise Skip("no git here")
    now = run("git", "status", "--porcelain", "--ignored", cwd=ROOT)
    strange = [line for line in now.splitlines()
               if re.search(r"node_modules|\.aws-sam|\.serverless|cdk\.out|/dist/", line)
               and not line.endswith(" build/")]
    assert not strange, strange


def main():
    wanted = sys.argv[3:]
    results = Results(verbose=True)
    checks = [(name[6:], function) for name, function in globals().items()
              if name.startswith("check_")]
    try:
        for name, function in checks:
            if not wanted or any(word in name for word in wanted):
                results.test(name, function)
    finally:
        Moto.stop()
    return results.end()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main())
