"""AWS Signature Version 4 with hmac and hashlib only: verify a request as sent, and sign one.

Independent of the product and of botocore.  What is verified is what was sent: an encoding that
is not canonical in path or query is a fault even where the signature holds.

    fault = verify(method, target, headers, body, {"AKID": ("secret", None)})   # None: good
    fault.code, fault.status, fault.message

CLI: sigv4_verify.py --listen ACCESS:SECRET[:TOKEN] answers 200 or the fault to any request.
"""
import calendar
import hashlib
import hmac
import time
import urllib.parse

MAX_SKEW_SECONDS = 900  # "MaxAllowedSkewMilliseconds 900000" in AWS's answers


class Fault:
    def __init__(self, code, message, status=403, canonical=None):
        self.code = code
        self.message = message
        self.status = status
        self.canonical = canonical

    def __repr__(self):
        return "Fault(%s, %s)" % (self.code, self.message)


def parse_keys(text):
    """"ACCESS:SECRET[:TOKEN]" -> {"ACCESS": ("SECRET", TOKEN or None)}"""
    parts = text.split(":", 2)
    if len(parts) < 2:
        raise ValueError("wanted ACCESS:SECRET[:TOKEN]")
    return {parts[0]: (parts[1], parts[2] if len(parts) == 3 else None)}


def amz_time(text):
    return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret, date, region, service):
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def quote(text, safe=""):
    return urllib.parse.quote(text, safe=safe + "-_.~")


def requote(text, safe=""):
    return urllib.parse.quote_from_bytes(urllib.parse.unquote_to_bytes(text), safe + "-_.~")


def normalize_path(path):
    """Remove dot segments and empty segments, as every service but S3 does."""
    out = []
    for part in path.split("/"):
        if part == "..":
            if out:
                out.pop()
        elif part not in ("", "."):
            out.append(part)
    tail = "/" if path.endswith("/") and out else ""
    return "/" + "/".join(out) + tail


def canonical_request(method, target, headers, signed, payload_hash, service):
    path, _, query = target.partition("?")
    if service not in ("s3", "s3express"):
        path = quote(normalize_path(path), safe="/")
    pairs = sorted((p.partition("=")[0], p.partition("=")[2]) for p in query.split("&") if p)
    lines = [method, path or "/", "&".join("%s=%s" % p for p in pairs)]
    lines += ["%s:%s" % (n, " ".join(headers.get(n, "").split())) for n in signed]
    return "\n".join(lines + ["", ";".join(signed), payload_hash])


def signature(secret, canonical, amz_date, scope):
    date, region, service, _ = scope.split("/")
    text = "\n".join(["AWS4-HMAC-SHA256", amz_date, scope,
                      hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()])
    return _hmac(signing_key(secret, date, region, service), text).hex()


def scope_of(headers):
    """(access key, date, region, service) of the Authorization header, or None."""
    text = headers.get("authorization", "")
    if not text.startswith("AWS4-HMAC-SHA256 "):
        return None
    fields = dict(p.strip().partition("=")[::2] for p in text[17:].split(","))
    parts = fields.get("Credential", "").split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        return None
    return tuple(parts[:4])


def check_presence(headers, service=None, now=None, max_skew=MAX_SKEW_SECONDS):
    """Only what can be checked without the secret: form, scope and the 15-minute window."""
    now = time.time() if now is None else now
    if not headers.get("authorization"):
        return Fault("MissingAuthenticationToken", "Request is missing Authentication Token")
    scope = scope_of(headers)
    if scope is None:
        return Fault("IncompleteSignature", "Authorization header is malformed", 400)
    if service and scope[3] != service:
        return Fault("SignatureDoesNotMatch",
                     "Credential should be scoped to correct service: '%s'." % service)
    date = headers.get("x-amz-date", "")
    try:
        sent = amz_time(date)
    except ValueError:
        return Fault("IncompleteSignature", "X-Amz-Date is missing or malformed", 400)
    if date[:8] != scope[1]:
        return Fault("SignatureDoesNotMatch", "Date in Credential scope does not match X-Amz-Date")
    if abs(now - sent) > max_skew:
        if scope[3] == "s3":
            return Fault("RequestTimeTooSkewed", "The difference between the request time and the "
                         "current time is too large.")
        if sent < now:
            return Fault("SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s "
                         "(%s - 15 min.)" % (date, _stamp(now - MAX_SKEW_SECONDS), _stamp(now)))
        return Fault("SignatureDoesNotMatch", "Signature not yet current: %s is still later than "
                     "%s (%s + 15 min.)" % (date, _stamp(now + MAX_SKEW_SECONDS), _stamp(now)))
    return None


def _stamp(seconds):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def verify(method, target, headers, body, keys, now=None, service=None,
           max_skew=MAX_SKEW_SECONDS):
    """headers: {lower-case name: value}.  None when the request is signed as AWS wants it."""
    fault = check_presence(headers, service, now, max_skew)
    if fault:
        return fault
    access, date, region, svc = scope_of(headers)
    if access not in keys:
        return Fault("InvalidAccessKeyId" if svc == "s3" else "InvalidClientTokenId",
                     "The security token included in the request is invalid.")
    secret, token = keys[access]
    fields = dict(p.strip().partition("=")[::2] for p in headers["authorization"][17:].split(","))
    signed = fields.get("SignedHeaders", "").split(";")
    if signed != sorted(set(signed)) or "host" not in signed:
        return Fault("SignatureDoesNotMatch", "SignedHeaders are unsorted or lack host")
    unsigned = [n for n in headers if n.startswith("x-amz-") and n not in signed]
    if unsigned:
        return Fault("AccessDenied", "There were headers present in the request which were not "
                     "signed: " + ", ".join(unsigned))
    missing = [n for n in signed if n not in headers]
    if missing:
        return Fault("SignatureDoesNotMatch", "signed but not sent: " + ", ".join(missing))
    if headers.get("x-amz-security-token") != token:
        return Fault("InvalidToken" if svc == "s3" else "InvalidClientTokenId",
                     "The security token included in the request is invalid")
    actual = hashlib.sha256(body).hexdigest()
    claimed = headers.get("x-amz-content-sha256")
    if svc == "s3" and not claimed:
        return Fault("InvalidRequest", "Missing required header for this request: "
                     "x-amz-content-sha256", 400)
    if claimed and claimed not in ("UNSIGNED-PAYLOAD", actual):
        return Fault("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does "
                     "not match what was computed.", 400)
    path, _, query = target.partition("?")
    # An ARN as one segment of a path keeps its slash encoded (Bedrock's GetInferenceProfile).
    canonical = requote(path, "/") if svc == "s3" else \
        "/".join(requote(segment) for segment in path.split("/"))
    if canonical != path:
        return Fault("InvalidURI", "path is not canonically encoded: " + path, 400)
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if requote(name) != name or requote(value) != value:
            return Fault("InvalidURI", "query is not canonically encoded: " + pair, 400)
    canonical = canonical_request(method, target, headers, signed, claimed or actual, svc)
    wanted = signature(secret, canonical, headers["x-amz-date"],
                       "/".join([date, region, svc, "aws4_request"]))
    if not hmac.compare_digest(wanted, fields.get("Signature", "")):
        return Fault("SignatureDoesNotMatch", "The request signature we calculated does not match "
                     "the signature you provided.", 403, canonical)
    return None


def sign(method, target, headers, body, access, secret, region, service, token=None, now=None):
    """Add what signing adds to headers ({any case: value}, with Host) and return them."""
    now = time.time() if now is None else now
    out = {n.lower(): v for n, v in headers.items()}
    out["x-amz-date"] = _stamp(now)
    payload = hashlib.sha256(body).hexdigest()
    if service == "s3":
        out["x-amz-content-sha256"] = payload
    if token:
        out["x-amz-security-token"] = token
    signed = sorted(n for n in out if n in ("host", "content-type") or n.startswith("x-amz-"))
    scope = "/".join([out["x-amz-date"][:8], region, service, "aws4_request"])
    canonical = canonical_request(method, target, out, signed, payload, service)
    out["authorization"] = ("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        access, scope, ";".join(signed), signature(secret, canonical, out["x-amz-date"], scope)))
    return out


def main():
    import httpbase
    parser = httpbase.command_line(__doc__)
    parser.add_argument("--listen", required=True, metavar="ACCESS:SECRET[:TOKEN]")
    args = parser.parse_args()
    keys = parse_keys(args.listen)

    def handle(request):
        fault = verify(request.method, request.target, request.headers, request.body, keys)
        if fault is None:
            return httpbase.Response(200, b"verified\n")
        return httpbase.aws_error(request, fault.status, fault.code,
                                  fault.message + "\n" + (fault.canonical or ""))
    httpbase.run_until_stopped(httpbase.Server(handle, args.port))


if __name__ == "__main__":
    main()
