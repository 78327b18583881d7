"""What a client may take of the server by TCP (RFC 7766 6), and what the others have of it meanwhile."""
import contextlib
import re
import socket
import struct
import subprocess
import threading
import time

import certs
import pytest
import zl
from alone import at_rest, FakeSyncd, acknowledge, closed, connect, descriptors, framed, notify, read_exactly, read_message, udp, version


def asks(s, ident=1):
    s.sendall(framed(version(ident)))
    return read_message(s).id == ident


def connect_from(p, source, timeout=15):
    s = socket.socket()
    s.settimeout(timeout)
    s.bind((source, 0))
    s.connect(('127.0.0.1', p.port))
    return s


def tick():
    """Until the clock that authd goes by (milliseconds) shows another time."""
    end = time.monotonic() + 0.003
    while time.monotonic() < end:
        pass


def still_open(s):
    """No end in sight: it is asked, and answers."""
    return asks(s, 77)


# ---------------------------------------------------------------- who has to go

@pytest.mark.parametrize('workers', [1, 4])
def test_the_one_that_idled_longest_makes_room(authd, workers):
    """RFC 7766 6.2.3: idle connections may be closed; whichever worker has it."""
    p = authd(workers=workers, extra='tcp-clients = 4 tcp-idle = 60s tcp-first = 60s')
    a, b, c, d = [connect(p) for _ in range(4)]
    for s in (a, b, c, d, b, a):  # c has now been idle longest, then d
        assert asks(s) and asks(s)  # when the second answer is out, the first is on the board for sure
        tick()
    with connect(p) as e:
        assert asks(e) and asks(e)
        assert closed(c)
        tick()
        with connect_from(p, '127.0.0.9') as f:
            assert asks(f)
            assert closed(d)
            for s in (a, b, e, f):
                assert still_open(s)
    for s in (a, b, c, d):
        s.close()


def test_one_that_waits_for_its_answer_is_not_idle(authd):
    p = authd(workers=1, extra='tcp-clients = 2 tcp-idle = 60s')
    held = []
    s = FakeSyncd(p.path, lambda m: held.append(m))  # never answers
    try:
        zl.wait_for(lambda: 1 in s.roles, 'the worker to connect')
        with connect(p) as waits, connect(p) as idle:
            q = notify()
            waits.sendall(framed(q))
            zl.wait_for(lambda: held, 'the hand-over')
            assert asks(idle)
            with connect(p) as new:
                assert asks(new)
                assert closed(idle)
            assert read_message(waits).id == q.id  # SERVFAIL in the end
    finally:
        s.close()


def test_an_octet_now_and_then_is_no_sign_of_life(authd):
    p = authd(workers=1, extra='tcp-clients = 2 tcp-first = 60s tcp-message = 60s tcp-idle = 60s')
    with connect(p) as slow, connect(p) as good:
        assert asks(good)
        tick()
        for octet in framed(version(2))[:6]:
            slow.send(bytes([octet]))
            tick()
        with connect(p) as new:
            assert asks(new)
            assert closed(slow)
            assert still_open(good)


def test_a_source_with_its_share_makes_nobody_go(authd):
    p = authd(workers=1, extra='tcp-clients = 3 tcp-per-source = 2 tcp-idle = 60s')
    with connect(p) as a, connect(p) as b, connect_from(p, '127.0.0.8') as other:
        for s in (other, a, b):
            assert asks(s)
            tick()
        for _ in range(3):
            with connect(p) as more:
                assert closed(more)
        assert all(still_open(s) for s in (a, b, other))


def test_a_thousand_slow_ones_lock_nobody_out(authd):
    """Slowloris from many addresses: UDP is answered, and who comes new is let in."""
    p = authd(extra='tcp-clients = 200 tcp-first = 60s tcp-message = 60s')
    slow = [connect_from(p, f'127.0.{1 + i // 50}.{1 + i % 50}') for i in range(1000)]
    for s in slow:
        try:
            s.send(b'\0')
        except OSError:
            pass
    assert udp(p, version(3)).id == 3
    for i in range(20):
        with connect(p) as s:
            assert asks(s, i)
    zl.wait_for(lambda: descriptors(p) < 200 + 60, 'no more than the limit to be open')
    for s in slow:
        s.close()


# ---------------------------------------------------------------- time

def test_time_for_a_whole_message(authd):
    p = authd(workers=1, extra='tcp-message = 700ms tcp-idle = 60s tcp-first = 60s')
    stop = threading.Event()

    def drip(s):
        for octet in framed(version(2)):
            try:
                s.send(bytes([octet]))
            except OSError:
                return
            if stop.wait(0.2):
                return
    with connect(p) as slow, connect(p) as good:
        assert asks(slow) and asks(good)
        t = threading.Thread(target=drip, args=(slow,))
        t.start()
        assert closed(slow)
        stop.set()
        t.join()
        assert still_open(good), 'silence between messages is another matter (tcp-idle)'


def test_a_slow_reader_that_reads_is_served(authd):
    """Its queue is never empty for longer than tcp-write, but what waits is taken in its time."""
    p = authd(workers=1, extra='tcp-write = 4s tcp-idle = 60s')
    n = 24_000
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.settimeout(15)
        s.connect(('127.0.0.1', p.port))

        def pour():
            s.sendall(b''.join(framed(version(i % 65536)) for i in range(n)))
        t = threading.Thread(target=pour)
        t.start()
        began, got, answer = time.monotonic(), b'', 0
        while answer < n:
            while len(got) < 2 or len(got) < 2 + struct.unpack_from('!H', got)[0]:
                part = s.recv(100_000)
                assert part, f'closed after {answer} answers, {time.monotonic() - began:.1f} s'
                got += part
                time.sleep(0.1)  # the slowness that is tried, not a wait for something
            pos = 0
            while len(got) - pos >= 2 and len(got) - pos >= 2 + struct.unpack_from('!H', got, pos)[0]:
                assert struct.unpack_from('!H', got, pos + 2)[0] == answer % 65536
                pos += 2 + struct.unpack_from('!H', got, pos)[0]
                answer += 1
            got = got[pos:]
        t.join()
        assert time.monotonic() - began > 4.5, 'quicker than tcp-write: nothing was tried'


def test_a_reader_that_stops_is_closed(authd):
    p = authd(workers=1, extra='tcp-write = 700ms tcp-idle = 60s')
    before = at_rest(p)
    with connect(p, timeout=0.5) as s:
        try:
            while True:
                s.sendall(framed(version(1)) * 1000)
        except OSError:
            pass
        zl.wait_for(lambda: descriptors(p) <= before, 'the connection to be closed')


def test_half_closed_ones_do_not_stay(authd):
    """A client that has said all, and then reads nothing, or waits for what syncd never answers."""
    p = authd(workers=1, extra='tcp-write = 700ms tcp-idle = 60s')
    s = FakeSyncd(p.path, lambda m: None)
    clients = []
    try:
        zl.wait_for(lambda: sorted(s.roles) == [1, 2], 'worker and updater to connect')
        before = at_rest(p)
        for what in (framed(notify()), framed(version(1)) * 20_000, framed(version(1)) + b'\0', b''):
            c = connect(p)
            clients.append(c)
            t = threading.Thread(target=lambda c=c, what=what: (c.sendall(what), c.shutdown(socket.SHUT_WR)))
            t.start()
            t.join(2)
        zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')
    finally:
        for c in clients:
            c.close()
        s.close()


# ---------------------------------------------------------------- numbers

def test_queries_on_one_connection(authd):
    """The last answers arrive though more was sent: closing at once would take them back with a reset."""
    p = authd(workers=1, extra='tcp-queries = 5')
    before = at_rest(p)
    for _ in range(20):
        with connect(p) as s:
            s.sendall(b''.join(framed(version(i)) for i in range(5)) + framed(version(6)) * 500)
            assert [read_message(s).id for _ in range(5)] == list(range(5))
            assert s.recv(1) == b'', 'a clean end'
    zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')
    with connect(p) as s:  # a client that does not close is not waited for long
        for i in range(5):
            assert asks(s, i)
        assert s.recv(1) == b''
        zl.wait_for(lambda: descriptors(p) <= before, 'the connection to be closed')


def test_unanswered_queries_on_one_connection(authd):
    """No more than tcp-pipeline wait for syncd; the rest is not read before there is room."""
    p = authd(workers=1, extra='tcp-pipeline = 7 tcp-idle = 60s')
    lock = threading.Lock()
    waiting, most = [], 0

    def reply(m):
        nonlocal most
        with lock:
            waiting.append(m)
            most = max(most, len(waiting))
        return None
    s = FakeSyncd(p.path, reply)
    try:
        zl.wait_for(lambda: 1 in s.roles, 'the worker to connect')
        with connect(p) as c:
            c.sendall(b''.join(framed(notify()) for _ in range(20)))
            zl.wait_for(lambda: len(waiting) >= 7, 'as many as may wait')
            assert udp(p, version(1)).id == 1
            first = [read_message(c) for _ in range(7)]  # SERVFAIL, when their time is over
            assert len(first) == 7
            zl.wait_for(lambda: len(waiting) >= 14, 'the next')
            with lock:
                assert len(waiting) == 14
    finally:
        s.close()


def test_lengths_at_the_edges(authd):
    p = authd()
    for n, answered in ((0, False), (1, False), (11, False), (12, True), (511, True), (512, True), (65535, True)):
        with connect(p) as s:
            message = (version(9).to_wire() + bytes(65536))[:n]
            s.sendall(struct.pack('!H', n) + message)
            if answered:
                size, = struct.unpack('!H', read_exactly(s, 2))
                assert read_exactly(s, size)[:2] == b'\0\x09'
                assert asks(s, 10)
            else:
                assert closed(s)


# ---------------------------------------------------------------- descriptors

def test_running_out_of_descriptors_does_not_spin(authd):
    if not zl.tool('strace'):
        pytest.skip('skipped: strace is not installed')
    p = authd(workers=1, extra='tcp-clients = 1000 tcp-per-source = 1000 tcp-first = 60s')
    trace = p.path / 'trace'
    subprocess.run(['prlimit', f'--pid={p.p.pid}', f'--nofile={descriptors(p)}:'], check=True)
    t = subprocess.Popen(['strace', '-f', '-p', str(p.p.pid), '-e', 'trace=accept4', '-o', trace], stderr=subprocess.DEVNULL)
    try:
        zl.wait_for(lambda: 'TracerPid:\t0' not in open(f'/proc/{p.p.pid}/status').read(), 'strace to begin')
        clients = [connect(p) for _ in range(5)]  # more than there are gaps among its descriptors
        began = time.monotonic()

        def refused():
            return len(re.findall('EMFILE', trace.read_text()))
        zl.wait_for(lambda: refused() >= 4, 'four attempts')
        assert refused() <= 4 + 20 * (time.monotonic() - began), 'a loop would have made thousands'
        assert udp(p, version(1)).id == 1
        subprocess.run(['prlimit', f'--pid={p.p.pid}', '--nofile=1024:'], check=True)
        assert asks(clients[-1])
        for s in clients:
            s.close()
    finally:
        t.terminate()
        t.wait()


def test_clients_leave_descriptors_for_the_rest(place):
    """However many connect: syncd is still reached, and accept never fails."""
    path = place / 'a'
    path.mkdir()
    port = zl.free_port()
    (path / 'zl.conf').write_text(f'data-dir = "{path}/data"\nrun-dir = "{path}"\nauthd {{ listen = {{"127.0.0.1@{port}"}} workers = 2\n'
                                  f' version = "v" tcp-clients = 5000 tcp-per-source = 5000 tcp-first = 60s }}\n')
    p = zl.Process('authd', ['prlimit', '--nofile=300', zl.BIN / 'authd', '-c', path / 'zl.conf'], path / 'log')
    p.port = port
    p.start()
    syncd = None
    try:
        zl.wait_for(lambda: 'ready' in p.text(), 'authd to be ready')
        assert 'fewer descriptors than tcp-clients needs' in p.text()
        clients = [connect(p) for _ in range(400)]
        assert asks(clients[-1])
        syncd = FakeSyncd(path, acknowledge)
        zl.wait_for(lambda: syncd.roles.count(1) == 2 and 2 in syncd.roles, 'workers and updater to connect')
        assert udp(p, version(2)).id == 2
        assert 'wait until there are descriptors' not in p.text()
        for s in clients:
            s.close()
    finally:
        if syncd:
            syncd.close()
        code = p.stop()
        p.kill()
    assert code == 0 and 'Sanitizer' not in p.text(), p.text()[-3000:]


def test_a_storm_of_resets(authd):
    p = authd()
    before = at_rest(p)
    for i in range(500):
        s = connect(p)
        if i % 2:
            s.send(framed(version(1)) * 3)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.close()
    zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')
    with connect(p) as s:
        assert asks(s)


def test_places_are_given_back(authd):
    """Connections come and go; the count of places comes back to nothing each time."""
    p = authd(workers=4, extra='tcp-clients = 20 tcp-per-source = 20')
    before = at_rest(p)
    for _ in range(10):
        clients = [connect(p) for _ in range(20)]
        for i, s in enumerate(clients):
            assert asks(s, i)
        for s in clients:
            s.close()
        zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')


# ---------------------------------------------------------------- and the operator sees it

def test_what_happens_to_connections_is_counted(node, place):
    cert = certs.Certificate(place / 'cert')
    tls_port = zl.free_port()
    n = node(level='info', workers=1, authd=f'version = "v" listen-tls = {{"127.0.0.1@{tls_port}"}} {cert.items()} proxy-from = {{"127.0.0.9"}}\n'
             'tcp-clients = 3 tcp-per-source = 2 tcp-first = 3s tcp-idle = 60s')
    n.start()

    def counted(**want):
        zl.wait_for(lambda: want.items() <= {k: n.json('stats')[k] for k in want}.items(), f'{want}')
    with connect(n) as a, connect(n) as b:
        assert asks(a) and asks(b)
        with connect(n) as c:
            assert closed(c)
        counted(tcp_accepted=2, tcp_refused=1, tcp_evicted=0, tcp_timed_out=0)
        with connect_from(n, '127.0.0.7') as d, connect_from(n, '127.0.0.8') as e:
            assert asks(d) and asks(e)
            counted(tcp_accepted=4, tcp_refused=1, tcp_evicted=1)
    with connect_from(n, '127.0.0.5') as silent:
        assert closed(silent)
    counted(tcp_accepted=5, tcp_timed_out=1)
    with connect_from(n, '127.0.0.9') as balancer:
        balancer.sendall(framed(version(1)))
        assert closed(balancer)
    counted(proxy_refused=1)

    def dial(session=None):
        raw = socket.create_connection(('127.0.0.1', tls_port), timeout=15)
        return context.wrap_socket(raw, server_hostname=cert.name, session=session)
    context = cert.context()
    with dial() as s:
        assert asks(s)
        session = s.session
    with dial(session) as s:
        assert s.session_reused
    with socket.create_connection(('127.0.0.1', tls_port), timeout=15) as s:
        s.sendall(b'GET / HTTP/1.0\r\n\r\n')
        with contextlib.suppress(ConnectionResetError):
            while s.recv(100):
                pass
    counted(tls_accepted=3, tls_handshakes=2, tls_resumed=1, tls_failed=1)
