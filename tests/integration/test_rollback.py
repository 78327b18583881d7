"""Undoing changes: a zone from a primary is held at the old version; a zone of our own goes forward."""
import calendar
import json
import time

import pytest
import zl
from signed_zones import sign_ldns

ZONE = 'example.test'


def follow(peer, node, serials):
    """A node that has seen these serials of ZONE, one after another, from knot."""
    n = node()
    p = peer('knot').notify_to(n)
    p.write(ZONE, zl.small_zone(serials[0], www=f'192.0.2.{serials[0]}'))
    p.start()
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'rollback-serial': 'exact'}).start()
    n.wait_serial(ZONE, serials[0])
    for s in serials[1:]:
        p.load(ZONE, zl.small_zone(s, www=f'192.0.2.{s}'))
        n.wait_serial(ZONE, s)
    n.journaled()
    return n, p


def www(n):
    r = n.ask(f'www.{ZONE}', 'A')
    return r.answer[0][0].address if r.answer else None


def test_rollback_holds_until_release(peer, node):
    n, p = follow(peer, node, [1, 2, 3])
    dry = json.loads(n.zonectl('--json', 'rollback', ZONE, '--to', 'v2', '--dry-run').stdout)
    assert any('192.0.2.2' in line for line in dry['added']) and dry['dry_run']
    assert n.serial(ZONE) == 3 and len(n.log(ZONE)) == 3, 'a dry run changes nothing'

    n.zonectl('rollback', ZONE, '--to', 'v2', '--reason', 'www is wrong')
    n.wait_serial(ZONE, 2)
    assert www(n) == '192.0.2.2'
    z = n.zone(ZONE)
    assert z['state'] == 'held' and z['hold']['reason'] == 'www is wrong' and z['hold']['version'] == 2
    assert [x['name'] for x in n.status()['attention']] == [ZONE + '.']

    p.load(ZONE, zl.small_zone(4, www='192.0.2.4'))
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 4 to wait')
    assert n.serial(ZONE) == 2 and www(n) == '192.0.2.2', 'what waits is not served'
    diff = n.json('diff', ZONE, 'current', 'waiting')
    assert any('192.0.2.4' in line for line in diff['added'])
    n.verify()
    waiting = n.git('log', '--format=%s', f'refs/waiting/{ZONE}').splitlines()[0]
    assert waiting.startswith(ZONE) and '4' in waiting

    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 4)
    assert www(n) == '192.0.2.4' and n.zone(ZONE)['state'] == 'ok'
    p.load(ZONE, zl.small_zone(5, www='192.0.2.5'))
    n.wait_serial(ZONE, 5)
    n.verify()
    n.fsck()


def test_a_held_zone_fetches_each_new_version_once(peer, node):
    n, p = follow(peer, node, [1, 2])
    n.zonectl('rollback', ZONE, '--to', '1')
    n.wait_serial(ZONE, 1)
    for _ in range(3):
        n.zonectl('refresh', ZONE)
    p.load(ZONE, zl.small_zone(3))
    zl.wait_for(lambda: n.zone(ZONE)['waiting'] and n.log(ZONE)[0]['serial'] == 3, 'serial 3 to wait')
    for _ in range(3):
        n.zonectl('refresh', ZONE)
    p.load(ZONE, zl.small_zone(4))
    zl.wait_for(lambda: n.log(ZONE)[0]['serial'] == 4, 'serial 4 to wait')
    serials = [v['serial'] for v in n.log(ZONE)]
    assert serials.count(3) == 1 and serials.count(4) == 1, serials
    n.verify()


def test_release_with_nothing_waiting_goes_back_to_the_primary(peer, node):
    n, _ = follow(peer, node, [1, 2])
    n.zonectl('rollback', ZONE, '--to', '1')
    n.wait_serial(ZONE, 1)
    n.zonectl('release', ZONE)
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    n.verify()


def test_a_hold_survives_kill_and_restart(peer, node):
    n, p = follow(peer, node, [1, 2, 3])
    n.zonectl('rollback', ZONE, '--to', '2')
    n.wait_serial(ZONE, 2)
    n.kill()
    p.load(ZONE, zl.small_zone(4))
    n.restart()
    n.wait_serial(ZONE, 2)
    n.zonectl('refresh', ZONE)
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 4 to wait')
    assert n.serial(ZONE) == 2
    n.verify()


def test_versions_by_every_name(peer, node):
    n, _ = follow(peer, node, [10, 11, 12])
    by_version = {v['version']: v for v in n.log(ZONE)}
    commit = by_version[2]['commit']
    for name in ('v2', '11', commit, commit[:12] + 'a' * 0):
        if name.isdigit() and name != '11':
            continue  # a commit id of digits only is read as a serial
        assert '192.0.2.11' in n.dump(ZONE, name), name
    assert '192.0.2.12' in n.dump(ZONE, by_version[3]['at'])
    assert '192.0.2.12' in n.dump(ZONE)
    for bad, says in (('v9', 'no version'), ('99', 'no version'), ('xyz', 'does not name a version'),
                      ('2001-01-01', 'as old as'), ('waiting', 'waiting')):
        r = n.zonectl('show', f'{ZONE}@{bad}', check=False)
        assert r.returncode == 1 and says in r.stderr, (bad, r.stderr)


def test_rollback_by_commit_serial_and_time(peer, node):
    n, _ = follow(peer, node, [10, 11, 12])
    versions = {v['serial']: v for v in n.log(ZONE)}
    at = versions[12]['at']
    then = calendar.timegm(time.strptime(at, '%Y-%m-%dT%H:%M:%SZ'))
    zl.wait_for(lambda: time.time() >= then + 1, 'a second in which nothing changed, as times name the last version of theirs')
    for name, want in ((versions[11]['commit'], 11), ('10', 10), (at, 12)):
        n.zonectl('rollback', ZONE, '--to', name)
        n.wait_serial(ZONE, want)
        assert www(n) == f'192.0.2.{want}'
    n.verify()
    n.fsck()


def test_our_own_zone_goes_forward(node):
    n = node().start()
    own = 'own.test'
    path = n.path / 'own.zone'

    def imported(serial, www, *args):
        path.write_text(zl.small_zone(serial, www=www, zone=own))
        return n.zonectl('import', own, path, *args, check=False)
    assert imported(100, '192.0.2.1').returncode == 0
    n.wait_serial(own, 100)
    assert imported(50, '192.0.2.2', '--reason', 'older file').returncode == 0
    n.wait_serial(own, 101)
    assert imported(500, '192.0.2.3').returncode == 0
    n.wait_serial(own, 500)
    assert imported(501, '192.0.2.3').returncode == 0, 'the TXT record carries the serial'
    n.wait_serial(own, 501)
    n.zonectl('rollback', own, '--to', 'v1', '--reason', 'back to the start')
    n.wait_serial(own, 502)
    a = n.ask(f'www.{own}', 'A').answer[0][0].address
    assert a == '192.0.2.1'
    again = n.zonectl('rollback', own, '--to', 'v1', check=False)
    assert again.returncode == 1 and 'served already' in again.stderr
    log = n.log(own)
    assert [v['origin'] for v in log] == ['rollback', 'import', 'import', 'import', 'import']
    assert log[0]['reason'] == 'back to the start' and log[0]['who']
    n.verify()
    n.fsck()


def test_import_says_what_is_wrong_and_changes_nothing(node, peer):
    n = node()
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    own = n.path / 'own.zone'
    own.write_text('$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS a\na A 192.0.2.999\n')
    r = n.zonectl('import', 'own.test', own, check=False)
    assert r.returncode == 1 and f'{own}:4:' in r.stderr, r.stderr
    own.write_text('$TTL 300\n@ SOA a b 1 2 3 4 5\n')
    r = n.zonectl('import', 'own.test', own, check=False)
    assert r.returncode == 1 and 'NS' in r.stderr
    r = n.zonectl('import', ZONE, own, check=False)
    assert r.returncode == 1 and 'primaries' in r.stderr
    assert [z['name'] for z in n.json('zone', 'list')] == [ZONE + '.']
    r = n.zonectl('import', 'own.test', '/nowhere', check=False)
    assert r.returncode == 1 and 'No such file' in r.stderr
    n.verify()


def test_a_reason_cut_within_a_character_does_not_hide_the_zone(peer, node):
    """The hold keeps 255 octets of the reason: a character of two octets may be cut in its middle."""
    n, _ = follow(peer, node, [1, 2])
    n.zonectl('rollback', ZONE, '--to', '1', '--reason', '\u00e4' * 300)
    n.wait_serial(ZONE, 1)
    z = n.zone(ZONE)
    assert z['state'] == 'held' and z['hold']['version'] == 1
    assert [x['name'] for x in n.status()['attention']] == [ZONE + '.']
    assert [x['name'] for x in n.json('zone', 'list')] == [ZONE + '.']
    n.verify()


def test_a_second_rollback_does_not_lose_what_waits(peer, node):
    n, p = follow(peer, node, [1, 2, 3])
    n.zonectl('rollback', ZONE, '--to', 'v2')
    n.wait_serial(ZONE, 2)
    p.load(ZONE, zl.small_zone(4, www='192.0.2.4'))
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 4 to wait')
    n.zonectl('rollback', ZONE, '--to', 'v1')
    n.wait_serial(ZONE, 1)
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 4 to wait again')
    assert any('192.0.2.4' in line for line in n.json('diff', ZONE, 'current', 'waiting')['added'])
    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 4)
    n.verify()
    n.fsck()


def test_signatures_that_have_expired_are_not_served_again(node, tmp_path):
    if not zl.tool('ldns-signzone'):
        pytest.skip('skipped: ldnsutils is not installed')
    n = node().start()
    text = zl.small_zone(1)
    old = sign_ldns(tmp_path, ZONE, text, '-i', '20200101000000', '-e', '20200201000000')
    n.zonectl('import', ZONE, '-', '--serial', 'keep', stdin=old)
    n.zonectl('import', ZONE, '-', '--serial', 'keep', stdin=zl.small_zone(2))
    refused = n.zonectl('rollback', ZONE, '--to', 'v1', check=False)
    assert refused.returncode == 1 and 'have expired, the first at 2020-02-01T00:00:00Z' in refused.stderr
    assert n.serial(ZONE) == 2
    n.zonectl('rollback', ZONE, '--to', 'v1', '--force', '--dry-run')
    assert n.serial(ZONE) == 2
    n.zonectl('rollback', ZONE, '--to', 'v1', '--force')
    n.wait_serial(ZONE, 3)
    n.verify()
