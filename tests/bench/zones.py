"""Very many small zones: start, memory, and what a query costs beside one zone with as many records.

Ours stand in a store that another program fills, without primaries: only authd runs. The others load each zone
from one and the same file.
"""
import random
import statistics
import subprocess
import time

import measure
import peers
import queries
import zl

ZONES, RECORDS = 100000, 10
PATIENCE = 150
FILE = '$TTL 3600\n@ SOA ns.example.net. ns.example.net. 1 86400 86400 86400 86400\n@ NS ns.example.net.\n'
FILE += ''.join(f'h{k:07d} A 10.0.0.{k}\n' for k in range(2, RECORDS))


def name(i):
    return f'z{i:07d}.test'


class Authd(peers.Secondary):
    name = 'zoneledger'
    missing = peers.Ours.missing

    def fill(self, bench, records):
        """Zones for self.zones of them, each with so many records; seconds that it took."""
        self.node = zl.Node(self.path / 'n', level='info', workers=1)
        self.node.port = self.port
        self.node.data.mkdir(parents=True)
        self.node.write_config()
        begin = time.monotonic()
        subprocess.run([bench.tool('storewrite'), 'fill', self.node.data, str(len(self.zones)), str(records)], check=True,
                       capture_output=True)
        return time.monotonic() - begin

    def start(self):
        self.processes.append(self.node.authd.start())


class Knot(peers.Knot):
    def start(self):
        self.write('one.zone', FILE)
        user = '  user: root\n'
        conf = self.write('knot.conf', f'''server:
  rundir: {self.path}
  listen: 127.0.0.1@{self.port}
{user}  udp-workers: 1
  tcp-workers: 1
database:
  storage: {self.path}
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: {self.path}
    file: one.zone
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
zone:
''' + ''.join(f'  - domain: {z}\n' for z in self.zones))
        self.spawn(zl.tool('knotd'), '-c', conf)


class Nsd(peers.Nsd):
    def start(self):
        self.write('one.zone', FILE)
        conf = self.write('nsd.conf', f'''server:
  ip-address: 127.0.0.1@{self.port}
  username: ""
  chroot: ""
  zonesdir: "{self.path}"
  database: ""
  pidfile: "{self.path}/pid"
  xfrdfile: "{self.path}/xfrd.state"
  zonelistfile: "{self.path}/zone.list"
  xfrdir: "{self.path}"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
''' + ''.join(f'zone:\n  name: "{z}"\n  zonefile: "one.zone"\n' for z in self.zones))
        self.spawn(zl.tool('nsd'), '-d', '-c', conf)


class Bind(peers.Bind):
    def start(self):
        self.write('one.zone', FILE)
        conf = self.write('named.conf', f'''options {{ directory "{self.path}"; listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; recursion no;
  dnssec-validation no; notify no; }};
controls {{ }};
''' + ''.join(f'zone "{z}" {{ type primary; file "one.zone"; }};\n' for z in self.zones))
        self.spawn(zl.tool('named'), '-g', '-c', conf, '-n', 1)


def write_queries(path, zones, records):
    """One of the hosts of one of the zones each time."""
    draw = random.Random(4711)
    with open(path, 'w') as out:
        for _ in range(min(500000, zones * records)):
            out.write(f'h{draw.randrange(2, records):07d}.{name(draw.randrange(zones))} A\n')
    return path


def first_answer(s):
    """Seconds until the last zone and one from the middle are answered; None if that takes too long."""
    begin = time.monotonic()
    s.start()
    asker = measure.Asker(s.port)
    last = [(f'h0000002.{z}', 'A') for z in (s.zones[-1], s.zones[len(s.zones) // 2])]
    took = measure.wait_served(asker, s.zones[-1], 1, last, PATIENCE)
    asker.close()
    return took and time.monotonic() - begin


def measured(bench, s, what, file, records):
    took = first_answer(s)
    if took is None:
        print(f'{s.name} does not serve {what} within {PATIENCE} s')
        return None
    measure.pin(s.pids())
    memory = measure.memory_mib(s.pids())
    rounds = [queries.flood(bench, s, file) for _ in range(1 if bench.brief else 3)]
    q, user, system, _ = (statistics.median(x) for x in zip(*rounds))
    return [s.name, what, f'{took:.2f}', f'{memory:.0f}', f'{memory * 2**20 / records:.0f}', f'{q:,.0f}', f'{user:.2f}',
            f'{system:.2f}']


def ours(bench, zones, records):
    what = f'{zones:,} zones of {records:,}' if zones > 1 else f'one zone of {records:,}'
    s = Authd(bench.path / f'ours-{zones}-{records}', [name(i) for i in range(zones)], None)
    try:
        took = s.fill(bench, records)
        if zones > 1:
            print(f'store with {what} records written in {took:.1f} s, '
                  f'{sum(f.stat().st_size for f in s.node.data.iterdir()) / 2**20:.0f} MiB on disk')
        return measured(bench, s, what, write_queries(bench.path / 'zones-queries', zones, records), zones * records)
    finally:
        s.stop()


def run(bench, zones=ZONES, others=(Knot, Nsd, Bind)):
    if bench.brief:
        zones = 100
    rows = [ours(bench, 1, RECORDS), ours(bench, 1, zones * RECORDS), ours(bench, zones, RECORDS)]
    file = write_queries(bench.path / 'zones-queries', zones, RECORDS)
    for cls in peers.installed(others, bench.servers):
        s = cls(bench.path / f'{cls.program}-zones', [name(i) for i in range(zones)], None)
        try:
            rows.append(measured(bench, s, f'{zones:,} zones of {RECORDS}', file, zones * RECORDS))
        finally:
            s.stop()
    measure.table('Many zones: from the start to answers from the last of them; queries for random hosts of random zones',
                  ['server', 'zones and records', 'first answer s', 'MiB', 'octets a record', 'queries/s', 'user us', 'system us'],
                  [r for r in rows if r])
