"""A zone appears by itself when a trusted primary announces it ("super-slave"), and only then."""
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
import zl

ZONE = 'new.test'
OURS = 'ns1.us.test'


def zone_text(serial, zone=ZONE, ns=OURS):
    return f"""$ORIGIN {zone}.
$TTL 300
@ SOA ns.hidden.test. hostmaster {serial} 3600 600 86400 300
@ NS {ns}.
@ NS ns.elsewhere.test.
www A 192.0.2.80
"""


def trusting(node, p, **more):
    """A node that has no zone, but trusts a primary to bring some."""
    items = {'nameservers': '{"ns9.us.test", "%s"}' % OURS, **more}
    body = ' '.join(f'{k.replace("_", "-")} = {v}' for k, v in items.items())
    n = node(extra=f'autoprimary "customer" {{ primaries = {{"{p.name}"}} {body} }}')
    n.primaries[p.name] = (f'127.0.0.1@{p.port}', p.key)
    return n


def notify(n, zone, key=None, source='127.0.0.1'):
    m = dns.message.make_query(zone, 'SOA')
    m.set_opcode(dns.opcode.NOTIFY)
    m.flags = (m.flags | dns.flags.AA) & ~dns.flags.RD
    if key:
        m.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    return dns.query.udp(m, '127.0.0.1', port=n.port, timeout=5, source=source).rcode()


def refused(n, zone, words):
    zl.wait_for(lambda: any(zone in x and words in x for x in n.syncd.text().splitlines() if 'warning' in x),
                f'the log to say {words!r} of {zone}')
    assert n.ask(zone, 'SOA').rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize('signed', [False, True], ids=['plain', 'tsig'])
@pytest.mark.parametrize('name', sorted(zl.PEERS))
def test_a_zone_appears_and_follows(name, signed, peer, node):
    p = peer(name, zl.Key() if signed else None)
    n = trusting(node, p)
    p.notify_to(n)
    p.write(ZONE, zone_text(1))
    n.start()
    p.start()
    if name in ('bind9', 'pdns'):  # which tell nobody at start, or later
        p.load(ZONE, zone_text(2))
    zl.wait_for(lambda: n.serial(ZONE) in (1, 2), f'the zone to appear: {n.syncd.text()[-2000:]}', timeout=40)
    z = n.zone(ZONE)
    assert z['account'] == 'customer' and z['masters'] == [f'127.0.0.1@{p.port}'], z
    p.load(ZONE, zone_text(7))
    n.wait_serial(ZONE, 7, timeout=40)
    n.verify()


def test_it_is_a_zone_like_any_other_after_a_kill(peer, node):
    p = peer('knot')
    n = trusting(node, p)
    p.write(ZONE, zone_text(1))
    p.start()
    n.start()
    assert notify(n, ZONE) == dns.rcode.NOERROR
    zl.wait_for(lambda: 'a zone appears' in n.syncd.text(), 'the zone to appear')
    n.syncd.kill()
    n.restart()
    if 'a zone is added' not in n.syncd.text():  # killed before the row was stored: told again, as primaries do
        notify(n, ZONE)
    n.wait_serial(ZONE, 1)
    p.load(ZONE, zone_text(2))
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    n.journaled()
    assert [v['serial'] for v in n.log(ZONE)] == [2, 1]
    n.verify()


def test_rules(peer, node):
    """Each refusal is told with the rule that it broke; the answer is PowerDNS's: NOERROR first, then the look."""
    p = peer('knot', zl.Key('bound.test'))
    other = zl.Key('other.test')
    n = trusting(node, p, suffixes='{"test"}', zones_max=2)
    n.options['keys'] = [other]
    for zone, ns in (('one.test', OURS), ('two.test', OURS), ('three.test', OURS), ('foreign.test', 'ns.foreign.test'),
                     ('suffix.example', OURS)):
        p.write(zone, zone_text(1, zone, ns))
    p.start()
    n.start()
    key = p.key
    assert notify(n, 'one.test') == dns.rcode.NOTAUTH
    refused(n, 'one.test', 'not signed with its key')
    assert notify(n, 'one.test', other) == dns.rcode.NOTAUTH
    refused(n, 'one.test', 'signed with another key')
    assert notify(n, 'one.test', key, source='127.0.0.9') == dns.rcode.NOTAUTH
    refused(n, 'one.test', 'comes from no autoprimary')
    assert notify(n, 'suffix.example', key) == dns.rcode.NOTAUTH
    refused(n, 'suffix.example', 'of this suffix')
    assert notify(n, 'foreign.test', key) == dns.rcode.NOERROR
    refused(n, 'foreign.test', 'none of our nameservers')
    assert notify(n, 'absent.test', key) == dns.rcode.NOERROR
    refused(n, 'absent.test', 'an announced zone is not taken')
    for zone in ('one.test', 'two.test'):
        assert notify(n, zone, key) == dns.rcode.NOERROR
        n.wait_serial(zone, 1)
    assert notify(n, 'three.test', key) == dns.rcode.NOERROR
    refused(n, 'three.test', 'zones-max')
    assert sorted(z['name'] for z in n.json('zone', 'list')) == ['one.test.', 'two.test.']


def test_a_zone_of_our_own_is_not_taken_over(peer, node, place):
    p = peer('knot')
    n = trusting(node, p)
    p.write(ZONE, zone_text(9))
    p.start()
    n.start()
    (place / 'own.zone').write_text(zone_text(3))
    n.zonectl('import', ZONE, place / 'own.zone')
    assert notify(n, ZONE) == dns.rcode.NOTAUTH
    assert n.serial(ZONE) == 3 and 'a zone appears' not in n.syncd.text()


def test_its_section_says_who_may_transfer_and_is_told(peer, node):
    p = peer('knot')
    second = node('second')
    n = trusting(node, p, secondaries='{"second"}', transfer_from='{"127.0.0.9/32"}')
    n.secondaries['second'] = second
    second.secondary_of(ZONE, n, **{'refresh-min': '1h', 'retry-min': '1h'})
    p.write(ZONE, zone_text(1))
    p.start()
    n.start()
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 1)
    assert zl.transfer(n.port, ZONE) == zl.records(zone_text(1), ZONE)
    second.start()
    second.wait_serial(ZONE, 1)
    p.load(ZONE, zone_text(2))
    assert notify(n, ZONE) == dns.rcode.NOERROR
    second.wait_serial(ZONE, 2)


def test_many_at_once(peer, node):
    p = peer('knot')
    n = trusting(node, p)
    zones = [f'z{i}.test' for i in range(100)]
    for zone in zones:
        p.write(zone, zone_text(1, zone))
    p.start()
    n.start()
    for zone in zones:
        assert notify(n, zone) == dns.rcode.NOERROR
    zl.wait_for(lambda: all(n.serial(z) == 1 for z in zones), 'all to appear', timeout=60)
    assert n.status()['zones'] == 100
    n.verify()


def test_without_its_section_a_zone_stays_until_it_expires(peer, node):
    p = peer('knot')
    n = trusting(node, p)
    p.write(ZONE, zone_text(1))
    p.start()
    n.start()
    notify(n, ZONE)
    n.wait_serial(ZONE, 1)
    extra, n.options['extra'] = n.options['extra'], ''
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: 'not configured any more' in n.syncd.text(), 'the warning')
    assert n.serial(ZONE) == 1
    n.options['extra'] = extra
    n.write_config()
    n.syncd.signal(1)
    p.load(ZONE, zone_text(2))
    zl.wait_for(lambda: n.zonectl('refresh', ZONE, check=False).returncode == 0, 'the zone to have a primary again')
    n.wait_serial(ZONE, 2)
