"""The index behind log and blame is made anew from the history alone, row by row as it was."""
import os
import pathlib
import sqlite3
import subprocess

import zl

ZONE, LONG = 'example.test', 'long.test'
BUILD = pathlib.Path(os.environ.get('ZL_BUILD', zl.BIN.parent))


def rows(n):
    """What the store knows of versions, but for what no commit says."""
    db = sqlite3.connect(f'file:{n.data}/zoneledger.db?mode=ro', uri=True)
    try:
        return {'touched': db.execute('SELECT * FROM touched ORDER BY 1, 2, 3, 4').fetchall(),
                'version': db.execute('SELECT * FROM version ORDER BY 1, 2').fetchall()}
    finally:
        db.close()


def change_store(n, *statements):
    """Behind syncd's back: it must be down."""
    db = sqlite3.connect(n.data / 'zoneledger.db')
    for s in statements:
        db.execute(s)
    db.commit()
    db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()


def put(n, serial, **kw):
    n.zonectl('import', ZONE, '-', '--reason', f'number {serial}', stdin=zl.small_zone(serial, **kw).replace('example.test', ZONE))


def long_history(n, zone=LONG, records=30, versions=2500, seconds=60):
    zl.run(BUILD / 'tests/bin/historywrite', n.data, zone, records, versions, seconds)


def written(node):
    n = node()
    long_history(n)
    n.start()
    put(n, 1)
    put(n, 2, www='192.0.2.2')
    put(n, 3, www='192.0.2.3', extra='added A 192.0.2.33')
    n.zonectl('rollback', ZONE, '--to', 'v1', '--reason', 'oops')
    n.zonectl('zone', 'remove', ZONE, '--reason', 'gone')
    n.zonectl('undelete', ZONE)
    n.journaled()
    return n


def test_what_was_lost_or_wrong_comes_back_from_git_alone(node):
    n = written(node)
    assert all(not z['first'] for z in n.json('journal', 'reindex', '--dry-run'))
    right = rows(n)
    n.syncd.kill()
    change_store(n, "DELETE FROM touched WHERE version % 3 = 0",
                 "INSERT OR IGNORE INTO touched SELECT zone_id, x'047265737404746573740000', version, 1 FROM version WHERE version % 700 = 0",
                 "INSERT INTO touched SELECT id, x'', 999999, 0 FROM zone",
                 "UPDATE touched SET kind = 16 WHERE kind = 1 AND version % 7 = 0",
                 "UPDATE version SET serial = serial + 5, who = 'mallory', added = 77 WHERE version = 2",
                 "DELETE FROM version WHERE version = 1777")
    wrong = rows(n)
    assert wrong != right
    n.restart()
    told = n.zonectl('journal', 'reindex', '--dry-run', check=False)
    assert told.returncode == 1 and f'{LONG}.: 2500 versions' in told.stdout and '1 versions missing' in told.stdout, told.stdout
    assert rows(n) == wrong, 'a dry run changes nothing'

    told = n.zonectl('journal', 'reindex').stdout
    assert 'mended' in told and '2 versions' not in told
    assert rows(n) == right
    assert all(not z['first'] for z in n.json('journal', 'reindex', '--dry-run'))
    n.verify()


def test_versions_from_before_the_index_become_precise_and_a_crash_in_the_middle_is_no_harm(node):
    """Each version has one row, 'any name', as an upgrade and a store restored from a clone have it."""
    n = written(node)
    right = rows(n)
    n.syncd.kill()
    change_store(n, 'DELETE FROM touched',
                 "INSERT INTO touched SELECT zone_id, x'', version, 0 FROM version WHERE added + removed > 0")
    before = len(rows(n)['touched'])
    n.restart()
    p = subprocess.Popen([zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'reindex'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    zl.wait_for(lambda: len(rows(n)['touched']) > before, 'the first rows')
    n.syncd.kill()
    p.wait(60)
    n.restart()
    n.zonectl('journal', 'reindex')
    assert rows(n) == right


def test_a_name_is_found_by_its_type_however_long_the_history(node):
    """`busy` changes its text in each version, never its address; the index says so without a look at the versions."""
    n = node()
    long_history(n)
    n.start(authd=False)
    assert [v['version'] for v in n.json('log', LONG, '--name', f'busy.{LONG}', '--type', 'A')] == [1]
    assert [v['version'] for v in n.json('log', LONG, '--name', f'rare.{LONG}')] == [2000, 1000, 1]
    lines = {line['record'].split()[3]: line['since']['version'] for line in n.json('blame', LONG, f'busy.{LONG}')}
    assert lines == {'A': 1, 'TXT': 2500}
    whole = n.json('blame', LONG)
    assert len(whole) == 35 and {line['since']['version'] for line in whole if line['record'].startswith('rare.')} == {2000}
