#!/usr/bin/env bash
# Plain CloudFormation: requires only the AWS CLI.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: deploy/cloudformation.sh template [FILE]
       deploy/cloudformation.sh deploy --code-bucket BUCKET [OPTIONS] [Parameter=Value ...]

template   writes the plain CloudFormation template made from template.yaml to FILE
           (default build/cloudformation.yaml).
deploy     uploads the package to BUCKET and creates or updates the stack.

  --code-bucket BUCKET   bucket of the stack's Region for the package; made when missing
  --stack-name NAME      default bedrock-metrics-aggregator
  --region REGION        default: what the AWS CLI is set to
  --zip FILE             default build/lambda-ARCHITECTURE.zip (see Architecture=)
  --dry-run              print the commands, run none

Parameters are those of template.yaml, for example LogBucketName=my-bedrock-logs Architecture=arm64.
USAGE
}

fail() {
    printf 'cloudformation.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

root=$(cd "$(dirname "$0")/.." && pwd)

write_template() {
    mkdir -p "$(dirname "$1")"
    {
        printf '# Generated from template.yaml by deploy/cloudformation.sh.\n'
        sed -e '/# sam$/d' -e 's/^\( *\)#cfn /\1/' -e '/^ *#/d' "$root/template.yaml"
    } >"$1"
}

# Print a command so that it can be pasted, then run it unless this is a dry run.
run() {
    printf '+' >&2
    printf ' %q' "$@" >&2
    printf '\n' >&2
    [ "$dry_run" = true ] || "$@"
}

deploy() {
    local code_bucket='' stack=bedrock-metrics-aggregator region='' zip='' architecture=x86_64
    local parameters=()
    dry_run=false
    while [ $# -gt 0 ]; do
        case $1 in
        --code-bucket | --stack-name | --region | --zip)
            [ $# -ge 2 ] || fail "$1 needs a value" 2
            case $1 in
            --code-bucket) code_bucket=$2 ;;
            --stack-name) stack=$2 ;;
            --region) region=$2 ;;
            --zip) zip=$2 ;;
            esac
            shift
            ;;
        --dry-run) dry_run=true ;;
        CodeBucket=* | CodeKey=*) fail "${1%%=*} is set by this script" 2 ;;
        Architecture=*)
            architecture=${1#*=}
            parameters+=("$1")
            ;;
        [A-Z]*=*) parameters+=("$1") ;;
        *) fail "'$1' is neither an option nor Parameter=Value" 2 ;;
        esac
        shift
    done
    case $architecture in
    x86_64 | arm64) ;;
    *) fail "Architecture is '$architecture'; it can be x86_64 or arm64" 2 ;;
    esac
    [ -n "$code_bucket" ] || fail '--code-bucket is missing' 2
    [ -n "$zip" ] || zip=$root/build/lambda-$architecture.zip
    [ -f "$zip" ] || fail "there is no package $zip: run 'make lambda' first"

    local aws=(aws)
    [ -z "$region" ] || aws=(aws --region "$region")
    local template=$root/build/cloudformation.yaml
    write_template "$template"

    # The key holds the package's hash, so that a new package changes the stack and an old one stays
    # for a roll-back.
    local hash key
    hash=$( (sha256sum "$zip" 2>/dev/null || shasum -a 256 "$zip") | cut -c1-16)
    key=bedrock-metrics/$hash-$architecture.zip

    # CloudFormation takes larger templates only from S3.
    local through_s3=(--s3-prefix bedrock-metrics)
    [ "$(wc -c <"$template")" -le 51200 ] || through_s3+=(--s3-bucket "$code_bucket")
    parameters+=("CodeBucket=$code_bucket" "CodeKey=$key")

    if [ "$dry_run" = true ]; then
        run "${aws[@]}" s3 mb "s3://$code_bucket"
    elif ! "${aws[@]}" s3api head-bucket --bucket "$code_bucket" >/dev/null 2>&1; then
        run "${aws[@]}" s3 mb "s3://$code_bucket"
    fi
    run "${aws[@]}" s3 cp "$zip" "s3://$code_bucket/$key"
    run "${aws[@]}" cloudformation deploy --stack-name "$stack" \
        --template-file "$template" "${through_s3[@]}" \
        --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
        --parameter-overrides "${parameters[@]}"
}

case ${1:-} in
template)
    [ $# -le 2 ] || fail 'template takes one file' 2
    write_template "${2:-$root/build/cloudformation.yaml}"
    ;;
deploy)
    shift
    deploy "$@"
    ;;
-h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
