"""ZONEVERSION (RFC 9660): the answer says from which version of the zone it is."""
import struct

import dns.rcode
import edns
import zl
from edns import ZONE, ZONEVERSION


def version(n, name, rdtype, *options, tcp=False):
    """(labels, serial), or None."""
    data = edns.options(edns.ask(n, name, rdtype, *(options or (ZONEVERSION,)), tcp=tcp)).get(ZONEVERSION)
    if data is None:
        return None
    labels, kind, serial = struct.unpack('!BBI', data)
    assert kind == 0, 'SOA-SERIAL'
    return labels, serial


def test_it_goes_with_the_version_that_is_served(peer, node):
    n, p = node(), peer('knot')
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    assert version(n, 'www.' + ZONE, 'A') == (2, 1)
    p.load(ZONE, zl.small_zone(2000000000))
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2000000000)
    assert version(n, 'www.' + ZONE, 'A') == (2, 2000000000)
    n.zonectl('rollback', ZONE, '--to', 'v1', '--serial', 'exact', '--reason', 'story')
    n.wait_serial(ZONE, 1)
    assert version(n, 'www.' + ZONE, 'A') == (2, 1)


def test_with_any_answer_of_the_zone_and_no_other(node):
    n = edns.imported(node())
    for name, rdtype in ((ZONE, 'SOA'), ('WWW.' + ZONE, 'A'), ('www.' + ZONE, 'MX'), ('x.' + ZONE, 'A'), ('alias.' + ZONE, 'A'),
                         ('x.sub.' + ZONE, 'A'), ('t.wild.' + ZONE, 'TXT')):
        for tcp in (False, True):
            assert version(n, name, rdtype, tcp=tcp) == (2, 7), name
    r = edns.ask(n, 'elsewhere.test', 'A', ZONEVERSION)
    assert r.rcode() == dns.rcode.REFUSED and ZONEVERSION not in edns.options(r)
    assert ZONEVERSION not in edns.options(edns.ask(n, ZONE, 'SOA')), 'only on request'
    assert version(n, ZONE, 'SOA', (ZONEVERSION, b'\0\0\0\0\0\1')) == (2, 7), 'section 3.2: what the query says in it is ignored'
    assert version(n, ZONE, 'SOA', ZONEVERSION, ZONEVERSION) == (2, 7), 'once'


def test_an_alias_into_another_zone(node):
    """The version is that of the zone of the question, whatever else stands in the answer."""
    other = 'other.test'
    n = edns.imported(node(), zl.small_zone(7, extra=f'away CNAME www.{other}.'))
    (n.path / 'other').write_text(zl.small_zone(9, zone=other))
    n.zonectl('import', other, n.path / 'other')
    zl.wait_for(lambda: zl.serial(n.port, other) == 9, 'the other zone')
    assert version(n, 'away.' + ZONE, 'A') == (2, 7)
    assert version(n, 'www.' + other, 'A') == (2, 9)
