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

Z16 = "AAAAAAAAAAAAAAAAAAAAAA=="
PART = ("AQAAAAAAAAAAAAAEAAAAAAAAAAUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==")
BATCH = {"s": {"N": "2"}, "t": {"N": "5"}, "m": {"N": "1"},
         "p": {"L": [{"M": {"n": {"B": Z16}, "v": {"B": PART}}}]}}
MEMBERS = {"d": {"B": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
ENTRY = {"z": {"N": "7"}, "zb": {"B": "YWI="}, "zk": {"B": "YWJj"}, "zr": {"B": ""}}
LISTS = {"Responses": {"t": [dict(pk={"S": "q#0"}, **{"00" * 16: {"N": "5"}}),
                             dict(pk={"S": "z#0"}, **{"00" * 32: {"N": "5"}}),
                             dict(pk={"S": "o#" + "00" * 32}, b={"B": Z16}, t={"N": "5"}),
                             dict(pk={"S": "b#" + "00" * 16}, **BATCH),
                             dict(pk={"S": "m#" + "00" * 16}, **MEMBERS)]}}
# What a table answers, one after another, to each question of fuzz_dynamodb.c.
TABLE = [[{"Item": BATCH}, {"Item": MEMBERS}], [LISTS, LISTS, LISTS], [LISTS, {"Item": ENTRY}],
         [{"Attributes": {"n": {"N": "3"}}}], [{"Item": {"d": {"B": "cGF5bG9hZA=="}}}],
         [{"LastEvaluatedKey": {"pk": {"S": "x"}}, "Items": [dict(pk={"S": "b#00"}, **BATCH)]}, {}]]
# Answers of servers, to each call of fuzz_answers.c.
JSON = "application/x-amz-json-1.0"
SERVERS = [
    (0, "ETag: \"abc\"", "{}"), (0, "Content-Encoding: gzip", "x"),
    (1, "Content-Type: application/xml", "<ListBucketResult><IsTruncated>false</IsTruncated><Contents>"
     "<Key>a%20b</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
     "<Size>1</Size></Contents></ListBucketResult>"),
    (2, JSON, '{"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"{}",'
     '"MD5OfBody":"99914b932bd37a50b983c5e7c90ae93b","Attributes":{"ApproximateReceiveCount":"2"}}]}'),
    (3, "Content-Type: text/xml", "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/a"
     "</Arn><UserId>u</UserId><Account>123456789012</Account></GetCallerIdentityResult>"
     "</GetCallerIdentityResponse>"),
    (4, JSON, '{"MetricDataResults":[{"Id":"s0","StatusCode":"Complete","Timestamps":[60,0],'
     '"Values":[1,2]},{"Id":"s1","StatusCode":"Complete","Timestamps":[],"Values":[]},'
     '{"Id":"s2","StatusCode":"PartialData","Timestamps":[0],"Values":[1]}]}'),
    (5, JSON, "{}"), (6, JSON, json.dumps({"Item": BATCH})),
    (7, JSON, '{"Statement":[]}'), (8, JSON, '{"inferenceProfileSummaries":[],"nextToken":"x"}'),
    (9, "x-amz-bucket-region: eu-west-1", ""),
]
# A head in which libcurl sees another status later on than at first: there is no body to read.
SERVERS_RAW = [
    b"\x00HTTP/1.1 200 OK\rn-Encoding: gzip\r\nContent-Length: 1\r\n\r\x06HTTP/1.1 204 OK\rAAAAAAAAA3 "
    b"B<ousy\r\nContent-Ty\nxpe: application/x-amz-json-1.0\r\nTransfer-Encoding: ch",
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
    for which in range(17):
        for number, documents in enumerate(TABLE):
            lines = b"\n".join(b"\x00" + json.dumps(d).encode() for d in documents)
            store(folder, "fuzz_dynamodb", 10 * which + number, bytes([which]) + lines)
    for number, (which, header, body) in enumerate(SERVERS):
        header = header if ": " in header else "Content-Type: " + header
        head = "HTTP/1.1 200 OK\r\n%s\r\nContent-Length: %d\r\n\r\n" % (header, len(body))
        store(folder, "fuzz_answers", number, bytes([which]) + (head + body).encode())
        head = "HTTP/1.1 503 Busy\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        store(folder, "fuzz_answers", 100 + number, bytes([which]) + (head % header).encode())
    for number, data in enumerate(SERVERS_RAW):
        store(folder, "fuzz_answers", 200 + number, data)


if __name__ == "__main__":
    main()
