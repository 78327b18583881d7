"""The journal is damaged, in part or as a whole: it is noticed, named, and mended with what the store or another
repository still knows; what nobody knows is named too. Nothing of it stops the daemons."""
import json
import os
import re
import shutil
import sqlite3
import subprocess

import pytest
import zl

ZONE, OTHER = 'example.test', 'other.test'


def mounts_work():
    return os.getuid() == 0 and subprocess.run(
        ['unshare', '-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], capture_output=True).returncode == 0


def change(n, zone, serial, **kw):
    n.zonectl('import', zone, '-', '--reason', f'number {serial}', stdin=zl.small_zone(serial, zone=zone, **kw))


def history(n, zone=ZONE, last=6, first=1):
    for serial in range(first, last + 1):
        change(n, zone, serial, www=f'10.0.0.{serial}')
        n.journaled()  # a pack for each
    return log(n, zone)


def log(n, zone=ZONE):
    """Its versions, without which of them is the present one."""
    return [{k: v for k, v in version.items() if k != 'current'} for version in n.log(zone)]


def packs(n):
    return sorted(n.journal.glob('objects/pack/pack-*.pack'), key=lambda p: p.stat().st_mtime_ns)


def repair(n, *args):
    """The report, and the exit code."""
    r = subprocess.run([zl.BIN / 'zonectl', '-c', n.conf, '--json', 'journal', 'repair', *map(str, args)],
                       capture_output=True, text=True)
    assert r.returncode in (0, 1, 2) and r.stdout, r.stderr
    return json.loads(r.stdout), r.returncode


def faults(n):
    return json.loads(n.zonectl('--json', 'verify', check=False).stdout)


def flip(path, at=0.5):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0xff
    with open(path, 'r+b') as f:  # in place: it is mapped
        f.write(data)


def truncate(path, to=0.5):
    path.chmod(0o644)
    os.truncate(path, int(path.stat().st_size * to))


def forget(n):
    """The store keeps no change sets of what is in the journal, as if its log had been full (change-log). syncd is stopped."""
    with sqlite3.connect(n.data / 'zoneledger.db') as db:
        db.execute('DELETE FROM change')
        db.execute('UPDATE log SET first_seq = last_seq + 1')
    db.close()


def fsck_is_clean(repo):
    r = subprocess.run(['git', '--git-dir', str(repo), 'fsck', '--full', '--strict'], capture_output=True, text=True)
    text = r.stdout + r.stderr
    return r.returncode == 0 and not re.search('error|missing|broken|corrupt', text)


def lose_packs(n):
    for p in packs(n):
        p.unlink()


DAMAGE = {
    'a bit of a pack': lambda n: flip(packs(n)[2]),
    'half a pack': lambda n: truncate(packs(n)[2]),
    'no pack': lambda n: packs(n)[2].unlink(),
    'an empty pack': lambda n: truncate(packs(n)[-1], 0),
    'half an index': lambda n: truncate(packs(n)[1].with_suffix('.idx')),
    'a bit of an index': lambda n: flip(packs(n)[1].with_suffix('.idx')),
    'no index': lambda n: packs(n)[1].with_suffix('.idx').unlink(),
    'an index alone': lambda n: (n.journal / 'objects/pack' / f'pack-{"0" * 40}.idx').write_bytes(b'x'),
    'no packs at all': lose_packs,
    'an empty ref': lambda n: (n.journal / 'refs/heads' / ZONE).write_text(''),
    'a foreign ref': lambda n: (n.journal / 'refs/heads' / ZONE).write_text('1' * 40 + '\n'),
    'no refs': lambda n: shutil.rmtree(n.journal / 'refs'),
    'a stale lock': lambda n: (n.journal / 'refs/heads' / f'{ZONE}.lock').write_text(''),
    'no HEAD': lambda n: (n.journal / 'HEAD').unlink(),
    'no journal': lambda n: shutil.rmtree(n.journal),
}


def test_every_damage_while_it_runs(node):
    """The change log has all: whatever happens to the journal, it comes back with the same ids."""
    n = node(level='info').start()
    before = history(n)
    serial, pid = 6, n.syncd.p.pid
    for what, damage in DAMAGE.items():
        print(what)
        damage(n)
        serial += 1
        change(n, ZONE, serial)  # replication goes on
        n.wait_serial(ZONE, serial)
        n.journaled()
        report, code = repair(n)
        assert code == 0 and report['lost'] == [], (what, report)
        assert n.syncd.alive() and n.syncd.p.pid == pid, what
        assert log(n)[-len(before):] == before, what
        before = log(n)
        assert fsck_is_clean(n.journal), what
        assert n.git('rev-list', f'refs/heads/{ZONE}').split() == [v['commit'] for v in before], what
        n.verify()
    n.stop()


def test_verify_names_it_and_a_dry_run_changes_nothing(node):
    n = node().start()
    before = history(n)
    victim = packs(n)[2]
    objects = n.git('verify-pack', '-v', victim).split('\n')
    flip(victim)
    report = faults(n)
    assert report['exit'] == 2
    named = [f['text'] for f in report['faults'] if victim.stem in f['text']]
    assert named and re.search('object ([0-9a-f]{40})', named[0])[1] in ' '.join(objects)
    assert any('version 3 (serial 3)' in f['text'] for f in report['faults'])
    content = victim.read_bytes()
    dry, code = repair(n, '--dry-run')
    assert code == 1 and dry['made_again'] >= 1 and dry['lost'] == [] and dry['damaged']
    assert victim.read_bytes() == content
    real, code = repair(n)
    assert code == 0 and real['packs_aside'] == 1 and real['objects_saved'] >= 1 and real['made_again'] == dry['made_again']
    aside = n.journal / 'objects/pack/bad' / victim.name
    assert aside.read_bytes() == content  # put aside, not deleted
    assert log(n) == before
    n.verify()
    n.fsck()
    again, code = repair(n)
    assert code == 0 and again['made_again'] == again['packs_aside'] == again['refs'] == 0


def test_the_journal_is_removed_and_the_store_has_forgotten(node, tmp_path):
    """The present version enters a new journal at once; what is lost is named, and comes back from a backup."""
    n = node(level='info').start()
    before, other = history(n), history(n, OTHER, 2)
    backup = tmp_path / 'backup.git'
    subprocess.run(['git', 'clone', '-q', '--mirror', str(n.journal), str(backup)], check=True)
    n.stop()
    forget(n)
    shutil.rmtree(n.journal)
    n.restart()
    n.wait_serial(ZONE, 6)
    zl.wait_for(lambda: n.status()['journal']['lost'] == 6, 'the lost versions to be counted')
    zl.wait_for(lambda: 'zoneledger_journal_lost 6\n' in n.zonectl('metrics').stdout, 'the metric to say so')
    tip = n.git('rev-list', f'refs/heads/{ZONE}').split()
    assert tip == [before[0]['commit']]  # the same id, and history ends there, as in a shallow clone
    assert fsck_is_clean(n.journal)
    assert [v['lost'] for v in n.log(ZONE)] == [False] + 5 * [True]
    report = faults(n)
    assert report['exit'] == 2
    for version in range(1, 6):
        assert any(f'version {version} (serial {version}) is lost' in f['text'] for f in report['faults']), report
    assert 'LOST' in n.zonectl('status').stdout and 'lost' in n.zonectl('log', ZONE).stdout
    assert n.zonectl('rollback', ZONE, '--to', 'v2', check=False).returncode == 1
    again, code = repair(n)
    assert code == 2 and again['lost_count'] == 6 and {(x['zone'], x['version']) for x in again['lost']} == \
        {(f'{ZONE}.', v) for v in range(1, 6)} | {(f'{OTHER}.', 1)}
    change(n, ZONE, 7)  # history goes on
    n.journaled()
    assert n.git('rev-list', f'refs/heads/{ZONE}').split() == [n.log(ZONE)[0]['commit'], before[0]['commit']]
    assert fsck_is_clean(n.journal)
    clone = tmp_path / 'clone.git'  # stock git takes it as it is
    subprocess.run(['git', 'clone', '-q', '--mirror', f'file://{n.journal}', str(clone)], check=True, capture_output=True)
    assert fsck_is_clean(clone)

    report, code = repair(n, ZONE, '--dry-run', '--from', backup)
    assert code == 1 and report['copied'] == 5 and n.status()['journal']['lost'] == 6
    report, code = repair(n, ZONE, '--from', backup)
    assert code == 0 and report['copied'] == 5, report
    zl.wait_for(lambda: n.status()['journal']['lost'] == 1, 'one zone to be whole')
    report, code = repair(n, '--from', backup)
    assert code == 0 and report['copied'] == 1, report
    zl.wait_for(lambda: n.status()['journal']['lost'] == 0, 'all to be whole')
    zl.wait_for(lambda: 'zoneledger_journal_lost 0\n' in n.zonectl('metrics').stdout, 'the metric to say so')
    assert log(n)[1:] == before and log(n, OTHER) == other
    assert n.git('rev-list', '--count', f'refs/heads/{ZONE}').strip() == '7'
    assert not (n.journal / 'shallow').exists() and fsck_is_clean(n.journal)
    assert not (n.data / 'journal.repair.git').exists()
    n.zonectl('rollback', ZONE, '--to', 'v2')
    n.verify()
    n.stop()


def test_a_stretch_in_the_middle_is_lost(node, tmp_path):
    """What stands before the gap keeps a name, so that no git gc takes it, and a restore has it."""
    n = node().start()
    before = history(n)
    n.stop()
    forget(n)
    for p in packs(n)[2:4]:  # versions 3 and 4
        p.unlink()
    n.restart()
    zl.wait_for(lambda: n.status()['journal']['lost'] == 2, 'the lost versions to be counted')
    assert [v['version'] for v in n.log(ZONE) if v['lost']] == [4, 3]
    assert n.git('rev-list', f'refs/heads/{ZONE}').split() == [v['commit'] for v in before[:2]]
    kept = f'refs/zoneledger/before-loss/{ZONE}/v2'
    assert n.git('rev-list', kept).split() == [v['commit'] for v in before[4:]]
    assert fsck_is_clean(n.journal)
    n.git('gc', '-q', '--prune=now', '--aggressive')
    assert fsck_is_clean(n.journal)
    assert n.dump(ZONE, 'v2').count('version 2') == 1
    clone = tmp_path / 'clone.git'
    subprocess.run(['git', 'clone', '-q', '--mirror', f'file://{n.journal}', str(clone)], check=True, capture_output=True)
    n.stop()
    shutil.rmtree(n.data)
    r = subprocess.run([zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'restore', str(clone)], capture_output=True, text=True)
    assert r.returncode == 0 and '4 versions' in r.stdout and '2 versions are not in that repository' in r.stdout, r.stdout + r.stderr
    n.restart()
    n.wait_serial(ZONE, 6)
    assert [v['version'] for v in n.log(ZONE)] == [6, 5, 2, 1]
    n.stop()


@pytest.mark.skipif(not mounts_work(), reason='skipped: no private mounts here')
def test_a_disk_that_cannot_be_written_for_a_while(node):
    """Read-only while it runs, and at a start: changes stay in the store, and the journal catches up by itself."""
    n = node(level='info')
    n.write_config()
    n.journal.mkdir(parents=True)
    n.data.chmod(0o2750)
    n.syncd.cmd = ['unshare', '-m', 'sh', '-c', f'mount -t tmpfs -o size=20m tmpfs {n.journal} && exec {zl.BIN}/syncd -c {n.conf}']
    n.start()
    change(n, ZONE, 1)
    n.journaled()
    pid = n.syncd.p.pid

    def remount(how):
        subprocess.run(['nsenter', '-t', str(n.syncd.p.pid), '-m', 'mount', '-o', f'remount,{how}', str(n.journal)], check=True)
    remount('ro')
    change(n, ZONE, 2)
    n.wait_serial(ZONE, 2)
    zl.wait_for(lambda: n.status()['journal']['failing'], 'the journal to fail')
    assert n.syncd.alive() and n.syncd.p.pid == pid and 'Read-only' in n.status()['journal']['last_error']
    remount('rw')
    zl.wait_for(lambda: not n.status()['journal']['failing'] and n.status()['journal']['behind'] == 0, 'the journal to catch up')
    assert n.syncd.p.pid == pid and [v['serial'] for v in n.log(ZONE)] == [2, 1]
    n.verify()
    n.syncd.stop()
    n.syncd.cmd[-1] = f'mount -t tmpfs -o ro tmpfs {n.journal} && exec {zl.BIN}/syncd -c {n.conf}'  # and empty, too
    n.restart()
    change(n, ZONE, 3)
    n.wait_serial(ZONE, 3)
    assert n.status()['journal']['failing'] and 'cannot be opened' in n.syncd.text()
    remount('rw')
    zl.wait_for(lambda: not n.status()['journal']['failing'] and n.status()['journal']['behind'] == 0, 'the journal to catch up')
    assert [v['lost'] for v in n.log(ZONE)] == [False] * 3
    n.verify()


def test_two_by_mistake(node):
    """One directory has one syncd; a journal has one writer, also if another store leads to it."""
    n = node().start()
    history(n, last=2)
    twin = subprocess.run([zl.BIN / 'syncd', '-c', n.conf], capture_output=True, text=True, timeout=60)
    assert twin.returncode == 1 and f'process {n.syncd.p.pid} has' in twin.stderr, twin.stderr
    other = node('other', extra='sandbox = no')
    other.write_config()
    other.data.mkdir()
    other.journal.symlink_to(n.journal)
    twin = subprocess.run([zl.BIN / 'syncd', '-c', other.conf], capture_output=True, text=True, timeout=60)
    assert twin.returncode == 1 and f'written by another process, pid {n.syncd.p.pid}' in twin.stderr, twin.stderr
    change(n, ZONE, 3)
    n.verify()
    n.fsck()


def test_signatures_and_remotes_go_on(node, tmp_path):
    """The journal is removed under a node that signs and pushes: the same signed commits come back, and the remote sees nothing of it."""
    repo = tmp_path / 'vault.git'
    subprocess.run(['git', 'init', '-q', '--bare', str(repo)], check=True)
    n = node(level='info', extra=f'remote "vault" {{ url = "{repo}" interval = 1s }}').start()
    change(n, ZONE, 1)
    n.journaled()
    n.zonectl('journal', 'key', 'create')
    for serial in (2, 3):
        change(n, ZONE, serial)
    n.journaled()
    before = log(n)

    def pushed():
        return subprocess.run(['git', '--git-dir', str(repo), 'rev-parse', f'refs/heads/{ZONE}'], capture_output=True,
                              text=True).stdout.strip() == n.log(ZONE)[0]['commit']
    zl.wait_for(pushed, 'the history to be pushed')
    shutil.rmtree(n.journal)
    change(n, ZONE, 4)
    zl.wait_for(lambda: n.status()['journal']['behind'] == 0 and n.log(ZONE)[0]['commit'], 'version 4 to be in a journal')
    assert log(n)[1:] == before
    assert n.git('rev-list', f'refs/heads/{ZONE}').split() == [v['commit'] for v in n.log(ZONE)]
    zl.wait_for(pushed, 'version 4 to be pushed')
    assert n.json('journal', 'remotes')[0]['state'] == 'ok'
    assert fsck_is_clean(repo) and fsck_is_clean(n.journal)
    assert n.verify()['signatures'] >= 3
