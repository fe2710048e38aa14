"""Clients that send or read as slowly as they can, and requests that are too much."""

import socket
import time


class Slow:
    """Connections to a port that never say all."""

    def __init__(self, port, count, first=b'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ',
                 source='127.0.0.1'):
        self.open = []
        for _ in range(count):
            connection = socket.create_connection(('127.0.0.1', port), 10, (source, 0))
            connection.sendall(first)
            self.open.append(connection)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for connection in self.open:
            connection.close()

    def trickle(self):
        """One byte more on each."""
        for connection in self.open:
            try:
                connection.send(b'a')
            except OSError:
                pass

    def ended(self):
        """How many the server has ended."""
        count = 0
        for connection in self.open:
            connection.setblocking(False)
            try:
                count += connection.recv(1) == b''
            except BlockingIOError:
                pass
            except OSError:
                count += 1
            connection.setblocking(True)
        return count


def ask(port, request, seconds=5, half_close=False):
    """All that is answered to these bytes, and how long it took."""
    begin = time.monotonic()
    with socket.create_connection(('127.0.0.1', port), timeout=seconds) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b''
        while True:
            try:
                part = connection.recv(65536)
            except (ConnectionResetError, TimeoutError):
                break
            answer += part
            if not part:
                break
    return answer, time.monotonic() - begin


def health(port, seconds=2):
    answer, took = ask(port, b'GET /healthz HTTP/1.1\r\nHost: 10.1.2.3:80\r\n'
                             b'Connection: close\r\n\r\n', seconds)
    assert answer.startswith(b'HTTP/1.1 200 ') and took < seconds, (answer[:80], took)
    return took


def check_slow(port, large):
    """Hundreds of slow clients, from one address, and health is answered all the time."""
    health(port)
    for count in (40, 140, 300):
        with Slow(port, count) as slow:
            for _ in range(4):
                slow.trickle()
                health(port)
                time.sleep(0.3)
    with Slow(port, 20) as slow:
        begin = time.monotonic()
        while slow.ended() < 20:
            slow.trickle()
            assert time.monotonic() - begin < 14, f'{slow.ended()} of 20 ended'
            time.sleep(0.5)
    # Who hoards loses its own places, not those of another address that are older.
    with Slow(port, 5) as few, Slow(port, 300, source='127.0.0.2') as many:
        health(port)
        assert few.ended() == 0 and many.ended() > 150, (few.ended(), many.ended())
    # Nor does who never reads what was asked for keep others out.
    with Slow(port, 140, b'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n' % large * 300):
        for _ in range(4):
            health(port, 4)
            time.sleep(0.8)
    # A body that never comes is no whole request either.
    body = b'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n'
    with Slow(port, 140, body) as slow:
        slow.trickle()
        health(port)
        time.sleep(11.5)
        assert slow.ended() == 140, slow.ended()


def check_too_much(port):
    """Each answered at once, and the server goes on."""
    host = b' HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n'
    many = b'&'.join(b'a%d=1' % i for i in range(500))
    for wanted, request in (
            (b'414', b'GET /api/usage?' + many + host + b'\r\n'),
            (b'414', b'GET /?' + b'&' * 20000 + host + b'\r\n'),
            (b'414', b'GET /' + b'a' * 40000 + host + b'\r\n'),
            (b'431', b'GET /' + host + b'x: ' + b'a' * 40000 + b'\r\n\r\n'),
            (b'431', b'GET /' + host + b''.join(b'h%d: 1\r\n' % i for i in range(1000)) + b'\r\n'),
            (b'200', b'GET /healthz' + host + b'Content-Length: 3\r\n\r\nabc'),
            (b'405', b'POST /healthz' + host + b'Content-Length: 3\r\n\r\nabc'),
            (b'400', b'GET /healthz' + host + b'Content-Length: x\r\n\r\n'),
    ):
        answer, took = ask(port, request)
        assert answer[9:12] == wanted and took < 2, (wanted, request[:60], answer[:120], took)
    pipelined = b'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
    answer, took = ask(port, pipelined * 200 + b'GET /healthz' + host + b'\r\n')
    assert answer.count(b'HTTP/1.1 200 ') == 201 and took < 2, (answer.count(b'HTTP/1.1'), took)
    answer, took = ask(port, b'GET /healthz' + host + b'\r\n', half_close=True)
    assert answer.startswith(b'HTTP/1.1 200 ') and took < 2, (answer[:80], took)
    answer, took = ask(port, b'GET /healthz HTTP/1.1\r\nHo', 14, half_close=True)
    assert took < 13 and (answer == b'' or answer[9:12] == b'400'), (answer[:80], took)
    health(port)
