"""For the matrix of peers (test_matrix.py): one server of each make that is primary of some zones and secondary of others, beside
one node of ours for which it is the other way round. A zone for each feature, so that each can be looked at by itself."""
import os
import types

import dns.query
import dns.update
import secondaries
import zl

ALGORITHMS = ['hmac-md5', 'hmac-sha1', 'hmac-sha224', 'hmac-sha256', 'hmac-sha384', 'hmac-sha512']
PLAIN = ['axfr', 'ixfr', 'notify']
FEATURES = PLAIN + ['update'] + ALGORITHMS


def in_zone(feature):
    """The peer is its primary, we its secondary."""
    return f'in-{feature}.test'


def out_zone(feature):
    return f'out-{feature}.test'


def text(zone, serial):
    return (f'$ORIGIN {zone}.\n$TTL 300\n@ SOA ns hostmaster {serial} 3600 600 86400 300\n@ NS ns\nns A 192.0.2.53\n'
            f'www A 192.0.2.{serial}\n' + ''.join(f'h{i} A 192.0.2.{i}\n' for i in range(1, 30)))


class Both:
    """A peer in both roles. keys: feature -> key, None: unsigned; it has no zones for the features in `without`."""
    without = ()
    name = program = None

    def __init__(self, path, node, keys):
        self.path, self.node, self.keys, self.port = path, node, keys, zl.free_port()
        path.mkdir(parents=True)
        path.chmod(0o755)
        self.process = None

    @classmethod
    def missing(cls):
        return zl.tool(cls.program) is None

    def file(self, zone):
        return self.path / f'{zone}.zone'

    def write(self, zone, serial):
        self.file(zone).write_text(text(zone, serial))
        self.file(zone).chmod(0o644)

    def start(self):
        for f in FEATURES:
            self.write(in_zone(f), 1)
        self.configure()
        self.process = zl.Process(self.name, self.command(), self.path / 'log').start()
        zl.wait_for(lambda: all(zl.serial(self.port, in_zone(f)) == 1 for f in FEATURES if f not in self.without),
                    f'{self.name} to serve', 30)

    def load(self, zone, serial):
        self.write(zone, serial)
        self.reload(zone)

    def stop(self):
        if self.process:
            self.process.kill()

    def text(self):
        return self.process.text()

    def zones(self):
        """(zone, key, is primary) of each."""
        for f in FEATURES:
            if f not in self.without:
                yield in_zone(f), self.keys.get(f), True
                yield out_zone(f), self.keys.get(f), False


class Knot(Both):
    name, program = 'knot', 'knotd'

    def configure(self):
        keys = [k for k in self.keys.values() if k]
        user = '  user: root\n' if os.getuid() == 0 else ''
        c = [f'server:\n  rundir: {self.path}\n  listen: 127.0.0.1@{self.port}\n{user}database:\n  storage: {self.path}\n'
             'log:\n  - target: stderr\n    any: debug\nkey:\n']
        c += [f'  - id: {k.name}\n    algorithm: {k.algorithm}\n    secret: {k.secret}\n' for k in keys]
        c.append(f'remote:\n  - id: us\n    address: 127.0.0.1@{self.node.port}\n')
        c += [f'  - id: us-{k.name}\n    address: 127.0.0.1@{self.node.port}\n    key: {k.name}\n' for k in keys]
        c.append('acl:\n  - id: plain\n    address: 127.0.0.0/8\n    action: [transfer, notify]\n')
        c += [f'  - id: {k.name}\n    key: {k.name}\n    action: [transfer, notify, update]\n' for k in keys]
        c.append('zone:\n')
        for z, k, primary in self.zones():
            us, acl = ('us-' + k.name, k.name) if k else ('us', 'plain')
            c.append(f'  - domain: {z}\n    storage: {self.path}\n    file: {z}.zone\n    acl: {acl}\n    zonefile-sync: -1\n')
            c.append(f'    notify: {us}\n    zonefile-load: difference\n    journal-content: all\n' if primary else f'    master: {us}\n')
        (self.path / 'knot.conf').write_text(''.join(c))

    def command(self):
        return [zl.tool('knotd'), '-c', self.path / 'knot.conf']

    def reload(self, zone):
        zl.run(zl.tool('knotc'), '-b', '-c', self.path / 'knot.conf', 'zone-reload', zone)


class Nsd(Both):
    name, program, without = 'nsd', 'nsd', ('update',)

    def configure(self):
        keys = [k for k in self.keys.values() if k]
        c = [f'server:\n  ip-address: 127.0.0.1@{self.port}\n  username: ""\n  chroot: ""\n  zonesdir: "{self.path}"\n  database: ""\n'
             f'  pidfile: "{self.path}/pid"\n  xfrdfile: "{self.path}/xfrd.state"\n  zonelistfile: "{self.path}/zone.list"\n'
             f'  xfrdir: "{self.path}"\n  server-count: 1\n  verbosity: 2\n  rrl-ratelimit: 0\n'
             f'remote-control:\n  control-enable: yes\n  control-interface: "{self.path}/ctl"\n']
        c += [f'key:\n  name: "{k.name}"\n  algorithm: {k.algorithm}\n  secret: "{k.secret}"\n' for k in keys]
        for z, k, primary in self.zones():
            k, us = k.name if k else 'NOKEY', f'127.0.0.1@{self.node.port}'
            c.append(f'zone:\n  name: "{z}"\n  zonefile: "{z}.zone"\n')
            c.append(f'  provide-xfr: 127.0.0.0/8 {k}\n  notify: {us} {k}\n  store-ixfr: yes\n  create-ixfr: yes\n' if primary else
                     f'  allow-notify: 127.0.0.1 {k}\n  request-xfr: {us} {k}\n')
        (self.path / 'nsd.conf').write_text(''.join(c))

    def command(self):
        return [zl.tool('nsd'), '-d', '-c', self.path / 'nsd.conf']

    def reload(self, zone):
        zl.run(zl.tool('nsd-control'), '-c', self.path / 'nsd.conf', 'reload', zone)


class Bind(Both):
    name, program = 'bind9', 'named'

    def configure(self):
        c = [f'key "{k.name}" {{ algorithm {k.algorithm}; secret "{k.secret}"; }};\n' for k in self.keys.values() if k]
        c.append(f'options {{ directory "{self.path}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};'
                 ' pid-file none; session-keyfile none; lock-file none; recursion no; dnssec-validation no; notify explicit; notify-delay 0;'
                 ' notify-source 127.0.0.1; empty-zones-enable no; };\ncontrols { };\n')
        for z, k, primary in self.zones():
            us = f'127.0.0.1 port {self.node.port}' + (f' key "{k.name}"' if k else '')
            who = f'key "{k.name}"' if k else '127.0.0.0/8'
            update = z in (in_zone('update'), out_zone('update'))
            if primary:
                c.append(f'zone "{z}" {{ type primary; file "{z}.zone"; also-notify {{ {us}; }}; allow-transfer {{ {who}; }};'
                         + (f' allow-update {{ {who}; }};' if update else ' ixfr-from-differences yes;') + ' };\n')
            else:
                c.append(f'zone "{z}" {{ type secondary; file "{z}.zone"; masterfile-format text; primaries {{ {us}; }};'
                         ' allow-notify { 127.0.0.1; };' + (' allow-update-forwarding { any; };' if update else '') + ' };\n')
        (self.path / 'named.conf').write_text(''.join(c))

    def command(self):
        return [zl.tool('named'), '-g', '-c', self.path / 'named.conf', '-n', '1']

    def reload(self, zone):
        """It compares times of change in whole seconds."""
        at = os.stat(self.file(zone)).st_mtime + 5
        os.utime(self.file(zone), (at, at))
        self.process.signal(1)


class Pdns(Both):
    name, program = 'pdns', 'pdns_server'

    def configure(self):
        (self.path / 'pdns.conf').write_text(
            f'launch=gsqlite3\ngsqlite3-database={self.path}/pdns.sqlite\nlocal-address=127.0.0.1\nlocal-port={self.port}\n'
            f'socket-dir={self.path}\nprimary=yes\nsecondary=yes\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n'
            f'zone-cache-refresh-interval=0\nxfr-cycle-interval=1\nguardian=no\ndaemon=no\nwrite-pid=no\nloglevel=6\nonly-notify=\n'
            f'also-notify=127.0.0.1:{self.node.port}\nallow-axfr-ips=\nallow-unsigned-notify=yes\nallow-notify-from=127.0.0.0/8\n'
            f'dnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8\nforward-dnsupdate=yes\n')
        zl.pdns_database(self.path)
        self.sql(*(f"insert into tsigkeys (name, algorithm, secret) values ('{k.name}', '{k.algorithm}', '{k.secret}')"
                   for k in self.keys.values() if k))
        for z, k, primary in self.zones():
            if primary:
                self.fill(z)
                self.settings(z, 'MASTER', {'TSIG-ALLOW-AXFR': k.name} if k else {'ALLOW-AXFR-FROM': '127.0.0.0/8'})
            else:
                self.sql(f"insert into domains (name, type, master) values ('{z}', 'SLAVE', '127.0.0.1:{self.node.port}')")
                self.settings(z, 'SLAVE', {'IXFR': '1', **({'AXFR-MASTER-TSIG': k.name} if k else {})})
        self.settings(in_zone('update'), 'MASTER', {'TSIG-ALLOW-DNSUPDATE': self.keys['update'].name, 'NOTIFY-DNSUPDATE': '1',
                                                    'SOA-EDIT-DNSUPDATE': 'INCREASE'})

    def fill(self, zone):
        self.util('load-zone', zone, self.file(zone))

    def sql(self, *statements):
        """Quicker than a pdnsutil for each."""
        zl.run('sqlite3', self.path / 'pdns.sqlite', ';\n'.join(statements))

    def settings(self, zone, kind, metadata):
        there = f"(select id from domains where name = '{zone}')"
        self.sql(f"update domains set type = '{kind}' where name = '{zone}'",
                 *(f"insert into domainmetadata (domain_id, kind, content) values ({there}, '{k}', '{v}')" for k, v in metadata.items()))

    def util(self, *args):
        zl.pdnsutil(self.path, *args)

    def command(self):
        return [zl.tool('pdns_server'), f'--config-dir={self.path}']

    def reload(self, zone):
        self.fill(zone)
        zl.run(zl.tool('pdns_control'), f'--config-dir={self.path}', 'notify', zone)


class Ours(Both):
    """Another node of ours."""
    name = 'ours'

    @classmethod
    def missing(cls):
        return False

    def configure(self):
        configure(self.other, self.node.port, self.keys, into=out_zone, out=in_zone)

    def start(self):
        self.other = zl.Node(self.path / 'n')
        self.other.port = self.port
        self.configure()
        self.other.start()
        for f in FEATURES:
            self.load(in_zone(f), 1)

    def load(self, zone, serial):
        self.write(zone, serial)
        self.other.zonectl('import', zone, self.file(zone))

    def stop(self):
        if hasattr(self, 'other'):
            self.other.stop()

    def text(self):
        return self.other.syncd.text()


def configure(n, port, keys, into=in_zone, out=out_zone, unsigned=False):
    """What a node of ours needs for a peer at this port. unsigned: updates that it passes on have no signature any more."""
    n.options['keys'] = [k for k in keys.values() if k]
    n.options['extra'] = ('update-policy "signed" { keys = {"%s"} }\nupdate-policy "from" { from = {"127.0.0.1"} }'
                          % keys['update'].name)
    for f in FEATURES:
        # Only a NOTIFY brings what is new.
        peer = types.SimpleNamespace(name=f'peer-{f}', port=port, key=keys.get(f))
        n.secondary_of(into(f), peer, **{'refresh-min': '1h', 'retry-min': '2s', 'retry-max': '2s'})
        n.primary_of(out(f), peer)
    n.zone_options[into('update')]['forward-updates'] = 'yes'
    n.zone_options[out('update')]['update'] = '{"from"}' if unsigned else '{"signed"}'


class Arena:
    """A peer and a node of ours that does with it what there is to do."""

    def __init__(self, name, path):
        self.path, self.keys = path, {f: None for f in PLAIN}
        for a in ALGORITHMS:
            self.keys[a] = zl.Key(f'{a}.test', a)
        self.keys['update'] = zl.Key('update.test')
        self.node = zl.Node(path / 'node')
        self.peer = BOTH[name](path / 'peer', self.node, self.keys)

    def start(self):
        configure(self.node, self.peer.port, self.keys, unsigned=self.peer.name == 'knot')
        self.node.start()
        for f in FEATURES:
            if f not in self.peer.without:
                self.publish(out_zone(f), 1)
        self.peer.start()
        for f in FEATURES:
            if f not in self.peer.without:
                self.node.zonectl('refresh', in_zone(f))
        return self

    def publish(self, zone, serial):
        """A version of a zone of ours."""
        f = self.path / zone
        f.write_text(text(zone, serial))
        self.node.zonectl('import', zone, f)

    def stop(self):
        self.peer.stop()
        self.node.stop()

    def peer_has(self, zone, serial):
        try:
            zl.wait_for(lambda: zl.serial(self.peer.port, zone) == serial, f'{self.peer.name} to have serial {serial} of {zone}', 40)
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.peer.text()[-3000:]}\n{self.node.syncd.text()[-2000:]}') from None

    def we_have(self, zone, serial):
        try:
            self.node.wait_serial(zone, serial, 40)
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.peer.text()[-3000:]}\n{self.node.syncd.text()[-2000:]}') from None

    def said(self, *words):
        """A line of our log with all of these."""
        def found():
            return [x for x in self.node.syncd.text().splitlines() if all(w in x for w in words)]
        try:
            return zl.wait_for(found, f'our log to say {words}')
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.node.syncd.text()[-3000:]}') from None

    def update(self, port, zone, name):
        """Adds a record, through whoever is asked; gives the rcode."""
        k = self.keys['update']
        u = dns.update.UpdateMessage(zone, keyring=k.ring(), keyname=k.name, keyalgorithm=k.algorithm)
        u.add(name, 300, 'A', '192.0.2.200')
        return dns.query.tcp(u, '127.0.0.1', port=port, timeout=15).rcode()


BOTH = {p.name: p for p in (Knot, Nsd, Bind, Pdns, Ours)}
assert set(BOTH) - {'ours'} == set(secondaries.SECONDARIES)
