"""Running the program, asking it over HTTP, and counting what passed."""

import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import time
import traceback

ALL = ('InferenceProfileType,InferenceProfile,ModelId,SourceRegion,InferenceRegion,'
       'AccountId,Operation,Principal')


class Program:
    """The built binary; every call has a private home, so no file of the user is touched."""

    def __init__(self, build, scratch):
        self.binary = os.path.join(build, 'bedrock-metrics')
        self.simulator = os.path.join(build, 'bedrock-logs-sim')
        self.env = {'PATH': os.environ.get('PATH', ''), 'HOME': scratch, 'NO_COLOR': '1'}
        for name in ('ASAN_OPTIONS', 'TSAN_OPTIONS', 'LD_LIBRARY_PATH'):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def run(self, *words, status=0):
        done = subprocess.run([self.binary, *words], env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, check=False)
        if status is not None:
            assert done.returncode == status, (words, done.returncode, done.stderr.decode())
        return done

    def aggregate(self, folder, *words, status=0):
        return self.run('aggregate', folder, '--quiet', '--output', 'json', *words,
                        status=status).stdout

    def report(self, store, *words):
        return self.run('report', '--store', store, '--quiet', '--output', 'json', *words).stdout

    def start(self, *words):
        return subprocess.Popen([self.binary, *words], env=self.env, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def simulate(self, folder, *words):
        subprocess.run([self.simulator, '--out', folder, *words], check=True, timeout=120,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Server:
    """`serve` on a free port."""

    def __init__(self, program, folder, store, *words):
        self.process = program.start('serve', folder, '--store', store, '--listen', '127.0.0.1:0',
                                     *words)
        self.lines = []
        self.port = None
        while self.port is None:
            line = self.process.stderr.readline().decode()
            assert line, 'serve ended: ' + ''.join(self.lines)
            self.lines.append(line)
            found = re.match(r'page: +http://127\.0\.0\.1:(\d+)/', line)
            if found:
                self.port = int(found.group(1))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        if not self.process.stderr.closed:
            self.lines += [line.decode() for line in self.process.stderr.readlines()]
            self.process.stderr.close()
        return self.process.wait(timeout=30)

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
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition(self.usage()):
                return
            time.sleep(0.05)
        raise AssertionError(f'{what} did not come: {self.usage()["objects"]}')


class Harness:
    def __init__(self):
        self.passed = self.failed = 0

    def test(self, name, body):
        only = os.environ.get('ONLY')
        if only and only not in name:
            return
        try:
            note = body()
            self.passed += 1
            print(f'ok   {name}' + (f' ({note})' if note else ''), flush=True)
        except Exception:  # pylint: disable=broad-except
            self.failed += 1
            print(f'FAIL {name}', flush=True)
            traceback.print_exc()

    def end(self):
        print(f'{self.passed} passed, {self.failed} failed')
        return 1 if self.failed else 0


def record(time_text='2026-11-02T10:00:00Z', model='anthropic.claude-sonnet-4-20250514-v1:0', n=1,
           region='us-east-1'):
    """A log record with n input tokens."""
    return json.dumps({
        'schemaType': 'ModelInvocationLog', 'schemaVersion': '1.0', 'timestamp': time_text,
        'accountId': '111122223333', 'region': region, 'requestId': 'r', 'operation': 'Converse',
        'modelId': model, 'identity': {'arn': 'arn:aws:iam::111122223333:user/u'},
        'input': {'inputTokenCount': n}, 'output': {'outputTokenCount': 0}}) + '\n'


def write_gzip(path, text):
    with open(path + '.part', 'wb') as file:
        file.write(gzip.compress(text.encode()))
    os.rename(path + '.part', path)


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
