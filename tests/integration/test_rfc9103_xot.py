"""Zone transfer over TLS (RFC 9103): authd ends TLS and carries octets, syncd sees a plain stream."""
import os
import shutil
import socket
import subprocess
import threading

import certs
import dns.message
import dns.rcode
import pytest
import zl
from alone import at_rest, FakeSyncd, acknowledge, descriptors, framed, read_exactly, read_message, udp, version
from test_rfc7858_dot import TLS, V12, V13, asks, dial, dot  # noqa: F401, a fixture


def transfer_request():
    return framed(dns.message.make_query('example.', 'AXFR'))


def begin_transfer(p, s, c, behind=b''):
    """A transfer is asked for behind an ordinary query; gives syncd's end."""
    before = len(s.streams)
    q = transfer_request()
    c.sendall(framed(version(1)) + q + behind)
    assert read_message(c).id == 1
    stream = zl.wait_for(lambda: s.streams[before:], 'the hand-over')[0]
    stream['socket'].settimeout(15)
    assert stream['transport'] == TLS and stream['octets'].startswith(q)
    return stream


def test_a_transfer_goes_to_syncd_which_sees_a_plain_stream(dot):
    """Octets are carried both ways, and ends are passed on."""
    p = dot(extra='tcp-idle = 500ms tcp-write = 60s')
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: sorted(s.roles) == [1, 1, 2], 'workers and updater to connect')
        before = at_rest(p)
        with dial(p) as c:
            stream = begin_transfer(p, s, c, framed(version(2)))
            data = os.urandom(3_000_000)
            t = threading.Thread(target=lambda: (stream['socket'].sendall(data), stream['socket'].shutdown(socket.SHUT_WR)))
            t.start()
            assert read_exactly(c, len(data)) == data
            t.join()
            got = stream['octets'][len(transfer_request()):] + b''
            if len(got) < len(framed(version(2))):
                got += read_exactly(stream['socket'], len(framed(version(2))) - len(got))
            assert got == framed(version(2)), 'what was sent behind the request is not lost'
            assert c.recv(1) == b'', 'close_notify'
        zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')
        with dial(p) as c:  # the client ends first
            stream = begin_transfer(p, s, c)
            c.sendall(b'more')
            assert read_exactly(stream['socket'], 4) == b'more'
        assert stream['socket'].recv(10) == b''
        stream['socket'].close()
        with dial(p) as c:  # syncd dies
            stream = begin_transfer(p, s, c)
            stream['socket'].close()
            assert c.recv(1) == b''
        zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')
    finally:
        s.close()


def test_a_transfer_that_the_client_does_not_read(dot):
    """syncd is stopped by it, nothing grows here, and nobody else notices."""
    p = dot(workers=1)
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: 1 in s.roles, 'the worker to connect')
        with dial(p) as c:
            stream = begin_transfer(p, s, c)
            stream['socket'].settimeout(1)
            sent = 0
            with pytest.raises(TimeoutError):
                while sent < 200_000_000:
                    sent += stream['socket'].send(bytes(1_000_000))
            assert udp(p, version(2)).id == 2
            with dial(p) as other:
                assert asks(other, 3)
            stream['socket'].close()
            n = 0
            while part := c.recv(1_000_000):
                n += len(part)
            assert n == sent, 'what syncd has said arrives all the same'
    finally:
        s.close()


def test_a_transfer_without_syncd(dot):
    p = dot()
    with dial(p) as c:
        c.sendall(transfer_request() + framed(version(2)))
        assert read_message(c).rcode() == dns.rcode.SERVFAIL
        assert read_message(c).id == 2


@pytest.mark.skipif(not shutil.which('kdig'), reason='skipped: kdig is not installed')
def test_kdig_transfers_a_large_zone(node, place):
    """The whole way: syncd streams out of the store, through authd's TLS."""
    cert = certs.Certificate(place / 'cert')
    port = zl.free_port()
    n = node(authd=f'listen-tls = {{"127.0.0.1@{port}"}} {cert.items()}',
             extra='zone "example.test" { transfer-from = {"127.0.0.1"} }')
    n.start()
    lines = ''.join(f'h{i} TXT "{"x" * 100} {i}"\n' for i in range(20_000))
    (place / 'z.zone').write_text(zl.small_zone(1, extra=lines))
    n.zonectl('import', 'example.test', place / 'z.zone')
    zl.wait_for(lambda: n.serial('example.test') == 1, 'the zone to be served')
    r = subprocess.run(['kdig', '@127.0.0.1', '-p', str(port), f'+tls-ca={cert.crt}', f'+tls-hostname={cert.name}', '+retry=0',
                        'example.test', 'AXFR'], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0 and r.stdout.count('TXT\t') > 20_000, r.stdout[-1000:] + r.stderr


@pytest.mark.parametrize('rdtype', ['AXFR', 'IXFR'])
def test_only_over_tls_1_3(dot, rdtype):
    """7.1, 7.2: with an older version, or without ALPN, there are answers, but no zones."""
    p = dot()
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: 1 in s.roles, 'a worker to connect')
        with dial(p, p.cert.context(version=V12)) as c:
            c.sendall(framed(version(1)) + framed(dns.message.make_query('example.', rdtype)) + framed(version(2)))
            assert [read_message(c).rcode() for _ in range(3)] == [dns.rcode.NOERROR, dns.rcode.REFUSED, dns.rcode.NOERROR]
        with dial(p, p.cert.context(alpn=None)) as c:  # 7.1: without ALPN neither
            c.sendall(framed(version(1)) + framed(dns.message.make_query('example.', rdtype)))
            assert [read_message(c).rcode() for _ in range(2)] == [dns.rcode.NOERROR, dns.rcode.REFUSED]
        assert not s.streams
        with dial(p, p.cert.context(version=V13)) as c:
            begin_transfer(p, s, c)['socket'].close()
    finally:
        s.close()
