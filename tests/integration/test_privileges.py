"""What the daemons give up once they have started, and what is left to somebody who breaks into one."""
import grp
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess

import dns.rcode
import pytest
import zl

ZONE = 'example.test'
PROBE = pathlib.Path(os.environ.get('ZL_BUILD', zl.ROOT / 'build/release')) / 'tests/bin/cageprobe'
ROOT = os.getuid() == 0
only_root = pytest.mark.skipif(not ROOT, reason='skipped: only root can become another user')
NOBODY, NOGROUP = pwd.getpwnam('nobody').pw_uid, grp.getgrnam('nogroup').gr_gid


def statuses(process):
    """/proc/PID/task/*/status of all threads, as dictionaries: what one thread keeps, the process has."""
    found = []
    for path in pathlib.Path(f'/proc/{process.p.pid}/task').glob('*/status'):
        found.append(dict(line.split(':\t', 1) for line in path.read_text().splitlines() if ':\t' in line))
    assert found
    return found


def capabilities(status, which):
    return int(status[f'Cap{which}'], 16)


def landlock_there():
    r = probe('authd', '/', 'passwd')  # with all directories allowed only the log tells
    return 'landlock=0' not in r.stderr


def probe(role, directory, attempt):
    return subprocess.run([PROBE, role, str(directory), attempt], capture_output=True, text=True, timeout=60)


def served(n, peer):
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p)
    return p


# ---------------------------------------------------------------- the daemons

def test_no_privileges_are_left(peer, node):
    n = node()
    served(n, peer)
    n.start()
    n.wait_serial(ZONE, 1)
    for s in statuses(n.authd):
        for which in ('Eff', 'Prm', 'Inh', 'Amb'):
            assert capabilities(s, which) == 0, s
        assert not ROOT or capabilities(s, 'Bnd') == 0, s
        assert s['NoNewPrivs'] == '1' and s['Seccomp'] == '2', s
    kept = 1 << 0 | 1 << 1 | 1 << 3 if ROOT else 0  # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER
    for s in statuses(n.syncd):
        assert capabilities(s, 'Eff') & ~kept == 0 and capabilities(s, 'Prm') & ~kept == 0, s
        assert capabilities(s, 'Inh') == 0 and capabilities(s, 'Amb') == 0, s
        assert s['NoNewPrivs'] == '1' and s['Seccomp'] == '2', s
    for daemon in (n.authd, n.syncd):
        assert 'the cage is closed' in daemon.text() and 'seccomp=true' in daemon.text()
    assert 'seccomp' in n.status()['sandbox']
    assert 'sandbox' in n.zonectl('status').stdout


@only_root
def test_authd_becomes_another_user_who_can_only_read_the_store(peer, node):
    """The directory is syncd's, with a group that may read it: setgid, so that what is made there belongs to the group."""
    low = 600 + os.getpid() % 400
    with socket.socket() as t, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        try:
            t.bind(('127.0.0.1', low))
            u.bind(('127.0.0.1', low))
        except OSError:
            pytest.skip(f'skipped: port {low} is taken')
    n = node(authd='user = "nobody" group = "nogroup"')
    n.port = low  # which only root may bind
    n.data.mkdir()
    for directory, mode in ((n.path, 0o2755), (n.data, 0o2750)):
        os.chown(directory, 0, NOGROUP)
        directory.chmod(mode)
    p = served(n, peer)
    n.start()
    n.wait_serial(ZONE, 1)
    for s in statuses(n.authd):
        assert s['Uid'].split() == [str(NOBODY)] * 4, s['Uid']
        assert s['Gid'].split() == [str(NOGROUP)] * 4, s['Gid']
        assert s['Groups'].split() == [str(NOGROUP)], s['Groups']
    for name in ('zoneledger.db', 'zoneledger.db-wal', 'zoneledger.db-shm'):
        st = (n.data / name).stat()
        assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (0, NOGROUP, 0o640), name
    assert f'user=nobody uid={NOBODY}' in n.authd.text()

    p.load(ZONE, zl.small_zone(2))
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    n.options['authd'] += ' server-id = "reloaded"'
    n.write_config()
    n.authd.signal(signal.SIGHUP)
    zl.wait_for(lambda: n.ask('id.server', 'TXT', rdclass='CH').rcode() == dns.rcode.NOERROR, 'the reload')
    n.syncd.kill()
    n.restart()
    n.verify()


@only_root
def test_an_unknown_user_or_group_is_said_at_the_start(node):
    for items, says in (('user = "no-such-user"', "no user 'no-such-user'"),
                        ('user = "nobody" group = "no-such-group"', "no group 'no-such-group'")):
        n = node(says.split("'")[1], authd=items)
        n.write_config()
        n.authd.start()
        assert n.authd.p.wait(30) == 1
        n.authd.ended = True
        assert says in n.authd.text()


def test_the_switch(peer, node):
    n = node(extra='sandbox = no')
    served(n, peer)
    n.start()
    n.wait_serial(ZONE, 1)
    for daemon in (n.authd, n.syncd):
        assert all(s['Seccomp'] == '0' for s in statuses(daemon))
        assert 'sandbox is off' in daemon.text()
    assert all(s['NoNewPrivs'] == '1' for s in statuses(n.authd))
    assert n.status()['sandbox'] == 'off'
    n.options['extra'] = 'sandbox = yes'
    n.write_config()
    for daemon in (n.authd, n.syncd):
        daemon.signal(signal.SIGHUP)
        zl.wait_for(lambda d=daemon: 'sandbox changes only with a restart' in d.text(), 'the word about it')


def test_reloads_reach_what_was_named_at_the_start(peer, node, place):
    """A new file in a directory that was in use is read; one elsewhere is not, and the log says why."""
    if not landlock_there():
        pytest.skip('skipped: this kernel has no Landlock')
    n = node()
    key = zl.Key()
    p = peer('knot', key)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    other = n.path / 'other.secret'
    other.write_text(key.secret + '\n')
    other.chmod(0o600)
    n.options['extra'] = f'key "other.test" {{ secret-file = "{other}" }}'
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')

    away = place / 'elsewhere'
    away.mkdir()
    moved = other.rename(away / 'other.secret')
    n.options['extra'] = f'key "other.test" {{ secret-file = "{moved}" }}'
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'reload refused' in n.syncd.text(), 'the refusal')
    line = next(x for x in n.syncd.text().splitlines() if 'reload refused' in x)
    assert f'{moved} is where the sandbox does not reach before a restart' in line
    assert n.serial(ZONE) == 1


# ---------------------------------------------------------------- an intruder

# Attempt, then what authd and what syncd let him do.
DENIED, KILLED = 'Permission denied', -signal.SIGSYS
NO_CALL, NO_FAMILY = 'Function not implemented', 'Address family not supported by protocol'
ATTEMPTS = [
    ('read', 'allowed', 'allowed'),
    ('write', DENIED, 'allowed'),
    ('create', DENIED, 'allowed'),
    ('remove', NO_CALL, 'allowed'),
    ('passwd', DENIED, DENIED),
    ('escape', DENIED, DENIED),
    ('list', DENIED, DENIED),
    ('execve', KILLED, KILLED),
    ('fork', KILLED, KILLED),
    ('clone3', NO_CALL, NO_CALL),
    ('thread', 'allowed', 'allowed'),
    ('ptrace', KILLED, KILLED),
    ('packet', NO_FAMILY, NO_FAMILY),
    ('netlink', NO_FAMILY, NO_FAMILY),
    ('inet', NO_FAMILY, 'allowed'),
    ('unix', 'allowed', 'allowed'),
    ('connect', DENIED, 'Connection refused'),
    ('bind', NO_CALL, 'allowed'),
    ('code', DENIED, DENIED),
    ('protect', DENIED, DENIED),
    ('setuid', KILLED, KILLED),
    ('mount', KILLED, KILLED),
    ('kill', NO_CALL, NO_CALL),
    ('unknown', NO_CALL, NO_CALL),
    ('capability', 'Operation not permitted', 'allowed' if ROOT else 'Operation not permitted'),
]
BY_LANDLOCK = {'passwd', 'escape', 'list', 'connect'}


@pytest.mark.parametrize('role', ['authd', 'syncd'])
@pytest.mark.parametrize('attempt', ATTEMPTS, ids=lambda a: a[0])
def test_an_intruder(role, attempt, place):
    name, *expected = attempt
    want = expected[role == 'syncd']
    (place / 'file').write_text('something\n')
    r = probe(role, place, name)
    if name in BY_LANDLOCK and 'landlock=0' in r.stderr:
        pytest.skip('skipped: this kernel has no Landlock')
    if name == 'connect' and role == 'authd' and int(r.stderr.split('landlock=')[1].split()[0]) < 4:
        pytest.skip('skipped: Landlock of this kernel knows nothing of connections')
    if want == KILLED:
        assert r.returncode == KILLED and r.stdout == '', (r.returncode, r.stdout, r.stderr)
        assert 'a system call was refused that this program never makes; stopping call=' in r.stderr
        assert f'call={dict(fork="clone").get(name, name)} ' in r.stderr
    else:
        assert r.returncode == 0, r.stderr
        assert r.stdout.strip() == (want if want == 'allowed' else f'refused: {want}')
    assert (place / 'file').exists() or (role, name) == ('syncd', 'remove')


# ---------------------------------------------------------------- the units

def systemd_sets():
    """The named sets of system calls that systemd knows."""
    sets, name = {}, None
    out = subprocess.run(['systemd-analyze', '--no-pager', 'syscall-filter'], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        if line.startswith('@'):
            name = line.strip()
            sets[name] = set()
        elif name and line.startswith('    ') and not line.strip().startswith('#'):
            sets[name].add(line.strip())
    return sets


def expand(sets, name):
    return set().union(*(expand(sets, x) for x in sets[name])) if name.startswith('@') else {name}


def calls_of(name):
    """A list of the cage, from its source."""
    body = re.search(name + r'\[\] = \{(.*?)\};', (zl.ROOT / 'lib/base/cage_calls.c').read_text(), re.S).group(1)
    return set(re.findall(r'"(\w+)"', body))


@pytest.mark.skipif(not shutil.which('systemd-analyze'), reason='skipped: no systemd-analyze here')
@pytest.mark.parametrize('daemon', ['authd', 'syncd'])
def test_the_unit_leaves_what_the_cage_needs(daemon):
    unit = zl.ROOT / f'conf/systemd/zoneledger-{daemon}.service'
    sets, allowed = systemd_sets(), set()
    for line in re.findall(r'^SystemCallFilter=(.*)$', unit.read_text(), re.M):
        named = set().union(*(expand(sets, x) for x in line.lstrip('~').split()))
        allowed = allowed - named if line.startswith('~') else allowed | named
    needed = calls_of('calls_of_both') | {'openat', 'mmap', 'mprotect', 'ioctl', 'prctl', 'clone', 'tgkill', 'socket', 'bind', 'listen',
                                          'capset', 'seccomp', 'landlock_create_ruleset', 'landlock_add_rule', 'landlock_restrict_self'}
    if daemon == 'syncd':
        needed |= calls_of('calls_of_syncd')
    assert len(needed) > 90 and len(allowed) > 200
    assert not (needed & expand(sets, '@known')) - allowed
    r = subprocess.run(['systemd-analyze', 'security', '--offline=true', '--threshold=20', unit], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout[-600:] + r.stderr
