"""EXPIRE (RFC 7314): how long a zone is still good for, told to who may take it from us."""
import calendar
import struct
import time

import dns.rcode
import edns
import hostile
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


def test_a_zone_through_another_secondary_lasts_no_longer_than_there(peer, node):
    """Section 4: what comes by AXFR or IXFR from a secondary expires when it does there, not a whole SOA expire later."""
    first, second, p = node('first'), node('second'), peer('knot')
    p.write(ZONE, zl.small_zone(1, refresh=3600, retry=3600, expire=10000))
    p.start()
    first.key = None
    first.secondary_of(ZONE, p)
    first.zone_options[ZONE] = {'transfer-from': '{"127.0.0.0/8"}'}
    first.start()
    first.wait_serial(ZONE, 1)
    zl.wait_for(lambda: expire(first) < 9999, 'time to pass')
    second.secondary_of(ZONE, first, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    before = expire(first)
    second.wait_serial(ZONE, 1)
    assert expire(second) <= before
    deadline = lambda n: calendar.timegm(time.strptime(n.zone(ZONE)['expires_at'], '%Y-%m-%dT%H:%M:%SZ'))
    assert deadline(second) <= deadline(first) + 1  # both are cut to whole seconds
    assert second.log(ZONE)[0]['origin'] == 'axfr'


def test_a_zone_through_named_lasts_no_longer_than_there(peer, node):
    """BIND as the secondary in the middle answers EXPIRE in transfers: AXFR first, then IXFR or what it gives instead."""
    if zl.Bind.missing():
        import pytest
        pytest.skip('skipped: named is not installed')
    p, middle, n = peer('knot', ixfr=True), peer('bind9'), node()
    p.write(ZONE, zl.small_zone(1, refresh=3600, retry=3600, expire=10000))
    p.start()
    middle.configure()
    with open(middle.path / 'named.conf', 'a') as f:
        f.write(f'zone "{ZONE}" {{ type secondary; primaries {{ 127.0.0.1 port {p.port}; }}; file "sec"; allow-transfer {{ any; }}; }};\n')
    middle.process = zl.Process('bind9', middle.command(), middle.path / 'log').start()
    zl.wait_for(lambda: zl.serial(middle.port, ZONE) == 1, 'named to have the zone', 40)
    zl.wait_for(lambda: expire(middle) < 9999, 'time to pass')
    n.secondary_of(ZONE, middle, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    before = expire(middle)
    n.wait_serial(ZONE, 1)
    assert expire(n) <= before < 10000


def test_a_primary_that_never_heard_of_edns(node, primary):
    """It answers FORMERR to a question with EXPIRE, and is asked again without: for the whole zone and for changes."""
    n, p = node(), primary(zl.small_zone(10))
    p.edns = False
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 10)
    p.text, p.ixfr_script = zl.small_zone(12, www='192.0.2.82'), hostile.increments(lambda t: hostile.step(t, 10, 12, 80, 82))
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 12)
    assert (p.transfers, p.increments) == (1, 1)
    assert 0 < expire(n) <= 86400
