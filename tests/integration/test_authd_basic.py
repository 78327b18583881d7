"""authd by itself, as a client and as syncd see it: sockets, TCP, the hand-over, start and stop.

Most stories run without syncd: version.bind and REFUSED are answers enough.
"""
import selectors
import signal
import socket
import struct
import subprocess
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest
import zl
from alone import (FakeSyncd, at_rest, acknowledge, closed, connect, descriptors, framed, notify, read_exactly, read_message,
                   udp, version)


# ---------------------------------------------------------------- start, reload, stop

def test_serves_before_the_store_exists(authd):
    p = authd()
    assert udp(p, dns.message.make_query('example.', 'A')).rcode() == dns.rcode.REFUSED
    assert udp(p, notify()).rcode() == dns.rcode.SERVFAIL
    assert udp(p, dns.update.Update('example.')).rcode() == dns.rcode.SERVFAIL
    r = dns.query.tcp(notify(), '127.0.0.1', port=p.port, timeout=5)
    assert r.rcode() == dns.rcode.SERVFAIL
    zl.wait_for(lambda: 'waiting for syncd' in p.text(), 'authd to say whom it waits for')


def test_reload(authd):
    p = authd()
    p.configure('server-id = "changed" tcp-clients = 7')
    p.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in p.text(), 'the reload')
    r = udp(p, dns.message.make_query('id.server', 'TXT', 'CH'))
    assert 'changed' in str(r.answer[0])
    p.configure('server-id = "wrong" no-such-item = 1')
    p.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'reload refused' in p.text(), 'the refusal')
    assert 'zl.conf:5' in p.text()
    assert 'changed' in str(udp(p, dns.message.make_query('id.server', 'TXT', 'CH')).answer[0])
    p.configure('', level='info')
    text = (p.path / 'zl.conf').read_text().replace(f'@{p.port}', f'@{p.port + 1}')
    (p.path / 'zl.conf').write_text(text)
    p.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'listen changes only with a restart' in p.text(), 'the hint')


def test_command_line(place):
    def run(*args):
        return subprocess.run([zl.BIN / 'authd', *map(str, args)], capture_output=True, text=True, timeout=20)
    assert run('--version').stdout.startswith('authd ')
    assert 'SIGHUP' in run('--help').stdout
    assert '## ' in run('--help-config').stdout or 'listen' in run('--help-config').stdout
    assert run('--nonsense').returncode == 64
    conf = place / 'zl.conf'
    conf.write_text(f'data-dir = "{place}"\nrun-dir = "{place}"\nauthd {{ listen = {{"127.0.0.1@1"}} }}\n')
    assert run('-c', conf, '--check-config').returncode == 0
    conf.write_text('authd { listen = {"not an address"} }\n')
    r = run('-c', conf, '--check-config')
    assert r.returncode == 1 and 'zl.conf:1' in r.stderr
    conf.write_text(f'data-dir = "{place}"\nrun-dir = "{place}"\n')
    r = run('-c', conf)
    assert r.returncode == 1 and 'nothing to listen on' in r.stderr


def test_a_second_authd_is_refused(authd):
    p = authd()
    second = authd(port=p.port)
    assert second.p.wait(10) == 1
    assert 'in use' in second.text()
    assert udp(p, version()).answer


# ---------------------------------------------------------------- UDP

def test_udp_answers_leave_from_the_address_that_was_asked(authd):
    p = authd(listen='0.0.0.0')
    for where in ('127.0.0.1', '127.0.0.2', '127.1.2.3'):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(version().to_wire(), (where, p.port))
            assert s.recvfrom(4096)[1] == (where, p.port)


def test_udp6(authd):
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(('::1', 0))
    except OSError:
        pytest.skip('skipped: no IPv6 here')
    p = authd(listen='::')
    assert udp(p, version(), '::1').answer
    with pytest.raises(dns.exception.Timeout):  # IPv4 is not taken along
        udp(p, version(), '127.0.0.1', timeout=0.5)


def test_udp_silence(authd):
    """Responses and scraps get no answer: two servers must never talk for ever."""
    p = authd()
    response = dns.message.make_response(version())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(('127.0.0.1', p.port))
        for junk in (b'', b'\0', bytes(11), response.to_wire(), b'\xff' * 600):
            s.send(junk)
        s.send(version(77).to_wire())
        assert dns.message.from_wire(s.recv(4096)).id == 77


def test_udp_many_at_once(authd):
    p = authd()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(('127.0.0.1', p.port))
        for i in range(100):
            s.send(version(i).to_wire())
        assert {dns.message.from_wire(s.recv(4096)).id for _ in range(100)} == set(range(100))


def test_large_datagram_is_formerr(authd):
    p = authd()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(('127.0.0.1', p.port))
        s.send(version(1).to_wire() + bytes(6000))
        assert s.recv(4096)[3] & 15 == dns.rcode.FORMERR


# ---------------------------------------------------------------- TCP (RFC 7766)

def test_tcp_pipeline(authd):
    p = authd()
    with connect(p) as s:
        s.sendall(b''.join(framed(version(i)) for i in range(500)))
        assert [read_message(s).id for _ in range(500)] == list(range(500))


def test_tcp_octet_by_octet(authd):
    p = authd()
    with connect(p) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in framed(version(5)) + framed(version(6)):
            s.send(bytes([octet]))
            time.sleep(0.001)  # one segment each
        assert [read_message(s).id for _ in range(2)] == [5, 6]


def test_tcp_half_close(authd):
    p = authd()
    with connect(p) as s:
        s.sendall(framed(version(1)) + framed(version(2)) + b'\0')
        s.shutdown(socket.SHUT_WR)
        assert [read_message(s).id for _ in range(2)] == [1, 2]
        assert closed(s)


def test_tcp_garbage_closes(authd):
    p = authd()
    for junk in (b'\0\0', b'\0\x05hello', framed(dns.message.make_response(version()))):
        with connect(p) as s:
            s.sendall(junk)
            assert closed(s)


def test_tcp_long_message(authd):
    """64 KiB that are no message: FORMERR, and the connection goes on."""
    p = authd()
    with connect(p) as s:
        s.sendall(b'\xff\xff' + version(9).to_wire() + bytes(65535 - len(version().to_wire())))
        assert read_exactly(s, 4)[2:] == struct.pack('!H', 9)
        s.settimeout(5)
        s.recv(65536)
        s.sendall(framed(version(10)))
        assert read_message(s).id == 10


def test_tcp_deadlines(authd):
    p = authd(extra='tcp-first = 300ms tcp-idle = 900ms')
    start = time.monotonic()
    with connect(p) as silent, connect(p) as slow, connect(p) as good:
        good.sendall(framed(version(1)))
        assert read_message(good).id == 1
        for octet in framed(version(2))[:5]:  # a client that sends an octet now and then is silent too
            slow.send(bytes([octet]))
        assert closed(silent) and closed(slow)
        assert 0.25 < time.monotonic() - start < 3
        assert closed(good)
        assert 0.8 < time.monotonic() - start < 5


def test_tcp_limits(authd):
    p = authd(extra='tcp-clients = 5 tcp-per-source = 3 tcp-first = 20s')
    first = [connect(p) for _ in range(3)]
    for s in first:
        s.sendall(framed(version(1)))
        assert read_message(s).id == 1
    with connect(p) as s:
        assert closed(s)
    others = []
    for i in range(3):
        s = socket.socket()
        s.settimeout(10)
        s.bind((f'127.0.0.{20 + i}', 0))
        s.connect(('127.0.0.1', p.port))
        s.sendall(framed(version(2)))
        others.append(s)
    # The limit of all: each is let in, and for the third one of the first has to go.
    assert [read_message(s).id for s in others] == [2, 2, 2]
    open_again = selectors.DefaultSelector()
    for s in first:
        open_again.register(s, selectors.EVENT_READ)
    gone = open_again.select(20)
    assert len(gone) == 1 and closed(gone[0][0].fileobj)
    for s in first + others:
        s.close()


def test_tcp_client_that_never_reads(authd):
    """It is closed, nothing grows, and others are answered meanwhile."""
    p = authd(workers=1)
    before = at_rest(p)
    query = framed(version(1)) * 1000
    with connect(p, timeout=0.5) as s:
        sent = 0
        try:
            while sent < 300_000_000:
                sent += s.send(query)
        except (TimeoutError, ConnectionError):
            pass
        assert sent < 100_000_000
        assert udp(p, version(2)).id == 2
        rss = [int(line.split()[1]) for line in open(f'/proc/{p.p.pid}/status') if line.startswith('VmRSS')][0]
        assert rss < 400_000  # kB; a sanitizer's shadow included
        zl.wait_for(lambda: descriptors(p) <= before, 'the connection to be closed', timeout=30)


def test_tcp_out_of_descriptors(authd):
    """accept pauses and goes on; UDP is answered meanwhile, and nothing leaks."""
    p = authd(workers=1, extra='tcp-clients = 1000 tcp-per-source = 1000 tcp-first = 60s')
    before = at_rest(p)
    subprocess.run(['prlimit', f'--pid={p.p.pid}', f'--nofile={before + 10}:'], check=True)
    clients = [connect(p) for _ in range(30)]
    zl.wait_for(lambda: 'wait until there are descriptors' in p.text(), 'accept to pause')
    assert udp(p, version(2)).id == 2
    for s in clients[:15]:
        s.close()
    clients[29].sendall(framed(version(3)))
    for s in clients[15:29]:
        s.close()
    assert read_message(clients[29]).id == 3
    clients[29].close()
    zl.wait_for(lambda: descriptors(p) <= before, 'all descriptors back')


# ---------------------------------------------------------------- the hand-over

def test_handover_roundtrip(authd):
    p = authd(workers=2)
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: sorted(s.roles) == [1, 1, 2], 'all threads to connect')
        zl.wait_for(lambda: 'connected to syncd' in p.text(), 'authd to say so')
        r = udp(p, notify())
        assert r.rcode() == dns.rcode.NOERROR and r.flags & dns.flags.AA
        with connect(p) as c:
            c.sendall(framed(version(1)) + framed(notify()) + framed(version(2)))
            got = [read_message(c) for _ in range(3)]
            assert {m.opcode() for m in got} == {dns.opcode.QUERY, dns.opcode.NOTIFY}
        assert dns.query.tcp(dns.update.Update('example.'), '127.0.0.1', port=p.port,
                             timeout=5).rcode() == dns.rcode.NOERROR
        assert [m['transport'] for m in s.messages] == [1, 2, 2]
        for m in s.messages:
            assert m['destination'][0] == 4 and m['destination'][1:3] == struct.pack('!H', p.port)
            assert m['destination'][3:7] == bytes([127, 0, 0, 1]) == m['source'][3:7]
    finally:
        s.close()


def test_handover_signed_query(authd):
    """It goes over with its ready answer; what comes back is sent as it is."""
    p = authd()
    key = zl.Key()

    def sign(m):
        assert m['answer'] and m['answer'][:2] == m['wire'][:2]
        return m['answer'][:-1] + b'\x2a'  # any octets: authd does not look
    s = FakeSyncd(p.path, sign)
    try:
        zl.wait_for(lambda: len(s.roles) == 3, 'all threads to connect')
        q = version(1)
        q.use_tsig(key.ring(), key.name + '.')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
            c.settimeout(5)
            c.sendto(q.to_wire(), ('127.0.0.1', p.port))
            got = c.recv(4096)
        assert got[-1] == 0x2a and got[:-1] == s.messages[0]['answer'][:-1]
    finally:
        s.close()
    # Without syncd a signed query gets SERVFAIL, an unsigned one its answer.
    zl.wait_for(lambda: 'syncd has gone away' in p.text(), 'authd to notice')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
        c.settimeout(5)
        c.sendto(q.to_wire(), ('127.0.0.1', p.port))
        assert c.recv(4096)[3] & 15 == dns.rcode.SERVFAIL
    assert udp(p, version()).answer


def test_handover_syncd_dies_and_comes_back(authd):
    p = authd()
    s = FakeSyncd(p.path, lambda m: None)  # takes messages, says nothing
    try:
        zl.wait_for(lambda: len(s.roles) == 3, 'all threads to connect')
        with connect(p) as c:
            c.sendall(framed(notify()) * 3 + framed(version(7)))
            assert read_message(c).id == 7
            zl.wait_for(lambda: len(s.messages) == 3, 'the messages')
            s.close()
            assert [read_message(c).rcode() for _ in range(3)] == [dns.rcode.SERVFAIL] * 3
    finally:
        if s.running:
            s.close()
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: len(s.roles) == 3, 'all threads to connect again')
        assert udp(p, notify()).rcode() == dns.rcode.NOERROR
    finally:
        s.close()


def test_handover_of_the_first_message_once_syncd_is_back(authd):
    """No worker waits for its next attempt while a primary is told SERVFAIL."""
    p = authd(workers=4)
    began = time.monotonic()
    assert udp(p, notify()).rcode() == dns.rcode.SERVFAIL
    zl.wait_for(lambda: time.monotonic() - began > 0.8, 'attempts to be seldom')  # 0.1, 0.3, 0.7, 1.2, 1.7 s
    s = FakeSyncd(p.path, acknowledge)
    try:
        assert [udp(p, notify()).rcode() for _ in range(30)] == [dns.rcode.NOERROR] * 30
        zl.wait_for(lambda: sorted(s.roles) == [1, 1, 1, 1, 2], 'all threads to connect, once each')
    finally:
        s.close()


def test_handover_silence_ends_in_servfail(authd):
    """A client that is gone when its reply is due leaves nothing behind."""
    p = authd()
    s = FakeSyncd(p.path, lambda m: None)
    try:
        zl.wait_for(lambda: len(s.roles) == 3, 'all threads to connect')
        before = at_rest(p)
        gone = connect(p)
        gone.sendall(framed(notify()))
        zl.wait_for(lambda: len(s.messages) == 1, 'the message')
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        gone.close()
        start = time.monotonic()
        assert udp(p, notify(), timeout=10).rcode() == dns.rcode.SERVFAIL
        assert 4 < time.monotonic() - start < 9
        zl.wait_for(lambda: descriptors(p) <= before, 'all descriptors back')
        assert udp(p, version()).answer
    finally:
        s.close()


def test_handover_flood(authd):
    """More NOTIFY than tickets while syncd says nothing: SERVFAIL for the rest, queries go on."""
    p = authd(workers=1)
    s = FakeSyncd(p.path, lambda m: None)
    try:
        zl.wait_for(lambda: len(s.roles) == 2, 'all threads to connect')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
            c.settimeout(10)
            c.connect(('127.0.0.1', p.port))
            wire = notify().to_wire()
            answered = 0
            for i in range(12000):
                c.send(wire)
                if i % 50 == 49:  # no faster than it is read
                    c.send(version(1).to_wire())
                    while dns.message.from_wire(c.recv(4096)).opcode() != dns.opcode.QUERY:
                        answered += 1
            assert answered > 0
    finally:
        s.close()


def test_handover_bad_frame_is_disconnected(authd):
    p = authd(workers=1)
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: len(s.roles) == 2, 'all threads to connect')
        for c in list(s.conns):
            c.send(b'\x07nonsense')
        zl.wait_for(lambda: len(s.roles) == 4, 'all threads to connect again')
        assert udp(p, notify()).rcode() == dns.rcode.NOERROR
    finally:
        s.close()


# ---------------------------------------------------------------- with syncd

@pytest.fixture
def zone_text():
    def make(serial, extra=''):
        return ('$TTL 3600\n@ SOA ns1 host %d 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n'
                'www A 192.0.2.80\n%s' % (serial, extra))
    return make


def imported(node, text):
    (node.path / 'z.zone').write_text('$ORIGIN example.\n' + text)
    node.zonectl('import', 'example.', node.path / 'z.zone')


def test_serves_while_syncd_is_away_and_follows_when_it_is_back(node, zone_text):
    n = node().start()
    imported(n, zone_text(1))
    zl.wait_for(lambda: n.ask('www.example.', 'A').answer, 'the zone')
    n.syncd.kill()
    zl.wait_for(lambda: 'syncd has gone away' in n.authd.text(), 'authd to notice')
    assert n.ask('www.example.', 'A').answer
    n.authd.stop()
    n.authd.start()  # alone, from the store
    zl.wait_for(lambda: n.ask('www.example.', 'A').answer, 'the zone')
    n.restart()
    imported(n, zone_text(2, 'new A 192.0.2.81\n'))
    zl.wait_for(lambda: n.ask('new.example.', 'A').answer, 'the change')
    n.verify()


CORNERS = """$ORIGIN example.test.
$TTL 3600
@ SOA ns1 host 7 3600 900 604800 300
@ NS ns1
@ NS ns2
ns1 A 192.0.2.1
ns2 A 192.0.2.2
mail A 192.0.2.25
www A 192.0.2.80
www AAAA 2001:db8::80
a.b.c.ent A 192.0.2.3
*.w A 192.0.2.99
*.w TXT "star"
host.w A 192.0.2.98
sub.deep.w A 192.0.2.97
*.cw CNAME www
x.*.entw A 192.0.2.96
sub NS ns.sub
sub NS ns1
ns.sub A 192.0.2.53
hidden.sub A 192.0.2.66
sib NS ns.sub
far NS ns.elsewhere.test.
sub DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
d DNAME www
d2 DNAME w
*.dw DNAME w
c-cut CNAME x.sub
c-dname CNAME x.d2
c-gone CNAME absent
c-nodata CNAME mail
srv SRV 0 0 1 www
"""

CORNER_NAMES = """@ ns1 www x.www ent c.ent x.ent a.b.c.ent x.a.b.c.ent x.w y.x.w host.w x.host.w deep.w x.deep.w *.w z.*.w w
x.cw x.entw *.entw x.*.entw y.*.entw sub hidden.sub x.hidden.sub ns.sub sib x.sib far x.far d x.d y.x.d d2 x.d2
host.d2 dw x.dw y.x.dw c-cut c-dname c-gone c-nodata srv absent""".split()


def records(message, section):
    return sorted((str(r.name).lower(), r.rdtype, r.ttl, tuple(sorted(x.to_digestable() for x in r)))
                  for r in getattr(message, section))


@pytest.mark.parametrize('name', ['knot', 'nsd', 'bind9'])
def test_corner_cases_equal_the_primarys(name, peer, node):
    """Wildcards, empty non-terminals, cuts, DNAME and chains, as three other servers see them."""
    zone = 'example.test'
    p = peer(name)
    p.write(zone, CORNERS)
    p.start()
    n = node().secondary_of(zone, p).start()
    n.wait_serial(zone, 7)
    wrong = []
    for rel in CORNER_NAMES:
        owner = zone + '.' if rel == '@' else f'{rel}.{zone}.'
        for t in ('A', 'AAAA', 'NS', 'SOA', 'TXT', 'CNAME', 'DNAME', 'SRV', 'DS', 'TYPE65280'):
            mine, theirs = n.ask(owner, t, True), zl.ask(p.port, owner, t, True)
            same = (mine.rcode() == theirs.rcode() and records(mine, 'answer') == records(theirs, 'answer') and
                    not (mine.flags ^ theirs.flags) & dns.flags.AA)
            # The zone's NS beside a positive answer is optional (RFC 1034 4.3.2).
            positive = mine.answer and not mine.authority
            if not same or not (positive or records(mine, 'authority') == records(theirs, 'authority')):
                wrong.append(f'--- ours\n{mine}\n--- {name}\n{theirs}')
    assert not wrong, f'{len(wrong)} differ:\n' + '\n\n'.join(wrong[:3])
