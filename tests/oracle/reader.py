#!/usr/bin/env python3
"""An independent reader of Amazon Bedrock invocation logs.

It answers the same question as `bedrock-metrics aggregate --output json` and shares nothing with
it but the rules: objects, JSON texts, records, classification and sums are written here a second
time, in the plainest way, so that a mistake would have to be made twice to stay unseen.  It holds
every object whole in memory and is slow; it is a witness, not a tool.

    reader.py [--by DIM,...] [--interval 1m|5m|1h|1d|all] [--since T] [--until T]
              [--profiles FILE] [--skips] SOURCE...
"""

import argparse
import json
import os
import re
import stat
import sys
import time
import zlib

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)

VALUE_LIMIT = 4096  # bytes of UTF-8 kept of a value
MAX_COUNT = 2**53
DEFAULT_MAX_OBJECT_BYTES = 16 << 30

GEOGRAPHIES = {"us", "us-gov", "eu", "apac", "jp", "au", "ca", "in", "sa", "global"}
VENDORS = {
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "luma",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "stability",
    "twelvelabs",
    "writer",
    "xai",
    "zai",
}
THROTTLES = {"ThrottlingException", "ServiceQuotaExceededException", "ModelNotReadyException"}
SERVER_ERRORS = {
    "InternalServerException",
    "ServiceUnavailableException",
    "ModelErrorException",
    "ModelTimeoutException",
    "ModelStreamErrorException",
}
METRICS = [
    "Invocations",
    "InputTokenCount",
    "OutputTokenCount",
    "CacheReadInputTokenCount",
    "CacheWriteInputTokenCount",
    "TotalTokenCount",
    "InvocationClientErrors",
    "InvocationServerErrors",
    "InvocationThrottles",
]
DIMENSIONS = [
    "InferenceProfileType",
    "InferenceProfile",
    "ModelId",
    "SourceRegion",
    "InferenceRegion",
    "AccountId",
    "Operation",
    "Principal",
]
INTERVALS = {"1m": 60, "5m": 300, "1h": 3600, "1d": 86400, "all": None}


# ---------------------------------------------------------------------------------------- objects


class ObjectFailed(Exception):
    """The object cannot be read whole; its message says why."""


def object_content(data, max_bytes):
    """The inflated content of an object, known by its first bytes."""
    if data[:2] != b"\x1f\x8b":
        if len(data) > max_bytes:
            raise ObjectFailed("larger than MAX_OBJECT_BYTES")
        return data
    content = bytearray()
    rest = data
    while True:
        member = zlib.decompressobj(wbits=31)
        try:
            content += member.decompress(rest, max_bytes - len(content) + 1)
            while not member.eof and len(content) <= max_bytes:
                more = member.decompress(member.unconsumed_tail, max_bytes - len(content) + 1)
                if not more and not member.eof:
                    raise ObjectFailed("truncated gzip member")
                content += more
        except zlib.error as exc:
            raise ObjectFailed("corrupt gzip member: %s" % exc) from exc
        if len(content) > max_bytes:
            raise ObjectFailed("larger than MAX_OBJECT_BYTES")
        rest = member.unused_data
        if not rest.strip(b"\0"):
            return bytes(content)
        if rest[:2] != b"\x1f\x8b":
            raise ObjectFailed("data after the last gzip member")


def key_skip_reason(key):
    """Why a key is skipped without opening it, or None."""
    segments = key.split("/")
    folders, name = segments[:-1], segments[-1]
    logs = "BedrockModelInvocationLogs"
    if logs in folders:
        last = len(folders) - 1 - folders[::-1].index(logs)
        if "data" in folders[last + 1 :]:
            return "offloaded_body"
    if name.startswith("amazon-bedrock-logs-permission-check"):
        return "permission_check"
    if "AWSLogs" in segments:
        last = len(segments) - 1 - segments[::-1].index("AWSLogs")
        below = folders[last + 1 :]
        if len(below) >= 2 and re.fullmatch("[0-9]+", below[0]) and below[1] != logs:
            return "other_service"
    return None


# ------------------------------------------------------------------------------------------ texts


class Malformed(Exception):
    """An error; `position` is the offending byte.  Reading goes on behind the next line feed."""

    def __init__(self, position):
        super().__init__(position)
        self.position = position


class Cut(Exception):
    """A line feed directly followed by `{`; `position` is that of the brace."""

    def __init__(self, position):
        super().__init__(position)
        self.position = position


class Unusable:
    """What a member holds that has an object or array where a scalar belongs."""

    def __repr__(self):
        return "UNUSABLE"


class Number:
    """A JSON number, as written."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return "Number(%r)" % self.text


UNUSABLE = Unusable()
LF = 0x0A

RE_BLANK = re.compile(rb"[ \t\r]*")
RE_SPACE = re.compile(rb"[ \t\r\n]*")
RE_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
RE_ESCAPE = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
RE_SKIP_STRING = re.compile(rb'[^"\\\n]*')
RE_SKIP_NESTED = re.compile(rb'[^"\[\]{}\n]*')
RE_SKIP_SCALAR = re.compile(rb'[^ \t\r\n,\]}:\[{"]*')
RE_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
SIMPLE_ESCAPES = {
    0x22: '"',
    0x5C: "\\",
    0x2F: "/",
    0x62: "\b",
    0x66: "\f",
    0x6E: "\n",
    0x72: "\r",
    0x74: "\t",
}
LITERALS = {0x74: (b"true", True), 0x66: (b"false", False), 0x6E: (b"null", None)}

RECORD_SCALARS = {
    "schemaType",
    "schemaVersion",
    "timestamp",
    "accountId",
    "region",
    "inferenceRegion",
    "operation",
    "modelId",
    "errorCode",
}
# Members of the record object that are read as objects, with the members needed of them; None
# stands for all.
RECORD_OBJECTS = {
    "input": {"inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"},
    "output": {"outputTokenCount"},
    "identity": {"arn"},
    "requestMetadata": None,
}


class Text:
    """Reads one JSON text.  Every method takes a position and returns the one behind it."""

    def __init__(self, data):
        self.data = data
        self.size = len(data)

    def byte(self, at):
        """The byte at a position inside a text, which the content must not end before."""
        if at >= self.size:
            raise Malformed(at)
        return self.data[at]

    def space(self, at):
        """Behind white space inside a text."""
        while True:
            at = RE_BLANK.match(self.data, at).end()
            if at >= self.size or self.data[at] != LF:
                return at
            self.line_feed(at)
            at += 1

    def line_feed(self, at):
        if at + 1 < self.size and self.data[at + 1] == 0x7B:
            raise Cut(at + 1)

    def string(self, at):
        """A fully checked string whose quote stands at `at`."""
        parts = []
        high = None  # an escaped high surrogate that waits for its other half
        at += 1
        while True:
            end = RE_PLAIN.match(self.data, at).end()
            if end > at:
                if high is not None:
                    parts.append("\ufffd")
                    high = None
                parts.append(self.data[at:end].decode("utf-8", "replace"))
                at = end
            byte = self.byte(at)
            if byte == 0x22:
                if high is not None:
                    parts.append("\ufffd")
                return at + 1, "".join(parts)
            if byte != 0x5C:
                raise Malformed(at)
            match = RE_ESCAPE.match(self.data, at)
            if not match:
                raise Malformed(at)
            if self.data[at + 1] != 0x75:
                char, unit = SIMPLE_ESCAPES[self.data[at + 1]], None
            else:
                unit = int(self.data[at + 2 : at + 6], 16)
                char = chr(unit)
            at = match.end()
            if unit is not None and 0xDC00 <= unit <= 0xDFFF:
                if high is None:
                    parts.append("\ufffd")
                else:
                    parts.append(chr(0x10000 + ((high - 0xD800) << 10) + unit - 0xDC00))
                    high = None
                continue
            if high is not None:
                parts.append("\ufffd")
                high = None
            if unit is not None and 0xD800 <= unit <= 0xDBFF:
                high = unit
            else:
                parts.append(char)

    def skip_string(self, at):
        at += 1
        while True:
            at = RE_SKIP_STRING.match(self.data, at).end()
            byte = self.byte(at)
            if byte == 0x22:
                return at + 1
            if byte == LF:
                raise Malformed(at)
            if self.byte(at + 1) == LF:
                raise Malformed(at + 1)
            at += 2

    def skip_nested(self, at):
        """Behind the object or array at `at`: where brackets of either kind balance."""
        depth = 0
        while True:
            at = RE_SKIP_NESTED.match(self.data, at).end()
            byte = self.byte(at)
            if byte == 0x22:
                at = self.skip_string(at)
                continue
            if byte == LF:
                self.line_feed(at)
            elif byte in b"[{":
                depth += 1
            else:
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1

    def skip(self, at):
        """Behind a value that is skipped in place."""
        byte = self.byte(at)
        if byte == 0x22:
            return self.skip_string(at)
        if byte in b"[{":
            return self.skip_nested(at)
        end = RE_SKIP_SCALAR.match(self.data, at).end()
        if end == at:
            raise Malformed(at)
        return end

    def scalar(self, at):
        """A fully checked scalar; an object or array in its place is skipped and unusable."""
        byte = self.byte(at)
        if byte == 0x22:
            return self.string(at)
        if byte in b"[{":
            return self.skip_nested(at), UNUSABLE
        if byte in LITERALS:
            word, value = LITERALS[byte]
            for i, expected in enumerate(word):
                if self.byte(at + i) != expected:
                    raise Malformed(at + i)
            return at + len(word), value
        match = RE_NUMBER.match(self.data, at)
        if not match:
            # "-" alone: the byte that should have been a digit is the offending one.
            raise Malformed(at + 1 if byte == 0x2D else at)
        return match.end(), Number(match.group().decode())

    def members(self, at, visit):
        """The members of the object at `at`; visit(name, position) reads a value."""
        at = self.space(at + 1)
        if self.byte(at) == 0x7D:
            return at + 1
        while True:
            if self.byte(at) != 0x22:
                raise Malformed(at)
            at, name = self.string(at)
            at = self.space(at)
            if self.byte(at) != 0x3A:
                raise Malformed(at)
            at = self.space(at + 1)
            at = visit(name, at)
            at = self.space(at)
            byte = self.byte(at)
            if byte == 0x7D:
                return at + 1
            if byte != 0x2C:
                raise Malformed(at)
            at = self.space(at + 1)

    def record(self, at):
        """The needed members of the object at `at`."""
        found = {}

        def inner(needed, into):
            def visit(name, where):
                if needed is not None and name not in needed:
                    return self.skip(where)
                where, into[name] = self.scalar(where)
                return where

            return visit

        def outer(name, where):
            if name in RECORD_SCALARS:
                where, found[name] = self.scalar(where)
                return where
            if name in RECORD_OBJECTS:
                found[name] = {}
                if self.byte(where) == 0x7B:
                    return self.members(where, inner(RECORD_OBJECTS[name], found[name]))
            return self.skip(where)

        return self.members(at, outer), found

    def element(self, at, in_array):
        """A whole text at `at`: the position behind it, and its members if it is an object."""
        byte = self.byte(at)
        if byte == 0x7B:
            return self.record(at)
        if byte == 0x5B:
            assert in_array
            return self.skip_nested(at), None
        end, _ = self.scalar(at)
        # A string ends at its quote; a number or literal must be seen to end.
        if byte != 0x22 and end < self.size and self.data[end] not in b' \t\r\n{}[]":,':
            raise Malformed(end)
        return end, None


def texts(data):
    """Yields (offset, members) of every text; members is a dict, None for a text that is no
    object, or False for a malformed one."""
    reader = Text(data)
    size = len(data)
    at = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    array = None  # offset of the open top-level array's bracket
    before = "start"  # in an array: start, element or comma is what came last
    damaged = False  # behind an error in an array: its stray `,` and `]` are not news
    while True:
        at = RE_SPACE.match(data, at).end()
        if at >= size:
            if array is not None:
                yield array, False
            return
        byte = data[at]
        begins_line = at > 0 and data[at - 1] == LF and byte == 0x7B
        if array is None:
            if damaged and byte == 0x2C:
                at += 1
                continue
            if damaged and byte == 0x5D:
                damaged = False
                at += 1
                continue
            if byte == 0x5B:
                array, before, damaged = at, "start", False
                at += 1
                continue
        elif byte == 0x5D and before != "comma":
            array = None
            at += 1
            continue
        elif byte == 0x2C and before == "element":
            before = "comma"
            at += 1
            continue
        start = at
        try:
            if array is not None and before == "element" and not begins_line:
                raise Malformed(at)
            at, members = reader.element(at, array is not None)
            before = "element"
            yield start, members
            continue
        except Malformed as exc:
            line_end = data.find(b"\n", exc.position)
            at = size if line_end < 0 else line_end + 1
        except Cut as exc:
            at = exc.position
        if array is not None:
            array, damaged = None, True
        yield start, False


# ---------------------------------------------------------------------------------------- records


class Invalid(Exception):
    """The record cannot be counted."""


def cut_value(text):
    raw = text.encode("utf-8")
    if len(raw) <= VALUE_LIMIT:
        return text
    return raw[:VALUE_LIMIT].decode("utf-8", "ignore")


def string_or_none(value):
    """A non-empty string, cut to the limit; anything else is as if absent."""
    return cut_value(value) if isinstance(value, str) and value else None


def count_of(members, name):
    """A token count: absent or null is 0; else an integral number from 0 to 2^53."""
    value = members.get(name)
    if value is None:
        return 0
    if not isinstance(value, Number):
        raise Invalid(name)
    match = re.fullmatch(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?", value.text)
    sign, whole, fraction, exponent = match.groups()
    digits = whole + (fraction or "")
    power = int(exponent or "0") - len(fraction or "")
    stripped = digits.rstrip("0")
    power += len(digits) - len(stripped)
    stripped = stripped.lstrip("0")
    if not stripped:
        return 0
    if sign or power < 0 or len(stripped) + power > 16:
        raise Invalid(name)
    number = int(stripped) * 10**power
    if number > MAX_COUNT:
        raise Invalid(name)
    return number


RE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def days_from_civil(year, month, day):
    """Days from 1970-01-01 in the proleptic Gregorian calendar."""
    days = 365 * year + (year + 3) // 4 - (year + 99) // 100 + (year + 399) // 400
    for before in range(1, month):
        days += month_length(year, before)
    return days + day - 1 - 719528


def month_length(year, month):
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def parse_time(text):
    """Whole seconds since 1970 of an RFC 3339 date-time, or None.  A leap second is the last
    second of its minute."""
    match = RE_TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(g) for g in match.groups()[:6])
    if not (
        1 <= month <= 12
        and 1 <= day <= month_length(year, month)
        and hour <= 23
        and minute <= 59
        and second <= 60
    ):
        return None
    seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60
    seconds += min(second, 59)
    if match.group(7):
        hours, minutes = int(match.group(8)), int(match.group(9))
        if hours > 23 or minutes > 59:
            return None
        offset = hours * 3600 + minutes * 60
        seconds += -offset if match.group(7) == "+" else offset
    if not days_from_civil(0, 1, 1) * 86400 <= seconds < days_from_civil(10000, 1, 1) * 86400:
        return None
    return seconds


def format_time(seconds):
    days, rest = divmod(seconds, 86400)
    low, high = 0, 9999
    while low < high:  # the last year that starts on or before it
        middle = (low + high + 1) // 2
        if days_from_civil(middle, 1, 1) <= days:
            low = middle
        else:
            high = middle - 1
    year, month = low, 1
    day = days - days_from_civil(year, 1, 1)
    while day >= month_length(year, month):
        day -= month_length(year, month)
        month += 1
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (
        year,
        month,
        day + 1,
        rest // 3600,
        rest % 3600 // 60,
        rest % 60,
    )


# --------------------------------------------------------------------------------- classification

RE_ARN = re.compile(r"arn:aws[-a-z]*:[^:]*:([^:]*):[^:]*:(.+)", re.DOTALL)
IN_REGION_RESOURCES = {
    "provisioned-model",
    "provisioned-model-v2",
    "custom-model",
    "custom-model-deployment",
    "imported-model",
    "endpoint",
}


def split_geography(model_id, is_profile_arn):
    """(geography, rest) of a profile id; geography is None where it has none."""
    first, dot, rest = model_id.partition(".")
    if not dot or not first:
        return None, model_id
    second = rest.split(".")[0]
    if first in GEOGRAPHIES:
        return first, rest or model_id
    if second in VENDORS and first not in VENDORS:
        return first, rest
    if is_profile_arn and first not in VENDORS and "." in rest:
        return first, rest
    return None, model_id


def load_profiles(path):
    """Application profiles by id: (type, base model, name)."""
    with open(path, encoding="utf-8") as file:
        listing = json.load(file)
    profiles = {}
    for entry in listing.get("inferenceProfileSummaries", []):
        arn = entry.get("inferenceProfileArn") or ""
        marker = "application-inference-profile/"
        if marker not in arn:
            continue
        regions, base = set(), None
        for model in entry.get("models") or []:
            match = RE_ARN.fullmatch(model.get("modelArn") or "")
            if not match:
                continue
            regions.add(match.group(1))
            if base is None:
                base = match.group(2).partition("foundation-model/")[2] or None
        if not regions or base is None:
            continue
        if "" in regions:
            kind = "GlobalCrossRegion"
        elif len(regions) > 1:
            kind = "CrossRegion"
        else:
            kind = "InRegion"
        profile_id = arn.split(marker, 1)[1]
        profiles[profile_id] = (kind, base, entry.get("inferenceProfileName") or profile_id)
    return profiles


def classify(model_id, region, inference_region, profiles):
    """(InferenceProfileType, ModelId, InferenceProfile, InferenceRegion)."""
    evidence = "Unknown"
    if inference_region is not None and inference_region != region:
        evidence = "CrossRegion"
    match = RE_ARN.fullmatch(model_id)
    profile = "none"
    if match:
        resource = match.group(2)
        sort, slash, name = resource.partition("/")
        if not slash or not name:
            kind, model = evidence, resource
        elif sort == "foundation-model":
            kind, model = "InRegion", name
        elif sort in IN_REGION_RESOURCES:
            kind, model = "InRegion", resource
        elif sort == "inference-profile":
            geography, model = split_geography(name, True)
            profile = name
            if geography == "global":
                kind = "GlobalCrossRegion"
            elif geography is not None:
                kind = "CrossRegion"
            else:
                kind = evidence
        elif sort == "application-inference-profile":
            if name in profiles:
                kind, model, profile = profiles[name]
            else:
                kind, model, profile = evidence, resource, name
        else:
            kind, model = evidence, resource
    elif model_id.startswith("arn:"):
        kind, model = evidence, model_id        # no whole ARN: it names nothing
    elif "." in model_id:
        geography, model = split_geography(model_id, False)
        if geography is None:
            kind = "InRegion"
        else:
            kind = "GlobalCrossRegion" if geography == "global" else "CrossRegion"
            profile = model_id
    elif model_id in profiles:
        kind, model, profile = profiles[model_id]
    else:
        kind, model = evidence, model_id
    if inference_region is None:
        inference_region = region if kind == "InRegion" else "unknown"
    return kind, model, profile, inference_region


def principal_of(arn):
    match = RE_ARN.fullmatch(arn) if arn else None
    if not match:
        return "unknown"
    resource = match.group(2)
    parts = resource.split("/")
    if parts[0] == "assumed-role" and len(parts) > 1:
        name = parts[1] if len(parts) == 2 else parts[-2]       # before the session
        if name:
            return "role/" + name
    if parts[0] in ("role", "user") and len(parts) > 1 and parts[-1]:
        return parts[0] + "/" + parts[-1]
    return resource


class Record:
    """What is known of one invocation."""

    def __init__(self, found, profiles):
        stamp = found.get("timestamp")
        self.time = parse_time(cut_value(stamp)) if isinstance(stamp, str) else None
        region = string_or_none(found.get("region"))
        model_id = string_or_none(found.get("modelId"))
        given = found.get("input", {})
        output = found.get("output", {})
        tokens = [
            count_of(given, "inputTokenCount"),
            count_of(output, "outputTokenCount"),
            count_of(given, "cacheReadInputTokenCount"),
            count_of(given, "cacheWriteInputTokenCount"),
        ]
        if self.time is None or region is None or model_id is None:
            raise Invalid("timestamp, region or modelId")
        kind, model, profile, inference_region = classify(
            model_id, region, string_or_none(found.get("inferenceRegion")), profiles
        )
        self.metadata = found.get("requestMetadata", {})
        self.dimensions = {
            "InferenceProfileType": kind,
            "InferenceProfile": profile,
            "ModelId": model,
            "SourceRegion": region,
            "InferenceRegion": inference_region,
            "AccountId": string_or_none(found.get("accountId")) or "unknown",
            "Operation": string_or_none(found.get("operation")) or "unknown",
            "Principal": principal_of(string_or_none(found.get("identity", {}).get("arn"))),
        }
        self.metrics = dict.fromkeys(METRICS, 0)
        for name, value in zip(METRICS[1:5], tokens):
            self.metrics[name] = value
        self.metrics["TotalTokenCount"] = sum(tokens)
        error = found.get("errorCode")
        if error is None or error == "":
            self.metrics["Invocations"] = 1
        elif isinstance(error, str) and error in THROTTLES:
            self.metrics["InvocationThrottles"] = 1
        elif isinstance(error, str) and error in SERVER_ERRORS:
            self.metrics["InvocationServerErrors"] = 1
        else:
            self.metrics["InvocationClientErrors"] = 1

    def dimension(self, name):
        if name.startswith("Metadata:"):
            return string_or_none(self.metadata.get(name[len("Metadata:") :])) or "none"
        return self.dimensions[name]


# -------------------------------------------------------------------------------------- aggregate


class Aggregate:
    """Sums over any number of objects."""

    def __init__(
        self,
        by,
        interval="all",
        since=None,
        until=None,
        profiles=None,
        max_bytes=DEFAULT_MAX_OBJECT_BYTES,
    ):
        self.by = list(by)
        self.interval = interval
        self.since = since
        self.until = until
        self.profiles = profiles or {}
        self.max_bytes = max_bytes
        self.cells = {}
        self.objects = {"found": 0, "counted": 0, "duplicate": 0, "failed": 0, "skipped": {}}
        self.records = {"found": 0, "counted": 0, "skipped": {}}
        self.bytes = {"read": 0, "inflated": 0}
        self.seen = set()
        self.skips = []  # (key, offset, reason) of every skipped text
        self.failures = []  # (key, reason)

    def skip_object(self, reason):
        self.objects["skipped"][reason] = self.objects["skipped"].get(reason, 0) + 1

    def skip_text(self, key, offset, reason):
        self.records["skipped"][reason] = self.records["skipped"].get(reason, 0) + 1
        self.skips.append((key, offset, reason))

    def add_text(self, key, offset, members):
        self.records["found"] += 1
        if members is False:
            return self.skip_text(key, offset, "malformed")
        if members is None or members.get("schemaType") != "ModelInvocationLog":
            return self.skip_text(key, offset, "not_invocation_log")
        try:
            record = Record(members, self.profiles)
        except Invalid:
            return self.skip_text(key, offset, "invalid")
        if (self.since is not None and record.time < self.since) or (
            self.until is not None and record.time >= self.until
        ):
            return self.skip_text(key, offset, "out_of_range")
        self.records["counted"] += 1
        seconds = INTERVALS[self.interval]
        bucket = None if seconds is None else record.time // seconds * seconds
        cell_key = (bucket, tuple(record.dimension(name) for name in self.by))
        cell = self.cells.setdefault(cell_key, dict.fromkeys(METRICS, 0))
        for name, value in record.metrics.items():
            cell[name] += value
        return None

    def add_bytes(self, key, data):
        """An object by its key and its bytes."""
        self.objects["found"] += 1
        reason = key_skip_reason(key)
        if reason:
            return self.skip_object(reason)
        return self.add_content(key, data)

    def add_content(self, key, data):
        try:
            content = object_content(data, self.max_bytes)
        except ObjectFailed as exc:
            self.objects["failed"] += 1
            self.failures.append((key, str(exc)))
            return
        self.objects["counted"] += 1
        self.bytes["read"] += len(data)
        self.bytes["inflated"] += len(content)
        for offset, members in texts(content):
            self.add_text(key, offset, members)

    def add_file(self, path):
        self.objects["found"] += 1
        reason = key_skip_reason(path)
        if reason:
            self.skip_object(reason)
            return
        real = os.path.realpath(path)
        if real in self.seen:
            self.objects["duplicate"] += 1
            return
        self.seen.add(real)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as exc:
            self.objects["failed"] += 1
            self.failures.append((path, exc.strerror))
            return
        self.add_content(path, data)

    def add_source(self, source):
        if source == "-":
            self.objects["found"] += 1
            self.add_content(source, sys.stdin.buffer.read())
        elif os.path.isdir(source):
            for folder, folders, names in os.walk(source):
                folders.sort()
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        self.add_file(path)
        else:
            self.add_file(source)

    def document(self):
        rows = []
        order = sorted(
            self.cells, key=lambda key: (key[0] or 0, [value.encode("utf-8") for value in key[1]])
        )
        totals = dict.fromkeys(METRICS, 0)
        for bucket, values in order:
            row = {} if bucket is None else {"time": format_time(bucket)}
            row.update(zip(self.by, values))
            row.update(self.cells[bucket, values])
            rows.append(row)
            for name in METRICS:
                totals[name] += row[name]
        return {
            "schema": "bedrock-metrics/aggregate/1",
            "by": self.by,
            "interval": self.interval,
            "rows": rows,
            "totals": totals,
            "objects": self.objects,
            "records": self.records,
            "bytes": self.bytes,
        }


def parse_bound(text):
    """Seconds of --since/--until: RFC 3339, a date, or relative to now."""
    match = re.fullmatch(r"([0-9]+)([mhdw])", text)
    if match:
        unit = {"m": 60, "h": 3600, "d": 86400, "w": 604800}[match.group(2)]
        return int(time.time()) - int(match.group(1)) * unit
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        text += "T00:00:00Z"
    seconds = parse_time(text)
    if seconds is None:
        raise argparse.ArgumentTypeError("no time: %r" % text)
    return seconds


def parse_by(text):
    names = text.split(",")
    for name in names:
        if name not in DIMENSIONS and not (name.startswith("Metadata:") and name[9:]):
            raise argparse.ArgumentTypeError("no dimension: %r" % name)
    return names


def main():
    parser = argparse.ArgumentParser(description="Independent reader of Bedrock invocation logs.")
    parser.add_argument("--by", type=parse_by, default=["InferenceProfileType", "ModelId"])
    parser.add_argument("--interval", choices=sorted(INTERVALS), default="all")
    parser.add_argument("--since", type=parse_bound)
    parser.add_argument("--until", type=parse_bound)
    parser.add_argument("--profiles")
    parser.add_argument("--skips", action="store_true", help="name every skip on stderr")
    parser.add_argument("sources", nargs="+")
    args = parser.parse_args()
    aggregate = Aggregate(
        args.by,
        args.interval,
        args.since,
        args.until,
        load_profiles(args.profiles) if args.profiles else None,
        int(os.environ.get("MAX_OBJECT_BYTES") or DEFAULT_MAX_OBJECT_BYTES),
    )
    for source in args.sources:
        aggregate.add_source(source)
    text = json.dumps(aggregate.document(), ensure_ascii=False, separators=(",", ":"))
    sys.stdout.buffer.write(text.encode("utf-8") + b"\n")
    for key, reason in aggregate.failures:
        print("failed %s: %s" % (key, reason), file=sys.stderr)
    if args.skips:
        for key, offset, reason in aggregate.skips:
            print("skipped %s at %d: %s" % (key, offset, reason), file=sys.stderr)
    sys.exit(1 if aggregate.objects["failed"] else 0)


if __name__ == "__main__":
    main()
