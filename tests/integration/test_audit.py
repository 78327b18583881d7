"""Who changed what, and when: the history answers as an auditor asks."""
import datetime
import getpass

import pytest
import zl

ZONE = 'example.test'
OTHER = 'other.test'


def put(n, serial, www, zone=ZONE, reason=None, **kw):
    n.zonectl('import', zone, '-', *(['--reason', reason] if reason else []),
              stdin=zl.small_zone(serial, www=www, **kw).replace('example.test', zone))


def versions(n, *args):
    return [v['version'] for v in n.json('log', *args)]


def written(node):
    """Five versions; the second and the fourth change www, the third adds a host, the fifth changes the serial alone."""
    n = node().start()
    put(n, 1, '192.0.2.1')
    put(n, 2, '192.0.2.2', reason='ticket 7')
    put(n, 3, '192.0.2.2', extra='added A 192.0.2.33')
    put(n, 4, '192.0.2.4', extra='added A 192.0.2.33')
    n.zonectl('rollback', ZONE, '--to', 'v3', '--reason', 'oops')
    return n


def test_versions_that_touched_a_name(node):
    n = written(node)
    assert versions(n, ZONE, '--name', f'www.{ZONE}') == [5, 4, 2, 1]
    assert versions(n, ZONE, '--name', f'WWW.{ZONE}.', '--type', 'A') == [5, 4, 2, 1]
    assert versions(n, ZONE, '--name', f'www.{ZONE}', '--type', 'AAAA') == []
    assert versions(n, ZONE, '--name', f'added.{ZONE}') == [3]
    assert versions(n, ZONE, '--name', f'never.{ZONE}') == []
    assert versions(n, ZONE, '--type', 'A') == [5, 4, 3, 2, 1]
    assert versions(n, ZONE, '--name', ZONE, '--type', 'SOA') == [5, 4, 3, 2, 1]
    assert versions(n, ZONE, '--name', f'www.{ZONE}', '--limit', 1) == [5]
    assert versions(n, ZONE, '--name', f'www.{ZONE}', '--before', 4) == [2, 1]
    table = n.zonectl('log', ZONE, '--name', f'added.{ZONE}').stdout
    assert 'v3' in table and 'v4' not in table


def test_by_origin_user_and_time(node):
    n = written(node)
    assert versions(n, ZONE, '--origin', 'rollback') == [5]
    assert versions(n, ZONE, '--user', getpass.getuser()) == [5, 4, 3, 2, 1]
    assert versions(n, ZONE, '--user', 'mallory') == []
    assert versions(n, ZONE, '--since', '1h ago') == [5, 4, 3, 2, 1] and versions(n, ZONE, '--until', '1h ago') == []
    first = n.json('log', ZONE)[-1]['at']
    assert 1 in versions(n, ZONE, '--until', first)
    assert datetime.datetime.strptime(first, '%Y-%m-%dT%H:%M:%SZ')


def test_of_all_zones(node):
    n = written(node)
    put(n, 1, '192.0.2.9', zone=OTHER)
    rows = n.json('log')
    assert [(v['zone'], v['version']) for v in rows] == [(f'{OTHER}.', 1)] + [(f'{ZONE}.', i) for i in (5, 4, 3, 2, 1)]
    assert [v['seq'] for v in rows] == sorted((v['seq'] for v in rows), reverse=True)
    assert [v['zone'] for v in n.json('log', '--origin', 'rollback')] == [f'{ZONE}.']
    assert [v['version'] for v in n.json('log', '--before', rows[1]['seq'], '--limit', 2)] == [4, 3]
    assert n.json('log', '--account', 'nobody') == []
    assert OTHER in n.zonectl('log').stdout


def blame(n, *args):
    return {line['record'].split()[0] + ' ' + line['record'].split()[3]: line for line in n.json('blame', *args)}


def test_who_brought_each_record(node):
    n = written(node)
    www = n.json('blame', ZONE, f'www.{ZONE}', 'A')
    assert len(www) == 1 and www[0]['record'].endswith('192.0.2.2')
    assert www[0]['since']['version'] == 5 and www[0]['since']['reason'] == 'oops' and www[0]['before']['version'] == 4
    assert www[0]['since']['who'] == getpass.getuser() and www[0]['since']['origin'] == 'rollback'
    whole = blame(n, ZONE)
    assert whole[f'added.{ZONE}. A']['since']['version'] == 3
    assert whole[f'mail.{ZONE}. AAAA']['since']['version'] == 1 and whole[f'mail.{ZONE}. AAAA']['before'] is None
    assert whole[f'{ZONE}. SOA']['since']['version'] == 5
    apex = blame(n, ZONE, ZONE)
    assert apex[f'{ZONE}. SOA']['since']['version'] == 5 and apex[f'{ZONE}. NS']['since']['version'] == 1
    table = n.zonectl('blame', ZONE, f'www.{ZONE}').stdout
    assert 'v5' in table and 'v4' in table and 'oops' in table
    gone = n.zonectl('blame', ZONE, f'never.{ZONE}', check=False)
    assert gone.returncode == 1 and 'no such record is served' in gone.stderr


def test_it_does_not_matter_where_the_history_is(node):
    """After a restart, from the journal alone, and with the store made anew from it: the same answers."""
    n = written(node)
    want = n.json('blame', ZONE), versions(n, ZONE, '--name', f'www.{ZONE}')
    n.journaled()
    want = n.json('blame', ZONE), want[1]
    n.syncd.kill()
    n.restart()
    assert (n.json('blame', ZONE), versions(n, ZONE, '--name', f'www.{ZONE}')) == want
    n.stop()
    for path in n.data.glob('zoneledger.db*'):
        path.unlink()
    zl.run(zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'restore')
    n.restart()
    assert (n.json('blame', ZONE), versions(n, ZONE, '--name', f'www.{ZONE}')) == want
    n.verify()


@pytest.mark.parametrize('args, says', [
    ([ZONE, '--since', 'soon'], "since: 'soon' is not a time"),
    ([ZONE, '--name', 'www.elsewhere.test'], 'is not in the zone'),
    ([ZONE, '--name', f'www.{ZONE}', '--type', 'NONSENSE'], 'is not a type of records'),
    (['--name', 'x'], 'go with a zone'),
    ([ZONE, '--limit', 'x'], 'is not a number'),
])
def test_mistakes_are_told(node, args, says):
    n = node().start(authd=False)
    put(n, 1, '192.0.2.1')
    r = n.zonectl('log', *args, check=False)
    assert r.returncode != 0 and says in r.stderr
