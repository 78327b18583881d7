"""What operators did is written down with who and why, whether it made a version or not."""
import getpass
import os
import sqlite3
import subprocess

import pytest
import zl
from test_quarantine import big, guarded, send, wait_aside

ZONE = 'example.test'
ME = getpass.getuser()


def put(n, serial, *args, zone=ZONE, **kw):
    return n.zonectl('import', zone, '-', *args, stdin=zl.small_zone(serial, **kw).replace('example.test', zone))


def actions(n, *args):
    return n.json('log', '--actions', *args)


def test_each_action_with_its_reason(node, peer, tmp_path):
    repo = tmp_path / 'vault.git'
    subprocess.run(['git', 'init', '-q', '--bare', repo], check=True)
    p = peer('knot')
    n = node(extra=f'remote "vault" {{ url = "{repo}" }}')
    p.notify_to(n)
    p.write('theirs.test', zl.small_zone(1, zone='theirs.test'))
    p.start()
    n.secondary_of('theirs.test', p).start()
    n.wait_serial('theirs.test', 1)
    assert actions(n) == [], 'what comes from primaries is no action'
    steps = [  # what is done, and what is to be found of it: action, zone, detail, version
        (('import', ZONE, '-'), 'import', f'{ZONE}.', '', 1),
        (('import', ZONE, '-'), 'import', f'{ZONE}.', '', 2),
        (('rollback', ZONE, '--to', 'v1'), 'rollback', f'{ZONE}.', 'to=v1', 3),
        (('zone', 'remove', ZONE), 'zone remove', f'{ZONE}.', '', 4),
        (('undelete', ZONE), 'undelete', f'{ZONE}.', '', 5),
        (('refresh', 'theirs.test'), 'refresh', 'theirs.test.', '', None),
        (('retransfer', 'theirs.test'), 'retransfer', 'theirs.test.', '', None),
        (('journal', 'key', 'create'), 'journal key create', None, '', None),
        (('journal', 'key', 'rotate'), 'journal key rotate', None, '', None),
        (('journal', 'reindex', ZONE), 'journal reindex', f'{ZONE}.', '', None),
        (('journal', 'repair', ZONE), 'journal repair', f'{ZONE}.', '', None),
        (('repair', ZONE), 'journal repair', f'{ZONE}.', '', None),
        (('journal', 'push', 'vault'), 'journal push', None, 'remote=vault', None),
        (('autoprimary', 'add', '192.0.2.1', 'ns1.test', '--account', 'acme'), 'autoprimary add', None,
         'ip=192.0.2.1 nameserver=ns1.test account=acme', None),
        (('autoprimary', 'remove', '192.0.2.1', 'ns1.test'), 'autoprimary remove', None, '192.0.2.1 ns1.test', None),
    ]
    for i, (args, *_) in enumerate(steps):
        stdin = zl.small_zone(i + 1, www=f'192.0.2.{i + 1}') if args[0] == 'import' else None
        n.zonectl(*args, '--reason', f'ticket {i}', stdin=stdin)
    found = list(reversed(actions(n)))
    assert [a['reason'] for a in found] == [f'ticket {i}' for i in range(len(steps))]
    for a, (_, action, zone, detail, version) in zip(found, steps):
        assert (a['action'], a['zone'], a['version'], a['who']) == (action, zone, version, ME), a
        assert detail in a['detail'], a
    table = n.zonectl('log', '--actions').stdout
    assert 'journal key rotate' in table and 'ticket 8' in table
    for action in ('journal key create', 'refresh', 'autoprimary add'):
        assert [a['action'] for a in actions(n, '--action', action)] == [action]
    assert [a['version'] for a in actions(n, ZONE)] == [None, None, None, 5, 4, 3, 2, 1]
    assert actions(n, '--user', 'mallory') == [] and actions(n, '--until', '1h ago') == []
    assert [a['reason'] for a in actions(n, '--limit', 1, '--before', actions(n)[0]['id'])] == [f'ticket {len(steps) - 2}']
    # the log says the same, once an action
    text = n.syncd.text()
    assert all(f'ticket {i}' in text for i in range(len(steps)))
    # who and why of what made a version stand in the history, too
    assert {v['reason'] for v in n.log(ZONE)} == {f'ticket {i}' for i in range(5)}


def test_what_changed_nothing_is_no_action(node):
    n = node().start(authd=False)
    put(n, 1)
    put(n, 2, www='192.0.2.2')
    n.zonectl('rollback', ZONE, '--to', 'v1', '--dry-run', '--reason', 'a look')
    assert n.zonectl('rollback', ZONE, '--to', 'v77', check=False).returncode == 1
    assert n.zonectl('autoprimary', 'remove', '192.0.2.1', 'ns1.test', check=False).returncode == 1
    assert n.zonectl('journal', 'key', 'rotate', check=False).returncode == 1
    n.zonectl('verify', check=False)
    assert [a['action'] for a in actions(n)] == ['import', 'import']


@pytest.mark.skipif(os.geteuid() != 0, reason='skipped: only root can become another user')
def test_who_it_was_is_what_the_system_says(node, place):
    """Not what the caller says of itself."""
    n = node(syncd='socket-group = "nogroup"').start(authd=False)
    for path in (place, n.path):
        path.chmod(0o755)
    r = subprocess.run(['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', zl.BIN / 'zonectl', '--run-dir', n.path,
                        'import', ZONE, '-', '--reason', 'not me'], input=zl.small_zone(1), capture_output=True, text=True,
                       env={**os.environ, 'USER': 'root', 'LOGNAME': 'root', 'SUDO_USER': 'anna'})
    if r.returncode and 'Permission denied' in r.stderr:
        pytest.skip('skipped: nobody may not run what was built here')
    assert r.returncode == 0, r.stderr
    assert [a['who'] for a in actions(n)] == ['nobody'] == [v['who'] for v in n.log(ZONE)]
    n.journaled()
    assert n.git('log', '-1', '--format=%an', ZONE).strip() == 'nobody'


def test_they_outlive_a_kill_and_are_as_much_as_was_done(node):
    """An action and its row are one transaction: neither is there without the other."""
    n = node().start(authd=False)
    put(n, 1)
    for serial in range(2, 5):
        put(n, serial, '--reason', f'r{serial}', www=f'192.0.2.{serial}')
        n.syncd.kill()
        n.syncd.start()
        zl.wait_for(n.ready, 'syncd to be back')
    assert [a['reason'] for a in actions(n)] == ['r4', 'r3', 'r2', '']
    db = sqlite3.connect(f'file:{n.data}/zoneledger.db?mode=ro', uri=True)
    assert db.execute('SELECT count(*) FROM operator_log').fetchone() == db.execute('SELECT count(*) FROM version').fetchone()
    db.close()


def test_a_reason_for_a_quarantine(node, peer):
    """Who keeps a version out says why, though that makes no version."""
    p, n = guarded(node, peer)
    send(p, n, big(2, hosts=1))
    wait_aside(n)
    n.zonectl('quarantine', 'reject', ZONE, '--reason', 'half of it is gone')
    a = actions(n)[0]
    assert (a['action'], a['reason'], a['version']) == ('quarantine reject', 'half of it is gone', None)
