"""Tests of `serve` and `report`; run.sh says how to run them."""

import base64
import gzip
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from decimal import Decimal

import bit_flips
import rollups
from harness import ALL, Program, Server, cube_sums, record
from support import process, slow_clients
from support.process import simulate, wait_until
from support.records import gz, write_whole
from support.results import Results, Skip

TOKENS = ['InputTokenCount', 'OutputTokenCount', 'CacheReadInputTokenCount',
          'CacheWriteInputTokenCount']
ERRORS = ['InvocationClientErrors', 'InvocationServerErrors', 'InvocationThrottles']
COUNTS = ['Invocations', *TOKENS, *ERRORS, 'UnpricedTokens']


def is_made(store):
    """Whether a killed process came as far as to make its tables."""
    base = sqlite3.connect(store)
    tables = base.execute("SELECT count(*) FROM sqlite_schema WHERE name='rollup'").fetchone()[0]
    base.close()
    return tables == 1


class Tests:
    def __init__(self, scratch):
        self.program = Program(scratch)
        self.scratch = scratch
        self.logs = os.path.join(scratch, 'logs')
        self.expected = os.path.join(scratch, 'expected.json')
        self.store = os.path.join(scratch, 'store.sqlite')
        simulate(self.logs, '--expected', self.expected, '--profile', 'mixed',
                 '--records', '9000', '--hours', '50')

    def path(self, name):
        return os.path.join(self.scratch, name)

    def folder(self, name):
        path = self.path(name)
        os.mkdir(path)
        return path

    # ---- the same numbers as aggregate ----

    def once(self):
        done = self.program.run('serve', self.logs, '--once', '--store', self.store)
        mode = os.stat(self.store).st_mode & 0o777
        assert mode == 0o600, oct(mode)
        assert self.program.report(self.store) == self.program.aggregate(self.logs)
        assert b'objects:' in done.stderr
        counted, behind = rollups.check(self.store)
        assert counted > 0 and behind == 0

    def expected_sums(self):
        """Against the simulator's own answer, which no code of the program made."""
        self.same_as_expected(self.store)

    def same_as_expected(self, store):
        with open(self.expected, encoding='utf-8') as file:
            expected = json.load(file)
        found = json.loads(self.program.report(store, '--by', ','.join(expected['by']),
                                               '--interval', expected['interval']))
        assert len(found['rows']) == len(expected['rows'])
        for ours, theirs in zip(found['rows'], expected['rows']):
            for name, value in theirs.items():
                assert ours[name] == value, (name, ours, theirs)
        for name in ('objects', 'records'):
            assert found[name] == expected[name], (found[name], expected[name])

    def api_equals_aggregate(self):
        queries = [
            [], ['by', ALL, 'interval', '1m'], ['by', ALL, 'interval', '1h'],
            ['by', 'Principal', 'interval', '1d'], ['by', 'ModelId', 'interval', '5m'],
            ['by', 'Operation,AccountId', 'interval', 'all', 'top', '3'],
            ['by', 'ModelId', 'interval', '1h', 'top', '4'],
        ]
        with Server(self.program, self.logs, self.store) as server:
            for query in queries:
                pairs = list(zip(query[::2], query[1::2]))
                words = [w for name, value in pairs for w in ('--' + name, value)]
                asked = '&'.join(f'{name}={value}' for name, value in pairs)
                assert server.get('/api/usage?' + asked) == \
                    self.program.aggregate(self.logs, *words), asked

    def ranges(self):
        """Minutes before and behind whole hours and days come from the file, the rest from memory."""
        rng = random.Random(7)
        edges = ['2026-11-02T00:00:00Z', '2026-11-02T05:00:00Z', '2026-11-03', '2026-11-04']
        with Server(self.program, self.logs, self.store) as server:
            for turn in range(40):
                times = sorted(rng.sample(range(0, 51 * 60), 2))
                texts = [time.strftime('%Y-%m-%dT%H:%M:00Z', time.gmtime(1793577600 + 60 * t))
                         for t in times]
                if turn % 4 == 1:
                    texts[0] = edges[turn % len(edges)]
                if turn % 4 == 2:
                    texts[1] = '2026-11-03T23:00:00Z'
                if texts[0] >= texts[1]:
                    continue
                given = {'since': texts[0], 'until': texts[1]}
                if turn % 5 == 3:
                    del given[rng.choice(['since', 'until'])]
                given['interval'] = rng.choice(['1m', '5m', '1h', '1d', 'all'])
                given['by'] = rng.choice(['ModelId', 'SourceRegion,InferenceRegion', 'Principal'])
                words = [w for name, value in given.items() for w in ('--' + name, value)]
                ours = server.usage('&'.join(f'{n}={v}' for n, v in given.items()))
                theirs = json.loads(self.program.aggregate(self.logs, *words))
                for part in ('by', 'interval', 'rows', 'totals'):
                    assert ours[part] == theirs[part], (given, part)
                report = json.loads(self.program.report(self.store, *words))
                assert report['rows'] == theirs['rows'], given

    def other_outputs(self):
        for output in ('csv', 'table'):
            ours = self.program.run('report', '--store', self.store, '--quiet', '--output', output,
                                    '--by', 'ModelId', '--interval', '1h').stdout
            theirs = self.program.run('aggregate', self.logs, '--quiet', '--output', output, '--by',
                                      'ModelId', '--interval', '1h').stdout
            assert ours == theirs, output

    # ---- the page ----

    def check_dataset(self, data, logs):
        totals = json.loads(self.program.aggregate(logs), parse_float=Decimal)['totals']
        assert data['schema'] == 'bedrock-metrics/page/1'
        for name in ('cube', 'principals'):
            table = data[name]
            for dimension, series in zip(table['dimensions'], table['series']):
                values = data['dictionary'][dimension]
                assert len(set(values)) == len(values)
                assert all(0 <= s < len(values) for s in series)
            sums = cube_sums(table, [*COUNTS, 'EstimatedCost'])
            for metric in COUNTS:
                assert sums[metric] == totals[metric], (name, metric)
            cost = Decimal(sums['EstimatedCost']).scaleb(data['costExponent'])
            assert cost == totals['EstimatedCost'], (cost, totals['EstimatedCost'])

    def page(self):
        with Server(self.program, self.logs, self.store) as server:
            answer, html = server.ask('/')
            assert answer.getheader('Content-Type') == 'text/html; charset=utf-8'
            assert b'<!--BEDROCK-METRICS-DATA-->' in html
            data = json.loads(server.get('/api/page'))
            self.check_dataset(data, self.logs)
            answer, body = server.ask('/api/page?after=' + data['version'])
            assert answer.status == 204 and body == b''
            assert json.loads(server.get('/api/page?after=other')) == data

    @staticmethod
    def embedded(html):
        match = re.search(rb'<script type="application/json" id="bedrock-metrics-data" '
                          rb'data-encoding="gzip\+base64">([A-Za-z0-9+/=]+)</script>', html)
        assert match, 'no data in the report'
        return json.loads(gzip.decompress(base64.b64decode(match.group(1), validate=True)))

    def report_file(self):
        out = self.path('report.html')
        for source in (['--store', self.store], [self.logs]):
            self.program.run('report', *source, '--quiet', '--out', out)
            with open(out, 'rb') as file:
                html = file.read()
            assert len(html) <= 2 << 20
            self.check_dataset(self.embedded(html), self.logs)
            assert b'<!--BEDROCK-METRICS-DATA-->' not in html

    def large_report(self):
        """A month by the hour of thirty accounts: folded so far that it stays below 2 MB."""
        logs, out = self.path('month'), self.path('month.html')
        simulate(logs, '--profile', 'none', '--records', '150000', '--hours', '720',
                 '--accounts', '30')
        self.program.run('report', logs, '--quiet', '--out', out)
        with open(out, 'rb') as file:
            html = file.read()
        data = self.embedded(html)
        shutil.rmtree(logs + '-unused', ignore_errors=True)
        assert len(html) <= 2 << 20, len(html)
        self.check_dataset(data, logs)
        shutil.rmtree(logs)
        return f'{len(html)} bytes, {sum(data["cube"]["rows"])} rows, folded {data["folded"]}'

    def hostile_names(self):
        """Names that would end the script element, were they written as they are."""
        logs = self.folder('hostile')
        text = record(modelId='</script><img src=x onerror=alert(1)>', n=7) + \
            record(modelId='<!--', region='"\\\n\u2028', n=1 << 53)
        write_whole(os.path.join(logs, 'a.json.gz'), gz(text))
        store = self.path('hostile.sqlite')
        self.program.run('serve', logs, '--once', '--quiet', '--store', store)
        out = self.path('hostile.html')
        self.program.run('report', '--store', store, '--quiet', '--out', out)
        with open(out, 'rb') as file:
            html = file.read()
        assert b'<img src=x' not in html
        data = self.embedded(html)
        assert '</script><img src=x onerror=alert(1)>' in data['dictionary']['ModelId']
        assert str(1 << 53) in [str(v) for v in data['cube']['metrics']['InputTokenCount']]
        with Server(self.program, logs, store) as server:
            assert b'<img' not in server.get('/api/page')
            text = server.get('/metrics').decode()
            assert 'source_region="\\"\\\\\\n\u2028"' in text, text

    def large_sums(self):
        """Costs and tokens beyond 64 bits."""
        logs = self.folder('large')
        line = record(n=1 << 53, modelId='anthropic.claude-opus-4-6-v1')
        write_whole(os.path.join(logs, 'a.json.gz'), gz(line * 3000))
        store = self.path('large.sqlite')
        self.program.run('serve', logs, '--once', '--quiet', '--store', store)
        write_whole(os.path.join(logs, 'b.json.gz'), gz(line * 2000))
        self.program.run('serve', logs, '--once', '--quiet', '--store', store)
        ours = self.program.report(store)
        assert json.loads(ours)['totals']['InputTokenCount'] == 5000 << 53
        assert ours == self.program.aggregate(logs)
        with Server(self.program, logs, store) as server:
            assert server.get('/api/usage') == ours
            self.check_dataset(json.loads(server.get('/api/page')), logs)

    # ---- files that come ----

    def live(self):
        logs = self.folder('live')
        with Server(self.program, logs, self.path('live.sqlite')) as server:
            write_whole(os.path.join(logs, 'renamed.json.gz'), gz(record(n=1)))
            server.wait_for(lambda u: u['totals']['InputTokenCount'] == 1, 'a file moved in')
            with open(os.path.join(logs, 'slow.json'), 'w', encoding='utf-8') as file:
                file.write(record(n=10))
                file.flush()
                time.sleep(2.5)
                assert server.usage()['totals']['InputTokenCount'] == 1, 'counted while written'
                file.write(record(n=10))
            server.wait_for(lambda u: u['totals']['InputTokenCount'] == 21, 'a file written here')
            deep = os.path.join(logs, 'AWSLogs/1/BedrockModelInvocationLogs/us-east-1/2026')
            os.makedirs(deep)
            write_whole(os.path.join(deep, 'x.json.gz'), gz(record(n=100)))
            server.wait_for(lambda u: u['totals']['InputTokenCount'] == 121, 'a new folder')
            outside = self.folder('moved')
            os.makedirs(os.path.join(outside, 'in/here'))
            write_whole(os.path.join(outside, 'in/here/y.json.gz'), gz(record(n=1000)))
            os.rename(outside, os.path.join(logs, 'moved'))
            server.wait_for(lambda u: u['totals']['InputTokenCount'] == 1121, 'a folder moved in')
            write_whole(os.path.join(logs, 'moved/in/z.json.gz'), gz(record(n=10000)))
            server.wait_for(lambda u: u['totals']['InputTokenCount'] == 11121, 'a file in it')
            outside = self.path('outside.json')
            with open(outside, 'w', encoding='utf-8') as file:
                file.write(record(n=100000))
            os.symlink(outside, os.path.join(logs, 'link.json'))
            os.link(outside, os.path.join(logs, 'hard.json'))
            server.wait_for(lambda u: u['totals']['InputTokenCount'] == 111121, 'a hard link')
            time.sleep(0.5)
            assert server.usage()['totals']['InputTokenCount'] == 111121, 'a link was followed'

    def renamed(self):
        """The same file under another name is the same object, whichever name was seen first."""
        logs, store = self.folder('renamed'), self.path('renamed.sqlite')
        with Server(self.program, logs, store) as server:
            for i in range(300):
                name = os.path.join(logs, f'{i}.gz')
                with open(name + '.temporary', 'wb') as file:
                    file.write(gzip.compress(record(n=1 + i).encode()))
                os.utime(name + '.temporary', (1760000000, 1760000000))
                if i % 3 == 0:
                    time.sleep(0.01)
                os.rename(name + '.temporary', name)
            server.wait_for(lambda u: u['objects']['counted'] == 300, 'all renamed files')
            os.makedirs(os.path.join(logs, 'archive'))
            for i in range(0, 300, 2):
                os.rename(os.path.join(logs, f'{i}.gz'), os.path.join(logs, 'archive', f'{i}.gz'))
            os.rename(os.path.join(logs, 'archive'), os.path.join(logs, 'old'))
            write_whole(os.path.join(logs, 'old', 'new.gz'), gz(record(n=100000)))
            server.wait_for(lambda u: u['totals']['InputTokenCount'] == 145150, 'the last file')
            time.sleep(1)
            assert server.usage()['totals']['InputTokenCount'] == 145150
        self.program.run('serve', logs, '--once', '--quiet', '--store', store)
        assert self.program.report(store) == self.program.aggregate(logs)

    def many_at_once(self):
        logs = self.folder('burst')
        with Server(self.program, logs, self.path('burst.sqlite')) as server:
            for i in range(1500):
                with open(os.path.join(logs, f'{i}.json'), 'w', encoding='utf-8') as file:
                    file.write(record(n=i))
            server.wait_for(lambda u: u['objects']['counted'] == 1500, 'all of a burst')
            assert server.usage()['totals']['InputTokenCount'] == sum(range(1500))

    def failed_and_changed(self):
        logs, store = self.folder('faults'), self.path('faults.sqlite')
        bad, good = os.path.join(logs, 'bad.json.gz'), os.path.join(logs, 'good.json')
        whole = gzip.compress(record(n=5).encode())
        with open(bad, 'wb') as file:
            file.write(whole[:-4])
        with open(good, 'w', encoding='utf-8') as file:
            file.write(record(n=1))
        self.program.run('serve', logs, '--once', '--store', store, status=1)
        ours = self.program.report(store)
        assert ours == self.program.aggregate(logs, status=1)
        with Server(self.program, logs, store) as server:
            time.sleep(0.3)
            assert server.usage()['objects']['failed'] == 1
            with open(bad, 'wb') as file:
                file.write(whole)
            server.wait_for(lambda u: u['objects']['counted'] == 2, 'the fixed file')
            assert server.usage()['objects']['failed'] == 0
            with open(good, 'a', encoding='utf-8') as file:
                file.write(record(n=1))
            time.sleep(1)
            assert server.usage()['totals']['InputTokenCount'] == 6, 'a changed file was recounted'
            server.stop()
            changed = [line for line in server.lines if 'changed after it was counted' in line]
            assert len(changed) == 1, server.lines
        with Server(self.program, logs, store) as server:
            time.sleep(0.3)
            server.stop()
            assert not any('changed after' in line for line in server.lines), 'reported twice'

    def touched(self):
        """`aws s3 sync` sets a file's time after its name: no change, but other bytes are one."""
        logs, store = self.folder('touched'), self.path('touched.sqlite')
        lines = []
        with Server(self.program, logs, store) as server:
            for i in range(100):
                name = os.path.join(logs, f'{i}.json')
                with open(name + '.6eF3a1Bc', 'w', encoding='utf-8') as file:
                    file.write(record(n=1 + i % 9))
                os.rename(name + '.6eF3a1Bc', name)
                os.utime(name, (1760000000 + i, 1760000000 + i))
            server.wait_for(lambda u: u['objects']['counted'] == 100, 'all')
            server.stop()
            lines += server.lines
        done = self.program.run('serve', logs, '--once', '--store', store)
        lines += done.stderr.decode().splitlines()
        assert not any('changed after' in line for line in lines), lines
        with open(os.path.join(logs, '7.json'), 'w', encoding='utf-8') as file:
            file.write(record(n=9))
        done = self.program.run('serve', logs, '--once', '--store', store)
        assert done.stderr.count(b'changed after it was counted') == 1, done.stderr
        done = self.program.run('serve', logs, '--once', '--store', store)
        assert b'changed after' not in done.stderr, done.stderr

    # ---- who may ask what ----

    def strangers(self):
        with Server(self.program, self.logs, self.store) as server:
            own = f'127.0.0.1:{server.port}'
            good = [{}, {'Host': 'localhost'}, {'Host': f'LOCALHOST:{server.port}'},
                    {'Host': '[::1]:80'}, {'Host': '127.0.0.1'}, {'Origin': 'http://' + own},
                    {'Sec-Fetch-Site': 'same-origin'}, {'Sec-Fetch-Site': 'none'}]
            bad = [{'Host': 'evil.example'}, {'Host': f'evil.example:{server.port}'}, {'Host': ''},
                   {'Host': '127.0.0.1.evil.example'}, {'Host': 'localhost.evil.example'},
                   {'Host': '127.0.0.1:x'}, {'Host': '[::1'}, {'Host': '[evil]'},
                   {'Host': '127.0.0.1@evil.example'}, {'Host': own + ',evil.example'},
                   {'Origin': 'http://evil.example'}, {'Origin': 'null'}, {'Origin': ''},
                   {'Origin': 'http://localhost'}, {'Origin': f'http://{own}.evil.example'},
                   {'Host': 'evil.example', 'Origin': 'http://evil.example'},
                   {'Sec-Fetch-Site': 'cross-site'}, {'Sec-Fetch-Site': 'same-site'}]
            for path in ('/api/usage', '/api/page', '/metrics'):
                for headers in good:
                    assert server.ask(path, headers=headers)[0].status == 200, headers
                for headers in bad:
                    status = server.ask(path, headers=headers)[0].status
                    assert status in (400, 403), (path, headers, status)
            assert server.ask('/', headers={'Sec-Fetch-Site': 'cross-site'})[0].status == 200
            assert server.ask('/', headers={'Host': None})[0].status in (400, 403)

    def methods_and_paths(self):
        with Server(self.program, self.logs, self.store) as server:
            for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'):
                answer, _ = server.ask('/api/usage', method, body=b'x=1')
                assert answer.status == 405 and answer.getheader('Allow') == 'GET, HEAD', method
            answer, body = server.ask('/api/usage', 'HEAD')
            assert answer.status == 200 and body == b''
            for path in ('/x', '/api', '/api/usage/', '//', '/../etc/passwd', '/%2e%2e/', '/index.html'):
                assert server.ask(path)[0].status == 404, path
            for query in ('by=Foo', 'by=', 'interval=2m', 'x=1', 'by=ModelId&by=ModelId', 'top=0',
                          'since=2026-11-02T00:00:30Z', 'since=x', 'by=Metadata:team',
                          'since=2027-01-01&until=2026-01-01', 'by=ModelId%00x', 'top=1e3'):
                answer, body = server.ask('/api/usage?' + query)
                assert answer.status == 400, query
                assert list(json.loads(body)) == ['error']
            answer, body = server.ask('/healthz')
            assert answer.status == 200 and body == b'ok\n'

    def slow_clients(self):
        with Server(self.program, self.logs, self.store) as server:
            slow_clients.check_too_much(server.port)
            slow_clients.check_slow(server.port, b'/')
            server.usage()

    def headers(self):
        with Server(self.program, self.logs, self.store) as server:
            for path in ('/', '/api/page', '/api/usage', '/metrics', '/healthz', '/nothing'):
                answer, _ = server.ask(path)
                assert answer.getheader('Content-Security-Policy') == "frame-ancestors 'none'"
                assert answer.getheader('X-Content-Type-Options') == 'nosniff'
                assert answer.getheader('Referrer-Policy') == 'no-referrer'
                assert answer.getheader('Cross-Origin-Resource-Policy') == 'same-origin'
                assert answer.getheader('Access-Control-Allow-Origin') is None

    def metrics(self):
        sample = re.compile(r'bedrock_[a-z_]+_total\{([a-z_]+="([^"\\\n]|\\.)*",?)+\} [0-9.]+')
        with Server(self.program, self.logs, self.store) as server:
            answer, body = server.ask('/metrics')
            assert answer.getheader('Content-Type').startswith('text/plain; version=0.0.4')
            text = body.decode()
            lines = text.splitlines()
            for line in lines:
                assert line.startswith(('# HELP ', '# TYPE ')) or sample.fullmatch(line), line
            by_model = {}
            for line in lines:
                found = re.match(r'bedrock_input_token_count_total\{.*?model_id="(.*?)".*\} (\d+)',
                                 line)
                if found:
                    by_model[found[1]] = by_model.get(found[1], 0) + int(found[2])
            theirs = server.usage('by=ModelId')['rows']
            assert by_model == {row['ModelId']: row['InputTokenCount'] for row in theirs}
            answer, body = server.ask('/metrics', headers={
                'Accept': 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5'})
            assert answer.getheader('Content-Type').startswith('application/openmetrics-text')
            assert body.endswith(b'\n# EOF\n')
            assert b'# TYPE bedrock_invocations counter\n' in body
        promtool = os.environ.get('PROMTOOL') or shutil.which('promtool')
        if not promtool:
            return 'promtool is not installed: syntax checked here only'
        done = process.run([promtool, 'check', 'metrics'], input=text.encode())
        assert done.returncode == 0 and not done.stdout + done.stderr, done
        return 'promtool agrees'

    # ---- life ----

    def signals(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            server = Server(self.program, self.logs, self.store)
            assert server.stop(number) == status

    def one_store_one_server(self):
        with Server(self.program, self.logs, self.store):
            done = self.program.run('serve', self.logs, '--once', '--store', self.store, status=2)
            assert b'in use' in done.stderr
        other = self.folder('other')
        done = self.program.run('serve', other, '--once', '--store', self.store, status=2)
        assert b'another folder' in done.stderr

    def default_store(self):
        logs = self.folder('plain logs')
        with open(os.path.join(logs, 'a.json'), 'w', encoding='utf-8') as file:
            file.write(record(n=3))
        done = self.program.run('serve', logs, '--once')
        store = re.search(rb'store: +(.*)', done.stderr).group(1).decode()
        assert store.startswith(self.path('.local/state/bedrock-metrics/plain_logs-')), store
        assert json.loads(self.program.report(store))['totals']['InputTokenCount'] == 3

    def damaged_store(self):
        broken = self.path('broken.sqlite')
        with open(broken, 'wb') as file:
            file.write(b'no database at all' * 100)
        done = self.program.run('report', '--store', broken, '--output', 'json', status=1)
        assert b'store' in done.stderr
        foreign = self.path('foreign.sqlite')
        base = sqlite3.connect(foreign)
        base.execute('CREATE TABLE t(x)')
        base.commit()
        base.close()
        self.program.run('report', '--store', foreign, '--output', 'json', status=1)
        self.program.run('serve', self.folder('empty'), '--once', '--store', foreign, status=1)
        copy = self.path('copy.sqlite')
        shutil.copy(self.store, copy)
        base = sqlite3.connect(copy)
        rng = random.Random(3)
        tables = [('chunk', 'cells'), ('rollup', 'cells'), ('series', 'texts')]
        for turn in range(90):
            table, column = tables[turn % 2 if turn < 70 else 2]
            ids = [row[0] for row in base.execute(f'SELECT rowid FROM {table}')]
            chosen = rng.choice(ids)
            cells = bytearray(base.execute(f'SELECT {column} FROM {table} WHERE rowid=?', (chosen,))
                              .fetchone()[0])
            cells[rng.randrange(len(cells))] = rng.randrange(256)
            base.execute(f'UPDATE {table} SET {column}=? WHERE rowid=?',
                         (bytes(cells[:rng.randrange(1, len(cells) + 1)]), chosen))
            base.commit()
            interval = rng.choice(['1m', '1h', '1d', 'all'])
            done = self.program.run('report', '--store', copy, '--output', 'json', '--interval',
                                    interval, status=None)
            assert done.returncode in (0, 1), done
        base.close()
        self.program.run('report', '--store', self.path('nothing.sqlite'), status=1)

    def strange_stores(self):
        """Files of others are left without a trace; code in a store is not obeyed."""
        def refused(path, why, traces=frozenset()):
            before = open(path, 'rb').read()
            for words in (('report', '--output', 'json'),
                          ('serve', self.folder('for-' + os.path.basename(path)), '--once')):
                done = self.program.run(*words, '--store', path, status=None)
                assert done.returncode == 1 and why in done.stderr, (path, words, done)
                assert open(path, 'rb').read() == before, f'{path} was written to'
                found = {p for p in os.listdir(self.scratch) if p.startswith(os.path.basename(path))}
                assert found - {os.path.basename(path)} <= traces, found

        def make(name, *statements):
            path = self.path(name)
            base = sqlite3.connect(path)
            for statement in statements:
                base.executescript(statement)
            base.close()
            return path

        own = self.path('own.sqlite')
        self.program.run('serve', self.logs, '--once', '--quiet', '--store', own)
        tables = '\n'.join(sqlite3.connect(own).iterdump())
        ours = f'PRAGMA application_id={0x42645573}; PRAGMA user_version=3;'
        refused(make('other.db', 'CREATE TABLE t(x)', 'PRAGMA user_version=3'), b'something else')
        with open(self.path('text.db'), 'w', encoding='utf-8') as file:
            file.write('no SQLite file\n' * 100)
        refused(self.path('text.db'), b'is not a SQLite file')
        refused(make('unsealed.db', tables, ours), b'no checksums', {'unsealed.db-lock'})
        for name, code in (
                ('trigger', 'CREATE TRIGGER t AFTER INSERT ON chunk BEGIN DELETE FROM chunk; END'),
                ('view', 'DROP TABLE tally; CREATE VIEW tally AS WITH RECURSIVE r(n) AS (SELECT 1 '
                         'UNION ALL SELECT n+1 FROM r) SELECT n FROM r'),
                ('virtual', 'CREATE VIRTUAL TABLE v USING fts5(x)'),
                ('computed', 'ALTER TABLE chunk ADD COLUMN more INTEGER AS (hour + 1)')):
            refused(make(name + '.db', tables, code, ours), b'not obeyed', {name + '.db-lock'})
        refused(make('index.db', tables, 'CREATE INDEX more ON chunk(object)', ours),
                b'expected tables', {'index.db-lock'})

    def read_only(self):
        """A store where nothing can be written is read, unless it has a log there."""
        folder = self.folder('read only? 100%#')
        store = os.path.join(folder, 'store.sqlite')
        self.program.run('serve', self.logs, '--once', '--quiet', '--store', store)
        wanted = self.program.report(store)
        os.chmod(store, 0o444)
        os.chmod(self.scratch, 0o711)
        os.chmod(folder, 0o555)
        # Who may write everywhere has to become somebody else to see it.
        user = {'user': 65534} if os.getuid() == 0 else {}
        words = [process.BINARY, 'report', '--store', store, '--quiet', '--output', 'json']
        done = process.run(words, self.program.env, **user)
        assert done.returncode == 0 and done.stdout == wanted, done
        os.chmod(folder, 0o755)
        with open(store + '-wal', 'wb') as file:
            file.write(bytes(100))
        os.chmod(store + '-wal', 0o444)
        os.chmod(folder, 0o555)
        done = process.run(words, self.program.env, **user)
        assert done.returncode == 1 and b'write-ahead log' in done.stderr, done
        os.chmod(folder, 0o755)

    def small_disk(self):
        """A disk with little more room than the store itself needs is no reason to fail."""
        logs, free = self.path('many'), self.path('free.sqlite')
        simulate(logs, '--profile', 'none', '--records', '60000', '--hours', '48')
        self.program.run('serve', logs, '--once', '--quiet', '--store', free)
        small = self.folder('small')
        size = os.stat(free).st_size * 5 // 4
        if process.run(['mount', '-t', 'tmpfs', '-o', 'mode=700,size=%d' % size, 'none', small],
                       self.program.env).returncode != 0:
            raise Skip('no disk can be mounted')
        try:
            store = os.path.join(small, 'store.sqlite')
            for _ in range(2):
                done = self.program.run('serve', logs, '--once', '--store', store)
                assert b'BM-S1' not in done.stderr, done.stderr
            assert self.program.report(store) == self.program.report(free)
        finally:
            process.run(['umount', small], self.program.env)

    def wrong_bits(self):
        return bit_flips.check(self.program, self.folder('bits'),
                               int(os.environ.get('FLIPS', '1000')))

    def rollups_while_files_come(self):
        """Rollups, tally and answers at many moments of a store that is being filled."""
        logs, store = self.folder('rolling'), self.path('rolling.sqlite')
        seen, total, checks = set(), 0, 0
        with Server(self.program, logs, store) as server:
            for turn in range(12):
                for i in range(150):
                    total += 1
                    hour = (turn * 7 + i) % 60
                    at = f'2026-11-{2 + hour // 24:02}T{hour % 24:02}:{i % 60:02}:00Z'
                    text = record(n=1, time_text=at, modelId=f'anthropic.claude-{i % 9}')
                    write_whole(os.path.join(logs, f'{turn}-{i}.gz'), gz(text))
                done = rollups.check_while(store, 0.15)
                checks += done[0]
                seen |= done[1]
                part = server.usage('by=ModelId&interval=1d')
                whole = server.usage('by=Principal')
                assert sum(row['InputTokenCount'] for row in part['rows']) <= \
                    whole['totals']['InputTokenCount']
            server.wait_for(lambda u: u['totals']['InputTokenCount'] == total, 'all')
            for query in ('by=ModelId&interval=1h', 'by=Principal&interval=1d', 'by=ModelId'):
                words = [w for q in query.split('&') for w in ('--' + q.split('=')[0],
                                                               q.split('=')[1])]
                ours, theirs = server.get('/api/usage?' + query), self.program.aggregate(logs, *words)
                assert ours == theirs, query
        assert any(counted > 0 for counted, _ in seen), seen
        return f'{checks} checks, {len(seen)} states'

    def other_version(self):
        """A store of another version is refused, named, with the way to count again; nothing is changed."""
        old = self.path('other-version.sqlite')
        self.program.run('serve', self.logs, '--once', '--quiet', '--store', old)
        for version in 1, 2, 4, 3:
            with open(old, 'r+b') as file:  # where SQLite has it: its own writing has no checksums
                file.seek(60)
                file.write(version.to_bytes(4, 'big'))
            for words in (('report', '--output', 'json'), ('serve', self.logs, '--once')):
                done = self.program.run(*words, '--store', old, status=int(version != 3))
                if version != 3:
                    assert b'version %d' % version in done.stderr, done.stderr
                    assert b'serve FOLDER --store NEW' in done.stderr, done.stderr
        self.same_as_expected(old)

    def keys(self):
        """Metadata as dimensions of a store, chosen when it is made."""
        logs, store = self.folder('keys'), self.path('keys.sqlite')
        lines = ''
        for i in range(400):
            line = json.loads(record(n=i, time_text=f'2026-11-02T{i % 24:02}:00:00Z'))
            if i % 3:
                line['requestMetadata'] = {'team': f'team {i % 5}', 'cost': 'x' * (i % 2)}
            lines += json.dumps(line) + '\n'
        write_whole(os.path.join(logs, 'a.gz'), gz(lines))
        self.program.run('serve', logs, '--once', '--quiet', '--store', store, '--metadata',
                         'team,cost')
        for by in ('Metadata:team', 'Metadata:cost,ModelId', 'Metadata:team,Principal'):
            for interval in ('all', '1h', '1d', '1m'):
                words = ['--by', by, '--interval', interval]
                assert self.program.report(store, *words) == self.program.aggregate(logs, *words)
        done = self.program.run('report', '--store', store, '--output', 'json', '--by',
                                'Metadata:other', status=2)
        assert b'Metadata:other is not kept' in done.stderr, done.stderr
        done = self.program.run('serve', logs, '--once', '--store', store, '--metadata', 'team',
                                status=2)
        assert b'the store keeps Metadata:team,Metadata:cost' in done.stderr, done.stderr
        for words in (['--metadata', ''], ['--metadata', 'a,,b'], ['--tag', 'a,a'],
                      ['--metadata', 'a,b,c,d,e,f,g,h,i']):
            self.program.run('serve', logs, '--once', '--store', self.path('x'), *words, status=2)
        with Server(self.program, logs, store) as server:
            assert server.get('/api/usage?by=Metadata:team') == \
                self.program.aggregate(logs, '--by', 'Metadata:team')
            assert server.ask('/api/usage?by=Tag:x')[0].status == 400
            data = json.loads(server.get('/api/page'))
        self.check_keys(data, logs)
        out = self.path('keys.html')
        self.program.run('report', '--store', store, '--quiet', '--out', out)
        with open(out, 'rb') as file:
            self.check_keys(self.embedded(file.read()), logs)

    def check_keys(self, data, logs):
        """The keys of the store are dimensions of both tables of the page."""
        self.check_dataset(data, logs)
        wanted = {row['Metadata:team']: row['Invocations'] for row in json.loads(
            self.program.aggregate(logs, '--by', 'Metadata:team'))['rows']}
        for name in ('cube', 'principals'):
            table = data[name]
            assert table['dimensions'][-2:] == ['Metadata:team', 'Metadata:cost']
            at, found = 0, {}
            for value, rows in zip(table['series'][-2], table['rows']):
                team = data['dictionary']['Metadata:team'][value]
                found[team] = found.get(team, 0) + sum(
                    table['metrics']['Invocations'][at:at + rows])
                at += rows
            assert found == wanted, (name, found, wanted)

    def routing_guard(self):
        """What ran in Regions that are not allowed: in rows, /metrics and on the page."""
        logs, store = self.folder('guard'), self.path('guard.sqlite')
        lines, tokens = '', 0
        for i in range(90):
            line = json.loads(record(n=i, modelId='us.anthropic.claude-sonnet-4-20250514-v1:0'))
            line['inferenceRegion'] = ('us-east-1', 'us-west-2', 'eu-central-1')[i % 3]
            tokens += i if i % 3 == 2 else 0
            lines += json.dumps(line) + '\n'
        write_whole(os.path.join(logs, 'a.gz'), gz(lines))
        allowed = ['--allow-inference-regions', 'us-east-1,us-west-2']
        with Server(self.program, logs, store, *allowed) as server:
            server.wait_for(lambda u: u['objects']['counted'] == 1, 'the file')
            rows = server.usage('by=InferenceRegion')['rows']
            found = {row['InferenceRegion']: (row['DisallowedRegionTokenCount'],
                                              row['DisallowedRegionInvocations']) for row in rows}
            assert found == {'us-east-1': (0, 0), 'us-west-2': (0, 0),
                             'eu-central-1': (tokens, 30)}, found
            assert 'bedrock_disallowed_region_token_count_total{inference_profile_type=' \
                in server.get('/metrics').decode()
            notes = json.loads(server.get('/api/page'))['notes']
        sentence = f'{tokens} tokens in 30 invocations ran in Regions that are not allowed.'
        assert sentence in notes, notes
        found = json.loads(self.program.report(store, '--by', 'InferenceRegion'))
        assert found['totals']['DisallowedRegionTokenCount'] == tokens
        out = self.path('guard.html')
        self.program.run('report', logs, '--quiet', '--out', out, *allowed)
        with open(out, 'rb') as file:
            assert sentence in self.embedded(file.read())['notes']
        self.program.run('report', logs, '--quiet', '--out', out, '--allow-inference-regions', 'a,,b',
                         status=2)

    def usage_errors(self):
        for words in (['serve'], ['serve', self.logs, self.logs], ['serve', '/nonexistent'],
                      ['serve', self.expected], ['serve', self.logs, '--listen', 'example.com:1'],
                      ['serve', self.logs, '--listen', '127.0.0.1'], ['report'],
                      ['serve', self.logs, '--listen', '127.0.0.1:65536'],
                      ['report', '--store', self.store, self.logs],
                      ['report', self.logs, '--by', 'ModelId', '--out', self.path('x')],
                      ['report', '--store', self.store, '--output', 'xml'],
                      ['report', '--store', self.store, '--output', 'csv', '--since',
                       '2026-11-02T00:00:30Z']):
            self.program.run(*words, status=2)

    def kills(self):
        """kill -9 at any moment neither loses nor doubles."""
        wanted = int(os.environ.get('KILLS', '200'))
        rng = random.Random(1)
        begin = time.monotonic()
        self.program.run('serve', self.logs, '--once', '--quiet', '--store', self.path('whole'))
        whole = time.monotonic() - begin
        end = time.monotonic() + 240
        kills = finished = round_number = 0
        states = set()
        while kills < wanted and time.monotonic() < end:
            store = self.path(f'killed-{round_number}.sqlite')
            round_number += 1
            while kills < wanted and time.monotonic() < end:
                with self.program.start('serve', self.logs, '--once', '--quiet', '--jobs', '2',
                                        '--store', store) as ingest:
                    ended = wait_until(lambda: ingest.poll() is not None,
                                       rng.uniform(0.0, whole / 2), pause=0.002)
                if ended:
                    assert ingest.returncode == 0, (ingest.returncode, ingest.err)
                    finished += 1
                    break
                kills += 1
                if kills % 3 == 0 and os.path.exists(store) and is_made(store):
                    states.add(rollups.check(store))
            self.program.run('serve', self.logs, '--once', '--quiet', '--store', store)
            self.same_as_expected(store)
            assert rollups.check(store)[1] == 0
            assert self.program.report(store) == self.program.aggregate(self.logs)
            base = sqlite3.connect(store)
            assert base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok'
            base.close()
        assert kills >= min(wanted, 20), kills
        return f'{kills} kills, {round_number} stores, {finished} ended before they were killed, ' \
            f'rollups checked in {len(states)} states'

    def kills_while_files_come(self):
        logs, store = self.folder('coming'), self.path('coming.sqlite')
        rng = random.Random(2)
        total = written = 0
        for turn in range(15):
            server = Server(self.program, logs, store)
            for _ in range(rng.randrange(5, 60)):
                written += 1
                total += written
                write_whole(os.path.join(logs, f'{written}.json.gz'), gz(record(n=written)))
            time.sleep(rng.uniform(0, 0.1))
            server.process.kill()
            server.stop()
            rollups.check(store)
            if turn % 5 == 4:
                self.program.run('serve', logs, '--once', '--quiet', '--store', store)
                found = json.loads(self.program.report(store))
                assert found['totals']['InputTokenCount'] == total
                assert found['objects']['counted'] == written


def main():
    results = Results(verbose=True)
    with tempfile.TemporaryDirectory(prefix='bedrock-serve-') as scratch:
        t = Tests(scratch)
        for name, body in (
                ('serve --once counts as aggregate does', t.once),
                ('sums equal those of the simulator', t.expected_sums),
                ('/api/usage is aggregate\'s JSON, byte for byte', t.api_equals_aggregate),
                ('since and until, on and off hours and days', t.ranges),
                ('report: csv and table', t.other_outputs),
                ('page: its data set has the totals', t.page),
                ('report: one file with its data inside', t.report_file),
                ('report: a large one stays below 2 MB', t.large_report),
                ('hostile names', t.hostile_names),
                ('sums beyond 64 bits', t.large_sums),
                ('live: moved in, written, new folders, links', t.live),
                ('live: renamed files count once', t.renamed),
                ('live: many files at once', t.many_at_once),
                ('failed files are tried again, changed ones are not', t.failed_and_changed),
                ('files whose time changed, and not their bytes', t.touched),
                ('Host, Origin and Sec-Fetch-Site', t.strangers),
                ('methods, paths and arguments', t.methods_and_paths),
                ('slow clients and requests that are too much', t.slow_clients),
                ('security headers', t.headers),
                ('/metrics', t.metrics),
                ('signals', t.signals),
                ('a store has one server and one folder', t.one_store_one_server),
                ('the default store', t.default_store),
                ('damaged and foreign stores', t.damaged_store),
                ('files of others and code in a store', t.strange_stores),
                ('a store on a disk that is only read', t.read_only),
                ('a store on a disk with little room', t.small_disk),
                ('single wrong bits in a store and its log', t.wrong_bits),
                ('rollups at any moment equal the chunks', t.rollups_while_files_come),
                ('a store of another version', t.other_version),
                ('metadata as dimensions of a store', t.keys),
                ('what ran in Regions that are not allowed', t.routing_guard),
                ('wrong usage', t.usage_errors),
                ('kill -9 while scanning', t.kills),
                ('kill -9 while files come', t.kills_while_files_come)):
            if os.environ.get('ONLY', '') in name:
                results.test(name, body)
    return results.end()


if __name__ == '__main__':
    sys.exit(main())
