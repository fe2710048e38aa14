"""Python, standard library only: gzip, json, a dictionary."""

import gzip
import json
import sys

from classify import print_groups


def main():
    groups = {}
    for path in sys.argv[1:]:
        with gzip.open(path, "rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if not isinstance(record, dict) or record.get("schemaType") != "ModelInvocationLog":
                    continue
                given = record.get("input") or {}
                output = record.get("output") or {}
                key = (record["timestamp"][:16], record["modelId"], record["region"],
                       record.get("inferenceRegion"))
                sums = groups.get(key)
                if sums is None:
                    sums = groups[key] = [0] * 5
                sums[0] += 1
                sums[1] += given.get("inputTokenCount") or 0
                sums[2] += output.get("outputTokenCount") or 0
                sums[3] += given.get("cacheReadInputTokenCount") or 0
                sums[4] += given.get("cacheWriteInputTokenCount") or 0
    print_groups(key + tuple(sums) for key, sums in groups.items())


main()
