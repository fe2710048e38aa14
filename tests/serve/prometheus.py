"""A real Prometheus scrapes `serve` and `worker`; its answers are compared with the API's.

    tests/serve/prometheus.py BUILD

Needs Debian's package prometheus (the test starts a process of its own on a free port, with a
configuration and data in a temporary folder); without it, says skipped.  PROMETHEUS and PROMTOOL:
other programs.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from decimal import Decimal

os.environ['BUILD'] = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/release')

from harness import Program, Server  # noqa: E402
from support import process  # noqa: E402
from support.cloud import Cloud  # noqa: E402
from support.process import Process, environment, free_port, simulate  # noqa: E402
from support.records import numbered  # noqa: E402
from support.results import Results  # noqa: E402

LABELS = {'InferenceProfileType': 'inference_profile_type', 'ModelId': 'model_id',
          'SourceRegion': 'source_region', 'InferenceRegion': 'inference_region'}
CONFIG = """global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
"""


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.read()


class Prometheus:
    """A process of our own; `targets`: job name to port."""

    def __init__(self, program, folder, targets):
        self.port = free_port()
        config = os.path.join(folder, 'prometheus.yml')
        with open(config, 'w', encoding='utf-8') as file:
            file.write(CONFIG)
            for job, port in targets.items():
                file.write(f"  - job_name: {job}\n    static_configs:\n"
                           f"      - targets: ['127.0.0.1:{port}']\n")
        self.process = Process(
            [program, '--config.file', config, '--storage.tsdb.path', os.path.join(folder, 'data'),
             '--web.listen-address', f'127.0.0.1:{self.port}', '--log.level', 'warn'],
            environment(folder))

    def stop(self):
        self.process.stop()

    def ask(self, query):
        """List of (labels, value), values as decimals."""
        text = get(f'http://127.0.0.1:{self.port}/api/v1/query?' +
                   urllib.parse.urlencode({'query': query}))
        answer = json.loads(text)
        assert answer['status'] == 'success', answer
        return [(one['metric'], Decimal(one['value'][1])) for one in answer['data']['result']]

    def wait(self, query, condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, 'prometheus ended: ' + self.process.err
            try:
                found = self.ask(query)
                if condition(found):
                    return found
            except OSError:
                found = 'no answer'
            time.sleep(0.2)
        raise AssertionError(f'{query}: {found}')


def promtool_accepts(text):
    promtool = os.environ.get('PROMTOOL') or shutil.which('promtool')
    done = process.run([promtool, 'check', 'metrics'], input=text)
    assert done.returncode == 0 and not done.stdout + done.stderr, done


def snake(name):
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).lower()


def serve_test(program, scratch):
    logs = os.path.join(scratch, 'logs')
    simulate(logs, '--profile', 'mixed', '--records', '6000', '--hours', '30')
    with Server(program, logs, os.path.join(scratch, 'store.sqlite')) as server:
        objects = sum(len(files) for _, _, files in os.walk(logs))
        server.wait_for(lambda u: u['objects']['found'] == objects, 'all objects', 60)
        promtool_accepts(server.get('/metrics'))
        folder = os.path.join(scratch, 'prometheus-serve')
        os.mkdir(folder)
        prometheus = Prometheus(PROMETHEUS, folder, {'serve': server.port})
        try:
            prometheus.wait('up{job="serve"}', lambda f: f and f[0][1] == 1)
            usage = json.loads(server.get('/api/usage?by=' + ','.join(LABELS)),
                               parse_float=Decimal)
            names = [name for name in usage['totals'] if name != 'InvocationLatency']
            compared = 0
            for name in names:
                found = {tuple(labels[label] for label in LABELS.values()): value
                         for labels, value in prometheus.ask(f'bedrock_{snake(name)}_total')}
                wanted = {tuple(row[dimension] for dimension in LABELS): row[name]
                          for row in usage['rows']}
                assert set(found) == set(wanted), (name, set(wanted) ^ set(found))
                for key, value in wanted.items():
                    # Prometheus keeps doubles: whole numbers are exact to 2^53, costs to 15 digits
                    exact = Decimal(float(value)) == Decimal(found[key]) or \
                        float(found[key]) == float(value)
                    assert exact, (name, key, found[key], value)
                    compared += 1
            outcomes = {labels['outcome']: value
                        for labels, value in prometheus.ask('bedrock_log_records_total')}
            assert outcomes['counted'] == usage['records']['counted'], outcomes
            assert {k: v for k, v in outcomes.items() if k != 'counted' and v} == \
                {k: v for k, v in usage['records']['skipped'].items() if v}
        finally:
            prometheus.stop()
    return f'{compared} values'


def worker_test(scratch):
    with Cloud() as cloud:
        for i in range(12):
            cloud.send(cloud.put(f'o{i}', [numbered(5 * i + j) for j in range(5)]))
        worker = cloud.start('worker', '--listen', '127.0.0.1:0')
        port = int(worker.wait_for_line(r'listening.*port=(\d+)').group(1))
        folder = os.path.join(scratch, 'prometheus-worker')
        os.mkdir(folder)
        prometheus = Prometheus(PROMETHEUS, folder, {'worker': port})
        try:
            prometheus.wait('up{job="worker"}', lambda f: f and f[0][1] == 1)
            counted = prometheus.wait('bedrock_metrics_messages_deleted_total',
                                      lambda f: f and f[0][1] == 12)
            text = get(f'http://127.0.0.1:{port}/metrics').decode()
            compared = 0
            for line in text.splitlines():
                found = re.fullmatch(r'(\w+_total)(\{[^}]*\})? ([0-9.e+]+)', line)
                if found and 'poll' not in found[1] and 'receive' not in found[1]:
                    got = prometheus.ask(found[1] + (found[2] or ''))
                    assert [value for _, value in got] == [Decimal(found[3])], (line, got)
                    compared += 1
            assert compared >= 5 and counted, text
            # promtool knows the older text form: a counter's name has its _total there.
            family = re.compile(r'^# (HELP|TYPE) (\S+)', re.M)
            counters = set(re.findall(r'^# TYPE (\S+) counter$', text, re.M))
            plain = family.sub(lambda m: f'# {m[1]} {m[2]}' +
                               ('_total' if m[2] in counters else ''), text)
            plain = re.sub(r'^# UNIT .*\n', '', plain.replace('# EOF\n', ''), flags=re.M)
            promtool_accepts(plain.encode())
        finally:
            prometheus.stop()
            worker.stop()
    return f'{compared} values'


PROMETHEUS = os.environ.get('PROMETHEUS') or shutil.which('prometheus')


def main():
    if not PROMETHEUS or not (os.environ.get('PROMTOOL') or shutil.which('promtool')):
        print('skipped: Debian\'s package prometheus is not installed')
        return 0
    results = Results(verbose=True)
    with tempfile.TemporaryDirectory(prefix='bedrock-prometheus-') as scratch:
        program = Program(scratch)
        results.test('Prometheus scrapes serve', lambda: serve_test(program, scratch))
        results.test('Prometheus scrapes worker', lambda: worker_test(scratch))
    return results.end()


if __name__ == '__main__':
    sys.exit(main())
