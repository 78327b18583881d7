"""The history leaves the node: pushed to other repositories as it grows, and never in the way of anything."""
import os
import pathlib
import stat
import subprocess

import pytest
import zl

ZONE = 'example.test'
OTHER = 'other.test'


def git(repo, *args, check=True, **kw):
    return subprocess.run(['git', '--git-dir', str(repo), *args], capture_output=True, text=True, check=check, **kw).stdout


def bare(path):
    subprocess.run(['git', 'init', '-q', '--bare', str(path)], check=True)
    return path


def remote(name, url, **items):
    body = ' '.join(f'{k.replace("_", "-")} = "{v}"' for k, v in {'interval': '1s', 'retry_max': '2s', **items}.items())
    return f'remote "{name}" {{ url = "{url}" {body} }}'


def refs(repo):
    return git(repo, 'for-each-ref', '--format=%(refname) %(objectname)')


def state(n, name='backup'):
    return next(r for r in n.json('journal', 'remotes') if r['name'] == name)


def change(n, zone, serial):
    n.zonectl('import', zone, '-', stdin=zl.small_zone(serial).replace('example.test', zone))
    n.journaled()


def has_all(n, repo):
    n.journaled()
    return refs(repo) == refs(n.journal) and state(n)['backlog'] == 0


def numbers(n):
    return {k: float(v) for k, v in (line.rsplit(' ', 1) for line in n.zonectl('metrics').stdout.splitlines() if line[0] != '#')}


def test_a_repository_has_each_version_soon_after_it_is_made(node, tmp_path):
    repo = bare(tmp_path / 'backup.git')
    n = node(extra=remote('backup', repo)).start(authd=False)
    for serial in (1, 2, 3):
        change(n, ZONE, serial)
    change(n, OTHER, 1)
    zl.wait_for(lambda: has_all(n, repo), 'all to be there')
    assert subprocess.run(['git', '--git-dir', repo, 'fsck', '--full', '--strict'], check=True, capture_output=True).returncode == 0
    assert git(repo, 'rev-list', '--count', f'refs/heads/{ZONE}').strip() == '3'
    s = state(n)
    assert s['state'] == 'ok' and s['last_push'] and s['error'] is None and s['lag_s'] == 0
    assert 'backup: ok, 0 behind' in n.zonectl('status').stdout
    assert 'backup' in n.zonectl('journal', 'remotes').stdout
    m = numbers(n)
    assert m['zoneledger_remote_backlog{remote="backup"}'] == 0 and m['zoneledger_remote_diverged{remote="backup"}'] == 0


def test_what_a_remote_missed_while_it_was_down_follows(node, tmp_path):
    repo = bare(tmp_path / 'backup.git')
    away = tmp_path / 'away.git'
    n = node(extra=remote('backup', repo)).start(authd=False)
    change(n, ZONE, 1)
    zl.wait_for(lambda: has_all(n, repo), 'the first version to be there')
    repo.rename(away)
    for serial in (2, 3, 4):
        change(n, ZONE, serial)  # commits and journal notice nothing
    s = zl.wait_for(lambda: state(n)['state'] == 'failing' and state(n)['backlog'] == 3 and state(n), 'the backlog to be shown')
    assert 'does not appear to be a git repository' in s['error'] and s['failing_since']
    assert numbers(n)['zoneledger_remote_failing{remote="backup"}'] == 1
    assert 'backup: failing, 3 behind' in n.zonectl('status').stdout
    n.syncd.stop()
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')
    zl.wait_for(lambda: state(n)['state'] == 'failing' and state(n)['backlog'] == 3, 'the backlog to outlive a restart')
    away.rename(repo)
    n.zonectl('journal', 'push', 'backup')
    zl.wait_for(lambda: has_all(n, repo) and state(n)['state'] == 'ok', 'it to catch up')
    assert git(repo, 'rev-list', '--count', f'refs/heads/{ZONE}').strip() == '4'


def test_a_remote_that_was_tampered_with_is_an_alarm_and_is_not_overwritten(node, tmp_path):
    repo = bare(tmp_path / 'backup.git')
    n = node(extra=remote('backup', repo)).start(authd=False)
    change(n, ZONE, 1)
    change(n, OTHER, 1)
    zl.wait_for(lambda: has_all(n, repo), 'all to be there')
    who = {**os.environ, 'GIT_AUTHOR_NAME': 'm', 'GIT_AUTHOR_EMAIL': 'm@m.test', 'GIT_COMMITTER_NAME': 'm', 'GIT_COMMITTER_EMAIL': 'm@m.test'}
    forged = git(repo, 'commit-tree', '-m', 'forged', f'refs/heads/{ZONE}^{{tree}}', env=who).strip()
    git(repo, 'update-ref', f'refs/heads/{ZONE}', forged)
    change(n, ZONE, 2)
    change(n, OTHER, 2)
    s = zl.wait_for(lambda: state(n)['state'] == 'diverged' and state(n), 'the alarm')
    assert s['refused'] == 1 and ZONE in s['error']
    zl.wait_for(lambda: state(n)['backlog'] > 0, 'what it lacks to be counted, which is done each second')
    zl.wait_for(lambda: git(repo, 'rev-parse', f'refs/heads/{OTHER}') == n.git('rev-parse', f'refs/heads/{OTHER}'), 'the other zone')
    assert git(repo, 'rev-parse', f'refs/heads/{ZONE}').strip() == forged, 'never overwritten'
    assert 'a remote has diverged from the journal' in n.syncd.text()
    assert numbers(n)['zoneledger_remote_diverged{remote="backup"}'] == 1
    # an operator has looked at it, and puts the old tip back
    git(repo, 'update-ref', f'refs/heads/{ZONE}', n.git('rev-parse', f'refs/heads/{ZONE}~1').strip())
    n.zonectl('journal', 'push')
    zl.wait_for(lambda: has_all(n, repo) and state(n)['state'] == 'ok', 'all to be well again')


FAKE_SSH = '''#!/bin/sh
# Stands for ssh: notes what it is called with, then does what the server would do.
env | sort > {log}.env
printf '%s\\n' "$@" > {log}.tmp && mv {log}.tmp {log}
[ -e {log}.hang ] && {{ echo $$ > {log}.pid; exec sleep 600; }}
for last; do :; done
eval "exec $last"
'''


@pytest.fixture
def ssh(tmp_path):
    """A directory with a program `ssh` for PATH, and the file that says what it was called with."""
    bin_dir = tmp_path / 'bin'
    bin_dir.mkdir()
    log = tmp_path / 'ssh.log'
    fake = bin_dir / 'ssh'
    fake.write_text(FAKE_SSH.format(log=log))
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    return f'{bin_dir}:{zl.PATH}', log


def test_ssh_asks_nobody_and_trusts_only_known_servers(node, tmp_path, ssh):
    path, log = ssh
    repo = bare(tmp_path / 'backup.git')
    key = tmp_path / 'key'
    key.write_text('a key')
    n = node(env={'PATH': path, 'SECRET_OF_SYNCD': 'x', 'GIT_CONFIG_PARAMETERS': 'x'},
                 extra=remote('backup', f'ssh://git@backup.test{repo}', ssh_key=key)).start(authd=False)
    change(n, ZONE, 1)
    zl.wait_for(lambda: has_all(n, repo), 'all to be there')
    args = log.read_text().split('\n')
    for want in ('BatchMode=yes', 'StrictHostKeyChecking=yes', 'ForwardAgent=no', 'IdentitiesOnly=yes', str(key), 'git@backup.test'):
        assert want in args, args
    env = pathlib.Path(f'{log}.env').read_text()
    assert 'GIT_TERMINAL_PROMPT=0' in env and 'SECRET_OF_SYNCD' not in env and 'GIT_CONFIG_PARAMETERS' not in env


def test_a_push_that_hangs_is_ended_and_stands_in_nobodys_way(node, tmp_path, ssh):
    path, log = ssh
    repo = bare(tmp_path / 'backup.git')
    hang = pathlib.Path(f'{log}.hang')
    hang.touch()
    n = node(env={'PATH': path}, extra=remote('backup', f'backup.test:{repo}', time_limit='2s') + '\n'
                 + remote('second', bare(tmp_path / 'second.git'))).start(authd=False)
    change(n, ZONE, 1)
    zl.wait_for(lambda: refs(tmp_path / 'second.git') == refs(n.journal), 'the other remote to have it')
    s = zl.wait_for(lambda: state(n)['failures'] and state(n), 'the push to be ended')
    assert 'longer than 2 s' in s['error'] and s['backlog'] == 1
    hang.unlink()
    n.zonectl('journal', 'push')
    zl.wait_for(lambda: has_all(n, repo), 'it to be pushed')


def test_a_push_that_is_asked_for_while_one_is_under_way_follows_it(node, tmp_path):
    repo = bare(tmp_path / 'backup.git')
    n = node(extra=remote('backup', repo, interval='1h', retry_max='1h')).start(authd=False)
    zl.wait_for(lambda: state(n)['pushes'] == 1, 'the push at the start')
    hook = repo / 'hooks/pre-receive'  # the first push stays in it until it may go on
    hook.write_text('#!/bin/sh\ntouch inside\nwhile [ ! -e go ]; do sleep 0.05; done\n')
    hook.chmod(0o755)

    def change_and_push(serial):
        change(n, ZONE, serial)
        zl.wait_for(lambda: n.log(ZONE)[0]['commit'] in refs(n.journal), 'the ref to be set')
        n.zonectl('journal', 'push', 'backup')

    change_and_push(1)
    zl.wait_for((repo / 'inside').exists, 'the push to be under way')
    change_and_push(2)
    assert state(n)['pushing'] and refs(repo) == ''
    (repo / 'go').touch()
    zl.wait_for(lambda: state(n)['pushes'] == 3, 'the second push, and not in an hour')
    assert refs(repo) == refs(n.journal) and git(repo, 'rev-list', '--count', f'refs/heads/{ZONE}').strip() == '2'


def test_kill_9_in_the_middle_of_a_push(node, tmp_path, ssh):
    path, log = ssh
    repo = bare(tmp_path / 'backup.git')
    hang, pid = pathlib.Path(f'{log}.hang'), pathlib.Path(f'{log}.pid')
    hang.touch()
    n = node(env={'PATH': path}, extra=remote('backup', f'backup.test:{repo}')).start(authd=False)
    change(n, ZONE, 1)
    zl.wait_for(lambda: pid.exists() and pid.read_text().strip(), 'a push to be under way')
    n.syncd.kill()
    hang.unlink()
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')
    change(n, ZONE, 2)
    zl.wait_for(lambda: has_all(n, repo), 'all to be there')
    subprocess.run(['git', '--git-dir', repo, 'fsck', '--full', '--strict'], check=True, capture_output=True)
    n.fsck()
    try:
        os.kill(int(pid.read_text()), 9)  # nobody reads what it has to say
    except ProcessLookupError:
        pass


def test_the_helper_reads_a_new_configuration_on_reload(node, tmp_path):
    first, second = bare(tmp_path / 'first.git'), bare(tmp_path / 'second.git')
    n = node(extra=remote('backup', first)).start(authd=False)
    change(n, ZONE, 1)
    zl.wait_for(lambda: has_all(n, first), 'all to be there')
    n.options['extra'] = remote('backup', second)
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    zl.wait_for(lambda: has_all(n, second), 'all to be at the new place, which had nothing')


@pytest.mark.parametrize('body, says', [
    ('url = "https://me:secret@git.test/x"', 'list of processes'),
    ('url = "ssh://me:secret@git.test/x"', 'list of processes'),
    ('url = "http://git.test/x"', 'url should be'),
    ('url = "ext::sh -c id"', 'printable ASCII'),
    ('url = "ext::id"', 'url should be'),
    ('url = "--upload-pack=id:x"', 'url should be'),
    ('url = "ssh://-oProxyCommand=id/x"', 'names no host'),
    ('', 'needs url'),
    ('url = "/x" ssh-key = "/k"', 'by ssh'),
    ('url = "ssh://h/x" ssh-key = "/k;id"', 'paths from the root on'),
])
def test_a_wrong_remote_is_named_with_file_and_line(tmp_path, body, says):
    conf = tmp_path / 'zl.conf'
    conf.write_text(f'data-dir = "{tmp_path}"\nremote "r" {{ {body} }}\n')
    r = subprocess.run([zl.BIN / 'syncd', '-c', conf, '--check-config'], capture_output=True, text=True)
    assert r.returncode != 0 and f'{conf}:2: remote' in r.stderr and says in r.stderr, r.stderr
    assert 'secret' not in r.stderr
