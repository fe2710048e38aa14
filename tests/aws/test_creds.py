"""Where credentials come from: files, processes, containers, instances, roles."""
import datetime
import os
import re
import threading
import time
import unittest
import urllib.parse

from harness import Tool, answer, environment, serve


def iso(seconds):
    return datetime.datetime.fromtimestamp(time.time() + seconds, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


def bare(**extra):
    """No credentials in the environment."""
    return environment(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, **extra)


def write(env, name, text, mode=0o600):
    folder = os.path.join(env["HOME"], ".aws")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def sts(request, number, _server):
    """An STS that gives roles; the key of the caller becomes part of the new key."""
    form = urllib.parse.parse_qs(request.body.decode())
    action = form["Action"][0]
    found = re.search("Credential=([^/]+)/", request.headers.get("authorization", ""))
    caller = found.group(1) if found else "TOKEN-" + form.get("WebIdentityToken", ["none"])[0]
    role = form["RoleArn"][0].rpartition("/")[2]
    return answer(200, "<%sResponse><%sResult><Credentials><AccessKeyId>%s.%s</AccessKeyId>"
                       "<SecretAccessKey>s&amp;%d</SecretAccessKey><SessionToken>tok</SessionToken>"
                       "<Expiration>%s</Expiration></Credentials></%sResult></%sResponse>"
                  % (action, action, caller, role, number, iso(3600), action, action))


class Files(unittest.TestCase):
    def creds(self, env, op="creds", **more):
        with Tool(env) as tool:
            return tool.call(op=op, **more)

    def test_environment(self):
        got = self.creds(environment(AWS_SESSION_TOKEN="tok"))
        self.assertEqual(("ok", "AKIDEXAMPLE", "tok", "environment"),
                         (got["status"], got["id"], got["token"], got["source"]))
        got = self.creds(environment(AWS_SECRET_ACCESS_KEY=None))
        self.assertEqual("usage", got["status"])
        got = self.creds(environment(AWS_ACCESS_KEY_ID="A\nB"))
        self.assertEqual("usage", got["status"])

    def test_none(self):
        got = self.creds(bare())
        self.assertEqual("denied", got["status"])
        self.assertIn("no AWS credentials", got["error"])

    def test_profiles(self):
        env = bare(AWS_PROFILE="two")
        write(env, "credentials", "[default]\naws_access_key_id=ONE\naws_secret_access_key=s\n"
                                  "[two]\naws_access_key_id = TWO\naws_secret_access_key = s\n"
                                  "aws_session_token = tt\n")
        got = self.creds(env)
        self.assertEqual(("TWO", "tt", "shared files"), (got["id"], got["token"], got["source"]))
        del env["AWS_PROFILE"]
        self.assertEqual("ONE", self.creds(env)["id"])
        # A profile asked for on the command line goes before the environment.
        env.update(AWS_ACCESS_KEY_ID="ENV", AWS_SECRET_ACCESS_KEY="s", TOOL_PROFILE="two")
        self.assertEqual("TWO", self.creds(env)["id"])

    def test_refusals(self):
        for text, word in (
                ("[default]\naws_access_key_id=A\n", "incomplete"),
                ("[default]\nsso_session = x\n", "not supported"),
                ("[default]\nrole_arn = arn:aws:iam::123456789012:role/r\n", "source_profile"),
                ("[default]\nrole_arn = nonsense\nsource_profile = default\n"
                 "aws_access_key_id=A\naws_secret_access_key=s\n", "role ARN"),
                ("[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = b\n",
                 "does not exist"),
                ("[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nmfa_serial = m\n"
                 "source_profile = default\naws_access_key_id=A\naws_secret_access_key=s\n", "MFA"),
                ("[default]\nrole_arn = arn:aws:iam::123456789012:role/r\n"
                 "credential_source = Moon\n", "credential_source"),
                ("[default]\nrole_arn=arn:aws:iam::123456789012:role/r\nsource_profile=b\n"
                 "[b]\nrole_arn=arn:aws:iam::123456789012:role/r\nsource_profile=c\n"
                 "[c]\nrole_arn=arn:aws:iam::123456789012:role/r\nsource_profile=b\n", "times")):
            env = bare()
            write(env, "credentials", text)
            got = self.creds(env)
            self.assertEqual("usage", got["status"], text)
            self.assertIn(word, got["error"], text)

    def test_process(self):
        env = bare()
        script = write(env, "give me", "#!/bin/sh\nprintf '{\"Version\":1,\"AccessKeyId\":\"%s\","
                       "\"SecretAccessKey\":\"s\",\"Expiration\":\"" + iso(3600) + "\"}' \"$1\"\n",
                       0o700)
        write(env, "config", "[default]\ncredential_process = \"%s\" \"$HOME;x y\"\n" % script)
        got = self.creds(env)
        # Handed over as it stands: no shell looked at it.  A blank is no key, so it is refused.
        self.assertEqual("bad_item", got["status"])
        write(env, "config", "[default]\ncredential_process = \"%s\" '$HOME;x'\n" % script)
        got = self.creds(env)
        self.assertEqual("$HOME;x", got["id"])
        for line, status in (("/bin/false", "denied"), ("/nonexistent/x", "usage"),
                             ("/bin/echo '{}'", "bad_item"), ("'unbalanced", "usage")):
            write(env, "config", "[default]\ncredential_process = %s\n" % line)
            self.assertEqual(status, self.creds(env)["status"], line)

    def test_process_that_closes_its_output(self):
        """Its credentials count once it has ended well; until then it has its minute."""
        env = bare()
        given = ("printf '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}'\n"
                 "exec >&-\nsleep 1\nexit ")
        for status, wanted in (("0", "ok"), ("3", "denied")):
            script = write(env, "give", "#!/bin/sh\n" + given + status + "\n", 0o700)
            write(env, "config", "[default]\ncredential_process = %s\n" % script)
            self.assertEqual(wanted, self.creds(env)["status"])

    def test_roles(self):
        with serve(sts) as server:
            env = bare(AWS_ENDPOINT_URL_STS=server.url)
            write(env, "config",
                  "[profile leaf]\nrole_arn = arn:aws:iam::123456789012:role/leaf\n"
                  "source_profile = middle\nexternal_id = x&y\nduration_seconds = 900\n"
                  "[profile middle]\nrole_arn = arn:aws:iam::123456789012:role/middle\n"
                  "source_profile = base\n[profile base]\naws_access_key_id = BASE\n"
                  "aws_secret_access_key = s\n"
                  "[profile self]\nrole_arn = arn:aws:iam::123456789012:role/self\n"
                  "source_profile = self\naws_access_key_id = SELF\naws_secret_access_key = s\n"
                  "[profile env]\nrole_arn = arn:aws:iam::123456789012:role/env\n"
                  "credential_source = Environment\n")
            env["AWS_PROFILE"] = "leaf"
            got = self.creds(env)
            self.assertEqual("BASE.middle.leaf", got["id"], got)
            self.assertEqual(3, got["secret_length"])
            form = urllib.parse.parse_qs(server.requests[-1].body.decode())
            self.assertEqual(("x&y", "900"), (form["ExternalId"][0], form["DurationSeconds"][0]))
            env["AWS_PROFILE"] = "self"
            self.assertEqual("SELF.self", self.creds(env)["id"])
            env.update(AWS_PROFILE="default", AWS_ACCESS_KEY_ID="ENVKEY",
                       AWS_SECRET_ACCESS_KEY="s")
            got = self.creds(env, op="role", arn="arn:aws:iam::123456789012:role/other")
            self.assertEqual("ENVKEY.other", got["id"])

    def test_web_identity(self):
        with serve(sts) as server:
            env = bare(AWS_ENDPOINT_URL_STS=server.url,
                       AWS_ROLE_ARN="arn:aws:iam::123456789012:role/pod")
            env["AWS_WEB_IDENTITY_TOKEN_FILE"] = write(env, "token", "jwt1\n")
            got = self.creds(env)
            self.assertEqual(("TOKEN-jwt1.pod", "web identity"), (got["id"], got["source"]))
            self.assertNotIn("authorization", server.requests[0].headers)
            del env["AWS_ROLE_ARN"]
            self.assertEqual("usage", self.creds(env)["status"])
            env["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/pod"
            env["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/nonexistent"
            self.assertEqual("io", self.creds(env)["status"])

    def test_sts_garbage(self):
        for body in ("", "<a", "{}", "<AssumeRoleResponse></AssumeRoleResponse>",
                     "<!DOCTYPE x><AssumeRoleResponse/>", "\x00\xff"):
            with serve(lambda r, n, s, b=body: answer(200, b)) as server:
                env = environment(AWS_ENDPOINT_URL_STS=server.url, AWS_MAX_ATTEMPTS=1)
                got = self.creds(env, op="role", arn="arn:aws:iam::123456789012:role/x")
                self.assertEqual("retry", got["status"], (body, got))


class Container(unittest.TestCase):
    def test_full_uri(self):
        def respond(request, number, _server):
            if request.headers.get("authorization") != "secret-token":
                return answer(401)
            if number == 1:
                return answer(500)
            return answer(200, {"AccessKeyId": "CONT%d" % number, "SecretAccessKey": "s",
                                "Token": "t", "Expiration": iso(3600)})
        with serve(respond) as server:
            env = bare(AWS_CONTAINER_CREDENTIALS_FULL_URI=server.url + "/creds?x=1",
                       AWS_CONTAINER_AUTHORIZATION_TOKEN="secret-token")
            with Tool(env) as tool:
                got = tool.call(op="creds")
                self.assertEqual(("CONT2", "t", "container"),
                                 (got["id"], got["token"], got["source"]))
                self.assertEqual("CONT2", tool.call(op="creds")["id"])
            self.assertEqual("/creds?x=1", server.requests[0].target)
            # The token file is read anew each time, and goes before the variable.
            env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "wrong"
            env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write(env, "token", "secret-token\n")
            with Tool(env) as tool:
                self.assertEqual("ok", tool.call(op="creds")["status"])
            del env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
            with Tool(env) as tool:
                self.assertEqual("denied", tool.call(op="creds")["status"])

    def test_hosts(self):
        for uri in ("http://example.com/", "http://169.254.169.254/", "http://10.0.0.1/x",
                    "http://127.0.0.1.example.com/", "file:///etc/passwd", "http://[::2]/"):
            with Tool(bare(AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)) as tool:
                self.assertEqual("usage", tool.call(op="creds")["status"], uri)
        with Tool(bare(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="@example.com/")) as tool:
            self.assertEqual("usage", tool.call(op="creds")["status"])

    def test_token_injection(self):
        with serve(lambda r, n, s: answer(200, {})) as server:
            env = bare(AWS_CONTAINER_CREDENTIALS_FULL_URI=server.url,
                       AWS_CONTAINER_AUTHORIZATION_TOKEN="a\r\nX-Evil: 1")
            with Tool(env) as tool:
                self.assertEqual("bad_item", tool.call(op="creds")["status"])
            self.assertEqual(0, len(server.requests))

    def test_no_redirect(self):
        with serve(lambda r, n, s: answer(302, b"", [("Location", "http://127.0.0.1:1/")])) as s:
            with Tool(bare(AWS_CONTAINER_CREDENTIALS_FULL_URI=s.url)) as tool:
                self.assertEqual("denied", tool.call(op="creds")["status"])
            self.assertEqual(1, len(s.requests))


class Imds:
    """The metadata service, version 2 as EC2 has it."""

    def __init__(self, life=3600, token_status=200, role="instance-role"):
        self.life = life
        self.token_status = token_status
        self.role = role
        self.tokens = 0
        self.given = 0
        self.lock = threading.Lock()

    def __call__(self, request, _number, _server):
        if request.target == "/latest/api/token":
            if request.method != "PUT" or "x-aws-ec2-metadata-token-ttl-seconds" not in \
                    request.headers or self.token_status != 200:
                return answer(self.token_status if self.token_status != 200 else 400)
            self.tokens += 1
            return answer(200, "token-%d" % self.tokens)
        if request.headers.get("x-aws-ec2-metadata-token") != "token-%d" % self.tokens:
            return answer(401)
        base = "/latest/meta-data/iam/security-credentials/"
        if request.target == base:
            return answer(200, self.role) if self.role else answer(404)
        if request.target == base + self.role:
            with self.lock:
                self.given += 1
            return answer(200, {"Code": "Success", "Type": "AWS-HMAC", "Token": "tok",
                                "AccessKeyId": "IMDS%d" % self.given, "SecretAccessKey": "s",
                                "Expiration": iso(self.life)})
        return answer(404)


class Instance(unittest.TestCase):
    def env(self, server, **more):
        more.setdefault("AWS_EC2_METADATA_DISABLED", None)
        return bare(AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url, **more)

    def test_version_2(self):
        imds = Imds()
        with serve(imds) as server, Tool(self.env(server)) as tool:
            for _ in range(3):
                got = tool.call(op="creds")
                self.assertEqual(("IMDS1", "instance metadata"), (got["id"], got["source"]))
            self.assertEqual(3, len(server.requests))

    def test_refresh(self):
        imds = Imds(life=3)  # a quarter of it before the end: renewed when 0.75 s are left
        with serve(imds) as server, Tool(self.env(server)) as tool:
            self.assertEqual("IMDS1", tool.call(op="creds")["id"])
            imds.role = "another-role"
            time.sleep(3.2)
            self.assertEqual("IMDS2", tool.call(op="creds")["id"])
            tool.call(op="reject", id="IMDS2")
            self.assertEqual("IMDS3", tool.call(op="creds")["id"])

    def test_absent(self):
        for imds in (Imds(token_status=403), Imds(token_status=404), Imds(role="")):
            with serve(imds) as server, Tool(self.env(server)) as tool:
                got = tool.call(op="creds")
                self.assertEqual("denied", got["status"])
                self.assertIn("no AWS credentials", got["error"])
        with serve(Imds()) as server:
            with Tool(self.env(server, AWS_EC2_METADATA_DISABLED="TRUE")) as tool:
                self.assertEqual("denied", tool.call(op="creds")["status"])
            self.assertEqual(0, len(server.requests))

    def test_hostile_role_name(self):
        for role in ("../../x", "a b", "x" * 200, "<html>"):
            with serve(Imds(role=role)) as server, Tool(self.env(server)) as tool:
                self.assertEqual("retry", tool.call(op="creds")["status"], role)

    def test_endpoint(self):
        env = bare(AWS_EC2_METADATA_DISABLED=None,
                   AWS_EC2_METADATA_SERVICE_ENDPOINT="http://example.com")
        with Tool(env) as tool:
            self.assertEqual("usage", tool.call(op="creds")["status"])

    def test_credential_source(self):
        imds = Imds()
        with serve(imds) as server, serve(sts) as role_server:
            env = self.env(server, AWS_ENDPOINT_URL_STS=role_server.url)
            write(env, "config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/up\n"
                                 "credential_source = Ec2InstanceMetadata\n")
            with Tool(env) as tool:
                self.assertEqual("IMDS1.up", tool.call(op="creds")["id"])


class Expired(unittest.TestCase):
    def test_expired_token_is_fetched_anew(self):
        imds = Imds()

        def service(request, _number, _server):
            if "Credential=IMDS1/" in request.headers["authorization"]:
                return answer(400, {"__type": "com.amazon.coral.service#ExpiredTokenException",
                                    "message": "The security token included is expired"})
            return answer(200, {"Messages": []})
        with serve(imds) as metadata, serve(service) as sqs:
            env = bare(AWS_EC2_METADATA_DISABLED=None, AWS_ENDPOINT_URL_SQS=sqs.url,
                       AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url)
            with Tool(env) as tool:
                got = tool.call(op="sqs_receive", queue=sqs.url + "/123456789012/q")
                self.assertEqual("ok", got["status"], got)
            self.assertEqual(2, imds.given)
            self.assertEqual(2, len(sqs.requests))
