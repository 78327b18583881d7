"""Who changed what, and when: the history answers as an auditor asks."""
import datetime
import getpass
import sqlite3

import dns.name
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


def found(n, *args):
    return [(v['zone'].rstrip('.'), v['version']) for v in n.json('log', *args)]


def test_a_name_and_a_type_in_whichever_zone(node):
    """Also of a name that was in the parent's zone before it had one of its own."""
    n = node().start(authd=False)
    put(n, 1, '192.0.2.1', extra='a.sub HINFO "of" "the parent"')
    put(n, 1, '192.0.2.9', zone=OTHER)
    put(n, 1, '192.0.2.7', zone=f'sub.{ZONE}', extra='a HINFO "of" "the child"')
    put(n, 2, '192.0.2.8', zone=OTHER)
    put(n, 2, '192.0.2.1', extra='b.sub HINFO "of" "the parent"')
    n.zonectl('zone', 'remove', f'sub.{ZONE}')
    name = ['--name', f'A.sub.{ZONE}']
    assert found(n, *name) == [(ZONE, 2), (f'sub.{ZONE}', 1), (ZONE, 1)]
    assert found(n, *name, '--type', 'HINFO', '--limit', 2) == [(ZONE, 2), (f'sub.{ZONE}', 1)]
    seq = n.json('log', *name)[0]['seq']
    assert found(n, *name, '--before', seq) == [(f'sub.{ZONE}', 1), (ZONE, 1)]
    assert found(n, *name, '--type', 'A') == [] and found(n, '--name', 'www.nowhere.test') == []
    assert found(n, *name, '--account', 'acme') == [] and found(n, *name, '--user', 'mallory') == []
    assert found(n, '--name', f'www.{OTHER}', '--type', 'A') == [(OTHER, 2), (OTHER, 1)]
    assert found(n, '--type', 'HINFO') == [(ZONE, 2), (f'sub.{ZONE}', 1), (ZONE, 1)]
    assert found(n, '--type', 'A', '--limit', 2) == [(OTHER, 2), (f'sub.{ZONE}', 1)]
    assert found(n, '--type', 'A', '--since', '1h ago', '--origin', 'import')[-1] == (ZONE, 1)


def set_time(n, zone, version, at):
    db = sqlite3.connect(n.data / 'zoneledger.db')
    db.execute('UPDATE version SET at = ? WHERE version = ? AND zone_id = (SELECT id FROM zone WHERE name = ?)',
               (at, version, dns.name.from_text(zone).to_wire()))
    db.commit()
    db.close()


def test_what_was_served_at_a_moment(node):
    """To the second: a version is served from its own second on, until that of the next."""
    n = node().start(authd=False)
    for serial in (1, 2, 3):
        put(n, serial, f'192.0.2.{serial}')
    n.journaled()
    n.syncd.stop()
    day = 1790000000 - 1790000000 % 86400
    for version, second in ((1, 0), (2, 100), (3, 100)):  # two in one second: the later one counts
        set_time(n, ZONE, version, day + second)
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be back')

    def at(seconds):
        text = datetime.datetime.fromtimestamp(day + seconds, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
        return n.zonectl('show', f'{ZONE}@{text}', check=False)

    def www(r):
        return [l.split()[-1] for l in r.stdout.splitlines() if l.startswith(f'www.{ZONE}. ') and ' A ' in l]

    assert at(-1).returncode == 1 and 'no version is as old as' in at(-1).stderr
    assert www(at(0)) == ['192.0.2.1'] == www(at(99))
    assert www(at(100)) == ['192.0.2.3'] == www(at(101)) == www(at(10**6))
    text = datetime.datetime.fromtimestamp(day, datetime.timezone.utc).strftime('%Y-%m-%d')
    assert www(n.zonectl('show', f'{ZONE}@{text}')) == ['192.0.2.1'], 'a day begins at midnight, UTC'
    iso = datetime.datetime.fromtimestamp(day + 100, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
    assert versions(n, ZONE, '--since', iso) == [3, 2] and versions(n, ZONE, '--until', iso) == [3, 2, 1]
    assert [(v['from']['version'], v['to']['version']) for v in [n.json('diff', ZONE, text, iso)]] == [(1, 3)]


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
    (['--name', 'a..b'], "name 'a..b'"),
    ([ZONE, '--account', 'x'], '--account goes without a zone'),
    ([ZONE, '--limit', 'x'], 'is not a number'),
])
def test_mistakes_are_told(node, args, says):
    n = node().start(authd=False)
    put(n, 1, '192.0.2.1')
    r = n.zonectl('log', *args, check=False)
    assert r.returncode != 0 and says in r.stderr
