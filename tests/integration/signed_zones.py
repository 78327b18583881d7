"""Zones with every shape that matters, signed by ldns or Knot, on our node and on three peers that load them as they are."""
import random
import socket
import struct
import subprocess

import dns.message
import dns.name
import pytest
import zl
from differences import World


# ---------------------------------------------------------------- zones

class Maker:
    """The text of a zone with every shape that matters, in random numbers."""

    def __init__(self, apex, seed):
        self.r = random.Random(seed)
        self.apex = apex
        self.lines = [f'@ SOA ns1 hostmaster 1 3600 600 864000 {self.r.choice([60, 300, 7200])}', '@ NS ns1', '@ NS ns.far.invalid.',
                      '@ MX 10 mail', '@ TXT "apex"', 'ns1 A 192.0.2.1', 'ns1 AAAA 2001:db8::1', 'mail A 192.0.2.25']

    def label(self):
        return ''.join(self.r.choice('abcdefghijklmnopqrstuvwxyz0123456789') for _ in range(self.r.randrange(1, 9)))

    def deep(self, most=5):
        return '.'.join(self.label() for _ in range(self.r.randrange(1, most)))

    def add(self, *lines):
        self.lines += lines

    def ds(self):
        return f'{self.r.randrange(65536)} 13 2 {self.r.randbytes(32).hex()}'

    def hosts(self):
        for i in range(10):
            self.add(f'h{i}.{self.deep()} A 192.0.2.{i}')
        self.add('www A 192.0.2.80', 'www AAAA 2001:db8::80', 'www TXT "a" "b"', 'a.b.c.d.ent A 192.0.2.3', 'b.ent TXT "in between"',
                 'a\\000z TXT "octet 0"', 'a\\.b TXT "dot"', '_sip._udp SRV 0 0 5060 www', 'UPPER.Case A 192.0.2.5',
                 'x.' + '.'.join(['deep'] * 20) + ' A 192.0.2.6', f'{"l" * 63} A 192.0.2.7',
                 '0' * 32 + ' TXT "looks like a hash"', 'v' * 32 + ' TXT "so does this"')

    def wildcards(self):
        self.add('*.w A 192.0.2.99', '*.w TXT "star"', 'host.w A 192.0.2.98', 'a.ent.w A 192.0.2.97', '*.mx.w MX 5 mail', '*.cw CNAME www',
                 '*.cww CNAME q.w', '*.cgone CNAME no.such', '*.cns CNAME y.ins', 'x.*.entw A 192.0.2.96', '*.*.ww TXT "two stars"',
                 'z.w.*.mid TXT "a star within"', f'*.{self.deep()} A 192.0.2.95')

    def delegations(self):
        self.add('sec NS ns.sec', f'sec DS {self.ds()}', f'sec DS {self.ds()}', 'ns.sec A 192.0.2.53', 'ns.sec AAAA 2001:db8::53',
                 'ins NS ns.ins', 'ins NS ns1', 'ns.ins A 192.0.2.54', 'under.ns.ins A 192.0.2.66', 'sib NS ns.ins', 'far NS ns.far.invalid.',
                 'sec2 NS ns1', f'sec2 DS {self.ds()}', 'a.b.delent NS ns1', 'c.b.delent NS ns1', 'only.ins2 NS ns.far.invalid.',
                 f'deep.secent NS ns1', f'deep.secent DS {self.ds()}', 'i.mixed NS ns1', f's.mixed NS ns1', f's.mixed DS {self.ds()}')
        for _ in range(8):
            name = self.deep(4)
            self.add(f'{name}.dele NS ns1', f'{name}.dele NS ns.{name}.dele', f'ns.{name}.dele A 192.0.2.55')
            if self.r.random() < 0.4:
                self.add(f'{name}.dele DS {self.ds()}')

    def aliases(self):
        self.add('c1 CNAME c2', 'c2 CNAME www', 'cgone CNAME no.such.name', 'cent CNAME c.d.ent', 'cnodata CNAME mail', 'cout CNAME x.invalid.',
                 'cw1 CNAME q.w', 'cwx CNAME q.nope.host.w', 'csec CNAME y.sec', 'cins CNAME y.ins', 'cd CNAME x.d', 'cdn CNAME none.d',
                 'capex CNAME @', 'd DNAME dt', 'x.dt A 192.0.2.11', 'dw DNAME w', 'dout DNAME invalid.', 'dd DNAME d', 'd2.b.dent DNAME dt',
                 'd TXT "beside the DNAME"', 'long DNAME ' + '.'.join(c * 60 for c in 'abc'), 'dins DNAME ins', 'dcns DNAME cns')

    def text(self):
        for part in (self.hosts, self.wildcards, self.delegations, self.aliases):
            part()
        return f'$ORIGIN {self.apex}.\n$TTL 3600\n' + '\n'.join(self.lines) + '\n'


def run(*cmd, **kw):
    r = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=120, **kw)
    assert r.returncode == 0, f'{cmd}: {r.stdout}{r.stderr}'
    return r.stdout


def sign_ldns(place, apex, text, *options):
    """With a ZSK and a KSK; gives the signed zone's text."""
    plain = place / f'{apex}.plain'
    plain.write_text(text)
    keys = [run('ldns-keygen', '-a', 'ECDSAP256SHA256', *k, apex, cwd=place).strip() for k in ((), ('-k',))]
    run('ldns-signzone', *options, '-f', place / f'{apex}.signed', plain, *keys, cwd=place)
    return (place / f'{apex}.signed').read_text()


def sign_knot(place, apex, text, policy):
    d = place / f'sign.{apex}'
    d.mkdir()
    (d / 'zone').write_text(text)
    (d / 'conf').write_text(f'server:\n  rundir: {d}\ndatabase:\n  storage: {d}\npolicy:\n  - id: p\n    algorithm: ecdsap256sha256\n{policy}'
                            f'zone:\n  - domain: {apex}\n    storage: {d}\n    file: zone\n    dnssec-signing: on\n    dnssec-policy: p\n'
                            f'    journal-content: none\n    zonefile-load: whole\n')
    run(zl.tool('kzonesign'), '-c', d / 'conf', '-o', d, apex)
    return (d / 'zone').read_text()  # it writes over its input


# ---------------------------------------------------------------- servers

class Asker:
    """One TCP connection to one server."""

    def __init__(self, port):
        self.port, self.s = port, None

    def ask(self, wire):
        for attempt in (0, 1):
            try:
                if self.s is None:
                    self.s = socket.create_connection(('127.0.0.1', self.port), timeout=10)
                self.s.sendall(struct.pack('!H', len(wire)) + wire)
                return dns.message.from_wire(self.read(struct.unpack('!H', self.read(2))[0]))
            except (ConnectionError, EOFError):
                self.s = None
                if attempt:
                    raise

    def read(self, n):
        data = b''
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def ask_all(self, wires):
        """Many questions at once; the answers by id, as they may come in any order."""
        for attempt in (0, 1):
            try:
                if self.s is None:
                    self.s = socket.create_connection(('127.0.0.1', self.port), timeout=20)
                self.s.sendall(b''.join(struct.pack('!H', len(w)) + w for w in wires))
                got = {}
                for _ in wires:
                    w = self.read(struct.unpack('!H', self.read(2))[0])
                    got[w[:2]] = w
                return got
            except (ConnectionError, EOFError):
                self.s = None
                if attempt:
                    raise


class Servers:
    """All zones on all servers; our node gets them by transfer from Knot."""

    def __init__(self, place, node, peer, plain, sign):
        if any(zl.tool(t) is None for t in ('ldns-signzone', 'ldns-keygen', 'kzonesign')):
            pytest.skip('skipped: ldnsutils or knot-dnssecutils are not installed')
        texts = {z: sign[z](place, z, plain[z]) for z in plain}
        peers = [peer(name) for name in ('knot', 'nsd', 'bind9')]
        self.node = node(level='info')
        for p in peers:
            for z, text in texts.items():
                p.write(z, text)
            p.start()
        for z in plain:
            self.node.secondary_of(z, peers[0])
        self.node.start()
        for z in plain:
            self.node.wait_serial(z, 1)
        self.world = World(plain, texts)
        self.us, self.them = Asker(self.node.port), {p.name: Asker(p.port) for p in peers}


# ---------------------------------------------------------------- questions

def absent(r, name, apex):
    """A name near `name` that is probably not there."""
    kind = r.randrange(6)
    label = ''.join(r.choice('abcdefghijklmnopqrstuvwxyz0123456789-') for _ in range(r.randrange(1, 12))).encode()
    if kind == 0 or name == apex or len(name.labels) + 3 > 100:
        labels = (label,) + name.labels
    elif kind == 1:
        labels = (label, b'x') + name.labels
    elif kind == 2:  # just behind, in canonical order
        labels = ((name.labels[0] + b'\0')[:63],) + name.labels[1:]
    elif kind == 3:  # just in front
        labels = (name.labels[0][:-1] or b'!',) + name.labels[1:]
    elif kind == 4:
        labels = (b'*',) + name.labels
    else:
        labels = (label,) + name.labels[1:]
    try:
        return dns.name.Name(labels)
    except dns.name.NameTooLong:
        return dns.name.Name((label,) + apex.labels)


def query(name, rdtype, do, size=4096):
    return dns.message.make_query(name, rdtype, use_edns=0, want_dnssec=do, payload=size)


def report(wrong, compared, seed):
    """One of each kind of what differs and is not in the table."""
    kinds = {}
    for c in wrong:
        kinds.setdefault((c.peer, c.zone, c.rdtype, *c.differ, c.fault is None), c)
    return f'{len(wrong)} of {compared} differ (ZL_SEED={seed}), in {len(kinds)} ways:\n' + '\n\n'.join(map(str, list(kinds.values())[:20]))
