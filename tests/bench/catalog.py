"""A fleet from nothing by catalog zone (RFC 9432): all zones of one knot, then one change in each of 1,000 of them, told
by knot's own NOTIFYs. NSD of Debian 12 knows no catalogs and has the zones in its configuration.

One server at a time, each with the same primary, at the same port.
"""
import os
import subprocess
import time

import measure
import peers
import zl

ZONES, CHANGED, PATIENCE = 10000, 1000, 300  # seconds: each server has so long for each of the two
CATALOG = 'catalog.test'


def name(i):
    return f'z{i:06d}.fleet.test'


def text(version):
    return (f'$TTL 3600\n@ SOA ns.example.net. host.example.net. {version} 86400 86400 864000 300\n@ NS ns.example.net.\n'
            + ''.join(f'h{k} A 10.{version}.0.{k}\n' for k in range(8)))


class Primary:
    def __init__(self, path, zones, changed, target):
        self.path, self.zones, self.changed, self.target = path, zones, changed, target
        self.port = zl.free_port()
        self.process = None

    def start(self):
        user = '  user: root\n' if os.getuid() == 0 else ''
        self.write('rest.zone', 1)
        self.write('changed.zone', 1)
        template = f'''    storage: {self.path}
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
    semantic-checks: off
    catalog-role: member
    catalog-zone: {CATALOG}
    acl: all
'''
        (self.path / 'knot.conf').write_text(f'''server:
  rundir: {self.path}
  listen: 127.0.0.1@{self.port}
{user}database:
  storage: {self.path}
  journal-db-max-size: 4G
  catalog-db-max-size: 4G
log:
  - target: stderr
    any: warning
remote:
  - id: one
    address: 127.0.0.1@{self.target}
acl:
  - id: all
    address: 127.0.0.0/8
    action: transfer
template:
  - id: default
    file: rest.zone
{template}  - id: changed
    file: changed.zone
    notify: one
{template}  - id: catalog
    storage: {self.path}
    acl: all
zone:
  - domain: {CATALOG}
    template: catalog
    catalog-role: generate
''' + ''.join(f'  - domain: {name(i)}\n' + ('    template: changed\n' if i < self.changed else '')
              for i in range(self.zones)))
        self.process = zl.Process('knot', [zl.tool('knotd'), '-c', self.path / 'knot.conf'], self.path / 'log').start()
        self.loaded(0, self.zones, 1)

    def write(self, file, version):
        (self.path / file).write_text(text(version))

    def change(self, version):
        self.write('changed.zone', version)
        self.ctl('zone-reload', *map(name, range(self.changed)))

    def ctl(self, *cmd):
        subprocess.run([zl.tool('knotc'), '-c', self.path / 'knot.conf', '-b', '-t', '600', *cmd], check=True, capture_output=True)

    def loaded(self, first, zones, version):
        _, never = follow(self.port, first, zones, version)
        assert not never, f'the primary does not serve {never} zones: {(self.path / "log").read_text()[-2000:]}'

    def stop(self):
        if self.process:
            self.process.kill()


def follow(port, first, zones, version, patience=PATIENCE):
    """Seconds until all are there, and how many never are."""
    out = subprocess.run([zl.BIN.parent / 'tests/bin/follow', str(port), str(first), str(zones), str(version), f'{patience:.0f}'],
                         check=True, capture_output=True, text=True).stdout.split()
    return float(out[0]), int(out[1])


class Ours(peers.Ours):
    def start(self):
        self.node = zl.Node(self.path / 'n', level='warning', workers=1,
                            extra=f'catalog "{CATALOG}" {{ primaries = {{"p"}} }}')
        self.node.port = self.port
        self.node.primaries['p'] = (f'127.0.0.1@{self.primary_port}', None)
        self.node.write_config()
        for p in (self.node.syncd, self.node.authd):
            self.processes.append(p.start())


class Knot(peers.Knot):
    def start(self):
        user = '  user: root\n' if os.getuid() == 0 else ''
        conf = self.write('knot.conf', f'''server:
  rundir: {self.path}
  listen: 127.0.0.1@{self.port}
{user}  udp-workers: 1
database:
  storage: {self.path}
  journal-db-max-size: 4G
  catalog-db-max-size: 4G
  timer-db-max-size: 1G
log:
  - target: stderr
    any: warning
remote:
  - id: primary
    address: 127.0.0.1@{self.primary_port}
acl:
  - id: notify
    address: 127.0.0.1
    action: notify
template:
  - id: member
    storage: {self.path}
    master: primary
    acl: notify
zone:
  - domain: {CATALOG}
    storage: {self.path}
    master: primary
    acl: notify
    catalog-role: interpret
    catalog-template: member
''')
        self.spawn(zl.tool('knotd'), '-c', conf)


class Nsd(peers.Nsd):
    name = 'nsd (configured)'

    def start(self):
        self.zones = [name(i) for i in range(self.fleet)]
        super().start()


class Bind(peers.Bind):
    def start(self):
        primaries = f'primaries {{ 127.0.0.1 port {self.primary_port}; }};'
        conf = self.write('named.conf', f'''options {{ directory "{self.path}"; listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; recursion no;
  dnssec-validation no; notify no; transfers-in 100; transfers-per-ns 100; serial-query-rate 10000;
  catalog-zones {{ zone "{CATALOG}" default-{primaries} }}; }};
controls {{ }};
zone "{CATALOG}" {{ type secondary; file "catalog"; {primaries} }};
''')
        self.spawn(zl.tool('named'), '-g', '-c', conf, '-n', 2)


class Pdns(peers.Pdns):
    def start(self):
        self.zones = []
        self.write('pdns.conf', f'''launch=gsqlite3
gsqlite3-database={self.path}/pdns.sqlite
local-address=127.0.0.1
local-port={self.port}
socket-dir={self.path}
secondary=yes
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
        zl.pdnsutil(self.path, 'create-secondary-zone', CATALOG, f'127.0.0.1:{self.primary_port}')
        zl.pdnsutil(self.path, 'set-kind', CATALOG, 'consumer')
        self.spawn(zl.tool('pdns_server'), f'--config-dir={self.path}')
        # It asks for the catalog's serial by UDP, which knot refuses; so it is told to fetch it.
        zl.wait_for(lambda: subprocess.run([zl.tool('pdns_control'), f'--config-dir={self.path}', 'retrieve', CATALOG],
                                           capture_output=True).returncode == 0, 'pdns to take orders')


def settle(s, begin, *parts):
    """Waits for all parts (first, zones, version), with one limit for them together: (seconds, how many are missing)."""
    until = begin + s.limit
    missing = sum(follow(s.port, *part, max(1, until - time.monotonic()))[1] for part in parts)
    return time.monotonic() - begin, missing


def one(cls, bench, primary, port, version):
    """For each of the two: seconds, CPU seconds, missing zones; then MiB. The second is None if the first did not end."""
    s = cls(bench.path / f'{cls.name.split()[0]}-catalog', CATALOG, primary.port, threads=1)
    s.port, s.fleet, s.limit = port, primary.zones, bench.limit or PATIENCE
    try:
        begin = time.monotonic()
        s.start()
        seconds, missing = settle(s, begin, (0, primary.changed, version),
                                  (primary.changed, primary.zones - primary.changed, 1))
        first = (seconds, measure.cpu(s.pids()), missing)
        memory = measure.memory_mib(s.pids())
        if missing:
            return first, None, memory
        before = measure.cpu(s.pids())
        begin = time.monotonic()
        primary.change(version + 1)
        seconds, missing = settle(s, begin, (0, primary.changed, version + 1))
        return first, (seconds, measure.cpu(s.pids()) - before, missing), measure.memory_mib(s.pids())
    finally:
        s.stop()


def columns(step, ours):
    """As the table has it; who was not done in time has no ratio."""
    if step is None:
        return ['-', '-', '-', '-']
    seconds, cpu, missing = step
    ratio = '-' if missing or not ours or ours[2] else f'{seconds / ours[0]:.1f}'
    return [f'{"> " if missing else ""}{seconds:.2f}', ratio, f'{cpu:.2f}', missing]


def run(bench, zones=ZONES):
    zones = 30 if bench.brief else zones
    changed = min(CHANGED, zones)
    port = zl.free_port()
    primary = Primary(bench.dir('catalog-primary'), zones, changed, port)
    results = {}
    try:
        primary.start()
        for i, cls in enumerate(peers.installed((Ours, Knot, Nsd, Bind, Pdns), bench.servers)):
            r = results[cls.name] = one(cls, bench, primary, port, 1 + 2 * i)
            for what, step in (('all zones', r[0]), ('the changes', r[1])):
                if step and step[2]:
                    print(f'{cls.name}: {what}: not done after {step[0]:.0f} s: {step[2]:,} zones missing', flush=True)
            primary.change(3 + 2 * i)
            primary.loaded(0, changed, 3 + 2 * i)
    finally:
        primary.stop()
    ours = results.get(Ours.name, (None, None, 0))
    measure.table(f'{zones:,} zones of ten records by catalog, from nothing; then a change in {changed:,}',
                  ['server', 'all there s', 'to ours', 'CPU s', 'missing', 'all changed s', 'to ours', 'CPU s', 'missing', 'MiB'],
                  [[n, *columns(r[0], ours[0]), *columns(r[1], ours[1]), f'{r[2]:.0f}'] for n, r in results.items()])
