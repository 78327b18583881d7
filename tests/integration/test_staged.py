"""Canary nodes serve a new version at once; the others wait for a while, and an operator may hurry or stop them."""
import datetime
import re
import signal
import subprocess

import catalogs
import zl

ZONE = 'example.test'
LONG = '1h'


def staged(node, peer, which='knot', time=LONG, **options):
    p = peer(which)
    n = node().secondary_of(ZONE, p, stage_time=time, **options)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.start()
    n.wait_serial(ZONE, 1)  # a first version is served at once
    return p, n


def send(p, *nodes, serial, **kw):
    p.load(ZONE, zl.small_zone(serial, **kw))
    for n in nodes:
        n.zonectl('refresh', ZONE)


def wait_staged(n, version):
    def there():
        z = n.zone(ZONE)
        return z['staged'] and z['staged']['version'] == version and z
    return zl.wait_for(there, f'v{version} to wait for its time')


def set_time(n, time):
    n.zone_options[ZONE]['stage_time'] = time
    n.write_config()
    reloads = n.syncd.text().count('configuration reloaded')
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: n.syncd.text().count('configuration reloaded') > reloads, 'the reload')


def due_of(z):
    """When the version that waits is served."""
    return datetime.datetime.fromisoformat(re.search(r'is served at (\S+)Z;', z['next'])[1])


def clean(n):
    n.journaled()
    n.fsck()
    n.verify()


def test_the_canary_serves_what_production_still_waits_for(node, peer):
    p = peer('knot')
    canary = node('canary').secondary_of(ZONE, p, stage_time='0')
    production = node('production').secondary_of(ZONE, p, stage_time=LONG)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    for n in (canary, production):
        n.start()
        n.wait_serial(ZONE, 1)
    send(p, canary, production, serial=2, www='192.0.2.99')
    canary.wait_serial(ZONE, 2)
    z = wait_staged(production, 2)
    assert z['state'] == 'staged' and z['waiting'] and z['failures'] == 0 and production.serial(ZONE) == 1
    assert 'version v2 is served at ' in z['next'] and 'SOA query to' in z['next']
    said = production.zonectl('zone', 'show', ZONE).stdout
    assert 'waits for its time' in said and ZONE in production.zonectl('status').stdout
    diff = production.zonectl('diff', ZONE, 'current', 'waiting').stdout
    assert f'-www.{ZONE}.' in diff and '192.0.2.99' in diff
    assert 'zoneledger_zones{state="staged"} 1' in production.zonectl('metrics').stdout
    production.journaled()
    assert production.git('log', '-1', '--format=%s', f'refs/waiting/{ZONE}').strip()
    send(p, production, serial=3)
    wait_staged(production, 3)
    dry = production.zonectl('release', ZONE, '--dry-run').stdout
    assert 'nothing was changed' in dry and production.serial(ZONE) == 1
    production.zonectl('release', ZONE, '--reason', 'the canary is well')  # the newest
    production.wait_serial(ZONE, 3)
    newest = production.log(ZONE)[0]
    assert newest['origin'] == 'release' and newest['reason'] == 'the canary is well'
    z = production.zone(ZONE)
    assert z['staged'] is None and zl.wait_for(lambda: production.zone(ZONE)['state'] == 'ok', 'all to be well')
    again = production.zonectl('release', ZONE, check=False)
    assert again.returncode == 1 and 'no version waits' in again.stderr
    clean(production)


def test_each_is_served_when_its_time_has_come_however_often_the_zone_changes(node, peer):
    p, n = staged(node, peer, time='3s')
    send(p, n, serial=2)
    wait_staged(n, 2)
    send(p, n, serial=3)
    wait_staged(n, 3)
    send(p, n, serial=4)
    n.wait_serial(ZONE, 2)  # nothing that came behind it kept it
    served = next(v for v in n.log(ZONE) if v['current'])
    assert served['origin'] == 'release' and served['reason'] == 'staged for 3s' and served['source'].startswith('v')
    assert served['who'] == f'127.0.0.1@{p.port}' and 'a version is served, its time is over' in n.syncd.text()
    n.wait_serial(ZONE, 4)
    assert n.zone(ZONE)['state'] == 'ok' and n.zone(ZONE)['staged'] is None
    clean(n)


def test_a_rejected_one_is_never_served(node, peer):
    p, n = staged(node, peer)
    send(p, n, serial=2, www='192.0.2.66')
    wait_staged(n, 2)
    n.zonectl('staged', 'reject', ZONE, '--reason', 'the canary is dead')
    z = n.zone(ZONE)
    assert z['staged'] == {'version': 2, 'rejected': True} and z['state'] != 'staged' and not z['waiting']
    again = n.zonectl('staged', 'reject', ZONE, check=False)
    assert again.returncode == 1 and 'no version of the zone waits' in again.stderr
    n.syncd.kill()
    n.restart()
    n.zonectl('refresh', ZONE)
    set_time(n, '1s')
    checked = n.zone(ZONE)['last_check']
    zl.wait_for(lambda: n.zone(ZONE)['last_check'] != checked, 'another look at the primary')
    assert n.serial(ZONE) == 1 and len(n.log(ZONE)) == 2  # not fetched again either
    send(p, n, serial=3)
    n.wait_serial(ZONE, 3)
    assert n.zone(ZONE)['staged'] is None
    clean(n)


def test_what_waits_outlives_a_kill_and_its_time_goes_on(node, peer):
    p, n = staged(node, peer)
    send(p, n, serial=2)
    due = due_of(wait_staged(n, 2))
    n.syncd.kill()
    n.restart()
    z = n.zone(ZONE)
    assert z['state'] == 'staged' and n.serial(ZONE) == 1
    assert abs((due_of(z) - due).total_seconds()) <= 2  # two clocks, rounded
    send(p, n, serial=3)
    wait_staged(n, 3)
    set_time(n, '1s')  # shorter: it counts from when they came
    n.wait_serial(ZONE, 3)
    set_time(n, LONG)
    send(p, n, serial=4)
    wait_staged(n, len(n.log(ZONE)))
    n.syncd.kill()
    n.zone_options[ZONE]['stage_time'] = '0'
    n.write_config()
    n.restart()
    n.wait_serial(ZONE, 4)
    clean(n)


def test_a_rollback_meanwhile_holds_the_zone_and_nothing_comes_by_itself(node, peer):
    p, n = staged(node, peer, time='0')
    send(p, n, serial=2)
    n.wait_serial(ZONE, 2)
    set_time(n, '2s')
    send(p, n, serial=3)
    wait_staged(n, 3)
    n.zonectl('rollback', ZONE, '--serial', 'exact', '--to', 'v1')
    n.wait_serial(ZONE, 1)
    z = zl.wait_for(lambda: (z := n.zone(ZONE)) and z['waiting'] and z, 'the newest to wait for the release')
    assert z['state'] == 'held' and z['staged'] is None
    send(p, n, serial=4)
    zl.wait_for(lambda: n.log(ZONE)[0]['serial'] == 4, 'another one to wait')
    assert n.serial(ZONE) == 1
    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 4)
    clean(n)


def test_what_a_guard_refuses_is_never_staged(node, peer):
    p, n = staged(node, peer, guard_serial_jump=1000)
    send(p, n, serial=2)
    wait_staged(n, 2)
    send(p, n, serial=5000)
    q = zl.wait_for(lambda: n.zone(ZONE)['quarantine'], 'it to be quarantined')
    z = n.zone(ZONE)
    assert q['version'] == 3 and z['staged']['version'] == 2 and z['state'] == 'quarantined'
    send(p, n, serial=3)  # behind both of them in the store, compared with what is good
    wait_staged(n, 4)
    set_time(n, '1s')
    n.wait_serial(ZONE, 3)
    clean(n)


def test_members_of_a_catalog_come_when_it_is_published(node, peer):
    p = peer('knot')
    n = catalogs.follower(node, p, catalogs.section(primary=p.name, stage_time=LONG))
    p.write(catalogs.CATALOG, catalogs.text(1, {}))
    p.write('one.test', catalogs.member('one.test'))
    p.start()
    n.start()
    zl.wait_for(lambda: n.zone(catalogs.CATALOG)['version'] == 1, 'the catalog to be here')
    p.load(catalogs.CATALOG, catalogs.text(2, {'one.test': 'a'}))
    n.zonectl('refresh', catalogs.CATALOG)
    zl.wait_for(lambda: n.zone(catalogs.CATALOG)['staged'], 'the list to wait')
    assert catalogs.names(n) == []
    n.zonectl('release', catalogs.CATALOG)
    catalogs.served(n, 'one.test')  # its first version waits for nothing
    clean(n)


def test_a_restored_node_fetches_what_waited_once_more(node, peer, tmp_path):
    p, n = staged(node, peer)
    send(p, n, serial=2)
    wait_staged(n, 2)
    clean(n)
    n.stop()
    for f in n.data.glob('zoneledger.db*'):
        f.unlink()
    subprocess.run([zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'restore'], check=True, capture_output=True)
    n.start()
    z = zl.wait_for(lambda: (z := n.zone(ZONE)) and z['staged'] and z, 'the version to wait once more')
    assert n.serial(ZONE) == 1
    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 2)
    clean(n)
