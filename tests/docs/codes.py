"""The stable codes: the program's list, where each is given, docs/troubleshooting.md, docs/monitoring.md, and what is printed."""

import errno
import gzip
import os
import re
import tempfile

import names
from common import read, source, table_behind

LIST = "src/base/codes.h"
# Answers to a browser, which are the HTTP status 400 with this text and no line; and parts of a
# text that always stand behind the name of the file, such as `price list`.
NOT_ALONE = {
    "src/serve/answers.c",
    "src/serve/http_server.c",
    "src/price/price_read.c",
    "src/records/profile.c",
}
LITERAL = r'"((?:[^"\\\n]|\\.)*)"'
# What makes an error: all take a code in front of the text.
MAKERS = ("error_set", "corrupt", "fail", "intake_fail", "exact_round_return", "LOG_FAULT", "LOG_FAULT_MESSAGE")

# What the system, libcurl and AWS say where the program has a number or a name only.
OUTSIDE = {
    "CURLE_COULDNT_RESOLVE_HOST": "Could not resolve host: s3.example.com",
    "CURLE_COULDNT_RESOLVE_PROXY": "Could not resolve proxy: p",
    "CURLE_COULDNT_CONNECT": "Failed to connect to 127.0.0.1 port 9: Connection refused",
    "CURLE_RECV_ERROR": "Recv failure: Connection reset by peer",
    "CURLE_GOT_NOTHING": "Empty reply from server",
    "CURLE_PARTIAL_FILE": "transfer closed with 12 bytes remaining to read",
}
# What is said with a code that this check does not see from the source.
UNSEEN = [
    ("U100", "usage"),
    ("A201", "GetObject: 403 AccessDenied: User: x is not authorized to perform: kms:Decrypt"),
    ("A201", "GetObject: 403 KMS.DisabledException: x"),
    ("U219", os.strerror(errno.EADDRINUSE)),
    ("U219", os.strerror(errno.EADDRNOTAVAIL)),
    # base/sqlite_file.c has the codes of the store and of the ledger.
    *((its, text % noun) for noun, codes in (("store", "S110 S112 S113 S113 S113 S115"), ("ledger", "L201 L205 L204 L204 L204 L206"))
      for its, text in zip(codes.split(), (
          "%s.db is in use by another process", "the %s has version 1, this program needs 3",
          "the file is not a %s of this program: it is empty", "the %s is empty", "the %s is damaged: x", "the %s: disk I/O error"))),
]


def unescaped(text):
    return text.replace('\\"', '"').replace("\\\\", "\\")


def joined(code):
    code = re.sub(r'"\s*PRI\w+\s*"', "d", code)
    return re.sub(r'(?<!\\)"\s*"', "", code)  # a long text in pieces


def codes_of_list():
    return re.findall(r"\bX\(([A-Z]\d{3})\)", read(LIST))


def sample(text):
    """A format as it may be printed."""
    text = re.sub(r"%(?:\.\*|\.\d+)?s", "x", unescaped(text))
    return re.sub(r"%0?\d*(?:ll|z)?[udo]", "1", text).replace("%%", "%")


def choice(code, name):
    """The texts of `const char *NAME = A ? "a" : B ? "b" : NULL;`."""
    found = re.search(r"const char \*%s =([^;]*);" % re.escape(name), code)
    return re.findall(LITERAL, joined(found.group(1))) if found else []


def in_call(path, name, call, code):
    """(path, code, text) of one call: a choice of codes goes with that of texts."""
    parts = names.arguments(call)
    at = [i for i, part in enumerate(parts) if re.search(r"\bE_[A-Z]\d{3}\b", part)]
    if not at:
        return
    codes = re.findall(r"\bE_([A-Z]\d{3})\b", parts[at[0]])
    follow = parts[at[0] + 1 :]
    for part in follow[:1] if name in ("error_set", "LOG_FAULT") else follow:
        texts = re.findall(LITERAL, joined(part))
        if texts == ["%s"] and len(follow) > 1:
            texts = choice(code, follow[1].strip()) or texts
        if not texts:
            continue
        pairs = zip(codes, texts) if len(codes) == len(texts) else [(c, t) for c in codes for t in texts]
        for its, text in pairs:
            yield path, its, sample(text)
        return


def in_switch(path, code):
    """`case X: return E_...`, or an error with it, of what the system, HTTP and libcurl have numbers for."""
    found = r"((?:case \w+:\s*)+)return (?:error_set\(\w+, \w+, )?E_([A-Z]\d{3})\b"
    for labels, its in re.findall(found, code):
        for label in re.findall(r"case (\w+):", labels):
            if hasattr(errno, label):
                yield path, its, os.strerror(getattr(errno, label))
            elif label.isdigit():
                yield path, its, "x: %s" % label
            elif label in OUTSIDE:
                yield path, its, OUTSIDE[label]


def in_struct(path, code):
    """`.code = E_..., .text = "..."`, and `{"NAME", E_...}`."""
    for its, text in re.findall(r"\.code = E_([A-Z]\d{3}),\s*\.text = %s" % LITERAL, code):
        yield path, its, text
    for text, its in re.findall(r"\{%s, E_([A-Z]\d{3})[,}]" % LITERAL, code):
        yield path, its, text


def texts_of_program():
    """(path, code, text) of all that is made with a code."""
    found = []
    for path, code in source("src").items():
        code = re.sub(r"(?s)/\*.*?\*/", "", code)
        for name in MAKERS:
            for call in names.calls(code, name):
                found += in_call(path, name, call, code)
        found += in_switch(path, code)
        found += in_struct(path, joined(code))
    return found


def sections_of_page():
    """code -> texts below its heading."""
    found = {}
    for part in re.split(r"(?m)^### BM-(?=[A-Z])", read("docs/troubleshooting.md"))[1:]:
        code, _heading_end, rest = part.partition("\n")
        head = rest.strip().split("\n\n")[0]
        texts = re.findall(r"`` (.+?) ``|`([^`]+)`", head)
        found.setdefault(code.strip(), []).extend(a or b for a, b in texts)
    return found


def check_list(results, page):
    """Every code is given somewhere and has one section; the documents name no other."""
    listed = codes_of_list()
    headings = re.findall(r"(?m)^### BM-([A-Z]\w+)$", read("docs/troubleshooting.md"))
    results.same(sorted(headings), sorted(set(headings)), "troubleshooting.md: a code stands twice")
    results.check(len(listed) > 100, "codes.h has codes")
    code = "\n".join(text for path, text in source("src").items() if path != LIST)
    used = set(re.findall(r"\bE_([A-Z]\d{3})\b", code))
    for its in listed:
        results.check(its in used, "nothing in src/ gives the code %s" % its)
        results.check(its in page, "troubleshooting.md does not have the code %s" % its)
    for its in page:
        results.check(its in listed, "the program does not have the code %s" % its)
    general = re.findall(r"error_set\([^;]*?E_U100", code)
    results.same(general, [], "usage errors that say no more than U100")
    for path in names.documents():
        for its in re.findall(r"BM-([A-CE-Z]\d{3})", read(path)):
            results.check(its in listed, "%s: there is no code %s" % (path, its))


def check_texts(results, page, made):
    """What a section quotes is said with its code, and what is said with a code is quoted."""
    results.check(len(made) > 500, "texts of the program are found")
    everything = [made_here[1:] for made_here in made] + UNSEEN
    for code, quoted in page.items():
        said = [text for its, text in everything if its == code]
        results.check(quoted, "troubleshooting.md quotes nothing for %s" % code)
        for text in quoted:
            found = any(text in one for one in said)
            results.check(found, "%s: nothing with this code says %r" % (code, text))
    for path, code, text in made:
        plain = len(re.sub(r"\bx\b|\W|\d", "", text)) >= 4
        if path not in NOT_ALONE and plain:
            found = any(one in text for one in page.get(code, ()))
            results.check(found, "%s: troubleshooting.md, %s does not quote %r" % (path, code, text))


def check_lines(results):
    """Every line at WARN and ERROR has a code, and monitoring.md says which."""
    written = {}
    for row in table_behind(read("docs/monitoring.md"), "<!-- log lines -->"):
        written[(row[0], row[2].strip("`").strip())] = row[1]
    for line, (_keys, codes) in sorted(names.log_lines_of_program().items()):
        if line[0] not in ("WARN", "ERROR"):
            results.same(written.get(line), "", "monitoring.md, code of %s %s" % line)
            continue
        if not results.same(len(codes), 1, "codes of the line %s %s: %r" % (*line, codes)):
            continue
        code, by_cause = list(codes)[0]
        wanted = "[BM-%s](troubleshooting.md#bm-%s)" % (code, code.lower()) if code else ""
        wanted += " or the reason's" if by_cause and code else "the reason's" if by_cause else ""
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
    (["ledger", "verify", "x"], "BM-U106"),
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
    (["ledger", "verify"], "BM-U305"),
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


# Where a name from outside looks like what another code says.
HOSTILE = ["libcurl", "out of memory", "AccessDenied", "unknown option", "price list"]


def check_hostile(program, results):
    """A path or value does not choose the code."""
    for word in HOSTILE:
        for words, code in (
            (["aggregate", "-", "--out", "/nope/%s/x.csv" % word], "BM-F101"),
            (["aggregate", "-", "--receipt", "/nope/%s/x" % word], "BM-F101"),
            (["aggregate", "-", "--top", word], "BM-U208"),
            (["aggregate", "-", "--since", word], "BM-U204"),
            (["serve", "/nope/" + word], "BM-U405"),
        ):
            first = program.run(*words).stderr.decode().split("\n")[0]
            what = "%s: %s wanted, got %r" % (" ".join(words), code, first)
            results.check(first.endswith(" (%s)" % code), what)


def check_explain(program, results, page):
    listed = dict(
        line.split("\t", 1) for line in program.run("explain").stdout.decode().splitlines()
    )
    ours = {code[3:]: text for code, text in listed.items() if not code.startswith("BM-D")}
    titles = {code: texts[0].replace("`", "").strip() for code, texts in page.items()}
    results.same(ours, titles, "what explain lists")
    for code in listed:
        done = program.run("explain", code.lower())
        out = done.stdout.decode()
        ok = done.returncode == 0 and out.startswith(code + "\n") and len(out.split("\n")) > 2
        results.check(ok and "](" not in out, "explain %s: %r" % (code, out))
    long = [code for code in ours if len(program.run("explain", code).stdout) < 60]
    results.same(long, [], "codes that explain says nothing about")
    for text, code in (
        ("ERROR BM-O101 object failed object=x", "BM-O101"),
        ("cannot be opened: No such file or directory", "BM-F101"),
        ('bedrock-metrics aggregate: unknown option "--x"', "BM-U101"),
        ("GetObject: 403 AccessDenied: Access Denied (request 1)", "BM-A202"),
    ):
        out = program.run("explain", "--short", "--", text).stdout.decode()
        results.same(out.split("\t")[0], code, "explain %r" % text)


def check(program, results):
    page = sections_of_page()
    made = texts_of_program()
    check_list(results, page)
    check_texts(results, page, made)
    check_lines(results)
    check_printed(program, results)
    check_hostile(program, results)
    check_explain(program, results, page)
