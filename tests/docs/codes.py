"""The stable codes: the program's table, docs/troubleshooting.md, docs/monitoring.md, and what is printed."""

import gzip
import os
import re
import tempfile

import names
from common import read, source, table_behind

TABLE = "src/base/codes.c"
# Answers to a browser, which are the HTTP status 400 with this text and no line; and parts of a
# text that always stand behind the name of the file, such as `price list`.
NOT_ALONE = {
    "src/serve/answers.c",
    "src/serve/http_server.c",
    "src/price/price_read.c",
    "src/records/profile.c",
    "src/cli/read_file.c",
}
LITERAL = r'"((?:[^"\\\n]|\\.)*)"'

# Words of libcurl, AWS and SQS as they come in a reason, and their codes.
ANSWERS = [
    ("GetObject: 403 AccessDenied: Access Denied (request 1)", "BM-A202"),
    ("GetObject: 403 AccessDenied: not authorized to perform: kms:Decrypt", "BM-A201"),
    ("GetObject: 403 KMS.DisabledException: x (request 1)", "BM-A201"),
    ("PutMetricData: 403 AuthorizationError: x", "BM-A202"),
    ("x: 403 UnauthorizedOperation", "BM-A202"),
    ("x: 400 NotAuthorized: x", "BM-A202"),
    ("HeadBucket: 403", "BM-A202"),
    ("x: 401", "BM-A202"),
    ("ListObjectsV2: 404 NoSuchBucket: The specified bucket does not exist (request 1)", "BM-A203"),
    ("GetObject: 404 NoSuchKey: The specified key does not exist.", "BM-A204"),
    ("ReceiveMessage: 400 AWS.SimpleQueueService.NonExistentQueue: x", "BM-A205"),
    ("ReceiveMessage: 400 QueueDoesNotExist: x", "BM-A205"),
    ("GetItem: 400 ResourceNotFoundException: x", "BM-A206"),
    ("PutMetricData: 400 ThrottlingException: Rate exceeded", "BM-A207"),
    ("GetObject: 503 SlowDown: x", "BM-A207"),
    ("x: 429", "BM-A207"),
    ("x: 429 TooManyRequestsException", "BM-A207"),
    ("x: 400 ProvisionedThroughputExceededException", "BM-A207"),
    ("x: 400 RequestLimitExceeded", "BM-A207"),
    ("x: 403 ExpiredToken: x", "BM-A208"),
    ("x: 400 TokenRefreshRequired: x", "BM-A208"),
    ("x: 403 InvalidAccessKeyId: x", "BM-A209"),
    ("x: 403 InvalidClientTokenId: x", "BM-A209"),
    ("x: 403 UnrecognizedClientException: x", "BM-A209"),
    ("x: 403 SignatureDoesNotMatch: x", "BM-A209"),
    ("x: 403 InvalidSignatureException: x", "BM-A209"),
    ("x: 403 RequestTimeTooSkewed: x", "BM-A210"),
    ("GetObject: 403 InvalidObjectState: x", "BM-A211"),
    ("ListObjectsV2: 301 PermanentRedirect: x", "BM-A212"),
    ("x: 400 AuthorizationHeaderMalformed: x", "BM-A212"),
    ("x: 400 IllegalLocationConstraintException: x", "BM-A212"),
    ("GetObject: 412 PreconditionFailed: x", "BM-A213"),
    ("GetObject: 412", "BM-A213"),
    ("x: 404", "BM-A214"),
    ("x: 500 InternalError: x", "BM-A215"),
    ("x: 502", "BM-A215"),
    ("x: 503", "BM-A215"),
    ("x: 504", "BM-A215"),
    ("PutMetricData: 400 InvalidParameterValue: x", "BM-A216"),
    ("GetObject: Could not resolve host: s3.example.com", "BM-A303"),
    ("x: Could not resolve proxy: p", "BM-A303"),
    ("x: Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server", "BM-A304"),
    ("x: Connection refused", "BM-A304"),
    ("x: Recv failure: Connection reset by peer", "BM-A304"),
    ("x: Send failure: Connection reset by peer", "BM-A304"),
    ("x: Empty reply from server", "BM-A304"),
    # A part in quotes is somebody's value, not a cause.
    ('unknown option "--AccessDenied"', "BM-U101"),
]


def unescaped(text):
    return text.replace('\\"', '"').replace("\\\\", "\\")


def joined(code):
    return re.sub(r'"\s*\n\s*"', "", code)  # a long text in pieces


def rows_of_table():
    """(code, kind, text) of the table in the program's source."""
    return [
        (code, kind, unescaped(text))
        for code, kind, text in re.findall(
            r'\{"(BM-\w+)",\s*(\w+),\s*%s\}' % LITERAL, joined(read(TABLE))
        )
    ]


def texts_by_code(rows):
    texts = {}
    for code, _kind, text in rows:
        known = texts.setdefault(code, [])
        if text.strip() not in known:
            known.append(text.strip())
    return texts


def sections_of_page():
    """code -> texts below its heading."""
    found = {}
    for part in re.split(r"(?m)^### (?=BM-)", read("docs/troubleshooting.md"))[1:]:
        code, _heading_end, rest = part.partition("\n")
        head = rest.strip().split("\n\n")[0]
        texts = re.findall(r"`` (.+?) ``|`([^`]+)`", head)
        found.setdefault(code.strip(), []).extend(a or b for a, b in texts)
    return found


def check_page(results, rows):
    headings = re.findall(r"(?m)^### (BM-\w+)$", read("docs/troubleshooting.md"))
    results.same(sorted(headings), sorted(set(headings)), "troubleshooting.md: a code stands twice")
    results.check(len(headings) > 100, "troubleshooting.md has codes")
    wanted, there = texts_by_code(rows), sections_of_page()
    for code in sorted(set(wanted) | set(there)):
        if results.check(code in there, "troubleshooting.md does not have the code %s" % code):
            if results.check(code in wanted, "the program does not have the code %s" % code):
                results.same(there[code], wanted[code], "troubleshooting.md, texts of %s" % code)
    for path in names.documents():
        for code in re.findall(r"BM-[A-CE-Z]\d{3}", read(path)):
            results.check(code in wanted, "%s: there is no code %s" % (path, code))


def literals():
    """All constant texts of the program but the table's own, as they would be printed."""
    texts = []
    for path, code in source("src").items():
        if path != TABLE:
            texts += re.findall(LITERAL, joined(code))
    return unescaped("\n".join(texts)).replace("%%", "%")


def check_printable(results, rows):
    """What the table looks for is somewhere in the program."""
    everything, lines = literals(), names.log_lines_of_program()
    loud = {message for level, message in lines if level in ("WARN", "ERROR")}
    system = [os.strerror(number) for number in range(1, 134)]
    answered = {code for _text, code in ANSWERS}
    for code, kind, text in rows:
        if kind in ("LINE", "BY_CAUSE"):
            results.check(text in loud, "%s: the program never logs %r" % (code, text))
        elif kind in ("PHRASE", "WORD"):
            results.check(text in everything, "%s: no source holds %r" % (code, text))
        elif kind == "OUTSIDE" and text not in system:
            samples = [sample for sample, its in ANSWERS if its == code and text in sample]
            results.check(samples, "%s: no answer is known with %r" % (code, text))
    results.check(answered <= {code for code, _kind, _text in rows}, "codes of answers exist")


def sample(text):
    """A format as it may be printed."""
    text = re.sub(r"%(?:\.\*|\.\d+)?s", "x", unescaped(text))
    return re.sub(r"%0?\d*(?:ll|z)?[udo]", "1", text).replace("%%", "%")


def reasons_of_program():
    """(path, text, whether it is a usage error) of every constant reason."""
    for path, code in source("src").items():
        if path in NOT_ALONE or path == TABLE:
            continue
        code = joined(code)
        for call in list(names.calls(code, "error_set")) + list(names.calls(code, "corrupt")):
            call = re.sub(r'"\s*PRId64\s*"', "d", call)
            first = re.match(r'(?s)((?:[^",]|,(?!\s*"))*,?)\s*((?:[^",]*"(?:[^"\\\n]|\\.)*")+)', call)
            if first is None:
                continue
            for text in re.findall(LITERAL, first.group(2)):
                frame = re.search(r"%[.*\d]*s$", text) or text.startswith("%s at ")
                if not frame and len(re.sub(r"%\S*|\W", "", text)) >= 4:
                    yield path, sample(text), "ST_USAGE" in first.group(1)


def codes_of(program, texts):
    """text -> code as the program looks it up, None when it has none."""
    texts = list(dict.fromkeys(texts))
    found = {}
    while texts:
        done = program.run("explain", "--short", "--", *texts)
        lines = done.stdout.decode().splitlines()
        found.update(zip(texts, (line.split("\t")[0] for line in lines)))
        if len(lines) < len(texts):
            found[texts[len(lines)]] = None
        texts = texts[len(lines) + 1 :]
    return found


def check_reasons(program, results):
    """Every constant reason has a code, and a usage error one that says more than `usage`."""
    reasons = list(reasons_of_program())
    results.check(len(reasons) > 300, "reasons of the program are found")
    found = codes_of(program, [text for _path, text, _usage in reasons])
    for path, text, usage in reasons:
        code = found[text]
        results.check(code is not None, "%s: no code for %r" % (path, text))
        results.check(not usage or code != "BM-U100", "%s: only BM-U100 for %r" % (path, text))
    found = codes_of(program, [text for text, _code in ANSWERS])
    for text, code in ANSWERS:
        results.same(found[text], code, "code of %r" % text)


def check_lines(program, results):
    """Every line at WARN and ERROR has a code, and monitoring.md says which."""
    lines = [line for line in names.log_lines_of_program() if line[0] in ("WARN", "ERROR")]
    found = codes_of(program, [message for _level, message in lines])
    rows = {code: kind for code, kind, _text in rows_of_table() if kind in ("LINE", "BY_CAUSE")}
    written = {}
    for row in table_behind(read("docs/monitoring.md"), "<!-- log lines -->"):
        written[(row[0], row[2].strip("`").strip())] = row[1]
    for line in sorted(lines):
        code = found[line[1]]
        if results.check(code is not None, "no code for the log line %s %s" % line):
            wanted = "[%s](troubleshooting.md#%s)" % (code, code.lower())
            wanted += " or the reason's" if rows.get(code) == "BY_CAUSE" else ""
            results.same(written.get(line), wanted, "monitoring.md, code of %s %s" % line)


def objects_that_fail(folder):
    """(name, code) of files written into the folder."""
    whole = gzip.compress(b'{"a":1}\n' * 50)
    files = [
        ("cut.json.gz", whole[:-9], "BM-O101"),
        ("sum.json.gz", whole[:-8] + b"0000" + whole[-4:], "BM-O102"),
        ("bits.json.gz", whole[:10] + b"\xff" * 20 + whole[30:], "BM-O103"),
        ("more.json.gz", whole + b"more", "BM-O104"),
        ("method.json.gz", b"\x1f\x8b\x07" + whole[3:], "BM-O105"),
        ("large.json.gz", gzip.compress(b"\n" * 5000), "BM-O106"),
    ]
    for name, data, code in files:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
        yield name, code


# A command line, and the code at the end of its error.
USAGE = [
    (["aggregate", "--fro"], "BM-U101"),
    (["agregate"], "BM-U102"),
    (["aggregate", "--top", "1", "--top", "2"], "BM-U103"),
    (["aggregate", "--publish=1"], "BM-U104"),
    (["aggregate", "--out"], "BM-U105"),
    (["verify", "x"], "BM-U106"),
    (["aggregate"], "BM-U107"),
    (["report", "--store", "x", "y"], "BM-U108"),
    (["aggregate", "-", "--by", "Model"], "BM-U201"),
    (["aggregate", "-", "--since", "x"], "BM-U204"),
    (["aggregate", "-", "--since", "1h", "--until", "2h"], "BM-U205"),
    (["aggregate", "-", "--top", "x"], "BM-U208"),
    (["aggregate", "s3://X"], "BM-U215"),
    (["explain", "BM-X999"], "BM-U223"),
    (["aggregate", "-", "--output", "x"], "BM-U299"),
    (["worker", "--bucket", "some-bucket"], "BM-U301"),
    (["worker"], "BM-U302"),
    (["lambda"], "BM-U304"),
    (["verify"], "BM-U305"),
    (["aggregate", "-", "--profiles", "/nonexistent"], "BM-U402"),
    (["aggregate", "-", "--prices", "/nonexistent"], "BM-U403"),
    (["prices", "--prices", "/nonexistent"], "BM-U403"),
    (["serve", "/nonexistent"], "BM-U405"),
]


def check_printed(program, results):
    with tempfile.TemporaryDirectory() as folder:
        for name, code in list(objects_that_fail(folder)) + [("nothing", "BM-F101")]:
            path = os.path.join(folder, name)
            done = program.run("aggregate", path, env={"MAX_OBJECT_BYTES": "1000"})
            wanted = "ERROR %s object failed object=%s " % (code, path)
            results.check(wanted.encode() in done.stderr, "no line %r: %r" % (wanted, done.stderr))
        text = b'{"schemaType":"ModelInvocationLog"}\n{"a":1}\n{\n'
        done = program.run("aggregate", "-", "--log-format", "json", data=text)
        codes = re.findall(r'"level":"WARN","code":"(BM-\w+)"', done.stderr.decode())
        results.same(codes, ["BM-T103", "BM-T102", "BM-T101"], "codes of skipped texts")
        for words, code in USAGE:
            done = program.run(*words, cwd=folder)
            first = done.stderr.decode().split("\n")[0]
            ok = done.returncode == 2 and first.endswith(" (%s)" % code)
            results.check(ok, "%s: %s wanted, got %r" % (" ".join(words), code, first))


def check_explain(program, results, rows):
    listed = dict(
        line.split("\t", 1) for line in program.run("explain").stdout.decode().splitlines()
    )
    texts = texts_by_code(rows)
    ours = {code: text.strip() for code, text in listed.items() if not code.startswith("BM-D")}
    results.same(ours, {code: texts[code][0] for code in texts}, "what explain lists")
    for code in listed:
        done = program.run("explain", code.lower())
        out = done.stdout.decode()
        ok = done.returncode == 0 and out.startswith(code + "\n") and len(out.split("\n")) > 2
        results.check(ok and "](" not in out, "explain %s: %r" % (code, out))
    long = [code for code in texts if len(program.run("explain", code).stdout) < 60]
    results.same(long, [], "codes that explain says nothing about")


def check(program, results):
    rows = rows_of_table()
    check_page(results, rows)
    check_printable(results, rows)
    check_reasons(program, results)
    check_lines(program, results)
    check_printed(program, results)
    check_explain(program, results, rows)
