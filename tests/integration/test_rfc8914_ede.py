"""Extended DNS Errors (RFC 8914): why there is no answer."""
import socket
import struct

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import edns
import zl
from edns import EDE, ZONE

NOT_READY, PROHIBITED, NOT_AUTHORITATIVE, NOT_SUPPORTED, INVALID_DATA = 14, 18, 20, 21, 24


def why(r):
    data = edns.options(r).get(EDE)
    return None if data is None else struct.unpack('!H', data[:2])[0]


def asked(n, name, rdtype, **kw):
    r = edns.ask(n, name, rdtype, **kw)
    return r.rcode(), why(r)


def test_each_refusal_says_why(node):
    n = edns.imported(node())
    zl.wait_for(lambda: 'all zones of the store are served' in n.authd.text(), 'authd to have read all zones')
    for tcp in (False, True):
        assert asked(n, 'elsewhere.test', 'A', tcp=tcp) == (dns.rcode.REFUSED, NOT_AUTHORITATIVE)
        assert asked(n, 'version.bind', 'TXT', rdclass='CH', tcp=tcp) == (dns.rcode.REFUSED, PROHIBITED)
        assert asked(n, ZONE, 'A', rdclass='HS', tcp=tcp) == (dns.rcode.REFUSED, NOT_SUPPORTED)
        assert asked(n, ZONE, 'MAILA', tcp=tcp) == (dns.rcode.NOTIMP, NOT_SUPPORTED)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM):
        wire = edns.raw(n, edns.query(ZONE, 'AXFR').to_wire())
    r = dns.message.from_wire(wire)
    assert (r.rcode(), why(r)) == (dns.rcode.REFUSED, NOT_SUPPORTED)


def test_what_is_answered_has_no_error(node):
    n = edns.imported(node())
    for name in (ZONE, 'www.' + ZONE, 'x.' + ZONE, 'x.sub.' + ZONE, 'out.' + ZONE, 'loop1.' + ZONE):
        assert asked(n, name, 'A')[1] is None


def test_without_edns_the_refusal_is_plain(node):
    n = edns.imported(node())
    r = dns.query.udp(dns.message.make_query('elsewhere.test', 'A'), '127.0.0.1', port=n.port, timeout=10)
    assert r.rcode() == dns.rcode.REFUSED and r.edns == -1


def test_an_expired_zone(peer, node):
    n, p = node(), peer('knot')
    p.write(ZONE, zl.small_zone(1, refresh=1, retry=1, expire=3))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    p.stop()
    zl.wait_for(lambda: asked(n, 'www.' + ZONE, 'A') == (dns.rcode.SERVFAIL, INVALID_DATA), 'the zone to expire', timeout=40)


def test_syncd_is_away(node):
    """A NOTIFY that nobody takes, and a signed query that nobody can check."""
    n = edns.imported(node())
    n.syncd.kill()
    q = edns.query(ZONE, 'SOA')
    q.set_opcode(dns.opcode.NOTIFY)
    r = dns.query.udp(q, '127.0.0.1', port=n.port, timeout=10)
    assert (r.rcode(), why(r)) == (dns.rcode.SERVFAIL, NOT_READY)
    assert asked(n, ZONE, 'SOA') == (dns.rcode.NOERROR, None), 'everything else goes on'
