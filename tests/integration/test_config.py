"""The configuration: mistakes are named, a wrong reload changes nothing, secrets stay secret."""
import os
import pathlib
import signal
import subprocess

import dns.rcode
import pytest
import zl

ZONE = 'example.test'
BAD = {
    'unknown item': ('colour = "red"', 'colour'),
    'wrong value': ('log { level = loud }', 'loud'),
    'unknown primary': ('zone "x.test" { primaries = {"nobody"} }', 'nobody'),
    'bad zone name': ('primary "p" { address = "127.0.0.1" }\nzone "a..b" { primaries = {"p"} }', 'a..b'),
    'zone twice': ('primary "p" { address = "127.0.0.1" }\nzone "x.test" { primaries = {"p"} }\nzone "X.test." { primaries = {"p"} }', 'twice'),
    'bad algorithm': ('key "k" { algorithm = "rot13" secret-file = "/dev/null" }', 'rot13'),
    'no secret file': ('key "k" { secret-file = "/nowhere/at/all" }', '/nowhere/at/all'),
}


@pytest.mark.parametrize('what', BAD, ids=lambda x: x.replace(' ', '-'))
def test_check_config_names_the_mistake(what, place):
    text, says = BAD[what]
    conf = place / 'bad.conf'
    conf.write_text(text + '\n')
    r = subprocess.run([zl.BIN / 'syncd', '--check-config', '-c', conf], capture_output=True, text=True)
    assert r.returncode == 1 and says in r.stderr and ('bad.conf' in r.stderr or what == 'no secret file'), r.stderr
    r = subprocess.run([zl.BIN / 'syncd', '-c', conf], capture_output=True, text=True, timeout=20)
    assert r.returncode == 1 and says in r.stderr


def test_a_secret_that_others_can_read_is_refused(place):
    secret = place / 'k.secret'
    secret.write_text('c2VjcmV0c2VjcmV0c2VjcmV0')
    secret.chmod(0o644)
    conf = place / 'zl.conf'
    conf.write_text(f'key "k.test" {{ secret-file = "{secret}" }}\n')
    r = subprocess.run([zl.BIN / 'syncd', '--check-config', '-c', conf], capture_output=True, text=True)
    assert r.returncode == 1 and 'k.secret' in r.stderr and 'c2VjcmV0' not in r.stderr
    secret.chmod(0o600)
    assert subprocess.run([zl.BIN / 'syncd', '--check-config', '-c', conf], capture_output=True).returncode == 0


def test_reload_adds_and_removes_zones_and_refuses_mistakes(peer, node):
    n = node()
    p = peer('knot').notify_to(n)
    for z in (ZONE, 'second.test'):
        p.write(z, zl.small_zone(1, zone=z))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)

    good = n.conf.read_text()
    n.conf.write_text(good + '\nnonsense = 1\n')
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'nonsense' in n.syncd.text(), 'the mistake to be logged')
    assert n.serial(ZONE) == 1 and n.zone(ZONE)['masters']

    n.secondary_of('second.test', p).write_config()
    n.syncd.signal(signal.SIGHUP)
    n.wait_serial('second.test', 1)

    del n.zones[ZONE]
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: n.ask(ZONE, 'SOA').rcode() == dns.rcode.REFUSED, 'the zone not to be served')
    assert n.zone(ZONE)['state'] == 'removed'
    assert n.log(ZONE)[0]['serial'] == 1 and 'version 1' in n.dump(ZONE), 'its history stays'

    n.secondary_of(ZONE, p).write_config()
    n.syncd.signal(signal.SIGHUP)
    n.wait_serial(ZONE, 1)
    n.verify()


def test_a_second_syncd_is_refused(node):
    n = node().start()
    r = subprocess.run([zl.BIN / 'syncd', '-c', n.conf], capture_output=True, text=True, timeout=20)
    assert r.returncode == 1 and str(n.syncd.p.pid) in r.stderr, r.stderr
    assert n.zonectl('status').returncode == 0


def test_secrets_are_nowhere(peer, node):
    key = zl.Key()
    n = node()
    p = peer('knot', key).notify_to(n)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    n.journaled()
    n.zonectl('rollback', ZONE, '--to', 'v1', check=False)
    canary = key.secret.encode()
    import base64
    raw = base64.b64decode(key.secret)
    for path in pathlib.Path(n.path).rglob('*'):
        if path.is_file() and not path.name.endswith('.secret'):
            data = path.read_bytes()
            assert canary not in data and raw not in data, path
    everything = subprocess.run(['git', '--git-dir', n.journal, 'cat-file', '--batch-all-objects', '--batch'], capture_output=True).stdout
    assert canary not in everything and raw not in everything
    for q in (n.syncd, n.authd):
        proc = pathlib.Path('/proc') / str(q.p.pid)
        assert canary not in (proc / 'cmdline').read_bytes() + (proc / 'environ').read_bytes()
    for path in (n.data, n.data / 'zoneledger.db', n.journal):
        assert path.stat().st_mode & 0o007 == 0, f'{path} is open to everybody'


@pytest.mark.skipif(os.getuid() != 0, reason='skipped: needs root to become another user')
def test_authd_runs_as_another_user(peer, node):
    n = node(authd='user = "nobody"')
    n.path.chmod(0o755)
    p = peer('knot').notify_to(n)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p)
    n.write_config()
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be ready')
    # What an installation does with a group: here simply the sockets and files of the other user.
    import grp
    group = grp.getgrgid(65534).gr_gid
    for path in (n.data, *n.data.glob('zoneledger.db*'), n.path / 'handover.sock'):
        os.chown(path, -1, group)
    n.authd.start()
    n.wait_serial(ZONE, 1)
    status = pathlib.Path(f'/proc/{n.authd.p.pid}/status').read_text()
    assert '\nUid:\t65534\t65534\t65534\t65534\n' in status
    p.load(ZONE, zl.small_zone(2))
    n.wait_serial(ZONE, 2)
    n.verify()
