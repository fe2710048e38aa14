#!/usr/bin/env python3
"""What outsiders choose: a .env that came with a folder, files without an end, names in a terminal,
programs that do not end; and what is left behind by a run that is ended.

    outsiders.py BINARY
"""
import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import process  # noqa: E402
from support.records import lines, record  # noqa: E402
from support.results import Results, check, equal  # noqa: E402

BINARY = os.path.abspath(sys.argv[1]) if len(sys.argv) == 2 else sys.exit(__doc__)
NOBODY = "http://127.0.0.1:9"
# What must not reach a terminal as it is: ESC, BEL, CR, DEL, CSI as one character, an override of
# the reading direction, a zero-width space, a tag.
HOSTILE = "\x1b]0;x\x07\r\x7f\u009b1m\u202e\u200b\U000e0041"
LIMIT = 20  # seconds: more is a hang


def environment(**more):
    return process.environment(**more)


def in_folder(files, *words, timeout=LIMIT, **env):
    """One run in a folder of these files: (status, stdout, stderr), and the folder's path."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = os.path.join(folder, name)
            if callable(content):
                content(path)
            else:
                with open(path, "wb") as file:
                    file.write(content if isinstance(content, bytes) else content.encode())
                os.chmod(path, 0o700)
        done = process.run([BINARY, *words], environment(**env), timeout, cwd=folder)
        return done.returncode, done.stdout.decode(), done.stderr.decode(), set(os.listdir(folder))


def ignored(err):
    """The names that the one WARN about .env has."""
    found = re.findall(r'(?m)^WARN  BM-R141 .* ignored=(?:"([^"]*)"|(\S+))$', err)
    check(len(found) < 2, "more than one line:", err)
    return set(re.split(r", | and ", "".join(found[0]))) if found else set()


# ---- .env ----

def test_no_program_of_a_downloaded_folder_runs():
    files = {"cfg": "[default]\ncredential_process = ./run\nregion = us-east-1\n",
             "run": "#!/bin/sh\ntouch ran\n",
             ".env": "AWS_CONFIG_FILE=./cfg\nAWS_EC2_METADATA_DISABLED=false\n"}
    for words in (("aggregate", "s3://bucket/x"), ("doctor",)):
        _, _, err, left = in_folder(files, *words, AWS_ENDPOINT_URL=NOBODY, AWS_MAX_ATTEMPTS=1,
                                    AWS_EC2_METADATA_DISABLED="true", AWS_REGION="us-east-1",
                                    S3_BUCKET_NAME="bucket")
        check("ran" not in left, words, "ran a program that .env chose")
        equal(ignored(err), {"AWS_CONFIG_FILE", "AWS_EC2_METADATA_DISABLED"}, words)
    # Whoever names the file may.
    files["named.env"] = files.pop(".env")
    _, _, err, left = in_folder(files, "aggregate", "s3://bucket/x", "--env-file", "named.env",
                                AWS_ENDPOINT_URL=NOBODY, AWS_MAX_ATTEMPTS=1)
    check("ran" in left, "--env-file may name a program", err)


def test_names_that_dotenv_may_set():
    refused = {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS",
        "AWS_CA_BUNDLE", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HOME",
        "LD_PRELOAD", "PATH", "LEDGER", "ROLE_ARN", "PRICES_FILE", "INFERENCE_PROFILES_FILE",
        "XDG_STATE_HOME", "AWS_LAMBDA_RUNTIME_API", "BEDROCK_METRICS_TEST_LEASE_MS",
        "BEDROCK_METRICS_TEST_FENCE_MS", "BEDROCK_METRICS_SIMD", "DATABASE_URL", "metrics"}
    allowed = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "S3_BUCKET_NAME",
               "CLOUDWATCH_NAMESPACE", "CLOUDWATCH_REGION", "METRIC_DIMENSIONS", "LEDGER_POLICY",
               "METRIC_RESOLUTION", "MAX_SERIES_PER_SET", "BATCH_SIZE", "MAX_OBJECT_BYTES"}
    text = "".join("export %s=1\n" % name for name in sorted(refused | allowed))
    _, _, err, _ = in_folder({".env": text}, "prices", "age")
    equal(ignored(err), refused)
    # They are really not set, and the others really are; the environment goes first.
    files = {"o.json": lines(record()), ".env": "METRICS=Invocations\nPRICES_FILE=/nonexistent\n"}
    status, out, err, _ = in_folder(files, "aggregate", "o.json", "--output", "json")
    equal((status, set(json.loads(out)["totals"])), (0, {"Invocations"}), err)
    _, out, _, _ = in_folder(files, "aggregate", "o.json", "--output", "json",
                             METRICS="TotalTokenCount")
    equal(set(json.loads(out)["totals"]), {"TotalTokenCount"})
    # A .env that is named is not read once more.
    files = {".env": "AWS_CONFIG_FILE=/dev/null\n"}
    for name in (".env", "./.env", "/proc/self/cwd/.env"):
        _, _, err, _ = in_folder(files, "prices", "age", "--env-file", name)
        equal(err, "", name)
    many = "".join("NAME_%04d=1\n" % i for i in range(3000))
    _, _, err, _ = in_folder({".env": many}, "prices", "age")
    names = ignored(err)
    equal(int([n for n in names if n.endswith(" more")][0].split()[0]) + len(names) - 1, 3000)


def test_queues_that_dotenv_may_set():
    for url, good in (
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", True),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", True),
            ("https://vpce-1-a.sqs.us-east-1.vpce.amazonaws.com/123456789012/q", True),
            ("http://127.0.0.1:4566/000000000000/q", True),
            ("http://localhost:4566/000000000000/q", True),
            ("http://[::1]:4566/000000000000/q", True),
            ("", True),
            ("http://sqs.eu-west-1.amazonaws.com/123456789012/q", False),
            ("https://sqs.eu-west-1.amazonaws.com.evil.example/123456789012/q", False),
            ("https://evil.example/sqs.eu-west-1.amazonaws.com/q", False),
            ("https://sqs.eu-west-1.amazonaws.com@evil.example/123456789012/q", False),
            ("https://a1b2c3.execute-api.eu-west-1.amazonaws.com/123456789012/q", False),
            ("https://localhost.evil.example/1/q", False),
            ("http://127.0.0.1.evil.example/1/q", False),
            ("http://169.254.169.254/1/q", False),
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/q,https://evil.example/1/q", False),
            ("q", False)):
        _, _, err, _ = in_folder({".env": "SQS_QUEUE_URL=%s\n" % url}, "prices", "age")
        equal(ignored(err), set() if good else {"SQS_QUEUE_URL"}, url)


def test_dotenv_is_a_small_file_of_the_user():
    def owned_by_another(path):
        with open(path, "w", encoding="ascii") as file:
            file.write("METRICS=Invocations\n")
        os.chown(path, 12345, 12345)
    cases = [("a pipe", os.mkfifo, "regular file"),
             ("endless", lambda path: os.symlink("/dev/zero", path), "regular file"),
             ("a folder", os.mkdir, "Is a directory"),
             ("large", "#" * 65537, "larger than 65536 bytes"),
             ("of holes", lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 1 << 40),
              "larger than 65536 bytes")]
    if os.geteuid() == 0:
        cases.append(("another user's", owned_by_another, "belongs to user 12345"))
    for name, content, reason in cases:
        status, _, err, _ = in_folder({".env": content}, "prices", "age")
        equal(status, 0, name + err)
        check("BM-R140" in err and reason in err, name, err)
    for name, content in (("largest", "#" * 65536), ("linked", lambda p: os.symlink("/dev/null", p))):
        _, _, err, _ = in_folder({".env": content}, "prices", "age")
        equal(err, "", name)
    # A line that is none does not hide the others.
    files = {"o.json": lines(record()), ".env": "rubbish\nMETRICS=Invocations\n"}
    _, out, err, _ = in_folder(files, "aggregate", "o.json", "--output", "json")
    check("line 1" in err and set(json.loads(out)["totals"]) == {"Invocations"}, err)


# ---- files without an end ----

def test_no_file_is_read_without_end():
    def zeros(path):
        os.symlink("/dev/zero", path)
    log = lines(record())
    for kind, make in (("zeros", zeros), ("pipe", os.mkfifo), ("folder", os.mkdir)):
        for option in ("--env-file", "--profiles", "--prices"):
            status, _, err, _ = in_folder({"o.json": log, "x": make}, "aggregate", "o.json",
                                          option, "x")
            equal(status, 2, "%s %s: %s" % (option, kind, err))
            check(re.search(r"\(BM-[UF]\d+\)", err), option, kind, err)
        for variable in ("INFERENCE_PROFILES_FILE", "PRICES_FILE"):
            status, _, err, _ = in_folder({"o.json": log, "x": make}, "aggregate", "o.json",
                                          **{variable: "x"})
            equal(status, 2, "%s %s: %s" % (variable, kind, err))
        for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CONFIG_FILE",
                         "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
                         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            env = {"AWS_ENDPOINT_URL": NOBODY, "AWS_MAX_ATTEMPTS": 1, "AWS_REGION": "us-east-1",
                   "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
                   "AWS_EC2_METADATA_DISABLED": "true", variable: "x"}
            if "CONTAINER" in variable:
                env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = NOBODY + "/"
            status, _, err, _ = in_folder({"x": make}, "aggregate", "s3://bucket/", **env)
            check(status in (1, 2), variable, kind, status, err)
            check("regular file" in err or "Is a directory" in err, variable, kind, err)


def test_side_files_of_a_store_are_regular_files():
    """A store that came with a pipe or a device as one of SQLite's files next to it."""
    with tempfile.TemporaryDirectory() as folder:
        store, logs = os.path.join(folder, "s.sqlite"), os.path.join(folder, "logs")
        ledger = os.path.join(folder, "l.sqlite")
        os.mkdir(logs)
        serve = [BINARY, "serve", logs, "--store", store, "--listen", "127.0.0.1:0"]
        with process.Process(serve, environment()) as server:
            check(process.wait_until(lambda: os.path.exists(store)), "no store", server.err)
            server.stop(seconds=8)
        commands = (([BINARY, "report", "--store", store], store), (serve, store),
                    ([BINARY, "aggregate", logs, "--publish", "--ledger", ledger], ledger))
        for suffix in ("-lock", "-wal", "-shm", "-journal"):
            for name, make in (("pipe", os.mkfifo),
                               ("device", lambda path: os.symlink("/dev/zero", path))):
                for words, path in commands:
                    if os.path.lexists(path + suffix):
                        os.unlink(path + suffix)
                    make(path + suffix)
                    done = process.run(words, environment(AWS_ENDPOINT_URL=NOBODY), LIMIT)
                    os.unlink(path + suffix)
                    what = "%s %s %s: %s" % (words[1], suffix, name, done.stderr)
                    check(done.returncode in (1, 2), done.returncode, what)
                    check(b"ot a regular file" in done.stderr or b"ymbolic link" in done.stderr, what)
                    if path == store:
                        check(b"%s is not a regular file" % suffix.encode() in done.stderr, what)


def piped(text, *words):
    """A run that is given text through a pipe, as <(command) does; @ stands for its name."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as file:
        file.write(text)
    try:
        return process.run([BINARY, *("/dev/fd/%d" % read if w == "@" else w for w in words)],
                           environment(), LIMIT, pass_fds=(read,), cwd="/")
    finally:
        os.close(read)


def test_a_pipe_that_somebody_named_is_read():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "o.json")
        with open(path, "wb") as file:
            file.write(lines(record()))
        done = piped(b"METRICS=Invocations\n", "aggregate", path, "--output", "json",
                     "--env-file", "@")
        equal((done.returncode, set(json.loads(done.stdout)["totals"])), (0, {"Invocations"}))
        done = piped(b'{"inferenceProfileSummaries":[]}', "aggregate", path, "--profiles", "@")
        equal(done.returncode, 0, done.stderr)
        # A named pipe whose writer comes a moment later, and nothing but a writer that stays.
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        writer = subprocess.Popen(["sh", "-c", 'sleep 0.5; echo METRICS=Invocations >"$1"', "sh",
                                   fifo])
        done = process.run([BINARY, "aggregate", path, "--output", "json", "--env-file", fifo],
                           environment(), LIMIT)
        writer.wait()
        equal((done.returncode, set(json.loads(done.stdout)["totals"])), (0, {"Invocations"}))


# ---- programs without an end ----

def goes_on(pid):
    """Whether it runs; one that nobody waited for yet does not."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_process_that_closes_its_output_is_ended():
    """SIGTERM ends the program while credential_process runs on, and that program with it."""
    with tempfile.TemporaryDirectory() as folder:
        mark, config = os.path.join(folder, "pid"), os.path.join(folder, "config")
        script = os.path.join(folder, "give")
        with open(script, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho $$ >%s\nexec >&- 2>&-\nexec sleep 60\n" % mark)
        os.chmod(script, 0o700)
        with open(config, "w", encoding="ascii") as file:
            file.write("[default]\ncredential_process = %s\n" % script)
        env = environment(AWS_CONFIG_FILE=config, AWS_REGION="us-east-1", S3_BUCKET_NAME="bucket",
                          SQS_QUEUE_URL="http://127.0.0.1:9/123456789012/q")
        # One that ends in order, and one that ends at once.
        for words in (("worker",), ("aggregate", "s3://bucket/x")):
            with process.Process([BINARY, *words], env) as run:
                check(process.wait_until(lambda: os.path.exists(mark) and os.path.getsize(mark)),
                      "credential_process was not started", run.err)
                time.sleep(0.3)
                status = run.stop(seconds=8)
                check(status in (1, 143), words, status, run.err)
            with open(mark, encoding="ascii") as file:
                pid = int(file.read())
            check(process.wait_until(lambda pid=pid: not goes_on(pid)), words, "it goes on")
            os.unlink(mark)


# ---- terminals ----

def on_terminal(words, cwd, stream="stdout"):
    """What a terminal would get of standard output or error."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    attributes = termios.tcgetattr(side)
    attributes[1] &= ~termios.OPOST  # bytes as they were written
    termios.tcsetattr(side, termios.TCSANOW, attributes)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: side}
    child = subprocess.Popen([BINARY, *words], env=environment(), cwd=cwd, stdin=subprocess.DEVNULL,
                             **streams)
    os.close(side)
    out = b""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if not select.select([main], [], [], 0.2)[0]:
            continue
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(main)
    child.wait(LIMIT)
    return out.decode("utf-8", "replace")


def harmless(text, what):
    """Nothing of HOSTILE is in it; the program's own colours and its cleared line may be."""
    text = re.sub(r"\x1b\[\d*m|\r\x1b\[K", "", text)
    found = sorted(set(HOSTILE.replace("]0;x", "").replace("1m", "").replace("A", "")) & set(text))
    check(not found, what, "brings to a terminal:", ascii(found), ascii(text[:2000]))


def hostile_log():
    return lines(record(requestMetadata={"k": HOSTILE + "v\x00"}), record(
        requestMetadata={"k": "=cmd|' /C calc'!A0"}), record(requestMetadata={"k": "a\nb"}))


def test_terminals_get_nothing_that_steers_them():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "o.json"), "wb") as file:
            file.write(hostile_log())
        words = ("aggregate", "o.json", "--quiet", "--by", "Metadata:k", "--output")
        for form in ("table", "csv", "openmetrics", "json"):
            text = on_terminal((*words, form), folder)
            harmless(text, form)
            check("\x00" not in text, form, "NUL")
            check(form == "table" or "\\u001b" in text, form, "is not shown escaped:", ascii(text))
            done = process.run([BINARY, *words, form], environment(), LIMIT, cwd=folder)
            if form in ("csv", "openmetrics"):
                check(HOSTILE.encode() in done.stdout, form, "to a pipe changed bytes", done.stdout)
            for name in ("-", "/dev/stdout"):
                harmless(on_terminal((*words, form, "--out", name), folder), form + " " + name)
            # To a file from a terminal too.
            shown = on_terminal((*words, form, "--out", "r"), folder)
            equal(shown, "", form)
            with open(os.path.join(folder, "r"), "rb") as file:
                equal(file.read(), done.stdout, form)
        text = on_terminal(("plan", "o.json", "--quiet"), folder)
        harmless(text, "plan")
        harmless(on_terminal(("plan", "o.json", "--quiet", "--out", "/dev/stdout"), folder), "plan")
        # Names in log lines, errors and the line of progress.
        name = HOSTILE.replace("/", "") + ".json"
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"\x1f\x8b broken")
        for more in ((), ("--log-format", "json")):
            harmless(on_terminal(("aggregate", ".", *more), folder, "stderr"), "log lines")
        os.mkdir(os.path.join(folder, HOSTILE))
        harmless(on_terminal(("serve", HOSTILE, "--once", "--store", HOSTILE + ".sqlite"), folder,
                             "stderr"), "serve")
        for wrong in (("aggregate", "o.json", "--by", name), ("aggregate", "--" + name),
                      ("aggregate", "o.json", "--profiles", name), (name,), ("explain", name),
                      ("help", name), ("aggregate", "o.json", "--env-file", name),
                      ("report", "--store", name), ("aggregate", name + "/none"),
                      ("prices", "list", "--prices", name), ("ledger", name)):
            harmless(on_terminal(wrong, folder, "stderr"), ascii(wrong))


def test_csv_safe():
    with tempfile.TemporaryDirectory() as folder:
        values = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=a,b", '="x"', "a=b")
        with open(os.path.join(folder, "o.json"), "wb") as file:
            file.write(lines(*(record(requestMetadata={"k": value}) for value in values)))
        words = [BINARY, "aggregate", "o.json", "--quiet", "--by", "Metadata:k", "--output", "csv"]
        def cells(*more):
            done = process.run([*words, *more], environment(), LIMIT, cwd=folder)
            equal(done.returncode, 0, done.stderr)
            rows = list(csv.reader(io.StringIO(done.stdout.decode(), newline="")))
            return {row[0] for row in rows[1:]}
        equal(cells(), set(values))
        equal(cells("--csv-safe"), {v if v == "a=b" else "'" + v for v in values})
        done = process.run([*words[:-1], "json", "--csv-safe"], environment(), LIMIT, cwd=folder)
        equal(done.returncode, 2, done.stderr)


# ---- what a signal leaves behind ----

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE,
          signal.SIGXCPU, signal.SIGXFSZ)


def unignored():
    """Whoever runs the tests may ignore signals (nohup, a job in the background of a script)."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def run_until(folder, number, *before):
    """A run that is ended by a signal while it waits for its source: (status, files that are left)."""
    os.mkfifo(os.path.join(folder, "source"))
    child = subprocess.Popen([*before, BINARY, "aggregate", "source", "--out", "result"],
                             env=environment(), cwd=folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             preexec_fn=unignored)
    try:
        check(process.wait_until(
            lambda: any(n.startswith("result.") for n in os.listdir(folder))), "no temporary file")
        child.send_signal(number)
        if before:
            time.sleep(0.5)
            equal(child.poll(), None, "a signal that is ignored ended it")
            with open(os.path.join(folder, "source"), "wb") as file:
                file.write(lines(record()))
        return child.wait(LIMIT), set(os.listdir(folder)) - {"source", "core"}
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_no_signal_leaves_a_temporary_file():
    in_order = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
    for number in ENDING:
        status = in_order.get(number, -number)
        with tempfile.TemporaryDirectory() as folder:
            equal(run_until(folder, number), (status, set()), number.name)
    with tempfile.TemporaryDirectory() as folder:
        equal(run_until(folder, signal.SIGHUP, "nohup"), (0, {"result"}), "nohup")


def main():
    results = Results()
    for name, function in sorted(globals().items()):
        if name.startswith("test_"):
            results.test(name, function)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
