"""A fleet that provisions itself: zones that nobody configured appear when their primary announces them, and follow its
changes. Beside pdns-server, whose ground this is; both by the same NOTIFYs from the same knot.

PowerDNS asks the address that sent a NOTIFY, at port 53, so the primary has an address and that port for itself: as root.
"""
import functools
import os
import socket
import subprocess
import time

import dns.message
import dns.opcode
import dns.flags
import measure
import peers
import zl

ZONES, PATIENCE = 1000, 240
PRIMARY, NAMESERVER = '127.0.0.77', 'ns.example.net'
WINDOW = 64  # NOTIFYs, or questions, on the way at once


def name(i):
    return f'fleet{i:05d}.test'


def text(version):
    return (f'$TTL 3600\n@ SOA {NAMESERVER}. host.example.net. {version} 86400 86400 864000 300\n@ NS {NAMESERVER}.\n'
            + ''.join(f'h{k} A 10.{version}.0.{k}\n' for k in range(8)))


class Primary:
    def __init__(self, path, zones):
        self.path, self.zones = path, zones
        path.chmod(0o755)
        self.process = None

    def start(self):
        self.write(1)
        (self.path / 'knot.conf').write_text(f'''server:
  rundir: {self.path}
  listen: {PRIMARY}@53
  user: root
database:
  storage: {self.path}
log:
  - target: stderr
    any: warning
acl:
  - id: all
    address: 127.0.0.0/8
    action: transfer
template:
  - id: default
    storage: {self.path}
    file: one.zone
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
    semantic-checks: off
    acl: all
zone:
''' + ''.join(f'  - domain: {z}\n' for z in self.zones))
        self.process = zl.Process('knot', [zl.tool('knotd'), '-c', self.path / 'knot.conf'], self.path / 'log').start()
        self.loaded(1)

    def write(self, version):
        (self.path / 'one.zone').write_text(text(version))

    def change(self, version):
        self.write(version)
        subprocess.run([zl.tool('knotc'), '-c', self.path / 'knot.conf', '-b', 'zone-reload'], check=True, capture_output=True)
        self.loaded(version)

    def loaded(self, version):
        left = pending(self.zones, (PRIMARY, 53), version, time.monotonic() + PATIENCE)
        assert not left, f'the primary does not serve {len(left)} zones: {(self.path / "log").read_text()[-2000:]}'

    def stop(self):
        if self.process:
            self.process.kill()


@functools.cache  # the asking shares the machine with who is asked, so it shall cost little
def query(zone, i):
    m = dns.message.make_query(f'h5.{zone}', 'A')
    m.id = i
    return m.to_wire()


@functools.cache
def notify(zone, i):
    m = dns.message.make_query(zone, 'SOA')
    m.set_opcode(dns.opcode.NOTIFY)
    m.flags = (m.flags | dns.flags.AA) & ~dns.flags.RD
    m.id = i
    return m.to_wire()


def pending(zones, where, version, until, while_waiting=None):
    """Asks until each zone gives this version's record, data and all; returns those that do not by then."""
    left = dict(enumerate(zones))
    want = bytes([10, version, 0, 5])
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(where)
    s.settimeout(0.02)
    while left and time.monotonic() < until:
        if while_waiting:
            while_waiting(left)
        some = list(left)[:WINDOW]
        try:
            for i in some:
                s.send(query(left[i], i))
            for _ in some:
                wire = s.recv(4096)
                if wire[-4:] == want or wire[6:8] == b'\0\1' and want in wire:
                    left.pop(int.from_bytes(wire[:2], 'big'), None)
        except OSError:
            pass
        # who is not there yet goes to the end
        left = {**{i: z for i, z in left.items() if i not in some}, **{i: left[i] for i in some if i in left}}
    s.close()
    return list(left.values())


class Announcer:
    """Sends each zone's NOTIFY, and again after a second, as primaries do, until somebody acknowledges it."""

    def __init__(self, zones, port):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((PRIMARY, 0))
        self.s.connect(('127.0.0.1', port))
        self.s.setblocking(False)
        self.left, self.sent = dict(enumerate(zones)), {}

    def __call__(self, _left):
        try:
            while True:
                wire = self.s.recv(4096)
                if wire[3] & 15 == 0:
                    self.left.pop(int.from_bytes(wire[:2], 'big'), None)
        except OSError:
            pass
        now, n = time.monotonic(), 0
        for i, zone in self.left.items():
            if now - self.sent.get(i, 0) < 1:
                continue
            try:
                self.s.send(notify(zone, i))
            except OSError:
                return
            self.sent[i] = now
            n += 1
            if n == WINDOW:
                return

    def close(self):
        self.s.close()


class Ours(peers.Ours):
    def start(self):
        self.node = zl.Node(self.path / 'n', level='warning', workers=1,
                            extra=f'autoprimary "fleet" {{ primaries = {{"p"}} nameservers = {{"{NAMESERVER}"}} zones-per-hour = 1000000 }}')
        self.node.port = self.port
        self.node.primaries['p'] = (f'{PRIMARY}@53', None)
        self.node.write_config()
        self.processes.append(self.node.syncd.start())
        zl.wait_for(self.node.ready, 'syncd to be ready')
        self.processes.append(self.node.authd.start())
        zl.wait_for(lambda: self.node.status()['authd_connected'], 'authd to connect')


class Pdns(peers.Pdns):
    def start(self):
        self.write('pdns.conf', f'''launch=gsqlite3
gsqlite3-database={self.path}/pdns.sqlite
local-address=127.0.0.1
local-port={self.port}
socket-dir={self.path}
secondary=yes
autosecondary=yes
xfr-cycle-interval=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
guardian=no
daemon=no
write-pid=no
loglevel=3
''')
        zl.pdns_database(self.path)
        zl.pdnsutil(self.path, 'add-autoprimary', PRIMARY, NAMESERVER, 'fleet')
        self.spawn(zl.tool('pdns_server'), f'--config-dir={self.path}')
        zl.wait_for(lambda: zl.ask(self.port, 'nothing.test', 'SOA') is not None, 'pdns to answer')


def follow(s, zones, version):
    """Seconds and CPU until all zones give this version, and how many never do."""
    for i, zone in enumerate(zones):
        query(zone, i), notify(zone, i)
    before = measure.cpu(s.pids())
    announcer = Announcer(zones, s.port)
    begin = time.monotonic()
    left = pending(zones, ('127.0.0.1', s.port), version, begin + PATIENCE, announcer)
    seconds = time.monotonic() - begin
    announcer.close()
    return seconds, measure.cpu(s.pids()) - before, len(left)


def run(bench):
    zones = [name(i) for i in range(20 if bench.brief else ZONES)]
    if os.getuid() != 0:
        print('skipped: the primary needs port 53, and so root')
        return
    primary = Primary(bench.dir('fleet-primary'), zones)
    results = {}
    try:
        primary.start()
        for round_number, cls in enumerate(c for c in peers.installed((Ours, Pdns), bench.servers)):
            version = 1 + 2 * round_number
            s = cls(bench.path / f'{cls.name}-fleet', 'unused', 53, threads=1)
            try:
                s.start()
                first = follow(s, zones, version)
                primary.change(version + 1)
                second = follow(s, zones, version + 1)
                results[cls.name] = (*first, *second, measure.memory_mib(s.pids()))
            finally:
                s.stop()
            primary.change(version + 2)
    finally:
        primary.stop()
    ours = results[Ours.name]
    measure.table(f'{len(zones):,} zones of ten records by autoprimary NOTIFY, from nothing; then one change in each',
                  ['server', 'all there s', 'to ours', 'CPU s', 'never', 'all changed s', 'to ours', 'CPU s', 'never', 'MiB'],
                  [[n, f'{r[0]:.2f}', f'{r[0] / ours[0]:.1f}', f'{r[1]:.2f}', r[2], f'{r[3]:.2f}', f'{r[3] / ours[3]:.1f}', f'{r[4]:.2f}',
                    r[5], f'{r[6]:.0f}'] for n, r in results.items()])
