"""What the stories stand on: a node of ours and real primaries, on free loopback ports.

Nothing here sleeps for luck: wait_for() polls a condition with a deadline.
"""
import base64
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import dns.xfr
import dns.zone

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get('ZL_BIN', ROOT / 'build/release/bin'))
PATH = os.environ['PATH'] + ':/usr/sbin:/sbin'


def tool(name):
    """Path of a peer's program, or None."""
    return shutil.which(name, path=PATH)


def wait_for(condition, what, timeout=20.0, step=0.03):
    """Polls until condition() is true and gives its value; an exception in it counts as "not yet"."""
    end = time.monotonic() + timeout
    error = None
    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, dns.exception.DNSException, subprocess.CalledProcessError, ValueError) as e:
            error = e
        if time.monotonic() > end:
            raise AssertionError(f'waited {timeout} s for {what}' + (f' (last: {error})' if error else ''))
        time.sleep(step)


GIVEN = collections.deque(maxlen=1000)


def free_port():
    """A port that is free for UDP and TCP on 127.0.0.1; workers of one run draw from ranges of their own. Whoever asks for two
    before it binds the first never gets the same one twice."""
    worker = int(''.join(c for c in os.environ.get('PYTEST_XDIST_WORKER', 'gw0') if c.isdigit()))
    for _ in range(1000):
        port = 12000 + worker * 4000 + random.randrange(4000)
        if port in GIVEN:
            continue
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, \
                    socket.socket(socket.AF_INET, socket.SOCK_STREAM) as t:
                u.bind(('127.0.0.1', port))
                t.bind(('127.0.0.1', port))
                GIVEN.append(port)
                return port
        except OSError:
            continue
    raise AssertionError('no free port')


def group_lives(group):
    """Whether a process group has members that still run (zombies hold nothing)."""
    for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            state, _, pgrp = stat.read_text(errors='replace').rpartition(')')[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(pgrp) == group and state not in 'ZX':
            return True
    return False


class Process:
    """A daemon in the foreground, its output in a file; ended by pid, never by name."""

    def __init__(self, name, cmd, log, env=None):
        self.name, self.cmd, self.log = name, [str(c) for c in cmd], pathlib.Path(log)
        self.env = {**os.environ, 'PATH': PATH, **(env or {})}
        self.p = None
        self.ended = True  # by the story; else it died

    def start(self):
        assert not self.alive()
        self.ended = False
        with open(self.log, 'ab') as out:
            self.p = subprocess.Popen(self.cmd, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                      env=self.env, start_new_session=True)
        return self

    def alive(self):
        return self.p is not None and self.p.poll() is None

    def signal(self, number):
        self.p.send_signal(number)

    def kill(self):
        """kill -9, as the fault tests want it: the whole group, at once, and gone when this returns."""
        self.ended = True
        if self.p is not None:
            try:
                os.killpg(self.p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.p.wait()
            # A daemon under strace is no child of ours: its locks last until it is really gone.
            wait_for(lambda: not group_lives(self.p.pid), f'{self.name} to be gone')

    def stop(self, timeout=20):
        if not self.alive():
            assert self.ended, f'{self.name} ended by itself with {self.p.returncode}: {self.text()[-2000:]}'
            return None if self.p is None else self.p.returncode
        self.ended = True
        self.p.terminate()
        try:
            self.p.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f'{self.name} did not stop on SIGTERM') from None
        return self.p.returncode

    def text(self):
        return self.log.read_text(errors='replace') if self.log.exists() else ''


class Key:
    """A TSIG key and the forms in which everybody wants it."""

    def __init__(self, name='transfer.test', algorithm='hmac-sha256'):
        self.name, self.algorithm = name, algorithm
        self.secret = base64.b64encode(os.urandom(32)).decode()

    def ring(self):
        return dns.tsigkeyring.from_text({self.name: (self.algorithm, self.secret)})


# ---------------------------------------------------------------- our node

class Node:
    def __init__(self, path, **options):
        self.path = pathlib.Path(path)
        self.name = self.path.name
        self.path.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.key = options.get('key')  # what its own secondaries know it by
        self.secondaries = {}  # name -> whoever it is: a peer, or another node
        self.primaries = {}  # name -> (address@port, key or None)
        self.zones = {}      # zone -> [primary names]
        self.zone_options = {}
        self.options = options
        self.conf = self.path / 'zl.conf'
        self.data = self.path / 'data'
        self.journal = self.data / 'journal.git'
        env = options.get('env')
        self.syncd = Process('syncd', [BIN / 'syncd', '-c', self.conf], self.path / 'syncd.log', env)
        self.authd = Process('authd', [BIN / 'authd', '-c', self.conf], self.path / 'authd.log', env)

    def secondary_of(self, zone, *peers, **zone_options):
        for peer in peers:
            self.primaries[peer.name] = (f'127.0.0.1@{peer.port}', peer.key)
        self.zones[zone] = [p.name for p in peers]
        self.zone_options[zone] = zone_options
        return self

    def primary_of(self, zone, *peers):
        """Those peers, or other nodes, are told of changes and may transfer. A zone of our own needs nothing else."""
        for peer in peers:
            self.secondaries[peer.name] = peer
        self.zones.setdefault(zone, [])
        self.zone_options.setdefault(zone, {})['secondaries'] = '{' + ', '.join(f'"{p.name}"' for p in peers) + '}'
        return self

    def write_config(self):
        o = self.options
        lines = ['node = "test-node"', f'data-dir = "{self.data}"', f'run-dir = "{self.path}"',
                 f'log {{ level = {o.get("level", "debug")} }}',
                 f'authd {{ listen = {{"127.0.0.1@{self.port}"}} workers = {o.get("workers", 2)} '
                 # stories ask from one address, and often in floods: those of the rate limit turn it on
                 f'rrl = {o.get("rrl", "no")} {o.get("authd", "")} }}',
                 f'syncd {{ {o.get("syncd", "")} }}']
        keys = [k for _, k in self.primaries.values()] + [p.key for p in self.secondaries.values()] + o.get('keys', [])
        for key in {k.name: k for k in keys if k}.values():
            secret = self.path / f'{key.name}.secret'
            secret.write_text(key.secret + '\n')
            secret.chmod(0o600)
            lines.append(f'key "{key.name}" {{ algorithm = "{key.algorithm}" secret-file = "{secret}" }}')
        for name, p in self.secondaries.items():
            lines.append(f'secondary "{name}" {{ address = "127.0.0.1@{p.port}"' + (f' key = "{p.key.name}"' if p.key else '') + ' }')
        for name, (address, key) in self.primaries.items():
            lines.append(f'primary "{name}" {{ address = "{address}"' + (f' key = "{key.name}"' if key else '')
                         + f' {o.get("primary_options", {}).get(name, "")} }}')
        for zone, names in self.zones.items():
            opts = {'refresh-min': '1s', 'retry-min': '1s', **self.zone_options.get(zone, {})}
            body = ' '.join(f'{k.replace("_", "-")} = {v}' for k, v in opts.items())
            quoted = zone.replace('\\', '\\\\').replace('"', '\\"')
            lines.append(f'zone "{quoted}" {{ primaries = {{{", ".join(chr(34) + n + chr(34) for n in names)}}} {body} }}')
        lines.append(o.get('extra', ''))
        self.conf.write_text('\n'.join(lines) + '\n')

    def start(self, authd=True):
        self.write_config()
        self.syncd.start()
        wait_for(self.ready, 'syncd to be ready')
        if authd:
            self.authd.start()  # its workers find syncd at once, so that no first NOTIFY meets SERVFAIL
            wait_for(lambda: self.status()['authd_connected'], 'authd to connect')
        return self

    def ready(self):
        assert self.syncd.alive(), 'syncd died: ' + self.syncd.text()[-2000:]
        return self.zonectl('status', check=False).returncode == 0

    def restart(self):
        if not self.syncd.alive():
            self.syncd.start()
        wait_for(self.ready, 'syncd to be ready again')
        if not self.authd.alive():
            self.authd.start()
        wait_for(lambda: self.status()['authd_connected'], 'authd to connect again')

    def stop(self):
        codes = [self.authd.stop(), self.syncd.stop()]
        for p in (self.syncd, self.authd):
            assert 'Sanitizer' not in p.text() and 'runtime error:' not in p.text(), p.text()[-4000:]
        return codes

    def kill(self):
        self.authd.kill()
        self.syncd.kill()

    # -- zonectl
    def zonectl(self, *args, check=True, stdin=None):
        r = subprocess.run([BIN / 'zonectl', '--run-dir', str(self.path), *map(str, args)], capture_output=True,
                           text=True, timeout=120, input=stdin)
        if check and r.returncode != 0:
            raise AssertionError(f'zonectl {args} gave {r.returncode}: {r.stdout}{r.stderr}')
        return r

    def json(self, *args):
        return json.loads(self.zonectl('--json', *args).stdout)

    def status(self):
        return self.json('status')

    def zone(self, zone):
        return self.json('zone', 'show', zone)

    def log(self, zone, limit=1000):
        return self.json('log', zone, '--limit', limit)

    def journaled(self):
        return wait_for(lambda: self.status()['journal']['behind'] == 0, 'the journal to catch up')

    def verify(self):
        """Waits until everything has settled, then verifies; gives the report."""
        self.journaled()
        report = None

        def clean():
            nonlocal report
            r = self.zonectl('--json', 'verify', check=False)
            report = json.loads(r.stdout)
            return r.returncode == 0
        try:
            wait_for(clean, 'verify to be clean', timeout=10, step=0.2)
        except AssertionError:
            raise AssertionError(f'verify: {report}') from None
        return report

    def fsck(self):
        r = subprocess.run(['git', '--git-dir', self.journal, 'fsck', '--full', '--strict'], capture_output=True, text=True)
        assert r.returncode == 0 and 'error' not in r.stderr and 'missing' not in r.stdout, r.stdout + r.stderr

    def git(self, *args):
        return subprocess.run(['git', '--git-dir', self.journal, *args], capture_output=True, text=True, check=True).stdout

    # -- DNS
    def ask(self, name, rdtype, tcp=False, **kw):
        return ask(self.port, name, rdtype, tcp, **kw)

    def serial(self, zone):
        return serial(self.port, zone)

    def wait_serial(self, zone, want, timeout=30):
        wait_for(lambda: self.serial(zone) == want, f'serial {want} of {zone} (is {self._seen(zone)})', timeout)

    def _seen(self, zone):
        try:
            return self.serial(zone)
        except (OSError, dns.exception.DNSException):
            return 'nothing'

    def dump(self, zone, version=None):
        return self.zonectl('show', zone + (f'@{version}' if version else '')).stdout


def ask(port, name, rdtype, tcp=False, timeout=3, **kw):
    q = dns.message.make_query(name, rdtype, **kw)
    f = dns.query.tcp if tcp else dns.query.udp
    return f(q, '127.0.0.1', port=port, timeout=timeout)


def serial(port, zone):
    """The serial that is answered, or None (not served, expired ...)."""
    r = ask(port, zone, 'SOA')
    for rrset in r.answer:
        if rrset.rdtype == dns.rdatatype.SOA:
            return rrset[0].serial
    return None


def transfer(port, zone, key=None):
    """The zone's records by AXFR, as records() gives them."""
    z = dns.zone.Zone(zone, relativize=False)
    q, _ = dns.xfr.make_query(z, keyring=key.ring() if key else None, keyname=key.name if key else None,
                              keyalgorithm=key.algorithm if key else None)
    dns.query.inbound_xfr('127.0.0.1', z, q, port=port, timeout=10)
    return {(str(name).lower(), ttl, rdata.rdtype, rdata.to_digestable()) for name, ttl, rdata in z.iterate_rdatas()}


# ---------------------------------------------------------------- primaries

def run(*cmd):
    """The output of a peer's tool."""
    return subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=60,
                          env={**os.environ, 'PATH': PATH}, check=True).stdout


class Peer:
    """A real server as primary. load(zone, text) gives it content; notify_to() comes before start()."""
    name = program = None

    def __init__(self, path, key=None, ixfr=False):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o755)
        self.key, self.ixfr = key, ixfr  # ixfr: it keeps the differences between the files it loads
        self.port = free_port()
        self.zones = {}
        self.targets = []
        self.process = None

    @classmethod
    def missing(cls):
        return tool(cls.program) is None

    def notify_to(self, node):
        self.targets.append(node.port)
        return self

    def zone_file(self, zone):
        return self.path / (base64.b16encode(zone.encode()).decode()[:60] + '.zone')

    def write(self, zone, text):
        self.zones[zone] = self.zone_file(zone)
        tmp = self.zones[zone].with_suffix('.tmp')
        tmp.write_text(text)
        tmp.chmod(0o644)
        tmp.rename(self.zones[zone])

    def start(self):
        self.configure()
        self.process = Process(self.name, self.command(), self.path / 'log').start()
        wait_for(lambda: all(serial(self.port, z) is not None for z in self.zones), f'{self.name} to serve', 30)
        return self

    def stop(self):
        if self.process:
            self.process.kill()

    def load(self, zone, text):
        self.write(zone, text)
        if self.process:
            self.reload(zone)

    def ctl(self, *cmd):
        return run(*cmd)


class Knot(Peer):
    name, program = 'knot', 'knotd'

    def configure(self):
        c = [f'server:\n  rundir: {self.path}\n  listen: 127.0.0.1@{self.port}\n  user: root\n' if os.getuid() == 0 else
             f'server:\n  rundir: {self.path}\n  listen: 127.0.0.1@{self.port}\n',
             f'database:\n  storage: {self.path}\n', 'log:\n  - target: stderr\n    any: info\n']
        if self.key:
            c.append(f'key:\n  - id: {self.key.name}\n    algorithm: {self.key.algorithm}\n    secret: {self.key.secret}\n')
        k = f'    key: {self.key.name}\n' if self.key else ''
        c.append('remote:\n' + ''.join(f'  - id: t{p}\n    address: 127.0.0.1@{p}\n{k}' for p in self.targets) if self.targets else '')
        c.append('acl:\n  - id: out\n' + (k or '    address: 127.0.0.0/8\n') + '    action: transfer\n')
        c.append('zone:\n' + ''.join(
            f'  - domain: "{z}"\n    storage: {self.path}\n    file: {f.name}\n    acl: out\n'
            + ('    journal-content: all\n    zonefile-load: difference\n' if self.ixfr else
               '    journal-content: none\n    zonefile-load: whole\n')
            + '    zonefile-sync: -1\n    semantic-checks: off\n'
            + (f'    notify: [{", ".join(f"t{p}" for p in self.targets)}]\n' if self.targets else '')
            for z, f in self.zones.items()))
        (self.path / 'knot.conf').write_text(''.join(c))

    def command(self):
        return [tool('knotd'), '-c', self.path / 'knot.conf']

    def reload(self, zone):
        self.ctl(tool('knotc'), '-b', '-c', self.path / 'knot.conf', 'zone-reload', zone)


class Nsd(Peer):
    name, program = 'nsd', 'nsd'

    def configure(self):
        k = self.key.name if self.key else 'NOKEY'
        c = [f'server:\n  ip-address: 127.0.0.1@{self.port}\n  username: ""\n  chroot: ""\n  zonesdir: "{self.path}"\n  database: ""\n'
             f'  pidfile: "{self.path}/pid"\n  xfrdfile: "{self.path}/xfrd.state"\n  zonelistfile: "{self.path}/zone.list"\n'
             f'  xfrdir: "{self.path}"\n  server-count: 1\n  verbosity: 1\n  rrl-ratelimit: 0\n',
             f'remote-control:\n  control-enable: yes\n  control-interface: "{self.path}/ctl"\n']
        if self.key:
            c.append(f'key:\n  name: "{self.key.name}"\n  algorithm: {self.key.algorithm}\n  secret: "{self.key.secret}"\n')
        for z, f in self.zones.items():
            c.append(f'zone:\n  name: "{z}"\n  zonefile: "{f}"\n  provide-xfr: 127.0.0.0/8 {k}\n'
                     + ('  store-ixfr: yes\n  create-ixfr: yes\n' if self.ixfr else '')
                     + ''.join(f'  notify: 127.0.0.1@{p} {k}\n' for p in self.targets))
        (self.path / 'nsd.conf').write_text(''.join(c))

    def command(self):
        return [tool('nsd'), '-d', '-c', self.path / 'nsd.conf']

    def reload(self, zone):
        self.ctl(tool('nsd-control'), '-c', self.path / 'nsd.conf', 'reload', zone)


class Bind(Peer):
    name, program = 'bind9', 'named'

    def configure(self):
        k = f' key "{self.key.name}"' if self.key else ''
        c = []
        if self.key:
            c.append(f'key "{self.key.name}" {{ algorithm {self.key.algorithm}; secret "{self.key.secret}"; }};\n')
        also = ' '.join(f'127.0.0.1 port {p}{k};' for p in self.targets)
        c.append(f'options {{ directory "{self.path}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};'
                 f' pid-file none; session-keyfile none; lock-file none; recursion no; dnssec-validation no; notify explicit; notify-delay 0;'
                 f' also-notify {{ {also} }}; notify-source 127.0.0.1; check-names primary ignore; allow-new-zones no;'
                 f' minimal-responses no; zero-no-soa-ttl no; allow-transfer {{ {f"key {chr(34)}{self.key.name}{chr(34)};" if self.key else "127.0.0.0/8;"} }}; }};\n')
        c.append('controls { };\n')
        for z, f in self.zones.items():
            c.append(f'zone "{z}" {{ type primary; file "{f}"; masterfile-format text;'
                     f' ixfr-from-differences {"yes" if self.ixfr else "no"}; }};\n')
        (self.path / 'named.conf').write_text(''.join(c))

    def command(self):
        return [tool('named'), '-g', '-c', self.path / 'named.conf', '-n', '1']

    def reload(self, zone):
        """named skips a file whose time of change is not newer than its last load, so ask until it has it."""
        before = serial(self.port, zone)

        def asked():
            os.utime(self.zones[zone])
            self.process.signal(signal.SIGHUP)
            try:
                return wait_for(lambda: serial(self.port, zone) != before, 'named to load it', timeout=1.5)
            except AssertionError:
                return False
        wait_for(asked, 'named to load a changed zone')


def pdns_database(path):
    """An empty one, for gsqlite3."""
    schema = next(p for p in ('/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql',
                              '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql') if os.path.exists(p))
    with open(schema) as f:
        subprocess.run(['sqlite3', path / 'pdns.sqlite'], stdin=f, check=True)


def pdnsutil(path, *args):
    return run(tool('pdnsutil'), f'--config-dir={path}', *args)


class Pdns(Peer):
    name, program = 'pdns', 'pdns_server'

    def configure(self):
        also = ','.join(f'127.0.0.1:{p}' for p in self.targets)
        (self.path / 'pdns.conf').write_text(
            f'launch=gsqlite3\ngsqlite3-database={self.path}/pdns.sqlite\nlocal-address=127.0.0.1\nlocal-port={self.port}\n'
            f'socket-dir={self.path}\nprimary=yes\nalso-notify={also}\nonly-notify=\ndisable-axfr=no\n'
            f'allow-axfr-ips={"" if self.key else "127.0.0.0/8"}\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n'
            f'zone-cache-refresh-interval=0\nxfr-cycle-interval=3600\nguardian=no\ndaemon=no\nwrite-pid=no\nloglevel=5\n'
            f'consistent-backends=yes\nversion-string=anonymous\n')
        pdns_database(self.path)
        if self.key:
            self.util('import-tsig-key', self.key.name, self.key.algorithm, self.key.secret)
        for z in self.zones:
            self.fill(z)

    def util(self, *args):
        return pdnsutil(self.path, *args)

    def fill(self, zone):
        self.util('load-zone', zone, self.zones[zone])
        self.util('set-kind', zone, 'primary')
        self.util('rectify-zone', zone)  # else it denies empty non-terminals
        if self.key:
            self.util('activate-tsig-key', zone, self.key.name, 'primary')

    def command(self):
        return [tool('pdns_server'), f'--config-dir={self.path}']

    def reload(self, zone):
        self.fill(zone)
        self.ctl(tool('pdns_control'), f'--config-dir={self.path}', 'notify', zone)


PEERS = {p.name: p for p in (Knot, Nsd, Bind, Pdns)}


# ---------------------------------------------------------------- zones

def small_zone(serial_number, www='192.0.2.80', extra='', zone='example.test', refresh=3600, retry=600, expire=86400):
    return f'''$ORIGIN {zone}.
$TTL 300
@ SOA ns1 hostmaster {serial_number} {refresh} {retry} {expire} 300
@ NS ns1
@ NS ns2.sub
@ MX 10 mail
@ TXT "version {serial_number}"
ns1 A 192.0.2.1
mail A 192.0.2.25
mail AAAA 2001:db8::25
www A {www}
alias CNAME www
chain CNAME alias
out CNAME www.elsewhere.test.
loop1 CNAME loop2
loop2 CNAME loop1
*.wild TXT "wildcard"
*.wild MX 5 mail
host.wild A 192.0.2.99
*.wcname CNAME www
a.b.c.ent A 192.0.2.7
sub NS ns1.sub
sub NS ns2.sub
ns1.sub A 192.0.2.53
ns2.sub A 192.0.2.54
ns2.sub AAAA 2001:db8::54
secure NS ns.elsewhere.test.
secure DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
_sip._udp SRV 0 5 5060 sip
sip A 192.0.2.60
upper.CASE A 192.0.2.61
{extra}
'''


def records(text, zone):
    """Canonical set of a zone file's records, for comparing contents."""
    z = dns.zone.from_text(text, origin=zone, relativize=False, check_origin=False)
    return {(str(name).lower(), ttl, rdata.rdtype, rdata.to_digestable())
            for name, ttl, rdata in z.iterate_rdatas()}
