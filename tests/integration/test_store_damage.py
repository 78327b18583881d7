"""The store is damaged or gone: it is found out, nothing is served half, and the journal makes it anew."""
import os
import sqlite3
import subprocess

import zl

ZONE, OTHER = 'example.test', 'other.test'


def made(node):
    n = node(level='info').start()
    for zone in (ZONE, OTHER):
        for serial in (1, 2, 3):
            n.zonectl('import', zone, '-', stdin=zl.small_zone(serial, zone=zone))
    n.wait_serial(ZONE, 3)
    n.wait_serial(OTHER, 3)
    n.journaled()
    return n


def restored(n, before):
    """The damaged files go aside, by hand, and the journal makes new ones."""
    for f in list(n.data.glob('zoneledger.db*')):
        f.rename(n.path / f'aside-{f.name}')
    r = subprocess.run([zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'restore'], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    n.restart()
    n.wait_serial(ZONE, 3)
    assert {z: n.log(z) for z in (ZONE, OTHER)} == before
    n.verify()
    n.fsck()


def refuses(n, word):
    n.syncd.start()
    zl.wait_for(lambda: not n.syncd.alive(), 'syncd to refuse the store')
    assert word in n.syncd.text().splitlines()[-1], n.syncd.text()[-600:]


def answers(n):
    return {z: n.serial(z) for z in (ZONE, OTHER)} == {ZONE: 3, OTHER: 3}


def test_the_database_is_deleted_while_it_is_in_use(node):
    n = made(node)
    before = {z: n.log(z) for z in (ZONE, OTHER)}
    authd = n.authd.p.pid
    for f in n.data.glob('zoneledger.db*'):
        f.unlink()
    n.zonectl('import', ZONE, '-', stdin=zl.small_zone(4), check=False)  # into a file that has no name
    zl.wait_for(lambda: not n.syncd.alive(), 'syncd to notice')
    assert 'removed or replaced' in n.syncd.text()
    assert answers(n)  # from memory
    refuses(n, 'journal restore')
    assert answers(n) and n.authd.p.pid == authd and n.authd.alive()
    n.authd.kill()
    restored(n, before)


def test_pages_are_damaged(node):
    """A page of the database of zeros, one of zones with another octet in it, and a schema of the future."""
    n = made(node)
    before = {z: n.log(z) for z in (ZONE, OTHER)}
    db = n.data / 'zoneledger.db'
    n.stop()
    whole = {f.name: f.read_bytes() for f in n.data.glob('zoneledger.db*')}

    def again():
        for f in n.data.glob('zoneledger.db*'):
            f.unlink()
        for name, data in whole.items():
            (n.data / name).write_bytes(data)
            os.chmod(n.data / name, 0o640)

    size = db.stat().st_size
    with open(db, 'r+b') as f:  # a page in the middle: of whichever table it is
        f.seek(size // 2 // 4096 * 4096)
        f.write(bytes(4096))
    refuses(n, 'zoneledger.db')
    again()
    with sqlite3.connect(db) as c:
        c.execute('PRAGMA user_version = 9999')
    c.close()
    refuses(n, 'schema 9999')
    again()

    # What SQLite cannot see: an octet of a record. The zone is not served with it, the other one is.
    with sqlite3.connect(db) as c:
        rowid, zone, data = c.execute('SELECT p.rowid, z.name, p.data FROM page p JOIN zone z ON z.id = p.zone_id ORDER BY p.rowid LIMIT 1').fetchone()
        c.execute('UPDATE page SET data = ? WHERE rowid = ?', (data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], rowid))
    c.close()
    bad, good = (ZONE, OTHER) if ZONE.split('.')[0].encode() in zone else (OTHER, ZONE)
    n.restart()
    n.wait_serial(good, 3)
    assert n.ask(bad, 'SOA').rcode() in (2, 5)
    r = n.zonectl('verify', check=False)
    assert r.returncode == 2 and bad in r.stdout
    n.kill()
    restored(n, before)


def test_the_write_ahead_log_is_cut(node):
    """What was acknowledged and is not in it any more is lost with it; what is left is one moment of the past, whole."""
    n = made(node)
    n.kill()
    wal = n.data / 'zoneledger.db-wal'
    size = wal.stat().st_size
    os.truncate(wal, size - size // 3)
    n.restart()
    n.wait_serial(ZONE, 3) if n.log(ZONE) and n.log(ZONE)[0]['serial'] == 3 else None
    for zone in (ZONE, OTHER):
        r = n.zonectl('--json', 'log', zone, check=False)
        if r.returncode == 0:
            zl.wait_for(lambda z=zone: n.serial(z) == n.log(z)[0]['serial'], 'what is in the store to be served')
    faults = n.zonectl('verify', check=False)
    assert faults.returncode in (0, 1), faults.stdout
