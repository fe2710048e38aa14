"""Running the program, asking it over HTTP, and building the logs that it is given."""

import http.client
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

from support import process, records  # noqa: E402
from support.process import Process, environment, wait_until  # noqa: E402

ALL = ('InferenceProfileType,InferenceProfile,ModelId,SourceRegion,InferenceRegion,'
       'AccountId,Operation,Principal')


class Program:
    """The built binary; every call has a private home, so no file of the user is touched."""

    def __init__(self, scratch):
        self.env = environment(scratch)

    def run(self, *words, status=0):
        done = process.run([process.BINARY, *words], self.env)
        if status is not None:
            assert done.returncode == status, (words, done.returncode, done.stderr.decode())
        return done

    def aggregate(self, folder, *words, status=0):
        return self.run('aggregate', folder, '--quiet', '--output', 'json', *words,
                        status=status).stdout

    def report(self, store, *words):
        return self.run('report', '--store', store, '--quiet', '--output', 'json', *words).stdout

    def start(self, *words):
        return Process([process.BINARY, *words], self.env)


class Server:
    """`serve` on a free port."""

    def __init__(self, program, folder, store, *words):
        self.process = program.start('serve', folder, '--store', store, '--listen', '127.0.0.1:0',
                                     *words)
        page = self.process.wait_for_line(r'page: +http://127\.0\.0\.1:(\d+)/')
        self.port = int(page.group(1))

    @property
    def lines(self):
        return self.process.lines()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self, number=signal.SIGTERM):
        return self.process.stop(number)

    def ask(self, path, method='GET', headers=None, body=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            headers = dict(headers or {})
            headers.setdefault('Host', f'127.0.0.1:{self.port}')
            if body is not None:
                headers['Content-Length'] = str(len(body))
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def get(self, path):
        answer, body = self.ask(path)
        assert answer.status == 200, (path, answer.status, body[:300])
        return body

    def usage(self, query=''):
        return json.loads(self.get('/api/usage?' + query))

    def wait_for(self, condition, what, seconds=15):
        assert wait_until(lambda: condition(self.usage()), seconds), \
            f'{what} did not come: {self.usage()["objects"]}'


def record(n=1, time_text='2026-11-02T10:00:00Z', **members):
    """A log record with n input tokens, as a line of text."""
    members.setdefault('modelId', 'anthropic.claude-sonnet-4-20250514-v1:0')
    return records.lines(records.record(tokens=(n, 0), timestamp=time_text, inferenceRegion=None,
                                        **members)).decode()


def cube_sums(table, metrics):
    """Total of each metric of a page table, after checking that its parts fit together."""
    rows = sum(table['rows'])
    assert len(table['time']) == rows and min(table['rows'], default=1) > 0
    for dimension in table['series']:
        assert len(dimension) == len(table['rows'])
    combinations = list(zip(*table['series']))
    assert len(set(combinations)) == len(combinations), 'a series stands twice'
    at = 0
    for count in table['rows']:
        assert all(step > 0 for step in table['time'][at + 1:at + count]), 'a bucket stands twice'
        at += count
    sums = {}
    for metric in metrics:
        column = table['metrics'].get(metric, [0] * rows)
        assert len(column) == rows
        sums[metric] = sum(int(value) for value in column)
    return sums
