"""kill -9 is a normal way to stop: at random instants during a stream of changes, and of syncd at
each write, sync and rename of the way from transfer to commit."""
import os
import pathlib
import random
import re
import shutil
import subprocess
import time

import dns.exception
import pytest
import zl

ZONE = 'example.test'
SEED = int(os.environ.get('ZL_SEED', '20261123'))
KILLS = int(os.environ.get('ZL_KILLS', '200'))


def check_history(n, seen):
    """Nothing is lost or doubled: the chain of versions has no gaps, and all that was served is in it."""
    n.journaled()
    log = list(reversed(n.log(ZONE, limit=10000)))
    assert [v['version'] for v in log] == list(range(1, len(log) + 1))
    serials = [v['serial'] for v in log]
    assert serials == sorted(set(serials)), f'doubled or out of order: {serials}'
    for before, after in zip(log, log[1:]):
        assert after['previous_serial'] == before['serial']
    assert seen <= set(serials), f'served, but not in the history: {seen - set(serials)}'
    commits = [v['commit'] for v in log]
    assert None not in commits and len(set(commits)) == len(commits)
    in_git = n.git('rev-list', '--reverse', f'refs/heads/{ZONE}').split()
    assert in_git == commits
    return serials


def test_200_kills_of_either_and_both(peer, node):
    rng = random.Random(SEED)
    print(f'seed {SEED}, {KILLS} kills')
    n = node(level='info')
    p = peer('knot').notify_to(n)
    serial = 1
    p.write(ZONE, zl.small_zone(serial))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    seen = {1}
    for i in range(KILLS):
        serial += 1
        p.load(ZONE, zl.small_zone(serial, www=f'10.0.{serial >> 8}.{serial & 255}'))
        if i % 4 == 1:
            n.zonectl('refresh', ZONE, check=False)
        time.sleep(rng.random() * 0.06)  # the instant is what is random here
        victims = rng.choice([[n.syncd], [n.authd], [n.syncd, n.authd]])
        for v in victims:
            v.kill()
        for v in victims:
            v.start()
        if i % 10 == 9:
            n.restart()
            try:
                answered = n.serial(ZONE)
                if answered is not None:
                    seen.add(answered)
            except (OSError, dns.exception.DNSException):
                pass
    n.restart()
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, serial)
    seen.add(serial)
    serials = check_history(n, seen)
    print(f'{len(serials)} versions of {serial} came through')
    n.verify()
    n.fsck()


TRACED = 'write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,link,linkat'


def count_calls(trace):
    return sum(1 for line in trace.read_text().splitlines() if re.search(r'\b(' + TRACED.replace(',', '|') + r')\(', line))


@pytest.mark.skipif(zl.tool('strace') is None, reason='skipped: strace is not installed')
def test_syncd_killed_at_each_system_call_of_a_commit(peer, node, place):
    """Serial 1 is there; serial 2 is transferred, committed and journaled by a syncd that dies at its N-th call."""
    syncd = zl.BIN / 'syncd'  # without LeakSanitizer, which does not go together with strace
    base = node('base', level='info')
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1))
    p.start()
    base.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    base.wait_serial(ZONE, 1)
    base.journaled()
    base.stop()
    p.load(ZONE, zl.small_zone(2))
    zl.wait_for(lambda: zl.serial(p.port, ZONE) == 2, 'the primary to load serial 2')
    saved = place / 'saved'
    shutil.copytree(base.data, saved)

    def scenario(when, calls=TRACED):
        """True if syncd lived through it all. strace counts the calls of each thread by itself."""
        shutil.rmtree(base.data)
        shutil.copytree(saved, base.data)
        trace = place / 'trace'
        cmd = ['strace', '-f', '-qq', '-o', str(trace), '-e', f'trace={TRACED}']
        if when:
            cmd += ['-e', f'inject={calls}:signal=KILL:when={when}']
        s = zl.Process('syncd', [*cmd, syncd, '-c', base.conf], base.path / 'traced.log',
                       {'ASAN_OPTIONS': 'detect_leaks=0'}).start()
        try:
            def asked():
                return not s.alive() or base.zonectl('refresh', ZONE, check=False).returncode == 0
            zl.wait_for(asked, 'syncd to start or die')

            def done():
                if not s.alive():
                    return True
                r = base.zonectl('--json', 'log', ZONE, check=False)
                return r.returncode == 0 and '"serial": 2' in r.stdout and '"commit": null' not in r.stdout
            zl.wait_for(done, 'the commit or death')
            return s.alive()
        finally:
            s.kill()

    def die_and_recover(when, calls):
        """False if there was no such call any more."""
        lived = scenario(when, calls)
        base.syncd.start()
        base.authd.start()
        zl.wait_for(base.ready, 'a clean start')
        zl.wait_for(lambda: base.status()['authd_connected'], 'authd to connect')
        base.zonectl('refresh', ZONE)
        base.wait_serial(ZONE, 2)
        assert check_history(base, {1, 2}) == [1, 2], f'killed at {calls} {when}'
        base.verify()
        base.fsck()
        base.stop()
        return not lived

    assert scenario(None)
    total = count_calls(place / 'trace')
    died = 0
    for calls in [TRACED, *TRACED.split(',')]:  # by kind of call too, so that each thread has its turn
        when = 1
        while die_and_recover(when, calls):
            died += 1
            when += 1
    print(f'{died} deaths; {total} calls in all')
    assert died > 5
