#!/usr/bin/env bash
# Makes an existing bucket notify the queue of new log objects.  CloudFormation can only replace the
# whole notification configuration of a bucket and would remove other entries; this script adds one
# entry and keeps the rest.  Requires the AWS CLI and python3.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: deploy/attach-bucket.sh --bucket BUCKET --queue-arn ARN [--key-prefix PREFIX] [OPTIONS]
       deploy/attach-bucket.sh --bucket BUCKET --detach [OPTIONS]

  --queue-arn ARN       output QueueArn of the stack
  --key-prefix PREFIX   parameter KeyPrefix of the stack
  --id ID               name of the entry, default bedrock-metrics
  --region REGION       default: what the AWS CLI is set to
  --detach              take the entry away (with --queue-arn: every entry for that queue)
  --dry-run             print the new configuration, set nothing

Running it twice changes nothing.  When an entry of somebody else already takes the same objects, S3
would refuse; the script names that entry and stops.
USAGE
}

fail() {
    printf 'attach-bucket.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

bucket='' queue='' prefix='' id=bedrock-metrics mode=attach dry_run=false
aws=(aws)
while [ $# -gt 0 ]; do
    case $1 in
    --bucket | --queue-arn | --key-prefix | --id | --region)
        [ $# -ge 2 ] || fail "$1 needs a value" 2
        case $1 in
        --bucket) bucket=$2 ;;
        --queue-arn) queue=$2 ;;
        --key-prefix) prefix=$2 ;;
        --id) id=$2 ;;
        --region) aws=(aws --region "$2") ;;
        esac
        shift
        ;;
    --detach) mode=detach ;;
    --dry-run) dry_run=true ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) fail "unknown option '$1'" 2 ;;
    esac
    shift
done
[ -n "$bucket" ] || fail '--bucket is missing' 2
if [ "$mode" = attach ]; then
    case $queue in
    arn:aws*:sqs:*:*:?*) ;;
    '') fail '--queue-arn is missing' 2 ;;
    *) fail "--queue-arn is '$queue', which is not a queue ARN" 2 ;;
    esac
fi

current=$("${aws[@]}" s3api get-bucket-notification-configuration --bucket "$bucket" \
    --output json)

# Prints the configuration to set, or nothing if it is up to date.
merged=$(
    CURRENT=$current MODE=$mode QUEUE=$queue PREFIX=$prefix ID=$id python3 - <<'PYTHON'
import json
import os
import sys

config = json.loads(os.environ["CURRENT"] or "{}")
config.pop("ResponseMetadata", None)
prefix = os.environ["PREFIX"].strip("/")
wanted = {
    "Id": os.environ["ID"],
    "QueueArn": os.environ["QUEUE"],
    "Events": ["s3:ObjectCreated:*"],
    "Filter": {"Key": {"FilterRules": [
        {"Name": "prefix", "Value": (prefix + "/" if prefix else "") + "AWSLogs/"},
        {"Name": "suffix", "Value": ".json.gz"},
    ]}},
}


def rules(entry):
    found = {"prefix": "", "suffix": ""}
    for rule in entry.get("Filter", {}).get("Key", {}).get("FilterRules", []):
        found[rule["Name"].lower()] = rule["Value"]
    return found


def overlap(a, b):
    """S3 refuses two entries whose prefixes and whose suffixes both overlap, for a like event."""
    a, b = rules(a), rules(b)
    prefixes = a["prefix"].startswith(b["prefix"]) or b["prefix"].startswith(a["prefix"])
    suffixes = a["suffix"].endswith(b["suffix"]) or b["suffix"].endswith(a["suffix"])
    return prefixes and suffixes


def same(a, b):
    return a["QueueArn"] == b["QueueArn"] and sorted(a["Events"]) == sorted(b["Events"]) \
        and rules(a) == rules(b)


queues = config.get("QueueConfigurations", [])
# An entry of any name for the same queue is ours too: a bucket that outlived its stack has one.
ours = [entry for entry in queues
        if entry.get("Id") == wanted["Id"] or entry.get("QueueArn") == wanted["QueueArn"]]
others = [entry for entry in queues if entry not in ours]
if os.environ["MODE"] == "detach":
    if not ours:
        sys.exit(0)
    queues = others
else:
    if len(ours) == 1 and same(ours[0], wanted):
        sys.exit(0)
    rest = others + config.get("TopicConfigurations", []) \
        + config.get("LambdaFunctionConfigurations", [])
    for entry in rest:
        created = any(event.startswith("s3:ObjectCreated:") for event in entry.get("Events", []))
        if created and overlap(entry, wanted):
            target = entry.get("QueueArn") or entry.get("TopicArn") \
                or entry.get("LambdaFunctionArn")
            sys.exit("attach-bucket.sh: entry '%s' already sends these objects to %s, and S3 lets "
                     "only one entry have them. Let that entry send to an SNS topic, and subscribe "
                     "both its receiver and the queue to the topic." % (entry.get("Id"), target))
    queues = others + [wanted]
if queues:
    config["QueueConfigurations"] = queues
else:
    config.pop("QueueConfigurations", None)
print(json.dumps(config, indent=2))
PYTHON
)

if [ -z "$merged" ]; then
    printf 'bucket %s is up to date\n' "$bucket"
    exit 0
fi
if [ "$dry_run" = true ]; then
    printf '%s\n' "$merged"
    exit 0
fi
"${aws[@]}" s3api put-bucket-notification-configuration --bucket "$bucket" \
    --notification-configuration "$merged"
printf 'bucket %s: entry %s %sed\n' "$bucket" "$id" "$mode"
