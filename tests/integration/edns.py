"""EDNS options in questions and answers, octet by octet: dnspython knows few of them."""
import socket

import dns.edns
import dns.message
import dns.query
import zl

NSID, EXPIRE, COOKIE, KEEPALIVE, PADDING, EDE, ZONEVERSION = 3, 9, 10, 11, 12, 15, 19
ZONE = 'example.test'


def query(name, rdtype, *options, **kw):
    """Each option is a code, or a code and octets."""
    made = [dns.edns.GenericOption(*(o if isinstance(o, tuple) else (o, b''))) for o in options]
    return dns.message.make_query(name, rdtype, use_edns=0, payload=1232, options=made, **kw)


def options(r):
    """{code: octets}; each stands there once."""
    found = {}
    for o in r.options:
        assert o.otype not in found, r
        found[int(o.otype)] = o.to_wire()
    return found


def ask(where, name, rdtype, *options, tcp=False, source=None, **kw):
    """`where` has a port."""
    f = dns.query.tcp if tcp else dns.query.udp
    return f(query(name, rdtype, *options, **kw), '127.0.0.1', port=where.port, timeout=10, source=source)


def raw(where, wire, source='127.0.0.1'):
    """Octets by UDP, octets back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.connect(('127.0.0.1', where.port))
        s.settimeout(10)
        s.send(wire)
        return s.recv(4096)


def imported(n, text=None, zone=ZONE):
    """Starts the node with a zone of its own."""
    n.start()
    (n.path / 'zone').write_text(text or zl.small_zone(7, zone=zone))
    n.zonectl('import', zone, n.path / 'zone')
    zl.wait_for(lambda: zl.serial(n.port, zone), 'the zone to be served')
    return n


def reload(process):
    """SIGHUP; waits until it is in force or refused, and tells which."""
    import signal
    said = ('configuration reloaded', 'reload refused')
    before = [process.text().count(s) for s in said]
    process.signal(signal.SIGHUP)
    return zl.wait_for(lambda: next((s for s, k in zip(said, before) if process.text().count(s) > k), None), 'the reload') == said[0]
