"""Only a remote knows what was taken back: a history that was cut, rewritten or forked, store and journal alike, is found there."""
import json
import os
import shutil
import subprocess

import pytest
import zl
from test_quarantine import GUARDS, big

ZONE = 'example.test'
OTHER = 'other.test'
WHO = {**os.environ, **{f'GIT_{r}_{k}': v for r in ('AUTHOR', 'COMMITTER') for k, v in (('NAME', 'm'), ('EMAIL', 'm@m.test'))}}


def git(repo, *args, check=True, **kw):
    return subprocess.run(['git', '--git-dir', str(repo), *args], capture_output=True, text=True, check=check, **kw).stdout.strip()


@pytest.fixture
def vault(tmp_path):
    subprocess.run(['git', 'init', '-q', '--bare', tmp_path / 'vault.git'], check=True)
    return tmp_path / 'vault.git'


def remote(url, interval='1s'):
    return f'remote "vault" {{ url = "{url}" interval = "{interval}" retry-max = "{interval}" }}'


def put(n, zone, serial, *args, **kw):
    n.zonectl('import', zone, '-', *args, stdin=zl.small_zone(serial, **kw).replace('example.test', zone))
    n.journaled()


def pushed(n, repo):
    """A version counts as journaled a moment before its ref is set, and the backlog is counted once a second; but `seq` is
    that of a push which began behind both. No push is under way, or due, when this returns."""
    n.journaled()
    newest = max(v['seq'] for v in n.json('log', '--limit', 1000))

    def ends(r):
        return r['pushes'] + r['failures']

    def has_all():
        show = ('for-each-ref', '--format=%(refname) %(objectname)')
        r = n.json('journal', 'push')[0]
        last = ends(r) + r['pushing'] + 1
        r = zl.wait_for(lambda: next((r for r in n.json('journal', 'remotes') if ends(r) >= last and not r['pushing']), None),
                        'the push to end')
        return r['seq'] >= newest and git(repo, *show) == git(n.journal, *show)
    zl.wait_for(has_all, 'the remote to have all')


def asked(n, name='vault'):
    r = n.zonectl('--json', 'journal', 'verify', '--remote', name, check=False)
    return r.returncode, json.loads(r.stdout).get('remote')


def texts(report):
    return '\n'.join(f'{f["level"]} {f["zone"]} {f["text"]}' for f in report['faults'])


def start(n):
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')


def test_all_is_there_or_on_its_way(node, vault):
    n = node(extra=remote(vault)).start()
    for serial in (1, 2):
        put(n, ZONE, serial)
        put(n, OTHER, serial)
    pushed(n, vault)
    code, report = asked(n)
    assert code == 0 and report['faults'] == [] and (report['refs'], report['same'], report['behind']) == (2, 2, 0)
    out = n.zonectl('verify', '--remote', 'vault').stdout
    assert 'remote vault: 2 refs; 2 zones are there whole, 0 in part; 0 faults' in out
    away = vault.with_name('away')
    vault.rename(away)
    r = n.zonectl('verify', '--remote', 'vault', check=False)
    assert r.returncode == 1 and 'does not appear to be a git repository' in r.stderr
    assert n.zonectl('verify', '--remote', 'nobody', check=False).returncode == 1
    put(n, ZONE, 3)
    put(n, 'third.test', 1)
    hook = away / 'hooks/pre-receive'  # so that it stays behind
    hook.write_text('#!/bin/sh\nexit 1\n')
    hook.chmod(0o755)
    away.rename(vault)
    code, report = asked(n)
    assert code == 0 and (report['refs'], report['same'], report['behind']) == (2, 1, 2)


@pytest.mark.parametrize('how', ['cut', 'forked', 'rewritten'])
def test_a_history_that_was_taken_back(node, vault, tmp_path, how):
    """The whole data directory is another one, as when an old copy of the machine is put back: it agrees with itself."""
    n = node(extra=remote(vault)).start(authd=False)
    put(n, OTHER, 1)
    put(n, ZONE, 1)
    n.syncd.stop()
    copy = tmp_path / 'copy'
    shutil.copytree(n.data, copy)
    start(n)
    put(n, ZONE, 2, '--reason', 'what really was')
    pushed(n, vault)
    real = git(vault, 'rev-parse', f'refs/heads/{ZONE}')
    n.syncd.stop()
    shutil.rmtree(n.data)
    if how != 'rewritten':
        copy.rename(n.data)
    start(n)
    if how == 'rewritten':
        put(n, OTHER, 1, '--reason', 'a lie')  # else it is the same commit, if it is made in the same second
        put(n, ZONE, 1, '--reason', 'a lie')
    if how != 'cut':
        put(n, ZONE, 2, '--reason', 'a lie')
    n.journaled()
    code = n.zonectl('--json', 'verify', check=False)
    assert not [f for f in json.loads(code.stdout)['faults'] if f['level'] == 'lost'], 'it agrees with itself'
    n.fsck()
    code, report = asked(n)
    assert code == 2 and f'lost {ZONE}. the remote has commit {real} on refs/heads/{ZONE}, which is no version' in texts(report)
    assert (f'{OTHER}.' in texts(report)) == (how == 'rewritten')
    # and without being asked: the push is refused, and that is an alarm
    zl.wait_for(lambda: n.json('journal', 'remotes')[0]['state'] == 'diverged', 'the alarm')
    assert git(vault, 'rev-parse', f'refs/heads/{ZONE}') == real, 'nothing is overwritten'
    table = n.zonectl('verify', '--remote', 'vault', check=False)
    assert table.returncode == 2 and 'is no version of the zone here' in table.stdout


def test_a_remote_that_was_tampered_with(node, vault):
    n = node(extra=remote(vault, '1h')).start(authd=False)
    for zone in (ZONE, OTHER, 'third.test'):
        put(n, zone, 1)
        put(n, zone, 2)
    pushed(n, vault)
    forged = git(vault, 'commit-tree', '-m', 'forged', f'refs/heads/{ZONE}^{{tree}}', env=WHO)
    git(vault, 'update-ref', f'refs/heads/{ZONE}', forged)
    git(vault, 'update-ref', f'refs/heads/{OTHER}', f'refs/heads/{OTHER}~1')
    git(vault, 'update-ref', '-d', 'refs/heads/third.test')
    git(vault, 'update-ref', 'refs/heads/alien.test', forged)
    git(vault, 'update-ref', 'refs/tags/not-ours', forged)
    git(vault, 'update-ref', 'refs/zoneledger/checkpoints', forged)
    code, report = asked(n)
    assert code == 2
    said = texts(report)
    assert f'lost {ZONE}. the remote has commit {forged}' in said
    assert f'repairable {OTHER}. the remote lacks version 2, which was pushed' in said
    assert 'repairable third.test. the remote lacks version 1, which was pushed' in said
    assert 'the remote has refs/heads/alien.test, of a zone that this node does not know' in said
    assert f'the remote has checkpoint {forged}, which is none of this node' in said
    assert 'not-ours' not in said and len(report['faults']) == 5


def test_versions_that_wait_are_looked_at_too(node, peer, vault):
    p = peer('knot')
    n = node(extra=remote(vault)).secondary_of(ZONE, p, **GUARDS)
    p.write(ZONE, big(1))
    p.start()
    n.start()
    n.wait_serial(ZONE, 1)
    p.load(ZONE, big(2, hosts=1))
    n.zonectl('refresh', ZONE)
    zl.wait_for(lambda: n.zone(ZONE)['quarantine'], 'the version to be kept aside')
    n.journaled()
    pushed(n, vault)
    code, report = asked(n)
    assert code == 0 and report['refs'] == 2 and report['faults'] == []
    git(vault, 'update-ref', f'refs/quarantine/{ZONE}', git(vault, 'commit-tree', '-m', 'x', f'{ZONE}^{{tree}}', env=WHO))
    code, report = asked(n)
    assert code == 2 and f'on refs/quarantine/{ZONE}, which is no version' in texts(report)
