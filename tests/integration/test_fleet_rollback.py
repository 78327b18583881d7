"""Something went wrong in many zones at once: all of them go back to what they were at a moment."""
import datetime
import subprocess

import pytest
import zl

NAMES = [f'z{i}.test' for i in range(8)]


def put(n, zone, serial, www='192.0.2.80'):
    n.zonectl('import', zone, '-', stdin=zl.small_zone(serial, www=www).replace('example.test', zone))


def www(n, zone):
    return n.ask(f'www.{zone}', 'A').answer[0][0].to_text()


def moment(n):
    """A time that lies behind all that was, and before all that comes: versions are dated by the second."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    zl.wait_for(lambda: datetime.datetime.now(datetime.timezone.utc) >= now + datetime.timedelta(seconds=1), 'the next second')
    return now.strftime('%Y-%m-%dT%H:%M:%SZ')


def fleet(node, **options):
    n = node(**options).start()
    for zone in NAMES:
        put(n, zone, 1)
    return n, moment(n)


def back(n, *args, check=True):
    return n.zonectl('rollback', *args, check=check)


def test_all_zones_go_back_with_those_added_and_removed_since(node):
    n, then = fleet(node)
    for zone in NAMES[:4]:
        put(n, zone, 2, www='203.0.113.66')
    n.zonectl('zone', 'remove', NAMES[5])
    put(n, 'late.test', 1)
    preview = back(n, '--all', '--to', then, '--dry-run').stdout
    assert '4 zones back, 1 served again, 1 removed; 3 are as they were, 0 cannot' in preview
    assert 'nothing was changed' in preview and www(n, NAMES[0]) == '203.0.113.66'
    no = back(n, '--all', '--to', then, check=False)
    assert no.returncode == 1 and '--yes' in no.stderr and www(n, NAMES[0]) == '203.0.113.66'
    done = back(n, '--all', '--to', then, '--reason', 'bad push', '--yes').stdout
    assert '6 zones done, 0 failed.' in done and '6/6' in done
    for zone in NAMES:
        zl.wait_for(lambda zone=zone: www(n, zone) == '192.0.2.80', f'{zone} to be as it was')
    zl.wait_for(lambda: n.ask('www.late.test', 'A').rcode() != 0, 'the late zone to be gone')
    assert n.log(NAMES[0])[0]['origin'] == 'rollback' and n.log(NAMES[0])[0]['reason'] == 'bad push'
    versions = {z: len(n.log(z)) for z in NAMES}
    again = back(n, '--all', '--to', then, '--yes').stdout
    assert 'There is nothing to do.' in again and {z: len(n.log(z)) for z in NAMES} == versions
    n.verify()


def test_it_goes_on_where_a_crash_ended_it(node):
    n, then = fleet(node)
    for zone in NAMES:
        put(n, zone, 2, www='203.0.113.66')
    p = subprocess.Popen([zl.BIN / 'zonectl', '--run-dir', n.path, 'rollback', '--all', '--to', then, '--yes', '--pace', '4'],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = p.stdout.readline()
    while '2/8' not in line:
        assert line, p.stderr.read()
        line = p.stdout.readline()
    n.syncd.kill()
    out, err = p.communicate(timeout=30)
    assert p.returncode == 3 and f'the same again with --to {then} does the rest' in err
    n.restart()
    rest = n.json('rollback', '--all', '--to', then, '--dry-run')
    assert rest['same'] >= 2 and rest['same'] + rest['rollback'] == 8
    back(n, '--all', '--to', then, '--yes')
    for zone in NAMES:
        zl.wait_for(lambda zone=zone: www(n, zone) == '192.0.2.80', f'{zone} to be as it was')
        assert [v['origin'] for v in n.log(zone)] == ['rollback', 'import', 'import']
    n.verify()


def test_only_those_that_are_meant(node):
    n, then = fleet(node)
    for zone in NAMES:
        put(n, zone, 2, www='203.0.113.66')
    back(n, '--match', 'Z[0-2].test', '--to', then, '--yes')
    zl.wait_for(lambda: [www(n, z) for z in NAMES[:3]] == ['192.0.2.80'] * 3, 'three of them')
    assert www(n, NAMES[3]) == '203.0.113.66'
    assert n.json('rollback', '--match', 'nothing*', '--to', then, '--dry-run')['zones'] == []


def test_zones_of_an_account_and_of_a_primary(node, peer):
    p = peer('knot')
    for zone in NAMES[:2]:
        p.write(zone, zl.small_zone(1).replace('example.test', zone))
    p.start()
    n = node()
    for zone in NAMES[:2]:
        n.secondary_of(zone, p)
    n.start()
    for zone in NAMES[:2]:
        n.wait_serial(zone, 1)
    then = moment(n)
    late = NAMES[2]
    for zone in NAMES[:2]:
        p.load(zone, zl.small_zone(2, www='203.0.113.66').replace('example.test', zone))
        n.zonectl('refresh', zone)
        n.wait_serial(zone, 2)
    n.secondary_of(late, p)
    p.write(late, zl.small_zone(1).replace('example.test', late))
    p.stop()
    p.start()
    n.write_config()
    n.syncd.signal(1)
    n.wait_serial(late, 1)
    plan = n.json('rollback', '--all', '--to', then, '--dry-run')
    assert plan['rollback'] == 2 and plan['cannot'] == 1
    assert 'stands in the configuration' in next(z for z in plan['zones'] if z['name'] == f'{late}.')['why']
    back(n, '--all', '--to', then, '--yes')
    for zone in NAMES[:2]:
        n.wait_serial(zone, 3)
        assert www(n, zone) == '192.0.2.80' and n.zone(zone)['theirs'] == 1
        assert n.zone(zone)['hold']['reason'] == f'fleet rollback to {then}'
    assert n.json('rollback', '--account', 'nobody', '--to', then, '--dry-run')['zones'] == []


@pytest.mark.parametrize('args, says', [
    (['--to', '1h ago'], 'rollback of which zones?'),
    (['--all'], 'needs --to'),
    (['--all', '--match', 'x', '--to', '1h ago'], '--all goes without'),
    (['--all', '--to', '1h ago', '--pace', '0'], '--pace should be'),
    (['--all', '--to', 'v3'], "'to' should be a time"),
    (['--all', '--to', '2999-01-01'], 'has not been yet'),
])
def test_mistakes_are_told(node, args, says):
    n = node().start(authd=False)
    r = back(n, *args, check=False)
    assert r.returncode != 0 and says in r.stderr
