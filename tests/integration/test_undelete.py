"""A zone is taken away by an operator, and brought back: for a removed zone history stays readable."""
import json

import dns.rcode
import zl
from test_autoprimary import OURS, notify, trusting, zone_text

ZONE = 'gone.test'


def own_text(serial):
    return f"""$ORIGIN {ZONE}.
$TTL 300
@ SOA ns hostmaster {serial} 3600 600 86400 300
@ NS ns
ns A 192.0.2.1
www A 192.0.2.{serial}
"""


def gone(n):
    zl.wait_for(lambda: n.ask(ZONE, 'SOA').rcode() == dns.rcode.REFUSED, 'the zone to be gone')


def imported(n, place, *serials):
    for serial in serials:
        (place / 'own.zone').write_text(own_text(serial))
        n.zonectl('import', ZONE, place / 'own.zone')
    n.wait_serial(ZONE, serials[-1])


def test_a_zone_of_our_own(node, place):
    n = node()
    n.start()
    imported(n, place, 1, 2)
    n.zonectl('zone', 'remove', ZONE, '--dry-run')
    assert n.serial(ZONE) == 2
    n.zonectl('zone', 'remove', ZONE, '--reason', 'moved to another house')
    gone(n)
    n.journaled()

    # What was, and who took it away, can be read as ever: by zonectl and by git.
    log = n.log(ZONE)
    assert [(v['version'], v['origin'], v['serial']) for v in log] == [(3, 'remove', 2), (2, 'import', 2), (1, 'import', 1)]
    assert log[0]['reason'] == 'moved to another house' and not any(v['current'] for v in log)
    assert '192.0.2.2' in n.zonectl('show', ZONE).stdout and '192.0.2.1\n' in n.zonectl('show', f'{ZONE}@v1').stdout
    assert any('192.0.2.2' in line for line in n.json('diff', ZONE, 'v1')['added'])
    subject, *body = n.git('log', '-1', '--format=%B', f'refs/heads/{ZONE}').splitlines()
    assert subject == f'{ZONE} 2 → 2 (+0 −0)' and 'Origin: remove' in body and 'Reason: moved to another house' in body
    assert n.zone(ZONE)['state'] == 'removed' and n.status()['states']['removed'] == 1
    for verb in (('zone', 'remove', ZONE), ('rollback', ZONE, '--to', 'v1')):
        assert n.zonectl(*verb, check=False).returncode == 1
    n.verify()

    # A restart changes nothing about it; then it comes back as it was.
    n.syncd.kill()
    n.authd.kill()
    n.restart()
    gone(n)
    out = n.zonectl('undelete', ZONE, '--reason', 'it stays').stdout
    assert 'serial 2 is served as version v4' in out
    n.wait_serial(ZONE, 2)
    assert n.zonectl('undelete', ZONE, check=False).returncode == 1
    n.journaled()
    assert [v['origin'] for v in n.log(ZONE)] == ['undelete', 'remove', 'import', 'import']

    # Or as it was earlier, under a serial that secondaries follow.
    n.zonectl('zone', 'remove', ZONE)
    gone(n)
    dry = json.loads(n.zonectl('--json', 'undelete', ZONE, '--to', 'v1', '--dry-run').stdout)
    assert any('192.0.2.1' in line for line in dry['added'])
    gone(n)
    n.zonectl('undelete', ZONE, '--to', 'v1')
    n.wait_serial(ZONE, 3)
    assert n.ask(f'www.{ZONE}', 'A').answer[0][0].address == '192.0.2.1'
    imported(n, place, 9)
    n.verify()
    n.fsck()


def test_its_secondaries_follow_after_an_undelete(node, place):
    second = node('second')
    n = node().primary_of(ZONE, second)
    second.secondary_of(ZONE, n, **{'refresh-min': '1h', 'retry-min': '1s', 'retry-max': '1s'})
    n.start()
    imported(n, place, 4)
    second.start()
    second.wait_serial(ZONE, 4)
    n.zonectl('zone', 'remove', ZONE)
    gone(n)
    n.zonectl('undelete', ZONE, '--to', 'v1')
    imported(n, place, 5)
    second.wait_serial(ZONE, 5)


def test_a_zone_that_an_autoprimary_brought(peer, node):
    """With its primaries and its account; and its place among the autoprimary's zones is free meanwhile."""
    p = peer('knot')
    n = trusting(node, p, zones_max=1)
    for zone in (ZONE, 'other.test'):
        p.write(zone, zone_text(1, zone))
    p.start()
    n.start()
    notify(n, ZONE)
    n.wait_serial(ZONE, 1)
    assert n.zonectl('zone', 'remove', ZONE).returncode == 0
    gone(n)
    p.load(ZONE, zone_text(2, ZONE))
    n.zonectl('undelete', ZONE)
    z = n.zone(ZONE)
    assert z['account'] == 'customer' and z['masters'] == [f'127.0.0.1@{p.port}'], z
    n.wait_serial(ZONE, 2)  # it is looked after again, at once
    p.load(ZONE, zone_text(3, ZONE))
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 3)

    n.zonectl('zone', 'remove', ZONE)
    gone(n)
    notify(n, 'other.test')
    n.wait_serial('other.test', 1)
    n.zonectl('zone', 'remove', 'other.test')
    n.zonectl('undelete', ZONE, '--to', '2', '--serial', 'exact')
    n.wait_serial(ZONE, 2)
    assert n.zone(ZONE)['state'] == 'held', 'an older version stays until release'
    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 3)
    n.verify()


def test_a_removed_zone_that_is_announced_anew_comes_back(peer, node):
    p = peer('knot')
    n = trusting(node, p)
    p.write(ZONE, zone_text(1, ZONE))
    p.start()
    n.start()
    notify(n, ZONE)
    n.wait_serial(ZONE, 1)
    n.zonectl('zone', 'remove', ZONE)
    gone(n)
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 1)
    p.load(ZONE, zone_text(2, ZONE))
    notify(n, ZONE)
    n.wait_serial(ZONE, 2)
    n.journaled()
    assert [v['origin'] for v in n.log(ZONE)][1:] == ['remove', 'axfr']
    n.verify()


def test_what_the_configuration_has_is_not_removed(peer, node):
    p = peer('knot')
    p.write(ZONE, zone_text(1, ZONE, OURS))
    p.start()
    n = node().secondary_of(ZONE, p)
    n.start()
    n.wait_serial(ZONE, 1)
    r = n.zonectl('zone', 'remove', ZONE, check=False)
    assert r.returncode == 1 and 'stands in the configuration' in r.stderr
    n.zones = {}
    n.write_config()
    n.syncd.signal(1)
    gone(n)
    r = n.zonectl('undelete', ZONE, check=False)
    assert r.returncode == 1 and 'put it back there' in r.stderr
    assert '192.0.2.80' in n.zonectl('show', ZONE).stdout
