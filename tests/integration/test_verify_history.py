"""The history against the store's list of versions: what was cut, rewritten or forked in the journal is named."""
import json
import sqlite3
import subprocess

import pytest
import zl

ZONE = 'example.test'


def git(n, *args, **kw):
    return subprocess.run(['git', '--git-dir', n.journal, *args], capture_output=True, text=True, check=True, **kw).stdout.strip()


@pytest.fixture
def history(node):
    n = node().start(authd=False)
    for serial in (1, 2, 3):
        n.zonectl('import', ZONE, '-', stdin=zl.small_zone(serial, www=f'192.0.2.{serial}'))
    n.journaled()
    assert faults(n) == []
    return n


def faults(n):
    """All but that authd is not there."""
    report = json.loads(n.zonectl('--json', 'journal', 'verify', check=False).stdout)
    return [f for f in report['faults'] if f['zone']]


def tamper(n, sql, *args):
    db = sqlite3.connect(n.data / 'zoneledger.db')
    db.execute(sql, args)
    db.commit()
    db.close()


def remade(n, commit, old, new):
    """The same commit but for a word."""
    text = git(n, 'cat-file', 'commit', commit) + '\n'
    assert old in text
    return git(n, 'hash-object', '-t', 'commit', '-w', '--stdin', input=text.replace(old, new))


def test_a_branch_that_was_cut_short(history):
    n = history
    old = git(n, 'rev-parse', f'{ZONE}~1')
    git(n, 'update-ref', f'refs/heads/{ZONE}', old)
    found = faults(n)
    assert len(found) == 1 and f'its ref does not lead to the newest version (it points to {old})' in found[0]['text']


def test_a_version_that_this_node_never_made(history):
    """Forged to the octet, and newer than all: as if somebody had more to tell."""
    n = history
    tip = git(n, 'rev-parse', ZONE)
    forged = remade(n, tip, 'Version: 3\n', 'Version: 4\n')
    git(n, 'update-ref', f'refs/heads/{ZONE}', forged)
    found = faults(n)
    assert len(found) == 1 and f'it points to {forged}' in found[0]['text']
    n.syncd.stop()
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')
    assert faults(n) == [] and git(n, 'rev-parse', ZONE) == tip


def test_a_branch_that_was_rewritten(history):
    n = history
    first, second, third = git(n, 'rev-list', '--reverse', ZONE).split()
    other = remade(n, second, 'Origin: import', 'Origin: rollback')
    tip = remade(n, third, f'parent {second}', f'parent {other}')
    git(n, 'update-ref', f'refs/heads/{ZONE}', tip)
    assert [f'it points to {tip}' in f['text'] for f in faults(n)] == [True]
    # the store's list of versions as well, but for the one in the middle
    n.syncd.stop()
    tamper(n, 'UPDATE version SET oid = ? WHERE version = 3', bytes.fromhex(tip))
    tamper(n, 'UPDATE zone SET tip_oid = ?', bytes.fromhex(tip))
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')
    found = faults(n)
    assert [f['level'] for f in found] == ['lost']
    assert 'version 2: the version after it does not follow it in the journal' in found[0]['text']
    report = json.loads(n.zonectl('--json', 'verify', '--since', '2999-01-01', check=False).stdout)
    assert report['versions'] == 0 and not [f for f in report['faults'] if f['zone']], 'older ones are not looked at'


def test_a_version_with_other_content_than_was_recorded(history):
    n = history
    n.syncd.stop()
    tamper(n, 'UPDATE version SET content_oid = (SELECT content_oid FROM version WHERE version = 1) WHERE version = 2')
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')
    found = faults(n)
    assert len(found) == 1 and 'version 2: its commit has another content id than the store recorded' in found[0]['text']
