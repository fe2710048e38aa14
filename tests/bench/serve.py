"""Answers of `serve` over a large store: make bench-serve, or

    tests/bench/serve.py [--build DIR] [--records N] [--hours N] [--accounts N] [--rounds N]
                         [--before BINARY] [--scratch DIR]

Simulates the logs, counts them into a store (against an earlier binary too, with --before: the
time it takes as a ratio), starts the server and asks every question --rounds times, the questions
in turn.  Prints the median of the wall time, and of the processor time the server took, which does
not depend on what else the machine does.
"""

import argparse
import glob
import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

from support.process import Process  # noqa: E402

DIMENSIONS = ('InferenceProfileType,InferenceProfile,ModelId,SourceRegion,InferenceRegion,'
              'AccountId,Operation')
TICK = os.sysconf('SC_CLK_TCK')


def cpu_of_children(words, **more):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (time.monotonic() - begin,
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


class Server:
    def __init__(self, binary, folder, store):
        self.begin = time.monotonic()
        self.process = Process([binary, 'serve', folder, '--store', store, '--listen',
                                '127.0.0.1:0'], cwd='.')
        page = self.process.wait_for_line(r'page: +http://127\.0\.0\.1:(\d+)/', seconds=600)
        self.port = int(page.group(1))

    def cpu(self):
        total = 0
        for path in glob.glob(f'/proc/{self.process.pid}/task/*/schedstat'):
            try:
                with open(path, encoding='ascii') as file:
                    total += int(file.read().split()[0])
            except OSError:
                pass
        return total / 1e6

    def get(self, path):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=600)
        connection.request('GET', path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status == 200, (path, answer.status, body[:200])
        return body

    def stop(self):
        self.process.stop()


def ask_all(server, rounds, start, hours):
    day = time.strftime('%Y-%m-%d', time.gmtime(start + hours // 2 * 3600))
    next_day = time.strftime('%Y-%m-%d', time.gmtime(start + hours // 2 * 3600 + 86400))
    odd = time.strftime('%Y-%m-%dT%H:17:00Z', time.gmtime(start + 7 * 3600))
    odd_end = time.strftime('%Y-%m-%dT%H:43:00Z', time.gmtime(start + (hours - 9) * 3600))
    usage = '/api/usage?'
    questions = [
        ('the page', '/api/page'),
        ('/metrics', '/metrics'),
        ('default: type and model, all time', usage),
        ('all time by principal', usage + 'by=Principal'),
        ('all by hour: type', usage + 'by=InferenceProfileType&interval=1h'),
        ('all by hour: type and model', usage + 'by=InferenceProfileType,ModelId&interval=1h'),
        ('all by hour: source and inference Region',
         usage + 'by=SourceRegion,InferenceRegion&interval=1h'),
        ('all by hour: account, top 20', usage + 'by=AccountId,ModelId&interval=1h&top=20'),
        ('all by day: type and model', usage + 'by=InferenceProfileType,ModelId&interval=1d'),
        ('all by day: principal', usage + 'by=Principal&interval=1d'),
        ('odd minutes, by day: model', usage + f'by=ModelId&interval=1d&since={odd}&until={odd_end}'),
        ('odd minutes, all: Regions',
         usage + f'by=SourceRegion,InferenceRegion&since={odd}&until={odd_end}'),
        ('one day by hour: principal',
         usage + f'by=Principal&interval=1h&since={day}&until={next_day}'),
        ('one day by minute: type', usage +
         f'by=InferenceProfileType&interval=1m&since={day}&until={next_day}'),
    ]
    wall, cpu, size = {}, {}, {}
    for _ in range(rounds):
        for name, path in questions:
            before, begin = server.cpu(), time.monotonic()
            size[name] = len(server.get(path))
            wall.setdefault(name, []).append((time.monotonic() - begin) * 1000)
            cpu.setdefault(name, []).append(server.cpu() - before)
    print(f'\n| question | median ms | processor ms | bytes |\n|---|---|---|---|')
    for name, _ in questions:
        print(f'| {name} | {statistics.median(wall[name]):.0f} | '
              f'{statistics.median(cpu[name]):.0f} | {size[name]} |')


def first_page(binary, folder, store, rounds):
    took, cpu = [], []
    for _ in range(rounds):
        server = Server(binary, folder, store)
        server.get('/')
        json.loads(server.get('/api/page'))
        took.append((time.monotonic() - server.begin) * 1000)
        cpu.append(server.cpu())
        server.stop()
    print(f'from the start of the program to the page and its data: median '
          f'{statistics.median(took):.0f} ms (processor {statistics.median(cpu):.0f} ms)')


def count(binary, folder, store, rounds):
    took = []
    for _ in range(rounds):
        for path in glob.glob(store + '*'):
            os.unlink(path)
        took.append(cpu_of_children([binary, 'serve', folder, '--once', '--quiet', '--store',
                                     store]))
    return statistics.median(t[0] for t in took), statistics.median(t[1] for t in took)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', default='build/release')
    parser.add_argument('--records', type=int, default=10000000)
    parser.add_argument('--hours', type=int, default=720)
    parser.add_argument('--accounts', type=int, default=10)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--count-rounds', type=int, default=1)
    parser.add_argument('--before')
    parser.add_argument('--scratch')
    given = parser.parse_args()
    binary = os.path.join(given.build, 'bedrock-metrics')
    scratch = given.scratch or tempfile.mkdtemp(prefix='bedrock-bench-serve-')
    folder, store = os.path.join(scratch, 'logs'), os.path.join(scratch, 'store.sqlite')
    os.makedirs(scratch, exist_ok=True)
    if not os.path.isdir(folder):
        subprocess.run([os.path.join(given.build, 'bedrock-logs-sim'), '--out', folder, '--profile',
                        'none', '--records', str(given.records), '--hours', str(given.hours),
                        '--accounts', str(given.accounts)], check=True, stderr=subprocess.DEVNULL)
    if given.before:
        old = count(given.before, folder, os.path.join(scratch, 'before.sqlite'),
                    given.count_rounds)
    if given.before or not os.path.exists(store):
        new = count(binary, folder, store, given.count_rounds)
        print(f'counted in {new[0]:.1f} s, processor {new[1]:.1f} s; '
              f'store of {os.path.getsize(store) / 1e6:.0f} MB')
    if given.before:
        print(f'before: {old[0]:.1f} s, processor {old[1]:.1f} s: '
              f'ratio {new[0] / old[0]:.2f}, processor {new[1] / old[1]:.2f}')
    first_page(binary, folder, store, given.rounds)
    server = Server(binary, folder, store)
    server.get('/api/page')
    ask_all(server, given.rounds, 1793577600, given.hours)
    server.stop()
    if not given.scratch:
        subprocess.run(['rm', '-rf', scratch], check=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
