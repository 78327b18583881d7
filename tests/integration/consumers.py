"""Real servers that follow a catalog zone of ours (RFC 9432). NSD of Debian 12 (4.6) does not know catalogs: since 4.9."""
import os

import zl
from secondaries import Secondary


class Consumer(Secondary):
    """start(*catalogs): all that it serves else comes from these. groups: names that it has settings for."""
    groups = ()

    def serves(self, zone):
        return zl.serial(self.port, zone) is not None

    def wait_zones(self, present, absent=(), timeout=40):
        """Until it serves all of the first, and none of the second."""
        def seen():
            return all(self.serves(z) for z in present) and not any(self.serves(z) for z in absent)
        try:
            zl.wait_for(seen, f'{self.name} to serve {present} and not {absent}', timeout=timeout)
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.text()[-3000:]}') from None


class Knot(Consumer):
    name, program = 'knot', 'knotd'

    def configure(self):
        user = '  user: root\n' if os.getuid() == 0 else ''
        k = f'    key: {self.key.name}\n' if self.key else ''
        key = f'key:\n  - id: {self.key.name}\n    algorithm: {self.key.algorithm}\n    secret: {self.key.secret}\n' if self.key else ''
        member = f'    storage: {self.path}\n    master: primary\n    acl: notify\n    zonefile-sync: -1\n'
        (self.path / 'knot.conf').write_text(
            f'server:\n  rundir: {self.path}\n  listen: 127.0.0.1@{self.port}\n{user}'
            f'database:\n  storage: {self.path}\nlog:\n  - target: stderr\n    any: debug\n{key}'
            f'remote:\n  - id: primary\n    address: 127.0.0.1@{self.primary.port}\n{k}'
            f'acl:\n  - id: notify\n    address: 127.0.0.1\n{k}    action: notify\ntemplate:\n  - id: default\n'
            f'  - id: member\n{member}' + ''.join(f'  - id: {g}\n{member}' for g in self.groups) + 'zone:\n'
            + ''.join(f'  - domain: "{z}"\n{member}    catalog-role: interpret\n    catalog-template: [ {", ".join(["member", *self.groups])} ]\n'
                      for z in self.zones))

    def command(self):
        return [zl.tool('knotd'), '-c', self.path / 'knot.conf']

    def ctl(self, *args):
        return zl.run(zl.tool('knotc'), '-b', '-c', self.path / 'knot.conf', *args)

    def group(self, zone):
        """As it understood the catalog."""
        return self.ctl('zone-status', zone, '+catalog')


class Bind(Consumer):
    name, program = 'bind9', 'named'

    def configure(self):
        key = f'key "{self.key.name}" {{ algorithm {self.key.algorithm}; secret "{self.key.secret}"; }};\n' if self.key else ''
        k = f' key "{self.key.name}"' if self.key else ''
        primaries = f'{{ 127.0.0.1 port {self.primary.port}{k}; }}'
        catalogs = ' '.join(f'zone "{z}" default-primaries {primaries} in-memory no zone-directory "{self.path}" min-update-interval 1;'
                            for z in self.zones)
        (self.path / 'named.conf').write_text(
            key + f'options {{ directory "{self.path}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};'
            f' pid-file none; session-keyfile none; lock-file none; recursion no; dnssec-validation no; notify no; empty-zones-enable no;'
            f' serial-query-rate 1000; transfers-in 8; transfers-per-ns 8; allow-new-zones no; allow-notify {{ 127.0.0.1; }};'
            f' catalog-zones {{ {catalogs} }}; }};\ncontrols {{ }};\n'
            + ''.join(f'zone "{z}" {{ type secondary; file "{i}.zone"; masterfile-format text; primaries {primaries}; }};\n'
                      for i, z in enumerate(self.zones)))

    def command(self):
        return [zl.tool('named'), '-g', '-c', self.path / 'named.conf', '-n', '1']


class Pdns(Consumer):
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
            self.util('set-kind', z, 'consumer')
            if self.key:
                self.util('activate-tsig-key', z, self.key.name, 'secondary')

    def util(self, *args):
        return zl.pdnsutil(self.path, *args)

    def command(self):
        return [zl.tool('pdns_server'), f'--config-dir={self.path}']

    def sql(self, statement):
        return zl.run('sqlite3', self.path / 'pdns.sqlite', statement).strip()


CONSUMERS = {c.name: c for c in (Knot, Bind, Pdns)}
