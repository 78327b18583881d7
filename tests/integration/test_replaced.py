"""A zone that is nearly all new: the change log does not keep that much twice, and nothing is lost by it."""
import sqlite3

import dns.rdatatype
import pytest
import zl

ZONE = 'example.test'


def big(serial, tag, hosts=12000):
    return zl.small_zone(serial, extra=''.join(f'h{i} A 10.{tag}.{i >> 8}.{i & 255}\n' for i in range(hosts)))


def kept(n):
    """Octets of change sets in the store's log."""
    with sqlite3.connect(f'file:{n.data}/zoneledger.db?mode=ro', uri=True) as db:
        return db.execute('SELECT coalesce(sum(length(data)), 0) FROM change').fetchone()[0]


def put(n, text):
    n.zonectl('import', ZONE, '-', '--force', stdin=text)


@pytest.mark.parametrize('killed', [False, True])
def test_each_version_can_be_had_again(node, killed):
    n = node()
    follower = node('follower')
    n.primary_of(ZONE, follower).start()
    follower.secondary_of(ZONE, n).start()
    put(n, zl.small_zone(1))
    n.journaled()
    follower.wait_serial(ZONE, 1)
    put(n, big(2, 1))
    assert kept(n) < 1000, 'what is in the pages is not in the log as well'
    if killed:  # before the journal has it, unless it was very quick
        n.kill()
        n.start()
    put(n, big(3, 1) + 'one A 192.0.2.1\n')
    put(n, big(4, 2) + 'one A 192.0.2.1\n')
    put(n, zl.small_zone(5))
    n.wait_serial(ZONE, 5)
    follower.wait_serial(ZONE, 5)
    n.verify()
    n.fsck()
    for version, text in ((1, zl.small_zone(1)), (2, big(2, 1)), (3, big(3, 1) + 'one A 192.0.2.1\n'),
                          (4, big(4, 2) + 'one A 192.0.2.1\n'), (5, zl.small_zone(5))):
        assert zl.records(n.dump(ZONE, f'v{version}'), ZONE) == zl.records(text, ZONE), version
    before, after = zl.records(zl.small_zone(1), ZONE), zl.records(big(2, 1), ZONE)
    diff = n.json('diff', ZONE, 'v1', 'v2')
    assert (len(diff['removed']), len(diff['added'])) == (len(before - after), len(after - before))
    n.zonectl('rollback', ZONE, '--to', 'v2')
    n.wait_serial(ZONE, 6)
    follower.wait_serial(ZONE, 6)
    assert [r for r in zl.records(follower.dump(ZONE), ZONE) ^ after if r[2] != dns.rdatatype.SOA] == []
    n.verify()
    follower.verify()
