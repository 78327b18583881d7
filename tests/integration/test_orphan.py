"""The primary of a zone that came by itself does not serve it any more: the zone is marked, stays served, and
goes only if the configuration says so."""
import dns.rcode
import pytest
import zl
from test_autoprimary import OURS, notify, trusting, zone_text
from test_undelete import gone

ZONE = 'gone.test'
OTHER = 'stays.test'
QUICK = 'refresh_min', '"1s"', 'refresh_max', '"1s"', 'retry_min', '"1s"', 'retry_max', '"1s"'
TIMES = dict(zip(QUICK[::2], QUICK[1::2]))


def brought(peer, node, syncd, name='knot', key=None):
    """A node to which the peer has brought two zones."""
    p = peer(name, key)
    n = trusting(node, p, **TIMES)
    n.options['syncd'] = syncd
    for zone in (ZONE, OTHER):
        p.write(zone, zone_text(1, zone))
    p.start()
    n.start()
    for zone in (ZONE, OTHER):
        assert notify(n, zone, key) == dns.rcode.NOERROR
        n.wait_serial(zone, 1)
    return n, p


def drop(p, *zones):
    """The peer serves these no more; others stay, so that it goes on answering."""
    p.stop()
    for zone in zones:
        del p.zones[zone]
    if p.name == 'pdns':
        for zone in zones:
            p.util('delete-zone', zone)
        p.process.start()
        zl.wait_for(lambda: zl.serial(p.port, OTHER) is not None, 'the peer to serve again')
    else:
        p.start()


def metric(n):
    line = next(x for x in n.zonectl('metrics').stdout.splitlines() if x.startswith('zoneledger_zones_orphaned '))
    return int(line.split()[1])


def orphaned(n):
    zl.wait_for(lambda: n.zone(ZONE)['state'] == 'orphan', f'the mark: {n.syncd.text()[-1500:]}')


@pytest.mark.parametrize('name,signed', [('knot', False), ('knot', True), ('nsd', False), ('bind9', True), ('pdns', False)])
def test_it_is_marked_and_stays_served(name, signed, peer, node):
    n, p = brought(peer, node, 'orphan-after = "2s"', name, zl.Key() if signed else None)
    assert metric(n) == 0
    drop(p, ZONE)
    orphaned(n)
    z = n.zone(ZONE)
    assert z['orphan'] and z['unserved_since'] and z['serial'] == 1 and n.serial(ZONE) == 1
    assert metric(n) == 1 and n.status()['states']['orphan'] == 1
    assert [x['name'] for x in n.status()['attention']] == [ZONE + '.']
    assert 'orphan' in n.zonectl('zone', 'list').stdout and not n.zone(OTHER)['orphan']

    # Over a restart, and told once.
    n.syncd.kill()
    n.restart()
    assert n.zone(ZONE)['state'] == 'orphan' and metric(n) == 1 and n.serial(ZONE) == 1
    failures = n.zone(ZONE)['failures']
    zl.wait_for(lambda: n.zone(ZONE)['failures'] > failures, 'another round')
    assert n.syncd.text().count('a zone is an orphan') == 1

    # A good answer clears it.
    p.stop()
    p.write(ZONE, zone_text(2, ZONE))
    if name == 'pdns':
        p.fill(ZONE)
        p.process.start()
    else:
        p.start()
    n.wait_serial(ZONE, 2)
    zl.wait_for(lambda: n.zone(ZONE)['state'] == 'ok', 'the zone to be well')
    assert metric(n) == 0 and n.zone(ZONE)['unserved_since'] is None
    assert n.syncd.text().count('a zone is no orphan any more') == 1
    n.verify()


def test_silence_makes_no_orphan(peer, node):
    n, p = brought(peer, node, 'orphan-after = "1s"')
    p.stop()
    failures = n.zone(ZONE)['failures']
    zl.wait_for(lambda: n.zone(ZONE)['failures'] > failures + 1, 'two rounds without an answer')
    assert n.zone(ZONE)['state'] == 'failing' and n.zone(ZONE)['unserved_since'] is None


def test_a_key_that_changed_makes_no_orphan(peer, node):
    """NOTAUTH with BADKEY is about us, not about the zone."""
    n, p = brought(peer, node, 'orphan-after = "1s"', 'knot', zl.Key('old.test'))
    p.stop()
    p.key = zl.Key('new.test')
    p.process = None
    p.start()
    failures = n.zone(ZONE)['failures']
    zl.wait_for(lambda: n.zone(ZONE)['failures'] > failures + 1, 'two rounds with a key that is wrong')
    assert n.zone(ZONE)['state'] == 'failing' and n.zone(ZONE)['unserved_since'] is None


def test_nothing_is_removed_unless_it_is_configured(peer, node):
    n, p = brought(peer, node, 'orphan-after = "1s"')
    drop(p, ZONE)
    orphaned(n)
    failures = n.zone(ZONE)['failures']
    zl.wait_for(lambda: n.zone(ZONE)['failures'] > failures + 2, 'more rounds')
    assert n.zone(ZONE)['state'] == 'orphan' and n.serial(ZONE) == 1


def test_it_is_removed_if_that_is_configured(peer, node):
    n, p = brought(peer, node, 'orphan-after = "1s" orphan-remove = "2s"')
    drop(p, ZONE)
    gone(n)
    n.journaled()
    z = n.zone(ZONE)
    assert z['state'] == 'removed' and z['account'] == 'customer' and metric(n) == 0
    log = n.log(ZONE)
    assert [v['origin'] for v in log] == ['remove', 'axfr'] and log[0]['who'] == 'test-node'
    assert 'none of its primaries serves it since' in log[0]['reason'] and log[0]['source'] == 'orphan-remove'
    assert '192.0.2.80' in n.zonectl('show', ZONE).stdout
    assert n.serial(OTHER) == 1

    # An operator knows better: it comes back, and has its time again.
    n.options['syncd'] = 'orphan-after = "1s"'
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    n.zonectl('undelete', ZONE)
    n.wait_serial(ZONE, 1)
    orphaned(n)
    assert n.serial(ZONE) == 1, 'a round without its primaries does not end it'
    p.stop()
    p.write(ZONE, zone_text(5, ZONE, OURS))
    p.start()
    n.wait_serial(ZONE, 5)
    n.verify()
