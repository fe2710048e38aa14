#!/usr/bin/env python3
"""seeds.py FOLDER: a first corpus for every fuzz target, from the differential test's generator."""
import gzip
import json
import os
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "oracle"))

import generate  # noqa: E402

COUNT = 300

# For the targets that choose a parser by their first byte.
SETTINGS = [
    (0, b"2026-11-01T10:30:00.5+02:00"), (0, b"36h"), (0, b"2026-11-01"), (0, b"5m"),
    (1, b"InferenceProfileType;ModelId,Metadata:team,Tag:cost"), (1, b"Invocations,TotalTokenCount"),
    (1, b"60"),
    (2, json.dumps({"inferenceProfileSummaries": [{
        "inferenceProfileArn": "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123def456",
        "inferenceProfileId": "abc123def456", "inferenceProfileName": "a", "type": "APPLICATION",
        "models": [{"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"}],
        "tags": [{"key": "team", "value": "x"}]}]}).encode()),
    (3, zlib.compress(b"bedrock-metrics/payload/1\tCustom/BedrockMetrics\tus-east-1\n"
                      b"12\t{\"MetricName\":\"x\",\"Value\":1}\n")),
    (4, "a\n\x1b[31m\u202e=\"\\".encode()),
]
AWS_TEXTS = [
    (0, b"<Error><Code>NoSuchKey</Code><Message>a &amp; b</Message></Error>"),
    (1, b"[profile a]\nregion = us-east-1\ns3 =\n  x = y\n[default]\n"),
    (2, b"sh -c 'echo \"a b\"' c\\ d"), (3, b"/a/../b\nx=1&y="),
    (4, b"https://sqs.us-east-1.amazonaws.com/123456789012/q.fifo"),
    (4, b"Wed, 25 Nov 2026 22:00:00 GMT"),
    (4, b'{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"2026-11-25T22:00:00Z"}'),
]


def store(folder, target, number, data):
    path = os.path.join(folder, target)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "seed-%04d" % number), "wb") as file:
        file.write(data)


def main():
    folder = sys.argv[1]
    for seed in range(COUNT):
        key, data = generate.Generator(seed).object()
        store(folder, "fuzz_object", seed, data[:20000])
        try:
            plain = gzip.decompress(data)
        except (OSError, EOFError, ValueError):
            plain = data
        store(folder, "fuzz_scan", seed, bytes([seed % 256]) + plain[:8000])
        store(folder, "fuzz_model_id", COUNT + seed, key.encode("utf-8", "surrogateescape"))
    ids = ["%s.%s" % (g, m) for g in generate.GEOGRAPHIES for m in generate.VENDOR_MODELS]
    ids += ["arn:%s:bedrock:us-east-1:123456789012:%s" % (p, r) for p in generate.PARTITIONS
            for r in generate.RESOURCES + ["inference-profile/" + i for i in generate.PROFILE_IDS]]
    ids += generate.BARE_IDS + generate.ARNS + ["ModelId,Metadata:team,Principal"]
    for number, text in enumerate(ids):
        store(folder, "fuzz_model_id", 2 * COUNT + number, text.encode())
    events = os.path.join(HERE, "..", "unit", "events")
    for number, name in enumerate(sorted(os.listdir(events))):
        with open(os.path.join(events, name), "rb") as file:
            store(folder, "fuzz_events", number, file.read())
    for number, (target, text) in enumerate(SETTINGS):
        store(folder, "fuzz_settings", number, bytes([target]) + text)
    for number, (target, text) in enumerate(AWS_TEXTS):
        store(folder, "fuzz_aws_text", number, bytes([target]) + text)
    with open(os.path.join(HERE, "..", "..", "data", "bedrock-prices.json"), "rb") as file:
        store(folder, "fuzz_prices", 0, file.read()[:4000])


if __name__ == "__main__":
    main()
