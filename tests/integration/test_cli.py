"""zonectl: exit codes, JSON everywhere, errors that say what to do."""
import json
import re
import subprocess

import pytest
import zl

ZONE = 'own.test'


@pytest.fixture
def n(node):
    n = node().start()
    path = n.path / 'own.zone'
    for serial in (1, 2):
        path.write_text(zl.small_zone(serial, zone=ZONE))
        n.zonectl('import', ZONE, path)
    n.journaled()
    return n


def test_json_everywhere(n):
    for args in (['status'], ['zone', 'list'], ['zone', 'show', ZONE], ['log', ZONE], ['diff', ZONE, 'v1', 'v2'],
                 ['rollback', ZONE, '--to', 'v1', '--dry-run'], ['verify']):
        json.loads(n.zonectl('--json', *args).stdout)
    r = n.zonectl('--json', 'zone', 'show', 'nowhere.test', check=False)
    assert r.returncode == 1 and json.loads(r.stdout)['kind'] == 'not-found'


@pytest.mark.parametrize('args, code, says', [
    (['log', 'nowhere.test'], 1, "'zonectl zone list' shows all"),
    (['log', 'a..b'], 1, 'empty label'),
    (['show', ZONE + '@v77'], 1, "'zonectl log' lists them"),
    (['rollback', ZONE], 64, '--to'),
    (['rollback', ZONE, '--to', 'v2'], 1, 'served already'),
    (['release', ZONE], 1, 'not held'),
    (['refresh', ZONE], 1, 'no primaries'),
    (['retransfer', ZONE], 1, 'no primaries'),
    (['frobnicate'], 64, '--help'),
    (['zone'], 64, 'zone list '),
    (['log', ZONE, '--dry-run'], 64, "'log' takes no --dry-run"),
    (['status', '--limit', '3'], 64, 'usage: zonectl status [ZONE]'),
    (['rollback', ZONE, '--to', 'v1', '--pace', '1'], 64, "'rollback' takes no --pace"),
    (['frobnicate', '--help'], 64, "there is no verb 'frobnicate'"),
    (['blame'], 64, 'usage: zonectl blame'),
    (['log', ZONE, 'x', 'y'], 64, 'usage: zonectl log'),
    (['log', ZONE, '--limit', 'x'], 1, 'not a number'),
    (['--frob'], 64, '--help'),
    ([], 64, 'usage'),
], ids=str)
def test_mistakes_are_told_with_the_remedy(args, code, says, n):
    r = n.zonectl(*args, check=False)
    assert r.returncode == code and says in r.stderr, (r.returncode, r.stderr)


@pytest.mark.parametrize('args, says', [
    (['rollback', '--help'], ['usage: zonectl rollback ZONE --to', 'usage: zonectl rollback --all']),
    (['journal', 'key', 'create', '--help'], ['usage: zonectl journal key create']),
    (['journal', '--help'], ['journal push', 'journal verify']),
], ids=str)
def test_help_for_a_verb(args, says, place):
    r = subprocess.run([zl.BIN / 'zonectl', '--run-dir', place, *args], capture_output=True, text=True)
    assert r.returncode == 0 and all(s in r.stdout for s in says), r


def test_without_syncd(place):
    r = subprocess.run([zl.BIN / 'zonectl', '--run-dir', place, 'status'], capture_output=True, text=True)
    assert r.returncode == 3 and 'is syncd running' in r.stderr
    r = subprocess.run([zl.BIN / 'zonectl', '--help'], capture_output=True, text=True)
    assert r.returncode == 0 and 'rollback' in r.stdout


def test_verify_tells_what_is_broken(n):
    assert n.zonectl('verify').returncode == 0
    ref = n.journal / 'refs/heads' / ZONE
    ref.write_text('')  # what a power cut leaves
    r = n.zonectl('verify', check=False)
    assert r.returncode == 1 and 'ref' in r.stdout and ZONE in r.stdout, r.stdout
    n.syncd.stop()
    n.restart()
    n.verify()
    n.authd.kill()
    r = n.zonectl('verify', check=False)
    assert r.returncode == 1 and 'authd is not connected' in r.stdout
    n.restart()
    # Lost packs: the store still knows what was in them.
    n.syncd.stop()
    for f in (n.journal / 'objects/pack').iterdir():
        f.unlink()
    n.restart()
    n.verify()
    assert n.serial(ZONE) == 2
    path = n.path / 'own.zone'
    path.write_text(zl.small_zone(3, zone=ZONE))
    n.zonectl('import', ZONE, path)
    n.wait_serial(ZONE, 3)
    n.journaled()


def test_the_table_is_aligned(n):
    lines = n.zonectl('log', ZONE).stdout.splitlines()
    column = lines[0].index('ORIGIN')
    assert all(line[column:].startswith(('ORIGIN', 'import')) for line in lines), lines
