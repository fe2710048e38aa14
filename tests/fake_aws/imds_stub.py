"""Instance metadata (IMDSv2, token required) and the container credentials endpoint.

    stub = CredentialStub().start()
    IMDS:      AWS_EC2_METADATA_SERVICE_ENDPOINT = stub.url
    container: AWS_CONTAINER_CREDENTIALS_FULL_URI = stub.url + "/container",
               AWS_CONTAINER_AUTHORIZATION_TOKEN = stub.container_token

settings (constructor, or POST /control {"role": ..., "lifetime": ...}):
  role       the role's name; "" answers 404: no role attached
  access, secret, session   what is handed out; {n} becomes the number of the issue, so that a
                            refresh differs from the one before
  lifetime   seconds until Expiration (near expiry: 60)
  token_ttl_max, v1         v1 true answers without a token as IMDSv1 would
  fail       status to answer credential requests with (0: none), e.g. 500
  hang       seconds to wait before any answer
stub.log: (method, path, status) of each request.
"""
import json
import secrets
import threading
import time

import httpbase
from httpbase import Response, json_response

ROLES = "/latest/meta-data/iam/security-credentials/"
DEFAULTS = {"role": "bedrock-metrics", "access": "ASIAFAKE{n}", "secret": "secret{n}",
            "session": "session{n}", "lifetime": 3600, "token_ttl_max": 21600, "v1": False,
            "fail": 0, "hang": 0, "region": "us-east-1"}


class CredentialStub(httpbase.Counterpart):
    def __init__(self, port=0, container_token="container-token", **settings):
        self.container_token = container_token
        self.settings = dict(DEFAULTS)
        self.configure(settings)
        self.server = httpbase.Server(self._handle, port)
        self.issued = 0
        self.log = []
        self._tokens = {}
        self._lock = threading.Lock()

    def configure(self, settings):
        for name, value in settings.items():
            if name not in DEFAULTS:
                raise ValueError("unknown setting %r" % name)
            self.settings[name] = value

    def _handle(self, request):
        if request.path == "/control":
            try:
                self.configure(request.json() if request.method == "POST" else {})
            except ValueError as fault:
                return json_response({"error": str(fault)}, 400)
            return json_response({"settings": self.settings, "issued": self.issued,
                                  "log": self.log})
        if self.settings["hang"]:
            time.sleep(self.settings["hang"])
        if request.path.startswith("/container"):
            response = self._container(request)
        else:
            response = self._imds(request)
        self.log.append((request.method, request.path, response.status))
        return response

    def _credentials(self, extra):
        with self._lock:
            self.issued += 1
            n = str(self.issued)
        s = self.settings
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + s["lifetime"]))
        return dict(extra, AccessKeyId=s["access"].replace("{n}", n),
                    SecretAccessKey=s["secret"].replace("{n}", n),
                    Token=s["session"].replace("{n}", n), Expiration=expires)

    def _container(self, request):
        if request.method != "GET":
            return json_response({"code": "MethodNotAllowed", "message": "GET only"}, 405)
        if self.container_token and \
                request.headers.get("authorization") != self.container_token:
            return json_response({"code": "InvalidAuthorization", "message": "bad token"}, 401)
        if self.settings["fail"]:
            return json_response({"code": "Failed", "message": "on request"},
                                 self.settings["fail"])
        return json_response(self._credentials(
            {"RoleArn": "arn:aws:iam::123456789012:role/" + self.settings["role"]}))

    def _imds(self, request):
        if request.path == "/latest/api/token":
            return self._token(request)
        if request.method != "GET":
            return Response(405)
        token = request.headers.get("x-aws-ec2-metadata-token")
        if token is None and not self.settings["v1"]:
            return Response(401, b"")
        if token is not None and self._tokens.get(token, 0) < time.time():
            return Response(401, b"")
        if self.settings["fail"]:
            return Response(self.settings["fail"], b"")
        role = self.settings["role"]
        if request.path == ROLES and role:
            return Response(200, role.encode(), [("Content-Type", "text/plain")])
        if role and request.path == ROLES + role:
            value = self._credentials({"Code": "Success", "Type": "AWS-HMAC",
                                       "LastUpdated": "2026-01-01T00:00:00Z"})
            return Response(200, json.dumps(value, indent=2).encode(),
                            [("Content-Type", "text/plain")])
        if request.path == "/latest/meta-data/placement/region":
            return Response(200, self.settings["region"].encode())
        if request.path == "/latest/dynamic/instance-identity/document":
            return json_response({"region": self.settings["region"],
                                  "accountId": "123456789012"})
        return Response(404, b"<html>404 - Not Found</html>")

    def _token(self, request):
        if request.method != "PUT":
            return Response(405)
        if "x-forwarded-for" in request.headers:
            return Response(403)
        ttl = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not ttl.isdigit() or not 1 <= int(ttl) <= self.settings["token_ttl_max"]:
            return Response(400)
        token = secrets.token_urlsafe(40)
        self._tokens[token] = time.time() + int(ttl)
        return Response(200, token.encode(), [("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl)])


def main():
    parser = httpbase.command_line(__doc__.splitlines()[0])
    parser.add_argument("--container-token", default="container-token")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON")
    args = parser.parse_args()
    settings = {s.partition("=")[0]: json.loads(s.partition("=")[2]) for s in args.set}
    httpbase.run_until_stopped(
        CredentialStub(args.port, args.container_token, **settings).server)


if __name__ == "__main__":
    main()
