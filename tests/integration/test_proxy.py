"""Behind a load balancer: PROXY protocol, version 2, in front of datagrams, of TCP and of TLS.

Who authd takes the client to be is seen by what it hands over to syncd, and by whom its limits count.
"""
import shutil
import signal
import socket
import ssl
import struct
import subprocess

import certs
import dns.message
import dns.rcode
import pytest
import zl
from alone import at_rest, FakeSyncd, acknowledge, closed, connect, descriptors, framed, notify, read_message, version

SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
LOCAL, PROXY = 0x20, 0x21
STREAM, DATAGRAM = 1, 2


def header(source=('192.0.2.1', 4097), destination=('198.51.100.7', 53), kind=STREAM, command=PROXY, tlvs=b''):
    family = socket.AF_INET6 if ':' in source[0] else socket.AF_INET
    body = (socket.inet_pton(family, source[0]) + socket.inet_pton(family, destination[0])
            + struct.pack('!HH', source[1], destination[1]) + tlvs)
    return SIGNATURE + struct.pack('!BBH', command, (2 if family == socket.AF_INET6 else 1) << 4 | kind, len(body)) + body


def address(octets):
    """An address of a hand-over frame: family, port, 16 octets."""
    family, port = struct.unpack_from('!BH', octets)
    n, kind = (4, socket.AF_INET) if family == 4 else (16, socket.AF_INET6)
    return socket.inet_ntop(kind, octets[3:3 + n]), port


def send(p, data, source='127.0.0.1', fenced=True):
    """One datagram, and its answer; None if the next good one (a fence behind it) is answered first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.bind((source, 0))
        s.connect(('127.0.0.1', p.port))
        s.send(data)
        if not fenced:
            return s.recv(4096)
        fence = version(0x6666).to_wire()
        s.send(fence if source != '127.0.0.1' else header(kind=DATAGRAM) + fence)
        first = s.recv(4096)
        return None if first[:2] == fence[:2] else first


@pytest.fixture
def proxied(authd):
    """authd for which 127.0.0.1 is a balancer, and anything else is not."""
    def make(extra='', **kw):
        return authd(extra='proxy-from = {"127.0.0.1", "2001:db8::/32"} ' + extra, **kw)
    return make


# ---------------------------------------------------------------- datagrams

@pytest.mark.parametrize('client', [('192.0.2.1', 4097), ('2001:db8::1', 65535)], ids=['ipv4', 'ipv6'])
def test_a_datagram_tells_its_client(proxied, client):
    p = proxied()
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: s.roles.count(1) == 2, 'the workers to connect')
        here = ('198.51.100.7', 53) if '.' in client[0] else ('2001:db8::53', 53)
        q = notify()
        r = send(p, header(client, here, DATAGRAM) + q.to_wire(), fenced=False)
        assert dns.message.from_wire(r).id == q.id
        assert [address(s.messages[0][k]) for k in ('source', 'destination')] == [client, here]
        q = version(7)
        assert send(p, header(client, here, DATAGRAM, tlvs=b'\4\0\5abcde\x20\0\1x') + q.to_wire())[:2] == b'\0\7'
    finally:
        s.close()


def test_the_balancer_speaks_for_itself(proxied):
    """LOCAL: its health checks; the addresses are those of the socket."""
    p = proxied()
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: s.roles.count(1) == 2, 'the workers to connect')
        for local in (SIGNATURE + b'\x20\0\0\0', header(kind=DATAGRAM, command=LOCAL)):
            assert send(p, local + notify().to_wire(), fenced=False)
            assert address(s.messages[-1]['source'])[0] == '127.0.0.1'
            assert address(s.messages[-1]['destination']) == ('127.0.0.1', p.port)
    finally:
        s.close()


def test_datagrams_that_a_balancer_must_not_send(proxied):
    p = proxied()
    q = version(9).to_wire()
    for wrong in (q, b'PROXY UDP4 192.0.2.1 198.51.100.7 4097 53\r\n' + q, SIGNATURE + q, header(kind=DATAGRAM)[:-1],
                  SIGNATURE + b'\x21\0\0\0' + q, SIGNATURE + b'\x21\x31\0\xd8' + bytes(216) + q,
                  SIGNATURE + b'\x22' + header(kind=DATAGRAM)[13:] + q, header(kind=DATAGRAM, tlvs=bytes(2000)) + q, b'', b'\r'):
        assert send(p, wrong) is None, wrong
    assert send(p, header(kind=DATAGRAM)) is None, 'a header and nothing behind it'


def test_a_header_from_elsewhere_is_garbage(proxied):
    """Else anybody could be anybody. The signature makes an odd message: no query that has an answer."""
    p = proxied('tcp-first = 500ms')
    r = send(p, header(kind=DATAGRAM) + version(9).to_wire(), source='127.0.0.2')
    assert r is None or (r[:2] == SIGNATURE[:2] and r[3] & 15 != dns.rcode.NOERROR)
    assert send(p, version(9).to_wire(), source='127.0.0.2')[:2] == b'\0\x09'
    with socket.socket() as s:
        s.settimeout(15)
        s.bind(('127.0.0.2', 0))
        s.connect(('127.0.0.1', p.port))
        s.sendall(header() + framed(version(9)))
        assert closed(s), 'its first octets promise a message of 3,338, which never comes'


@pytest.mark.skipif(not shutil.which('kdig'), reason='skipped: kdig is not installed')
def test_kdig_as_balancer(proxied):
    p = proxied()
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: s.roles.count(1) == 2, 'the workers to connect')
        for transport in ('+notcp', '+tcp'):
            r = subprocess.run(['kdig', '@127.0.0.1', '-p', str(p.port), transport, '+retry=0', '+proxy=203.0.113.9#1234-198.51.100.1#53',
                                'version.bind', 'TXT', 'CH'], capture_output=True, text=True, timeout=30)
            assert 'v' * 200 in r.stdout, r.stdout
            subprocess.run(['kdig', '@127.0.0.1', '-p', str(p.port), transport, '+proxy=203.0.113.9#1234-198.51.100.1#53',
                            '-t', 'NOTIFY', 'example.'], capture_output=True, text=True, timeout=30)
            assert address(s.messages[-1]['source']) == ('203.0.113.9', 1234)
        assert len(s.messages) == 2
    finally:
        s.close()


# ---------------------------------------------------------------- connections

def test_a_connection_tells_its_client_once(proxied):
    p = proxied()
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: s.roles.count(1) == 2, 'the workers to connect')
        with connect(p) as c:
            c.sendall(header() + framed(version(1)) + framed(notify()))
            assert read_message(c).id == 1 and read_message(c)
            c.sendall(framed(version(2)))
            assert read_message(c).id == 2
        assert address(s.messages[0]['source']) == ('192.0.2.1', 4097)
        assert address(s.messages[0]['destination']) == ('198.51.100.7', 53)
        with connect(p) as c:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in header(tlvs=bytes(30)) + framed(version(3)):
                c.send(bytes([octet]))
            assert read_message(c).id == 3
        with connect(p) as c:
            c.sendall(SIGNATURE + b'\x20\0\0\0' + framed(version(4)))
            assert read_message(c).id == 4
    finally:
        s.close()


def test_connections_that_a_balancer_must_not_make(proxied):
    p = proxied('tcp-first = 500ms')
    before = at_rest(p)
    for wrong in (framed(version(1)), b'PROXY TCP4 192.0.2.1 198.51.100.7 4097 53\r\n', SIGNATURE + b'\x21\0\0\0', SIGNATURE[:11] + b'\r',
                  SIGNATURE + b'\x21\x11\xff\xff', SIGNATURE + b'\x31\x11\0\x0c' + bytes(12), b'', SIGNATURE[:5], header()[:-1]):
        with connect(p, timeout=15) as c:
            c.sendall(wrong)
            assert closed(c), wrong
    zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')


def test_limits_count_the_client_not_the_balancer(proxied):
    p = proxied('tcp-per-source = 2 tcp-first = 60s tcp-idle = 60s')
    busy = []
    for i in range(2):
        busy.append(connect(p))
        busy[-1].sendall(header() + framed(version(i)))
        assert read_message(busy[-1]).id == i
    with connect(p) as third:
        third.sendall(header(('192.0.2.1', 9999)) + framed(version(3)))
        assert closed(third)
    others = []
    for i in range(5):
        others.append(connect(p))
        others[-1].sendall(header((f'192.0.2.{10 + i}', 1)) + framed(version(i)))
        assert read_message(others[-1]).id == i
    busy[0].close()

    def room():
        with connect(p) as c:
            c.sendall(header() + framed(version(4)))
            try:
                return read_message(c).id == 4
            except EOFError:
                return False
    zl.wait_for(room, 'the place to be free again')
    for c in busy + others:
        c.close()


def test_tls_behind_the_header(proxied, place):
    cert = certs.Certificate(place / 'cert')
    port = zl.free_port()
    p = proxied(f'listen-tls = {{"127.0.0.1@{port}"}} {cert.items()}')
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: s.roles.count(1) == 2, 'the workers to connect')
        raw = socket.create_connection(('127.0.0.1', port), timeout=10)
        raw.sendall(header(tlvs=b'\4\0\1x'))
        with cert.context().wrap_socket(raw, server_hostname=cert.name) as c:
            c.sendall(framed(notify()))
            assert read_message(c)
        assert address(s.messages[0]['source']) == ('192.0.2.1', 4097) and s.messages[0]['transport'] == 3
        with socket.create_connection(('127.0.0.1', port), timeout=10) as c:
            hello = ssl.MemoryBIO()
            client = cert.context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname=cert.name)
            with pytest.raises(ssl.SSLWantReadError):
                client.do_handshake()
            c.sendall(header() + hello.read())  # in one segment: not an octet too many is read
            assert c.recv(5)[:3] == b'\x16\x03\x03', 'a ServerHello'
        with pytest.raises(OSError):
            cert.context().wrap_socket(socket.create_connection(('127.0.0.1', port), timeout=10), server_hostname=cert.name)
    finally:
        s.close()


def test_balancers_change_with_a_reload(authd):
    p = authd()
    assert send(p, version(5).to_wire(), source='127.0.0.2')[:2] == b'\0\5'
    p.configure('proxy-from = {"127.0.0.2/31"}')
    p.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in p.text(), 'the reload')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.bind(('127.0.0.3', 0))
        s.connect(('127.0.0.1', p.port))
        s.send(version(6).to_wire())
        s.send(header(kind=DATAGRAM) + version(7).to_wire())
        assert s.recv(4096)[:2] == b'\0\7'
