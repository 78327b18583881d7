"""edns-tcp-keepalive (RFC 7828): how long a connection may be idle, told to who asks."""
import contextlib
import socket
import ssl
import struct
import time

import certs
import edns
import zl
from alone import closed, read_message
from edns import KEEPALIVE, ZONE


def framed(q):
    w = q.to_wire()
    return struct.pack('!H', len(w)) + w


def told(s, *options, name=ZONE):
    """The idle time in milliseconds, or None."""
    s.sendall(framed(edns.query(name, 'SOA', *options)))
    data = edns.options(read_message(s)).get(KEEPALIVE)
    return None if data is None else struct.unpack('!H', data)[0] * 100


def connect(n):
    return socket.create_connection(('127.0.0.1', n.port), timeout=30)


def test_the_idle_time_is_told_and_kept(node):
    n = edns.imported(node(authd='tcp-idle = 1500ms'))
    with connect(n) as s:
        began = time.monotonic()
        assert told(s, KEEPALIVE) == 1500
        assert told(s) is None, 'section 3.3.2: only on request'
        assert told(s, KEEPALIVE, name='elsewhere.test') == 1500
        assert closed(s)
        assert time.monotonic() - began >= 1.4, 'not before the time that was told'


def test_never_by_udp(node):
    """Section 3.2.2, whatever the option holds."""
    n = edns.imported(node())
    for option in (KEEPALIVE, (KEEPALIVE, b'\0\1')):
        r = edns.ask(n, ZONE, 'SOA', option)
        assert r.answer and KEEPALIVE not in edns.options(r)


def test_a_reload_changes_it(node):
    n = edns.imported(node(authd='tcp-idle = 20s'))
    with connect(n) as s:
        assert told(s, KEEPALIVE) == 20000
        n.options['authd'] = 'tcp-idle = 40s'
        n.write_config()
        assert edns.reload(n.authd)
        assert told(s, KEEPALIVE) == 40000


def test_longer_than_the_option_can_say(node):
    n = edns.imported(node(authd='tcp-idle = 1h'))
    with connect(n) as s:
        assert told(s, KEEPALIVE) == 3600000
    n.options['authd'] = 'tcp-idle = 3600000ms'
    n.write_config()
    assert edns.reload(n.authd)
    with connect(n) as s:
        assert told(s, KEEPALIVE) == 3600000


def test_by_tls(node, place):
    cert, port = certs.Certificate(place / 'cert'), zl.free_port()
    n = edns.imported(node(authd=f'tcp-idle = 7s listen-tls = {{"127.0.0.1@{port}"}} {cert.items()}'))
    with contextlib.closing(cert.context().wrap_socket(socket.create_connection(('127.0.0.1', port), timeout=30),
                                                       server_hostname=cert.name)) as s:
        assert isinstance(s, ssl.SSLSocket) and told(s, KEEPALIVE) == 7000 and told(s) is None
    assert n.authd.alive()
