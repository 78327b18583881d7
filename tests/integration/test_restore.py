"""A node is lost: its store comes back from a repository that the history was pushed to."""
import shutil
import subprocess

import zl

ZONE, OTHER, GONE = 'example.test', 'other.test', 'gone.test'


def git(repo, *args):
    return subprocess.run(['git', '--git-dir', str(repo), *args], capture_output=True, text=True, check=True).stdout


def refs(repo):
    return git(repo, 'for-each-ref', '--format=%(refname) %(objectname)')


def change(n, zone, serial, *more):
    n.zonectl('import', zone, '-', '--reason', f'number {serial}', *more, stdin=zl.small_zone(serial).replace('example.test', zone))


def restore(n, *repository):
    return subprocess.run([zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'restore', *map(str, repository)], capture_output=True, text=True)


def lose(n):
    """The node stops, and its data directory is gone."""
    n.stop()
    shutil.rmtree(n.data)


def history(n, *zones):
    return {z: n.log(z) for z in zones}


def contents(n, zone):
    return {v['version']: n.dump(zone, f'v{v["version"]}') for v in n.log(zone)}


def facts(n, zone):
    z = n.zone(zone)
    return {k: z[k] for k in ('zone', 'kind', 'serial', 'version', 'records', 'removed', 'held', 'state') if k in z}


def test_a_lost_node_comes_back_from_its_backup_and_goes_on(node, tmp_path):
    repo = tmp_path / 'backup.git'
    subprocess.run(['git', 'init', '-q', '--bare', repo], check=True)
    n = node(extra=f'remote "backup" {{ url = "{repo}" interval = 1s }}').start()
    for serial in (1, 2, 3):
        change(n, ZONE, serial)
    change(n, OTHER, 7)
    n.zonectl('rollback', ZONE, '--to', 'v1', '--reason', 'number 3 was wrong')
    change(n, GONE, 1)
    n.zonectl('zone', 'remove', GONE, '--reason', 'no longer ours')
    n.journaled()
    zl.wait_for(lambda: refs(repo) == refs(n.journal), 'all to be pushed')
    before = history(n, ZONE, OTHER, GONE)
    versions, what = contents(n, ZONE), {z: facts(n, z) for z in (ZONE, OTHER, GONE)}
    served = {z: n.dump(z) for z in (ZONE, OTHER)}
    soa = n.serial(ZONE)
    lose(n)

    r = restore(n, repo)
    assert r.returncode == 0 and 'restored: 3 zones (1 removed, 0 held), 7 versions' in r.stdout, r.stdout + r.stderr
    n.restart()
    assert history(n, ZONE, OTHER, GONE) == before
    assert contents(n, ZONE) == versions and {z: facts(n, z) for z in (ZONE, OTHER, GONE)} == what
    zl.wait_for(lambda: n.serial(ZONE) == soa and n.serial(OTHER) == 7, 'authd to serve what it served')
    assert {z: n.dump(z) for z in (ZONE, OTHER)} == served
    assert n.ask(GONE, 'SOA').rcode() == 5
    n.verify()
    n.fsck()
    # the same history goes on: in the journal, and at the remote without any force
    tip = n.git('rev-parse', f'refs/heads/{ZONE}').strip()
    change(n, ZONE, soa + 10)
    n.journaled()
    assert n.git('rev-parse', f'refs/heads/{ZONE}~1').strip() == tip
    assert n.log(ZONE)[0]['version'] == 5
    zl.wait_for(lambda: refs(repo) == refs(n.journal), 'the new version to be pushed')
    assert n.json('journal', 'remotes')[0]['state'] == 'ok'
    n.zonectl('undelete', GONE)
    n.wait_serial(GONE, 1)
    n.verify()


def test_a_held_zone_stays_held_with_all_that_waits(peer, node, tmp_path):
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n = node().secondary_of(ZONE, p, transfer_from='{"127.0.0.1"}').start()
    n.wait_serial(ZONE, 1)

    def fetched(serial):
        p.load(ZONE, zl.small_zone(serial))
        n.zonectl('refresh', ZONE)
        zl.wait_for(lambda: (n.log(ZONE)[0]['serial'], n.log(ZONE)[0]['origin']) == (serial, 'axfr'), f'serial {serial} to be fetched')

    fetched(2)
    for first in (3, 5):  # two holds: the first one's waiting versions are on a line of their own
        n.zonectl('rollback', ZONE, '--to', 'v1', '--reason', f'hold {first}')
        fetched(first)
        fetched(first + 1)
        if first == 3:
            n.zonectl('release', ZONE)
            n.wait_serial(ZONE, 4)
    n.journaled()
    before, versions, what, served = n.log(ZONE), contents(n, ZONE), n.zone(ZONE), zl.transfer(n.port, ZONE)
    clone = tmp_path / 'clone.git'
    subprocess.run(['git', 'clone', '-q', '--mirror', n.journal, clone], check=True)
    lose(n)

    r = restore(n, clone)
    assert r.returncode == 0 and '1 held' in r.stdout and '2 waiting' in r.stdout and 'not in that' not in r.stdout, r.stdout + r.stderr
    n.restart()
    assert n.log(ZONE) == before and contents(n, ZONE) == versions
    again = n.zone(ZONE)
    assert again['state'] == 'held' and {k: again[k] for k in again if k.startswith('held')} == {k: what[k] for k in what if k.startswith('held')}
    n.wait_serial(ZONE, 5)  # of our own series; at the primary the same content has serial 1
    assert again['theirs'] == 1
    assert zl.transfer(n.port, ZONE) == served
    n.verify()
    n.fsck()
    assert 'SOA' in n.zonectl('diff', ZONE, 'current', 'waiting').stdout
    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 6)
    fetched(7)  # and it is a secondary as before
    n.wait_serial(ZONE, 7)
    n.verify()


def test_only_the_store_is_lost(node):
    n = node().start()
    change(n, ZONE, 1)
    change(n, ZONE, 2)
    n.journaled()
    before = n.log(ZONE)
    n.stop()
    for f in n.data.glob('zoneledger.db*'):
        f.unlink()
    r = restore(n)
    assert r.returncode == 0, r.stderr
    n.restart()
    assert n.log(ZONE) == before
    n.wait_serial(ZONE, 2)
    n.verify()
    n.fsck()


def test_what_is_there_is_never_overwritten(node, tmp_path):
    n = node().start()
    change(n, ZONE, 1)
    n.journaled()
    clone = tmp_path / 'clone.git'
    subprocess.run(['git', 'clone', '-q', '--mirror', n.journal, clone], check=True)
    r = restore(n, clone)
    assert r.returncode == 1 and 'has the store open' in r.stderr, r.stderr
    n.stop()
    r = restore(n, clone)
    assert r.returncode == 1 and 'not empty' in r.stderr
    for f in n.data.glob('zoneledger.db*'):
        f.unlink()
    r = restore(n, clone)
    assert r.returncode == 1 and 'is there already' in r.stderr
    n.syncd.start()  # an empty store never takes the place of the history that is there
    zl.wait_for(lambda: not n.syncd.alive(), 'syncd to refuse')
    assert 'journal restore' in n.syncd.text()
    assert restore(n).returncode == 0
    n.restart()
    assert n.log(ZONE)[0]['serial'] == 1


def test_a_damaged_backup_is_refused_whole(node, tmp_path):
    n = node().start()
    for serial in (1, 2, 3):
        change(n, ZONE, serial)
    n.journaled()
    clone = tmp_path / 'clone.git'
    subprocess.run(['git', 'clone', '-q', '--mirror', n.journal, clone], check=True)
    lose(n)
    good = tmp_path / 'good.git'
    shutil.copytree(clone, good)
    for pack in clone.glob('objects/pack/*.pack'):
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        data[len(data) // 2] ^= 0xff
        pack.write_bytes(data)
    assert restore(n, clone).returncode == 1
    assert restore(n, tmp_path / 'nowhere.git').returncode == 1
    assert not n.journal.exists()
    r = restore(n, good)  # what failed stands in the way of nothing
    assert r.returncode == 0, r.stderr
    n.restart()
    n.wait_serial(ZONE, 3)
    n.verify()
