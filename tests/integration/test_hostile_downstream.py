"""Whatever a downstream sends or does not read, the others are served, and memory and connections stay bounded.

    what it sends (downstream.py, each by a connection of its own, and cut at each octet)    outcome
    IXFR: SOA missing, doubled, foreign, malformed, oversize, from the future (15)           FORMERR, or one SOA
    questions: 0, 2, 65,535 of them, classes CH, ANY, NONE, circles, long names, ... (24)     FORMERR, NOTIMP, REFUSED, closed
    signatures: unknown, forged, late, cut, doubled, not last, elsewhere (12)                NOTAUTH, FORMERR, REFUSED
    NOTIFY and UPDATE: strangers, other classes and types, malformed (11)                    REFUSED, FORMERR, NOTAUTH

    what it does (here)                                                                      outcome
    asks a thousand times and reads nothing; asks for a great zone and reads nothing         bounded, closed
    stops in the middle of a question; opens connections and leaves them                     closed, others are served
    resets in the middle of a great zone; AXFR by datagram                                   nothing is left; no zone
"""
import os
import socket
import struct

import dns.flags
import dns.rcode
import downstream
import hostile
import pytest
import zl
from downstream import CLOSED, CLOSES, CURRENT, SERVED, ZONE


@pytest.fixture
def served(node):
    """A node that serves both zones; gives it with its right and wrong key."""
    def make(**options):
        right, wrong = zl.Key('right.test'), zl.Key('wrong.test')
        n = node(keys=[right, wrong], level='info', **options)
        n.zones[ZONE], n.zone_options[ZONE] = [], {'transfer-from': '{"127.0.0.0/8"}'}
        n.zones[CLOSED], n.zone_options[CLOSED] = [], {'transfer-keys': '{"right.test"}'}
        n.start()
        for zone, text in ((ZONE, downstream.ZONE_TEXT), (CLOSED, downstream.CLOSED_TEXT)):
            put(n, zone, text)
        return n, right, wrong
    return make


def put(n, zone, text):
    f = n.path / 'import.zone'
    f.write_text(text)
    n.zonectl('import', zone, f)


def connect(n, timeout=10):
    return socket.create_connection(('127.0.0.1', n.port), timeout)


def framed(wire):
    return struct.pack('!H', len(wire)) + wire


def read_message(f):
    """One message, or None at the end."""
    head = f.read(2)
    if len(head) < 2:
        return None
    return f.read(struct.unpack('!H', head)[0])


def outcome(n, wire):
    with connect(n) as s:
        s.sendall(framed(wire))
        try:
            got = read_message(s.makefile('rb'))
        except ConnectionError:
            got = None
    if got is None:
        return CLOSES
    assert got[2] & 0x80 and (len(wire) < 2 or got[:2] == wire[:2]), 'no answer to this'
    rcode = dns.rcode.to_text(got[3] & 15)
    answers = struct.unpack('!H', got[6:8])[0]
    if rcode == 'NOERROR' and answers:
        return CURRENT if answers == 1 else SERVED
    return rcode


def still_serves(n):
    assert zl.transfer(n.port, ZONE) == zl.records(downstream.ZONE_TEXT, ZONE)
    assert n.serial(ZONE) == 10 and n.zone(ZONE)['serial'] == 10


def test_how_many_streams_there_are():
    """Illegal or odd streams of primaries and of downstreams, each with what comes of it."""
    key = zl.Key()
    ours = downstream.cases(key, key)
    assert len(ours) >= 60
    assert len(hostile.KEPT_OLD) + len(hostile.NOT_INCREMENTAL) + len(hostile.PROBES) >= 110


def test_every_bad_message_has_its_answer(served):
    n, right, wrong = served(authd='tcp-first = 1s')
    cases, bad = downstream.cases(right, wrong), []
    for name, (wire, want) in cases.items():
        got = outcome(n, wire)
        if got not in want:
            bad.append(f'{name}: {got} instead of {" or ".join(sorted(want))}')
    assert not bad, '\n'.join(bad)
    assert outcome(n, downstream.signed(right)) == SERVED
    still_serves(n)
    assert len(n.log(ZONE)) == 1 and len(n.log(CLOSED)) == 1
    n.verify()


def test_requests_cut_at_each_octet(served):
    n, right, _ = served()
    for wire in (downstream.wire(downstream.ixfr(9)), downstream.signed(right)):
        stream = framed(wire)
        for at in range(len(stream)):
            with connect(n) as s:
                s.sendall(stream[:at])
                s.shutdown(socket.SHUT_WR)
                assert s.recv(1) == b'', at
    still_serves(n)


def test_no_zone_by_datagram(served):
    n, _, _ = served()
    r = zl.ask(n.port, ZONE, 'AXFR')
    assert r.rcode() in (dns.rcode.FORMERR, dns.rcode.REFUSED, dns.rcode.NOTIMP) or r.flags & dns.flags.TC
    assert not r.answer


def memory(process):
    with open(f'/proc/{process.p.pid}/status') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS')) * 1024


def send_all_it_takes(s, data, most):
    """Until the other side takes no more; how many octets it took."""
    s.settimeout(2)
    taken = 0
    try:
        while taken < most:
            taken += s.send(data)
    except (TimeoutError, ConnectionError):
        pass
    return taken


def test_thousands_of_requests_and_no_answer_is_read(served):
    """What is asked is not read on before what is answered has gone: so it is neither kept nor worked on."""
    n, _, _ = served()
    start = framed(downstream.wire(downstream.axfr()))
    many = framed(downstream.wire(downstream.axfr('nowhere.test'))) * 1000
    before = memory(n.syncd)
    with connect(n) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(start)
        taken = send_all_it_takes(s, many, 64 << 20)
        assert taken < 32 << 20, 'it takes questions for ever'
        assert memory(n.syncd) - before < 24 << 20
        still_serves(n)
    n.verify()


def test_thousands_of_requests_whose_answers_are_read(served):
    n, _, _ = served()
    count = 2000
    q = downstream.wire(downstream.ixfr(10))
    with connect(n, 30) as s:
        s.sendall(framed(q) * count)
        f = s.makefile('rb')
        for _ in range(count):
            got = read_message(f)
            assert got is not None and got[:2] == q[:2] and got[3] & 15 == 0
    still_serves(n)


GREAT = 40000


def great(n):
    put(n, ZONE, zl.small_zone(20, extra='\n'.join(f'h{i} TXT "{"x" * 120}"' for i in range(GREAT))))
    n.wait_serial(ZONE, 20)
    return n


def test_slow_readers_are_bounded_and_closed(served):
    """They share one version, hold no more than some messages each, and go after transfer-idle."""
    asan = os.environ.get('ASAN_OPTIONS', '') + ':quarantine_size_mb=1'  # which else keeps what is freed
    n, _, _ = served(syncd='transfer-idle = 3s transfers-per-client = 20', env={'ASAN_OPTIONS': asan})
    great(n)
    ask = framed(downstream.wire(downstream.axfr()))
    slow, before = [], None
    try:
        for _ in range(20):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(10)
            s.connect(('127.0.0.1', n.port))
            s.sendall(ask)
            assert s.recv(2), 'it is served, up to here'
            slow.append(s)
            before = before or memory(n.syncd)  # with the zone, which all share
        grown = memory(n.syncd) - before
        assert grown < 16 << 20, f'{grown} octets for 19 more slow readers'
        for serial in range(21, 24):  # they pin nothing: changes are committed meanwhile, and served
            put(n, ZONE, zl.small_zone(serial))
            n.wait_serial(ZONE, serial)
        zl.wait_for(lambda: n.syncd.text().count('the client is too slow') == 20, 'the slow to be closed')
    finally:
        for s in slow:
            s.close()
    assert zl.transfer(n.port, ZONE) == zl.records(zl.small_zone(23), ZONE)
    n.verify()


def test_resets_in_the_middle_of_a_great_zone(served):
    n, _, _ = served()
    great(n)
    ask = framed(downstream.wire(downstream.axfr()))
    for _ in range(20):
        s = connect(n)
        s.sendall(ask)
        assert s.recv(1000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.close()
    put(n, ZONE, downstream.ZONE_TEXT.replace(' 10 3600', ' 30 3600'))
    n.wait_serial(ZONE, 30)
    zl.wait_for(lambda: zl.transfer(n.port, ZONE), 'the zone to be had')
    n.verify()


def test_connections_that_are_left_do_not_lock_others_out(served):
    """A refused client's connection, one with half a question: they make room at once, and go in the end."""
    n, _, _ = served(authd='tcp-idle = 2s', syncd='transfers-per-client = 4')
    refused = framed(downstream.wire(downstream.axfr(CLOSED)))
    left = []
    try:
        for behind in (b'', b'\x00', refused[:-3], refused[:20], b'\x00', b'\x00') * 3:
            s = connect(n)
            s.sendall(refused)
            assert read_message(s.makefile('rb'))[3] & 15 == dns.rcode.REFUSED
            s.sendall(behind)
            left.append(s)
            still_serves(n)
        assert 'too many transfers' not in n.syncd.text()
    finally:
        for s in left:
            s.close()
    still_serves(n)


def test_an_octet_now_and_then_is_no_sign_of_life(served):
    n, _, _ = served(authd='tcp-idle = 1s')
    refused = framed(downstream.wire(downstream.axfr(CLOSED)))
    with connect(n) as s:
        s.sendall(refused)
        assert read_message(s.makefile('rb'))[3] & 15 == dns.rcode.REFUSED
        s.sendall(b'\xff\xff')  # of a question of 65,535 octets

        def closed():
            try:
                return s.send(b'\x00') == 0
            except ConnectionError:
                return True
        zl.wait_for(closed, 'the connection to be closed', timeout=30, step=0.3)
    still_serves(n)
