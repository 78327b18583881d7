"""Checkpoints instead of a signature on each version: stock git verifies them, verify holds the history against them."""
import json
import shutil
import signal
import sqlite3
import subprocess

import pytest
import zl
from test_signing import change, judged, signers

ZONE = 'example.test'
OTHER = 'other.test'
REF = 'refs/zoneledger/checkpoints'
MODE = 'checkpoints = yes checkpoint-time = 1s'

pytestmark = pytest.mark.skipif(not shutil.which('ssh-keygen'), reason='skipped: ssh-keygen is not installed')


def put(n, zone, serial):
    n.zonectl('import', zone, '-', stdin=zl.small_zone(serial).replace('example.test', zone))


def git(n, *args, check=True):
    return subprocess.run(['git', '--git-dir', n.journal, *args], capture_output=True, text=True, check=check)


def listed(n):
    """What the newest checkpoint lists: zone -> (version, commit)."""
    lines = git(n, 'show', f'{REF}:zone', check=False).stdout.splitlines()
    return {l.split()[0].rstrip('.'): (int(l.split()[4].strip('"v')), l.split()[5].strip('"')) for l in lines}


def covered(n, zone, version):
    """Waits until a checkpoint lists this version."""
    zl.wait_for(lambda: listed(n).get(zone, (0, ''))[0] >= version, f'a checkpoint of {zone} version {version}')


def verified(n):
    n.journaled()
    r = n.zonectl('--json', 'journal', 'verify', check=False)
    return r.returncode, json.loads(r.stdout)


def faults(n):
    return '\n'.join(f['zone'] + ' ' + f['text'] for f in verified(n)[1]['faults'])


def test_stock_git_verifies_the_branch_and_what_it_lists(node, tmp_path):
    n = node(syncd=MODE).start()
    change(n, 1)
    n.zonectl('journal', 'key', 'create')
    covered(n, ZONE, 1)  # also what was there before the key
    put(n, ZONE, 2)
    put(n, OTHER, 1)
    put(n, ZONE, 3)
    covered(n, ZONE, 3)
    covered(n, OTHER, 1)
    allowed = signers(n, tmp_path)
    assert judged(n.journal, allowed) == ['N', 'N', 'N'], 'no version is signed by itself'
    assert set(judged(n.journal, allowed, REF)) == {'G'}
    git(n, '-c', f'gpg.ssh.allowedSignersFile={allowed}', 'verify-commit', REF)
    assert listed(n) == {ZONE: (3, n.git('rev-parse', ZONE).strip()), OTHER: (1, n.git('rev-parse', OTHER).strip())}
    git(n, 'merge-base', '--is-ancestor', f'{ZONE}~2', listed(n)[ZONE][1])
    n.fsck()
    newest = n.json('journal', 'key', 'list')['checkpoint']
    assert newest['commit'] == n.git('rev-parse', REF).strip() and newest['seq'] == max(v['seq'] for v in n.json('log'))
    assert f'Checkpoint {newest["number"]} of ' in n.zonectl('journal', 'key', 'list').stdout
    report = n.verify()
    assert report['vouched'] == 4 and report['unvouched'] == 0 and report['signatures'] == 0 and report['checkpoints'] >= 2
    assert 'checkpoints hold' in n.zonectl('journal', 'verify').stdout
    before = n.git('rev-parse', REF)
    n.restart()
    assert n.git('rev-parse', REF) == before, 'nothing new, no new checkpoint'


def test_after_so_many_versions(node):
    n = node(syncd='checkpoints = yes checkpoint-commits = 5 checkpoint-time = 1h').start(authd=False)
    n.zonectl('journal', 'key', 'create')
    for serial in range(1, 5):
        change(n, serial)
    assert listed(n) == {}
    text = n.zonectl('metrics').stdout
    assert '\nzoneledger_journal_checkpoint 0\n' in text and '\nzoneledger_journal_uncovered 4\n' in text
    r = verified(n)[1]
    assert r['unvouched'] == 4 and 'vouch' not in str(r['faults'])
    assert '4 versions not yet vouched for' in n.zonectl('journal', 'verify', check=False).stdout
    change(n, 5)
    covered(n, ZONE, 5)
    zl.wait_for(lambda: '\nzoneledger_journal_checkpoint 1\n' in n.zonectl('metrics').stdout, 'the metrics to say so')
    assert '\nzoneledger_journal_uncovered 0\n' in n.zonectl('metrics').stdout
    change(n, 6)
    n.syncd.stop()  # what is left at rest is vouched for
    assert listed(n)[ZONE][0] == 6


def test_both_ways_in_one_history(node, tmp_path):
    """Signed one by one, then by checkpoints, then one by one again: all of it verifies."""
    n = node().start(authd=False)
    n.zonectl('journal', 'key', 'create')
    change(n, 1)
    n.options['syncd'] = MODE
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    change(n, 2)
    change(n, 3)
    covered(n, ZONE, 3)
    change(n, 4)
    n.syncd.kill()
    n.options['syncd'] = ''
    n.write_config()
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')
    covered(n, ZONE, 4)  # the last one, of what they left unsigned
    change(n, 5)
    n.zonectl('journal', 'key', 'rotate')
    change(n, 6)
    assert judged(n.journal, signers(n, tmp_path)) == ['G', 'G', 'N', 'N', 'N', 'G']
    report = verified(n)[1]
    assert report['signatures'] == 3 and report['vouched'] == 3 and report['unvouched'] == 0
    assert [f for f in report['faults'] if f['level'] == 'lost'] == []


def tamper(n, sql, *args):
    db = sqlite3.connect(n.data / 'zoneledger.db')
    db.execute(sql, args)
    db.commit()
    db.close()


@pytest.fixture
def history(node):
    """Three versions under a checkpoint; syncd is stopped."""
    n = node(syncd=MODE).start(authd=False)
    n.zonectl('journal', 'key', 'create')
    for serial in (1, 2, 3):
        change(n, serial)
    covered(n, ZONE, 3)
    n.syncd.stop()
    return n


def back(n):
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')


def test_a_rewritten_history_is_told_though_store_and_journal_agree(history):
    n = history
    old = n.git('rev-parse', ZONE).strip()
    text = git(n, 'cat-file', 'commit', old).stdout.replace('Origin: import', 'Origin: import\nSource: elsewhere', 1)
    if 'Source: ' in git(n, 'cat-file', 'commit', old).stdout:
        text = git(n, 'cat-file', 'commit', old).stdout.replace('Source: ', 'Source: x', 1)
    new = subprocess.run(['git', '--git-dir', n.journal, 'hash-object', '-t', 'commit', '-w', '--stdin'],
                         input=text, capture_output=True, text=True, check=True).stdout.strip()
    tamper(n, 'UPDATE version SET oid = ? WHERE version = 3', bytes.fromhex(new))
    tamper(n, 'UPDATE zone SET tip_oid = ?', bytes.fromhex(new))
    git(n, 'update-ref', f'refs/heads/{ZONE}', new)
    back(n)
    assert 'vouches for version 3 as commit' in faults(n) and 'rewritten' in faults(n)
    assert verified(n)[0] == 2


def test_a_forged_or_cut_line_of_checkpoints_is_told(history):
    n = history
    tip = n.git('rev-parse', REF).strip()
    unsigned = subprocess.run(['git', '--git-dir', n.journal, 'hash-object', '-t', 'commit', '-w', '--stdin'],
                              input=strip_signature(git(n, 'cat-file', 'commit', tip).stdout),
                              capture_output=True, text=True, check=True).stdout.strip()
    tamper(n, "UPDATE metadata SET value = ? WHERE key = 'checkpoint.tip'", unsigned)
    git(n, 'update-ref', REF, unsigned)
    back(n)
    assert 'is not signed' in faults(n)
    n.syncd.stop()
    tamper(n, "UPDATE metadata SET value = ? WHERE key = 'checkpoint.tip'", tip)
    git(n, 'update-ref', '-d', REF)
    back(n)  # and the ref is set again
    assert n.git('rev-parse', REF).strip() == tip
    git(n, 'update-ref', '-d', REF)
    assert 'the branch of checkpoints does not lead to the newest one' in faults(n)


def strip_signature(commit):
    lines, out, inside = commit.split('\n'), [], False
    for line in lines:
        inside = line.startswith('gpgsig ') or (inside and line.startswith(' '))
        if not inside:
            out.append(line)
    return '\n'.join(out)


def test_a_crash_between_leaves_none_out(node):
    n = node(syncd=MODE).start(authd=False)
    n.zonectl('journal', 'key', 'create')
    for serial in range(1, 6):
        put(n, ZONE, serial)
        put(n, OTHER, serial)
        n.syncd.kill()
        back(n)
    n.journaled()
    covered(n, ZONE, 5)
    covered(n, OTHER, 5)
    report = verified(n)[1]
    assert report['vouched'] == 10 and [f for f in report['faults'] if f['level'] == 'lost'] == []
    assert set(git(n, 'log', '--format=%P', REF).stdout.split()) | {n.git('rev-parse', REF).strip()} == set(
        git(n, 'rev-list', REF).stdout.split())


def all_checkpoints(n):
    """Commits of checkpoints that are in the journal, whether a ref leads to them or not."""
    lines = git(n, 'cat-file', '--batch-all-objects', '--batch-check').stdout.splitlines()
    commits = [l.split()[0] for l in lines if ' commit ' in l]
    return {c for c in commits if git(n, 'show', '-s', '--format=%s', c).stdout.startswith('checkpoint ')}


def test_what_a_crash_left_out_is_made_to_the_octet(node):
    n = node(syncd=MODE, env={'ZL_FAULT': 'checkpoint:before_meta'}).start(authd=False)
    change(n, 1)
    if n.zonectl('journal', 'key', 'create', check=False).returncode == 0:
        try:
            zl.wait_for(lambda: not n.syncd.alive(), 'the crash', timeout=5)
        except AssertionError:
            pytest.skip('skipped: this build has no fault points')
    zl.wait_for(lambda: not n.syncd.alive(), 'the crash')
    made = all_checkpoints(n)
    assert len(made) == 1 and listed(n) == {}
    n.syncd.env = {}
    back(n)
    covered(n, ZONE, 1)
    assert all_checkpoints(n) == made == {n.git('rev-parse', REF).strip()}


def test_a_clone_brings_them_back(node, tmp_path):
    """Pushed, restored, continued: one line of checkpoints."""
    repo = tmp_path / 'vault.git'
    subprocess.run(['git', 'init', '-q', '--bare', repo], check=True)
    n = node(syncd=MODE, extra=f'remote "vault" {{ url = "{repo}" interval = "1s" }}').start(authd=False)
    n.zonectl('journal', 'key', 'create')
    change(n, 1)
    covered(n, ZONE, 1)
    tip = n.git('rev-parse', REF).strip()

    def pushed():
        r = subprocess.run(['git', '--git-dir', repo, 'rev-parse', REF], capture_output=True, text=True)
        return r.stdout.strip() == tip

    zl.wait_for(pushed, 'the checkpoint at the remote')
    n.syncd.stop()
    shutil.rmtree(n.journal)
    for path in n.data.glob('zoneledger.db*'):
        path.unlink()
    zl.run(zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'restore', repo)
    back(n)
    assert [z['name'] for z in n.json('zone', 'list')] == [f'{ZONE}.']
    change(n, 2)
    covered(n, ZONE, 2)
    assert git(n, 'merge-base', '--is-ancestor', tip, REF, check=False).returncode == 0
    report = verified(n)[1]
    assert report['vouched'] == 2 and [f for f in report['faults'] if f['level'] == 'lost'] == []
