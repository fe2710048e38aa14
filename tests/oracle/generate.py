#!/usr/bin/env python3
"""Adversarial objects for a reader of invocation logs: same seed, same bytes.

generate.py SEED            writes the object to stdout
generate.py --key SEED      prints its key
"""

import gzip
import json
import random
import struct
import sys
import zlib

REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "ap-northeast-1", "us-gov-west-1", "ca-west-1"]
VENDOR_MODELS = [
    "anthropic.claude-sonnet-4-6",
    "anthropic.claude-3-haiku-20240307-v1:0",
    "deepseek.v3.2",
    "amazon.nova-lite-v1:0",
    "openai.gpt-5.4",
    "zai.glm-4.7",
    "xai.grok-4.6",
    "ai21.jamba-1-5-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
    "deepseek.r1-v1:0",
    "moonshotai.kimi-k2",
    "moonshot.k",
    "cohere.embed-v4:0",
    "twelvelabs.pegasus-1-2-v1:0",
    "unheard.of-model",
    "writer.palmyra-x5-v1:0",
    "google.gemma-3",
    "luma.ray-v2:0",
    "minimax.m2",
    "mistral.pixtral-large-2502-v1:0",
    "nvidia.nemotron",
    "qwen.qwen3",
    "stability.sd3-5-large-v1:0",
]
GEOGRAPHIES = [
    "us",
    "us-gov",
    "eu",
    "apac",
    "jp",
    "au",
    "ca",
    "in",
    "sa",
    "global",
    "kr",
    "amer",
    "ap",
    "US",
    "Global",
    "eusc",
    "xx-yy",
]
PARTITIONS = ["aws", "aws-us-gov", "aws-cn", "aws-iso-b", "aws-eusc", "aws"]
RESOURCES = [
    "provisioned-model/abc123def456",
    "custom-model/amazon.nova-lite-v1:0/abcdefabcdef",
    "custom-model/imported/abcdefabcdef",
    "imported-model/0a1b2c3d4e5f",
    "custom-model-deployment/0a1b2c3d4e5f",
    "prompt/ABCDEFGHIJ",
    "prompt/ABCDEFGHIJ:3",
    "prompt-router/r1",
    "default-prompt-router/anthropic.claude:1",
    "flow/XYZ",
    "application-inference-profile/appglobal001",
    "application-inference-profile/appcross0001",
    "application-inference-profile/appone000001",
    "application-inference-profile/appunknown01",
    "provisioned-model-v2/abc123def456",
]
PROFILE_IDS = [
    "kr.anthropic.claude-x",
    "newgeo.newvendor.model-v1:0",
    "newgeo.model",
    "opaqueid",
    "anthropic.claude-3",
    "deepseek.v3.2",
    "zz.yy.xx.ww",
    "us.unheard.of",
    "eu.x",
]
BARE_IDS = ["abcdefghijkl", "appglobal001x", "no-dot-at-all", "my:odd/id", "foo.bar.baz", "a.b"]
METADATA = ["team", "app", "cost center", "k\u00e9y"]
ERRORS = [
    None,
    None,
    "",
    "ThrottlingException",
    "ServiceQuotaExceededException",
    "ModelNotReadyException",
    "InternalServerException",
    "ServiceUnavailableException",
    "ModelErrorException",
    "ModelTimeoutException",
    "ModelStreamErrorException",
    "ValidationException",
    "AccessDeniedException",
    "Other",
    "throttlingexception",
    " ",
]
ARNS = [
    "arn:aws:sts::123456789012:assumed-role/App/session-1",
    "arn:aws:sts::123456789012:assumed-role/App/i-0abc",
    "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_0a/jane@example.com",
    "arn:aws:iam::123456789012:role/service/path/Deep",
    "arn:aws:iam::123456789012:role/Flat",
    "arn:aws:iam::123456789012:user/dir/bob",
    "arn:aws:iam::123456789012:user/bob",
    "arn:aws:iam::123456789012:root",
    "arn:aws:sts::123456789012:federated-user/fed",
    "arn:aws-us-gov:sts::1:assumed-role/Gov/s",
    "arn:aws:iam::1:group/admins",
    "notanarn",
    "",
    "arn:aws:iam::123456789012:saml-provider/p/q",
    "arn:aws:sts::1:assumed-role/Solo",
]
GOOD_TIMES = [
    "2026-11-01T10:31:00Z",
    "2026-11-01T10:31:59Z",
    "2026-11-01T10:32:00Z",
    "2026-11-01T10:31:07Z",
    "2026-11-01T10:31:00.5Z",
    "2026-11-01T10:31:59.999999999999999Z",
    "2026-11-01t10:31:10z",
    "2026-11-01T12:31:00+02:00",
    "2026-11-01T05:01:00-05:30",
    "2026-11-01T23:59:60Z",
    "2026-11-02T00:00:00Z",
    "2026-10-31T23:59:59Z",
    "2026-11-01T10:31:60.25Z",
    "2024-02-29T23:59:59-23:59",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00-00:00",
    "0001-01-01T00:00:00+00:01",
    "2000-02-29T00:00:00Z",
    "1582-10-10T00:00:00Z",
    "2026-11-01T10:31:00.0000000000000000001Z",
]
ODD_TIMES = [
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-11-31T00:00:00Z",
    "2026-11-00T00:00:00Z",
    "2026-11-01T24:00:00Z",
    "2026-11-01T10:60:00Z",
    "2026-11-01T10:31:61Z",
    "2026-11-01 10:31:00Z",
    "2026-11-01T10:31:00",
    "2026-11-01T10:31Z",
    "2026-11-01T10:31:00+0200",
    "2026-11-01T10:31:00+24:00",
    "2026-11-01T10:31:00+02:60",
    "2026-11-01T10:31:00.Z",
    "2026-11-01T10:31:00,5Z",
    "2026-11-01T10:31:00Z ",
    "",
    " 2026-11-01T10:31:00Z",
    "0000-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "2026-11-1T10:31:00Z",
    "+2026-11-01T10:31:00Z",
    "2026-11-01T10:31:00ZZ",
    "1762000000",
    "2026-11-01T10:31:00\u0000Z",
    "\uff12026-11-01T10:31:00Z",
    "2026-11-01T10:31:00\u2212 02:00",
    "2026-11-01T10:31:00Z\u0000",
    "2026-11-01T10:31:0:Z",
    "2026-11-01T10:31:00+2:000",
]
GOOD_NUMBERS = [
    "0",
    "1",
    "7",
    "42",
    "1000",
    "9007199254740992",
    "9007199254740991",
    "-0",
    "12.0",
    "1e3",
    "1E+3",
    "1.5e1",
    "0e0",
    "0.0",
    "-0.0e5",
    "10e-1",
    "100000e-5",
    "0e999999999999999999999",
    "1.20e2",
    "0.0000000001e10",
    "9007199254740992.000",
    "9.007199254740992e15",
    "0E-99999999999999999999",
    "90071992547409920e-1",
    "1" + "0" * 60 + "e-60",
    "0." + "0" * 60 + "5e61",
    "null",
]
ODD_NUMBERS = [
    "-1",
    "1.5",
    '"5"',
    "9007199254740993",
    "9007199254740992.5",
    "1e400",
    "1e-400",
    "-1e-1",
    "true",
    "false",
    "{}",
    "[]",
    "[1]",
    '{"a":1}',
    '""',
    "1e16",
    "9.1e15",
    "18446744073709551617",
    "1e99999999999999999999999",
    "-0.5",
    "5e-1",
    "184467440737095516160e-1",
    "4294967296.0001",
    "1" + "0" * 400,
    "1e18446744073709551616",
    "1e-18446744073709551616",
]
BROKEN_VALUES = [
    "01",
    "1.",
    ".5",
    "+1",
    "1e",
    "-",
    "0x10",
    "NaN",
    "Infinity",
    "tru",
    "nul",
    "True",
    "1_000",
    "'a'",
    '"\\x"',
    '"\\u12g4"',
    '"a\tb"',
    '"\x01"',
    "1 2",
    "--1",
    "1e+",
    "",
    "trueish",
    "nullnull",
    '"a"b',
]
BODIES = [
    '{"messages":[{"role":"user","content":[{"text":"TEXT"}]}]}',
    '[{"type":"message_start","message":{"usage":{"output_tokens":1}}},"[DONE]"]',
    '{"inputTokenCount":999,"outputTokenCount":888,"schemaType":"ModelInvocationLog"}',
    '[{"amazon-bedrock-invocationMetrics":{"inputTokenCount":571,"outputTokenCount":281}}]',
    '"plain TEXT"',
    "12",
    "null",
    "true",
    "[]",
    "{}",
    '"{\\"schemaType\\":\\"ModelInvocationLog\\"}"',
    '{"deep":DEEP}',
    '{"a":"\\\\"}',
    '{"a":"\\"}{][,:"}',
    '{"a":[}]}',
    "[(}",
    "nonsense",
    "1.2.3e",
    '{"raw":"\x01\x02\t"}',
    '{"bad escape":"\\q\\u12"}',
    "[1 2 3,,,:]",
    '{"big":"BIG"}',
    '{"input":{"inputTokenCount":5},"output":{"outputTokenCount":6}}',
    '"\\\\\\""',
    '"\\\\"',
]
TEXTS = [
    "hello",
    "",
    "caf\u00e9",
    "\u4f60\u597d",
    "\U0001f600",
    'quote \\" and \\\\',
    "\\n\\t\\/\\b\\f\\r",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\u0000",
    "a" * 63,
    "b" * 64,
    "c" * 65,
    "}{][",
    "{\\n{",
]
ODD_STRINGS = [  # raw JSON string contents for values that become dimensions
    b"\\ud800",
    b"\\udc00",
    b"\\ud83dx",
    b"\\ud83d\\ud83d\\ude00",
    b"\\ude00\\ud83d",
    b"\xff",
    b"\xc3",
    b"\xc3\xc3\xa9",
    b"\xe2\x82",
    b"\xe2\x82A",
    b"\xe2\x82\\u0041",
    b"\xf0\x9f\x98",
    b"\xf0\x9f\x98\xe2\x82\xac",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"\xe0\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\x80",
    b"a\xbf\xbfz",
    b"\\u0000",
    b"\\u0000x",
    b"\xef\xbb\xbf",
    b"\\ud83d\xed\xb8\x80",
    b"\xef\xbf\xbd",
    b"\\uFFFD",
    b"\\uffff",
    b'x\\"y',
    b"x\\\\y",
    b"\\/",
    b"\x7f",
    b"\xc2\x80",
    b"\xf0\x80\x80\x80",
    b"\xf1\x80\x80\xf1\x80\x80\x80",
    b"\\ud83d\\u0041",
    b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41",
    b"\\uD83D\\uDE00",
    b"\xf0\x9f\x98\x80",
]


def profiles_document():
    """The mapping file that goes with the generated application profiles."""
    arn = "arn:aws:bedrock:us-east-1"

    def entry(profile_id, name, *models):
        return {
            "inferenceProfileName": name,
            "status": "ACTIVE",
            "type": "APPLICATION",
            "inferenceProfileArn": arn + ":1:application-inference-profile/" + profile_id,
            "inferenceProfileId": profile_id,
            "models": [{"modelArn": each} for each in models],
        }

    model = "arn:aws:bedrock:%s::foundation-model/anthropic.claude-sonnet-4-6"
    return {
        "inferenceProfileSummaries": [
            entry("appglobal001", "Global App", model % "us-east-1", model % ""),
            entry("appcross0001", "Cross App", model % "us-east-1", model % "us-west-2"),
            entry("appone000001", "One App", model % "eu-central-1"),
            {
                "inferenceProfileName": "US Sonnet",
                "type": "SYSTEM_DEFINED",
                "status": "ACTIVE",
                "inferenceProfileArn": arn + ":1:inference-profile/us.anthropic.claude-sonnet-4-6",
                "inferenceProfileId": "us.anthropic.claude-sonnet-4-6",
                "models": [{"modelArn": model % "us-east-1"}, {"modelArn": model % "us-west-2"}],
            },
        ]
    }


class Generator:
    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def pick(self, items):
        return items[int(self.random.random() * len(items))]

    # -- values

    def model_id(self):
        roll = self.random.random()
        arn = "arn:%s:bedrock:%s:%s:" % (
            self.pick(PARTITIONS),
            self.pick(REGIONS + ["", ""]),
            self.pick(["123456789012", ""]),
        )
        if roll < 0.2:
            return self.pick(VENDOR_MODELS)
        if roll < 0.45:
            return self.pick(GEOGRAPHIES) + "." + self.pick(VENDOR_MODELS)
        if roll < 0.6:
            return (
                arn + "inference-profile/" + self.pick(GEOGRAPHIES) + "." + self.pick(VENDOR_MODELS)
            )
        if roll < 0.68:
            return arn + "inference-profile/" + self.pick(PROFILE_IDS)
        if roll < 0.75:
            return arn + "foundation-model/" + self.pick(VENDOR_MODELS)
        if roll < 0.92:
            return arn + self.pick(RESOURCES)
        if roll < 0.94:
            return "arn:aws:sagemaker:us-east-1:123456789012:endpoint/my-endpoint"
        return self.pick(BARE_IDS)

    def quote(self, text):
        """A JSON string of a text, sometimes with needless escapes."""
        if self.chance(0.9):
            return json.dumps(text, ensure_ascii=self.chance(0.5)).encode("utf-8", "surrogatepass")
        out = '"'
        for char in text:
            code = ord(char)
            if self.chance(0.4) and code < 0x10000:
                out += self.pick(["\\u%04x", "\\u%04X"]) % code
            elif char in '"\\' or code < 0x20:
                out += "\\u%04x" % code
            else:
                out += char
        return (out + '"').encode("utf-8", "surrogatepass")

    def odd_string(self):
        out = b""
        for _ in range(self.random.randint(1, 3)):
            out += self.pick(ODD_STRINGS)
            if self.chance(0.3):
                out += b"m" * self.random.randint(0, 70)
        return b'"' + out + b'"'

    def long_string(self):
        """A string whose cut at 4096 bytes is in an interesting place."""
        unit = self.pick(["x", "\u00e9", "\u20ac", "\U0001f600", "\\u00e9", "\\ud83d\\ude00"])
        size = {"\\u00e9": 2, "\\ud83d\\ude00": 4}.get(unit) or len(unit.encode())
        lead = "y" * self.random.randint(0, 8)
        count = (4096 - len(lead)) // size + self.random.randint(-2, 3)
        tail = self.pick(["", "z", "\\ud800", "tail" * 600])
        raw = ('"' + lead + unit * count + tail + '"').encode()
        if self.chance(0.3):
            raw = raw[:-1] + self.pick(ODD_STRINGS) * 3 + b'"'
        return raw

    def dimension_value(self, text):
        roll = self.random.random()
        if roll < 0.88:
            return self.quote(text)
        if roll < 0.97:
            return self.odd_string()
        if roll < 0.945:
            return self.long_string()
        return self.pick([b"null", b"12", b"true", b"{}", b"[]", b'""', b'["a"]', b'{"a":"b"}'])

    def body(self):
        body = self.pick(BODIES)
        if "DEEP" in body:
            depth = self.random.choice([5, 40, 300, 3000])
            opener = self.pick(["[", '{"a":'])
            body = body.replace(
                "DEEP", opener * depth + "1" + ("]" if opener == "[" else "}") * depth
            )
        if "BIG" in body:
            body = body.replace("BIG", 'lorem ipsum \\" ' * self.random.choice([3, 200, 9000]))
        if "TEXT" in body:
            body = body.replace("TEXT", "".join(self.pick(TEXTS) for _ in range(4)))
        return body.encode()

    def count(self):
        roll = self.random.random()
        if roll < 0.6:
            return str(self.random.randint(0, 5000)).encode()
        if roll < 0.97:
            return self.pick(GOOD_NUMBERS).encode()
        return self.pick(ODD_NUMBERS).encode()

    # -- records

    def name(self, text):
        if not text or self.chance(0.97):
            return b'"' + text.encode() + b'"'
        at = self.random.randrange(len(text))
        return ('"%s\\u%04x%s"' % (text[:at], ord(text[at]), text[at + 1 :])).encode()

    def object_of(self, members):
        """Members (name, raw value) as an object, in the white space of this record."""
        comma, colon, opener, closer = self.layout
        return (
            opener + comma.join(self.name(name) + colon + value for name, value in members) + closer
        )

    def shuffled(self, members, p=0.3):
        if self.chance(p):
            self.random.shuffle(members)
        return members

    def counts_object(self, side, names):
        if self.chance(0.04):
            return self.pick([b"null", b"[]", b"{}", b'"x"', b"12", b'[{"inputTokenCount":3}]'])
        members = []
        if self.chance(0.9):
            members.append((side + "ContentType", b'"application/json"'))
        if self.chance(0.6):
            members.append((side + "BodyJson", self.body()))
        for name in names:
            if self.chance(0.8):
                members.append((name, self.count()))
                if self.chance(0.03):
                    members.append((name, self.count()))
        if self.chance(0.05):
            members.append(
                (self.pick(["outputTokenCount", "inputTokenCount", "other"]), self.count())
            )
        if self.chance(0.04):
            members.append((side + "Extra", self.body()))
        return self.object_of(self.shuffled(members))

    def record(self):
        self.layout = self.pick(
            [
                (b",", b":", b"{", b"}"),
                (b",", b":", b"{", b"}"),
                (b",", b":", b"{", b"}"),
                (b", ", b": ", b"{ ", b" }"),
                (b",\n  ", b" : ", b"{\n  ", b"\n}"),
                (b",\r\n\t", b":\t", b"{\r\n", b"\r\n}"),
                (b" ,\n", b" \r: ", b"{ \t", b"\n\n}"),
            ]
        )
        time = self.pick(GOOD_TIMES) if self.chance(0.95) else self.pick(ODD_TIMES)
        region = self.pick(REGIONS)
        model_id = self.model_id()
        members = [
            ("timestamp", self.quote(time)),
            ("accountId", self.dimension_value(self.pick(["123456789012", "000000000001"]))),
            (
                "identity",
                self.pick(
                    [
                        lambda: self.object_of([("arn", self.dimension_value(self.pick(ARNS)))]),
                        lambda: self.object_of([("arn", self.dimension_value(self.pick(ARNS)))]),
                        lambda: self.pick(
                            [b"{}", b"[]", b"null", b'[{"arn":"arn:aws:iam::1:user/l"}]']
                        ),
                    ]
                )(),
            ),
            ("region", self.dimension_value(region) if self.chance(0.2) else self.quote(region)),
            ("requestId", self.pick([b'"1f0e-22"', b"null", b"[1]", b"zero", b'"\\q"'])),
            ("operation", self.dimension_value(self.pick(["Converse", "InvokeModel", "New Op"]))),
            (
                "modelId",
                self.dimension_value(model_id) if self.chance(0.2) else self.quote(model_id),
            ),
            (
                "input",
                self.counts_object(
                    "input",
                    ["inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"],
                ),
            ),
            ("output", self.counts_object("output", ["outputTokenCount"])),
            ("schemaType", b'"ModelInvocationLog"'),
            ("schemaVersion", self.pick([b'"1.0"', b'"2.0"', b"1", b"null", b"[1.0]"])),
        ]
        if self.chance(0.6):
            members.append(
                ("inferenceRegion", self.dimension_value(self.pick([region, self.pick(REGIONS)])))
            )
        if self.chance(0.3):
            error = self.pick(ERRORS)
            raw = b"null" if error is None else self.quote(error)
            if self.chance(0.1):
                raw = self.pick([b"0", b"false", b"{}", b"[]", b'"\\u0000"', b"true"])
            members.append(("errorCode", raw))
        if self.chance(0.4):
            pairs = [
                (name, self.dimension_value(self.pick(["blue", "green", ""])))
                for name in METADATA
                if self.chance(0.6)
            ]
            members.append(("requestMetadata", self.object_of(pairs)))
        if self.chance(0.1):
            members.append(
                (self.pick(["system", "messages", "newThing", "", "modelID"]), self.body())
            )
        if self.chance(0.06):  # a duplicate, before or behind
            name, value = self.pick(members)
            if self.chance(0.5):
                value = self.pick([b"null", b"{}", b"[]", b'"x"', b"7", b'"us-east-2"'])
            members.insert(self.random.randint(0, len(members)), (name, value))
        if self.chance(0.04):
            del members[self.random.randrange(len(members))]
        if self.chance(0.02):
            name, _ = self.pick(members)
            members = [
                (n, self.pick(BROKEN_VALUES).encode() if n == name else v) for n, v in members
            ]
        return self.object_of(self.shuffled(members))

    def other_text(self):
        return self.pick(
            [
                lambda: b"{}",
                lambda: b'{"schemaType":"Other"}',
                lambda: b'{"a":[1,2,{"b":null}]}',
                lambda: self.pick(GOOD_NUMBERS + ODD_NUMBERS).encode(),
                lambda: b'"text"',
                lambda: b"[]",
                lambda: b"[[],[{}]]",
                lambda: b'[1,"a",null]',
                lambda: b"true",
                lambda: self.pick(BROKEN_VALUES).encode(),
                self.body,
                self.odd_string,
                lambda: b'{"schemaType":["ModelInvocationLog"]}',
                lambda: b'{"schemaType":null}',
                lambda: self.pick(
                    [
                        b",",
                        b"]",
                        b"}",
                        b":",
                        b"[",
                        b"{",
                        b"[,",
                        b"[1,]",
                        b"[1 2]",
                        b"\x00",
                        b"\xef\xbb\xbf",
                        b"{]",
                        b"[}",
                        b'{"a"}',
                        b"{,}",
                        b'{"a":1,}',
                    ]
                ),
                lambda: b'{"record":' + self.record() + b"}",
            ]
        )()

    # -- content

    def content(self):
        roll = self.random.random()
        items = []
        for _ in range(self.random.choice([1, 1, 2, 3, 5, 8])):
            items.append(self.record() if self.chance(0.85) else self.other_text())
        if roll < 0.5:
            out = b"\n".join(items) + self.pick([b"\n", b"", b"\r\n", b"\n\n"])
        elif roll < 0.58:
            out = b"".join(items)
        elif roll < 0.64:
            out = b" ".join(items)
        elif roll < 0.7:
            out = b"\r\n".join(items)
        elif roll < 0.9:
            joint = self.pick([b",", b",\n", b" ,\n ", b"\n,\n", b",\r\n", b"\n", b" "])
            if self.chance(0.7):
                joint = self.pick([b",", b",\n", b"\n,"])
            out = (
                self.pick([b"[", b"[\n", b" [ "])
                + joint.join(items)
                + self.pick([b"]", b"\n]\n", b"", b",]", b"]]", b"]\n"])
            )
        else:
            out = b""
            for item in items:
                out += item + self.pick([b"\n", b"\n", b" ", b"", b",", b"\n\n", b"\t", b"\n["])
        if self.chance(0.05):
            out = b"\xef\xbb\xbf" + out
        if self.chance(0.05):
            out = self.pick([b"\n", b" ", b"\r\n\t "]) + out
        if self.chance(0.35):
            out = self.mutate(out)
        return out

    def mutate(self, data):
        for _ in range(self.random.choice([1, 1, 1, 2, 4])):
            at = self.random.randint(0, len(data))
            kind = self.random.randrange(10)
            if kind == 0 and data:
                at = self.random.randrange(len(data))
                data = (
                    data[:at] + bytes([data[at] ^ (1 << self.random.randrange(8))]) + data[at + 1 :]
                )
            elif kind == 1:
                data = data[:at]
            elif kind == 2:
                data = data[:at] + data[at + self.random.choice([1, 2, 5, 40, 400]) :]
            elif kind in (3, 4, 5):
                insert = self.pick(
                    [
                        b"{",
                        b"}",
                        b"[",
                        b"]",
                        b'"',
                        b"\\",
                        b"\n",
                        b"\n{",
                        b",",
                        b":",
                        b"\r",
                        b"\t",
                        b" ",
                        b"\x00",
                        b"\xff",
                        b"\\u",
                        b'\\"',
                        b"\\\n",
                        b"\n\n",
                        b"\n}",
                        b"\n[",
                        b"\n]",
                        b"1",
                        b'"\n{"',
                        b"true",
                        b"\\\\",
                        b"\x1f\x8b",
                        b"\n{}\n",
                        b'\\\n{"a":1}',
                        b"\n,",
                    ]
                )
                data = data[:at] + insert + data[at:]
            elif kind == 6:
                other = self.random.randint(0, len(data))
                low, high = min(at, other), max(at, other)
                data = data[:high] + data[low:high][:2000] + data[high:]
            elif kind == 7:
                breaks = [i for i, byte in enumerate(data) if byte == 0x0A]
                if breaks:
                    at = self.pick(breaks)
                    data = data[:at] + self.pick([b"", b" \n", b"\n\n", b"\r"]) + data[at + 1 :]
            elif kind == 8:
                marks = [i for i, byte in enumerate(data) if byte in b'"{}[],:\\']
                if marks:
                    at = self.pick(marks)
                    data = (
                        data[:at]
                        + self.pick([b"", b"\n", b'"', b"{", b"\\", b"]"])
                        + data[at + 1 :]
                    )
            else:
                marks = [i for i, byte in enumerate(data) if byte == 0x7B]
                if marks:
                    at = self.pick(marks)
                    data = data[:at] + b"\n" + data[at:]
        return data

    # -- objects

    def member(self, content):
        level = self.random.choice([0, 1, 6, 9])
        if self.chance(0.7):
            return gzip.compress(content, level, mtime=0)
        flags, extra = 0, b""
        if self.chance(0.3):
            flags |= 4
            extra += struct.pack("<H", 5) + b"ab\x01\x00c"
        if self.chance(0.5):
            flags |= 8
            extra += b"name.json\0"
        if self.chance(0.3):
            flags |= 16
            extra += b"a comment\0"
        head = b"\x1f\x8b\x08" + bytes([flags]) + b"\1\2\3\4\0\x03" + extra
        if self.chance(0.3):
            head = head[:3] + bytes([flags | 2]) + head[4:]
            head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
        packer = zlib.compressobj(level, zlib.DEFLATED, -15)
        body = packer.compress(content)
        if self.chance(0.2):
            body += packer.flush(zlib.Z_FULL_FLUSH)
        body += packer.flush()
        return head + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)

    def packed(self, content):
        parts = []
        pieces = self.random.choice([1, 1, 1, 2, 4])
        cuts = sorted(self.random.randint(0, len(content)) for _ in range(pieces - 1))
        for low, high in zip([0] + cuts, cuts + [len(content)]):
            parts.append(self.member(content[low:high]))
            if self.chance(0.05):
                parts.append(self.member(b""))
        data = b"".join(parts)
        roll = self.random.random()
        if roll < 0.1:
            data += b"\0" * self.random.choice([1, 7, 512, 5000])
        elif roll < 0.12:
            data += self.pick(
                [
                    b"\n",
                    b"junk",
                    b"\x1f",
                    b"\x1f\x8b",
                    b"\0\0x",
                    b"\x1f\x8b\x08",
                    b"\0" + self.member(b"{}"),
                ]
            )
        elif roll < 0.15:
            data = data[: self.random.randint(2, len(data) - 1)]
        elif roll < 0.18:  # CRC or length of the last member
            at = len(data) - self.random.randint(1, 8)
            data = data[:at] + bytes([data[at] ^ (1 << self.random.randrange(8))]) + data[at + 1 :]
        elif roll < 0.20:  # somewhere in the first member's data, behind its header
            at = self.random.randint(min(40, len(data) - 9), len(data) - 9)
            data = data[:at] + bytes([data[at] ^ (1 << self.random.randrange(8))]) + data[at + 1 :]
        return data

    def key(self):
        name = "%d.json.gz" % self.seed
        roll = self.random.random()
        base = "AWSLogs/123456789012/"
        if roll < 0.8:
            return name
        return self.pick(
            [
                base + "BedrockModelInvocationLogs/us-east-1/2026/11/01/10/" + name,
                base + "BedrockModelInvocationLogs/us-east-1/2026/11/01/10/data/" + name,
                base + "BedrockModelInvocationLogs/data/" + name,
                base + "CloudTrail/us-east-1/" + name,
                base + name,
                "AWSLogs/notdigits/CloudTrail/" + name,
                "data/" + base + "BedrockModelInvocationLogs/us-east-1/" + name,
                base + "CloudTrail/" + base + "BedrockModelInvocationLogs/" + name,
                base
                + "BedrockModelInvocationLogs/data/"
                + base
                + "BedrockModelInvocationLogs/"
                + name,
                "amazon-bedrock-logs-permission-check" + name,
                "x/data/" + name,
                "AWSLogs/" + name,
                base
                + "BedrockModelInvocationLogs/us-east-1/amazon-bedrock-logs-permission-check."
                + name,
                "amazon-bedrock-logs-permission-check/" + name,
                "BedrockModelInvocationLogs/data/" + name,
                "BedrockModelInvocationLogsX/data/" + name,
                base + "bedrockmodelinvocationlogs/" + name,
            ]
        )

    def object(self):
        """(key, bytes) of one object."""
        key = self.key()
        roll = self.random.random()
        if roll < 0.01:
            return key, self.pick(
                [
                    b"",
                    b"\x1f",
                    b"\n",
                    b"\x1f\x8b",
                    gzip.compress(b"", mtime=0),
                    b"\xef\xbb\xbf",
                    b"\xef\xbb",
                    b"\x1f\x8b\x08\0",
                ]
            )
        content = self.content()
        if roll < 0.6:
            return key, content
        return key, self.packed(content)


def main():
    args = sys.argv[1:]
    if args[:1] == ["--profiles"]:
        print(json.dumps(profiles_document(), indent=1))
        return
    seed = int(args[-1])
    key, data = Generator(seed).object()
    if args[0] == "--key":
        print(key)
    else:
        sys.stdout.buffer.write(data)


if __name__ == "__main__":
    main()
