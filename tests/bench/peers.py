"""Secondaries to compare: each configured fresh, as it comes, with the same primary.

`threads` limits what answers queries to that many threads or processes; None leaves the server's default.
"""
import os
import pathlib
import subprocess

import zl


class Secondary:
    name = program = None

    def __init__(self, path, zone, primary_port, threads=None):
        self.path, self.zone, self.primary_port, self.threads = pathlib.Path(path), zone, primary_port, threads
        self.path.mkdir(parents=True)
        self.path.chmod(0o755)
        self.port = zl.free_port()
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

    @classmethod
    def missing(cls):
        return not (zl.BIN / 'authd').exists()

    def start(self):
        self.node = zl.Node(self.path / 'n', level='info', workers=self.threads or 0)
        self.port = self.node.port
        peer = type('Primary', (), {'name': 'primary', 'port': self.primary_port, 'key': None})
        self.node.secondary_of(self.zone, peer).write_config()
        for p in (self.node.syncd, self.node.authd):
            self.processes.append(p.start())

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
  - domain: {self.zone}
    storage: {self.path}
    master: primary
    acl: notify
''')
        self.spawn(zl.tool('knotd'), '-c', conf)


class Nsd(Secondary):
    name, program = 'nsd', 'nsd'

    def start(self):
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
  server-count: {self.threads or 1}
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "{self.zone}"
  zonefile: "{self.path}/zone"
  allow-notify: 127.0.0.1 NOKEY
  request-xfr: 127.0.0.1@{self.primary_port} NOKEY
''')
        self.spawn(zl.tool('nsd'), '-d', '-c', conf)


class Bind(Secondary):
    name, program = 'bind9', 'named'

    def start(self):
        conf = self.write('named.conf', f'''options {{ directory "{self.path}"; listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; recursion no;
  dnssec-validation no; notify no; }};
controls {{ }};
zone "{self.zone}" {{ type secondary; file "zone"; primaries {{ 127.0.0.1 port {self.primary_port}; }}; }};
''')
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
        with open('/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql') as schema:
            subprocess.run(['sqlite3', self.path / 'pdns.sqlite'], stdin=schema, check=True)
        config = f'--config-dir={self.path}'
        subprocess.run([zl.tool('pdnsutil'), config, 'create-secondary-zone', self.zone,
                        f'127.0.0.1:{self.primary_port}'], check=True, capture_output=True)
        self.spawn(zl.tool('pdns_server'), config)


ALL = (Ours, Knot, Nsd, Bind, Pdns)


def installed(classes, names=None):
    """Those of the classes that are wanted and there; the others are named."""
    for cls in classes:
        if cls is not Ours and names and cls.name not in names:
            continue
        if cls.missing():
            print(f'skipped: {cls.program} is not installed')
        else:
            yield cls
