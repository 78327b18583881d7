"""A zone from a primary is rolled back under a serial of our own, held, and released: every kind of secondary behind us
follows all of it by itself, since the serial only ever goes forward."""
import pytest
import secondaries
import zl
from signed_zones import sign_ldns

ZONE, OWN = 'example.test', 'own.test'
SLOW = {'refresh-min': '1h', 'retry-min': '1h'}


def text(serial, www, zone=ZONE):
    """Versions that differ in the SOA's serial and one address alone."""
    return zl.small_zone(serial, www=www, zone=zone).replace(f'"version {serial}"', '"text"')


def answers(port, zone, questions):
    """What a server answers to them, as sets of records with their TTLs."""
    found = {}
    for name, rdtype in questions:
        r = zl.ask(port, name, rdtype)
        found[name, rdtype] = r.rcode(), {(str(x.name).lower(), x.rdtype, x.ttl, rr.to_digestable()) for x in r.answer for rr in x}
    return found


def www(port, zone=ZONE):
    r = zl.ask(port, f'www.{zone}', 'A')
    return r.answer[0][0].address if r.answer else None


class Ours:
    """Another node of ours, as a secondary."""
    key = None

    def __init__(self, made, primary):
        self.node = made
        self.name, self.port, self.primary = 'ours', made.port, primary

    def start(self, *zones):
        for zone in zones:
            self.node.primaries['upstream'] = (f'127.0.0.1@{self.primary.port}', None)
            self.node.zones[zone] = ['upstream']
            self.node.zone_options[zone] = {**SLOW, 'transfer-from': '{"127.0.0.0/8"}'}
        self.node.start()

    def wait_serial(self, zone, want):
        self.node.wait_serial(zone, want)

    def stop(self):
        pass


def upstream(peer, node, first=None, **options):
    """A node that is to take ZONE, from serial 10 on, and what it comes from."""
    n = node()
    p = peer('knot', ixfr=True).notify_to(n)
    p.write(ZONE, first or text(10, '192.0.2.10'))
    p.start()
    n.secondary_of(ZONE, p, **{**SLOW, 'transfer-from': '{"127.0.0.0/8"}', **options})
    return n, p


def grow(n, p, *serials):
    n.wait_serial(ZONE, 10)
    for s in serials:
        p.load(ZONE, text(s, f'192.0.2.{s}'))
        n.wait_serial(ZONE, s)
    n.journaled()


def test_every_secondary_follows_rollback_and_release(peer, node, place):
    n, p = upstream(peer, node)
    behind = [c(place / f'behind-{c.name}', n) for c in secondaries.SECONDARIES.values() if not c.missing()]
    behind.append(Ours(node('ours'), n))
    n.primary_of(ZONE, *behind)
    n.primary_of(OWN, *behind)
    n.zone_options[OWN]['transfer-from'] = '{"127.0.0.0/8"}'
    n.start()
    for serial in (1, 2):
        n.zonectl('import', OWN, '-', stdin=text(serial, f'192.0.2.{serial}', OWN))
    grow(n, p)
    try:
        for s in behind:
            s.start(ZONE, OWN)
        follow(n, p, behind)
    finally:
        for s in behind:
            s.stop()
    n.verify()
    n.fsck()


def all_have(n, behind, zone, serial, address):
    """All records are compared, not only the serials."""
    n.wait_serial(zone, serial)
    assert www(n.port, zone) == address
    questions = sorted({(name, rdtype) for name, _, rdtype, _ in zl.transfer(n.port, zone)})
    want = answers(n.port, zone, questions)
    assert sum(len(records) for _, records in want.values()) > 10
    for s in behind:
        s.wait_serial(zone, serial)
        assert answers(s.port, zone, questions) == want, s.name


def follow(n, p, behind):
    all_have(n, behind, OWN, 2, '192.0.2.2')
    n.zonectl('rollback', OWN, '--to', 'v1')
    all_have(n, behind, OWN, 3, '192.0.2.1')

    all_have(n, behind, ZONE, 10, '192.0.2.10')
    for serial in (11, 12):
        p.load(ZONE, text(serial, f'192.0.2.{serial}'))
        all_have(n, behind, ZONE, serial, f'192.0.2.{serial}')
    n.zonectl('rollback', ZONE, '--to', '10', '--serial', 'local', '--reason', 'bad push')
    all_have(n, behind, ZONE, 13, '192.0.2.10')
    z = n.zone(ZONE)
    assert z['state'] == 'held' and z['serial'] == 13 and z['theirs'] == 10

    p.load(ZONE, text(13, '192.0.2.13'))
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 13 to wait')
    diff = n.json('diff', ZONE, 'current', 'waiting')
    assert diff['to']['serial'] == 13 and any('192.0.2.13' in x for x in diff['added'])
    all_have(n, behind, ZONE, 13, '192.0.2.10')

    n.zonectl('release', ZONE)
    all_have(n, behind, ZONE, 14, '192.0.2.13')
    assert n.zone(ZONE)['theirs'] == 13 and n.zone(ZONE)['state'] == 'ok'
    p.load(ZONE, text(14, '192.0.2.14'))  # theirs is what we serve already: ours goes on
    all_have(n, behind, ZONE, 15, '192.0.2.14')
    assert n.log(ZONE)[0]['origin'] == 'ixfr' and n.log(ZONE)[0]['theirs'] == 14
    p.load(ZONE, text(30, '192.0.2.30'))  # and here the series join
    all_have(n, behind, ZONE, 30, '192.0.2.30')
    assert n.zone(ZONE)['theirs'] is None


def test_the_serial_survives_kill_restart_and_a_lost_store(peer, node):
    """Ours goes on behind what was served, theirs is what the primary is asked by."""
    n, p = upstream(peer, node, **{'rollback-serial': 'local'})
    n.start()
    grow(n, p, 11, 12)
    n.zonectl('rollback', ZONE, '--to', '11')
    n.wait_serial(ZONE, 13)
    p.load(ZONE, text(13, '192.0.2.13'))
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 13 to wait')
    n.kill()
    n.restart()
    n.wait_serial(ZONE, 13)
    assert www(n.port) == '192.0.2.11' and n.zone(ZONE)['theirs'] == 11
    n.zonectl('refresh', ZONE)
    assert [v['serial'] for v in n.log(ZONE)].count(13) == 2, 'what waits is not fetched once more'
    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 14)
    n.kill()
    n.restart()
    n.wait_serial(ZONE, 14)
    p.load(ZONE, text(14, '192.0.2.14'))
    n.wait_serial(ZONE, 15)
    newest = n.log(ZONE)[0]
    assert (newest['serial'], newest['theirs'], newest['origin']) == (15, 14, 'ixfr')
    n.journaled()
    trailers = n.git('log', '-1', '--format=%B', f'refs/heads/{ZONE}')
    assert 'Serial: 15\n' in trailers and 'Primary-Serial: 14\n' in trailers
    n.verify()
    n.fsck()


def test_release_with_nothing_waiting_goes_on_behind_ours(peer, node):
    n, p = upstream(peer, node)
    n.start()
    grow(n, p, 11, 12)
    n.zonectl('rollback', ZONE, '--to', '11')
    n.wait_serial(ZONE, 13)
    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 14)
    assert www(n.port) == '192.0.2.12' and n.zone(ZONE)['theirs'] == 12
    n.zonectl('rollback', ZONE, '--to', 'v1', '--serial', 'exact')
    n.wait_serial(ZONE, 10)
    n.zonectl('rollback', ZONE, '--to', 'v2')
    n.wait_serial(ZONE, 15)  # behind all that was served, exact ones too
    again = n.zonectl('rollback', ZONE, '--to', 'v2', check=False)
    assert again.returncode == 1 and 'served already' in again.stderr
    n.verify()


def test_a_signed_zone_bears_no_serial_of_ours(peer, node, place):
    """It goes back as it was: who follows keeps what it has until the primary goes on."""
    if not zl.tool('ldns-signzone'):
        pytest.skip('skipped: ldnsutils is not installed')
    n, p = upstream(peer, node, first=sign_ldns(place, ZONE, text(10, '192.0.2.10')))
    behind = secondaries.Knot(place / 'behind', n)
    n.primary_of(ZONE, behind)
    n.start()
    n.wait_serial(ZONE, 10)
    p.load(ZONE, sign_ldns(place, ZONE, text(11, '192.0.2.11')))
    n.wait_serial(ZONE, 11)
    behind.start(ZONE)
    try:
        behind.wait_serial(ZONE, 11)
        r = n.zonectl('rollback', ZONE, '--to', '10', '--serial', 'local', check=False)
        assert r.returncode == 1 and 'the signature of its SOA would be wrong' in r.stderr
        n.zonectl('rollback', ZONE, '--to', '10')
        n.wait_serial(ZONE, 10)
        assert www(n.port) == '192.0.2.10' and n.zone(ZONE)['theirs'] is None
        zl.wait_for(lambda: 'zone is up-to-date' in behind.text() or 'remote is outdated' in behind.text()
                    or 'has older serial' in behind.text() or 'is up-to-date' in behind.text(), 'the secondary to have looked')
        assert zl.serial(behind.port, ZONE) == 11 and www(behind.port) == '192.0.2.11'
        p.load(ZONE, sign_ldns(place, ZONE, text(12, '192.0.2.12')))
        zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 12 to wait')
        n.zonectl('release', ZONE)
        behind.wait_serial(ZONE, 12)
    finally:
        behind.stop()
    n.verify()


def test_what_waited_for_its_time_is_served_under_ours(peer, node):
    n, p = upstream(peer, node, **{'stage-time': '1s'})
    n.start()
    grow(n, p, 11, 12)
    n.zonectl('rollback', ZONE, '--to', '10')
    n.wait_serial(ZONE, 13)
    n.zonectl('release', ZONE)  # fetched once more, and late again
    n.wait_serial(ZONE, 14)
    assert www(n.port) == '192.0.2.12' and n.zone(ZONE)['theirs'] == 12
    p.load(ZONE, text(13, '192.0.2.13'))
    n.wait_serial(ZONE, 15)
    assert www(n.port) == '192.0.2.13' and n.zone(ZONE)['theirs'] == 13
    p.load(ZONE, text(14, '192.0.2.14'))
    n.wait_serial(ZONE, 16)
    n.verify()
    n.fsck()
