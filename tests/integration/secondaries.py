"""Real servers as secondaries of ours: they take a zone by AXFR and IXFR, and are told by NOTIFY."""
import os
import pathlib

import zl


class Secondary:
    """add(zone) before start(); `primary` is a node of ours."""
    name = program = None

    def __init__(self, path, primary, key=None):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o755)
        self.primary, self.key = primary, key
        self.port = zl.free_port()
        self.zones = []
        self.process = None

    @classmethod
    def missing(cls):
        return zl.tool(cls.program) is None

    def start(self, *zones):
        self.zones = list(zones)
        self.configure()
        self.process = zl.Process(self.name, self.command(), self.path / 'log').start()
        return self

    def stop(self):
        if self.process:
            self.process.kill()

    def wait_serial(self, zone, want):
        def seen():
            r = zl.ask(self.port, zone, 'SOA')
            return [x[0].serial for x in r.answer] == [want]
        try:
            zl.wait_for(seen, f'{self.name} to serve serial {want} of {zone}', timeout=40)
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.text()[-2000:]}') from None

    def text(self):
        return self.process.text()


class Knot(Secondary):
    name, program = 'knot', 'knotd'

    def configure(self):
        user = '  user: root\n' if os.getuid() == 0 else ''
        k = f'    key: {self.key.name}\n' if self.key else ''
        key = f'key:\n  - id: {self.key.name}\n    algorithm: {self.key.algorithm}\n    secret: {self.key.secret}\n' if self.key else ''
        (self.path / 'knot.conf').write_text(
            f'server:\n  rundir: {self.path}\n  listen: 127.0.0.1@{self.port}\n{user}'
            f'database:\n  storage: {self.path}\nlog:\n  - target: stderr\n    any: info\n{key}'
            f'remote:\n  - id: primary\n    address: 127.0.0.1@{self.primary.port}\n{k}'
            f'acl:\n  - id: notify\n    address: 127.0.0.1\n{k}    action: notify\nzone:\n'
            + ''.join(f'  - domain: "{z}"\n    storage: {self.path}\n    master: primary\n    acl: notify\n    zonefile-sync: -1\n'
                      for z in self.zones))

    def command(self):
        return [zl.tool('knotd'), '-c', self.path / 'knot.conf']


class Nsd(Secondary):
    name, program = 'nsd', 'nsd'

    def configure(self):
        k = self.key.name if self.key else 'NOKEY'
        key = f'key:\n  name: "{k}"\n  algorithm: {self.key.algorithm}\n  secret: "{self.key.secret}"\n' if self.key else ''
        (self.path / 'nsd.conf').write_text(
            f'server:\n  ip-address: 127.0.0.1@{self.port}\n  username: ""\n  chroot: ""\n  zonesdir: "{self.path}"\n  database: ""\n'
            f'  pidfile: "{self.path}/pid"\n  xfrdfile: "{self.path}/xfrd.state"\n  zonelistfile: "{self.path}/zone.list"\n'
            f'  xfrdir: "{self.path}"\n  server-count: 1\n  verbosity: 2\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n{key}'
            + ''.join(f'zone:\n  name: "{z}"\n  zonefile: "{i}.zone"\n  allow-notify: 127.0.0.1 {k}\n'
                      f'  request-xfr: 127.0.0.1@{self.primary.port} {k}\n' for i, z in enumerate(self.zones)))

    def command(self):
        return [zl.tool('nsd'), '-d', '-c', self.path / 'nsd.conf']


class Bind(Secondary):
    name, program = 'bind9', 'named'

    def configure(self):
        key = f'key "{self.key.name}" {{ algorithm {self.key.algorithm}; secret "{self.key.secret}"; }};\n' if self.key else ''
        k = f' key "{self.key.name}"' if self.key else ''
        (self.path / 'named.conf').write_text(
            key + f'options {{ directory "{self.path}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};'
            f' pid-file none; session-keyfile none; lock-file none; recursion no; dnssec-validation no; notify no;'
            f' allow-new-zones no; min-refresh-time 1; min-retry-time 1; }};\ncontrols {{ }};\n'
            + ''.join(f'zone "{z}" {{ type secondary; file "{i}.zone"; masterfile-format text;'
                      f' primaries {{ 127.0.0.1 port {self.primary.port}{k}; }}; allow-notify {{ 127.0.0.1; }}; }};\n'
                      for i, z in enumerate(self.zones)))

    def command(self):
        return [zl.tool('named'), '-g', '-c', self.path / 'named.conf', '-n', '1']


class Pdns(Secondary):
    name, program = 'pdns', 'pdns_server'

    def configure(self):
        (self.path / 'pdns.conf').write_text(
            f'launch=gsqlite3\ngsqlite3-database={self.path}/pdns.sqlite\nlocal-address=127.0.0.1\nlocal-port={self.port}\n'
            f'socket-dir={self.path}\nsecondary=yes\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n'
            f'zone-cache-refresh-interval=0\nxfr-cycle-interval=1\nguardian=no\ndaemon=no\nwrite-pid=no\nloglevel=6\n'
            f'allow-unsigned-notify=yes\nallow-notify-from=127.0.0.0/8\n')
        zl.pdns_database(self.path)
        if self.key:
            self.util('import-tsig-key', self.key.name, self.key.algorithm, self.key.secret)
        for z in self.zones:
            self.util('create-secondary-zone', z, f'127.0.0.1:{self.primary.port}')
            self.util('set-meta', z, 'IXFR', '1')
            if self.key:
                self.util('activate-tsig-key', z, self.key.name, 'secondary')

    def util(self, *args):
        zl.pdnsutil(self.path, *args)

    def command(self):
        return [zl.tool('pdns_server'), f'--config-dir={self.path}']


SECONDARIES = {s.name: s for s in (Knot, Nsd, Bind, Pdns)}
