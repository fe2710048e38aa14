"""The rollups of a store against its chunks, read and summed here, by code of its own."""

import sqlite3
import time

HOUR, DAY, ALL = 1, 2, 3
PRINCIPAL = 7  # its place among a series' dimensions


def numbers(data):
    """Little-endian base 128 numbers one after the other."""
    at = 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take_byte():
        nonlocal at
        at += 1
        return data[at - 1]

    return take, take_byte, lambda: at == len(data)


def cells(data):
    """(series, minute, {metric bit: sum}) of a chunk or rollup."""
    take, take_byte, ended = numbers(data)
    while not ended():
        series, minute, mask = take(), take_byte(), take()
        yield series, minute, {bit: take() for bit in range(14) if mask >> bit & 1}


def read_series(base, width=8):
    series = []
    for first, block in base.execute('SELECT first, texts FROM series ORDER BY first'):
        assert first == len(series)
        take, _, ended = numbers(block)
        while not ended():
            series.append(tuple(take() for _ in range(width)))
    return series


def add(sums, key, values):
    into = sums.setdefault(key, {})
    for bit, value in values.items():
        into[bit] = into.get(bit, 0) + value


def snapshot(path):
    """Everything at one moment; the store may be in use."""
    base = sqlite3.connect(f'file:{path}?mode=ro', uri=True, isolation_level=None, timeout=30)
    base.execute('BEGIN')
    about = dict(base.execute('SELECT name, value FROM about'))
    last = int(about.get('rolled_up', b'0'))
    series = read_series(base)
    chunks = base.execute('SELECT hour, cells FROM chunk WHERE id<=?', (last,)).fetchall()
    behind = base.execute('SELECT count(*) FROM chunk WHERE id>?', (last,)).fetchone()[0]
    rollups = base.execute('SELECT level, bucket, cells FROM rollup').fetchall()
    kept = base.execute('SELECT state, objects, found, counted, bytes_read, first_time, last_time '
                        'FROM tally WHERE objects<>0 ORDER BY state, reason').fetchall()
    true = base.execute("SELECT state, count(*), sum(found), sum(counted), sum(bytes_read), "
                        "min(first_time), max(last_time), CASE state WHEN 2 THEN reason ELSE '' END "
                        "AS why FROM object GROUP BY state, why ORDER BY state, why").fetchall()
    base.close()
    assert kept == [row[:7] for row in true], (kept, true)
    return series, chunks, behind, rollups, last


def check(path):
    """Every rollup equals the sums of the chunks it is for.  Returns (chunks in them, behind)."""
    series, chunks, behind, rollups, last = snapshot(path)
    lean, lowest = [], {}
    for number, values in enumerate(series):
        key = values[:PRINCIPAL] + values[PRINCIPAL + 1:]
        lean.append(lowest.setdefault(key, number))
    wanted = {}
    for hour, data in chunks:
        for number, _, values in cells(data):
            add(wanted, (HOUR, hour, lean[number]), values)
            add(wanted, (DAY, hour // 86400 * 86400, number), values)
            add(wanted, (ALL, 0, number), values)
    found = {}
    for level, bucket, data in rollups:
        before = -1
        for number, minute, values in cells(data):
            assert minute == 0 and number > before, (level, bucket, number)
            before = number
            found[(level, bucket, number)] = values
    assert found == wanted, f'{len(found)} cells, {len(wanted)} by the chunks up to {last}'
    return len(chunks), behind


def check_while(path, seconds):
    """At many moments of a store in use; the number of checks and of different states seen."""
    end, states, checks = time.monotonic() + seconds, set(), 0
    while time.monotonic() < end:
        states.add(check(path))
        checks += 1
    return checks, states
