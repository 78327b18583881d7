"""The disk of the journal is full: serving and changing go on, and it heals without hands."""
import os
import random
import subprocess

import pytest
import zl

ZONE = 'own.test'


def mounts_work():
    return os.getuid() == 0 and subprocess.run(
        ['unshare', '-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], capture_output=True).returncode == 0


@pytest.mark.skipif(not mounts_work(), reason='skipped: no private mounts here')
def test_a_full_journal_stops_nothing_and_catches_up(node):
    n = node(level='info')
    n.write_config()
    n.journal.mkdir(parents=True)
    n.data.chmod(0o2750)
    # syncd sees a small disk at journal.git, in a mount namespace of its own.
    n.syncd.cmd = ['unshare', '-m', 'sh', '-c', f'mount -t tmpfs -o size=1500k tmpfs {n.journal} && exec {zl.BIN}/syncd -c {n.conf}']
    n.start()
    rng = random.Random(1)

    def change(serial):
        lines = ''.join(f'h{i} TXT "{rng.getrandbits(400):x}"\n' for i in range(3000))
        path = n.path / 'z.zone'
        path.write_text(f'$TTL 300\n@ SOA ns h {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n' + lines)
        n.zonectl('--json', 'import', ZONE, path)
        n.wait_serial(ZONE, serial)
    last = 12
    for serial in range(1, last + 1):
        change(serial)
    zl.wait_for(lambda: n.status()['journal']['failing'], 'the journal to be full')
    assert 'No space left' in n.status()['journal']['last_error']
    assert n.status()['journal']['behind'] > 0
    pid = n.syncd.p.pid
    subprocess.run(['nsenter', '-t', str(pid), '-m', 'mount', '-o', 'remount,size=100m', str(n.journal)], check=True)
    zl.wait_for(lambda: n.status()['journal']['behind'] == 0, 'the journal to catch up', timeout=40)
    assert n.syncd.p.pid == pid and n.syncd.alive()
    assert [v['serial'] for v in n.log(ZONE)] == list(range(last, 0, -1))
    n.verify()
    left = subprocess.run(['nsenter', '-t', str(pid), '-m', 'ls', str(n.journal / 'objects/pack')], capture_output=True, text=True, check=True).stdout
    assert 'pack-' in left and 'pack_git2_' not in left  # what was half written is gone


@pytest.mark.skipif(not mounts_work(), reason='skipped: no private mounts here')
def test_a_full_store_is_no_fault_of_the_primary(peer, node):
    """A transfer that our own disk cannot take: the primary is neither called failing nor asked last, and once there is room
    the version is fetched again."""
    n = node(level='info')
    p = peer('knot')
    p.write('example.test', zl.small_zone(1, refresh=1))
    p.start()
    n.secondary_of('example.test', p)
    n.write_config()
    n.data.mkdir()
    n.syncd.cmd = ['unshare', '-m', 'sh', '-c', f'mount -t tmpfs -o size=6m,mode=2750 tmpfs {n.data} && exec {zl.BIN}/syncd -c {n.conf}']
    n.start(authd=False)  # which would not see the store
    zl.wait_for(lambda: n.zone('example.test')['serial'] == 1, 'serial 1')

    def inside(command):
        subprocess.run(['nsenter', '-t', str(n.syncd.p.pid), '-m', 'sh', '-c', command], check=True, capture_output=True)
    inside(f'dd if=/dev/zero of={n.data}/filler bs=64k || true')
    big = ''.join(f'h{i} TXT "{random.Random(i).getrandbits(400):x}"\n' for i in range(8000))
    p.load('example.test', zl.small_zone(2, extra=big, refresh=1))
    zl.wait_for(lambda: 'the store cannot take it' in n.syncd.text(), 'the full disk to be met')
    zone, primary = n.zone('example.test'), n.json('primary', 'list')[0]
    assert zone['failures'] == 0 and primary['state'] == 'ok' and primary['failures'] == 0, (zone, primary)
    assert n.syncd.alive() and zone['serial'] == 1
    inside(f'dd if=/dev/zero of={n.data}/filler2 bs=1k || true')
    n.zonectl('refresh', 'example.test')  # an act that cannot be written down is done all the same
    assert 'this log only' in n.syncd.text()
    inside(f'rm -f {n.data}/filler2')
    inside(f'rm {n.data}/filler && mount -o remount,size=100m {n.data}')
    n.zonectl('refresh', 'example.test')  # or in 15 seconds
    zl.wait_for(lambda: n.zone('example.test')['serial'] == 2, 'serial 2 to come')
    zl.wait_for(lambda: not n.zone('example.test')['last_error'], 'the error to be forgotten')
