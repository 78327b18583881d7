"""EXPIRE (RFC 7314): how long a zone is still good for, told to who may take it from us."""
import struct

import dns.rcode
import edns
import zl
from edns import EXPIRE, ZONE


def expire(n, name=ZONE, rdtype='SOA', **kw):
    data = edns.options(edns.ask(n, name, rdtype, EXPIRE, **kw)).get(EXPIRE)
    return None if data is None else struct.unpack('!I', data)[0]


def test_a_secondary_tells_what_is_left(peer, node):
    """Section 4: not what the SOA says, but what is left of it; never more than the primary's own answer gave."""
    n, p = node(), peer('knot')
    p.write(ZONE, zl.small_zone(1, refresh=3600, retry=3600, expire=10000))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    first = zl.wait_for(lambda: expire(n), 'the deadline to be known')
    assert 9900 < first <= 10000
    assert zl.wait_for(lambda: expire(n) < first, 'time to pass')
    assert expire(n, tcp=True) <= first
    assert EXPIRE not in edns.options(edns.ask(n, ZONE, 'SOA')), 'only on request'
    for name, rdtype in ((ZONE, 'NS'), ('www.' + ZONE, 'SOA'), ('x.' + ZONE, 'A'), ('ns1.sub.' + ZONE, 'SOA'), ('elsewhere.test', 'SOA')):
        assert expire(n, name, rdtype) is None, (name, rdtype)


def test_no_promise_once_it_has_expired(peer, node):
    n, p = node(), peer('knot')
    p.write(ZONE, zl.small_zone(1, refresh=1, retry=1, expire=3))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    p.stop()
    zl.wait_for(lambda: n.ask(ZONE, 'SOA').rcode() == dns.rcode.SERVFAIL, 'the zone to expire', timeout=40)
    assert expire(n) is None


def test_a_zone_of_our_own_has_all_its_time(node):
    """Section 3: a primary gives the SOA's field. Nothing runs out here."""
    n = edns.imported(node(), zl.small_zone(1, expire=86400))
    assert expire(n) == 86400
    assert expire(n) == 86400


def test_bind_takes_it_from_us(peer, node):
    """named asks its primary for EXPIRE with each SOA query, and believes the answer: it must not complain, and must follow."""
    if zl.Bind.missing():
        import pytest
        pytest.skip('skipped: named is not installed')
    n = edns.imported(node(), zl.small_zone(1, expire=86400))
    down = peer('bind9')
    n.primary_of(ZONE)
    n.zone_options.setdefault(ZONE, {})['transfer-from'] = '{"127.0.0.0/8"}'
    n.write_config()
    n.syncd.signal(1)
    down.configure()
    with open(down.path / 'named.conf', 'a') as f:
        f.write(f'zone "{ZONE}" {{ type secondary; primaries {{ 127.0.0.1 port {n.port}; }}; file "sec"; request-expire yes; }};\n')
    down.process = zl.Process('bind9', down.command(), down.path / 'log').start()
    zl.wait_for(lambda: zl.serial(down.port, ZONE) == 1, 'named to have the zone', 40)
    assert 'FORMERR' not in down.process.text() and 'unexpected' not in down.process.text()
    told = struct.unpack('!I', edns.options(edns.ask(down, ZONE, 'SOA', EXPIRE))[EXPIRE])[0]
    assert 86000 < told <= 86400
