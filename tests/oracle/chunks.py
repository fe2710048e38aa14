#!/usr/bin/env python3
"""A border of the read buffer at every byte of objects that are hard to read.

    chunks.py --binary PATH [--scanner NAME] [--step N] [--show]

Every object below and a few generated ones are written to a folder and counted once for each
buffer size up to the longest of them, so that a border falls on every byte of each; the answer
must always be that of the independent reader.
"""

import argparse
import sys
import tempfile

import differential  # puts tests/ on the path
import generate
from support.results import Results

BASE = (
    b'{"schemaType":"ModelInvocationLog","timestamp":"2026-11-01T10:31:07Z","region":"us-east-1",'
    b'"modelId":"us.amazon.nova-lite-v1:0",'
)


def with_members(members):
    return BASE + members + b"}"


OBJECTS = [
    # a value that comes twice, the second as another kind of thing, shorter, longer, with escapes
    with_members(b'"operation":"x","operation":"Converse"'),
    with_members(b'"operation":"a long value","operation":"y"'),
    with_members(b'"operation":"first","operation":"se\\u0063ond"'),
    with_members(b'"operation":"f\\u0069rst","operation":"second"'),
    with_members(b'"operation":"first","operation":null'),
    with_members(b'"operation":null,"operation":"second"'),
    with_members(b'"operation":"first","operation":{"a":"b"}'),
    with_members(b'"operation":["a"],"operation":"second"'),
    with_members(b'"operation":"first","operation":12,"operation":""'),
    with_members(b'"modelId":"eu.amazon.nova-micro-v1:0","modelId":"global.amazon.nova-pro-v1:0"'),
    with_members(b'"timestamp":"x","timestamp":"2026-11-01T10:32:00.123456789+01:00","region":"r-2"'),
    with_members(b'"errorCode":"ThrottlingException","errorCode":""'),
    with_members(b'"errorCode":"","errorCode":"InternalServerException"'),
    with_members(b'"inferenceRegion":"eu-west-1","inferenceRegion":"us-east-1"'),
    with_members(b'"identity":{"arn":"arn:aws:iam::1:root","arn":"arn:aws:iam::1:user/a/b"}'),
    with_members(b'"requestMetadata":{"team":"one","k\\u00e9y":"1","team":"two"},"requestMetadata":'
           b'{"k\xc3\xa9y":"\xe2\x82\xac"}'),
    with_members(b'"input":{"inputTokenCount":5,"inputTokenCount":1200},"output":{"outputTokenCount":7}'),
    with_members(b'"input":{"inputTokenCount":123456},"input":{"cacheReadInputTokenCount":77}'),
    with_members(b'"input":{"inputTokenCount":1.50e1,"cacheReadInputTokenCount":9007199254740992},'
           b'"output":{"outputTokenCount":12000e-3}'),
    with_members(b'"input":{"inputTokenCount":9007199254740993}'),
    with_members(b'"input":{"inputTokenCount":0.00000000000000000001e20}'),
    with_members(b'"output":{"outputTokenCount":-0,"x":{"outputTokenCount":9}},"outputTokenCount":4'),
    # values of one record after those of another
    b"\n".join(with_members(members) for members in (
        b'"operation":"Converse","accountId":"123456789012","inferenceRegion":"us-east-1"',
        b'"operation":"InvokeModel","accountId":"\\u0030\\u0031","inferenceRegion":"eu-north-1"',
        b'"operation":"\\u0043onverseStre\\u0061m","accountId":"210987654321"',
        b'"inferenceRegion":"ap-southeast-2","operation":"\xc3\xa9\xffxyz"',
        b'"modelId":"global.anth\\u0072opic.cl\\u0061ude-3","operation":"x"',
        b'"modelId":"amazon.titan","identity":{"arn":"arn:aws:iam::1:us\\u0065r/dir/bob"}',
        b'"identity":{"arn":"arn:aws:sts::1:assumed-role/Ro\\u006ce/session"}',
        b'"errorCode":"\\u0058"',
        b'"requestMetadata":{"team":"b\\u006cue"}', b'"requestMetadata":{"team":"green"}')),
    # names that look alike, names with escapes
    with_members(b'"\\u006fperation":"a","operatio":"b","operations":"c","Operation":"d"'),
    with_members(b'"in\\u0070ut":{"inputTokenCoun\\u0074":3,"inputTokenCoun":4,"inputTokenCountt":5}'),
    # values with escapes, pairs, halves and ill-formed bytes
    with_members(b'"accountId":"\\ud83d\\ude00\\ud83d\\u0041\\ude00\\\\\\"\\/\\b\\f\\n\\r\\t\\u0000"'),
    with_members(b'"accountId":"\xf0\x9f\x98\x80\xf0\x9f\x98\xe2\x82\xac\xe2\x82\xed\xa0\x80\xc3\xff"'),
    with_members(b'"accountId":"\xe2\x82\\u0041\xc3\xa9\xc3\\ud800\xed\xb0\x80"'),
    # what is skipped
    with_members(b'"x":"\\\\","y":"\\"}{","z":[{"a":"]"},{"b":"\\\\\\""}],"w":tru,"v":{[}]'),
    with_members(b'"input":{"inputBodyJson":[{"inputTokenCount":9},"}"],"inputTokenCount":1},"x":1.2.3'),
    with_members(b'"x":"\x01\x02\t","y":{"\x7f\xff":"\\q\\u12"}'),
    # texts
    b"\xef\xbb\xbf" + with_members(b'"a":1') + b"\r\n" + with_members(b'"a":2') + b'{}[]"a"12 true\nnull',
    b"[" + with_members(b'"a":1') + b",\n" + with_members(b'"b":"x\n') + b",\n" + with_members(b'"c":1') + b"\n]\n{}",
    b"[\n" + with_members(b'"a":1') + b"\n" + with_members(b'"a":2') + b" , " + with_members(b'"a":3') + b"]",
    with_members(b'"a":[1,2')[:-1] + b"\n" + with_members(b'"a":{"b":\n{"c":1}}')
    + b"\n,]}\n" + with_members(b'"d":1'),
    b'{"a":"\\\n{"b":"\n{"c":tru\n{"d":"\\u00\n{"e":1}\n12x\n"\\ud83\n-\n1e+\n.5\n"a\tb"\n"ok"\n',
    b'\xef\xbb\n{"a":1}\n\x00\n[1,2 3]\n[,\n[1,]\n[[[\n{"z":0}\n]]]\n' + with_members(b'"e":1') + b"\n[",
    b"12,13 14}-0.5e+7]1:2[3,-4.25E-2,true,false,null,\"s\",[1,[2]],{}]",
    with_members(b'"schemaType":"ModelInvocationLo"') + with_members(b'"schemaType":"ModelInvocationLogg"'),
    with_members(b'"schemaType":"Model\\u0049nvocationLog"') + with_members(b'"schemaType":["x"]'),
    b'{ "schemaType" :\r\n"ModelInvocationLog" ,\n\t"timestamp": "0000-02-29t23:59:60.9z" ,"region"'
    b' : "r","modelId"\n:\n"arn:aws:bedrock:eu-west-1:1:inference-profile/kr.new.x-v1:0" }',
]


def main():
    parser = argparse.ArgumentParser(description="Buffer borders at every byte")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--scanner")
    parser.add_argument("--step", type=int, default=1, help="try every Nth buffer size")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    args.chunk = None
    objects = [("%02d.json" % i, data) for i, data in enumerate(OBJECTS)]
    seed = 0
    while len(objects) < len(OBJECTS) + 40:
        _, data = generate.Generator(seed).object()
        if len(data) < 900 and data[:2] != b"\x1f\x8b":
            objects.append(("seed-%d.json" % seed, data))
        seed += 1
    options = differential.Options(0)
    options.by, options.interval = list(differential.BY), "1m"
    options.since = options.until = None
    options.profiles = False
    results = Results()
    with tempfile.TemporaryDirectory(prefix="chunks-") as folder:
        for chunk in range(1, max(len(data) for _, data in objects) + 2, args.step):
            args.chunk = chunk
            runner = differential.Runner(args, folder)
            if not runner.compare("all", objects, options):
                results.passed += 1
                continue
            results.failed += 1
            if results.failed > 5:
                continue
            for key, data in objects:
                lines = runner.compare("one", [(key, data)], options)
                if lines:
                    print("chunk %d, %s:" % (chunk, key))
                    print("\n".join("    " + line for line in lines))
    sys.exit(results.end())


if __name__ == "__main__":
    main()
