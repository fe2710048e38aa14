"""A strict CloudWatch: every documented limit of PutMetricData, faults on request, exact sums.

    stub = CloudWatchStub().start();  stub.url;  stub.stop()
    stub.control({"faults": [{"kind": "lost", "count": 1}]})
    stub.sum("Custom/BedrockMetrics", "Invocations", {"ModelId": "x"})   # exact, all time
    stub.log                                                              # one dict a request

PutMetricData, GetMetricData, GetMetricStatistics and ListMetrics in AWS JSON 1.0 and query form,
gzip'ed or not.  One bad datum refuses the whole request, as AWS documents.  Stricter than AWS on
purpose: unknown members are refused, statistic sets must be possible, 1 MB is 1,000,000 bytes
of body as sent.

POST /control takes any of
  {"reset": true}                forget data, faults and log
  {"faults": [FAULT, ...]}       appended; each FAULT is used up request by request, in order
  {"settings": {...}}            read_delay (seconds until data can be read), read_delay_by_age
                                 ([[age, delay], ...]: longer for old data, AWS's would be
                                 [[10800, 7200], [86400, 172800]]), clock_offset (seconds our
                                 clock is ahead), max_inflated (bytes, null: 32 MiB), max_skew
                                 (seconds that a signature holds instead of 900)
FAULT: {"kind": K, "count": 1, "skip": 0, "op": "PutMetricData"} with K one of
  throttle       400 Throttling                         (not applied)
  status         "status": 500|503|408..., "applied": false
  lost           applied, then the connection ends without an answer ("how": "rst"|"fin")
  not_applied    the connection ends without an answer, nothing applied
  delay          "seconds": s, then as usual
  expired_token  403 ExpiredTokenException              (not applied)
  refuse         400 InvalidParameterValue              (not applied)
  swallow        200, but the data never appear
GET /control answers {"requests", "applied", "duplicates", "log", "series"}; /control?data=1 adds
to each series its data by timestamp.  A request counts as a duplicate when one of the same body
(or amz-sdk-invocation-id) was applied before.
"""
import calendar
import hashlib
import json
import re
import threading
import time
import urllib.parse
import zlib
from decimal import Decimal
from fractions import Fraction

import httpbase
import sigv4_verify
from httpbase import Abort, Response

MAX_DATA = 1000
MAX_BODY = 1_000_000
MAX_INFLATED = 32 << 20
MAX_DIMENSIONS = 30
MAX_VALUES = 150
LIMIT = Fraction(2) ** 360
TWO_WEEKS = 14 * 86400
TWO_HOURS = 2 * 3600
UNITS = set("""Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits
Kilobits Megabits Gigabits Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second
Gigabytes/Second Terabytes/Second Bits/Second Kilobits/Second Megabits/Second Gigabits/Second
Terabits/Second Count/Second None""".split())
SHAPES = {  # query code -> JSON shape, where they differ
    "InvalidParameterValue": "InvalidParameterValueException",
    "InvalidParameterCombination": "InvalidParameterCombinationException",
    "MissingParameter": "MissingRequiredParameterException",
    "InternalServiceError": "InternalServiceFault",
}
NAMESPACE = "com.amazonaws.cloudwatch.v2010_08_01"
API = "GraniteServiceVersion20100801."
XMLNS = "http://monitoring.amazonaws.com/doc/2010-08-01/"


class Refused(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def bad(message):
    return Refused("InvalidParameterValue", message)


def missing(name):
    return Refused("MissingParameter", "The parameter %s is required." % name)


# ---- validation ----

def members(value, path, known):
    if not isinstance(value, dict):
        raise Refused("SerializationException", path + " is not a structure")
    for name in value:
        if name not in known:
            raise Refused("SerializationException", "%s has an unknown member %s" % (path, name))


def text(value, path, longest):
    if not isinstance(value, str):
        raise Refused("SerializationException", path + " is not a string")
    if not 1 <= len(value) <= longest:
        raise bad("The value for parameter %s must have length 1 to %d." % (path, longest))
    if any(not " " <= c <= "~" for c in value):
        raise bad("The value for parameter %s must contain only ASCII characters and no control "
                  "characters." % path)
    if not value.strip():
        raise bad("The value for parameter %s must have a non-whitespace character." % path)
    return value


def namespace_of(value):
    if value is None:
        raise missing("Namespace")
    text(value, "Namespace", 255)
    if value.startswith(":") or not re.fullmatch(r"[0-9A-Za-z.\-_/#: ]+", value):
        raise bad("The value %s for parameter Namespace is invalid." % value)
    return value


def number(value, path):
    """An int or Fraction of a JSON number (ints and Decimals), within CloudWatch's range."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Refused("SerializationException", path + " is not a number")
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise bad("The value for parameter %s is invalid (NaN or infinite)." % path)
        if abs(value.adjusted()) > 400:
            raise bad("The value for parameter %s is out of range." % path)
        value = Fraction(value)
        value = int(value) if value.denominator == 1 else value
    if abs(value) > LIMIT:
        raise bad("The value for parameter %s must be within -2^360 to 2^360." % path)
    return value


def dimensions_of(value, path):
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Refused("SerializationException", path + " is not a list")
    if len(value) > MAX_DIMENSIONS:
        raise bad("The collection %s must not have a size greater than %d." % (path,
                                                                              MAX_DIMENSIONS))
    out = {}
    for i, item in enumerate(value, 1):
        at = "%s.member.%d" % (path, i)
        members(item, at, ("Name", "Value"))
        for name in ("Name", "Value"):
            if item.get(name) is None:
                raise missing("%s.%s" % (at, name))
        name = text(item["Name"], at + ".Name", 255)
        if name.startswith(":"):
            raise bad("The value for parameter %s.Name must not start with a colon." % at)
        if name in out:
            raise bad("The parameter %s has the dimension %s more than once." % (path, name))
        out[name] = text(item["Value"], at + ".Value", 1024)
    return tuple(sorted(out.items()))


def timestamp(value, path):
    """Seconds since the epoch; JSON has numbers only."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Refused("SerializationException", path + " is not a timestamp")
    if abs(value) > 1e12:
        raise bad("The value for parameter %s is not in seconds." % path)
    return float(value)


def iso_timestamp(value):
    """The query form's ISO 8601 text as seconds."""
    m = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)", value or "")
    if not m:
        raise Refused("MalformedInput", "not a timestamp: " + value[:40])
    seconds = calendar.timegm(time.strptime(m.group(1), "%Y-%m-%dT%H:%M:%S"))
    if m.group(3) != "Z":
        zone = m.group(3).replace(":", "")
        seconds -= (int(zone[1:3]) * 60 + int(zone[3:])) * 60 * (-1 if zone[0] == "-" else 1)
    return seconds + Decimal(m.group(2) or 0)


def statistics_of(datum, path):
    """(count, sum, min, max) of Value, StatisticValues or Values/Counts: exactly one of them."""
    given = [n for n in ("Value", "StatisticValues", "Values") if datum.get(n) is not None]
    if not given:
        raise missing(path + ".Value")
    if len(given) > 1:
        raise Refused("InvalidParameterCombination", "The parameters %s are mutually exclusive."
                      % " and ".join("%s.%s" % (path, n) for n in given))
    if datum.get("Counts") is not None and given[0] != "Values":
        raise Refused("InvalidParameterCombination", path + ".Counts needs Values")
    if given[0] == "Value":
        v = number(datum["Value"], path + ".Value")
        return 1, v, v, v
    if given[0] == "StatisticValues":
        return statistic_set(datum["StatisticValues"], path + ".StatisticValues")
    values, counts = datum["Values"], datum.get("Counts")
    if not isinstance(values, list) or not (counts is None or isinstance(counts, list)):
        raise Refused("SerializationException", path + ".Values or Counts is not a list")
    if not 1 <= len(values) <= MAX_VALUES:
        raise bad("The collection %s.Values must have 1 to %d members." % (path, MAX_VALUES))
    if counts is not None and len(counts) != len(values):
        raise bad("The collections %s.Values and Counts must have the same size." % path)
    values = [number(v, path + ".Values") for v in values]
    counts = [number(c, path + ".Counts") for c in counts or [1] * len(values)]
    if len(set(values)) != len(values):
        raise bad("The collection %s.Values must have unique members." % path)
    if any(c <= 0 for c in counts):
        raise bad("The collection %s.Counts must be positive." % path)
    return (sum(counts), sum(v * c for v, c in zip(values, counts)), min(values), max(values))


def statistic_set(value, path):
    names = ("SampleCount", "Sum", "Minimum", "Maximum")
    members(value, path, names)
    for name in names:
        if value.get(name) is None:
            raise missing("%s.%s" % (path, name))
    n, total, low, high = (number(value[name], "%s.%s" % (path, name)) for name in names)
    if n <= 0:
        raise bad("The value for parameter %s.SampleCount must be positive." % path)
    if low > high:
        raise bad("%s.Minimum is greater than Maximum." % path)
    # Doubles may have been rounded on the way here.
    slack = (abs(low) + abs(high)) * n * Fraction(1, 10 ** 12)
    if not low * n - slack <= total <= high * n + slack:
        raise bad("%s.Sum is impossible for its Minimum, Maximum and SampleCount." % path)
    return n, total, low, high


def datum_of(value, path, now):
    members(value, path, ("MetricName", "Dimensions", "Timestamp", "Value", "StatisticValues",
                          "Values", "Counts", "Unit", "StorageResolution"))
    if value.get("MetricName") is None:
        raise missing(path + ".MetricName")
    name = text(value["MetricName"], path + ".MetricName", 255)
    dimensions = dimensions_of(value.get("Dimensions"), path + ".Dimensions")
    stats = statistics_of(value, path)
    unit = value.get("Unit")
    if unit is not None and unit not in UNITS:
        raise bad("The value %s for parameter %s.Unit is not valid." % (unit, path))
    resolution = value.get("StorageResolution", 60)
    if resolution not in (1, 60) or isinstance(resolution, bool):
        raise bad("The value %s for parameter %s.StorageResolution must be 1 or 60."
                  % (resolution, path))
    at = now
    if value.get("Timestamp") is not None:
        at = timestamp(value["Timestamp"], path + ".Timestamp")
    if at < now - TWO_WEEKS:
        raise bad("The parameter %s.Timestamp must specify a time within the past two weeks."
                  % path)
    if at > now + TWO_HOURS:
        raise bad("The parameter %s.Timestamp must specify a time no more than two hours in the "
                  "future." % path)
    return name, dimensions, int(at) - int(at) % int(resolution), unit or "None", stats


# ---- the query protocol ----

def form_tree(body):
    """"MetricData.member.1.Value=3" -> {"MetricData": [{"Value": "3"}]}"""
    root = {}
    for name, value in urllib.parse.parse_qsl(body.decode("utf-8"), keep_blank_values=True,
                                              strict_parsing=bool(body)):
        node = root
        parts = name.split(".")
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise Refused("MalformedQueryString", "member and value of one name")
        if parts[-1] in node:
            raise Refused("MalformedQueryString", "repeated member " + name)
        node[parts[-1]] = value
    return _lists(root)


def _lists(node):
    if not isinstance(node, dict):
        return node
    if list(node) == ["member"] and isinstance(node["member"], dict):
        items = sorted(node["member"].items(), key=lambda kv: int(kv[0]))
        if [int(k) for k, _ in items] != list(range(1, len(items) + 1)):
            raise Refused("MalformedQueryString", "list members are not numbered from 1")
        return [_lists(v) for _, v in items]
    return {k: _lists(v) for k, v in node.items()}


NUMERIC = {"Value", "Sum", "SampleCount", "Minimum", "Maximum", "Values", "Counts", "Period",
           "StorageResolution", "MaxDatapoints"}


def typed(node, name=""):
    """Numbers of the query form, which has only text."""
    if isinstance(node, dict):
        dimension = set(node) <= {"Name", "Value"} and "Name" in node
        return {k: v if dimension else typed(v, k) for k, v in node.items()}
    if isinstance(node, list):
        return [typed(v, name) for v in node]
    if name in NUMERIC:
        return json_number(node)
    if name in ("Timestamp", "StartTime", "EndTime"):
        return iso_timestamp(node)
    return {"true": True, "false": False}.get(node, node) if name == "ReturnData" else node


def json_number(value):
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(NaN|Infinity)", value):
        raise Refused("SerializationException", "not a number: " + value[:40])
    d = Decimal(value)
    return int(d) if re.fullmatch(r"-?\d+", value) else d


def xml_of(value, name):
    if isinstance(value, dict):
        inner = "".join(xml_of(v, k) for k, v in value.items())
    elif isinstance(value, list):
        inner = "".join(xml_of(v, "member") for v in value)
    else:
        inner = httpbase.xml_text(value)
    return "<%s>%s</%s>" % (name, inner, name)


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# ---- the stub ----

class CloudWatchStub(httpbase.Counterpart):
    def __init__(self, port=0, keys=None, read_delay=0.0):
        self.keys = keys              # {access: (secret, token)}: signatures are verified fully
        self.read_delay = read_delay
        self.read_delay_by_age = []
        self.clock_offset = 0.0
        self.max_inflated = MAX_INFLATED
        self.max_skew = sigv4_verify.MAX_SKEW_SECONDS
        self.server = httpbase.Server(self._handle, port)
        self._lock = threading.Lock()
        self._reset()

    def _reset(self):
        # {(namespace, name, dimensions, unit): {timestamp: [(readable at, n, sum, min, max)]}}
        self._series = {}
        self._faults = []
        self._applications = {}
        self._log = []

    # -- for tests in this process --

    @property
    def log(self):
        with self._lock:
            return [dict(e) for e in self._log]

    def control(self, order):
        with self._lock:
            if order.get("reset"):
                self._reset()
            for fault in order.get("faults", ()):
                if fault.get("kind") not in FAULT_KINDS:
                    raise ValueError("unknown fault kind %r" % fault.get("kind"))
                self._faults.append(dict({"count": 1, "skip": 0, "op": "PutMetricData"}, **fault))
            for name, value in order.get("settings", {}).items():
                if name == "read_delay":
                    self.read_delay = float(value)
                elif name == "read_delay_by_age":
                    self.read_delay_by_age = [(float(age), float(delay)) for age, delay in value]
                elif name == "clock_offset":
                    self.clock_offset = self.server.clock_offset = float(value)
                elif name == "max_skew":
                    self.max_skew = float(value)
                elif name == "max_inflated":
                    self.max_inflated = MAX_INFLATED if value is None else int(value)
                else:
                    raise ValueError("unknown setting %r" % name)
            return {
                "requests": len(self._log),
                "applied": sum(e["applied"] for e in self._log),
                "duplicates": sum(n - 1 for n in self._applications.values()),
                "log": [dict(e) for e in self._log],
                "series": [
                    {"namespace": k[0], "metric": k[1], "dimensions": dict(k[2]), "unit": k[3],
                     "points": len(points), **_merged_json(points)}
                    for k, points in sorted(self._series.items())],
            }

    def sum(self, namespace, metric, dimensions=None, stat="Sum"):
        """Exact statistic over all time (read delay ignored); 0 when there are no data."""
        wanted = tuple(sorted((dimensions or {}).items()))
        with self._lock:
            data = [d for k, points in self._series.items() if k[:3] == (namespace, metric, wanted)
                    for point in points.values() for d in point]
        return merge(data)[stat] if data else 0

    def data(self):
        """[(namespace, metric, {dimension: value}, unit, {timestamp: statistics})], exact."""
        with self._lock:
            return [(k[0], k[1], dict(k[2]), k[3], {at: merge(d) for at, d in points.items()})
                    for k, points in sorted(self._series.items())]

    # -- requests --

    def now(self):
        return time.time() + self.clock_offset

    def _handle(self, request):
        if request.path == "/control":
            try:
                value = self.control(request.json() if request.method == "POST" else {})
                if "data" in request.params():
                    for series, (*_, points) in zip(value["series"], self.data()):
                        series["data"] = {str(at): _json_numbers(s) for at, s in points.items()}
                return httpbase.json_response(value)
            except (ValueError, AttributeError) as fault:
                return httpbase.json_response({"error": str(fault)}, 400)
        entry = {"time": self.now(), "op": None, "request_id": None, "applied": False,
                 "applications": 0, "data": 0, "bytes": len(request.body), "fault": None,
                 "status": None, "code": None, "connection_request": request.number,
                 "gzip": request.headers.get("content-encoding") == "gzip"}
        entry["request_id"] = request.headers.get("amz-sdk-invocation-id") or \
            hashlib.sha256(request.body).hexdigest()[:32]
        with self._lock:
            entry["n"] = len(self._log) + 1
            self._log.append(entry)
        try:
            return self._answer(request, entry)
        except Refused as refused:
            return self._error(request, entry, refused)

    def _error(self, request, entry, refused):
        entry["status"], entry["code"] = refused.status, refused.code
        return httpbase.aws_error(request, refused.status, refused.code, refused.message,
                                  SHAPES.get(refused.code), NAMESPACE)

    def _answer(self, request, entry):
        op, tree = self._decode(request, entry)
        fault = self._take_fault(op)
        entry["fault"] = fault and fault["kind"]
        if fault and fault["kind"] in ("throttle", "expired_token", "refuse", "not_applied",
                                       "delay"):
            self._fail_before(fault, entry)
        if fault and fault["kind"] == "status" and not fault.get("applied"):
            return self._plain(request, entry, fault["status"])
        if op == "PutMetricData":
            self._put(tree, entry, swallow=bool(fault and fault["kind"] == "swallow"))
            value = {}
        elif op == "GetMetricData":
            entry["metrics"] = len(tree.get("MetricDataQueries") or ())  # what AWS charges for
            value = self._get_metric_data(tree)
        elif op == "GetMetricStatistics":
            value = self._get_metric_statistics(tree)
        elif op == "ListMetrics":
            value = self._list_metrics(tree)
        else:
            raise Refused("InvalidAction", "Could not find operation %s" % op, 400)
        if fault and fault["kind"] == "lost":
            raise Abort(fault.get("how", "rst"))
        if fault and fault["kind"] == "status":
            return self._plain(request, entry, fault["status"])
        entry["status"] = 200
        return self._success(request, op, value)

    def _fail_before(self, fault, entry):
        kind = fault["kind"]
        if kind == "throttle":
            raise Refused("Throttling", "Rate exceeded")
        if kind == "expired_token":
            raise Refused("ExpiredTokenException",
                          "The security token included in the request is expired", 403)
        if kind == "refuse":
            raise bad("refused on request")
        if kind == "not_applied":
            raise Abort(fault.get("how", "rst"))
        time.sleep(float(fault.get("seconds", 1)))

    def _plain(self, request, entry, status):
        """A front end's answer: 408 comes without a body."""
        if status == 408:
            entry["status"], entry["code"] = 408, "RequestTimeout"
            return Response(408, b"", [("x-amzn-RequestId", httpbase.request_id())])
        code = {500: "InternalServiceError", 503: "ServiceUnavailable"}.get(status, "Failure")
        return self._error(request, entry, Refused(code, "on request", status))

    def _take_fault(self, op):
        with self._lock:
            for fault in self._faults:
                if fault["count"] == 0 or fault["op"] not in ("*", op):
                    continue
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                    continue
                fault["count"] -= 1
                return fault
        return None

    def _decode(self, request, entry):
        if request.method != "POST" or request.path != "/":
            raise Refused("UnknownOperationException", "only POST / is known", 404)
        kind = httpbase.protocol_of(request)
        target = request.headers.get("x-amz-target", "")
        if kind == "json" and target.startswith(API):
            entry["op"] = target[len(API):]
        if self.keys is not None:
            fault = sigv4_verify.verify(request.method, request.target, request.headers,
                                        request.body, self.keys, self.now(), "monitoring",
                                        self.max_skew)
        else:
            fault = sigv4_verify.check_presence(request.headers, "monitoring", self.now(),
                                                self.max_skew)
        if fault:
            raise Refused(fault.code, fault.message, fault.status)
        if len(request.body) > MAX_BODY:
            raise Refused("RequestEntityTooLarge", "Request body is larger than 1 MB", 413)
        body = self._inflate(request)
        if kind == "query":
            try:
                tree = form_tree(body)
            except (ValueError, UnicodeDecodeError) as fault:
                raise Refused("MalformedQueryString", str(fault))
            if tree.pop("Version", None) != "2010-08-01":
                raise Refused("InvalidAction", "Version is not 2010-08-01")
            entry["op"] = op = tree.pop("Action", "")
            return op, typed(tree)
        if kind != "json" or not entry["op"]:
            raise Refused("UnknownOperationException", "no known X-Amz-Target", 404)
        if request.headers.get("content-type") != "application/x-amz-json-1.0":
            raise Refused("SerializationException", "Content-Type is not AWS JSON 1.0", 415)
        try:
            tree = json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError) as fault:
            raise Refused("SerializationException", "not JSON: %s" % fault)
        if not isinstance(tree, dict):
            raise Refused("SerializationException", "not a JSON object")
        return entry["op"], tree

    def _inflate(self, request):
        encoding = request.headers.get("content-encoding")
        if encoding is None:
            return request.body
        if encoding != "gzip":
            raise Refused("SerializationException", "unknown Content-Encoding", 415)
        inflater = zlib.decompressobj(31)
        try:
            body = inflater.decompress(request.body, self.max_inflated + 1)
        except zlib.error as fault:
            raise Refused("SerializationException", "not gzip: %s" % fault)
        if len(body) > self.max_inflated:
            raise Refused("RequestEntityTooLarge", "inflated body is too large", 413)
        if not inflater.eof or inflater.unused_data:
            raise Refused("SerializationException", "gzip body is not exactly one member")
        return body

    def _put(self, tree, entry, swallow):
        members(tree, "request", ("Namespace", "MetricData", "StrictEntityValidation"))
        namespace = namespace_of(tree.get("Namespace"))
        if namespace.startswith("AWS/"):
            raise bad("The value AWS/ for parameter Namespace is invalid.")
        data = tree.get("MetricData")
        if not data:
            raise missing("MetricData")
        if not isinstance(data, list):
            raise Refused("SerializationException", "MetricData is not a list")
        if len(data) > MAX_DATA:
            raise bad("The collection MetricData must not have a size greater than %d." % MAX_DATA)
        entry["data"] = len(data)
        now = self.now()
        checked = [datum_of(d, "MetricData.member.%d" % i, now) for i, d in enumerate(data, 1)]
        with self._lock:
            entry["applied"] = True
            rid = entry["request_id"]
            self._applications[rid] = self._applications.get(rid, 0) + 1
            entry["applications"] = self._applications[rid]
            if swallow:
                return
            for name, dimensions, at, unit, stats in checked:
                points = self._series.setdefault((namespace, name, dimensions, unit), {})
                delay = max([self.read_delay] + [d for age, d in self.read_delay_by_age
                                                 if now - at >= age])
                points.setdefault(at, []).append((now + delay, *stats))

    def _points(self, namespace, metric, dimensions, start, end, period, unit=None):
        """{bucket: statistics} of what can be read now."""
        now = self.now()
        out = {}
        with self._lock:
            for (ns, name, dims, u), points in self._series.items():
                if (ns, name, dims) != (namespace, metric, dimensions) or unit not in (None, u):
                    continue
                for at, data in points.items():
                    if start <= at < end:
                        seen = [d for d in data if d[0] <= now]
                        if seen:
                            out.setdefault(at - at % period, []).extend(seen)
        return {at: merge(data) for at, data in out.items()}

    def _window(self, tree):
        for name in ("StartTime", "EndTime"):
            if tree.get(name) is None:
                raise missing(name)
        start = timestamp(tree["StartTime"], "StartTime")
        end = timestamp(tree["EndTime"], "EndTime")
        if start >= end:
            raise Refused("ValidationError", "The parameter StartTime must be less than EndTime.")
        return start, end

    def _get_metric_data(self, tree):
        members(tree, "request", ("MetricDataQueries", "StartTime", "EndTime", "NextToken",
                                  "ScanBy", "MaxDatapoints", "LabelOptions"))
        start, end = self._window(tree)
        queries = tree.get("MetricDataQueries") or []
        if not 1 <= len(queries) <= 500:
            raise Refused("ValidationError", "MetricDataQueries must have 1 to 500 members.")
        flat, results, ids = [], [], set()
        for i, query in enumerate(queries, 1):
            at = "MetricDataQueries.member.%d" % i
            members(query, at, ("Id", "MetricStat", "Label", "ReturnData", "AccountId", "Period"))
            if not re.fullmatch(r"[a-z][a-zA-Z0-9_]{0,254}", query.get("Id") or ""):
                raise Refused("ValidationError", "The value for parameter %s.Id is not valid." % at)
            if query["Id"] in ids:
                raise Refused("ValidationError", "Id %s is used twice." % query["Id"])
            ids.add(query["Id"])
            stat = query.get("MetricStat")
            members(stat, at + ".MetricStat", ("Metric", "Period", "Stat", "Unit"))
            metric = stat.get("Metric")
            members(metric, at + ".Metric", ("Namespace", "MetricName", "Dimensions"))
            period = period_of(stat.get("Period"))
            if stat.get("Stat") not in STATS:
                raise Refused("ValidationError", "%s.Stat is not one of %s" % (at, sorted(STATS)))
            if query.get("ReturnData") is False:
                continue
            points = self._points(namespace_of(metric.get("Namespace")), metric.get("MetricName"),
                                  dimensions_of(metric.get("Dimensions"), at), start, end, period,
                                  stat.get("Unit"))
            newest_first = tree.get("ScanBy", "TimestampDescending") == "TimestampDescending"
            results.append({"Id": query["Id"], "Label": query.get("Label") or metric["MetricName"],
                            "Timestamps": [], "Values": [], "StatusCode": "Complete"})
            flat += [(len(results) - 1, t, points[t][stat["Stat"]])
                     for t in sorted(points, reverse=newest_first)]
        limit = int(tree.get("MaxDatapoints") or 100800)
        if not 1 <= limit <= 100800:
            raise Refused("ValidationError", "MaxDatapoints must be 1 to 100800.")
        try:
            offset = int(tree.get("NextToken") or 0)
        except ValueError:
            raise Refused("InvalidNextToken", "The next token specified is invalid.")
        for which, t, value in flat[offset:offset + limit]:
            results[which]["Timestamps"].append(t)
            results[which]["Values"].append(float(value))
        out = {"MetricDataResults": results, "Messages": []}
        if offset + limit < len(flat):
            out["NextToken"] = str(offset + limit)
            for which, _, _ in flat[offset + limit:]:
                results[which]["StatusCode"] = "PartialData"
        return out

    def _get_metric_statistics(self, tree):
        members(tree, "request", ("Namespace", "MetricName", "Dimensions", "StartTime", "EndTime",
                                  "Period", "Statistics", "Unit", "ExtendedStatistics"))
        start, end = self._window(tree)
        wanted = tree.get("Statistics") or []
        if not wanted or any(s not in STATS for s in wanted):
            raise bad("Statistics must name some of %s" % sorted(STATS))
        period = period_of(tree.get("Period"))
        if (end - start) / period > 1440:
            raise Refused("InvalidParameterCombination", "You have requested up to %d datapoints, "
                          "which exceeds the limit of 1,440." % ((end - start) / period))
        points = self._points(namespace_of(tree.get("Namespace")), tree.get("MetricName"),
                              dimensions_of(tree.get("Dimensions"), "Dimensions"), start, end,
                              period, tree.get("Unit"))
        return {"Label": tree.get("MetricName"),
                "Datapoints": [dict({"Timestamp": t, "Unit": tree.get("Unit") or "None"},
                                    **{s: float(points[t][s]) for s in wanted})
                               for t in sorted(points)]}

    def _list_metrics(self, tree):
        with self._lock:
            keys = sorted({k[:3] for k in self._series})
        return {"Metrics": [
            {"Namespace": ns, "MetricName": name,
             "Dimensions": [{"Name": n, "Value": v} for n, v in dims]}
            for ns, name, dims in keys
            if tree.get("Namespace") in (None, ns) and tree.get("MetricName") in (None, name)]}

    def _success(self, request, op, value):
        rid = httpbase.request_id()
        if httpbase.protocol_of(request) == "json":
            return httpbase.json_response(value, kind="application/x-amz-json-1.0",
                                          headers=[("x-amzn-RequestId", rid)])
        for result in value.get("MetricDataResults", ()):
            result["Timestamps"] = [iso(t) for t in result["Timestamps"]]
        for point in value.get("Datapoints", ()):
            point["Timestamp"] = iso(point["Timestamp"])
        result = xml_of(value, op + "Result") if value else ""
        body = '<%sResponse xmlns="%s">%s<ResponseMetadata><RequestId>%s</RequestId>' \
               "</ResponseMetadata></%sResponse>" % (op, XMLNS, result, rid, op)
        return Response(200, body.encode(), [("Content-Type", "text/xml"),
                                             ("x-amzn-RequestId", rid)])


FAULT_KINDS = {"throttle", "status", "lost", "not_applied", "delay", "expired_token", "refuse",
               "swallow"}
STATS = {"Sum", "SampleCount", "Minimum", "Maximum", "Average"}


def _no_constant(name):
    raise ValueError("%s is not a JSON number" % name)


def period_of(value):
    if value is None:
        raise missing("Period")
    if value not in (1, 5, 10, 20, 30) and (value < 60 or value % 60):
        raise Refused("ValidationError", "Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    return int(value)


def merge(data):
    n = sum(d[1] for d in data)
    total = sum(d[2] for d in data)
    return {"SampleCount": n, "Sum": total, "Minimum": min(d[3] for d in data),
            "Maximum": max(d[4] for d in data), "Average": Fraction(total) / Fraction(n)}


def _merged_json(points):
    return _json_numbers(merge([d for data in points.values() for d in data]))


def _json_numbers(merged):
    return {k: int(v) if Fraction(v).denominator == 1 else float(v) for k, v in merged.items()
            if k != "Average"}


def main():
    parser = httpbase.command_line(__doc__.splitlines()[0])
    parser.add_argument("--verify", metavar="ACCESS:SECRET[:TOKEN]")
    parser.add_argument("--read-delay", type=float, default=0.0)
    args = parser.parse_args()
    stub = CloudWatchStub(args.port, args.verify and sigv4_verify.parse_keys(args.verify),
                          args.read_delay)
    httpbase.run_until_stopped(stub.server)


if __name__ == "__main__":
    main()
