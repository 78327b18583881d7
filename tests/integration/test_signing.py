"""The history is signed: stock git says so, keys come and go, and no crash between leaves an unsigned or orphaned key."""
import json
import shutil
import subprocess
import time

import pytest
import zl

ZONE = 'example.test'

pytestmark = pytest.mark.skipif(not shutil.which('ssh-keygen'), reason='skipped: ssh-keygen is not installed')


def change(n, serial):
    n.zonectl('import', ZONE, '-', stdin=zl.small_zone(serial))
    n.journaled()


def signers(n, tmp_path):
    path = tmp_path / 'allowed-signers'
    path.write_text(n.zonectl('journal', 'key', 'export').stdout)
    return path


def judged(repo, allowed, *revisions):
    """What stock git says of each version, newest first: G(ood), N(one), E(rror) ..."""
    r = subprocess.run(['git', '--git-dir', str(repo), '-c', 'gpg.format=ssh', '-c', f'gpg.ssh.allowedSignersFile={allowed}',
                        'log', '--format=%G?', *(revisions or [ZONE])], capture_output=True, text=True, check=True)
    return r.stdout.split()


def keys(n):
    return n.json('journal', 'key', 'list')['keys']


def test_stock_git_verifies_what_was_signed(node, tmp_path):
    n = node().start()
    change(n, 1)
    assert 'not signed' in n.zonectl('journal', 'key', 'list').stdout
    n.zonectl('journal', 'key', 'create')
    change(n, 2)
    change(n, 3)
    allowed = signers(n, tmp_path)
    assert judged(n.journal, allowed) == ['G', 'G', 'N']
    out = subprocess.run(['git', '--git-dir', n.journal, '-c', f'gpg.ssh.allowedSignersFile={allowed}', 'verify-commit', '-v', ZONE],
                         capture_output=True, text=True, check=True)
    assert 'Good "git" signature for test-node' in out.stderr and 'Serial: 3' in out.stdout
    shown = subprocess.run(['git', '--git-dir', n.journal, '-c', f'gpg.ssh.allowedSignersFile={allowed}', 'log', '--show-signature', ZONE],
                           capture_output=True, text=True, check=True)
    assert (shown.stdout + shown.stderr).count('Good "git" signature for test-node') == 2
    clone = tmp_path / 'clone.git'
    subprocess.run(['git', 'clone', '-q', '--mirror', n.journal, clone], check=True)
    assert judged(clone, allowed) == ['G', 'G', 'N']
    n.fsck()
    n.verify()
    again = n.zonectl('journal', 'key', 'create', check=False)
    assert again.returncode == 1 and 'there is a key already' in again.stderr


def test_a_rotated_key_still_verifies_what_it_signed(node, tmp_path):
    n = node().start(authd=False)
    nothing = n.zonectl('journal', 'key', 'rotate', check=False)
    assert nothing.returncode == 1 and 'there is no key yet' in nothing.stderr
    n.zonectl('journal', 'key', 'create')
    change(n, 1)
    n.zonectl('journal', 'key', 'rotate')
    change(n, 2)
    first, second = keys(n)
    assert first['until'] and not first['current'] and second['current'] and second['until'] is None
    assert first['fingerprint'] != second['fingerprint']
    assert judged(n.journal, signers(n, tmp_path)) == ['G', 'G']
    n.syncd.kill()
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')
    change(n, 3)
    assert keys(n) == [first, second]
    assert judged(n.journal, signers(n, tmp_path)) == ['G', 'G', 'G']


def test_the_private_half_is_for_syncd_alone(node):
    n = node().start(authd=False)
    n.zonectl('journal', 'key', 'create')
    change(n, 1)
    key = n.data / 'signing/key'
    assert key.stat().st_mode & 0o777 == 0o600 and key.parent.stat().st_mode & 0o777 == 0o700
    secret = key.read_text().splitlines()[3]
    assert secret not in n.syncd.text()
    assert secret not in n.zonectl('--json', 'journal', 'key', 'list').stdout
    listed = subprocess.run(['ssh-keygen', '-l', '-f', key], capture_output=True, text=True, check=True).stdout
    assert keys(n)[0]['fingerprint'] in listed


@pytest.mark.parametrize('point', ['signing:after_allowed', 'signing:after_key'])
@pytest.mark.parametrize('verb', ['create', 'rotate'])
def test_a_crash_in_the_middle_leaves_one_key_that_signs(node, tmp_path, verb, point):
    n = node().start(authd=False)
    if verb == 'rotate':
        n.zonectl('journal', 'key', 'create')
        change(n, 1)
    n.syncd.stop()
    plain, n.syncd.env = n.syncd.env, {**n.syncd.env, 'ZL_FAULT': point}
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be ready')
    if n.zonectl('journal', 'key', verb, check=False).returncode == 0:
        pytest.skip('skipped: this build has no fault points')
    zl.wait_for(lambda: not n.syncd.alive(), 'the crash')
    n.syncd.env = plain
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')
    if not any(k['current'] for k in keys(n)):
        assert verb == 'create' and point == 'signing:after_allowed'
        n.zonectl('journal', 'key', 'create')
    change(n, 2)
    assert sum(k['current'] for k in keys(n)) == 1
    assert all(k['until'] is None for k in keys(n) if k['current'])
    assert all(k['until'] for k in keys(n) if not k['current'])
    assert set(judged(n.journal, signers(n, tmp_path))) == {'G'}


def test_a_damaged_key_stops_the_start_with_its_name(node):
    n = node().start(authd=False)
    n.zonectl('journal', 'key', 'create')
    change(n, 1)
    n.syncd.stop()
    key = n.data / 'signing/key'
    good = key.read_text()
    for text, mode, says in [(good.replace('A', 'B'), 0o600, 'damaged'), (good, 0o644, 'mode 0644')]:
        key.write_text(text)
        key.chmod(mode)
        n.syncd.start()
        zl.wait_for(lambda: not n.syncd.alive(), 'syncd to give up')
        assert f'{key}: ' in n.syncd.text() and says in n.syncd.text()
    key.chmod(0o600)
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be ready')
    change(n, 2)


def verified(n):
    n.journaled()
    return n.zonectl('--json', 'verify', check=False)


def test_verify_looks_at_the_signatures(node):
    n = node().start()
    change(n, 1)
    n.zonectl('journal', 'key', 'create')
    since = keys(n)[0]['since']
    zl.wait_for(lambda: time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()) > since, 'the next second')
    change(n, 2)
    n.zonectl('journal', 'key', 'rotate')
    change(n, 3)
    assert n.verify()['signatures'] == 2
    assert '2 signatures hold' in n.zonectl('journal', 'verify').stdout
    assert json.loads(n.zonectl('--json', 'verify', '--since', '2999-01-01').stdout)['versions'] == 0

    # A key that is none of ours: those of another node, say.
    n.syncd.stop()
    allowed = n.data / 'signing/allowed-signers'
    lines = allowed.read_text().splitlines()
    allowed.write_text(lines[1] + '\n')
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be ready')
    zl.wait_for(lambda: n.status()['authd_connected'], 'authd to be back')
    r = verified(n)
    assert r.returncode == 2 and 'version 2 is signed by a key that is none of this node' in r.stdout

    # One that begins to sign no more, without a word.
    n.syncd.stop()
    allowed.write_text('\n'.join(lines) + '\n')
    (n.data / 'signing/key').rename(n.data / 'key.aside')
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be ready')
    change(n, 4)
    zl.wait_for(lambda: n.status()['authd_connected'], 'authd to be back')
    r = verified(n)
    assert r.returncode == 2 and 'version 4 (serial 4) is not signed, though there was a key then' in r.stdout
    assert 'version 2' not in r.stdout
