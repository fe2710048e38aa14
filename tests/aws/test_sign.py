"""Random requests signed by our signer and by botocore's must get the same signature."""
import datetime
import random
import unittest
import urllib.parse

from harness import Tool, environment

try:
    import botocore.auth
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    botocore = None

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)
ALPHABET = ("abcXYZ019-_.~/ +=&?%:;,@$!*'()[]{}<>|\\^`\"#\x7f" + "\u00e9\u00fc\u65e5\U0001f600")


def text(rng, low, high):
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(low, high)))


def make(rng):
    """A request as one of our services would send it: everything percent-encoded already."""
    s3 = rng.random() < 0.5
    if s3:
        path = "/" + urllib.parse.quote(text(rng, 0, 30), safe="/~")
    else:
        # "x/." is left out: botocore folds it to "x", RFC 3986 and AWS's own suite to "x/".
        path = "/" + "/".join("s" + urllib.parse.quote(text(rng, 1, 8), safe="~")
                              for _ in range(rng.randint(0, 3)))
    query = "&".join(urllib.parse.quote(text(rng, 1, 6), safe="~") + "=" +
                     urllib.parse.quote(text(rng, 0, 12), safe="~")
                     for _ in range(rng.randint(0, 5)))
    headers = [["host", "bucket.s3.eu-west-1.amazonaws.com"]]
    for i in range(rng.randint(0, 4)):
        value = "".join(rng.choice("abc  ,;=\"0") for _ in range(rng.randint(1, 20))).strip()
        name = rng.choice(["X-Amz-Meta-A", "Range", "x-custom", "If-Match", "Content-Type"]) + str(i)
        headers.append([name, value or "x"])
    return {
        "method": rng.choice(["GET", "POST", "PUT", "HEAD"]), "path": path, "query": query,
        "headers": headers, "body": text(rng, 0, 100) if rng.random() < 0.5 else "",
        "key": "AKIDEXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "token": rng.choice(["", "tok/en+=="]), "region": rng.choice(["us-east-1", "eu-west-1"]),
        "service": "s3" if s3 else rng.choice(["sqs", "monitoring", "dynamodb"]), "s3": s3,
        "time": int((NOW - datetime.datetime(1970, 1, 1)).total_seconds()),
    }


def botocore_signature(r):
    url = "https://%s%s" % (r["headers"][0][1], r["path"])
    if r["query"]:
        url += "?" + r["query"]
    request = AWSRequest(method=r["method"], url=url, data=r["body"].encode(),
                         headers=dict(r["headers"][1:]))
    request.context["payload_signing_enabled"] = True
    kind = S3SigV4Auth if r["s3"] else SigV4Auth
    kind(Credentials(r["key"], r["secret"], r["token"] or None), r["service"],
         r["region"]).add_auth(request)
    return request.headers["Authorization"]


@unittest.skipIf(botocore is None, "botocore is not installed")
class Signatures(unittest.TestCase):
    def test_random(self):
        rng = random.Random(7)
        for name in ("get_current_datetime",):
            if hasattr(botocore.auth, name):
                setattr(botocore.auth, name, lambda *a, **k: NOW)
        with Tool(environment(), "sign_tool") as tool:
            for i in range(5000):
                request = make(rng)
                ours = tool.call(**request)
                self.assertEqual("ok", ours["status"], request)
                self.assertEqual(botocore_signature(request), ours["authorization"],
                                 "request %d: %r\n%s" % (i, request, ours["canonical"]))
