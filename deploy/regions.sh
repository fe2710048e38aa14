#!/usr/bin/env bash
# One small stack per Region, all publishing to one central Region.  Bedrock delivers logs only to a
# bucket in the same account and Region, and bucket, queue and function must be in the same Region; so
# each Region needs its own stack, and only the metrics are combined.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: deploy/regions.sh --central REGION --code-prefix PREFIX [OPTIONS] REGION...
           [Parameter=Value ...]

  --central REGION       where the metrics go (CloudWatchRegion); need not be in the list
  --code-prefix PREFIX   the package goes to bucket PREFIX-REGION, made when missing
  --stack-name NAME      default bedrock-metrics-aggregator, the same in every Region
  --delete               remove the stacks in these Regions (buckets and ledgers stay)
  --dry-run              print the commands, run none

Running it again updates the stacks; with one more Region it adds that Region.  A Region that fails
does not keep the others from being done; it is named at the end, and the exit status is 1.
LogBucketName may hold {region}: LogBucketName=my-bedrock-logs-{region}.
USAGE
}

fail() {
    printf 'regions.sh: %s\n' "$1" >&2
    exit 2
}

here=$(cd "$(dirname "$0")" && pwd)
central='' prefix='' stack=bedrock-metrics-aggregator delete=false dry_run=false
regions=() parameters=()
while [ $# -gt 0 ]; do
    case $1 in
    --central | --code-prefix | --stack-name)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --central) central=$2 ;;
        --code-prefix) prefix=$2 ;;
        --stack-name) stack=$2 ;;
        esac
        shift
        ;;
    --delete) delete=true ;;
    --dry-run) dry_run=true ;;
    -h | --help)
        usage
        exit 0
        ;;
    CloudWatchRegion=*) fail 'CloudWatchRegion is set by --central' ;;
    [A-Z]*=*) parameters+=("$1") ;;
    [a-z]*-[a-z]*-[0-9]*) regions+=("$1") ;;
    *) fail "'$1' is neither an option, a Region nor Parameter=Value" ;;
    esac
    shift
done
[ ${#regions[@]} -gt 0 ] || fail 'name at least one Region'
if [ "$delete" = false ]; then
    [ -n "$central" ] || fail '--central is missing'
    [ -n "$prefix" ] || fail '--code-prefix is missing'
    parameters+=("CloudWatchRegion=$central")
    # One bucket name cannot serve two Regions: names are unique in all of S3.
    for parameter in "${parameters[@]}"; do
        case $parameter in
        LogBucketName=*'{region}'*) ;;
        LogBucketName=?*)
            [ ${#regions[@]} -eq 1 ] ||
                fail "$parameter is the same for every Region: put {region} into it"
            ;;
        esac
    done
fi

failed=()
for region in "${regions[@]}"; do
    if [ "$delete" = true ]; then
        command=(aws cloudformation delete-stack --stack-name "$stack" --region "$region")
        printf '+' >&2
        printf ' %q' "${command[@]}" >&2
        printf '\n' >&2
        [ "$dry_run" = true ] || "${command[@]}" || failed+=("$region")
        continue
    fi
    options=(--region "$region" --stack-name "$stack" --code-bucket "$prefix-$region")
    [ "$dry_run" = false ] || options+=(--dry-run)
    printf '# %s\n' "$region" >&2
    "$here/cloudformation.sh" deploy "${options[@]}" \
        "${parameters[@]//\{region\}/$region}" || failed+=("$region")
done
if [ ${#failed[@]} -gt 0 ]; then
    printf 'regions.sh: failed in %s\n' "${failed[*]}" >&2
    exit 1
fi
