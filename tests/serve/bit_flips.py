"""Single wrong bits in a store and its write-ahead log: each is noticed, or does no harm."""

import os
import random
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

from harness import Server, record
from support import process
from support.records import gz, write_whole

SIDE_FILES = ('', '-wal', '-lock')


def fill(folder, first, count):
    for i in range(first, first + count):
        hour = i % 70
        text = ''.join(record(n=n + i, modelId=f'anthropic.claude-{(i + n) % 23}',
                              time_text=f'2026-11-{2 + hour // 24:02}T{hour % 24:02}:{n * 7:02}:00Z')
                       for n in range(8))
        write_whole(os.path.join(folder, f'{i}.gz'), gz(text))


def copy(store, to):
    for suffix in SIDE_FILES:
        if os.path.exists(store + suffix):
            shutil.copy(store + suffix, to + suffix)


def stores(program, folder, scratch):
    """The same sums in stores that ended in different ways, with the name of each."""
    closed, killed, grown = (os.path.join(scratch, name) for name in ('closed', 'killed', 'grown'))
    with Server(program, folder, killed) as server:
        fill(folder, 0, 60)
        for upto in (120, 180, 240):
            server.wait_for(lambda u, n=upto: u['objects']['counted'] >= n - 60, 'the first ones')
            fill(folder, upto - 60, 60)
        server.wait_for(lambda u: u['objects']['counted'] == 240, 'all')
        server.stop(signal.SIGKILL)
    assert os.path.getsize(killed + '-wal') > 0
    # Its log is in the file, and still there: a flip in it must not bring old pages back.
    copy(killed, grown)
    with Server(program, folder, grown) as server:
        server.wait_for(lambda u: u['objects']['counted'] == 240, 'all')
        checkpoint = ("import sqlite3, sys; base = sqlite3.connect(sys.argv[1]);"
                      "print(base.execute('PRAGMA wal_checkpoint(PASSIVE)').fetchall())")
        subprocess.run(['python3', '-c', checkpoint, grown], check=True, capture_output=True)
        server.stop(signal.SIGKILL)
    copy(killed, closed)
    program.run('serve', folder, '--once', '--quiet', '--store', closed)
    assert not os.path.exists(closed + '-wal')
    return closed, killed, grown


def one(program, folder, store, at, seed, wanted):
    """What came of one wrong bit: 'noticed', 'harmless' or a description of the harm."""
    rng = random.Random(seed)
    path = os.path.join(at, f'{seed}')
    copy(store, path)
    suffix = rng.choice([s for s in ('', '-wal') if os.path.exists(path + s)])
    bit = rng.randrange(os.path.getsize(path + suffix) * 8)
    if seed % 4 == 0:  # headers, and the first and last frames, have few bits but do most
        bit %= 8 * 4096
    elif seed % 4 == 1:
        bit = os.path.getsize(path + suffix) * 8 - 1 - bit % (8 * 4096)
    with open(path + suffix, 'r+b') as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))
    if seed % 3 == 0:  # counted into, then asked
        done = program.run('serve', folder, '--once', '--quiet', '--store', path, status=None)
        assert done.returncode >= 0, done
    by = ('ModelId', 'Principal', 'SourceRegion')[seed % 3]
    interval = ('all', '1d', '1h', '1m')[seed % 4]
    done = program.run('report', '--store', path, '--quiet', '--output', 'json', '--by', by,
                       '--interval', interval, status=None)
    for end in SIDE_FILES + ('-shm',):
        if os.path.exists(path + end):
            os.remove(path + end)
    if done.returncode == 0:
        return 'harmless' if done.stdout == wanted[by, interval] else \
            f'bit {bit} of {os.path.basename(store)}{suffix}: other sums'
    if b'BM-S113' in done.stderr or b'damaged' in done.stderr or b'BM-S112' in done.stderr or \
            b'not a store' in done.stderr:
        return 'noticed'
    return f'bit {bit} of {os.path.basename(store)}{suffix}: {done.returncode} {done.stderr}'


def check(program, scratch, flips):
    folder = os.path.join(scratch, 'logs')
    os.makedirs(folder)
    all_stores = stores(program, folder, scratch)
    wanted = {(by, interval): program.aggregate(folder, '--by', by, '--interval', interval)
              for by in ('ModelId', 'Principal', 'SourceRegion')
              for interval in ('all', '1d', '1h', '1m')}
    for store in all_stores:
        for (by, interval), text in wanted.items():
            path = store + '.copy'
            copy(store, path)
            assert program.report(path, '--by', by, '--interval', interval) == text, (store, by)
    at = os.path.join(scratch, 'flipped')
    os.makedirs(at)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(
            lambda seed: one(program, folder, all_stores[seed % len(all_stores)], at, seed, wanted),
            range(flips)))
    harm = [result for result in results if result not in ('noticed', 'harmless')]
    assert not harm, f'{len(harm)} of {flips}:\n' + '\n'.join(harm[:20])
    return f'{flips} bits: {results.count("noticed")} noticed, {results.count("harmless")} harmless'
