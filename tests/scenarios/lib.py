"""What the build.py of a case uses to make objects that no text file can hold."""

import gzip
import json
import os
import struct
import zlib


def record(**changes):
    """One invocation record as JSON text; a member given as None is left out."""
    members = {
        "timestamp": "2026-11-01T10:31:07Z",
        "accountId": "123456789012",
        "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/App/session-1"},
        "region": "us-east-1",
        "requestId": "0c4e3a52-0f5e-4c30-9a3f-2f1f5a1b7c01",
        "operation": "Converse",
        "modelId": "us.anthropic.claude-sonnet-4-6",
        "input": {"inputContentType": "application/json", "inputTokenCount": 10},
        "output": {"outputContentType": "application/json", "outputTokenCount": 2},
        "inferenceRegion": "us-west-2",
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    }
    members.update(changes)
    members = {name: value for name, value in members.items() if value is not None}
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False)


def raw(**changes):
    """As record(), but the changes are raw JSON text (str or bytes) put in as they are."""
    text = record(**{name: "@@%s@@" % name for name in changes}).encode()
    for name, value in changes.items():
        value = value if isinstance(value, bytes) else value.encode()
        text = text.replace(b'"@@%s@@"' % name.encode(), value)
    return text


def lines(*records):
    """Records, str or bytes, as JSON lines."""
    return b"".join(r if isinstance(r, bytes) else r.encode() for r in _ended(records))


def _ended(records):
    for item in records:
        yield item
        yield "\n"


def member(content, level=6, crc=None, length=None, header=None):
    """A gzip member; crc and length override the trailer."""
    content = content if isinstance(content, bytes) else content.encode()
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = packer.compress(content) + packer.flush()
    head = header if header is not None else b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    return head + body + struct.pack(
        "<II", zlib.crc32(content) if crc is None else crc,
        len(content) & 0xFFFFFFFF if length is None else length)


def gz(content, level=6):
    content = content if isinstance(content, bytes) else content.encode()
    return gzip.compress(content, level, mtime=0)


def write(path, data):
    """A file below the case's folder, which is the working folder."""
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
