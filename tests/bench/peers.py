"""Secondaries to compare: each configured fresh, as it comes, with the same primary.

`threads` limits what answers queries to that many threads or processes; None leaves the server's default.
`tls` is a certificate (certs.py): who knows DNS over TLS then listens on tls_port too.
"""
import contextlib
import os
import pathlib
import subprocess

import measure
import zl


class Secondary:
    name = program = None
    speaks_tls = False

    def __init__(self, path, zones, primary_port, threads=None, tls=None):
        self.path, self.primary_port, self.threads = pathlib.Path(path), primary_port, threads
        self.zones = [zones] if isinstance(zones, str) else list(zones)
        self.path.mkdir(parents=True)
        self.path.chmod(0o755)
        self.port = zl.free_port()
        self.tls = tls if self.speaks_tls else None
        self.tls_port = zl.free_port() if self.tls else None
        self.processes = []

    @classmethod
    def missing(cls):
        return zl.tool(cls.program) is None

    def write(self, name, text):
        (self.path / name).write_text(text)
        return self.path / name

    def spawn(self, *cmd):
        self.processes.append(zl.Process(self.name, cmd, self.path / 'log').start())

    def stop(self):
        for p in reversed(self.processes):
            p.kill()
        self.processes = []

    def end(self):
        """Asks it to end, so that it writes what it would lose."""
        for p in reversed(self.processes):
            p.stop()
        self.processes = []

    def files(self):
        """Where it keeps its zones when it is not running."""
        return [self.path / z for z in self.zones]

    def saved(self):
        """Waits until what it was given is on disk."""
        sizes = {}

        def steady():
            before = dict(sizes)
            sizes.update((f, f.stat().st_size) for f in self.files())
            return sizes == before
        zl.wait_for(steady, f'{self.name} to write its zones', 60, 0.5)

    def pids(self):
        """The server's processes and their children."""
        pids = [p.p.pid for p in self.processes if p.alive()]
        for pid in pids:
            try:
                tasks = pathlib.Path(f'/proc/{pid}/task')
                pids += [int(c) for t in tasks.iterdir() for c in (t / 'children').read_text().split()]
            except OSError:
                continue
        return pids


class Ours(Secondary):
    name = 'zoneledger'
    speaks_tls = True
    node = None

    @classmethod
    def missing(cls):
        return not (zl.BIN / 'authd').exists()

    def start(self):
        if self.node is None:
            tls = f'listen-tls = {{"127.0.0.1@{self.tls_port}"}} {self.tls.items()}' if self.tls else ''
            self.node = zl.Node(self.path / 'n', level='info', workers=self.threads or 0, authd=tls)
            self.node.port = self.port
            peer = type('Primary', (), {'name': 'primary', 'port': self.primary_port, 'key': None})
            for zone in self.zones:
                self.node.secondary_of(zone, peer)
            self.node.write_config()
        for p in (self.node.syncd, self.node.authd):
            self.processes.append(p.start())

    def files(self):
        return []

    def start_authd(self):
        """What answers, without what replicates."""
        self.processes.append(self.node.authd.start())

    def journal_behind(self):
        return self.node.status()['journal']['behind']


class Knot(Secondary):
    name, program = 'knot', 'knotd'

    def start(self):
        user = '  user: root\n' if os.getuid() == 0 else ''
        threads = f'  udp-workers: {self.threads}\n  tcp-workers: {self.threads}\n' if self.threads else ''
        conf = self.write('knot.conf', f'''server:
  rundir: {self.path}
  listen: 127.0.0.1@{self.port}
{user}{threads}database:
  storage: {self.path}
log:
  - target: stderr
    any: info
remote:
  - id: primary
    address: 127.0.0.1@{self.primary_port}
acl:
  - id: notify
    address: 127.0.0.1
    action: notify
zone:
''' + ''.join(f'''  - domain: {zone}
    storage: {self.path}
    file: {zone}
    master: primary
    acl: notify
''' for zone in self.zones))
        self.spawn(zl.tool('knotd'), '-c', conf)


class Nsd(Secondary):
    name, program = 'nsd', 'nsd'
    speaks_tls = True
    write_seconds = 3600

    def start(self):
        tls = f'''  ip-address: 127.0.0.1@{self.tls_port}
  tls-port: {self.tls_port}
  tls-service-key: "{self.tls.key}"
  tls-service-pem: "{self.tls.crt}"
''' if self.tls else ''
        conf = self.write('nsd.conf', f'''server:
  ip-address: 127.0.0.1@{self.port}
{tls}  username: ""
  chroot: ""
  zonesdir: "{self.path}"
  database: ""
  pidfile: "{self.path}/pid"
  xfrdfile: "{self.path}/xfrd.state"
  zonelistfile: "{self.path}/zone.list"
  xfrdir: "{self.path}"
  server-count: {self.threads or 1}
  zonefiles-write: {self.write_seconds}
  rrl-ratelimit: 0
remote-control:
  control-enable: no
''' + ''.join(f'''zone:
  name: "{zone}"
  zonefile: "{self.path}/{zone}"
  allow-notify: 127.0.0.1 NOKEY
  request-xfr: 127.0.0.1@{self.primary_port} NOKEY
''' for zone in self.zones))
        self.spawn(zl.tool('nsd'), '-d', '-c', conf)


class Bind(Secondary):
    name, program = 'bind9', 'named'
    speaks_tls = True

    def start(self):
        tls, listen = '', ''
        if self.tls:
            tls = f'tls own {{ key-file "{self.tls.key}"; cert-file "{self.tls.crt}"; }};\n'
            listen = f'listen-on port {self.tls_port} tls own {{ 127.0.0.1; }};'
        conf = self.write('named.conf', f'''{tls}options {{ directory "{self.path}"; listen-on port {self.port} {{ 127.0.0.1; }};
  {listen} listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; recursion no;
  dnssec-validation no; notify no; }};
controls {{ }};
''' + ''.join(f'zone "{zone}" {{ type secondary; file "{zone}"; primaries {{ 127.0.0.1 port {self.primary_port}; }}; }};\n'
                for zone in self.zones))
        self.spawn(zl.tool('named'), '-g', '-c', conf, *(['-n', self.threads] if self.threads else []))


class Pdns(Secondary):
    name, program = 'pdns', 'pdns_server'

    def start(self):
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
loglevel=4
''')
        if not (self.path / 'pdns.sqlite').exists():
            zl.pdns_database(self.path)
            for zone in self.zones:
                zl.pdnsutil(self.path, 'create-secondary-zone', zone, f'127.0.0.1:{self.primary_port}')
                zl.pdnsutil(self.path, 'set-meta', zone, 'IXFR', '1')
        self.spawn(zl.tool('pdns_server'), f'--config-dir={self.path}')

    def files(self):
        return []


class Echo(Secondary):
    """No server: each datagram goes back as it came. The limit of the machine."""
    name, program = 'bare echo', 'true'

    def start(self):
        self.spawn(zl.BIN.parent / 'tests/bin/echo', self.port)


ALL = (Ours, Knot, Nsd, Bind, Pdns)


def installed(classes, names=None):
    """Those of the classes that are wanted and there; the others are named."""
    for cls in classes:
        if cls not in (Ours, Echo) and names and cls.name not in names:
            continue
        if cls.missing():
            print(f'skipped: {cls.program} is not installed')
        else:
            yield cls


@contextlib.contextmanager
def serving(classes, bench, serials, last, tls=None, threads=None):
    """Servers of these classes, all at once, when they serve the zones ({zone: serial}) of the bench's primary."""
    servers = []
    try:
        for cls in installed(classes, bench.servers):
            s = cls(bench.path / f'{cls.program}-s', serials, bench.primary.port, threads, tls)
            servers.append(s)
            s.start()
            asker = measure.Asker(s.port)
            served = cls is Echo or all(measure.wait_served(asker, zone, serial, last, 60)
                                        for zone, serial in serials.items())
            asker.close()
            if not served:
                print(f'{s.name} does not serve within a minute and is left out')
                servers.remove(s)
                s.stop()
            else:
                measure.pin(s.pids())
        yield servers
    finally:
        for s in servers:
            s.stop()
