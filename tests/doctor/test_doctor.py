"""Faults planted one by one; see run.sh.

Each case changes a healthy pipeline, and says which codes doctor has to name, in order.  Whatever is
not expected is a failure: another fault or warning, a write, a secret in the output, another exit
status, or a mend that no shell would take.
"""
import gzip
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stub as fake  # noqa: E402
import httpbase  # noqa: E402  (stub.py has set the path)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
STUB = fake.Stub()
CASES = []


def case(*codes, **options):
    """codes: expected faults and warnings.  options: args, skipped (step -> text in its reason)."""
    def add(function):
        CASES.append((function.__name__.replace("_", " "), codes, options, function))
        return function
    return add


def queue(state):
    return state["queues"][fake.QUEUE]


def function(state):
    return state["functions"][fake.FUNCTION]


# ---- no finding ----

@case()
def healthy(s, env):
    pass


@case(args=["--consumer", "worker"], skipped={"mapping": "worker"})
def healthy_with_a_worker(s, env):
    s["mappings"] = []


@case()
def healthy_with_a_key_prefix(s, env):
    s["logging"][fake.REGION]["s3Config"]["keyPrefix"] = "bedrock/raw"
    s["buckets"][fake.BUCKET]["objects"] = {fake.log_key(600, prefix="bedrock/raw/"): 600}
    s["notification"][fake.BUCKET] = fake.queue_entry(prefix="bedrock/raw/AWSLogs/")


@case()
def healthy_with_ledger_table(s, env):
    env["LEDGER"] = "dynamodb://ledger"
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": "20"})


@case()
def healthy_in_two_regions(s, env):
    arn = fake.QUEUE_ARN.replace("us-east-1", "eu-west-1")
    env["SQS_QUEUE_URL"] += ",https://sqs.eu-west-1.amazonaws.com/123456789012/events-eu"
    env["S3_BUCKET_NAME"] += ", logs-eu"
    eu_arn = arn + "-eu"
    s["logging"]["eu-west-1"] = {"s3Config": {"bucketName": "logs-eu"}}
    s["buckets"]["logs-eu"] = {"region": "eu-west-1",
                               "objects": {fake.log_key(700, region="eu-west-1"): 700}}
    s["notification"]["logs-eu"] = fake.queue_entry(target=eu_arn)
    s["queues"]["events-eu"] = dict(queue(s), QueueArn=eu_arn, Policy=fake.policy(fake.statement(
        Resource=eu_arn, Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:logs-eu"}})))
    eu_function = fake.FUNCTION_ARN.replace("us-east-1", "eu-west-1") + "-eu"
    s["mappings"].append(dict(s["mappings"][0], EventSourceArn=eu_arn, FunctionArn=eu_function))
    copy = json.loads(json.dumps(function(s)))
    copy["Environment"]["Variables"]["S3_BUCKET_NAME"] = "logs-eu"
    s["functions"][fake.FUNCTION + "-eu"] = copy


@case()
def policy_in_other_spellings(s, env):
    queue(s)["Policy"] = json.dumps({"Version": "2008-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["SQS:Send*", "sqs:X"],
        "Resource": "arn:aws:sqs:*:*:eve?ts",
        "Condition": {"StringLikeIfExists": {"AWS:sourcearn": ["x", "arn:aws:s3:*:*:bedrock-*"]}}}})


@case()
def notification_for_the_bucket_without_a_filter(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(prefix=None, suffix=None)


@case()
def other_notifications_beside_ours(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(prefix="x/", target="arn:aws:sqs:a:1:o") \
        + fake.queue_entry(events=("s3:ObjectRemoved:*",)) + fake.queue_entry()


@case()
def metrics_of_a_quiet_night(s, env):
    s["buckets"][fake.BUCKET]["objects"] = {fake.log_key(40000): 40000}
    s["datum_age"] = 40200


@case()
def emf_publishes_into_the_functions_region(s, env):
    function(s)["Environment"]["Variables"]["PUBLISHER"] = "emf"
    env["PUBLISHER"] = "emf"


# ---- configuration ----

@case("BM-D01", skipped={"bucket": "S3_BUCKET_NAME"})
def no_bucket_variable(s, env):
    del env["S3_BUCKET_NAME"]


@case("BM-D01")
def bucket_variable_with_an_url(s, env):
    env["S3_BUCKET_NAME"] = "s3://bedrock-logs"


@case("BM-D02", skipped={"queue": "SQS_QUEUE_URL"})
def no_queue_variable(s, env):
    del env["SQS_QUEUE_URL"]


@case("BM-D02")
def queue_variable_with_an_arn(s, env):
    env["SQS_QUEUE_URL"] = fake.QUEUE_ARN


@case("BM-D03", skipped={"credentials": "BM-D03", "queue": "BM-D03"})
def no_region(s, env):
    del env["AWS_REGION"]


@case("BM-D04")
def resolution_of_45(s, env):
    env["METRIC_RESOLUTION"] = "45"


@case("BM-D04")
def unknown_dimension(s, env):
    env["METRIC_DIMENSIONS"] = "ModelID"


@case("BM-D04")
def same_dimensions_twice(s, env):
    env["METRIC_DIMENSIONS"] = "ModelId,Operation;Operation,ModelId"


@case("BM-D04")
def price_file_is_gone(s, env):
    env["PRICES_FILE"] = "/nowhere/prices.json"


@case("BM-D04")
def unknown_ledger_policy(s, env):
    env["LEDGER_POLICY"] = "guess"


@case("BM-D04")
def batch_size_zero(s, env):
    env["BATCH_SIZE"] = "0"


@case("BM-D04")
def metrics_region_misspelt(s, env):
    env["CLOUDWATCH_REGION"] = "us east"


@case("BM-D04")
def namespace_of_aws(s, env):
    env["CLOUDWATCH_NAMESPACE"] = "AWS/Bedrock"
    function(s)["Environment"]["Variables"]["CLOUDWATCH_NAMESPACE"] = "AWS/Bedrock"


@case("BM-D05", skipped={"credentials": "BM-D05"})
def profile_that_is_not_there(s, env):
    env["AWS_PROFILE"] = "nobody"


# ---- credentials ----

@case("BM-D10", skipped={"bucket": "BM-D10"})
def no_credentials(s, env):
    del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]


@case("BM-D10")
def half_of_the_credentials(s, env):
    del env["AWS_ACCESS_KEY_ID"]


@case("BM-D11", skipped={"bucket": "BM-D11"})
def expired_token(s, env):
    s["refused"] = "ExpiredToken"


@case("BM-D12", skipped={"bucket": "BM-D12"})
def unknown_key(s, env):
    s["refused"] = "InvalidClientTokenId"


@case("BM-D13", skipped={"bucket": "BM-D13"})
def nothing_listens(s, env):
    env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    env["AWS_MAX_ATTEMPTS"] = "1"


# ---- logging ----

@case("BM-D20", skipped={"metrics": "BM-D20"})
def logging_is_off(s, env):
    s["logging"] = {}


@case("BM-D20")
def logging_is_on_in_another_region_only(s, env):
    s["logging"] = {"us-west-2": s["logging"][fake.REGION]}


@case("BM-D21")
def logging_to_cloudwatch_logs_only(s, env):
    s["logging"][fake.REGION] = {"cloudWatchConfig": {
        "logGroupName": "g", "roleArn": "arn:aws:iam::123456789012:role/it's",
        "largeDataDeliveryS3Config": {"bucketName": fake.BUCKET}}}


@case("BM-D22")
def logging_to_another_bucket(s, env):
    s["logging"][fake.REGION]["s3Config"]["bucketName"] = "other-logs"


# ---- bucket and notification ----

@case("BM-D30", skipped={"objects": "does not exist", "notification": "does not exist"})
def bucket_is_gone(s, env):
    s["buckets"] = {}


@case("BM-D30", skipped={"logging": "s3://bedrock-logs; BM-D30"})
def bucket_variable_misspelt(s, env):
    env["S3_BUCKET_NAME"] = "bedrock-log"


@case("BM-D31", skipped={"queue": "no bucket in its Region", "notification": "Region"})
def queue_variable_with_another_region(s, env):
    env["SQS_QUEUE_URL"] = fake.QUEUE_URL.replace("us-east-1", "us-east-2")
    env["CLOUDWATCH_REGION"] = fake.REGION


@case("BM-D50", skipped={"notification": "queue does not exist"})
def queue_variable_misspelt(s, env):
    env["SQS_QUEUE_URL"] += "-old"


@case("BM-D31", skipped={"notification": "Region", "queue-policy": "Region"})
def bucket_in_another_region(s, env):
    s["buckets"][fake.BUCKET]["region"] = "us-west-2"
    s["logging"]["us-west-2"] = s["logging"][fake.REGION]


@case("BM-D32")
def nothing_logged_yet(s, env):
    s["buckets"][fake.BUCKET]["objects"] = {
        "AWSLogs/123456789012/BedrockModelInvocationLogs/amazon-bedrock-logs-permission-check": 5}


@case("BM-D33")
def nothing_logged_for_days(s, env):
    s["buckets"][fake.BUCKET]["objects"] = {fake.log_key(400000): 400000}
    s["datum_age"] = None


@case("BM-D32")
def only_logs_of_cloudtrail(s, env):
    s["buckets"][fake.BUCKET]["objects"] = {
        "AWSLogs/123456789012/CloudTrail/us-east-1/2026/11/01/x.json.gz": 5}


@case("BM-D40", skipped={"metrics": "BM-D40"})
def no_notification(s, env):
    s["notification"] = {}


@case("BM-D40")
def notification_to_another_queue(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(target=fake.QUEUE_ARN + "-old")


@case("BM-D40")
def notification_to_the_namesake_in_another_region(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(
        target=fake.QUEUE_ARN.replace("us-east-1", "us-west-2"))


@case("BM-D41")
def notification_of_removals(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(events=("s3:ObjectRemoved:*",))


@case("BM-D41")
def notification_of_copies_only(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(events=("s3:ObjectCreated:Copy",))


@case("BM-D42")
def notification_prefix_without_the_key_prefix(s, env):
    s["logging"][fake.REGION]["s3Config"]["keyPrefix"] = "team"
    s["buckets"][fake.BUCKET]["objects"] = {fake.log_key(600, prefix="team/"): 600}


@case("BM-D42")
def notification_prefix_of_another_region(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(
        prefix="AWSLogs/123456789012/BedrockModelInvocationLogs/eu-west-1/")


@case("BM-D43")
def notification_suffix_json(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(suffix=".json")


@case("BM-D44")
def notification_by_a_topic(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(
        kind="Topic", target="arn:aws:sns:us-east-1:123456789012:logs")


@case("BM-D44")
def notification_by_event_bridge(s, env):
    s["notification"][fake.BUCKET] = "<EventBridgeConfiguration/>"


@case("BM-D45")
def notification_of_puts_only(s, env):
    s["notification"][fake.BUCKET] = fake.queue_entry(events=("s3:ObjectCreated:Put",))


# ---- queue ----

@case("BM-D50", skipped={"queue-policy": "queue", "mapping": "queue", "metrics": "BM-D50"})
def queue_is_gone(s, env):
    del s["queues"][fake.QUEUE]


@case("BM-D51")
def queue_is_fifo(s, env):
    queue(s)["FifoQueue"] = "true"


@case("BM-D52")
def queue_with_the_key_of_sqs(s, env):
    queue(s)["SqsManagedSseEnabled"] = "false"
    queue(s)["KmsMasterKeyId"] = "alias/aws/sqs"


@case(skipped={"queue": "kms:GenerateDataKey"})
def queue_with_a_key_of_ones_own(s, env):
    queue(s)["KmsMasterKeyId"] = "arn:aws:kms:us-east-1:123456789012:key/abc"


@case("BM-D53")
def no_queue_policy(s, env):
    del queue(s)["Policy"]


@case("BM-D53")
def policy_for_sns_only(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(Principal={"Service": "sns.amazonaws.com"}))


@case("BM-D53")
def policy_for_receiving_only(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(Action="sqs:ReceiveMessage"))


@case("BM-D53")
def policy_for_another_queue(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(Resource=fake.QUEUE_ARN + "-old"))


@case("BM-D54")
def policy_for_another_bucket(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(
        Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::old-logs"}}))


@case("BM-D55")
def policy_for_another_account(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(
        Condition={"StringEquals": {"aws:SourceAccount": "210987654321"}}))


@case("BM-D56")
def policy_denies_s3(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(), {
        "Sid": "NoServices", "Effect": "Deny", "Principal": "*", "Action": "sqs:Send*",
        "Resource": "*", "Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}})


@case("BM-D57")
def policy_open_to_all_buckets(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(Condition=None))


@case("BM-D57")
def policy_with_an_open_statement_beside_ours(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(), fake.statement(Sid="x", Condition=None))


@case()
def policy_for_all_buckets_of_the_account(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(
        Condition={"StringEquals": {"aws:SourceAccount": fake.ACCOUNT}}))


@case()
def policy_with_a_condition_that_is_not_known(s, env):
    queue(s)["Policy"] = fake.policy(fake.statement(
        Condition={"StringEquals": {"aws:SourceOrgID": "o-1"}}))


@case("BM-D53")
def policy_that_is_no_json(s, env):
    queue(s)["Policy"] = "{'Statement'"


@case("BM-D58")
def short_poll(s, env):
    queue(s)["ReceiveMessageWaitTimeSeconds"] = "0"


@case("BM-D59")
def messages_kept_for_a_day(s, env):
    queue(s)["MessageRetentionPeriod"] = "86400"


@case("BM-D60")
def no_redrive_policy(s, env):
    del queue(s)["RedrivePolicy"]


@case("BM-D61")
def one_receive_only(s, env):
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": 1})


@case("BM-D61")
def five_receives_with_the_ledger(s, env):
    env["LEDGER"] = "dynamodb://ledger"


@case("BM-D61")
def five_receives_with_the_functions_ledger(s, env):
    function(s)["Environment"]["Variables"]["LEDGER"] = "dynamodb://ledger"


@case("BM-D62")
def dead_letter_queue_is_gone(s, env):
    del s["queues"][fake.DEAD]


@case("BM-D63")
def dead_letters(s, env):
    s["queues"][fake.DEAD]["ApproximateNumberOfMessages"] = "17"


@case("BM-D64")
def dead_letters_kept_shorter(s, env):
    s["queues"][fake.DEAD]["MessageRetentionPeriod"] = "345600"


# ---- mapping and function ----

@case("BM-D70", skipped={"function": "mapping", "metrics": "BM-D70"})
def no_mapping(s, env):
    s["mappings"] = []


@case("BM-D71", skipped={"backlog": "BM-D71", "metrics": "BM-D71"})
def mapping_is_off(s, env):
    s["mappings"][0]["State"] = "Disabled"
    queue(s)["ApproximateNumberOfMessages"] = "4000"
    s["oldest_age"] = 90000


@case("BM-D72")
def mapping_without_item_failures(s, env):
    s["mappings"][0]["FunctionResponseTypes"] = []


@case("BM-D73")
def two_functions_take_messages(s, env):
    s["mappings"].append(dict(s["mappings"][0], UUID="u2"))


@case("BM-D74")
def function_is_gone(s, env):
    s["functions"] = {}


@case("BM-D75")
def function_failed(s, env):
    function(s).update(State="Failed", StateReason="the image could not be read")


@case("BM-D76")
def function_update_failed(s, env):
    function(s).update(LastUpdateStatus="Failed", LastUpdateStatusReason="no such key")


@case("BM-D77")
def function_refuses_the_bucket(s, env):
    function(s)["Environment"]["Variables"]["S3_BUCKET_NAME"] = "bedrock-log,other"


@case("BM-D77")
def function_without_variables(s, env):
    function(s).pop("Environment")


@case("BM-D78")
def function_publishes_elsewhere(s, env):
    function(s)["Environment"]["Variables"]["CLOUDWATCH_NAMESPACE"] = "Other"
    s["series"] = {("Other", fake.REGION): 1}


@case("BM-D80")
def visibility_below_six_time_outs(s, env):
    queue(s)["VisibilityTimeout"] = "30"


@case("BM-D80")
def visibility_too_short_for_the_ledger(s, env):
    env["LEDGER"] = "dynamodb://ledger"
    queue(s)["VisibilityTimeout"] = "900"
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": 20})


@case("BM-D80")
def visibility_for_a_long_function(s, env):
    function(s)["Timeout"] = 900


@case("BM-D81")
def visibility_below_1300(s, env):
    queue(s)["VisibilityTimeout"] = "720"


@case("BM-D82", skipped={"metrics": "BM-D82"})
def messages_wait_for_hours(s, env):
    queue(s)["ApproximateNumberOfMessages"] = "4000"
    s["oldest_age"] = 9000.0


@case()
def messages_wait_for_a_minute(s, env):
    queue(s)["ApproximateNumberOfMessages"] = "12"
    s["oldest_age"] = 60.0


# ---- metrics and ledger ----

@case("BM-D90")
def objects_but_no_metrics(s, env):
    s["buckets"][fake.BUCKET]["objects"] = {fake.log_key(7200): 7200}
    s["series"] = {}


@case("BM-D91")
def first_object_just_now(s, env):
    s["series"] = {}


@case("BM-D92")
def metrics_stopped(s, env):
    s["buckets"][fake.BUCKET]["objects"] = {fake.log_key(3000): 3000}
    s["datum_age"] = 30000


@case("BM-D92")
def metrics_stopped_a_day_ago(s, env):
    s["buckets"][fake.BUCKET]["objects"] = {fake.log_key(3000): 3000}
    s["datum_age"] = None


@case("BM-D94")
def ledger_table_is_gone(s, env):
    env["LEDGER"] = "dynamodb://ledgers"
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": 20})


@case("BM-D94")
def the_functions_ledger_table_is_gone(s, env):
    function(s)["Environment"]["Variables"]["LEDGER"] = "dynamodb://ledgers"
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": 20})


@case("BM-D95")
def ledger_table_of_something_else(s, env):
    env["LEDGER"] = "dynamodb://ledger"
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": 20})
    s["tables"]["ledger"]["KeySchema"][0]["AttributeName"] = "id"


@case("BM-D96")
def ledger_table_being_deleted(s, env):
    env["LEDGER"] = "dynamodb://ledger"
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": 20})
    s["tables"]["ledger"]["TableStatus"] = "DELETING"


@case("BM-D97")
def ledger_file_without_its_folder(s, env):
    env["LEDGER"] = os.path.join(env["HOME"], "none", "ledger.sqlite")
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": 20})


# ---- permissions: never a fault ----

def permission(action, step):
    @case(skipped={step: action})
    def denied(s, env):
        s["denied"] = {action}
        env["LEDGER"] = "dynamodb://ledger"
        queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                                "maxReceiveCount": 20})
        queue(s)["ApproximateNumberOfMessages"] = "1"
    CASES[-1] = ("denied " + action,) + CASES[-1][1:]


for pair in (("bedrock:GetModelInvocationLoggingConfiguration", "logging"),
             ("s3:ListBucket", "objects"), ("s3:GetBucketNotification", "notification"),
             ("sqs:GetQueueAttributes", "queue"), ("lambda:ListEventSourceMappings", "mapping"),
             ("lambda:GetFunctionConfiguration", "function"),
             ("cloudwatch:ListMetrics", "metrics"), ("cloudwatch:GetMetricData", "metrics"),
             ("dynamodb:DescribeTable", "ledger")):
    permission(*pair)


# ---- several at once, and options ----

@case("BM-D20", "BM-D53", "BM-D71")
def three_independent_faults(s, env):
    s["logging"] = {}
    del queue(s)["Policy"]
    s["mappings"][0]["State"] = "Disabled"


@case(args=["--skip", "logging,queue-policy"], skipped={"logging": "--skip"})
def faults_in_steps_left_out(s, env):
    s["logging"] = {}
    del queue(s)["Policy"]


@case(args=["--canary", "--wait", "20"], writes=1)
def canary_comes_through(s, env):
    pass


@case("BM-D98", args=["--canary", "--wait", "0"], writes=1)
def canary_is_lost(s, env):
    s["counts_canary"] = False


@case("BM-D99", args=["--canary", "--wait", "5"])
def canary_may_not_be_written(s, env):
    s["denied"] = {"s3:PutObject"}


@case("BM-D71", args=["--canary", "--wait", "5"], skipped={"canary": "BM-D71"})
def canary_stays_in_after_a_fault(s, env):
    s["mappings"][0]["State"] = "Disabled"


@case(args=["--canary"], skipped={"canary": "ModelId"})
def canary_without_models(s, env):
    env["METRIC_DIMENSIONS"] = "InferenceProfileType"


# ---- running ----

def environment(home):
    return {"HOME": home, "PATH": "/usr/bin:/bin", "AWS_REGION": fake.REGION,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "very-secret-key",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": STUB.url,
            "S3_BUCKET_NAME": fake.BUCKET, "SQS_QUEUE_URL": fake.QUEUE_URL,
            "ASAN_OPTIONS": "detect_leaks=1", "NO_COLOR": "1"}


def run(binary, env, args):
    return subprocess.run([binary, "doctor", "--quiet", *args], env=env, capture_output=True,
                          cwd=env["HOME"], timeout=120)


def check_mend(finding, problems):
    if finding["code"] == "BM-D05":
        return
    if not finding["mend"]:
        problems.append("%s has no mend" % finding["code"])
    command = finding["mend"].split(" (")[0]
    if command.startswith(("aws ", "deploy/")) and "$(" not in command:
        words = shlex.split(command)
        for word in words:
            if word.startswith("{"):
                value = json.loads(word)
                if isinstance(value.get("Policy"), str):
                    json.loads(value["Policy"])
                if isinstance(value.get("RedrivePolicy"), str):
                    json.loads(value["RedrivePolicy"])


def mended_policy(doc, problems):
    """The policy that a mend sets must be one that doctor finds nothing to say about."""
    for finding in doc["checks"]:
        if finding["step"] != "queue-policy" or "mend" not in finding:
            continue
        words = shlex.split(finding["mend"])
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
    out = subprocess.run([binary, "aggregate", path, "--output", "json", "--quiet", "--by",
                          "InferenceProfileType,InferenceProfile,ModelId,SourceRegion,"
                          "InferenceRegion,AccountId,Operation,Principal"],
                         capture_output=True, env={"PATH": "/usr/bin:/bin"})
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
                check_mend(finding, problems)
        for step, text in options.get("skipped", {}).items():
            reasons = [c["reason"] for c in doc["checks"]
                       if c["step"] == step and c["result"] == "not_checked"]
            if not any(text in reason for reason in reasons):
                problems.append("step %s: %r in none of %s" % (step, text, reasons))
        if len(STUB.writes) != options.get("writes", 0):
            problems.append("wrote: %s" % STUB.writes)
        if STUB.last_put:
            check_canary(binary, env, problems)
        new = mended_policy(doc, problems)
        if new is not None:
            STUB.state["queues"][fake.QUEUE]["Policy"] = new
            again = json.loads(run(binary, env, ["--output", "json"]).stdout)
            bad = [c for c in again["checks"] if c["step"] == "queue-policy" and
                   c["result"] != "ok"]
            if bad:
                problems.append("the mended policy: %s" % bad)
        elif "--canary" not in args:
            text = run(binary, env, args)
            for code in set(codes):
                if text.stdout.decode().count(code + "\n") != codes.count(code):
                    problems.append("text names %s not once" % code)
            result.stdout += text.stdout + text.stderr
        for secret in (b"very-secret-key", b"do-not-print-me"):
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
        for service in ("s3", "sqs", "bedrock", "lambda", "monitoring", "dynamodb", "sts"):
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
    source = open(os.path.join(ROOT, "src/doctor/codes.c")).read()
    docs = open(os.path.join(ROOT, "docs/doctor.md")).read()
    codes = re.findall(r'"(BM-D\d\d)", (FAULT|WARNING)', source)
    rows = re.findall(r"^\| (BM-D\d\d) \| (fault|warning) \|", docs, re.M)
    problems = []
    if [(c, v.lower()) for c, v in codes] != rows:
        problems.append("codes.c and docs/doctor.md differ: %s" % sorted(
            set(rows) ^ {(c, v.lower()) for c, v in codes}))
    planted = {c for _, expected, _, _ in CASES for c in expected}
    if {c for c, _ in codes} != planted:
        problems.append("without a case: %s" % sorted({c for c, _ in codes} - planted))
    return problems


def check_usage(binary):
    problems = []
    with tempfile.TemporaryDirectory() as home:
        env = environment(home)
        for args in (["--output", "xml"], ["--consumer", "me"], ["--skip", "nothing"],
                     ["--wait", "5"], ["--canary", "--wait", "-1"], ["word"], ["--oops"]):
            result = subprocess.run([binary, "doctor", *args], env=env, capture_output=True)
            if result.returncode != 2 or result.stdout:
                problems.append("%s: exit %d" % (args, result.returncode))
        result = subprocess.run([binary, "doctor", "--help"], env=env, capture_output=True)
        if result.returncode != 0 or b"--canary" not in result.stdout:
            problems.append("--help")
        # Help, message and what is noted down when nothing can be checked name the same steps.
        said = re.findall(r"[a-z-]+", result.stdout.decode().split("--skip: ")[1].split(".")[0])
        refused = subprocess.run([binary, "doctor", "--skip", "x"], env=env, capture_output=True)
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
    passed = failed = 0
    tests = [(name, lambda c=codes, o=options, f=plant: one(binary, c, o, f))
             for name, codes, options, plant in CASES]
    tests += [("odd answers", lambda: check_odd_answers(binary)),
              ("documents", lambda: check_documents(binary)),
              ("usage", lambda: check_usage(binary)),
              ("options in place of variables",
               lambda: check_options_in_place_of_variables(binary))]
    for name, test in tests:
        if wanted and not any(w in name for w in wanted):
            continue
        problems = test()
        if problems:
            failed += 1
            print("FAIL %s" % name)
            for problem in problems:
                print("     %s" % problem)
        else:
            passed += 1
    STUB.stop()
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
