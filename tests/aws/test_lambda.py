"""The Runtime API client against a server that behaves like Lambda's."""
import json
import time
import unittest

from harness import Server, Tool, answer, environment, read_request, serve

BASE = "/2018-06-01/runtime/"


def event_headers(number):
    return [("Lambda-Runtime-Aws-Request-Id", "req-%d" % number),
            ("Lambda-Runtime-Deadline-Ms", "1700000000%03d" % number),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:f"),
            ("Lambda-Runtime-Trace-Id", "Root=1-2-3;Sampled=0")]


class Lambda(unittest.TestCase):
    def tool(self, server):
        return Tool(environment(AWS_LAMBDA_RUNTIME_API="127.0.0.1:%d" % server.port,
                                http_proxy="http://127.0.0.1:1"))

    def test_loop(self):
        posted = []

        def respond(request, number, _server):
            if request.target == BASE + "invocation/next":
                return answer(200, {"n": number, "text": "\u00e9"}, event_headers(number))
            posted.append(request)
            return answer(202, {"status": "OK"})
        with serve(respond) as server, self.tool(server) as tool:
            for number in (1, 3, 5):
                got = tool.call(op="lambda_next")
                self.assertEqual(("ok", "req-%d" % number), (got["status"], got["id"]))
                self.assertEqual({"n": number, "text": "\u00e9"}, json.loads(got["event"]))
                self.assertEqual(1700000000000 + number, got["deadline"])
                self.assertEqual("Root=1-2-3;Sampled=0", got["trace"])
                if number == 3:
                    got = tool.call(op="lambda_fail", message="a \"quoted\"\nline")
                else:
                    got = tool.call(op="lambda_respond", json='{"batchItemFailures":[]}')
                self.assertEqual("ok", got["status"], got)
            self.assertEqual(1, server.connections)
        self.assertEqual([BASE + "invocation/req-1/response", BASE + "invocation/req-3/error",
                          BASE + "invocation/req-5/response"], [r.target for r in posted])
        self.assertEqual({"errorMessage": "a \"quoted\"\nline", "errorType": "Function.Test",
                          "stackTrace": []}, json.loads(posted[1].body))
        self.assertEqual("Function.Test", posted[1].headers["lambda-runtime-function-error-type"])

    def test_answers(self):
        for code, want in ((400, "conflict"), (403, "conflict"), (413, "too_big"), (500, "retry")):
            with serve(lambda r, n, s: answer(code)) as server, self.tool(server) as tool:
                got = tool.call(op="lambda_respond", id="req-1", json="{}")
                self.assertEqual(want, got["status"])
        with serve(lambda r, n, s: answer(202)) as server, self.tool(server) as tool:
            self.assertEqual("ok", tool.call(op="lambda_init", message="x")["status"])
            self.assertEqual(BASE + "init/error", server.requests[0].target)
            for bad in ("", "../x", "a/b", "a b", "x" * 200, "a\r\nb"):
                self.assertEqual("bad_item", tool.call(op="lambda_respond", id=bad,
                                                       json="{}")["status"])
            self.assertEqual(1, len(server.requests))

    def test_bad_events(self):
        for reply in (answer(200, "{}"), answer(200, "{}", [
                ("Lambda-Runtime-Aws-Request-Id", "../../x")])):
            with serve(lambda r, n, s: reply) as server, self.tool(server) as tool:
                self.assertEqual("bad_item", tool.call(op="lambda_next")["status"])
        with serve(lambda r, n, s: answer(500)) as server, self.tool(server) as tool:
            self.assertEqual("retry", tool.call(op="lambda_next")["status"])
        big = b"x" * (7 * 1024 * 1024)
        with serve(lambda r, n, s: answer(200, big, event_headers(1))) as server:
            with self.tool(server) as tool:
                self.assertEqual("too_big", tool.call(op="lambda_next")["status"])

    def test_no_time_out(self):
        def slow(conn, server):
            read_request(conn)
            time.sleep(6)
            conn.sendall(answer(200, "{}", event_headers(1)))
        with Server(slow) as server, self.tool(server) as tool:
            self.assertEqual("ok", tool.call(op="lambda_next")["status"])

    def test_connection_died_while_frozen(self):
        def once(conn, server):
            request = read_request(conn)
            server.note(request)
            conn.sendall(answer(200, "{}", event_headers(1)))
            time.sleep(0.2)  # then the connection goes away without a word
        with Server(once) as server, self.tool(server) as tool:
            for _ in range(3):
                self.assertEqual("ok", tool.call(op="lambda_next")["status"])
                time.sleep(0.4)
            tool.call(op="forget")
            self.assertEqual("ok", tool.call(op="lambda_next")["status"])
