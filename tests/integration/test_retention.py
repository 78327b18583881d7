"""Old versions lose their content as retention says; what stays, and the proof of what went, holds. Stock git is the judge."""
import os
import pathlib
import re
import shutil
import subprocess
import time

import catalogs
import pytest
import zl

ZONE = 'long.test'
BUILD = pathlib.Path(os.environ.get('ZL_BUILD', zl.BIN.parent))
HOUR, VERSIONS, DAYS = 3600, 960, 10  # 40 days
RETENTION = f'retention = "{DAYS}d then day"'


def history(n, versions=VERSIONS, records=40, seconds=HOUR):
    zl.run(BUILD / 'tests/bin/historywrite', n.data, ZONE, records, versions, seconds)


def git(repo, *args, **kw):
    return subprocess.run(['git', '--git-dir', str(repo), *args], capture_output=True, text=True, check=True, **kw).stdout


def fsck(repo):
    r = subprocess.run(['git', '--git-dir', str(repo), 'fsck', '--full', '--strict', '--no-dangling'], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr


def octets(n):
    return sum(p.stat().st_size for p in (n.journal / 'objects/pack').iterdir())


def thin(n):
    runs = n.status()['journal']['thin_runs']
    n.zonectl('journal', 'thin')
    zl.wait_for(lambda: not n.status()['journal']['thinning'] and n.status()['journal']['thin_runs'] > runs, 'the thinning to be over', timeout=120)


def versions(n):
    return {v['version']: v for v in n.json('log', ZONE, '--limit', 10000)}


def mirror(n, path):
    subprocess.run(['git', 'clone', '-q', '--mirror', f'file://{n.journal}', path], check=True, capture_output=True)
    return path


def check_archive(n, gone):
    """Of what went the record has the very octets: stock git makes the same ids of them."""
    for v in gone:
        name = f'refs/zoneledger/thinned/{ZONE}:{v["version"] // 1000}/v{v["version"]}'
        blob = subprocess.run(['git', '--git-dir', n.journal, 'cat-file', 'blob', name], capture_output=True, check=True).stdout
        made = subprocess.run(['git', '--git-dir', n.journal, 'hash-object', '-t', 'commit', '--stdin'], input=blob, capture_output=True, check=True)
        assert made.stdout.decode().strip() == v['commit']


def test_the_content_of_old_versions_goes_and_all_that_stays_holds(node, tmp_path):
    repo = tmp_path / 'remote.git'
    n = node(syncd=RETENTION, extra=f'remote "full" {{ url = "{repo}" interval = 1s }}')
    history(n)
    mirror(n, repo)
    n.start()
    n.zonectl('journal', 'key', 'create')
    before, content, size = versions(n), n.dump(ZONE, 'v1'), octets(n)
    tip = n.git('rev-parse', f'refs/heads/{ZONE}').strip()

    told = n.zonectl('journal', 'thin', '--dry-run').stdout
    count = int(re.search(r'(\d+) versions would lose', told).group(1))
    assert 600 < count < VERSIONS - DAYS * 24 and octets(n) == size and not any(v['thinned'] for v in versions(n).values())
    thin(n)

    after = versions(n)
    gone = [v for v in after.values() if v['thinned']]
    kept = [v for v in after.values() if not v['thinned']]
    assert len(gone) == count and n.zonectl('journal', 'thin', '--dry-run').stdout.startswith('0 versions')
    assert {k: v['commit'] for k, v in after.items()} == {k: v['commit'] for k, v in before.items()}
    old = [v for v in kept if v['version'] <= VERSIONS - DAYS * 24 - 2]
    assert len({v['at'][:10] for v in old}) == len(old) >= 25, 'one a day'
    assert octets(n) < size * 0.75, (size, octets(n))

    # git: all of it is whole, and the ids are those of before
    n.fsck()
    assert n.git('rev-parse', f'refs/heads/{ZONE}').strip() == tip
    assert len(n.git('rev-list', f'refs/heads/{ZONE}').split()) == len(kept) - len(old)
    assert {v['commit'] for v in kept} <= set(n.git('rev-list', '--all').split())
    for v in gone[:3]:
        assert subprocess.run(['git', '--git-dir', n.journal, 'cat-file', '-e', v['commit']], capture_output=True).returncode != 0, 'it has gone'
    check_archive(n, [gone[0], gone[len(gone) // 2], gone[-1]])
    signers = tmp_path / 'allowed'
    signers.write_text(n.zonectl('journal', 'key', 'export').stdout)
    n.git('-c', f'gpg.ssh.allowedSignersFile={signers}', 'verify-commit', f'refs/zoneledger/thinned/{ZONE}')

    # zonectl: names what went, and proves that it was there
    n.verify()
    assert n.json('verify')['thinned'] == count
    r = n.zonectl('show', f'{ZONE}@v{gone[0]["version"]}', check=False)
    assert r.returncode == 1 and 'was thinned' in r.stderr and re.search(r'kept is v\d+', r.stderr), r.stderr
    for args in (('diff', ZONE, f'v{gone[-1]["version"]}'), ('rollback', ZONE, '--to', f'v{gone[-1]["version"]}')):
        r = n.zonectl(*args, check=False)
        assert r.returncode == 1 and 'was thinned' in r.stderr
    assert n.dump(ZONE, f'v{old[-1]["version"]}') != content and 'thinned' in n.zonectl('log', ZONE, '--limit', 1000).stdout
    rare = n.json('blame', ZONE, f'h0000001.{ZONE}', 'A')[0]
    assert rare['since']['version'] == 921 and not rare['thinned']
    first = n.json('blame', ZONE, f'busy.{ZONE}', 'A')[0]
    assert first['thinned'] and first['since']['version'] == old[-1]['version'] and first['before'] is None
    assert 'v1..v' in n.zonectl('blame', ZONE, f'busy.{ZONE}').stdout
    assert all(not z['first'] for z in n.json('journal', 'reindex', '--dry-run'))

    # it goes on; the remote has all, and takes the rest without force
    n.zonectl('import', ZONE, '-', stdin=zl.small_zone(VERSIONS + 1).replace('example.test', ZONE))
    n.journaled()
    refs = ('for-each-ref', '--format=%(refname) %(objectname)')
    zl.wait_for(lambda: git(repo, *refs) == git(n.journal, *refs), 'all to be pushed', timeout=60)
    fsck(repo)
    assert len(git(repo, 'rev-list', f'refs/heads/{ZONE}').split()) == VERSIONS + 1

    # a clone is one of what stays; it is whole, can be packed and pushed to, and makes a node
    clone = mirror(n, tmp_path / 'clone.git')
    git(clone, 'gc', '-q')
    fsck(clone)
    n.zonectl('rollback', ZONE, '--to', f'v{old[-1]["version"]}', '--reason', 'as it was')
    n.journaled()
    n.git('push', clone, 'refs/heads/*:refs/heads/*', 'refs/zoneledger/*:refs/zoneledger/*')
    fsck(clone)
    want = versions(n)
    n.stop()
    shutil.rmtree(n.data)
    r = subprocess.run([zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'restore', clone], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    n.restart()
    assert versions(n) == want
    n.verify()
    n.fsck()


def test_thinned_once_more_and_to_months(node):
    """Each pass finds what the one before kept; the record's parents are what is cut off now."""
    n = node(syncd='retention = "20d then day"')
    history(n, versions=800, seconds=3 * HOUR)  # 100 days
    n.start()
    thin(n)
    first = sum(v['thinned'] for v in versions(n).values())
    n.conf.write_text(n.conf.read_text().replace('20d then day', '10d then day, 30d then month'))
    n.syncd.signal(1)
    zl.wait_for(lambda: not n.zonectl('journal', 'thin', '--dry-run').stdout.startswith('0 versions'), 'the new policy')
    thin(n)
    rows = versions(n)
    left = [v for v in rows.values() if not v['thinned']]
    assert sum(v['thinned'] for v in rows.values()) > first and len(left) < 10 * 8 + 2 + 20 + 5
    n.fsck()
    assert {v['commit'] for v in left} <= set(n.git('rev-list', '--all').split())
    n.verify()


@pytest.mark.parametrize('point', ['thin:recorded', 'thin:marked', 'journal:before_check', 'journal:before_drop', 'journal:after_drop'])
def test_killed_on_the_way(node, point):
    n = node(syncd=RETENTION)
    history(n, versions=400, records=5)
    n.start()
    tip = n.git('rev-parse', f'refs/heads/{ZONE}')
    size = octets(n)
    n.stop()
    plain = n.syncd.env
    n.syncd.env = {**(plain or os.environ), 'ZL_FAULT': point}
    n.restart()
    n.zonectl('journal', 'thin', check=False)
    zl.wait_for(lambda: not n.syncd.alive(), f'the end at {point}', timeout=60)
    n.syncd.env = plain
    n.restart()
    n.fsck()
    n.verify()
    thin(n)
    n.fsck()
    n.verify()
    assert n.git('rev-parse', f'refs/heads/{ZONE}') == tip and octets(n) < size
    assert sum(v['thinned'] for v in versions(n).values()) > 100


def test_a_secret_hole_is_no_thinning(node):
    """Who marks a version as thinned to hide that it is gone is found out."""
    import sqlite3
    n = node()
    history(n, versions=20, records=5)
    db = sqlite3.connect(n.data / 'zoneledger.db')
    db.execute('UPDATE version SET thinned = 1 WHERE version = 7')
    db.commit()
    db.close()
    n.start()
    r = n.zonectl('verify', check=False)
    assert r.returncode == 2 and 'version 7' in r.stdout, r.stdout


def test_a_template_and_a_group_of_a_catalog_say_how_long(node, peer, place):
    """Four versions of each zone on one day of the past; what is said for a zone decides what is left of them."""
    clock = place / 'node' / 'clock'
    zones = {'plain.test': 'a', **{f'{g}.test': (g, {'groups': [g]}) for g in ('short', 'whole', 'silent')}}
    p = peer('knot')
    p.write(catalogs.CATALOG, catalogs.text(1, zones))
    for zone in (*zones, 'own.test'):
        p.write(zone, catalogs.member(zone, 1))
    n = catalogs.follower(node, p, catalogs.section(groups='{"short=brief", "whole=all", "silent=none"}', retention='"1d then week"'),
                          'template "brief" { primaries = {"{p}"} retention = "1d then day" }\n',
                          'template "all" { primaries = {"{p}"} retention = "all" }\n',
                          'template "none" { primaries = {"{p}"} }\n',
                          syncd='retention = "1000d then day"', env={'ZL_CLOCK_OFFSET_FILE': str(clock)})
    n.secondary_of('own.test', p, retention='"1d then day"')
    noon = (int(time.time()) // 86400 - 40) * 86400 + 43200
    clock.write_text(str(noon - int(time.time())))
    p.start()
    n.start()
    for serial in (1, 2, 3, 4):
        for zone in (*zones, 'own.test'):
            if serial > 1:
                p.load(zone, catalogs.member(zone, serial))
                n.zonectl('refresh', zone)
            n.wait_serial(zone, serial)
    n.journaled()
    clock.write_text('0')
    thin(n)

    def thinned(zone):
        return [v['version'] for v in n.log(zone) if v['thinned']]
    assert {zone: thinned(zone) for zone in (*zones, 'own.test')} == {
        'plain.test': [3, 2, 1], 'short.test': [3, 2, 1], 'own.test': [3, 2, 1], 'whole.test': [],
        'silent.test': []}, 'the node\'s own, where the template says nothing'
    n.verify()
    n.fsck()


def test_mistakes_in_retention_are_told(node):
    for text in ('7', 'd then day', '7d then hour', '7d then day, 3d then month', '30d then month, 60d then day', '7d then day '):
        n = node(f'n{abs(hash(text))}', syncd=f'retention = "{text}"')
        n.write_config()
        r = subprocess.run([zl.BIN / 'syncd', '-c', n.conf, '--check'], capture_output=True, text=True)
        assert r.returncode != 0 and 'retention should be' in r.stderr, (text, r.stderr)
