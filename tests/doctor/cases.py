"""The faults that test_doctor.py plants: what each changes in a healthy pipeline, and the codes that
doctor has to name, in order."""
import json
import os

import stub as fake

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


def use_ledger(s, env, value="dynamodb://ledger", here=True, there=True):
    """LEDGER here and in the function, and the receives that it needs."""
    if here:
        env["LEDGER"] = value
    if there:
        function(s)["Environment"]["Variables"]["LEDGER"] = value
    queue(s)["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": fake.DEAD_ARN,
                                            "maxReceiveCount": 20})


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
    s["policies"][fake.BUCKET] = s["policies"][fake.BUCKET].replace("/AWSLogs", "/bedrock/raw/AWSLogs")
    s["notification"][fake.BUCKET] = fake.queue_entry(prefix="bedrock/raw/AWSLogs/")


@case()
def healthy_with_ledger_table(s, env):
    use_ledger(s, env)
    queue(s)["RedrivePolicy"] = queue(s)["RedrivePolicy"].replace("20", '"20"')


@case()
def healthy_in_two_regions(s, env):
    arn = fake.QUEUE_ARN.replace("us-east-1", "eu-west-1")
    env["SQS_QUEUE_URL"] += ",https://sqs.eu-west-1.amazonaws.com/123456789012/events-eu"
    env["S3_BUCKET_NAME"] += ", logs-eu"
    eu_arn = arn + "-eu"
    s["logging"]["eu-west-1"] = {"s3Config": {"bucketName": "logs-eu"}}
    s["policies"]["logs-eu"] = fake.policy(fake.bedrock_statement(
        Resource="arn:aws:s3:::logs-eu/AWSLogs/*", Condition={"StringEquals": {
            "aws:SourceAccount": fake.ACCOUNT}}))
    s["log_groups"]["/aws/lambda/" + fake.FUNCTION + "-eu"] = 7
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
    s["policies"][fake.BUCKET] = s["policies"][fake.BUCKET].replace("us-east-1", "us-west-2")


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
    s["policies"][fake.BUCKET] = s["policies"][fake.BUCKET].replace("/AWSLogs", "/team/AWSLogs")
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
    use_ledger(s, env)
    queue(s)["RedrivePolicy"] = queue(s)["RedrivePolicy"].replace("20", "5")


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
def function_publishes_to_another_namespace(s, env):
    function(s)["Environment"]["Variables"]["CLOUDWATCH_NAMESPACE"] = "Other"
    s["series"] = {("Other", fake.REGION): 1}


@case("BM-D80")
def visibility_below_six_timeouts(s, env):
    queue(s)["VisibilityTimeout"] = "30"


@case("BM-D80")
def visibility_too_short_for_the_ledger(s, env):
    use_ledger(s, env)
    queue(s)["VisibilityTimeout"] = "900"


@case("BM-D80")
def visibility_for_a_long_function(s, env):
    function(s)["Timeout"] = 900


@case("BM-D81")
def visibility_below_1300(s, env):
    queue(s)["VisibilityTimeout"] = "740"


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
    use_ledger(s, env, "dynamodb://ledgers")


@case("BM-D94")
def the_functions_ledger_table_is_gone(s, env):
    use_ledger(s, env, "dynamodb://ledgers", here=False)


@case("BM-D95")
def ledger_table_of_something_else(s, env):
    use_ledger(s, env)
    s["tables"]["ledger"]["KeySchema"][0]["AttributeName"] = "id"


@case("BM-D96")
def ledger_table_being_deleted(s, env):
    use_ledger(s, env)
    s["tables"]["ledger"]["TableStatus"] = "DELETING"


@case("BM-D97")
def ledger_file_without_its_folder(s, env):
    use_ledger(s, env, os.path.join(env["HOME"], "none", "ledger.sqlite"))


# ---- permissions: never a fault ----

def permission(action, step):
    @case(skipped={step: action})
    def denied(s, env):
        s["denied"] = {action}
        use_ledger(s, env)
        env["ROLE_ARN"] = fake.ROLE
        s["encryption"] = {fake.BUCKET: ("aws:kms", fake.KEY)}
        queue(s)["ApproximateNumberOfMessages"] = "1"
    CASES[-1] = ("denied " + action,) + CASES[-1][1:]


DENIED = (("bedrock:GetModelInvocationLoggingConfiguration", "logging"),
          ("s3:ListBucket", "objects"), ("s3:GetBucketNotification", "notification"),
          ("sqs:GetQueueAttributes", "queue"), ("lambda:ListEventSourceMappings", "mapping"),
          ("lambda:GetFunctionConfiguration", "function"),
          ("cloudwatch:ListMetrics", "metrics"), ("cloudwatch:GetMetricData", "metrics"),
          ("dynamodb:DescribeTable", "ledger"), ("s3:GetBucketPolicy", "bucket-policy"),
          ("s3:GetEncryptionConfiguration", "key"), ("kms:DescribeKey", "key"),
          ("kms:GetKeyPolicy", "key"), ("cloudwatch:DescribeAlarms", "alarms"),
          ("lambda:GetFunctionConcurrency", "concurrency"),
          ("logs:DescribeLogGroups", "log-group"),
          ("events:ListRuleNamesByTarget", "schedule"))
for pair in DENIED:
    permission(*pair)


# ---- roles, bucket policy, key ----

@case()
def roles_that_can_be_taken(s, env):
    env["ROLE_ARN"] = "%s, other-logs=%s" % (fake.ROLE, fake.ROLE)


@case("BM-D14")
def role_that_does_not_trust_us(s, env):
    s["identity"] = "arn:aws:sts::123456789012:assumed-role/counter/i-1"
    env["ROLE_ARN"] = fake.BUCKET + "=" + fake.ROLE + "-old"


@case("BM-D04", skipped={"metrics": "BM-D04"})
def role_that_is_a_user(s, env):
    env["ROLE_ARN"] = "arn:aws:iam::210987654321:user/x"


@case("BM-D34")
def no_bucket_policy(s, env):
    s["policies"] = {}


@case("BM-D34")
def bucket_policy_for_another_account(s, env):
    s["policies"][fake.BUCKET] = fake.policy(fake.bedrock_statement(
        Condition={"StringEquals": {"aws:SourceAccount": "210987654321"}}))


@case("BM-D34")
def bucket_policy_for_another_region(s, env):
    s["policies"][fake.BUCKET] = fake.policy(fake.bedrock_statement(Condition={
        "ArnLike": {"aws:SourceArn": "arn:aws:bedrock:eu-west-1:123456789012:*"}}))


@case("BM-D34")
def bucket_policy_without_the_key_prefix(s, env):
    s["logging"][fake.REGION]["s3Config"]["keyPrefix"] = "team"
    s["notification"][fake.BUCKET] = fake.queue_entry(prefix="team/AWSLogs/")
    s["buckets"][fake.BUCKET]["objects"] = {fake.log_key(600, prefix="team/"): 600}


@case("BM-D34")
def bucket_policy_for_reading_only(s, env):
    s["policies"][fake.BUCKET] = fake.policy(fake.bedrock_statement(Action="s3:GetObject"))


@case("BM-D35")
def bucket_policy_keeps_services_out(s, env):
    s["policies"][fake.BUCKET] = fake.policy(fake.bedrock_statement(), {
        "Sid": "NoServices", "Effect": "Deny", "Principal": "*", "Action": "s3:Put*",
        "Resource": "*", "Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}})


@case("BM-D36")
def bucket_policy_open_to_all_accounts(s, env):
    s["policies"][fake.BUCKET] = fake.policy(fake.bedrock_statement(Condition=None))


@case()
def bucket_policy_with_a_narrower_source(s, env):
    s["policies"][fake.BUCKET] = fake.policy(fake.bedrock_statement(Condition={
        "ArnLike": {"aws:SourceArn": "arn:aws:bedrock:us-east-1:123456789012:model-invocation-*"}}))


@case(args=["--skip", "logging"], skipped={"bucket-policy": "no logging configuration",
                                           "key": "no logging configuration"})
def bucket_with_replicas(s, env):
    s["policies"] = {}


@case()
def logs_encrypted_with_a_key(s, env):
    s["encryption"] = {fake.BUCKET: ("aws:kms", fake.KEY)}


@case(skipped={"key": "aws/s3"})
def logs_encrypted_with_the_key_of_s3(s, env):
    s["encryption"] = {fake.BUCKET: ("aws:kms", None)}


@case("BM-D37")
def key_without_bedrock(s, env):
    s["encryption"] = {fake.BUCKET: ("aws:kms:dsse", fake.KEY)}
    s["keys"][fake.KEY]["policy"] = fake.policy(fake.KEY_STATEMENTS[0])


@case("BM-D37")
def key_for_bedrock_of_another_account(s, env):
    s["encryption"] = {fake.BUCKET: ("aws:kms", fake.KEY)}
    s["keys"][fake.KEY]["policy"] = fake.policy(fake.KEY_STATEMENTS[0], dict(
        fake.KEY_STATEMENTS[1], Condition={"StringEquals": {"aws:SourceAccount": "1"}}))


@case("BM-D38")
def key_is_disabled(s, env):
    s["encryption"] = {fake.BUCKET: ("aws:kms", fake.KEY)}
    s["keys"][fake.KEY]["KeyState"] = "Disabled"


@case("BM-D38")
def key_is_being_deleted(s, env):
    s["encryption"] = {fake.BUCKET: ("aws:kms", fake.KEY)}
    s["keys"][fake.KEY]["KeyState"] = "PendingDeletion"


@case("BM-D38")
def key_is_gone(s, env):
    s["encryption"] = {fake.BUCKET: ("aws:kms", fake.KEY)}
    s["keys"] = {}


# ---- alarms, concurrency, log, schedule ----

@case("BM-D65")
def no_alarm_at_all(s, env):
    s["alarms"] = []


@case("BM-D65")
def alarm_on_another_queue(s, env):
    s["alarms"] = [fake.alarm(Dimensions=[{"Name": "QueueName", "Value": fake.QUEUE}])]


@case("BM-D66")
def alarm_without_a_receiver(s, env):
    s["alarms"] = [fake.alarm(AlarmActions=[])]


@case("BM-D66")
def alarm_with_its_actions_off(s, env):
    s["alarms"] = [fake.alarm(ActionsEnabled=False)]


@case()
def alarm_on_an_expression(s, env):
    s["alarms"] = [fake.alarm(Namespace=None, MetricName=None, Dimensions=None, Metrics=[
        {"Id": "e", "Expression": "m*1"},
        {"Id": "m", "MetricStat": {"Period": 60, "Stat": "Maximum", "Metric": {
            key: value for key, value in fake.alarm().items()
            if key in ("Namespace", "MetricName", "Dimensions")}}}])]


@case("BM-D67")
def concurrency_above_what_is_reserved(s, env):
    s["concurrency"] = {fake.FUNCTION: 5}


@case("BM-D67")
def concurrency_without_a_maximum(s, env):
    s["concurrency"] = {fake.FUNCTION: 10}
    del s["mappings"][0]["ScalingConfig"]


@case("BM-D68", skipped={"metrics": "BM-D68"})
def function_switched_off(s, env):
    s["concurrency"] = {fake.FUNCTION: 0}


@case()
def concurrency_as_shipped(s, env):
    s["concurrency"] = {fake.FUNCTION: 10}


@case("BM-D79")
def function_without_the_ledger_that_is_set_here(s, env):
    use_ledger(s, env, there=False)


@case("BM-D79")
def function_with_another_ledger(s, env):
    use_ledger(s, env, "dynamodb://older", here=False)
    use_ledger(s, env, there=False)


@case("BM-D80")
def visibility_without_the_batch_window(s, env):
    s["mappings"][0]["MaximumBatchingWindowInSeconds"] = 300
    queue(s)["VisibilityTimeout"] = "1000"


@case("BM-D83")
def log_kept_for_ever(s, env):
    s["log_groups"] = {"/aws/lambda/" + fake.FUNCTION: None,
                       "/aws/lambda/" + fake.FUNCTION + "-other": 30}


@case("BM-D83")
def log_group_of_ones_own_kept_for_ever(s, env):
    function(s)["LoggingConfig"] = {"LogGroup": "/mine"}
    s["log_groups"]["/mine"] = None


@case()
def log_group_not_there_yet(s, env):
    s["log_groups"] = {}


@case("BM-D84")
def nothing_starts_the_sweep(s, env):
    use_ledger(s, env)
    s["rules"] = []


@case("BM-D94")
def ledger_table_in_another_region_than_the_function(s, env):
    """The function looks in its own Region, wherever doctor is run."""
    env["AWS_REGION"] = "us-west-2"
    env["CLOUDWATCH_REGION"] = fake.REGION
    use_ledger(s, env)
    s["tables"] = {}


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
