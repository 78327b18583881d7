"""A clock that jumps while versions are made: history keeps the order in which things happened, and says what the clock said."""
import time

import pytest
import zl

ZONE = 'example.test'
YEARS = 315360000  # ten


def utc(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))


def test_versions_keep_their_order_whatever_the_clock_says(node, place):
    clock = place / 'node' / 'clock'
    n = node(env={'ZL_CLOCK_OFFSET_FILE': str(clock)})
    clock.write_text('0')
    n.start()
    begin = time.time()
    jumps = [0, YEARS, -YEARS, 0, 3600, -3600]
    for serial, jump in enumerate(jumps, 1):
        clock.write_text(str(jump))
        n.zonectl('import', ZONE, '-', stdin=zl.small_zone(serial))
        n.wait_serial(ZONE, serial)
    clock.write_text('0')
    n.journaled()
    log = list(reversed(n.log(ZONE)))
    if log[1]['at'] < utc(begin + YEARS / 2):
        pytest.skip('skipped: a release has no clock that can be turned')
    last = len(jumps)
    assert [v['serial'] for v in log] == list(range(1, last + 1))
    for v, jump in zip(log, jumps):
        assert utc(begin + jump - 5) <= v['at'] <= utc(begin + jump + 120)
    # One line of commits in that order; git's dates are those that the clock showed.
    assert n.git('rev-list', '--reverse', f'refs/heads/{ZONE}').split() == [v['commit'] for v in log]
    dates = [int(d) for d in n.git('log', '--reverse', '--format=%ct', f'refs/heads/{ZONE}').split()]
    assert [utc(d) for d in dates] == [v['at'] for v in log]

    # A moment: the newest version of which the clock said that it was not after it.
    def shown(at):
        return next(line for line in n.dump(ZONE, utc(at)).splitlines() if ' SOA ' in line).split()[6]
    assert shown(begin - YEARS + 600) == '3' and shown(begin + 600) == str(last) and shown(begin + 2 * YEARS) == str(last)
    assert shown(begin - 1800) == str(last)
    # A stretch of time: all that the clock put into it, in the order of versions.
    def serials(*args):
        return [v['serial'] for v in n.json('log', ZONE, *args)]
    assert serials('--since', utc(begin - 600)) == [5, 4, 2, 1]
    assert serials('--since', utc(begin - 600), '--until', utc(begin + 600)) == [4, 1]
    assert serials('--until', utc(begin - 600)) == [6, 3]
    n.zonectl('rollback', ZONE, '--to', 'v2')
    n.verify()
    n.fsck()
    # A restart under a wrong clock, both ways: nothing is lost, nothing expires, all is journaled.
    for jump in (YEARS, -YEARS):
        n.syncd.stop()
        clock.write_text(str(jump))
        n.restart()
        n.zonectl('import', ZONE, '-', '--serial', 'increment', stdin=zl.small_zone(1, www=f'10.0.0.{jump % 251}'))
        n.journaled()
    clock.write_text('0')
    assert [v['version'] for v in n.log(ZONE)] == list(range(last + 3, 0, -1))
    assert n.serial(ZONE) is not None and n.zone(ZONE)['state'] == 'ok'
    n.verify()
    n.fsck()
