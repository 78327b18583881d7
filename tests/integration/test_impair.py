"""Bad networks, and primaries that die: the old version is served until a new one is whole, and once the
trouble ends all is well again without anybody's help. ZL_SEED and ZL_FAULTS make the drawn ones others, and more."""
import os
import random
import signal

import impair
import pytest
import secondaries
import zl
from impair import Fault

ZONE = 'example.test'
SEED = int(os.environ.get('ZL_SEED', '20261124'))
FAULTS = int(os.environ.get('ZL_FAULTS', '3'))
SOON = {'refresh-min': '1s', 'retry-min': '1s', 'retry-max': '1s'}
QUICK = 'probe-timeout = 300ms transfer-idle = 1s'

# What a network does, and whether a zone gets through meanwhile.
THROUGH = [Fault(delay=0.05), Fault(duplicate=1), Fault(reorder=0.5), Fault(segment=1), Fault(loss=1),
           Fault(delay=0.02, duplicate=0.5, reorder=0.5, segment=7)]
NOT_THROUGH = [Fault(reset_at=0), Fault(reset_at=1500), Fault(cut_at=1), Fault(cut_at=2000), Fault(half_close_at=1500), Fault(stall_at=0),
               Fault(stall_at=1999), Fault(partition='both'), Fault(partition='up'), Fault(partition='down')]
SIGNED = [Fault(flip=0.2), Fault(flip=0.003)]  # by chance not one bit may be hit: nothing is said of what gets through


def text(serial):
    """Some 6,000 octets as a stream; the timers are short, so that nobody needs a NOTIFY."""
    return zl.small_zone(serial, www=f'10.{serial >> 16 & 255}.{serial >> 8 & 255}.{serial & 255}', refresh=1, retry=1,
                         extra='\n'.join(f'h{i} TXT "{serial} {"x" * 80}"' for i in range(50)))


@pytest.fixture
def between():
    made = []

    def make(target, **options):
        made.append(impair.Impair(target, SEED, **options))
        return made[-1]
    yield make
    for i in made:
        i.stop()


class Knot:
    """A primary behind a bad network: publish(serial) gives it a new version."""

    def __init__(self, peer, name, key, ixfr):
        self.server = peer(name, key, ixfr=ixfr)
        self.server.write(ZONE, text(1))
        self.server.start()
        self.port = self.server.port

    def publish(self, serial):
        self.server.load(ZONE, text(serial))
        zl.wait_for(lambda: zl.serial(self.port, ZONE) == serial, f'the primary to load serial {serial}')


class Ours:
    """The same, and it is another node of ours."""

    def __init__(self, node, key):
        self.server = node('primary', key=key, level='info', keys=[key] if key else [])
        self.server.zones[ZONE] = []
        self.server.zone_options[ZONE] = {'transfer-keys': f'{{"{key.name}"}}'} if key else {'transfer-from': '{"127.0.0.0/8"}'}
        self.server.start()
        self.port = self.server.port
        self.publish(1)

    def publish(self, serial):
        f = self.server.path / 'import.zone'
        f.write_text(text(serial))
        self.server.zonectl('import', ZONE, f)
        self.server.wait_serial(ZONE, serial)


def primary_called(name, peer, node, key, ixfr=True):
    return Ours(node, key) if name == 'ours' else Knot(peer, name, key, ixfr)


def secondary_behind(primary, between, node, key, **options):
    """A node of ours that reaches the primary through the bad network, and has serial 1."""
    net = between(primary.port, key=key)
    n = node('secondary', syncd=QUICK, **options)
    n.secondary_of(ZONE, net, **SOON).start()
    n.wait_serial(ZONE, 1)
    return net, n


def whole(n, published):
    """What is served is one of the versions that were published, and nothing mixed."""
    serial = n.serial(ZONE)
    assert serial in published, f'{serial} was never published'
    return serial


def endure(net, n, publish, serial, fault, through):
    """One fault, during which a new version appears; gives what is served when it is over."""
    before = whole(n, {serial - 1})
    net.set(fault)
    publish(serial)
    if through:
        n.wait_serial(ZONE, serial)
    else:
        zl.wait_for(lambda: net.hits >= 2, f'{fault} to be felt')
        got = whole(n, {before} if through is False else {before, serial})
        assert got == before or zl.records(n.dump(ZONE), ZONE) == zl.records(text(serial), ZONE), fault
    net.set(impair.GOOD)
    n.wait_serial(ZONE, serial)
    assert zl.records(n.dump(ZONE), ZONE) == zl.records(text(serial), ZONE), fault


def unharmed(n, last):
    """Each version that was seen is in the history once, and nothing else is."""
    n.journaled()
    serials = [v['serial'] for v in n.log(ZONE)]
    assert serials == sorted(set(serials), reverse=True) and serials[0] == last and set(serials) <= set(range(1, last + 1)), serials
    zl.wait_for(lambda: n.zone(ZONE)['failures'] == 0, 'the zone to be well')
    n.verify()
    n.fsck()


def test_every_fault_on_the_way_in(peer, node, between):
    primary = primary_called('knot', peer, node, None)
    net, n = secondary_behind(primary, between, node, None)
    serial = 1
    for fault in THROUGH + NOT_THROUGH:
        serial += 1
        endure(net, n, primary.publish, serial, fault, fault in THROUGH)
    unharmed(n, serial)


def test_flipped_bits_do_not_pass_a_signature(peer, node, between):
    key = zl.Key()
    primary = primary_called('knot', peer, node, key)
    net, n = secondary_behind(primary, between, node, key)
    for serial, fault in enumerate(SIGNED, 2):
        endure(net, n, primary.publish, serial, fault, None)
    unharmed(n, 1 + len(SIGNED))


@pytest.mark.parametrize('signed', [False, True], ids=['plain', 'tsig'])
@pytest.mark.parametrize('name', ['bind9', 'knot', 'ours'])
def test_drawn_faults_on_the_way_in(name, signed, peer, node, between):
    rng = random.Random(f'{SEED} {name} {signed}')
    key = zl.Key() if signed else None
    primary = primary_called(name, peer, node, key)
    net, n = secondary_behind(primary, between, node, key)
    for serial in range(2, FAULTS + 2):
        fault = impair.drawn(rng, 7000, signed)
        print(f'seed {SEED}, {name}, serial {serial}: {fault}')
        net.set(fault)
        primary.publish(serial)
        end = rng.random()
        zl.wait_for(lambda: net.hits or n.serial(ZONE) == serial or end < 0.5, 'the fault to be felt, or none')
        whole(n, {serial - 1, serial})
        net.set(impair.GOOD)
        n.wait_serial(ZONE, serial)
        assert zl.records(n.dump(ZONE), ZONE) == zl.records(text(serial), ZONE), fault
    unharmed(n, FAULTS + 1)


@pytest.mark.parametrize('name', ['bind9', 'knot'])
def test_drawn_faults_on_the_way_out(name, node, between, place):
    """Ours is the primary: a real secondary behind the bad network follows, whatever happens to a transfer."""
    rng = random.Random(f'{SEED} out {name}')
    key = zl.Key()
    cls = secondaries.SECONDARIES[name]
    if cls.missing():
        pytest.skip(f'skipped: {cls.program} is not installed')
    n = node('primary', level='info', syncd='transfer-idle = 1s')
    net = between(n.port, key=key)
    s = cls(place / name, net, key)
    n.primary_of(ZONE, s).start()

    def publish(serial):
        f = place / 'import.zone'
        f.write_text(text(serial))
        n.zonectl('import', ZONE, f)
        n.wait_serial(ZONE, serial)
    publish(1)
    s.start(ZONE)
    try:
        s.wait_serial(ZONE, 1)
        for serial in range(2, FAULTS + 2):
            fault = impair.drawn(rng, 7000, True)
            print(f'seed {SEED}, {name}, serial {serial}: {fault}')
            net.set(fault)
            publish(serial)
            end = rng.random()
            zl.wait_for(lambda: net.hits or zl.serial(s.port, ZONE) == serial or end < 0.5, 'the fault to be felt, or none')
            assert zl.serial(s.port, ZONE) in (serial - 1, serial)
            net.set(impair.GOOD)
            zl.wait_for(lambda: zl.serial(s.port, ZONE) == serial, f'{name} to have serial {serial} after {fault}', timeout=60)
        zl.wait_for(lambda: zl.transfer(n.port, ZONE, key) == zl.records(text(FAULTS + 1), ZONE), 'ours to have it')
    finally:
        s.stop()
    zl.wait_for(lambda: open_sockets(n.syncd, n.port) == 0, 'no connection to be left')
    n.verify()


def open_sockets(process, port):
    """TCP connections to `port` that the process holds."""
    fds = f'/proc/{process.p.pid}/fd'
    mine = set()
    for fd in os.listdir(fds):
        try:
            mine.add(os.readlink(f'{fds}/{fd}'))
        except OSError:
            pass
    n = 0
    with open(f'/proc/{process.p.pid}/net/tcp') as f:
        for line in list(f)[1:]:
            w = line.split()
            n += int(w[1].split(':')[1], 16) == port and w[3] != '0A' and f'socket:[{w[9]}]' in mine
    return n


def test_notify_through_a_bad_network(node, between):
    """Said again until it is heard: a primary of ours and a secondary of ours, NOTIFY lost, doubled and out of order."""
    first, second = node('first'), node('second')
    net = between(second.port, name='second')
    first.primary_of(ZONE, net)
    second.secondary_of(ZONE, first, **{'refresh-min': '1h', 'retry-min': '1h'})
    first.start()
    f = first.path / 'import.zone'

    def publish(serial):
        f.write_text(text(serial))
        first.zonectl('import', ZONE, f)
    publish(1)
    second.start()
    second.wait_serial(ZONE, 1)
    net.set(Fault(duplicate=1, reorder=0.5))
    for serial in (2, 3, 4):
        publish(serial)
    second.wait_serial(ZONE, 4)
    net.set(Fault(loss=1))
    publish(5)
    zl.wait_for(lambda: net.hits >= 2, 'NOTIFY to be lost, and said again')
    assert second.serial(ZONE) == 4
    net.set(impair.GOOD)
    second.wait_serial(ZONE, 5, timeout=60)
    unharmed(second, 5)


# ---------------------------------------------------------------- the primary itself

@pytest.mark.parametrize('name', ['knot', 'ours'])
def test_the_primary_is_killed_in_mid_transfer(name, peer, node, between):
    primary = primary_called(name, peer, node, None)
    net, n = secondary_behind(primary, between, node, None)
    net.set(Fault(stall_at=2500))
    primary.publish(2)
    zl.wait_for(lambda: net.hits, 'the transfer to be in the middle')
    server = primary.server
    if name == 'ours':
        server.kill()
    else:
        server.process.kill()
    net.set(Fault(cut_at=0))  # what is still on the way dies with it
    zl.wait_for(lambda: n.zone(ZONE)['failures'] > 0, 'the failure to be told')
    assert n.serial(ZONE) == 1
    net.set(impair.GOOD)
    if name == 'ours':
        server.restart()
    else:
        server.process.start()
    n.wait_serial(ZONE, 2)
    unharmed(n, 2)


@pytest.mark.parametrize('name', ['knot', 'ours'])
def test_a_frozen_primary(name, peer, node, between):
    """It accepts connections (its kernel does) and says nothing; then it goes on as if nothing had been."""
    primary = primary_called(name, peer, node, None)
    net, n = secondary_behind(primary, between, node, None)
    primary.publish(2)
    n.wait_serial(ZONE, 2)
    server = primary.server
    frozen = [server.authd, server.syncd] if name == 'ours' else [server.process]
    for p in frozen:
        p.signal(signal.SIGSTOP)
    try:
        n.zonectl('refresh', ZONE)
        zl.wait_for(lambda: n.zone(ZONE)['failures'] > 0, 'the failure to be told')
        assert n.serial(ZONE) == 2 and n.status()
    finally:
        for p in frozen:
            p.signal(signal.SIGCONT)
    primary.publish(3)
    n.wait_serial(ZONE, 3)
    unharmed(n, 3)


# ---------------------------------------------------------------- the machine

def test_few_descriptors(peer, node, between):
    """A hundred zones whose primary is deaf, connections in and out to spare: the ones that work go on, and none is lost."""
    primary = primary_called('knot', peer, node, None)
    deaf = between(primary.port, name='deaf')
    deaf.set(Fault(partition='both'))
    n = node('secondary', syncd='probe-timeout = 300ms transfer-idle = 1s transfers-in = 100 transfers-per-primary = 100', level='info')
    n.syncd.cmd = ['prlimit', '--nofile=96:96', *n.syncd.cmd]
    net = between(primary.port)
    n.secondary_of(ZONE, net, **SOON)
    for i in range(100):
        n.secondary_of(f'deaf{i}.test', deaf, **SOON)
    n.start()
    n.wait_serial(ZONE, 1, timeout=60)
    clients = []
    try:
        for _ in range(30):  # they ask for a zone, and stay
            clients.append(axfr_client(n.port))
        for serial in (2, 3):
            primary.publish(serial)
            n.wait_serial(ZONE, serial, timeout=60)
        assert n.syncd.alive() and n.zonectl('status').returncode == 0
    finally:
        for c in clients:
            c.close()
    primary.publish(4)
    n.wait_serial(ZONE, 4, timeout=60)
    unharmed(n, 4)


def axfr_client(port):
    import socket
    import dns.message
    s = socket.create_connection(('127.0.0.1', port), 5)
    wire = dns.message.make_query(ZONE, 'AXFR').to_wire()
    s.sendall(len(wire).to_bytes(2, 'big') + wire)
    return s


def test_a_clock_that_jumps_while_syncd_runs(peer, node, between, place):
    """Signatures fail closed while it is wrong; put right, all goes on. Nothing expires, and no time is waited out."""
    key = zl.Key()
    clock = place / 'secondary' / 'clock'  # where syncd may read
    primary = primary_called('knot', peer, node, key)
    clock.parent.mkdir()
    clock.write_text('0')
    net, n = secondary_behind(primary, between, node, key, env={'ZL_CLOCK_OFFSET_FILE': str(clock)})
    serial = 1
    for jump in (3600, -3600, 315360000, -315360000):
        clock.write_text(str(jump))
        serial += 1
        primary.publish(serial)
        z = zl.wait_for(lambda: n.zone(ZONE)['failures'] > 0 and n.zone(ZONE), 'the signature to be too old or too new')
        assert 'TSIG' in z['last_error'] or 'tsig' in z['last_error'].lower(), z['last_error']
        assert n.serial(ZONE) == serial - 1
        clock.write_text('0')
        n.wait_serial(ZONE, serial)
    unharmed(n, serial)
